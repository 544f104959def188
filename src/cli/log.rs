//! What the program says of itself on standard error, through `tracing`: as text, or as JSON Lines for whoever collects logs.
//!
//! A place in the code that speaks too often is silenced for a while, and what it would have said is counted: a log never fills a disk because of
//! what an attacker sends. Nothing here can keep a value out of a line: whoever writes one names things by number or id.

mod limit;

use std::fmt;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Json, Writer, format};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Registry, reload};

use limit::Limit;

/// What is said, in `tracing`'s language (`debug`, `picket::sink=debug,warn`); before everything else that says so.
const LEVEL_VARIABLE: &str = "PICKET_LOG";

/// `json` or `text`; before everything else that says so.
const FORMAT_VARIABLE: &str = "PICKET_LOG_FORMAT";

static IS_JSON: AtomicBool = AtomicBool::new(false);
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Sets it up, once, for any command: warnings as text, if the environment does not say otherwise.
pub fn init() {
    let filter = EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    let (filter, handle) = reload::Layer::new(filter);
    IS_JSON.store(format_of_environment().unwrap_or(false), Ordering::Relaxed);
    let _ = FILTER.set(handle);
    let either = Either { text: format().without_time(), json: format().json().flatten_event(true).with_timer(Now) };
    let is_terminal = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt::layer().event_format(either).with_writer(std::io::stderr).with_ansi(is_terminal);
    let subscriber = tracing_subscriber::registry().with(filter).with(Limit).with(lines);
    // It fails if a program that embeds the library has set its own: that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// What the configuration asks for: of Picket's own lines, for the libraries that it uses say at `info` what only their authors want to know.
/// Of theirs warnings are written. The environment has been asked first and stays.
pub fn configure(level: &str, is_json: bool) {
    if std::env::var_os(LEVEL_VARIABLE).is_none()
        && let (Some(handle), Ok(filter)) = (FILTER.get(), EnvFilter::try_new(format!("warn,picket={level}")))
    {
        let _ = handle.reload(filter);
    }
    IS_JSON.store(format_of_environment().unwrap_or(is_json), Ordering::Relaxed);
}

/// Says what was not written and has not been told yet: once in a while in a long run, and at its end.
pub fn settle() {
    limit::settle();
}

/// Lines not written since the start.
pub fn suppressed() -> u64 {
    limit::suppressed()
}

/// Whether the environment asks for JSON, if it says anything.
fn format_of_environment() -> Option<bool> {
    match std::env::var(FORMAT_VARIABLE).ok()?.as_str() {
        "json" => Some(true),
        "text" => Some(false),
        _ => None,
    }
}

/// Text or JSON, as is asked for when a line is written.
struct Either {
    /// Without the time: a terminal needs none, the journal has its own.
    text: Format<Full, ()>,
    json: Format<Json, Now>,
}

impl<S, N> FormatEvent<S, N> for Either
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if IS_JSON.load(Ordering::Relaxed) {
            self.json.format_event(context, out, event)
        } else {
            self.text.format_event(context, out, event)
        }
    }
}

/// The time, as RFC 3339 in UTC.
struct Now;

impl FormatTime for Now {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        write!(out, "{:.6}", jiff::Timestamp::now())
    }
}
