//! [`Watchdog`]: systemd is told that the sensor is alive for as long as every worker is. A sensor that lost one sees a part of the traffic
//! and looks well from outside: it is better started again.

use std::time::{Duration, Instant};

use crate::cli::service;
use crate::pipeline::live::Control;

/// See the module.
pub(super) struct Watchdog {
    hung: Vec<usize>,
    /// How often systemd is told; `None`: it does not wait for it.
    every: Option<Duration>,
    told: Option<Instant>,
}

impl Watchdog {
    pub(super) fn new(every: Option<Duration>) -> Self {
        Self { hung: Vec::new(), every, told: None }
    }

    /// Tells systemd when it is time, unless a worker hangs; who hangs is said once in the log.
    pub(super) fn look(&mut self, control: &Control) {
        if self.is_alive(control.hung()) && self.is_due(Instant::now()) {
            service::alive();
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.every.is_some_and(|every| self.told.is_none_or(|told| now.duration_since(told) >= every));
        if is_due {
            self.told = Some(now);
        }
        is_due
    }

    /// Whether all is well with these workers hanging.
    fn is_alive(&mut self, hung: Vec<usize>) -> bool {
        if hung != self.hung {
            match hung.as_slice() {
                [] => tracing::warn!("every worker goes on again"),
                _ => tracing::error!(
                    "hung workers: {hung:?}; until they go on, systemd is not told that the sensor is alive"
                ),
            }
            self.hung = hung;
        }
        self.hung.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_fed_while_a_worker_hangs() {
        let mut watchdog = Watchdog::new(None);
        let told = [vec![], vec![1], vec![1], vec![0, 1], vec![]].map(|hung| watchdog.is_alive(hung));
        assert_eq!(told, [true, false, false, false, true]);
    }

    #[test]
    fn it_is_fed_as_often_as_is_asked_for_and_never_where_nobody_asks() {
        let start = Instant::now();
        let told = |every: Option<u64>| {
            let mut watchdog = Watchdog::new(every.map(Duration::from_millis));
            [0, 250, 500, 750, 1000, 1500].map(|ms| watchdog.is_due(start + Duration::from_millis(ms)))
        };
        assert_eq!(told(None), [false; 6]);
        assert_eq!(told(Some(500)), [true, false, true, false, true, true]);
        assert_eq!(told(Some(100)), [true; 6]);
    }
}
