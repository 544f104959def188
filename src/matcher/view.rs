//! [`Matcher`]: one worker's view of a [`MatchSet`], with the scratch memory that keeps the hot path from allocating.

use std::sync::Arc;

use super::pattern::{Carry, ScanPlace, ScanScratch, Scanned};
use super::set::MatchSet;
use crate::indicator::{IndicatorIx, Observable};
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
}

impl Matcher {
    /// A view of `set`.
    pub fn new(set: Arc<MatchSet>) -> Self {
        let scan = ScanScratch::for_patterns(set.patterns());
        Self { set, scratch: Vec::with_capacity(SCRATCH_BYTES), scan }
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
        if !self.set.has_patterns_for(place.transport) {
            return Scanned::default();
        }
        let set = &self.set;
        set.patterns().scan(set.indicators(), &mut self.scan, carry, data, place, &mut |indicator, start| {
            let suppressed = set.allows_pattern(indicator);
            hits.push(Hit { indicator, how: How::Pattern { start }, suppressed });
        })
    }
}

/// More than any name and nearly every URL.
const SCRATCH_BYTES: usize = 2048;

#[cfg(test)]
#[path = "view/tests.rs"]
mod tests;
