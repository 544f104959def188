//! What a [`Worker`] has to say, now and at the end of the captures: alerts, flows and numbers.

use super::Worker;
use crate::alert::{Alert, FlowRecord};
use crate::packet::FrameRef;
use crate::pipeline::counters::Counters;
use crate::pipeline::exit::Said;
use crate::pipeline::judge;
use crate::pipeline::order::Place;
use crate::pipeline::shard::{Table, Wait};

impl Worker {
    /// Alerts raised since the last call.
    pub(in crate::pipeline) fn take_alerts(&mut self) -> Vec<Alert> {
        let mut alerts = self.eyes.take_alerts();
        alerts.extend(self.aside.iter_mut().flat_map(|aside| aside.take_alerts()));
        alerts
    }

    /// Everything that was raised, when the worker is no good any more.
    #[cold]
    pub(in crate::pipeline) fn give_up(&mut self) -> Vec<Alert> {
        self.eyes.close();
        self.aside.iter_mut().for_each(|aside| aside.close());
        self.take_alerts()
    }

    /// Whether there are any.
    #[inline]
    pub(in crate::pipeline) fn has_alerts(&self) -> bool {
        self.eyes.has_alerts() || self.aside.as_ref().is_some_and(|aside| aside.has_alerts())
    }

    /// Flows that have ended since the last call, if there is a flow log.
    pub(in crate::pipeline) fn take_flows(&mut self) -> Vec<FlowRecord> {
        self.aside.as_mut().map(|aside| aside.take_flows()).unwrap_or_default()
    }

    /// The first frame that an alert still to come may name, among those already processed.
    pub(in crate::pipeline) fn held_back(&mut self) -> Option<FrameRef> {
        let aside = self.aside.as_ref().and_then(|aside| aside.held_back());
        self.shards.iter_mut().filter_map(|shard| shard.held_back(&self.flows)).chain(aside).min()
    }

    /// The end of the captures: what still waits is looked at.
    pub(in crate::pipeline) fn end_waits(&mut self) {
        for shard in 0..self.shards.len() {
            while let Some(Wait { slot, direction, frame, .. }) = self.shards[shard].any_waiting(&self.flows) {
                self.deliver(shard, slot, direction, |stream, out| stream.give_up(out));
                self.cut(shard, slot, direction, frame);
                self.decide_if_lost(slot);
                self.claim(shard, slot);
            }
        }
    }

    /// What there is to say since the last call.
    pub(in crate::pipeline) fn say(&mut self, mark: Place, end: Place) -> Said {
        let named = std::mem::take(&mut self.eyes.named);
        Said { alerts: self.take_alerts(), flows: self.take_flows(), named, mark, end }
    }

    /// The end of the captures. Returns the last alerts and flows, and the numbers.
    pub(in crate::pipeline) fn close(mut self) -> (Said, Counters) {
        self.end_waits();
        let Self { flows, unread, counters, aside, .. } = &mut self;
        std::mem::replace(flows, Table::new(0, 0)).end(|slot, flow| {
            flow.state().conversation.unfinished().into_iter().for_each(|why| unread.note(why));
            let verdict = judge::end_open(flow, counters);
            aside.iter_mut().for_each(|aside| aside.stop(slot, flow, verdict));
        });
        self.eyes.close();
        self.aside.iter_mut().for_each(|aside| aside.close());
        let counters = self.numbers();
        (self.say((0, 0), (0, 0)), counters)
    }

    /// The numbers so far. Packets that only the end of their flow judges are not among them.
    pub(in crate::pipeline) fn numbers(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.wire_bytes = counters.visibility.total().bytes;
        counters.no_memory = self.shards.iter().map(|shard| shard.pool.refused).sum();
        counters.streams = self.streams;
        counters.unread = self.unread.tally();
        counters.suppressed = self.eyes.suppressed.clone();
        counters.held_back = self.eyes.held_back();
        if let Some(aside) = &self.aside {
            let (records, cut_short) = aside.counters();
            counters.flow_log.merge(&records);
            counters.evidence_cut_short += cut_short;
        }
        counters.over_flow_cap = self.eyes.over_flow_cap;
        counters.unscanned_bytes = self.eyes.unscanned_bytes;
        counters.begun_refused = self.eyes.begun_refused;
        counters.shed_scan_bytes = self.eyes.shed_scan_bytes;
        counters
    }
}
