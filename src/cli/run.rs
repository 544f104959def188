//! What runs share, over captures or live: loading feeds, and the summary as a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;

use crate::feed::{self, LoadReport};
use crate::indicator::IndicatorSet;
use crate::marking::Clearances;
use crate::pipeline::Summary;

/// Loads feeds and allow-lists for a run.
///
/// # Errors
/// A path that cannot be read; feeds with nothing in them that may be held.
pub(super) fn load_feeds(
    (feeds, allow): (&[PathBuf], &[PathBuf]),
    force: bool,
    clearances: Option<&Clearances>,
) -> anyhow::Result<(IndicatorSet, IndicatorSet, LoadReport)> {
    let mut set = IndicatorSet::default();
    let clearance = clearances.map(|clearances| Arc::clone(&clearances.sensor));
    let report = feed::load(feeds, &feed::Options { force, clearance: clearance.clone() }, &mut set)?;
    if set.is_empty() {
        bail!(
            "no indicator was loaded from {} ({} entries refused): run `picket feed check` on it{}",
            feeds.iter().map(|feed| feed.display().to_string()).collect::<Vec<_>>().join(", "),
            report.totals.refused,
            if clearances.is_some() { ", with the same --clearance" } else { "" }
        );
    }
    Ok((set, super::clearance::load_allow(allow, clearance)?, report))
}

/// What is wrong with feeds; they are not named to whoever may not see all that is in them.
pub(super) fn warn_of_feeds(report: &LoadReport, withholds: bool) {
    for (number, file) in report.files.iter().enumerate() {
        match &file.error {
            Some(_) if withholds => tracing::warn!("feed number {} could not be read to its end", number + 1),
            Some(error) => tracing::warn!("feed {}: {error}", file.path),
            None => {}
        }
    }
}

pub(super) fn write_summary(path: &Path, summary: &Summary) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, summary)?;
    file.write_all(b"\n")?;
    file.flush()
}
