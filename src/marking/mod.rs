//! Handling markings: TLP, PAP, classification and releasability, and the lattice that combines them.
//!
//! TLP limits sharing, PAP limits use, classification limits who may see: three lattices, kept apart. This module decides
//! nothing about matching and prints no indicator.

/// What a feed says about handling an entry. `Default` is unmarked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Marking {}
