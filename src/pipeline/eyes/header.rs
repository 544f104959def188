//! What [`Eyes`] does with rules of a header alone. They are looked for once a flow, by its ends; each is judged by the first packet, and what
//! may yet hold waits ([`Pending`](crate::pipeline::pending::Pending)) for a packet that goes the other way, has its flags, or comes
//! once the conversation is established. A flow that no such rule is about is never asked for again.

use super::{Eyes, ORIGINATOR, RESPONDER, transport};
use crate::flow::{Direction, Flow, FlowParts, Identity, Lifecycle, Stream, Watch};
use crate::indicator::rule::{Body, Flowing, Header, Passing};
use crate::indicator::{IndicatorIx, Observable, Value, Where, kind};
use crate::packet::{Ends, FrameRef, Packet, protocol};
use crate::pipeline::pending::Awaited;
use crate::pipeline::shard::{Seldom, State};

/// Fields of the ends' ports.
const ORIGINATOR_PORT: Where = Where("source.port");
const RESPONDER_PORT: Where = Where("destination.port");

impl Eyes {
    /// Judges rules by the first packet of a flow.
    #[cold]
    pub(in crate::pipeline) fn judge_first(
        &mut self,
        flow: &mut Flow<State>,
        (packet, direction): (&Packet, Direction),
        frame: FrameRef,
    ) {
        if self.have_pending(flow) {
            self.judge_next(flow, (packet, direction), frame);
        }
    }

    /// Judges what waits by a further packet.
    #[cold]
    pub(in crate::pipeline) fn judge_next(
        &mut self,
        flow: &mut Flow<State>,
        (packet, direction): (&Packet, Direction),
        frame: FrameRef,
    ) {
        let first = self.alerts.len();
        self.facing = direction;
        if flow.state().seldom.is_of_another(self.generation) && !self.have_pending(flow) {
            return flow.watch(Watch::None);
        }
        let passing = flow.state_mut().seldom.pending().pass(packet, direction);
        while let Some(rule) = flow.state_mut().seldom.pending().take(packet, direction, &passing) {
            let FlowParts { identity, state, .. } = flow.parts();
            self.fulfil(identity, &mut state.seldom, rule, frame);
        }
        let watch = flow.state_mut().seldom.pending().watch();
        flow.watch(watch);
        let FlowParts { identity, state, .. } = flow.parts();
        self.conclude(first, identity, state, frame);
    }

    /// Judges the rules of another set by what is known of a live flow. Flags are not: who asks for them waits for the next.
    pub(in crate::pipeline) fn judge_live(&mut self, flow: &mut Flow<State>, frame: FrameRef) {
        flow.watch(Watch::None);
        if !self.has_header_rules || !self.have_pending(flow) {
            return;
        }
        let first = self.alerts.len();
        let seen = flow.tags.map(|tag| tag != 0);
        let is_tcp = flow.key().protocol() == protocol::TCP;
        let has_come_far = matches!(flow.lifecycle(), Lifecycle::Established | Lifecycle::Closing)
            && flow.streams.iter().any(Stream::has_spoken);
        let answered = if is_tcp { [has_come_far && seen == [true; 2]; 2] } else { seen };
        let pending = flow.state_mut().seldom.pending();
        pending.note_answered(answered);
        let is_established = pending.is_established();
        let packet = Packet { protocol: flow.identity.protocol(), ..Packet::default() };
        let passing = Passing { flags: 0, is_established };
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            self.facing = direction;
            let FlowParts { identity, state, .. } = flow.parts();
            let seldom = &mut state.seldom;
            while seen[direction.index()]
                && let Some(rule) = seldom.pending().take(&packet, direction, &passing)
            {
                self.fulfil(identity, seldom, rule, frame);
            }
        }
        let watch = flow.state_mut().seldom.pending().watch();
        flow.watch(watch);
        let FlowParts { identity, state, .. } = flow.parts();
        self.conclude(first, identity, state, frame);
    }

    /// Has every rule wait that may hold in a flow; false if there is none.
    fn have_pending(&mut self, flow: &mut Flow<State>) -> bool {
        let identity = &flow.identity;
        if identity.ends() != Ends::Ip {
            return false;
        }
        let flowing = self.two_ways(identity);
        self.set.header_rules([flowing[0].originator.0, flowing[0].responder.0], &mut self.found);
        let set = &self.set;
        let awaited = self.found.iter().filter_map(|&indicator| {
            let rule = set.indicator(indicator).rule?;
            let Body::Header(header) = rule.body else { return None };
            let ways = flowing.map(|way| rule.ends.admits(&way));
            let has_ports = !rule.ends.source_port.is_any() || !rule.ends.destination_port.is_any();
            (ways != [false; 2]).then_some(Awaited { indicator, ways, has_ports, header })
        });
        let awaited: Vec<Awaited> = awaited.collect();
        if awaited.is_empty() {
            return false;
        }
        // What is made only now speaks of no set yet.
        flow.state_mut().seldom.pending();
        self.renew(&mut flow.state_mut().seldom);
        self.over_flow_cap += flow.state_mut().seldom.pending().set(&awaited) as u64;
        true
    }

    /// A packet is what a rule asks for.
    fn fulfil(&mut self, identity: &Identity, seldom: &mut Seldom, indicator: IndicatorIx, frame: FrameRef) {
        let set = std::sync::Arc::clone(&self.set);
        let one = set.indicator(indicator);
        let Some(rule) = one.rule.filter(|_| one.window.contains(frame.time)) else { return };
        let to_responder = self.facing == Direction::ToResponder;
        let flowing = self.two_ways(identity)[usize::from(!to_responder)];
        let subject = rule.ends.subject(&flowing);
        let (at, at_port, (ip, port)) = match subject.is_originator {
            true => (ORIGINATOR, ORIGINATOR_PORT, flowing.originator),
            false => (RESPONDER, RESPONDER_PORT, flowing.responder),
        };
        let digits = port.to_string();
        let (at, kind, value) = match subject.is_port {
            true => (at_port, &kind::RULE, Value::Text(digits.as_bytes())),
            false => (at, kind::of_addr(ip), Value::Endpoint(ip, port, flowing.transport)),
        };
        let about = Observable { kind, value, at, with: &[] };
        let hit = self.matcher.fulfilled(indicator, &about, frame.time);
        self.raise_one((identity, seldom), &about, hit, frame);
    }

    /// What goes to the responder, and to the originator. What has no ports has none here.
    fn two_ways(&self, identity: &Identity) -> [Flowing; 2] {
        let protocol = identity.protocol();
        let has_ports = matches!(protocol, protocol::TCP | protocol::UDP | protocol::SCTP);
        let end = |(ip, port)| (ip, if has_ports { port } else { 0 });
        let (originator, responder) = (end(identity.originator()), end(identity.responder()));
        [true, false].map(|to_responder| Flowing {
            originator,
            responder,
            to_responder,
            transport: transport(protocol),
            protocol,
        })
    }
}

/// It is copied into every flow that it may hold in.
const _: () = assert!(size_of::<Header>() <= 8);
