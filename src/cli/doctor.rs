//! `picket doctor`: whether a sensor could do its work on this machine, and what to do where it could not: permission, interfaces and their
//! offloading, what arrives in some seconds and what is lost of it, feeds, memory, disks, kernel, clock, a sensor that runs already.
//!
//! Facts are gathered by one function and judged by another that looks at nothing else, so that every judgement is tested without the machine it is about.
//! Nothing is changed but that interfaces are promiscuous while it listens.

mod disk;
mod feeds;
mod finding;
mod interface;
mod kernel;
mod memory;
mod offload;
mod permission;
mod running;
mod traffic;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use crate::config::Plan;
use finding::{Finding, Report};

/// Arguments of `picket doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Interface to look at; may be given several times. Without one, those of the configuration
    #[arg(short, long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
    /// Feed file, or directory of feeds, besides those of the configuration; may be given several times
    #[arg(long = "feed", value_name = "FEED")]
    feeds: Vec<PathBuf>,
    /// The configuration of the sensor
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to listen
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Answer in JSON, as is done wherever standard output is no terminal
    #[arg(long)]
    json: bool,
}

/// Looks, and says what it found: 1 if anything keeps a sensor from its work.
///
/// # Errors
/// A configuration that cannot be read, no interface, or output that cannot be written.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut plan = args.config.as_deref().map(Plan::read).transpose()?.unwrap_or_default();
    if !args.interfaces.is_empty() {
        plan.capture.interfaces.clone_from(&args.interfaces);
    }
    plan.feeds.paths.extend_from_slice(&args.feeds);
    if plan.capture.interfaces.is_empty() {
        bail!(
            "name an interface with -i, or a configuration with --config that does (`ip -br link` lists those of this machine)"
        );
    }
    let report = examine(&plan, Duration::from_secs(args.seconds));
    let mut out = io::stdout().lock();
    let written = if args.json || !io::stdout().is_terminal() { report.json(&mut out) } else { report.print(&mut out) };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn examine(plan: &Plan, time: Duration) -> Report {
    let mut findings = Vec::new();
    permission::judge(&permission::Facts::gather(), plan.capture.is_promiscuous, &mut findings);
    let names = &plan.capture.interfaces;
    let before: Vec<_> = names.iter().map(|name| interface::Facts::gather(name)).collect();
    let heard = traffic::listen(plan, time, &before);
    let after: Vec<_> = names.iter().map(|name| interface::Facts::gather(name)).collect();
    for ((name, before), after) in names.iter().zip(&before).zip(&after) {
        interface::judge(name, before, after, &mut findings);
        let features = before.is_there.then(|| offload::Facts::gather(name));
        offload::judge(name, features.as_ref(), &mut findings);
    }
    traffic::judge(names, &before, &heard, time, &mut findings);
    let set = feeds::examine(&plan.feeds, &mut findings);
    memory::judge(&memory::Facts::gather(plan, set), &mut findings);
    disk::examine(plan, &mut findings);
    kernel::judge(&kernel::Facts::gather(plan), &mut findings);
    running::examine(plan, &mut findings);
    Report { findings }
}

/// What is asked of a file below `/proc` or `/sys`; nothing if it is not there.
fn read_line(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
