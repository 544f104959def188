//! Links that captures still come from: FDDI, ARCNET, Frame Relay.

use super::{Cursor, ErrorKind, Layer, Next, Step};

const TRUNCATED: (Layer, ErrorKind) = (Layer::Link, ErrorKind::Truncated);

/// Frame control and two addresses; data frames (`01xx0xxx`) carry LLC.
pub(super) fn fddi(cursor: &mut Cursor<'_>) -> Step {
    let control = cursor.reader.u8().ok_or(TRUNCATED)?;
    cursor.skip(Layer::Link, 12)?;
    if control & 0xc0 == 0x40 { Ok(Next::Llc) } else { Err((Layer::Link, ErrorKind::BadHeader)) }
}

/// Source, destination, on Linux an offset, then the protocol: RFC 1051 (240) bare, RFC 1201 (212) with three bytes of
/// fragmentation, of which only whole packets are read.
pub(super) fn arcnet(cursor: &mut Cursor<'_>, is_linux: bool) -> Step {
    cursor.skip(Layer::Link, if is_linux { 4 } else { 2 })?;
    match cursor.reader.u8().ok_or(TRUNCATED)? {
        240 => Ok(Next::Ipv4),
        212 => {
            let split = cursor.reader.u8().ok_or(TRUNCATED)?;
            cursor.skip(Layer::Link, 2)?;
            if split == 0 { Ok(Next::Ipv4) } else { Err((Layer::Link, ErrorKind::Fragment)) }
        }
        other => Err((Layer::Link, ErrorKind::Family(u32::from(other)))),
    }
}

/// RFC 2427: a two-byte address, control 3, then the network protocol id; SNAP for what has none.
pub(super) fn frame_relay(cursor: &mut Cursor<'_>) -> Step {
    cursor.skip(Layer::Link, 2)?;
    let mut id = cursor.reader.u8().ok_or(TRUNCATED)?;
    if id != 3 {
        return Err((Layer::Link, ErrorKind::BadHeader));
    }
    id = cursor.reader.u8().ok_or(TRUNCATED)?;
    if id == 0 {
        id = cursor.reader.u8().ok_or(TRUNCATED)?;
    }
    match id {
        0xcc => Ok(Next::Ipv4),
        0x8e => Ok(Next::Ipv6),
        0x80 => {
            let organisation = cursor.reader.u24().ok_or(TRUNCATED)?;
            let number = cursor.reader.u16().ok_or(TRUNCATED)?;
            match (organisation, number) {
                (0, number) => super::ethernet::ether_type(number),
                // Bridged Ethernet, with and without its checksum.
                (0x0080c2, 1 | 7) => Ok(Next::Ethernet),
                _ => Err((Layer::Link, ErrorKind::Family(u32::from(id)))),
            }
        }
        other => Err((Layer::Link, ErrorKind::Family(u32::from(other)))),
    }
}
