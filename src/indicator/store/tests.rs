use super::*;
use crate::indicator::kind::{BYTES, DOMAIN, IPV4, IPV6};
use crate::indicator::{Condition, Pattern};

#[test]
fn a_record_is_small() {
    assert_eq!(size_of::<Record>(), 24);
}

#[test]
fn duplicates_merge_and_keep_their_sources() {
    let mut set = IndicatorSet::default();
    let a = set.context(Context { feed: "a".into(), ..Context::default() });
    let b = set.context(Context { feed: "b".into(), ..Context::default() });
    let first = set.add(&Draft::new(&DOMAIN, b"evil.example", a, 1), false).expect("loads");
    let Added::New(ix) = first else { panic!("{first:?}") };
    assert_eq!(set.add(&Draft::new(&DOMAIN, b"evil.example", b, 7), false), Ok(Added::Merged(ix)));
    assert_eq!(set.add(&Draft::new(&DOMAIN, b"evil.example", b, 7), false), Ok(Added::Merged(ix)));
    let with_id = Draft { id: Some("x1"), ..Draft::new(&DOMAIN, b"evil.example", b, 8) };
    assert!(matches!(set.add(&with_id, false), Ok(Added::New(_))), "another id is another indicator");
    let sources: Vec<_> = set.sources(ix).map(|(c, line)| (c.feed.to_string(), line)).collect();
    assert_eq!(sources[..2], [("a".to_string(), 1), ("b".to_string(), 7)]);
    assert!(set.get(ix).id().starts_with("domain-name--"));
}

#[test]
fn a_port_makes_another_indicator() {
    let mut set = IndicatorSet::default();
    let c = set.context(Context::default());
    let plain = Draft::new(&IPV4, b"192.0.2.1", c, 1);
    let with_port = Draft { port: Some(0), ..plain };
    assert!(matches!(set.add(&plain, false), Ok(Added::New(_))));
    assert!(matches!(set.add(&with_port, false), Ok(Added::New(_))));
    assert_eq!(set.get(IndicatorIx(1)).port, Some(0));
    assert_ne!(set.get(IndicatorIx(0)).id(), set.get(IndicatorIx(1)).id());
    assert!(matches!(set.add(&Draft { value: b"x", ..plain }, false), Err(Refusal::BadAddress)));
    assert_eq!(set.values.len(), 8, "a refused value leaves nothing behind");
}

#[test]
fn a_condition_makes_another_indicator() {
    let mut set = IndicatorSet::default();
    let c = set.context(Context::default());
    let plain = Draft::new(&IPV4, b"192.0.2.1", c, 1);
    let when = Condition { port: Some(502), ..Condition::default() };
    let with_condition = Draft { when: Some(&when), ..plain };
    assert!(matches!(set.add(&plain, false), Ok(Added::New(_))));
    assert!(!set.has_conditions());
    assert!(matches!(set.add(&with_condition, false), Ok(Added::New(_))));
    assert!(matches!(set.add(&with_condition, false), Ok(Added::Merged(_))));
    assert!(set.has_conditions() && !set.has_function_conditions());
    assert_eq!(set.get(IndicatorIx(1)).when, Some(&when));
    assert_ne!(set.get(IndicatorIx(0)).id(), set.get(IndicatorIx(1)).id());
}

#[test]
fn an_address_is_of_the_kind_that_it_is() {
    let mut set = IndicatorSet::default();
    let c = set.context(Context::default());
    let mapped = set.add(&Draft::new(&IPV6, b"::ffff:192.0.2.1", c, 1), false);
    assert_eq!(mapped, Ok(Added::New(IndicatorIx(0))));
    assert_eq!(set.get(IndicatorIx(0)).kind, &IPV4);
    assert_eq!(set.add(&Draft::new(&IPV4, b"192.0.2.1/32", c, 2), false), Ok(Added::Merged(IndicatorIx(0))));
    assert!(set.add(&Draft::new(&IPV4, b"2001:db8::1", c, 3), false).is_ok());
    assert_eq!(set.get(IndicatorIx(1)).kind, &IPV6);
}

#[test]
fn a_short_signature_needs_an_anchor() {
    let mut set = IndicatorSet::default();
    let c = set.context(Context::default());
    let short = Draft::new(&BYTES, b"abc", c, 1);
    assert_eq!(set.add(&short, false), Err(Refusal::ShortPattern));
    let with_depth = |depth| Draft { pattern: Pattern { depth: Some(depth), ..Pattern::default() }, ..short };
    assert_eq!(set.add(&with_depth(2), true), Err(Refusal::BadPattern), "cannot match");
    assert!(set.add(&with_depth(3), false).is_ok());
    assert!(set.add(&short, true).is_ok());
    assert!(set.add(&Draft::new(&BYTES, b"abcd", c, 2), false).is_ok());
}

#[test]
fn sources_are_one_a_context_and_bounded() {
    let mut set = IndicatorSet::default();
    for feed in 0..MAX_MORE_SOURCES + 9 {
        let c = set.context(Context { feed: feed.to_string().into(), ..Context::default() });
        for line in 1..4 {
            set.add(&Draft::new(&IPV4, b"192.0.2.1", c, line), false).expect("loads");
        }
    }
    let sources: Vec<_> = set.sources(IndicatorIx(0)).map(|(c, line)| (c.feed.to_string(), line)).collect();
    assert_eq!(sources.len(), MAX_MORE_SOURCES as usize + 1);
    assert_eq!(sources[..3], [("0".into(), 1), ("1".into(), 1), ("2".into(), 1)]);
    assert_eq!(set.dropped_sources(), 8 * 3);
}

#[test]
fn a_derived_id_never_changes() {
    let mut set = IndicatorSet::default();
    let c = set.context(Context::default());
    set.reserve(1000);
    set.add(&Draft::new(&DOMAIN, b"evil.example", c, 1), false).expect("loads");
    set.add(&Draft { port: Some(443), ..Draft::new(&IPV4, b"192.0.2.1", c, 1) }, false).expect("loads");
    let ids: Vec<_> = set.iter().map(|i| i.id().into_owned()).collect();
    assert_eq!(ids, ["domain-name--7160054d3422c2a05a0dbd9d89a64c59", "ipv4-addr--10e7d2d00884a73cb51d6d3140f88169"],);
    assert!(!format!("{:?}", set.get(IndicatorIx(0))).contains("evil"), "Debug shows no value");
}
