//! `picket lookup`: which indicators match a value, how and why.
//!
//! A value is taken as everything that it could be; a URL also as its host, said separately. Nothing of an indicator's
//! value is printed beyond what the user typed: indicators are named by id.

mod print;
mod reading;

use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::indicator::{Condition, Indicator, IndicatorIx, Observable};
use crate::matcher::{Hit, How, MatchSet, Matcher};
use crate::time::Timestamp;
use reading::Reading;

/// Which indicators match a value, how and why. Exits 1 when none matches.
#[derive(clap::Args)]
pub struct LookupArgs {
    /// Feed file or directory; may be repeated
    #[arg(long = "feed", value_name = "FEED", required = true)]
    pub feeds: Vec<PathBuf>,
    /// Load dangerous entries too (public suffixes, default routes, very short signatures)
    #[arg(long)]
    pub force: bool,
    /// Who asks.
    #[command(flatten)]
    pub reader: super::clearance::ReaderArgs,
    /// Allow-list, in any feed format: what it covers is shown as suppressed; may be repeated
    #[arg(long, value_name = "FILE")]
    pub allow: Vec<PathBuf>,
    /// Judge validity at this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    pub at: Option<jiff::Timestamp>,
    /// Address, address:port[/tcp|/udp], name, URL, user-agent, JA3, JA4 or digest; [.] and hxxp are undone
    #[arg(value_name = "VALUE", required = true)]
    pub values: Vec<String>,
}

crate::bytes::opaque_debug!(LookupArgs, "LookupArgs");

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a reader.
    Table,
    /// One JSON document a value.
    JsonLines,
}

/// What matched one value.
struct Answer<'a> {
    value: &'a str,
    readings: Vec<Reading>,
    matches: Vec<Found<'a>>,
}

/// One indicator that matches.
struct Found<'a> {
    indicator: Indicator<'a>,
    /// Position in [`Answer::readings`].
    reading: usize,
    why: String,
    suppressed: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// A feed that cannot be read, or output that cannot be written.
pub fn run(args: &LookupArgs) -> anyhow::Result<ExitCode> {
    let allow = super::clearance::load_allow(&args.allow, args.reader.sensor()?)?;
    let set = MatchSet::compile(args.reader.load(&args.feeds, args.force)?, allow);
    let at = args.at.unwrap_or_else(jiff::Timestamp::now).as_nanosecond();
    let at = Timestamp::from_ns(u64::try_from(at).unwrap_or(0));
    let out = io::stdout().lock();
    let form = if out.is_terminal() { Form::Table } else { Form::JsonLines };
    let any = look_up(&Arc::new(set), &args.values, at, form, &mut io::BufWriter::new(out))?;
    Ok(if any { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints which indicators of `set`, valid at `at`, match each value; true if any does.
///
/// # Errors
/// Output that cannot be written.
pub fn look_up(
    set: &Arc<MatchSet>,
    values: &[String],
    at: Timestamp,
    form: Form,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut matcher = Matcher::new(Arc::clone(set));
    let answers: Vec<Answer<'_>> = values.iter().map(|value| answer(set, &mut matcher, value, at)).collect();
    match form {
        Form::Table => print::table(set, &answers, out)?,
        Form::JsonLines => print::json_lines(set, &answers, out)?,
    }
    out.flush()?;
    Ok(answers.iter().any(|answer| !answer.matches.is_empty()))
}

fn answer<'a>(set: &'a MatchSet, matcher: &mut Matcher, value: &'a str, at: Timestamp) -> Answer<'a> {
    let readings = reading::of(value);
    let mut matches: Vec<Found<'a>> = Vec::new();
    let mut hits: Vec<Hit> = Vec::new();
    for (number, reading) in readings.iter().enumerate() {
        hits.clear();
        reading.each_observable(|observable| matcher.seen(observable, at, &mut hits));
        if let Some((ip, port)) = reading.address() {
            reading.each_observable(|about| hits.extend(rules_about(set, matcher, (ip, port), about, at)));
        }
        for hit in &hits {
            let known = |found: &Found<'_>| found.reading == number && found.indicator.ix == hit.indicator;
            if !matches.iter().any(known) {
                let indicator = set.indicator(hit.indicator);
                let why = why(hit.how, &indicator, &reading.text());
                matches.push(Found { indicator, reading: number, why, suppressed: hit.suppressed });
            }
        }
    }
    Answer { value, readings, matches }
}

/// Rules of a header alone that are about an address.
fn rules_about(
    set: &MatchSet,
    matcher: &mut Matcher,
    (ip, port): (IpAddr, Option<u16>),
    about: &Observable<'_>,
    at: Timestamp,
) -> Vec<Hit> {
    let mut found = Vec::new();
    set.header_rules([ip, ip], &mut found);
    let mut is_about = |ix: &IndicatorIx| {
        let indicator = set.indicator(*ix);
        indicator.window.contains(at) && indicator.rule.is_some_and(|rule| rule.ends.is_about(ip, port))
    };
    found.retain(&mut is_about);
    found.into_iter().map(|ix| matcher.fulfilled(ix, about, at)).collect()
}

/// Why it matches, in words that hold nothing but what was typed.
fn why(how: How, indicator: &Indicator<'_>, typed: &str) -> String {
    let mut why = match how {
        How::Exact => "exact".to_string(),
        How::Subtree { labels } => {
            let above = typed.splitn(labels + 1, '.').last().unwrap_or(typed);
            format!("below {above}")
        }
        How::Network { bits } => format!("in a /{bits}"),
        How::Port => "address and port".to_string(),
        How::Prefix => "below the URL's path".to_string(),
        How::Pattern { .. } => "bytes".to_string(),
        How::Header => "whom a rule is about".to_string(),
        How::Message(_) | How::Rule { .. } => "rule".to_string(),
    };
    if let (Some(port), How::Network { .. } | How::Port) = (indicator.port, how) {
        why.push_str(&format!(", port {port}"));
    }
    if let Some(transport) = indicator.transport {
        why.push_str(&format!(", only {}", reading::transport_word(transport)));
    }
    for (part, value) in indicator.when.into_iter().flat_map(Condition::parts) {
        match part.trim_start_matches("picket.when.") {
            // An indicator's value, that nobody asked for here.
            "function" => why.push_str(", when a certain control-system function was seen"),
            part => why.push_str(&format!(", when {part} is {value}")),
        }
    }
    why
}

/// Who named the indicator: feed and line.
fn sources(set: &MatchSet, ix: IndicatorIx) -> impl Iterator<Item = (crate::indicator::ContextRef<'_>, u32)> {
    set.indicators().sources(ix)
}

#[cfg(test)]
mod tests;
