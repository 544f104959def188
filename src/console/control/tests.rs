use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::console::Sensor;

#[derive(Default)]
struct Fake {
    reloads: AtomicU64,
    stops: AtomicU64,
}

impl Sensor for Fake {
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.traffic.packets = 42;
        snapshot
    }

    fn reload(&self) -> Result<String, String> {
        match self.reloads.fetch_add(1, Ordering::Relaxed) {
            0 => Ok("1 feed".to_owned()),
            _ => Err("the feed shrank".to_owned()),
        }
    }

    fn stop(&self) {
        self.stops.fetch_add(1, Ordering::Relaxed);
    }
}

struct Running {
    path: PathBuf,
    sensor: Arc<Fake>,
    _server: ControlServer,
    _folder: tempfile::TempDir,
}

fn running() -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("control.sock");
    let sensor = Arc::new(Fake::default());
    let server = ControlListener::open(&path).expect("made").serve(Arc::clone(&sensor) as _).expect("serves");
    Running { path, sensor, _server: server, _folder: folder }
}

fn say(path: &Path, line: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let _ = stream.write_all(line);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn it_is_asked_and_answers() {
    let running = running();
    let Ok(Answer::Status(status)) = ask(&running.path, Request::Status {}) else { panic!("no status") };
    assert_eq!(status.snapshot.traffic.packets, 42);
    assert_eq!(status.problems[0].code, "no-worker");
    assert!(matches!(ask(&running.path, Request::Reload {}), Ok(Answer::Done(words)) if words == "1 feed"));
    assert!(matches!(ask(&running.path, Request::Reload {}), Ok(Answer::Refused(words)) if words == "the feed shrank"));
    assert!(matches!(ask(&running.path, Request::Stop {}), Ok(Answer::Done(_))));
    assert_eq!(running.sensor.stops.load(Ordering::Relaxed), 1);
    assert_eq!(
        say(&running.path, b"{\"do\":\"stop\"}\n{\"do\":\"stop\"}\n"),
        "{\"done\":\"stopping\"}\n",
        "one request a connection"
    );
}

#[test]
fn only_the_owner_may_open_it_and_it_goes_with_the_server() {
    let running = running();
    assert_eq!(fs::symlink_metadata(&running.path).expect("there").mode() & 0o777, 0o600);
    let Running { path, _server, _folder, .. } = running;
    drop(_server);
    assert!(!path.exists());
    assert!(matches!(ask(&path, Request::Status {}), Err(AskError::NoSensor)));
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("control.sock");
    drop(UnixListener::bind(&path).expect("bound"));
    assert!(matches!(ask(&path, Request::Status {}), Err(AskError::NoSensor)), "nobody listens");
    let first = ControlListener::open(&path).expect("in place of the stale one");
    assert!(ControlListener::open(&path).err().expect("refused").to_string().contains("runs already"));
    drop(first);

    fs::write(&path, "important").expect("written");
    assert!(ControlListener::open(&path).is_err());
    assert_eq!(fs::read(&path).expect("still there"), b"important");

    let link = folder.path().join("link.sock");
    let target = folder.path().join("target.sock");
    std::os::unix::fs::symlink(&target, &link).expect("linked");
    assert!(ControlListener::open(&link).is_err(), "a link that leads nowhere is not followed");
    drop(UnixListener::bind(&target).expect("bound"));
    assert!(ControlListener::open(&link).is_err(), "nor one to a stale socket");
    assert!(target.exists() && fs::symlink_metadata(&link).is_ok());
}

#[test]
fn what_another_put_in_its_place_is_not_removed() {
    let running = running();
    fs::remove_file(&running.path).expect("removed");
    fs::write(&running.path, "another's").expect("written");
    let Running { path, _server, _folder, .. } = running;
    drop(_server);
    assert_eq!(fs::read(path).expect("still there"), b"another's");
}

#[test]
fn requests_are_bounded_in_form_length_and_time() {
    let running = running();
    for line in [&b"hello\n"[..], b"{\"do\":\"format\"}\n", b"{\"do\":\"stop\",\"now\":true}\n", b"\n"] {
        assert!(say(&running.path, line).contains("not understood"), "{line:?}");
    }
    let mut stream = UnixStream::connect(&running.path).expect("connects");
    let mut long = vec![b' '; 100_000];
    long.extend_from_slice(b"{\"do\":\"stop\"}\n");
    // It is cut off before it has sent all.
    let _ = stream.write_all(&long);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.contains("too long"), "{answer}");
    let start = Instant::now();
    assert!(say(&running.path, b"{\"do\":").contains("timed out"));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(running.sensor.stops.load(Ordering::Relaxed), 0);
}
