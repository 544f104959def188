//! What a packet costs from file to alert: a mixed capture against a hundred thousand names, with one worker and with two. Every run
//! asserts its frames, flows and alerts.
//!
//! `cargo bench --bench pipeline`; `scripts/bench.sh` measures large captures and the peers.

use std::fs;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use picket::capture::Files;
use picket::feed;
use picket::indicator::IndicatorSet;
use picket::matcher::MatchSet;
use picket::pipeline::{self, Options};

criterion_group!(benches, bench);
criterion_main!(benches);

const CONVERSATIONS: u32 = 8_192;
/// Of each: a DNS query, a request, and segments of its response.
const FRAMES: u64 = 10;
/// One conversation in so many asks for a listed name.
const HIT_EVERY: u32 = 512;

fn bench(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("folder");
    let (feed_path, capture_path) = (folder.path().join("names.txt"), folder.path().join("mix.pcap"));
    let names: String = (0..100_000u32).map(|n| format!("h{n:x}.listed.test\n")).collect();
    fs::write(&feed_path, names).expect("feed written");
    fs::write(&capture_path, capture()).expect("capture written");
    let mut indicators = IndicatorSet::default();
    feed::load(&[feed_path], &feed::Options::default(), &mut indicators).expect("feed loads");
    let set = Arc::new(MatchSet::compile(indicators, IndicatorSet::default()));

    let mut group = c.benchmark_group("pipeline");
    group.sample_size(20).throughput(Throughput::Elements(u64::from(CONVERSATIONS) * FRAMES));
    for threads in [1, 2] {
        group.bench_function(format!("{threads} worker(s)"), |b| {
            b.iter(|| {
                let files = Files::open(std::slice::from_ref(&capture_path)).expect("the file is there");
                let replay = pipeline::replay(files, Arc::clone(&set), &Options { threads, ..Options::default() });
                let alerts = replay.alerts.iter().count() as u32;
                let counters = replay.finish().counters;
                assert_eq!(counters.frames, u64::from(CONVERSATIONS) * FRAMES);
                assert_eq!(counters.flows, 2 * u64::from(CONVERSATIONS));
                // The name is asked for in DNS and then in a request.
                assert_eq!(alerts, 2 * CONVERSATIONS / HIT_EVERY);
            })
        });
    }
    group.finish();
}

/// Conversations side by side: the first frame of all, then the second of all, and so on.
fn capture() -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1];
    let mut out = header.map(u32::to_le_bytes).as_flattened().to_vec();
    for step in 0..FRAMES as u32 {
        for number in 0..CONVERSATIONS {
            let frame = frame(number, step);
            let record = [1_700_000_000 + step, number, frame.len() as u32, frame.len() as u32];
            out.extend(record.map(u32::to_le_bytes).as_flattened());
            out.extend(frame);
        }
    }
    out
}

fn frame(number: u32, step: u32) -> Vec<u8> {
    let [_, _, c, d] = number.to_be_bytes();
    let (client, server) = ([10, 0, c, d], [192, 0, 2, 1]);
    let name = match number % HIT_EVERY {
        0 => format!("www.h{number:x}.listed.test"),
        _ => format!("www.h{number:x}.clean.test"),
    };
    let there = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(client, server, 64);
    let back = PacketBuilder::ethernet2([4; 6], [2; 6]).ipv4(server, client, 64);
    let mut out = Vec::new();
    let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n");
    let body = 1_000 * (FRAMES as u32 - 3);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n");
    let written = match step {
        0 => there.udp(40_000, 53).write(&mut out, &query(&name)),
        1 => there.tcp(40_001, 80, 1_000, 65_000).ack(1).write(&mut out, request.as_bytes()),
        2 => back.tcp(80, 40_001, 5_000, 65_000).ack(1).write(&mut out, head.as_bytes()),
        _ => {
            let sequence = 5_000 + head.len() as u32 + 1_000 * (step - 3);
            back.tcp(80, 40_001, sequence, 65_000).ack(1).write(&mut out, &[b'x'; 1_000])
        }
    };
    written.expect("writes");
    out
}

fn query(name: &str) -> Vec<u8> {
    let header = [7u16, 0x0100, 1, 0, 0, 0].map(u16::to_be_bytes);
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat());
    header.as_flattened().iter().copied().chain(labels).chain([0, 0, 1, 0, 1]).collect()
}
