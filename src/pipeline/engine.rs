//! [`replay`]: the threads and channels of a run over capture files.

mod apart;
mod distance;
mod report;
mod several;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::clock::Clock;
use super::counters::Counters;
use super::decoded::Headers;
use super::exit::{Exit, Readers, Said};
use super::fragments::Assembler;
use super::order::Place;
use super::worker::{GROUP, Worker};
use super::{EvidenceCounters, Options, SHARDS, Sharing};
use crate::alert::{Alert, FlowRecord};
use crate::capture::{BATCH_FRAMES, Batch, FileInfo, Files, Source, Trouble};
use crate::flow::HashSeed;
use crate::matcher::MatchSet;
use crate::packet::FrameMeta;
use crate::time::Timestamp;

/// Alerts that may wait for their reader; then the run waits.
const ALERT_CHANNEL: usize = 1024;

/// Flow records that may wait for theirs; then the run waits.
const FLOW_CHANNEL: usize = 4096;

/// Captures that are smaller in all are read before it is known how far apart processors are.
const LEAST_MEASURED_BYTES: u64 = 64 << 20;

/// Replay hashes flows with this, so that evictions repeat; live capture takes a random one.
pub(super) const REPLAY_SEED: HashSeed = HashSeed(0x7069_636b_6574);

/// How far a run is. Shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes read, as stored.
    pub bytes_done: AtomicU64,
    /// Frames read.
    pub frames: AtomicU64,
    is_stopped: AtomicBool,
}

impl Progress {
    /// Asks the run to stop at the next batch. What was read is finished and counted.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// So many frames more were read.
    fn show(&self, frames: usize, files: &Files) {
        self.frames.fetch_add(frames as u64, Ordering::Relaxed);
        self.bytes_done.store(files.progress().bytes_done, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

/// Time spent, by stage. `read`, `decode` and `inspect` are sampled and, with several workers, summed over them.
#[derive(Debug, Default, Clone, Copy)]
pub struct Stages {
    /// Walking the captures (and decompressing them).
    pub read: Duration,
    /// Headers and hashes.
    pub decode: Duration,
    /// Flows, streams, parsers, matcher.
    pub inspect: Duration,
    /// From the first batch to the last alert.
    pub wall: Duration,
    /// Processor time of the whole process in that time, all threads.
    pub cpu: Duration,
}

impl Stages {
    /// Adds what another worker took for its stages.
    fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.decode += other.decode;
        self.inspect += other.inspect;
    }
}

/// What a run saw.
#[derive(Debug)]
pub struct Outcome {
    /// The workers' numbers, summed.
    pub counters: Counters,
    /// The captures.
    pub files: Vec<FileInfo>,
    /// What was wrong with them.
    pub troubles: Vec<Trouble>,
    /// Time by stage.
    pub stages: Stages,
    /// What became of evidence.
    pub evidence: EvidenceCounters,
}

/// A run under way: alerts come through the channel in order, until it is closed.
pub struct Replay {
    /// The alerts. Bounded: nothing is lost, the run waits.
    pub alerts: Receiver<Alert>,
    /// Flows as they end, if [`Options::flow_log`] asks for them. Bounded too: read it beside the alerts, on another thread, or the run
    /// waits for ever.
    pub flows: Receiver<FlowRecord>,
    /// How far it is.
    pub progress: Arc<Progress>,
    handle: JoinHandle<Outcome>,
}

impl Replay {
    /// Waits for the end. Call it when the channel is closed; alerts still in it are dropped.
    ///
    /// # Panics
    /// If the run did: a defect.
    pub fn finish(self) -> Outcome {
        drop((self.alerts, self.flows));
        match self.handle.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Runs captures against a set, on threads of its own.
pub fn replay(files: Files, set: Arc<MatchSet>, options: &Options) -> Replay {
    let (to_reader, alerts) = bounded(ALERT_CHANNEL);
    let (to_flow_reader, flows) = bounded(FLOW_CHANNEL);
    let progress = Arc::new(Progress::default());
    let options = Options { threads: options.threads.clamp(1, SHARDS), ..options.clone() };
    let shared = Arc::clone(&progress);
    let handle = thread::spawn(move || {
        let (start, cpu_start) = (Instant::now(), process_cpu());
        let readers = Readers { alerts: to_reader, flows: to_flow_reader, figures: Arc::default() };
        let captures = files.files().iter().map(|file| Arc::from(file.path.as_path())).collect();
        let run = Run { files, set, captures, options, progress: shared, readers };
        let mut outcome = match run.options.threads {
            1 => run.on_one_thread(),
            _ if run.reads_apart() => run.on_several_apart(),
            _ => run.on_several(),
        };
        outcome.stages.wall = start.elapsed();
        outcome.stages.cpu = process_cpu().saturating_sub(cpu_start);
        outcome
    });
    Replay { alerts, flows, progress, handle }
}

/// Processor time that this process has used.
pub(super) fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

struct Run {
    files: Files,
    set: Arc<MatchSet>,
    captures: Arc<[Arc<Path>]>,
    options: Options,
    progress: Arc<Progress>,
    readers: Readers,
}

impl Run {
    fn on_one_thread(mut self) -> Outcome {
        let mut worker = Worker::new(&self.set, &self.captures, &self.of_workers(), 1);
        let mut exit = self.exit(1);
        // A group at a time: what the walk and the kernel have touched is still in the cache when it is decoded.
        let mut batch = Batch { limit: GROUP, ..Batch::default() };
        let (mut headers, mut assembler) = (Headers::default(), Assembler::default());
        let mut clock = Clock::default();
        let mut unsaid = 0;
        while !self.progress.is_stopped() {
            clock.next();
            if !clock.read(|| self.files.poll(&mut batch)) {
                break;
            }
            let group = batch.frames.as_slice();
            let ahead = |item: &mut _| worker.prefetch(item);
            clock.decode(|| headers.decode(&batch.data, group, REPLAY_SEED, &mut assembler, ahead));
            clock.inspect(|| worker.process_decoded(&headers, &batch.data, group));
            unsaid += group.len();
            // A pipe may bring nothing more for long.
            if unsaid >= BATCH_FRAMES || group.len() < GROUP {
                self.show_progress(std::mem::take(&mut unsaid));
                if !exit.add(0, said(&mut worker, group)) {
                    // Nobody listens any more.
                    break;
                }
            }
        }
        self.show_progress(unsaid);
        let (last, mut counters) = worker.close();
        assembler.close(&mut counters);
        exit.add(0, last);
        counters.merge(&exit.finish());
        self.outcome(counters, clock.stages())
    }

    /// Whether each of several workers is to read all for itself.
    fn reads_apart(&self) -> bool {
        let Some(bytes) = self.files.total_bytes() else { return false };
        match self.options.sharing {
            Sharing::Always => false,
            Sharing::Never => true,
            Sharing::Auto => {
                bytes >= LEAST_MEASURED_BYTES && distance::are_far_apart(self.options.threads) && self.files.are_plain()
            }
        }
    }

    /// What workers are to do: alerts are held back when they are in order.
    fn of_workers(&self) -> Options {
        Options { suppress: None, ..self.options.clone() }
    }

    fn exit(&self, workers: usize) -> Exit {
        Exit::new((&self.options, workers), &self.set, &self.captures, self.readers.clone())
    }

    fn show_progress(&self, frames: usize) {
        self.progress.show(frames, &self.files);
    }

    fn outcome(&self, counters: Counters, stages: Stages) -> Outcome {
        Outcome {
            counters,
            files: self.files.files().to_vec(),
            troubles: self.files.troubles().to_vec(),
            stages,
            evidence: self.readers.figures.counters(),
        }
    }
}

/// After a batch.
fn said(worker: &mut Worker, frames: &[FrameMeta]) -> Said {
    worker.end_batch(frames.last().map_or(Timestamp::ZERO, |frame| frame.time));
    let end: Place = frames.last().map_or((0, 0), |frame| (frame.file, frame.number + 1));
    worker.give_up_all_overdue(end);
    let held = worker.held_back().map(|frame| (frame.file, frame.number));
    let mark = held.map_or(end, |held| held.min(end));
    worker.say(mark, end)
}
