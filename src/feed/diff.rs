//! [`diff`]: what one set of indicators has that another has not, and what both have but say differently of. An indicator is
//! the same if its kind, value and all that limits what it matches are; what may change is its id, its validity, its marking
//! and what its feeds say of it. Values are read by who prints a [`Difference`], never here.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::Serialize;

use crate::indicator::{Context, ContextRef, Indicator, IndicatorIx, IndicatorSet};

/// What became of an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The new set has it, the old one has not.
    Added,
    /// The old set has it, the new one has not.
    Removed,
    /// Both have it.
    Changed,
}

/// What is said differently of an indicator that both have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Its feed's id.
    Id,
    /// When it is valid.
    Validity,
    /// How it is to be handled.
    Marking,
    /// Who named it, and everything else that a feed says of it.
    Context,
}

/// One indicator that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What became of it.
    pub change: Change,
    /// Where it is: in the old set if it was removed, else in the new one.
    pub ix: IndicatorIx,
    /// What is different of one that changed.
    pub aspects: BTreeSet<Aspect>,
}

/// Every difference: what changed and what was added in the order of `new`, then what was removed in the order of `old`.
pub fn diff<'a>(old: &'a IndicatorSet, new: &'a IndicatorSet) -> impl Iterator<Item = Difference> + 'a {
    let (in_old, in_new) = (Index::of(old), Index::of(new));
    let added = new.iter().filter_map(move |indicator| {
        let twins: Vec<_> = in_old.twins(&indicator).collect();
        if twins.is_empty() {
            return Some(Difference { change: Change::Added, ix: indicator.ix, aspects: BTreeSet::new() });
        }
        // Several of one value differ by id or validity only: it is unchanged if one of them is as it was.
        let aspects = twins.iter().map(|twin| aspects((old, twin), (new, &indicator))).min_by_key(BTreeSet::len)?;
        (!aspects.is_empty()).then_some(Difference { change: Change::Changed, ix: indicator.ix, aspects })
    });
    let removed = old.iter().filter_map(move |indicator| {
        let gone = in_new.twins(&indicator).next().is_none();
        gone.then(|| Difference { change: Change::Removed, ix: indicator.ix, aspects: BTreeSet::new() })
    });
    added.chain(removed)
}

/// The indicators of a set by what they match.
struct Index<'a> {
    set: &'a IndicatorSet,
    table: HashTable<IndicatorIx>,
    hasher: RandomState,
}

impl<'a> Index<'a> {
    fn of(set: &'a IndicatorSet) -> Self {
        let mut index = Self { set, table: HashTable::with_capacity(set.len()), hasher: RandomState::default() };
        for indicator in set.iter() {
            let hash = index.hash(&indicator);
            let Self { table, hasher, .. } = &mut index;
            table.insert_unique(hash, indicator.ix, |ix| hash_of(hasher, &set.get(*ix)));
        }
        index
    }

    fn hash(&self, indicator: &Indicator<'_>) -> u64 {
        hash_of(&self.hasher, indicator)
    }

    fn twins<'b>(&'b self, indicator: &'b Indicator<'_>) -> impl Iterator<Item = Indicator<'a>> + 'b {
        let found = self.table.iter_hash(self.hash(indicator)).map(|ix| self.set.get(*ix));
        found.filter(|other| same(other, indicator))
    }
}

fn hash_of(hasher: &RandomState, indicator: &Indicator<'_>) -> u64 {
    hasher.hash_one((indicator.kind.number(), indicator.value, indicator.port))
}

fn same(a: &Indicator<'_>, b: &Indicator<'_>) -> bool {
    (a.kind, a.value, a.matching, a.port, a.transport, a.pattern, a.when)
        == (b.kind, b.value, b.matching, b.port, b.transport, b.pattern, b.when)
}

fn aspects(old: (&IndicatorSet, &Indicator<'_>), new: (&IndicatorSet, &Indicator<'_>)) -> BTreeSet<Aspect> {
    let mut aspects = BTreeSet::new();
    if old.1.given_id() != new.1.given_id() {
        aspects.insert(Aspect::Id);
    }
    if old.1.window != new.1.window {
        aspects.insert(Aspect::Validity);
    }
    let contexts = |(set, indicator): (&IndicatorSet, &Indicator<'_>)| -> Vec<Context> {
        let said = |(context, _): (ContextRef<'_>, u32)| {
            let mut context = ContextRef { feed: "", ..context }.to_context();
            // In which order a feed says what it indicates does not matter.
            context.about.sort();
            context
        };
        set.sources(indicator.ix).map(said).collect()
    };
    let (before, after) = (contexts(old), contexts(new));
    let lacks = |these: &[Context], those: &[Context], same: &dyn Fn(&Context, &Context) -> bool| {
        these.iter().any(|this| !those.iter().any(|that| same(this, that)))
    };
    let differ =
        |same: &dyn Fn(&Context, &Context) -> bool| lacks(&before, &after, same) || lacks(&after, &before, same);
    if differ(&|a, b| a.marking == b.marking) {
        aspects.insert(Aspect::Marking);
    }
    if differ(&|a, b| Context { marking: b.marking.clone(), ..a.clone() } == *b) {
        aspects.insert(Aspect::Context);
    }
    aspects
}

#[cfg(test)]
mod tests {
    use super::super::tests::loaded;
    use super::*;

    fn differences(old: &str, new: &str) -> Vec<(Change, String, Vec<Aspect>)> {
        let (old, new) = (loaded(old.as_bytes()).0, loaded(new.as_bytes()).0);
        diff(&old, &new)
            .map(|difference| {
                let set = if difference.change == Change::Removed { &old } else { &new };
                let indicator = set.get(difference.ix);
                let shown = (indicator.kind.display)(indicator.value).into_owned();
                (difference.change, shown, difference.aspects.into_iter().collect())
            })
            .collect()
    }

    #[test]
    fn what_is_only_in_one_is_added_or_removed() {
        let found =
            differences("a.example\nb.example\n192.0.2.1:80\n", "b.example\nc.example\n192.0.2.1:81\nB.example.\n");
        let name = |change, name: &str| (change, name.to_owned(), vec![]);
        assert_eq!(
            found,
            [
                name(Change::Added, "c.example"),
                name(Change::Added, "192.0.2.1"),
                name(Change::Removed, "a.example"),
                name(Change::Removed, "192.0.2.1"),
            ]
        );
        assert_eq!(differences("a.example\n", "# a comment\n\na.example\n"), [], "lines do not matter");
    }

    #[test]
    fn what_is_said_differently_is_changed() {
        let line = |more: &str| {
            format!("{{\"threat.indicator.type\":\"domain-name\",\"threat.indicator.name\":\"a.example\"{more}}}\n")
        };
        for (old, new, aspects) in [
            ("", r#","picket.valid_until":"2030-01-01T00:00:00Z""#, vec![Aspect::Validity]),
            (
                r#","threat.indicator.marking.tlp":"GREEN""#,
                r#","threat.indicator.marking.tlp":"RED""#,
                vec![Aspect::Marking],
            ),
            (r#","threat.indicator.provider":"x""#, r#","threat.indicator.provider":"y""#, vec![Aspect::Context]),
            (r#","threat.indicator.id":"1""#, r#","threat.indicator.id":"2""#, vec![Aspect::Id]),
            (r#","tags":["x"]"#, r#","tags":["x","y"],"picket.pap":"RED""#, vec![Aspect::Marking, Aspect::Context]),
        ] {
            assert_eq!(
                differences(&line(old), &line(new)),
                [(Change::Changed, "a.example".into(), aspects)],
                "{old} {new}"
            );
            assert_eq!(differences(&line(new), &line(new)), []);
        }
        let exact = r#","picket.match":"exact""#;
        let changes: Vec<_> = differences(&line(""), &line(exact)).into_iter().map(|(change, ..)| change).collect();
        assert_eq!(changes, [Change::Added, Change::Removed], "another reach is another indicator");
        let two = line(r#","threat.indicator.id":"1""#) + &line(r#","threat.indicator.id":"2""#);
        assert_eq!(differences(&two, &line(r#","threat.indicator.id":"2""#)), [], "one of them is as it was");
    }
}
