//! PROFINET DCP in Ethernet frames.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::parsers;

fuzz_target!(|data: &[u8]| parsers::in_frame::<picket::proto::ics::profinet::ProfinetDcp>(data));
