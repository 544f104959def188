//! Handling markings: TLP, PAP, classification and releasability, ACS, CUI and statements, the lattice that combines them,
//! and what a clearance permits.
//!
//! TLP limits sharing, PAP limits use, classification limits who may see: three lattices, kept apart ([`Marking`] holds
//! one value of each, and what only some markings have in [`Further`]). What cannot be read is treated as the strictest.
//! This module decides nothing about matching and prints no indicator.
//!
//! Sources: FIRST TLP 2.0; MISP's TLP and PAP taxonomies; DoDM 5200.01 volume 2 and the CAPCO register's portion and banner
//! forms; STIX 2.1 section 7.2 and the OASIS extensions for TLP 2.0, PAP, ACS 3.0 and CUI.

mod acs;
mod classification;
mod clearance;
mod clearances;
mod colour;
mod cui;
mod decision;
mod granular;
mod nations;
mod register;
mod stix;
mod tag;
mod text;

pub use acs::{Acs, AcsAction, AcsError, Effect, Reader, Ruling};
pub use classification::{Classification, ForeignForm, Level, Portion};
pub use clearance::{Action, Clearance};
pub use clearances::{ClearanceError, Clearances, RecordTerms};
pub use colour::{Pap, Tlp};
pub use cui::{Cui, CuiError};
pub use decision::{Decision, Rule};
pub use granular::{Granular, refs_for};
pub use nations::Nations;
pub use stix::{Definitions, definition, faults};
pub use tag::tag;

use std::fmt;
use std::sync::Arc;

/// What a feed says about handling an entry. `Default` is unmarked, which is below every mark: see [`Marking::or`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Marking {
    /// Who may be told.
    pub tlp: Option<Tlp>,
    /// What may be done with it.
    pub pap: Option<Pap>,
    /// Who is cleared for it.
    pub classification: Option<Classification>,
    /// What few markings have. `None` when there is nothing: made by the constructors and [`Marking::combine`] only.
    pub further: Option<Arc<Further>>,
}

/// The parts of a marking that few entries have. Every list is sorted and holds each entry once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Further {
    /// ACS markings: a reader must be permitted by each.
    acs: Box<[Acs]>,
    /// Agencies that marked it as CUI.
    designators: Box<[Box<str>]>,
    /// Texts to be kept with it, such as terms of use. They limit nobody that a machine could tell.
    statements: Box<[Box<str>]>,
    /// References whose definition is not known: for nobody.
    undefined: Box<[Box<str>]>,
    /// `tlp:ex:chr`: the Chatham House rule, its source is not to be named.
    hides_source: bool,
}

impl Marking {
    /// A classification alone.
    pub fn of(classification: Classification) -> Self {
        Self { classification: Some(classification), ..Self::default() }
    }

    /// An ACS marking, with its control set's classification.
    pub fn of_acs(acs: Acs) -> Self {
        let classification = acs.classification().clone();
        Self::of(classification).with(Further { acs: Box::new([acs]), ..Further::default() })
    }

    /// A CUI marking.
    pub fn of_cui(cui: Cui) -> Self {
        let mut statements = cui.statements.into_vec();
        statements.sort_unstable();
        statements.dedup();
        let further =
            Further { designators: Box::new([cui.designator]), statements: statements.into(), ..Further::default() };
        Self::of(cui.classification).with(further)
    }

    /// An agency that marked it as CUI.
    pub(crate) fn of_designator(id: &str) -> Self {
        let id = cut(id, MAX_REFERENCE_BYTES).into();
        Self::default().with(Further { designators: Box::new([id]), ..Further::default() })
    }

    /// A text to be kept with it, cut to 1,024 bytes.
    pub fn of_statement(text: &str) -> Self {
        Self::default().with(Further { statements: Box::new([statement(text)]), ..Further::default() })
    }

    /// A reference whose definition is not known, or cannot be read: the strictest in every respect.
    pub fn undefined(reference: &str) -> Self {
        let reference = cut(reference, MAX_REFERENCE_BYTES).into();
        Self::default().with(Further { undefined: Box::new([reference]), ..Further::default() })
    }

    /// Whose source is not to be named (`tlp:ex:chr`).
    pub fn of_hidden_source() -> Self {
        Self::default().with(Further { hides_source: true, ..Further::default() })
    }

    /// Whether nothing is marked.
    pub fn is_unmarked(&self) -> bool {
        *self == Self::default()
    }

    /// Its ACS markings.
    pub fn acs(&self) -> &[Acs] {
        self.further.as_ref().map_or(&[], |further| &further.acs)
    }

    /// Texts to be kept with it.
    pub fn statements(&self) -> &[Box<str>] {
        self.further.as_ref().map_or(&[], |further| &further.statements)
    }

    /// Agencies that marked it as CUI.
    pub fn designators(&self) -> &[Box<str>] {
        self.further.as_ref().map_or(&[], |further| &further.designators)
    }

    /// References whose definition is not known.
    pub fn undefined_refs(&self) -> &[Box<str>] {
        self.further.as_ref().map_or(&[], |further| &further.undefined)
    }

    /// Whether its source is not to be named (`tlp:ex:chr`).
    pub fn hides_source(&self) -> bool {
        self.further.as_ref().is_some_and(|further| further.hides_source)
    }

    /// The least strict marking that is as strict as both: strictest TLP and PAP, highest classification, release lists
    /// intersected, everything else of either. Commutative, associative, idempotent; unmarked is neutral.
    #[must_use]
    pub fn combine(&self, other: &Self) -> Self {
        Self {
            tlp: self.tlp.max(other.tlp),
            pap: self.pap.max(other.pap),
            classification: match (&self.classification, &other.classification) {
                (Some(a), Some(b)) => Some(a.combine(b)),
                (one, None) | (None, one) => one.clone(),
            },
            further: match (&self.further, &other.further) {
                (Some(a), Some(b)) if a != b => Some(Arc::new(a.combine(b))),
                (one, None) | (None, one) | (one, Some(_)) => one.clone(),
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
            further: self.further.clone().or_else(|| floor.further.clone()),
        }
    }

    fn with(mut self, further: Further) -> Self {
        self.further = Some(Arc::new(further));
        self
    }
}

impl Further {
    fn combine(&self, other: &Self) -> Self {
        Self {
            acs: union(&self.acs, &other.acs),
            designators: union(&self.designators, &other.designators),
            statements: union(&self.statements, &other.statements),
            undefined: union(&self.undefined, &other.undefined),
            hides_source: self.hides_source || other.hides_source,
        }
    }
}

/// As an alert says it in `picket.marking`: `TLP:RED PAP:AMBER SECRET//REL TO USA, GBR`, then what few have, as
/// `NAME:VALUE` each: `TLP:EX:CHR`, `ACS:` and the definition's identifier, `CUI:` and the designator, `UNDEFINED:` and the
/// reference, `STATEMENT:` and the quoted text. Empty when unmarked. [`Marking::parse`] reads it.
impl fmt::Display for Marking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        let mut next = |f: &mut fmt::Formatter<'_>, part: fmt::Arguments<'_>| {
            write!(f, "{gap}{part}")?;
            gap = " ";
            Ok(())
        };
        if let Some(tlp) = self.tlp {
            next(f, format_args!("TLP:{tlp}"))?;
        }
        if self.hides_source() {
            next(f, format_args!("TLP:EX:CHR"))?;
        }
        if let Some(pap) = self.pap {
            next(f, format_args!("PAP:{pap}"))?;
        }
        if let Some(classification) = &self.classification {
            next(f, format_args!("{classification}"))?;
        }
        for acs in self.acs() {
            next(f, format_args!("ACS:{:?}", acs.identifier()))?;
        }
        for designator in self.designators() {
            next(f, format_args!("CUI:{designator:?}"))?;
        }
        for reference in self.undefined_refs() {
            next(f, format_args!("UNDEFINED:{reference:?}"))?;
        }
        for text in self.statements() {
            next(f, format_args!("STATEMENT:{text:?}"))?;
        }
        Ok(())
    }
}

/// A statement as it is kept.
fn statement(text: &str) -> Box<str> {
    cut(text, MAX_STATEMENT_BYTES).into()
}

/// A control under its banner name, upper-case and with single blanks.
fn control(word: &str) -> Box<str> {
    let word = word.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
    register::banner_name(&word).into()
}

/// The beginning of `text` that has at most `bytes` bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=text.len().min(bytes)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

/// Everything of both, sorted, each once.
fn union<T: Clone + Ord>(a: &[T], b: &[T]) -> Box<[T]> {
    let mut both: Vec<T> = a.iter().chain(b).cloned().collect();
    both.sort_unstable();
    both.dedup();
    both.into()
}

/// Longest statement kept: every alert repeats it.
const MAX_STATEMENT_BYTES: usize = 1024;

/// Longest reference kept: a STIX id has 56 bytes.
const MAX_REFERENCE_BYTES: usize = 256;

#[cfg(test)]
mod tests;
