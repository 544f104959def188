//! [`Mapping`]: the memory of a ring, shared with the kernel, and whose each block of it is.
//!
//! A block is the kernel's, which fills it, or ours, from when its status says so ([`Mapping::take`]) until nobody holds
//! any of it ([`RingBytes`], [`Block`]); then it goes back. Ours it is read only, but for the part that has not been
//! handed out yet ([`Block::rest`]), which exactly one [`Block`] leads to. So nothing that is handed out ever changes.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::socket::{Layout, Socket};

/// A ring's memory. It is unmapped when nothing leads to it any more.
pub(super) struct Mapping {
    start: NonNull<u8>,
    layout: Layout,
    /// For each block how many hold it, and one more as long as it is not back at the kernel; zero for the kernel's.
    holds: Box<[AtomicU32]>,
}

#[expect(unsafe_code, reason = "a pointer says nothing of threads")]
// SAFETY: the memory is plain bytes that any thread may read; who may write which is said in the module's
// documentation and decided by atomics (`holds`, and the status of a block).
unsafe impl Send for Mapping {}

#[expect(unsafe_code, reason = "a pointer says nothing of threads")]
// SAFETY: as for `Send`.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the ring that the socket was given.
    pub(super) fn new(socket: &Socket, layout: Layout) -> io::Result<Self> {
        let bytes = layout.block_bytes * layout.blocks;
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: the kernel chooses an address where nothing is mapped; the descriptor is open.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, socket.as_fd().as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::Other))?;
        Ok(Self::over(start, layout))
    }

    fn over(start: NonNull<u8>, layout: Layout) -> Self {
        Self { start, layout, holds: (0..layout.blocks).map(|_| AtomicU32::new(0)).collect() }
    }

    /// Blocks of the ring.
    pub(super) fn blocks(&self) -> usize {
        self.layout.blocks
    }

    /// Whether the kernel has filled the block, and it is not held already.
    pub(super) fn is_full(&self, index: usize) -> bool {
        // A block that is held has the status of one that is new. Acquire: what its holders did is done.
        self.holds.get(index).is_some_and(|holds| holds.load(Ordering::Acquire) == 0)
            && self.status(index).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// The block, if it is full.
    pub(super) fn take(self: &Arc<Self>, index: usize) -> Option<Block> {
        let holds = self.holds.get(index)?;
        holds.compare_exchange(0, 2, Ordering::Acquire, Ordering::Relaxed).ok()?;
        if self.status(index).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            holds.store(0, Ordering::Release);
            return None;
        }
        let hold = RingBytes { mapping: Arc::clone(self), index, start: self.block(index), len: 0 };
        let [left, first, end] = [NUM_PKTS, OFFSET_TO_FIRST_PKT, BLK_LEN].map(|at| self.number(index, at));
        let end = (end as usize).min(self.layout.block_bytes);
        Some(Block { hold, left, at: (first as usize).clamp(HEADER_BYTES, end.max(HEADER_BYTES)), end })
    }

    fn block(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.layout.blocks, "a block of this ring");
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: the mapping is `blocks` times `block_bytes` long, and `index` was checked.
        unsafe {
            self.start.add(index * self.layout.block_bytes)
        }
    }

    fn status(&self, index: usize) -> &AtomicU32 {
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: a block starts on a page and is at least one long, so that the status is in it and aligned; no
        // reference to the header is ever made but this one; the kernel's accesses to it are atomic.
        unsafe {
            AtomicU32::from_ptr(self.block(index).add(BLOCK_STATUS).as_ptr().cast())
        }
    }

    /// A number of the header of a block that is ours.
    fn number(&self, index: usize, at: usize) -> u32 {
        assert!(at + 4 <= HEADER_BYTES && at.is_multiple_of(4), "a number of the header");
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: within the block and aligned (see `status`); nobody writes to the header of a block that is ours,
        // but for the status.
        unsafe {
            self.block(index).add(at).cast::<u32>().read()
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: it was mapped with this length, and whatever points into it holds an `Arc` of this.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.layout.block_bytes * self.layout.blocks);
        }
    }
}

/// A block that is being walked: the only way to what of it has not been handed out.
pub(super) struct Block {
    hold: RingBytes,
    /// Frames that have not been handed out.
    pub(super) left: u32,
    /// Where they start.
    at: usize,
    /// Where they end.
    end: usize,
}

impl Block {
    /// What has not been handed out, from the header of the next frame on.
    pub(super) fn rest(&mut self) -> &mut [u8] {
        let Self { hold, at, end, .. } = self;
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: `at` and `end` lie within the block. It is ours, for `hold` holds it, so the kernel does not write to it.
        // Of this block there is one `Block` (`take` gives none while it is held), which is exclusively borrowed; what
        // `RingBytes` lead to lies before `at`, and the header lies before it, too.
        unsafe {
            std::slice::from_raw_parts_mut(hold.mapping.block(hold.index).add(*at).as_ptr(), end.saturating_sub(*at))
        }
    }

    /// Hands out the first `bytes` of the rest.
    pub(super) fn hand_out(&mut self, bytes: usize) -> RingBytes {
        let len = bytes.min(self.end.saturating_sub(self.at));
        let mut out = self.hold.clone();
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: `at` lies within the block, at whose start `out` starts.
        let start = unsafe { out.start.add(self.at) };
        (out.start, out.len) = (start, len);
        self.at += len;
        out
    }
}

/// Bytes of a ring's block. They stay as they are as long as this or a clone of it is there; then the kernel fills the block
/// anew. A ring whose blocks are all held is full, and the kernel drops what comes: hold them no longer than needed.
pub struct RingBytes {
    mapping: Arc<Mapping>,
    index: usize,
    start: NonNull<u8>,
    len: usize,
}

#[expect(unsafe_code, reason = "a pointer says nothing of threads")]
// SAFETY: it leads to bytes that nobody writes to while it is there, and `Mapping` may be shared between threads.
unsafe impl Send for RingBytes {}

#[expect(unsafe_code, reason = "a pointer says nothing of threads")]
// SAFETY: as for `Send`.
unsafe impl Sync for RingBytes {}

impl std::ops::Deref for RingBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        #[expect(unsafe_code, reason = "the ring is memory that the kernel shares")]
        // SAFETY: the bytes lie within a block (`hand_out`), which is ours as long as this is there; what was handed out is
        // written to by nobody; the mapping is there as long as this is.
        unsafe {
            std::slice::from_raw_parts(self.start.as_ptr(), self.len)
        }
    }
}

impl Clone for RingBytes {
    fn clone(&self) -> Self {
        // Relaxed, as in `Arc`: whoever clones holds it already.
        let before = self.mapping.holds[self.index].fetch_add(1, Ordering::Relaxed);
        if before > MAX_HOLDS {
            // Reached only by forgetting clones; counting on to zero would be unsound.
            std::process::abort();
        }
        Self { mapping: Arc::clone(&self.mapping), index: self.index, start: self.start, len: self.len }
    }
}

impl Drop for RingBytes {
    fn drop(&mut self) {
        let holds = &self.mapping.holds[self.index];
        // AcqRel: every holder is done reading before the last one gives the block back.
        if holds.fetch_sub(1, Ordering::AcqRel) == 2 {
            self.mapping.status(self.index).store(libc::TP_STATUS_KERNEL, Ordering::Release);
            holds.store(0, Ordering::Release);
        }
    }
}

const MAX_HOLDS: u32 = u32::MAX / 2;

/// Where numbers are in `struct tpacket_block_desc`.
const BLOCK_STATUS: usize = 8;
const NUM_PKTS: usize = 12;
const OFFSET_TO_FIRST_PKT: usize = 16;
const BLK_LEN: usize = 20;
const HEADER_BYTES: usize = size_of::<libc::tpacket_block_desc>();

const _: () = {
    assert!(BLOCK_STATUS == std::mem::offset_of!(libc::tpacket_block_desc, hdr));
    assert!(NUM_PKTS == BLOCK_STATUS + std::mem::offset_of!(libc::tpacket_hdr_v1, num_pkts));
    assert!(OFFSET_TO_FIRST_PKT == BLOCK_STATUS + std::mem::offset_of!(libc::tpacket_hdr_v1, offset_to_first_pkt));
    assert!(BLK_LEN == BLOCK_STATUS + std::mem::offset_of!(libc::tpacket_hdr_v1, blk_len));
};

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { block_bytes: 4096, blocks: 2 };

    /// A ring without a kernel behind it.
    fn made_up() -> Arc<Mapping> {
        let bytes = LAYOUT.block_bytes * LAYOUT.blocks;
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        #[expect(unsafe_code, reason = "a ring is mapped memory")]
        // SAFETY: new memory, at an address that the kernel chooses; it is unmapped once, with this length.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        Arc::new(Mapping::over(NonNull::new(start.cast()).expect("an address"), LAYOUT))
    }

    /// Does what the kernel does: fills a block with `fill`, `len` bytes of it used, and hands it over.
    fn deliver(mapping: &Mapping, index: usize, fill: u8, [packets, first, len]: [u32; 3]) {
        assert_eq!(mapping.status(index).load(Ordering::Acquire), libc::TP_STATUS_KERNEL);
        let block = mapping.block(index);
        #[expect(unsafe_code, reason = "a ring is mapped memory")]
        // SAFETY: all of one block, which is the kernel's, so that nothing leads to it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), LAYOUT.block_bytes) };
        bytes[HEADER_BYTES..].fill(fill);
        for (at, number) in [(NUM_PKTS, packets), (OFFSET_TO_FIRST_PKT, first), (BLK_LEN, len)] {
            bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
        }
        mapping.status(index).store(libc::TP_STATUS_USER, Ordering::Release);
    }

    fn is_kernels(mapping: &Mapping, index: usize) -> bool {
        mapping.status(index).load(Ordering::Acquire) == libc::TP_STATUS_KERNEL
    }

    #[test]
    fn a_block_goes_back_with_the_last_of_its_holders() {
        let mapping = made_up();
        assert!(mapping.take(0).is_none(), "it is the kernel's");
        deliver(&mapping, 0, 7, [2, 48, 4096]);
        let mut block = mapping.take(0).expect("it is full");
        assert!(mapping.take(0).is_none(), "it is held");
        assert_eq!((block.left, block.rest().len()), (2, 4096 - 48));
        let first = block.hand_out(100);
        let copy = first.clone();
        block.rest()[0] = 9;
        let second = block.hand_out(100);
        drop((block, first));
        assert_eq!((copy.len(), copy[0], copy[99]), (100, 7, 7));
        assert_eq!((second.len(), second[0], second[1]), (100, 9, 7));
        drop(copy);
        assert!(!is_kernels(&mapping, 0) && mapping.take(0).is_none());
        drop(second);
        assert!(is_kernels(&mapping, 0) && mapping.take(0).is_none());
        deliver(&mapping, 0, 8, [1, 48, 4096]);
        assert_eq!(mapping.take(0).expect("it is full again").rest()[0], 8);
        assert!(is_kernels(&mapping, 0));
        assert!(mapping.take(2).is_none(), "there is no such block");
    }

    #[test]
    fn a_header_that_lies_leads_nowhere_outside() {
        let mapping = made_up();
        for (first, len, rest) in [
            (48, 4096, 4048),
            (0, 4096, 4048),
            (u32::MAX, 4096, 0),
            (48, u32::MAX, 4048),
            (48, 0, 0),
            (0, 0, 0),
            (200, 100, 0),
            (4096, 4096, 0),
        ] {
            deliver(&mapping, 1, 7, [u32::MAX, first, len]);
            let mut block = mapping.take(1).expect("it is full");
            assert_eq!(block.rest().len(), rest, "{first} {len}");
            assert_eq!(block.hand_out(usize::MAX).len(), rest, "{first} {len}");
            assert!(block.rest().is_empty());
        }
    }

    #[test]
    fn holders_may_let_go_on_any_thread() {
        let mapping = made_up();
        for round in 0..200 {
            deliver(&mapping, 0, round as u8, [1, 48, 4096]);
            let mut block = mapping.take(0).expect("it is full");
            let bytes = block.hand_out(4000);
            drop(block);
            let holders: Vec<_> = (0..4)
                .map(|_| {
                    let held = bytes.clone();
                    std::thread::spawn(move || assert!(held.iter().all(|&byte| byte == round as u8)))
                })
                .collect();
            drop(bytes);
            holders.into_iter().for_each(|holder| holder.join().expect("unchanged"));
            assert!(is_kernels(&mapping, 0));
        }
    }
}
