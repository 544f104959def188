//! [`Plan`]: the configuration file of `picket watch`, read and judged. TOML with a safe value for everything that is not said;
//! whatever is not known here is an error that says file, line, what is wrong, what is allowed and what was probably meant.
//!
//! Nothing here opens a socket, loads a feed or looks at a clock. Secrets are never in the file: it names files that hold them.

mod change;
mod destinations;
mod error;
mod memory;
mod sections;
mod sinks;
mod units;
mod validate;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use destinations::{
    Authorization, Destination, ElasticsearchTarget, FileTarget, Fsync, KafkaTarget, NatsTarget, Scheme, SyslogTarget,
    SyslogTransport, Tls, UnixTarget, WebhookTarget,
};
use error::Place;
pub use error::{ConfigError, Finding};
pub use memory::{MemoryLine, MemoryTable, SetBytes};
pub use sections::{
    Backend, Capture, Control, Evidence, Feeds, FlowLog, Flows, Log, LogLevel, Memory, Metrics, Overload, Privileges,
    Seccomp, Spread, Suppression, Timestamps,
};
pub use sinks::{SPOOL_DIRECTORY, SinkFilter, SinkFormat, SinkPlan, SpoolPlan, WhenFull};
pub use units::{Bytes, Period};

/// Everything that a run of the live sensor is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Where packets come from.
    pub capture: Capture,
    /// What is looked for.
    pub feeds: Feeds,
    /// What is remembered of conversations.
    pub flows: Flows,
    /// What is left out when there is too much.
    pub overload: Overload,
    /// What the whole may take.
    pub memory: Memory,
    /// Where alerts go.
    pub sinks: Vec<SinkPlan>,
    /// What is summed up instead of said again.
    pub suppression: Suppression,
    /// Packets of what was found.
    pub evidence: Evidence,
    /// One record for each finished flow.
    pub flow_log: FlowLog,
    /// The Prometheus endpoint.
    pub metrics: Metrics,
    /// Where `picket status` asks.
    pub control: Control,
    /// What the sensor says of itself.
    pub log: Log,
    /// What is given up once sockets are open.
    pub privileges: Privileges,
}

/// Larger is no configuration file.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Plan {
    /// Reads a file of up to 1 MiB.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let unreadable = |why: String| ConfigError::Unreadable { file: file.clone(), why };
        let mut text = String::new();
        let opened = File::open(path).map_err(|error| unreadable(error.to_string()))?;
        opened.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(unreadable(format!("it has over {MAX_FILE_BYTES} bytes, so it is no configuration file")));
        }
        Self::parse(&text, &file)
    }

    /// Reads `text`; `file` is what errors call it.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let place = Place { file, text };
        let plan: Self = toml::from_str(text).map_err(|error| place.of_reader(&error))?;
        let findings = validate::findings(&plan, place);
        if findings.is_empty() { Ok(plan) } else { Err(ConfigError::Invalid(findings)) }
    }

    /// A whole file: every option, explained, with its default.
    pub fn example() -> &'static str {
        include_str!("config/example.toml")
    }
}

#[cfg(test)]
mod tests;
