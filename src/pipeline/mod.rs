//! The only place with threads and channels: a source's batches through decode, flows, parsers and matcher, to alerts.
//!
//! [`live::watch`] runs interfaces, and [`reload`] gives it other feeds while it runs.
//!
//! [`replay`] runs capture files and hands back the channel that the alerts come through. With one worker everything happens
//! on one thread; with more, each worker owns a fixed part of [`SHARDS`] logical shards, and whoever has nothing to do reads, decodes and deals out the next batch.
//! A shard sees its packets in capture order whatever the number of workers, and the alerts are put in order again
//! (`order`), so the output does not depend on it.
//!
//! Nothing here looks at a value or a protocol: it moves packets and calls the floors below.

mod aside;
mod clock;
mod counters;
mod decoded;
mod engine;
mod evidence;
mod exit;
mod explain;
mod eyes;
mod flowlog;
mod fragments;
mod judge;
pub mod live;
mod named;
mod order;
mod pending;
mod recorder;
pub mod reload;
mod shard;
mod summary;
mod verdict;
mod visibility;
mod waiting;
mod worker;

pub use counters::{Counters, Uninspected};
pub use engine::{Outcome, Progress, Replay, Stages, replay};
pub use evidence::{EvidenceCounters, EvidenceFigures, EvidenceOptions, Reach};
pub use explain::{Explanation, FlowFacts, explain};
pub use flowlog::{FlowLogCounters, FlowLogOptions};
pub use recorder::Noted;
pub use summary::{AlertTally, Loaded, Summary};
pub use verdict::Verdict;
pub use visibility::{Count, Line, NetworkReport, Report, Visibility};

use crate::alert::SuppressOptions;
use crate::proto::Protocols;

/// Logical shards, spread over the workers: so many workers can share the work, and so many independent tables there are.
pub const SHARDS: usize = 16;

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Workers, 1 to [`SHARDS`].
    pub threads: usize,
    /// Whether several workers of a replay share what they read.
    pub sharing: Sharing,
    /// Flows followed at once, in all.
    pub max_flows: usize,
    /// Bytes held back in all for messages and streams that are not complete.
    pub max_stream_bytes: usize,
    /// Protocols that are parsed. The flows of others are looked at for addresses and byte signatures alone, and counted as not recognised.
    pub protocols: Protocols,
    /// Whether packets with a wrong IPv4 header, TCP or UDP checksum are counted and not inspected. A receiver drops them; but
    /// a card that computes checksums itself lets the sending machine capture wrong ones.
    pub verifies_checksums: bool,
    /// Holds further alerts of a host and indicator back and sums them up. `None` says everything.
    pub suppress: Option<SuppressOptions>,
    /// Makes a record of each flow that ends.
    pub flow_log: Option<FlowLogOptions>,
    /// Files the packets around each alert.
    pub evidence: Option<EvidenceOptions>,
}

/// Whether several workers of a replay share what one of them has read and decoded. What comes out is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// Unless their processors are far apart, which is measured, and large captures lie in plain files.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// Each reads all of it for itself, if all captures are files.
    Never,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 1,
            sharing: Sharing::Auto,
            max_flows: 1_000_000,
            max_stream_bytes: 256 * 1024 * 1024,
            protocols: Protocols::ALL,
            verifies_checksums: false,
            suppress: None,
            flow_log: None,
            evidence: None,
        }
    }
}

impl Options {
    /// Bytes that one flow takes in its table.
    pub fn flow_bytes() -> usize {
        shard::Table::bytes_for(1 << 20) >> 20
    }
}
