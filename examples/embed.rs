//! Picket as a library: which indicators of a feed occur in captures, and where.
//!
//! `cargo run --release --example embed -- feeds/ fixtures/pcaps/http-url.pcap`
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use picket::alert::printable;
use picket::capture::Files;
use picket::feed;
use picket::indicator::IndicatorSet;
use picket::matcher::MatchSet;
use picket::pipeline::{self, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let feed = arguments.next().ok_or("usage: embed FEED CAPTURE..")?;
    let captures: Vec<PathBuf> = arguments.collect();

    let mut indicators = IndicatorSet::default();
    feed::load(&[feed], &feed::Options::default(), &mut indicators)?;
    let set = Arc::new(MatchSet::compile(indicators, IndicatorSet::default()));

    let replay = pipeline::replay(Files::open(&captures)?, set, &Options::default());
    for alert in &replay.alerts {
        let id = printable(alert.indicator().id().as_bytes());
        println!("{id} in {} of {} frame {}", alert.field.0, alert.capture.display(), alert.frame.number);
    }
    let outcome = replay.finish();
    println!("{} frames", outcome.counters.frames);
    Ok(())
}
