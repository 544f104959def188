//! `picket status`, `reload`, `stop` against a control socket served by the library: what is said, to whom, and with which exit code.

#![cfg(unix)]

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use picket::console::control::{ControlListener, ControlServer};
use picket::console::{Indicators, Interface, Sensor, Snapshot, Worker};

#[derive(Default)]
struct Fake {
    is_stopped: AtomicBool,
    refuses: bool,
    is_down: bool,
}

impl Sensor for Fake {
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            workers: vec![Worker { is_running: !self.is_down, ..Worker::default() }],
            interfaces: vec![Interface { name: "eth1".into(), is_up: true, went_down: 0 }],
            indicators: Indicators { total: 7, ..Indicators::default() },
            ..Snapshot::default()
        };
        snapshot.traffic.packets = 1234;
        snapshot
    }

    fn reload(&self) -> Result<String, String> {
        if self.refuses { Err("feed 2 shrank by 90 %".to_owned()) } else { Ok("3 feeds".to_owned()) }
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }
}

fn serve(folder: &Path, sensor: Fake) -> (Arc<Fake>, ControlServer) {
    let sensor = Arc::new(sensor);
    let listener = ControlListener::open(&folder.join("s")).expect("made");
    (Arc::clone(&sensor), listener.serve(sensor).expect("serves"))
}

fn picket(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picket"));
    command.args(args).arg("--socket").arg(folder.join("s")).output().expect("runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_pipe_gets_json_that_says_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_sensor, _server) = serve(folder.path(), Fake::default());
    let output = picket(folder.path(), &["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(status["traffic"]["packets"], 1234);
    assert_eq!(status["problems"], serde_json::json!([]));
}

#[test]
fn a_sensor_that_sees_nothing_fails_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_sensor, _server) = serve(folder.path(), Fake { is_down: true, ..Fake::default() });
    let output = picket(folder.path(), &["status", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no-worker"));
}

#[test]
fn reload_says_what_became_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_sensor, server) = serve(folder.path(), Fake::default());
    let output = picket(folder.path(), &["reload"]);
    assert_eq!((output.status.code(), said(&output).trim()), (Some(0), r#"{"done":"3 feeds"}"#));
    drop(server);
    let (_sensor, _server) = serve(folder.path(), Fake { refuses: true, ..Fake::default() });
    let output = picket(folder.path(), &["reload"]);
    assert_eq!((output.status.code(), said(&output).trim()), (Some(1), r#"{"refused":"feed 2 shrank by 90 %"}"#));
}

#[test]
fn the_configuration_says_where_the_socket_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_sensor, _server) = serve(folder.path(), Fake::default());
    let file = folder.path().join("picket.toml");
    let text = format!(
        "[capture]\ninterfaces = [\"eth1\"]\n[feeds]\npaths = [\"feeds\"]\n[control]\nsocket = {:?}\n\
         [[sinks]]\nname = \"out\"\nstdout = {{}}\n",
        folder.path().join("s")
    );
    std::fs::write(&file, text).expect("written");
    let output =
        Command::new(env!("CARGO_BIN_EXE_picket")).arg("status").arg("--config").arg(&file).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn stop_waits_for_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (sensor, server) = serve(folder.path(), Fake::default());
    let output = picket(folder.path(), &["stop", "--wait", "1"]);
    assert_eq!(output.status.code(), Some(1), "it never ended: {}", said(&output));
    assert!(sensor.is_stopped.load(Ordering::Relaxed) && said(&output).contains("still runs after 1 s"));
    let ends = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        drop(server);
    });
    assert_eq!(picket(folder.path(), &["stop", "--wait", "20"]).status.code(), Some(0));
    ends.join().expect("ended");
}

#[test]
fn what_to_do_without_an_answer_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    for action in ["status", "reload", "stop"] {
        let output = picket(folder.path(), &[action]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said(&output).contains("no sensor runs") && said(&output).contains("systemctl start picket"),
            "{}",
            said(&output)
        );
    }
    assert_eq!(picket(folder.path(), &["status", "--sockets"]).status.code(), Some(2));
}

#[test]
fn others_are_kept_out_by_the_mode_and_refused_by_their_id() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().expect("a folder");
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
    };
    open(folder.path(), 0o755);
    // The build's own folder may be closed to others.
    let program = folder.path().join("picket");
    std::fs::copy(env!("CARGO_BIN_EXE_picket"), &program).expect("copied");
    open(&program, 0o755);
    let (sensor, _server) = serve(folder.path(), Fake::default());
    let as_nobody = |action: &str| {
        let mut command = Command::new(&program);
        command.arg(action).arg("--socket").arg(folder.path().join("s")).uid(NOBODY).gid(NOBODY);
        command.current_dir("/").output().expect("runs")
    };
    let output = as_nobody("stop");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("may not open the control socket"), "{}", said(&output));
    // Should somebody have widened the mode.
    open(&folder.path().join("s"), 0o666);
    let output = as_nobody("stop");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("only root and the sensor's own user"), "{}", said(&output));
    assert!(!sensor.is_stopped.load(Ordering::Relaxed));
}
