//! How a worker goes over to another set. From one batch to the next it looks with the new one; its flows, streams and parsers go
//! on. Then, a few buckets at a time and between batches, it goes through its flows ([`Round`]): their addresses, and
//! the last names that they showed (`live/names.rs`), are looked up in the new set, and what they remember of the old one is made to speak of the new one.
//!
//! What a flow has raised alerts for is not raised again for the same indicator. Hits that wait for a condition go on waiting, if
//! their indicator is still there. Byte signatures that had begun are kept as far as the bytes before are
//! (`matcher::Carry`); what rules had found of a stream is forgotten, so a rule that spans the change is missed there.
//! Parsers that leave something out because nobody asks for it (digests of files) go on so in what has begun.

use std::ops::Range;
use std::sync::Arc;

use super::super::SHARDS;
use super::super::worker::Worker;
use crate::flow::{FlowParts, HashSeed};
use crate::indicator::IndicatorIx;
use crate::matcher::MatchSet;
use crate::metrics::Tally;
use crate::packet::{FrameRef, protocol};
use crate::time::Timestamp;

/// How far a worker is with going through its flows.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The next bucket.
    hand: usize,
    /// Buckets to go.
    left: usize,
    /// Kept names to go.
    names_left: usize,
}

impl Round {
    /// Begins anew, wherever it is: a worker that never gets through before the next set comes still gets to every flow.
    pub(super) fn begin(&mut self, worker: &Worker) {
        self.left = worker.flows.bucket_count();
        self.names_left = worker.eyes.names.as_ref().map_or(0, |names| names.len());
    }

    /// Forgets it all: the table is another one.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.names_left == 0
    }

    /// Goes on by some buckets. `frame` is what alerts name: of a flow's addresses there is no one frame.
    pub(super) fn go_on(&mut self, worker: &mut Worker, seed: HashSeed, buckets: usize, frame: FrameRef) {
        if self.names_left > 0 {
            let from = self.names_left.saturating_sub(buckets);
            worker.look_at_names_again(from..self.names_left, seed, frame.time);
            self.names_left = from;
            return;
        }
        let count = worker.flows.bucket_count();
        for _ in 0..buckets.min(self.left) {
            let at = self.hand % count;
            self.hand = (at + 1) % count;
            worker.flows.prefetch_in_bucket(self.hand);
            worker.revisit(at, frame);
            self.left -= 1;
        }
    }
}

impl Worker {
    /// Looks with another set from now on. Returns the hits that the old one's allow-list suppressed.
    pub(super) fn adopt(&mut self, set: &Arc<MatchSet>) -> Tally<IndicatorIx> {
        use crate::indicator::Transport;
        self.scans_tcp = set.has_patterns_for(Transport::Tcp);
        self.scans_udp = set.has_patterns_for(Transport::Udp);
        self.eyes.adopt(set)
    }

    /// Looks the addresses of the flows in a bucket up.
    fn revisit(&mut self, bucket: usize, frame: FrameRef) {
        for slot in self.flows.in_bucket(bucket) {
            let (scans_tcp, scans_udp) = (self.scans_tcp, self.scans_udp);
            let flow = self.flows.get_mut(slot);
            if flow.is_expired(frame.time) {
                continue;
            }
            // What nobody looked at may be of interest now.
            let scans = match flow.key().protocol() {
                protocol::TCP => scans_tcp,
                protocol::UDP => scans_udp,
                _ => false,
            };
            if scans {
                flow.is_quiet = [false; 2];
            }
            let seen = FrameRef { time: flow.last, ..frame };
            let FlowParts { identity, state, .. } = flow.parts();
            self.eyes.renew(&mut state.seldom);
            self.eyes.look_at_ends_again(identity, &mut state.seldom, seen);
            self.eyes.judge_live(flow, seen);
        }
    }

    /// Looks kept names up whose flows are still there.
    fn look_at_names_again(&mut self, range: Range<usize>, seed: HashSeed, now: Timestamp) {
        // Taken out: what is looked up here is no new name.
        let Some(names) = self.eyes.names.take() else { return };
        for name in range.filter_map(|at| names.get(at)) {
            let hash = name.identity.key().hash(seed);
            let home = self.flows.home(self.flows.base((hash >> 56) as usize % SHARDS), hash);
            let Some(slot) = self.flows.peek(home, name.identity.key()) else { continue };
            let flow = self.flows.get_mut(slot);
            // The same addresses and ports may be another conversation by now.
            let is_another = flow.identity.originator() != name.identity.originator()
                || flow.identity.turn() != name.identity.turn();
            if flow.is_expired(now) || is_another {
                continue;
            }
            let FlowParts { identity, state, .. } = flow.parts();
            self.eyes.see(identity, &mut state.seldom, &name.observable(), name.frame);
        }
        self.eyes.names = Some(names);
    }

    /// Time goes on without packets: idle flows leave, holes that are overdue are given up.
    pub(super) fn idle(&mut self, now: Timestamp, rounds: usize) {
        for shard in 0..self.shards.len() {
            (0..rounds).for_each(|_| self.clean_up(shard, now));
        }
    }

    /// Bytes that flows hold back.
    pub(super) fn held_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.pool.in_use_bytes()).sum()
    }
}
