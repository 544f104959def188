//! [`Counters`]: what one worker saw and, above all, what it could not look into.

use serde::Serialize;

use super::flowlog::FlowLogCounters;
use super::visibility::Visibility;
use crate::alert::SuppressCounters;
use crate::flow::{DefragCounters, StreamCounters};
use crate::indicator::IndicatorIx;
use crate::metrics::Tally;
use crate::packet::{DecodeError, ErrorKind, Layer};
use crate::proto::Unread;

/// One worker's numbers; the sum of all is the run's.
#[derive(Debug, Default, Clone)]
pub struct Counters {
    /// Frames.
    pub frames: u64,
    /// Bytes captured.
    pub captured_bytes: u64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Every packet and flow, by what became of it.
    pub visibility: Visibility,
    /// Flows started.
    pub flows: u64,
    /// Flows that had to go because the table was full.
    pub evicted_flows: u64,
    /// Connections that nobody had answered yet and that had to go because the table was crowded.
    pub half_open_dropped_flows: u64,
    /// Flows that timed out.
    pub expired_flows: u64,
    /// Packets whose end the snap length cut.
    pub cut_packets: u64,
    /// Frames whose decode stopped, by header and reason.
    pub stopped: Tally<(Layer, ErrorKind)>,
    /// Bytes or messages that no parser could read, by reason.
    pub unread: Tally<Unread>,
    /// Reassembly.
    pub streams: StreamCounters,
    /// Pieces of datagrams. The run's, not a worker's.
    pub fragments: DefragCounters,
    /// Segments that found no memory to wait in.
    pub no_memory: u64,
    /// Payload bytes that the byte-signature scan gave up on.
    pub unscanned_bytes: u64,
    /// Long byte signatures that had begun and were not followed because too many were.
    pub begun_refused: u64,
    /// Payload bytes that were not scanned for byte signatures because there was too much traffic.
    pub shed_scan_bytes: u64,
    /// Hits that the allow-list suppressed, by indicator.
    pub suppressed: Tally<IndicatorIx>,
    /// Hits beyond the cap of one flow.
    pub over_flow_cap: u64,
    /// Alerts that were held back and summed up.
    pub held_back: SuppressCounters,
    /// The flow log.
    pub flow_log: FlowLogCounters,
    /// Names of files to come over other connections that were forgotten soon, for want of room.
    pub names_given_way: u64,
    /// Alerts that went out before all packets after them were kept, for want of room.
    pub evidence_cut_short: u64,
}

/// One line of "what was not inspected".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uninspected {
    /// A stable word: `ethertype.0x88cc`, `snap_length`, `flow_evicted` ...
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Of what.
    pub unit: &'static str,
}

impl Counters {
    /// Adds another worker's.
    pub fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.captured_bytes += other.captured_bytes;
        self.wire_bytes += other.wire_bytes;
        self.visibility.merge(&other.visibility);
        self.flows += other.flows;
        self.evicted_flows += other.evicted_flows;
        self.half_open_dropped_flows += other.half_open_dropped_flows;
        self.expired_flows += other.expired_flows;
        self.cut_packets += other.cut_packets;
        self.stopped.merge(&other.stopped);
        self.unread.merge(&other.unread);
        self.fragments.merge(&other.fragments);
        self.streams.merge(&other.streams);
        self.no_memory += other.no_memory;
        self.unscanned_bytes += other.unscanned_bytes;
        self.begun_refused += other.begun_refused;
        self.shed_scan_bytes += other.shed_scan_bytes;
        self.suppressed.merge(&other.suppressed);
        self.over_flow_cap += other.over_flow_cap;
        self.held_back.merge(&other.held_back);
        self.flow_log.merge(&other.flow_log);
        self.names_given_way += other.names_given_way;
        self.evidence_cut_short += other.evidence_cut_short;
    }

    /// Everything that was not looked into, most first.
    pub fn uninspected(&self) -> Vec<Uninspected> {
        let stopped = self.stopped.iter().map(|(&(layer, kind), count)| Uninspected {
            reason: DecodeError { layer, kind, offset: 0 }.to_string(),
            count,
            unit: "frames",
        });
        let all_of = |wanted| self.unread.iter().find(|(unread, _)| **unread == wanted).map_or(0, |(_, count)| count);
        let is_counterpart = |unread: &Unread| matches!(unread, Unread::RecognisedLater | Unread::FileEnded);
        let unread =
            self.unread.iter().filter(|(unread, _)| !is_counterpart(unread)).map(|(unread, count)| Uninspected {
                reason: unread.code().replace(' ', "_"),
                count: match unread {
                    Unread::NotRecognised => count.saturating_sub(all_of(Unread::RecognisedLater)),
                    Unread::FileBegun => count.saturating_sub(all_of(Unread::FileEnded)),
                    _ => count,
                },
                unit: unread.unit(),
            });
        let rest = [
            ("snap_length", self.cut_packets, "packets"),
            ("stream_gap", self.streams.gaps, "gaps"),
            ("stream_gap_bytes", self.streams.gap_bytes, "bytes"),
            ("ip.fragment_incomplete", self.fragments.incomplete, "fragments"),
            ("ip.fragment_evicted", self.fragments.evicted, "fragments"),
            ("ip.fragment_overlapping", self.fragments.overlapping, "fragments"),
            ("ip.fragment_tiny", self.fragments.tiny, "fragments"),
            ("ip.fragment_oversized", self.fragments.oversized, "fragments"),
            ("ip.fragment_bad", self.fragments.bad, "fragments"),
            ("ip.fragment_too_deep", self.fragments.too_deep, "datagrams"),
            ("segment_out_of_window", self.streams.out_of_window, "segments"),
            ("tcp_urgent_data", self.streams.urgent_bytes, "bytes"),
            ("flow_evicted", self.evicted_flows, "flows"),
            ("flow_half_open_dropped", self.half_open_dropped_flows, "flows"),
            ("stream_memory_full", self.no_memory, "segments"),
            ("pattern_scan_budget", self.unscanned_bytes, "bytes"),
            ("pattern_followers_cap", self.begun_refused, "signatures"),
            ("overload_not_scanned", self.shed_scan_bytes, "bytes"),
            ("alerts_per_flow_cap", self.over_flow_cap, "hits"),
            ("flow_log_notes_cap", self.flow_log.notes_left_out, "names"),
            ("flow_log_dropped", self.flow_log.dropped, "records"),
            ("file_names_cap", self.names_given_way, "names"),
            ("evidence_cut_short", self.evidence_cut_short, "alerts"),
        ];
        let rest = rest.into_iter().map(|(reason, count, unit)| Uninspected { reason: reason.into(), count, unit });
        let mut all: Vec<Uninspected> = stopped.chain(unread).chain(rest).filter(|line| line.count > 0).collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        all
    }
}
