//! [`Whole`]: a connection that is nothing but a file: one end sends it from the first byte to the FIN, the other says nothing.
//! That is FTP's data connection in either mode, and what netcat and many a dropper do.
//!
//! A data connection is another flow than the commands that name its file, so it lies in another shard, and which of the two is
//! seen first depends on how many workers there are. So nothing is handed from one to the other: every connection of that shape
//! that no parser recognises is a file, and the names are reported where they are said. Its alerts are in the data connection's flow.
//!
//! Made only when a feed names digests. Not covered: a connection picked up in its middle, one with a hole, one that is reset, and a
//! file that begins like a protocol of the table.

use super::file::{File, Wants};
use crate::flow::{Chunk, Direction};
use crate::indicator::Seen;

/// See the module.
pub(super) struct Whole {
    direction: Direction,
    file: Box<File>,
}

impl Whole {
    /// What a flow that begins with `chunk` may be; `None` if nobody wants to know, or its start is not there.
    pub(super) fn begin(direction: Direction, chunk: &Chunk<'_>, wants: Wants) -> Option<Box<Self>> {
        let is_start = chunk.position == 0 && chunk.start_is_known && chunk.gap_bytes == 0 && !chunk.data.is_empty();
        // The stream's own bytes are scanned for signatures where they lie.
        let file = if is_start { File::begin(wants.without_content()) } else { None };
        file.map(|file| Box::new(Self { direction, file }))
    }

    /// Which end sends.
    pub(super) fn direction(&self) -> Direction {
        self.direction
    }

    /// The next bytes; false if it is no file any more.
    pub(super) fn push(&mut self, direction: Direction, chunk: &Chunk<'_>, seen: Seen<'_>) -> bool {
        let is_one = direction == self.direction && chunk.gap_bytes == 0;
        if is_one {
            self.file.push(chunk.data, seen);
        }
        is_one
    }

    /// The sender has ended it.
    pub(super) fn complete(self: Box<Self>, seen: Seen<'_>) {
        self.file.complete(None, &[], seen);
    }

    /// What it has on the heap.
    pub(super) const fn memory_bytes() -> usize {
        size_of::<Self>() + File::memory_bytes()
    }
}
