//! [`Aging`]: a bounded map whose entries leave in the order that they came, oldest first.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;

use crate::time::Timestamp;

/// See the module. The times that entries come with must not go back.
pub(super) struct Aging<K, V> {
    entries: HashMap<K, V, foldhash::fast::RandomState>,
    /// Every key once, with when it came.
    order: VecDeque<(Timestamp, K)>,
    max: usize,
}

impl<K: Copy + Eq + Hash, V> Aging<K, V> {
    /// For `max` entries, one at least.
    pub(super) fn new(max: usize) -> Self {
        Self { entries: HashMap::default(), order: VecDeque::new(), max: max.max(1) }
    }

    /// Bytes that `max` entries take; both tables double when they are full.
    pub(super) fn bytes_for(max: usize) -> usize {
        max.next_power_of_two() * 2 * (size_of::<(K, V)>() + 1) + max.next_power_of_two() * size_of::<(Timestamp, K)>()
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Adds a key that is not there. If there is no room, the oldest entry leaves for it.
    pub(super) fn insert(&mut self, key: K, value: V, now: Timestamp) -> Option<(K, V)> {
        let gone = if self.entries.len() >= self.max { self.leave(Timestamp::MAX) } else { None };
        self.entries.insert(key, value);
        self.order.push_back((now, key));
        gone
    }

    /// The oldest entry, if it came at `until` or before.
    pub(super) fn leave(&mut self, until: Timestamp) -> Option<(K, V)> {
        let &(came, key) = self.order.front()?;
        if came > until {
            return None;
        }
        self.order.pop_front();
        self.entries.remove_entry(&key)
    }

    /// Every value, oldest first.
    pub(super) fn each(&mut self, mut see: impl FnMut(&mut V)) {
        let Self { entries, order, .. } = self;
        order.iter().for_each(|(_, key)| entries.get_mut(key).into_iter().for_each(&mut see));
    }
}
