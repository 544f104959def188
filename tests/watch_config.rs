//! `picket watch` with a configuration, and with arguments alone: what it may still do once it runs, what it answers, and what becomes of
//! feeds of which one is refused. Skipped, and said so, where no namespace can be made.
#![cfg(target_os = "linux")]

mod common;
#[path = "live_capture/net.rs"]
mod net;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{documents, picket, text_at};
use net::{Net, Sender};
use picket::privilege::{Report, SeccompMode, Who};
use serde_json::Value;

const NOBODY: u32 = 65_534;

/// `CAP_DAC_OVERRIDE`.
const FILE_ACCESS: u64 = 1 << 1;

/// A sensor that was started, with its socket at `run/s` in the folder.
struct Sensor {
    child: Child,
    folder: PathBuf,
}

impl Sensor {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let said = fs::File::create(folder.join("stderr")).expect("file");
        let mut command = picket();
        command.arg("watch").args(arguments).stdout(Stdio::null()).stderr(said);
        let sensor = Self { child: command.spawn().expect("starts"), folder: folder.to_owned() };
        sensor.wait_for("it answers", || sensor.ask("status").status.success());
        sensor
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("stderr")).unwrap_or_default()
    }

    fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(60), "never: {what}\n{}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask(&self, what: &str) -> Output {
        picket().arg(what).arg("--socket").arg(self.folder.join("run/s")).output().expect("runs")
    }

    /// What `picket reload` says, and whether all was taken.
    fn reload(&self) -> (bool, String) {
        let answer = self.ask("reload");
        (answer.status.success(), String::from_utf8_lossy(&answer.stdout).into_owned())
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.ask("status").stdout).expect("JSON")
    }

    fn report(&self) -> Report {
        Report::of(Who::Process(self.child.id())).expect("it runs")
    }

    /// What its alerts matched.
    fn found(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("log/alerts.jsonl")).unwrap_or_default();
        let alerts = documents(&text[..text.rfind('\n').map_or(0, |end| end + 1)]);
        let matched = |alert: &Value| text_at(&alert["threat"]["enrichments"][0], "matched.atomic").to_owned();
        alerts.iter().filter(|alert| text_at(alert, "event.kind") == "alert").map(matched).collect()
    }

    /// Has it end, as `picket stop` does.
    fn stop(mut self) {
        assert!(self.ask("stop").status.success(), "{}", self.said());
        assert_eq!(self.child.wait().expect("waits").code(), Some(0), "{}", self.said());
        assert!(!self.folder.join("run/s").exists());
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that everyone may enter, with two feeds.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    for name in ["feeds", "run", "log"] {
        fs::create_dir(folder.path().join(name)).expect("made");
    }
    replace(folder.path(), "one.txt", "one.invalid\ntwo.invalid\nthree.invalid\nevil.example\n");
    replace(folder.path(), "two.txt", "four.invalid\n");
    folder
}

fn replace(folder: &Path, feed: &str, text: &str) {
    let beside = folder.join(".new");
    fs::write(&beside, text).expect("written");
    fs::rename(beside, folder.join("feeds").join(feed)).expect("renamed");
}

fn config(folder: &Path) -> PathBuf {
    let path = folder.join("picket.toml");
    let text = format!(
        "[capture]\ninterfaces = [\"rx0\"]\nworkers = 2\nspread = \"hosts\"\n[feeds]\npaths = [\"{0}/feeds\"]\nwatch = false\n\
         [memory]\nmax = \"3 GiB\"\n[flows]\nmax = 4096\n[metrics]\nenabled = false\n[control]\nsocket = \"{0}/run/s\"\n\
         [suppression]\nenabled = false\n[privileges]\nuser = \"nobody\"\ngroup = \"nogroup\"\n\
         [[sinks]]\nname = \"file\"\nfile = {{ path = \"{0}/log/alerts.jsonl\" }}\n",
        folder.display()
    );
    fs::write(&path, text).expect("written");
    path
}

/// Puts a changed configuration in the place of the one there is, as editors do.
fn reconfigure(folder: &Path, change: impl FnOnce(String) -> String) {
    let (path, beside) = (folder.join("picket.toml"), folder.join(".picket.toml"));
    let text = change(fs::read_to_string(&path).expect("configuration"));
    fs::write(&beside, text).expect("written");
    fs::rename(beside, path).expect("renamed");
}

/// The lines of whole records in a file of alerts.
fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().filter(|line| line.contains("evil.example")).count()
}

#[test]
fn outputs_of_a_changed_configuration_are_taken_while_it_runs() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let folder = folder();
    for name in ["run", "log"] {
        chown(folder.path().join(name), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    fs::create_dir(folder.path().join("other")).expect("made");
    chown(folder.path().join("other"), Some(NOBODY), Some(NOBODY)).expect("chown");
    let path = config(folder.path());
    reconfigure(folder.path(), |text| text.replace("watch = false", "watch = true\nsettle = \"50ms\""));
    let sensor = Sensor::start(folder.path(), &["--config", path.to_str().expect("path")]);
    let at = |name: &str| folder.path().join(name);
    let outputs = |sensor: &Sensor| -> Vec<String> {
        let status = sensor.status();
        status["outputs"].as_array().expect("outputs").iter().map(|o| text_at(o, "name").to_owned()).collect()
    };
    let frames = net::frames("pcaps/http-host.pcap");
    let mut sender = Sender::new("tx0");
    let mut sent = 0;
    let mut find = |sensor: &Sensor, file: &str| {
        frames.iter().for_each(|frame| sender.send(frame));
        let before = lines(&at(file));
        sensor.wait_for("the name is found", || lines(&at(file)) > before);
        sent += 1;
    };
    find(&sensor, "log/alerts.jsonl");

    // A file that takes the place of the configuration is reason enough.
    let second = format!(
        "[[sinks]]\nname = \"eve\"\nformat = \"eve\"\nfile = {{ path = \"{}\" }}\n",
        at("log/eve.json").display()
    );
    reconfigure(folder.path(), |text| text + &second);
    sensor.wait_for("the new output is there", || outputs(&sensor) == ["file", "eve"]);
    find(&sensor, "log/eve.json");
    assert_eq!((lines(&at("log/alerts.jsonl")), lines(&at("log/eve.json"))), (2, 1));

    // A changed one, in the same file, and with it what only a restart takes.
    reconfigure(folder.path(), |text| {
        text.replace("name = \"file\"", "name = \"file\"\nformat = \"eve\"").replace("workers = 2", "workers = 1")
    });
    sensor.wait_for("it is said", || sensor.said().contains("restart-needed"));
    let (is_all, words) = sensor.reload();
    assert!(!is_all && words.contains("needs a restart: capture.workers"), "{words}");
    reconfigure(folder.path(), |text| text.replace("workers = 1", "workers = 2"));
    find(&sensor, "log/alerts.jsonl");
    let text = fs::read_to_string(at("log/alerts.jsonl")).expect("alerts");
    assert!(
        text.lines().last().is_some_and(|line| line.contains("\"event_type\"")) && lines(&at("log/alerts.jsonl")) == 3
    );

    // What was not granted at the start cannot be had, and then nothing changes.
    let before = fs::read_to_string(&path).expect("configuration");
    for (sink, why) in [
        (
            format!("file = {{ path = \"{}\" }}", at("other/a").display()),
            "not among the folders granted for writing at the start; restart",
        ),
        ("syslog = { address = \"127.0.0.1:6514\" }".to_owned(), "restart"),
        (format!("file = {{ path = \"{}\" }}", at("log/missing/a").display()), "cannot open the output far"),
    ] {
        reconfigure(folder.path(), |_| format!("{before}[[sinks]]\nname = \"far\"\n{sink}\n"));
        let (is_all, words) = sensor.reload();
        assert!(!is_all && words.contains(why), "{words}");
        assert_eq!(outputs(&sensor), ["file", "eve"]);
    }
    let refused = |text: &str| text.lines().any(|line| line.contains("outputs-refused"));
    sensor.wait_for("it is said", || refused(&fs::read_to_string(at("log/eve.json")).unwrap_or_default()));
    find(&sensor, "log/eve.json");

    // The first of them goes, and nothing of what it was given.
    let known = lines(&at("log/alerts.jsonl"));
    let first = before.find("[[sinks]]").expect("sinks");
    reconfigure(folder.path(), |_| format!("{}{second}", &before[..first]));
    let (is_all, words) = sensor.reload();
    assert!(is_all, "{words}");
    sensor.wait_for("it is gone", || outputs(&sensor) == ["eve"]);
    find(&sensor, "log/eve.json");
    assert_eq!((lines(&at("log/alerts.jsonl")), known), (known, 4));
    assert_eq!(lines(&at("log/eve.json")), sent - 1);
    sensor.stop();
}

fn is_confined(report: &Report) -> bool {
    report.no_new_privs && report.seccomp == SeccompMode::Filter
}

#[test]
fn a_configured_sensor_gives_everything_up_and_answers() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let folder = folder();
    for name in ["run", "log"] {
        chown(folder.path().join(name), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    let sensor = Sensor::start(folder.path(), &["--config", config(folder.path()).to_str().expect("path")]);
    let report = sensor.report();
    assert!(report.capabilities.are_gone() && report.capabilities.bounding == 0, "{report:?}");
    assert!(is_confined(&report) && report.threads_with_capabilities == 0, "{report:?}");
    assert_eq!((report.uid, report.gid), (NOBODY, NOBODY));
    let of_path = fs::read_to_string(format!("/proc/{}/status", sensor.child.id())).expect("status");
    for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(of_path.contains(line), "{of_path}");
    }

    let frames = net::frames("pcaps/http-host.pcap");
    let mut sender = Sender::new("tx0");
    frames.iter().for_each(|frame| sender.send(frame));
    sensor.wait_for("the name is found", || !sensor.found().is_empty());
    sensor.wait_for("losses are told", || sensor.status()["losses"].as_array().is_some_and(|all| all.len() == 2));
    let status = sensor.status();
    assert_eq!(status["process"]["memory_limit_bytes"], 3_u64 << 30);
    assert_eq!(status["losses"][1]["interface"], "rx0");
    assert!(status["workers"].as_array().is_some_and(|all| all.iter().all(|worker| worker["is_running"] == true)));
    assert!(sensor.ask("reload").status.success());
    sensor.stop();
}

#[test]
fn a_feed_that_is_refused_stays_as_it_was_and_the_others_are_taken() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let folder = folder();
    for name in ["run", "log"] {
        chown(folder.path().join(name), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    let sensor = Sensor::start(folder.path(), &["--config", config(folder.path()).to_str().expect("path")]);
    // Too little is left of the one that has the name; the other gets one of its own.
    replace(folder.path(), "one.txt", "one.invalid\n");
    replace(folder.path(), "two.txt", "four.invalid\nfive.invalid\nwww.example\n");
    let refused = sensor.ask("reload");
    let words = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    for part in ["one.txt has 1 entries, where it had 4", "7 indicators of 2 feeds"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(!words.contains("invalid"), "no value: {words}");
    let entries = |sensor: &Sensor| {
        let feeds = sensor.status()["feeds"].as_array().cloned().unwrap_or_default();
        feeds.iter().map(|feed| feed["entries"].as_u64().unwrap_or(0)).collect::<Vec<_>>()
    };
    assert_eq!(entries(&sensor), [4, 3]);
    let frames = net::frames("pcaps/http-host.pcap");
    let mut sender = Sender::new("tx0");
    frames.iter().for_each(|frame| sender.send(frame));
    sensor.wait_for("what was refused is still looked for", || {
        sensor.found().iter().any(|value| value.contains("evil.example"))
    });
    // One that cannot even be opened is no reason to leave the other as it is, and neither is it asked twice.
    fs::remove_file(folder.path().join("feeds/one.txt")).expect("removed");
    std::os::unix::fs::symlink("/nonexistent", folder.path().join("feeds/one.txt")).expect("linked");
    replace(folder.path(), "two.txt", "four.invalid\nfive.invalid\n");
    let refused = sensor.ask("reload");
    let words = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(refused.status.code() == Some(1) && words.contains("cannot read feed"), "{words}");
    assert_eq!(entries(&sensor), [4, 2], "the other one is taken");
    fs::remove_file(folder.path().join("feeds/one.txt")).expect("removed");
    replace(folder.path(), "one.txt", "one.invalid\ntwo.invalid\nsix.invalid\nseven.invalid\n");
    assert!(sensor.ask("reload").status.success());
    assert_eq!(entries(&sensor), [4, 2]);
    sensor.stop();
}

#[test]
fn readers_of_an_output_that_a_reload_brings_see_what_they_may_and_no_more() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let folder = folder();
    for name in ["run", "log"] {
        chown(folder.path().join(name), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    let at = |name: &str| folder.path().join(name);
    replace(folder.path(), "one.txt", "one.invalid\n");
    let indicator = r#"{"type": "domain-name", "name": "evil.example", "marking": {"tlp": "AMBER"}}"#;
    replace(folder.path(), "amber.jsonl", &format!("{{\"threat\": {{\"indicator\": {indicator}}}}}\n"));
    let clearance = "[sensor]\nfloor = \"TLP:CLEAR\"\n[sink.all]\ntlp = \"AMBER\"\n[sink.low]\ntlp = \"CLEAR\"\n";
    fs::write(at("clearance.toml"), clearance).expect("written");
    fs::write(at("key"), "0123456789abcdef0123456789abcdef").expect("written");
    let path = config(folder.path());
    reconfigure(folder.path(), |text| {
        let clearance = format!("watch = false\nclearance = \"{}\"", at("clearance.toml").display());
        text.replace("watch = false", &clearance).replace("name = \"file\"", "name = \"file\"\nclearance = \"all\"")
    });
    let sensor = Sensor::start(folder.path(), &["--config", path.to_str().expect("path")]);
    let low = format!("[[sinks]]\nname = \"low\"\nfile = {{ path = \"{}\" }}\n", at("log/low").display());
    reconfigure(folder.path(), |text| text + &low);
    // Customer records without references are none, and the readers of the log may see as little.
    let (is_all, words) = sensor.reload();
    assert!(!is_all && words.contains("outputs stay as they were") && words.contains("key_file"), "{words}");
    assert!(!at("log/low").exists() || lines(&at("log/low")) == 0);
    fs::write(at("clearance.toml"), format!("{clearance}[sink.low.record]\nkey_file = \"key\"\n")).expect("written");
    let (is_all, words) = sensor.reload();
    assert!(is_all && words.contains("outputs: new low"), "{words}");
    let mut sender = Sender::new("tx0");
    net::frames("pcaps/http-host.pcap").iter().for_each(|frame| sender.send(frame));
    sensor.wait_for("the name is found", || lines(&at("log/alerts.jsonl")) > 0);
    let records = || -> Vec<Value> {
        let all = documents(&fs::read_to_string(at("log/low")).unwrap_or_default());
        all.into_iter().filter(|record| text_at(record, "event.kind") == "alert").collect()
    };
    sensor.wait_for("the customer is told", || !records().is_empty());
    assert!(!fs::read_to_string(at("log/low")).expect("records").contains("evil"), "{:?}", records());
    sensor.stop();
}

/// Linux counts what is sent to a virtual interface while it is down as dropped by it, as long as the sender has not noticed: that is a
/// loss on that interface, and no other.
#[test]
fn a_loss_is_said_of_the_interface_that_lost_and_by_which_figure() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    net.pair("rx1", "tx1");
    let folder = folder();
    for name in ["run", "log"] {
        chown(folder.path().join(name), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    let path = config(folder.path());
    reconfigure(folder.path(), |text| text.replace("[\"rx0\"]", "[\"rx1\", \"rx0\"]"));
    let sensor = Sensor::start(folder.path(), &["--config", path.to_str().expect("path")]);
    let is_over = AtomicBool::new(false);
    let dropped = || -> u64 {
        let text = fs::read_to_string("/sys/class/net/rx0/statistics/rx_dropped").expect("statistics");
        text.trim().parse().expect("a number")
    };
    let frame = net::frames("pcaps/http-host.pcap").swap_remove(0);
    let mut sender = Sender::new("tx0");
    thread::scope(|scope| {
        // Without a link nothing can be sent.
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                drop(sender.try_send(&frame))
            }
        });
        for _ in 0..60 {
            net.ip("link set rx0 down");
            thread::sleep(Duration::from_millis(100));
            net.ip("link set rx0 up");
            thread::sleep(Duration::from_millis(200));
            if dropped() > 0 {
                break;
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    if dropped() == 0 {
        eprintln!("SKIPPED: this system counts no frame while an interface is switched off");
        return sensor.stop();
    }
    let began = || {
        let text = fs::read_to_string(folder.path().join("log/alerts.jsonl")).unwrap_or_default();
        let said = documents(&text[..text.rfind('\n').map_or(0, |end| end + 1)]);
        said.into_iter().find(|said| text_at(said, "event.action") == "visibility-gap-began")
    };
    sensor.wait_for("the loss is said", || began().is_some());
    let began = began().expect("said");
    assert_eq!(text_at(&began, "observer.ingress.interface.name"), "rx0", "{began}");
    assert_eq!(text_at(&began, "event.reason"), "interface_dropped", "{began}");
    assert!(text_at(&began, "message").contains("dropped by the interface"), "{began}");
    sensor.stop();
}

#[test]
fn by_arguments_alone_what_they_do_not_need_is_given_up() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let folder = folder();
    let text = |name: &str| folder.path().join(name).to_str().expect("path").to_owned();
    let (feeds, alerts, socket) = (text("feeds"), text("log/alerts.jsonl"), text("run/s"));
    let arguments = ["-i", "rx0", "--threads", "1", "--feed", &feeds, "--alerts", &alerts, "--socket", &socket];
    let works = |sensor: &Sensor| {
        let before = sensor.found().len();
        let mut sender = Sender::new("tx0");
        net::frames("pcaps/http-host.pcap").iter().for_each(|frame| sender.send(frame));
        sensor.wait_for("the name is found", || sensor.found().len() > before);
        assert!(sensor.ask("reload").status.success(), "{}", sensor.said());
    };

    let sensor = Sensor::start(folder.path(), &arguments);
    let report = sensor.report();
    assert!(report.capabilities.are_gone() && is_confined(&report), "{report:?}\n{}", sensor.said());
    works(&sensor);
    sensor.stop();

    // What belongs to another user takes one capability, and it is said why.
    chown(folder.path().join("log"), Some(NOBODY), Some(NOBODY)).expect("chown");
    let sensor = Sensor::start(folder.path(), &arguments);
    let report = sensor.report();
    assert_eq!((report.capabilities.effective, report.capabilities.permitted), (FILE_ACCESS, FILE_ACCESS));
    assert!(is_confined(&report) && sensor.said().contains("CAP_DAC_OVERRIDE is kept"), "{}", sensor.said());
    works(&sensor);
    sensor.stop();

    let sensor = Sensor::start(folder.path(), &[&arguments[..], &["--keep-privileges"]].concat());
    assert!(!sensor.report().no_new_privs && sensor.report().seccomp == SeccompMode::Off);
    sensor.stop();
}
