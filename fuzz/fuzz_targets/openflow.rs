//! OpenFlow in cut streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::parsers;

fuzz_target!(|data: &[u8]| parsers::stream_and_datagrams::<picket::proto::openflow::OpenFlow>(data));
