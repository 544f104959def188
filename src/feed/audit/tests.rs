//! What is found, and that no value is told.

use super::super::tests::loaded;
use super::*;
use crate::feed::{self, Findings, Options};

const AT: Timestamp = Timestamp::from_parts(1_720_000_000, 0);

/// What is found in a feed of this text, as `(line, code)`, with this allow-list.
fn found(text: &str, allow: &str) -> Vec<(u32, &'static str)> {
    let (set, file) = loaded(text.as_bytes());
    let mut report = LoadReport { files: vec![file], ..LoadReport::default() };
    audit(&set, &loaded(allow.as_bytes()).0, AT, &mut report);
    let mut all = lines(&report.files[0].findings);
    all.sort_unstable();
    assert_eq!(report.totals.findings.iter().sum::<u64>(), all.len() as u64);
    all
}

fn lines(findings: &Findings) -> Vec<(u32, &'static str)> {
    findings.iter().flat_map(|(finding, found)| found.entries.iter().map(move |e| (e.line, finding.code()))).collect()
}

#[test]
fn what_is_broad_is_said() {
    let text = "evil.example\ngoogle.com\ncom.evil.example\nwww.google.com\nfonts.google.com\nhttp://www.google.com/\n\
                www.google.com/gate\n10.1.2.3\n10.0.0.0/8\n8.8.8.8\n8.8.0.0/16\n45.0.0.0/12\n45.0.0.0/16\n192.0.2.1\n\
                fe80::1\n2a00::/20\n2606:4700::/32\nd41d8cd98f00b204e9800998ecf8427e\n9.9.9.9:53\n";
    let said = found(text, "");
    assert_eq!(
        said,
        [
            (2, "popular_name"),
            (4, "popular_name"),
            (6, "popular_name"),
            (8, "private_space"),
            (9, "private_space"),
            (10, "popular_address"),
            (11, "popular_address"),
            (12, "wide_network"),
            (15, "private_space"),
            (16, "wide_network"),
            (17, "popular_address"),
            (18, "common_file"),
            (19, "popular_address"),
        ]
    );
}

#[test]
fn a_rule_of_a_header_is_as_broad_as_whom_it_is_about() {
    let text = "\
        alert ip [192.0.2.1,198.51.100.0/24] any -> $HOME_NET any (sid:1;)\n\
        alert tcp $HOME_NET any -> [192.0.2.1,8.8.8.8] any (flags:S; sid:2;)\n\
        alert ip 45.0.0.0/12 any -> any any (sid:3;)\n\
        alert tcp $EXTERNAL_NET any -> $HOME_NET 22 (flags:S; sid:4;)\n\
        alert tcp any any -> any 4444 (sid:5;)\n\
        alert udp any any -> any any (content:\"abcd\"; sid:6;)\n\
        alert ip 2a00::/20 any -> any any (sid:7;)\n";
    let said =
        [(2, "popular_address"), (3, "wide_network"), (4, "private_space"), (5, "any_host"), (7, "wide_network")];
    assert_eq!(found(text, ""), said);
}

#[test]
fn a_name_alone_is_popular_and_a_parent_only_as_a_subtree() {
    let text = "# picket: match=exact\nwindows.net\ncore.windows.net\ngoogle.co.uk\nls.apple.com\n# picket: match=subtree\nls.apple.com\n";
    assert_eq!(found(text, ""), [(2, "popular_name"), (3, "popular_name"), (4, "popular_name"), (7, "popular_name")]);
}

#[test]
fn common_bytes_are_broad() {
    let signature = |content: &str, more: &str| {
        let line =
            format!("{{\"threat.indicator.type\":\"network-traffic\",\"picket.pattern.content\":\"{content}\"{more}}}");
        found(&line, "")
    };
    assert_eq!(signature("User-Agent|3a| Mozilla", ""), [(1, "common_bytes")]);
    assert_eq!(signature("|00 00 00 00 00|", ""), [(1, "common_bytes")]);
    assert_eq!(signature("CONTENT-TYPE|3a| TEXT/HTML", ""), []);
    assert_eq!(signature("CONTENT-TYPE|3a| TEXT/HTML", ",\"picket.pattern.nocase\":true"), [(1, "common_bytes")]);
    assert_eq!(signature("EvilBot/1.0", ""), []);
}

#[test]
fn what_can_never_match_is_inert() {
    let text =
        "https://malware.test/gate\nHTTPS://malware.test/other\nhttp://malware.test/third\nmalware.test/fourth\n";
    assert_eq!(found(text, ""), [(1, "tls_url"), (2, "tls_url")]);
    let line = |when: &str| {
        format!(
            "{{\"threat.indicator.type\":\"ipv4-addr\",\"threat.indicator.name\":\"192.0.2.1\",\"picket.when\":{when}}}"
        )
    };
    assert_eq!(found(&line(r#"{"protocol":"http","field":"dns.resolved_ip"}"#), ""), [(1, "impossible_condition")]);
    assert_eq!(found(&line(r#"{"protocol":"dns","field":"dns.resolved_ip"}"#), ""), []);
}

#[test]
fn validity_is_judged_at_the_time_asked() {
    let text = "# picket: valid_until=2024-01-01T00:00:00Z\na.example\n# picket: valid_from=2025-01-01T00:00:00Z\nb.example\n\
                # picket: valid_from=2024-01-01T00:00:00Z valid_until=2025-01-01T00:00:00Z\nc.example\n";
    assert_eq!(found(text, ""), [(2, "expired"), (4, "not_yet_valid")]);
}

#[test]
fn what_the_allow_list_covers_is_contradictory() {
    let text = "www.fine.example\nfine.example\nother.example\n192.0.2.7\n192.0.2.0/25\n192.0.0.0/16\n2001:db8::7\n\
                fine.test/a/b\n192.0.2.9:80\nfine.test/\n203.0.113.9:80\n";
    let allow = "fine.example\nsub.other.example\n192.0.2.0/24\n2001:db8::/40\n# picket: match=prefix\nfine.test/a/\n203.0.113.9:443\n";
    let lines: Vec<_> = found(text, allow).iter().map(|(line, code)| (*line, *code == "allow_listed")).collect();
    assert_eq!(lines, [(1, true), (2, true), (4, true), (5, true), (7, true), (8, true), (9, true)]);
    let exact = "# picket: match=exact\nfine.example\n";
    assert_eq!(found("fine.example\nwww.fine.example\n", exact), [], "its subtree still matches");
    assert_eq!(found("# picket: match=exact\nfine.example\n", exact), [(2, "allow_listed")]);
    let dated = "# picket: valid_until=2030-01-01T00:00:00Z\nfine.example\n";
    assert_eq!(found("fine.example\n", dated), [], "not always");
}

#[test]
fn duplicates_within_and_across_feeds() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("a.txt"), "evil.example\nEVIL.example.\nother.example\n").expect("writes");
    std::fs::write(dir.path().join("b.txt"), "other.example\n# picket: provider=p\nother.example\nnew.example\n")
        .expect("writes");
    let mut set = IndicatorSet::default();
    let mut report = feed::load(&[dir.path().to_owned()], &Options::default(), &mut set).expect("loads");
    audit(&set, &IndicatorSet::default(), AT, &mut report);
    assert_eq!(lines(&report.files[0].findings), [(2, "duplicate_within")]);
    assert_eq!(lines(&report.files[1].findings), [(3, "duplicate_within"), (1, "duplicate_across")]);
    let providers: Vec<_> = report.providers.iter().map(|p| (p.provider.as_deref(), p.entries)).collect();
    assert_eq!(providers, [(None, 3), (Some("p"), 2)]);
    let json = serde_json::to_value(&report).expect("serialises");
    assert_eq!(json["files"][1]["findings"]["duplicate_across"]["category"], "duplicate");
    assert_eq!(json["totals"]["findings"]["duplicate"], 3);
    let text = json.to_string();
    assert!(!text.contains("evil") && !text.contains("other"), "{text}");
}

#[test]
fn what_force_loads_is_said() {
    let (_, file) = feed::tests::reloaded(b"0.0.0.0/0\nevil.example\n", true);
    assert_eq!(lines(&file.findings), [(1, "forced")]);
}

#[test]
fn entries_are_listed_up_to_a_cap_and_all_counted() {
    let text: String = (0..300).map(|n| format!("10.0.0.{}:{n}\n", n % 250)).collect();
    let (set, file) = loaded(text.as_bytes());
    let mut report = LoadReport { files: vec![file], ..LoadReport::default() };
    audit(&set, &IndicatorSet::default(), AT, &mut report);
    let findings = &report.files[0].findings;
    assert_eq!(findings.count(Finding::PrivateSpace), 300);
    assert_eq!(lines(findings).len(), super::super::finding::MAX_LISTED);
}
