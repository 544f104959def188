//! What else stands between an Ethernet header and the packet: port extender and VN tags, provider backbone bridging,
//! MACsec without encryption, service function chains, Arista timestamps.

use super::ethernet::{ether_type, number};
use super::{Cursor, ErrorKind, Layer, Next, Step};

const TRUNCATED: (Layer, ErrorKind) = (Layer::Tag, ErrorKind::Truncated);

/// Frames of 802.1ah within each other. A network has one or two; a loop makes 83 of them in 1,514 bytes. A step was measured at
/// 1.2 ns, so that all of them cost what twenty VLAN tags do.
const MAX_BACKBONES: usize = 128;

/// So many bytes of tag, then an ethertype: VN-Tag (4), IEEE 802.1BR E-TAG (6).
pub(super) fn tag(cursor: &mut Cursor<'_>, bytes: usize) -> Step {
    cursor.skip(Layer::Tag, bytes)?;
    ether_type(cursor.reader.u16().ok_or(TRUNCATED)?)
}

/// IEEE 802.1ah I-TAG: four bytes of service id, then the customer's Ethernet frame.
///
/// Backbones in backbones are stepped over at once, up to [`MAX_BACKBONES`].
pub(super) fn backbone(cursor: &mut Cursor<'_>) -> Step {
    for _ in 0..MAX_BACKBONES {
        cursor.skip(Layer::Tag, 4)?;
        let is_backbone = cursor.rest().get(12..14) == Some(&number::BACKBONE.to_be_bytes());
        if !is_backbone {
            return Ok(Next::Ethernet);
        }
        cursor.skip(Layer::Tag, 14)?;
    }
    Err((Layer::Tag, ErrorKind::TooDeep))
}

/// IEEE 802.1AE: flags, short length, packet number, perhaps a channel id. Encrypted or changed data is opaque.
pub(super) fn macsec(cursor: &mut Cursor<'_>) -> Step {
    const HAS_CHANNEL: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    let flags = cursor.reader.u8().ok_or(TRUNCATED)?;
    if flags & ENCRYPTED_OR_CHANGED != 0 {
        return Err((Layer::Tag, ErrorKind::Encrypted));
    }
    tag(cursor, if flags & HAS_CHANNEL != 0 { 13 } else { 5 })
}

/// Network service header (RFC 8300): its length in words, and what follows.
pub(super) fn service_chain(cursor: &mut Cursor<'_>) -> Step {
    let [_, length, _, next] = cursor.reader.array().ok_or(TRUNCATED)?;
    let words = usize::from(length & 0x3f);
    if words < 2 {
        return Err((Layer::Tag, ErrorKind::BadHeader));
    }
    cursor.skip(Layer::Tag, (words - 1) * 4)?;
    match next {
        1 => Ok(Next::Ipv4),
        2 => Ok(Next::Ipv6),
        3 => Ok(Next::Ethernet),
        5 => Ok(Next::Mpls),
        _ => Err((Layer::Tag, ErrorKind::BadHeader)),
    }
}

/// Arista's timestamp header: subtype 1, a version that says how wide the time is, the time, then an ethertype.
pub(super) fn arista(cursor: &mut Cursor<'_>) -> Step {
    let (subtype, version) = (cursor.reader.u16().ok_or(TRUNCATED)?, cursor.reader.u16().ok_or(TRUNCATED)?);
    match (subtype, version & 0xff) {
        (1, 0x10) => tag(cursor, 8),
        (1, 0x20) => tag(cursor, 6),
        _ => Err((Layer::Tag, ErrorKind::BadHeader)),
    }
}
