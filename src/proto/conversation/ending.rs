//! How a conversation ends: a direction that its sender ended, that nobody hears any more of, or that is too much; and the flow. What is whole
//! of a message that is not is looked at, memory goes back, and what was not read is said.

use super::Conversation;
use super::lane::Mode;
use crate::flow::{Direction, Pool};
use crate::indicator::Seen;
use crate::proto::whole::Whole;
use crate::proto::{Hint, Unread};

impl Conversation {
    /// The sender says that no more of this direction will come: what is whole of a message that is not is looked at. It stays
    /// held, in case the sender did not say so.
    pub fn look_at_held(&mut self, direction: Direction, hint: &Hint, seen: Seen<'_>) {
        let lane = self.lanes.of(direction);
        if let (Mode::Parsing, Some(held)) = (lane.mode, &lane.held) {
            self.session.cut(direction, &held.bytes, hint, seen);
        }
    }

    /// No more bytes of this direction will come: what is whole of a message that is not is looked at.
    pub fn cut(
        &mut self,
        direction: Direction,
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) {
        let lane = self.lanes.of(direction);
        if let (Mode::Parsing, Some(held)) = (lane.mode, &lane.held) {
            self.session.cut(direction, &held.bytes, hint, seen);
            unread(Unread::Incomplete);
        }
        pool.release(&mut self.lanes.of(direction).held);
    }

    /// The sender of a direction has ended it, and all of its bytes came.
    pub fn end(
        &mut self,
        direction: Direction,
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) {
        let is_file = |whole: &mut Box<Whole>| whole.direction() == direction;
        if let Some(whole) = self.whole.take_if(is_file) {
            let _ = pool.charge(&mut self.charged_bytes, 0);
            self.lanes.of(direction).begin(unread);
            self.lanes.of(direction).mode = Mode::Done;
            return whole.complete(seen);
        }
        let lane = self.lanes.get(direction);
        if lane.mode == Mode::Parsing && lane.skip_bytes == 0 {
            self.session.end(direction, hint, seen);
            self.settle(pool, unread);
        }
    }

    /// What its parser still waits for.
    pub fn unfinished(&self) -> Option<Unread> {
        self.session.unfinished().map(Unread::Parser)
    }

    /// The flow ends: gives back what it holds.
    pub fn finish(&mut self, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        self.unfinished().into_iter().for_each(&mut *unread);
        for lane in self.lanes.both() {
            if lane.held.is_some() && lane.mode == Mode::Parsing {
                unread(Unread::Incomplete);
            }
            pool.release(&mut lane.held);
        }
        self.whole = None;
        if self.charged_bytes > 0 {
            let _ = pool.charge(&mut self.charged_bytes, 0);
        }
    }

    /// There is too much traffic: a direction is read no further, for good.
    #[cold]
    pub fn shed(&mut self, direction: Direction, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        self.drop_whole(pool);
        let lane = self.lanes.of(direction);
        pool.release(&mut lane.held);
        if lane.mode != Mode::Done {
            (lane.mode, lane.need_bytes, lane.skip_bytes) = (Mode::Done, 0, 0);
            unread(Unread::Shed);
        }
    }
}
