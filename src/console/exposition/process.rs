//! The process and its workers. What every exporter says of its process has the names that they all give it.

use super::{Metric, Samples, counter, gauge};
use crate::console::snapshot::{Snapshot, Worker};

pub(super) static METRICS: &[Metric] = &[
    gauge("picket_build_info", "Always 1; its label is the version.", |s, out| {
        out.with(&[("version", &s.sensor.version)], true);
    }),
    gauge("picket_uptime_seconds", "Time since start.", |s, out| out.one(s.sensor.uptime_seconds)),
    gauge("picket_worker_running", "Whether a worker runs.", |s, out| by_worker(s, out, |w| u64::from(w.is_running))),
    counter("picket_worker_packets_total", "Frames received by a worker.", |s, out| by_worker(s, out, |w| w.packets)),
    counter("picket_worker_panics_total", "Panics of a worker, after each of which it was started again.", |s, out| {
        by_worker(s, out, |w| w.panics);
    }),
    counter("picket_worker_lost_packets_total", "Frames of the batches in which a worker failed.", |s, out| {
        by_worker(s, out, |w| w.frames_lost);
    }),
    gauge(
        "picket_worker_behind_seconds",
        "How far a worker was behind its packets, at worst, in the last second.",
        |s, out| {
            s.workers.iter().for_each(|w| out.with(&[("worker", &w.number.to_string())], w.behind_seconds));
        },
    ),
    gauge("picket_memory_limit_bytes", "The most memory that the configuration allows.", |s, out| {
        if let Some(bytes) = s.process.memory_limit_bytes {
            out.one(bytes);
        }
    }),
    gauge("process_resident_memory_bytes", "Memory in use.", |s, out| out.one(s.process.resident_bytes)),
    counter("process_cpu_seconds_total", "CPU time of all threads.", |s, out| out.one(s.process.cpu_seconds)),
    gauge("process_open_fds", "Files and sockets open.", |s, out| {
        if let Some(count) = s.process.open_fds {
            out.one(count);
        }
    }),
    gauge("process_max_fds", "The most files and sockets that may be open.", |s, out| {
        if let Some(count) = s.process.max_fds {
            out.one(count);
        }
    }),
    gauge("process_start_time_seconds", "When the process started, in Unix time.", |s, out| {
        out.one(s.process.start_time_seconds);
    }),
];

/// A sample for each worker.
fn by_worker(snapshot: &Snapshot, out: &mut Samples<'_>, of: fn(&Worker) -> u64) {
    for worker in &snapshot.workers {
        out.with(&[("worker", &worker.number.to_string())], of(worker));
    }
}
