//! [`Decoded`]: a batch of frames with their headers read and their flow keys hashed: what workers are handed.

use crate::capture::{Batch, Data};
use crate::flow::{End, FlowKey, HashSeed};
use crate::packet::{self, FrameMeta, Packet};
use crate::prefetch;

use super::SHARDS;

/// Frames whose bytes are asked for ahead of the one being decoded.
const AHEAD_FRAMES: usize = 12;

/// See the module. Reused from batch to batch.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) data: Data,
    pub(super) frames: Vec<FrameMeta>,
    /// One for each frame.
    pub(super) items: Vec<Item>,
    /// For each worker, which of the items are its shards'.
    pub(super) parts: Vec<Vec<u16>>,
}

/// One frame.
#[derive(Clone, Copy, Default)]
pub(super) struct Item {
    pub(super) packet: Packet,
    /// What it is filed under; meaningless without addresses.
    pub(super) key: FlowKey,
    pub(super) from: End,
    pub(super) hash: u64,
}

impl Item {
    /// The shard that the frame belongs to; frames without addresses belong to the first.
    #[inline]
    pub(super) fn shard(&self) -> usize {
        (self.hash >> 56) as usize % SHARDS
    }
}

impl Decoded {
    /// Takes a batch's frames, and gives it the old ones' memory.
    pub(super) fn take(&mut self, batch: &mut Batch) {
        std::mem::swap(&mut self.frames, &mut batch.frames);
        self.data = batch.data.clone();
    }

    /// Decodes the frames and deals them out.
    pub(super) fn decode(&mut self, seed: HashSeed, workers: usize) {
        decode_all(&self.data, &self.frames, &mut self.items, seed);
        self.parts.resize_with(workers, Vec::new);
        self.parts.iter_mut().for_each(Vec::clear);
        let worker_of: [u8; SHARDS] = std::array::from_fn(|shard| (shard % workers) as u8);
        for (at, item) in self.items.iter().enumerate() {
            self.parts[usize::from(worker_of[item.shard()])].push(at as u16);
        }
    }
}

/// Decodes frames in place of `items`.
pub(super) fn decode_all(bytes: &[u8], frames: &[FrameMeta], items: &mut Vec<Item>, seed: HashSeed) {
    items.resize(frames.len(), Item::default());
    for frame in frames.iter().take(AHEAD_FRAMES) {
        prefetch::byte(bytes, frame.offset);
    }
    for (at, (frame, item)) in frames.iter().zip(items).enumerate() {
        if let Some(ahead) = frames.get(at + AHEAD_FRAMES) {
            prefetch::byte(bytes, ahead.offset);
        }
        item.packet = Packet::default();
        packet::decode_into(&mut item.packet, frame_bytes(bytes, frame), frame.link);
        match FlowKey::of(&item.packet) {
            Some((key, from)) => (item.hash, item.key, item.from) = (key.hash(seed), key, from),
            None => item.hash = 0,
        }
    }
}

/// A frame's captured bytes.
#[inline]
pub(super) fn frame_bytes<'a>(data: &'a [u8], frame: &FrameMeta) -> &'a [u8] {
    data.get(frame.offset..frame.offset + frame.captured_bytes as usize).unwrap_or(&[])
}
