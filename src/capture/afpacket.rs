//! Live capture by `AF_PACKET` sockets with rings that the kernel shares (`TPACKET_V3`): one ring for each worker and
//! interface, and the rings of an interface joined in a fanout group by flow.
//!
//! No frame is copied: a batch points into a block of a ring, which goes back to the kernel when nobody holds any of it
//! ([`RingBytes`]). The folder is the only place of live capture with unsafe code: `socket` has the calls to the kernel,
//! `mapping` the shared memory; `walk`, which reads the kernel's headers, and `ring` have none.
//!
//! With several workers that share by flow the kernel puts IPv4 fragments together before it decides whose they are, so that a
//! datagram comes as one frame; else fragments come as they are.

mod mapping;
mod program;
mod ring;
mod socket;
mod walk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use mapping::RingBytes;
use ring::{Group, Ring};

use super::interface::Dropped;
use super::live::{InterfaceState, LOOK_POLLS, Live, LiveError, LiveOptions, Losses, MAX_WAIT_MS, NAP};
use super::{Batch, Data, Source};

/// Opens the interfaces, for each worker.
///
/// # Errors
/// See [`LiveError`].
pub(super) fn open(options: &LiveOptions) -> Result<Vec<Box<dyn Live>>, LiveError> {
    let options = Arc::new(options.clone());
    let groups: Vec<Option<Group>> =
        options.interfaces.iter().map(|_| (options.workers > 1).then(Group::default)).collect();
    let unwanted: Vec<Arc<AtomicU64>> = options.interfaces.iter().map(|_| Arc::default()).collect();
    let worker = |number| {
        let open = |((file, group), unwanted): ((usize, &Option<Group>), &Arc<AtomicU64>)| {
            Ring::open(&options, file, group.clone(), Arc::clone(unwanted))
        };
        let rings = groups.iter().enumerate().zip(&unwanted).map(open).collect::<Result<_, _>>()?;
        let names = if number == 0 { options.interfaces.as_slice() } else { &[] };
        let dropped = names.iter().map(|name| Dropped::new(name)).collect();
        Ok(Box::new(AfPacket { rings, next: 0, polls: 0, dropped, unwanted: unwanted.clone() }) as Box<dyn Live>)
    };
    (0..options.workers).map(worker).collect()
}

/// One worker's rings.
struct AfPacket {
    rings: Vec<Ring>,
    /// Whose turn it is.
    next: usize,
    polls: u32,
    /// What the interfaces dropped; the first worker's alone.
    dropped: Vec<Dropped>,
    /// By interface: what they only say to have dropped.
    unwanted: Vec<Arc<AtomicU64>>,
}

impl Source for AfPacket {
    fn poll(&mut self, batch: &mut Batch) -> bool {
        batch.frames.clear();
        // Its block may go back before anything is waited for.
        batch.data = Data::Empty;
        self.polls = self.polls.wrapping_add(1);
        if self.polls.is_multiple_of(LOOK_POLLS) {
            self.rings.iter_mut().for_each(Ring::look);
        }
        if self.fill(batch) {
            return true;
        }
        let is_readable = self.wait();
        if !self.fill(batch) {
            self.rings.iter_mut().for_each(Ring::look);
            if is_readable {
                // The kernel calls a ring readable whose latest block is still held.
                thread::sleep(NAP);
            }
        }
        true
    }
}

impl AfPacket {
    /// A batch of the next ring that has something; each has its turn.
    fn fill(&mut self, batch: &mut Batch) -> bool {
        for _ in 0..self.rings.len() {
            let at = self.next;
            self.next = (at + 1) % self.rings.len();
            if let Some(bytes) = self.rings[at].fill(&mut batch.frames) {
                batch.data = Data::Ring(bytes);
                return true;
            }
        }
        false
    }

    /// Waits until something comes or happens. True if a ring says that something came.
    fn wait(&mut self) -> bool {
        let mut sockets: Vec<_> = self.rings.iter().map(|ring| PollFd::new(ring.socket(), PollFlags::IN)).collect();
        let most = Timespec { tv_sec: 0, tv_nsec: MAX_WAIT_MS as i64 * 1_000_000 };
        if poll(&mut sockets, Some(&most)).is_err() {
            // Interrupted.
            return false;
        }
        let events: Vec<_> = sockets.iter().map(PollFd::revents).collect();
        for (ring, events) in self.rings.iter_mut().zip(&events) {
            if events.intersects(PollFlags::ERR | PollFlags::HUP) {
                ring.went_down();
                ring.look();
            }
        }
        events.iter().any(|events| events.contains(PollFlags::IN))
    }
}

impl Live for AfPacket {
    fn losses_by_interface(&mut self) -> Vec<Losses> {
        let mut all: Vec<Losses> = self.rings.iter_mut().map(Ring::losses).collect();
        for ((losses, dropped), unwanted) in all.iter_mut().zip(&mut self.dropped).zip(&self.unwanted) {
            losses.interface_dropped = dropped.lost(unwanted.load(Ordering::Relaxed));
        }
        all
    }

    fn state(&self) -> Vec<InterfaceState> {
        self.rings.iter().map(Ring::state).collect()
    }
}
