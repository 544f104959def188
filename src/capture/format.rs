//! [`READERS`]: the capture file formats, each told by its first bytes, and what all of them share.

use crate::packet::FrameMeta;
use crate::prefetch;

use super::fault::Fault;

/// The formats, by how common they are.
pub(super) static READERS: &[Format] = &[super::pcap::FORMAT, super::pcapng::FORMAT];

/// One capture file format.
pub(super) struct Format {
    /// Its name, as users know it.
    pub(super) name: &'static str,
    /// Whether a file that starts with these bytes is one.
    pub(super) sniff: fn(&[u8]) -> bool,
    /// Makes the walker from the first bytes of the file whose position is given.
    pub(super) open: fn(&[u8], u32) -> Result<Opened, Fault>,
}

/// A format's walker, ready for the first record.
pub(super) struct Opened {
    /// See [`Walk`].
    pub(super) walk: Box<dyn Walk>,
    /// Where the first record or block starts.
    pub(super) records_at: usize,
}

/// Steps from record to record. Never keeps bytes: what it has not finished it will be shown again.
pub(super) trait Walk: Send {
    /// Adds frames, up to [`Window::limit`] in all, and moves `window.at` over what it is done with.
    fn walk(&mut self, window: &mut Window<'_>, frames: &mut Vec<FrameMeta>) -> Step;
}

/// A piece of a file, and how far it has been read.
pub(super) struct Window<'w> {
    /// The piece.
    pub(super) bytes: &'w [u8],
    /// Next byte to read. Past the end of `bytes`: so much of what follows is to be skipped.
    pub(super) at: usize,
    /// Whether the bytes come straight from the page cache, where every line is a miss.
    pub(super) mapped: bool,
    /// Frames wanted, with those that are there.
    pub(super) limit: usize,
}

impl Window<'_> {
    /// What has not been read yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or(&[])
    }
}

/// Why a walk stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The batch is full.
    Full,
    /// What stands at `window.at` does not lie in the window as a whole.
    More,
    /// What stood at `at` was left out; the walk can go on.
    Skipped { fault: Fault, at: usize },
    /// What stands at `window.at` cannot be read, nor anything after it.
    Stop(Fault),
}

/// Asks for what the walk will read soon, after a record that lies from `from` to `to`.
///
/// Mapped bytes miss the cache line by line, and a record's neighbours are where the next ones start: asking for all of
/// them cost 9 ns a frame in a prototype of the walk where asking for one cost 24 and for none 51 (228-byte frames). Bytes that the kernel copied
/// a moment ago are in the cache.
#[inline(always)]
pub(super) fn fetch_ahead<const MAPPED: bool>(bytes: &[u8], from: usize, to: usize) {
    if MAPPED {
        let mut at = from + AHEAD_BYTES;
        while at < to + AHEAD_BYTES {
            prefetch::byte(bytes, at);
            at += LINE_BYTES;
        }
    }
}

/// Most bytes that a frame may have: libpcap's `MAXIMUM_SNAPLEN`, above which no tool captures from a network. What is
/// longer is damage, or a link type that carries no network.
pub(super) const MAX_FRAME_BYTES: u32 = 262_144;

/// How far ahead of the walk lines are asked for: far enough for a miss to be over, near enough to still be there.
const AHEAD_BYTES: usize = 4096;

const LINE_BYTES: usize = 64;
