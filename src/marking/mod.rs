//! Handling markings: TLP, PAP, classification and releasability, the lattice that combines them, and what a clearance
//! permits.
//!
//! TLP limits sharing, PAP limits use, classification limits who may see: three lattices, kept apart ([`Marking`] holds
//! one value of each). What cannot be read is treated as the strictest. This module decides nothing about matching and
//! prints no indicator.
//!
//! Sources: FIRST TLP 2.0; MISP's PAP taxonomy; DoDM 5200.01 volume 2 and the CAPCO register's portion and banner forms.

mod classification;
mod clearance;
mod colour;
mod nations;

pub use classification::{Classification, ForeignForm, Level};
pub use clearance::{Action, Clearance};
pub use colour::{Pap, Tlp};
pub use nations::Nations;

use std::fmt;

/// What a feed says about handling an entry. `Default` is unmarked, which is below every mark: see [`Marking::or`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Marking {
    /// Who may be told.
    pub tlp: Option<Tlp>,
    /// What may be done with it.
    pub pap: Option<Pap>,
    /// Who is cleared for it.
    pub classification: Option<Classification>,
}

impl Marking {
    /// Whether nothing is marked.
    pub fn is_unmarked(&self) -> bool {
        *self == Self::default()
    }

    /// The least strict marking that is as strict as both: strictest TLP and PAP, highest classification, release lists
    /// intersected. Commutative, associative, idempotent; unmarked is neutral.
    #[must_use]
    pub fn combine(&self, other: &Self) -> Self {
        Self {
            tlp: self.tlp.max(other.tlp),
            pap: self.pap.max(other.pap),
            classification: match (&self.classification, &other.classification) {
                (Some(a), Some(b)) => Some(a.combine(b)),
                (one, None) | (None, one) => one.clone(),
            },
        }
    }

    /// Whether this is as strict as `other` in every respect, or stricter.
    pub fn is_at_least(&self, other: &Self) -> bool {
        self.combine(other) == *self
    }

    /// This marking with what it leaves unmarked taken from `floor`, the site's answer for unmarked entries.
    #[must_use]
    pub fn or(&self, floor: &Self) -> Self {
        Self {
            tlp: self.tlp.or(floor.tlp),
            pap: self.pap.or(floor.pap),
            classification: self.classification.clone().or_else(|| floor.classification.clone()),
        }
    }
}

/// As an alert says it in `picket.marking`: `TLP:RED PAP:AMBER SECRET//REL TO USA, GBR`; empty when unmarked.
impl fmt::Display for Marking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        if let Some(tlp) = self.tlp {
            write!(f, "TLP:{tlp}")?;
            gap = " ";
        }
        if let Some(pap) = self.pap {
            write!(f, "{gap}PAP:{pap}")?;
            gap = " ";
        }
        match &self.classification {
            Some(classification) => write!(f, "{gap}{classification}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
