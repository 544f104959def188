//! [`IndicatorSet`]: every loaded indicator in compact form, duplicates merged with all their sources kept.
//!
//! A plain entry costs 24 bytes, its value and about 11 bytes of duplicate index while loading; what only some entries have (an
//! id, a validity window, pattern limits, further sources) lives aside. It never looks a value up for traffic: that is the
//! matcher's.

mod contexts;
mod extra;
mod id;
mod normal;
mod staged;
mod subset;
mod twins;

pub(super) use id::derived_id;
pub use staged::Settled;

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::kind::{Index, KINDS};
use super::{Context, ContextIx, ContextRef, Draft, Indicator, IndicatorIx, Match, Refusal, Transport, Wants};
use crate::marking::Marking;
use crate::memory;

use contexts::Contexts;
use extra::{Extra, Extras};
use normal::normalised;
use staged::Staging;
use twins::Twins;

/// See the module.
#[derive(Default)]
pub struct IndicatorSet {
    values: Vec<u8>,
    records: Vec<Record>,
    extras: Extras,
    contexts: Contexts,
    /// Head and length of an indicator's list in `more_sources`.
    more_of: HashMap<u32, (u32, u32), RandomState>,
    more_sources: Vec<MoreSource>,
    dropped_sources: u64,
    has_conditions: bool,
    has_function_conditions: bool,
    wants: Wants,
    twins: Twins,
    hasher: RandomState,
    staging: Staging,
    /// Where a value is brought into normal form.
    scratch: Vec<u8>,
}

/// A further source of an indicator; a list, latest first.
struct MoreSource {
    context: ContextIx,
    line: u32,
    next: u32,
}

#[derive(Clone, Copy)]
struct Record {
    value_at: u32,
    /// In `extras`.
    extra: u32,
    context: ContextIx,
    line: u32,
    value_bytes: u16,
    port: u16,
    kind: u8,
    /// Bits 0-1 the reach, 2-3 the transport, 4 whether there is a port.
    flags: u8,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New(IndicatorIx),
    /// The same indicator is there; this source was added to it.
    Merged(IndicatorIx),
}

impl IndicatorSet {
    /// How many indicators there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The kinds that there is an indicator of.
    pub fn wants(&self) -> Wants {
        self.wants
    }

    /// The number of this context; equal ones are kept once.
    ///
    /// # Panics
    /// If there is no room: see [`Self::keep_context`].
    pub fn context(&mut self, context: Context) -> ContextIx {
        self.keep_context(&context.as_ref()).expect("contexts of under 4 GiB")
    }

    /// The number of this context; equal ones are kept once.
    ///
    /// # Errors
    /// [`Refusal::Full`]: there are 4 GiB of what entries say of their own.
    pub fn keep_context(&mut self, context: &ContextRef<'_>) -> Result<ContextIx, Refusal> {
        self.contexts.keep(context).ok_or(Refusal::Full)
    }

    /// The context of this number.
    pub fn context_at(&self, ix: ContextIx) -> ContextRef<'_> {
        self.contexts.get(ix)
    }

    /// Normalises and keeps one entry. `force` loads dangerous ones too.
    ///
    /// # Errors
    /// The reason why it was not kept.
    pub fn add(&mut self, draft: &Draft<'_>, force: bool) -> Result<Added, Refusal> {
        let mut value = std::mem::take(&mut self.scratch);
        value.clear();
        let added = normalised(draft, force, &mut value).and_then(|record| {
            let extra = Extra::of(draft);
            let hash = hash_of(&self.hasher, &value, &record, &extra);
            self.commit(&value, record, hash, &extra)
        });
        self.scratch = value;
        added
    }

    /// Keeps what is in normal form, or adds its source to the indicator that says the same.
    fn commit(&mut self, value: &[u8], mut record: Record, hash: u64, extra: &Extra<'_>) -> Result<Added, Refusal> {
        let same = |other: u32| {
            let known = &self.records[other as usize];
            (known.kind, known.flags, known.port) == (record.kind, record.flags, record.port)
                && self.value_of(known) == value
                && self.extras.get(known.extra) == *extra
        };
        if let Some(twin) = self.twins.find(hash, same) {
            self.add_source(twin, record.context, record.line);
            return Ok(Added::Merged(IndicatorIx(twin)));
        }
        let ix = u32::try_from(self.records.len()).ok().filter(|ix| *ix != NONE).ok_or(Refusal::Full)?;
        record.value_at = u32::try_from(self.values.len()).map_err(|_| Refusal::Full)?;
        record.extra = self.extras.keep(extra, &mut self.wants)?;
        self.has_conditions |= extra.when.is_some();
        self.has_function_conditions |= extra.when.is_some_and(|when| when.function.is_some());
        self.wants.add(KINDS[usize::from(record.kind)], value.len());
        self.values.extend_from_slice(value);
        self.records.push(record);
        if !self.twins.has_room() {
            self.make_room((ix as usize + 1) * 2);
        } else {
            self.twins.insert(hash, ix);
        }
        Ok(Added::New(IndicatorIx(ix)))
    }

    /// Makes the index of duplicates anew.
    fn make_room(&mut self, entries: usize) {
        let Self { records, values, extras, hasher, twins, .. } = self;
        twins.rebuild(entries, records.len() as u32, |ix| {
            let record = &records[ix as usize];
            let value = &values[record.value_at as usize..][..usize::from(record.value_bytes)];
            hash_of(hasher, value, record, &extras.get(record.extra))
        });
    }

    /// One line of each context is kept: a feed that repeats itself is one source.
    fn add_source(&mut self, ix: u32, context: ContextIx, line: u32) {
        if self.records[ix as usize].context == context {
            return;
        }
        let (head, count) = self.more_of.entry(ix).or_insert((NONE, 0));
        let mut at = *head;
        while let Some(source) = self.more_sources.get(at as usize) {
            if source.context == context {
                return;
            }
            at = source.next;
        }
        if *count >= MAX_MORE_SOURCES || self.more_sources.len() >= NONE as usize {
            self.dropped_sources += 1;
            return;
        }
        self.more_sources.push(MoreSource { context, line, next: *head });
        (*head, *count) = (self.more_sources.len() as u32 - 1, *count + 1);
    }

    /// Makes room for about `entries` more, so that the tables grow once. A hint: wrong by any factor it costs address
    /// space and a byte or two an entry.
    pub fn reserve(&mut self, entries: usize) {
        self.records.reserve(entries);
        memory::ask_for_large_pages(&self.records);
        let (needed, room) = (self.records.len() + entries, self.twins.capacity());
        if room < needed {
            self.make_room(needed.max(room * 2));
        }
    }

    /// One indicator.
    ///
    /// # Panics
    /// If `ix` is of another set.
    pub fn get(&self, ix: IndicatorIx) -> Indicator<'_> {
        let record = &self.records[ix.0 as usize];
        let Extra { id, window, pattern, when, rule } = self.extras.get(record.extra);
        Indicator {
            ix,
            kind: KINDS[usize::from(record.kind)],
            value: self.value_of(record),
            matching: match record.flags & 3 {
                0 => Match::Exact,
                1 => Match::Subtree,
                _ => Match::Prefix,
            },
            port: (record.flags & 16 != 0).then_some(record.port),
            transport: match record.flags >> 2 & 3 {
                0 => None,
                1 => Some(Transport::Tcp),
                2 => Some(Transport::Udp),
                _ => Some(Transport::Ethernet),
            },
            pattern,
            when,
            rule,
            window,
            explicit_id: id,
        }
    }

    /// All of them, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = Indicator<'_>> {
        (0..self.records.len() as u32).map(|ix| self.get(IndicatorIx(ix)))
    }

    /// Those of the kinds that this structure finds, in the order they came; sooner told than from [`Self::iter`].
    pub fn of_index(&self, index: Index) -> impl Iterator<Item = Indicator<'_>> {
        let records = self.records.iter().zip(0..);
        records
            .filter(move |(record, _)| KINDS[usize::from(record.kind)].index == index)
            .map(|(_, ix)| self.get(IndicatorIx(ix)))
    }

    /// Who named it: each feed's context and line, first come first.
    pub fn sources(&self, ix: IndicatorIx) -> impl Iterator<Item = (ContextRef<'_>, u32)> {
        self.source_list(ix).map(|(context, line)| (self.contexts.get(context), line))
    }

    /// The same, without what each says of its own (reference, description, time, names and tags): for who asks of every
    /// indicator. What is shared lies in one place, however many sources have it.
    pub fn common_sources(&self, ix: IndicatorIx) -> impl Iterator<Item = (ContextRef<'_>, u32)> {
        self.source_list(ix).map(|(context, line)| (self.contexts.common(context), line))
    }

    /// Whether two indicators are named by the same sources, in the same order.
    pub fn has_same_sources(&self, one: IndicatorIx, other: IndicatorIx) -> bool {
        let contexts = |ix| self.source_list(ix).map(|(context, _)| context);
        contexts(one).eq(contexts(other))
    }

    /// Everything that feeds say about entries besides their values.
    pub fn contexts(&self) -> impl Iterator<Item = ContextRef<'_>> {
        self.contexts.iter()
    }

    /// The marking of every source; one may come several times.
    pub fn markings(&self) -> impl Iterator<Item = &Marking> {
        self.contexts.commons().map(|context| context.marking)
    }

    /// The provider of every source; one may come several times.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.contexts.commons().filter_map(|context| context.provider)
    }

    fn source_list(&self, ix: IndicatorIx) -> impl Iterator<Item = (ContextIx, u32)> {
        let record = &self.records[ix.0 as usize];
        let mut more = Vec::new();
        let mut at = self.more_of.get(&ix.0).map_or(NONE, |(head, _)| *head);
        while let Some(source) = self.more_sources.get(at as usize) {
            more.push((source.context, source.line));
            at = source.next;
        }
        std::iter::once((record.context, record.line)).chain(more.into_iter().rev())
    }

    /// How many indicators there are of each kind, in the order of [`KINDS`].
    pub fn count_by_kind(&self) -> Vec<u64> {
        let mut counts = vec![0; KINDS.len()];
        for record in &self.records {
            counts[usize::from(record.kind)] += 1;
        }
        counts
    }

    /// Sources that were not kept because an indicator has too many.
    pub fn dropped_sources(&self) -> u64 {
        self.dropped_sources
    }

    /// Whether some indicator has a condition.
    pub fn has_conditions(&self) -> bool {
        self.has_conditions
    }

    /// Whether some indicator has a condition on a function.
    pub fn has_function_conditions(&self) -> bool {
        self.has_function_conditions
    }

    /// Frees what only loading needs, the index of duplicates first.
    pub fn seal(&mut self) {
        debug_assert!(self.staging.is_empty(), "entries are staged and not settled");
        self.settle(|_, _| {});
        (self.twins, self.staging, self.scratch) = (Twins::default(), Staging::default(), Vec::new());
        self.extras.seal();
        self.contexts.seal();
        self.more_sources.shrink_to_fit();
        self.values.shrink_to_fit();
        self.records.shrink_to_fit();
    }

    /// Bytes held on the heap, without texts that many entries share.
    pub fn memory_bytes(&self) -> usize {
        self.values.capacity()
            + self.records.capacity() * size_of::<Record>()
            + self.extras.memory_bytes()
            + self.contexts.memory_bytes()
            + self.more_sources.capacity() * size_of::<MoreSource>()
            + self.more_of.allocation_size()
            + self.twins.memory_bytes()
    }

    fn value_of(&self, record: &Record) -> &[u8] {
        &self.values[record.value_at as usize..][..usize::from(record.value_bytes)]
    }
}

fn flags_of(matching: Match, transport: Option<Transport>, port: Option<u16>) -> u8 {
    let transport = match transport {
        None => 0,
        Some(Transport::Tcp) => 1,
        Some(Transport::Udp) => 2,
        Some(Transport::Ethernet) => 3,
    };
    matching as u8 | transport << 2 | u8::from(port.is_some()) << 4
}

/// Of all that tells indicators apart but what a rule asks, of which the value is the text: a feed of one value under many ids must
/// not have each compared with all.
fn hash_of(hasher: &RandomState, value: &[u8], record: &Record, extra: &Extra<'_>) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(value);
    hasher.write_u32(u32::from(record.kind) << 24 | u32::from(record.flags) << 16 | u32::from(record.port));
    if *extra != Extra::NONE {
        (extra.id, extra.window, extra.pattern, extra.when).hash(&mut hasher);
    }
    hasher.finish()
}

const NONE: u32 = u32::MAX;

/// Further sources kept of one indicator: every one is walked when the next comes, and a reader of an alert is helped by
/// the first few.
const MAX_MORE_SOURCES: u32 = 64;

#[cfg(test)]
mod tests;
