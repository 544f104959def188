//! IPv4 (RFC 791) and IPv6 (RFC 8200) with its extension headers.
//!
//! The addresses are kept even where a later field stops the decode. A later fragment has no layer-4 header: its addresses
//! count, its payload is the stop [`ErrorKind::Fragment`].

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
};

use super::{Address, Cursor, ErrorKind, Layer, MAX_LAYERS, Next, Packet, Step, checksum, protocol};
use crate::bytes::Reader;

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
    if cursor.verifies && !checksum::holds(0, header.slice()) {
        return Err((Layer::Ipv4, ErrorKind::BadChecksum));
    }
    let fragment_offset = header.fragments_offset().value();
    packet.is_fragment = fragment_offset != 0 || header.more_fragments();
    cursor.missing_bytes = total.saturating_sub(captured) as u32;
    cursor.skip(Layer::Ipv4, header_bytes)?;
    cursor.limit(total - header_bytes);
    if fragment_offset != 0 {
        return Err((Layer::Ipv4, ErrorKind::Fragment));
    }
    if packet.protocol == IpNumber::AUTHENTICATION_HEADER.0 {
        return extensions(cursor, packet, IpNumber::AUTHENTICATION_HEADER);
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
        _ => extensions(cursor, packet, next),
    }
}

/// Walks extension headers to the layer-4 protocol.
fn extensions(cursor: &mut Cursor<'_>, packet: &mut Packet, mut next: IpNumber) -> Step {
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
                packet.is_fragment |= header.is_fragmenting_payload();
                if header.fragment_offset().value() != 0 {
                    packet.protocol = next.0;
                    cursor.skip(Layer::Ipv6Extension, 8)?;
                    return Err((Layer::Ipv6Extension, ErrorKind::Fragment));
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
    const NO_NEXT_HEADER: u8 = 59;
    Ok(match number {
        protocol::TCP => Next::Tcp,
        protocol::UDP => Next::Udp,
        protocol::ICMP | protocol::ICMPV6 => Next::Icmp,
        protocol::SCTP => Next::Sctp,
        NO_NEXT_HEADER => Next::Done,
        other => return Err((Layer::Ip, ErrorKind::Protocol(other))),
    })
}
