//! [`Count`]: what is remembered of hits that are held back, of fixed size; [`Repeats`]: what a roll-up says of them.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::FixedState;

use crate::alert::{Alert, AlertFlow};
use crate::flow::Identity;
use crate::indicator::{IndicatorIx, Where};
use crate::matcher::How;
use crate::packet::{Address, Ends, FrameRef};
use crate::time::Timestamp;

/// A hit that is about to become an alert. On the stack: nothing is copied from the heap.
#[derive(Clone, Copy)]
pub struct Occurrence {
    pub(super) indicator: IndicatorIx,
    pub(super) how: How,
    pub(super) field: Where,
    pub(super) frame: FrameRef,
    originator: (IpAddr, u16),
    responder: (IpAddr, u16),
    protocol_number: u8,
    ends: Ends,
    tunnel: u32,
    protocol: Option<&'static str>,
    vlan_count: u8,
    vlans: [u16; 2],
}

/// What a roll-up says of the alerts that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// How many: those held back, without the one that was let through before them.
    pub count: u64,
    /// Packet time of the first.
    pub first: Timestamp,
    /// Packet time of the last.
    pub last: Timestamp,
    /// Hosts that opened their flows.
    pub sources: Distinct,
    /// Hosts that those were opened to.
    pub destinations: Distinct,
    /// Why they were held back.
    pub why: Held,
}

/// Hosts told apart, up to [`Distinct::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distinct {
    /// How many.
    pub count: u32,
    /// There were more.
    pub is_more: bool,
}

/// Why alerts were held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The same host and indicator had an alert in this window.
    Window,
    /// The indicator had too many: it floods.
    Rate,
}

impl Held {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Rate => "rate",
        }
    }
}

impl Distinct {
    /// Hosts told apart.
    pub const MAX: usize = 16;
}

impl Occurrence {
    /// Of an indicator in a field of a flow, completed by `frame`.
    pub fn new(flow: &Identity, frame: FrameRef, field: Where, (indicator, how): (IndicatorIx, How)) -> Self {
        let mut vlans = [0; 2];
        let tags = flow.vlans();
        vlans.iter_mut().zip(tags).for_each(|(own, tag)| *own = *tag);
        Self {
            indicator,
            how,
            field,
            frame,
            originator: flow.originator(),
            responder: flow.responder(),
            protocol_number: flow.protocol(),
            ends: flow.ends(),
            tunnel: flow.tunnel(),
            protocol: None,
            vlan_count: tags.len() as u8,
            vlans,
        }
    }

    pub(super) fn source(&self) -> Address {
        self.originator.0.into()
    }

    /// The flow, as an alert has it.
    pub(super) fn flow(&self) -> AlertFlow {
        AlertFlow {
            originator: self.originator,
            responder: self.responder,
            protocol_number: self.protocol_number,
            ends: self.ends,
            tunnel: self.tunnel,
            protocol: self.protocol,
            vlans: self.vlans.iter().copied().take(self.vlan_count.into()).collect(),
        }
    }
}

/// For whoever has alerts in order already.
impl From<&Alert> for Occurrence {
    fn from(alert: &Alert) -> Self {
        let flow = &alert.flow;
        let mut vlans = [0; 2];
        vlans.iter_mut().zip(&flow.vlans).for_each(|(own, tag)| *own = *tag);
        Self {
            indicator: alert.indicator_ix(),
            how: alert.how,
            field: alert.field,
            frame: alert.frame,
            originator: flow.originator,
            responder: flow.responder,
            protocol_number: flow.protocol_number,
            ends: flow.ends,
            tunnel: flow.tunnel,
            protocol: flow.protocol,
            vlan_count: flow.vlans.len().min(vlans.len()) as u8,
            vlans,
        }
    }
}

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct Count {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    sources: Few,
    destinations: Few,
    pub(super) latest: Occurrence,
}

impl Count {
    /// Counts one into what may be empty.
    pub(super) fn add(held: &mut Option<Self>, seen: &Occurrence) {
        let time = seen.frame.time;
        let count = held.get_or_insert(Self {
            count: 0,
            first: time,
            last: time,
            sources: Few::default(),
            destinations: Few::default(),
            latest: *seen,
        });
        count.count += 1;
        (count.first, count.last) = (count.first.min(time), count.last.max(time));
        count.sources.add(seen.originator.0);
        count.destinations.add(seen.responder.0);
        count.latest = *seen;
    }

    pub(super) fn repeats(&self, why: Held) -> Repeats {
        let Self { count, first, last, sources, destinations, .. } = self;
        let (sources, destinations) = (sources.distinct(), destinations.distinct());
        Repeats { count: *count, first: *first, last: *last, sources, destinations, why }
    }
}

/// Hosts told apart by a hash of their address: two that share one count as one.
#[derive(Clone, Copy, Default)]
struct Few {
    hashes: [u64; Distinct::MAX],
    length: u8,
    is_more: bool,
}

impl Few {
    fn add(&mut self, ip: IpAddr) {
        let hash = FixedState::default().hash_one(Address::from(ip));
        let length = usize::from(self.length);
        let known = self.hashes.iter().take(length).any(|known| *known == hash);
        match self.hashes.get_mut(length) {
            _ if known => {}
            Some(free) => (*free, self.length) = (hash, self.length + 1),
            None => self.is_more = true,
        }
    }

    fn distinct(&self) -> Distinct {
        Distinct { count: self.length.into(), is_more: self.is_more }
    }
}

crate::bytes::opaque_debug!(Occurrence, "Occurrence");
