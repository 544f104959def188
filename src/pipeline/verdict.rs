//! [`Verdict`]: what became of a packet: read to its end, or why not. Every packet gets exactly one.
//!
//! The order is a ranking: where several reasons hold, the greatest counts. Those from [`Verdict::UnknownText`] on say what a
//! direction is from then on; those before say what befell a packet or a message.

use crate::packet::{DecodeError, ErrorKind};
use crate::proto::Unread;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Verdict {
    /// Every layer was read, and what of its payload says anything; or it has none.
    #[default]
    Inspected,
    /// Too far from its stream: looked at on its own only.
    OutOfWindow,
    /// Its checksum is wrong, and it was asked to leave such alone.
    BadChecksum,
    /// Of a message that never ended.
    Incomplete,
    /// A header or message that cannot be, or whose parser gave up.
    Malformed,
    /// Of a message with a hole, or after one.
    Gap,
    /// Cut by the snap length.
    Truncated,
    /// No memory to hold it until it could be read.
    NoMemory,
    /// Of a message longer than its parser holds.
    TooLong,
    /// A piece of a datagram that was never whole. Pieces of one that was have the verdict of the datagram.
    Fragment,
    /// Of a TCP conversation of which only one direction was captured.
    OneDirection,
    /// Of a flow that had to go because the table was full.
    TableFull,
    /// Of an unknown protocol; it begins with text.
    UnknownText,
    /// Of an unknown protocol; it begins with a length.
    UnknownFramed,
    /// Of an unknown protocol; its bytes are neither.
    UnknownBinary,
    /// Of an unknown protocol; its bytes look encrypted or compressed.
    UnknownRandom,
    /// A part that its parser knows and does not read: a body, what follows the part of interest.
    PassedOver,
    /// A long stream that was given up because there was too much traffic.
    Shed,
    /// A layer below that nothing here decodes.
    UnknownLayer,
    /// A tunnel that cannot be looked into.
    OpaqueTunnel,
    /// Encrypted, by a protocol that is known.
    Encrypted,
    /// The same, and even the name asked for is.
    EncryptedHello,
}

impl Verdict {
    /// How many there are.
    pub(super) const COUNT: usize = Self::ALL.len();

    /// All, in order.
    pub(super) const ALL: [Self; 22] = [
        Self::Inspected,
        Self::OutOfWindow,
        Self::BadChecksum,
        Self::Incomplete,
        Self::Malformed,
        Self::Gap,
        Self::Truncated,
        Self::NoMemory,
        Self::TooLong,
        Self::Fragment,
        Self::OneDirection,
        Self::TableFull,
        Self::UnknownText,
        Self::UnknownFramed,
        Self::UnknownBinary,
        Self::UnknownRandom,
        Self::PassedOver,
        Self::Shed,
        Self::UnknownLayer,
        Self::OpaqueTunnel,
        Self::Encrypted,
        Self::EncryptedHello,
    ];

    /// A stable word for reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::Inspected => "inspected",
            Self::OutOfWindow => "out_of_window",
            Self::BadChecksum => "bad_checksum",
            Self::Incomplete => "message_incomplete",
            Self::Malformed => "malformed",
            Self::Gap => "gap",
            Self::Truncated => "snap_length",
            Self::NoMemory => "no_memory",
            Self::TooLong => "message_too_long",
            Self::Fragment => "fragment",
            Self::OneDirection => "one_direction",
            Self::TableFull => "table_full",
            Self::UnknownText => "unknown_protocol.text",
            Self::UnknownFramed => "unknown_protocol.framed",
            Self::UnknownBinary => "unknown_protocol.binary",
            Self::UnknownRandom => "unknown_protocol.random",
            Self::PassedOver => "passed_over",
            Self::Shed => "overload",
            Self::UnknownLayer => "unknown_layer",
            Self::OpaqueTunnel => "opaque_tunnel",
            Self::Encrypted => "encrypted",
            Self::EncryptedHello => "encrypted_hello",
        }
    }

    /// The same in a few words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Inspected => "inspected",
            Self::OutOfWindow => "too far from its stream",
            Self::BadChecksum => "wrong checksum",
            Self::Incomplete => "message never ended",
            Self::Malformed => "malformed",
            Self::Gap => "bytes missing",
            Self::Truncated => "cut by the snap length",
            Self::NoMemory => "no memory to hold it",
            Self::TooLong => "message too long",
            Self::Fragment => "of a datagram that was never whole",
            Self::OneDirection => "only one direction captured",
            Self::TableFull => "flow table full",
            Self::UnknownText => "unknown protocol, text",
            Self::UnknownFramed => "unknown protocol, length first",
            Self::UnknownBinary => "unknown protocol, binary",
            Self::UnknownRandom => "unknown protocol, looks encrypted",
            Self::PassedOver => "known, not read (bodies and the like)",
            Self::Shed => "given up because there was too much",
            Self::UnknownLayer => "unknown layer",
            Self::OpaqueTunnel => "opaque tunnel",
            Self::Encrypted => "encrypted",
            Self::EncryptedHello => "encrypted, name too (ECH)",
        }
    }

    /// As a flow keeps it for a direction: 0 is for one in which nothing came yet.
    #[inline]
    pub(super) const fn tag(self) -> u8 {
        self as u8 + 1
    }

    /// From [`Verdict::tag`].
    #[inline]
    pub(super) fn of_tag(tag: u8) -> Self {
        Self::ALL.get(usize::from(tag.wrapping_sub(1))).copied().unwrap_or_default()
    }

    /// Whether a tag is that of one that says what a direction is from then on.
    #[inline]
    pub(super) fn is_lasting_tag(tag: u8) -> bool {
        tag >= Self::UnknownText.tag()
    }

    /// Whether it says what a direction is from then on.
    #[inline]
    pub(super) fn is_lasting(self) -> bool {
        self >= Self::UnknownText
    }

    /// Of a frame whose decode stopped. `is_cut`: fewer bytes were captured than were on the wire.
    #[cold]
    pub(super) fn of_stop(stopped: DecodeError, is_cut: bool) -> Self {
        const ESP: u8 = 50;
        match stopped.kind {
            ErrorKind::Truncated if is_cut => Self::Truncated,
            ErrorKind::Truncated | ErrorKind::BadHeader | ErrorKind::TooDeep => Self::Malformed,
            ErrorKind::Fragment | ErrorKind::TunnelFragment => Self::Fragment,
            ErrorKind::Inflated => Self::Inspected,
            ErrorKind::Compressed => Self::OpaqueTunnel,
            ErrorKind::BadChecksum => Self::BadChecksum,
            ErrorKind::Encrypted | ErrorKind::Protocol(ESP) => Self::OpaqueTunnel,
            _ => Self::UnknownLayer,
        }
    }

    /// Of bytes that a parser did not read.
    #[cold]
    pub(super) fn of_unread(why: Unread) -> Self {
        match why {
            // What the bytes are says which; see `class_of`.
            Unread::NotRecognised | Unread::RecognisedLater | Unread::FileBegun | Unread::FileEnded => Self::Inspected,
            Unread::MessageTooLong => Self::TooLong,
            Unread::NoMemory => Self::NoMemory,
            Unread::Incomplete => Self::Incomplete,
            Unread::Gap => Self::Gap,
            Unread::PassedOver => Self::PassedOver,
            Unread::Shed => Self::Shed,
            Unread::Parser(reason) if reason == ENCRYPTED_HELLO => Self::EncryptedHello,
            Unread::Parser(_) => Self::Malformed,
        }
    }

    /// Of the payload of a protocol that nothing recognises, by its first bytes.
    #[cold]
    pub(super) fn class_of(data: &[u8]) -> Self {
        if is_text(data) {
            return Self::UnknownText;
        }
        if is_framed(data) {
            return Self::UnknownFramed;
        }
        if looks_random(data) { Self::UnknownRandom } else { Self::UnknownBinary }
    }
}

/// What a parser says where a ClientHello hides its name (draft-ietf-tls-esni).
const ENCRYPTED_HELLO: &str = "encrypted_client_hello";

/// Whether the first bytes are text.
fn is_text(data: &[u8]) -> bool {
    let start = data.get(..16).unwrap_or(data);
    start.iter().all(|&byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}

/// Whether a number within the first bytes is the length of all, or of what follows it: of two bytes or four, from any of the first
/// five on, in either order.
fn is_framed(data: &[u8]) -> bool {
    const PLACES: usize = 5;
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let word =
        data.first_chunk::<8>().copied().unwrap_or_else(|| std::array::from_fn(|at| data.get(at).map_or(0, |b| *b)));
    // The low byte of such a number is that of the length of all, less eight at most: a bit for each byte that may be one, all at once.
    let less = bytewise_difference(ONES * u64::from(data.len() as u8), u64::from_le_bytes(word));
    let mut low_bytes = less.wrapping_sub(ONES * 9) & !less & (ONES << 7);
    while low_bytes != 0 {
        let low = low_bytes.trailing_zeros() as usize / 8;
        let two = |at: usize| data.get(at..at + 2).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
        let four = |at: usize| data.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        let is_length =
            |number: Option<usize>, end: usize| number.is_some_and(|n| n == data.len() || n + end == data.len());
        let is_little_endian = || {
            is_length(two(low).map(|n| u16::from_le_bytes(n).into()), low + 2)
                || is_length(four(low).map(|n| u32::from_le_bytes(n) as usize), low + 4)
        };
        let is_big_endian = |bytes: usize| match low.checked_sub(bytes - 1).filter(|at| *at < PLACES) {
            Some(at) if bytes == 2 => is_length(two(at).map(|n| u16::from_be_bytes(n).into()), at + 2),
            Some(at) => is_length(four(at).map(|n| u32::from_be_bytes(n) as usize), at + 4),
            None => false,
        };
        if low < PLACES && is_little_endian() || is_big_endian(2) || is_big_endian(4) {
            return true;
        }
        low_bytes &= low_bytes - 1;
    }
    false
}

/// The difference of each pair of bytes.
fn bytewise_difference(one: u64, other: u64) -> u64 {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    ((one | HIGH) - (other & !HIGH)) ^ ((one ^ !other) & HIGH)
}

/// Whether the first bytes are as many different ones as random ones are: of 64, 57 on average and hardly ever below 50.
#[inline(never)]
fn looks_random(data: &[u8]) -> bool {
    const BYTES: usize = 64;
    const LEAST_DIFFERENT: u32 = 50;
    let Some(start) = data.first_chunk::<BYTES>() else { return false };
    let mut seen = [0u8; 256];
    for &byte in start {
        seen[usize::from(byte)] = 1;
    }
    // Eight sums at once, none of which can be more than 32.
    let sums = seen.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight)).fold(0, u64::wrapping_add);
    sums.to_le_bytes().iter().map(|sum| u32::from(*sum)).sum::<u32>() >= LEAST_DIFFERENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_lead_back_and_the_order_is_the_list_s() {
        for (at, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!((verdict as usize, Verdict::of_tag(verdict.tag())), (at, verdict));
        }
        assert!(Verdict::Gap < Verdict::Encrypted && !Verdict::Gap.is_lasting() && Verdict::Encrypted.is_lasting());
        assert_eq!(Verdict::of_tag(0), Verdict::Inspected);
    }

    /// [`is_framed`] number by number.
    fn is_framed_slowly(data: &[u8]) -> bool {
        let is_length = |number: usize, end: usize| number == data.len() || number + end == data.len();
        (0..5).any(|at| {
            let two = data.get(at..at + 2).map(|bytes| [bytes[0], bytes[1]]);
            let four = data.get(at..at + 4).map(|bytes| [bytes[0], bytes[1], bytes[2], bytes[3]]);
            two.is_some_and(|n| {
                [u16::from_be_bytes(n), u16::from_le_bytes(n)].iter().any(|&n| is_length(n.into(), at + 2))
            }) || four.is_some_and(|n| {
                [u32::from_be_bytes(n), u32::from_le_bytes(n)].iter().any(|&n| is_length(n as usize, at + 4))
            })
        })
    }

    proptest::proptest! {
        #[test]
        fn a_length_is_found_wherever_it_may_be(
            mut data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600),
            at in 0usize..10,
            less in 0usize..10,
            form in 0usize..6,
        ) {
            let length = data.len().wrapping_sub(less);
            let [short, long] = [(length as u16).to_be_bytes().to_vec(), (length as u32).to_be_bytes().to_vec()];
            let mut number = if form < 2 { short } else { long };
            if form % 2 == 1 {
                number.reverse();
            }
            if form < 4 && let Some(place) = data.get_mut(at..at + number.len()) {
                place.copy_from_slice(&number);
            }
            proptest::prop_assert_eq!(is_framed(&data), is_framed_slowly(&data));
        }
    }

    #[test]
    fn first_bytes_have_a_class() {
        assert_eq!(Verdict::class_of(b"HELO there\r\n"), Verdict::UnknownText);
        assert_eq!(Verdict::class_of(b"\x00\x05hello"), Verdict::UnknownFramed);
        assert_eq!(Verdict::class_of(b"\x07\x00\x00\x00\x01\x02\x03"), Verdict::UnknownFramed);
        assert_eq!(Verdict::class_of(&[0x80; 90]), Verdict::UnknownBinary);
        let noise: Vec<u8> = (0..100u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert_eq!(Verdict::class_of(&noise), Verdict::UnknownRandom);
    }
}
