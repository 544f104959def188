//! OpenFlow (Open Networking Foundation, 1.0 to 1.5) over TCP, on its ports: the packets that a switch hands to its controller
//! (packet-in) and the controller has sent (packet-out).
//!
//! Of each packet both ends' addresses are shown, those of tunnels around it too, and a datagram of UDP is read as one of the protocol
//! that it begins. Not read: TCP payload, fragments, what a switch keeps in a buffer, everything else that OpenFlow says. OpenFlow over
//! TLS is TLS.

use super::{Hint, Identified, Parser, Probe, Progress, Session, Starts};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Field, Observable, Seen, Transport, Value, Where, kind};
use crate::packet::{Beside, Ends, LinkType, Packet, decode_into, protocol};

/// IANA's port, and the one used before.
const PORTS: [u16; 2] = [6653, 6633];
const HEADER_BYTES: usize = 8;
const PACKET_IN: u8 = 10;
const PACKET_OUT: u8 = 13;
/// The greatest message type of any version.
const MAX_TYPE: u8 = 35;
/// The greatest version, which is 1.5.
const MAX_VERSION: u8 = 6;

/// There is no state.
#[derive(Debug, Default)]
pub struct OpenFlow;

impl Parser for OpenFlow {
    const NAME: &'static str = "openflow";
    const MAX_PENDING_BYTES: usize = u16::MAX as usize;
    const STARTS: Starts = Starts::tcp(&[(1, MAX_VERSION)]);

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        let is_ours = hint.transport == Transport::Tcp
            && matches!(data.first(), None | Some(1..=MAX_VERSION))
            && PORTS.iter().any(|port| hint.uses(*port));
        match data {
            _ if !is_ours => Probe::No,
            [_, 0..=MAX_TYPE, high, low, ..] => match u16::from_be_bytes([*high, *low]) {
                0..8 => Probe::No,
                _ => Probe::Yes,
            },
            [] | [_] | [_, 0..=MAX_TYPE, ..] => Probe::Unsure,
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            let Some(&[version, kind, high, low, ..]) = rest.first_chunk::<HEADER_BYTES>() else {
                return Progress::Consumed { bytes: at, need: HEADER_BYTES };
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length < HEADER_BYTES || !(1..=MAX_VERSION).contains(&version) {
                return Progress::Stopped("OpenFlow framing lost");
            }
            if !matches!(kind, PACKET_IN | PACKET_OUT) {
                if length > rest.len() {
                    return Progress::Skip((at + length) as u64);
                }
                at += length;
                continue;
            }
            let Some(message) = rest.get(HEADER_BYTES..length) else {
                return Progress::Consumed { bytes: at, need: length };
            };
            at += length;
            let frame = if kind == PACKET_IN { packet_in(version, message) } else { packet_out(version, message) };
            match frame {
                Some(frame) => show(frame, direction, hint, seen),
                None => return Progress::Damaged { bytes: at, need: 0, reason: "malformed OpenFlow packet" },
            }
        }
    }
}

/// The frame in a packet-in, behind fields that each version has in another order.
fn packet_in(version: u8, message: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(message);
    match version {
        1 => reader.skip(10)?,
        2 => reader.skip(16)?,
        _ => {
            // Buffer, length, reason, table; then a cookie from 1.3 on.
            reader.skip(if version == 3 { 8 } else { 16 })?;
            skip_match(&mut reader)?;
            reader.skip(2)?;
        }
    }
    Some(reader.rest())
}

/// The frame in a packet-out, behind its actions.
fn packet_out(version: u8, message: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(message);
    // Buffer and port; in 1.5 the port is part of a match.
    reader.skip(match version {
        1 => 6,
        6 => 4,
        _ => 8,
    })?;
    let actions = usize::from(reader.u16()?);
    match version {
        1 => {}
        6 => {
            reader.skip(2)?;
            skip_match(&mut reader)?;
        }
        _ => reader.skip(6)?,
    }
    reader.skip(actions)?;
    Some(reader.rest())
}

/// Type, length with these four bytes, fields; padded to a multiple of eight.
fn skip_match(reader: &mut Reader<'_>) -> Option<()> {
    reader.skip(2)?;
    let length = usize::from(reader.u16()?).max(4);
    reader.skip(length.next_multiple_of(8) - 4)
}

/// Shows a frame's ends, and what its datagram says.
fn show(frame: &[u8], direction: Direction, hint: &Hint, seen: Seen<'_>) {
    let (mut packet, mut beside) = (Packet::default(), Beside::default());
    decode_into(&mut packet, frame, LinkType::ETHERNET, &mut beside);
    for packet in beside.outer.iter().chain([&packet]).filter(|packet| is_of_ip(packet)) {
        show_ends(packet, seen);
    }
    if packet.protocol != protocol::UDP || !packet.is_readable() {
        return;
    }
    let hint = Hint {
        transport: Transport::Udp,
        source_port: packet.source_port,
        destination_port: packet.destination_port,
        ..*hint
    };
    let payload = packet.payload(frame);
    if let Identified::Yes(mut session) = Session::identify(payload, &hint) {
        let _ = session.parse_further(direction, payload, &hint, seen);
    }
}

fn is_of_ip(packet: &Packet) -> bool {
    matches!(packet.ip_version, 4 | 6) && packet.ends != Ends::Hardware
}

fn show_ends(packet: &Packet, seen: Seen<'_>) {
    let transport = match packet.protocol {
        protocol::TCP => Some(Transport::Tcp),
        protocol::UDP => Some(Transport::Udp),
        _ => None,
    };
    let with = [
        Field::number("openflow.packet.source.port", u64::from(packet.source_port)),
        Field::number("openflow.packet.destination.port", u64::from(packet.destination_port)),
    ];
    let with = if transport.is_some() { &with[..] } else { &[] };
    for (address, port, at) in [
        (packet.source, packet.source_port, "openflow.packet.source.ip"),
        (packet.destination, packet.destination_port, "openflow.packet.destination.ip"),
    ] {
        let ip = address.ip();
        let value = Value::Endpoint(ip, port, transport);
        seen(Observable { kind: kind::of_addr(ip), value, at: Where(at), with });
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::super::testing::{Stream, same_in_any_segments, tcp};
    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64)
            .udp(40_000, 53)
            .write(&mut out, payload)
            .expect("writes");
        out
    }

    fn message(version: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let length = (HEADER_BYTES + body.len()) as u16;
        [&[version, kind][..], &length.to_be_bytes(), &[0, 0, 0, 9], body].concat()
    }

    /// Each version's packet-in and packet-out of a frame.
    fn messages(frame: &[u8]) -> Vec<Vec<u8>> {
        // A match of twelve bytes, padded to sixteen.
        let fields = [0, 1, 0, 12, 0x80, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0];
        let action = [0, 0, 0, 8, 0, 1, 0, 0];
        let of = |version, kind, parts: &[&[u8]]| message(version, kind, &[&parts.concat(), frame].concat());
        let mut out = vec![
            of(1, PACKET_IN, &[&[0; 10]]),
            of(1, PACKET_OUT, &[&[0; 6], &[0, 8], &action]),
            of(2, PACKET_IN, &[&[0; 16]]),
            of(3, PACKET_IN, &[&[0; 8], &fields, &[0; 2]]),
            of(6, PACKET_OUT, &[&[0; 4], &[0, 8], &[0; 2], &fields, &action]),
        ];
        for version in 2..=5 {
            out.push(of(version, PACKET_OUT, &[&[0; 8], &[0, 8], &[0; 6], &action]));
        }
        for version in 4..=6 {
            out.push(of(version, PACKET_IN, &[&[0; 16], &fields, &[0; 2]]));
        }
        out
    }

    const ENDS: [&str; 2] = [
        "ipv4-addr openflow.packet.source.ip 192.0.2.1 40000",
        "ipv4-addr openflow.packet.destination.ip 198.51.100.2 53",
    ];

    #[test]
    fn packets_of_every_version() {
        for message in messages(&frame(b"")) {
            let hello = self::message(message[0], 0, &[0; 8]);
            let data = [hello, message].concat();
            assert_eq!(same_in_any_segments::<OpenFlow>(Direction::ToResponder, tcp(40_000, 6653), &data), ENDS);
        }
    }

    #[test]
    fn a_datagram_is_read() {
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04evil\x07example\0\0\x01\0\x01";
        let data = messages(&frame(query)).concat();
        let seen = same_in_any_segments::<OpenFlow>(Direction::ToOriginator, tcp(6633, 40_000), &data);
        assert_eq!(seen.len(), 12 * 3);
        assert_eq!(seen[2], "domain-name dns.question.name evil.example");
    }

    #[test]
    fn damage_is_said_and_other_ports_are_not_its() {
        let short = message(4, PACKET_IN, &[0; 5]);
        let data = [short, messages(&frame(b"")).concat()].concat();
        let stream = Stream::<OpenFlow>::of(Direction::ToResponder, tcp(40_000, 6653), &data, &[]);
        assert!(matches!(stream.ended, Some(Progress::Damaged { .. })) && stream.seen.len() == 24);
        let lost = message(4, 0, &[]).iter().map(|byte| if *byte == 8 { 7 } else { *byte }).collect::<Vec<_>>();
        let stream = Stream::<OpenFlow>::of(Direction::ToResponder, tcp(40_000, 6653), &lost, &[]);
        assert!(matches!(stream.ended, Some(Progress::Stopped(_))));
        let hello = message(4, 0, &[]);
        assert_eq!(OpenFlow::probe(&hello, &tcp(40_000, 6653)), Probe::Yes);
        assert_eq!(OpenFlow::probe(&hello, &tcp(40_000, 443)), Probe::No);
        assert_eq!(OpenFlow::probe(&hello[..3], &tcp(6633, 40_000)), Probe::Unsure);
        assert_eq!(OpenFlow::probe(b"GET / HTTP", &tcp(40_000, 6653)), Probe::No);
    }
}
