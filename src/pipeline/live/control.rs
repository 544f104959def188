//! [`Control`]: how the rest of the program stops a live run, gives it another set and sees how it is.
//!
//! What workers and the rest share is here ([`Shared`]). A worker reads one word a batch; everything behind a lock is touched
//! by it about once a second, or when the word says that something is new.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError};

use super::super::counters::Counters;
use super::super::named::{NamedFiles, Naming};
use super::super::reload::{self, FeedState};
use super::Event;
use super::clock::wall;
use super::overload::Shedding;
use crate::alert::{Alert, Notice, printable};
use crate::capture::live::{InterfaceState, Losses};
use crate::indicator::IndicatorIx;
use crate::matcher::MatchSet;
use crate::metrics::Tally;
use crate::time::Timestamp;

/// See the module.
pub struct Control {
    shared: Arc<Shared>,
    reload: Mutex<Option<Sender<reload::Request>>>,
}

/// How a live run is.
#[derive(Debug, Clone, Default)]
pub struct LiveStatus {
    /// One a worker.
    pub workers: Vec<WorkerStatus>,
    /// Names of the interfaces.
    pub interfaces: Vec<String>,
    /// All workers' losses.
    pub losses: Losses,
    /// Alerts that found room in the channel.
    pub alerts_sent: u64,
    /// Alerts that did not, and are lost.
    pub alerts_dropped: u64,
    /// Notices that did not.
    pub notices_dropped: u64,
    /// Alerts and notices that wait for their reader now, and that can.
    pub queue: (usize, usize),
    /// Sets that took over from another.
    pub generation: u64,
    /// When the set in use took over, by the machine's clock.
    pub set_since: Timestamp,
    /// Indicators in it.
    pub indicators: usize,
    /// Earlier sets that somebody still uses.
    pub retired_sets: usize,
    /// The feeds of the set in use.
    pub feeds: Vec<FeedState>,
    /// Reloads that were taken, and that were refused.
    pub reloads: u64,
    /// See [`LiveStatus::reloads`].
    pub reloads_refused: u64,
    /// Why feeds, or all of them, stayed as they were at the last one; nothing if all was taken.
    pub kept: Vec<String>,
    /// What beside feeds was taken at the last one.
    pub told: Vec<String>,
    /// How long the last reload took, in seconds.
    pub reload_seconds: f64,
}

/// How a worker is. Published by it about once a second.
#[derive(Debug, Clone, Default)]
pub struct WorkerStatus {
    /// Everything since the start.
    pub counters: Counters,
    /// What its source received and lost.
    pub losses: Losses,
    /// The same on each interface.
    pub losses_by_interface: Vec<Losses>,
    /// The same in the last second.
    pub losses_of_second: Losses,
    /// Frames of the last second.
    pub frames_of_second: u64,
    /// Frames by interface.
    pub frames_by_interface: Vec<u64>,
    /// How its interfaces are.
    pub interfaces: Vec<InterfaceState>,
    /// Flows in its table.
    pub live_flows: usize,
    /// Bytes that flows hold back.
    pub held_bytes: usize,
    /// Which set it looks with: [`LiveStatus::generation`] once it has gone over.
    pub generation: u64,
    /// What it leaves out.
    pub shedding: Shedding,
    /// How far behind its packets were in the last second, at worst.
    pub behind: Duration,
    /// How often it was made anew after a panic.
    pub restarts: u64,
    /// Frames of the batches in which that happened.
    pub frames_lost: u64,
    /// Time of its last packet.
    pub last_packet: Timestamp,
    /// Whether it goes on: it has not ended, and looked at the clock not long ago.
    pub is_running: bool,
}

/// What workers, control and reload share.
pub(in crate::pipeline) struct Shared {
    /// What a worker reads at every batch: the generation of the set, and in the lowest bit whether to stop.
    word: AtomicU64,
    set: Mutex<Current>,
    slots: Vec<Mutex<Arc<WorkerStatus>>>,
    interfaces: Vec<String>,
    events: Mutex<Option<Sender<Event>>>,
    pub(super) sent: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) notices_dropped: AtomicU64,
    /// What workers counted of sets that they have left.
    suppressed: Mutex<Suppressed>,
    /// What files are called that come over connections of their own.
    named: Mutex<NamedFiles>,
    pub(in crate::pipeline) reloads: Mutex<Reloads>,
    /// When each worker last looked at the clock, in milliseconds since `start`; [`ENDED`] once it has ended.
    beats: Vec<AtomicU64>,
    start: Instant,
    hung_after: Duration,
    /// Workers that have not ended.
    at_work: AtomicUsize,
    has_ended: AtomicBool,
}

struct Current {
    set: Arc<MatchSet>,
    since: Timestamp,
    /// Earlier ones: each is dropped here once nobody else has it, and so never on the path.
    retired: Vec<Arc<MatchSet>>,
}

#[derive(Default)]
struct Suppressed {
    left: Vec<(Arc<MatchSet>, Tally<IndicatorIx>)>,
    by_id: HashMap<String, u64>,
}

/// What became of reloads.
#[derive(Default)]
pub(in crate::pipeline) struct Reloads {
    pub(in crate::pipeline) feeds: Vec<FeedState>,
    pub(in crate::pipeline) taken: u64,
    pub(in crate::pipeline) refused: u64,
    pub(in crate::pipeline) kept: Vec<String>,
    pub(in crate::pipeline) told: Vec<String>,
    pub(in crate::pipeline) seconds: f64,
}

/// What the word says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) generation: u64,
    pub(super) is_stopped: bool,
}

impl Shared {
    pub(super) fn new(
        set: Arc<MatchSet>,
        (workers, hung_after): (usize, Duration),
        interfaces: &[String],
        events: Sender<Event>,
    ) -> Self {
        Self {
            word: AtomicU64::new(0),
            set: Mutex::new(Current { set, since: wall(), retired: Vec::new() }),
            slots: (0..workers).map(|_| Mutex::default()).collect(),
            interfaces: interfaces.to_vec(),
            events: Mutex::new(Some(events)),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            notices_dropped: AtomicU64::new(0),
            suppressed: Mutex::default(),
            named: Mutex::default(),
            reloads: Mutex::default(),
            beats: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            start: Instant::now(),
            hung_after,
            at_work: AtomicUsize::new(workers),
            has_ended: AtomicBool::new(false),
        }
    }

    /// The only thing that a worker reads at every batch.
    #[inline]
    pub(super) fn word(&self) -> Word {
        let word = self.word.load(Ordering::Relaxed);
        Word { generation: word >> 1, is_stopped: word & 1 != 0 }
    }

    /// The set to go over to, and its generation.
    pub(super) fn set(&self) -> (Arc<MatchSet>, u64) {
        let current = lock(&self.set);
        (Arc::clone(&current.set), self.word().generation)
    }

    pub(super) fn swap(&self, set: Arc<MatchSet>) {
        let mut current = lock(&self.set);
        let old = std::mem::replace(&mut current.set, set);
        current.retired.push(old);
        current.since = wall();
        self.word.fetch_add(2, Ordering::Relaxed);
    }

    pub(super) fn stop(&self) {
        self.word.fetch_or(1, Ordering::Relaxed);
    }

    /// The way out, for a worker to keep.
    pub(super) fn sender(&self) -> Option<Sender<Event>> {
        lock(&self.events).clone()
    }

    pub(super) fn interfaces(&self) -> &[String] {
        &self.interfaces
    }

    pub(super) fn publish(&self, worker: usize, status: WorkerStatus) {
        if let Some(slot) = self.slots.get(worker) {
            let status = Arc::new(status);
            // What was there is freed after the lock is let go of.
            let _before = std::mem::replace(&mut *lock(slot), status);
        }
    }

    /// A worker has left a set.
    pub(super) fn note_suppressed(&self, set: Arc<MatchSet>, tally: Tally<IndicatorIx>) {
        lock(&self.suppressed).left.push((set, tally));
    }

    /// A worker has looked at the clock.
    pub(super) fn beat(&self, worker: usize, now: Instant) {
        if let Some(beat) = self.beats.get(worker) {
            beat.store(self.since_start(now), Ordering::Relaxed);
        }
    }

    /// The workers that have not for too long, and have not ended.
    fn hung(&self) -> Vec<usize> {
        let now = self.since_start(Instant::now());
        let most = self.hung_after.as_millis() as u64;
        let beats = self.beats.iter().map(|beat| beat.load(Ordering::Relaxed));
        let hangs = |beat: u64| beat != ENDED && now.saturating_sub(beat) > most;
        beats.enumerate().filter(|(_, beat)| hangs(*beat)).map(|(worker, _)| worker).collect()
    }

    fn has_worker_ended(&self, worker: usize) -> bool {
        self.beats.get(worker).is_none_or(|beat| beat.load(Ordering::Relaxed) == ENDED)
    }

    fn since_start(&self, now: Instant) -> u64 {
        now.duration_since(self.start).as_millis() as u64
    }

    /// Takes in how files are called, and has alerts say it. The lock is taken for these only. Returns how many names gave way soon.
    pub(super) fn join(&self, named: Vec<Naming>, alerts: &mut [Alert]) -> u64 {
        if named.is_empty() && !alerts.iter().any(NamedFiles::concerns) {
            return 0;
        }
        let mut files = lock(&self.named);
        let before = files.given_way();
        // Of one worker and batch: each alert finds what was said before its frame.
        files.add(named);
        alerts.iter_mut().for_each(|alert| files.join(alert));
        files.take_all();
        files.given_way() - before
    }

    /// A worker has ended; after the last one nothing comes through the channel any more.
    pub(super) fn leave(&self, worker: usize) {
        if let Some(beat) = self.beats.get(worker) {
            beat.store(ENDED, Ordering::Relaxed);
        }
        if self.at_work.fetch_sub(1, Ordering::AcqRel) == 1 {
            lock(&self.events).take();
        }
    }

    /// Says something that no worker says. Never waits.
    pub(in crate::pipeline) fn say(&self, notice: Notice) {
        if let Some(events) = self.sender() {
            match events.try_send(Event::Notice(notice)) {
                Err(TrySendError::Full(_)) => drop(self.notices_dropped.fetch_add(1, Ordering::Relaxed)),
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            }
        }
    }

    /// Until the run has ended: drops old sets once nobody has them, and names what workers counted by number.
    pub(super) fn keep_house(&self) {
        while !self.has_ended.load(Ordering::Relaxed) {
            thread::park_timeout(HOUSEKEEPING);
            self.name_suppressed();
            let unused: Vec<_> = lock(&self.set).retired.extract_if(.., |set| Arc::strong_count(set) == 1).collect();
            drop(unused);
        }
    }

    fn name_suppressed(&self) {
        let left = std::mem::take(&mut lock(&self.suppressed).left);
        for (set, tally) in left {
            let mut suppressed = lock(&self.suppressed);
            for (&ix, count) in tally.iter() {
                let id = printable(set.indicator(ix).id().as_bytes());
                let is_known = suppressed.by_id.contains_key(&id) || suppressed.by_id.len() < MAX_SUPPRESSED;
                *suppressed.by_id.entry(if is_known { id } else { FURTHER.to_owned() }).or_default() += count;
            }
        }
    }

    fn snapshot(&self) -> LiveStatus {
        let mut workers: Vec<WorkerStatus> =
            self.slots.iter().map(|slot| Arc::clone(&*lock(slot))).map(|s| (*s).clone()).collect();
        let hung = self.hung();
        for (number, worker) in workers.iter_mut().enumerate() {
            worker.is_running = !hung.contains(&number) && !self.has_worker_ended(number);
        }
        let mut losses = Losses::default();
        workers.iter().for_each(|worker| losses.add(worker.losses));
        let (set, since, retired_sets) = {
            let current = lock(&self.set);
            (Arc::clone(&current.set), current.since, current.retired.len())
        };
        let queue = self.sender().map_or((0, 0), |events| (events.len(), events.capacity().unwrap_or(0)));
        let reloads = lock(&self.reloads);
        LiveStatus {
            workers,
            interfaces: self.interfaces.clone(),
            losses,
            alerts_sent: self.sent.load(Ordering::Relaxed),
            alerts_dropped: self.dropped.load(Ordering::Relaxed),
            notices_dropped: self.notices_dropped.load(Ordering::Relaxed),
            queue,
            generation: self.word().generation,
            set_since: since,
            indicators: set.indicators().len(),
            retired_sets,
            feeds: reloads.feeds.clone(),
            reloads: reloads.taken,
            reloads_refused: reloads.refused,
            kept: reloads.kept.clone(),
            told: reloads.told.clone(),
            reload_seconds: reloads.seconds,
        }
    }
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, reload: Mutex::new(None) }
    }

    /// Stops capture. What is in the rings is read on, within [`super::WatchOptions::drain`]; then the channel is closed.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.shared.word().is_stopped
    }

    /// Has every worker go over to another set, between two batches: a packet sees one set. Flows go on; their addresses are
    /// looked up in the new set (`live/succession.rs`).
    pub fn swap(&self, set: Arc<MatchSet>) {
        self.shared.swap(set);
    }

    /// The workers that hang, by number ([`super::WatchOptions::hung_after`]).
    pub fn hung(&self) -> Vec<usize> {
        self.shared.hung()
    }

    /// The set in use.
    pub fn set(&self) -> Arc<MatchSet> {
        self.shared.set().0
    }

    /// Puts a notice among the alerts. Never waits: one that finds no room is counted.
    pub fn say(&self, notice: Notice) {
        self.shared.say(notice);
    }

    /// How the run is.
    pub fn snapshot(&self) -> LiveStatus {
        self.shared.snapshot()
    }

    /// Has the feeds loaded anew, if somebody does that ([`reload::start`]); false if nobody does.
    pub fn reload(&self, request: reload::Request) -> bool {
        lock(&self.reload).as_ref().is_some_and(|to| match to.try_send(request) {
            Ok(()) | Err(TrySendError::Full(_)) => true,
            Err(TrySendError::Disconnected(_)) => false,
        })
    }

    pub(in crate::pipeline) fn set_reload(&self, to: Sender<reload::Request>) {
        *lock(&self.reload) = Some(to);
    }

    pub(in crate::pipeline) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether the run is over.
    pub(in crate::pipeline) fn has_ended(&self) -> bool {
        self.shared.has_ended.load(Ordering::Relaxed)
    }

    /// Nobody else writes any more.
    pub(super) fn end(&self) {
        self.shared.has_ended.store(true, Ordering::Relaxed);
        lock(&self.reload).take();
        lock(&self.shared.events).take();
    }

    /// What was suppressed: of the set in use into the counters, of earlier ones by id.
    pub(super) fn take_suppressed(&self, counters: &mut Counters) -> BTreeMap<String, u64> {
        let current = self.set();
        let left = std::mem::take(&mut lock(&self.shared.suppressed).left);
        let (now, before): (Vec<_>, Vec<_>) = left.into_iter().partition(|(set, _)| set.id() == current.id());
        now.iter().for_each(|(_, tally)| counters.suppressed.merge(tally));
        lock(&self.shared.suppressed).left = before;
        self.shared.name_suppressed();
        lock(&self.shared.suppressed).by_id.drain().collect()
    }
}

pub(in crate::pipeline) fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The beat of a worker that has ended.
const ENDED: u64 = u64::MAX;

/// How often old sets are looked at.
const HOUSEKEEPING: Duration = Duration::from_millis(100);

/// Indicators of earlier sets told apart when counting what was suppressed; the rest is counted together.
const MAX_SUPPRESSED: usize = 100_000;

const FURTHER: &str = "further";
