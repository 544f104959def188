//! [`Notice`]: what the sensor itself has to say among the alerts: that it lost packets, that a feed is stale, that alerts were dropped.
//! It is about the sensor and never about an indicator, so that every reader may have it: no indicator's value or name belongs here.

use super::OwnedValue;
use crate::indicator::Where;
use crate::time::Timestamp;

/// See the module.
#[derive(Clone)]
pub struct Notice {
    /// When it was so; packet time for what happened to packets.
    pub time: Timestamp,
    /// `event.action`: a stable word, e.g. `visibility-gap-began`.
    pub action: &'static str,
    /// `event.severity`, 0 to 100.
    pub severity: u8,
    /// `message`: what happened and what to do, for a person.
    pub message: String,
    /// What else there is to know of it, by Elastic Common Schema path (`observer.ingress.interface.name`) or under `picket.`.
    pub fields: Vec<(Where, OwnedValue)>,
}

crate::bytes::opaque_debug!(Notice, "Notice");
