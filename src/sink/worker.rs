//! [`Worker`]: the thread of an output. It takes records from the queue, hands them over until none is left of a batch, and says in the stream
//! itself what was dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Record;
use super::dead_letter::DeadLetters;
use super::destination::{Deliver, Fate, Trouble};
use super::output::{Shared, State};
use super::spool::Entry;
use crate::alert::{Notice, OwnedValue};
use crate::indicator::Where;
use crate::time::Timestamp;

/// See the module.
pub(super) struct Worker {
    shared: Arc<Shared>,
    destination: Box<dyn Deliver>,
    dead_letters: Option<DeadLetters>,
    /// Failures since something last arrived.
    failures: u32,
    synced: Instant,
    /// Dropped records that a notice has told of.
    told: u64,
    told_at: Option<Instant>,
    random: u64,
}

/// How often the clock is looked at when nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// A notice of dropped records is said no oftener.
const BETWEEN_NOTICES: Duration = Duration::from_secs(60);

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, destination: Box<dyn Deliver>) -> Self {
        let dead_letters = shared.options.dead_letter.clone().map(DeadLetters::new);
        let random = foldhash::fast::RandomState::default();
        let random = std::hash::BuildHasher::hash_one(&random, shared.options.name.as_str()) | 1;
        Self { shared, destination, dead_letters, failures: 0, synced: Instant::now(), told: 0, told_at: None, random }
    }

    /// Until the output is stopped.
    pub(super) fn run(mut self) {
        let (max_records, max_bytes) = self.destination.batch();
        loop {
            self.by_the_clock();
            let taken = {
                let mut state = self.shared.lock();
                if state.spool.counts().waiting == 0 || !self.may_go_on(&state) {
                    if state.ends.is_some() {
                        break;
                    }
                    state =
                        self.shared.wake.wait_timeout(state, TICK).map_or_else(|e| e.into_inner().0, |woken| woken.0);
                }
                state.spool.take(max_records, max_bytes)
            };
            match taken {
                Ok(taken) if taken.is_empty() => {}
                Ok(taken) => {
                    if !self.deliver(&taken) {
                        break;
                    }
                    self.shared.lock().spool.done(&taken);
                }
                Err(error) => self.failed(error.into()),
            }
        }
        self.guarded(|destination| destination.tick());
        drop(self.destination);
        self.shared.lock().has_ended = true;
    }

    /// A destination that panics is opened anew, and what it was given stays in the queue.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut dyn Deliver) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| act(&mut *self.destination)));
        if done.is_err() {
            let options = &self.shared.options;
            self.shared.lock().counts.error = Some(("a panic".to_owned(), Instant::now()));
            // If its secrets cannot be read any more the old one goes on.
            if let Ok(fresh) = options.destination.open(options.format) {
                self.destination = fresh;
            }
        }
        done.ok()
    }

    /// Hands records over until each has arrived or is refused; false if the output ends before.
    fn deliver(&mut self, taken: &[Entry]) -> bool {
        let mut left: Vec<&Record> = taken.iter().map(|entry| &entry.record).collect();
        let mut fates = Vec::new();
        while !left.is_empty() {
            fates.clear();
            let sent = self.guarded(|destination| destination.deliver(&left, &mut fates));
            let trouble = match sent.unwrap_or(Err(Trouble::word("a panic"))) {
                Ok(()) => self.settle(&mut left, &fates),
                Err(trouble) => Some(trouble),
            };
            let Some(trouble) = trouble else {
                self.failures = 0;
                self.shared.lock().counts.is_up = true;
                continue;
            };
            self.shared.lock().counts.retried += left.len() as u64;
            self.failed(trouble);
            let mut state = self.shared.lock();
            if !self.may_go_on(&state) {
                // The next process begins with the first that has not arrived.
                let begins = |entry: &Entry| left.first().is_some_and(|first| std::ptr::eq(*first, &entry.record));
                let arrived = taken.iter().position(begins).unwrap_or(taken.len());
                state.spool.done(&taken[..arrived]);
                return false;
            }
            drop(state);
            self.by_the_clock();
        }
        true
    }

    /// Counts what became of records; those that may arrive at another try are left. Gives why, if there are any.
    fn settle(&mut self, left: &mut Vec<&Record>, fates: &[Fate]) -> Option<Trouble> {
        let mut again = Vec::new();
        let mut trouble = None;
        let (mut delivered, mut dead, mut lost) = (0, 0, 0);
        let mut refusal = None;
        // A destination that says nothing of a record has not taken it.
        let fates = fates.iter().copied().chain(std::iter::repeat(Fate::Again(Trouble::word("no answer"))));
        for (record, fate) in left.iter().zip(fates) {
            match fate {
                Fate::Delivered => delivered += 1,
                Fate::Again(why) => {
                    trouble = Some(why);
                    again.push(*record);
                }
                Fate::Refused(why) => {
                    dead += 1;
                    refusal = Some(why);
                    let is_kept = self.dead_letters.as_mut().is_some_and(|letters| letters.put(record, why).is_ok());
                    lost += u64::from(!is_kept);
                }
            }
        }
        *left = again;
        let mut state = self.shared.lock();
        state.counts.delivered += delivered;
        state.counts.dead_lettered += dead;
        state.counts.dead_letters_lost += lost;
        if let Some(why) = refusal {
            state.counts.error = Some((format!("refused: {why}"), Instant::now()));
        }
        trouble
    }

    /// Leaves the other side alone for a while.
    fn failed(&mut self, trouble: Trouble) {
        self.failures = self.failures.saturating_add(1);
        let wait = self.pause(trouble.after);
        {
            let mut state = self.shared.lock();
            state.counts.is_up = false;
            state.counts.error = Some((trouble.to_string(), Instant::now()));
        }
        if self.failures == 1 {
            tracing::warn!(output = %self.shared.options.name, "an output does not deliver: {trouble}");
        }
        let until = Instant::now() + wait;
        let shared = Arc::clone(&self.shared);
        loop {
            let state = shared.lock();
            let until = state.ends.map_or(until, |ends| until.min(ends));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.reopens {
                return;
            }
            drop(shared.wake.wait_timeout(state, left.min(TICK)));
            // Records come in meanwhile, and files are to be synchronised.
            self.by_the_clock_but_destination();
        }
    }

    /// Twice as long each time, up to the cap; half of it is by chance. What the other side asks for is waited for in any case.
    fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let retry = self.shared.options.retry;
        let doubled = retry.first.saturating_mul(1 << (self.failures.saturating_sub(1)).min(20)).min(retry.most);
        // xorshift: a coin to spread sensors, not a secret.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random >> 40) as f64 / (1u64 << 24) as f64;
        doubled.mul_f64(0.5 + share / 2.0).max(asked.unwrap_or_default().min(MAX_ASKED))
    }

    fn may_go_on(&self, state: &State) -> bool {
        state.ends.is_none_or(|ends| Instant::now() < ends)
    }

    fn by_the_clock(&mut self) {
        let reopens = std::mem::take(&mut self.shared.lock().reopens);
        self.guarded(|destination| {
            if reopens {
                destination.reopen();
            }
            destination.tick();
        });
        self.by_the_clock_but_destination();
    }

    fn by_the_clock_but_destination(&mut self) {
        let unsynced = {
            let mut state = self.shared.lock();
            state.spool.settle();
            match state.spool.sync_interval() {
                Some(interval) if self.synced.elapsed() >= interval => state.spool.unsynced(),
                _ => None,
            }
        };
        if let Some(file) = unsynced {
            self.synced = Instant::now();
            if let Err(error) = file.sync_data() {
                self.shared.lock().counts.error = Some((Trouble::from(error).to_string(), Instant::now()));
            }
        }
        self.tell();
    }

    /// Says in the stream that records were dropped: now and then while that goes on, and when there is room for it.
    fn tell(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let dropped = state.spool.counts().dropped;
        if dropped == self.told {
            return;
        }
        let Shared { options, .. } = &*shared;
        let record = options.format.notice(&dropped_notice(&options.name, dropped - self.told, dropped));
        let is_due = self.told_at.is_none_or(|at| at.elapsed() >= BETWEEN_NOTICES) && state.ends.is_none();
        let has_room = state.ends.is_some() && state.spool.has_room(&record);
        if !(is_due || has_room) {
            return;
        }
        // What gives way for it is counted, and told of the next time.
        if !options.filter.has_notices || state.spool.push(record) {
            self.told = dropped;
        }
        self.told_at = Some(Instant::now());
        tracing::warn!(output = %options.name, dropped, "an output dropped alerts: its queue was full");
    }
}

/// `total` since the output was opened: a notice may be dropped itself, and the next must not say the less for it.
fn dropped_notice(output: &str, dropped: u64, total: u64) -> Notice {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Notice {
        time: Timestamp::from_ns(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)),
        action: "alerts-dropped",
        severity: 70,
        message: format!(
            "The output {output} dropped {dropped} alerts: its queue was full. Look whether its destination takes alerts, or give the queue more room."
        ),
        fields: vec![
            (Where("picket.output"), OwnedValue::Text(output.to_owned())),
            (Where("picket.dropped"), OwnedValue::Number(dropped)),
            (Where("picket.dropped_total"), OwnedValue::Number(total)),
        ],
    }
}

/// Longest wait that the other side may ask for.
const MAX_ASKED: Duration = Duration::from_secs(300);
