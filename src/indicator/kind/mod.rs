//! The kinds of indicator: one file a kind (or a family of them), one line each in [`KINDS`].
//!
//! A kind says how a value is written down once and for all ([`Kind::normalise`]) and which index finds it. Neither the
//! matcher nor the feeds know kinds by name.

mod addr;
mod bytes;
pub mod domain;
pub mod email;
mod hash;
mod ics;
mod rule;
mod text;
pub mod url;
pub mod x509;

pub(super) use addr::of_normalised;
pub use addr::{IPV4, IPV6, of_addr};
pub use bytes::BYTES;
pub(super) use bytes::MIN_PATTERN_BYTES;
pub use domain::DOMAIN;
pub use email::{EMAIL_ADDR, EMAIL_SUBJECT};
pub(crate) use hash::is_digest;
pub use hash::{FILE, FILE_NAME};
pub use ics::ICS_FUNCTION;
pub use rule::RULE;
pub use text::{HASSH, JA3, JA3S, JA4, USER_AGENT, USER_NAME};
pub use url::URL;
pub use x509::{CERTIFICATE, ISSUER, SERIAL, SUBJECT};

use std::borrow::Cow;
use std::fmt;

use super::{Match, Refusal};

/// Every kind. A kind's position here is its number in a set.
pub static KINDS: &[&Kind] = &[
    &IPV4,
    &IPV6,
    &DOMAIN,
    &URL,
    &USER_AGENT,
    &JA3,
    &JA4,
    &BYTES,
    &FILE,
    &ICS_FUNCTION,
    &HASSH,
    &JA3S,
    &CERTIFICATE,
    &SUBJECT,
    &ISSUER,
    &SERIAL,
    &FILE_NAME,
    &USER_NAME,
    &EMAIL_ADDR,
    &EMAIL_SUBJECT,
    &RULE,
];

/// Which structure finds a kind's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// The whole value.
    Exact,
    /// A name, label by label from the right.
    Suffix,
    /// An address or network: longest prefix.
    Prefix,
    /// A URL: whole, or a prefix of its path.
    Path,
    /// Bytes anywhere in a payload.
    Pattern,
    /// What a rule asks.
    Rule,
}

/// See [`Kind::normalise`].
pub type Normalise = fn(value: &[u8], matching: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal>;

/// A kind of indicator and observable.
pub struct Kind {
    /// Its position in [`KINDS`] (a test holds them together).
    pub number: u8,
    /// `threat.indicator.type`.
    pub name: &'static str,
    /// Other names that feeds use.
    pub aliases: &'static [&'static str],
    /// Which structure finds it.
    pub index: Index,
    /// How far a value reaches when its feed does not say.
    pub default_match: Match,
    /// Elastic Common Schema paths where this version's parsers see it; empty: loads, but nothing can match it yet.
    pub seen_at: &'static [&'static str],
    /// Appends the normal form of an indicator's value to `out` and says what is dangerous about it, if anything.
    /// The form: addresses 4 or 16 network-order bytes (IPv4-mapped IPv6 as 4), networks the same plus one byte of prefix
    /// length with host bits cleared; names lower-case A-labels without the trailing dot; URLs as `host[:port]/path?query`;
    /// fingerprints and control-system functions lower-case; user-agents and byte signatures as they are.
    ///
    /// `Err` is a value that cannot be loaded at all; `Ok(Some(..))` one that only `--force` loads.
    pub normalise: Normalise,
    /// A normalised value as a reader who may see it reads it.
    pub display: for<'a> fn(value: &'a [u8]) -> Cow<'a, str>,
}

impl Kind {
    /// The kind that a feed calls `name` (any case).
    pub fn by_name(name: &str) -> Option<&'static Self> {
        let is = |k: &&&'static Self| {
            k.name.eq_ignore_ascii_case(name) || k.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
        };
        KINDS.iter().find(|k| k.name == name).or_else(|| KINDS.iter().find(is)).copied()
    }

    /// Its position in [`KINDS`].
    pub fn number(&self) -> u8 {
        self.number
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_s_number_is_its_place_and_its_names_are_its_own() {
        for (place, kind) in KINDS.iter().enumerate() {
            assert_eq!(usize::from(kind.number()), place, "{}", kind.name);
            for name in kind.aliases.iter().chain([&kind.name]) {
                assert_eq!(Kind::by_name(&name.to_uppercase()), Some(*kind), "{name}");
            }
        }
        assert_eq!(Kind::by_name("no such type"), None);
    }
}
