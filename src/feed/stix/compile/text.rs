//! `LIKE` and `MATCHES`, where they say what a kind can: a literal, what lies below a name or a path, bytes in a payload.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::property::{Property, Reach};
use crate::indicator::kind::url;
use crate::indicator::{Match, Refusal};

/// The value and reach of `LIKE pattern`. `%` stands for any text, `_` for any character; the whole value is compared.
///
/// Of names only `%.x` can be said: everything below `x`, without `x`. Of URLs only what ends in `/%` behind a whole host:
/// everything that begins so.
pub(super) fn like(property: Property, pattern: &str) -> Result<(Vec<u8>, Reach), Refusal> {
    let literal = |text: &str| !text.contains(['%', '_']);
    match property {
        _ if literal(pattern) => match property {
            Property::Name | Property::Url => Ok((pattern.into(), Reach::To(Match::Exact))),
            _ => Err(NOT_LIKE),
        },
        Property::Name => match pattern.strip_prefix("%.") {
            Some(name) if literal(name) && !name.starts_with('.') => Ok((name.into(), Reach::Below)),
            _ => Err(Refusal::Unsupported("LIKE with a wildcard elsewhere than %.name")),
        },
        Property::Url => match pattern.strip_suffix('%') {
            Some(start) if literal(start) && is_prefix(start.as_bytes()) => {
                Ok((start.into(), Reach::To(Match::Prefix)))
            }
            _ => Err(Refusal::Unsupported("LIKE with a wildcard elsewhere than scheme://host/path/%")),
        },
        _ => Err(NOT_LIKE),
    }
}

/// The value and reach of `MATCHES pattern`, a regular expression that is a literal, whole or in part.
pub(super) fn matches(property: Property, pattern: &str) -> Result<(Vec<u8>, Reach), Refusal> {
    if !matches!(property, Property::Name | Property::Url | Property::Payload(_)) {
        return Err(Refusal::Unsupported("MATCHES of what is no name, URL or payload"));
    }
    let found = literal(pattern).ok_or(Refusal::Unsupported("MATCHES with more than a literal"))?;
    let partial = Refusal::Unsupported("MATCHES that leaves an end of the value open");
    let Literal { mut bytes, start, end } = found;
    match (property, start, end) {
        (Property::Name | Property::Url, Start::Anchored, true) => Ok((bytes, Reach::To(Match::Exact))),
        (Property::Name, Start::OrDot, true) => Ok((bytes, Reach::To(Match::Subtree))),
        (Property::Name, Start::Open, true) if bytes.first() == Some(&b'.') => {
            bytes.remove(0);
            Ok((bytes, Reach::Below))
        }
        (Property::Url, Start::Anchored, false) if is_prefix(&bytes) => Ok((bytes, Reach::To(Match::Prefix))),
        (Property::Payload(_), Start::Open, false) => Ok((bytes, Reach::Somewhere)),
        (Property::Payload(_), Start::Anchored, false) => Ok((bytes, Reach::AtStart)),
        _ => Err(partial),
    }
}

/// Whether "begins with `start`" is what a prefix of URLs means: it holds a whole host and ends where a part of the path
/// does. (What is behind `#` is never sent.)
fn is_prefix(start: &[u8]) -> bool {
    start.ends_with(b"/")
        && !start.contains(&b'#')
        && url::split(start).is_some_and(|parts| parts.scheme.is_some() && parts.target.starts_with(b"/"))
}

struct Literal {
    bytes: Vec<u8>,
    start: Start,
    /// It ends where the value does.
    end: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Start {
    Open,
    /// `^`
    Anchored,
    /// `(^|\.)`
    OrDot,
}

/// STIX asks for PCRE. What this reads as a literal is the same literal there; `\xd4` is a byte, as STIX' own example has it.
fn literal(pattern: &str) -> Option<Literal> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).nest_limit(MAX_NESTING).build();
    let parsed = parser.parse(pattern).ok()?;
    let whole = std::slice::from_ref(&parsed);
    let mut parts = match parsed.kind() {
        HirKind::Concat(parts) => parts.iter(),
        _ => whole.iter(),
    }
    .peekable();
    let start = match parts.peek().map(|part| start_of(part)) {
        Some(Start::Open) | None => Start::Open,
        Some(start) => {
            parts.next();
            start
        }
    };
    let mut bytes = Vec::new();
    let mut end = false;
    for part in parts {
        match inner(part).kind() {
            HirKind::Literal(text) if !end => bytes.extend_from_slice(&text.0),
            HirKind::Look(Look::End) if !end => end = true,
            _ => return None,
        }
    }
    (!bytes.is_empty()).then_some(Literal { bytes, start, end })
}

fn start_of(part: &Hir) -> Start {
    match inner(part).kind() {
        HirKind::Look(Look::Start) => Start::Anchored,
        HirKind::Alternation(either) => match &either[..] {
            [a, b] if is_start(a) && is_dot(b) || is_dot(a) && is_start(b) => Start::OrDot,
            _ => Start::Open,
        },
        _ => Start::Open,
    }
}

fn is_start(part: &Hir) -> bool {
    matches!(part.kind(), HirKind::Look(Look::Start))
}

fn is_dot(part: &Hir) -> bool {
    matches!(part.kind(), HirKind::Literal(text) if *text.0 == *b".")
}

/// Without the group around it.
fn inner(part: &Hir) -> &Hir {
    match part.kind() {
        HirKind::Capture(group) => inner(&group.sub),
        _ => part,
    }
}

const NOT_LIKE: Refusal = Refusal::Unsupported("LIKE of what is no name or URL");

/// Groups within groups.
const MAX_NESTING: u32 = 32;
