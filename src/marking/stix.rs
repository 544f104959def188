//! STIX 2.1 marking definitions: the ids of TLP 1, TLP 2.0 and PAP, and [`definition`], which reads any definition.
//!
//! Sources: STIX 2.1 section 7.2.1; OASIS extension definitions for TLP 2.0 (`60a3c5c5-..`) and PAP (`f8d78575-..`).

use std::collections::HashMap;

use serde_json::Value;

use super::{Acs, Cui, Marking, Pap, Tlp};

const TLP_2: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
const PAP: &str = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b";
const ACS: &str = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce";
const CUI: &str = "extension-definition--dff17fb3-edcb-4f99-ad1b-4b751c95738a";

static TLP_2_IDS: [(&str, Tlp); 5] = [
    ("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487", Tlp::Clear),
    ("marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb", Tlp::Green),
    ("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421", Tlp::Amber),
    ("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003", Tlp::AmberStrict),
    ("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1", Tlp::Red),
];

static TLP_1_IDS: [(&str, Tlp); 4] = [
    ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp::Clear),
    ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp::Green),
    ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp::Amber),
    ("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp::Red),
];

/// White and clear are one level; clear, the current name, comes first.
static PAP_IDS: [(&str, Pap); 5] = [
    ("marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92", Pap::Clear),
    ("marking-definition--a3bea94c-b469-41dc-9cfe-d6e7daba7730", Pap::Clear),
    ("marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9", Pap::Green),
    ("marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab", Pap::Amber),
    ("marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e", Pap::Red),
];

impl Tlp {
    /// The level that a STIX marking id of TLP 1 or TLP 2.0 stands for.
    pub fn from_stix_id(id: &str) -> Option<Self> {
        TLP_2_IDS.iter().chain(&TLP_1_IDS).find(|(known, _)| *known == id).map(|(_, tlp)| *tlp)
    }

    /// The marking id of TLP 2.0.
    pub fn stix_id(self) -> &'static str {
        id_of(&TLP_2_IDS, self).unwrap_or_default()
    }

    /// The marking id of TLP 1, which has no AMBER+STRICT.
    pub fn stix_1_id(self) -> Option<&'static str> {
        id_of(&TLP_1_IDS, self)
    }
}

impl Pap {
    /// The level that a STIX marking id of the PAP extension stands for.
    pub fn from_stix_id(id: &str) -> Option<Self> {
        PAP_IDS.iter().find(|(known, _)| *known == id).map(|(_, pap)| *pap)
    }

    /// The marking id of the PAP extension.
    pub fn stix_id(self) -> &'static str {
        id_of(&PAP_IDS, self).unwrap_or_default()
    }
}

fn id_of<T: PartialEq>(ids: &[(&'static str, T)], level: T) -> Option<&'static str> {
    ids.iter().find(|(_, known)| *known == level).map(|(id, _)| *id)
}

/// The marking that a reference stands for without a definition: TLP 1, TLP 2.0 and PAP, whose ids are fixed.
fn predefined(id: &str) -> Option<Marking> {
    let tlp = Tlp::from_stix_id(id).map(|tlp| Marking { tlp: Some(tlp), ..Marking::default() });
    tlp.or_else(|| Pap::from_stix_id(id).map(|pap| Marking { pap: Some(pap), ..Marking::default() }))
}

/// What a `marking-definition` object says, everything in it combined. Whatever part is unknown or cannot be read makes it
/// [undefined](Marking::undefined).
pub fn definition(object: &Value) -> Marking {
    let id = object.get("id").and_then(Value::as_str).unwrap_or("marking-definition without an id");
    let undefined = || Marking::undefined(id);
    if object.get("type").and_then(Value::as_str) != Some("marking-definition") {
        return undefined();
    }
    let mut parts: Vec<Marking> = predefined(id).into_iter().collect();
    if let Some(kind) = object.get("definition_type") {
        let said = object.get("definition").zip(kind.as_str()).and_then(|(said, kind)| of_type(kind, said));
        parts.push(said.unwrap_or_else(undefined));
    } else if object.get("definition").is_some() {
        parts.push(undefined());
    }
    match object.get("extensions") {
        None => {}
        Some(Value::Object(all)) => {
            parts.extend(all.iter().map(|(name, extension)| of_extension(name, extension).unwrap_or_else(undefined)));
        }
        Some(_) => parts.push(undefined()),
    }
    parts.into_iter().reduce(|a, b| a.combine(&b)).unwrap_or_else(undefined)
}

fn of_type(kind: &str, said: &Value) -> Option<Marking> {
    let text = |name| said.get(name).and_then(Value::as_str);
    match kind {
        "tlp" => Some(Marking { tlp: Some(Tlp::parse(text("tlp")?)?), ..Marking::default() }),
        "statement" => Some(Marking::of_statement(text("statement")?)),
        _ => None,
    }
}

fn of_extension(name: &str, extension: &Value) -> Option<Marking> {
    let text = |name| extension.get(name).and_then(Value::as_str);
    match name {
        TLP_2 => Some(Marking { tlp: Some(Tlp::parse(text("tlp_2_0")?)?), ..Marking::default() }),
        PAP => Some(Marking { pap: Some(Pap::parse(text("pap")?)?), ..Marking::default() }),
        ACS => Acs::parse(extension).ok().map(Marking::of_acs),
        CUI => Cui::parse(extension).ok().map(Marking::of_cui),
        _ => None,
    }
}

/// Why parts of a `marking-definition` object cannot be read, for whoever asks about it. May quote the marking.
pub fn faults(object: &Value) -> Vec<String> {
    let extensions = object.get("extensions").and_then(Value::as_object).into_iter().flatten();
    let fault = |(name, extension): (&String, &Value)| match name.as_str() {
        ACS => Acs::parse(extension).err().map(|error| error.to_string()),
        CUI => Cui::parse(extension).err().map(|error| error.to_string()),
        _ => of_extension(name, extension).is_none().then(|| format!("{name} is not known or cannot be read")),
    };
    extensions.filter_map(fault).collect()
}

/// The definitions of a bundle, by id.
#[derive(Debug, Clone, Default)]
pub struct Definitions(HashMap<Box<str>, Marking>);

impl Definitions {
    /// Takes note of a `marking-definition` object. Two that differ under one id are combined. False if it was not kept:
    /// it has no id, or there are too many ([`Definitions::resolve`] then says undefined).
    pub fn define(&mut self, object: &Value) -> bool {
        let Some(id) = object.get("id").and_then(Value::as_str) else { return false };
        let said = definition(object);
        if let Some(known) = self.0.get_mut(id) {
            *known = known.combine(&said);
            return true;
        }
        if self.0.len() >= MAX_DEFINITIONS {
            return false;
        }
        self.0.insert(id.into(), said);
        true
    }

    /// What a marking reference stands for; [undefined](Marking::undefined) if nothing says.
    pub fn resolve(&self, reference: &str) -> Marking {
        let said = self.0.get(reference).cloned().or_else(|| predefined(reference));
        said.unwrap_or_else(|| Marking::undefined(reference))
    }
}

/// Definitions kept of one input: feeds have tens. Beyond it entries are refused as undefined, not memory spent.
const MAX_DEFINITIONS: usize = 65_536;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_id_stands_for_its_level_and_back() {
        for (id, tlp) in TLP_2_IDS {
            assert_eq!((Tlp::from_stix_id(id), tlp.stix_id()), (Some(tlp), id));
        }
        for (id, tlp) in TLP_1_IDS {
            assert_eq!((Tlp::from_stix_id(id), tlp.stix_1_id()), (Some(tlp), Some(id)));
        }
        for (id, pap) in PAP_IDS {
            assert_eq!((Pap::from_stix_id(id), Pap::from_stix_id(pap.stix_id())), (Some(pap), Some(pap)));
        }
        assert_eq!((Tlp::AmberStrict.stix_1_id(), Tlp::from_stix_id(PAP_IDS[0].0)), (None, None));
    }

    #[test]
    fn definitions_of_every_sort_are_read() {
        let id = "marking-definition--00000000-0000-4000-8000-000000000001";
        for (body, shown) in [
            (json!({"definition_type": "tlp", "definition": {"tlp": "amber"}}), "TLP:AMBER"),
            (json!({"definition_type": "statement", "definition": {"statement": "(c) X"}}), r#"STATEMENT:"(c) X""#),
            (
                json!({"extensions": {TLP_2: {"extension_type": "property-extension", "tlp_2_0": "amber+strict"}}}),
                "TLP:AMBER+STRICT",
            ),
            (json!({"extensions": {PAP: {"extension_type": "property-extension", "pap": "green"}}}), "PAP:GREEN"),
            (
                json!({"extensions": {CUI: {"extension_type": "property-extension", "control": "CUI", "designator_ref": "identity--1"}}}),
                r#"CUI CUI:"identity--1""#,
            ),
            (json!({"name": "TLP:CLEAR"}), &format!("UNDEFINED:{id:?}")),
            (json!({"definition_type": "tlp"}), &format!("UNDEFINED:{id:?}")),
            (json!({"definition": {"tlp": "white"}}), &format!("UNDEFINED:{id:?}")),
            (json!({"definition_type": "iep", "definition": {}}), &format!("UNDEFINED:{id:?}")),
            (json!({"extensions": []}), &format!("UNDEFINED:{id:?}")),
            (
                json!({"extensions": {PAP: {"pap": "green"}, "extension-definition--x": {}}}),
                &format!("PAP:GREEN UNDEFINED:{id:?}"),
            ),
            (json!({"extensions": {ACS: {"identifier": "x"}}}), &format!("UNDEFINED:{id:?}")),
        ] {
            let mut object = json!({"type": "marking-definition", "id": id});
            object.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
            assert_eq!(definition(&object).to_string(), shown, "{body}");
        }
        // A fixed id stands for its level whatever is written under it.
        let lie = json!({"type": "marking-definition", "id": Tlp::Red.stix_id(), "definition_type": "tlp", "definition": {"tlp": "white"}});
        assert_eq!(definition(&lie).to_string(), "TLP:RED");
    }

    #[test]
    fn a_reference_that_nothing_defines_is_undefined() {
        let mut all = Definitions::default();
        assert_eq!(all.resolve(Tlp::Amber.stix_id()).tlp, Some(Tlp::Amber));
        assert_eq!(all.resolve("marking-definition--x").undefined_refs().len(), 1);
        let said = json!({"type": "marking-definition", "id": "marking-definition--x", "definition_type": "tlp", "definition": {"tlp": "green"}});
        assert!(all.define(&said) && !all.define(&json!({"type": "marking-definition"})));
        assert_eq!(all.resolve("marking-definition--x").to_string(), "TLP:GREEN");
        let twice = json!({"type": "marking-definition", "id": "marking-definition--x", "definition_type": "tlp", "definition": {"tlp": "red"}});
        assert!(all.define(&twice));
        assert_eq!(all.resolve("marking-definition--x").to_string(), "TLP:RED", "the strictest of what is said");
    }
}
