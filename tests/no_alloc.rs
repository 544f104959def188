//! A clean packet allocates nothing: after a warm-up, replaying `fixtures/pcaps/clean-mix.pcap` makes no call of the allocator.
//!
//! The counter is per thread, so that tests beside each other do not disturb one another; what is measured must run on the
//! thread that measures.
//!
//! Seen to fail: `the_counter_sees_each_kind_of_call`, and with `let _ = vec![0_u8; 9];` put into the measured closure.
#![expect(unsafe_code, reason = "a global allocator can only be written with it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use picket::capture::{Batch, Data};
use picket::packet::{FrameMeta, LinkType};
use picket::time::Timestamp;

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // While a thread ends its counter is gone; nothing is measured then.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed to the system's allocator unchanged; the counter itself never allocates (a const-initialised
// thread-local without a destructor).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `job` asked the allocator for memory on this thread.
fn allocations(job: impl FnOnce()) -> u64 {
    let before = CALLS.with(Cell::get);
    job();
    CALLS.with(Cell::get) - before
}

/// The clean fixture as one batch.
fn clean_batch() -> Batch {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pcaps/clean-mix.pcap");
    let bytes = std::fs::read(path).expect("fixture");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let mut frames = Vec::new();
    let mut at = 24;
    while at + 16 <= bytes.len() {
        frames.push(FrameMeta {
            offset: at + 16,
            time: Timestamp::from_parts(u64::from(word(at)), u64::from(word(at + 4)) * 1000),
            number: frames.len() as u64 + 1,
            captured_bytes: word(at + 8),
            wire_bytes: word(at + 12),
            file: 0,
            link: LinkType::ETHERNET,
        });
        at += 16 + word(at + 8) as usize;
    }
    Batch { data: Data::Buffer(Arc::new(bytes)), frames }
}

/// Moves every frame `by` nanoseconds on, so that a batch can be replayed again in time order.
fn later(batch: &mut Batch, by: u64) {
    for frame in &mut batch.frames {
        frame.time = Timestamp::from_ns(frame.time.as_ns() + by);
    }
}

/// Rounds before measuring: tables and scratch buffers reach their size.
const WARM_UP: usize = 3;

/// Measured rounds.
const ROUNDS: usize = 100;

/// Between the rounds: every flow of the round before has timed out.
const APART_NS: u64 = 3_600_000_000_000;

/// Replays the clean batch through `process` and counts its allocations after the warm-up.
fn measure(mut process: impl FnMut(&Batch)) -> u64 {
    let mut batch = clean_batch();
    assert!(batch.frames.len() > 50, "the fixture has frames");
    for _ in 0..WARM_UP {
        process(&batch);
        later(&mut batch, APART_NS);
    }
    allocations(|| {
        for _ in 0..ROUNDS {
            process(&batch);
            later(&mut batch, APART_NS);
        }
    })
}

#[test]
fn reading_every_frame_of_a_batch_allocates_nothing() {
    let mut seen = 0;
    let calls = measure(|batch| {
        for frame in &batch.frames {
            let mut reader = picket::bytes::Reader::new(&batch.data[frame.offset..][..frame.captured_bytes as usize]);
            while reader.u32().is_some() {
                seen += 1;
            }
        }
    });
    assert!(seen > 1000);
    assert_eq!(calls, 0);
}

#[test]
fn the_counter_sees_each_kind_of_call() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1_u64)))), 1);
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0_u8; 100]))), 1);
    let mut grown = Vec::with_capacity(1);
    grown.push(1_u8);
    assert_eq!(allocations(|| grown.reserve_exact(1000)), 1);
    assert_eq!(allocations(|| grown.clear()), 0);
    assert_eq!(measure(|batch| drop(std::hint::black_box(batch.frames.clone()))), ROUNDS as u64);
}
