use proptest::prelude::*;

use super::*;
use crate::feed::tests::loaded;
use crate::indicator::{Condition, Context, Draft, Index, KINDS, Kind, Match, Pattern, Transport, Where, Window};
use crate::marking::{Classification, Marking, Pap, Tlp};
use crate::time::Timestamp;

/// A bundle of everything in `set`, and what became of it.
fn written(set: &IndicatorSet) -> (String, Written) {
    let mut out = Vec::new();
    let written = write(set, |_, _| true, &mut out).expect("memory");
    (String::from_utf8(out).expect("text"), written)
}

/// Everything about an indicator and its sources that STIX can say.
fn shown(set: &IndicatorSet) -> Vec<String> {
    let source = |context: &ContextRef<'_>| {
        let mut about: Vec<_> = context.about.iter().map(|(path, text)| format!("{}={text}", path.0)).collect();
        about.sort();
        let texts = [context.provider, context.confidence, context.reference, context.description, context.first_seen];
        format!("{} {texts:?} {about:?}", context.marking)
    };
    let mut all: Vec<_> = set
        .iter()
        .map(|one| {
            let sources: Vec<_> = set.sources(one.ix).map(|(context, _)| source(&context)).collect();
            let parts: Vec<_> = one.when.into_iter().flat_map(Condition::parts).collect();
            format!(
                "{} {} {} {:?} {:?} {:?} {:?} {:?} {parts:?} {sources:?}",
                one.id(),
                one.kind.name,
                one.value.escape_ascii(),
                one.matching,
                one.port,
                one.transport,
                one.pattern,
                one.window
            )
        })
        .collect();
    all.sort();
    all
}

fn value_of(kind: &Kind, text: &str, number: u32) -> Vec<u8> {
    let hex = |digits: usize| format!("{number:0digits$x}");
    match kind.name {
        "ipv4-addr" => {
            format!("203.0.{}.{}{}", number >> 8 & 255, number & 255, if number.is_multiple_of(2) { "/24" } else { "" })
        }
        "ipv6-addr" => format!("2001:db8::{:x}{}", number & 0xffff, if number.is_multiple_of(2) { "/48" } else { "" }),
        "domain-name" => format!("h_{number}.example.org"),
        "url" => format!("http://evil.example:81/{text}/"),
        "file" => hex([32, 40, 64][number as usize % 3]),
        "x509-certificate" => hex([40, 64][number as usize % 2]),
        "x509-subject" | "x509-issuer" => format!("CN=a{number}, O=x"),
        "x509-serial" => format!("a{number:x}"),
        "email-addr" => format!("u{number}@evil.example"),
        "ja3" | "ja3s" | "hassh" => hex(32),
        "ja4" => "t13d1516h2_8daaf6152771_e5627efa2ab1".into(),
        "ics-function" => "modbus:any-write".into(),
        _ => format!("x{text}{number}"),
    }
    .into_bytes()
}

prop_compose! {
    fn any_context()(
        provider in prop::option::of("[a-z']{1,8}"), word in prop::sample::select(vec![None, Some("None"), Some("Low"), Some("Medium"), Some("High")]),
        tlp in prop::sample::select(vec![None, Some(Tlp::Clear), Some(Tlp::Green), Some(Tlp::Amber), Some(Tlp::AmberStrict), Some(Tlp::Red)]),
        pap in prop::sample::select(vec![None, Some(Pap::Clear), Some(Pap::Green), Some(Pap::Amber), Some(Pap::Red)]),
        banner in prop::sample::select(vec![None, Some("S//NF"), Some("TS//SI//REL TO USA, GBR"), Some("CUI//SP-CTI"), Some("U")]),
        statement in prop::option::of("[a-z ]{1,9}"),
        description in prop::option::of("\\PC{1,20}"),
        about in prop::collection::vec((prop::sample::select(vec!["rule.name", "threat.software.name", "threat.group.name", "threat.technique.name", "threat.tactic.name", "tags"]), "[a-z]{1,6}"), 0..4),
        seen in prop::option::of(Just("2024-05-01T00:00:00.000Z")),
    ) -> Context {
        let mut marking = Marking { tlp, pap, ..Marking::default() };
        if let Some(banner) = banner {
            marking = marking.combine(&Marking::of(Classification::parse(banner).expect("ours")));
        }
        if let Some(text) = statement {
            marking = marking.combine(&Marking::of_statement(&text));
        }
        let mut about: Vec<_> = about.into_iter().map(|(path, text)| (Where(path), Box::from(text))).collect();
        // An indicator of STIX has one name, and relates to an object once.
        about.sort();
        about.dedup_by(|a, b| a == b || (a.0 == b.0 && a.0.0 == "rule.name"));
        Context {
            feed: "x".into(), provider: provider.map(Into::into), marking, confidence: word.map(Into::into),
            reference: Some("https://r.example/1".into()), description: description.map(Box::from),
            first_seen: seen.map(Box::from), about: about.into(), ..Context::default()
        }
    }
}

/// What only some kinds take is left to chance and dropped where the set refuses it.
type Limits = (Option<u16>, Option<Transport>, Option<&'static str>, Option<bool>, Option<usize>, bool, bool);

fn any_limits() -> impl Strategy<Value = Limits> {
    (
        prop::option::of(any::<u16>()),
        prop::sample::select(vec![None, Some(Transport::Tcp), Some(Transport::Udp)]),
        prop::sample::select(vec![None, Some("http"), Some("dns")]),
        prop::option::of(any::<bool>()),
        prop::option::of(0usize..20),
        any::<bool>(),
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_stix_can_say_comes_back_as_it_was(
        entries in prop::collection::vec((0..KINDS.len(), "[a-z%_'.\\\\]{0,6}", any::<u32>(), any_limits(), any::<bool>(), 0..3u64), 1..6),
        contexts in prop::collection::vec(any_context(), 1..3),
    ) {
        let mut set = IndicatorSet::default();
        let contexts: Vec<_> = contexts.into_iter().map(|context| set.context(context)).collect();
        for (line, (kind, text, number, limits, flag, days)) in entries.into_iter().enumerate() {
            let kind = KINDS[kind];
            let (port, transport, protocol, way, field, anchored, reaches) = limits;
            let value = value_of(kind, &text, number);
            let is_bytes = kind.name == "network-traffic";
            let limited = is_bytes || kind.name.starts_with("ip");
            let mut when = Condition { protocol, to_responder: way, ..Condition::default() };
            when.field = field.and_then(|at| kind.seen_at.get(at)).copied();
            let day = |day: u64| Timestamp::from_parts(1_704_067_200 + day * 86_400, 0);
            let id = format!("own-{line}");
            let draft = Draft {
                id: flag.then_some(id.as_str()),
                matching: match kind.name { "domain-name" if reaches => Some(Match::Subtree), "url" if reaches => Some(Match::Prefix), _ => Some(Match::Exact) },
                port: port.filter(|_| limited), transport: transport.filter(|_| limited),
                pattern: Pattern {
                    offset: (is_bytes && anchored).then_some(0), depth: (is_bytes && anchored).then_some(value.len() as u32),
                    source_port: port.filter(|_| is_bytes && flag), ..Pattern::default()
                },
                when: Some(&when).filter(|when| !flag && **when != Condition::default()),
                window: if days == 0 { Window::ALWAYS } else { Window { from: day(0), until: day(days) } },
                ..Draft::new(kind, &value, contexts[line % contexts.len()], line as u32 + 1)
            };
            let _ = set.add(&draft, false);
        }
        let (bundle, report) = written(&set);
        let (back, read) = loaded(bundle.as_bytes());
        prop_assert_eq!(read.refused_total(), 0, "{:?} {}", read.refusals, bundle);
        prop_assert_eq!(read.unreadable_markings, 0);
        let lost: u64 = report.left_out.values().sum();
        let sources = |set: &IndicatorSet| set.iter().map(|one| set.sources(one.ix).count() as u64).sum::<u64>();
        prop_assert_eq!(sources(&back) + lost, sources(&set), "{}", bundle);
        let (before, after) = (shown(&set), shown(&back));
        for one in &after {
            prop_assert!(before.contains(one), "{}\nis none of\n{:#?}\n{}", one, before, bundle);
        }
        prop_assert_eq!(written(&set).0, bundle, "the same set, the same bundle");
    }
}

/// Whatever no limit hangs on is written whole, but for kinds that STIX has no object for.
#[test]
fn every_kind_is_written_or_counted() {
    let mut set = IndicatorSet::default();
    let context = set.context(Context { severity: Some(3), confidence: Some("odd".into()), ..Context::default() });
    for (line, kind) in KINDS.iter().enumerate().filter(|(_, kind)| kind.index != Index::Rule) {
        let added = set.add(&Draft::new(kind, &value_of(kind, "evil", 7), context, line as u32), false);
        assert!(added.is_ok(), "{} {added:?}", kind.name);
    }
    let (bundle, report) = written(&set);
    let counts: Vec<_> = report.left_out.into_iter().collect();
    assert_eq!(
        counts,
        [("a kind that STIX has no object for", 5), ("a user-agent that is not HTTP's alone", 1)],
        "{bundle}"
    );
    assert_eq!(report.written as usize, KINDS.len() - 7);
    let left_out: Vec<_> = report.lost.into_iter().collect();
    let written = KINDS.len() as u64 - 7;
    assert_eq!(left_out, [("a confidence in other words than the schema's", written), ("severity", written)]);
}

#[test]
fn alternatives_and_sources_keep_their_ids_and_markings() {
    let id = "indicator--00000000-0000-4000-8000-000000000001";
    let (set, _) = loaded(format!(r#"{{"type":"indicator","id":"{id}","pattern":"[ipv4-addr:value IN ('192.0.2.1','192.0.2.2')]","object_marking_refs":["{}"]}}"#, Tlp::Green.stix_id()).as_bytes());
    assert_eq!(set.len(), 2);
    let (bundle, report) = written(&set);
    assert_eq!(report.written, 1, "{bundle}");
    let (back, _) = loaded(bundle.as_bytes());
    assert_eq!(shown(&back), shown(&set));
    let mut set = IndicatorSet::default();
    for tlp in [Tlp::Green, Tlp::Red] {
        let context =
            set.context(Context { marking: Marking { tlp: Some(tlp), ..Marking::default() }, ..Context::default() });
        set.add(&Draft { id: Some(id), ..Draft::new(&crate::indicator::kind::IPV4, b"192.0.2.1", context, 1) }, false)
            .expect("loads");
    }
    let (bundle, report) = written(&set);
    assert_eq!(report.written, 2, "each source with its own marking: {bundle}");
    let (back, read) = loaded(bundle.as_bytes());
    assert_eq!((back.len(), read.merged), (1, 1));
    assert_eq!(shown(&back), shown(&set));
    let mut out = Vec::new();
    let some = write(&set, |_, context| context.marking.tlp == Some(Tlp::Green), &mut out).expect("memory");
    assert!(some.written == 1 && !String::from_utf8_lossy(&out).contains(Tlp::Red.stix_id()));
}

#[test]
fn what_cannot_be_marked_is_not_written() {
    let mut set = IndicatorSet::default();
    let context = set.context(Context {
        marking: Marking::of(Classification::parse("garbage").expect("no foreign form")),
        ..Context::default()
    });
    set.add(&Draft::new(&crate::indicator::kind::IPV4, b"192.0.2.1", context, 1), false).expect("loads");
    let (bundle, report) = written(&set);
    assert!(report.written == 0 && report.left_out["a classification that could not be read"] == 1);
    assert!(!bundle.contains("192.0.2.1"));
}
