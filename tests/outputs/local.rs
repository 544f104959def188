//! Outputs on this machine: sockets, and a file on a disk that is full.

use std::fs;
use std::io::Read;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;

use picket::sink::destination::Destination;
use picket::sink::destination::file::FileOptions;
use picket::sink::destination::unix::UnixOptions;
use picket::sink::{Output, OutputOptions};

use super::peers::{numbers, options, put, until};

#[test]
fn a_socket_of_this_machine_takes_lines_or_datagrams() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("socket");
    let unix = |is_datagram| {
        let socket = UnixOptions { path: path.clone(), is_datagram, ..UnixOptions::default() };
        Output::open(OutputOptions { destination: Destination::Unix(socket), ..options("unix") }).expect("opens")
    };
    let output = unix(false);
    put(&output, 0..5);
    until("nobody is there", || output.status().last_error.as_deref() == Some("not found"));
    let listener = UnixListener::bind(&path).expect("bound");
    let (mut stream, _) = listener.accept().expect("a connection");
    assert_eq!(output.stop().delivered, 5);
    drop(output);
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("lines");
    assert_eq!(numbers(&text), [0, 1, 2, 3, 4]);
    fs::remove_file(&path).expect("removed");
    let socket = UnixDatagram::bind(&path).expect("bound");
    let output = unix(true);
    put(&output, 0..3);
    for number in 0..3 {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).expect("a datagram");
        assert_eq!(numbers(std::str::from_utf8(&buffer[..length]).expect("UTF-8")), [number]);
    }
    assert_eq!(output.stop().delivered, 3);
}

/// A file system of its own, as small as that.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("folder");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_file_survives_a_full_disk() {
    let Some(small) = Small::mount(256 << 10) else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let path = small.0.path().join("alerts.jsonl");
    let file = FileOptions { path: path.clone(), ..FileOptions::default() };
    let output = Output::open(OutputOptions { destination: Destination::File(file), ..options("file") });
    let output = output.expect("opens");
    put(&output, 0..100);
    until("all arrived", || output.status().delivered == 100);
    let filler = small.0.path().join("filler");
    assert!(fs::write(&filler, vec![0; 256 << 10]).is_err(), "the disk is full");
    put(&output, 100..400);
    until("it is full", || output.status().last_error.as_deref() == Some("disk full"));
    fs::remove_file(&filler).expect("removed");
    let status = output.stop();
    assert_eq!((status.delivered, status.dropped), (400, 0), "{status:?}");
    assert_eq!(numbers(&fs::read_to_string(&path).expect("readable")), (0..400).collect::<Vec<_>>(), "no line is torn");
}
