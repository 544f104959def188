//! `picket watch`: feeds against what comes in from interfaces, until it is stopped.

mod console;
mod feeds;
pub(super) mod plan;
mod privileges;
mod settings;
mod signals;
mod summary;
mod watchdog;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use crossbeam_channel::RecvTimeoutError;

use self::feeds::Feeds;
use super::aside::{AsideArgs, FlowFile, warn_of_evidence};
use super::outputs::{Asked, Outputs, Terms};
use super::run::RunArgs;
use super::service;
use crate::alert::Notice;
use crate::capture::live::{self, LiveOptions, Spread};
use crate::config::{MemoryTable, Plan};
use crate::pipeline::live::{Event, OverloadOptions, Watch, WatchOptions, watch};
use crate::pipeline::reload::{self, ReloadOptions};
use crate::pipeline::{AlertTally, Options};
use crate::proto::Protocols;
use crate::sink::OutputOptions;

/// Arguments of `picket watch`.
#[derive(Args, Clone)]
pub struct WatchArgs {
    /// Everything as this configuration says (picket config example prints one); sockets are opened, then privileges given up.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interfaces", "feeds", "allow", "alerts", "clearance", "protocols", "filter", "threads", "cpus", "spread", "keep_privileges", "format", "metrics", "socket", "repeat_window", "flow_log", "evidence"])]
    config: Option<PathBuf>,
    /// Interface to capture from; may be given several times.
    #[arg(short = 'i', long = "interface", required_unless_present = "config", value_name = "INTERFACE")]
    interfaces: Vec<String>,
    #[command(flatten)]
    run: RunArgs,
    /// Only what this filter accepts, in libpcap's language.
    #[arg(long, value_name = "BPF")]
    filter: Option<String>,
    /// Workers, each with its own share of the traffic. All cores, up to 16, if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Processors to pin the workers to, in turn: 0,2,4 or 0-3.
    #[arg(long, value_name = "LIST", value_parser = cpus)]
    cpus: Option<Cpus>,
    /// By what several workers share the traffic of an interface.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = SpreadName::Flows)]
    spread: SpreadName,
    /// Keep the privileges that it is started with. Without it everything is given up that is not needed once the interfaces are open.
    #[arg(long)]
    keep_privileges: bool,
    /// How many fewer entries a feed may have when it is loaded anew, in percent; beyond that the old one stays.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    max_shrink: u8,
    /// Hours after which a feed that has not changed is reported as stale; 0 for never.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    stale_after: u32,
    #[command(flatten)]
    console: console::ConsoleArgs,
    /// What `config` says.
    #[arg(skip)]
    plan: Option<Box<Plan>>,
    /// Its outputs, each with the section of the clearance file that counts for it.
    #[arg(skip)]
    configured: Vec<(String, OutputOptions)>,
}

/// See [`Spread`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SpreadName {
    /// By flow: the most even. The kernel puts IPv4 fragments together for it.
    Flows,
    /// By the two hosts: fragments and tunnels stay with their flow, and two hosts that talk much are one worker's.
    Hosts,
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
    let clearances = args.run.reader.read()?;
    let mut feeds = Feeds::new(args, args.protocols()?);
    let loaded = feeds.load(clearances.as_ref())?;
    let load_seconds = start.elapsed().as_secs_f64();
    let withholds = Terms::read(&args.asked(), clearances.as_ref())?.withholds(&loaded.set);
    super::run::warn_of_feeds(&loaded.report, withholds);
    super::run::warn_of_protocols(&loaded.set, args.protocols()?);
    let threads = args.threads.map_or_else(default_threads, usize::from);
    let privileges = args.privileges(clearances.as_ref());
    privileges.make_directories()?;
    let console = console::Listeners::open(&args.console, withholds, args.memory_limit_bytes())?;
    let sources = live::open(&args.capture(threads))?;
    let options = args.options(threads)?;
    // Every socket that needs privileges is open, and there is one thread yet.
    let granted = privileges.give_up()?;
    let mut outputs = Outputs::open(&args.asked(), clearances.as_ref(), &loaded.set)?;
    let mut flows = args.run.aside.flow_file()?;
    feeds.reads_for(&outputs, granted);
    let run = watch(sources, Arc::clone(&loaded.set), &options);
    let states = feeds::states(&loaded.report, withholds);
    let report = feeds.report();
    reload::start(&run.control, Box::new(feeds), states, args.reload());
    let hung_up = signals.serve(Arc::clone(&run.control));
    if !args.run.quiet {
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
        let Some(file) = &self.config else {
            self.run.need_feeds("watch");
            return Ok(self);
        };
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
        self.run.feeds.clone_from(&plan.feeds.paths);
        self.run.allow.clone_from(&plan.feeds.allow);
        self.run.force = plan.feeds.force;
        self.run.reader.clearance.clone_from(&plan.feeds.clearance);
        self.console = console::ConsoleArgs::of(&plan);
        self.run.aside = AsideArgs::of(&plan);
        self.configured = settings::configured(&plan);
        self.plan = Some(Box::new(plan));
        Ok(self)
    }

    /// The most memory that the configuration allows.
    fn memory_limit_bytes(&self) -> Option<u64> {
        self.plan.as_ref().map(|plan| plan.memory.max.0)
    }

    fn protocols(&self) -> anyhow::Result<Protocols> {
        self.plan.as_ref().map_or_else(|| self.run.protocols(), |plan| Ok(plan.flows.protocols))
    }

    fn asked(&self) -> Asked<'_> {
        self.run.asked(true, &self.configured)
    }

    fn capture(&self, workers: usize) -> LiveOptions {
        let options = LiveOptions {
            interfaces: self.interfaces.clone(),
            filter: self.filter.clone(),
            workers,
            spread: match self.spread {
                SpreadName::Flows => Spread::Flows,
                SpreadName::Hosts => Spread::Hosts,
            },
            ..LiveOptions::default()
        };
        let Some(Plan { capture, .. }) = self.plan.as_deref() else { return options };
        LiveOptions {
            spread: plan::spread(capture.spread),
            snap_bytes: capture.snap_bytes,
            is_promiscuous: capture.is_promiscuous,
            ring_bytes: capture.ring_bytes.as_usize(),
            backend: plan::backend(capture.backend),
            timestamps: plan::timestamps(capture.timestamps),
            ..options
        }
    }

    fn options(&self, threads: usize) -> anyhow::Result<WatchOptions> {
        let (max_flows, protocols) = (self.run.max_flows as usize, self.protocols()?);
        let mut pipeline = Options { threads, max_flows, protocols, ..Options::default() };
        self.run.aside.ask(&mut pipeline, true)?;
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
    let mut watchdog = watchdog::Watchdog::new(service::alive_every());
    loop {
        if looked.elapsed() >= PATIENCE {
            looked = Instant::now();
            watchdog.look(&run.control);
            for notice in outputs.look() {
                log(&notice);
                running.notice(&notice);
                told.failed_writes += u64::from(outputs.notice(&notice).is_err());
            }
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
