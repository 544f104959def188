use proptest::prelude::*;

use super::super::testing::{Hello, Stream, datagrams, same_in_any_segments, tcp, udp};
use super::*;

use Direction::{ToOriginator, ToResponder};

const SESSION: [u8; 8] = *b"session1";

fn added(hmac: usize) -> Vec<u8> {
    if hmac == 0 { Vec::new() } else { [vec![0xa5; hmac], vec![0, 0, 0, 1, 0x5e, 0x3e, 0x7b, 0x98]].concat() }
}

fn reset(hmac: usize) -> Vec<u8> {
    [&[CLIENT_RESET][..], &SESSION, &added(hmac), &[0; 5]].concat()
}

fn server_reset(hmac: usize) -> Vec<u8> {
    [&[SERVER_RESET][..], b"session2", &added(hmac), &[1, 0, 0, 0, 0], &SESSION, &[0; 4]].concat()
}

fn control(hmac: usize, number: u32, acknowledged: &[u32], payload: &[u8]) -> Vec<u8> {
    let mut out = [&[CONTROL << OPCODE_SHIFT][..], &SESSION, &added(hmac), &[acknowledged.len() as u8]].concat();
    acknowledged.iter().for_each(|number| out.extend(number.to_be_bytes()));
    if !acknowledged.is_empty() {
        out.extend(b"session2");
    }
    out.extend(number.to_be_bytes());
    out.extend(payload);
    out
}

/// A session's packets with a hello cut into pieces of `size`.
fn session(hmac: usize, size: usize) -> Vec<Vec<u8>> {
    let records = Hello::browser().records(16_384);
    let parts = records.chunks(size).zip(1..).map(|(part, number)| control(hmac, number, &[0], part));
    [reset(hmac)].into_iter().chain(parts).collect()
}

fn stream(packets: &[Vec<u8>]) -> Vec<u8> {
    packets.iter().flat_map(|packet| [&(packet.len() as u16).to_be_bytes()[..], packet].concat()).collect()
}

fn run(list: &[Vec<u8>]) -> (Vec<String>, Vec<Progress>) {
    datagrams::<OpenVpn>(ToResponder, list, &udp(50_000, 1194))
}

fn is_hello(seen: &[String]) -> bool {
    seen.len() == 3 && seen[0] == "domain-name tls.client.server_name www.example.com"
}

#[test]
fn over_datagrams_with_any_hmac() {
    for hmac in [0].into_iter().chain(HMAC_BYTES) {
        let packets = session(hmac, 100);
        assert_eq!(OpenVpn::probe(&packets[0], &udp(1, 2)), Probe::Yes, "{hmac}");
        assert_eq!(OpenVpn::probe(&server_reset(hmac), &udp(2, 1)), Probe::Yes, "{hmac}");
        assert!(is_hello(&run(&packets).0), "{hmac}");
    }
}

#[test]
fn over_a_stream() {
    let data = stream(&session(20, 300));
    assert_eq!(OpenVpn::probe(&data, &tcp(1, 443)), Probe::Yes);
    assert!(is_hello(&same_in_any_segments::<OpenVpn>(ToResponder, tcp(1, 443), &data)));
}

#[test]
fn out_of_order_and_again() {
    let mut packets = session(0, 90);
    packets[1..].reverse();
    let again = packets.clone();
    packets.splice(1..1, again[..3].to_vec());
    assert!(is_hello(&run(&packets).0));
}

#[test]
fn what_waits_is_capped() {
    let list: Vec<_> = [reset(0)].into_iter().chain((2..40).map(|number| control(0, number, &[], b"x"))).collect();
    let (_, said) = run(&list);
    let waiting = said.iter().skip(1).take_while(|said| matches!(said, Progress::Consumed { .. })).count();
    assert_eq!(waiting, MAX_WAITING);
}

#[test]
fn what_waits_is_accounted_for_and_given_up() {
    let mut parser = OpenVpn::default();
    let offer = |parser: &mut OpenVpn, packet: &[u8]| parser.parse(ToResponder, packet, &udp(1, 1194), &mut |_| {});
    assert_eq!(parser.account(), Account::default());
    offer(&mut parser, &reset(0));
    let begun = parser.account().memory_bytes;
    offer(&mut parser, &control(0, 2, &[], &[0x16; 900]));
    assert!(begun > 0 && parser.account().memory_bytes >= begun + 900);
    parser.shed();
    assert_eq!((parser.account(), parser.unfinished()), (Account::default(), None));
    assert!(matches!(offer(&mut parser, &control(0, 1, &[], b"\x16")), Progress::Consumed { .. }));
}

#[test]
fn data_ends_it() {
    let mut parser = OpenVpn::default();
    let mut offer = |direction, packet: &[u8]| parser.parse(direction, packet, &udp(1, 2), &mut |_| {});
    offer(ToResponder, &reset(0));
    offer(ToOriginator, &server_reset(0));
    assert!(matches!(offer(ToOriginator, &[DATA_V1 << 3; 80]), Progress::Consumed { .. }));
    offer(ToOriginator, &control(0, 1, &[], b"\x16"));
    assert_eq!(offer(ToOriginator, &[DATA_V1 << 3; 80]), Progress::DoneDirection);
}

#[test]
fn probe_is_strict() {
    let probe = |packet: &[u8]| OpenVpn::probe(packet, &udp(1, 2));
    let good = reset(20);
    assert_eq!(probe(&[&good[..], &[0]].concat()), Probe::No);
    for at in [0, good.len() - 5, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(probe(&bad), Probe::No);
    }
    assert_eq!(probe(&control(0, 1, &[], b"x")), Probe::No);
    assert_eq!(OpenVpn::probe(b"\0\x2a\x12\x34\x01\0", &tcp(1, 2)), Probe::No);
    assert_eq!(OpenVpn::probe(b"\0\x2a", &tcp(1, 2)), Probe::Unsure);
    assert_eq!(OpenVpn::probe(b"\x0e\0", &tcp(1, 2)), Probe::No);
}

proptest! {
    #[test]
    fn cut_anywhere(size in 20usize..400, hmac in prop::sample::select(&HMAC_BYTES[..])) {
        prop_assert!(is_hello(&run(&session(hmac, size)).0));
    }

    #[test]
    fn never_panics(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..6), opcode in 0u8..12) {
        let mut list = vec![reset(0)];
        for mut packet in packets {
            if let Some(first) = packet.first_mut() {
                *first = opcode << OPCODE_SHIFT;
            }
            list.push(packet);
        }
        run(&list);
        Stream::<OpenVpn>::of(ToResponder, tcp(1, 2), &stream(&list), &[9, 20, 41]);
    }
}
