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
use crate::indicator::{self, Seen};

/// See the module.
pub(super) struct Whole {
    direction: Direction,
    file: Box<File>,
}

impl Whole {
    /// What a flow that begins with `chunk` may be; `None` if nobody wants to know, or its start is not there.
    pub(super) fn begin(direction: Direction, chunk: &Chunk<'_>, wants: &indicator::Wants) -> Option<Box<Self>> {
        let is_start = chunk.position == 0 && chunk.start_is_known && chunk.gap_bytes == 0 && !chunk.data.is_empty();
        // The stream's own bytes are scanned for signatures where they lie.
        let file = if is_start { File::begin(Wants::of(wants).without_content()) } else { None };
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
    pub(super) fn complete(self, seen: Seen<'_>) {
        self.file.complete(None, &[], seen);
    }

    /// What it has on the heap.
    pub(super) const fn memory_bytes() -> usize {
        size_of::<Self>() + File::memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Pool;
    use crate::indicator::Wants as Kinds;
    use crate::packet::FrameRef;
    use crate::proto::testing::{tcp, text_of};
    use crate::proto::{Conversation, Hint, Unread};
    use Direction::{ToOriginator as Down, ToResponder as Up};

    const PICKET: &str = "file file.hash.md5 1960f7a2084eaaa63b5dce7396516a04";

    struct Flow {
        conversation: Conversation,
        pool: Pool,
        position: [u64; 2],
        hint: Hint,
        seen: Vec<String>,
        unread: Vec<Unread>,
    }

    impl Flow {
        fn new(pool_bytes: usize) -> Self {
            let mut wants = Kinds::NONE;
            wants.add(&crate::indicator::kind::FILE, 32);
            let hint = Hint { wants, ..tcp(40000, 6000) };
            let (pool, conversation) = (Pool::new(pool_bytes), Conversation::default());
            Self { conversation, pool, position: [0; 2], hint, seen: Vec::new(), unread: Vec::new() }
        }

        fn send(&mut self, direction: Direction, data: &[u8]) {
            self.send_after(direction, 0, data);
        }

        fn send_after(&mut self, direction: Direction, gap_bytes: u64, data: &[u8]) {
            let position = &mut self.position[direction.index()];
            let frame = FrameRef::default();
            let chunk = Chunk { data, gap_bytes, position: *position, start_is_known: true, frame, is_aside: false };
            *position += data.len() as u64;
            let seen = &mut |o: crate::indicator::Observable<'_>| self.seen.push(text_of(&o));
            let unread = &mut |why| self.unread.push(why);
            self.conversation.stream(direction, &chunk, &self.hint, &mut self.pool, seen, unread);
        }

        fn end(mut self, direction: Direction) -> Vec<String> {
            let seen = &mut |o: crate::indicator::Observable<'_>| self.seen.push(text_of(&o));
            let unread = &mut |why| self.unread.push(why);
            self.conversation.end(direction, &self.hint, &mut self.pool, seen, unread);
            self.conversation.finish(&mut self.pool, unread);
            assert_eq!(self.pool.in_use_bytes(), 0);
            self.seen
        }
    }

    #[test]
    fn what_one_end_sends_from_start_to_end_is_a_file() {
        for direction in [Up, Down] {
            let mut flow = Flow::new(1 << 20);
            b"picket\x00\xFF".repeat(50).iter().for_each(|byte| flow.send(direction, &[*byte]));
            assert!(flow.pool.in_use_bytes() > 0);
            assert!(flow.conversation.wants(direction), "long after probing ended");
            let found = flow.end(direction);
            assert_eq!(found.len(), 1, "{direction:?}");
        }
        let mut flow = Flow::new(1 << 20);
        flow.send(Up, b"\xFF");
        flow.send(Up, b"picket");
        assert_eq!(flow.unread, [Unread::NotRecognised]);
        assert_eq!(flow.end(Up), [PICKET]);
    }

    #[test]
    fn nothing_else_is() {
        let spoiled = |spoil: fn(&mut Flow)| {
            let mut flow = Flow::new(1 << 20);
            flow.send(Up, b"\xFFpicket");
            spoil(&mut flow);
            flow.end(Up)
        };
        assert_eq!(spoiled(|_| {}), [PICKET]);
        let none = [""; 0];
        assert_eq!(spoiled(|flow| flow.send(Down, b"\xFFthanks")), none, "both ends speak");
        assert_eq!(spoiled(|flow| flow.send_after(Up, 7, b"x")), none, "a hole");
        assert_eq!(spoiled(|flow| flow.send_after(Up, 7, b"")), none, "a hole before the end");
        assert_eq!(spoiled(|flow| flow.send(Up, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")).len(), 1, "a protocol");
        let mut flow = Flow::new(1 << 20);
        flow.position[0] = 9;
        flow.send(Up, b"\xFFpicket");
        assert_eq!(flow.end(Up), none, "its start is missing");
        let mut flow = Flow::new(1 << 20);
        flow.send(Up, b"\xFFpicket");
        assert_eq!(flow.end(Down), none, "the other end ends");
        let mut flow = Flow::new(100);
        flow.send(Up, b"\xFFpicket");
        assert_eq!(flow.pool.refused, 1);
        assert_eq!(flow.end(Up), none, "no memory for it");
    }
}
