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
    pub(super) items: Vec<Item>,
    /// Position of the batch in the run.
    pub(super) number: u64,
}

/// One frame.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) frame: FrameMeta,
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
    /// Decodes a batch in place of what was here.
    pub(super) fn fill(&mut self, batch: &Batch, seed: HashSeed) {
        self.items.clear();
        self.data = batch.data.clone();
        self.items.reserve(batch.frames.len());
        self.extend(&batch.frames, seed);
    }

    /// Decodes a few of a batch's frames in place of what was here.
    pub(super) fn fill_part(&mut self, data: &Data, frames: &[FrameMeta], seed: HashSeed) {
        self.items.clear();
        self.data = data.clone();
        self.extend(frames, seed);
    }

    fn extend(&mut self, frames: &[FrameMeta], seed: HashSeed) {
        let bytes: &[u8] = &self.data;
        for frame in frames.iter().take(AHEAD_FRAMES) {
            prefetch::byte(bytes, frame.offset);
        }
        for (at, frame) in frames.iter().enumerate() {
            if let Some(ahead) = frames.get(at + AHEAD_FRAMES) {
                prefetch::byte(bytes, ahead.offset);
            }
            let packet = packet::decode(frame_bytes(bytes, frame), frame.link);
            let (key, from) = FlowKey::of(&packet).unwrap_or_default();
            let hash = if packet.ip_version == 0 { 0 } else { key.hash(seed) };
            self.items.push(Item { frame: *frame, packet, key, from, hash });
        }
    }
}

/// A frame's captured bytes.
#[inline]
pub(super) fn frame_bytes<'a>(data: &'a [u8], frame: &FrameMeta) -> &'a [u8] {
    data.get(frame.offset..frame.offset + frame.captured_bytes as usize).unwrap_or(&[])
}
