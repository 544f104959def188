//! [`MemoryTable`]: what a configuration may take at most, added up before anything is started.
//!
//! Rings, tables, streams, queues and spools are caps that the sensor keeps. The set of indicators is known only once it is compiled:
//! until then it is estimated from the size of the feeds ([`SetBytes::estimate`]).

use serde::Serialize;

use super::{Bytes, Plan};
use crate::flow::MAX_DEFRAG_BYTES;
use crate::pipeline::Options;

/// The program, its libraries, stacks, buffers of batches and whatever has no line of its own: measured at 30 MiB with two workers.
const BASE_BYTES: u64 = 48 << 20;

/// Scratch, batches and stack of one worker.
const WORKER_BYTES: u64 = 8 << 20;

/// An alert that waits: its record, texts of the message and, with several feeds, their names. Alerts of long mails have more.
const ALERT_BYTES: u64 = 4096;

/// What parsers hold for a flow beside its record, on average: only flows with a payload have any.
const PARSER_BYTES: u64 = 128;

/// A pair of source host and indicator, or an indicator, with its count and its place in the order of ages.
const REMEMBERED_BYTES: u64 = 512;

/// What the flow log keeps with a flow beside its notes.
const LOGGED_FLOW_BYTES: u64 = 80;

/// What an output holds that has not been taken: a batch, and what is being read back from the disk.
const OUTPUT_BYTES: u64 = 1 << 20;

/// Bytes of a compiled set for each byte of a feed's text: 2.2 (byte signatures, URLs) to 3.0 (names, addresses) on the public feeds.
const SET_PER_TEXT: u64 = 3;

/// Bytes of text for each byte of a compressed feed; the public ones have 3 to 10.
const TEXT_PER_PACKED: u64 = 6;

/// While feeds are loaded, for each 10 bytes of the set so many are held beside it (measured 1.3 in all at the peak).
const LOADING_TENTHS: u64 = 3;

/// Bytes of a compiled set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SetBytes {
    /// What it takes.
    pub bytes: u64,
    /// Whether feeds were loaded to know it.
    pub is_measured: bool,
}

impl SetBytes {
    /// Of feeds with so many bytes of text and of compressed text.
    pub fn estimate(text_bytes: u64, packed_bytes: u64) -> Self {
        let text = text_bytes.saturating_add(packed_bytes.saturating_mul(TEXT_PER_PACKED));
        Self { bytes: text.saturating_mul(SET_PER_TEXT), is_measured: false }
    }
}

/// What a configuration may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryTable {
    /// Part by part.
    pub lines: Vec<MemoryLine>,
    /// Their sum.
    pub total_bytes: u64,
    /// `memory.max`.
    pub max_bytes: u64,
}

/// A part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryLine {
    /// What it is.
    pub part: &'static str,
    /// What it is made up of, with the option's names.
    pub of: String,
    /// What it takes.
    pub bytes: u64,
}

impl MemoryTable {
    /// Adds up `plan` on a machine with so many processors.
    pub fn new(plan: &Plan, set: SetBytes, processors: usize) -> Self {
        let mut lines = Vec::new();
        let mut add = |part, of: String, bytes: u64| {
            if bytes > 0 {
                lines.push(MemoryLine { part, of, bytes });
            }
        };
        let workers = plan.workers(processors) as u64;
        let interfaces = plan.capture.interfaces.len() as u64;
        add("process", "the program, its libraries and stacks".into(), BASE_BYTES);
        add("workers", format!("{workers} of {}", Bytes(WORKER_BYTES)), workers * WORKER_BYTES);
        let ring = plan.capture.ring_bytes;
        add(
            "rings",
            format!("{workers} workers, {interfaces} interfaces, capture.ring_bytes {ring}"),
            ring.0.saturating_mul(workers * interfaces),
        );
        let flows = plan.flows.max as u64;
        let flow_bytes = Options::flow_bytes() as u64;
        add("flows", format!("flows.max {flows} of {flow_bytes} B"), flows.saturating_mul(flow_bytes));
        add("parsers", format!("flows.max {flows} of {PARSER_BYTES} B (estimate)"), flows.saturating_mul(PARSER_BYTES));
        add("streams", "flows.stream_bytes".into(), plan.flows.stream_bytes.0);
        add("fragments", format!("{workers} workers"), workers * MAX_DEFRAG_BYTES as u64);
        plan.set_lines(set, &mut add);
        let waiting = plan.memory.alert_channel as u64;
        add("alerts", format!("memory.alert_channel {waiting} of {ALERT_BYTES} B"), waiting * ALERT_BYTES);
        plan.output_lines(workers, &mut add);
        let total_bytes = lines.iter().fold(0, |sum: u64, line| sum.saturating_add(line.bytes));
        Self { lines, total_bytes, max_bytes: plan.memory.max.0 }
    }

    /// Whether it is more than `memory.max`.
    pub fn exceeds(&self) -> bool {
        self.total_bytes > self.max_bytes
    }
}

impl Plan {
    /// Workers on a machine with so many processors.
    pub fn workers(&self, processors: usize) -> usize {
        self.capture.workers.unwrap_or(processors).clamp(1, crate::pipeline::SHARDS)
    }

    fn set_lines(&self, set: SetBytes, add: &mut impl FnMut(&'static str, String, u64)) {
        let how = if set.is_measured { "loaded" } else { "estimated from the size of the feeds" };
        add("indicators", format!("the compiled set, {how}"), set.bytes);
        let loading = set.bytes.saturating_add(set.bytes / 10 * LOADING_TENTHS);
        add("reload", "the next set beside it, while it is made".into(), loading);
        if self.feeds.clearance.is_some() {
            let outputs = self.sinks.len() as u64;
            add(
                "withheld",
                format!("up to the set again for each of {outputs} sinks"),
                set.bytes.saturating_mul(outputs),
            );
        }
    }

    fn output_lines(&self, workers: u64, add: &mut impl FnMut(&'static str, String, u64)) {
        let spool = |bytes: u64, sink: &super::SinkPlan| bytes.saturating_add(sink.spool.memory_bytes.0);
        add("outputs", format!("{} sinks", self.sinks.len()), OUTPUT_BYTES * self.sinks.len() as u64);
        add("spools", "sinks.spool.memory_bytes of each sink".into(), self.sinks.iter().fold(0, spool));
        if self.suppression.is_enabled {
            let (pairs, indicators) = (self.suppression.max_pairs, self.suppression.max_indicators);
            let of = format!("{workers} workers, {pairs} pairs and {indicators} indicators of {REMEMBERED_BYTES} B");
            add(
                "suppression",
                of,
                (pairs.saturating_add(indicators) as u64).saturating_mul(REMEMBERED_BYTES * workers),
            );
        }
        if self.evidence.is_enabled {
            let ring = self.evidence.ring_bytes;
            add(
                "evidence",
                format!("evidence.ring_bytes {ring}, and again for alerts under way"),
                ring.0.saturating_mul(2),
            );
        }
        if self.flow_log.is_enabled {
            let (flows, notes) = (self.flows.max as u64, self.flow_log.note_bytes);
            let of = format!("flow_log.note_bytes {notes}, flows.max {flows} of {LOGGED_FLOW_BYTES} B");
            add("flow log", of, notes.0.saturating_add(flows.saturating_mul(LOGGED_FLOW_BYTES)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Destination, FileTarget, SinkFilter, SinkFormat, SinkPlan, SpoolPlan, UnixTarget};

    fn line(table: &MemoryTable, part: &str) -> u64 {
        table.lines.iter().find(|line| line.part == part).map_or(0, |line| line.bytes)
    }

    fn sink(destination: Destination) -> SinkPlan {
        let (format, filter, spool) = (SinkFormat::Ecs, SinkFilter::default(), SpoolPlan::default());
        SinkPlan { name: "a".into(), format, clearance: "a".into(), filter, destination, spool }
    }

    #[test]
    fn every_option_that_takes_memory_counts() {
        let mut plan = Plan::default();
        plan.capture.interfaces = vec!["a".into(), "b".into()];
        let set = SetBytes { bytes: 1000, is_measured: true };
        let table = MemoryTable::new(&plan, set, 4);
        assert_eq!(line(&table, "rings"), 4 * 2 * (64 << 20));
        assert_eq!(line(&table, "flows"), 1_000_000 * Options::flow_bytes() as u64);
        assert_eq!(line(&table, "streams"), 256 << 20);
        assert_eq!((line(&table, "indicators"), line(&table, "reload")), (1000, 1300));
        assert_eq!((line(&table, "withheld"), line(&table, "evidence"), line(&table, "spools")), (0, 0, 0));
        assert_eq!(table.total_bytes, table.lines.iter().map(|line| line.bytes).sum::<u64>());

        let before = table.total_bytes;
        plan.capture.workers = Some(1);
        plan.evidence.is_enabled = true;
        plan.flow_log.is_enabled = true;
        plan.feeds.clearance = Some("c".into());
        plan.sinks =
            vec![sink(Destination::File(FileTarget::default())), sink(Destination::Unix(UnixTarget::default()))];
        plan.suppression.is_enabled = false;
        let table = MemoryTable::new(&plan, set, 4);
        assert_eq!(line(&table, "rings"), 2 * (64 << 20));
        assert_eq!((line(&table, "evidence"), line(&table, "withheld")), (64 << 20, 2000));
        assert_eq!((line(&table, "spools"), line(&table, "suppression")), (32 << 20, 0));
        assert_eq!(line(&table, "flow log"), (64 << 20) + 80_000_000);
        assert_ne!(table.total_bytes, before);
    }

    #[test]
    fn more_than_the_maximum_exceeds_it_and_huge_values_do_not_wrap() {
        let mut plan = Plan::default();
        let table = MemoryTable::new(&plan, SetBytes::default(), 1);
        plan.memory.max = Bytes(table.total_bytes);
        assert!(!MemoryTable::new(&plan, SetBytes::default(), 1).exceeds());
        plan.memory.max = Bytes(table.total_bytes - 1);
        assert!(MemoryTable::new(&plan, SetBytes::default(), 1).exceeds());
        plan.flows.stream_bytes = Bytes(u64::MAX);
        assert_eq!(MemoryTable::new(&plan, SetBytes::estimate(u64::MAX, u64::MAX), 1).total_bytes, u64::MAX);
    }

    #[test]
    fn the_default_fits_in_its_own_maximum_with_a_large_feed_on_eight_processors() {
        let mut plan = Plan::default();
        plan.capture.interfaces = vec!["eth1".into()];
        let table = MemoryTable::new(&plan, SetBytes::estimate(32 << 20, 0), 8);
        assert!(!table.exceeds(), "{table:?}");
    }
}
