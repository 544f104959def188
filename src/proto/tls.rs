//! TLS over a stream (RFC 8446 section 5.1, RFC 5246 section 6.2), on any port: both sides' hellos and, up to TLS 1.2, the
//! certificates (`handshake` says what is seen of them).
//!
//! A message may lie in several records and a record may hold several messages. A client may retry its hello after a
//! HelloRetryRequest. A side is of no interest any more once its certificates were seen, or something that stands in their
//! place (a resumed session's ChangeCipherSpec, a key exchange), and at once when everything that follows is encrypted. What
//! is held back while a message is incomplete is the stream's business: here only its length is worked out.
//!
//! A message in one record is parsed where it lies. One split over records is copied together without their headers: the only
//! allocation, capped by [`MAX_MESSAGE_BYTES`]. SSL 2.0 compatible hellos, which name no server, are not recognised; nor is
//! what TLS 1.3 encrypts.

mod assembly;

use super::client_hello::Carrier;
use super::handshake::{MAX_MESSAGE_BYTES, Outcome, Side};
use super::{AfterGap, Hint, Parser, Probe, Progress, Starts};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};
use assembly::{Assembly, assemble, partial};

/// State: what is known of each direction.
#[derive(Debug, Default)]
pub struct Tls {
    lanes: [Lane; 2],
}

#[derive(Debug, Default)]
struct Lane {
    side: Side,
    /// Bytes of the record under way that are not done with: the next message begins in it.
    record_left: u16,
}

impl Parser for Tls {
    const NAME: &'static str = "tls";
    /// The longest message, were it cut into records of a few bytes.
    const MAX_PENDING_BYTES: usize = 2 * MAX_MESSAGE_BYTES;
    const ENCRYPTS: bool = true;
    const STARTS: Starts = Starts::tcp(&[(CHANGE_CIPHER_SPEC, APPLICATION_DATA)]);

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

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let Some(lane) = self.lanes.get_mut(direction.index()) else { return Progress::DoneDirection };
        let mut bytes = 0;
        loop {
            let rest = data.get(bytes..).unwrap_or_default();
            let Some(&first) = rest.first() else { return Progress::Consumed { bytes, need: 0 } };
            if lane.side.is_done {
                return Progress::DoneDirection;
            }
            if lane.record_left == 0 && first != HANDSHAKE {
                // A client that retries may send this for middleboxes first (RFC 8446 appendix D.4), a server too.
                if first != CHANGE_CIPHER_SPEC || !lane.side.has_hello {
                    return Progress::DoneDirection;
                }
                if rest.len() < CHANGE_CIPHER_SPEC_BYTES {
                    return Progress::Consumed { bytes, need: CHANGE_CIPHER_SPEC_BYTES };
                }
                bytes += CHANGE_CIPHER_SPEC_BYTES;
                lane.side.is_changed = true;
                continue;
            }
            let outcome = match assemble(rest, lane.record_left.into(), |kind| lane.side.wants(kind, &hint.wants)) {
                Assembly::Message { kind, body, end, left } => {
                    bytes += end;
                    lane.record_left = left;
                    lane.side.message(kind, &body, Carrier::Tls, &hint.wants, seen)
                }
                Assembly::Incomplete { need } if need > Self::MAX_PENDING_BYTES => {
                    Outcome::Malformed("TLS handshake message in too many records")
                }
                Assembly::Incomplete { need } => return Progress::Consumed { bytes, need },
                Assembly::Other => return Progress::DoneDirection,
                Assembly::Malformed(reason) => Outcome::Malformed(reason),
            };
            match outcome {
                Outcome::Read => {}
                Outcome::Partly(reason) => return Progress::Damaged { bytes, need: 0, reason },
                Outcome::Malformed(reason) => {
                    lane.record_left = 0;
                    return Progress::Stopped(reason);
                }
            }
        }
    }

    /// A hello cut by a snap length, or by a lost segment, often still holds the server's name; a chain its first certificate.
    fn cut(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) {
        let Some(lane) = self.lanes.get(direction.index()).filter(|lane| !lane.side.is_done) else { return };
        if let Some((kind, body)) = partial(data, lane.record_left.into()) {
            lane.side.cut_message(kind, &body, Carrier::Tls, &hint.wants, seen);
        }
    }

    fn gap(&mut self, direction: Direction, _: u64) -> AfterGap {
        if let Some(lane) = self.lanes.get_mut(direction.index()) {
            lane.record_left = 0;
        }
        AfterGap::Probe
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

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const MAJOR_VERSION: u8 = 3;
const MAX_MINOR_VERSION: u8 = 4;

const RECORD_HEADER_BYTES: usize = 5;
const CHANGE_CIPHER_SPEC_BYTES: usize = RECORD_HEADER_BYTES + 1;
/// Longest sealed record (RFC 5246 section 6.2.3).
const MAX_RECORD_BYTES: usize = (1 << 14) + 2048;

#[cfg(test)]
mod tests;
