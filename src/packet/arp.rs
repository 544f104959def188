//! ARP and RARP (RFC 826, 903) over Ethernet for IPv4: the sender's and the target's protocol addresses are the packet's ends.

use super::{Address, Cursor, Ends, ErrorKind, Layer, Next, Packet, Step};

pub(super) fn arp(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    const TRUNCATED: (Layer, ErrorKind) = (Layer::Arp, ErrorKind::Truncated);
    let [_, _, kind_high, kind_low, hardware_bytes, protocol_bytes, _, _]: [u8; 8] =
        cursor.reader.array().ok_or(TRUNCATED)?;
    if (kind_high, kind_low, protocol_bytes) != (8, 0, 4) {
        return Err((Layer::Arp, ErrorKind::BadHeader));
    }
    cursor.skip(Layer::Arp, usize::from(hardware_bytes))?;
    let sender = cursor.reader.array().ok_or(TRUNCATED)?;
    cursor.skip(Layer::Arp, usize::from(hardware_bytes))?;
    let target = cursor.reader.array().ok_or(TRUNCATED)?;
    packet.ip_version = 4;
    packet.ends = Ends::Arp;
    packet.source = Address::v4(sender);
    packet.destination = Address::v4(target);
    Ok(Next::Done)
}
