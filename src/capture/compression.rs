//! [`COMPRESSIONS`]: what captures are packed in, told by the first bytes.
//!
//! Every decoder streams: its memory is bounded by the format's window, not by what a file unpacks to.

use std::io::{self, BufRead, BufReader, Read};

/// Compressed or not, the bytes of a file.
pub(super) type Reader = Box<dyn Read + Send>;

/// One compression.
pub(super) struct Compression {
    /// Its name, as users know it.
    pub(super) name: &'static str,
    /// Whether data that starts with these bytes is packed so.
    sniff: fn(&[u8]) -> bool,
    /// The unpacked bytes. Concatenated members read as one.
    pub(super) open: fn(Reader) -> io::Result<Reader>,
}

/// The one that data starting with `head` is packed with.
pub(super) fn recognise(head: &[u8]) -> Option<&'static Compression> {
    COMPRESSIONS.iter().find(|compression| (compression.sniff)(head))
}

static COMPRESSIONS: &[Compression] = &[
    Compression {
        name: "gzip",
        sniff: |head| head.starts_with(&[0x1f, 0x8b]),
        open: |reader| Ok(Box::new(flate2::bufread::MultiGzDecoder::new(buffered(reader)))),
    },
    Compression {
        name: "zstd",
        // pzstd starts its files with a skippable frame.
        sniff: |head| {
            head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
        },
        open: |reader| {
            let mut decoder = zstd::Decoder::with_buffer(buffered(reader))?;
            decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
            Ok(Box::new(decoder))
        },
    },
    Compression {
        name: "xz",
        sniff: |head| head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]),
        open: |reader| {
            let stream = liblzma::stream::Stream::new_stream_decoder(MAX_XZ_BYTES, liblzma::stream::CONCATENATED)?;
            Ok(Box::new(liblzma::bufread::XzDecoder::new_stream(buffered(reader), stream)))
        },
    },
    Compression {
        name: "lz4",
        sniff: |head| head.starts_with(&[0x04, 0x22, 0x4d, 0x18]),
        open: |reader| Ok(Box::new(Lz4(lz4_flex::frame::FrameDecoder::new(buffered(reader))))),
    },
];

/// Reads on at the end of a frame while there is input; the decoder alone stops there.
struct Lz4(lz4_flex::frame::FrameDecoder<BufReader<Reader>>);

impl Read for Lz4 {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(to)?;
            if count > 0 || to.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(count);
            }
        }
    }
}

fn buffered(reader: Reader) -> BufReader<Reader> {
    BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, reader)
}

const COMPRESSED_BUFFER_BYTES: usize = 128 * 1024;

/// 128 MiB, zstd's own limit for streams that do not ask for more (`--long=27`).
const MAX_ZSTD_WINDOW_LOG: u32 = 27;

/// What `xz -9` needs, twice.
const MAX_XZ_BYTES: u64 = 128 * 1024 * 1024;
