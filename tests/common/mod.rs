//! What the black-box tests share: the fixtures, the binary, its output. Each test file uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The feed that the fixtures are matched against; its ids are what `expect.json` names.
pub const FEED: &str = "fixtures/feed.jsonl";

/// Rules, matched against beside it where all fixtures are replayed.
pub const RULES: [&str; 2] = ["fixtures/rules.rules", "fixtures/rules.yar"];

/// Endings of captures, and of their compressed forms after them.
const CAPTURES: &[&str] = &["pcap", "pcapng"];

/// No run of these small files may take longer, in debug and on a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The crate's root; commands run there, so that paths in outputs are the same everywhere.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Captures by the name of their golden: `rotated.1.pcap` and `rotated.2.pcap` are one run, in that order.
pub fn runs() -> BTreeMap<String, Vec<String>> {
    let mut runs = BTreeMap::<String, Vec<String>>::new();
    for entry in fs::read_dir(root().join("fixtures/pcaps")).expect("fixtures/pcaps") {
        let file = entry.expect("entry").file_name().into_string().expect("plain name");
        let parts: Vec<&str> = file.split('.').collect();
        if parts.iter().any(|part| CAPTURES.contains(part)) {
            runs.entry(parts[0].to_string()).or_default().push(format!("fixtures/pcaps/{file}"));
        }
    }
    runs.values_mut().for_each(|files| files.sort());
    assert!(runs.len() > 100, "only {} fixtures: scripts/make_fixtures.py makes them", runs.len());
    runs
}

/// What `scripts/make_fixtures.py` says must be found, by run.
pub fn expectations() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(root().join("fixtures/expect.json")).expect("fixtures/expect.json");
    serde_json::from_str(&text).expect("expectations")
}

/// The binary, to be run in the crate's root.
pub fn picket() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picket"));
    command.current_dir(root()).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// Runs to the end; a run that hangs is ended and fails.
pub fn finish(command: &mut Command) -> Output {
    finish_with(command, None)
}

/// The same with `input` on standard input.
pub fn finish_with(command: &mut Command, input: Option<Vec<u8>>) -> Output {
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let writer = child.stdin.take().zip(input).map(|(mut stdin, input)| {
        thread::spawn(move || {
            // The binary may stop reading early; that is its right.
            let _ = stdin.write_all(&input);
        })
    });
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let stdout = thread::spawn(move || all_of(&mut out));
    let stderr = thread::spawn(move || all_of(&mut err));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("waits") {
            break status;
        }
        if start.elapsed() > LIMIT {
            let tasks = tasks(child.id());
            child.kill().expect("ends");
            panic!("no end after {LIMIT:?}: {command:?}\n{tasks}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    if let Some(writer) = writer {
        writer.join().expect("writer");
    }
    Output { status, stdout: stdout.join().expect("reader"), stderr: stderr.join().expect("reader") }
}

/// What each thread of a process is doing: its name, state, times, and where in the kernel it waits; to tell a loop from a deadlock.
fn tasks(process: u32) -> String {
    let folders = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let said = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let tasks = folders.map(|task| {
        let [stat, wchan, syscall] = ["stat", "wchan", "syscall"].map(|file| said(&task.path(), file));
        format!("{} | waits in {} | system call {}", stat.trim(), wchan.trim(), syscall.trim())
    });
    tasks.collect::<Vec<_>>().join("\n")
}

fn all_of(from: &mut dyn Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("readable pipe");
    bytes
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One replay of `files` into a scratch file: the alerts as written, and how the command ended.
pub fn replay(files: &[String], threads: usize) -> (String, Output) {
    let scratch = tempfile::tempdir().expect("scratch folder");
    let alerts = scratch.path().join("alerts.jsonl");
    let mut command = picket();
    command
        .args([
            "replay",
            "--feed",
            FEED,
            "--feed",
            RULES[0],
            "--feed",
            RULES[1],
            "--threads",
            &threads.to_string(),
            "--alerts",
        ])
        .arg(&alerts)
        .args(files);
    let output = finish(&mut command);
    let text = fs::read_to_string(&alerts).unwrap_or_default();
    (text, output)
}

/// Each line as JSON.
pub fn documents(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The value at a dotted path, whether nested or written with dots.
pub fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(value) = document.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| at(document.get(&path[..dot])?, &path[dot + 1..]))
}

/// The text at a dotted path; empty if there is none.
pub fn text_at<'v>(document: &'v Value, path: &str) -> &'v str {
    at(document, path).and_then(Value::as_str).unwrap_or("")
}

/// Every number in a document, with its path; for looking counters up whose exact place is not the test's business.
pub fn numbers(document: &Value, prefix: &str, out: &mut BTreeMap<String, u64>) {
    match document {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| numbers(value, &format!("{prefix}.{key}"), out)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| numbers(value, &format!("{prefix}.{i}"), out));
        }
        Value::Number(number) => drop(number.as_u64().map(|number| out.insert(prefix.to_string(), number))),
        _ => {}
    }
}

/// Calls `job` for each item on two threads and gives the results that are errors.
pub fn failures<T: Sync>(items: &[T], job: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failed = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            failed.extend(job(item).err());
        }
        failed
    };
    let mut failed = thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|w| w.join().expect("worker")).collect::<Vec<_>>()
    });
    failed.sort();
    failed
}

/// `path` below the crate's root.
pub fn file(path: &str) -> PathBuf {
    root().join(path)
}
