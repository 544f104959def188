//! Readers, markings and feeds of the leak test, and what is secret of them.
#![allow(unreachable_pub)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::{self, at, documents, finish, picket, stderr, stdout, text_at};
use super::needles::{Needles, Search};

/// Readers, in the order of the columns of [`MARKINGS`]. The last has no section in the clearance file.
pub const SINKS: [&str; 6] = ["cleared", "soc", "british", "customer", "community", "stranger"];

/// What the sinks are cleared for.
pub const CLEARANCE: &str = r#"
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
pub const RECORD: &str =
    "key_file = \"key\"\nhome_networks = [\"192.0.2.10\", \"192.0.2.200\", \"2001:db8::10\", \"2001:db8::200\"]\n";

/// The ends that a customer may be shown.
pub const HOME: [&str; 4] = ["192.0.2.10", "192.0.2.200", "2001:db8::10", "2001:db8::200"];

pub struct Marked {
    pub name: &'static str,
    pub tlp: &'static str,
    pub pap: &'static str,
    pub classification: &'static str,
    /// Who may see it, one letter a sink: `y` or `-`.
    pub seen_by: &'static str,
}

pub const fn marked(
    name: &'static str,
    [tlp, pap, classification]: [&'static str; 3],
    seen_by: &'static str,
) -> Marked {
    Marked { name, tlp, pap, classification, seen_by }
}

/// Every marking: TLP, PAP, classification; who of [`SINKS`] may see it.
pub const MARKINGS: &[Marked] = &[
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
pub const CAPTURES: &[&str] = &[
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
pub const CUSTOMER_FIELDS: &[&str] = &[
    "@timestamp",
    "destination.address",
    "destination.ip",
    "destination.port",
    "ecs.version",
    "event.category",
    "event.end",
    "event.id",
    "event.kind",
    "event.severity",
    "event.start",
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
    "picket.repeats.count",
    "source.address",
    "source.ip",
    "source.port",
];

impl Marked {
    pub fn may_see(&self, sink: usize) -> bool {
        self.seen_by.as_bytes()[sink] == b'y'
    }
}

pub fn red() -> Option<&'static Marked> {
    MARKINGS.iter().find(|marked| marked.name == "red")
}

/// A scratch folder with a clearance file and its key.
pub fn folder() -> TempDir {
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
pub fn feed<'m>(path: &Path, of: impl Fn(usize) -> Option<&'m Marked>) -> Vec<Value> {
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
pub fn secrets(number: usize, entry: &Value, needles: &mut Needles) {
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
pub const TRAFFIC: usize = usize::MAX;

/// What is secret of the traffic that an unrestricted alert shows.
pub fn traffic(alert: &Value, needles: &mut Needles) {
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
pub struct Secrets {
    pub entries: Vec<Value>,
    pub full: Vec<Value>,
    pub text: String,
    pub log: Vec<u8>,
    pub search: Search,
}

pub fn everything() -> &'static Secrets {
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
pub fn leaks(text: &[u8], owners: impl Fn(usize) -> bool, names: &[&str]) -> Vec<String> {
    let found = everything().search.found_in(text).into_iter().filter(|needle| owners(needle.owner));
    let mut leaks: Vec<String> = found.map(|needle| needle.what.clone()).collect();
    let lower = String::from_utf8_lossy(text).to_lowercase();
    for name in names {
        let named = [format!("feedfile-{name}-zq"), format!("provider-{name}-zq")];
        leaks.extend(named.into_iter().filter(|name| lower.contains(name.as_str())));
    }
    leaks
}

pub fn captures() -> Vec<String> {
    CAPTURES.iter().map(|name| format!("fixtures/pcaps/{name}.pcap")).collect()
}

/// A run with everything that says something turned up.
pub fn replay(args: &[&str]) -> Output {
    let mut command = picket();
    command.env("PICKET_LOG", "trace").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let output = finish(command.arg("replay").args(args).args(captures()));
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    output
}

/// A run with an output for each sink, in `format`; what each sink's readers got, and what all of them may read.
pub fn replay_for_all(folder: &Path, feed: &Path, format: &str) -> (Vec<Vec<u8>>, Vec<u8>) {
    replay_with(folder, feed, format, &[])
}

/// The same with `more` arguments.
pub fn replay_with(folder: &Path, feed: &Path, format: &str, more: &[&str]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let path = |name: &str| folder.join(name).to_str().expect("plain path").to_owned();
    let (clearance, summary, feed) = (path("clearance.toml"), path("summary.json"), feed.to_str().expect("plain path"));
    let outs: Vec<PathBuf> = SINKS.iter().map(|sink| folder.join(format!("{sink}.out"))).collect();
    let alerts: Vec<String> =
        SINKS.iter().zip(&outs).map(|(sink, out)| format!("--alerts={sink}={}", out.display())).collect();
    let mut args = vec!["--clearance", &clearance, "--feed", feed, "--summary", &summary, "--format", format];
    args.extend(alerts.iter().map(String::as_str));
    args.extend(more);
    let output = replay(&args);
    let shared = [output.stdout, output.stderr, fs::read(&summary).expect("summary")].concat();
    (outs.iter().map(|out| fs::read(out).expect("alerts")).collect(), shared)
}
