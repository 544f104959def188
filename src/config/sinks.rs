//! `[[sinks]]`: where alerts go. A sink has exactly one destination, a table of its own (`[sinks.file]`), and what belongs to others is an error.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
    /// Where they wait while it is away; network destinations only.
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
    /// Kinds of indicators (`domain`, `ip`, ..).
    pub kinds: Vec<String>,
    /// Providers of indicators.
    pub providers: Vec<String>,
    /// Whether alerts are written.
    pub alerts: bool,
    /// Whether what the sensor says of itself is.
    pub notices: bool,
}

impl Default for SinkFilter {
    fn default() -> Self {
        Self { min_severity: 0, kinds: Vec::new(), providers: Vec::new(), alerts: true, notices: true }
    }
}

/// Where a sink's records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A file.
    File(FileTarget),
    /// Standard output.
    Stdout,
    /// A syslog server.
    Syslog(SyslogTarget),
    /// A local socket.
    Unix(UnixTarget),
    /// A web server.
    Webhook(WebhookTarget),
    /// Elasticsearch or OpenSearch.
    Elasticsearch(ElasticsearchTarget),
    /// Kafka.
    Kafka(KafkaTarget),
    /// NATS JetStream.
    Nats(NatsTarget),
}

impl Destination {
    /// The name of its table.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Stdout => "stdout",
            Self::Syslog(_) => "syslog",
            Self::Unix(_) => "unix",
            Self::Webhook(_) => "webhook",
            Self::Elasticsearch(_) => "elasticsearch",
            Self::Kafka(_) => "kafka",
            Self::Nats(_) => "nats",
        }
    }

    /// Whether it can be away, so that records wait in a spool.
    pub fn has_spool(&self) -> bool {
        !matches!(self, Self::File(_) | Self::Stdout)
    }
}

/// `[sinks.file]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileTarget {
    /// The file. Required.
    pub path: PathBuf,
    /// A file of this size is put aside.
    pub rotate_bytes: Option<Bytes>,
    /// A file of this age is put aside.
    pub rotate_after: Option<Period>,
    /// Files put aside that are kept; 0 keeps all.
    pub keep: u32,
    /// Whether files put aside are compressed.
    pub gzip: bool,
    /// When the system is made to write to the disk.
    pub fsync: Fsync,
    /// Permissions of new files, in octal as text.
    pub mode: String,
}

impl Default for FileTarget {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            rotate_bytes: None,
            rotate_after: None,
            keep: 10,
            gzip: true,
            fsync: Fsync::Interval,
            mode: "0640".to_owned(),
        }
    }
}

/// `fsync` of files and spools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fsync {
    /// When the system likes.
    Never,
    /// Once a second.
    #[default]
    Interval,
    /// After each batch.
    Always,
}

/// `[sinks.syslog]`: RFC 5424.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyslogTarget {
    /// `HOST:PORT`. Required.
    pub address: String,
    /// How.
    pub transport: SyslogTransport,
    /// Facility, 0 to 23; `local0` is 16.
    pub facility: Option<u8>,
    /// PEM file of the authorities that are trusted with TLS; the usual ones if not said.
    pub ca_file: Option<PathBuf>,
}

/// `sinks.syslog.transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogTransport {
    /// One datagram a record (RFC 5426).
    #[default]
    Udp,
    /// Counted frames (RFC 6587).
    Tcp,
    /// Counted frames over TLS (RFC 5425).
    Tls,
}

/// `[sinks.unix]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnixTarget {
    /// The socket. Required.
    pub path: PathBuf,
    /// Whether each record is a datagram; lines of a stream if not.
    pub datagram: bool,
}

/// `[sinks.webhook]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookTarget {
    /// Where records are posted. Required.
    pub url: String,
    /// File with the value of the `Authorization` header.
    pub authorization_file: Option<PathBuf>,
    /// PEM file of the authorities that are trusted.
    pub ca_file: Option<PathBuf>,
    /// Records in one request.
    pub batch: usize,
    /// How long an answer is waited for.
    pub timeout: Period,
}

impl Default for WebhookTarget {
    fn default() -> Self {
        let (authorization_file, ca_file) = (None, None);
        Self { url: String::new(), authorization_file, ca_file, batch: 100, timeout: Period::seconds(10) }
    }
}

/// `[sinks.elasticsearch]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticsearchTarget {
    /// The server. Required.
    pub url: String,
    /// The index or data stream.
    pub index: String,
    /// File with the value of the `Authorization` header.
    pub authorization_file: Option<PathBuf>,
    /// PEM file of the authorities that are trusted.
    pub ca_file: Option<PathBuf>,
    /// Records in one request.
    pub batch: usize,
    /// How long an answer is waited for.
    pub timeout: Period,
}

impl Default for ElasticsearchTarget {
    fn default() -> Self {
        Self {
            url: String::new(),
            index: "picket-alerts".to_owned(),
            authorization_file: None,
            ca_file: None,
            batch: 500,
            timeout: Period::seconds(30),
        }
    }
}

/// `[sinks.kafka]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaTarget {
    /// `HOST:PORT` of servers to begin with. Required.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// PEM file of the authorities that are trusted.
    pub ca_file: Option<PathBuf>,
}

impl Default for KafkaTarget {
    fn default() -> Self {
        Self { brokers: Vec::new(), topic: "picket-alerts".to_owned(), tls: false, ca_file: None }
    }
}

/// `[sinks.nats]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsTarget {
    /// `nats://HOST:PORT` of servers to begin with. Required.
    pub servers: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The stream that takes it, which is made if it is not there.
    pub stream: String,
    /// File with the credentials of NATS.
    pub credentials_file: Option<PathBuf>,
    /// PEM file of the authorities that are trusted.
    pub ca_file: Option<PathBuf>,
}

impl Default for NatsTarget {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            subject: "picket.alerts".to_owned(),
            stream: "PICKET".to_owned(),
            credentials_file: None,
            ca_file: None,
        }
    }
}

/// `[sinks.spool]`: records on the disk until the destination has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolPlan {
    /// Its directory; one named as the sink below `/var/lib/picket/spool` if not said.
    pub directory: Option<PathBuf>,
    /// What it may take; beyond that the oldest records are dropped and counted.
    pub max_bytes: Bytes,
    /// Size of one file of it.
    pub segment_bytes: Bytes,
    /// When the system is made to write to the disk.
    pub fsync: Fsync,
}

impl Default for SpoolPlan {
    fn default() -> Self {
        Self { directory: None, max_bytes: Bytes::mib(256), segment_bytes: Bytes::mib(8), fsync: Fsync::Interval }
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
