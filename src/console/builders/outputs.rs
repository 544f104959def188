//! What an output says of itself ([`OutputStatus`]) as part of a snapshot.

use crate::console::snapshot::Output;
use crate::sink::OutputStatus;

impl Output {
    /// Of an output whose queue may take so many bytes.
    pub fn new(status: &OutputStatus, queue_limit_bytes: u64) -> Self {
        Self {
            name: status.name.clone(),
            kind: status.destination.to_owned(),
            is_up: status.is_up,
            accepted: status.accepted,
            filtered: status.filtered,
            delivered: status.delivered,
            retried: status.retried,
            dropped: status.dropped,
            dead_lettered: status.dead_lettered,
            dead_letters_lost: status.dead_letters_lost,
            spilled: status.spilled,
            damaged_bytes: status.damaged_bytes,
            queued: status.queue_records,
            queued_bytes: status.queue_bytes,
            queue_limit_bytes,
            queue_age_seconds: status.queue_age.map(|age| age.as_secs_f64()),
            last_error: status.last_error.clone(),
            last_error_age_seconds: status.last_error_age.map(|age| age.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_waits_and_what_was_lost_is_passed_on() {
        let status = OutputStatus {
            name: "siem".into(),
            destination: "nats",
            dropped: 3,
            queue_records: 9,
            queue_age: Some(Duration::from_millis(1500)),
            ..OutputStatus::default()
        };
        let output = Output::new(&status, 100);
        assert_eq!((output.name.as_str(), output.kind.as_str(), output.is_up), ("siem", "nats", false));
        assert_eq!((output.dropped, output.queued, output.queue_age_seconds), (3, 9, Some(1.5)));
        assert_eq!(output.queue_limit_bytes, 100);
    }
}
