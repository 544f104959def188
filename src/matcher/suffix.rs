//! [`Suffix`]: names, label by label from the right.
//!
//! One hash is chained over the labels from the right, so that each label is hashed once for all suffixes. A filter of every
//! suffix of two labels or more that some indicator has "at or below" it ends the walk: a clean name costs the hash of its
//! last two labels and one cache line. (Nearly every top-level label has indicators below it, so asking for one would say
//! nothing; the few indicators that are one have a filter of their own.) It knows nothing of validity or transport, and
//! allocates nothing while looking up.

use super::bloom::Bloom;
use super::exact::{Exact, Filler};
use super::hash::Seeds;
use crate::indicator::{EncodedName, Index, IndicatorIx, IndicatorSet, Match};

/// Every name of a set. The contract of [`Bloom`] holds for the whole.
pub struct Suffix {
    seeds: Seeds,
    /// Hash of every suffix of two labels or more of every indicator, the whole name among them.
    at_or_below: Bloom,
    /// Indicators of one label.
    single: Bloom,
    names: Exact,
}

/// The two lines that a name needs first.
#[derive(Debug, Clone, Copy)]
pub struct NameKey {
    /// Of its last label.
    last: u64,
    /// Of its last two; of its only one if there is no more.
    two: u64,
}

impl Suffix {
    /// Indexes every name of `set`.
    pub(super) fn build(set: &IndicatorSet, seeds: Seeds) -> Self {
        let ours = || set.of_index(Index::Suffix);
        let (mut count, mut below_top, mut singles) = (0, 0, 0);
        for name in ours() {
            let dots = labels_in(name.value);
            count += 1;
            below_top += dots;
            singles += usize::from(dots == 0);
        }
        let mut suffix = Self {
            seeds,
            at_or_below: Bloom::for_keys(below_top),
            single: Bloom::for_keys(singles),
            names: Exact::for_keys(count),
        };
        let mut at_or_below = suffix.at_or_below.filling();
        let mut filler = Filler::new(&mut suffix.names, |a, b| set.get(a).value == set.get(b).value);
        for name in ours() {
            let (mut labels, mut whole) = (0, seeds.start());
            walk(&seeds, name.value, |hash, start| {
                labels += 1;
                if labels > 1 {
                    at_or_below.insert(hash);
                } else if start == 0 {
                    suffix.single.insert(suffix.single.probe(hash));
                }
                whole = hash;
                true
            });
            filler.insert(whole, name.ix);
        }
        filler.finish();
        at_or_below.finish();
        suffix
    }

    /// Whether it holds no name.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Where `name` begins to be looked up.
    #[inline]
    pub fn key(&self, name: &[u8]) -> NameKey {
        let start = self.seeds.start();
        let mut key = NameKey { last: start, two: start };
        if !self.is_empty() {
            let mut labels = 0;
            walk(&self.seeds, name, |hash, _| {
                labels += 1;
                if labels == 1 {
                    key.last = hash;
                }
                key.two = hash;
                labels < 2
            });
        }
        key
    }

    /// [`Suffix::key`] of a name that ends with these labels; `before` is empty if there is only one. `None` if one is not ASCII: it
    /// has another form.
    #[inline(always)]
    pub fn key_of(&self, last: &[u8], before: &[u8]) -> Option<NameKey> {
        let last = self.seeds.chain_lower_ascii(self.seeds.start(), last)?;
        let two = if before.is_empty() { last } else { self.seeds.chain_lower_ascii(last, before)? };
        Some(NameKey { last, two })
    }

    /// Asks for the key's line ahead of use.
    #[inline]
    pub fn prefetch(&self, key: NameKey) {
        self.at_or_below.prefetch(self.at_or_below.probe(key.two));
    }

    /// Whether the name of this key may be an indicator or below one.
    #[inline(always)]
    pub fn maybe(&self, key: NameKey) -> bool {
        self.at_or_below.maybe(self.at_or_below.probe(key.two)) || self.single.maybe(self.single.probe(key.last))
    }

    /// The same of a name as its protocol has it.
    #[inline(always)]
    pub fn maybe_encoded(&self, name: &EncodedName<'_>) -> bool {
        let [last, before] = name.ends;
        self.key_of(last, before).is_none_or(|key| self.maybe(key))
    }

    /// The same of a name as text, perhaps with a dot at its end.
    #[inline(never)]
    pub fn maybe_text(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b".").unwrap_or(name);
        !name.is_ascii() || self.maybe(self.key(name))
    }

    /// Every indicator that is `name` or that `name` is below of, widest first, with the number of labels that `name` has
    /// below it. `name` is in any case, without a trailing dot.
    #[inline]
    pub fn find(&self, set: &IndicatorSet, name: &[u8], mut found: impl FnMut(IndicatorIx, usize)) {
        if self.is_empty() {
            return;
        }
        let mut labels = 0;
        walk(&self.seeds, name, |hash, start| {
            labels += 1;
            if labels == 1 {
                if !self.single.maybe(self.single.probe(hash)) {
                    return true;
                }
            } else if !self.at_or_below.maybe(self.at_or_below.probe(hash)) {
                return false;
            }
            let suffix = &name[start..];
            for ix in self.names.find(hash, |ix| set.get(ix).value.eq_ignore_ascii_case(suffix)) {
                if start == 0 || set.get(ix).matching != Match::Exact {
                    found(ix, labels_in(&name[..start]));
                }
            }
            true
        });
    }

    /// Bytes on the heap: of the filter, of the table.
    pub(super) fn memory_bytes(&self) -> (usize, usize) {
        (self.at_or_below.memory_bytes() + self.single.memory_bytes(), self.names.memory_bytes())
    }

    /// Distinct names.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

/// Dots in it, so labels of what ends with a dot or is empty.
fn labels_in(left: &[u8]) -> usize {
    memchr::memchr_iter(b'.', left).count()
}

/// Calls `visit` with each suffix's hash and start, shortest first, while it returns true.
#[inline(always)]
fn walk(seeds: &Seeds, name: &[u8], mut visit: impl FnMut(u64, usize) -> bool) {
    let (mut hash, mut end) = (seeds.start(), name.len());
    loop {
        // Labels are short.
        let start = name[..end].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
        hash = seeds.chain_lower(hash, &name[start..end]);
        if !visit(hash, start) || start == 0 {
            return;
        }
        end = start - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::DOMAIN;
    use crate::matcher::twin;
    use proptest::prelude::*;

    fn build(names: &[(&str, Match)]) -> (IndicatorSet, Suffix) {
        let set = twin::set_of(names.iter().map(|(name, matching)| twin::draft(&DOMAIN, name.as_bytes(), *matching)));
        let suffix = Suffix::build(&set, Seeds::fixed(1));
        (set, suffix)
    }

    fn found(set: &IndicatorSet, suffix: &Suffix, name: &str) -> Vec<(u32, usize)> {
        let mut all = Vec::new();
        suffix.find(set, name.as_bytes(), |ix, labels| all.push((ix.0, labels)));
        assert!(all.is_empty() || suffix.maybe(suffix.key(name.as_bytes())), "a false no");
        let mut labels = name.rsplit('.').map(str::as_bytes);
        let ends = suffix.key_of(labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
        assert!(all.is_empty() || ends.is_none_or(|ends| suffix.maybe(ends)), "a false no from its last labels");
        all
    }

    #[test]
    fn a_subtree_covers_what_is_below_and_exact_only_itself() {
        let (set, suffix) = build(&[("evil.example", Match::Subtree), ("only.example", Match::Exact)]);
        assert_eq!(found(&set, &suffix, "a.b.EVIL.example"), [(0, 2)]);
        assert_eq!(found(&set, &suffix, "evil.example"), [(0, 0)]);
        assert_eq!(found(&set, &suffix, "Only.Example"), [(1, 0)]);
        for clean in ["a.only.example", "notevil.example", "example", "evil.example.com", "", ".", "evil..example"] {
            assert_eq!(found(&set, &suffix, clean), [], "{clean}");
        }
    }

    #[test]
    fn one_label_is_found_when_forced() {
        let (set, suffix) = build(&[("test", Match::Subtree), ("a.b.test", Match::Subtree)]);
        assert_eq!(found(&set, &suffix, "x.a.b.test"), [(0, 3), (1, 1)]);
        assert_eq!(found(&set, &suffix, "test"), [(0, 0)]);
    }

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(
            names in proptest::collection::vec(("[a-c]{1,2}(\\.[a-c]{1,2}){0,3}", any::<bool>()), 0..40),
            asked in proptest::collection::vec("[a-cA]{0,2}(\\.[a-cB]{1,2}){0,4}", 1..40),
        ) {
            let drafts: Vec<(&str, Match)> = names
                .iter()
                .map(|(name, exact)| (name.as_str(), if *exact { Match::Exact } else { Match::Subtree }))
                .collect();
            let (set, suffix) = build(&drafts);
            for name in &asked {
                let mut have: Vec<u32> = found(&set, &suffix, name).iter().map(|hit| hit.0).collect();
                have.sort_unstable();
                prop_assert_eq!(have, twin::names(&set, name.as_bytes()));
            }
        }
    }
}
