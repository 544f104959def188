//! What a [`Worker`] does with a packet's payload, once its flow is found: streams put their segments in order, datagrams are read as
//! they come. Each says the packet's verdict, or that its flow is to tell.

use super::{Framed, Worker};
use crate::flow::{Direction, Flow, FlowParts, Home, Outlet, Segment, Slot};
use crate::indicator::Transport;
use crate::packet::{FrameRef, Packet, protocol, tcp_flag};
use crate::pipeline::counters::Counters;
use crate::pipeline::decoded::Bytes;
use crate::pipeline::eyes::Delivery;
use crate::pipeline::judge;
use crate::pipeline::shard::{State, is_waiting};
use crate::pipeline::verdict::Verdict;
use crate::proto::Reading;

impl Worker {
    #[inline(always)]
    pub(super) fn segment(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Option<Verdict> {
        let packet = &framed.1.packet;
        let bytes = packet.payload_bytes.wrapping_add(packet.payload_missing_bytes);
        let mut verdict = Some(Verdict::Inspected);
        if bytes > 0 || packet.has(tcp_flag::SYN) {
            let flow = self.flows.get_mut(slot);
            if flow.is_quiet[direction.index()] {
                flow.streams[direction.index()].follow(packet.sequence.wrapping_add(bytes));
                verdict = Some(judge::lasting(flow, direction, || data.payload(framed)));
            } else if bytes == 0 && !is_waiting(flow, direction) {
                flow.streams[direction.index()].open(packet.sequence);
                self.note_quiet(slot);
                verdict = Some(self.unread.take_worst());
            } else {
                verdict = self.push(shard, slot, direction, data, framed);
            }
        }
        if packet.tcp_flags & (tcp_flag::FIN | tcp_flag::RST) != 0 {
            self.end(shard, slot, direction, framed);
        }
        verdict
    }

    /// A plain packet (`Item::is_plain`) of which more is to do than to count it: its payload is to be read, or its verdict waits.
    #[inline(never)]
    pub(super) fn read_plain(
        &mut self,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
        (home, verdict): (Home, Option<Verdict>),
    ) {
        let shard = self.flows.region(home);
        let packet = &framed.1.packet;
        let verdict = match verdict {
            None if packet.protocol != protocol::TCP => {
                Some(self.read_datagram(Transport::Udp, shard, slot, direction, data, framed))
            }
            None if is_usual(packet) => self.push(shard, slot, direction, data, framed),
            None if self.steps_over_cut(slot, direction, framed) => {
                return self.judge_cut(slot, direction, data, framed, Verdict::Truncated);
            }
            None => self.segment(shard, slot, direction, data, framed),
            known => known,
        };
        self.judge(slot, direction, data, framed, verdict);
    }

    /// A FIN or RST. One that overtook data ends nothing yet; a forged one may look as if it did, so what is held stays.
    #[inline(never)]
    fn end(&mut self, shard: usize, slot: Slot, direction: Direction, (frame, item): Framed<'_>) {
        let packet = &item.packet;
        let end = packet.sequence.wrapping_add(packet.payload_bytes).wrapping_add(packet.payload_missing_bytes);
        let is_end = packet.tcp_flags & tcp_flag::RST == 0;
        let flow = self.flows.get_mut(slot);
        if flow.is_quiet[direction.index()] {
            return;
        }
        let stream = &mut flow.streams[direction.index()];
        if stream.is_at(end) {
            self.look_at_held(shard, slot, direction, frame.reference(), is_end);
        } else if is_end {
            stream.note_end(end);
        }
    }

    /// `None` while the rest of its message is to tell.
    ///
    /// Nearly all segments are next in their stream, with nothing waiting: they are handed on from here.
    #[inline(never)]
    fn push(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Option<Verdict> {
        let packet = &framed.1.packet;
        let FlowParts { identity, streams, state, .. } = self.flows.get_mut(slot).parts();
        let stream = &mut streams[direction.index()];
        let is_whole = packet.payload_missing_bytes == 0 && packet.urgent_pointer == 0 && !packet.has(tcp_flag::SYN);
        if !is_whole || !stream.goes_on_with(packet.sequence) {
            return self.push_any(shard, slot, direction, data, framed);
        }
        if !state.conversation.is_at_parser(direction) {
            return self.push_next(shard, slot, direction, data, framed);
        }
        let (frame, payload) = (framed.0.reference(), data.payload(framed));
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        let chunk = stream.take_next(payload, frame);
        let mut delivery = Delivery { identity, state, direction, scans, eyes, unread };
        if delivery.chunk(&chunk, true, &mut self.shards[shard].pool) {
            return Some(self.unread.take_worst());
        }
        self.conclude_push(shard, slot, direction, (Reading::Parsing, false), (frame, payload))
    }

    /// The same where its parser does not get it at once: a part of a message is held, or no protocol is recognised yet.
    #[inline(never)]
    fn push_next(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Option<Verdict> {
        let (frame, payload) = (framed.0.reference(), data.payload(framed));
        let FlowParts { identity, streams, state, .. } = self.flows.get_mut(slot).parts();
        let before = (state.conversation.reading(direction), state.conversation.holds(direction));
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        let chunk = streams[direction.index()].take_next(payload, frame);
        let mut delivery = Delivery { identity, state, direction, scans, eyes, unread };
        delivery.chunk(&chunk, false, &mut self.shards[shard].pool);
        self.conclude_push(shard, slot, direction, before, (frame, payload))
    }

    /// What became of a segment that was next, and of its direction, with how far that was before and whether it held a part of a message.
    #[inline(never)]
    fn conclude_push(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        (before, was_holding): (Reading, bool),
        (frame, payload): (FrameRef, &[u8]),
    ) -> Option<Verdict> {
        match self.flows.get(slot).state().conversation.holds(direction) {
            true if !was_holding => self.wait(shard, slot, direction, frame),
            true => {}
            false => self.note_quiet(slot),
        }
        match self.unread.take_worst() {
            Verdict::Inspected => judge::read(self.flows.get(slot), direction, before, payload),
            worst => Some(worst),
        }
    }

    /// Whether a plain segment is the next of its stream, nothing of its payload was captured, and nobody misses it: a direction that is not
    /// read yet misses nothing. Then nothing else is done for it.
    #[inline(always)]
    fn steps_over_cut(&mut self, slot: Slot, direction: Direction, (frame, item): Framed<'_>) -> bool {
        let packet = &item.packet;
        let flow = self.flows.get_mut(slot);
        if packet.payload_bytes > 0
            || packet.tcp_flags & TURNING != 0
            || packet.urgent_pointer > 0
            || flow.is_quiet[direction.index()]
            || !flow.streams[direction.index()].goes_on_with(packet.sequence)
            || flow.state().conversation.minds_gap(direction)
            || self.eyes.mind_gaps()
        {
            return false;
        }
        flow.streams[direction.index()].take_cut(packet.payload_missing_bytes, frame.reference(), &mut self.streams);
        self.note_quiet(slot);
        true
    }

    /// The same of any segment.
    #[inline(never)]
    fn push_any(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Option<Verdict> {
        let (frame, item) = framed;
        let packet = &item.packet;
        let segment = Segment {
            sequence: packet.sequence,
            is_syn: packet.has(tcp_flag::SYN),
            data: data.payload(framed),
            missing_bytes: packet.payload_missing_bytes,
            frame: frame.reference(),
        };
        let flow = self.flows.get_mut(slot);
        let reading = flow.state().conversation.reading(direction);
        let out_of_window = self.streams.out_of_window;
        let was_waiting = is_waiting(flow, direction);
        match packet.urgent_pointer {
            0 => self.deliver(shard, slot, direction, |stream, out| stream.push(&segment, out)),
            at => self.deliver(shard, slot, direction, |stream, out| stream.push_urgent(&segment, at, out)),
        }
        if was_waiting && self.flows.get_mut(slot).streams[direction.index()].take_end() {
            self.look_at_held(shard, slot, direction, frame.reference(), true);
        }
        match is_waiting(self.flows.get_mut(slot), direction) {
            true if !was_waiting => self.wait(shard, slot, direction, segment.frame),
            true => {}
            false => self.note_quiet(slot),
        }
        let worst = self.unread.take_worst();
        if self.streams.out_of_window > out_of_window {
            return Some(Verdict::OutOfWindow);
        }
        if worst > Verdict::Inspected || segment.data.is_empty() {
            return Some(worst);
        }
        judge::read(self.flows.get_mut(slot), direction, reading, segment.data)
    }

    /// A direction has begun to wait.
    #[inline(never)]
    fn wait(&mut self, shard: usize, slot: Slot, direction: Direction, frame: FrameRef) {
        let turn = self.flows.get_mut(slot).identity.turn();
        self.shards[shard].wait(slot, turn, direction, frame, self.packets[shard]);
        self.due = self.due.min(self.shards[shard].due);
    }

    /// Notes which directions nobody looks at any more. Both: a parser may be done with the other one too, or have both probed anew.
    #[inline(always)]
    fn note_quiet(&mut self, slot: Slot) {
        let flow = self.flows.get_mut(slot);
        if self.scans_tcp || flow.is_blank() {
            return;
        }
        let [there, back] = flow.state().conversation.is_quiet();
        flow.is_quiet = [there && !flow.streams[0].has_pending(), back && !flow.streams[1].has_pending()];
    }

    /// Has a stream do something that hands bytes on.
    pub(super) fn deliver(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        act: impl FnOnce(&mut crate::flow::Stream, &mut Outlet<'_>),
    ) {
        let pool = &mut self.shards[shard].pool;
        let FlowParts { identity, streams, state, .. } = self.flows.get_mut(slot).parts();
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        let mut delivery = Delivery { identity, state, direction, scans, eyes, unread };
        let emit = &mut |chunk: crate::flow::Chunk<'_>, pool: &mut crate::flow::Pool| delivery.any_chunk(&chunk, pool);
        act(&mut streams[direction.index()], &mut Outlet { pool, counters: &mut self.streams, emit });
    }

    /// A direction says that it has no more bytes.
    #[cold]
    fn look_at_held(&mut self, shard: usize, slot: Slot, direction: Direction, frame: FrameRef, is_end: bool) {
        let pool = &mut self.shards[shard].pool;
        let FlowParts { identity, state, .. } = self.flows.get_mut(slot).parts();
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        Delivery { identity, state, direction, scans, eyes, unread }.look_at_held(pool, frame, is_end);
    }

    /// No more bytes of a direction will come.
    #[cold]
    pub(super) fn cut(&mut self, shard: usize, slot: Slot, direction: Direction, frame: FrameRef) {
        let pool = &mut self.shards[shard].pool;
        let FlowParts { identity, state, .. } = self.flows.get_mut(slot).parts();
        let (eyes, unread, scans) = (&mut self.eyes, &mut self.unread, self.scans_tcp);
        Delivery { identity, state, direction, scans, eyes, unread }.cut(pool, frame);
    }

    #[inline(always)]
    pub(super) fn datagram(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Verdict {
        if framed.1.packet.payload_bytes == 0 {
            return Verdict::Inspected;
        }
        let flow = self.flows.get_mut(slot);
        if flow.is_quiet[direction.index()] {
            return judge::lasting(flow, direction, || data.payload(framed));
        }
        self.read_datagram(Transport::Udp, shard, slot, direction, data, framed)
    }

    /// What lies in an Ethernet frame without IP.
    #[cold]
    pub(super) fn in_frame(
        &mut self,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Verdict {
        let flow = self.flows.get_mut(slot);
        if flow.is_quiet[direction.index()] {
            return judge::lasting(flow, direction, || data.payload(framed));
        }
        self.read_datagram(Transport::Ethernet, shard, slot, direction, data, framed)
    }

    #[inline(never)]
    fn read_datagram(
        &mut self,
        transport: Transport,
        shard: usize,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
    ) -> Verdict {
        let payload = data.payload(framed);
        let pool = &mut self.shards[shard].pool;
        let flow = self.flows.get_mut(slot);
        // Of datagrams nothing is held back or stepped over.
        let before = if flow.state().conversation.wants(direction) { Reading::Searching } else { Reading::Done };
        let FlowParts { identity, state, is_quiet, .. } = flow.parts();
        let scans = self.scans_udp && transport == Transport::Udp;
        let (eyes, unread) = (&mut self.eyes, &mut self.unread);
        let frame = framed.0.reference();
        let mut delivery = Delivery { identity, state, direction, scans, eyes, unread };
        if delivery.datagram(transport, payload, pool, frame) {
            return self.unread.take_worst();
        }
        is_quiet[direction.index()] = !scans && !state.conversation.wants(direction);
        match self.unread.take_worst() {
            Verdict::Inspected => judge::read(flow, direction, before, payload).unwrap_or_default(),
            worst => worst,
        }
    }

    /// An ICMP error quotes the packet that it is about: its ends are looked up.
    #[cold]
    pub(super) fn message(&mut self, slot: Slot, direction: Direction, data: Bytes<'_>, framed: Framed<'_>) -> Verdict {
        if !self.eyes.looks_at_addresses() {
            return Verdict::Inspected;
        }
        let FlowParts { identity, state, .. } = self.flows.get_mut(slot).parts();
        let payload = data.payload(framed);
        let (packet, frame) = (&framed.1.packet, framed.0.reference());
        self.eyes.look_at_quoted((packet, payload), direction, identity, &mut state.seldom, frame);
        Verdict::Inspected
    }
}

/// Flags of segments that start or end a conversation.
const TURNING: u8 = tcp_flag::SYN | tcp_flag::FIN | tcp_flag::RST;

/// Whether a packet is whole, and neither starts nor ends its conversation.
#[inline(always)]
fn is_usual(packet: &Packet) -> bool {
    packet.tcp_flags & TURNING == 0 && packet.payload_missing_bytes == 0
}

/// Counts a plain packet whose payload nobody reads and whose verdict is told. Of another one returns the verdict, if it is known.
#[inline(always)]
pub(super) fn pass(
    flow: &mut Flow<State>,
    direction: Direction,
    data: Bytes<'_>,
    framed: Framed<'_>,
    scans_tcp: bool,
    counters: &mut Counters,
) -> Result<(), Option<Verdict>> {
    let packet = &framed.1.packet;
    if !is_usual(packet) {
        return Err(None);
    }
    let is_tcp = packet.protocol == protocol::TCP;
    let verdict = if packet.payload_bytes == 0 {
        Verdict::Inspected
    } else if flow.is_quiet[direction.index()] {
        if is_tcp {
            flow.streams[direction.index()].follow(packet.sequence.wrapping_add(packet.payload_bytes));
        }
        if judge::tell_again(flow, direction, framed, counters) {
            return Ok(());
        }
        judge::lasting(flow, direction, || data.payload(framed))
    } else if is_tcp && !scans_tcp && steps_over(flow, direction, packet) {
        Verdict::PassedOver
    } else {
        return Err(None);
    };
    match judge::judge_alike(flow, direction, framed, verdict, counters) {
        true => Ok(()),
        false => Err(Some(verdict)),
    }
}

/// Whether a plain segment is the next of its stream and holds nothing but bytes that its parser steps over, most of a long body: then
/// nothing else is done for it.
#[inline(always)]
fn steps_over(flow: &mut Flow<State>, direction: Direction, packet: &Packet) -> bool {
    let FlowParts { streams, state, .. } = flow.parts();
    let stream = &mut streams[direction.index()];
    let steps = stream.is_at(packet.sequence) && state.conversation.step_over(direction, packet.payload_bytes);
    if steps {
        stream.step_over(packet.payload_bytes);
    }
    steps
}
