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

/// A word is meant if it is at least so like what was written (0 to 1, Jaro-Winkler).
const LIKE: f64 = 0.8;

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

    /// A finding at the value that the path leads to, or at the last part of it that is written.
    pub(super) fn at(self, path: &[Step<'_>], why: String) -> Finding {
        let root = DeTable::parse(self.text).ok();
        let mut at = 0;
        let mut here = root.map(|root| {
            at = root.span().start;
            DeValue::Table(root.into_inner())
        });
        for step in path {
            let Some(value) = here.as_ref() else { break };
            let next = match step {
                Step::Key(name) => value.get(*name),
                Step::Item(number) => value.get(*number),
            };
            let Some(next) = next else { break };
            at = next.span().start;
            here = Some(next.get_ref().clone());
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

/// A step on the way to a value.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

/// Of a message "unknown field `x`, expected one of `a`, `b`": the allowed word that is most like `x`.
fn meant(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?.to_lowercase();
    let like = |word: &str| strsim::jaro_winkler(&wrong, word);
    let best = quoted.max_by(|a, b| like(a).total_cmp(&like(b)))?;
    (like(best) >= LIKE).then_some(best)
}
