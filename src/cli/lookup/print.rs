//! Answers as a table or as JSON Lines. Texts from feeds are escaped: a feed must not drive the terminal.

use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::{Value, json};

use super::{Answer, Found, sources};
use crate::marking::Marking;
use crate::matcher::MatchSet;
use crate::time::Timestamp;

/// For a reader.
pub(super) fn table(set: &MatchSet, answers: &[Answer<'_>], out: &mut impl Write) -> io::Result<()> {
    for answer in answers {
        if answer.matches.is_empty() {
            let tried: Vec<String> = answer.readings.iter().map(super::Reading::label).collect();
            writeln!(out, "{}: no match (looked up as {})", plain(answer.value), tried.join(", "))?;
            continue;
        }
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["as", "indicator", "how", "feed:line", "provider", "marking", "valid"]);
        for found in &answer.matches {
            add_rows(&mut table, set, answer, found);
        }
        writeln!(out, "{}\n{table}", plain(answer.value))?;
    }
    Ok(())
}

/// One row for each source, so that each feed's marking stands beside its line.
fn add_rows(table: &mut Table, set: &MatchSet, answer: &Answer<'_>, found: &Found<'_>) {
    let how =
        if found.suppressed { format!("{} (suppressed by the allow-list)", found.why) } else { found.why.clone() };
    for (context, line) in sources(set, found.indicator.ix) {
        table.add_row([
            answer.readings[found.reading].label(),
            plain(&found.indicator.id()),
            plain(&how),
            format!("{}:{line}", plain(context.feed)),
            plain(context.provider.unwrap_or("")),
            marking(context.marking).unwrap_or_default(),
            validity(found),
        ]);
    }
}

/// One document a value, those that nothing matches included.
pub(super) fn json_lines(set: &MatchSet, answers: &[Answer<'_>], out: &mut impl Write) -> io::Result<()> {
    for answer in answers {
        let matches: Vec<Value> = answer.matches.iter().map(|found| document(set, answer, found)).collect();
        let tried: Vec<String> = answer.readings.iter().map(super::Reading::label).collect();
        let line = json!({ "value": answer.value, "looked_up_as": tried, "matches": matches });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn document(set: &MatchSet, answer: &Answer<'_>, found: &Found<'_>) -> Value {
    let window = found.indicator.window;
    let sources: Vec<Value> = sources(set, found.indicator.ix)
        .map(|(context, line)| {
            json!({
                "feed": context.feed,
                "line": line,
                "provider": context.provider,
                "marking": marking(context.marking),
                "confidence": context.confidence,
            })
        })
        .collect();
    json!({
        "id": found.indicator.id(),
        "kind": found.indicator.kind.name,
        "as": answer.readings[found.reading].label(),
        "how": found.why,
        "port": found.indicator.port,
        "suppressed": found.suppressed,
        "valid_from": (window.from != Timestamp::ZERO).then(|| window.from.to_string()),
        "valid_until": (window.until != Timestamp::MAX).then(|| window.until.to_string()),
        "sources": sources,
    })
}

fn validity(found: &Found<'_>) -> String {
    let window = found.indicator.window;
    match (window.from != Timestamp::ZERO, window.until != Timestamp::MAX) {
        (false, false) => "always".to_string(),
        (true, false) => format!("from {}", window.from),
        (false, true) => format!("until {}", window.until),
        (true, true) => format!("{} to {}", window.from, window.until),
    }
}

/// The marking as its feed gave it, if it gave one.
fn marking(marking: &Marking) -> Option<String> {
    (!marking.is_unmarked()).then(|| marking.to_string())
}

/// Text with control characters escaped.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}
