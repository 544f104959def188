//! `picket feed export`: indicators for a resolver, firewall, mail server or another sensor to act on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use super::{Feeds, out, time_of};
use crate::feed::Written;
use crate::feed::export::{self, Export};
use crate::indicator::kind::DOMAIN;
use crate::indicator::{Draft, IndicatorSet};
use crate::marking::{Clearance, Clearances};

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    feeds: Feeds,
    /// What is to act on it
    #[arg(long, value_name = "TARGET", value_parser = target)]
    to: &'static str,
    /// Where to; replaced as a whole
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Who acts and reads the export: this section of the clearance file, `[sink.NAME]`; that of the target's name if not given
    #[arg(long, value_name = "NAME", requires = "clearance")]
    sink: Option<String>,
    /// Judge validity at this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Answer listed names with this host instead of denying that they exist (rpz)
    #[arg(long, value_name = "HOST", value_parser = host)]
    sinkhole: Option<String>,
    /// The zone that it will be loaded as (rpz)
    #[arg(long, value_name = "ZONE", default_value = "rpz.picket", value_parser = host)]
    origin: String,
    /// Write which reference stands for which indicator: id, feed and line, for you alone
    #[arg(long, value_name = "FILE")]
    references: Option<PathBuf>,
}

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let reader = match &args.feeds.clearance {
        Some(path) => Clearances::read(path)?.of_sink(args.sink.as_deref().unwrap_or(args.to)).clone(),
        None => Clearance::owner(),
    };
    let (set, _) = args.feeds.load()?;
    let at = time_of(args.at);
    let mut refused = Written::default();
    let selected = export::select(&set, &reader, at, &mut refused);
    let export = Export { selected, at, sinkhole: args.sinkhole.as_deref(), origin: &args.origin };
    let mut written = out::replace(&args.out, false, |out| match export::write(args.to, &export, out) {
        Some(result) => result,
        None => Ok(Written::default()),
    })?;
    for (why, count) in refused.left_out {
        *written.left_out.entry(why).or_default() += count;
    }
    if let Some(path) = &args.references {
        out::replace(path, true, |out| {
            for selected in &export.selected {
                for (context, line) in set.sources(selected.indicator.ix) {
                    let row = serde_json::json!({"reference": selected.reference, "id": selected.indicator.id(), "feed": context.feed, "line": line});
                    writeln!(out, "{row}")?;
                }
            }
            Ok(())
        })?;
    }
    args.feeds.print(&written, |to| out::table(&written, to))?;
    if written.written == 0 && !set.is_empty() {
        bail!("nothing may be exported: the reasons are counted above; {} is empty", args.out.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn target(name: &str) -> Result<&'static str, String> {
    let known = || export::targets().collect::<Vec<_>>().join(", ");
    export::targets().find(|target| *target == name).ok_or_else(|| format!("known are {}", known()))
}

/// A name that can stand in a zone.
fn host(text: &str) -> Result<String, String> {
    let mut set = IndicatorSet::default();
    let context = set.context(crate::indicator::Context::default());
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    match set.add(&Draft::new(&DOMAIN, text.as_bytes(), context, 0), true) {
        Ok(_) if plain => Ok(text.trim_end_matches('.').to_ascii_lowercase()),
        _ => Err("not a host name".to_owned()),
    }
}
