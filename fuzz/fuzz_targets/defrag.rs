//! Any bytes as pieces of datagrams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::frames;

fuzz_target!(|data: &[u8]| frames::defrag(data));
