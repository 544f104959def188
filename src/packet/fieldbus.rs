//! Control-system protocols straight in Ethernet frames: PROFINET DCP (IEC 61158-6-10) and GOOSE (IEC 61850-8-1). There is no IP:
//! the ends are the frame's hardware addresses ([`Ends::Hardware`]); the port of the end that is asked or told is the EtherType, that
//! of the other end 0.
//!
//! Of PROFINET only the frames of DCP are taken; cyclic data stays counted by its EtherType, as do both protocols on links that
//! have no Ethernet header.

use super::{Address, Cursor, Ends, ErrorKind, Layer, Next, Packet, Step};

/// EtherType of PROFINET.
pub const PROFINET: u16 = 0x8892;

/// EtherType of GOOSE.
pub const GOOSE: u16 = 0x88b8;

/// Where DCP says whether a frame is a request (0) or an answer.
const SERVICE_TYPE_AT: usize = 3;

/// Frame ids of DCP: hello, get and set, identify request and response.
const DCP: std::ops::RangeInclusive<u16> = 0xfefc..=0xfeff;

pub(super) fn fieldbus(cursor: &mut Cursor<'_>, packet: &mut Packet, number: u16) -> Step {
    let other = (Layer::Ethernet, ErrorKind::EtherType(number));
    let (destination, source) = cursor.hardware.ok_or(other)?;
    let frame_id = cursor.rest().first_chunk().map(|id| u16::from_be_bytes(*id));
    if number == PROFINET && frame_id.is_some_and(|id| !DCP.contains(&id)) {
        return Err(other);
    }
    packet.ip_version = Packet::NO_IP;
    packet.ends = Ends::Hardware;
    packet.source = Address::hardware(source);
    packet.destination = Address::hardware(destination);
    let is_answer = number == PROFINET && cursor.rest().get(SERVICE_TYPE_AT).is_some_and(|kind| *kind != 0);
    (packet.source_port, packet.destination_port) = if is_answer { (number, 0) } else { (0, number) };
    Ok(Next::Done)
}
