//! Any bytes as rows of a Zeek intel file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::feeds;

fuzz_target!(|data: &[u8]| feeds::load(feeds::ZEEK, data));
