//! [`Text`]: values that are matched whole, of every kind that has no structure (user-agents, fingerprints, digests).

use super::bloom::Bloom;
use super::exact::{Exact, Filler};
use super::hash::Seeds;
use crate::indicator::{Index, Indicator, IndicatorIx, IndicatorSet, Kind};

/// Every such value of a set. The contract of [`Bloom`] holds for the whole.
pub struct Text {
    seeds: Seeds,
    filter: Bloom,
    values: Exact,
}

impl Text {
    /// Indexes every such value of `set`.
    pub(super) fn build(set: &IndicatorSet, seeds: Seeds) -> Self {
        let ours = || set.of_index(Index::Exact);
        let count = ours().count();
        let mut text = Self { seeds, filter: Bloom::for_keys(count), values: Exact::for_keys(count) };
        let same = |a: Indicator<'_>, b: Indicator<'_>| a.kind == b.kind && a.value == b.value;
        let mut filler = Filler::new(&mut text.values, |a, b| same(set.get(a), set.get(b)));
        for value in ours() {
            let hash = hash(&seeds, value.kind, value.value);
            text.filter.insert(text.filter.probe(hash));
            filler.insert(hash, value.ix);
        }
        filler.finish();
        text
    }

    /// Every indicator of this kind with this value.
    #[inline]
    pub fn find(&self, set: &IndicatorSet, kind: &'static Kind, value: &[u8], found: impl FnMut(IndicatorIx)) {
        if self.values.is_empty() {
            return;
        }
        let hash = hash(&self.seeds, kind, value);
        if self.filter.maybe(self.filter.probe(hash)) {
            let same = |ix| (set.get(ix).kind, set.get(ix).value) == (kind, value);
            self.values.find(hash, same).for_each(found);
        }
    }

    /// Bytes on the heap: of the filter, of the table.
    pub(super) fn memory_bytes(&self) -> (usize, usize) {
        (self.filter.memory_bytes(), self.values.memory_bytes())
    }

    /// Distinct values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

fn hash(seeds: &Seeds, kind: &'static Kind, value: &[u8]) -> u64 {
    seeds.chain(seeds.chain(seeds.start(), &[kind.number()]), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::Match;
    use crate::indicator::kind::{FILE, USER_AGENT};
    use crate::matcher::twin;
    use proptest::prelude::*;

    /// Few values, all of them MD5 digests, so that both kinds take them and they meet.
    const VALUE: &str = "[ab]{2}0{30}";

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(
            values in proptest::collection::vec((VALUE, any::<bool>()), 0..40),
            asked in proptest::collection::vec((VALUE, any::<bool>()), 1..40),
        ) {
            let kind = |agent: bool| if agent { &USER_AGENT } else { &FILE };
            let set = twin::set_of(values.iter().map(|(v, agent)| twin::draft(kind(*agent), v.as_bytes(), Match::Exact)));
            let text = Text::build(&set, Seeds::fixed(2));
            for (value, agent) in &asked {
                let mut have = Vec::new();
                text.find(&set, kind(*agent), value.as_bytes(), |ix| have.push(ix.0));
                have.sort_unstable();
                prop_assert_eq!(have, twin::texts(&set, kind(*agent), value.as_bytes()));
            }
        }
    }
}
