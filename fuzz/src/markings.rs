//! Bytes as markings and clearances.

use picket::marking::{Acs, Action, Clearance, Clearances, Cui, Marking, definition, faults, tag};

/// Makes a text a clearance file.
pub const CLEARANCE: &str = "[sensor]\nlevel = \"SECRET\"\nnationalities = [\"USA\"]\nfloor = \"TLP:AMBER\"\n";

/// Reads `data` as a banner, an alert's marking, a tag, a definition, an ACS and a CUI extension and a clearance. What is
/// read is printed, read back, combined and judged; the combination is never less strict.
pub fn read(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut markings = vec![Marking::default()];
    if let Ok(marking) = Marking::parse(&text) {
        let again = Marking::parse(&marking.to_string()).expect("what is printed is not foreign");
        assert_eq!((again.tlp, again.pap), (marking.tlp, marking.pap));
        if let Some(classification) = marking.classification.as_ref().filter(|read| read.is_readable()) {
            assert_eq!(again.classification.as_ref(), Some(classification));
            let portion = Marking::parse(&classification.portion().to_string()).expect("a portion is not foreign");
            assert_eq!(portion.classification.as_ref(), Some(classification));
        }
        markings.push(marking);
    }
    markings.extend(tag(&text));
    markings.extend(Acs::parse_json(&text).ok().map(Marking::of_acs));
    markings.extend(Cui::parse_json(&text).ok().map(Marking::of_cui));
    if let Ok(object) = serde_json::from_slice(data) {
        let _ = faults(&object);
        markings.push(definition(&object));
    }
    let mut readers = vec![Clearance::owner(), Clearance::default()];
    if let Ok(all) = Clearances::parse(&text, "x").or_else(|_| Clearances::parse(&format!("{CLEARANCE}{text}"), "x")) {
        readers.extend(all.sinks().map(|(_, clearance)| clearance.clone()));
        readers.push(Clearance::clone(&all.sensor));
    }
    judge(&markings, &readers);
}

fn judge(markings: &[Marking], readers: &[Clearance]) {
    for one in markings {
        for other in markings {
            let both = one.combine(other);
            assert!(both == other.combine(one) && both.is_at_least(one) && both.is_at_least(other));
        }
        for who in readers {
            let _ = (who.may_hold(one), who.may_name_source(one), who.may_notify(one));
            assert!(who.is_owner || one.undefined_refs().is_empty() || !who.may_see(one).allowed, "{one}");
            assert!(!who.may_act(one, Action::Active).allowed || who.may_act(one, Action::Passive).allowed);
        }
    }
}
