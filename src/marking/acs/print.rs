//! An [`Acs`] as the JSON of its extension. What the definition said that limits nobody, and in which list a word that must be held
//! stood, is not kept: what is written means the same, and reads back as the same marking.

use serde_json::{Map, Value, json};

use super::{Acs, Effect, Members, Scope};
use crate::marking::{Level, Nations};

impl Acs {
    /// The extension's JSON; `None` where no definition says exactly this.
    pub fn to_json(&self) -> Option<Value> {
        let mut controls = Map::new();
        let (level, determination) = match self.classification.level() {
            Level::Unclassified => ("U", None),
            Level::Controlled => ("U", Some("FOUO")),
            Level::Confidential => ("C", None),
            Level::Secret => ("S", None),
            Level::TopSecret => ("TS", None),
        };
        controls.insert("classification".into(), level.into());
        let mut determinations: Vec<&str> = determination.into_iter().collect();
        let nations = match self.classification.release() {
            // NOFORN of what is for others only leaves nobody.
            Some(nobody) if nobody.is_empty() => {
                determinations.push("NF");
                Some(vec!["GBR".to_owned()])
            }
            list => list.map(names),
        };
        put(&mut controls, "permitted_nationalities", nations.map(Value::from));
        put(&mut controls, "formal_determination", listed(&determinations));
        put(&mut controls, "sci_controls", listed(&self.classification.controls().collect::<Vec<_>>()));
        put(&mut controls, "caveat", listed(&self.needs.iter().map(|need| &**need).collect::<Vec<_>>()));
        scope_into(&self.access, &mut controls);
        let privileges: Vec<Value> = self
            .privileges
            .iter()
            .map(|one| {
                let mut scope = Map::new();
                scope_into(&one.scope, &mut scope);
                json!({"privilege_action": one.action.name(), "privilege_scope": scope, "rule_effect": word(one.effect)})
            })
            .collect();
        let sharing: Vec<Value> = self
            .sharing
            .iter()
            .map(|one| json!({"sharing_scope": strings(&one.scope), "rule_effect": word(one.effect)}))
            .collect();
        let (privilege, further) = (word(self.privilege_default), word(self.sharing_default));
        let out = json!({
            "extension_type": "property-extension", "identifier": &*self.identifier, "create_date_time": UNKNOWN_TIME,
            "responsible_entity_custodian": &*self.custodian,
            "policy_reference": format!("urn:isa:policy:acs:ns:v3.0?privdefault={privilege}&sharedefault={further}"),
            "control_set": controls, "access_privilege": privileges, "further_sharing": sharing,
        });
        Self::parse(&out).is_ok_and(|again| again == *self).then_some(out)
    }
}

fn scope_into(scope: &Scope, out: &mut Map<String, Value>) {
    let parts = [
        ("permitted_nationalities", &scope.nationalities),
        ("permitted_organizations", &scope.organisations),
        ("shareability", &scope.shareabilities),
        ("entity", &scope.entities),
    ];
    for (name, members) in parts {
        put(
            out,
            name,
            members.as_ref().map(|members| match members {
                Members::All => json!(["ALL"]),
                Members::Of(list) => strings(list),
            }),
        );
    }
}

fn put(out: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), value);
    }
}

fn names(nations: &Nations) -> Vec<String> {
    nations.to_string().split(", ").map(str::to_owned).collect()
}

fn listed(words: &[&str]) -> Option<Value> {
    (!words.is_empty()).then(|| words.into())
}

fn strings(list: &[Box<str>]) -> Value {
    list.iter().map(|text| Value::from(&**text)).collect()
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Permit => "permit",
        Effect::Deny => "deny",
    }
}

/// When the definition was made is not kept.
const UNKNOWN_TIME: &str = "1970-01-01T00:00:00Z";
