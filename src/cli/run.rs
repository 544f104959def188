//! What runs share, over captures or live: their arguments, loading feeds, and the summary as a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::bail;
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory};

use super::aside::AsideArgs;
use super::clearance::ReaderArgs;
use super::outputs::{Asked, FormatName};
use crate::feed::{self, LoadReport};
use crate::indicator::IndicatorSet;
use crate::marking::Clearances;
use crate::matcher::MatchSet;
use crate::pipeline::Summary;
use crate::proto::{Protocols, Session};
use crate::sink::OutputOptions;
use crate::time::Timestamp;

/// Arguments of every run, over captures or live.
#[derive(Args, Clone)]
pub(super) struct RunArgs {
    /// Feed file, or directory of feeds; may be given several times. A live run loads them anew when a file changes, or on SIGHUP.
    #[arg(long = "feed", value_name = "FEED")]
    pub(super) feeds: Vec<PathBuf>,
    /// Allow-list, in any feed format: what it covers raises no alert and is counted.
    #[arg(long, value_name = "FILE")]
    pub(super) allow: Vec<PathBuf>,
    /// Load dangerous entries too: public suffixes, default routes, loopback, very short byte signatures.
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) reader: ReaderArgs,
    /// Whose section of the clearance file counts for the summary and the terminal; without it, what all outputs' readers may see.
    #[arg(long, value_name = "NAME", requires = "clearance")]
    pub(super) summary_clearance: Option<String>,
    /// Write the alerts here instead of standard output; a live run appends to the file. May be given several times. With --clearance,
    /// NAME= in front says whose section counts for this file.
    #[arg(long, value_name = "[NAME=]FILE")]
    pub(super) alerts: Vec<PathBuf>,
    /// Write the summary here at the end, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) summary: Option<PathBuf>,
    /// How alerts are written; a table on a terminal and ECS JSON Lines elsewhere if not given.
    #[arg(long, value_enum)]
    pub(super) format: Option<FormatName>,
    /// Flows followed at once; beyond that the oldest give way and are counted.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(256..=1_000_000_000))]
    pub(super) max_flows: u32,
    /// Protocols that are parsed, by name, with commas between; all if not given. In the flows of others only addresses and byte signatures are
    /// looked for, and they count as not recognised. What begins inside another (STARTTLS, a proxy's CONNECT) is found in that one only.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = PossibleValuesParser::new(Session::NAMES), hide_possible_values = true)]
    protocols: Vec<String>,
    #[command(flatten)]
    pub(super) aside: AsideArgs,
    /// No progress bar and no summary on the terminal.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl RunArgs {
    /// Where alerts go, and to whom.
    pub(super) fn asked<'a>(&'a self, is_live: bool, configured: &'a [(String, OutputOptions)]) -> Asked<'a> {
        Asked {
            alerts: &self.alerts,
            format: self.format,
            reader: &self.reader,
            summary_clearance: self.summary_clearance.as_deref(),
            is_live,
            configured,
        }
    }

    /// What [`RunArgs::protocols`] are.
    pub(super) fn protocols(&self) -> anyhow::Result<Protocols> {
        Ok(Protocols::named(&self.protocols)?)
    }

    /// Ends the program as it does for other wrong arguments if no feed is named: a live run may name them in its configuration.
    pub(super) fn need_feeds(&self, subcommand: &str) {
        if self.feeds.is_empty() {
            let mut command = super::Cli::command();
            command.build();
            let named = command.find_subcommand_mut(subcommand);
            let words = "no feed was named: --feed <FEED>";
            named.map(|command| command.error(ErrorKind::MissingRequiredArgument, words)).inspect(|error| error.exit());
        }
    }
}

/// Loads feeds and allow-lists for a run.
///
/// # Errors
/// A path that cannot be read; feeds with nothing in them that may be held.
pub(super) fn load_feeds(
    (feeds, allow): (&[PathBuf], &[PathBuf]),
    force: bool,
    clearances: Option<&Clearances>,
    kept: Option<&feed::Kept<'_>>,
) -> anyhow::Result<(IndicatorSet, IndicatorSet, LoadReport)> {
    let mut set = IndicatorSet::default();
    let clearance = clearances.map(|clearances| Arc::clone(&clearances.sensor));
    let options = feed::Options { force, clearance: clearance.clone() };
    let report = feed::load_keeping(feeds, &options, kept, &mut set)?;
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

/// The machine's clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(since.as_secs(), u64::from(since.subsec_nanos()))
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

/// Says how many indicators can never match because nothing is parsed that they ask for.
pub(super) fn warn_of_protocols(set: &MatchSet, protocols: Protocols) {
    if protocols == Protocols::ALL {
        return;
    }
    let is_parsed = |name: &str| protocols.includes(name);
    let indicators = set.indicators().iter();
    let count = indicators.filter(|i| i.when.is_some_and(|when| !when.can_hold_among(is_parsed))).count();
    if count > 0 {
        tracing::warn!(
            "{count} indicators cannot match: they ask for a protocol that is not parsed (--protocols, or flows.protocols)"
        );
    }
}

pub(super) fn write_summary(path: &Path, summary: &Summary) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, summary)?;
    file.write_all(b"\n")?;
    file.flush()
}
