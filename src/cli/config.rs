//! `picket config`: the commented default, and whether a file will do: what it says, whether what it names is there, and what it may
//! take of the memory.

mod paths;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use indicatif::HumanBytes;
use serde::Serialize;

use self::paths::Trouble;
pub(super) use self::paths::without_format;
use crate::config::{MemoryTable, Plan, SetBytes};
use crate::feed;
use crate::indicator::IndicatorSet;
use crate::marking::Clearances;
use crate::matcher::MatchSet;

/// Print or check a configuration of the live sensor.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a whole configuration: every option, explained, with its default
    Example,
    /// Say what is wrong with a configuration, what of it is not there, and what memory it may take
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The configuration
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,
    /// Load the feeds, to know what their set takes instead of estimating it
    #[arg(long)]
    load: bool,
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

/// Where the package puts it.
pub const DEFAULT_FILE: &str = "/etc/picket/picket.toml";

/// What a check found.
#[derive(Serialize)]
struct Checked {
    file: String,
    troubles: Vec<Trouble>,
    memory: MemoryTable,
    /// Whether it would start.
    passes: bool,
}

/// Runs the subcommand. Exits with 1 for a configuration that would not start.
///
/// # Errors
/// A file that cannot be read or says what it must not.
pub fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Example => {
            written(io::stdout().lock().write_all(Plan::example().as_bytes()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(args) => check(args),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let plan = Plan::read(&args.file)?;
    let mut troubles = paths::troubles(&plan);
    let set = match args.load {
        true => load(&plan, &mut troubles),
        false => Some(estimate(&plan)),
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = MemoryTable::new(&plan, set.unwrap_or_else(|| estimate(&plan)), processors);
    let passes = !memory.exceeds() && !troubles.iter().any(|trouble| trouble.stops_it);
    let checked = Checked { file: args.file.display().to_string(), troubles, memory, passes };
    let stdout = io::stdout().lock();
    let default = if stdout.is_terminal() { Form::Table } else { Form::Json };
    let mut out = io::BufWriter::new(stdout);
    let result = match args.format.unwrap_or(default) {
        Form::Table => checked.table(&mut out),
        Form::Json => serde_json::to_writer(&mut out, &checked).map_err(io::Error::from).and_then(|()| writeln!(out)),
    };
    written(result.and_then(|()| out.flush()))?;
    Ok(if passes { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A reader that has seen enough (`head`) is no failure.
fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write"),
        _ => Ok(()),
    }
}

/// What the set of the feeds takes, by their size on the disk.
pub(super) fn estimate(plan: &Plan) -> SetBytes {
    let (mut text, mut packed) = (0, 0);
    for path in plan.feeds.paths.iter().chain(&plan.feeds.allow) {
        sum(&paths::without_format(path), 0, &mut text, &mut packed);
    }
    SetBytes::estimate(text, packed)
}

/// Adds up a file, or what is below a directory.
fn sum(path: &Path, depth: usize, text: &mut u64, packed: &mut u64) {
    let Ok(metadata) = path.metadata() else { return };
    if metadata.is_file() {
        let is_packed = path.extension().is_some_and(|extension| extension == "gz" || extension == "zst");
        let bytes = if is_packed { packed } else { text };
        *bytes = bytes.saturating_add(metadata.len());
    } else if depth < MAX_DEPTH {
        let entries = path.read_dir().into_iter().flatten().flatten();
        entries.for_each(|entry| sum(&entry.path(), depth + 1, text, packed));
    }
}

/// Directories below directories, as the loader goes.
const MAX_DEPTH: usize = 16;

/// Loads and compiles what the sensor would; what cannot be loaded is a trouble.
fn load(plan: &Plan, troubles: &mut Vec<Trouble>) -> Option<SetBytes> {
    let loaded = (|| {
        let clearance = plan.feeds.clearance.as_deref().map(Clearances::read).transpose()?;
        let clearance = clearance.map(|clearances| Arc::clone(&clearances.sensor));
        let mut set = IndicatorSet::default();
        let options = feed::Options { force: plan.feeds.force, clearance: clearance.clone() };
        let report = feed::load(&plan.feeds.paths, &options, &mut set)?;
        let allow = super::clearance::load_allow(&plan.feeds.allow, clearance)?;
        anyhow::ensure!(
            !set.is_empty(),
            "no indicator was loaded ({} refused): `picket feed check` says why",
            report.totals.refused
        );
        let bytes = MatchSet::compile(set, allow).memory().iter().map(|part| part.bytes as u64).sum();
        Ok(SetBytes { bytes, is_measured: true })
    })();
    loaded.map_err(|error: anyhow::Error| troubles.push(Trouble::stops("feeds.paths", format!("{error:#}")))).ok()
}

impl Checked {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["memory", "of", "at most"]);
        for line in &self.memory.lines {
            table.add_row([line.part, &line.of, &HumanBytes(line.bytes).to_string()]);
        }
        table.add_row(["total", "", &HumanBytes(self.memory.total_bytes).to_string()]);
        if let Some(column) = table.column_mut(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "{table}")?;
        for trouble in &self.troubles {
            let sort = if trouble.stops_it { "error" } else { "warning" };
            writeln!(out, "{sort}: {}: {}", trouble.option, trouble.why)?;
        }
        let max = HumanBytes(self.memory.max_bytes);
        if self.memory.exceeds() {
            let total = HumanBytes(self.memory.total_bytes);
            writeln!(out, "error: memory.max: {total} is more than {max}: raise it, or lower what takes the most")?;
        }
        let verdict = if self.passes { "would start" } else { "would not start" };
        writeln!(out, "{}: {verdict}; memory.max is {max}", self.file)
    }
}
