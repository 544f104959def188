//! [`Stream`]: one direction of a TCP conversation, segments in, bytes in order out.
//!
//! The policy: bytes handed on stand; among bytes that wait, the first to arrive win. A stream may be picked up in the middle
//! (its first segment sets the place). A hole is waited for until the segments behind it exceed [`MAX_PENDING_BYTES`] or
//! [`MAX_PENDING_SEGMENTS`], memory runs out, or the caller says so ([`Stream::give_up`]); then it is skipped and counted.
//!
//! Bytes that were waiting behind a hole are attributed to the packet that filled it, for only then could they be read; behind a
//! hole that was given up, to the packet that brought them.

mod pending;

use super::pool::Pool;
use crate::packet::FrameRef;

pub(super) use pending::Pending;

/// Bytes that wait behind a hole, per direction.
pub const MAX_PENDING_BYTES: usize = 256 * 1024;

/// Segments that wait behind a hole, per direction: inserting is linear in them.
pub const MAX_PENDING_SEGMENTS: usize = 256;

/// A segment this far ahead of its stream is not of it: no receiver announces more (RFC 7323 allows 1 GiB; what is seen in
/// practice stays below).
const MAX_AHEAD_BYTES: u32 = 64 * 1024 * 1024;

/// Segments in a row that are out of the window before the stream believes them and starts again there.
const MAX_STRIKES: u8 = 3;

/// How far from its stream a RST or FIN may be.
const MAX_CLOSE_DISTANCE_BYTES: u32 = 1024 * 1024;

/// One direction of a conversation. 24 bytes until something arrives out of order.
#[derive(Debug, Default)]
pub struct Stream {
    pending: Option<Box<Pending>>,
    /// Bytes handed on or skipped since the first one seen.
    position: u64,
    /// Sequence number that comes next.
    next: u32,
    is_started: bool,
    /// Whether the first byte seen was the first sent.
    start_is_known: bool,
    strikes: u8,
    /// What a FIN that overtook data said to be the end was reached, and nobody asked yet.
    has_reached_end: bool,
}

/// A TCP segment.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    /// Sequence number of the segment (of its SYN, if it has one).
    pub sequence: u32,
    /// Whether it has a SYN, which takes one number.
    pub is_syn: bool,
    /// Captured payload.
    pub data: &'a [u8],
    /// Payload bytes after `data` that were not captured.
    pub missing_bytes: u32,
    /// The frame that brought it.
    pub frame: FrameRef,
}

crate::bytes::opaque_debug!(Segment<'_>, "Segment");

/// Bytes in order.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    /// The bytes; each is handed out once.
    pub data: &'a [u8],
    /// Bytes missing just before them.
    pub gap_bytes: u64,
    /// Offset of `data` in the direction, counted from the first byte seen.
    pub position: u64,
    /// Whether that first byte was the first sent.
    pub start_is_known: bool,
    /// The packet that made them readable.
    pub frame: FrameRef,
    /// These bytes are not part of the stream (others stand in their place, or they are far from it), but the receiver may have
    /// decided otherwise: they are to be looked at on their own.
    pub is_aside: bool,
}

crate::bytes::opaque_debug!(Chunk<'_>, "Chunk");

/// What a stream works with and hands its bytes to.
pub struct Outlet<'a> {
    /// Memory for what waits.
    pub pool: &'a mut Pool,
    /// What happened.
    pub counters: &'a mut StreamCounters,
    /// Takes the bytes in order. The pool is lent on, for what cannot be used yet.
    pub emit: &'a mut dyn FnMut(Chunk<'_>, &mut Pool),
}

/// What happened to segments besides being handed on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct StreamCounters {
    /// Segments that arrived behind a hole.
    pub out_of_order: u64,
    /// Segments whose bytes were all seen before.
    pub retransmitted: u64,
    /// Segments that overlap bytes seen before in part.
    pub overlapping: u64,
    /// Holes given up.
    pub gaps: u64,
    /// Bytes in them, and bytes cut by a snap length.
    pub gap_bytes: u64,
    /// Segments too far from their stream.
    pub out_of_window: u64,
    /// Bytes that most receivers take out of the stream.
    pub urgent_bytes: u64,
}

impl StreamCounters {
    /// Adds another's.
    pub fn merge(&mut self, other: &Self) {
        self.out_of_order += other.out_of_order;
        self.retransmitted += other.retransmitted;
        self.overlapping += other.overlapping;
        self.gaps += other.gaps;
        self.gap_bytes += other.gap_bytes;
        self.out_of_window += other.out_of_window;
        self.urgent_bytes += other.urgent_bytes;
    }
}

impl Stream {
    /// Makes it one of which nothing was seen, part by part ([`Keep::renew`](super::Keep::renew)).
    #[inline]
    pub(super) fn renew(&mut self) {
        self.pending = None;
        self.position = 0;
        self.next = 0;
        self.is_started = false;
        self.start_is_known = false;
        self.strikes = 0;
        self.has_reached_end = false;
    }

    /// Whether any segment has come.
    pub fn is_started(&self) -> bool {
        self.is_started
    }

    /// Whether any byte came.
    pub fn has_spoken(&self) -> bool {
        self.position > 0 || self.pending.is_some()
    }

    /// Whether segments wait behind a hole.
    pub fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether `sequence` is that of the first byte and nothing has come after.
    pub fn is_at_start(&self, sequence: u32) -> bool {
        self.is_started && self.position == 0 && self.next == sequence
    }

    /// Whether `sequence` is what comes next, and nothing waits behind a hole.
    #[inline]
    pub fn is_at(&self, sequence: u32) -> bool {
        self.is_started && self.next == sequence && self.pending.is_none()
    }

    /// Remembers that a FIN said `sequence` to be the end, if bytes wait that it is behind of.
    pub fn note_end(&mut self, sequence: u32) {
        if let Some(pending) = &mut self.pending {
            pending.end = Some(sequence);
        }
    }

    /// Whether the end that [`Stream::note_end`] was told has been reached; says so once.
    pub fn take_end(&mut self) -> bool {
        std::mem::take(&mut self.has_reached_end)
    }

    /// Whether `sequence` is what comes next after what was seen, whatever waits.
    pub fn continues_at(&self, sequence: u32) -> bool {
        self.is_started && self.next == sequence
    }

    /// Whether a RST or FIN with this number can be of this stream.
    pub fn is_plausible(&self, sequence: u32) -> bool {
        let distance = sequence.wrapping_sub(self.next) as i32;
        !self.is_started || distance.unsigned_abs() <= MAX_CLOSE_DISTANCE_BYTES
    }

    /// Whether a segment without SYN is the usual case of [`Stream::push`]: next, while nothing waits. What it brings need not be handed
    /// on then, only taken, with [`Stream::take_next`] and [`Stream::take_cut`].
    #[inline(always)]
    pub fn goes_on_with(&mut self, sequence: u32) -> bool {
        let goes_on = self.is_at(sequence) && !self.has_reached_end;
        if goes_on {
            self.strikes = 0;
        }
        goes_on
    }

    /// Captured bytes that are next ([`Stream::goes_on_with`]).
    #[inline(always)]
    pub fn take_next<'d>(&mut self, data: &'d [u8], frame: FrameRef) -> Chunk<'d> {
        let (position, start_is_known) = (self.position, self.start_is_known);
        self.next = self.next.wrapping_add(data.len() as u32);
        self.position += data.len() as u64;
        Chunk { data, gap_bytes: 0, position, start_is_known, frame, is_aside: false }
    }

    /// Bytes that are next and were not captured: a hole.
    #[inline]
    pub fn take_cut(&mut self, missing_bytes: u32, frame: FrameRef, counters: &mut StreamCounters) -> Chunk<'static> {
        let gap_bytes = u64::from(missing_bytes);
        counters.gap_bytes += gap_bytes;
        self.next = self.next.wrapping_add(missing_bytes);
        self.position += gap_bytes;
        let (position, start_is_known) = (self.position, self.start_is_known);
        Chunk { data: &[], gap_bytes, position, start_is_known, frame, is_aside: false }
    }

    /// [`Stream::push`] of a SYN alone, while nothing waits.
    #[inline]
    pub fn open(&mut self, sequence: u32) {
        // Another attempt, perhaps with another number: nothing was said before it.
        if !self.is_started || self.position == 0 {
            self.start(sequence.wrapping_add(1), true);
        }
    }

    /// Takes a segment and hands on what is now in order.
    #[inline]
    pub fn push(&mut self, segment: &Segment<'_>, out: &mut Outlet<'_>) {
        let sequence = segment.sequence.wrapping_add(u32::from(segment.is_syn));
        if !self.is_started {
            if segment.data.is_empty() && !segment.is_syn {
                // A keep-alive or a reset says nothing of where the data is.
                return;
            }
            self.start(sequence, segment.is_syn);
        } else if segment.is_syn && self.position == 0 && self.pending.is_none() {
            // Another attempt, perhaps with another number: nothing was said before it.
            self.start(sequence, true);
        }
        if segment.data.is_empty() && segment.missing_bytes == 0 {
            return;
        }
        if self.position == 0 && self.is_before_start(sequence) {
            // Nothing can be before a SYN, so that SYN was not this conversation's.
            self.start(sequence, false);
        }
        let ahead = sequence.wrapping_sub(self.next);
        if ahead == 0 && self.pending.is_none() {
            self.strikes = 0;
            self.hand_on(segment.data, 0, segment.missing_bytes, segment.frame, out);
        } else {
            self.push_elsewhere(sequence, segment, out);
        }
    }

    /// Takes a segment with an urgent byte, the one before `pointer` (RFC 6093): receivers hand it out beside the stream unless
    /// asked not to. So it is left out here; the segment as it is, for those that keep it in, is looked at on its own.
    #[cold]
    pub fn push_urgent(&mut self, segment: &Segment<'_>, pointer: u16, out: &mut Outlet<'_>) {
        let at = usize::from(pointer).wrapping_sub(1);
        let (Some(before), Some(after)) = (segment.data.get(..at), segment.data.get(at.saturating_add(1)..)) else {
            return self.push(segment, out);
        };
        if segment.is_syn || !self.is_at(segment.sequence) {
            // Out of order: which bytes are its own is not known yet.
            return self.push(segment, out);
        }
        out.counters.urgent_bytes += 1;
        self.emit_aside(segment, out);
        self.push(&Segment { data: before, missing_bytes: 0, ..*segment }, out);
        self.next = self.next.wrapping_add(1);
        self.push(&Segment { sequence: self.next, data: after, ..*segment }, out);
    }

    /// Follows a direction whose bytes nobody wants any more, up to the end of a segment, so that a new conversation can be
    /// told from it.
    #[inline]
    pub fn follow(&mut self, end: u32) {
        let step = end.wrapping_sub(self.next) as i32;
        if step > 0 {
            self.position += step as u64;
            self.next = end;
        }
    }

    /// Follows a direction over the next bytes, which nobody wants.
    #[inline]
    pub fn step_over(&mut self, bytes: u32) {
        self.strikes = 0;
        self.follow(self.next.wrapping_add(bytes));
    }

    /// Whether a segment starts before a SYN that it would follow; a keep-alive's one byte below it does not count.
    #[inline]
    fn is_before_start(&self, sequence: u32) -> bool {
        let distance = sequence.wrapping_sub(self.next) as i32;
        self.start_is_known && self.pending.is_none() && (-(MAX_AHEAD_BYTES as i32)..-1).contains(&distance)
    }

    fn start(&mut self, sequence: u32, is_syn: bool) {
        self.next = sequence;
        self.is_started = true;
        self.start_is_known = is_syn;
    }

    /// A segment that is not the next: behind (seen before, perhaps in part) or ahead (of a hole).
    #[cold]
    fn push_elsewhere(&mut self, sequence: u32, segment: &Segment<'_>, out: &mut Outlet<'_>) {
        let distance = sequence.wrapping_sub(self.next) as i32;
        if distance.unsigned_abs() > MAX_AHEAD_BYTES {
            out.counters.out_of_window += 1;
            self.strikes += 1;
            if self.strikes < MAX_STRIKES {
                return self.emit_aside(segment, out);
            }
            self.give_up(out);
            self.strikes = 0;
            self.next = sequence;
            self.start_is_known = false;
            // How much is missing cannot be known; that something is, can.
            return self.skip_to(segment, 1, out);
        }
        self.strikes = 0;
        if distance <= 0 {
            return self.push_over_next(distance.unsigned_abs() as usize, sequence, segment, out);
        }
        out.counters.out_of_order += 1;
        let pending = self.pending.get_or_insert_with(|| out.pool.pending());
        let before = pending.live_bytes;
        let is_kept = pending.insert(sequence, segment, out.pool);
        let is_partial = pending.live_bytes - before < segment.data.len();
        let is_full = pending.is_full();
        if is_kept && is_partial {
            out.counters.overlapping += 1;
            self.emit_aside(segment, out);
        }
        if !is_kept || is_full {
            self.give_up(out);
        }
        if !is_kept {
            self.take_now(sequence, segment, out);
        }
    }

    /// A segment that starts `seen` bytes behind what comes next.
    fn push_over_next(&mut self, seen: usize, sequence: u32, segment: &Segment<'_>, out: &mut Outlet<'_>) {
        if seen >= segment.data.len() + segment.missing_bytes as usize {
            out.counters.retransmitted += 1;
            return self.emit_aside(segment, out);
        }
        if seen > 0 {
            out.counters.overlapping += 1;
            self.emit_aside(segment, out);
        }
        let Some(pending) = self.pending.as_mut() else {
            return self.hand_on_rest(seen, segment, out);
        };
        // Bytes that wait arrived before: this segment only fills the holes between them.
        if pending.insert(sequence, segment, out.pool) {
            self.drain(Some(segment.frame), out);
        } else {
            self.give_up(out);
            self.take_now(sequence, segment, out);
        }
    }

    /// Hands on a segment for which there was no room, with whatever hole is before it, now that nothing waits.
    fn take_now(&mut self, sequence: u32, segment: &Segment<'_>, out: &mut Outlet<'_>) {
        let distance = sequence.wrapping_sub(self.next) as i32;
        if distance > 0 {
            self.next = sequence;
            self.skip_to(segment, u64::from(distance.unsigned_abs()), out);
        } else {
            self.hand_on_rest(distance.unsigned_abs() as usize, segment, out);
        }
    }

    /// Hands on what of a segment is beyond its first `seen` bytes.
    fn hand_on_rest(&mut self, seen: usize, segment: &Segment<'_>, out: &mut Outlet<'_>) {
        let cut = (segment.missing_bytes as usize).saturating_sub(seen.saturating_sub(segment.data.len()));
        self.hand_on(segment.data.get(seen..).unwrap_or(&[]), 0, cut as u32, segment.frame, out);
    }

    fn skip_to(&mut self, segment: &Segment<'_>, gap_bytes: u64, out: &mut Outlet<'_>) {
        out.counters.gaps += 1;
        out.counters.gap_bytes += gap_bytes;
        self.position += gap_bytes;
        self.hand_on(segment.data, gap_bytes, segment.missing_bytes, segment.frame, out);
    }

    /// Hands on bytes that are next, and steps over those after them that were not captured.
    #[inline]
    fn hand_on(&mut self, data: &[u8], gap_bytes: u64, missing_bytes: u32, frame: FrameRef, out: &mut Outlet<'_>) {
        if !data.is_empty() || gap_bytes > 0 {
            self.emit(data, gap_bytes, frame, out);
        }
        self.next = self.next.wrapping_add(data.len() as u32);
        self.position += data.len() as u64;
        if missing_bytes > 0 {
            (out.emit)(self.take_cut(missing_bytes, frame, out.counters), out.pool);
        }
    }

    /// Hands on what waits and is next now. `filled_by` is the packet that filled the hole; without one each piece is its own
    /// packet's.
    fn drain(&mut self, filled_by: Option<FrameRef>, out: &mut Outlet<'_>) {
        let Some(mut pending) = self.pending.take() else { return };
        let mut done = 0;
        for piece in &pending.waiting {
            let ahead = piece.sequence.wrapping_sub(self.next) as i32;
            if ahead > 0 {
                break;
            }
            done += 1;
            let data = pending.data(piece);
            let seen = ahead.unsigned_abs() as usize;
            let total = data.len() + piece.missing_bytes as usize;
            if seen < total {
                let cut = piece.missing_bytes - seen.saturating_sub(data.len()) as u32;
                let frame = filled_by.unwrap_or(piece.frame);
                self.hand_on(data.get(seen..).unwrap_or(&[]), 0, cut, frame, out);
            }
        }
        pending.remove(done, out.pool);
        if pending.waiting.is_empty() {
            self.has_reached_end = pending.end == Some(self.next);
            out.pool.release_pending(pending);
        } else {
            self.pending = Some(pending);
        }
    }

    /// Skips the holes before everything that waits, and hands it on.
    pub fn give_up(&mut self, out: &mut Outlet<'_>) {
        while let Some(first) = self.pending.as_ref().and_then(|pending| pending.waiting.first()).copied() {
            let gap_bytes = u64::from(first.sequence.wrapping_sub(self.next));
            out.counters.gaps += 1;
            out.counters.gap_bytes += gap_bytes;
            self.next = first.sequence;
            self.position += gap_bytes;
            self.emit(&[], gap_bytes, first.frame, out);
            self.drain(None, out);
        }
    }

    fn emit(&self, data: &[u8], gap_bytes: u64, frame: FrameRef, out: &mut Outlet<'_>) {
        let (position, start_is_known) = (self.position, self.start_is_known);
        (out.emit)(Chunk { data, gap_bytes, position, start_is_known, frame, is_aside: false }, out.pool);
    }

    /// A segment that is not of the stream, in whole or in part: it must not hide anything.
    fn emit_aside(&self, segment: &Segment<'_>, out: &mut Outlet<'_>) {
        let Segment { data, frame, .. } = *segment;
        (out.emit)(Chunk { data, gap_bytes: 0, position: 0, start_is_known: false, frame, is_aside: true }, out.pool);
    }

    /// The earliest packet that waits behind a hole.
    pub fn earliest_pending(&self) -> Option<FrameRef> {
        self.pending.as_ref()?.waiting.iter().map(|piece| piece.frame).min()
    }
}
