//! Observables to indicators: [`MatchSet`] is compiled once and shared, [`Matcher`] is one worker's view of it.
//!
//! Every structure has a small filter in front that may say maybe and never a false no, and confirms what it finds by
//! comparing the value itself: no hit is ever a guess, none is ever lost to a hash. Nothing here grows with traffic, and a
//! value that matches nothing allocates nothing. The matcher knows no protocol and prints no value; kinds choose an index
//! ([`crate::indicator::Index`]), so a new kind changes nothing here.
//!
//! | index | structure | a clean value costs |
//! |---|---|---|
//! | `Prefix` | [`prefix`] | one line of a filter and one bit |
//! | `Suffix` | [`suffix`] | two labels hashed, one line of a filter |
//! | `Path` | [`path`] | the host hashed, one line of a filter |
//! | `Exact` | [`text`] | the value hashed, one line of a filter |
//! | `Pattern` | [`pattern`] | one pass over the bytes |
//! | `Rule` | [`rules`] | one pass over the value; nothing without rules |
//! | `Rule` of a header alone | [`rules`] | of a new flow's ends, two look-ups; nothing without such rules |

pub mod bloom;
pub mod exact;
pub mod hash;
mod observed;
pub mod path;
pub mod pattern;
pub mod prefix;
pub mod rules;
mod set;
pub mod suffix;
pub mod text;
#[cfg(test)]
mod twin;
mod view;

pub use hash::Seeds;
pub use pattern::{Carry, ScanPlace, Scanned};
pub use prefix::EndpointKey;
pub use rules::{Piece, Shown, Trail};
pub use set::{MatchSet, Memory};
pub use suffix::NameKey;
pub use view::{Hit, How, Matcher};
