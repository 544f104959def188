//! IEEE 802.11 data frames, bare or behind radiotap, PPI, AVS or Prism headers.
//!
//! Of an aggregate (A-MSDU) the first frame is decoded and the others are noted as parts.
//!
//! Not read: protected frames (counted as encrypted), fragments (counted), management and control frames, mesh headers.

use super::{Cursor, ErrorKind, Layer, Next, Packet, Step};
use crate::bytes::Reader;

const TRUNCATED: (Layer, ErrorKind) = (Layer::Wifi, ErrorKind::Truncated);

const TYPE_DATA: u8 = 2;
/// Bits of a data frame's subtype.
const NO_DATA: u8 = 0x4;
const QOS: u8 = 0x8;
/// Bits of the second byte of frame control.
const TO_AND_FROM: u8 = 0x03;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// The MAC header, perhaps padded to four bytes, then LLC. `swapped`: frame control has its bytes in the other order.
pub(super) fn wifi(cursor: &mut Cursor<'_>, packet: &Packet, swapped: bool, is_padded: bool) -> Step {
    let [mut kind, mut flags]: [u8; 2] = cursor.reader.array().ok_or(TRUNCATED)?;
    if swapped {
        std::mem::swap(&mut kind, &mut flags);
    }
    let subtype = kind >> 4;
    if kind & 3 != 0 {
        return Err((Layer::Wifi, ErrorKind::BadHeader));
    }
    if kind >> 2 & 3 != TYPE_DATA {
        return Err((Layer::Wifi, ErrorKind::NotData));
    }
    // Duration and three addresses, then sequence control.
    cursor.skip(Layer::Wifi, 20)?;
    let sequence = cursor.reader.u16().ok_or(TRUNCATED)?;
    // Who sends frame control in the other order sends sequence control so too.
    let sequence = if swapped { sequence } else { sequence.swap_bytes() };
    let mut header_bytes = 24;
    if flags & TO_AND_FROM == TO_AND_FROM {
        cursor.skip(Layer::Wifi, 6)?;
        header_bytes += 6;
    }
    let mut is_aggregate = false;
    if subtype & QOS != 0 {
        let [control, _]: [u8; 2] = cursor.reader.array().ok_or(TRUNCATED)?;
        is_aggregate = control & 0x80 != 0;
        header_bytes += 2;
        if flags & ORDER != 0 {
            cursor.skip(Layer::Wifi, 4)?;
            header_bytes += 4;
        }
    }
    if subtype & NO_DATA != 0 {
        return Ok(Next::Done);
    }
    if flags & PROTECTED != 0 {
        return Err((Layer::Wifi, ErrorKind::Encrypted));
    }
    if flags & MORE_FRAGMENTS != 0 || sequence & 15 != 0 {
        return Err((Layer::Wifi, ErrorKind::Fragment));
    }
    if is_padded && header_bytes % 4 != 0 {
        cursor.skip(Layer::Wifi, 2)?;
    }
    if is_aggregate {
        note_further(cursor, packet);
        cursor.skip(Layer::Wifi, 12)?;
        let length = cursor.reader.u16().ok_or(TRUNCATED)?;
        cursor.limit(usize::from(length));
    }
    Ok(Next::Llc)
}

/// Notes the frames of an aggregate that follow its first: addresses, length, LLC; all but the last padded to a multiple of four.
fn note_further(cursor: &mut Cursor<'_>, packet: &Packet) {
    const HEAD_BYTES: usize = 14;
    let frames = cursor.rest();
    let mut at = 0;
    for number in 0..=super::MAX_PARTS {
        let Some(&[high, low]) = frames.get(at + 12..).and_then(<[u8]>::first_chunk) else { return };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if number > 0 {
            cursor.add_part(Layer::Wifi, (at + HEAD_BYTES, length, length), Next::Llc, *packet);
        }
        at += (HEAD_BYTES + length).next_multiple_of(4);
    }
}

/// Version 0 and a data frame; if it carries anything, LLC behind it. `swapped` as for [`wifi`].
pub(super) fn looks_right(bytes: &[u8], swapped: bool) -> bool {
    match *bytes {
        [kind, flags, ..] if !swapped => bytes.len() >= 24 && is_data(kind, flags, bytes),
        [flags, kind, ..] => bytes.len() >= 24 && is_data(kind, flags, bytes),
        _ => false,
    }
}

fn is_data(kind: u8, flags: u8, bytes: &[u8]) -> bool {
    if kind & 0x0f != TYPE_DATA << 2 {
        return false;
    }
    let subtype = kind >> 4;
    let four_addresses = if flags & TO_AND_FROM == TO_AND_FROM { 6 } else { 0 };
    let quality = if subtype & QOS != 0 { if flags & ORDER != 0 { 6 } else { 2 } } else { 0 };
    subtype & NO_DATA != 0
        || flags & PROTECTED != 0
        || bytes.get(24 + four_addresses + quality..).is_some_and(|rest| rest.starts_with(&[0xaa, 0xaa, 3]))
}

/// Version, pad, length, presence words (little-endian); of the fields only the flags matter (<https://www.radiotap.org>).
pub(super) fn radiotap(cursor: &mut Cursor<'_>) -> Step {
    const TRUNCATED: (Layer, ErrorKind) = (Layer::Radiotap, ErrorKind::Truncated);
    const MORE_WORDS: u32 = 1 << 31;
    const HAS_TIME: u32 = 1;
    const HAS_FLAGS: u32 = 2;
    const IS_PADDED: u8 = 0x20;
    let header = cursor.rest();
    let mut reader = Reader::new(header);
    let (version, length) = (reader.u16().ok_or(TRUNCATED)? >> 8, reader.u16().ok_or(TRUNCATED)?.swap_bytes());
    if version != 0 || length < 8 {
        return Err((Layer::Radiotap, ErrorKind::BadHeader));
    }
    let present = reader.u32().ok_or(TRUNCATED)?.swap_bytes();
    let mut word = present;
    while word & MORE_WORDS != 0 {
        word = reader.u32().ok_or(TRUNCATED)?.swap_bytes();
    }
    let mut at = reader.position();
    if present & HAS_TIME != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    let flags = if present & HAS_FLAGS != 0 { header.get(at).copied().unwrap_or(0) } else { 0 };
    cursor.skip(Layer::Radiotap, usize::from(length))?;
    Ok(Next::Wifi { swapped: false, is_padded: flags & IS_PADDED != 0 })
}

/// Per-packet information: version 0, flags, length, link type (little-endian), fields (CACE PPI specification, 3.1).
pub(super) fn ppi(cursor: &mut Cursor<'_>) -> Step {
    const TRUNCATED: (Layer, ErrorKind) = (Layer::Radiotap, ErrorKind::Truncated);
    let mut reader = Reader::new(cursor.rest());
    let version = reader.u16().ok_or(TRUNCATED)? >> 8;
    let length = reader.u16().ok_or(TRUNCATED)?.swap_bytes();
    let link = reader.u32().ok_or(TRUNCATED)?.swap_bytes();
    if version != 0 || length < 8 {
        return Err((Layer::Radiotap, ErrorKind::BadHeader));
    }
    cursor.skip(Layer::Radiotap, usize::from(length))?;
    super::first_header(super::LinkType(u16::try_from(link).unwrap_or(u16::MAX)))
}

/// Prism's 144 bytes, or the AVS header that some drivers put in its place; AVS says its length (big-endian).
pub(super) fn prism(cursor: &mut Cursor<'_>) -> Step {
    const TRUNCATED: (Layer, ErrorKind) = (Layer::Radiotap, ErrorKind::Truncated);
    const AVS: u32 = 0x8021_1000;
    const PRISM_BYTES: u32 = 144;
    let mut reader = Reader::new(cursor.rest());
    let magic = reader.u32().ok_or(TRUNCATED)?;
    let length = reader.u32().ok_or(TRUNCATED)?;
    let length = if magic & !0xf == AVS { length } else { PRISM_BYTES };
    if !(8..=1024).contains(&length) {
        return Err((Layer::Radiotap, ErrorKind::BadHeader));
    }
    cursor.skip(Layer::Radiotap, length as usize)?;
    Ok(Next::Wifi { swapped: false, is_padded: false })
}
