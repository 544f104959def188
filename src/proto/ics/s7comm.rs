//! S7 communication of Siemens S7-300/400 controllers over ISO on TCP (RFC 1006, ISO 8073 class 0), on any port: functions, and
//! rack and slot of the controller that was asked for. S7comm-plus (S7-1200/1500) is recognised; its functions are not read.
//!
//! Others use the same framing (MMS, RDP, H.323): a connection request alone is nobody's, so the probe waits for the first data.
//! Items, blocks and the passwords of user data are not looked at.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Framed, Message, Shown, messages};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::S7COMM;
use crate::indicator::{Field, Seen, Transport};

/// State: what was shown, and the slot that was asked for.
#[derive(Default)]
pub struct S7comm {
    shown: Shown,
    slot: Option<u8>,
}

/// State: in which directions it was said that nothing is read.
#[derive(Debug, Default)]
pub struct S7commPlus {
    said: [bool; 2],
}

impl Parser for S7comm {
    const NAME: &'static str = "s7comm";
    const MAX_PENDING_BYTES: usize = MAX_HEAD_BYTES;
    const STARTS: Starts = Starts::tcp(&[(TPKT_VERSION, TPKT_VERSION)]);

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        probe(data, hint, |payload, length| Pdu::read(payload, length).is_some())
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        messages(data, hint, |rest| {
            let (tpdu, bytes) = match Tpdu::read(rest) {
                Read::Tpdu(tpdu, bytes) => (tpdu, bytes),
                Read::Short(need) => return Framed::Short(need),
                Read::No => return Framed::Broken("not a TPKT"),
            };
            match tpdu {
                Tpdu::Connect { called, .. } => self.slot = called.or(self.slot),
                Tpdu::Data { payload: [], .. } | Tpdu::Other => {}
                Tpdu::Data { payload, length } => match Pdu::read(payload, length) {
                    Some(pdu) => self.show(direction, hint, &pdu, seen),
                    None if payload.first() == Some(&S7COMM_PROTOCOL) => {
                        return Framed::Damaged(bytes, "S7 header that does not fit its data");
                    }
                    // The rest of a unit in several packets.
                    None => {}
                },
            }
            Framed::Whole(bytes)
        })
    }
}

impl S7comm {
    fn show(&mut self, direction: Direction, hint: &Hint, pdu: &Pdu, seen: Seen<'_>) {
        let Some(code) = pdu.code else { return };
        let with = [Field::number("ics.s7comm.rosctr", u64::from(pdu.rosctr))];
        let station = self.slot.map(u32::from);
        self.shown.show(direction, hint, &Message { family: &S7COMM, code, station, with: &with }, seen);
    }
}

impl Parser for S7commPlus {
    const NAME: &'static str = "s7comm-plus";
    const MAX_PENDING_BYTES: usize = 0;
    const STARTS: Starts = S7comm::STARTS;

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        probe(data, hint, |payload, _| matches!(payload, [S7COMM_PLUS_PROTOCOL, 1..=3 | 0xFE, ..]))
    }

    fn parse(&mut self, direction: Direction, data: &[u8], _: &Hint, _: Seen<'_>) -> Progress {
        let said = self.said.get_mut(direction.index()).is_none_or(|said| std::mem::replace(said, true));
        match said {
            true => Progress::DoneDirection,
            false => Progress::Damaged { bytes: data.len(), need: 0, reason: "functions of S7comm-plus are not read" },
        }
    }
}

/// Connection requests and confirmations, then data that `is_ours`.
#[inline(always)]
fn probe(data: &[u8], hint: &Hint, is_ours: impl Fn(&[u8], Option<usize>) -> bool) -> Probe {
    match data {
        [] => Probe::Unsure,
        [TPKT_VERSION, ..] if hint.transport == Transport::Tcp => probe_units(data, is_ours),
        _ => Probe::No,
    }
}

#[inline(never)]
fn probe_units(data: &[u8], is_ours: impl Fn(&[u8], Option<usize>) -> bool) -> Probe {
    let mut rest = data;
    for _ in 0..MAX_PROBED {
        match Tpdu::read(rest) {
            Read::Short(_) => return Probe::Unsure,
            Read::Tpdu(Tpdu::Connect { is_plain: true, .. } | Tpdu::Data { payload: [], .. }, bytes) => {
                rest = rest.get(bytes..).unwrap_or_default();
            }
            Read::Tpdu(Tpdu::Data { payload, length }, _) if is_ours(payload, length) => return Probe::Yes,
            Read::Tpdu(..) | Read::No => return Probe::No,
        }
    }
    Probe::No
}

/// A transport protocol data unit (ISO 8073) in its TPKT (RFC 1006, section 6).
enum Tpdu<'a> {
    /// CR or CC.
    Connect {
        /// The low byte of the called TSAP: rack and slot.
        called: Option<u8>,
        /// Only parameters that S7 and its like use.
        is_plain: bool,
    },
    /// DT: its first bytes, and how many there are in all if the unit begins and ends in it.
    Data {
        payload: &'a [u8],
        length: Option<usize>,
    },
    Other,
}

enum Read<'a> {
    /// And the bytes of its TPKT.
    Tpdu(Tpdu<'a>, usize),
    /// So many bytes are needed.
    Short(usize),
    No,
}

impl<'a> Tpdu<'a> {
    fn read(data: &'a [u8]) -> Read<'a> {
        match *data {
            [] | [TPKT_VERSION] | [TPKT_VERSION, 0] | [TPKT_VERSION, 0, _] => return Read::Short(TPKT_BYTES),
            [TPKT_VERSION, 0, ..] => {}
            _ => return Read::No,
        }
        let mut r = Reader::new(data);
        let Some(bytes) = r.skip(2).and_then(|()| r.u16()).map(usize::from) else { return Read::Short(TPKT_BYTES) };
        if bytes < MIN_BYTES {
            return Read::No;
        }
        let (Some(indicator), Some(kind)) = (r.u8().map(usize::from), r.u8()) else { return Read::Short(MIN_BYTES) };
        match kind & 0xF0 {
            CONNECTION_REQUEST | CONNECTION_CONFIRM if kind & 0x0F == 0 => {
                if bytes != TPKT_BYTES + 1 + indicator || indicator < MIN_CONNECT {
                    return Read::No;
                }
                let Some(body) = data.get(TPKT_BYTES + 2..bytes) else { return Read::Short(bytes) };
                connect(body).map_or(Read::No, |tpdu| Read::Tpdu(tpdu, bytes))
            }
            DATA if kind & 0x0F == 0 && indicator == 2 => {
                let need = bytes.min(MAX_HEAD_BYTES);
                let (Some(number), Some(payload)) = (r.u8(), data.get(MIN_BYTES..need)) else {
                    return Read::Short(need);
                };
                let is_end = number & END_OF_UNIT != 0;
                if number & !END_OF_UNIT != 0 {
                    return Read::No;
                }
                Read::Tpdu(Self::Data { payload, length: is_end.then_some(bytes - MIN_BYTES) }, bytes)
            }
            DISCONNECT | DISCONNECT_CONFIRM | EXPEDITED | ERROR => Read::Tpdu(Self::Other, bytes),
            _ => Read::No,
        }
    }
}

/// References and class, then parameters: code, length, value.
fn connect(body: &[u8]) -> Option<Tpdu<'_>> {
    let mut r = Reader::new(body);
    let (_destination, _source, class) = (r.u16()?, r.u16()?, r.u8()?);
    let (mut called, mut is_plain) = (None, class == 0);
    while !r.is_empty() {
        let parameter = r.u8().zip(r.u8()).and_then(|(code, length)| Some((code, r.take(usize::from(length))?)));
        match parameter {
            Some((CALLED_TSAP, [_, slot])) => called = Some(*slot),
            Some((TPDU_SIZE | CALLING_TSAP | CALLED_TSAP, _)) => {}
            // RDP: a cookie in plain text, or its own negotiation.
            _ => {
                is_plain = false;
                break;
            }
        }
    }
    Some(Tpdu::Connect { called, is_plain })
}

/// The start of an S7 protocol data unit.
struct Pdu {
    rosctr: u8,
    /// Of the family's codes; none for a bare acknowledgement.
    code: Option<u16>,
}

impl Pdu {
    /// `length`: of all of it, if it ends in this packet.
    fn read(payload: &[u8], length: Option<usize>) -> Option<Self> {
        let mut r = Reader::new(payload);
        let (protocol, rosctr, reserved) = (r.u8()?, r.u8()?, r.u16()?);
        if protocol != S7COMM_PROTOCOL || reserved != 0 {
            return None;
        }
        let _reference = r.u16()?;
        let (parameters, data) = (usize::from(r.u16()?), usize::from(r.u16()?));
        let header_bytes = match rosctr {
            JOB | USER_DATA => 10,
            ACKNOWLEDGE | ACKNOWLEDGE_DATA => {
                r.u16()?;
                12
            }
            _ => return None,
        };
        if length.is_some_and(|length| length != header_bytes + parameters + data) {
            return None;
        }
        let code = match rosctr {
            _ if parameters == 0 => None,
            USER_DATA => Some(user_data(r.rest())?),
            _ => Some(u16::from(r.u8()?)),
        };
        Some(Self { rosctr, code })
    }
}

/// The function group of a user data parameter.
fn user_data(parameter: &[u8]) -> Option<u16> {
    let [0, 1, 0x12, _, _, group, subfunction, ..] = *parameter else { return None };
    Some(match (group & 0x0F, subfunction) {
        (TIME, SET_CLOCK | SET_CLOCK_FOLLOWING) => SET_TIME,
        (group, _) => USER_DATA_PAGE | u16::from(group),
    })
}

const TPKT_VERSION: u8 = 3;
const TPKT_BYTES: usize = 4;
/// A TPKT with the shortest data unit.
const MIN_BYTES: usize = 7;
/// Two references and a class behind the code of a connection request.
const MIN_CONNECT: usize = 6;
/// A connection request with the most parameters; of data, far more than the two headers.
const MAX_HEAD_BYTES: usize = TPKT_BYTES + 256;
/// Units probed: request, an empty one, data; and one to spare.
const MAX_PROBED: usize = 4;

const CONNECTION_REQUEST: u8 = 0xE0;
const CONNECTION_CONFIRM: u8 = 0xD0;
const DISCONNECT: u8 = 0x80;
const DISCONNECT_CONFIRM: u8 = 0xC0;
const EXPEDITED: u8 = 0x10;
const ERROR: u8 = 0x70;
const DATA: u8 = 0xF0;
const END_OF_UNIT: u8 = 0x80;
const TPDU_SIZE: u8 = 0xC0;
const CALLING_TSAP: u8 = 0xC1;
const CALLED_TSAP: u8 = 0xC2;

const S7COMM_PROTOCOL: u8 = 0x32;
const S7COMM_PLUS_PROTOCOL: u8 = 0x72;
const JOB: u8 = 1;
const ACKNOWLEDGE: u8 = 2;
const ACKNOWLEDGE_DATA: u8 = 3;
const USER_DATA: u8 = 7;

/// Of the family's codes.
const USER_DATA_PAGE: u16 = 0x100;
const SET_TIME: u16 = 0x117;
const TIME: u8 = 7;
const SET_CLOCK: u8 = 2;
const SET_CLOCK_FOLLOWING: u8 = 4;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{same_in_any_segments, tcp};
    use super::*;

    const REQUEST: [u8; 22] = [3, 0, 0, 22, 17, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 10, 0xC1, 2, 1, 0, 0xC2, 2, 1, 2];

    fn data(pdu: &[u8]) -> Vec<u8> {
        [&[3, 0, 0, pdu.len() as u8 + 7, 2, 0xF0, 0x80][..], pdu].concat()
    }

    fn job(parameters: &[u8], more: &[u8]) -> Vec<u8> {
        let head = [0x32, 1, 0, 0, 4, 0, 0, parameters.len() as u8, 0, more.len() as u8];
        data(&[&head, parameters, more].concat())
    }

    #[test]
    fn functions_and_the_slot_are_shown_once() {
        let setup = job(&[0xF0, 0, 0, 1, 0, 1, 3, 0xC0], &[]);
        let write = job(&[5, 1, 0x12, 10, 0x10, 2, 0, 1, 0, 0, 0x84, 0, 0, 0], &[0, 4, 0, 8, 1]);
        let stop = job(&[0x29, 0, 0, 0, 0, 0, 9, b'P', b'_', b'P', b'R', b'O', b'G', b'R', b'A', b'M'], &[]);
        let clock = data(&[0x32, 7, 0, 0, 4, 1, 0, 8, 0, 4, 0, 1, 0x12, 4, 0x11, 0x47, 2, 0, 0, 0, 0, 0]);
        let all = [&REQUEST[..], &setup, &write, &write, &stop, &clock].concat();
        assert_eq!(
            same_in_any_segments::<S7comm>(Direction::ToResponder, tcp(40_000, 102), &all),
            [
                "ics-function ics.s7comm.function s7comm:setup-communication",
                "ics-function ics.s7comm.slot s7comm:slot-0.2",
                "ics-function ics.s7comm.function s7comm:write-var",
                "ics-function ics.s7comm.operation s7comm:any-write",
                "ics-function ics.s7comm.function s7comm:plc-stop",
                "ics-function ics.s7comm.operation s7comm:any-control",
                "ics-function ics.s7comm.function s7comm:userdata-time-set",
            ]
        );
    }

    #[test]
    fn a_connection_request_is_nobody_s_until_data_follows() {
        let hint = tcp(40_000, 9999);
        let setup = job(&[0xF0, 0, 0, 1, 0, 1, 3, 0xC0], &[]);
        assert_eq!(S7comm::probe(&REQUEST, &hint), Probe::Unsure);
        assert_eq!(S7comm::probe(&[&REQUEST[..], &setup].concat(), &hint), Probe::Yes);
        assert_eq!(S7commPlus::probe(&[&REQUEST[..], &setup].concat(), &hint), Probe::No);
        let plus = [&REQUEST[..], &data(&[0x72, 1, 0, 4, 1, 2, 3, 4])].concat();
        assert_eq!((S7commPlus::probe(&plus, &hint), S7comm::probe(&plus, &hint)), (Probe::Yes, Probe::No));
        // MMS begins a session; RDP asks with a cookie or its own negotiation.
        let mms = [&REQUEST[..], &data(&[0x0D, 0xB2, 5, 6])].concat();
        let cookie = [&[3, 0, 0, 20, 15, 0xE0, 0, 0, 0, 0, 0][..], b"Cookie: m"].concat();
        let negotiation = [3, 0, 0, 19, 14, 0xE0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];
        for foreign in [&mms[..], &cookie, &negotiation, &[3, 0, 0, 6, 1, 0xF0], &[3, 1, 0, 20], &[22, 3, 1]] {
            assert_eq!(S7comm::probe(foreign, &hint), Probe::No, "{foreign:?}");
            assert_eq!(S7commPlus::probe(foreign, &hint), Probe::No, "{foreign:?}");
        }
        let mut lie = setup;
        lie[14] += 1;
        assert_eq!(S7comm::probe(&lie, &hint), Probe::No, "lengths must agree");
    }
}
