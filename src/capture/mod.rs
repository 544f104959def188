//! Frames in: captures of any supported format, compression and damage become batches of [`FrameMeta`] over shared bytes.
//!
//! A source copies no frame if it can and never stops the run: what is wrong with a file is [`Trouble`], counted and reported,
//! and the other files go on. It knows nothing of what is in a frame.
//!
//! [`Files`] lists what it was given (`list`), opens one file after the other and recognises it by its first bytes
//! (`input`, `compression`, `format`), and walks piece after piece of it (`reading`, `pcap`, `pcapng`). A new file format
//! is one file with a `Format` and one line in `format::READERS`; a new compression one line in
//! `compression::COMPRESSIONS`.
//!
//! [`live`] opens interfaces instead, by what the system has (`afpacket`, `libpcap`). A live frame that is not copied lies in
//! memory shared with the kernel, which has it back when the batch and all clones of its [`Data`] are gone.

#[cfg(target_os = "linux")]
mod afpacket;
mod compression;
mod describe;
mod fault;
mod files;
mod format;
mod input;
mod interface;
mod libpcap;
mod list;
pub mod live;
mod mmap;
mod pcap;
mod pcapng;
mod pool;
mod reading;
#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
pub use afpacket::RingBytes;
pub use files::{FileInfo, Files, Progress};
pub use input::Access;
pub use list::OpenError;
pub use pcapng::PcapngWriter;

use std::path::PathBuf;
use std::sync::Arc;

use crate::packet::FrameMeta;

/// Frames in one batch, at most, unless it says less.
pub const BATCH_FRAMES: usize = 1024;

/// Bytes that a batch's frames point into; cheap to clone, alive as long as any batch needs it.
#[derive(Clone, Default)]
pub enum Data {
    /// None yet.
    #[default]
    Empty,
    /// A window of a mapped file.
    Map(Arc<memmap2::Mmap>),
    /// A piece of a stream, or frames that were copied.
    Buffer(Arc<Vec<u8>>),
    /// Frames where the kernel put them.
    #[cfg(target_os = "linux")]
    Ring(RingBytes),
}

impl std::ops::Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Map(map) => map,
            Self::Buffer(buffer) => buffer,
            #[cfg(target_os = "linux")]
            Self::Ring(bytes) => bytes,
        }
    }
}

/// Some frames of one file over the same bytes. Reused from poll to poll.
pub struct Batch {
    /// What the frames' offsets point into.
    pub data: Data,
    /// The frames, in capture order; every range lies within `data`.
    pub frames: Vec<FrameMeta>,
    /// How many files put into it at most, up to [`BATCH_FRAMES`]. What a walk over few frames has read is still in the nearest cache when
    /// they are decoded.
    pub limit: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { data: Data::default(), frames: Vec::new(), limit: BATCH_FRAMES }
    }
}

/// Something wrong with a file. Everything before it was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The file.
    pub path: PathBuf,
    /// Byte offset (of the decompressed stream) where it went wrong.
    pub offset: u64,
    /// What is wrong, in words for a person.
    pub reason: String,
    /// Short stable word for counters, e.g. `truncated_record`.
    pub code: &'static str,
    /// Whether no frame at all could be read from the file.
    pub unreadable: bool,
}

/// Where frames come from.
pub trait Source {
    /// Replaces the batch's content with the next frames, in order; false at the end.
    fn poll(&mut self, batch: &mut Batch) -> bool;
}
