//! [`Exit`]: where the alerts and flow records of a replay leave it, in order. What is decided here depends on their order alone, so that
//! it is the same for any number of workers.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::counters::Counters;
use super::evidence::Filer;
use super::named::{NamedFiles, Naming};
use super::order::{Order, Place};
use super::{EvidenceFigures, Options};
use crate::alert::{Alert, FlowRecord, Occurrence, Suppressor};
use crate::matcher::MatchSet;

/// Alerts that may wait for their evidence to be written; then the run waits.
const FILER_CHANNEL: usize = 64;

/// Who listens to a replay.
#[derive(Clone)]
pub(super) struct Readers {
    pub(super) alerts: Sender<Alert>,
    pub(super) flows: Sender<FlowRecord>,
    pub(super) figures: Arc<EvidenceFigures>,
}

/// See the module.
pub(super) struct Exit {
    alerts: Order<Alert>,
    flows: Order<FlowRecord>,
    namings: Order<Naming>,
    named: NamedFiles,
    suppressor: Option<Suppressor>,
    out: Sender<Alert>,
    flows_out: Sender<FlowRecord>,
    filer: Option<JoinHandle<()>>,
}

/// What a worker says after a batch.
pub(super) struct Said {
    pub(super) alerts: Vec<Alert>,
    pub(super) flows: Vec<FlowRecord>,
    pub(super) named: Vec<Naming>,
    /// The first place that it may still raise an alert for.
    pub(super) mark: Place,
    /// The first that it has not looked at.
    pub(super) end: Place,
}

impl Said {
    /// Whether there is nothing but the marks.
    pub(super) fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.flows.is_empty() && self.named.is_empty()
    }
}

impl Exit {
    pub(super) fn new(
        (options, workers): (&Options, usize),
        set: &Arc<MatchSet>,
        captures: &Arc<[Arc<Path>]>,
        readers: Readers,
    ) -> Self {
        let suppressor = options.suppress.clone().map(|options| Suppressor::new(options, set, captures));
        let mut exit = Self {
            alerts: Order::new(workers),
            flows: Order::new(workers),
            namings: Order::new(workers),
            named: NamedFiles::default(),
            suppressor,
            out: readers.alerts.clone(),
            flows_out: readers.flows,
            filer: None,
        };
        if let Some(options) = &options.evidence {
            match Filer::open(options, readers.figures) {
                Ok(filer) => {
                    let (out, alerts) = bounded(FILER_CHANNEL);
                    exit.out = out;
                    exit.filer = Some(thread::spawn(move || file(filer, &alerts, &readers.alerts)));
                }
                Err(error) => tracing::warn!("evidence cannot be written: {error}"),
            }
        }
        exit
    }

    /// Takes what a worker says and hands on what is due; false if nobody listens any more.
    pub(super) fn add(&mut self, worker: usize, said: Said) -> bool {
        for record in self.flows.add(worker, said.flows, said.end) {
            // Whoever does not listen to flows may still listen to alerts.
            let _ = self.flows_out.send(record);
        }
        // By the same mark: what names an alert's file is due with it, or was before.
        self.named.add(self.namings.add(worker, said.named, said.mark));
        let due = self.alerts.add(worker, said.alerts, said.mark);
        let listens = due.into_iter().all(|alert| self.send(alert));
        self.named.take_all();
        listens
    }

    fn send(&mut self, mut alert: Alert) -> bool {
        self.named.join(&mut alert);
        let Some(suppressor) = &mut self.suppressor else { return self.out.send(alert).is_ok() };
        let is_admitted = suppressor.admits(&Occurrence::from(&alert));
        suppressor.take().into_iter().chain(is_admitted.then_some(alert)).all(|alert| self.out.send(alert).is_ok())
    }

    /// The end: what is left goes out, and everything that was held back is summed up.
    /// Returns what it counted.
    pub(super) fn finish(mut self) -> Counters {
        let flows = std::mem::replace(&mut self.flows, Order::new(0)).finish();
        let _ = flows.into_iter().all(|record| self.flows_out.send(record).is_ok());
        self.named.add(std::mem::replace(&mut self.namings, Order::new(0)).finish());
        let alerts = std::mem::replace(&mut self.alerts, Order::new(0)).finish();
        let listens = alerts.into_iter().all(|alert| self.send(alert));
        let mut counters = Counters { names_given_way: self.named.given_way(), ..Counters::default() };
        if let Some(suppressor) = &mut self.suppressor {
            suppressor.close();
            let _ = listens && suppressor.take().into_iter().all(|alert| self.out.send(alert).is_ok());
            counters.held_back = suppressor.counters();
        }
        drop(self.out);
        if let Some(Err(panic)) = self.filer.map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        counters
    }
}

/// The filer's thread.
fn file(mut filer: Filer, alerts: &Receiver<Alert>, out: &Sender<Alert>) {
    for mut alert in alerts {
        filer.file(&mut alert);
        if out.send(alert).is_err() {
            return;
        }
    }
}
