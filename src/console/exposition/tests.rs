use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::console::{
    Count, Feed, Indicators, Interface, KindCount, Loss, NetworkCount, Notices, Output, Reason, Reload, Shed,
    Suppressed, VerdictCount, Worker,
};

/// Something of everything, so that every metric has a sample.
fn full() -> Snapshot {
    let verdict = |verdict: &str, packets| VerdictCount {
        verdict: verdict.into(),
        count: Count { packets, bytes: packets * 100, flows: 1 },
    };
    let reason = |reason: &str, may_fall| Reason { reason: reason.into(), unit: "packets".into(), count: 3, may_fall };
    let mut snapshot = Snapshot {
        visibility: vec![verdict("inspected", 90), verdict("gap", 10)],
        networks: vec![
            NetworkCount { verdicts: vec![verdict("inspected", 60)], ..NetworkCount::default() },
            NetworkCount { vlans: vec![5, 6], tunnel: 7, verdicts: vec![verdict("gap", 10)], is_rest: false },
        ],
        uninspected: vec![reason("snap_length", false), reason("file_incomplete", true)],
        workers: vec![Worker { number: 1, is_running: true, panics: 2, ..Worker::default() }],
        interfaces: vec![Interface { name: "eth1".into(), is_up: true, went_down: 1 }],
        losses: vec![Loss { worker: Some(1), kernel_dropped: 4, ..Loss::default() }],
        shed: vec![Shed { step: "patterns".into(), is_active: true, count: 8 }],
        outputs: vec![Output {
            name: "a \"quoted\"\nname\\".into(),
            queue_age_seconds: Some(0.25),
            ..Output::default()
        }],
        reload: Reload { last_seconds: Some(1.5), last_accepted_age_seconds: Some(60.0), ..Reload::default() },
        feeds: vec![Feed { name: "1".into(), is_stale: true, ..Feed::default() }],
        indicators: Indicators { total: 9, by_kind: vec![KindCount { kind: "domain".into(), count: 9 }] },
        ..Snapshot::default()
    };
    snapshot.alerts.notices.push(Notices { action: "feed-stale".into(), count: 1 });
    snapshot.alerts.suppressed.push(Suppressed { by: "window".into(), count: 5 });
    snapshot.process.memory_limit_bytes = Some(1 << 30);
    snapshot.process.open_fds = Some(20);
    snapshot.process.max_fds = Some(1024);
    snapshot
}

#[test]
fn every_metric_has_a_name_of_its_own_a_help_and_a_sample() {
    let text = Exposition::default().text(&full());
    let mut names = HashSet::new();
    for metric in metrics() {
        assert!(names.insert(metric.name), "{} is there twice", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
        assert_eq!(metric.is_counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert!(text.contains(&format!("# HELP {} ", metric.name)), "{}", metric.name);
        let has_sample =
            text.lines().any(|line| line.strip_prefix(metric.name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        assert!(has_sample, "{}", metric.name);
    }
}

#[test]
fn samples_are_labelled() {
    let text = Exposition::default().text(&full());
    for line in [
        "picket_verdict_packets_total{verdict=\"inspected\"} 90",
        "picket_network_packets_total{vlan=\"5.6\",tunnel=\"7\",verdict=\"gap\"} 10",
        "picket_network_packets_total{vlan=\"none\",tunnel=\"none\",verdict=\"inspected\"} 60",
        "picket_capture_dropped_packets_total{worker=\"1\",interface=\"all\"} 4",
        "picket_uninspected_open{reason=\"file_incomplete\",unit=\"packets\"} 3",
        "picket_shed_active{step=\"patterns\"} 1",
        "picket_output_queue_age_seconds{output=\"a \\\"quoted\\\"\\nname\\\\\"} 0.25",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn what_traffic_makes_many_of_is_capped_and_adds_up() {
    let mut exposition = Exposition::default();
    let mut snapshot = full();
    exposition.text(&snapshot);
    for n in 0..10_000u16 {
        snapshot.uninspected.insert(
            0,
            Reason { reason: format!("ethertype.{n:#06x}"), unit: "frames".into(), count: 1, may_fall: false },
        );
        let verdicts = vec![VerdictCount { verdict: "gap".into(), count: Count { packets: 1, bytes: 1, flows: 0 } }];
        snapshot.networks.insert(0, NetworkCount { vlans: vec![n], verdicts, ..NetworkCount::default() });
    }
    let text = exposition.text(&snapshot);
    let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
    let sum = |lines: &[&str]| -> f64 {
        lines.iter().map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number")).sum()
    };
    let (reasons, networks) = (of("picket_uninspected_total{"), of("picket_network_packets_total{"));
    assert!(reasons.len() <= MAX_REASONS + 1 && networks.len() <= MAX_NETWORKS * 2 + 2, "{}", networks.len());
    assert_eq!((sum(&reasons), sum(&networks)), (10_003.0, 10_070.0));
    assert!(reasons.iter().any(|line| line.contains("snap_length")), "what was told apart first stays so");
    assert!(networks.iter().any(|line| line.contains("vlan=\"5.6\"")));
}

#[test]
fn withheld_numbers_name_neither_feeds_nor_kinds() {
    let mut snapshot = full();
    snapshot.feeds[0].name = "secret-programme".into();
    let text = Exposition::default().text(&snapshot.withheld());
    assert!(!text.contains("secret-programme") && !text.contains("picket_kind_indicators"));
    assert!(text.contains("picket_feed_stale{feed=\"1\"} 1") && text.contains("picket_indicators 9"));
}

#[test]
fn promtool_finds_nothing_to_say() {
    let Ok(mut child) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        eprintln!("skipped: there is no promtool (Debian package prometheus)");
        return;
    };
    let text = Exposition::default().text(&full());
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
