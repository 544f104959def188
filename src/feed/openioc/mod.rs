//! OpenIOC 1.1 (and 1.0, whose criteria are written alike): XML with a tree of `Indicator` (`AND`, `OR`) and `IndicatorItem`.
//!
//! An item under `OR` alone is an indicator of its own. Items under `AND` would have to hold together: that is honoured where it
//! says the same as one indicator (a remote address with a remote port), and refused otherwise. A document is at most
//! [`MAX_DOCUMENT_BYTES`] long; document type definitions are refused, and no entity is expanded but XML's own five.
//!
//! Source: <https://github.com/fireeye/OpenIOC_1.1>. Entries are counted by item, in the order of the document.

mod terms;

use std::borrow::Cow;
use std::io::Read;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::intake::{Intake, Meta};
use super::lines::Lines;
use super::{Broken, Format, field, refang};
use crate::indicator::{ContextIx, Draft, Index, Match, Refusal, Where};
use terms::{Meaning, meaning};

/// See the module. Known by its root element.
pub(super) const FORMAT: Format = Format { name: "openioc", unit: "object", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    head.trim_ascii_start().starts_with(b"<")
        && (has(b"<OpenIOC") || has(b"<ioc ") || has(b"schemas.mandiant.com/2010/ioc"))
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut bytes = Vec::new();
    lines.document().take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(Broken::Whole("an OpenIOC document longer than 16 MiB; nothing of it was loaded"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Broken::Whole("an OpenIOC document that is not UTF-8"))?;
    let mut document = Document::default();
    let mut reader = Reader::from_str(text);
    let walked = document.walk(&mut reader, intake);
    document.refuse_rest(intake);
    walked.map_err(|what| {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(bytes.len());
        let before = bytes.get(..at).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = at - memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1) + 1;
        Broken::Document { line, column, what }
    })
}

/// A document as far as it is read.
#[derive(Default)]
struct Document {
    about: About,
    /// `Indicator` elements that are open, the outermost first.
    groups: Vec<Group>,
    item: Option<Item>,
    /// The text of the element that is open, if it is one that is read.
    text: Option<String>,
    /// What the open `link` names.
    link: String,
    /// Items so far.
    count: u32,
}

/// What the metadata say.
#[derive(Default)]
struct About {
    short: Option<String>,
    long: Option<String>,
    author: Option<String>,
    reference: Option<String>,
    names: Vec<(Where, String)>,
}

#[derive(Default)]
struct Group {
    is_and: bool,
    children: Vec<Child>,
}

enum Child {
    Group(Group),
    Item(Item),
}

#[derive(Default)]
struct Item {
    number: u32,
    id: Option<String>,
    condition: String,
    is_negated: bool,
    search: String,
    content: String,
    /// It is said twice.
    is_bad: bool,
}

impl Document {
    fn walk(&mut self, reader: &mut Reader<&[u8]>, intake: &mut Intake<'_>) -> Result<(), &'static str> {
        loop {
            match reader.read_event().map_err(|_| "not well-formed XML")? {
                Event::Start(start) => self.open(&start)?,
                Event::Empty(start) => {
                    self.open(&start)?;
                    self.close(start.local_name().into_inner(), intake);
                }
                Event::End(end) => self.close(end.local_name().into_inner(), intake),
                Event::Text(text) => self.say(&text),
                Event::CData(text) => self.say(&text),
                Event::GeneralRef(reference) => {
                    let mut utf8 = [0; 4];
                    self.say(character(&reference)?.encode_utf8(&mut utf8));
                }
                Event::DocType(_) => return Err("a document type definition"),
                Event::Eof if self.groups.is_empty() && self.item.is_none() => return Ok(()),
                Event::Eof => return Err("the document breaks off"),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), &'static str> {
        match start.local_name().into_inner() {
            "ioc" | "OpenIOC" => self.about = About::default(),
            "Indicator" => {
                if self.groups.len() >= MAX_DEPTH {
                    return Err("nested too deep");
                }
                // What is neither is as strict as AND.
                let is_and = !attribute(start, "operator")?.eq_ignore_ascii_case("OR");
                self.groups.push(Group { is_and, children: Vec::new() });
            }
            "IndicatorItem" => {
                self.count = self.count.saturating_add(1);
                let id = attribute(start, "id")?;
                let condition = attribute(start, "condition")?;
                let is_negated = attribute(start, "negate")?.eq_ignore_ascii_case("true");
                let id = Some(id).filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES);
                self.item = Some(Item { number: self.count, id, condition, is_negated, ..Item::default() });
            }
            "Context" => {
                let search = attribute(start, "search")?;
                if let Some(item) = &mut self.item {
                    item.is_bad |= !item.search.is_empty();
                    item.search = search;
                }
            }
            "link" => {
                self.link = attribute(start, "rel")?;
                self.text = Some(String::new());
            }
            "Content" | "short_description" | "description" | "authored_by" => self.text = Some(String::new()),
            _ => {}
        }
        Ok(())
    }

    fn say(&mut self, more: &str) {
        if let Some(text) = &mut self.text {
            text.push_str(more);
        }
    }

    fn close(&mut self, name: &str, intake: &mut Intake<'_>) {
        match name {
            "IndicatorItem" => {
                if let Some(item) = self.item.take() {
                    self.put(Child::Item(item), intake);
                }
            }
            "Indicator" => {
                if let Some(group) = self.groups.pop() {
                    self.put(Child::Group(group), intake);
                }
            }
            _ => {
                if let Some(text) = self.text.take() {
                    self.keep(name, text);
                }
            }
        }
    }

    fn keep(&mut self, name: &str, text: String) {
        let text = text.trim().to_owned();
        match (name, &mut self.item) {
            (_, _) if text.is_empty() => {}
            ("Content", Some(item)) => {
                item.is_bad |= !item.content.is_empty();
                item.content = text;
            }
            ("short_description", None) => self.about.short = Some(text),
            ("description", None) => self.about.long = Some(text),
            ("authored_by", None) => self.about.author = Some(text),
            ("link", None) => {
                let rel = self.link.to_ascii_lowercase();
                match LINKS.iter().find(|(known, _)| *known == rel) {
                    Some((_, path)) if self.about.names.len() < MAX_NAMES => {
                        self.about.names.push((Where(path), text));
                    }
                    Some(_) => {}
                    None => self.about.reference = self.about.reference.take().or(Some(text)),
                }
            }
            _ => {}
        }
    }

    /// Puts an item or a group into the group around it; what stands in none is loaded.
    fn put(&mut self, child: Child, intake: &mut Intake<'_>) {
        match self.groups.last_mut() {
            Some(group) => group.children.push(child),
            None => match self.about.context(intake) {
                Ok(context) => load(&child, context, intake),
                Err(reason) => refuse(&child, reason, intake),
            },
        }
    }

    /// Counts what is still open: what it would have to hold together with is not known.
    fn refuse_rest(&mut self, intake: &mut Intake<'_>) {
        if let Some(item) = self.item.take() {
            intake.refuse(item.number, BREAKS_OFF);
        }
        for group in std::mem::take(&mut self.groups) {
            refuse(&Child::Group(group), BREAKS_OFF, intake);
        }
    }
}

impl About {
    fn context(&self, intake: &mut Intake<'_>) -> Result<ContextIx, Refusal> {
        let about: Vec<_> = self.names.iter().map(|(path, name)| (*path, name.as_str())).collect();
        intake.context(&Meta {
            provider: self.author.as_deref(),
            description: self.short.as_deref().or(self.long.as_deref()),
            reference: self.reference.as_deref(),
            about: &about,
            ..Meta::default()
        })
    }
}

fn load(child: &Child, context: ContextIx, intake: &mut Intake<'_>) {
    match child {
        Child::Item(item) => {
            if let Err(reason) = add(item, None, context, intake) {
                intake.refuse(item.number, reason);
            }
        }
        Child::Group(group) if !group.is_and || group.children.len() <= 1 => {
            group.children.iter().for_each(|child| load(child, context, intake));
        }
        Child::Group(group) => match endpoint(group) {
            Some((addr, port)) => {
                let added = checked(port)
                    .and_then(|_| field::number(&port.content))
                    .and_then(|number| add(addr, Some(number), context, intake));
                if let Err(reason) = added {
                    intake.refuse(addr.number, reason);
                }
            }
            None => refuse(child, AND, intake),
        },
    }
}

/// A remote address and a remote port that must hold together.
fn endpoint(group: &Group) -> Option<(&Item, &Item)> {
    let [Child::Item(a), Child::Item(b)] = group.children.as_slice() else { return None };
    let is_port = |item: &Item| matches!(meaning(&item.search), Meaning::RemotePort);
    let is_addr = |item: &Item| matches!(meaning(&item.search), Meaning::Kind(kind) if kind.index == Index::Prefix);
    match (is_addr(a) && is_port(b), is_addr(b) && is_port(a)) {
        (true, _) => Some((a, b)),
        (_, true) => Some((b, a)),
        _ => None,
    }
}

fn refuse(child: &Child, reason: Refusal, intake: &mut Intake<'_>) {
    match child {
        Child::Item(item) => intake.refuse(item.number, reason),
        Child::Group(group) => group.children.iter().for_each(|child| refuse(child, reason, intake)),
    }
}

fn checked(item: &Item) -> Result<Meaning, Refusal> {
    if item.is_bad {
        return Err(Refusal::BadField);
    }
    if item.is_negated || item.condition.eq_ignore_ascii_case("isnot") {
        return Err(Refusal::Unsupported("OpenIOC negated item"));
    }
    match meaning(&item.search) {
        Meaning::Refused(reason) => Err(Refusal::Unsupported(reason)),
        _ if !item.condition.eq_ignore_ascii_case("is") => Err(condition(&item.condition)),
        _ if item.content.is_empty() => Err(Refusal::Empty),
        known => Ok(known),
    }
}

fn add(item: &Item, port: Option<u16>, context: ContextIx, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let (kind, digits) = match checked(item)? {
        Meaning::Kind(kind) => (kind, None),
        Meaning::Digest(kind, digits) => (kind, Some(digits)),
        Meaning::RemotePort => return Err(Refusal::Unsupported("OpenIOC port without an address")),
        Meaning::Refused(reason) => return Err(Refusal::Unsupported(reason)),
    };
    let is_name = matches!(kind.index, Index::Prefix | Index::Suffix | Index::Path);
    let value = if is_name { refang(item.content.as_bytes()) } else { Cow::Borrowed(item.content.as_bytes()) };
    if digits.is_some_and(|digits| value.len() != digits) {
        return Err(Refusal::BadFingerprint);
    }
    let draft = Draft::new(kind, &value, context, item.number);
    intake.add(&Draft { id: item.id.as_deref(), matching: Some(Match::Exact), port, ..draft });
    Ok(())
}

fn condition(name: &str) -> Refusal {
    let known = CONDITIONS.iter().find(|reason| reason.ends_with(&format!(" {}", name.to_ascii_lowercase())));
    known.map_or(Refusal::BadField, |reason| Refusal::Unsupported(reason))
}

/// An attribute's text; empty if it is not there.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<String, &'static str> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| "a bad attribute")?;
        if attribute.key.local_name().into_inner() == name {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| "a bad attribute")?;
            return Ok(value.into_owned());
        }
    }
    Ok(String::new())
}

fn character(reference: &BytesRef<'_>) -> Result<char, &'static str> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| "a bad character reference")? {
        return Ok(character);
    }
    let known = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];
    let name: &str = reference;
    known.iter().find(|(known, _)| *known == name).map(|(_, character)| *character).ok_or("an entity of its own")
}

const AND: Refusal = Refusal::Unsupported("OpenIOC AND of several items");
const BREAKS_OFF: Refusal = Refusal::Unsupported("item of an OpenIOC document that breaks off");

const CONDITIONS: &[&str] = &[
    "OpenIOC condition contains",
    "OpenIOC condition containsnot",
    "OpenIOC condition matches",
    "OpenIOC condition starts-with",
    "OpenIOC condition ends-with",
    "OpenIOC condition greater-than",
    "OpenIOC condition less-than",
];

/// What the `rel` of a link names.
const LINKS: &[(&str, &str)] = &[
    ("threatgroup", "threat.group.name"),
    ("family", "threat.software.name"),
    ("malware", "threat.software.name"),
    ("threatcategory", "tags"),
    ("category", "tags"),
];

/// Longest document: real ones are some kilobytes.
const MAX_DOCUMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Deepest nesting of `Indicator` elements.
const MAX_DEPTH: usize = 64;

/// Names kept of the metadata.
const MAX_NAMES: usize = 16;

/// Longest id kept; every alert repeats it.
const MAX_ID_BYTES: usize = 256;

#[cfg(test)]
mod tests;
