//! IP payload compression (RFC 3173): next header, flags, the index that names the algorithm, then the compressed payload.
//!
//! Nothing is inflated here: the payload is noted as a part. An index that two hosts agreed on says nothing to others; Linux and
//! the BSDs have DEFLATE alone (RFC 2394), so that is what is tried. Not read: LZS, LZJH, and payloads that the capture cut.

use super::super::{Cursor, ErrorKind, Layer, Packet, Step};
use crate::bytes::Reader;

/// Well-known index of DEFLATE.
const DEFLATE: u16 = 2;
/// Indexes that hosts agree on (RFC 3173 3.3).
const NEGOTIATED: std::ops::RangeInclusive<u16> = 256..=61_439;

pub(in crate::packet) fn ipcomp(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let mut reader = Reader::new(cursor.rest());
    let header = (|| Some((reader.u8()?, reader.u8()?, reader.u16()?)))();
    let (next, _, index) = header.ok_or((Layer::IpComp, ErrorKind::Truncated))?;
    cursor.skip(Layer::IpComp, 4)?;
    if index == DEFLATE || NEGOTIATED.contains(&index) {
        cursor.add_deflated(Layer::IpComp, Packet { protocol: next, ..*packet });
    }
    Err((Layer::IpComp, ErrorKind::Compressed))
}
