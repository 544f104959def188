//! [`Clearance`]: what a machine may hold, a reader may see and be told, and a response may do. Pure questions about one
//! marking; each answer names the rule that made it.

use std::fmt::Write;

use super::acs::Excluded;
use super::{Acs, AcsAction, Classification, Decision, Effect, Level, Marking, Nations, Pap, Reader, Rule, Tlp};

/// What a machine or reader is cleared for. `Default` is the public: unclassified, of no nation, TLP:CLEAR, nothing but
/// logging. What a clearance does not say, it does not have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clearance {
    /// Highest classification.
    pub level: Level,
    /// Trigraphs of the nations of everyone who reads: a release must name all of them. Sorted.
    pub nationalities: Box<[Box<str>]>,
    /// What the reader belongs to: organisations as ACS names them (`USA.DOD.DC3`; it belongs to `USA.DOD` too), and sectors.
    pub organisations: Box<[Box<str>]>,
    /// The sectors among them (`DIB`, `FIN`).
    pub sectors: Box<[Box<str>]>,
    /// What the reader is, as ACS names it (`GOV`, `CTR`, `MIL`, `SVC`, ..).
    pub entities: Box<[Box<str>]>,
    /// As ACS names it: `NCC`, `EM`, `LE`, `IC`.
    pub shareabilities: Box<[Box<str>]>,
    /// Controls held (`SI`, `ORCON`, `SP-CTI`), by their banner names.
    pub controls: Box<[Box<str>]>,
    /// ACS sensitivities, caveats and authority categories held (`NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA`).
    pub caveats: Box<[Box<str>]>,
    /// Strictest TLP whose audience the reader belongs to: RED named people, AMBER+STRICT the receiving organisation, AMBER
    /// its clients, GREEN the community, CLEAR everyone.
    pub tlp: Tlp,
    /// The people that RED names.
    pub people: Box<[Box<str>]>,
    /// The most that it does with an indicator.
    pub act: Action,
    /// ACS actions that it may use where a marking permits them.
    pub acs_actions: Box<[AcsAction]>,
    /// What unmarked entries count as.
    pub floor: Marking,
    /// The customer agreed to share anonymised sightings back.
    pub consents: bool,
    /// Belongs to whoever gives the feed: see [`Clearance::owner`].
    pub is_owner: bool,
}

/// What a response does with an indicator, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Action {
    /// Compare with recorded or mirrored traffic and log it; nobody can notice.
    #[default]
    Log,
    /// Passive checks with third parties (a passive-DNS look-up).
    Passive,
    /// What the adversary can notice: block, sinkhole, reset, probe.
    Active,
}

impl Action {
    /// As a clearance file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Passive => "passive",
            Self::Active => "active",
        }
    }
}

/// `Err` is the denial; the texts of what is met are collected.
type Check = Result<(), Decision>;

impl Clearance {
    /// Of a sensor or sink without a clearance file: it belongs to whoever gives the feed, who has read it already. It holds
    /// and sees everything and names every source; what may be done is limited by the markings all the same.
    pub fn owner() -> Self {
        Self { act: Action::Active, acs_actions: Box::new([AcsAction::All]), is_owner: true, ..Self::default() }
    }

    /// Whether a machine with this clearance may hold the entry: classification, ACS control set and ACS NETDEF, because a
    /// sensor does nothing else with it. TLP names people, not machines.
    pub fn may_hold(&self, marking: &Marking) -> Decision {
        self.answer(marking, |clearance, marked, met| {
            clearance.cleared(marked, met)?;
            clearance.acs_action(marked, AcsAction::NetDef, met)
        })
    }

    /// Whether a reader with this clearance may see the value.
    pub fn may_see(&self, marking: &Marking) -> Decision {
        self.answer(marking, Self::seen)
    }

    /// Whether a reader with this clearance may be told who provided the entry: only who may see it, unless the source is
    /// hidden.
    pub fn may_name_source(&self, marking: &Marking) -> Decision {
        self.answer(marking, |clearance, marked, met| {
            clearance.seen(marked, met)?;
            if marking.hides_source() {
                return Err(Decision::deny(Rule::HiddenSource, "TLP:EX:CHR"));
            }
            clearance.acs_action(marked, AcsAction::IdSrc, met)
        })
    }

    /// Whether whom it concerns may be notified of a hit, without the value.
    pub fn may_notify(&self, marking: &Marking) -> Decision {
        if self.is_owner && marking.acs().is_empty() && marking.undefined_refs().is_empty() {
            return Decision::allow(Rule::Owner, String::new());
        }
        self.limited(marking, |clearance, marked, met| {
            defined(marked)?;
            clearance.acs_action(marked, AcsAction::TeNot, met)
        })
    }

    /// Whether `action` is permitted, by the marking and to this clearance. PAP RED logs only, AMBER adds passive checks,
    /// GREEN is the first that permits what the adversary can notice. ACS must permit NETDEF. Who is not cleared for an entry
    /// does nothing with it; TLP is not asked: what hands values on, such as an export, asks [`Clearance::may_see`] too.
    pub fn may_act(&self, marking: &Marking, action: Action) -> Decision {
        if self.is_owner && action == Action::Log {
            return Decision::allow(Rule::Owner, String::new());
        }
        self.limited(marking, |clearance, marked, met| {
            if action > clearance.act {
                let detail = format!("{} is beyond act = {}", action.name(), clearance.act.name());
                return Err(Decision::deny(Rule::Action, detail));
            }
            match clearance.is_owner {
                true => defined(marked)?,
                false => clearance.cleared(marked, met)?,
            }
            if let Some(pap) = marked.pap {
                let permitted = permitted_by(pap);
                if action > permitted {
                    let detail = format!("PAP:{pap} permits {}, not {}", permitted.name(), action.name());
                    return Err(Decision::deny(Rule::Pap, detail));
                }
                met.note(format_args!("PAP:{pap} permits {}", permitted.name()));
            }
            clearance.acs_action(marked, AcsAction::NetDef, met)
        })
    }

    fn answer(&self, marking: &Marking, ask: impl FnOnce(&Self, &Marked<'_>, &mut Met) -> Check) -> Decision {
        if self.is_owner {
            return Decision::allow(Rule::Owner, String::new());
        }
        self.limited(marking, ask)
    }

    fn limited(&self, marking: &Marking, ask: impl FnOnce(&Self, &Marked<'_>, &mut Met) -> Check) -> Decision {
        let floor = &self.floor;
        let marked = Marked {
            tlp: marking.tlp.or(floor.tlp),
            pap: marking.pap.or(floor.pap),
            classification: marking.classification.as_ref().or(floor.classification.as_ref()),
            acs: marking.acs(),
            undefined: marking.undefined_refs(),
        };
        let mut met = Met(String::new());
        match ask(self, &marked, &mut met) {
            Err(denied) => denied,
            Ok(()) if met.0.is_empty() => Decision::allow(Rule::Unlimited, String::new()),
            Ok(()) => Decision::allow(Rule::Met, met.0),
        }
    }

    fn seen(&self, marked: &Marked<'_>, met: &mut Met) -> Check {
        self.cleared(marked, met)?;
        if let Some(tlp) = marked.tlp {
            if tlp > self.tlp {
                let detail = format!("TLP:{tlp} is for {}, the reader is cleared for TLP:{}", audience(tlp), self.tlp);
                return Err(Decision::deny(Rule::Tlp, detail));
            }
            met.note(format_args!("TLP:{tlp} is for {}", audience(tlp)));
        }
        self.acs_action(marked, AcsAction::Dsply, met)?;
        let is_foreign = self.nationalities.iter().any(|nation| **nation != *"USA");
        if self.tlp >= Tlp::AmberStrict && !is_foreign {
            return Ok(());
        }
        for acs in marked.acs {
            let ruling = acs.further_sharing(&self.reader());
            if ruling.effect == Effect::Deny {
                return Err(Decision::deny(Rule::FurtherSharing, told(acs, "further sharing", ruling.rule)));
            }
        }
        Ok(())
    }

    /// Classification, and the control sets of ACS.
    fn cleared(&self, marked: &Marked<'_>, met: &mut Met) -> Check {
        defined(marked)?;
        if let Some(classification) = marked.classification {
            self.cleared_for(classification, met)?;
        }
        for acs in marked.acs {
            let id = acs.identifier();
            let (rule, detail) = match acs.admits(&self.reader(), &self.caveats) {
                Ok(()) => continue,
                Err(Excluded::Organisation) => (Rule::Organisation, format!("{id}: permitted_organizations")),
                Err(Excluded::Entity) => (Rule::Entity, format!("{id}: entity")),
                Err(Excluded::Shareability) => (Rule::Shareability, format!("{id}: shareability")),
                Err(Excluded::NotHeld(need)) => (Rule::Caveat, format!("{id}: {need}")),
            };
            return Err(Decision::deny(rule, detail));
        }
        Ok(())
    }

    fn cleared_for(&self, classification: &Classification, met: &mut Met) -> Check {
        if !classification.is_readable() {
            return Err(Decision::deny(Rule::Unreadable, ""));
        }
        let level = classification.level();
        if level > self.level {
            return Err(Decision::deny(Rule::Level, format!("{level} above {}", self.level)));
        }
        if let Some(control) = classification.controls().find(|control| !self.controls.iter().any(|h| **h == **control))
        {
            return Err(Decision::deny(Rule::Control, control));
        }
        met.note(format_args!("{level} is within {}", self.level));
        let Some(list) = classification.release() else { return Ok(()) };
        let listed = if *list == Nations::usa() { "NOFORN".to_string() } else { format!("REL TO {list}") };
        if self.nationalities.is_empty() {
            return Err(Decision::deny(Rule::Release, format!("{listed}, the reader is of no nation")));
        }
        match self.nationalities.iter().find(|nation| !list.contains(nation)) {
            Some(nation) if list.is_empty() => {
                Err(Decision::deny(Rule::Release, format!("to nobody, so not to {nation}")))
            }
            Some(nation) => Err(Decision::deny(Rule::Release, format!("{listed}, not to {nation}"))),
            None => {
                met.note(format_args!("{listed} covers {}", self.nationalities.join(", ")));
                Ok(())
            }
        }
    }

    /// Whether every ACS marking permits `action`, and the clearance has it.
    fn acs_action(&self, marked: &Marked<'_>, action: AcsAction, met: &mut Met) -> Check {
        if marked.acs.is_empty() {
            return Ok(());
        }
        if !self.acs_actions.iter().any(|held| [AcsAction::All, action].contains(held)) {
            return Err(Decision::deny(Rule::AcsAction, action.name()));
        }
        for acs in marked.acs {
            let ruling = acs.privilege(action, &self.reader());
            if ruling.effect == Effect::Deny {
                return Err(Decision::deny(Rule::AcsDeny, told(acs, action.name(), ruling.rule)));
            }
            met.note(format_args!("{}", told(acs, action.name(), ruling.rule)));
        }
        Ok(())
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            nationalities: &self.nationalities,
            organisations: &self.organisations,
            sectors: &self.sectors,
            entities: &self.entities,
            shareabilities: &self.shareabilities,
        }
    }
}

/// A marking over the clearance's floor.
struct Marked<'a> {
    tlp: Option<Tlp>,
    pap: Option<Pap>,
    classification: Option<&'a Classification>,
    acs: &'a [Acs],
    undefined: &'a [Box<str>],
}

/// What was met, in words.
struct Met(String);

impl Met {
    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        let gap = if self.0.is_empty() { "" } else { "; " };
        // Writing to a String does not fail.
        let _ = write!(self.0, "{gap}{what}");
    }
}

fn defined(marked: &Marked<'_>) -> Check {
    match marked.undefined.first() {
        Some(reference) => Err(Decision::deny(Rule::Undefined, reference.clone())),
        None => Ok(()),
    }
}

fn permitted_by(pap: Pap) -> Action {
    match pap {
        Pap::Red => Action::Log,
        Pap::Amber => Action::Passive,
        Pap::Green | Pap::Clear => Action::Active,
    }
}

fn audience(tlp: Tlp) -> &'static str {
    match tlp {
        Tlp::Red => "named people only",
        Tlp::AmberStrict => "the receiving organisation only, not its clients",
        Tlp::Amber => "the receiving organisation and its clients",
        Tlp::Green => "the community",
        Tlp::Clear => "everyone",
    }
}

/// Which rule of an ACS marking ruled on `what`, rules counted from 1.
fn told(acs: &Acs, what: &str, rule: Option<usize>) -> String {
    match rule {
        Some(at) => format!("{}: {what} by rule {}", acs.identifier(), at + 1),
        None => format!("{}: {what} by the policy's default", acs.identifier()),
    }
}

#[cfg(test)]
mod tests;
