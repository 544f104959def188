//! [`Context`]: what a feed says about an entry besides its value, as [`Context`] owns it and as [`ContextRef`] borrows it from a line
//! or a set.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Where;
use crate::marking::Marking;

/// See the module. Shared by all entries that say the same.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Context {
    /// The feed file, as given on the command line or below the given directory.
    pub feed: Arc<str>,
    /// `threat.indicator.provider`.
    pub provider: Option<Arc<str>>,
    /// Handling.
    pub marking: Marking,
    /// `threat.indicator.confidence`, as the schema's words.
    pub confidence: Option<Arc<str>>,
    /// 0 to 100.
    pub severity: Option<u8>,
    /// `threat.indicator.reference`.
    pub reference: Option<Box<str>>,
    /// `threat.indicator.description`. May quote the value: handled like the value.
    pub description: Option<Box<str>>,
    /// `threat.indicator.first_seen`, RFC 3339 as written.
    pub first_seen: Option<Box<str>>,
    /// What else it says, as Elastic Common Schema paths: whom or what it indicates (`threat.group.name`,
    /// `threat.software.name`, `threat.technique.id`, `threat.tactic.name`), `rule.name`, `tags`. May quote the value: handled like
    /// the value. A path may come several times.
    pub about: Box<[(Where, Box<str>)]>,
}

/// A [`Context`], borrowed: the fields are the same.
#[derive(Clone, Copy, PartialEq)]
pub struct ContextRef<'a> {
    /// [`Context::feed`]
    pub feed: &'a str,
    /// [`Context::provider`]
    pub provider: Option<&'a str>,
    /// [`Context::marking`]
    pub marking: &'a Marking,
    /// [`Context::confidence`]
    pub confidence: Option<&'a str>,
    /// [`Context::severity`]
    pub severity: Option<u8>,
    /// [`Context::reference`]
    pub reference: Option<&'a str>,
    /// [`Context::description`]
    pub description: Option<&'a str>,
    /// [`Context::first_seen`]
    pub first_seen: Option<&'a str>,
    /// [`Context::about`]
    pub about: About<'a>,
}

/// [`Context::about`], borrowed.
#[derive(Clone, Copy)]
pub struct About<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    /// As a reader of feeds has it.
    Lent(&'a [(Where, &'a str)]),
    /// As an owner does.
    Owned(&'a [(Where, Box<str>)]),
    /// As a set keeps it: for each text the place of its path in `paths`, and the text, written by [`push_text`].
    Packed { paths: &'a [Where], texts: &'a str },
}

impl<'a> About<'a> {
    /// Nothing.
    pub const NONE: Self = Self(Form::Lent(&[]));

    /// Of a list.
    pub fn of(list: &'a [(Where, &'a str)]) -> Self {
        Self(Form::Lent(list))
    }

    pub(super) fn packed(paths: &'a [Where], texts: &'a str) -> Self {
        Self(Form::Packed { paths, texts })
    }

    /// Each path and text, in the order they came.
    pub fn iter(self) -> impl Iterator<Item = (Where, &'a str)> {
        let (mut lent, mut owned, mut packed) = (&[][..], &[][..], (&[][..], ""));
        match self.0 {
            Form::Lent(list) => lent = list,
            Form::Owned(list) => owned = list,
            Form::Packed { paths, texts } => packed = (paths, texts),
        }
        let (paths, mut texts) = packed;
        let unpacked = std::iter::from_fn(move || {
            let path = take_number(&mut texts)?;
            Some((*paths.get(path)?, take_text(&mut texts)?))
        });
        lent.iter().copied().chain(owned.iter().map(|(path, text)| (*path, &**text))).chain(unpacked)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }
}

impl PartialEq for About<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Appends a number as a character, so that texts and numbers are one text. Larger ones than [`MAX_PACKED`] become that.
pub(super) fn push_number(out: &mut String, number: usize) {
    out.push(char::from_u32(number.min(MAX_PACKED) as u32).unwrap_or_default());
}

/// Appends a text behind its length; what is longer than [`MAX_PACKED`] bytes is cut.
pub(super) fn push_text(out: &mut String, text: &str) {
    let end = (0..=text.len().min(MAX_PACKED)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    push_number(out, end);
    out.push_str(&text[..end]);
}

/// What [`push_number`] wrote.
pub(super) fn take_number(texts: &mut &str) -> Option<usize> {
    let mut chars = texts.chars();
    let number = chars.next()?;
    *texts = chars.as_str();
    Some(number as usize)
}

/// What [`push_text`] wrote.
pub(super) fn take_text<'a>(texts: &mut &'a str) -> Option<&'a str> {
    let length = take_number(texts)?;
    let (text, rest) = texts.split_at_checked(length)?;
    *texts = rest;
    Some(text)
}

impl Context {
    /// Borrows it.
    pub fn as_ref(&self) -> ContextRef<'_> {
        ContextRef {
            feed: &self.feed,
            provider: self.provider.as_deref(),
            marking: &self.marking,
            confidence: self.confidence.as_deref(),
            severity: self.severity,
            reference: self.reference.as_deref(),
            description: self.description.as_deref(),
            first_seen: self.first_seen.as_deref(),
            about: About(Form::Owned(&self.about)),
        }
    }
}

impl Default for ContextRef<'_> {
    fn default() -> Self {
        static UNMARKED: Marking = Marking { tlp: None, pap: None, classification: None, further: None };
        Self {
            feed: "",
            provider: None,
            marking: &UNMARKED,
            confidence: None,
            severity: None,
            reference: None,
            description: None,
            first_seen: None,
            about: About::NONE,
        }
    }
}

impl ContextRef<'_> {
    /// A copy that borrows nothing.
    pub fn to_context(self) -> Context {
        Context {
            feed: self.feed.into(),
            provider: self.provider.map(Arc::from),
            marking: self.marking.clone(),
            confidence: self.confidence.map(Arc::from),
            severity: self.severity,
            reference: self.reference.map(Box::from),
            description: self.description.map(Box::from),
            first_seen: self.first_seen.map(Box::from),
            about: self.about.iter().map(|(path, text)| (path, text.into())).collect(),
        }
    }

    /// What many entries have in common, for a hash.
    pub(super) fn hash_common(&self, hasher: &mut impl Hasher) {
        (self.feed, self.provider, self.marking, self.confidence, self.severity).hash(hasher);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("feed", &self.feed).finish_non_exhaustive()
    }
}

impl fmt::Debug for ContextRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("feed", &self.feed).finish_non_exhaustive()
    }
}

crate::bytes::opaque_debug!(About<'_>, "About");

/// Numbers below this are characters. Readers of feeds cut every text far below.
const MAX_PACKED: usize = 0xd7ff;
