//! A replay on several threads: workers that share nothing but the source. Whoever has nothing to do reads the next batch and decodes it
//! for all. What comes out is put in order by one more thread, so that it is the same for any number of workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::report::{Desk, REPORT_CHANNEL, Report, put_in_order};
use super::{Outcome, REPLAY_SEED, Run, Stages};
use crate::capture::{Batch, Source};
use crate::pipeline::clock::Clock;
use crate::pipeline::counters::Counters;
use crate::pipeline::decoded::Decoded;
use crate::pipeline::fragments::Turns;
use crate::pipeline::worker::{GROUP, Worker};

/// Batches that may be read, for each worker, before the slowest worker is done with the first of them. More than one, so that
/// not all of them can be in the making.
const AHEAD_PER_WORKER: usize = 12;

/// Batches in a worker's inbox below which it reads another, if nobody else does: with fewer, workers wait for each other's reading.
const STOCK: usize = 4;

/// How often a worker that has nothing to do lets others run before it sleeps.
const MAX_YIELDS: u32 = 256;

/// How long a worker waits for others before it looks for work itself.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Decoded batches kept for reuse: as many as can be under way with a few workers.
const MAX_SPARE: usize = 64;

impl Run {
    pub(super) fn on_several(self) -> Outcome {
        let workers = self.options.threads;
        let (reports_in, reports) = bounded::<Report>(workers * REPORT_CHANNEL);
        let (exit, progress) = (self.exit(workers), Arc::clone(&self.progress));
        let orderer = thread::spawn(move || put_in_order(&reports, exit, &progress));
        let (inlets, inboxes): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| bounded(workers * (AHEAD_PER_WORKER + 1) + 1)).unzip();
        let (set, captures, options) = (Arc::clone(&self.set), Arc::clone(&self.captures), self.of_workers());
        let is_prompt = self.files.total_bytes().is_some();
        let shared = Arc::new(Shared {
            is_prompt,
            reader: Mutex::new(Reader::new(self)),
            spare: Mutex::default(),
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
                    work(worker, number, &inbox, &shared, reports)
                })
            })
            .collect();
        drop((reports_in, alarm));
        let mut counters = Counters::default();
        let mut spent = Stages::default();
        for handle in handles {
            let (own, time) = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            counters.merge(&own);
            spent.add(&time);
        }
        counters.merge(&orderer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let reader = shared.reader.lock().unwrap_or_else(PoisonError::into_inner);
        shared.turns.close(&mut counters);
        let stages = Stages { read: reader.clock.stages().read, ..spent };
        reader.run.outcome(counters, stages)
    }
}

/// What several workers share: the source, and the way to each other. Whoever has nothing to do reads the next batch and
/// decodes it for all, so that there is no thread that only reads and no core that waits for it. Only reading excludes.
struct Shared {
    reader: Mutex<Reader>,
    /// Whether to read is to wait for nobody: all captures are files. What is piped may be long in coming, so a worker does first what it has,
    /// and nobody waits behind who waits for it.
    is_prompt: bool,
    /// Batches handed out; one that every worker has let go of is used again.
    spare: Mutex<Vec<Arc<Decoded>>>,
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
    clock: Clock,
    /// Batches read.
    count: u64,
    is_done: bool,
}

impl Reader {
    fn new(run: Run) -> Self {
        Self { run, batch: Batch::default(), clock: Clock::default(), count: 0, is_done: false }
    }

    /// Reads the next batch into `spare`, not decoded yet; `None` at the end.
    fn next(&mut self, mut spare: Arc<Decoded>) -> Option<Arc<Decoded>> {
        self.clock.next();
        let Self { run, batch, clock, .. } = self;
        if run.progress.is_stopped() || !clock.read(|| run.files.poll(batch)) {
            return None;
        }
        run.show_progress(batch.frames.len());
        Arc::get_mut(&mut spare)?.take(batch);
        Some(spare)
    }
}

impl Shared {
    /// Reads a batch, decodes it and hands it to every worker, unless somebody else is reading.
    fn read_if_free(&self, clock: &mut Clock) -> bool {
        self.reader.try_lock().is_ok_and(|reader| self.read_one(reader, clock))
    }

    /// The same once nobody else is.
    fn read_when_free(&self, clock: &mut Clock) -> bool {
        self.reader.lock().is_ok_and(|reader| self.read_one(reader, clock))
    }

    /// False if nothing is left to read, or if the slowest worker is too far behind.
    fn read_one(&self, mut reader: MutexGuard<'_, Reader>, clock: &mut Clock) -> bool {
        let slowest = self.done.iter().map(|done| done.load(Ordering::Relaxed)).min().unwrap_or(0);
        if reader.is_done || reader.count >= slowest + (self.inlets.len() * AHEAD_PER_WORKER) as u64 {
            return false;
        }
        let Some(mut decoded) = reader.next(self.take_spare()) else {
            reader.is_done = true;
            return self.hand_out(&Handed::End(reader.count));
        };
        let number = reader.count;
        reader.count += 1;
        drop(reader);
        if let Some(inside) = Arc::get_mut(&mut decoded) {
            clock.decode(|| inside.decode(REPLAY_SEED, self.inlets.len(), &self.turns.of(number)));
        }
        self.keep(&decoded);
        self.hand_out(&Handed::Batch(number, decoded))
    }

    fn take_spare(&self) -> Arc<Decoded> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let free = spare.iter_mut().position(|used| Arc::get_mut(used).is_some());
        free.map(|at| spare.swap_remove(at)).unwrap_or_default()
    }

    /// Keeps a batch for when it is free again.
    fn keep(&self, decoded: &Arc<Decoded>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(Arc::clone(decoded));
        }
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
    fn take(&mut self, handed: Handed) {
        match handed {
            Handed::Batch(number, decoded) => self.early.push((number, decoded)),
            Handed::End(count) => self.end = count,
        }
    }

    /// The next batch in order: from the inbox, or by reading; `None` at the end.
    fn next(&mut self, shared: &Shared, clock: &mut Clock) -> Option<Arc<Decoded>> {
        while self.next < self.end {
            let handed = self.handed;
            handed.try_iter().for_each(|handed| self.take(handed));
            if self.next >= self.end {
                // That was the word that nothing more comes: nobody will send another.
                break;
            }
            // Before it has run out: then others would have too, and all would want to read at once.
            if shared.is_prompt && self.early.len() < STOCK && shared.read_if_free(clock) {
                continue;
            }
            if let Some(at) = self.early.iter().position(|(number, _)| *number == self.next) {
                self.next += 1;
                return Some(self.early.swap_remove(at).1);
            }
            // Somebody is reading, which takes less time than a processor that fell asleep takes to wake up.
            let is_soon = (0..MAX_YIELDS).any(|_| {
                thread::yield_now();
                !self.handed.is_empty() || shared.is_prompt && shared.read_if_free(clock)
            });
            if is_soon {
                continue;
            }
            // What is read comes through the inbox, like everybody's.
            let has_read = if shared.is_prompt { shared.read_when_free(clock) } else { shared.read_if_free(clock) };
            if has_read {
                continue;
            }
            // Somebody has what is next, or reads what is piped, or is behind and will read when it is not: something comes. Looking again after a while
            // costs nothing and leaves no way to wait for ever.
            match self.handed.recv_timeout(LOOK_AGAIN) {
                Ok(handed) => self.take(handed),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
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
    reports: Sender<Report>,
) -> (Counters, Stages) {
    let _alarm = Alarm(shared);
    let mut desk = Desk::new(worker, number, reports);
    let mut inbox = Inbox { handed, early: Vec::new(), next: 0, end: u64::MAX };
    let (mut decoding, mut inspecting) = (Clock::default(), Clock::default());
    while let Some(decoded) = inbox.next(shared, &mut decoding) {
        decoding.next();
        if !process(&mut desk, &mut inspecting, &decoded) {
            shared.stop();
            break;
        }
        shared.done[number].fetch_add(1, Ordering::Relaxed);
    }
    (desk.close(), Stages { decode: decoding.stages().decode, ..inspecting.stages() })
}

/// Takes a worker's part of a batch through everything; false if nobody listens any more.
fn process(desk: &mut Desk, clock: &mut Clock, decoded: &Decoded) -> bool {
    clock.next();
    let mut groups = decoded.parts[desk.number].chunks(GROUP).peekable();
    groups.peek().into_iter().for_each(|first| decoded.prefetch(first));
    while let Some(group) = groups.next() {
        groups.peek().into_iter().for_each(|next| decoded.prefetch(next));
        let (bytes, framed) = (decoded.headers.bytes(&decoded.data), |&at: &u32| decoded.framed(at));
        clock.inspect(|| desk.worker.process_own(bytes, group.iter().map(framed)));
    }
    desk.report(&decoded.frames)
}
