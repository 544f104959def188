//! Feeds: files become indicators. [`load`] finds the files, tells each one's format by content (`FORMATS`), hands every
//! entry to an [`IndicatorSet`] and reports what became of it ([`LoadReport`]).
//!
//! Feeds are dirty: a bad line is a counted refusal and the rest loads; a file that breaks off keeps what came before. A
//! path that cannot be read at all is an error, because a sensor that starts without its feed sees nothing. No report,
//! error or log here ever holds an indicator's value.
//!
//! To add a format: one file with `sniff` and `read`, its `mod` line, one line in `FORMATS`.

mod adblock;
mod audit;
mod csv;
mod declared;
pub mod diff;
mod document;
pub mod export;
mod field;
mod files;
mod finding;
mod hosts;
mod intake;
mod json;
mod lines;
mod maltrail;
mod misp;
mod native;
mod openioc;
mod pattern;
mod plain;
mod report;
mod sidecar;
pub mod stix;
mod suricata;
mod value;
mod write;
mod yara;
mod zeek;

pub use audit::{ProviderReport, audit, withhold};
pub use finding::{Category, Entry, Finding, Findings, Found as FoundEntries};
pub use report::{FileReport, KindCount, LoadReport, RefusedLine, Skipped, Totals};
pub use sidecar::EXTENSION as SIDECAR;
pub use value::{Recognised, recognise, refang};
pub use write::{WRITERS, Writer, Written, writer};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::indicator::{ContextRef, IndicatorSet};
use crate::marking::Clearance;

use files::Found;
use intake::Intake;
use lines::Lines;

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Load dangerous entries too ([`Refusal::is_dangerous`](crate::indicator::Refusal::is_dangerous)).
    pub force: bool,
    /// What the sensor may hold; entries beyond it are refused before anything of them is kept. `None` for a sensor of
    /// whoever gives the feed, which may hold everything.
    pub clearance: Option<Arc<Clearance>>,
}

/// A feed format.
pub struct Format {
    /// Its name in reports.
    pub name: &'static str,
    /// What its entries are counted by: `line`, or `object` where it has no lines.
    unit: &'static str,
    /// Whether a text that begins with `head`, in a file of this name, is of this format. The first that says yes reads the
    /// file, unless the user named a format.
    sniff: fn(head: &[u8], name: &str) -> bool,
    /// Hands every entry to the intake. Fails only when the input does, or with what makes the rest of the file unusable.
    read: fn(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken>,
}

/// Every format, the most particular first: a plain list is any text.
static FORMATS: &[Format] = &[
    stix::FORMAT,
    misp::FORMAT,
    misp::WARNING_LIST,
    native::FORMAT,
    openioc::FORMAT,
    zeek::FORMAT,
    yara::FORMAT,
    suricata::FORMAT,
    suricata::STRING,
    suricata::MD5,
    suricata::SHA256,
    suricata::IPV4_LIST,
    suricata::IP,
    suricata::IPREP,
    adblock::FORMAT,
    maltrail::FORMAT,
    hosts::FORMAT,
    csv::FORMAT,
    plain::FORMAT,
];

/// Files of which what a set that was loaded before has of them is taken, in place of what they hold now.
pub struct Kept<'a> {
    /// The set.
    pub set: &'a IndicatorSet,
    /// Each file's path, and what alerts call it ([`FileReport::feed`]), which no other file of the set is called.
    pub files: Vec<(PathBuf, Box<str>)>,
}

impl Kept<'_> {
    /// The files at a path or below it, as if they had been found there.
    fn below(&self, path: &Path) -> Vec<Found> {
        let path = files::without_format(path);
        let below = self.files.iter().filter(|(file, _)| file.starts_with(path));
        below.map(|(file, feed)| Found::new(file.clone(), feed.clone())).collect()
    }

    /// What became of the file, if it is one of these.
    fn take(&self, found: &Found, options: &Options, set: &mut IndicatorSet) -> Option<FileReport> {
        let (_, feed) = self.files.iter().find(|(path, _)| *path == found.path)?;
        let may_hold = |context: &ContextRef<'_>| {
            options.clearance.as_ref().is_none_or(|clearance| clearance.may_hold(context.marking).allowed)
        };
        let mut report = FileReport::new(found);
        match set.take_over(self.set, |context| context.feed == &**feed && may_hold(context)) {
            Ok((loaded, merged)) => (report.loaded, report.merged) = (loaded, merged),
            Err(_) => report.error = Some("there is no room for it".to_owned()),
        }
        Some(report)
    }
}

/// A path that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read feed {}: {source}", path.display())]
pub struct FeedError {
    /// The path.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl FeedError {
    fn new(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }
}

/// Why the rest of a file was not read.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the file cannot be read on: {0}")]
    Input(#[from] io::Error),
    #[error("line {line}: {what}; what follows would not mean what its author meant and was not loaded")]
    Options { line: u32, what: String },
    #[error("line {line}, column {column}: {what}")]
    Document { line: usize, column: usize, what: &'static str },
    #[error("{0}")]
    Whole(&'static str),
    #[error("the text breaks off inside of an object or bundle; what came before was loaded")]
    Cut,
}

/// The names of all feed formats.
pub fn formats() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.name)
}

/// Loads every feed in `paths`, in order, into `set`. A directory loads every feed below it, in name order, except
/// `README*`, `*.md`, `LICENSE*` and hidden files. A path `FORMAT=PATH` (`plain=list.txt`) says the format of what it names,
/// which is told by content otherwise; a file that is called so comes first.
///
/// Of an object of STIX the newest version counts, in all files.
///
/// # Errors
/// A path that does not exist: nothing is loaded. A file that cannot be opened: what was loaded before it stays in the set.
pub fn load(paths: &[PathBuf], options: &Options, set: &mut IndicatorSet) -> Result<LoadReport, FeedError> {
    load_for(Purpose::Detect, paths, options, None, set)
}

/// The same, but that of some files what was loaded before stays. They need not be there any more.
///
/// # Errors
/// As of [`load`].
pub fn load_keeping(
    paths: &[PathBuf],
    options: &Options,
    kept: Option<&Kept<'_>>,
    set: &mut IndicatorSet,
) -> Result<LoadReport, FeedError> {
    load_for(Purpose::Detect, paths, options, kept, set)
}

/// Loads allow-lists as [`load`] loads feeds, dangerous entries too: an allow-list only ever takes alerts away. Formats that say
/// what is harmless (MISP warning lists, the exceptions of an Adblock list) can be loaded with this alone.
///
/// # Errors
/// As of [`load`].
pub fn load_allow_lists(
    paths: &[PathBuf],
    clearance: Option<Arc<Clearance>>,
    set: &mut IndicatorSet,
) -> Result<LoadReport, FeedError> {
    load_for(Purpose::Allow, paths, &Options { force: true, clearance }, None, set)
}

/// What the indicators are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Detect,
    Allow,
}

fn load_for(
    purpose: Purpose,
    paths: &[PathBuf],
    options: &Options,
    kept: Option<&Kept<'_>>,
    set: &mut IndicatorSet,
) -> Result<LoadReport, FeedError> {
    let mut report = LoadReport::default();
    let mut all = Vec::new();
    let is_kept = |path: &Path| kept.is_some_and(|kept| kept.files.iter().any(|(file, _)| file == path));
    for path in paths {
        all.extend(match files::find(path, &is_kept, &mut report.skipped) {
            Ok(found) => found,
            Err(error) => {
                let below = kept.map(|kept| kept.below(path)).unwrap_or_default();
                if below.is_empty() { Err(error)? } else { below }
            }
        });
    }
    leave_to_rules(&mut all, &mut report.skipped);
    let newest = newest(&all);
    for found in &all {
        report.files.push(match kept.and_then(|kept| kept.take(found, options, set)) {
            Some(taken) => taken,
            None => load_file(found, purpose, options, &newest, set)?,
        });
    }
    report.finish(set);
    Ok(report)
}

/// Takes out what rules ask of and was not asked for by name: of itself it would match more than they do.
fn leave_to_rules(all: &mut Vec<Found>, skipped: &mut Vec<Skipped>) {
    let is_rules = |found: &&Found| match found.format {
        Some(format) => format.name == suricata::FORMAT.name,
        None => sniffed(found, &suricata::FORMAT).is_some(),
    };
    if !all.iter().any(|found| found.is_below) {
        return;
    }
    let asked: Vec<PathBuf> = all.iter().filter(is_rules).flat_map(|found| suricata::files_of(&found.path)).collect();
    let real = |path: &Path| path.canonicalize().ok();
    let asked: Vec<PathBuf> = asked.iter().filter_map(|path| real(path)).collect();
    if asked.is_empty() {
        return;
    }
    all.retain(|found| {
        let is_asked =
            found.is_below && found.format.is_none() && real(&found.path).is_some_and(|path| asked.contains(&path));
        if is_asked {
            let path = found.path.to_string_lossy().into_owned();
            skipped.push(Skipped { path, reason: "part of the rules that ask for it" });
        }
        !is_asked
    });
}

/// The lines of a file, if it looks as this format. A pipe can be read once only.
fn sniffed(found: &Found, format: &Format) -> Option<Lines> {
    let is_file = std::fs::metadata(&found.path).is_ok_and(|metadata| metadata.is_file());
    let mut lines = is_file.then(|| Lines::open(&found.path).ok()).flatten()?;
    let head = lines.head().ok()?;
    let fits = not_text(head).is_none() && (format.sniff)(head, &found.feed);
    fits.then_some(lines)
}

/// The newest version of what several files of STIX have. A pipe can be read once only.
fn newest(all: &[Found]) -> stix::Newest {
    let mut newest = stix::Newest::default();
    let open = |found: &Found| {
        let is_file = std::fs::metadata(&found.path).is_ok_and(|metadata| metadata.is_file());
        let mut lines = is_file.then(|| Lines::open(&found.path).ok()).flatten()?;
        let head = lines.head().ok()?;
        let is_stix = match found.format {
            Some(format) => format.name == stix::FORMAT.name,
            None => not_text(head).is_none() && (stix::FORMAT.sniff)(head, &found.feed),
        };
        is_stix.then_some(lines)
    };
    if all.len() > 1 && all.iter().filter_map(open).nth(1).is_some() {
        all.iter().filter_map(open).for_each(|mut lines| newest.note(&mut lines));
    }
    newest
}

fn load_file(
    found: &Found,
    purpose: Purpose,
    options: &Options,
    newest: &stix::Newest,
    set: &mut IndicatorSet,
) -> Result<FileReport, FeedError> {
    let failed = |error| FeedError::new(&found.path, error);
    let mut report = FileReport::new(found);
    if let Some(why) = found.check.map(|check| check.fails(&found.path)).transpose().map_err(failed)?.flatten() {
        report.error = Some(why.to_owned());
        return Ok(report);
    }
    let mut lines = Lines::open(&found.path).map_err(failed)?;
    report.bytes = lines.file_bytes();
    let head = match lines.head() {
        Ok(head) => head,
        Err(error) => {
            report.error = Some(Broken::Input(error).to_string());
            return Ok(report);
        }
    };
    if let Some(why) = not_text(head) {
        report.error = Some(why);
        return Ok(report);
    }
    let beside = match sidecar::read(&found.path) {
        Ok(beside) => beside,
        Err(what) => {
            report.error = Some(what);
            return Ok(report);
        }
    };
    let by_columns = beside.as_ref().is_some_and(|beside| beside.columns.is_some()).then_some(&csv::FORMAT);
    let format =
        found.format.or(by_columns).or_else(|| FORMATS.iter().find(|format| (format.sniff)(head, &found.feed)));
    if let Some(format) = format {
        (report.format, report.unit) = (Some(format.name), format.unit);
        set.reserve(lines.expected_lines());
        let declared = match beside {
            Some(_) if !sidecar::is_honoured_by(format.name) => {
                let path = format!("{}{}", found.path.display(), sidecar::EXTENSION);
                report.error = Some(format!("{path} cannot hold for a feed of this format; it was not loaded"));
                return Ok(report);
            }
            beside => beside.unwrap_or_default(),
        };
        let intake = Intake::new(set, options, newest, &mut report).for_purpose(purpose).with(declared);
        let mut intake = intake.within(found.path.parent());
        let read = (format.read)(&mut lines, &mut intake);
        drop(intake);
        report.error = read.err().map(|broken| broken.to_string());
    }
    report.lines = u64::from(lines.number());
    report.text_bytes = lines.text_bytes();
    Ok(report)
}

/// Why `head` does not begin a text in UTF-8 or ASCII, if it does not.
fn not_text(head: &[u8]) -> Option<String> {
    let known = [
        (&b"\xff\xfe"[..], "UTF-16 text; convert it to UTF-8"),
        (b"\xfe\xff", "UTF-16 text; convert it to UTF-8"),
        (b"\xfd7zXZ\0", "xz; feeds are read plain, gzip or zstd"),
        (b"BZh", "bzip2; feeds are read plain, gzip or zstd"),
        (b"PK\x03\x04", "a zip archive; unpack it"),
        (b"\xd4\xc3\xb2\xa1", "a capture, not a feed"),
        (b"\xa1\xb2\xc3\xd4", "a capture, not a feed"),
        (b"\x0a\x0d\x0d\x0a", "a capture, not a feed"),
    ];
    if let Some((_, what)) = known.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(format!("this is {what}"));
    }
    memchr::memchr(0, head).map(|at| format!("not text: a zero byte at offset {at}"))
}

/// Longest line read; longer ones are refused without being held in memory.
const MAX_LINE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
