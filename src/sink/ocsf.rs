//! JSON Lines in the Open Cybersecurity Schema Framework 1.8.0: an alert is a Detection Finding (class 2004), with the profile `osint` where the
//! indicator is shown; a notice is a Base Event (class 0).
//!
//! What the schema has no attribute for is under `unmapped`, as the Elastic Common Schema calls it.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::Format;
use super::ecs::{about_match, about_record, message, said_by, transport};
use super::nested::Nested;
use super::record::{id_of, notice_id};
use crate::alert::{CustomerRecord, Full, Heading, Host, Notice, Release, Source, View};
use crate::indicator::Kind;
use crate::marking::Tlp;
use crate::matcher::How;
use crate::time::Timestamp;

/// `--format ocsf`.
pub static FORMAT: Format =
    Format { name: "ocsf", media_type: "application/x-ndjson", header: None, view: write, notice };

/// The version of the schema.
const VERSION: &str = "1.8.0";

fn write(view: &View<'_>, out: &mut Vec<u8>) {
    let Some(id) = id_of(view) else { return };
    let mut root = Nested::default();
    let mut rest = Nested::default();
    match view {
        View::Full(full) => {
            finding(&mut root, &id, full.frame().time, full.release.severity());
            traffic(&mut root, full);
            message(&mut rest, full);
            indicator(&mut root, &full.release);
            about_match(&mut rest, &full.release);
        }
        View::Partial(release, record) => {
            finding(&mut root, &id, record.time, release.severity());
            customer(&mut root, record);
            about_record(&mut rest, record);
            indicator(&mut root, release);
            about_match(&mut rest, release);
        }
        View::Customer(record) => {
            finding(&mut root, &id, record.time, record.severity);
            customer(&mut root, record);
            about_record(&mut rest, record);
        }
        View::Nothing => return,
    }
    root.set_object("unmapped", rest);
    root.write(out);
}

fn notice(notice: &Notice, out: &mut Vec<u8>) {
    let mut root = Nested::default();
    let mut rest = Nested::default();
    said_by(&mut rest, notice);
    rest.set("event.severity", json!(notice.severity));
    head(&mut root, &notice_id(notice), notice.time, notice.severity);
    for (path, value) in [
        ("activity_id", json!(99)),
        ("activity_name", json!(notice.action)),
        ("category_uid", json!(0)),
        ("category_name", json!("Uncategorized")),
        ("class_uid", json!(0)),
        ("class_name", json!("Base Event")),
        ("type_uid", json!(99)),
        ("message", json!(notice.message)),
    ] {
        root.set(path, value);
    }
    root.set_object("unmapped", rest);
    root.write(out);
}

/// What every finding has.
fn finding(root: &mut Nested, id: &str, time: Timestamp, severity: u8) {
    head(root, id, time, severity);
    for (path, value) in [
        ("activity_id", json!(1)),
        ("activity_name", json!("Create")),
        ("category_uid", json!(2)),
        ("category_name", json!("Findings")),
        ("class_uid", json!(2004)),
        ("class_name", json!("Detection Finding")),
        ("type_uid", json!(200_401)),
        ("type_name", json!("Detection Finding: Create")),
        ("status_id", json!(1)),
        ("status", json!("New")),
        ("is_alert", json!(true)),
        ("finding_info.uid", json!(id)),
        ("finding_info.types", json!(["Threat indicator"])),
        ("finding_info.created_time", json!(milliseconds(time))),
    ] {
        root.set(path, value);
    }
}

/// Who writes, by which version of the schema, when it was and how bad.
fn head(root: &mut Nested, id: &str, time: Timestamp, severity: u8) {
    let (severity_id, word) = match severity {
        ..20 => (1, "Informational"),
        20..40 => (2, "Low"),
        40..70 => (3, "Medium"),
        70..90 => (4, "High"),
        90.. => (5, "Critical"),
    };
    for (path, value) in [
        ("time", json!(milliseconds(time))),
        ("severity_id", json!(severity_id)),
        ("severity", json!(word)),
        ("metadata.uid", json!(id)),
        ("metadata.version", json!(VERSION)),
        ("metadata.original_time", json!(time.to_string())),
        ("metadata.product.name", json!("picket")),
        ("metadata.product.vendor_name", json!("Picket")),
        ("metadata.product.version", json!(env!("CARGO_PKG_VERSION"))),
    ] {
        root.set(path, value);
    }
}

fn traffic(root: &mut Nested, full: &Full<'_>) {
    let flow = full.flow();
    let title = format!("Threat indicator seen in {}", full.field().0);
    root.set("finding_info.title", json!(title));
    root.set("message", json!(title));
    let mut evidence = Nested::default();
    let seen = observable(full.field().0, kind_of_observable(full.release.indicator.kind), full.atomic());
    let mut observables = vec![seen];
    let hardware = flow.hardware();
    let ends = [("src_endpoint", flow.originator), ("dst_endpoint", flow.responder)];
    for (at, (path, (ip, port))) in ends.into_iter().enumerate() {
        let mac = hardware.as_ref().map(|ends| ends[at].replace('-', ":"));
        observables.push(match &mac {
            Some(mac) => observable(&format!("evidences[].{path}.mac"), 3, mac),
            None => observable(&format!("evidences[].{path}.ip"), 2, &ip.to_string()),
        });
        let mut end = endpoint(mac, ip, full.has_ports().then_some(port));
        if let Some(outer) = flow.vlans.first() {
            end.set("vlan_uid", json!(outer.to_string()));
        }
        evidence.set_object(path, end);
    }
    connection(&mut evidence, full);
    root.set_list("evidences", vec![evidence]);
    root.set_list("observables", observables);
}

fn endpoint(mac: Option<String>, ip: IpAddr, port: Option<u16>) -> Nested {
    let mut end = Nested::default();
    match mac {
        // The schema asks for a name beside the hardware address.
        Some(mac) => {
            end.set("uid", json!(mac));
            end.set("mac", json!(mac));
        }
        None => end.set("ip", json!(ip.to_string())),
    }
    if let Some(port) = port {
        end.set("port", json!(port));
    }
    end
}

fn connection(evidence: &mut Nested, full: &Full<'_>) {
    let flow = full.flow();
    let mut set = |path: &'static str, value: Value| evidence.set(path, value);
    set("connection_info.direction_id", json!(0));
    if flow.hardware().is_none() {
        set("connection_info.protocol_num", json!(flow.protocol_number));
        set("connection_info.protocol_ver_id", json!(if flow.originator.0.is_ipv4() { 4 } else { 6 }));
    }
    if let Some(name) = transport(flow.protocol_number) {
        set("connection_info.protocol_name", json!(name));
    }
    if let Some(id) = full.community_id() {
        set("connection_info.community_uid", json!(id));
    }
    if let Some(protocol) = flow.protocol {
        set("data.network.protocol", json!(protocol));
    }
    set("data.picket.capture", json!(full.capture().to_string_lossy()));
    set("data.picket.frame", json!(full.frame().number));
}

/// Of the traffic, what a customer record has.
fn customer(root: &mut Nested, record: &CustomerRecord) {
    root.set("finding_info.title", json!("Threat indicator seen"));
    root.set("message", json!(record.action));
    root.set("remediation.desc", json!(record.action));
    let mut evidence = Nested::default();
    let direction = match record.direction {
        Heading::Inbound => 1,
        Heading::Outbound => 2,
        Heading::Internal => 3,
        Heading::External => 0,
    };
    evidence.set("connection_info.direction_id", json!(direction));
    if let Some(Host { ip, port }) = record.internal {
        let path = if record.direction == Heading::Inbound { "dst_endpoint" } else { "src_endpoint" };
        evidence.set_object(path, endpoint(None, ip, port));
        root.set_list("observables", vec![observable(&format!("evidences[].{path}.ip"), 2, &ip.to_string())]);
    }
    if let Some(references) = &record.references {
        root.set("finding_info.analytic.uid", json!(references.indicator));
        root.set("finding_info.analytic.type_id", json!(0));
    }
    root.set_list("evidences", vec![evidence]);
}

fn indicator(root: &mut Nested, release: &Release<'_>) {
    let feeds = release.feeds();
    root.set("metadata.profiles", json!(["osint"]));
    root.set("finding_info.analytic.uid", json!(release.indicator.id()));
    root.set("finding_info.analytic.type_id", json!(analytic(release.how)));
    if !feeds.is_empty() {
        root.set("finding_info.data_sources", json!(feeds));
    }
    let best = release.sources.iter().filter_map(Source::confidence).map(confidence).max().unwrap_or(0);
    root.set("confidence_id", json!(best));
    root.set_list("osint", release.sources.iter().map(|source| osint(release, source)).collect());
}

fn osint(release: &Release<'_>, source: &Source<'_>) -> Nested {
    let indicator = &release.indicator;
    let mut root = Nested::default();
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    let (type_id, type_name) = kind_of_osint(indicator.kind);
    set("type_id", json!(type_id));
    set("type", json!(type_name));
    set("value", json!((indicator.kind.display)(indicator.value)));
    set("uid", json!(indicator.id()));
    set("confidence_id", json!(source.confidence().map_or(0, confidence)));
    if let Some(port) = indicator.port {
        set("labels", json!([format!("port:{port}")]));
    }
    if let Some(reference) = source.reference() {
        set("references", json!([reference]));
    }
    if let Some(tlp) = source.marking().tlp {
        set("tlp", json!(tlp_word(tlp)));
    }
    for (path, text) in [
        ("confidence", source.confidence()),
        ("desc", source.description()),
        ("vendor_name", source.provider()),
        ("comment", source.first_seen()),
    ] {
        if let Some(text) = text {
            set(path, json!(text));
        }
    }
    root
}

fn observable(name: &str, type_id: u8, value: &str) -> Nested {
    let mut root = Nested::default();
    root.set("name", json!(name));
    root.set("type_id", json!(type_id));
    root.set("value", json!(value));
    root
}

/// `observable.type_id`.
fn kind_of_observable(kind: &Kind) -> u8 {
    match kind.name {
        "domain-name" => 1,
        "ipv4-addr" | "ipv6-addr" => 2,
        "email-addr" => 5,
        "url" => 6,
        "file-name" => 7,
        "file" => 8,
        "user-agent" => 16,
        "x509-certificate" => 30,
        "x509-serial" => 37,
        _ => 99,
    }
}

/// `osint.type_id` and its caption.
fn kind_of_osint(kind: &Kind) -> (u8, &'static str) {
    match kind.name {
        "ipv4-addr" | "ipv6-addr" => (1, "IP Address"),
        "domain-name" => (2, "Domain"),
        "file" => (4, "Hash"),
        "url" => (5, "URL"),
        "user-agent" => (6, "User Agent"),
        "x509-certificate" | "x509-subject" | "x509-issuer" | "x509-serial" => (7, "Digital Certificate"),
        "email-addr" => (9, "Email Address"),
        "file-name" => (11, "File"),
        name => (99, name),
    }
}

/// `analytic.type_id`.
fn analytic(how: How) -> u8 {
    match how {
        How::Exact | How::Port => 9,
        How::Subtree { .. } | How::Network { .. } | How::Prefix => 10,
        How::Pattern { .. } => 7,
        How::Message(_) | How::Header | How::Rule { .. } => 1,
    }
}

/// `confidence_id` of the Elastic Common Schema's words.
fn confidence(word: &str) -> u8 {
    match word {
        "Low" => 1,
        "Medium" => 2,
        "High" => 3,
        _ => 0,
    }
}

fn tlp_word(tlp: Tlp) -> String {
    tlp.to_string().replace('+', " ")
}

fn milliseconds(time: Timestamp) -> u64 {
    time.as_ns() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Reader, Scene, notice};
    use super::*;

    fn document(reader: Reader) -> Value {
        let record = Scene::hostile().record(&FORMAT, reader).expect("a record");
        serde_json::from_slice(&record.bytes).expect("JSON")
    }

    #[test]
    fn an_alert_is_a_detection_finding() {
        let finding = document(Reader::All);
        for (path, value) in [
            ("/class_uid", json!(2004)),
            ("/type_uid", json!(200_401)),
            ("/time", json!(1_700_000_000_123_u64)),
            ("/severity_id", json!(5)),
            ("/metadata/version", json!("1.8.0")),
            ("/metadata/profiles", json!(["osint"])),
            ("/finding_info/analytic/uid", json!("id|=\\\n\"hostile")),
            ("/evidences/0/src_endpoint/ip", json!("192.0.2.10")),
            ("/evidences/0/dst_endpoint/port", json!(80)),
            ("/evidences/0/connection_info/protocol_num", json!(6)),
            ("/observables/0/value", json!("www.hostile.example")),
            ("/osint/0/value", json!("hostile.example")),
            ("/osint/0/vendor_name", json!("ho|st=ile\n\\\"Provider\r")),
            ("/osint/0/tlp", json!("AMBER")),
            ("/unmapped/url/domain", json!("www.hostile.example")),
            ("/unmapped/event/severity", json!(90)),
        ] {
            assert_eq!(finding.pointer(path), Some(&value), "{path} of {finding:#}");
        }
        assert_eq!(finding["finding_info"]["uid"], finding["metadata"]["uid"]);
    }

    #[test]
    fn a_customer_record_names_no_indicator_and_a_notice_is_a_base_event() {
        let finding = document(Reader::Customer);
        assert!(finding.get("osint").is_none() && finding["metadata"].get("profiles").is_none());
        assert!(finding["evidences"][0].get("dst_endpoint").is_none());
        assert_eq!(finding["unmapped"]["picket"]["record"], "customer");
        let said: Value = serde_json::from_slice(&FORMAT.notice(&notice()).bytes).expect("JSON");
        assert_eq!((&said["class_uid"], &said["activity_name"]), (&json!(0), &json!("alerts-dropped")));
        assert_eq!(said["unmapped"]["picket"]["dropped"], 7);
    }
}
