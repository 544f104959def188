//! Indicators written down as a feed again. A format that can be written is one line in [`WRITERS`].
//!
//! A writer leaves out what its format cannot say and counts it by reason ([`Written`]): an entry is left out as a whole where
//! a part of it limits what it matches or who may see it, because without that part it would match more or be handled less
//! strictly; what only describes it is lost and counted. Reasons name fields, never values.

mod native;
mod plain;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::{misp, stix, suricata, zeek};
use crate::indicator::{Indicator, IndicatorSet};
use crate::marking::Classification;
use crate::time::Timestamp;

/// A format that can be written.
pub struct Writer {
    /// Its name, that of the feed format.
    pub name: &'static str,
    /// Writes every indicator of a set, at the time that a format may want to say. Fails only when the output does.
    pub write: fn(set: &IndicatorSet, at: Timestamp, out: &mut dyn Write) -> io::Result<Written>,
}

/// Every format that can be written.
pub static WRITERS: &[Writer] = &[native::WRITER, plain::WRITER, STIX, MISP, ZEEK, suricata::WRITER];

const STIX: Writer = Writer { name: "stix", write: |set, _, out| stix::write(set, |_, _| true, out) };

const MISP: Writer = Writer {
    name: "misp",
    write: |set, at, out| {
        let heading = misp::Heading { info: "Indicators written by Picket", organisation: "Picket", at };
        misp::write(set, &heading, out)
    },
};

const ZEEK: Writer = Writer { name: "zeek", write: |set, _, out| zeek::write(set, out) };

/// What became of the entries of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Entries written.
    pub written: u64,
    /// Entries left out, by what the format cannot say.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Entries written without a part that only describes them, by the part.
    pub lost: BTreeMap<&'static str, u64>,
}

impl Written {
    /// Counts an entry left out.
    pub fn leave_out(&mut self, why: &'static str) {
        *self.left_out.entry(why).or_default() += 1;
    }

    /// Counts a part lost.
    pub fn lose(&mut self, part: &'static str) {
        *self.lost.entry(part).or_default() += 1;
    }
}

/// Counts every source of an indicator that no source can be written for.
fn leave_out(set: &IndicatorSet, indicator: &Indicator<'_>, why: &'static str, written: &mut Written) {
    set.common_sources(indicator.ix).for_each(|_| written.leave_out(why));
}

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
