//! Compiles the byte signatures of a set into groups of literals.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Engine, Group, Patterns, ScanScratch};
use crate::indicator::{Index, Indicator, IndicatorIx, IndicatorSet, Transport};

impl Patterns {
    /// Compiles every byte signature of `set`.
    pub(in super::super) fn build(set: &IndicatorSet) -> Self {
        static SETS: AtomicU64 = AtomicU64::new(1);
        let ours: Vec<Indicator<'_>> = set.of_index(Index::Pattern).filter(|i| !i.value.is_empty()).collect();
        let mut patterns =
            Self { groups: Vec::new(), of: [None; 2], len: ours.len(), id: SETS.fetch_add(1, Ordering::Relaxed) };
        let one_for_all = ours.iter().all(|i| i.transport.is_none());
        for transport in [Transport::Tcp, Transport::Udp] {
            let applies = |i: &&Indicator<'_>| i.transport.is_none() || i.transport == Some(transport);
            patterns.of[transport as usize] = match patterns.groups.len() {
                1 if one_for_all => Some(0),
                next => Group::build(ours.iter().filter(applies)).map(|group| {
                    patterns.groups.push(group);
                    next
                }),
            };
        }
        patterns
    }
}

impl Group {
    fn build<'i>(signatures: impl Iterator<Item = &'i Indicator<'i>> + Clone) -> Option<Self> {
        let folded = signatures.clone().any(|i| i.pattern.nocase);
        let mut numbers: HashMap<Box<[u8]>, u32> = HashMap::new();
        let mut literals: Vec<Box<[u8]>> = Vec::new();
        let mut pairs: Vec<(u32, IndicatorIx)> = Vec::new();
        let (mut reach, mut anywhere, mut run_margin) = (0, false, Some(0));
        for signature in signatures {
            let mut literal: Box<[u8]> = signature.value[..signature.value.len().min(LITERAL_BYTES)].into();
            if folded {
                literal.make_ascii_lowercase();
            }
            let next = literals.len() as u32;
            let number = *numbers.entry(literal).or_insert_with_key(|literal| {
                literals.push(literal.clone());
                next
            });
            pairs.push((number, signature.ix));
            reach = reach.max(reach_of(signature));
            run_margin = match is_late_run(signature) {
                true => None,
                false => run_margin.map(|margin: usize| margin.max(signature.value.len())),
            };
            anywhere |= signature.pattern.offset.is_none() && signature.pattern.depth.is_none();
        }
        let longest = literals.iter().map(|literal| literal.len()).max()?;
        pairs.sort_unstable();
        let rules_of = (0..=literals.len() as u32).map(|n| pairs.partition_point(|pair| pair.0 < n) as u32).collect();
        Some(Self {
            engine: Engine::build(&literals),
            lengths: literals.iter().map(|literal| literal.len() as u8).collect(),
            rules_of,
            rules: pairs.into_iter().map(|pair| pair.1).collect(),
            folded,
            longest,
            run_margin,
            reach,
            anywhere,
        })
    }

    /// Numbers of the rules of a literal.
    #[inline]
    pub(super) fn rules_of(&self, literal: u32) -> std::ops::Range<usize> {
        let literal = literal as usize;
        self.rules_of[literal] as usize..self.rules_of[literal + 1] as usize
    }

    /// Length of a literal.
    #[inline]
    pub(super) fn literal_bytes(&self, literal: u32) -> usize {
        usize::from(self.lengths[literal as usize])
    }
}

impl ScanScratch {
    /// Large enough for any call on `patterns`.
    pub(in super::super) fn for_patterns(patterns: &Patterns) -> Self {
        let most = |count: fn(&Group) -> usize| patterns.groups.iter().map(count).max().unwrap_or(0);
        Self {
            rule_settled: vec![0; most(|group| group.rules.len())],
            literal_settled: vec![0; most(|group| group.lengths.len())],
            joined: Vec::with_capacity(if patterns.is_empty() { 0 } else { RUN_BYTES }),
            folded: Vec::with_capacity(if patterns.is_empty() { 0 } else { RUN_BYTES }),
            call: 0,
        }
    }
}

/// The position beyond which no match of it ends.
fn reach_of(signature: &Indicator<'_>) -> u64 {
    match signature.pattern.depth {
        Some(depth) => u64::from(signature.pattern.offset.unwrap_or(0)) + u64::from(depth),
        None => u64::MAX,
    }
}

/// Whether it is one byte over and over and the first occurrence in a run may not be the one that counts.
fn is_late_run(signature: &Indicator<'_>) -> bool {
    signature.pattern.offset.is_some() && signature.value.windows(2).all(|pair| pair[0].eq_ignore_ascii_case(&pair[1]))
}

/// Longest literal given to the engine; of a longer signature its start, and the rest is compared as it comes. It bounds
/// what a direction of a flow remembers. Public signatures stay below it.
const LITERAL_BYTES: usize = 128;

/// A run of payload as large as any packet.
const RUN_BYTES: usize = 64 * 1024;
