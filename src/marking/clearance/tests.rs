//! Each question, each rule that can decide it.

use super::super::acs::tests::{acs, full};
use super::*;

fn marked(text: &str) -> Marking {
    Marking::parse(text).expect("not foreign")
}

fn words(list: &[&str]) -> Box<[Box<str>]> {
    list.iter().map(|word| Box::from(*word)).collect()
}

fn british() -> Clearance {
    Clearance { level: Level::Secret, nationalities: words(&["GBR"]), tlp: Tlp::Amber, ..Clearance::default() }
}

/// Holds all that [`acs::tests::full`](super::super::acs::tests::full) asks for.
fn analyst() -> Clearance {
    Clearance {
        level: Level::Secret,
        nationalities: words(&["USA"]),
        organisations: words(&["USA.DOD.DC3"]),
        entities: words(&["GOV"]),
        controls: words(&["SI"]),
        caveats: words(&["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"]),
        tlp: Tlp::AmberStrict,
        act: Action::Active,
        acs_actions: Box::new([AcsAction::All]),
        ..Clearance::default()
    }
}

#[test]
fn level_nation_and_controls_must_all_suffice() {
    let may = |who: &Clearance, text: &str| who.may_hold(&marked(text)).rule;
    assert_eq!(may(&british(), "S//REL TO USA, FVEY"), Rule::Met);
    assert_eq!(may(&british(), "S//NF"), Rule::Release);
    assert_eq!(may(&british(), "TS//REL TO USA, GBR"), Rule::Level);
    assert_eq!(may(&british(), "S//SI//REL TO USA, GBR"), Rule::Control);
    let indoctrinated = Clearance { controls: words(&["SI"]), ..british() };
    assert_eq!(may(&indoctrinated, "S//SI//REL TO USA, GBR"), Rule::Met);
    assert_eq!(may(&Clearance::default(), "U"), Rule::Met);
    assert_eq!(may(&Clearance::default(), ""), Rule::Unlimited);
    let all =
        Clearance { level: Level::TopSecret, nationalities: words(&["USA"]), tlp: Tlp::Red, ..Clearance::default() };
    assert_eq!(may(&all, "GEHEIM"), Rule::Unreadable);
    assert_eq!(may(&Clearance { nationalities: Box::default(), ..all }, "S//NF"), Rule::Release, "of no nation");
}

#[test]
fn a_release_must_name_everyone_who_reads() {
    let coalition = Clearance { nationalities: words(&["DEU", "USA"]), ..british() };
    assert_eq!(coalition.may_hold(&marked("S//REL TO USA, GBR")).rule, Rule::Release);
    assert!(coalition.may_hold(&marked("S//REL TO USA, DEU")).allowed);
}

#[test]
fn tlp_limits_who_sees_and_not_what_is_held() {
    let client = Clearance { tlp: Tlp::Amber, ..Clearance::default() };
    let strict = Clearance { tlp: Tlp::AmberStrict, ..Clearance::default() };
    assert!(client.may_see(&marked("TLP:AMBER")).allowed);
    assert_eq!(client.may_see(&marked("TLP:AMBER+STRICT")).rule, Rule::Tlp, "not its clients");
    assert!(strict.may_see(&marked("TLP:AMBER+STRICT")).allowed);
    assert_eq!(strict.may_see(&marked("TLP:RED")).rule, Rule::Tlp);
    assert!(client.may_hold(&marked("TLP:RED")).allowed);
    let careful = Clearance { floor: marked("TLP:RED"), ..client };
    assert_eq!(careful.may_see(&Marking::default()).rule, Rule::Tlp, "unmarked counts as the floor");
    assert!(careful.may_see(&marked("TLP:GREEN")).allowed, "and the marked as it is marked");
}

#[test]
fn pap_green_is_the_first_to_permit_a_block() {
    let clearance = Clearance { act: Action::Active, ..Clearance::default() };
    for (pap, active, passive) in
        [("RED", false, false), ("AMBER", false, true), ("GREEN", true, true), ("CLEAR", true, true)]
    {
        let marking = marked(&format!("PAP:{pap}"));
        assert_eq!(clearance.may_act(&marking, Action::Active).allowed, active, "{pap}");
        assert_eq!(clearance.may_act(&marking, Action::Passive).allowed, passive, "{pap}");
        assert!(clearance.may_act(&marking, Action::Log).allowed);
    }
    assert_eq!(Clearance::default().may_act(&Marking::default(), Action::Passive).rule, Rule::Action);
    let unclassified = clearance.may_act(&marked("S//REL TO USA, GBR"), Action::Active);
    assert_eq!(unclassified.rule, Rule::Level, "who is not cleared for it does not act on it");
    assert_eq!(Clearance::owner().may_act(&marked("PAP:RED"), Action::Active).rule, Rule::Pap, "use, not sharing");
}

#[test]
fn the_source_is_named_only_to_who_sees_the_value_and_unless_hidden() {
    let reader = Clearance { tlp: Tlp::Amber, ..Clearance::default() };
    assert!(reader.may_name_source(&marked("TLP:AMBER")).allowed);
    assert_eq!(reader.may_name_source(&marked("TLP:RED")).rule, Rule::Tlp);
    assert_eq!(reader.may_name_source(&marked("TLP:GREEN TLP:EX:CHR")).rule, Rule::HiddenSource);
}

#[test]
fn the_undefined_is_for_nobody_but_the_owner() {
    let all = Clearance { level: Level::TopSecret, tlp: Tlp::Red, ..analyst() };
    let marking = Marking::undefined("marking-definition--1").combine(&marked("TLP:CLEAR"));
    for decision in [
        all.may_hold(&marking),
        all.may_see(&marking),
        all.may_name_source(&marking),
        all.may_notify(&marking),
        all.may_act(&marking, Action::Passive),
    ] {
        assert_eq!((decision.allowed, decision.rule), (false, Rule::Undefined));
    }
    let owner = Clearance::owner();
    assert!(
        owner.may_hold(&marking).allowed && owner.may_see(&marking).allowed && owner.may_name_source(&marking).allowed
    );
    assert!(!owner.may_notify(&marking).allowed && !owner.may_act(&marking, Action::Active).allowed);
}

#[test]
fn acs_asks_for_organisation_entity_and_caveat() {
    let marking = Marking::of_acs(full());
    assert_eq!(analyst().may_hold(&marking).rule, Rule::Met, "{}", analyst().may_hold(&marking));
    for (rule, who) in [
        (Rule::Level, Clearance { level: Level::Controlled, ..analyst() }),
        (Rule::Release, Clearance { nationalities: words(&["DEU"]), ..analyst() }),
        (Rule::Control, Clearance { controls: Box::default(), ..analyst() }),
        (Rule::Organisation, Clearance { organisations: words(&["USA.DODX"]), ..analyst() }),
        (Rule::Organisation, Clearance { organisations: Box::default(), ..analyst() }),
        (Rule::Entity, Clearance { entities: words(&["CTR"]), ..analyst() }),
        (Rule::Caveat, Clearance { caveats: Box::default(), ..analyst() }),
        (Rule::AcsAction, Clearance { acs_actions: Box::new([AcsAction::Dsply]), ..analyst() }),
    ] {
        assert_eq!(who.may_hold(&marking).rule, rule);
        if rule != Rule::AcsAction {
            assert_eq!(who.may_see(&marking).rule, rule);
        }
    }
}

#[test]
fn acs_privileges_answer_each_question() {
    // full(): DSPLY and NETDEF permitted to USA.DOD, IDSRC denied to all, the rest denied by default.
    let marking = Marking::of_acs(full());
    let who = analyst();
    assert!(who.may_see(&marking).allowed && who.may_act(&marking, Action::Active).allowed);
    assert_eq!(who.may_name_source(&marking).rule, Rule::AcsDeny);
    assert!(who.may_name_source(&marking).detail.contains("IDSRC by rule 3"), "{}", who.may_name_source(&marking));
    assert_eq!(who.may_notify(&marking).rule, Rule::AcsDeny);
    assert!(who.may_notify(&marking).detail.contains("TENOT by the policy's default"));
}

#[test]
fn who_received_it_is_not_asked_about_further_sharing() {
    let denies = Marking::of_acs(acs(|extension| {
        extension["further_sharing"] = serde_json::json!([{"sharing_scope": ["FOREIGNGOV"], "rule_effect": "deny"}]);
        extension["policy_reference"] = "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit".into();
    }));
    assert!(analyst().may_see(&denies).allowed);
    let briton = Clearance { nationalities: words(&["GBR"]), ..analyst() };
    assert_eq!(briton.may_see(&denies).rule, Rule::FurtherSharing);
    let client = Clearance { tlp: Tlp::Amber, ..analyst() };
    assert!(client.may_see(&denies).allowed, "no rule is about it, and the default permits");
    let default = Marking::of_acs(acs(|_| {}));
    assert!(analyst().may_see(&default).allowed);
    assert_eq!(client.may_see(&default).rule, Rule::FurtherSharing, "the default denies");
}
