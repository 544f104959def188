//! The command line: one file a subcommand. Only here is a clock or a terminal looked at, and only here does a user see text.

mod aside;
mod clearance;
pub mod config;
#[cfg(target_os = "linux")]
pub mod confine;
#[cfg(target_os = "linux")]
pub mod doctor;
pub mod explain;
pub mod feed;
pub mod log;
pub mod lookup;
pub mod marking;
mod outputs;
pub mod protect;
pub mod replay;
mod run;
#[cfg(target_os = "linux")]
pub mod service;
pub mod sightings;
pub mod status;
pub mod watch;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::marking::{Clearance, Clearances};

/// Match marked threat indicators on network traffic.
#[derive(Parser)]
#[command(name = "picket", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replay capture files against feeds and report every hit.
    Replay(replay::ReplayArgs),
    /// Match feeds on what comes in from network interfaces, until it is stopped.
    Watch(watch::WatchArgs),
    /// Say which indicators match a value, how and why.
    Lookup(lookup::LookupArgs),
    /// Say how one packet was read, what it showed and why it matched or did not.
    Explain(explain::ExplainArgs),
    /// Say back which indicators were seen, anonymously, where the customer agreed to it.
    Sightings(sightings::SightingsArgs),
    /// Check feeds and count what is in them.
    Feed(feed::FeedArgs),
    /// Print or check a configuration of the live sensor.
    Config(config::ConfigArgs),
    /// Say what a marking lets the sensor and each sink do, and which rule decides.
    Marking(marking::MarkingArgs),
    /// Say whether a sensor could do its work on this machine, and what to do where it could not.
    #[cfg(target_os = "linux")]
    Doctor(doctor::DoctorArgs),
    /// Say how the sensor on this machine is.
    Status(status::StatusArgs),
    /// Have the sensor on this machine read feeds, lists, clearance and outputs again.
    Reload(status::ReloadArgs),
    /// End the sensor on this machine in order.
    Stop(status::StopArgs),
}

/// Runs what the arguments ask for.
///
/// # Errors
/// What a user can do something about, in words.
pub fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Replay(args) => replay::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Lookup(args) => lookup::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Sightings(args) => sightings::run(args),
        Command::Feed(args) => feed::run(args),
        Command::Config(args) => config::run(args),
        Command::Marking(args) => marking::run(args),
        #[cfg(target_os = "linux")]
        Command::Doctor(args) => doctor::run(args),
        Command::Status(args) => status::status(args),
        Command::Reload(args) => status::reload(args),
        Command::Stop(args) => status::stop(args),
    }
}

/// What the sensor may hold, by its clearance file; without one, whoever gives the feed has it hold everything.
fn sensor(clearance: Option<&Path>) -> anyhow::Result<Option<Arc<Clearance>>> {
    Ok(clearance.map(Clearances::read).transpose()?.map(|all| all.sensor))
}
