//! How what the floors below count becomes part of a [`Snapshot`].

mod live;
mod outputs;

use super::snapshot::{
    Count, Evidence, FlowLog, Indicators, KindCount, NetworkCount, Reason, Snapshot, Streams, Suppressed, Traffic,
    VerdictCount,
};
use crate::feed::LoadReport;
use crate::pipeline::{self, Counters, EvidenceCounters, Visibility};
use crate::proto::Unread;

impl Snapshot {
    /// Fills in what the workers counted; `counters` is their sum.
    #[must_use]
    pub fn with_counters(mut self, counters: &Counters) -> Self {
        self.traffic = Traffic::from(counters);
        self.uninspected = counters.uninspected().into_iter().map(Reason::from).collect();
        (self.visibility, self.networks) = seen(&counters.visibility);
        let allowed = counters.suppressed.total();
        if allowed > 0 {
            self.alerts.suppressed.push(Suppressed { by: "allow-list".to_owned(), count: allowed });
        }
        let held = &counters.held_back;
        for (by, count) in [("window", held.by_window), ("rate", held.by_rate)].into_iter().filter(|(_, n)| *n > 0) {
            self.alerts.suppressed.push(Suppressed { by: by.to_owned(), count });
        }
        self.alerts.roll_ups = held.roll_ups;
        let log = &counters.flow_log;
        self.flow_log = FlowLog { records: log.records, dropped: log.dropped, notes_left_out: log.notes_left_out };
        self
    }
}

impl From<&EvidenceCounters> for Evidence {
    fn from(counters: &EvidenceCounters) -> Self {
        let EvidenceCounters { filed, failed, deleted, folder_bytes } = *counters;
        Self { files: filed, failed, deleted, folder_bytes }
    }
}

impl From<&Counters> for Traffic {
    fn from(counters: &Counters) -> Self {
        let streams = &counters.streams;
        Self {
            packets: counters.frames,
            captured_bytes: counters.captured_bytes,
            wire_bytes: counters.wire_bytes,
            cut_packets: counters.cut_packets,
            flows: counters.flows,
            expired_flows: counters.expired_flows,
            live_flows: 0,
            held_bytes: 0,
            evicted_flows: counters.evicted_flows,
            half_open_dropped_flows: counters.half_open_dropped_flows,
            streams: Streams {
                out_of_order: streams.out_of_order,
                retransmitted: streams.retransmitted,
                overlapping: streams.overlapping,
                gaps: streams.gaps,
                gap_bytes: streams.gap_bytes,
            },
            fragments: counters.fragments.pieces,
            reassembled_datagrams: counters.fragments.datagrams,
        }
    }
}

impl From<pipeline::Uninspected> for Reason {
    fn from(line: pipeline::Uninspected) -> Self {
        // Each is what began less what has ended since.
        let may_fall = [Unread::NotRecognised, Unread::FileBegun].iter().any(|unread| unread.code() == line.reason);
        Self { reason: line.reason, unit: line.unit.to_owned(), count: line.count, may_fall }
    }
}

impl From<&pipeline::Line> for VerdictCount {
    fn from(line: &pipeline::Line) -> Self {
        let pipeline::Count { packets, bytes, flows } = line.count;
        Self { verdict: line.verdict.to_owned(), count: Count { packets, bytes, flows } }
    }
}

impl From<&LoadReport> for Indicators {
    fn from(report: &LoadReport) -> Self {
        let by_kind: Vec<KindCount> =
            report.kinds.iter().map(|kind| KindCount { kind: kind.kind.to_owned(), count: kind.indicators }).collect();
        Self { total: by_kind.iter().map(|kind| kind.count).sum(), by_kind }
    }
}

/// By verdict in all, and by network.
fn seen(visibility: &Visibility) -> (Vec<VerdictCount>, Vec<NetworkCount>) {
    let report = visibility.report();
    let counts = |lines: &[pipeline::Line]| lines.iter().map(VerdictCount::from).collect();
    let networks = report.networks.iter().map(|network| NetworkCount {
        vlans: network.vlans.clone(),
        tunnel: network.tunnel,
        is_rest: network.is_rest,
        verdicts: counts(&network.verdicts),
    });
    (counts(&report.verdicts), networks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_fall_is_told_from_what_only_rises() {
        let mut counters = Counters::default();
        counters.unread.add(Unread::FileBegun, 5);
        counters.unread.add(Unread::FileEnded, 2);
        counters.unread.add(Unread::PassedOver, 7);
        counters.frames = 9;
        let snapshot = Snapshot::default().with_counters(&counters);
        let of = |reason: &str| snapshot.uninspected.iter().find(|line| line.reason == reason).expect("counted");
        assert_eq!((of("file_incomplete").count, of("file_incomplete").may_fall), (3, true));
        assert_eq!((of("passed_over").count, of("passed_over").may_fall), (7, false));
        assert_eq!(snapshot.traffic.packets, 9);
        assert_eq!(snapshot.visibility[0].verdict, "inspected");
    }
}
