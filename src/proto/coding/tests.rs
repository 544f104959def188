use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

/// Ten X and ten Y, with a code and a copy (RFC 7932).
const BROTLI: &[u8] = &[0x1B, 0x13, 0x00, 0x00, 0xA4, 0xB0, 0xB2, 0xEA, 0x81, 0x47, 0x02, 0x8A];

/// Brotli that copies nothing: one meta-block of bytes as they are, and an empty last one (RFC 7932, 9.2).
fn brotli(content: &[u8]) -> Vec<u8> {
    let head = ((content.len() as u32 - 1) << 4 | 1 << 20).to_le_bytes();
    [&head[..3], content, &[3]].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(content, 3).expect("compresses")
}

/// What a decoder makes of bytes in pieces of `size`, and whether they are whole.
fn decoded(coding: Coding, bytes: &[u8], size: usize) -> Result<(Vec<u8>, bool), DecodeError> {
    let (mut decoder, mut out) = (Decoder::new(coding), Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        decoder.decode(piece, &mut |made| {
            out.extend_from_slice(made);
            Ok(())
        })?;
    }
    Ok((out, decoder.is_complete()))
}

#[test]
fn each_coding_however_it_is_cut() {
    let content = b"picket ".repeat(40);
    let coded = [
        (Coding::Gzip, gzip(&content)),
        (Coding::Gzip, [gzip(&content[..70]), gzip(&content[70..])].concat()),
        (Coding::Gzip, [gzip(&content), vec![0; 9]].concat()),
        (Coding::Deflate, zlib(&content)),
        (Coding::Deflate, deflate(&content)),
        (Coding::Brotli, brotli(&content)),
        (Coding::Zstd, zstd(&content)),
        (Coding::Zstd, [zstd(&content[..70]), zstd(&content[70..])].concat()),
    ];
    for (coding, bytes) in coded {
        for size in [1, 2, 3, 7, bytes.len()] {
            assert_eq!(decoded(coding, &bytes, size), Ok((content.clone(), true)), "{coding:?} in pieces of {size}");
        }
        let half = decoded(coding, &bytes[..bytes.len() / 2 - 5], 5);
        assert!(half.is_ok_and(|(_, is_complete)| !is_complete), "{coding:?}, half of it");
    }
}

#[test]
fn brotli_with_codes_and_copies() {
    for size in [1, 2, BROTLI.len()] {
        assert_eq!(decoded(Coding::Brotli, BROTLI, size), Ok((b"XXXXXXXXXXYYYYYYYYYY".to_vec(), true)));
    }
}

#[test]
fn nothing_is_no_content() {
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
        assert_eq!(decoded(coding, b"", 1), Ok((vec![], false)));
        assert_eq!(decoded(coding, &[0xFF; 40], 40).map(|_| ()), Err(DecodeError::Damaged), "{coding:?}");
    }
}

#[test]
fn a_bomb_is_put_out() {
    let zeros = vec![0; 64 << 20];
    for (coding, bytes) in [(Coding::Gzip, gzip(&zeros)), (Coding::Deflate, zlib(&zeros)), (Coding::Zstd, zstd(&zeros))]
    {
        let (mut decoder, mut total) = (Decoder::new(coding), 0);
        let ended = bytes.chunks(1400).try_for_each(|piece| {
            decoder.decode(piece, &mut |made| {
                total += made.len() as u64;
                Ok(())
            })
        });
        assert_eq!(ended, Err(DecodeError::TooMuch), "{coding:?}");
        assert!(total <= FREE_BYTES + MAX_RATIO * bytes.len() as u64, "{coding:?}: {total}");
    }
}

#[test]
fn a_window_beyond_the_cap_is_refused() {
    // RFC 8878, 3.1.1.1: no single segment, window descriptor for 16 MiB, one empty last raw block.
    let frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 14 << 3, 0x01, 0x00, 0x00];
    assert_eq!(decoded(Coding::Zstd, &frame, 99).map(|_| ()), Err(DecodeError::Damaged));
    assert_eq!(decoded(Coding::Zstd, &[&frame[..5], &[13 << 3], &frame[6..]].concat(), 99), Ok((vec![], true)));
    assert_eq!([0x00, 0x21, 0x71, 0x0F, 0x03, 0x01].map(brotli_window_bits), [16, 10, 15, 24, 18, 17]);
}

#[test]
fn names_in_any_case() {
    assert_eq!(Coding::named(b"GZip"), Named::Coded(Coding::Gzip));
    assert_eq!(Coding::named(b"br"), Named::Coded(Coding::Brotli));
    assert_eq!((Coding::named(b"Compress"), Coding::named(b"utf-8")), (Named::Unsupported, Named::Identity));
}

proptest! {
    #[test]
    fn hostile_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1..40_usize, flip in any::<prop::sample::Index>()) {
        for (coding, mut whole) in [(Coding::Gzip, gzip(&bytes)), (Coding::Deflate, deflate(&bytes)), (Coding::Brotli, BROTLI.to_vec()), (Coding::Zstd, zstd(&bytes))] {
            let _ = decoded(coding, &bytes, size);
            let at = flip.index(whole.len());
            whole[at] ^= 1 << (size % 8);
            let _ = decoded(coding, &whole, size);
        }
    }
}
