//! The sections of the file but for `[[sinks]]`, each with the safe value for whatever is not said. `example.toml` explains every one.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::sinks::FileTarget;
use super::units::{Bytes, Period};

/// `[capture]`: where packets come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capture {
    /// Names of the interfaces, at least one.
    pub interfaces: Vec<String>,
    /// A filter as tcpdump has it; packets that it excludes are not seen at all.
    pub filter: Option<String>,
    /// Bytes kept of a packet.
    pub snap_bytes: u32,
    /// Whether frames for other machines are taken: what a mirror port needs.
    #[serde(rename = "promiscuous")]
    pub is_promiscuous: bool,
    /// Workers, 1 to 16; one a processor if not said.
    pub workers: Option<usize>,
    /// Processors that workers are pinned to, in turn; none: the system decides.
    pub cpus: Vec<usize>,
    /// The ring of each worker and interface.
    pub ring_bytes: Bytes,
    /// How packets are taken.
    pub backend: Backend,
    /// Whose clock packets carry.
    pub timestamps: Timestamps,
    /// Whether packets with a wrong IPv4 header, TCP or UDP checksum are counted and not inspected.
    #[serde(rename = "verify_checksums")]
    pub verifies_checksums: bool,
}

/// `capture.backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The rings of Linux where there are any, else libpcap.
    #[default]
    Auto,
    /// The rings of Linux.
    AfPacket,
    /// libpcap.
    Pcap,
}

/// `capture.timestamps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// The kernel's.
    #[default]
    Kernel,
    /// The card's, where it has a clock.
    Hardware,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: None,
            snap_bytes: 262_144,
            is_promiscuous: true,
            workers: None,
            cpus: Vec::new(),
            ring_bytes: Bytes::mib(64),
            backend: Backend::Auto,
            timestamps: Timestamps::Kernel,
            verifies_checksums: false,
        }
    }
}

/// `[feeds]`: what is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feeds {
    /// Feed files and directories of feeds; `FORMAT=PATH` names a format.
    pub paths: Vec<PathBuf>,
    /// Allow-lists.
    pub allow: Vec<PathBuf>,
    /// The clearance file.
    pub clearance: Option<PathBuf>,
    /// Whether dangerous entries are loaded too.
    pub force: bool,
    /// Age of a feed's newest file from which it is stale, an alert of its own.
    pub stale_after: Period,
    /// A reload that loses more than this share of the indicators is refused.
    pub max_shrink_percent: u8,
    /// Whether feeds, allow-lists and clearance are read again when their files change.
    #[serde(rename = "watch")]
    pub is_watched: bool,
    /// How long files must be quiet before they are read again.
    pub settle: Period,
}

impl Default for Feeds {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            allow: Vec::new(),
            clearance: None,
            force: false,
            stale_after: Period::seconds(48 * 3600),
            max_shrink_percent: 50,
            is_watched: true,
            settle: Period::seconds(2),
        }
    }
}

/// `[flows]`: what is remembered of conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flows {
    /// Flows followed at once, in all.
    pub max: usize,
    /// Bytes held back in all for messages and streams that are not complete.
    pub stream_bytes: Bytes,
}

impl Default for Flows {
    fn default() -> Self {
        Self { max: 1_000_000, stream_bytes: Bytes::mib(256) }
    }
}

/// `[memory]`: what the whole may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// A configuration whose total is more is refused before it starts.
    pub max: Bytes,
    /// Alerts that may wait for the outputs; beyond that they are dropped and counted.
    pub alert_channel: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self { max: Bytes::mib(4096), alert_channel: 65_536 }
    }
}

/// `[suppression]`: what is summed up instead of said again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Suppression {
    /// Whether anything is.
    #[serde(rename = "enabled")]
    pub is_enabled: bool,
    /// After an alert of an indicator for a source host, further ones are counted so long and told as one.
    pub window: Period,
    /// Alerts of one indicator in a minute, of all hosts; further ones are counted and told as one.
    pub max_per_minute: u32,
    /// Pairs of source host and indicator that are remembered; the oldest gives way and is told.
    pub max_pairs: usize,
}

impl Default for Suppression {
    fn default() -> Self {
        Self { is_enabled: true, window: Period::seconds(300), max_per_minute: 600, max_pairs: 100_000 }
    }
}

/// `[evidence]`: packets of what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evidence {
    /// Whether packets are kept.
    #[serde(rename = "enabled")]
    pub is_enabled: bool,
    /// Where the files are written.
    pub directory: PathBuf,
    /// What all files may take; the oldest are removed.
    pub max_bytes: Bytes,
    /// Packets of the flow that are kept from after the hit.
    pub packets_after: u32,
    /// How long after the hit packets are waited for.
    pub time_after: Period,
    /// Packets before a hit, of all flows of a worker, that are held in memory.
    pub ring_bytes: Bytes,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            is_enabled: false,
            directory: "/var/lib/picket/evidence".into(),
            max_bytes: Bytes::mib(1024),
            packets_after: 20,
            time_after: Period::seconds(10),
            ring_bytes: Bytes::mib(32),
        }
    }
}

/// `[flow_log]`: one record for each finished flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowLog {
    /// Whether it is written.
    #[serde(rename = "enabled")]
    pub is_enabled: bool,
    /// Where.
    pub file: FileTarget,
}

impl Default for FlowLog {
    fn default() -> Self {
        Self {
            is_enabled: false,
            file: FileTarget { path: "/var/log/picket/flows.jsonl".into(), ..FileTarget::default() },
        }
    }
}

/// `[metrics]`: the Prometheus endpoint and `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether there is one.
    #[serde(rename = "enabled")]
    pub is_enabled: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// PEM file of the certificate chain; with it only TLS is spoken.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub tls_key: Option<PathBuf>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            is_enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 9477)),
            tls_certificate: None,
            tls_key: None,
        }
    }
}

/// `[control]`: where `picket status`, `reload` and `stop` ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// The socket, for its owner alone.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: "/run/picket/control.sock".into() }
    }
}

/// `[log]`: what the sensor says of itself on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least that is said.
    pub level: LogLevel,
    /// Whether lines are JSON.
    #[serde(rename = "json")]
    pub is_json: bool,
}

/// `log.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing works.
    Error,
    /// Something does not.
    Warn,
    /// What happens.
    #[default]
    Info,
}

impl LogLevel {
    /// As tracing has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, is_json: false }
    }
}

/// `[privileges]`: what is given up once sockets are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privileges {
    /// The user to become, if started as root.
    pub user: Option<String>,
    /// The group to become; the user's own if not said.
    pub group: Option<String>,
    /// What becomes of a system call that the sensor never makes.
    pub seccomp: Seccomp,
    /// Whether files beyond those of the configuration are out of reach.
    pub landlock: bool,
    /// Whether it refuses to run if anything of this cannot be had.
    #[serde(rename = "required")]
    pub is_required: bool,
}

/// `privileges.seccomp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seccomp {
    /// All calls are made.
    Off,
    /// It fails.
    #[default]
    Refuse,
    /// It ends the process.
    Kill,
}

impl Default for Privileges {
    fn default() -> Self {
        Self { user: None, group: None, seccomp: Seccomp::Refuse, landlock: true, is_required: false }
    }
}
