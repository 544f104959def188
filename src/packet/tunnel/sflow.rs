//! sFlow version 5 (sflow.org): the headers of sampled packets in a datagram.
//!
//! Not read: other versions, counters, records that name addresses without a packet, and samples of link layers that are not in
//! [`header`]. The datagram itself stays an ordinary one.

use super::super::{Cursor, Layer, Next, Packet};
use super::{Scope, inside};
use crate::bytes::Reader;

/// Samples, and records in one, that are looked at: more than a datagram has room for.
const MAX_SAMPLES: u32 = 1024;

const FLOW_SAMPLE: u32 = 1;
const EXPANDED_FLOW_SAMPLE: u32 = 3;
const RAW_HEADER: u32 = 1;

/// Where a sampled packet lies.
struct Sampled {
    at: usize,
    bytes: usize,
    wire_bytes: usize,
    next: Next,
}

/// Notes the packets that the datagram samples.
pub(super) fn samples(cursor: &mut Cursor<'_>, packet: &Packet) {
    let inner = inside(packet, Layer::Sflow, Scope::Ends);
    let found = |cursor: &mut Cursor<'_>, sampled: &Sampled| {
        cursor.add_part(Layer::Sflow, (sampled.at, sampled.bytes, sampled.wire_bytes), sampled.next, inner);
    };
    let bytes = cursor.rest();
    let _ = read(bytes, &mut |sampled| found(cursor, sampled));
}

/// Version, agent's address, its part, sequence, uptime, how many; then each sample with its format and length. `None` where the
/// bytes end or make no sense; what came before was found.
fn read(bytes: &[u8], found: &mut dyn FnMut(&Sampled)) -> Option<()> {
    let mut reader = Reader::new(bytes);
    if reader.u32()? != 5 {
        return None;
    }
    let address_bytes = match reader.u32()? {
        1 => 4,
        2 => 16,
        _ => return None,
    };
    reader.skip(address_bytes)?;
    reader.skip(12)?;
    for _ in 0..reader.u32()?.min(MAX_SAMPLES) {
        let (format, length) = (reader.u32()?, reader.u32()? as usize);
        let at = reader.position();
        let length = length.min(reader.rest().len());
        // Sequence, source, rate, pool, drops, interfaces; the expanded form has two words for a source and each interface.
        let head_bytes = match format {
            FLOW_SAMPLE => Some(28),
            EXPANDED_FLOW_SAMPLE => Some(40),
            _ => None,
        };
        if let (Some(head_bytes), Some(sample)) = (head_bytes, reader.rest().get(..length)) {
            let _ = records(sample, head_bytes, at, found);
        }
        reader.skip(length)?;
    }
    Some(())
}

/// How many, then each record with its format and length.
fn records(sample: &[u8], head_bytes: usize, base: usize, found: &mut dyn FnMut(&Sampled)) -> Option<()> {
    let mut reader = Reader::new(sample);
    reader.skip(head_bytes)?;
    for _ in 0..reader.u32()?.min(MAX_SAMPLES) {
        let (format, length) = (reader.u32()?, reader.u32()? as usize);
        let at = base + reader.position();
        let record = reader.rest().get(..length.min(reader.rest().len()))?;
        if format == RAW_HEADER {
            let mut raw = Reader::new(record);
            let (protocol, wire_bytes) = (raw.u32()?, raw.u32()? as usize);
            raw.skip(4)?;
            let bytes = (raw.u32()? as usize).min(raw.rest().len());
            if let Some(next) = header(protocol) {
                found(&Sampled { at: at + raw.position(), bytes, wire_bytes, next });
            }
        }
        reader.skip(length)?;
    }
    Some(())
}

/// The header that a sampled packet begins with, by sFlow's number.
fn header(protocol: u32) -> Option<Next> {
    Some(match protocol {
        1 => Next::Ethernet,
        4 => Next::Fddi,
        5 => Next::FrameRelay,
        7 | 14 => Next::Ppp,
        11 => Next::Ipv4,
        12 => Next::Ipv6,
        13 => Next::Mpls,
        15 => Next::Wifi { swapped: false, is_padded: false },
        _ => return None,
    })
}
