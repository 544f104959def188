//! `picket feed`: what loads from feeds and what is refused (`check`), and what they hold (`stats`).
//!
//! No indicator value is printed: entries are named by feed and line.

mod check;
mod stats;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use crate::feed::{self, LoadReport};
use crate::indicator::IndicatorSet;
use crate::time::Timestamp;

/// Check feeds and count what is in them.
#[derive(Debug, clap::Args)]
pub struct FeedArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what loads and what is refused, by line and reason
    Check {
        #[command(flatten)]
        feeds: Feeds,
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
}

/// What both take.
#[derive(Debug, clap::Args)]
struct Feeds {
    /// Feed files, or directories of feeds
    #[arg(value_name = "FEED", required = true)]
    paths: Vec<PathBuf>,
    /// Load dangerous entries too (public suffixes, default routes, loopback, very short signatures)
    #[arg(long)]
    force: bool,
    /// Clearance file: what the sensor may not hold is refused and counted
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
        Command::Check { feeds, strict } => {
            let (_, report) = feeds.load()?;
            feeds.print(&report, |out| check::table(&report, out))?;
            Ok(if *strict && !report.is_clean() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Command::Stats { feeds, at } => {
            let at = at.unwrap_or_else(jiff::Timestamp::now).as_nanosecond().max(0);
            let at = u64::try_from(at).map_or(Timestamp::MAX, Timestamp::from_ns);
            let (set, report) = feeds.load()?;
            if set.is_empty() {
                bail!("no indicator was loaded ({} refused): `picket feed check` says why", report.totals.refused);
            }
            let stats = stats::Stats::of(set, &report, at);
            feeds.print(&stats, |out| stats.table(out))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Feeds {
    fn load(&self) -> anyhow::Result<(IndicatorSet, LoadReport)> {
        let mut set = IndicatorSet::default();
        let options = feed::Options { force: self.force, clearance: super::sensor(self.clearance.as_deref())? };
        let report = feed::load(&self.paths, &options, &mut set)?;
        Ok((set, report))
    }

    fn print(
        &self,
        document: &impl serde::Serialize,
        table: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let stdout = io::stdout().lock();
        let default = if stdout.is_terminal() { Form::Table } else { Form::Json };
        let mut out = io::BufWriter::new(stdout);
        let written = match self.format.unwrap_or(default) {
            Form::Table => table(&mut out),
            Form::Json => {
                serde_json::to_writer(&mut out, document).map_err(io::Error::from).and_then(|()| writeln!(out))
            }
        };
        match written.and_then(|()| out.flush()) {
            // A reader that has seen enough (`head`) is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn new_table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header);
    table
}
