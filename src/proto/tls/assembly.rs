//! Handshake messages out of records (RFC 8446 section 5.1): one, where it lies or copied together.

use std::borrow::Cow;

use super::super::handshake::limit;
use super::{HANDSHAKE, MAJOR_VERSION, MAX_RECORD_BYTES, RECORD_HEADER_BYTES};
use crate::bytes::Reader;

/// What lies at the start of some bytes.
pub(super) enum Assembly<'a> {
    /// A handshake message.
    Message {
        /// Its type.
        kind: u8,
        /// What is behind its type and length.
        body: Cow<'a, [u8]>,
        /// Where it ends.
        end: usize,
        /// Bytes of its last record behind it.
        left: u16,
    },
    /// At least so many bytes are needed to go on.
    Incomplete {
        /// How many.
        need: usize,
    },
    /// A message of no interest.
    Other,
    /// Not TLS, or too long.
    Malformed(&'static str),
}

/// The handshake message at the start of `data`: there a record begins or, if `left` is not 0, so many bytes of one are left.
/// `wants` tells by its type whether a message is of interest; others are not waited for.
pub(super) fn assemble(data: &[u8], left: usize, wants: impl Fn(u8) -> bool) -> Assembly<'_> {
    let mut r = Reader::new(data);
    let available = match left {
        0 => match Record::read(&mut r) {
            None => return Assembly::Incomplete { need: RECORD_HEADER_BYTES + 1 },
            Some(record) if !record.is_handshake() => return Assembly::Malformed("malformed TLS record"),
            Some(record) => record.length,
        },
        left => left,
    };
    let start = r.position();
    let Some(kind) = r.u8() else { return Assembly::Incomplete { need: start + 1 } };
    if !wants(kind) {
        return Assembly::Other;
    }
    let length = if available < HANDSHAKE_HEADER_BYTES { None } else { r.u24().map(|length| length as usize) };
    let Some(length) = length.filter(|length| HANDSHAKE_HEADER_BYTES + length <= available) else {
        return assemble_split(data, left);
    };
    match r.take(length) {
        Some(body) => {
            let rest = (available - HANDSHAKE_HEADER_BYTES - length) as u16;
            Assembly::Message { kind, body: Cow::Borrowed(body), end: r.position(), left: rest }
        }
        None => Assembly::Incomplete { need: start + HANDSHAKE_HEADER_BYTES + length },
    }
}

/// [`assemble`] for a message over several records. Asks each time for all that is surely missing, so that a message in very
/// small records is not walked anew for each of them.
#[cold]
fn assemble_split(data: &[u8], left: usize) -> Assembly<'_> {
    let mut joined = Joined::new(data, left);
    loop {
        let header = joined.message.first_chunk::<HANDSHAKE_HEADER_BYTES>();
        let total = match header {
            Some(&[kind, a, b, c]) => {
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                let (limit, reason) = limit(kind);
                if HANDSHAKE_HEADER_BYTES + length > limit {
                    return Assembly::Malformed(reason);
                }
                HANDSHAKE_HEADER_BYTES + length
            }
            None => HANDSHAKE_HEADER_BYTES,
        };
        if header.is_some() && joined.message.len() >= total {
            let over = joined.message.len() - total;
            joined.message.truncate(total);
            let body = joined.message.split_off(HANDSHAKE_HEADER_BYTES);
            let kind = joined.message.first().copied().unwrap_or_default();
            let (end, left) = (joined.r.position() - over, (over + joined.missing) as u16);
            return Assembly::Message { kind, body: Cow::Owned(body), end, left };
        }
        let wanted = total - joined.message.len();
        if joined.missing > 0 {
            let another = if wanted > joined.missing { RECORD_HEADER_BYTES } else { 0 };
            return Assembly::Incomplete { need: joined.r.position() + wanted + another };
        }
        match joined.add_record() {
            Some(true) => {}
            Some(false) => return Assembly::Malformed("TLS handshake message cut by another record"),
            None => return Assembly::Incomplete { need: joined.r.position() + RECORD_HEADER_BYTES + wanted },
        }
    }
}

/// What is there of the message at the start of `data` (as for [`assemble`]): its type and the body's first bytes.
pub(super) fn partial(data: &[u8], left: usize) -> Option<(u8, Vec<u8>)> {
    let mut joined = Joined::new(data, left);
    while joined.missing == 0 && joined.add_record() == Some(true) {}
    let &[kind, a, b, c] = joined.message.first_chunk::<HANDSHAKE_HEADER_BYTES>()?;
    let mut body = joined.message.split_off(HANDSHAKE_HEADER_BYTES);
    body.truncate(u32::from_be_bytes([0, a, b, c]) as usize);
    Some((kind, body))
}

/// Records' payloads put together.
struct Joined<'a> {
    r: Reader<'a>,
    message: Vec<u8>,
    /// Bytes of the last record that are not there yet.
    missing: usize,
}

impl<'a> Joined<'a> {
    /// With the `left` bytes of a record begun before.
    fn new(data: &'a [u8], left: usize) -> Self {
        let mut joined = Self { r: Reader::new(data), message: Vec::new(), missing: 0 };
        joined.add(left);
        joined
    }

    /// Whether the next record holds handshake; `None` if its header is cut.
    fn add_record(&mut self) -> Option<bool> {
        let record = Record::read(&mut self.r)?;
        if record.is_handshake() {
            self.add(record.length);
        }
        Some(record.is_handshake())
    }

    fn add(&mut self, length: usize) {
        let payload = self.r.take(length.min(self.r.remaining())).unwrap_or_default();
        self.missing = length - payload.len();
        self.message.extend_from_slice(payload);
    }
}

/// A record's header.
struct Record {
    kind: u8,
    major: u8,
    length: usize,
}

impl Record {
    /// `None`, and nothing read, if it is cut.
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let [kind, major, _, high, low] = r.array()?;
        Some(Self { kind, major, length: usize::from(u16::from_be_bytes([high, low])) })
    }

    fn is_handshake(&self) -> bool {
        self.kind == HANDSHAKE && self.major == MAJOR_VERSION && (1..=MAX_RECORD_BYTES).contains(&self.length)
    }
}

const HANDSHAKE_HEADER_BYTES: usize = 4;
