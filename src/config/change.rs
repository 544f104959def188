//! What of a configuration that was changed a running sensor cannot take: everything but the outputs.

use serde_json::Value;

use super::Plan;

/// Sections that a reload takes.
const TAKEN: &[&str] = &["sinks"];

impl Plan {
    /// The options, by their paths (`capture.interfaces`), that `next` has otherwise and only a restart takes. No values.
    pub fn needs_restart(&self, next: &Self) -> Vec<String> {
        let mut out = Vec::new();
        if let (Ok(Value::Object(before)), Ok(Value::Object(after))) =
            (serde_json::to_value(self), serde_json::to_value(next))
        {
            for (section, value) in before.iter().filter(|(section, _)| !TAKEN.contains(&section.as_str())) {
                differing(section, value, after.get(section), &mut out);
            }
        }
        out
    }
}

/// A table is gone through; what has no table on one of the sides is named as it is.
fn differing(path: &str, before: &Value, after: Option<&Value>, out: &mut Vec<String>) {
    match (before, after) {
        (before, Some(after)) if before == after => {}
        (Value::Object(before), Some(Value::Object(after))) => {
            for (key, value) in before {
                differing(&format!("{path}.{key}"), value, after.get(key), out);
            }
            let new = after.keys().filter(|key| !before.contains_key(*key));
            out.extend(new.map(|key| format!("{path}.{key}")));
        }
        _ => out.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(capture: &str, more: &str) -> Plan {
        let text =
            format!("[capture]\n{capture}\n[feeds]\npaths = [\"f\"]\n{more}[[sinks]]\nname = \"a\"\nstdout = {{}}\n");
        Plan::parse(&text, "x").expect("reads")
    }

    #[test]
    fn every_option_but_outputs_is_named_when_it_differs() {
        let before = plan("interfaces = [\"a\"]", "");
        assert!(before.needs_restart(&before.clone()).is_empty());
        let sinks = "[[sinks]]\nname = \"s\"\nfile = { path = \"/x\" }\n";
        assert!(before.needs_restart(&plan("interfaces = [\"a\"]", sinks)).is_empty());
        let after = plan(
            "interfaces = [\"a\", \"b\"]\nworkers = 2",
            "[memory]\nmax = \"9 GiB\"\n[flow_log]\nenabled = true\nfile = { path = \"/x/y\" }\n[privileges]\nuser = \"u\"\n",
        );
        assert_eq!(
            before.needs_restart(&after),
            [
                "capture.interfaces",
                "capture.workers",
                "flow_log.enabled",
                "flow_log.file.path",
                "memory.max",
                "privileges.user"
            ]
        );
    }
}
