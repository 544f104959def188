//! Any bytes after a pcap file header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::frames;

fuzz_target!(|data: &[u8]| frames::capture(frames::PCAP, data));
