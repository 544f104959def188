//! [`Shard`]: a fixed part of all flows, with its own region of a worker's table, memory and queue of what waits. A shard is
//! never shared and sees its packets in capture order: what it does depends on nothing else.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::pending::Pending;
use super::waiting::Waiting;
use crate::flow::{Direction, Flow, FlowTable, Keep, Pool, Slot};
use crate::indicator::{IndicatorIx, Where};
use crate::matcher::{Carry, MatchSet, Trail};
use crate::packet::FrameRef;
use crate::proto::Conversation;
use crate::time::Timestamp;

/// How long a hole in a stream is waited for, in packet time: longer than a lost segment takes to be sent again. Alerts of
/// later frames wait as long, so that all come out in order.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The same in packets of the shard: where time stands still (captures without timestamps), alerts must not wait for ever.
const MAX_WAIT_PACKETS: u64 = 1 << 18;

/// The same in frames of the capture, whosever they are: what is said of later frames is kept for so many at most, also where the
/// shard's own packets do not come.
pub(super) const MAX_WAIT_FRAMES: u64 = 1 << 20;

/// Indicators that one flow may raise alerts for, counted by field: a feed of common words must not turn one flow into a
/// flood. What is beyond is counted.
const MAX_REPORTED: usize = 256;

pub(super) type Table = FlowTable<State>;

/// What the pipeline keeps with a flow.
#[derive(Default)]
pub(super) struct State {
    pub(super) conversation: Conversation,
    pub(super) seldom: Seldom,
}

impl Keep for State {
    #[inline]
    fn renew(&mut self) {
        self.conversation.renew();
        self.seldom.0 = None;
    }
}

/// What only some flows need: one word in the record.
#[derive(Default)]
pub(super) struct Seldom(Option<Box<Rare>>);

#[derive(Default)]
struct Rare {
    /// Of the set that `reported` and `waiting` speak of.
    generation: u32,
    reported: Reported,
    carries: [Carry; 2],
    waiting: Waiting,
    pending: Pending,
    content_carries: [Carry; 2],
    trails: [Trail; 2],
    content_trails: [Trail; 2],
    /// Of the files that come beside the first, in a direction and lane. Parsers bound the lanes.
    beside: Vec<(Direction, u8, Carry, Trail)>,
}

/// What a flow has raised alerts for: nothing is raised twice, by whichever set.
#[derive(Default)]
pub(super) struct Reported(Vec<Known>);

struct Known {
    /// [`FOREIGN`] once another set has taken over.
    indicator: IndicatorIx,
    at: Where,
    /// [`Indicator::likeness`](crate::indicator::Indicator::likeness), which is the same in every set.
    likeness: u64,
}

/// An indicator of a set that is gone.
const FOREIGN: IndicatorIx = IndicatorIx(u32::MAX);

impl Seldom {
    /// Makes what it remembers speak of `set`, if that is another than before.
    #[inline]
    pub(super) fn renew(&mut self, set: &Arc<MatchSet>, generation: u32) {
        if let Some(rare) = self.0.as_deref_mut().filter(|rare| rare.generation != generation) {
            rare.renew(set, generation);
        }
    }

    pub(super) fn reported(&mut self) -> &mut Reported {
        &mut self.0.get_or_insert_default().reported
    }

    /// Hits whose condition does not hold yet.
    pub(super) fn waiting(&mut self) -> &mut Waiting {
        &mut self.0.get_or_insert_default().waiting
    }

    /// The same, if there is one.
    #[inline]
    pub(super) fn waiting_hits(&mut self) -> Option<(&mut Waiting, &mut Reported)> {
        let Rare { reported, waiting, .. } = self.0.as_deref_mut().filter(|rare| rare.waiting.has_hits())?;
        Some((waiting, reported))
    }

    /// Rules of a header alone that may yet hold.
    pub(super) fn pending(&mut self) -> &mut Pending {
        &mut self.0.get_or_insert_default().pending
    }

    /// Whether what it remembers speaks of another set.
    pub(super) fn is_of_another(&self, generation: u32) -> bool {
        self.0.as_deref().is_none_or(|rare| rare.generation != generation)
    }

    /// What the scan of a direction remembers.
    pub(super) fn carry(&mut self, direction: Direction) -> &mut Carry {
        &mut self.0.get_or_insert_default().carries[direction.index()]
    }

    /// What rules remember of a direction.
    pub(super) fn trail(&mut self, direction: Direction) -> &mut Trail {
        &mut self.0.get_or_insert_default().trails[direction.index()]
    }

    /// What they remember of the file that a lane of a direction carries.
    pub(super) fn content_trail(&mut self, direction: Direction, lane: u8) -> &mut Trail {
        let rare = self.0.get_or_insert_default();
        if lane > 0 { rare.beside(direction, lane).1 } else { &mut rare.content_trails[direction.index()] }
    }

    /// What the scan of the file that a lane of a direction carries remembers.
    pub(super) fn content_carry(&mut self, direction: Direction, lane: u8) -> &mut Carry {
        let rare = self.0.get_or_insert_default();
        if lane > 0 { rare.beside(direction, lane).0 } else { &mut rare.content_carries[direction.index()] }
    }
}

/// Whether bytes of a direction wait: behind a hole, or for the rest of their message.
#[inline]
pub(super) fn is_waiting(flow: &Flow<State>, direction: Direction) -> bool {
    flow.streams[direction.index()].has_pending() || (!flow.is_blank() && flow.state().conversation.holds(direction))
}

/// Whether a hit is to be raised.
pub(super) enum Raise {
    Yes,
    Again,
    OverCap,
}

impl Reported {
    pub(super) fn contains(&self, set: &MatchSet, indicator: IndicatorIx, at: Where) -> bool {
        self.0.iter().any(|known| known.indicator == indicator && known.at == at) || {
            let mut foreign = self.0.iter().filter(|known| known.indicator == FOREIGN && known.at == at).peekable();
            foreign.peek().is_some() && {
                let likeness = set.indicator(indicator).likeness();
                foreign.any(|known| known.likeness == likeness)
            }
        }
    }

    pub(super) fn raise(&mut self, set: &MatchSet, indicator: IndicatorIx, at: Where) -> Raise {
        if self.contains(set, indicator, at) {
            return Raise::Again;
        }
        if self.0.len() >= MAX_REPORTED {
            return Raise::OverCap;
        }
        self.0.push(Known { indicator, at, likeness: set.indicator(indicator).likeness() });
        Raise::Yes
    }
}

impl Rare {
    fn beside(&mut self, direction: Direction, lane: u8) -> (&mut Carry, &mut Trail) {
        let known = self.beside.iter().position(|(d, l, ..)| (*d, *l) == (direction, lane));
        let at = known.unwrap_or(self.beside.len());
        if known.is_none() {
            self.beside.push((direction, lane, Carry::default(), Trail::default()));
        }
        let (_, _, carry, trail) = &mut self.beside[at];
        (carry, trail)
    }

    #[cold]
    fn renew(&mut self, set: &Arc<MatchSet>, generation: u32) {
        self.generation = generation;
        self.reported.0.iter_mut().for_each(|known| known.indicator = FOREIGN);
        self.waiting.renew(set);
        self.pending.clear();
    }
}

/// See the module.
pub(super) struct Shard {
    pub(super) pool: Pool,
    /// The frame before which the first of the waits is to be looked at: it may have lasted for [`MAX_WAIT_FRAMES`].
    pub(super) due: u64,
    waits: VecDeque<Wait>,
}

/// A stream direction in which bytes wait: behind a hole, or for the rest of their message.
pub(super) struct Wait {
    /// The first packet that had to wait: no alert of this direction can name an earlier one.
    pub(super) frame: FrameRef,
    packets: u64,
    pub(super) slot: Slot,
    pub(super) direction: Direction,
    /// Tells the flow from a later one in its slot.
    turn: u8,
}

impl Shard {
    pub(super) fn new(max_stream_bytes: usize) -> Self {
        Self { pool: Pool::new(max_stream_bytes), due: u64::MAX, waits: VecDeque::new() }
    }

    /// Remembers that a direction of a flow on its `turn` has begun to wait, after so many packets of the shard.
    pub(super) fn wait(&mut self, slot: Slot, turn: u8, direction: Direction, frame: FrameRef, packets: u64) {
        self.waits.push_back(Wait { frame, packets, slot, direction, turn });
        self.set_due();
    }

    fn set_due(&mut self) {
        self.due = self.waits.front().map_or(u64::MAX, |wait| wait.frame.number.saturating_add(MAX_WAIT_FRAMES));
    }

    /// Whether anything may be waiting.
    #[inline]
    pub(super) fn has_waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// The oldest wait that has lasted long enough, after so many packets of the shard.
    pub(super) fn overdue(&mut self, flows: &Table, now: Timestamp, packets: u64) -> Option<Wait> {
        self.forget_ended(flows);
        let wait = self.waits.front()?;
        let is_overdue = now.since(wait.frame.time) > MAX_WAIT || packets - wait.packets > MAX_WAIT_PACKETS;
        if is_overdue { self.pop() } else { None }
    }

    /// The oldest wait, if it has lasted for too many frames when the one of this number comes. Nothing else is asked, so that it is all the
    /// same whether somebody asks in between.
    #[cold]
    pub(super) fn overdue_at(&mut self, flows: &Table, (file, number): (u32, u64)) -> Option<Wait> {
        self.forget_ended(flows);
        if self.waits.front()?.frame.file == file && self.due <= number { self.pop() } else { None }
    }

    /// The first packet that an alert still to come may name, if something waits.
    pub(super) fn held_back(&mut self, flows: &Table) -> Option<FrameRef> {
        self.forget_ended(flows);
        self.waits.front().map(|wait| wait.frame)
    }

    /// A direction in which something still waits; to be asked until there is none.
    pub(super) fn any_waiting(&mut self, flows: &Table) -> Option<Wait> {
        self.forget_ended(flows);
        self.pop()
    }

    fn pop(&mut self) -> Option<Wait> {
        let wait = self.waits.pop_front();
        self.set_due();
        wait
    }

    fn forget_ended(&mut self, flows: &Table) {
        while let Some(wait) = self.waits.front() {
            let flow = flows.get(wait.slot);
            if flow.identity.turn() == wait.turn && is_waiting(flow, wait.direction) {
                return;
            }
            self.pop();
        }
    }
}

/// A flow's record, in whole cache lines: what a million of them take is the table's memory.
const _: () = assert!(size_of::<Flow<State>>() <= 256);
