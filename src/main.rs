//! The `picket` command: parses arguments, runs, exits.

fn main() {}
