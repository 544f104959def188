//! `picket doctor` on interfaces that are there: the loopback, and as root a pair of its own in namespaces of its own.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn picket() -> Command {
    Command::new(env!("CARGO_BIN_EXE_picket"))
}

fn report(output: &Output) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    report["findings"].as_array().expect("findings").clone()
}

fn of<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    findings
        .iter()
        .find(|finding| finding["check"] == check)
        .unwrap_or_else(|| panic!("{check} is not in {findings:#?}"))
}

fn is_root() -> bool {
    let is = rustix::process::geteuid().is_root();
    if !is {
        eprintln!("skipped: only root may capture and make interfaces");
    }
    is
}

#[test]
fn the_loopback_is_there_and_feeds_are_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let feed = folder.path().join("list.txt");
    std::fs::write(&feed, "evil.example\n").expect("written");
    let output =
        picket().args(["doctor", "-i", "lo", "--seconds", "1", "--json", "--feed"]).arg(&feed).output().expect("runs");
    let findings = report(&output);
    assert_eq!(of(&findings, "interface")["level"], "ok");
    assert_eq!(of(&findings, "link-type")["what"], "loopback");
    assert_eq!(of(&findings, "feeds")["what"], "1 indicators");
    for check in ["permission", "offloading", "memory", "kernel", "landlock", "seccomp", "clock", "capture"] {
        assert!(of(&findings, check)["level"].is_string());
    }
    if is_root() {
        assert_eq!(of(&findings, "permission")["level"], "ok");
        assert_eq!(of(&findings, "capture")["level"], "ok");
    }
}

#[test]
fn an_interface_that_is_not_there_and_a_broken_feed_fail() {
    let output =
        picket().args(["doctor", "-i", "none0", "--seconds", "1", "--feed", "/there/is/none"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let findings = report(&output);
    assert_eq!(of(&findings, "interface")["level"], "fail");
    assert_eq!(of(&findings, "feeds")["level"], "fail");
    for finding in findings.iter().filter(|finding| finding["level"] != "ok") {
        let is_said = |key: &str| finding[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_said("what") && is_said("why") && is_said("advice"), "{finding}");
    }
}

#[test]
fn without_an_interface_it_says_how_to_name_one() {
    let output = picket().arg("doctor").output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("-i"));
    assert_eq!(picket().args(["doctor", "--seconds", "0"]).output().expect("runs").status.code(), Some(2));
}

#[test]
fn without_the_right_to_capture_it_says_what_is_missing() {
    use std::os::unix::process::CommandExt;
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let open =
        |path: &Path| std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    open(folder.path());
    // The build's own folder may be closed to others.
    let program = folder.path().join("picket");
    std::fs::copy(env!("CARGO_BIN_EXE_picket"), &program).expect("copied");
    open(&program);
    let output = Command::new(program)
        .args(["doctor", "-i", "lo", "--seconds", "1"])
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let findings = report(&output);
    let permission = of(&findings, "permission");
    assert_eq!(permission["level"], "fail");
    assert!(permission["what"].as_str().is_some_and(|what| what.contains("CAP_NET_RAW")), "{permission}");
    assert!(permission["advice"].as_str().is_some_and(|advice| advice.contains("setcap")));
    assert_eq!(of(&findings, "capture")["level"], "fail");
}

/// Two namespaces and a pair of interfaces between them, removed when dropped.
struct Pair {
    here: String,
    there: String,
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in [&self.here, &self.there] {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

impl Pair {
    /// `None` if this machine does not let it.
    fn new() -> Option<Self> {
        let number = std::process::id();
        let pair = Self { here: format!("pkdr{number}a"), there: format!("pkdr{number}b") };
        let (here, there) = (pair.here.as_str(), pair.there.as_str());
        let steps: [&[&str]; 8] = [
            &["netns", "add", here],
            &["netns", "add", there],
            &["-n", here, "link", "add", "mirror0", "type", "veth", "peer", "name", "peer0", "netns", there],
            &["-n", here, "addr", "add", "192.0.2.1/24", "dev", "mirror0"],
            &["-n", there, "addr", "add", "192.0.2.2/24", "dev", "peer0"],
            &["-n", here, "link", "set", "mirror0", "up"],
            &["-n", there, "link", "set", "peer0", "up"],
            &["-n", there, "link", "set", "lo", "up"],
        ];
        let made = steps
            .iter()
            .all(|step| Command::new("ip").args(*step).output().is_ok_and(|output| output.status.success()));
        if !made {
            eprintln!("skipped: network namespaces cannot be made here");
        }
        made.then_some(pair)
    }

    fn here(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.here, program]);
        command
    }
}

#[test]
fn both_directions_are_heard_on_a_pair_and_a_link_that_is_down_fails() {
    if !is_root() {
        return;
    }
    let Some(pair) = Pair::new() else { return };
    let doctor = |seconds: &str| {
        let mut command = pair.here(env!("CARGO_BIN_EXE_picket"));
        command.args(["doctor", "-i", "mirror0", "--json", "--seconds", seconds]);
        command
    };
    let script = "import socket, threading, sys, time\n\
                  s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('192.0.2.2', 4321)); s.listen(50)\n\
                  while True:\n    c, _ = s.accept(); c.recv(9); c.sendall(b'y' * 9); c.close()\n";
    let client = "import socket, time\n\
                  end = time.time() + 4\n\
                  while time.time() < end:\n    s = socket.create_connection(('192.0.2.2', 4321), 2); s.sendall(b'x' * 9); s.recv(9); s.close(); time.sleep(0.05)\n";
    let mut server = Command::new("ip");
    let Ok(mut server) = server.args(["netns", "exec", &pair.there, "python3", "-c", script]).spawn() else { return };
    std::thread::sleep(std::time::Duration::from_millis(700));
    let mut talker = pair.here("python3").args(["-c", client]).spawn().expect("runs");
    let output = doctor("3").output().expect("runs");
    let _ = talker.wait();
    let _ = server.kill();
    let _ = server.wait();
    let findings = report(&output);
    let directions = of(&findings, "directions");
    assert_eq!(directions["level"], "ok", "{directions}");
    assert_eq!(of(&findings, "interface")["level"], "ok");
    assert_eq!(of(&findings, "nic-drops")["level"], "ok");
    // All of it is to or from this machine.
    assert_eq!(of(&findings, "traffic")["level"], "warn", "{}", of(&findings, "traffic"));

    let down = Command::new("ip").args(["-n", &pair.there, "link", "set", "peer0", "down"]).output().expect("runs");
    assert!(down.status.success());
    let output = doctor("1").output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(of(&report(&output), "interface")["level"], "fail");
}
