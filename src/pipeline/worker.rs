//! [`Worker`]: the life of a packet, in one place. It owns its shards, counters and view of the matcher, and shares nothing.
//!
//! Packets are taken in groups, and each stage runs over the whole group so that memory misses overlap: the buckets of all
//! are asked for, then the records, then each packet is stepped through.

use std::path::Path;
use std::sync::Arc;

use super::aside::Aside;
use super::counters::Counters;
use super::decoded::{Bytes, Headers, Item, frame_bytes};
use super::exit::Said;
use super::eyes::{Delivery, Eyes, Unseen};
use super::judge;
use super::order::Place;
use super::shard::{Shard, State, Table, Wait, is_waiting};
use super::verdict::Verdict;
use super::{Options, SHARDS};
use crate::alert::{Alert, FlowRecord};
use crate::flow::{Accepted, Candidate, Direction, Flow, Home, Outlet, Room, Segment, Slot, StreamCounters};
use crate::indicator::Transport;
use crate::matcher::{EndpointKey, MatchSet};
use crate::packet::{self, Ends, FrameMeta, FrameRef, Packet, protocol, tcp_flag};
use crate::time::Timestamp;

/// Packets whose misses overlap. More would push the first out of the nearest cache again.
pub(super) const GROUP: usize = 64;

/// Packets of a shard between two looks for a flow that timed out and for holes that are overdue.
const HOUSEKEEPING_INTERVAL: u64 = 64;

/// A frame and what was decoded of it.
pub(super) type Framed<'i> = (&'i FrameMeta, &'i Item);

/// What the table's first bucket says of a packet's flow.
#[derive(Clone, Copy)]
enum Guess {
    /// It may be this one.
    Known(Candidate),
    /// It is probably new: where in [`Worker::ends`] its ends are.
    New(u8),
}

/// See the module.
pub(super) struct Worker {
    pub(super) shards: Vec<Shard>,
    /// A region for each of `shards`.
    pub(super) flows: Table,
    /// Of the flows of a group that are probably new: both ends, hashed for the filters.
    ends: Vec<[EndpointKey; 2]>,
    /// By shard number: where it is in `shards`.
    places: [u8; SHARDS],
    pub(super) scans_tcp: bool,
    pub(super) scans_udp: bool,
    verifies_checksums: bool,
    pub(super) eyes: Eyes,
    pub(super) counters: Counters,
    pub(super) unread: Unseen,
    pub(super) streams: StreamCounters,
    /// The flow log and evidence, if there are any.
    pub(super) aside: Option<Box<Aside>>,
}

impl Worker {
    /// The worker of every `stride`-th shard.
    pub(super) fn new(set: &Arc<MatchSet>, captures: &Arc<[Arc<Path>]>, options: &Options, stride: usize) -> Self {
        let per_shard = |total: usize| total.div_ceil(SHARDS);
        let shards = SHARDS.div_ceil(stride);
        let mut eyes = Eyes::new(set, captures);
        eyes.suppress(options.suppress.as_ref());
        let aside = Aside::new(options, shards);
        if aside.as_ref().is_some_and(|aside| aside.has_log()) {
            eyes.note_flows();
        }
        Self {
            shards: (0..shards).map(|_| Shard::new(per_shard(options.max_stream_bytes))).collect(),
            flows: Table::new(shards, per_shard(options.max_flows)),
            ends: Vec::with_capacity(GROUP),
            places: std::array::from_fn(|number| (number / stride) as u8),
            scans_tcp: set.has_patterns_for(Transport::Tcp),
            scans_udp: set.has_patterns_for(Transport::Udp),
            verifies_checksums: options.verifies_checksums,
            eyes,
            counters: Counters::default(),
            unread: Unseen::default(),
            streams: StreamCounters::default(),
            aside,
        }
    }

    /// Asks for the bucket that tells where an item's flow is.
    #[inline(always)]
    pub(super) fn prefetch(&self, item: &Item) {
        self.flows.prefetch_bucket(self.home(item));
    }

    /// Takes up to [`GROUP`] frames, all decoded on this thread, through everything.
    #[inline]
    pub(super) fn process_decoded(&mut self, headers: &Headers, data: &[u8], group: &[FrameMeta]) {
        let bytes = headers.bytes(data);
        match headers.only() {
            Some(items) => self.process(bytes, group.iter().zip(items)),
            None => headers.order.chunks(GROUP).for_each(|order| {
                self.process(bytes, order.iter().map(|&at| headers.framed(at, group)));
            }),
        }
    }

    /// Takes up to [`GROUP`] frames of one batch through everything. [`Worker::prefetch`] was asked for each.
    pub(super) fn process<'i>(&mut self, data: Bytes<'_>, items: impl Iterator<Item = Framed<'i>> + Clone) {
        let mut plans = [(Home::default(), Guess::New(0)); GROUP];
        self.ends.clear();
        for ((frame, item), plan) in items.clone().zip(&mut plans) {
            if item.role.is_own() {
                self.counters.frames += 1;
                self.counters.captured_bytes += u64::from(frame.captured_bytes);
            }
            let home = self.home(item);
            let guess = match self.flows.prefetch_record(home, frame.time) {
                Some(candidate) => Guess::Known(candidate),
                None => {
                    self.ends.push(self.eyes.prefetch_ends(item));
                    Guess::New((self.ends.len() - 1) as u8)
                }
            };
            *plan = (home, guess);
        }
        for (framed, &(home, guess)) in items.zip(&plans) {
            self.step(data, framed, home, guess);
        }
    }

    /// Where the table's first bucket for an item's flow is.
    #[inline(always)]
    fn home(&self, item: &Item) -> Home {
        self.flows.home(usize::from(self.places[item.shard()]), item.hash)
    }

    /// One packet.
    #[inline(always)]
    fn step(&mut self, data: Bytes<'_>, framed: Framed<'_>, home: Home, guess: Guess) {
        let (frame, item) = framed;
        let packet = &item.packet;
        let stop = packet.stopped.map(|stopped| self.stop(stopped, framed));
        if packet.ip_version == 0 {
            return self.judge_alone(framed, stop.unwrap_or_default());
        }
        if self.verifies_checksums && self.is_spoilt(data, framed) {
            return self.judge_alone(framed, Verdict::BadChecksum);
        }
        let (slot, direction) = self.track(framed, home, guess);
        let shard = home.region();
        let verdict = match packet.protocol {
            _ if !packet.is_readable() => None,
            protocol::TCP => self.segment(shard, slot, direction, data, framed),
            protocol::UDP => Some(self.datagram(shard, slot, direction, data, framed)),
            protocol::ICMP | protocol::ICMPV6 => Some(self.message(slot, direction, data, framed)),
            _ if packet.ends == Ends::Hardware => Some(self.in_frame(shard, slot, direction, data, framed)),
            _ => Some(Verdict::Inspected),
        };
        self.judge(slot, direction, data, framed, stop.or(verdict));
        if self.aside.is_some() {
            self.attend((shard, slot), direction, data, framed);
        }
        self.keep_house(shard, frame.time);
    }

    /// Whether a checksum is wrong; counted.
    #[cold]
    fn is_spoilt(&mut self, data: Bytes<'_>, (frame, item): Framed<'_>) -> bool {
        let wrong = packet::verify(frame_bytes(data.captured, frame), frame.link).filter(|_| item.role.is_own());
        if let Some(wrong) = wrong {
            self.counters.stopped.count((wrong.layer, wrong.kind));
        }
        wrong.is_some()
    }

    /// Finds or makes the packet's flow.
    #[inline(always)]
    fn track(&mut self, framed: Framed<'_>, home: Home, guess: Guess) -> (Slot, Direction) {
        let (frame, item) = framed;
        let now = frame.time;
        if let Guess::Known(candidate) = guess
            && let Some(slot) = self.flows.confirm(home, candidate, &item.key, now)
            && let Accepted::Yes(direction) = self.flows.get_mut(slot).accept(&item.packet, item.from, now)
        {
            return (slot, direction);
        }
        self.track_anew(framed, home, guess)
    }

    /// The same where the first look did not find it.
    #[inline(never)]
    fn track_anew(&mut self, framed: Framed<'_>, home: Home, guess: Guess) -> (Slot, Direction) {
        let (frame, item) = framed;
        let now = frame.time;
        if let Some(aside) = &mut self.aside {
            aside.go_on(frame.reference());
        }
        if let Some(slot) = self.flows.find(home, &item.key, now) {
            let flow = self.flows.get_mut(slot);
            match flow.accept(&item.packet, item.from, now) {
                Accepted::Yes(direction) => return (slot, direction),
                Accepted::StartsAnother => {
                    self.counters.expired_flows += u64::from(flow.is_expired(now));
                    self.finish(home.region(), slot, false);
                    return (slot, self.begin(slot, framed, guess));
                }
            }
        }
        let room = self.flows.insert(home, now);
        if let Room::Taken(slot) = room {
            let is_evicted = !self.flows.get(slot).is_expired(now);
            self.counters.evicted_flows += u64::from(is_evicted);
            self.counters.expired_flows += u64::from(!is_evicted);
            self.finish(home.region(), slot, is_evicted);
        }
        (room.slot(), self.begin(room.slot(), framed, guess))
    }

    /// The first packet of a flow, in the place of what was there: its addresses are looked up, once for the flow.
    fn begin(&mut self, slot: Slot, (frame, item): Framed<'_>, guess: Guess) -> Direction {
        self.counters.flows += 1;
        let keys = match guess {
            Guess::New(at) => self.ends[usize::from(at)],
            Guess::Known(_) => self.eyes.prefetch_ends(item),
        };
        let flow = self.flows.get_mut(slot);
        flow.restart(item.key, &item.packet, item.from, frame.time);
        let direction = match flow.accept(&item.packet, item.from, frame.time) {
            Accepted::Yes(direction) => direction,
            Accepted::StartsAnother => Direction::ToResponder,
        };
        self.eyes.look_at_ends(&keys, &flow.identity, &mut flow.state.seldom, frame.reference());
        direction
    }

    #[inline(always)]
    fn segment(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Option<Verdict> {
        let packet = &framed.1.packet;
        let bytes = packet.payload_bytes.wrapping_add(packet.payload_missing_bytes);
        let mut verdict = Some(Verdict::Inspected);
        if bytes > 0 || packet.has(tcp_flag::SYN) {
            let flow = self.flows.get_mut(slot);
            if flow.is_quiet[direction.index()] {
                flow.streams[direction.index()].follow(packet.sequence.wrapping_add(bytes));
                verdict = Some(judge::lasting(flow, direction, || data.payload(framed)));
            } else if !self.scans_tcp && steps_over(flow, direction, packet) {
                verdict = Some(Verdict::PassedOver);
            } else {
                verdict = self.push(shard, slot, direction, data, framed);
            }
        }
        if packet.tcp_flags & (tcp_flag::FIN | tcp_flag::RST) != 0 {
            self.end(shard, slot, direction, framed);
        }
        verdict
    }

    /// A FIN or RST. One that overtook data ends nothing yet; a forged one may look as if it did, so what is held stays.
    #[inline(never)]
    fn end(&mut self, shard: usize, slot: Slot, direction: Direction, (frame, item): Framed<'_>) {
        let packet = &item.packet;
        let end = packet.sequence.wrapping_add(packet.payload_bytes).wrapping_add(packet.payload_missing_bytes);
        let is_end = packet.tcp_flags & tcp_flag::RST == 0;
        let flow = self.flows.get_mut(slot);
        if flow.is_quiet[direction.index()] {
            return;
        }
        let stream = &mut flow.streams[direction.index()];
        if stream.is_at(end) {
            self.look_at_held(shard, slot, direction, frame.reference(), is_end);
        } else if is_end {
            stream.note_end(end);
        }
    }

    /// `None` while the rest of its message is to tell.
    #[inline(never)]
    fn push(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Option<Verdict> {
        let (frame, item) = framed;
        let packet = &item.packet;
        let segment = Segment {
            sequence: packet.sequence,
            is_syn: packet.has(tcp_flag::SYN),
            data: data.payload(framed),
            missing_bytes: packet.payload_missing_bytes,
            frame: frame.reference(),
        };
        let flow = self.flows.get_mut(slot);
        let reading = flow.state.conversation.reading(direction);
        let out_of_window = self.streams.out_of_window;
        let was_waiting = is_waiting(flow, direction);
        match packet.urgent_pointer {
            0 => self.deliver(shard, slot, direction, |stream, out| stream.push(&segment, out)),
            at => self.deliver(shard, slot, direction, |stream, out| stream.push_urgent(&segment, at, out)),
        }
        if was_waiting && self.flows.get_mut(slot).streams[direction.index()].take_end() {
            self.look_at_held(shard, slot, direction, frame.reference(), true);
        }
        let flow = self.flows.get_mut(slot);
        match is_waiting(flow, direction) {
            true if !was_waiting => self.shards[shard].wait(slot, flow.turn, direction, segment.frame),
            true => {}
            false if self.scans_tcp => {}
            // Both directions: a parser may be done with the other one too, or have both probed anew.
            false => {
                let [there, back] = flow.state.conversation.is_quiet();
                flow.is_quiet = [there && !flow.streams[0].has_pending(), back && !flow.streams[1].has_pending()];
            }
        }
        let worst = self.unread.take_worst();
        if self.streams.out_of_window > out_of_window {
            return Some(Verdict::OutOfWindow);
        }
        if worst > Verdict::Inspected || segment.data.is_empty() {
            return Some(worst);
        }
        judge::read(self.flows.get_mut(slot), direction, reading, segment.data)
    }

    /// Has a stream do something that hands bytes on.
    fn deliver(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        act: impl FnOnce(&mut crate::flow::Stream, &mut Outlet<'_>),
    ) {
        let pool = &mut self.shards[shard].pool;
        let Flow { identity, streams, state, .. } = self.flows.get_mut(slot);
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        let mut delivery = Delivery { identity, state, direction, scans, eyes, unread };
        let emit = &mut |chunk: crate::flow::Chunk<'_>, pool: &mut crate::flow::Pool| delivery.chunk(&chunk, pool);
        act(&mut streams[direction.index()], &mut Outlet { pool, counters: &mut self.streams, emit });
    }

    /// A direction says that it has no more bytes.
    #[cold]
    fn look_at_held(&mut self, shard: usize, slot: Slot, direction: Direction, frame: FrameRef, is_end: bool) {
        let pool = &mut self.shards[shard].pool;
        let Flow { identity, state, .. } = self.flows.get_mut(slot);
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        Delivery { identity, state, direction, scans, eyes, unread }.look_at_held(pool, frame, is_end);
    }

    /// No more bytes of a direction will come.
    #[cold]
    fn cut(&mut self, shard: usize, slot: Slot, direction: Direction, frame: FrameRef) {
        let pool = &mut self.shards[shard].pool;
        let Flow { identity, state, .. } = self.flows.get_mut(slot);
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        Delivery { identity, state, direction, scans, eyes, unread }.cut(pool, frame);
    }

    #[inline(always)]
    fn datagram(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Verdict {
        if framed.1.packet.payload_bytes == 0 {
            return Verdict::Inspected;
        }
        let flow = self.flows.get_mut(slot);
        if flow.is_quiet[direction.index()] {
            return judge::lasting(flow, direction, || data.payload(framed));
        }
        self.read_datagram(Transport::Udp, shard, slot, direction, data, framed)
    }

    /// What lies in an Ethernet frame without IP.
    #[cold]
    fn in_frame(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Verdict {
        let flow = self.flows.get_mut(slot);
        if flow.is_quiet[direction.index()] {
            return judge::lasting(flow, direction, || data.payload(framed));
        }
        self.read_datagram(Transport::Ethernet, shard, slot, direction, data, framed)
    }

    #[inline(never)]
    fn read_datagram(
        &mut self,
        transport: Transport,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Verdict {
        let payload = data.payload(framed);
        let pool = &mut self.shards[shard].pool;
        let flow = self.flows.get_mut(slot);
        let reading = flow.state.conversation.reading(direction);
        let Flow { identity, state, is_quiet, .. } = flow;
        let scans = self.scans_udp && transport == Transport::Udp;
        let (eyes, unread) = (&mut self.eyes, &mut self.unread);
        let frame = framed.0.reference();
        Delivery { identity, state, direction, scans, eyes, unread }.datagram(transport, payload, pool, frame);
        is_quiet[direction.index()] = !scans && !state.conversation.wants(direction);
        match self.unread.take_worst() {
            Verdict::Inspected => judge::read(flow, direction, reading, payload).unwrap_or_default(),
            worst => worst,
        }
    }

    /// An ICMP error quotes the packet that it is about: its ends are looked up.
    #[cold]
    fn message(&mut self, slot: Slot, direction: Direction, data: Bytes<'_>, framed: Framed<'_>) -> Verdict {
        let Flow { identity, state, .. } = self.flows.get_mut(slot);
        let payload = data.payload(framed);
        let (packet, frame) = (&framed.1.packet, framed.0.reference());
        self.eyes.look_at_quoted((packet, payload), direction, identity, &mut state.seldom, frame);
        Verdict::Inspected
    }

    /// Every so many packets of a shard idle flows leave and holes that are overdue are given up.
    #[inline(always)]
    fn keep_house(&mut self, shard: usize, now: Timestamp) {
        let packets = &mut self.shards[shard].packets;
        *packets += 1;
        if packets.is_multiple_of(HOUSEKEEPING_INTERVAL) {
            self.clean_up(shard, now);
        }
    }

    #[inline(never)]
    pub(super) fn clean_up(&mut self, shard: usize, now: Timestamp) {
        for slot in self.flows.sweep(shard, now).into_iter().flatten() {
            self.counters.expired_flows += 1;
            self.finish(shard, slot, false);
        }
        if !self.shards[shard].has_waits() {
            return;
        }
        while let Some(Wait { slot, direction, .. }) = self.shards[shard].overdue(&self.flows, now) {
            self.deliver(shard, slot, direction, |stream, out| stream.give_up(out));
            self.decide_if_lost(slot);
            self.claim(shard, slot);
        }
    }

    /// A flow ends: what still waits in it is looked at, its memory goes back, and its verdict is known.
    fn finish(&mut self, shard: usize, slot: Slot, is_evicted: bool) {
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            if self.flows.get_mut(slot).streams[direction.index()].has_pending() {
                self.deliver(shard, slot, direction, |stream, out| stream.give_up(out));
            }
        }
        self.unread.finish(&mut self.flows.get_mut(slot).state, &mut self.shards[shard].pool);
        let verdict = self.judge_flow(slot, is_evicted);
        if self.aside.is_some() {
            self.attend_end((shard, slot), verdict, is_evicted);
        }
    }

    /// The end of a batch, or of a while without one: packet time is `now`.
    pub(super) fn end_batch(&mut self, now: Timestamp) {
        if let Some(suppressor) = &mut self.eyes.suppressor {
            suppressor.tick(now);
        }
        if let Some(aside) = &mut self.aside {
            aside.tick(now);
        }
    }

    /// Alerts raised since the last call.
    pub(super) fn take_alerts(&mut self) -> Vec<Alert> {
        let mut alerts = self.eyes.take_alerts();
        alerts.extend(self.aside.iter_mut().flat_map(|aside| aside.take_alerts()));
        alerts
    }

    /// Everything that was raised, when the worker is no good any more.
    #[cold]
    pub(super) fn give_up(&mut self) -> Vec<Alert> {
        self.eyes.close();
        self.aside.iter_mut().for_each(|aside| aside.close());
        self.take_alerts()
    }

    /// Whether there are any.
    #[inline]
    pub(super) fn has_alerts(&self) -> bool {
        self.eyes.has_alerts() || self.aside.as_ref().is_some_and(|aside| aside.has_alerts())
    }

    /// Flows that have ended since the last call, if there is a flow log.
    pub(super) fn take_flows(&mut self) -> Vec<FlowRecord> {
        self.aside.as_mut().map(|aside| aside.take_flows()).unwrap_or_default()
    }

    /// The first frame that an alert still to come may name, among those already processed.
    pub(super) fn held_back(&mut self) -> Option<FrameRef> {
        let aside = self.aside.as_ref().and_then(|aside| aside.held_back());
        self.shards.iter_mut().filter_map(|shard| shard.held_back(&self.flows)).chain(aside).min()
    }

    /// The end of the captures: what still waits is looked at.
    pub(super) fn end_waits(&mut self) {
        for shard in 0..self.shards.len() {
            while let Some(Wait { slot, direction, frame, .. }) = self.shards[shard].any_waiting(&self.flows) {
                self.deliver(shard, slot, direction, |stream, out| stream.give_up(out));
                self.cut(shard, slot, direction, frame);
                self.decide_if_lost(slot);
                self.claim(shard, slot);
            }
        }
    }

    /// What there is to say since the last call.
    pub(super) fn say(&mut self, mark: Place, end: Place) -> Said {
        let named = std::mem::take(&mut self.eyes.named);
        Said { alerts: self.take_alerts(), flows: self.take_flows(), named, mark, end }
    }

    /// The end of the captures. Returns the last alerts and flows, and the numbers.
    pub(super) fn close(mut self) -> (Said, Counters) {
        self.end_waits();
        for (slot, flow) in self.flows.iter() {
            flow.state.conversation.unfinished().into_iter().for_each(|why| self.unread.tally.count(why));
            let verdict = judge::end_open(flow, &mut self.counters);
            self.aside.iter_mut().for_each(|aside| aside.stop(slot, flow, verdict));
        }
        self.eyes.close();
        self.aside.iter_mut().for_each(|aside| aside.close());
        let counters = self.numbers();
        (self.say((0, 0), (0, 0)), counters)
    }

    /// The numbers so far. Packets that only the end of their flow judges are not among them.
    pub(super) fn numbers(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.wire_bytes = counters.visibility.total().bytes;
        counters.no_memory = self.shards.iter().map(|shard| shard.pool.refused).sum();
        counters.streams = self.streams;
        counters.unread = self.unread.tally.clone();
        counters.suppressed = self.eyes.suppressed.clone();
        counters.held_back = self.eyes.held_back();
        if let Some(aside) = &self.aside {
            let (records, cut_short) = aside.counters();
            counters.flow_log.merge(&records);
            counters.evidence_cut_short += cut_short;
        }
        counters.over_flow_cap = self.eyes.over_flow_cap;
        counters.unscanned_bytes = self.eyes.unscanned_bytes;
        counters.begun_refused = self.eyes.begun_refused;
        counters.shed_scan_bytes = self.eyes.shed_scan_bytes;
        counters
    }
}

/// Whether a segment is the next of its stream and holds nothing but bytes that its parser steps over, most of a long body: then
/// nothing else is done for it.
#[inline(always)]
fn steps_over(flow: &mut Flow<State>, direction: Direction, packet: &Packet) -> bool {
    let stream = &mut flow.streams[direction.index()];
    let is_plain = packet.payload_missing_bytes == 0
        && packet.payload_bytes > 0
        && packet.urgent_pointer == 0
        && !packet.has(tcp_flag::SYN)
        && stream.is_at(packet.sequence);
    let steps = is_plain && flow.state.conversation.step_over(direction, packet.payload_bytes);
    if steps {
        stream.step_over(packet.payload_bytes);
    }
    steps
}
