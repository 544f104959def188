//! MISP: events as JSON (one, a list, a search's answer, or one a line), feed directories ([`manifest`]) and warning lists
//! ([`WARNING_LIST`]).
//!
//! An attribute is an indicator if it is for detection (`to_ids`), not deleted, not sighted as a false positive and of a type
//! that is matched ([`types`]). Its tags and its event's say how it is to be handled ([`tags`]). Everything is read as it
//! comes; what one event may hold in memory is capped. Entries are counted by attribute, in the order of the file.
//!
//! Source: the MISP core format (draft-dulaunoy-misp-core-format) and MISP's own exports.

mod attribute;
mod event;
pub(super) mod manifest;
mod tags;
pub(super) mod types;
mod warning;
mod write;

pub(super) use attribute::{Entry, entries};
pub(super) use tags::Tags;
pub(super) use warning::FORMAT as WARNING_LIST;
pub(super) use write::{Heading, write};

use serde::de::DeserializeSeed;

use super::intake::Intake;
use super::json::{self, Bounded};
use super::lines::Lines;
use super::{Broken, Format};

/// See the module. Known by its first keys: a wrapper's, or those that only an event has.
pub(super) const FORMAT: Format = Format { name: "misp", unit: "object", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    match first_key(head) {
        Some(b"Event") => true,
        Some(b"response") => has(b"\"Event\"") || has(b"\"Attribute\""),
        Some(_) => {
            (has(b"\"Attribute\"") || has(b"\"Orgc\"") || has(b"\"orgc_id\""))
                && has(b"\"info\"")
                && !manifest::is(head)
        }
        None => false,
    }
}

/// The first key of a document, inside the lists that it begins with.
pub(super) fn first_key(head: &[u8]) -> Option<&[u8]> {
    let mut rest = head.trim_ascii_start();
    while let Some(inner) = rest.strip_prefix(b"[") {
        rest = inner.trim_ascii_start();
    }
    let key = rest.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    key.get(..memchr::memchr(b'"', key)?)
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut json = serde_json::Deserializer::from_reader(Bounded::new(lines.document()));
    let mut count = 0;
    while json.end().is_err() {
        event::Node { intake, count: &mut count }.deserialize(&mut json).map_err(json::broken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
