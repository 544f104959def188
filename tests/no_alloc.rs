//! A clean packet allocates nothing. `fixtures/pcaps/clean-mix.pcap` (DNS, HTTP, TLS, DTLS, other UDP; flows that begin, end and
//! time out) is repeated into a capture of some rounds and one of four times as many: replaying the longer one asks the allocator
//! no more often than replaying the shorter one. What happens once a run (tables, buffers, threads) is in both.
//!
//! All threads of the process are counted, so everything is one test: nothing else may run beside it.
//!
//! Seen to fail: `the_counter_sees_each_kind_of_call`; and with `drop(std::hint::black_box(vec![0_u8; 9]))` put into
//! `Worker::step`.
#![expect(unsafe_code, reason = "a global allocator can only be written with it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use picket::alert::{Occurrence, SuppressOptions, Suppressor};
use picket::capture::Files;
use picket::feed;
use picket::flow::{Flow, FlowKey};
use picket::indicator::{IndicatorIx, IndicatorSet, Where};
use picket::matcher::{How, MatchSet};
use picket::packet::{Address, FrameRef, Packet, protocol};
use picket::pipeline::{Options, replay};
use picket::time::Timestamp;

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

fn count() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

// SAFETY: every call is handed to the system's allocator unchanged; the counter itself never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the process asks the allocator for memory while `job` runs.
fn allocations(job: impl FnOnce()) -> u64 {
    let before = CALLS.load(Ordering::Relaxed);
    job();
    CALLS.load(Ordering::Relaxed) - before
}

/// Rounds of the shorter capture: enough for the flow table to fill and scratch buffers to reach their size.
const ROUNDS: u32 = 300;

/// The longer capture has so many times as many.
const TIMES: u32 = 4;

/// Between two rounds: every flow of the one before has timed out.
const APART_S: u32 = 4 * 3600;

/// Allocations that the longer run may have more of: windows of the longer file, and, with several threads, which buffer is
/// free when: a few tens of batches with some lists each, up to 500 seen. One a packet, or even one a flow, would be tens of thousands.
const SLACK: u64 = 1500;

/// With byte signatures each TCP direction that carries data allocates what it remembers from one segment to the next: twice
/// for twelve directions a round, and once more for each of the six flows. A flow's, not a packet's.
const CARRIED: u64 = 30;

/// With digests and names of files each HTTP response with a body allocates what it remembers of it, its request and its digests:
/// five for each of four a round. A file's, not a packet's.
const FILES: u64 = 20;

#[test]
fn a_clean_packet_allocates_nothing() {
    the_counter_sees_each_kind_of_call();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let feed = std::fs::read_to_string(root.join("fixtures/feed.jsonl")).expect("feed");
    let names: String = feed
        .lines()
        .filter(|l| !l.contains("network-traffic") && !l.contains("\"type\": \"file"))
        .flat_map(|l| [l, "\n"])
        .collect();
    let clean = std::fs::read(root.join("fixtures/pcaps/clean-mix.pcap")).expect("fixture");
    let (short, long) = (repeated(&clean, ROUNDS), repeated(&clean, ROUNDS * TIMES));
    for (feed, a_round) in [(&names, 0), (&feed, CARRIED + FILES)] {
        let set = compiled(feed);
        what_is_held_back_allocates_nothing(&set);
        for threads in [1, 2] {
            let frames = |rounds: u32| u64::from(rounds) * 50;
            run(short.path(), &set, threads);
            let few = allocations(|| assert!(run(short.path(), &set, threads) > frames(ROUNDS)));
            let many = allocations(|| assert!(run(long.path(), &set, threads) > frames(ROUNDS * TIMES)));
            let allowed = few + SLACK + a_round * u64::from(ROUNDS * (TIMES - 1));
            assert!(many <= allowed, "{threads} threads: {few} allocations, then {many}, {allowed} allowed");
        }
    }
}

/// Hits that are only counted: of one host, and of many once their indicator floods.
fn what_is_held_back_allocates_nothing(set: &Arc<MatchSet>) {
    let captures: Arc<[Arc<Path>]> = vec![Arc::from(Path::new("a.pcap"))].into();
    let options = SuppressOptions { burst: 1, alerts_per_second: 1, ..SuppressOptions::default() };
    let mut held = Suppressor::new(options, set, &captures);
    let seen = |host: u8| {
        let (source, destination) = (Address::v4([10, 0, 0, host]), Address::v4([192, 0, 2, host]));
        let packet = Packet { ip_version: 4, source, destination, protocol: protocol::UDP, ..Packet::default() };
        let (key, from) = FlowKey::of(&packet).expect("addresses");
        let flow = Flow::<()>::start(key, &packet, from, Timestamp::ZERO).identity;
        Occurrence::new(&flow, FrameRef::default(), Where("source.ip"), (IndicatorIx(0), How::Exact))
    };
    assert!(held.admits(&seen(1)));
    assert_eq!(allocations(|| (0..1000).for_each(|_| assert!(!held.admits(&seen(1))))), 0);
    assert!(!held.admits(&seen(2)), "it floods: that is said, once a window");
    assert_eq!(allocations(|| (3..=255).for_each(|host| assert!(!held.admits(&seen(host))))), 0);
    assert_eq!((held.counters().by_window, held.counters().by_rate), (1000, 254));
}

fn compiled(feed: &str) -> Arc<MatchSet> {
    let file = tempfile::NamedTempFile::new().expect("scratch file");
    std::fs::write(file.path(), feed).expect("written");
    let mut indicators = IndicatorSet::default();
    feed::load(&[file.path().to_path_buf()], &feed::Options::default(), &mut indicators).expect("loads");
    assert!(indicators.len() > 10);
    Arc::new(MatchSet::compile(indicators, IndicatorSet::default()))
}

/// A capture of `rounds` times the frames of another, each round [`APART_S`] after the one before.
fn repeated(capture: &[u8], rounds: u32) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("scratch file");
    let (head, frames) = capture.split_at(24);
    let mut bytes = head.to_vec();
    for round in 0..rounds {
        let mut rest = frames;
        while let Some((head, after)) = rest.split_first_chunk::<16>() {
            let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let (frame, after) = after.split_at(word(8) as usize);
            bytes.extend((word(0) + round * APART_S).to_le_bytes());
            bytes.extend_from_slice(&head[4..]);
            bytes.extend_from_slice(frame);
            rest = after;
        }
    }
    file.write_all(&bytes).expect("written");
    file
}

/// Replays a capture that must raise no alert; its frames.
fn run(capture: &Path, set: &Arc<MatchSet>, threads: usize) -> u64 {
    let files = Files::open(&[capture.to_path_buf()]).expect("opens");
    let options = Options { threads, max_flows: 4096, ..Options::default() };
    let run = replay(files, Arc::clone(set), &options);
    assert_eq!(run.alerts.iter().count(), 0, "the capture is clean");
    run.finish().counters.frames
}

fn the_counter_sees_each_kind_of_call() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1_u64)))), 1);
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0_u8; 100]))), 1);
    let mut grown = Vec::with_capacity(1);
    grown.push(1_u8);
    assert_eq!(allocations(|| grown.reserve_exact(1000)), 1);
    assert_eq!(allocations(|| grown.clear()), 0);
}
