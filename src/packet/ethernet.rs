//! Ethernet II, IEEE 802.3 with LLC and SNAP, 802.1Q / 802.1ad / QinQ tags. Any number of tags up to the layer cap.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Cursor, ErrorKind, Layer, Next, Packet, Step, fieldbus};

/// Values up to this are an 802.3 length, not a type (IEEE 802.3-2018, 3.2.6).
const MAX_LENGTH: u16 = 1500;

/// The protocols that something here decodes; the rest is counted by number.
pub(super) mod number {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const PROVIDER_VLAN: u16 = 0x88a8;
    pub(crate) const OLD_QINQ: u16 = 0x9100;
    pub(crate) const OLD_QINQ_2: u16 = 0x9200;
    pub(crate) const MPLS: u16 = 0x8847;
    pub(crate) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(crate) const PPPOE_SESSION: u16 = 0x8864;
    pub(crate) const VN_TAG: u16 = 0x8926;
    pub(crate) const E_TAG: u16 = 0x893f;
    pub(crate) const BACKBONE: u16 = 0x88e7;
    pub(crate) const MACSEC: u16 = 0x88e5;
    pub(crate) const SERVICE_CHAIN: u16 = 0x894f;
    pub(crate) const ARISTA: u16 = 0xd28b;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const RARP: u16 = 0x8035;
}

#[inline]
pub(super) fn ethernet(cursor: &mut Cursor<'_>) -> Step {
    let header =
        Ethernet2HeaderSlice::from_slice(cursor.rest()).map_err(|_| (Layer::Ethernet, ErrorKind::Truncated))?;
    let number = header.ether_type().0;
    cursor.hardware = Some((header.destination(), header.source()));
    cursor.skip(Layer::Ethernet, 14)?;
    length_or_type(cursor, number)
}

#[inline]
pub(super) fn ether_type(number: u16) -> Step {
    Ok(match number {
        number::IPV4 => Next::Ipv4,
        number::IPV6 => Next::Ipv6,
        number::VLAN | number::PROVIDER_VLAN | number::OLD_QINQ | number::OLD_QINQ_2 => Next::Vlan,
        number::MPLS | number::MPLS_UPSTREAM => Next::Mpls,
        number::PPPOE_SESSION => Next::Pppoe,
        number::VN_TAG => Next::Tag(4),
        number::E_TAG => Next::Tag(6),
        number::BACKBONE => Next::Backbone,
        number::MACSEC => Next::Macsec,
        number::SERVICE_CHAIN => Next::ServiceChain,
        number::ARISTA => Next::Arista,
        number::ARP | number::RARP => Next::Arp,
        fieldbus::PROFINET | fieldbus::GOOSE => Next::Fieldbus(number),
        other => return Err((Layer::Ethernet, ErrorKind::EtherType(other))),
    })
}

pub(super) fn vlan(cursor: &mut Cursor<'_>, packet: &mut Packet) -> Step {
    let tag = SingleVlanHeaderSlice::from_slice(cursor.rest()).map_err(|_| (Layer::Vlan, ErrorKind::Truncated))?;
    let id = tag.vlan_identifier().value();
    let number = tag.ether_type().0;
    packet.add_vlan(id);
    cursor.skip(Layer::Vlan, 4)?;
    length_or_type(cursor, number)
}

#[inline]
fn length_or_type(cursor: &mut Cursor<'_>, number: u16) -> Step {
    if number > MAX_LENGTH {
        return ether_type(number);
    }
    cursor.limit(usize::from(number));
    Ok(Next::Llc)
}

/// IEEE 802.2 LLC, and SNAP (RFC 1042) below it.
pub(super) fn llc(cursor: &mut Cursor<'_>) -> Step {
    const TRUNCATED: (Layer, ErrorKind) = (Layer::Llc, ErrorKind::Truncated);
    let [dsap, ssap, control] = cursor.reader.array().ok_or(TRUNCATED)?;
    match (dsap, ssap, control) {
        (0xaa, 0xaa, 0x03) => {
            let organisation = cursor.reader.u24().ok_or(TRUNCATED)?;
            let number = cursor.reader.u16().ok_or(TRUNCATED)?;
            match organisation {
                // Encapsulated Ethernet, and its bridge-tunnel form (802.1H).
                0x000000 | 0x0000f8 => ether_type(number),
                _ => Err((Layer::Llc, ErrorKind::Llc(dsap))),
            }
        }
        // RFC 948: IP has a service access point of its own.
        (0x06, 0x06, 0x03) => Ok(Next::Ipv4),
        _ => Err((Layer::Llc, ErrorKind::Llc(dsap))),
    }
}
