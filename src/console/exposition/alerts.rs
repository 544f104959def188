//! Alerts and where they go.

use super::{Metric, Samples, counter, gauge};
use crate::console::snapshot::{Output, Snapshot};

pub(super) static METRICS: &[Metric] = &[
    counter("picket_alerts_total", "Alerts raised.", |s, out| out.one(s.alerts.raised)),
    counter("picket_alerts_sent_total", "Alerts handed on to outputs.", |s, out| out.one(s.alerts.sent)),
    counter("picket_alerts_dropped_total", "Alerts lost before any output had them.", |s, out| {
        out.one(s.alerts.dropped);
    }),
    counter("picket_alerts_suppressed_total", "Alerts silenced or summed up, by what.", |s, out| {
        s.alerts.suppressed.iter().for_each(|line| out.with(&[("by", &line.by)], line.count));
    }),
    counter("picket_alert_roll_ups_total", "Summaries of suppressed alerts that were sent.", |s, out| {
        out.one(s.alerts.roll_ups);
    }),
    counter("picket_notices_total", "What the sensor said of itself among the alerts.", |s, out| {
        s.alerts.notices.iter().for_each(|line| out.with(&[("action", &line.action)], line.count));
    }),
    counter("picket_notices_dropped_total", "What it wanted to say there and found no room for.", |s, out| {
        out.one(s.alerts.notices_dropped);
    }),
    gauge("picket_alert_queue_length", "Alerts that wait between workers and outputs.", |s, out| {
        out.one(s.alerts.waiting);
    }),
    gauge("picket_alert_queue_capacity", "The most alerts that may wait there.", |s, out| out.one(s.alerts.capacity)),
    gauge("picket_output_up", "Whether the last attempt of an output went well.", |s, out| {
        s.outputs.iter().for_each(|o| out.with(&[("output", &o.name), ("kind", &o.kind)], o.is_up));
    }),
    counter("picket_output_accepted_total", "Records given to an output.", |s, out| by_output(s, out, |o| o.accepted)),
    counter("picket_output_filtered_total", "Records that filter or clearance of an output left out.", |s, out| {
        by_output(s, out, |o| o.filtered);
    }),
    counter("picket_output_delivered_total", "Records that the other end of an output has.", |s, out| {
        by_output(s, out, |o| o.delivered);
    }),
    counter("picket_output_retries_total", "Records handed over again, counted each time.", |s, out| {
        by_output(s, out, |o| o.retried);
    }),
    counter("picket_output_dropped_total", "Records that an output lost.", |s, out| by_output(s, out, |o| o.dropped)),
    counter("picket_output_dead_letters_total", "Records that the other end refuses for good.", |s, out| {
        by_output(s, out, |o| o.dead_lettered);
    }),
    counter("picket_output_dead_letters_lost_total", "Of these, records that are in no dead-letter file.", |s, out| {
        by_output(s, out, |o| o.dead_letters_lost);
    }),
    counter("picket_output_spilled_total", "Records that waited in memory because the disk took nothing.", |s, out| {
        by_output(s, out, |o| o.spilled);
    }),
    counter(
        "picket_output_damaged_bytes_total",
        "Bytes of an output's queue that were no record when it was read.",
        |s, out| by_output(s, out, |o| o.damaged_bytes),
    ),
    gauge("picket_output_queue_length", "Records of an output that wait.", |s, out| by_output(s, out, |o| o.queued)),
    gauge("picket_output_queue_bytes", "Bytes of the records that wait.", |s, out| {
        by_output(s, out, |o| o.queued_bytes);
    }),
    gauge("picket_output_queue_limit_bytes", "The most that these may be.", |s, out| {
        by_output(s, out, |o| o.queue_limit_bytes);
    }),
    gauge("picket_output_queue_age_seconds", "Time that the oldest of them has waited.", |s, out| {
        s.outputs.iter().for_each(|o| out.with(&[("output", &o.name)], o.queue_age_seconds.unwrap_or(0.0)));
    }),
    counter("picket_evidence_files_total", "Files of packets written for alerts.", |s, out| out.one(s.evidence.files)),
    counter("picket_evidence_failed_total", "Files of packets that could not be written.", |s, out| {
        out.one(s.evidence.failed);
    }),
    counter("picket_evidence_deleted_total", "Files of packets deleted to keep within the limit.", |s, out| {
        out.one(s.evidence.deleted);
    }),
    gauge("picket_evidence_bytes", "Bytes of the files of packets that are there.", |s, out| {
        out.one(s.evidence.folder_bytes);
    }),
    counter("picket_flow_records_total", "Records of finished flows made.", |s, out| out.one(s.flow_log.records)),
    counter("picket_flow_records_dropped_total", "Records of finished flows lost.", |s, out| {
        out.one(s.flow_log.dropped);
    }),
    counter("picket_flow_notes_left_out_total", "Notes of flows that found no room in their record.", |s, out| {
        out.one(s.flow_log.notes_left_out);
    }),
];

/// A sample for each output.
fn by_output(snapshot: &Snapshot, out: &mut Samples<'_>, of: fn(&Output) -> u64) {
    snapshot.outputs.iter().for_each(|output| out.with(&[("output", &output.name)], of(output)));
}
