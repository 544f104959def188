//! A [`Marking`] as marking definitions and labels.

use serde_json::{Value, json};

use super::derived;
use crate::feed::stix::bundle::BANNER;
use crate::marking::{Marking, Pap, Tlp};

/// What says a marking.
pub(super) struct Marks {
    /// `object_marking_refs`.
    pub(super) refs: Vec<String>,
    /// The objects that they name.
    pub(super) definitions: Vec<Value>,
    /// Tags that only labels can hold.
    pub(super) labels: Vec<String>,
}

/// All of `marking`, or why STIX cannot say it.
pub(super) fn of(marking: &Marking) -> Result<Marks, &'static str> {
    let mut definitions = Vec::new();
    for one in marking.acs() {
        definitions.push(acs(&one.to_json().ok_or("an ACS marking that no definition says")?));
    }
    definitions.extend(marking.tlp.map(tlp));
    definitions.extend(marking.pap.map(pap));
    if let Some(classification) = &marking.classification {
        if !classification.is_readable() {
            return Err("a classification that could not be read");
        }
        definitions.push(statement(&format!("{BANNER}{classification}")));
    }
    for designator in marking.designators() {
        definitions.push(cui(designator));
    }
    for text in marking.statements() {
        definitions.push(statement(text));
    }
    let id = |definition: &Value| definition["id"].as_str().unwrap_or_default().to_owned();
    let mut refs: Vec<String> = definitions.iter().map(id).collect();
    for reference in marking.undefined_refs() {
        // Nothing defines it for the next reader either.
        if !reference.starts_with("marking-definition--") {
            return Err("a marking that could not be read");
        }
        refs.push(reference.to_string());
    }
    let labels = marking.hides_source().then(|| "tlp:ex:chr".to_owned()).into_iter().collect();
    Ok(Marks { refs, definitions, labels })
}

fn tlp(tlp: Tlp) -> Value {
    let extension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
    named(tlp.stix_id(), "2022-10-01", &format!("TLP:{tlp}"), extension, "tlp_2_0", &tlp.to_string().to_lowercase())
}

fn pap(pap: Pap) -> Value {
    let extension = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b";
    let day = match pap {
        Pap::Clear => "2022-10-01",
        Pap::Green => "2022-10-09",
        Pap::Amber => "2022-10-02",
        Pap::Red => "2022-10-06",
    };
    named(pap.stix_id(), day, &format!("PAP:{pap}"), extension, "pap", &pap.to_string().to_lowercase())
}

/// A definition that OASIS publishes, as it is published.
fn named(id: &str, day: &str, name: &str, extension: &str, key: &str, value: &str) -> Value {
    json!({
        "type": "marking-definition", "spec_version": "2.1", "id": id, "created": format!("{day}T00:00:00.000Z"),
        "name": name, "extensions": {extension: {"extension_type": "property-extension", key: value}},
    })
}

fn statement(text: &str) -> Value {
    json!({
        "type": "marking-definition", "spec_version": "2.1",
        "id": format!("marking-definition--{}", derived(&["statement", text])), "created": super::object::UNKNOWN_TIME,
        "definition_type": "statement", "definition": {"statement": text},
    })
}

fn acs(said: &Value) -> Value {
    let extension = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce";
    json!({
        "type": "marking-definition", "spec_version": "2.1",
        "id": format!("marking-definition--{}", derived(&["acs", &said.to_string()])), "created": super::object::UNKNOWN_TIME,
        "extensions": {extension: said},
    })
}

fn cui(designator: &str) -> Value {
    let extension = "extension-definition--dff17fb3-edcb-4f99-ad1b-4b751c95738a";
    json!({
        "type": "marking-definition", "spec_version": "2.1",
        "id": format!("marking-definition--{}", derived(&["cui", designator])), "created": super::object::UNKNOWN_TIME,
        "extensions": {extension: {"extension_type": "property-extension", "control": "CUI", "designator_ref": designator}},
    })
}
