//! `picket watch` on interfaces in a network namespace: what `picket replay` finds in the fixtures is found live, too; feeds are loaded
//! anew while packets flow; signals end it in order. Skipped, and said so, where no namespace can be made.
#![cfg(target_os = "linux")]

mod common;
#[path = "live_capture/net.rs"]
mod net;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{FEED, documents, finish, picket, root, text_at};
use net::{Net, Sender};
use serde_json::Value;

/// A sensor that was started.
struct Sensor {
    child: Child,
    folder: tempfile::TempDir,
}

impl Sensor {
    fn start(feed: &Path, threads: usize) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let said = fs::File::create(folder.path().join("stderr")).expect("file");
        let mut command = picket();
        command.args(["watch", "-i", "rx0", "--threads", &threads.to_string(), "--feed"]).arg(feed).arg("--alerts");
        command.arg(folder.path().join("alerts.jsonl")).arg("--summary").arg(folder.path().join("summary.json"));
        // Every alert, as a replay has them.
        command.args(["--repeat-window", "0"]);
        let child = command.stdout(Stdio::null()).stderr(said).spawn().expect("starts");
        let sensor = Self { child, folder };
        sensor.wait_for("it watches", || sensor.said().contains("picket: watching rx0"));
        sensor
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    fn alerts(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("alerts.jsonl")).unwrap_or_default();
        documents(&text[..text.rfind('\n').map_or(0, |end| end + 1)])
    }

    fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(60), "never: {what}\n{}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn has(&self, action: &str) -> usize {
        self.alerts().iter().filter(|alert| text_at(alert, "event.action") == action).count()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill").success());
    }

    /// Ends it by a signal: its alerts and its summary.
    fn end(mut self, signal: &str) -> (Vec<Value>, Value) {
        self.signal(signal);
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                break status;
            }
            assert!(start.elapsed() < Duration::from_secs(5), "no end 5 s after {signal}\n{}", self.said());
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(status.code(), Some(0), "{}", self.said());
        let summary = fs::read_to_string(self.folder.path().join("summary.json")).expect("summary");
        (self.alerts(), serde_json::from_str(&summary).expect("JSON"))
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fixtures' feed, valid at any time: live, it is now.
fn feed(folder: &Path) -> PathBuf {
    let text = fs::read_to_string(root().join(FEED)).expect("feed");
    let mut out = String::new();
    for mut entry in documents(&text) {
        for field in ["valid_from", "valid_until"] {
            entry.get_mut("picket").and_then(Value::as_object_mut).map(|picket| picket.remove(field));
        }
        out += &format!("{entry}\n");
    }
    let path = folder.join("feed.jsonl");
    fs::write(&path, out).expect("written");
    path
}

/// Frames of the fixtures that an interface carries as they are. Pieces of datagrams are left out: the kernel puts them together for
/// several workers, by rules of its own.
fn frames() -> Vec<Vec<u8>> {
    let mut captures: Vec<_> = fs::read_dir(root().join("fixtures/pcaps")).expect("fixtures").flatten().collect();
    captures.sort_by_key(fs::DirEntry::file_name);
    let names = captures.iter().map(|entry| entry.file_name().into_string().expect("name"));
    let wanted = names.filter(|name| {
        name.ends_with(".pcap")
            && ["http", "dns", "tls", "smtp", "addr", "bytes", "tcp", "quic", "ssh"]
                .iter()
                .any(|start| name.starts_with(start))
    });
    wanted.flat_map(|name| net::frames(&format!("pcaps/{name}"))).filter(|frame| frame.len() <= 65_535).collect()
}

/// The same frames as a capture.
fn capture(frames: &[Vec<u8>], path: &Path) {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for (number, frame) in frames.iter().enumerate() {
        let (secs, micros) = (1_800_000_000 + number as u32 / 10_000, number as u32 % 10_000 * 100);
        for word in [secs, micros, frame.len() as u32, frame.len() as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame);
    }
    fs::write(path, bytes).expect("written");
}

/// What alerts are about, and how many there are of each; what the sensor says of itself is none.
fn about(alerts: &[Value]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| text_at(alert, "event.kind") == "alert") {
        let enrichment = &alert["threat"]["enrichments"][0];
        let text = ["matched.id", "matched.field", "matched.atomic"].map(|path| text_at(enrichment, path)).join(" ");
        *found.entry(format!("{text} {}", text_at(alert, "network.community_id"))).or_default() += 1;
    }
    found
}

#[test]
fn what_a_replay_finds_is_found_live_with_any_number_of_workers() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let folder = tempfile::tempdir().expect("folder");
    let (feed, file) = (feed(folder.path()), folder.path().join("all.pcap"));
    let frames = frames();
    capture(&frames, &file);
    let output =
        finish(picket().args(["replay", "-q", "--threads", "1", "--format", "ecs", "--feed"]).arg(&feed).arg(&file));
    let expected = about(&documents(&common::stdout(&output)));
    assert!(expected.len() > 50, "{} alerts", expected.len());
    for threads in [1, 2, 4] {
        let sensor = Sensor::start(&feed, threads);
        let mut sender = Sender::new("tx0");
        frames.iter().for_each(|frame| sender.send(frame));
        let (alerts, summary) = sensor.end("INT");
        assert_eq!(summary["frames"], frames.len(), "{threads} workers: every frame once: {}", summary["live"]);
        let shares = summary["live"]["frames_by_worker"].as_array().expect("by worker");
        assert!(shares.len() == threads && shares.iter().all(|share| *share != 0), "{threads} workers: {shares:?}");
        let found = about(&alerts);
        let missing: Vec<_> = expected.iter().filter(|(what, count)| found.get(*what) != Some(count)).collect();
        let more: Vec<_> = found.iter().filter(|(what, count)| expected.get(*what) != Some(count)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{threads} workers: missing {missing:#?}, more {more:#?}");
    }
}

#[test]
fn feeds_are_loaded_anew_while_packets_flow() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let folder = tempfile::tempdir().expect("folder");
    let feed = folder.path().join("list.txt");
    let replace = |text: &str| {
        let beside = folder.path().join("new");
        fs::write(&beside, text).expect("written");
        fs::rename(beside, &feed).expect("renamed");
    };
    replace("one.invalid\ntwo.invalid\n");
    let sensor = Sensor::start(&feed, 2);
    let frames = net::frames("pcaps/http-host.pcap");
    let mut sender = Sender::new("tx0");
    let mut sent = 0;
    for _ in 0..20 {
        sensor.signal("HUP");
        frames.iter().for_each(|frame| sender.send(frame));
        sent += frames.len();
        thread::sleep(Duration::from_millis(20));
    }
    sensor.wait_for("it reloads", || sensor.has("feed-reloaded") > 0);
    assert_eq!(about(&sensor.alerts()).len(), 0);
    // The name that the flow has shown already is looked up, without another packet.
    replace("one.invalid\ntwo.invalid\nevil.example\n");
    sensor.wait_for("the name is found", || about(&sensor.alerts()).keys().any(|what| what.contains("evil.example")));
    replace("one.invalid\n");
    sensor.wait_for("it is refused", || sensor.has("feed-refused") == 1);
    let (alerts, summary) = sensor.end("TERM");
    assert_eq!(summary["frames"], sent, "no packet was lost: {}", summary["live"]);
    assert_eq!(about(&alerts).values().sum::<usize>(), 1, "once, however often it was seen");
    assert!(summary["live"]["reloads"].as_u64().expect("number") >= 2);
}
