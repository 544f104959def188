//! [`Station`]: one worker of a live run on its thread, with its source. What it keeps over a panic is here; what a panic may have
//! left in pieces ([`Desk`]) is made anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError};

use super::super::Options;
use super::super::clock::Clock;
use super::super::counters::Counters;
use super::super::decoded::Headers;
use super::super::fragments::Assembler;
use super::super::worker::{GROUP, Worker};
use super::clock::{Backlog, PacketClock};
use super::control::{Shared, WorkerStatus};
use super::loss::{Change, Gaps};
use super::notices::{self, Who};
use super::overload::{Overload, Signs};
use super::succession::Round;
use super::{Event, Names, WatchOptions};
use crate::alert::{Alert, FlowRecord, Notice};
use crate::capture::Batch;
use crate::capture::live::{InterfaceState, Live, Losses};
use crate::flow::HashSeed;
use crate::matcher::MatchSet;
use crate::packet::FrameRef;
use crate::time::Timestamp;

/// See the module.
pub(super) struct Station {
    number: usize,
    cpu: Option<usize>,
    source: Box<dyn Live>,
    captures: Arc<[Arc<Path>]>,
    shared: Arc<Shared>,
    events: Option<Sender<Event>>,
    share: Options,
    options: WatchOptions,
    set: Arc<MatchSet>,
    generation: u64,
    desk: Desk,
    round: Round,
    batch: Batch,
    clock: PacketClock,
    stages: Clock,
    backlog: Backlog,
    behind: Duration,
    overload: Overload,
    gaps: Gaps,
    losses: Losses,
    losses_by_interface: Vec<Losses>,
    /// Numbers of desks that a panic ended.
    before: Counters,
    restarts: u64,
    frames_lost: u64,
    frames_by_interface: Vec<u64>,
    interfaces: Vec<InterfaceState>,
    published_frames: u64,
    /// Alerts that found no room, and of which that was not said yet.
    untold_drops: u64,
    /// Notices that found no room yet.
    notices: Vec<Notice>,
    tick_at: Instant,
    ticks: u64,
    drain_until: Option<Instant>,
}

/// What a panic may leave in pieces.
struct Desk {
    worker: Worker,
    headers: Headers,
    assembler: Assembler,
    seed: HashSeed,
}

/// What a worker came to.
pub(super) struct Ended {
    pub(super) status: WorkerStatus,
    pub(super) decode: Duration,
    pub(super) inspect: Duration,
}

impl Desk {
    fn new(set: &Arc<MatchSet>, captures: &Arc<[Arc<Path>]>, share: &Options, kept_names: usize) -> Self {
        let mut worker = Worker::new(set, captures, share, 1);
        if kept_names > 0 {
            worker.eyes.keep_names(Names::new(kept_names));
        }
        Self { worker, headers: Headers::default(), assembler: Assembler::default(), seed: HashSeed::random() }
    }
}

impl Station {
    pub(super) fn new(
        (number, cpu): (usize, Option<usize>),
        source: Box<dyn Live>,
        captures: Arc<[Arc<Path>]>,
        shared: Arc<Shared>,
        share: Options,
        options: WatchOptions,
    ) -> Self {
        let (set, generation) = shared.set();
        let now = Instant::now();
        let interfaces = source.state();
        Self {
            number,
            cpu,
            desk: Desk::new(&set, &captures, &share, options.kept_names),
            source,
            events: shared.sender(),
            share,
            set,
            generation,
            round: Round::default(),
            batch: Batch::default(),
            clock: PacketClock::start(now),
            stages: Clock::default(),
            backlog: Backlog::start(now),
            behind: Duration::ZERO,
            overload: Overload::default(),
            gaps: Gaps::new(options.gap_quiet),
            losses: Losses::default(),
            losses_by_interface: Vec::new(),
            before: Counters::default(),
            restarts: 0,
            frames_lost: 0,
            frames_by_interface: vec![0; interfaces.len()],
            interfaces,
            published_frames: 0,
            untold_drops: 0,
            notices: Vec::new(),
            tick_at: now,
            ticks: 0,
            drain_until: None,
            captures,
            shared,
            options,
        }
    }

    /// Until the run is stopped or the source ends. A panic on the way costs the batch and what was known of flows.
    pub(super) fn run(mut self) -> Ended {
        let _leaving = Leaving(Arc::clone(&self.shared), self.number);
        if let Some(cpu) = self.cpu {
            pin(cpu);
        }
        while catch_unwind(AssertUnwindSafe(|| while self.turn() {})).is_err() {
            self.restart();
        }
        self.end()
    }

    /// One batch; false at the end.
    fn turn(&mut self) -> bool {
        let word = self.shared.word();
        if word.generation != self.generation {
            self.go_over();
        }
        self.stages.next();
        let goes_on = self.source.poll(&mut self.batch);
        let now = Instant::now();
        let is_idle = self.batch.frames.is_empty();
        if !is_idle {
            self.inspect(now);
            self.batch.frames.clear();
        }
        if !self.round.is_done() {
            self.go_round(now, if is_idle { IDLE_BUCKETS } else { BUCKETS });
        }
        self.hand_out();
        if now >= self.tick_at {
            self.tick(now);
        }
        let is_drained = word.is_stopped && {
            let until = *self.drain_until.get_or_insert(now + self.options.drain);
            is_idle || now >= until
        };
        goes_on && !is_drained && self.events.is_some()
    }

    fn inspect(&mut self, now: Instant) {
        let Self { desk: Desk { worker, headers, assembler, seed }, batch, stages, .. } = self;
        let Some((first, last)) = batch.frames.first().zip(batch.frames.last()) else { return };
        self.backlog.packet(first.time, now);
        self.clock.packet(last.time, now);
        if let Some(frames) = self.frames_by_interface.get_mut(first.file as usize) {
            *frames += batch.frames.len() as u64;
        }
        for group in batch.frames.chunks(GROUP) {
            #[cfg(test)]
            self.options
                .panic_at_frame
                .take_if(|at| group.iter().any(|frame| frame.number == *at))
                .inspect(|_| panic!("as asked"));
            let ahead = |item: &mut _| worker.prefetch(item);
            stages.decode(|| headers.decode(&batch.data, group, *seed, assembler, ahead));
            stages.inspect(|| worker.process_decoded(headers, &batch.data, group));
        }
    }

    /// Another set took over.
    #[cold]
    fn go_over(&mut self) {
        let (set, generation) = self.shared.set();
        let suppressed = self.desk.worker.adopt(&set);
        let left = std::mem::replace(&mut self.set, set);
        self.shared.note_suppressed(left, suppressed);
        self.generation = generation;
        self.round.begin(&self.desk.worker);
    }

    /// Goes through some flows after another set took over.
    #[cold]
    fn go_round(&mut self, now: Instant, buckets: usize) {
        let all_interfaces = (self.captures.len() - 1) as u32;
        let file = if self.captures.len() == 2 { 0 } else { all_interfaces };
        let frame = FrameRef { file, number: 0, time: self.clock.time(now) };
        self.round.go_on(&mut self.desk.worker, self.desk.seed, buckets, frame);
    }

    /// Hands out what was raised. Never waits.
    #[inline]
    fn hand_out(&mut self) {
        if self.desk.worker.has_alerts() || !self.desk.worker.eyes.named.is_empty() {
            let named = std::mem::take(&mut self.desk.worker.eyes.named);
            let mut alerts = self.desk.worker.take_alerts();
            self.desk.worker.counters.names_given_way += self.shared.join(named, &mut alerts);
            self.send(alerts);
        }
        if self.share.flow_log.is_some() {
            let flows = self.desk.worker.take_flows();
            self.send_flows(flows);
        }
    }

    fn send(&mut self, alerts: Vec<Alert>) {
        let Some(events) = &self.events else { return };
        let (mut sent, mut dropped) = (0, 0);
        for alert in alerts {
            match events.try_send(Event::Alert(alert)) {
                Ok(()) => sent += 1,
                Err(TrySendError::Full(_)) => dropped += 1,
                Err(TrySendError::Disconnected(_)) => {
                    // Nobody listens any more.
                    self.events = None;
                    break;
                }
            }
        }
        self.shared.sent.fetch_add(sent, Ordering::Relaxed);
        self.shared.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.untold_drops += dropped;
    }

    /// Flow records that find no room are counted.
    fn send_flows(&mut self, flows: Vec<FlowRecord>) {
        let Some(events) = &self.events else { return };
        let dropped =
            flows.into_iter().filter_map(|record| events.try_send(Event::Flow(Box::new(record))).err()).count();
        self.before.flow_log.dropped += dropped as u64;
    }

    /// Ten times a second: time goes on, what is too much is left out; and once a second the numbers are shown.
    fn tick(&mut self, now: Instant) {
        self.tick_at = now + TICK;
        self.ticks += 1;
        self.shared.beat(self.number, now);
        let time = self.clock.time(now);
        self.desk.worker.idle(time, TICK_ROUNDS);
        self.desk.worker.end_batch(time);
        if let Some(notice) = self.desk.worker.eyes.take_notice() {
            self.say(|_| notice);
        }
        let is_second = self.ticks.is_multiple_of(TICKS_PER_SECOND);
        let new = if is_second { self.look_at_losses(time) } else { Losses::default() };
        let behind = self.backlog.take_worst();
        self.behind = self.behind.max(behind);
        if self.options.overload.sheds {
            let signs = Signs { dropped: new.kernel_dropped + new.ring_freezes, behind };
            if let Some(shedding) = self.overload.tick(signs) {
                self.desk.worker.eyes.shed(shedding, &self.options.overload);
                self.say(|who| notices::shedding(who, time, shedding));
            }
        }
        self.tell_drops(time);
        self.send_notices();
        if is_second {
            self.look_at_interfaces(now);
            let status = self.status(new);
            self.published_frames = status.counters.frames;
            self.shared.publish(self.number, status);
            self.behind = Duration::ZERO;
        }
    }

    fn tell_drops(&mut self, time: Timestamp) {
        if self.untold_drops > 0 {
            let count = std::mem::take(&mut self.untold_drops);
            self.say(|who| notices::alerts_dropped(who, time, count));
        }
    }

    /// What was lost since the last time.
    fn look_at_losses(&mut self, time: Timestamp) -> Losses {
        self.losses_by_interface = self.source.losses_by_interface();
        self.losses = Losses::default();
        self.losses_by_interface.iter().for_each(|losses| self.losses.add(*losses));
        let (new, changes) = self.gaps.note(time, &self.losses_by_interface);
        self.tell_gaps(changes);
        new
    }

    fn tell_gaps(&mut self, changes: Vec<(usize, Change)>) {
        for (interface, change) in changes {
            self.say(|who| {
                let name = who.interfaces.get(interface).map_or("", String::as_str);
                notices::gap(who, name, &change)
            });
        }
    }

    /// The first worker says what befell an interface: all of them see it.
    fn look_at_interfaces(&mut self, now: Instant) {
        let before = std::mem::replace(&mut self.interfaces, self.source.state());
        if self.number > 0 {
            return;
        }
        let time = self.clock.time(now);
        for (was, is) in before.iter().zip(self.interfaces.clone()) {
            if was.is_up && !is.is_up || is.downs > was.downs && is.is_up {
                self.say(|who| notices::interface(who, time, &is.name, false));
            }
            if is.is_up && (!was.is_up || is.downs > was.downs) {
                self.say(|who| notices::interface(who, time, &is.name, true));
            }
        }
    }

    fn say(&mut self, make: impl FnOnce(Who<'_>) -> Notice) {
        let notice = make(Who { worker: self.number, interfaces: self.shared.interfaces() });
        if self.notices.len() < MAX_NOTICES {
            self.notices.push(notice);
        } else {
            self.shared.notices_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What finds no room waits for the next tick.
    fn send_notices(&mut self) {
        let Some(events) = &self.events else { return };
        while let Some(notice) = self.notices.first() {
            match events.try_send(Event::Notice(notice.clone())) {
                Ok(()) => drop(self.notices.remove(0)),
                Err(_) => return,
            }
        }
    }

    fn status(&self, losses_of_second: Losses) -> WorkerStatus {
        let mut counters = self.before.clone();
        counters.merge(&self.desk.worker.numbers());
        let Self { losses, generation, restarts, frames_lost, behind, .. } = *self;
        WorkerStatus {
            frames_of_second: counters.frames - self.published_frames.min(counters.frames),
            counters,
            losses,
            losses_of_second,
            losses_by_interface: self.losses_by_interface.clone(),
            frames_by_interface: self.frames_by_interface.clone(),
            interfaces: self.interfaces.clone(),
            live_flows: self.desk.worker.flows.len(),
            held_bytes: self.desk.worker.held_bytes(),
            generation,
            shedding: self.overload.shedding(),
            behind,
            restarts,
            frames_lost,
            last_packet: self.clock.last(),
            // Who is asked knows better ([`Shared`]).
            is_running: true,
        }
    }

    /// After a panic: the desk is made anew, the source is kept. What was counted counts, and what was raised is handed out.
    #[cold]
    fn restart(&mut self) {
        let fresh = Desk::new(&self.set, &self.captures, &self.share, self.options.kept_names);
        let mut left = std::mem::replace(&mut self.desk, fresh);
        if let Ok((alerts, numbers)) = catch_unwind(AssertUnwindSafe(|| (left.worker.give_up(), left.worker.numbers())))
        {
            self.before.merge(&numbers);
            self.send(alerts);
        }
        // A table in pieces may not even be let go of in order.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(left)));
        let batch = std::mem::take(&mut self.batch);
        self.restarts += 1;
        self.frames_lost += batch.frames.len() as u64;
        self.round.reset();
        self.desk.worker.eyes.shed(self.overload.shedding(), &self.options.overload);
        let time = self.clock.time(Instant::now());
        let told = (self.restarts, batch.frames.len() as u64);
        self.say(|who| notices::restarted(who, time, told));
        self.send_notices();
    }

    /// The end: what still waits is looked at, and the last numbers are shown.
    fn end(mut self) -> Ended {
        let time = self.clock.time(Instant::now());
        let new = self.look_at_losses(time);
        if !self.shared.word().is_stopped {
            self.say(|who| notices::ended(who, time));
        }
        let open = self.gaps.end();
        self.tell_gaps(open);
        let mut status = self.status(new);
        // The smallest that there is: nothing comes to it any more.
        let fresh = Desk::new(&self.set, &self.captures, &Options { max_flows: 0, ..self.share.clone() }, 0);
        let Desk { worker, assembler, .. } = std::mem::replace(&mut self.desk, fresh);
        let closed = catch_unwind(AssertUnwindSafe(|| {
            let (said, mut counters) = worker.close();
            assembler.close(&mut counters);
            (said, counters)
        }));
        if let Ok((mut said, mut counters)) = closed {
            counters.names_given_way += self.shared.join(said.named, &mut said.alerts);
            self.send(said.alerts);
            self.send_flows(said.flows);
            self.shared.note_suppressed(Arc::clone(&self.set), std::mem::take(&mut counters.suppressed));
            counters.merge(&self.before);
            status.counters = counters;
        }
        self.tell_drops(time);
        self.send_notices();
        self.shared.notices_dropped.fetch_add(self.notices.len() as u64, Ordering::Relaxed);
        let stages = self.stages.stages();
        self.shared.publish(self.number, status.clone());
        Ended { status, decode: stages.decode, inspect: stages.inspect }
    }
}

/// Says that a worker has ended, however that came.
struct Leaving(Arc<Shared>, usize);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

/// Ties the thread to a processor. Where it may not, it runs anywhere.
fn pin(cpu: usize) {
    #[cfg(target_os = "linux")]
    {
        let mut cpus = rustix::thread::CpuSet::new();
        cpus.set(cpu);
        if let Err(error) = rustix::thread::sched_setaffinity(None, &cpus) {
            tracing::warn!("a worker cannot be pinned to processor {cpu}: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    tracing::warn!("workers cannot be pinned here: processor {cpu} is not honoured");
}

/// How often time is looked at.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How often numbers are shown and the kernel is asked what was lost.
const TICKS_PER_SECOND: u64 = 10;

/// Flows that are looked at in a tick, for each shard: ten thousand a second, a million in less than two minutes.
const TICK_ROUNDS: usize = 64;

/// Buckets gone through after each batch once another set took over: a few percent of what the batch costs.
const BUCKETS: usize = 64;

/// The same where there was no packet.
const IDLE_BUCKETS: usize = 16 * BUCKETS;

/// Notices that may wait for room in the channel.
const MAX_NOTICES: usize = 64;
