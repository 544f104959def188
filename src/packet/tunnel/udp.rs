//! Tunnels over UDP: recognised on their ports and then made to prove themselves, so that other traffic on those ports is read
//! as what it is.
//!
//! A family's function looks at the payload and says how long its header is and what follows; nothing is consumed before what
//! follows looks right too ([`super::plausible`]).

use super::super::{Cursor, ErrorKind, Layer, Next, Packet, Step};
use super::{Scope, capwap, enter, gre, gtp, l2tp, overlay, plausible, sflow, v6};

/// What a family found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) layer: Layer,
    /// Bytes before what follows.
    pub(super) header_bytes: usize,
    pub(super) next: Next,
    pub(super) scope: Scope,
}

/// Looks for a family's header: the payload, and how many bytes of it were on the wire.
type Find = fn(&[u8], usize) -> Option<Found>;

/// Ports, and who listens there.
const FAMILIES: &[(u16, Find)] = &[
    (VXLAN, overlay::vxlan),
    // Linux's and others' VXLAN before the port was assigned.
    (8472, overlay::vxlan),
    (VXLAN_GPE, overlay::vxlan_gpe),
    (GENEVE, overlay::geneve),
    (6635, overlay::mpls),
    (4754, gre::over_udp),
    (4341, overlay::lisp),
    (4342, overlay::lisp_control),
    (2152, gtp::gtp_u),
    (3544, v6::teredo),
    (5072, v6::ayiya),
    (1701, l2tp::over_udp),
    (CAPWAP, capwap::data),
    (37008, overlay::tzsp),
];
const VXLAN: u16 = 4789;
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
const CAPWAP: u16 = 5247;
/// Samples of packets, beside the datagram.
const SFLOW: u16 = 6343;
/// Encrypted: counted, not entered.
const WIREGUARD: u16 = 51820;
const ESP: u16 = 4500;

/// Whether either port may be a tunnel's: now and then a false yes, never a false no. Two loads for every UDP packet.
#[inline(always)]
pub(in crate::packet) fn may_be(source_port: u16, destination_port: u16) -> bool {
    let bit = |port: u16| PORTS.get(slot(port).0).map_or(0, |word| word >> slot(port).1);
    (bit(source_port) | bit(destination_port)) & 1 != 0
}

/// What follows the UDP header, if a tunnel does; the packet is then an outer one.
#[cold]
pub(in crate::packet) fn tunnel(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Option<Step> {
    let ports = [packet.destination_port, packet.source_port];
    let payload = cursor.rest();
    let room = payload.len() + cursor.missing_bytes as usize;
    let families = ports.iter().flat_map(|port| FAMILIES.iter().filter(move |(own, _)| own == port));
    for (_, find) in families {
        if let Some(found) = find(payload, room) {
            let behind = payload.get(found.header_bytes..).unwrap_or_default();
            if plausible::is(found.next, behind, room.saturating_sub(found.header_bytes)) {
                return Some(go(cursor, packet, &found));
            }
        }
    }
    let layer = if ports.contains(&WIREGUARD) && is_wireguard(payload, room) {
        Layer::WireGuard
    } else if ports.contains(&ESP) && is_esp(payload) {
        Layer::Esp
    } else {
        return beside(cursor, packet, ports);
    };
    Some(Err((layer, ErrorKind::Encrypted)))
}

/// What is no tunnel and yet holds packets, or pieces of them.
fn beside(cursor: &mut Cursor<'_>, packet: &Packet, ports: [u16; 2]) -> Option<Step> {
    if ports.contains(&SFLOW) {
        sflow::samples(cursor, packet);
    }
    let is_piece = ports.contains(&CAPWAP) && capwap::is_fragment(cursor.rest());
    is_piece.then_some(Err((Layer::Capwap, ErrorKind::TunnelFragment)))
}

fn go(cursor: &mut Cursor<'_>, packet: &mut Packet, found: &Found) -> Step {
    enter(cursor, packet, found.layer, found.scope)?;
    cursor.skip(found.layer, found.header_bytes)?;
    Ok(found.next)
}

/// Message types 1 to 4 with their lengths (<https://www.wireguard.com/protocol/>).
fn is_wireguard(payload: &[u8], room: usize) -> bool {
    match payload {
        [1, 0, 0, 0, ..] => room == 148,
        [2, 0, 0, 0, ..] => room == 92,
        [3, 0, 0, 0, ..] => room == 64,
        [4, 0, 0, 0, ..] => room >= 32 && room.is_multiple_of(16),
        _ => false,
    }
}

/// RFC 3948: four zero bytes are IKE, a single 0xff keeps the mapping alive; else it is ESP, whose parts are words.
fn is_esp(payload: &[u8]) -> bool {
    payload.len() >= 16 && payload.len().is_multiple_of(4) && !payload.starts_with(&[0, 0, 0, 0])
}

/// A bit for each port in [`FAMILIES`], by hash; the factor keeps the ports of common services out.
#[expect(clippy::indexing_slicing, reason = "in a constant: checked when it is compiled")]
static PORTS: [u64; 4] = {
    let mut bits = [0; 4];
    let mut at = 0;
    while at < FAMILIES.len() {
        let (word, bit) = slot(FAMILIES[at].0);
        bits[word] |= 1 << bit;
        at += 1;
    }
    let (word, bit) = slot(WIREGUARD);
    bits[word] |= 1 << bit;
    let (word, bit) = slot(ESP);
    bits[word] |= 1 << bit;
    let (word, bit) = slot(SFLOW);
    bits[word] |= 1 << bit;
    bits
};

/// Word and bit of a port.
#[inline(always)]
const fn slot(port: u16) -> (usize, u32) {
    let hash = port.wrapping_mul(0x85) >> 8;
    ((hash >> 6) as usize & 3, hash as u32 & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_overlooked_and_few_are_for_nothing() {
        for &(port, _) in FAMILIES {
            assert!(may_be(port, 40000) && may_be(40000, port), "{port}");
        }
        assert!(may_be(WIREGUARD, 1) && may_be(1, ESP) && may_be(1, SFLOW));
        assert!((0..=u16::MAX).filter(|&port| may_be(port, port)).count() < 5000);
        for port in [53, 123, 443, 5353, 80, 1900, 5060] {
            assert!(!may_be(port, port), "{port}");
        }
    }
}
