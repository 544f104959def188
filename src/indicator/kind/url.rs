//! `url`.

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// `url`.
pub static URL: Kind = Kind {
    number: 3,
    name: "url",
    aliases: &[],
    index: Index::Path,
    default_match: Match::Exact,
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
