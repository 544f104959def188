//! [`Output`]: a format, a destination, a filter and a queue, with a thread that delivers.
//!
//! [`Output::write`] makes the record and queues it: it never waits for the destination, and never fails; what the queue cannot keep is counted
//! and said in the stream itself (`alerts-dropped`). The thread takes records in order, hands them over until each is delivered or refused for
//! good, and only then lets go of them. So what was queued on disk arrives at least once, whatever happens to either side, and its id tells
//! the second time.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::dead_letter::DeadLetterOptions;
use super::destination::{Destination, OpenError};
use super::filter::Filter;
use super::spool::{Spool, SpoolOptions};
use super::worker::Worker;
use super::{Format, Record, ecs};
use crate::alert::{Notice, View};

/// An output, as it is configured.
#[derive(Debug, Clone)]
pub struct OutputOptions {
    /// What it is called, in status and clearance.
    pub name: String,
    /// How records are written.
    pub format: &'static Format,
    /// Where they go.
    pub destination: Destination,
    /// Which.
    pub filter: Filter,
    /// Where they wait.
    pub spool: SpoolOptions,
    /// How long the destination is left alone after trouble.
    pub retry: RetryOptions,
    /// Where records go that the destination refuses for good; without it they are counted only.
    pub dead_letter: Option<DeadLetterOptions>,
    /// How long [`Output::stop`] waits for what is queued.
    pub drain: Duration,
}

/// How long a destination is left alone: twice as long after each failure, up to a cap; anything from half of it to all of it, so that many sensors
/// do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryOptions {
    /// After the first failure.
    pub first: Duration,
    /// The cap.
    pub most: Duration,
}

/// What became of an output's records since it was opened. No value of a record is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputStatus {
    /// What it is called.
    pub name: String,
    /// Its format.
    pub format: &'static str,
    /// Its destination.
    pub destination: &'static str,
    /// Queued.
    pub accepted: u64,
    /// Not let through by the filter.
    pub filtered: u64,
    /// Arrived.
    pub delivered: u64,
    /// Handed over again, counted for each time.
    pub retried: u64,
    /// Given up for want of room.
    pub dropped: u64,
    /// Refused by the destination for good.
    pub dead_lettered: u64,
    /// Of those, how many are in no file.
    pub dead_letters_lost: u64,
    /// Queued in memory because the disk took nothing.
    pub spilled: u64,
    /// Bytes of the queue that were no record when it was read: the end of what a crash cut off, or damage.
    pub damaged_bytes: u64,
    /// Records that wait.
    pub queue_records: u64,
    /// Bytes that they take.
    pub queue_bytes: u64,
    /// How long the oldest has waited.
    pub queue_age: Option<Duration>,
    /// Whether the last attempt succeeded.
    pub is_up: bool,
    /// What was last wrong with the destination or the queue; it stays when it is over.
    pub last_error: Option<String>,
    /// How long ago that was.
    pub last_error_age: Option<Duration>,
}

/// See the module.
pub struct Output {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread and its users share.
pub(super) struct Shared {
    pub(super) options: OutputOptions,
    pub(super) state: Mutex<State>,
    /// Something was queued, or something is to be done.
    pub(super) wake: Condvar,
}

pub(super) struct State {
    pub(super) spool: Spool,
    pub(super) counts: Counts,
    /// When the thread is to end, at the latest.
    pub(super) ends: Option<Instant>,
    pub(super) reopens: bool,
    pub(super) has_ended: bool,
}

#[derive(Default)]
pub(super) struct Counts {
    accepted: u64,
    filtered: u64,
    pub(super) delivered: u64,
    pub(super) retried: u64,
    pub(super) dead_lettered: u64,
    pub(super) dead_letters_lost: u64,
    pub(super) is_up: bool,
    pub(super) error: Option<(String, Instant)>,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            format: &ecs::FORMAT,
            destination: Destination::Stdout,
            filter: Filter::default(),
            spool: SpoolOptions::default(),
            retry: RetryOptions::default(),
            dead_letter: None,
            drain: Duration::from_secs(5),
        }
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), most: Duration::from_secs(60) }
    }
}

impl OutputOptions {
    /// Reads what the destination needs, without touching what another output may have open: whether it could be opened, as far as that shows.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn check(&self) -> Result<(), OpenError> {
        match self.destination {
            Destination::File(_) | Destination::Stdout => Ok(()),
            _ => self.destination.open(self.format).map(drop),
        }
    }

    /// The files and folders that no two outputs may have open at once.
    pub fn places(&self) -> Vec<PathBuf> {
        let destination = match &self.destination {
            Destination::File(file) => Some(file.path.clone()),
            Destination::Stdout => Some("/dev/stdout".into()),
            _ => None,
        };
        let dead_letter = self.dead_letter.as_ref().map(|letters| letters.path.clone());
        [destination, self.spool.folder.clone(), dead_letter].into_iter().flatten().collect()
    }
}

impl Output {
    /// Opens queue and destination, and starts delivering what an earlier process left.
    ///
    /// # Errors
    /// [`OpenError`]. That the other side does not answer is none.
    pub fn open(options: OutputOptions) -> Result<Self, OpenError> {
        let destination = options.destination.open(options.format)?;
        let spool = Spool::open(options.spool.clone()).map_err(|source| {
            let path = options.spool.folder.clone().unwrap_or_default();
            OpenError::File { path, source }
        })?;
        let counts = Counts { is_up: true, ..Counts::default() };
        let state = State { spool, counts, ends: None, reopens: false, has_ended: false };
        let shared = Arc::new(Shared { options, state: Mutex::new(state), wake: Condvar::new() });
        let worker = Worker::new(Arc::clone(&shared), destination);
        // The kernel cuts names of threads at 15 bytes.
        let thread = thread::Builder::new().name(format!("sink-{}", shared.options.name)).spawn(move || worker.run());
        let thread = thread.map_err(|source| OpenError::File { path: "a thread".into(), source })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.shared.options.name
    }

    /// As it was opened.
    pub fn options(&self) -> &OutputOptions {
        &self.shared.options
    }

    /// Queues what may be seen of an alert; by whom is up to whoever made the view.
    pub fn write(&self, view: &View<'_>) {
        if !self.shared.options.filter.accepts(view) {
            self.shared.lock().counts.filtered += u64::from(!matches!(view, View::Nothing));
        } else if let Some(record) = self.shared.options.format.record(view) {
            self.put(record);
        }
    }

    /// Queues what the sensor says of itself.
    pub fn notice(&self, notice: &Notice) {
        if self.shared.options.filter.accepts_notice(notice) {
            self.put(self.shared.options.format.notice(notice));
        } else {
            self.shared.lock().counts.filtered += 1;
        }
    }

    /// Queues a record that was made elsewhere in this output's format.
    pub fn put(&self, record: Record) {
        let mut state = self.shared.lock();
        state.counts.accepted += 1;
        state.spool.push(record);
        drop(state);
        self.shared.wake.notify_all();
    }

    /// Has the destination opened by its name again, for `logrotate`.
    pub fn reopen(&self) {
        self.shared.lock().reopens = true;
        self.shared.wake.notify_all();
    }

    /// How it stands.
    pub fn status(&self) -> OutputStatus {
        let state = self.shared.lock();
        let State { spool, counts, .. } = &*state;
        let kept = spool.counts();
        OutputStatus {
            name: self.shared.options.name.clone(),
            format: self.shared.options.format.name,
            destination: self.shared.options.destination.name(),
            accepted: counts.accepted,
            filtered: counts.filtered,
            delivered: counts.delivered,
            retried: counts.retried,
            dropped: kept.dropped,
            dead_lettered: counts.dead_lettered,
            dead_letters_lost: counts.dead_letters_lost,
            spilled: kept.spilled,
            damaged_bytes: spool.found().damaged_bytes,
            queue_records: kept.waiting,
            queue_bytes: spool.bytes(),
            queue_age: spool.age(),
            is_up: counts.is_up,
            last_error: counts.error.as_ref().map(|(word, _)| word.clone()),
            last_error_age: counts.error.as_ref().map(|(_, at)| at.elapsed()),
        }
    }

    /// Delivers what is queued, for so long as the options say, and ends. What is left waits on disk for the next process; without one it is counted
    /// as dropped.
    pub fn stop(&self) -> OutputStatus {
        self.stop_within(self.shared.options.drain)
    }

    /// Ends at once, for an output that goes on with what is in this one's folder. Without one it is as [`Output::stop`].
    pub fn hand_over(&self) -> OutputStatus {
        match self.shared.options.spool.folder {
            Some(_) => self.stop_within(Duration::ZERO),
            None => self.stop(),
        }
    }

    fn stop_within(&self, time: Duration) -> OutputStatus {
        let ends = Instant::now() + time;
        self.shared.lock().ends = Some(ends);
        self.shared.wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A destination may take its time-outs longer; nothing is asked of it then.
            while !self.shared.lock().has_ended && Instant::now() < ends + GRACE {
                thread::sleep(Duration::from_millis(2));
            }
            if self.shared.lock().has_ended {
                let _ = thread.join();
            }
            self.shared.lock().spool.close();
        }
        self.status()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// A panic of another thread leaves counters behind, and records that are whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much longer than its time a destination may take to end.
const GRACE: Duration = Duration::from_secs(2);
