//! `[[sinks]]`: outputs. A sink has exactly one destination, a table of its own (`[sinks.file]`), and what belongs to others is an error.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::destinations::{
    Destination, ElasticsearchTarget, FileTarget, Fsync, KafkaTarget, NatsTarget, SyslogTarget, UnixTarget,
    WebhookTarget,
};
use super::units::{Bytes, Period};

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSink", into = "RawSink")]
pub struct SinkPlan {
    /// Its name, in metrics, status and logs. One for each.
    pub name: String,
    /// How alerts are written.
    pub format: SinkFormat,
    /// Whose section of the clearance file says what its readers may see.
    pub clearance: String,
    /// What it gets.
    pub filter: SinkFilter,
    /// Where they go.
    pub destination: Destination,
    /// Where they wait while it is away; not of files and standard output.
    pub spool: SpoolPlan,
}

/// `sinks.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkFormat {
    /// JSON Lines in the Elastic Common Schema.
    #[default]
    Ecs,
    /// Suricata's JSON Lines.
    Eve,
    /// ArcSight's Common Event Format.
    Cef,
    /// Open Cybersecurity Schema Framework, detection findings.
    Ocsf,
    /// Comma-separated values.
    Csv,
}

/// `[sinks.filter]`: what a sink gets. What is empty does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SinkFilter {
    /// Least severity, 0 to 100, of alerts and notices.
    pub min_severity: u8,
    /// Kinds of indicators (`domain-name`, `ipv4-addr`, ..).
    pub kinds: Vec<String>,
    /// Providers of which one must name the indicator.
    pub providers: Vec<String>,
    /// Ids of indicators.
    pub ids: Vec<String>,
    /// Whether what the sensor says of itself is written, too.
    #[serde(rename = "notices")]
    pub has_notices: bool,
}

impl Default for SinkFilter {
    fn default() -> Self {
        Self { min_severity: 0, kinds: Vec::new(), providers: Vec::new(), ids: Vec::new(), has_notices: true }
    }
}

/// `[sinks.spool]`: records on the disk until the destination has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolPlan {
    /// A directory of its own; one named as the sink below `/var/lib/picket/spool` if not said.
    pub directory: Option<PathBuf>,
    /// What it may take on the disk.
    pub max_bytes: Bytes,
    /// What may wait in memory where the disk takes no more.
    pub memory_bytes: Bytes,
    /// What gives way when it is full; it is counted and said.
    pub when_full: WhenFull,
    /// When the system is made to write to the disk.
    pub fsync: Fsync,
    /// After trouble the destination is left alone so long, then twice as long each time, ..
    pub retry_first: Period,
    /// .. up to this.
    pub retry_most: Period,
    /// Where records go that the destination refuses for good; `NAME.refused.jsonl` beside the directory if not said.
    pub refused_file: Option<PathBuf>,
    /// What that file may take.
    pub refused_bytes: Bytes,
}

/// `sinks.spool.when_full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// What has waited longest.
    #[default]
    Oldest,
    /// What comes.
    Newest,
}

impl Default for SpoolPlan {
    fn default() -> Self {
        Self {
            directory: None,
            max_bytes: Bytes::mib(256),
            memory_bytes: Bytes::mib(16),
            when_full: WhenFull::Oldest,
            fsync: Fsync::Interval,
            retry_first: Period(Duration::from_millis(500)),
            retry_most: Period::seconds(60),
            refused_file: None,
            refused_bytes: Bytes::mib(16),
        }
    }
}

/// Where spools are if nothing else is said.
pub const SPOOL_DIRECTORY: &str = "/var/lib/picket/spool";

impl SinkPlan {
    /// The directory of its spool.
    pub fn spool_directory(&self) -> PathBuf {
        let named = || PathBuf::from(SPOOL_DIRECTORY).join(&self.name);
        self.spool.directory.clone().unwrap_or_else(named)
    }

    /// The file of records that are refused for good.
    pub fn refused_file(&self) -> PathBuf {
        let name = format!("{}.refused.jsonl", self.name);
        let beside = || self.spool_directory().with_file_name(name);
        self.spool.refused_file.clone().unwrap_or_else(beside)
    }
}

/// A sink as it is written: a table for each destination, of which one is there.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSink {
    name: String,
    #[serde(default)]
    format: SinkFormat,
    clearance: Option<String>,
    #[serde(default)]
    filter: SinkFilter,
    file: Option<FileTarget>,
    stdout: Option<Empty>,
    syslog: Option<SyslogTarget>,
    unix: Option<UnixTarget>,
    webhook: Option<WebhookTarget>,
    elasticsearch: Option<ElasticsearchTarget>,
    kafka: Option<KafkaTarget>,
    nats: Option<NatsTarget>,
    spool: Option<SpoolPlan>,
}

/// A table with nothing in it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// Every destination's table, for messages.
const TABLES: &str = "[sinks.file], [sinks.stdout], [sinks.syslog], [sinks.unix], [sinks.webhook], [sinks.elasticsearch], \
                      [sinks.kafka] or [sinks.nats]";

impl TryFrom<RawSink> for SinkPlan {
    type Error = String;

    fn try_from(raw: RawSink) -> Result<Self, String> {
        let name = raw.name;
        let found = [
            raw.file.map(Destination::File),
            raw.stdout.map(|_| Destination::Stdout),
            raw.syslog.map(Destination::Syslog),
            raw.unix.map(Destination::Unix),
            raw.webhook.map(Destination::Webhook),
            raw.elasticsearch.map(Destination::Elasticsearch),
            raw.kafka.map(Destination::Kafka),
            raw.nats.map(Destination::Nats),
        ];
        let mut found = found.into_iter().flatten();
        let destination = found.next().ok_or(format!("sink `{name}` has no destination: add one of {TABLES}"))?;
        if let Some(second) = found.next() {
            return Err(format!(
                "sink `{name}` has two destinations, {} and {}: write a [[sinks]] for each",
                destination.name(),
                second.name()
            ));
        }
        if raw.spool.is_some() && !destination.has_spool() {
            return Err(format!("sink `{name}`: {} has no use for [sinks.spool], remove it", destination.name()));
        }
        let clearance = raw.clearance.unwrap_or_else(|| name.clone());
        let (format, filter, spool) = (raw.format, raw.filter, raw.spool.unwrap_or_default());
        Ok(Self { name, format, clearance, filter, destination, spool })
    }
}

impl From<SinkPlan> for RawSink {
    fn from(plan: SinkPlan) -> Self {
        let spool = plan.destination.has_spool().then_some(plan.spool);
        let (name, format, clearance, filter) = (plan.name, plan.format, Some(plan.clearance), plan.filter);
        let (file, stdout, syslog, unix) = (None, None, None, None);
        let (webhook, elasticsearch, kafka, nats) = (None, None, None, None);
        let mut raw = Self {
            name,
            format,
            clearance,
            filter,
            file,
            stdout,
            syslog,
            unix,
            webhook,
            elasticsearch,
            kafka,
            nats,
            spool,
        };
        match plan.destination {
            Destination::File(target) => raw.file = Some(target),
            Destination::Stdout => raw.stdout = Some(Empty {}),
            Destination::Syslog(target) => raw.syslog = Some(target),
            Destination::Unix(target) => raw.unix = Some(target),
            Destination::Webhook(target) => raw.webhook = Some(target),
            Destination::Elasticsearch(target) => raw.elasticsearch = Some(target),
            Destination::Kafka(target) => raw.kafka = Some(target),
            Destination::Nats(target) => raw.nats = Some(target),
        }
        raw
    }
}
