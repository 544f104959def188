//! Bytes to headers: no state, no allocation, no panic, whatever the bytes.
//!
//! [`decode`] steps through the headers one by one ([`Next`] says which), each with etherparse's slice for it where there
//! is one, and keeps what it decoded when it has to stop ([`Packet::stopped`]). A packet holds offsets, not borrows, so that
//! it can be handed to another thread beside its bytes.
//!
//! To add a header: one file, one variant of [`Next`], one arm of the loop.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod address;
mod checksum;
mod cooked;
mod error;
mod ethernet;
mod fast;
mod frame;
mod ip;
mod legacy;
mod mpls;
mod ppp;
mod tags;
mod transport;

pub use address::Address;
pub use error::{DecodeError, ErrorKind, Layer};
pub use frame::{Frame, FrameMeta, FrameRef, LinkType};

use crate::bytes::Reader;

/// Headers in one frame, at most: more is an attack or a loop.
pub const MAX_LAYERS: usize = 24;

/// Protocol numbers that something here treats specially.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// Bits of [`Packet::tcp_flags`].
pub mod tcp_flag {
    /// Last data.
    pub const FIN: u8 = 0x01;
    /// First sequence number.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Acknowledgement field counts.
    pub const ACK: u8 = 0x10;
    /// Urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// What was decoded of a frame. Fields past the point where the decode stopped keep their default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packet {
    /// Source address; meaningful if `ip_version` is not 0.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// TCP sequence number.
    pub sequence: u32,
    /// TCP acknowledgement number.
    pub acknowledgement: u32,
    /// Offset of the layer-4 payload (of the layer-3 payload where nothing decodes layer 4) in the frame's bytes.
    pub payload_at: u32,
    /// Captured bytes of it.
    pub payload_bytes: u32,
    /// Bytes of it that were on the wire and not captured.
    pub payload_missing_bytes: u32,
    /// All VLAN ids folded into one number; 0 without any.
    pub vlan_key: u32,
    /// Source port, or the ICMP type.
    pub source_port: u16,
    /// Destination port, or the ICMP code.
    pub destination_port: u16,
    /// TCP urgent pointer, where the flag says that it counts; else 0.
    pub urgent_pointer: u16,
    /// The two outermost VLAN ids.
    pub vlans: [u16; 2],
    /// How many VLAN tags there were.
    pub vlan_count: u8,
    /// 4 or 6; 0 if no address was decoded.
    pub ip_version: u8,
    /// IP protocol number, after extension headers.
    pub protocol: u8,
    /// TCP flags, low eight.
    pub tcp_flags: u8,
    /// One piece of a fragmented datagram.
    pub is_fragment: bool,
    /// Where and why the decode stopped early.
    pub stopped: Option<DecodeError>,
}

impl Packet {
    /// The captured payload, given the bytes that were decoded.
    #[inline]
    pub fn payload<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        let start = self.payload_at as usize;
        data.get(start..start + self.payload_bytes as usize).unwrap_or(&[])
    }

    /// The two outermost VLAN ids, outermost first.
    pub fn vlan_ids(&self) -> &[u16] {
        self.vlans.get(..usize::from(self.vlan_count)).unwrap_or(&self.vlans)
    }

    /// Whether all of `flags` are set.
    #[inline]
    pub fn has(&self, flags: u8) -> bool {
        self.tcp_flags & flags == flags
    }
}

/// The header that comes next.
#[derive(Debug, Clone, Copy)]
enum Next {
    Ethernet,
    Vlan,
    Llc,
    Sll,
    Sll2,
    Loopback,
    Ppp,
    PppProtocol(u16),
    PppWithDirection,
    Hdlc,
    Pppoe,
    Mpls,
    Tag(usize),
    Backbone,
    Macsec,
    ServiceChain,
    Arista,
    Fddi,
    Arcnet { is_linux: bool },
    FrameRelay,
    AnyIp,
    Ipv4,
    Ipv6,
    Tcp,
    Udp,
    Icmp,
    Sctp,
    Done,
}

/// What a header function returns: the next header, or why it stopped.
type Step = Result<Next, (Layer, ErrorKind)>;

/// Where a decode stands: the bytes not consumed yet, limited to what the enclosing headers say is theirs.
struct Cursor<'a> {
    reader: Reader<'a>,
    /// Where `reader` starts in the frame.
    base: usize,
    /// Bytes that the enclosing IP header announces beyond the captured ones.
    missing_bytes: u32,
    /// Whether a wrong checksum stops the decode.
    verifies: bool,
}

impl<'a> Cursor<'a> {
    fn offset(&self) -> usize {
        self.base + self.reader.position()
    }

    fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    fn skip(&mut self, layer: Layer, count: usize) -> Result<(), (Layer, ErrorKind)> {
        self.reader.skip(count).ok_or((layer, ErrorKind::Truncated))
    }

    /// Keeps the first `count` of the bytes not consumed: the rest is padding or a trailer.
    fn limit(&mut self, count: usize) {
        self.base = self.offset();
        let rest = self.rest();
        self.reader = Reader::new(rest.get(..count).unwrap_or(rest));
    }
}

/// Decodes one frame's bytes.
pub fn decode(data: &[u8], link: LinkType) -> Packet {
    let mut packet = Packet::default();
    decode_into(&mut packet, data, link);
    packet
}

/// Decodes one frame's bytes into a packet that is [`Packet::default`].
#[inline]
pub fn decode_into(packet: &mut Packet, data: &[u8], link: LinkType) {
    if link != LinkType::ETHERNET || !fast::decode(packet, data) {
        decode_layers(packet, data, link);
    }
}

/// Decodes once more, with the checksums of IPv4 headers, TCP and UDP: where and why one is wrong. What cannot be checked (cut
/// by a snap length, a fragment, a UDP checksum of 0) is right.
pub fn verify(data: &[u8], link: LinkType) -> Option<DecodeError> {
    let mut packet = Packet::default();
    let cursor = Cursor { reader: Reader::new(data), base: 0, missing_bytes: 0, verifies: true };
    step_and_tell(&mut packet, cursor, link, &mut |_, _| {});
    packet.stopped.filter(|stopped| stopped.kind == ErrorKind::BadChecksum)
}

#[inline(never)]
fn decode_layers(packet: &mut Packet, data: &[u8], link: LinkType) {
    let cursor = Cursor { reader: Reader::new(data), base: 0, missing_bytes: 0, verifies: false };
    step_through(packet, cursor, link, |_, _| {});
}

/// Decodes one frame's bytes and says which headers it stepped through: the name and the offset of each, the payload last. For
/// people: it goes the same way as [`decode`], step by step.
pub fn trace(data: &[u8], link: LinkType) -> (Packet, Vec<(String, usize)>) {
    let mut packet = Packet::default();
    let mut steps = Vec::new();
    let cursor = Cursor { reader: Reader::new(data), base: 0, missing_bytes: 0, verifies: false };
    step_and_tell(&mut packet, cursor, link, &mut |next, at| steps.push((format!("{next:?}"), at)));
    (packet, steps)
}

/// Beside the hot path: one more copy of the layer loop, for all who watch it.
#[cold]
fn step_and_tell(packet: &mut Packet, cursor: Cursor<'_>, link: LinkType, trace: &mut dyn FnMut(Next, usize)) {
    step_through(packet, cursor, link, trace);
}

/// The layer loop. `trace` is told each header before it is read.
#[inline(always)]
fn step_through(packet: &mut Packet, mut cursor: Cursor<'_>, link: LinkType, mut trace: impl FnMut(Next, usize)) {
    let mut next = first_header(link);
    for _ in 0..MAX_LAYERS {
        let at = cursor.offset();
        if let Ok(header) = next {
            trace(header, at);
        }
        let step = match next {
            Ok(Next::Done) => {
                packet.payload_at = at as u32;
                packet.payload_bytes = cursor.rest().len() as u32;
                packet.payload_missing_bytes = cursor.missing_bytes;
                return;
            }
            Ok(header) => decode_header(header, &mut cursor, packet),
            Err(error) => Err(error),
        };
        if let Err((layer, kind)) = step {
            packet.stopped = Some(DecodeError { layer, kind, offset: at.min(usize::from(u16::MAX)) as u16 });
            next = Ok(Next::Done);
        } else {
            next = step;
        }
    }
    packet.stopped = Some(DecodeError { layer: Layer::Link, kind: ErrorKind::TooDeep, offset: 0 });
}

fn first_header(link: LinkType) -> Step {
    Ok(match link {
        LinkType::ETHERNET => Next::Ethernet,
        LinkType::NULL | LinkType::LOOP => Next::Loopback,
        LinkType::LINUX_SLL => Next::Sll,
        LinkType::LINUX_SLL2 => Next::Sll2,
        // What a link says of the version is not always so; the packet says it itself.
        LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 | LinkType::IPV4 | LinkType::IPV6 => Next::AnyIp,
        LinkType::PPP | LinkType::PPP_HDLC => Next::Ppp,
        LinkType::PPP_WITH_DIR => Next::PppWithDirection,
        LinkType::PPP_ETHER => Next::Pppoe,
        LinkType::C_HDLC => Next::Hdlc,
        LinkType::MPLS => Next::Mpls,
        LinkType::FDDI => Next::Fddi,
        LinkType::ARCNET => Next::Arcnet { is_linux: false },
        LinkType::ARCNET_LINUX => Next::Arcnet { is_linux: true },
        LinkType::FRAME_RELAY => Next::FrameRelay,
        other => return Err((Layer::Link, ErrorKind::LinkType(other))),
    })
}

#[inline(always)]
fn decode_header(header: Next, cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    match header {
        Next::Ethernet => ethernet::ethernet(cursor),
        Next::Vlan => ethernet::vlan(cursor, packet),
        Next::Llc => ethernet::llc(cursor),
        Next::Ipv4 => ip::ipv4(cursor, packet),
        Next::Ipv6 => ip::ipv6(cursor, packet),
        Next::AnyIp => ip::any(cursor),
        Next::Tcp => transport::tcp(cursor, packet),
        Next::Udp => transport::udp(cursor, packet),
        Next::Icmp => transport::icmp(cursor, packet),
        Next::Sctp => transport::sctp(cursor, packet),
        Next::Sll => cooked::sll(cursor),
        Next::Sll2 => cooked::sll2(cursor),
        Next::Loopback => cooked::loopback(cursor),
        Next::Ppp => ppp::ppp(cursor),
        Next::PppProtocol(number) => ppp::protocol(number),
        Next::PppWithDirection => ppp::with_direction(cursor),
        Next::Hdlc => ppp::hdlc(cursor),
        Next::Pppoe => ppp::pppoe(cursor),
        Next::Mpls => mpls::mpls(cursor),
        Next::Tag(bytes) => tags::tag(cursor, bytes),
        Next::Backbone => tags::backbone(cursor),
        Next::Macsec => tags::macsec(cursor),
        Next::ServiceChain => tags::service_chain(cursor),
        Next::Arista => tags::arista(cursor),
        Next::Fddi => legacy::fddi(cursor),
        Next::Arcnet { is_linux } => legacy::arcnet(cursor, is_linux),
        Next::FrameRelay => legacy::frame_relay(cursor),
        Next::Done => Ok(Next::Done),
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests;
