use proptest::prelude::*;

use super::super::testing::{Stream, datagrams, same_in_any_segments, tcp, text_with_fields, udp};
use super::*;

const UP: Direction = Direction::ToResponder;

fn client() -> Hint {
    udp(50_000, 53)
}

fn name(dotted: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in dotted.split('.').filter(|l| !l.is_empty()) {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [0x1234, flags].iter().chain(&counts).flat_map(|n| n.to_be_bytes()).collect()
}

fn question(dotted: &str, kind: u16) -> Vec<u8> {
    [&name(dotted)[..], &kind.to_be_bytes(), &[0, 1]].concat()
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).to_be_bytes();
    [owner, &kind.to_be_bytes(), &[0, 1], &[0, 0, 0, 60], &length, data].concat()
}

fn query(dotted: &str, kind: u16) -> Vec<u8> {
    [header(0x0100, [1, 0, 0, 0]), question(dotted, kind)].concat()
}

fn response(answers: &[Vec<u8>]) -> Vec<u8> {
    [header(0x8180, [1, answers.len() as u16, 0, 0]), question("www.example.com", 1), answers.concat()].concat()
}

/// Where the question's name, and its part behind the first label, stand.
const ASKED: [u8; 2] = [0xc0, 12];
const PARENT: [u8; 2] = [0xc0, 16];

fn run(hint: Hint, message: &[u8]) -> (Vec<String>, Progress) {
    let (seen, said) = datagrams::<Dns>(UP, &[message.to_vec()], &hint);
    (seen, said[0])
}

fn shown(message: &[u8]) -> Vec<String> {
    let (seen, progress) = run(client(), message);
    assert_eq!(progress, Progress::Consumed { bytes: message.len(), need: 0 }, "{seen:?}");
    seen
}

#[test]
fn question_of_any_type() {
    for kind in [1, 28, 16, 65, 255, 65_400] {
        assert_eq!(shown(&query("WWW.example.com", kind)), ["domain-name dns.question.name WWW.example.com"]);
    }
    assert!(shown(&query("", 2)).is_empty());
}

#[test]
fn fields_go_with_each() {
    let mut all = Vec::new();
    let message = response(&[record(&ASKED, 1, &[192, 0, 2, 1])]);
    Dns.parse(UP, &message, &client(), &mut |o| all.push(text_with_fields(&o)));
    let fields =
        "dns.id=4660 dns.type=answer dns.question.name=www.example.com dns.question.type=A dns.response_code=NOERROR";
    assert_eq!(
        all,
        [
            format!("domain-name dns.question.name www.example.com {fields}"),
            format!("ipv4-addr dns.resolved_ip 192.0.2.1 {fields}"),
        ]
    );
    let mut one = String::new();
    Dns.parse(UP, &query("a.example", 999), &client(), &mut |o| one = text_with_fields(&o));
    assert_eq!(
        one,
        "domain-name dns.question.name a.example dns.id=4660 dns.type=query dns.question.name=a.example dns.question.type=999"
    );
}

#[test]
fn targets_of_records() {
    let cases: [(u16, Vec<u8>, &str); 11] = [
        (2, name("ns.example.net"), "ns.example.net"),
        (5, [&b"\x03cdn"[..], &PARENT].concat(), "cdn.example.com"),
        (6, [&name("ns1.example.net")[..], &name("hostmaster.example.net"), &[0; 20]].concat(), "ns1.example.net"),
        (12, name("host.example.net"), "host.example.net"),
        (15, [&[0, 10][..], &name("mx.example.net")].concat(), "mx.example.net"),
        (18, [&[0, 1][..], &name("afs.example.net")].concat(), "afs.example.net"),
        (33, [&[0, 1, 0, 2, 0x13, 0xc4][..], &name("sip.example.net")].concat(), "sip.example.net"),
        (
            35,
            [&[0, 1, 0, 2][..], b"\x01s\x07SIP+D2U\x00", &name("_sip._udp.example.net")].concat(),
            "_sip._udp.example.net",
        ),
        (39, name("new.example.net"), "new.example.net"),
        (64, [&[0, 1][..], &name("svc.example.net")].concat(), "svc.example.net"),
        (65, [&[0, 0][..], &name("alias.example.net")].concat(), "alias.example.net"),
    ];
    for (kind, data, target) in cases {
        let seen = shown(&response(&[record(&ASKED, kind, &data)]));
        assert_eq!(seen[1..], [format!("domain-name dns.answers.data {target}")], "type {kind}");
    }
}

#[test]
fn addresses_of_answers_and_hints() {
    let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let hints =
        [&[0, 1, 0][..], &[0, 1, 0, 3, 2, b'h', b'2'], &[0, 4, 0, 8, 192, 0, 2, 1, 192, 0, 2, 2], &[0, 6, 0, 16], &v6]
            .concat();
    let seen = shown(&response(&[record(&ASKED, 28, &v6), record(&ASKED, 65, &hints)]));
    assert_eq!(
        seen[1..],
        [
            "ipv6-addr dns.resolved_ip 2001:db8::1",
            "ipv4-addr dns.resolved_ip 192.0.2.1",
            "ipv4-addr dns.resolved_ip 192.0.2.2",
            "ipv6-addr dns.resolved_ip 2001:db8::1",
        ]
    );
}

#[test]
fn owners_that_are_not_the_question() {
    let cname = record(&ASKED, 5, &[&b"\x03cdn"[..], &PARENT].concat());
    let target = [0xc0, 12 + 21 + 12];
    let seen = shown(&response(&[cname, record(&target, 1, &[192, 0, 2, 1]), record(&target, 1, &[192, 0, 2, 2])]));
    assert_eq!(
        seen[1..],
        [
            "domain-name dns.answers.data cdn.example.com",
            "domain-name dns.answers.name cdn.example.com",
            "ipv4-addr dns.resolved_ip 192.0.2.1",
            "ipv4-addr dns.resolved_ip 192.0.2.2",
        ]
    );
    // Written out, in another case: still the question.
    let seen = shown(&response(&[record(&name("WWW.Example.com"), 1, &[192, 0, 2, 1])]));
    assert_eq!(seen[1..], ["ipv4-addr dns.resolved_ip 192.0.2.1"]);
}

#[test]
fn authority_and_additional_sections_count() {
    let message = [
        header(0x8180, [1, 0, 1, 2]),
        question("www.example.com", 1),
        record(&PARENT, 2, &[&b"\x02ns"[..], &PARENT].concat()),
        record(&name("ns.example.com"), 1, &[192, 0, 2, 53]),
        [&[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0][..]].concat(),
    ]
    .concat();
    assert_eq!(
        shown(&message)[1..],
        [
            "domain-name dns.answers.name example.com",
            "domain-name dns.answers.data ns.example.com",
            "domain-name dns.answers.name ns.example.com",
            "ipv4-addr dns.resolved_ip 192.0.2.53",
        ]
    );
}

#[test]
fn multicast_answers_without_a_question() {
    let service = name("_ipp._tcp.local");
    let mut instance = b"\x0cOld Printer!".to_vec();
    instance.extend([0xc0, 12]);
    let mut pointer = record(&service, 12, &instance);
    pointer[service.len() + 2] = 0x80;
    let message = [header(0x8400, [0, 1, 0, 0]), pointer].concat();
    let (seen, _) = run(udp(5353, 5353), &message);
    assert_eq!(
        seen,
        ["domain-name dns.answers.name _ipp._tcp.local", "domain-name dns.answers.data Old Printer!._ipp._tcp.local",]
    );
}

#[test]
fn dynamic_update_sections() {
    let message = [
        header(5 << 11, [1, 1, 1, 0]),
        question("example.com", 6),
        record(&name("old.example.com"), 1, &[]),
        record(&name("new.example.com"), 1, &[192, 0, 2, 9]),
    ]
    .concat();
    let expected = [
        "domain-name dns.question.name example.com",
        "domain-name dns.answers.name old.example.com",
        "domain-name dns.answers.name new.example.com",
        "ipv4-addr dns.resolved_ip 192.0.2.9",
    ];
    assert_eq!(shown(&message), expected);
    assert_eq!(run(udp(50_000, 5300), &message).0, expected);
}

#[test]
fn binary_tunnel_names_are_seen_whole() {
    let label = [&[60u8][..], &[1; 60]].concat();
    let message =
        [header(0x8180, [1, 1, 0, 0]), label.repeat(3), question("t.evil.example", 10), record(&ASKED, 10, b"x")]
            .concat();
    let seen = shown(&message);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].ends_with(r"\001\001.t.evil.example"));
    let message = [
        header(0x8180, [1, 1, 0, 0]),
        question("a.example", 5),
        record(&ASKED, 5, &[&label.repeat(2)[..], &name("evil.example")].concat()),
    ]
    .concat();
    assert!(shown(&message)[1].ends_with(r"\001.evil.example"));
}

#[test]
fn what_comes_before_damage_is_seen_on_usual_ports() {
    let whole = response(&[record(&ASKED, 1, &[192, 0, 2, 1]), record(&ASKED, 1, &[192, 0, 2, 2])]);
    let all = shown(&whole);
    for cut in 0..whole.len() {
        let (seen, progress) = run(client(), &whole[..cut]);
        assert!(matches!(progress, Progress::Damaged { .. }), "{cut}");
        let complete = 1 + usize::from(cut >= 33 + 16);
        assert_eq!(seen, all[..if cut < 33 { 0 } else { complete }], "{cut}");
    }
    let (seen, progress) = run(client(), &[&whole[..], &[0; 4]].concat());
    assert_eq!(seen, all);
    assert!(matches!(progress, Progress::Damaged { .. }));
}

#[test]
fn a_record_with_damaged_data_is_stepped_over() {
    for bad in [
        record(&ASKED, 5, &[0xc0, 0xff]),
        record(&ASKED, 1, &[1, 2, 3]),
        record(&ASKED, 5, b"\x03ab"),
        record(&ASKED, 65, &[0, 1, 0, 0, 4, 0, 9]),
    ] {
        let (seen, progress) = run(client(), &response(&[bad, record(&ASKED, 1, &[192, 0, 2, 2])]));
        assert_eq!(seen[1..], ["ipv4-addr dns.resolved_ip 192.0.2.2"]);
        assert!(matches!(progress, Progress::Damaged { .. }));
    }
}

#[test]
fn unusual_ports_want_faultless_messages() {
    let odd = udp(50_000, 9953);
    let whole = response(&[record(&ASKED, 1, &[192, 0, 2, 1])]);
    assert_eq!(Dns::probe(&whole, &odd), Probe::Yes);
    assert_eq!(run(odd, &whole).0, shown(&whole));
    for message in [&whole[..whole.len() - 1], &[&whole[..], &[0]].concat(), b"hello, world, hello"] {
        assert_eq!(Dns::probe(message, &odd), Probe::No);
        let (seen, progress) = run(odd, message);
        assert!(seen.is_empty());
        assert!(matches!(progress, Progress::Damaged { .. }));
    }
    // A class that does not exist.
    let mut message = query("www.example.com", 1);
    let last = message.len() - 1;
    message[last] = 9;
    assert_eq!(Dns::probe(&message, &odd), Probe::No);
    assert_eq!(Dns::probe(&message, &client()), Probe::Yes);
}

#[test]
fn netbios_names_are_no_domain_names() {
    let message = query("FHEPFCELEHFCEPFFFACACACACACACAAA", 0x20);
    assert_eq!(Dns::probe(&message, &udp(137, 137)), Probe::No);
    assert_eq!(Dns::probe(&message, &udp(50_000, 1137)), Probe::No);
    assert_eq!(Dns::probe(&query("a.example", 1), &udp(50_000, 137)), Probe::No);
}

#[test]
fn several_messages_in_a_stream_cut_anywhere() {
    let frame = |m: Vec<u8>| [&(m.len() as u16).to_be_bytes()[..], &m].concat();
    let messages = [query("a.example", 1), response(&[record(&ASKED, 1, &[192, 0, 2, 1])]), query("b.example", 252)];
    let data: Vec<u8> = messages.into_iter().flat_map(frame).collect();
    for hint in [tcp(50_000, 53), tcp(50_000, 8853)] {
        assert_eq!(
            same_in_any_segments::<Dns>(UP, hint, &data),
            [
                "domain-name dns.question.name a.example",
                "domain-name dns.question.name www.example.com",
                "ipv4-addr dns.resolved_ip 192.0.2.1",
                "domain-name dns.question.name b.example",
            ]
        );
    }
}

#[test]
fn a_stream_goes_on_behind_a_damaged_message() {
    let frame = |m: &[u8]| [&(m.len() as u16).to_be_bytes()[..], m].concat();
    let data = [frame(&query("a.example", 1)[..20]), frame(&query("b.example", 1))].concat();
    let stream = Stream::<Dns>::of(UP, tcp(50_000, 53), &data, &[]);
    assert_eq!(stream.seen, ["domain-name dns.question.name b.example"]);
    assert!(matches!(stream.ended, Some(Progress::Damaged { .. })));
    let stream = Stream::<Dns>::of(UP, tcp(50_000, 53), &[0, 11, 0, 0], &[]);
    assert!(matches!(stream.ended, Some(Progress::Stopped(_))));
}

#[test]
fn a_message_that_never_completes_shows_what_came() {
    let message = response(&[record(&ASKED, 1, &[192, 0, 2, 1])]);
    let data = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let mut stream = Stream::<Dns>::of(UP, tcp(50_000, 53), &data[..data.len() - 1], &[]);
    stream.cut();
    assert_eq!(stream.seen, ["domain-name dns.question.name www.example.com"]);
}

#[test]
fn stream_probe() {
    let message = query("a.example", 1);
    let data = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let (usual, odd) = (tcp(50_000, 53), tcp(50_000, 8853));
    for length in 0..data.len() {
        assert_eq!(Dns::probe(&data[..length], &odd), Probe::Unsure, "{length}");
    }
    assert_eq!(Dns::probe(&data[..14], &usual), Probe::Yes);
    assert_eq!(Dns::probe(&data, &odd), Probe::Yes);
    for foreign in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"SSH-2.0-x\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00",
    ] {
        assert_eq!(Dns::probe(foreign, &odd), Probe::No, "{foreign:?}");
    }
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let whole = response(&[
        record(&ASKED, 5, &[&b"\x03cdn"[..], &PARENT].concat()),
        record(&PARENT, 28, &v6),
        record(&name("q.example"), 33, &[&[0, 1, 0, 2, 0, 80][..], &name("srv.example")].concat()),
        record(&ASKED, 65, &[&[0, 1, 0][..], &[0, 4, 0, 4, 192, 0, 2, 1]].concat()),
    ]);
    let length = whole.len();
    prop::collection::vec((0..length, any::<u8>()), 0..4).prop_map(move |edits| {
        let mut message = whole.clone();
        edits.into_iter().for_each(|(at, byte)| message[at] = byte);
        message
    })
}

proptest! {
    #[test]
    fn never_panics(data in prop::collection::vec(any::<u8>(), 0..120)) {
        for hint in [client(), udp(1, 2), tcp(1, 53), tcp(1, 2)] {
            Dns::probe(&data, &hint);
            Stream::<Dns>::of(UP, hint, &data, &[]);
        }
    }

    #[test]
    fn damage_shows_nothing_by_halves(message in any_message()) {
        let (lenient, said) = run(client(), &message);
        let odd = udp(1, 2);
        let (strict, _) = run(odd, &message);
        // Strict is all or nothing, and never more than lenient.
        prop_assert!(strict.is_empty() || strict == lenient);
        if Dns::probe(&message, &odd) == Probe::Yes {
            prop_assert_eq!(said, Progress::Consumed { bytes: message.len(), need: 0 });
        }
    }
}
