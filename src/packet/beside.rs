//! [`Beside`]: what a frame holds besides its innermost packet: the packets of tunnels crossed, and whole frames or packets that
//! lie beside the one that was decoded ([`Part`]): samples, quoted packets, the further frames of an aggregate, a payload that
//! must be inflated first.
//!
//! A part holds offsets, and what is known of it from around it. It is found by its carrier's decode and decoded on its own
//! ([`decode_part`]); it may hold further ones. How many of them are followed is up to who decodes them.

use super::{Cursor, ErrorKind, Layer, Next, Packet, Step, decode_layers, ip};

/// Parts of one decode, at most: a datagram of 1,500 bytes has room for about ten samples, an aggregate of 8 KiB for about 100 frames
/// that carry nothing. Each costs a flow.
pub const MAX_PARTS: usize = 64;

/// See the module.
#[derive(Default)]
pub struct Beside {
    /// Packets of the tunnels crossed, outermost first: addresses, ports and tags, without payload.
    pub outer: Vec<Packet>,
    /// What is still to be decoded, in the order of its bytes.
    pub parts: Vec<Part>,
    is_used: bool,
}

/// Bytes that are a frame or packet of their own.
#[derive(Clone, Copy)]
pub struct Part {
    at: u32,
    bytes: u32,
    /// Bytes behind them that were not captured or not quoted.
    missing_bytes: u32,
    first: First,
    /// What is known from around it.
    packet: Packet,
    tunnels_left: usize,
}

crate::bytes::opaque_debug!(Part, "Part");

/// How a part begins.
#[derive(Clone, Copy)]
enum First {
    /// With a header, or not at all.
    Header(Step),
    /// It is what an IP datagram carries, deflated.
    Deflated,
}

impl Beside {
    /// Whether there is anything.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        !self.is_used
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.outer.clear();
        self.parts.clear();
        self.is_used = false;
    }

    pub(super) fn add_outer(&mut self, packet: Packet) {
        self.outer.push(packet);
        self.is_used = true;
    }

    /// Of the last part that there is room for, what is said is that it was one too many.
    fn add_part(&mut self, layer: Layer, part: Part) {
        self.is_used = true;
        match self.parts.len() + 1 {
            count if count < MAX_PARTS => self.parts.push(part),
            MAX_PARTS => self.parts.push(Part { first: First::Header(Err((layer, ErrorKind::TooDeep))), ..part }),
            _ => {}
        }
    }
}

impl Packet {
    /// Its payload was inflated to `payload`, of this protocol: it is filed under the flow that it is of, and read by that alone.
    pub fn set_inflated(&mut self, protocol: u8, payload: &[u8]) {
        self.protocol = protocol;
        if let Some(stopped) = &mut self.stopped {
            stopped.kind = ErrorKind::Inflated;
        }
        let mut beside = Beside::default();
        ip::show_ports(&Cursor::new(payload, &mut beside), self);
    }
}

impl Part {
    /// Its bytes, given those that were decoded.
    pub fn of<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        let start = self.at as usize;
        data.get(start..start + self.bytes as usize).unwrap_or(&[])
    }

    /// Whether it must be inflated ([`super::decode_datagram`] decodes what comes out, given [`Part::carrier`]).
    pub fn is_deflated(&self) -> bool {
        matches!(self.first, First::Deflated) && self.missing_bytes == 0
    }

    /// The packet whose payload it is.
    pub fn carrier(&self) -> &Packet {
        &self.packet
    }
}

/// Decodes a part of `data`; offsets in the result are into `data` too.
pub fn decode_part(part: &Part, data: &[u8], beside: &mut Beside) -> Packet {
    let mut packet = part.packet;
    let First::Header(first) = part.first else { return packet };
    let mut cursor = Cursor::new(part.of(data), beside);
    cursor.base = part.at as usize;
    cursor.missing_bytes = part.missing_bytes;
    cursor.tunnels_left = part.tunnels_left;
    decode_layers(&mut packet, first, cursor);
    packet
}

impl Cursor<'_> {
    /// Notes a frame or packet that begins `skipped` bytes behind here: `bytes` of it are there, perhaps fewer, and `wire_bytes` there were.
    /// `packet`: what is known of it.
    pub(super) fn add_part(
        &mut self,
        layer: Layer,
        (skipped, bytes, wire_bytes): (usize, usize, usize),
        next: Next,
        packet: Packet,
    ) {
        self.note(layer, (skipped, bytes, wire_bytes), First::Header(Ok(next)), packet);
    }

    /// Notes that all that is left is `packet`'s payload, deflated.
    pub(super) fn add_deflated(&mut self, layer: Layer, packet: Packet) {
        let bytes = self.rest().len();
        self.note(layer, (0, bytes, bytes + self.missing_bytes as usize), First::Deflated, packet);
    }

    fn note(
        &mut self,
        layer: Layer,
        (skipped, bytes, wire_bytes): (usize, usize, usize),
        first: First,
        packet: Packet,
    ) {
        let there = self.rest().len().saturating_sub(skipped).min(bytes);
        let part = Part {
            at: (self.offset() + skipped) as u32,
            bytes: there as u32,
            missing_bytes: wire_bytes.saturating_sub(there) as u32,
            first,
            packet,
            tunnels_left: self.tunnels_left,
        };
        self.beside.add_part(layer, part);
    }
}
