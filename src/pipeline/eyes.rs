//! [`Eyes`]: what looks at observables and raises alerts: the matcher's view, and everything but the flows, so that a flow can
//! be borrowed beside it.

use std::path::Path;
use std::sync::Arc;

use super::decoded::Item;
use super::recorder::Recorder;
use super::shard::{Raise, Seldom, State};
use super::verdict::Verdict;
use crate::alert::Alert;
use crate::flow::{Chunk, Direction, Identity, Pool};
use crate::indicator::{IndicatorIx, Observable, Transport, Value, Where, kind};
use crate::matcher::{EndpointKey, Hit, How, MatchSet, Matcher, ScanPlace};
use crate::metrics::Tally;
use crate::packet::{FrameRef, protocol};
use crate::proto::{Hint, Unread};

/// Field of a byte signature's match: the schema has none for payload.
const PAYLOAD: Where = Where("picket.payload");

/// See the module.
pub(super) struct Eyes {
    matcher: Matcher,
    set: Arc<MatchSet>,
    captures: Arc<[Arc<Path>]>,
    hits: Vec<Hit>,
    /// Raised since they were last taken.
    pub(super) alerts: Vec<Alert>,
    /// Hits that the allow-list suppressed.
    pub(super) suppressed: Tally<IndicatorIx>,
    /// Hits beyond the cap of one flow.
    pub(super) over_flow_cap: u64,
    /// Payload bytes that the scan gave up on.
    pub(super) unscanned_bytes: u64,
    /// Long signatures that were not followed.
    pub(super) begun_refused: u64,
    /// Notes every observable, if somebody wants to know.
    pub(super) recorder: Option<Box<Recorder>>,
}

impl Eyes {
    pub(super) fn new(set: &Arc<MatchSet>, captures: &Arc<[Arc<Path>]>) -> Self {
        Self {
            matcher: Matcher::new(Arc::clone(set)),
            set: Arc::clone(set),
            captures: Arc::clone(captures),
            hits: Vec::new(),
            alerts: Vec::new(),
            suppressed: Tally::default(),
            over_flow_cap: 0,
            unscanned_bytes: 0,
            begun_refused: 0,
            recorder: None,
        }
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
        if !keys.iter().any(|key| self.set.endpoint_maybe(key)) && self.recorder.is_none() {
            return;
        }
        let transport = match identity.protocol() {
            protocol::TCP => Some(Transport::Tcp),
            protocol::UDP => Some(Transport::Udp),
            _ => None,
        };
        for ((ip, port), at) in
            [(identity.originator(), Where("source.ip")), (identity.responder(), Where("destination.ip"))]
        {
            let value = Value::Endpoint(ip, port, transport);
            self.see(identity, seldom, &Observable { kind: kind::of_addr(ip), value, at, with: &[] }, frame);
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
        if !self.hits.is_empty() {
            self.raise(identity, seldom, observable, frame);
        }
    }

    #[cold]
    fn raise(&mut self, identity: &Identity, seldom: &mut Seldom, observable: &Observable<'_>, frame: FrameRef) {
        for hit in &self.hits {
            match seldom.reported().raise(hit.indicator, observable.at) {
                Raise::Again => {}
                Raise::Yes if hit.suppressed => self.suppressed.count(hit.indicator),
                Raise::Yes => {
                    let Some(capture) = self.captures.get(frame.file as usize) else { continue };
                    let covered = (hit.indicator, hit.how);
                    self.alerts.push(Alert::new(identity, frame, capture, observable, covered, &self.set));
                }
                Raise::OverCap => self.over_flow_cap += 1,
            }
        }
    }

    /// Scans payload for byte signatures.
    fn scan(
        &mut self,
        identity: &Identity,
        seldom: &mut Seldom,
        carry: Option<Direction>,
        (data, place): (&[u8], &ScanPlace),
        frame: FrameRef,
    ) {
        self.hits.clear();
        let carry = carry.map(|direction| seldom.carry(direction));
        let scanned = self.matcher.scan(carry, data, place, &mut self.hits);
        self.unscanned_bytes += scanned.cut_bytes;
        self.begun_refused += u64::from(scanned.begun_refused);
        for at in 0..self.hits.len() {
            let hit = self.hits[at];
            let How::Pattern { start } = hit.how else { continue };
            let set = Arc::clone(&self.set);
            let value = Value::Text(set.indicator(hit.indicator).value);
            let with = [crate::indicator::Field::number("picket.payload_offset", start)];
            let observable = Observable { kind: &kind::BYTES, value, at: PAYLOAD, with: &with };
            let all = std::mem::replace(&mut self.hits, vec![hit]);
            if let Some(recorder) = &mut self.recorder {
                recorder.note(identity, &observable, frame, &self.hits);
            }
            self.raise(identity, seldom, &observable, frame);
            self.hits = all;
        }
    }

    /// Alerts raised during one call of a parser carry the protocol's name, which may have been found in it.
    fn name_protocol(&mut self, first: usize, protocol: Option<&'static str>) {
        for alert in &mut self.alerts[first..] {
            alert.flow.protocol = protocol;
        }
    }
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
        let State { conversation, seldom } = &mut **state;
        if *scans && !chunk.data.is_empty() {
            let place = place(&hint, *direction, chunk.position, chunk.start_is_known, chunk.frame);
            let carry = (!chunk.is_aside).then_some(*direction);
            eyes.scan(identity, seldom, carry, (chunk.data, &place), chunk.frame);
        }
        if conversation.wants(*direction) {
            let mut seen = |observable: Observable<'_>| eyes.see(identity, seldom, &observable, chunk.frame);
            if chunk.is_aside {
                conversation.aside(*direction, chunk.data, &hint, &mut seen);
            } else {
                conversation.stream(*direction, chunk, &hint, pool, &mut seen, &mut |why| unread.count(why));
            }
        }
        eyes.name_protocol(first, conversation.protocol());
    }

    /// A datagram: the same.
    pub(super) fn datagram(&mut self, payload: &[u8], frame: FrameRef) {
        let hint = self.hint(Transport::Udp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, scans, eyes, unread } = self;
        let State { conversation, seldom } = &mut **state;
        if *scans {
            let place = place(&hint, *direction, 0, true, frame);
            eyes.scan(identity, seldom, None, (payload, &place), frame);
        }
        if conversation.wants(*direction) {
            let mut seen = |observable: Observable<'_>| eyes.see(identity, seldom, &observable, frame);
            conversation.datagram(*direction, payload, &hint, &mut seen, &mut |why| unread.count(why));
        }
        eyes.name_protocol(first, conversation.protocol());
    }

    /// A stream says that it has no more bytes.
    pub(super) fn look_at_held(&mut self, frame: FrameRef) {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, eyes, .. } = self;
        let State { conversation, seldom } = &mut **state;
        let mut seen = |observable: Observable<'_>| eyes.see(identity, seldom, &observable, frame);
        conversation.look_at_held(*direction, &hint, &mut seen);
        eyes.name_protocol(first, conversation.protocol());
    }

    /// No more bytes of a stream will come.
    pub(super) fn cut(&mut self, pool: &mut Pool, frame: FrameRef) {
        let hint = self.hint(Transport::Tcp);
        let first = self.eyes.alerts.len();
        let Self { identity, state, direction, eyes, unread, .. } = self;
        let State { conversation, seldom } = &mut **state;
        let mut seen = |observable: Observable<'_>| eyes.see(identity, seldom, &observable, frame);
        conversation.cut(*direction, &hint, pool, &mut seen, &mut |why| unread.count(why));
        eyes.name_protocol(first, conversation.protocol());
    }

    fn hint(&self, transport: Transport) -> Hint {
        let (originator, responder) = self.identity.ports();
        let (source_port, destination_port) = match self.direction {
            Direction::ToResponder => (originator, responder),
            Direction::ToOriginator => (responder, originator),
        };
        Hint { transport, source_port, destination_port }
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
