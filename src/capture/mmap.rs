//! Maps a window of a file. The only unsafe code of this room.
//!
//! A file that another process shortens while it is mapped raises SIGBUS on the first read past its new end, and nothing
//! can be done about it here: the size is read again before each window, and reading with [`super::Access::Read`]
//! has no such weakness.

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// The bytes of `file` from `offset` on, `bytes` of them; not zero, and all within the file.
pub(super) fn window(file: &File, offset: u64, bytes: usize) -> io::Result<Mmap> {
    #[expect(unsafe_code, reason = "a mapping aliases a file that others may write")]
    // SAFETY: the mapping is read-only, so nothing here writes through it. What another process writes to
    // the file meanwhile can change bytes between two reads; every reader of captured bytes is bounds-checked by the
    // slice, never trusts a value that it read twice, and takes any byte for possible.
    unsafe {
        MmapOptions::new().offset(offset).len(bytes).map(file)
    }
}
