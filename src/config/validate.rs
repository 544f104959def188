//! What a file that reads well may still get wrong: values out of bounds, and settings that do not go together. Every finding is told,
//! each at its line.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::Path;

use super::error::{Finding, Place, like};
use super::{Plan, SinkPlan};
use crate::indicator::KINDS;
use crate::pipeline::SHARDS;

mod sinks;

/// The longest name of an interface that Linux has, without its end.
const MAX_INTERFACE_BYTES: usize = 15;

/// A whole packet as large as offloading makes them.
const MAX_SNAP_BYTES: u32 = 262_144;

/// Less than any header chain.
const MIN_SNAP_BYTES: u32 = 96;

/// A ring has blocks of about a mebibyte.
const MIN_RING_BYTES: u64 = 1 << 20;

/// The kernel's limit for one ring is in 32 bits.
const MAX_RING_BYTES: u64 = 2 << 30;

/// Processors that Linux can be built for.
const MAX_CPU: usize = 8191;

/// A path of a socket, with its end, has so many bytes.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Alerts that may wait: beyond this memory is better spent on outputs that keep up.
const MAX_ALERT_CHANNEL: usize = 1 << 24;

/// Pairs and indicators that suppression remembers.
const MAX_REMEMBERED: usize = 10_000_000;

/// What `picket replay --max-flows` takes.
const FLOWS: std::ops::RangeInclusive<usize> = 256..=1_000_000_000;

/// Collects findings. Paths are keys with dots between them, and numbers for items of lists: `sinks.0.file.path`.
struct Judge<'a> {
    place: Place<'a>,
    findings: Vec<Finding>,
}

/// All that is wrong with `plan`, which `place` was read to.
pub(super) fn findings(plan: &Plan, place: Place<'_>) -> Vec<Finding> {
    let mut judge = Judge { place, findings: Vec::new() };
    judge.capture(plan);
    judge.feeds(plan);
    judge.bounds(plan);
    judge.sinks(&plan.sinks);
    judge.rest(plan);
    judge.findings.sort_by_key(|finding| finding.line);
    judge.findings
}

impl Judge<'_> {
    /// A finding at `path` unless `holds`.
    fn need(&mut self, holds: bool, path: &str, why: impl FnOnce() -> String) {
        if !holds {
            self.findings.push(self.place.at(path, why()));
        }
    }

    fn not_empty(&mut self, path: &str, value: &Path) {
        self.need(!value.as_os_str().is_empty(), path, || format!("`{path}` is empty: name a path"));
    }

    fn capture(&mut self, plan: &Plan) {
        let capture = &plan.capture;
        self.need(!capture.interfaces.is_empty(), "capture.interfaces", || {
            "no interface to listen on: set interfaces in [capture], for example [\"eth1\"]".to_owned()
        });
        for (number, name) in capture.interfaces.iter().enumerate() {
            let is_name = !name.is_empty()
                && name.len() <= MAX_INTERFACE_BYTES
                && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
            self.need(is_name, &format!("capture.interfaces.{number}"), || {
                format!("`{}` is no name of an interface: 1 to {MAX_INTERFACE_BYTES} characters", name.escape_debug())
            });
        }
        self.distinct("capture.interfaces", &capture.interfaces, |name| format!("interface {name} is there twice"));
        self.need((MIN_SNAP_BYTES..=MAX_SNAP_BYTES).contains(&capture.snap_bytes), "capture.snap_bytes", || {
            format!("snap_bytes is {}: it must be {MIN_SNAP_BYTES} to {MAX_SNAP_BYTES}", capture.snap_bytes)
        });
        self.need(capture.workers.is_none_or(|count| (1..=SHARDS).contains(&count)), "capture.workers", || {
            format!("workers must be 1 to {SHARDS}; remove the line for one a processor")
        });
        for (number, cpu) in capture.cpus.iter().enumerate() {
            self.need(*cpu <= MAX_CPU, &format!("capture.cpus.{number}"), || format!("there is no processor {cpu}"));
        }
        let ring = capture.ring_bytes;
        self.need((MIN_RING_BYTES..=MAX_RING_BYTES).contains(&ring.0), "capture.ring_bytes", || {
            format!("ring_bytes is {ring}: it must be 1 MiB to 2 GiB")
        });
    }

    fn feeds(&mut self, plan: &Plan) {
        let feeds = &plan.feeds;
        self.need(!feeds.paths.is_empty(), "feeds.paths", || {
            "nothing to look for: set paths in [feeds], for example [\"/var/lib/picket/feeds\"]".to_owned()
        });
        for (list, paths) in [("paths", &feeds.paths), ("allow", &feeds.allow)] {
            paths.iter().enumerate().for_each(|(number, path)| self.not_empty(&format!("feeds.{list}.{number}"), path));
        }
        self.need(feeds.max_shrink_percent <= 100, "feeds.max_shrink_percent", || {
            format!("max_shrink_percent is {}: it must be 0 to 100; 100 refuses no reload", feeds.max_shrink_percent)
        });
    }

    fn bounds(&mut self, plan: &Plan) {
        self.need(FLOWS.contains(&plan.flows.max), "flows.max", || {
            format!("flows.max is {}: it must be {} to {}", plan.flows.max, FLOWS.start(), FLOWS.end())
        });
        self.need((1..=MAX_ALERT_CHANNEL).contains(&plan.memory.alert_channel), "memory.alert_channel", || {
            format!("alert_channel is {}: it must be 1 to {MAX_ALERT_CHANNEL}", plan.memory.alert_channel)
        });
        let suppression = &plan.suppression;
        for (key, count) in [("max_pairs", suppression.max_pairs), ("max_indicators", suppression.max_indicators)] {
            self.need((1..=MAX_REMEMBERED).contains(&count), &format!("suppression.{key}"), || {
                format!("{key} is {count}: it must be 1 to {MAX_REMEMBERED}")
            });
        }
        self.need(suppression.alerts_per_second == 0 || suppression.burst > 0, "suppression.burst", || {
            "burst is 0, which would let no alert through: set at least 1".to_owned()
        });
    }

    fn rest(&mut self, plan: &Plan) {
        if plan.evidence.is_enabled {
            self.not_empty("evidence.directory", &plan.evidence.directory);
            let (all, least) = (plan.evidence.max_bytes, 1 << 20);
            self.need(all.0 >= least, "evidence.max_bytes", || format!("evidence.max_bytes is {all}: at least 1 MiB"));
        }
        if plan.flow_log.is_enabled {
            self.file("flow_log.file", &plan.flow_log.file);
        }
        let metrics = &plan.metrics;
        self.need(metrics.tls_certificate.is_some() == metrics.tls_key.is_some(), "metrics", || {
            "tls_certificate and tls_key go together: set both or none".to_owned()
        });
        self.not_empty("control.socket", &plan.control.socket);
        let length = plan.control.socket.as_os_str().len();
        self.need(length <= MAX_SOCKET_PATH_BYTES, "control.socket", || {
            format!("the path of a socket has at most {MAX_SOCKET_PATH_BYTES} bytes, this has {length}")
        });
        let privileges = &plan.privileges;
        for (key, name) in [("user", &privileges.user), ("group", &privileges.group)] {
            let path = format!("privileges.{key}");
            self.need(name.as_ref().is_none_or(|name| !name.is_empty()), &path, || {
                format!("{key} is empty: remove the line")
            });
        }
        self.need(privileges.user.is_some() || privileges.group.is_none(), "privileges.group", || {
            "a group alone is not changed to: set user too".to_owned()
        });
    }

    /// A finding for each value of a list that is there before.
    fn distinct<T: Eq + Hash>(&mut self, path: &str, values: &[T], why: impl Fn(&T) -> String) {
        let mut seen = HashSet::new();
        for (number, value) in values.iter().enumerate() {
            self.need(seen.insert(value), &format!("{path}.{number}"), || why(value));
        }
    }
}

/// Whether a feed may name a kind so.
fn unknown_kind(name: &str) -> Option<String> {
    if KINDS.iter().any(|kind| kind.name == name) {
        return None;
    }
    let meant = like(name, KINDS.iter().map(|kind| kind.name));
    let meant = meant.map_or_else(String::new, |kind| format!("; did you mean `{kind}`?"));
    let all: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    Some(format!("`{}` is no kind of indicator, which are {}{meant}", name.escape_debug(), all.join(", ")))
}
