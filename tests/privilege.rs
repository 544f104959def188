//! What the process has given up: a child gives it up and tries what must fail and what must work. What needs root or a kernel with
//! Landlock is skipped without it, and said.
//!
//! Without the usual harness, which runs every test in a thread of its own: privileges are given up before there is a second one.
#![cfg(target_os = "linux")]
// Its parent, and whoever runs the tests, reads what it prints.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Pid, Uid, User};
use picket::alert::Audience;
use picket::capture::Files;
use picket::indicator::IndicatorSet;
use picket::matcher::MatchSet;
use picket::privilege::{
    Landlock, Options, PrivilegeError, Refusal, Report, SeccompMode, Who, confine, make_directories,
};
use picket::{pipeline, sink};

/// Tells a child where its folder is.
const FOLDER: &str = "PICKET_TEST_CONFINED";

/// `SIGSYS`.
const KILLED_BY_FILTER: i32 = 31;

/// Who a child becomes if it is root.
const NOBODY: &str = "nobody";

type Child = fn(&Path);

/// The tests, by name.
const TESTS: &[(&str, fn())] = &[
    ("what_is_not_needed_fails_and_what_is_works", what_is_not_needed_fails_and_what_is_works),
    ("the_sensor_makes_no_call_that_kills_it", the_sensor_makes_no_call_that_kills_it),
    (
        "a_call_that_is_not_on_the_list_ends_the_process_if_it_is_to",
        a_call_that_is_not_on_the_list_ends_the_process_if_it_is_to,
    ),
    ("threads_that_run_already_are_an_error", threads_that_run_already_are_an_error),
    ("an_unknown_user_is_an_error_in_words", an_unknown_user_is_an_error_in_words),
    ("another_process_is_read_from_outside", another_process_is_read_from_outside),
];

/// What runs in a process of its own, by name.
const CHILDREN: &[(&str, Child)] = &[
    ("confined_child", confined_child),
    ("replaying_child", replaying_child),
    ("killed_child", killed_child),
    ("unknown_user_child", unknown_user_child),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let Some(folder) = std::env::var_os(FOLDER) {
        let (_, child) = CHILDREN.iter().find(|(name, _)| words.iter().any(|word| word == name)).expect("a child");
        child(Path::new(&folder));
        return ExitCode::SUCCESS;
    }
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in TESTS.iter().filter(|(name, _)| is_wanted(name)) {
        let is_ok = thread::spawn(*test).join().is_ok();
        println!("test {name} ... {}", if is_ok { "ok" } else { "FAILED" });
        if is_ok { passed += 1 } else { failed += 1 }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a child of this file in a process of its own, in a folder with `feeds`, `alerts`, `outside`.
fn child(test: &str) -> (Output, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    open(folder.path(), 0o755);
    for name in ["feeds", "alerts", "outside"] {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("made");
        // For everyone, so that only Landlock keeps what is outside.
        open(&path, 0o777);
        fs::write(path.join("there.txt"), "192.0.2.1\n").expect("written");
        open(&path.join("there.txt"), 0o666);
    }
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.arg(test).env(FOLDER, folder.path());
    (command.output().expect("runs"), folder)
}

/// The same, and what it said: `name: result` lines.
fn results(test: &str) -> BTreeMap<String, String> {
    let (output, _folder) = child(test);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line = |line: &str| line.strip_prefix("> ")?.split_once(": ").map(|(a, b)| (a.to_owned(), b.to_owned()));
    said.lines().filter_map(line).collect()
}

fn say(name: &str, result: impl ToString) {
    println!("> {name}: {}", result.to_string());
}

fn try_it<T>(name: &str, result: io::Result<T>) {
    let said = match result {
        Ok(_) => "works".to_owned(),
        Err(error) => error.raw_os_error().map_or(error.to_string(), |code| Errno::from_raw(code).to_string()),
    };
    say(name, said.split(':').next().unwrap_or_default());
}

fn options(folder: &Path, refusal: Refusal) -> Options {
    Options {
        user: Uid::effective().is_root().then(|| NOBODY.to_owned()),
        refusal,
        reads: vec![folder.join("feeds/there.txt")],
        writes: vec![folder.join("alerts")],
        connects: Some(Vec::new()),
        ..Options::default()
    }
}

fn what_is_not_needed_fails_and_what_is_works() {
    let said = results("confined_child");
    let landlock = said["landlock"].as_str();
    let outside = if landlock == "Enforced" || landlock == "Partly" { "EACCES" } else { "works" };
    if outside == "works" {
        eprintln!("SKIPPED: this kernel has no Landlock ({landlock}), so files are not kept out of reach");
    }
    for name in ["read outside", "write outside", "list root", "write a feed", "make a feed"] {
        assert_eq!(said[name], outside, "{name}: {said:?}");
    }
    for name in ["raw socket", "packet socket", "ptrace", "exec", "become root", "start a program"] {
        assert_eq!(said[name], "EPERM", "{name}: {said:?}");
    }
    for name in [
        "read a feed",
        "write where it was made for it",
        "read a replaced feed",
        "append alerts",
        "rotate alerts",
        "remove alerts",
        "make a directory",
        "udp",
        "unix socket",
        "thread",
        "watch files",
        "step back",
        "limits",
    ] {
        assert_eq!(said[name], "works", "{name}: {said:?}");
    }
    assert_eq!(said["shortfalls"].replace("this kernel knows only a part of Landlock", ""), "");
    assert_eq!(said["threads with capabilities"], "0");
    match Uid::effective().is_root() {
        true => assert_eq!(said["uid"], User::from_name(NOBODY).expect("read").expect("is there").uid.to_string()),
        false => eprintln!("SKIPPED: not root, so no other user is become"),
    }
}

/// Run by the test above, in a process of its own.
fn confined_child(folder: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let mut options = options(folder, Refusal::Fail);
    options.writes.push(folder.join("made/deep"));
    make_directories(&options).expect("are made");
    let report = confine(&options).expect("is confined");
    say("landlock", format!("{:?}", report.landlock.expect("known")));
    say("shortfalls", report.shortfalls(Refusal::Fail).join("; "));
    say("uid", report.uid);
    assert_eq!(report.seccomp, SeccompMode::Filter);
    assert!(report.capabilities.are_gone() && report.no_new_privs && report.is_dumpable == Some(false));

    try_it("read outside", fs::read(folder.join("outside/there.txt")));
    try_it("write outside", fs::write(folder.join("outside/new.txt"), "x"));
    try_it("list root", fs::read_dir("/"));
    try_it("write a feed", fs::OpenOptions::new().append(true).open(folder.join("feeds/there.txt")));
    try_it("make a feed", fs::write(folder.join("feeds/new.txt"), "x"));
    let raw = |family, sort| socket(family, sort, SockFlag::empty(), None).map_err(io::Error::from);
    try_it("raw socket", raw(AddressFamily::Inet, SockType::Raw));
    try_it("packet socket", raw(AddressFamily::Packet, SockType::Raw));
    try_it("ptrace", nix::sys::ptrace::attach(Pid::parent()).map_err(io::Error::from));
    try_it("exec", Err::<(), _>(Command::new("/bin/true").exec()));
    try_it("start a program", Command::new("/bin/true").status());
    try_it("become root", nix::unistd::setuid(Uid::from_raw(0)).map_err(io::Error::from));

    try_it("read a feed", fs::read(folder.join("feeds/there.txt")));
    try_it("write where it was made for it", fs::write(folder.join("made/deep/new.txt"), "x"));
    works(folder);
    let to_self = TcpStream::connect(listener.local_addr().expect("listens"));
    if report.landlock == Some(Landlock::Enforced) {
        assert_eq!(to_self.expect_err("no port may be connected to").raw_os_error(), Some(libc::EACCES));
        assert!(TcpListener::bind("127.0.0.1:0").is_err(), "no port may be listened on");
    }
}

/// What the sensor does all the time.
fn works(folder: &Path) {
    let alerts = folder.join("alerts");
    let append = |name: &str| fs::OpenOptions::new().append(true).create(true).open(alerts.join(name));
    try_it(
        "append alerts",
        append("a.jsonl").and_then(|mut file| file.write_all(b"{}\n").and_then(|()| file.sync_data())),
    );
    try_it(
        "rotate alerts",
        fs::rename(alerts.join("a.jsonl"), alerts.join("a.1.jsonl")).and_then(|()| append("a.jsonl")),
    );
    try_it("remove alerts", fs::remove_file(alerts.join("a.1.jsonl")));
    try_it("make a directory", fs::create_dir(alerts.join("spool")));
    let udp = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", socket.local_addr()?));
    try_it("udp", udp);
    let unix = UnixDatagram::bind(alerts.join("socket"));
    try_it("unix socket", unix.and_then(|_| UnixDatagram::unbound()?.send_to(b"x", alerts.join("socket")).or(Ok(0))));
    let thread = thread::Builder::new().name("worker".to_owned()).spawn(|| {
        let report = Report::of(Who::Myself).expect("reads");
        (report.threads, report.threads_with_capabilities)
    });
    let (threads, with_capabilities) = thread.expect("starts").join().expect("ends");
    try_it("thread", if threads == 2 { Ok(()) } else { Err(io::Error::other("threads")) });
    say("threads with capabilities", with_capabilities);
    // Names of this machine, as outputs look theirs up.
    let _ = "localhost:80".to_socket_addrs().map(Iterator::count);
    try_it("watch files", rustix_inotify(&alerts));
    try_it("step back", rustix::process::setpriority_process(None, 10).map_err(io::Error::from));
    try_it(
        "limits",
        fs::read("/proc/self/limits").map(|_| rustix::process::getrlimit(rustix::process::Resource::Nofile)),
    );
    // The parent replaces nothing: the child's own directory of alerts stands for that of feeds, which is opened by directory too.
    fs::write(alerts.join("next"), "x").expect("written");
    try_it(
        "read a replaced feed",
        fs::rename(alerts.join("next"), alerts.join("there.txt")).and_then(|()| fs::read(alerts.join("there.txt"))),
    );
}

fn rustix_inotify(path: &Path) -> io::Result<()> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let inotify = init(CreateFlags::CLOEXEC)?;
    add_watch(&inotify, path, WatchFlags::MOVED_TO)?;
    Ok(())
}

fn the_sensor_makes_no_call_that_kills_it() {
    let said = results("replaying_child");
    assert!(said["alerts"].parse::<u64>().expect("a count") > 100, "{said:?}");
    assert_eq!(said["thread"], "works");
}

/// Run by the test above: everything that a run does, where a call that is not on the list ends the process.
fn replaying_child(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut options = options(folder, Refusal::Kill);
    // A checkout may lie where nobody else may look.
    options.user = None;
    options.connects = None;
    options.reads = vec![root.join("fixtures"), root.join("feeds")];
    confine(&options).expect("is confined");
    works(folder);
    let mut set = IndicatorSet::default();
    picket::feed::load(&[root.join("fixtures/feed.jsonl")], &picket::feed::Options::default(), &mut set)
        .expect("loads");
    let set = Arc::new(MatchSet::compile(set, IndicatorSet::default()));
    let run = pipeline::Options { threads: 3, ..pipeline::Options::default() };
    let files = Files::open(&[root.join("fixtures/pcaps")]).expect("opens");
    let replay = pipeline::replay(files, set, &run);
    let file = fs::File::create(folder.join("alerts/out.jsonl")).expect("made");
    let mut out = sink::Sink::new(&sink::ecs::FORMAT, Box::new(file));
    let (mut audience, mut count) = (Audience::unrestricted(), 0);
    for alert in &replay.alerts {
        out.write(&audience.view(&alert)).expect("written");
        count += 1;
    }
    out.finish().expect("written");
    replay.finish();
    say("alerts", count);
    panics_are_said();
}

/// A panic is caught, and the thread's end is ordinary.
fn panics_are_said() {
    assert!(thread::spawn(|| panic!("a defect")).join().is_err());
}

fn a_call_that_is_not_on_the_list_ends_the_process_if_it_is_to() {
    let (output, _folder) = child("killed_child");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("> before: here") && !said.contains("> after"), "{said}");
    assert_eq!(output.status.signal(), Some(KILLED_BY_FILTER), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Run by the test above.
fn killed_child(folder: &Path) {
    confine(&options(folder, Refusal::Kill)).expect("is confined");
    say("before", "here");
    io::stdout().flush().expect("written");
    let _ = Command::new("/bin/true").exec();
    say("after", "still here");
}

fn threads_that_run_already_are_an_error() {
    let error = confine(&Options::default()).expect_err("this test has threads");
    assert!(matches!(error, PrivilegeError::Threads(count) if count > 1), "{error}");
}

fn an_unknown_user_is_an_error_in_words() {
    let said = results("unknown_user_child");
    assert!(said["error"].starts_with("there is no user `no-such-user` on this machine"), "{said:?}");
}

/// Run by the test above.
fn unknown_user_child(folder: &Path) {
    let user = Some("no-such-user".to_owned());
    let error = confine(&Options { user, ..options(folder, Refusal::Fail) }).expect_err("is refused");
    say("error", error);
}

fn another_process_is_read_from_outside() {
    let mut child = Command::new("sleep").arg("60").spawn().expect("starts");
    let report = Report::of(Who::Process(child.id())).expect("reads");
    child.kill().expect("ended");
    child.wait().expect("ends");
    assert_eq!((report.threads, report.landlock, report.is_dumpable), (1, None, None));
    let mut own = String::new();
    fs::File::open("/proc/self/status").and_then(|mut file| file.read_to_string(&mut own)).expect("reads");
    assert!(own.contains(&format!("Uid:\t{}", report.uid)), "{own}");
}
