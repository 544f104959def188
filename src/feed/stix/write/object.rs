//! The objects of a bundle: indicators, and what a [`Context`](crate::indicator::Context) says of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::derived;
use crate::feed::field;
use crate::feed::stix::bundle::{OWN_ID, UNKNOWN_DAY};
use crate::feed::stix::object::{
    GROUP_NAME, RULE_NAME, SOFTWARE_NAME, TACTIC_NAME, TAGS, TECHNIQUE_ID, TECHNIQUE_NAME,
};
use crate::indicator::{ContextRef, Window};
use crate::marking::tag;
use crate::time::Timestamp;

/// What stands for a time that is not known: STIX asks for one.
pub(super) const UNKNOWN_TIME: &str = "1970-01-01T00:00:00.000Z";

/// What is said of an indicator besides its pattern.
pub(super) struct Described {
    fields: BTreeMap<&'static str, Value>,
    /// Objects that it refers to.
    pub(super) others: Vec<Value>,
    /// Relationships to objects: a text to derive the id from, and the target.
    pub(super) indicates: Vec<(String, String)>,
}

pub(super) fn indicator(id: &str, own_id: Option<&str>, window: Window, pattern: &str, described: &Described) -> Value {
    let mut object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id, "created": UNKNOWN_TIME,
        "pattern": pattern, "pattern_type": "stix", "valid_from": time(window.from),
        "valid_until": (window.until != Timestamp::MAX).then(|| time(window.until)),
    });
    for (field, value) in &described.fields {
        object[*field] = value.clone();
    }
    object["modified"] = object["created"].clone();
    if let Some(own_id) = own_id {
        let own = json!({"source_name": OWN_ID, "external_id": own_id});
        match object["external_references"].as_array_mut() {
            Some(all) => all.push(own),
            None => object["external_references"] = json!([own]),
        }
    }
    object
}

/// `indicates`, from the indicator to `target`.
pub(super) fn relationship(name: &str, indicator: &str, target: &str, refs: &[String]) -> Value {
    json!({
        "type": "relationship", "spec_version": "2.1",
        "id": format!("relationship--{}", derived(&[name, indicator, target])),
        "created": UNKNOWN_TIME, "modified": UNKNOWN_TIME, "relationship_type": "indicates",
        "source_ref": indicator, "target_ref": target, "object_marking_refs": refs,
    })
}

/// Everything of `context` that STIX can say; what it cannot is counted in `lost`.
pub(super) fn describe(
    context: &ContextRef<'_>,
    refs: &[String],
    labels: Vec<String>,
    lost: &mut BTreeMap<&'static str, u64>,
) -> Described {
    let mut lose = |what| *lost.entry(what).or_default() += 1;
    let mut out = Described { fields: BTreeMap::new(), others: Vec::new(), indicates: Vec::new() };
    if let Some(provider) = context.provider {
        let identity = out.other("identity", provider, refs, json!({"identity_class": "organization"}));
        out.fields.insert("created_by_ref", identity.into());
    }
    if let Some(word) = context.confidence {
        match CONFIDENCE.iter().find(|(known, _)| *known == word) {
            Some((_, number)) => drop(out.fields.insert("confidence", (*number).into())),
            None => lose("a confidence in other words than the schema's"),
        }
    }
    if let Some(description) = context.description {
        out.fields.insert("description", description.into());
    }
    if let Some(url) = context.reference {
        out.fields.insert("external_references", json!([{"source_name": "reference", "url": url}]));
    }
    if let Some(seen) = context.first_seen {
        match field::instant(seen) {
            Ok(_) if seen.ends_with('Z') && !seen.starts_with(UNKNOWN_DAY) => {
                out.fields.insert("created", seen.into());
            }
            _ => lose("first_seen in another form than RFC 3339 in UTC"),
        }
    }
    if context.severity.is_some() {
        lose("severity");
    }
    out.about(context, refs, labels, &mut lose);
    out
}

impl Described {
    fn about(
        &mut self,
        context: &ContextRef<'_>,
        refs: &[String],
        mut labels: Vec<String>,
        lose: &mut impl FnMut(&'static str),
    ) {
        let mut phases = Vec::new();
        let mut technique_id = None;
        for (path, text) in context.about.iter() {
            match path {
                RULE_NAME if !self.fields.contains_key("name") => drop(self.fields.insert("name", text.into())),
                SOFTWARE_NAME => self.indicates("malware", text, refs, json!({"is_family": true})),
                GROUP_NAME => self.indicates("intrusion-set", text, refs, json!({})),
                TECHNIQUE_ID => technique_id = Some(text),
                TECHNIQUE_NAME => {
                    let known = technique_id.take().map(|id| json!({"source_name": "mitre-attack", "external_id": id}));
                    let references: Vec<Value> = known.into_iter().collect();
                    self.indicates("attack-pattern", text, refs, json!({"external_references": references}));
                }
                TACTIC_NAME => phases.push(json!({"kill_chain_name": "mitre-attack", "phase_name": text})),
                TAGS if tag(text).is_none() => labels.push(text.to_string()),
                _ => lose("a field that no object of STIX has"),
            }
        }
        if technique_id.is_some() {
            lose("the id of a technique without its name");
        }
        self.fields.insert("kill_chain_phases", phases.into());
        self.fields.insert("labels", labels.into());
    }

    fn indicates(&mut self, kind: &'static str, name: &str, refs: &[String], more: Value) {
        let target = self.other(kind, name, refs, more);
        self.indicates.push((format!("indicates {}", self.indicates.len()), target));
    }

    /// Adds an object that is named and marked as its indicator is, and returns its id.
    fn other(&mut self, kind: &'static str, name: &str, refs: &[String], more: Value) -> String {
        let id = format!("{kind}--{}", derived(&[kind, name, &more.to_string(), &refs.join(" ")]));
        let mut object = json!({
            "type": kind, "spec_version": "2.1", "id": id, "created": UNKNOWN_TIME, "modified": UNKNOWN_TIME,
            "name": name, "object_marking_refs": refs,
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        self.others.push(object);
        id
    }
}

/// In UTC, as exact as it is.
fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.as_ns())).map(|time| time.to_string()).unwrap_or_default()
}

/// The schema's words and the numbers of STIX 2.1, appendix A ("None / Low / Med / High").
const CONFIDENCE: [(&str, u8); 4] = [("None", 0), ("Low", 15), ("Medium", 50), ("High", 85)];
