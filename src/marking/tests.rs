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

fn any_marking() -> impl Strategy<Value = Marking> {
    let tlp = prop::sample::select(vec![Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red]);
    let pap = prop::sample::select(vec![Pap::Clear, Pap::Green, Pap::Amber, Pap::Red]);
    (prop::option::of(tlp), prop::option::of(pap), prop::option::of(any_classification()))
        .prop_map(|(tlp, pap, classification)| Marking { tlp, pap, classification })
}

fn any_clearance() -> impl Strategy<Value = Clearance> {
    let level = prop::sample::select(vec![Level::Unclassified, Level::Controlled, Level::Secret, Level::TopSecret]);
    let nation = prop::option::of(prop::sample::select(vec!["USA", "GBR", "NZL", "DEU"]));
    let controls = prop::sample::subsequence(vec!["OC", "SI", "SP-CTI", "TK"], 0..=4);
    let tlp = prop::sample::select(vec![Tlp::Clear, Tlp::Amber, Tlp::Red]);
    (level, nation, controls, tlp).prop_map(|(level, nation, controls, tlp)| Clearance {
        level,
        nation: nation.map(Box::from),
        controls: controls.into_iter().map(Box::from).collect(),
        tlp,
        floor: Marking::default(),
    })
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
    fn whoever_may_see_the_combination_may_see_each(a in any_marking(), b in any_marking(), who in any_clearance()) {
        let both = a.combine(&b);
        prop_assert!(!who.may_load(&both) || (who.may_load(&a) && who.may_load(&b)));
        prop_assert!(!who.may_see(&both) || (who.may_see(&a) && who.may_see(&b)));
        for action in [Action::Log, Action::Passive, Action::Active] {
            prop_assert!(!who.may_act(&both, action) || (who.may_act(&a, action) && who.may_act(&b, action)));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|[()/A-Z ,-]{0,60}") {
        if let Ok(read) = Classification::parse(&text) {
            let again = Classification::parse(&read.to_string()).expect("a banner is not foreign");
            prop_assert!(!read.is_readable() || again == read, "{} reads back as itself", read);
        }
        let _ = (Tlp::parse(&text), Pap::parse(&text));
    }
}

#[test]
fn a_marking_reads_as_an_alert_shows_it() {
    let marking = Marking {
        tlp: Some(Tlp::Red),
        pap: Some(Pap::Amber),
        classification: Classification::parse("S//REL TO USA, GBR").ok(),
    };
    assert_eq!(marking.to_string(), "TLP:RED PAP:AMBER SECRET//REL TO USA, GBR");
    assert_eq!(Marking { tlp: None, ..marking.clone() }.to_string(), "PAP:AMBER SECRET//REL TO USA, GBR");
    assert_eq!(Marking::default().to_string(), "");
    assert!(Marking::default().is_unmarked());
    assert_eq!(Marking::default().or(&marking), marking);
}
