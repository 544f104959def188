//! [`Path`]: URLs, whole or as a prefix of what is below them.
//!
//! The walk of [`super::suffix`], from the left: one hash chained over host and path pieces, and a filter of every start
//! that some indicator has at or below it. A clean URL costs the hash of its host and one cache line.

use super::bloom::Bloom;
use super::exact::{Exact, Filler};
use super::hash::Seeds;
use crate::indicator::{Index, IndicatorIx, IndicatorSet, Match};

/// Every URL of a set. The contract of [`Bloom`] holds for the whole.
pub struct Path {
    seeds: Seeds,
    at_or_below: Bloom,
    urls: Exact,
}

impl Path {
    /// Indexes every URL of `set`.
    pub(super) fn build(set: &IndicatorSet, seeds: Seeds) -> Self {
        let ours = || set.of_index(Index::Path);
        let (mut count, mut starts) = (0, 0);
        for url in ours() {
            count += 1;
            walk(&seeds, url.value, |_, _| {
                starts += 1;
                true
            });
        }
        let mut path = Self { seeds, at_or_below: Bloom::for_keys(starts), urls: Exact::for_keys(count) };
        let mut filler = Filler::new(&mut path.urls, |a, b| set.get(a).value == set.get(b).value);
        for url in ours() {
            let mut whole = seeds.start();
            walk(&seeds, url.value, |hash, _| {
                path.at_or_below.insert(path.at_or_below.probe(hash));
                whole = hash;
                true
            });
            filler.insert(whole, url.ix);
        }
        filler.finish();
        path
    }

    /// Every indicator that is `url` or, if it reaches below itself, that `url` is below of; shortest first, with whether it
    /// is the whole. `url` is in the normal form of indicators.
    #[inline]
    pub fn find(&self, set: &IndicatorSet, url: &[u8], mut found: impl FnMut(IndicatorIx, bool)) {
        if self.urls.is_empty() {
            return;
        }
        walk(&self.seeds, url, |hash, end| {
            if !self.at_or_below.maybe(self.at_or_below.probe(hash)) {
                return false;
            }
            let (start, whole) = (&url[..end], end == url.len());
            for ix in self.urls.find(hash, |ix| set.get(ix).value == start) {
                if whole || (set.get(ix).matching != Match::Exact && is_boundary(url, end)) {
                    found(ix, whole);
                }
            }
            true
        });
    }

    /// Bytes on the heap: of the filter, of the table.
    pub(super) fn memory_bytes(&self) -> (usize, usize) {
        (self.at_or_below.memory_bytes(), self.urls.memory_bytes())
    }

    /// Distinct URLs.
    pub(super) fn len(&self) -> usize {
        self.urls.len()
    }
}

/// Whether what follows the first `end` bytes of `url` is below them.
pub(super) fn is_boundary(url: &[u8], end: usize) -> bool {
    url[..end].ends_with(b"/") || url.get(end).is_some_and(|next| is_cut(*next))
}

fn is_cut(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#')
}

/// Calls `visit` with the hash and length of each start of `url` that ends before or after a cut, and of the whole, while
/// it returns true. A URL and any start of it that ends at a boundary are cut alike up to there.
#[inline(always)]
fn walk(seeds: &Seeds, url: &[u8], mut visit: impl FnMut(u64, usize) -> bool) {
    let (mut hash, mut end) = (seeds.start(), 0);
    while end < url.len() {
        let rest = &url[end..];
        let piece = match rest.iter().position(|&byte| is_cut(byte)) {
            Some(0) => 1,
            Some(run) => run,
            None => rest.len(),
        };
        hash = seeds.chain(hash, &rest[..piece]);
        end += piece;
        if !visit(hash, end) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::URL;
    use crate::matcher::twin;
    use proptest::prelude::*;

    fn found(urls: &[(&str, Match)], asked: &str) -> Vec<(u32, bool)> {
        let set = twin::set_of(urls.iter().map(|(url, matching)| twin::draft(&URL, url.as_bytes(), *matching)));
        let mut all = Vec::new();
        Path::build(&set, Seeds::fixed(1)).find(&set, asked.as_bytes(), |ix, whole| all.push((ix.0, whole)));
        all
    }

    #[test]
    fn a_prefix_ends_at_a_boundary() {
        let urls = [("h.example/a", Match::Prefix), ("h.example/a", Match::Exact), ("h.example/b/", Match::Prefix)];
        assert_eq!(found(&urls, "h.example/a"), [(0, true), (1, true)]);
        assert_eq!(found(&urls, "h.example/a/x"), [(0, false)]);
        assert_eq!(found(&urls, "h.example/a?x"), [(0, false)]);
        assert_eq!(found(&urls, "h.example/ab"), []);
        assert_eq!(found(&urls, "h.example/b/x"), [(2, false)]);
        assert_eq!(found(&urls, "h.example/b"), []);
        assert_eq!(found(&[("h/a?", Match::Prefix)], "h/a?x"), [], "a question mark is no end of a path");
        assert_eq!(found(&[("h/a?b/c", Match::Exact)], "h/a?b/c"), [(0, true)]);
        assert_eq!(found(&[], "h/a"), []);
    }

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(
            urls in proptest::collection::vec(("[ab]{1,2}[/?#ab]{0,5}", any::<bool>()), 0..40),
            asked in proptest::collection::vec("[ab]{1,2}[/?#ab]{0,7}", 1..40),
        ) {
            let set = twin::set_of(urls.iter().map(|(url, exact)| {
                twin::draft(&URL, url.as_bytes(), if *exact { Match::Exact } else { Match::Prefix })
            }));
            let path = Path::build(&set, Seeds::fixed(2));
            for url in &asked {
                let mut have = Vec::new();
                path.find(&set, url.as_bytes(), |ix, _| have.push(ix.0));
                have.sort_unstable();
                prop_assert_eq!(have, twin::urls(&set, url.as_bytes()));
            }
        }
    }
}
