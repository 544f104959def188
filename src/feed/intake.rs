//! [`Intake`]: what a format reader hands its entries to. It adds, counts and refuses; readers know neither set nor report.

use std::path::Path;

use super::declared::Declared;
use super::finding::Finding;
use super::report::FileReport;
use super::stix::Newest;
use super::{Options, Purpose};
use crate::indicator::kind::URL;
use crate::indicator::{About, Added, ContextIx, ContextRef, Draft, IndicatorSet, Refusal, Settled, Where};
use crate::marking::{Clearance, Marking};

/// See the module.
pub(super) struct Intake<'a> {
    set: &'a mut IndicatorSet,
    report: &'a mut FileReport,
    force: bool,
    purpose: Purpose,
    declared: Declared,
    newest: &'a Newest,
    /// Where the feed lies.
    folder: Option<&'a Path>,
    /// What the sensor may hold; `None` for everything.
    clearance: Option<&'a Clearance>,
    /// The context of the entry before: neighbours mostly say the same, or much of it.
    last: Option<ContextIx>,
    /// The marking of the entry refused last, and why.
    last_refused: Option<(Marking, Refusal)>,
}

/// What an entry says besides its value, borrowed from its line. Over-long texts are cut to [`MAX_TEXT_BYTES`].
#[derive(Clone, Default)]
pub(super) struct Meta<'a> {
    pub(super) provider: Option<&'a str>,
    pub(super) marking: Marking,
    pub(super) confidence: Option<&'a str>,
    pub(super) severity: Option<u8>,
    pub(super) reference: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) first_seen: Option<&'a str>,
    /// See [`crate::indicator::Context::about`]; of more than [`MAX_ABOUT`] the first are kept.
    pub(super) about: &'a [(Where, &'a str)],
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        set: &'a mut IndicatorSet,
        options: &'a Options,
        newest: &'a Newest,
        report: &'a mut FileReport,
    ) -> Self {
        Self {
            set,
            report,
            force: options.force,
            purpose: Purpose::Detect,
            declared: Declared::default(),
            newest,
            folder: None,
            clearance: options.clearance.as_deref(),
            last: None,
            last_refused: None,
        }
    }

    pub(super) fn for_purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// Whether the entries are what raises no alert.
    pub(super) fn is_allow_list(&self) -> bool {
        self.purpose == Purpose::Allow
    }

    /// For entries of which this was said beside the feed.
    pub(super) fn with(mut self, declared: Declared) -> Self {
        self.declared = declared;
        self
    }

    /// For a feed that lies in this folder.
    pub(super) fn within(mut self, folder: Option<&'a Path>) -> Self {
        self.folder = folder;
        self
    }

    /// Where the feed lies.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder
    }

    /// What was said beside the feed.
    pub(super) fn declared(&self) -> Declared {
        self.declared.clone()
    }

    /// The newest versions in all files of the load.
    pub(super) fn newest(&self) -> &'a Newest {
        self.newest
    }

    /// What alerts call the feed.
    pub(super) fn feed(&self) -> &str {
        &self.report.feed
    }

    /// The number of what `meta` says about this feed's entries. The gate of loading: without a number nothing can be
    /// added.
    ///
    /// # Errors
    /// Why the sensor may not hold what is marked so; nothing of it is kept.
    pub(super) fn context(&mut self, meta: &Meta<'_>) -> Result<ContextIx, Refusal> {
        if let Some(last) = self.last
            && meta.is(&self.set.context_at(last))
        {
            return Ok(last);
        }
        self.may_hold(&meta.marking)?;
        let about: Vec<(Where, &str)> = meta.about().collect();
        let ix = self.set.keep_context(&ContextRef {
            feed: &self.report.feed,
            provider: meta.provider.map(cut),
            marking: &meta.marking,
            confidence: meta.confidence.map(cut),
            severity: meta.severity,
            reference: meta.reference.map(cut),
            description: meta.description.map(cut),
            first_seen: meta.first_seen.map(cut),
            about: About::of(&about),
        })?;
        self.last = Some(ix);
        Ok(ix)
    }

    fn may_hold(&mut self, marking: &Marking) -> Result<(), Refusal> {
        let Some(clearance) = self.clearance else { return Ok(()) };
        if let Some((last, reason)) = &self.last_refused
            && last == marking
        {
            return Err(*reason);
        }
        let decision = clearance.may_hold(marking);
        if decision.allowed {
            return Ok(());
        }
        let reason = Refusal::NotCleared(decision.rule);
        self.last_refused = Some((marking.clone(), reason));
        Err(reason)
    }

    /// Adds an entry, or counts why not. What became of it may be counted later, at the latest when this is dropped.
    pub(super) fn add(&mut self, draft: &Draft<'_>) {
        // A URL's scheme is not part of what is kept: this is the only place that knows it.
        let is_https =
            draft.kind == &URL && draft.value.get(..HTTPS.len()).is_some_and(|s| s.eq_ignore_ascii_case(HTTPS));
        let note = if is_https { TLS_URL } else { 0 };
        if draft.when.is_some() || draft.rule.is_some() {
            self.settle();
            let (added, note) = match self.set.add(draft, false) {
                Err(refusal) if self.force && refusal.is_dangerous() => (self.set.add(draft, true), note | FORCED),
                added => (added, note),
            };
            told(self.report, self.set, Settled { line: draft.line, note, added });
            return;
        }
        let staged = match self.set.stage(draft, false, note) {
            Err(refusal) if self.force && refusal.is_dangerous() => self.set.stage(draft, true, note | FORCED),
            staged => staged,
        };
        match staged {
            Ok(true) => self.settle(),
            Ok(false) => {}
            Err(reason) => self.report.refuse(draft.line, reason),
        }
    }

    fn settle(&mut self) {
        let Self { set, report, .. } = self;
        set.settle(|set, settled| told(report, set, settled));
    }

    /// Counts an entry that cannot be added.
    pub(super) fn refuse(&mut self, line: u32, reason: Refusal) {
        self.report.refuse(line, reason);
    }

    /// Counts an entry that no indicator is to be made of; the word says what it is and is never from the feed.
    pub(super) fn pass_over(&mut self, what: &'static str) {
        *self.report.passed_over.entry(what).or_default() += 1;
    }

    /// Counts a marking that could not be read and was taken as the strictest.
    pub(super) fn unreadable_marking(&mut self) {
        self.report.unreadable_markings += 1;
    }
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Counts what became of an entry.
fn told(report: &mut FileReport, set: &IndicatorSet, settled: Settled) {
    let Settled { line, note, added } = settled;
    let mut find = |finding, ix| report.findings.add(finding, line, || set.get(ix).id().into_owned());
    let (Added::New(ix) | Added::Merged(ix)) = match added {
        Ok(added) => added,
        Err(reason) => return report.refuse(line, reason),
    };
    if note & FORCED != 0 {
        find(Finding::Forced, ix);
    }
    if note & TLS_URL != 0 {
        find(Finding::TlsUrl, ix);
    }
    if matches!(added, Ok(Added::New(_))) {
        report.loaded += 1;
        return;
    }
    let within = set.common_sources(ix).any(|(context, other)| *context.feed == *report.feed && other != line);
    find(if within { Finding::DuplicateWithin } else { Finding::DuplicateAcross }, ix);
    report.merged += 1;
}

impl Meta<'_> {
    fn is(&self, context: &ContextRef<'_>) -> bool {
        let same = |ours: Option<&str>, kept: Option<&str>| ours.map(cut) == kept;
        same(self.reference, context.reference)
            && same(self.description, context.description)
            && same(self.first_seen, context.first_seen)
            && same(self.provider, context.provider)
            && same(self.confidence, context.confidence)
            && self.severity == context.severity
            && self.marking == *context.marking
            && self.about().eq(context.about.iter())
    }

    fn about(&self) -> impl Iterator<Item = (Where, &str)> {
        self.about.iter().take(MAX_ABOUT).map(|(path, text)| (*path, cut(text)))
    }
}

fn cut(text: &str) -> &str {
    if text.len() <= MAX_TEXT_BYTES {
        return text;
    }
    let end = (0..=text.len().min(MAX_TEXT_BYTES)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

const HTTPS: &[u8] = b"https://";

/// Notes of a staged entry.
const FORCED: u8 = 1;
const TLS_URL: u8 = 2;

/// Longest provider, reference, description, ... kept: every alert repeats them.
const MAX_TEXT_BYTES: usize = 1024;
/// Most names and tags kept of an entry.
const MAX_ABOUT: usize = 32;
