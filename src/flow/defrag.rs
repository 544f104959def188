//! [`Defrag`]: pieces of IPv4 and IPv6 datagrams (RFC 791, RFC 8200 4.5) to whole ones.
//!
//! **Overlaps**: the first byte to arrive wins. Where a later piece says something else of a byte, the receiver may have decided
//! otherwise: a second reading, in which the later byte wins, is kept beside the first, and both are handed out. (IPv6
//! receivers drop such a datagram, RFC 5722; it is read all the same.)
//!
//! A first piece that the capture cut is handed out at once: nothing that comes later can make more of it readable.
//!
//! Everything is bounded: datagrams, bytes and runs of bytes in the making, and the time that they may take, on the packets' own
//! clock. The oldest gives way. What is never completed is counted, piece by piece. It never reads what it puts together.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use crate::packet::{Address, Packet};
use crate::time::Timestamp;

/// How long a datagram may take: Linux waits as long. (IPv6 allows 60 s, but a 16-bit identification comes round again.)
const MAX_AGE: Duration = Duration::from_secs(30);

/// Datagrams in the making.
const MAX_DATAGRAMS: usize = 4096;

/// Bytes of all of them: the kernel's default is a quarter of it.
pub const MAX_BYTES: usize = 16 << 20;

/// Runs of bytes with holes between them in one datagram: a datagram of 64 KiB over the smallest link has 120 pieces, and they
/// are not all shuffled. Keeps the work for a piece small.
const MAX_RUNS: usize = 64;

/// The largest payload of an IP header.
const MAX_PAYLOAD: usize = 65_535;

/// A first piece shorter than this hides fields of the header that follows (RFC 1858 wants 16 bytes of TCP).
const TINY_BYTES: usize = 16;

/// What happened to pieces. All but `pieces` and `datagrams` are worth a line to the user.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DefragCounters {
    /// Pieces that came.
    pub pieces: u64,
    /// Datagrams completed.
    pub datagrams: u64,
    /// Pieces of datagrams that were never completed.
    pub incomplete: u64,
    /// Of these, pieces of datagrams that had to give way to others.
    pub evicted: u64,
    /// Pieces, or parts of them, that came again with the same bytes.
    pub duplicate: u64,
    /// Pieces that said something else of bytes that were there.
    pub overlapping: u64,
    /// First pieces too short for the header that follows.
    pub tiny: u64,
    /// Pieces that end beyond what a datagram can hold. Dropped.
    pub oversized: u64,
    /// Pieces without bytes, or that contradict where the datagram ends, or one hole too many. Dropped.
    pub bad: u64,
    /// Datagrams within datagrams that were not looked into any further.
    pub too_deep: u64,
}

impl DefragCounters {
    /// Adds another's.
    pub fn merge(&mut self, other: &Self) {
        self.pieces += other.pieces;
        self.datagrams += other.datagrams;
        self.incomplete += other.incomplete;
        self.evicted += other.evicted;
        self.duplicate += other.duplicate;
        self.overlapping += other.overlapping;
        self.tiny += other.tiny;
        self.oversized += other.oversized;
        self.bad += other.bad;
        self.too_deep += other.too_deep;
    }
}

/// Packets, and their bytes on the wire: what a datagram's pieces came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Pieces of a datagram that was never whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// What they came in.
    pub share: Share,
    /// Any of them.
    pub piece: Packet,
}

/// A datagram that is whole.
#[derive(PartialEq, Eq)]
pub struct Whole {
    /// The payload of its IP header, as far as it was captured.
    pub payload: Vec<u8>,
    /// Where later pieces said otherwise: the payload as they have it.
    pub other: Option<Vec<u8>>,
    /// Bytes behind `payload` that were on the wire and not captured.
    pub missing_bytes: u32,
    /// Its protocol, as the first piece has it.
    pub protocol: u8,
    /// What its pieces came in: their verdict is the datagram's.
    pub share: Share,
    /// Whether pieces came before the one that has the ports.
    pub has_portless: bool,
}

crate::bytes::opaque_debug!(Whole, "Whole");

/// What [`Defrag::add`] says of a piece.
#[derive(Debug, Default)]
pub struct Added {
    /// Ports of the datagram, where its first piece has been seen: they are the piece's too.
    pub ports: Option<(u16, u16)>,
    /// The datagram, if this piece completes it.
    pub whole: Option<Whole>,
    /// Whether what the piece came in is counted with its datagram: in [`Whole::share`] or among [`Defrag::take_lost`].
    pub is_counted: bool,
}

/// See the module.
#[derive(Default)]
pub struct Defrag {
    datagrams: HashMap<Key, Datagram, foldhash::fast::RandomState>,
    /// In the order in which they began. Completed ones stay until their turn.
    ages: VecDeque<(Key, Timestamp)>,
    bytes: usize,
    lost: Vec<Lost>,
    /// What happened so far.
    pub counters: DefragCounters,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: Address,
    destination: Address,
    id: u32,
    vlan: u32,
    tunnel: u32,
    /// IPv4 only: IPv6 identifies without it.
    protocol: u8,
    version: u8,
}

crate::bytes::opaque_debug!(Key, "Key");

/// One in the making.
struct Datagram {
    began: Timestamp,
    pieces: u64,
    /// Of those that were taken.
    share: Share,
    /// The first one that came.
    piece: Packet,
    has_portless: bool,
    payload: Vec<u8>,
    other: Option<Vec<u8>>,
    /// Runs of bytes that are there: sorted, with holes between them.
    runs: Vec<(usize, usize)>,
    /// Where it ends, once its last piece is there.
    end: Option<usize>,
    /// The first byte that was cut off by the capture.
    cut: usize,
    first: Option<First>,
    /// Handed out already, as far as it can be.
    is_read: bool,
}

/// What the first piece shows.
#[derive(Clone, Copy)]
struct First {
    protocol: u8,
    ports: Option<(u16, u16)>,
}

impl Defrag {
    /// Takes a piece: `packet.fragment()` is some, `payload` its payload, `share` what it came in. Pieces come in capture order.
    pub fn add(&mut self, packet: &Packet, payload: &[u8], now: Timestamp, share: Share) -> Added {
        let Some(place) = packet.fragment() else { return Added::default() };
        self.counters.pieces += 1;
        self.forget_old(now);
        let start = usize::from(place.offset);
        let announced = payload.len() + packet.payload_missing_bytes as usize;
        // Receivers round a length down that is no multiple of eight, or drop the piece.
        let length = if place.has_more { announced & !7 } else { announced };
        let end = start + length;
        if end > MAX_PAYLOAD {
            self.counters.oversized += 1;
            return Added::default();
        }
        if length == 0 {
            self.counters.bad += 1;
            return Added::default();
        }
        let key = Key::of(packet, place.id);
        self.make_room(&key, end);
        let Self { datagrams, ages, bytes, counters, .. } = self;
        let datagram = datagrams.entry(key).or_insert_with(|| {
            ages.push_back((key, now));
            Datagram::new(now, *packet)
        });
        let held_before = datagram.held_bytes();
        datagram.pieces += 1;
        if start == 0 {
            counters.tiny += u64::from(length < TINY_BYTES);
            datagram.see_first(packet);
        }
        let captured = payload.get(..length).unwrap_or(payload);
        let is_taken = datagram.put(start, end, captured, place.has_more, counters);
        counters.bad += u64::from(!is_taken);
        *bytes = *bytes + datagram.held_bytes() - held_before;
        let ports = datagram.first.and_then(|first| first.ports);
        // What follows a datagram that was read as far as it can be is not read.
        let is_counted = is_taken && !datagram.is_read;
        if is_counted {
            datagram.share.add(share);
            datagram.has_portless |= ports.is_none();
        }
        if start == 0 && packet.payload_missing_bytes > 0 && !datagram.is_read {
            datagram.is_read = true;
            let whole = Whole {
                payload: captured.to_vec(),
                other: None,
                missing_bytes: (length - captured.len()) as u32,
                protocol: packet.protocol,
                share: std::mem::take(&mut datagram.share),
                has_portless: datagram.has_portless && ports.is_some(),
            };
            return Added { ports, whole: Some(whole), is_counted };
        }
        let whole = if datagram.is_whole() { self.take(&key) } else { None };
        Added { ports, whole, is_counted }
    }

    /// What was never whole since the last call.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// What a datagram came in that will not be read after all.
    pub fn lose(&mut self, piece: &Packet, share: Share) {
        if share.packets > 0 {
            self.lost.push(Lost { share, piece: *piece });
        }
    }

    /// No more pieces come: what is not whole is lost.
    pub fn close(mut self) -> (DefragCounters, Vec<Lost>) {
        for datagram in std::mem::take(&mut self.datagrams).into_values() {
            self.counters.incomplete += datagram.pieces;
            self.lose(&datagram.piece, datagram.share);
        }
        (self.counters, self.lost)
    }

    fn take(&mut self, key: &Key) -> Option<Whole> {
        let datagram = self.datagrams.remove(key)?;
        self.bytes -= datagram.held_bytes();
        self.counters.datagrams += 1;
        let Datagram { mut payload, mut other, end, cut, first, is_read, share, has_portless, .. } = datagram;
        let end = end.filter(|_| !is_read)?;
        let captured = cut.min(end);
        payload.truncate(captured);
        if let Some(other) = &mut other {
            other.truncate(captured);
        }
        let First { protocol, ports } = first?;
        let has_portless = has_portless && ports.is_some();
        Some(Whole { payload, other, missing_bytes: (end - captured) as u32, protocol, share, has_portless })
    }

    /// Drops what takes too long.
    fn forget_old(&mut self, now: Timestamp) {
        while let Some((_, began)) = self.ages.front() {
            if now.since(*began) <= MAX_AGE && self.ages.len() <= 2 * MAX_DATAGRAMS {
                return;
            }
            self.drop_oldest();
        }
    }

    /// Drops the oldest until a piece of `key` that ends at `end` fits.
    fn make_room(&mut self, key: &Key, end: usize) {
        // Two readings of it, at worst.
        let needed = 2 * end;
        while self.bytes + needed > MAX_BYTES
            || (self.datagrams.len() >= MAX_DATAGRAMS && !self.datagrams.contains_key(key))
        {
            let pieces = self.drop_oldest();
            self.counters.evicted += pieces;
            if self.ages.is_empty() {
                return;
            }
        }
    }

    /// Its pieces; 0 if the oldest entry is of a datagram that was completed.
    fn drop_oldest(&mut self) -> u64 {
        let Some((key, began)) = self.ages.pop_front() else { return 0 };
        if self.datagrams.get(&key).is_none_or(|datagram| datagram.began != began) {
            return 0;
        }
        let Some(datagram) = self.datagrams.remove(&key) else { return 0 };
        self.bytes -= datagram.held_bytes();
        self.counters.incomplete += datagram.pieces;
        self.lose(&datagram.piece, datagram.share);
        datagram.pieces
    }
}

impl Share {
    fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl Key {
    fn of(packet: &Packet, id: u32) -> Self {
        Self {
            source: packet.source,
            destination: packet.destination,
            id,
            vlan: packet.vlan_key,
            tunnel: packet.tunnel,
            protocol: if packet.ip_version == 4 { packet.protocol } else { 0 },
            version: packet.ip_version,
        }
    }
}

impl Datagram {
    fn new(began: Timestamp, piece: Packet) -> Self {
        Self {
            began,
            pieces: 0,
            share: Share::default(),
            piece,
            has_portless: false,
            payload: Vec::new(),
            other: None,
            runs: Vec::new(),
            end: None,
            cut: usize::MAX,
            first: None,
            is_read: false,
        }
    }

    fn held_bytes(&self) -> usize {
        self.payload.len() + self.other.as_ref().map_or(0, Vec::len)
    }

    fn see_first(&mut self, packet: &Packet) {
        let ports = (packet.source_port, packet.destination_port);
        let known = First { protocol: packet.protocol, ports: (ports != (0, 0)).then_some(ports) };
        self.first.get_or_insert(known);
    }

    fn is_whole(&self) -> bool {
        self.first.is_some() && self.end.is_some_and(|end| self.runs == [(0, end)])
    }

    /// Puts bytes in their place; false if they cannot be there. `data` is shorter than the place where the capture cut it.
    fn put(&mut self, start: usize, end: usize, data: &[u8], has_more: bool, counters: &mut DefragCounters) -> bool {
        let reach = self.runs.last().map_or(0, |run| run.1);
        let contradicts = match self.end {
            Some(known) => end > known || (!has_more && end != known),
            None => !has_more && end < reach,
        };
        if contradicts {
            return false;
        }
        if self.payload.len() < end {
            self.payload.resize(end, 0);
            if let Some(other) = &mut self.other {
                other.resize(end, 0);
            }
        }
        let overlaps: Vec<(usize, usize)> =
            self.runs.iter().map(|run| (run.0.max(start), run.1.min(end))).filter(|(a, b)| a < b).collect();
        if overlaps.is_empty() && !self.has_room_for_run(start, end) {
            return false;
        }
        if !has_more {
            self.end = Some(end);
        }
        if data.len() < end - start {
            self.cut = self.cut.min(start + data.len());
        }
        self.write(start, data, &overlaps, counters);
        self.cover(start, end);
        true
    }

    /// Writes what is new into both readings, and what differs into the other.
    fn write(&mut self, start: usize, data: &[u8], overlaps: &[(usize, usize)], counters: &mut DefragCounters) {
        let end = start + data.len();
        let differs = overlaps.iter().any(|&(a, b)| {
            let b = b.min(end);
            a < b && self.payload.get(a..b) != data.get(a - start..b - start)
        });
        counters.overlapping += u64::from(differs);
        counters.duplicate += u64::from(!differs && !overlaps.is_empty());
        if differs && self.other.is_none() {
            self.other = Some(self.payload.clone());
        }
        if let Some(place) = self.other.as_mut().and_then(|other| other.get_mut(start..end)) {
            place.copy_from_slice(data);
        }
        let mut at = start;
        for &(a, b) in overlaps.iter().chain([&(end, end)]) {
            let upto = a.min(end);
            if at < upto {
                self.payload[at..upto].copy_from_slice(&data[at - start..upto - start]);
            }
            at = at.max(b);
        }
    }

    fn has_room_for_run(&self, start: usize, end: usize) -> bool {
        self.runs.len() < MAX_RUNS || self.runs.iter().any(|&(a, b)| a == end || b == start)
    }

    /// Notes that the bytes are there.
    fn cover(&mut self, start: usize, end: usize) {
        let from = self.runs.partition_point(|run| run.1 < start);
        let upto = self.runs.partition_point(|run| run.0 <= end);
        let touched = self.runs.get(from..upto).unwrap_or_default();
        let merged = touched.iter().fold((start, end), |(a, b), run| (a.min(run.0), b.max(run.1)));
        self.runs.splice(from..upto, [merged]);
    }
}

#[cfg(test)]
mod tests;
