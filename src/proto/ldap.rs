//! LDAP over TCP (RFC 4511 section 4.1.1): only so far as to see where TLS begins (the StartTLS operation, section 4.14).
//!
//! Messages are stepped over by their length. When the server grants StartTLS, or where a TLS record begins in place of a
//! message, the flow is probed anew. A conversation that has not asked for it after [`MAX_MESSAGES`] is counted as not read.
//! Not seen: names, filters, credentials; LDAP over UDP; SASL layers.

use super::{Hint, Parser, Probe, Progress, Starts, tls};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: whether StartTLS was asked for, how many messages passed, and whether that was enough.
#[derive(Debug, Default)]
pub struct Ldap {
    asked: bool,
    messages: u8,
    is_over: bool,
}

impl Parser for Ldap {
    const NAME: &'static str = "ldap";
    /// A message's start, behind which it is stepped over; a StartTLS message is shorter than this.
    const MAX_PENDING_BYTES: usize = HEAD_BYTES;
    const STARTS: Starts = Starts::tcp(&[(SEQUENCE, SEQUENCE)]);

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            Some(&SEQUENCE) if hint.transport == Transport::Tcp => match Message::read(data) {
                Ok(Some(_)) => Probe::Yes,
                Ok(None) => Probe::Unsure,
                Err(NotLdap) => Probe::No,
            },
            _ => Probe::No,
        }
    }

    fn parse(&mut self, _: Direction, data: &[u8], hint: &Hint, _: Seen<'_>) -> Progress {
        if tls::Tls::probe(data, hint) == Probe::Yes {
            return Progress::Reprobe(0);
        }
        if self.is_over {
            return Progress::Done;
        }
        let message = match Message::read(data) {
            Ok(Some(message)) => message,
            Ok(None) if data.len() < HEAD_BYTES => return Progress::Consumed { bytes: 0, need: data.len() + 1 },
            // Encrypted by other means, or damaged: what it is now can only be told anew.
            Ok(None) | Err(NotLdap) => return Progress::Reprobe(0),
        };
        self.messages += 1;
        let whole = message.bytes <= data.len();
        // The operation's name may be behind what is there.
        if !whole && message.bytes <= HEAD_BYTES && matches!(message.operation, EXTENDED_REQUEST | EXTENDED_RESPONSE) {
            self.messages -= 1;
            return Progress::Consumed { bytes: 0, need: message.bytes };
        }
        let body = data.get(..message.bytes.min(HEAD_BYTES)).unwrap_or(data);
        match message.operation {
            EXTENDED_REQUEST => self.asked |= memchr::memmem::find(body, START_TLS).is_some(),
            EXTENDED_RESPONSE if self.asked && whole && memchr::memmem::find(body, SUCCESS).is_some() => {
                return Progress::Reprobe(message.bytes);
            }
            _ => {}
        }
        if self.messages >= MAX_MESSAGES {
            self.is_over = true;
            return Progress::Damaged { bytes: data.len(), need: 0, reason: NOT_READ };
        }
        Progress::Skip(message.bytes as u64)
    }
}

/// Not a message of LDAP.
struct NotLdap;

/// A message's start.
struct Message {
    /// Its length, with its header.
    bytes: usize,
    /// Tag of its operation.
    operation: u8,
}

impl Message {
    /// `None` if more bytes are needed to say.
    fn read(data: &[u8]) -> Result<Option<Self>, NotLdap> {
        let mut r = Reader::new(data);
        if r.u8().is_some_and(|tag| tag != SEQUENCE) {
            return Err(NotLdap);
        }
        let length = match r.u8() {
            None => return Ok(None),
            Some(short @ 0..=0x7f) => usize::from(short),
            Some(count @ 0x81..=0x84) => {
                let mut length = 0;
                for _ in 0x80..count {
                    let Some(byte) = r.u8() else { return Ok(None) };
                    length = length << 8 | usize::from(byte);
                }
                length
            }
            Some(_) => return Err(NotLdap),
        };
        let header = r.position();
        match r.array() {
            Some([INTEGER, id_bytes @ 1..=4]) if r.skip(id_bytes.into()).is_none() => return Ok(None),
            Some([INTEGER, 1..=4]) => {}
            Some(_) => return Err(NotLdap),
            None if r.rest().first().is_none_or(|tag| *tag == INTEGER) => return Ok(None),
            None => return Err(NotLdap),
        }
        match r.u8() {
            None => Ok(None),
            Some(operation) if is_operation(operation) && length >= r.position() - header => {
                Ok(Some(Self { bytes: header + length, operation }))
            }
            Some(_) => Err(NotLdap),
        }
    }
}

/// The choices of `protocolOp`: application tags 0 to 25, constructed but for unbind (2), delete (10) and abandon (16).
fn is_operation(tag: u8) -> bool {
    matches!(tag, 0x60 | 0x61 | 0x42 | 0x63..=0x69 | 0x4a | 0x6b..=0x6f | 0x50 | 0x73 | 0x77..=0x79)
}

/// Messages, of both sides, before StartTLS is no longer waited for: it comes first, or after a look at the root entry.
const MAX_MESSAGES: u8 = 32;
const NOT_READ: &str = "LDAP in the clear";
/// As much of a message as is looked at.
const HEAD_BYTES: usize = 256;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// `resultCode success`.
const SUCCESS: &[u8] = &[0x0a, 1, 0];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{der, same_in_any_segments, tcp};
    use super::*;

    fn hint() -> Hint {
        tcp(50_000, 389)
    }

    fn message(operation: &[u8]) -> Vec<u8> {
        der(0x30, &[&der(2, &[1]), operation].concat())
    }

    fn start_tls() -> Vec<u8> {
        message(&der(EXTENDED_REQUEST, &der(0x80, START_TLS)))
    }

    fn granted(code: u8) -> Vec<u8> {
        message(&der(EXTENDED_RESPONSE, &[der(10, &[code]), der(4, b""), der(4, b"")].concat()))
    }

    fn search() -> Vec<u8> {
        message(&der(0x63, &[7; 300]))
    }

    fn parse(ldap: &mut Ldap, direction: Direction, data: &[u8]) -> Progress {
        ldap.parse(direction, data, &hint(), &mut |_| panic!("shows nothing"))
    }

    #[test]
    fn a_granted_upgrade_has_the_flow_probed_anew() {
        let (up, down) = (Direction::ToResponder, Direction::ToOriginator);
        let mut ldap = Ldap::default();
        assert_eq!(parse(&mut ldap, up, &search()), Progress::Skip(search().len() as u64));
        assert_eq!(parse(&mut ldap, up, &start_tls()), Progress::Skip(start_tls().len() as u64));
        assert_eq!(parse(&mut ldap, down, &granted(52)), Progress::Skip(granted(52).len() as u64));
        assert_eq!(parse(&mut ldap, down, &granted(0)), Progress::Reprobe(granted(0).len()));
        // Not asked for: another extended operation.
        assert_eq!(parse(&mut Ldap::default(), down, &granted(0)), Progress::Skip(granted(0).len() as u64));
        // The answer was not captured.
        assert_eq!(parse(&mut ldap, up, &[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]), Progress::Reprobe(0));
        assert!(same_in_any_segments::<Ldap>(up, hint(), &[search(), start_tls()].concat()).is_empty());
    }

    #[test]
    fn an_endless_conversation_is_left() {
        let mut ldap = Ldap::default();
        let said = (0..MAX_MESSAGES).map(|_| parse(&mut ldap, Direction::ToResponder, &search())).last();
        assert!(matches!(said, Some(Progress::Damaged { .. })));
        assert_eq!(parse(&mut ldap, Direction::ToOriginator, &search()), Progress::Done);
    }

    #[test]
    fn probe_tells_ldap_from_other_asn_1() {
        for good in [start_tls(), granted(0), search(), message(&der(0x60, &[2, 1, 3]))] {
            assert_eq!(Ldap::probe(&good, &hint()), Probe::Yes);
        }
        assert_eq!(Ldap::probe(&start_tls()[..3], &hint()), Probe::Unsure);
        // SNMP, a certificate, text.
        for foreign in [der(0x30, &[2, 1, 1, 4, 6]), der(0x30, &der(0x30, &[2, 1, 1])), b"0GET / HTTP".to_vec()] {
            assert_eq!(Ldap::probe(&foreign, &hint()), Probe::No, "{foreign:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(data in prop::collection::vec(any::<u8>(), 0..60)) {
            let data = [&[0x30][..], &data].concat();
            Ldap::probe(&data, &hint());
            let _ = parse(&mut Ldap::default(), Direction::ToResponder, &data);
        }
    }
}
