//! What it costs to read a frame's headers: the fast ways, the layer loop, a tunnel. etherparse's one-call slicer is the measured
//! alternative. What was decoded is asserted.
//!
//! `cargo bench --bench decode`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use etherparse::{PacketBuilder, SlicedPacket, VlanId};
use picket::packet::{self, LinkType, Packet};

criterion_group!(benches, bench);
criterion_main!(benches);

fn bench(c: &mut Criterion) {
    let plain = || PacketBuilder::ethernet2([2; 6], [4; 6]);
    let v4 = ([192, 0, 2, 1], [198, 51, 100, 2], 64);
    let mut frames: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut add = |name, write: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = Vec::new();
        write(&mut frame);
        frames.push((name, frame));
    };
    let payload = [7; 64];
    add("IPv4 TCP", &|out| plain().ipv4(v4.0, v4.1, v4.2).tcp(40_000, 443, 7, 9).write(out, &payload).expect("writes"));
    add("IPv4 UDP", &|out| plain().ipv4(v4.0, v4.1, v4.2).udp(40_000, 53).write(out, &payload).expect("writes"));
    add("IPv6 TCP", &|out| {
        plain().ipv6([2; 16], [4; 16], 64).tcp(40_000, 443, 7, 9).write(out, &payload).expect("writes")
    });
    add("VLAN IPv4 TCP", &|out| {
        let tagged = plain().single_vlan(VlanId::try_new(7).expect("twelve bits"));
        tagged.ipv4(v4.0, v4.1, v4.2).tcp(40_000, 443, 7, 9).write(out, &payload).expect("writes");
    });
    add("two VLANs IPv4 TCP (layer loop)", &|out| {
        let id = |id| VlanId::try_new(id).expect("twelve bits");
        let tagged = plain().double_vlan(id(7), id(8));
        tagged.ipv4(v4.0, v4.1, v4.2).tcp(40_000, 443, 7, 9).write(out, &payload).expect("writes");
    });
    add("GRE IPv4 TCP (tunnel)", &|out| {
        let mut inner = vec![0, 0, 8, 0];
        PacketBuilder::ipv4(v4.0, v4.1, v4.2).tcp(40_000, 443, 7, 9).write(&mut inner, &payload).expect("writes");
        let outer = plain().ipv4([203, 0, 113, 1], [203, 0, 113, 2], 64);
        outer.write(out, etherparse::IpNumber::GRE, &inner).expect("writes");
    });
    for (name, frame) in &frames {
        let mut beside = packet::Beside::default();
        c.bench_function(&format!("decode/{name}"), |b| {
            b.iter(|| {
                let mut packet = Packet::default();
                beside.clear();
                packet::decode_into(&mut packet, black_box(frame), LinkType::ETHERNET, &mut beside);
                assert!(packet.source_port == 40_000 && packet.payload_bytes == 64 && packet.stopped.is_none());
                packet
            })
        });
        c.bench_function(&format!("decode/{name}, etherparse::SlicedPacket"), |b| {
            b.iter(|| {
                let sliced = SlicedPacket::from_ethernet(black_box(frame)).expect("valid");
                assert!(sliced.net.is_some());
            })
        });
    }
}
