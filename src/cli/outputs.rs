//! Where the alerts of a run go: one output a file, each with readers of its own.
//!
//! What readers may see depends on the set that an alert came from (gate 2), so a run that goes over to another set has an
//! [`Audience`] of each output for every set that alerts may still come from ([`Readers`]).

mod change;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, LineWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use anyhow::Context;
use clap::ValueEnum;
use crossbeam_channel::{Receiver, Sender, unbounded};

use self::change::Changes;
pub(super) use self::change::{Change, Next};
use super::clearance::{self, ReaderArgs};
use crate::alert::{Alert, Audience, Notice, Policy, View};
use crate::marking::Clearances;
use crate::matcher::MatchSet;
use crate::sink::{Format, Output, OutputOptions, OutputStatus, Sink};

/// How alerts are written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum FormatName {
    /// JSON Lines in the Elastic Common Schema.
    Ecs,
    /// JSON Lines as Suricata's EVE alerts.
    Eve,
    /// ArcSight's Common Event Format.
    Cef,
    /// JSON Lines as Detection Findings of the Open Cybersecurity Schema Framework.
    Ocsf,
    /// Columns for people.
    Table,
    /// Comma-separated values.
    Csv,
}

/// What was asked for.
pub(super) struct Asked<'a> {
    /// `[NAME=]FILE` each; none is standard output.
    pub(super) alerts: &'a [PathBuf],
    pub(super) format: Option<FormatName>,
    pub(super) reader: &'a ReaderArgs,
    /// Whose section counts for the summary.
    pub(super) summary_clearance: Option<&'a str>,
    /// Whether files are written on and each alert is there at once, as a run without an end needs it.
    pub(super) is_live: bool,
    /// Outputs of a configuration, in place of `alerts`: each with the section of the clearance file that counts for it.
    pub(super) configured: &'a [(String, OutputOptions)],
}

/// How one output is written.
enum Way {
    /// At once.
    Sink(Sink),
    /// By a queue, which takes so many bytes, and a thread of its own.
    Output(Output, u64),
}

/// The outputs of a run, and the readers of its summary.
pub(super) struct Outputs {
    sinks: Vec<Way>,
    terms: Terms,
    /// By set, the latest last.
    readers: Vec<Readers>,
    announced: Receiver<Readers>,
    announce: Sender<Readers>,
    changes: Changes,
}

/// Who reads each output and the summary, whatever the set.
#[derive(Clone, Default)]
pub(super) struct Terms {
    /// The clearance file, for messages; without one everybody may see everything.
    file: Option<PathBuf>,
    /// Name and policy of each output.
    outputs: Vec<(String, Policy)>,
    /// Of those named, or of every output, what all may see.
    summary: (String, Policy),
    count: usize,
}

/// What the readers may see of the alerts of one set.
pub(super) struct Readers {
    set_id: u64,
    set: Weak<MatchSet>,
    outputs: Vec<Audience>,
    /// Who reads the summary, the log and the terminal.
    pub(super) summary: Audience,
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
    pub(super) fn open(
        asked: &Asked<'_>,
        clearances: Option<&Clearances>,
        set: &Arc<MatchSet>,
    ) -> anyhow::Result<Self> {
        let terms = Terms::read(asked, clearances)?;
        let readers = vec![terms.readers(set)?];
        let sinks = match asked.configured {
            [] => {
                targets(asked).iter().map(|target| sink(asked, target).map(Way::Sink)).collect::<anyhow::Result<_>>()?
            }
            configured => configured.iter().map(|(_, options)| output(options)).collect::<anyhow::Result<_>>()?,
        };
        let (announce, announced) = unbounded();
        Ok(Self { sinks, terms, readers, announced, announce, changes: Changes::new() })
    }

    /// Who reads, for whoever loads further sets.
    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The way to say who reads the alerts of a further set, before its first alert can come.
    pub(super) fn announce(&self) -> Sender<Readers> {
        self.announce.clone()
    }

    /// What the readers of the summary may see of the set in use.
    pub(super) fn summary(&self) -> &Audience {
        &self.readers[self.readers.len() - 1].summary
    }

    /// What the readers of the summary may see of an alert.
    pub(super) fn summary_view<'a>(&mut self, alert: &'a Alert) -> View<'a> {
        match self.readers_of(alert.set().id()) {
            Some(readers) => readers.summary.view(alert),
            None => View::Nothing,
        }
    }

    /// Writes to each what its readers may see. All are written to, whatever becomes of one.
    pub(super) fn write(&mut self, alert: &Alert) -> io::Result<()> {
        let Some(at) = self.place_of(alert.set().id()) else {
            return Err(io::Error::other("an alert of a set that nobody announced was not written"));
        };
        let Self { sinks, readers, .. } = self;
        let write = |(way, audience): (&mut Way, &mut Audience)| match way {
            Way::Sink(sink) => sink.write(&audience.view(alert)),
            Way::Output(output, _) => {
                output.write(&audience.view(alert));
                Ok(())
            }
        };
        sinks.iter_mut().zip(&mut readers[at].outputs).map(write).fold(Ok(()), Result::and)
    }

    /// Writes to each what the sensor says of itself.
    pub(super) fn notice(&mut self, notice: &Notice) -> io::Result<()> {
        let write = |way: &mut Way| match way {
            Way::Sink(sink) => sink.notice(notice),
            Way::Output(output, _) => {
                output.notice(notice);
                Ok(())
            }
        };
        self.sinks.iter_mut().map(write).fold(Ok(()), Result::and)
    }

    /// Has files opened by their names again: somebody moved them.
    pub(super) fn reopen(&self) {
        self.configured().for_each(|(output, _)| output.reopen());
    }

    /// How the outputs of a configuration stand, each with the bytes that its queue may take.
    pub(super) fn statuses(&self) -> Vec<(OutputStatus, u64)> {
        self.configured().map(|(output, limit)| (output.status(), limit)).collect()
    }

    fn configured(&self) -> impl Iterator<Item = (&Output, u64)> {
        self.sinks.iter().filter_map(|way| match way {
            Way::Output(output, limit) => Some((output, *limit)),
            Way::Sink(_) => None,
        })
    }

    /// Ends each.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.take_announced();
        let mut told = Ok(());
        for notice in self.closed() {
            tracing::warn!("{}: {}", notice.action, notice.message);
            told = told.and(self.notice(&notice));
        }
        let finish = |way: &mut Way| match way {
            Way::Sink(sink) => sink.finish(),
            Way::Output(output, _) => {
                output.stop();
                Ok(())
            }
        };
        self.sinks.iter_mut().map(finish).fold(told, Result::and)
    }

    fn readers_of(&mut self, set_id: u64) -> Option<&mut Readers> {
        let at = self.place_of(set_id)?;
        self.readers.get_mut(at)
    }

    fn place_of(&mut self, set_id: u64) -> Option<usize> {
        let place = |readers: &[Readers]| readers.iter().rposition(|readers| readers.set_id == set_id);
        place(&self.readers).or_else(|| {
            self.take_announced();
            place(&self.readers)
        })
    }

    /// Takes in who reads further sets; sets that are gone raise no more alerts.
    fn take_announced(&mut self) {
        let before = self.readers.len();
        self.readers.extend(self.announced.try_iter());
        if self.readers.len() > before {
            let latest = self.readers.len() - 1;
            let mut at = 0;
            self.readers.retain(|readers| {
                at += 1;
                at > latest || readers.set.strong_count() > 0
            });
        }
    }
}

impl Terms {
    /// Reads who reads.
    ///
    /// # Errors
    /// A clearance file's section that will not do.
    pub(super) fn read(asked: &Asked<'_>, clearances: Option<&Clearances>) -> anyhow::Result<Self> {
        let targets = targets(asked);
        let count = targets.len();
        let Some((file, clearances)) = asked.reader.clearance.as_deref().zip(clearances) else {
            return Ok(Self { count, ..Self::default() });
        };
        let policy = |sink: &str| Ok((sink.to_owned(), clearance::policy(file, clearances, sink)?));
        let outputs = targets.iter().map(|target| policy(&target.sink)).collect::<anyhow::Result<Vec<_>>>()?;
        let summary = match asked.summary_clearance {
            Some(name) => policy(name)?,
            None => (targets[0].sink.clone(), for_all(&outputs)),
        };
        Ok(Self { file: Some(file.to_owned()), outputs, summary, count })
    }

    /// Whether something of a set is kept from the readers of the summary, the log and the terminal.
    pub(super) fn withholds(&self, set: &MatchSet) -> bool {
        let (_, policy) = &self.summary;
        self.file.is_some() && set.indicators().markings().any(|marking| !policy.may_see(marking))
    }

    /// What they may see of a set.
    ///
    /// # Errors
    /// Customer records would be written without references.
    pub(super) fn readers(&self, set: &Arc<MatchSet>) -> anyhow::Result<Readers> {
        let (set_id, weak) = (set.id(), Arc::downgrade(set));
        let Some(file) = &self.file else {
            let outputs = (0..self.count).map(|_| Audience::unrestricted()).collect();
            return Ok(Readers { set_id, set: weak, outputs, summary: Audience::unrestricted() });
        };
        let audience = |(sink, policy): &(String, Policy)| audience(file, sink, policy.clone(), set);
        let outputs = self.outputs.iter().map(audience).collect::<anyhow::Result<_>>()?;
        Ok(Readers { set_id, set: weak, outputs, summary: audience(&self.summary)? })
    }
}

/// What all of them may see, with the first's customer records.
fn for_all(outputs: &[(String, Policy)]) -> Policy {
    let clearances = outputs.iter().flat_map(|(_, policy)| policy.clearances.iter().cloned()).collect();
    let key = outputs.iter().find_map(|(_, policy)| policy.key.clone());
    Policy { clearances, key, ..outputs.first().map(|(_, policy)| policy.clone()).unwrap_or_default() }
}

fn audience(file: &Path, sink: &str, policy: Policy, set: &MatchSet) -> anyhow::Result<Audience> {
    let has_key = policy.key.is_some();
    let audience = Audience::new(policy, set);
    if audience.withholds() && !has_key {
        clearance::needs_key(file, sink)?;
    }
    Ok(audience)
}

/// The files that `--alerts` names, and the sections of the clearance file that count for any output.
pub(super) fn named(asked: &Asked<'_>) -> (Vec<PathBuf>, Vec<String>) {
    let (paths, sections): (Vec<_>, Vec<_>) =
        targets(asked).into_iter().map(|target| (target.path, target.sink)).unzip();
    (paths.into_iter().flatten().collect(), sections)
}

/// A name only counts with a clearance file: without one, `=` is a part of the path.
fn targets(asked: &Asked<'_>) -> Vec<Target> {
    let default = asked.reader.sink();
    let target = |text: &PathBuf| {
        let named = text.to_str().and_then(|text| text.split_once('=')).filter(|_| asked.reader.clearance.is_some());
        match named {
            Some((sink, path)) => Target { sink: sink.to_owned(), path: Some(path.into()) },
            None => Target { sink: default.to_owned(), path: Some(text.clone()) },
        }
    };
    if !asked.configured.is_empty() {
        return asked.configured.iter().map(|(sink, _)| Target { sink: sink.clone(), path: None }).collect();
    }
    match asked.alerts {
        [] => vec![Target { sink: default.to_owned(), path: None }],
        alerts => alerts.iter().map(target).collect(),
    }
}

fn output(options: &OutputOptions) -> anyhow::Result<Way> {
    let opened = Output::open(options.clone()).with_context(|| format!("cannot open the output {}", options.name))?;
    Ok(Way::Output(opened, limit(options)))
}

/// The bytes that its queue takes.
fn limit(options: &OutputOptions) -> u64 {
    if options.spool.folder.is_some() { options.spool.max_bytes } else { options.spool.memory_bytes as u64 }
}

fn sink(asked: &Asked<'_>, target: &Target) -> anyhow::Result<Sink> {
    let to_terminal = target.path.is_none() && io::stdout().is_terminal();
    let name = match asked.format {
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
            let file =
                file(path, asked.is_live).with_context(|| format!("cannot write alerts to {}", path.display()))?;
            buffered(file, asked.is_live)
        }
        None if to_terminal => Box::new(io::stdout()),
        None => buffered(io::stdout(), asked.is_live),
    };
    let format = Format::by_name(name).context("unknown output format")?;
    Ok(Sink::new(format, writer))
}

fn file(path: &Path, is_live: bool) -> io::Result<File> {
    if is_live { OpenOptions::new().append(true).create(true).open(path) } else { File::create(path) }
}

fn buffered(writer: impl Write + Send + 'static, is_live: bool) -> Box<dyn Write + Send> {
    if is_live {
        Box::new(LineWriter::with_capacity(1 << 16, writer))
    } else {
        Box::new(BufWriter::with_capacity(1 << 16, writer))
    }
}
