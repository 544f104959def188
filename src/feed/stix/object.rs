//! The objects that are read, with what is read of them. Everything else in an object is passed over.
//!
//! Source: STIX 2.1, sections 3 to 5 and 7. A field of the wrong type, and a known field given twice, refuses its object.

use serde::Deserialize;

use crate::indicator::{Refusal, Where};
use crate::marking::Granular;

/// An object that something is made of.
pub(super) enum Object {
    Indicator(Common, Box<Indicator>),
    /// `marking-definition`.
    Definition(serde_json::Value),
    Relationship(Common, Relationship),
    /// What an indicator may point at, by name.
    Named(Common, Sort, Named),
    /// Nothing is made of it; its type.
    Other(&'static str),
}

/// What versions of an object differ in, and what marks it.
#[derive(Deserialize)]
pub(super) struct Common {
    #[serde(rename = "type")]
    kind: Box<str>,
    pub(super) id: Box<str>,
    pub(super) created: Option<Box<str>>,
    pub(super) modified: Option<Box<str>>,
    #[serde(default)]
    pub(super) revoked: bool,
    #[serde(default)]
    pub(super) object_marking_refs: Vec<Box<str>>,
    #[serde(default)]
    pub(super) granular_markings: Vec<Granular>,
}

#[derive(Deserialize)]
pub(super) struct Indicator {
    pub(super) pattern: Box<str>,
    pub(super) pattern_type: Option<Box<str>>,
    pub(super) valid_from: Option<Box<str>>,
    pub(super) valid_until: Option<Box<str>>,
    pub(super) name: Option<Box<str>>,
    pub(super) description: Option<Box<str>>,
    pub(super) confidence: Option<u8>,
    pub(super) created_by_ref: Option<Box<str>>,
    #[serde(default)]
    pub(super) indicator_types: Vec<Box<str>>,
    #[serde(default)]
    pub(super) labels: Vec<Box<str>>,
    #[serde(default)]
    pub(super) kill_chain_phases: Vec<Phase>,
    #[serde(default)]
    pub(super) external_references: Vec<Reference>,
}

#[derive(Deserialize)]
pub(super) struct Phase {
    pub(super) kill_chain_name: Box<str>,
    pub(super) phase_name: Box<str>,
}

#[derive(Deserialize)]
pub(super) struct Reference {
    #[serde(default)]
    pub(super) source_name: Box<str>,
    pub(super) url: Option<Box<str>>,
    pub(super) external_id: Option<Box<str>>,
}

#[derive(Deserialize)]
pub(super) struct Relationship {
    pub(super) relationship_type: Box<str>,
    pub(super) source_ref: Box<str>,
    pub(super) target_ref: Box<str>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: Option<Box<str>>,
    #[serde(default)]
    pub(super) external_references: Vec<Reference>,
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Software,
    Group,
    Technique,
    /// A tag in alerts, behind this word.
    Tag(&'static str),
    Identity,
}

/// Reads one object.
pub(super) fn read(json: &[u8]) -> Result<Object, Refusal> {
    let common: Common = parse(json)?;
    let sort = match &*common.kind {
        "indicator" => return Ok(Object::Indicator(common, parse(json)?)),
        "marking-definition" => return Ok(Object::Definition(parse(json)?)),
        "relationship" => return Ok(Object::Relationship(common, parse(json)?)),
        "malware" | "tool" => Sort::Software,
        "threat-actor" | "intrusion-set" => Sort::Group,
        "attack-pattern" => Sort::Technique,
        "campaign" => Sort::Tag("campaign"),
        "infrastructure" => Sort::Tag("infrastructure"),
        "identity" => Sort::Identity,
        other => {
            let known = OTHERS.iter().find(|known| **known == other);
            return Ok(Object::Other(known.copied().unwrap_or("another object")));
        }
    };
    Ok(Object::Named(common, sort, parse(json)?))
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(json).map_err(|_| Refusal::Malformed)
}

/// Object types that no indicator is made of, for the report.
const OTHERS: &[&str] = &[
    "sighting",
    "observed-data",
    "report",
    "grouping",
    "note",
    "opinion",
    "course-of-action",
    "location",
    "malware-analysis",
    "vulnerability",
    "incident",
    "extension-definition",
    "language-content",
    "artifact",
    "autonomous-system",
    "directory",
    "domain-name",
    "email-addr",
    "email-message",
    "file",
    "ipv4-addr",
    "ipv6-addr",
    "mac-addr",
    "mutex",
    "network-traffic",
    "process",
    "software",
    "url",
    "user-account",
    "windows-registry-key",
    "x509-certificate",
];

/// Where alerts say it.
pub(super) const SOFTWARE_NAME: Where = Where("threat.software.name");
pub(super) const GROUP_NAME: Where = Where("threat.group.name");
pub(super) const TECHNIQUE_NAME: Where = Where("threat.technique.name");
pub(super) const TECHNIQUE_ID: Where = Where("threat.technique.id");
pub(super) const TACTIC_NAME: Where = Where("threat.tactic.name");
pub(super) const RULE_NAME: Where = Where("rule.name");
pub(super) const TAGS: Where = Where("tags");
