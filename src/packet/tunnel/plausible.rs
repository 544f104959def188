//! Whether bytes look like a given header: what a tunnel on a UDP port must prove before it is believed, because the port alone
//! says nothing.
//!
//! `room` is how many bytes there were on the wire; `bytes` may be fewer where the capture cut them.

use super::super::Next;
use super::super::ethernet::number;
use super::super::wifi;

/// VLAN tags looked past, at most.
const MAX_TAGS: usize = 4;

/// Whether `next` may begin here.
pub(in crate::packet) fn is(next: Next, bytes: &[u8], room: usize) -> bool {
    match next {
        Next::Ipv4 => ipv4(bytes, room),
        Next::Ipv6 => ipv6(bytes, room),
        Next::AnyIp => ipv4(bytes, room) || ipv6(bytes, room),
        Next::Ethernet => ethernet(bytes, room),
        Next::Mpls => mpls(bytes, room),
        Next::Ppp => ppp(bytes),
        Next::Wifi { swapped, .. } => wifi::looks_right(bytes, swapped),
        Next::Radiotap => bytes.starts_with(&[0, 0]),
        Next::Prism => bytes.len() >= 144,
        _ => false,
    }
}

/// Version, header length, and a total length that fits.
pub(in crate::packet) fn ipv4(bytes: &[u8], room: usize) -> bool {
    let [first, _, high, low, ..] = *bytes else { return false };
    let total = usize::from(u16::from_be_bytes([high, low]));
    let header = usize::from(first & 15) * 4;
    first >> 4 == 4 && header >= 20 && total >= header && total <= room
}

/// Version, and a payload length that fits.
pub(in crate::packet) fn ipv6(bytes: &[u8], room: usize) -> bool {
    let [first, _, _, _, high, low, ..] = *bytes else { return false };
    first >> 4 == 6 && 40 + usize::from(u16::from_be_bytes([high, low])) <= room
}

/// A protocol that is known to be carried, past any tags, and an IP header that fits where it is IP.
pub(in crate::packet) fn ethernet(bytes: &[u8], room: usize) -> bool {
    let mut rest = bytes.get(12..).unwrap_or_default();
    for _ in 0..=MAX_TAGS {
        let Some((&kind, after)) = rest.split_first_chunk::<2>() else { return false };
        let room = room.saturating_sub(bytes.len() - after.len());
        match u16::from_be_bytes(kind) {
            number::IPV4 => return ipv4(after, room),
            number::IPV6 => return ipv6(after, room),
            number::ARP | number::RARP => return after.starts_with(&[0, 1, 8, 0, 6, 4]),
            number::MPLS | number::MPLS_UPSTREAM => return mpls(after, room),
            number::VLAN | number::PROVIDER_VLAN | number::OLD_QINQ | number::OLD_QINQ_2 => {
                rest = after.get(2..).unwrap_or_default();
            }
            // PPPoE, EAPOL, LLDP, MACsec, CFM, loopback test.
            0x8863 | 0x8864 | 0x888e | 0x88cc | 0x88e5 | 0x8902 | 0x9000 => return true,
            // 802.3 with the LLC of SNAP, spanning tree, NetBIOS, ISO.
            length @ 3..=1500 => {
                let is_known = matches!(after.first(), Some(0xaa | 0x42 | 0xf0 | 0xfe));
                return is_known && after.first() == after.get(1) && usize::from(length) <= room;
            }
            _ => return false,
        }
    }
    false
}

/// A label stack of at most [`MAX_TAGS`] entries, then IP, or Ethernet with or without a control word.
fn mpls(bytes: &[u8], room: usize) -> bool {
    let mut rest = bytes;
    for _ in 0..MAX_TAGS {
        let Some((&[_, _, third, _], after)) = rest.split_first_chunk() else { return false };
        rest = after;
        if third & 1 != 0 {
            let room = room.saturating_sub(bytes.len() - rest.len());
            let behind_word = rest.get(4..).unwrap_or_default();
            return ipv4(rest, room)
                || ipv6(rest, room)
                || ethernet(rest, room)
                || ethernet(behind_word, room.saturating_sub(4));
        }
    }
    false
}

/// Address and control, or a protocol that is known without them.
fn ppp(bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    match *rest {
        [0x21 | 0x57, first, ..] => matches!(first >> 4, 4 | 6),
        [0x00, 0x21, first, ..] => first >> 4 == 4,
        [0x00, 0x57, first, ..] => first >> 4 == 6,
        // Compressed datagrams; IPCP, IPv6CP, CCP; LCP, PAP, LQR, CHAP, EAP.
        [0x00, 0xfd, ..] | [0x80, 0x21 | 0x57 | 0xfd, ..] => true,
        [0xc0, 0x21 | 0x23 | 0x25, ..] | [0xc2, 0x23 | 0x27, ..] => true,
        _ => false,
    }
}
