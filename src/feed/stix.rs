//! STIX 2.1 (and 2.0): bundles, TAXII envelopes, arrays and streams of objects.
//!
//! Indicators are read with the versions, markings, relationships and names that belong to them; their patterns are honoured
//! exactly or refused by what they use (`compile`). Entries are counted by object.

mod bundle;
mod compile;
mod newest;
mod object;
mod objects;
mod pattern;
mod write;

pub(super) use newest::Newest;
pub use write::write;

use super::intake::Intake;
use super::lines::Lines;
use super::{Broken, Format};
use crate::indicator::Refusal;

use bundle::Bundle;
use objects::{End, Found, Objects};

/// See the module. Known by an id of STIX (`"bundle--..`, `"indicator--..`) in JSON that has no field of the native format.
pub(super) const FORMAT: Format = Format { name: "stix", unit: "object", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    let first = head.iter().find(|b| !b.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | 0x1e)) && !is_native(head) && has_id(head)
}

/// Whether there is a key `threat` or `threat.indicator..`, as a value of which an id of STIX may stand in the native format.
fn is_native(head: &[u8]) -> bool {
    let mut keys = memchr::memmem::find_iter(head, b"\"threat").map(|at| &head[at + 7..]);
    keys.any(|rest| {
        rest.starts_with(b".") || rest.strip_prefix(b"\"").is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
    })
}

fn has_id(head: &[u8]) -> bool {
    memchr::memmem::find_iter(head, b"--").any(|at| {
        let start = head[..at].iter().rposition(|b| !b.is_ascii_lowercase() && *b != b'-').map_or(0, |quote| quote + 1);
        let quoted = start.checked_sub(1).is_some_and(|quote| head[quote] == b'"');
        let kind = &head[start..at];
        let uuid = head.get(at + 2..at + 2 + UUID_BYTES);
        let is_uuid = |text: &[u8]| text.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
        quoted && IDS.contains(&kind) && uuid.is_some_and(is_uuid)
    })
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut bundle = Bundle::default();
    let read = collect(lines, &mut bundle, intake);
    // What came before the text broke off is loaded.
    bundle.finish(intake);
    read
}

fn collect(lines: &mut Lines, bundle: &mut Bundle, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut objects = Objects::new(lines.document());
    let mut number = 0u32;
    loop {
        let found = objects.next()?;
        number = number.saturating_add(1);
        match found {
            Ok(Found::Object(json)) => bundle.take(json, number, intake),
            Ok(Found::TooLong) => intake.refuse(number, Refusal::TooLong),
            Ok(Found::Junk) => intake.refuse(number, Refusal::Malformed),
            Err(End::Whole) => return Ok(()),
            Err(End::Cut) => return Err(Broken::Cut),
        }
    }
}

const UUID_BYTES: usize = 36;

/// Types of objects that a text begins with.
const IDS: &[&[u8]] = &[
    b"bundle",
    b"indicator",
    b"marking-definition",
    b"identity",
    b"relationship",
    b"malware",
    b"report",
    b"threat-actor",
    b"intrusion-set",
    b"attack-pattern",
    b"extension-definition",
    b"observed-data",
    b"sighting",
    b"tool",
    b"campaign",
    b"infrastructure",
    b"grouping",
];
