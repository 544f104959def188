//! MISP warning lists: names, networks and values that are known to be harmless, to be given as an allow-list.
//!
//! `hostname` covers a name and everything below it, `cidr` a network, `string` a whole value. `substring` and `regex` are
//! refused: an allow-list that covers more than was meant hides what should have been seen.
//!
//! Source: misp-warninglists' `schema.json`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::intake::{Intake, Meta};
use super::super::json::{self, Bounded, Scalar, elements, passes_over};
use super::super::lines::Lines;
use super::super::{Broken, Format, recognise};
use crate::indicator::kind::{DOMAIN, IPV4};
use crate::indicator::{ContextIx, Draft, Index, Match, Refusal};

/// See the module. Known by the keys that it must have.
pub(in crate::feed) const FORMAT: Format = Format { name: "misp-warninglist", unit: "object", sniff, read };

/// The list may be longer than the head, and stands before the name and the type.
fn sniff(head: &[u8], _: &str) -> bool {
    let keys = [&b"\"name\""[..], b"\"description\"", b"\"matching_attributes\"", b"\"version\"", b"\"type\""];
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    super::first_key(head).is_some_and(|key| FIRST_KEYS.contains(&key))
        && has(b"\"list\"")
        && keys.iter().any(|key| has(key))
        && !has(b"\"Event\"")
        && !has(b"\"bundle\"")
        && !has(b"threat.indicator")
}

const FIRST_KEYS: [&[u8]; 6] = [b"description", b"list", b"matching_attributes", b"name", b"type", b"version"];

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    if !intake.is_allow_list() {
        return Err(Broken::Whole("a MISP warning list says what is harmless: give it to --allow"));
    }
    let mut json = serde_json::Deserializer::from_reader(Bounded::new(lines.document()));
    let list =
        List::default().deserialize(&mut json).and_then(|list| json.end().map(|()| list)).map_err(json::broken)?;
    let context = intake.context(&Meta { description: list.name.as_deref(), ..Meta::default() });
    let mut line = 0;
    for value in list.values() {
        line += 1;
        if let Err(reason) = context.and_then(|context| list.entry(value, context, line, intake)) {
            intake.refuse(line, reason);
        }
    }
    for _ in 0..list.dropped {
        line = line.saturating_add(1);
        intake.refuse(line, Refusal::Unsupported("entry beyond what is held of one warning list"));
    }
    Ok(())
}

/// A list, held because its type stands behind its values.
#[derive(Default)]
struct List {
    name: Option<String>,
    kind: Option<String>,
    /// The values, end to end, and where each ends.
    texts: String,
    ends: Vec<usize>,
    dropped: u64,
}

impl List {
    fn values(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let value = self.texts.get(start..*end).unwrap_or_default();
            start = *end;
            value
        })
    }

    fn entry(&self, value: &str, context: ContextIx, line: u32, intake: &mut Intake<'_>) -> Result<(), Refusal> {
        let value = value.trim();
        let known;
        let (kind, value, matching) = match self.kind.as_deref() {
            Some("hostname") => (&DOMAIN, value.trim_start_matches('.').as_bytes(), Match::Subtree),
            Some("cidr") => (&IPV4, value.as_bytes(), Match::Exact),
            Some("string") => {
                known = recognise(value.as_bytes())?;
                if known.port.is_some() && known.kind.index != Index::Prefix {
                    return Err(Refusal::Unrecognised);
                }
                (known.kind, known.value, Match::Exact)
            }
            Some("substring") => return Err(Refusal::Unsupported("warning list of type substring")),
            Some("regex") => return Err(Refusal::Unsupported("warning list of type regex")),
            _ => return Err(Refusal::Unsupported("warning list of a type that is not known")),
        };
        // A name list may hold addresses: a host is either.
        let is_addr = *kind == DOMAIN && recognise(value).is_ok_and(|known| known.kind.index == Index::Prefix);
        let (kind, matching) = if is_addr { (&IPV4, Match::Exact) } else { (kind, matching) };
        intake.add(&Draft { matching: Some(matching), ..Draft::new(kind, value, context, line) });
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for List {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a warning list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "name" => self.name = map.next_value::<Scalar>()?.0,
                "type" => {
                    let Scalar(kind) = map.next_value()?;
                    // Two that differ are a type that is not known.
                    let same = self.kind.is_none() || self.kind == kind;
                    self.kind = if same { kind } else { Some(String::new()) };
                }
                "list" => map.next_value_seed(elements(|Scalar(value): Scalar| {
                    let value = value.unwrap_or_default();
                    if self.texts.len() + value.len() > MAX_LIST_BYTES || self.ends.len() >= MAX_ENTRIES {
                        self.dropped += 1;
                    } else {
                        self.texts.push_str(&value);
                        self.ends.push(self.texts.len());
                    }
                }))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(self)
    }

    passes_over!(seq List::default());
}

/// Most held of one list; the largest published ones have a million names.
const MAX_LIST_BYTES: usize = 256 * 1024 * 1024;
const MAX_ENTRIES: usize = 1 << 23;
