//! Bytes to headers: no state, no allocation, no panic, whatever the bytes.
//!
//! [`decode`] steps through the headers one by one ([`Next`] says which), each with etherparse's slice for it where there
//! is one, and keeps what it decoded when it has to stop ([`Packet::stopped`]). A packet holds offsets, not borrows, so that
//! it can be handed to another thread beside its bytes.
//!
//! A frame that holds a tunnel decodes to its innermost packet, and one outer packet for each tunnel crossed beside it
//! ([`Beside`]), where frames within the frame are noted too. Every piece of a fragmented datagram stops there ([`Packet::fragment`]); the datagram that they make is
//! decoded with [`decode_datagram`].
//!
//! To add a header: one file, one variant of [`Next`], one arm of the loop.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod address;
mod arp;
mod beside;
mod checksum;
mod cooked;
mod error;
mod ethernet;
mod fast;
pub mod fieldbus;
mod frame;
mod ip;
mod legacy;
mod mpls;
mod nflog;
mod ppp;
pub mod protocol;
mod tags;
mod transport;
mod tunnel;
mod wifi;

pub use address::{Address, written};
pub use beside::{Beside, MAX_PARTS, Part, decode_part};
pub use error::{DecodeError, ErrorKind, Layer};
pub use fast::Form;
pub use frame::{Frame, FrameMeta, FrameRef, LinkType};
pub use ip::Fragment;
pub use tunnel::MAX_TUNNELS;

use crate::bytes::Reader;

/// Headers in one frame, at most: more is an attack or a loop.
pub const MAX_LAYERS: usize = 24;

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
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Packet {
    /// Source address; meaningful if `ip_version` is not 0.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// TCP sequence number. (For a fragment see [`Packet::fragment`].)
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
    /// Tells the tunnels apart that it was in; 0 outside any.
    pub tunnel: u32,
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
    /// 4 or 6; [`Packet::NO_IP`] if the ends are hardware addresses; 0 if no address was decoded.
    pub ip_version: u8,
    /// IP protocol number, after extension headers.
    pub protocol: u8,
    /// TCP flags, low eight.
    pub tcp_flags: u8,
    /// One piece of a fragmented datagram.
    pub is_fragment: bool,
    /// What `source` and `destination` are.
    pub ends: Ends,
    /// Where and why the decode stopped early.
    pub stopped: Option<DecodeError>,
}

crate::bytes::opaque_debug!(Packet, "Packet");

/// What the ends of a packet are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ends {
    /// Those of an IP packet.
    #[default]
    Ip,
    /// The sender and target that ARP names.
    Arp,
    /// Hardware addresses ([`Address::hardware`]) of a frame without IP.
    Hardware,
}

impl Packet {
    /// Of [`Packet::ip_version`].
    pub const NO_IP: u8 = 1;

    /// The captured payload, given the bytes that were decoded.
    #[inline]
    pub fn payload<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        let rest = data.get(self.payload_at as usize..).unwrap_or(&[]);
        rest.get(..self.payload_bytes as usize).unwrap_or(&[])
    }

    /// Counts a VLAN tag in. The tag itself counts, so that id 0 (priority only) is told from none.
    #[inline]
    fn add_vlan(&mut self, id: u16) {
        if let Some(slot) = self.vlans.get_mut(usize::from(self.vlan_count)) {
            *slot = id;
        }
        self.vlan_count += 1;
        self.vlan_key = self.vlan_key.rotate_left(13) ^ (u32::from(id) | 0x1000);
    }

    /// Whether its payload is layer 4's, to be handed on. (Of a tunnel's opaque datagrams the bytes are: signatures may name them.)
    #[inline]
    pub fn is_readable(&self) -> bool {
        match self.stopped.map(|stopped| stopped.kind) {
            None => true,
            Some(ErrorKind::Encrypted | ErrorKind::TunnelFragment) => self.protocol == protocol::UDP,
            Some(_) => false,
        }
    }

    /// The ends of the packet that an ICMP error quotes; `None` for other messages. `payload` is this packet's.
    pub fn quoted(&self, payload: &[u8]) -> Option<Packet> {
        let is_error = match self.protocol {
            // Unreachable, source quench, redirect, time exceeded, parameter problem.
            protocol::ICMP => matches!(self.source_port, 3 | 4 | 5 | 11 | 12),
            // All below 128 (RFC 4443 2.1), and redirects elsewhere.
            protocol::ICMPV6 => self.source_port < 128,
            _ => false,
        };
        // Checksum, and a word that depends on the type.
        let packet = decode_quoted(payload.get(6..).filter(|_| is_error)?);
        (packet.ip_version != 0).then_some(packet)
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
    Arp,
    Fieldbus(u16),
    Wifi { swapped: bool, is_padded: bool },
    Radiotap,
    Ppi,
    Prism,
    Nflog,
    AnyIp,
    Ipv4,
    Ipv6,
    Tcp,
    Udp,
    Icmp,
    Sctp,
    Inside(Layer, tunnel::Scope, Inner),
    Gre,
    EtherIp,
    L2tp,
    IpComp,
    Nhrp,
    Done,
}

/// What an IP protocol number says is directly inside.
#[derive(Debug, Clone, Copy)]
enum Inner {
    Ipv4,
    Ipv6,
    Mpls,
    Ethernet,
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
    /// Where packets go that turn out to carry another, and what lies beside them.
    beside: &'a mut Beside,
    tunnels_left: usize,
    /// Whether a wrong checksum stops the decode.
    verifies: bool,
    /// Destination and source of the last Ethernet header.
    hardware: Option<([u8; 6], [u8; 6])>,
}

impl<'a> Cursor<'a> {
    fn new(data: &'a [u8], beside: &'a mut Beside) -> Self {
        Self {
            reader: Reader::new(data),
            base: 0,
            missing_bytes: 0,
            beside,
            tunnels_left: MAX_TUNNELS,
            verifies: false,
            hardware: None,
        }
    }

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

/// Decodes one frame's bytes: the innermost packet.
pub fn decode(data: &[u8], link: LinkType) -> Packet {
    let mut packet = Packet::default();
    decode_into(&mut packet, data, link, &mut Beside::default());
    packet
}

/// Decodes one frame's bytes in place of what the packet was. The tunnels' own packets, at most [`MAX_TUNNELS`], and what
/// else there is are added to `beside`.
#[inline(always)]
pub fn decode_into(packet: &mut Packet, data: &[u8], link: LinkType, beside: &mut Beside) {
    if decode_common(packet, data, link, Form::Uncommon) == Form::Uncommon {
        decode_any(packet, data, link, beside);
    }
}

/// Decodes one frame's bytes in place of what the packet was, if it is of a common form: whole UDP, or TCP, straight in IP in Ethernet,
/// and nothing beside it. Nothing is written if it is not. `before` is what this said when it wrote the packet, [`Form::Uncommon`] if
/// another did.
#[inline(always)]
pub fn decode_common(packet: &mut Packet, data: &[u8], link: LinkType, before: Form) -> Form {
    if link == LinkType::ETHERNET { fast::decode(packet, data, before) } else { Form::Uncommon }
}

/// [`decode_into`] for a frame of whatever form.
#[inline(never)]
pub fn decode_any(packet: &mut Packet, data: &[u8], link: LinkType, beside: &mut Beside) {
    *packet = Packet::default();
    decode_layers(packet, first_header(link), Cursor::new(data, beside));
}

/// Decodes the datagram that `fragment` is a piece of, given the whole payload of its IP header; `missing_bytes` more were on
/// the wire and not captured. Offsets in the result are into `payload`.
pub fn decode_datagram(fragment: &Packet, payload: &[u8], missing_bytes: u32, beside: &mut Beside) -> Packet {
    let mut packet = Packet {
        source: fragment.source,
        destination: fragment.destination,
        vlan_key: fragment.vlan_key,
        vlans: fragment.vlans,
        vlan_count: fragment.vlan_count,
        tunnel: fragment.tunnel,
        ip_version: fragment.ip_version,
        protocol: fragment.protocol,
        ..Packet::default()
    };
    let mut cursor = Cursor::new(payload, beside);
    cursor.missing_bytes = missing_bytes;
    let next = ip::extensions(&mut cursor, &mut packet);
    decode_layers(&mut packet, next, cursor);
    packet
}

/// Decodes the packet that starts at an IP header: its own addresses and ports, not what is in it.
fn decode_quoted(data: &[u8]) -> Packet {
    let mut packet = Packet::default();
    let mut beside = Beside::default();
    let mut cursor = Cursor::new(data, &mut beside);
    cursor.tunnels_left = 0;
    decode_layers(&mut packet, Ok(Next::AnyIp), cursor);
    packet
}

/// Decodes once more, with the checksums of IPv4 headers, TCP and UDP: where and why one is wrong. What cannot be checked (cut
/// by a snap length, a fragment, a UDP checksum of 0) is right.
pub fn verify(data: &[u8], link: LinkType) -> Option<DecodeError> {
    let (mut packet, mut beside) = (Packet::default(), Beside::default());
    let cursor = Cursor { verifies: true, ..Cursor::new(data, &mut beside) };
    step_and_tell(&mut packet, first_header(link), cursor, &mut |_, _| {});
    packet.stopped.filter(|stopped| stopped.kind == ErrorKind::BadChecksum)
}

/// Decodes one frame's bytes and says which headers it stepped through: the name and the offset of each, the payload last. For
/// people: it goes the same way as [`decode`], step by step.
pub fn trace(data: &[u8], link: LinkType) -> (Packet, Vec<(String, usize)>) {
    let (mut packet, mut beside, mut steps) = (Packet::default(), Beside::default(), Vec::new());
    let cursor = Cursor::new(data, &mut beside);
    step_and_tell(&mut packet, first_header(link), cursor, &mut |next, at| steps.push((format!("{next:?}"), at)));
    (packet, steps)
}

#[inline(never)]
fn decode_layers(packet: &mut Packet, first: Step, cursor: Cursor<'_>) {
    step_through(packet, first, cursor, |_, _| {});
}

/// Beside the hot path: one more copy of the layer loop, for all who watch it.
#[cold]
fn step_and_tell(packet: &mut Packet, first: Step, cursor: Cursor<'_>, trace: &mut dyn FnMut(Next, usize)) {
    step_through(packet, first, cursor, trace);
}

/// The layer loop. `trace` is told each header before it is read.
#[inline(always)]
fn step_through(packet: &mut Packet, first: Step, mut cursor: Cursor<'_>, mut trace: impl FnMut(Next, usize)) {
    let mut next = first;
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
        LinkType::WIFI => Next::Wifi { swapped: false, is_padded: false },
        LinkType::WIFI_RADIOTAP => Next::Radiotap,
        LinkType::WIFI_PRISM | LinkType::WIFI_AVS => Next::Prism,
        LinkType::PPI => Next::Ppi,
        LinkType::NFLOG => Next::Nflog,
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
        Next::Arp => arp::arp(cursor, packet),
        Next::Fieldbus(number) => fieldbus::fieldbus(cursor, packet, number),
        Next::Gre => tunnel::gre::gre(cursor, packet),
        Next::EtherIp => tunnel::gre::ether_ip(cursor, packet),
        Next::L2tp => tunnel::l2tp::over_ip(cursor, packet),
        Next::IpComp => tunnel::ipcomp::ipcomp(cursor, packet),
        Next::Nhrp => tunnel::nhrp::nhrp(cursor, packet),
        Next::Inside(layer, scope, inner) => {
            tunnel::enter(cursor, packet, layer, scope)?;
            Ok(match inner {
                Inner::Ipv4 => Next::Ipv4,
                Inner::Ipv6 => Next::Ipv6,
                Inner::Mpls => Next::Mpls,
                Inner::Ethernet => Next::Ethernet,
            })
        }
        Next::Wifi { swapped, is_padded } => wifi::wifi(cursor, packet, swapped, is_padded),
        Next::Radiotap => wifi::radiotap(cursor),
        Next::Ppi => wifi::ppi(cursor),
        Next::Prism => wifi::prism(cursor),
        Next::Nflog => nflog::nflog(cursor),
        Next::Done => Ok(Next::Done),
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests;
