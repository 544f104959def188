//! Indicators written down as a feed again. A format that can be written is one line in [`WRITERS`].
//!
//! A writer leaves out what its format cannot say and counts it by reason ([`Written`]): an entry is left out as a whole where
//! a part of it limits what it matches or who may see it, because without that part it would match more or be handled less
//! strictly; what only describes it is lost and counted. Reasons name fields, never values.

mod native;
mod plain;

use std::io::{self, Write};

use super::{MispHeading, Written, stix, write_misp, write_zeek};
use crate::indicator::IndicatorSet;
use crate::marking::Classification;
use crate::time::Timestamp;

/// A format that can be written.
pub struct Writer {
    /// Its name, that of the feed format.
    pub name: &'static str,
    /// Writes every indicator of a set; `at` is when, for formats that say so. Fails only when the output does.
    pub write: fn(set: &IndicatorSet, at: Timestamp, out: &mut dyn Write) -> io::Result<Written>,
}

/// Every format that can be written.
pub static WRITERS: &[Writer] = &[native::WRITER, plain::WRITER, ZEEK, MISP, STIX];

const ZEEK: Writer = Writer { name: "zeek", write: |set, _, out| write_zeek(set, out) };

const MISP: Writer = Writer {
    name: "misp",
    write: |set, at, out| write_misp(set, &MispHeading { info: "Indicators", organisation: "Picket", at }, out),
};

const STIX: Writer = Writer {
    name: "stix",
    write: |set, _, out| {
        let written = stix::write::write(set, |_, _| true, out)?;
        Ok(Written { entries: written.indicators, left_out: written.not_written, without: written.left_out })
    },
};

/// What reads back as the same: the banner, or the text that could not be read.
fn text_of(classification: &Classification) -> String {
    let mut texts = classification.unreadable_texts();
    match (texts.next(), texts.next()) {
        (Some(text), None) if !text.is_empty() => text.to_owned(),
        // Several, or an empty one, are unreadable again: as strict, in other words.
        _ => classification.to_string(),
    }
}

/// The writer of this name.
pub fn writer(name: &str) -> Option<&'static Writer> {
    WRITERS.iter().find(|writer| writer.name == name)
}

#[cfg(test)]
mod tests;
