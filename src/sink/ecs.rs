//! JSON Lines in the Elastic Common Schema: one document an alert, keys sorted, so that equal runs give equal bytes.
//!
//! A match is `event.kind: alert` with `threat.enrichments[]`, one for each feed that names the indicator; what the schema
//! lacks is under `picket`. `event.id` is derived from the content: the same alert has the same id in every run. A customer record
//! has `picket.record: customer` and keyed references in place of ids.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::Format;
use super::nested::Nested;
use super::record::notice_id;
use crate::alert::{AlertFlow, CustomerRecord, Full, Heading, Notice, OwnedValue, Release, Source, View};
use crate::indicator::{Condition, Kind};
use crate::matcher::How;
use crate::packet::{Ends, protocol};
use crate::time::Timestamp;

/// `--format ecs`.
pub static FORMAT: Format =
    Format { name: "ecs", media_type: "application/x-ndjson", header: None, view: write, notice };

pub(super) const SOURCE: [&str; 3] = ["source.address", "source.ip", "source.port"];

pub(super) const DESTINATION: [&str; 3] = ["destination.address", "destination.ip", "destination.port"];

/// A view as an Elastic Common Schema document.
fn write(view: &View<'_>, out: &mut Vec<u8>) {
    let mut root = Nested::default();
    match view {
        View::Full(full) => {
            traffic(&mut root, full);
            indicator(&mut root, &full.release, Some(full));
        }
        View::Partial(release, record) => {
            customer(&mut root, record);
            indicator(&mut root, release, None);
        }
        View::Customer(record) => customer(&mut root, record),
        View::Nothing => return,
    }
    finish(root, ["alert", "intrusion_detection"], out);
}

fn notice(notice: &Notice, out: &mut Vec<u8>) {
    let mut root = Nested::default();
    said_by(&mut root, notice);
    root.set("@timestamp", json!(notice.time.to_string()));
    root.set("event.severity", json!(notice.severity));
    root.set("message", json!(notice.message));
    finish(root, ["event", "host"], out);
}

/// What formats with fields of their own for time, severity and message have no field for.
pub(super) fn said_by(root: &mut Nested, notice: &Notice) {
    root.set("event.id", json!(notice_id(notice)));
    root.set("event.action", json!(notice.action));
    for (path, value) in &notice.fields {
        root.set(path.0, value_of(value));
    }
}

fn finish(mut root: Nested, [kind, category]: [&'static str; 2], out: &mut Vec<u8>) {
    observer(&mut root);
    root.set("event.kind", json!(kind));
    root.set("event.category", json!([category]));
    root.set("event.type", json!(["info"]));
    root.write(out);
}

/// Who writes, and by which version of the schema.
pub(super) fn observer(root: &mut Nested) {
    for (path, value) in [
        ("ecs.version", json!("9.2.0")),
        ("observer.vendor", json!("Picket")),
        ("observer.product", json!("picket")),
        ("observer.type", json!("ids")),
        ("observer.version", json!(env!("CARGO_PKG_VERSION"))),
        ("observer.name", json!("picket")),
    ] {
        root.set(path, value);
    }
}

/// The flow, the message and the packet.
fn traffic(root: &mut Nested, full: &Full<'_>) {
    message(root, full);
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    set("@timestamp", json!(full.frame().time.to_string()));
    let flow = full.flow();
    match flow.hardware() {
        Some([source, destination]) => {
            set("source.address", json!(source));
            set("source.mac", json!(source));
            set("destination.address", json!(destination));
            set("destination.mac", json!(destination));
        }
        None => {
            endpoint(&mut set, SOURCE, flow.originator, full.has_ports());
            endpoint(&mut set, DESTINATION, flow.responder, full.has_ports());
        }
    }
    network(&mut set, flow, full.community_id());
    set("picket.capture", json!(full.capture().to_string_lossy()));
    set("picket.frame", json!(full.frame().number));
}

/// How many others a record stands for, and from when to when.
fn repeated(set: &mut impl FnMut(&'static str, Value), (count, first, last): (u64, Timestamp, Timestamp)) {
    set("event.start", json!(first.to_string()));
    set("event.end", json!(last.to_string()));
    set("picket.repeats.count", json!(count));
}

/// What was known of the message, and the alert's id: what formats with fields of their own for the rest of it have no field for.
pub(super) fn message(root: &mut Nested, full: &Full<'_>) {
    for field in full.with() {
        root.set(field.path.0, value_of(&field.value));
    }
    root.set("event.id", json!(full.event_id()));
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    if let Some(file) = full.evidence() {
        set("picket.evidence.path", json!(file.path.to_string_lossy()));
        set("picket.evidence.sha256", json!(file.sha256));
    }
    if let Some(repeats) = full.repeats() {
        repeated(&mut set, (repeats.count, repeats.first, repeats.last));
        set("picket.repeats.by", json!(repeats.why.word()));
        set("picket.repeats.sources", json!(repeats.sources.count));
        set("picket.repeats.destinations", json!(repeats.destinations.count));
        // Hosts are told apart up to a number: then there are so many at least.
        if repeats.sources.is_more || repeats.destinations.is_more {
            set("picket.repeats.more_hosts", json!(true));
        }
    }
}

/// What the feeds say, of the sources that release it; with the value as seen if that is released too.
fn indicator(root: &mut Nested, release: &Release<'_>, full: Option<&Full<'_>>) {
    about_match(root, release);
    let enrichments = release.sources.iter().map(|source| enrichment(release, full, source)).collect();
    root.set_list("threat.enrichments", enrichments);
}

/// The match, and what all sources that release the indicator say of it.
pub(super) fn about_match(root: &mut Nested, release: &Release<'_>) {
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    set("event.severity", json!(release.severity()));
    set("picket.match", json!(how(release.how)));
    for (path, value) in release.indicator.when.into_iter().flat_map(Condition::parts) {
        set(path, json!(value));
    }
    let feeds = release.feeds();
    if !feeds.is_empty() {
        set("picket.feed", json!(feeds));
    }
    let markings = release.sources.iter().map(|source| source.marking().to_string());
    let markings: Vec<String> = markings.filter(|marking| !marking.is_empty()).collect();
    if !markings.is_empty() {
        set("picket.marking", json!(markings));
    }
    for (path, texts) in about(&release.sources) {
        set(path, json!(texts));
    }
}

/// The fields of a customer record, and no other.
fn customer(root: &mut Nested, record: &CustomerRecord) {
    about_record(root, record);
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    set("@timestamp", json!(record.time.to_string()));
    if let Some(host) = record.internal {
        let paths = match record.direction {
            Heading::Inbound => DESTINATION,
            _ => SOURCE,
        };
        endpoint(&mut set, paths, (host.ip, host.port.unwrap_or(0)), host.port.is_some());
    }
}

/// All of a customer record but its time and host.
pub(super) fn about_record(root: &mut Nested, record: &CustomerRecord) {
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    set("event.severity", json!(record.severity));
    set("network.direction", json!(record.direction.word()));
    set("picket.record", json!("customer"));
    set("picket.action", json!(record.action));
    set("picket.handling", json!(record.handling));
    if let Some(repeats) = record.repeats {
        repeated(&mut set, (repeats.count, repeats.first, repeats.last));
    }
    if let Some(references) = &record.references {
        set("event.id", json!(references.event));
        set("picket.reference", json!(references.indicator));
        set("picket.flow_reference", json!(references.flow));
    }
}

/// What the sources say besides: each path with all its texts.
fn about<'a>(sources: &[Source<'a>]) -> BTreeMap<&'static str, BTreeSet<&'a str>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (path, text) in sources.iter().flat_map(Source::about) {
        all.entry(path.0).or_default().insert(text);
    }
    all
}

pub(super) fn endpoint(
    set: &mut impl FnMut(&'static str, Value),
    [address, ip_path, port_path]: [&'static str; 3],
    (ip, port): (IpAddr, u16),
    has_port: bool,
) {
    let text = ip.to_string();
    set(address, json!(&text));
    set(ip_path, json!(text));
    if has_port {
        set(port_path, json!(port));
    }
}

pub(super) fn network(set: &mut impl FnMut(&'static str, Value), flow: &AlertFlow, community_id: Option<String>) {
    match flow.ends {
        Ends::Hardware => {}
        Ends::Arp => set("network.type", json!("arp")),
        Ends::Ip => {
            set("network.type", json!(if flow.originator.0.is_ipv4() { "ipv4" } else { "ipv6" }));
            set("network.iana_number", json!(flow.protocol_number.to_string()));
        }
    }
    if let Some(transport) = transport(flow.protocol_number) {
        set("network.transport", json!(transport));
    }
    if let Some(protocol) = flow.protocol {
        set("network.protocol", json!(protocol));
    }
    if let Some(community_id) = community_id {
        set("network.community_id", json!(community_id));
    }
    if let [outer, inner @ ..] = &flow.vlans[..] {
        set("network.vlan.id", json!(outer.to_string()));
        if let [inner, ..] = inner {
            set("network.inner.vlan.id", json!(inner.to_string()));
        }
    }
}

fn enrichment(release: &Release<'_>, full: Option<&Full<'_>>, source: &Source<'_>) -> Nested {
    let indicator = &release.indicator;
    let mut root = Nested::default();
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    if let Some(full) = full {
        set("matched.atomic", json!(full.atomic()));
        set("matched.field", json!(full.field().0));
    }
    set("matched.id", json!(indicator.id()));
    set("matched.type", json!("indicator_match_rule"));
    let value = (indicator.kind.display)(indicator.value);
    set("indicator.type", json!(schema_type(indicator.kind)));
    set("indicator.name", json!(value));
    if matches!(indicator.value.len(), 4 | 16) && matches!(indicator.kind.name, "ipv4-addr" | "ipv6-addr") {
        set("indicator.ip", json!(value));
    }
    if let Some(port) = indicator.port {
        set("indicator.port", json!(port));
    }
    match indicator.kind.name {
        "url" => set("indicator.url.full", json!(value)),
        "domain-name" => set("indicator.url.domain", json!(value)),
        "x509-certificate" if indicator.value.len() == 40 => set("indicator.x509.hash.sha1", json!(value)),
        "x509-certificate" => set("indicator.x509.hash.sha256", json!(value)),
        "x509-subject" => set("indicator.x509.subject.distinguished_name", json!(value)),
        "x509-issuer" => set("indicator.x509.issuer.distinguished_name", json!(value)),
        "x509-serial" => set("indicator.x509.serial_number", json!(value)),
        _ => {}
    }
    let optional = [
        ("indicator.provider", source.provider()),
        ("indicator.confidence", source.confidence()),
        ("indicator.reference", source.reference()),
        ("indicator.description", source.description()),
        ("indicator.first_seen", source.first_seen()),
    ];
    for (path, text) in optional {
        if let Some(text) = text {
            set(path, json!(text));
        }
    }
    if let Some(tlp) = source.marking().tlp {
        set("indicator.marking.tlp", json!(tlp.to_string()));
    }
    root
}

/// `threat.indicator.type`: the schema has one word for everything of a certificate.
fn schema_type(kind: &Kind) -> &'static str {
    match kind.name {
        "x509-subject" | "x509-issuer" | "x509-serial" => "x509-certificate",
        name => name,
    }
}

/// The word for how an indicator covers a value.
pub(super) fn how(how: How) -> &'static str {
    match how {
        How::Exact => "exact",
        How::Subtree { .. } => "subtree",
        How::Network { .. } => "network",
        How::Port => "port",
        How::Prefix => "prefix",
        How::Pattern { .. } => "pattern",
        How::Message(_) | How::Header | How::Rule { .. } => "rule",
    }
}

/// `network.transport` of an IP protocol number.
pub(super) fn transport(protocol_number: u8) -> Option<&'static str> {
    Some(match protocol_number {
        protocol::TCP => "tcp",
        protocol::UDP => "udp",
        protocol::ICMP => "icmp",
        protocol::ICMPV6 => "ipv6-icmp",
        protocol::SCTP => "sctp",
        2 => "igmp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        _ => return None,
    })
}

fn value_of(value: &OwnedValue) -> Value {
    match value {
        OwnedValue::Text(text) => json!(text),
        OwnedValue::Number(number) => json!(number),
    }
}
