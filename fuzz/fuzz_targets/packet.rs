//! Any bytes as a frame of any link type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::frames;

fuzz_target!(|data: &[u8]| frames::packet(data));
