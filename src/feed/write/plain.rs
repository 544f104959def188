//! Plain lists, written: one value a line, and a comment `# picket: ..` before the first line that something else holds for.
//! An entry that would not be read back as itself is left out.

use std::io::{self, Write};

use super::native::{name_of_match, name_of_transport};
use super::{Writer, Written, leave_out, text_of};
use crate::feed::field::can_match;
use crate::feed::{plain, recognise, refang};
use crate::indicator::{ContextRef, Index, Indicator, IndicatorSet};
use crate::time::Timestamp;

/// See the module.
pub(super) const WRITER: Writer = Writer { name: "plain", write: |set, _, out| write(set, out) };

fn write(set: &IndicatorSet, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    let mut options = String::new();
    let mut before = String::new();
    for indicator in set.iter() {
        if indicator.rule.is_some() {
            leave_out(set, &indicator, "a rule of a rule language", &mut written);
            continue;
        }
        let (line, typed) = match line_of(&indicator) {
            Ok(line) => line,
            Err(why) => {
                leave_out(set, &indicator, why, &mut written);
                continue;
            }
        };
        for (context, _) in set.sources(indicator.ix) {
            if context.marking.further.is_some() {
                written.leave_out("a marking beyond TLP, PAP and classification");
                continue;
            }
            options.clear();
            options_of(&indicator, typed, &context, &mut options, &mut written);
            if options != before {
                writeln!(out, "# picket:{options}")?;
                std::mem::swap(&mut options, &mut before);
            }
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")?;
            written.written += 1;
            if indicator.given_id().is_some() {
                written.lose("id");
            }
            if !context.about.is_empty() || context.first_seen.is_some() {
                written.lose("first seen, groups, software, techniques, tags");
            }
        }
    }
    Ok(written)
}

/// The line, and whether it needs a `type` to be read.
fn line_of(indicator: &Indicator<'_>) -> Result<(String, bool), &'static str> {
    let kind = indicator.kind;
    if kind.index == Index::Pattern {
        return Err("a byte signature");
    }
    if indicator.when.is_some() {
        return Err("a condition");
    }
    let value = (kind.display)(indicator.value);
    let line = match (kind.index, indicator.port) {
        (Index::Prefix, Some(_)) if value.contains('/') => return Err("a network with a port"),
        (Index::Prefix, Some(port)) if value.contains(':') => format!("[{value}]:{port}"),
        (Index::Prefix, Some(port)) => format!("{value}:{port}"),
        _ => value.into_owned(),
    };
    let bare = plain::bare(line.as_bytes());
    let same = bare == line.as_bytes() && !line.starts_with('#') && !line.bytes().any(|byte| byte.is_ascii_control());
    let whole = std::str::from_utf8(indicator.value).is_ok() || kind.index == Index::Prefix;
    let refanged = refang(bare);
    match recognise(&refanged) {
        _ if !same || !whole => Err("a value that a plain list cannot hold"),
        Ok(known) if known.kind == kind && refanged == line.as_bytes() => Ok((line, false)),
        _ if kind.index == Index::Exact => Ok((line, true)),
        _ => Err("a value that a plain list cannot hold"),
    }
}

fn options_of(
    indicator: &Indicator<'_>,
    typed: bool,
    context: &ContextRef<'_>,
    out: &mut String,
    written: &mut Written,
) {
    let mut option = |name: &str, value: &str| {
        let quote = if value.contains(char::is_whitespace) || value.is_empty() { "\"" } else { "" };
        out.push_str(&format!(" {name}={quote}{value}{quote}"));
    };
    if typed {
        option("type", indicator.kind.name);
    }
    if indicator.matching != indicator.kind.default_match && can_match(indicator.kind, indicator.matching) {
        option("match", name_of_match(indicator.matching));
    }
    if let Some(transport) = indicator.transport {
        option("transport", name_of_transport(transport));
    }
    if indicator.window.from != Timestamp::ZERO {
        option("valid_from", &indicator.window.from.to_string());
    }
    if indicator.window.until != Timestamp::MAX {
        option("valid_until", &indicator.window.until.to_string());
    }
    if let Some(tlp) = context.marking.tlp {
        option("tlp", &tlp.to_string());
    }
    if let Some(pap) = context.marking.pap {
        option("pap", &pap.to_string());
    }
    if let Some(classification) = &context.marking.classification {
        let text = text_of(classification);
        if cannot_be_quoted(&text) {
            // In what could not be read only; in other words it stays so.
            option("classification", &classification.to_string().replace('"', "'"));
            written.lose("the text of a marking that cannot be read");
        } else {
            option("classification", &text);
        }
    }
    if let Some(severity) = context.severity {
        option("severity", &severity.to_string());
    }
    let texts = [
        ("confidence", context.confidence),
        ("provider", context.provider),
        ("reference", context.reference),
        ("description", context.description),
    ];
    for (name, text) in texts {
        match text {
            Some(text) if cannot_be_quoted(text) => written.lose(name),
            Some(text) => option(name, text),
            None => {}
        }
    }
}

fn cannot_be_quoted(text: &str) -> bool {
    text.contains(|c: char| c == '"' || c.is_control())
}
