//! `picket sightings` from outside: nothing without consent, and nothing of the customer or of values in what goes back.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use common::{documents, finish, picket, stderr, text_at};
use serde_json::{Value, json};

const STIX_ID: &str = "indicator--6a2e9c1e-3f4b-4c5d-8e6f-0123456789ab";

fn clearance(folder: &Path, sink: &str) -> String {
    let path = folder.join("clearance.toml");
    fs::write(&path, format!("[sensor]\nlevel = \"TS\"\nfloor = \"TLP:CLEAR\"\n[sink.acme]\n{sink}\n"))
        .expect("written");
    path.to_str().expect("plain path").to_owned()
}

/// Alerts of a STIX indicator, of one with a name of its feed's own, and of one without any.
fn alerts(folder: &Path) -> String {
    let feed = folder.join("feed.jsonl");
    let lines: String = [("evil.example", Some(STIX_ID)), ("c2.invalid", Some("name-c2")), ("malware.test", None)]
        .iter()
        .map(|(name, id)| {
            let mut indicator = json!({"type": "domain-name", "name": name, "provider": "p"});
            if let Some(id) = id {
                indicator["id"] = json!([id]);
            }
            format!("{}\n", json!({"threat": {"indicator": indicator}}))
        })
        .collect();
    fs::write(&feed, lines).expect("written");
    let out = folder.join("alerts.jsonl");
    let mut command = picket();
    command.args(["replay", "-q", "--feed"]).arg(&feed).arg("--alerts").arg(&out);
    let names = [
        "dns-query-a",
        "dns-cname",
        "dns-tcp",
        "dns-odd-port",
        "dns-mdns",
        "dns-match-and-validity",
        "http-url",
        "http-pipelined",
        "dns-referral",
    ];
    let output = finish(command.args(names.iter().map(|name| format!("fixtures/pcaps/{name}.pcap"))));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    out.to_str().expect("plain path").to_owned()
}

fn sightings(folder: &Path, alerts: &str, args: &[&str]) -> (Output, Option<Value>) {
    let out = folder.join("sightings.json");
    let _ = fs::remove_file(&out);
    let output = finish(picket().args(["sightings", "--from", alerts]).args(args).arg("--out").arg(&out));
    let bundle = fs::read_to_string(&out).ok().map(|text| serde_json::from_str(&text).expect("JSON"));
    (output, bundle)
}

#[test]
fn nothing_is_shared_without_consent() {
    let folder = tempfile::tempdir().expect("folder");
    let alerts = alerts(folder.path());
    let (output, bundle) = sightings(folder.path(), &alerts, &[]);
    assert_eq!((output.status.code(), bundle), (Some(1), None));
    assert!(stderr(&output).contains("--clearance"), "{}", stderr(&output));
    for (section, what) in [
        ("tlp = \"AMBER\"", "consents = true"),
        ("consents = false\n[sink.acme.record]\nsector = \"energy\"", "consents = true"),
        ("consents = true", "sector"),
    ] {
        let clearance = clearance(folder.path(), section);
        let (output, bundle) =
            sightings(folder.path(), &alerts, &["--clearance", &clearance, "--sink-clearance", "acme"]);
        assert_eq!((output.status.code(), bundle), (Some(1), None), "{section}");
        assert!(stderr(&output).contains(what) && stderr(&output).contains("acme"), "{section}: {}", stderr(&output));
    }
    let clearance = clearance(folder.path(), "consents = true\n[sink.acme.record]\nsector = \"energy\"");
    let (output, bundle) = sightings(folder.path(), &alerts, &["--clearance", &clearance, "--sink-clearance", "else"]);
    assert_eq!((output.status.code(), bundle), (Some(1), None), "another customer's consent is none");
}

#[test]
fn counts_of_five_and_more_go_back_and_nothing_else() {
    let folder = tempfile::tempdir().expect("folder");
    let alerts = alerts(folder.path());
    let clearance =
        clearance(folder.path(), "consents = true\n[sink.acme.record]\nsector = \"energy\"\ncustomer = \"ACME-CO\"");
    let args = ["--clearance", &clearance, "--sink-clearance", "acme"];
    let (output, bundle) = sightings(folder.path(), &alerts, &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let bundle = bundle.expect("written");
    let text = fs::read_to_string(&alerts).expect("alerts");
    let lines = documents(&text);
    let count = |id: &str| lines.iter().filter(|a| text_at(&a["threat"]["enrichments"][0], "matched.id") == id).count();
    let (stix, named) = (count(STIX_ID), count("name-c2"));
    assert!(stix >= 5 && (1..5).contains(&named), "{stix} and {named}: the fixtures have changed");
    let objects = bundle["objects"].as_array().expect("objects");
    let of = |kind: &str| objects.iter().filter(|o| o["type"] == kind).collect::<Vec<_>>();
    let (identities, told) = (of("identity"), of("sighting"));
    assert_eq!((identities.len(), told.len(), objects.len()), (1, 1, 2), "{bundle}");
    assert_eq!((told[0]["sighting_of_ref"].as_str(), told[0]["count"].as_u64()), (Some(STIX_ID), Some(stix as u64)));
    assert_eq!(told[0]["where_sighted_refs"], json!([identities[0]["id"]]));
    assert!(told[0]["first_seen"].as_str() <= told[0]["last_seen"].as_str());
    let fields: BTreeSet<&str> = told[0].as_object().expect("object").keys().map(String::as_str).collect();
    assert!(!fields.iter().any(|field| field.starts_with("observed") || field.contains("summary")), "{fields:?}");
    let shared = bundle.to_string();
    for secret in [
        "evil.example",
        "c2.invalid",
        "malware.test",
        "name-c2",
        "domain-name--",
        "192.0.2.",
        "203.0.113.",
        "ACME-CO",
        "acme",
        "pcap",
    ] {
        assert!(!shared.contains(secret), "{secret}");
    }
    assert!(stderr(&output).contains(&format!("suppressed: 1 indicators, {named} alerts")), "{}", stderr(&output));
    assert_eq!(sightings(folder.path(), &alerts, &args).1, Some(bundle), "equal input, equal ids");
}
