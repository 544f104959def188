//! [`Timestamp`]: when a packet was captured, in nanoseconds. Never the wall clock: this module must not read one.

use std::fmt;
use std::time::Duration;

/// Nanoseconds since the Unix epoch, as the capture says. Good until the year 2554.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch; also what a packet without a time of its own gets.
    pub const ZERO: Self = Self(0);
    /// Later than every packet.
    pub const MAX: Self = Self(u64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// From seconds and nanoseconds; saturates.
    pub const fn from_parts(secs: u64, ns: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000).saturating_add(ns))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// How long after `earlier` this is; zero when it is not after (captures step back).
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// RFC 3339 in UTC with nine decimals, so that no capture's precision is lost.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(f, "{time:.9}"),
            Err(_) => f.write_str("9999-12-31T23:59:59.999999999Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_every_nanosecond() {
        assert_eq!(Timestamp::from_parts(1_700_000_000, 5).to_string(), "2023-11-14T22:13:20.000000005Z");
        assert_eq!(Timestamp::ZERO.to_string(), "1970-01-01T00:00:00.000000000Z");
        assert!(Timestamp::MAX.to_string().starts_with("2554-07-21T"));
    }

    #[test]
    fn a_step_back_is_no_time_at_all() {
        let (a, b) = (Timestamp::from_ns(5), Timestamp::from_ns(9));
        assert_eq!(b.since(a), Duration::from_nanos(4));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(Timestamp::from_parts(u64::MAX, 1), Timestamp::MAX);
    }
}
