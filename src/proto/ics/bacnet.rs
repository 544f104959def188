//! BACnet/IP (ASHRAE 135, annex J) in UDP datagrams, on any port: services, functions of the link layer that change something,
//! and the device that an I-Am announces.
//!
//! A datagram must be as long as it says and hold a network header of version 1. Objects, properties and values are not looked
//! at, nor are network-layer messages; of segmented services each segment names its service. BACnet/IPv6 (annex U), whose
//! first byte is another, and BACnet/SC, which is TLS, are not recognised.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Message, Shown};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::BACNET;
use crate::indicator::{Field, Seen, Transport};

/// State: what was shown.
#[derive(Default)]
pub struct Bacnet(Shown);

impl Parser for Bacnet {
    const NAME: &'static str = "bacnet";
    const MAX_PENDING_BYTES: usize = 0;
    const STARTS: Starts = Starts::udp(&[(BACNET_IP, BACNET_IP)]);

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data {
            [BACNET_IP, 0..=0x0C, ..] if hint.transport == Transport::Udp => probe_datagram(data),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let done = Progress::Consumed { bytes: data.len(), need: 0 };
        let Some(datagram) = Datagram::read(data) else {
            return Progress::Damaged { bytes: data.len(), need: 0, reason: "not a BACnet/IP datagram" };
        };
        let message = |code, station, with| Message { family: &BACNET, code, station, with };
        if is_of_interest(datagram.function) {
            self.0.show(direction, hint, &message(LINK_PAGE | u16::from(datagram.function), None, &[]), seen);
        }
        if let Some(service) = datagram.npdu.and_then(Service::read) {
            let with = [Field::number("ics.bacnet.apdu_type", u64::from(service.kind))];
            self.0.show(direction, hint, &message(service.code, service.device, &with), seen);
        }
        done
    }
}

#[inline(never)]
fn probe_datagram(data: &[u8]) -> Probe {
    if Datagram::read(data).is_some() { Probe::Yes } else { Probe::No }
}

/// A BACnet virtual link control message (J.2).
struct Datagram<'a> {
    function: u8,
    /// Network layer protocol data unit.
    npdu: Option<&'a [u8]>,
}

impl<'a> Datagram<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(data);
        let (kind, function, length) = (r.u8()?, r.u8()?, usize::from(r.u16()?));
        if kind != BACNET_IP || length != data.len() {
            return None;
        }
        let body = r.rest();
        let npdu = match function {
            FORWARDED => Some(body.get(ADDRESS_BYTES..)?),
            DISTRIBUTE_BROADCAST | ORIGINAL_UNICAST | ORIGINAL_BROADCAST => Some(body),
            0x00 | 0x05 if body.len() == 2 => None,
            0x01 | 0x03 | 0x07 if body.len().is_multiple_of(10) => None,
            0x02 | 0x06 if body.is_empty() => None,
            0x08 if body.len() == ADDRESS_BYTES => None,
            0x0C if body.len() > 8 => None,
            _ => return None,
        };
        if npdu.is_some_and(|npdu| application(npdu).is_none()) {
            return None;
        }
        Some(Self { function, npdu })
    }
}

/// What lies behind the network header (6.2): the application's message, empty for a message of the network layer.
fn application(npdu: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(npdu);
    let (version, control) = (r.u8()?, r.u8()?);
    if version != 1 || control & RESERVED != 0 {
        return None;
    }
    if control & HAS_DESTINATION != 0 {
        let (_network, length) = (r.u16()?, r.u8()?);
        r.skip(usize::from(length))?;
    }
    if control & HAS_SOURCE != 0 {
        let (_network, length) = (r.u16()?, r.u8()?);
        if length == 0 {
            return None;
        }
        r.skip(usize::from(length))?;
    }
    if control & HAS_DESTINATION != 0 {
        let _hops = r.u8()?;
    }
    if control & IS_NETWORK_MESSAGE != 0 {
        r.u8()?;
        return Some(&[]);
    }
    // The kind of message and at least an id or a service.
    (r.remaining() >= 2 && r.rest().first()? >> 4 <= MAX_KIND).then_some(r.rest())
}

/// Which service an application message (clause 20.1) is about.
struct Service {
    kind: u8,
    /// Of the family's codes.
    code: u16,
    /// The instance that an I-Am announces.
    device: Option<u32>,
}

impl Service {
    fn read(npdu: &[u8]) -> Option<Self> {
        let mut r = Reader::new(application(npdu)?);
        let first = r.u8()?;
        let kind = first >> 4;
        let is_segmented = first & SEGMENTED != 0;
        let code = match kind {
            CONFIRMED => {
                let _sizes_and_id = r.u16()?;
                if is_segmented {
                    r.u16()?;
                }
                u16::from(r.u8()?)
            }
            UNCONFIRMED => UNCONFIRMED_PAGE | u16::from(r.u8()?),
            COMPLEX_ACK => {
                let _id = r.u8()?;
                if is_segmented {
                    r.u16()?;
                }
                u16::from(r.u8()?)
            }
            SIMPLE_ACK | ERROR => {
                let _id = r.u8()?;
                u16::from(r.u8()?)
            }
            _ => return None,
        };
        let device = if code == I_AM { device(&mut r) } else { None };
        Some(Self { kind, code, device })
    }
}

/// An object identifier of a device: tag, type in ten bits, instance in 22.
fn device(r: &mut Reader<'_>) -> Option<u32> {
    let (tag, id) = (r.u8()?, r.u32()?);
    (tag == OBJECT_IDENTIFIER && id >> INSTANCE_BITS == DEVICE).then_some(id & ((1 << INSTANCE_BITS) - 1))
}

/// The others carry a service, which says more.
fn is_of_interest(function: u8) -> bool {
    !matches!(function, FORWARDED | DISTRIBUTE_BROADCAST | ORIGINAL_UNICAST | ORIGINAL_BROADCAST)
}

const BACNET_IP: u8 = 0x81;
const FORWARDED: u8 = 0x04;
const DISTRIBUTE_BROADCAST: u8 = 0x09;
const ORIGINAL_UNICAST: u8 = 0x0A;
const ORIGINAL_BROADCAST: u8 = 0x0B;
/// An IPv4 address and a port.
const ADDRESS_BYTES: usize = 6;

const IS_NETWORK_MESSAGE: u8 = 0x80;
const HAS_DESTINATION: u8 = 0x20;
const HAS_SOURCE: u8 = 0x08;
const RESERVED: u8 = 0x50;

const CONFIRMED: u8 = 0;
const UNCONFIRMED: u8 = 1;
const SIMPLE_ACK: u8 = 2;
const COMPLEX_ACK: u8 = 3;
const ERROR: u8 = 5;
/// Abort.
const MAX_KIND: u8 = 7;
const SEGMENTED: u8 = 0x08;

/// Of the family's codes.
const UNCONFIRMED_PAGE: u16 = 0x100;
const LINK_PAGE: u16 = 0x200;
const I_AM: u16 = 0x100;

/// Application tag 12, four bytes.
const OBJECT_IDENTIFIER: u8 = 0xC4;
const INSTANCE_BITS: u32 = 22;
const DEVICE: u32 = 8;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{datagrams, tcp, udp};
    use super::*;

    fn bvlc(function: u8, body: &[u8]) -> Vec<u8> {
        [&[0x81, function, 0, body.len() as u8 + 4][..], body].concat()
    }

    #[test]
    fn services_and_devices_are_shown_once() {
        let write = bvlc(10, &[1, 4, 0, 5, 7, 15, 0x0C, 0, 0x80, 0, 1]);
        let i_am = bvlc(11, &[1, 0x20, 0xFF, 0xFF, 0, 0xFF, 0x10, 0, 0xC4, 2, 0, 4, 0xD2, 0x22, 5, 0xC4]);
        let from_afar = bvlc(4, &[192, 0, 2, 1, 0xBA, 0xC0, 1, 8, 0, 7, 1, 3, 0x10, 6, 0xA4]);
        let list = [write.clone(), write, i_am, from_afar, bvlc(5, &[0, 60])];
        let (seen, said) = datagrams::<Bacnet>(Direction::ToResponder, &list, &udp(47_808, 47_808));
        assert_eq!(
            seen,
            [
                "ics-function ics.bacnet.function bacnet:write-property",
                "ics-function ics.bacnet.operation bacnet:any-write",
                "ics-function ics.bacnet.function bacnet:i-am",
                "ics-function ics.bacnet.device bacnet:device-1234",
                "ics-function ics.bacnet.function bacnet:time-synchronization",
                "ics-function ics.bacnet.function bacnet:register-foreign-device",
            ]
        );
        assert!(said.iter().all(|progress| matches!(progress, Progress::Consumed { .. })));
    }

    #[test]
    fn a_datagram_must_be_as_long_as_it_says() {
        let good = bvlc(10, &[1, 4, 0, 5, 7, 15, 0x0C, 0, 0x80, 0, 1]);
        assert_eq!(Bacnet::probe(&good, &udp(1, 2)), Probe::Yes);
        assert_eq!(Bacnet::probe(&good, &tcp(1, 2)), Probe::No);
        for cut in 0..good.len() {
            assert_eq!(Bacnet::probe(&good[..cut], &udp(1, 2)), Probe::No, "cut at {cut}");
        }
        for (at, with) in [(0, 0x82), (1, 0x0D), (3, 16), (4, 2), (5, 0x14), (6, 0x80)] {
            let mut bad = good.clone();
            bad[at] = with;
            assert_eq!(Bacnet::probe(&bad, &udp(1, 2)), Probe::No, "byte {at}");
        }
    }
}
