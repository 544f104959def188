//! A [`Snapshot`] in the text format that Prometheus reads.
//!
//! The crate `prometheus` writes the text. It was chosen over `prometheus-client`, which writes OpenMetrics only: `promtool check metrics` and
//! many collectors read the older format alone. Its registry and atomics are not used: a snapshot has the numbers already.
//!
//! Each metric is one entry of a table, with its help. Labels are words of the code, names from the configuration and interface names; what
//! traffic can make many of (reasons, VLANs, tunnels) is told apart up to a cap and counted together beyond.

mod alerts;
mod feeds;
mod process;
mod shown;
mod traffic;

use prometheus::TextEncoder;
use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};

use self::shown::Shown;
use super::Snapshot;

/// What the answer is, for whoever asks over HTTP.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Reasons told apart. The code has about a hundred; numbers of unknown protocols add to them.
const MAX_REASONS: usize = 256;

/// VLANs and tunnels told apart, each under some twenty verdicts.
const MAX_NETWORKS: usize = 64;

/// Label of what is beyond a cap.
const OTHER: &str = "other";

/// Writes snapshots. It remembers what it told apart, so that no series changes its meaning from one answer to the next.
#[derive(Default)]
pub struct Exposition {
    memory: Memory,
}

/// See [`Exposition`].
#[derive(Default)]
struct Memory {
    reasons: Shown,
    networks: Shown,
}

/// One metric: its name, what it is, and how it is read.
pub struct Metric {
    /// As Prometheus names it.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    is_counter: bool,
    read: fn(&Snapshot, &mut Samples<'_>),
}

/// All metrics, in the order written.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    [traffic::METRICS, alerts::METRICS, feeds::METRICS, process::METRICS].into_iter().flatten()
}

impl Exposition {
    /// The text.
    pub fn text(&mut self, snapshot: &Snapshot) -> String {
        let families: Vec<MetricFamily> =
            metrics().filter_map(|metric| metric.family(snapshot, &mut self.memory)).collect();
        let mut text = String::new();
        // It fails for a family without name or samples, and there is none.
        let _ = TextEncoder::new().encode_utf8(&families, &mut text);
        text
    }
}

impl Metric {
    /// `None` if there is nothing to say now.
    fn family(&self, snapshot: &Snapshot, memory: &mut Memory) -> Option<MetricFamily> {
        let mut samples = Samples { is_counter: self.is_counter, metrics: Vec::new(), memory };
        (self.read)(snapshot, &mut samples);
        let metrics = samples.metrics;
        (!metrics.is_empty()).then(|| {
            let mut family = MetricFamily::default();
            family.set_name(self.name.to_owned());
            family.set_help(self.help.to_owned());
            family.set_field_type(if self.is_counter { MetricType::COUNTER } else { MetricType::GAUGE });
            family.set_metric(metrics);
            family
        })
    }
}

/// A count since start.
const fn counter(name: &'static str, help: &'static str, read: fn(&Snapshot, &mut Samples<'_>)) -> Metric {
    Metric { name, help, is_counter: true, read }
}

/// A number that rises and falls.
const fn gauge(name: &'static str, help: &'static str, read: fn(&Snapshot, &mut Samples<'_>)) -> Metric {
    Metric { name, help, is_counter: false, read }
}

/// The samples of one metric.
struct Samples<'a> {
    is_counter: bool,
    metrics: Vec<proto::Metric>,
    memory: &'a mut Memory,
}

impl Samples<'_> {
    /// The only sample.
    fn one(&mut self, value: impl Value) {
        self.with(&[], value);
    }

    /// One of several, told apart by labels.
    fn with(&mut self, labels: &[(&str, &str)], value: impl Value) {
        let pairs = labels.iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut metric = proto::Metric::from_label(pairs.collect());
        if self.is_counter {
            let mut counter = proto::Counter::default();
            counter.set_value(value.number());
            metric.set_counter(counter);
        } else {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value.number());
            metric.set_gauge(gauge);
        }
        self.metrics.push(metric);
    }
}

/// What a sample may be given as.
trait Value {
    fn number(self) -> f64;
}

impl Value for u64 {
    fn number(self) -> f64 {
        self as f64
    }
}

impl Value for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Value for bool {
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

#[cfg(test)]
mod tests;
