//! JSON Lines as Suricata writes its alerts (EVE, `event_type: alert`), so that what reads Suricata reads Picket.
//!
//! An indicator stands where Suricata has a signature: its id and provider make the signature's name, and its number where the id is one, else
//! 31 bits of the id's digest. What EVE has no field for is under `ecs`, as the Elastic Common Schema calls it. A notice is an
//! `event_type: engine`.

use serde_json::{Value, json};

use super::Format;
use super::ecs::{about_match, about_record, how, message, said_by, transport};
use super::nested::Nested;
use super::record::digest;
use crate::alert::{AlertFlow, CustomerRecord, Full, Heading, Notice, OwnedValue, Release, Source, View};
use crate::packet::protocol;
use crate::time::Timestamp;

/// `--format eve`.
pub static FORMAT: Format =
    Format { name: "eve", media_type: "application/x-ndjson", header: None, view: write, notice };

/// EVE's fields for what parsers know of a message.
const OF_MESSAGE: [(&str, &str); 20] = [
    ("dns.id", "dns.id"),
    ("dns.type", "dns.type"),
    ("dns.question.name", "dns.rrname"),
    ("dns.question.type", "dns.rrtype"),
    ("dns.response_code", "dns.rcode"),
    ("url.domain", "http.hostname"),
    ("user_agent.original", "http.http_user_agent"),
    ("http.request.method", "http.http_method"),
    ("http.response.status_code", "http.status"),
    ("tls.client.server_name", "tls.sni"),
    ("tls.server.subject", "tls.subject"),
    ("tls.server.issuer", "tls.issuerdn"),
    ("tls.server.x509.serial_number", "tls.serial"),
    ("tls.client.ja3", "tls.ja3.hash"),
    ("tls.server.ja3s", "tls.ja3s.hash"),
    ("tls.client.ja4", "tls.ja4"),
    ("file.name", "fileinfo.filename"),
    ("file.size", "fileinfo.size"),
    ("email.from.address", "email.from"),
    ("email.subject", "email.subject"),
];

fn write(view: &View<'_>, out: &mut Vec<u8>) {
    let mut root = Nested::default();
    let mut rest = Nested::default();
    match view {
        View::Full(full) => {
            traffic(&mut root, full);
            message(&mut rest, full);
            signature(&mut root, &full.release, Some(full));
            about_match(&mut rest, &full.release);
        }
        View::Partial(release, record) => {
            customer(&mut root, record);
            about_record(&mut rest, record);
            signature(&mut root, release, None);
            about_match(&mut rest, release);
        }
        View::Customer(record) => {
            customer(&mut root, record);
            about_record(&mut rest, record);
            let number = record.references.as_ref().map_or(0, |of| number_of(&of.indicator));
            named(&mut root, number, "Indicator withheld", "Threat indicator", record.severity);
        }
        View::Nothing => return,
    }
    root.set("event_type", json!("alert"));
    root.set_object("ecs", rest);
    root.write(out);
}

fn notice(notice: &Notice, out: &mut Vec<u8>) {
    let mut root = Nested::default();
    let mut rest = Nested::default();
    said_by(&mut rest, notice);
    rest.set("event.severity", json!(notice.severity));
    root.set("timestamp", json!(timestamp(notice.time)));
    root.set("event_type", json!("engine"));
    root.set("log_level", json!(if notice.severity < 40 { "Notice" } else { "Warning" }));
    root.set("engine.module", json!(notice.action));
    root.set("engine.message", json!(notice.message));
    root.set_object("ecs", rest);
    root.write(out);
}

fn traffic(root: &mut Nested, full: &Full<'_>) {
    let flow = full.flow();
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    set("timestamp", json!(timestamp(full.frame().time)));
    set("pcap_cnt", json!(full.frame().number));
    set("pcap_filename", json!(full.capture().to_string_lossy()));
    match flow.hardware() {
        Some(ends) => {
            let [source, destination] = ends.map(|end| end.replace('-', ":").to_lowercase());
            set("ether.src_mac", json!(source));
            set("ether.dest_mac", json!(destination));
        }
        None => {
            set("src_ip", json!(flow.originator.0.to_string()));
            set("dest_ip", json!(flow.responder.0.to_string()));
            set("proto", json!(proto(flow)));
        }
    }
    if full.has_ports() {
        set("src_port", json!(flow.originator.1));
        set("dest_port", json!(flow.responder.1));
    }
    if let Some(id) = full.community_id() {
        set("flow_id", json!(flow_number(&id)));
        set("community_id", json!(id));
    }
    if let Some(protocol) = flow.protocol {
        set("app_proto", json!(protocol));
    }
    if !flow.vlans.is_empty() {
        set("vlan", json!(flow.vlans));
    }
    for field in full.with() {
        if let Some((_, path)) = OF_MESSAGE.iter().find(|(ecs, _)| *ecs == field.path.0) {
            let value = match &field.value {
                OwnedValue::Text(text) => json!(text),
                OwnedValue::Number(number) => json!(number),
            };
            set(path, value);
        }
    }
}

/// Of the traffic, what a customer record has.
fn customer(root: &mut Nested, record: &CustomerRecord) {
    root.set("timestamp", json!(timestamp(record.time)));
    if let Some(host) = record.internal {
        let [ip, port] = match record.direction {
            Heading::Inbound => ["dest_ip", "dest_port"],
            _ => ["src_ip", "src_port"],
        };
        root.set(ip, json!(host.ip.to_string()));
        if let Some(number) = host.port {
            root.set(port, json!(number));
        }
    }
    if let Some(references) = &record.references {
        root.set("flow_id", json!(flow_number(&references.flow)));
    }
}

fn signature(root: &mut Nested, release: &Release<'_>, full: Option<&Full<'_>>) {
    let indicator = &release.indicator;
    let id = indicator.id();
    let all = |of: fn(&Source<'_>) -> Option<String>| -> Vec<String> {
        let mut texts: Vec<String> = release.sources.iter().filter_map(of).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    };
    let providers = all(|source| source.provider().map(str::to_owned));
    let name = [&providers[..1.min(providers.len())].join(""), id.as_ref()].join(" ");
    named(root, number_of(&id), name.trim(), &format!("Threat indicator: {}", indicator.kind.name), release.severity());
    let mut set = |path: &'static str, texts: Vec<String>| {
        if !texts.is_empty() {
            root.set(path, json!(texts));
        }
    };
    set("alert.metadata.indicator_id", vec![id.into_owned()]);
    set("alert.metadata.indicator_type", vec![indicator.kind.name.to_owned()]);
    set("alert.metadata.indicator", vec![(indicator.kind.display)(indicator.value).into_owned()]);
    set("alert.metadata.indicator_port", indicator.port.iter().map(u16::to_string).collect());
    set("alert.metadata.match", vec![how(release.how).to_owned()]);
    set("alert.metadata.provider", providers);
    set("alert.metadata.confidence", all(|source| source.confidence().map(str::to_owned)));
    set("alert.metadata.first_seen", all(|source| source.first_seen().map(str::to_owned)));
    set("alert.metadata.reference", all(|source| source.reference().map(str::to_owned)));
    set("alert.metadata.description", all(|source| source.description().map(str::to_owned)));
    set("alert.metadata.tlp", all(|source| source.marking().tlp.map(|tlp| tlp.to_string())));
    if let Some(full) = full {
        set("alert.metadata.matched_field", vec![full.field().0.to_owned()]);
        set("alert.metadata.matched_value", vec![full.atomic().to_owned()]);
    }
}

fn named(root: &mut Nested, number: u32, name: &str, category: &str, severity: u8) {
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    set("alert.action", json!("allowed"));
    set("alert.gid", json!(1));
    set("alert.signature_id", json!(number));
    set("alert.rev", json!(1));
    set("alert.signature", json!(name));
    set("alert.category", json!(category));
    // Suricata's: 1 is the most severe of three.
    set("alert.severity", json!(if severity >= 70 { 1 } else { 3 - u8::from(severity >= 40) }));
}

/// The id itself where it is a number, as rules' are; else 31 bits of its digest.
fn number_of(id: &str) -> u32 {
    let of_digest = || u32::from_str_radix(&digest([id.as_bytes()])[..8], 16).unwrap_or_default() >> 1;
    id.parse().unwrap_or_else(|_| of_digest())
}

/// 52 bits, which every reader of JSON keeps.
fn flow_number(conversation: &str) -> u64 {
    u64::from_str_radix(&digest([conversation.as_bytes()])[..13], 16).unwrap_or_default()
}

/// As Suricata writes protocols.
fn proto(flow: &AlertFlow) -> String {
    match transport(flow.protocol_number) {
        _ if flow.protocol_number == protocol::ICMPV6 => "IPv6-ICMP".to_owned(),
        Some(name) => name.to_uppercase(),
        None => format!("{:03}", flow.protocol_number),
    }
}

/// Microseconds, and an offset without a colon: `2023-11-14T22:13:20.000000+0000`.
fn timestamp(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}+0000", text.get(..26).unwrap_or(&text))
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
    fn an_alert_is_one_of_suricata() {
        let alert = document(Reader::All);
        for (path, value) in [
            ("/timestamp", json!("2023-11-14T22:13:20.123456+0000")),
            ("/event_type", json!("alert")),
            ("/src_ip", json!("192.0.2.10")),
            ("/src_port", json!(40_000)),
            ("/dest_ip", json!("203.0.113.66")),
            ("/dest_port", json!(80)),
            ("/proto", json!("TCP")),
            ("/app_proto", json!("http")),
            ("/community_id", json!("1:x+BKv/nh8O9FTPMmHWQLfFye/0M=")),
            ("/vlan", json!([5])),
            ("/pcap_cnt", json!(7)),
            ("/alert/action", json!("allowed")),
            ("/alert/severity", json!(1)),
            ("/alert/signature", json!("ho|st=ile\n\\\"Provider\r id|=\\\n\"hostile")),
            ("/alert/metadata/matched_field/0", json!("url.domain")),
            ("/http/hostname", json!("www.hostile.example")),
            ("/ecs/event/severity", json!(90)),
            ("/ecs/picket/match", json!("subtree")),
        ] {
            assert_eq!(alert.pointer(path), Some(&value), "{path} of {alert:#}");
        }
        assert!(alert["alert"]["signature_id"].as_u64().is_some_and(|id| id > 0 && id < 1 << 31));
    }

    #[test]
    fn a_customer_record_and_a_notice_are_too() {
        let alert = document(Reader::Customer);
        assert_eq!(alert["alert"]["signature"], "Indicator withheld");
        assert_eq!(alert["timestamp"], "2023-11-14T22:13:20.000000+0000");
        assert_eq!((&alert["src_ip"], &alert["src_port"]), (&json!("192.0.2.10"), &json!(40_000)));
        assert!(alert.get("dest_ip").is_none() && alert["alert"].get("metadata").is_none());
        assert_eq!(alert["ecs"]["picket"]["record"], "customer");
        let said: Value = serde_json::from_slice(&FORMAT.notice(&notice()).bytes).expect("JSON");
        assert_eq!((&said["event_type"], &said["ecs"]["picket"]["dropped"]), (&json!("engine"), &json!(7)));
    }

    #[test]
    fn a_number_of_a_rule_stays_itself() {
        assert_eq!(number_of("2001219"), 2_001_219);
        assert!(number_of("an id") < 1 << 31 && number_of("an id") != number_of("another"));
    }
}
