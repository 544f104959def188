//! How far apart the processors are that threads run on: how long a cache line takes that another one has written. It measures, and
//! decides nothing of what comes out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A line that takes longer is far away. Measured between two virtual processors that a host moved about: 33 ns or 122.
const FAR_NS: u64 = 60;

/// Lines that are handed on at once: more than a clock's grain.
const LINES: usize = 16;

/// How often they go around.
const ROUNDS: u64 = 32;

/// After this it is known only that there are too few processors.
const MAX_TIME: Duration = Duration::from_millis(20);

/// One cache line, far from the next: processors fetch neighbours too.
#[derive(Default)]
#[repr(align(256))]
struct Line(AtomicU64);

/// Lines that go around among threads.
#[derive(Default)]
struct Ring {
    lines: [Line; LINES],
    /// Whose turn it is, counted on from round to round.
    turn: Line,
}

/// Whether lines are far away for one of so many threads at least. Takes well below a millisecond where each has a processor of its own; where
/// there are fewer it is not asked.
pub(super) fn are_far_apart(threads: usize) -> bool {
    if thread::available_parallelism().is_ok_and(|processors| processors.get() < threads) {
        return false;
    }
    let (ring, deadline) = (Ring::default(), Instant::now() + MAX_TIME);
    thread::scope(|scope| {
        let ring = &ring;
        let measured: Vec<_> = (0..threads as u64)
            .map(|number| scope.spawn(move || ring.line_ns(number, threads as u64, deadline)))
            .collect();
        let lines_ns: Vec<_> = measured.into_iter().map(|thread| thread.join().ok().flatten()).collect();
        tracing::info!(?lines_ns, "how long a cache line takes from one worker to the next");
        lines_ns.into_iter().flatten().any(|line_ns| line_ns > FAR_NS)
    })
}

impl Ring {
    /// How long one of its lines takes to come to this thread, mostly; `None` if it did not come in time.
    fn line_ns(&self, number: u64, threads: u64, deadline: Instant) -> Option<u64> {
        let mut times: Vec<u64> = Vec::with_capacity(ROUNDS as usize);
        for round in 0..ROUNDS {
            let mine = round * threads + number;
            while self.turn.0.load(Ordering::Acquire) != mine {
                if Instant::now() > deadline {
                    return None;
                }
                // Who yields is not moved: two that take turns on one processor would find each other near.
                std::hint::spin_loop();
            }
            let start = Instant::now();
            // One after the other: which is next is known only once the last one has come (the top bit is never set).
            let mut at = 0;
            for _ in 0..LINES {
                let count = self.lines[at % LINES].0.fetch_add(1, Ordering::Relaxed);
                at += 7 + (count >> 63) as usize;
            }
            times.push(start.elapsed().as_nanos() as u64 / LINES as u64);
            self.turn.0.store(mine + 1, Ordering::Release);
        }
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_around_and_it_ends_in_any_case() {
        let ring = Ring::default();
        let deadline = Instant::now() + Duration::from_secs(60);
        let times: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|n| {
                    scope.spawn({
                        let ring = &ring;
                        move || ring.line_ns(n, 3, deadline)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(times.iter().all(Option::is_some), "{times:?}");
        assert!(ring.lines.iter().all(|line| line.0.load(Ordering::Relaxed) == 3 * ROUNDS));
        assert_eq!(Ring::default().line_ns(1, 2, Instant::now()), None, "the other never comes");
    }
}
