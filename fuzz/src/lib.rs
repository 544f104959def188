//! What the fuzz targets do: one function each, so that the targets stay thin and `tests/fuzz_targets.rs` of the crate runs the
//! same code on stable. A function panics if an invariant of what it calls is broken.

pub mod feeds;
pub mod frames;
pub mod markings;
pub mod parsers;
