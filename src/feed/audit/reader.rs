//! [`withhold`]: a report as one reader may have it.

use hashbrown::HashSet;

use super::ProviderReport;
use crate::feed::report::LoadReport;
use crate::indicator::IndicatorSet;

/// Takes out of a report what no source says that is in `released`, the part of its set that a reader may see: the ids of
/// indicators and the names of providers. Lines, reasons and counts stay.
pub fn withhold(report: &mut LoadReport, released: &IndicatorSet) {
    let mut listed = HashSet::new();
    for file in &report.files {
        listed.extend(file.findings.iter().flat_map(|(_, found)| found.entries.iter().map(|entry| entry.id.clone())));
    }
    let shown: HashSet<_> = released.iter().map(|one| one.id()).filter(|id| listed.contains(&**id)).collect();
    for file in &mut report.files {
        file.findings.withhold_ids(WITHHELD, |id| shown.contains(id));
    }
    let named: HashSet<_> = released.providers().collect();
    let mut withheld = ProviderReport { provider: Some(WITHHELD.to_owned()), ..ProviderReport::default() };
    report.providers.retain(|provider| {
        let is_shown = provider.provider.as_deref().is_none_or(|name| named.contains(name));
        if !is_shown {
            withheld.entries += provider.entries;
            withheld.findings.iter_mut().zip(provider.findings).for_each(|(sum, count)| *sum += count);
        }
        is_shown
    });
    if withheld.entries > 0 {
        report.providers.push(withheld);
    }
}

/// Stands for what a reader may not know.
const WITHHELD: &str = "withheld";
