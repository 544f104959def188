use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::alert::{Audience, Policy, View};
use crate::flow::{Flow, FlowKey, Identity};
use crate::indicator::kind::{DOMAIN, IPV4};
use crate::indicator::{Context, Draft, IndicatorIx, IndicatorSet};
use crate::marking::{Clearance, Marking, Tlp};
use crate::matcher::How;
use crate::packet::{Address, FrameRef, Packet, protocol};

const AT: Where = Where("dns.question.name");

fn set_of(tlp: Option<Tlp>) -> Arc<MatchSet> {
    let mut indicators = IndicatorSet::default();
    let context = indicators.context(Context { marking: Marking { tlp, ..Marking::default() }, ..Context::default() });
    for (kind, value) in [(&DOMAIN, &b"evil.example"[..]), (&DOMAIN, b"bad.example"), (&IPV4, b"203.0.113.66")] {
        indicators.add(&Draft::new(kind, value, context, 1), false).expect("loads");
    }
    Arc::new(MatchSet::compile(indicators, IndicatorSet::default()))
}

fn suppressor(options: SuppressOptions, set: &Arc<MatchSet>) -> Suppressor {
    let captures: Arc<[Arc<Path>]> = vec![Arc::from(Path::new("a.pcap"))].into();
    Suppressor::new(options, set, &captures)
}

fn options(window_secs: u64, alerts_per_second: u32, burst: u32) -> SuppressOptions {
    let window = Duration::from_secs(window_secs);
    SuppressOptions { window, alerts_per_second, burst, ..SuppressOptions::default() }
}

fn identity(source: u8, destination: u8) -> Identity {
    let packet = Packet {
        ip_version: 4,
        source: Address::v4([10, 0, 0, source]),
        destination: Address::v4([198, 51, 100, destination]),
        source_port: 40_000,
        destination_port: 53,
        protocol: protocol::UDP,
        ..Packet::default()
    };
    let (key, from) = FlowKey::of(&packet).expect("addresses");
    Flow::<()>::start(key, &packet, from, Timestamp::ZERO).identity
}

fn hit(indicator: u32, source: u8, destination: u8, secs: u64) -> Occurrence {
    let frame = FrameRef { file: 0, number: secs, time: Timestamp::from_parts(secs, 7) };
    Occurrence::new(&identity(source, destination), frame, AT, (IndicatorIx(indicator), How::Exact))
}

fn counts(alerts: &[Alert]) -> Vec<(u32, u64, &'static str)> {
    let count = |alert: &Alert| {
        let repeats = alert.repeats.as_deref().expect("a roll-up");
        (alert.indicator_ix().0, repeats.count, repeats.why.word())
    };
    alerts.iter().map(count).collect()
}

#[test]
fn the_first_passes_and_the_window_sums_up_the_rest() {
    let set = set_of(None);
    let mut held = suppressor(options(60, 0, 0), &set);
    let asked: Vec<bool> = (0..5).map(|n| held.admits(&hit(0, 1, n as u8 % 3, 100 + n))).collect();
    assert_eq!(asked, [true, false, false, false, false]);
    assert!(held.admits(&hit(1, 1, 1, 105)), "another indicator");
    assert!(held.admits(&hit(0, 2, 1, 105)), "another host");
    assert!(held.take().is_empty());
    held.tick(Timestamp::from_parts(159, 0));
    assert!(held.take().is_empty(), "not over yet");
    assert!(held.admits(&hit(0, 1, 9, 161)), "the window is over");
    let rolled = held.take();
    assert_eq!(counts(&rolled), [(0, 4, "window")]);
    let repeats = rolled[0].repeats.as_deref().expect("repeats");
    assert_eq!((repeats.first.secs(), repeats.last.secs()), (101, 104));
    assert_eq!(repeats.destinations, Distinct { count: 3, is_more: false });
    assert_eq!(repeats.sources, Distinct { count: 1, is_more: false });
    assert_eq!((rolled[0].frame.number, rolled[0].atomic.as_str(), rolled[0].field), (104, "evil.example", AT));
    assert_eq!(rolled[0].flow.responder.0, IpAddr::from([198, 51, 100, 1]), "the last flow");
    assert_eq!(&*rolled[0].capture, Path::new("a.pcap"));
    held.close();
    assert!(held.take().is_empty(), "windows without repeats say nothing");
}

#[test]
fn an_indicator_that_floods_is_limited_and_named_by_its_roll_up_alone() {
    let set = set_of(None);
    let mut held = suppressor(options(60, 2, 3), &set);
    let passed = (0..200).filter(|&n| held.admits(&hit(0, n, 1, 1000))).count();
    assert_eq!(passed, 3, "the burst");
    assert!(held.admits(&hit(1, 1, 1, 1000)), "another indicator has tokens of its own");
    let passed = (200..=255).filter(|&n| held.admits(&hit(0, n, 1, 1001))).count();
    assert_eq!(passed, 2, "two a second");
    let notice = held.take_notice().expect("it is said");
    assert_eq!(notice.action, "alerts-rate-limited");
    assert!(!notice.message.contains("evil") && !notice.message.contains("IDENT"), "{}", notice.message);
    assert!(held.take_notice().is_none(), "once a window");
    held.close();
    let rolled = held.take();
    assert_eq!(counts(&rolled), [(0, 197 + 54, "rate")]);
    let repeats = rolled[0].repeats.as_deref().expect("repeats");
    assert_eq!(repeats.sources, Distinct { count: 16, is_more: true });
}

#[test]
fn a_full_table_sums_up_its_oldest() {
    let set = set_of(None);
    let mut held = suppressor(SuppressOptions { max_pairs: 2, ..options(60, 0, 0) }, &set);
    for (source, secs) in [(1, 10), (1, 11), (2, 12), (3, 13)] {
        held.admits(&hit(0, source, 1, secs));
    }
    assert_eq!(counts(&held.take()), [(0, 1, "window")], "the first host's");
    assert_eq!(held.counters().evicted, 1);
    assert!(held.admits(&hit(0, 1, 1, 14)), "it was forgotten");
}

#[test]
fn another_clock_ends_all_windows() {
    let set = set_of(None);
    let mut held = suppressor(options(60, 0, 0), &set);
    assert!(held.admits(&hit(0, 1, 1, 10_000)) && !held.admits(&hit(0, 1, 1, 10_001)));
    assert!(!held.admits(&hit(0, 1, 1, 9_990)), "what waited comes a little late");
    assert!(held.admits(&hit(0, 1, 1, 5_000)));
    assert_eq!(counts(&held.take()), [(0, 2, "window")]);
    assert!(!held.admits(&hit(0, 1, 1, 5_001)));
}

#[test]
fn another_set_raises_nothing_again_and_keeps_nothing_of_the_old_one() {
    let (old, new) = (set_of(None), set_of(Some(Tlp::Green)));
    let mut held = suppressor(options(60, 2, 10), &old);
    for indicator in [0, 0, 1] {
        held.admits(&hit(indicator, 1, 1, 10));
    }
    held.swap(&new);
    let rolled = held.take();
    assert_eq!(counts(&rolled), [(0, 1, "window")]);
    assert!(std::ptr::eq(rolled[0].set(), &*old), "told with the words of the set that it was seen in");
    drop(rolled);
    assert_eq!(Arc::strong_count(&old), 1, "let go of");
    assert!(!held.admits(&hit(0, 1, 1, 11)) && !held.admits(&hit(1, 1, 1, 11)), "the windows go on");
    held.close();
    assert_eq!(counts(&held.take()), [(0, 1, "window"), (1, 1, "window")]);
}

#[test]
fn a_customer_is_told_how_many_and_when_and_no_more() {
    let set = set_of(Some(Tlp::Red));
    let mut held = suppressor(options(60, 0, 0), &set);
    for n in 0..3 {
        held.admits(&hit(0, 1, 1, 20 + n));
    }
    held.close();
    let rolled = held.take();
    let policy = Policy { clearances: vec![Clearance::default()], ..Policy::default() };
    let mut audience = Audience::new(policy, &set);
    let View::Customer(record) = audience.view(&rolled[0]) else { panic!("it is red") };
    let repeats = record.repeats.expect("repeats");
    assert_eq!(repeats.count, 2);
    assert_eq!([repeats.first, repeats.last], [21, 22].map(|secs| Timestamp::from_parts(secs, 0)), "no nanoseconds");
    assert!(matches!(Audience::unrestricted().view(&rolled[0]), View::Full(full) if full.repeats().is_some()));
}

#[test]
fn an_event_id_tells_a_roll_up_from_what_it_stands_for() {
    let set = set_of(None);
    let mut held = suppressor(options(60, 0, 0), &set);
    let ids: Vec<String> = [2, 3]
        .into_iter()
        .map(|repeats| {
            for _ in 0..=repeats {
                held.admits(&hit(0, 1, 1, 20));
            }
            held.close();
            held.take()[0].event_id()
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
}

proptest! {
    /// Nothing is lost: what passed and what roll-ups count is what was asked about, and no window passes two.
    #[test]
    fn passed_and_summed_up_are_all(
        hits in prop::collection::vec((0u32..3, 0u8..6, 0u64..400), 1..300),
        window in 1u64..90, rate in 0u32..3, burst in 0u32..4, max_pairs in 1usize..8, max_indicators in 1usize..4,
    ) {
        let set = set_of(None);
        let options = SuppressOptions { max_pairs, max_indicators, ..options(window, rate, burst) };
        let run = || {
            let mut held = suppressor(options.clone(), &set);
            let mut rolled = Vec::new();
            let passed: Vec<bool> = hits.iter().map(|&(indicator, source, secs)| {
                let passed = held.admits(&hit(indicator, source, 1, secs));
                rolled.extend(held.take());
                passed
            }).collect();
            held.close();
            rolled.extend(held.take());
            (passed, counts(&rolled), held.counters())
        };
        let (passed, rolled, counters) = run();
        let through = passed.iter().filter(|passed| **passed).count() as u64;
        let summed: u64 = rolled.iter().map(|(_, count, _)| count).sum();
        prop_assert_eq!(through + summed, hits.len() as u64);
        prop_assert_eq!((counters.passed, counters.by_window + counters.by_rate), (through, summed));
        prop_assert_eq!(counters.roll_ups as usize, rolled.len());
        prop_assert_eq!(run(), (passed, rolled, counters));
    }
}
