//! Entries that are in normal form and wait for the index of duplicates: [`IndicatorSet::stage`] and [`IndicatorSet::settle`].
//!
//! Asking the index costs a memory miss an entry. A batch of entries asks for all its lines first, so that the misses overlap.

use super::extra::Extra;
use super::twins::BATCH;
use super::{Added, IndicatorSet, Record, hash_of, normalised};
use crate::indicator::{Draft, Pattern, Refusal, Window};

/// What became of a staged entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Its line.
    pub line: u32,
    /// As given to [`IndicatorSet::stage`].
    pub note: u8,
    /// As [`IndicatorSet::add`] says it.
    pub added: Result<Added, Refusal>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Staging {
    values: Vec<u8>,
    ids: String,
    entries: Vec<Staged>,
}

struct Staged {
    /// With the place of its value among the staged ones.
    record: Record,
    hash: u64,
    window: Window,
    pattern: Pattern,
    id_at: usize,
    id_bytes: Option<usize>,
    note: u8,
}

impl Staging {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl IndicatorSet {
    /// Normalises one entry that is to be kept at the next [`Self::settle`]; `note` comes back then. True if that is due. An entry
    /// with a condition or a rule is for [`Self::add`].
    ///
    /// # Errors
    /// The reason why it will not be kept.
    pub fn stage(&mut self, draft: &Draft<'_>, force: bool, note: u8) -> Result<bool, Refusal> {
        debug_assert!(draft.when.is_none() && draft.rule.is_none(), "it has what is not staged");
        let Staging { values, ids, entries } = &mut self.staging;
        let start = values.len();
        let mut record = match normalised(draft, force, values) {
            Ok(record) => record,
            Err(refusal) => {
                values.truncate(start);
                return Err(refusal);
            }
        };
        // A batch of the longest values is far below what the number can say.
        record.value_at = start as u32;
        let extra = Extra::of(draft);
        let hash = hash_of(&self.hasher, &values[start..], &record, &extra);
        self.twins.prefetch(hash);
        let id_at = ids.len();
        ids.push_str(extra.id.unwrap_or_default());
        let Extra { id, window, pattern, .. } = extra;
        entries.push(Staged { record, hash, window, pattern, id_at, id_bytes: id.map(str::len), note });
        Ok(entries.len() >= BATCH)
    }

    /// Keeps what is staged, and says of each entry, in order, what became of it.
    pub fn settle(&mut self, mut each: impl FnMut(&Self, Settled)) {
        let mut staging = std::mem::take(&mut self.staging);
        for entry in &staging.entries {
            let Staged { record, hash, window, pattern, id_at, id_bytes, note } = *entry;
            let value = &staging.values[record.value_at as usize..][..usize::from(record.value_bytes)];
            let id = id_bytes.map(|bytes| &staging.ids[id_at..][..bytes]);
            let extra = Extra { id, window, pattern, ..Extra::NONE };
            let added = self.commit(value, record, hash, &extra);
            each(self, Settled { line: record.line, note, added });
        }
        staging.entries.clear();
        staging.values.clear();
        staging.ids.clear();
        self.staging = staging;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::indicator::Context;
    use crate::indicator::kind::DOMAIN;

    type Kept = Vec<(Vec<u8>, Option<String>, Vec<u32>)>;

    fn kept(set: &IndicatorSet) -> Kept {
        let sources = |ix| set.sources(ix).map(|(_, line)| line).collect();
        set.iter().map(|one| (one.value.to_vec(), one.given_id().map(str::to_owned), sources(one.ix))).collect()
    }

    proptest! {
        /// Entries that are staged in batches of any size become what they become one by one.
        #[test]
        fn staged_or_not_is_the_same(
            entries in prop::collection::vec(("[ab]{1,2}\\.example|a b|com", prop::option::of("[x-z]")), 0..120),
            every in 1usize..40,
        ) {
            let (mut one, mut batch) = (IndicatorSet::default(), IndicatorSet::default());
            let (mut said, mut said_later) = (Vec::new(), Vec::new());
            for (at, (name, id)) in entries.iter().enumerate() {
                let context = one.context(Context { severity: Some(at as u8 % 3), ..Context::default() });
                batch.context(Context { severity: Some(at as u8 % 3), ..Context::default() });
                let draft = Draft { id: id.as_deref(), ..Draft::new(&DOMAIN, name.as_bytes(), context, at as u32) };
                said.push((at as u32, one.add(&draft, false)));
                match batch.stage(&draft, false, at as u8) {
                    Err(refusal) => said_later.push((at as u32, Err(refusal))),
                    Ok(due) if due || at % every == 0 => batch.settle(|_, settled| {
                        assert_eq!(settled.note, settled.line as u8);
                        said_later.push((settled.line, settled.added));
                    }),
                    Ok(_) => {}
                }
            }
            batch.settle(|_, settled| said_later.push((settled.line, settled.added)));
            said_later.sort_by_key(|(line, _)| *line);
            prop_assert_eq!(said, said_later);
            prop_assert_eq!(kept(&one), kept(&batch));
        }
    }
}
