use std::fs;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::super::tests::{allowed, loaded, loaded_named};
use super::super::{FileReport, Options, load};
use super::{Heading, write};
use crate::indicator::kind::{DOMAIN, FILE, IPV4};
use crate::indicator::{
    Condition, Context, ContextRef, Draft, Indicator, IndicatorSet, Kind, Match, Refusal, Where, Window,
};
use crate::marking::{Marking, Pap, Tlp};
use crate::time::Timestamp;

const UUID: &str = "8c0622f2-435a-5b0f-b1cb-93c88749cbaa";

fn event(rest: &str) -> String {
    format!(
        r#"{{"Event":{{"info":"An event","Attribute":[
            {{"uuid":"{UUID}","type":"domain","value":"evil.example","to_ids":true,"comment":"","first_seen":"2024-01-15T08:00:00Z",
              "Tag":[{{"name":"PAP:AMBER"}},{{"name":"a tag"}}]}},
            {{"type":"text","value":"secret","to_ids":true}},
            {{"type":"domain|ip","value":"c2.example|192.0.2.1","to_ids":true,"comment":"why","distribution":"0"}}],
          "Object":[{{"name":"file","Attribute":[{{"type":"md5","value":"d41d8cd98f00b204e9800998ecf8427e","to_ids":"1"}}]}},
            {{"deleted":true,"Attribute":[{{"type":"md5","value":"d41d8cd98f00b204e9800998ecf8427f","to_ids":"1"}}]}}],
          "Tag":[{{"name":"tlp:green"}}],"Orgc":{{"name":"CIRCLE"}},
          "Galaxy":[{{"GalaxyCluster":[{{"tag_name":"misp-galaxy:threat-actor=\"Example Bear\""}}]}}]{rest}}}}}"#
    )
}

fn context<'a>(set: &'a IndicatorSet, one: &Indicator<'_>) -> ContextRef<'a> {
    set.sources(one.ix).next().expect("a source").0
}

#[test]
fn an_event_says_what_holds_for_its_attributes() {
    let (set, report) = loaded(event("").as_bytes());
    assert_eq!((report.format, report.unit, report.loaded), (Some("misp"), "object", 4), "{report:?}");
    let refused: Vec<_> = report.refusals.iter().map(|r| (r.line, r.reason)).collect();
    assert_eq!(refused, [(2, Refusal::Unsupported("attribute type text")), (5, Refusal::Withdrawn)]);
    let all: Vec<_> = set.iter().collect();
    assert_eq!([all[0].kind, all[1].kind, all[2].kind, all[3].kind], [&DOMAIN, &DOMAIN, &IPV4, &FILE]);
    assert_eq!((&*all[0].id(), all[0].matching), (UUID, Match::Subtree));
    let first = context(&set, &all[0]);
    assert_eq!((first.provider, first.description), (Some("CIRCLE"), Some("An event")));
    assert_eq!(
        (first.marking.to_string(), first.first_seen),
        ("TLP:GREEN PAP:AMBER".into(), Some("2024-01-15T08:00:00Z"))
    );
    let about: Vec<_> = first.about.iter().map(|(path, text)| (path.0, text)).collect();
    assert_eq!(about, [("tags", "a tag"), ("threat.group.name", "Example Bear")]);
    let third = context(&set, &all[2]);
    assert_eq!((third.marking.to_string(), third.description), ("TLP:AMBER+STRICT".into(), Some("why")));
}

#[test]
fn every_wrapping_is_read() {
    let one = event("");
    let bare = one.strip_prefix(r#"{"Event":"#).and_then(|rest| rest.strip_suffix('}')).expect("wrapped");
    for (text, events) in [
        (format!("[{one},{one}]"), 2),
        (format!("{{\"response\":[{one}]}}"), 1),
        (format!("{}\n{}\n", one.replace('\n', " "), one.replace('\n', " ")), 2),
        (bare.to_owned(), 1),
        (format!("\u{feff}  {one}"), 1),
    ] {
        let (set, report) = loaded(text.as_bytes());
        assert_eq!((report.format, set.len()), (Some("misp"), 4), "{report:?}");
        assert_eq!((report.loaded + report.merged, report.error), (4 * events, None));
    }
    let search =
        r#"{"response":{"Attribute":[{"type":"ip-dst","value":"192.0.2.1","to_ids":true,"Event":{"info":"x"}}]}}"#;
    assert_eq!(loaded(search.as_bytes()).0.len(), 1);
}

#[test]
fn what_stands_twice_is_taken_as_the_stricter() {
    let (set, report) =
        loaded(event(r#","Tag":[{"name":"tlp:red"}],"distribution":"3","distribution":"0""#).as_bytes());
    assert_eq!(report.loaded, 4);
    assert!(set.iter().all(|one| context(&set, &one).marking.tlp == Some(Tlp::Red)));
    let (set, _) = loaded(event(r#","Tag":[{"name":"tlp:ex:chr"}]"#).as_bytes());
    assert!(set.iter().all(|one| context(&set, &one).provider.is_none()), "the source is not named");
}

#[test]
fn an_event_that_breaks_off_is_not_loaded() {
    let whole = event("");
    let text = format!("{}\n{}", whole.replace('\n', " "), &whole[..whole.len() - 40]);
    let (set, report) = loaded(text.as_bytes());
    assert_eq!(set.len(), 4, "the event before it stays");
    assert!(report.error.as_deref().is_some_and(|e| e.ends_with("the document breaks off")), "{:?}", report.error);
    let broken = Refusal::Unsupported("attribute of an event that breaks off");
    assert_eq!(report.refused.get(&broken), Some(&3));
    for end in (0..whole.len()).step_by(whole.len() / 200) {
        let (set, report) = loaded(&whole.as_bytes()[..end]);
        assert!(set.is_empty() && !format!("{report:?}").contains("evil"), "{end}");
    }
}

#[test]
fn texts_and_nesting_are_bounded() {
    let long = "x".repeat(3_000_000);
    let text = event("").replace("\"a tag\"", &format!("\"{long}\"")).replace("c2.example", &long);
    let (set, report) = loaded(text.as_bytes());
    assert_eq!((set.len(), report.refused.get(&Refusal::TooLong)), (2, Some(&1)), "{:?}", report.error);
    let deep = event(&format!(",\"x\":{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    let (set, report) = loaded(deep.as_bytes());
    assert!(set.is_empty() && report.error.is_some());
    let (_, report) = loaded(event(",\"x\":\"\u{fffd}\"").replace('\u{fffd}', "\u{1}").as_bytes());
    assert!(report.error.is_some(), "a control character in a text is not JSON");
    let mut bytes = event("").into_bytes();
    let at = bytes.windows(6).position(|w| w == b"CIRCLE").expect("there");
    bytes[at] = 0xff;
    let (set, report) = loaded(&bytes);
    assert!(set.is_empty() && report.error.is_some_and(|e| !e.contains("IRCLE")));
    let (set, report) =
        loaded(br#"{"Event":{"info":1,"Attribute":[5,"x",null,{"type":[]},{"to_ids":{}}],"Tag":{},"Object":"x"}}"#);
    assert_eq!((set.len(), report.refused_total(), report.error), (0, 5, None));
}

fn feed_dir(files: &[(&str, &[u8])]) -> (IndicatorSet, super::super::LoadReport, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    files.iter().for_each(|(name, text)| fs::write(dir.path().join(name), text).expect("writes"));
    let mut set = IndicatorSet::default();
    let report = load(&[dir.path().to_owned()], &Options::default(), &mut set).expect("loads");
    (set, report, dir)
}

#[test]
fn a_feed_loads_what_its_manifest_names_and_vouches_for() {
    let text = event("");
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = |n: u8| format!("8c0622f2-435a-5b0f-b1cb-93c88749cb{n:02x}");
    let entry = |n: u8, digest: &str| {
        format!(
            "\"{}\": {{\"info\": \"x\", \"Orgc\": {{\"name\": \"y\"}}, \"integrity:sha256\": \"{digest}\"}}",
            name(n)
        )
    };
    let manifest = format!(
        "{{{},{},\"{}\": {{\"info\": \"no digest\"}},{}, \"../../etc/passwd\": {{}}}}",
        entry(1, &digest),
        entry(2, &"0".repeat(64)),
        name(3),
        entry(4, &digest)
    );
    let json = |n: u8| format!("{}.json", name(n));
    let files: [(&str, &[u8]); 6] = [
        ("manifest.json", manifest.as_bytes()),
        ("hashes.csv", b"x,y\n"),
        (&json(1), text.as_bytes()),
        (&json(2), text.as_bytes()),
        (&json(3), text.as_bytes()),
        (&json(9), text.as_bytes()),
    ];
    let (set, report, _dir) = feed_dir(&files);
    assert_eq!(set.len(), 4);
    let errors: Vec<_> =
        report.files.iter().map(|f: &FileReport| (&*f.feed, f.loaded + f.merged, f.error.as_deref())).collect();
    assert_eq!(
        errors,
        [
            (&*json(1), 4, None),
            (&*json(2), 0, Some("its SHA-256 is not the one that manifest.json says; nothing of it was loaded")),
            (&*json(3), 4, None),
            (&*json(4), 0, Some("manifest.json names it, but it is not there")),
            ("manifest.json", 0, Some("it has entries that are no event's, or too many; those were not loaded")),
        ]
    );
    let skipped: Vec<_> = report.skipped.iter().map(|s| s.reason).collect();
    assert_eq!(skipped, ["not named in manifest.json", "digests of a MISP feed's values", "a MISP feed's manifest"]);
    let (set, report, _dir) = feed_dir(&[("manifest.json", &manifest.as_bytes()[..150]), (&json(1), text.as_bytes())]);
    assert!(set.is_empty() && report.totals.broken_files > 0, "{report:?}");
}

#[test]
fn warning_lists_allow_and_are_no_feeds() {
    let list = |kind: &str, values: &str| {
        format!(r#"{{"description":"d","list":[{values}],"name":"n","type":"{kind}","version":1}}"#)
    };
    let names = list("hostname", r#""good.example",".also.example","192.0.2.9","no name""#);
    let (set, report) = allowed("x.json", names.as_bytes());
    assert_eq!((report.format, set.len(), report.refused_total()), (Some("misp-warninglist"), 3, 1), "{report:?}");
    let all: Vec<_> = set.iter().collect();
    assert_eq!((all[0].matching, all[1].value, all[2].kind), (Match::Subtree, &b"also.example"[..], &IPV4));
    let (set, report) = allowed("x.json", list("cidr", r#""192.0.2.0/24","10.0.0.0/8","127.0.0.1/8","x""#).as_bytes());
    assert_eq!((set.len(), report.refusals[0].reason), (3, Refusal::BadAddress));
    let (set, _) =
        allowed("x.json", list("string", r#""exact.example","d41d8cd98f00b204e9800998ecf8427e""#).as_bytes());
    assert_eq!(
        set.iter().map(|one| (one.kind, one.matching)).collect::<Vec<_>>(),
        [(&DOMAIN, Match::Exact), (&FILE, Match::Exact)]
    );
    for (kind, reason) in [
        ("substring", "warning list of type substring"),
        ("regex", "warning list of type regex"),
        ("mauve", "warning list of a type that is not known"),
    ] {
        let (set, report) = allowed("x.json", list(kind, "\"a.example\"").as_bytes());
        assert_eq!((set.len(), report.refusals[0].reason), (0, Refusal::Unsupported(reason)));
    }
    let (set, report) = loaded_named("x.json", names.as_bytes());
    assert!(set.is_empty() && report.error.is_some_and(|e| e.contains("--allow")));
    let (set, report) = allowed("x.json", &names.as_bytes()[..60]);
    assert!(set.is_empty() && report.error.is_some());
}

/// What of an indicator MISP can say.
fn said(set: &IndicatorSet) -> Vec<String> {
    let mut all: Vec<String> = set
        .iter()
        .map(|one| {
            let context = context(set, &one);
            let about: Vec<_> = context.about.iter().map(|(path, text)| (path.0, text)).collect();
            format!(
                "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {about:?}",
                one.kind.name,
                one.value,
                one.matching,
                one.port,
                one.when.map(|w| w.port),
                one.window,
                one.id(),
                context.provider,
                context.marking.to_string(),
                context.confidence,
                context.description
            )
        })
        .collect();
    all.sort();
    all
}

fn any_entry() -> impl Strategy<Value = (usize, String, Option<u16>, u8, u8, u8, u32, String)> {
    (
        0..16_usize,
        "[a-z]{1,8}",
        proptest::option::of(1..u16::MAX),
        0..6_u8,
        0..5_u8,
        0..6_u8,
        prop_oneof![Just(0_u32), 1..u32::MAX],
        "[a-zA-Z0-9\"\\\\é,;<&]{1,12}",
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_misp_can_say_comes_back(entries in proptest::collection::vec(any_entry(), 0..12)) {
        let mut set = IndicatorSet::default();
        for (number, (chosen, word, at_port, tlp, pap, confidence, until, text)) in entries.iter().enumerate() {
            let tlps = [None, Some(Tlp::Clear), Some(Tlp::Green), Some(Tlp::Amber), Some(Tlp::AmberStrict), Some(Tlp::Red)];
            let paps = [None, Some(Pap::Clear), Some(Pap::Green), Some(Pap::Amber), Some(Pap::Red)];
            let words = [None, Some("High"), Some("Medium"), Some("Low"), Some("None"), Some("Not Specified")];
            let context = set.context(Context {
                provider: Some(format!("org {}", number % 3).into()),
                marking: Marking { tlp: tlps[usize::from(*tlp)], pap: paps[usize::from(*pap)], ..Marking::default() },
                confidence: words[usize::from(*confidence)].map(Into::into),
                description: Some(text.as_str().into()),
                about: Box::new([
                    (Where("threat.software.name"), word.as_str().into()),
                    (Where("threat.software.id"), "S1234".into()),
                    (Where("tags"), word.as_str().into()),
                ]),
                ..Context::default()
            });
            let name = format!("{word}.example");
            let hex = |digits: usize| format!("{number:x}").repeat(64)[..digits].to_owned();
            let (kind, value, port, matching): (&str, String, _, _) = match chosen {
                0 => ("domain-name", name, None, Match::Subtree),
                1 => ("domain-name", name, None, Match::Exact),
                2 => ("ipv4-addr", format!("192.0.2.{number}"), *at_port, Match::Exact),
                3 => ("ipv6-addr", format!("2001:db8::{number}/64"), None, Match::Exact),
                4 => ("url", format!("http://{name}/{number}?q=%20"), None, Match::Exact),
                5 => ("file", hex([32, 40, 64][number % 3]), None, Match::Exact),
                6 => ("user-agent", text.clone(), None, Match::Exact),
                7 => ("email-addr", format!("x@{name}"), None, Match::Exact),
                8 => ("domain-name", name, None, Match::Exact),
                9 => ("ja3", hex(32), None, Match::Exact),
                10 => ("hassh", hex(32), None, Match::Exact),
                11 => ("file-name", format!("{word}.exe"), None, Match::Exact),
                12 => ("email-subject", text.clone(), None, Match::Exact),
                13 => ("x509-certificate", hex([40, 64][number % 2]), None, Match::Exact),
                14 => ("x509-serial", format!("a{number:x}"), None, Match::Exact),
                _ => ("network-traffic", format!("{word}|;\"\0 bytes"), None, Match::Exact),
            };
            let id = uuid::Uuid::from_u128(number as u128 + 1).to_string();
            let until = if *until == 0 { Timestamp::MAX } else { Timestamp::from_parts(u64::from(*until), 0) };
            // A name in a flow that uses a port is a `hostname|port`.
            let when = Condition { port: *at_port, ..Condition::default() };
            let draft = Draft {
                id: Some(&id),
                port,
                matching: Some(matching),
                when: (*chosen == 8 && at_port.is_some()).then_some(&when),
                window: Window { from: Timestamp::ZERO, until },
                ..Draft::new(Kind::by_name(kind).expect("a kind"), value.as_bytes(), context, 1)
            };
            set.add(&draft, true).expect("a good entry");
        }
        let heading = Heading { info: "Export", organisation: "Picket", at: Timestamp::from_parts(1_700_000_000, 0) };
        let mut out = Vec::new();
        let written = write(&set, &heading, &mut out).expect("writes");
        prop_assert_eq!((written.written, written.left_out.len(), written.lost.len()), (set.len() as u64, 0, 0));
        let mut again = Vec::new();
        write(&set, &heading, &mut again).expect("writes");
        prop_assert_eq!(&out, &again);
        if !set.is_empty() {
            let (back, report) = loaded(&out);
            prop_assert_eq!((report.format, report.refused_total(), report.error), (Some("misp"), 0, None));
            prop_assert_eq!(said(&back), said(&set));
        }
    }
}

#[test]
fn what_misp_cannot_say_is_left_out_and_counted() {
    let text = "# picket: tlp=RED severity=5 reference=x provider=p\nevil.example\n# picket: classification=S//NF\na.example\n\
        # picket: match=prefix\nhttp://malware.test/gate/\n# picket: valid_from=2024-01-01T00:00:00Z\nb.example\n\
        # picket: transport=udp\n192.0.2.1\n# picket: type=ja4\nt13d1516h2_8daaf6152771_e5627efa2ab1\n";
    let (set, _) = loaded(text.as_bytes());
    let heading = Heading { info: "Export", organisation: "Picket", at: Timestamp::from_parts(1_700_000_000, 0) };
    let mut out = Vec::new();
    let written = write(&set, &heading, &mut out).expect("writes");
    assert_eq!(written.written, 1);
    let left_out: Vec<_> = written.left_out.into_iter().collect();
    assert_eq!(
        left_out,
        [
            ("classification or further markings", 1),
            ("kind", 1),
            ("port or transport", 1),
            ("prefix of a URL", 1),
            ("validity", 1)
        ]
    );
    assert_eq!(written.lost.into_iter().collect::<Vec<_>>(), [("reference", 1), ("severity", 1)]);
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("\"tlp:red\"") && !text.contains("a.example"));
}
