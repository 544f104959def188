//! [`Carry`]: what the scan of a stream direction remembers from one run of bytes to the next.

use crate::indicator::IndicatorIx;

/// A direction's memory: one word in the flow, the rest allocated when there is something to remember. Good for any set of
/// indicators, so it stays valid when a new one takes over.
#[derive(Default)]
pub struct Carry(Option<Box<Tail>>);

/// The last bytes before `end`, and long literals that have begun.
pub(super) struct Tail {
    /// Position in the stream of the byte after the last.
    pub(super) end: u64,
    /// One byte less than the longest literal, at most.
    pub(super) bytes: Vec<u8>,
    /// Literals too long for the tail whose first part has been found.
    pub(super) begun: Vec<Begun>,
    /// The compiled set that `begun` speaks of.
    pub(super) set: u64,
}

/// A long literal of which the first `matched` bytes have been seen.
pub(super) struct Begun {
    pub(super) indicator: IndicatorIx,
    pub(super) rule: u32,
    pub(super) start: u64,
    pub(super) matched: usize,
}

impl Carry {
    /// Forgets and frees everything: the direction is not scanned further.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |tail| size_of::<Tail>() + tail.bytes.capacity() + tail.begun.capacity() * size_of::<Begun>())
    }

    /// The tail, if it ends at `position`; a gap or a step back empties it.
    pub(super) fn at(&mut self, position: u64, set: u64) -> Option<&mut Tail> {
        let tail = self.0.as_deref_mut()?;
        if tail.end != position {
            tail.bytes.clear();
            tail.begun.clear();
        }
        if tail.set != set {
            tail.begun.clear();
            tail.set = set;
        }
        Some(tail)
    }

    /// Remembers the last bytes of what was scanned, which ends at `end`.
    pub(super) fn keep(&mut self, end: u64, last: &[u8], set: u64) -> &mut Tail {
        let tail = self.0.get_or_insert_with(|| {
            Box::new(Tail { end, bytes: Vec::with_capacity(last.len()), begun: Vec::new(), set })
        });
        tail.end = end;
        tail.bytes.clear();
        tail.bytes.extend_from_slice(last);
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_until_there_is_something_to_remember() {
        let mut carry = Carry::default();
        assert_eq!((size_of::<Carry>(), carry.memory_bytes()), (8, 0));
        assert!(carry.at(0, 1).is_none());
        carry.keep(3, b"abc", 1);
        assert_eq!(carry.at(3, 1).map(|tail| tail.bytes.len()), Some(3));
        assert_eq!(carry.at(4, 1).map(|tail| tail.bytes.len()), Some(0), "a gap");
        carry.clear();
        assert_eq!(carry.memory_bytes(), 0);
    }
}
