//! The sections of the file but for `[[sinks]]`, each with the safe value for whatever is not said. `example.toml` explains every one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::destinations::FileTarget;
use super::units::{Bytes, Period};
use crate::proto::Protocols;

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
    /// By what they share the traffic of an interface.
    pub spread: Spread,
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

/// `capture.spread`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Addresses and ports.
    #[default]
    Flows,
    /// Addresses.
    Hosts,
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
            spread: Spread::Flows,
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
    /// A feed that has not changed for so long is stale, an alert of its own; 0 for never.
    pub stale_after: Period,
    /// A reload that loses more than this share of the indicators is refused.
    pub max_shrink_percent: u8,
    /// Whether feeds, allow-lists, clearance and the configuration are read again when their files change.
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
            stale_after: Period::seconds(24 * 3600),
            max_shrink_percent: 50,
            is_watched: true,
            settle: Period(Duration::from_millis(500)),
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
    /// Protocols that are parsed, by name; none named: all.
    pub protocols: Protocols,
}

impl Default for Flows {
    fn default() -> Self {
        Self { max: 1_000_000, stream_bytes: Bytes::mib(256), protocols: Protocols::ALL }
    }
}

/// `[overload]`: what is left out when there is more than the workers can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overload {
    /// Whether anything is; the kernel drops what finds no room if not.
    #[serde(rename = "shed")]
    pub sheds: bool,
    /// Step 1: bytes of a stream direction from here on are not scanned for byte signatures.
    pub bulk_bytes: Bytes,
    /// Step 2: a stream direction that is longer than this is not parsed any more.
    pub long_bytes: Bytes,
    /// A loss is over after so long without another.
    pub gap_quiet: Period,
    /// How long what is in the rings is read on when it is stopped.
    pub drain: Period,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            sheds: true,
            bulk_bytes: Bytes(64 << 10),
            long_bytes: Bytes::mib(1),
            gap_quiet: Period::seconds(5),
            drain: Period::seconds(2),
        }
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
    /// Alerts of one indicator in a second, of all hosts; further ones are counted and told as one. 0 for no limit.
    pub alerts_per_second: u32,
    /// So many may come at once before that.
    pub burst: u32,
    /// Pairs of source host and indicator that a worker remembers; beyond that the oldest is told and forgotten.
    pub max_pairs: usize,
    /// Indicators whose rate a worker remembers; the same.
    pub max_indicators: usize,
}

impl Default for Suppression {
    fn default() -> Self {
        Self {
            is_enabled: true,
            window: Period::seconds(300),
            alerts_per_second: 10,
            burst: 100,
            max_pairs: 16_384,
            max_indicators: 4_096,
        }
    }
}

/// `[evidence]`: packets of what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evidence {
    /// Whether packets are kept.
    #[serde(rename = "enabled")]
    pub is_enabled: bool,
    /// A directory for nothing else, on a local disk: alerts wait for it.
    pub directory: PathBuf,
    /// What all files may take; the oldest are removed.
    pub max_bytes: Bytes,
    /// The same in files.
    pub max_files: usize,
    /// Recent packets held in memory, in all; as many again may be held for alerts under way.
    pub ring_bytes: Bytes,
    /// Of the flow, up to the hit: packets, ..
    pub packets_before: usize,
    /// .. their bytes, ..
    pub bytes_before: Bytes,
    /// .. and how far back.
    pub time_before: Period,
    /// Of the flow, after the hit: packets, ..
    pub packets_after: usize,
    /// .. their bytes, ..
    pub bytes_after: Bytes,
    /// .. and how long they are waited for: the alert goes out so much later.
    pub time_after: Period,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            is_enabled: false,
            directory: "/var/lib/picket/evidence".into(),
            max_bytes: Bytes::mib(1024),
            max_files: 10_000,
            ring_bytes: Bytes::mib(32),
            packets_before: 64,
            bytes_before: Bytes(128 << 10),
            time_before: Period::seconds(60),
            packets_after: 32,
            bytes_after: Bytes(64 << 10),
            time_after: Period::seconds(2),
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
    /// Memory for what live flows showed (names and the like), in all.
    pub note_bytes: Bytes,
    /// Where.
    pub file: FileTarget,
}

impl Default for FlowLog {
    fn default() -> Self {
        Self {
            is_enabled: false,
            note_bytes: Bytes::mib(64),
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
