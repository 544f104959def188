//! [`Settings`]: the configuration file of a run that goes on, read again at every reload. Its outputs are taken, all of them or none; of
//! everything else that was changed it is said that it needs a restart.
//!
//! Runs on the thread that reloads. What it opens does not touch what the outputs in use have open: that is done by whoever writes to
//! them ([`Change`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use crossbeam_channel::Sender;

use super::plan;
use crate::alert::{Notice, OwnedValue};
use crate::cli::config::estimate;
use crate::cli::confine;
use crate::cli::outputs::{Change, Next, Terms};
use crate::cli::run::now;
use crate::config::{ConfigError, MemoryTable, Plan, SinkPlan};
use crate::indicator::Where;
use crate::matcher::MatchSet;
use crate::pipeline::reload::Beside;
use crate::privilege::Options;
use crate::sink::{Output, OutputOptions};

/// See the module.
pub(super) struct Settings {
    file: PathBuf,
    /// What is in use: what it was started with, and the outputs as they are now.
    plan: Plan,
    /// What can still be reached, if not everything.
    granted: Option<Options>,
    /// Whether metrics are for readers who may see everything.
    has_open_metrics: bool,
    changes: Option<Sender<Change>>,
    /// Files and folders that outputs had which are being closed, and since when.
    closing: Vec<(Instant, PathBuf)>,
    processors: usize,
}

/// Outputs, each with the section of the clearance file that counts for it.
pub(super) type Configured = Vec<(String, OutputOptions)>;

/// How the outputs of two configurations differ.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    new: Vec<String>,
    changed: Vec<String>,
    gone: Vec<String>,
}

impl Settings {
    pub(super) fn new(file: &Path, plan: &Plan, processors: usize) -> Self {
        let (file, plan) = (file.to_owned(), plan.clone());
        Self { file, plan, granted: None, has_open_metrics: true, changes: None, closing: Vec::new(), processors }
    }

    /// What the run has become since it was read.
    pub(super) fn run_with(&mut self, changes: Sender<Change>, granted: Option<Options>, withholds: bool) {
        self.changes = Some(changes);
        self.granted = granted;
        self.has_open_metrics = self.plan.metrics.is_enabled && !withholds;
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the file again. `terms` says who reads outputs. Gives the outputs if there are others now.
    pub(super) fn reload(
        &mut self,
        set: &Arc<MatchSet>,
        terms: impl FnOnce(&Configured) -> anyhow::Result<Terms>,
    ) -> (Beside, Option<Configured>) {
        let mut beside = Beside::default();
        let next = match Plan::read(&self.file) {
            Ok(next) => next,
            Err(error) => {
                beside.refuse(&unread(&self.file, &error));
                return (beside, None);
            }
        };
        let restarts = self.plan.needs_restart(&next);
        let taken = match self.take(next.sinks, set, terms) {
            Ok(None) => None,
            Ok(Some((difference, configured))) => {
                beside.taken.push(difference.words());
                beside.notices.push(difference.notice());
                Some(configured)
            }
            Err(error) => {
                beside.refuse(&format!("{error:#}"));
                None
            }
        };
        if !restarts.is_empty() {
            beside.needs_restart(&restarts.join(", "));
        }
        (beside, taken)
    }

    /// Goes over to other outputs, if they are others.
    fn take(
        &mut self,
        sinks: Vec<SinkPlan>,
        set: &Arc<MatchSet>,
        terms: impl FnOnce(&Configured) -> anyhow::Result<Terms>,
    ) -> anyhow::Result<Option<(Difference, Configured)>> {
        if sinks == self.plan.sinks {
            return Ok(None);
        }
        let next = Plan { sinks, ..self.plan.clone() };
        if MemoryTable::new(&next, estimate(&next), self.processors).exceeds() {
            bail!("with these outputs it may take more than memory.max allows (picket config check adds it up)");
        }
        let difference = Difference::of(&self.plan.sinks, &next.sinks);
        self.can_reach(&next.sinks)?;
        let configured = configured(&next);
        let terms = terms(&configured)?;
        if self.has_open_metrics && terms.withholds(set) {
            bail!("their readers may not see everything, and metrics were opened for who may: restart");
        }
        let outgoing = self.outgoing(&next.sinks);
        let ways = self.prepare(&next.sinks, &configured, &outgoing)?;
        let Some(changes) = &self.changes else { bail!("nobody writes alerts yet") };
        let (change, outcome) = Change::new(ways, terms);
        changes.send(change).ok().context("nobody writes alerts any more")?;
        match outcome.recv_timeout(PATIENCE) {
            Ok(outcome) => outcome.map_err(anyhow::Error::msg)?,
            Err(_) => bail!("nobody writes alerts any more"),
        }
        let now = Instant::now();
        self.closing.retain(|(since, _)| since.elapsed() < PATIENCE);
        self.closing.extend(outgoing.into_iter().map(|place| (now, place)));
        self.plan = next;
        Ok(Some((difference, configured)))
    }

    /// Whether what new and changed outputs need can be had since privileges were given up.
    fn can_reach(&self, sinks: &[SinkPlan]) -> anyhow::Result<()> {
        let Some(granted) = &self.granted else { return Ok(()) };
        for sink in sinks.iter().filter(|sink| !self.plan.sinks.contains(sink)) {
            if let Some(beyond) = granted.beyond(&confine::of_sink(sink)) {
                bail!("output {}: {beyond}; restart", sink.name);
            }
        }
        Ok(())
    }

    /// The places of outputs that go or are changed.
    fn outgoing(&self, sinks: &[SinkPlan]) -> Vec<PathBuf> {
        let is_outgoing = |sink: &&SinkPlan| !sinks.iter().any(|next| opens_the_same(next, sink));
        self.plan.sinks.iter().filter(is_outgoing).flat_map(|sink| plan::output(sink).places()).collect()
    }

    /// Opens what can be opened while the old outputs are, and looks through the others as far as that goes.
    fn prepare(&self, sinks: &[SinkPlan], configured: &Configured, outgoing: &[PathBuf]) -> anyhow::Result<Vec<Next>> {
        let is_taken = |place: &PathBuf| outgoing.contains(place) || self.closing.iter().any(|(_, at)| at == place);
        let next = |(sink, (_, options)): (&SinkPlan, &(String, OutputOptions))| {
            let before = self.plan.sinks.iter().find(|before| before.name == sink.name);
            if before.is_some_and(|before| opens_the_same(before, sink)) {
                return Ok(Next::Kept(sink.name.clone()));
            }
            let cannot = || format!("cannot open the output {}", sink.name);
            if options.places().iter().any(is_taken) {
                options.check().with_context(cannot)?;
                let goes_on = before.is_some_and(|before| {
                    (&before.destination, before.format) == (&sink.destination, sink.format)
                        && before.spool_directory() == sink.spool_directory()
                });
                return Ok(Next::Late(Box::new(options.clone()), goes_on));
            }
            Ok(Next::Opened(Output::open(options.clone()).with_context(cannot)?))
        };
        sinks.iter().zip(configured).map(next).collect()
    }
}

/// Every output of a plan.
pub(super) fn configured(plan: &Plan) -> Configured {
    plan.sinks.iter().map(|sink| (sink.clearance.clone(), plan::output(sink))).collect()
}

/// Whether they differ at most in whose readers they are for, which is nothing that is opened.
fn opens_the_same(one: &SinkPlan, other: &SinkPlan) -> bool {
    *one == SinkPlan { clearance: one.clearance.clone(), ..other.clone() }
}

/// In words without anything that the file says: it may hold what is not for the readers of alerts.
fn unread(file: &Path, error: &ConfigError) -> String {
    let place = match error {
        ConfigError::Unreadable { why, .. } => return format!("{} cannot be read: {why}", file.display()),
        ConfigError::Invalid(findings) => findings.first().map_or(0, |finding| finding.line),
    };
    format!("{0}:{place} is wrong (picket config check {0} says why)", file.display())
}

impl Difference {
    fn of(before: &[SinkPlan], after: &[SinkPlan]) -> Self {
        let mut difference = Self::default();
        for sink in after {
            match before.iter().find(|before| before.name == sink.name) {
                None => difference.new.push(sink.name.clone()),
                Some(before) if before != sink => difference.changed.push(sink.name.clone()),
                Some(_) => {}
            }
        }
        let is_gone = |sink: &&SinkPlan| !after.iter().any(|after| after.name == sink.name);
        difference.gone = before.iter().filter(is_gone).map(|sink| sink.name.clone()).collect();
        difference
    }

    fn words(&self) -> String {
        let parts = [("new", &self.new), ("changed", &self.changed), ("closed", &self.gone)];
        let part = |(what, names): (&str, &Vec<String>)| format!("{what} {}", names.join(", "));
        let parts: Vec<String> = parts.into_iter().filter(|(_, names)| !names.is_empty()).map(part).collect();
        match parts.is_empty() {
            true => "outputs: in another order".to_owned(),
            false => format!("outputs: {}", parts.join("; ")),
        }
    }

    fn notice(&self) -> Notice {
        notice("outputs-reloaded", 10, format!("{} (by a reload)", self.words()), Vec::new())
    }
}

impl Beside {
    fn refuse(&mut self, why: &str) {
        self.kept.push(format!("outputs stay as they were: {why}"));
        let message = format!("outputs were not reloaded, what was in use stays: {why}");
        let fields = vec![(Where("event.reason"), OwnedValue::Text(why.to_owned()))];
        self.notices.push(notice("outputs-refused", 60, message, fields));
    }

    fn needs_restart(&mut self, options: &str) {
        self.kept.push(format!("needs a restart: {options}"));
        let message = format!("the configuration was changed where only a restart takes it: {options}");
        let fields = vec![(Where("picket.options"), OwnedValue::Text(options.to_owned()))];
        self.notices.push(notice("restart-needed", 50, message, fields));
    }
}

fn notice(action: &'static str, severity: u8, message: String, fields: Vec<(Where, OwnedValue)>) -> Notice {
    Notice { time: now(), action, severity, message, fields }
}

/// How long whoever writes alerts may take: what is closed first may take its time-outs.
const PATIENCE: Duration = Duration::from_secs(120);

#[cfg(test)]
#[path = "settings/tests.rs"]
mod tests;
