//! The leak test: feeds at every marking, replayed with readers of every clearance. Every byte that the program writes for a reader is
//! searched for every value above that reader, in every form that it could be written in. Zero may be found.
//!
//! Who may see what is written down here by hand ([`MARKINGS`]), not asked of the library.
//!
//! Seen to fail: with `View::Full` for every alert, with a customer record that has `matched.id`, with the summary counted from
//! unrestricted views. `an_unrestricted_run_is_full_of_leaks` holds the search to that in every run.

mod common;
#[path = "leak/needles.rs"]
mod needles;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use common::{at, documents, failures, finish, picket, stderr, stdout, text_at};
use needles::{Needles, Search};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Readers, in the order of the columns of [`MARKINGS`]. The last has no section in the clearance file.
const SINKS: [&str; 6] = ["cleared", "soc", "british", "customer", "community", "stranger"];

/// What the sinks are cleared for.
const CLEARANCE: &str = r#"
[sensor]
level = "TS"
nationalities = ["USA"]
controls = ["SI"]
floor = "TLP:CLEAR"

[sink.cleared]
level = "TS"
nationalities = ["USA"]
controls = ["SI"]
tlp = "RED"
people = ["A. Analyst"]
act = "active"

[sink.soc]
level = "S"
nationalities = ["USA"]
tlp = "AMBER+STRICT"

[sink.british]
level = "S"
nationalities = ["GBR"]
tlp = "AMBER"

[sink.customer]
tlp = "AMBER"

[sink.community]
tlp = "GREEN"
"#;

/// Keys and home networks; the fixtures' clients are at home.
const RECORD: &str =
    "key_file = \"key\"\nhome_networks = [\"192.0.2.10\", \"192.0.2.200\", \"2001:db8::10\", \"2001:db8::200\"]\n";

/// The ends that a customer may be shown.
const HOME: [&str; 4] = ["192.0.2.10", "192.0.2.200", "2001:db8::10", "2001:db8::200"];

struct Marked {
    name: &'static str,
    tlp: &'static str,
    pap: &'static str,
    classification: &'static str,
    /// Who may see it, one letter a sink: `y` or `-`.
    seen_by: &'static str,
}

const fn marked(name: &'static str, [tlp, pap, classification]: [&'static str; 3], seen_by: &'static str) -> Marked {
    Marked { name, tlp, pap, classification, seen_by }
}

/// Every marking: TLP, PAP, classification; who of [`SINKS`] may see it.
const MARKINGS: &[Marked] = &[
    marked("unmarked", ["", "", ""], "yyyyyy"),
    marked("clear", ["CLEAR", "", ""], "yyyyyy"),
    marked("white", ["WHITE", "", ""], "yyyyyy"),
    marked("green", ["GREEN", "", ""], "yyyyy-"),
    marked("amber", ["AMBER", "", ""], "yyyy--"),
    marked("amber-strict", ["AMBER+STRICT", "", ""], "yy----"),
    marked("red", ["RED", "", ""], "y-----"),
    marked("pap-clear", ["GREEN", "CLEAR", ""], "yyyyy-"),
    marked("pap-green", ["AMBER", "GREEN", ""], "yyyy--"),
    marked("pap-amber", ["AMBER", "AMBER", ""], "yyyy--"),
    marked("pap-red", ["RED", "RED", ""], "y-----"),
    marked("u", ["", "", "U"], "yyyyyy"),
    marked("cui", ["", "", "CUI"], "yyy---"),
    marked("fouo", ["", "", "U//FOUO"], "yyy---"),
    marked("c-rel-gbr", ["", "", "C//REL TO USA, GBR"], "yyy---"),
    marked("s-fvey", ["", "", "S//REL TO USA, FVEY"], "yyy---"),
    marked("s-noforn", ["", "", "S//NF"], "yy----"),
    marked("s-bare", ["", "", "S"], "yy----"),
    marked("ts-gbr", ["", "", "TS//REL TO USA, GBR"], "y-----"),
    marked("s-si", ["", "", "S//SI//REL TO USA, GBR"], "y-----"),
    marked("s-green", ["GREEN", "", "S//REL TO USA, GBR"], "yyy---"),
    marked("u-red", ["RED", "", "U"], "y-----"),
    marked("unreadable", ["", "", "GEHEIM"], "------"),
    marked("control-not-held", ["", "", "S//NOFRON"], "------"),
];

/// Captures that hit every kind of indicator.
const CAPTURES: &[&str] = &[
    "addr-udp",
    "addr-port",
    "addr-network",
    "addr-icmp-quote",
    "bytes-one-segment",
    "bytes-nocase",
    "dns-query-a",
    "dns-response-a",
    "dns-match-and-validity",
    "file-ftp-passive",
    "http-user-agent",
    "http-url-prefix",
    "http-pipelined",
    "imap-append",
    "ics-modbus",
    "quic-fingerprint",
    "ssh-hassh",
    "tls-certificate-names",
    "tls-certificate-chain",
    "tls-fingerprint",
    "tls-ja3s",
    "when-function",
];

/// What a customer record may have. Nothing else, whatever it says.
const CUSTOMER_FIELDS: &[&str] = &[
    "@timestamp",
    "destination.address",
    "destination.ip",
    "destination.port",
    "ecs.version",
    "event.category",
    "event.id",
    "event.kind",
    "event.severity",
    "event.type",
    "network.direction",
    "observer.name",
    "observer.product",
    "observer.type",
    "observer.vendor",
    "observer.version",
    "picket.action",
    "picket.flow_reference",
    "picket.handling",
    "picket.record",
    "picket.reference",
    "source.address",
    "source.ip",
    "source.port",
];

impl Marked {
    fn may_see(&self, sink: usize) -> bool {
        self.seen_by.as_bytes()[sink] == b'y'
    }
}

fn red() -> Option<&'static Marked> {
    MARKINGS.iter().find(|marked| marked.name == "red")
}

/// A scratch folder with a clearance file and its key.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let records: String =
        SINKS.iter().take(SINKS.len() - 1).map(|sink| format!("[sink.{sink}.record]\n{RECORD}")).collect();
    // A public without a key gets no records: it has one here, and nothing else.
    let stranger = format!("[sink.stranger]\n[sink.stranger.record]\n{RECORD}");
    fs::write(folder.path().join("clearance.toml"), format!("{CLEARANCE}\n{records}\n{stranger}")).expect("written");
    fs::write(folder.path().join("key"), "0123456789abcdef0123456789abcdef").expect("written");
    folder
}

/// The fixtures' indicators, marked as `of` says of each, under ids and a provider that nothing else is called.
fn feed<'m>(path: &Path, of: impl Fn(usize) -> Option<&'m Marked>) -> Vec<Value> {
    let text = fs::read_to_string(common::file(common::FEED)).expect("the fixtures' feed");
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some(marked) = of(number) else { continue };
        let mut entry: Value = serde_json::from_str(line).expect("JSON");
        let indicator = &mut entry["threat"]["indicator"];
        indicator["id"] = json!([format!("IDENT-{number}-ZQ")]);
        indicator["provider"] = json!(format!("PROVIDER-{}-ZQ", marked.name));
        indicator["description"] = json!(format!("DESCRIPTION-{number}-ZQ"));
        indicator["reference"] = json!(format!("https://reference-{number}-zq.test/"));
        if !marked.tlp.is_empty() {
            indicator["marking"] = json!({ "tlp": marked.tlp });
        }
        for (field, value) in [("pap", marked.pap), ("classification", marked.classification)] {
            if !value.is_empty() {
                entry["picket"][field] = json!(value);
            }
        }
        entries.push(entry);
    }
    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    fs::write(path, lines).expect("written");
    entries
}

/// What is secret of an entry: every text that the feed has of it but kinds and markings.
fn secrets(number: usize, entry: &Value, needles: &mut Needles) {
    let indicator = &entry["threat"]["indicator"];
    for path in [
        "name",
        "x509.hash.sha1",
        "x509.hash.sha256",
        "x509.subject.distinguished_name",
        "x509.issuer.distinguished_name",
        "x509.serial_number",
        "description",
        "reference",
    ] {
        needles.add(number, &format!("{number} {path}"), text_at(indicator, path));
    }
    needles.add(number, &format!("{number} id"), indicator["id"][0].as_str().expect("id"));
    if let Some(content) = at(entry, "picket.pattern.content").and_then(Value::as_str) {
        content.split('|').step_by(2).for_each(|part| needles.add(number, &format!("{number} content"), part));
    }
}

/// Owner of what is secret of traffic.
const TRAFFIC: usize = usize::MAX;

/// What is secret of the traffic that an unrestricted alert shows.
fn traffic(alert: &Value, needles: &mut Needles) {
    for path in ["source.ip", "destination.ip"] {
        let ip = text_at(alert, path);
        if !HOME.contains(&ip) {
            needles.add(TRAFFIC, path, ip);
        }
    }
    let enrichment = &alert["threat"]["enrichments"][0];
    needles.add(TRAFFIC, "network.community_id", text_at(alert, "network.community_id"));
    needles.add(TRAFFIC, "digest of a community id", text_at(alert, "network.community_id").trim_start_matches("1:"));
    needles.add(TRAFFIC, "event.id", text_at(alert, "event.id"));
    needles.add(TRAFFIC, "matched.atomic", text_at(enrichment, "matched.atomic"));
    for path in [
        "dns.question.name",
        "url.full",
        "url.domain",
        "url.original",
        "tls.client.server_name",
        "email.subject",
        "file.name",
    ] {
        needles.add(TRAFFIC, path, text_at(alert, path));
    }
}

/// The fixtures' indicators, what an unrestricted run alerts of them, and the search for both: the same whatever the marking.
struct Secrets {
    entries: Vec<Value>,
    full: Vec<Value>,
    text: String,
    log: Vec<u8>,
    search: Search,
}

fn everything() -> &'static Secrets {
    static SECRETS: OnceLock<Secrets> = OnceLock::new();
    SECRETS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("FEEDFILE-red-zq.jsonl");
        let entries = feed(&path, |_| red());
        let output = replay(&["--feed", path.to_str().expect("plain path"), "--format", "ecs"]);
        let text = stdout(&output);
        let full = documents(&text);
        assert!(full.len() > 40, "only {} alerts", full.len());
        let mut needles = Needles::default();
        entries.iter().enumerate().for_each(|(number, entry)| secrets(number, entry, &mut needles));
        full.iter().for_each(|alert| traffic(alert, &mut needles));
        Secrets { entries, full, text, log: output.stderr, search: needles.compile() }
    })
}

/// What of the secrets of `owners`, and which names of feeds and providers marked `names`, are found in `text`.
fn leaks(text: &[u8], owners: impl Fn(usize) -> bool, names: &[&str]) -> Vec<String> {
    let found = everything().search.found_in(text).into_iter().filter(|needle| owners(needle.owner));
    let mut leaks: Vec<String> = found.map(|needle| needle.what.clone()).collect();
    let lower = String::from_utf8_lossy(text).to_lowercase();
    for name in names {
        let named = [format!("feedfile-{name}-zq"), format!("provider-{name}-zq")];
        leaks.extend(named.into_iter().filter(|name| lower.contains(name.as_str())));
    }
    leaks
}

fn captures() -> Vec<String> {
    CAPTURES.iter().map(|name| format!("fixtures/pcaps/{name}.pcap")).collect()
}

/// A run with everything that says something turned up.
fn replay(args: &[&str]) -> Output {
    let mut command = picket();
    command.env("PICKET_LOG", "trace").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let output = finish(command.arg("replay").args(args).args(captures()));
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    output
}

/// A run with an output for each sink, in `format`; what each sink's readers got, and what all of them may read.
fn replay_for_all(folder: &Path, feed: &Path, format: &str) -> (Vec<Vec<u8>>, Vec<u8>) {
    let path = |name: &str| folder.join(name).to_str().expect("plain path").to_owned();
    let (clearance, summary, feed) = (path("clearance.toml"), path("summary.json"), feed.to_str().expect("plain path"));
    let outs: Vec<PathBuf> = SINKS.iter().map(|sink| folder.join(format!("{sink}.out"))).collect();
    let alerts: Vec<String> =
        SINKS.iter().zip(&outs).map(|(sink, out)| format!("--alerts={sink}={}", out.display())).collect();
    let mut args = vec!["--clearance", &clearance, "--feed", feed, "--summary", &summary, "--format", format];
    args.extend(alerts.iter().map(String::as_str));
    let output = replay(&args);
    let shared = [output.stdout, output.stderr, fs::read(&summary).expect("summary")].concat();
    (outs.iter().map(|out| fs::read(out).expect("alerts")).collect(), shared)
}

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
            if !ip.is_empty() && !(HOME.contains(&ip) && same("ip") && same("port")) {
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
        for format in ["ecs", "csv", "table"] {
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
    // A value within another's is shown with that one.
    let is_part = |number: usize| {
        entries.iter().enumerate().any(|(other, _)| other != number && name(other).contains(name(number)))
    };
    let parts: BTreeSet<usize> = (0..entries.len()).filter(|&number| is_part(number)).collect();
    assert!(parts.len() < entries.len() / 2, "{parts:?}");
    let failed = failures(&[0, 4, 9, 13], |&first| {
        let folder = folder();
        let path = folder.path().join("FEEDFILE-mixed-zq.jsonl");
        let of = |number: usize| held[(number * 5 + first) % held.len()];
        feed(&path, |number| Some(of(number)));
        for format in ["ecs", "csv", "table"] {
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
    assert!(alerted.len() > 30, "only {} indicators are alerted", alerted.len());
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
    assert!(search.needles.len() > 100);
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
