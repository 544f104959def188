//! `picket watch` on an interface of its own: what it answers over HTTP and its control socket, and that it ends when asked to.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A namespace with its loopback up, removed when dropped; and the sensor in it.
struct Scene {
    name: String,
    folder: tempfile::TempDir,
    sensor: Option<Child>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(sensor) = &mut self.sensor {
            let _ = sensor.kill();
            let _ = sensor.wait();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

impl Scene {
    /// `None` if this machine does not let it.
    fn new() -> Option<Self> {
        let name = format!("pkcn{}", std::process::id());
        let ran = |args: &[&str]| Command::new("ip").args(args).output().is_ok_and(|output| output.status.success());
        let is_made = rustix::process::geteuid().is_root() && ran(&["netns", "add", &name]);
        if !is_made {
            eprintln!("skipped: network namespaces cannot be made here");
            return None;
        }
        let scene = Self { name, folder: tempfile::tempdir().expect("a folder"), sensor: None };
        assert!(ran(&["-n", &scene.name, "link", "set", "lo", "up"]));
        Some(scene)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    fn picket(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_picket"));
        command.args(args).args(["--socket", &self.path("s")]).output().expect("runs")
    }

    fn status(&self) -> Option<Value> {
        let output = self.picket(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    fn start(&mut self) {
        std::fs::write(self.path("list.txt"), "evil.example\n198.51.100.7\n").expect("written");
        let mut command = self.inside(env!("CARGO_BIN_EXE_picket"));
        command.args(["watch", "-i", "lo", "--threads", "1", "--quiet", "--metrics", "127.0.0.1:9477"]);
        command.args([
            "--feed",
            &self.path("list.txt"),
            "--alerts",
            &self.path("alerts.jsonl"),
            "--socket",
            &self.path("s"),
        ]);
        self.sensor = Some(command.stderr(Stdio::inherit()).spawn().expect("runs"));
        wait_for("the sensor's socket", || self.status().map(drop));
    }

    /// What a program in the namespace reads from the sensor's address.
    fn get(&self, path: &str) -> String {
        let script = "import sys, urllib.request, urllib.error\n\
                      try:\n    print(urllib.request.urlopen('http://127.0.0.1:9477' + sys.argv[1], timeout=10).read().decode())\n\
                      except urllib.error.HTTPError as e:\n    print(e.code, e.read().decode())\n";
        let output = self.inside("python3").args(["-c", script, path]).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn wait_for<T>(what: &str, mut try_it: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = try_it() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_live_run_is_asked_reloaded_and_stopped() {
    let Some(mut scene) = Scene::new() else { return };
    scene.start();
    let health = scene.get("/healthz");
    assert!(health.contains(r#""status":"ok""#), "{health}");
    // Asking makes traffic on the loopback, which the sensor sees.
    let packets = wait_for("packets", || scene.status()?["traffic"]["packets"].as_u64().filter(|&packets| packets > 5));
    let metrics = scene.get("/metrics");
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
    };
    assert!(value("picket_packets_total") >= packets as f64);
    assert_eq!(value("picket_indicators"), 2.0);
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_cpu_seconds_total") > 0.0);
    assert!(
        metrics.contains(r#"picket_interface_up{interface="lo"} 1"#)
            && metrics.contains(r#"picket_feed_stale{feed="1"} 0"#)
    );
    assert!(!metrics.contains("evil.example") && !metrics.contains("list.txt"));
    says_nothing_of_indicators(&scene);

    let mut feed = std::fs::OpenOptions::new().append(true).open(scene.path("list.txt")).expect("opens");
    feed.write_all(b"worse.example\n").expect("written");
    let output = scene.picket(&["reload"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("3 indicators"), "{said}");
    let status = scene.status().expect("a status");
    assert_eq!(status["indicators"]["total"], 3);
    assert!(status["reload"]["accepted"].as_u64().is_some_and(|count| count >= 1));

    assert!(scene.picket(&["stop", "--wait", "20"]).status.success());
    let mut sensor = scene.sensor.take().expect("started");
    let code = wait_for("its end", || sensor.try_wait().ok()?);
    assert!(code.success(), "{code}");
    assert!(!Path::new(&scene.path("s")).exists());
}

fn says_nothing_of_indicators(scene: &Scene) {
    let status = scene.status().expect("a status").to_string();
    assert!(!status.contains("evil.example") && !status.contains("198.51.100.7"), "{status}");
    let mut alerts = String::new();
    let file = std::fs::File::open(scene.path("alerts.jsonl")).and_then(|mut file| file.read_to_string(&mut alerts));
    assert!(file.is_ok());
}
