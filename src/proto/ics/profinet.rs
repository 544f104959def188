//! PROFINET DCP (IEC 61158-6-10, 4.3) in Ethernet frames: discovery and configuration of devices that have no address of IP yet:
//! services, what a set request changes, the vendor and device id that a device announces, and its name as a field.
//!
//! A frame must hold as many bytes as it says, and blocks that fill them. Cyclic data, alarms and the services over UDP are not
//! looked at.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Message, Shown};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::PROFINET;
use crate::indicator::{Field, Seen, Transport};
use crate::packet::fieldbus;

/// State: what was shown.
#[derive(Default)]
pub struct ProfinetDcp(Shown);

impl Parser for ProfinetDcp {
    const NAME: &'static str = "profinet-dcp";
    const MAX_PENDING_BYTES: usize = 0;
    const IN_FRAMES: bool = true;
    const STARTS: Starts = Starts::NONE;

    fn probe(data: &[u8], hint: &Hint) -> Probe {
        let is_here = hint.transport == Transport::Ethernet && hint.uses(fieldbus::PROFINET);
        if is_here && Frame::read(data).is_some() { Probe::Yes } else { Probe::No }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let Some(frame) = Frame::read(data) else {
            return Progress::Damaged { bytes: data.len(), need: 0, reason: "not a PROFINET DCP frame" };
        };
        let facts = frame.facts();
        let kind = Field::number("ics.profinet.service_type", u64::from(frame.kind));
        let name = Field::text("ics.profinet.name_of_station", facts.name.unwrap_or_default());
        let with = [kind, name];
        let with = with.get(..if facts.name.is_some() { 2 } else { 1 }).unwrap_or(&with);
        let mut show = |code, station| {
            self.0.show(direction, hint, &Message { family: &PROFINET, code, station, with }, seen);
        };
        show(u16::from(frame.service), facts.device);
        if (frame.service, frame.kind) == (SET, REQUEST) {
            frame.blocks().filter_map(|block| block.setting()).for_each(|code| show(code, None));
        }
        Progress::Consumed { bytes: data.len(), need: 0 }
    }
}

/// A frame of DCP from its frame id on.
struct Frame<'a> {
    service: u8,
    /// Request, response, or a service that is not supported.
    kind: u8,
    blocks: &'a [u8],
}

/// One option of a frame.
struct Block<'a> {
    option: u8,
    suboption: u8,
    /// Its value, with what qualifies or describes it in front.
    value: &'a [u8],
}

/// What a frame says of a device.
struct Facts<'a> {
    name: Option<&'a [u8]>,
    /// Vendor id in the upper half, device id in the lower.
    device: Option<u32>,
}

impl<'a> Frame<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(data);
        let (id, service, kind) = (r.u16()?, r.u8()?, r.u8()?);
        let (_transaction, _delay, length) = (r.u32()?, r.u16()?, usize::from(r.u16()?));
        let is_of_service = match service {
            GET | SET => id == 0xfefd,
            IDENTIFY => id == 0xfefe || id == 0xfeff,
            HELLO => id == 0xfefc,
            _ => false,
        };
        if !is_of_service || !matches!(kind, REQUEST | RESPONSE | NOT_SUPPORTED) {
            return None;
        }
        let frame = Self { service, kind, blocks: r.take(length)? };
        frame.are_blocks_whole().then_some(frame)
    }

    /// A get request lists options without values.
    fn has_values(&self) -> bool {
        (self.service, self.kind) != (GET, REQUEST)
    }

    fn are_blocks_whole(&self) -> bool {
        if !self.has_values() {
            return self.blocks.len().is_multiple_of(2);
        }
        let mut r = Reader::new(self.blocks);
        while !r.is_empty() {
            if Block::read(&mut r).is_none() {
                return false;
            }
        }
        true
    }

    fn blocks(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        let mut r = Reader::new(if self.has_values() { self.blocks } else { &[] });
        std::iter::from_fn(move || Block::read(&mut r))
    }

    fn facts(&self) -> Facts<'a> {
        let mut facts = Facts { name: None, device: None };
        // A filter is the value alone.
        let skip = if (self.service, self.kind) == (IDENTIFY, REQUEST) { 0 } else { QUALIFIER_BYTES };
        for Block { option, suboption, value } in self.blocks().filter(|block| block.option == DEVICE) {
            let value = value.get(skip..).unwrap_or_default();
            match (option, suboption, value) {
                (_, NAME_OF_STATION, name) if !name.is_empty() => facts.name = Some(name),
                (_, DEVICE_ID, &[a, b, c, d]) => facts.device = Some(u32::from_be_bytes([a, b, c, d])),
                _ => {}
            }
        }
        facts
    }
}

impl<'a> Block<'a> {
    /// The next block; of odd length it is followed by a byte of padding, which the last may lack.
    fn read(r: &mut Reader<'a>) -> Option<Self> {
        let (option, suboption, length) = (r.u8()?, r.u8()?, r.u16()?);
        let value = r.take(usize::from(length))?;
        if length % 2 == 1 {
            let _ = r.u8();
        }
        Some(Self { option, suboption, value })
    }

    /// The function that setting it is.
    fn setting(&self) -> Option<u16> {
        let page = match self.option {
            CONTROL => 0x100,
            IP => 0x200,
            DEVICE => 0x300,
            _ => return None,
        };
        Some(page | u16::from(self.suboption))
    }
}

const GET: u8 = 3;
const SET: u8 = 4;
const IDENTIFY: u8 = 5;
const HELLO: u8 = 6;

const REQUEST: u8 = 0;
const RESPONSE: u8 = 1;
const NOT_SUPPORTED: u8 = 5;

const IP: u8 = 1;
const DEVICE: u8 = 2;
const CONTROL: u8 = 5;
const NAME_OF_STATION: u8 = 2;
const DEVICE_ID: u8 = 3;

/// Block qualifier or block information.
const QUALIFIER_BYTES: usize = 2;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{datagrams, ethernet, udp};
    use super::*;

    fn frame(id: u16, service: u8, kind: u8, blocks: &[u8]) -> Vec<u8> {
        let head = [&id.to_be_bytes()[..], &[service, kind, 0, 0, 0, 1, 0, 0], &(blocks.len() as u16).to_be_bytes()];
        // The shortest Ethernet frame is longer than most.
        [&head.concat(), blocks, &[0; 20]].concat()
    }

    fn set(option: u8, suboption: u8, value: &[u8]) -> Vec<u8> {
        let mut block = vec![option, suboption, 0, value.len() as u8 + 2, 0, 0];
        block.extend(value);
        block.resize(block.len().next_multiple_of(2), 0);
        frame(0xfefd, SET, REQUEST, &block)
    }

    #[test]
    fn services_settings_and_devices_are_shown_once() {
        let answer = [&[2, 2, 0, 5, 0, 0][..], b"plc", &[0, 2, 3, 0, 6, 0, 0, 0, 0x2a, 1, 0x0e]].concat();
        let list = [
            frame(0xfefe, IDENTIFY, REQUEST, &[0xff, 0xff, 0, 0]),
            frame(0xfeff, IDENTIFY, RESPONSE, &answer),
            frame(0xfefd, GET, REQUEST, &[2, 2, 1, 2]),
            set(2, 2, b"pump"),
            set(5, 6, &[0, 2]),
            set(5, 6, &[0, 2]),
        ];
        let (seen, said) = datagrams::<ProfinetDcp>(Direction::ToResponder, &list, &ethernet(fieldbus::PROFINET));
        assert!(said.iter().all(|said| matches!(said, Progress::Consumed { .. })));
        assert_eq!(
            seen,
            [
                "ics-function ics.profinet.function profinet:dcp-identify",
                "ics-function ics.profinet.operation profinet:any-read",
                "ics-function ics.profinet.device_id profinet:device-2752782",
                "ics-function ics.profinet.function profinet:dcp-get",
                "ics-function ics.profinet.function profinet:dcp-set",
                "ics-function ics.profinet.operation profinet:any-write",
                "ics-function ics.profinet.function profinet:dcp-set-name-of-station",
                "ics-function ics.profinet.function profinet:dcp-reset-to-factory",
                "ics-function ics.profinet.operation profinet:any-control",
            ]
        );
    }

    #[test]
    fn what_does_not_add_up_is_none() {
        let good = set(2, 2, b"pump");
        let hint = ethernet(fieldbus::PROFINET);
        assert_eq!(ProfinetDcp::probe(&good, &hint), Probe::Yes);
        assert_eq!(ProfinetDcp::probe(&good, &ethernet(fieldbus::GOOSE)), Probe::No);
        assert_eq!(ProfinetDcp::probe(&good, &udp(0, fieldbus::PROFINET)), Probe::No);
        for (at, value) in [(1, 0xfe), (2, 9), (3, 7), (11, 99), (15, 99)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(ProfinetDcp::probe(&bad, &hint), Probe::No, "byte {at}");
        }
        assert_eq!(ProfinetDcp::probe(&good[..12], &hint), Probe::No);
    }
}
