//! [`Clearance`]: what a machine may hold, a reader may see and a response may do. Pure questions about one marking.

use super::{Classification, Level, Marking, Pap, Tlp};

/// What a machine or reader is cleared for. `Default` is the public: unclassified, no nation, TLP:CLEAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clearance {
    /// Highest classification.
    pub level: Level,
    /// Trigraph of the nation, for release lists.
    pub nation: Option<Box<str>>,
    /// Controls held (`SI`, `SP-CTI`, ...), upper-case.
    pub controls: Box<[Box<str>]>,
    /// Strictest TLP whose audience the reader belongs to.
    pub tlp: Tlp,
    /// What unmarked entries count as.
    pub floor: Marking,
}

impl Default for Clearance {
    fn default() -> Self {
        Self {
            level: Level::Unclassified,
            nation: None,
            controls: Box::default(),
            tlp: Tlp::Clear,
            floor: Marking::default(),
        }
    }
}

/// What a response does with an indicator, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Compare with recorded or mirrored traffic and log it; nobody can notice.
    Log,
    /// Passive checks with third parties (a passive-DNS look-up).
    Passive,
    /// What the adversary can notice: block, sinkhole, reset, probe.
    Active,
}

impl Clearance {
    /// Whether a machine with this clearance may hold the entry: its classification only. TLP names people, not machines.
    pub fn may_load(&self, marking: &Marking) -> bool {
        match &marking.or(&self.floor).classification {
            None => true,
            Some(classification) => self.is_cleared_for(classification),
        }
    }

    /// Whether a reader with this clearance may see the value and its source.
    pub fn may_see(&self, marking: &Marking) -> bool {
        let marking = marking.or(&self.floor);
        self.may_load(&marking) && marking.tlp.is_none_or(|tlp| tlp <= self.tlp)
    }

    /// Whether the marking permits `action`: PAP RED logs only, AMBER adds passive checks, GREEN is the first that
    /// permits what the adversary can notice.
    pub fn may_act(&self, marking: &Marking, action: Action) -> bool {
        let permitted = match marking.or(&self.floor).pap {
            Some(Pap::Red) => Action::Log,
            Some(Pap::Amber) => Action::Passive,
            Some(Pap::Green | Pap::Clear) | None => Action::Active,
        };
        action <= permitted
    }

    fn is_cleared_for(&self, classification: &Classification) -> bool {
        classification.is_readable()
            && classification.level() <= self.level
            && classification.controls().all(|control| self.controls.iter().any(|held| **held == *control))
            && classification.release().is_none_or(|list| self.nation.as_ref().is_some_and(|n| list.contains(n)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(text: &str) -> Marking {
        Marking { classification: Some(Classification::parse(text).expect("not foreign")), ..Marking::default() }
    }

    #[test]
    fn level_nation_and_controls_must_all_suffice() {
        let british =
            Clearance { level: Level::Secret, nation: Some("GBR".into()), tlp: Tlp::Amber, ..Clearance::default() };
        assert!(british.may_load(&classified("S//REL TO USA, FVEY")));
        assert!(!british.may_load(&classified("S//NF")), "not released to the nation");
        assert!(!british.may_load(&classified("TS//REL TO USA, GBR")), "above the level");
        assert!(!british.may_load(&classified("S//SI//REL TO USA, GBR")), "a control not held");
        let indoctrinated = Clearance { controls: Box::new(["SI".into()]), ..british.clone() };
        assert!(indoctrinated.may_load(&classified("S//SI//REL TO USA, GBR")));
        assert!(british.may_load(&classified("UNCLASSIFIED")) && Clearance::default().may_load(&classified("U")));
        let all =
            Clearance { level: Level::TopSecret, nation: Some("USA".into()), tlp: Tlp::Red, ..Clearance::default() };
        assert!(!all.may_see(&classified("GEHEIM")), "the unreadable is for nobody");
    }

    #[test]
    fn tlp_limits_who_sees_and_not_what_is_held() {
        let reader = Clearance { tlp: Tlp::Amber, ..Clearance::default() };
        let red = Marking { tlp: Some(Tlp::Red), ..Marking::default() };
        let amber = Marking { tlp: Some(Tlp::Amber), ..Marking::default() };
        let strict = Marking { tlp: Some(Tlp::AmberStrict), ..Marking::default() };
        assert!(reader.may_see(&amber) && !reader.may_see(&strict) && !reader.may_see(&red));
        assert!(reader.may_load(&red));
        let careful = Clearance { floor: red, ..reader };
        assert!(!careful.may_see(&Marking::default()), "unmarked counts as the floor");
    }

    #[test]
    fn pap_green_is_the_first_to_permit_a_block() {
        let clearance = Clearance::default();
        for (pap, active, passive) in
            [(Pap::Red, false, false), (Pap::Amber, false, true), (Pap::Green, true, true), (Pap::Clear, true, true)]
        {
            let marking = Marking { pap: Some(pap), ..Marking::default() };
            assert_eq!(clearance.may_act(&marking, Action::Active), active, "{pap}");
            assert_eq!(clearance.may_act(&marking, Action::Passive), passive, "{pap}");
            assert!(clearance.may_act(&marking, Action::Log));
        }
    }
}
