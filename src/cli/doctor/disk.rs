//! Whether there is room where the sensor writes.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use rustix::fs::StatVfsMountFlags;

use super::Finding;
use crate::config::{Destination, Plan};

/// Below that it is soon full.
const LOW_BYTES: u64 = 1 << 30;

/// Below that it is full.
const FULL_BYTES: u64 = 64 << 20;

/// JSON Lines take less than that once they are compressed.
const GZIP_SAVES: u64 = 5;

/// A place that is written to.
struct Facts {
    free_bytes: u64,
    free_files: u64,
    /// Some file systems have no number of files.
    counts_files: bool,
    is_read_only: bool,
}

/// Looks at every place that the configuration names, each file system's figures at each.
pub(super) fn examine(plan: &Plan, findings: &mut Vec<Finding>) {
    for (folder, needed_bytes) in places(plan) {
        let finding = match Facts::gather(&folder) {
            Ok(facts) => judge(&facts, needed_bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing(&folder),
            Err(error) => Finding::warn("disk", format!("cannot be looked at: {error}"), WHY, "look at it as root"),
        };
        findings.push(finding.of(folder.to_string_lossy()));
    }
}

/// Folders that are written to, and the most that the configuration lets be there.
fn places(plan: &Plan) -> BTreeSet<(PathBuf, u64)> {
    let mut places = BTreeSet::new();
    let parent = |path: &Path| {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
    };
    for sink in &plan.sinks {
        if let Destination::File(file) = &sink.destination {
            let put_aside = file.rotate_bytes.0 / if file.gzip { GZIP_SAVES } else { 1 };
            let kept = file.rotate_bytes.0.saturating_add(put_aside.saturating_mul(u64::from(file.keep)));
            places.insert((parent(&file.path), kept));
        }
        if sink.destination.has_spool() {
            places.insert((sink.spool_directory(), sink.spool.max_bytes.0));
        }
    }
    if plan.evidence.is_enabled {
        places.insert((plan.evidence.directory.clone(), plan.evidence.max_bytes.0));
    }
    if plan.flow_log.is_enabled {
        places.insert((parent(&plan.flow_log.file.path), 0));
    }
    places
}

impl Facts {
    /// Of a folder, or of the nearest one above it that is there if it is one that the sensor makes itself.
    fn gather(folder: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(folder)?;
        Ok(Self {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            free_files: found.f_favail,
            counts_files: found.f_files > 0,
            is_read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }
}

const WHY: &str = "alerts that cannot be written wait, and are dropped in the end";

fn missing(folder: &Path) -> Finding {
    let advice = format!("install -d -o picket -g picket -m 0750 {} (the package does that)", folder.display());
    Finding::fail("disk", "there is no such folder", WHY, advice)
}

fn judge(facts: &Facts, needed_bytes: u64) -> Finding {
    let free = format!("{} free", HumanBytes(facts.free_bytes));
    const ADVICE: &str = "make room, or let less be kept (rotate_bytes, keep, spool.max_bytes, evidence.max_bytes)";
    if facts.is_read_only {
        return Finding::fail("disk", "it is mounted read-only", WHY, "mount it for writing, or name another place");
    }
    if facts.free_bytes < FULL_BYTES || (facts.counts_files && facts.free_files == 0) {
        return Finding::fail("disk", free, WHY, ADVICE);
    }
    if facts.free_bytes < needed_bytes.max(LOW_BYTES) {
        let what = if facts.free_bytes < needed_bytes {
            format!("{free}; the configuration lets {} be there", HumanBytes(needed_bytes))
        } else {
            free
        };
        return Finding::warn("disk", what, WHY, ADVICE);
    }
    Finding::ok("disk", free)
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Level, levels};
    use super::*;

    #[test]
    fn room_is_judged_by_what_may_be_needed() {
        let level = |free_bytes, needed, is_read_only| {
            judge(&Facts { free_bytes, free_files: 1, counts_files: true, is_read_only }, needed).level
        };
        assert_eq!(level(2 * LOW_BYTES, 0, false), Level::Ok);
        assert_eq!(level(2 * LOW_BYTES, 3 * LOW_BYTES, false), Level::Warn);
        assert_eq!(level(LOW_BYTES - 1, 0, false), Level::Warn);
        assert_eq!(level(FULL_BYTES - 1, 0, false), Level::Fail);
        assert_eq!(level(2 * LOW_BYTES, 0, true), Level::Fail);
        let full = Facts { free_bytes: LOW_BYTES, free_files: 0, counts_files: true, is_read_only: false };
        assert_eq!(judge(&full, 0).level, Level::Fail);
    }

    #[test]
    fn every_place_that_is_written_to_is_looked_at() {
        let mut plan = Plan::default();
        plan.evidence.is_enabled = true;
        plan.evidence.directory = "/there/is/none".into();
        plan.flow_log.is_enabled = true;
        plan.flow_log.file.path = "flows.jsonl".into();
        let mut findings = Vec::new();
        examine(&plan, &mut findings);
        assert_eq!(levels(&findings).len(), 2, "{findings:?}");
        assert!(
            findings
                .iter()
                .any(|finding| finding.subject.as_deref() == Some("/there/is/none") && finding.level == Level::Fail)
        );
    }
}
