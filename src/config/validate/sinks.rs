//! What outputs may get wrong.

use std::collections::HashSet;
use std::path::Path;

use super::{Judge, SinkPlan, unknown_kind};
use crate::config::{Destination, FileTarget, SyslogTarget, SyslogTransport};

/// A name is a label of metrics and the name of a directory.
const MAX_NAME_BYTES: usize = 64;

/// Records in one request to a server.
const BATCH: std::ops::RangeInclusive<usize> = 1..=10_000;

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
        let (all, one) = (sink.spool.max_bytes, sink.spool.segment_bytes);
        self.need(one.0 >= 64 * 1024, &format!("{at}.spool.segment_bytes"), || {
            format!("segment_bytes is {one}: at least 64 KiB")
        });
        self.need(all.0 >= one.0.saturating_mul(2), &format!("{at}.spool.max_bytes"), || {
            format!("max_bytes of the spool is {all}: it must have room for two segments of {one}")
        });
    }

    fn destination(&mut self, at: &str, destination: &Destination) {
        match destination {
            Destination::File(file) => self.file(at, file),
            Destination::Stdout => {}
            Destination::Syslog(syslog) => self.syslog(at, syslog),
            Destination::Unix(unix) => self.not_empty(&format!("{at}.path"), &unix.path),
            Destination::Webhook(hook) => {
                self.url(at, &hook.url, hook.authorization_file.as_deref());
                self.batch(at, hook.batch);
            }
            Destination::Elasticsearch(server) => {
                self.url(at, &server.url, server.authorization_file.as_deref());
                self.batch(at, server.batch);
                self.need(!server.index.is_empty(), &format!("{at}.index"), || "index is empty".to_owned());
            }
            Destination::Kafka(kafka) => {
                self.need(!kafka.brokers.is_empty(), at, || {
                    "set brokers, for example [\"kafka.example:9092\"]".to_owned()
                });
                for (number, broker) in kafka.brokers.iter().enumerate() {
                    self.host_port(&format!("{at}.brokers.{number}"), broker);
                }
                self.need(!kafka.topic.is_empty(), &format!("{at}.topic"), || "topic is empty".to_owned());
                self.need(kafka.tls || kafka.ca_file.is_none(), &format!("{at}.ca_file"), || {
                    "ca_file is of no use without tls = true".to_owned()
                });
            }
            Destination::Nats(nats) => {
                self.need(!nats.servers.is_empty(), at, || {
                    "set servers, for example [\"nats://nats.example:4222\"]".to_owned()
                });
                for (number, server) in nats.servers.iter().enumerate() {
                    let is_url = server.starts_with("nats://") || server.starts_with("tls://");
                    self.need(is_url, &format!("{at}.servers.{number}"), || {
                        format!("`{}` is no server of NATS: nats://HOST:PORT or tls://HOST:PORT", server.escape_debug())
                    });
                }
                self.need(!nats.subject.is_empty(), &format!("{at}.subject"), || "subject is empty".to_owned());
            }
        }
    }

    pub(super) fn file(&mut self, at: &str, file: &FileTarget) {
        self.not_empty(&format!("{at}.path"), &file.path);
        let mode = u32::from_str_radix(&file.mode, 8).ok().filter(|mode| *mode <= 0o777);
        self.need(mode.is_some_and(|mode| mode & 0o600 == 0o600), &format!("{at}.mode"), || {
            format!(
                "mode is `{}`: octal permissions that let the owner read and write, for example \"0640\"",
                file.mode.escape_debug()
            )
        });
        self.need(
            file.rotate_bytes.is_none_or(|size| size.0 >= MIN_ROTATE_BYTES),
            &format!("{at}.rotate_bytes"),
            || "rotate_bytes must be at least 64 KiB; remove the line to let files grow".to_owned(),
        );
        let seconds = file.rotate_after.map(|after| after.0.as_secs());
        self.need(seconds.is_none_or(|seconds| seconds >= 60), &format!("{at}.rotate_after"), || {
            "rotate_after must be at least 60s; remove the line to not rotate by age".to_owned()
        });
    }

    fn syslog(&mut self, at: &str, syslog: &SyslogTarget) {
        self.host_port(&format!("{at}.address"), &syslog.address);
        self.need(syslog.facility.is_none_or(|number| number <= 23), &format!("{at}.facility"), || {
            "a facility is 0 to 23; local0 is 16".to_owned()
        });
        let is_of_use = syslog.ca_file.is_none() || syslog.transport == SyslogTransport::Tls;
        self.need(is_of_use, &format!("{at}.ca_file"), || {
            "ca_file is of no use without transport = \"tls\"".to_owned()
        });
    }

    /// A secret is only sent where nobody else can read it: over TLS, or to this machine.
    fn url(&mut self, at: &str, url: &str, secret: Option<&Path>) {
        let at = format!("{at}.url");
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or("");
        self.need(!host.is_empty(), &at, || "set url to where records are posted: http://.. or https://..".to_owned());
        self.need(!host.contains('@'), &at, || {
            "the url has a password in it: name authorization_file instead".to_owned()
        });
        let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
        let is_local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        self.need(secret.is_none() || url.starts_with("https://") || is_local, &at, || {
            "authorization_file would be sent in the clear: use https://".to_owned()
        });
    }

    fn batch(&mut self, at: &str, batch: usize) {
        self.need(BATCH.contains(&batch), &format!("{at}.batch"), || {
            format!("batch is {batch}: it must be 1 to {}", BATCH.end())
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
