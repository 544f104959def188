//! [`Decoded`]: a batch of frames with their headers read and their flow keys hashed: what workers are handed.
//!
//! Most frames are one [`Item`]. One that crosses tunnels is several: the outer packets, each an item of its own flow without
//! payload, then the innermost one. A piece of a datagram that completes it is followed by the datagram, whose bytes are beside
//! the capture's. Items are in capture order; each belongs to the shard of its own flow.

use crate::capture::{Batch, Data};
use crate::flow::{Defrag, End, FlowKey, HashSeed, Whole};
use crate::packet::{self, FrameMeta, Packet};
use crate::prefetch;

use super::SHARDS;
use super::fragments::Turn;

/// Frames whose bytes are asked for ahead of the one being decoded.
const AHEAD_FRAMES: usize = 12;

/// Datagrams in pieces within datagrams in pieces, at most: a tunnel over a narrow link has two.
const MAX_NESTED: usize = 4;

/// Memory for datagrams that is kept from one batch to the next.
const KEPT_BYTES: usize = 1 << 20;

/// See the module. Reused from batch to batch.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) data: Data,
    pub(super) frames: Vec<FrameMeta>,
    pub(super) headers: Headers,
    /// For each worker, which of the items are its shards'.
    pub(super) parts: Vec<Vec<u32>>,
}

/// The items of some frames.
#[derive(Default)]
pub(super) struct Headers {
    /// The frames' own, then the others.
    items: Vec<Item>,
    /// How many are the frames' own.
    own: usize,
    /// All of them in capture order.
    pub(super) order: Vec<u32>,
    /// Payloads of datagrams that were put together.
    rebuilt: Vec<u8>,
    /// Items besides the frames' own, in order: those that come before the own item of their frame, and those behind it.
    before: Vec<Item>,
    behind: Vec<Item>,
    /// Frames whose own item is a piece.
    pieces: Vec<u16>,
    /// Outer packets of the frame being decoded.
    outer: Vec<Packet>,
}

/// One packet of one frame.
#[derive(Clone, Copy, Default)]
pub(super) struct Item {
    pub(super) packet: Packet,
    /// What it is filed under; meaningless without addresses.
    pub(super) key: FlowKey,
    pub(super) from: End,
    /// Not the frame's own item: the frame is counted with that.
    pub(super) is_further: bool,
    /// Which of the frames it is of.
    pub(super) frame: u16,
    pub(super) hash: u64,
    /// Where its bytes are among those put together; no length if they are the frame's.
    pub(super) rebuilt_at: u32,
    pub(super) rebuilt_bytes: u32,
}

/// What offsets of packets are into.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) captured: &'a [u8],
    rebuilt: &'a [u8],
}

impl Item {
    /// The shard that the frame belongs to; frames without addresses belong to the first.
    #[inline]
    pub(super) fn shard(&self) -> usize {
        (self.hash >> 56) as usize % SHARDS
    }

    #[inline(always)]
    fn file_under_flow(&mut self, seed: HashSeed) {
        match FlowKey::of(&self.packet) {
            Some((key, from)) => (self.hash, self.key, self.from) = (key.hash(seed), key, from),
            None => self.hash = 0,
        }
    }

    /// Another packet of a frame.
    #[cold]
    fn further(frame: u16, packet: Packet, (rebuilt_at, rebuilt_bytes): (u32, u32), seed: HashSeed) -> Self {
        let mut item = Self { packet, frame, is_further: true, rebuilt_at, rebuilt_bytes, ..Self::default() };
        item.file_under_flow(seed);
        item
    }
}

impl<'a> Bytes<'a> {
    /// A packet's payload.
    #[inline]
    pub(super) fn payload(self, (frame, item): (&FrameMeta, &Item)) -> &'a [u8] {
        if item.rebuilt_bytes == 0 {
            return item.packet.payload(frame_bytes(self.captured, frame));
        }
        let start = item.rebuilt_at as usize;
        item.packet.payload(self.rebuilt.get(start..start + item.rebuilt_bytes as usize).unwrap_or(&[]))
    }
}

impl Decoded {
    /// Takes a batch's frames, and gives it the old ones' memory.
    pub(super) fn take(&mut self, batch: &mut Batch) {
        std::mem::swap(&mut self.frames, &mut batch.frames);
        self.data = batch.data.clone();
    }

    /// Decodes the frames and deals them out.
    pub(super) fn decode(&mut self, seed: HashSeed, workers: usize, turn: &Turn<'_>) {
        self.headers.read(&self.data, &self.frames, seed);
        if self.headers.has_pieces() {
            turn.with(|defrag| self.headers.assemble(&self.data, &self.frames, seed, defrag));
        }
        self.headers.merge();
        self.parts.resize_with(workers, Vec::new);
        self.parts.iter_mut().for_each(Vec::clear);
        let worker_of: [u8; SHARDS] = std::array::from_fn(|shard| (shard % workers) as u8);
        for &at in &self.headers.order {
            self.parts[usize::from(worker_of[self.headers.items[at as usize].shard()])].push(at);
        }
    }

    /// An item and its frame.
    #[inline]
    pub(super) fn framed(&self, at: u32) -> (&FrameMeta, &Item) {
        self.headers.framed(at, &self.frames)
    }
}

impl Headers {
    /// Decodes frames in place of what was there, on one thread.
    pub(super) fn decode(&mut self, data: &[u8], frames: &[FrameMeta], seed: HashSeed, defrag: &mut Defrag) {
        self.read(data, frames, seed);
        if self.has_pieces() {
            self.assemble(data, frames, seed, defrag);
        }
        self.merge();
    }

    /// An item and its frame, given the frames that were decoded.
    #[inline]
    pub(super) fn framed<'i>(&'i self, at: u32, frames: &'i [FrameMeta]) -> (&'i FrameMeta, &'i Item) {
        let item = &self.items[at as usize];
        (&frames[usize::from(item.frame)], item)
    }

    /// The frames' own items, if there are no others.
    #[inline]
    pub(super) fn only(&self) -> Option<&[Item]> {
        Some(self.items.as_slice()).filter(|items| items.len() == self.own)
    }

    /// What the items' offsets are into, given the capture's bytes.
    #[inline]
    pub(super) fn bytes<'a>(&'a self, captured: &'a [u8]) -> Bytes<'a> {
        Bytes { captured, rebuilt: &self.rebuilt }
    }

    fn has_pieces(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Each frame by itself.
    fn read(&mut self, data: &[u8], frames: &[FrameMeta], seed: HashSeed) {
        let Self { items, own, rebuilt, before, behind, pieces, outer, .. } = self;
        rebuilt.clear();
        rebuilt.shrink_to(KEPT_BYTES);
        before.clear();
        behind.clear();
        pieces.clear();
        outer.clear();
        items.resize(frames.len(), Item::default());
        *own = frames.len();
        for frame in frames.iter().take(AHEAD_FRAMES) {
            prefetch::byte(data, frame.offset);
        }
        for (at, (frame, item)) in frames.iter().zip(items).enumerate() {
            if let Some(ahead) = frames.get(at + AHEAD_FRAMES) {
                prefetch::byte(data, ahead.offset);
            }
            item.packet = Packet::default();
            (item.frame, item.is_further, item.rebuilt_bytes) = (at as u16, false, 0);
            packet::decode_into(&mut item.packet, frame_bytes(data, frame), frame.link, outer);
            if !outer.is_empty() {
                before.extend(outer.drain(..).map(|packet| Item::further(at as u16, packet, (0, 0), seed)));
            }
            if item.packet.is_fragment {
                pieces.push(at as u16);
            }
            item.file_under_flow(seed);
        }
    }

    /// Puts the pieces together, in capture order.
    #[cold]
    fn assemble(&mut self, data: &[u8], frames: &[FrameMeta], seed: HashSeed, defrag: &mut Defrag) {
        for at in std::mem::take(&mut self.pieces) {
            let (frame, item) = (&frames[usize::from(at)], &mut self.items[usize::from(at)]);
            let payload = item.packet.payload(frame_bytes(data, frame));
            let added = defrag.add(&item.packet, payload, frame.time);
            item.packet.set_ports(added.ports);
            item.file_under_flow(seed);
            let piece = item.packet;
            if let Some(whole) = added.whole {
                self.add_whole(at, &piece, whole, seed, (defrag, frame));
            }
        }
    }

    /// Decodes a datagram; it may hold a tunnel, and in that the last piece of another datagram.
    fn add_whole(
        &mut self,
        at: u16,
        piece: &Packet,
        whole: Whole,
        seed: HashSeed,
        (defrag, frame): (&mut Defrag, &FrameMeta),
    ) {
        let mut waiting = vec![(*piece, whole)];
        for _ in 0..MAX_NESTED {
            let Some((piece, Whole { payload, other, missing_bytes, protocol })) = waiting.pop() else { return };
            for payload in std::iter::once(payload).chain(other) {
                let first = Packet { protocol, ..piece };
                let mut inner = packet::decode_datagram(&first, &payload, missing_bytes, &mut self.outer);
                if inner.is_fragment {
                    let added = defrag.add(&inner, inner.payload(&payload), frame.time);
                    inner.set_ports(added.ports);
                    waiting.extend(added.whole.map(|whole| (inner, whole)));
                }
                let place = (self.rebuilt.len() as u32, payload.len() as u32);
                self.behind.extend(self.outer.drain(..).map(|packet| Item::further(at, packet, (0, 0), seed)));
                self.behind.push(Item::further(at, inner, place, seed));
                self.rebuilt.extend_from_slice(&payload);
            }
        }
        defrag.counters.too_deep += waiting.len() as u64;
    }

    /// Gives further items their places among the frames' own.
    fn merge(&mut self) {
        let own = self.items.len() as u32;
        self.order.clear();
        if self.before.is_empty() && self.behind.is_empty() {
            return self.order.extend(0..own);
        }
        self.items.append(&mut self.before);
        let mut behind = self.items.len() as u32..(self.items.len() + self.behind.len()) as u32;
        self.items.append(&mut self.behind);
        let mut before = own..behind.start;
        for at in 0..own {
            let is_of_frame = |&further: &u32| u32::from(self.items[further as usize].frame) == at;
            while let Some(further) = Some(before.start).filter(|further| !before.is_empty() && is_of_frame(further)) {
                self.order.push(further);
                before.start += 1;
            }
            self.order.push(at);
            while let Some(further) = Some(behind.start).filter(|further| !behind.is_empty() && is_of_frame(further)) {
                self.order.push(further);
                behind.start += 1;
            }
        }
    }
}

/// A frame's captured bytes.
#[inline]
pub(super) fn frame_bytes<'a>(data: &'a [u8], frame: &FrameMeta) -> &'a [u8] {
    data.get(frame.offset..frame.offset + frame.captured_bytes as usize).unwrap_or(&[])
}
