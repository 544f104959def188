//! [`Matcher`]: one worker's view of a [`MatchSet`], with the scratch memory that keeps the hot path from allocating.

use std::sync::Arc;

use super::pattern::{Carry, ScanPlace, ScanScratch, Scanned};
use super::rules::{Piece, RuleScratch, Shown, Trail};
use super::set::MatchSet;
use crate::indicator::kind::DOMAIN;
use crate::indicator::rule::{Place, Scope};
use crate::indicator::{IndicatorIx, Observable, Value};
use crate::time::Timestamp;

/// An indicator that covers what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub indicator: IndicatorIx,
    /// How it covers it.
    pub how: How,
    /// The allow-list covers it too: to be counted, not alerted.
    pub suppressed: bool,
}

/// How an indicator covers what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is the value.
    Exact,
    /// The name seen is so many labels below it.
    Subtree {
        /// Labels to its left.
        labels: usize,
    },
    /// It is a network that the address lies in.
    Network {
        /// Its prefix length.
        bits: u8,
    },
    /// It is the address and the port.
    Port,
    /// The URL seen is below it.
    Prefix,
    /// Its bytes are in the payload.
    Pattern {
        /// Where they start: position in the stream direction, or in the datagram.
        start: u64,
    },
    /// It is a rule that a message fulfils; this value holds what it was found by.
    Message(Place),
    /// It is a rule of a header alone, of a packet of such a conversation.
    Header,
    /// It is a rule that the bytes of a stream or file fulfil.
    Rule {
        /// The part that came last.
        part: u32,
        /// Position of the byte after it.
        end: u64,
    },
}

impl How {
    /// So many labels below; none is the name itself.
    pub(super) fn below(labels: usize) -> Self {
        if labels == 0 { Self::Exact } else { Self::Subtree { labels } }
    }
}

/// See the module. Cheap to make for a new set; holds no state between calls.
pub struct Matcher {
    set: Arc<MatchSet>,
    scratch: Vec<u8>,
    scan: ScanScratch,
    rules: RuleScratch,
}

impl Matcher {
    /// A view of `set`.
    pub fn new(set: Arc<MatchSet>) -> Self {
        let scan = ScanScratch::for_patterns(set.patterns());
        Self { set, scratch: Vec::with_capacity(SCRATCH_BYTES), scan, rules: RuleScratch::default() }
    }

    /// What it is a view of. The batched questions about endpoints and names are asked there.
    #[inline]
    pub fn set(&self) -> &MatchSet {
        &self.set
    }

    /// Appends every indicator that covers `observable` and is valid at `at` to `hits`, in an order that depends on the set
    /// alone.
    ///
    /// Limits to a port or transport are judged from [`crate::indicator::Value::Endpoint`]: what was seen without a port or
    /// transport matches no indicator that is limited to one.
    #[inline]
    pub fn seen(&mut self, observable: &Observable<'_>, at: Timestamp, hits: &mut Vec<Hit>) {
        let before = hits.len();
        self.set.find(observable, at, &mut self.scratch, |indicator, how| {
            hits.push(Hit { indicator, how, suppressed: false });
        });
        if hits.len() > before && self.set.allows(observable, at, &mut self.scratch) {
            hits[before..].iter_mut().for_each(|hit| hit.suppressed = true);
        }
    }

    /// Looks for byte signatures in the next bytes of a stream direction (`carry` is that direction's) or in a datagram
    /// (`carry` is `None`), and appends each that occurs to `hits`, once a call.
    ///
    /// Offsets are judged only where the stream's start is known; without it a signature limited by one does not match.
    #[inline]
    pub fn scan(&mut self, carry: Option<&mut Carry>, data: &[u8], place: &ScanPlace, hits: &mut Vec<Hit>) -> Scanned {
        if !self.set.patterns().applies(place.transport) {
            return Scanned::default();
        }
        let set = &self.set;
        set.patterns().scan(set.indicators(), &mut self.scan, carry, data, place, &mut |indicator, start| {
            let suppressed = set.allows_pattern(indicator);
            hits.push(Hit { indicator, how: How::Pattern { start }, suppressed });
        })
    }
}

/// Rules.
impl Matcher {
    /// Appends every rule that a message fulfils to `hits`. A name in it that the allow-list covers suppresses them.
    pub fn message(&mut self, shown: &Shown<'_>, hits: &mut Vec<Hit>) {
        let (set, before) = (&self.set, hits.len());
        set.rules().message(set.indicators(), &mut self.rules, shown, &mut |indicator, place| {
            hits.push(Hit { indicator, how: How::Message(place), suppressed: false });
        });
        if hits.len() == before {
            return;
        }
        let mut names = [Place::DnsQuery, Place::TlsSni, Place::HttpHost].into_iter().filter_map(|p| shown.value(p));
        let scratch = &mut self.scratch;
        let is_allowed = names.any(|name| {
            let name = Observable { kind: &DOMAIN, value: Value::Text(&name), ..*shown.observable };
            set.allows(&name, shown.time, scratch)
        });
        if is_allowed {
            hits[before..].iter_mut().for_each(|hit| hit.suppressed = true);
        }
    }

    /// Looks through the next bytes of a stream direction or a file (`trail` is what it remembers; `None` for bytes beside the
    /// stream) and appends every rule that holds now to `hits`.
    pub fn follow(
        &mut self,
        scope: Scope,
        trail: Option<&mut Trail>,
        piece: &Piece<'_>,
        hits: &mut Vec<Hit>,
    ) -> Scanned {
        let set = &self.set;
        let Some(streams) = set.rules().streams(scope) else { return Scanned::default() };
        streams.scan(set.indicators(), &mut self.rules, trail, piece, &mut |indicator, part, end| {
            hits.push(Hit { indicator, how: How::Rule { part, end }, suppressed: false });
        })
    }

    /// A rule of a header alone that a packet fulfils. An address that the rule is about and that the allow-list covers suppresses it.
    pub fn fulfilled(&mut self, indicator: IndicatorIx, about: &Observable<'_>, at: Timestamp) -> Hit {
        let suppressed = self.set.allows(about, at, &mut self.scratch);
        Hit { indicator, how: How::Header, suppressed }
    }

    /// Whether some rule speaks of these bytes.
    #[inline]
    pub fn follows(&self, scope: Scope) -> bool {
        self.set.rules().reads(scope)
    }
}

/// More than any name and nearly every URL.
const SCRATCH_BYTES: usize = 2048;

#[cfg(test)]
#[path = "view/tests.rs"]
mod tests;
