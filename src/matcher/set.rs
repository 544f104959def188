//! [`MatchSet`]: a feed compiled for matching.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::hash::Seeds;
use super::observed;
use super::path::Path;
use super::pattern::Patterns;
use super::prefix::{Covered, EndpointKey, Prefix};
use super::rules::Rules;
use super::suffix::{NameKey, Suffix};
use super::text::Text;
use super::view::How;
use crate::indicator::rule::Scope;
use crate::indicator::{
    Index, Indicator, IndicatorIx, IndicatorSet, MAX_NAME_TEXT_BYTES, Observable, Transport, Value, Wants,
};
use crate::time::Timestamp;

/// Every indicator and the structures that find them: immutable, shared by `Arc`.
///
/// **Contract**: the filters in front may say maybe of anything; they never say no of a value that an indicator covers.
/// Every maybe is confirmed against the value, so what is reported is a match and everything that matches is reported: all
/// covering indicators, not the closest one. What a named cap cut short is counted ([`super::Scanned`]).
pub struct MatchSet {
    indicators: IndicatorSet,
    index: Indexes,
    patterns: Patterns,
    rules: Rules,
    allow: Option<Allow>,
    /// Those with a condition, by [`Indicator::likeness`].
    conditional: HashMap<u64, IndicatorIx>,
    id: u64,
}

/// Numbers sets, for [`MatchSet::id`].
static SETS: AtomicU64 = AtomicU64::new(1);

/// Values that suppress hits.
struct Allow {
    indicators: IndicatorSet,
    index: Indexes,
    /// Byte signatures are allowed by being named: the indicators that have an allowed literal.
    patterns: HashSet<IndicatorIx>,
}

/// The structures over one set of indicators.
struct Indexes {
    prefix: Prefix,
    suffix: Suffix,
    path: Path,
    text: Text,
}

/// What one structure holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What it is.
    pub part: &'static str,
    /// Entries in it.
    pub entries: usize,
    /// Bytes on the heap.
    pub bytes: usize,
}

impl MatchSet {
    /// Compiles a feed and an allow-list, with unpredictable seeds.
    pub fn compile(indicators: IndicatorSet, allow: IndicatorSet) -> Self {
        Self::compile_seeded(indicators, allow, Seeds::random())
    }

    /// Compiles with given seeds: what is found never depends on them, how long it takes may.
    pub fn compile_seeded(mut indicators: IndicatorSet, mut allow: IndicatorSet, seeds: Seeds) -> Self {
        indicators.seal();
        allow.seal();
        let index = Indexes::build(&indicators, seeds);
        let patterns = Patterns::build(&indicators);
        let rules = Rules::build(&indicators);
        let allow = (!allow.is_empty()).then(|| Allow::build(allow, &indicators, seeds));
        let conditional = match indicators.has_conditions() {
            true => indicators.iter().filter(|i| i.when.is_some()).map(|i| (i.likeness(), i.ix)).collect(),
            false => HashMap::new(),
        };
        let id = SETS.fetch_add(1, Ordering::Relaxed);
        Self { indicators, index, patterns, rules, allow, conditional, id }
    }

    /// Tells it from every other set of this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The indicator with a condition that is like this ([`Indicator::likeness`]): what finds one of another set again.
    pub fn conditional(&self, likeness: u64) -> Option<IndicatorIx> {
        self.conditional.get(&likeness).copied()
    }

    /// The indicators.
    pub fn indicators(&self) -> &IndicatorSet {
        &self.indicators
    }

    /// One indicator.
    ///
    /// # Panics
    /// If `ix` is of another set.
    pub fn indicator(&self, ix: IndicatorIx) -> Indicator<'_> {
        self.indicators.get(ix)
    }

    /// The kinds that there is an indicator of.
    pub fn wants(&self) -> Wants {
        self.indicators.wants()
    }

    /// Whether there is anything to scan payload for.
    #[inline]
    pub fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Whether there is anything to scan payload of this transport for.
    #[inline]
    pub fn has_patterns_for(&self, transport: Transport) -> bool {
        self.patterns.applies(transport)
            || match transport {
                Transport::Tcp => self.rules.reads(Scope::Stream),
                Transport::Udp => self.rules.reads_datagrams(),
                Transport::Ethernet => false,
            }
    }

    /// Whether there are rules of messages or bytes.
    pub fn has_rules(&self) -> bool {
        self.rules.read_bytes()
    }

    /// Whether there are rules of a header alone.
    pub fn has_header_rules(&self) -> bool {
        !self.rules.headers().is_empty()
    }

    /// Puts every rule of a header alone that may hold between these ends into `found`, each once. Whether it does, the rule says
    /// ([`Ends::admits`](crate::indicator::rule::Ends::admits)).
    pub fn header_rules(&self, ends: [IpAddr; 2], found: &mut Vec<IndicatorIx>) {
        self.rules.headers().find(ends, found);
    }

    /// Hashes one end of a new flow for [`Self::prefetch_endpoint`] and [`Self::endpoint_maybe`].
    #[inline]
    pub fn endpoint_key(&self, ip: IpAddr, port: u16) -> EndpointKey {
        self.index.prefix.key(ip, Some(port))
    }

    /// Asks for the line that [`Self::endpoint_maybe`] will read.
    #[inline]
    pub fn prefetch_endpoint(&self, key: &EndpointKey) {
        self.index.prefix.prefetch(key);
    }

    /// Whether an indicator may cover this end: only then is [`super::Matcher::seen`] worth calling.
    #[inline]
    pub fn endpoint_maybe(&self, key: &EndpointKey) -> bool {
        self.index.prefix.maybe(key)
    }

    /// Hashes the end of a name for [`Self::prefetch_name`] and [`Self::name_maybe`].
    #[inline]
    pub fn name_key(&self, name: &[u8]) -> NameKey {
        self.index.suffix.key(observed::name(name, &mut [0; 256]))
    }

    /// Asks for the line that [`Self::name_maybe`] will read.
    #[inline]
    pub fn prefetch_name(&self, key: NameKey) {
        self.index.suffix.prefetch(key);
    }

    /// Whether the name may be an indicator or below one: only then is [`super::Matcher::seen`] worth calling.
    #[inline]
    pub fn name_maybe(&self, key: NameKey) -> bool {
        self.index.suffix.maybe(key)
    }

    /// Whether an indicator may cover what was shown: only then is [`super::Matcher::seen`] worth calling. Asks for names and addresses alone,
    /// of which there are many and hardly any that an indicator covers.
    #[inline(always)]
    pub fn maybe(&self, observable: &Observable<'_>) -> bool {
        match (observable.value, observable.kind.index) {
            (Value::Name(name), Index::Suffix) => self.index.suffix.maybe_encoded(name),
            (Value::Text(name), Index::Suffix) => self.index.suffix.maybe_text(name),
            (Value::Addr(ip), _) => self.index.prefix.maybe(&self.index.prefix.key(ip, None)),
            (Value::Endpoint(ip, port, _), _) => self.index.prefix.maybe(&self.index.prefix.key(ip, Some(port))),
            _ => true,
        }
    }

    /// What each structure holds, those with nothing in them left out.
    pub fn memory(&self) -> Vec<Memory> {
        let mut parts =
            vec![Memory { part: "indicators", entries: self.indicators.len(), bytes: self.indicators.memory_bytes() }];
        self.index.memory(&mut parts);
        parts.push(Memory {
            part: "byte signatures",
            entries: self.patterns.len(),
            bytes: self.patterns.memory_bytes(),
        });
        parts.push(Memory { part: "rules", entries: self.rules.len(), bytes: self.rules.memory_bytes() });
        if let Some(allow) = &self.allow {
            let mut inner = vec![];
            allow.index.memory(&mut inner);
            let bytes = allow.indicators.memory_bytes() + inner.iter().map(|m| m.bytes).sum::<usize>();
            parts.push(Memory { part: "allow-list", entries: allow.indicators.len(), bytes });
        }
        parts.retain(|memory| memory.entries > 0);
        parts
    }

    pub(super) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Every indicator that covers the observable and is valid at `at`.
    #[inline]
    pub(super) fn find(
        &self,
        observable: &Observable<'_>,
        at: Timestamp,
        scratch: &mut Vec<u8>,
        found: impl FnMut(IndicatorIx, How),
    ) {
        self.index.find(&self.indicators, observable, at, scratch, found);
    }

    /// Whether the allow-list covers the observable at `at`. An entry with a condition never does: it would suppress more than
    /// it says.
    pub(super) fn allows(&self, observable: &Observable<'_>, at: Timestamp, scratch: &mut Vec<u8>) -> bool {
        let mut covered = false;
        if let Some(allow) = &self.allow {
            allow.index.find(&allow.indicators, observable, at, scratch, |ix, _| {
                covered |= allow.indicators.get(ix).when.is_none();
            });
        }
        covered
    }

    /// Whether the allow-list names this byte signature.
    pub(super) fn allows_pattern(&self, ix: IndicatorIx) -> bool {
        self.allow.as_ref().is_some_and(|allow| allow.patterns.contains(&ix))
    }
}

impl Allow {
    fn build(allow: IndicatorSet, indicators: &IndicatorSet, seeds: Seeds) -> Self {
        let is_pattern = |i: &Indicator<'_>| i.kind.index == Index::Pattern;
        let named: HashSet<&[u8]> =
            allow.iter().filter(|i| is_pattern(i) && i.when.is_none()).map(|i| i.value).collect();
        let patterns = match named.is_empty() {
            true => HashSet::new(),
            false => indicators.iter().filter(|i| is_pattern(i) && named.contains(i.value)).map(|i| i.ix).collect(),
        };
        Self { index: Indexes::build(&allow, seeds), indicators: allow, patterns }
    }
}

impl Indexes {
    fn build(set: &IndicatorSet, seeds: Seeds) -> Self {
        Self {
            prefix: Prefix::build(set, seeds),
            suffix: Suffix::build(set, seeds),
            path: Path::build(set, seeds),
            text: Text::build(set, seeds),
        }
    }

    #[inline]
    fn find(
        &self,
        set: &IndicatorSet,
        observable: &Observable<'_>,
        at: Timestamp,
        scratch: &mut Vec<u8>,
        mut found: impl FnMut(IndicatorIx, How),
    ) {
        let mut report = |ix: IndicatorIx, transport: Option<Transport>, how: How| {
            let indicator = set.get(ix);
            if indicator.window.contains(at) && (indicator.transport.is_none() || indicator.transport == transport) {
                found(ix, how);
            }
        };
        match (observable.value, observable.kind.index) {
            (Value::Addr(ip), _) => {
                self.prefix.find(set, ip, None, |ix, covered| report(ix, None, covered.into()));
            }
            (Value::Endpoint(ip, port, transport), _) => {
                self.prefix.find(set, ip, Some(port), |ix, covered| report(ix, transport, covered.into()));
            }
            (Value::Text(name), Index::Suffix) => self.find_name(set, name, report),
            (Value::Name(name), Index::Suffix) => {
                if self.suffix.maybe_encoded(name) {
                    self.find_name(set, name.text(&mut [0; MAX_NAME_TEXT_BYTES]), report);
                }
            }
            // Bringing a URL into normal form costs more than finding it.
            (Value::Text(_), Index::Path) if self.path.len() == 0 => {}
            (Value::Text(url), Index::Path) => {
                let Some(url) = observed::url(url, scratch) else { return };
                self.path.find(set, url, |ix, whole| {
                    report(ix, None, if whole { How::Exact } else { How::Prefix });
                });
            }
            (Value::Text(text), Index::Exact) => {
                self.text.find(set, observable.kind, text, |ix| report(ix, None, How::Exact));
            }
            // An address arrives as one, payload by `Matcher::scan`, what rules are judged by by `Matcher::message`.
            (Value::Text(_), Index::Prefix | Index::Pattern | Index::Rule)
            | (Value::Name(_) | Value::Piece { .. } | Value::Elsewhere(_), _) => {}
        }
    }

    #[inline]
    fn find_name(&self, set: &IndicatorSet, name: &[u8], mut report: impl FnMut(IndicatorIx, Option<Transport>, How)) {
        let mut form = [0; 256];
        let name = observed::name(name, &mut form);
        self.suffix.find(set, name, |ix, labels| report(ix, None, How::below(labels)));
    }

    fn memory(&self, parts: &mut Vec<Memory>) {
        let (filter, table, networks) = self.prefix.memory_bytes();
        let (addresses, networks_len) = self.prefix.len();
        let (name_filter, names) = self.suffix.memory_bytes();
        let (url_filter, urls) = self.path.memory_bytes();
        let (text_filter, texts) = self.text.memory_bytes();
        parts.extend([
            Memory { part: "addresses: filter", entries: addresses, bytes: filter },
            Memory { part: "addresses: table", entries: addresses, bytes: table },
            Memory { part: "networks", entries: networks_len, bytes: networks },
            Memory { part: "names: filter", entries: self.suffix.len(), bytes: name_filter },
            Memory { part: "names: table", entries: self.suffix.len(), bytes: names },
            Memory { part: "URLs: filter", entries: self.path.len(), bytes: url_filter },
            Memory { part: "URLs: table", entries: self.path.len(), bytes: urls },
            Memory { part: "texts: filter", entries: self.text.len(), bytes: text_filter },
            Memory { part: "texts: table", entries: self.text.len(), bytes: texts },
        ]);
    }
}

impl From<Covered> for How {
    fn from(covered: Covered) -> Self {
        match covered {
            Covered::Address => Self::Exact,
            Covered::Port => Self::Port,
            Covered::Network(bits) => Self::Network { bits },
        }
    }
}
