//! Writes indicators as a Zeek intelligence file: [`write()`].
//!
//! Zeek matches names and URLs alone and knows no ports, times or markings. What would match more there than it does here is
//! left out; a name that covers what is below it is written as itself and counted.

use std::io::{self, Write};

use super::super::Written;
use super::{IF_IN, TYPES};
use crate::indicator::{Condition, ContextRef, Index, Indicator, IndicatorSet, Match, Pattern, Window};

/// Writes every indicator that Zeek can hold, once for each source.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn write(set: &IndicatorSet, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    out.write_all(b"#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\tmeta.if_in\n")?;
    for indicator in set.iter() {
        for (context, _) in set.sources(indicator.ix) {
            match row(&indicator) {
                Ok((value, name, place)) => {
                    let desc = cell(context.description);
                    let (source, url) = (cell(context.provider), cell(context.reference));
                    writeln!(out, "{value}\t{name}\t{source}\t{desc}\t{url}\t{place}")?;
                    written.written += 1;
                    count_lost(&indicator, &context, &mut written);
                }
                Err(why) => written.leave_out(why),
            }
        }
    }
    Ok(written)
}

/// Value, type and place of an indicator; or why it has none.
fn row(indicator: &Indicator<'_>) -> Result<(String, &'static str, &'static str), &'static str> {
    if indicator.port.is_some() || indicator.transport.is_some() {
        return Err("port or transport");
    }
    if indicator.window != Window::ALWAYS {
        return Err("validity");
    }
    if indicator.pattern != Pattern::default() || indicator.kind.index == Index::Pattern {
        return Err("kind");
    }
    if indicator.matching == Match::Prefix {
        return Err("prefix of a URL");
    }
    let place = indicator.when.map_or(Ok("-"), |when| place(when).ok_or("condition"))?;
    let value = (indicator.kind.display)(indicator.value);
    let is_network = indicator.kind.index == Index::Prefix && value.contains('/');
    let name = match is_network {
        true => "Intel::SUBNET",
        false => TYPES.iter().find(|(_, kind)| *kind == indicator.kind).map(|(name, _)| *name).ok_or("kind")?,
    };
    if name == "Intel::CERT_HASH" && value.len() != 40 {
        return Err("kind");
    }
    if std::str::from_utf8(indicator.value).is_err() && indicator.kind.index != Index::Prefix {
        return Err("bytes that are no text");
    }
    Ok((escaped(&value), name, place))
}

fn place(when: &Condition) -> Option<&'static str> {
    let only_field = Condition { field: when.field, ..Condition::default() } == *when;
    let field = when.field.filter(|_| only_field)?;
    IF_IN.iter().find(|(_, path)| *path == Some(field)).map(|(place, _)| *place)
}

fn count_lost(indicator: &Indicator<'_>, context: &ContextRef<'_>, written: &mut Written) {
    if indicator.matching == Match::Subtree {
        written.lose("names below the name");
    }
    let said = [
        ("marking", !context.marking.is_unmarked()),
        ("confidence", context.confidence.is_some()),
        ("severity", context.severity.is_some()),
        ("first_seen", context.first_seen.is_some()),
        ("what it is about", !context.about.is_empty()),
    ];
    said.iter().filter(|(_, said)| *said).for_each(|(what, _)| written.lose(what));
}

/// A text between tabs; `-` for none.
fn cell(text: Option<&str>) -> String {
    match text {
        None | Some("") => "-".to_owned(),
        Some("-") => "\\x2d".to_owned(),
        Some(text) => escaped(text),
    }
}

/// Control characters and `\x` as `\xHH`, and a `#` that would begin a comment.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let is_escape = text.get(at..).is_some_and(|rest| rest.starts_with("\\x"));
        if character.is_ascii_control() || is_escape || (at == 0 && character == '#') {
            out.push_str(&format!("\\x{:02x}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}
