//! The `picket` command: parses arguments, runs, exits: 0 done, 1 failed, 2 usage.

use std::process::ExitCode;

use clap::Parser;
use picket::cli::{Cli, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("PICKET_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    run(&cli).unwrap_or_else(|error| {
        eprintln!("picket: {error:#}");
        ExitCode::FAILURE
    })
}
