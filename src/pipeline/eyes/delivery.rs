//! [`Delivery`]: bytes of a flow on their way to what looks at them: the scan for byte signatures first, then the parser. What a
//! parser could not read is gathered in [`Unseen`], never dropped.

use super::scan::{PAYLOAD, Scanned, place};
use super::{Eyes, Look};
use crate::flow::{Chunk, Direction, Identity, Pool};
use crate::indicator::rule::{Message, Scope};
use crate::indicator::{Observable, Transport, Value, kind};
use crate::matcher::Piece;
use crate::metrics::Tally;
use crate::packet::FrameRef;
use crate::pipeline::shard::{Seldom, State};
use crate::pipeline::verdict::Verdict;
use crate::proto::{Hint, Unread};

/// One direction of one flow, being handed bytes.
pub(in crate::pipeline) struct Delivery<'w> {
    pub(in crate::pipeline) identity: &'w Identity,
    pub(in crate::pipeline) state: &'w mut State,
    pub(in crate::pipeline) direction: Direction,
    /// Whether the payload is to be scanned for byte signatures.
    pub(in crate::pipeline) scans: bool,
    pub(in crate::pipeline) eyes: &'w mut Eyes,
    pub(in crate::pipeline) unread: &'w mut Unseen,
}

/// What parsers could not read: all of it, and the worst since it was last asked for.
#[derive(Default)]
pub(in crate::pipeline) struct Unseen {
    tally: Tally<Unread>,
    /// [`Unread::NotRecognised`], which nearly every flow is at first, beside the others.
    not_recognised: u64,
    worst: Verdict,
}

impl Unseen {
    #[inline(never)]
    fn count(&mut self, why: Unread) {
        // A body is no defect: the packet's verdict says it.
        if why != Unread::PassedOver {
            self.note(why);
        }
        self.worst = self.worst.max(Verdict::of_unread(why));
    }

    /// Counts what befell no packet.
    #[inline]
    pub(in crate::pipeline) fn note(&mut self, why: Unread) {
        match why {
            Unread::NotRecognised => self.not_recognised += 1,
            _ => self.tally.count(why),
        }
    }

    /// All that was counted.
    pub(in crate::pipeline) fn tally(&self) -> Tally<Unread> {
        let mut tally = self.tally.clone();
        if self.not_recognised > 0 {
            tally.add(Unread::NotRecognised, self.not_recognised);
        }
        tally
    }

    /// The worst since the last call.
    #[inline]
    pub(in crate::pipeline) fn take_worst(&mut self) -> Verdict {
        std::mem::take(&mut self.worst)
    }

    /// Gives back what a conversation holds that ends.
    pub(in crate::pipeline) fn finish(&mut self, state: &mut State, pool: &mut Pool) {
        state.conversation.finish(pool, &mut |why| self.count(why));
    }
}

impl Delivery<'_> {
    /// Bytes of a stream: scanned for byte signatures, then parsed. `at_parser` says that they are next, and their parser's at once.
    /// Whether that has left everything as it was but what the parser knows.
    #[inline(always)]
    pub(in crate::pipeline) fn chunk(&mut self, chunk: &Chunk<'_>, at_parser: bool, pool: &mut Pool) -> bool {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        self.eyes.facing = self.direction;
        if self.scans && !chunk.data.is_empty() && !self.eyes.sheds_scan(chunk) {
            scan(self.eyes, self.identity, &mut self.state.seldom, self.direction, chunk, &hint);
        }
        let Self { identity, state, direction, eyes, unread, .. } = self;
        let State { conversation, seldom } = &mut **state;
        if chunk.position >= eyes.parse_until && conversation.wants(*direction) {
            conversation.shed(*direction, pool, &mut |why| unread.count(why));
        }
        let mut goes_on = false;
        if conversation.wants(*direction) {
            let mut look = Look { eyes, identity, seldom, hint: &hint, direction: *direction, frame: chunk.frame };
            let mut seen = |observable: Observable<'_>| look.see(&observable);
            let mut unread = |why| unread.count(why);
            if at_parser {
                goes_on = conversation.next(*direction, chunk.data, &hint, pool, &mut seen, &mut unread);
            } else if chunk.is_aside {
                conversation.aside(*direction, chunk.data, &hint, &mut seen);
            } else {
                conversation.stream(*direction, chunk, &hint, pool, &mut seen, &mut unread);
            }
        }
        eyes.conclude(first, identity, state, chunk.frame);
        goes_on
    }

    /// The same, for who has more to do than to hand on one after the other.
    #[inline(never)]
    pub(in crate::pipeline) fn any_chunk(&mut self, chunk: &Chunk<'_>, pool: &mut Pool) {
        self.chunk(chunk, false, pool);
    }

    /// A datagram, or what lies straight in a frame: the same.
    #[inline(always)]
    pub(in crate::pipeline) fn datagram(
        &mut self,
        transport: Transport,
        payload: &[u8],
        pool: &mut Pool,
        frame: FrameRef,
    ) -> bool {
        let hint = self.hint(transport);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, scans, eyes, unread } = self;
        eyes.facing = *direction;
        let State { conversation, seldom } = &mut **state;
        if *scans {
            scan_datagram(eyes, identity, seldom, *direction, payload, &hint, frame);
        }
        let mut goes_on = false;
        if conversation.wants(*direction) {
            let mut look = Look { eyes, identity, seldom, hint: &hint, direction: *direction, frame };
            let mut seen = |observable: Observable<'_>| look.see(&observable);
            goes_on = conversation.datagram(*direction, payload, &hint, pool, &mut seen, &mut |why| unread.count(why));
        }
        eyes.conclude(first, identity, state, frame);
        goes_on
    }

    /// A stream says that it has no more bytes; `is_end` if it ended well.
    pub(in crate::pipeline) fn look_at_held(&mut self, pool: &mut Pool, frame: FrameRef, is_end: bool) {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, eyes, unread, .. } = self;
        eyes.facing = *direction;
        let State { conversation, seldom } = &mut **state;
        let mut look = Look { eyes, identity, seldom, hint: &hint, direction: *direction, frame };
        let mut seen = |observable: Observable<'_>| look.see(&observable);
        conversation.look_at_held(*direction, &hint, &mut seen);
        if is_end {
            conversation.end(*direction, &hint, pool, &mut seen, &mut |why| unread.count(why));
        }
        eyes.conclude(first, identity, state, frame);
    }

    /// No more bytes of a stream will come, and nobody knows what is missing.
    pub(in crate::pipeline) fn cut(&mut self, pool: &mut Pool, frame: FrameRef) {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, eyes, unread, .. } = self;
        eyes.facing = *direction;
        let State { conversation, seldom } = &mut **state;
        let mut look = Look { eyes, identity, seldom, hint: &hint, direction: *direction, frame };
        let mut seen = |observable: Observable<'_>| look.see(&observable);
        conversation.cut(*direction, &hint, pool, &mut seen, &mut |why| unread.count(why));
        eyes.conclude(first, identity, state, frame);
    }

    #[inline]
    fn hint(&self, transport: Transport) -> Hint {
        let (source_port, destination_port) = self.identity.ports_towards(self.direction);
        Hint { transport, source_port, destination_port, wants: self.eyes.wants, protocols: self.eyes.protocols }
    }
}

/// Looks through a datagram for byte signatures, and judges rules by it.
#[inline(never)]
fn scan_datagram(
    eyes: &mut Eyes,
    identity: &Identity,
    seldom: &mut Seldom,
    direction: Direction,
    payload: &[u8],
    hint: &Hint,
    frame: FrameRef,
) {
    let place = place(hint, direction, 0, true, frame);
    eyes.scan(identity, seldom, Scanned::Alone, (payload, &place), frame);
    if eyes.has_rules {
        let whole = Observable { kind: &kind::RULE, value: Value::Text(payload), at: PAYLOAD, with: &[] };
        eyes.judge_message((identity, seldom), (Message::Datagram, &whole), frame);
    }
}

/// Looks through bytes of a stream for byte signatures.
#[inline(never)]
fn scan(
    eyes: &mut Eyes,
    identity: &Identity,
    seldom: &mut Seldom,
    direction: Direction,
    chunk: &Chunk<'_>,
    hint: &Hint,
) {
    let place = place(hint, direction, chunk.position, chunk.start_is_known, chunk.frame);
    let what = if chunk.is_aside { Scanned::Alone } else { Scanned::Stream(direction) };
    eyes.scan(identity, seldom, what, (chunk.data, &place), chunk.frame);
    if eyes.has_rules && eyes.matcher.follows(Scope::Stream) {
        let Chunk { data, position: offset, start_is_known: start_known, frame, .. } = *chunk;
        let (flow, time) = (eyes.flowing(identity), frame.time);
        let piece = Piece { data, offset, start_known, is_last: false, flow, time };
        eyes.follow((identity, seldom), what, &piece, frame);
    }
}
