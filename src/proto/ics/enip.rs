//! EtherNet/IP (The CIP Networks Library, volume 2, chapter 2) over TCP and UDP, on any port: encapsulation commands, and the
//! CIP services of what they carry, also within unconnected sends and multiple-service packets, with those of the PCCC object.
//!
//! Implicit input and output (port 2222) is recognised; it holds no service. Services that mean something else in each class of
//! objects are named only where the class is known to have them, and not in responses, which do not name the class. Of a
//! message the first [`MAX_BODY_BYTES`] are looked at. Attributes, tags and values are not.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Framed, Message, Shown, messages};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::{CIP, ENIP};
use crate::indicator::kind::ICS_FUNCTION;
use crate::indicator::{Field, Seen, Transport};

/// State: what was shown.
#[derive(Default)]
pub struct Enip {
    shown: Shown,
    /// Services that may yet be looked at in this message.
    services_left: u16,
}

impl Parser for Enip {
    const NAME: &'static str = "enip";
    const MAX_PENDING_BYTES: usize = HEADER_BYTES + MAX_BODY_BYTES;
    const STARTS: Starts = Starts::NONE.and(&[(2, 2), (0x04, 0x04), (0x63, 0x66), (0x6F, 0x70)]);

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data {
            [] => Probe::Unsure,
            [2 | 0x04 | 0x63..=0x66 | 0x6F | 0x70, 0, ..] => probe_message(data, hint),
            [0x04 | 0x63..=0x66 | 0x6F | 0x70] if hint.transport == Transport::Tcp => Probe::Unsure,
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        if hint.transport == Transport::Udp && is_implicit(data) {
            return Progress::Consumed { bytes: data.len(), need: 0 };
        }
        messages(data, hint, |rest| {
            let Some(header) = Header::read(rest) else { return Framed::Short(HEADER_BYTES) };
            if !header.is_plausible() {
                return Framed::Broken("not an EtherNet/IP header");
            }
            let looked_at = header.length.min(MAX_BODY_BYTES);
            let Some(body) = rest.get(HEADER_BYTES..HEADER_BYTES + looked_at) else {
                return Framed::Short(HEADER_BYTES + looked_at);
            };
            if !hint.wants.kind(&ICS_FUNCTION) {
                return Framed::Whole(HEADER_BYTES + header.length);
            }
            let message = Message { family: &ENIP, code: header.command, station: None, with: &[] };
            self.shown.show(direction, hint, &message, seen);
            if matches!(header.command, SEND_RR_DATA | SEND_UNIT_DATA) && header.status == 0 {
                self.items((direction, hint), body, seen);
            }
            Framed::Whole(HEADER_BYTES + header.length)
        })
    }
}

impl Enip {
    /// The common packet format (volume 2, section 2-6): items, of which one holds a CIP message.
    fn items(&mut self, at: (Direction, &Hint), body: &[u8], seen: Seen<'_>) {
        self.services_left = MAX_SERVICES;
        let mut r = Reader::new(body);
        let (Some(()), Some(count)) = (r.skip(INTERFACE_BYTES), r.u16_le()) else { return };
        for _ in 0..count.min(MAX_ITEMS) {
            let (Some(kind), Some(length)) = (r.u16_le(), r.u16_le()) else { return };
            // The last one may lie partly beyond what is looked at.
            let data = r.take(usize::from(length).min(r.remaining())).unwrap_or_default();
            match kind {
                UNCONNECTED_DATA => self.service(at, data, 0, seen),
                CONNECTED_DATA => self.service(at, data.get(SEQUENCE_BYTES..).unwrap_or_default(), 0, seen),
                _ => {}
            }
        }
    }

    /// A CIP message (volume 1, section 2-4).
    fn service(&mut self, at: (Direction, &Hint), message: &[u8], depth: u32, seen: Seen<'_>) {
        let mut r = Reader::new(message);
        let (Some(service), Some(words)) = (r.u8(), r.u8()) else { return };
        let Some(services_left) = self.services_left.checked_sub(1) else { return };
        self.services_left = services_left;
        if service & RESPONSE != 0 {
            let service = service & !RESPONSE;
            if service < FIRST_OBJECT_SPECIFIC {
                self.show(at, u16::from(service), &[], seen);
            }
            return;
        }
        let Some(path) = r.take(2 * usize::from(words)) else { return };
        let target = Target::of(path);
        let class = [
            Field::number("ics.cip.class", u64::from(target.class().unwrap_or(0))),
            Field::number("ics.cip.service", u64::from(service)),
        ];
        let with = if target.class().is_some() { &class[..] } else { &[] };
        self.show(at, code(service, target, r.rest()), with, seen);
        if depth < MAX_DEPTH {
            match (service, target.class()) {
                (UNCONNECTED_SEND, Some(CONNECTION_MANAGER)) => {
                    let embedded = r.skip(2).and_then(|()| r.u16_le()).and_then(|length| r.take(usize::from(length)));
                    self.service(at, embedded.unwrap_or_default(), depth + 1, seen);
                }
                (MULTIPLE_SERVICE_PACKET, _) => self.several(at, r.rest(), depth + 1, seen),
                _ => {}
            }
        }
    }

    /// A count, offsets from it, and services there.
    fn several(&mut self, at: (Direction, &Hint), packet: &[u8], depth: u32, seen: Seen<'_>) {
        let mut r = Reader::new(packet);
        let Some(count) = r.u16_le() else { return };
        for _ in 0..count.min(self.services_left) {
            let Some(offset) = r.u16_le().map(usize::from) else { return };
            self.service(at, packet.get(offset..).unwrap_or_default(), depth, seen);
        }
    }

    fn show(&mut self, (direction, hint): (Direction, &Hint), code: u16, with: &[Field<'_>], seen: Seen<'_>) {
        self.shown.show(direction, hint, &Message { family: &CIP, code, station: None, with }, seen);
    }
}

#[inline(never)]
fn probe_message(data: &[u8], hint: &Hint) -> Probe {
    match (hint.transport, data.first()) {
        (Transport::Tcp, Some(2)) => Probe::No,
        (Transport::Udp, Some(2)) if is_implicit(data) => Probe::Yes,
        (transport, _) => match Header::read(data) {
            Some(header) => header.probe(data.get(HEADER_BYTES..).unwrap_or_default(), hint),
            None if transport == Transport::Tcp => Probe::Unsure,
            None => Probe::No,
        },
    }
}

/// Where a service is sent.
#[derive(Clone, Copy)]
enum Target {
    Class(u16),
    /// A tag, by its name.
    Symbol,
    Other,
}

impl Target {
    /// From the first segment of a path (volume 1, appendix C).
    fn of(path: &[u8]) -> Self {
        match *path {
            [0x20, class, ..] => Self::Class(u16::from(class)),
            [0x21, 0, low, high, ..] => Self::Class(u16::from_le_bytes([low, high])),
            [0x91, ..] => Self::Symbol,
            _ => Self::Other,
        }
    }

    fn class(self) -> Option<u16> {
        if let Self::Class(class) = self { Some(class) } else { None }
    }
}

/// Of the family's codes.
fn code(service: u8, target: Target, data: &[u8]) -> u16 {
    let plain = u16::from(service);
    match target {
        _ if service < FIRST_OBJECT_SPECIFIC => plain,
        Target::Class(CONNECTION_MANAGER) => MANAGER_PAGE | plain,
        Target::Class(PCCC) if service == EXECUTE_PCCC => pccc(data).unwrap_or(plain),
        Target::Symbol | Target::Class(SYMBOL_OBJECT | TEMPLATE_OBJECT) => plain,
        _ => OBJECT_SPECIFIC,
    }
}

/// The function of an extended PCCC command, behind the id of who asks: CMD, STS, TNS, FNC.
fn pccc(data: &[u8]) -> Option<u16> {
    let (id_bytes, _) = data.split_first()?;
    let [EXTENDED, _, _, _, function, ..] = *data.get(usize::from(*id_bytes)..)? else { return None };
    Some(PCCC_PAGE | u16::from(function)).filter(|code| CIP.function(*code).is_some())
}

/// An encapsulation header (volume 2, section 2-3).
struct Header {
    command: u16,
    length: usize,
    session: u32,
    status: u32,
    options: u32,
}

impl Header {
    fn read(data: &[u8]) -> Option<Self> {
        let mut r = Reader::new(data.get(..HEADER_BYTES)?);
        let (command, length, session, status) = (r.u16_le()?, usize::from(r.u16_le()?), r.u32_le()?, r.u32_le()?);
        let _context: [u8; 8] = r.array()?;
        Some(Self { command, length, session, status, options: r.u32_le()? })
    }

    fn is_plausible(&self) -> bool {
        self.options == 0
            && ENIP.function(self.command).is_some()
            && (self.status <= 3 || (0x64..=0x6A).contains(&self.status))
    }

    /// Whether this, with the first bytes of what follows, is one.
    fn probe(&self, body: &[u8], hint: &Hint) -> Probe {
        let yes = |so: bool| if so { Probe::Yes } else { Probe::No };
        if !self.is_plausible() || hint.transport == Transport::Udp && body.len() != self.length {
            return Probe::No;
        }
        let head = |bytes: usize| body.get(..bytes.min(self.length));
        match self.command {
            REGISTER_SESSION if self.length == 4 => match head(4) {
                Some(version) => yes(version == [1, 0, 0, 0]),
                None => Probe::Unsure,
            },
            UNREGISTER_SESSION => yes(self.length == 0 && self.session != 0),
            SEND_RR_DATA | SEND_UNIT_DATA if self.status != 0 && self.length == 0 => yes(self.session != 0),
            SEND_RR_DATA | SEND_UNIT_DATA => match head(INTERFACE_BYTES + 2) {
                Some([0, 0, 0, 0, _, _, count, 0]) => yes((1..=4).contains(count) && self.session != 0),
                Some(_) => Probe::No,
                None => Probe::Unsure,
            },
            // Little speaks for a request without data, so its port must.
            LIST_SERVICES | LIST_IDENTITY | LIST_INTERFACES if self.length == 0 => yes(hint.uses(PORT)),
            LIST_SERVICES | LIST_IDENTITY | LIST_INTERFACES => match head(6) {
                Some([count, 0, kind, 0 | 1, length, high]) => {
                    let first = usize::from(u16::from_le_bytes([*length, *high]));
                    yes((1..=8).contains(count) && matches!(kind, 0x0C | 0x00 | 0x01) && first + 6 <= self.length)
                }
                Some([0, 0]) => yes(hint.uses(PORT)),
                Some(_) => Probe::No,
                None => Probe::Unsure,
            },
            _ => Probe::No,
        }
    }
}

/// Class 0 and 1 connections (volume 2, section 3-2): a sequenced address and data that ends with the datagram.
fn is_implicit(data: &[u8]) -> bool {
    let mut r = Reader::new(data);
    let head: Option<[u8; 6]> = r.array();
    let _connection_and_sequence = r.u64();
    head == Some([2, 0, 2, 0x80, 8, 0])
        && r.u16_le() == Some(CONNECTED_DATA)
        && r.u16_le().is_some_and(|length| usize::from(length) == r.remaining())
}

const PORT: u16 = 44818;
const HEADER_BYTES: usize = 24;
/// Of a message's data: a multiple-service packet over an ordinary connection (504 bytes) lies in it.
const MAX_BODY_BYTES: usize = 1024;

const LIST_SERVICES: u16 = 0x04;
const LIST_IDENTITY: u16 = 0x63;
const LIST_INTERFACES: u16 = 0x64;
const REGISTER_SESSION: u16 = 0x65;
const UNREGISTER_SESSION: u16 = 0x66;
const SEND_RR_DATA: u16 = 0x6F;
const SEND_UNIT_DATA: u16 = 0x70;

/// Interface handle and timeout.
const INTERFACE_BYTES: usize = 6;
const UNCONNECTED_DATA: u16 = 0xB2;
const CONNECTED_DATA: u16 = 0xB1;
const SEQUENCE_BYTES: usize = 2;
/// Items looked at: there are two, and at most two more with socket addresses.
const MAX_ITEMS: u16 = 4;

const RESPONSE: u8 = 0x80;
const MULTIPLE_SERVICE_PACKET: u8 = 0x0A;
const UNCONNECTED_SEND: u8 = 0x52;
const EXECUTE_PCCC: u8 = 0x4B;
/// Services from here on are a class's own (volume 1, table ).
const FIRST_OBJECT_SPECIFIC: u8 = 0x4B;
const CONNECTION_MANAGER: u16 = 0x06;
const PCCC: u16 = 0x67;
const SYMBOL_OBJECT: u16 = 0x6B;
const TEMPLATE_OBJECT: u16 = 0x6C;
/// Services looked at in a message: packets in packets may name the same bytes over and over.
const MAX_SERVICES: u16 = 128;
/// An unconnected send with a multiple-service packet.
const MAX_DEPTH: u32 = 2;

const MANAGER_PAGE: u16 = 0x100;
const OBJECT_SPECIFIC: u16 = 0x200;
const PCCC_PAGE: u16 = 0x300;
const EXTENDED: u8 = 0x0F;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{same_in_any_segments, tcp, udp};
    use super::*;

    fn message(command: u8, session: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![command, 0];
        out.extend((body.len() as u16).to_le_bytes());
        out.extend([session, 0, 0, 0]);
        out.extend([0; 16]);
        out.extend(body);
        out
    }

    fn unconnected(cip: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0xB2, 0];
        body.extend((cip.len() as u16).to_le_bytes());
        body.extend(cip);
        message(0x6F, 9, &body)
    }

    fn shown(data: &[u8]) -> Vec<String> {
        let seen = same_in_any_segments::<Enip>(Direction::ToResponder, tcp(40_000, 44_818), data);
        seen.iter().filter_map(|line| line.strip_prefix("ics-function ics.")).map(str::to_owned).collect()
    }

    #[test]
    fn commands_and_services_are_shown_once() {
        let register = message(0x65, 0, &[1, 0, 0, 0]);
        let read = unconnected(&[0x0E, 3, 0x20, 1, 0x24, 1, 0x30, 7]);
        let write = unconnected(&[0x4D, 2, 0x91, 1, b'a', 0, 0xC4, 0, 1, 0, 1, 0, 0, 0]);
        let embedded = [0x05, 2, 0x20, 1, 0x24, 1];
        let send = unconnected(&[&[0x52, 2, 0x20, 6, 0x24, 1, 10, 14, 6, 0][..], &embedded, &[1, 0, 1, 0]].concat());
        assert_eq!(
            shown(&[register, read, write.clone(), write, send].concat()),
            [
                "enip.function enip:register-session",
                "enip.function enip:send-rr-data",
                "cip.function cip:get-attribute-single",
                "cip.operation cip:any-read",
                "cip.function cip:write-tag",
                "cip.operation cip:any-write",
                "cip.function cip:unconnected-send",
                "cip.function cip:reset",
                "cip.operation cip:any-control",
            ]
        );
    }

    #[test]
    fn services_of_a_class_are_not_taken_for_another_s() {
        let close = unconnected(&[0x4E, 2, 0x20, 6, 0x24, 1, 0, 0]);
        let own = unconnected(&[0x4D, 2, 0x20, 0x70, 0x24, 1]);
        let answer = unconnected(&[0xCE, 0, 0, 0]);
        let mode = unconnected(&[0x4B, 2, 0x20, 0x67, 0x24, 1, 7, 1, 2, 3, 4, 5, 6, 0x0F, 0, 1, 1, 0x80, 2]);
        assert_eq!(
            shown(&[close, own, answer, mode].concat()),
            [
                "enip.function enip:send-rr-data",
                "cip.function cip:forward-close",
                "cip.function cip:object-specific-service",
                "cip.function cip:pccc-change-mode",
                "cip.operation cip:any-control",
            ]
        );
    }

    #[test]
    fn several_services_in_one_packet_and_packets_in_packets_are_bounded() {
        let inner =
            [0x0A, 2, 0x20, 2, 0x24, 1, 2, 0, 6, 0, 12, 0, 0x4C, 2, 0x91, 1, b'a', 0, 0x10, 2, 0x20, 1, 0x24, 1];
        assert_eq!(shown(&unconnected(&inner)).len(), 6);
        // Its count is a service, too: offset 0 leads back to the packet itself.
        let endless = [0x0A, 0, 0x0A, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(shown(&unconnected(&endless)).len(), 2);
    }

    #[test]
    fn foreign_bytes_are_turned_down() {
        let hint = tcp(40_000, 44_818);
        assert_eq!(Enip::probe(&message(0x63, 0, &[]), &udp(1, 44_818)), Probe::Yes);
        assert_eq!(Enip::probe(&message(0x63, 0, &[]), &udp(1, 2)), Probe::No);
        assert_eq!(Enip::probe(&message(0x65, 0, &[1, 0, 0, 0]), &tcp(1, 2)), Probe::Yes);
        for bad in [
            message(0x65, 0, &[2, 0, 0, 0]),
            message(0x6F, 0, &[0; 16]),
            message(0x70, 9, &[1; 16]),
            message(0x66, 0, &[]),
        ] {
            assert_eq!(Enip::probe(&bad, &hint), Probe::No, "{bad:?}");
        }
        let mut options = message(0x65, 0, &[1, 0, 0, 0]);
        options[20] = 1;
        assert_eq!(Enip::probe(&options, &hint), Probe::No);
        let implicit = [2, 0, 2, 0x80, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xB1, 0, 2, 0, 9, 9];
        assert_eq!(Enip::probe(&implicit, &udp(1, 2)), Probe::Yes);
        assert_eq!(Enip::probe(&implicit[..19], &udp(1, 2)), Probe::No);
    }
}
