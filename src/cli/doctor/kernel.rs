//! What the kernel offers, and whether the clock can be right.

use std::time::{SystemTime, UNIX_EPOCH};

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};

use super::{Finding, read_line};
use crate::config::{self, Plan};

/// When this was written: a clock before it is wrong.
const WRITTEN_UNIX_SECONDS: u64 = 1_790_000_000;

/// 2100.
const TOO_LATE_UNIX_SECONDS: u64 = 4_102_444_800;

/// Rings of version 3, and fanout by a hash that is the same for both directions, came with it.
const RINGS_SINCE: (u32, u32) = (4, 3);

/// Files that are there while the time is kept right.
const SYNCHRONISED: [&str; 4] =
    ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/ntpd.pid", "/run/openntpd.sock"];

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    release: Option<String>,
    has_landlock: bool,
    wants_landlock: bool,
    has_seccomp: bool,
    wants_seccomp: bool,
    unix_seconds: u64,
    /// Whether something that keeps the time right runs.
    is_kept_right: bool,
    /// What the clock is driven by.
    clock_source: Option<String>,
}

impl Facts {
    pub(super) fn gather(plan: &Plan) -> Self {
        Self {
            release: rustix::system::uname().release().to_str().ok().map(str::to_owned),
            has_landlock: has_landlock(),
            wants_landlock: plan.privileges.landlock,
            has_seccomp: read_line("/proc/sys/kernel/seccomp/actions_avail")
                .is_some_and(|actions| actions.contains("errno")),
            wants_seccomp: plan.privileges.seccomp != config::Seccomp::Off,
            unix_seconds: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            is_kept_right: SYNCHRONISED.iter().any(|path| std::path::Path::new(path).exists()),
            clock_source: read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        }
    }
}

/// Whether a set of rules can be made. None is applied.
fn has_landlock() -> bool {
    let rules =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(ABI::V1));
    rules.and_then(Ruleset::create).is_ok()
}

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    findings.push(rings(facts));
    let confinement = |check, name: &str, has: bool, wants: bool, advice: &'static str| match (has, wants) {
        (true, true) => Finding::ok(check, format!("this kernel has {name}")),
        (true, false) => {
            let why = "a fault in a parser could do more than it needs to";
            Finding::warn(check, format!("{name} is not asked for"), why, advice)
        }
        (false, _) => {
            let why = "the sensor runs without this confinement, or refuses to if privileges.required is set";
            Finding::warn(
                check,
                format!("this kernel has no {name}"),
                why,
                "use a kernel that has it, and see that it is enabled (lsm=)",
            )
        }
    };
    findings.push(confinement(
        "landlock",
        "Landlock",
        facts.has_landlock,
        facts.wants_landlock,
        "privileges.landlock = true",
    ));
    findings.push(confinement(
        "seccomp",
        "seccomp filters",
        facts.has_seccomp,
        facts.wants_seccomp,
        "privileges.seccomp = \"refuse\"",
    ));
    findings.push(clock(facts));
}

fn rings(facts: &Facts) -> Finding {
    const WHY: &str = "capture falls back to libpcap and one worker, and loses packets sooner";
    match facts.release.as_deref().map(|release| (release, version(release))) {
        Some((release, Some(version))) if version >= RINGS_SINCE => {
            Finding::ok("kernel", format!("{release}: capture rings (TPACKET_V3) and fanout by flow"))
        }
        Some((release, _)) => {
            Finding::warn("kernel", format!("{release} may have no capture rings"), WHY, "use Linux 4.3 or later")
        }
        None => Finding::warn("kernel", "its version is not known", WHY, "use Linux 4.3 or later"),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn clock(facts: &Facts) -> Finding {
    const WHY: &str = "alerts carry the time, and indicators are valid for a time";
    const ADVICE: &str = "set it, and have it kept right (systemd-timesyncd, chrony)";
    if !(WRITTEN_UNIX_SECONDS..TOO_LATE_UNIX_SECONDS).contains(&facts.unix_seconds) {
        let what = jiff::Timestamp::from_second(facts.unix_seconds as i64)
            .map_or_else(|_| "no time at all".to_owned(), |time| time.to_string());
        return Finding::fail("clock", format!("it says {what}, which cannot be"), WHY, ADVICE);
    }
    if facts.clock_source.as_deref().is_some_and(|source| source == "jiffies") {
        return Finding::warn(
            "clock",
            "it is driven by jiffies",
            "times of packets are coarse",
            "see why no better clock source is used",
        );
    }
    if !facts.is_kept_right {
        return Finding::warn("clock", "plausible; nothing that keeps it right was found", WHY, ADVICE);
    }
    Finding::ok("clock", "plausible, and kept right")
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Level, levels};
    use super::*;

    fn well() -> Facts {
        Facts {
            release: Some("6.1.0-18-amd64".into()),
            has_landlock: true,
            wants_landlock: true,
            has_seccomp: true,
            wants_seccomp: true,
            unix_seconds: WRITTEN_UNIX_SECONDS + 1,
            is_kept_right: true,
            clock_source: Some("tsc".into()),
        }
    }

    fn judged(facts: &Facts) -> Vec<(&'static str, Level)> {
        let mut findings = Vec::new();
        judge(facts, &mut findings);
        levels(&findings)
    }

    #[test]
    fn what_is_missing_is_a_warning_and_a_clock_that_cannot_be_a_failure() {
        let ok = |check| (check, Level::Ok);
        assert_eq!(judged(&well()), [ok("kernel"), ok("landlock"), ok("seccomp"), ok("clock")]);
        let old =
            Facts { release: Some("3.10.0-1160.el7".into()), has_landlock: false, wants_seccomp: false, ..well() };
        assert_eq!(
            judged(&old).iter().map(|(_, level)| *level).collect::<Vec<_>>(),
            [Level::Warn, Level::Warn, Level::Warn, Level::Ok]
        );
        for (seconds, level) in [(0, Level::Fail), (TOO_LATE_UNIX_SECONDS, Level::Fail)] {
            assert_eq!(judged(&Facts { unix_seconds: seconds, ..well() })[3].1, level);
        }
        assert_eq!(judged(&Facts { is_kept_right: false, ..well() })[3].1, Level::Warn);
    }

    #[test]
    fn versions_are_read() {
        assert_eq!([version("6.18.44-fc-v595"), version("4.3"), version("next")], [Some((6, 18)), Some((4, 3)), None]);
    }
}
