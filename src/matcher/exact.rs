//! [`Exact`]: hash to indicators, one cache line a look-up.
//!
//! Open addressing over 64-byte lines of eight slots, each 32 bits of the hash and the number of the first indicator of a
//! value; further indicators of an equal value stand in a side array. It never holds a value: the caller confirms with a
//! comparison, so a hash collision is never a hit and never hides one.

use crate::indicator::IndicatorIx;
use crate::{memory, prefetch};

/// A multimap from hash to indicator. About 11 bytes a distinct value.
#[derive(Default)]
pub struct Exact {
    lines: Box<[Line]>,
    /// Sorted by first indicator, then by the further one.
    further: Vec<(IndicatorIx, IndicatorIx)>,
    used: usize,
}

#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Line {
    /// 0 for an empty slot; slots fill from the front.
    tags: [u32; SLOTS],
    first: [u32; SLOTS],
}

impl Exact {
    /// Room for `keys` keys, which is all it will take; no memory for none.
    pub fn for_keys(keys: usize) -> Self {
        let lines = if keys == 0 { 0 } else { keys * FILL.1 / (FILL.0 * SLOTS) + 1 };
        let mut table = Vec::with_capacity(lines);
        memory::ask_for_large_pages(&table);
        table.resize(lines, Line::default());
        Self { lines: table.into_boxed_slice(), ..Self::default() }
    }

    /// Puts `ix` in under `hash`. `same` says whether an indicator with an equal hash has an equal value.
    ///
    /// # Panics
    /// If more is put in than there is room for.
    pub fn insert(&mut self, hash: u64, ix: IndicatorIx, same: impl Fn(IndicatorIx) -> bool) {
        if let Some(first) = self.first(hash, same) {
            self.further.push((first, ix));
            return;
        }
        assert!(self.used < self.lines.len() * SLOTS, "the table was sized for fewer keys");
        let mut at = self.home(hash);
        loop {
            let line = &mut self.lines[at];
            if let Some(free) = line.tags.iter().position(|&tag| tag == 0) {
                line.tags[free] = tag(hash);
                line.first[free] = ix.0;
                self.used += 1;
                return;
            }
            at = self.after(at);
        }
    }

    /// To be called after the last [`Self::insert`].
    pub fn seal(&mut self) {
        self.further.sort_unstable();
        self.further.shrink_to_fit();
    }

    /// Every indicator of the value that has this hash and for whose first indicator `same` is true, in the order put in.
    #[inline]
    pub fn find(&self, hash: u64, same: impl Fn(IndicatorIx) -> bool) -> impl Iterator<Item = IndicatorIx> {
        let first = self.first(hash, same);
        first.into_iter().chain(first.into_iter().flat_map(|first| self.further(first)))
    }

    /// Asks for the hash's line ahead of use.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        if let Some(line) = self.lines.get(self.home(hash)) {
            prefetch::line(line);
        }
    }

    /// Distinct values held.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>() + self.further.capacity() * size_of::<(IndicatorIx, IndicatorIx)>()
    }

    #[inline]
    fn first(&self, hash: u64, same: impl Fn(IndicatorIx) -> bool) -> Option<IndicatorIx> {
        let (mut at, tag) = (self.home(hash), tag(hash));
        // A line with a free slot ends the search; so does a full circle, should the table be full to the last slot.
        for _ in 0..self.lines.len() {
            let line = &self.lines[at];
            // All slots at once, which compiles to one vector compare; nearly always none.
            let mut alike = (0..SLOTS).fold(0_u32, |bits, slot| bits | u32::from(line.tags[slot] == tag) << slot);
            while alike != 0 {
                let first = IndicatorIx(line.first[alike.trailing_zeros() as usize % SLOTS]);
                if same(first) {
                    return Some(first);
                }
                alike &= alike - 1;
            }
            if line.tags[SLOTS - 1] == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    fn further(&self, first: IndicatorIx) -> impl Iterator<Item = IndicatorIx> {
        let start = self.further.partition_point(|pair| pair.0 < first);
        self.further[start..].iter().take_while(move |pair| pair.0 == first).map(|pair| pair.1)
    }

    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        (((hash >> 32) * self.lines.len() as u64) >> 32) as usize
    }

    #[inline(always)]
    fn after(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() { 0 } else { line + 1 }
    }
}

/// Fills a table in batches whose lines are asked for ahead, so that the memory misses of building overlap.
pub(super) struct Filler<'t, S: Fn(IndicatorIx, IndicatorIx) -> bool> {
    table: &'t mut Exact,
    same: S,
    waiting: Vec<(u64, IndicatorIx)>,
}

impl<'t, S: Fn(IndicatorIx, IndicatorIx) -> bool> Filler<'t, S> {
    /// `same` says whether two indicators have an equal value.
    pub(super) fn new(table: &'t mut Exact, same: S) -> Self {
        Self { table, same, waiting: Vec::with_capacity(BATCH) }
    }

    /// [`Exact::insert`], a little later.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, ix: IndicatorIx) {
        self.table.prefetch(hash);
        self.waiting.push((hash, ix));
        if self.waiting.len() == BATCH {
            self.flush();
        }
    }

    /// Puts in what waits and seals the table.
    pub(super) fn finish(mut self) {
        self.flush();
        self.table.seal();
    }

    fn flush(&mut self) {
        for (hash, ix) in self.waiting.drain(..) {
            self.table.insert(hash, ix, |other| (self.same)(ix, other));
        }
    }
}

#[inline(always)]
fn tag(hash: u64) -> u32 {
    (hash as u32).max(1)
}

const SLOTS: usize = 8;

/// Lines in flight while filling: more than a core has miss buffers.
const BATCH: usize = 32;

/// Seven slots in ten are used: one line in nine overflows into the next.
const FILL: (usize, usize) = (7, 10);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_a_cache_line() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
        let table = Exact::for_keys(1_000_000);
        assert!(table.memory_bytes() < 11_500_000);
    }

    #[test]
    fn an_empty_one_finds_nothing() {
        let table = Exact::default();
        assert_eq!(table.find(7, |_| true).count(), 0);
        table.prefetch(7);
    }

    proptest! {
        /// Values from a small range and hashes that collide on purpose, against a scan of the list.
        #[test]
        fn finds_what_a_scan_finds(values in proptest::collection::vec(0u64..40, 0..200), clash in 1u64..64) {
            let hash = |value: u64| ((value % clash) << 32) | (value % 3);
            let mut table = Exact::for_keys(values.len());
            for (ix, &value) in values.iter().enumerate() {
                table.insert(hash(value), IndicatorIx(ix as u32), |other| values[other.0 as usize] == value);
            }
            table.seal();
            for value in 0..45 {
                let found: Vec<u32> =
                    table.find(hash(value), |ix| values[ix.0 as usize] == value).map(|ix| ix.0).collect();
                let wanted: Vec<u32> = (0..values.len()).filter(|&ix| values[ix] == value).map(|ix| ix as u32).collect();
                prop_assert_eq!(found, wanted);
            }
        }
    }
}
