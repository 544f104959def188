//! Content codings (gzip, deflate, brotli, zstd), in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket_fuzz::parsers;

fuzz_target!(|data: &[u8]| parsers::coding(data));
