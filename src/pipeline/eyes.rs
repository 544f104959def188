//! [`Eyes`]: what looks at observables and raises alerts: the matcher's view, and everything but the flows, so that a flow can
//! be borrowed beside it.

use std::path::Path;
use std::sync::Arc;

use super::decoded::Item;
use super::flowlog::Showing;
use super::live::{Names, OverloadOptions, Shedding};
use super::named::Naming;
use super::recorder::Recorder;
use super::shard::{Raise, Seldom, State};
use super::verdict::Verdict;
use super::waiting;
use crate::alert::{Alert, Notice, Occurrence, SuppressCounters, SuppressOptions, Suppressor};
use crate::flow::{Chunk, Direction, Identity, Pool};
use crate::indicator::rule::{Body, Flowing, Message, Scope};
use crate::indicator::{Field, FieldValue, IndicatorIx, Observable, Sighting, Transport, Value, Wants, Where, kind};
use crate::matcher::{EndpointKey, Hit, How, MatchSet, Matcher, Piece, ScanPlace, Shown};
use crate::metrics::Tally;
use crate::packet::{Ends, FrameRef, Packet, protocol};
use crate::proto::{Hint, Unread};

/// Field of a byte signature's match: the schema has none for payload.
const PAYLOAD: Where = Where("picket.payload");

/// Fields of the ends' addresses.
const ORIGINATOR: Where = Where("source.ip");
const RESPONDER: Where = Where("destination.ip");

/// The frame that showed a value, where another one completed its indicator's condition.
const SEEN_FRAME: &str = "picket.seen_frame";
/// Field of a match in a file's decoded content.
const CONTENT: Where = Where("picket.content");

/// What is scanned for byte signatures, and so what is remembered of the bytes before.
#[derive(Clone, Copy)]
enum Scanned {
    /// The next bytes of a stream direction.
    Stream(Direction),
    /// The next bytes of a file that a lane of a direction carries.
    Content(Direction, u8),
    /// A datagram, or bytes of a stream that are not its next.
    Alone,
}

/// See the module.
pub(super) struct Eyes {
    matcher: Matcher,
    wants: Wants,
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
            wants: set.wants(),
            set: Arc::clone(set),
            generation: 0,
            captures: Arc::clone(captures),
            hits: Vec::new(),
            has_conditions: set.indicators().has_conditions(),
            has_function_conditions: set.indicators().has_function_conditions(),
            has_rules: set.has_rules(),
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
        self.wants = set.wants();
        if self.shown.is_some() {
            self.wants.add(&kind::JA4, 0);
        }
        self.set = Arc::clone(set);
        self.generation += 1;
        self.suppressor.iter_mut().for_each(|suppressor| suppressor.swap(set));
        self.has_conditions = set.indicators().has_conditions();
        self.has_function_conditions = set.indicators().has_function_conditions();
        self.has_rules = set.has_rules();
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

    /// Makes what a flow remembers speak of the set.
    #[inline]
    pub(super) fn renew(&self, seldom: &mut Seldom) {
        seldom.renew(&self.set, self.generation);
    }

    /// Has fingerprints of clients made that nobody looks for.
    pub(super) fn show_fingerprints(&mut self) {
        [&kind::JA3, &kind::JA4].into_iter().for_each(|kind| self.wants.add(kind, 0));
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

    /// Hashes both ends of a packet and asks for the filter lines that tell whether they are worth a look.
    #[inline]
    pub(super) fn prefetch_ends(&self, item: &Item) -> [EndpointKey; 2] {
        let packet = &item.packet;
        [(packet.source, packet.source_port), (packet.destination, packet.destination_port)].map(|(address, port)| {
            let key = self.set.endpoint_key(address.ip(), port);
            self.set.prefetch_endpoint(&key);
            key
        })
    }

    /// Looks both ends of a new flow up, if the filter says that an indicator may cover one.
    #[inline]
    pub(super) fn look_at_ends(
        &mut self,
        keys: &[EndpointKey; 2],
        identity: &Identity,
        seldom: &mut Seldom,
        frame: FrameRef,
    ) {
        let is_of_interest = keys.iter().any(|key| self.set.endpoint_maybe(key)) || self.recorder.is_some();
        if !is_of_interest || identity.ends() == Ends::Hardware {
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
        self.look_at_ends(&keys, identity, seldom, frame);
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

    /// [`Eyes::see`] of whatever a parser shows: pieces of files are scanned.
    #[inline]
    fn look(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        observable: &Observable<'_>,
        hint: &Hint,
        (direction, frame): (Direction, FrameRef),
    ) {
        if let Some(shown) = &mut self.shown {
            shown.note(observable);
        }
        match observable.value {
            Value::Piece { .. } => self.scan_piece((identity, seldom), hint, direction, observable.value, frame),
            Value::Elsewhere(file) => self.named.push(Naming::new(identity, direction, file, frame)),
            _ => self.see(identity, seldom, observable, frame),
        }
        if self.has_rules
            && let Some(message) = message_of(observable)
        {
            self.judge_message((identity, seldom), (message, observable), frame);
        }
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

    /// Scans the next bytes of a decoded file for byte signatures. Limits to an offset speak of streams and datagrams: a
    /// signature with one is not looked for here.
    #[cold]
    fn scan_piece(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        hint: &Hint,
        direction: Direction,
        piece: Value<'_>,
        frame: FrameRef,
    ) {
        let Value::Piece { bytes, offset, lane, in_stream, is_last } = piece else { return };
        let what = Scanned::Content(direction, lane);
        if !in_stream && !bytes.is_empty() {
            let place = place(hint, direction, offset, false, frame);
            self.scan(identity, seldom, what, (bytes, &place), frame);
        }
        if self.matcher.follows(Scope::Content) {
            let (flow, time) = (self.flowing(identity), frame.time);
            let piece = Piece { data: bytes, offset, start_known: true, is_last, flow, time };
            self.follow((identity, seldom), what, &piece, frame);
        }
    }

    /// Judges rules by the next bytes of a stream or file.
    #[cold]
    fn follow(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        what: Scanned,
        piece: &Piece<'_>,
        frame: FrameRef,
    ) {
        self.hits.clear();
        let (trail, scope, at) = match what {
            Scanned::Stream(direction) => (Some(seldom.trail(direction)), Scope::Stream, PAYLOAD),
            Scanned::Content(direction, lane) => (Some(seldom.content_trail(direction, lane)), Scope::Content, CONTENT),
            Scanned::Alone => (None, Scope::Stream, PAYLOAD),
        };
        let scanned = self.matcher.follow(scope, trail, piece, &mut self.hits);
        self.unscanned_bytes += scanned.cut_bytes;
        self.begun_refused += u64::from(scanned.begun_refused);
        let set = Arc::clone(&self.set);
        for hit in std::mem::take(&mut self.hits) {
            let How::Rule { part, end } = hit.how else { continue };
            let Some(Body::Bytes { parts, .. }) = set.indicator(hit.indicator).rule.map(|rule| &rule.body) else {
                continue;
            };
            let bytes = parts.get(part as usize).and_then(|part| part.chain.first()).map_or(&[][..], |c| &c.bytes);
            let with = [Field::number(if at == CONTENT { "picket.content_end" } else { "picket.payload_end" }, end)];
            let observable = Observable { kind: &kind::RULE, value: Value::Text(bytes), at, with: &with };
            self.raise_one((identity, seldom), &observable, hit, frame);
        }
    }

    /// Judges rules by a whole message.
    #[cold]
    fn judge_message(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        (message, observable): (Message, &Observable<'_>),
        frame: FrameRef,
    ) {
        self.hits.clear();
        let shown = Shown { message, observable, flow: self.flowing(identity), time: frame.time };
        self.matcher.message(&shown, &mut self.hits);
        for hit in std::mem::take(&mut self.hits) {
            let How::Message(place) = hit.how else { continue };
            let value = shown.value(place).unwrap_or_default();
            let value = Value::Text(&value);
            let at = Where(place.field());
            self.raise_one((identity, seldom), &Observable { kind: &kind::RULE, value, at, ..*observable }, hit, frame);
        }
    }

    fn raise_one(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        observable: &Observable<'_>,
        hit: Hit,
        frame: FrameRef,
    ) {
        self.hits.clear();
        self.hits.push(hit);
        if let Some(recorder) = &mut self.recorder {
            recorder.note(identity, observable, frame, &self.hits);
        }
        self.raise(identity, seldom, observable, frame);
    }

    fn flowing(&self, identity: &Identity) -> Flowing {
        let to_responder = self.facing == Direction::ToResponder;
        let transport = transport(identity.protocol());
        Flowing { originator: identity.originator(), responder: identity.responder(), to_responder, transport }
    }

    /// Scans payload for byte signatures.
    fn scan(
        &mut self,
        identity: &Identity,
        seldom: &mut Seldom,
        what: Scanned,
        (data, place): (&[u8], &ScanPlace),
        frame: FrameRef,
    ) {
        self.hits.clear();
        let (carry, at_field) = match what {
            Scanned::Stream(direction) => (Some(seldom.carry(direction)), PAYLOAD),
            Scanned::Content(direction, lane) => (Some(seldom.content_carry(direction, lane)), CONTENT),
            Scanned::Alone => (None, PAYLOAD),
        };
        let scanned = self.matcher.scan(carry, data, place, &mut self.hits);
        self.unscanned_bytes += scanned.cut_bytes;
        self.begun_refused += u64::from(scanned.begun_refused);
        for at in 0..self.hits.len() {
            let hit = self.hits[at];
            let How::Pattern { start } = hit.how else { continue };
            let set = Arc::clone(&self.set);
            let value = Value::Text(set.indicator(hit.indicator).value);
            let offset = if at_field == CONTENT { "picket.content_offset" } else { "picket.payload_offset" };
            let with = [Field::number(offset, start)];
            let observable = Observable { kind: &kind::BYTES, value, at: at_field, with: &with };
            let all = std::mem::replace(&mut self.hits, vec![hit]);
            if let Some(recorder) = &mut self.recorder {
                recorder.note(identity, &observable, frame, &self.hits);
            }
            self.raise(identity, seldom, &observable, frame);
            self.hits = all;
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

/// One direction of one flow, being handed bytes.
pub(super) struct Delivery<'w> {
    pub(super) identity: &'w Identity,
    pub(super) state: &'w mut State,
    pub(super) direction: Direction,
    /// Whether the payload is to be scanned for byte signatures.
    pub(super) scans: bool,
    pub(super) eyes: &'w mut Eyes,
    pub(super) unread: &'w mut Unseen,
}

/// What parsers could not read: all of it, and the worst since it was last asked for.
#[derive(Default)]
pub(super) struct Unseen {
    pub(super) tally: Tally<Unread>,
    worst: Verdict,
}

impl Unseen {
    #[cold]
    fn count(&mut self, why: Unread) {
        // A body is no defect: the packet's verdict says it.
        if why != Unread::PassedOver {
            self.tally.count(why);
        }
        self.worst = self.worst.max(Verdict::of_unread(why));
    }

    /// The worst since the last call.
    #[inline]
    pub(super) fn take_worst(&mut self) -> Verdict {
        std::mem::take(&mut self.worst)
    }

    /// Gives back what a conversation holds that ends.
    pub(super) fn finish(&mut self, state: &mut State, pool: &mut Pool) {
        state.conversation.finish(pool, &mut |why| self.count(why));
    }
}

impl Delivery<'_> {
    /// Bytes of a stream: scanned for byte signatures, then parsed.
    pub(super) fn chunk(&mut self, chunk: &Chunk<'_>, pool: &mut Pool) {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, scans, eyes, unread } = self;
        eyes.facing = *direction;
        let State { conversation, seldom } = &mut **state;
        if *scans && !chunk.data.is_empty() && !eyes.sheds_scan(chunk) {
            let place = place(&hint, *direction, chunk.position, chunk.start_is_known, chunk.frame);
            let what = if chunk.is_aside { Scanned::Alone } else { Scanned::Stream(*direction) };
            eyes.scan(identity, seldom, what, (chunk.data, &place), chunk.frame);
            if eyes.has_rules && eyes.matcher.follows(Scope::Stream) {
                let Chunk { data, position: offset, start_is_known: start_known, frame, .. } = *chunk;
                let (flow, time) = (eyes.flowing(identity), frame.time);
                let piece = Piece { data, offset, start_known, is_last: false, flow, time };
                eyes.follow((identity, seldom), what, &piece, frame);
            }
        }
        if chunk.position >= eyes.parse_until && conversation.wants(*direction) {
            conversation.shed(*direction, pool, &mut |why| unread.count(why));
        }
        if conversation.wants(*direction) {
            let at = (*direction, chunk.frame);
            let mut seen = |observable: Observable<'_>| eyes.look((identity, seldom), &observable, &hint, at);
            if chunk.is_aside {
                conversation.aside(*direction, chunk.data, &hint, &mut seen);
            } else {
                conversation.stream(*direction, chunk, &hint, pool, &mut seen, &mut |why| unread.count(why));
            }
        }
        eyes.conclude(first, identity, state, chunk.frame);
    }

    /// A datagram, or what lies straight in a frame: the same.
    pub(super) fn datagram(&mut self, transport: Transport, payload: &[u8], pool: &mut Pool, frame: FrameRef) {
        let hint = self.hint(transport);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, scans, eyes, unread } = self;
        eyes.facing = *direction;
        let State { conversation, seldom } = &mut **state;
        if *scans {
            let place = place(&hint, *direction, 0, true, frame);
            eyes.scan(identity, seldom, Scanned::Alone, (payload, &place), frame);
            if eyes.has_rules {
                let whole = Observable { kind: &kind::RULE, value: Value::Text(payload), at: PAYLOAD, with: &[] };
                eyes.judge_message((identity, seldom), (Message::Datagram, &whole), frame);
            }
        }
        if conversation.wants(*direction) {
            let at = (*direction, frame);
            let mut seen = |observable: Observable<'_>| eyes.look((identity, seldom), &observable, &hint, at);
            conversation.datagram(*direction, payload, &hint, pool, &mut seen, &mut |why| unread.count(why));
        }
        eyes.conclude(first, identity, state, frame);
    }

    /// A stream says that it has no more bytes; `is_end` if it ended well.
    pub(super) fn look_at_held(&mut self, pool: &mut Pool, frame: FrameRef, is_end: bool) {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, eyes, unread, .. } = self;
        eyes.facing = *direction;
        let State { conversation, seldom } = &mut **state;
        let at = (*direction, frame);
        let mut seen = |observable: Observable<'_>| eyes.look((identity, seldom), &observable, &hint, at);
        conversation.look_at_held(*direction, &hint, &mut seen);
        if is_end {
            conversation.end(*direction, &hint, pool, &mut seen, &mut |why| unread.count(why));
        }
        eyes.conclude(first, identity, state, frame);
    }

    /// No more bytes of a stream will come, and nobody knows what is missing.
    pub(super) fn cut(&mut self, pool: &mut Pool, frame: FrameRef) {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, eyes, unread, .. } = self;
        eyes.facing = *direction;
        let State { conversation, seldom } = &mut **state;
        let at = (*direction, frame);
        let mut seen = |observable: Observable<'_>| eyes.look((identity, seldom), &observable, &hint, at);
        conversation.cut(*direction, &hint, pool, &mut seen, &mut |why| unread.count(why));
        eyes.conclude(first, identity, state, frame);
    }

    fn hint(&self, transport: Transport) -> Hint {
        let (originator, responder) = self.identity.ports();
        let (source_port, destination_port) = match self.direction {
            Direction::ToResponder => (originator, responder),
            Direction::ToOriginator => (responder, originator),
        };
        Hint { transport, source_port, destination_port, wants: self.eyes.wants }
    }
}

/// The message whose fields come with an observable, once a message.
fn message_of(observable: &Observable<'_>) -> Option<Message> {
    let has = |path: &str, wanted: Option<&str>| {
        observable.with.iter().any(|field| {
            field.path.0 == path && wanted.is_none_or(|word| matches!(field.value, FieldValue::Word(w) if w == word))
        })
    };
    Some(match observable.at.0 {
        "dns.question.name" if has("dns.type", Some("query")) => Message::DnsQuery,
        "tls.client.hello" => Message::ClientHello,
        // A hello too damaged for a fingerprint.
        "tls.client.server_name" if !has("tls.client.ja3", None) => Message::ClientHello,
        "tls.server.ja3s" => Message::ServerHello,
        "ssh.client.hassh" => Message::SshClient,
        "ssh.server.hassh" => Message::SshServer,
        "http.request.target" => Message::HttpRequest,
        "http.response.status_code" if *observable.kind == kind::RULE => Message::HttpResponse,
        _ => return None,
    })
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

fn place(hint: &Hint, direction: Direction, stream_offset: u64, start_known: bool, frame: FrameRef) -> ScanPlace {
    ScanPlace {
        transport: hint.transport,
        source_port: hint.source_port,
        destination_port: hint.destination_port,
        to_responder: direction == Direction::ToResponder,
        stream_offset,
        start_known,
        time: frame.time,
    }
}
