//! What a parser costs a message, observables counted: a change that gets faster by seeing less fails.
//!
//! `cargo bench --bench proto`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use picket::flow::Direction;
use picket::indicator::kind::{JA3, JA4};
use picket::indicator::{Transport, Wants};
use picket::proto::{Hint, Identified, Progress, Session};

criterion_group!(benches, dns, tls, identify);
criterion_main!(benches);

fn dns(c: &mut Criterion) {
    let hint = Hint::new(Transport::Udp, 50_000, 53, Wants::NONE);
    let odd = Hint { destination_port: 9953, ..hint };
    let query = [&dns_header(0x0100, 1, 0)[..], &dns_question("www.example.com")].concat();
    let records: Vec<u8> =
        (0..4).flat_map(|n| [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4][..], &[192, 0, 2, n]].concat()).collect();
    let response = [&dns_header(0x8180, 1, 4)[..], &dns_question("www.example.com"), &records].concat();
    message(c, "dns/query", &query, &hint, 1);
    message(c, "dns/query on another port", &query, &odd, 1);
    message(c, "dns/response with four addresses", &response, &hint, 5);
}

fn tls(c: &mut Criterion) {
    let hint = Hint::new(Transport::Tcp, 50_000, 443, Wants::NONE);
    message(c, "tls/ClientHello", &client_hello(), &hint, 1);
    let mut wants = Wants::NONE;
    [&JA3, &JA4].into_iter().for_each(|kind| wants.add(kind, 0));
    message(c, "tls/ClientHello with JA3 and JA4", &client_hello(), &Hint { wants, ..hint }, 3);
}

/// Probing alone: what every flow's first segments cost.
fn identify(c: &mut Criterion) {
    let tcp = Hint::new(Transport::Tcp, 50_000, 9999, Wants::NONE);
    let udp = Hint { transport: Transport::Udp, ..tcp };
    let foreign: Vec<u8> = (0..1400u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    for (name, hint) in [("identify/foreign TCP", tcp), ("identify/foreign UDP", udp)] {
        assert!(matches!(Session::identify(&foreign, &hint), Identified::No));
        c.bench_function(name, |b| b.iter(|| matches!(Session::identify(black_box(&foreign), &hint), Identified::No)));
    }
}

/// Benches parsing `data`, which shows `expected` observables, in a session already identified.
fn message(c: &mut Criterion, name: &str, data: &[u8], hint: &Hint, expected: usize) {
    let Identified::Yes(mut session) = Session::identify(data, hint) else { panic!("{name}: not identified") };
    c.bench_function(name, |b| {
        b.iter(|| {
            let mut seen = 0;
            let progress = session.parse(Direction::ToResponder, black_box(data), hint, &mut |observable| {
                black_box(&observable.value);
                seen += 1;
            });
            assert!(matches!(progress, Progress::Consumed { .. }));
            assert_eq!(seen, expected, "{name}");
        })
    });
}

fn dns_header(flags: u16, questions: u16, answers: u16) -> Vec<u8> {
    [7, flags, questions, answers, 0, 0].iter().flat_map(|n| n.to_be_bytes()).collect()
}

fn dns_question(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat());
    labels.chain([0, 0, 1, 0, 1]).collect()
}

/// A browser's: 15 ciphers, 16 extensions, GREASE, a post-quantum key share.
fn client_hello() -> Vec<u8> {
    let ciphers: [u16; 16] = [
        0x6a6a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d,
        0x2f, 0x35,
    ];
    let name = list16(&[&[0][..], &list16(b"www.example.com")].concat());
    let extensions: [(u16, Vec<u8>); 17] = [
        (0x2a2a, vec![]),
        (0x1b, vec![2, 0, 2]),
        (0, name),
        (0x33, vec![0; 1258]),
        (0x10, list16(b"\x02h2\x08http/1.1")),
        (0x4469, vec![0, 3, 2, b'h', b'2']),
        (0x17, vec![]),
        (0x2d, vec![1, 1]),
        (0x0d, list16(&[4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1])),
        (5, vec![1, 0, 0, 0, 0]),
        (0x23, vec![]),
        (0x12, vec![]),
        (0x2b, vec![6, 0x5a, 0x5a, 3, 4, 3, 3]),
        (0xff01, vec![0]),
        (0x0b, vec![1, 0]),
        (0x0a, list16(&[0x9a, 0x9a, 0x11, 0xec, 0, 29, 0, 23, 0, 24])),
        (0xbaba, vec![0]),
    ];
    let list = extensions.iter().flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &list16(data)].concat());
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[32],
        &[9; 32],
        &list16(&ciphers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>()),
        &[1, 0],
        &list16(&list.collect::<Vec<_>>()),
    ]
    .concat();
    let message = [&[1][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat();
    [&[22, 3, 1][..], &list16(&message)].concat()
}

fn list16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}
