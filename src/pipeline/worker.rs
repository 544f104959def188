//! [`Worker`]: the life of a packet, in one place. It owns its shards, counters and view of the matcher, and shares nothing.
//!
//! Packets are taken in groups, and each stage runs over the whole group so that memory misses overlap: the buckets of all
//! are asked for, then the records, then each packet is stepped through.

mod ending;
mod payload;

use std::path::Path;
use std::sync::Arc;

use arrayvec::ArrayVec;

use self::payload::pass;
use super::aside::Aside;
use super::counters::Counters;
use super::decoded::{Bytes, Headers, Item, frame_bytes};
use super::eyes::{Eyes, Unseen};
use super::order::Place;
use super::shard::{Shard, Table, Wait};
use super::verdict::Verdict;
use super::{Options, SHARDS};
use crate::flow::{Accepted, Base, CROWDED_TURNS, Candidate, Direction, FlowParts, Home, Room, Slot, StreamCounters};
use crate::indicator::Transport;
use crate::matcher::{EndpointKey, MatchSet};
use crate::packet::{self, Ends, FrameMeta, protocol};
use crate::time::Timestamp;

/// Packets whose misses overlap. More would push the first out of the nearest cache again.
pub(super) const GROUP: usize = 64;

/// Items of a group: one a frame, and some that lie beside them. Groups with more are taken in pieces.
const GROUP_ITEMS: usize = GROUP + GROUP / 2;

/// New flows of a group from which on it looks like a flood, and it is worth asking for who has to go.
const MANY_NEW: usize = GROUP / 4;

/// Packets of a shard between two looks for a flow that timed out and for holes that are overdue.
const HOUSEKEEPING_INTERVAL: u64 = 64;

/// A frame and what was decoded of it.
pub(super) type Framed<'i> = (&'i FrameMeta, &'i Item);

/// An item on its way through a group.
struct Visit<'i> {
    framed: Framed<'i>,
    home: Home,
    /// Where the table's first bucket says that its flow may be. If nowhere, it is probably new.
    guess: Option<Candidate>,
    /// Of one that is probably new, where in [`Worker::ends`] its ends are.
    ends: u8,
}

/// Why a flow leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It timed out, or another has begun on its addresses and ports.
    Over,
    /// Nobody has answered yet, and the table is crowded.
    HalfOpen,
    /// The table is full.
    Evicted,
}

/// The items of a group.
type Visits<'i> = ArrayVec<Visit<'i>, GROUP_ITEMS>;

/// See the module.
pub(super) struct Worker {
    pub(super) shards: Vec<Shard>,
    /// Packets of each of `shards`.
    packets: [u64; SHARDS],
    /// A region for each of `shards`.
    pub(super) flows: Table,
    /// Of the flows of a group that are probably new: both ends, hashed for the filters.
    ends: Vec<[EndpointKey; 2]>,
    /// By shard number: where its region begins.
    bases: [Base; SHARDS],
    pub(super) scans_tcp: bool,
    pub(super) scans_udp: bool,
    verifies_checksums: bool,
    /// Whether plain packets may take the short way: nothing is to be checked or kept of each.
    passes_plain: bool,
    pub(super) eyes: Eyes,
    pub(super) counters: Counters,
    pub(super) unread: Unseen,
    pub(super) streams: StreamCounters,
    /// The frame before which waits are to be looked at: the first of [`Shard::due`].
    due: u64,
    /// The flow log and evidence, if there are any.
    pub(super) aside: Option<Box<Aside>>,
}

impl Worker {
    /// The worker of every `stride`-th shard.
    pub(super) fn new(set: &Arc<MatchSet>, captures: &Arc<[Arc<Path>]>, options: &Options, stride: usize) -> Self {
        let per_shard = |total: usize| total.div_ceil(SHARDS);
        let shards = SHARDS.div_ceil(stride);
        let mut eyes = Eyes::new(set, captures);
        eyes.protocols = options.protocols;
        eyes.suppress(options.suppress.as_ref());
        let aside = Aside::new(options, shards);
        if aside.as_ref().is_some_and(|aside| aside.has_log()) {
            eyes.note_flows();
        }
        let flows = Table::new(shards, per_shard(options.max_flows));
        Self {
            shards: (0..shards).map(|_| Shard::new(per_shard(options.max_stream_bytes))).collect(),
            packets: [0; SHARDS],
            bases: std::array::from_fn(|number| flows.base(number / stride)),
            flows,
            ends: Vec::with_capacity(GROUP_ITEMS),
            scans_tcp: set.has_patterns_for(Transport::Tcp),
            scans_udp: set.has_patterns_for(Transport::Udp),
            verifies_checksums: options.verifies_checksums,
            passes_plain: aside.is_none() && !options.verifies_checksums,
            eyes,
            counters: Counters::default(),
            unread: Unseen::default(),
            streams: StreamCounters::default(),
            due: u64::MAX,
            aside,
        }
    }

    /// Finds an item's home and asks for its bucket, which tells where its flow is.
    #[inline(always)]
    pub(super) fn prefetch(&self, item: &mut Item) {
        item.home = self.home(item);
        self.flows.prefetch_bucket(item.home);
    }

    /// Takes up to [`GROUP`] frames, all decoded on this thread, through everything. [`Worker::prefetch`] was asked for each item.
    #[inline]
    pub(super) fn process_decoded(&mut self, headers: &Headers, data: &[u8], group: &[FrameMeta]) {
        let bytes = headers.bytes(data);
        self.count(group.iter());
        let mut visits = Visits::new();
        headers.for_each(group, |frame, item| self.visit(&bytes, &mut visits, (frame, item), item.home));
        self.make(&bytes, &mut visits);
    }

    /// Takes up to [`GROUP`] items of a batch through everything that was decoded elsewhere.
    pub(super) fn process_own<'i>(&mut self, data: Bytes<'_>, items: impl Iterator<Item = Framed<'i>> + Clone) {
        let mut homes = [Home::default(); GROUP];
        for (framed, home) in items.clone().zip(&mut homes) {
            *home = self.home(framed.1);
            self.flows.prefetch_bucket(*home);
            data.prefetch(framed);
        }
        self.count(items.clone().filter(|(_, item)| item.role.is_own()).map(|(frame, _)| frame));
        let mut visits = Visits::new();
        items.zip(homes).for_each(|(framed, home)| self.visit(&data, &mut visits, framed, home));
        self.make(&data, &mut visits);
    }

    fn count<'f>(&mut self, frames: impl Iterator<Item = &'f FrameMeta>) {
        let add = |(count, bytes), frame: &FrameMeta| (count + 1, bytes + u64::from(frame.captured_bytes));
        let (count, bytes) = frames.fold((0, 0), add);
        self.counters.frames += count;
        self.counters.captured_bytes += bytes;
    }

    /// Asks for the record of an item's flow and puts it with the others of its group.
    #[inline(always)]
    fn visit<'i>(&mut self, data: &Bytes<'_>, visits: &mut Visits<'i>, framed: Framed<'i>, home: Home) {
        if visits.is_full() {
            self.make(data, visits);
        }
        let (guess, mut ends) = (self.flows.prefetch_record(home, framed.0.time), 0);
        if guess.is_none() {
            ends = self.ends.len() as u8;
            self.ends.push(self.eyes.prefetch_ends(framed.1));
        }
        visits.push(Visit { framed, home, guess, ends });
    }

    /// Takes the items of a group through everything.
    #[inline(never)]
    fn make(&mut self, data: &Bytes<'_>, visits: &mut Visits<'_>) {
        if self.ends.len() >= MANY_NEW {
            let new = visits.iter().filter(|visit| visit.guess.is_none());
            new.for_each(|visit| self.flows.prefetch_victim(visit.home, visit.framed.0.time));
        }
        for visit in visits.iter() {
            self.step(*data, visit);
        }
        visits.clear();
        self.ends.clear();
    }

    /// Where the table's first bucket for an item's flow is.
    #[inline(always)]
    fn home(&self, item: &Item) -> Home {
        self.flows.home(self.bases[item.shard()], item.hash)
    }

    /// One packet.
    #[inline(always)]
    fn step(&mut self, data: Bytes<'_>, visit: &Visit<'_>) {
        let framed @ (frame, item) = visit.framed;
        if self.due <= frame.number {
            self.give_up_overdue((frame.file, frame.number));
        }
        if !self.passes_plain || !item.is_plain() {
            return self.step_any(data, visit);
        }
        if let Some(guess) = visit.guess
            && let Some(flow) = self.flows.confirm(visit.home, guess, &item.key, frame.time)
        {
            match flow.accept(&item.packet, item.from, frame.time) {
                Accepted::Yes(direction) => {
                    let passed = pass(flow, direction, data, framed, self.scans_tcp, &mut self.counters);
                    if let Err(verdict) = passed {
                        self.read_plain(guess.slot(), direction, data, framed, (visit.home, verdict));
                    }
                }
                Accepted::Watched(direction) => {
                    let (slot, direction) = self.attend_watched(guess.slot(), direction, framed);
                    self.step_plain(slot, direction, data, visit);
                }
                Accepted::StartsAnother => self.step_anew(data, visit),
            }
        } else {
            self.step_anew(data, visit);
        }
        self.keep_house(self.flows.region(visit.home), frame.time);
    }

    /// One packet that is plain, of a flow that the first look did not find.
    #[inline(never)]
    fn step_anew(&mut self, data: Bytes<'_>, visit: &Visit<'_>) {
        let (slot, direction) = self.track_anew(visit);
        self.step_plain(slot, direction, data, visit);
    }

    /// One packet that is plain, from its flow to its verdict.
    #[inline(always)]
    fn step_plain(&mut self, slot: Slot, direction: Direction, data: Bytes<'_>, visit: &Visit<'_>) {
        let flow = self.flows.get_mut(slot);
        let passed = pass(flow, direction, data, visit.framed, self.scans_tcp, &mut self.counters);
        if let Err(verdict) = passed {
            self.read_plain(slot, direction, data, visit.framed, (visit.home, verdict));
        }
    }

    /// One packet that may be anything.
    #[inline(never)]
    fn step_any(&mut self, data: Bytes<'_>, visit: &Visit<'_>) {
        let framed = visit.framed;
        let (frame, item) = framed;
        let packet = &item.packet;
        let stop = packet.stopped.map(|stopped| self.stop(stopped, framed));
        if packet.ip_version == 0 {
            return self.judge_alone(framed, stop.unwrap_or_default());
        }
        if self.verifies_checksums && self.is_spoilt(data, framed) {
            return self.judge_alone(framed, Verdict::BadChecksum);
        }
        let (slot, direction) = self.track(visit);
        let shard = self.flows.region(visit.home);
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
    fn track(&mut self, visit: &Visit<'_>) -> (Slot, Direction) {
        let framed @ (frame, item) = visit.framed;
        let now = frame.time;
        if let Some(guess) = visit.guess
            && let Some(flow) = self.flows.confirm(visit.home, guess, &item.key, now)
        {
            match flow.accept(&item.packet, item.from, now) {
                Accepted::Yes(direction) => return (guess.slot(), direction),
                Accepted::Watched(direction) => return self.attend_watched(guess.slot(), direction, framed),
                Accepted::StartsAnother => {}
            }
        }
        self.track_anew(visit)
    }

    /// The same where the first look did not find it.
    #[inline(never)]
    fn track_anew(&mut self, visit: &Visit<'_>) -> (Slot, Direction) {
        let (framed @ (frame, item), home) = (visit.framed, visit.home);
        let now = frame.time;
        if let Some(aside) = &mut self.aside {
            aside.go_on(frame.reference());
        }
        if let Some(slot) = self.flows.find(home, &item.key, now) {
            let flow = self.flows.get_mut(slot);
            match flow.accept(&item.packet, item.from, now) {
                Accepted::Yes(direction) => return (slot, direction),
                Accepted::Watched(direction) => return self.attend_watched(slot, direction, framed),
                Accepted::StartsAnother => {
                    self.counters.expired_flows += u64::from(flow.is_expired(now));
                    self.finish(self.flows.region(home), slot, Leaving::Over);
                    return (slot, self.begin(slot, visit));
                }
            }
        }
        let shard = self.flows.region(home);
        // In a full table one has to go in any case.
        if !self.flows.is_full(shard) {
            self.make_way(shard, now);
        }
        let room = self.flows.insert(home, now);
        if let Room::Taken(slot) = room {
            self.leave(shard, slot, Leaving::Evicted, now);
        }
        (room.slot(), self.begin(room.slot(), visit))
    }

    /// The first packet of a flow, in the place of what was there: its addresses are looked up, once for the flow.
    fn begin(&mut self, slot: Slot, visit: &Visit<'_>) -> Direction {
        let (frame, item) = visit.framed;
        self.counters.flows += 1;
        let flow = self.flows.get_mut(slot);
        flow.restart(item.key, &item.packet, item.from, frame.time);
        let direction = match flow.accept(&item.packet, item.from, frame.time) {
            Accepted::Yes(direction) | Accepted::Watched(direction) => direction,
            Accepted::StartsAnother => Direction::ToResponder,
        };
        if self.eyes.looks_at_addresses() {
            let keys = match visit.guess {
                None => self.ends[usize::from(visit.ends)],
                Some(_) => self.eyes.prefetch_ends(item),
            };
            if self.eyes.are_of_interest(&keys) {
                let FlowParts { identity, state, .. } = flow.parts();
                self.eyes.look_at_ends(identity, &mut state.seldom, frame.reference());
            }
        }
        if self.eyes.has_header_rules {
            self.eyes.judge_first(flow, (&item.packet, direction), frame.reference());
        }
        direction
    }

    /// A packet that a rule of a header alone may be waiting for.
    #[cold]
    fn attend_watched(&mut self, slot: Slot, direction: Direction, (frame, item): Framed<'_>) -> (Slot, Direction) {
        self.eyes.judge_next(self.flows.get_mut(slot), (&item.packet, direction), frame.reference());
        (slot, direction)
    }

    /// Every so many packets of a shard idle flows leave and holes that are overdue are given up.
    #[inline(always)]
    fn keep_house(&mut self, shard: usize, now: Timestamp) {
        let packets = &mut self.packets[shard % SHARDS];
        *packets += 1;
        if packets.is_multiple_of(HOUSEKEEPING_INTERVAL) {
            self.clean_up(shard, now);
        }
    }

    /// Before a flow comes to a shard another leaves, if the one whose turn it is may.
    #[inline(always)]
    fn make_way(&mut self, shard: usize, now: Timestamp) {
        if self.flows.is_crowded(shard) {
            self.disperse(shard, now);
        } else if let Some(slot) = self.flows.sweep(shard, now) {
            self.leave(shard, slot, Leaving::Over, now);
        }
    }

    /// The same of a crowded shard.
    #[inline(never)]
    fn disperse(&mut self, shard: usize, now: Timestamp) {
        for _ in 0..CROWDED_TURNS {
            let Some(slot) = self.flows.sweep_crowd(shard, now) else { break };
            self.leave(shard, slot, Leaving::HalfOpen, now);
            if !self.flows.is_crowded(shard) {
                break;
            }
        }
    }

    /// A flow leaves because it timed out or, if not, because it was `pressed` to.
    #[inline(always)]
    fn leave(&mut self, shard: usize, slot: Slot, pressed: Leaving, now: Timestamp) {
        let leaving = if self.flows.get(slot).is_expired(now) { Leaving::Over } else { pressed };
        let counters = &mut self.counters;
        match leaving {
            Leaving::Over => counters.expired_flows += 1,
            Leaving::HalfOpen => counters.half_open_dropped_flows += 1,
            Leaving::Evicted => counters.evicted_flows += 1,
        }
        self.finish(shard, slot, leaving);
    }

    #[inline(never)]
    pub(super) fn clean_up(&mut self, shard: usize, now: Timestamp) {
        if let Some(slot) = self.flows.sweep(shard, now) {
            self.leave(shard, slot, Leaving::Over, now);
        }
        if !self.shards[shard].has_waits() {
            return;
        }
        while let Some(wait) = self.shards[shard].overdue(&self.flows, now, self.packets[shard]) {
            self.give_up_wait(shard, &wait);
        }
    }

    /// Holes that have been waited for through too many frames when this one comes, in all shards: each would find the same when its own
    /// next packet comes.
    #[cold]
    fn give_up_overdue(&mut self, place: Place) {
        for shard in 0..self.shards.len() {
            while let Some(wait) = self.shards[shard].overdue_at(&self.flows, place) {
                self.give_up_wait(shard, &wait);
            }
        }
        // What waits in another file is not asked for again with every frame.
        let dues = self.shards.iter().map(|shard| shard.due).filter(|&due| due > place.1);
        self.due = dues.min().unwrap_or(u64::MAX);
    }

    fn give_up_wait(&mut self, shard: usize, wait: &Wait) {
        self.deliver(shard, wait.slot, wait.direction, |stream, out| stream.give_up(out));
        self.decide_if_lost(wait.slot);
        self.claim(shard, wait.slot);
    }

    /// A replay's batch has ended before frame `end`: what the next packet of a shard would give up goes now, for it may be long in coming.
    pub(super) fn give_up_all_overdue(&mut self, end: Place) {
        if self.due < end.1 {
            self.give_up_overdue((end.0, end.1 - 1));
        }
    }

    /// A flow ends: what still waits in it is looked at, its memory goes back, and its verdict is known.
    fn finish(&mut self, shard: usize, slot: Slot, leaving: Leaving) {
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            if self.flows.get_mut(slot).streams[direction.index()].has_pending() {
                self.deliver(shard, slot, direction, |stream, out| stream.give_up(out));
            }
        }
        let flow = self.flows.get_mut(slot);
        if !flow.is_blank() {
            self.unread.finish(flow.state_mut(), &mut self.shards[shard].pool);
        }
        let verdict = self.judge_flow(slot, leaving);
        if self.aside.is_some() {
            self.attend_end((shard, slot), verdict, leaving);
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
}

#[cfg(test)]
mod tests;
