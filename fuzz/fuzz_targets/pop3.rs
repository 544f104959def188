//! POP3, split anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::parsers;

fuzz_target!(|data: &[u8]| parsers::stream_and_datagrams::<picket::proto::pop3::Pop3>(data));
