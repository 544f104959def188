//! [`Acs`]: a marking of the Access Control Specification 3.0, read from its STIX extension, and what it lets a reader do.
//!
//! Fails closed: an unknown field, action, scope or value is an error, and what cannot be read is undefined
//! ([`Marking::undefined`](super::Marking::undefined)). Two markings are combined by keeping both: a reader must be permitted by each.
//!
//! Source: OASIS, ACS marking definition for STIX 2.1 (`extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce`) and its schema.

mod print;
mod raw;

use serde::Deserialize;

use super::Classification;
use raw::Raw;

/// One ACS marking. Its level, compartments and nations are a [`Classification`], kept beside it in the marking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acs {
    identifier: Box<str>,
    custodian: Box<str>,
    classification: Classification,
    /// Organisations, entities and shareabilities of the control set, and what must be held.
    access: Scope,
    needs: Box<[Box<str>]>,
    privilege_default: Effect,
    sharing_default: Effect,
    privileges: Box<[Privilege]>,
    sharing: Box<[Sharing]>,
}

/// What may be done with a resource (`privilege_action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AcsAction {
    /// Display it.
    Dsply,
    /// Identify its source further than the receiving entity.
    IdSrc,
    /// Notify a targeted entity.
    TeNot,
    /// Defend networks: detect, mitigate, develop signatures.
    NetDef,
    /// Use it in legal proceedings.
    Legal,
    /// Analyse it further.
    Intel,
    /// Take parts out and treat them by their own marking.
    Tearline,
    /// Operate against the adversary's capabilities.
    OpAction,
    /// Ask for a waiver.
    Request,
    /// Give access without identification.
    AnonymousAccess,
    /// Uses that the Cybersecurity Information Sharing Act allows.
    CisaUses,
    /// Every action.
    All,
}

impl AcsAction {
    /// As the specification writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dsply => "DSPLY",
            Self::IdSrc => "IDSRC",
            Self::TeNot => "TENOT",
            Self::NetDef => "NETDEF",
            Self::Legal => "LEGAL",
            Self::Intel => "INTEL",
            Self::Tearline => "TEARLINE",
            Self::OpAction => "OPACTION",
            Self::Request => "REQUEST",
            Self::AnonymousAccess => "ANONYMOUSACCESS",
            Self::CisaUses => "CISAUSES",
            Self::All => "ALL",
        }
    }
}

/// Whether a rule permits or denies (`rule_effect`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It permits.
    Permit,
    /// It denies.
    Deny,
}

/// Who asks, as ACS sees a reader. Empty lists mean that it is not known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reader<'a> {
    /// Of everyone who reads.
    pub nationalities: &'a [Box<str>],
    /// What the reader belongs to: organisations (`USA.DOD.DC3`) and sectors (`DIB`).
    pub organisations: &'a [Box<str>],
    /// Sectors among them.
    pub sectors: &'a [Box<str>],
    /// What the reader is: `GOV`, `CTR`, `SVC`, ..
    pub entities: &'a [Box<str>],
    /// `NCC`, `EM`, `LE`, `IC`.
    pub shareabilities: &'a [Box<str>],
}

/// What decided a question, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// The answer.
    pub effect: Effect,
    /// Position of the rule in the marking, from 0; `None` for the policy's default.
    pub rule: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Privilege {
    action: AcsAction,
    scope: Scope,
    effect: Effect,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Sharing {
    scope: Box<[Box<str>]>,
    effect: Effect,
}

/// Whom a rule is about: everyone who is in all parts that are there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Scope {
    nationalities: Option<Members>,
    organisations: Option<Members>,
    shareabilities: Option<Members>,
    entities: Option<Members>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Members {
    All,
    /// Sorted.
    Of(Box<[Box<str>]>),
}

/// Which part of a control set keeps a reader out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excluded<'a> {
    /// `permitted_organizations`.
    Organisation,
    /// `entity`.
    Entity,
    /// `shareability`.
    Shareability,
    /// A sensitivity, caveat or authority category that must be held.
    NotHeld(&'a str),
}

/// Why it could not be read. May quote the marking, never an indicator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ACS marking cannot be read: {0}")]
pub struct AcsError(Box<str>);

impl Acs {
    /// Reads the extension's JSON object.
    ///
    /// # Errors
    /// [`AcsError`] for everything that is not what the schema says.
    pub fn parse(extension: &serde_json::Value) -> Result<Self, AcsError> {
        let raw = Raw::deserialize(extension).map_err(|error| AcsError::new(&error.to_string()))?;
        raw.check()
    }

    /// Reads the extension's JSON text. Unlike a parsed value, a text shows fields that are there twice, which are refused.
    ///
    /// # Errors
    /// [`AcsError`].
    pub fn parse_json(extension: &str) -> Result<Self, AcsError> {
        let raw: Raw = serde_json::from_str(extension).map_err(|error| AcsError::new(&error.to_string()))?;
        raw.check()
    }

    /// Unique name of the marking (`isa:guide.19001.ACS3-..`).
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Who is responsible for the resource (`USA.NSA`).
    pub fn custodian(&self) -> &str {
        &self.custodian
    }

    /// Level, compartments and nations of its control set.
    pub fn classification(&self) -> &Classification {
        &self.classification
    }

    /// Whether the control set lets a reader have access at all; `held` are the sensitivities and caveats that it holds.
    /// Level and nations are its [`Acs::classification`]'s to judge.
    ///
    /// # Errors
    /// What keeps the reader out.
    pub fn admits(&self, reader: &Reader<'_>, held: &[Box<str>]) -> Result<(), Excluded<'_>> {
        let (has, access) = (reader, &self.access);
        if !any_of(&access.organisations, has.organisations, belongs).surely() {
            return Err(Excluded::Organisation);
        }
        if !any_of(&access.entities, has.entities, same).surely() {
            return Err(Excluded::Entity);
        }
        if !any_of(&access.shareabilities, has.shareabilities, same).surely() {
            return Err(Excluded::Shareability);
        }
        match self.needs.iter().find(|need| !held.contains(need)) {
            Some(need) => Err(Excluded::NotHeld(need)),
            None => Ok(()),
        }
    }

    /// Whether the reader may do `action`: a rule that may be about the reader and denies, then one that surely is and
    /// permits, then the policy's default.
    pub fn privilege(&self, action: AcsAction, reader: &Reader<'_>) -> Ruling {
        let about = |privilege: &Privilege| match [AcsAction::All, action].contains(&privilege.action) {
            true => privilege.scope.holds(reader),
            false => Holds::No,
        };
        rule(self.privileges.iter().map(|p| (p.effect, about(p))), self.privilege_default)
    }

    /// Whether it may be shared further, from who received it to this reader.
    pub fn further_sharing(&self, reader: &Reader<'_>) -> Ruling {
        let about = |sharing: &Sharing| {
            let each = sharing.scope.iter().map(|scope| match &**scope {
                "FOREIGNGOV" => match reader.nationalities {
                    [] => Holds::Unknown,
                    nations => Holds::from(nations.iter().any(|nation| **nation != *"USA")),
                },
                "SECTOR" => match (reader.sectors, reader.organisations) {
                    ([], []) => Holds::Unknown,
                    (sectors, _) => Holds::from(!sectors.is_empty()),
                },
                organisation => match reader.organisations {
                    [] => Holds::Unknown,
                    all => Holds::from(all.iter().any(|own| belongs(own, organisation))),
                },
            });
            each.max().unwrap_or(Holds::No)
        };
        rule(self.sharing.iter().map(|s| (s.effect, about(s))), self.sharing_default)
    }
}

/// Whether a rule is about a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    No,
    Unknown,
    Yes,
}

impl Holds {
    fn surely(self) -> bool {
        self == Self::Yes
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// Deny beats permit, and both beat the default. Not knowing the reader is enough to deny and not enough to permit.
fn rule(rules: impl Iterator<Item = (Effect, Holds)> + Clone, default: Effect) -> Ruling {
    let first = |effect, least| {
        let found = rules.clone().position(|(e, holds)| e == effect && holds >= least);
        found.map(|at| Ruling { effect, rule: Some(at) })
    };
    first(Effect::Deny, Holds::Unknown)
        .or_else(|| first(Effect::Permit, Holds::Yes))
        .unwrap_or(Ruling { effect: default, rule: None })
}

impl Scope {
    fn holds(&self, reader: &Reader<'_>) -> Holds {
        let nations = match (&self.nationalities, reader.nationalities) {
            (None | Some(Members::All), _) => Holds::Yes,
            (Some(Members::Of(_)), []) => Holds::Unknown,
            (Some(Members::Of(listed)), all) => {
                let on_list = all.iter().filter(|nation| listed.contains(nation)).count();
                match on_list {
                    0 => Holds::No,
                    // Some who read are meant and some are not: neither a permit nor a way around a denial.
                    some if some < all.len() => Holds::Unknown,
                    _ => Holds::Yes,
                }
            }
        };
        nations
            .min(any_of(&self.organisations, reader.organisations, belongs))
            .min(any_of(&self.entities, reader.entities, same))
            .min(any_of(&self.shareabilities, reader.shareabilities, same))
    }
}

/// Whether one of what the reader is, is one of the members.
fn any_of(members: &Option<Members>, reader: &[Box<str>], is: fn(&str, &str) -> bool) -> Holds {
    match members {
        None | Some(Members::All) => Holds::Yes,
        Some(Members::Of(_)) if reader.is_empty() => Holds::Unknown,
        Some(Members::Of(listed)) => Holds::from(reader.iter().any(|own| listed.iter().any(|one| is(own, one)))),
    }
}

fn same(own: &str, listed: &str) -> bool {
    own == listed
}

/// `USA.DOD.DC3` belongs to `USA.DOD`.
fn belongs(own: &str, listed: &str) -> bool {
    own.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
pub(super) mod tests;
