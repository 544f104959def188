//! Overlays and mirrors over UDP: VXLAN (RFC 7348, with the group policy extension), VXLAN-GPE
//! (draft-ietf-nvo3-vxlan-gpe), GENEVE (RFC 8926), MPLS (RFC 7510), LISP data and encapsulated control (RFC 9300, 9301), TZSP.

use super::super::{Layer, Next};
use super::Scope;
use super::udp::Found;
use crate::bytes::Reader;

/// Tagged fields of a TZSP header, at most; senders have about six.
const MAX_TZSP_TAGS: usize = 32;

/// Flags with the VNI's bit, a group policy or zeros, the VNI, a zero.
pub(super) fn vxlan(payload: &[u8], _room: usize) -> Option<Found> {
    let &[flags, policy, group_high, group_low, a, b, c, zero] = payload.first_chunk()?;
    let is_plain = flags == 0x08 && [policy, group_high, group_low] == [0; 3];
    // Group policy: don't learn, applied.
    let has_policy = flags == 0x88 && policy & !0x48 == 0;
    if !(is_plain || has_policy) || zero != 0 {
        return vxlan_gpe(payload, 0);
    }
    Some(ethernet(Layer::Vxlan, 8, u32::from_be_bytes([0, a, b, c])))
}

/// Version 0, VNI, next protocol; not operations or management.
pub(super) fn vxlan_gpe(payload: &[u8], _room: usize) -> Option<Found> {
    let &[flags, 0, 0, protocol, a, b, c, 0] = payload.first_chunk()? else { return None };
    // I and P, perhaps B; version (0x30) and O (0x01) are zero.
    if flags & !0x02 != 0x0c {
        return None;
    }
    let next = match protocol {
        1 => Next::Ipv4,
        2 => Next::Ipv6,
        3 => Next::Ethernet,
        5 => Next::Mpls,
        _ => return None,
    };
    Some(Found { layer: Layer::Vxlan, header_bytes: 8, next, scope: Scope::Id(u32::from_be_bytes([0, a, b, c])) })
}

/// Version 0, options whose lengths add up, protocol type, VNI, a zero.
pub(super) fn geneve(payload: &[u8], _room: usize) -> Option<Found> {
    let (&[lengths, flags, high, low, a, b, c, zero], behind) = payload.split_first_chunk()?;
    let option_bytes = usize::from(lengths & 0x3f) * 4;
    if lengths >> 6 != 0 || flags & 0x3f != 0 || zero != 0 {
        return None;
    }
    let mut options = Reader::new(behind).sub(option_bytes)?;
    while !options.is_empty() {
        let [_, _, _, length]: [u8; 4] = options.array()?;
        options.skip(usize::from(length & 0x1f) * 4)?;
    }
    let next = match u16::from_be_bytes([high, low]) {
        0x6558 => Next::Ethernet,
        0x0800 => Next::Ipv4,
        0x86dd => Next::Ipv6,
        0x8847 => Next::Mpls,
        _ => return None,
    };
    let scope = Scope::Id(u32::from_be_bytes([0, a, b, c]));
    Some(Found { layer: Layer::Geneve, header_bytes: 8 + option_bytes, next, scope })
}

pub(super) fn mpls(_payload: &[u8], _room: usize) -> Option<Found> {
    Some(Found { layer: Layer::Mpls, header_bytes: 0, next: Next::Mpls, scope: Scope::Ends })
}

/// Flags whose combination is allowed, nonce or map version, instance or status bits.
pub(super) fn lisp(payload: &[u8], _room: usize) -> Option<Found> {
    let &[flags, _, _, _, a, b, c, _] = payload.first_chunk()?;
    let (nonce, echo, version, instance) = (flags & 0x80, flags & 0x20, flags & 0x10, flags & 0x08);
    if (nonce != 0 && version != 0) || (echo != 0 && nonce == 0) {
        return None;
    }
    let scope = if instance != 0 { Scope::Id(u32::from_be_bytes([0, a, b, c])) } else { Scope::Ends };
    Some(Found { layer: Layer::Lisp, header_bytes: 8, next: Next::AnyIp, scope })
}

/// Type 8 without security: an IP packet that holds the control message.
pub(super) fn lisp_control(payload: &[u8], _room: usize) -> Option<Found> {
    let &[kind, 0, 0, 0] = payload.first_chunk()? else { return None };
    // D, E and M may be set, S not.
    (kind & 0xf8 == 0x80).then_some(Found {
        layer: Layer::Lisp,
        header_bytes: 4,
        next: Next::AnyIp,
        scope: Scope::Ends,
    })
}

/// Version 1, a received or sent frame, what it is, tagged fields up to an end.
pub(super) fn tzsp(payload: &[u8], _room: usize) -> Option<Found> {
    const PADDING: u8 = 0;
    const END: u8 = 1;
    let mut reader = Reader::new(payload);
    let [version, kind] = reader.array()?;
    let next = match reader.u16()? {
        1 => Next::Ethernet,
        18 => Next::Wifi { swapped: false, is_padded: false },
        119 => Next::Prism,
        127 => Next::Radiotap,
        _ => return None,
    };
    if version != 1 || kind > 1 {
        return None;
    }
    for _ in 0..MAX_TZSP_TAGS {
        match reader.u8()? {
            PADDING => {}
            END => {
                return Some(Found { layer: Layer::Tzsp, header_bytes: reader.position(), next, scope: Scope::Ends });
            }
            _ => {
                let length = reader.u8()?;
                reader.skip(usize::from(length))?;
            }
        }
    }
    None
}

fn ethernet(layer: Layer, header_bytes: usize, id: u32) -> Found {
    Found { layer, header_bytes, next: Next::Ethernet, scope: Scope::Id(id) }
}
