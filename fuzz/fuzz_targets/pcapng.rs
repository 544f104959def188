//! Any bytes after a pcapng section header and interface description.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::frames;

fuzz_target!(|data: &[u8]| frames::capture(frames::PCAPNG, data));
