//! [`Declared`]: what holds for the entries of a feed that cannot say it themselves, as a comment (`# picket: tlp=AMBER`) or a
//! file beside the feed ([`super::sidecar`]) says it.
//!
//! An option that cannot be read stops the file: without it the entries below would reach further, or be handled less
//! strictly, than their author meant. No error repeats what it could not read: it may be a value that strayed.

use super::field;
use super::intake::{Intake, Meta};
use crate::indicator::{ContextIx, Index, Kind, Match, Refusal, Transport, Window};
use crate::marking::Marking;

/// See the module. Nothing is declared by default.
#[derive(Clone)]
pub(super) struct Declared {
    /// What the values are, where their shape does not say (a digest of 40 or 64 digits is taken for a file's).
    pub(super) kind: Option<&'static Kind>,
    pub(super) matching: Option<Match>,
    pub(super) transport: Option<Transport>,
    pub(super) window: Window,
    /// What each cell of a line is, for formats with columns.
    pub(super) columns: Option<Vec<String>>,
    /// What stands between the cells.
    pub(super) separator: Option<u8>,
    pub(super) marking: Marking,
    /// Markings that could not be read.
    unreadable: u32,
    provider: Option<String>,
    reference: Option<String>,
    description: Option<String>,
    confidence: Option<String>,
    severity: Option<u8>,
}

impl Default for Declared {
    fn default() -> Self {
        Self {
            kind: None,
            matching: None,
            transport: None,
            window: Window::ALWAYS,
            columns: None,
            separator: None,
            marking: Marking::default(),
            unreadable: 0,
            provider: None,
            reference: None,
            description: None,
            confidence: None,
            severity: None,
        }
    }
}

impl Declared {
    /// What a comment declares, if it does: `picket: name=value name="a value"` behind any of `#`, `!` and `;`.
    ///
    /// # Errors
    /// What cannot be read, for the one who wrote it.
    pub(super) fn comment(comment: &[u8]) -> Option<Result<Self, String>> {
        let text = comment.trim_ascii_start();
        let text = text.iter().position(|b| !b"#!;".contains(b)).map_or(&[][..], |at| &text[at..]);
        let options = text.trim_ascii_start().strip_prefix(b"picket:")?;
        let text = std::str::from_utf8(options).map_err(|_| "the options are not UTF-8".to_string());
        Some(text.and_then(pairs).and_then(|pairs| Self::of(pairs.into_iter())))
    }

    /// From options and their values.
    ///
    /// # Errors
    /// As [`Self::comment`].
    pub(super) fn of<'a>(options: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut declared = Self::default();
        let (mut tlp, mut pap, mut classification) = (None, None, None);
        for (name, value) in options {
            let bad = |_| format!("option {name} cannot be read");
            match name {
                "type" => declared.kind = Some(kind(value).ok_or_else(|| bad(Refusal::UnknownKind))?),
                "match" => declared.matching = Some(field::matching(value).map_err(bad)?),
                "transport" => declared.transport = field::transport(value).map_err(bad)?,
                "valid_from" => declared.window.from = field::instant(value).map_err(bad)?,
                "valid_until" => declared.window.until = field::instant(value).map_err(bad)?,
                "columns" => declared.columns = Some(value.split(',').map(|name| name.trim().to_owned()).collect()),
                "separator" => declared.separator = Some(separator(value).ok_or_else(|| bad(Refusal::BadField))?),
                "severity" => declared.severity = Some(field::severity(value).map_err(bad)?),
                "confidence" => declared.confidence = Some(field::confidence(value).to_owned()),
                "provider" => declared.provider = Some(value.to_owned()),
                "reference" => declared.reference = Some(value.to_owned()),
                "description" => declared.description = Some(value.to_owned()),
                "tlp" => tlp = Some(value),
                "pap" => pap = Some(value),
                "classification" => classification = Some(value),
                _ => return Err(format!("unknown option (known: {KNOWN_OPTIONS})")),
            }
        }
        (declared.marking, declared.unreadable) =
            field::marking(tlp, pap, classification).map_err(|reason| reason.to_string())?;
        Ok(declared)
    }

    /// What it says of every entry.
    pub(super) fn meta(&self) -> Meta<'_> {
        Meta {
            provider: self.provider.as_deref(),
            marking: self.marking.clone(),
            confidence: self.confidence.as_deref(),
            severity: self.severity,
            reference: self.reference.as_deref(),
            description: self.description.as_deref(),
            ..Meta::default()
        }
    }

    /// Counts its unreadable markings, and gives the number of what it says.
    ///
    /// # Errors
    /// Why the sensor may not hold what is marked so.
    pub(super) fn context(&self, intake: &mut Intake<'_>) -> Result<ContextIx, Refusal> {
        (0..self.unreadable).for_each(|_| intake.unreadable_marking());
        intake.context(&self.meta())
    }
}

/// `name=value` and `name="a value"`, separated by blanks.
fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or("an option is written name=value")?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quoted option has no closing quote")?,
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        pairs.push((name, value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// A kind whose values need nothing but themselves.
fn kind(name: &str) -> Option<&'static Kind> {
    Kind::by_name(name).filter(|kind| kind.index == Index::Exact)
}

fn separator(text: &str) -> Option<u8> {
    match text {
        "tab" | "\t" => Some(b'\t'),
        "comma" | "," => Some(b','),
        "semicolon" | ";" => Some(b';'),
        "pipe" | "bar" | "|" => Some(b'|'),
        _ => None,
    }
}

const KNOWN_OPTIONS: &str = "type, match, transport, valid_from, valid_until, columns, separator, severity, confidence, \
                             provider, reference, description, tlp, pap, classification";
