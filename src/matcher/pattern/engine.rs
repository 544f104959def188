//! [`Engine`]: finds every occurrence of every literal in a run of bytes. It knows nothing of indicators, case, streams or
//! limits: literals and haystack are folded before, limits are verified after. Another engine is another variant.

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

/// A compiled set of literals. Reports all that occur, overlapping ones too: as a filter it never says a false no.
pub enum Engine {
    /// Few literals: vector compare of their first bytes.
    Packed(Packed),
    /// Any number: one automaton step a byte.
    Automaton(AhoCorasick),
}

/// A packed searcher reports the longest literal at a place; what else starts there is a prefix of that one.
pub struct Packed {
    searcher: Searcher,
    /// Of each literal: the number and length of each literal that is a proper prefix of it.
    prefixes: Vec<Vec<(u32, usize)>>,
}

impl Engine {
    /// Compiles literals, all different and none empty. A literal's number is its position.
    ///
    /// # Panics
    /// If they are more than 2^31 bytes in all.
    pub fn build(literals: &[Box<[u8]>]) -> Self {
        match Packed::build(literals) {
            Some(packed) => Self::Packed(packed),
            None => Self::automaton(literals),
        }
    }

    /// The automaton, whatever the number of literals.
    ///
    /// # Panics
    /// As [`Self::build`].
    pub fn automaton(literals: &[Box<[u8]>]) -> Self {
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(literals);
        Self::Automaton(built.expect("literals are under 2^31 bytes in all"))
    }

    /// Calls `found` with the number and the end of each occurrence until it returns false. The occurrences of one literal
    /// come in order; those of several in no promised one.
    #[inline]
    pub fn occurrences(&self, haystack: &[u8], mut found: impl FnMut(u32, usize) -> bool) {
        match self {
            Self::Packed(packed) => packed.occurrences(haystack, found),
            Self::Automaton(automaton) => {
                let Ok(all) = automaton.try_find_overlapping_iter(Input::new(haystack)) else { return };
                for occurrence in all {
                    if !found(occurrence.pattern().as_u32(), occurrence.end()) {
                        return;
                    }
                }
            }
        }
    }

    /// Its name, for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Packed(_) => "packed",
            Self::Automaton(_) => "automaton",
        }
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Packed(packed) => {
                packed.searcher.memory_usage() + packed.prefixes.len() * size_of::<Vec<(u32, usize)>>()
            }
            Self::Automaton(automaton) => automaton.memory_usage(),
        }
    }
}

impl Packed {
    fn build(literals: &[Box<[u8]>]) -> Option<Self> {
        if literals.len() > PACKED_LITERALS || literals.iter().any(|literal| literal.len() < PACKED_SHORTEST) {
            return None;
        }
        let searcher =
            packed::Config::new().match_kind(packed::MatchKind::LeftmostLongest).builder().extend(literals).build()?;
        let prefixes_of = |whole: &[u8]| {
            (0..)
                .zip(literals)
                .filter(|(_, other)| other.len() < whole.len() && whole.starts_with(other))
                .map(|(number, other)| (number, other.len()))
                .collect()
        };
        Some(Self { searcher, prefixes: literals.iter().map(|whole| prefixes_of(whole)).collect() })
    }

    fn occurrences(&self, haystack: &[u8], mut found: impl FnMut(u32, usize) -> bool) {
        let mut from = 0;
        while let Some(longest) = self.searcher.find_in(haystack, (from..haystack.len()).into()) {
            let (number, start) = (longest.pattern().as_u32(), longest.start());
            if !found(number, longest.end()) {
                return;
            }
            for &(prefix, length) in &self.prefixes[number as usize] {
                if !found(prefix, start + length) {
                    return;
                }
            }
            from = start + 1;
        }
    }
}

/// The vector searcher has 64 buckets' worth of literals at most; past that it is slower than the automaton.
const PACKED_LITERALS: usize = 64;

/// Under three bytes a first-bytes compare passes nearly everything.
const PACKED_SHORTEST: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(literals: &[Box<[u8]>], haystack: &[u8]) -> Vec<(u32, usize)> {
        let mut all = Vec::new();
        for (number, literal) in (0..).zip(literals) {
            for (start, window) in haystack.windows(literal.len()).enumerate() {
                if window == &literal[..] {
                    all.push((number, start + literal.len()));
                }
            }
        }
        all.sort_unstable();
        all
    }

    fn all(engine: &Engine, haystack: &[u8]) -> Vec<(u32, usize)> {
        let mut all = Vec::new();
        engine.occurrences(haystack, |number, end| {
            all.push((number, end));
            true
        });
        all.sort_unstable();
        all
    }

    #[test]
    fn few_literals_are_packed_where_the_processor_can() {
        let literals = [Box::from(&b"GET /a"[..]), Box::from(&b"GET /ab"[..])];
        if cfg!(target_arch = "x86_64") && Packed::build(&literals).is_some() {
            assert_eq!(Engine::build(&literals).name(), "packed");
        }
        let many: Vec<Box<[u8]>> = (0..65).map(|n| format!("literal-{n:03}").into_bytes().into()).collect();
        assert_eq!(Engine::build(&many).name(), "automaton");
    }

    #[test]
    fn stops_when_told() {
        for engine in [Engine::build(&[Box::from(&b"aaa"[..])]), Engine::automaton(&[Box::from(&b"aaa"[..])])] {
            let mut count = 0;
            engine.occurrences(&[b'a'; 100], |_, _| {
                count += 1;
                count < 5
            });
            assert_eq!(count, 5);
        }
    }

    proptest! {
        #[test]
        fn every_engine_finds_what_a_scan_finds(
            literals in proptest::collection::btree_set("[ab]{3,6}", 1..20),
            haystack in "[abc]{0,200}",
        ) {
            let literals: Vec<Box<[u8]>> = literals.into_iter().map(|l| l.into_bytes().into()).collect();
            let wanted = naive(&literals, haystack.as_bytes());
            prop_assert_eq!(&all(&Engine::build(&literals), haystack.as_bytes()), &wanted);
            prop_assert_eq!(&all(&Engine::automaton(&literals), haystack.as_bytes()), &wanted);
        }
    }
}
