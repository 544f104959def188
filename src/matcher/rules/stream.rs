//! Rules over bytes that come piece by piece: a direction of a stream, or a file.
//!
//! A part of a rule is judged as soon as its anchor has come, in the bytes around it, and again while bytes that it may need are
//! still to come. So each part is found by the byte that completes it, however the bytes are cut; what is kept is where it first
//! ended, which is all that a part that must follow it can depend on. The bytes kept are as many as the widest part spans
//! (how far a part reaches is capped where rules are read).

use super::{ANCHOR_BYTES, Anchors, Content, Range, RuleScratch, chain};
use crate::indicator::rule::{Body, Flowing, Part, Scope, Word};
use crate::indicator::{Indicator, IndicatorIx, IndicatorSet};
use crate::matcher::pattern::Scanned;
use crate::time::Timestamp;

/// The rules of one scope.
pub(in crate::matcher) struct Streams {
    anchors: Anchors<Anchor>,
    longest: usize,
    /// Bytes that are kept of a direction.
    window: usize,
    id: u64,
}

/// An anchor: of which part of which rule, and where in it.
#[derive(Clone, Copy)]
struct Anchor {
    rule: IndicatorIx,
    part: u32,
    /// Bytes of the part before the anchor and from it on, at most.
    before: u32,
    beyond: u32,
}

/// What a direction, or the file in it, remembers from one piece to the next: one word until there is something.
#[derive(Default)]
pub struct Trail(Option<Box<Memory>>);

#[derive(Default)]
struct Memory {
    /// Position after the last byte.
    end: u64,
    bytes: Vec<u8>,
    /// Parts that were found, and where each first ended; a rule's number alone once it holds.
    found: Vec<(IndicatorIx, u32, u64)>,
    open: Vec<Candidate>,
    set: u64,
}

/// A part to be judged: its anchor came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    rule: IndicatorIx,
    part: u32,
    /// Where the bytes that it may lie in begin and end.
    from: u64,
    to: u64,
}

/// The next bytes.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// Their position in the direction or file.
    pub offset: u64,
    /// Whether position 0 is the first byte, and not just the first one seen.
    pub start_known: bool,
    /// No more will come.
    pub is_last: bool,
    /// The conversation.
    pub flow: Flowing,
    /// Packet time.
    pub time: Timestamp,
}

impl Streams {
    pub(super) fn build(set: &IndicatorSet, scope: Scope) -> Option<Self> {
        static SETS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let mut list = Vec::new();
        let mut window = 0;
        for indicator in set.iter() {
            let Some(Body::Bytes { scope: of, parts, .. }) = indicator.rule.map(|rule| &rule.body) else { continue };
            for (number, part) in (0..).zip(parts).filter(|_| *of == scope) {
                let Some((literal, before, beyond)) = part.anchor() else { continue };
                window = window.max((before + beyond) as usize + 2 * WORD_BYTES);
                let rule = indicator.ix;
                list.push((
                    literal[..literal.len().min(ANCHOR_BYTES)].into(),
                    Anchor { rule, part: number, before, beyond },
                ));
            }
        }
        let longest = list.iter().map(|(literal, _): &(Box<[u8]>, _)| literal.len()).max()?;
        let id = SETS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(Self { anchors: Anchors::build(list), longest, window: window.max(longest), id })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.anchors.memory_bytes()
    }

    /// Looks through the next bytes; `found` gets each rule that holds now, and the part that made it hold and where it ended.
    pub(in crate::matcher) fn scan(
        &self,
        set: &IndicatorSet,
        scratch: &mut RuleScratch,
        trail: Option<&mut Trail>,
        piece: &Piece<'_>,
        found: &mut impl FnMut(IndicatorIx, u32, u64),
    ) -> Scanned {
        let mut scanned = Scanned::default();
        let mut alone = Memory::default();
        let memory = match trail {
            Some(trail) => &mut **trail.0.get_or_insert_default(),
            None => &mut alone,
        };
        memory.go_on_at(piece.offset, self.id);
        let mut joined = std::mem::take(&mut scratch.joined);
        joined.clear();
        joined.extend_from_slice(&memory.bytes);
        joined.extend_from_slice(piece.data);
        let kept = memory.bytes.len();
        let base = piece.offset - kept as u64;
        let mut todo = std::mem::take(&mut scratch.todo);
        todo.clear();
        todo.append(&mut memory.open);
        // What occurs in what was kept was found before.
        let from = kept.saturating_sub(self.longest - 1);
        let mut work = WORK_FLOOR + WORK_PER_BYTE * piece.data.len();
        self.anchors.occurrences(&joined[from..], &mut scratch.folded, |anchors, start, end| {
            if from + end <= kept {
                return true;
            }
            let at = base + (from + start) as u64;
            for anchor in anchors {
                let (low, to) = (at.saturating_sub(u64::from(anchor.before)), at + u64::from(anchor.beyond));
                todo.push(Candidate { rule: anchor.rule, part: anchor.part, from: low, to });
            }
            work = work.saturating_sub(1 + WORK_PER_CANDIDATE * anchors.len());
            if work == 0 {
                scanned.cut_bytes += (joined.len() - from - end) as u64;
            }
            work > 0
        });
        todo.sort_unstable();
        todo.dedup();
        let view = View { bytes: &joined, base, start_known: piece.start_known, is_last: piece.is_last };
        for candidate in &todo {
            let indicator = set.get(candidate.rule);
            let outcome = memory.judge(&indicator, candidate, &view, piece, &mut scratch.ends);
            work = work.saturating_sub(outcome.work);
            if outcome.holds {
                found(candidate.rule, candidate.part, outcome.end);
            }
            if outcome.is_open && memory.open.len() < MAX_OPEN {
                memory.open.push(*candidate);
            } else if outcome.is_open {
                scanned.begun_refused += 1;
            }
            scanned.begun_refused += u32::from(outcome.no_room);
            if work == 0 {
                scanned.begun_refused += 1;
                break;
            }
        }
        memory.end = piece.offset + piece.data.len() as u64;
        memory.bytes.clear();
        memory.bytes.extend_from_slice(&joined[joined.len().saturating_sub(self.window)..]);
        if piece.is_last {
            *memory = Memory::default();
        }
        (scratch.joined, scratch.todo) = (joined, todo);
        scanned
    }
}

/// The bytes at hand.
struct View<'v> {
    bytes: &'v [u8],
    base: u64,
    start_known: bool,
    is_last: bool,
}

/// What judging one candidate came to.
#[derive(Default)]
struct Outcome {
    holds: bool,
    end: u64,
    is_open: bool,
    no_room: bool,
    work: usize,
}

impl Memory {
    /// Another file, or bytes that do not follow: what lay before is no neighbour. Parts found in a stream stay found.
    fn go_on_at(&mut self, offset: u64, set: u64) {
        if offset < self.end || self.set != set || offset == 0 {
            *self = Self { end: offset, set, ..Self::default() };
        } else if offset != self.end {
            self.bytes.clear();
            self.open.clear();
        }
    }

    fn found_at(&self, rule: IndicatorIx, part: u32) -> Option<usize> {
        self.found.iter().position(|(r, p, _)| *r == rule && *p == part)
    }

    fn judge(
        &mut self,
        indicator: &Indicator<'_>,
        candidate: &Candidate,
        view: &View<'_>,
        piece: &Piece<'_>,
        ends: &mut Vec<usize>,
    ) -> Outcome {
        let mut outcome = Outcome { work: 1, ..Outcome::default() };
        let Some(rule) = indicator.rule else { return outcome };
        let Body::Bytes { parts, needs, .. } = &rule.body else { return outcome };
        let Some(part) = parts.get(candidate.part as usize) else { return outcome };
        if self.found_at(indicator.ix, DONE).is_some()
            || !rule.ends.admits(&piece.flow)
            || !indicator.window.contains(piece.time)
        {
            return outcome;
        }
        let least = match part.after {
            None => 0,
            Some((before, distance)) => match self.found_at(indicator.ix, before) {
                Some(at) => self.found[at].2 + u64::from(distance),
                // It will end behind all that is here.
                None => return outcome,
            },
        };
        let here = self.found_at(indicator.ix, candidate.part);
        if here.is_some_and(|at| self.found[at].2 <= piece.offset) {
            return outcome;
        }
        outcome.work += WORK_PER_CANDIDATE + (candidate.to - candidate.from) as usize * part.chain.len() / 16;
        let Some(end) = earliest_end(part, candidate, view, least, ends) else {
            outcome.is_open = !view.is_last && candidate.to + WORD_BYTES as u64 > view.base + view.bytes.len() as u64;
            return outcome;
        };
        outcome.end = end;
        match here {
            Some(at) => self.found[at].2 = self.found[at].2.min(end),
            None if self.found.len() >= MAX_FOUND => outcome.no_room = true,
            None => self.found.push((indicator.ix, candidate.part, end)),
        }
        if needs.holds(&|part| self.found_at(indicator.ix, part).is_some()) {
            outcome.holds = true;
            self.found.retain(|(rule, ..)| *rule != indicator.ix);
            self.found.push((indicator.ix, DONE, end));
        }
        outcome
    }
}

/// Where a part ends first that lies in the candidate's bytes and begins at `least` or later.
fn earliest_end(part: &Part, candidate: &Candidate, view: &View<'_>, least: u64, ends: &mut Vec<usize>) -> Option<u64> {
    let at = |position: u64| (position.saturating_sub(view.base) as usize).min(view.bytes.len());
    let (low, high) = (at(candidate.from), at(candidate.to));
    let window = view.bytes.get(low..high)?;
    let base = view.base + low as u64;
    ends.clear();
    ends.push(0);
    for (number, content) in part.chain.iter().enumerate() {
        let is_limited = matches!(content.range, Range::Start { offset, depth } if offset > 0 || depth.is_some());
        if is_limited && !view.start_known || !chain::find(content, window, base, ends) {
            return None;
        }
        if number == 0 {
            ends.retain(|end| base + (end - content.bytes.len()) as u64 >= least);
        }
    }
    if let (Some(word), [content]) = (part.fullword, &*part.chain) {
        ends.retain(|end| stands_alone(view, low + end - content.bytes.len(), low + end, word));
    }
    ends.first().map(|end| base + *end as u64)
}

/// Whether what lies from `start` to `end` is a word: what follows must be known.
fn stands_alone(view: &View<'_>, start: usize, end: usize, word: Word) -> bool {
    let bytes = view.bytes;
    let (before, after) = (&bytes[..start], &bytes[end..]);
    match word {
        Word::Narrow => {
            !before.last().is_some_and(u8::is_ascii_alphanumeric)
                && match after.first() {
                    Some(byte) => !byte.is_ascii_alphanumeric(),
                    None => view.is_last,
                }
        }
        Word::Wide => {
            !matches!(before, [.., letter, 0] if letter.is_ascii_alphanumeric())
                && match after {
                    [letter, next, ..] => !(letter.is_ascii_alphanumeric() && *next == 0),
                    [letter] if letter.is_ascii_alphanumeric() => view.is_last,
                    [_] => true,
                    [] => view.is_last,
                }
        }
    }
}

impl Part {
    /// The longest run of fixed bytes, and how many bytes of the part lie before it and from it on, at most.
    pub(super) fn anchor(&self) -> Option<(&[u8], u32, u32)> {
        let is_fixed = |content: &Content| content.mask.is_empty();
        let longest = self.chain.iter().filter(|content| is_fixed(content)).map(|content| content.bytes.len()).max()?;
        let place = self.chain.iter().position(|c| is_fixed(c) && c.bytes.len() == longest)?;
        let (before, beyond) = self.reach(place)?;
        Some((&self.chain[place].bytes, before, beyond))
    }
}

/// In the place of a part's number: the rule holds.
const DONE: u32 = u32::MAX;

/// Bytes of a letter where it is two, and of what stands before a word.
const WORD_BYTES: usize = 2;

/// Parts remembered as found of one direction or file: rules whose parts are common words make many. What is beyond is counted.
const MAX_FOUND: usize = 512;

/// Parts of one direction or file that may need bytes to come. What is beyond is counted.
const MAX_OPEN: usize = 64;

/// Units of work a byte may cost, as for byte signatures.
const WORK_PER_BYTE: usize = 16;

/// Units that any piece may cost.
const WORK_FLOOR: usize = 16 * 1024;

/// Units that a candidate costs at least.
const WORK_PER_CANDIDATE: usize = 4;
