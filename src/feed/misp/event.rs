//! An event as it is read: what holds for all of it stands behind its attributes as often as before them, so attributes wait
//! until it ends. An event that breaks off is not loaded: its handling may have been in the part that is missing.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::intake::{Intake, Meta};
use super::super::json::{Scalar, elements, passes_over};
use super::super::suricata::{self, Carried};
use super::attribute::{Attribute, Entry, Galaxy, Tag, entries, named};
use super::tags::Tags;
use super::types::Plan;
use crate::indicator::{ContextIx, Draft, Refusal, Window};
use crate::time::Timestamp;

/// A JSON value that is an event, or holds events.
pub(super) struct Node<'a, 'i> {
    pub(super) intake: &'a mut Intake<'i>,
    /// Attributes so far.
    pub(super) count: &'a mut u32,
}

/// What is known of an event so far.
#[derive(Default)]
struct Event {
    info: Option<String>,
    provider: Option<String>,
    tags: Tags,
    attributes: Vec<Attribute>,
    held_bytes: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Node { intake: self.intake, count: self.count })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let mut event = Event::default();
        let read = self.fields(map, &mut event);
        match &read {
            Ok(()) => event.load(self.intake),
            Err(_) => event.refuse(self.intake),
        }
        read
    }

    passes_over!(());
}

impl Node<'_, '_> {
    fn fields<'de, A: MapAccess<'de>>(&mut self, mut map: A, event: &mut Event) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                // A wrapper: the event, or a search's answer.
                "Event" | "response" => {
                    map.next_value_seed(Node { intake: self.intake, count: self.count })?;
                }
                "Attribute" => map.next_value_seed(elements(|attribute| self.take(event, attribute)))?,
                "Object" => map.next_value_seed(elements(|object: Object| {
                    object.0.into_iter().for_each(|attribute| self.take(event, attribute));
                }))?,
                "Tag" => map.next_value_seed(elements(|tag: Tag| event.tags.add(&tag.0)))?,
                "Galaxy" => map.next_value_seed(elements(|galaxy: Galaxy| galaxy.tell(&mut event.tags)))?,
                "Orgc" => event.provider = map.next_value::<Organisation>()?.0.or(event.provider.take()),
                "info" => event.info = map.next_value::<Scalar>()?.0.or(event.info.take()),
                "distribution" => {
                    if let Scalar(Some(level)) = map.next_value()? {
                        event.tags.distribution(&level);
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    /// Holds an attribute until its event ends.
    fn take(&mut self, event: &mut Event, mut attribute: Attribute) {
        *self.count = self.count.saturating_add(1);
        attribute.number = *self.count;
        let held = event.held_bytes.saturating_add(attribute.held_bytes());
        match attribute.refused {
            Some(reason) => self.intake.refuse(attribute.number, reason),
            None if held > MAX_HELD_BYTES => self.intake.refuse(attribute.number, TOO_MUCH),
            None => {
                event.held_bytes = held;
                event.attributes.push(attribute);
            }
        }
    }
}

impl Event {
    fn load(&mut self, intake: &mut Intake<'_>) {
        for attribute in std::mem::take(&mut self.attributes) {
            let number = attribute.number;
            if let Err(reason) = self.load_one(attribute, intake) {
                intake.refuse(number, reason);
            }
        }
    }

    fn load_one(&self, attribute: Attribute, intake: &mut Intake<'_>) -> Result<(), Refusal> {
        let Attribute { number, value, plan, uuid, comment, first_seen, tags, expires, .. } = attribute;
        let tags = tags.within(&self.tags);
        let plan = plan.ok_or(Refusal::UnknownKind)?;
        let (one, two) = if plan == Plan::Rule {
            (None, None)
        } else {
            let (one, two) = entries(plan, &value)?;
            (Some(one), two)
        };
        (0..tags.unreadable).for_each(|_| intake.unreadable_marking());
        let about: Vec<_> = tags.about.iter().map(|(path, text)| (*path, &**text)).collect();
        let written = |text: &Option<String>| text.as_deref().map(str::trim).is_some_and(|text| !text.is_empty());
        let id = uuid.as_deref().filter(|id| uuid::Uuid::try_parse(id).is_ok());
        let window = Window { from: Timestamp::ZERO, until: expires.unwrap_or(Timestamp::MAX) };
        let meta = Meta {
            provider: self.provider.as_deref().filter(|_| !tags.marking.hides_source()),
            marking: tags.marking,
            confidence: tags.confidence,
            description: if written(&comment) { comment.as_deref() } else { self.info.as_deref() },
            first_seen: first_seen.as_deref(),
            about: &about,
            ..Meta::default()
        };
        if plan == Plan::Rule {
            return suricata::rule(&value, &Carried { id, window, line: number }, intake, &meta);
        }
        let context = intake.context(&meta)?;
        for entry in [one, two].into_iter().flatten() {
            intake.add(&draft(&entry, id, window, context, number));
        }
        Ok(())
    }

    /// Counts what was held.
    fn refuse(&self, intake: &mut Intake<'_>) {
        for attribute in &self.attributes {
            intake.refuse(attribute.number, BREAKS_OFF);
        }
    }
}

fn draft<'a>(entry: &'a Entry<'_>, id: Option<&'a str>, window: Window, context: ContextIx, line: u32) -> Draft<'a> {
    Draft {
        id,
        matching: Some(entry.matching),
        port: entry.port,
        when: entry.when.as_ref(),
        window,
        ..Draft::new(entry.kind, &entry.value, context, line)
    }
}

/// `{"Attribute": [..], "deleted": ..}`: an object's attributes, withdrawn if it is. Its own sharing level is theirs.
struct Object(Vec<Attribute>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut attributes: Vec<Attribute> = Vec::new();
        let (mut tags, mut deleted) = (Tags::default(), false);
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "Attribute" => map.next_value_seed(elements(|mut attribute: Attribute| {
                    if attributes.len() >= MAX_OBJECT_ATTRIBUTES {
                        attribute = Attribute { refused: Some(TOO_MUCH), ..Attribute::default() };
                    }
                    attributes.push(attribute);
                }))?,
                "distribution" => {
                    if let Scalar(Some(level)) = map.next_value()? {
                        tags.distribution(&level);
                    }
                }
                "deleted" => {
                    let Scalar(text) = map.next_value()?;
                    deleted |= text.is_some_and(|text| !matches!(&*text, "" | "0" | "false"));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        for attribute in &mut attributes {
            attribute.tags = std::mem::take(&mut attribute.tags).within(&tags);
            if deleted {
                attribute.refused = attribute.refused.or(Some(Refusal::Withdrawn));
            }
        }
        Ok(Object(attributes))
    }

    passes_over!(seq Object(Vec::new()));
}

struct Organisation(Option<String>);

impl<'de> Deserialize<'de> for Organisation {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let [name] = named(value, ["name"])?;
        Ok(Self(name.filter(|name| !name.is_empty())))
    }
}

const TOO_MUCH: Refusal = Refusal::Unsupported("attribute beyond what is held of one event");
const BREAKS_OFF: Refusal = Refusal::Unsupported("attribute of an event that breaks off");

/// Most that is held of one event: its attributes wait for what holds for all of them. The largest published events have
/// some hundred thousand attributes.
const MAX_HELD_BYTES: usize = 256 * 1024 * 1024;

/// Attributes of one object: templates have under a hundred.
const MAX_OBJECT_ATTRIBUTES: usize = 10_000;
