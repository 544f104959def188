//! L2TP data messages: version 2 (RFC 2661) over UDP, version 3 (RFC 3931) over IP and over UDP.
//!
//! Version 3 does not say how long its cookie and its sublayer are; the lengths that there are get tried until Ethernet, PPP or
//! IP follows. Control messages are left as they are.

use super::super::{Cursor, ErrorKind, Layer, Next, Packet, Step};
use super::udp::Found;
use super::{Scope, enter, plausible};
use crate::bytes::Reader;

/// Cookie of 0, 4 or 8 bytes, sublayer of 0 or 4.
const BEFORE_PAYLOAD: [usize; 4] = [0, 4, 8, 12];

const IS_CONTROL: u16 = 0x8000;
const HAS_LENGTH: u16 = 0x4000;
const HAS_SEQUENCE: u16 = 0x0800;
const HAS_OFFSET: u16 = 0x0200;
/// Bits that are zero in a version 2 data message.
const RESERVED_2: u16 = 0x34f0;

pub(super) fn over_udp(payload: &[u8], room: usize) -> Option<Found> {
    let mut reader = Reader::new(payload);
    let flags = reader.u16()?;
    match flags & 15 {
        2 if flags & (IS_CONTROL | RESERVED_2) == 0 => version_2(flags, reader, room),
        3 if flags == 3 && reader.u16()? == 0 && reader.u32()? != 0 => version_3(reader, room),
        _ => None,
    }
}

fn version_2(flags: u16, mut reader: Reader<'_>, room: usize) -> Option<Found> {
    if flags & HAS_LENGTH != 0 && usize::from(reader.u16()?) > room {
        return None;
    }
    let (_tunnel, _session) = (reader.u16()?, reader.u16()?);
    if flags & HAS_SEQUENCE != 0 {
        reader.skip(4)?;
    }
    if flags & HAS_OFFSET != 0 {
        let offset = reader.u16()?;
        reader.skip(usize::from(offset))?;
    }
    Some(Found { layer: Layer::L2tp, header_bytes: reader.position(), next: Next::Ppp, scope: Scope::Ends })
}

fn version_3(reader: Reader<'_>, room: usize) -> Option<Found> {
    let at = reader.position();
    BEFORE_PAYLOAD.into_iter().find_map(|more| {
        let header_bytes = at + more;
        let (rest, room) = (reader.rest().get(more..)?, room.checked_sub(header_bytes)?);
        let kinds = [Next::Ethernet, Next::AnyIp, Next::Ppp];
        let next = kinds.into_iter().find(|&next| plausible::is(next, rest, room))?;
        Some(Found { layer: Layer::L2tp, header_bytes, next, scope: Scope::Ends })
    })
}

/// IP protocol 115: a session id, 0 for control.
pub(in crate::packet) fn over_ip(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let mut reader = Reader::new(cursor.rest());
    let session = reader.u32().ok_or((Layer::L2tp, ErrorKind::Truncated))?;
    if session == 0 {
        return Err((Layer::L2tp, ErrorKind::NotData));
    }
    let room = cursor.rest().len() + cursor.missing_bytes as usize;
    let found = version_3(reader, room).ok_or((Layer::L2tp, ErrorKind::BadHeader))?;
    enter(cursor, packet, Layer::L2tp, found.scope)?;
    cursor.skip(Layer::L2tp, found.header_bytes)?;
    Ok(found.next)
}
