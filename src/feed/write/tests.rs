//! What is written is read back as it was.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::super::diff::{Change, diff};
use super::super::tests::{loaded, loaded_as};
use super::super::{Options, load};
use super::*;
use crate::indicator::{ContextRef, Indicator};

fn written(set: &IndicatorSet, format: &str) -> (Vec<u8>, Written) {
    let mut out = Vec::new();
    let counts = (writer(format).expect("a writer").write)(set, Timestamp::ZERO, &mut out).expect("writes");
    (out, counts)
}

fn samples() -> IndicatorSet {
    let mut set = IndicatorSet::default();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    load(&[dir], &Options::default(), &mut set).expect("loads");
    set
}

#[test]
fn native_gives_every_sample_back() {
    let set = samples();
    let (text, counts) = written(&set, "native");
    let (again, report) = loaded(&text);
    assert_eq!((report.format, report.refused_total()), (Some("native"), 0), "{:?}", report.refusals);
    let beyond: u64 = counts.left_out.values().sum();
    assert_eq!(again.len() as u64 + beyond, set.len() as u64, "{counts:?}");
    let why: Vec<_> = counts.left_out.keys().copied().collect();
    assert_eq!(why, ["a rule of a rule language"], "{counts:?}");
    let changes: Vec<_> = diff(&set, &again).map(|d| (d.change, d.aspects)).collect();
    assert!(
        changes.len() as u64 == beyond && changes.iter().all(|(change, _)| *change == Change::Removed),
        "{changes:?}"
    );
    assert_eq!(written(&again, "native").0, text, "and the same text from there on");
}

#[test]
fn native_keeps_every_field() {
    let line = r#"{"threat.indicator.type":"ipv4-addr","threat.indicator.id":"x\"1","threat.indicator.name":"192.0.2.0/24","threat.indicator.port":4444,"picket.transport":"tcp","picket.valid_from":"2024-01-01T00:00:00.000000001Z","picket.valid_until":"2025-01-01T00:00:00.000000000Z","picket.when.protocol":"modbus","picket.when.direction":"to_responder","picket.when.function":"modbus:any-write","threat.indicator.provider":"p","threat.indicator.confidence":"High","threat.indicator.reference":"r","threat.indicator.description":"d \u0001","threat.indicator.first_seen":"2024-01-01T00:00:00Z","picket.severity":80,"threat.indicator.marking.tlp":"AMBER+STRICT","picket.pap":"GREEN","picket.classification":"SECRET//SI//REL TO USA, GBR","threat.group.name":["g","h"],"threat.technique.id":["T1071"],"tags":["t"]}"#;
    let (set, report) = loaded(line.as_bytes());
    assert_eq!(report.loaded, 1, "{:?}", report.refusals);
    assert_eq!(String::from_utf8(written(&set, "native").0).expect("text"), line.to_owned() + "\n");
}

#[test]
fn plain_gives_back_what_it_can_say() {
    let text = "evil.example\n192.0.2.1\n198.51.100.0/24\n192.0.2.1:443\n[2001:db8::1]:443\n2001:db8::/48\nmalware.test/gate?a#b\n\
                d41d8cd98f00b204e9800998ecf8427e\nuser@evil.example\n# picket: match=exact tlp=AMBER provider=\"A name\" severity=70\n\
                evil.example\n# picket: match=prefix valid_until=2024-01-01T00:00:00Z\nmalware.test/gate/\n\
                # picket: type=user-agent\nEvil Bot/1.0 [x](.)\n# picket: type=x509-certificate\nda39a3ee5e6b4b0d3255bfef95601890afd80709\n";
    let (set, _) = loaded(text.as_bytes());
    assert_eq!(set.len(), 13);
    let (out, counts) = written(&set, "plain");
    let (again, report) = loaded(&out);
    assert_eq!(
        (report.format, report.refused_total(), &report.error),
        (Some("plain"), 0, &None),
        "{:?}",
        report.refusals
    );
    assert_eq!(diff(&set, &again).count(), 0);
    assert_eq!((counts.written, counts.left_out.len(), counts.lost.len()), (13, 0, 0), "{counts:?}");
}

#[test]
fn what_plain_cannot_say_is_left_out_and_counted() {
    let (set, _) = loaded(
        br#"{"threat.indicator.type":"network-traffic","picket.pattern.content":"EvilBot"}
{"threat.indicator.type":"ipv4-addr","threat.indicator.name":"192.0.2.1","picket.when.port":502}
{"threat.indicator.type":"ipv4-addr","threat.indicator.name":"192.0.2.0/24","threat.indicator.port":1}
{"threat.indicator.type":"user-agent","threat.indicator.name":" a "}
{"threat.indicator.type":"user-agent","threat.indicator.name":"a\nevil.example"}
{"threat.indicator.type":"user-agent","threat.indicator.name":"a # b"}
{"threat.indicator.type":"domain-name","threat.indicator.name":"a.example","threat.indicator.id":"1","threat.indicator.provider":"\""}
"#,
    );
    assert_eq!(set.len(), 7);
    let (out, counts) = written(&set, "plain");
    assert_eq!(String::from_utf8(out).expect("text"), "a.example\n");
    let left: Vec<_> = counts.left_out.into_iter().collect();
    assert_eq!(
        left,
        [
            ("a byte signature", 1),
            ("a condition", 1),
            ("a network with a port", 1),
            ("a value that a plain list cannot hold", 3)
        ]
    );
    assert_eq!(counts.lost.into_iter().collect::<Vec<_>>(), [("id", 1), ("provider", 1)]);
}

#[test]
fn a_marking_that_cannot_be_said_keeps_its_entry_out() {
    use crate::indicator::{Context, Draft, kind::DOMAIN};
    let mut set = IndicatorSet::default();
    let marking = crate::marking::Marking::undefined("marking-definition--1");
    let context = set.context(Context { marking, ..Context::default() });
    set.add(&Draft::new(&DOMAIN, b"evil.example", context, 1), false).expect("loads");
    for format in WRITERS.iter().filter(|writer| ["native", "plain"].contains(&writer.name)) {
        let (out, counts) = written(&set, format.name);
        assert_eq!((out.len(), counts.written, counts.left_out.len()), (0, 0, 1), "{}", format.name);
    }
}

/// Any entry that loads.
fn entry() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just(("domain-name", "evil.example".to_owned())),
        ("[a-z]{1,5}\\.(test|example)").prop_map(|name| ("domain-name", name)),
        any::<u32>().prop_map(|ip| ("ipv4-addr", std::net::Ipv4Addr::from_bits(ip).to_string())),
        any::<u128>().prop_map(|ip| ("ipv6-addr", std::net::Ipv6Addr::from_bits(ip).to_string())),
        ("[ -~]{1,20}").prop_map(|agent| ("user-agent", agent)),
        ("[a-z]{1,4}\\.test/[ -~&&[^ \"]]{0,12}").prop_map(|url| ("url", url)),
        ("\\PC{1,12}").prop_map(|subject| ("email-subject", subject)),
    ];
    let more = prop::sample::select(vec![
        "",
        r#","picket.valid_until":"2030-06-01T00:00:00.5Z""#,
        r#","threat.indicator.marking.tlp":"AMBER","picket.severity":7"#,
        r#","picket.cui":{"extension_type":"property-extension","control":"CUI","designator_ref":"identity--1","categories":["SP-CTI"]}"#,
        r#","picket.acs":[{"extension_type":"property-extension","identifier":"isa:a","create_date_time":"2024-01-01T00:00:00Z","responsible_entity_custodian":"USA.DHS","policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=permit","control_set":{"classification":"S","caveat":["FISA"]},"access_privilege":[{"privilege_action":"NETDEF","privilege_scope":{"entity":["ALL"]},"rule_effect":"permit"}]},{"extension_type":"property-extension","identifier":"isa:b","create_date_time":"2024-01-01T00:00:00Z","responsible_entity_custodian":"USA.NSA","policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit","control_set":{"classification":"U"}}]"#,
        r#","picket.statement":"keep \"it\"","picket.classification":"S//NF""#,
        r#","picket.pap":"mauve","picket.classification":"GEHEIM \"x\"""#,
        r#","threat.indicator.id":"an id","tags":["a","b"]"#,
        r##","threat.indicator.provider":"# p\"x","threat.indicator.description":"two\nlines""##,
    ]);
    (value, more).prop_map(|((kind, value), more)| {
        let value = serde_json::to_string(&value).expect("text");
        format!("{{\"threat.indicator.type\":\"{kind}\",\"threat.indicator.name\":{value}{more}}}\n")
    })
}

proptest! {
    #[test]
    fn native_is_read_back_as_it_was(lines in prop::collection::vec(entry(), 0..20)) {
        let (set, _) = loaded(lines.concat().as_bytes());
        let (text, counts) = written(&set, "native");
        let (again, report) = loaded(&text);
        prop_assert_eq!(report.refused_total(), 0);
        prop_assert!(counts.left_out.is_empty());
        prop_assert_eq!(diff(&set, &again).count(), 0);
    }

    /// What plain writes of many entries is what it writes of each alone, and what it can say comes back as it was.
    #[test]
    fn plain_is_read_back_as_it_was(lines in prop::collection::vec(entry(), 0..20)) {
        let mut wanted = BTreeSet::new();
        for line in &lines {
            let (set, report) = loaded(line.as_bytes());
            let (text, counts) = written(&set, "plain");
            let (again, _) = loaded_as("plain", &text);
            let left: u64 = counts.left_out.values().sum();
            prop_assert_eq!((counts.written, again.len() as u64), (report.loaded - left, report.loaded - left), "{}", line);
            if left == 0 && counts.lost.is_empty() {
                prop_assert_eq!(diff(&set, &again).count(), 0, "{}", line);
            }
            wanted.append(&mut told(&again));
        }
        let (set, _) = loaded(lines.concat().as_bytes());
        let (text, counts) = written(&set, "plain");
        // A value may look like the beginning of another format.
        let (again, report) = loaded_as("plain", &text);
        prop_assert_eq!((report.refused_total(), &report.error), (0, &None));
        prop_assert_eq!(report.loaded + report.merged, counts.written);
        prop_assert_eq!(counts.written + counts.left_out.values().sum::<u64>(), sources(&set));
        prop_assert_eq!(told(&again), wanted);
    }
}

fn sources(set: &IndicatorSet) -> u64 {
    set.iter().map(|one| set.sources(one.ix).count() as u64).sum()
}

/// What each source says of each value, without ids.
fn told(set: &IndicatorSet) -> BTreeSet<String> {
    let entry = |one: Indicator<'_>, context: ContextRef<'_>| {
        let ContextRef { provider, marking, confidence, severity, reference, description, .. } = context;
        let limits = (one.matching, one.port, one.transport, one.window);
        let said = (provider, marking.to_string(), confidence, severity, reference, description);
        format!("{} {} {limits:?} {said:?}", one.kind.name, one.value.escape_ascii())
    };
    set.iter().flat_map(|one| set.sources(one.ix).map(move |(context, _)| entry(one, context))).collect()
}

#[test]
fn rules_are_carried_by_what_can_carry_them() {
    let rules = "\
        alert http any any -> any any (msg:\"A \\\"name\\\"\"; http.uri; content:\"/gate.php\"; endswith; reference:url,www.example.org/x; \
        classtype:trojan-activity; metadata:malware_family Evil, tag x; priority:2; sid:1; rev:3;)\n\
        alert udp any any -> any 53 (content:\"|00 01|abc\"; depth:9; sid:2;)\n\
        alert tls any any -> any any (tls.sni; content:\"evil\"; metadata:tag tls; sid:3;)\n";
    let (set, report) = loaded_as("suricata", rules.as_bytes());
    assert_eq!(report.loaded, 3, "{:?}", report.refusals);
    for format in ["suricata", "stix", "misp"] {
        let (text, counts) = written(&set, format);
        assert_eq!((counts.written, counts.left_out.len()), (3, 0), "{format} {counts:?}");
        let (again, report) = loaded(&text);
        assert_eq!((report.format, report.refused_total()), (Some(format), 0), "{:?}", report.refusals);
        assert!(again.iter().map(|one| one.value).eq(set.iter().map(|one| one.value)), "{format}");
        // MISP has UUIDs for ids, a comment and an organisation of its own.
        if format != "misp" {
            assert_eq!(diff(&set, &again).map(|d| (d.change, d.aspects)).collect::<Vec<_>>(), [], "{format}");
        }
        let about = |set: &IndicatorSet| {
            let all = set.iter().flat_map(|one| set.sources(one.ix).map(|(context, _)| context));
            all.map(|context| {
                let mut about: Vec<String> =
                    context.about.iter().map(|(path, text)| format!("{}={text}", path.0)).collect();
                about.sort();
                (about, context.severity, context.reference.map(str::to_owned))
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(about(&again), about(&set), "{format}");
    }
    let variable =
        b"# picket: HOME_NET=[192.0.2.0/24]\nalert udp $HOME_NET any -> any any (content:\"abcd\"; sid:1;)\n";
    let (set, _) = loaded_as("suricata", variable);
    for format in ["suricata", "stix", "misp", "native", "plain", "zeek"] {
        assert_eq!(written(&set, format).1.written, 0, "{format}: alone the text is another rule");
    }
    let pattern = "[network-traffic:extensions.'http-request-ext'.request_method = 'get' AND network-traffic:extensions.'http-request-ext'.request_value = '/a']";
    let object = format!(
        r#"{{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":[{{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-000000000001","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z","pattern":"{pattern}"}}]}}"#
    );
    let (set, report) = loaded(object.as_bytes());
    assert_eq!(report.loaded, 1, "{:?}", report.refusals);
    let (text, counts) = written(&set, "stix");
    assert_eq!(counts.written, 1, "{counts:?}");
    assert_eq!(diff(&set, &loaded(&text).0).count(), 0);
}

#[test]
fn an_output_that_fails_is_an_error() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert!(Full.flush().is_ok());
    for writer in WRITERS {
        assert!((writer.write)(&samples(), Timestamp::ZERO, &mut Full).is_err(), "{}", writer.name);
    }
}
