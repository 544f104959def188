//! [`Exit`]: where the alerts of a replay leave it, in order. What is decided here depends on their order alone, so that it is the same
//! for any number of workers.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::Options;
use crate::alert::{Alert, Occurrence, SuppressCounters, Suppressor};
use crate::matcher::MatchSet;

/// See the module.
pub(super) struct Exit {
    suppressor: Option<Suppressor>,
    out: Sender<Alert>,
}

impl Exit {
    pub(super) fn new(options: &Options, set: &Arc<MatchSet>, captures: &Arc<[Arc<Path>]>, out: Sender<Alert>) -> Self {
        let suppressor = options.suppress.clone().map(|options| Suppressor::new(options, set, captures));
        Self { suppressor, out }
    }

    /// Hands on what is due now; false if nobody listens any more.
    pub(super) fn send(&mut self, alerts: Vec<Alert>) -> bool {
        alerts.into_iter().all(|alert| self.send_one(alert))
    }

    fn send_one(&mut self, alert: Alert) -> bool {
        let Some(suppressor) = &mut self.suppressor else { return self.out.send(alert).is_ok() };
        let is_admitted = suppressor.admits(&Occurrence::from(&alert));
        suppressor.take().into_iter().chain(is_admitted.then_some(alert)).all(|alert| self.out.send(alert).is_ok())
    }

    /// The end: everything that was held back is summed up.
    pub(super) fn finish(mut self) -> SuppressCounters {
        let Some(suppressor) = &mut self.suppressor else { return SuppressCounters::default() };
        suppressor.close();
        suppressor.take().into_iter().all(|alert| self.out.send(alert).is_ok());
        suppressor.counters()
    }
}
