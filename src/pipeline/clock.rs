//! [`Clock`]: how long the stages of a run take. It times, and decides nothing.

use std::time::{Duration, Instant};

use super::Stages;

/// One batch in so many is timed; a clock read costs as much as a packet.
const TIMED_BATCHES: u64 = 16;

/// Times one batch in [`TIMED_BATCHES`].
#[derive(Default)]
pub(super) struct Clock {
    batch: u64,
    stages: Stages,
}

impl Clock {
    pub(super) fn next(&mut self) {
        self.batch += 1;
    }

    pub(super) fn read<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (result, time) = self.time(act);
        self.stages.read += time;
        result
    }

    pub(super) fn decode<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (result, time) = self.time(act);
        self.stages.decode += time;
        result
    }

    pub(super) fn inspect<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (result, time) = self.time(act);
        self.stages.inspect += time;
        result
    }

    fn time<T>(&self, act: impl FnOnce() -> T) -> (T, Duration) {
        if !self.batch.is_multiple_of(TIMED_BATCHES) {
            return (act(), Duration::ZERO);
        }
        let start = Instant::now();
        let result = act();
        (result, start.elapsed())
    }

    pub(super) fn stages(&self) -> Stages {
        let scale = TIMED_BATCHES as u32;
        let Stages { read, decode, inspect, .. } = self.stages;
        Stages { read: read * scale, decode: decode * scale, inspect: inspect * scale, ..Stages::default() }
    }
}
