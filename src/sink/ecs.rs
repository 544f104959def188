//! JSON Lines in the Elastic Common Schema: one document an alert, keys sorted, so that equal runs give equal bytes.
//!
//! A match is `event.kind: alert` with `threat.enrichments[]`, one for each feed that names the indicator; what the schema
//! lacks is under `picket`. `event.id` is derived from the content: the same alert has the same id in every run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::nested::Nested;
use super::{Format, Sink};
use crate::alert::{Alert, OwnedValue};
use crate::indicator::{Condition, Context, Indicator, Kind};
use crate::matcher::How;
use crate::packet::{Ends, protocol};

/// `--format ecs`.
pub static FORMAT: Format = Format { name: "ecs", open: |writer| Box::new(Ecs { writer, line: Vec::new() }) };

/// `event.severity` where the feed gives none: the middle.
const DEFAULT_SEVERITY: u8 = 50;

struct Ecs {
    writer: Box<dyn Write + Send>,
    line: Vec<u8>,
}

impl Sink for Ecs {
    fn write(&mut self, alert: &Alert) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, &document(alert))?;
        self.line.push(b'\n');
        self.writer.write_all(&self.line)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// An alert as an Elastic Common Schema document.
fn document(alert: &Alert) -> impl Serialize {
    let indicator = alert.indicator();
    let id = indicator.id();
    let community_id = alert.community_id();
    let conversation = community_id.clone().unwrap_or_else(|| alert.flow.addresses().join(" "));
    let mut root = Nested::default();
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    for field in &alert.with {
        set(field.path.0, value_of(&field.value));
    }
    set("@timestamp", json!(alert.frame.time.to_string()));
    set("ecs.version", json!("9.2.0"));
    set("event.kind", json!("alert"));
    set("event.category", json!(["intrusion_detection"]));
    set("event.type", json!(["info"]));
    set("event.id", json!(event_id(alert, &id, &conversation)));
    set("event.severity", json!(severity(alert)));
    match alert.flow.hardware() {
        Some([source, destination]) => {
            set("source.address", json!(source));
            set("source.mac", json!(source));
            set("destination.address", json!(destination));
            set("destination.mac", json!(destination));
        }
        None => {
            endpoint(
                &mut set,
                ["source.address", "source.ip", "source.port"],
                alert.flow.originator,
                alert.has_ports(),
            );
            let paths = ["destination.address", "destination.ip", "destination.port"];
            endpoint(&mut set, paths, alert.flow.responder, alert.has_ports());
        }
    }
    network(&mut set, alert, community_id);
    set("observer.vendor", json!("Picket"));
    set("observer.product", json!("picket"));
    set("observer.type", json!("ids"));
    set("observer.version", json!(env!("CARGO_PKG_VERSION")));
    set("observer.name", json!("picket"));
    let sources: Vec<(&Context, u32)> = alert.set().indicators().sources(alert.indicator_ix()).collect();
    set("picket.capture", json!(alert.capture.to_string_lossy()));
    set("picket.frame", json!(alert.frame.number));
    set("picket.match", json!(how(alert.how)));
    for (path, value) in indicator.when.into_iter().flat_map(Condition::parts) {
        set(path, json!(value));
    }
    set("picket.feed", sources.iter().map(|(context, line)| json!(format!("{}:{line}", context.feed))).collect());
    let markings: Vec<String> =
        sources.iter().map(|(context, _)| context.marking.to_string()).filter(|marking| !marking.is_empty()).collect();
    if !markings.is_empty() {
        set("picket.marking", json!(markings));
    }
    for (path, texts) in about(&sources) {
        set(path, json!(texts));
    }
    let enrichments = sources.iter().map(|(context, _)| enrichment(alert, &indicator, &id, context)).collect();
    root.set_list("threat.enrichments", enrichments);
    root
}

/// What the sources say besides: each path with all its texts.
fn about<'a>(sources: &[(&'a Context, u32)]) -> BTreeMap<&'static str, BTreeSet<&'a str>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (path, text) in sources.iter().flat_map(|(context, _)| &context.about) {
        all.entry(path.0).or_default().insert(&**text);
    }
    all
}

fn endpoint(
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

fn network(set: &mut impl FnMut(&'static str, Value), alert: &Alert, community_id: Option<String>) {
    let flow = &alert.flow;
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

fn enrichment(alert: &Alert, indicator: &Indicator<'_>, id: &str, context: &Context) -> Nested {
    let mut root = Nested::default();
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    set("matched.atomic", json!(alert.atomic));
    set("matched.field", json!(alert.field.0));
    set("matched.id", json!(id));
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
        ("indicator.provider", &context.provider),
        ("indicator.confidence", &context.confidence),
        ("indicator.reference", &context.reference),
        ("indicator.description", &context.description),
        ("indicator.first_seen", &context.first_seen),
    ];
    for (path, text) in optional {
        if let Some(text) = text {
            set(path, json!(text));
        }
    }
    if let Some(tlp) = context.marking.tlp {
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

/// The severity of the most severe source.
pub(super) fn severity(alert: &Alert) -> u8 {
    let sources = alert.set().indicators().sources(alert.indicator_ix());
    sources.filter_map(|(context, _)| context.severity).max().unwrap_or(DEFAULT_SEVERITY)
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

fn event_id(alert: &Alert, id: &str, conversation: &str) -> String {
    let mut hash = Sha256::new();
    let frame = &alert.frame;
    for part in [
        frame.time.as_ns().to_string().as_str(),
        &alert.capture.to_string_lossy(),
        &frame.number.to_string(),
        conversation,
        id,
        alert.field.0,
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let first = hash.finalize().iter().take(16).fold(0u128, |all, &byte| all << 8 | u128::from(byte));
    format!("{first:032x}")
}

fn value_of(value: &OwnedValue) -> Value {
    match value {
        OwnedValue::Text(text) => json!(text),
        OwnedValue::Number(number) => json!(number),
    }
}
