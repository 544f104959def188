//! Kafka: one record of a topic for each, acknowledged by all replicas that are in step (`acks=all`). The key is the record's id, so that a
//! compacted topic and every reader know what came twice; it chooses the partition too.
//!
//! The client wants tokio: its runtime lives on the output's thread and runs only while that is here.

use std::collections::BTreeMap;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record as Message;
use tokio::runtime::{Builder, Runtime};

use super::{Deliver, Fate, OpenError, Secret, TlsOptions, Trouble, in_halves};
use crate::sink::Record;

/// A topic of a Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// `host:port` of some brokers.
    pub brokers: Vec<String>,
    /// The topic. It must be there.
    pub topic: String,
    /// Everything goes to this partition, in order; without it the records' ids choose.
    pub partition: Option<i32>,
    /// Who this sensor says it is.
    pub authorization: KafkaAuthorization,
    /// Encrypted, and whose certificates are believed.
    pub tls: Option<TlsOptions>,
    /// How long the cluster may take.
    pub timeout: Duration,
}

/// Who a sensor says it is, to Kafka (SASL).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KafkaAuthorization {
    /// Nobody.
    #[default]
    None,
    /// A user with a password, as they are: over TLS only.
    Plain(String, Secret),
    /// A user with a password, SCRAM-SHA-256.
    ScramSha256(String, Secret),
    /// A user with a password, SCRAM-SHA-512.
    ScramSha512(String, Secret),
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topic: "picket-alerts".to_owned(),
            partition: None,
            authorization: KafkaAuthorization::default(),
            tls: None,
            timeout: Duration::from_secs(30),
        }
    }
}

/// See the module.
pub(super) struct Kafka {
    options: KafkaOptions,
    sasl: Option<SaslConfig>,
    tls: Option<std::sync::Arc<rustls::ClientConfig>>,
    runtime: Runtime,
    open: Option<Open>,
}

struct Open {
    client: Client,
    /// Numbers of the topic's partitions.
    numbers: Vec<i32>,
    partitions: BTreeMap<i32, PartitionClient>,
}

impl Kafka {
    pub(super) fn open(options: &KafkaOptions) -> Result<Self, OpenError> {
        if options.brokers.is_empty() || options.topic.is_empty() {
            return Err(OpenError::Setting("Kafka needs brokers and a topic"));
        }
        let credentials = |user: &String, password: &Secret| Ok(Credentials::new(user.clone(), password.read()?));
        let sasl = match &options.authorization {
            KafkaAuthorization::None => None,
            KafkaAuthorization::Plain(..) if options.tls.is_none() => {
                return Err(OpenError::Setting("a password is sent to Kafka as it is over TLS only"));
            }
            KafkaAuthorization::Plain(user, password) => Some(SaslConfig::Plain(credentials(user, password)?)),
            KafkaAuthorization::ScramSha256(user, password) => {
                Some(SaslConfig::ScramSha256(credentials(user, password)?))
            }
            KafkaAuthorization::ScramSha512(user, password) => {
                Some(SaslConfig::ScramSha512(credentials(user, password)?))
            }
        };
        let tls = options.tls.as_ref().map(TlsOptions::for_socket).transpose()?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| OpenError::File { path: "tokio".into(), source })?;
        Ok(Self { options: options.clone(), sasl, tls, runtime, open: None })
    }

    async fn connect(&self) -> Result<Open, Trouble> {
        // Trying again is the output's business: it counts, and tells how it stands.
        let backoff = BackoffConfig { deadline: Some(self.options.timeout), ..BackoffConfig::default() };
        let mut builder = ClientBuilder::new(self.options.brokers.clone()).client_id("picket").backoff_config(backoff);
        if let Some(sasl) = &self.sasl {
            builder = builder.sasl_config(sasl.clone());
        }
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(std::sync::Arc::clone(tls));
        }
        let client = builder.build().await.map_err(|error| trouble(&error))?;
        let topics = client.list_topics().await.map_err(|error| trouble(&error))?;
        let topic = topics.into_iter().find(|topic| topic.name == self.options.topic);
        let numbers: Vec<i32> = topic.map(|topic| topic.partitions.into_iter().collect()).unwrap_or_default();
        let is_there = self.options.partition.is_none_or(|number| numbers.contains(&number));
        if numbers.is_empty() || !is_there {
            return Err(Trouble::word("no topic"));
        }
        Ok(Open { client, numbers, partitions: BTreeMap::new() })
    }
}

impl Open {
    /// The partition of a record.
    fn place(&self, options: &KafkaOptions, record: &Record) -> i32 {
        let by_id = || self.numbers[crc32fast::hash(record.id.as_bytes()) as usize % self.numbers.len()];
        options.partition.unwrap_or_else(by_id)
    }

    async fn partition(&mut self, topic: &str, number: i32) -> Result<&PartitionClient, Trouble> {
        if !self.partitions.contains_key(&number) {
            let made = self.client.partition_client(topic, number, UnknownTopicHandling::Error).await;
            self.partitions.insert(number, made.map_err(|error| trouble(&error))?);
        }
        self.partitions.get(&number).ok_or(Trouble::word("no topic"))
    }

    /// All of one partition, in order.
    async fn produce(&mut self, options: &KafkaOptions, number: i32, records: &[&Record]) -> Result<(), Problem> {
        let messages = records.iter().map(|record| message(record)).collect();
        let partition = self.partition(&options.topic, number).await.map_err(Problem::Later)?;
        match partition.produce(messages, Compression::NoCompression).await {
            Ok(_) => Ok(()),
            Err(Error::ServerError { protocol_error, .. }) if is_of_content(protocol_error) => Err(Problem::Refused),
            Err(error) => Err(Problem::Later(trouble(&error))),
        }
    }
}

/// Why a partition did not take a batch.
enum Problem {
    Later(Trouble),
    Refused,
}

impl Kafka {
    fn produce(&mut self, number: i32, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        let Self { options, runtime, open, .. } = self;
        let Some(open) = open else { return Err(Trouble::word("no connection")) };
        let limit = options.timeout;
        let produced =
            runtime.block_on(async { tokio::time::timeout(limit, open.produce(options, number, records)).await });
        match produced {
            Ok(Ok(())) => fates.extend(records.iter().map(|_| Fate::Delivered)),
            Ok(Err(Problem::Later(trouble))) => return Err(trouble),
            Ok(Err(Problem::Refused)) if records.len() == 1 => {
                fates.push(Fate::Refused(Trouble::word("too long for the topic, or not allowed there")));
            }
            Ok(Err(Problem::Refused)) => {
                return in_halves(records, fates, |half, fates| self.produce(number, half, fates));
            }
            Err(_) => return Err(Trouble::word("timed out")),
        }
        Ok(())
    }
}

impl Deliver for Kafka {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let limit = self.options.timeout;
                let opened = self.runtime.block_on(async { tokio::time::timeout(limit, self.connect()).await });
                opened.map_err(|_| Trouble::word("timed out"))??
            }
        };
        let mut batches: BTreeMap<i32, (Vec<usize>, Vec<&Record>)> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            let (places, batch) = batches.entry(open.place(&self.options, record)).or_default();
            places.push(at);
            batch.push(record);
        }
        self.open = Some(open);
        fates.resize(records.len(), Fate::Again(Trouble::word("no answer")));
        let mut failed = None;
        for (number, (places, batch)) in batches {
            let mut some = Vec::new();
            // A cluster that is away would take its time for each partition.
            let produced = failed.map_or_else(|| self.produce(number, &batch, &mut some), Err);
            if let Err(trouble) = produced {
                failed = Some(trouble);
                some.clear();
                some.resize(batch.len(), Fate::Again(trouble));
            }
            places.into_iter().zip(some).for_each(|(at, fate)| fates[at] = fate);
        }
        if failed.is_some() {
            self.open = None;
        }
        Ok(())
    }

    fn tick(&mut self) {
        if self.open.is_some() {
            self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        }
    }

    fn reopen(&mut self) {
        self.open = None;
    }
}

fn message(record: &Record) -> Message {
    let time = i64::try_from(record.time.as_ns()).unwrap_or(i64::MAX);
    Message {
        key: Some(record.id.clone().into_bytes()),
        value: Some(record.bytes.clone()),
        headers: BTreeMap::new(),
        timestamp: DateTime::from_timestamp_nanos(time),
    }
}

/// Whether the other side will never take it.
fn is_of_content(error: ProtocolError) -> bool {
    use ProtocolError::{CorruptMessage, InvalidRecord, InvalidTimestamp, MessageTooLarge, RecordListTooLarge};
    matches!(error, MessageTooLarge | RecordListTooLarge | InvalidRecord | InvalidTimestamp | CorruptMessage)
}

/// What is said of it here: never the client's text.
fn trouble(error: &Error) -> Trouble {
    Trouble::word(match error {
        Error::Connection(_) | Error::Request(_) => "no connection",
        Error::ServerError { .. } => "refused by the cluster",
        Error::Timeout | Error::RetryFailed(_) => "timed out",
        _ => "no answer",
    })
}
