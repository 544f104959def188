//! The stream against an obvious twin, the table against a hash map, and the lifecycle of a conversation.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::packet::{Address, FrameRef};

impl Keep for u16 {}
impl Keep for u32 {}

const SEED: HashSeed = HashSeed(99);

fn frame(number: u64) -> FrameRef {
    FrameRef { file: 0, number, time: Timestamp::from_parts(number, 0) }
}

struct Rig {
    stream: Stream,
    pool: Pool,
    counters: StreamCounters,
    out: Vec<u8>,
    gaps: Vec<(usize, u64)>,
    frames: Vec<u64>,
}

impl Rig {
    fn new(limit: usize) -> Self {
        Self {
            stream: Stream::default(),
            pool: Pool::new(limit),
            counters: StreamCounters::default(),
            out: Vec::new(),
            gaps: Vec::new(),
            frames: Vec::new(),
        }
    }

    fn push(&mut self, sequence: u32, data: &[u8], number: u64) {
        self.push_segment(Segment { sequence, is_syn: false, data, missing_bytes: 0, frame: frame(number) });
    }

    fn push_segment(&mut self, segment: Segment<'_>) {
        let (out, gaps, frames) = (&mut self.out, &mut self.gaps, &mut self.frames);
        let emit = &mut |chunk: Chunk<'_>, _: &mut Pool| take(chunk, out, gaps, frames);
        self.stream.push(&segment, &mut Outlet { pool: &mut self.pool, counters: &mut self.counters, emit });
    }

    fn syn(&mut self, sequence: u32) {
        self.push_segment(Segment { sequence, is_syn: true, data: &[], missing_bytes: 0, frame: frame(1) });
    }

    fn give_up(&mut self) {
        let (out, gaps, frames) = (&mut self.out, &mut self.gaps, &mut self.frames);
        let emit = &mut |chunk: Chunk<'_>, _: &mut Pool| take(chunk, out, gaps, frames);
        self.stream.give_up(&mut Outlet { pool: &mut self.pool, counters: &mut self.counters, emit });
    }
}

fn take(chunk: Chunk<'_>, out: &mut Vec<u8>, gaps: &mut Vec<(usize, u64)>, frames: &mut Vec<u64>) {
    if chunk.is_aside {
        return;
    }
    if chunk.gap_bytes > 0 {
        gaps.push((out.len(), chunk.gap_bytes));
    }
    out.extend_from_slice(chunk.data);
    frames.push(chunk.frame.number);
}

#[test]
fn in_order_over_the_wrap() {
    let mut rig = Rig::new(1 << 20);
    rig.syn(u32::MAX - 3);
    rig.push(u32::MAX - 2, b"abc", 2);
    rig.push(0, b"def", 3);
    assert_eq!((rig.out.as_slice(), rig.gaps.len()), (&b"abcdef"[..], 0));
}

#[test]
fn a_filled_hole_is_the_filling_packets() {
    let mut rig = Rig::new(1 << 20);
    rig.push(100, b"ab", 1);
    rig.push(104, b"ef", 2);
    rig.push(106, b"gh", 3);
    assert_eq!(rig.out, b"ab");
    assert_eq!(rig.stream.earliest_pending(), Some(frame(2)));
    rig.push(102, b"cd", 4);
    assert_eq!(rig.out, b"abcdefgh");
    assert_eq!(rig.frames, [1, 4, 4, 4]);
    assert_eq!((rig.counters.out_of_order, rig.counters.gaps, rig.pool.in_use_bytes()), (2, 0, 0));
}

#[test]
fn a_hole_given_up_is_counted_and_its_bytes_are_their_own_packets() {
    let mut rig = Rig::new(1 << 20);
    rig.push(100, b"ab", 1);
    rig.push(104, b"ef", 2);
    rig.push(110, b"kl", 3);
    rig.give_up();
    assert_eq!(rig.out, b"abefkl");
    assert_eq!(rig.gaps, [(2, 2), (4, 4)]);
    assert_eq!(rig.frames, [1, 2, 2, 3, 3]);
    assert_eq!((rig.counters.gaps, rig.counters.gap_bytes), (2, 6));
    assert!(!rig.stream.has_pending());
}

#[test]
fn what_was_handed_on_stands_and_the_first_to_wait_wins() {
    let mut rig = Rig::new(1 << 20);
    rig.push(100, b"AB", 1);
    rig.push(100, b"xxCD", 2);
    assert_eq!(rig.out, b"ABCD");
    rig.push(108, b"IJ", 3);
    rig.push(106, b"GHxxKL", 4);
    rig.push(104, b"EF", 5);
    assert_eq!(rig.out, b"ABCDEFGHIJKL");
    assert_eq!((rig.counters.overlapping, rig.counters.retransmitted), (2, 0));
    rig.push(100, b"zz", 6);
    assert_eq!((rig.counters.retransmitted, rig.out.len()), (1, 12));
}

#[test]
fn a_snap_length_leaves_a_gap_of_its_size() {
    let mut rig = Rig::new(1 << 20);
    rig.push_segment(Segment { sequence: 10, is_syn: false, data: b"ab", missing_bytes: 3, frame: frame(1) });
    rig.push(15, b"fg", 2);
    assert_eq!((rig.out.as_slice(), rig.gaps.as_slice()), (&b"abfg"[..], &[(2, 3)][..]));
}

#[test]
fn a_forged_segment_far_away_does_not_lead_astray_but_a_real_jump_does() {
    let mut rig = Rig::new(1 << 20);
    rig.push(100, b"ab", 1);
    rig.push(0x9000_0000, b"xx", 2);
    rig.push(102, b"cd", 3);
    assert_eq!(rig.out, b"abcd");
    for n in 0..3 {
        rig.push(0xa000_0000 + 2 * n, b"ef", 4 + u64::from(n));
    }
    assert_eq!(rig.out, b"abcdef");
    assert_eq!(rig.gaps.len(), 1);
}

#[test]
fn memory_that_runs_out_costs_a_gap_and_nothing_else() {
    let mut rig = Rig::new(100);
    rig.push(100, b"ab", 1);
    rig.push(104, &[b'x'; 200], 2);
    assert_eq!((rig.out.len(), rig.gaps.as_slice()), (202, &[(2, 2)][..]));
    assert_eq!((rig.pool.refused, rig.pool.in_use_bytes()), (1, 0));
}

#[test]
fn too_much_behind_a_hole_gives_it_up() {
    let mut rig = Rig::new(1 << 24);
    rig.push(0, b"a", 1);
    for n in 0..400u32 {
        rig.push(2 + 2000 * n, &[b'b'; 2000], 2 + u64::from(n));
    }
    assert_eq!(rig.counters.gaps, 1);
    assert_eq!(rig.out.len(), 1 + 400 * 2000);
    assert_eq!(rig.pool.in_use_bytes(), 0);
}

proptest! {
    /// Segments of one message, cut anywhere, in any order, some twice: the message comes out, whatever the start number.
    #[test]
    fn any_order_gives_the_message(
        message in prop::collection::vec(any::<u8>(), 1..400),
        cuts in prop::collection::vec(0usize..400, 0..20),
        order in prop::collection::vec(any::<u16>(), 1..60),
        start in any::<u32>(),
    ) {
        let mut ends: Vec<usize> = cuts.into_iter().map(|c| c % message.len()).chain([0, message.len()]).collect();
        ends.sort_unstable();
        ends.dedup();
        let pieces: Vec<(usize, usize)> = ends.windows(2).map(|w| (w[0], w[1])).collect();
        let mut rig = Rig::new(1 << 20);
        rig.syn(start.wrapping_sub(1));
        let picks = order.iter().map(|&o| usize::from(o) % pieces.len()).chain(0..pieces.len());
        for (number, pick) in picks.enumerate() {
            let (from, to) = pieces[pick];
            rig.push(start.wrapping_add(from as u32), &message[from..to], number as u64 + 2);
        }
        prop_assert_eq!(&rig.out, &message);
        prop_assert!(rig.gaps.is_empty());
        prop_assert_eq!(rig.pool.in_use_bytes(), 0);
    }

    /// Overlapping segments with conflicting bytes, holes and all: every position comes out as the first byte that arrived
    /// for it, unless it was given up before.
    #[test]
    fn the_first_byte_to_arrive_wins(
        segments in prop::collection::vec((0u32..120, prop::collection::vec(any::<u8>(), 1..40)), 1..30),
    ) {
        let mut rig = Rig::new(1 << 20);
        rig.syn(999);
        let mut twin: HashMap<u32, u8> = HashMap::new();
        for (number, (at, data)) in segments.iter().enumerate() {
            rig.push(1000 + at, data, number as u64 + 2);
            for (i, &byte) in data.iter().enumerate() {
                twin.entry(at + i as u32).or_insert(byte);
            }
        }
        rig.give_up();
        let mut positions: Vec<u32> = twin.keys().copied().collect();
        positions.sort_unstable();
        let expected: Vec<u8> = positions.iter().map(|p| twin[p]).collect();
        prop_assert_eq!(&rig.out, &expected);
        prop_assert_eq!(rig.pool.in_use_bytes(), 0);
    }

    /// Anything at all: no panic, no memory left behind.
    #[test]
    fn anything_is_survived(
        segments in prop::collection::vec((any::<u32>(), any::<bool>(), 0usize..3000, 0u32..100), 0..200),
        limit in 0usize..100_000,
    ) {
        let mut rig = Rig::new(limit);
        let data = vec![7u8; 3000];
        for (number, (sequence, is_syn, length, missing_bytes)) in segments.into_iter().enumerate() {
            let near = if number % 3 == 0 { sequence } else { sequence % 9000 };
            rig.push_segment(Segment { sequence: near, is_syn, data: &data[..length], missing_bytes, frame: frame(number as u64) });
            prop_assert!(rig.pool.in_use_bytes() <= limit);
        }
        rig.give_up();
        prop_assert_eq!(rig.pool.in_use_bytes(), 0);
    }

    /// The table, as long as it is not full, agrees with a hash map.
    #[test]
    fn the_table_agrees_with_a_map(hosts in prop::collection::vec(0u16..300, 1..600)) {
        let mut table: FlowTable<u32> = FlowTable::new(2, 4096);
        let mut twin: HashMap<u16, u32> = HashMap::new();
        let now = Timestamp::from_parts(100, 0);
        for host in hosts {
            let packet = syn(host, 80);
            let (key, from) = FlowKey::of(&packet).expect("addresses");
            let home = table.home(table.base(1), key.hash(SEED));
            let slot = table.find(home, &key, now).unwrap_or_else(|| {
                let room = table.insert(home, now);
                assert!(matches!(room, Room::Free(_)));
                *table.get_mut(room.slot()) = Flow::start(key, &packet, from, now);
                room.slot()
            });
            *table.get_mut(slot).state_mut() += 1;
            *twin.entry(host).or_default() += 1;
        }
        prop_assert_eq!(table.len(), twin.len());
        let mut counts: Vec<u32> = table.iter().map(|(_, flow)| *flow.state()).collect();
        let mut expected: Vec<u32> = twin.into_values().collect();
        counts.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(counts, expected);
    }
}

fn syn(host: u16, port: u16) -> Packet {
    let [a, b] = host.to_be_bytes();
    Packet {
        ip_version: 4,
        source: Address::v4([10, 0, a, b]),
        destination: Address::v4([192, 0, 2, 1]),
        source_port: 40000,
        destination_port: port,
        protocol: protocol::TCP,
        tcp_flags: tcp_flag::SYN,
        ..Packet::default()
    }
}

#[test]
fn a_full_table_evicts_its_oldest_and_never_grows() {
    let mut table: FlowTable<u16> = FlowTable::new(2, 64);
    let mut evicted = Vec::new();
    for host in 0..10_000u16 {
        let packet = syn(host, 80);
        let now = Timestamp::from_parts(u64::from(host), 0);
        let (key, from) = FlowKey::of(&packet).expect("addresses");
        let home = table.home(table.base(1), key.hash(SEED));
        assert!(table.find(home, &key, now).is_none());
        let room = table.insert(home, now);
        let flow = table.get_mut(room.slot());
        if let Room::Taken(_) = room {
            evicted.push(*flow.state());
        }
        *flow = Flow::start(key, &packet, from, now);
        *flow.state_mut() = host;
        assert!(table.len() <= 64);
        assert!(table.find(home, &key, now).is_some());
    }
    assert_eq!(evicted.len(), 10_000 - table.len());
    let young = evicted.iter().enumerate().filter(|&(order, &host)| usize::from(host) > order + 500).count();
    assert_eq!(young, 0, "the old give way first");
}

#[test]
fn flows_of_a_table_that_was_full_have_their_turn() {
    let mut table: FlowTable<u16> = FlowTable::new(2, 64);
    let mut last = Timestamp::ZERO;
    for host in 0..20_000u16 {
        let packet = syn(host, 80);
        last = Timestamp::from_parts(u64::from(host / 100), 0);
        let (key, from) = FlowKey::of(&packet).expect("addresses");
        if host % 64 == 0 {
            table.sweep(1, last);
        }
        let slot = table.insert(table.home(table.base(1), key.hash(SEED)), last).slot();
        *table.get_mut(slot) = Flow::start(key, &packet, from, last);
    }
    let later = Timestamp::from_ns(last.as_ns() + timeout::TCP_HALF_OPEN.as_nanos() as u64 + 1);
    let full = table.len();
    let gone = (0..full).filter(|_| table.sweep(1, later).is_some()).count();
    assert_eq!((gone, table.len()), (full, 0));
}

/// Puts a flow into region 1 as a worker does, and returns how many left for it.
fn put(table: &mut FlowTable<u16>, packet: &Packet, now: Timestamp) -> usize {
    let (key, from) = FlowKey::of(packet).expect("addresses");
    let turns = (0..CROWDED_TURNS).take_while(|_| table.is_crowded(1) && table.sweep_crowd(1, now).is_some());
    let left = turns.count();
    let room = table.insert(table.home(table.base(1), key.hash(SEED)), now);
    *table.get_mut(room.slot()) = Flow::start(key, packet, from, now);
    left + usize::from(matches!(room, Room::Taken(_)))
}

#[test]
fn a_flood_of_half_open_connections_drives_only_its_own_out() {
    let now = Timestamp::from_parts(1000, 0);
    let mut table: FlowTable<u16> = FlowTable::new(2, 1024);
    let talking = |host| Packet { tcp_flags: tcp_flag::ACK, ..syn(host, 80) };
    for host in 0..300 {
        assert_eq!(put(&mut table, &talking(host), now), 0, "none is half-open");
    }
    let mut left = 0;
    for host in 300..20_000 {
        left += put(&mut table, &syn(host, 80), now);
        assert!(table.len() <= 300 + 400 + 50, "a third more half-open ones than others: {}", table.len());
    }
    assert_eq!(left, 20_000 - table.len());
    for host in 0..300 {
        let (key, _) = FlowKey::of(&talking(host)).expect("addresses");
        assert!(table.find(table.home(table.base(1), key.hash(SEED)), &key, now).is_some(), "{host}");
    }
}

#[test]
fn half_open_connections_stay_where_there_is_room() {
    let now = Timestamp::from_parts(1000, 0);
    let mut table: FlowTable<u16> = FlowTable::new(2, 1024);
    for host in 0..256 {
        assert_eq!(put(&mut table, &syn(host, 80), now), 0);
    }
    assert_eq!(put(&mut table, &syn(256, 80), now), 0, "a quarter is in use, not more");
    assert_eq!(put(&mut table, &syn(257, 80), now), 1);
    assert_eq!(table.len(), 257);
}

#[test]
fn sweeping_takes_out_what_timed_out_and_nothing_else() {
    let mut table: FlowTable<u16> = FlowTable::new(2, 1024);
    for host in 0..100u16 {
        let packet = syn(host, 80);
        let now = Timestamp::from_parts(if host < 50 { 1000 } else { 1100 }, 0);
        let (key, from) = FlowKey::of(&packet).expect("addresses");
        let slot = table.insert(table.home(table.base(1), key.hash(SEED)), now).slot();
        *table.get_mut(slot) = Flow::start(key, &packet, from, now);
        *table.get_mut(slot).state_mut() = host;
    }
    let now = Timestamp::from_parts(1000, 0).as_ns() + timeout::TCP_HALF_OPEN.as_nanos() as u64 + 1;
    let mut gone: Vec<u16> = Vec::new();
    for _ in 0..4000 {
        if let Some(slot) = table.sweep(1, Timestamp::from_ns(now)) {
            gone.push(*table.get(slot).state());
        }
    }
    assert_eq!((gone.len(), table.len()), (50, 50));
    assert!(gone.iter().all(|&host| host < 50));
}

#[test]
fn a_flow_is_blank_until_somebody_has_its_state() {
    let (key, from) = FlowKey::of(&syn(1, 80)).expect("addresses");
    let mut flow: Flow<u16> = Flow::start(key, &syn(1, 80), from, Timestamp::ZERO);
    assert!(flow.is_blank());
    *flow.state_mut() = 7;
    assert!(!flow.is_blank());
    flow.restart(key, &syn(1, 80), from, Timestamp::ZERO);
    assert_eq!((flow.is_blank(), *flow.state()), (true, 0), "made anew with the flow");
    *flow.parts().state = 7;
    assert!(!flow.is_blank());
}

#[test]
fn who_opened_it() {
    let open = |flags: u8, source_port: u16, destination_port: u16| {
        let packet = Packet { tcp_flags: flags, source_port, destination_port, ..syn(1, 80) };
        let (key, from) = FlowKey::of(&packet).expect("addresses");
        Flow::<()>::start(key, &packet, from, Timestamp::ZERO).identity.originator().1
    };
    assert_eq!(open(tcp_flag::SYN, 25, 40000), 25, "a SYN says it");
    assert_eq!(open(tcp_flag::SYN | tcp_flag::ACK, 80, 40000), 40000, "a SYN/ACK answers");
    assert_eq!(open(tcp_flag::ACK, 443, 40000), 40000, "a well-known port serves");
    assert_eq!(open(tcp_flag::ACK, 40000, 443), 40000);
    assert_eq!(open(tcp_flag::ACK, 50000, 40000), 50000, "else the first seen");
}

#[test]
fn a_syn_on_a_closed_or_busy_flow_starts_another_but_not_a_repeated_one() {
    let packet = syn(1, 80);
    let (key, from) = FlowKey::of(&packet).expect("addresses");
    let now = Timestamp::from_parts(10, 0);
    let mut flow: Flow<()> = Flow::start(key, &packet, from, now);
    let mut pool = Pool::new(1000);
    let mut counters = StreamCounters::default();
    let segment = |sequence, is_syn, data| Segment { sequence, is_syn, data, missing_bytes: 0, frame: frame(1) };
    let yes = Accepted::Yes(Direction::ToResponder);
    assert_eq!(flow.accept(&packet, from, now), yes);
    let mut out = Outlet { pool: &mut pool, counters: &mut counters, emit: &mut |_, _| {} };
    flow.streams[0].push(&segment(0, true, b""), &mut out);
    assert_eq!(flow.accept(&packet, from, now), yes, "a retransmitted SYN");
    let data = Packet { tcp_flags: tcp_flag::ACK, sequence: 1, payload_bytes: 2, ..packet };
    assert_eq!(flow.accept(&data, from, now), yes);
    flow.streams[0].push(&segment(1, false, b"hi"), &mut out);
    assert_eq!(flow.lifecycle(), Lifecycle::Established);
    let again = Packet { sequence: 77_000, ..packet };
    assert_eq!(flow.accept(&again, from, now), Accepted::StartsAnother);
    let stale = Packet { tcp_flags: tcp_flag::RST, sequence: 0x7000_0000, ..packet };
    assert_eq!(flow.accept(&stale, from, now), yes);
    assert_eq!(flow.lifecycle(), Lifecycle::Established, "a forged RST closes nothing");
    let reset = Packet { tcp_flags: tcp_flag::RST, sequence: 3, ..packet };
    assert_eq!(flow.accept(&reset, from, now), yes);
    assert_eq!(flow.lifecycle(), Lifecycle::Closed);
    let late = Timestamp::from_parts(10_000, 0);
    assert_eq!(flow.accept(&data, from, late), Accepted::StartsAnother, "it timed out");
}

#[test]
fn a_flow_record_is_small() {
    assert!(size_of::<Flow<()>>() <= 192, "{}", size_of::<Flow<()>>());
}

#[test]
fn a_fin_that_overtakes_data_is_remembered() {
    let (mut pool, mut counters) = (Pool::new(1 << 20), StreamCounters::default());
    let mut stream = Stream::default();
    let mut push = |stream: &mut Stream, sequence: u32, data: &[u8], is_syn: bool| {
        let segment = Segment { sequence, is_syn, data, missing_bytes: 0, frame: FrameRef::default() };
        stream.push(&segment, &mut Outlet { pool: &mut pool, counters: &mut counters, emit: &mut |_, _| {} });
        stream.take_end()
    };
    assert!(!push(&mut stream, 99, b"", true));
    stream.note_end(106);
    assert!(!push(&mut stream, 100, b"a", false), "nothing waited that it is behind of");
    assert!(!push(&mut stream, 104, b"ef", false));
    stream.note_end(106);
    assert!(!push(&mut stream, 102, b"c", false));
    assert!(!push(&mut stream, 101, b"b", false), "one byte is still missing");
    assert!(push(&mut stream, 103, b"d", false));
    assert!(!stream.take_end(), "said once");
}

#[test]
fn packets_that_are_watched_for_are_told_of() {
    let packet = syn(40_000, 80);
    let (key, from) = FlowKey::of(&packet).expect("addresses");
    let now = Timestamp::from_parts(1, 0);
    let mut flow = Flow::<()>::start(key, &packet, from, now);
    let data = Packet { tcp_flags: tcp_flag::ACK, payload_bytes: 2, ..packet };
    let fin = Packet { tcp_flags: tcp_flag::FIN | tcp_flag::ACK, ..packet };
    let way = Direction::ToResponder;
    let mut accepted = |watch: Option<Watch>, packet: &Packet| {
        watch.into_iter().for_each(|watch| flow.watch(watch));
        (flow.accept(packet, from, now), flow.lifecycle())
    };
    assert_eq!(accepted(None, &packet), (Accepted::Yes(way), Lifecycle::HalfOpen));
    assert_eq!(accepted(Some(Watch::Turns), &packet), (Accepted::Watched(way), Lifecycle::HalfOpen));
    assert_eq!(accepted(None, &data), (Accepted::Yes(way), Lifecycle::Established), "it goes on as ever");
    assert_eq!(accepted(Some(Watch::All), &data), (Accepted::Watched(way), Lifecycle::Established));
    assert_eq!(accepted(Some(Watch::Turns), &fin).0, Accepted::Watched(way));
    assert_eq!(accepted(Some(Watch::None), &fin).0, Accepted::Yes(way));
    flow.watch(Watch::All);
    flow.restart(key, &packet, from, now);
    assert_eq!(flow.accept(&packet, from, now), Accepted::Yes(way), "another conversation is not watched");
}
