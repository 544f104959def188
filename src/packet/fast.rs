//! The ways most packets go: Ethernet, perhaps one VLAN tag, IPv4 without options or IPv6 without extension headers, whole
//! UDP on no tunnel's port, or TCP whose payload may be cut. Anything else is left to the layer loop, and a property test holds the two to the same answer.

use super::ethernet::number::{IPV4, IPV6, VLAN};
use super::{Address, Packet, protocol, tcp_flag, tunnel};

/// Ethernet header.
const ETHERNET_BYTES: usize = 14;
/// One 802.1Q tag.
const TAG_BYTES: usize = 4;
/// IPv4 header without options.
const IPV4_BYTES: usize = 20;
/// IPv6 header.
const IPV6_BYTES: usize = 40;
/// UDP header.
const UDP_BYTES: usize = 8;
/// Fixed part of a TCP header.
const TCP_BYTES: usize = 20;
/// IPv4: more fragments, and the fragment offset.
const FRAGMENT: u16 = 0x3fff;

/// What a frame is to this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// None of the common ones.
    #[default]
    Uncommon,
    /// IPv4 without a VLAN tag.
    Ipv4,
    /// One of the others.
    Other,
}

/// Layer 4 of a common form.
struct Transport {
    source_port: u16,
    destination_port: u16,
    sequence: u32,
    tcp_flags: u8,
    payload_at: u32,
    payload_bytes: u32,
    payload_missing_bytes: u32,
}

/// Decodes the frame if it is of a common form, and then writes all of the packet; nothing is written if it is not. `before` is the form
/// that the packet was decoded from: what all IPv4 packets have in common is not written again.
#[inline(always)]
pub(super) fn decode(packet: &mut Packet, data: &[u8], before: Form) -> Form {
    let Some(head) = data.first_chunk::<{ ETHERNET_BYTES + TAG_BYTES }>() else { return Form::Uncommon };
    let (form, is_decoded) = match two(head, 12) {
        IPV4 => (Form::Ipv4, ipv4(packet, data, ETHERNET_BYTES, before)),
        IPV6 => (Form::Other, ipv6(packet, data, ETHERNET_BYTES)),
        VLAN => (Form::Other, tagged(packet, data, [two(head, 14), two(head, 16)])),
        _ => return Form::Uncommon,
    };
    if is_decoded { form } else { Form::Uncommon }
}

#[inline(never)]
fn tagged(packet: &mut Packet, data: &[u8], [tag, number]: [u16; 2]) -> bool {
    let is_decoded = match number {
        IPV4 => ipv4(packet, data, ETHERNET_BYTES + TAG_BYTES, Form::Uncommon),
        IPV6 => ipv6(packet, data, ETHERNET_BYTES + TAG_BYTES),
        _ => false,
    };
    if is_decoded {
        packet.add_vlan(tag & 0x0fff);
    }
    is_decoded
}

#[inline(always)]
fn ipv4(packet: &mut Packet, data: &[u8], at: usize, before: Form) -> bool {
    let Some(ip) = data.get(at..) else { return false };
    let Some(head) = ip.first_chunk::<{ IPV4_BYTES + UDP_BYTES }>() else { return false };
    if byte(head, 0) != 0x45 || two(head, 6) & FRAGMENT != 0 {
        return false;
    }
    let number = byte(head, 9);
    let Some(l4) = transport(ip, (at, IPV4_BYTES), number, usize::from(two(head, 2))) else { return false };
    if before != Form::Ipv4 {
        *packet = Packet { ip_version: 4, ..Packet::default() };
    }
    packet.source.set_v4([byte(head, 12), byte(head, 13), byte(head, 14), byte(head, 15)]);
    packet.destination.set_v4([byte(head, 16), byte(head, 17), byte(head, 18), byte(head, 19)]);
    l4.write(packet, number);
    true
}

#[inline(never)]
fn ipv6(packet: &mut Packet, data: &[u8], at: usize) -> bool {
    let Some(ip) = data.get(at..) else { return false };
    let Some(([a, _, _, _, l0, l1, number, _], rest)) = ip.split_first_chunk() else { return false };
    let Some((source, rest)) = rest.split_first_chunk() else { return false };
    let Some(destination) = rest.first_chunk() else { return false };
    let announced = u16::from_be_bytes([*l0, *l1]);
    if a >> 4 != 6 || announced == 0 {
        return false;
    }
    let Some(l4) = transport(ip, (at, IPV6_BYTES), *number, IPV6_BYTES + usize::from(announced)) else { return false };
    let (source, destination) = (Address::v6(*source), Address::v6(*destination));
    *packet = Packet { ip_version: 6, source, destination, ..Packet::default() };
    l4.write(packet, *number);
    true
}

/// Layer 4 of the IP packet at `at` of the frame, whose header has `header_bytes` and which says it has `total` bytes.
#[inline(always)]
fn transport(ip: &[u8], (at, header_bytes): (usize, usize), number: u8, total: usize) -> Option<Transport> {
    let l4 = ip.get(header_bytes..total.min(ip.len()))?;
    let payload_at = |used: usize| (at + header_bytes + used) as u32;
    match number {
        protocol::UDP => {
            let udp = l4.first_chunk::<UDP_BYTES>()?;
            let length = usize::from(two(udp, 4));
            let (source_port, destination_port) = (two(udp, 0), two(udp, 2));
            let is_whole = length >= UDP_BYTES && length <= l4.len() && total <= ip.len();
            if !is_whole || tunnel::udp::may_be(source_port, destination_port) {
                return None;
            }
            Some(Transport {
                source_port,
                destination_port,
                sequence: 0,
                tcp_flags: 0,
                payload_at: payload_at(UDP_BYTES),
                payload_bytes: (length - UDP_BYTES) as u32,
                payload_missing_bytes: 0,
            })
        }
        protocol::TCP => {
            let tcp = l4.first_chunk::<TCP_BYTES>()?;
            let used = usize::from(byte(tcp, 12) >> 4) * 4;
            if used < TCP_BYTES || used > l4.len() || byte(tcp, 13) & tcp_flag::URG != 0 {
                return None;
            }
            Some(Transport {
                source_port: two(tcp, 0),
                destination_port: two(tcp, 2),
                sequence: u32::from(two(tcp, 4)) << 16 | u32::from(two(tcp, 6)),
                tcp_flags: byte(tcp, 13),
                payload_at: payload_at(used),
                payload_bytes: (l4.len() - used) as u32,
                payload_missing_bytes: total.saturating_sub(ip.len()) as u32,
            })
        }
        _ => None,
    }
}

impl Transport {
    #[inline(always)]
    fn write(self, packet: &mut Packet, number: u8) {
        packet.protocol = number;
        packet.source_port = self.source_port;
        packet.destination_port = self.destination_port;
        packet.sequence = self.sequence;
        packet.tcp_flags = self.tcp_flags;
        packet.payload_at = self.payload_at;
        packet.payload_bytes = self.payload_bytes;
        packet.payload_missing_bytes = self.payload_missing_bytes;
    }
}

/// Two bytes at an offset that is always inside: the compiler sees that and leaves no check behind.
#[inline(always)]
fn two<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([byte(bytes, at), byte(bytes, at + 1)])
}

/// One, likewise.
#[inline(always)]
fn byte<const N: usize>(bytes: &[u8; N], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use etherparse::{
        IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6Header, PacketBuilder, PacketBuilderStep,
        VlanId,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::packet::{Beside, Cursor, LinkType, decode_layers, first_header};

    proptest! {
        /// Valid packets with a few bytes changed and any cut: what the fast way accepts, the layer loop reads alike.
        #[test]
        fn both_ways_agree(
            is_tcp in any::<bool>(),
            is_v6 in any::<bool>(),
            tag in prop::option::of(0u16..4096),
            payload in prop::collection::vec(any::<u8>(), 0..40),
            padding in 0usize..20,
            changes in prop::collection::vec((0usize..84, any::<u8>()), 0..4),
            cut in 0usize..140,
            earlier in any::<(bool, bool)>(),
        ) {
            let builder = builder(is_v6, tag);
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
            let form = decode(&mut fast, &frame, Form::Uncommon);
            if form != Form::Uncommon {
                let mut slow = Packet::default();
                let mut beside = Beside::default();
                decode_layers(&mut slow, first_header(LinkType::ETHERNET), Cursor::new(&frame, &mut beside));
                prop_assert!(beside.is_empty());
                prop_assert_eq!(fast, slow);
                // Over another one it is the same.
                let mut other = Vec::new();
                let step = self::builder(earlier.0, None);
                if earlier.1 {
                    step.tcp(4321, 443, 70, 1000).fin().ack(90).write(&mut other, b"other").expect("writes");
                } else {
                    step.udp(4321, 123).write(&mut other, b"other").expect("writes");
                }
                let mut over = Packet::default();
                let before = decode(&mut over, &other, Form::Uncommon);
                prop_assert_eq!((decode(&mut over, &frame, before), over), (form, slow));
            } else {
                prop_assert_eq!(fast.ip_version, 0);
            }
        }
    }

    #[test]
    fn the_common_forms_go_this_way() {
        for (is_v6, tag) in [(false, None), (true, None), (false, Some(7)), (true, Some(0))] {
            let mut tcp = Vec::new();
            builder(is_v6, tag).tcp(1234, 80, 7, 1024).write(&mut tcp, b"cut").expect("writes");
            tcp.pop();
            let mut udp = Vec::new();
            builder(is_v6, tag).udp(1234, 53).write(&mut udp, b"").expect("writes");
            let form = if is_v6 || tag.is_some() { Form::Other } else { Form::Ipv4 };
            assert_eq!([tcp, udp].map(|frame| decode(&mut Packet::default(), &frame, Form::Uncommon)), [form; 2]);
        }
    }

    fn builder(is_v6: bool, tag: Option<u16>) -> PacketBuilderStep<IpHeaders> {
        let ip = match is_v6 {
            false => IpHeaders::Ipv4(
                Ipv4Header::new(0, 64, IpNumber::TCP, [192, 0, 2, 1], [198, 51, 100, 2]).expect("fits"),
                Ipv4Extensions::default(),
            ),
            true => IpHeaders::Ipv6(
                Ipv6Header { hop_limit: 64, source: [2; 16], destination: [4; 16], ..Ipv6Header::default() },
                Ipv6Extensions::default(),
            ),
        };
        let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
        match tag {
            Some(tag) => ethernet.single_vlan(VlanId::try_new(tag).expect("twelve bits")).ip(ip),
            None => ethernet.ip(ip),
        }
    }
}
