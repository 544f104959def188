//! [`replay`]: the threads and channels of a run over capture files.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

use super::clock::Clock;
use super::counters::Counters;
use super::decoded::{Decoded, Headers};
use super::exit::{Exit, Readers, Said};
use super::fragments::{Assembler, Turns};
use super::order::Place;
use super::worker::{GROUP, Worker};
use super::{EvidenceCounters, Options, SHARDS};
use crate::alert::{Alert, FlowRecord};
use crate::capture::{Batch, FileInfo, Files, Source, Trouble};
use crate::flow::HashSeed;
use crate::matcher::MatchSet;
use crate::packet::FrameMeta;
use crate::time::Timestamp;

/// Alerts that may wait for their reader; then the run waits.
const ALERT_CHANNEL: usize = 1024;

/// Flow records that may wait for theirs; then the run waits.
const FLOW_CHANNEL: usize = 4096;

/// Reports of a worker that may wait to be put in order.
const REPORT_CHANNEL: usize = 16;

/// Batches that may be read, for each worker, before the slowest worker is done with the first of them. More than one, so that
/// not all of them can be in the making.
const AHEAD_PER_WORKER: usize = 12;

/// Batches without an alert after which a worker says how far it is: alerts of others wait for that.
const MAX_SILENT_BATCHES: u32 = 16;

/// How long a worker waits for others before it looks for work itself.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Decoded batches kept for reuse: as many as can be under way with a few workers.
const MAX_SPARE: usize = 64;

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
        let mut outcome = if run.options.threads == 1 { run.on_one_thread() } else { run.on_several() };
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

/// What a worker tells after each batch.
struct Report {
    worker: usize,
    said: Said,
}

impl Run {
    fn on_one_thread(mut self) -> Outcome {
        let mut worker = Worker::new(&self.set, &self.captures, &self.of_workers(), 1);
        let mut exit = self.exit(1);
        let mut batch = Batch::default();
        let (mut headers, mut assembler) = (Headers::default(), Assembler::default());
        let mut clock = Clock::default();
        while !self.progress.is_stopped() {
            clock.next();
            if !clock.read(|| self.files.poll(&mut batch)) {
                break;
            }
            for group in batch.frames.chunks(GROUP) {
                let ahead = |item: &mut _| worker.prefetch(item);
                clock.decode(|| headers.decode(&batch.data, group, REPLAY_SEED, &mut assembler, ahead));
                clock.inspect(|| worker.process_decoded(&headers, &batch.data, group));
            }
            self.show_progress(&batch);
            if !exit.add(0, said(&mut worker, &batch.frames)) {
                // Nobody listens any more.
                break;
            }
        }
        let (last, mut counters) = worker.close();
        assembler.close(&mut counters);
        exit.add(0, last);
        counters.merge(&exit.finish());
        self.outcome(counters, clock.stages())
    }

    fn on_several(self) -> Outcome {
        let workers = self.options.threads;
        let (reports_in, reports) = bounded::<Report>(workers * REPORT_CHANNEL);
        let (exit, progress) = (self.exit(workers), Arc::clone(&self.progress));
        let orderer = thread::spawn(move || put_in_order(&reports, exit, &progress));
        let (inlets, inboxes): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| bounded(workers * (AHEAD_PER_WORKER + 1) + 1)).unzip();
        let (set, captures, options) = (Arc::clone(&self.set), Arc::clone(&self.captures), self.of_workers());
        let shared = Arc::new(Shared {
            reader: Mutex::new(Reader::new(self)),
            inlets,
            done: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            turns: Turns::default(),
        });
        // Those that did start end if one does not.
        let alarm = Alarm(&shared);
        let handles: Vec<_> = inboxes
            .into_iter()
            .enumerate()
            .map(|(number, inbox)| {
                let (shared, reports) = (Arc::clone(&shared), reports_in.clone());
                let (set, captures, options) = (Arc::clone(&set), Arc::clone(&captures), options.clone());
                thread::spawn(move || {
                    let worker = Worker::new(&set, &captures, &options, workers);
                    work(worker, number, &inbox, &shared, &reports)
                })
            })
            .collect();
        drop((reports_in, alarm));
        let mut counters = Counters::default();
        let mut spent = Stages::default();
        for handle in handles {
            let (own, time) = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            counters.merge(&own);
            spent.decode += time.decode;
            spent.inspect += time.inspect;
        }
        counters.merge(&orderer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let reader = shared.reader.lock().unwrap_or_else(PoisonError::into_inner);
        shared.turns.close(&mut counters);
        let stages = Stages { read: reader.clock.stages().read, ..spent };
        reader.run.outcome(counters, stages)
    }

    /// What workers are to do: alerts are held back when they are in order.
    fn of_workers(&self) -> Options {
        Options { suppress: None, ..self.options.clone() }
    }

    fn exit(&self, workers: usize) -> Exit {
        Exit::new((&self.options, workers), &self.set, &self.captures, self.readers.clone())
    }

    fn show_progress(&self, batch: &Batch) {
        self.progress.frames.fetch_add(batch.frames.len() as u64, Ordering::Relaxed);
        self.progress.bytes_done.store(self.files.progress().bytes_done, Ordering::Relaxed);
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

/// What several workers share: the source, and the way to each other. Whoever has nothing to do reads the next batch and
/// decodes it for all, so that there is no thread that only reads and no core that waits for it. Only reading excludes.
struct Shared {
    reader: Mutex<Reader>,
    /// As large as what can be in them ([`AHEAD_PER_WORKER`]), so that nobody who hands out is ever blocked by another.
    inlets: Vec<Sender<Handed>>,
    /// For each worker, the batches that it is done with.
    done: Vec<AtomicU64>,
    /// Where pieces of datagrams are put together, batch after batch.
    turns: Turns,
}

/// What comes through a worker's inbox, in no order.
#[derive(Clone)]
enum Handed {
    /// Batch of this number.
    Batch(u64, Arc<Decoded>),
    /// There are so many batches in all.
    End(u64),
}

/// The source.
struct Reader {
    run: Run,
    batch: Batch,
    /// Batches handed out; one that every worker has let go of is used again.
    spare: Vec<Arc<Decoded>>,
    clock: Clock,
    /// Batches read.
    count: u64,
    is_done: bool,
}

impl Reader {
    fn new(run: Run) -> Self {
        Self { run, batch: Batch::default(), spare: Vec::new(), clock: Clock::default(), count: 0, is_done: false }
    }

    /// Reads the next batch into a [`Decoded`] that is not decoded yet; `None` at the end.
    fn next(&mut self) -> Option<Arc<Decoded>> {
        self.clock.next();
        let Self { run, batch, clock, .. } = self;
        if run.progress.is_stopped() || !clock.read(|| run.files.poll(batch)) {
            return None;
        }
        run.show_progress(batch);
        let free = self.spare.iter_mut().position(|used| Arc::get_mut(used).is_some());
        let mut decoded = free.map(|at| self.spare.swap_remove(at)).unwrap_or_default();
        Arc::get_mut(&mut decoded)?.take(batch);
        Some(decoded)
    }

    /// Keeps a batch for when it is free again.
    fn keep(&mut self, decoded: &Arc<Decoded>) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(Arc::clone(decoded));
        }
    }
}

impl Shared {
    /// Reads a batch, decodes it and hands it to every worker. False if another worker is reading, if nothing is left to read,
    /// or if the slowest worker is too far behind.
    fn read_one(&self, clock: &mut Clock) -> bool {
        let Ok(mut reader) = self.reader.try_lock() else { return false };
        let slowest = self.done.iter().map(|done| done.load(Ordering::Relaxed)).min().unwrap_or(0);
        if reader.is_done || reader.count >= slowest + (self.inlets.len() * AHEAD_PER_WORKER) as u64 {
            return false;
        }
        let Some(mut decoded) = reader.next() else {
            reader.is_done = true;
            return self.hand_out(&Handed::End(reader.count));
        };
        let number = reader.count;
        reader.count += 1;
        drop(reader);
        if let Some(inside) = Arc::get_mut(&mut decoded) {
            clock.decode(|| inside.decode(REPLAY_SEED, self.inlets.len(), &self.turns.of(number)));
        }
        if let Ok(mut reader) = self.reader.lock() {
            reader.keep(&decoded);
        }
        self.hand_out(&Handed::Batch(number, decoded))
    }

    /// Nobody listens to this worker any more: the others need not wait for it.
    fn stop(&self) {
        if let Ok(mut reader) = self.reader.lock() {
            reader.is_done = true;
        }
        self.hand_out(&Handed::End(0));
    }

    fn hand_out(&self, what: &Handed) -> bool {
        self.inlets.iter().filter(|inlet| inlet.send(what.clone()).is_ok()).count() == self.inlets.len()
    }
}

/// Wakes the other workers when one fails, so that the failure is seen and nobody waits for ever.
struct Alarm<'s>(&'s Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            for inlet in &self.0.inlets {
                let _ = inlet.try_send(Handed::End(0));
            }
        }
    }
}

/// A worker's inbox, put in order.
struct Inbox<'i> {
    handed: &'i Receiver<Handed>,
    /// What came before its turn.
    early: Vec<(u64, Arc<Decoded>)>,
    next: u64,
    end: u64,
}

impl Inbox<'_> {
    /// The next batch in order: from the inbox, or by reading; `None` at the end.
    fn next(&mut self, shared: &Shared, clock: &mut Clock) -> Option<Arc<Decoded>> {
        while self.next < self.end {
            if let Some(at) = self.early.iter().position(|(number, _)| *number == self.next) {
                self.next += 1;
                return Some(self.early.swap_remove(at).1);
            }
            let handed = match self.handed.try_recv() {
                Ok(handed) => handed,
                Err(TryRecvError::Disconnected) => return None,
                // What is read comes through the inbox, like everybody's.
                Err(TryRecvError::Empty) if shared.read_one(clock) => continue,
                // Somebody reads, or has what is next, or is behind and will read when it is not: something comes. Looking
                // again after a while costs nothing and leaves no way to wait for ever.
                Err(TryRecvError::Empty) => match self.handed.recv_timeout(LOOK_AGAIN) {
                    Ok(handed) => handed,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return None,
                },
            };
            match handed {
                Handed::Batch(number, decoded) => self.early.push((number, decoded)),
                Handed::End(count) => self.end = count,
            }
        }
        None
    }
}

/// One worker's thread.
fn work(
    worker: Worker,
    number: usize,
    handed: &Receiver<Handed>,
    shared: &Shared,
    reports: &Sender<Report>,
) -> (Counters, Stages) {
    let _alarm = Alarm(shared);
    let mut desk = Desk { worker, number, clock: Clock::default(), silent_batches: 0, reports };
    let mut inbox = Inbox { handed, early: Vec::new(), next: 0, end: u64::MAX };
    let mut decoding = Clock::default();
    while let Some(decoded) = inbox.next(shared, &mut decoding) {
        decoding.next();
        if !desk.process(&decoded) {
            shared.stop();
            break;
        }
        shared.done[number].fetch_add(1, Ordering::Relaxed);
    }
    let Desk { worker, clock, .. } = desk;
    let (said, counters) = worker.close();
    let _ = reports.send(Report { worker: number, said });
    (counters, Stages { decode: decoding.stages().decode, ..clock.stages() })
}

/// A worker and what it reports to.
struct Desk<'r> {
    worker: Worker,
    number: usize,
    clock: Clock,
    silent_batches: u32,
    reports: &'r Sender<Report>,
}

impl Desk<'_> {
    /// Takes its part of a batch through everything; false if nobody listens any more.
    fn process(&mut self, decoded: &Decoded) -> bool {
        self.clock.next();
        for group in decoded.parts[self.number].chunks(GROUP) {
            let (bytes, framed) = (decoded.headers.bytes(&decoded.data), |&at: &u32| decoded.framed(at));
            self.clock.inspect(|| self.worker.process_own(bytes, group.iter().map(framed)));
        }
        let said = said(&mut self.worker, &decoded.frames);
        self.silent_batches += 1;
        if said.is_empty() && self.silent_batches < MAX_SILENT_BATCHES {
            return true;
        }
        self.silent_batches = 0;
        self.reports.send(Report { worker: self.number, said }).is_ok()
    }
}

fn put_in_order(reports: &Receiver<Report>, mut exit: Exit, progress: &Progress) -> Counters {
    let mut listens = true;
    for Report { worker, said } in reports {
        listens = listens && exit.add(worker, said);
        if !listens {
            progress.stop();
        }
    }
    exit.finish()
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
