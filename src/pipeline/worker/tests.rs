use std::path::Path;
use std::sync::Arc;

use etherparse::PacketBuilder;

use super::*;
use crate::flow::HashSeed;
use crate::indicator::IndicatorSet;
use crate::packet::LinkType;
use crate::pipeline::engine::REPLAY_SEED;
use crate::pipeline::fragments::Assembler;
use crate::pipeline::shard::MAX_WAIT_FRAMES;

/// A worker of all shards and the frames that it is given one by one.
struct Bench {
    worker: Worker,
    headers: Headers,
    assembler: Assembler,
}

impl Bench {
    fn new() -> Self {
        Self::with(&Options::default())
    }

    fn with(options: &Options) -> Self {
        let set = Arc::new(MatchSet::compile(IndicatorSet::default(), IndicatorSet::default()));
        let captures: Arc<[Arc<Path>]> = [Arc::from(Path::new("a.pcap")), Arc::from(Path::new("b.pcap"))].into();
        let worker = Worker::new(&set, &captures, options, 1);
        Self { worker, headers: Headers::default(), assembler: Assembler::default() }
    }

    fn take(&mut self, (file, number): Place, data: &[u8]) {
        let time = Timestamp::from_ns(number);
        let bytes = data.len() as u32;
        let frame = FrameMeta {
            file,
            number,
            time,
            offset: 0,
            captured_bytes: bytes,
            wire_bytes: bytes,
            link: LinkType::ETHERNET,
        };
        let seed: HashSeed = REPLAY_SEED;
        let ahead = |item: &mut _| self.worker.prefetch(item);
        self.headers.decode(data, &[frame], seed, &mut self.assembler, ahead);
        self.worker.process_decoded(&self.headers, data, &[frame]);
    }
}

fn segment(sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64);
    builder.tcp(1000, 80, sequence, 1024).ack(1).write(&mut frame, payload).expect("writes");
    frame
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const HOLE: &[u8] = &[b'a'; 95];

/// What a host of its own sends first.
fn syn(host: u64) -> Vec<u8> {
    let [.., a, b, c] = host.to_be_bytes();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, a, b, c], [198, 51, 100, 2], 64);
    let mut frame = Vec::new();
    builder.tcp(1000, 80, 1, 1024).syn().write(&mut frame, &[]).expect("writes");
    frame
}

/// A stream with a hole between frames 1 and 2.
fn with_hole() -> Bench {
    let mut bench = Bench::new();
    let behind = 100 + (REQUEST.len() + HOLE.len()) as u32;
    bench.take((0, 1), &segment(100, REQUEST));
    bench.take((0, 2), &segment(behind, b"behind"));
    assert_eq!(bench.worker.held_back().map(|frame| frame.number), Some(2));
    bench
}

#[test]
fn a_hole_is_given_up_after_so_many_frames_though_its_shard_has_no_packets() {
    let mut bench = with_hole();
    let over = 2 + MAX_WAIT_FRAMES;
    bench.worker.give_up_all_overdue((0, over));
    assert!(bench.worker.held_back().is_some(), "the frame that is too late has not come");
    bench.worker.give_up_all_overdue((0, over + 1));
    assert_eq!(bench.worker.held_back(), None);
    assert_eq!(bench.worker.streams.gaps, 1);
    let mut bench = with_hole();
    bench.worker.give_up_all_overdue((1, over + 9));
    assert!(bench.worker.held_back().is_some(), "another file counts anew");
}

#[test]
fn the_shards_next_packet_finds_the_same_whether_somebody_asked_before() {
    let filling = segment(100 + REQUEST.len() as u32, HOLE);
    for (number, gaps) in [(1 + MAX_WAIT_FRAMES, 0), (2 + MAX_WAIT_FRAMES, 1)] {
        for asks in [false, true] {
            let mut bench = with_hole();
            if asks {
                bench.worker.give_up_all_overdue((0, number));
            }
            bench.take((0, number), &filling);
            assert_eq!(bench.worker.streams.gaps, gaps, "{number} {asks}");
        }
    }
}

#[test]
fn a_flood_of_half_open_connections_is_counted_and_evicts_none() {
    const FLOWS: u64 = 20_000;
    let mut bench = Bench::with(&Options { max_flows: 4096, ..Options::default() });
    bench.take((0, 1), &segment(100, REQUEST));
    for number in 2..=FLOWS {
        bench.take((0, number), &syn(number));
    }
    let live = bench.worker.flows.len() as u64;
    assert!(bench.worker.flows.iter().filter(|(_, flow)| !flow.is_blank()).count() <= 1, "only one has a payload");
    let counters = bench.worker.numbers();
    assert!(live < 4096 / 4 + 2 * SHARDS as u64, "{live}");
    assert_eq!((counters.flows, counters.half_open_dropped_flows), (FLOWS, FLOWS - live));
    assert_eq!((counters.evicted_flows, counters.expired_flows), (0, 0));
    let total = bench.worker.close().1.visibility.total();
    assert_eq!((total.packets, total.flows), (FLOWS, FLOWS), "each has its verdict");
}
