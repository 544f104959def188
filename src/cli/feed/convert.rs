//! `picket feed convert`: feeds in one format.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::{Feeds, out};
use crate::feed;

#[derive(Debug, clap::Args)]
pub(super) struct ConvertArgs {
    #[command(flatten)]
    feeds: Feeds,
    /// The format to write
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    to: &'static str,
    /// Where to; replaced as a whole
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &ConvertArgs) -> anyhow::Result<ExitCode> {
    let (set, report) = args.feeds.load()?;
    let writer = feed::writer(args.to).context("no such format")?;
    let written = out::replace(&args.out, false, |out| (writer.write)(&set, super::time_of(None), out))?;
    args.feeds.print(&written, |to| {
        out::table(&written, to)?;
        match report.totals.refused {
            0 => Ok(()),
            refused => writeln!(to, "{refused} refused before: `picket feed check` says why"),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn format(name: &str) -> Result<&'static str, String> {
    let known = || feed::WRITERS.iter().map(|writer| writer.name).collect::<Vec<_>>().join(", ");
    feed::writer(name).map(|writer| writer.name).ok_or_else(|| format!("can be written: {}", known()))
}
