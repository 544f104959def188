//! IPv4 (RFC 791) and IPv6 (RFC 8200) with its extension headers.
//!
//! The addresses are kept even where a later field stops the decode. A piece of a datagram stops with
//! [`ErrorKind::Fragment`]: its addresses count, and its payload waits for the others ([`Packet::fragment`]).

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
};

use super::{
    Address, Cursor, ErrorKind, Inner, Layer, MAX_LAYERS, Next, Packet, Step, checksum, protocol, transport, tunnel,
};
use crate::bytes::Reader;

/// Where a piece of a datagram belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Identification: the same for all pieces of a datagram.
    pub id: u32,
    /// Bytes before it in the datagram's payload; a multiple of eight.
    pub offset: u16,
    /// Whether others come behind it.
    pub has_more: bool,
}

impl Packet {
    /// Where it belongs, if it is a piece of a datagram; its payload is the piece.
    pub fn fragment(&self) -> Option<Fragment> {
        let Self { sequence: id, place, .. } = *self;
        self.is_fragment.then_some(Fragment { id, offset: (place >> 1) as u16, has_more: place & 1 != 0 })
    }

    /// Gives a piece the ports that the first piece of its datagram showed.
    pub fn set_ports(&mut self, ports: Option<(u16, u16)>) {
        (self.source_port, self.destination_port) = ports.unwrap_or((self.source_port, self.destination_port));
    }

    /// A piece has no TCP header: its id is kept where that header's number is in other packets.
    fn set_fragment(&mut self, Fragment { id, offset, has_more }: Fragment) {
        self.is_fragment = true;
        self.sequence = id;
        self.place = u32::from(offset) << 1 | u32::from(has_more);
    }
}

/// Raw IP links do not say which version.
pub(super) fn any(cursor: &mut Cursor<'_>) -> Step {
    match cursor.rest().first().map(|byte| byte >> 4) {
        Some(4) => Ok(Next::Ipv4),
        Some(6) => Ok(Next::Ipv6),
        Some(_) => Err((Layer::Ipv4, ErrorKind::BadHeader)),
        None => Err((Layer::Ipv4, ErrorKind::Truncated)),
    }
}

#[inline]
pub(super) fn ipv4(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let captured = cursor.rest().len();
    let Ok(header) = Ipv4HeaderSlice::from_slice(cursor.rest()) else {
        return broken_ipv4(cursor, packet);
    };
    packet.ip_version = 4;
    packet.source = Address::v4(header.source());
    packet.destination = Address::v4(header.destination());
    packet.protocol = header.protocol().0;
    let header_bytes = header.slice().len();
    // A total length of 0 is segmentation offload: the sender's stack captured before the card filled it in.
    let total = match usize::from(header.total_len()) {
        0 => captured,
        total if total < header_bytes => return Err((Layer::Ipv4, ErrorKind::BadHeader)),
        total => total,
    };
    let (offset, has_more) = (header.fragments_offset().value() << 3, header.more_fragments());
    let id = u32::from(header.identification());
    if cursor.verifies && !checksum::holds(0, header.slice()) {
        return Err((Layer::Ipv4, ErrorKind::BadChecksum));
    }
    cursor.missing_bytes = total.saturating_sub(captured) as u32;
    cursor.skip(Layer::Ipv4, header_bytes)?;
    cursor.limit(total - header_bytes);
    if offset != 0 || has_more {
        return piece(cursor, packet, Layer::Ipv4, Fragment { id, offset, has_more });
    }
    if packet.protocol == IpNumber::AUTHENTICATION_HEADER.0 {
        return extensions(cursor, packet);
    }
    layer4(packet.protocol)
}

/// The fixed part may be whole where the options are cut or the length field lies.
fn broken_ipv4(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let mut fixed = Reader::new(cursor.rest());
    let version_and_length = fixed.u8().ok_or((Layer::Ipv4, ErrorKind::Truncated))?;
    if version_and_length >> 4 != 4 || version_and_length & 15 < 5 {
        return Err((Layer::Ipv4, ErrorKind::BadHeader));
    }
    let addresses = (|| {
        fixed.skip(8)?;
        let protocol = fixed.u8()?;
        fixed.skip(2)?;
        Some((protocol, fixed.array()?, fixed.array()?))
    })();
    if let Some((protocol, source, destination)) = addresses {
        packet.ip_version = 4;
        packet.protocol = protocol;
        packet.source = Address::v4(source);
        packet.destination = Address::v4(destination);
    }
    Err((Layer::Ipv4, ErrorKind::Truncated))
}

#[inline]
pub(super) fn ipv6(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let header = Ipv6HeaderSlice::from_slice(cursor.rest()).map_err(|_| {
        let is_version_6 = cursor.rest().first().is_none_or(|byte| byte >> 4 == 6);
        (Layer::Ipv6, if is_version_6 { ErrorKind::Truncated } else { ErrorKind::BadHeader })
    })?;
    packet.ip_version = 6;
    packet.source = Address::v6(header.source());
    packet.destination = Address::v6(header.destination());
    let next = header.next_header();
    packet.protocol = next.0;
    let announced = usize::from(header.payload_length());
    cursor.skip(Layer::Ipv6, 40)?;
    let captured = cursor.rest().len();
    // 0 is a jumbogram (RFC 2675) or segmentation offload.
    if announced != 0 {
        cursor.missing_bytes = announced.saturating_sub(captured) as u32;
        cursor.limit(announced);
    }
    match next.0 {
        protocol::TCP | protocol::UDP | protocol::ICMPV6 => layer4(next.0),
        _ => extensions(cursor, packet),
    }
}

/// A piece stops the decode. The first one shows the ports, so that it is filed under its flow.
#[cold]
fn piece(cursor: &Cursor<'_>, packet: &mut Packet, layer: Layer, fragment: Fragment) -> Step {
    packet.set_fragment(fragment);
    if fragment.offset == 0 {
        show_ports(cursor, packet);
    }
    Err((layer, ErrorKind::Fragment))
}

/// Ports, or what stands in for them, where the header of layer 4 begins.
pub(super) fn show_ports(cursor: &Cursor<'_>, packet: &mut Packet) {
    match packet.protocol {
        protocol::TCP | protocol::UDP | protocol::SCTP => transport::ports(cursor, packet),
        protocol::ICMP | protocol::ICMPV6 => transport::kind_and_code(cursor, packet),
        _ => {}
    }
}

/// Walks extension headers, from the one that `packet.protocol` names, to the layer-4 protocol.
pub(super) fn extensions(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let mut next = IpNumber(packet.protocol);
    const TRUNCATED: (Layer, ErrorKind) = (Layer::Ipv6Extension, ErrorKind::Truncated);
    for _ in 0..MAX_LAYERS {
        let rest = cursor.rest();
        let bytes = match next {
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6 => {
                let header = Ipv6RawExtHeaderSlice::from_slice(rest).map_err(|_| TRUNCATED)?;
                next = header.next_header();
                header.slice().len()
            }
            IpNumber::AUTHENTICATION_HEADER => {
                let header = IpAuthHeaderSlice::from_slice(rest).map_err(|_| TRUNCATED)?;
                next = header.next_header();
                header.slice().len()
            }
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest).map_err(|_| TRUNCATED)?;
                next = header.next_header();
                if header.is_fragmenting_payload() {
                    packet.protocol = next.0;
                    let (offset, has_more) = (header.fragment_offset().value() << 3, header.more_fragments());
                    let id = header.identification();
                    cursor.skip(Layer::Ipv6Extension, 8)?;
                    return piece(cursor, packet, Layer::Ipv6Extension, Fragment { id, offset, has_more });
                }
                8
            }
            _ => {
                packet.protocol = next.0;
                return layer4(next.0);
            }
        };
        packet.protocol = next.0;
        cursor.skip(Layer::Ipv6Extension, bytes)?;
    }
    Err((Layer::Ipv6Extension, ErrorKind::TooDeep))
}

/// What follows by protocol number. Addresses and number count whatever it is; a payload that nothing looks into is said.
#[inline]
fn layer4(number: u8) -> Step {
    use tunnel::Scope;
    let inside = |scope: Scope, inner: Inner| Next::Inside(Layer::IpInIp, scope, inner);
    Ok(match number {
        protocol::TCP => Next::Tcp,
        protocol::UDP => Next::Udp,
        protocol::ICMP | protocol::ICMPV6 => Next::Icmp,
        protocol::SCTP => Next::Sctp,
        protocol::NO_NEXT_HEADER => Next::Done,
        protocol::IPV4 | protocol::IPIP => inside(Scope::Ends, Inner::Ipv4),
        protocol::IPV6 => inside(Scope::Global, Inner::Ipv6),
        protocol::GRE => Next::Gre,
        protocol::ETHER_IP => Next::EtherIp,
        protocol::L2TP => Next::L2tp,
        protocol::IPCOMP => Next::IpComp,
        protocol::NHRP => Next::Nhrp,
        protocol::MPLS => inside(Scope::Ends, Inner::Mpls),
        protocol::ETHERNET => inside(Scope::Ends, Inner::Ethernet),
        protocol::ESP => return Err((Layer::Esp, ErrorKind::Encrypted)),
        other => return Err((Layer::Ip, ErrorKind::Protocol(other))),
    })
}
