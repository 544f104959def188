//! Packets: seen, inspected or why not, lost.

use std::collections::BTreeMap;

use super::{MAX_NETWORKS, MAX_REASONS, Metric, OTHER, Samples, counter, gauge};
use crate::console::snapshot::{Count, Loss, NetworkCount, Snapshot};

pub(super) static METRICS: &[Metric] = &[
    counter("picket_packets_total", "Frames received by the workers.", |s, out| out.one(s.traffic.packets)),
    counter("picket_captured_bytes_total", "Bytes of frames that were captured.", |s, out| {
        out.one(s.traffic.captured_bytes);
    }),
    counter("picket_wire_bytes_total", "Bytes that these frames had on the wire.", |s, out| {
        out.one(s.traffic.wire_bytes);
    }),
    counter("picket_cut_packets_total", "Packets whose end the snap length cut.", |s, out| {
        out.one(s.traffic.cut_packets);
    }),
    counter("picket_verdict_packets_total", "Packets by what became of them: inspected, or why not.", |s, out| {
        s.visibility.iter().for_each(|line| out.with(&[("verdict", &line.verdict)], line.count.packets));
    }),
    counter("picket_verdict_bytes_total", "Bytes on the wire of packets by what became of them.", |s, out| {
        s.visibility.iter().for_each(|line| out.with(&[("verdict", &line.verdict)], line.count.bytes));
    }),
    counter("picket_verdict_flows_total", "Flows by the greatest verdict of their packets.", |s, out| {
        s.visibility.iter().for_each(|line| out.with(&[("verdict", &line.verdict)], line.count.flows));
    }),
    counter("picket_network_packets_total", "Packets by VLAN, tunnel and what became of them.", |s, out| {
        by_network(s, out, |count| count.packets);
    }),
    counter("picket_network_bytes_total", "Bytes on the wire by VLAN, tunnel and what became of them.", |s, out| {
        by_network(s, out, |count| count.bytes);
    }),
    counter(
        "picket_uninspected_total",
        "What was not looked into, by reason, in the unit that the label names.",
        |s, out| {
            by_reason(s, out, false);
        },
    ),
    gauge(
        "picket_uninspected_open",
        "What is not looked into as things stand: later packets may yet end or explain it.",
        |s, out| by_reason(s, out, true),
    ),
    counter("picket_flows_total", "Flows started.", |s, out| out.one(s.traffic.flows)),
    gauge("picket_live_flows", "Flows in the tables.", |s, out| out.one(s.traffic.live_flows)),
    gauge("picket_held_bytes", "Bytes held back until messages and streams are complete.", |s, out| {
        out.one(s.traffic.held_bytes);
    }),
    counter("picket_flows_expired_total", "Flows that timed out.", |s, out| out.one(s.traffic.expired_flows)),
    counter("picket_flows_evicted_total", "Flows that gave way because the table was full.", |s, out| {
        out.one(s.traffic.evicted_flows);
    }),
    counter(
        "picket_flows_half_open_dropped_total",
        "Connections that nobody had answered yet and that gave way because more than a quarter of the table was in use.",
        |s, out| out.one(s.traffic.half_open_dropped_flows),
    ),
    counter("picket_stream_segments_total", "TCP segments that did not simply follow.", |s, out| {
        out.with(&[("event", "out_of_order")], s.traffic.streams.out_of_order);
        out.with(&[("event", "retransmitted")], s.traffic.streams.retransmitted);
        out.with(&[("event", "overlapping")], s.traffic.streams.overlapping);
    }),
    counter("picket_stream_gaps_total", "Holes in TCP streams that were given up.", |s, out| {
        out.one(s.traffic.streams.gaps);
    }),
    counter("picket_stream_gap_bytes_total", "Bytes in these holes.", |s, out| out.one(s.traffic.streams.gap_bytes)),
    counter("picket_fragments_total", "Pieces of datagrams.", |s, out| out.one(s.traffic.fragments)),
    counter("picket_reassembled_datagrams_total", "Datagrams put together of pieces.", |s, out| {
        out.one(s.traffic.reassembled_datagrams);
    }),
    counter("picket_capture_packets_total", "Frames that the kernel handed to a worker.", |s, out| {
        by_loss(s, out, |loss| loss.received);
    }),
    counter(
        "picket_capture_dropped_packets_total",
        "Frames that the kernel dropped for want of room in the ring.",
        |s, out| {
            by_loss(s, out, |loss| loss.kernel_dropped);
        },
    ),
    counter("picket_capture_ring_freezes_total", "Times that a capture ring was full.", |s, out| {
        by_loss(s, out, |loss| loss.ring_freezes);
    }),
    counter("picket_interface_dropped_packets_total", "Frames that the interface itself dropped.", |s, out| {
        by_loss(s, out, |loss| loss.interface_dropped);
    }),
    gauge("picket_interface_up", "Whether the interface is up.", |s, out| {
        s.interfaces.iter().for_each(|interface| out.with(&[("interface", &interface.name)], interface.is_up));
    }),
    counter("picket_interface_down_total", "Times that the interface went down.", |s, out| {
        s.interfaces.iter().for_each(|interface| out.with(&[("interface", &interface.name)], interface.went_down));
    }),
    counter("picket_visibility_gaps_total", "Spans of time in which packets were lost that began.", |s, out| {
        out.one(s.gaps.began);
    }),
    gauge("picket_visibility_gaps_open", "Spans of time in which packets are lost that last now.", |s, out| {
        out.one(s.gaps.open);
    }),
    counter("picket_shed_total", "What was left undone under overload, by step, in the step's own unit.", |s, out| {
        s.shed.iter().for_each(|shed| out.with(&[("step", &shed.step)], shed.count));
    }),
    gauge("picket_shed_active", "Whether a step of overload is taken now.", |s, out| {
        s.shed.iter().for_each(|shed| out.with(&[("step", &shed.step)], shed.is_active));
    }),
];

/// A sample for each worker and interface.
fn by_loss(snapshot: &Snapshot, out: &mut Samples<'_>, of: fn(&Loss) -> u64) {
    for loss in &snapshot.losses {
        let worker = loss.worker.map_or_else(|| "all".to_owned(), |number| number.to_string());
        let interface = loss.interface.as_deref().unwrap_or("all");
        out.with(&[("worker", &worker), ("interface", interface)], of(loss));
    }
}

/// A sample for each reason that only rises, or may fall; those over the cap together, by unit.
fn by_reason(snapshot: &Snapshot, out: &mut Samples<'_>, may_fall: bool) {
    let mut others: BTreeMap<&str, u64> = BTreeMap::new();
    for line in snapshot.uninspected.iter().filter(|line| line.may_fall == may_fall) {
        if out.memory.reasons.is_told_apart(&line.reason, MAX_REASONS) {
            out.with(&[("reason", &line.reason), ("unit", &line.unit)], line.count);
        } else {
            *others.entry(&line.unit).or_default() += line.count;
        }
    }
    for (unit, count) in others {
        out.with(&[("reason", OTHER), ("unit", unit)], count);
    }
}

/// A sample for each network and verdict; networks over the cap together.
fn by_network(snapshot: &Snapshot, out: &mut Samples<'_>, of: fn(&Count) -> u64) {
    let mut others: BTreeMap<&str, u64> = BTreeMap::new();
    for network in &snapshot.networks {
        let vlan = vlan(network);
        let tunnel = if network.tunnel == 0 { "none".to_owned() } else { network.tunnel.to_string() };
        let is_told_apart =
            !network.is_rest && out.memory.networks.is_told_apart(&format!("{vlan} {tunnel}"), MAX_NETWORKS);
        for line in &network.verdicts {
            if is_told_apart {
                out.with(&[("vlan", &vlan), ("tunnel", &tunnel), ("verdict", &line.verdict)], of(&line.count));
            } else {
                *others.entry(&line.verdict).or_default() += of(&line.count);
            }
        }
    }
    for (verdict, count) in others {
        out.with(&[("vlan", OTHER), ("tunnel", OTHER), ("verdict", verdict)], count);
    }
}

/// `5`, `5.6` for one within another, `none`.
fn vlan(network: &NetworkCount) -> String {
    let ids: Vec<String> = network.vlans.iter().map(u16::to_string).collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(".") }
}
