//! [`ConfigError`]: what is wrong with a configuration file, where, what is allowed there, and what was probably meant.

use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

/// Why a configuration file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be opened or read.
    #[error("cannot read the configuration {file}: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's words.
        why: String,
    },
    /// It says what it must not; every finding on a line of its own.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Finding>),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {why}")]
pub struct Finding {
    /// The file.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// What is wrong and what to write.
    pub why: String,
}

/// A text and its name, to say where in it something is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Place<'_> {
    /// What the TOML reader says, with a suggestion and the section.
    pub(super) fn of_reader(self, error: &toml::de::Error) -> ConfigError {
        let at = error.span().map_or(0, |span| span.start);
        let section = self.section_before(at);
        let mut why = match section.is_empty() {
            true => error.message().to_owned(),
            false => format!("{section}: {}", error.message()),
        };
        if let Some(meant) = meant(error.message()) {
            let _ = write!(why, "; did you mean `{meant}`?");
        }
        ConfigError::Invalid(vec![self.finding(self.line(at), why)])
    }

    /// A finding at the value that the path (`sinks.0.name`) leads to, or at the last part of it that is written.
    pub(super) fn at(self, path: &str, why: String) -> Finding {
        let mut at = 0;
        let mut here = DeTable::parse(self.text).ok().map(|root| DeValue::Table(root.into_inner()));
        for step in path.split('.') {
            let next = match (&here, step.parse::<usize>()) {
                (Some(value), Ok(number)) => value.get(number),
                (Some(value), Err(_)) => value.get(step),
                (None, _) => None,
            };
            let Some(next) = next.cloned() else { break };
            at = next.span().start;
            here = Some(next.into_inner());
        }
        self.finding(self.line(at), why)
    }

    fn finding(self, line: usize, why: String) -> Finding {
        Finding { file: self.file.to_owned(), line, why }
    }

    fn line(self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    /// The heading above a byte: `[capture]`.
    fn section_before(self, at: usize) -> &'static str {
        let above = self.text.get(..at).unwrap_or(self.text);
        let line = above.lines().rev().map(str::trim).find(|line| line.starts_with('['));
        let name = line.map(|line| line.trim_start_matches('[').split(']').next().unwrap_or("").trim());
        SECTIONS.iter().find(|section| Some(section.trim_matches(['[', ']'])) == name).copied().unwrap_or("")
    }
}

/// Headings, as messages name them.
const SECTIONS: &[&str] = &[
    "[capture]",
    "[feeds]",
    "[flows]",
    "[overload]",
    "[memory]",
    "[[sinks]]",
    "[sinks.filter]",
    "[sinks.file]",
    "[sinks.stdout]",
    "[sinks.syslog]",
    "[sinks.unix]",
    "[sinks.webhook]",
    "[sinks.elasticsearch]",
    "[sinks.kafka]",
    "[sinks.nats]",
    "[sinks.spool]",
    "[suppression]",
    "[evidence]",
    "[flow_log]",
    "[flow_log.file]",
    "[metrics]",
    "[control]",
    "[log]",
    "[privileges]",
];

/// Of a message "unknown field `x`, expected one of `a`, `b`": the allowed word that was probably meant.
fn meant(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    like(wrong, quoted)
}

/// Of `words` the one that is most like `wrong`, if one is like it at all: nearly the same beginning, or a third of its letters changed,
/// left out, added or exchanged with the next.
pub(super) fn like<'a>(wrong: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let likeness = |word: &str| strsim::jaro_winkler(&wrong, word);
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong, word);
    let is_like = |word: &&str| likeness(word) >= 0.85 || distance(word) * 3 <= wrong.chars().count();
    words.filter(is_like).max_by(|a, b| distance(b).cmp(&distance(a)).then_with(|| likeness(a).total_cmp(&likeness(b))))
}
