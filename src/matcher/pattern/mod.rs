//! [`Patterns`]: byte signatures in payload.
//!
//! An [`Engine`] finds literals, this module verifies the rest: case, place, ports, validity. Streams are scanned run by
//! run with an overlap (a [`Carry`] of one byte less than the longest literal), so that a match that spans runs is found,
//! and found once. Where some signature ignores case, literals and payload are folded to lower case once and the others
//! are compared again, so that one pass serves all. Work on a run is capped ([`WORK_PER_BYTE`]), because feeds hold
//! literals that occur at every byte of common traffic; what the cap cuts off is counted, and nothing else is skipped.

mod build;
mod carry;
pub mod engine;
mod runs;

pub use carry::Carry;
pub use engine::Engine;

use carry::{Begun, Tail};

use crate::indicator::{Indicator, IndicatorIx, IndicatorSet, Transport};
use crate::time::Timestamp;

/// Every byte signature of a set.
pub struct Patterns {
    groups: Vec<Group>,
    /// Which group scans TCP, which UDP.
    of: [Option<usize>; 2],
    /// Byte signatures in all.
    len: usize,
    /// Tells this set's rule numbers from another's.
    id: u64,
}

/// The signatures that apply to one transport, or to both.
struct Group {
    engine: Engine,
    /// Bytes of each literal of the engine.
    lengths: Vec<u8>,
    /// Of each literal: where its rules start; one more at the end.
    rules_of: Vec<u32>,
    /// Indicators, those of one literal together.
    rules: Vec<IndicatorIx>,
    /// Literals are in lower case, and so must the payload be.
    folded: bool,
    /// Bytes of the longest literal of the engine.
    longest: usize,
    /// Bytes of the longest signature, if nothing is lost by searching long runs of one byte at their ends only.
    run_margin: Option<usize>,
    /// No match ends beyond this position of a stream or datagram.
    reach: u64,
    /// Some rule needs no known start.
    anywhere: bool,
}

/// Where payload is.
#[derive(Debug, Clone, Copy)]
pub struct ScanPlace {
    /// What carries it.
    pub transport: Transport,
    /// Port of the packet's sender.
    pub source_port: u16,
    /// Port of the packet's receiver.
    pub destination_port: u16,
    /// Whether the packet goes to the end that did not open the flow.
    pub to_responder: bool,
    /// Position of the first byte in its direction of the stream; 0 for a datagram.
    pub stream_offset: u64,
    /// Whether position 0 is the stream's first byte, and not just the first one seen. True for a datagram.
    pub start_known: bool,
    /// Packet time.
    pub time: Timestamp,
}

/// What a scan did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Occurrences of literals.
    pub occurrences: u32,
    /// Signatures verified because their literal occurred.
    pub verified: u32,
    /// Bytes left unscanned because [`WORK_PER_BYTE`] was used up: not inspected.
    pub cut_bytes: u64,
    /// Long literals that began and were not followed because [`BEGUN_PER_DIRECTION`] were already: not inspected.
    pub begun_refused: u32,
}

/// A worker's memory for scanning.
#[derive(Default)]
pub(super) struct ScanScratch {
    joined: Vec<u8>,
    folded: Vec<u8>,
    /// The call in which a rule was settled: reported, or out of the question for the rest of the call.
    rule_settled: Vec<u32>,
    /// The call in which all rules of a literal were.
    literal_settled: Vec<u32>,
    call: u32,
}

impl Patterns {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether some apply to this transport.
    #[inline]
    pub fn applies(&self, transport: Transport) -> bool {
        self.of[transport as usize].is_some()
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.groups
            .iter()
            .map(|g| g.engine.memory_bytes() + (g.rules_of.capacity() + g.rules.capacity()) * size_of::<u32>())
            .sum()
    }

    /// See [`super::Matcher::scan`]; `found` gets each signature and the position where it starts.
    pub(super) fn scan(
        &self,
        set: &IndicatorSet,
        scratch: &mut ScanScratch,
        carry: Option<&mut Carry>,
        data: &[u8],
        place: &ScanPlace,
        found: &mut impl FnMut(IndicatorIx, u64),
    ) -> Scanned {
        let mut scanned = Scanned::default();
        let Some(group) = self.of[place.transport as usize].map(|group| &self.groups[group]) else { return scanned };
        if data.is_empty() {
            return scanned;
        }
        if group.is_beyond_reach(place) {
            if let Some(carry) = carry {
                carry.clear();
            }
            return scanned;
        }
        scratch.next_call();
        let ScanScratch { joined, folded, rule_settled, literal_settled, call } = scratch;
        let mut carry = carry;
        let mut run = Run { set, group, place, call: *call, rule_settled, literal_settled, scanned: &mut scanned };

        let tail = carry.as_deref_mut().and_then(|carry| carry.at(place.stream_offset, self.id));
        let tail_bytes = tail.as_ref().map_or(0, |tail| tail.bytes.len());
        let raw = match tail {
            Some(tail) => {
                run.go_on(&mut tail.begun, data, found);
                join(joined, &tail.bytes, data)
            }
            None => data,
        };
        let haystack = if group.folded { fold(folded, raw) } else { raw };
        let mut begun = Vec::new();
        run.search(haystack, raw, tail_bytes, carry.is_some().then_some(&mut begun), found);

        if let Some(carry) = carry {
            let last = &raw[raw.len().saturating_sub(group.longest - 1)..];
            let tail = carry.keep(place.stream_offset + data.len() as u64, last, self.id);
            scanned.begun_refused += tail.add(begun);
        }
        scanned
    }
}

impl Group {
    fn is_beyond_reach(&self, place: &ScanPlace) -> bool {
        if place.start_known { place.stream_offset >= self.reach } else { !self.anywhere }
    }
}

/// One call: what is the same for every occurrence in it.
struct Run<'r> {
    set: &'r IndicatorSet,
    group: &'r Group,
    place: &'r ScanPlace,
    call: u32,
    rule_settled: &'r mut [u32],
    literal_settled: &'r mut [u32],
    scanned: &'r mut Scanned,
}

/// What verifying one rule at one occurrence says.
enum Verdict {
    Match,
    /// Matches as far as the bytes go, which is so many.
    Begun(usize),
    NotHere,
    /// Nor anywhere later in this call.
    Never,
}

impl Run<'_> {
    /// Searches `haystack`, which is `raw` (folded or not), whose first `tail_bytes` were searched before.
    fn search(
        &mut self,
        haystack: &[u8],
        raw: &[u8],
        tail_bytes: usize,
        mut begun: Option<&mut Vec<Begun>>,
        found: &mut impl FnMut(IndicatorIx, u64),
    ) {
        let group = self.group;
        let base = self.place.stream_offset - tail_bytes as u64;
        let mut work = WORK_FLOOR + WORK_PER_BYTE * haystack.len();
        let mut part = |start: usize, stop: usize| {
            group.engine.occurrences(&haystack[start..stop], |literal, end| {
                let end = start + end;
                if end <= tail_bytes {
                    return true;
                }
                self.scanned.occurrences += 1;
                let mut cost = 1;
                if self.literal_settled[literal as usize] != self.call {
                    let length = group.literal_bytes(literal);
                    cost += self.verify(literal, raw, end - length, base, &mut begun, found);
                }
                work = work.saturating_sub(cost);
                if work == 0 {
                    self.scanned.cut_bytes = (haystack.len() - end) as u64;
                }
                work > 0
            });
            work > 0
        };
        match group.run_margin {
            // Runs of the payload as it is: folding makes runs of what is none to a signature that minds case.
            Some(margin) => runs::parts(raw, tail_bytes, margin, part),
            None => _ = part(0, haystack.len()),
        }
    }

    /// Verifies every rule of a literal that occurs at `start` of `raw`; returns the work done.
    fn verify(
        &mut self,
        literal: u32,
        raw: &[u8],
        start: usize,
        base: u64,
        begun: &mut Option<&mut Vec<Begun>>,
        found: &mut impl FnMut(IndicatorIx, u64),
    ) -> usize {
        let (mut open, mut work) = (false, 0);
        for rule in self.group.rules_of(literal) {
            if self.rule_settled[rule] == self.call {
                continue;
            }
            self.scanned.verified += 1;
            work += WORK_PER_RULE;
            let indicator = self.set.get(self.group.rules[rule]);
            let position = base + start as u64;
            match verdict(&indicator, self.place, &raw[start..], position) {
                Verdict::Match => {
                    found(indicator.ix, position);
                    self.rule_settled[rule] = self.call;
                }
                Verdict::Never => self.rule_settled[rule] = self.call,
                Verdict::NotHere => open = true,
                Verdict::Begun(matched) => {
                    open = true;
                    if let Some(begun) = begun.as_deref_mut() {
                        begun.push(Begun { indicator: indicator.ix, rule: rule as u32, start: position, matched });
                    }
                }
            }
        }
        if !open {
            self.literal_settled[literal as usize] = self.call;
        }
        work
    }

    /// Compares what follows of the long literals that began in earlier runs.
    fn go_on(&mut self, begun: &mut Vec<Begun>, data: &[u8], found: &mut impl FnMut(IndicatorIx, u64)) {
        begun.retain_mut(|one| {
            let indicator = self.set.get(one.indicator);
            let rest = &indicator.value[one.matched..];
            let compared = rest.len().min(data.len());
            if !equal(&rest[..compared], &data[..compared], indicator.pattern.nocase) {
                return false;
            }
            one.matched += compared;
            let whole = one.matched == indicator.value.len();
            if whole && self.rule_settled[one.rule as usize] != self.call {
                self.rule_settled[one.rule as usize] = self.call;
                found(one.indicator, one.start);
            }
            !whole
        });
    }
}

/// Judges one signature whose literal (or the first part of it) lies at the start of `at`, which is `position`.
fn verdict(indicator: &Indicator<'_>, place: &ScanPlace, at: &[u8], position: u64) -> Verdict {
    let (originator, responder) = match place.to_responder {
        true => (place.source_port, place.destination_port),
        false => (place.destination_port, place.source_port),
    };
    let pattern = &indicator.pattern;
    if indicator.port.is_some_and(|port| port != responder)
        || pattern.source_port.is_some_and(|port| port != originator)
        || !indicator.window.contains(place.time)
    {
        return Verdict::Never;
    }
    if pattern.offset.is_some() || pattern.depth.is_some() {
        let first = u64::from(pattern.offset.unwrap_or(0));
        let beyond =
            pattern.depth.is_some_and(|depth| position + indicator.value.len() as u64 > first + u64::from(depth));
        if beyond || !place.start_known {
            return Verdict::Never;
        }
        if position < first {
            return Verdict::NotHere;
        }
    }
    let compared = indicator.value.len().min(at.len());
    match equal(&indicator.value[..compared], &at[..compared], pattern.nocase) {
        false => Verdict::NotHere,
        true if compared < indicator.value.len() => Verdict::Begun(compared),
        true => Verdict::Match,
    }
}

fn equal(value: &[u8], seen: &[u8], nocase: bool) -> bool {
    if nocase { value.eq_ignore_ascii_case(seen) } else { value == seen }
}

impl Tail {
    /// Follows what began, up to the cap; returns how many it refused.
    fn add(&mut self, begun: Vec<Begun>) -> u32 {
        let room = BEGUN_PER_DIRECTION.saturating_sub(self.begun.len());
        let refused = begun.len().saturating_sub(room);
        self.begun.extend(begun.into_iter().take(room));
        refused as u32
    }
}

impl ScanScratch {
    fn next_call(&mut self) {
        self.call = self.call.wrapping_add(1);
        if self.call == 0 {
            self.rule_settled.fill(0);
            self.literal_settled.fill(0);
            self.call = 1;
        }
    }
}

fn join<'s>(joined: &'s mut Vec<u8>, tail: &[u8], data: &'s [u8]) -> &'s [u8] {
    if tail.is_empty() {
        return data;
    }
    joined.clear();
    joined.extend_from_slice(tail);
    joined.extend_from_slice(data);
    joined
}

fn fold<'s>(folded: &'s mut Vec<u8>, raw: &[u8]) -> &'s [u8] {
    folded.clear();
    folded.extend_from_slice(raw);
    folded.make_ascii_lowercase();
    folded
}

/// Units of work a byte of payload may cost: one for each occurrence, [`WORK_PER_RULE`] for each signature verified. Enough
/// for a dozen nested literals that occur at every byte (runs of zeros); the worst case is then some 100 ns a byte.
pub const WORK_PER_BYTE: usize = 16;

/// Units that any run may cost, so that short ones are never cut by a few literals with many signatures.
pub const WORK_FLOOR: usize = 4096;

/// What verifying one signature counts, in occurrences: about what it costs.
pub const WORK_PER_RULE: usize = 4;

/// Long literals followed at once in a direction: real ones rarely begin at all, hostile payload may begin one at every
/// byte.
pub const BEGUN_PER_DIRECTION: usize = 16;

#[cfg(test)]
mod tests;
