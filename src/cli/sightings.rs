//! `picket sightings`: which indicators were seen, how often and when, for whoever gave the feed. Only where the customer agreed to it,
//! and never who, where or in what traffic.
//!
//! What goes back is a STIX 2.1 bundle: a sighting for each indicator that has an id of its feed's own and was seen `MIN_COUNT` times
//! or more, under the customer's sector, in whole hours. The rest is two sums. Ids that Picket derives are digests of values: whoever
//! has no feed could try values out on them, so they are left out.

mod bundle;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use super::clearance::ReaderArgs;
use bundle::Sighting;

/// Arguments of `picket sightings`.
#[derive(Debug, Args)]
pub struct SightingsArgs {
    /// Alerts as `picket replay --format ecs` wrote them; may be given several times
    #[arg(long = "from", value_name = "ALERTS", required = true)]
    from: Vec<PathBuf>,
    #[command(flatten)]
    reader: ReaderArgs,
    /// Write the STIX 2.1 bundle here
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Fewer sightings of an indicator than this are not told: they would say more of the customer than of the indicator.
const MIN_COUNT: u64 = 5;

/// Longest line of alerts read; longer ones are counted and passed over.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Indicators counted apart; further ones are refused, because their counts would be wrong.
const MAX_INDICATORS: usize = 1_000_000;

/// STIX 2.1: the largest `count` of a sighting.
const MAX_COUNT: u64 = 999_999_999;

/// What is counted of alerts.
#[derive(Default)]
struct Tally {
    seen: BTreeMap<String, Seen>,
    /// Alerts without an id of a feed's own: customer records, and derived ids.
    without_id: u64,
    /// Lines that are no alerts.
    unreadable: u64,
}

struct Seen {
    count: u64,
    first_secs: i64,
    last_secs: i64,
}

/// What is read of an alert.
#[derive(Deserialize)]
struct Alert {
    #[serde(rename = "@timestamp")]
    time: jiff::Timestamp,
    threat: Option<Threat>,
    #[serde(default)]
    event: EventTimes,
    #[serde(default)]
    picket: Own,
}

/// Of one that stands for others: when those were.
#[derive(Deserialize, Default)]
struct EventTimes {
    start: Option<jiff::Timestamp>,
    end: Option<jiff::Timestamp>,
}

#[derive(Deserialize, Default)]
struct Own {
    repeats: Option<Repeats>,
}

#[derive(Deserialize)]
struct Repeats {
    count: u64,
}

#[derive(Deserialize)]
struct Threat {
    enrichments: Vec<Enrichment>,
}

#[derive(Deserialize)]
struct Enrichment {
    matched: Matched,
}

#[derive(Deserialize)]
struct Matched {
    id: String,
}

/// Runs the subcommand.
///
/// # Errors
/// No consent, files that cannot be read or written.
pub fn run(args: &SightingsArgs) -> anyhow::Result<ExitCode> {
    let sector = consented_sector(args)?;
    let mut tally = Tally::default();
    for path in &args.from {
        let name = || format!("cannot read alerts from {}", path.display());
        tally.read(BufReader::new(File::open(path).with_context(name)?)).with_context(name)?;
    }
    let (told, kept): (Vec<_>, Vec<_>) = tally.seen.iter().partition(|(_, seen)| seen.count >= MIN_COUNT);
    let sightings = told.iter().map(|(id, seen)| Sighting {
        indicator: id.as_str(),
        count: seen.count.min(MAX_COUNT),
        first_secs: seen.first_secs,
        last_secs: seen.last_secs,
    });
    let bundle = bundle::of(&sector, sightings);
    let cannot = || format!("cannot write sightings to {}", args.out.display());
    write(&args.out, &bundle).with_context(cannot)?;
    let suppressed: u64 = kept.iter().map(|(_, seen)| seen.count).sum();
    let mut err = io::stderr().lock();
    writeln!(err, "{} sightings written, sector {sector}", told.len())?;
    writeln!(err, "suppressed: {} indicators, {suppressed} alerts (seen under {MIN_COUNT} times)", kept.len())?;
    writeln!(
        err,
        "not counted: {} alerts without a feed's id, {} lines that are no alerts",
        tally.without_id, tally.unreadable
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The sector to report under, if the customer agreed to share.
fn consented_sector(args: &SightingsArgs) -> anyhow::Result<String> {
    let sink = args.reader.sink();
    let Some((file, clearances)) = args.reader.clearance.as_deref().zip(args.reader.read()?) else {
        bail!(
            "nothing is shared without the customer's consent: give --clearance FILE, with consents = true in [sink.{sink}] of it"
        );
    };
    if !clearances.of_sink(sink).consents {
        bail!(
            "nothing is shared without the customer's consent: if they agreed to it, set consents = true in [sink.{sink}] of {}",
            file.display()
        );
    }
    match &clearances.record_of(sink).sector {
        Some(sector) => Ok(sector.to_string()),
        None => {
            bail!("sightings name a sector and no customer: set sector in [sink.{sink}.record] of {}", file.display())
        }
    }
}

impl Tally {
    fn read(&mut self, mut from: impl BufRead) -> anyhow::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if from.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.len() > MAX_LINE_BYTES && line.last() != Some(&b'\n') {
                from.skip_until(b'\n')?;
                self.unreadable += 1;
                continue;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<Alert>(&line) {
                Ok(alert) => self.count(&alert)?,
                Err(_) => self.unreadable += 1,
            }
        }
    }

    /// An alert names one indicator, once for each feed.
    fn count(&mut self, alert: &Alert) -> anyhow::Result<()> {
        let id = alert.threat.as_ref().and_then(|threat| threat.enrichments.first()).map(|first| &first.matched.id);
        let Some(id) = id.filter(|id| !is_derived(id)) else {
            self.without_id += 1;
            return Ok(());
        };
        let secs = alert.time.as_second();
        if self.seen.len() >= MAX_INDICATORS && !self.seen.contains_key(id) {
            bail!("alerts of over {MAX_INDICATORS} indicators: count fewer at once");
        }
        let seen = self.seen.entry(id.clone()).or_insert(Seen { count: 0, first_secs: secs, last_secs: secs });
        // One that stands for others does not count itself.
        let count = alert.picket.repeats.as_ref().map_or(1, |repeats| repeats.count);
        seen.count = seen.count.saturating_add(count);
        let secs_of = |time: Option<jiff::Timestamp>| time.map_or(secs, jiff::Timestamp::as_second);
        seen.first_secs = seen.first_secs.min(secs_of(alert.event.start));
        seen.last_secs = seen.last_secs.max(secs_of(alert.event.end));
        Ok(())
    }
}

/// Whether Picket made the id out of the value: a kind and 128 bits.
fn is_derived(id: &str) -> bool {
    let Some((kind, digest)) = id.rsplit_once("--") else { return false };
    crate::indicator::Kind::by_name(kind).is_some()
        && digest.len() == 32
        && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn write(path: &std::path::Path, bundle: &serde_json::Value) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut out, bundle)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(time: &str, id: &str) -> String {
        format!(
            r#"{{"@timestamp":"{time}","threat":{{"enrichments":[{{"matched":{{"id":"{id}"}}}},{{"matched":{{"id":"{id}"}}}}]}}}}"#
        )
    }

    #[test]
    fn alerts_are_counted_by_id_with_their_first_and_last_time() {
        let derived = format!("domain-name--{}", "0a".repeat(16));
        let text = [
            alert("2024-03-01T12:00:00Z", "a"),
            alert("2024-03-01T10:59:59.5Z", "a"),
            String::new(),
            alert("2024-03-01T10:00:00Z", &derived),
            r#"{"@timestamp":"2024-03-01T10:00:00Z","picket":{"record":"customer"}}"#.to_owned(),
            "{no alert".to_owned(),
            format!("\"{}\"", "x".repeat(MAX_LINE_BYTES)),
            alert("2024-03-01T12:00:01Z", "a"),
            alert("2024-03-01T12:00:01Z", "a").replacen(
                '{',
                r#"{"event":{"start":"2024-03-01T09:59:59Z","end":"2024-03-01T12:00:01Z"},"picket":{"repeats":{"count":40}},"#,
                1,
            ),
        ]
        .join("\n");
        let mut tally = Tally::default();
        tally.read(text.as_bytes()).expect("reads");
        assert_eq!((tally.seen.len(), tally.without_id, tally.unreadable), (1, 2, 2));
        let seen = &tally.seen["a"];
        assert_eq!((seen.count, seen.last_secs - seen.first_secs), (43, 7202));
    }

    #[test]
    fn an_id_that_picket_derived_is_told_from_a_feed_s_own() {
        assert!(is_derived(&format!("ipv4-addr--{}", "0".repeat(32))));
        for own in ["name", "indicator--6a2e9c1e-0000-4000-8000-000000000000", "x--00000000000000000000000000000000"] {
            assert!(!is_derived(own), "{own}");
        }
    }
}
