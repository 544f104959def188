//! What the sensor says of itself while it runs: numbers for Prometheus over HTTP, and a control socket for `picket status`, `reload`, `stop`.
//!
//! Both are given a [`Sensor`] and know nothing else of it. They never show an indicator, an address or a name from traffic: a [`Snapshot`] has
//! no place for one. Whoever connects is not trusted: requests are bounded in size, time and number.

mod builders;
pub mod control;
pub mod exposition;
mod health;
pub mod http;
pub mod process;
mod snapshot;
mod tls;

pub use health::{Problem, problems};
pub use snapshot::{
    Alerts, Count, Evidence, Feed, FlowLog, Gaps, Indicators, Interface, KindCount, Loss, NetworkCount, Notices,
    Output, Process, Reason, Reload, SensorFacts, Shed, Snapshot, Streams, Suppressed, Traffic, VerdictCount, Worker,
};

/// The running sensor, as seen from here. Called from the console's threads: an answer must not wait for traffic.
pub trait Sensor: Send + Sync + 'static {
    /// The numbers as they are now.
    fn snapshot(&self) -> Snapshot;

    /// Reads feeds, lists, clearance and outputs again; returns once it is decided.
    ///
    /// # Errors
    /// Why the old ones stay, without values.
    fn reload(&self) -> Result<String, String>;

    /// Asks it to stop: capture ends, what is in flight is written. Does not wait.
    fn stop(&self);
}
