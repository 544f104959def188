//! What a replay does beside its alerts: repeats summed up, flows logged, evidence filed. The same for any number of workers, and all
//! that it says adds up.
//!
//! Seen to fail: see the commit that made it; each check is of a number or a digest that is computed here again.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{FEED, documents, finish, picket, runs, stderr, text_at};
use picket::capture::{Batch, Files, Source};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Every whole fixture, in one run.
fn captures() -> Vec<String> {
    runs().into_iter().filter(|(name, _)| !name.starts_with("damage-")).flat_map(|(_, files)| files).collect()
}

/// A run with `more` arguments: its alerts.
fn replay(threads: usize, more: &[&str], captures: &[String]) -> String {
    let scratch = tempfile::tempdir().expect("folder");
    let alerts = scratch.path().join("alerts.jsonl");
    let mut command = picket();
    // Two read each for itself, more share.
    let sharing = if threads == 2 { "never" } else { "always" };
    command.args(["replay", "-q", "--feed", FEED, "--threads", &threads.to_string(), "--sharing", sharing, "--alerts"]);
    command.arg(&alerts);
    let output = finish(command.args(more).args(captures));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::read_to_string(alerts).expect("alerts")
}

fn number(document: &Value, path: &str) -> u64 {
    common::at(document, path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} in {document}"))
}

#[test]
fn flows_are_logged_alike_by_any_number_of_workers_and_add_up() {
    let folder = tempfile::tempdir().expect("folder");
    let captures = captures();
    let plain = replay(1, &[], &captures);
    let logs: Vec<String> = [1, 2, 5]
        .into_iter()
        .map(|threads| {
            let path = folder.path().join(format!("{threads}.jsonl"));
            let log = path.to_str().expect("path");
            assert_eq!(replay(threads, &["--flow-log", log], &captures), plain, "a log changes no alert");
            assert_eq!(fs::metadata(&path).expect("log").permissions().mode() & 0o777, 0o600);
            fs::read_to_string(path).expect("log")
        })
        .collect();
    assert!(logs.iter().all(|log| *log == logs[0]), "another number of workers, another log");
    let records = documents(&logs[0]);
    assert!(records.len() > 500, "{}", records.len());
    for record in &records {
        let sum =
            |what: &str| number(record, &format!("source.{what}")) + number(record, &format!("destination.{what}"));
        assert_eq!(sum("packets"), number(record, "network.packets"));
        assert_eq!(sum("bytes"), number(record, "network.bytes"));
        assert!(text_at(record, "event.start") <= text_at(record, "event.end"), "{record}");
        assert!(!text_at(record, "picket.visibility").is_empty());
    }
    let all_of = |path: &str| -> BTreeSet<String> {
        let lists = records.iter().filter_map(|record| common::at(record, path)?.as_array());
        lists.flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    assert!(all_of("dns.question.name").contains("www.evil.example"));
    assert!(all_of("tls.client.server_name").len() > 3 && all_of("url.domain").len() > 3);
    assert!(all_of("tls.client.ja4").len() > 3 && all_of("dns.resolved_ip").len() > 3);
    let states: BTreeSet<&str> = records.iter().map(|record| text_at(record, "picket.flow.state")).collect();
    assert!(states.is_superset(&BTreeSet::from(["half_open", "established", "closed"])), "{states:?}");
    let ids: BTreeSet<&str> = records.iter().map(|record| text_at(record, "network.community_id")).collect();
    let alerted = documents(&plain);
    let missing = alerted.iter().map(|alert| text_at(alert, "network.community_id")).find(|id| !ids.contains(id));
    assert_eq!(missing, None, "every alert's flow is in the log");
}

/// What a flow log says of one capture is what its packets are.
#[test]
fn a_flow_has_the_packets_and_bytes_of_its_capture() {
    let folder = tempfile::tempdir().expect("folder");
    for name in ["http-pipelined", "dns-query-a", "tls-sni", "bytes-two-segments"] {
        let capture = format!("fixtures/pcaps/{name}.pcap");
        let Ok(mut files) = Files::open(&[common::root().join(&capture)]) else { continue };
        let (mut frames, mut bytes, mut batch) = (0, 0, Batch::default());
        while files.poll(&mut batch) {
            frames += batch.frames.len() as u64;
            bytes += batch.frames.iter().map(|frame| u64::from(frame.wire_bytes)).sum::<u64>();
        }
        let log = folder.path().join("flows.jsonl");
        replay(1, &["--flow-log", log.to_str().expect("path")], &[capture]);
        let records = documents(&fs::read_to_string(&log).expect("log"));
        let sum = |path: &str| records.iter().map(|record| number(record, path)).sum::<u64>();
        assert_eq!((sum("network.packets"), sum("network.bytes")), (frames, bytes), "{name}");
    }
}

fn files_in(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path());
    entries.map(|path| (path.clone(), fs::read(&path).expect("file"))).collect()
}

#[test]
fn each_alert_names_a_file_with_its_packets() {
    let folder = tempfile::tempdir().expect("folder");
    let captures = captures();
    let place = folder.path().join("evidence");
    let arguments = ["--evidence", place.to_str().expect("path")];
    let alerts = replay(1, &arguments, &captures);
    let files = files_in(&place);
    for threads in [2, 5] {
        fs::remove_dir_all(&place).expect("removed");
        assert_eq!(replay(threads, &arguments, &captures), alerts, "{threads} workers");
        assert!(files_in(&place) == files, "{threads} workers write other files");
    }
    assert_eq!(fs::metadata(&place).expect("folder").permissions().mode() & 0o777, 0o700);
    let documents = documents(&alerts);
    assert_eq!(files.len(), documents.len());
    let mut hits = 0;
    for alert in &documents {
        let path = Path::new(text_at(alert, "picket.evidence.path"));
        let bytes = &files[path];
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, text_at(alert, "picket.evidence.sha256"));
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(text_at(alert, "event.id")));
        assert_eq!(fs::metadata(path).expect("file").permissions().mode() & 0o777, 0o600);
        let mut read = Files::open(&[path.to_owned()]).expect("our reader opens it");
        let (mut times, mut batch) = (Vec::new(), Batch::default());
        while read.poll(&mut batch) {
            times.extend(batch.frames.iter().map(|frame| frame.time.to_string()));
        }
        assert!(read.troubles().is_empty() && !times.is_empty(), "{}", path.display());
        hits += usize::from(times.iter().any(|time| time == text_at(alert, "@timestamp")));
    }
    assert_eq!(hits, documents.len(), "the packet that completed the hit is there");
    let with: Vec<String> = alerts.lines().map(str::to_owned).collect();
    let without = replay(1, &[], &captures);
    assert_eq!(with.len(), without.lines().count(), "evidence changes no alert");
    tools_read(&files);
}

/// Wireshark's tools read the files and their comments, where they are installed.
fn tools_read(files: &BTreeMap<PathBuf, Vec<u8>>) {
    if Command::new("tshark").arg("-v").output().is_err() {
        return;
    }
    for path in files.keys().step_by(40) {
        let id = path.file_stem().expect("name").to_string_lossy().into_owned();
        let fields = ["-T", "fields", "-e", "frame.comment", "-e", "pkt_comment"];
        let output = Command::new("tshark").arg("-r").arg(path).args(fields).output();
        let output = match output {
            Ok(output) if output.status.success() => output,
            // Older versions know one field name, newer the other.
            _ => Command::new("tshark").arg("-r").arg(path).args(&fields[..4]).output().expect("tshark"),
        };
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(common::stdout(&output).contains(&id), "{}: no comment at the hit", path.display());
    }
}

#[test]
fn what_is_not_ours_stays_and_what_was_half_written_goes() {
    let folder = tempfile::tempdir().expect("folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("mode");
    fs::write(folder.path().join("unrelated.txt"), "stays").expect("written");
    fs::write(folder.path().join("half.pcapng.part"), "of a run that was killed").expect("written");
    let captures = ["fixtures/pcaps/dns-query-a.pcap".to_owned()];
    replay(1, &["--evidence", folder.path().to_str().expect("path")], &captures);
    let names: Vec<_> = files_in(folder.path()).into_keys().collect();
    assert!(names.iter().any(|name| name.ends_with("unrelated.txt")));
    assert!(!names.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{names:?}");
}

#[test]
fn repeats_are_summed_up_alike_by_any_number_of_workers() {
    let captures = captures();
    let all = documents(&replay(1, &[], &captures)).len() as u64;
    let summed: Vec<String> =
        [1, 2, 3].into_iter().map(|threads| replay(threads, &["--repeat-window", "3600"], &captures)).collect();
    assert!(summed.iter().all(|other| *other == summed[0]));
    let documents = documents(&summed[0]);
    let count = |document: &Value| common::at(document, "picket.repeats.count").and_then(Value::as_u64);
    let rolled: Vec<&Value> = documents.iter().filter(|document| count(document).is_some()).collect();
    assert!(rolled.len() > 10, "{}", rolled.len());
    let repeats: u64 = documents.iter().filter_map(count).sum();
    assert_eq!((documents.len() - rolled.len()) as u64 + repeats, all, "nothing is lost");
    let ids: BTreeSet<&str> = documents.iter().map(|document| text_at(document, "event.id")).collect();
    assert_eq!(ids.len(), documents.len(), "each has an id of its own");
    for roll_up in rolled {
        assert!(text_at(roll_up, "event.start") <= text_at(roll_up, "event.end"));
        assert!(number(roll_up, "picket.repeats.destinations") > 0 && number(roll_up, "picket.repeats.sources") > 0);
    }
}
