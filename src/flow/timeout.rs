//! How long a silent flow is remembered, on packet time.

use std::time::Duration;

use super::Lifecycle;
use crate::packet::protocol;

/// TCP after both sides showed life.
pub const TCP_ESTABLISHED: Duration = Duration::from_secs(1800);
/// TCP before that: a SYN that nobody answered.
pub const TCP_HALF_OPEN: Duration = Duration::from_secs(60);
/// TCP after a FIN of one side.
pub const TCP_CLOSING: Duration = Duration::from_secs(120);
/// TCP after a RST or both FINs: long enough for stragglers.
pub const TCP_CLOSED: Duration = Duration::from_secs(30);
/// UDP.
pub const UDP: Duration = Duration::from_secs(180);
/// ICMP and everything else.
pub const OTHER: Duration = Duration::from_secs(60);
/// The shortest of them: nothing younger need be looked at.
pub const SHORTEST: Duration = TCP_CLOSED;

pub(super) fn of(protocol_number: u8, lifecycle: Lifecycle) -> Duration {
    match (protocol_number, lifecycle) {
        (protocol::TCP, Lifecycle::HalfOpen) => TCP_HALF_OPEN,
        (protocol::TCP, Lifecycle::Established) => TCP_ESTABLISHED,
        (protocol::TCP, Lifecycle::Closing) => TCP_CLOSING,
        (protocol::TCP, Lifecycle::Closed) => TCP_CLOSED,
        (protocol::UDP, _) => UDP,
        _ => OTHER,
    }
}
