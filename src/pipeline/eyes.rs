//! [`Eyes`]: what looks at observables and raises alerts: the matcher's view, and everything but the flows, so that a flow can
//! be borrowed beside it.

mod attention;
mod delivery;
mod header;
mod scan;

use std::path::Path;
use std::sync::Arc;

use attention::{looked_at, wanted_of};
pub(super) use delivery::{Delivery, Unseen};
use scan::message_of;

use super::decoded::Item;
use super::flowlog::Showing;
use super::live::{Names, OverloadOptions, Shedding};
use super::named::Naming;
use super::recorder::Recorder;
use super::shard::{Raise, Seldom, State};
use super::waiting;
use crate::alert::{Alert, Notice, Occurrence, SuppressCounters, SuppressOptions, Suppressor};
use crate::flow::{Chunk, Direction, Identity};
use crate::indicator::{Field, IndicatorIx, Observable, Sighting, Transport, Value, Wants, Where, kind};
use crate::matcher::{EndpointKey, Hit, How, MatchSet, Matcher};
use crate::metrics::Tally;
use crate::packet::{Address, Ends, FrameRef, Packet, protocol};
use crate::proto::{Hint, Protocols};

/// Fields of the ends' addresses.
const ORIGINATOR: Where = Where("source.ip");
const RESPONDER: Where = Where("destination.ip");

/// The frame that showed a value, where another one completed its indicator's condition.
const SEEN_FRAME: &str = "picket.seen_frame";

/// See the module.
pub(super) struct Eyes {
    matcher: Matcher,
    wants: Wants,
    /// Those that are parsed.
    pub(super) protocols: Protocols,
    /// Kinds that are looked at at all: those of the set, and all if somebody notes what is shown.
    looks: Wants,
    /// Nobody but the matcher looks at what is shown: what its filters turn down is done with.
    alone: bool,
    set: Arc<MatchSet>,
    /// Of `set`, where one takes over from another.
    generation: u32,
    captures: Arc<[Arc<Path>]>,
    hits: Vec<Hit>,
    /// Whether an indicator has a condition. If none has, nothing is ever spent on one.
    has_conditions: bool,
    has_function_conditions: bool,
    /// Whether there are rules. If there are none, nothing is ever spent on one.
    has_rules: bool,
    /// Whether there are rules of a header alone: new flows are asked for them.
    pub(super) has_header_rules: bool,
    /// Of those, the ones that may hold in a flow.
    found: Vec<IndicatorIx>,
    /// Which way the bytes go that are being looked at.
    facing: Direction,
    /// Raised since they were last taken.
    pub(super) alerts: Vec<Alert>,
    /// Names of files that come over other connections, since they were last taken.
    pub(super) named: Vec<Naming>,
    /// Holds further alerts of a host and indicator back. Live; replay does it when all alerts are in order.
    pub(super) suppressor: Option<Box<Suppressor>>,
    /// What the packet being read has shown, if there is a flow log.
    pub(super) shown: Option<Box<Showing>>,
    /// Hits that the allow-list suppressed.
    pub(super) suppressed: Tally<IndicatorIx>,
    /// Hits beyond the cap of one flow.
    pub(super) over_flow_cap: u64,
    /// Payload bytes that the scan gave up on.
    pub(super) unscanned_bytes: u64,
    /// Long signatures that were not followed.
    pub(super) begun_refused: u64,
    /// From which position of a stream on it is not scanned and not parsed, where a live sensor has too much to do.
    scan_until: u64,
    parse_until: u64,
    /// Payload bytes that were not scanned for that.
    pub(super) shed_scan_bytes: u64,
    /// The last names seen, in a live run.
    pub(super) names: Option<Box<Names>>,
    /// Notes every observable, if somebody wants to know.
    pub(super) recorder: Option<Box<Recorder>>,
}

impl Eyes {
    pub(super) fn new(set: &Arc<MatchSet>, captures: &Arc<[Arc<Path>]>) -> Self {
        Self {
            matcher: Matcher::new(Arc::clone(set)),
            wants: wanted_of(set),
            protocols: Protocols::ALL,
            looks: looked_at(set),
            alone: !set.has_rules() && !set.indicators().has_function_conditions(),
            set: Arc::clone(set),
            generation: 0,
            captures: Arc::clone(captures),
            hits: Vec::new(),
            has_conditions: set.indicators().has_conditions(),
            has_function_conditions: set.indicators().has_function_conditions(),
            has_rules: set.has_rules(),
            has_header_rules: set.has_header_rules(),
            found: Vec::new(),
            facing: Direction::ToResponder,
            alerts: Vec::new(),
            named: Vec::new(),
            suppressor: None,
            shown: None,
            suppressed: Tally::default(),
            over_flow_cap: 0,
            unscanned_bytes: 0,
            begun_refused: 0,
            scan_until: u64::MAX,
            parse_until: u64::MAX,
            shed_scan_bytes: 0,
            names: None,
            recorder: None,
        }
    }

    /// Looks with another set from now on. Returns the hits that the old one's allow-list suppressed.
    #[cold]
    pub(super) fn adopt(&mut self, set: &Arc<MatchSet>) -> Tally<IndicatorIx> {
        self.matcher = Matcher::new(Arc::clone(set));
        self.wants = wanted_of(set);
        if self.shown.is_some() {
            self.wants.add(&kind::JA4, 0);
        }
        self.looks = looked_at(set);
        self.set = Arc::clone(set);
        self.generation += 1;
        self.suppressor.iter_mut().for_each(|suppressor| suppressor.swap(set));
        self.has_conditions = set.indicators().has_conditions();
        self.has_function_conditions = set.indicators().has_function_conditions();
        self.has_rules = set.has_rules();
        self.has_header_rules = set.has_header_rules();
        self.attend();
        std::mem::take(&mut self.suppressed)
    }

    /// Leaves this out from now on.
    pub(super) fn shed(&mut self, shedding: Shedding, options: &OverloadOptions) {
        let from = |least, bytes| if shedding >= least { bytes } else { u64::MAX };
        self.scan_until = from(Shedding::Bulk, options.bulk_bytes);
        self.parse_until = from(Shedding::Long, options.long_bytes);
    }

    /// Whether bytes of a stream are too far in to be scanned at present; counted.
    #[inline]
    fn sheds_scan(&mut self, chunk: &Chunk<'_>) -> bool {
        let sheds = chunk.position >= self.scan_until;
        self.shed_scan_bytes += if sheds { chunk.data.len() as u64 } else { 0 };
        sheds
    }

    /// Whether a hole in a stream may change what no parser has a part in: how far it is read, or which conditions have come true.
    #[inline]
    pub(super) fn mind_gaps(&self) -> bool {
        self.parse_until < u64::MAX || self.has_conditions
    }

    /// Makes what a flow remembers speak of the set.
    #[inline]
    pub(super) fn renew(&self, seldom: &mut Seldom) {
        seldom.renew(&self.set, self.generation);
    }

    /// Holds repeated alerts back, or goes on to say everything.
    pub(super) fn suppress(&mut self, options: Option<&SuppressOptions>) {
        let suppressor = |options: &SuppressOptions| Suppressor::new(options.clone(), &self.set, &self.captures);
        self.suppressor = options.map(suppressor).map(Box::new);
    }

    /// Notes what is shown, for the flow log.
    pub(super) fn note_flows(&mut self) {
        self.shown = Some(Box::default());
        self.wants.add(&kind::JA4, 0);
        self.attend();
    }

    /// Sums up what was held back so far.
    pub(super) fn close(&mut self) {
        self.suppressor.iter_mut().for_each(|suppressor| suppressor.close());
    }

    /// What was held back.
    pub(super) fn held_back(&self) -> SuppressCounters {
        self.suppressor.as_ref().map(|suppressor| suppressor.counters()).unwrap_or_default()
    }

    /// What there is to say of indicators that flood.
    pub(super) fn take_notice(&mut self) -> Option<Notice> {
        self.suppressor.as_mut()?.take_notice()
    }

    /// Whether there are any for [`Eyes::take_alerts`].
    #[inline]
    pub(super) fn has_alerts(&self) -> bool {
        !self.alerts.is_empty() || self.suppressor.as_ref().is_some_and(|suppressor| suppressor.has_roll_ups())
    }

    /// Alerts raised since the last call, then what sums up others.
    pub(super) fn take_alerts(&mut self) -> Vec<Alert> {
        let mut alerts = std::mem::take(&mut self.alerts);
        alerts.extend(self.suppressor.iter_mut().flat_map(|suppressor| suppressor.take()));
        alerts
    }

    /// Hashes both ends of a packet and asks for the filter lines that tell whether they are worth a look, if ends are of interest.
    #[inline]
    pub(super) fn prefetch_ends(&self, item: &Item) -> [EndpointKey; 2] {
        if !self.looks_at_addresses() {
            return Default::default();
        }
        let packet = &item.packet;
        let key = |address: Address, port| {
            let key = self.set.endpoint_key(address.ip(), port);
            self.set.prefetch_endpoint(&key);
            key
        };
        [key(packet.source, packet.source_port), key(packet.destination, packet.destination_port)]
    }

    /// Whether the filter says that an indicator may cover one of these ends.
    #[inline]
    pub(super) fn are_of_interest(&self, keys: &[EndpointKey; 2]) -> bool {
        keys.iter().any(|key| self.set.endpoint_maybe(key)) || self.recorder.is_some()
    }

    /// Looks both ends of a flow up.
    #[inline(never)]
    pub(super) fn look_at_ends(&mut self, identity: &Identity, seldom: &mut Seldom, frame: FrameRef) {
        if identity.ends() == Ends::Hardware {
            return;
        }
        for (at, facing) in [(ORIGINATOR, Direction::ToResponder), (RESPONDER, Direction::ToOriginator)] {
            self.facing = facing;
            self.see(identity, seldom, &end(identity, at, &[]), frame);
        }
    }

    /// Looks both ends of a live flow up, after another set took over.
    pub(super) fn look_at_ends_again(&mut self, identity: &Identity, seldom: &mut Seldom, frame: FrameRef) {
        let keys = [identity.originator(), identity.responder()].map(|(ip, port)| self.set.endpoint_key(ip, port));
        if self.are_of_interest(&keys) {
            self.look_at_ends(identity, seldom, frame);
        }
    }

    /// Looks both ends of the packet up that an ICMP error quotes.
    pub(super) fn look_at_quoted(
        &mut self,
        (packet, payload): (&Packet, &[u8]),
        direction: Direction,
        identity: &Identity,
        seldom: &mut Seldom,
        frame: FrameRef,
    ) {
        self.facing = direction;
        let Some(quoted) = packet.quoted(payload) else { return };
        let transport = transport(quoted.protocol);
        let ports = [
            ("icmp.quoted.source.port", quoted.source_port),
            ("icmp.quoted.destination.port", quoted.destination_port),
        ]
        .map(|(path, port)| Field::number(path, u64::from(port)));
        let with = if transport.is_some() { &ports[..] } else { &[] };
        for (address, port, at) in [
            (quoted.source, quoted.source_port, Where("icmp.quoted.source.ip")),
            (quoted.destination, quoted.destination_port, Where("icmp.quoted.destination.ip")),
        ] {
            let ip = address.ip();
            let value = Value::Endpoint(ip, port, transport);
            self.see(identity, seldom, &Observable { kind: kind::of_addr(ip), value, at, with }, frame);
        }
    }

    /// One observable: whatever indicators cover it raise their alerts.
    #[inline]
    pub(super) fn see(
        &mut self,
        identity: &Identity,
        seldom: &mut Seldom,
        observable: &Observable<'_>,
        frame: FrameRef,
    ) {
        if !self.looks.kind(observable.kind) {
            return;
        }
        self.hits.clear();
        self.matcher.seen(observable, frame.time, &mut self.hits);
        if let Some(recorder) = &mut self.recorder {
            recorder.note(identity, observable, frame, &self.hits);
        }
        if let Some(names) = &mut self.names {
            names.note(identity, observable, frame);
        }
        if !self.hits.is_empty() {
            self.raise(identity, seldom, observable, frame);
        }
        if self.has_function_conditions && observable.kind == &kind::ICS_FUNCTION {
            self.note_function(seldom, observable);
        }
    }

    /// Conditions may ask for it.
    #[cold]
    fn note_function(&mut self, seldom: &mut Seldom, observable: &Observable<'_>) {
        if let Value::Text(function) = observable.value
            && !seldom.waiting().note(self.facing, function)
        {
            self.over_flow_cap += 1;
        }
    }

    /// Whether [`Look::see`] has anything to do but to glance: most is done with then.
    #[inline(always)]
    fn may_matter(&self, observable: &Observable<'_>) -> bool {
        let may_matter = match observable.value {
            Value::Piece { .. } | Value::Elsewhere(_) => true,
            _ => self.looks.kind(observable.kind) && self.set.maybe(observable),
        };
        may_matter || !self.alone
    }

    #[cold]
    fn raise(&mut self, identity: &Identity, seldom: &mut Seldom, observable: &Observable<'_>, frame: FrameRef) {
        self.renew(seldom);
        for hit in &self.hits {
            if let Some(when) = self.set.indicator(hit.indicator).when {
                let ports = matches!(identity.protocol(), protocol::TCP | protocol::UDP | protocol::SCTP);
                let to_responder = self.facing == Direction::ToResponder;
                let ports = ports.then(|| identity.ports());
                if !when.admits(&Sighting { at: observable.at, to_responder, ports }) {
                    continue;
                }
                if when.needs_flow() && !hit.suppressed {
                    self.over_flow_cap += u64::from(!self.wait(identity, seldom, observable, *hit, frame));
                    continue;
                }
            }
            match seldom.reported().raise(&self.set, hit.indicator, observable.at) {
                Raise::Again => {}
                Raise::Yes if hit.suppressed => self.suppressed.count(hit.indicator),
                Raise::Yes => {
                    let Some(capture) = self.captures.get(frame.file as usize) else { continue };
                    let covered = (hit.indicator, hit.how);
                    if !admits(&mut self.suppressor, identity, frame, observable.at, covered) {
                        continue;
                    }
                    self.alerts.push(Alert::new(identity, frame, capture, observable, covered, &self.set));
                }
                Raise::OverCap => self.over_flow_cap += 1,
            }
        }
    }

    /// Keeps a hit until its condition holds; false if the flow has too many.
    fn wait(
        &self,
        identity: &Identity,
        seldom: &mut Seldom,
        observable: &Observable<'_>,
        hit: Hit,
        frame: FrameRef,
    ) -> bool {
        let (indicator, how, at) = (hit.indicator, hit.how, observable.at);
        if seldom.reported().contains(&self.set, indicator, at) || seldom.waiting().contains(indicator, at) {
            return true;
        }
        let Some(capture) = self.captures.get(frame.file as usize) else { return true };
        let is_end = matches!(at, ORIGINATOR | RESPONDER);
        let alert =
            (!is_end).then(|| Box::new(Alert::new(identity, frame, capture, observable, (indicator, how), &self.set)));
        let likeness = self.set.indicator(indicator).likeness();
        seldom.waiting().add(waiting::Hit { indicator, likeness, how, at, frame_number: frame.number, alert })
    }

    /// Raises what waited and has come true by `frame`, for good: the frame is what the alerts name.
    #[cold]
    fn settle(&mut self, identity: &Identity, seldom: &mut Seldom, protocol: Option<&'static str>, frame: FrameRef) {
        self.renew(seldom);
        let Some((waiting, reported)) = seldom.waiting_hits() else { return };
        let Some(capture) = self.captures.get(frame.file as usize) else { return };
        while let Some(waiting::Hit { indicator, how, at, frame_number, alert, .. }) =
            waiting.take_due(protocol, &self.set)
        {
            match reported.raise(&self.set, indicator, at) {
                Raise::Again => {}
                Raise::OverCap => self.over_flow_cap += 1,
                Raise::Yes if !admits(&mut self.suppressor, identity, frame, at, (indicator, how)) => {}
                Raise::Yes => {
                    let seen = [Field::number(SEEN_FRAME, frame_number)];
                    let with = if frame_number == frame.number { &[][..] } else { &seen };
                    let alert = match alert {
                        Some(mut alert) => {
                            (alert.frame, alert.capture) = (frame, Arc::clone(capture));
                            alert.with.extend(with.iter().map(Into::into));
                            *alert
                        }
                        None => {
                            let observable = end(identity, at, with);
                            Alert::new(identity, frame, capture, &observable, (indicator, how), &self.set)
                        }
                    };
                    self.alerts.push(alert);
                }
            }
        }
    }

    /// What one call of a parser may have changed: conditions have come true, and alerts raised since `first` carry the
    /// protocol's name, which may have been found in it.
    #[inline]
    fn conclude(&mut self, first: usize, identity: &Identity, state: &mut State, frame: FrameRef) {
        if self.has_conditions || self.alerts.len() > first {
            self.conclude_alerts(first, identity, state, frame);
        }
    }

    #[cold]
    fn conclude_alerts(&mut self, first: usize, identity: &Identity, state: &mut State, frame: FrameRef) {
        let protocol = state.conversation.protocol();
        self.settle(identity, &mut state.seldom, protocol, frame);
        for alert in &mut self.alerts[first..] {
            alert.flow.protocol = protocol;
        }
    }
}

/// Eyes on what a parser shows, of the bytes of one flow.
struct Look<'l> {
    eyes: &'l mut Eyes,
    identity: &'l Identity,
    seldom: &'l mut Seldom,
    hint: &'l Hint,
    direction: Direction,
    frame: FrameRef,
}

impl Look<'_> {
    /// [`Eyes::see`] of whatever a parser shows: pieces of files are scanned.
    #[inline(always)]
    fn see(&mut self, observable: &Observable<'_>) {
        if self.eyes.may_matter(observable) {
            self.see_closely(observable);
        }
    }

    #[inline(never)]
    fn see_closely(&mut self, observable: &Observable<'_>) {
        let Self { eyes, identity, seldom, hint, direction, frame } = self;
        if let Some(shown) = &mut eyes.shown {
            shown.note(observable);
        }
        match observable.value {
            Value::Piece { .. } => eyes.scan_piece((identity, seldom), hint, *direction, observable.value, *frame),
            Value::Elsewhere(file) => eyes.named.push(Naming::new(identity, *direction, file, *frame)),
            _ => eyes.see(identity, seldom, observable, *frame),
        }
        if eyes.has_rules
            && let Some(message) = message_of(observable)
        {
            eyes.judge_message((identity, seldom), (message, observable), *frame);
        }
    }
}

/// Whether an alert is to be made of a hit; asked before anything is copied.
fn admits(
    suppressor: &mut Option<Box<Suppressor>>,
    identity: &Identity,
    frame: FrameRef,
    at: Where,
    covered: (IndicatorIx, How),
) -> bool {
    suppressor.as_mut().is_none_or(|suppressor| suppressor.admits(&Occurrence::new(identity, frame, at, covered)))
}

/// The address of the end that `at` names.
fn end<'w>(identity: &Identity, at: Where, with: &'w [Field<'w>]) -> Observable<'w> {
    let transport = transport(identity.protocol());
    let (ip, port) = if at == ORIGINATOR { identity.originator() } else { identity.responder() };
    Observable { kind: kind::of_addr(ip), value: Value::Endpoint(ip, port, transport), at, with }
}

fn transport(protocol_number: u8) -> Option<Transport> {
    match protocol_number {
        protocol::TCP => Some(Transport::Tcp),
        protocol::UDP => Some(Transport::Udp),
        _ => None,
    }
}
