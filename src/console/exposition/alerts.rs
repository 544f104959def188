//! Alerts, where they go, and what they are raised from.

use super::{Metric, Samples, counter, gauge};
use crate::console::snapshot::{Feed, Output, Snapshot};

pub(super) static METRICS: &[Metric] = &[
    counter("picket_alerts_total", "Alerts raised.", |s, out| out.one(s.alerts.raised)),
    counter("picket_alerts_sent_total", "Alerts handed on to outputs.", |s, out| out.one(s.alerts.sent)),
    counter("picket_alerts_dropped_total", "Alerts lost before any output had them.", |s, out| {
        out.one(s.alerts.dropped)
    }),
    counter("picket_alerts_suppressed_total", "Alerts silenced or summed up, by what.", |s, out| {
        s.alerts.suppressed.iter().for_each(|line| out.with(&[("by", &line.by)], line.count));
    }),
    counter("picket_alert_roll_ups_total", "Summaries of suppressed alerts that were sent.", |s, out| {
        out.one(s.alerts.roll_ups);
    }),
    counter("picket_notices_total", "What the sensor said of itself among the alerts.", |s, out| {
        out.one(s.alerts.notices)
    }),
    gauge("picket_alert_queue_length", "Alerts that wait between workers and outputs.", |s, out| {
        out.one(s.alerts.waiting)
    }),
    gauge("picket_alert_queue_capacity", "The most alerts that may wait there.", |s, out| out.one(s.alerts.capacity)),
    counter("picket_output_accepted_total", "Records given to an output.", |s, out| by_output(s, out, |o| o.accepted)),
    counter("picket_output_filtered_total", "Records that filter or clearance of an output left out.", |s, out| {
        by_output(s, out, |o| o.filtered);
    }),
    counter("picket_output_delivered_total", "Records that the other end of an output has.", |s, out| {
        by_output(s, out, |o| o.delivered);
    }),
    counter("picket_output_retries_total", "Attempts to deliver after the first.", |s, out| {
        by_output(s, out, |o| o.retried)
    }),
    counter("picket_output_dropped_total", "Records that an output lost.", |s, out| by_output(s, out, |o| o.dropped)),
    counter(
        "picket_output_dead_letters_total",
        "Records that the other end refuses, kept in the dead-letter file.",
        |s, out| {
            by_output(s, out, |o| o.dead_lettered);
        },
    ),
    gauge("picket_output_queue_length", "Records of an output that wait.", |s, out| by_output(s, out, |o| o.queued)),
    gauge("picket_output_queue_bytes", "Bytes of the records that wait.", |s, out| {
        by_output(s, out, |o| o.queued_bytes)
    }),
    gauge("picket_output_queue_limit_bytes", "The most that these may be.", |s, out| {
        by_output(s, out, |o| o.queue_limit_bytes)
    }),
    gauge("picket_output_up", "Whether the last attempt of an output went well.", |s, out| {
        s.outputs.iter().for_each(|o| out.with(&[("output", &o.name), ("kind", &o.kind)], o.is_up));
    }),
    gauge("picket_output_last_delivery_age_seconds", "Time since an output last delivered.", |s, out| {
        for output in &s.outputs {
            if let Some(age) = output.last_delivery_age_seconds {
                out.with(&[("output", &output.name)], age);
            }
        }
    }),
    counter(
        "picket_reloads_total",
        "Times that feeds and lists were read again, by whether the new ones were taken.",
        |s, out| {
            out.with(&[("result", "accepted")], s.reload.accepted);
            out.with(&[("result", "refused")], s.reload.refused);
        },
    ),
    counter("picket_reload_seconds_total", "Time that this took in all.", |s, out| out.one(s.reload.seconds)),
    gauge("picket_last_reload_seconds", "Time that the last one took.", |s, out| {
        if let Some(seconds) = s.reload.last_seconds {
            out.one(seconds);
        }
    }),
    gauge("picket_last_reload_refused", "Whether the last one was refused.", |s, out| {
        out.one(s.reload.is_last_refused)
    }),
    gauge("picket_last_accepted_reload_age_seconds", "Time since the set in use was taken.", |s, out| {
        if let Some(seconds) = s.reload.last_accepted_age_seconds {
            out.one(seconds);
        }
    }),
    gauge("picket_feed_age_seconds", "Time since a feed's data were last renewed.", |s, out| {
        by_feed(s, out, |feed| feed.age_seconds);
    }),
    gauge("picket_feed_stale", "Whether a feed is older than the configuration allows.", |s, out| {
        by_feed(s, out, |feed| f64::from(u8::from(feed.is_stale)));
    }),
    gauge(
        "picket_feed_refused",
        "Whether the last version of a feed was refused, so that an older one is in use.",
        |s, out| {
            by_feed(s, out, |feed| f64::from(u8::from(feed.is_refused)));
        },
    ),
    gauge("picket_feed_entries", "Entries of a feed in use.", |s, out| by_feed(s, out, |feed| feed.entries as f64)),
    gauge("picket_indicators", "Indicators matched against.", |s, out| out.one(s.indicators.total)),
    gauge("picket_kind_indicators", "Indicators matched against, by kind.", |s, out| {
        s.indicators.by_kind.iter().for_each(|kind| out.with(&[("kind", &kind.kind)], kind.count));
    }),
    counter("picket_evidence_files_total", "Files of packets written for alerts.", |s, out| out.one(s.evidence.files)),
    counter("picket_evidence_bytes_total", "Bytes of these files.", |s, out| out.one(s.evidence.bytes)),
    counter("picket_evidence_failed_total", "Files of packets that could not be written.", |s, out| {
        out.one(s.evidence.failed)
    }),
    gauge("picket_evidence_held_bytes", "Bytes of packets held in case of an alert.", |s, out| {
        out.one(s.evidence.held_bytes)
    }),
    counter("picket_flow_records_total", "Records of finished flows written.", |s, out| out.one(s.flow_log.written)),
    counter("picket_flow_records_dropped_total", "Records of finished flows lost.", |s, out| {
        out.one(s.flow_log.dropped)
    }),
];

/// A sample for each output.
fn by_output(snapshot: &Snapshot, out: &mut Samples<'_>, of: fn(&Output) -> u64) {
    snapshot.outputs.iter().for_each(|output| out.with(&[("output", &output.name)], of(output)));
}

/// A sample for each feed.
fn by_feed(snapshot: &Snapshot, out: &mut Samples<'_>, of: fn(&Feed) -> f64) {
    snapshot.feeds.iter().for_each(|feed| out.with(&[("feed", &feed.name)], of(feed)));
}
