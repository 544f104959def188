//! IEC 60870-5-104 over TCP, on any port: type identifications, control functions of the U format, common addresses.
//!
//! A unit is believed if its format's fixed bits are as they must be and, with an ASDU, if a known type's objects fill it to
//! the last byte; on port 2404 private types are believed too. Objects and their values are not looked at. Of several units
//! in a segment each is read; -101 over serial lines is not.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Framed, Message, Shown, messages};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::IEC104;
use crate::indicator::{Field, Seen, Transport};

/// State: what was shown.
#[derive(Default)]
pub struct Iec104(Shown);

impl Parser for Iec104 {
    const NAME: &'static str = "iec104";
    const MAX_PENDING_BYTES: usize = 2 + MAX_LENGTH;
    const STARTS: Starts = Starts::tcp(&[(START, START)]);

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data {
            [] => Probe::Unsure,
            [START, ..] if hint.transport == Transport::Tcp => probe_unit(data, hint),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        messages(data, hint, |rest| {
            let (unit, bytes) = match Unit::read(rest, hint) {
                Read::Unit(unit, bytes) => (unit, bytes),
                Read::Short(need) => return Framed::Short(need),
                Read::Damaged(bytes) if bytes > rest.len() => return Framed::Short(bytes),
                Read::Damaged(bytes) => {
                    return Framed::Damaged(bytes, "IEC 60870-5-104 unit of unknown type or wrong size");
                }
                Read::No => return Framed::Broken("not an IEC 60870-5-104 unit"),
            };
            let message = |code, station, with| Message { family: &IEC104, code, station, with };
            match unit {
                Unit::Acknowledge => {}
                Unit::Control(function) => {
                    self.0.show(direction, hint, &message(CONTROL_PAGE | u16::from(function), None, &[]), seen);
                }
                Unit::Asdu { kind, cause, address } => {
                    let with = [Field::number("ics.iec104.cause", u64::from(cause))];
                    self.0.show(direction, hint, &message(u16::from(kind), Some(u32::from(address)), &with), seen);
                }
            }
            Framed::Whole(bytes)
        })
    }
}

#[inline(never)]
fn probe_unit(data: &[u8], hint: &Hint) -> Probe {
    match Unit::read(data, hint) {
        Read::Unit(..) => Probe::Yes,
        Read::Short(_) => Probe::Unsure,
        Read::Damaged(_) | Read::No => Probe::No,
    }
}

/// An application protocol control unit (IEC 60870-5-104, 5.1), as far as it is of interest.
enum Unit {
    /// S format.
    Acknowledge,
    /// U format.
    Control(u8),
    /// I format.
    Asdu { kind: u8, cause: u8, address: u16 },
}

enum Read {
    /// And its bytes.
    Unit(Unit, usize),
    /// So many bytes are needed.
    Short(usize),
    /// The frame of one, of so many bytes, whose content makes no sense.
    Damaged(usize),
    No,
}

impl Unit {
    fn read(data: &[u8], hint: &Hint) -> Read {
        let length = match *data {
            [] | [START] => return Read::Short(2),
            [START, length, ..] => usize::from(length),
            _ => return Read::No,
        };
        if !(CONTROL_BYTES..=MAX_LENGTH).contains(&length) {
            return Read::No;
        }
        let (control, asdu) = match data.get(2..) {
            Some([a, b, c, d, asdu @ ..]) => ([*a, *b, *c, *d], asdu),
            _ => return Read::Short(2 + CONTROL_BYTES),
        };
        let bytes = 2 + length;
        match control {
            [function @ (0x07 | 0x0B | 0x13 | 0x23 | 0x43 | 0x83), 0, 0, 0] if length == CONTROL_BYTES => {
                Read::Unit(Self::Control(function), bytes)
            }
            [1, 0, c, _] if c & 1 == 0 && length == CONTROL_BYTES => Read::Unit(Self::Acknowledge, bytes),
            [a, _, c, _] if a & 1 == 0 && c & 1 == 0 && length > CONTROL_BYTES => {
                // What cannot be one is turned down before it is whole.
                if asdu.first().is_some_and(|kind| object_bytes(*kind, hint).is_none()) {
                    return Read::Damaged(bytes);
                }
                let Some(asdu) = asdu.get(..length - CONTROL_BYTES) else { return Read::Short(bytes) };
                Self::asdu(asdu, hint).map_or(Read::Damaged(bytes), |unit| Read::Unit(unit, bytes))
            }
            _ => Read::No,
        }
    }

    /// With two bytes of cause and of common address, three of object address (-104, 7.1).
    fn asdu(asdu: &[u8], hint: &Hint) -> Option<Self> {
        let mut r = Reader::new(asdu);
        let (kind, qualifier, cause, _originator) = (r.u8()?, r.u8()?, r.u8()? & CAUSE, r.u8()?);
        let address = r.u16_le()?;
        let objects = usize::from(qualifier & COUNT);
        let (addresses, count) = if qualifier & SEQUENCE != 0 { (1, objects) } else { (objects, objects) };
        let fits = match object_bytes(kind, hint)? {
            Objects::Of(bytes) => r.remaining() == addresses * OBJECT_ADDRESS_BYTES + count * bytes,
            Objects::Any => r.remaining() >= OBJECT_ADDRESS_BYTES,
        };
        (fits && objects > 0 && (1..=MAX_CAUSE).contains(&cause)).then_some(Self::Asdu { kind, cause, address })
    }
}

/// What an information object holds behind its address.
enum Objects {
    Of(usize),
    /// Of no fixed length, or not known.
    Any,
}

/// Of a type identification (IEC 60870-5-101, 7.3), if there is such a one.
fn object_bytes(kind: u8, hint: &Hint) -> Option<Objects> {
    Some(Objects::Of(match kind {
        1 | 3 | 45 | 46 | 47 | 70 | 100 | 101 | 105 | 113 => 1,
        2 | 4 => 1 + 3,
        5 => 2,
        6 => 2 + 3,
        7 | 15 => 5,
        8 | 16 => 5 + 3,
        9 | 11 | 48 | 49 | 110 | 111 => 3,
        10 | 12 => 3 + 3,
        13 | 20 | 50 | 112 => 5,
        14 => 5 + 3,
        17 => 1 + 2 + 3,
        18 | 19 => 1 + 1 + 2 + 3,
        21 | 104 | 106 => 2,
        30 | 31 | 58 | 59 | 60 => 1 + 7,
        32 => 2 + 7,
        33 | 36 | 37 => 5 + 7,
        34 | 35 | 61 | 62 => 3 + 7,
        38 => 1 + 2 + 7,
        39 | 40 => 1 + 1 + 2 + 7,
        51 => 4,
        63 => 5 + 7,
        64 => 4 + 7,
        102 => 0,
        103 => 7,
        107 => 2 + 7,
        120..=127 => return Some(Objects::Any),
        128.. if hint.uses(PORT) => return Some(Objects::Any),
        _ => return None,
    }))
}

const PORT: u16 = 2404;
const START: u8 = 0x68;
const CONTROL_BYTES: usize = 4;
const MAX_LENGTH: usize = 253;
const OBJECT_ADDRESS_BYTES: usize = 3;
/// In the cause of transmission: the rest is "test" and "negative".
const CAUSE: u8 = 0x3F;
const MAX_CAUSE: u8 = 47;
/// In the variable structure qualifier.
const COUNT: u8 = 0x7F;
const SEQUENCE: u8 = 0x80;
/// Of the family's codes.
const CONTROL_PAGE: u16 = 0x100;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Stream, same_in_any_segments, tcp};
    use super::*;

    fn asdu(body: &[u8]) -> Vec<u8> {
        [&[0x68, body.len() as u8 + 4, 2, 0, 4, 0][..], body].concat()
    }

    #[test]
    fn types_control_functions_and_addresses_are_shown_once() {
        let start = [0x68, 4, 7, 0, 0, 0];
        let command = asdu(&[45, 1, 6, 0, 47, 0, 1, 2, 3, 0x81]);
        let data = [&start[..], &command, &[0x68, 4, 1, 0, 2, 0], &command].concat();
        assert_eq!(
            same_in_any_segments::<Iec104>(Direction::ToResponder, tcp(40_000, 9999), &data),
            [
                "ics-function ics.iec104.function iec104:startdt-act",
                "ics-function ics.iec104.function iec104:c-sc-na-1",
                "ics-function ics.iec104.operation iec104:any-control",
                "ics-function ics.iec104.common_address iec104:address-47",
            ]
        );
    }

    #[test]
    fn what_follows_a_damaged_unit_is_seen() {
        let data = [
            [0x68, 4, 7, 0, 0, 0].to_vec(),
            asdu(&[44, 1, 6, 0, 47, 0, 1, 2, 3, 0x81]),
            asdu(&[105, 1, 6, 0, 1, 0, 0, 0, 0, 1]),
        ]
        .concat();
        let stream = Stream::<Iec104>::of(Direction::ToResponder, tcp(40_000, 9999), &data, &[]);
        assert_eq!(stream.seen[1], "ics-function ics.iec104.function iec104:c-rp-na-1");
        assert!(matches!(stream.ended, Some(Progress::Damaged { .. })));
    }

    #[test]
    fn a_unit_must_be_faultless() {
        let hint = tcp(40_000, 9999);
        let sequence = asdu(&[13, 0x82, 20, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 0, 5, 6, 7, 8, 0]);
        assert_eq!(Iec104::probe(&sequence, &hint), Probe::Yes);
        for bad in [
            asdu(&[13, 0x82, 20, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 0, 5, 6, 7, 8, 0, 9]),
            asdu(&[45, 1, 0, 0, 47, 0, 1, 2, 3, 0x81]),
            asdu(&[45, 0, 6, 0, 47, 0, 1, 2, 3, 0x81]),
            asdu(&[44, 1, 6, 0, 47, 0, 1, 2, 3, 0x81]),
            asdu(&[200, 1, 6, 0, 47, 0, 1, 2, 3, 0x81]),
            b"hello, world, this is text that goes on for more than a hundred bytes, as lines of text at times do, you know".to_vec(),
            vec![0x68, 4, 7, 0, 0, 1],
            vec![0x68, 3, 7, 0, 0, 0],
            vec![0x68, 5, 7, 0, 0, 0, 0],
        ] {
            assert_eq!(Iec104::probe(&bad, &hint), Probe::No, "{bad:?}");
        }
        assert_eq!(Iec104::probe(&asdu(&[200, 1, 6, 0, 47, 0, 1, 2, 3, 0x81]), &tcp(1, 2404)), Probe::Yes);
    }
}
