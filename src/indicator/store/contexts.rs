//! [`Contexts`]: everything that feeds say about entries besides their values, each said once.
//!
//! What entries have in common (feed, provider, marking, confidence, severity) is kept apart and few times; what an entry says of its
//! own is one run of characters among all. So a feed of millions of remarks costs their text and 12 bytes each.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::NONE;
use crate::indicator::context::{push_number, push_text, take_number, take_text};
use crate::indicator::{About, Context, ContextIx, ContextRef, Where};

/// See the module.
#[derive(Default)]
pub(super) struct Contexts {
    common: Vec<Context>,
    /// The hash and number of each.
    common_index: HashTable<(u64, u32)>,
    /// The paths of [`ContextRef::about`], of which there are few.
    paths: Vec<Where>,
    texts: String,
    kept: Vec<Kept>,
    index: HashTable<Slot>,
    hasher: RandomState,
    /// Where what is said of its own is put together.
    scratch: String,
    /// The common part of the context before: neighbours mostly have the same.
    last_common: u32,
}

/// A context: its common part, and the rest in [`Contexts::texts`].
#[derive(Clone, Copy)]
struct Kept {
    common: u32,
    at: u32,
    bytes: u32,
}

/// Half a hash, and a context's number.
#[derive(Clone, Copy)]
struct Slot {
    tag: u32,
    ix: u32,
}

impl Contexts {
    /// The number of this context, or `None` if there is no room.
    pub(super) fn keep(&mut self, context: &ContextRef<'_>) -> Option<ContextIx> {
        let common = self.common_of(context)?;
        self.scratch.clear();
        self.pack(context);
        let mut hasher = self.hasher.build_hasher();
        hasher.write(self.scratch.as_bytes());
        hasher.write_u32(common);
        let tag = (hasher.finish() >> 32) as u32;
        let Self { kept, texts, scratch, index, .. } = self;
        let same = |slot: &Slot| {
            let other = kept[slot.ix as usize];
            slot.tag == tag && other.common == common && own(texts, other) == scratch.as_str()
        };
        match index.entry(spread(tag), same, |slot| spread(slot.tag)) {
            Entry::Occupied(known) => Some(ContextIx(known.get().ix)),
            Entry::Vacant(free) => {
                let ix = u32::try_from(kept.len()).ok().filter(|ix| *ix != NONE)?;
                let at = u32::try_from(texts.len()).ok()?;
                free.insert(Slot { tag, ix });
                kept.push(Kept { common, at, bytes: scratch.len() as u32 });
                texts.push_str(scratch);
                Some(ContextIx(ix))
            }
        }
    }

    fn common_of(&mut self, context: &ContextRef<'_>) -> Option<u32> {
        let is = |known: &Context| {
            *known.feed == *context.feed
                && known.provider.as_deref() == context.provider
                && known.confidence.as_deref() == context.confidence
                && known.severity == context.severity
                && known.marking == *context.marking
        };
        if self.common.get(self.last_common as usize).is_some_and(is) {
            return Some(self.last_common);
        }
        let mut hasher = self.hasher.build_hasher();
        context.hash_common(&mut hasher);
        let hash = hasher.finish();
        let Self { common, common_index, last_common, .. } = self;
        *last_common =
            match common_index.entry(hash, |known| known.0 == hash && is(&common[known.1 as usize]), |known| known.0) {
                Entry::Occupied(known) => known.get().1,
                Entry::Vacant(free) => {
                    let ix = u32::try_from(common.len()).ok()?;
                    free.insert((hash, ix));
                    let about = About::NONE;
                    let bare = ContextRef { reference: None, description: None, first_seen: None, about, ..*context };
                    common.push(bare.to_context());
                    ix
                }
            };
        Some(*last_common)
    }

    /// Puts into `scratch` what a context says of its own: which texts there are, the texts, and what it is about.
    fn pack(&mut self, context: &ContextRef<'_>) {
        let Self { scratch: out, paths, .. } = self;
        let texts = [context.reference, context.description, context.first_seen];
        let has: usize = texts.iter().zip([1, 2, 4]).filter(|(text, _)| text.is_some()).map(|(_, bit)| bit).sum();
        let mut about = context.about.iter().peekable();
        if has == 0 && about.peek().is_none() {
            return;
        }
        push_number(out, has);
        texts.into_iter().flatten().for_each(|text| push_text(out, text));
        for (path, text) in about {
            let place = paths.iter().position(|known| *known == path).unwrap_or_else(|| {
                paths.push(path);
                paths.len() - 1
            });
            push_number(out, place);
            push_text(out, text);
        }
    }

    /// The context of this number.
    pub(super) fn get(&self, ContextIx(ix): ContextIx) -> ContextRef<'_> {
        let kept = self.kept[ix as usize];
        let common = self.common[kept.common as usize].as_ref();
        let mut texts = own(&self.texts, kept);
        let has = take_number(&mut texts).unwrap_or(0);
        let mut text = |bit| (has & bit != 0).then(|| take_text(&mut texts)).flatten();
        let (reference, description, first_seen) = (text(1), text(2), text(4));
        ContextRef { reference, description, first_seen, about: About::packed(&self.paths, texts), ..common }
    }

    /// What this one has in common with others, without what it says of its own.
    pub(super) fn common(&self, ContextIx(ix): ContextIx) -> ContextRef<'_> {
        self.common[self.kept[ix as usize].common as usize].as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ContextRef<'_>> {
        (0..self.kept.len() as u32).map(|ix| self.get(ContextIx(ix)))
    }

    /// Every common part.
    pub(super) fn commons(&self) -> impl Iterator<Item = ContextRef<'_>> {
        self.common.iter().map(Context::as_ref)
    }

    /// Frees what no further one needs.
    pub(super) fn seal(&mut self) {
        (self.index, self.common_index, self.scratch) = (HashTable::new(), HashTable::new(), String::new());
        self.kept.shrink_to_fit();
        self.texts.shrink_to_fit();
    }

    /// Bytes on the heap, without the texts of common parts.
    pub(super) fn memory_bytes(&self) -> usize {
        self.texts.capacity() + self.kept.capacity() * size_of::<Kept>() + self.common.capacity() * size_of::<Context>()
    }
}

fn own(texts: &str, kept: Kept) -> &str {
    &texts[kept.at as usize..][..kept.bytes as usize]
}

/// A whole hash of half of one: the table wants good bits at both ends.
fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::marking::{Marking, Tlp};

    proptest! {
        /// What is kept is what was given, and equal contexts have one number.
        #[test]
        fn contexts_are_kept_once_and_as_they_are(
            given in prop::collection::vec((
                "[ab]{1,2}", prop::option::of("[p-q]"), prop::option::of("H|L"), prop::option::of(0u8..3),
                prop::option::of("[r\u{e9}]{0,3}|x{300}|y{3000}"), prop::option::of("d{0,2}"), prop::option::of("2024"),
                prop::collection::vec(("tags|rule\\.name|threat\\.group\\.name", "[t\u{1f600}]{0,2}"), 0..4)), 0..60),
        ) {
            let mut contexts = Contexts::default();
            let mut numbers: Vec<(Context, ContextIx)> = Vec::new();
            for (feed, provider, confidence, severity, reference, description, first_seen, about) in given {
                let path = |path: &str| Where(["tags", "rule.name", "threat.group.name"].into_iter().find(|known| *known == path).expect("known"));
                let context = Context {
                    marking: Marking { tlp: severity.map(|_| Tlp::Green), ..Marking::default() },
                    feed: feed.into(), provider: provider.map(Into::into), confidence: confidence.map(Into::into), severity,
                    reference: reference.map(Into::into), description: description.map(Into::into),
                    first_seen: first_seen.map(Into::into),
                    about: about.iter().map(|(at, text)| (path(at), text.as_str().into())).collect(),
                };
                let ix = contexts.keep(&context.as_ref()).expect("room");
                let known = numbers.iter().find(|(known, _)| *known == context).map(|(_, ix)| *ix);
                prop_assert_eq!(known.unwrap_or(ContextIx(numbers.len() as u32)), ix);
                if known.is_none() {
                    numbers.push((context, ix));
                }
            }
            contexts.seal();
            for (context, ix) in &numbers {
                prop_assert!(contexts.get(*ix).to_context() == *context && contexts.get(*ix) == context.as_ref());
                prop_assert_eq!(contexts.common(*ix).marking, &context.marking);
            }
            prop_assert_eq!(contexts.iter().count(), numbers.len());
        }
    }
}
