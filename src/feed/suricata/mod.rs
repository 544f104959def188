//! Suricata's rules, for what of them can be honoured whole: a rule with any option that cannot be is refused by that option's name,
//! and never honoured in part. What is read and what it means here is in `feeds/README.md`.
//!
//! Rules are text for a sensor; this module turns one into a [`crate::indicator::rule::Rule`] and judges nothing.

mod beside;
mod build;
mod header;
mod keywords;
mod lex;
mod lists;
mod names;
mod options;
mod shown;
mod write;

pub(super) use lists::{IP, IPREP, IPV4_LIST, MD5, SHA256, STRING};
pub(super) use write::{WRITER, of_itself};

use std::path::{Path, PathBuf};

use super::intake::{Intake, Meta};
use super::lines::{Line, Lines};
use super::{Broken, Format, MAX_LINE_BYTES};
use crate::indicator::kind::RULE;
use crate::indicator::rule::{Body, Rule};
use crate::indicator::{Condition, Draft, Refusal, Where, Window};
use beside::Beside;
use header::Variables;

/// See the module. Known by its first line that is neither empty nor a comment: an action, and options in parentheses.
pub(super) const FORMAT: Format = Format { name: "suricata", unit: "line", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    head.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .map(|line| line.strip_prefix(b"#").map_or(line, <[u8]>::trim_ascii_start))
        .find(|line| ACTIONS.iter().any(|action| is_action(line, action)))
        .is_some_and(|line| line.contains(&b'(') || line.ends_with(b"\\"))
        && !head.trim_ascii_start().starts_with(b"{")
}

fn is_action(line: &[u8], action: &str) -> bool {
    line.strip_prefix(action.as_bytes()).is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
        && [&b" -> "[..], b" <> "].iter().any(|arrow| memchr::memmem::find(line, arrow).is_some())
}

/// What the rules of a file share.
#[derive(Default)]
struct Around {
    variables: Variables,
    beside: Beside,
}

/// Files that the rules at `path` are not whole without, if it is one of rules: they are no feeds of their own.
pub(super) fn files_of(path: &Path) -> Vec<PathBuf> {
    let Some(folder) = path.parent() else { return Vec::new() };
    let Ok(lines) = Lines::open(path) else { return Vec::new() };
    beside::named(lines).into_iter().map(|file| folder.join(file)).collect()
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut around = Around { beside: Beside::of(intake.folder().map(Path::to_owned)), ..Around::default() };
    let mut whole: Vec<u8> = Vec::new();
    let mut first = None;
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            (first, whole) = (None, Vec::new());
            continue;
        };
        let line = line.trim_ascii();
        if first.is_none() && line.starts_with(b"#") {
            directive(line, number, &mut around)?;
            continue;
        }
        let (line, goes_on) = line.strip_suffix(b"\\").map_or((line, false), |line| (line, true));
        whole.extend_from_slice(line);
        let begun = *first.get_or_insert(number);
        if goes_on && whole.len() <= MAX_LINE_BYTES {
            whole.push(b' ');
            continue;
        }
        take(&whole, begun, &mut around, intake);
        whole.clear();
        first = None;
    }
    take(&whole, first.unwrap_or(0), &mut around, intake);
    Ok(())
}

fn take(text: &[u8], line: u32, around: &mut Around, intake: &mut Intake<'_>) {
    if text.trim_ascii().is_empty() {
        return;
    }
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Malformed);
    let carried = Carried { id: None, window: Window::ALWAYS, line };
    if let Err(reason) = text.and_then(|text| with(text, &carried, around, intake, &Meta::default())) {
        intake.refuse(line, reason);
    }
}

/// `# picket: HOME_NET=[192.0.2.0/24]`: what a variable stands for in the rules below, or where reputations are.
fn directive(line: &[u8], number: u32, around: &mut Around) -> Result<(), Broken> {
    let Some(text) = line.strip_prefix(b"#").map(<[u8]>::trim_ascii_start).and_then(|l| l.strip_prefix(b"picket:"))
    else {
        return Ok(());
    };
    let broken = |what: &str| Broken::Options { line: number, what: what.to_owned() };
    let text = std::str::from_utf8(text).map_err(|_| broken("the option is not UTF-8"))?;
    let (name, value) = text.split_once('=').ok_or_else(|| broken("not VARIABLE=VALUE"))?;
    if around.beside.set(name.trim(), value.trim()) {
        return Ok(());
    }
    around.variables.set(name.trim(), value.trim()).map_err(|_| broken("the variable's value cannot be read"))
}

/// What the document says of a rule that it carries, and the rule itself does not.
pub(super) struct Carried<'a> {
    /// The document's id for it; without one the rule's own counts.
    pub(super) id: Option<&'a str>,
    /// Its validity.
    pub(super) window: Window,
    /// Its place in the document.
    pub(super) line: u32,
}

/// Adds one rule, for formats that carry rules. What `meta` says is kept, beside what the rule says of itself.
///
/// # Errors
/// Why it was not read; what becomes of a rule that was read, the intake counts itself.
pub(super) fn rule(text: &str, carried: &Carried<'_>, intake: &mut Intake<'_>, meta: &Meta<'_>) -> Result<(), Refusal> {
    with(text, carried, &mut Around::default(), intake, meta)
}

fn with(
    text: &str,
    carried: &Carried<'_>,
    around: &mut Around,
    intake: &mut Intake<'_>,
    meta: &Meta<'_>,
) -> Result<(), Refusal> {
    let read = options::Reading::of(&lex::Text::of(text)?, around)?;
    let about: Vec<(Where, &str)> =
        meta.about.iter().copied().chain(read.about.iter().map(|(path, text)| (Where(path), text.as_str()))).collect();
    let meta = Meta {
        severity: meta.severity.or(read.severity),
        reference: meta.reference.or(read.reference.as_deref()),
        about: &about,
        ..meta.clone()
    };
    let rule = build::rule(&read)?;
    let when = condition(&read, &rule);
    let context = intake.context(&meta)?;
    let id = read.id();
    intake.add(&Draft {
        id: carried.id.or(id.as_deref()),
        when: when.as_ref(),
        rule: Some(&rule),
        window: carried.window,
        ..Draft::new(&RULE, text.trim().as_bytes(), context, carried.line)
    });
    Ok(())
}

/// The protocol that a flow must have.
fn condition(read: &options::Reading, rule: &Rule) -> Option<Condition> {
    // What HTTP/2 shows is shown as HTTP's.
    let is_http = matches!(&rule.body, Body::Message(_)) && read.protocol == Some("http");
    let protocol = read.protocol.filter(|_| !is_http)?;
    let or_protocol = read.or_protocol.filter(|_| matches!(&rule.body, Body::Header(_)));
    Some(Condition { protocol: Some(protocol), or_protocol, ..Condition::default() })
}

const ACTIONS: [&str; 7] = ["alert", "drop", "pass", "reject", "rejectsrc", "rejectdst", "rejectboth"];

#[cfg(test)]
mod tests;
