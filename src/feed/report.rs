//! [`LoadReport`]: what was loaded, merged and refused, by file, line and reason. Never a value.

use std::collections::BTreeMap;

use serde::Serialize;

use super::audit::{ProviderReport, by_name};
use super::files::Found;
use super::finding::{Category, Findings};
use crate::indicator::{IndicatorSet, KINDS, Refusal};

/// What became of every feed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LoadReport {
    /// Sums over the files.
    pub totals: Totals,
    /// One a file, in load order.
    pub files: Vec<FileReport>,
    /// Files below a directory that are no feeds.
    pub skipped: Vec<Skipped>,
    /// What the set holds now.
    pub kinds: Vec<KindCount>,
    /// By provider, the greatest first, up to a cap of 1,000; only after [`audit`](super::audit()).
    pub providers: Vec<ProviderReport>,
    /// Providers beyond the cap.
    pub more_providers: u64,
}

/// Sums over all files.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Totals {
    /// Files read.
    pub files: u64,
    /// Files that could not be read to their end.
    pub broken_files: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Entries that became indicators.
    pub loaded: u64,
    /// Entries that said the same as an earlier one.
    pub merged: u64,
    /// Entries refused.
    pub refused: u64,
    /// Markings that could not be read and count as the strictest.
    pub unreadable_markings: u64,
    /// Sources not kept because their indicator has too many.
    pub dropped_sources: u64,
    /// Findings of each [`Category`] in order.
    #[serde(serialize_with = "by_name")]
    pub findings: [u64; Category::ALL.len()],
}

/// What became of one file.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// Where it lies.
    pub path: String,
    /// What alerts call it.
    pub feed: Box<str>,
    /// Its format, if it has a known one.
    pub format: Option<&'static str>,
    /// What [`RefusedLine::line`] counts: `line`, or `object` where the format has no lines.
    pub unit: &'static str,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of text, decompressed.
    pub text_bytes: u64,
    /// Lines read.
    pub lines: u64,
    /// Entries that became indicators.
    pub loaded: u64,
    /// Entries that said the same as an earlier one.
    pub merged: u64,
    /// Entries refused, by reason.
    pub refused: BTreeMap<Refusal, u64>,
    /// The first refusals, up to a cap of 100, and the first 10 of each reason.
    pub refusals: Vec<RefusedLine>,
    /// What a format has besides indicators, and texts that were left out, by what they are.
    pub passed_over: BTreeMap<&'static str, u64>,
    /// Markings that could not be read and count as the strictest.
    pub unreadable_markings: u64,
    /// What there is to say of entries that loaded; all of it only after [`audit`](super::audit()).
    pub findings: Findings,
    /// Why the rest of the file was not read.
    pub error: Option<String>,
}

/// A refused entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RefusedLine {
    /// 1-based; of what, says [`FileReport::unit`].
    pub line: u32,
    /// Why.
    pub reason: Refusal,
}

/// A file that is no feed.
#[derive(Debug, Clone, Serialize)]
pub struct Skipped {
    /// Where it lies.
    pub path: String,
    /// Why.
    pub reason: &'static str,
}

/// How many indicators there are of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KindCount {
    /// `threat.indicator.type`.
    pub kind: &'static str,
    /// How many.
    pub indicators: u64,
    /// They load, but nothing in this version observes the kind.
    pub inert: bool,
}

impl KindCount {
    /// Of every kind that is in a set.
    pub fn of(set: &IndicatorSet) -> Vec<Self> {
        let counts = KINDS.iter().zip(set.count_by_kind()).filter(|(_, indicators)| *indicators > 0);
        counts.map(|(kind, indicators)| Self { kind: kind.name, indicators, inert: kind.seen_at.is_empty() }).collect()
    }
}

impl LoadReport {
    /// Whether nothing was refused and every file was read to its end.
    pub fn is_clean(&self) -> bool {
        self.totals.refused == 0 && self.totals.broken_files == 0
    }

    /// Sums up.
    pub(super) fn finish(&mut self, set: &IndicatorSet) {
        let mut totals = Totals { dropped_sources: set.dropped_sources(), ..Totals::default() };
        for file in &self.files {
            totals.files += 1;
            totals.broken_files += u64::from(file.error.is_some());
            totals.bytes += file.bytes;
            totals.loaded += file.loaded;
            totals.merged += file.merged;
            totals.refused += file.refused_total();
            totals.unreadable_markings += file.unreadable_markings;
        }
        self.totals = totals;
        self.sum_findings();
        self.kinds = KindCount::of(set);
    }

    /// Sums up the files' findings.
    pub(super) fn sum_findings(&mut self) {
        self.totals.findings = [0; Category::ALL.len()];
        for (_, found) in self.files.iter().flat_map(|file| file.findings.iter()) {
            self.totals.findings[found.category as usize] += found.count;
        }
    }
}

impl FileReport {
    pub(super) fn new(found: &Found) -> Self {
        Self {
            path: found.path.to_string_lossy().into_owned(),
            feed: found.feed.clone(),
            format: None,
            unit: "line",
            bytes: 0,
            text_bytes: 0,
            lines: 0,
            loaded: 0,
            merged: 0,
            refused: BTreeMap::new(),
            refusals: Vec::new(),
            passed_over: BTreeMap::new(),
            unreadable_markings: 0,
            findings: Findings::default(),
            error: None,
        }
    }

    /// Entries refused, for any reason.
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }

    pub(super) fn refuse(&mut self, line: u32, reason: Refusal) {
        let count = self.refused.entry(reason).or_default();
        *count += 1;
        // A reason that is rare among many is not crowded out.
        if self.refusals.len() < MAX_REFUSALS_LISTED || *count <= LEAST_LISTED {
            self.refusals.push(RefusedLine { line, reason });
        }
    }
}

/// Refusals listed by line, a file: enough to see what is wrong with a feed; the rest is counted.
pub(super) const MAX_REFUSALS_LISTED: usize = 100;
const LEAST_LISTED: u64 = 10;
