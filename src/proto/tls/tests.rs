use proptest::prelude::*;

use sha2::Digest as _;

use super::super::testing::{
    Cert, Hello, ServerHello, Stream, chain, message, records, same_in_any_segments, tcp, text_with_fields,
};
use super::*;
use crate::indicator::Wants;

const UP: Direction = Direction::ToResponder;

fn hint() -> Hint {
    tcp(50_000, 8443)
}

fn run(data: &[u8]) -> (Vec<String>, Option<Progress>) {
    let stream = Stream::<Tls>::of(UP, hint(), data, &[]);
    (stream.seen, stream.ended)
}

fn application_data() -> Vec<u8> {
    [&[23, 3, 3, 0, 40][..], &[0xee; 40]].concat()
}

#[test]
fn name_and_fingerprints_in_order() {
    let seen = same_in_any_segments::<Tls>(UP, hint(), &Hello::browser().records(16_384));
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0], "domain-name tls.client.server_name www.example.com");
    assert!(seen[1].starts_with("ja3 tls.client.ja3 "));
    assert_eq!(seen[2], "ja4 tls.client.ja4 t13d1516h2_8daaf6152771_e5627efa2ab1");
}

#[test]
fn everything_known_goes_with_each() {
    let mut all = Vec::new();
    let hello = Hello::browser().records(16_384);
    Tls::default().parse(UP, &hello, &hint(), &mut |o| all.push(text_with_fields(&o)));
    assert_eq!(all.len(), 3);
    for one in all {
        assert!(
            one.contains(" tls.client.server_name=www.example.com tls.client.alpn=h2,http/1.1 tls.client.ja3="),
            "{one}"
        );
        assert!(one.ends_with(" tls.client.ja4=t13d1516h2_8daaf6152771_e5627efa2ab1"), "{one}");
    }
}

#[test]
fn split_over_records_reads_the_same() {
    let whole = run(&Hello::browser().records(16_384));
    for size in [1, 2, 3, 4, 5, 100, 333] {
        assert_eq!(run(&Hello::browser().records(size)), whole, "records of {size}");
    }
    assert_eq!(same_in_any_segments::<Tls>(UP, hint(), &Hello::browser().records(3)), whole.0);
}

#[test]
fn post_quantum_sizes_fit_and_no_more() {
    let padded = |bytes: usize| {
        let mut hello = Hello::browser();
        hello.extensions.push((0x15, vec![0; bytes]));
        hello.records(16_384)
    };
    assert_eq!(run(&padded(20_000)).0.len(), 3);
    assert_eq!(run(&padded(40_000)), (vec![], Some(Progress::Stopped("TLS ClientHello too long"))));
}

#[test]
fn tiny_records_are_not_walked_for_each_of_them() {
    let mut hello = Hello::browser();
    hello.extensions.push((0x15, vec![0; 9_000]));
    let data = hello.records(1);
    let mut stream = Stream::<Tls>::new(UP, hint());
    data.iter().for_each(|byte| stream.push(&[*byte]));
    assert_eq!(stream.seen.len(), 3);
    assert!(stream.calls < 100, "{} calls", stream.calls);
    let endless = Hello { extensions: vec![(0x15, vec![0; 30_000])], ..Hello::browser() }.records(1);
    let stream = Stream::<Tls>::of(UP, hint(), &endless, &(0..150).map(|i| i * 1_400).collect::<Vec<_>>());
    assert_eq!(stream.ended, Some(Progress::Stopped("TLS handshake message in too many records")));
}

#[test]
fn a_retried_hello_is_seen_too() {
    let first = Hello::browser().records(16_384);
    let middlebox = [20, 3, 3, 0, 1, 1];
    let mut second = Hello::browser();
    second.extensions[2] = Hello::server_name(b"second.example");
    let data = [&first[..], &middlebox, &second.records(200), &application_data()].concat();
    let seen = same_in_any_segments::<Tls>(UP, hint(), &data);
    assert_eq!(seen.len(), 6);
    assert_eq!(seen[3], "domain-name tls.client.server_name second.example");
    assert_eq!(run(&data).1, Some(Progress::DoneDirection));
}

#[test]
fn nothing_else_is_of_interest() {
    let key_exchange = [22, 3, 3, 0, 40, 12, 0, 0, 36];
    for data in [&key_exchange[..], &application_data(), &[21, 3, 1, 0, 2, 2, 40], &[20, 3, 3, 0, 1, 1]] {
        assert_eq!(Tls::probe(data, &hint()), Probe::Yes);
        assert_eq!(run(data), (vec![], Some(Progress::DoneDirection)));
    }
}

#[test]
fn an_address_as_server_name_is_an_address() {
    for (name, expected) in [
        (&b"192.0.2.7"[..], "ipv4-addr tls.client.server_name 192.0.2.7"),
        (b"2001:db8::1", "ipv6-addr tls.client.server_name 2001:db8::1"),
        (b"[2001:db8::1]", "ipv6-addr tls.client.server_name 2001:db8::1"),
        (b"1.2.3.example", "domain-name tls.client.server_name 1.2.3.example"),
    ] {
        let hello = Hello { extensions: vec![Hello::server_name(name)], ..Hello::default() };
        assert_eq!(run(&hello.records(16_384)).0[0], expected);
    }
}

#[test]
fn a_name_before_damage_is_seen_but_no_fingerprint() {
    let mut hello =
        Hello { extensions: vec![Hello::server_name(b"a.example"), Hello::groups(&[23])], ..Hello::default() };
    hello.extensions[1].1[1] = 200;
    let (seen, ended) = run(&hello.records(16_384));
    assert_eq!(seen, ["domain-name tls.client.server_name a.example"]);
    assert_eq!(ended, Some(Progress::Stopped("malformed extensions of a ClientHello")));
}

#[test]
fn a_hello_that_never_completes_shows_a_whole_name() {
    let hello = Hello::browser().records(16_384);
    let name_ends = hello.windows(11).position(|w| w == b"example.com").expect("there") + 11;
    for cut in 0..hello.len() {
        let mut stream = Stream::<Tls>::of(UP, hint(), &hello[..cut], &[]);
        assert!(stream.seen.is_empty());
        stream.cut();
        let expected: &[&str] =
            if cut < name_ends { &[] } else { &["domain-name tls.client.server_name www.example.com"] };
        assert_eq!(stream.seen, expected, "{cut}");
    }
    // Where its extensions would begin it looks like one without any: still no fingerprint.
    let mut stream = Stream::<Tls>::of(UP, hint(), &hello[..5 + 4 + 2 + 32 + 33 + 2 + 32 + 2], &[]);
    stream.cut();
    assert!(stream.seen.is_empty());
}

#[test]
fn empty_and_overlong_names_are_none() {
    for extension in [(0, vec![]), Hello::server_name(b""), Hello::server_name(&[b'a'; 256])] {
        let hello = Hello { extensions: vec![extension], ..Hello::default() };
        let (seen, ended) = run(&hello.records(16_384));
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen[1].starts_with("ja4 tls.client.ja4 t12d0001"));
        assert_eq!(ended, None);
    }
}

#[test]
fn probe_is_sure_with_six_bytes() {
    let hello = Hello::browser().records(16_384);
    for length in 0..6 {
        assert_eq!(Tls::probe(&hello[..length], &hint()), Probe::Unsure, "{length}");
    }
    assert_eq!(Tls::probe(&hello[..6], &hint()), Probe::Yes);
    for foreign in
        [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x04\x01\x00\x05\x01", b"\x16\x03\x01\x00\x00\x01", b"\x17\x03\x03\x00\x05x"]
    {
        assert_eq!(Tls::probe(foreign, &hint()), Probe::No, "{foreign:?}");
    }
    // A record that another one should follow.
    assert_eq!(Tls::probe(b"\x16\x03\x01\x00\x01\x01GET", &hint()), Probe::No);
}

const DOWN: Direction = Direction::ToOriginator;

/// ServerHello, Certificate and ServerHelloDone as messages.
fn flight() -> Vec<Vec<u8>> {
    let chain = chain(&[Cert::example().der(), Cert { serial: vec![7], ..Cert::example() }.der()]);
    vec![message(2, &ServerHello::default().body()), message(11, &chain), message(14, &[])]
}

#[test]
fn a_server_s_first_flight() {
    let per_message: Vec<u8> = flight().iter().flat_map(|m| records(m, 16_384)).collect();
    let seen = same_in_any_segments::<Tls>(DOWN, hint(), &per_message);
    assert_eq!(seen.len(), 1 + 2 * 8, "{seen:?}");
    assert!(seen[0].starts_with("ja3s tls.server.ja3s "));
    assert!(seen[1].starts_with("x509-certificate tls.server.hash.sha1 "));
    // However the messages lie in records.
    for size in [1, 3, 4, 5, 50, 90, 200, 16_384] {
        let data = records(&flight().concat(), size);
        let stream = Stream::<Tls>::of(DOWN, hint(), &data, &[]);
        assert_eq!(stream.seen, seen, "records of {size}");
        assert_eq!(stream.ended, Some(Progress::DoneDirection), "records of {size}");
    }
    assert_eq!(same_in_any_segments::<Tls>(DOWN, hint(), &records(&flight().concat(), 70)), seen);
}

#[test]
fn a_server_is_done_with_when_it_shows_nothing_more() {
    let ended = |data: &[u8]| {
        let stream = Stream::<Tls>::of(DOWN, hint(), data, &[]);
        (stream.seen.len(), stream.ended, stream.calls)
    };
    let sealed = ServerHello { extensions: vec![(43, vec![3, 4])], ..ServerHello::default() };
    let hello = |hello: &ServerHello| records(&message(2, &hello.body()), 16_384);
    assert_eq!(ended(&[&hello(&sealed)[..], &application_data()].concat()), (1, Some(Progress::DoneDirection), 1));
    let resumed = [&hello(&ServerHello::default())[..], &[20, 3, 3, 0, 1, 1], &records(&[11; 40], 40)].concat();
    assert_eq!(ended(&resumed), (1, Some(Progress::DoneDirection), 1));
    let anonymous = [&hello(&ServerHello::default())[..], &records(&message(12, &[1; 80]), 100)].concat();
    assert_eq!(ended(&anonymous), (1, Some(Progress::DoneDirection), 1));
    let mut retry = sealed.clone();
    retry.random.copy_from_slice(&sha2::Sha256::digest(b"HelloRetryRequest"));
    let twice = [&hello(&retry)[..], &[20, 3, 3, 0, 1, 1], &hello(&sealed), &application_data()].concat();
    assert_eq!(ended(&twice), (2, Some(Progress::DoneDirection), 1));
}

#[test]
fn a_server_that_nobody_asks_about_is_not_read() {
    let data: Vec<u8> = flight().iter().flat_map(|m| records(m, 16_384)).collect();
    let hint = Hint { wants: Wants::NONE, ..hint() };
    let stream = Stream::<Tls>::of(DOWN, hint, &data, &[]);
    assert_eq!((stream.seen.len(), stream.ended, stream.calls), (0, Some(Progress::DoneDirection), 1));
}

#[test]
fn a_client_s_certificate() {
    let certificate = message(11, &chain(&[Cert::example().der()]));
    let data = [&Hello::browser().records(16_384)[..], &records(&certificate, 16_384), &application_data()].concat();
    let (seen, ended) = run(&data);
    assert_eq!((seen.len(), ended), (3 + 8, Some(Progress::DoneDirection)));
    assert!(seen[3].starts_with("x509-certificate tls.client.hash.sha1 "));
    // Behind a ChangeCipherSpec it would be encrypted, whatever it looks like.
    let sealed = [&Hello::browser().records(16_384)[..], &[20, 3, 3, 0, 1, 1], &records(&certificate, 16_384)].concat();
    assert_eq!(run(&sealed).0.len(), 3);
}

#[test]
fn a_chain_that_never_completes_shows_what_is_whole() {
    let whole = run_down(&records(&flight().concat(), 100)).seen;
    let data = records(&flight().concat(), 100);
    let mut cut = run_down(&data[..data.len() - 120]);
    cut.cut();
    assert_eq!(cut.seen, whole[..1 + 8]);
    let long = records(&message(11, &[0; MAX_MESSAGE_BYTES]), 16_384);
    assert_eq!(run_down(&long).ended, Some(Progress::Stopped("TLS Certificate message too long")));
}

fn run_down(data: &[u8]) -> Stream<Tls> {
    Stream::of(DOWN, hint(), data, &[])
}

#[test]
fn an_encrypted_hello_is_said_and_its_outer_name_shown() {
    let mut hello = Hello::browser();
    hello.extensions.push((0xfe0d, vec![0; 40]));
    let (seen, ended) = run(&hello.records(16_384));
    let reported = Progress::Damaged { bytes: hello.records(16_384).len(), need: 0, reason: "encrypted_client_hello" };
    assert_eq!((seen.len(), ended), (3, Some(reported)));
    hello.extensions.pop();
    hello.extensions.push((0xfe0d, vec![1]));
    assert_eq!(run(&hello.records(16_384)).1, None);
}

proptest! {
    #[test]
    fn segments_and_records_do_not_matter(size in 1usize..600, cuts in prop::collection::vec(0usize..3_000, 0..6)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let data = [&Hello::browser().records(size)[..], &application_data()].concat();
        let split = Stream::<Tls>::of(UP, hint(), &data, &cuts);
        let whole = run(&[&Hello::browser().records(16_384)[..], &application_data()].concat());
        prop_assert_eq!((split.seen, split.ended), whole);
    }

    #[test]
    fn never_panics(data in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(0usize..200, 0..3)) {
        let hello = [&[22, 3, 1, 0, 150, 1, 0, 0, 146][..], &data].concat();
        Stream::<Tls>::of(UP, hint(), &hello, &cuts);
        Stream::<Tls>::of(UP, hint(), &data, &cuts);
        Tls::probe(&data, &hint());
    }

    #[test]
    fn damage_never_panics(at in 0usize..600, with in 1u8.., size in 100usize..600) {
        let mut data = Hello::browser().records(size);
        if let Some(byte) = data.get_mut(at) {
            *byte ^= with;
        }
        let (seen, _) = run(&data);
        prop_assert!(seen.len() <= 6);
    }
}
