//! The lattice laws of [`Marking::combine`], over every readable and unreadable shape.

use proptest::prelude::*;

use super::*;

fn any_classification() -> impl Strategy<Value = Classification> {
    let level = prop::sample::select(vec!["U", "CUI", "C", "S", "TS", "UNCLASSIFIED", "garbage", "U//FOUO"]);
    let blocks = prop::sample::subsequence(
        vec![
            "SI",
            "SI/TK",
            "OC",
            "SP-CTI",
            "NF",
            "REL TO USA, GBR",
            "REL TO USA, FVEY",
            "REL",
            "REL TO USA, NATO",
            "?",
        ],
        0..5,
    );
    (level, blocks).prop_map(|(level, blocks)| {
        let text = std::iter::once(level).chain(blocks).collect::<Vec<_>>().join("//");
        Classification::parse(&text).expect("does not begin with slashes")
    })
}

fn any_acs() -> impl Strategy<Value = Marking> {
    let effect = || prop::sample::select(vec!["permit", "deny"]);
    let nations = || prop::sample::subsequence(vec!["USA", "GBR", "DEU"], 1..=2);
    let level = prop::sample::select(vec!["U", "S"]);
    let action = prop::sample::select(vec!["DSPLY", "NETDEF", "IDSRC", "TENOT", "ALL"]);
    (level, effect(), effect(), action, nations(), effect(), any::<bool>()).prop_map(
        |(level, privilege, sharing, action, nations, rule, limited)| {
            let mut extension = serde_json::json!({
                "extension_type": "property-extension", "identifier": "isa:guide.1", "responsible_entity_custodian": "USA.NSA",
                "create_date_time": "2024-01-01T00:00:00Z", "control_set": {"classification": level},
                "policy_reference": format!("urn:isa:policy:acs:ns:v3.0?privdefault={privilege}&sharedefault={sharing}"),
                "access_privilege": [{
                    "privilege_action": action, "privilege_scope": {"permitted_nationalities": nations}, "rule_effect": rule,
                }],
                "further_sharing": [{"sharing_scope": ["FOREIGNGOV"], "rule_effect": rule}],
            });
            if limited {
                extension["control_set"]["sensitivity"] = serde_json::json!(["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"]);
                extension["control_set"]["permitted_organizations"] = serde_json::json!(["USA.DOD"]);
            }
            Marking::of_acs(Acs::parse(&extension).expect("reads"))
        },
    )
}

fn any_further() -> impl Strategy<Value = Marking> {
    prop_oneof![
        4 => Just(Marking::default()),
        1 => Just(Marking::undefined("marking-definition--1")),
        1 => Just(Marking::of_statement("a statement")),
        1 => Just(Marking::of_statement("another")),
        1 => Just(Marking::of_hidden_source()),
        1 => Just(Marking::of_designator("identity--1")),
        4 => any_acs(),
    ]
}

fn any_marking() -> impl Strategy<Value = Marking> {
    let tlp = prop::sample::select(vec![Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red]);
    let pap = prop::sample::select(vec![Pap::Clear, Pap::Green, Pap::Amber, Pap::Red]);
    let plain = (prop::option::of(tlp), prop::option::of(pap), prop::option::of(any_classification()));
    (plain, any_further(), any_further()).prop_map(|((tlp, pap, classification), one, two)| {
        Marking { tlp, pap, classification, further: None }.combine(&one).combine(&two)
    })
}

fn any_clearance() -> impl Strategy<Value = Clearance> {
    let level = prop::sample::select(vec![Level::Unclassified, Level::Controlled, Level::Secret, Level::TopSecret]);
    let nationalities = prop::sample::subsequence(vec!["DEU", "GBR", "NZL", "USA"], 0..=2);
    let controls = prop::sample::subsequence(vec!["ORCON", "SI", "SP-CTI", "TK"], 0..=4);
    let tlp = prop::sample::select(vec![Tlp::Clear, Tlp::Amber, Tlp::AmberStrict, Tlp::Red]);
    let organisations = prop::sample::subsequence(vec!["USA.DOD.DC3"], 0..=1);
    let act = prop::sample::select(vec![Action::Log, Action::Passive, Action::Active]);
    (level, nationalities, controls, tlp, organisations, act).prop_map(
        |(level, nationalities, controls, tlp, organisations, act)| {
            let boxed = |list: Vec<&str>| list.into_iter().map(Box::from).collect();
            Clearance {
                level,
                nationalities: boxed(nationalities),
                controls: boxed(controls),
                tlp,
                organisations: boxed(organisations),
                caveats: boxed(vec!["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"]),
                act,
                acs_actions: Box::new([AcsAction::All]),
                ..Clearance::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn combining_is_a_join(a in any_marking(), b in any_marking(), c in any_marking()) {
        prop_assert_eq!(a.combine(&b), b.combine(&a));
        prop_assert_eq!(a.combine(&b).combine(&c), a.combine(&b.combine(&c)));
        prop_assert_eq!(a.combine(&a), a.clone());
        prop_assert_eq!(a.combine(&Marking::default()), a.clone());
        prop_assert!(a.combine(&b).is_at_least(&a) && a.combine(&b).is_at_least(&b));
    }

    #[test]
    fn whoever_may_the_combination_may_each(a in any_marking(), b in any_marking(), who in any_clearance()) {
        let both = a.combine(&b);
        let questions: [fn(&Clearance, &Marking) -> Decision; 7] = [
            Clearance::may_hold,
            Clearance::may_see,
            Clearance::may_name_source,
            Clearance::may_notify,
            |who, marking| who.may_act(marking, Action::Log),
            |who, marking| who.may_act(marking, Action::Passive),
            |who, marking| who.may_act(marking, Action::Active),
        ];
        for ask in questions {
            let (of_both, of_a, of_b) = (ask(&who, &both), ask(&who, &a), ask(&who, &b));
            prop_assert!(!of_both.allowed || (of_a.allowed && of_b.allowed), "{both}: {of_both}; {a}: {of_a}; {b}: {of_b}");
        }
    }

    #[test]
    fn an_alert_s_text_reads_back(marking in any_marking()) {
        let again = Marking::parse(&marking.to_string()).expect("not foreign");
        let readable = marking.classification.as_ref().is_none_or(Classification::is_readable);
        if readable && marking.acs().is_empty() {
            prop_assert_eq!(again, marking);
        } else {
            // What the text does not hold is undefined or unreadable: nobody sees it who should not.
            let reader = Clearance { level: Level::TopSecret, nationalities: Box::new(["USA".into()]), tlp: Tlp::Red, ..Clearance::default() };
            prop_assert!(!reader.may_see(&again).allowed);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|[()/A-Z ,-]{0,60}") {
        if let Ok(read) = Classification::parse(&text) {
            let again = Classification::parse(&read.to_string()).expect("a banner is not foreign");
            prop_assert!(!read.is_readable() || again == read, "{} reads back as itself", read);
        }
        let _ = (Tlp::parse(&text), Pap::parse(&text), tag(&text));
        if let Ok(marking) = Marking::parse(&text) {
            let again = Marking::parse(&marking.to_string()).expect("what is printed is not foreign");
            prop_assert!(again.tlp == marking.tlp && again.pap == marking.pap, "{}", marking);
        }
    }
}

#[test]
fn a_marking_reads_as_an_alert_shows_it() {
    let marking = Marking {
        tlp: Some(Tlp::Red),
        pap: Some(Pap::Amber),
        classification: Classification::parse("S//REL TO USA, GBR").ok(),
        further: None,
    };
    assert_eq!(marking.to_string(), "TLP:RED PAP:AMBER SECRET//REL TO USA, GBR");
    assert_eq!(Marking { tlp: None, ..marking.clone() }.to_string(), "PAP:AMBER SECRET//REL TO USA, GBR");
    assert_eq!(Marking::default().to_string(), "");
    assert!(Marking::default().is_unmarked());
    assert_eq!(Marking::default().or(&marking), marking);
}
