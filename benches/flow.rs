//! What it costs to find a packet's flow among a quarter of a million: in groups whose misses overlap, one at a time, and in a
//! hashbrown table of boxed records, which is the measured alternative. Every run asserts that it found them all.
//!
//! `cargo bench --bench flow`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hashbrown::HashTable;
use picket::flow::{Flow, FlowKey, FlowTable, HashSeed, Home, Keep};
use picket::packet::{Address, Packet, protocol};
use picket::time::Timestamp;

criterion_group!(benches, bench);
criterion_main!(benches);

const FLOWS: u32 = 1 << 18;
const GROUP: usize = 64;
const SEED: HashSeed = HashSeed(7);
/// What the floors above keep with a flow, in size.
#[derive(Default)]
struct State {
    _kept: [u64; 16],
}

impl Keep for State {}

fn packet(number: u32) -> Packet {
    let [a, b, c, d] = number.to_be_bytes();
    Packet {
        ip_version: 4,
        source: Address::v4([10, b, c, d]),
        destination: Address::v4([192, 0, 2, a]),
        source_port: 40_000,
        destination_port: 53,
        protocol: protocol::UDP,
        ..Packet::default()
    }
}

fn bench(c: &mut Criterion) {
    let now = Timestamp::from_parts(1_700_000_000, 0);
    let mut table: FlowTable<State> = FlowTable::new(1, FLOWS as usize);
    let mut boxes: HashTable<Box<Flow<State>>> = HashTable::new();
    for number in 0..FLOWS {
        let packet = packet(number);
        let (key, from) = FlowKey::of(&packet).expect("addresses");
        let home = table.home(table.base(0), key.hash(SEED));
        let slot = table.insert(home, now).slot();
        table.get_mut(slot).restart(key, &packet, from, now);
        boxes.insert_unique(key.hash(SEED), Box::new(Flow::start(key, &packet, from, now)), |flow| {
            flow.key().hash(SEED)
        });
    }
    // A permutation: neighbours in time are no neighbours in memory.
    let wanted: Vec<FlowKey> = (0..1u32 << 14)
        .map(|n| FlowKey::of(&packet(n.wrapping_mul(2_654_435_761) % FLOWS)).expect("addresses").0)
        .collect();
    let found_in_table = wanted.iter().filter(|key| {
        let home = table.home(table.base(0), key.hash(SEED));
        table.find(home, key, now).is_some()
    });
    let expected = found_in_table.count();
    assert!(expected > wanted.len() * 9 / 10, "the table holds what was put in, but for evictions: {expected}");

    let mut group = c.benchmark_group("flow");
    group.throughput(Throughput::Elements(wanted.len() as u64));
    group.bench_function("in groups of 64", |b| b.iter(|| assert_eq!(in_groups(&mut table, &wanted, now), expected)));
    group.bench_function("one at a time", |b| {
        b.iter(|| {
            let found = wanted.iter().filter(|key| {
                let home = table.home(table.base(0), key.hash(SEED));
                table.find(home, black_box(key), now).is_some()
            });
            assert_eq!(found.count(), expected);
        })
    });
    group.bench_function("hashbrown table of boxes", |b| {
        b.iter(|| {
            let is_there = |key: &FlowKey| boxes.find(key.hash(SEED), |flow| flow.key() == key).is_some();
            let found = wanted.iter().filter(|key| is_there(black_box(key)));
            assert_eq!(found.count(), wanted.len());
        })
    });
    group.finish();
}

/// As `pipeline::worker` does it.
fn in_groups(table: &mut FlowTable<State>, wanted: &[FlowKey], now: Timestamp) -> usize {
    let mut found = 0;
    for group in wanted.chunks(GROUP) {
        let mut homes = [Home::default(); GROUP];
        for (key, home) in group.iter().zip(&mut homes) {
            *home = table.home(table.base(0), key.hash(SEED));
            table.prefetch_bucket(*home);
        }
        let mut candidates = [None; GROUP];
        for (home, candidate) in homes.iter().zip(&mut candidates).take(group.len()) {
            *candidate = table.prefetch_record(*home, now);
        }
        for ((key, &home), candidate) in group.iter().zip(&homes).zip(candidates) {
            let is_there = candidate.is_some_and(|candidate| table.confirm(home, candidate, key, now).is_some());
            found += usize::from(is_there || table.find(home, key, now).is_some());
        }
    }
    found
}
