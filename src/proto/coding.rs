//! Content codings undone (RFC 9110, 8.4.1; RFC 1950 to 1952, 7932, 8878): [`Decoder`], bytes in as they come, bytes out in
//! pieces, nothing kept but the coding's own window.
//!
//! Made for hostile input: output is bounded by what came in ([`MAX_RATIO`] times, and [`FREE_BYTES`]) and in total
//! ([`MAX_DECODED_BYTES`]), windows by [`MAX_WINDOW_BITS`]; whoever holds a decoder accounts for [`Decoder::memory_bytes`]. It never guesses: damage ends a decoder.

use std::cell::Cell;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder as Zstd, InBuffer, Operation, OutBuffer};

/// How content is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`, `x-gzip`: any number of members.
    Gzip,
    /// `deflate`: zlib, or bare deflate as some servers have it.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`: any number of frames.
    Zstd,
}

/// What the name of a content coding stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Content as it is; also what no peer knows, for receivers take that as it is.
    Identity,
    /// A coding that is undone here.
    Coded(Coding),
    /// A registered one that is not.
    Unsupported,
}

impl Coding {
    /// Of a coding's name, in any case.
    pub fn named(name: &[u8]) -> Named {
        let is = |known: &&[u8]| known.eq_ignore_ascii_case(name);
        if [&b"gzip"[..], b"x-gzip"].iter().any(is) {
            Named::Coded(Self::Gzip)
        } else if is(&&b"deflate"[..]) {
            Named::Coded(Self::Deflate)
        } else if is(&&b"br"[..]) {
            Named::Coded(Self::Brotli)
        } else if is(&&b"zstd"[..]) {
            Named::Coded(Self::Zstd)
        } else if UNSUPPORTED.iter().any(is) {
            Named::Unsupported
        } else {
            Named::Identity
        }
    }
}

/// Registered content codings (IANA) that nothing here undoes.
const UNSUPPORTED: [&[u8]; 8] =
    [b"compress", b"x-compress", b"exi", b"pack200-gzip", b"aes128gcm", b"dcb", b"dcz", b"sdch"];

/// Why decoding ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes are not of this coding.
    Damaged,
    /// More came out than [`MAX_RATIO`] and [`MAX_DECODED_BYTES`] allow.
    TooMuch,
}

/// See the module.
pub struct Decoder {
    engine: Engine,
    /// The coding's unit (member, frame, stream) is whole.
    is_at_end: bool,
    window_bytes: u64,
    in_bytes: u64,
    out_bytes: u64,
}

enum Engine {
    Gzip(Decompress),
    /// A member is whole: another one, or nothing, follows.
    GzipAgain,
    /// Until its first two bytes tell which: the first of them.
    DeflateUntold(Option<u8>),
    Deflate(Decompress),
    BrotliUntold,
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    ZstdUntold,
    Zstd(Box<Zstd<'static>>),
    /// Whatever follows is no part of the content: receivers drop it.
    Over,
}

/// What one call of an engine did.
struct Step {
    used: usize,
    made: usize,
    ended: bool,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(coding: Coding) -> Self {
        let engine = match coding {
            Coding::Gzip => Engine::Gzip(Decompress::new_gzip(DEFLATE_WINDOW_BITS)),
            Coding::Deflate => Engine::DeflateUntold(None),
            Coding::Brotli => Engine::BrotliUntold,
            Coding::Zstd => Engine::ZstdUntold,
        };
        let window_bytes = match coding {
            Coding::Gzip | Coding::Deflate => 1 << DEFLATE_WINDOW_BITS,
            Coding::Brotli | Coding::Zstd => 1 << MAX_WINDOW_BITS,
        };
        Self { engine, is_at_end: true, window_bytes, in_bytes: 0, out_bytes: 0 }
    }

    /// Decodes the next bytes, handing out what they stand for in pieces. After an error it must not be called again.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        out: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut scratch = SCRATCH.take();
        scratch.resize(SCRATCH_BYTES, 0);
        let result = self.decode_into(bytes, &mut scratch, out);
        SCRATCH.set(scratch);
        result
    }

    /// Whether all that came is whole units, at least one: no more has to come.
    pub fn is_complete(&self) -> bool {
        self.is_at_end && self.in_bytes > 0
    }

    /// About what it has on the heap: windows are touched only as far as they are filled.
    pub fn memory_bytes(&self) -> usize {
        let touched = self.window_bytes.min(self.out_bytes);
        ENGINE_BYTES + (self.window_bytes / UNTOUCHED_DISCOUNT + touched) as usize
    }

    fn decode_into(
        &mut self,
        bytes: &[u8],
        scratch: &mut [u8],
        out: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut rest = bytes;
        self.in_bytes += bytes.len() as u64;
        loop {
            if self.is_at_end && rest.is_empty() || !self.begin(&mut rest)? {
                return Ok(());
            }
            let step = self.engine.step(rest, scratch)?;
            self.is_at_end = step.ended;
            self.out_bytes += step.made as u64;
            let allowed = FREE_BYTES.saturating_add(self.in_bytes.saturating_mul(MAX_RATIO));
            if self.out_bytes > allowed.min(MAX_DECODED_BYTES) {
                return Err(DecodeError::TooMuch);
            }
            if step.made > 0 {
                out(scratch.get(..step.made).unwrap_or(&[]))?;
            }
            rest = rest.get(step.used..).unwrap_or(&[]);
            if step.ended {
                self.engine.next_unit();
            } else if step.made < scratch.len() && (rest.is_empty() || step.used == 0 && step.made == 0) {
                // The engine wants more; one that wants it while it has some will never end.
                return if rest.is_empty() { Ok(()) } else { Err(DecodeError::Damaged) };
            }
        }
    }

    /// Makes sure that there is an engine for the next bytes. False: there is none, or more must come to tell which.
    fn begin(&mut self, rest: &mut &[u8]) -> Result<bool, DecodeError> {
        match &mut self.engine {
            Engine::DeflateUntold(first) => {
                let Some((&byte, after)) = rest.split_first() else { return Ok(false) };
                let Some(first) = *first else {
                    *first = Some(byte);
                    (*rest, self.is_at_end) = (after, false);
                    return self.begin(rest);
                };
                // RFC 1950, 2.2: deflate is method 8, and both bytes are a multiple of 31.
                let is_zlib = first & 15 == 8 && u16::from_be_bytes([first, byte]).is_multiple_of(31);
                let mut engine = Engine::Deflate(Decompress::new(is_zlib));
                let step = engine.step(&[first], &mut [0; 1])?;
                self.engine = engine;
                if step.used == 1 && step.made == 0 && !step.ended { Ok(true) } else { Err(DecodeError::Damaged) }
            }
            Engine::BrotliUntold => {
                let Some(&first) = rest.first() else { return Ok(false) };
                self.window_bytes = 1 << brotli_window_bits(first);
                let [bytes, words, codes] = [StandardAlloc::default(); 3];
                self.engine = Engine::Brotli(Box::new(BrotliState::new_strict(bytes, words, codes)));
                Ok(true)
            }
            Engine::GzipAgain => {
                let is_member = rest.first() == Some(&GZIP_FIRST);
                self.engine =
                    if is_member { Engine::Gzip(Decompress::new_gzip(DEFLATE_WINDOW_BITS)) } else { Engine::Over };
                Ok(is_member)
            }
            Engine::ZstdUntold => {
                self.engine = Engine::Zstd(Box::new(zstd().ok_or(DecodeError::Damaged)?));
                Ok(true)
            }
            Engine::Over => Ok(false),
            Engine::Gzip(_) | Engine::Deflate(_) | Engine::Brotli(_) | Engine::Zstd(_) => Ok(true),
        }
    }
}

impl Engine {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        match self {
            Self::Gzip(inflate) | Self::Deflate(inflate) => {
                let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
                let status =
                    inflate.decompress(input, output, FlushDecompress::None).map_err(|_| DecodeError::Damaged)?;
                let used = (inflate.total_in() - before_in) as usize;
                let made = (inflate.total_out() - before_out) as usize;
                Ok(Step { used, made, ended: status == Status::StreamEnd })
            }
            Self::Brotli(state) => {
                let (mut left, mut used, mut room, mut made, mut total) = (input.len(), 0, output.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut left, &mut used, input, &mut room, &mut made, output, &mut total, state,
                );
                match result {
                    BrotliResult::ResultFailure => Err(DecodeError::Damaged),
                    result => Ok(Step { used, made, ended: matches!(result, BrotliResult::ResultSuccess) }),
                }
            }
            Self::Zstd(engine) => {
                let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
                let hint = engine.run(&mut from, &mut to).map_err(|_| DecodeError::Damaged)?;
                Ok(Step { used: from.pos(), made: to.pos(), ended: hint == 0 })
            }
            Self::GzipAgain | Self::DeflateUntold(_) | Self::BrotliUntold | Self::ZstdUntold | Self::Over => {
                Err(DecodeError::Damaged)
            }
        }
    }

    /// After a whole unit.
    fn next_unit(&mut self) {
        match self {
            Self::Gzip(_) => *self = Self::GzipAgain,
            Self::Zstd(_) => {}
            _ => *self = Self::Over,
        }
    }
}

fn zstd() -> Option<Zstd<'static>> {
    let mut engine = Zstd::new().ok()?;
    engine.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_BITS)).ok()?;
    Some(engine)
}

/// RFC 7932, 9.1: the window's size is in the first bits.
fn brotli_window_bits(first: u8) -> u32 {
    match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, bits) => 8 + u32::from(bits),
        (_, bits, _) => 17 + u32::from(bits),
    }
}

/// Bytes out for each byte in. Real content rarely exceeds 20; deflate can reach 1032, brotli and zstd a million.
pub const MAX_RATIO: u64 = 128;

/// Bytes out that any content may have, however little came in: small pages of little but blanks exist.
pub const FREE_BYTES: u64 = 64 * 1024;

/// Bytes out of one decoder at most.
pub const MAX_DECODED_BYTES: u64 = 1 << 32;

/// Largest window in bits: 8 MiB, the most that RFC 9659 has peers support for zstd. Brotli's own limit is 24.
pub const MAX_WINDOW_BITS: u32 = 23;

const DEFLATE_WINDOW_BITS: u8 = 15;

/// RFC 1952, 2.3.1.
const GZIP_FIRST: u8 = 0x1F;

/// What an engine has beside its window: tables and state.
const ENGINE_BYTES: usize = 48 * 1024;

/// A window that is asked for is not touched yet, but its addresses are taken: it counts for so much less.
const UNTOUCHED_DISCOUNT: u64 = 16;

/// Output of one call of an engine.
const SCRATCH_BYTES: usize = 32 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[cfg(test)]
mod tests;
