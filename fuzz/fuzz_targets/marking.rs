//! Any bytes as a marking and as a clearance file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::markings;

fuzz_target!(|data: &[u8]| markings::read(data));
