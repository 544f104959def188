//! The leak test: feeds at every marking, replayed with readers of every clearance. Every byte that the program writes for a reader is
//! searched for every value above that reader, in every form that it could be written in. Zero may be found.
//!
//! Who may see what is written down here by hand ([`MARKINGS`]), not asked of the library.
//!
//! That the search finds leaks is held in every run: in what an operator without a clearance file gets
//! (`an_unrestricted_run_is_full_of_leaks`), and in files with a value planted in each form.

mod common;
#[path = "leak/needles.rs"]
mod needles;
#[path = "leak/scene.rs"]
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::{at, documents, failures, finish, picket, stderr, stdout, text_at};
use needles::Needles;
use scene::{
    CLEARANCE, CUSTOMER_FIELDS, HOME, MARKINGS, Marked, RECORD, SINKS, Secrets, captures, everything, feed, folder,
    leaks, red, replay, replay_for_all, replay_with,
};
use serde_json::{Value, json};

/// The paths that a document has.
fn paths(document: &Value, prefix: &str, out: &mut BTreeSet<String>) {
    match document.as_object() {
        Some(fields) => fields.iter().for_each(|(key, value)| {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            paths(value, &path, out);
        }),
        None => drop(out.insert(prefix.to_owned())),
    }
}

fn is_customer(record: &Value) -> bool {
    text_at(record, "picket.record") == "customer"
}

/// Holds a reader's records to those that an unrestricted run gives, all of them above the reader.
fn check_customer_records(text: &str, full: &[Value]) -> Result<(), String> {
    let records = documents(text);
    if records.len() != full.len() {
        return Err(format!("{} customer records of {} alerts", records.len(), full.len()));
    }
    for (record, alert) in records.iter().zip(full) {
        let mut fields = BTreeSet::new();
        paths(record, "", &mut fields);
        if let Some(field) = fields.iter().find(|field| !CUSTOMER_FIELDS.contains(&field.as_str())) {
            return Err(format!("a customer record has {field}"));
        }
        for needed in
            ["picket.action", "picket.handling", "picket.reference", "picket.flow_reference", "network.direction"]
        {
            if text_at(record, needed).is_empty() {
                return Err(format!("a customer record has no {needed}"));
            }
        }
        if text_at(record, "@timestamp")[..19] != text_at(alert, "@timestamp")[..19] {
            return Err("another time".to_owned());
        }
        for side in ["source", "destination"] {
            let ip = text_at(record, &format!("{side}.ip"));
            let same = |field: &str| record[side].get(field) == alert[side].get(field);
            let is_home = HOME.contains(&ip) && same("ip") && same("port");
            if !ip.is_empty() && !is_home {
                return Err(format!("{side}.ip is not the customer's host"));
            }
        }
    }
    Ok(())
}

#[test]
fn no_reader_gets_a_value_above_them() {
    let full = &everything().full;
    let failed = failures(MARKINGS, |marked| {
        let folder = folder();
        let path = folder.path().join(format!("FEEDFILE-{}-zq.jsonl", marked.name));
        feed(&path, |_| Some(marked));
        if marked.seen_by == "------" {
            return nothing_is_loaded(folder.path(), &path, marked);
        }
        let all_may_see = (0..SINKS.len()).all(|sink| marked.may_see(sink));
        for format in ["ecs", "eve", "cef", "ocsf", "csv", "table"] {
            let (outs, shared) = replay_for_all(folder.path(), &path, format);
            for (sink, out) in outs.iter().enumerate() {
                let said = format!("{} for {} in {format}", marked.name, SINKS[sink]);
                let found = leaks(out, |_| true, &[marked.name]);
                match (marked.may_see(sink), found.first()) {
                    (false, Some(first)) => return Err(format!("{said}: {} leaks, such as {first}", found.len())),
                    (true, None) => return Err(format!("{said}: nothing, though they may see it")),
                    _ => {}
                }
                if format == "ecs" && !marked.may_see(sink) {
                    let records = String::from_utf8_lossy(out);
                    check_customer_records(&records, full).map_err(|what| format!("{said}: {what}"))?;
                }
            }
            if let Some(first) = leaks(&shared, |_| true, &[marked.name]).first()
                && !all_may_see
            {
                return Err(format!("{} in {format}: summary, terminal or log leak {first}", marked.name));
            }
        }
        Ok(())
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn nothing_is_loaded(folder: &Path, feed: &Path, marked: &Marked) -> Result<(), String> {
    let mut command = picket();
    command.env("PICKET_LOG", "trace").args(["replay", "--clearance"]).arg(folder.join("clearance.toml"));
    let output = finish(command.arg("--feed").arg(feed).args(captures()));
    // The path of the feed was given by whoever reads the error.
    let said = [stdout(&output), stderr(&output).replace(feed.to_str().expect("plain path"), "")].concat();
    let found = leaks(said.as_bytes(), |_| true, &[marked.name]);
    match (output.status.code(), found.first()) {
        (Some(1), None) => Ok(()),
        (code, found) => Err(format!("{}: exit {code:?}, {found:?}", marked.name)),
    }
}

/// One feed with every marking in turn: what a reader may see of a flow must not show what they may not.
#[test]
fn markings_mixed_in_one_feed_do_not_leak_through_each_other() {
    let held: Vec<&'static Marked> = MARKINGS.iter().filter(|marked| marked.seen_by != "------").collect();
    let entries = &everything().entries;
    let name = |number: usize| text_at(&entries[number]["threat"]["indicator"], "name");
    // A value within another's is shown with that one, and what a condition asks for with whatever has the condition.
    let is_within = |number: usize, other: usize| other != number && name(other).contains(name(number));
    let is_part = |number: usize| {
        name(number) == "modbus:any-write"
            || !name(number).is_empty() && (0..entries.len()).any(|other| is_within(number, other))
    };
    let parts: BTreeSet<usize> = (0..entries.len()).filter(|&number| is_part(number)).collect();
    assert!(parts.len() < entries.len() / 2, "{parts:?}");
    let failed = failures(&[0, 4, 9, 13], |&first| {
        let folder = folder();
        let path = folder.path().join("FEEDFILE-mixed-zq.jsonl");
        let of = |number: usize| held[(number * 5 + first) % held.len()];
        feed(&path, |number| Some(of(number)));
        for format in ["ecs", "eve", "cef", "ocsf", "csv", "table"] {
            let (outs, shared) = replay_for_all(folder.path(), &path, format);
            let above = |owner: usize, sink: usize| {
                owner < entries.len() && !of(owner).may_see(sink) && !parts.contains(&owner)
            };
            for (sink, out) in outs.iter().enumerate() {
                let names: Vec<&str> =
                    held.iter().filter(|marked| !marked.may_see(sink)).map(|marked| marked.name).collect();
                let found = leaks(out, |owner| above(owner, sink), &names);
                if !found.is_empty() {
                    return Err(format!("from {first}, {} in {format}: {found:?}", SINKS[sink]));
                }
            }
            let found = leaks(&shared, |owner| (0..SINKS.len()).any(|sink| above(owner, sink)), &["mixed"]);
            if !found.is_empty() {
                return Err(format!("from {first}, summary or log in {format}: {found:?}"));
            }
        }
        Ok(())
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The search finds what there is to find: an operator's own output, searched the same way.
#[test]
fn an_unrestricted_run_is_full_of_leaks() {
    let Secrets { entries, full, text, log, .. } = everything();
    let ids = full.iter().map(|alert| text_at(&alert["threat"]["enrichments"][0], "matched.id"));
    let alerted: BTreeSet<&str> = ids.collect();
    assert!(alerted.len() >= 25, "only {} indicators are alerted", alerted.len());
    let found = leaks(text.as_bytes(), |_| true, &["red"]);
    for number in 0..entries.len() {
        let is_found = found.contains(&format!("{number} id (plain)"));
        assert_eq!(alerted.contains(format!("IDENT-{number}-ZQ").as_str()), is_found, "{number}");
    }
    for what in ["network.community_id (plain)", "destination.ip (plain)", "feedfile-red-zq", "provider-red-zq"] {
        assert!(found.iter().any(|found| found == what), "{what}");
    }
    assert!(leaks(log, |_| true, &[]).contains(&"0 id (plain)".to_owned()), "an unrestricted summary names ids");
    for alert in full {
        assert!(check_customer_records(&alert.to_string(), std::slice::from_ref(alert)).is_err());
    }
}

/// A value planted in each form is found, and nothing is found in what holds none.
#[test]
fn every_form_of_a_planted_leak_is_found() {
    let mut needles = Needles::default();
    for (at, secret) in
        ["evil.example", "http://malware.test/a?b=c", "198.51.100.77", "Your \"invoice\" 42"].iter().enumerate()
    {
        needles.add(at, secret, secret);
    }
    let search = needles.compile();
    assert!(search.needles.len() > 60, "{}", search.needles.len());
    let scratch = tempfile::tempdir().expect("folder");
    for needle in &search.needles {
        let file = scratch.path().join("planted");
        fs::write(&file, [&b"noise before "[..], &needle.bytes, b" and after"].concat()).expect("written");
        let found = search.found_in(&fs::read(&file).expect("read"));
        assert!(found.iter().any(|found| found.owner == needle.owner), "{}", needle.what);
    }
    for text in
        ["EVIL.EXAMPLE", "x=ZXZpbC5leGFtcGxl;", "6576696C2E6578616D706C65", "evil[.]example", "a.evil.example.b"]
    {
        assert!(!search.found_in(text.as_bytes()).is_empty(), "{text}");
    }
    assert!(search.found_in(b"clean.example http://malware.test/b 198.51.100.7 Your invoice").is_empty());
}

/// One value in two feeds: a reader gets it from the one that releases it, and hears nothing of the other.
#[test]
fn a_value_of_two_sources_is_shown_by_the_one_that_releases_it() {
    let folder = folder();
    let line = |provider: &str, tlp: &str| {
        let marking = json!({ "tlp": tlp });
        json!({"threat": {"indicator": {"type": "domain-name", "name": "evil.example", "provider": provider, "marking": marking}}, "picket": {"severity": if tlp == "RED" { 99 } else { 30 }}})
    };
    for (name, provider, tlp) in [("a-secret-zq.jsonl", "SECRETIVE-ZQ", "RED"), ("b-open.jsonl", "OPEN-ZQ", "GREEN")] {
        fs::write(folder.path().join(name), line(provider, tlp).to_string()).expect("written");
    }
    fs::create_dir(folder.path().join("feeds")).expect("made");
    for name in ["a-secret-zq.jsonl", "b-open.jsonl"] {
        fs::rename(folder.path().join(name), folder.path().join("feeds").join(name)).expect("moved");
    }
    let (outs, _) = replay_for_all(folder.path(), &folder.path().join("feeds"), "ecs");
    let of = |sink: &str| {
        let sink = SINKS.iter().position(|name| *name == sink).expect("a sink");
        documents(&String::from_utf8_lossy(&outs[sink]))
    };
    let (cleared, customer, stranger) = (of("cleared"), of("customer"), of("stranger"));
    assert!(!cleared.is_empty() && cleared.len() == customer.len() && cleared.len() == stranger.len());
    for (both, one) in cleared.iter().zip(&customer) {
        assert_eq!(both["threat"]["enrichments"].as_array().map(Vec::len), Some(2));
        assert_eq!(both["event"]["severity"], 99);
        let enrichments = one["threat"]["enrichments"].as_array().expect("shown");
        assert_eq!(enrichments.len(), 1);
        assert_eq!(text_at(&enrichments[0], "indicator.provider"), "OPEN-ZQ");
        assert_eq!(one["event"]["severity"], 30, "of the source that is shown");
        let text = one.to_string();
        assert!(!text.to_lowercase().contains("secret") && !text.contains("RED"), "{text}");
    }
    assert!(stranger.iter().all(is_customer));
}

/// What stands for several alerts, the packets around them and the log of flows say no more to anybody than alerts do.
#[test]
fn roll_ups_evidence_and_flow_log_do_not_leak() {
    let marked: Vec<&'static Marked> = MARKINGS
        .iter()
        .filter(|marked| ["unmarked", "green", "red", "s-noforn", "ts-gbr"].contains(&marked.name))
        .collect();
    let mut logs = Vec::new();
    for marked in marked {
        let folder = folder();
        let path = folder.path().join(format!("FEEDFILE-{}-zq.jsonl", marked.name));
        feed(&path, |_| Some(marked));
        let (log, evidence) = (folder.path().join("flows.jsonl"), folder.path().join("evidence"));
        let text = |path: &Path| path.to_str().expect("plain path").to_owned();
        let more = ["--repeat-window", "100000000", "--flow-log", &text(&log), "--evidence", &text(&evidence)];
        for format in ["ecs", "csv", "table"] {
            let (outs, shared) = replay_with(folder.path(), &path, format, &more);
            let files: Vec<_> =
                fs::read_dir(&evidence).expect("evidence").map(|entry| entry.expect("entry").path()).collect();
            assert!(files.len() > 20, "{}", files.len());
            let named = |out: &[u8]| {
                let out = String::from_utf8_lossy(out).into_owned();
                files.iter().any(|file| out.contains(&*file.file_stem().expect("name").to_string_lossy()))
                    || out.contains(&text(&evidence))
            };
            for (sink, out) in outs.iter().enumerate() {
                let said = format!("{} for {} in {format}", marked.name, SINKS[sink]);
                if marked.may_see(sink) {
                    assert!(named(out) || format == "table", "{said}: no evidence is named");
                    continue;
                }
                assert_eq!(leaks(out, |_| true, &[marked.name]), [""; 0], "{said}");
                assert!(!named(out), "{said}: evidence is named");
                if format == "ecs" {
                    let records = documents(&String::from_utf8_lossy(out));
                    assert!(
                        records.iter().any(|record| at(record, "picket.repeats.count").is_some()),
                        "{said}: no roll-up"
                    );
                    for record in &records {
                        let mut fields = BTreeSet::new();
                        paths(record, "", &mut fields);
                        let more = fields.iter().find(|field| !CUSTOMER_FIELDS.contains(&field.as_str()));
                        assert_eq!(more, None, "{said}");
                        let is_whole = |time: &str| time.is_empty() || time.ends_with(".000000000Z");
                        assert!(
                            ["event.start", "event.end"].iter().all(|path| is_whole(text_at(record, path))),
                            "{record}"
                        );
                    }
                }
            }
            if !(0..SINKS.len()).all(|sink| marked.may_see(sink)) {
                assert_eq!(
                    leaks(&shared, |_| true, &[marked.name]),
                    [""; 0],
                    "{} in {format}: summary or log",
                    marked.name
                );
                assert!(!named(&shared), "{}: summary or log name evidence", marked.name);
            }
            for file in &files {
                let bytes = fs::read(file).expect("file");
                let handling = String::from_utf8_lossy(&bytes);
                let wanted = match marked.name {
                    "unmarked" => "Handling: not marked",
                    "green" => "Handling: TLP:GREEN",
                    "red" => "Handling: TLP:RED",
                    "s-noforn" => "Handling: SECRET//NOFORN",
                    _ => "Handling: TOP SECRET//REL TO USA, GBR",
                };
                assert!(handling.contains(wanted), "{}: {wanted}", marked.name);
            }
        }
        logs.push(fs::read_to_string(&log).expect("log"));
    }
    assert!(logs.iter().all(|log| *log == logs[0]), "a flow log depends on how indicators are marked");
    let said = ["IDENT-", "PROVIDER-", "DESCRIPTION-", "FEEDFILE", "reference-"]
        .into_iter()
        .find(|word| logs[0].contains(word));
    assert_eq!(said, None, "a flow log speaks of feeds");
}

/// References are the same for the same thing, of the same customer, on the same day; without the key they say nothing.
#[test]
fn references_are_keyed_by_customer_and_day() {
    let folder = folder();
    let path = folder.path().join("FEEDFILE-red-zq.jsonl");
    feed(&path, |_| red());
    let (outs, _) = replay_for_all(folder.path(), &path, "ecs");
    let full = &everything().full;
    let mut by_id: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let mut all = BTreeSet::new();
    for (alert, record) in full.iter().zip(documents(&String::from_utf8_lossy(&outs[3]))) {
        let id = text_at(&alert["threat"]["enrichments"][0], "matched.id").to_owned();
        let day = text_at(alert, "@timestamp")[..10].to_owned();
        let reference = text_at(&record, "picket.reference").to_owned();
        assert_eq!(reference.len(), 32);
        all.insert(reference.clone());
        by_id.entry((id, day)).or_default().insert(reference);
    }
    assert!(by_id.values().all(|references| references.len() == 1), "one name an indicator and day");
    assert_eq!(all.len(), by_id.len(), "no two have the same");
    let references = |out: &[u8]| -> BTreeSet<String> {
        let records = documents(&String::from_utf8_lossy(out));
        records.iter().map(|record| text_at(record, "picket.reference").to_owned()).collect()
    };
    assert!(references(&outs[3]).is_disjoint(&references(&outs[4])), "another customer, other names");
    fs::write(folder.path().join("key"), "another key of thirty-two bytes!").expect("written");
    let (others, _) = replay_for_all(folder.path(), &path, "ecs");
    assert!(references(&outs[3]).is_disjoint(&references(&others[3])), "another key, other names");
}

#[test]
fn without_a_key_no_customer_record_is_written() {
    let folder = folder();
    let path = folder.path().join("feed.jsonl");
    feed(&path, |_| red());
    let clearance = folder.path().join("clearance.toml");
    fs::write(&clearance, CLEARANCE).expect("written");
    let run = |sink: &str| {
        let mut command = picket();
        command
            .args(["replay", "-q", "--sink-clearance", sink, "--clearance"])
            .arg(&clearance)
            .arg("--feed")
            .arg(&path);
        finish(command.args(captures()))
    };
    let refused = run("customer");
    assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(1), ""));
    assert!(
        stderr(&refused).contains("[sink.customer.record]") && stderr(&refused).contains("key_file"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(run("cleared").status.code(), Some(0), "nothing is withheld from them");
}

/// `lookup` and `explain` answer a reader as if what is above them were in no feed.
#[test]
fn a_lookup_is_no_oracle() {
    let folder = folder();
    let (listed, other) = (folder.path().join("listed.jsonl"), folder.path().join("other.jsonl"));
    feed(&listed, |_| red());
    fs::write(&other, "{\"threat\":{\"indicator\":{\"type\":\"domain-name\",\"name\":\"unrelated.test\",\"marking\":{\"tlp\":\"RED\"}}}}\n").expect("written");
    let clearance = folder.path().join("clearance.toml");
    let ask = |feed: &Path, sink: &str, args: &[&str]| {
        let mut command = picket();
        command.args([args[0], "--sink-clearance", sink, "--clearance"]).arg(&clearance).arg("--feed").arg(feed);
        let output = finish(command.args(&args[1..]));
        (output.status.code(), stdout(&output), stderr(&output))
    };
    for value in ["www.evil.example", "203.0.113.66", "http://malware.test/gate/x", "daf3eb8ee3314bc958201bebb1efcdcf"]
    {
        let lookup = ["lookup", value];
        let (code, out, _) = ask(&listed, "cleared", &lookup);
        assert!(code == Some(0) && out.contains("IDENT-"), "{value}: {out}");
        assert_eq!(ask(&listed, "customer", &lookup), ask(&other, "customer", &lookup), "{value}");
        assert_eq!(ask(&listed, "customer", &lookup).0, Some(1));
    }
    let explain = ["explain", "--frame", "1", "fixtures/pcaps/dns-query-a.pcap"];
    assert!(ask(&listed, "cleared", &explain).1.contains("matches IDENT-"));
    assert_eq!(ask(&listed, "customer", &explain), ask(&other, "customer", &explain));
}

/// ACS rules value (DSPLY), source (IDSRC) and notice (TENOT) each by itself.
#[test]
fn acs_privileges_decide_value_source_and_notice() {
    let folder = folder();
    let acs = json!({
        "extension_type": "property-extension",
        "identifier": "isa:guide.1",
        "create_date_time": "2024-01-01T00:00:00Z",
        "responsible_entity_custodian": "USA.NSA",
        "policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit",
        "control_set": {"classification": "U"},
    });
    let feed = folder.path().join("FEEDFILE-acs-zq.jsonl");
    let indicator = json!({"type": "domain-name", "name": "evil.example", "provider": "PROVIDER-acs-ZQ", "description": "of PROVIDER-acs-ZQ"});
    fs::write(&feed, format!("{}\n", json!({"threat": {"indicator": indicator}, "picket": {"acs": acs}})))
        .expect("written");
    let sinks =
        [("named", "\"DSPLY\", \"IDSRC\""), ("unnamed", "\"DSPLY\""), ("told", "\"TENOT\""), ("untold", "\"NETDEF\"")];
    let sections: String = sinks
        .iter()
        .map(|(name, actions)| format!("[sink.{name}]\nacs_actions = [{actions}]\n[sink.{name}.record]\n{RECORD}"))
        .collect();
    let clearance = folder.path().join("clearance.toml");
    fs::write(&clearance, format!("[sensor]\nacs_actions = [\"NETDEF\"]\nfloor = \"TLP:CLEAR\"\n{sections}"))
        .expect("written");
    let out = |name: &str| folder.path().join(format!("{name}.out"));
    let mut args: Vec<String> =
        sinks.iter().map(|(name, _)| format!("--alerts={name}={}", out(name).display())).collect();
    args.extend([
        "--clearance".to_owned(),
        clearance.display().to_string(),
        "--feed".to_owned(),
        feed.display().to_string(),
    ]);
    replay(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let read = |name: &str| fs::read_to_string(out(name)).expect("alerts");
    assert!(read("named").contains("PROVIDER-acs-ZQ") && read("named").contains("evil.example"));
    let unnamed = read("unnamed");
    assert!(
        unnamed.contains("evil.example") && documents(&unnamed).iter().all(|alert| at(alert, "picket.feed").is_none())
    );
    assert!(!unnamed.to_lowercase().contains("provider-acs") && !unnamed.contains("FEEDFILE"), "{unnamed}");
    let told = read("told");
    assert!(!told.contains("evil.example") && !told.is_empty() && documents(&told).iter().all(is_customer));
    assert_eq!(read("untold"), "", "they may not even be told that there was a hit");
}
