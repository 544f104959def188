//! `kill -9` at random moments: whatever was queued when the process ended arrives, in order, and no file is corrupt.
//!
//! The process is this test again: [`the_process`] queues numbers as fast as it can, on disk for a server and in memory for a file, and says of each
//! that it is queued. `PICKET_KILLS` says how many times it is killed; 20 if it does not.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::peers::{http, numbers, options, record};
use picket::sink::destination::Destination;
use picket::sink::destination::file::FileOptions;
use picket::sink::destination::webhook::WebhookOptions;
use picket::sink::spool::{SpoolOptions, Sync};
use picket::sink::{Output, OutputOptions};

/// `FOLDER PORT FIRST LAST`.
const ARGUMENTS: &str = "PICKET_SPOOL_CRASH";

fn outputs(folder: &Path, port: u16) -> [Output; 2] {
    let hook =
        WebhookOptions { url: format!("http://127.0.0.1:{port}/"), batch_records: 20, ..WebhookOptions::default() };
    let spool = SpoolOptions { folder: Some(folder.join("spool")), sync: Sync::Never, ..SpoolOptions::default() };
    let file = FileOptions { path: folder.join("alerts"), max_bytes: 50_000, keep: 0, ..FileOptions::default() };
    [
        OutputOptions { destination: Destination::Webhook(hook), spool, ..options("hook") },
        OutputOptions { destination: Destination::File(file), ..options("file") },
    ]
    .map(|options| Output::open(options).expect("opens"))
}

#[test]
fn the_process() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let mut arguments = arguments.split(' ');
    let mut next = || arguments.next().expect("an argument");
    let folder = PathBuf::from(next());
    let [port, first, last] = [(); 3].map(|()| next().parse::<usize>().expect("a number"));
    let outputs = outputs(&folder, port as u16);
    let mut out = std::io::stdout().lock();
    for number in first..last {
        outputs.iter().for_each(|output| output.put(record(number)));
        writeln!(out, "queued {number}").expect("said");
        out.flush().expect("said");
        if number % 50 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    outputs.iter().for_each(|output| drop(output.stop()));
    writeln!(out, "done").expect("said");
}

fn start(folder: &Path, port: u16, first: usize, last: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "crash::the_process", "--nocapture", "--test-threads=1"]);
    command.env(ARGUMENTS, format!("{} {port} {first} {last}", folder.display()));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts")
}

/// Every number that the process said was queued, until it was killed.
fn queued_until_killed(mut child: Child, lives: Duration) -> Vec<usize> {
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut queued = Vec::new();
    let number = |line: &str| line.split("queued ").nth(1).and_then(|text| text.parse::<usize>().ok());
    while queued.is_empty()
        && let Some(Ok(line)) = lines.next()
    {
        queued.extend(number(&line));
    }
    let killer = thread::spawn(move || {
        thread::sleep(lives);
        child.kill().expect("killed");
        child.wait().expect("ended");
    });
    queued.extend(lines.map_while(Result::ok).filter_map(|line| number(&line)));
    killer.join().expect("killed");
    queued
}

fn file_numbers(folder: &Path) -> Vec<usize> {
    use std::io::Read;
    let names = std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("entry").path());
    let mut paths: Vec<PathBuf> = names.filter(|path| path.is_file()).collect();
    // The one that is written to has no time in its name and is the newest.
    paths.sort_by_key(|path| (path.extension().is_none(), path.clone()));
    let mut all = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_none_or(|end| end != "tmp")) {
        let mut text = String::new();
        let file = std::fs::File::open(path).expect("opens");
        match path.extension().is_some_and(|end| end == "gz") {
            true => flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("whole gzip"),
            false => (&file).read_to_string(&mut text).expect("UTF-8"),
        };
        assert!(text.is_empty() || text.ends_with('\n'), "{}", path.display());
        all.extend(numbers(&text));
    }
    all
}

#[test]
fn what_was_queued_survives_kill_9() {
    let kills: u64 = std::env::var("PICKET_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let folder = tempfile::tempdir().expect("folder");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let count = AtomicUsize::new(0);
    // Every fifth answer is that it is busy, so that there is always something in the queue.
    let server = http(0, &requests, move |_| match count.fetch_add(1, Ordering::Relaxed) % 5 {
        4 => (503, String::new()),
        _ => (200, String::new()),
    });
    let port = server.address.port();
    let (mut queued, mut first, mut random) =
        (Vec::new(), 0, 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id()));
    for _ in 0..kills {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let lives = Duration::from_micros(random % 60_000);
        queued.extend(queued_until_killed(start(folder.path(), port, first, usize::MAX), lives));
        // One more may have been queued and not said.
        first = queued.last().map_or(first, |last| last + 2);
    }
    assert!(queued.len() as u64 > kills, "something was queued each time");
    let last = start(folder.path(), port, first, first + 1).wait_with_output().expect("ends");
    assert!(String::from_utf8_lossy(&last.stdout).contains("done"), "it ends by itself");
    queued.push(first);
    server.stop();
    let mut seen = std::collections::BTreeSet::new();
    let requests = requests.lock().expect("not poisoned");
    let arrived: Vec<usize> = requests.iter().flat_map(|request| numbers(&request.body)).collect();
    let mut newest = Vec::new();
    arrived.iter().for_each(|number| {
        if seen.insert(*number) {
            newest.push(*number)
        }
    });
    let missing: Vec<&usize> = queued.iter().filter(|number| !seen.contains(number)).collect();
    assert!(missing.is_empty(), "{} of {} are missing, such as {:?}", missing.len(), queued.len(), missing[0]);
    assert!(newest.is_sorted(), "they arrive in order");
    let in_file = file_numbers(folder.path());
    assert!(
        in_file.is_sorted() && in_file.len() > queued.len() / 10,
        "{} of {} in the file",
        in_file.len(),
        queued.len()
    );
    println!(
        "{kills} kills, {} queued, {} arrived, {} of them twice or more",
        queued.len(),
        arrived.len(),
        arrived.len() - seen.len()
    );
}
