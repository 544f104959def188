//! [`FlowTable`]: every live conversation, in memory that is fixed when the table is made.
//!
//! Buckets of one cache line hold eight tags, ages and record numbers; a key may lie in either of two buckets. When both are
//! full, or every record is in use, the oldest flow of the two gives way: constant time, whatever an attacker sends.
//! Records are not touched before they are first used, so a small capture costs little of a large table.
//!
//! A packet touches its bucket line, then its record: [`FlowTable::prefetch_bucket`] and [`FlowTable::prefetch_record`] let
//! a batch overlap those misses. The table never looks at a clock: time is the packet's.

use super::{Flow, FlowKey, HashSeed};
use crate::time::Timestamp;
use crate::{memory, prefetch};

/// Ways of one bucket.
const WAYS: usize = 8;

/// Record slots per flow that the table can hold: the buckets are two thirds full when the records run out.
const SLOTS_NUMERATOR: usize = 3;
const SLOTS_DENOMINATOR: usize = 2;

/// See the module.
pub struct FlowTable<S> {
    buckets: Vec<Bucket>,
    records: Vec<Flow<S>>,
    free: Vec<u32>,
    capacity: usize,
    /// Record that is looked at next by [`FlowTable::sweep`].
    hand: usize,
    seed: HashSeed,
}

/// One cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket {
    records: [u32; WAYS],
    /// 0 for none.
    tags: [u16; WAYS],
    /// Packet time of the last packet, in seconds, wrapping after 18 hours.
    ages: [u16; WAYS],
}

/// Number of a record in the table. Stays the flow's as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u32);

/// Where a flow may be: the first whose tag fits.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    bucket: u32,
    way: u32,
    record: u32,
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

impl<S: Default> FlowTable<S> {
    /// A table for `capacity` flows (at least 16) whose keys are hashed with `seed`. Address space is taken now, memory as
    /// flows come.
    pub fn new(capacity: usize, seed: HashSeed) -> Self {
        let capacity = capacity.max(2 * WAYS);
        let slots = capacity * SLOTS_NUMERATOR / SLOTS_DENOMINATOR;
        let empty = Bucket { records: [0; WAYS], tags: [0; WAYS], ages: [0; WAYS] };
        let count = slots.div_ceil(WAYS).next_power_of_two();
        let mut buckets = Vec::with_capacity(count);
        memory::ask_for_large_pages(&buckets);
        buckets.resize(count, empty);
        let records = Vec::with_capacity(capacity);
        memory::ask_for_large_pages(&records);
        Self { buckets, records, free: Vec::new(), capacity, hand: 0, seed }
    }

    /// Bytes that a table for `capacity` flows takes when full.
    pub fn bytes_for(capacity: usize) -> usize {
        let slots = capacity.max(2 * WAYS) * SLOTS_NUMERATOR / SLOTS_DENOMINATOR;
        slots.div_ceil(WAYS).next_power_of_two() * size_of::<Bucket>() + capacity * (size_of::<Flow<S>>() + 4)
    }

    /// Flows in the table.
    pub fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks for the first bucket of a hash.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        prefetch::line(&self.buckets[self.first(hash)]);
    }

    /// Asks for the record that the first bucket holds for a hash. `None` if it holds none: the flow is probably new.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) -> Option<Candidate> {
        let at = self.first(hash);
        let bucket = &self.buckets[at];
        let Some(way) = bucket.find(tag(hash)) else {
            // It is in the other bucket or new; both are looked into then.
            prefetch::line(&self.buckets[self.second(at, tag(hash))]);
            if !self.has_free_record() {
                // A new flow takes a record over: probably that of the oldest flow here.
                let age_of = |&way: &usize| (bucket.tags[way] != 0, u16::MAX - bucket.ages[way]);
                if let Some(way) = (0..WAYS).max_by_key(age_of) {
                    prefetch::lines(&self.records[bucket.records[way] as usize]);
                }
            }
            return None;
        };
        let record = bucket.records[way];
        prefetch::lines(&self.records[record as usize]);
        Some(Candidate { bucket: at as u32, way: way as u32, record })
    }

    /// The flow of a key, if it is the one that [`FlowTable::prefetch_record`] pointed at and still there.
    #[inline]
    pub fn confirm(&mut self, candidate: Candidate, key: &FlowKey, now: Timestamp) -> Option<Slot> {
        let bucket = &mut self.buckets[candidate.bucket as usize];
        let way = candidate.way as usize % WAYS;
        let is_it = bucket.tags[way] != 0
            && bucket.records[way] == candidate.record
            && self.records[candidate.record as usize].key() == key;
        bucket.ages[way] = if is_it { age(now) } else { bucket.ages[way] };
        is_it.then_some(Slot(candidate.record))
    }

    /// The flow of a key.
    #[cold]
    pub fn find(&mut self, key: &FlowKey, hash: u64, now: Timestamp) -> Option<Slot> {
        let tag = tag(hash);
        let first = self.first(hash);
        self.find_in(first, tag, key, now).or_else(|| {
            let second = self.second(first, tag);
            self.find_in(second, tag, key, now)
        })
    }

    fn find_in(&mut self, at: usize, tag: u16, key: &FlowKey, now: Timestamp) -> Option<Slot> {
        let bucket = &mut self.buckets[at];
        for way in 0..WAYS {
            if bucket.tags[way] == tag {
                let record = bucket.records[way];
                if self.records[record as usize].key() == key {
                    bucket.ages[way] = age(now);
                    return Some(Slot(record));
                }
            }
        }
        None
    }

    /// Makes room for a flow that [`FlowTable::find`] did not find. The caller finishes the flow that had to go, if the slot
    /// is [`Room::Taken`], and puts the new one in its place.
    pub fn insert(&mut self, hash: u64, now: Timestamp) -> Room {
        let tag = tag(hash);
        let first = self.first(hash);
        let second = self.second(first, tag);
        // The first if it has room: a flow that lies there is found without a second miss.
        let into = if self.buckets[first].find(0).is_some() { first } else { second };
        let empty = self.buckets[into].find(0);
        let (at, way, room) = match empty {
            Some(way) if self.has_free_record() => (into, way, Room::Free(self.free_record())),
            _ => {
                let (victim_at, victim_way) = self.victim([into, first, second], now);
                let victim = &mut self.buckets[victim_at];
                victim.tags[victim_way] = 0;
                let room = Room::Taken(Slot(victim.records[victim_way]));
                match empty {
                    Some(way) => (into, way, room),
                    None => (victim_at, victim_way, room),
                }
            }
        };
        let bucket = &mut self.buckets[at];
        (bucket.tags[way], bucket.records[way], bucket.ages[way]) = (tag, room.slot().0, age(now));
        room
    }

    fn free_record(&mut self) -> Slot {
        match self.free.pop() {
            Some(record) => Slot(record),
            None => {
                self.records.push(Flow::default());
                Slot((self.records.len() - 1) as u32)
            }
        }
    }

    fn has_free_record(&self) -> bool {
        !self.free.is_empty() || self.records.len() < self.capacity
    }

    /// The oldest flow of the given buckets; if they are empty, of the next bucket that is not.
    fn victim(&mut self, buckets: [usize; 3], now: Timestamp) -> (usize, usize) {
        let oldest = |this: &Self, at: usize| {
            let bucket = &this.buckets[at];
            (0..WAYS)
                .filter(|&way| bucket.tags[way] != 0)
                .map(|way| (age(now).wrapping_sub(bucket.ages[way]), at, way))
                .max()
        };
        if let Some((_, at, way)) = buckets.iter().filter_map(|&at| oldest(self, at)).max() {
            return (at, way);
        }
        // Both are empty and no record is free, so every record is live: any will do, the next in turn is as old as any.
        self.hand = (self.hand + 1) % self.records.len();
        self.place_of(self.hand).unwrap_or((buckets[0], 0))
    }

    /// Looks at the next record in turn and takes its flow out of the table if that has timed out; the caller finishes it
    /// before it inserts another. Called now and then, it gives back what idle flows hold without any timer; records lie side
    /// by side, so it costs little.
    #[inline]
    pub fn sweep(&mut self, now: Timestamp) -> Option<Slot> {
        self.hand = if self.hand + 1 < self.records.len() { self.hand + 1 } else { 0 };
        if let Some(next) = self.records.get(self.hand + 1) {
            prefetch::line(next);
        }
        let flow = self.records.get(self.hand)?;
        if !flow.is_live || !flow.is_expired(now) {
            return None;
        }
        let (at, way) = self.place_of(self.hand)?;
        self.buckets[at].tags[way] = 0;
        self.records[self.hand].is_live = false;
        self.free.push(self.hand as u32);
        Some(Slot(self.hand as u32))
    }

    /// Bucket and way of a live record.
    fn place_of(&self, record: usize) -> Option<(usize, usize)> {
        let hash = self.records[record].key().hash(self.seed);
        let first = self.first(hash);
        [first, self.second(first, tag(hash))].into_iter().find_map(|at| {
            let bucket = &self.buckets[at];
            let way = (0..WAYS).find(|&way| bucket.tags[way] != 0 && bucket.records[way] as usize == record)?;
            Some((at, way))
        })
    }

    /// Every flow in the table, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Flow<S>> {
        self.records.iter().filter(|flow| flow.is_live)
    }

    /// A flow of this table.
    ///
    /// # Panics
    /// If the slot was never given out.
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut Flow<S> {
        &mut self.records[slot.0 as usize]
    }

    #[inline]
    fn first(&self, hash: u64) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// The other bucket of a tag: its own inverse, so that either leads to the other.
    #[inline]
    fn second(&self, first: usize, tag: u16) -> usize {
        (first ^ usize::from(tag).wrapping_mul(0x5bd1_e995) ^ 1) & (self.buckets.len() - 1)
    }
}

impl Bucket {
    #[inline]
    fn find(&self, tag: u16) -> Option<usize> {
        // Eight comparisons in one vector instruction.
        let mask = self.tags.iter().enumerate().fold(0u16, |mask, (way, &t)| mask | u16::from(t == tag) << way);
        (mask != 0).then(|| mask.trailing_zeros() as usize)
    }
}

/// Upper bits of the hash (the lower choose the bucket), never 0.
#[inline]
fn tag(hash: u64) -> u16 {
    (hash >> 40) as u16 | 1
}

#[inline]
fn age(now: Timestamp) -> u16 {
    now.secs() as u16
}
