//! [`Watchdog`]: systemd is told that the sensor is alive for as long as every worker is. A sensor that lost one sees a part of the traffic
//! and looks well from outside: it is better started again.

use crate::cli::service;
use crate::pipeline::live::Control;

/// See the module.
#[derive(Default)]
pub(super) struct Watchdog {
    hung: Vec<usize>,
}

impl Watchdog {
    /// Tells systemd, unless a worker hangs; who hangs is said once in the log.
    pub(super) fn look(&mut self, control: &Control) {
        if self.is_alive(control.hung()) {
            service::alive();
        }
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
        let mut watchdog = Watchdog::default();
        let told = [vec![], vec![1], vec![1], vec![0, 1], vec![]].map(|hung| watchdog.is_alive(hung));
        assert_eq!(told, [true, false, false, false, true]);
    }
}
