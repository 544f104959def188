//! The `picket` command: parses arguments, runs, exits: 0 done, 1 failed, 2 usage.

use std::process::ExitCode;

use clap::Parser;
use picket::cli::{Cli, log, protect, run};

fn main() -> ExitCode {
    let protected = protect::protect();
    let cli = Cli::parse();
    log::init();
    if let Err(error) = protected {
        tracing::warn!("core dumps cannot be disabled ({error}): a crash may write indicators to disk");
    }
    let code = run(&cli);
    log::settle();
    code.unwrap_or_else(|error| {
        eprintln!("picket: {error:#}");
        ExitCode::FAILURE
    })
}
