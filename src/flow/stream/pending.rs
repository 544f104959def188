//! [`Pending`]: segments of one direction that wait behind a hole. It is on the path of such segments only; how long they wait is
//! [`super::Stream`]'s to say.

use super::{MAX_PENDING_BYTES, MAX_PENDING_SEGMENTS, Segment};
use crate::flow::pool::Pool;
use crate::packet::FrameRef;

/// What one segment costs beside its bytes.
const SEGMENT_OVERHEAD_BYTES: usize = size_of::<Waiting>();

/// Segments behind a hole, sorted, not overlapping.
#[derive(Default)]
pub(in crate::flow) struct Pending {
    pub(super) waiting: Vec<Waiting>,
    bytes: Vec<u8>,
    /// What of `bytes` still waits.
    pub(super) live_bytes: usize,
    /// Sequence number after the last byte, if a FIN said so.
    pub(super) end: Option<u32>,
    /// Taken from the pool.
    charged_bytes: usize,
}

crate::bytes::opaque_debug!(Pending, "Pending");

#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) sequence: u32,
    start: u32,
    length: u32,
    pub(super) missing_bytes: u32,
    pub(super) frame: FrameRef,
}

impl Pending {
    /// Keeps what of a segment fills holes between those that wait. False if the pool has no room for it; then a part may
    /// have been kept, which does no harm.
    pub(super) fn insert(&mut self, sequence: u32, segment: &Segment<'_>, pool: &mut Pool) -> bool {
        let total = segment.data.len() as u32 + segment.missing_bytes;
        let mut from = 0u32;
        let mut at = 0;
        while from < total {
            let start = sequence.wrapping_add(from);
            // Step over pieces that end at or before the start.
            while self.waiting.get(at).is_some_and(|w| w.end().wrapping_sub(start) as i32 <= 0) {
                at += 1;
            }
            let hole = match self.waiting.get(at) {
                None => total - from,
                Some(next) => {
                    let before = next.sequence.wrapping_sub(start) as i32;
                    if before <= 0 {
                        from += next.end().wrapping_sub(start);
                        continue;
                    }
                    (before as u32).min(total - from)
                }
            };
            if !self.insert_piece(at, start, from, hole, segment, pool) {
                return false;
            }
            from += hole;
            at += 1;
        }
        true
    }

    fn insert_piece(
        &mut self,
        at: usize,
        sequence: u32,
        from: u32,
        length: u32,
        segment: &Segment<'_>,
        pool: &mut Pool,
    ) -> bool {
        let captured = segment.data.len() as u32;
        let data = segment.data.get(from as usize..(from + length).min(captured) as usize).unwrap_or(&[]);
        if !pool.take(data.len() + SEGMENT_OVERHEAD_BYTES) {
            return false;
        }
        self.charged_bytes += data.len() + SEGMENT_OVERHEAD_BYTES;
        self.live_bytes += data.len();
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(data);
        let piece = Waiting {
            sequence,
            start,
            length: data.len() as u32,
            missing_bytes: length - data.len() as u32,
            frame: segment.frame,
        };
        self.waiting.insert(at, piece);
        true
    }

    pub(super) fn data(&self, piece: &Waiting) -> &[u8] {
        &self.bytes[piece.start as usize..][..piece.length as usize]
    }

    pub(super) fn is_full(&self) -> bool {
        self.live_bytes > MAX_PENDING_BYTES || self.waiting.len() > MAX_PENDING_SEGMENTS
    }

    pub(in crate::flow) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes.clear();
        (self.live_bytes, self.charged_bytes, self.end) = (0, 0, None);
    }

    /// Forgets the first `count` pieces, and their bytes once they are the most of what is kept.
    pub(super) fn remove(&mut self, count: usize, pool: &mut Pool) {
        for piece in self.waiting.drain(..count) {
            self.live_bytes -= piece.length as usize;
        }
        if self.bytes.len() > MAX_PENDING_BYTES && self.live_bytes < self.bytes.len() / 2 {
            let mut live = Vec::with_capacity(self.live_bytes);
            for piece in &mut self.waiting {
                let start = live.len();
                live.extend_from_slice(&self.bytes[piece.start as usize..][..piece.length as usize]);
                piece.start = start as u32;
            }
            self.bytes = live;
            let charge = self.live_bytes + self.waiting.len() * SEGMENT_OVERHEAD_BYTES;
            pool.give_back(self.charged_bytes - charge);
            self.charged_bytes = charge;
        }
    }

    pub(in crate::flow) fn charged_bytes(&self) -> usize {
        self.charged_bytes
    }

    pub(in crate::flow) fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.waiting.capacity() * SEGMENT_OVERHEAD_BYTES
    }
}

impl Waiting {
    fn end(&self) -> u32 {
        self.sequence.wrapping_add(self.length).wrapping_add(self.missing_bytes)
    }
}
