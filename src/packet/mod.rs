//! Bytes to headers: no state, no allocation, no panic, whatever the bytes.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod frame;

pub use frame::{Frame, FrameMeta, LinkType};
