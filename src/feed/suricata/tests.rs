use proptest::prelude::*;

use crate::feed::tests::{loaded, loaded_as};
use crate::feed::{Options, load};
use crate::indicator::rule::{Body, Flowing, Header, Place, Range, Step};
use crate::indicator::{Condition, IndicatorSet, Refusal, Transport, Where};

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
    assert_eq!((line, context.severity, context.reference), (3, Some(90), Some("http://www.example.org/x")));
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
        ("tcp", "content:\"abc\"; flowbits:set,a; threshold:type limit, track by_src, seconds 1, count 1;"),
    ] {
        assert_eq!(refusal(&format!("{header} {ANY}"), options), None, "{header} {options}");
    }
    let unsupported = |why| Some(Refusal::Unsupported(why));
    for (header, options, why) in [
        ("tcp", "content:\"abc\"; pcre:\"/x/\";", unsupported("option pcre")),
        (
            "tcp",
            "content:\"abc\"; flowbits:isset,a;",
            unsupported("flowbits, xbits or hostbits that are asked for (isset, isnotset)"),
        ),
        (
            "tcp",
            "content:\"abc\"; threshold:type both, track by_src, seconds 1, count 1;",
            unsupported("threshold of a type that counts first (other than limit)"),
        ),
        ("tcp", "content:\"abc\"; flags:S;", unsupported("flags beside contents")),
        ("tcp", "content:\"abc\"; flow:not_established;", unsupported("flow:not_established beside contents")),
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
        ("tcp", "", Some(Refusal::BroadRule)),
        ("dns", "flow:to_server;", Some(Refusal::BroadRule)),
        ("dns", "dns.query;", unsupported("a buffer without contents")),
        ("ip", "ip.src;", unsupported("ip.src or ip.dst without dataset")),
        ("udp", "flags:S;", unsupported("flags of another protocol than tcp")),
        ("tcp", "flags:A;", unsupported("flags without SYN, FIN or RST")),
        ("tcp-stream", "", unsupported("a stream (tcp-stream, only_stream) without contents")),
        ("icmp", "content:\"abcd\";", unsupported("payload of more than one transport")),
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
            _ => panic!("a content"),
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

/// Rules as Emerging Threats and abuse.ch write their lists of addresses.
const LISTS: &str = "\
alert ip [192.0.2.1,198.51.100.0/24] any -> $HOME_NET any (msg:\"ET DROP Dshield Block Listed Source group 1\"; reference:url,feeds.dshield.org/block.txt; threshold: type limit, track by_src, seconds 3600, count 1; classtype:misc-attack; flowbits:set,ET.Evil; flowbits:set,ET.DshieldIP; sid:2402000; rev:7000; metadata:affected_product Any, attack_target Any, deployment Perimeter, tag Dshield, signature_severity Major, created_at 2010_12_30, updated_at 2026_11_01;)
alert tcp $HOME_NET any -> [192.0.2.1,192.0.2.2] any (msg:\"ET CNC Feodo Tracker Reported CnC Server group 1\"; flags:S; reference:url,doc.emergingthreats.net; threshold: type limit, track by_src, seconds 3600, count 1; flowbits:set,ET.Evil; flowbits:set,ET.BotccIP; classtype:trojan-activity; sid:2404300; rev:1;)
alert tcp $HOME_NET any -> [192.0.2.3] 443 (msg:\"Feodo Tracker: potential Dridex CnC Traffic detected\"; threshold:type limit, track by_src, seconds 60, count 1; classtype:trojan-activity; reference:url, feodotracker.abuse.ch/; sid:900300; rev:1;)
alert udp $EXTERNAL_NET ![53,123] <> $HOME_NET 1024: (flow:not_established; sid:4;)
alert icmp any any -> [2001:db8::/32] any (flow:to_server; sid:5;)
alert http [192.0.2.9] any -> any any (flow:established,to_client; sid:6;)
";

#[test]
fn a_header_alone_is_a_rule() {
    let (set, report) = loaded_as("suricata", LISTS.as_bytes());
    assert_eq!((report.loaded, report.refusals.len()), (6, 0), "{:?}", report.refusals);
    let rules: Vec<_> = set.iter().filter_map(|one| one.rule).collect();
    let headers: Vec<_> = rules
        .iter()
        .map(|rule| match rule.body {
            Body::Header(Header { flags, established }) => (flags.is_some(), established),
            _ => panic!("a header"),
        })
        .collect();
    let none = (false, None);
    assert_eq!(headers, [none, (true, None), none, (false, Some(false)), none, (false, Some(true))]);
    let flow = |from: (&str, u16), to: (&str, u16), protocol, to_responder| Flowing {
        originator: (from.0.parse().expect("an address"), from.1),
        responder: (to.0.parse().expect("an address"), to.1),
        to_responder,
        transport: match protocol {
            6 => Some(Transport::Tcp),
            17 => Some(Transport::Udp),
            _ => None,
        },
        protocol,
    };
    let inside = ("10.0.0.1", 50_000);
    for (rule, flow, admits) in [
        (0, flow(("198.51.100.7", 1), inside, 6, true), true),
        (0, flow(inside, ("198.51.100.7", 1), 1, true), false),
        (0, flow(inside, ("198.51.100.7", 1), 1, false), true),
        (1, flow(inside, ("192.0.2.2", 80), 6, true), true),
        (1, flow(inside, ("192.0.2.2", 80), 17, true), false),
        (2, flow(inside, ("192.0.2.3", 80), 6, true), false),
        (3, flow(("192.0.2.3", 52), inside, 17, true), true),
        (3, flow(inside, ("192.0.2.3", 52), 17, true), true),
        (3, flow(inside, ("192.0.2.3", 53), 17, true), false),
        (4, flow(("2001:db9::1", 0), ("2001:db8::1", 0), 58, true), true),
        (4, flow(("2001:db9::1", 0), ("2001:db8::1", 0), 58, false), false),
        (4, flow(("2001:db9::1", 0), ("2001:db8::1", 0), 17, true), false),
        (5, flow(inside, ("192.0.2.9", 80), 6, false), true),
        (5, flow(("192.0.2.9", 80), inside, 6, true), false),
    ] {
        assert_eq!(rules[rule].ends.admits(&flow), admits, "{rule}");
    }
    let when: Vec<_> = set.iter().filter_map(|one| one.when.cloned()).collect();
    let http = Condition { protocol: Some("http"), or_protocol: Some("http2"), ..Condition::default() };
    assert_eq!(when, [http]);
    let (context, _) = set.iter().next().and_then(|one| set.sources(one.ix).next()).expect("a source");
    assert!(context.about.iter().any(|about| about == (Where("tags"), "Dshield")));
}

#[test]
fn a_rule_may_list_a_thousand_addresses() {
    let rule = |count: u32| {
        let all: Vec<String> = (0..count).map(|n| format!("198.51.{}.{}", n / 256, n % 256)).collect();
        format!("alert ip [{}] any -> $HOME_NET any (sid:1;)\n", all.join(","))
    };
    assert_eq!(loaded_as("suricata", rule(1024).as_bytes()).1.loaded, 1);
    let refused = loaded_as("suricata", rule(1025).as_bytes()).1.refusals;
    assert_eq!(refused.iter().map(|refused| refused.reason).collect::<Vec<_>>(), [Refusal::TooLong]);
}

#[test]
fn any_to_any_is_loaded_by_force_alone() {
    for header in ["ip any any -> any any", "tcp [any] any <> 0.0.0.0/0 any", "tls any any -> ::/0 any"] {
        let text = format!("alert {header} (sid:1;)");
        let of = |force| {
            let mut set = IndicatorSet::default();
            let dir = tempfile::tempdir().expect("a directory");
            std::fs::write(dir.path().join("x.rules"), &text).expect("writes");
            let options = Options { force, ..Options::default() };
            load(&[dir.path().to_owned()], &options, &mut set).expect("loads");
            set.len()
        };
        assert_eq!((of(false), of(true)), (0, 1), "{header}");
    }
}

#[test]
fn entries_of_a_reputation_are_a_list() {
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let files = [
        ("names.rep", "LmV2aWwuZXhhbXBsZQ==,40\nLmJhZC50ZXN0,200\n"),
        ("ips.rep", "192.0.2.1,10\n192.0.2.2, 20\n192.0.2.1,10\n"),
        ("digests.rep", &format!("{sha256},1\n")),
        ("twice.rep", "192.0.2.1,10\n192.0.2.1,11\n"),
        ("none.rep", "192.0.2.1\n"),
    ];
    let rules = "\
        alert dns any any -> any any (dns.query; dotprefix; datarep:names,>,100,load names.rep,type string; sid:1;)\n\
        alert ip any any -> any any (ip.src; datarep:ips, >, 10, load ips.rep, type ip; sid:2;)\n\
        alert ip any any -> any any (ip.dst; datarep:ips,==,10; sid:3;)\n\
        alert http any any -> any any (http.uri; to_sha256; datarep:d,<,2,type sha256,load digests.rep; sid:4;)\n\
        alert ip any any -> any any (ip.dst; datarep:t,>,1,type ip,load twice.rep; sid:5;)\n\
        alert ip any any -> any any (ip.dst; datarep:n,>,1,type ip,load none.rep; sid:6;)\n\
        alert ip any any -> any any (ip.dst; datarep:ips,!=,1; sid:7;)\n";
    let (set, refusals, _dir) = beside(&files, rules);
    assert_eq!(set.len(), 4, "{refusals:?}");
    assert_eq!(refusals.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6, 7]);
    let rules: Vec<_> = set.iter().filter_map(|one| one.rule).collect();
    let admits = |rule: usize, from: &str, to: &str| rules[rule].ends.admits(&flow(from, to));
    assert!(admits(1, "192.0.2.2", "10.0.0.1") && !admits(1, "192.0.2.1", "10.0.0.1"));
    assert!(admits(2, "10.0.0.1", "192.0.2.1") && !admits(2, "10.0.0.1", "192.0.2.2"));
    let Body::Message(buffers) = &rules[0].body else { panic!("a message") };
    assert!(
        matches!(&buffers[0].steps[..], [Step::Listed { list, negated: false }] if list.iter().eq([&b".bad.test"[..]]))
    );
}

/// A file of rules among other files, as what each of its rules became.
fn beside(files: &[(&str, &str)], rules: &str) -> (IndicatorSet, Vec<(u32, Refusal)>, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files.iter().chain(&[("x.rules", rules)]) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("writes");
    }
    let mut set = IndicatorSet::default();
    let report = load(&[dir.path().to_owned()], &Options::default(), &mut set).expect("loads");
    assert_eq!(report.files.len(), 1, "what rules ask of is no feed of its own: {:?}", report.skipped);
    let refusals = report.files[0].refusals.iter().map(|refused| (refused.line, refused.reason)).collect();
    (set, refusals, dir)
}

#[test]
fn datasets_beside_the_rules_are_part_of_them() {
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let files = [
        ("lists/names.lst", "LmV2aWwuZXhhbXBsZQ==\n# a comment\nYmFkLnRlc3Q=\n"),
        ("digests.lst", sha256),
        ("ips.lst", "192.0.2.1\n2001:db8::1\n"),
        ("bad.lst", "???\n"),
    ];
    let rules = "\
        alert dns any any -> any any (dns.query; dotprefix; dataset:isset,names,type string,load lists/names.lst; sid:1;)\n\
        alert tls any any -> any any (tls.sni; dataset:isnotset,names; content:\".test\"; endswith; sid:2;)\n\
        alert http any any -> any any (http.host; to_sha256; dataset:isset,d,type sha256,load digests.lst,memcap 10mb; sid:3;)\n\
        alert udp any any -> any any (content:\"abcd\"; ip.src; dataset:isset,ips,type ip,load ips.lst; sid:4;)\n\
        alert dns any any -> any any (dns.query; dataset:isset,bad,type string,load bad.lst; sid:5;)\n\
        alert dns any any -> any any (dns.query; dataset:isset,no,type string,load no.lst; sid:6;)\n\
        alert dns any any -> any any (dns.query; dataset:isset,up,type string,load ../names.lst; sid:7;)\n\
        alert dns any any -> any any (dns.query; dataset:set,s,type string,state s.lst; sid:8;)\n\
        alert dns any any -> any any (dns.query; dataset:isset,unknown; sid:9;)\n\
        alert dns any any -> any any (dns.query; dataset:isset,d,type sha256,load digests.lst; sid:10;)\n\
        alert ip any any -> any any (ip.src; dataset:isset,ips; sid:11;)\n\
        alert tcp any any -> any any (dataset:isset,names; content:\"abcd\"; sid:12;)\n\
        alert dns any any -> any any (dns.query; dataset:isnotset,names; sid:13;)\n\
        alert udp any any -> any any (content:\"abcd\"; ip.src; content:\"a\"; sid:14;)\n\
        alert http any any -> any any (file.data; content:\"abcd\"; dataset:isset,names; sid:15;)\n\
        alert http any any -> any any (http.uri; to_md5; content:\"abcd\"; sid:16;)\n";
    let (set, refusals, _dir) = beside(&files, rules);
    let ids: Vec<_> = set.iter().map(|one| one.id().into_owned()).collect();
    let numbers = [1, 2, 3, 4, 11];
    assert_eq!(ids, numbers.map(|sid| format!("suricata:1:{sid}:0")), "{refusals:?}");
    let why: Vec<_> = refusals
        .iter()
        .map(|(line, reason)| match reason {
            Refusal::Unsupported(what) => (*line, *what),
            other => panic!("{line} {other}"),
        })
        .collect();
    assert_eq!(
        why,
        [
            (5, "a file beside the rules that cannot be read whole"),
            (6, "a file beside the rules that is not there"),
            (7, "a file that does not lie beside the rules"),
            (8, "dataset set or unset (it would change while it runs)"),
            (9, "dataset without a file beside the rules (load)"),
            (10, "a dataset of another type than what is looked up in it"),
            (12, "dataset without a buffer"),
            (13, "no content that must be there, or none long enough to look for"),
            (14, "anything but dataset of ip.src and ip.dst"),
            (15, "dataset of bytes that come piece by piece"),
            (16, "a content of a digest"),
        ]
    );
    let rule = set.iter().nth(3).and_then(|one| one.rule).expect("a rule").clone();
    let from = |ip: &str| Flowing {
        originator: (ip.parse().expect("an address"), 1),
        responder: ("198.51.100.1".parse().expect("an address"), 2),
        to_responder: true,
        transport: Some(Transport::Udp),
        protocol: 17,
    };
    assert!(rule.ends.admits(&from("192.0.2.1")) && !rule.ends.admits(&from("192.0.2.2")));
    assert!(!rule.ends.admits(&Flowing { to_responder: false, ..from("192.0.2.1") }), "it receives");
    let named = loaded_as("suricata", rules.as_bytes()).1;
    assert_eq!(named.loaded, 0, "without its files no rule is whole");
}

#[test]
fn reputation_beside_the_rules_limits_who_sends() {
    let files = [
        ("cat.txt", "1,CnC,command and control\n2,Bad,anything\n"),
        ("rep.list", "192.0.2.0/24,1,50\n192.0.2.9,1,10\n192.0.2.8,2,100\n2001:db8::/32,1,127\n"),
    ];
    let head = "# picket: reputation-categories-file=cat.txt\n# picket: reputation-files=[rep.list]\n";
    let rule =
        |option: &str| format!("{head}alert udp any any -> any any (content:\"abcd\"; iprep:{option}; sid:1;)\n");
    let ends = |option: &str| {
        let (set, refusals, _dir) = beside(&files, &rule(option));
        set.iter().next().and_then(|one| one.rule).map(|rule| rule.ends.clone()).ok_or(refusals)
    };
    for (option, from, to, holds) in [
        ("src,CnC,>,30", "192.0.2.1", "203.0.113.1", true),
        ("src,CnC,>,30", "192.0.2.9", "203.0.113.1", false),
        ("src,CnC,>,50", "192.0.2.1", "203.0.113.1", false),
        ("dst,CnC,>,30", "192.0.2.1", "203.0.113.1", false),
        ("dst,CnC,=,127", "192.0.2.1", "2001:db8::1", true),
        ("any,CnC,<,20", "203.0.113.1", "192.0.2.9", true),
        ("any,CnC,<,20", "203.0.113.1", "203.0.113.2", false),
        ("both,CnC,>=,10", "192.0.2.9", "192.0.2.1", true),
        ("both,CnC,>=,10", "192.0.2.9", "203.0.113.1", false),
        ("src,Bad,<=,100", "192.0.2.8", "203.0.113.1", true),
    ] {
        let ends = ends(option).unwrap_or_else(|refusals| panic!("{option}: {refusals:?}"));
        assert_eq!(ends.admits(&flow(from, to)), holds, "{option} {from} {to}");
    }
    for (option, why) in [
        ("src,Other,>,1", "a category of iprep that its file does not name"),
        ("src,CnC,isset", "iprep without an operator and a score"),
        ("src,CnC,!=,1", "an operator of iprep other than < <= = >= >"),
    ] {
        assert_eq!(ends(option).err(), Some(vec![(3, Refusal::Unsupported(why))]), "{option}");
    }
    let (set, refusals, _dir) =
        beside(&[], "alert udp any any -> any any (content:\"abcd\"; iprep:src,CnC,>,1; sid:1;)\n");
    assert!(
        set.is_empty()
            && matches!(refusals[..], [(1, Refusal::Unsupported(why))] if why.starts_with("iprep without files"))
    );
}

/// A datagram from one address to another.
fn flow(from: &str, to: &str) -> Flowing {
    Flowing {
        originator: (from.parse().expect("an address"), 1),
        responder: (to.parse().expect("an address"), 2),
        to_responder: true,
        transport: Some(Transport::Udp),
        protocol: 17,
    }
}
