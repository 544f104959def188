//! Picket's own format, written: one document a line and source. Reading it back gives the same indicators, ids, limits,
//! validity, markings and contexts; only which feed and line they came from is new.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Writer, Written, leave_out, text_of};
use crate::feed::document::ABOUT;
use crate::indicator::kind::BYTES;
use crate::indicator::{ContextRef, Index, Indicator, IndicatorSet, Match, Transport};
use crate::marking::{Acs, Marking};
use crate::time::Timestamp;

/// See the module.
pub(super) const WRITER: Writer = Writer { name: "native", write: |set, _, out| write(set, out) };

fn write(set: &IndicatorSet, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    let mut line = Line::default();
    for indicator in set.iter() {
        if indicator.rule.is_some() {
            leave_out(set, &indicator, "a rule of a rule language", &mut written);
            continue;
        }
        let shown = (indicator.kind.display)(indicator.value);
        if indicator.kind.index != Index::Pattern
            && std::str::from_utf8(indicator.value).is_err()
            && !is_addr(&indicator)
        {
            leave_out(set, &indicator, "a value that is not UTF-8", &mut written);
            continue;
        }
        for (context, _) in set.sources(indicator.ix) {
            if !can_mark(context.marking) {
                written.leave_out("a marking beyond TLP, PAP and classification");
                continue;
            }
            line.begin();
            entry(&indicator, &shown, &mut line);
            describe(&context, &mut line, &mut written);
            out.write_all(line.end())?;
            written.written += 1;
        }
    }
    Ok(written)
}

fn is_addr(indicator: &Indicator<'_>) -> bool {
    indicator.kind.index == Index::Prefix
}

fn entry(indicator: &Indicator<'_>, shown: &str, line: &mut Line) {
    line.text("threat.indicator.type", indicator.kind.name);
    if let Some(id) = indicator.given_id() {
        line.text("threat.indicator.id", id);
    }
    if *indicator.kind == BYTES {
        signature(indicator, shown, line);
    } else {
        line.text("threat.indicator.name", shown);
        if let Some(port) = indicator.port {
            line.number("threat.indicator.port", port.into());
        }
    }
    if indicator.matching != indicator.kind.default_match {
        line.text("picket.match", name_of_match(indicator.matching));
    }
    if let Some(transport) = indicator.transport {
        line.text("picket.transport", name_of_transport(transport));
    }
    if indicator.window.from != Timestamp::ZERO {
        line.text("picket.valid_from", &indicator.window.from.to_string());
    }
    if indicator.window.until != Timestamp::MAX {
        line.text("picket.valid_until", &indicator.window.until.to_string());
    }
    for (path, part) in indicator.when.iter().flat_map(|when| when.parts()) {
        line.text(path, &part);
    }
}

fn signature(indicator: &Indicator<'_>, shown: &str, line: &mut Line) {
    let limits = indicator.pattern;
    line.text("picket.pattern.content", shown);
    if limits.nocase {
        line.text("picket.pattern.nocase", "true");
    }
    let numbers = [
        ("picket.pattern.offset", limits.offset),
        ("picket.pattern.depth", limits.depth),
        ("picket.pattern.source_port", limits.source_port.map(u32::from)),
        ("picket.pattern.destination_port", indicator.port.map(u32::from)),
    ];
    for (path, number) in numbers {
        if let Some(number) = number {
            line.number(path, number);
        }
    }
}

fn describe(context: &ContextRef<'_>, line: &mut Line, written: &mut Written) {
    let texts = [
        ("threat.indicator.provider", context.provider),
        ("threat.indicator.confidence", context.confidence),
        ("threat.indicator.reference", context.reference),
        ("threat.indicator.description", context.description),
        ("threat.indicator.first_seen", context.first_seen),
    ];
    for (path, text) in texts {
        if let Some(text) = text {
            line.text(path, text);
        }
    }
    if let Some(severity) = context.severity {
        line.number("picket.severity", severity.into());
    }
    mark(context.marking, line);
    for path in ABOUT {
        let mut said = context.about.iter().filter(|(at, _)| at.0 == *path).map(|(_, text)| text).peekable();
        if said.peek().is_some() {
            line.texts(path, said);
        }
    }
    if context.about.iter().any(|(at, _)| !ABOUT.contains(&at.0)) {
        written.lose("a field without a place");
    }
}

/// Of what few markings have, ACS, one statement and one agency that marks as CUI have a place.
fn can_mark(marking: &Marking) -> bool {
    let has_no_more = marking.undefined_refs().is_empty() && !marking.hides_source();
    has_no_more
        && marking.designators().len() <= 1
        && marking.statements().len() <= 1
        && marking.acs().iter().all(|one| one.to_json().is_some())
}

fn mark(marking: &Marking, line: &mut Line) {
    if let [statement] = marking.statements() {
        line.text("picket.statement", statement);
    }
    let acs: Vec<Value> = marking.acs().iter().filter_map(Acs::to_json).collect();
    if !acs.is_empty() {
        line.key("picket.acs");
        line.0.extend_from_slice(Value::from(acs).to_string().as_bytes());
    }
    if let [designator] = marking.designators() {
        line.key("picket.cui");
        // What else the definition said is in the classification.
        let object = json!({"extension_type": "property-extension", "control": "CUI", "designator_ref": &**designator});
        line.0.extend_from_slice(object.to_string().as_bytes());
    }
    if let Some(tlp) = marking.tlp {
        line.text("threat.indicator.marking.tlp", &tlp.to_string());
    }
    if let Some(pap) = marking.pap {
        line.text("picket.pap", &pap.to_string());
    }
    if let Some(classification) = &marking.classification {
        line.text("picket.classification", &text_of(classification));
    }
}

pub(super) fn name_of_match(matching: Match) -> &'static str {
    match matching {
        Match::Exact => "exact",
        Match::Subtree => "subtree",
        Match::Prefix => "prefix",
    }
}

pub(super) fn name_of_transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        // No feed can name it.
        Transport::Ethernet => "ethernet",
    }
}

/// One document, its keys dotted.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    fn begin(&mut self) {
        self.0.clear();
    }

    fn key(&mut self, key: &str) {
        self.0.extend_from_slice(if self.0.is_empty() { b"{\"" } else { b",\"" });
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.quote(text);
    }

    fn number(&mut self, key: &str, number: u32) {
        self.key(key);
        self.0.extend_from_slice(number.to_string().as_bytes());
    }

    fn texts<'a>(&mut self, key: &str, texts: impl Iterator<Item = &'a str>) {
        self.key(key);
        for (at, text) in texts.enumerate() {
            self.0.push(if at == 0 { b'[' } else { b',' });
            self.quote(text);
        }
        self.0.push(b']');
    }

    fn quote(&mut self, text: &str) {
        // Neither a string's serialisation nor writing to a vector fails.
        let _ = serde_json::to_writer(&mut self.0, text);
    }

    fn end(&mut self) -> &[u8] {
        self.0.extend_from_slice(b"}\n");
        &self.0
    }
}
