//! The visibility report adds up: every packet of every capture has exactly one verdict, and so has every flow, in all and for each
//! VLAN and tunnel; and it does not depend on the number of threads.
//!
//! Over the fixtures, over damaged copies of them, and, where `../shared/captures` (or what `PICKET_CAPTURES` names) is present,
//! over real captures. What a verdict is for is in the fixtures' table at the end.
//!
//! Seen to fail: with `decide` counting without taking, with `judge_flow` left out, and with a verdict of the table changed.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{failures, file, root, runs};
use picket::capture::{Batch, Files, Source};
use picket::feed;
use picket::indicator::IndicatorSet;
use picket::matcher::MatchSet;
use picket::pipeline::{Count, Counters, Options, Verdict, explain, replay};

#[test]
fn every_packet_of_every_fixture_has_one_verdict() {
    let sets = [set(|_| true), set(|line| !line.contains("network-traffic"))];
    let runs: Vec<Vec<PathBuf>> =
        runs().into_values().map(|files| files.iter().map(|path| file(path)).collect()).collect();
    let failed = failures(&runs, |paths| sets.iter().try_for_each(|set| adds_up(paths, set, 65_536)));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// All at once into tables that are far too small: flows are evicted.
#[test]
fn it_adds_up_when_flows_are_evicted() {
    let paths: Vec<PathBuf> = runs().into_values().flatten().map(|path| file(&path)).collect();
    adds_up(&paths, &set(|_| true), 16).expect("adds up");
}

#[test]
fn every_packet_of_the_real_captures_has_one_verdict() {
    let folder = std::env::var_os("PICKET_CAPTURES").map_or(root().join("../shared/captures"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(folder.join("pcaps")) else {
        eprintln!("SKIPPED: no {}", folder.display());
        return;
    };
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    let set = set(|line| !line.contains("network-traffic"));
    let failed = failures(&paths, |path| adds_up(std::slice::from_ref(path), &set, 65_536));
    assert!(failed.is_empty(), "{} of {}\n{}", failed.len(), paths.len(), failed.join("\n"));
}

fn set(wanted: impl Fn(&str) -> bool) -> Arc<MatchSet> {
    let text = std::fs::read_to_string(file(common::FEED)).expect("feed");
    let scratch = tempfile::NamedTempFile::new().expect("scratch file");
    let lines: String = text.lines().filter(|line| wanted(line)).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(scratch.path(), lines).expect("written");
    let mut indicators = IndicatorSet::default();
    feed::load(&[scratch.path().to_path_buf()], &feed::Options::default(), &mut indicators).expect("loads");
    Arc::new(MatchSet::compile(indicators, IndicatorSet::default()))
}

fn run(paths: &[PathBuf], set: &Arc<MatchSet>, threads: usize, max_flows: usize) -> Counters {
    let options = Options { threads, max_flows, ..Options::default() };
    let run = replay(Files::open(paths).expect("opens"), Arc::clone(set), &options);
    assert!(run.alerts.iter().count() < usize::MAX);
    run.finish().counters
}

/// Packets and bytes of captures, counted by reading them and nothing else.
fn read(paths: &[PathBuf]) -> (u64, u64) {
    let mut files = Files::open(paths).expect("opens");
    let (mut batch, mut packets, mut bytes) = (Batch::default(), 0, 0);
    while files.poll(&mut batch) {
        packets += batch.frames.len() as u64;
        bytes += batch.frames.iter().map(|frame| u64::from(frame.wire_bytes)).sum::<u64>();
    }
    (packets, bytes)
}

fn adds_up(paths: &[PathBuf], set: &Arc<MatchSet>, max_flows: usize) -> Result<(), String> {
    let name = paths.first().map_or(Path::new(""), PathBuf::as_path).display().to_string();
    let counters = run(paths, set, 1, max_flows);
    let (packets, bytes) = read(paths);
    let total = Count { packets, bytes, flows: counters.flows };
    let report = counters.visibility.report();
    let sums = [
        ("total", report.total),
        ("verdicts", sum(report.verdicts.iter().map(|line| line.count))),
        ("networks", sum(report.networks.iter().map(|network| network.total))),
        (
            "their verdicts",
            sum(report.networks.iter().flat_map(|network| network.verdicts.iter().map(|line| line.count))),
        ),
    ];
    for (what, sum) in sums {
        if sum != total {
            return Err(format!("{name}: {what}: {sum:?} of {total:?}"));
        }
    }
    if counters.frames != packets {
        return Err(format!("{name}: {} frames of {packets}", counters.frames));
    }
    let same = |other: &Counters| format!("{:?}", other.visibility.report()) == format!("{report:?}");
    if same(&run(paths, set, 3, max_flows)) {
        Ok(())
    } else {
        Err(format!("{name}: another report with three threads"))
    }
}

/// `picket explain` goes through the same worker: what it says of a packet that is not open is a verdict that the run has too.
#[test]
fn every_packet_of_every_fixture_can_be_explained() {
    const FRAMES: usize = 8;
    let set = set(|_| true);
    let runs: Vec<(String, Vec<String>)> = runs().into_iter().collect();
    let options = Options { max_flows: 4096, ..Options::default() };
    let failed = failures(&runs, |(name, files)| {
        let path = file(&files[0]);
        let all = run(std::slice::from_ref(&path), &set, 1, 4096);
        let (mut files, mut batch) = (Files::open(std::slice::from_ref(&path)).expect("opens"), Batch::default());
        // Blocks that could not be read have numbers, and are no frames.
        let mut numbers = Vec::new();
        while files.poll(&mut batch) {
            numbers.extend(batch.frames.iter().map(|frame| frame.number));
        }
        let last = numbers.last().copied().unwrap_or(0);
        for number in numbers.into_iter().take(FRAMES) {
            let files = Files::open(std::slice::from_ref(&path)).expect("opens");
            let told = explain(files, &set, &options, (0, number)).ok_or(format!("{name}: no frame {number}"))?;
            if told.frame.number != number
                || told.verdict.is_some_and(|verdict| all.visibility.of(verdict).packets == 0)
            {
                return Err(format!("{name}: frame {number}: {:?}", told.verdict));
            }
        }
        let files = Files::open(std::slice::from_ref(&path)).expect("opens");
        match explain(files, &set, &options, (0, last + 1)) {
            None => Ok(()),
            Some(_) => Err(format!("{name}: a frame too many")),
        }
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn sum(counts: impl Iterator<Item = Count>) -> Count {
    counts.fold(Count::default(), |a, b| Count {
        packets: a.packets + b.packets,
        bytes: a.bytes + b.bytes,
        flows: a.flows + b.flows,
    })
}

/// What each of some fixtures must have, in packets, besides what was inspected.
const EXPECTED: &[(&str, &[(Verdict, u64)])] = &[
    ("tcp-conversation", &[(Verdict::PassedOver, 3)]),
    ("dns-query-a", &[]),
    ("tcp-one-direction-client", &[(Verdict::OneDirection, 5)]),
    ("addr-syn-only", &[]),
    ("damage-snap-length", &[(Verdict::Truncated, 3)]),
    ("tcp-out-of-window", &[(Verdict::OutOfWindow, 1)]),
    ("tls-sni", &[]),
    ("tls-garbage", &[(Verdict::Malformed, 1)]),
    ("http-garbage", &[(Verdict::UnknownText, 2), (Verdict::UnknownBinary, 1)]),
    ("tcp-gap", &[(Verdict::Gap, 2)]),
    ("link-too-deep", &[(Verdict::Malformed, 1)]),
];

#[test]
fn verdicts_are_as_they_should_be() {
    // Bodies are passed over where nobody looks for files or bytes.
    let set = set(|line| !line.contains("network-traffic") && !line.contains(r#""type": "file"#));
    let mut wrong = Vec::new();
    for (name, expected) in EXPECTED {
        let paths = [file(&format!("fixtures/pcaps/{name}.pcap"))];
        let visibility = run(&paths, &set, 1, 65_536).visibility;
        let inspected = visibility.of(Verdict::Inspected).packets;
        let rest: u64 = expected.iter().map(|(_, packets)| packets).sum();
        let is_right = expected.iter().all(|&(verdict, packets)| visibility.of(verdict).packets == packets)
            && inspected + rest == visibility.total().packets;
        if !is_right {
            wrong.push(format!("{name}: {:?}", visibility.report().verdicts));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A ClientHello that never gets whole is counted once, whether the client repeats itself, the flow ends or the captures do.
#[test]
fn a_quic_hello_that_never_completes_is_counted() {
    let set = set(|_| true);
    let incomplete = |name: &str, max_flows| -> u64 {
        let counters = run(&[file(&format!("fixtures/pcaps/{name}.pcap"))], &set, 1, max_flows);
        let lines = counters.uninspected();
        lines.iter().filter(|line| line.reason == "QUIC_ClientHello_incomplete").map(|line| line.count).sum()
    };
    assert_eq!((incomplete("quic-incomplete", 65_536), incomplete("quic-sni", 65_536)), (2, 0));
}

/// Pieces of a datagram have its verdict, in whatever order they come; what is never whole is `fragment`.
#[test]
fn pieces_have_the_verdict_of_their_datagram() {
    let set = set(|_| true);
    for (name, pieces) in [
        ("fragment-in-order", 0),
        ("fragment-reversed", 0),
        ("fragment-duplicate", 0),
        ("fragment-interleaved", 0),
        ("fragment-outer", 0),
        ("fragment-inner", 0),
        ("fragment-address", 1),
    ] {
        let visibility = run(&[file(&format!("fixtures/pcaps/{name}.pcap"))], &set, 1, 65_536).visibility;
        let all = visibility.of(Verdict::Fragment);
        assert_eq!((all.packets, all.flows), (pieces, pieces), "{name}: {:?}", visibility.report().verdicts);
    }
}
