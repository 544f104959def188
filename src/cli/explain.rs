//! `picket explain`: how one packet was read, layer by layer, which flow it fell in, what it showed, and why that matched or did not.
//! For whoever has to trust a "no alert".

mod json;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::alert::printable;
use crate::capture::Files;
use crate::flow::{Direction, StreamCounters};
use crate::indicator::IndicatorIx;
use crate::indicator::kind::BYTES;
use crate::matcher::{Hit, How, MatchSet, Matcher};
use crate::packet::{Address, Ends, written};
use crate::pipeline::{self, Explanation, FlowFacts, Noted, Options};
use crate::proto::Reading;
use crate::time::Timestamp;

/// Points in time at which indicators begin or cease to be valid that are tried, to tell one that is not valid from none.
const MAX_TIMES: usize = 4096;

/// Arguments of `picket explain`.
#[derive(Args)]
pub struct ExplainArgs {
    /// Number of the packet in its capture, from 1, as alerts have it (`picket.frame`).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frame: u64,
    /// Feed file, or directory of feeds; may be given several times. Without one, what the packet shows is listed.
    #[arg(long = "feed", value_name = "FEED")]
    feeds: Vec<PathBuf>,
    #[command(flatten)]
    reader: super::clearance::ReaderArgs,
    /// Allow-list, in any feed format.
    #[arg(long, value_name = "FILE")]
    allow: Vec<PathBuf>,
    /// Load dangerous entries too.
    #[arg(long)]
    force: bool,
    /// Of several captures, the one that the packet is in: its path or its name, as alerts have it (`picket.capture`).
    #[arg(long = "in", value_name = "CAPTURE")]
    within: Option<PathBuf>,
    /// How to print; without it text on a terminal and JSON elsewhere.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Captures, or directories of them, in the order in which they are replayed: pcap or pcapng, plain or compressed.
    #[arg(value_name = "CAPTURE", required = true)]
    captures: Vec<PathBuf>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For a reader.
    Text,
    /// One JSON document.
    Json,
}

/// Runs the subcommand.
///
/// # Errors
/// Feeds or captures that cannot be opened, a packet that is not there, output that cannot be written.
pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let files = Files::open(&args.captures)?;
    let paths: Vec<&Path> = files.files().iter().map(|file| file.path.as_path()).collect();
    let file = place(&paths, args.within.as_deref())?;
    let capture = paths.get(file).map(|path| path.display().to_string()).unwrap_or_default();
    let feeds = args.reader.load(&args.feeds, args.force)?;
    let set = Arc::new(MatchSet::compile(feeds, super::clearance::load_allow(&args.allow, args.reader.sensor()?)?));
    let Some(told) = pipeline::explain(files, &set, &Options::default(), (file, args.frame)) else {
        bail!("{capture} has no frame {}", args.frame);
    };
    let mut out = io::stdout().lock();
    let default = if out.is_terminal() { Form::Text } else { Form::Json };
    let written = match args.format.unwrap_or(default) {
        Form::Text => print(&told, &set, &mut out),
        Form::Json => {
            let document = json::document(&told, &capture, &mut Judge::new(&set, args.frame));
            writeln!(out, "{document}")
        }
    };
    match written {
        // A reader that has seen enough (`head`) is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Which of the captures is meant: by its whole path, or by its name if only one has it.
fn place(paths: &[&Path], within: Option<&Path>) -> anyhow::Result<usize> {
    let Some(wanted) = within else {
        if paths.len() > 1 {
            bail!("{} captures: say with --in which one the frame is in", paths.len());
        }
        return Ok(0);
    };
    if let Some(at) = paths.iter().position(|path| *path == wanted) {
        return Ok(at);
    }
    let mut named = paths.iter().enumerate().filter(|(_, path)| path.ends_with(wanted));
    match (named.next(), named.next()) {
        (Some((at, _)), None) => Ok(at),
        (None, _) => bail!("{} is none of the captures given", wanted.display()),
        (Some((_, a)), Some((_, b))) => {
            bail!("{} may be {} or {}: give its path", wanted.display(), a.display(), b.display())
        }
    }
}

fn print(told: &Explanation, set: &Arc<MatchSet>, out: &mut impl Write) -> io::Result<()> {
    let frame = &told.frame;
    writeln!(
        out,
        "frame {}, {}, {} bytes{}",
        frame.number,
        frame.time,
        frame.wire_bytes,
        match frame.captured_bytes < frame.wire_bytes {
            true => format!(", {} captured", frame.captured_bytes),
            false => String::new(),
        }
    )?;
    print_layers(told, out)?;
    match &told.flow {
        Some(flow) => print_flow(flow, out)?,
        None => writeln!(out, "flow: none, no address was decoded")?,
    }
    print_stream(told, out)?;
    match told.verdict {
        Some(verdict) => writeln!(out, "verdict: {}", verdict.words())?,
        None => writeln!(
            out,
            "verdict: open until the rest of its message, of its datagram, or the other direction, is seen"
        )?,
    }
    let mut judge = Judge::new(set, frame.number);
    print_seen("shown by this packet", &told.seen, &mut judge, out)?;
    print_seen("shown once later packets completed it", &told.seen_later, &mut judge, out)?;
    if told.left_out > 0 {
        writeln!(out, "  ... and {} more", told.left_out)?;
    }
    if told.seen.is_empty() && told.seen_later.is_empty() {
        writeln!(out, "nothing matched: the packet showed nothing that an indicator could name")?;
    }
    if told.alerts > 0 {
        writeln!(out, "alerts raised: {}", told.alerts)?;
    }
    Ok(())
}

fn print_layers(told: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let packet = &told.packet;
    writeln!(out, "layers:")?;
    for (name, at) in &told.layers {
        match name.as_str() {
            "Done" => writeln!(out, "  {at:>5}  payload, {} bytes", packet.payload_bytes)?,
            name => writeln!(out, "  {at:>5}  {name}")?,
        }
    }
    if let Some(stopped) = packet.stopped {
        writeln!(out, "  stopped at byte {}: {stopped}", stopped.offset)?;
    }
    if packet.payload_missing_bytes > 0 {
        writeln!(out, "  {} payload bytes were not captured", packet.payload_missing_bytes)?;
    }
    if packet.ip_version > 0 {
        let [source, destination] = ends(packet.ends, [packet.source.ip(), packet.destination.ip()]);
        let (from, to) = (packet.source_port, packet.destination_port);
        writeln!(out, "  {source} {from} -> {destination} {to}, protocol {}", packet.protocol)?;
    }
    Ok(())
}

/// Addresses as text: hardware addresses where there are no others.
fn ends(ends: Ends, addresses: [IpAddr; 2]) -> [String; 2] {
    let hardware = |ip: IpAddr| Address::from(ip).as_hardware().filter(|_| ends == Ends::Hardware);
    addresses.map(|ip| hardware(ip).map_or_else(|| ip.to_string(), written))
}

fn print_flow(flow: &FlowFacts, out: &mut impl Write) -> io::Result<()> {
    let ((a, p), (b, q)) = (flow.identity.originator(), flow.identity.responder());
    let [a, b] = ends(flow.identity.ends(), [a, b]);
    let way = match flow.direction {
        Direction::ToResponder => "to the responder",
        Direction::ToOriginator => "to the originator",
    };
    let since = if flow.is_new { "begun by this packet" } else { "begun before" };
    writeln!(out, "flow: {a} {p} -> {b} {q}, {since}, now {:?}; this packet goes {way}", flow.lifecycle)?;
    let protocol = flow.protocol.unwrap_or("not recognised");
    let reading = reading_word(flow.reading);
    let hole = if flow.has_hole { ", bytes wait behind a hole" } else { "" };
    writeln!(out, "  protocol: {protocol}; direction: {reading}{hole}")?;
    if !flow.is_new {
        writeln!(out, "  its addresses were looked up with its first packet")?;
    }
    Ok(())
}

fn reading_word(reading: Reading) -> &'static str {
    match reading {
        Reading::Unknown => "no protocol recognised yet",
        Reading::Searching => "the next message is looked for",
        Reading::Holding => "part of a message is held until the rest comes",
        Reading::Parsing => "every whole message was read",
        Reading::Skipping => "a body is stepped over",
        Reading::Done => "read no further",
    }
}

/// What happened to the packet in its stream.
fn in_its_stream(streams: &StreamCounters) -> impl Iterator<Item = &'static str> {
    [
        (streams.out_of_order, "arrived behind a hole"),
        (streams.retransmitted, "all its bytes were seen before; it was looked at on its own"),
        (streams.overlapping, "overlaps bytes seen before; it was looked at on its own"),
        (streams.gaps, "a hole was given up"),
        (streams.out_of_window, "too far from its stream; it was looked at on its own"),
        (streams.urgent_bytes, "has an urgent byte, read with and without"),
    ]
    .into_iter()
    .filter_map(|(count, what)| (count > 0).then_some(what))
}

/// The value as it may be printed: bytes of a signature are the indicator's own, the rest is the traffic's.
fn shown(noted: &Noted) -> &str {
    if *noted.kind == BYTES { "byte signature" } else { &noted.text }
}

fn print_stream(told: &Explanation, out: &mut impl Write) -> io::Result<()> {
    for what in in_its_stream(&told.streams) {
        writeln!(out, "  stream: {what}")?;
    }
    for why in &told.unread {
        writeln!(out, "  not read: {}", why.code())?;
    }
    Ok(())
}

fn print_seen(title: &str, seen: &[Noted], judge: &mut Judge<'_>, out: &mut impl Write) -> io::Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}:")?;
    for noted in seen {
        let why = judge.why(noted);
        let by = if judge.last_frame == noted.frame.number {
            String::new()
        } else {
            format!(" (frame {})", noted.frame.number)
        };
        judge.last_frame = noted.frame.number;
        writeln!(out, "  {} = {}{by}\n      {why}", noted.field.0, shown(noted))?;
    }
    Ok(())
}

/// Says why something matched or did not.
struct Judge<'s> {
    set: &'s Arc<MatchSet>,
    matcher: Matcher,
    /// For each kind, its indicators.
    counts: Vec<u64>,
    /// When indicators begin and cease to be valid.
    times: BTreeSet<Timestamp>,
    last_frame: u64,
}

impl<'s> Judge<'s> {
    fn new(set: &'s Arc<MatchSet>, frame: u64) -> Self {
        let windows = set.indicators().iter().map(|indicator| indicator.window);
        let times =
            windows.flat_map(|window| [window.from, Timestamp::from_ns(window.until.as_ns().saturating_sub(1))]);
        Self {
            set,
            matcher: Matcher::new(Arc::clone(set)),
            counts: set.indicators().count_by_kind(),
            times: times.collect::<BTreeSet<_>>().into_iter().take(MAX_TIMES).collect(),
            last_frame: frame,
        }
    }

    fn id(&self, ix: IndicatorIx) -> String {
        printable(self.set.indicator(ix).id().as_bytes())
    }

    fn why(&mut self, noted: &Noted) -> String {
        if !noted.hits.is_empty() {
            let each = noted.hits.iter().map(|&(ix, how, suppressed)| {
                let allowed = if suppressed { ", suppressed by the allow-list" } else { "" };
                format!("{} ({}{allowed})", self.id(ix), how_it_covers(how))
            });
            return format!("matches {}", each.collect::<Vec<_>>().join(", "));
        }
        let of_kind = self.counts.get(usize::from(noted.kind.number())).copied().unwrap_or(0);
        if of_kind == 0 {
            return format!("no match: no indicator of kind {} is loaded", noted.kind.name);
        }
        let mut hits: Vec<Hit> = Vec::new();
        for &time in &self.times {
            self.matcher.seen(&noted.observable(), time, &mut hits);
            if let Some(hit) = hits.first() {
                return format!("no match: {} covers it but is not valid at the packet's time", self.id(hit.indicator));
            }
        }
        format!("no match: none of {of_kind} indicators of kind {} covers it", noted.kind.name)
    }
}

fn how_it_covers(how: How) -> String {
    match how {
        How::Exact => "exact".to_owned(),
        How::Subtree { labels } => format!("{labels} labels below"),
        How::Network { bits } => format!("in a /{bits}"),
        How::Port => "address and port".to_owned(),
        How::Prefix => "below the URL's path".to_owned(),
        How::Pattern { start } => format!("bytes at {start}"),
        How::Message(_) | How::Header | How::Rule { .. } => "rule".to_owned(),
    }
}
