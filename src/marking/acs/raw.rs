//! An ACS marking as its JSON has it, and the checks that make it an [`Acs`].

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Acs, AcsAction, AcsError, Effect, Members, Privilege, Scope, Sharing};
use crate::marking::{Classification, Level, Nations};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    extension_type: String,
    identifier: String,
    #[serde(rename = "create_date_time")]
    created: String,
    responsible_entity_custodian: String,
    policy_reference: String,
    control_set: RawControls,
    #[serde(default)]
    access_privilege: Vec<RawPrivilege>,
    #[serde(default)]
    further_sharing: Vec<RawSharing>,
    // What follows informs and limits nobody.
    #[serde(default, rename = "name")]
    _name: IgnoredAny,
    #[serde(default, rename = "responsible_entity_originator")]
    _originator: IgnoredAny,
    #[serde(default, rename = "authority_reference")]
    _authority: IgnoredAny,
    #[serde(default, rename = "original_classification")]
    _original: IgnoredAny,
    #[serde(default, rename = "derivative_classification")]
    _derivative: IgnoredAny,
    #[serde(default, rename = "declassification")]
    _declassification: IgnoredAny,
    #[serde(default, rename = "resource_disposition")]
    _disposition: IgnoredAny,
    #[serde(default, rename = "public_release")]
    _release: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawControls {
    classification: String,
    #[serde(default)]
    sci_controls: Vec<String>,
    #[serde(default)]
    logical_authority_category: Vec<String>,
    #[serde(default)]
    formal_determination: Vec<String>,
    #[serde(default)]
    caveat: Vec<String>,
    #[serde(default)]
    sensitivity: Vec<String>,
    shareability: Option<Vec<String>>,
    entity: Option<Vec<String>>,
    permitted_nationalities: Option<Vec<String>>,
    permitted_organizations: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrivilege {
    privilege_action: AcsAction,
    privilege_scope: RawScope,
    rule_effect: Effect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScope {
    permitted_nationalities: Option<Vec<String>>,
    permitted_organizations: Option<Vec<String>>,
    shareability: Option<Vec<String>>,
    entity: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSharing {
    sharing_scope: Vec<String>,
    rule_effect: Effect,
}

impl Raw {
    pub(super) fn check(self) -> Result<Acs, AcsError> {
        if self.extension_type != "property-extension" {
            return Err(AcsError::new("extension_type is not property-extension"));
        }
        if self.access_privilege.len() > MAX_LIST || self.further_sharing.len() > MAX_LIST {
            return Err(AcsError::new("too many rules"));
        }
        let (privilege_default, sharing_default) = defaults(&self.policy_reference)
            .ok_or_else(|| AcsError::new("policy_reference is not an ACS 3.0 policy"))?;
        word(&self.created)?;
        let privileges = self.access_privilege.into_iter().map(RawPrivilege::check).collect::<Result<_, _>>()?;
        let sharing = self.further_sharing.into_iter().map(RawSharing::check).collect::<Result<_, _>>()?;
        let (classification, access, needs) = self.control_set.check()?;
        Ok(Acs {
            identifier: word(&self.identifier)?.into(),
            custodian: word(&self.responsible_entity_custodian)?.into(),
            classification,
            access,
            needs,
            privilege_default,
            sharing_default,
            privileges,
            sharing,
        })
    }
}

/// A control set: what is a classification, who has access, and what must be held.
type Controls = (Classification, Scope, Box<[Box<str>]>);

impl RawControls {
    fn check(self) -> Result<Controls, AcsError> {
        let mut level = match self.classification.as_str() {
            "U" => Level::Unclassified,
            "C" => Level::Confidential,
            "S" => Level::Secret,
            "TS" => Level::TopSecret,
            _ => return Err(AcsError::new("classification is none of U, C, S, TS")),
        };
        let mut release = match self.permitted_nationalities {
            None => None,
            Some(nations) => Some(release_list(&words(&nations)?)?),
        };
        let mut needs: Vec<Box<str>> = Vec::new();
        for determination in &*words(&self.formal_determination)? {
            match &**determination {
                "NF" => release = Some(release.map_or_else(Nations::usa, |list| list.intersect(&Nations::usa()))),
                "FOUO" => level = level.max(Level::Controlled),
                inform if INFORMING.contains(&inform) => {}
                unknown => needs.push(unknown.into()),
            }
        }
        for list in [&self.caveat, &self.sensitivity, &self.logical_authority_category] {
            needs.extend(words(list)?);
        }
        needs.sort_unstable();
        needs.dedup();
        let compartments = words(&self.sci_controls)?.iter().map(|c| crate::marking::control(c)).collect();
        let access = Scope {
            nationalities: None,
            organisations: members(self.permitted_organizations)?,
            shareabilities: members(self.shareability)?,
            entities: members(self.entity)?,
        };
        Ok((Classification::new(level, release, compartments), access, needs.into()))
    }
}

impl RawPrivilege {
    fn check(self) -> Result<Privilege, AcsError> {
        let scope = Scope {
            nationalities: members(self.privilege_scope.permitted_nationalities)?,
            organisations: members(self.privilege_scope.permitted_organizations)?,
            shareabilities: members(self.privilege_scope.shareability)?,
            entities: members(self.privilege_scope.entity)?,
        };
        if scope == Scope::default() {
            return Err(AcsError::new("a privilege_scope names nobody"));
        }
        Ok(Privilege { action: self.privilege_action, scope, effect: self.rule_effect })
    }
}

impl RawSharing {
    fn check(self) -> Result<Sharing, AcsError> {
        if self.sharing_scope.is_empty() {
            return Err(AcsError::new("a sharing_scope names nobody"));
        }
        Ok(Sharing { scope: words(&self.sharing_scope)?, effect: self.rule_effect })
    }
}

/// Determinations that say what a resource holds or is fit for, and keep nobody out.
const INFORMING: [&str; 5] = [
    "PUBREL",
    "AIS",
    "NO-PII-PRESENT",
    "PII-NECESSARY-TO-UNDERSTAND-THREAT",
    "INFORMATION-DIRECTLY-RELATED-TO-CYBERSECURITY-THREAT",
];

/// The defaults of one or several policies; deny beats permit.
pub(super) fn defaults(reference: &str) -> Option<(Effect, Effect)> {
    let each = reference.split_ascii_whitespace().map(|policy| {
        let rest = policy.strip_prefix("urn:isa:policy:acs:ns:v3.0?privdefault=")?;
        let (privilege, sharing) = rest.split_once("&sharedefault=")?;
        Some((effect(privilege)?, effect(sharing)?))
    });
    each.reduce(|a, b| a.zip(b).map(|((a, b), (c, d))| (a.max(c), b.max(d)))).flatten()
}

fn effect(word: &str) -> Option<Effect> {
    match word {
        "permit" => Some(Effect::Permit),
        "deny" => Some(Effect::Deny),
        _ => None,
    }
}

fn release_list(nations: &[Box<str>]) -> Result<Nations, AcsError> {
    Nations::parse(&nations.join(",")).ok_or_else(|| AcsError::new("permitted_nationalities is no list of trigraphs"))
}

fn members(list: Option<Vec<String>>) -> Result<Option<Members>, AcsError> {
    let Some(list) = list else { return Ok(None) };
    let list = words(&list)?;
    match &*list {
        [] => Err(AcsError::new("an empty list names nobody")),
        [all] if **all == *"ALL" => Ok(Some(Members::All)),
        list if list.iter().any(|one| **one == *"ALL") => Err(AcsError::new("ALL stands beside others")),
        _ => Ok(Some(Members::Of(list))),
    }
}

/// Sorted, each once.
fn words(list: &[String]) -> Result<Box<[Box<str>]>, AcsError> {
    if list.len() > MAX_LIST {
        return Err(AcsError::new("a list is too long"));
    }
    let mut list = list.iter().map(|text| word(text).map(Box::from)).collect::<Result<Vec<Box<str>>, _>>()?;
    list.sort_unstable();
    list.dedup();
    Ok(list.into())
}

/// What a vocabulary's value or an identifier can look like.
fn word(text: &str) -> Result<&str, AcsError> {
    let fits = !text.is_empty() && text.len() <= MAX_WORD_BYTES && text.bytes().all(|b| matches!(b, b' '..=b'~'));
    if fits { Ok(text) } else { Err(AcsError::new("a value is empty, too long or no plain text")) }
}

impl AcsError {
    pub(super) fn new(why: &str) -> Self {
        Self(crate::marking::cut(why, MAX_ERROR_BYTES).into())
    }
}

/// Longest error text: it may quote the marking.
const MAX_ERROR_BYTES: usize = 256;

/// Entries of one list that are read; a marking has a handful. More are an error, so that deciding stays cheap.
pub(super) const MAX_LIST: usize = 256;

/// Longest word or identifier in a marking.
const MAX_WORD_BYTES: usize = 256;
