//! Every link type around the same datagram, built with etherparse's writer; damage at every length.

use super::*;
use etherparse::PacketBuilder;

fn udp_datagram() -> Vec<u8> {
    let builder = PacketBuilder::ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64).udp(1234, 53);
    let mut out = Vec::new();
    builder.write(&mut out, b"hello").expect("writes");
    out
}

fn around(before: &[u8]) -> Vec<u8> {
    [before, &udp_datagram()].concat()
}

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

fn ethernet(types: &[u8]) -> Vec<u8> {
    around(&[&MACS, types].concat())
}

#[track_caller]
fn finds_the_datagram(frame: &[u8], link: LinkType) -> Packet {
    let packet = decode(frame, link);
    assert_eq!(packet.stopped, None);
    assert_eq!(packet.source.ip().to_string(), "192.0.2.1");
    assert_eq!(packet.destination.ip().to_string(), "198.51.100.2");
    assert_eq!((packet.source_port, packet.destination_port, packet.protocol), (1234, 53, protocol::UDP));
    assert_eq!(packet.payload(frame), b"hello");
    packet
}

#[test]
fn every_link_type_leads_to_the_datagram() {
    finds_the_datagram(&ethernet(&[8, 0]), LinkType::ETHERNET);
    for link in [LinkType::RAW, LinkType::RAW_12, LinkType::RAW_14, LinkType::IPV4] {
        finds_the_datagram(&udp_datagram(), link);
    }
    for family in [[0, 0, 0, 2], [2, 0, 0, 0]] {
        finds_the_datagram(&around(&family), LinkType::NULL);
        finds_the_datagram(&around(&family), LinkType::LOOP);
    }
    finds_the_datagram(&around(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]), LinkType::LINUX_SLL);
    finds_the_datagram(&around(&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]), LinkType::LINUX_SLL2);
    for ppp in [&[0xff, 3, 0, 0x21][..], &[0, 0x21], &[0x21], &[0xff, 3, 0x21]] {
        finds_the_datagram(&around(ppp), LinkType::PPP);
    }
    finds_the_datagram(&around(&[1, 0xff, 3, 0, 0x21]), LinkType::PPP_WITH_DIR);
    finds_the_datagram(&around(&[0x0f, 0, 8, 0]), LinkType::C_HDLC);
    finds_the_datagram(&around(&[&[0x50][..], &MACS, &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat()), LinkType::FDDI);
    finds_the_datagram(&around(&[1, 2, 240]), LinkType::ARCNET);
    finds_the_datagram(&around(&[1, 2, 0, 0, 212, 0, 0, 1]), LinkType::ARCNET_LINUX);
    finds_the_datagram(&around(&[0x18, 0x41, 3, 0xcc]), LinkType::FRAME_RELAY);
    finds_the_datagram(&around(&[0x18, 0x41, 8, 0]), LinkType::FRAME_RELAY);
    finds_the_datagram(&around(&[0x18, 0x40, 0x03, 3, 0xcc]), LinkType::FRAME_RELAY);
    finds_the_datagram(&around(&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0]), LinkType::FRAME_RELAY);
    finds_the_datagram(&udp_datagram(), LinkType::IPV6);
    finds_the_datagram(&ethernet(&[0x89, 0x26, 0, 0, 0, 0, 8, 0]), LinkType::ETHERNET);
    finds_the_datagram(&ethernet(&[0x89, 0x3f, 0, 0, 0, 0, 0, 0, 8, 0]), LinkType::ETHERNET);
    finds_the_datagram(&ethernet(&[0x88, 0xe5, 0, 0, 0, 0, 0, 1, 8, 0]), LinkType::ETHERNET);
    finds_the_datagram(&ethernet(&[0x89, 0x4f, 0, 2, 2, 1, 0, 0, 0, 1]), LinkType::ETHERNET);
    finds_the_datagram(&ethernet(&[0xd2, 0x8b, 0, 1, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 8, 0]), LinkType::ETHERNET);
    let backbone = [&[0x88, 0xe7, 0, 0, 0, 1][..], &MACS, &[8, 0]].concat();
    finds_the_datagram(&ethernet(&backbone), LinkType::ETHERNET);
    let pseudowire = [&[0x88, 0x47, 0, 2, 1, 64, 0, 0, 0, 0][..], &MACS, &[8, 0]].concat();
    finds_the_datagram(&ethernet(&pseudowire), LinkType::ETHERNET);
    let length = udp_datagram().len() as u8;
    finds_the_datagram(&ethernet(&[0x88, 0x64, 0x11, 0, 0, 7, 0, length + 2, 0, 0x21]), LinkType::ETHERNET);
    finds_the_datagram(&ethernet(&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]), LinkType::ETHERNET);
    finds_the_datagram(&ethernet(&[0, length + 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]), LinkType::ETHERNET);
}

#[test]
fn tags_are_kept_and_told_apart() {
    let one = finds_the_datagram(&ethernet(&[0x81, 0, 0x20, 5, 8, 0]), LinkType::ETHERNET);
    assert_eq!((one.vlan_count, one.vlans[0]), (1, 5));
    let two = finds_the_datagram(&ethernet(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 5, 8, 0]), LinkType::ETHERNET);
    assert_eq!((two.vlan_count, two.vlans), (2, [7, 5]));
    let swapped = finds_the_datagram(&ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 8, 0]), LinkType::ETHERNET);
    let none = finds_the_datagram(&ethernet(&[8, 0]), LinkType::ETHERNET);
    let priority = finds_the_datagram(&ethernet(&[0x81, 0, 0, 0, 8, 0]), LinkType::ETHERNET);
    let keys = [one.vlan_key, two.vlan_key, swapped.vlan_key, none.vlan_key, priority.vlan_key];
    for (i, a) in keys.iter().enumerate() {
        assert!(!keys[i + 1..].contains(a), "{keys:?}");
    }
    let deep = ethernet(&[[0x81, 0, 0, 5].repeat(MAX_LAYERS), vec![8, 0]].concat());
    assert_eq!(decode(&deep, LinkType::ETHERNET).stopped.map(|e| e.kind), Some(ErrorKind::TooDeep));
}

#[test]
fn backbones_in_backbones_are_capped() {
    let nested = |count: usize| {
        let head = [&MACS[..], &[0x88, 0xe7, 0, 0, 0, 1]].concat().repeat(count);
        [head, ethernet(&[8, 0])].concat()
    };
    finds_the_datagram(&nested(1), LinkType::ETHERNET);
    finds_the_datagram(&nested(128), LinkType::ETHERNET);
    let stopped = decode(&nested(129), LinkType::ETHERNET).stopped.map(|e| (e.layer, e.kind));
    assert_eq!(stopped, Some((Layer::Tag, ErrorKind::TooDeep)));
    assert_eq!(decode(&nested(2)[..30], LinkType::ETHERNET).stopped.map(|e| e.kind), Some(ErrorKind::Truncated));
}

#[test]
fn parts_of_one_decode_are_capped() {
    let inner = [&[0; 12][..], &[0, 8], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &[0; 2]].concat();
    for (count, parts) in [(1, 0), (3, 2), (MAX_PARTS + 1, MAX_PARTS), (MAX_PARTS + 50, MAX_PARTS)] {
        // Data, quality of service, an aggregate.
        let frame = [&[0x88, 1][..], &[0; 22], &[0x80, 0], &inner.repeat(count)].concat();
        let (mut packet, mut beside) = (Packet::default(), Beside::default());
        decode_into(&mut packet, &frame, LinkType::WIFI, &mut beside);
        assert_eq!((beside.parts.len(), beside.is_empty()), (parts, parts == 0), "{count}");
        let last = beside.parts.pop().map(|part| decode_part(&part, &frame, &mut beside).stopped.map(|e| e.kind));
        let is_too_many = last.flatten() == Some(ErrorKind::TooDeep);
        assert_eq!(is_too_many, parts == MAX_PARTS, "{count}");
    }
}

#[test]
fn padding_is_no_payload_and_a_cut_is_counted() {
    let mut padded = ethernet(&[8, 0]);
    padded.extend([0xee; 20]);
    finds_the_datagram(&padded, LinkType::ETHERNET);
    let whole = ethernet(&[8, 0]);
    let cut = decode(&whole[..whole.len() - 2], LinkType::ETHERNET);
    assert_eq!((cut.payload_bytes, cut.payload_missing_bytes, cut.stopped), (3, 2, None));
}

#[test]
fn a_cut_header_keeps_what_came_before() {
    let whole = ethernet(&[8, 0]);
    let no_ports = decode(&whole[..14 + 20 + 2], LinkType::ETHERNET);
    assert_eq!(no_ports.stopped.map(|e| e.to_string()), Some("udp.truncated".to_string()));
    assert_eq!(no_ports.ip_version, 4);
    let ports_only = decode(&whole[..14 + 20 + 4], LinkType::ETHERNET);
    assert_eq!((ports_only.destination_port, ports_only.stopped.is_some()), (53, true));
    let no_ip = decode(&whole[..14 + 19], LinkType::ETHERNET);
    assert_eq!((no_ip.ip_version, no_ip.stopped.map(|e| e.to_string())), (0, Some("ipv4.truncated".to_string())));
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let mut frame = [&MACS[..], &[0x86, 0xdd]].concat();
    let payload = [&[17, 0, 1, 4, 0, 0, 0, 0][..], &[4, 0xd2, 0, 53, 0, 10, 0, 0, b'h', b'i']].concat();
    frame.extend([0x60, 0, 0, 0, 0, payload.len() as u8, 60, 64]);
    frame.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].repeat(2));
    frame.extend(&payload);
    let packet = decode(&frame, LinkType::ETHERNET);
    assert_eq!((packet.stopped, packet.protocol, packet.source_port), (None, protocol::UDP, 1234));
    assert_eq!(packet.payload(&frame), b"hi");
}

#[test]
fn a_later_fragment_has_addresses_and_no_ports() {
    let mut frame = ethernet(&[8, 0]);
    frame[14 + 7] = 3;
    let packet = decode(&frame, LinkType::ETHERNET);
    assert_eq!(packet.stopped.map(|e| e.kind), Some(ErrorKind::Fragment));
    assert!(packet.is_fragment && packet.ip_version == 4 && packet.source_port == 0);
}

#[test]
fn what_nothing_decodes_is_named() {
    let frame = ethernet(&[0x88, 0xcc]);
    assert_eq!(decode(&frame, LinkType::ETHERNET).stopped.map(|e| e.to_string()), Some("ethertype.0x88cc".into()));
    assert_eq!(decode(&frame, LinkType(147)).stopped.map(|e| e.to_string()), Some("linktype.147".into()));
}

#[test]
fn any_prefix_and_any_byte_of_any_frame_is_survived() {
    let frames = [
        ethernet(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 5, 8, 0]),
        ethernet(&[0x88, 0x64, 0x11, 0, 0, 7, 0, 40, 0, 0x21]),
        ethernet(&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]),
        around(&[0xff, 3, 0, 0x21]),
    ];
    for frame in &frames {
        for link in (0..300).map(LinkType) {
            for end in 0..=frame.len() {
                let packet = decode(&frame[..end], link);
                assert!(packet.payload_at as usize + packet.payload_bytes as usize <= end);
            }
        }
        for at in 0..frame.len() {
            for value in 0..=255 {
                let mut bent = frame.clone();
                bent[at] = value;
                let packet = decode(&bent, LinkType::ETHERNET);
                assert!(packet.payload_at as usize + packet.payload_bytes as usize <= bent.len());
            }
        }
    }
}
