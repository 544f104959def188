//! TCP (RFC 9293), UDP (RFC 768), SCTP's ports (RFC 9260), ICMP's type and code (RFC 792, 4443).
//!
//! Ports are kept even where the rest of the header is cut.

use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

use super::{Cursor, ErrorKind, Layer, Next, Packet, Step, checksum, tcp_flag, tunnel};

#[inline]
pub(super) fn tcp(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    ports(cursor, packet);
    if cursor.verifies && !checksum::holds_with_addresses(cursor, packet) {
        return Err((Layer::Tcp, ErrorKind::BadChecksum));
    }
    let header = TcpHeaderSlice::from_slice(cursor.rest()).map_err(|error| {
        (
            Layer::Tcp,
            if matches!(error, etherparse::err::tcp::HeaderSliceError::Len(_)) {
                ErrorKind::Truncated
            } else {
                ErrorKind::BadHeader
            },
        )
    })?;
    packet.sequence = header.sequence_number();
    // Thirteenth byte of a header that etherparse found whole.
    packet.tcp_flags = header.slice().get(13).copied().unwrap_or(0);
    if packet.has(tcp_flag::URG) {
        packet.urgent_pointer = header.urgent_pointer();
    }
    cursor.skip(Layer::Tcp, header.slice().len())?;
    Ok(Next::Done)
}

#[inline]
pub(super) fn udp(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    ports(cursor, packet);
    let header = UdpHeaderSlice::from_slice(cursor.rest()).map_err(|_| (Layer::Udp, ErrorKind::Truncated))?;
    let length = usize::from(header.length());
    if cursor.verifies && header.checksum() != 0 && !checksum::holds_with_addresses(cursor, packet) {
        return Err((Layer::Udp, ErrorKind::BadChecksum));
    }
    cursor.skip(Layer::Udp, 8)?;
    // 0 is a jumbogram, other small values are lies; what IP says then stands.
    if length >= 8 {
        cursor.limit(length - 8);
    }
    if tunnel::udp::may_be(packet.source_port, packet.destination_port) {
        return tunnel::udp::tunnel(cursor, packet).unwrap_or(Ok(Next::Done));
    }
    Ok(Next::Done)
}

pub(super) fn icmp(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    kind_and_code(cursor, packet);
    cursor.skip(Layer::Icmp, 2)?;
    Ok(Next::Done)
}

pub(super) fn kind_and_code(cursor: &Cursor<'_>, packet: &mut Packet) {
    if let Some([kind, code]) = cursor.rest().first_chunk() {
        packet.source_port = u16::from(*kind);
        packet.destination_port = u16::from(*code);
    }
}

pub(super) fn sctp(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    ports(cursor, packet);
    cursor.skip(Layer::Sctp, 12)?;
    Err((Layer::Ip, ErrorKind::Protocol(super::protocol::SCTP)))
}

#[inline]
pub(super) fn ports(cursor: &Cursor<'_>, packet: &mut Packet) {
    if let Some([a, b, c, d]) = cursor.rest().first_chunk() {
        packet.source_port = u16::from_be_bytes([*a, *b]);
        packet.destination_port = u16::from_be_bytes([*c, *d]);
    }
}
