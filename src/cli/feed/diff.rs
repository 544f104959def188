//! `picket feed diff`: what a new version of a feed has that the old one has not.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::{Form, new_table};
use crate::alert::printable;
use crate::feed::diff::{Aspect, Change, Difference, diff};
use crate::feed::{self, Options};
use crate::indicator::IndicatorSet;
use crate::marking::{Clearance, Clearances};

#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The feed as it was
    old: PathBuf,
    /// The feed as it is
    new: PathBuf,
    /// Show values too
    #[arg(long)]
    values: bool,
    /// Show values only to whom this file clears for `[sink.stdout]`
    #[arg(long, value_name = "FILE", requires = "values")]
    clearance: Option<PathBuf>,
    /// Exit 1 if they differ, like diff(1)
    #[arg(long)]
    exit_code: bool,
    /// List this many differences at most; all are counted
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Load dangerous entries too
    #[arg(long)]
    force: bool,
    /// How to print; a table on a terminal and JSON otherwise if not given
    #[arg(long)]
    format: Option<Form>,
}

/// What differs, counted and listed.
#[derive(Default, Serialize)]
struct Report {
    added: u64,
    removed: u64,
    changed: u64,
    by_kind: BTreeMap<&'static str, Counts>,
    /// An indicator that two providers name counts for both; `""` is none.
    by_provider: BTreeMap<String, Counts>,
    differences: Vec<Row>,
}

#[derive(Default, Serialize)]
struct Counts {
    added: u64,
    removed: u64,
    changed: u64,
}

#[derive(Serialize)]
struct Row {
    change: Change,
    id: String,
    kind: &'static str,
    providers: Vec<String>,
    /// The line of the feed that has it.
    line: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aspects: Vec<Aspect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

pub(super) fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let reader = match &args.clearance {
        Some(path) => Clearances::read(path)?.of_sink("stdout").clone(),
        None => Clearance::owner(),
    };
    let options = Options { force: args.force, ..Options::default() };
    let (mut old, mut new) = (IndicatorSet::default(), IndicatorSet::default());
    feed::load(std::slice::from_ref(&args.old), &options, &mut old)?;
    feed::load(std::slice::from_ref(&args.new), &options, &mut new)?;
    let mut report = Report::default();
    for difference in diff(&old, &new) {
        let set = if difference.change == Change::Removed { &old } else { &new };
        report.add(set, &difference, args, &reader);
    }
    super::print(args.format, &report, |out| report.table(args, out))?;
    let differ = report.added + report.removed + report.changed > 0;
    Ok(if differ && args.exit_code { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Counts {
    fn add(&mut self, change: Change) {
        match change {
            Change::Added => self.added += 1,
            Change::Removed => self.removed += 1,
            Change::Changed => self.changed += 1,
        }
    }

    fn cells(&self) -> [String; 3] {
        [self.added, self.removed, self.changed].map(|count| count.to_string())
    }
}

impl Report {
    fn add(&mut self, set: &IndicatorSet, difference: &Difference, args: &DiffArgs, reader: &Clearance) {
        let indicator = set.get(difference.ix);
        match difference.change {
            Change::Added => self.added += 1,
            Change::Removed => self.removed += 1,
            Change::Changed => self.changed += 1,
        }
        self.by_kind.entry(indicator.kind.name).or_default().add(difference.change);
        let mut providers: Vec<String> = Vec::new();
        let (mut line, mut may_see) = (0, false);
        for (context, at) in set.sources(difference.ix) {
            let provider = context.provider.unwrap_or_default();
            if !providers.iter().any(|known| known == provider) {
                providers.push(provider.to_owned());
            }
            line = if line == 0 { at } else { line };
            may_see |= reader.may_see(context.marking).allowed;
        }
        for provider in &providers {
            self.by_provider.entry(provider.clone()).or_default().add(difference.change);
        }
        if self.differences.len() < args.limit {
            self.differences.push(Row {
                change: difference.change,
                id: indicator.id().into_owned(),
                kind: indicator.kind.name,
                providers: providers.into_iter().filter(|provider| !provider.is_empty()).collect(),
                line,
                aspects: difference.aspects.iter().copied().collect(),
                value: (args.values && may_see).then(|| (indicator.kind.display)(indicator.value).into_owned()),
            });
        }
    }

    fn table(&self, args: &DiffArgs, out: &mut dyn Write) -> io::Result<()> {
        let word = |change| match change {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
        };
        if !self.differences.is_empty() {
            let mut rows = new_table(["", "id", "kind", "provider", "line", "what", "value"]);
            for row in &self.differences {
                let aspects: Vec<String> = row.aspects.iter().map(|a| format!("{a:?}").to_lowercase()).collect();
                rows.add_row([
                    word(row.change).to_owned(),
                    printable(row.id.as_bytes()),
                    row.kind.to_owned(),
                    printable(row.providers.join(", ").as_bytes()),
                    row.line.to_string(),
                    aspects.join(", "),
                    row.value.as_deref().map_or(String::new(), |value| printable(value.as_bytes())),
                ]);
            }
            if !args.values {
                rows.column_mut(6).map(|column| column.set_constraint(comfy_table::ColumnConstraint::Hidden));
            }
            writeln!(out, "{rows}")?;
            let mut kinds = new_table(["kind", "added", "removed", "changed"]);
            for (kind, counts) in &self.by_kind {
                kinds.add_row([[(*kind).to_owned()].as_slice(), &counts.cells()].concat());
            }
            writeln!(out, "{kinds}")?;
        }
        let more = (self.added + self.removed + self.changed).saturating_sub(self.differences.len() as u64);
        if more > 0 {
            writeln!(out, "and {more} more (--limit)")?;
        }
        writeln!(out, "{} added, {} removed, {} changed", self.added, self.removed, self.changed)
    }
}
