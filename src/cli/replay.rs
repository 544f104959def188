//! `picket replay`: capture files against feeds.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::aside::{warn_of_evidence, write_flows};
use super::outputs::Outputs;
use super::run::RunArgs;
use crate::capture::Files;
use crate::feed::LoadReport;
use crate::marking::Clearances;
use crate::matcher::{MatchSet, Seeds};
use crate::pipeline::{self, AlertTally, Loaded, Options, Replay, Sharing, Summary};

/// Replay hashes values with this, so that runs can be compared.
const REPLAY_SEED: u64 = 0x7069_636b_6574;

/// How often the progress bar moves.
const REDRAW: Duration = Duration::from_millis(100);

/// Arguments of `picket replay`.
#[derive(Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Workers; the output does not depend on it. All cores, up to 16, if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16))]
    threads: Option<u16>,
    /// Whether workers share what one of them has read, or each reads all for itself; the output does not depend on it. By default large
    /// captures in plain files are read by each if the processors are measured to be far apart.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = SharingName::Auto)]
    sharing: SharingName,
    /// Whether packets with a wrong IPv4 header, TCP or UDP checksum are inspected. Ignored by default: a machine whose network
    /// card computes checksums captures wrong ones of what it sends.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Checksums::Ignore)]
    checksums: Checksums,
    /// Captures: pcap or pcapng, plain or compressed; directories; - for standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SharingName {
    /// Unless the processors are far apart.
    Auto,
    /// Yes.
    Always,
    /// No, if all captures are files.
    Never,
}

impl From<SharingName> for Sharing {
    fn from(name: SharingName) -> Self {
        match name {
            SharingName::Auto => Self::Auto,
            SharingName::Always => Self::Always,
            SharingName::Never => Self::Never,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Checksums {
    /// Packets with wrong ones are counted and not inspected.
    Verify,
    /// They are not looked at.
    Ignore,
}

/// Runs the subcommand.
///
/// # Errors
/// Feeds or captures that cannot be opened, output that cannot be written.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    args.run.need_feeds("replay");
    let files = Files::open(&args.captures)?;
    let clearances = args.run.reader.read()?;
    let (set, report) = load(args, clearances.as_ref())?;
    let seconds = start.elapsed().as_secs_f64();
    let flow_sink = args.run.aside.flow_sink(false)?;
    let asked = args.run.asked(false, &[]);
    let mut outputs = Outputs::open(&asked, clearances.as_ref(), &set)?;
    super::run::warn_of_feeds(&report, outputs.summary().withholds());
    let protocols = args.run.protocols()?;
    super::run::warn_of_protocols(&set, protocols);
    let mut options = Options {
        threads: args.threads.map_or_else(default_threads, usize::from),
        sharing: args.sharing.into(),
        max_flows: args.run.max_flows as usize,
        protocols,
        verifies_checksums: args.checksums == Checksums::Verify,
        ..Options::default()
    };
    args.run.aside.ask(&mut options, false)?;
    let total_bytes = files.total_bytes();
    let replay = pipeline::replay(files, Arc::clone(&set), &options);
    let flow_log = flow_sink.map(|sink| write_flows(sink, replay.flows.clone(), Arc::clone(&replay.progress)));
    let on_signal = Arc::clone(&replay.progress);
    // The first signal ends the run in order, a second one ends it. Setting the handler fails only if there is one already.
    let _ = ctrlc::set_handler(move || {
        if on_signal.is_stopped() {
            std::process::exit(130);
        }
        on_signal.stop();
    });
    let bar = progress_bar(args, total_bytes);
    let mut tally = AlertTally::default();
    let written = write_alerts(&replay, &mut outputs, &mut tally, &bar);
    let interrupted = replay.progress.is_stopped();
    let outcome = replay.finish();
    bar.finish_and_clear();
    written.context("cannot write the alerts")?;
    if let Some(flow_log) = flow_log {
        let written = flow_log.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.context("cannot write the flow log")?;
    }
    warn_of_evidence(&outcome.evidence);

    let loaded = Loaded { set: &set, report, seconds };
    let summary = Summary::new(&outcome, &tally, loaded, outputs.summary(), interrupted);
    if let Some(path) = &args.run.summary {
        super::run::write_summary(path, &summary)
            .with_context(|| format!("cannot write the summary to {}", path.display()))?;
    }
    if args.run.quiet {
        for trouble in &summary.troubles {
            eprintln!("picket: {} at byte {}: {}", trouble.path, trouble.offset, trouble.reason);
        }
    } else {
        // A terminal that went away is no reason to fail a finished run.
        let _ = summary.print(&mut io::stderr().lock());
    }
    let nothing_was_read = summary.captures.iter().all(|capture| capture.format.is_none());
    Ok(if nothing_was_read { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn load(args: &ReplayArgs, clearances: Option<&Clearances>) -> anyhow::Result<(Arc<MatchSet>, LoadReport)> {
    let (set, allow, report) =
        super::run::load_feeds((&args.run.feeds, &args.run.allow), args.run.force, clearances, None)?;
    Ok((Arc::new(MatchSet::compile_seeded(set, allow, Seeds::fixed(REPLAY_SEED))), report))
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(pipeline::SHARDS))
}

fn progress_bar(args: &ReplayArgs, total_bytes: Option<u64>) -> ProgressBar {
    if args.run.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = match total_bytes {
        Some(total) => ProgressBar::new(total)
            .with_style(style("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {msg}, {eta} left")),
        None => ProgressBar::new_spinner().with_style(style("{spinner} {bytes} {bytes_per_sec} {msg}")),
    };
    bar.enable_steady_tick(REDRAW);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Writes every alert as it comes; stops the run when the reader has gone away.
fn write_alerts(replay: &Replay, outputs: &mut Outputs, tally: &mut AlertTally, bar: &ProgressBar) -> io::Result<()> {
    loop {
        match replay.alerts.recv_timeout(REDRAW) {
            Ok(alert) => {
                tally.count(&outputs.summary_view(&alert));
                if let Err(error) = outputs.write(&alert) {
                    replay.progress.stop();
                    return if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) };
                }
            }
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
        }
        if !bar.is_hidden() {
            bar.set_position(replay.progress.bytes_done.load(Ordering::Relaxed));
            let frames = replay.progress.frames.load(Ordering::Relaxed);
            bar.set_message(format!("{frames} frames, {} alerts", tally.total()));
        }
    }
    match outputs.finish() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
