//! Any bytes as lines of a native feed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::feeds;

fuzz_target!(|data: &[u8]| feeds::load(feeds::NATIVE, data));
