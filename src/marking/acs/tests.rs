//! Reading, and the rules of a policy.

use serde_json::{Value, json};

use super::raw::{MAX_LIST, defaults};
use super::*;

/// Every field that limits.
fn extension() -> Value {
    json!({
        "extension_type": "property-extension",
        "identifier": "isa:guide.19001.ACS3-00000000-0000-4000-8000-000000000001",
        "name": "a name",
        "create_date_time": "2024-01-01T00:00:00Z",
        "responsible_entity_custodian": "USA.NSA",
        "policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny",
        "control_set": {
            "classification": "S",
            "sci_controls": ["SI"],
            "formal_determination": ["AIS"],
            "sensitivity": ["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"],
            "permitted_nationalities": ["USA", "GBR"],
            "permitted_organizations": ["USA.DOD"],
            "entity": ["GOV", "MIL"]
        },
        "access_privilege": [
            {"privilege_action": "DSPLY", "privilege_scope": {"permitted_organizations": ["USA.DOD"]}, "rule_effect": "permit"},
            {"privilege_action": "NETDEF", "privilege_scope": {"permitted_organizations": ["USA.DOD"]}, "rule_effect": "permit"},
            {"privilege_action": "IDSRC", "privilege_scope": {"entity": ["ALL"]}, "rule_effect": "deny"}
        ]
    })
}

/// [`extension`] after `change`.
pub(in crate::marking) fn acs(change: impl FnOnce(&mut Value)) -> Acs {
    let mut extension = extension();
    change(&mut extension);
    Acs::parse(&extension).expect("reads")
}

pub(in crate::marking) fn full() -> Acs {
    acs(|_| {})
}

fn own(list: &[&str]) -> Vec<Box<str>> {
    list.iter().map(|word| Box::from(*word)).collect()
}

#[test]
fn the_control_set_is_a_classification() {
    let shown = |change: fn(&mut Value)| acs(change).classification().to_string();
    assert_eq!(shown(|_| {}), "SECRET//SI//REL TO USA, GBR");
    assert_eq!(shown(|e| e["control_set"]["formal_determination"] = json!(["NF"])), "SECRET//SI//NOFORN");
    assert_eq!(shown(|e| e["control_set"] = json!({"classification": "S"})), "SECRET//NOFORN", "neither list nor NF");
    assert_eq!(shown(|e| e["control_set"] = json!({"classification": "U"})), "UNCLASSIFIED");
    assert_eq!(shown(|e| e["control_set"] = json!({"classification": "U", "formal_determination": ["FOUO"]})), "CUI");
    assert_eq!(full().custodian(), "USA.NSA");
}

#[test]
fn what_is_not_in_the_schema_is_refused() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 17] = [
        ("unknown field", |e| e["colour"] = json!("red")),
        ("unknown control", |e| e["control_set"]["colour"] = json!(["red"])),
        ("no identifier", |e| drop(e.as_object_mut().map(|o| o.remove("identifier")))),
        ("no control set", |e| drop(e.as_object_mut().map(|o| o.remove("control_set")))),
        ("no classification", |e| e["control_set"] = json!({})),
        ("classification", |e| e["control_set"]["classification"] = json!("R")),
        ("extension type", |e| e["extension_type"] = json!("new-sdo")),
        ("policy", |e| e["policy_reference"] = json!("urn:isa:policy:acs:ns:v3.0?privdefault=denyt&sharedefault=deny")),
        ("no policy", |e| e["policy_reference"] = json!("")),
        ("action", |e| e["access_privilege"][0]["privilege_action"] = json!("DESTROY")),
        ("effect", |e| e["access_privilege"][0]["rule_effect"] = json!("maybe")),
        ("no scope", |e| drop(e["access_privilege"][0].as_object_mut().map(|o| o.remove("privilege_scope")))),
        ("empty scope", |e| e["access_privilege"][0]["privilege_scope"] = json!({})),
        ("unknown scope", |e| e["access_privilege"][0]["privilege_scope"] = json!({"planet": ["ALL"]})),
        ("empty list", |e| e["control_set"]["permitted_organizations"] = json!([])),
        ("ALL and others", |e| e["access_privilege"][0]["privilege_scope"] = json!({"entity": ["ALL", "GOV"]})),
        ("nations", |e| e["control_set"]["permitted_nationalities"] = json!(["Britain"])),
    ];
    for (what, change) in cases {
        let mut extension = extension();
        change(&mut extension);
        assert!(Acs::parse(&extension).is_err(), "{what}");
    }
    let many = |e: &mut Value| e["control_set"]["caveat"] = (0..=MAX_LIST).map(|n| json!(n.to_string())).collect();
    let mut extension = extension();
    many(&mut extension);
    assert!(Acs::parse(&extension).is_err(), "too long");
}

#[test]
fn the_specification_s_examples_are_read() {
    for (controls, policy) in [
        (json!({"classification": "TS", "entity": ["GOV", "CTR", "MIL"]}), "privdefault=deny&sharedefault=deny"),
        (json!({"classification": "U", "formal_determination": ["PUBREL"]}), "privdefault=permit&sharedefault=permit"),
        (
            json!({"classification": "U", "sensitivity": ["LES"], "permitted_organizations": ["USA.USG", "USA.SLTT"]}),
            "privdefault=permit&sharedefault=permit",
        ),
    ] {
        acs(|e| {
            e["control_set"] = controls.clone();
            e["policy_reference"] = json!(format!("urn:isa:policy:acs:ns:v3.0?{policy}"));
            e["public_release"] = json!({"released_by": "Authority"});
            drop(e.as_object_mut().map(|o| o.remove("access_privilege")));
        });
    }
}

#[test]
fn what_is_written_reads_back() {
    type Change = fn(&mut Value);
    let changes: [Change; 9] = [
        |_| {},
        |e| e["control_set"] = json!({"classification": "U"}),
        |e| e["control_set"] = json!({"classification": "U", "formal_determination": ["FOUO", "PUBREL"]}),
        |e| {
            e["control_set"] = json!({"classification": "C", "permitted_nationalities": ["GBR", "CAN"], "formal_determination": ["NF"]})
        },
        |e| {
            e["control_set"] =
                json!({"classification": "TS", "permitted_nationalities": ["USA", "GBR", "CAN", "AUS", "NZL", "NATO"]})
        },
        |e| e["control_set"] = json!({"classification": "S", "caveat": ["FISA"], "sensitivity": ["LES"], "shareability": ["ALL"], "entity": ["GOV"]}),
        |e| e["policy_reference"] = json!("urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=deny"),
        |e| {
            e["access_privilege"][0]["privilege_scope"] =
                json!({"entity": ["ALL"], "permitted_nationalities": ["GBR", "USA"]})
        },
        |e| e["further_sharing"] = json!([{"sharing_scope": ["SECTOR", "FOREIGNGOV"], "rule_effect": "deny"}]),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let one = acs(change);
        let written = one.to_json().expect("some definition says it");
        assert_eq!(Acs::parse_json(&written.to_string()).as_ref(), Ok(&one), "{at}");
    }
}

#[test]
fn deny_beats_permit_and_both_beat_the_default() {
    let rules = json!([
        {"privilege_action": "ALL", "privilege_scope": {"permitted_nationalities": ["USA", "GBR"]}, "rule_effect": "permit"},
        {"privilege_action": "NETDEF", "privilege_scope": {"permitted_nationalities": ["GBR"]}, "rule_effect": "deny"}
    ]);
    let acs = acs(|e| e["access_privilege"] = rules);
    let ask =
        |action, nations: &[&str]| acs.privilege(action, &Reader { nationalities: &own(nations), ..Reader::default() });
    let permit = |rule| Ruling { effect: Effect::Permit, rule: Some(rule) };
    let deny = |rule| Ruling { effect: Effect::Deny, rule };
    assert_eq!(ask(AcsAction::NetDef, &["USA"]), permit(0));
    assert_eq!(ask(AcsAction::NetDef, &["GBR"]), deny(Some(1)));
    assert_eq!(ask(AcsAction::Dsply, &["GBR"]), permit(0));
    assert_eq!(ask(AcsAction::Dsply, &["DEU"]), deny(None));
    // Not knowing who asks denies and never permits.
    assert_eq!(ask(AcsAction::NetDef, &[]), deny(Some(1)));
    assert_eq!(ask(AcsAction::Dsply, &[]), deny(None));
    assert_eq!(ask(AcsAction::NetDef, &["GBR", "USA"]), deny(Some(1)), "some who read are denied");
    assert_eq!(ask(AcsAction::Dsply, &["DEU", "USA"]), deny(None), "not all who read are permitted");
}

#[test]
fn several_policies_deny_together() {
    let policy = "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit \
                  urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=permit";
    assert_eq!(defaults(policy), Some((Effect::Deny, Effect::Permit)));
    assert_eq!(defaults("urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit urn:x"), None);
}

#[test]
fn further_sharing_knows_foreign_governments_sectors_and_organisations() {
    let rules = json!([
        {"sharing_scope": ["USA.USG", "SECTOR"], "rule_effect": "permit"},
        {"sharing_scope": ["FOREIGNGOV"], "rule_effect": "deny"}
    ]);
    let acs = acs(|e| e["further_sharing"] = rules);
    let effect = |nations: &[&str], organisations: &[&str], sectors: &[&str]| {
        let (nationalities, organisations, sectors) = (&own(nations), &own(organisations), &own(sectors));
        acs.further_sharing(&Reader { nationalities, organisations, sectors, ..Reader::default() }).effect
    };
    assert_eq!(effect(&["USA"], &["USA.USG"], &[]), Effect::Permit);
    assert_eq!(effect(&["USA"], &["DIB"], &["DIB"]), Effect::Permit);
    assert_eq!(effect(&["USA"], &["ACME"], &[]), Effect::Deny);
    assert_eq!(effect(&["GBR"], &["USA.USG"], &[]), Effect::Deny);
    assert_eq!(effect(&[], &["USA.USG"], &[]), Effect::Deny, "may be foreign");
}
