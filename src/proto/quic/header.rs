//! The packets of a datagram, as far as they are in the clear: long headers (RFC 9000 section 17.2), the invariants of other
//! versions (RFC 8999). Borrowed views; nothing here decrypts.

use super::keys::Version;
use crate::bytes::Reader;

/// One packet of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packet<'a> {
    /// Of a version that can be read.
    Long(Long<'a>),
    /// One of those that carry no length and end the datagram: 1-RTT, or what follows a packet as padding.
    Short,
    /// Versions that a server offers.
    Negotiation,
    /// Of a version that is not known here, or none at all.
    Foreign,
}

/// A packet with a long header.
#[derive(Clone, Copy)]
pub(super) struct Long<'a> {
    pub(super) kind: LongKind,
    pub(super) version: Version,
    pub(super) destination: &'a [u8],
    pub(super) source: &'a [u8],
    /// All of it, protected; of a Retry only the header.
    pub(super) bytes: &'a [u8],
    /// Where the protected packet number begins.
    pub(super) number_at: usize,
}

crate::bytes::opaque_debug!(Long<'_>, "Long");

/// What a long header begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongKind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

impl<'a> Packet<'a> {
    /// The packet that `data` begins with, and how many bytes it takes. `None` if it ends too early.
    pub(super) fn read(data: &'a [u8]) -> Option<(Self, usize)> {
        let mut r = Reader::new(data);
        let first = r.u8()?;
        if first & LONG == 0 {
            return Some((Self::Short, data.len()));
        }
        let number = r.u32()?;
        // The fixed bit need not be set (RFC 9287).
        let Some(version) = Version::of(number) else {
            let packet = if number == 0 { Self::Negotiation } else { Self::Foreign };
            return Some((packet, data.len()));
        };
        let destination = connection_id(&mut r)?;
        let source = connection_id(&mut r)?;
        let kind = LongKind::of(first >> 4 & 3, version);
        if kind == LongKind::Initial {
            let token_bytes = usize::try_from(varint(&mut r)?).ok()?;
            r.skip(token_bytes)?;
        }
        let mut number_at = r.position();
        let mut end = data.len();
        if kind != LongKind::Retry {
            let length = usize::try_from(varint(&mut r)?).ok()?;
            number_at = r.position();
            r.skip(length)?;
            end = r.position();
        }
        let bytes = data.get(..end)?;
        Some((Self::Long(Long { kind, version, destination, source, bytes, number_at }), end))
    }
}

impl LongKind {
    fn of(number: u8, version: Version) -> Self {
        match if version.is_v2 { number.wrapping_sub(1) & 3 } else { number } {
            0 => Self::Initial,
            1 => Self::ZeroRtt,
            2 => Self::Handshake,
            _ => Self::Retry,
        }
    }
}

/// Whether a datagram begins with a long header of a version that can be read, or offers one: strict enough to tell it from
/// any other protocol's by the first five bytes and the lengths behind them.
#[inline]
pub(super) fn begins(data: &[u8]) -> bool {
    let Some([first, v0, v1, v2, v3]) = data.first_chunk() else { return false };
    first & LONG != 0 && begins_long(*first, u32::from_be_bytes([*v0, *v1, *v2, *v3]), data)
}

fn begins_long(first: u8, number: u32, data: &[u8]) -> bool {
    let mut r = Reader::new(data);
    if r.skip(5).and_then(|()| connection_id(&mut r)).and_then(|_| connection_id(&mut r)).is_none() {
        return false;
    }
    if number > 0 {
        // Without the bit that all but few set, the lengths must hold too.
        return Version::of(number).is_some() && (first & FIXED != 0 || Packet::read(data).is_some());
    }
    // A version negotiation packet is nothing but a list behind the connection ids (RFC 9000 section 17.2.1).
    let (list, rest) = r.rest().as_chunks::<4>();
    rest.is_empty() && list.iter().any(|version| Version::of(u32::from_be_bytes(*version)).is_some())
}

/// A variable-length integer (RFC 9000 section 16).
pub(super) fn varint(r: &mut Reader<'_>) -> Option<u64> {
    let first = r.u8()?;
    let mut value = u64::from(first & 0x3f);
    for _ in 1..1 << (first >> 6) {
        value = value << 8 | u64::from(r.u8()?);
    }
    Some(value)
}

fn connection_id<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = r.u8().filter(|length| *length <= MAX_ID_BYTES)?;
    r.take(length.into())
}

/// Of all versions read here.
pub(super) const MAX_ID_BYTES: u8 = 20;
const LONG: u8 = 0x80;
const FIXED: u8 = 0x40;
