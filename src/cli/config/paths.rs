//! Whether what a configuration names is there: files, directories, interfaces, the user.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{Destination, Plan, SinkPlan};
use crate::marking::Clearances;

/// Something that is not as the configuration has it.
#[derive(Debug, Serialize)]
pub(super) struct Trouble {
    /// The option, by its path.
    pub(super) option: String,
    /// What is wrong, and what to do.
    pub(super) why: String,
    /// Whether the sensor would not start.
    pub(super) stops_it: bool,
}

impl Trouble {
    pub(super) fn stops(option: impl Into<String>, why: String) -> Self {
        Self { option: option.into(), why, stops_it: true }
    }

    fn warns(option: impl Into<String>, why: String) -> Self {
        Self { option: option.into(), why, stops_it: false }
    }
}

/// All that is not there.
pub(super) fn troubles(plan: &Plan) -> Vec<Trouble> {
    let mut out = Vec::new();
    interfaces(plan, &mut out);
    for (option, paths) in [("feeds.paths", &plan.feeds.paths), ("feeds.allow", &plan.feeds.allow)] {
        paths.iter().for_each(|path| readable(option, &without_format(path), &mut out));
    }
    clearance(plan, &mut out);
    for sink in &plan.sinks {
        destination(sink, &mut out);
    }
    if plan.evidence.is_enabled {
        directory("evidence.directory", &plan.evidence.directory, &mut out);
    }
    if plan.flow_log.is_enabled {
        parent("flow_log.file.path", &plan.flow_log.file.path, &mut out);
    }
    for (option, path) in
        [("metrics.tls_certificate", &plan.metrics.tls_certificate), ("metrics.tls_key", &plan.metrics.tls_key)]
    {
        path.iter().for_each(|path| readable(option, path, &mut out));
    }
    if !plan.metrics.listen.ip().is_loopback() && plan.metrics.tls_certificate.is_none() && plan.metrics.is_enabled {
        let why =
            format!("anyone who reaches {} reads the metrics, in the clear: set tls_certificate", plan.metrics.listen);
        out.push(Trouble::warns("metrics.listen", why));
    }
    #[cfg(target_os = "linux")]
    user(plan, &mut out);
    out
}

/// A path of a feed, without the format in front.
pub(in crate::cli) fn without_format(path: &Path) -> PathBuf {
    let named = path.to_str().and_then(|text| text.split_once('=')).filter(|_| !path.exists());
    named.map_or_else(|| path.to_owned(), |(_, rest)| PathBuf::from(rest))
}

/// One that is not there now may come later: cables and namespaces do.
fn interfaces(plan: &Plan, out: &mut Vec<Trouble>) {
    for name in &plan.capture.interfaces {
        if Path::new("/sys/class/net").is_dir() && !Path::new("/sys/class/net").join(name).exists() {
            let why = format!("there is no interface {name} on this machine now");
            out.push(Trouble::warns("capture.interfaces", why));
        }
    }
}

fn clearance(plan: &Plan, out: &mut Vec<Trouble>) {
    let Some(path) = &plan.feeds.clearance else { return };
    match Clearances::read(path) {
        Err(error) => out.push(Trouble::stops("feeds.clearance", error.to_string())),
        Ok(clearances) => {
            for sink in &plan.sinks {
                if !clearances.sinks().any(|(name, _)| name == sink.clearance) {
                    let why = format!(
                        "{} has no [sink.{}], so the readers of sink {} are the public",
                        path.display(),
                        sink.clearance,
                        sink.name
                    );
                    out.push(Trouble::warns("sinks.clearance", why));
                }
            }
        }
    }
}

fn destination(sink: &SinkPlan, out: &mut Vec<Trouble>) {
    let option = |key: &str| format!("sinks.{}.{key} (sink {})", sink.destination.name(), sink.name);
    if let Destination::File(file) = &sink.destination {
        parent(&option("path"), &file.path, out);
    }
    if let Some(secret) = sink.destination.authorization().and_then(|authorization| authorization.secret_file.as_ref())
    {
        secret_file(&option("authorization.secret_file"), secret, out);
    }
    if let Some(tls) = sink.destination.tls() {
        tls.ca_file.iter().for_each(|path| readable(&option("tls.ca_file"), path, out));
        tls.certificate_file.iter().for_each(|path| readable(&option("tls.certificate_file"), path, out));
        tls.key_file.iter().for_each(|path| secret_file(&option("tls.key_file"), path, out));
    }
    if sink.destination.has_spool() {
        let spool = sink.spool_directory();
        // It is made, and so is the directory of all spools; not more.
        let above = spool.ancestors().skip(1).take(2).any(Path::is_dir);
        if !above {
            let why = format!("{} cannot be made: there is no directory for it", spool.display());
            out.push(Trouble::stops(format!("sinks.spool.directory (sink {})", sink.name), why));
        }
    }
}

fn readable(option: &str, path: &Path, out: &mut Vec<Trouble>) {
    let opened = if path.is_dir() { path.read_dir().map(drop) } else { std::fs::File::open(path).map(drop) };
    if let Err(error) = opened {
        out.push(Trouble::stops(option, format!("cannot read {}: {error}", path.display())));
    }
}

/// Others of the machine should not be able to read it.
fn secret_file(option: &str, path: &Path, out: &mut Vec<Trouble>) {
    readable(option, path, out);
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        use std::os::unix::fs::PermissionsExt as _;
        if metadata.permissions().mode() & 0o007 != 0 {
            out.push(Trouble::warns(
                option,
                format!("everyone on this machine can use {}: chmod o= it", path.display()),
            ));
        }
    }
}

fn parent(option: &str, path: &Path, out: &mut Vec<Trouble>) {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    directory(option, parent, out);
    if path.is_dir() {
        out.push(Trouble::stops(option, format!("{} is a directory: name a file", path.display())));
    }
}

fn directory(option: &str, path: &Path, out: &mut Vec<Trouble>) {
    if !path.is_dir() {
        out.push(Trouble::stops(option, format!("there is no directory {}: make it", path.display())));
    }
}

#[cfg(target_os = "linux")]
fn user(plan: &Plan, out: &mut Vec<Trouble>) {
    let (user, group) = (&plan.privileges.user, &plan.privileges.group);
    if user.as_ref().is_some_and(|name| !matches!(nix::unistd::User::from_name(name), Ok(Some(_)))) {
        out.push(Trouble::stops("privileges.user", "there is no such user on this machine".to_owned()));
    }
    if group.as_ref().is_some_and(|name| !matches!(nix::unistd::Group::from_name(name), Ok(Some(_)))) {
        out.push(Trouble::stops("privileges.group", "there is no such group on this machine".to_owned()));
    }
}
