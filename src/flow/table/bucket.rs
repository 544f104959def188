//! [`Bucket`]: one cache line of the flow table: where flows may lie, and how long they have been silent. It knows nothing of keys.

use std::time::Duration;

use crate::flow::timeout;
use crate::time::Timestamp;

/// Ways of one bucket.
pub(super) const WAYS: usize = 8;

/// Of packet time in nanoseconds: an age is what is left, and wraps after 19 hours.
const AGE_SHIFT: u32 = 30;

/// One cache line.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
pub(super) struct Bucket {
    pub(super) records: [u32; WAYS],
    /// The mark of the flow (`Home::mark`); 0 for none.
    pub(super) marks: [u8; WAYS],
    /// Packet time of the last packet ([`age`]).
    pub(super) ages: [u16; WAYS],
    /// How many flows whose first bucket this is lie in their second. While there is none nobody looks for one there.
    spilt: u8,
}

impl Bucket {
    /// Whether a flow whose first bucket this is may lie in its second.
    #[inline(always)]
    pub(super) fn has_spilt(&self) -> bool {
        self.spilt > 0
    }

    /// One more does. More than can be counted are never again none.
    pub(super) fn spill(&mut self) {
        self.spilt = self.spilt.saturating_add(1);
    }

    /// One less.
    pub(super) fn unspill(&mut self) {
        self.spilt -= u8::from((1..u8::MAX).contains(&self.spilt));
    }

    /// The first way with a mark.
    #[inline(always)]
    pub(super) fn find(&self, mark: u8) -> Option<usize> {
        let ways = self.with(mark);
        (ways != 0).then(|| Self::first(ways))
    }

    /// A bit for each way that may have a mark, among them the first that has it. All are compared at once: the lowest byte that is zero
    /// has its top bit set, and none below it has.
    #[inline(always)]
    pub(super) fn with(&self, mark: u8) -> u64 {
        const ONES: u64 = u64::from_le_bytes([1; WAYS]);
        let differs = u64::from_le_bytes(self.marks) ^ (u64::from(mark) * ONES);
        differs.wrapping_sub(ONES) & !differs & (ONES << 7)
    }

    /// The first way of [`Bucket::with`].
    #[inline(always)]
    pub(super) fn first(ways: u64) -> usize {
        (ways.trailing_zeros() / 8) as usize
    }

    /// How long the oldest flow has been silent, in units of [`age`], and its way.
    #[inline]
    pub(super) fn oldest(&self, now: Timestamp) -> Option<(u16, usize)> {
        let now = age(now);
        // One number a way, so that the greatest is found without a branch.
        let rank = |way: usize| match self.marks[way] {
            0 => 0,
            _ => u32::from(now.wrapping_sub(self.ages[way])) << 8 | (WAYS | way) as u32,
        };
        let best = (0..WAYS).fold(0, |best, way| best.max(rank(way)));
        (best != 0).then_some(((best >> 8) as u16, best as usize % WAYS))
    }

    /// Whether a way names a record.
    #[inline(always)]
    pub(super) fn names(&self, way: usize, record: u32) -> bool {
        (self.records[way] == record) & (self.marks[way] != 0)
    }

    /// Whether the flow of a way has been silent so long that it may have timed out.
    #[inline(always)]
    pub(super) fn is_idle(&self, way: usize, now: Timestamp) -> bool {
        const LEAST: u16 = units(timeout::SHORTEST);
        age(now).wrapping_sub(self.ages[way]) >= LEAST
    }
}

/// Packet time in units of 2^30 ns.
#[inline(always)]
pub(super) fn age(now: Timestamp) -> u16 {
    (now.as_ns() >> AGE_SHIFT) as u16
}

/// Whole units in a time.
const fn units(time: Duration) -> u16 {
    (time.as_nanos() >> AGE_SHIFT) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_way_with_a_mark() {
        let bucket = Bucket { marks: [3, 0, 0x81, 1, 0, 0xff, 3, 7], ..Bucket::default() };
        for mark in 0..=u8::MAX {
            assert_eq!(bucket.find(mark), bucket.marks.iter().position(|&own| own == mark), "{mark}");
        }
    }
}
