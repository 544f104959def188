//! A configuration file as what the floors take: [`output`], [`backend`], [`timestamps`]. Nothing is decided here; `config` has judged the file.

use std::time::Duration;

use crate::capture::live::{Backend, Spread, Timestamps};
use crate::config::{self, Scheme, SinkPlan};
use crate::sink::destination::elasticsearch::ElasticsearchOptions;
use crate::sink::destination::file::FileOptions;
use crate::sink::destination::kafka::{KafkaAuthorization, KafkaOptions};
use crate::sink::destination::nats::{NatsAuthorization, NatsOptions, StreamOptions};
use crate::sink::destination::syslog::{Carrier, SyslogOptions};
use crate::sink::destination::unix::UnixOptions;
use crate::sink::destination::webhook::{Authorization, WebhookOptions};
use crate::sink::destination::{Destination, Secret, TlsOptions};
use crate::sink::spool::{SpoolOptions, Sync, WhenFull};
use crate::sink::{DeadLetterOptions, Filter, Format, OutputOptions, RetryOptions, ecs};

/// How often what was written is brought to the medium, where the file says `interval`.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How long an output may take to deliver what is queued when the run ends.
const DRAIN: Duration = Duration::from_secs(3);

/// The capture source.
pub(super) fn backend(backend: config::Backend) -> Backend {
    match backend {
        config::Backend::Auto => Backend::Auto,
        config::Backend::AfPacket => Backend::AfPacket,
        config::Backend::Pcap => Backend::Pcap,
    }
}

/// By what workers share traffic.
pub(super) fn spread(spread: config::Spread) -> Spread {
    match spread {
        config::Spread::Flows => Spread::Flows,
        config::Spread::Hosts => Spread::Hosts,
    }
}

/// Whose clock times packets.
pub(super) fn timestamps(timestamps: config::Timestamps) -> Timestamps {
    match timestamps {
        config::Timestamps::Kernel => Timestamps::Kernel,
        config::Timestamps::Hardware => Timestamps::Hardware,
    }
}

/// An output.
pub(super) fn output(sink: &SinkPlan) -> OutputOptions {
    let has_spool = sink.destination.has_spool();
    let spool = &sink.spool;
    OutputOptions {
        name: sink.name.clone(),
        format: Format::by_name(format(sink.format)).unwrap_or(&ecs::FORMAT),
        destination: destination(&sink.destination),
        filter: Filter {
            min_severity: sink.filter.min_severity,
            providers: sink.filter.providers.clone(),
            kinds: sink.filter.kinds.clone(),
            ids: sink.filter.ids.clone(),
            has_notices: sink.filter.has_notices,
        },
        spool: SpoolOptions {
            folder: has_spool.then(|| sink.spool_directory()),
            max_bytes: spool.max_bytes.0,
            memory_bytes: spool.memory_bytes.as_usize(),
            when_full: match spool.when_full {
                config::WhenFull::Oldest => WhenFull::DropOldest,
                config::WhenFull::Newest => WhenFull::DropNewest,
            },
            sync: sync(spool.fsync),
        },
        retry: RetryOptions { first: spool.retry_first.0, most: spool.retry_most.0 },
        dead_letter: has_spool
            .then(|| DeadLetterOptions { path: sink.refused_file(), max_bytes: spool.refused_bytes.0 }),
        drain: DRAIN,
    }
}

fn format(format: config::SinkFormat) -> &'static str {
    match format {
        config::SinkFormat::Ecs => "ecs",
        config::SinkFormat::Eve => "eve",
        config::SinkFormat::Cef => "cef",
        config::SinkFormat::Ocsf => "ocsf",
        config::SinkFormat::Csv => "csv",
    }
}

fn sync(fsync: config::Fsync) -> Sync {
    match fsync {
        config::Fsync::Never => Sync::Never,
        config::Fsync::Interval => Sync::Interval(SYNC_EVERY),
        config::Fsync::Always => Sync::Each,
    }
}

/// A file that rotates.
pub(in crate::cli) fn file(target: &config::FileTarget) -> FileOptions {
    FileOptions {
        path: target.path.clone(),
        max_bytes: target.rotate_bytes.0,
        max_age: target.rotate_after.0,
        keep: target.keep as usize,
        compresses: target.gzip,
        sync: sync(target.fsync),
    }
}

fn destination(destination: &config::Destination) -> Destination {
    match destination {
        config::Destination::File(target) => Destination::File(file(target)),
        config::Destination::Stdout => Destination::Stdout,
        config::Destination::Syslog(target) => Destination::Syslog(SyslogOptions {
            address: target.address.clone(),
            carrier: match target.transport {
                config::SyslogTransport::Udp => Carrier::Udp,
                config::SyslogTransport::Tcp => Carrier::Tcp,
                config::SyslogTransport::Tls => Carrier::Tls,
            },
            facility: target.facility,
            hostname: target.hostname.clone(),
            app_name: target.app_name.clone(),
            tls: tls(&target.tls),
            timeout: target.timeout.0,
            max_message_bytes: target.max_message_bytes.as_usize(),
        }),
        config::Destination::Unix(target) => Destination::Unix(UnixOptions {
            path: target.path.clone(),
            is_datagram: target.is_datagram,
            timeout: target.timeout.0,
        }),
        config::Destination::Webhook(target) => Destination::Webhook(WebhookOptions {
            url: target.url.clone(),
            authorization: http(&target.authorization),
            headers: Vec::new(),
            is_array: target.is_array,
            batch_records: target.batch_records,
            batch_bytes: target.batch_bytes.as_usize(),
            tls: tls(&target.tls),
            timeout: target.timeout.0,
        }),
        config::Destination::Elasticsearch(target) => Destination::Elasticsearch(ElasticsearchOptions {
            url: target.url.clone(),
            index: target.index.clone(),
            pipeline: target.pipeline.clone(),
            authorization: http(&target.authorization),
            batch_records: target.batch_records,
            batch_bytes: target.batch_bytes.as_usize(),
            tls: tls(&target.tls),
            timeout: target.timeout.0,
        }),
        config::Destination::Kafka(target) => Destination::Kafka(KafkaOptions {
            brokers: target.brokers.clone(),
            topic: target.topic.clone(),
            partition: target.partition,
            authorization: kafka(&target.authorization),
            tls: target.tls.as_ref().map(tls),
            timeout: target.timeout.0,
        }),
        config::Destination::Nats(target) => Destination::Nats(NatsOptions {
            servers: target.servers.clone(),
            subject: target.subject.clone(),
            stream: target.stream.clone().map(|name| StreamOptions {
                name,
                duplicate_window: target.duplicate_window.0,
                max_bytes: target.stream_max_bytes.0,
            }),
            authorization: nats(&target.authorization),
            tls: tls(&target.tls),
            timeout: target.timeout.0,
        }),
    }
}

fn tls(tls: &config::Tls) -> TlsOptions {
    TlsOptions {
        authorities: tls.ca_file.clone(),
        identity: tls.certificate_file.clone().zip(tls.key_file.clone()),
        server_name: tls.server_name.clone(),
    }
}

/// The plan has a secret file wherever its scheme needs one.
fn secret(authorization: &config::Authorization) -> Secret {
    Secret::File(authorization.secret_file.clone().unwrap_or_default())
}

fn user(authorization: &config::Authorization) -> String {
    authorization.user.clone().unwrap_or_default()
}

fn http(authorization: &config::Authorization) -> Authorization {
    match authorization.scheme {
        Scheme::Basic => Authorization::Basic { user: user(authorization), password: secret(authorization) },
        Scheme::Bearer => Authorization::Bearer(secret(authorization)),
        Scheme::ApiKey => Authorization::ApiKey(secret(authorization)),
        Scheme::Header => Authorization::Header {
            name: authorization.header.clone().unwrap_or_default(),
            value: secret(authorization),
        },
        _ => Authorization::None,
    }
}

fn kafka(authorization: &config::Authorization) -> KafkaAuthorization {
    let (user, secret) = (user(authorization), secret(authorization));
    match authorization.scheme {
        Scheme::Plain => KafkaAuthorization::Plain(user, secret),
        Scheme::ScramSha256 => KafkaAuthorization::ScramSha256(user, secret),
        Scheme::ScramSha512 => KafkaAuthorization::ScramSha512(user, secret),
        _ => KafkaAuthorization::None,
    }
}

fn nats(authorization: &config::Authorization) -> NatsAuthorization {
    match authorization.scheme {
        Scheme::Token => NatsAuthorization::Token(secret(authorization)),
        Scheme::User => NatsAuthorization::User { user: user(authorization), password: secret(authorization) },
        Scheme::Credentials => NatsAuthorization::Credentials(authorization.secret_file.clone().unwrap_or_default()),
        _ => NatsAuthorization::None,
    }
}
