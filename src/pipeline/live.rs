//! [`watch`]: a live run. Each worker has its own source and everything else of its own, so that nothing is shared on the path
//! of a packet: it polls, decodes, inspects and hands out alerts, on one thread. Frames are dealt out before they come here, by
//! flow; datagrams in pieces are whole by then, and pieces that still come are put together by the worker that got them.
//!
//! Alerts and notices leave through one bounded channel. A worker never waits for its reader: what finds no room is counted and said
//! ([`Notice`], `alerts-dropped`). [`Control`] is how the rest of the program stops the run, gives it another set and sees how it is.
//!
//! Time is the packet's. Where no packet comes, it goes on as the machine's clock does (`live/clock.rs`), so that flows time out.

pub(super) mod clock;
pub(super) mod control;
mod loss;
mod names;
pub(super) mod notices;
mod overload;
mod succession;
#[cfg(test)]
mod tests;
mod work;

pub use control::{Control, LiveStatus, WorkerStatus};
pub(super) use names::Names;
pub use overload::{OverloadOptions, Shedding};

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use self::control::Shared;
use self::work::{Ended, Station};
use super::Options;
use super::counters::Counters;
use super::engine::{Outcome, Stages, process_cpu};
use super::evidence::Filer;
use super::{EvidenceFigures, EvidenceOptions, FlowLogOptions};
use crate::alert::{Alert, FlowRecord, Notice};
use crate::capture::FileInfo;
use crate::capture::live::{Live, Losses};
use crate::matcher::MatchSet;

/// How a live run is done.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// As of a replay, but that there is a worker for each source: `threads` is not looked at. Flows and memory are divided among them.
    pub pipeline: Options,
    /// Processors that the workers are pinned to, one each and in turn; empty leaves it to the system.
    pub cpus: Vec<usize>,
    /// Alerts and notices that may wait for their reader.
    pub alert_channel: usize,
    /// How long what is in the rings is read on after [`Control::stop`].
    pub drain: Duration,
    /// What is left out when there is too much.
    pub overload: OverloadOptions,
    /// The last names that each worker keeps, to look them up when another set takes over.
    pub kept_names: usize,
    /// A loss is over after so long without another.
    pub gap_quiet: Duration,
    /// A worker that has not looked at the clock for so long hangs: it does ten times a second, whatever comes.
    pub hung_after: Duration,
    /// The frame at which a worker panics, once.
    #[cfg(test)]
    pub panic_at_frame: Option<u64>,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            pipeline: Options::default(),
            cpus: Vec::new(),
            alert_channel: 65_536,
            drain: Duration::from_secs(2),
            overload: OverloadOptions::default(),
            kept_names: 16_384,
            gap_quiet: Duration::from_secs(5),
            hung_after: Duration::from_secs(10),
            #[cfg(test)]
            panic_at_frame: None,
        }
    }
}

/// What comes out of a live run.
#[derive(Debug)]
pub enum Event {
    /// An indicator was seen.
    Alert(Alert),
    /// The sensor has something to say of itself.
    Notice(Notice),
    /// A flow ended, if there is a flow log.
    Flow(Box<FlowRecord>),
}

/// A live run under way.
pub struct Watch {
    /// Alerts and notices, until every worker has ended. Nothing waits for who reads it.
    pub events: Receiver<Event>,
    /// How it is asked and told.
    pub control: Arc<Control>,
    workers: Vec<JoinHandle<Ended>>,
    housekeeper: JoinHandle<()>,
    filer: Option<JoinHandle<()>>,
    /// What became of evidence, while it runs.
    pub evidence: Arc<EvidenceFigures>,
    interfaces: Vec<String>,
    start: Instant,
    cpu_start: Duration,
}

/// What a live run came to.
#[derive(Debug)]
pub struct WatchOutcome {
    /// As of a replay; its files are the interfaces.
    pub run: Outcome,
    /// Frames by worker.
    pub frames_by_worker: Vec<u64>,
    /// What was lost on the way to the workers, all of them together.
    pub losses: Losses,
    /// Alerts that found room in the channel, and those that did not.
    pub alerts_sent: u64,
    /// Alerts that did not.
    pub alerts_dropped: u64,
    /// Notices that did not.
    pub notices_dropped: u64,
    /// How often a worker was made anew after a panic.
    pub restarts: u64,
    /// Frames of the batches in which that happened.
    pub frames_lost_to_restarts: u64,
    /// Sets that took over from another.
    pub swaps: u64,
    /// Hits that allow-lists of earlier sets suppressed, by indicator id.
    pub suppressed_before: BTreeMap<String, u64>,
}

/// Runs the sources against a set, a thread each, until [`Control::stop`] or the end of them all.
pub fn watch(sources: Vec<Box<dyn Live>>, set: Arc<MatchSet>, options: &WatchOptions) -> Watch {
    let (to_reader, events) = bounded(options.alert_channel.max(1));
    let figures = Arc::<EvidenceFigures>::default();
    let (to_reader, filer) = with_evidence(options, to_reader, &figures);
    let interfaces: Vec<String> =
        sources.first().map(|source| source.state().into_iter().map(|state| state.name).collect()).unwrap_or_default();
    let shared = Arc::new(Shared::new(set, (sources.len(), options.hung_after), &interfaces, to_reader));
    let captures = captures(&interfaces);
    let count = sources.len().max(1);
    let share = Options {
        threads: 1,
        max_flows: options.pipeline.max_flows.div_ceil(count),
        max_stream_bytes: options.pipeline.max_stream_bytes / count,
        flow_log: options
            .pipeline
            .flow_log
            .as_ref()
            .map(|log| FlowLogOptions { max_note_bytes: log.max_note_bytes / count }),
        evidence: options
            .pipeline
            .evidence
            .clone()
            .map(|evidence| EvidenceOptions { ring_bytes: evidence.ring_bytes / count, ..evidence }),
        ..options.pipeline.clone()
    };
    let (start, cpu_start) = (Instant::now(), process_cpu());
    let workers = sources
        .into_iter()
        .enumerate()
        .map(|(number, source)| {
            let (shared, captures, share) = (Arc::clone(&shared), Arc::clone(&captures), share.clone());
            let cpu = (!options.cpus.is_empty()).then(|| options.cpus[number % options.cpus.len()]);
            let options = options.clone();
            named(format!("worker-{number}"), move || {
                Station::new((number, cpu), source, captures, shared, share, options).run()
            })
        })
        .collect();
    let control = Arc::new(Control::new(Arc::clone(&shared)));
    let housekeeper = named("control".to_owned(), move || shared.keep_house());
    Watch { events, control, workers, housekeeper, filer, evidence: figures, interfaces, start, cpu_start }
}

/// Where workers send to: past whoever files evidence, if it is asked for. It waits for the disk and they do not wait for it.
fn with_evidence(
    options: &WatchOptions,
    to_reader: Sender<Event>,
    figures: &Arc<EvidenceFigures>,
) -> (Sender<Event>, Option<JoinHandle<()>>) {
    let Some(evidence) = &options.pipeline.evidence else { return (to_reader, None) };
    let filer = match Filer::open(evidence, Arc::clone(figures)) {
        Ok(filer) => filer,
        Err(error) => {
            tracing::warn!("evidence cannot be written: {error}");
            return (to_reader, None);
        }
    };
    let (to_filer, events) = bounded(options.alert_channel.max(1));
    let handle = named("evidence".to_owned(), move || file(filer, &events, &to_reader));
    (to_filer, Some(handle))
}

fn file(mut filer: Filer, events: &Receiver<Event>, out: &Sender<Event>) {
    for mut event in events {
        if let Event::Alert(alert) = &mut event {
            filer.file(alert);
        }
        if out.send(event).is_err() {
            return;
        }
    }
}

/// What alerts call the captures: the interfaces, and behind them all together, for what is of no one frame.
fn captures(interfaces: &[String]) -> Arc<[Arc<Path>]> {
    let all = interfaces.join(",");
    interfaces.iter().chain([&all]).map(|name| Arc::from(Path::new(name))).collect()
}

/// A thread with a name, which reports and debuggers show. Where the system has none to give there is no run.
#[expect(clippy::expect_used, reason = "a sensor without its threads is none")]
pub(super) fn named<T: Send + 'static>(name: String, run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().name(name).spawn(run).expect("the system gives a thread")
}

impl Watch {
    /// Waits for the end. Call it when the channel is closed; events still in it are dropped.
    ///
    /// # Panics
    /// If a worker could not even be made anew: a defect.
    pub fn finish(self) -> WatchOutcome {
        drop(self.events);
        let mut counters = Counters::default();
        let mut stages = Stages::default();
        let mut frames = vec![0; self.interfaces.len()];
        let mut frames_by_worker = Vec::new();
        let (mut restarts, mut lost) = (0, 0);
        let mut losses = Losses::default();
        for worker in self.workers {
            let ended = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            frames_by_worker.push(ended.status.counters.frames);
            counters.merge(&ended.status.counters);
            (restarts, lost) = (restarts + ended.status.restarts, lost + ended.status.frames_lost);
            losses.add(ended.status.losses);
            (stages.decode, stages.inspect) = (stages.decode + ended.decode, stages.inspect + ended.inspect);
            frames.iter_mut().zip(&ended.status.frames_by_interface).for_each(|(all, own)| *all += own);
        }
        self.control.end();
        if let Err(panic) = self.housekeeper.join() {
            std::panic::resume_unwind(panic);
        }
        if let Some(Err(panic)) = self.filer.map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        stages.wall = self.start.elapsed();
        stages.cpu = process_cpu().saturating_sub(self.cpu_start);
        let files = self.interfaces.into_iter().zip(frames).map(|(name, frames)| interface(name, frames)).collect();
        let status = self.control.snapshot();
        let suppressed_before = self.control.take_suppressed(&mut counters);
        WatchOutcome {
            run: Outcome { counters, files, troubles: Vec::new(), stages, evidence: self.evidence.counters() },
            frames_by_worker,
            losses,
            alerts_sent: status.alerts_sent,
            alerts_dropped: status.alerts_dropped,
            notices_dropped: status.notices_dropped,
            restarts,
            frames_lost_to_restarts: lost,
            swaps: status.generation,
            suppressed_before,
        }
    }
}

fn interface(name: String, frames: u64) -> FileInfo {
    FileInfo {
        path: name.into(),
        size_bytes: None,
        format: Some("live"),
        compression: None,
        frames,
        skipped: 0,
        read_bytes: 0,
    }
}
