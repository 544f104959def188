//! [`Decision`]: the answer of a clearance, and the [`Rule`] that made it.

use std::fmt;

/// An answer. Its text names marking and clearance, never an indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub allowed: bool,
    /// What decided it.
    pub rule: Rule,
    /// The rule applied to this marking and this clearance; may be empty.
    pub detail: Box<str>,
}

/// What decides. Those that permit come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// There is no clearance file: whoever gives the feed holds and sees it.
    Owner,
    /// Nothing in the marking limits it.
    Unlimited,
    /// Everything that limits it is met.
    Met,
    /// A part of the marking cannot be read.
    Unreadable,
    /// A reference has no known definition.
    Undefined,
    /// The classification is above the level.
    Level,
    /// Not released to a nation.
    Release,
    /// A control is not held.
    Control,
    /// ACS: not of a permitted organisation.
    Organisation,
    /// ACS: not a permitted entity.
    Entity,
    /// ACS: not of a permitted shareability.
    Shareability,
    /// ACS: a sensitivity, caveat or authority category is not held.
    Caveat,
    /// ACS: a rule denies the action, or the policy does where no rule permits it.
    AcsDeny,
    /// ACS: the clearance does not have the action.
    AcsAction,
    /// ACS: not to be shared further to this reader.
    FurtherSharing,
    /// Outside the TLP audience.
    Tlp,
    /// The source is not to be named.
    HiddenSource,
    /// Beyond what the PAP permits.
    Pap,
    /// Beyond what the clearance does.
    Action,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 19] = [
        Self::Owner,
        Self::Unlimited,
        Self::Met,
        Self::Unreadable,
        Self::Undefined,
        Self::Level,
        Self::Release,
        Self::Control,
        Self::Organisation,
        Self::Entity,
        Self::Shareability,
        Self::Caveat,
        Self::AcsDeny,
        Self::AcsAction,
        Self::FurtherSharing,
        Self::Tlp,
        Self::HiddenSource,
        Self::Pap,
        Self::Action,
    ];

    /// A short word for it that stays the same, for reports in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Unlimited => "unlimited",
            Self::Met => "met",
            Self::Unreadable => "unreadable_marking",
            Self::Undefined => "undefined_marking",
            Self::Level => "above_level",
            Self::Release => "not_releasable",
            Self::Control => "control_not_held",
            Self::Organisation => "organisation_not_permitted",
            Self::Entity => "entity_not_permitted",
            Self::Shareability => "shareability_not_permitted",
            Self::Caveat => "caveat_not_held",
            Self::AcsDeny => "acs_deny",
            Self::AcsAction => "acs_action_not_held",
            Self::FurtherSharing => "further_sharing_denied",
            Self::Tlp => "outside_tlp_audience",
            Self::HiddenSource => "source_hidden",
            Self::Pap => "beyond_pap",
            Self::Action => "action_not_cleared",
        }
    }
}

/// In words.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "no clearance file: whoever gives the feed holds and sees it",
            Self::Unlimited => "nothing in the marking limits it",
            Self::Met => "everything in the marking is met",
            Self::Unreadable => "a marking that cannot be read is for nobody",
            Self::Undefined => "a marking without a known definition is for nobody",
            Self::Level => "classification above the level cleared for",
            Self::Release => "not releasable to the nation",
            Self::Control => "a control is not held",
            Self::Organisation => "ACS: the organisation is not permitted",
            Self::Entity => "ACS: the entity is not permitted",
            Self::Shareability => "ACS: the shareability is not permitted",
            Self::Caveat => "ACS: a sensitivity or caveat is not held",
            Self::AcsDeny => "ACS: the action is denied",
            Self::AcsAction => "ACS: the clearance does not have the action",
            Self::FurtherSharing => "ACS: not to be shared further to this reader",
            Self::Tlp => "outside the TLP audience",
            Self::HiddenSource => "the source is not to be named",
            Self::Pap => "beyond what the PAP permits",
            Self::Action => "beyond what the clearance does",
        })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.allowed { "yes" } else { "no" }, self.rule)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl Decision {
    pub(super) fn allow(rule: Rule, detail: String) -> Self {
        Self { allowed: true, rule, detail: detail.into() }
    }

    pub(super) fn deny(rule: Rule, detail: impl Into<Box<str>>) -> Self {
        Self { allowed: false, rule, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rule_has_a_code_and_words_of_its_own() {
        let codes: HashSet<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        let words: HashSet<_> = Rule::ALL.iter().map(ToString::to_string).collect();
        assert_eq!((codes.len(), words.len()), (Rule::ALL.len(), Rule::ALL.len()));
        let no = Decision::deny(Rule::Level, "SECRET above CUI");
        assert_eq!(no.to_string(), "no: classification above the level cleared for (SECRET above CUI)");
        assert_eq!(
            Decision::allow(Rule::Unlimited, String::new()).to_string(),
            "yes: nothing in the marking limits it"
        );
    }
}
