use serde_json::{Value, json};

use crate::feed::FileReport;
use crate::feed::tests::loaded;
use crate::indicator::{ContextRef, IndicatorIx, IndicatorSet, Refusal};
use crate::marking::{Marking, Pap, Tlp};

const ID: &str = "indicator--00000000-0000-4000-8000-000000000001";
const CREATOR: &str = "identity--00000000-0000-4000-8000-000000000002";

/// An indicator of an address, with `more` over it.
fn indicator(more: Value) -> Value {
    let mut object = json!({
        "type": "indicator", "spec_version": "2.1", "id": ID, "created": "2024-01-01T00:00:00.000Z",
        "modified": "2024-01-01T00:00:00.000Z", "pattern": "[ipv4-addr:value = '192.0.2.1']", "pattern_type": "stix",
        "valid_from": "2024-01-01T00:00:00Z",
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        object[field] = value.clone();
    }
    object
}

fn named(kind: &str, number: u32, name: &str) -> Value {
    let id = format!("{kind}--00000000-0000-4000-8000-{number:012}");
    json!({"type": kind, "spec_version": "2.1", "id": id, "name": name})
}

fn indicates(target: &Value) -> Value {
    json!({
        "type": "relationship", "id": format!("relationship--{}", target["id"]), "relationship_type": "indicates",
        "source_ref": ID, "target_ref": target["id"],
    })
}

fn read(objects: &[Value]) -> (IndicatorSet, FileReport) {
    let bundle = json!({"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000009", "objects": objects});
    let (set, report) = loaded(bundle.to_string().as_bytes());
    assert_eq!((report.format, report.unit), (Some("stix"), "object"));
    (set, report)
}

fn context(set: &IndicatorSet) -> ContextRef<'_> {
    set.sources(IndicatorIx(0)).next().expect("a source").0
}

fn about(set: &IndicatorSet) -> Vec<String> {
    context(set).about.iter().map(|(path, text)| format!("{}={text}", path.0)).collect()
}

fn marking(objects: &[Value]) -> Marking {
    let (set, report) = read(objects);
    assert_eq!(set.len(), 1, "{:?}", report.refusals);
    context(&set).marking.clone()
}

fn refused(objects: &[Value]) -> Vec<Refusal> {
    let (set, report) = read(objects);
    assert_eq!(set.len(), 0);
    report.refusals.iter().map(|refused| refused.reason).collect()
}

#[test]
fn a_rule_of_suricata_is_one_rule() {
    let rule = r#"[alert dns any any -> any any (msg:"a"; dns.query; content:"evil.example"; nocase; sid:1;)]"#;
    let (set, report) = read(&[indicator(json!({"pattern_type": "suricata", "pattern": rule}))]);
    assert_eq!(set.len(), 1, "{:?}", report.refusals);
    assert!(set.iter().all(|one| one.rule.is_some() && &*one.id() == ID));
    assert!(about(&set).contains(&"rule.name=a".to_owned()), "{:?}", about(&set));
}

#[test]
fn every_field_arrives() {
    let (set, report) = read(&[
        indicator(json!({
            "valid_until": "2025-01-01T00:00:00Z", "name": "a name", "description": "d", "confidence": 85,
            "created_by_ref": CREATOR, "indicator_types": ["malicious-activity"], "labels": ["a tag"],
            "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "command-and-control"},
                                  {"kill_chain_name": "lockheed", "phase_name": "delivery"}],
            "external_references": [{"source_name": "x"}, {"source_name": "y", "url": "https://r.example/1"}],
        })),
        json!({"type": "identity", "id": CREATOR, "name": "a provider"}),
        json!({"type": "sighting", "id": "sighting--1", "sighting_of_ref": ID}),
        json!({"type": "x-custom", "id": "x-custom--1"}),
    ]);
    assert_eq!((report.loaded, report.refused_total()), (1, 0), "{:?}", report.refusals);
    let one = set.get(IndicatorIx(0));
    assert_eq!((&*one.id(), one.kind.name, one.value), (ID, "ipv4-addr", &[192, 0, 2, 1][..]));
    assert_eq!((one.window.from.secs(), one.window.until.secs()), (1_704_067_200, 1_735_689_600));
    let context = context(&set);
    assert_eq!((context.provider, context.confidence), (Some("a provider"), Some("High")));
    assert_eq!((context.description, context.reference), (Some("d"), Some("https://r.example/1")));
    assert_eq!(context.first_seen, Some("2024-01-01T00:00:00.000Z"));
    assert_eq!(
        about(&set),
        ["rule.name=a name", "threat.tactic.name=command-and-control", "tags=lockheed:delivery", "tags=a tag"]
    );
    let passed: Vec<_> = report.passed_over.iter().map(|(what, count)| (*what, *count)).collect();
    assert_eq!(passed, [("another object", 1), ("sighting", 1)]);
}

#[test]
fn names_of_what_it_indicates() {
    let mut technique = named("attack-pattern", 3, "Web Protocols");
    technique["external_references"] =
        json!([{"source_name": "capec"}, {"source_name": "mitre-attack", "external_id": "T1071.001"}]);
    let targets = [
        named("malware", 1, "EvilRAT"),
        named("intrusion-set", 2, "APT 0"),
        technique,
        named("campaign", 4, "Winter"),
        named("tool", 5, "netcat"),
    ];
    let mut gone = indicates(&named("malware", 6, "Gone"));
    gone["revoked"] = true.into();
    let related = json!({"type": "relationship", "id": "relationship--x", "relationship_type": "related-to", "source_ref": ID, "target_ref": "malware--1"});
    let mut objects = vec![indicator(json!({})), gone, named("malware", 6, "Gone"), related];
    objects.extend(targets.iter().map(indicates));
    objects.extend(targets.iter().cloned());
    let (set, report) = read(&objects);
    assert_eq!(
        about(&set),
        [
            "threat.software.name=EvilRAT",
            "threat.group.name=APT 0",
            "threat.technique.id=T1071.001",
            "threat.technique.name=Web Protocols",
            "tags=campaign:Winter",
            "threat.software.name=netcat"
        ]
    );
    assert_eq!(report.passed_over.get("relationship"), Some(&1));
}

#[test]
fn the_newest_version_counts() {
    let version = |day: u32, value: &str, revoked: bool| {
        indicator(
            json!({"modified": format!("2024-01-{day:02}T00:00:00.000Z"), "pattern": format!("[ipv4-addr:value = '{value}']"), "revoked": revoked}),
        )
    };
    for objects in [
        [version(1, "192.0.2.1", false), version(3, "192.0.2.3", false), version(2, "192.0.2.2", true)],
        [version(2, "192.0.2.2", true), version(1, "192.0.2.1", false), version(3, "192.0.2.3", false)],
    ] {
        let (set, report) = read(&objects);
        assert_eq!((set.len(), report.passed_over.get("another version")), (1, Some(&2)));
        assert_eq!(set.get(IndicatorIx(0)).value, [192, 0, 2, 3]);
    }
    assert_eq!(refused(&[version(1, "192.0.2.1", false), version(2, "192.0.2.1", true)]), [Refusal::Withdrawn]);
    assert_eq!(refused(&[version(1, "192.0.2.1", false), version(1, "192.0.2.1", true)]), [Refusal::Withdrawn]);
}

#[test]
fn markings_of_object_pattern_and_labels_are_combined() {
    let statement = json!({
        "type": "marking-definition", "id": "marking-definition--00000000-0000-4000-8000-00000000000a",
        "definition_type": "statement", "definition": {"statement": "(c) X"}
    });
    let green = Tlp::Green.stix_id();
    let granular = |selector: &str| json!([{"selectors": [selector], "marking_ref": Tlp::Red.stix_id()}]);
    let tlp = |more: Value| marking(&[indicator(more), statement.clone()]).tlp;
    assert_eq!(tlp(json!({})), None);
    assert_eq!(tlp(json!({"object_marking_refs": [green]})), Some(Tlp::Green));
    assert_eq!(tlp(json!({"object_marking_refs": [green, Tlp::Amber.stix_1_id()]})), Some(Tlp::Amber));
    assert_eq!(tlp(json!({"object_marking_refs": [green], "granular_markings": granular("pattern")})), Some(Tlp::Red));
    assert_eq!(
        tlp(json!({"object_marking_refs": [green], "granular_markings": granular("valid_from")})),
        Some(Tlp::Green)
    );
    assert_eq!(tlp(json!({"object_marking_refs": [green], "labels": ["tlp:amber"]})), Some(Tlp::Amber));
    let tags = marking(&[indicator(json!({"labels": ["tlp:amber", "PAP:RED", "x"]}))]);
    assert_eq!((tags.tlp, tags.pap), (Some(Tlp::Amber), Some(Pap::Red)));
    let all = marking(&[indicator(json!({"object_marking_refs": [statement["id"], Pap::Green.stix_id()]})), statement]);
    assert_eq!(all.to_string(), r#"PAP:GREEN STATEMENT:"(c) X""#);
}

#[test]
fn a_marking_that_nothing_defines_is_the_strictest_and_said() {
    let (set, report) = read(&[indicator(
        json!({"object_marking_refs": ["marking-definition--00000000-0000-4000-8000-00000000000f"]}),
    )]);
    assert_eq!((context(&set).marking.undefined_refs().len(), report.unreadable_markings), (1, 1));
    let bad = json!({"type": "marking-definition", "id": "marking-definition--b", "definition_type": "tlp", "definition": {"tlp": "mauve"}});
    let (set, _) = read(&[bad, indicator(json!({"object_marking_refs": ["marking-definition--b"]}))]);
    assert_eq!(context(&set).marking.undefined_refs().len(), 1);
}

#[test]
fn what_is_marked_more_strictly_than_the_value_is_left_out() {
    let green = json!([Tlp::Green.stix_id()]);
    let red = |selectors: &[&str]| json!([{"selectors": selectors, "marking_ref": Tlp::Red.stix_id()}]);
    let (mut actor, mut tool) = (named("threat-actor", 1, "Secret Bear"), named("tool", 2, "netcat"));
    actor["object_marking_refs"] = json!([Tlp::Red.stix_id()]);
    tool["object_marking_refs"] = green.clone();
    let (actor_link, tool_link) = (indicates(&actor), indicates(&tool));
    let full = json!({"object_marking_refs": green, "name": "n", "description": "d", "granular_markings": red(&["description", "name"])});
    let (set, report) =
        read(&[indicator(full.clone()), actor.clone(), actor_link.clone(), tool.clone(), tool_link.clone()]);
    assert_eq!((context(&set).marking.tlp, context(&set).description), (Some(Tlp::Green), None));
    assert_eq!(about(&set), ["threat.software.name=netcat"]);
    assert_eq!(report.passed_over.get("texts marked more strictly than their indicator"), Some(&1));
    let mut strict = full;
    strict["object_marking_refs"] = json!([Tlp::Red.stix_id()]);
    let (set, _) = read(&[indicator(strict), actor, actor_link, tool, tool_link]);
    assert_eq!(about(&set), ["rule.name=n", "threat.group.name=Secret Bear", "threat.software.name=netcat"]);
}

#[test]
fn alternatives_share_their_id() {
    let (set, report) = read(&[indicator(
        json!({"pattern": "[domain-name:value IN ('a.example.org', 'b.example.org', 'com')] OR [ipv6-addr:value = '2001:db8::1']"}),
    )]);
    assert_eq!(
        (set.len(), report.refused.get(&Refusal::PublicSuffix)),
        (3, Some(&1)),
        "a dangerous value is one of its own"
    );
    assert!(set.iter().all(|one| &*one.id() == ID));
}

#[test]
fn refusals_say_why() {
    let reasons = |more: Value| refused(&[indicator(more)]);
    assert_eq!(reasons(json!({"indicator_types": ["benign"]})), [Refusal::Withdrawn]);
    let pcre = r#"alert dns any any -> any any (dns.query; pcre:"/x/"; sid:1;)"#;
    assert!(matches!(reasons(json!({"pattern_type": "suricata", "pattern": pcre}))[..], [Refusal::Unsupported(_)]));
    assert_eq!(reasons(json!({"pattern_type": "yara"})), [Refusal::Unsupported("pattern_type yara")]);
    assert_eq!(reasons(json!({"pattern_type": "evil"})), [Refusal::Unsupported("another pattern_type")]);
    assert_eq!(reasons(json!({"pattern": "[ipv4-addr:value"})), [Refusal::BadExpression]);
    assert_eq!(reasons(json!({"pattern": "[process:name = 'x']"})), [Refusal::Unsupported("process")]);
    assert_eq!(reasons(json!({"valid_from": "yesterday"})), [Refusal::BadField]);
    assert_eq!(reasons(json!({"valid_until": "2023-01-01T00:00:00Z"})), [Refusal::BadField]);
    assert_eq!(reasons(json!({"confidence": 101})), [Refusal::BadField]);
    assert_eq!(reasons(json!({"confidence": "high"})), [Refusal::Malformed]);
    assert_eq!(reasons(json!({"modified": "x"})), [Refusal::BadField]);
    assert_eq!(reasons(json!({"id": null})), [Refusal::Malformed]);
    assert_eq!(reasons(json!({"granular_markings": [{"selectors": "pattern"}]})), [Refusal::Malformed]);
    assert_eq!(reasons(json!({"id": format!("indicator--{}", "x".repeat(300))})), [Refusal::BadField]);
}

#[test]
fn a_rule_of_suricata_is_that_reader_s() {
    let rule = r#"alert tcp any any -> any 4444 (msg:"rat"; content:"STIX-RAT"; sid:7;)"#;
    for pattern in [rule.to_owned(), format!("[{rule}]")] {
        let more = json!({"pattern_type": "suricata", "pattern": pattern, "valid_until": "2025-01-01T00:00:00Z", "object_marking_refs": [Tlp::Red.stix_id()]});
        let (set, report) = read(&[indicator(more)]);
        assert_eq!(set.len(), 1, "{:?}", report.refusals);
        let one = set.get(IndicatorIx(0));
        assert_eq!((&*one.id(), one.kind.name, one.window.until.secs()), (ID, "rule", 1_735_689_600));
        assert_eq!(context(&set).marking.tlp, Some(Tlp::Red));
    }
    let bad = indicator(
        json!({"pattern_type": "suricata", "pattern": "alert tcp any any -> any any (pcre:\"/x/\"; sid:8;)"}),
    );
    assert!(matches!(refused(&[bad])[..], [Refusal::Unsupported(_)]));
}

/// STIX 2.0 has no pattern_type, and the types among the labels.
#[test]
fn stix_2_0_is_read() {
    let old = |labels: Value| {
        json!({
            "type": "indicator", "id": ID, "created": "2024-01-01T00:00:00.000Z", "labels": labels,
            "modified": "2024-01-01T00:00:00.000Z", "pattern": "[file:hashes.'MD5' = '0123456789abcdef0123456789abcdef']",
            "valid_from": "2024-01-01T00:00:00Z",
        })
    };
    assert_eq!(read(&[old(json!(["malicious-activity"]))]).0.len(), 1);
    assert_eq!(refused(&[old(json!(["benign"]))]), [Refusal::Withdrawn]);
}

#[test]
fn duplicate_keys_refuse_their_object() {
    let twice = indicator(json!({})).to_string().replacen('{', "{\"pattern\":\"[ipv4-addr:value = '192.0.2.2']\",", 1);
    let text = format!("{{\"type\":\"bundle\",\"objects\":[{twice},{}]}}", indicator(json!({"id": format!("{ID}a")})));
    let (set, report) = loaded(text.as_bytes());
    assert_eq!((set.len(), report.refused.get(&Refusal::Malformed)), (1, Some(&1)));
}

#[test]
fn huge_and_bad_texts_are_bounded() {
    let huge = indicator(json!({"description": "x".repeat(5 << 20), "id": format!("{ID}a")}));
    let long = indicator(json!({"description": "x".repeat(1 << 20)}));
    let (set, report) = read(&[huge, long]);
    assert_eq!((set.len(), report.refused.get(&Refusal::TooLong)), (1, Some(&1)));
    assert_eq!(context(&set).description.as_ref().map(|text| text.len()), Some(1024));
    let mut bytes = indicator(json!({"description": "@@@"})).to_string().into_bytes();
    let at = bytes.windows(3).position(|w| w == b"@@@").expect("there");
    bytes[at] = 0xff;
    let (set, report) = loaded(&bytes);
    assert_eq!((set.len(), report.refused.get(&Refusal::Malformed)), (0, Some(&1)));
    let deep = format!("{{\"type\":\"indicator\",\"id\":\"{ID}\",\"x\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let (set, report) = loaded(deep.as_bytes());
    assert_eq!((set.len(), report.refused.get(&Refusal::Malformed)), (0, Some(&1)));
}

/// Cut anywhere, what came whole before the cut is there, and that it was cut is said.
#[test]
fn a_text_that_breaks_off_keeps_what_came_before() {
    let objects: Vec<Value> = (0..20)
        .map(|n| indicator(json!({"id": format!("indicator--00000000-0000-4000-8000-{n:012}"), "pattern": format!("[ipv4-addr:value = '192.0.2.{n}']")})))
        .collect();
    let text =
        json!({"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000009", "objects": objects}).to_string();
    let ends: Vec<usize> = text.match_indices("\"}").map(|(at, _)| at + 2).collect();
    let mut cuts = 0;
    for at in (0..text.len()).step_by(text.len() / 220) {
        let (set, report) = crate::feed::tests::loaded(&text.as_bytes()[..at]);
        if report.format == Some("stix") {
            assert_eq!(set.len(), ends.iter().filter(|end| **end <= at).count().min(20), "{at}");
            assert_eq!(
                report.error.as_deref(),
                Some("the text breaks off inside of an object or bundle; what came before was loaded")
            );
            cuts += 1;
        }
    }
    assert!(cuts >= 200, "{cuts}");
}

#[test]
fn told_by_content() {
    let (stix, _) = (indicator(json!({})).to_string(), ());
    let format = |text: &str| loaded(text.as_bytes()).1.format;
    for text in [
        stix.clone(),
        format!("{stix}\n{stix}\n"),
        format!("[{stix}]"),
        format!("{{\"more\": false, \"objects\": [{stix}]}}"),
        "{\"type\": \"bundle\", \"id\": \"bundle--00000000-0000-4000-8000-000000000009\"}".into(),
    ] {
        assert_eq!(format(&text), Some("stix"), "{text}");
    }
    let native = format!(r#"{{"threat":{{"indicator":{{"type":"ipv4-addr","name":"192.0.2.1","id":"{ID}"}}}}}}"#);
    assert_eq!(format(&native), Some("native"));
    assert_eq!(format("evil--x.example\n"), Some("plain"));
    assert_eq!(format("{\"a\": \"some--thing\"}"), Some("native"));
}

#[test]
fn the_newest_version_of_all_files_of_a_load_counts() {
    let other = "indicator--00000000-0000-4000-8000-000000000007";
    let lone = |number: u32| json!({"id": format!("indicator--00000000-0000-4000-8000-0000000001{number:02}")});
    let at = |day: u32| format!("2024-02-{day:02}T00:00:00Z");
    let changed = |day: u32, value: &str| {
        indicator(
            json!({"id": other, "modified": at(day), "pattern": format!("[domain-name:value = '{value}.example']")}),
        )
    };
    let files: [(&str, Vec<Value>); 3] = [
        ("a.json", vec![indicator(json!({})), changed(1, "old"), indicator(lone(1))]),
        ("b.json", vec![indicator(json!({"modified": at(1), "revoked": true})), changed(3, "new")]),
        (
            "c.json",
            vec![changed(2, "older"), indicator(json!({"id": "indicator--00000000-0000-4000-8000-000000000008"}))],
        ),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    for (name, objects) in &files {
        let text: Vec<_> = objects.iter().map(Value::to_string).collect();
        std::fs::write(dir.path().join(name), text.join("\n")).expect("written");
    }
    let load = |names: &[&str]| {
        let mut set = IndicatorSet::default();
        let paths: Vec<_> = names.iter().map(|name| dir.path().join(name)).collect();
        let report = crate::feed::load(&paths, &crate::feed::Options::default(), &mut set).expect("loads");
        let mut values: Vec<_> = set.iter().map(|one| (one.kind.display)(one.value).into_owned()).collect();
        values.sort();
        (values, report)
    };
    assert_eq!(load(&["a.json"]).0, ["192.0.2.1", "192.0.2.1", "old.example"]);
    for names in [&["a.json", "b.json", "c.json"], &["c.json", "b.json", "a.json"]] {
        let (values, report) = load(names);
        assert_eq!(values, ["192.0.2.1", "192.0.2.1", "new.example"], "what b.json revokes of a.json does not match");
        let passed: u64 = report.files.iter().filter_map(|file| file.passed_over.get("another version")).sum();
        assert_eq!((passed, report.totals.refused), (3, 1), "{report:?}");
    }
}
