//! GOOSE (IEC 61850-8-1, 18.1 and annex A) in Ethernet frames: who publishes (application id, control block), and which messages
//! subscribers act on: those that say that a value has changed, and simulated ones.
//!
//! A frame must be as long as it says and hold one message whose first field is the control block's name. The values themselves
//! are not looked at, nor are the management messages of the same EtherType; sampled values (0x88ba) stay counted.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Message, Shown};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::GOOSE;
use crate::indicator::{Field, Seen, Transport};
use crate::packet::fieldbus;

/// State: what was shown.
#[derive(Default)]
pub struct Goose(Shown);

impl Parser for Goose {
    const NAME: &'static str = "goose";
    const MAX_PENDING_BYTES: usize = 0;
    const IN_FRAMES: bool = true;
    const STARTS: Starts = Starts::NONE;

    fn probe(data: &[u8], hint: &Hint) -> Probe {
        let is_here = hint.transport == Transport::Ethernet && hint.uses(fieldbus::GOOSE);
        if is_here && Pdu::read(data).is_some() { Probe::Yes } else { Probe::No }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let Some(pdu) = Pdu::read(data) else {
            return Progress::Damaged { bytes: data.len(), need: 0, reason: "not a GOOSE message" };
        };
        let with = [
            Field::text("ics.goose.control_block", pdu.control_block),
            Field::text("ics.goose.id", pdu.id),
            Field::number("ics.goose.state_number", u64::from(pdu.state)),
            Field::number("ics.goose.sequence_number", u64::from(pdu.sequence)),
        ];
        let mut show = |code, station| {
            self.0.show(direction, hint, &Message { family: &GOOSE, code, station, with: &with }, seen);
        };
        show(PUBLISH, Some(u32::from(pdu.app_id)));
        for (holds, code) in [
            (pdu.sequence == 0, STATE_CHANGE),
            (pdu.is_simulation, SIMULATION),
            (pdu.needs_commissioning, NEEDS_COMMISSIONING),
        ] {
            if holds {
                show(code, None);
            }
        }
        Progress::Consumed { bytes: data.len(), need: 0 }
    }
}

/// A message, as far as it is of interest.
struct Pdu<'a> {
    app_id: u16,
    control_block: &'a [u8],
    id: &'a [u8],
    state: u32,
    sequence: u32,
    is_simulation: bool,
    needs_commissioning: bool,
}

impl<'a> Pdu<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(data);
        let (app_id, length, reserved, _) = (r.u16()?, usize::from(r.u16()?), r.u16()?, r.u16()?);
        let mut r = r.sub(length.checked_sub(HEADER_BYTES)?)?;
        let (tag, content) = element(&mut r)?;
        if tag != GOOSE_PDU || !r.is_empty() {
            return None;
        }
        let mut r = Reader::new(content);
        let (tag, control_block) = element(&mut r)?;
        if tag != CONTROL_BLOCK || control_block.is_empty() {
            return None;
        }
        let mut pdu = Self {
            app_id,
            control_block,
            id: &[],
            state: 0,
            sequence: 0,
            is_simulation: reserved & SIMULATED != 0,
            needs_commissioning: false,
        };
        let mut has_sequence = false;
        while !r.is_empty() {
            let (tag, value) = element(&mut r)?;
            match tag {
                ID => pdu.id = value,
                STATE_NUMBER => pdu.state = unsigned(value)?,
                SEQUENCE_NUMBER => {
                    pdu.sequence = unsigned(value)?;
                    has_sequence = true;
                }
                SIMULATION_FLAG => pdu.is_simulation |= value != [0],
                COMMISSIONING_FLAG => pdu.needs_commissioning = value != [0],
                _ => {}
            }
        }
        has_sequence.then_some(pdu)
    }
}

/// A tag of one byte and what it holds (BER, definite length).
fn element<'a>(r: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let tag = r.u8()?;
    let length = match r.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(r.u8()?),
        0x82 => usize::from(r.u16()?),
        _ => return None,
    };
    Some((tag, r.take(length)?))
}

/// At most four bytes, and perhaps a zero before them.
fn unsigned(value: &[u8]) -> Option<u32> {
    let digits = value.strip_prefix(&[0]).unwrap_or(value);
    (!value.is_empty() && digits.len() <= 4).then(|| digits.iter().fold(0, |all, &byte| all << 8 | u32::from(byte)))
}

/// Application id, length and two reserved fields: the length counts them.
const HEADER_BYTES: usize = 8;
/// First bit of the first reserved field (edition 2).
const SIMULATED: u16 = 0x8000;

const GOOSE_PDU: u8 = 0x61;
const CONTROL_BLOCK: u8 = 0x80;
const ID: u8 = 0x83;
const STATE_NUMBER: u8 = 0x85;
const SEQUENCE_NUMBER: u8 = 0x86;
/// Edition 1: test.
const SIMULATION_FLAG: u8 = 0x87;
const COMMISSIONING_FLAG: u8 = 0x89;

/// Of the family's codes.
const PUBLISH: u16 = 0x61;
const STATE_CHANGE: u16 = 0x100;
const SIMULATION: u16 = 0x101;
const NEEDS_COMMISSIONING: u16 = 0x102;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{datagrams, ethernet, text_with_fields};
    use super::*;

    fn message(sequence: u8, simulation: u8, reserved: u8) -> Vec<u8> {
        let fields = [
            &[0x80, 5][..],
            b"IED/1",
            &[0x81, 2, 7, 0xd0, 0x82, 2],
            b"DS",
            &[0x83, 2],
            b"G1",
            &[0x84, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x85, 1, 9, 0x86, 1, sequence, 0x87, 1, simulation, 0x88, 1, 1],
            &[0x89, 1, 0, 0x8a, 1, 1, 0xab, 3, 0x83, 1, 0],
        ]
        .concat();
        let head = [0, 3, 0, fields.len() as u8 + 10, reserved, 0, 0, 0, 0x61, fields.len() as u8];
        [&head[..], &fields, &[0; 8]].concat()
    }

    #[test]
    fn what_subscribers_act_on_is_shown() {
        let list = [message(1, 0, 0), message(2, 0, 0), message(0, 0, 0), message(3, 0, 0x80), message(3, 1, 0)];
        let (seen, _) = datagrams::<Goose>(Direction::ToResponder, &list, &ethernet(fieldbus::GOOSE));
        assert_eq!(
            seen,
            [
                "ics-function ics.goose.function goose:publish",
                "ics-function ics.goose.app_id goose:appid-3",
                "ics-function ics.goose.function goose:state-change",
                "ics-function ics.goose.operation goose:any-control",
                "ics-function ics.goose.function goose:simulation",
            ]
        );
        let mut fields = Vec::new();
        Goose::default().parse(Direction::ToResponder, &list[0], &ethernet(fieldbus::GOOSE), &mut |o| {
            fields.push(text_with_fields(&o));
        });
        assert!(
            fields[0]
                .ends_with("control_block=IED/1 ics.goose.id=G1 ics.goose.state_number=9 ics.goose.sequence_number=1")
        );
    }

    #[test]
    fn what_does_not_add_up_is_none() {
        let (good, hint) = (message(1, 0, 0), ethernet(fieldbus::GOOSE));
        assert_eq!(Goose::probe(&good, &hint), Probe::Yes);
        assert_eq!(Goose::probe(&good, &ethernet(fieldbus::PROFINET)), Probe::No);
        for (at, value) in [(3, 200), (3, 7), (3, 20), (8, 0x60), (9, 99), (9, 0x84), (10, 0x81), (11, 0x60)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Goose::probe(&bad, &hint), Probe::No, "byte {at}: {value}");
        }
    }
}
