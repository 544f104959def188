//! [`Aside`]: what a worker does beside reading packets, when it is asked to: the flow log and evidence. Without either there is none,
//! and a packet costs one branch more.

use super::decoded::{Bytes, Role, frame_bytes};
use super::evidence::Collector;
use super::flowlog::FlowLog;
use super::shard::State;
use super::verdict::Verdict;
use super::worker::{Framed, Leaving, Worker};
use super::{FlowLogCounters, Options};
use crate::alert::{Alert, Ending, FlowRecord};
use crate::flow::{Direction, Flow, Slot};
use crate::packet::FrameRef;
use crate::time::Timestamp;

/// See the module.
pub(super) struct Aside {
    log: Option<FlowLog>,
    evidence: Option<Collector>,
    /// The packet that is being looked at.
    at: FrameRef,
}

/// What the end of the captures ends comes last in the log.
const AT_THE_END: (u32, u64) = (u32::MAX, u64::MAX);

impl Aside {
    /// `None` if nothing is asked for.
    pub(super) fn new(options: &Options, shards: usize) -> Option<Box<Self>> {
        let log = options.flow_log.as_ref().map(|options| FlowLog::new(options, shards));
        let evidence = options.evidence.as_ref().map(|options| Collector::new(options, shards));
        (log.is_some() || evidence.is_some()).then(|| Box::new(Self { log, evidence, at: FrameRef::default() }))
    }

    /// Whether names are to be noted.
    pub(super) fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// What is looked at from here on. Where no packet is, only time goes on.
    pub(super) fn go_on(&mut self, at: FrameRef) {
        self.at = at;
    }

    /// See [`Aside::go_on`].
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.at.time = self.at.time.max(now);
        self.evidence.iter_mut().for_each(|evidence| evidence.tick(now));
    }

    /// The end of the captures, for a flow that is still there.
    pub(super) fn stop(&mut self, slot: Slot, flow: &Flow<State>, verdict: Verdict) {
        if let Some(log) = &mut self.log {
            log.end(None, (slot, flow), verdict, Ending::Stopped, AT_THE_END);
        }
    }

    /// The end of the captures, for alerts under way.
    pub(super) fn close(&mut self) {
        self.evidence.iter_mut().for_each(Collector::close);
    }

    /// Alerts that have their evidence.
    pub(super) fn take_alerts(&mut self) -> Vec<Alert> {
        self.evidence.as_mut().map(|evidence| std::mem::take(&mut evidence.done)).unwrap_or_default()
    }

    /// Whether there are any for [`Aside::take_alerts`].
    pub(super) fn has_alerts(&self) -> bool {
        self.evidence.as_ref().is_some_and(|evidence| !evidence.done.is_empty())
    }

    /// Flows that have ended.
    pub(super) fn take_flows(&mut self) -> Vec<FlowRecord> {
        self.log.as_mut().map(|log| std::mem::take(&mut log.records)).unwrap_or_default()
    }

    /// The first frame that an alert under way names.
    pub(super) fn held_back(&self) -> Option<FrameRef> {
        self.evidence.as_ref()?.held_back()
    }

    /// Records and notes so far, and alerts that went out before all their packets were there.
    pub(super) fn counters(&self) -> (FlowLogCounters, u64) {
        let log = self.log.as_ref().map(|log| log.counters).unwrap_or_default();
        (log, self.evidence.as_ref().map_or(0, |evidence| evidence.cut_short))
    }
}

impl Worker {
    /// After a packet of a flow was read.
    #[cold]
    pub(super) fn attend(
        &mut self,
        (shard, slot): (usize, Slot),
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) {
        let Some(aside) = &mut self.aside else { return };
        let (frame, item) = framed;
        aside.at = frame.reference();
        if let Some(log) = &mut aside.log {
            let share = data.share(framed);
            // Pieces are counted with their datagram, a tunnel's packets beside what is in them.
            let counted = match item.role {
                Role::Outer => (1, u64::from(frame.wire_bytes)),
                _ => (share.packets, share.bytes),
            };
            log.count(slot, direction, frame.reference(), counted);
        }
        if let Some(evidence) = &mut aside.evidence {
            evidence.keep(shard, slot, frame, frame_bytes(data.captured, frame));
        }
        self.claim(shard, slot);
    }

    /// What was shown and raised since the last call is this flow's.
    #[cold]
    pub(super) fn claim(&mut self, shard: usize, slot: Slot) {
        let Some(aside) = &mut self.aside else { return };
        if let Some(log) = &mut aside.log
            && let Some(shown) = &mut self.eyes.shown
        {
            log.note(shard, slot, shown);
        }
        if let Some(evidence) = &mut aside.evidence {
            evidence.claim(shard, slot, &mut self.eyes.alerts);
        }
    }

    /// A flow has ended.
    #[cold]
    pub(super) fn attend_end(&mut self, (shard, slot): (usize, Slot), verdict: Verdict, leaving: Leaving) {
        self.claim(shard, slot);
        let (Some(aside), flow) = (&mut self.aside, self.flows.get(slot)) else { return };
        let Aside { log, evidence, at } = &mut **aside;
        if let Some(log) = log {
            let ending = match leaving {
                Leaving::HalfOpen | Leaving::Evicted => Ending::Evicted,
                Leaving::Over if flow.is_expired(at.time) => Ending::TimedOut,
                Leaving::Over => Ending::Followed,
            };
            log.end(Some(shard), (slot, flow), verdict, ending, (at.file, at.number));
        }
        if let Some(evidence) = evidence {
            evidence.end(shard, slot);
        }
    }
}
