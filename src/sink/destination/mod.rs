//! Where records go: one file each. A destination frames records and hands them over; it decides nothing about what is in them.
//!
//! A destination blocks, on the thread of its output, and never longer than its timeouts. What it says of trouble is a word and a number, never a
//! text of the other side, which may quote a record.

pub mod elasticsearch;
pub mod file;
mod http;
pub mod kafka;
pub mod nats;
mod secret;
pub mod stdout;
pub mod syslog;
mod tls;
pub mod unix;
pub mod webhook;

pub use secret::Secret;
pub use tls::TlsOptions;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use self::elasticsearch::ElasticsearchOptions;
use self::file::FileOptions;
use self::kafka::KafkaOptions;
use self::nats::NatsOptions;
use self::syslog::SyslogOptions;
use self::unix::UnixOptions;
use self::webhook::WebhookOptions;
use super::{Format, Record};

/// Where an output's records go.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Destination {
    /// Lines on standard output.
    Stdout,
    /// Lines in a file.
    File(FileOptions),
    /// RFC 5424 messages.
    Syslog(SyslogOptions),
    /// A socket of this machine.
    Unix(UnixOptions),
    /// An HTTP server.
    Webhook(WebhookOptions),
    /// Elasticsearch or OpenSearch.
    Elasticsearch(ElasticsearchOptions),
    /// NATS JetStream.
    Nats(NatsOptions),
    /// Kafka.
    Kafka(KafkaOptions),
}

/// Hands records over.
pub(super) trait Deliver: Send {
    /// Hands over records, in order, and says of each what became of it.
    ///
    /// # Errors
    /// None of them was taken, as far as is known: they are to be handed over again.
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble>;

    /// Most records of one call, and about how many bytes of them.
    fn batch(&self) -> (usize, usize) {
        (256, 256 << 10)
    }

    /// Called when there is nothing to do, and often enough: for what happens by the clock.
    fn tick(&mut self) {}

    /// Opens again what was opened by name: somebody moved it.
    fn reopen(&mut self) {}
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has arrived, now or before.
    Delivered,
    /// It may arrive at another try.
    Again(Trouble),
    /// It never will.
    Refused(Trouble),
}

/// Why records did not arrive: words of this program, and a number of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// What it is.
    pub word: &'static str,
    /// A status of HTTP; 0 for none.
    pub status: u16,
    /// How long the other side asks to be left alone.
    pub after: Option<Duration>,
}

/// Why a destination cannot be used as it is configured. Its text holds names and paths of the configuration and no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file or folder of the configuration.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or variable that should hold a secret.
    #[error("the secret in {0} cannot be read or is empty")]
    Secret(String),
    /// A file that should hold certificates or a key.
    #[error("{0}: no certificate or key in it")]
    Pem(PathBuf),
    /// A setting.
    #[error("{0}")]
    Setting(&'static str),
}

impl Destination {
    /// Its name, as the configuration calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
            Self::Unix(_) => "unix",
            Self::Webhook(_) => "webhook",
            Self::Elasticsearch(_) => "elasticsearch",
            Self::Nats(_) => "nats",
            Self::Kafka(_) => "kafka",
        }
    }

    /// Opens it: checks the configuration and reads its secrets. Whether the other side is there shows later.
    pub(super) fn open(&self, format: &'static Format) -> Result<Box<dyn Deliver>, OpenError> {
        Ok(match self {
            Self::Stdout => Box::new(stdout::Stdout::new(format)),
            Self::File(options) => Box::new(file::Lines::open(options, format)?),
            Self::Syslog(options) => Box::new(syslog::Syslog::open(options, format)?),
            Self::Unix(options) => Box::new(unix::Unix::new(options)),
            Self::Webhook(options) => Box::new(webhook::Webhook::open(options, format)?),
            Self::Elasticsearch(options) => Box::new(elasticsearch::Elasticsearch::open(options, format)?),
            Self::Nats(options) => Box::new(nats::Nats::open(options)?),
            Self::Kafka(options) => Box::new(kafka::Kafka::open(options)?),
        })
    }
}

impl Trouble {
    pub(super) const fn word(word: &'static str) -> Self {
        Self { word, status: 0, after: None }
    }

    pub(super) const fn status(status: u16) -> Self {
        Self { word: "status", status, after: None }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            0 => f.write_str(self.word),
            status => write!(f, "{} {status}", self.word),
        }
    }
}

impl From<io::ErrorKind> for Trouble {
    fn from(kind: io::ErrorKind) -> Self {
        Self::word(match kind {
            io::ErrorKind::ConnectionRefused => "connection refused",
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                "connection closed"
            }
            io::ErrorKind::ConnectionAborted | io::ErrorKind::NotConnected => "not connected",
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "timed out",
            io::ErrorKind::NotFound => "not found",
            io::ErrorKind::PermissionDenied => "permission denied",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk full",
            io::ErrorKind::ReadOnlyFilesystem => "read-only file system",
            io::ErrorKind::InvalidData => "TLS refused",
            _ => "input or output error",
        })
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        error.kind().into()
    }
}

/// Appends records as lines.
fn as_lines(records: &[&Record], out: &mut Vec<u8>) {
    for record in records {
        out.extend_from_slice(&record.bytes);
        out.push(b'\n');
    }
}

/// Hands over each half by itself, to find what in a batch is refused; what comes behind a half that is to be tried again waits for it.
fn in_halves(
    records: &[&Record],
    fates: &mut Vec<Fate>,
    mut deliver: impl FnMut(&[&Record], &mut Vec<Fate>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let (first, second) = records.split_at(records.len() / 2);
    let before = fates.len();
    deliver(first, fates)?;
    let again = fates[before..].iter().find(|fate| matches!(fate, Fate::Again(_))).copied();
    let done = fates.len();
    let rest = match again {
        Some(again) => again,
        None => match deliver(second, fates) {
            Ok(()) => return Ok(()),
            Err(trouble) => Fate::Again(trouble),
        },
    };
    fates.truncate(done);
    fates.extend(second.iter().map(|_| rest));
    Ok(())
}

/// All of them have arrived.
fn all_delivered(records: &[&Record], fates: &mut Vec<Fate>) {
    fates.resize(records.len(), Fate::Delivered);
}
