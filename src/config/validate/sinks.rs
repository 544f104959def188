//! What outputs may get wrong.

use std::collections::HashSet;

use super::{Judge, SinkPlan, unknown_kind};
use crate::config::{
    Authorization, Bytes, Destination, FileTarget, KafkaTarget, NatsTarget, Scheme, SyslogTarget, SyslogTransport, Tls,
};

/// A name is a label of metrics and the name of a directory.
const MAX_NAME_BYTES: usize = 64;

/// Records in one request to a server.
const BATCH: std::ops::RangeInclusive<usize> = 1..=10_000;

/// A spool of less has no room for what comes in a moment.
const MIN_SPOOL_BYTES: u64 = 1 << 20;

/// Of webhooks and Elasticsearch.
const HTTP_SCHEMES: &[Scheme] = &[Scheme::None, Scheme::Basic, Scheme::Bearer, Scheme::ApiKey, Scheme::Header];

/// Of Kafka.
const KAFKA_SCHEMES: &[Scheme] = &[Scheme::None, Scheme::Plain, Scheme::ScramSha256, Scheme::ScramSha512];

/// Of NATS.
const NATS_SCHEMES: &[Scheme] = &[Scheme::None, Scheme::Token, Scheme::User, Scheme::Credentials];

/// Smaller files would be put aside all the time.
const MIN_ROTATE_BYTES: u64 = 64 * 1024;

impl Judge<'_> {
    pub(super) fn sinks(&mut self, sinks: &[SinkPlan]) {
        self.need(!sinks.is_empty(), "sinks", || {
            "alerts go nowhere: add a [[sinks]] with a name and a destination, for example [sinks.file]".to_owned()
        });
        let (mut names, mut files, mut spools, mut stdouts) = (HashSet::new(), HashSet::new(), HashSet::new(), 0);
        for (number, sink) in sinks.iter().enumerate() {
            let at = format!("sinks.{number}");
            let path = format!("{at}.name");
            self.need(is_name(&sink.name), &path, || {
                format!(
                    "`{}` is no name of a sink: letters, digits, - and _, up to {MAX_NAME_BYTES}",
                    sink.name.escape_debug()
                )
            });
            self.need(names.insert(sink.name.as_str()), &path, || format!("there are two sinks named `{}`", sink.name));
            for (number, kind) in sink.filter.kinds.iter().enumerate() {
                let unknown = unknown_kind(kind);
                self.need(unknown.is_none(), &format!("{at}.filter.kinds.{number}"), || unknown.unwrap_or_default());
            }
            let severity = sink.filter.min_severity;
            self.need(severity <= 100, &format!("{at}.filter.min_severity"), || {
                format!("a severity is 0 to 100, not {severity}")
            });
            self.destination(&format!("{at}.{}", sink.destination.name()), &sink.destination);
            match &sink.destination {
                Destination::File(file) => {
                    let is_first = files.insert(file.path.as_path());
                    self.need(is_first, &format!("{at}.file.path"), || "two sinks write to this file".to_owned());
                }
                Destination::Stdout => {
                    stdouts += 1;
                    self.need(stdouts < 2, &at, || "two sinks write to standard output".to_owned());
                }
                _ => {
                    self.spool(&at, sink);
                    let is_first = spools.insert(sink.spool_directory());
                    self.need(is_first, &at, || "two sinks have their spool in the same directory".to_owned());
                }
            }
        }
    }

    fn spool(&mut self, at: &str, sink: &SinkPlan) {
        let all = sink.spool.max_bytes;
        self.need(all.0 >= MIN_SPOOL_BYTES, &format!("{at}.spool.max_bytes"), || {
            format!("max_bytes of the spool is {all}: at least {}", Bytes(MIN_SPOOL_BYTES))
        });
        let is_in_order = sink.spool.retry_first <= sink.spool.retry_most && !sink.spool.retry_first.0.is_zero();
        self.need(is_in_order, &format!("{at}.spool.retry_first"), || {
            "retry_first must be over 0 and not over retry_most".to_owned()
        });
    }

    fn destination(&mut self, at: &str, destination: &Destination) {
        match destination {
            Destination::File(file) => self.file(at, file),
            Destination::Stdout => {}
            Destination::Syslog(syslog) => self.syslog(at, syslog),
            Destination::Unix(unix) => self.not_empty(&format!("{at}.path"), &unix.path),
            Destination::Webhook(hook) => {
                self.url(at, &hook.url, &hook.authorization);
                self.batch(at, hook.batch_records);
                self.scheme(at, &hook.authorization, HTTP_SCHEMES);
            }
            Destination::Elasticsearch(server) => {
                self.url(at, &server.url, &server.authorization);
                self.batch(at, server.batch_records);
                self.scheme(at, &server.authorization, HTTP_SCHEMES);
                self.need(!server.index.is_empty(), &format!("{at}.index"), || "index is empty".to_owned());
            }
            Destination::Kafka(kafka) => self.kafka(at, kafka),
            Destination::Nats(nats) => self.nats(at, nats),
        }
        if let Some(tls) = destination.tls() {
            self.need(tls.certificate_file.is_some() == tls.key_file.is_some(), &format!("{at}.tls"), || {
                "certificate_file and key_file go together: set both or none".to_owned()
            });
        }
    }

    fn kafka(&mut self, at: &str, kafka: &KafkaTarget) {
        self.need(!kafka.brokers.is_empty(), at, || "set brokers, for example [\"kafka.example:9092\"]".to_owned());
        for (number, broker) in kafka.brokers.iter().enumerate() {
            self.host_port(&format!("{at}.brokers.{number}"), broker);
        }
        self.need(!kafka.topic.is_empty(), &format!("{at}.topic"), || "topic is empty".to_owned());
        self.scheme(at, &kafka.authorization, KAFKA_SCHEMES);
        let is_plain = kafka.authorization.scheme == Scheme::Plain;
        self.need(!is_plain || kafka.tls.is_some(), &format!("{at}.authorization"), || {
            "the scheme plain sends the password as it is: add tls = {}".to_owned()
        });
    }

    fn nats(&mut self, at: &str, nats: &NatsTarget) {
        self.need(!nats.servers.is_empty(), at, || {
            "set servers, for example [\"nats://nats.example:4222\"]".to_owned()
        });
        for (number, server) in nats.servers.iter().enumerate() {
            let is_url = server.starts_with("nats://") || server.starts_with("tls://");
            self.need(is_url, &format!("{at}.servers.{number}"), || {
                format!("`{}` is no server of NATS: nats://HOST:PORT or tls://HOST:PORT", server.escape_debug())
            });
            self.need(!server.contains('@'), &format!("{at}.servers.{number}"), || {
                "the url has a password in it: name it in authorization".to_owned()
            });
        }
        self.need(!nats.subject.is_empty(), &format!("{at}.subject"), || "subject is empty".to_owned());
        self.scheme(at, &nats.authorization, NATS_SCHEMES);
    }

    pub(super) fn file(&mut self, at: &str, file: &FileTarget) {
        self.not_empty(&format!("{at}.path"), &file.path);
        let size = file.rotate_bytes.0;
        self.need(size == 0 || size >= MIN_ROTATE_BYTES, &format!("{at}.rotate_bytes"), || {
            "rotate_bytes must be at least 64 KiB, or 0 for never".to_owned()
        });
        let seconds = file.rotate_after.0.as_secs();
        self.need(file.rotate_after.0.is_zero() || seconds >= 60, &format!("{at}.rotate_after"), || {
            "rotate_after must be at least 60s, or 0s for never".to_owned()
        });
    }

    fn syslog(&mut self, at: &str, syslog: &SyslogTarget) {
        self.host_port(&format!("{at}.address"), &syslog.address);
        self.need(syslog.facility <= 23, &format!("{at}.facility"), || {
            "a facility is 0 to 23; local0 is 16".to_owned()
        });
        let is_of_use = syslog.tls == Tls::default() || syslog.transport == SyslogTransport::Tls;
        self.need(is_of_use, &format!("{at}.tls"), || "tls is of no use without transport = \"tls\"".to_owned());
    }

    /// A secret is only sent where nobody else can read it: over TLS, or to this machine.
    fn url(&mut self, at: &str, url: &str, authorization: &Authorization) {
        let at = format!("{at}.url");
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or("");
        self.need(!host.is_empty(), &at, || "set url to where records are posted: http://.. or https://..".to_owned());
        self.need(!host.contains('@'), &at, || "the url has a password in it: name it in authorization".to_owned());
        let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
        let is_local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        let has_secret = authorization.scheme != Scheme::None;
        self.need(!has_secret || url.starts_with("https://") || is_local, &at, || {
            "the secret of authorization would be sent in the clear: use https://".to_owned()
        });
    }

    /// A scheme that the destination has, with what it needs and nothing else.
    fn scheme(&mut self, at: &str, authorization: &Authorization, schemes: &[Scheme]) {
        let at = format!("{at}.authorization");
        let scheme = authorization.scheme;
        let name = scheme.name();
        self.need(schemes.contains(&scheme), &at, || {
            let names: Vec<&str> = schemes.iter().map(|scheme| scheme.name()).collect();
            format!("there is no scheme {name} here: one of {}", names.join(", "))
        });
        for (key, is_set, is_needed) in [
            ("user", authorization.user.is_some(), scheme.has_user()),
            ("secret_file", authorization.secret_file.is_some(), scheme != Scheme::None),
            ("header", authorization.header.is_some(), scheme == Scheme::Header),
        ] {
            self.need(is_set || !is_needed, &at, || format!("the scheme {name} needs {key}"));
            self.need(!is_set || is_needed, &at, || format!("{key} is of no use with the scheme {name}"));
        }
    }

    fn batch(&mut self, at: &str, batch: usize) {
        self.need(BATCH.contains(&batch), &format!("{at}.batch_records"), || {
            format!("batch_records is {batch}: it must be 1 to {}", BATCH.end())
        });
    }

    fn host_port(&mut self, at: &str, text: &str) {
        let parts = text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        let is_address = matches!(parts, Some((host, Ok(port))) if !host.is_empty() && port > 0 && !host.contains("/"));
        self.need(is_address, at, || format!("`{}` is no address: HOST:PORT", text.escape_debug()));
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_part)
}
