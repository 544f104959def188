//! [`replay`]: the threads and channels of a run over capture files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::counters::Counters;
use super::decoded::{Decoded, decode_all};
use super::order::{Order, Place};
use super::worker::{GROUP, Worker};
use super::{Options, SHARDS};
use crate::alert::Alert;
use crate::capture::{Batch, FileInfo, Files, Source, Trouble};
use crate::flow::HashSeed;
use crate::matcher::MatchSet;

/// Alerts that may wait for their reader; then the run waits.
const ALERT_CHANNEL: usize = 1024;

/// Batches that may wait for a worker. Each is up to a few hundred frames.
const BATCH_CHANNEL: usize = 16;

/// Replay hashes flows with this, so that evictions repeat; live capture takes a random one.
const REPLAY_SEED: HashSeed = HashSeed(0x7069_636b_6574);

/// One batch in so many is timed; a clock read costs as much as a packet.
const TIMED_BATCHES: u64 = 16;

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
}

/// A run under way: alerts come through the channel in order, until it is closed.
pub struct Replay {
    /// The alerts. Bounded: nothing is lost, the run waits.
    pub alerts: Receiver<Alert>,
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
        drop(self.alerts);
        match self.handle.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Runs captures against a set, on threads of its own.
pub fn replay(files: Files, set: Arc<MatchSet>, options: &Options) -> Replay {
    let (to_reader, alerts) = bounded(ALERT_CHANNEL);
    let progress = Arc::new(Progress::default());
    let options = Options { threads: options.threads.clamp(1, SHARDS), ..options.clone() };
    let shared = Arc::clone(&progress);
    let handle = thread::spawn(move || {
        let (start, cpu_start) = (Instant::now(), process_cpu());
        let captures = files.files().iter().map(|file| Arc::from(file.path.as_path())).collect();
        let run = Run { files, set, captures, options, progress: shared, alerts: to_reader };
        let mut outcome = if run.options.threads == 1 { run.on_one_thread() } else { run.on_several() };
        outcome.stages.wall = start.elapsed();
        outcome.stages.cpu = process_cpu().saturating_sub(cpu_start);
        outcome
    });
    Replay { alerts, progress, handle }
}

/// Processor time that this process has used.
fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

struct Run {
    files: Files,
    set: Arc<MatchSet>,
    captures: Arc<[Arc<Path>]>,
    options: Options,
    progress: Arc<Progress>,
    alerts: Sender<Alert>,
}

/// What a worker tells after each batch.
struct Report {
    worker: usize,
    alerts: Vec<Alert>,
    mark: Place,
}

impl Run {
    fn on_one_thread(mut self) -> Outcome {
        let mut worker = Worker::new(&self.set, &self.captures, &self.options, 1, REPLAY_SEED);
        let mut order = Order::new(1);
        let mut batch = Batch::default();
        let mut items = Vec::new();
        let mut clock = Clock::default();
        while !self.progress.is_stopped() {
            clock.next();
            if !clock.read(|| self.files.poll(&mut batch)) {
                break;
            }
            for group in batch.frames.chunks(GROUP) {
                clock.decode(|| decode_all(&batch.data, group, &mut items, REPLAY_SEED));
                clock.inspect(|| worker.process(&batch.data, group.iter().zip(&items)));
            }
            self.show_progress(&batch);
            let mark = mark(&mut worker, &batch);
            if !order.add(0, worker.take_alerts(), mark).into_iter().all(|alert| self.alerts.send(alert).is_ok()) {
                // Nobody listens any more.
                break;
            }
        }
        let (alerts, counters) = worker.close();
        let _ = order.add(0, alerts, (0, 0));
        for alert in order.finish() {
            if self.alerts.send(alert).is_err() {
                break;
            }
        }
        self.outcome(counters, clock.stages())
    }

    fn on_several(mut self) -> Outcome {
        let workers = self.options.threads;
        let (reports_in, reports) = bounded::<Report>(workers * BATCH_CHANNEL);
        let alerts = self.alerts.clone();
        let progress = Arc::clone(&self.progress);
        let orderer = thread::spawn(move || put_in_order(workers, &reports, &alerts, &progress));
        let mut inlets = Vec::new();
        let mut handles = Vec::new();
        for number in 0..workers {
            let (inlet, batches) = bounded::<Arc<Decoded>>(BATCH_CHANNEL);
            let worker = Worker::new(&self.set, &self.captures, &self.options, workers, REPLAY_SEED);
            let reports = reports_in.clone();
            inlets.push(inlet);
            handles.push(thread::spawn(move || work(worker, number, workers, &batches, &reports)));
        }
        drop(reports_in);
        let mut clock = Clock::default();
        self.read_all(&inlets, &mut clock);
        drop(inlets);
        let mut counters = Counters::default();
        let mut stages = clock.stages();
        for handle in handles {
            let (own, time) = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            counters.merge(&own);
            stages.inspect += time;
        }
        if let Err(panic) = orderer.join() {
            std::panic::resume_unwind(panic);
        }
        self.outcome(counters, stages)
    }

    /// Reads, decodes and hands each batch to every worker; each takes its shards' frames from it.
    fn read_all(&mut self, inlets: &[Sender<Arc<Decoded>>], clock: &mut Clock) {
        let mut batch = Batch::default();
        let mut spare: Vec<Arc<Decoded>> = Vec::new();
        let mut number = 0;
        while !self.progress.is_stopped() {
            clock.next();
            if !clock.read(|| self.files.poll(&mut batch)) {
                return;
            }
            // A batch that every worker has let go of is used again.
            let free = spare.iter().position(|used| Arc::strong_count(used) == 1);
            let mut decoded = free.map(|at| spare.swap_remove(at)).unwrap_or_default();
            let Some(inside) = Arc::get_mut(&mut decoded) else { continue };
            inside.number = number;
            number += 1;
            self.show_progress(&batch);
            clock.decode(|| inside.fill(&mut batch, REPLAY_SEED));
            if inlets.iter().any(|inlet| inlet.send(Arc::clone(&decoded)).is_err()) {
                return;
            }
            spare.push(decoded);
        }
    }

    fn show_progress(&self, batch: &Batch) {
        self.progress.frames.fetch_add(batch.frames.len() as u64, Ordering::Relaxed);
        self.progress.bytes_done.store(self.files.progress().bytes_done, Ordering::Relaxed);
    }

    fn outcome(self, counters: Counters, stages: Stages) -> Outcome {
        Outcome { counters, files: self.files.files().to_vec(), troubles: self.files.troubles().to_vec(), stages }
    }
}

/// One worker's thread.
fn work(
    mut worker: Worker,
    number: usize,
    workers: usize,
    batches: &Receiver<Arc<Decoded>>,
    reports: &Sender<Report>,
) -> (Counters, Duration) {
    let mut clock = Clock::default();
    let mut own: Vec<u16> = Vec::new();
    for decoded in batches {
        clock.next();
        own.clear();
        own.extend(
            (0..decoded.items.len() as u16).filter(|&at| decoded.items[usize::from(at)].shard() % workers == number),
        );
        for group in own.chunks(GROUP) {
            let framed = |&at: &u16| (&decoded.frames[usize::from(at)], &decoded.items[usize::from(at)]);
            clock.inspect(|| worker.process(&decoded.data, group.iter().map(framed)));
        }
        let end = decoded.frames.last().map_or((0, 0), |frame| (frame.file, frame.number + 1));
        let held = worker.held_back().map(|frame| (frame.file, frame.number));
        let report =
            Report { worker: number, alerts: worker.take_alerts(), mark: held.map_or(end, |held| held.min(end)) };
        if reports.send(report).is_err() {
            break;
        }
    }
    let (alerts, counters) = worker.close();
    let _ = reports.send(Report { worker: number, alerts, mark: (0, 0) });
    (counters, clock.stages().inspect)
}

fn put_in_order(workers: usize, reports: &Receiver<Report>, out: &Sender<Alert>, progress: &Progress) {
    let mut order = Order::new(workers);
    let mut listens = true;
    for Report { worker, alerts, mark } in reports {
        for alert in order.add(worker, alerts, mark) {
            listens = listens && out.send(alert).is_ok();
        }
        if !listens {
            progress.stop();
        }
    }
    for alert in order.finish() {
        if out.send(alert).is_err() {
            return;
        }
    }
}

/// The first place that the worker may still raise alerts for.
fn mark(worker: &mut Worker, batch: &Batch) -> Place {
    let end = batch.frames.last().map_or((0, 0), |frame| (frame.file, frame.number + 1));
    let held = worker.held_back().map(|frame| (frame.file, frame.number));
    held.map_or(end, |held| held.min(end))
}

/// Times one batch in [`TIMED_BATCHES`].
#[derive(Default)]
struct Clock {
    batch: u64,
    stages: Stages,
}

impl Clock {
    fn next(&mut self) {
        self.batch += 1;
    }

    fn read<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (result, time) = self.time(act);
        self.stages.read += time;
        result
    }

    fn decode<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (result, time) = self.time(act);
        self.stages.decode += time;
        result
    }

    fn inspect<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (result, time) = self.time(act);
        self.stages.inspect += time;
        result
    }

    fn time<T>(&self, act: impl FnOnce() -> T) -> (T, Duration) {
        if !self.batch.is_multiple_of(TIMED_BATCHES) {
            return (act(), Duration::ZERO);
        }
        let start = Instant::now();
        let result = act();
        (result, start.elapsed())
    }

    fn stages(&self) -> Stages {
        let scale = TIMED_BATCHES as u32;
        let Stages { read, decode, inspect, .. } = self.stages;
        Stages { read: read * scale, decode: decode * scale, inspect: inspect * scale, ..Stages::default() }
    }
}
