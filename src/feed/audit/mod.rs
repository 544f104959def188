//! [`audit`]: what a load report says beyond what was refused: which indicators this sensor can never match, which would
//! match everybody, which are not valid at a time, and which the allow-list takes back. It looks at a loaded set only and
//! changes nothing in it.

mod allowed;
mod common;
mod reader;

use hashbrown::HashMap;
use serde::Serialize;

use super::finding::{Category, Finding};
use super::report::LoadReport;
use crate::indicator::{ContextRef, Digest, Index, Indicator, IndicatorSet};
use crate::marking::Marking;
use crate::time::Timestamp;

use allowed::Allowed;
use common::Common;

pub use reader::withhold;

/// What a provider's entries are like. One that two providers name counts for both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProviderReport {
    /// `None`: nobody was named.
    pub provider: Option<String>,
    /// Sources of indicators that name it.
    pub entries: u64,
    /// Findings of each [`Category`] in order; duplicates are not counted by provider.
    #[serde(serialize_with = "by_name")]
    pub findings: [u64; Category::ALL.len()],
}

/// Looks at every indicator of `set`, of which `report` is the load report, and adds what it finds to it: validity is judged
/// at `at`, contradictions against `allow`.
pub fn audit(set: &IndicatorSet, allow: &IndicatorSet, at: Timestamp, report: &mut LoadReport) {
    let (common, allowed) = (Common::new(), Allowed::of(allow));
    let mut files = Files::of(report);
    let mut findings = Vec::new();
    for indicator in set.iter() {
        findings.clear();
        judge(&indicator, at, &common, &allowed, &mut findings);
        for (context, line) in set.common_sources(indicator.ix) {
            let (file, provider) = files.of_context(&context);
            let provider = &mut files.providers[provider];
            provider.entries += 1;
            for finding in &findings {
                provider.findings[finding.category() as usize] += 1;
                if let Some(file) = file.and_then(|file| report.files.get_mut(file)) {
                    file.findings.add(*finding, line, || indicator.id().into_owned());
                }
            }
        }
    }
    let mut providers = files.providers;
    providers.sort_by(|a, b| b.entries.cmp(&a.entries).then_with(|| a.provider.cmp(&b.provider)));
    report.more_providers = providers.len().saturating_sub(MAX_PROVIDERS) as u64;
    providers.truncate(MAX_PROVIDERS);
    report.providers = providers;
    report.sum_findings();
}

fn judge(indicator: &Indicator<'_>, at: Timestamp, common: &Common, allowed: &Allowed<'_>, found: &mut Vec<Finding>) {
    found.extend(inert(indicator));
    found.extend(common.breadth(indicator));
    if !indicator.window.contains(at) {
        found.push(if at < indicator.window.from { Finding::NotYetValid } else { Finding::Expired });
    }
    if allowed.covers(indicator) {
        found.push(Finding::AllowListed);
    }
}

/// Why no traffic can match it.
fn inert(indicator: &Indicator<'_>) -> Option<Finding> {
    let kind = indicator.kind;
    if kind.seen_at.is_empty() {
        return Some(Finding::Unobserved);
    }
    if kind.index == Index::Exact
        && let Some(digest) = Digest::of_length(indicator.value.len())
        && kind.seen_at.iter().any(|at| at.contains(".hash."))
        && !kind.seen_at.iter().any(|at| at.ends_with(name_of(digest)))
    {
        return Some(Finding::UnmadeDigest);
    }
    let impossible = indicator.when.is_some_and(|when| !when.can_hold(indicator.transport));
    impossible.then_some(Finding::ImpossibleCondition)
}

fn name_of(digest: Digest) -> &'static str {
    match digest {
        Digest::Md5 => ".md5",
        Digest::Sha1 => ".sha1",
        Digest::Sha256 => ".sha256",
    }
}

/// Which file and provider a context is of; neighbours mostly have the same.
struct Files<'a> {
    by_feed: HashMap<Box<str>, usize>,
    by_provider: HashMap<Option<&'a str>, usize>,
    providers: Vec<ProviderReport>,
    /// By where the marking lies: what many sources share lies in one place.
    last: Option<(*const Marking, (Option<usize>, usize))>,
}

impl<'a> Files<'a> {
    fn of(report: &LoadReport) -> Self {
        Self {
            by_feed: report.files.iter().enumerate().map(|(at, file)| (file.feed.clone(), at)).collect(),
            by_provider: HashMap::new(),
            providers: Vec::new(),
            last: None,
        }
    }

    fn of_context(&mut self, context: &ContextRef<'a>) -> (Option<usize>, usize) {
        if let Some((last, found)) = self.last
            && std::ptr::eq(last, context.marking)
        {
            return found;
        }
        let next = self.providers.len();
        let provider = *self.by_provider.entry(context.provider).or_insert(next);
        if provider == next {
            let provider = context.provider.map(str::to_owned);
            self.providers.push(ProviderReport { provider, ..ProviderReport::default() });
        }
        let found = (self.by_feed.get(context.feed).copied(), provider);
        self.last = Some((context.marking, found));
        found
    }
}

/// The counts of categories as an object.
pub(super) fn by_name<S>(counts: &[u64; Category::ALL.len()], serializer: S) -> Result<S::Ok, S::Error>
where
    S: serde::Serializer,
{
    serializer.collect_map(Category::ALL.iter().map(|category| category.name()).zip(counts))
}

/// Providers listed, the greatest first; a feed that has a provider an entry would fill the report with them.
const MAX_PROVIDERS: usize = 1000;

#[cfg(test)]
mod tests;
