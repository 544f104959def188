//! [`Net`]: a network of its own for a test: a namespace with pairs of interfaces, and what is sent into them.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, thread};

use nix::sched::{CloneFlags, unshare};
use pcap::{Active, Capture};
use picket::capture::{Batch, Files, Source};
use picket::packet::LinkType;

/// The calling thread's network, gone when the thread and its children end.
pub struct Net(());

impl Net {
    /// Moves the calling thread into new namespaces. None, and said so, where that cannot be.
    pub fn new() -> Option<Self> {
        let made = unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).map_err(|error| error.to_string());
        let made = made.and_then(|()| run("mount", &["--make-rprivate", "/"]));
        let made = made.and_then(|()| run("mount", &["-t", "sysfs", "sysfs", "/sys"]));
        let made = made.and_then(|()| run("ip", &["link", "show", "lo"]));
        if let Err(reason) = made {
            eprintln!("SKIPPED {}: no network namespace here: {reason}", thread::current().name().unwrap_or("test"));
            return None;
        }
        // Nothing but the test's own frames.
        for folder in ["all", "default"] {
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{folder}/disable_ipv6"), "1");
        }
        Some(Self(()))
    }

    /// Runs `ip`.
    pub fn ip(&self, arguments: &str) {
        run("ip", &arguments.split_whitespace().collect::<Vec<_>>()).expect("ip works");
    }

    /// Two interfaces joined by a cable, both up; what goes into `tx` comes out of `rx`.
    pub fn pair(&self, rx: &str, tx: &str) {
        self.ip(&format!("link add {rx} mtu 65535 type veth peer name {tx} mtu 65535"));
        self.ip(&format!("link set {rx} up"));
        self.ip(&format!("link set {tx} up"));
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{program} {}: {words}", arguments.join(" "))) }
}

/// Sends whole frames out of an interface.
pub struct Sender(Capture<Active>);

impl Sender {
    pub fn new(interface: &str) -> Self {
        Self(Capture::from_device(interface).expect("a name").open().expect("opens"))
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.try_send(frame).expect("sent");
    }

    pub fn try_send(&mut self, frame: &[u8]) -> Result<(), pcap::Error> {
        self.0.sendpacket(frame)
    }
}

/// An interface of raw IP packets, whose other end is a program.
pub struct Tunnel(Child);

impl Tunnel {
    /// None, and said so, without Python: making one takes a call that no safe crate here has.
    pub fn new(name: &str) -> Option<Self> {
        let script = "import fcntl, struct, sys\n\
            tun = open('/dev/net/tun', 'r+b', buffering=0)\n\
            fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', sys.argv[1].encode(), 0x1001))\n\
            print('ready', flush=True)\n\
            for line in sys.stdin: tun.write(bytes.fromhex(line))\n";
        let mut command = Command::new("python3");
        command.args(["-c", script, name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let ready = command.spawn().ok().and_then(|mut child| {
            let mut line = String::new();
            let read = BufReader::new(child.stdout.take()?).read_line(&mut line);
            (read.is_ok() && line == "ready\n").then_some(child)
        });
        if ready.is_none() {
            eprintln!("SKIPPED {}: no tunnel interface here", thread::current().name().unwrap_or("test"));
        }
        let tunnel = Self(ready?);
        run("ip", &["link", "set", name, "up"]).expect("ip works");
        Some(tunnel)
    }

    pub fn send(&mut self, packet: &[u8]) {
        let hex: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.0.stdin.as_mut().expect("piped"), "{hex}").expect("the other end listens");
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All Ethernet frames of the captures below `fixtures/` that an interface can send.
pub fn frames(below: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(below);
    let mut files = Files::open(&[path]).expect("the fixtures are there");
    let (mut batch, mut out) = (Batch::default(), Vec::new());
    while files.poll(&mut batch) {
        for frame in &batch.frames {
            let bytes = &batch.data[frame.offset..][..frame.captured_bytes as usize];
            if frame.link == LinkType::ETHERNET && bytes.len() >= 15 {
                out.push(bytes.to_vec());
            }
        }
    }
    assert!(!out.is_empty(), "{below} has frames");
    out
}
