//! NATS JetStream: one message a record, each acknowledged by the stream. `Nats-Msg-Id` is the record's id, so the stream keeps it once within its
//! duplicate window.
//!
//! The client wants tokio: its runtime lives on the output's thread and runs only while that is here.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions, connection::State};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout_at};

use super::{Deliver, Fate, OpenError, Secret, TlsOptions, Trouble};
use crate::sink::Record;

/// A JetStream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsOptions {
    /// `nats://host:4222` or `tls://host:4222`, of one cluster.
    pub servers: Vec<String>,
    /// Subject of the messages. A stream must hold it.
    pub subject: String,
    /// Made if it is not there, to hold the subject; without it somebody else makes the stream.
    pub stream: Option<StreamOptions>,
    /// Who this sensor says it is.
    pub authorization: NatsAuthorization,
    /// Whose certificates are believed.
    pub tls: TlsOptions,
    /// How long the server may take.
    pub timeout: Duration,
}

/// A stream to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Its name.
    pub name: String,
    /// How long it knows a message again by its id.
    pub duplicate_window: Duration,
    /// Most bytes that it holds; 0 for no bound.
    pub max_bytes: u64,
}

/// Who a sensor says it is, to NATS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NatsAuthorization {
    /// Nobody.
    #[default]
    None,
    /// A token.
    Token(Secret),
    /// A user with a password.
    User {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A file of credentials (JWT and key), as `nsc` makes it.
    Credentials(PathBuf),
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            subject: "picket.alerts".to_owned(),
            stream: None,
            authorization: NatsAuthorization::default(),
            tls: TlsOptions::default(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// See the module.
pub(super) struct Nats {
    options: NatsOptions,
    connect: ConnectOptions,
    runtime: Runtime,
    open: Option<(Client, jetstream::Context)>,
}

impl Nats {
    pub(super) fn open(options: &NatsOptions) -> Result<Self, OpenError> {
        if options.servers.is_empty() || options.subject.is_empty() || options.subject.contains(char::is_whitespace) {
            return Err(OpenError::Setting("NATS needs servers and a subject without spaces"));
        }
        if options.servers.iter().any(|server| server.contains('@')) {
            return Err(OpenError::Setting(
                "the URL of a NATS server has no user name: the authorization has a place of its own",
            ));
        }
        let mut connect = ConnectOptions::new().name("picket").connection_timeout(options.timeout);
        connect = match &options.authorization {
            NatsAuthorization::None => connect,
            NatsAuthorization::Token(token) => connect.token(token.read()?),
            NatsAuthorization::User { user, password } => connect.user_and_password(user.clone(), password.read()?),
            NatsAuthorization::Credentials(path) => {
                let text = Secret::File(path.clone()).read()?;
                connect.credentials(&text).map_err(|source| OpenError::File { path: path.clone(), source })?
            }
        };
        if options.servers.iter().any(|server| server.starts_with("tls:")) {
            connect = connect.require_tls(true).tls_client_config((*options.tls.for_socket()?).clone());
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| OpenError::File { path: "tokio".into(), source })?;
        Ok(Self { options: options.clone(), connect, runtime, open: None })
    }
}

/// A connection that works, and the stream behind it.
async fn connect(options: &NatsOptions, connect: ConnectOptions) -> Result<(Client, jetstream::Context), Trouble> {
    let client = connect.connect(&options.servers).await.map_err(|_| Trouble::word("no connection"))?;
    let mut context = jetstream::new(client.clone());
    context.set_timeout(options.timeout);
    if let Some(stream) = &options.stream {
        let config = stream::Config {
            name: stream.name.clone(),
            subjects: vec![options.subject.clone()],
            duplicate_window: stream.duplicate_window,
            max_bytes: i64::try_from(stream.max_bytes).ok().filter(|bytes| *bytes > 0).unwrap_or(-1),
            storage: stream::StorageType::File,
            ..stream::Config::default()
        };
        context.get_or_create_stream(config).await.map_err(|_| Trouble::word("no stream"))?;
    }
    Ok((client, context))
}

/// All are sent, then all are waited for, by one time for the whole batch.
async fn publish(options: &NatsOptions, context: &jetstream::Context, records: &[&Record], fates: &mut Vec<Fate>) {
    let ends = Instant::now() + options.timeout;
    let mut sent: Vec<Result<PublishAckFuture, PublishErrorKind>> = Vec::with_capacity(records.len());
    for record in records {
        let message = PublishMessage::build().payload(record.bytes.clone().into()).message_id(&record.id);
        let sending = timeout_at(ends, context.send_publish(options.subject.clone(), message)).await;
        sent.push(sending.map_or(Err(PublishErrorKind::TimedOut), |sent| sent.map_err(|error| error.kind())));
    }
    for acknowledged in sent {
        let kind = match acknowledged {
            Ok(future) => match timeout_at(ends, future.into_future()).await {
                Ok(answer) => answer.map(drop).map_err(|error| error.kind()),
                Err(_) => Err(PublishErrorKind::TimedOut),
            },
            Err(kind) => Err(kind),
        };
        fates.push(match kind {
            Ok(()) => Fate::Delivered,
            Err(PublishErrorKind::MaxPayloadExceeded) => Fate::Refused(Trouble::word("too long for a message")),
            Err(PublishErrorKind::StreamNotFound) => Fate::Again(Trouble::word("no stream")),
            Err(PublishErrorKind::TimedOut) => Fate::Again(Trouble::word("timed out")),
            Err(_) => Fate::Again(Trouble::word("not acknowledged")),
        });
    }
}

impl Deliver for Nats {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        let is_open = |(client, _): &(Client, jetstream::Context)| client.connection_state() == State::Connected;
        // A connection that is down would keep messages and send them once more when it is up.
        if !self.open.as_ref().is_some_and(is_open) {
            self.open = None;
            let connecting = connect(&self.options, self.connect.clone());
            let limit = self.options.timeout.saturating_mul(2);
            let opened = self.runtime.block_on(async { tokio::time::timeout(limit, connecting).await });
            self.open = Some(opened.map_err(|_| Trouble::word("timed out"))??);
        }
        let Some((_, context)) = &self.open else { return Err(Trouble::word("no connection")) };
        self.runtime.block_on(publish(&self.options, context, records, fates));
        if fates.iter().any(|fate| matches!(fate, Fate::Again(_))) {
            self.open = None;
        }
        Ok(())
    }

    fn tick(&mut self) {
        if self.open.is_some() {
            // The client answers the server's pings meanwhile.
            self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        }
    }

    fn reopen(&mut self) {
        self.open = None;
    }
}
