//! A replay on several threads whose processors are far apart: each reads and decodes all of it for itself, and takes its own shards through
//! the rest. They share nothing but where what they say is put in order.
//!
//! What one processor writes and another reads has to be taken back before it is written again, line by line. Within a chiplet that costs
//! less than reading and decoding again; from chiplet to chiplet or socket to socket it costs more than all the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::report::{Desk, REPORT_CHANNEL, Report, put_in_order};
use super::{Outcome, Progress, REPLAY_SEED, Run, Stages};
use crate::capture::{BATCH_FRAMES, Batch, FileInfo, Files, Source, Trouble};
use crate::pipeline::SHARDS;
use crate::pipeline::clock::Clock;
use crate::pipeline::counters::Counters;
use crate::pipeline::decoded::Headers;
use crate::pipeline::fragments::Assembler;
use crate::pipeline::worker::{GROUP, Worker};

const _: () = assert!(BATCH_FRAMES.is_multiple_of(GROUP * SHARDS.next_power_of_two()));

/// Frames that a worker may be ahead of the slowest: what it says waits for the others'.
const MAX_AHEAD_FRAMES: u64 = 64 * BATCH_FRAMES as u64;

/// How long who is too far ahead waits before it looks again.
const WAIT: Duration = Duration::from_millis(1);

impl Run {
    pub(super) fn on_several_apart(self) -> Outcome {
        let workers = self.options.threads;
        let (reports_in, reports) = bounded::<Report>(workers * REPORT_CHANNEL);
        let (exit, progress) = (self.exit(workers), Arc::clone(&self.progress));
        let orderer = thread::spawn(move || put_in_order(&reports, exit, &progress));
        let places: Arc<[Reached]> = (0..workers).map(|_| Reached::default()).collect();
        let handles: Vec<_> = (0..workers)
            .map(|number| {
                let (set, captures, options) = (Arc::clone(&self.set), Arc::clone(&self.captures), self.of_workers());
                let (reports, pace) = (reports_in.clone(), Pace { number, places: Arc::clone(&places) });
                let (files, progress) = (self.files.again(), Arc::clone(&self.progress));
                thread::spawn(move || {
                    let worker = Worker::new(&set, &captures, &options, workers);
                    let desk = Desk::new(worker, number, reports);
                    go_through(files, desk, &pace, &progress)
                })
            })
            .collect();
        drop(reports_in);
        let mut counters = Counters::default();
        let mut stages = Stages::default();
        let mut all = Vec::new();
        for handle in handles {
            let done = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            counters.merge(&done.counters);
            stages.add(&done.stages);
            all.push(done);
        }
        counters.merge(&orderer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        // All have met with the same.
        let Some(Done { files, troubles, assembler, .. }) = all.into_iter().next() else {
            return self.outcome(counters, stages);
        };
        assembler.close(&mut counters);
        Outcome { files, troubles, ..self.outcome(counters, stages) }
    }
}

/// What came of a worker's way.
struct Done {
    counters: Counters,
    stages: Stages,
    files: Vec<FileInfo>,
    troubles: Vec<Trouble>,
    assembler: Assembler,
}

/// One worker's thread.
fn go_through(mut files: Files, mut desk: Desk, pace: &Pace, progress: &Progress) -> Done {
    let workers = pace.places.len();
    // As many as make a group of its own. They fit into what others call a batch: what is said after it is said after the same frames.
    let mut batch = Batch { limit: GROUP * workers.next_power_of_two(), ..Batch::default() };
    let (mut headers, mut assembler, mut own) = (Headers::default(), Assembler::default(), Vec::new());
    let mut clock = Clock::default();
    let (mut place, mut end, mut unsaid) = (0, None, 0);
    loop {
        if end.is_none() && progress.is_stopped() {
            end = Some(pace.agree(place));
        }
        if end.is_some_and(|end| place >= end) {
            break;
        }
        clock.next();
        if !clock.read(|| files.poll(&mut batch)) {
            break;
        }
        let frames = batch.frames.as_slice();
        clock.decode(|| {
            headers.decode(&batch.data, frames, REPLAY_SEED, &mut assembler, |_| {});
            headers.list_own(desk.number, workers, &mut own);
        });
        clock.inspect(|| {
            for group in own.chunks(GROUP) {
                let framed = |&at: &u32| headers.framed(at, frames);
                desk.worker.process_own(headers.bytes(&batch.data), group.iter().map(framed));
            }
        });
        place += frames.len() as u64;
        unsaid += frames.len();
        if unsaid >= BATCH_FRAMES || frames.len() < batch.limit {
            if desk.number == 0 {
                progress.show(unsaid, &files);
            }
            unsaid = 0;
            pace.go_on(place, progress);
            if !desk.report(frames) {
                // Nobody listens any more.
                break;
            }
        }
    }
    if desk.number == 0 {
        progress.show(unsaid, &files);
    }
    let counters = desk.close();
    let (stages, troubles) = (clock.stages(), files.troubles().to_vec());
    Done { counters, stages, files: files.files().to_vec(), troubles, assembler }
}

/// How far a worker is, in frames.
#[derive(Default)]
struct Reached {
    now: AtomicU64,
    /// One more than where it was when it was told to stop; [`u64::MAX`] if it goes to the end of the captures, or ended already.
    stop: AtomicU64,
}

/// What a worker knows of the others.
struct Pace {
    number: usize,
    places: Arc<[Reached]>,
}

impl Pace {
    /// It is so far; waits for who is too far behind.
    fn go_on(&self, place: u64, progress: &Progress) {
        self.places[self.number].now.store(place, Ordering::Relaxed);
        let is_behind = |other: &Reached| other.now.load(Ordering::Relaxed).saturating_add(MAX_AHEAD_FRAMES) < place;
        while self.places.iter().any(is_behind) && !progress.is_stopped() {
            thread::sleep(WAIT);
        }
    }

    /// Where all stop, when this one could here: what one has read is finished by all.
    fn agree(&self, place: u64) -> u64 {
        self.places[self.number].stop.store(place + 1, Ordering::Relaxed);
        loop {
            let stops = self.places.iter().map(|other| other.stop.load(Ordering::Relaxed));
            let (least, most) = stops.fold((u64::MAX, 0), |(least, most), stop| (least.min(stop), most.max(stop)));
            if least > 0 {
                return most - 1;
            }
            thread::sleep(WAIT);
        }
    }
}

impl Drop for Pace {
    /// Nobody waits for who is done, or has failed.
    fn drop(&mut self) {
        let place = &self.places[self.number];
        place.now.store(u64::MAX, Ordering::Relaxed);
        if place.stop.load(Ordering::Relaxed) == 0 {
            place.stop.store(u64::MAX, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces(count: usize) -> Vec<Pace> {
        let places: Arc<[Reached]> = (0..count).map(|_| Reached::default()).collect();
        (0..count).map(|number| Pace { number, places: Arc::clone(&places) }).collect()
    }

    #[test]
    fn all_stop_where_the_farthest_is() {
        let ends: Vec<u64> = thread::scope(|scope| {
            let threads: Vec<_> = paces(3)
                .into_iter()
                .zip([300, 1000, 200])
                .map(|(pace, place)| scope.spawn(move || pace.agree(place)))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(ends, [1000; 3]);
    }

    #[test]
    fn nobody_waits_for_who_is_done() {
        let mut paces = paces(2);
        drop(paces.pop());
        let progress = Progress::default();
        paces[0].go_on(10 * MAX_AHEAD_FRAMES, &progress);
        assert!(paces[0].agree(7) > 1 << 60, "the other read to the end, so this one does");
    }

    #[test]
    fn who_is_far_ahead_waits_until_it_is_not_or_all_stop() {
        let mut paces = paces(2);
        let (slow, fast) = (paces.pop().expect("two"), paces.pop().expect("two"));
        let progress = Progress::default();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| fast.go_on(MAX_AHEAD_FRAMES + 5, &progress));
            slow.go_on(4, &progress);
            thread::sleep(20 * WAIT);
            assert!(!waiting.is_finished(), "one frame too far");
            slow.go_on(5, &progress);
            waiting.join().expect("no panic");
            let waiting = scope.spawn(|| fast.go_on(2 * MAX_AHEAD_FRAMES, &progress));
            progress.stop();
            waiting.join().expect("no panic");
        });
    }
}
