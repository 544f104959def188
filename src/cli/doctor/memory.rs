//! Whether what the configuration may take fits into the machine.

use indicatif::HumanBytes;

use super::{Finding, read_line};
use crate::config::Plan;
use crate::pipeline::{Options, SHARDS};

/// What is left to the rest of the machine.
const RESERVE_BYTES: u64 = 128 << 20;

/// What is needed and what there is, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    rings: u64,
    flows: u64,
    streams: u64,
    /// The compiled set; while feeds are read again there are two, and what is read.
    set: Option<u64>,
    limit: u64,
    available: Option<u64>,
}

impl Facts {
    pub(super) fn gather(plan: &Plan, set: Option<u64>) -> Self {
        let workers = plan
            .capture
            .workers
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get().min(SHARDS)));
        let rings = (workers * plan.capture.interfaces.len()) as u64;
        Self {
            rings: rings.saturating_mul(plan.capture.ring_bytes.0),
            flows: (plan.flows.max as u64).saturating_mul(Options::flow_bytes() as u64),
            streams: plan.flows.stream_bytes.0,
            set,
            limit: plan.memory.max.0,
            available: read_line("/proc/meminfo").as_deref().and_then(available),
        }
    }

    fn needed(&self) -> u64 {
        let set = self.set.unwrap_or(0).saturating_mul(3);
        [self.flows, self.streams, set].into_iter().fold(self.rings, u64::saturating_add)
    }
}

/// Of `/proc/meminfo`.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    let needed = facts.needed();
    let set = facts.set.map_or_else(String::new, |bytes| {
        format!(", feeds {} (three times while they are read again)", HumanBytes(bytes))
    });
    let parts = format!(
        "up to {}: rings {}, flows {}, streams {}{set}",
        HumanBytes(needed),
        HumanBytes(facts.rings),
        HumanBytes(facts.flows),
        HumanBytes(facts.streams)
    );
    const ADVICE: &str =
        "lower capture.ring_bytes, capture.workers, flows.max or flows.stream_bytes, or give the machine more";
    findings.push(match facts.available {
        _ if needed > facts.limit => {
            let what = format!("{parts}; that is more than memory.max, {}", HumanBytes(facts.limit));
            Finding::fail("memory", what, "the sensor would not start", ADVICE)
        }
        Some(available) if needed > available => {
            let what = format!("{parts}; available are {}", HumanBytes(available));
            Finding::fail("memory", what, "the system would end the sensor when it fills up", ADVICE)
        }
        Some(available) if needed.saturating_add(RESERVE_BYTES) > available => {
            let what = format!("{parts}; available are {}", HumanBytes(available));
            Finding::warn("memory", what, "little is left to the rest of the machine", ADVICE)
        }
        Some(available) => Finding::ok("memory", format!("{parts}; available are {}", HumanBytes(available))),
        None => Finding::ok("memory", format!("{parts}; what is available is not known")),
    });
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const GIB: u64 = 1 << 30;

    fn level(set: u64, limit: u64, available: u64) -> Level {
        let facts = Facts { rings: GIB, flows: GIB, streams: GIB, set: Some(set), limit, available: Some(available) };
        let mut findings = Vec::new();
        judge(&facts, &mut findings);
        findings[0].level
    }

    #[test]
    fn it_must_fit_into_limit_and_machine() {
        assert_eq!(level(0, 4 * GIB, 8 * GIB), Level::Ok);
        assert_eq!(level(GIB, 4 * GIB, 8 * GIB), Level::Fail, "three sets do not fit");
        assert_eq!(level(0, 4 * GIB, 2 * GIB), Level::Fail);
        assert_eq!(level(0, 4 * GIB, 3 * GIB + 1), Level::Warn);
    }

    #[test]
    fn the_kernel_s_words_are_read() {
        assert_eq!(available("MemTotal:  99 kB\nMemAvailable:    2048 kB\nBuffers: 1 kB"), Some(2 << 20));
        assert_eq!(available("MemTotal:  99 kB"), None);
    }
}
