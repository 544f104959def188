//! [`Suppressor`]: what keeps one busy host, or one indicator that is everywhere, from burying every other alert.
//!
//! Asked before an alert is made, it lets the first of a (source host, indicator) through and counts the others of the same window; and
//! of one indicator it lets through only so many a second, whatever hosts they are of. What was held back comes out as a roll-up, an alert
//! of the same indicator with numbers ([`Repeats`]): when its window ends, when its place is needed, or at the close. So nothing is
//! lost, only summarised: passed alerts and the counts of roll-ups add up to what was asked about.
//!
//! Pure: time is the packets', and the same questions in the same order get the same answers. It allocates nothing for what it
//! holds back (but the notice, once a window), and it knows no readers: a roll-up is shown through [`super::Audience::view`] like every alert.

mod aging;
mod count;
#[cfg(test)]
mod tests;

pub use count::{Distinct, Held, Occurrence, Repeats};

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::aging::Aging;
use self::count::Count;
use super::{Alert, Notice, OwnedValue, printable};
use crate::indicator::Where;
use crate::matcher::MatchSet;
use crate::packet::Address;
use crate::time::Timestamp;

/// How much is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressOptions {
    /// After an alert, further ones of the same source host and indicator are counted for so long.
    pub window: Duration,
    /// Alerts of one indicator let through in a second, whatever hosts they are of; 0 for no limit.
    pub alerts_per_second: u32,
    /// So many may come at once before that.
    pub burst: u32,
    /// (Source host, indicator) pairs remembered; beyond that the oldest is summarised and forgotten.
    pub max_pairs: usize,
    /// Indicators whose rate is remembered; the same.
    pub max_indicators: usize,
}

/// What became of what was asked about.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SuppressCounters {
    /// Let through.
    pub passed: u64,
    /// Held back: the same host and indicator had an alert in this window.
    pub by_window: u64,
    /// Held back: the indicator had too many.
    pub by_rate: u64,
    /// Windows that ended early because their place was needed.
    pub evicted: u64,
    /// Roll-ups made.
    pub roll_ups: u64,
}

/// See the module. Owned by one worker, or by whoever has all alerts in order.
pub struct Suppressor {
    options: SuppressOptions,
    set: Arc<MatchSet>,
    captures: Arc<[Arc<Path>]>,
    pairs: Aging<(Address, Likeness), Option<Count>>,
    rates: Aging<Likeness, Rate>,
    /// The latest packet time.
    clock: Timestamp,
    roll_ups: Vec<Alert>,
    notice: Option<Notice>,
    /// When an indicator was last said to flood.
    noticed: Option<Timestamp>,
    counters: SuppressCounters,
}

/// A token bucket, in billionths of an alert, and what found it empty.
struct Rate {
    tokens: u64,
    filled: Timestamp,
    held: Option<Count>,
}

/// [`crate::indicator::Indicator::likeness`]: what an indicator is known by, whatever set is in use.
type Likeness = u64;

const TOKEN: u64 = 1_000_000_000;

/// Alerts are raised a little out of order (what waits behind a hole, up to ten seconds). Time that steps back further than this, and
/// than a window, is another clock: all windows end.
const LEAST_STEP_BACK: Duration = Duration::from_secs(60);

impl Default for SuppressOptions {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(300),
            alerts_per_second: 10,
            burst: 100,
            max_pairs: 16_384,
            max_indicators: 4_096,
        }
    }
}

impl SuppressOptions {
    /// Bytes that the tables of one [`Suppressor`] take when full.
    pub fn bytes(&self) -> usize {
        Aging::<(Address, Likeness), Option<Count>>::bytes_for(self.max_pairs)
            + Aging::<Likeness, Rate>::bytes_for(self.max_indicators)
    }
}

impl Suppressor {
    /// For alerts out of `set` in these captures.
    pub fn new(options: SuppressOptions, set: &Arc<MatchSet>, captures: &Arc<[Arc<Path>]>) -> Self {
        Self {
            pairs: Aging::new(options.max_pairs),
            rates: Aging::new(options.max_indicators),
            options,
            set: Arc::clone(set),
            captures: Arc::clone(captures),
            clock: Timestamp::ZERO,
            roll_ups: Vec::new(),
            notice: None,
            noticed: None,
            counters: SuppressCounters::default(),
        }
    }

    /// Whether an alert is to be raised. If not, it is counted and will be in a roll-up.
    pub fn admits(&mut self, seen: &Occurrence) -> bool {
        self.tick(seen.frame.time);
        let likeness = self.set.indicator(seen.indicator).likeness();
        let pair = (seen.source(), likeness);
        if let Some(held) = self.pairs.get_mut(&pair) {
            Count::add(held, seen);
            self.counters.by_window += 1;
            return false;
        }
        if !self.has_token(likeness, seen) {
            self.counters.by_rate += 1;
            self.note_flood();
            return false;
        }
        if let Some((_, held)) = self.pairs.insert(pair, None, self.clock) {
            self.counters.evicted += 1;
            self.roll_up(held, Held::Window);
        }
        self.counters.passed += 1;
        true
    }

    /// Takes a token of the indicator's bucket; without one the occurrence is counted there.
    fn has_token(&mut self, indicator: Likeness, seen: &Occurrence) -> bool {
        if self.options.alerts_per_second == 0 {
            return true;
        }
        let now = self.clock;
        let (full, rate) = (u64::from(self.options.burst.max(1)) * TOKEN, u64::from(self.options.alerts_per_second));
        if self.rates.get_mut(&indicator).is_none() {
            let fresh = Rate { tokens: full, filled: now, held: None };
            if let Some((_, gone)) = self.rates.insert(indicator, fresh, now) {
                self.counters.evicted += 1;
                self.roll_up(gone.held, Held::Rate);
            }
        }
        let Some(bucket) = self.rates.get_mut(&indicator) else { return true };
        let elapsed_ns = u64::try_from(now.since(bucket.filled).as_nanos()).unwrap_or(u64::MAX);
        bucket.tokens = bucket.tokens.saturating_add(elapsed_ns.saturating_mul(rate)).min(full);
        bucket.filled = now;
        if bucket.tokens < TOKEN {
            Count::add(&mut bucket.held, seen);
            return false;
        }
        bucket.tokens -= TOKEN;
        true
    }

    /// Says once a window that some indicator floods. Which one only its roll-up says, to whom it may.
    fn note_flood(&mut self) {
        if self.noticed.is_some_and(|noticed| self.clock.since(noticed) < self.options.window) {
            return;
        }
        self.noticed = Some(self.clock);
        let rate = self.options.alerts_per_second;
        self.notice = Some(Notice {
            time: self.clock,
            action: "alerts-rate-limited",
            severity: 50,
            message: format!(
                "an indicator raises more than {rate} alerts a second; further ones come as one with picket.repeats. \
                 Check whether it is meant to be in the feed."
            ),
            fields: vec![(Where("picket.alerts_per_second"), OwnedValue::Number(rate.into()))],
        });
    }

    /// It is `now`: windows that are over give their roll-ups. Called with every question; call it too when there are none.
    pub fn tick(&mut self, now: Timestamp) {
        if self.clock.since(now) > self.options.window.max(LEAST_STEP_BACK) {
            self.close();
            self.clock = now;
        }
        self.clock = self.clock.max(now);
        let window_ns = u64::try_from(self.options.window.as_nanos()).unwrap_or(u64::MAX);
        if let Some(ended) = self.clock.as_ns().checked_sub(window_ns) {
            self.end(Timestamp::from_ns(ended));
        }
    }

    /// Ends every window.
    pub fn close(&mut self) {
        self.end(Timestamp::MAX);
        self.noticed = None;
    }

    /// Goes over to another set. What was counted is summed up with the old one's words, so that nothing here keeps it; the windows go
    /// on, so that a reload raises nothing again.
    pub fn swap(&mut self, set: &Arc<MatchSet>) {
        let mut held: Vec<(Option<Count>, Held)> = Vec::new();
        self.pairs.each(|count| held.push((count.take(), Held::Window)));
        self.rates.each(|rate| held.push((rate.held.take(), Held::Rate)));
        held.into_iter().for_each(|(count, why)| self.roll_up(count, why));
        self.set = Arc::clone(set);
    }

    fn end(&mut self, opened_until: Timestamp) {
        while let Some((_, held)) = self.pairs.leave(opened_until) {
            self.roll_up(held, Held::Window);
        }
        while let Some((_, gone)) = self.rates.leave(opened_until) {
            self.roll_up(gone.held, Held::Rate);
        }
    }

    fn roll_up(&mut self, held: Option<Count>, why: Held) {
        let Some(count) = held else { return };
        let latest = &count.latest;
        let indicator = latest.indicator;
        let capture = self.captures.get(latest.frame.file as usize);
        let named = self.set.indicator(indicator);
        self.counters.roll_ups += 1;
        self.roll_ups.push(Alert {
            frame: latest.frame,
            capture: capture.map_or_else(|| Path::new("").into(), Arc::clone),
            flow: latest.flow(),
            field: latest.field,
            // What was seen differs from one to the next: this is what they have in common.
            atomic: printable((named.kind.display)(named.value).as_bytes()),
            how: latest.how,
            with: Vec::new(),
            repeats: Some(Box::new(count.repeats(why))),
            evidence: None,
            indicator,
            set: Arc::clone(&self.set),
        });
    }

    /// Whether there are any for [`Suppressor::take`].
    pub fn has_roll_ups(&self) -> bool {
        !self.roll_ups.is_empty()
    }

    /// Roll-ups made since the last call, in the order that their windows ended.
    pub fn take(&mut self) -> Vec<Alert> {
        std::mem::take(&mut self.roll_ups)
    }

    /// What there is to say of floods since the last call.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    /// What became of what was asked about.
    pub fn counters(&self) -> SuppressCounters {
        self.counters
    }
}

impl SuppressCounters {
    /// Adds another's.
    pub fn merge(&mut self, other: &Self) {
        self.passed += other.passed;
        self.by_window += other.by_window;
        self.by_rate += other.by_rate;
        self.evicted += other.evicted;
        self.roll_ups += other.roll_ups;
    }
}

crate::bytes::opaque_debug!(Suppressor, "Suppressor");
