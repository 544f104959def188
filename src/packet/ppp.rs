//! PPP (RFC 1661, 1662), Cisco HDLC and PPPoE session frames (RFC 2516).

use super::ethernet::ether_type;
use super::{Cursor, ErrorKind, Layer, Next, Step};

const TRUNCATED: (Layer, ErrorKind) = (Layer::Ppp, ErrorKind::Truncated);

/// Address and control are there or not, the protocol is one byte (odd) or two.
pub(super) fn ppp(cursor: &mut Cursor<'_>) -> Step {
    if cursor.rest().starts_with(&[0xff, 0x03]) {
        cursor.skip(Layer::Ppp, 2)?;
    }
    let first = cursor.reader.u8().ok_or(TRUNCATED)?;
    if first & 1 == 1 {
        return Ok(Next::PppProtocol(u16::from(first)));
    }
    let second = cursor.reader.u8().ok_or(TRUNCATED)?;
    Ok(Next::PppProtocol(u16::from_be_bytes([first, second])))
}

pub(super) fn protocol(number: u16) -> Step {
    match number {
        0x0021 => Ok(Next::Ipv4),
        0x0057 => Ok(Next::Ipv6),
        0x0281 | 0x0283 => Ok(Next::Mpls),
        other => Err((Layer::Ppp, ErrorKind::PppProtocol(other))),
    }
}

/// One byte of direction before the PPP header.
pub(super) fn with_direction(cursor: &mut Cursor<'_>) -> Step {
    cursor.skip(Layer::Ppp, 1)?;
    Ok(Next::Ppp)
}

/// Cisco HDLC: address, control, ethertype; or PPP in HDLC-like framing.
pub(super) fn hdlc(cursor: &mut Cursor<'_>) -> Step {
    if cursor.rest().starts_with(&[0xff, 0x03]) {
        return Ok(Next::Ppp);
    }
    cursor.skip(Layer::Ppp, 2)?;
    ether_type(cursor.reader.u16().ok_or(TRUNCATED)?)
}

/// Version and type 1, code 0, session id, length of what follows.
pub(super) fn pppoe(cursor: &mut Cursor<'_>) -> Step {
    const TRUNCATED: (Layer, ErrorKind) = (Layer::Pppoe, ErrorKind::Truncated);
    let [version_and_type, code] = cursor.reader.array().ok_or(TRUNCATED)?;
    if version_and_type != 0x11 || code != 0 {
        return Err((Layer::Pppoe, ErrorKind::BadHeader));
    }
    let _session = cursor.reader.u16().ok_or(TRUNCATED)?;
    let length = cursor.reader.u16().ok_or(TRUNCATED)?;
    cursor.limit(usize::from(length));
    Ok(Next::Ppp)
}
