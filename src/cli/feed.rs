//! `picket feed`: what loads from feeds and what is refused (`check`), what they hold (`stats`), what a new one has that the old
//! one has not (`diff`); feeds in another format (`convert`), as what others act on (`export`), and from a server (`fetch`).
//!
//! No indicator value is printed unless it is asked for: entries are named by feed and line.

mod check;
mod convert;
mod diff;
mod export;
mod fetch;
mod out;
mod stats;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::clearance::shown;
use crate::feed::{self, Category, LoadReport};
use crate::indicator::IndicatorSet;
use crate::marking::{Clearance, Clearances};
use crate::time::Timestamp;

/// Check feeds and count what is in them.
#[derive(Debug, clap::Args)]
pub struct FeedArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what loads, what is refused, and what of it is inert, broad, twice, expired or allow-listed, by line and reason
    Check {
        #[command(flatten)]
        feeds: Feeds,
        /// An allow-list: what it covers of the feeds is contradictory; repeatable
        #[arg(long, value_name = "FEED")]
        allow: Vec<PathBuf>,
        /// Judge validity at this time (RFC 3339) instead of now
        #[arg(long, value_name = "TIME")]
        at: Option<jiff::Timestamp>,
        /// Exit 1 if anything of these categories was found; repeatable
        #[arg(long, value_name = "CATEGORY", value_parser = check::category)]
        deny: Vec<Category>,
        /// Exit 1 if anything was refused or a file could not be read to its end
        #[arg(long)]
        strict: bool,
    },
    /// Count indicators by kind, marking, provider and validity, and the memory of the compiled set
    Stats {
        #[command(flatten)]
        feeds: Feeds,
        /// Judge validity at this time (RFC 3339) instead of now
        #[arg(long, value_name = "TIME")]
        at: Option<jiff::Timestamp>,
    },
    /// Say what a new feed has that the old one has not, and what it says differently
    Diff(diff::DiffArgs),
    /// Write feeds in one format
    Convert(convert::ConvertArgs),
    /// Write what a resolver, firewall, mail server or other sensor is to act on, as far as the markings permit it
    Export(export::ExportArgs),
    /// Fetch a collection of a TAXII 2.1 server
    Fetch(fetch::FetchArgs),
}

/// What most take.
#[derive(Debug, clap::Args)]
struct Feeds {
    /// Feed files, or directories of feeds
    #[arg(value_name = "FEED", required = true)]
    paths: Vec<PathBuf>,
    /// Load dangerous entries too (public suffixes, default routes, loopback, very short signatures)
    #[arg(long)]
    force: bool,
    /// Clearance file: what the sensor may not hold is refused and counted; ids, providers and counts (`stats`) are those that
    /// the readers of [sink.stdout] may know
    #[arg(long, value_name = "FILE")]
    clearance: Option<PathBuf>,
    /// How to print; a table on a terminal and JSON otherwise if not given
    #[arg(long)]
    format: Option<Form>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For a reader.
    Table,
    /// One JSON document.
    Json,
}

/// Runs the subcommand.
///
/// # Errors
/// A feed that cannot be read, or output that cannot be written.
pub fn run(args: &FeedArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Check { feeds, allow, at, deny, strict } => {
            let (set, mut report) = feeds.load()?;
            let mut allowed = IndicatorSet::default();
            feed::load_allow_lists(allow, super::sensor(feeds.clearance.as_deref())?, &mut allowed)?;
            feed::audit(&set, &allowed, time_of(*at), &mut report);
            if let Some(reader) = feeds.reader()? {
                feed::withhold(&mut report, &set.released(|context| shown(&reader, context)));
            }
            feeds.print(&report, |out| check::table(&report, out))?;
            let denied = deny.iter().any(|category| report.totals.findings[*category as usize] > 0);
            let fails = denied || (*strict && !report.is_clean());
            Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Command::Stats { feeds, at } => {
            let at = time_of(*at);
            let (set, report) = feeds.load()?;
            if set.is_empty() {
                bail!("no indicator was loaded ({} refused): `picket feed check` says why", report.totals.refused);
            }
            let set = match feeds.reader()? {
                Some(reader) => set.released(|context| shown(&reader, context)),
                None => set,
            };
            let stats = stats::Stats::of(set, at);
            feeds.print(&stats, |out| stats.table(out))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Diff(args) => diff::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Export(args) => export::run(args),
        Command::Fetch(args) => fetch::run(args),
    }
}

/// The time that validity is judged at.
fn time_of(at: Option<jiff::Timestamp>) -> Timestamp {
    let ns = at.unwrap_or_else(jiff::Timestamp::now).as_nanosecond().max(0);
    u64::try_from(ns).map_or(Timestamp::MAX, Timestamp::from_ns)
}

impl Feeds {
    fn load(&self) -> anyhow::Result<(IndicatorSet, LoadReport)> {
        let mut set = IndicatorSet::default();
        let options = feed::Options { force: self.force, clearance: super::sensor(self.clearance.as_deref())? };
        let report = feed::load(&self.paths, &options, &mut set)?;
        Ok((set, report))
    }

    /// Who reads what is printed, if not everybody may see all of it.
    fn reader(&self) -> anyhow::Result<Option<Clearance>> {
        let clearances = self.clearance.as_deref().map(Clearances::read).transpose()?;
        Ok(clearances.map(|clearances| clearances.of_sink("stdout").clone()))
    }

    fn print(
        &self,
        document: &impl serde::Serialize,
        table: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        print(self.format, document, table)
    }
}

fn print(
    form: Option<Form>,
    document: &impl serde::Serialize,
    table: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    let stdout = io::stdout().lock();
    let default = if stdout.is_terminal() { Form::Table } else { Form::Json };
    let mut out = io::BufWriter::new(stdout);
    let written = match form.unwrap_or(default) {
        Form::Table => table(&mut out),
        Form::Json => serde_json::to_writer(&mut out, document).map_err(io::Error::from).and_then(|()| writeln!(out)),
    };
    match written.and_then(|()| out.flush()) {
        // A reader that has seen enough (`head`) is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn new_table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header);
    table
}
