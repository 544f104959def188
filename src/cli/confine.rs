//! [`options`]: what a configuration lets the process keep, for [`privilege::confine`](crate::privilege::confine).

use std::path::{Path, PathBuf};

use crate::config::{Destination, Plan, Seccomp, SinkPlan};
use crate::privilege::{Options, Refusal};

/// Of `plan`, which was read from `file`. Directories that are written to must be made before they are confined to.
pub fn options(plan: &Plan, file: Option<&Path>) -> Options {
    let privileges = &plan.privileges;
    let feeds = &plan.feeds;
    let paths = feeds.paths.iter().chain(&feeds.allow).map(|path| super::config::without_format(path));
    let mut reads: Vec<PathBuf> = paths.chain(feeds.clearance.clone()).chain(file.map(Path::to_owned)).collect();
    reads.extend([&plan.metrics.tls_certificate, &plan.metrics.tls_key].into_iter().flatten().cloned());
    let mut writes = vec![directory_of(&plan.control.socket)];
    let mut connects = Some(Vec::new());
    for sink in &plan.sinks {
        let (files, ports) = needs(sink, &mut writes);
        reads.extend(files);
        connects = connects.zip(ports).map(|(all, ports)| [all, ports].concat());
    }
    if plan.evidence.is_enabled {
        writes.push(plan.evidence.directory.clone());
    }
    if plan.flow_log.is_enabled {
        writes.push(directory_of(&plan.flow_log.file.path));
    }
    writes.sort();
    writes.dedup();
    Options {
        user: privileges.user.clone(),
        group: privileges.group.clone(),
        refusal: match privileges.seccomp {
            Seccomp::Off => Refusal::Off,
            Seccomp::Refuse => Refusal::Fail,
            Seccomp::Kill => Refusal::Kill,
        },
        keeps_file_access: false,
        without_landlock: !privileges.landlock,
        is_required: privileges.is_required,
        reads,
        writes,
        connects,
        binds: if plan.metrics.is_enabled { vec![plan.metrics.listen.port()] } else { Vec::new() },
    }
}

/// What one output needs.
pub(super) fn of_sink(sink: &SinkPlan) -> Options {
    let mut writes = Vec::new();
    let (reads, connects) = needs(sink, &mut writes);
    Options { reads, writes, connects, ..Options::default() }
}

/// The files that an output reads and the TCP ports that it connects to (`None`: servers name others); where it writes is added to `writes`.
fn needs(sink: &SinkPlan, writes: &mut Vec<PathBuf>) -> (Vec<PathBuf>, Option<Vec<u16>>) {
    if sink.destination.has_spool() {
        writes.extend([sink.spool_directory(), directory_of(&sink.refused_file())]);
    }
    let secret = sink.destination.authorization().and_then(|authorization| authorization.secret_file.clone());
    let tls = sink.destination.tls().cloned().unwrap_or_default();
    let files = [secret, tls.ca_file, tls.certificate_file, tls.key_file].into_iter().flatten().collect();
    let ports = match &sink.destination {
        Destination::File(file) => {
            writes.push(directory_of(&file.path));
            Some(Vec::new())
        }
        Destination::Stdout | Destination::Unix(_) => Some(Vec::new()),
        Destination::Syslog(syslog) => Some(vec![port(&syslog.address)]),
        Destination::Webhook(hook) => Some(vec![port(&hook.url)]),
        Destination::Elasticsearch(server) => Some(vec![port(&server.url)]),
        // A cluster says which other servers to ask.
        Destination::Kafka(_) | Destination::Nats(_) => None,
    };
    (files, ports)
}

/// The port of `HOST:PORT` or of a URL.
fn port(address: &str) -> u16 {
    let (default, rest) = match address.split_once("://") {
        Some(("https", rest)) => (443, rest),
        Some((_, rest)) => (80, rest),
        None => (0, address),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(default)
}

pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(more: &str) -> Plan {
        let text = format!(
            "[capture]\ninterfaces = [\"a\"]\n[feeds]\npaths = [\"/f/feeds\", \"plain=/g/list\"]\n[control]\nsocket = \"/r/s\"\n{more}"
        );
        Plan::parse(&text, "x").expect("reads")
    }

    #[test]
    fn paths_and_ports_are_those_of_the_configuration_and_no_others() {
        let plan = plan(
            "[[sinks]]\nname = \"a\"\nfile = { path = \"/l/a.jsonl\" }\n\
             [[sinks]]\nname = \"b\"\nsyslog = { address = \"[::1]:6514\", transport = \"tls\", tls = { ca_file = \"/c/ca.pem\" } }\n\
             [[sinks]]\nname = \"c\"\nwebhook = { url = \"https://h.example/x?y=z:9\" }\nspool = { directory = \"/s/c\" }\n",
        );
        let options = options(&plan, Some(Path::new("/e/picket.toml")));
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(options.reads, paths(&["/f/feeds", "/g/list", "/e/picket.toml", "/c/ca.pem"]));
        assert_eq!(
            options.writes,
            paths(&["/l", "/r", "/s", "/s/c", "/var/lib/picket/spool", "/var/lib/picket/spool/b"])
        );
        assert_eq!(options.connects, Some(vec![6514, 443]));
        assert_eq!(options.binds, [9477]);
        assert_eq!((options.refusal, options.without_landlock), (Refusal::Fail, false));
    }

    #[test]
    fn a_cluster_may_name_any_port() {
        let kafka = "[[sinks]]\nname = \"a\"\nstdout = {}\n[[sinks]]\nname = \"k\"\nkafka = { brokers = [\"h:1\"] }\n";
        assert_eq!(options(&plan(kafka), None).connects, None);
        assert_eq!(port("http://h"), 80);
        assert_eq!(port("http://h:8080/a"), 8080);
    }
}
