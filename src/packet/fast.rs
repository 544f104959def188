//! The way most packets go: Ethernet, IPv4 without options, whole TCP or UDP. Anything else is left to the layer loop, and
//! a property test holds the two to the same answer.

use super::ethernet::number::IPV4;
use super::{Address, Packet, protocol, tcp_flag};

/// Ethernet, IPv4 and UDP headers.
const UDP_BYTES: usize = 14 + 20 + 8;
/// Ethernet, IPv4 and the fixed part of TCP.
const TCP_BYTES: usize = 14 + 20 + 20;
/// IPv4: more fragments, and the fragment offset.
const FRAGMENT: u16 = 0x3fff;

/// Decodes the frame if it is of the common form; false, and nothing written, if not.
#[inline(always)]
pub(super) fn decode(packet: &mut Packet, data: &[u8]) -> bool {
    let Some(head) = data.first_chunk::<UDP_BYTES>() else { return false };
    let two = |at: usize| u16::from_be_bytes([at_of(head, at), at_of(head, at + 1)]);
    let total = usize::from(two(16));
    let protocol_number = at_of(head, 23);
    if two(12) != IPV4 || at_of(head, 14) != 0x45 || two(20) & FRAGMENT != 0 || 14 + total > data.len() {
        return false;
    }
    let payload_at = match protocol_number {
        protocol::UDP if total >= 28 => {
            let length = usize::from(two(38));
            if length < 8 || length > total - 20 {
                return false;
            }
            packet.payload_bytes = (length - 8) as u32;
            UDP_BYTES
        }
        protocol::TCP if total >= 40 => {
            let Some(tcp) = data.first_chunk::<TCP_BYTES>() else { return false };
            let offset = usize::from(at_of(tcp, 46) >> 4) * 4;
            if offset < 20 || offset > total - 20 || at_of(tcp, 47) & tcp_flag::URG != 0 {
                return false;
            }
            let four = |at: usize| {
                u32::from_be_bytes([at_of(tcp, at), at_of(tcp, at + 1), at_of(tcp, at + 2), at_of(tcp, at + 3)])
            };
            packet.sequence = four(38);
            packet.acknowledgement = four(42);
            packet.tcp_flags = at_of(tcp, 47);
            packet.payload_bytes = (total - 20 - offset) as u32;
            14 + 20 + offset
        }
        _ => return false,
    };
    packet.payload_at = payload_at as u32;
    packet.ip_version = 4;
    packet.protocol = protocol_number;
    packet.source = Address::v4([at_of(head, 26), at_of(head, 27), at_of(head, 28), at_of(head, 29)]);
    packet.destination = Address::v4([at_of(head, 30), at_of(head, 31), at_of(head, 32), at_of(head, 33)]);
    (packet.source_port, packet.destination_port) = (two(34), two(36));
    true
}

/// A byte at an offset that is always inside: the compiler sees that and leaves no check behind.
#[inline(always)]
fn at_of<const N: usize>(bytes: &[u8; N], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::packet::{LinkType, decode_layers};

    proptest! {
        /// Valid packets with a few bytes changed and any cut: what the fast way accepts, the layer loop reads alike.
        #[test]
        fn both_ways_agree(
            is_tcp in any::<bool>(),
            payload in prop::collection::vec(any::<u8>(), 0..40),
            padding in 0usize..20,
            changes in prop::collection::vec((0usize..60, any::<u8>()), 0..4),
            cut in 0usize..140,
        ) {
            let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64);
            let mut frame = Vec::new();
            if is_tcp {
                builder.tcp(1234, 80, 7, 1024).syn().ack(9).write(&mut frame, &payload).expect("writes");
            } else {
                builder.udp(1234, 53).write(&mut frame, &payload).expect("writes");
            }
            frame.resize(frame.len() + padding, 0xee);
            for (at, value) in changes {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            frame.truncate(cut.max(1));
            let mut fast = Packet::default();
            if decode(&mut fast, &frame) {
                let mut slow = Packet::default();
                decode_layers(&mut slow, &frame, LinkType::ETHERNET);
                prop_assert_eq!(fast, slow);
            } else {
                prop_assert_eq!(fast.ip_version, 0);
            }
        }
    }

    #[test]
    fn the_common_forms_go_this_way() {
        let builder = || PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64);
        let mut tcp = Vec::new();
        builder().tcp(1234, 80, 7, 1024).write(&mut tcp, b"x").expect("writes");
        let mut udp = Vec::new();
        builder().udp(1234, 53).write(&mut udp, b"").expect("writes");
        assert!(decode(&mut Packet::default(), &tcp) && decode(&mut Packet::default(), &udp));
    }
}
