//! The command line: one file a subcommand.

pub mod feed;
pub mod lookup;
