//! `domain-name`.

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// `domain-name`.
pub static DOMAIN: Kind = Kind {
    number: 2,
    name: "domain-name",
    aliases: &[],
    index: Index::Suffix,
    default_match: Match::Subtree,
    seen_at: &[],
    normalise,
    display,
};

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    out.extend(value);
    Ok(None)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}
