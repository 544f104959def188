//! [`Twins`]: which entry says the same as one that is kept, by hash: what loading needs and a compiled set does not.
//!
//! Open addressing over cache lines of eight slots. It knows entries by number and never sees a value: whoever asks compares. A
//! feed of millions asks once an entry, and each time for a line that is in no cache: [`Twins::prefetch`] lets these waits overlap.

use crate::{memory, prefetch};

/// See the module. About 11 bytes an entry when it was told how many will come.
#[derive(Default)]
pub(super) struct Twins {
    /// Each the tag above the entry's number plus one; 0 for an empty one. A line's slots fill from the front.
    slots: Vec<u64>,
    /// Where the first line begins, so that lines are cache lines.
    start: usize,
    lines: usize,
    used: usize,
}

impl Twins {
    /// The entry under this hash for which `same` is true.
    pub(super) fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut at = self.home(hash);
        for _ in 0..self.lines {
            let line = self.line(at);
            for &slot in line {
                if slot == 0 {
                    return None;
                }
                let entry = (slot as u32).wrapping_sub(1);
                if slot >> 32 == tag && same(entry) {
                    return Some(entry);
                }
            }
            at = self.after(at);
        }
        None
    }

    /// Whether [`Self::insert`] may be called.
    pub(super) fn has_room(&self) -> bool {
        self.used < self.capacity()
    }

    /// Puts in a number below `u32::MAX` that is not there yet; see [`Self::has_room`].
    pub(super) fn insert(&mut self, hash: u64, entry: u32) {
        let mut at = self.home(hash);
        loop {
            let first = self.start + at * SLOTS;
            if let Some(free) = self.slots[first..first + SLOTS].iter_mut().find(|slot| **slot == 0) {
                *free = tag(hash) << 32 | u64::from(entry + 1);
                self.used += 1;
                return;
            }
            at = self.after(at);
        }
    }

    /// Makes room for `entries` in all and puts in those below `kept` anew.
    pub(super) fn rebuild(&mut self, entries: usize, kept: u32, hash_of: impl Fn(u32) -> u64) {
        *self = Self::for_entries(entries.max(kept as usize));
        let mut waiting = Vec::with_capacity(BATCH);
        for entry in 0..kept {
            let hash = hash_of(entry);
            self.prefetch(hash);
            waiting.push((hash, entry));
            if waiting.len() == BATCH {
                waiting.drain(..).for_each(|(hash, entry)| self.insert(hash, entry));
            }
        }
        waiting.into_iter().for_each(|(hash, entry)| self.insert(hash, entry));
    }

    /// Entries that there is room for in all.
    pub(super) fn capacity(&self) -> usize {
        self.lines * SLOTS * FILL.0 / FILL.1
    }

    /// Asks for the hash's line ahead of use.
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(slot) = self.slots.get(self.start + self.home(hash) * SLOTS) {
            prefetch::line(slot);
        }
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    fn for_entries(entries: usize) -> Self {
        let lines = (entries * FILL.1).div_ceil(FILL.0 * SLOTS) + 1;
        let slots = vec![0; (lines + 1) * SLOTS];
        memory::ask_for_large_pages(&slots);
        let start = slots.as_ptr().align_offset(64).min(SLOTS);
        Self { slots, start, lines, used: 0 }
    }

    fn line(&self, at: usize) -> &[u64] {
        &self.slots[self.start + at * SLOTS..][..SLOTS]
    }

    fn home(&self, hash: u64) -> usize {
        (((hash >> 32) * self.lines as u64) >> 32) as usize
    }

    fn after(&self, line: usize) -> usize {
        if line + 1 == self.lines { 0 } else { line + 1 }
    }
}

fn tag(hash: u64) -> u64 {
    hash & 0xffff_ffff
}

const SLOTS: usize = 8;

/// Three slots in four are used at most.
const FILL: (usize, usize) = (3, 4);

/// Lines asked for at a time: more than a core has miss buffers.
pub(super) const BATCH: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_costs_eleven_bytes() {
        let mut twins = Twins::default();
        assert!(twins.find(7, |_| true).is_none() && !twins.has_room());
        twins.prefetch(7);
        twins.rebuild(1_000_000, 0, |_| 0);
        assert!(twins.memory_bytes() < 10_800_000 && twins.capacity() >= 1_000_000);
    }

    proptest! {
        /// Hashes that collide on purpose, in a table that grows, against a scan.
        #[test]
        fn finds_what_a_scan_finds(values in prop::collection::vec(0u64..300, 0..200), clash in 1u64..400) {
            let hash = |value: u64| ((value % clash) << 32) | (value % 3);
            let mut twins = Twins::default();
            let mut kept: Vec<u64> = Vec::new();
            for value in values {
                let known = kept.iter().position(|&other| other == value).map(|at| at as u32);
                prop_assert_eq!(twins.find(hash(value), |other| kept[other as usize] == value), known);
                if known.is_none() {
                    if !twins.has_room() {
                        twins.rebuild(kept.len() * 2 + 1, kept.len() as u32, |entry| hash(kept[entry as usize]));
                    }
                    twins.insert(hash(value), kept.len() as u32);
                    kept.push(value);
                }
            }
        }
    }
}
