//! NHRP (RFC 2332), as it lies in GRE and in IP: of a traffic indication the packet that caused it.
//!
//! Not read: addresses in requests and replies, extensions, and error indications (what they quote is NHRP).

use super::super::{Cursor, ErrorKind, Layer, Next, Packet, Step};
use super::{Scope, inside, plausible};
use crate::bytes::Reader;

/// Packet type of a traffic indication (IANA).
const TRAFFIC_INDICATION: u8 = 8;
/// Fixed header (RFC 2332 5.2.0.1), and the part of the mandatory one before its addresses.
const FIXED_BYTES: usize = 20;
const COMMON_BYTES: usize = 8;

pub(in crate::packet) fn nhrp(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let header = read(cursor.rest()).ok_or((Layer::Nhrp, ErrorKind::Truncated))?;
    if header.version != 1 {
        return Err((Layer::Nhrp, ErrorKind::BadHeader));
    }
    let quoted = cursor.rest().get(header.quoted_at..header.quoted_end).unwrap_or_default();
    // A quotation may be cut: its own length says nothing.
    if header.kind == TRAFFIC_INDICATION && plausible::is(Next::AnyIp, quoted, usize::from(u16::MAX)) {
        let packet = inside(packet, Layer::Nhrp, Scope::Ends);
        let bytes = quoted.len();
        cursor.add_part(Layer::Nhrp, (header.quoted_at, bytes, bytes), Next::AnyIp, packet);
    }
    Err((Layer::Nhrp, ErrorKind::NotData))
}

struct Header {
    version: u8,
    kind: u8,
    quoted_at: usize,
    quoted_end: usize,
}

/// Address family, protocol, hops, length, checksum, where extensions begin, version, type, lengths of the sender's addresses; then
/// lengths of protocol addresses, flags, id, and the addresses.
fn read(bytes: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(bytes);
    reader.skip(10)?;
    let length = usize::from(reader.u16()?);
    reader.skip(2)?;
    let extensions = usize::from(reader.u16()?);
    let (version, kind) = (reader.u8()?, reader.u8()?);
    let [address, subaddress] = [reader.u8()?, reader.u8()?].map(|length| usize::from(length & 0x3f));
    let [source, destination] = [reader.u8()?, reader.u8()?].map(usize::from);
    let quoted_at = FIXED_BYTES + COMMON_BYTES + address + subaddress + source + destination;
    let end = if extensions == 0 { length } else { extensions };
    Some(Header { version, kind, quoted_at, quoted_end: end.min(bytes.len()) })
}
