//! [`Newest`]: the newest version of each indicator in all files of one load. A feed that says in one file what it revokes of another
//! must not go on matching it.

use std::collections::HashMap;

use serde::Deserialize;

use super::objects::{Found, Objects};
use crate::feed::field;
use crate::feed::lines::Lines;
use crate::time::Timestamp;

/// See the module. Empty where a load has one file of STIX: that knows its own versions.
#[derive(Default)]
pub(in crate::feed) struct Newest(HashMap<Box<str>, Version>);

/// Of two that claim the same time the revoked one counts.
type Version = (Timestamp, bool);

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Box<str>,
    id: Box<str>,
    created: Option<Box<str>>,
    modified: Option<Box<str>>,
    #[serde(default)]
    revoked: bool,
}

impl Newest {
    /// Takes note of a text's indicators, as far as it can be read: what is wrong with it is said when it is loaded.
    pub(in crate::feed) fn note(&mut self, lines: &mut Lines) {
        let mut objects = Objects::new(lines.document());
        while let Ok(Ok(found)) = objects.next() {
            let Found::Object(json) = found else { continue };
            let Ok(head) = serde_json::from_slice::<Head>(json) else { continue };
            let modified = head.modified.or(head.created);
            let Ok(modified) = modified.as_deref().map_or(Ok(Timestamp::ZERO), field::instant) else { continue };
            if &*head.kind != "indicator" || self.0.len() >= MAX_INDICATORS {
                continue;
            }
            let version = self.0.entry(head.id).or_insert((modified, head.revoked));
            *version = (*version).max((modified, head.revoked));
        }
    }

    /// Whether another file has a newer version of an indicator than this.
    pub(super) fn has_newer(&self, id: &str, version: Version) -> bool {
        self.0.get(id).is_some_and(|newest| *newest > version)
    }
}

/// As many as one text may hold; what comes after is loaded in each version.
const MAX_INDICATORS: usize = 4 * 1024 * 1024;
