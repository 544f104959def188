//! Any text as the pattern of a STIX indicator.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::feeds;

fuzz_target!(|data: &[u8]| feeds::stix_pattern(data));
