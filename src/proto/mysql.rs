//! MySQL and MariaDB ("Connection Phase", Protocol::HandshakeV10 and Protocol::SSLRequest): only so far as to see where TLS
//! begins.
//!
//! The server greets; a client that wants TLS answers with the first 32 bytes of its response and the flag for it, and TLS
//! follows at once: the flow is probed anew. Without the flag what follows is counted as not read. Not seen: users, queries, names.

use super::{Hint, Parser, Probe, Progress, Starts};
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: whether it goes on in the clear. All else each packet says.
#[derive(Debug, Default)]
pub struct Mysql {
    is_over: bool,
}

impl Mysql {
    fn clear(&mut self, data: &[u8]) -> Progress {
        self.is_over = true;
        Progress::Damaged { bytes: data.len(), need: 0, reason: "MySQL in the clear" }
    }
}

impl Parser for Mysql {
    const NAME: &'static str = "mysql";
    const MAX_PENDING_BYTES: usize = HEADER_BYTES + MAX_GREETING_BYTES;
    const STARTS: Starts = Starts::ANY.or_udp(Starts::NONE);

    /// A greeting, or a request for TLS. Both have a packet header of which two bytes are zero.
    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        if hint.transport != Transport::Tcp {
            return Probe::No;
        }
        match data {
            [] | [_] => Probe::Unsure,
            [length, 0, 0, 0, rest @ ..] if usize::from(*length) >= MIN_GREETING_BYTES => match rest {
                [] | [PROTOCOL] => Probe::Unsure,
                [PROTOCOL, digit, ..] if digit.is_ascii_digit() => Probe::Yes,
                _ => Probe::No,
            },
            [REQUEST_BYTES, 0, 0, 1, ..] => match is_tls_request(data) {
                Some(true) => Probe::Yes,
                Some(false) => Probe::No,
                None => Probe::Unsure,
            },
            [length, 0] if usize::from(*length) >= usize::from(REQUEST_BYTES) => Probe::Unsure,
            [length, 0, 0] if usize::from(*length) >= usize::from(REQUEST_BYTES) => Probe::Unsure,
            _ => Probe::No,
        }
    }

    fn parse(&mut self, _: Direction, data: &[u8], _: &Hint, _: Seen<'_>) -> Progress {
        if self.is_over {
            return Progress::Done;
        }
        let &[length, 0, 0, sequence, ..] = data else {
            return match data {
                // The request was not captured.
                [TLS_HANDSHAKE, 3, ..] => Progress::Reprobe(0),
                _ if data.len() < HEADER_BYTES => Progress::Consumed { bytes: 0, need: HEADER_BYTES },
                _ => self.clear(data),
            };
        };
        match (sequence, is_tls_request(data)) {
            (0, _) => Progress::Skip(HEADER_BYTES as u64 + u64::from(length)),
            (1, Some(true)) => Progress::Reprobe(HEADER_BYTES + usize::from(REQUEST_BYTES)),
            (1, None) if length == REQUEST_BYTES => {
                Progress::Consumed { bytes: 0, need: HEADER_BYTES + usize::from(REQUEST_BYTES) }
            }
            _ => self.clear(data),
        }
    }
}

/// Whether a packet is a request for TLS; `None` if it is cut.
fn is_tls_request(packet: &[u8]) -> Option<bool> {
    let body = packet.get(HEADER_BYTES..HEADER_BYTES + usize::from(REQUEST_BYTES))?;
    let flags = body.first_chunk().map_or(0, |flags| u32::from_le_bytes(*flags));
    // Behind flags, packet size and character set all is reserved; MariaDB uses the last four bytes.
    let is_reserved = body.get(9..28).is_some_and(|reserved| reserved.iter().all(|byte| *byte == 0));
    Some(packet.first() == Some(&REQUEST_BYTES) && flags & CLIENT_SSL != 0 && is_reserved)
}

const HEADER_BYTES: usize = 4;
const PROTOCOL: u8 = 10;
const REQUEST_BYTES: u8 = 32;
const CLIENT_SSL: u32 = 0x800;
const TLS_HANDSHAKE: u8 = 22;
/// A version of one digit, and what is fixed.
const MIN_GREETING_BYTES: usize = 45;
const MAX_GREETING_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{same_in_any_segments, tcp};
    use super::*;

    fn hint() -> Hint {
        tcp(50_000, 3306)
    }

    fn greeting() -> Vec<u8> {
        let body = [b"\x0a8.0.36\0".as_slice(), &[7; 66]].concat();
        [&[body.len() as u8, 0, 0, 0][..], &body].concat()
    }

    fn request(flags: u32) -> Vec<u8> {
        [&[32, 0, 0, 1][..], &flags.to_le_bytes(), &[0, 0, 0, 1, 45], &[0; 23]].concat()
    }

    fn parse(data: &[u8]) -> Progress {
        Mysql::default().parse(Direction::ToResponder, data, &hint(), &mut |_| panic!("shows nothing"))
    }

    #[test]
    fn a_request_for_tls_has_the_flow_probed_anew() {
        assert_eq!(parse(&greeting()), Progress::Skip(greeting().len() as u64));
        assert_eq!(parse(&request(0x0fff_aa85 | CLIENT_SSL)), Progress::Reprobe(36));
        assert!(matches!(parse(&request(0x0fff_a285)), Progress::Damaged { .. }));
        assert_eq!(parse(&[22, 3, 1, 0, 5, 1]), Progress::Reprobe(0));
        assert!(same_in_any_segments::<Mysql>(Direction::ToOriginator, hint(), &greeting()).is_empty());
        assert!(same_in_any_segments::<Mysql>(Direction::ToResponder, hint(), &request(CLIENT_SSL)).is_empty());
    }

    #[test]
    fn probe_wants_a_greeting_or_a_request() {
        assert_eq!(Mysql::probe(&greeting(), &hint()), Probe::Yes);
        assert_eq!(Mysql::probe(&request(CLIENT_SSL), &hint()), Probe::Yes);
        for cut in 1..6 {
            assert_eq!(Mysql::probe(&greeting()[..cut], &hint()), Probe::Unsure, "{cut}");
            assert_eq!(Mysql::probe(&request(CLIENT_SSL)[..cut], &hint()), Probe::Unsure, "{cut}");
        }
        for foreign in
            [&b"GET / HTTP/1.1"[..], &[22, 3, 1, 0, 5, 1], &[0, 27, 0, 1], &request(0), &[80, 0, 0, 0, 9, b'5']]
        {
            assert_eq!(Mysql::probe(foreign, &hint()), Probe::No, "{foreign:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(data in prop::collection::vec(any::<u8>(), 0..60)) {
            Mysql::probe(&data, &hint());
            let _ = parse(&data);
            let _ = parse(&[&[32, 0, 0, 1][..], &data].concat());
        }
    }
}
