//! Packets in packets: what every tunnel has in common. One file a family; recognising one never keeps state.
//!
//! [`enter`] puts what was decoded so far aside as an outer packet and starts anew, keeping the VLAN tags and mixing the
//! tunnel's id into [`Packet::tunnel`], so that equal addresses in two tunnels are two flows.

pub(super) mod capwap;
pub(super) mod gre;
pub(super) mod gtp;
pub(super) mod ipcomp;
pub(super) mod l2tp;
pub(super) mod nhrp;
pub(super) mod overlay;
pub(super) mod plausible;
pub(super) mod sflow;
pub(super) mod udp;
pub(super) mod v6;

use super::{Address, Cursor, ErrorKind, Layer, Packet};

/// Tunnels within tunnels in one frame, at most: real networks have four (a mirrored overlay in a mobile network). Each
/// costs a flow.
pub const MAX_TUNNELS: usize = 8;

/// What a tunnel's id is unique among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Both directions carry this number (VNI, VSID, GRE key, ERSPAN session, LISP instance).
    Id(u32),
    /// There is no number, or each direction has its receiver's own (GTP-U TEID, TS 29.281 5.1; L2TP session, RFC 2661 3.1): the
    /// two outer addresses tell tunnels apart, and the two directions of an inner flow stay together.
    Ends,
    /// The inner addresses are globally unique; the outer ones may differ by direction (6to4 and Teredo relays).
    Global,
}

/// Puts the packet aside as an outer one; what follows is decoded into a new one.
pub(super) fn enter(
    cursor: &mut Cursor<'_>,
    packet: &mut Packet,
    layer: Layer,
    scope: Scope,
) -> Result<(), (Layer, ErrorKind)> {
    if cursor.tunnels_left == 0 {
        return Err((layer, ErrorKind::TooDeep));
    }
    cursor.tunnels_left -= 1;
    cursor.beside.add_outer(*packet);
    *packet = inside(packet, layer, scope);
    Ok(())
}

/// What is known of a packet in this one.
pub(super) fn inside(packet: &Packet, layer: Layer, scope: Scope) -> Packet {
    Packet {
        tunnel: inner_id(packet, layer, scope),
        vlan_key: packet.vlan_key,
        vlans: packet.vlans,
        vlan_count: packet.vlan_count,
        ..Packet::default()
    }
}

/// The tunnel number of the inner packet; never 0.
fn inner_id(packet: &Packet, layer: Layer, scope: Scope) -> u32 {
    let own = match scope {
        Scope::Id(id) => u64::from(id) << 2 | 1,
        Scope::Ends => spread(packet.source).wrapping_add(spread(packet.destination)) << 2 | 2,
        Scope::Global => 3,
    };
    let mixed = (own ^ (u64::from(packet.tunnel) << 32) ^ ((layer as u64) << 56)).wrapping_mul(MULTIPLE);
    ((mixed >> 32) as u32 ^ mixed as u32).max(1)
}

/// The sum of two of these is the same both ways.
fn spread(address: Address) -> u64 {
    let [high, low] = address.halves();
    (high ^ low.rotate_left(29)).wrapping_mul(MULTIPLE) >> 3
}

/// An arbitrary odd constant (digits of pi).
const MULTIPLE: u64 = 0x243f_6a88_85a3_08d3;
