//! What a set of feeds holds, counted.

use std::io::{self, Write};

use hashbrown::HashMap;
use indicatif::HumanBytes;
use serde::Serialize;

use super::new_table;
use crate::alert::printable;
use crate::feed::KindCount;
use crate::indicator::{ContextRef, IndicatorSet, Window};
use crate::marking::Marking;
use crate::matcher::MatchSet;
use crate::time::Timestamp;

/// Counts of indicators, each once under each heading but providers: one that two providers name counts for both.
#[derive(Serialize)]
pub(super) struct Stats {
    indicators: u64,
    kinds: Vec<KindCount>,
    /// By the combined marking of all sources.
    markings: Vec<Count>,
    providers: Vec<Count>,
    validity: Validity,
    memory: Vec<Part>,
    memory_bytes: u64,
}

#[derive(Serialize)]
struct Count {
    /// `None`: unmarked, or no provider said.
    name: Option<String>,
    indicators: u64,
}

#[derive(Default, Serialize)]
struct Validity {
    at: String,
    valid: u64,
    expired: u64,
    future: u64,
}

/// How many indicators have each marking, and each provider.
#[derive(Default)]
struct Said<'a> {
    markings: HashMap<Marking, u64>,
    providers: HashMap<Option<&'a str>, u64>,
}

impl<'a> Said<'a> {
    /// So many indicators with these sources.
    fn add(&mut self, sources: impl Iterator<Item = ContextRef<'a>>, count: u64) {
        let mut marking = Marking::default();
        let mut named: Vec<Option<&str>> = Vec::with_capacity(1);
        for context in sources {
            if !context.marking.is_unmarked() {
                marking = marking.combine(context.marking);
            }
            if !named.contains(&context.provider) {
                named.push(context.provider);
                *self.providers.entry(context.provider).or_default() += count;
            }
        }
        *self.markings.entry(marking).or_default() += count;
    }
}

/// A structure of the compiled set.
#[derive(Serialize)]
struct Part {
    part: &'static str,
    entries: u64,
    bytes: u64,
}

/// Validity, markings and providers of a set's indicators.
fn said_of(set: &IndicatorSet, at: Timestamp) -> (Validity, Vec<Count>, Vec<Count>) {
    let mut said = Said::default();
    let mut validity = Validity { at: at.to_string(), ..Validity::default() };
    // Most have one source, and share its marking with their neighbours: those are counted together, by where it lies.
    let mut alike: Option<(ContextRef<'_>, u64)> = None;
    for indicator in set.iter() {
        *validity.slot(indicator.window, at) += 1;
        let mut sources = set.common_sources(indicator.ix);
        if let (Some((only, _)), None) = (sources.next(), sources.next()) {
            match &mut alike {
                Some((context, count)) if std::ptr::eq(context.marking, only.marking) => *count += 1,
                _ => {
                    let before = alike.replace((only, 1));
                    before.into_iter().for_each(|(context, count)| said.add([context].into_iter(), count));
                }
            }
            continue;
        }
        said.add(set.common_sources(indicator.ix).map(|(context, _)| context), 1);
    }
    alike.into_iter().for_each(|(context, count)| said.add([context].into_iter(), count));
    let Said { markings, providers } = said;
    let markings = by_count(markings, |marking| (!marking.is_unmarked()).then(|| marking.to_string()));
    let providers = by_count(providers, |provider| provider.map(str::to_string));
    (validity, markings, providers)
}

impl Stats {
    /// Counts what is in `set`, judging validity at `at`, and compiles it to see what it takes.
    pub(super) fn of(set: IndicatorSet, at: Timestamp) -> Self {
        let (validity, markings, providers) = said_of(&set, at);
        let indicators = set.len() as u64;
        let kinds = KindCount::of(&set);
        let memory: Vec<Part> = MatchSet::compile(set, IndicatorSet::default())
            .memory()
            .into_iter()
            .map(|m| Part { part: m.part, entries: m.entries as u64, bytes: m.bytes as u64 })
            .collect();
        Self {
            indicators,
            kinds,
            markings,
            providers,
            validity,
            memory_bytes: memory.iter().map(|part| part.bytes).sum(),
            memory,
        }
    }

    /// For a reader.
    pub(super) fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut kinds = new_table(["kind", "indicators", ""]);
        for kind in &self.kinds {
            let note = if kind.inert { "nothing in this version observes it" } else { "" };
            kinds.add_row([kind.kind, &kind.indicators.to_string(), note]);
        }
        writeln!(out, "{} indicators\n{kinds}", self.indicators)?;
        counts("marking", "(unmarked)", &self.markings, out)?;
        counts("provider", "(none said)", &self.providers, out)?;
        let Validity { at, valid, expired, future } = &self.validity;
        writeln!(out, "at {at}: {valid} valid, {expired} expired, {future} not valid yet")?;
        let mut memory = new_table(["compiled set", "entries", "memory"]);
        for part in &self.memory {
            memory.add_row([part.part, &part.entries.to_string(), &HumanBytes(part.bytes).to_string()]);
        }
        memory.add_row(["total", "", &HumanBytes(self.memory_bytes).to_string()]);
        writeln!(out, "{memory}")
    }
}

impl Validity {
    fn slot(&mut self, window: Window, at: Timestamp) -> &mut u64 {
        if window.contains(at) {
            &mut self.valid
        } else if at < window.from {
            &mut self.future
        } else {
            &mut self.expired
        }
    }
}

/// The most first, then by name.
fn by_count<K>(counts: HashMap<K, u64>, name: impl Fn(K) -> Option<String>) -> Vec<Count> {
    let mut counts: Vec<Count> =
        counts.into_iter().map(|(key, indicators)| Count { name: name(key), indicators }).collect();
    counts.sort_by(|a, b| b.indicators.cmp(&a.indicators).then_with(|| a.name.cmp(&b.name)));
    counts
}

fn counts(heading: &str, unnamed: &str, counts: &[Count], out: &mut dyn Write) -> io::Result<()> {
    let mut table = new_table([heading, "indicators"]);
    for count in counts.iter().take(ROWS_SHOWN) {
        let name = count.name.as_deref().map_or(unnamed.to_string(), |name| printable(name.as_bytes()));
        table.add_row([name, count.indicators.to_string()]);
    }
    writeln!(out, "{table}")?;
    match counts.len().checked_sub(ROWS_SHOWN) {
        Some(more) if more > 0 => writeln!(out, "and {more} more (all in --format json)"),
        _ => Ok(()),
    }
}

/// Rows of a table by marking or provider.
const ROWS_SHOWN: usize = 30;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::feed::{Options, load};

    #[test]
    fn everything_is_counted_once_under_each_heading() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(
            dir.path().join("a.txt"),
            "# picket: tlp=AMBER provider=P valid_until=2024-01-01T00:00:00Z\n192.0.2.1\n\
             # picket: provider=P valid_from=2024-06-01T00:00:00Z\nevil.example\n\
             # picket: tlp=GREEN provider=Q\n192.0.2.2\n192.0.2.3\nmalware.test\n",
        )
        .expect("writes");
        fs::write(dir.path().join("b.txt"), "# picket: tlp=RED provider=R\n192.0.2.2\n192.0.2.3\n192.0.2.3\n")
            .expect("writes");
        let mut set = IndicatorSet::default();
        load(&[dir.path().to_owned()], &Options::default(), &mut set).expect("loads");
        let stats = Stats::of(set, Timestamp::from_parts(1_710_000_000, 0));
        let json = serde_json::to_value(&stats).expect("serialises");
        assert_eq!(json["indicators"], 5);
        assert_eq!(json["kinds"][0], serde_json::json!({"kind": "ipv4-addr", "indicators": 3, "inert": false}));
        let pairs = |list: &[Count]| list.iter().map(|c| (c.name.clone(), c.indicators)).collect::<Vec<_>>();
        let named = |name: &str, count| (Some(name.to_string()), count);
        assert_eq!(pairs(&stats.providers), [named("Q", 3), named("P", 2), named("R", 2)]);
        assert_eq!(
            pairs(&stats.markings),
            [named("TLP:RED", 2), (None, 1), named("TLP:AMBER", 1), named("TLP:GREEN", 1)],
            "the strictest of its sources marks an indicator"
        );
        let Validity { valid, expired, future, .. } = stats.validity;
        assert_eq!((valid, expired, future), (3, 1, 1));
        assert!(stats.memory_bytes > 0);
        let mut out = Vec::new();
        stats.table(&mut out).expect("writes");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("3 valid, 1 expired, 1 not valid yet") && text.contains("(unmarked)"), "{text}");
        assert!(!text.contains("evil"), "{text}");
    }
}
