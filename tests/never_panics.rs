//! Damaged input never makes the binary panic, hang, or take more memory than a bound.
//!
//! Every fixture is damaged by seeded byte flips, cuts, splices with another fixture, and lies in length fields; so are the
//! feeds. The same seed gives the same bytes: `PICKET_FUZZ_SEED` and `PICKET_FUZZ_ROUNDS` choose others. What fails is kept in
//! the system's temporary folder and named. About 20 seconds in debug (overflow checks and debug assertions on).
//!
//! Seen to fail: the test at the end runs it against `sh` scripts that panic and die; and with an index past the end put
//! into `packet::decode`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{FEED, failures, file, finish, root, runs, stderr};

/// Damaged copies of each capture in a run of this test.
const ROUNDS: u64 = 80;

/// Captures in one run of the binary: starting it costs more than replaying one.
const TOGETHER: usize = 40;

/// Address space of the binary: its fixed tables, some threads, and room to see that nothing grows.
const MEMORY_KIB: u64 = 4 << 20;

#[test]
fn damaged_captures_do_no_harm() {
    let originals: Vec<Vec<u8>> = runs().values().flatten().map(|f| fs::read(file(f)).expect("fixture")).collect();
    let names: Vec<String> = runs().into_values().flatten().collect();
    let folder = tempfile::tempdir().expect("folder");
    let mut random = Random::new(number("PICKET_FUZZ_SEED", 1));
    let mut files = Vec::new();
    for round in 0..number("PICKET_FUZZ_ROUNDS", ROUNDS) {
        for (original, name) in originals.iter().zip(&names) {
            let other = &originals[random.below(originals.len())];
            let path = folder.path().join(format!("{round}-{}", Path::new(name).file_name().expect("name").display()));
            fs::write(&path, damaged(original, other, &mut random)).expect("written");
            files.push(path);
        }
    }
    files.push(noise(folder.path(), &mut random));
    let batches: Vec<_> = files.chunks(TOGETHER).collect();
    let failed = failures(&batches, |batch| harmless(&replay(batch)).map_err(|problem| blame(batch, &problem)));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn damaged_feeds_do_no_harm() {
    let mut feeds = vec![file(FEED)];
    let samples = fs::read_dir(file("feeds")).into_iter().flatten();
    feeds.extend(samples.map(|e| e.expect("entry").path()).filter(|p| p.is_file()));
    feeds.sort();
    let originals: Vec<Vec<u8>> = feeds.iter().map(|f| fs::read(f).expect("feed")).collect();
    let folder = tempfile::tempdir().expect("folder");
    let mut random = Random::new(number("PICKET_FUZZ_SEED", 1));
    let mut jobs = Vec::new();
    for round in 0..number("PICKET_FUZZ_ROUNDS", ROUNDS) {
        for (original, path) in originals.iter().zip(&feeds) {
            let other = &originals[random.below(originals.len())];
            let copy = folder.path().join(format!("{round}-{}", path.file_name().expect("name").display()));
            fs::write(&copy, damaged(original, other, &mut random)).expect("written");
            jobs.push(copy);
        }
    }
    let failed = failures(&jobs, |feed| {
        let mut command = bounded(Path::new(env!("CARGO_BIN_EXE_picket")));
        command.args(["feed", "check"]).arg(feed);
        harmless(&command_result(&mut command)).map_err(|e| format!("{}: {e}", keep(feed).display()))
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}

/// Ten kilobytes of nothing, as `/dev/urandom` gives them.
fn noise(folder: &Path, random: &mut Random) -> PathBuf {
    let path = folder.join("noise");
    fs::write(&path, (0..10_240).map(|_| random.next() as u8).collect::<Vec<_>>()).expect("written");
    path
}

/// A copy of `original` with one to eight kinds of damage; every fourth one only in its frames' bytes, so that the file still reads.
fn damaged(original: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    if bytes.is_empty() {
        return other.to_vec();
    }
    let gentle = random.below(4) == 0 && bytes.len() > 60;
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            break;
        }
        let at = if gentle { 54 + random.below(bytes.len() - 54) } else { random.below(bytes.len()) };
        match if gentle { random.below(2) } else { random.below(7) } {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, b'\n', 0xC0, random.next() as u8][random.below(8)],
            2 => bytes.truncate(at),
            3 => drop(bytes.splice(at..(at + random.below(16)).min(bytes.len()), [])),
            4 => {
                let from = random.below(other.len().max(1)).min(other.len());
                let piece = other[from..(from + random.below(200)).min(other.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            5 => {
                let end = (at + random.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let lie = [0, 1, 0xFF, 0xFFFF, 0x7FFF_FFFF, u32::MAX, 0x0001_0000, 13][random.below(8)];
                for (byte, value) in bytes[at..].iter_mut().zip(u32::to_le_bytes(lie)) {
                    *byte = value;
                }
            }
        }
    }
    bytes
}

fn replay(files: &[PathBuf]) -> Ended {
    replay_by(Path::new(env!("CARGO_BIN_EXE_picket")), files)
}

fn replay_by(binary: &Path, files: &[PathBuf]) -> Ended {
    let mut command = bounded(binary);
    command.args(["replay", "--feed", FEED, "--threads", "2", "--alerts", "/dev/null"]).args(files);
    command_result(&mut command)
}

/// The binary under a memory limit.
fn bounded(binary: &Path) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(root()).stdin(Stdio::null()).env_remove("RUST_LOG");
    command.arg("-c").arg(format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")).arg(binary);
    command
}

struct Ended {
    code: Option<i32>,
    said: String,
}

fn command_result(command: &mut Command) -> Ended {
    let output = finish(command);
    Ended { code: output.status.code(), said: stderr(&output) }
}

fn harmless(ended: &Ended) -> Result<(), String> {
    match ended.code {
        Some(0 | 1) if !["panicked at", "defect: panic"].iter().any(|word| ended.said.contains(word)) => Ok(()),
        code => Err(format!("code {code:?}: {}", ended.said.lines().take(6).collect::<Vec<_>>().join(" | "))),
    }
}

/// Which capture of a batch does it, alone if one does.
fn blame(batch: &[PathBuf], problem: &str) -> String {
    for path in batch {
        if let Err(problem) = harmless(&replay(std::slice::from_ref(path))) {
            return format!("{}: {problem}", keep(path).display());
        }
    }
    let kept: Vec<_> = batch.iter().map(|path| keep(path).display().to_string()).collect();
    format!("only together: {}: {problem}", kept.join(" "))
}

/// A copy that outlives the test.
fn keep(path: &Path) -> PathBuf {
    let kept = std::env::temp_dir().join(format!("picket-panics-{}", path.file_name().expect("name").display()));
    fs::copy(path, &kept).expect("copied");
    kept
}

/// Splitmix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

#[test]
fn a_panic_and_a_crash_are_noticed() {
    let folder = tempfile::tempdir().expect("folder");
    let script = |name: &str, body: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        let made = Command::new("chmod").arg("+x").arg(&path).status();
        assert!(made.is_ok_and(|m| m.success()));
        path
    };
    assert!(harmless(&replay_by(&script("good", "exit 1"), &[])).is_ok());
    assert!(harmless(&replay_by(&script("panic", "exit 101"), &[])).is_err());
    assert!(harmless(&replay_by(&script("thread", "echo thread 3 panicked at x >&2"), &[])).is_err());
    assert!(harmless(&replay_by(&script("ours", "echo picket: defect: panic in thread x at y >&2"), &[])).is_err());
    assert!(harmless(&replay_by(&script("crash", "kill -SEGV $$"), &[])).is_err());
}

#[test]
fn damage_is_the_same_for_the_same_seed_and_is_damage() {
    let original: Vec<u8> = (0..500).map(|i| i as u8).collect();
    let make = |seed| damaged(&original, b"other", &mut Random::new(seed));
    assert_eq!(make(7), make(7));
    assert!((0..100).filter(|&seed| make(seed) != original).count() > 90);
}
