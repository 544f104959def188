//! [`Desk`]: a worker of several, and what it says after its batches; [`put_in_order`]: where that is put in order.

use crossbeam_channel::{Receiver, Sender};

use super::{Progress, said};
use crate::packet::FrameMeta;
use crate::pipeline::counters::Counters;
use crate::pipeline::exit::{Exit, Said};
use crate::pipeline::worker::Worker;

/// Reports of a worker that may wait to be put in order.
pub(super) const REPORT_CHANNEL: usize = 16;

/// Batches without an alert after which a worker says how far it is: alerts of others wait for that.
const MAX_SILENT_BATCHES: u32 = 16;

/// What a worker tells after each batch.
pub(super) struct Report {
    worker: usize,
    said: Said,
}

/// A worker and what it reports to.
pub(super) struct Desk {
    pub(super) worker: Worker,
    pub(super) number: usize,
    silent_batches: u32,
    reports: Sender<Report>,
}

impl Desk {
    pub(super) fn new(worker: Worker, number: usize, reports: Sender<Report>) -> Self {
        Self { worker, number, silent_batches: 0, reports }
    }

    /// After a batch that ends with these frames; false if nobody listens any more.
    pub(super) fn report(&mut self, frames: &[FrameMeta]) -> bool {
        let said = said(&mut self.worker, frames);
        self.silent_batches += 1;
        if said.is_empty() && self.silent_batches < MAX_SILENT_BATCHES {
            return true;
        }
        self.silent_batches = 0;
        self.reports.send(Report { worker: self.number, said }).is_ok()
    }

    /// The end of the captures.
    pub(super) fn close(self) -> Counters {
        let (said, counters) = self.worker.close();
        let _ = self.reports.send(Report { worker: self.number, said });
        counters
    }
}

/// Hands on what workers say, in order, until all are done.
pub(super) fn put_in_order(reports: &Receiver<Report>, mut exit: Exit, progress: &Progress) -> Counters {
    let mut listens = true;
    for Report { worker, said } in reports {
        listens = listens && exit.add(worker, said);
        if !listens {
            progress.stop();
        }
    }
    exit.finish()
}
