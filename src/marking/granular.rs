//! [`Granular`]: STIX 2.1 granular markings (section 7.2.3), which mark single properties of an object.

use serde::Deserialize;

/// One entry of `granular_markings`. An entry with a `lang` marks a language, not handling, and has no `marking_ref`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granular {
    /// Paths of properties: `pattern`, `external_references.[0].url`, `id`.
    pub selectors: Vec<String>,
    /// The definition that marks them.
    pub marking_ref: Option<String>,
    /// The language that they are in.
    pub lang: Option<String>,
}

/// The definitions that mark the property at `path`, besides those of its whole object. An entry that is neither of
/// handling nor of language gives an empty reference, which nothing defines.
pub fn refs_for<'a>(granular: &'a [Granular], path: &'a str) -> impl Iterator<Item = &'a str> {
    granular.iter().filter(move |entry| entry.marks(path)).filter_map(|entry| match (&entry.marking_ref, &entry.lang) {
        (Some(reference), _) => Some(reference.as_str()),
        (None, Some(_)) => None,
        (None, None) => Some(""),
    })
}

impl Granular {
    /// Whether the property at `path`, something that it holds, or something that holds it is selected. A selector that
    /// cannot be read selects everything.
    pub fn marks(&self, path: &str) -> bool {
        self.selectors.is_empty()
            || self.selectors.iter().any(|selector| {
                !is_selector(selector) || selector.split('.').zip(path.split('.')).all(|(own, asked)| own == asked)
            })
    }
}

/// `^([a-z0-9_-]{3,249}(\.(\[\d+\]|[a-z0-9_-]{1,250}))*|id)$`
fn is_selector(text: &str) -> bool {
    let is_name = |name: &str, longest: usize| {
        (1..=longest).contains(&name.len())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
    };
    let is_index = |step: &str| {
        let digits = step.strip_prefix('[').and_then(|step| step.strip_suffix(']'));
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut steps = text.split('.');
    let first = steps.next().unwrap_or_default();
    text == "id" || (first.len() >= 3 && is_name(first, 249) && steps.all(|step| is_index(step) || is_name(step, 250)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(selectors: &[&str], marking_ref: Option<&str>) -> Granular {
        let selectors = selectors.iter().map(ToString::to_string).collect();
        Granular { selectors, marking_ref: marking_ref.map(String::from), lang: None }
    }

    #[test]
    fn selectors_are_those_of_the_grammar() {
        for good in ["id", "pattern", "external_references.[0].url", "extensions.x-1.a", "abc.[12]"] {
            assert!(is_selector(good), "{good}");
        }
        for bad in
            ["", "ab", "Pattern", "pattern.", ".pattern", "[0].url", "pattern.[x]", "pattern.[]", "a b c", "id.x"]
        {
            assert!(!is_selector(bad), "{bad}");
        }
        assert!(!is_selector(&"a".repeat(250)) && is_selector(&"a".repeat(249)));
    }

    #[test]
    fn a_property_is_marked_by_itself_by_what_holds_it_and_by_what_it_holds() {
        let marks = |selector: &str, path: &str| entry(&[selector], Some("m")).marks(path);
        assert!(marks("pattern", "pattern") && !marks("pattern", "pattern_type") && !marks("name", "pattern"));
        assert!(marks("external_references", "external_references.[0].url"));
        assert!(marks("external_references.[0].url", "external_references"));
        assert!(!marks("external_references.[0]", "external_references.[1]"));
        assert!(marks("not a selector", "pattern") && entry(&[], Some("m")).marks("pattern"), "fails closed");
    }

    #[test]
    fn references_come_in_order_and_languages_are_none() {
        let lang = Granular { lang: Some("de".into()), ..entry(&["pattern"], None) };
        let all = [entry(&["pattern"], Some("a")), entry(&["name"], Some("b")), lang, entry(&["pattern"], None)];
        assert_eq!(refs_for(&all, "pattern").collect::<Vec<_>>(), ["a", ""]);
        assert_eq!(refs_for(&all, "description").count(), 0);
        let read: Granular = serde_json::from_str(r#"{"selectors":["id"],"marking_ref":"a"}"#).expect("reads");
        assert_eq!(read, entry(&["id"], Some("a")));
        assert!(serde_json::from_str::<Granular>(r#"{"selectors":["id"],"marking":"a"}"#).is_err());
    }
}
