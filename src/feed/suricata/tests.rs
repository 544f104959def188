use proptest::prelude::*;

use crate::feed::tests::{loaded, loaded_as};
use crate::indicator::Refusal;
use crate::indicator::rule::{Body, Place, Range, Step};

/// What becomes of a rule with these options.
fn refusal(header: &str, options: &str) -> Option<Refusal> {
    let (set, report) = loaded_as("suricata", format!("alert {header} ({options} sid:1;)\n").as_bytes());
    assert_eq!(set.len() + report.refusals.len(), 1, "{header} {options}");
    report.refusals.first().map(|refused| refused.reason)
}

const ANY: &str = "any any -> any any";

#[test]
fn what_a_rule_says_of_itself_arrives() {
    let (set, report) = loaded(
        b"# a comment\n#alert tcp any any -> any any (msg:\"off\"; sid:9;)\n\
          alert http $HOME_NET any -> any any (msg:\"A \\\"name\\\"\\; here\"; flow:established,to_server; \\\n\
          http.uri; content:\"/gate.php\"; endswith; reference:url,www.example.org/x; classtype:trojan-activity; \\\n\
          metadata:malware_family Evil, mitre_technique_id T1071; gid:1; sid:2000001; rev:3;)\n",
    );
    assert_eq!((report.format, report.loaded), (Some("suricata"), 1), "{:?}", report.refusals);
    let one = set.iter().next().expect("one");
    assert_eq!((&*one.id(), one.kind.name), ("suricata:1:2000001:3", "rule"));
    let (context, line) = set.sources(one.ix).next().expect("a source");
    assert_eq!((line, context.severity, context.reference.as_deref()), (3, Some(90), Some("http://www.example.org/x")));
    let about: Vec<_> = context.about.iter().map(|(path, text)| format!("{}={text}", path.0)).collect();
    assert_eq!(
        about,
        [
            "rule.name=A \"name\"; here",
            "rule.id=2000001",
            "rule.version=3",
            "rule.category=trojan-activity",
            "threat.software.name=Evil",
            "threat.technique.id=T1071"
        ]
    );
}

#[test]
fn every_option_counts_or_refuses_its_rule() {
    for (header, options) in [
        ("tcp", "content:\"abc\"; content:\"de\"; distance:1; within:9;"),
        ("tcp-stream", "content:\"abc\"; offset:3; depth:9;"),
        ("tcp", "flow:established; content:\"abc\"; content:\"def\";"),
        ("udp", "content:\"|01 02|\"; depth:2; content:!\"x\"; isdataat:!10; dsize:>1;"),
        ("dns", "dns.query; dotprefix; content:\".evil.example\"; nocase; endswith; bsize:<99;"),
        ("tls", "tls.sni; content:\"evil\"; fast_pattern; ja3.hash; content:\"aa\";"),
        (
            "http",
            "content:\"POST\"; http_method; content:\"/a\"; http_uri; nocase; content:\"b\"; distance:0; http_uri;",
        ),
        ("http", "file.data; content:\"abc\"; content:\"efg\"; within:900;"),
    ] {
        assert_eq!(refusal(&format!("{header} {ANY}"), options), None, "{header} {options}");
    }
    let unsupported = |why| Some(Refusal::Unsupported(why));
    for (header, options, why) in [
        ("tcp", "content:\"abc\"; pcre:\"/x/\";", unsupported("option pcre")),
        ("tcp", "content:\"abc\"; flowbits:set,a;", unsupported("option flowbits")),
        (
            "tcp",
            "content:\"abc\"; threshold:type limit, track by_src, seconds 1, count 1;",
            unsupported("option threshold"),
        ),
        ("tcp", "content:\"abc\"; evil.example;", unsupported("an unknown option")),
        ("tcp", "content:\"abc\"; content:!\"x\";", unsupported("a negated content in bytes that come piece by piece")),
        (
            "tcp",
            "content:\"abc\"; depth:3;",
            unsupported("offset, depth or startswith in segments (tcp-stream has none)"),
        ),
        ("tcp", "content:\"ab\";", unsupported("contents under 3 bytes with nothing longer near them")),
        (
            "tcp",
            "content:\"abc\"; content:\"d\"; within:1025;",
            unsupported("contents more than 1,024 bytes apart in bytes that come piece by piece"),
        ),
        ("tcp", "content:\"abc\"; http.uri; content:\"x\";", unsupported("payload or file.data beside another buffer")),
        (
            "tcp",
            "http.uri; content:\"x\"; dns.query; content:\"x\";",
            unsupported("buffers of several messages in one rule"),
        ),
        ("tcp", "", unsupported("a rule of a header alone")),
        ("tcp-pkt", "content:\"abc\";", unsupported("protocol tcp-pkt (segments one by one)")),
        ("http", "content:\"abc\";", unsupported("payload of HTTP without a buffer (HTTP/2 has another)")),
        ("udp", "flow:established,to_server; content:\"abc\";", unsupported("flow:established over UDP")),
        (
            "dns",
            "dns.query; content:!\"a\";",
            unsupported("no content that must be there, or none long enough to look for"),
        ),
        (
            "http",
            "flow:to_client; http.uri; content:\"a\";",
            unsupported("a buffer that the rule's direction never shows"),
        ),
        ("udp", "content:\"abc\"; offset:x;", unsupported("a variable of another option")),
        ("udp", "content:\"abc\"; depth:2;", Some(Refusal::BadPattern)),
        ("udp", "content:\"abc\"; depth:9; distance:1;", Some(Refusal::BadPattern)),
        ("udp", "content:abc;", Some(Refusal::BadPattern)),
        ("udp", "nocase; content:\"abc\";", Some(Refusal::BadPattern)),
        ("http", "http.host; content:\"Evil\";", Some(Refusal::BadPattern)),
        ("udp", "content:\"abc\"; flow:sideways;", Some(Refusal::BadField)),
    ] {
        assert_eq!(refusal(&format!("{header} {ANY}"), options), why, "{header} {options}");
    }
    assert_eq!(refusal("tcp any any any any", "content:\"abc\";"), Some(Refusal::Malformed));
    assert_eq!(refusal("tcp $NOBODY any -> any any", "content:\"abc\";"), unsupported("a variable that nobody set"));
}

#[test]
fn a_variable_may_be_set_and_a_bad_one_stops_the_file() {
    let rule = "alert udp $HOME_NET any -> any any (content:\"abc\"; sid:1;)\n";
    let (set, _) = loaded_as("suricata", format!("# picket: HOME_NET=[203.0.113.0/24]\n{rule}").as_bytes());
    let rule_of = set.iter().next().and_then(|i| i.rule).expect("a rule").clone();
    assert!(rule_of.ends.source.hold("203.0.113.9".parse().expect("an address")));
    assert!(!rule_of.ends.source.hold("10.0.0.1".parse().expect("an address")));
    let (set, report) = loaded_as("suricata", format!("# picket: HOME_NET=x\n{rule}").as_bytes());
    assert!(set.is_empty() && report.error.is_some_and(|error| error.contains("line 1")));
}

#[test]
fn ranges_are_as_written() {
    let (set, report) = loaded_as(
        "suricata",
        b"alert http any any -> any any (http.uri; content:\"/a\"; startswith; content:\"b\"; distance:2; within:5; sid:1;)",
    );
    assert_eq!(report.loaded, 1, "{:?}", report.refusals);
    let rule = set.iter().next().and_then(|i| i.rule).expect("a rule").clone();
    let Body::Message(buffers) = &rule.body else { panic!("a message") };
    let ranges: Vec<Range> = buffers[0]
        .steps
        .iter()
        .map(|step| match step {
            Step::Find(content) => content.range,
            Step::DataAt { .. } => panic!("a content"),
        })
        .collect();
    let after = Range::After { distance: 2, within: Some(5) };
    assert_eq!((buffers[0].place, ranges), (Place::HttpUri, vec![Range::Start { offset: 0, depth: Some(2) }, after]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn anything_is_read_or_refused(text in "(alert (tcp|udp|dns|http) [\\[\\]!$,.:/0-9anyHOMENET_ ]{0,20} -> any any \\([a-z:;\"\\\\|!, 0-9._]{0,60}\\)\n){1,3}") {
        loaded_as("suricata", text.as_bytes());
    }
}
