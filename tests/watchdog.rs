//! What systemd is told by `picket watch`, with a socket of the test in systemd's place: ready, alive, reloading, stopping; and not alive
//! while a worker hangs. Skipped, and said so, where no namespace can be made.
#![cfg(target_os = "linux")]

mod common;
#[path = "live_capture/net.rs"]
mod net;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::picket;
use net::Net;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// What the unit would say.
const WATCHDOG: Duration = Duration::from_secs(2);

/// A sensor, and what it tells.
struct Service {
    child: Child,
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("feed.txt"), "evil.example\n").expect("written");
        let socket = UnixDatagram::bind(at("notify")).expect("bound");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
        let mut command = picket();
        command.args(["watch", "-i", "rx0", "--threads", "1", "--feed"]).arg(at("feed.txt"));
        command.arg("--alerts").arg(at("alerts.jsonl"));
        command.env("NOTIFY_SOCKET", at("notify")).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        let said = fs::File::create(at("stderr")).expect("file");
        let child = command.stdout(Stdio::null()).stderr(said).spawn().expect("starts");
        Self { child, socket, folder }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The next that it tells, if it tells anything for a moment.
    fn told(&self) -> Option<String> {
        let mut bytes = [0; 512];
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// Waits until it tells this, and gives all of the message.
    fn waits_for(&self, state: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(told) = self.told().filter(|told| told.lines().any(|line| line == state)) {
                return told;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "never {state}\n{}", self.said());
        }
    }

    /// When it says that it is alive, for so long.
    fn alive(&self, time: Duration) -> Vec<Instant> {
        let start = Instant::now();
        let mut alive = Vec::new();
        while start.elapsed() < time {
            if self.told().is_some_and(|told| told.contains("WATCHDOG=1")) {
                alive.push(Instant::now());
            }
        }
        alive
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill").success());
    }

    fn worker(&self) -> Pid {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("tasks").flatten();
        let is_worker = |task: &fs::DirEntry| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "worker-0")
        };
        let task = tasks.into_iter().find(is_worker).expect("a worker");
        Pid::from_raw(task.file_name().to_str().and_then(|name| name.parse().ok()).expect("a number"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_is_told_what_it_waits_for_and_not_that_a_hung_sensor_is_alive() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let mut service = Service::start();
    service.waits_for("READY=1");
    let alive = service.alive(WATCHDOG * 3);
    let apart: Vec<Duration> = alive.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(alive.len() >= 4 && apart.iter().all(|apart| *apart < WATCHDOG), "{apart:?}");
    assert!(alive.len() <= 8, "no oftener than it is waited for: {apart:?}");

    service.signal("HUP");
    let told = service.waits_for("RELOADING=1");
    assert!(told.contains("MONOTONIC_USEC="), "{told}");
    service.waits_for("READY=1");

    hang(&service);

    service.signal("TERM");
    let told = service.waits_for("STOPPING=1");
    assert!(told.contains("EXTEND_TIMEOUT_USEC="), "{told}");
    assert_eq!(service.child.wait().expect("waits").code(), Some(0), "{}", service.said());
}

/// Holds the worker's thread alone, as a debugger does.
fn hang(service: &Service) {
    let worker = service.worker();
    if let Err(error) = ptrace::attach(worker) {
        eprintln!("SKIPPED a worker that hangs: threads may not be held here: {error}");
        return;
    }
    waitpid(worker, Some(WaitPidFlag::__WALL)).expect("it is held");
    let start = Instant::now();
    while !service.alive(WATCHDOG * 2).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "it says that it is alive");
    }
    assert!(service.said().contains("hung workers: [0]"), "{}", service.said());
    ptrace::detach(worker, None).expect("it is let go");
    service.waits_for("WATCHDOG=1");
    thread::sleep(Duration::from_millis(300));
    assert!(service.said().contains("every worker goes on again"), "{}", service.said());
}
