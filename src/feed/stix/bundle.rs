//! [`Bundle`]: what a text's objects say together. Objects come in any order, so indicators are held until the text ends;
//! then each is handed on in its newest version, with its markings and with the names of what it indicates.
//!
//! Markings come from the object, from what is granular on its pattern, and from tags among its labels (misp-stix writes TLP
//! and PAP there alone), combined; a reference that nothing defines is the strictest. A name or text that is marked more
//! strictly than its indicator is left out, because an alert shows it to everyone who may see the indicator.

use std::collections::HashMap;

use super::compile::compile;
use super::object::{self, Common, Indicator, Named, Object, Reference, Relationship, Sort};
use super::pattern::Expression;
use crate::feed::field;
use crate::feed::intake::{Intake, Meta};
use crate::feed::suricata::{self, Carried};
use crate::indicator::{Refusal, Where, Window};
use crate::marking::{Classification, Definitions, Granular, Marking, refs_for, tag};
use crate::time::Timestamp;

/// See the module.
#[derive(Default)]
pub(super) struct Bundle {
    indicators: Versions<Box<Indicator>>,
    names: Versions<(Sort, Named)>,
    relationships: Versions<Relationship>,
    definitions: Definitions,
    /// Statements that [`super::write()`] makes of a classification.
    banners: HashMap<Box<str>, Marking>,
    held_bytes: usize,
}

/// The newest version of every object of a sort, in the order in which their ids came.
struct Versions<T> {
    all: Vec<Version<T>>,
    by_id: HashMap<Box<str>, usize>,
}

struct Version<T> {
    /// 1-based place in the text.
    number: u32,
    modified: Timestamp,
    common: Common,
    object: T,
}

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self { all: Vec::new(), by_id: HashMap::new() }
    }
}

impl Bundle {
    /// Takes note of the object `number`.
    pub(super) fn take(&mut self, json: &[u8], number: u32, intake: &mut Intake<'_>) {
        let read = object::read(json).and_then(|object| self.keep(object, json.len(), number, intake));
        if let Err(reason) = read {
            intake.refuse(number, reason);
        }
    }

    fn keep(&mut self, object: Object, bytes: usize, number: u32, intake: &mut Intake<'_>) -> Result<(), Refusal> {
        let objects = self.indicators.all.len() + self.names.all.len() + self.relationships.all.len();
        let is_full = self.held_bytes + bytes > MAX_HELD_BYTES || objects >= MAX_HELD_OBJECTS;
        let is_new = match object {
            Object::Other(kind) => {
                intake.pass_over(kind);
                return Ok(());
            }
            Object::Relationship(_, relationship) if &*relationship.relationship_type != "indicates" => {
                intake.pass_over("relationship");
                return Ok(());
            }
            _ if is_full => return Err(Refusal::Full),
            Object::Definition(definition) => {
                if let Some(banner) = banner(&definition)? {
                    let (id, marking) = banner;
                    let known = self.banners.entry(id).or_default();
                    *known = known.combine(&marking);
                    self.held_bytes += bytes;
                    return Ok(());
                }
                return if self.definitions.define(&definition) { Ok(()) } else { Err(Refusal::Full) };
            }
            Object::Indicator(common, indicator) => self.indicators.keep(common, indicator, number)?,
            Object::Relationship(common, relationship) => self.relationships.keep(common, relationship, number)?,
            Object::Named(common, sort, named) => self.names.keep(common, (sort, named), number)?,
        };
        self.held_bytes += bytes;
        if !is_new {
            intake.pass_over("another version");
        }
        Ok(())
    }

    /// Hands every indicator on.
    pub(super) fn finish(self, intake: &mut Intake<'_>) {
        let mut indicated: HashMap<&str, Vec<&Version<Relationship>>> = HashMap::new();
        for relationship in self.relationships.all.iter().filter(|version| !version.common.revoked) {
            indicated.entry(&relationship.object.source_ref).or_default().push(relationship);
        }
        for indicator in &self.indicators.all {
            if intake.newest().has_newer(&indicator.common.id, (indicator.modified, indicator.common.revoked)) {
                intake.pass_over("another version");
                continue;
            }
            let relationships = indicated.get(&*indicator.common.id).map_or(&[][..], Vec::as_slice);
            if let Err(reason) = self.hand_on(indicator, relationships, intake) {
                intake.refuse(indicator.number, reason);
            }
        }
    }

    fn hand_on(
        &self,
        version: &Version<Box<Indicator>>,
        relationships: &[&Version<Relationship>],
        intake: &mut Intake<'_>,
    ) -> Result<(), Refusal> {
        let (common, indicator) = (&version.common, &*version.object);
        // STIX 2.0 has the types among the labels.
        let is_benign = indicator.indicator_types.iter().chain(&indicator.labels).any(|word| &**word == "benign");
        if common.revoked || is_benign {
            return Err(Refusal::Withdrawn);
        }
        let window = window(indicator)?;
        let is_rule = indicator.pattern_type.as_deref() == Some("suricata");
        let plans = if is_rule { Vec::new() } else { compile(&expression(indicator)?, window)? };
        let own_id = indicator.external_references.iter().find(|reference| &*reference.source_name == OWN_ID);
        let id = own_id.and_then(|reference| reference.external_id.as_deref()).unwrap_or(&common.id);
        if id.len() > MAX_ID_BYTES || indicator.confidence.is_some_and(|confidence| confidence > 100) {
            return Err(Refusal::BadField);
        }
        let marking = self.marking(common, indicator);
        for _ in marking.undefined_refs() {
            intake.unreadable_marking();
        }
        let mut texts = Texts { bundle: self, marking: &marking, common, left_out: false };
        let about = texts.about(indicator, relationships);
        let about: Vec<(Where, &str)> = about.iter().map(|(path, text)| (*path, &**text)).collect();
        let creator = indicator.created_by_ref.as_deref().filter(|_| texts.shows("created_by_ref"));
        let confidence = indicator.confidence.filter(|_| texts.shows("confidence")).map(|number| number.to_string());
        let meta = Meta {
            provider: creator.and_then(|id| texts.name_of(id, Sort::Identity)),
            confidence: confidence.as_deref().map(field::confidence),
            reference: texts.reference(&indicator.external_references),
            description: indicator.description.as_deref().filter(|_| texts.shows("description")),
            first_seen: common
                .created
                .as_deref()
                .filter(|text| !text.starts_with(UNKNOWN_DAY) && texts.shows("created")),
            about: &about,
            marking: marking.clone(),
            ..Meta::default()
        };
        let left_out = texts.left_out;
        if is_rule {
            let carried = Carried { id: Some(id), window, line: version.number };
            suricata::rule(unwrapped(&indicator.pattern), &carried, intake, &meta)?;
        } else {
            let context = intake.context(&meta)?;
            for plan in &plans {
                intake.add(&plan.draft(id, context, version.number));
            }
        }
        if left_out {
            intake.pass_over("texts marked more strictly than their indicator");
        }
        Ok(())
    }

    /// What a marking reference stands for; two definitions of one id count both.
    fn resolve(&self, reference: &str) -> Marking {
        match self.banners.get(reference) {
            Some(banner) if self.definitions.resolve(reference).undefined_refs().is_empty() => {
                banner.combine(&self.definitions.resolve(reference))
            }
            Some(banner) => banner.clone(),
            None => self.definitions.resolve(reference),
        }
    }

    /// What marks the value.
    fn marking(&self, common: &Common, indicator: &Indicator) -> Marking {
        let granular = refs_for(&common.granular_markings, "pattern");
        let refs = common.object_marking_refs.iter().map(|reference| &**reference).chain(granular);
        let tags = indicator.labels.iter().filter_map(|label| tag(label));
        refs.map(|reference| self.resolve(reference)).chain(tags).fold(Marking::default(), |all, one| all.combine(&one))
    }

    /// What marks an object as a whole, every granular marking included.
    fn strictest(&self, common: &Common) -> Marking {
        let of_language = |entry: &&Granular| entry.marking_ref.is_none() && entry.lang.is_some();
        let granular = common.granular_markings.iter().filter(|entry| !of_language(entry));
        let granular = granular.map(|entry| entry.marking_ref.as_deref().unwrap_or_default());
        let refs = common.object_marking_refs.iter().map(|reference| &**reference).chain(granular);
        refs.fold(Marking::default(), |all, reference| all.combine(&self.resolve(reference)))
    }
}

impl<T> Versions<T> {
    /// Keeps the newest version of each id; of two that claim the same time, the revoked one. False if another is there.
    fn keep(&mut self, common: Common, object: T, number: u32) -> Result<bool, Refusal> {
        let modified = common.modified.as_deref().or(common.created.as_deref());
        let modified = modified.map_or(Ok(Timestamp::ZERO), field::instant)?;
        let version = Version { number, modified, common, object };
        match self.by_id.get(&version.common.id) {
            Some(&at) => {
                let known = &mut self.all[at];
                if (version.modified, version.common.revoked) > (known.modified, known.common.revoked) {
                    *known = version;
                }
                Ok(false)
            }
            None => {
                self.by_id.insert(version.common.id.clone(), self.all.len());
                self.all.push(version);
                Ok(true)
            }
        }
    }

    fn get(&self, id: &str) -> Option<&Version<T>> {
        self.by_id.get(id).map(|at| &self.all[*at]).filter(|version| !version.common.revoked)
    }
}

/// The classification that a statement marking holds ([`BANNER`]), and the definition's id.
fn banner(definition: &serde_json::Value) -> Result<Option<(Box<str>, Marking)>, Refusal> {
    let statement = definition["definition"]["statement"].as_str().and_then(|text| text.strip_prefix(BANNER));
    let (Some(text), Some(id), None) = (statement, definition["id"].as_str(), definition.get("extensions")) else {
        return Ok(None);
    };
    let classification = Classification::parse(text).map_err(|_| Refusal::ForeignMarking)?;
    Ok(Some((id.into(), Marking::of(classification))))
}

/// What is said besides an indicator's value, as far as its marking lets it be said with it.
struct Texts<'a> {
    bundle: &'a Bundle,
    marking: &'a Marking,
    common: &'a Common,
    left_out: bool,
}

impl<'a> Texts<'a> {
    /// Whether everyone who may see the value may see this property.
    fn shows(&mut self, property: &str) -> bool {
        let granular = refs_for(&self.common.granular_markings, property);
        let marking = granular.fold(Marking::default(), |all, one| all.combine(&self.bundle.resolve(one)));
        self.allows(&marking)
    }

    fn allows(&mut self, marking: &Marking) -> bool {
        let allowed = self.marking.is_at_least(marking);
        self.left_out |= !allowed;
        allowed
    }

    /// The name of the object `id`, if it is of `sort`.
    fn name_of(&mut self, id: &str, sort: Sort) -> Option<&'a str> {
        let named = self.bundle.names.get(id).filter(|version| version.object.0 == sort)?;
        let marking = self.bundle.strictest(&named.common);
        self.allows(&marking).then_some(named.object.1.name.as_deref()).flatten()
    }

    fn reference(&mut self, references: &'a [Reference]) -> Option<&'a str> {
        let first = references.iter().find_map(|reference| reference.url.as_deref())?;
        self.shows("external_references").then_some(first)
    }

    /// The indicator's own name, its kill chain, its tags, and what it indicates.
    fn about(&mut self, indicator: &Indicator, relationships: &[&Version<Relationship>]) -> Vec<(Where, Box<str>)> {
        let mut about = Vec::new();
        if let Some(name) = indicator.name.as_deref().filter(|_| self.shows("name")) {
            about.push((object::RULE_NAME, name.into()));
        }
        for relationship in relationships {
            let marking = self.bundle.strictest(&relationship.common);
            if self.allows(&marking) {
                self.indicated(&relationship.object.target_ref, &mut about);
            }
        }
        if !indicator.kill_chain_phases.is_empty() && self.shows("kill_chain_phases") {
            for phase in &indicator.kill_chain_phases {
                about.push(match phase.kill_chain_name.starts_with("mitre-") {
                    true => (object::TACTIC_NAME, phase.phase_name.clone()),
                    false => (object::TAGS, format!("{}:{}", phase.kill_chain_name, phase.phase_name).into()),
                });
            }
        }
        if !indicator.labels.is_empty() && self.shows("labels") {
            let tags = indicator.labels.iter().filter(|label| tag(label).is_none());
            about.extend(tags.map(|label| (object::TAGS, label.clone())));
        }
        about
    }

    fn indicated(&mut self, id: &str, about: &mut Vec<(Where, Box<str>)>) {
        let Some(target) = self.bundle.names.get(id) else { return };
        let sort = target.object.0;
        let Some(name) = self.name_of(id, sort) else { return };
        match sort {
            Sort::Software => about.push((object::SOFTWARE_NAME, name.into())),
            Sort::Group => about.push((object::GROUP_NAME, name.into())),
            Sort::Tag(word) => about.push((object::TAGS, format!("{word}:{name}").into())),
            Sort::Technique => {
                let mitre = |reference: &&Reference| reference.source_name.starts_with("mitre-");
                let known = target.object.1.external_references.iter().find(mitre);
                if let Some(id) = known.and_then(|reference| reference.external_id.clone()) {
                    about.push((object::TECHNIQUE_ID, id));
                }
                about.push((object::TECHNIQUE_NAME, name.into()));
            }
            Sort::Identity => {}
        }
    }
}

fn window(indicator: &Indicator) -> Result<Window, Refusal> {
    let instant = |text: &Option<Box<str>>, none| text.as_deref().map_or(Ok(none), field::instant);
    let from = instant(&indicator.valid_from, Timestamp::ZERO)?;
    let until = instant(&indicator.valid_until, Timestamp::MAX)?;
    if from < until { Ok(Window { from, until }) } else { Err(Refusal::BadField) }
}

/// A Suricata rule without the brackets that MISP puts around it.
fn unwrapped(rule: &str) -> &str {
    let rule = rule.trim();
    rule.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rule)
}

/// The pattern, if it is one of STIX; of STIX 2.0 no other is.
fn expression(indicator: &Indicator) -> Result<Expression, Refusal> {
    match indicator.pattern_type.as_deref().unwrap_or("stix") {
        "stix" => Expression::parse(&indicator.pattern).ok_or(Refusal::BadExpression),
        other => Err(Refusal::Unsupported(
            PATTERN_TYPES.iter().find(|(known, _)| *known == other).map_or("another pattern_type", |(_, what)| *what),
        )),
    }
}

/// Languages of other tools (STIX 2.1, section 10.19).
const PATTERN_TYPES: &[(&str, &str)] = &[
    ("pcre", "pattern_type pcre"),
    ("sigma", "pattern_type sigma"),
    ("snort", "pattern_type snort"),
    ("yara", "pattern_type yara"),
];

/// What a statement marking begins with that holds a banner line: STIX has no classification of its own besides ACS.
pub(super) const BANNER: &str = "Classification: ";

/// The source of the external reference that holds an indicator's id where that is none of STIX.
pub(super) const OWN_ID: &str = "picket";

/// What [`super::write()`] says for a time of creation that it does not know, because STIX asks for one.
pub(super) const UNKNOWN_DAY: &str = "1970-01-01T00:00:00";

/// Longest id kept; every alert repeats it.
const MAX_ID_BYTES: usize = 256;

/// Text of objects that are held until the end, and how many: a text is a feed's, not a database's.
const MAX_HELD_BYTES: usize = 1024 * 1024 * 1024;
const MAX_HELD_OBJECTS: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
