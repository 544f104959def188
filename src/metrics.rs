//! Counters: plain numbers that one worker owns and the summary adds up. Nothing is shared and nothing is atomic on the
//! packet path.

use std::collections::BTreeMap;
use std::hash::Hash;

use hashbrown::HashMap;

/// Counts by reason. The reasons are few (they come from code and from 16-bit protocol numbers), so it is bounded.
#[derive(Debug, Clone)]
pub struct Tally<K> {
    counts: HashMap<K, u64, foldhash::fast::RandomState>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self { counts: HashMap::default() }
    }
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// Counts one.
    pub fn count(&mut self, key: K) {
        self.add(key, 1);
    }

    /// Counts several.
    pub fn add(&mut self, key: K, count: u64) {
        *self.counts.entry(key).or_default() += count;
    }

    /// Whether the key was ever counted.
    pub fn contains(&self, key: &K) -> bool {
        self.counts.contains_key(key)
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            self.add(key.clone(), *count);
        }
    }

    /// The counts in the order of the keys.
    pub fn sorted(&self) -> BTreeMap<&K, u64>
    where
        K: Ord,
    {
        self.counts.iter().map(|(key, &count)| (key, count)).collect()
    }

    /// Each key and its count, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, &count)| (key, count))
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let mut a = Tally::default();
        a.count("x");
        a.add("y", 2);
        let mut b = Tally::default();
        b.count("y");
        a.merge(&b);
        assert_eq!(a.sorted().into_iter().collect::<Vec<_>>(), [(&"x", 1), (&"y", 3)]);
        assert_eq!((a.total(), a.len(), a.is_empty()), (4, 2, false));
        assert!(a.contains(&"x") && !a.contains(&"z"));
    }
}
