//! The `picket` command: parses arguments, runs, exits: 0 done, 1 failed, 2 usage.

use std::process::ExitCode;

use clap::Parser;
use picket::cli::{Cli, protect, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let protected = protect::protect();
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("PICKET_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    if let Err(error) = protected {
        tracing::warn!("core dumps cannot be disabled ({error}): a crash may write indicators to disk");
    }
    run(&cli).unwrap_or_else(|error| {
        eprintln!("picket: {error:#}");
        ExitCode::FAILURE
    })
}
