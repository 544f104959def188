//! [`Input`]: the bytes of one file, plain or compressed, piece by piece.
//!
//! A stream is read into bounded buffers; what is left of one, at most a record, is carried to the next. A mapped file
//! is seen through windows. Either way a piece holds any record that the formats allow.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::compression::{self, Reader};
use super::pool::{BUFFER_BYTES, Pool};
use super::{Data, mmap};

/// How plain files are read. Everything else is read as a stream.
///
/// Reading is the default because it was never dearer, in user and system time together, a frame, from page cache:
/// 228-byte frames 16 ns against 18 on a nearly idle machine and 26 against 42 on a loaded one; loaded, 64-byte frames
/// 9 against 15 and 1,400-byte frames 73 against 150 (Linux 6.18, ext4; `benches/capture.rs`). On a small file that lies
/// in the processor's cache mapping wins. The kernel's copy streams, and leaves the bytes in the cache for who comes
/// next; a walk over mapped bytes waits for memory. Reading also bounds peak memory by the buffers, and survives a file
/// that shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// `read` into recycled buffers.
    #[default]
    Read,
    /// `mmap`, window by window. A file that another process shortens meanwhile ends this one with SIGBUS.
    Map,
}

/// An open file.
pub(super) struct Input {
    bytes: Bytes,
    /// What the bytes were packed in.
    pub(super) compression: Option<&'static str>,
}

enum Bytes {
    /// `live`: a pipe or the like, where waiting for a full buffer would hold back what is there.
    Stream {
        reader: Reader,
        live: bool,
    },
    Map {
        file: File,
    },
}

/// A piece of the file and how far it has been read.
#[derive(Default)]
pub(super) struct Piece {
    /// Holds the piece.
    pub(super) data: Data,
    /// How much of `data` it is.
    pub(super) filled: usize,
    /// Where it starts in the unpacked file.
    pub(super) base: u64,
    /// Next byte to read; past `filled`, what is to be skipped of what follows.
    pub(super) at: usize,
    /// Whether the file ends with it.
    pub(super) last: bool,
}

impl Piece {
    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.data.get(..self.filled).unwrap_or(&[])
    }

    /// Position of the next byte in the unpacked file.
    pub(super) fn position(&self) -> u64 {
        self.base + self.at as u64
    }
}

impl Input {
    /// Opens a file, or standard input for `-`, and reads its first bytes: the first piece, up to [`HEAD_BYTES`].
    /// `done` counts the bytes read of the file as it is stored.
    ///
    /// # Errors
    /// The file cannot be opened, read or unpacked; the compression, if one was recognised.
    pub(super) fn open(
        path: &Path,
        access: Access,
        done: &Arc<AtomicU64>,
    ) -> Result<(Self, Piece), (Option<&'static str>, io::Error)> {
        let plain = |error| (None, error);
        let file =
            if path == Path::new(STANDARD_INPUT) { standard_input() } else { File::open(path) }.map_err(plain)?;
        let regular = file.metadata().map_err(plain)?.is_file();
        let mut reader = Counted { file, done: Arc::clone(done) };
        let mut head = read_head(&mut reader).map_err(plain)?;
        let mut compression = None;
        let bytes = if let Some(packed) = compression::recognise(&head) {
            let failed = |error| (Some(packed.name), error);
            compression = Some(packed.name);
            let mut reader = (packed.open)(Box::new(io::Cursor::new(head).chain(reader))).map_err(failed)?;
            head = read_head(&mut reader).map_err(failed)?;
            Bytes::Stream { reader, live: !regular }
        } else if access == Access::Map && regular {
            Bytes::Map { file: reader.file }
        } else {
            Bytes::Stream { reader: Box::new(reader), live: !regular }
        };
        let filled = head.len();
        let piece = Piece { data: Data::Buffer(Arc::new(head)), filled, ..Piece::default() };
        Ok((Self { bytes, compression }, piece))
    }

    /// Replaces the piece by one that starts at its next byte and has more to it, if there is more.
    ///
    /// # Errors
    /// Reading or unpacking failed. The piece is the last one then, and holds what could be read.
    pub(super) fn advance(&mut self, piece: &mut Piece, pool: &mut Pool) -> io::Result<()> {
        match &mut self.bytes {
            Bytes::Stream { reader, live } => read_on(reader, *live, piece, pool),
            Bytes::Map { file } => map_on(file, piece),
        }
    }

    /// Whether progress is how far the walk is, for nothing counts the bytes of a mapped file.
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self.bytes, Bytes::Map { .. })
    }
}

fn read_on(reader: &mut Reader, live: bool, piece: &mut Piece, pool: &mut Pool) -> io::Result<()> {
    let mut buffer = pool.take();
    let bytes = Arc::make_mut(&mut buffer);
    let outcome = refill(reader, live, piece, bytes);
    let filled = *outcome.as_ref().unwrap_or_else(|failure| &failure.filled);
    piece.filled = filled;
    pool.give(std::mem::replace(&mut piece.data, Data::Buffer(buffer)));
    outcome.map(|_| ()).map_err(|failure| {
        piece.last = true;
        failure.error
    })
}

/// What could be read before it failed.
struct Failure {
    filled: usize,
    error: io::Error,
}

/// Skips or carries over what the walk left, then reads until the buffer is full, or at least once if `live`.
/// Sets the piece's position and whether it is the last one; gives how much of the buffer is filled.
fn refill(reader: &mut Reader, live: bool, piece: &mut Piece, bytes: &mut [u8]) -> Result<usize, Failure> {
    let mut skip = piece.at.saturating_sub(piece.filled);
    let carried = piece.bytes().get(piece.at..).unwrap_or(&[]);
    let mut filled = carried.len();
    bytes[..filled].copy_from_slice(carried);
    piece.base = piece.position() - skip as u64;
    piece.at = 0;
    while skip > 0 {
        let most = skip.min(bytes.len());
        let count = read(reader, &mut bytes[..most]).map_err(|error| Failure { filled: 0, error })?;
        piece.base += count as u64;
        skip -= count;
        if count == 0 {
            piece.at = skip;
            piece.last = true;
            return Ok(0);
        }
    }
    while filled < bytes.len() {
        let count = read(reader, &mut bytes[filled..]).map_err(|error| Failure { filled, error })?;
        filled += count;
        piece.last = count == 0;
        if count == 0 || live {
            break;
        }
    }
    Ok(filled)
}

fn map_on(file: &File, piece: &mut Piece) -> io::Result<()> {
    let position = piece.position();
    let size = file.metadata().inspect_err(|_| piece.last = true)?.len();
    let left = size.saturating_sub(position);
    let bytes = left.min(WINDOW_BYTES);
    *piece = Piece { base: position, last: bytes == left, ..Piece::default() };
    if bytes == 0 {
        piece.base = position.min(size);
        piece.at = (position - piece.base) as usize;
        return Ok(());
    }
    let map = mmap::window(file, position, bytes as usize).inspect_err(|_| piece.last = true)?;
    piece.filled = map.len();
    piece.data = Data::Map(Arc::new(map));
    Ok(())
}

fn read(reader: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(to) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Whether a file that can be read is packed, by its first bytes.
pub(super) fn is_packed(path: &Path) -> bool {
    let head = File::open(path).and_then(|mut file| read_head(&mut file));
    head.is_ok_and(|head| compression::recognise(&head).is_some())
}

fn read_head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let mut filled = 0;
    while filled < HEAD_BYTES {
        match read(reader, &mut head[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            // What is there may be a capture's start; the failure will come again.
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error),
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// Standard input without the standard library's buffer and its lock.
fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Counts what is read of a file.
struct Counted {
    file: File,
    done: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(to)?;
        self.done.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// The name that stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// Enough to tell any format, tar archives included.
const HEAD_BYTES: usize = 512;

/// Small in tests, so that they cross from window to window. Large enough that mapping costs nothing against walking, small enough to bound peak memory: in a prototype of the
/// walk 32 MiB was as cheap as the whole file at once, 8 MiB 2 ns a frame dearer.
const WINDOW_BYTES: u64 = if cfg!(test) { 1024 * 1024 } else { 32 * 1024 * 1024 };

const _: () = assert!(HEAD_BYTES < BUFFER_BYTES);
