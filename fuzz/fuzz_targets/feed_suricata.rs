//! Any bytes as Suricata rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::feeds;

fuzz_target!(|data: &[u8]| feeds::load(feeds::SURICATA, data));
