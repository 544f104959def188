//! The Internet checksum (RFC 1071), of headers and, with the pseudo-header of RFC 9293 3.1 and RFC 8200 8.1, of what they carry.
//!
//! Used only where a user asks for it; the way most packets go knows nothing of it. A packet on its way along a routing header
//! (segments left) has another destination than its checksum counts, and looks wrong.

use super::{Cursor, Packet, protocol};

/// Whether bytes that contain their checksum add up, on top of a partial sum.
pub(super) fn holds(partial: u64, bytes: &[u8]) -> bool {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let sum: u64 = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum();
    let last = rest.first().map_or(0, |&byte| u64::from(byte) << 8);
    folded(partial + sum + last) == 0xffff
}

/// Whether the layer-4 bytes that a cursor stands before add up with the packet's addresses. So do, for want of the bytes, a
/// fragment and what a snap length cut.
pub(super) fn holds_with_addresses(cursor: &Cursor<'_>, packet: &Packet) -> bool {
    if packet.is_fragment || cursor.missing_bytes > 0 {
        return true;
    }
    let rest = cursor.rest();
    // UDP says itself how long it is; what it says wrongly, or not (a jumbogram), cannot be checked.
    let bytes = match (packet.protocol, rest) {
        (protocol::UDP, [_, _, _, _, high, low, ..]) => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            match rest.get(..length) {
                Some(bytes) if length >= 8 => bytes,
                _ => return true,
            }
        }
        _ => rest,
    };
    let halves = [packet.source.halves(), packet.destination.halves()];
    // IPv4 is kept mapped; only its own four bytes count.
    let address = |[high, low]: [u64; 2]| match packet.ip_version {
        4 => sum_of_words(low & 0xffff_ffff),
        _ => sum_of_words(high) + sum_of_words(low),
    };
    let addresses: u64 = halves.into_iter().map(address).sum();
    holds(addresses + u64::from(packet.protocol) + sum_of_words(bytes.len() as u64), bytes)
}

fn sum_of_words(number: u64) -> u64 {
    (number >> 48) + (number >> 32 & 0xffff) + (number >> 16 & 0xffff) + (number & 0xffff)
}

fn folded(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use crate::packet::{ErrorKind, Layer, LinkType, verify};

    proptest! {
        /// What etherparse writes is right; one changed byte that a checksum covers is not (IPv6 has none of its own header, but
        /// addresses are in the pseudo-header).
        #[test]
        fn one_changed_byte_is_seen(
            is_tcp in any::<bool>(),
            is_v6 in any::<bool>(),
            payload in prop::collection::vec(any::<u8>(), 0..60),
            at in any::<prop::sample::Index>(),
            change in 1u8..,
        ) {
            let mut frame = frame(is_tcp, is_v6, &payload);
            prop_assert_eq!(verify(&frame, LinkType::ETHERNET), None);
            let layer4 = if is_v6 { 54 } else { 34 };
            let place = layer4 + at.index(frame.len() - layer4);
            // Lengths and the data offset decide what is read at all; a UDP checksum of 0 is none.
            let decides = if is_tcp { layer4 + 12..layer4 + 13 } else { layer4 + 4..layer4 + 8 };
            prop_assume!(!decides.contains(&place));
            frame[place] ^= change;
            prop_assert_eq!(verify(&frame, LinkType::ETHERNET).map(|wrong| wrong.kind), Some(ErrorKind::BadChecksum));
        }
    }

    fn frame(is_tcp: bool, is_v6: bool, payload: &[u8]) -> Vec<u8> {
        let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let ip = if is_v6 {
            link.ipv6([0xfd; 16], [0xfe; 16], 64)
        } else {
            link.ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64)
        };
        let mut frame = Vec::new();
        if is_tcp {
            ip.tcp(1234, 80, 7, 1024).syn().ack(9).write(&mut frame, payload).expect("writes");
        } else {
            ip.udp(1234, 53).write(&mut frame, payload).expect("writes");
        }
        frame
    }

    #[test]
    fn a_header_is_checked_and_what_was_cut_is_not() {
        let good = frame(true, false, b"hello");
        let mut header = good.clone();
        header[22] ^= 1;
        assert_eq!(verify(&header, LinkType::ETHERNET).map(|wrong| wrong.layer), Some(Layer::Ipv4));
        let mut payload = good.clone();
        payload[56] ^= 1;
        assert_eq!(verify(&payload, LinkType::ETHERNET).map(|wrong| wrong.layer), Some(Layer::Tcp));
        assert_eq!(verify(&payload[..57], LinkType::ETHERNET), None);
        let mut udp = frame(false, false, b"hello");
        (udp[40], udp[41]) = (0, 0);
        assert_eq!(verify(&udp, LinkType::ETHERNET), None);
    }
}
