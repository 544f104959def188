//! [`IndicatorSet`]: every loaded indicator in compact form, duplicates merged with all their sources kept.
//!
//! A plain entry costs 24 bytes, its value and 5 bytes of duplicate index; what only some entries have (an id, a validity
//! window, pattern limits, further sources) lives aside. It never looks a value up for traffic: that is the matcher's.

use hashbrown::{HashMap, HashTable};
use sha2::{Digest, Sha256};

use super::{Context, ContextIx, Draft, Indicator, IndicatorIx, KINDS, Match, Pattern, Refusal, Transport, Window};

const NONE: u32 = u32::MAX;

/// Longest value kept; no kind needs more, and the length must fit the record.
const MAX_VALUE_BYTES: usize = 8192;

/// See the module.
#[derive(Default)]
pub struct IndicatorSet {
    values: Vec<u8>,
    records: Vec<Record>,
    details: Vec<Detail>,
    contexts: Vec<Context>,
    context_index: HashMap<Context, ContextIx, foldhash::fast::FixedState>,
    more_sources: HashMap<u32, Vec<(ContextIx, u32)>, foldhash::fast::FixedState>,
    by_value: HashTable<u32>,
}

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

#[derive(PartialEq)]
struct Detail {
    id: Option<Box<str>>,
    window: Window,
    pattern: Pattern,
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
        if let Some(danger) = (draft.kind.normalise)(draft.value, matching, &mut self.values)?
            && !force
        {
            return Err(danger);
        }
        let value_bytes = self.values.len() - value_at;
        if value_bytes > MAX_VALUE_BYTES {
            return Err(Refusal::TooLong);
        }
        let position = u32::try_from(value_at).map_err(|_| Refusal::Full)?;
        let transport = match draft.transport {
            None => 0,
            Some(Transport::Tcp) => 1,
            Some(Transport::Udp) => 2,
        };
        let mut record = Record {
            value_at: position,
            detail: NONE,
            context: draft.context,
            line: draft.line,
            value_bytes: value_bytes as u16,
            port: draft.port.unwrap_or(0),
            kind: draft.kind.number(),
            flags: matching as u8 | transport << 2 | u8::from(draft.port.is_some()) << 4,
        };
        let detail = Detail { id: draft.id.map(Box::from), window: draft.window, pattern: draft.pattern };
        let plain = detail.id.is_none() && detail.window == Window::ALWAYS && detail.pattern == Pattern::default();

        let hash = hash_of(&self.values[value_at..], &record);
        let twin = self.by_value.find(hash, |&other| {
            let known = &self.records[other as usize];
            (known.kind, known.flags, known.port) == (record.kind, record.flags, record.port)
                && self.value_of(known) == &self.values[value_at..]
                && match known.detail {
                    NONE => plain,
                    at => self.details[at as usize] == detail,
                }
        });
        if let Some(&twin) = twin {
            let source = (draft.context, draft.line);
            let known = &self.records[twin as usize];
            if (known.context, known.line) != source {
                self.more_sources.entry(twin).or_default().push(source);
            }
            return Ok(Added::Merged(IndicatorIx(twin)));
        }
        if !plain {
            record.detail = self.details.len() as u32;
            self.details.push(detail);
        }
        let ix = self.records.len() as u32;
        self.records.push(record);
        let (records, values) = (&self.records, &self.values);
        self.by_value.insert_unique(hash, ix, |&other| {
            let record = &records[other as usize];
            hash_of(&values[record.value_at as usize..][..usize::from(record.value_bytes)], record)
        });
        Ok(Added::New(IndicatorIx(ix)))
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
                _ => Some(Transport::Udp),
            },
            pattern: detail.map_or_else(Pattern::default, |d| d.pattern),
            window: detail.map_or(Window::ALWAYS, |d| d.window),
            explicit_id: detail.and_then(|d| d.id.as_deref()),
        }
    }

    /// All of them, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = Indicator<'_>> {
        (0..self.records.len() as u32).map(|ix| self.get(IndicatorIx(ix)))
    }

    /// Who named it: each feed's context and line, first come first.
    pub fn sources(&self, ix: IndicatorIx) -> impl Iterator<Item = (&Context, u32)> {
        let record = &self.records[ix.0 as usize];
        std::iter::once((record.context, record.line))
            .chain(self.more_sources.get(&ix.0).into_iter().flatten().copied())
            .map(|(context, line)| (&self.contexts[context.0 as usize], line))
    }

    /// Frees what only loading needs, the index of duplicates first.
    pub fn seal(&mut self) {
        self.by_value = HashTable::new();
        self.context_index = HashMap::default();
        self.values.shrink_to_fit();
        self.records.shrink_to_fit();
    }

    /// Bytes held on the heap, without the contexts' texts.
    pub fn memory_bytes(&self) -> usize {
        self.values.capacity()
            + self.records.capacity() * size_of::<Record>()
            + self.details.capacity() * size_of::<Detail>()
            + self.contexts.capacity() * size_of::<Context>()
            + self.by_value.allocation_size()
    }

    fn value_of(&self, record: &Record) -> &[u8] {
        &self.values[record.value_at as usize..][..usize::from(record.value_bytes)]
    }
}

fn hash_of(value: &[u8], record: &Record) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(value);
    hasher.write_u32(u32::from(record.kind) << 24 | u32::from(record.flags) << 16 | u32::from(record.port));
    hasher.finish()
}

/// `KIND--` and 128 bits of SHA-256 over all that tells two indicators apart.
pub(super) fn derived_id(indicator: &Indicator<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(indicator.kind.name);
    hash.update([0]);
    hash.update(indicator.value);
    hash.update([0, indicator.matching as u8]);
    if let Some(port) = indicator.port {
        hash.update(format!("port {port}"));
    }
    if let Some(transport) = indicator.transport {
        hash.update(format!("transport {transport:?}"));
    }
    if indicator.pattern != Pattern::default() {
        hash.update(format!("{:?}", indicator.pattern));
    }
    let digest = hash.finalize();
    let mut id = format!("{}--", indicator.kind.name);
    for byte in digest.iter().take(16) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::{DOMAIN, IPV4};

    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<Record>(), 24);
    }

    #[test]
    fn duplicates_merge_and_keep_their_sources() {
        let mut set = IndicatorSet::default();
        let a = set.context(Context { feed: "a".into(), ..Context::default() });
        let b = set.context(Context { feed: "b".into(), ..Context::default() });
        let first = set.add(&Draft::new(&DOMAIN, b"evil.example", a, 1), false).expect("loads");
        let Added::New(ix) = first else { panic!("{first:?}") };
        assert_eq!(set.add(&Draft::new(&DOMAIN, b"evil.example", b, 7), false), Ok(Added::Merged(ix)));
        assert_eq!(set.add(&Draft::new(&DOMAIN, b"evil.example", b, 7), false), Ok(Added::Merged(ix)));
        let with_id = Draft { id: Some("x1"), ..Draft::new(&DOMAIN, b"evil.example", b, 8) };
        assert!(matches!(set.add(&with_id, false), Ok(Added::New(_))), "another id is another indicator");
        let sources: Vec<_> = set.sources(ix).map(|(c, line)| (c.feed.to_string(), line)).collect();
        assert_eq!(sources[..2], [("a".to_string(), 1), ("b".to_string(), 7)]);
        assert!(set.get(ix).id().starts_with("domain-name--"));
    }

    #[test]
    fn a_port_makes_another_indicator() {
        let mut set = IndicatorSet::default();
        let c = set.context(Context::default());
        let plain = Draft::new(&IPV4, b"192.0.2.1", c, 1);
        let with_port = Draft { port: Some(0), ..plain };
        assert!(matches!(set.add(&plain, false), Ok(Added::New(_))));
        assert!(matches!(set.add(&with_port, false), Ok(Added::New(_))));
        assert_eq!(set.get(IndicatorIx(1)).port, Some(0));
        assert_ne!(set.get(IndicatorIx(0)).id(), set.get(IndicatorIx(1)).id());
        assert!(matches!(set.add(&Draft { value: b"x", ..plain }, false), Err(Refusal::BadAddress)));
        assert_eq!(set.values.len(), 8, "a refused value leaves nothing behind");
    }
}
