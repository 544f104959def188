//! [`tag`]: markings in MISP's tags, `namespace:predicate="value"`.
//!
//! Source: misp-taxonomies `tlp`, `PAP`, `dni-ism`, `acs-marking`.

use super::{Classification, Level, Marking, Nations, Pap, Tlp};

/// What a tag says about handling; `None` for a tag of another namespace.
///
/// A word that its namespace does not have is the strictest (`tlp:unclear` is red), and so is a tag that says only part of
/// a marking: `acs-marking:*` has no scopes, and is undefined. `dni-ism:dissem="REL"` has no list, so it is released to the
/// USA alone.
pub fn tag(text: &str) -> Option<Marking> {
    let text = text.trim();
    let (namespace, rest) = text.split_once(':')?;
    let (namespace, rest) = (namespace.trim().to_ascii_lowercase(), rest.trim());
    match namespace.as_str() {
        "tlp" if rest.eq_ignore_ascii_case("ex:chr") => Some(Marking::of_hidden_source()),
        "tlp" => Some(Marking { tlp: Some(Tlp::parse(rest).unwrap_or(Tlp::Red)), ..Marking::default() }),
        "pap" => Some(Marking { pap: Some(Pap::parse(rest).unwrap_or(Pap::Red)), ..Marking::default() }),
        "dni-ism" => Some(ism(rest).map_or_else(|| Marking::undefined(text), Marking::of)),
        "acs-marking" => Some(Marking::undefined(text)),
        _ => None,
    }
}

fn ism(rest: &str) -> Option<Classification> {
    let (predicate, value) = rest.split_once('=')?;
    let value = value.trim().trim_matches('"');
    let unclassified = |release, controls| Classification::new(Level::Unclassified, release, controls);
    match predicate.trim() {
        "classification:us" => Level::parse(value).map(|level| Classification::new(level, None, Vec::new())),
        "dissem" => match value {
            "NF" | "REL" => Some(unclassified(Some(Nations::usa()), Vec::new())),
            "FOUO" => Some(Classification::new(Level::Controlled, None, Vec::new())),
            other => banner(other),
        },
        "scicontrols" | "nonic" | "notice" | "nonuscontrols" | "atomicenergymarkings" | "complies:with" => {
            banner(value)
        }
        _ => None,
    }
}

/// A control that must be held.
fn banner(control: &str) -> Option<Classification> {
    let read = Classification::parse(&format!("U//{control}")).ok();
    read.filter(|read| read.is_readable() && read.controls().count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_and_fail_closed() {
        for (text, shown) in [
            ("tlp:amber+strict", "TLP:AMBER+STRICT"),
            ("tlp:white", "TLP:CLEAR"),
            ("tlp:unclear", "TLP:RED"),
            ("tlp:mauve", "TLP:RED"),
            ("tlp:ex:chr", "TLP:EX:CHR"),
            ("PAP:RED", "PAP:RED"),
            ("PAP:ORANGE", "PAP:RED"),
            (r#"dni-ism:classification:us="S""#, "SECRET//NOFORN"),
            (r#"dni-ism:classification:us="U""#, "UNCLASSIFIED"),
            (r#"dni-ism:dissem="NF""#, "UNCLASSIFIED//NOFORN"),
            (r#"dni-ism:dissem="REL""#, "UNCLASSIFIED//NOFORN"),
            (r#"dni-ism:dissem="OC""#, "UNCLASSIFIED//ORCON"),
            (r#"dni-ism:scicontrols="SI""#, "UNCLASSIFIED//SI"),
            (r#"dni-ism:classification:us="X""#, r#"UNDEFINED:"dni-ism:classification:us=\"X\"""#),
            ("dni-ism:classification:all", r#"UNDEFINED:"dni-ism:classification:all""#),
            (r#"acs-marking:classification="U""#, r#"UNDEFINED:"acs-marking:classification=\"U\"""#),
        ] {
            assert_eq!(tag(text).map(|marking| marking.to_string()).as_deref(), Some(shown), "{text}");
        }
        for other in ["osint:source-type=\"blog\"", "malware", "", "misp-galaxy:tool=\"x\""] {
            assert_eq!(tag(other), None);
        }
    }
}
