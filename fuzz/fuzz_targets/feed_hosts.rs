//! Any bytes as a hosts file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::feeds;

fuzz_target!(|data: &[u8]| feeds::load_as("hosts", data));
