//! [`Allowed`]: whether an allow-list covers an indicator as a whole, so that whatever it matches is suppressed. An
//! allow-list entry below an indicator (a name below a listed one) is an exception and no contradiction.

use hashbrown::HashMap;

use crate::indicator::kind::url;
use crate::indicator::{Index, Indicator, IndicatorIx, IndicatorSet, Match, Window};

/// See the module.
pub(super) struct Allowed<'a> {
    set: &'a IndicatorSet,
    /// By kind and value; the further ones of an equal value in `next`.
    by_value: HashMap<(u8, &'a [u8]), Vec<IndicatorIx>>,
    /// Which prefix lengths there are networks of.
    lengths: Vec<u8>,
}

impl<'a> Allowed<'a> {
    /// Entries with a condition suppress nothing, and those with a validity of their own not always.
    pub(super) fn of(set: &'a IndicatorSet) -> Self {
        let mut by_value: HashMap<_, Vec<_>> = HashMap::new();
        let mut lengths = Vec::new();
        for entry in set.iter().filter(|entry| entry.when.is_none() && entry.window == Window::ALWAYS) {
            by_value.entry((entry.kind.number(), entry.value)).or_default().push(entry.ix);
            if entry.kind.index == Index::Prefix
                && let (5 | 17, Some(length)) = (entry.value.len(), entry.value.last())
                && !lengths.contains(length)
            {
                lengths.push(*length);
            }
        }
        Self { set, by_value, lengths }
    }

    pub(super) fn covers(&self, indicator: &Indicator<'_>) -> bool {
        if self.by_value.is_empty() {
            return false;
        }
        let value = indicator.value;
        let is_exact = indicator.matching == Match::Exact;
        match indicator.kind.index {
            Index::Exact | Index::Pattern | Index::Rule => self.has(indicator, value, |_| true),
            Index::Suffix => {
                let starts = memchr::memchr_iter(b'.', value).map(|dot| dot + 1);
                self.has(indicator, value, |allow| is_exact || allow.matching != Match::Exact)
                    || starts
                        .into_iter()
                        .any(|start| self.has(indicator, &value[start..], |allow| allow.matching == Match::Subtree))
            }
            Index::Path => {
                self.has(indicator, value, |allow| is_exact || allow.matching != Match::Exact)
                    || url::prefix_boundaries(value)
                        .any(|end| self.has(indicator, &value[..end], |allow| allow.matching == Match::Prefix))
            }
            Index::Prefix => self.has(indicator, value, |_| true) || self.within_network(indicator),
        }
    }

    /// Whether an allowed network that is wider covers it.
    fn within_network(&self, indicator: &Indicator<'_>) -> bool {
        let (octets, own) = match indicator.value {
            [octets @ .., length] if matches!(octets.len(), 4 | 16) => (octets, *length),
            octets => (octets, (octets.len() * 8) as u8),
        };
        let mut key = [0; 17];
        self.lengths.iter().filter(|length| **length < own).any(|&length| {
            for (at, (place, octet)) in key.iter_mut().zip(octets).enumerate() {
                let kept = usize::from(length).saturating_sub(at * 8).min(8);
                *place = octet & !0xff_u8.checked_shr(kept as u32).unwrap_or(0);
            }
            key[octets.len()] = length;
            self.has(indicator, &key[..=octets.len()], |_| true)
        })
    }

    /// Whether an entry of this value, limited by no port or transport that the indicator is not limited to, is `enough`.
    fn has(&self, indicator: &Indicator<'_>, value: &[u8], enough: impl Fn(&Indicator<'_>) -> bool) -> bool {
        let Some(entries) = self.by_value.get(&(indicator.kind.number(), value)) else { return false };
        entries.iter().map(|ix| self.set.get(*ix)).any(|allow| {
            (allow.port.is_none() || allow.port == indicator.port)
                && (allow.transport.is_none() || allow.transport == indicator.transport)
                && enough(&allow)
        })
    }
}
