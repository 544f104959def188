//! [`FlowTable`]: every live conversation, in memory that is fixed when the table is made.
//!
//! Buckets of one cache line hold eight marks, ages and record numbers; a key may lie in either of two buckets, in the second only if
//! the first was full (a bucket counts those). When both are full, or every record is in use, the oldest flow of the two
//! gives way: constant time, whatever an attacker sends.
//! Records are not touched before they are first used, so a small capture costs little of a large table. Who calls
//! [`FlowTable::sweep`] before each new flow has the records of those that timed out used again before new ones are, while they are in the
//! cache: flows are looked at in turn, the one that was not for the longest time first. Once more than a quarter of a region is in use
//! ([`FlowTable::sweep_crowd`]), connections that nobody has answered leave at their turn too: while others have less than two
//! fifths of the table, a flood of them neither fills it nor drives those out.
//!
//! A table has regions: each has its own buckets and its own share of the flows, and what happens in one depends on nothing in
//! another. They lie side by side in one piece of memory, so that large pages can back it.
//!
//! A packet touches its bucket line, then its record: [`FlowTable::prefetch_bucket`] and [`FlowTable::prefetch_record`] let
//! a batch overlap those misses. The table never looks at a clock: time is the packet's.

mod ahead;
mod bucket;
mod turn;

use std::collections::VecDeque;
use std::num::NonZeroU64;

use self::bucket::{Bucket, WAYS, age};
use self::turn::{Filed, Place, Turn};
use super::{Flow, FlowKey, Keep};
use crate::time::Timestamp;
use crate::{memory, prefetch};

/// Record slots per flow that the table can hold: the buckets are two thirds full when the records run out.
const SLOTS_NUMERATOR: usize = 3;
const SLOTS_DENOMINATOR: usize = 2;

/// The part of a region's capacity beyond which half-open connections need not wait until they time out.
const CROWDED_DIVISOR: usize = 4;

/// Turns of a crowded region before each new flow, at most: the first that finds nothing to leave is the last, for a flood of other flows must
/// not be made dearer. Half-open flows so become a third more than the others, or a quarter of all.
pub const CROWDED_TURNS: usize = 4;

/// Flows that one region can hold, at least.
const LEAST_FLOWS: usize = 2 * WAYS;

/// See the module.
pub struct FlowTable<S> {
    /// Of all regions, one after the other.
    buckets: Vec<Bucket>,
    /// Of all regions, as they came.
    records: Vec<Flow<S>>,
    /// For each record with a flow, the bucket and way that name it.
    places: Vec<Filed>,
    free: Vec<u32>,
    regions: Vec<Region>,
    /// Buckets of one region, a power of two, and its logarithm and what of a hash chooses one of them.
    stride: usize,
    shift: u32,
    mask: u64,
    /// Flows of one region.
    capacity: usize,
    /// Whether the last flow that had to go was blank ([`Flow::is_blank`]). A hint.
    last_was_blank: bool,
}

#[derive(Clone, Default)]
struct Region {
    /// Its flows, in the order that [`FlowTable::sweep`] looks at them.
    turns: VecDeque<Turn>,
    /// Bucket where a victim was last looked for.
    hand: usize,
}

/// Number of a record in the table. Stays the flow's as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u32);

/// Where a key's flow lies if there is one: found once for a packet, from its hash. The bucket's number in the lower half, above it 16
/// bits of the hash: one number, for it is written and read for each packet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Home(u64);

/// Number of a region's first bucket.
#[derive(Debug, Clone, Copy)]
pub struct Base(u32);

/// Where a flow may be: the first whose mark fits. Record and way in one number that is never 0, so that one may be or not in a word.
#[derive(Debug, Clone, Copy)]
pub struct Candidate(NonZeroU64);

impl Candidate {
    #[inline(always)]
    fn new(record: u32, way: usize) -> Self {
        Self(NonZeroU64::MIN | u64::from(record) << 8 | (way as u64) << 1)
    }

    /// The record.
    #[inline(always)]
    pub fn slot(self) -> Slot {
        Slot((self.0.get() >> 8) as u32)
    }

    #[inline(always)]
    fn way(self) -> usize {
        (self.0.get() >> 1) as usize % WAYS
    }
}

/// Where a new flow goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The record holds nothing.
    Free(Slot),
    /// The record still holds the flow that has to go.
    Taken(Slot),
}

impl Room {
    /// The record.
    pub fn slot(self) -> Slot {
        match self {
            Self::Free(slot) | Self::Taken(slot) => slot,
        }
    }
}

impl Home {
    /// What a bucket remembers of it, never 0: one byte, so that a bucket's are one word. One flow in a hundred or so has another's mark
    /// before it in its bucket, and costs a comparison more.
    #[inline(always)]
    fn mark(self) -> u8 {
        (self.0 >> 40) as u8
    }

    #[inline(always)]
    fn tag(self) -> u16 {
        (self.0 >> 32) as u16
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        self.0 as u32 as usize
    }
}

impl<S: Keep> FlowTable<S> {
    /// A table of `regions`, each for `capacity` flows (at least 16). Address space is taken now, memory as flows come.
    pub fn new(regions: usize, capacity: usize) -> Self {
        let capacity = capacity.max(LEAST_FLOWS);
        let stride = Self::buckets_for(capacity);
        let mut buckets = Vec::with_capacity(stride * regions);
        memory::ask_for_large_pages(&buckets);
        buckets.resize(stride * regions, Bucket::default());
        let records = Vec::with_capacity(capacity * regions);
        memory::ask_for_large_pages(&records);
        Self {
            buckets,
            records,
            places: Vec::with_capacity(capacity * regions),
            free: Vec::new(),
            regions: vec![Region::default(); regions],
            stride,
            shift: stride.ilog2(),
            mask: stride as u64 - 1,
            capacity,
            last_was_blank: false,
        }
    }

    /// Bytes that a region for `capacity` flows takes when full.
    pub fn bytes_for(capacity: usize) -> usize {
        let capacity = capacity.max(LEAST_FLOWS);
        Self::buckets_for(capacity) * size_of::<Bucket>()
            + capacity * (size_of::<Flow<S>>() + size_of::<Turn>() + size_of::<Filed>() + size_of::<u32>())
    }

    fn buckets_for(capacity: usize) -> usize {
        (capacity * SLOTS_NUMERATOR / SLOTS_DENOMINATOR).div_ceil(WAYS).next_power_of_two()
    }

    /// Flows in the table.
    pub fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A region's first bucket.
    pub fn base(&self, region: usize) -> Base {
        Base((region << self.shift) as u32)
    }

    /// Where a key of this hash lies in the region with this base.
    #[inline(always)]
    pub fn home(&self, base: Base, hash: u64) -> Home {
        Home(u64::from(tag(hash)) << 32 | u64::from(base.0) | hash & self.mask)
    }

    /// The region that a home lies in.
    #[inline(always)]
    pub fn region(&self, home: Home) -> usize {
        home.bucket() >> self.shift
    }

    /// The flow of a key, if it is the one that [`FlowTable::prefetch_record`] pointed at and has still its place. If another packet of the
    /// group had it leave, [`Flow::accept`] says so.
    #[inline(always)]
    pub fn confirm(&mut self, home: Home, candidate: Candidate, key: &FlowKey, now: Timestamp) -> Option<&mut Flow<S>> {
        let (record, way) = (candidate.slot().0, candidate.way());
        let flow = self.records.get_mut(record as usize).filter(|flow| flow.key() == key)?;
        let bucket = &mut self.buckets[home.bucket()];
        if bucket.records[way] != record {
            return None;
        }
        bucket.ages[way] = age(now);
        Some(flow)
    }

    /// The flow of a key.
    #[inline(always)]
    pub fn find(&mut self, home: Home, key: &FlowKey, now: Timestamp) -> Option<Slot> {
        let first = home.bucket();
        let (at, way) = match self.find_in(first, home, key) {
            None if self.buckets[first].has_spilt() => self.find_in(self.second(home), home, key)?,
            found => found?,
        };
        let bucket = &mut self.buckets[at];
        bucket.ages[way] = age(now);
        Some(Slot(bucket.records[way]))
    }

    /// Where a bucket has the flow of a key.
    #[inline(always)]
    fn find_in(&self, at: usize, home: Home, key: &FlowKey) -> Option<(usize, usize)> {
        let bucket = &self.buckets[at];
        let mut ways = bucket.with(home.mark());
        while ways != 0 {
            let way = Bucket::first(ways);
            // The bits behind the first need not be true, and what a way without a flow names is another's, or gone.
            if bucket.marks[way] == home.mark() && self.records[bucket.records[way] as usize].key() == key {
                return Some((at, way));
            }
            ways &= ways - 1;
        }
        None
    }

    /// The flow of a key, for who only looks: it is none the younger for it.
    pub fn peek(&self, home: Home, key: &FlowKey) -> Option<Slot> {
        let in_buckets = [home.bucket(), self.second(home)].into_iter().flat_map(|at| self.in_bucket(at));
        in_buckets.into_iter().find(|slot| self.get(*slot).key() == key)
    }

    /// Makes room for a flow that [`FlowTable::find`] did not find. The caller finishes the flow that had to go, if the slot
    /// is [`Room::Taken`], and puts the new one in its place.
    #[inline]
    pub fn insert(&mut self, home: Home, now: Timestamp) -> Room {
        let (first, region) = (home.bucket(), self.region(home));
        // The first bucket if it has room: a flow that lies there is found without a second miss.
        match self.buckets[first].find(0) {
            Some(way) if !self.is_full(region) => {
                let slot = self.free_record();
                self.regions[region].turns.push_back(Turn { record: slot.0, place: Place::new(first, way) });
                self.put(first, way, slot, home, now);
                Room::Free(slot)
            }
            _ => self.insert_where_full(home, now),
        }
    }

    fn put(&mut self, at: usize, way: usize, slot: Slot, home: Home, now: Timestamp) {
        let bucket = &mut self.buckets[at];
        (bucket.marks[way], bucket.records[way], bucket.ages[way]) = (home.mark(), slot.0, age(now));
        self.places[slot.0 as usize] =
            Filed { place: Place::new(at, way), tag: home.tag(), is_second: at != home.bucket() };
    }

    /// Nothing names a record any more.
    #[inline]
    fn take_out(&mut self, Slot(record): Slot) {
        let Filed { place, tag, is_second } = self.places[record as usize];
        self.buckets[place.bucket()].marks[place.way()] = 0;
        if is_second {
            let first = self.other(place.bucket(), tag);
            self.buckets[first].unspill();
        }
    }

    /// The same where the first bucket, or the region, is full.
    #[inline(never)]
    fn insert_where_full(&mut self, home: Home, now: Timestamp) -> Room {
        let (first, second) = (home.bucket(), self.second(home));
        let into = if self.buckets[first].find(0).is_some() { first } else { second };
        let empty = self.buckets[into].find(0);
        let (at, way, room) = match empty {
            Some(way) if !self.is_full(self.region(home)) => {
                let slot = self.free_record();
                let region = self.region(home);
                self.regions[region].turns.push_back(Turn { record: slot.0, place: Place::new(into, way) });
                (into, way, Room::Free(slot))
            }
            _ => {
                let (victim_at, victim_way) = self.victim(self.region(home), [into, first, second], now);
                let room = Room::Taken(Slot(self.buckets[victim_at].records[victim_way]));
                self.last_was_blank = self.get(room.slot()).is_blank();
                self.take_out(room.slot());
                match empty {
                    Some(way) => (into, way, room),
                    None => (victim_at, victim_way, room),
                }
            }
        };
        if at != first {
            self.buckets[first].spill();
        }
        self.put(at, way, room.slot(), home, now);
        room
    }

    /// Whether a new flow in a region takes the place of another.
    #[inline]
    pub fn is_full(&self, region: usize) -> bool {
        self.regions[region].turns.len() >= self.capacity
    }

    fn free_record(&mut self) -> Slot {
        let record = self.free.pop().unwrap_or_else(|| {
            let record = self.records.len();
            // Made where it lies, not copied there.
            self.records.resize_with(record + 1, Flow::default);
            self.places.push(Filed::default());
            record as u32
        });
        let next = self.free.last().map_or(self.records.len(), |&next| next as usize);
        prefetch::lines_at(&self.records, next);
        Slot(record)
    }

    /// The oldest flow of the given buckets; if they are empty, of the next bucket that is not.
    fn victim(&mut self, region: usize, buckets: [usize; 3], now: Timestamp) -> (usize, usize) {
        let oldest = |at: usize| self.buckets[at].oldest(now).map(|(idle, way)| (idle, at, way));
        if let Some((_, at, way)) = buckets.into_iter().filter_map(oldest).max() {
            return (at, way);
        }
        // The region is full, so a third of its ways at least are taken: a few steps lead to one that is.
        for _ in 0..self.stride {
            let at = self.step_hand(region);
            if let Some((_, way)) = self.buckets[at].oldest(now) {
                return (at, way);
            }
        }
        (buckets[0], 0)
    }

    /// Looks at the flow of a region whose turn it is and takes it out of the table if it has timed out; the caller finishes it before it
    /// inserts another. Called now and then, it gives back what idle flows hold without any timer; called before each new flow, it keeps those
    /// that timed out from becoming more than the others.
    #[inline(always)]
    pub fn sweep(&mut self, region: usize, now: Timestamp) -> Option<Slot> {
        self.take_turn(region, now, false)
    }

    /// The same of a region that is crowded, where a connection that is half-open leaves too.
    #[inline]
    pub fn sweep_crowd(&mut self, region: usize, now: Timestamp) -> Option<Slot> {
        self.take_turn(region, now, true)
    }

    /// Whether before each new flow of a region up to [`CROWDED_TURNS`] others are to be looked at by [`FlowTable::sweep_crowd`].
    #[inline(always)]
    pub fn is_crowded(&self, region: usize) -> bool {
        self.regions[region].turns.len() > self.capacity / CROWDED_DIVISOR
    }

    #[inline(always)]
    fn take_turn(&mut self, region: usize, now: Timestamp, drops_half_open: bool) -> Option<Slot> {
        let Turn { record, mut place } = self.regions[region].turns.pop_front()?;
        if !self.buckets[place.bucket()].names(place.way(), record) {
            place = self.places[record as usize].place;
        }
        let is_idle = self.buckets[place.bucket()].is_idle(place.way(), now);
        let flow = &mut self.records[record as usize];
        let is_over = (is_idle && flow.is_expired(now)) || (drops_half_open && flow.is_half_open());
        if is_over {
            flow.leave();
            self.take_out(Slot(record));
            self.free.push(record);
        } else {
            self.regions[region].turns.push_back(Turn { record, place });
        }
        let Self { buckets, records, regions, .. } = self;
        let turns = &regions[region].turns;
        // The next flow is asked for if it is to be looked at, and the bucket of the one behind it.
        if let Some(next) = turns.get(1) {
            prefetch::lines_at(buckets, next.place.bucket());
        }
        if let Some(next) = turns.front()
            && (drops_half_open || buckets[next.place.bucket()].is_idle(next.place.way(), now))
        {
            prefetch::lines_at(records, next.record as usize);
        }
        is_over.then_some(Slot(record))
    }

    /// The bucket that the hand of a region is at; it goes on to the next.
    fn step_hand(&mut self, region: usize) -> usize {
        let hand = &mut self.regions[region].hand;
        let at = region * self.stride + *hand;
        *hand = (*hand + 1) & (self.stride - 1);
        at
    }

    /// Buckets of all regions; [`FlowTable::in_bucket`] goes through them.
    pub fn bucket_count(&self) -> usize {
        self.buckets.len()
    }

    /// The flows that lie in one bucket: what goes through all of them does so piece by piece.
    pub fn in_bucket(&self, at: usize) -> impl Iterator<Item = Slot> + use<S> {
        let bucket = self.buckets.get(at).copied().unwrap_or_default();
        (0..WAYS).filter(move |&way| bucket.marks[way] != 0).map(move |way| Slot(bucket.records[way]))
    }

    /// Asks for the records of one bucket.
    pub fn prefetch_in_bucket(&self, at: usize) {
        self.in_bucket(at).for_each(|Slot(record)| prefetch::lines(&self.records[record as usize]));
    }

    /// Every flow in the table and its slot, as their records lie.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Flow<S>)> {
        let flows = self.records.iter().enumerate().zip(self.live());
        flows.filter_map(|((at, flow), is_live)| is_live.then_some((Slot(at as u32), flow)))
    }

    /// The same for who has no more use for the table: each is gone as soon as it was looked at, while it is in the cache.
    pub fn end(mut self, mut each: impl FnMut(Slot, &Flow<S>)) {
        let live = self.live();
        let mut at = 0;
        // Each is dropped where it lies.
        self.records.retain_mut(|flow| {
            if live[at] {
                each(Slot(at as u32), flow);
            }
            at += 1;
            false
        });
    }

    /// For each record, whether a flow is in it.
    fn live(&self) -> Vec<bool> {
        let mut live = vec![true; self.records.len()];
        self.free.iter().for_each(|&record| live[record as usize] = false);
        live
    }

    /// A flow of this table.
    ///
    /// # Panics
    /// If the slot was never given out.
    #[inline]
    pub fn get(&self, slot: Slot) -> &Flow<S> {
        &self.records[slot.0 as usize]
    }

    /// The same, to be changed.
    ///
    /// # Panics
    /// If the slot was never given out.
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut Flow<S> {
        &mut self.records[slot.0 as usize]
    }

    /// The other bucket of a home, in the same region: its own inverse, so that either leads to the other.
    #[inline]
    fn second(&self, home: Home) -> usize {
        self.other(home.bucket(), home.tag())
    }

    /// Of the two buckets of a flow with this tag, the other.
    #[inline]
    fn other(&self, at: usize, tag: u16) -> usize {
        let distance = usize::from(tag).wrapping_mul(0x5bd1_e995) & (self.stride - 1);
        at ^ (distance | 1)
    }
}

/// Upper bits of the hash (the lower choose the bucket); its upper byte is odd, so never 0.
#[inline(always)]
fn tag(hash: u64) -> u16 {
    (hash >> 40) as u16 | 0x100
}

#[cfg(test)]
mod tests;
