//! Gives every packet and every flow its [`Verdict`]: at once where the packet tells, later where only its flow does.
//!
//! A packet waits (in its flow's [`Open`]) while part of its message does, and while the other direction of its TCP conversation
//! has not been seen. It must be given back exactly once: what is counted adds up to the packets.

use super::counters::Counters;
use super::decoded::{Bytes, Role};
use super::shard::{State, is_waiting};
use super::verdict::Verdict;
use super::worker::{Framed, Leaving, Worker};
use crate::flow::{Direction, Flow, Open, Slot, Stream};
use crate::packet::{DecodeError, ErrorKind, protocol};
use crate::proto::Reading;

impl Worker {
    /// A decode that stopped is counted.
    #[cold]
    pub(super) fn stop(&mut self, stopped: DecodeError, (frame, item): Framed<'_>) -> Verdict {
        // Pieces are counted by what became of their datagrams, and so is what was inflated.
        if !item.packet.is_fragment && stopped.kind != ErrorKind::Inflated {
            self.counters.stopped.count((stopped.layer, stopped.kind));
        }
        Verdict::of_stop(stopped, frame.captured_bytes < frame.wire_bytes)
    }

    /// A packet of no flow.
    #[cold]
    pub(super) fn judge_alone(&mut self, (frame, item): Framed<'_>, verdict: Verdict) {
        if item.role != Role::Own {
            return;
        }
        let packet = &item.packet;
        let network = u64::from(packet.vlan_key) << 32;
        self.counters.visibility.packet(network, || packet.vlan_ids().to_vec(), verdict, frame.wire_bytes);
    }

    /// Counts a packet under its verdict; without one it waits until the flow tells.
    #[inline(always)]
    pub(super) fn judge(
        &mut self,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
        verdict: Option<Verdict>,
    ) {
        let item = framed.1;
        if item.packet.payload_missing_bytes > 0 {
            self.judge_cut(slot, direction, data, framed, verdict.unwrap_or_default().max(Verdict::Truncated));
        } else if item.role == Role::Own {
            self.judge_plain(slot, direction, data, framed, verdict);
        } else {
            self.judge_with_flow(slot, direction, data, framed, verdict);
        }
    }

    /// The same of one that was cut. What still waits while the other direction is not heard cannot share its verdict.
    #[inline(never)]
    pub(super) fn judge_cut(
        &mut self,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
        verdict: Verdict,
    ) {
        self.counters.cut_packets += 1;
        let (frame, item) = framed;
        let flow = self.flows.get_mut(slot);
        let is_heard = flow.tags[direction.reverse().index()] != 0 || item.packet.protocol != protocol::TCP;
        if item.role != Role::Own || (is_heard && flow.open.packets > 0) {
            return self.judge_with_flow(slot, direction, data, framed, Some(verdict));
        }
        let tag = &mut flow.tags[direction.index()];
        *tag = verdict.tag().max(*tag);
        let vlans = || item.packet.vlan_ids().to_vec();
        self.counters.visibility.packet(item.key.network(), vlans, verdict, frame.wire_bytes);
    }

    /// The same of a frame's own packet, which is whole.
    #[inline(always)]
    pub(super) fn judge_plain(
        &mut self,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
        verdict: Option<Verdict>,
    ) {
        let flow = self.flows.get_mut(slot);
        match verdict {
            Some(verdict) if judge_alike(flow, direction, framed, verdict, &mut self.counters) => {}
            _ => self.judge_with_flow(slot, direction, data, framed, verdict),
        }
    }

    /// The same where more than the packet tells.
    #[inline(never)]
    fn judge_with_flow(
        &mut self,
        slot: Slot,
        direction: Direction,
        data: Bytes<'_>,
        framed: Framed<'_>,
        verdict: Option<Verdict>,
    ) {
        let (item, share) = (framed.1, data.share(framed));
        let packet = &item.packet;
        let flow = self.flows.get_mut(slot);
        let tag = &mut flow.tags[direction.index()];
        if item.role == Role::Rebuilt && *tag == Verdict::Fragment.tag() {
            // What its pieces were until now.
            *tag = Verdict::Inspected.tag();
        }
        *tag = verdict.unwrap_or_default().tag().max(*tag);
        if share.packets == 0 {
            // The frame has its verdict by another packet.
            return;
        }
        let is_one_sided = packet.protocol == protocol::TCP && flow.tags[direction.reverse().index()] == 0;
        match verdict {
            Some(verdict) if !(is_one_sided && verdict == Verdict::Inspected) => {
                let (network, vlans) = (item.key.network(), || packet.vlan_ids().to_vec());
                self.counters.visibility.packets(network, vlans, verdict, share.packets, share.bytes);
                if flow.open.packets > 0 && !is_one_sided {
                    self.close_open(slot, verdict);
                }
            }
            _ => {
                let sum = |open: u32, share: u64| u32::try_from(u64::from(open) + share);
                match (sum(flow.open.packets, share.packets), sum(flow.open.bytes, share.bytes)) {
                    (Ok(packets), Ok(bytes)) => flow.open = Open { packets, bytes },
                    // Four gigabytes and nothing has told yet: nothing will.
                    _ => {
                        self.decide(slot, Verdict::Inspected);
                        let (network, vlans) = (item.key.network(), || packet.vlan_ids().to_vec());
                        let inspected = Verdict::Inspected;
                        self.counters.visibility.packets(network, vlans, inspected, share.packets, share.bytes);
                    }
                }
            }
        }
    }

    /// Both directions were seen and a packet has its verdict: what waited shares it if it says what became of a message, unless
    /// something still waits.
    #[cold]
    fn close_open(&mut self, slot: Slot, verdict: Verdict) {
        let flow = self.flows.get_mut(slot);
        if is_waiting(flow, Direction::ToResponder) || is_waiting(flow, Direction::ToOriginator) {
            return;
        }
        let is_of_all = !verdict.is_lasting() && verdict != Verdict::OutOfWindow && verdict != Verdict::Truncated;
        self.decide(slot, if is_of_all { verdict } else { Verdict::Inspected });
    }

    /// Gives a flow's open packets their verdict.
    #[cold]
    fn decide(&mut self, slot: Slot, verdict: Verdict) {
        let Flow { identity, open, tags, .. } = self.flows.get_mut(slot);
        let Open { packets, bytes } = std::mem::take(open);
        if packets > 0 {
            let (packets, bytes) = (u64::from(packets), u64::from(bytes));
            self.counters.visibility.packets(identity.network(), || identity.vlans().to_vec(), verdict, packets, bytes);
        }
        for tag in tags.iter_mut().filter(|tag| **tag > 0) {
            *tag = verdict.tag().max(*tag);
        }
    }

    /// After something was given up: open packets share what befell it.
    pub(super) fn decide_if_lost(&mut self, slot: Slot) {
        let worst = self.unread.take_worst();
        if worst > Verdict::Inspected {
            self.decide(slot, worst);
        }
    }

    /// A flow that ended.
    pub(super) fn judge_flow(&mut self, slot: Slot, leaving: Leaving) -> Verdict {
        let worst = self.unread.take_worst();
        let flow = self.flows.get_mut(slot);
        let verdict = if leaving == Leaving::Evicted { Verdict::TableFull } else { worst.max(at_end(flow)) };
        self.decide(slot, verdict);
        let Flow { identity, tags, .. } = self.flows.get_mut(slot);
        let verdict = Verdict::of_tag(tags[0].max(tags[1]));
        self.counters.visibility.flow(identity.network(), || identity.vlans().to_vec(), verdict);
        verdict
    }
}

/// Whether its peer was seen, if it has one that must be.
#[inline(always)]
fn is_heard(flow: &Flow<State>, direction: Direction, framed: Framed<'_>) -> bool {
    flow.tags[direction.reverse().index()] != 0 || framed.1.packet.protocol != protocol::TCP
}

/// Gives the frame's own packet, which is whole, a verdict that says nothing of others; false, and nothing done, if it may.
#[inline(always)]
pub(super) fn judge_alike(
    flow: &mut Flow<State>,
    direction: Direction,
    framed: Framed<'_>,
    verdict: Verdict,
    counters: &mut Counters,
) -> bool {
    if is_told(flow, direction, framed, verdict) {
        tell(flow, direction, framed, verdict, counters);
        return true;
    }
    let waits = verdict == Verdict::Inspected && !is_heard(flow, direction, framed);
    if waits && flow.open.add(framed.0.wire_bytes) {
        let tag = &mut flow.tags[direction.index()];
        *tag = Verdict::Inspected.tag().max(*tag);
        return true;
    }
    false
}

/// Whether a verdict is the packet's for good and says nothing of others: nothing of its flow waits, and it will not.
#[inline(always)]
fn is_told(flow: &Flow<State>, direction: Direction, framed: Framed<'_>, verdict: Verdict) -> bool {
    flow.open.packets == 0 && (verdict != Verdict::Inspected || is_heard(flow, direction, framed))
}

/// Counts a packet whose verdict [`is_told`].
#[inline(always)]
fn tell(
    flow: &mut Flow<State>,
    direction: Direction,
    (frame, item): Framed<'_>,
    verdict: Verdict,
    counters: &mut Counters,
) {
    let tag = &mut flow.tags[direction.index()];
    *tag = verdict.tag().max(*tag);
    let vlans = || item.packet.vlan_ids().to_vec();
    counters.visibility.packet(item.key.network(), vlans, verdict, frame.wire_bytes);
}

/// Counts a packet in a direction that is read no more, if what was said of those before it is true of it too.
#[inline(always)]
pub(super) fn tell_again(
    flow: &Flow<State>,
    direction: Direction,
    (frame, item): Framed<'_>,
    counters: &mut Counters,
) -> bool {
    let tag = flow.tags[direction.index()];
    let is_told = flow.open.packets == 0 && Verdict::is_lasting_tag(tag);
    if is_told {
        let vlans = || item.packet.vlan_ids().to_vec();
        counters.visibility.packet_of_tag(item.key.network(), vlans, tag, frame.wire_bytes);
    }
    is_told
}

/// Of a packet whose payload was looked at, with how far its direction was before. `None`: the rest of its message tells.
#[inline(always)]
pub(super) fn read(flow: &Flow<State>, direction: Direction, before: Reading, data: &[u8]) -> Option<Verdict> {
    let after = flow.state().conversation.reading(direction);
    let is_read = before <= Reading::Parsing && after == Reading::Parsing;
    if is_read && !flow.streams[direction.index()].has_pending() {
        return Some(Verdict::Inspected);
    }
    read_or_not(flow, direction, (before, after), data)
}

#[inline(never)]
fn read_or_not(flow: &Flow<State>, direction: Direction, reading: (Reading, Reading), data: &[u8]) -> Option<Verdict> {
    match reading {
        (Reading::Done, _) => Some(lasting(flow, direction, || data)),
        (_, Reading::Holding) => None,
        _ if flow.streams[direction.index()].has_pending() => None,
        (Reading::Skipping, _) => Some(Verdict::PassedOver),
        (_, Reading::Unknown) => Some(class(flow, direction, data)),
        (_, Reading::Done) if flow.state().conversation.protocol().is_none() => Some(Verdict::class_of(data)),
        // The parser lost its place, and says so once.
        (_, Reading::Searching) if flow.tags[direction.index()] == Verdict::Gap.tag() => Some(Verdict::Gap),
        (_, Reading::Searching) => Some(Verdict::Malformed),
        _ => Some(Verdict::Inspected),
    }
}

/// Of an unknown protocol: what the first packet of the direction says of it.
#[inline]
fn class(flow: &Flow<State>, direction: Direction, data: &[u8]) -> Verdict {
    let known = Verdict::of_tag(flow.tags[direction.index()]);
    if known.is_lasting() { known } else { Verdict::class_of(data) }
}

/// Of a packet in a direction that is read no more.
#[inline]
pub(super) fn lasting<'d>(flow: &Flow<State>, direction: Direction, data: impl FnOnce() -> &'d [u8]) -> Verdict {
    let known = Verdict::of_tag(flow.tags[direction.index()]);
    if known.is_lasting() { known } else { why_done(flow, data()) }
}

#[cold]
fn why_done(flow: &Flow<State>, data: &[u8]) -> Verdict {
    let conversation = &flow.state().conversation;
    match conversation.protocol() {
        _ if data.is_empty() => Verdict::Inspected,
        None => Verdict::class_of(data),
        Some(_) if conversation.encrypts() => Verdict::Encrypted,
        Some(_) => Verdict::PassedOver,
    }
}

/// What the end of a flow says of its open packets.
fn at_end(flow: &Flow<State>) -> Verdict {
    let is_tcp = flow.key().protocol() == protocol::TCP;
    let has_spoken = flow.streams.iter().any(Stream::has_spoken);
    if is_tcp && has_spoken && flow.tags.contains(&0) {
        return Verdict::OneDirection;
    }
    let holds = |way: &Direction| flow.state().conversation.holds(*way);
    if !flow.is_blank() && [Direction::ToResponder, Direction::ToOriginator].iter().any(holds) {
        Verdict::Incomplete
    } else {
        Verdict::Inspected
    }
}

/// A flow that the end of the captures ends.
pub(super) fn end_open(flow: &Flow<State>, counters: &mut Counters) -> Verdict {
    let end = at_end(flow);
    let (network, vlans) = (flow.identity.network(), || flow.identity.vlans().to_vec());
    let Open { packets, bytes } = flow.open;
    let [there, back] = flow.tags.map(Verdict::of_tag);
    let of_open = if packets > 0 { end } else { Verdict::Inspected };
    let verdict = there.max(back).max(of_open);
    counters.visibility.ended(network, vlans, verdict, (end, u64::from(packets), u64::from(bytes)));
    verdict
}
