//! [`explain`]: how one packet of a capture was read. It replays the capture up to that packet through the same worker as a run
//! does, and notes what that packet changed: there is no second decoder that could say otherwise.

use std::path::Path;
use std::sync::Arc;

use super::Options;
use super::decoded::{Headers, Item, frame_bytes};
use super::engine::REPLAY_SEED;
use super::fragments::Assembler;
use super::recorder::{Noted, Recorder};
use super::shard::is_waiting;
use super::verdict::Verdict;
use super::worker::{GROUP, Worker};
use crate::capture::{Batch, Files, Source};
use crate::flow::{Direction, Flow, FlowKey, Identity, Lifecycle, Slot, StreamCounters};
use crate::matcher::MatchSet;
use crate::packet::{self, FrameMeta, Packet};
use crate::proto::{Reading, Unread};

/// What is known of one packet.
pub struct Explanation {
    /// The frame.
    pub frame: FrameMeta,
    /// What was decoded of it.
    pub packet: Packet,
    /// The headers it was decoded by: name and offset.
    pub layers: Vec<(String, usize)>,
    /// Its conversation; `None` without addresses.
    pub flow: Option<FlowFacts>,
    /// What became of it; `None` while that depends on what follows.
    pub verdict: Option<Verdict>,
    /// What it showed.
    pub seen: Vec<Noted>,
    /// What it and later packets showed together, while part of it waited for them.
    pub seen_later: Vec<Noted>,
    /// Observables that were too many to be noted.
    pub left_out: u64,
    /// What no parser could read.
    pub unread: Vec<Unread>,
    /// What happened to it in its stream.
    pub streams: StreamCounters,
    /// Alerts that it raised.
    pub alerts: usize,
}

/// A conversation, just after a packet.
pub struct FlowFacts {
    /// Which one it is.
    pub identity: Identity,
    /// Which way the packet went.
    pub direction: Direction,
    /// Whether the packet began it.
    pub is_new: bool,
    /// How far it has come.
    pub lifecycle: Lifecycle,
    /// The protocol recognised.
    pub protocol: Option<&'static str>,
    /// How far the packet's direction has been read.
    pub reading: Reading,
    /// Whether bytes of that direction wait behind a hole.
    pub has_hole: bool,
}

/// Reads the captures up to frame `number` (1-based) of the one at `file` (0-based), and explains that one; `None` if there are not
/// so many.
pub fn explain(
    mut files: Files,
    set: &Arc<MatchSet>,
    options: &Options,
    (file, number): (usize, u64),
) -> Option<Explanation> {
    let captures: Arc<[Arc<Path>]> = files.files().iter().map(|file| Arc::from(file.path.as_path())).collect();
    let mut worker = Worker::new(set, &captures, options, 1);
    worker.eyes.show_more();
    let mut run = Run { worker, headers: Headers::default(), assembler: Assembler::default() };
    let mut batch = Batch::default();
    while files.poll(&mut batch) {
        let target = batch.frames.iter().position(|frame| frame.file as usize == file && frame.number == number);
        run.process(&batch.data, batch.frames.get(..target.unwrap_or(batch.frames.len()))?);
        if let Some(at) = target {
            let mut explanation = run.explain(&batch.data, *batch.frames.get(at)?);
            run.follow(&mut explanation, &mut files, &mut batch, at + 1);
            return Some(explanation);
        }
    }
    None
}

struct Run {
    worker: Worker,
    headers: Headers,
    assembler: Assembler,
}

impl Run {
    fn process(&mut self, data: &[u8], frames: &[FrameMeta]) {
        for group in frames.chunks(GROUP) {
            self.look_at(data, group);
        }
        self.worker.say((0, 0), (0, 0));
    }

    fn look_at(&mut self, data: &[u8], group: &[FrameMeta]) {
        let ahead = |item: &mut _| self.worker.prefetch(item);
        self.headers.decode(data, group, REPLAY_SEED, &mut self.assembler, ahead);
        self.worker.process_decoded(&self.headers, data, group);
    }

    /// The frame itself.
    fn explain(&mut self, data: &[u8], frame: FrameMeta) -> Explanation {
        let (packet, layers) = packet::trace(frame_bytes(data, &frame), frame.link);
        let flows = self.worker.counters.flows;
        let verdicts = Verdict::ALL.map(|verdict| self.worker.counters.visibility.of(verdict).packets);
        let open = self.flow_of(&frame, &packet).map_or(0, |(flow, _)| flow.open.packets);
        let unread = self.worker.unread.tally();
        let streams = self.worker.streams;
        self.worker.eyes.record(Recorder::default());
        self.look_at(data, &[frame]);
        let recorder = self.worker.eyes.recorder.take().unwrap_or_default();
        let alerts = self.worker.take_alerts().len();
        let is_new = self.worker.counters.flows > flows;
        let flow = self.flow_of(&frame, &packet);
        let open_now = flow.as_ref().map_or(0, |(flow, _)| flow.open.packets);
        let flow = flow.map(|(flow, direction)| facts(flow, direction, is_new));
        let is_open = open_now > if is_new { 0 } else { open };
        let counted = Verdict::ALL.iter().zip(verdicts);
        let now = &self.worker.counters.visibility;
        let grown = counted.rev().find(|&(&verdict, before)| now.of(verdict).packets > before);
        Explanation {
            verdict: grown.filter(|_| !is_open).map(|(&verdict, _)| verdict),
            flow,
            unread: newer(&unread, &self.worker.unread.tally()),
            streams: since(&streams, &self.worker.streams),
            seen: recorder.noted,
            left_out: recorder.left_out,
            seen_later: Vec::new(),
            frame,
            packet,
            layers,
            alerts,
        }
    }

    /// Reads on while part of the packet waits for others.
    fn follow(&mut self, told: &mut Explanation, files: &mut Files, batch: &mut Batch, mut at: usize) {
        let Some(facts) = &told.flow else { return };
        let (key, direction) = (*facts.identity.key(), facts.direction);
        let (frame, packet) = (told.frame, told.packet);
        if !self.waits(&frame, &packet, direction) {
            return;
        }
        self.worker.eyes.record(Recorder { only: Some(key), ..Recorder::default() });
        'all: loop {
            while let Some(next) = batch.frames.get(at..=at) {
                self.process(&batch.data, next);
                at += 1;
                if !self.waits(&frame, &packet, direction) {
                    break 'all;
                }
            }
            at = 0;
            if !files.poll(batch) {
                self.worker.end_waits();
                break;
            }
        }
        let recorder = self.worker.eyes.recorder.take().unwrap_or_default();
        told.seen_later = recorder.noted;
        told.left_out += recorder.left_out;
    }

    fn waits(&mut self, frame: &FrameMeta, packet: &Packet, direction: Direction) -> bool {
        self.flow_of(frame, packet).is_some_and(|(flow, _)| is_waiting(flow, direction))
    }

    /// The flow that a packet's key leads to now, and the way that it goes in it.
    fn flow_of(&mut self, frame: &FrameMeta, packet: &Packet) -> Option<(&Flow<super::shard::State>, Direction)> {
        let (key, from) = FlowKey::of(packet)?;
        let item = Item { packet: *packet, key, from, hash: key.hash(REPLAY_SEED), ..Item::default() };
        let flows = &mut self.worker.flows;
        // One worker has all shards, each in the region of its number.
        let slot: Slot = flows.find(flows.home(flows.base(item.shard()), item.hash), &key, frame.time)?;
        let flow = flows.get(slot);
        let (address, port) = key.end(from);
        let is_originator = flow.identity.originator() == (address.ip(), port);
        Some((flow, if is_originator { Direction::ToResponder } else { Direction::ToOriginator }))
    }
}

fn facts(flow: &Flow<super::shard::State>, direction: Direction, is_new: bool) -> FlowFacts {
    FlowFacts {
        identity: flow.identity,
        direction,
        is_new,
        lifecycle: flow.lifecycle(),
        protocol: flow.state().conversation.protocol(),
        reading: flow.state().conversation.reading(direction),
        has_hole: flow.streams.get(direction.index()).is_some_and(crate::flow::Stream::has_pending),
    }
}

/// What was counted since.
fn newer(before: &crate::metrics::Tally<Unread>, now: &crate::metrics::Tally<Unread>) -> Vec<Unread> {
    let earlier = before.sorted();
    let mut new: Vec<Unread> = now
        .iter()
        .filter(|(why, count)| earlier.get(why).copied().unwrap_or(0) < *count)
        .map(|(why, _)| *why)
        .collect();
    new.sort();
    new
}

fn since(before: &StreamCounters, now: &StreamCounters) -> StreamCounters {
    StreamCounters {
        out_of_order: now.out_of_order - before.out_of_order,
        retransmitted: now.retransmitted - before.retransmitted,
        overlapping: now.overlapping - before.overlapping,
        gaps: now.gaps - before.gaps,
        gap_bytes: now.gap_bytes - before.gap_bytes,
        out_of_window: now.out_of_window - before.out_of_window,
        urgent_bytes: now.urgent_bytes - before.urgent_bytes,
    }
}
