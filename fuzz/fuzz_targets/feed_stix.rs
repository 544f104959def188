//! Any bytes among the objects of a STIX bundle.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::feeds;

fuzz_target!(|data: &[u8]| feeds::load(feeds::STIX, data));
