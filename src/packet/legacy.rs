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

/// RFC 2427: an address of two to four bytes, control 3, then the network protocol id; SNAP for what has none. Cisco's own
/// encapsulation has an ethertype in place of control and id.
pub(super) fn frame_relay(cursor: &mut Cursor<'_>) -> Step {
    const IS_LAST: u8 = 1;
    const MAX_ADDRESS_BYTES: usize = 4;
    const CONTROL: u8 = 3;
    for at in 1.. {
        let byte = cursor.reader.u8().ok_or(TRUNCATED)?;
        if byte & IS_LAST != 0 && at >= 2 {
            break;
        }
        if at == MAX_ADDRESS_BYTES {
            return Err((Layer::Link, ErrorKind::BadHeader));
        }
    }
    let [first, second] = cursor.reader.array().ok_or(TRUNCATED)?;
    if first != CONTROL {
        return super::ethernet::ether_type(u16::from_be_bytes([first, second]));
    }
    let id = if second == 0 { cursor.reader.u8().ok_or(TRUNCATED)? } else { second };
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
