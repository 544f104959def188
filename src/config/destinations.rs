//! Where an output's records go: a table for each sort of destination, with what is usual for whatever is not said.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::units::{Bytes, Period};

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

    /// Who the sensor says it is, if it is asked.
    pub fn authorization(&self) -> Option<&Authorization> {
        match self {
            Self::Webhook(target) => Some(&target.authorization),
            Self::Elasticsearch(target) => Some(&target.authorization),
            Self::Kafka(target) => Some(&target.authorization),
            Self::Nats(target) => Some(&target.authorization),
            Self::File(_) | Self::Stdout | Self::Syslog(_) | Self::Unix(_) => None,
        }
    }

    /// Whose certificates are believed, where they may be asked for.
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Syslog(target) => Some(&target.tls),
            Self::Webhook(target) => Some(&target.tls),
            Self::Elasticsearch(target) => Some(&target.tls),
            Self::Kafka(target) => target.tls.as_ref(),
            Self::Nats(target) => Some(&target.tls),
            Self::File(_) | Self::Stdout | Self::Unix(_) => None,
        }
    }
}

/// `authorization`: who the sensor says it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// How.
    pub scheme: Scheme,
    /// The user, of schemes that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password, token, key or credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Name of the header, of the scheme `header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

/// `authorization.scheme`. Each destination has some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Nobody.
    #[default]
    None,
    /// HTTP: user and password.
    Basic,
    /// HTTP: a token.
    Bearer,
    /// Elasticsearch: a key.
    ApiKey,
    /// HTTP: a header of the server's own.
    Header,
    /// Kafka: user and password as they are, over TLS.
    Plain,
    /// Kafka: user and password, SCRAM-SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// Kafka: user and password, SCRAM-SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
    /// NATS: a token.
    Token,
    /// NATS: user and password.
    User,
    /// NATS: a file of credentials, as `nsc` makes it.
    Credentials,
}

impl Scheme {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::ApiKey => "api-key",
            Self::Header => "header",
            Self::Plain => "plain",
            Self::ScramSha256 => "scram-sha-256",
            Self::ScramSha512 => "scram-sha-512",
            Self::Token => "token",
            Self::User => "user",
            Self::Credentials => "credentials",
        }
    }

    /// Whether it has a user.
    pub fn has_user(self) -> bool {
        matches!(self, Self::Basic | Self::Plain | Self::ScramSha256 | Self::ScramSha512 | Self::User)
    }
}

/// `tls`: whose certificates are believed, and the sensor's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the authorities that are believed; those of the system if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of the sensor's certificate chain, where the other side asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The name that the certificate must have; the host's if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

/// `[sinks.file]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileTarget {
    /// The file. Required.
    pub path: PathBuf,
    /// It is put aside before it is longer than this; 0 for never.
    pub rotate_bytes: Bytes,
    /// It is put aside at this age; 0 for never.
    pub rotate_after: Period,
    /// Files put aside that are kept; 0 for all.
    pub keep: u32,
    /// Whether files put aside are compressed.
    pub gzip: bool,
    /// When the system is made to write to the disk.
    pub fsync: Fsync,
}

impl Default for FileTarget {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            rotate_bytes: Bytes::mib(256),
            rotate_after: Period::seconds(86_400),
            keep: 30,
            gzip: true,
            fsync: Fsync::Interval,
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
    /// After each batch, before a record counts as kept.
    Always,
}

/// `[sinks.syslog]`: RFC 5424.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyslogTarget {
    /// `HOST:PORT`. Required.
    pub address: String,
    /// How.
    pub transport: SyslogTransport,
    /// Facility, 0 to 23; `local0` is 16.
    pub facility: u8,
    /// The machine in messages; its own name if not said.
    pub hostname: Option<String>,
    /// The program in messages.
    pub app_name: String,
    /// Longest message; longer ones are refused.
    pub max_message_bytes: Bytes,
    /// How long the other side may take.
    pub timeout: Period,
    /// Whose certificates are believed.
    pub tls: Tls,
}

impl Default for SyslogTarget {
    fn default() -> Self {
        Self {
            address: String::new(),
            transport: SyslogTransport::Tcp,
            facility: 16,
            hostname: None,
            app_name: "picket".to_owned(),
            max_message_bytes: Bytes(64 << 10),
            timeout: Period::seconds(10),
            tls: Tls::default(),
        }
    }
}

/// `sinks.syslog.transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogTransport {
    /// One datagram a record (RFC 5426): what is lost on the way is lost.
    Udp,
    /// Counted frames (RFC 6587).
    #[default]
    Tcp,
    /// Counted frames over TLS (RFC 5425).
    Tls,
}

/// `[sinks.unix]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnixTarget {
    /// The socket. Required.
    pub path: PathBuf,
    /// Whether each record is a datagram; lines of a stream if not.
    #[serde(rename = "datagram")]
    pub is_datagram: bool,
    /// How long the other side may take.
    pub timeout: Period,
}

impl Default for UnixTarget {
    fn default() -> Self {
        Self { path: PathBuf::new(), is_datagram: false, timeout: Period::seconds(10) }
    }
}

/// `[sinks.webhook]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookTarget {
    /// Where records are posted. Required.
    pub url: String,
    /// Who the sensor says it is.
    pub authorization: Authorization,
    /// Whether a request is a JSON array; lines if not.
    #[serde(rename = "array")]
    pub is_array: bool,
    /// Most records of a request.
    pub batch_records: usize,
    /// About the most bytes of a request.
    pub batch_bytes: Bytes,
    /// How long an answer is waited for.
    pub timeout: Period,
    /// Whose certificates are believed.
    pub tls: Tls,
}

impl Default for WebhookTarget {
    fn default() -> Self {
        Self {
            url: String::new(),
            authorization: Authorization::default(),
            is_array: false,
            batch_records: 200,
            batch_bytes: Bytes(512 << 10),
            timeout: Period::seconds(10),
            tls: Tls::default(),
        }
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
    /// An ingest pipeline.
    pub pipeline: Option<String>,
    /// Who the sensor says it is.
    pub authorization: Authorization,
    /// Most records of a request.
    pub batch_records: usize,
    /// About the most bytes of a request.
    pub batch_bytes: Bytes,
    /// How long an answer is waited for.
    pub timeout: Period,
    /// Whose certificates are believed.
    pub tls: Tls,
}

impl Default for ElasticsearchTarget {
    fn default() -> Self {
        Self {
            url: String::new(),
            index: "picket-alerts".to_owned(),
            pipeline: None,
            authorization: Authorization::default(),
            batch_records: 500,
            batch_bytes: Bytes::mib(2),
            timeout: Period::seconds(30),
            tls: Tls::default(),
        }
    }
}

/// `[sinks.kafka]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaTarget {
    /// `HOST:PORT` of servers to begin with. Required.
    pub brokers: Vec<String>,
    /// The topic, which must be there.
    pub topic: String,
    /// Everything goes to this partition, in order; the records' ids choose if not said.
    pub partition: Option<i32>,
    /// Who the sensor says it is.
    pub authorization: Authorization,
    /// How long the servers may take.
    pub timeout: Period,
    /// Encrypted, and whose certificates are believed. Not said: not encrypted.
    pub tls: Option<Tls>,
}

impl Default for KafkaTarget {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topic: "picket-alerts".to_owned(),
            partition: None,
            authorization: Authorization::default(),
            timeout: Period::seconds(10),
            tls: None,
        }
    }
}

/// `[sinks.nats]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsTarget {
    /// `nats://HOST:PORT` or `tls://HOST:PORT` of servers of one cluster. Required.
    pub servers: Vec<String>,
    /// The subject. A stream must hold it.
    pub subject: String,
    /// A stream that is made if it is not there; somebody else makes it if not said.
    pub stream: Option<String>,
    /// How long that stream knows a record again.
    pub duplicate_window: Period,
    /// What that stream may hold; 0 for no bound.
    pub stream_max_bytes: Bytes,
    /// Who the sensor says it is.
    pub authorization: Authorization,
    /// How long the servers may take.
    pub timeout: Period,
    /// Whose certificates are believed.
    pub tls: Tls,
}

impl Default for NatsTarget {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            subject: "picket.alerts".to_owned(),
            stream: None,
            duplicate_window: Period::seconds(3600),
            stream_max_bytes: Bytes::mib(1024),
            authorization: Authorization::default(),
            timeout: Period::seconds(10),
            tls: Tls::default(),
        }
    }
}
