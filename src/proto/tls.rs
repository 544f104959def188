//! TLS over a stream (RFC 8446 section 5.1, RFC 5246 section 6.2), on any port: the client's hello.
//!
//! The hello may lie in several records, and a second one follows a HelloRetryRequest; both are seen (`client_hello` says
//! what of them). After that, and at once in the server's direction, nothing more is of interest. What is held back while a
//! hello is incomplete is the stream's business: here only its length is worked out.
//!
//! A hello in one record is parsed where it lies. One split over records is copied together without their headers: the only
//! allocation, capped by [`MAX_HELLO_BYTES`]. SSL 2.0 compatible hellos, which name no server, are not recognised.

use std::borrow::Cow;

use super::client_hello::{self, Carrier};
use super::{Hint, Parser, Probe, Progress};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: in which directions a hello was seen.
#[derive(Debug, Default)]
pub struct Tls {
    hello_seen: [bool; 2],
}

impl Parser for Tls {
    const NAME: &'static str = "tls";
    /// The longest hello, were it cut into records of a few bytes.
    const MAX_PENDING_BYTES: usize = 2 * MAX_HELLO_BYTES;
    const ENCRYPTS: bool = true;

    /// Whether a record begins here, of either side and at any time of a connection: also in one picked up later, where
    /// knowing that it is TLS spares everything else.
    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            None => Probe::Unsure,
            Some(CHANGE_CIPHER_SPEC..=APPLICATION_DATA) if hint.transport == Transport::Tcp => probe_record(data),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) -> Progress {
        let mut rest = Reader::new(data);
        loop {
            let bytes = rest.position();
            let hello_seen = self.hello_seen.get_mut(direction.index());
            match (rest.rest().first(), hello_seen) {
                (None, _) => return Progress::Consumed { bytes, need: 0 },
                (Some(&HANDSHAKE), Some(hello_seen)) => match assemble(rest.rest()) {
                    Assembly::Hello { body, end } => {
                        *hello_seen = true;
                        if let Err(reason) = client_hello::show(&body, Carrier::Tls, seen) {
                            return Progress::Stopped(reason);
                        }
                        if end.and_then(|end| rest.skip(end)).is_none() {
                            return Progress::DoneDirection;
                        }
                    }
                    Assembly::Incomplete { need } if need > Self::MAX_PENDING_BYTES => {
                        return Progress::Stopped("TLS ClientHello in too many records");
                    }
                    Assembly::Incomplete { need } => return Progress::Consumed { bytes, need },
                    Assembly::Other => return Progress::DoneDirection,
                    Assembly::Malformed(reason) => return Progress::Stopped(reason),
                },
                // A client that retries may send this for middleboxes first (RFC 8446 appendix D.4).
                (Some(&CHANGE_CIPHER_SPEC), Some(true)) => {
                    if rest.skip(CHANGE_CIPHER_SPEC_BYTES).is_none() {
                        return Progress::Consumed { bytes, need: CHANGE_CIPHER_SPEC_BYTES };
                    }
                }
                _ => return Progress::DoneDirection,
            }
        }
    }

    /// A hello cut by a snap length, or by a lost segment, often still holds the server's name.
    fn cut(&mut self, _: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) {
        let mut r = Reader::new(data);
        let Some(record) = Record::read(&mut r).filter(Record::is_handshake) else { return };
        let payload = r.rest().get(..record.length).unwrap_or(r.rest());
        if let Some(([CLIENT_HELLO, ..], body)) = payload.split_first_chunk::<HANDSHAKE_HEADER_BYTES>() {
            client_hello::show_cut(body, Carrier::Tls, seen);
        }
    }
}

/// [`Tls::probe`] behind its first byte.
fn probe_record(data: &[u8]) -> Probe {
    let mut r = Reader::new(data);
    let Some(kind) = r.u8() else { return Probe::Unsure };
    match r.rest() {
        [major, ..] if *major != MAJOR_VERSION => return Probe::No,
        [_, minor, ..] if *minor > MAX_MINOR_VERSION => return Probe::No,
        _ => {}
    }
    let (Some(_), Some(length), Some(first)) = (r.u16(), r.u16().map(usize::from), r.u8()) else {
        return Probe::Unsure;
    };
    let begins = match kind {
        CHANGE_CIPHER_SPEC => length == 1 && first == 1,
        ALERT => length == 2 && matches!(first, 1 | 2) || (16..=64).contains(&length),
        HANDSHAKE => matches!(first, 1 | 2 | 4 | 8 | 11..=16 | 20 | 22) && length > 0,
        // The shortest sealed record: a byte and its authentication tag.
        _ => length > 16,
    };
    let follows = data.get(RECORD_HEADER_BYTES + length..).unwrap_or_default();
    let fits = length <= MAX_RECORD_BYTES
        && match follows {
            [] => true,
            [kind] => (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(kind),
            [kind, major, ..] => (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(kind) && *major == MAJOR_VERSION,
        };
    if begins && fits { Probe::Yes } else { Probe::No }
}

/// A handshake message from records.
enum Assembly<'a> {
    /// A ClientHello's body, and where its last record ends; `None` if more than the hello is in that record, which is then
    /// no second hello.
    Hello { body: Cow<'a, [u8]>, end: Option<usize> },
    /// At least so many bytes are needed to go on.
    Incomplete { need: usize },
    /// Another handshake message.
    Other,
    /// Not TLS, or too long.
    Malformed(&'static str),
}

/// The handshake message that begins with the record at the start of `data`.
fn assemble(data: &[u8]) -> Assembly<'_> {
    let mut r = Reader::new(data);
    let Some(record) = Record::read(&mut r) else { return Assembly::Incomplete { need: RECORD_HEADER_BYTES + 1 } };
    if !record.is_handshake() {
        return Assembly::Malformed("malformed TLS record");
    }
    let mut payload = Reader::new(r.rest().get(..record.length).unwrap_or(r.rest()));
    match payload.u8() {
        Some(CLIENT_HELLO) => {}
        Some(_) => return Assembly::Other,
        None => return Assembly::Incomplete { need: RECORD_HEADER_BYTES + 1 },
    }
    let Some(length) = payload.u24().map(|length| length as usize) else { return assemble_split(data) };
    if HANDSHAKE_HEADER_BYTES + length > record.length {
        return assemble_split(data);
    }
    match payload.take(length) {
        Some(body) => {
            let end = RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES + length;
            let ends_record = HANDSHAKE_HEADER_BYTES + length == record.length;
            Assembly::Hello { body: Cow::Borrowed(body), end: ends_record.then_some(end) }
        }
        None => Assembly::Incomplete { need: RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES + length },
    }
}

/// [`assemble`] for a ClientHello over several records. Asks each time for all that is surely missing, so that a hello in
/// very small records is not walked anew for each of them.
#[cold]
fn assemble_split(data: &[u8]) -> Assembly<'_> {
    let mut r = Reader::new(data);
    let mut message = Vec::new();
    let mut cut_bytes = 0;
    loop {
        let total = match message.first_chunk::<HANDSHAKE_HEADER_BYTES>() {
            Some([_, length @ ..]) => HANDSHAKE_HEADER_BYTES + length.iter().fold(0, |n, b| n << 8 | usize::from(*b)),
            None => HANDSHAKE_HEADER_BYTES + 1,
        };
        if total > MAX_HELLO_BYTES {
            return Assembly::Malformed("TLS ClientHello too long");
        }
        if message.len() >= total {
            let ends_record = message.len() == total && cut_bytes == 0;
            message.truncate(total);
            let body = message.split_off(HANDSHAKE_HEADER_BYTES);
            return Assembly::Hello { body: Cow::Owned(body), end: ends_record.then_some(r.position()) };
        }
        let missing = total - message.len();
        if cut_bytes > 0 {
            let another = if missing > cut_bytes { RECORD_HEADER_BYTES } else { 0 };
            return Assembly::Incomplete { need: r.position() + missing + another };
        }
        let Some(record) = Record::read(&mut r) else {
            return Assembly::Incomplete { need: r.position() + RECORD_HEADER_BYTES + missing };
        };
        if !record.is_handshake() {
            return Assembly::Malformed("TLS ClientHello cut by another record");
        }
        let payload = r.take(record.length.min(r.remaining())).unwrap_or_default();
        cut_bytes = record.length - payload.len();
        message.extend_from_slice(payload);
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

/// Longest hello taken: post-quantum key shares of several groups, an encrypted inner hello and padding stay below.
const MAX_HELLO_BYTES: usize = 32 * 1024;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;

const MAJOR_VERSION: u8 = 3;
const MAX_MINOR_VERSION: u8 = 4;

const RECORD_HEADER_BYTES: usize = 5;
const HANDSHAKE_HEADER_BYTES: usize = 4;
const CHANGE_CIPHER_SPEC_BYTES: usize = RECORD_HEADER_BYTES + 1;
/// Longest sealed record (RFC 5246 section 6.2.3).
const MAX_RECORD_BYTES: usize = (1 << 14) + 2048;

#[cfg(test)]
mod tests;
