//! GRE (RFC 2784, 2890, its PPTP form RFC 2637), what it carries (NVGRE RFC 7637, ERSPAN I to III, WCCP), EtherIP (RFC 3378),
//! GRE over UDP (RFC 8086).
//!
//! Not read: source routes beyond their length.

use super::super::ethernet::ether_type;
use super::super::{Cursor, ErrorKind, Layer, Next, Packet, Step};
use super::udp::Found;
use super::{Scope, enter};
use crate::bytes::Reader;

/// Source route entries of RFC 1701, at most; nobody sends any.
const MAX_ROUTES: usize = 8;

const TRUNCATED: (Layer, ErrorKind) = (Layer::Gre, ErrorKind::Truncated);

const HAS_CHECKSUM: u16 = 0x8000;
const HAS_ROUTE: u16 = 0x4000;
const HAS_KEY: u16 = 0x2000;
const HAS_SEQUENCE: u16 = 0x1000;
const HAS_ACKNOWLEDGEMENT: u16 = 0x0080;
/// Bits that must be zero in version 0 (recursion control and flags of RFC 1701).
const RESERVED: u16 = 0x0ff8;

/// The fields of a header that say what follows.
#[derive(Debug, Clone, Copy)]
struct Header {
    flags: u16,
    protocol: u16,
    key: Option<u32>,
    bytes: usize,
}

pub(in crate::packet) fn gre(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let header = read(cursor.rest()).ok_or(TRUNCATED)?;
    let behind = cursor.rest().get(header.bytes..).unwrap_or_default();
    match header.flags & 7 {
        0 => {}
        1 => {
            cursor.skip(Layer::Gre, header.bytes)?;
            // An acknowledgement alone.
            if header.flags & HAS_SEQUENCE == 0 || behind.is_empty() {
                return Ok(Next::Done);
            }
            enter(cursor, packet, Layer::Gre, Scope::Ends)?;
            return Ok(Next::Ppp);
        }
        _ => return Err((Layer::Gre, ErrorKind::BadHeader)),
    }
    if header.protocol == KEEP_ALIVE {
        cursor.skip(Layer::Gre, header.bytes)?;
        return Ok(Next::Done);
    }
    if header.protocol == NHRP {
        cursor.skip(Layer::Gre, header.bytes)?;
        return Ok(Next::Nhrp);
    }
    let (layer, next, more, scope) = carried(&header, behind)?;
    cursor.skip(layer, header.bytes + more)?;
    enter(cursor, packet, layer, scope)?;
    Ok(next)
}

/// Flags, protocol, then what the flags announce.
fn read(bytes: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(bytes);
    let (flags, protocol) = (reader.u16()?, reader.u16()?);
    if flags & 7 == 0 && flags & (HAS_CHECKSUM | HAS_ROUTE) != 0 {
        reader.skip(4)?;
    }
    let key = if flags & HAS_KEY != 0 { Some(reader.u32()?) } else { None };
    if flags & HAS_SEQUENCE != 0 {
        reader.skip(4)?;
    }
    if flags & 7 == 1 && flags & HAS_ACKNOWLEDGEMENT != 0 {
        reader.skip(4)?;
    }
    if flags & 7 == 0 && flags & HAS_ROUTE != 0 {
        for _ in 0..MAX_ROUTES {
            let [_, _, _, length]: [u8; 4] = reader.array()?;
            if length == 0 {
                break;
            }
            reader.skip(usize::from(length))?;
        }
    }
    Some(Header { flags, protocol, key, bytes: reader.position() })
}

/// Which header follows, after how many bytes more, and what tells the tunnel.
fn carried(header: &Header, behind: &[u8]) -> Result<(Layer, Next, usize, Scope), (Layer, ErrorKind)> {
    let scope = header.key.map_or(Scope::Ends, Scope::Id);
    Ok(match header.protocol {
        // NVGRE has the segment in the upper 24 bits and a hash in the lower; a key of a small number is just a key.
        BRIDGED => match header.key {
            Some(key) if key >> 8 != 0 && header.flags & (HAS_CHECKSUM | HAS_SEQUENCE) == 0 => {
                (Layer::Gre, Next::Ethernet, 0, Scope::Id(key >> 8))
            }
            _ => (Layer::Gre, Next::Ethernet, 0, scope),
        },
        ERSPAN if header.flags & HAS_SEQUENCE == 0 => (Layer::Erspan, Next::Ethernet, 0, scope),
        ERSPAN | ERSPAN_III => erspan(behind)?,
        PPP => (Layer::Gre, Next::Ppp, 0, scope),
        // 3GPP2's A10 and A11 without framing of its own; WCCP's redirect header is there or not.
        0x8881 | 0x88d2 => (Layer::Gre, Next::AnyIp, 0, scope),
        WCCP => {
            let is_bare = behind.first().is_some_and(|first| first >> 4 == 4);
            (Layer::Gre, Next::Ipv4, if is_bare { 0 } else { 4 }, scope)
        }
        number => (Layer::Gre, ether_type(number).map_err(|(_, kind)| (Layer::Gre, kind))?, 0, scope),
    })
}

/// ERSPAN II (8 bytes) and III (12, and 8 more if the last bit says so): version, VLAN, session.
fn erspan(behind: &[u8]) -> Result<(Layer, Next, usize, Scope), (Layer, ErrorKind)> {
    const ETHERNET_FRAME: u32 = 0;
    const IP_PACKET: u32 = 2;
    let mut reader = Reader::new(behind);
    let word = reader.u32().ok_or((Layer::Erspan, ErrorKind::Truncated))?;
    let scope = Scope::Id(word & 0x3ff);
    match word >> 28 {
        1 => Ok((Layer::Erspan, Next::Ethernet, 8, scope)),
        2 => {
            reader.skip(4).ok_or((Layer::Erspan, ErrorKind::Truncated))?;
            let last = reader.u32().ok_or((Layer::Erspan, ErrorKind::Truncated))?;
            let next = match last >> 10 & 0x1f {
                ETHERNET_FRAME => Next::Ethernet,
                IP_PACKET => Next::AnyIp,
                _ => return Err((Layer::Erspan, ErrorKind::BadHeader)),
            };
            Ok((Layer::Erspan, next, if last & 1 != 0 { 20 } else { 12 }, scope))
        }
        _ => Err((Layer::Erspan, ErrorKind::BadHeader)),
    }
}

/// Version 0, no reserved bit, a protocol that is known.
pub(super) fn over_udp(payload: &[u8], _room: usize) -> Option<Found> {
    let header = read(payload)?;
    if header.flags & (RESERVED | 7 | HAS_ROUTE) != 0 {
        return None;
    }
    let (layer, next, more, scope) = carried(&header, payload.get(header.bytes..)?).ok()?;
    Some(Found { layer, header_bytes: header.bytes + more, next, scope })
}

/// Two bytes, version 3 and zeros, then Ethernet.
pub(in crate::packet) fn ether_ip(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let version = cursor.reader.u16().ok_or((Layer::EtherIp, ErrorKind::Truncated))?;
    if version != 0x3000 {
        return Err((Layer::EtherIp, ErrorKind::BadHeader));
    }
    enter(cursor, packet, Layer::EtherIp, Scope::Ends)?;
    Ok(Next::Ethernet)
}

const KEEP_ALIVE: u16 = 0;
const BRIDGED: u16 = 0x6558;
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;
const PPP: u16 = 0x880b;
const WCCP: u16 = 0x883e;
const NHRP: u16 = 0x2001;
