//! [`Turns`]: the one [`Defrag`] of a run, for several workers that decode batches at the same time.
//!
//! Pieces of a datagram may lie in different batches, and the datagram they make may belong to another shard than any of them
//! (pieces have no ports). So they are put together where batches are decoded, before anything is dealt out to shards, and one batch
//! after the other: the result depends on the capture alone. Batches without pieces, nearly all, do not wait for their turn;
//! they only say that it is over. Whoever waits, waits for somebody who is decoding and who waits for nobody later.
//!
//! Pieces that are never put together belong to no worker's numbers: [`Assembler`] counts them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::counters::Counters;
use super::verdict::Verdict;
use super::visibility::Visibility;
use crate::flow::{Defrag, FlowKey, Lost};

/// Puts pieces together, and counts the packets of those that never become a datagram.
#[derive(Default)]
pub(super) struct Assembler {
    pub(super) defrag: Defrag,
    lost: Visibility,
}

impl Assembler {
    /// Gives pieces that will not be read their verdict.
    pub(super) fn count_lost(&mut self) {
        let lost = self.defrag.take_lost();
        self.count(lost);
    }

    /// The end of the run.
    pub(super) fn close(mut self, counters: &mut Counters) {
        let lost;
        (counters.fragments, lost) = std::mem::take(&mut self.defrag).close();
        self.count(lost);
        counters.wire_bytes += self.lost.total().bytes;
        counters.visibility.merge(&self.lost);
    }

    fn count(&mut self, lost: Vec<Lost>) {
        for Lost { share, piece } in lost {
            let network = FlowKey::of(&piece).map_or(0, |(key, _)| key.network());
            self.lost.packets(network, || piece.vlan_ids().to_vec(), Verdict::Fragment, share.packets, share.bytes);
        }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Turns {
    inside: Mutex<Inside>,
    moved: Condvar,
}

#[derive(Default)]
struct Inside {
    assembler: Assembler,
    /// The first batch whose turn is not over.
    next: u64,
    /// Later batches whose turn is over.
    over: Vec<u64>,
}

impl Turns {
    /// A batch's turn: over when this is dropped, whatever happens.
    pub(super) fn of(&self, batch: u64) -> Turn<'_> {
        Turn { turns: self, batch }
    }

    /// The end of the run.
    pub(super) fn close(&self, counters: &mut Counters) {
        std::mem::take(&mut self.lock().assembler).close(counters);
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Turns::of`].
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    batch: u64,
}

impl Turn<'_> {
    /// Waits until every earlier batch's turn is over.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Assembler) -> T) -> T {
        let mut inside = self.turns.lock();
        while inside.next != self.batch {
            inside = self.turns.moved.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        act(&mut inside.assembler)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut inside = self.turns.lock();
        inside.over.push(self.batch);
        let before = inside.next;
        while let Some(at) = inside.over.iter().position(|&batch| batch == inside.next) {
            inside.over.swap_remove(at);
            inside.next += 1;
        }
        if inside.next != before {
            self.turns.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn turns_come_in_order_and_a_panic_ends_one() {
        let turns = Arc::new(Turns::default());
        let seen = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..8_u64)
            .rev()
            .map(|batch| {
                let (turns, seen) = (Arc::clone(&turns), Arc::clone(&seen));
                thread::spawn(move || {
                    let turn = turns.of(batch);
                    if batch % 3 != 0 {
                        turn.with(|_| assert_eq!(seen.fetch_add(1, Ordering::SeqCst), batch - batch / 3 - 1));
                    }
                    assert_ne!(batch, 4, "as asked");
                })
            })
            .collect();
        let failed = threads.into_iter().map(thread::JoinHandle::join).filter(Result::is_err).count();
        assert_eq!((failed, seen.load(Ordering::SeqCst)), (1, 5));
        assert_eq!(turns.lock().next, 8);
    }
}
