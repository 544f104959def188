//! Writes indicators as MISP events: [`write()`]. One event a provider, one attribute a source of an indicator; the same input
//! gives the same bytes, UUIDs included (version 5).
//!
//! What MISP cannot say of an indicator without its matching more, or being handled less strictly, leaves the entry out. A
//! marking goes out as tags; an event has no `distribution`, so whoever imports it decides, and the tags stand.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::Written;
use crate::feed::suricata;
use crate::indicator::kind::{
    BYTES, CERTIFICATE, DOMAIN, EMAIL_ADDR, EMAIL_SUBJECT, FILE, FILE_NAME, HASSH, JA3, SERIAL, URL, USER_AGENT,
};
use crate::indicator::{
    About, Condition, ContextRef, Digest, Index, Indicator, IndicatorIx, IndicatorSet, Match, Pattern,
};
use crate::marking::Marking;
use crate::time::Timestamp;

/// What an event says that no indicator does.
#[derive(Clone)]
pub(crate) struct Heading<'a> {
    /// `info` of each event.
    pub info: &'a str,
    /// `Orgc.name` of the event of indicators that name no provider.
    pub organisation: &'a str,
    /// `timestamp` of everything and `date` of each event.
    pub at: Timestamp,
}

crate::bytes::opaque_debug!(Heading<'_>, "Heading");

/// Writes every indicator that MISP can hold as `{"response": [{"Event": ..}, ..]}`.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn write(set: &IndicatorSet, heading: &Heading<'_>, out: &mut dyn Write) -> io::Result<Written> {
    let mut providers: BTreeMap<&str, Vec<(IndicatorIx, usize)>> = BTreeMap::new();
    for indicator in set.iter() {
        for (place, (context, _)) in set.sources(indicator.ix).enumerate() {
            let provider = context.provider.unwrap_or(heading.organisation);
            providers.entry(provider).or_default().push((indicator.ix, place));
        }
    }
    let mut writer = Writer { set, heading, used: HashSet::new(), written: Written::default() };
    out.write_all(b"{\"response\": [")?;
    for (number, (provider, entries)) in providers.iter().enumerate() {
        out.write_all(if number > 0 { b",\n" } else { b"\n" })?;
        writer.event(provider, entries, out)?;
    }
    out.write_all(b"\n]}\n")?;
    Ok(writer.written)
}

struct Writer<'a> {
    set: &'a IndicatorSet,
    heading: &'a Heading<'a>,
    /// UUIDs that attributes have: MISP allows each once.
    used: HashSet<Uuid>,
    written: Written,
}

impl Writer<'_> {
    fn event(&mut self, provider: &str, entries: &[(IndicatorIx, usize)], out: &mut dyn Write) -> io::Result<()> {
        let secs = self.heading.at.secs();
        let uuid = Uuid::new_v5(&NAMESPACE, format!("event\0{}\0{provider}\0{secs}", self.heading.info).as_bytes());
        let organisation = Uuid::new_v5(&NAMESPACE, format!("organisation\0{provider}").as_bytes());
        let date = jiff::Timestamp::from_second(i64::try_from(secs).unwrap_or(i64::MAX)).unwrap_or_default();
        let head = json!({
            "uuid": uuid.to_string(),
            "info": self.heading.info,
            "date": date.to_string().get(..10).unwrap_or("1970-01-01"),
            "timestamp": secs.to_string(),
            "threat_level_id": "4",
            "analysis": "2",
            "published": false,
            "Orgc": {"uuid": organisation.to_string(), "name": provider},
        });
        let head = head.to_string();
        write!(out, "{{\"Event\": {}, \"Attribute\": [", head.strip_suffix('}').unwrap_or(&head))?;
        let mut gap = "\n";
        for (ix, place) in entries {
            let indicator = self.set.get(*ix);
            let Some((context, _)) = self.set.sources(*ix).nth(*place) else { continue };
            let rule = suricata::of_itself(&indicator);
            let (rest, about) = rule.as_ref().map_or((context, Vec::new()), |rule| rule.rest(&context));
            let context = if rule.is_some() { ContextRef { about: About::of(&about), ..rest } } else { rest };
            match attribute(&indicator, rule.is_some(), &context) {
                Err(why) => self.written.leave_out(why),
                Ok(mut attribute) => {
                    let uuid = self.uuid(&indicator, *place);
                    attribute.insert("uuid".into(), json!(uuid.to_string()));
                    attribute.insert("timestamp".into(), json!(secs.to_string()));
                    write!(out, "{gap}{}", Value::Object(attribute))?;
                    gap = ",\n";
                    self.written.written += 1;
                    self.count_lost(&context);
                }
            }
        }
        out.write_all(b"\n]}}")
    }

    /// The indicator's id if it is a UUID; made of it otherwise.
    fn uuid(&mut self, indicator: &Indicator<'_>, place: usize) -> Uuid {
        let id = indicator.id();
        if let Ok(uuid) = Uuid::try_parse(&id)
            && self.used.insert(uuid)
        {
            return uuid;
        }
        let mut name = format!("attribute\0{id}\0{place}\0{}", indicator.ix.0);
        loop {
            let uuid = Uuid::new_v5(&NAMESPACE, name.as_bytes());
            if self.used.insert(uuid) {
                return uuid;
            }
            name.push('\0');
        }
    }

    fn count_lost(&mut self, context: &ContextRef<'_>) {
        let has_word = context.confidence.is_some_and(|word| confidence(word).is_none());
        let about = context.about.iter().any(|(path, _)| !TOLD.contains(&path.0));
        let lost = [
            ("severity", context.severity.is_some()),
            ("reference", context.reference.is_some()),
            ("confidence", has_word),
            ("what it is about", about),
        ];
        lost.iter().filter(|(_, lost)| *lost).for_each(|(what, _)| self.written.lose(what));
    }
}

/// An attribute without its UUID; or why there is none.
fn attribute(
    indicator: &Indicator<'_>,
    is_rule: bool,
    context: &ContextRef<'_>,
) -> Result<Map<String, Value>, &'static str> {
    let (kind, value) = match is_rule {
        true => ("suricata", String::from_utf8_lossy(indicator.value).into_owned()),
        false => typed(indicator)?,
    };
    if value.trim() != value || value.len() > MAX_VALUE_BYTES || value.contains(['\r', '\n']) {
        return Err("value");
    }
    let mut attribute = Map::new();
    let mut put = |key: &str, value: Value| attribute.insert(key.to_owned(), value);
    put("type", json!(kind));
    put("category", json!(category(kind)));
    put("to_ids", json!(true));
    put("value", json!(value));
    put("comment", json!(context.description.unwrap_or_default()));
    if let Some(seen) = context.first_seen {
        put("first_seen", json!(seen));
    }
    let tags = tags(context)?;
    if !tags.is_empty() {
        put("Tag", Value::Array(tags.iter().map(|name| json!({"name": name})).collect()));
    }
    let Indicator { window, .. } = *indicator;
    match (window.from, window.until) {
        (Timestamp::ZERO, Timestamp::MAX) => {}
        (Timestamp::ZERO, until) if until == Timestamp::from_parts(until.secs(), 0) && until.secs() > 0 => {
            put("Sighting", json!([{"type": "2", "date_sighting": until.secs().to_string()}]));
        }
        _ => return Err("validity"),
    }
    Ok(attribute)
}

/// The attribute type and value of an indicator.
fn typed(indicator: &Indicator<'_>) -> Result<(&'static str, String), &'static str> {
    let Indicator { kind, matching, port, transport, pattern, when, .. } = *indicator;
    if transport.is_some() || pattern != Pattern::default() {
        return Err("port or transport");
    }
    let text = || match std::str::from_utf8(indicator.value) {
        Ok(_) => Ok((kind.display)(indicator.value).into_owned()),
        Err(_) => Err("bytes that are no text"),
    };
    if kind.index == Index::Prefix {
        let addr = (kind.display)(indicator.value);
        return match (port, when) {
            (_, Some(_)) => Err("condition"),
            (Some(port), None) => Ok(("ip-dst|port", format!("{addr}|{port}"))),
            (None, None) => Ok(("ip-dst", addr.into_owned())),
        };
    }
    if port.is_some() {
        return Err("port or transport");
    }
    if *kind == DOMAIN {
        return match (matching, when) {
            (Match::Exact, Some(when)) => match port_alone(when) {
                Some(port) => Ok(("hostname|port", format!("{}|{port}", text()?))),
                None => Err("condition"),
            },
            (_, Some(_)) => Err("condition"),
            (Match::Exact, None) => Ok(("hostname", text()?)),
            (_, None) => Ok(("domain", text()?)),
        };
    }
    if when.is_some() {
        return Err("condition");
    }
    if matching == Match::Prefix {
        return Err("prefix of a URL");
    }
    if *kind == BYTES {
        return Ok(("pattern-in-traffic", (kind.display)(indicator.value).into_owned()));
    }
    let value = text()?;
    let digest = Digest::of_length(value.len());
    let plain = [
        (&URL, "url"),
        (&USER_AGENT, "user-agent"),
        (&JA3, "ja3-fingerprint-md5"),
        (&HASSH, "hassh-md5"),
        (&FILE_NAME, "filename"),
        (&EMAIL_ADDR, "email"),
        (&EMAIL_SUBJECT, "email-subject"),
        (&SERIAL, "x509-serial-number"),
    ];
    let digests = [
        (&FILE, Some(Digest::Md5), "md5"),
        (&FILE, Some(Digest::Sha1), "sha1"),
        (&FILE, Some(Digest::Sha256), "sha256"),
        (&CERTIFICATE, Some(Digest::Sha1), "x509-fingerprint-sha1"),
        (&CERTIFICATE, Some(Digest::Sha256), "x509-fingerprint-sha256"),
    ];
    let name = plain.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name);
    let name = name.or_else(|| digests.iter().find(|(known, of, _)| *known == kind && *of == digest).map(|d| d.2));
    Ok((name.ok_or("kind")?, value))
}

fn port_alone(when: &Condition) -> Option<u16> {
    let port = when.port?;
    (Condition { port: Some(port), ..Condition::default() } == *when).then_some(port)
}

fn category(kind: &str) -> &'static str {
    match kind {
        "md5" | "sha1" | "sha256" | "filename" | "email" | "email-subject" => "Payload delivery",
        _ => "Network activity",
    }
}

/// Handling, confidence and what it is about, as tags.
fn tags(context: &ContextRef<'_>) -> Result<Vec<String>, &'static str> {
    let &Marking { tlp, pap, .. } = context.marking;
    if (Marking { tlp, pap, ..Marking::default() }) != *context.marking {
        // Tags hold no release list, and what they would leave out makes the marking milder.
        return Err("classification or further markings");
    }
    let mut tags = Vec::new();
    tags.extend(tlp.map(|tlp| format!("tlp:{}", tlp.to_string().to_ascii_lowercase())));
    tags.extend(pap.map(|pap| format!("PAP:{pap}")));
    tags.extend(context.confidence.and_then(confidence).map(|level| format!("misp:confidence-level=\"{level}\"")));
    let mut about = context.about.iter().peekable();
    while let Some((path, text)) = about.next() {
        let galaxy = match path.0 {
            "tags" => {
                tags.push(text.to_string());
                continue;
            }
            "threat.group.name" => "threat-actor",
            "threat.software.name" => "tool",
            "threat.technique.name" | "threat.technique.subtechnique.name" => "mitre-attack-pattern",
            _ => continue,
        };
        let id_path = path.0.replace(".name", ".id");
        let id = about.next_if(|(next, _)| next.0 == id_path).map(|(_, id)| format!(" - {id}"));
        tags.push(format!("misp-galaxy:{galaxy}=\"{text}{}\"", id.unwrap_or_default()));
    }
    Ok(tags)
}

/// The level of MISP's taxonomy for a word of the schema.
fn confidence(word: &str) -> Option<&'static str> {
    let levels = [
        ("High", "usually-confident"),
        ("Medium", "fairly-confident"),
        ("Low", "rarely-confident"),
        ("None", "unconfident"),
        ("Not Specified", "confidence-cannot-be-evalued"),
    ];
    levels.iter().find(|(known, _)| *known == word).map(|(_, level)| *level)
}

/// Paths that become tags.
const TOLD: &[&str] = &[
    "tags",
    "threat.group.name",
    "threat.group.id",
    "threat.software.name",
    "threat.software.id",
    "threat.technique.name",
    "threat.technique.id",
    "threat.technique.subtechnique.name",
    "threat.technique.subtechnique.id",
];

/// What the UUIDs are made in: version 5 of `https://picket.invalid/misp` in the URL namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0x8c06_22f2_435a_5b0f_b1cb_93c8_8749_cbaa);

/// Longest value written: what a reader of MISP takes here.
const MAX_VALUE_BYTES: usize = 16 * 1024;
