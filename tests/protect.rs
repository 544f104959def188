//! What the process lets out when it dies: no core dump, and of a panic the place alone.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{FEED, picket};

const SECRET: &str = "secret-value.example";

/// Set for the child that panics.
const CHILD: &str = "PICKET_TEST_PANICS";

#[test]
fn a_crash_leaves_no_core_dump() {
    let folder = tempfile::tempdir().expect("folder");
    let mut command = picket();
    command.current_dir(folder.path()).args(["replay", "-q", "--feed"]).arg(common::file(FEED)).arg("-");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    // It has begun to read when it has taken the feed in and asks for the capture: a header is accepted.
    let mut stdin = child.stdin.take().expect("piped");
    let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    stdin.write_all(&header).expect("written");
    let start = Instant::now();
    let limit = loop {
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("limits");
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit").to_owned();
        let words: Vec<&str> = line["Max core file size".len()..].split_whitespace().collect();
        if words[..2] == ["0", "0"] || start.elapsed() > Duration::from_secs(60) {
            break line;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(limit["Max core file size".len()..].split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
    let pid = rustix::process::Pid::from_child(&child);
    // Not SIGSEGV: the standard library handles it, for overflown stacks, and one that was only sent is gone then. Nor SIGQUIT: a
    // shell has what it starts in the background ignore it.
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).expect("signalled");
    let status = child.wait().expect("ends");
    drop(stdin);
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0, "nothing is written where it ran");
}

#[test]
fn a_panic_says_where_and_not_what() {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["--exact", "panics_in_a_child", "--ignored", "--nocapture"])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "full");
    let output = command.output().expect("runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("picket: defect: panic in thread reader at tests/protect.rs:"), "{said}");
    assert!(!said.contains(SECRET) && !said.contains("example"), "{said}");
}

/// Run by the test above, in a process of its own: the hook is the whole process's.
#[test]
#[ignore = "a child's part"]
fn panics_in_a_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    picket::cli::protect::protect().expect("protected");
    assert_eq!(rustix::process::dumpable_behavior().expect("known"), rustix::process::DumpableBehavior::NotDumpable);
    let reader =
        thread::Builder::new().name("reader".to_owned()).spawn(|| panic!("cannot read {SECRET}")).expect("starts");
    assert!(reader.join().is_err());
}
