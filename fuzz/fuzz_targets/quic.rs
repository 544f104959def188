//! QUIC datagrams, as they are and cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::parsers;

fuzz_target!(|data: &[u8]| {
    parsers::whole_datagram::<picket::proto::quic::Quic>(data);
    parsers::stream_and_datagrams::<picket::proto::quic::Quic>(data);
});
