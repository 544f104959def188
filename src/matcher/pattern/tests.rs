use super::*;
use crate::indicator::kind::BYTES;
use crate::indicator::{Draft, Match, Pattern, Window};
use crate::matcher::twin;
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Signature {
    bytes: Vec<u8>,
    limits: Pattern,
    port: Option<u16>,
    transport: Option<Transport>,
    window: Window,
}

impl Signature {
    fn new(bytes: &[u8]) -> Self {
        let limits = Pattern::default();
        Self { bytes: bytes.to_vec(), limits, port: None, transport: None, window: Window::ALWAYS }
    }
}

fn set_of(signatures: &[Signature]) -> IndicatorSet {
    twin::set_of(signatures.iter().map(|s| Draft {
        pattern: s.limits,
        port: s.port,
        transport: s.transport,
        window: s.window,
        ..twin::draft(&BYTES, &s.bytes, Match::Exact)
    }))
}

fn place(stream_offset: u64) -> ScanPlace {
    ScanPlace {
        transport: Transport::Tcp,
        source_port: 1000,
        destination_port: 80,
        to_responder: true,
        stream_offset,
        start_known: true,
        time: Timestamp::from_ns(50),
    }
}

struct Bench {
    set: IndicatorSet,
    patterns: Patterns,
    scratch: ScanScratch,
}

impl Bench {
    fn new(signatures: &[Signature]) -> Self {
        let set = set_of(signatures);
        let patterns = Patterns::build(&set);
        let scratch = ScanScratch::for_patterns(&patterns);
        Self { set, patterns, scratch }
    }

    fn scan(&mut self, carry: Option<&mut Carry>, data: &[u8], place: &ScanPlace) -> (Vec<(u32, u64)>, Scanned) {
        let mut hits = Vec::new();
        let scanned =
            self.patterns.scan(&self.set, &mut self.scratch, carry, data, place, &mut |ix, at| hits.push((ix.0, at)));
        (hits, scanned)
    }
}

/// Every signature with a match that ends in `(from, to]` of `stream`.
fn naive(set: &IndicatorSet, stream: &[u8], from: usize, to: usize, place: &ScanPlace) -> Vec<u32> {
    let (originator, responder) = if place.to_responder {
        (place.source_port, place.destination_port)
    } else {
        (place.destination_port, place.source_port)
    };
    let fits = |i: &Indicator<'_>, start: usize| {
        let (p, end) = (&i.pattern, start + i.value.len());
        let seen = &stream[start..end];
        let same = if p.nocase { seen.eq_ignore_ascii_case(i.value) } else { seen == i.value };
        let limited = p.offset.is_some() || p.depth.is_some();
        let offset = p.offset.unwrap_or(0) as usize;
        same && end > from
            && end <= to
            && (!limited || place.start_known)
            && start >= offset
            && p.depth.is_none_or(|depth| end <= offset + depth as usize)
    };
    set.iter()
        .filter(|i| i.transport.is_none_or(|t| t == place.transport))
        .filter(|i| i.port.is_none_or(|p| p == responder) && i.pattern.source_port.is_none_or(|p| p == originator))
        .filter(|i| i.window.contains(place.time))
        .filter(|i| (0..(stream.len() + 1).saturating_sub(i.value.len())).any(|start| fits(i, start)))
        .map(|i| i.ix.0)
        .collect()
}

fn sorted(hits: &[(u32, u64)]) -> Vec<u32> {
    let mut all: Vec<u32> = hits.iter().map(|hit| hit.0).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_match_is_found_once_wherever_the_stream_is_cut() {
    let stream = b"....EvilBytes....";
    let mut bench = Bench::new(&[Signature::new(b"EvilBytes")]);
    for cut in 0..=stream.len() {
        let mut carry = Carry::default();
        let (mut first, _) = bench.scan(Some(&mut carry), &stream[..cut], &place(0));
        first.extend(bench.scan(Some(&mut carry), &stream[cut..], &place(cut as u64)).0);
        assert_eq!(first, [(0, 4)], "cut at {cut}");
    }
}

#[test]
fn a_gap_joins_nothing() {
    let mut bench = Bench::new(&[Signature::new(b"EvilBytes")]);
    let mut carry = Carry::default();
    bench.scan(Some(&mut carry), b"Evil", &place(0));
    assert!(bench.scan(Some(&mut carry), b"Bytes", &place(5)).0.is_empty());
    let (hits, _) = bench.scan(Some(&mut carry), b"EvilBytes", &place(10));
    assert_eq!(hits, [(0, 10)], "and goes on after it");
}

#[test]
fn a_signature_longer_than_any_literal_is_followed() {
    let long: Vec<u8> = (0..1000u32).map(|n| (n * 7 % 251) as u8).collect();
    let mut bench = Bench::new(&[Signature::new(&long)]);
    let stream = [&b"xx"[..], &long, b"yy"].concat();
    for step in [1, 7, 100, 127, 128, 129, 500, 2000] {
        let (mut carry, mut hits) = (Carry::default(), Vec::new());
        for (number, piece) in stream.chunks(step).enumerate() {
            hits.extend(bench.scan(Some(&mut carry), piece, &place((number * step) as u64)).0);
            assert!(carry.memory_bytes() < 600);
        }
        assert_eq!(hits, [(0, 2)], "in steps of {step}");
    }
    let mut broken = stream.clone();
    broken[990] ^= 1;
    let (mut carry, mut hits) = (Carry::default(), Vec::new());
    for (number, piece) in broken.chunks(100).enumerate() {
        hits.extend(bench.scan(Some(&mut carry), piece, &place(number as u64 * 100)).0);
    }
    assert_eq!(hits, []);
}

#[test]
fn dirt_at_every_byte_is_reported_once_and_hides_nothing() {
    let dirt: Vec<Signature> = (5..12).map(|n| Signature::new(&vec![0; n])).collect();
    let mut bench = Bench::new(&[&dirt[..], &[Signature::new(b"real")]].concat());
    let data = [&vec![0; 60_000][..], b"real"].concat();
    let (hits, scanned) = bench.scan(None, &data, &place(0));
    assert_eq!(sorted(&hits), (0..8).collect::<Vec<u32>>());
    assert_eq!((scanned.verified, scanned.cut_bytes), (8, 0));
}

#[test]
fn the_cap_on_work_counts_what_it_cuts() {
    // Capitals never match the small letters, so that each is verified anew at every second byte (no run of one byte).
    let nocase = Signature { limits: Pattern { nocase: true, ..Pattern::default() }, ..Signature::new(b"other") };
    let near: Vec<Signature> = (4..60).map(|n| Signature::new(&b"AB".repeat(n)[..n])).collect();
    let mut bench = Bench::new(&[&near[..], &[nocase]].concat());
    let (hits, scanned) = bench.scan(None, &b"ab".repeat(25_000), &place(0));
    assert_eq!(hits, []);
    assert!(scanned.cut_bytes > 10_000 && scanned.verified < 50_000 * 16, "{scanned:?}");
}

#[test]
fn limits_to_a_place_need_a_known_start() {
    let limits = Pattern { offset: Some(2), depth: Some(6), ..Pattern::default() };
    let mut bench = Bench::new(&[Signature { limits, ..Signature::new(b"abcd") }]);
    assert_eq!(bench.scan(None, b"..abcd..", &place(0)).0, [(0, 2)]);
    assert_eq!(bench.scan(None, b"....abcd", &place(0)).0, [(0, 4)]);
    assert_eq!(bench.scan(None, b".abcd...", &place(0)).0, [], "before the offset");
    assert_eq!(bench.scan(None, b".....abcd", &place(0)).0, [], "beyond the depth");
    let unknown = ScanPlace { start_known: false, ..place(0) };
    assert_eq!(bench.scan(None, b"..abcd..", &unknown).0, []);
    let mut carry = Carry::default();
    bench.scan(Some(&mut carry), b".", &place(0));
    bench.scan(Some(&mut carry), b"..", &place(100));
    assert_eq!(carry.memory_bytes(), 0, "nothing is kept where nothing can match");
}

#[test]
fn a_transport_without_signatures_costs_nothing() {
    let udp = Signature { transport: Some(Transport::Udp), ..Signature::new(b"abcd") };
    let mut bench = Bench::new(&[udp]);
    assert!(!bench.patterns.applies(Transport::Tcp) && bench.patterns.applies(Transport::Udp));
    assert_eq!(bench.scan(None, b"abcd", &place(0)).0, []);
    assert_eq!(bench.scan(None, b"abcd", &ScanPlace { transport: Transport::Udp, ..place(0) }).0, [(0, 0)]);
    assert!(Bench::new(&[]).patterns.is_empty());
}

#[test]
fn the_call_number_may_wrap() {
    let mut bench = Bench::new(&[Signature::new(b"abcd")]);
    bench.scratch.call = u32::MAX - 2;
    for _ in 0..5 {
        assert_eq!(bench.scan(None, b"abcd", &place(0)).0, [(0, 0)]);
    }
}

#[test]
fn what_began_under_another_set_is_forgotten() {
    let long = vec![b'x'; 300];
    let (mut one, mut other) = (Bench::new(&[Signature::new(&long)]), Bench::new(&[Signature::new(b"yyyy")]));
    let mut carry = Carry::default();
    one.scan(Some(&mut carry), &long[..200], &place(0));
    assert_eq!(other.scan(Some(&mut carry), &long[200..], &place(200)).0, []);
    assert_eq!(other.scan(Some(&mut carry), b"yyyy", &place(300)).0, [(0, 300)]);
}

fn signature() -> impl Strategy<Value = Signature> {
    let limits = (any::<bool>(), proptest::option::of(0u32..30), proptest::option::of(0u32..60), 0u8..6).prop_map(
        |(nocase, offset, depth, source)| Pattern {
            nocase,
            offset: offset.filter(|o| o % 6 == 0),
            depth: depth.filter(|d| d % 2 == 0),
            source_port: (source == 0).then_some(1000),
        },
    );
    let window = prop_oneof![
        4 => Just(Window::ALWAYS),
        1 => Just(Window { from: Timestamp::from_ns(51), until: Timestamp::MAX }),
        1 => Just(Window { from: Timestamp::ZERO, until: Timestamp::from_ns(51) }),
    ];
    let transport = proptest::option::of(prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)]);
    let bytes =
        prop_oneof![4 => "[abA]{1,6}".prop_map(String::into_bytes), 1 => (120usize..150).prop_map(|n| vec![b'a'; n])];
    (bytes, limits, proptest::option::of(80u16..82), transport, window)
        .prop_map(|(bytes, limits, port, transport, window)| Signature { bytes, limits, port, transport, window })
}

proptest! {
    #[test]
    fn each_run_reports_what_a_scan_of_the_stream_finds_ending_in_it(
        signatures in proptest::collection::vec(signature(), 0..12),
        long_run in proptest::option::of((100usize..900, any::<prop::sample::Index>())),
        stream in "[abA.]{0,80}",
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        start_known in any::<bool>(),
        to_responder in any::<bool>(),
        udp in any::<bool>(),
    ) {
        let mut stream = stream.into_bytes();
        if let Some((length, at)) = long_run {
            let at = at.index(stream.len() + 1);
            stream.splice(at..at, vec![b'a'; length]);
        }
        let mut bench = Bench::new(&signatures);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let (mut carry, mut begun_refused, mut reported) = (Carry::default(), 0, Vec::new());
        for piece in cuts.windows(2) {
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            let place = ScanPlace { transport, start_known, to_responder, ..place(piece[0] as u64) };
            let (hits, scanned) = bench.scan(Some(&mut carry), &stream[piece[0]..piece[1]], &place);
            begun_refused += scanned.begun_refused;
            prop_assert_eq!(scanned.cut_bytes, 0);
            if begun_refused == 0 {
                // A long signature reported in one run is not followed from there into the next.
                let is_long = |ix: u32| bench.set.get(IndicatorIx(ix)).value.len() > 128;
                let mut wanted = naive(&bench.set, &stream, piece[0], piece[1], &place);
                let have = sorted(&hits);
                wanted.retain(|&ix| have.contains(&ix) || !(is_long(ix) && reported.contains(&ix)));
                prop_assert_eq!(&have, &wanted);
                reported.extend(have);
            }
        }
    }
}
