//! `picket watch`: feeds against what comes in from interfaces, until it is stopped.

mod console;
mod feeds;
pub(super) mod plan;
mod signals;
mod summary;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use crossbeam_channel::RecvTimeoutError;

use self::feeds::Feeds;
use super::aside::{AsideArgs, FlowFile, warn_of_evidence};
use super::clearance::ReaderArgs;
use super::outputs::{Asked, FormatName, Outputs, Terms};
use super::service;
use crate::alert::Notice;
use crate::capture::live::{self, LiveOptions};
use crate::config::{MemoryTable, Plan};
use crate::pipeline::live::{Event, OverloadOptions, Watch, WatchOptions, watch};
use crate::pipeline::reload::{self, ReloadOptions};
use crate::pipeline::{AlertTally, Options};
use crate::privilege;
use crate::sink::OutputOptions;

/// Arguments of `picket watch`.
#[derive(Args, Clone)]
pub struct WatchArgs {
    /// Everything as this configuration says (picket config example prints one); sockets are opened, then privileges given up.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interfaces", "feeds", "allow", "alerts", "clearance", "filter", "threads", "cpus", "format", "metrics", "socket", "repeat_window", "flow_log", "evidence"])]
    config: Option<PathBuf>,
    /// Interface to capture from; may be given several times.
    #[arg(short = 'i', long = "interface", required_unless_present = "config", value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// Feed file, or directory of feeds; may be given several times. Loaded anew when a file changes, or on SIGHUP.
    #[arg(long = "feed", required_unless_present = "config", value_name = "FEED")]
    feeds: Vec<PathBuf>,
    /// Allow-list, in any feed format: what it covers raises no alert and is counted.
    #[arg(long, value_name = "FILE")]
    allow: Vec<PathBuf>,
    /// Load dangerous entries too: public suffixes, default routes, loopback, very short byte signatures.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reader: ReaderArgs,
    /// Whose section of the clearance file counts for the summary and the terminal; without it, what all outputs' readers may see.
    #[arg(long, value_name = "NAME", requires = "clearance")]
    summary_clearance: Option<String>,
    /// Append the alerts to this file instead of writing them to standard output; may be given several times. With --clearance, NAME= in
    /// front says whose section counts for this file.
    #[arg(long, value_name = "[NAME=]FILE")]
    alerts: Vec<PathBuf>,
    /// Write the summary here at the end, as JSON.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// How alerts are written; a table on a terminal and ECS JSON Lines elsewhere if not given.
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// Only what this filter accepts, in libpcap's language.
    #[arg(long, value_name = "BPF")]
    filter: Option<String>,
    /// Workers, each with its own share of the traffic. All cores, up to 16, if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Processors to pin the workers to, in turn: 0,2,4 or 0-3.
    #[arg(long, value_name = "LIST", value_parser = cpus)]
    cpus: Option<Cpus>,
    /// Flows followed at once; beyond that the oldest give way and are counted.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(256..=1_000_000_000))]
    max_flows: u32,
    /// How many fewer entries a feed may have when it is loaded anew, in percent; beyond that the old one stays.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    max_shrink: u8,
    /// Hours after which a feed that has not changed is reported as stale; 0 for never.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    stale_after: u32,
    #[command(flatten)]
    aside: AsideArgs,
    #[command(flatten)]
    console: console::ConsoleArgs,
    /// No summary on the terminal.
    #[arg(long, short)]
    quiet: bool,
    /// What `config` says.
    #[arg(skip)]
    plan: Option<Box<Plan>>,
    /// Its outputs, each with the section of the clearance file that counts for it.
    #[arg(skip)]
    configured: Vec<(String, OutputOptions)>,
}

/// Numbers of processors.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cpus(Vec<usize>);

/// Runs the subcommand.
///
/// # Errors
/// Interfaces, feeds or outputs that cannot be opened.
pub fn run(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let signals = signals::Signals::take()?;
    let args = &args.clone().with_config()?;
    let clearances = args.reader.read()?;
    let mut feeds = Feeds::new(args);
    let loaded = feeds.load(clearances.as_ref())?;
    let load_seconds = start.elapsed().as_secs_f64();
    let withholds = Terms::read(&args.asked(), clearances.as_ref())?.withholds(&loaded.set);
    super::run::warn_of_feeds(&loaded.report, withholds);
    let threads = args.threads.map_or_else(default_threads, usize::from);
    args.make_directories()?;
    let console = console::Listeners::open(&args.console, withholds)?;
    let sources = live::open(&args.capture(threads))?;
    let options = args.options(threads)?;
    // Every socket that needs privileges is open, and there is one thread yet.
    args.confine()?;
    let mut outputs = Outputs::open(&args.asked(), clearances.as_ref(), &loaded.set)?;
    let mut flows = args.aside.flow_file()?;
    feeds.reads_for(&outputs);
    let run = watch(sources, Arc::clone(&loaded.set), &options);
    let states = feeds::states(&loaded.report, withholds);
    let report = feeds.report();
    reload::start(&run.control, Box::new(feeds), states, args.reload());
    let hung_up = signals.serve(Arc::clone(&run.control));
    if !args.quiet {
        eprintln!("picket: watching {} with {threads} workers", args.interfaces.join(", "));
    }
    // It answers to the end, after the last alert is written.
    let (running, _serving) =
        console.serve((&run.control, &run.evidence), args.reload().stale_after, Arc::clone(&report))?;
    service::ready();
    let mut tally = AlertTally::default();
    let told = write_events(&run, &mut outputs, &mut tally, &mut flows, (&running, &hung_up));
    service::stopping(STOP_TIME);
    let (set, was_asked) = (run.control.set(), run.control.is_stopped());
    let outcome = run.finish();
    warn_of_evidence(&outcome.run.evidence);
    outputs.finish().context("cannot write the alerts")?;
    let report = report.lock().map(|report| report.clone()).unwrap_or_default();
    let ran = summary::Ran { outcome: &outcome, tally: &tally, set: &set, report, load_seconds };
    summary::show(args, &ran, outputs.summary())?;
    if !was_asked {
        eprintln!("picket: capture ended although nobody asked for it");
    }
    Ok(if told.failed_writes > 0 || !was_asked { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl WatchArgs {
    /// The same with what its configuration says.
    fn with_config(mut self) -> anyhow::Result<Self> {
        let Some(file) = &self.config else { return Ok(self) };
        let plan = Plan::read(file)?;
        let processors = default_threads();
        if MemoryTable::new(&plan, super::config::estimate(&plan), processors).exceeds() {
            bail!("this may take more than memory.max allows: run `picket config check {}`", file.display());
        }
        super::log::configure(plan.log.level.name(), plan.log.is_json);
        self.interfaces.clone_from(&plan.capture.interfaces);
        self.filter.clone_from(&plan.capture.filter);
        self.threads = plan.capture.workers.map(|workers| u16::try_from(workers).unwrap_or(u16::MAX));
        self.cpus = (!plan.capture.cpus.is_empty()).then(|| Cpus(plan.capture.cpus.clone()));
        self.feeds.clone_from(&plan.feeds.paths);
        self.allow.clone_from(&plan.feeds.allow);
        self.force = plan.feeds.force;
        self.reader.clearance.clone_from(&plan.feeds.clearance);
        self.console = console::ConsoleArgs::of(&plan);
        self.aside = AsideArgs::of(&plan);
        let sections = plan.sinks.iter().map(|sink| sink.clearance.clone());
        self.configured = sections.zip(plan::outputs(&plan)).collect();
        self.plan = Some(Box::new(plan));
        Ok(self)
    }

    /// Makes what is written to and missing, for who will write.
    fn make_directories(&self) -> anyhow::Result<()> {
        let Some(plan) = &self.plan else { return Ok(()) };
        Ok(privilege::make_directories(&super::confine::options(plan, self.config.as_deref()))?)
    }

    /// Gives up what the configuration says that is not needed any more. Without one, whoever starts the sensor decides.
    fn confine(&self) -> anyhow::Result<()> {
        let Some(plan) = &self.plan else { return Ok(()) };
        let options = super::confine::options(plan, self.config.as_deref());
        let report = privilege::confine(&options).context("privileges cannot be given up")?;
        tracing::info!("privileges given up: {}", report.line());
        for missing in report.shortfalls(options.refusal) {
            tracing::warn!("not all privileges are given up: {missing}");
        }
        Ok(())
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            alerts: &self.alerts,
            format: self.format,
            reader: &self.reader,
            summary_clearance: self.summary_clearance.as_deref(),
            is_live: true,
            configured: &self.configured,
        }
    }

    fn capture(&self, workers: usize) -> LiveOptions {
        let options = LiveOptions {
            interfaces: self.interfaces.clone(),
            filter: self.filter.clone(),
            workers,
            ..LiveOptions::default()
        };
        let Some(Plan { capture, .. }) = self.plan.as_deref() else { return options };
        LiveOptions {
            snap_bytes: capture.snap_bytes,
            is_promiscuous: capture.is_promiscuous,
            ring_bytes: capture.ring_bytes.as_usize(),
            backend: plan::backend(capture.backend),
            timestamps: plan::timestamps(capture.timestamps),
            ..options
        }
    }

    fn options(&self, threads: usize) -> anyhow::Result<WatchOptions> {
        let mut pipeline = Options { threads, max_flows: self.max_flows as usize, ..Options::default() };
        self.aside.ask(&mut pipeline, true)?;
        let cpus = self.cpus.clone().map(|Cpus(cpus)| cpus).unwrap_or_default();
        let options = WatchOptions { pipeline, cpus, ..WatchOptions::default() };
        let Some(plan) = self.plan.as_deref() else { return Ok(options) };
        Ok(WatchOptions {
            pipeline: Options {
                max_flows: plan.flows.max,
                max_stream_bytes: plan.flows.stream_bytes.as_usize(),
                verifies_checksums: plan.capture.verifies_checksums,
                ..options.pipeline
            },
            alert_channel: plan.memory.alert_channel,
            drain: plan.overload.drain.0,
            overload: OverloadOptions {
                sheds: plan.overload.sheds,
                bulk_bytes: plan.overload.bulk_bytes.0,
                long_bytes: plan.overload.long_bytes.0,
            },
            gap_quiet: plan.overload.gap_quiet.0,
            ..options
        })
    }

    fn reload(&self) -> ReloadOptions {
        match self.plan.as_deref() {
            None => ReloadOptions {
                max_shrink_percent: self.max_shrink,
                stale_after: Duration::from_secs(u64::from(self.stale_after) * 3600),
                ..ReloadOptions::default()
            },
            Some(Plan { feeds, .. }) => ReloadOptions {
                watches_files: feeds.is_watched,
                debounce: feeds.settle.0,
                max_shrink_percent: feeds.max_shrink_percent,
                stale_after: feeds.stale_after.0,
            },
        }
    }
}

/// What became of writing.
#[derive(Default)]
struct Told {
    failed_writes: u64,
}

/// Writes every alert and notice as it comes, until the run is over. What cannot be written is counted and the run goes on: nobody
/// watches in the meantime otherwise.
fn write_events(
    run: &Watch,
    outputs: &mut Outputs,
    tally: &mut AlertTally,
    flows: &mut FlowFile<'_>,
    (running, hung_up): (&console::Running, &AtomicBool),
) -> Told {
    let mut told = Told::default();
    let mut looked = Instant::now();
    loop {
        if looked.elapsed() >= PATIENCE {
            looked = Instant::now();
            service::alive();
            running.outputs(outputs.statuses());
            if hung_up.swap(false, Ordering::Relaxed) {
                outputs.reopen();
                flows.reopen();
            }
        }
        let written = match run.events.recv_timeout(PATIENCE) {
            Ok(Event::Alert(alert)) => {
                tally.count(&outputs.summary_view(&alert));
                outputs.write(&alert)
            }
            Ok(Event::Notice(notice)) => {
                log(&notice);
                running.notice(&notice);
                outputs.notice(&notice)
            }
            Ok(Event::Flow(record)) => flows.write(&record),
            Err(RecvTimeoutError::Timeout) => flows.flush(),
            Err(RecvTimeoutError::Disconnected) => {
                told.failed_writes += u64::from(flows.flush().is_err());
                return told;
            }
        };
        if let Err(error) = written {
            if told.failed_writes == 0 {
                tracing::error!("alerts cannot be written: {}", error.kind());
            }
            told.failed_writes += 1;
            if error.kind() == io::ErrorKind::BrokenPipe {
                run.control.stop();
            }
        }
    }
}

/// The same in the log, for who looks there.
fn log(notice: &Notice) {
    if notice.severity >= SEVERE {
        tracing::warn!("{}: {}", notice.action, notice.message);
    } else {
        tracing::info!("{}: {}", notice.action, notice.message);
    }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_DEFAULT_THREADS))
}

/// `0,2,4`, `0-3`, or both.
fn cpus(text: &str) -> Result<Cpus, String> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse().ok().filter(|&cpu: &usize| cpu < MAX_CPUS);
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(format!("{part:?} is no number of a processor"));
        };
        if last < first {
            return Err(format!("{part:?} goes backwards"));
        }
        cpus.extend(first..=last);
    }
    Ok(Cpus(cpus))
}

/// How long nothing may come before the run is looked at.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long the end of a run may take: what is queued is delivered, as far as it goes.
const STOP_TIME: Duration = Duration::from_secs(30);

/// Notices from here on are warnings in the log.
const SEVERE: u8 = 50;

/// As for a replay.
const MAX_DEFAULT_THREADS: usize = 16;

/// What the kernel's sets of processors hold.
const MAX_CPUS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_lists_and_ranges() {
        assert_eq!(cpus("0"), Ok(Cpus(vec![0])));
        assert_eq!(cpus("3,0-2"), Ok(Cpus(vec![3, 0, 1, 2])));
        for wrong in ["", "a", "1-", "3-1", "4096", "1,,2"] {
            assert!(cpus(wrong).is_err(), "{wrong}");
        }
    }
}
