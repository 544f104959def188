//! Modbus/TCP (Modbus Messaging on TCP/IP v1.0b, section 3.1; Modbus Application Protocol v1.1b3), also in UDP datagrams:
//! function codes and unit identifiers.
//!
//! On port 502 a plausible header suffices. Elsewhere the whole message must be one that the application protocol has, to its
//! last byte. An exception response counts as its function, with `ics.modbus.exception_code`. Register numbers and values are
//! not looked at, nor is Modbus RTU or ASCII over TCP.

use super::super::{Hint, Parser, Probe, Progress};
use super::{Framed, Message, Shown, messages};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::MODBUS;
use crate::indicator::{Field, Seen, Transport};

/// State: what was shown.
#[derive(Default)]
pub struct Modbus(Shown);

impl Parser for Modbus {
    const NAME: &'static str = "modbus";
    const MAX_PENDING_BYTES: usize = HEADER_BYTES + MAX_LENGTH;

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        // The protocol identifier is zero, and so is the high byte of the length.
        match data {
            [_, _, 0, 0, 0, ..] => probe_message(data, hint),
            [] | [_] | [_, _] | [_, _, 0] | [_, _, 0, 0] if hint.transport == Transport::Tcp => Probe::Unsure,
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        messages(data, hint, |rest| {
            let mut r = Reader::new(rest);
            let Some(length) = header(&mut r) else {
                return if rest.len() < HEADER_BYTES {
                    Framed::Short(HEADER_BYTES)
                } else {
                    Framed::Broken("not a Modbus header")
                };
            };
            let bytes = HEADER_BYTES + length;
            let Some([unit, function, ..]) = r.take(length) else { return Framed::Short(bytes) };
            let exception = rest.get(HEADER_BYTES + 2).filter(|_| function & EXCEPTION != 0).copied();
            let with = [Field::number("ics.modbus.exception_code", u64::from(exception.unwrap_or(0)))];
            let message = Message {
                family: &MODBUS,
                code: u16::from(function & !EXCEPTION),
                station: Some(u32::from(*unit)),
                with: if exception.is_some() { &with } else { &[] },
            };
            self.0.show(direction, hint, &message, seen);
            Framed::Whole(bytes)
        })
    }
}

/// The length field: of unit identifier and message.
fn header(r: &mut Reader<'_>) -> Option<usize> {
    let (_transaction, protocol, length) = (r.u16()?, r.u16()?, usize::from(r.u16()?));
    (protocol == 0 && (MIN_LENGTH..=MAX_LENGTH).contains(&length)).then_some(length)
}

#[inline(never)]
fn probe_message(data: &[u8], hint: &Hint) -> Probe {
    let too_short = if hint.transport == Transport::Tcp { Probe::Unsure } else { Probe::No };
    let mut r = Reader::new(data);
    let Some(length) = header(&mut r) else { return if data.len() < HEADER_BYTES { too_short } else { Probe::No } };
    let [_unit, function, ..] = *r.rest() else { return too_short };
    let usual = hint.uses(PORT);
    if function & !EXCEPTION == 0 || !usual && MODBUS.function(u16::from(function & !EXCEPTION)).is_none() {
        return Probe::No;
    }
    let Some([_, pdu @ ..]) = r.take(length) else { return if usual { Probe::Yes } else { too_short } };
    let ends = match r.rest() {
        [] => true,
        [_, _, protocol_high, ..] => hint.transport == Transport::Tcp && *protocol_high == 0,
        _ => hint.transport == Transport::Tcp,
    };
    if usual || ends && is_faultless(pdu) { Probe::Yes } else { Probe::No }
}

/// Whether a message of a public function is one that the application protocol has (v1.1b3, section 6): a request or a
/// response, with a count that fits.
fn is_faultless(pdu: &[u8]) -> bool {
    let counted = |from: usize, count: u8| pdu.len() == from + usize::from(count);
    let within = |high: u8, low: u8, most: u16| (1..=most).contains(&u16::from_be_bytes([high, low]));
    match *pdu {
        [1 | 2, _, _, high, low] if within(high, low, 2000) => true,
        [3 | 4, _, _, high, low] if within(high, low, 125) => true,
        [1 | 2, count, _, ..] => counted(2, count),
        [3 | 4, count, _, _, ..] => count % 2 == 0 && counted(2, count),
        [5, _, _, value, 0] => matches!(value, 0 | 0xFF),
        [6, _, _, _, _] | [22, _, _, _, _, _, _] => true,
        [7] | [7, _] | [11] | [11, _, _, _, _] | [12] | [17] => true,
        [8, 0, sub, _, _, ..] => sub <= 21 && pdu.len() % 2 == 1,
        [12 | 17, count, ..] => count > 0 && counted(2, count),
        [15, _, _, high, low] => within(high, low, 1968),
        [15, _, _, high, low, count, ..] => {
            within(high, low, 1968)
                && u16::from(count) == u16::from_be_bytes([high, low]).div_ceil(8)
                && counted(6, count)
        }
        [16, _, _, high, low] => within(high, low, 123),
        [16, _, _, high, low, count, ..] => {
            within(high, low, 123) && u16::from(count) == 2 * u16::from_be_bytes([high, low]) && counted(6, count)
        }
        [20 | 21, count, ..] => count >= 7 && counted(2, count),
        [23, _, _, high, low, _, _, _, _, count, ..] => within(high, low, 125) && count > 0 && counted(10, count),
        [23, count, _, _, ..] => count % 2 == 0 && counted(2, count),
        [24, _, _] => true,
        [24, high, low, ..] => counted(3, low) && high == 0,
        [43, 13 | 14, ..] => pdu.len() > 3,
        [function, code] if function & EXCEPTION != 0 => (1..=11).contains(&code),
        _ => false,
    }
}

const PORT: u16 = 502;
/// Transaction and protocol identifier, length.
const HEADER_BYTES: usize = 6;
/// Unit identifier and function code.
const MIN_LENGTH: usize = 2;
/// Unit identifier and the longest message (v1.1b3, section 4.1).
const MAX_LENGTH: usize = 254;
/// In a function code: the request was refused.
const EXCEPTION: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{same_in_any_segments, tcp, udp};
    use super::*;

    fn adu(unit: u8, pdu: &[u8]) -> Vec<u8> {
        [&[0x12, 0x34, 0, 0, 0, pdu.len() as u8 + 1, unit][..], pdu].concat()
    }

    #[test]
    fn functions_and_units_are_shown_once() {
        let read = adu(17, &[3, 0, 0, 0, 2]);
        let write = adu(17, &[6, 0, 1, 0, 3]);
        let data = [read.clone(), write.clone(), read, write, adu(1, &[100, 1, 2])].concat();
        assert_eq!(
            same_in_any_segments::<Modbus>(Direction::ToResponder, tcp(40_000, 502), &data),
            [
                "ics-function ics.modbus.function modbus:read-holding-registers",
                "ics-function ics.modbus.operation modbus:any-read",
                "ics-function ics.modbus.unit_id modbus:unit-17",
                "ics-function ics.modbus.function modbus:write-single-register",
                "ics-function ics.modbus.operation modbus:any-write",
                "ics-function ics.modbus.function modbus:100",
                "ics-function ics.modbus.unit_id modbus:unit-1",
            ]
        );
        let refused = adu(1, &[0x86, 2]);
        assert_eq!(
            same_in_any_segments::<Modbus>(Direction::ToOriginator, tcp(502, 40_000), &refused)[0],
            "ics-function ics.modbus.function modbus:write-single-register"
        );
    }

    #[test]
    fn elsewhere_the_whole_message_must_be_faultless() {
        for good in [
            &[1, 0, 0, 0x07, 0xD0][..],
            &[3, 2, 1, 1],
            &[5, 0, 1, 0xFF, 0],
            &[15, 0, 0, 0, 10, 2, 1, 1],
            &[16, 0, 0, 0, 1, 2, 0, 1],
            &[0x83, 2],
            &[43, 14, 1, 0],
            &[22, 0, 4, 0, 0xF2, 0, 0x25],
        ] {
            assert_eq!(Modbus::probe(&adu(1, good), &tcp(1000, 2000)), Probe::Yes, "{good:?}");
            assert_eq!(Modbus::probe(&adu(1, good), &udp(1000, 2000)), Probe::Yes, "{good:?}");
            for cut in 0..6 + good.len() {
                assert_eq!(
                    Modbus::probe(&adu(1, good)[..cut], &tcp(1000, 2000)),
                    Probe::Unsure,
                    "{good:?} cut at {cut}"
                );
                assert_eq!(Modbus::probe(&adu(1, good)[..cut], &udp(1000, 2000)), Probe::No, "{good:?} cut at {cut}");
            }
        }
        for bad in [
            &[0][..],
            &[1, 0, 0, 0x07, 0xD1],
            &[3, 0, 0, 0, 126],
            &[5, 0, 1, 1, 0],
            &[16, 0, 0, 0, 1, 3, 0, 1, 1],
            &[0x83, 12],
            &[99, 0, 0, 0],
            &[90, 0, 0, 0],
            &[0x80, 1],
        ] {
            assert_eq!(Modbus::probe(&adu(1, bad), &tcp(1000, 2000)), Probe::No, "{bad:?}");
        }
        assert_eq!(Modbus::probe(&adu(1, &[99, 0, 0]), &tcp(1000, 502)), Probe::Yes);
        for foreign in
            [&b"GET / HTTP/1.1\r\n"[..], &[3, 0, 0, 0x1f, 2, 0xf0, 0x80], &[0; 12], &[0, 0, 0, 0, 1, 0, 1, 1]]
        {
            assert_eq!(Modbus::probe(foreign, &tcp(1000, 502)), Probe::No, "{foreign:?}");
        }
    }
}
