use proptest::prelude::*;

use super::testing::{Hello, tcp, udp};
use super::*;

fn dns_query() -> Vec<u8> {
    [&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x01a\x07example\x00\x00\x01\x00\x01"].concat()
}

fn identified(data: &[u8], hint: &Hint) -> Option<&'static str> {
    match Session::identify(data, hint) {
        Identified::Yes(session) => session.name(),
        Identified::Unsure => Some("unsure"),
        Identified::No => None,
    }
}

#[test]
fn content_names_the_protocol_on_any_port() {
    let framed = [&[0, 27][..], &dns_query()].concat();
    let dtls = [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 1][..], &[0; 11]].concat();
    for port in [443, 53, 80, 9999] {
        assert_eq!(identified(&Hello::browser().records(16_384), &tcp(50_000, port)), Some("tls"));
        assert_eq!(identified(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", &tcp(50_000, port)), Some("http"));
        assert_eq!(identified(&framed, &tcp(50_000, port)), Some("dns"));
        assert_eq!(identified(&dns_query(), &udp(50_000, port)), Some("dns"));
        assert_eq!(identified(b"220 mail.example ESMTP\r\n", &tcp(port, 50_000)), Some("smtp"));
        assert_eq!(identified(b"+OK POP3 ready\r\n", &tcp(port, 50_000)), Some("pop3"));
        assert_eq!(identified(&dtls, &udp(50_000, port)), Some("dtls"));
    }
    for foreign in [&b"211 odd\r\n"[..], &[0xff; 40], &[0; 40]] {
        assert_eq!(identified(foreign, &tcp(50_000, 9999)), None, "{foreign:?}");
        assert_eq!(identified(foreign, &udp(50_000, 9999)), None, "{foreign:?}");
    }
    assert_eq!(identified(&[22, 3], &tcp(50_000, 9999)), Some("unsure"));
}

/// [`Session::identify`] holds itself to it.
#[test]
fn a_first_byte_leaves_every_protocol_that_may_begin_with_it() {
    for first in 0..=u8::MAX {
        for length in 0..40 {
            for (second, fill) in [(0, 0), (first, first), (0, b' '), (b' ', b'\n'), (3, 3)] {
                let mut data = vec![fill; length + 2];
                (data[0], data[1]) = (first, second);
                for port in [53, 9999, 6653, 21] {
                    for data in [&data[..], &data[..1]] {
                        let _ = Session::identify(data, &tcp(50_000, port));
                        let _ = Session::identify(data, &udp(50_000, port));
                    }
                }
            }
        }
    }
}

#[test]
fn every_protocol_can_be_a_condition() {
    for name in Session::NAMES {
        assert!(crate::indicator::PROTOCOLS.contains(name), "{name} is missing in indicator::PROTOCOLS");
    }
}

#[test]
fn a_session_starts_unknown_and_tells_no_values() {
    let mut session = Session::default();
    assert_eq!(session.name(), None);
    assert!(matches!(session.parse(Direction::ToResponder, b"x", &tcp(1, 2), &mut |_| {}), Progress::Stopped(_)));
    assert_eq!(session.gap(Direction::ToResponder, 1), AfterGap::Probe);
    assert!(session.max_pending_bytes() >= dns::Dns::MAX_PENDING_BYTES);
    assert_eq!(format!("{session:?}"), "Session(None)");
}

/// What a fuzz target does with its input: every call of a session, whatever the bytes.
fn round(data: &[u8], hint: &Hint) {
    let Identified::Yes(mut session) = Session::identify(data, hint) else { return };
    for direction in [Direction::ToResponder, Direction::ToOriginator] {
        let mut seen = |observable: crate::indicator::Observable<'_>| {
            assert!(!observable.at.0.is_empty());
        };
        if let Progress::Consumed { bytes, .. } | Progress::Damaged { bytes, .. } =
            session.parse(direction, data, hint, &mut seen)
        {
            assert!(bytes <= data.len());
            session.cut(direction, &data[bytes..], hint, &mut seen);
        }
        session.gap(direction, 7);
        session.probe(data, hint);
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_session(
        first in prop::sample::select(vec![&[][..], &[22, 3, 1], &[22, 0xfe, 0xfd], b"GET /", b"\0\x30", b"HTTP/1.1 302 ", b"SSH-2.0-x\n", &[5, 0x64], &[0x68, 4], &[3, 0, 0], &[0x81, 10, 0], b"MSGF", &[0x6f, 0], &[0, 0, 0, 0, 0]]),
        rest in prop::collection::vec(any::<u8>(), 0..200), port in prop::sample::select(vec![53u16, 80, 443, 137, 9]),
    ) {
        let data = [first, &rest].concat();
        round(&data, &tcp(50_000, port));
        round(&data, &udp(50_000, port));
    }
}
