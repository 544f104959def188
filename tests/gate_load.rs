//! The first gate: what a sensor may not hold never gets in. Entries at every marking, by every format; each value is
//! searched for in everything that the program has and says afterwards.
//!
//! Seen to fail: with `Intake::may_hold` answering yes, and with the values held (`without_a_clearance_all_of_it_is_there`).

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use common::{finish, picket, root, stderr, stdout};
use picket::cli::lookup::{Form, look_up};
use picket::feed::{self, LoadReport, Options};
use picket::indicator::IndicatorSet;
use picket::marking::Clearances;
use picket::matcher::MatchSet;
use picket::time::Timestamp;

/// Held: an unclassified sensor of Great Britain, below which nothing is.
const CLEARANCE: &str = "[sensor]\nlevel = \"CUI\"\nnationalities = [\"GBR\"]\nfloor = \"TLP:GREEN\"\n\
                         acs_actions = [\"NETDEF\"]\ncaveats = [\"PCII\"]\n\
                         [sink.alerts]\nlevel = \"CUI\"\nnationalities = [\"GBR\"]\ntlp = \"RED\"\npeople = [\"A\"]\n";

const ACS: &str = r#"{"extension_type":"property-extension","identifier":"isa:guide.1","create_date_time":"2024-01-01T00:00:00Z","responsible_entity_custodian":"USA.NSA","policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=PRIVILEGE&sharedefault=deny","control_set":{"classification":"U","sensitivity":["SENSITIVITY"]}}"#;

/// Values that the sensor may not hold, each with its marking in the native format and the reason of the refusal.
fn forbidden() -> Vec<(String, String, &'static str)> {
    let acs = |privilege: &str, sensitivity: &str| {
        format!(r#""acs":{}"#, ACS.replace("PRIVILEGE", privilege).replace("SENSITIVITY", sensitivity))
    };
    [
        (r#""classification":"S//REL TO USA, GBR""#.to_string(), "above_level"),
        (r#""classification":"CUI//NF""#.to_string(), "not_releasable"),
        (r#""classification":"CUI//REL TO USA, AUS""#.to_string(), "not_releasable"),
        (r#""classification":"CUI//SP-CTI""#.to_string(), "control_not_held"),
        (r#""classification":"GEHEIM""#.to_string(), "unreadable_marking"),
        (acs("deny", "PCII"), "acs_deny"),
        (acs("permit", "NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"), "caveat_not_held"),
        (r#""acs":{"identifier":"x"}"#.to_string(), "undefined_marking"),
        (r#""cui":{}"#.to_string(), "undefined_marking"),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, (marking, reason))| (format!("secret{at}.example"), marking, reason))
    .collect()
}

struct Scene {
    folder: tempfile::TempDir,
    feeds: PathBuf,
    clearance: PathBuf,
}

/// A feed in each format: what may be held, and everything that may not, its value in other fields too.
fn scene() -> Scene {
    let folder = tempfile::tempdir().expect("folder");
    let feeds = folder.path().join("feeds");
    fs::create_dir(&feeds).expect("folder");
    let native: String = forbidden()
        .iter()
        .map(|(value, marking, _)| {
            format!(
                r#"{{"threat":{{"indicator":{{"type":"domain-name","name":"{value}","provider":"of {value}","reference":"https://{value}/","description":"about {value}"}}}},"picket":{{{marking}}}}}"#
            ) + "\n"
        })
        .collect();
    let held =
        r#"{"threat":{"indicator":{"type":"domain-name","name":"held.example"}},"picket":{"classification":"CUI"}}"#;
    fs::write(feeds.join("a.jsonl"), format!("{native}{held}\n")).expect("written");
    let plain = "unmarked.example\n# picket: classification=\"S//NF\" description=\"on secret-plain.example\"\n\
                 secret-plain.example\n192.0.2.66\n# picket: tlp=RED\nred.example\n";
    fs::write(feeds.join("b.txt"), plain).expect("written");
    let clearance = folder.path().join("clearance.toml");
    fs::write(&clearance, CLEARANCE).expect("written");
    Scene { folder, feeds, clearance }
}

fn load(scene: &Scene, cleared: bool) -> (IndicatorSet, LoadReport) {
    let clearance = cleared.then(|| Clearances::read(&scene.clearance).expect("reads").sensor);
    let mut set = IndicatorSet::default();
    let options = Options { clearance, ..Options::default() };
    let report = feed::load(std::slice::from_ref(&scene.feeds), &options, &mut set).expect("loads");
    (set, report)
}

/// Everything readable that a loaded set and its report hold.
fn everything(set: &IndicatorSet, report: &LoadReport) -> String {
    let mut all = format!("{report:?}{}", serde_json::to_string(report).expect("serialises"));
    for one in set.iter() {
        all.push_str(&format!("{one:?} {} {}\n", one.id(), (one.kind.display)(one.value)));
        for (context, _) in set.sources(one.ix) {
            let texts = [context.provider, context.reference, context.description];
            all.push_str(&format!("{texts:?} {context:?} {}\n", context.marking));
        }
    }
    all
}

#[test]
fn what_may_not_be_held_is_refused_by_its_reason_and_nowhere_afterwards() {
    let scene = scene();
    let (set, report) = load(&scene, true);
    let held: Vec<String> = set.iter().map(|one| (one.kind.display)(one.value).into_owned()).collect();
    assert_eq!(held, ["held.example", "unmarked.example", "red.example"], "TLP:RED is held, only not shown");
    let refused: Vec<&str> = report.files[0].refusals.iter().map(|refusal| refusal.reason.code()).collect();
    assert_eq!(refused, forbidden().iter().map(|(_, _, reason)| *reason).collect::<Vec<_>>());
    let refused: Vec<&str> = report.files[1].refusals.iter().map(|refusal| refusal.reason.code()).collect();
    assert_eq!(refused, ["above_level", "above_level"]);
    let all = everything(&set, &report);
    assert!(!all.contains("secret") && !all.contains("192.0.2.66"), "{all}");
    let bytes = set.memory_bytes();

    let matching = Arc::new(MatchSet::compile(set, IndicatorSet::default()));
    let asked: Vec<String> = forbidden().into_iter().map(|(value, ..)| value).chain(["192.0.2.66".into()]).collect();
    let mut out = Vec::new();
    assert!(!look_up(&matching, &asked, Timestamp::ZERO, Form::JsonLines, &mut out).expect("written"));
    let (without, _) = load(&scene, false);
    assert!(bytes < without.memory_bytes());
}

#[test]
fn without_a_clearance_all_of_it_is_there() {
    let scene = scene();
    let (set, report) = load(&scene, false);
    assert_eq!((set.len(), report.totals.refused), (forbidden().len() + 5, 0));
    let all = everything(&set, &report);
    for (value, ..) in forbidden() {
        assert!(all.contains(&format!("about {value}")), "the search would find {value}");
    }
    assert!(all.contains("192.0.2.66") && all.contains("secret-plain.example"));
}

#[test]
fn an_allow_list_passes_the_gate_too() {
    let scene = scene();
    let sensor = Clearances::read(&scene.clearance).expect("reads").sensor;
    let mut set = IndicatorSet::default();
    let options = Options { force: true, clearance: Some(sensor) };
    feed::load(std::slice::from_ref(&scene.feeds), &options, &mut set).expect("loads");
    assert_eq!(set.len(), 3);
}

#[test]
fn no_command_says_what_it_may_not_hold() {
    let scene = scene();
    let (feeds, clearance) = (scene.feeds.to_str().expect("plain"), scene.clearance.to_str().expect("plain"));
    let alerts = scene.folder.path().join("alerts.jsonl");
    let summary = scene.folder.path().join("summary.json");
    let (alerts_path, summary_path) = (alerts.to_str().expect("plain"), summary.to_str().expect("plain"));
    let pcap = "fixtures/pcaps/dns-query-a.pcap";
    let replay =
        ["replay", "--feed", feeds, "--allow", feeds, "--alerts", alerts_path, "--summary", summary_path, pcap];
    for args in [
        &["feed", "check", "--format", "table", feeds][..],
        &["feed", "check", "--format", "json", feeds],
        &["feed", "stats", "--format", "table", feeds],
        &["feed", "stats", "--format", "json", feeds],
        &["lookup", "--feed", feeds, "held.example"],
        &["explain", "--feed", feeds, "--frame", "1", pcap],
        &replay,
    ] {
        let output = finish(picket().args(args).args(["--clearance", clearance]).env("PICKET_LOG", "trace"));
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        let said = stdout(&output) + &stderr(&output);
        assert!(!said.contains("secret") && !said.contains("192.0.2.66"), "{args:?}: {said}");
    }
    for file in [&alerts, &summary] {
        let text = fs::read_to_string(file).expect("written");
        assert!(!text.contains("secret"), "{text}");
    }
    let check = finish(picket().args(["feed", "check", "--format", "json", feeds, "--clearance", clearance]));
    assert!(stdout(&check).contains(r#""above_level":1"#), "{}", stdout(&check));
    let missing = finish(picket().args(["feed", "check", feeds, "--clearance", "no/such.toml"]));
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("no/such.toml"));
}

#[test]
fn a_marking_is_explained() {
    let explain = |args: &[&str]| {
        let output = finish(picket().args(["marking", "explain"]).args(args));
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let answers = |text: &str| -> Vec<(String, String, bool, String)> {
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let word = |line: &serde_json::Value, name: &str| line[name].as_str().expect("a text").to_string();
        lines
            .map(|l| (word(&l, "who"), word(&l, "may"), l["allowed"].as_bool().expect("a bool"), word(&l, "rule")))
            .collect()
    };
    let clearance = root().join("fixtures/clearance.toml");
    let file = clearance.to_str().expect("plain");
    let (code, out, _) = explain(&["S//REL TO USA, GBR", "--clearance", file]);
    assert_eq!(code, Some(0));
    let all = answers(&out);
    let has = |who: &str, may: &str, allowed: bool, rule: &str| {
        let wanted = (who.to_string(), may.to_string(), allowed, rule.to_string());
        assert!(all.contains(&wanted), "{wanted:?} is not in {all:?}");
    };
    has("sensor", "hold", true, "met");
    has("sensor", "act: active", false, "action_not_cleared");
    has("sink console", "see", true, "met");
    has("sink console", "act: active", false, "beyond_pap");
    has("sink customer", "see", false, "above_level");
    has("any other sink", "see", false, "above_level");
    assert_eq!(all.len(), 4 * 7);

    let (_, out, _) = explain(&["TLP:AMBER+STRICT PAP:GREEN", "--clearance", file]);
    assert!(answers(&out).contains(&("sink customer".into(), "see".into(), false, "outside_tlp_audience".into())));
    let (_, out, _) = explain(&["(S//NF)"]);
    assert!(answers(&out).iter().all(|(_, _, allowed, _)| *allowed), "without a file: {out}");
    let (_, out, _) = explain(&["(S//NF)", "--clearance", file, "--format", "table"]);
    assert!(out.contains("SECRET//NOFORN") && out.contains("portion: (S//NF)"), "{out}");

    let scratch = tempfile::tempdir().expect("folder");
    let definition = scratch.path().join("definition.json");
    let write = |text: &str| fs::write(&definition, text).expect("written");
    let at = format!("@{}", definition.display());
    write(&format!(
        r#"{{"type":"marking-definition","id":"marking-definition--1","extensions":{{"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce":{}}}}}"#,
        ACS.replace("PRIVILEGE", "permit").replace("SENSITIVITY", "NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA")
    ));
    let (_, out, err) = explain(&[&at, "--clearance", file]);
    assert!(answers(&out).contains(&("sink console".into(), "see".into(), true, "met".into())), "{out}{err}");
    assert!(answers(&out).contains(&("sink customer".into(), "see".into(), false, "caveat_not_held".into())), "{out}");
    write(
        r#"{"type":"marking-definition","id":"marking-definition--1","extensions":{"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce":{"colour":1}}}"#,
    );
    let (code, out, err) = explain(&[&at, "--clearance", file]);
    assert!(answers(&out).contains(&("sink console".into(), "see".into(), false, "undefined_marking".into())), "{out}");
    assert!(code == Some(0) && err.contains("colour"), "{err}");
    for bad in ["{", r#"{"type":"indicator"}"#, r#"{"objects":[]}"#] {
        write(bad);
        let (code, _, err) = explain(&[&at]);
        assert!(code == Some(1) && err.contains("definition.json"), "{bad}: {err}");
    }
    let (code, _, err) = explain(&["//JOINT S//REL TO USA, GBR"]);
    assert!(code == Some(1) && err.contains("JOINT"), "{err}");
}
