//! Whether what the configuration may take fits into the machine.

use indicatif::HumanBytes;

use super::{Finding, read_line};
use crate::config::{MemoryTable, Plan, SetBytes};

/// What is left to the rest of the machine.
const RESERVE_BYTES: u64 = 128 << 20;

/// Parts named; `picket config check` has all.
const NAMED: usize = 4;

/// What is needed and what there is, in bytes.
pub(super) struct Facts {
    needed: u64,
    limit: u64,
    available: Option<u64>,
    /// The largest parts, in words.
    parts: String,
}

impl Facts {
    pub(super) fn gather(plan: &Plan, set_bytes: Option<u64>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let set = SetBytes { bytes: set_bytes.unwrap_or(0), is_measured: set_bytes.is_some() };
        let mut table = MemoryTable::new(plan, set, processors);
        table.lines.sort_by_key(|line| std::cmp::Reverse(line.bytes));
        let parts = table.lines.iter().take(NAMED).map(|line| format!("{} {}", line.part, HumanBytes(line.bytes)));
        Self {
            needed: table.total_bytes,
            limit: table.max_bytes,
            available: read_line("/proc/meminfo").as_deref().and_then(available),
            parts: parts.collect::<Vec<_>>().join(", "),
        }
    }
}

/// Of `/proc/meminfo`.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    const ADVICE: &str = "`picket config check` says what takes how much; lower capture.ring_bytes, flows.max, flows.stream_bytes, or give the machine more";
    let needed = format!("up to {} ({}, ..)", HumanBytes(facts.needed), facts.parts);
    let what = match facts.available {
        Some(available) => format!("{needed}; available are {}", HumanBytes(available)),
        None => format!("{needed}; what is available is not known"),
    };
    let available = facts.available.unwrap_or(u64::MAX);
    findings.push(if facts.needed > facts.limit {
        let what = format!("{needed}; that is more than memory.max, {}", HumanBytes(facts.limit));
        Finding::fail("memory", what, "the sensor would not start", ADVICE)
    } else if facts.needed > available {
        Finding::fail("memory", what, "the system would end the sensor when it fills up", ADVICE)
    } else if facts.needed.saturating_add(RESERVE_BYTES) > available {
        Finding::warn("memory", what, "little is left to the rest of the machine", ADVICE)
    } else {
        Finding::ok("memory", what)
    });
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const GIB: u64 = 1 << 30;

    fn level(needed: u64, limit: u64, available: Option<u64>) -> Level {
        let mut findings = Vec::new();
        judge(&Facts { needed, limit, available, parts: String::new() }, &mut findings);
        findings[0].level
    }

    #[test]
    fn it_must_fit_into_limit_and_machine() {
        assert_eq!(level(3 * GIB, 4 * GIB, Some(8 * GIB)), Level::Ok);
        assert_eq!(level(5 * GIB, 4 * GIB, Some(8 * GIB)), Level::Fail);
        assert_eq!(level(3 * GIB, 4 * GIB, Some(2 * GIB)), Level::Fail);
        assert_eq!(level(3 * GIB, 4 * GIB, Some(3 * GIB + 1)), Level::Warn);
        assert_eq!(level(3 * GIB, 4 * GIB, None), Level::Ok);
    }

    #[test]
    fn a_set_counts_with_what_replaces_it() {
        let of = |set| Facts::gather(&Plan::default(), set).needed;
        assert!(of(Some(GIB)) > of(None) + 2 * GIB);
    }

    #[test]
    fn the_kernel_s_words_are_read() {
        assert_eq!(available("MemTotal:  99 kB\nMemAvailable:    2048 kB\nBuffers: 1 kB"), Some(2 << 20));
        assert_eq!(available("MemTotal:  99 kB"), None);
    }
}
