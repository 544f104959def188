//! Loading and compiling feeds at full scale, on generated values. Counts are asserted before anything is timed, so a load
//! that refuses or loses entries fails.
//!
//! `cargo bench --bench feed`; `-- --test` runs each once. Peak memory is a process's: measure `picket feed stats` with
//! `/usr/bin/time -v` for it.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use picket::feed::{self, Options};
use picket::indicator::IndicatorSet;
use picket::matcher::MatchSet;

/// As many as the customer's feed has.
const ENTRIES: u64 = 1_460_000;
const NAMES: u64 = 10_000_000;

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = native, native_ids, plain, report, names
}
criterion_main!(benches);

fn native(c: &mut Criterion) {
    load(c, "native", ENTRIES, |number, out| {
        let (kind, value) = match number % 4 {
            0 => ("ipv4-addr", address(number)),
            _ => ("domain-name", name(number)),
        };
        let _ = writeln!(
            out,
            "{{\"threat\":{{\"indicator\":{{\"type\":\"{kind}\",\"name\":\"{value}\",\"provider\":\"p\",\"marking\":{{\"tlp\":\"AMBER\"}}}}}}}}"
        );
    });
}

/// With an id each, a time, and a reference for every thousand.
fn native_ids(c: &mut Criterion) {
    load(c, "native, ids and references", ENTRIES, |number, out| {
        let value = name(number);
        let _ = writeln!(
            out,
            "{{\"threat\":{{\"indicator\":{{\"type\":\"domain-name\",\"name\":\"{value}\",\"id\":[\"ind-{number}\"],\"provider\":\"p\",\
             \"first_seen\":\"2024-01-01T00:00:00Z\",\"reference\":\"https://feed.example/{}\",\"marking\":{{\"tlp\":\"AMBER\"}}}}}},\
             \"picket\":{{\"severity\":50,\"pap\":\"GREEN\"}}}}",
            number / 1000
        );
    });
}

fn plain(c: &mut Criterion) {
    load(c, "plain", ENTRIES, |number, out| {
        let _ = match number % 4 {
            0 => writeln!(out, "{}:443", address(number)),
            _ => writeln!(out, "{}", name(number)),
        };
    });
}

/// What `picket feed check` does beyond loading.
fn report(c: &mut Criterion) {
    let (_dir, path) = feed_of(1_000_000, |number, out| {
        let _ = writeln!(out, "{}", name(number));
    });
    let mut set = IndicatorSet::default();
    let loaded = feed::load(&[path], &Options::default(), &mut set).expect("loads");
    let allow = IndicatorSet::default();
    let mut group = c.benchmark_group("report");
    group.throughput(Throughput::Elements(set.len() as u64));
    group.bench_function("1 M names", |b| {
        b.iter(|| {
            let mut report = loaded.clone();
            feed::audit(&set, &allow, picket::time::Timestamp::ZERO, &mut report);
            assert_eq!(report.providers[0].entries, 1_000_000);
        });
    });
    group.finish();
}

fn names(c: &mut Criterion) {
    load(c, "10 M names, plain", NAMES, |number, out| {
        let _ = writeln!(out, "{}", name(number));
    });
}

/// Times loading and compiling what `line` writes for each number.
fn load(c: &mut Criterion, what: &str, entries: u64, line: impl Fn(u64, &mut String)) {
    let (_dir, path) = feed_of(entries, line);
    let compile = |path: &Path| {
        let mut set = IndicatorSet::default();
        let report = feed::load(&[path.to_owned()], &Options::default(), &mut set).expect("loads");
        assert_eq!((report.totals.loaded, report.totals.refused), (entries, 0), "{what}");
        MatchSet::compile(set, IndicatorSet::default())
    };
    let mut group = c.benchmark_group("load and compile");
    group.throughput(Throughput::Elements(entries));
    group.bench_function(what, |b| b.iter(|| black_box(compile(&path))));
    group.finish();
}

fn feed_of(entries: u64, line: impl Fn(u64, &mut String)) -> (tempfile::TempDir, PathBuf) {
    let mut text = String::new();
    (0..entries).for_each(|number| line(number, &mut text));
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("feed");
    fs::write(&path, text).expect("writes");
    (dir, path)
}

/// No two numbers have the same; about as long as names in feeds are.
fn name(number: u64) -> String {
    let word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{}{number:x}.{}",
        ["mail.", "", "cdn-", "www."][(word >> 62) as usize],
        ["test", "example"][(word >> 61 & 1) as usize]
    )
}

fn address(number: u64) -> String {
    // Of a /8 that is neither private nor special.
    std::net::Ipv4Addr::from_bits(45 << 24 | number as u32).to_string()
}
