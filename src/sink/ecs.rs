//! JSON Lines in the Elastic Common Schema: one document an alert, keys sorted, so that equal runs give equal bytes.
//!
//! A match is `event.kind: alert` with `threat.enrichments[]`, one for each feed that names the indicator; what the schema
//! lacks is under `picket`. `event.id` is derived from the content: the same alert has the same id in every run.

use std::io::{self, Write};
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Format, Sink};
use crate::alert::{Alert, OwnedValue};
use crate::indicator::{Context, Indicator};
use crate::matcher::How;
use crate::packet::protocol;

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
pub fn document(alert: &Alert) -> Value {
    let indicator = alert.indicator();
    let id = indicator.id();
    let community_id = alert.community_id();
    let mut root = Map::new();
    let mut set = |path: &str, value: Value| insert(&mut root, path, value);
    for field in &alert.with {
        set(field.path.0, value_of(&field.value));
    }
    set("@timestamp", json!(alert.frame.time.to_string()));
    set("ecs.version", json!("9.2.0"));
    set("event.kind", json!("alert"));
    set("event.category", json!(["intrusion_detection"]));
    set("event.type", json!(["info"]));
    set("event.id", json!(event_id(alert, &id, &community_id)));
    set("event.severity", json!(severity(alert)));
    endpoint(&mut set, "source", alert.flow.originator, alert.has_ports());
    endpoint(&mut set, "destination", alert.flow.responder, alert.has_ports());
    network(&mut set, alert, community_id);
    set("observer.vendor", json!("Picket"));
    set("observer.product", json!("picket"));
    set("observer.type", json!("ids"));
    set("observer.version", json!(env!("CARGO_PKG_VERSION")));
    set("observer.name", json!("picket"));
    let sources: Vec<(&Context, u32)> = alert.set().indicators().sources(alert.indicator_ix()).collect();
    let enrichments = sources.iter().map(|(context, _)| enrichment(alert, &indicator, &id, context)).collect();
    set("threat.enrichments", Value::Array(enrichments));
    set("picket.capture", json!(alert.capture.to_string_lossy()));
    set("picket.frame", json!(alert.frame.number));
    set("picket.match", json!(how(alert.how)));
    set("picket.feed", sources.iter().map(|(context, line)| json!(format!("{}:{line}", context.feed))).collect());
    let markings: Vec<String> =
        sources.iter().map(|(context, _)| context.marking.to_string()).filter(|marking| !marking.is_empty()).collect();
    if !markings.is_empty() {
        set("picket.marking", json!(markings));
    }
    Value::Object(root)
}

fn endpoint(set: &mut impl FnMut(&str, Value), end: &str, (ip, port): (IpAddr, u16), has_port: bool) {
    set(&format!("{end}.address"), json!(ip.to_string()));
    set(&format!("{end}.ip"), json!(ip.to_string()));
    if has_port {
        set(&format!("{end}.port"), json!(port));
    }
}

fn network(set: &mut impl FnMut(&str, Value), alert: &Alert, community_id: String) {
    let flow = &alert.flow;
    if flow.is_arp {
        set("network.type", json!("arp"));
    } else {
        set("network.type", json!(if flow.originator.0.is_ipv4() { "ipv4" } else { "ipv6" }));
        set("network.iana_number", json!(flow.protocol_number.to_string()));
    }
    if let Some(transport) = transport(flow.protocol_number) {
        set("network.transport", json!(transport));
    }
    if let Some(protocol) = flow.protocol {
        set("network.protocol", json!(protocol));
    }
    set("network.community_id", json!(community_id));
    if let [outer, inner @ ..] = &flow.vlans[..] {
        set("network.vlan.id", json!(outer.to_string()));
        if let [inner, ..] = inner {
            set("network.inner.vlan.id", json!(inner.to_string()));
        }
    }
}

fn enrichment(alert: &Alert, indicator: &Indicator<'_>, id: &str, context: &Context) -> Value {
    let mut root = Map::new();
    let mut set = |path: &str, value: Value| insert(&mut root, path, value);
    set("matched.atomic", json!(alert.atomic));
    set("matched.field", json!(alert.field.0));
    set("matched.id", json!(id));
    set("matched.type", json!("indicator_match_rule"));
    let value = (indicator.kind.display)(indicator.value);
    set("indicator.type", json!(indicator.kind.name));
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
    Value::Object(root)
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

fn event_id(alert: &Alert, id: &str, community_id: &str) -> String {
    let mut hash = Sha256::new();
    let frame = &alert.frame;
    for part in [
        frame.time.as_ns().to_string().as_str(),
        &alert.capture.to_string_lossy(),
        &frame.number.to_string(),
        community_id,
        id,
        alert.field.0,
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn value_of(value: &OwnedValue) -> Value {
    match value {
        OwnedValue::Text(text) => json!(text),
        OwnedValue::Number(number) => json!(number),
    }
}

/// Sets a dotted path. A path below a value that is no object is left out: the schema has none.
fn insert(root: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            root.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            let below = root.entry(head).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = below {
                insert(map, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_nest_and_share_their_heads() {
        let mut root = Map::new();
        insert(&mut root, "a.b.c", json!(1));
        insert(&mut root, "a.b.d", json!("x"));
        insert(&mut root, "@timestamp", json!("t"));
        insert(&mut root, "a.b.c.e", json!("lost: c is no object"));
        assert_eq!(Value::Object(root), json!({"@timestamp": "t", "a": {"b": {"c": 1, "d": "x"}}}));
    }
}
