//! What `picket watch` says at its end: the summary of a replay, and what only a live run has to say.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Context;

use super::WatchArgs;
use crate::alert::Audience;
use crate::feed::LoadReport;
use crate::matcher::MatchSet;
use crate::pipeline::live::WatchOutcome;
use crate::pipeline::{AlertTally, Loaded, Summary};

/// What was run.
pub(super) struct Ran<'a> {
    pub(super) outcome: &'a WatchOutcome,
    pub(super) tally: &'a AlertTally,
    pub(super) set: &'a Arc<MatchSet>,
    pub(super) report: LoadReport,
    pub(super) load_seconds: f64,
}

/// Writes the summary to where it was asked for and to the terminal.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn show(args: &WatchArgs, ran: &Ran<'_>, audience: &Audience) -> anyhow::Result<()> {
    let loaded = Loaded { set: ran.set, report: ran.report.clone(), seconds: ran.load_seconds };
    let mut summary = Summary::new(&ran.outcome.run, ran.tally, loaded, audience, false);
    summary.add_live(ran.outcome, audience);
    if let Some(path) = &args.run.summary {
        let written = crate::cli::run::write_summary(path, &summary);
        written.with_context(|| format!("cannot write the summary to {}", path.display()))?;
    }
    if !args.run.quiet {
        let mut out = io::stderr().lock();
        // A terminal that went away is no reason to fail a finished run.
        let _ = summary.print(&mut out).and_then(|()| out.flush());
    }
    Ok(())
}
