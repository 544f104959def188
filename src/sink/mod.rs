//! Alerts out. A [`Format`] makes a [`Record`] of a view or a notice: bytes without framing, and an id that stays the same. Whoever sends it
//! frames it: [`Sink`] as lines.
//!
//! A format gets no alert, only what may be seen of one, so no format can show what its readers may not see.
//!
//! An [`Output`] is a format, a [`destination`], a [`Filter`] and a [`spool`] with a thread of its own: it delivers at least once.

pub mod cef;
pub mod csv;
mod dead_letter;
pub mod destination;
pub mod ecs;
pub mod eve;
mod filter;
pub mod flow;
mod nested;
pub mod ocsf;
mod output;
mod record;
pub mod spool;
pub mod table;
#[cfg(test)]
mod testing;
mod worker;

pub use dead_letter::DeadLetterOptions;
pub use filter::Filter;
pub use output::{Output, OutputOptions, OutputStatus, RetryOptions};
pub use record::Record;

use std::fmt;
use std::io::{self, Write};

use crate::alert::{Notice, View};

/// An output format. `Debug` shows its name.
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// Media type of its records, one a line.
    pub media_type: &'static str,
    /// What a file of it begins with, and when.
    pub header: Option<Header>,
    /// Writes what may be seen of an alert; nothing if it is nothing.
    view: fn(&View<'_>, &mut Vec<u8>),
    /// Writes what the sensor says of itself.
    notice: fn(&Notice, &mut Vec<u8>),
}

/// The line that a file begins with.
pub struct Header {
    /// The line, without its end.
    pub line: fn() -> String,
    /// A file of no record has it too.
    pub is_always: bool,
}

/// Every output format.
pub static FORMATS: &[&Format] =
    &[&ecs::FORMAT, &eve::FORMAT, &cef::FORMAT, &ocsf::FORMAT, &table::FORMAT, &csv::FORMAT];

impl Format {
    /// The format that `--format` calls so.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }

    /// Whether each of its records is a JSON object.
    pub fn is_json(&self) -> bool {
        self.media_type == "application/x-ndjson"
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Records as lines, in the order they come.
pub struct Sink {
    format: &'static Format,
    writer: Box<dyn Write + Send>,
    line: Vec<u8>,
    has_begun: bool,
}

impl Sink {
    /// Over a writer.
    pub fn new(format: &'static Format, writer: Box<dyn Write + Send>) -> Self {
        Self { format, writer, line: Vec::new(), has_begun: false }
    }

    /// Writes what may be seen of one alert.
    ///
    /// # Errors
    /// What the writer below says.
    pub fn write(&mut self, view: &View<'_>) -> io::Result<()> {
        self.line.clear();
        (self.format.view)(view, &mut self.line);
        self.put()
    }

    /// Writes what the sensor says of itself.
    ///
    /// # Errors
    /// What the writer below says.
    pub fn notice(&mut self, notice: &Notice) -> io::Result<()> {
        self.line.clear();
        (self.format.notice)(notice, &mut self.line);
        self.put()
    }

    /// Writes everything still buffered.
    ///
    /// # Errors
    /// What the writer below says.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.format.header.as_ref().is_some_and(|header| header.is_always) {
            self.begin()?;
        }
        self.writer.flush()
    }

    fn put(&mut self) -> io::Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        self.begin()?;
        self.line.push(b'\n');
        self.writer.write_all(&self.line)
    }

    fn begin(&mut self) -> io::Result<()> {
        match &self.format.header {
            Some(header) if !self.has_begun => {
                self.has_begun = true;
                writeln!(self.writer, "{}", (header.line)())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Reader, Scene, notice};
    use super::*;

    /// Whatever feeds and traffic hold, a record is one line, and it says who may be told what.
    #[test]
    fn every_format_writes_every_view_on_one_line() {
        let scene = Scene::hostile();
        for format in FORMATS {
            for reader in [Reader::All, Reader::Partial, Reader::Customer, Reader::Keyless] {
                let record = scene.record(format, reader).expect("a record");
                let text = String::from_utf8(record.bytes).expect("UTF-8");
                let name = format.name;
                assert!(!text.chars().any(char::is_control), "{name}: {text:?}");
                assert!(text.len() > 40, "{name}: {text}");
                assert_eq!(text.contains("hostile"), matches!(reader, Reader::All | Reader::Partial), "{name}: {text}");
                assert_eq!(text.contains("203.0.113.66"), matches!(reader, Reader::All), "{name}: {text}");
                assert!(text.contains("192.0.2.10"), "{name}: {text}");
            }
            assert!(format.record(&View::Nothing).is_none());
            let said = format.notice(&notice());
            let text = String::from_utf8(said.bytes).expect("UTF-8");
            assert!(text.contains("alerts-dropped") && !text.chars().any(char::is_control), "{text}");
        }
    }

    #[test]
    fn a_file_begins_with_the_header_of_its_format() {
        let out = testing::Shared::default();
        let mut sink = Sink::new(&csv::FORMAT, Box::new(out.clone()));
        sink.finish().expect("finishes");
        assert!(out.text().starts_with("@timestamp,") && out.text().lines().count() == 1);
        sink.notice(&notice()).expect("writes");
        sink.finish().expect("finishes");
        assert_eq!(out.text().lines().count(), 2);
        let out = testing::Shared::default();
        Sink::new(&table::FORMAT, Box::new(out.clone())).finish().expect("finishes");
        assert_eq!(out.text(), "");
    }
}
