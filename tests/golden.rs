//! Every capture in `fixtures/pcaps/` gives, byte for byte, the alerts that lie beside it, whatever the number of threads.
//!
//! `BLESS=1 cargo test --test golden` writes what comes out now; read the difference before committing it. `tests/oracle.rs`
//! holds the same output against what was written down without Picket, so a bug cannot be blessed unnoticed.
//! The version in `observer.version` is replaced by `VERSION` in the files, so that a release does not touch them.
//!
//! Seen to fail: see the function tests at the end (a changed byte, a missing and a stale golden), and with one golden edited.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{failures, file, replay, runs, stderr};

/// Ending of a golden.
const GOLDEN: &str = ".alerts.jsonl";

#[test]
fn every_capture_gives_its_golden_alerts_with_any_number_of_threads() {
    let bless = std::env::var_os("BLESS").is_some_and(|value| !value.is_empty() && value != "0");
    let runs: Vec<_> = runs().into_iter().collect();
    let failed = failures(&runs, |(name, files)| {
        let (alerts, output) = replay(files, 1);
        if !matches!(output.status.code(), Some(0 | 1)) {
            return Err(format!("{name}: {}: {}", output.status, stderr(&output)));
        }
        for threads in [2, 3, 5] {
            let (other, _) = replay(files, threads);
            compare(&alerts, &other).map_err(|e| format!("{name}: {threads} threads against one: {e}"))?;
        }
        let golden = file(&format!("fixtures/pcaps/{name}{GOLDEN}"));
        let alerts = unversioned(&alerts);
        if bless {
            return fs::write(&golden, alerts).map_err(|e| e.to_string());
        }
        let kept = fs::read_to_string(&golden).map_err(|_| format!("{name}: no golden; BLESS=1 writes it"))?;
        compare(&kept, &alerts).map_err(|e| format!("{name}: {e}"))
    });
    assert!(failed.is_empty(), "{} of {} fail\n{}", failed.len(), runs.len(), failed.join("\n"));
}

#[test]
fn no_golden_is_without_its_capture() {
    let stale = stale(&file("fixtures/pcaps"), &runs());
    assert!(stale.is_empty(), "goldens without a capture: {stale:?}");
}

fn stale(folder: &Path, runs: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let names =
        fs::read_dir(folder).expect("folder").map(|e| e.expect("entry").file_name().into_string().expect("name"));
    names.filter(|name| name.strip_suffix(GOLDEN).is_some_and(|stem| !runs.contains_key(stem))).collect()
}

fn unversioned(alerts: &str) -> String {
    alerts.replace(&format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION")), "\"version\":\"VERSION\"")
}

/// The first difference, in words.
fn compare(kept: &str, now: &str) -> Result<(), String> {
    if kept == now {
        return Ok(());
    }
    let (mut a, mut b) = (kept.lines(), now.lines());
    for line in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (x, y) if x != y => {
                return Err(format!("line {line}\n  was {}\n  now {}", x.unwrap_or("(none)"), y.unwrap_or("(none)")));
            }
            _ => {}
        }
    }
    Err("line ends differ".to_string())
}

#[test]
fn one_byte_is_a_difference() {
    assert!(compare("a\nb\n", "a\nb\n").is_ok());
    assert_eq!(compare("a\nb\n", "a\nc\n").unwrap_err(), "line 2\n  was b\n  now c");
    assert_eq!(compare("a\n", "a\nb\n").unwrap_err(), "line 2\n  was (none)\n  now b");
    assert_eq!(compare("a\n", "a").unwrap_err(), "line ends differ");
}

#[test]
fn a_golden_without_capture_is_stale() {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("gone.alerts.jsonl"), "").expect("written");
    assert_eq!(stale(folder.path(), &BTreeMap::new()), ["gone.alerts.jsonl"]);
}

#[test]
fn the_version_is_not_part_of_a_golden() {
    let line = format!(r#"{{"observer":{{"version":"{}"}}}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(unversioned(&line), r#"{"observer":{"version":"VERSION"}}"#);
}
