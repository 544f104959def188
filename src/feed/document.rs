//! [`Document`]: the fields of one JSON document that Picket reads, found under nested or dotted keys alike.
//!
//! `{"threat": {"indicator": {"type": ..}}}`, `{"threat.indicator.type": ..}` and every mixture are the same document.
//! Nothing else of the document is kept or walked. Depth is bounded by serde_json (128), size by the longest line.

mod outline;
mod paths;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read;
use serde_json::value::RawValue;

use crate::indicator::{Refusal, Where};

use outline::Outlines;
use paths::{At, Means};

/// The texts of known fields. Numbers and booleans are kept as written; `null` and empty texts are absent.
pub(super) struct Document {
    said: Said,
    outlines: Outlines,
}

/// What a document says.
struct Said {
    texts: [String; FIELDS.len()],
    /// A bit for each field.
    present: u64,
    /// A field was set twice, differently, or to what is no text, number or boolean.
    bad: bool,
    /// A condition that is not understood.
    bad_condition: bool,
    /// What is said at the paths of [`ABOUT`], in the order it came: each path, and where its text ends in `about_texts`.
    about: Vec<(Where, usize)>,
    about_texts: String,
    /// Markings that are objects, as JSON.
    markings: Vec<(Scheme, Box<RawValue>)>,
}

/// The scheme of a marking that is an object, as its STIX extension has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `picket.acs`
    Acs,
    /// `picket.cui`
    Cui,
}

/// Where such a marking is, whole. What is below here in dotted keys is refused: a part passed over could loosen.
const SCHEMES: [(&str, Scheme); 2] = [("picket.acs", Scheme::Acs), ("picket.cui", Scheme::Cui)];

/// Whom or what an entry indicates, and its tags: fields of which every value is kept.
pub(super) const ABOUT: &[&str] = &[
    "threat.group.name",
    "threat.group.id",
    "threat.group.alias",
    "threat.software.name",
    "threat.software.id",
    "threat.software.type",
    "threat.tactic.name",
    "threat.tactic.id",
    "threat.technique.name",
    "threat.technique.id",
    "threat.technique.subtechnique.name",
    "threat.technique.subtechnique.id",
    "threat.framework",
    "rule.name",
    "rule.id",
    "tags",
];

/// A field: its position in [`FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field(usize);

macro_rules! fields {
    ($($name:ident $path:literal)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Place { $($name),* }
        $(pub(super) const $name: Field = Field(Place::$name as usize);)*
        const FIELDS: &[&str] = &[$($path),*];
    };
}

fields! {
    KIND "threat.indicator.type"
    NAME "threat.indicator.name"
    ID "threat.indicator.id"
    IP "threat.indicator.ip"
    PORT "threat.indicator.port"
    URL_FULL "threat.indicator.url.full"
    URL_DOMAIN "threat.indicator.url.domain"
    X509_SHA1 "threat.indicator.x509.hash.sha1"
    X509_SHA256 "threat.indicator.x509.hash.sha256"
    X509_SUBJECT "threat.indicator.x509.subject.distinguished_name"
    X509_ISSUER "threat.indicator.x509.issuer.distinguished_name"
    X509_SERIAL "threat.indicator.x509.serial_number"
    EMAIL_ADDRESS "threat.indicator.email.address"
    FILE_MD5 "threat.indicator.file.hash.md5"
    FILE_SHA1 "threat.indicator.file.hash.sha1"
    FILE_SHA256 "threat.indicator.file.hash.sha256"
    FILE_SHA384 "threat.indicator.file.hash.sha384"
    FILE_SHA512 "threat.indicator.file.hash.sha512"
    FILE_SSDEEP "threat.indicator.file.hash.ssdeep"
    FILE_TLSH "threat.indicator.file.hash.tlsh"
    FILE_NAME "threat.indicator.file.name"
    PROVIDER "threat.indicator.provider"
    CONFIDENCE "threat.indicator.confidence"
    FIRST_SEEN "threat.indicator.first_seen"
    REFERENCE "threat.indicator.reference"
    DESCRIPTION "threat.indicator.description"
    TLP "threat.indicator.marking.tlp"
    MATCH "picket.match"
    TRANSPORT "picket.transport"
    PAP "picket.pap"
    CLASSIFICATION "picket.classification"
    STATEMENT "picket.statement"
    VALID_FROM "picket.valid_from"
    VALID_UNTIL "picket.valid_until"
    SEVERITY "picket.severity"
    CONTENT "picket.pattern.content"
    NOCASE "picket.pattern.nocase"
    OFFSET "picket.pattern.offset"
    DEPTH "picket.pattern.depth"
    PATTERN_TRANSPORT "picket.pattern.transport"
    SOURCE_PORT "picket.pattern.source_port"
    DESTINATION_PORT "picket.pattern.destination_port"
    PATTERN_PORT "picket.pattern.port"
    WHEN_PROTOCOL "picket.when.protocol"
    WHEN_PORT "picket.when.port"
    WHEN_DIRECTION "picket.when.direction"
    WHEN_FIELD "picket.when.field"
    WHEN_FUNCTION "picket.when.function"
}

const _: () = assert!(FIELDS.len() <= u64::BITS as usize);

/// Conditions are below here: one that is not understood must not be passed over, because what it limits would match more.
const CONDITIONS: &str = "picket.when";

/// Fields of which the first value counts when there are several: an indicator has one id and one text of each sort.
const FIRST_COUNTS: [Field; 4] = [ID, REFERENCE, DESCRIPTION, PROVIDER];

impl Default for Document {
    fn default() -> Self {
        let said = Said {
            texts: std::array::from_fn(|_| String::new()),
            present: 0,
            bad: false,
            bad_condition: false,
            about: Vec::new(),
            about_texts: String::new(),
            markings: Vec::new(),
        };
        Self { said, outlines: Outlines::default() }
    }
}

impl Document {
    /// Replaces what is here by what `line` says.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for what is not one JSON object, [`Refusal::BadField`] for contradicting fields,
    /// [`Refusal::BadCondition`] for a part of a condition that is unknown or empty.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let Self { said, outlines } = self;
        said.clear();
        // A line that is text as a whole need not be looked at again text by text; bytes that are none do no harm where nothing is read.
        let Ok(text) = std::str::from_utf8(line) else {
            said.walk(serde_json::Deserializer::from_slice(line)).map_err(|_| Refusal::Malformed)?;
            return said.outcome();
        };
        if outlines.read(text, |means, value| said.put(means, value)) {
            return said.outcome();
        }
        said.walk(serde_json::Deserializer::from_str(text)).map_err(|_| Refusal::Malformed)?;
        said.outcome()?;
        if said.markings.is_empty() {
            outlines.learn(text);
        }
        Ok(())
    }

    /// A field's text.
    pub(super) fn get(&self, Field(at): Field) -> Option<&str> {
        (self.said.present >> at & 1 != 0).then(|| self.said.texts[at].as_str())
    }

    /// What it says of whom or what the entry indicates.
    pub(super) fn about(&self) -> Vec<(Where, &str)> {
        let mut start = 0;
        let text =
            |&(path, end): &(Where, usize)| (path, &self.said.about_texts[std::mem::replace(&mut start, end)..end]);
        self.said.about.iter().map(text).collect()
    }

    /// Markings that are objects, each with its JSON.
    pub(super) fn markings(&self) -> impl Iterator<Item = (Scheme, &str)> {
        self.said.markings.iter().map(|(scheme, json)| (*scheme, json.get()))
    }
}

impl Said {
    fn clear(&mut self) {
        (self.present, self.bad, self.bad_condition) = (0, false, false);
        self.about.clear();
        self.about_texts.clear();
        self.markings.clear();
    }

    fn walk<'de, R: Read<'de>>(&mut self, mut json: serde_json::Deserializer<R>) -> serde_json::Result<()> {
        json.deserialize_map(Node { document: self, at: paths::ROOT })?;
        json.end()
    }

    fn outcome(&self) -> Result<(), Refusal> {
        match (self.bad_condition, self.bad) {
            (true, _) => Err(Refusal::BadCondition),
            (_, true) => Err(Refusal::BadField),
            _ => Ok(()),
        }
    }

    fn put(&mut self, means: Means, value: &str) {
        match means {
            Means::Field(field) => self.set(field, value),
            Means::Condition(Some(field)) if !value.is_empty() => self.set(field, value),
            Means::Condition(_) => self.bad_condition = true,
            Means::About(path) if !value.is_empty() => {
                self.about_texts.push_str(value);
                self.about.push((Where(path), self.about_texts.len()));
            }
            Means::About(_) | Means::Nothing | Means::Marking(_) | Means::PartOfMarking => {}
        }
    }

    fn set(&mut self, Field(at): Field, value: &str) {
        if value.is_empty() {
            return;
        }
        let text = &mut self.texts[at];
        if self.present >> at & 1 != 0 {
            self.bad |= text != value && !FIRST_COUNTS.contains(&Field(at));
            return;
        }
        self.present |= 1 << at;
        text.clear();
        text.push_str(value);
    }

    /// An object where a text should be, or a list of nothing: what it would have limited must not be passed over.
    fn refuse_at(&mut self, at: At) {
        match at.means() {
            Means::Field(_) => self.bad = true,
            Means::Condition(_) => self.bad_condition = true,
            _ => {}
        }
    }
}

/// Walks one JSON value at its place.
struct Node<'a> {
    document: &'a mut Said,
    at: At,
}

impl Node<'_> {
    fn put_number(self, number: impl std::fmt::Display) {
        self.document.put(self.at.means(), &number.to_string());
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { document, at: parent } = self;
        if parent.is_leaf() {
            document.refuse_at(parent);
        }
        while let Some(at) = map.next_key_seed(Key(parent))? {
            match at.means() {
                Means::Marking(scheme) => document.markings.push((scheme, map.next_value()?)),
                Means::PartOfMarking => {
                    document.bad = true;
                    map.next_value::<IgnoredAny>()?;
                }
                Means::Nothing if at.is_leaf() => drop(map.next_value::<IgnoredAny>()?),
                _ => map.next_value_seed(Node { document, at })?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { document, at } = self;
        let mut is_empty = true;
        while seq.next_element_seed(Node { document, at })?.is_some() {
            is_empty = false;
        }
        if is_empty && matches!(at.means(), Means::Condition(_)) {
            document.refuse_at(at);
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.document.put(self.at.means(), text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put_number(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.put_number(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.put_number(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.put_number(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        // Absent; but not so a condition.
        self.document.put(self.at.means(), "");
        Ok(())
    }
}

/// Goes on from a place by a key.
struct Key(At);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = At;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<At, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = At;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<At, E> {
        Ok(self.0.below(key))
    }
}

#[cfg(test)]
mod tests;
