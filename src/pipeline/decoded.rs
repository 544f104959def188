//! [`Decoded`]: a batch of frames with their headers read and their flow keys hashed: what workers are handed.
//!
//! Most frames are one [`Item`]. One that crosses tunnels is several: the outer packets, each an item of its own flow without
//! payload, then the innermost one. A piece of a datagram that completes it is followed by the datagram, whose bytes are beside
//! the capture's, and a frame that holds others by these ([`unfold`]). Items are in capture order; each belongs to the shard of its own flow.

mod unfold;

use std::ops::Range;

use crate::capture::{Batch, Data};
use crate::flow::{End, FlowKey, HashSeed, Home, Share};
use crate::packet::{self, Beside, Form, FrameMeta, Packet, Part};
use crate::prefetch;

use super::SHARDS;
use super::fragments::{Assembler, Turn};

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
    /// All of them in capture order: stretches of `items`.
    stretches: Vec<Range<u32>>,
    /// Datagrams that were put together.
    rebuilt: Vec<Rebuilt>,
    /// Items besides the frames' own, in order: those that come before the own item of their frame, and those behind it.
    before: Vec<Item>,
    behind: Vec<Item>,
    /// Frames whose own item is a piece, or that hold parts.
    folded: Vec<u16>,
    /// The parts, each with its frame.
    parts: Vec<(u16, Part)>,
    /// Of the frame being decoded.
    beside: Beside,
}

/// What an item is to its frame.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// The frame's own: the frame is counted with it.
    #[default]
    Own,
    /// The frame's own, a piece of a datagram: the frame's verdict is the datagram's.
    Piece,
    /// A tunnel around the frame's own.
    Outer,
    /// Beside the frame's own, or beside a datagram that was put together: the frame is judged without it.
    Part,
    /// Of a datagram that was put together: in it, or around what is in it.
    Rebuilt,
}

/// A datagram that was put together.
pub(super) struct Rebuilt {
    payload: Vec<u8>,
    /// What its pieces came in, where their verdict is this one's.
    share: Share,
}

/// One packet of one frame.
#[derive(Clone, Copy, Default)]
pub(super) struct Item {
    pub(super) packet: Packet,
    /// What it is filed under; meaningless without addresses.
    pub(super) key: FlowKey,
    pub(super) from: End,
    pub(super) role: Role,
    /// Of the frame's own, what it was decoded from: of a common form it is TCP or UDP, and readable.
    pub(super) form: Form,
    /// Which of the frames it is of.
    pub(super) frame: u16,
    /// Where the flow is, for who is told of items as they are decoded ([`Headers::decode`]).
    pub(super) home: Home,
    pub(super) hash: u64,
    /// Number of the datagram that its bytes are in, from 1; 0 if they are in the frame.
    pub(super) rebuilt: u32,
}

/// What offsets of packets are into.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) captured: &'a [u8],
    rebuilt: &'a [Rebuilt],
}

impl Role {
    /// Whether it is its frame's own item.
    #[inline]
    pub(super) fn is_own(self) -> bool {
        matches!(self, Self::Own | Self::Piece)
    }
}

impl Item {
    /// The shard that the frame belongs to; frames without addresses belong to the first.
    #[inline]
    pub(super) fn shard(&self) -> usize {
        (self.hash >> 56) as usize % SHARDS
    }

    /// Whether it is the frame's own and of a common form.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.form != Form::Uncommon
    }

    fn file_under_flow(&mut self, seed: HashSeed) {
        self.form = Form::Uncommon;
        match FlowKey::of(&self.packet) {
            Some((key, from)) => (self.hash, self.key, self.from) = (key.hash(seed), key, from),
            None => self.hash = 0,
        }
    }

    /// Another packet of a frame.
    #[cold]
    fn further(frame: u16, packet: Packet, role: Role, seed: HashSeed) -> Self {
        let mut item = Self { packet, frame, role, ..Self::default() };
        item.file_under_flow(seed);
        item
    }
}

impl<'a> Bytes<'a> {
    /// A packet's payload.
    #[inline]
    pub(super) fn payload(self, (frame, item): (&FrameMeta, &Item)) -> &'a [u8] {
        if item.rebuilt == 0 {
            return item.packet.payload(frame_bytes(self.captured, frame));
        }
        self.rebuilt_of(item).map_or(&[], |rebuilt| item.packet.payload(&rebuilt.payload))
    }

    /// Asks for the start of a packet's payload, which another processor may have read.
    #[inline]
    pub(super) fn prefetch(self, (frame, item): (&FrameMeta, &Item)) {
        prefetch::byte(self.captured, frame.offset + item.packet.payload_at as usize);
    }

    /// What an item's verdict is the verdict of.
    pub(super) fn share(self, (frame, item): (&FrameMeta, &Item)) -> Share {
        match item.role {
            Role::Own => Share { packets: 1, bytes: u64::from(frame.wire_bytes) },
            Role::Piece | Role::Outer | Role::Part => Share::default(),
            Role::Rebuilt => self.rebuilt_of(item).map(|rebuilt| rebuilt.share).unwrap_or_default(),
        }
    }

    fn rebuilt_of(self, item: &Item) -> Option<&'a Rebuilt> {
        self.rebuilt.get((item.rebuilt as usize).wrapping_sub(1))
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
        self.headers.read(&self.data, &self.frames, seed, |_| {});
        if self.headers.is_folded() {
            turn.with(|assembler| self.headers.assemble(&self.data, &self.frames, seed, assembler));
        }
        self.headers.merge();
        self.parts.resize_with(workers, Vec::new);
        self.parts.iter_mut().for_each(Vec::clear);
        let worker_of: [u8; SHARDS] = std::array::from_fn(|shard| (shard % workers) as u8);
        for at in self.headers.stretches.iter().cloned().flatten() {
            self.parts[usize::from(worker_of[self.headers.items[at as usize].shard()])].push(at);
        }
    }

    /// An item and its frame.
    #[inline]
    pub(super) fn framed(&self, at: u32) -> (&FrameMeta, &Item) {
        self.headers.framed(at, &self.frames)
    }

    /// Asks for items and their frames, which another processor may have written.
    pub(super) fn prefetch(&self, items: &[u32]) {
        for &at in items {
            self.headers.items.get(at as usize).into_iter().for_each(prefetch::lines);
            // A frame's own item has its place.
            self.frames.get(at as usize).into_iter().for_each(prefetch::lines);
        }
    }
}

impl Headers {
    /// Decodes frames in place of what was there, on one thread. `ahead` is given each item as soon as its hash is known, to find its home,
    /// so that what it asks memory for comes while the next frames are decoded.
    pub(super) fn decode(
        &mut self,
        data: &[u8],
        frames: &[FrameMeta],
        seed: HashSeed,
        assembler: &mut Assembler,
        ahead: impl Fn(&mut Item),
    ) {
        self.read(data, frames, seed, &ahead);
        let is_folded = self.is_folded();
        if is_folded {
            self.assemble(data, frames, seed, assembler);
        }
        if is_folded || !self.before.is_empty() {
            self.merge();
            let is_filed_anew = |item: &&mut Item| item.role != Role::Own || item.packet.is_fragment;
            self.items.iter_mut().filter(is_filed_anew).for_each(ahead);
        }
    }

    /// An item and its frame, given the frames that were decoded.
    #[inline]
    pub(super) fn framed<'i>(&'i self, at: u32, frames: &'i [FrameMeta]) -> (&'i FrameMeta, &'i Item) {
        let item = &self.items[at as usize];
        (&frames[usize::from(item.frame)], item)
    }

    /// All items in capture order, each with its frame, given the frames that were decoded.
    #[inline(always)]
    pub(super) fn for_each<'i>(&'i self, frames: &'i [FrameMeta], mut act: impl FnMut(&'i FrameMeta, &'i Item)) {
        for stretch in &self.stretches {
            for item in &self.items[stretch.start as usize..stretch.end as usize] {
                act(&frames[usize::from(item.frame)], item);
            }
        }
    }

    /// Lists the items of one of several workers' shards, in capture order, in place of what was there.
    pub(super) fn list_own(&self, worker: usize, workers: usize, own: &mut Vec<u32>) {
        let is_own: [bool; SHARDS] = std::array::from_fn(|shard| shard % workers == worker);
        own.resize(self.items.len(), 0);
        let mut count = 0;
        for at in self.stretches.iter().cloned().flatten() {
            // Written in any case, for whose it is cannot be guessed.
            own[count] = at;
            count += usize::from(is_own[self.items[at as usize].shard()]);
        }
        own.truncate(count);
    }

    /// What the items' offsets are into, given the capture's bytes.
    #[inline]
    pub(super) fn bytes<'a>(&'a self, captured: &'a [u8]) -> Bytes<'a> {
        Bytes { captured, rebuilt: &self.rebuilt }
    }

    fn is_folded(&self) -> bool {
        !self.folded.is_empty()
    }

    /// Each frame by itself.
    #[inline(never)]
    fn read(&mut self, data: &[u8], frames: &[FrameMeta], seed: HashSeed, ahead: impl Fn(&mut Item)) {
        let Self { items, stretches, rebuilt, before, behind, folded, parts, beside } = self;
        rebuilt.clear();
        before.clear();
        behind.clear();
        folded.clear();
        parts.clear();
        beside.clear();
        items.resize(frames.len(), Item::default());
        stretches.clear();
        stretches.push(0..frames.len() as u32);
        for (at, (frame, item)) in frames.iter().zip(items).enumerate() {
            let (bytes, old) = (frame_bytes_if_whole(data, frame), item.form);
            let own = &mut item.packet;
            let form = bytes.map_or(Form::Uncommon, |bytes| packet::decode_common(own, bytes, frame.link, old));
            // Of two IPv4 packets one after the other in the same place only that is written in which they differ.
            if (form, old) != (Form::Ipv4, Form::Ipv4) {
                (item.frame, item.role, item.rebuilt, item.form) = (at as u16, Role::Own, 0, form);
                item.key = FlowKey::default();
            }
            match form {
                Form::Ipv4 => {
                    item.from = item.key.set_ipv4(&item.packet);
                    item.hash = item.key.hash_ipv4(seed);
                }
                Form::Other => {
                    (item.key, item.from) = FlowKey::of_ports(&item.packet);
                    item.hash = item.key.hash(seed);
                }
                Form::Uncommon => {
                    packet::decode_any(&mut item.packet, bytes.unwrap_or(&[]), frame.link, beside);
                    item.file_under_flow(seed);
                    if item.packet.is_fragment || !beside.parts.is_empty() {
                        folded.push(at as u16);
                    }
                    if !beside.is_empty() {
                        before.extend(
                            beside.outer.drain(..).map(|packet| Item::further(at as u16, packet, Role::Outer, seed)),
                        );
                        parts.extend(beside.parts.drain(..).map(|part| (at as u16, part)));
                        beside.clear();
                    }
                }
            }
            ahead(item);
        }
    }

    /// Gives further items their places among the frames' own: stretches of own items, and between them what comes before or behind one.
    fn merge(&mut self) {
        let Self { items, stretches, before, behind, .. } = self;
        if before.is_empty() && behind.is_empty() {
            return;
        }
        let own = items.len() as u32;
        let mut first = own..own + before.len() as u32;
        let mut second = first.end..first.end + behind.len() as u32;
        items.append(before);
        items.append(behind);
        stretches.clear();
        let frame_of = |further: &Range<u32>| further.clone().next().map(|at| u32::from(items[at as usize].frame));
        let mut next = 0;
        loop {
            let frames = [frame_of(&first), frame_of(&second)];
            let Some(frame) = frames.into_iter().flatten().min() else { break };
            let is_before = frames[0] == Some(frame);
            let (further, end) = if is_before { (&mut first, frame) } else { (&mut second, frame + 1) };
            if next < end {
                stretches.push(next..end);
                next = end;
            }
            stretches.extend(further.next().map(|at| at..at + 1));
        }
        stretches.push(next..own);
    }
}

#[inline(always)]
fn frame_bytes_if_whole<'a>(data: &'a [u8], frame: &FrameMeta) -> Option<&'a [u8]> {
    data.get(frame.offset..)?.get(..frame.captured_bytes as usize)
}

/// A frame's captured bytes.
#[inline]
pub(super) fn frame_bytes<'a>(data: &'a [u8], frame: &FrameMeta) -> &'a [u8] {
    frame_bytes_if_whole(data, frame).unwrap_or(&[])
}
