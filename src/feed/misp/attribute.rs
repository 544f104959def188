//! One attribute as it is read, and what an intake is told of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::json::{Scalar, elements, passes_over};
use super::super::{field, pattern, refang};
use super::tags::Tags;
use super::types::{Plan, plan};
use crate::indicator::kind::{BYTES, DOMAIN, FILE, IPV4};
use crate::indicator::{Condition, Index, Kind, Match, Named, Refusal};
use crate::time::Timestamp;

/// See the module. Nothing is kept of an attribute that is refused.
#[derive(Default)]
pub(super) struct Attribute {
    /// Its place among the attributes of the file, from 1.
    pub(super) number: u32,
    pub(super) value: String,
    pub(super) plan: Option<Plan>,
    pub(super) uuid: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) first_seen: Option<String>,
    pub(super) tags: Tags,
    /// When a sighting of type 2 says that it ends.
    pub(super) expires: Option<Timestamp>,
    /// Why it is not loaded.
    pub(super) refused: Option<Refusal>,
}

/// A value that an attribute stands for.
pub(in crate::feed) struct Entry<'a> {
    pub(in crate::feed) kind: &'static Kind,
    pub(in crate::feed) value: Cow<'a, [u8]>,
    pub(in crate::feed) matching: Match,
    pub(in crate::feed) port: Option<u16>,
    pub(in crate::feed) when: Option<Condition>,
}

impl Attribute {
    fn malformed() -> Self {
        Self { refused: Some(Refusal::Malformed), ..Self::default() }
    }

    /// Bytes that it holds, about.
    pub(super) fn held_bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let about: usize = self.tags.about.iter().map(|(_, text)| text.len() + 32).sum();
        size_of::<Self>()
            + self.value.capacity()
            + text(&self.uuid)
            + text(&self.comment)
            + text(&self.first_seen)
            + about
    }
}

/// What a value stands for, by its plan: one entry, or two.
///
/// # Errors
/// Why it stands for none.
pub(in crate::feed) fn entries(plan: Plan, value: &str) -> Result<(Entry<'_>, Option<Entry<'_>>), Refusal> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(Refusal::TooLong);
    }
    let value = value.trim();
    let pair = || value.split_once('|').ok_or(Refusal::Malformed);
    let one = match plan {
        Plan::Refused(reason) => return Err(Refusal::Unsupported(reason)),
        // Only an event carries them.
        Plan::Rule => return Err(Refusal::Unsupported("a rule in this format")),
        Plan::Value(kind, matching) => entry(kind, matching, value),
        Plan::Digest(kind, digits) => digest(kind, digits, value)?,
        Plan::NamedDigest(digits) => digest(&FILE, digits, value.rsplit_once('|').ok_or(Refusal::Malformed)?.1)?,
        Plan::Endpoint => {
            let (addr, port) = pair()?;
            Entry { port: Some(field::number(port)?), ..entry(&IPV4, Match::Exact, addr) }
        }
        Plan::NamePort => {
            let (name, port) = pair()?;
            let named = Named { port: Some(port), ..Named::default() };
            Entry { when: Condition::read(&DOMAIN, &named)?, ..entry(&DOMAIN, Match::Exact, name) }
        }
        Plan::NameAndAddress => {
            let (name, addr) = pair()?;
            return Ok((entry(&DOMAIN, Match::Subtree, name), Some(entry(&IPV4, Match::Exact, addr))));
        }
        Plan::Bytes => {
            let bytes = pattern::decode(value)?;
            Entry { value: Cow::Owned(bytes), ..entry(&BYTES, Match::Exact, "") }
        }
    };
    Ok((one, None))
}

fn entry<'a>(kind: &'static Kind, matching: Match, value: &'a str) -> Entry<'a> {
    let is_written_safe = matches!(kind.index, Index::Prefix | Index::Suffix | Index::Path);
    let value = if is_written_safe { refang(value.as_bytes()) } else { Cow::Borrowed(value.as_bytes()) };
    Entry { kind, value, matching, port: None, when: None }
}

fn digest<'a>(kind: &'static Kind, digits: usize, value: &'a str) -> Result<Entry<'a>, Refusal> {
    let said = value.bytes().filter(|b| !b": -".contains(b)).count();
    if said == digits { Ok(entry(kind, Match::Exact, value)) } else { Err(Refusal::BadFingerprint) }
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(AttributeVisitor)
    }
}

struct AttributeVisitor;

impl<'de> Visitor<'de> for AttributeVisitor {
    type Value = Attribute;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attribute, A::Error> {
        let mut attribute = Attribute::default();
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "Tag" => map.next_value_seed(elements(|tag: Tag| attribute.tags.add(&tag.0)))?,
                "Galaxy" => map.next_value_seed(elements(|galaxy: Galaxy| galaxy.tell(&mut attribute.tags)))?,
                "Sighting" => map.next_value_seed(elements(|sighting: Sighting| fields.sighting(&sighting)))?,
                "distribution" => {
                    if let Scalar(Some(level)) = map.next_value()? {
                        attribute.tags.distribution(&level);
                    }
                }
                name => match Field::of(name) {
                    Some(field) => fields.set(field, map.next_value()?),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        fields.finish(&mut attribute);
        Ok(attribute)
    }

    passes_over!(seq Attribute::malformed());
}

/// The scalar fields that are read.
#[derive(Clone, Copy)]
enum Field {
    Type,
    Value,
    ToIds,
    Deleted,
    Uuid,
    Comment,
    FirstSeen,
}

const FIELDS: [(&str, Field); 7] = [
    ("type", Field::Type),
    ("value", Field::Value),
    ("to_ids", Field::ToIds),
    ("deleted", Field::Deleted),
    ("uuid", Field::Uuid),
    ("comment", Field::Comment),
    ("first_seen", Field::FirstSeen),
];

impl Field {
    fn of(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }
}

#[derive(Default)]
struct Fields {
    texts: [Option<String>; FIELDS.len()],
    /// A field that stands there twice, differently.
    bad: bool,
    false_positive: bool,
    expires: Option<Timestamp>,
}

impl Fields {
    fn set(&mut self, field: Field, Scalar(text): Scalar) {
        if let (Some(text), Some(slot)) = (text, self.texts.get_mut(field as usize)) {
            self.bad |= slot.as_ref().is_some_and(|earlier| *earlier != text);
            *slot = Some(text);
        }
    }

    fn sighting(&mut self, sighting: &Sighting) {
        match sighting.kind.as_deref() {
            Some("1") => self.false_positive = true,
            Some("2") => {
                let at = sighting.at.as_deref().and_then(|secs| secs.parse::<u64>().ok());
                // An end at an unknown time has come.
                let at = at.map_or(Timestamp::ZERO, |secs| Timestamp::from_parts(secs, 0));
                self.expires = Some(self.expires.map_or(at, |earlier| earlier.min(at)));
            }
            _ => {}
        }
    }

    fn finish(mut self, attribute: &mut Attribute) {
        let mut take = |field: Field| self.texts.get_mut(field as usize).and_then(Option::take);
        let kind = take(Field::Type);
        let to_ids = take(Field::ToIds).is_some_and(|text| is_true(&text));
        let deleted = take(Field::Deleted).is_some_and(|text| !is_false(&text));
        attribute.expires = self.expires;
        attribute.plan = kind.as_deref().and_then(plan);
        let refused = match attribute.plan {
            _ if self.bad => Some(Refusal::BadField),
            _ if !to_ids || deleted || self.false_positive => Some(Refusal::Withdrawn),
            _ if self.expires == Some(Timestamp::ZERO) => Some(Refusal::Withdrawn),
            _ if kind.is_none() => Some(Refusal::Malformed),
            None => Some(Refusal::UnknownKind),
            Some(Plan::Refused(reason)) => Some(Refusal::Unsupported(reason)),
            Some(_) => None,
        };
        if refused.is_some() {
            *attribute = Attribute { refused, ..Attribute::default() };
            return;
        }
        attribute.value = take(Field::Value).unwrap_or_default();
        attribute.uuid = take(Field::Uuid);
        attribute.comment = take(Field::Comment);
        attribute.first_seen = take(Field::FirstSeen);
    }
}

fn is_true(text: &str) -> bool {
    text == "1" || text.eq_ignore_ascii_case("true")
}

fn is_false(text: &str) -> bool {
    text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false")
}

/// `{"name": ..}`.
pub(super) struct Tag(pub(super) String);

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let [name] = named(value, ["name"])?;
        Ok(Self(name.unwrap_or_default()))
    }
}

struct Sighting {
    kind: Option<String>,
    at: Option<String>,
}

impl<'de> Deserialize<'de> for Sighting {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let [kind, at] = named(value, ["type", "date_sighting"])?;
        Ok(Self { kind, at })
    }
}

/// `{"type": .., "GalaxyCluster": [{"type": .., "value": .., "tag_name": ..}]}`.
pub(super) struct Galaxy(Vec<String>);

impl Galaxy {
    pub(super) fn tell(&self, tags: &mut Tags) {
        self.0.iter().for_each(|tag| tags.add(tag));
    }
}

impl<'de> Deserialize<'de> for Galaxy {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let mut clusters = Vec::new();
        value.deserialize_any(Keyed("GalaxyCluster", |cluster: Cluster| {
            if clusters.len() < MAX_CLUSTERS {
                clusters.push(cluster.0);
            }
        }))?;
        Ok(Self(clusters))
    }
}

struct Cluster(String);

impl<'de> Deserialize<'de> for Cluster {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let [tag, kind, name] = named(value, ["tag_name", "type", "value"])?;
        let spelt = || format!("misp-galaxy:{}=\"{}\"", kind.unwrap_or_default(), name.unwrap_or_default());
        Ok(Self(tag.unwrap_or_else(spelt)))
    }
}

/// The named fields of an object, the last of each.
pub(super) fn named<'de, D: Deserializer<'de>, const N: usize>(
    value: D,
    names: [&'static str; N],
) -> Result<[Option<String>; N], D::Error> {
    struct Pick<const N: usize>([&'static str; N]);
    impl<'de, const N: usize> Visitor<'de> for Pick<N> {
        type Value = [Option<String>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut picked = [const { None }; N];
            while let Some(key) = map.next_key::<Cow<'_, str>>()? {
                match self.0.iter().position(|name| *name == key) {
                    Some(at) => {
                        let Scalar(text) = map.next_value()?;
                        picked[at] = text;
                    }
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
            Ok(picked)
        }

        passes_over!(seq [const { None }; N]);
    }
    value.deserialize_any(Pick(names))
}

/// An object of which one key holds a list that is read.
struct Keyed<F>(&'static str, F);

impl<'de, F: FnMut(Cluster)> Visitor<'de> for Keyed<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == self.0 {
                map.next_value_seed(elements(&mut self.1))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    passes_over!(seq());
}

/// Longest value looked at: above what any kind keeps, so that a cut text (`MAX_TEXT_BYTES`) never counts as the whole.
const MAX_VALUE_BYTES: usize = 16 * 1024;

/// Clusters read of one galaxy.
const MAX_CLUSTERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::URL;

    fn read(json: &str) -> Attribute {
        serde_json::from_str(json).expect("an attribute")
    }

    #[test]
    fn only_what_is_for_detection_and_not_withdrawn_is_kept() {
        let base = r#""type":"domain","value":"evil.example""#;
        for (rest, refused) in [
            (r#""to_ids":true"#, None),
            (r#""to_ids":"1","deleted":"0""#, None),
            (r#""to_ids":1,"deleted":null"#, None),
            (r#""to_ids":false"#, Some(Refusal::Withdrawn)),
            (r#""comment":"no to_ids""#, Some(Refusal::Withdrawn)),
            (r#""to_ids":true,"deleted":true"#, Some(Refusal::Withdrawn)),
            (r#""to_ids":true,"Sighting":[{"type":"0"},{"type":"1"}]"#, Some(Refusal::Withdrawn)),
            (r#""to_ids":true,"Sighting":[{"type":2}]"#, Some(Refusal::Withdrawn)),
            (r#""to_ids":true,"to_ids":false"#, Some(Refusal::BadField)),
            (r#""to_ids":true,"type":"url""#, Some(Refusal::BadField)),
            (r#""to_ids":true,"to_ids":true"#, None),
        ] {
            assert_eq!(read(&format!("{{{base},{rest}}}")).refused, refused, "{rest}");
        }
        let other = |kind| read(&format!(r#"{{"type":"{kind}","value":"x","to_ids":true}}"#)).refused;
        assert_eq!(other("regkey"), Some(Refusal::Unsupported("attribute type regkey")));
        assert_eq!(other("no-such-type"), Some(Refusal::UnknownKind));
        assert_eq!(read(r#"{"to_ids":true}"#).refused, Some(Refusal::Malformed));
        let ends =
            read(&format!(r#"{{{base},"to_ids":true,"Sighting":[{{"type":"2","date_sighting":"1700000000"}}]}}"#));
        assert_eq!(ends.expires, Some(Timestamp::from_parts(1_700_000_000, 0)));
    }

    #[test]
    fn composite_values_are_taken_apart() {
        let of = |kind: &str, value: &'static str| entries(plan(kind).expect("a type"), value);
        let (one, two) = of("ip-dst|port", "192.0.2.1|443").expect("reads");
        assert_eq!((one.kind, &*one.value, one.port, two.is_none()), (&IPV4, &b"192.0.2.1"[..], Some(443), true));
        let (one, two) = of("domain|ip", "evil.example|192.0.2.1").expect("reads");
        assert_eq!((one.kind, one.matching, two.expect("both").kind), (&DOMAIN, Match::Subtree, &IPV4));
        let (one, _) = of("hostname|port", "evil.example|8443").expect("reads");
        assert_eq!((one.matching, one.when.expect("a condition").port), (Match::Exact, Some(8443)));
        let (one, _) = of("filename|sha1", "a|b.exe|da39a3ee5e6b4b0d3255bfef95601890afd80709").expect("reads");
        assert_eq!((one.kind, one.value.len()), (&FILE, 40));
        let (one, _) = of("url", "hxxp://evil[.]example/x").expect("reads");
        assert_eq!((one.kind, &*one.value), (&URL, &b"http://evil.example/x"[..]));
        let (one, _) = of("pattern-in-traffic", "a|0d 0a|").expect("reads");
        assert_eq!((one.kind, &*one.value), (&BYTES, &b"a\r\n"[..]));
        for (kind, value, refused) in [
            ("ip-dst|port", "192.0.2.1", Refusal::Malformed),
            ("ip-dst|port", "192.0.2.1|99999", Refusal::BadField),
            ("hostname|port", "evil.example|x", Refusal::BadCondition),
            ("md5", "da39a3ee5e6b4b0d3255bfef95601890afd80709", Refusal::BadFingerprint),
            ("pattern-in-traffic", "|0", Refusal::BadPattern),
        ] {
            assert_eq!(of(kind, value).err(), Some(refused), "{kind} {value}");
        }
        assert_eq!(
            entries(plan("text").expect("a type"), "x").err(),
            Some(Refusal::Unsupported("attribute type text"))
        );
        let long = "a".repeat(MAX_VALUE_BYTES + 1);
        assert_eq!(entries(plan("user-agent").expect("a type"), &long).err(), Some(Refusal::TooLong));
    }
}
