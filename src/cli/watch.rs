//! `picket watch`: feeds against what comes in from interfaces, until it is stopped.

mod feeds;
mod signals;
mod summary;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use crossbeam_channel::RecvTimeoutError;

use self::feeds::Feeds;
use super::clearance::ReaderArgs;
use super::outputs::{Asked, FormatName, Outputs};
use crate::alert::Notice;
use crate::capture::live::{self, LiveOptions};
use crate::pipeline::live::{Event, Watch, WatchOptions, watch};
use crate::pipeline::reload::{self, ReloadOptions};
use crate::pipeline::{AlertTally, Options};

/// Arguments of `picket watch`.
#[derive(Args)]
pub struct WatchArgs {
    /// Interface to capture from; may be given several times.
    #[arg(short = 'i', long = "interface", required = true, value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// Feed file, or directory of feeds; may be given several times. Loaded anew when a file changes, or on SIGHUP.
    #[arg(long = "feed", required = true, value_name = "FEED")]
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
    /// No summary on the terminal.
    #[arg(long, short)]
    quiet: bool,
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
    let clearances = args.reader.read()?;
    let mut feeds = Feeds::new(args);
    let loaded = feeds.load(clearances.as_ref())?;
    let load_seconds = start.elapsed().as_secs_f64();
    let mut outputs = Outputs::open(&args.asked(), clearances.as_ref(), &loaded.set)?;
    let withholds = outputs.summary().withholds();
    super::run::warn_of_feeds(&loaded.report, withholds);
    feeds.reads_for(&outputs);
    let threads = args.threads.map_or_else(default_threads, usize::from);
    let sources = live::open(&args.capture(threads))?;
    let run = watch(sources, Arc::clone(&loaded.set), &args.options(threads));
    let states = feeds::states(&loaded.report, withholds);
    let report = feeds.report();
    reload::start(&run.control, Box::new(feeds), states, args.reload());
    signals.serve(Arc::clone(&run.control));
    if !args.quiet {
        eprintln!("picket: watching {} with {threads} workers", args.interfaces.join(", "));
    }
    let mut tally = AlertTally::default();
    let told = write_events(&run, &mut outputs, &mut tally);
    let (set, was_asked) = (run.control.set(), run.control.is_stopped());
    let outcome = run.finish();
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
    fn asked(&self) -> Asked<'_> {
        Asked {
            alerts: &self.alerts,
            format: self.format,
            reader: &self.reader,
            summary_clearance: self.summary_clearance.as_deref(),
            is_live: true,
        }
    }

    fn capture(&self, workers: usize) -> LiveOptions {
        LiveOptions {
            interfaces: self.interfaces.clone(),
            filter: self.filter.clone(),
            workers,
            ..LiveOptions::default()
        }
    }

    fn options(&self, threads: usize) -> WatchOptions {
        let pipeline = Options { threads, max_flows: self.max_flows as usize, ..Options::default() };
        let cpus = self.cpus.clone().map(|Cpus(cpus)| cpus).unwrap_or_default();
        WatchOptions { pipeline, cpus, ..WatchOptions::default() }
    }

    fn reload(&self) -> ReloadOptions {
        ReloadOptions {
            max_shrink_percent: self.max_shrink,
            stale_after: Duration::from_secs(u64::from(self.stale_after) * 3600),
            ..ReloadOptions::default()
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
fn write_events(run: &Watch, outputs: &mut Outputs, tally: &mut AlertTally) -> Told {
    let mut told = Told::default();
    loop {
        let written = match run.events.recv_timeout(PATIENCE) {
            Ok(Event::Alert(alert)) => {
                tally.count(&outputs.summary_view(&alert));
                outputs.write(&alert)
            }
            Ok(Event::Notice(notice)) => {
                log(&notice);
                outputs.notice(&notice)
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return told,
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
