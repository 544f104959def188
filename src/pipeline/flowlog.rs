//! [`FlowLog`]: what a worker keeps beside its flows while there is a flow log, and the record that it makes of each flow that ends.
//!
//! It lies in a table of its own, by the flow's slot, so that without a log a flow is as small as ever. Names are kept within a cap for
//! each flow ([`FlowNotes`]) and one for each shard; what finds no room is counted, in the record and in all.

use crate::alert::{AlertFlow, Ending, FlowNotes, FlowRecord, Topic, printable};
use crate::flow::{Direction, Flow, Slot};
use crate::indicator::{MAX_NAME_TEXT_BYTES, Observable, Value, kind};
use crate::packet::FrameRef;

use super::SHARDS;
use super::shard::State;
use super::verdict::Verdict;

/// The flow log of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLogOptions {
    /// Memory for what live flows showed, in bytes, in all.
    pub max_note_bytes: usize,
}

impl Default for FlowLogOptions {
    fn default() -> Self {
        Self { max_note_bytes: 64 << 20 }
    }
}

impl FlowLogOptions {
    /// Bytes that the log keeps with each live flow, besides its notes.
    pub fn flow_bytes() -> usize {
        size_of::<Side>()
    }
}

/// What became of flow records and notes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FlowLogCounters {
    /// Records made.
    pub records: u64,
    /// Records that found no room on their way out. Live; a replay waits.
    pub dropped: u64,
    /// Notes that found no room.
    pub notes_left_out: u64,
}

impl FlowLogCounters {
    /// Adds another's.
    pub fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.dropped += other.dropped;
        self.notes_left_out += other.notes_left_out;
    }
}

/// See the module.
pub(super) struct FlowLog {
    sides: Vec<Side>,
    /// Bytes of notes that the flows of each shard have.
    note_bytes: Vec<usize>,
    max_note_bytes: usize,
    pub(super) records: Vec<FlowRecord>,
    pub(super) counters: FlowLogCounters,
}

/// What is kept of a live flow.
#[derive(Default)]
struct Side {
    first: Option<FrameRef>,
    packets: [u64; 2],
    bytes: [u64; 2],
    notes: Option<Box<FlowNotes>>,
}

/// What the packet being read has shown, until it is known whose it is.
#[derive(Default)]
pub(super) struct Showing {
    texts: Vec<(Topic, String)>,
    left_out: u64,
}

/// Texts kept of one packet: a flow keeps no more.
const MAX_SHOWN: usize = 96;

impl Showing {
    #[cold]
    pub(super) fn note(&mut self, observable: &Observable<'_>) {
        let topic = match observable.at.0 {
            "dns.question.name" => Topic::Question,
            "dns.answers.name" | "dns.answers.data" => Topic::Answer,
            "dns.resolved_ip" => Topic::Address,
            "tls.client.server_name" => Topic::ServerName,
            "tls.client.ja4" => Topic::Ja4,
            "url.domain" => Topic::UrlHost,
            _ => return,
        };
        // Rules see the same again.
        if *observable.kind == kind::RULE {
            return;
        }
        if self.texts.len() >= MAX_SHOWN {
            self.left_out += 1;
            return;
        }
        let text = match observable.value {
            Value::Addr(ip) | Value::Endpoint(ip, ..) => ip.to_canonical().to_string(),
            Value::Text(text) => printable(text),
            Value::Name(name) => printable(name.text(&mut [0; MAX_NAME_TEXT_BYTES])),
            Value::Piece { .. } | Value::Elsewhere(_) => return,
        };
        self.texts.push((topic, text));
    }
}

impl FlowLog {
    pub(super) fn new(options: &FlowLogOptions, shards: usize) -> Self {
        Self {
            sides: Vec::new(),
            note_bytes: vec![0; shards],
            max_note_bytes: options.max_note_bytes / SHARDS,
            records: Vec::new(),
            counters: FlowLogCounters::default(),
        }
    }

    /// Counts a packet of a flow.
    pub(super) fn count(&mut self, slot: Slot, direction: Direction, frame: FrameRef, (packets, bytes): (u64, u64)) {
        let side = self.side(slot);
        side.first.get_or_insert(frame);
        side.packets[direction.index()] += packets;
        side.bytes[direction.index()] += bytes;
    }

    /// Keeps what a flow has shown.
    pub(super) fn note(&mut self, shard: usize, slot: Slot, shown: &mut Showing) {
        if shown.texts.is_empty() {
            return;
        }
        let mut room = self.max_note_bytes.saturating_sub(self.note_bytes[shard]);
        let notes = self.side(slot).notes.get_or_insert_default();
        let before = (notes.bytes(), notes.left_out);
        notes.left_out += std::mem::take(&mut shown.left_out);
        for (topic, text) in shown.texts.drain(..) {
            // What one more text takes at most.
            if room < FlowNotes::MAX_TEXT_BYTES {
                notes.left_out += 1;
            } else {
                room -= notes.add(topic, &text);
            }
        }
        let (grown, left_out) = (notes.bytes() - before.0, notes.left_out - before.1);
        self.note_bytes[shard] += grown;
        self.counters.notes_left_out += left_out;
    }

    /// A flow has ended, in `shard` if its memory is to be had again.
    pub(super) fn end(
        &mut self,
        shard: Option<usize>,
        (slot, flow): (Slot, &Flow<State>),
        verdict: Verdict,
        ending: Ending,
        ended_at: (u32, u64),
    ) {
        let side = std::mem::take(self.side(slot));
        let Some(first) = side.first else { return };
        if let Some(bytes) = shard.and_then(|shard| self.note_bytes.get_mut(shard)) {
            *bytes -= side.notes.as_ref().map_or(0, |notes| notes.bytes());
        }
        self.counters.records += 1;
        let identity = &flow.identity;
        self.records.push(FlowRecord {
            flow: AlertFlow { protocol: flow.state().conversation.protocol(), ..AlertFlow::from(identity) },
            first,
            last: flow.last,
            packets: side.packets,
            bytes: side.bytes,
            lifecycle: flow.lifecycle(),
            ending,
            visibility: verdict.code(),
            notes: side.notes,
            ended_at,
        });
    }

    fn side(&mut self, Slot(slot): Slot) -> &mut Side {
        let slot = slot as usize;
        if self.sides.len() <= slot {
            self.sides.resize_with(slot + 1, Side::default);
        }
        &mut self.sides[slot]
    }
}
