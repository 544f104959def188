//! [`IndicatorSet`]: every loaded indicator in compact form, duplicates merged with all their sources kept.
//!
//! A plain entry costs 24 bytes, its value and 5 to 10 bytes of duplicate index; what only some entries have (an id, a
//! validity window, pattern limits, further sources) lives aside. It never looks a value up for traffic: that is the
//! matcher's.

mod subset;

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use sha2::{Digest, Sha256};

use super::kind::{self, Index, KINDS};
use super::rule::{Body, Rule, Scope};
use super::{
    Condition, Context, ContextIx, Draft, Indicator, IndicatorIx, Match, Pattern, Refusal, Transport, Wants, Window,
};
use crate::memory;

/// See the module.
#[derive(Default)]
pub struct IndicatorSet {
    values: Vec<u8>,
    records: Vec<Record>,
    details: Vec<Detail>,
    contexts: Vec<Context>,
    context_index: HashMap<Context, ContextIx, RandomState>,
    /// Head and length of an indicator's list in `more_sources`.
    more_of: HashMap<u32, (u32, u32), RandomState>,
    more_sources: Vec<MoreSource>,
    dropped_sources: u64,
    has_conditions: bool,
    has_function_conditions: bool,
    wants: Wants,
    by_value: HashTable<u32>,
    hasher: RandomState,
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
    detail: u32,
    context: ContextIx,
    line: u32,
    value_bytes: u16,
    port: u16,
    kind: u8,
    /// Bits 0-1 the reach, 2-3 the transport, 4 whether there is a port.
    flags: u8,
}

#[derive(Clone)]
struct Detail {
    id: Option<Box<str>>,
    window: Window,
    pattern: Pattern,
    when: Option<Box<Condition>>,
    rule: Option<Box<Rule>>,
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
    pub fn context(&mut self, context: Context) -> ContextIx {
        let next = ContextIx(self.contexts.len() as u32);
        match self.context_index.entry(context) {
            hashbrown::hash_map::Entry::Occupied(known) => *known.get(),
            hashbrown::hash_map::Entry::Vacant(new) => {
                self.contexts.push(new.key().clone());
                *new.insert(next)
            }
        }
    }

    /// Normalises and keeps one entry. `force` loads dangerous ones too.
    ///
    /// # Errors
    /// The reason why it was not kept.
    pub fn add(&mut self, draft: &Draft<'_>, force: bool) -> Result<Added, Refusal> {
        let matching = draft.matching.unwrap_or(draft.kind.default_match);
        let value_at = self.values.len();
        let added = self.try_add(draft, matching, force);
        if !matches!(added, Ok(Added::New(_))) {
            self.values.truncate(value_at);
        }
        added
    }

    fn try_add(&mut self, draft: &Draft<'_>, matching: Match, force: bool) -> Result<Added, Refusal> {
        let value_at = self.values.len();
        let mut danger = (draft.kind.normalise)(draft.value, matching, &mut self.values)?;
        let value = &self.values[value_at..];
        let kind = match draft.kind.index {
            Index::Prefix => kind::of_normalised(value),
            _ => draft.kind,
        };
        if kind.index == Index::Pattern {
            danger = danger.or(pattern_danger(value.len(), draft.pattern)?);
        }
        // The text of a rule alone says nothing: what it asks comes from a feed of rules.
        if kind.index == Index::Rule && draft.rule.is_none() {
            return Err(Refusal::UnknownKind);
        }
        if let Some(danger) = danger
            && !force
        {
            return Err(danger);
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(Refusal::TooLong);
        }
        let record = Record {
            value_at: u32::try_from(value_at).map_err(|_| Refusal::Full)?,
            detail: NONE,
            context: draft.context,
            line: draft.line,
            value_bytes: value.len() as u16,
            port: draft.port.unwrap_or(0),
            kind: kind.number(),
            flags: flags_of(matching, draft.transport, draft.port),
        };
        let hash = hash_of(&self.hasher, value, &record);
        if let Some(twin) = self.twin(hash, &record, draft) {
            self.add_source(twin, draft.context, draft.line);
            return Ok(Added::Merged(IndicatorIx(twin)));
        }
        self.insert(hash, record, draft).map(Added::New)
    }

    /// The kept indicator that says the same as `record` and `draft`.
    fn twin(&self, hash: u64, record: &Record, draft: &Draft<'_>) -> Option<u32> {
        let value = self.value_of(record);
        let same = |&other: &u32| {
            let known = &self.records[other as usize];
            (known.kind, known.flags, known.port) == (record.kind, record.flags, record.port)
                && self.value_of(known) == value
                && match known.detail {
                    NONE => is_plain(draft),
                    at => self.details[at as usize].says(draft),
                }
        };
        self.by_value.find(hash, same).copied()
    }

    fn insert(&mut self, hash: u64, mut record: Record, draft: &Draft<'_>) -> Result<IndicatorIx, Refusal> {
        let ix = u32::try_from(self.records.len()).ok().filter(|ix| *ix != NONE).ok_or(Refusal::Full)?;
        if !is_plain(draft) {
            record.detail = self.details.len() as u32;
            let Draft { window, pattern, when, rule, .. } = *draft;
            let when = when.cloned().map(Box::new);
            self.has_conditions |= when.is_some();
            self.has_function_conditions |= when.as_ref().is_some_and(|when| when.function.is_some());
            let rule = rule.cloned().map(Box::new);
            self.wants.content |= reads_content(rule.as_deref());
            self.details.push(Detail { id: draft.id.map(Box::from), window, pattern, when, rule });
        }
        self.wants.add(KINDS[usize::from(record.kind)], usize::from(record.value_bytes));
        self.records.push(record);
        let (records, values, hasher) = (&self.records, &self.values, &self.hasher);
        self.by_value.insert_unique(hash, ix, |&other| rehash(hasher, values, &records[other as usize]));
        Ok(IndicatorIx(ix))
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
        let (records, values, hasher) = (&self.records, &self.values, &self.hasher);
        self.by_value.reserve(entries, |&other| rehash(hasher, values, &records[other as usize]));
    }

    /// One indicator.
    ///
    /// # Panics
    /// If `ix` is of another set.
    pub fn get(&self, ix: IndicatorIx) -> Indicator<'_> {
        let record = &self.records[ix.0 as usize];
        let detail = (record.detail != NONE).then(|| &self.details[record.detail as usize]);
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
            pattern: detail.map_or_else(Pattern::default, |d| d.pattern),
            when: detail.and_then(|d| d.when.as_deref()),
            rule: detail.and_then(|d| d.rule.as_deref()),
            window: detail.map_or(Window::ALWAYS, |d| d.window),
            explicit_id: detail.and_then(|d| d.id.as_deref()),
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
    pub fn sources(&self, ix: IndicatorIx) -> impl Iterator<Item = (&Context, u32)> {
        self.source_list(ix).map(|(context, line)| (&self.contexts[context.0 as usize], line))
    }

    /// Everything that feeds say about entries besides their values.
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
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
        self.by_value = HashTable::new();
        self.context_index = HashMap::default();
        self.details.shrink_to_fit();
        self.more_sources.shrink_to_fit();
        self.values.shrink_to_fit();
        self.records.shrink_to_fit();
    }

    /// Bytes held on the heap, without the contexts' texts.
    pub fn memory_bytes(&self) -> usize {
        self.values.capacity()
            + self.records.capacity() * size_of::<Record>()
            + self.details.capacity() * size_of::<Detail>()
            + self.contexts.capacity() * size_of::<Context>()
            + self.more_sources.capacity() * size_of::<MoreSource>()
            + self.more_of.allocation_size()
            + self.by_value.allocation_size()
    }

    fn value_of(&self, record: &Record) -> &[u8] {
        &self.values[record.value_at as usize..][..usize::from(record.value_bytes)]
    }
}

impl Detail {
    fn says(&self, draft: &Draft<'_>) -> bool {
        self.id.as_deref() == draft.id
            && self.window == draft.window
            && self.pattern == draft.pattern
            && self.when.as_deref() == draft.when
            && self.rule.as_deref() == draft.rule
    }
}

/// Whether it is a rule over the content of files.
fn reads_content(rule: Option<&Rule>) -> bool {
    rule.is_some_and(|rule| matches!(rule.body, Body::Bytes { scope: Scope::Content, .. }))
}

fn is_plain(draft: &Draft<'_>) -> bool {
    draft.id.is_none()
        && draft.window == Window::ALWAYS
        && draft.pattern == Pattern::default()
        && draft.when.is_none()
        && draft.rule.is_none()
}

/// What is dangerous about a byte signature of this length; `Err` if it could never match.
fn pattern_danger(bytes: usize, pattern: Pattern) -> Result<Option<Refusal>, Refusal> {
    match pattern.depth {
        Some(depth) if (depth as usize) < bytes => Err(Refusal::BadPattern),
        Some(_) => Ok(None),
        None => Ok((bytes < kind::MIN_PATTERN_BYTES).then_some(Refusal::ShortPattern)),
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

fn hash_of(hasher: &RandomState, value: &[u8], record: &Record) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(value);
    hasher.write_u32(u32::from(record.kind) << 24 | u32::from(record.flags) << 16 | u32::from(record.port));
    hasher.finish()
}

fn rehash(hasher: &RandomState, values: &[u8], record: &Record) -> u64 {
    hash_of(hasher, &values[record.value_at as usize..][..usize::from(record.value_bytes)], record)
}

/// `KIND--` and 128 bits of SHA-256 over the value and all that limits it. Written down here byte by byte, because
/// alerts of different versions must name the same indicator alike.
pub(super) fn derived_id(indicator: &Indicator<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(indicator.kind.name);
    hash.update([0]);
    hash.update((indicator.value.len() as u32).to_be_bytes());
    hash.update(indicator.value);
    hash.update([flags_of(indicator.matching, indicator.transport, indicator.port)]);
    hash.update(indicator.port.unwrap_or(0).to_be_bytes());
    let Pattern { nocase, offset, depth, source_port } = indicator.pattern;
    for limit in [Some(u32::from(nocase)), offset, depth, source_port.map(u32::from)] {
        hash.update([u8::from(limit.is_some())]);
        hash.update(limit.unwrap_or(0).to_be_bytes());
    }
    if let Some(when) = indicator.when {
        hash.update(when.canonical());
    }
    let mut id = format!("{}--", indicator.kind.name);
    for byte in hash.finalize().iter().take(16) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

const NONE: u32 = u32::MAX;

/// Longest value kept; no kind needs more, and the length must fit the record.
const MAX_VALUE_BYTES: usize = 8192;

/// Further sources kept of one indicator: every one is walked when the next comes, and a reader of an alert is helped by
/// the first few.
const MAX_MORE_SOURCES: u32 = 64;

#[cfg(test)]
mod tests;
