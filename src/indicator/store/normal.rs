//! An entry's value in normal form, and whether it may be kept.

use super::{NONE, Record, flags_of};
use crate::indicator::kind::{self, Index};
use crate::indicator::rule::Body;
use crate::indicator::{Draft, Pattern, Refusal};

/// Appends a draft's value in normal form to `out`; its record, but for where its parts are kept.
pub(super) fn normalised(draft: &Draft<'_>, force: bool, out: &mut Vec<u8>) -> Result<Record, Refusal> {
    let matching = draft.matching.unwrap_or(draft.kind.default_match);
    let start = out.len();
    let mut danger = (draft.kind.normalise)(draft.value, matching, out)?;
    let value = &out[start..];
    let kind = match draft.kind.index {
        Index::Prefix => kind::of_normalised(value),
        _ => draft.kind,
    };
    if kind.index == Index::Pattern {
        danger = danger.or(pattern_danger(value.len(), draft.pattern)?);
    }
    let mut most_bytes = MAX_VALUE_BYTES;
    if kind.index == Index::Rule {
        // The text of a rule alone says nothing: what it asks comes from a feed of rules.
        let rule = draft.rule.ok_or(Refusal::UnknownKind)?;
        danger = (matches!(rule.body, Body::Header(_)) && rule.ends.is_any()).then_some(Refusal::BroadRule);
        most_bytes = MAX_RULE_BYTES;
    }
    if let Some(danger) = danger
        && !force
    {
        return Err(danger);
    }
    if value.len() > most_bytes {
        return Err(Refusal::TooLong);
    }
    Ok(Record {
        value_at: 0,
        extra: NONE,
        context: draft.context,
        line: draft.line,
        value_bytes: value.len() as u16,
        port: draft.port.unwrap_or(0),
        kind: kind.number(),
        flags: flags_of(matching, draft.transport, draft.port),
    })
}

/// What is dangerous about a byte signature of this length; `Err` if it could never match.
fn pattern_danger(bytes: usize, pattern: Pattern) -> Result<Option<Refusal>, Refusal> {
    match pattern.depth {
        Some(depth) if (depth as usize) < bytes => Err(Refusal::BadPattern),
        Some(_) => Ok(None),
        None => Ok((bytes < kind::MIN_PATTERN_BYTES).then_some(Refusal::ShortPattern)),
    }
}

/// Longest value kept; no kind needs more but rules.
const MAX_VALUE_BYTES: usize = 8192;
/// Longest rule: one may list addresses by the hundred. The length must fit the record.
const MAX_RULE_BYTES: usize = u16::MAX as usize;
