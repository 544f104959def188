//! The gate, and what each target gets; the real tools are asked in `tests/feed_tools.rs`.

use super::*;
use crate::feed::tests::loaded;

const AT: Timestamp = Timestamp::from_parts(1_704_067_201, 0);

fn exported(feed: &str, target: &str) -> (String, Written) {
    let (set, report) = loaded(feed.as_bytes());
    assert!(report.error.is_none(), "{:?}", report.error);
    let mut refused = Written::default();
    let selected = select(&set, &Clearance::owner(), AT, &mut refused);
    let export = Export { selected, at: AT, sinkhole: None, origin: "rpz.test" };
    let mut out = Vec::new();
    let mut written = write(target, &export, &mut out).expect("a target").expect("writes");
    for (why, count) in refused.left_out {
        *written.left_out.entry(why).or_default() += count;
    }
    (String::from_utf8(out).expect("text"), written)
}

fn reasons(written: &Written) -> Vec<(&str, u64)> {
    written.left_out.iter().map(|(why, count)| (*why, *count)).collect()
}

const MIXED: &str = "evil.example\n192.0.2.1\n198.51.100.77/24\n2001:db8::1\n2001:db8:0:1::/64\n192.0.2.9:443\n\
    [2001:db8::9]:53\nmalware.test/gate?x;y\nuser@evil.example\n# picket: match=exact\nonly.test\nevil.example\n";

#[test]
fn a_zone_has_two_rows_a_name_and_no_owner_twice() {
    let (zone, written) = exported(MIXED, "rpz");
    for row in [
        "@ IN SOA localhost. hostmaster.localhost. ( 1704067201 3600 600 86400 60 )\n",
        "\nevil.example CNAME . ; picket-0000001\n*.evil.example CNAME . ; picket-0000001\n",
        "\nonly.test CNAME . ;",
        "\n32.1.2.0.192.rpz-ip CNAME . ;",
        "\n24.0.100.51.198.rpz-ip CNAME . ;",
        "\n128.1.zz.db8.2001.rpz-ip CNAME . ;",
        "\n64.zz.1.0.db8.2001.rpz-ip CNAME . ;",
        "qname-wait-recurse no;",
    ] {
        assert!(zone.contains(row), "{row} is not in {zone}");
    }
    assert_eq!(zone.matches("\nevil.example CNAME").count(), 1);
    assert!(!zone.contains("*.only.test") && !zone.contains("example. "));
    assert_eq!(written.written, 7);
    assert_eq!(reasons(&written), [("an address with a port or transport", 2), ("not a name", 2)]);
}

#[test]
fn names_that_would_break_a_zone_are_left_out() {
    let long = format!("{0}.{0}.{0}.{1}.example\n", "a".repeat(60), "b".repeat(56));
    let feed = format!("{long}x.rpz-ip\n_dmarc.fine.example\n");
    let (zone, written) = exported(&feed, "rpz");
    assert_eq!(written.written, 1);
    assert_eq!(
        reasons(&written),
        [("a name that would be a trigger of another kind", 1), ("a name too long with the zone's origin", 1)]
    );
    let rows = "_dmarc.fine.example CNAME . ; picket-0000003\n*._dmarc.fine.example CNAME . ; picket-0000003\n";
    assert!(zone.ends_with(rows), "{zone}");
    let unusual = r#"{"threat.indicator.type":"domain-name","threat.indicator.name":"a;b.example"}"#;
    assert_eq!(reasons(&exported(unusual, "rpz").1), [("a name with unusual characters", 1)]);
}

#[test]
fn the_gate_refuses_by_marking_and_counts_the_rule() {
    let feed = "# picket: pap=RED\nred.test\n# picket: pap=AMBER\namber.test\n# picket: pap=GREEN\ngreen.test\n\
                # picket: pap=CLEAR\nclear.test\n# picket: pap=mauve\nunreadable.test\n# picket: tlp=RED\ntlp.test\nunmarked.test\n\
                # picket: valid_until=2024-01-01T00:00:00Z\nold.test\n# picket: valid_from=2025-01-01T00:00:00Z\nnew.test\n";
    let (zone, written) = exported(feed, "rpz");
    let kept: Vec<&str> = zone.lines().filter(|line| line.contains(" CNAME ") && !line.starts_with('*')).collect();
    assert_eq!(kept.len(), 4, "{kept:?}");
    for refused in ["red.test", "amber.test", "unreadable.test", "old.test", "new.test"] {
        assert!(!zone.contains(refused), "{refused}");
    }
    assert_eq!(reasons(&written), [("beyond_pap", 3), ("expired", 1), ("not valid yet", 1)]);
}

#[test]
fn every_source_must_permit_it() {
    let (_, written) = exported("# picket: pap=GREEN\na.test\n# picket: pap=RED provider=other\na.test\n", "rpz");
    assert_eq!((written.written, reasons(&written)), (0, vec![("beyond_pap", 1)]));
}

#[test]
fn a_reader_who_is_not_cleared_gets_nothing() {
    let (set, _) = loaded(b"# picket: tlp=AMBER pap=GREEN\na.test\n# picket: tlp=GREEN pap=GREEN\nb.test\n");
    let reader = Clearance { tlp: crate::marking::Tlp::Green, act: Action::Active, ..Clearance::default() };
    let mut refused = Written::default();
    let names = |reader: &Clearance, refused: &mut Written| select(&set, reader, AT, refused).len();
    assert_eq!((names(&reader, &mut refused), reasons(&refused)), (1, vec![("outside_tlp_audience", 1)]));
    let mut refused = Written::default();
    assert_eq!((names(&Clearance::default(), &mut refused), reasons(&refused)), (0, vec![("action_not_cleared", 2)]));
}

#[test]
fn a_condition_is_never_dropped() {
    let line = r#"{"threat.indicator.type":"ipv4-addr","threat.indicator.name":"192.0.2.1","picket.when.port":502}"#;
    let (text, written) = exported(line, "nftables");
    assert_eq!((reasons(&written), text.contains("192.0.2.1")), (vec![("a condition", 1)], false));
}

#[test]
fn nothing_of_a_feed_but_values_is_exported() {
    let line = r#"{"threat.indicator.type":"domain-name","threat.indicator.name":"evil.example","threat.indicator.id":"SECRET-ID","threat.indicator.provider":"SECRET-PROVIDER","threat.indicator.description":"SECRET-WORDS","threat.indicator.reference":"SECRET-REFERENCE","tags":["SECRET-TAG"]}"#;
    for target in targets() {
        let (text, _) = exported(line, target);
        assert!(!text.contains("SECRET"), "{target}: {text}");
        assert!(target == "nftables" || target == "postfix-cidr" || text.contains("evil.example"), "{target}: {text}");
    }
}

#[test]
fn other_targets_say_what_they_can() {
    let (unbound, written) = exported(MIXED, "unbound");
    assert!(unbound.contains("    local-zone: \"evil.example.\" always_nxdomain # picket-0000001\n"));
    assert!(unbound.contains("\"only.test.\" transparent\n    local-data: \"only.test. 60 IN TXT picket-"));
    assert_eq!((written.written, unbound.matches("local-zone").count()), (3, 2));
    let (nft, written) = exported(MIXED, "nftables");
    for element in ["198.51.100.0/24,", "192.0.2.9 . tcp . 443,", "192.0.2.9 . udp . 443,", "2001:db8::9 . tcp . 53,"] {
        assert!(nft.contains(element), "{element} is not in {nft}");
    }
    assert!(nft.contains("table inet picket\ndelete table inet picket\ntable inet picket {"));
    assert_eq!(written.written, 6);
    assert!(!exported("evil.example\n", "nftables").0.contains("elements"));
    let (access, _) = exported(MIXED, "postfix");
    for row in ["\n.evil.example REJECT picket-0000001\n", "\nonly.test REJECT ", "\nuser@evil.example REJECT "] {
        assert!(access.contains(row), "{row} is not in {access}");
    }
    assert!(exported(MIXED, "postfix-cidr").0.contains("\n198.51.100.0/24 REJECT picket-"));
}

#[test]
fn rules_escape_what_would_end_an_option() {
    let (rules, written) = exported(MIXED, "suricata");
    assert!(rules.contains("http.uri.raw; content:\"/gate?x|3b|y\"; startswith; endswith; sid:"), "{rules}");
    assert!(
        rules.contains("dns.query; dotprefix; content:\".evil.example\"; endswith; nocase; sid:1900000001; rev:1;)")
    );
    assert!(rules.contains("dns.query; content:\"only.test\"; startswith; endswith; nocase;"));
    assert!(rules.contains("alert ip any any <> [198.51.100.0/24] any (msg:\"picket-0000003\"; sid:"));
    assert_eq!(reasons(&written), [("a kind without a rule", 1), ("a port without a transport", 2)]);
    let signature = r#"{"threat.indicator.type":"network-traffic","picket.pattern.content":"a|0d|b\\\"\\;\\\\c","picket.pattern.depth":64,"picket.pattern.transport":"tcp","picket.pattern.port":80}"#;
    let (rules, _) = exported(signature, "suricata");
    assert!(
        rules.contains(
            "alert tcp any any -> any 80 (msg:\"picket-0000001\"; content:\"a|0d|b|22 3b 5c|c\"; depth:64; sid:"
        ),
        "{rules}"
    );
}
