//! [`Summary`]: what a run saw, found and could not look into, for a terminal and as JSON. Indicators by id, never by value,
//! and what its readers may not see by reference or not at all.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::counters::Uninspected;
use super::engine::Outcome;
use super::live::WatchOutcome;
use super::visibility::Report;
use crate::alert::{Audience, CustomerRecord, Release, View, printable};
use crate::capture::{FileInfo, Trouble};
use crate::feed::LoadReport;
use crate::matcher::MatchSet;
use crate::metrics::Tally;

/// Lines of a list on a terminal; JSON has all.
const MAX_LINES: usize = 20;

/// Hosts told apart when counting who has hits; the rest is counted together.
const MAX_TALKERS: usize = 100_000;

/// Stands for what the readers may not see.
const WITHHELD: &str = "withheld";

/// Alerts counted as they go by.
#[derive(Default)]
pub struct AlertTally {
    total: u64,
    not_told: u64,
    repeats: u64,
    by_kind: Tally<&'static str>,
    by_indicator: Tally<String>,
    by_provider: Tally<String>,
    by_field: Tally<&'static str>,
    talkers: Tally<IpAddr>,
    other_talkers: u64,
}

/// What was matched against.
pub struct Loaded<'a> {
    /// The compiled feeds.
    pub set: &'a MatchSet,
    /// What became of each entry.
    pub report: LoadReport,
    /// How long it took.
    pub seconds: f64,
}

/// See the module.
#[derive(Serialize)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Bytes captured.
    pub captured_bytes: u64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Flows started.
    pub flows: u64,
    /// Flows that timed out.
    pub expired_flows: u64,
    /// TCP reassembly.
    pub streams: Streams,
    /// Alerts raised.
    pub alerts: Alerts,
    /// How much was read to its end, and why the rest was not. It adds up.
    pub visibility: Report,
    /// What was not inspected, by reason.
    pub not_inspected: Vec<Uninspected>,
    /// Hits that the allow-list suppressed, by indicator id.
    pub suppressed: BTreeMap<String, u64>,
    /// The captures.
    pub captures: Vec<Capture>,
    /// What was wrong with captures.
    pub troubles: Vec<Problem>,
    /// Whether the run was stopped before the end of the captures.
    pub interrupted: bool,
    /// Seconds by stage.
    pub seconds: Seconds,
    /// Frames by wall-clock second.
    pub packets_per_second: f64,
    /// What the feeds gave.
    pub feeds: LoadReport,
    /// What only a live run has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveFigures>,
}

/// Of a live run.
#[derive(Debug, Serialize)]
pub struct LiveFigures {
    /// Frames by worker.
    pub frames_by_worker: Vec<u64>,
    /// Frames that the kernel dropped.
    pub kernel_dropped: u64,
    /// How often a ring was full.
    pub ring_freezes: u64,
    /// Frames that interfaces dropped.
    pub interface_dropped: u64,
    /// Alerts that found no room in the channel.
    pub alerts_dropped: u64,
    /// Notices that did not.
    pub notices_dropped: u64,
    /// Workers that were made anew after a panic.
    pub worker_restarts: u64,
    /// Frames of the batches in which that happened.
    pub frames_lost_to_restarts: u64,
    /// Sets that took over from another.
    pub reloads: u64,
}

/// TCP reassembly.
#[derive(Debug, Serialize)]
pub struct Streams {
    pub out_of_order: u64,
    pub retransmitted: u64,
    pub overlapping: u64,
}

/// Alerts by what they are about.
#[derive(Serialize)]
pub struct Alerts {
    /// All that the readers may be told of.
    pub total: u64,
    /// Those that they may not, in number.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_told: u64,
    /// Further ones that some of them stand for.
    #[serde(skip_serializing_if = "is_zero")]
    pub repeats: u64,
    /// By indicator kind.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// By indicator id.
    pub by_indicator: BTreeMap<String, u64>,
    /// By provider.
    pub by_provider: BTreeMap<String, u64>,
    /// By field.
    pub by_field: BTreeMap<&'static str, u64>,
    /// Hosts that opened flows with hits, most first; of hits that are withheld, the customer's own hosts.
    pub top_talkers: Vec<Talker>,
    /// Alerts of hosts beyond those that are told apart, or that may not be told.
    pub other_talkers: u64,
}

/// A host and its alerts.
#[derive(Serialize)]
pub struct Talker {
    /// The host.
    pub ip: IpAddr,
    /// Alerts of flows that it opened.
    pub alerts: u64,
}

/// One capture file.
#[derive(Debug, Serialize)]
pub struct Capture {
    /// The file.
    pub path: String,
    /// Its format.
    pub format: Option<&'static str>,
    /// Its compression.
    pub compression: Option<&'static str>,
    /// Frames handed out.
    pub frames: u64,
    /// Frames left out.
    pub skipped: u64,
}

/// Something wrong with a capture.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The file.
    pub path: String,
    /// Where, in bytes of the decompressed stream.
    pub offset: u64,
    /// Stable word.
    pub code: &'static str,
    /// In words.
    pub reason: String,
    /// Whether nothing could be read.
    pub unreadable: bool,
}

/// Seconds by stage; `read`, `decode`, `inspect` are sampled and summed over the workers.
#[derive(Debug, Serialize)]
pub struct Seconds {
    pub load: f64,
    pub read: f64,
    pub decode: f64,
    pub inspect: f64,
    pub wall: f64,
    pub cpu: f64,
}

impl AlertTally {
    /// Counts one, under what the summary's readers may see of it.
    pub fn count(&mut self, view: &View<'_>) {
        self.total += u64::from(!matches!(view, View::Nothing));
        self.repeats += view.repeats();
        match view {
            View::Nothing => self.not_told += 1,
            View::Full(full) => {
                self.count_release(&full.release);
                self.by_field.count(full.field().0);
                if full.flow().hardware().is_none() {
                    self.count_talker(full.flow().originator.0);
                }
            }
            View::Partial(release, record) => {
                self.count_release(release);
                self.by_field.count(WITHHELD);
                self.count_internal(record);
            }
            View::Customer(record) => {
                self.by_kind.count(WITHHELD);
                let reference = record.references.as_ref().map_or(WITHHELD, |references| &references.indicator);
                self.by_indicator.count(reference.to_owned());
                self.by_provider.count(WITHHELD.to_owned());
                self.by_field.count(WITHHELD);
                self.count_internal(record);
            }
        }
    }

    fn count_release(&mut self, release: &Release<'_>) {
        self.by_kind.count(release.indicator.kind.name);
        self.by_indicator.count(release.indicator.id().into_owned());
        for source in &release.sources {
            self.by_provider.count(source.provider().or(source.feed()).unwrap_or(WITHHELD).to_owned());
        }
    }

    fn count_internal(&mut self, record: &CustomerRecord) {
        match record.internal {
            Some(host) => self.count_talker(host.ip),
            None => self.other_talkers += 1,
        }
    }

    fn count_talker(&mut self, host: IpAddr) {
        if self.talkers.len() < MAX_TALKERS || self.talkers.contains(&host) {
            self.talkers.count(host);
        } else {
            self.other_talkers += 1;
        }
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn finish(&self) -> Alerts {
        let owned =
            |tally: &Tally<String>| tally.iter().map(|(key, count)| (printable(key.as_bytes()), count)).collect();
        let mut top_talkers: Vec<Talker> = self.talkers.iter().map(|(&ip, alerts)| Talker { ip, alerts }).collect();
        top_talkers.sort_by(|a, b| b.alerts.cmp(&a.alerts).then_with(|| a.ip.cmp(&b.ip)));
        top_talkers.truncate(MAX_LINES);
        Alerts {
            total: self.total,
            not_told: self.not_told,
            repeats: self.repeats,
            by_kind: self.by_kind.iter().map(|(key, count)| (*key, count)).collect(),
            by_indicator: owned(&self.by_indicator),
            by_provider: owned(&self.by_provider),
            by_field: self.by_field.iter().map(|(key, count)| (*key, count)).collect(),
            top_talkers,
            other_talkers: self.other_talkers,
        }
    }
}

impl Summary {
    /// Sums a run up for `audience`, for whom `alerts` were counted too.
    pub fn new(
        outcome: &Outcome,
        alerts: &AlertTally,
        loaded: Loaded<'_>,
        audience: &Audience,
        interrupted: bool,
    ) -> Self {
        let Loaded { set, report, seconds: load_seconds } = loaded;
        let counters = &outcome.counters;
        let wall = outcome.stages.wall.as_secs_f64();
        Self {
            frames: counters.frames,
            captured_bytes: counters.captured_bytes,
            wire_bytes: counters.wire_bytes,
            flows: counters.flows,
            expired_flows: counters.expired_flows,
            streams: Streams {
                out_of_order: counters.streams.out_of_order,
                retransmitted: counters.streams.retransmitted,
                overlapping: counters.streams.overlapping,
            },
            alerts: alerts.finish(),
            visibility: counters.visibility.report(),
            not_inspected: counters.uninspected(),
            suppressed: suppressed(outcome, set, audience),
            captures: outcome.files.iter().map(Capture::from).collect(),
            troubles: outcome.troubles.iter().map(Problem::from).collect(),
            interrupted,
            seconds: Seconds {
                load: load_seconds,
                read: outcome.stages.read.as_secs_f64(),
                decode: outcome.stages.decode.as_secs_f64(),
                inspect: outcome.stages.inspect.as_secs_f64(),
                wall,
                cpu: outcome.stages.cpu.as_secs_f64(),
            },
            packets_per_second: if wall > 0.0 { counters.frames as f64 / wall } else { 0.0 },
            // Names of feeds and counts of kinds say who knows what.
            feeds: if audience.withholds() {
                LoadReport { totals: report.totals, ..LoadReport::default() }
            } else {
                report
            },
            live: None,
        }
    }

    /// Adds what only a live run has.
    pub fn add_live(&mut self, outcome: &WatchOutcome, audience: &Audience) {
        for (id, count) in &outcome.suppressed_before {
            // Of a set that is gone nobody can say what may be seen.
            let name = if audience.withholds() { WITHHELD } else { id };
            *self.suppressed.entry(name.to_owned()).or_default() += count;
        }
        self.live = Some(LiveFigures {
            frames_by_worker: outcome.frames_by_worker.clone(),
            kernel_dropped: outcome.losses.kernel_dropped,
            ring_freezes: outcome.losses.ring_freezes,
            interface_dropped: outcome.losses.interface_dropped,
            alerts_dropped: outcome.alerts_dropped,
            notices_dropped: outcome.notices_dropped,
            worker_restarts: outcome.restarts,
            frames_lost_to_restarts: outcome.frames_lost_to_restarts,
            reloads: outcome.swaps,
        });
    }

    /// For a person.
    ///
    /// # Errors
    /// What the writer says.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{} frames, {} bytes, {} flows in {:.2} s ({:.0} packets/s); feeds loaded in {:.2} s",
            self.frames, self.captured_bytes, self.flows, self.seconds.wall, self.packets_per_second, self.seconds.load
        )?;
        writeln!(
            out,
            "feeds: {} indicators from {} files, {} merged, {} refused{}",
            self.feeds.totals.loaded,
            self.feeds.totals.files,
            self.feeds.totals.merged,
            self.feeds.totals.refused,
            if self.feeds.is_clean() { "" } else { " (picket feed check says which)" }
        )?;
        match self.alerts.repeats {
            0 => writeln!(out, "alerts: {}", self.alerts.total)?,
            repeats => writeln!(out, "alerts: {}, and {repeats} more that were summed up in them", self.alerts.total)?,
        }
        list(out, "  by kind", self.alerts.by_kind.iter().map(|(key, &count)| ((*key).to_owned(), count)))?;
        list(out, "  by indicator", self.alerts.by_indicator.iter().map(|(key, &count)| (key.clone(), count)))?;
        list(out, "  by provider", self.alerts.by_provider.iter().map(|(key, &count)| (key.clone(), count)))?;
        list(out, "  by host", self.alerts.top_talkers.iter().map(|t| (t.ip.to_string(), t.alerts)))?;
        list(out, "suppressed by the allow-list", self.suppressed.iter().map(|(key, &count)| (key.clone(), count)))?;
        self.visibility.print(out)?;
        if self.not_inspected.is_empty() {
            writeln!(out, "not inspected: nothing")?;
        }
        let lines = self.not_inspected.iter().map(|line| (format!("{} ({})", line.reason, line.unit), line.count));
        list(out, "not inspected", lines)?;
        for trouble in &self.troubles {
            writeln!(out, "warning: {} at byte {}: {}", trouble.path, trouble.offset, trouble.reason)?;
        }
        if let Some(live) = &self.live {
            live.print(out)?;
        }
        if self.interrupted {
            writeln!(out, "stopped before the end of the captures")?;
        }
        Ok(())
    }
}

impl LiveFigures {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let by_worker: Vec<String> = self.frames_by_worker.iter().map(u64::to_string).collect();
        writeln!(out, "workers: {} frames; {} reloads", by_worker.join(", "), self.reloads)?;
        writeln!(
            out,
            "lost: {} frames dropped by the kernel, {} by interfaces, {} times a ring was full; {} alerts, {} notices",
            self.kernel_dropped, self.interface_dropped, self.ring_freezes, self.alerts_dropped, self.notices_dropped
        )?;
        if self.worker_restarts > 0 {
            let (restarts, frames) = (self.worker_restarts, self.frames_lost_to_restarts);
            writeln!(out, "warning: {restarts} restarts of workers after a defect, {frames} frames lost with them")?;
        }
        Ok(())
    }
}

/// Suppressed hits by indicator id; those of indicators that are withheld are counted together.
fn suppressed(outcome: &Outcome, set: &MatchSet, audience: &Audience) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (&ix, count) in outcome.counters.suppressed.iter() {
        let indicator = set.indicator(ix);
        let name = match audience.may_see(set.indicators(), indicator) {
            true => printable(indicator.id().as_bytes()),
            false => WITHHELD.to_owned(),
        };
        *counts.entry(name).or_default() += count;
    }
    counts
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn list(out: &mut dyn Write, title: &str, lines: impl Iterator<Item = (String, u64)>) -> io::Result<()> {
    let mut lines: Vec<(String, u64)> = lines.collect();
    if lines.is_empty() {
        return Ok(());
    }
    lines.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    writeln!(out, "{title}:")?;
    for (name, count) in lines.iter().take(MAX_LINES) {
        writeln!(out, "    {count:>10}  {name}")?;
    }
    if lines.len() > MAX_LINES {
        writeln!(out, "    ... and {} more", lines.len() - MAX_LINES)?;
    }
    Ok(())
}

impl From<&FileInfo> for Capture {
    fn from(file: &FileInfo) -> Self {
        Self {
            path: file.path.to_string_lossy().into_owned(),
            format: file.format,
            compression: file.compression,
            frames: file.frames,
            skipped: file.skipped,
        }
    }
}

impl From<&Trouble> for Problem {
    fn from(trouble: &Trouble) -> Self {
        Self {
            path: trouble.path.to_string_lossy().into_owned(),
            offset: trouble.offset,
            code: trouble.code,
            reason: trouble.reason.clone(),
            unreadable: trouble.unreadable,
        }
    }
}
