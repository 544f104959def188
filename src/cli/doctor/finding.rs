//! [`Finding`]: one thing that was looked at, how it is, why it matters, and what to do about it.

use std::io::{self, Write};

use serde::Serialize;

use crate::alert::printable;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// A sensor works, and could do better or cannot be sure.
    Warn,
    /// A sensor cannot do its work.
    Fail,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How it is.
    pub(super) level: Level,
    /// A stable word for what was looked at.
    pub(super) check: &'static str,
    /// Of what: an interface, a feed, a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    /// What was found.
    pub(super) what: String,
    /// Why it matters.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) why: &'static str,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) advice: String,
}

impl Finding {
    /// As it should be.
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, subject: None, what: what.into(), why: "", advice: String::new() }
    }

    /// Could be better.
    pub(super) fn warn(
        check: &'static str,
        what: impl Into<String>,
        why: &'static str,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Warn, why, advice: advice.into(), ..Self::ok(check, what) }
    }

    /// Keeps a sensor from its work.
    pub(super) fn fail(
        check: &'static str,
        what: impl Into<String>,
        why: &'static str,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Fail, ..Self::warn(check, what, why, advice) }
    }

    /// Says of what.
    pub(super) fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// Whether anything keeps a sensor from its work.
    pub(super) fn has_failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Fail)
    }

    /// For programs.
    pub(super) fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    /// For people.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.findings {
            let word = match finding.level {
                Level::Ok => "ok  ",
                Level::Warn => "WARN",
                Level::Fail => "FAIL",
            };
            let subject = finding.subject.as_ref().map_or_else(String::new, |subject| format!("{}: ", shown(subject)));
            writeln!(out, "{word}  {:<13} {subject}{}", finding.check, shown(&finding.what))?;
            if !finding.why.is_empty() {
                writeln!(out, "{:20}why: {}", "", finding.why)?;
            }
            if !finding.advice.is_empty() {
                writeln!(out, "{:20}do:  {}", "", shown(&finding.advice))?;
            }
        }
        let count = |level| self.findings.iter().filter(|finding| finding.level == level).count();
        writeln!(out, "{} ok, {} to look at, {} failed", count(Level::Ok), count(Level::Warn), count(Level::Fail))
    }
}

/// Names and paths may hold anything.
fn shown(text: &str) -> String {
    printable(text.as_bytes())
}

/// What tests say of findings.
#[cfg(test)]
pub(super) fn levels(findings: &[Finding]) -> Vec<(&'static str, Level)> {
    findings.iter().map(|finding| (finding.check, finding.level)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_fails_and_everything_is_said() {
        let ok = Finding::ok("clock", "right");
        let warn = Finding::warn("link", "slow\x1b[2J", "it loses", "replace it").of("eth1");
        let mut report = Report { findings: vec![ok, warn] };
        assert!(!report.has_failed());
        report.findings.push(Finding::fail("permission", "none", "nothing is seen", "run as root"));
        assert!(report.has_failed());
        let mut out = Vec::new();
        report.print(&mut out).expect("written");
        let out = String::from_utf8(out).expect("text");
        for wanted in ["eth1: slow", "why: it loses", "do:  replace it", "1 ok, 1 to look at, 1 failed"] {
            assert!(out.contains(wanted), "{out}");
        }
        assert!(!out.contains('\x1b'));
        let mut json = Vec::new();
        report.json(&mut json).expect("written");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["findings"][1]["level"], "warn");
        assert_eq!(json["findings"][0].get("advice"), None);
    }
}
