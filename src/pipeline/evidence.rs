//! [`Collector`]: keeps copies of recent packets, and for each alert those of its flow before and after the hit.
//!
//! Each shard has its own ring, of fixed size, so that what is kept does not depend on the number of workers. An alert is held until the
//! packets after it are there: for [`Reach::time`] of packet time, until there are enough, or until its flow ends. Then it goes on
//! with them, and [`Filer`] writes them, on a thread of its own.

mod filer;
#[cfg(test)]
mod tests;

pub(super) use filer::Filer;
pub use filer::{EvidenceCounters, EvidenceFigures};

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::{Alert, Evidence, KeptPacket};
use crate::flow::Slot;
use crate::packet::{FrameMeta, FrameRef};
use crate::time::Timestamp;

use super::SHARDS;

/// What is kept, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceOptions {
    /// A folder for nothing else, on a local disk: alerts wait for it.
    pub folder: PathBuf,
    /// Bytes of files there; before more, the oldest are deleted.
    pub max_folder_bytes: u64,
    /// The same in files.
    pub max_files: usize,
    /// Bytes of recent packets kept in memory, in all; as many again may be held for alerts under way.
    pub ring_bytes: usize,
    /// Of the flow, up to the hit.
    pub before: Reach,
    /// Of the flow, after the hit: an alert goes out so much later.
    pub after: Reach,
}

/// How many packets of a flow: what comes first of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Packets.
    pub packets: usize,
    /// Their captured bytes.
    pub bytes: usize,
    /// How far from the hit, in packet time.
    pub time: Duration,
}

impl EvidenceOptions {
    /// With what is usual, into `folder`.
    pub fn into_folder(folder: PathBuf) -> Self {
        Self {
            folder,
            max_folder_bytes: 1 << 30,
            max_files: 10_000,
            ring_bytes: 32 << 20,
            before: Reach { packets: 64, bytes: 128 << 10, time: Duration::from_secs(60) },
            after: Reach { packets: 32, bytes: 64 << 10, time: Duration::from_secs(2) },
        }
    }

    /// Makes the folder, if it is not there, and looks whether it can be written.
    ///
    /// # Errors
    /// What the system says.
    pub fn prepare(&self) -> std::io::Result<()> {
        Filer::open(self, Arc::default()).map(drop)
    }
}

/// Alerts under way in one shard; beyond that the oldest goes out with what there is.
const MAX_OPEN: usize = 256;

/// See the module.
pub(super) struct Collector {
    before: Reach,
    after: Reach,
    ring_bytes: usize,
    rings: Vec<Ring>,
    sides: Vec<Side>,
    /// Alerts that have their packets.
    pub(super) done: Vec<Alert>,
    /// Alerts that went out before all packets after them were there, for want of room.
    pub(super) cut_short: u64,
}

/// Of one shard.
#[derive(Default)]
struct Ring {
    kept: VecDeque<Kept>,
    /// Number of the first in `kept`, less one: they are numbered from 1 on.
    gone: u64,
    bytes: usize,
    open: VecDeque<Open>,
    open_bytes: usize,
}

struct Kept {
    packet: KeptPacket,
    /// Number of the packet before it in its flow; 0 for none.
    before: u64,
}

/// An alert that waits for packets.
struct Open {
    alert: Alert,
    slot: Slot,
    packets: Vec<KeptPacket>,
    bytes: usize,
    after_packets: usize,
    after_bytes: usize,
    until: Timestamp,
}

/// Of one flow.
#[derive(Clone, Copy, Default)]
struct Side {
    /// Number of its last packet in the ring; 0 for none.
    last: u64,
    /// Alerts under way.
    open: u32,
}

impl Collector {
    pub(super) fn new(options: &EvidenceOptions, shards: usize) -> Self {
        Self {
            before: options.before,
            after: options.after,
            ring_bytes: options.ring_bytes / SHARDS,
            rings: (0..shards).map(|_| Ring::default()).collect(),
            sides: Vec::new(),
            done: Vec::new(),
            cut_short: 0,
        }
    }

    /// Keeps a packet of a flow, and hands it to the flow's alerts under way.
    pub(super) fn keep(&mut self, shard: usize, slot: Slot, frame: &FrameMeta, data: &[u8]) {
        let last = self.side(slot).last;
        let ring = &mut self.rings[shard];
        let is_same = |kept: &Kept| (kept.packet.frame.file, kept.packet.frame.number) == (frame.file, frame.number);
        // A datagram comes with the frame of its last piece.
        if ring.at(last).is_some_and(is_same) {
            return;
        }
        let packet = KeptPacket { frame: *frame, data: data.into() };
        let has_open = self.side(slot).open > 0;
        if has_open {
            self.extend(shard, slot, &packet);
        }
        let ring = &mut self.rings[shard];
        ring.bytes += data.len();
        ring.kept.push_back(Kept { packet, before: last });
        let number = ring.gone + ring.kept.len() as u64;
        while ring.bytes > self.ring_bytes
            && let Some(oldest) = ring.kept.pop_front()
        {
            ring.bytes -= oldest.packet.data.len();
            ring.gone += 1;
        }
        self.side(slot).last = number;
    }

    fn extend(&mut self, shard: usize, slot: Slot, packet: &KeptPacket) {
        let (after, bytes) = (self.after, packet.data.len());
        let ring = &mut self.rings[shard];
        let mut is_any_full = false;
        for open in ring.open.iter_mut().filter(|open| open.slot == slot && !open.is_full(&after)) {
            if packet.frame.time <= open.until && open.after_bytes + bytes <= after.bytes {
                open.packets.push(packet.clone());
                open.bytes += bytes;
                ring.open_bytes += bytes;
                open.after_bytes += bytes;
                open.after_packets += 1;
            } else {
                open.after_packets = after.packets;
            }
            is_any_full |= open.is_full(&after);
        }
        if is_any_full {
            self.complete(shard, |open| open.slot == slot && open.is_full(&after));
        }
        self.make_room(shard);
    }

    /// Begins with alerts that a flow has raised.
    pub(super) fn claim(&mut self, shard: usize, slot: Slot, alerts: &mut Vec<Alert>) {
        for alert in alerts.drain(..) {
            let packets = self.before(shard, slot, alert.frame.time);
            let bytes = packets.iter().map(|packet| packet.data.len()).sum();
            let until = alert.frame.time.as_ns().saturating_add(self.after.time.as_nanos() as u64);
            let until = Timestamp::from_ns(until);
            let ring = &mut self.rings[shard];
            ring.open_bytes += bytes;
            ring.open.push_back(Open { alert, slot, packets, bytes, after_packets: 0, after_bytes: 0, until });
            self.side(slot).open += 1;
        }
        if self.after.packets == 0 {
            self.complete(shard, |open| open.slot == slot);
        }
        self.make_room(shard);
    }

    /// Packets of a flow up to now, oldest first.
    fn before(&mut self, shard: usize, slot: Slot, hit: Timestamp) -> Vec<KeptPacket> {
        let mut at = self.side(slot).last;
        let (ring, reach) = (&self.rings[shard], self.before);
        let (mut packets, mut bytes) = (Vec::new(), 0);
        while let Some(kept) = ring.at(at) {
            bytes += kept.packet.data.len();
            if packets.len() >= reach.packets || bytes > reach.bytes || hit.since(kept.packet.frame.time) > reach.time {
                break;
            }
            packets.push(kept.packet.clone());
            at = kept.before;
        }
        packets.reverse();
        packets
    }

    fn make_room(&mut self, shard: usize) {
        loop {
            let ring = &mut self.rings[shard];
            if ring.open.len() <= MAX_OPEN && ring.open_bytes <= self.ring_bytes {
                return;
            }
            let Some(oldest) = ring.open.pop_front() else { return };
            self.cut_short += 1;
            self.finish(shard, oldest);
        }
    }

    /// A flow has ended: its alerts need not wait.
    pub(super) fn end(&mut self, shard: usize, slot: Slot) {
        if self.side(slot).open > 0 {
            self.complete(shard, |open| open.slot == slot);
        }
        *self.side(slot) = Side::default();
    }

    /// It is `now`.
    pub(super) fn tick(&mut self, now: Timestamp) {
        for shard in 0..self.rings.len() {
            if !self.rings[shard].open.is_empty() {
                self.complete(shard, |open| open.until < now);
            }
        }
    }

    /// Nothing more will come.
    pub(super) fn close(&mut self) {
        (0..self.rings.len()).for_each(|shard| self.complete(shard, |_| true));
    }

    /// The first frame that an alert under way names.
    pub(super) fn held_back(&self) -> Option<FrameRef> {
        self.rings.iter().flat_map(|ring| &ring.open).map(|open| open.alert.frame).min()
    }

    fn complete(&mut self, shard: usize, is_due: impl Fn(&Open) -> bool) {
        let ring = &mut self.rings[shard];
        for open in std::mem::take(&mut ring.open) {
            if is_due(&open) {
                self.finish(shard, open);
            } else {
                self.rings[shard].open.push_back(open);
            }
        }
    }

    fn finish(&mut self, shard: usize, open: Open) {
        let Open { mut alert, slot, packets, bytes, .. } = open;
        self.rings[shard].open_bytes -= bytes;
        let side = self.side(slot);
        side.open = side.open.saturating_sub(1);
        alert.evidence = Some(Box::new(Evidence::Packets(packets)));
        self.done.push(alert);
    }

    fn side(&mut self, Slot(slot): Slot) -> &mut Side {
        let slot = slot as usize;
        if self.sides.len() <= slot {
            self.sides.resize(slot + 1, Side::default());
        }
        &mut self.sides[slot]
    }
}

impl Ring {
    /// The packet of a number, if it is still there.
    fn at(&self, number: u64) -> Option<&Kept> {
        self.kept.get(usize::try_from(number.checked_sub(self.gone + 1)?).ok()?)
    }
}

impl Open {
    fn is_full(&self, after: &Reach) -> bool {
        self.after_packets >= after.packets
    }
}
