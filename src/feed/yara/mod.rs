//! YARA rules that only ask which strings are there. They are judged over files: decoded HTTP bodies, mail attachments, files of
//! FTP (`picket.content`). A rule with anything else in it is refused by its name; what is read is in `feeds/README.md`.
//!
//! This module turns text into a [`Rule`] and judges nothing.

mod condition;
mod lex;
mod strings;

use std::io::Read as _;

use sha2::{Digest, Sha256};

use super::intake::{Intake, Meta};
use super::lines::Lines;
use super::{Broken, Format, field};
use crate::indicator::kind::RULE;
use crate::indicator::rule::{Body, Ends, Rule, Scope};
use crate::indicator::{Draft, Refusal, Where};
use lex::{Cursor, Token};
use strings::Strings;

/// See the module. Known by a rule, or an import, that begins a line.
pub(super) const FORMAT: Format = Format { name: "yara", unit: "line", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut cursor = Cursor::new(&text);
    loop {
        let word = match cursor.next() {
            Ok(Some(Token::Word(word))) => word,
            _ => return false,
        };
        match (word, cursor.next()) {
            ("import" | "include", Ok(Some(Token::Text(_)))) => {}
            ("private" | "global", Ok(Some(Token::Word("rule" | "private" | "global")))) => return true,
            ("rule", Ok(Some(Token::Word(_)))) => {
                return matches!(cursor.next(), Ok(Some(Token::Sign('{' | ':'))));
            }
            _ => return false,
        }
    }
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut bytes = Vec::new();
    lines.document().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Broken::Options { line: 1, what: "more than 64 MiB of YARA rules; split the file".to_owned() });
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut cursor = Cursor::new(&text);
    loop {
        cursor.skip();
        let start = cursor;
        match item(&mut cursor, intake, &Meta::default()) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // It limits all others.
            Err(GLOBAL) => {
                return Err(Broken::Options { line: start.line, what: "a global rule is not honoured".to_owned() });
            }
            Err(reason) => {
                intake.refuse(start.line, reason);
                if !resume(&mut cursor, &start) {
                    return Ok(());
                }
            }
        }
    }
}

/// Goes on at the next line that begins a rule; false if there is none.
fn resume<'a>(cursor: &mut Cursor<'a>, start: &Cursor<'a>) -> bool {
    let text = start.text;
    let mut next = *start;
    while let Some(end) = text.get(next.at..).and_then(|rest| rest.find('\n')) {
        next.at += end + 1;
        next.line += 1;
        let line = text.get(next.at..).unwrap_or_default();
        if BEGINNINGS.iter().any(|word| line.starts_with(word)) {
            *cursor = next;
            return true;
        }
    }
    false
}

/// One import or rule; false at the end.
fn item(cursor: &mut Cursor<'_>, intake: &mut Intake<'_>, meta: &Meta<'_>) -> Result<bool, Refusal> {
    let (line, begin) = (cursor.line, cursor.at);
    match cursor.next()? {
        None => return Ok(false),
        Some(Token::Word("rule")) => {}
        Some(Token::Word("private")) => return Err(Refusal::Unsupported("a private rule")),
        Some(Token::Word("global")) => return Err(GLOBAL),
        Some(Token::Word("import")) => return Err(Refusal::Unsupported("import")),
        Some(Token::Word("include")) => return Err(Refusal::Unsupported("include")),
        Some(_) => return Err(Refusal::Malformed),
    }
    let Token::Word(name) = cursor.need()? else { return Err(Refusal::Malformed) };
    let mut about: Vec<(Where, String)> = vec![(Where("rule.name"), name.to_owned())];
    if cursor.take(&Token::Sign(':'))? {
        while let Some(Token::Word(tag)) = cursor.peek()? {
            cursor.next()?;
            about.push((Where("tags"), tag.to_owned()));
        }
    }
    cursor.sign('{')?;
    let mut said = Said::default();
    let mut strings = Strings::default();
    loop {
        let Token::Word(section) = cursor.need()? else { return Err(Refusal::Malformed) };
        cursor.sign(':')?;
        match section {
            "meta" => said.read(cursor, &mut about)?,
            "strings" => {
                while let Some(Token::Name(name)) = cursor.peek()? {
                    cursor.next()?;
                    cursor.sign('=')?;
                    strings.read(&name[1..], cursor)?;
                }
            }
            "condition" => break,
            _ => return Err(Refusal::Unsupported("a section that is unknown")),
        }
    }
    let needs = condition::read(cursor, &strings)?;
    let text = cursor.text.get(begin..cursor.at).unwrap_or_default();
    let body = Body::Bytes { scope: Scope::Content, parts: strings.parts.into(), needs };
    let rule = Rule { ends: Ends::default(), body };
    let (marking, unreadable) =
        field::marking(said.tlp.as_deref(), said.pap.as_deref(), said.classification.as_deref())?;
    (0..unreadable).for_each(|_| intake.unreadable_marking());
    let about: Vec<(Where, &str)> = about.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let context = intake.context(&Meta {
        provider: said.author.as_deref().or(meta.provider),
        description: said.description.as_deref().or(meta.description),
        reference: said.reference.as_deref().or(meta.reference),
        marking: meta.marking.combine(&marking),
        about: &about,
        ..meta.clone()
    })?;
    let value = value_of(name, text);
    let id = format!("yara:{}", &name[..name.len().min(128)]);
    intake.add(&Draft { id: Some(&id), rule: Some(&rule), ..Draft::new(&RULE, value.as_bytes(), context, line) });
    Ok(true)
}

/// What `meta` says that is kept.
#[derive(Default)]
struct Said {
    author: Option<String>,
    description: Option<String>,
    reference: Option<String>,
    tlp: Option<String>,
    pap: Option<String>,
    classification: Option<String>,
}

impl Said {
    fn read(&mut self, cursor: &mut Cursor<'_>, about: &mut Vec<(Where, String)>) -> Result<(), Refusal> {
        while let Some(Token::Word(key)) = cursor.peek()? {
            // A section begins: `strings:`.
            let mut ahead = *cursor;
            ahead.next()?;
            if ahead.peek()? == Some(Token::Sign(':')) {
                break;
            }
            cursor.next()?;
            cursor.sign('=')?;
            let _ = cursor.take(&Token::Sign('-'))?;
            let value = match cursor.need()? {
                Token::Text(text) => String::from_utf8_lossy(&text).into_owned(),
                Token::Word(word) => word.to_owned(),
                _ => return Err(Refusal::Malformed),
            };
            match key.to_ascii_lowercase().as_str() {
                "author" => self.author = Some(value),
                "description" => self.description = Some(value),
                "reference" => _ = self.reference.get_or_insert(value),
                "tlp" | "sharing" => self.tlp = Some(value),
                "pap" => self.pap = Some(value),
                "marking" | "classification" if value.to_ascii_uppercase().starts_with("TLP") => self.tlp = Some(value),
                "marking" | "classification" => self.classification = Some(value),
                "malware" | "malware_family" if about.len() < MAX_ABOUT => {
                    about.push((Where("threat.software.name"), value))
                }
                "id" | "uuid" if about.len() < MAX_ABOUT => about.push((Where("rule.uuid"), value)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The rule's text, or, if it is too long to be a value, its name and digest.
fn value_of(name: &str, text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("rule {} (SHA-256 of its text: {digest})", &name[..name.len().min(256)])
}

const GLOBAL: Refusal = Refusal::Unsupported("a global rule");
const BEGINNINGS: [&str; 5] = ["rule ", "private ", "global ", "import ", "include "];
/// A file is read whole: real ones have a few megabytes.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Longer rules are named by their digest.
const MAX_TEXT_BYTES: usize = 4096;
/// Names kept of a rule.
const MAX_ABOUT: usize = 32;

#[cfg(test)]
mod tests;
