use super::*;
use crate::indicator::kind::{BYTES, DOMAIN, IPV4, JA3, URL};
use crate::indicator::{Draft, IndicatorSet, Match, Transport, Value, Where, Window};
use crate::matcher::Seeds;
use crate::matcher::twin::{self, RAW_ADDR, raw};
use proptest::prelude::*;

fn matcher(indicators: IndicatorSet, allow: IndicatorSet) -> Matcher {
    Matcher::new(Arc::new(MatchSet::compile_seeded(indicators, allow, Seeds::fixed(1))))
}

fn text<'a>(kind: &'static crate::indicator::Kind, value: &'a str) -> Observable<'a> {
    Observable { kind, value: Value::Text(value.as_bytes()), at: Where("test"), with: &[] }
}

fn end(ip: &str, port: u16, transport: Option<Transport>) -> Observable<'static> {
    let ip = ip.parse().expect("address");
    Observable { kind: &IPV4, value: Value::Endpoint(ip, port, transport), at: Where("test"), with: &[] }
}

fn seen(matcher: &mut Matcher, observable: &Observable<'_>, at: u64) -> Vec<Hit> {
    let mut hits = Vec::new();
    matcher.seen(observable, Timestamp::from_ns(at), &mut hits);
    hits
}

#[test]
fn all_that_cover_are_reported_with_how() {
    let ip = raw("192.0.2.1", None);
    let net = raw("192.0.2.0", Some(24));
    let set = twin::set_of(
        [
            twin::draft(&RAW_ADDR, &ip, Match::Exact),
            twin::draft(&RAW_ADDR, &net, Match::Exact),
            Draft { port: Some(443), ..twin::draft(&RAW_ADDR, &ip, Match::Exact) },
            twin::draft(&DOMAIN, b"evil.example", Match::Subtree),
            twin::draft(&URL, b"evil.example/a", Match::Prefix),
            twin::draft(&JA3, b"ada70206e40642a3e4461f35503241d5", Match::Exact),
        ]
        .into_iter(),
    );
    let mut matcher = matcher(set, IndicatorSet::default());
    let how = |matcher: &mut Matcher, observable: Observable<'_>| {
        seen(matcher, &observable, 0).iter().map(|hit| (hit.indicator.0, hit.how)).collect::<Vec<_>>()
    };
    assert_eq!(
        how(&mut matcher, end("192.0.2.1", 443, None)),
        [(1, How::Network { bits: 24 }), (0, How::Exact), (2, How::Port)]
    );
    assert_eq!(how(&mut matcher, text(&DOMAIN, "A.B.Evil.Example.")), [(3, How::Subtree { labels: 2 })]);
    assert_eq!(how(&mut matcher, text(&URL, "HTTP://Evil.Example:80/a?x#y")), [(4, How::Prefix)]);
    assert_eq!(how(&mut matcher, text(&JA3, "ada70206e40642a3e4461f35503241d5")), [(5, How::Exact)]);
    assert_eq!(how(&mut matcher, text(&BYTES, "evil.example")), []);
    let set = matcher.set();
    assert!(set.endpoint_maybe(&set.endpoint_key("::ffff:192.0.2.1".parse().expect("address"), 1)));
    assert!(set.name_maybe(set.name_key(b"x.evil.example.")) && !set.has_patterns());
    assert_eq!(set.memory().iter().map(|m| m.part).collect::<Vec<_>>().len(), 10);
}

#[test]
fn the_allow_list_marks_and_keeps() {
    let set = || twin::set_of([twin::draft(&DOMAIN, b"example", Match::Subtree)].into_iter());
    let window = Window { from: Timestamp::from_ns(10), until: Timestamp::MAX };
    let allow = Draft { window, ..twin::draft(&DOMAIN, b"good.example", Match::Subtree) };
    let mut matcher = matcher(set(), twin::set_of([allow].into_iter()));
    let suppressed = |matcher: &mut Matcher, name: &str, at| {
        seen(matcher, &text(&DOMAIN, name), at).iter().map(|hit| hit.suppressed).collect::<Vec<_>>()
    };
    assert_eq!(suppressed(&mut matcher, "x.good.example", 10), [true]);
    assert_eq!(suppressed(&mut matcher, "x.good.example", 9), [false], "not valid yet");
    assert_eq!(suppressed(&mut matcher, "bad.example", 10), [false]);
}

#[test]
fn an_allowed_byte_signature_is_the_one_with_its_bytes() {
    let drafts = || [twin::draft(&BYTES, b"noise", Match::Exact), twin::draft(&BYTES, b"signal", Match::Exact)];
    let mut matcher = matcher(twin::set_of(drafts().into_iter()), twin::set_of(drafts().into_iter().take(1)));
    let mut hits = Vec::new();
    let place = ScanPlace {
        transport: Transport::Udp,
        source_port: 1,
        destination_port: 2,
        to_responder: true,
        stream_offset: 0,
        start_known: true,
        time: Timestamp::ZERO,
    };
    let scanned = matcher.scan(None, b"noise signal", &place, &mut hits);
    assert_eq!(scanned.verified, 2);
    assert_eq!(
        hits,
        [
            Hit { indicator: IndicatorIx(0), how: How::Pattern { start: 0 }, suppressed: true },
            Hit { indicator: IndicatorIx(1), how: How::Pattern { start: 6 }, suppressed: false },
        ]
    );
}

fn window() -> impl Strategy<Value = Window> {
    (0u64..20, 0u64..25).prop_map(|(from, until)| Window {
        from: Timestamp::from_ns(from.saturating_sub(5)),
        until: if until > 20 { Timestamp::MAX } else { Timestamp::from_ns(until) },
    })
}

fn transport() -> impl Strategy<Value = Option<Transport>> {
    proptest::option::of(prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)])
}

type Entry = (u8, Option<u16>, Option<Transport>, Window, bool);

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::vec((0u8..6, proptest::option::of(1u16..3), transport(), window(), any::<bool>()), 0..20)
}

fn build(entries: &[Entry]) -> IndicatorSet {
    let values: Vec<(&'static crate::indicator::Kind, Vec<u8>)> = entries
        .iter()
        .map(|(which, ..)| match which {
            0 => (&RAW_ADDR, raw("192.0.2.1", None)),
            1 => (&RAW_ADDR, raw("192.0.2.0", Some(24))),
            2 => (&DOMAIN, b"a.example".to_vec()),
            3 => (&DOMAIN, b"x.a.example".to_vec()),
            4 => (&URL, b"a.example/p".to_vec()),
            _ => (&JA3, b"ada70206e40642a3e4461f35503241d5".to_vec()),
        })
        .collect();
    twin::set_of(entries.iter().zip(&values).map(|((which, port, transport, window, reach), (kind, value))| {
        let matching = match (which, reach) {
            (2..=3, true) => Match::Subtree,
            (4, true) => Match::Prefix,
            _ => Match::Exact,
        };
        let (port, transport) = if *which < 2 { (*port, *transport) } else { (None, None) };
        Draft { port, transport, window: *window, ..twin::draft(kind, value, matching) }
    }))
}

proptest! {
    #[test]
    fn windows_ports_transports_and_the_allow_list_as_a_scan_judges_them(
        listed in entries(), allowed in entries(), port in 1u16..4, over in transport(), at in 0u64..25, seed in any::<u64>(),
    ) {
        let (set, allow) = (build(&listed), build(&allowed));
        let compiled = MatchSet::compile_seeded(build(&listed), build(&allowed), Seeds::fixed(seed));
        let mut matcher = Matcher::new(Arc::new(compiled));
        for observable in [
            end("192.0.2.1", port, over),
            end("::ffff:192.0.2.7", port, over),
            Observable { value: Value::Addr("192.0.2.1".parse().expect("address")), ..end("::", 0, None) },
            text(&DOMAIN, "y.x.a.example"),
            text(&DOMAIN, "A.example."),
            text(&URL, "a.example/p/q"),
            text(&URL, "a.example/p"),
            text(&JA3, "ada70206e40642a3e4461f35503241d5"),
        ] {
            let hits = seen(&mut matcher, &observable, at);
            let mut have: Vec<u32> = hits.iter().map(|hit| hit.indicator.0).collect();
            have.sort_unstable();
            let at = Timestamp::from_ns(at);
            prop_assert_eq!(have, twin::seen(&set, &observable, at));
            let suppressed = !twin::seen(&allow, &observable, at).is_empty();
            prop_assert!(hits.iter().all(|hit| hit.suppressed == suppressed));
        }
    }
}
