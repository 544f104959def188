//! [`Turn`]: in what order the flow table looks at its flows for those that timed out, and where each lies. It knows nothing of time.

use super::bucket::WAYS;

/// A bucket and one of its ways, in one number.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place(u32);

impl Place {
    #[inline(always)]
    pub(super) fn new(bucket: usize, way: usize) -> Self {
        Self((bucket * WAYS + way) as u32)
    }

    #[inline(always)]
    pub(super) fn bucket(self) -> usize {
        self.0 as usize / WAYS
    }

    #[inline(always)]
    pub(super) fn way(self) -> usize {
        self.0 as usize % WAYS
    }
}

/// Of a record with a flow, where it lies, and what tells where else it might.
#[derive(Clone, Copy, Default)]
pub(super) struct Filed {
    pub(super) place: Place,
    /// Bits of its hash ([`Home`](super::Home)).
    pub(super) tag: u16,
    /// Whether it lies in its second bucket.
    pub(super) is_second: bool,
}

/// A flow that is to be looked at: its record, and the place that named it when it was put here. Only a full table moves records, so what
/// is read of a flow in its turn mostly lies side by side with the next.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) record: u32,
    pub(super) place: Place,
}
