//! Whether the feeds load, and how old they are. Where a clearance file is in use they are named by number: what there is may not be for whoever reads this.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Finding;
use crate::config::Feeds;
use crate::feed;
use crate::indicator::IndicatorSet;
use crate::marking::Clearances;
use crate::matcher::MatchSet;

/// A file this far in the future says that a clock is wrong.
const FUTURE: Duration = Duration::from_secs(3600);

/// One file of a feed.
struct File {
    name: String,
    entries: u64,
    refused: u64,
    /// Why it could not be read to its end.
    fault: Option<String>,
    age: Age,
}

/// Since a file was last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Unknown,
    Past(Duration),
    Future(Duration),
}

/// Loads and compiles them as the sensor does; gives the bytes that the compiled set takes.
pub(super) fn examine(plan: &Feeds, findings: &mut Vec<Finding>) -> Option<u64> {
    if plan.paths.is_empty() {
        let advice = "name them with --feed, or with --config a configuration that does";
        findings.push(Finding::warn("feeds", "none was named", "without feeds nothing is looked for", advice));
        return None;
    }
    match load(plan) {
        Ok((set, files)) => {
            files.iter().for_each(|file| findings.push(judge(file, plan.stale_after.0)));
            Some(total(set, findings))
        }
        Err(error) => {
            let advice = "`picket feed check` says more of each";
            findings.push(Finding::fail("feeds", error.to_string(), "the sensor would not start", advice));
            None
        }
    }
}

fn load(plan: &Feeds) -> anyhow::Result<(MatchSet, Vec<File>)> {
    let clearance = plan.clearance.as_deref().map(Clearances::read).transpose()?.map(|all| all.sensor);
    let is_named = clearance.is_none();
    let mut set = IndicatorSet::default();
    let options = feed::Options { force: plan.force, clearance: clearance.clone() };
    let report = feed::load(&plan.paths, &options, &mut set)?;
    let allow = crate::cli::clearance::load_allow(&plan.allow, clearance)?;
    let now = SystemTime::now();
    let files = report.files.iter().enumerate().map(|(at, file)| File {
        name: if is_named { file.path.clone() } else { format!("feed number {}", at + 1) },
        entries: file.loaded + file.merged,
        refused: file.refused.values().sum(),
        fault: file.error.as_ref().map(|error| if is_named { error.clone() } else { String::new() }),
        age: Age::of(Path::new(&file.path), now),
    });
    let files = files.collect();
    Ok((MatchSet::compile(set, allow), files))
}

fn total(set: MatchSet, findings: &mut Vec<Finding>) -> u64 {
    let count = set.indicators().len();
    findings.push(if count == 0 {
        Finding::fail(
            "feeds",
            "no indicator was loaded",
            "nothing is looked for",
            "`picket feed check` says why entries are refused",
        )
    } else {
        Finding::ok("feeds", format!("{count} indicators"))
    });
    set.memory().iter().map(|part| part.bytes as u64).sum()
}

impl Age {
    fn of(path: &Path, now: SystemTime) -> Self {
        let Ok(changed) = std::fs::metadata(path).and_then(|file| file.modified()) else { return Self::Unknown };
        match now.duration_since(changed) {
            Ok(age) => Self::Past(age),
            Err(ahead) => Self::Future(ahead.duration()),
        }
    }
}

fn judge(file: &File, stale_after: Duration) -> Finding {
    let finding = if let Some(fault) = &file.fault {
        let advice = "`picket feed check` says where; fetch it again";
        Finding::fail(
            "feed",
            format!("cannot be read to its end {fault}"),
            "what follows the fault is not looked for",
            advice,
        )
    } else if file.entries == 0 {
        let what = format!("nothing in it was loaded, {} entries refused", file.refused);
        Finding::fail("feed", what, "it adds nothing", "`picket feed check` says why")
    } else {
        fresh(file, stale_after)
    };
    finding.of(&file.name)
}

fn fresh(file: &File, stale_after: Duration) -> Finding {
    let entries = format!("{} entries, {} refused", file.entries, file.refused);
    match file.age {
        Age::Unknown => Finding::ok("feed", entries),
        Age::Future(ahead) if ahead > FUTURE => {
            let what = format!("{entries}, changed {} h in the future", ahead.as_secs() / 3600);
            Finding::warn(
                "feed",
                what,
                "its age cannot be told, nor what is still valid",
                "set this machine's clock, or that of where it came from",
            )
        }
        Age::Past(age) if !stale_after.is_zero() && age > stale_after => {
            let what = format!(
                "{entries}, last changed {} h ago, stale after {} h",
                age.as_secs() / 3600,
                stale_after.as_secs() / 3600
            );
            let why = "indicators age fast, and new ones are missed";
            Finding::warn(
                "feed",
                what,
                why,
                "see whether whatever fetches it still runs; feeds.stale_after says when it counts as stale",
            )
        }
        Age::Past(age) => Finding::ok("feed", format!("{entries}, changed {} h ago", age.as_secs() / 3600)),
        Age::Future(_) => Finding::ok("feed", entries),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Level, levels};
    use super::*;

    fn level(entries: u64, fault: Option<&str>, age: Age) -> Level {
        let file = File { name: "1".into(), entries, refused: 3, fault: fault.map(str::to_owned), age };
        judge(&file, Duration::from_secs(3600)).level
    }

    #[test]
    fn old_is_a_warning_and_broken_a_failure() {
        let new = Age::Past(Duration::from_secs(10));
        assert_eq!(level(1, None, new), Level::Ok);
        assert_eq!(level(1, None, Age::Past(Duration::from_secs(3601))), Level::Warn);
        assert_eq!(level(1, None, Age::Future(Duration::from_secs(60))), Level::Ok);
        assert_eq!(level(1, None, Age::Future(Duration::from_secs(7200))), Level::Warn);
        assert_eq!(level(0, None, new), Level::Fail);
        assert_eq!(level(5, Some("line 7"), new), Level::Fail);
    }

    #[test]
    fn feeds_are_loaded_as_the_sensor_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("list.txt");
        std::fs::write(&path, "evil.example\n198.51.100.7\n").expect("written");
        let mut findings = Vec::new();
        let bytes = examine(&Feeds { paths: vec![path], ..Feeds::default() }, &mut findings);
        assert_eq!(levels(&findings), [("feed", Level::Ok), ("feeds", Level::Ok)]);
        assert!(bytes.is_some_and(|bytes| bytes > 0) && findings[0].what.starts_with("2 entries"), "{findings:?}");
        findings.clear();
        assert_eq!(
            examine(&Feeds { paths: vec![folder.path().join("none")], ..Feeds::default() }, &mut findings),
            None
        );
        assert_eq!(levels(&findings), [("feeds", Level::Fail)]);
    }
}
