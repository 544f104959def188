//! [`Turns`]: the one [`Defrag`] of a run, for several workers that decode batches at the same time.
//!
//! Pieces of a datagram may lie in different batches, and the datagram they make may belong to another shard than any of them
//! (pieces have no ports). So they are put together where batches are decoded, before anything is dealt out to shards, and one batch
//! after the other: the result depends on the capture alone. Batches without pieces, nearly all, do not wait for their turn;
//! they only say that it is over. Whoever waits, waits for somebody who is decoding and who waits for nobody later.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::flow::{Defrag, DefragCounters};

/// See the module.
#[derive(Default)]
pub(super) struct Turns {
    inside: Mutex<Inside>,
    moved: Condvar,
}

#[derive(Default)]
struct Inside {
    defrag: Defrag,
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
    pub(super) fn close(&self) -> DefragCounters {
        std::mem::take(&mut self.lock().defrag).close()
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
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Defrag) -> T) -> T {
        let mut inside = self.turns.lock();
        while inside.next != self.batch {
            inside = self.turns.moved.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        act(&mut inside.defrag)
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
