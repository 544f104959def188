//! Where the alerts of a run go: one output a file, each with readers of its own.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{FormatName, ReplayArgs};
use crate::alert::{Alert, Audience, Policy};
use crate::cli::clearance;
use crate::marking::Clearances;
use crate::matcher::MatchSet;
use crate::sink::{Format, Sink};

/// The outputs of a run, and the readers of its summary.
pub(super) struct Outputs {
    outputs: Vec<Output>,
    /// Who reads the summary, the log and the terminal: of those named, or of every output, what all may see.
    pub(super) summary: Audience,
}

struct Output {
    sink: Sink,
    audience: Audience,
}

/// `[NAME=]PATH` of `--alerts`; without a path standard output.
struct Target {
    sink: String,
    path: Option<PathBuf>,
}

impl Outputs {
    /// Opens every output.
    ///
    /// # Errors
    /// A file that cannot be made; a clearance file's section that will not do.
    pub(super) fn open(args: &ReplayArgs, clearances: Option<&Clearances>, set: &MatchSet) -> anyhow::Result<Self> {
        let targets = targets(args);
        let Some((file, clearances)) = args.reader.clearance.as_deref().zip(clearances) else {
            let open = |target: &Target| Ok(Output { sink: sink(args, target)?, audience: Audience::unrestricted() });
            let outputs = targets.iter().map(open).collect::<anyhow::Result<_>>()?;
            return Ok(Self { outputs, summary: Audience::unrestricted() });
        };
        let policy = |sink: &str| clearance::policy(file, clearances, sink);
        let policies = targets.iter().map(|target| policy(&target.sink)).collect::<anyhow::Result<Vec<Policy>>>()?;
        let summary = match &args.summary_clearance {
            Some(name) => policy(name)?,
            None => for_all(&policies),
        };
        let name = args.summary_clearance.as_deref().unwrap_or(&targets[0].sink);
        let summary = audience(file, name, summary, set)?;
        let open = |(target, policy): (&Target, Policy)| {
            Ok(Output { audience: audience(file, &target.sink, policy, set)?, sink: sink(args, target)? })
        };
        let outputs = targets.iter().zip(policies).map(open).collect::<anyhow::Result<_>>()?;
        Ok(Self { outputs, summary })
    }

    /// Writes to each what its readers may see.
    pub(super) fn write(&mut self, alert: &Alert) -> io::Result<()> {
        self.outputs.iter_mut().try_for_each(|output| output.sink.write(&output.audience.view(alert)))
    }

    /// Ends each.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.outputs.iter_mut().try_for_each(|output| output.sink.finish())
    }
}

/// What all of them may see, with the first's customer records.
fn for_all(policies: &[Policy]) -> Policy {
    let clearances = policies.iter().flat_map(|policy| policy.clearances.iter().cloned()).collect();
    let key = policies.iter().find_map(|policy| policy.key.clone());
    Policy { clearances, key, ..policies.first().cloned().unwrap_or_default() }
}

fn audience(file: &Path, sink: &str, policy: Policy, set: &MatchSet) -> anyhow::Result<Audience> {
    let has_key = policy.key.is_some();
    let audience = Audience::new(policy, set);
    if audience.withholds() && !has_key {
        clearance::needs_key(file, sink)?;
    }
    Ok(audience)
}

/// A name only counts with a clearance file: without one, `=` is a part of the path.
fn targets(args: &ReplayArgs) -> Vec<Target> {
    let default = args.reader.sink();
    let target = |text: &PathBuf| {
        let named = text.to_str().and_then(|text| text.split_once('=')).filter(|_| args.reader.clearance.is_some());
        match named {
            Some((sink, path)) => Target { sink: sink.to_owned(), path: Some(path.into()) },
            None => Target { sink: default.to_owned(), path: Some(text.clone()) },
        }
    };
    match &args.alerts[..] {
        [] => vec![Target { sink: default.to_owned(), path: None }],
        alerts => alerts.iter().map(target).collect(),
    }
}

fn sink(args: &ReplayArgs, target: &Target) -> anyhow::Result<Sink> {
    let to_terminal = target.path.is_none() && io::stdout().is_terminal();
    let name = match args.format {
        Some(FormatName::Ecs) => "ecs",
        Some(FormatName::Eve) => "eve",
        Some(FormatName::Cef) => "cef",
        Some(FormatName::Ocsf) => "ocsf",
        Some(FormatName::Table) => "table",
        Some(FormatName::Csv) => "csv",
        None if to_terminal => "table",
        None => "ecs",
    };
    let writer: Box<dyn Write + Send> = match &target.path {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write alerts to {}", path.display()))?;
            Box::new(BufWriter::with_capacity(1 << 16, file))
        }
        None if to_terminal => Box::new(io::stdout()),
        None => Box::new(BufWriter::with_capacity(1 << 16, io::stdout())),
    };
    let format = Format::by_name(name).context("unknown output format")?;
    Ok(Sink::new(format, writer))
}
