//! PostgreSQL (protocol 3, "Message Flow", SSL session encryption): only so far as to see where TLS begins.
//!
//! A client that wants TLS asks with eight fixed bytes (`SSLRequest`); the server answers with one: `S` and the flow is probed
//! anew, anything else and what follows is counted as not read. Not seen: queries and names in the clear; GSSAPI encryption.

use super::{Hint, Parser, Probe, Progress, Starts};
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: whether it goes on in the clear. All else the next byte says.
#[derive(Debug, Default)]
pub struct Postgresql {
    is_over: bool,
}

impl Parser for Postgresql {
    const NAME: &'static str = "postgresql";
    const MAX_PENDING_BYTES: usize = REQUEST_BYTES;
    const STARTS: Starts = Starts::tcp(&[(0, 0)]);

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        if hint.transport != Transport::Tcp || data.first() != Some(&0) {
            return Probe::No;
        }
        let is = |request: &[u8]| data.starts_with(request) || request.starts_with(data);
        match is(&SSL_REQUEST) || is(&GSS_REQUEST) {
            true if data.len() >= REQUEST_BYTES => Probe::Yes,
            true => Probe::Unsure,
            false => Probe::No,
        }
    }

    fn parse(&mut self, _: Direction, data: &[u8], hint: &Hint, _: Seen<'_>) -> Progress {
        match data {
            _ if self.is_over => Progress::Done,
            [TLS_GRANTED, ..] => Progress::Reprobe(1),
            // Encryption with GSSAPI was refused: the client may ask for TLS next.
            [REFUSED] => Progress::Consumed { bytes: 1, need: 0 },
            // The answer was not captured, or TLS was begun without asking (since PostgreSQL 17).
            [TLS_HANDSHAKE, ..] => Progress::Reprobe(0),
            _ => match Self::probe(data, hint) {
                Probe::Yes => Progress::Consumed { bytes: REQUEST_BYTES, need: 0 },
                Probe::Unsure => Progress::Consumed { bytes: 0, need: REQUEST_BYTES },
                Probe::No => {
                    self.is_over = true;
                    Progress::Damaged { bytes: data.len(), need: 0, reason: "PostgreSQL in the clear" }
                }
            },
        }
    }
}

/// Length 8, then a version number that no version has.
const SSL_REQUEST: [u8; REQUEST_BYTES] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSS_REQUEST: [u8; REQUEST_BYTES] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];
const REQUEST_BYTES: usize = 8;

const TLS_GRANTED: u8 = b'S';
const REFUSED: u8 = b'N';
const TLS_HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests {
    use super::super::testing::{same_in_any_segments, tcp};
    use super::*;

    fn hint() -> Hint {
        tcp(50_000, 5432)
    }

    fn parse(data: &[u8]) -> Progress {
        Postgresql::default().parse(Direction::ToResponder, data, &hint(), &mut |_| panic!("shows nothing"))
    }

    #[test]
    fn only_the_request_is_recognised() {
        assert_eq!(Postgresql::probe(&SSL_REQUEST, &hint()), Probe::Yes);
        for length in 1..REQUEST_BYTES {
            assert_eq!(Postgresql::probe(&SSL_REQUEST[..length], &hint()), Probe::Unsure);
        }
        // A StartupMessage, DNS over TCP, text.
        for foreign in [&[0, 0, 0, 20, 0, 3, 0, 0][..], &[0, 27, 0, 1, 1, 0, 0, 1], b"GET / HT"] {
            assert_eq!(Postgresql::probe(foreign, &hint()), Probe::No);
        }
    }

    #[test]
    fn the_answer_decides() {
        assert_eq!(parse(&SSL_REQUEST), Progress::Consumed { bytes: 8, need: 0 });
        assert_eq!(parse(b"S"), Progress::Reprobe(1));
        assert_eq!(parse(b"N"), Progress::Consumed { bytes: 1, need: 0 });
        assert_eq!(parse(&[22, 3, 1, 0, 5, 1]), Progress::Reprobe(0));
        for clear in [&[0, 0, 0, 20, 0, 3, 0, 0][..], b"E\0\0\0\x10"] {
            assert!(matches!(parse(clear), Progress::Damaged { .. }));
        }
        let twice = [GSS_REQUEST, SSL_REQUEST].concat();
        assert!(same_in_any_segments::<Postgresql>(Direction::ToResponder, hint(), &twice).is_empty());
    }
}
