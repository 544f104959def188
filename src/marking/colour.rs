//! The two traffic lights: [`Tlp`] limits sharing, [`Pap`] limits use. Their order is their strictness.

use std::fmt;

/// Traffic Light Protocol, versions 1 and 2 (WHITE of version 1 is CLEAR of version 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tlp {
    /// Anyone.
    #[default]
    Clear,
    /// The community.
    Green,
    /// The receiving organisation and its clients.
    Amber,
    /// The receiving organisation only.
    AmberStrict,
    /// The named recipients only.
    Red,
}

impl Tlp {
    /// Reads `AMBER`, `tlp:amber+strict`, `TLP:WHITE`, ... in any case; `None` for what is no TLP (treat it as
    /// [`Tlp::Red`]).
    pub fn parse(text: &str) -> Option<Self> {
        let words = [
            ("amber", Self::Amber),
            ("green", Self::Green),
            ("red", Self::Red),
            ("clear", Self::Clear),
            ("white", Self::Clear),
            ("amber+strict", Self::AmberStrict),
            ("amber strict", Self::AmberStrict),
            ("amber-strict", Self::AmberStrict),
            ("amber_strict", Self::AmberStrict),
        ];
        named(&words, without_prefix(text, "tlp"))
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict => "AMBER+STRICT",
            Self::Red => "RED",
        })
    }
}

/// Permissible Actions Protocol (MISP's taxonomy; WHITE is the older CLEAR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pap {
    /// Anything.
    Clear,
    /// Active: block, sinkhole, reset, probe.
    Green,
    /// Passive checks.
    Amber,
    /// Logs only, undetectable.
    Red,
}

impl Pap {
    /// Reads `RED`, `PAP:AMBER`, `pap:white`, ... in any case; `None` for what is no PAP (treat it as [`Pap::Red`]).
    pub fn parse(text: &str) -> Option<Self> {
        let words = [
            ("amber", Self::Amber),
            ("green", Self::Green),
            ("red", Self::Red),
            ("clear", Self::Clear),
            ("white", Self::Clear),
        ];
        named(&words, without_prefix(text, "pap"))
    }
}

impl fmt::Display for Pap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::Red => "RED",
        })
    }
}

/// `text` trimmed and without a leading `name:` in any case.
/// What a word in any case stands for.
fn named<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, meant)| *meant)
}

fn without_prefix<'a>(text: &'a str, name: &str) -> &'a str {
    let text = text.trim();
    match text.split_once(':') {
        Some((head, rest)) if head.trim().eq_ignore_ascii_case(name) => rest.trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_and_the_misp_forms_are_read() {
        for (text, tlp) in [
            ("WHITE", Tlp::Clear),
            ("tlp:clear", Tlp::Clear),
            ("Green", Tlp::Green),
            (" TLP: AMBER ", Tlp::Amber),
            ("AMBER+STRICT", Tlp::AmberStrict),
            ("amber strict", Tlp::AmberStrict),
            ("red", Tlp::Red),
        ] {
            assert_eq!(Tlp::parse(text), Some(tlp), "{text}");
            assert_eq!(Tlp::parse(&tlp.to_string()), Some(tlp));
        }
        for text in ["", "tlp", "tlp:", "tlp:ex:chr", "orange", "pap:red", "REDD"] {
            assert_eq!(Tlp::parse(text), None, "{text}");
        }
        assert_eq!(Pap::parse("PAP:WHITE"), Some(Pap::Clear));
        assert_eq!(Pap::parse("amber"), Some(Pap::Amber));
        assert_eq!(Pap::parse("amber+strict"), None);
    }

    #[test]
    fn the_order_is_strictness() {
        assert!(Tlp::Clear < Tlp::Green && Tlp::Amber < Tlp::AmberStrict && Tlp::AmberStrict < Tlp::Red);
        assert!(Pap::Clear < Pap::Green && Pap::Amber < Pap::Red);
    }
}
