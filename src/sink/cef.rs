//! ArcSight's Common Event Format, version 0, one event a line.
//!
//! In the header a backslash and a bar have a backslash in front, in the extension a backslash and an equals sign; a line end of a value is
//! `\n` or `\r`, in the header a space. The dictionary's `src` and `dst` hold IPv4 addresses only: IPv6 has fields of its own. What the dictionary
//! has no key for has one of Picket's, after its Elastic Common Schema path: `PicketDnsQuestionName`.

use std::fmt::Write;
use std::net::IpAddr;

use serde_json::Value;

use super::Format;
use super::ecs::{about_match, about_record, message, said_by, transport};
use super::nested::Nested;
use crate::alert::{CustomerRecord, Full, Heading, Notice, OwnedValue, Release, Source, View};

/// `--format cef`.
pub static FORMAT: Format = Format { name: "cef", media_type: "text/plain", header: None, view: write, notice };

/// Keys of the dictionary for what parsers know of a message.
const OF_MESSAGE: [(&str, &str); 7] = [
    ("url.full", "request"),
    ("url.domain", "destinationDnsDomain"),
    ("tls.client.server_name", "dhost"),
    ("http.request.method", "requestMethod"),
    ("user_agent.original", "requestClientApplication"),
    ("file.name", "fname"),
    ("file.size", "fsize"),
];

/// Address, then port, of an end: the keys of IPv4, and the key and label of IPv6.
struct EndKeys {
    ip: &'static str,
    port: &'static str,
    mac: &'static str,
    ipv6: [&'static str; 3],
}

const SOURCE: EndKeys =
    EndKeys { ip: "src", port: "spt", mac: "smac", ipv6: ["c6a2", "c6a2Label", "Source IPv6 Address"] };

const DESTINATION: EndKeys =
    EndKeys { ip: "dst", port: "dpt", mac: "dmac", ipv6: ["c6a3", "c6a3Label", "Destination IPv6 Address"] };

/// An event as it is put together: the extension after the header.
struct Event<'o> {
    out: &'o mut Vec<u8>,
    has_pairs: bool,
}

impl<'o> Event<'o> {
    /// Writes the header. Severity is 0 to 10 in it.
    fn new(out: &'o mut Vec<u8>, id: &str, name: &str, severity: u8) -> Self {
        let severity = (severity / 10).min(10);
        let head = [id, name].map(in_header).join("|");
        let line = format!("CEF:0|Picket|picket|{}|{head}|{severity}|", env!("CARGO_PKG_VERSION"));
        out.extend_from_slice(line.as_bytes());
        Self { out, has_pairs: false }
    }

    /// Adds a pair; an empty value says nothing and is left out.
    fn set(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        if std::mem::replace(&mut self.has_pairs, true) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'=');
        self.out.extend_from_slice(in_extension(value).as_bytes());
    }

    /// A custom field of the dictionary with its label.
    fn custom(&mut self, key: &str, label: &str, value: &str) {
        if !value.is_empty() {
            self.set(key, value);
            self.set(&format!("{key}Label"), label);
        }
    }

    fn end(&mut self, keys: &EndKeys, ip: IpAddr, port: Option<u16>) {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.set(keys.ip, &ip.to_string()),
            IpAddr::V6(ip) => {
                let [key, label_key, label] = keys.ipv6;
                self.set(key, &ip.to_string());
                self.set(label_key, label);
            }
        }
        if let Some(port) = port {
            self.set(keys.port, &port.to_string());
        }
    }

    /// Whatever else there is, under keys of Picket's own.
    fn rest(&mut self, rest: &Nested) {
        for (path, value) in rest.values() {
            let text = match value {
                Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
                value => plain(value),
            };
            self.set(&key_of(path), &text);
        }
    }
}

fn write(view: &View<'_>, out: &mut Vec<u8>) {
    let mut rest = Nested::default();
    let (release, record) = match view {
        View::Full(full) => {
            let title = format!("Threat indicator seen in {}", full.field().0);
            let mut event = Event::new(out, &full.release.indicator.id(), &title, full.release.severity());
            traffic(&mut event, full);
            indicator(&mut event, &full.release, Some(full));
            message(&mut rest, full);
            about_match(&mut rest, &full.release);
            return event.rest(&rest);
        }
        View::Partial(release, record) => (Some(release), record),
        View::Customer(record) => (None, record),
        View::Nothing => return,
    };
    let id = release.map_or("withheld".into(), |release| release.indicator.id());
    let severity = release.map_or(record.severity, Release::severity);
    let mut event = Event::new(out, &id, "Threat indicator seen", severity);
    customer(&mut event, record);
    about_record(&mut rest, record);
    if let Some(release) = release {
        indicator(&mut event, release, None);
        about_match(&mut rest, release);
    }
    event.rest(&rest);
}

fn notice(notice: &Notice, out: &mut Vec<u8>) {
    let mut rest = Nested::default();
    said_by(&mut rest, notice);
    let mut event = Event::new(out, notice.action, &notice.action.replace('-', " "), notice.severity);
    event.set("rt", &(notice.time.as_ns() / NS_PER_MS).to_string());
    event.set("cat", "sensor");
    event.set("msg", &notice.message);
    event.rest(&rest);
}

fn traffic(event: &mut Event<'_>, full: &Full<'_>) {
    let flow = full.flow();
    event.set("rt", &(full.frame().time.as_ns() / NS_PER_MS).to_string());
    event.set("cat", "threat-indicator");
    match flow.hardware() {
        Some([source, destination]) => {
            event.set(SOURCE.mac, &source.replace('-', ":"));
            event.set(DESTINATION.mac, &destination.replace('-', ":"));
        }
        None => {
            let port = |port| full.has_ports().then_some(port);
            event.end(&SOURCE, flow.originator.0, port(flow.originator.1));
            event.end(&DESTINATION, flow.responder.0, port(flow.responder.1));
        }
    }
    event.set("proto", &transport(flow.protocol_number).unwrap_or_default().to_uppercase());
    event.set("app", flow.protocol.unwrap_or_default());
    event.custom("cn1", "Frame", &full.frame().number.to_string());
    event.custom("cs5", "Community ID", &full.community_id().unwrap_or_default());
    event.custom("flexString1", "Capture", &full.capture().to_string_lossy());
    let vlans: Vec<String> = flow.vlans.iter().map(u16::to_string).collect();
    event.set("PicketVlanId", &vlans.join(", "));
    for field in full.with() {
        if let Some((_, key)) = OF_MESSAGE.iter().find(|(path, _)| *path == field.path.0) {
            match &field.value {
                OwnedValue::Text(text) => event.set(key, text),
                OwnedValue::Number(number) => event.set(key, &number.to_string()),
            }
        }
    }
}

/// Of the traffic, what a customer record has.
fn customer(event: &mut Event<'_>, record: &CustomerRecord) {
    event.set("rt", &(record.time.as_ns() / NS_PER_MS).to_string());
    event.set("cat", "threat-indicator");
    if let Some(host) = record.internal {
        let keys = if record.direction == Heading::Inbound { &DESTINATION } else { &SOURCE };
        event.end(keys, host.ip, host.port);
    }
    match record.direction {
        Heading::Inbound => event.set("deviceDirection", "0"),
        Heading::Outbound => event.set("deviceDirection", "1"),
        Heading::Internal | Heading::External => {}
    }
    event.set("msg", record.action);
}

fn indicator(event: &mut Event<'_>, release: &Release<'_>, full: Option<&Full<'_>>) {
    let indicator = &release.indicator;
    let all = |of: fn(&Source<'_>) -> Option<String>| -> String {
        let mut texts: Vec<String> = release.sources.iter().filter_map(of).collect();
        texts.sort_unstable();
        texts.dedup();
        texts.join(", ")
    };
    event.custom("cs1", "Indicator", &(indicator.kind.display)(indicator.value));
    event.custom("cs2", "Provider", &all(|source| source.provider().map(str::to_owned)));
    if let Some(full) = full {
        event.custom("cs3", "Matched Field", full.field().0);
        event.custom("cs4", "Matched Value", full.atomic());
    }
    event.custom("cs6", "Confidence", &all(|source| source.confidence().map(str::to_owned)));
    event.set("PicketIndicatorType", indicator.kind.name);
    event.set("PicketIndicatorPort", &indicator.port.map(|port| port.to_string()).unwrap_or_default());
    event.set("PicketIndicatorFirstSeen", &all(|source| source.first_seen().map(str::to_owned)));
    event.set("PicketIndicatorReference", &all(|source| source.reference().map(str::to_owned)));
    event.set("PicketIndicatorDescription", &all(|source| source.description().map(str::to_owned)));
}

/// `dns.question.name` is `PicketDnsQuestionName`: keys are letters and digits.
fn key_of(path: &str) -> String {
    let path = path.strip_prefix("picket.").unwrap_or(path);
    let mut key = String::from("Picket");
    for word in path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        key.push_str(&first.to_ascii_uppercase());
        key.push_str(rest);
    }
    key
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn in_header(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' => {
                out.push('\\');
                out.push(c);
            }
            _ if c.is_control() => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

fn in_extension(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '=' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            _ if c.is_control() => {
                let _ = write!(out, "\\\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

/// CEF's times are milliseconds.
const NS_PER_MS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::super::testing::{Reader, Scene, notice};
    use super::*;

    fn line(reader: Reader) -> String {
        let record = Scene::hostile().record(&FORMAT, reader).expect("a record");
        String::from_utf8(record.bytes).expect("UTF-8")
    }

    #[test]
    fn escapes_are_those_of_arcsight() {
        assert_eq!(in_header("a|b\\c=d\ne"), "a\\|b\\\\c=d e");
        assert_eq!(in_extension("a|b\\c=d\r\ne\u{7}"), "a|b\\\\c\\=d\\r\\ne\\\\u0007");
        assert_eq!(key_of("dns.question.name"), "PicketDnsQuestionName");
        assert_eq!(key_of("picket.flow_reference"), "PicketFlowReference");
    }

    #[test]
    fn an_alert_has_seven_parts_and_pairs() {
        let line = line(Reader::All);
        let head = format!(
            "CEF:0|Picket|picket|{}|id\\|=\\\\ \"hostile|Threat indicator seen in url.domain|9|rt=1700000000123 ",
            env!("CARGO_PKG_VERSION")
        );
        assert!(line.starts_with(&head), "{line}");
        for pair in [
            " src=192.0.2.10 spt=40000 dst=203.0.113.66 dpt=80 proto=TCP app=http ",
            " cs2=ho|st\\=ile\\n\\\\\"Provider\\r cs2Label=Provider ",
            " cs4=www.hostile.example cs4Label=Matched Value ",
            " PicketUrlDomain=www.hostile.example",
            " PicketEventSeverity=90",
        ] {
            assert!(line.contains(pair), "{pair} in {line}");
        }
    }

    #[test]
    fn customer_records_and_notices_are_events() {
        let line = line(Reader::Customer);
        assert!(line.contains("|withheld|Threat indicator seen|9|rt=1700000000000 "), "{line}");
        assert!(line.contains("src=192.0.2.10 spt=40000 deviceDirection=1 ") && !line.contains("dst="), "{line}");
        let said = String::from_utf8(FORMAT.notice(&notice()).bytes).expect("UTF-8");
        assert!(said.contains("|alerts-dropped|alerts dropped|7|") && said.contains("PicketDropped=7"), "{said}");
    }

    #[test]
    fn ipv6_has_fields_of_its_own() {
        let mut out = Vec::new();
        let mut event = Event::new(&mut out, "id", "name", 255);
        event.end(&DESTINATION, "2001:db8::1".parse().expect("address"), Some(53));
        let said = String::from_utf8(out).expect("UTF-8");
        assert!(said.ends_with("|id|name|10|c6a3=2001:db8::1 c6a3Label=Destination IPv6 Address dpt=53"), "{said}");
    }
}
