//! [`PacketClock`]: what time it is by the packets, also where none comes.

use std::time::{Duration, Instant, SystemTime};

use crate::time::Timestamp;

/// The time of the last packet and how long ago it came. So the clock that stamps packets may be another one than the
/// machine's (an interface's, a capture's from long ago) and time still goes on.
pub(super) struct PacketClock {
    last: Timestamp,
    at: Instant,
}

impl PacketClock {
    /// Before the first packet: the machine's clock.
    pub(super) fn start(now: Instant) -> Self {
        Self { last: wall(), at: now }
    }

    /// A packet of this time came.
    pub(super) fn packet(&mut self, time: Timestamp, now: Instant) {
        (self.last, self.at) = (time, now);
    }

    /// What time it is.
    pub(super) fn time(&self, now: Instant) -> Timestamp {
        Timestamp::from_ns(self.last.as_ns().saturating_add(nanos(now.saturating_duration_since(self.at))))
    }

    /// The time of the last packet.
    pub(super) fn last(&self) -> Timestamp {
        self.last
    }
}

/// The machine's clock.
pub(in crate::pipeline) fn wall() -> Timestamp {
    from_system(SystemTime::now())
}

/// A time of the machine's clock.
pub(in crate::pipeline) fn from_system(time: SystemTime) -> Timestamp {
    Timestamp::from_ns(nanos(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How far behind the packets are that a worker gets, whatever the offset between their clock and the machine's: against the
/// least delay of the last one to two minutes.
pub(super) struct Backlog {
    /// The least delay of this window and of the one before.
    least: [i128; 2],
    until: Instant,
    /// The greatest since it was last asked for.
    worst_ns: i128,
}

/// Long enough that a worker that is behind was once not; short enough that clocks do not drift apart.
const WINDOW: Duration = Duration::from_secs(60);

impl Backlog {
    pub(super) fn start(now: Instant) -> Self {
        Self { least: [i128::MAX; 2], until: now + WINDOW, worst_ns: 0 }
    }

    /// A packet of this time is at hand.
    pub(super) fn packet(&mut self, time: Timestamp, now: Instant) {
        self.note(i128::from(wall().as_ns()) - i128::from(time.as_ns()), now);
    }

    fn note(&mut self, delay_ns: i128, now: Instant) {
        if now >= self.until {
            (self.least, self.until) = ([i128::MAX, self.least[0]], now + WINDOW);
        }
        self.least[0] = self.least[0].min(delay_ns);
        let least = self.least[0].min(self.least[1]);
        self.worst_ns = self.worst_ns.max(delay_ns - least);
    }

    /// The greatest delay since the last call.
    pub(super) fn take_worst(&mut self) -> Duration {
        let worst = std::mem::take(&mut self.worst_ns);
        Duration::from_nanos(u64::try_from(worst).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_without_packets() {
        let now = Instant::now();
        let mut clock = PacketClock::start(now);
        clock.packet(Timestamp::from_parts(1000, 0), now);
        assert_eq!(clock.time(now + Duration::from_secs(90)), Timestamp::from_parts(1090, 0));
        assert_eq!(clock.last(), Timestamp::from_parts(1000, 0));
    }

    #[test]
    fn a_backlog_is_measured_against_the_least_delay() {
        let now = Instant::now();
        let mut backlog = Backlog::start(now);
        // An interface's clock that is an hour ahead.
        let offset = -3_600_000_000_000;
        backlog.note(offset + 20_000_000, now);
        backlog.note(offset, now);
        backlog.note(offset + 300_000_000, now);
        assert_eq!(backlog.take_worst(), Duration::from_millis(300));
        assert_eq!(backlog.take_worst(), Duration::ZERO);
        let later = now + WINDOW;
        backlog.note(offset + 200_000_000, later);
        assert_eq!(backlog.take_worst(), Duration::from_millis(200), "the window before counts");
        backlog.note(offset + 200_000_000, later + WINDOW);
        assert_eq!(backlog.take_worst(), Duration::ZERO, "the clocks have drifted");
    }
}
