//! What a frame holds besides its own packet: datagrams that its piece completes, packets beside its own ([`packet::Part`]), payloads
//! that must be inflated. Each becomes an item behind the frame's own, and may hold further ones.
//!
//! All of it is bounded for each frame: packets ([`MAX_FURTHER`]), datagrams whose bytes are made here ([`MAX_NESTED`]), and what inflating
//! one of them may cost ([`MAX_INFLATED_BYTES`], [`MAX_RATIO`]). What is beyond is counted.

use std::collections::VecDeque;

use flate2::{Decompress, FlushDecompress, Status};

use super::super::fragments::Assembler;
use super::{Headers, Item, Rebuilt, Role, frame_bytes};
use crate::flow::{Defrag, HashSeed, Share, Whole};
use crate::packet::{self, DecodeError, ErrorKind, FrameMeta, Layer, MAX_PARTS, Packet, Part};

/// Datagrams in pieces or deflated within such, at most: a tunnel over a narrow link has two.
const MAX_NESTED: usize = 4;

/// Packets of one frame beside its own, at most: those of one decode, and as many in them.
const MAX_FURTHER: usize = 2 * MAX_PARTS;

/// A deflated payload may always become so long (a jumbo frame), and [`MAX_RATIO`] times its own length: text deflates to a fifth.
const MAX_INFLATED_BYTES: usize = 9216;
const MAX_RATIO: usize = 16;
/// The longest payload of an IP datagram.
const MAX_PAYLOAD_BYTES: usize = 65_535;
/// Bytes behind the end of a deflated payload: some senders pad.
const MAX_PADDING_BYTES: u64 = 4;

/// What is still to be decoded of a frame.
enum Work {
    /// Bytes of the frame (0) or of the datagram with this number.
    Part(Part, u32),
    /// A datagram; any of its pieces, or what carried it.
    Whole(Packet, Whole),
}

/// One frame being unfolded.
struct Unfolding<'h> {
    headers: &'h mut Headers,
    defrag: &'h mut Defrag,
    at: u16,
    frame: &'h FrameMeta,
    bytes: &'h [u8],
    seed: HashSeed,
    waiting: VecDeque<Work>,
}

impl Headers {
    /// Puts pieces together and unfolds what holds more, in capture order.
    #[cold]
    pub(super) fn assemble(&mut self, data: &[u8], frames: &[FrameMeta], seed: HashSeed, assembler: &mut Assembler) {
        let (folded, parts) = (std::mem::take(&mut self.folded), std::mem::take(&mut self.parts));
        let mut parts = parts.into_iter().peekable();
        for at in folded {
            let frame = &frames[usize::from(at)];
            let bytes = frame_bytes(data, frame);
            let (headers, defrag, waiting) = (&mut *self, &mut assembler.defrag, VecDeque::new());
            let mut unfolding = Unfolding { headers, defrag, at, frame, bytes, seed, waiting };
            let share = Share { packets: 1, bytes: u64::from(frame.wire_bytes) };
            unfolding.piece(share);
            while let Some((_, part)) = parts.next_if(|(frame, _)| *frame == at) {
                unfolding.own_part(part, share);
            }
            unfolding.run();
        }
        assembler.count_lost();
    }
}

impl Unfolding<'_> {
    /// The frame's own item, if it is a piece.
    fn piece(&mut self, share: Share) {
        let item = &mut self.headers.items[usize::from(self.at)];
        if !item.packet.is_fragment {
            return;
        }
        let added = self.defrag.add(&item.packet, item.packet.payload(self.bytes), self.frame.time, share);
        item.role = if added.is_counted { Role::Piece } else { Role::Own };
        item.packet.set_ports(added.ports);
        item.file_under_flow(self.seed);
        self.waiting.extend(added.whole.map(|whole| Work::Whole(item.packet, whole)));
    }

    /// A part that the frame's own decode found.
    fn own_part(&mut self, part: Part, mut share: Share) {
        let item = &mut self.headers.items[usize::from(self.at)];
        let Some(work) = follow(part, 0, self.bytes, &mut item.packet, &mut share) else { return };
        if let Work::Whole(..) = work {
            item.role = Role::Piece;
            item.file_under_flow(self.seed);
        }
        self.waiting.push_back(work);
    }

    fn run(&mut self) {
        let mut wholes_left = MAX_NESTED;
        for _ in 0..MAX_FURTHER {
            match self.waiting.pop_front() {
                None => return,
                Some(Work::Part(part, rebuilt)) => self.part(&part, rebuilt),
                Some(Work::Whole(piece, whole)) if wholes_left > 0 => {
                    wholes_left -= 1;
                    self.whole(piece, whole);
                }
                Some(Work::Whole(piece, whole)) => self.lose(&piece, &whole),
            }
        }
        self.leave_rest();
    }

    /// A packet beside another.
    fn part(&mut self, part: &Part, number: u32) {
        let Self { headers: Headers { rebuilt, behind, beside, .. }, defrag, waiting, .. } = self;
        let data = match number.checked_sub(1).and_then(|at| rebuilt.get(at as usize)) {
            Some(rebuilt) => &rebuilt.payload[..],
            None => self.bytes,
        };
        let mut packet = packet::decode_part(part, data, beside);
        if packet.is_fragment {
            let added = defrag.add(&packet, packet.payload(data), self.frame.time, Share::default());
            packet.set_ports(added.ports);
            waiting.extend(added.whole.map(|whole| Work::Whole(packet, whole)));
        }
        for part in beside.parts.drain(..) {
            waiting.extend(follow(part, number, data, &mut packet, &mut Share::default()));
        }
        behind.extend(beside.outer.drain(..).map(|packet| Item::further(self.at, packet, Role::Part, self.seed)));
        beside.clear();
        behind.push(Item { rebuilt: number, ..Item::further(self.at, packet, Role::Part, self.seed) });
    }

    /// Decodes a datagram; it may hold a tunnel, and in that the last piece of another datagram.
    fn whole(&mut self, piece: Packet, whole: Whole) {
        let Self { headers: Headers { rebuilt, behind, beside, .. }, defrag, waiting, at, seed, .. } = self;
        let Whole { payload, other, missing_bytes, protocol, mut share, has_portless } = whole;
        for payload in std::iter::once(payload).chain(other) {
            let first = Packet { protocol, ..piece };
            let number = rebuilt.len() as u32 + 1;
            let mut inner = packet::decode_datagram(&first, &payload, missing_bytes, beside);
            if inner.is_fragment {
                let added = defrag.add(&inner, inner.payload(&payload), self.frame.time, share);
                inner.set_ports(added.ports);
                waiting.extend(added.whole.map(|whole| Work::Whole(inner, whole)));
                share = if added.is_counted { Share::default() } else { share };
            }
            for part in beside.parts.drain(..) {
                waiting.extend(follow(part, number, &payload, &mut inner, &mut share));
            }
            behind.extend(beside.outer.drain(..).map(|packet| Item::further(*at, packet, Role::Rebuilt, *seed)));
            beside.clear();
            // The first reading's verdict counts.
            rebuilt.push(Rebuilt { payload, share: std::mem::take(&mut share) });
            behind.push(Item { rebuilt: number, ..Item::further(*at, inner, Role::Rebuilt, *seed) });
        }
        if has_portless {
            behind.push(Item::further(*at, without_ports(&piece), Role::Rebuilt, *seed));
        }
    }

    fn lose(&mut self, piece: &Packet, whole: &Whole) {
        self.defrag.counters.too_deep += 1;
        self.defrag.lose(piece, whole.share);
    }

    /// What is too much: datagrams are lost, and of the other packets it is said once for all.
    fn leave_rest(&mut self) {
        let mut has_parts = false;
        for work in std::mem::take(&mut self.waiting) {
            match work {
                Work::Whole(piece, whole) => self.lose(&piece, &whole),
                Work::Part(..) => has_parts = true,
            }
        }
        if has_parts {
            let stopped = Some(DecodeError { layer: Layer::Link, kind: ErrorKind::TooDeep, offset: 0 });
            let packet = Packet { stopped, ..Packet::default() };
            self.headers.behind.push(Item::further(self.at, packet, Role::Part, self.seed));
        }
    }
}

/// How a part of `data` is followed, which `carrier` was decoded of. What can be inflated takes its carrier's place, and its share.
fn follow(part: Part, number: u32, data: &[u8], carrier: &mut Packet, share: &mut Share) -> Option<Work> {
    if !part.is_deflated() {
        return Some(Work::Part(part, number));
    }
    let payload = inflate(part.of(data))?;
    let protocol = part.carrier().protocol;
    carrier.set_inflated(protocol, &payload);
    let share = std::mem::take(share);
    let whole = Whole { payload, other: None, missing_bytes: 0, protocol, share, has_portless: false };
    Some(Work::Whole(*part.carrier(), whole))
}

/// What a deflated payload stands for; `None` if it is none, or too much.
fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let most = (bytes.len().saturating_mul(MAX_RATIO)).clamp(MAX_INFLATED_BYTES, MAX_PAYLOAD_BYTES);
    let mut out = Vec::with_capacity(most);
    let mut inflater = Decompress::new(false);
    let status = inflater.decompress_vec(bytes, &mut out, FlushDecompress::Finish).ok()?;
    let is_all = status == Status::StreamEnd && inflater.total_in() + MAX_PADDING_BYTES >= bytes.len() as u64;
    (is_all && !out.is_empty()).then_some(out)
}

/// What leads to the flow of those pieces that came before their ports were known: they have been read.
fn without_ports(piece: &Packet) -> Packet {
    Packet {
        source_port: 0,
        destination_port: 0,
        payload_bytes: 0,
        payload_missing_bytes: 0,
        is_fragment: false,
        stopped: None,
        ..*piece
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        deflater.write_all(bytes).and_then(|()| deflater.finish()).expect("deflated")
    }

    #[test]
    fn inflating_is_bounded_and_believes_only_what_ends() {
        let text = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n".repeat(20);
        let packed = deflated(&text);
        assert_eq!(inflate(&packed).as_deref(), Some(&text[..]));
        assert_eq!(inflate(&[&packed[..], &[0; 4]].concat()).as_deref(), Some(&text[..]));
        assert!(inflate(&[&packed[..], &[0; 5]].concat()).is_none());
        assert!(inflate(&packed[..packed.len() - 1]).is_none());
        assert!(inflate(b"").is_none() && inflate(&text).is_none());
        assert_eq!(inflate(&deflated(&[0; MAX_INFLATED_BYTES])).map(|out| out.len()), Some(MAX_INFLATED_BYTES));
        assert!(inflate(&deflated(&[0; MAX_INFLATED_BYTES + 1])).is_none());
    }
}
