//! [`Snapshot`]: the numbers of a running sensor at one moment. Plain data: whoever has live numbers fills it in, the exposition, the control
//! socket and the table of `picket status` are made of nothing else.
//!
//! Texts in it are words of the code, names that the operator gave in the configuration, and interface names. No value of an indicator, no
//! path of a feed and nothing that came with traffic belongs here. Counts are cumulative since start unless their name says otherwise.

use serde::{Deserialize, Serialize};

/// Declares plain records that are written and read as JSON; what an older or newer sensor does not say is as by default.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* })*
    };
}

records! {
    /// See the module.
    Snapshot {
        /// The sensor.
        sensor: SensorFacts,
        /// Its process.
        process: Process,
        /// All workers together.
        traffic: Traffic,
        /// Packets, bytes and flows under every verdict.
        visibility: Vec<VerdictCount>,
        /// The same for each VLAN and tunnel that is told apart.
        networks: Vec<NetworkCount>,
        /// What was not inspected, by reason.
        uninspected: Vec<Reason>,
        /// The workers.
        workers: Vec<Worker>,
        /// The interfaces.
        interfaces: Vec<Interface>,
        /// What capture received and lost.
        losses: Vec<Loss>,
        /// Spans of time with loss.
        gaps: Gaps,
        /// What is left undone under overload, by step.
        shed: Vec<Shed>,
        /// Alerts.
        alerts: Alerts,
        /// Where they go.
        outputs: Vec<Output>,
        /// Reading feeds again.
        reload: Reload,
        /// The feeds.
        feeds: Vec<Feed>,
        /// What is matched against.
        indicators: Indicators,
        /// Packets kept for alerts.
        evidence: Evidence,
        /// Records of finished flows.
        flow_log: FlowLog,
    }

    /// The sensor.
    SensorFacts {
        /// Its version.
        version: String,
        /// Seconds since it started.
        uptime_seconds: f64,
        /// Whether it is on its way down.
        is_stopping: bool,
    }

    /// The process. See [`crate::console::process::Meter`].
    Process {
        /// Its number.
        id: u32,
        /// Memory in use.
        resident_bytes: u64,
        /// The most that the configuration allows, if it does.
        memory_limit_bytes: Option<u64>,
        /// CPU time of all threads.
        cpu_seconds: f64,
        /// Files and sockets open.
        open_fds: Option<u64>,
        /// The most that may be.
        max_fds: Option<u64>,
        /// When it started, in Unix time.
        start_time_seconds: f64,
    }

    /// What all workers saw.
    Traffic {
        /// Frames.
        packets: u64,
        /// Bytes captured.
        captured_bytes: u64,
        /// Bytes on the wire.
        wire_bytes: u64,
        /// Packets whose end the snap length cut.
        cut_packets: u64,
        /// Flows started.
        flows: u64,
        /// Flows in the table now.
        live_flows: u64,
        /// Bytes that flows hold back now, until messages and streams are complete.
        held_bytes: u64,
        /// Flows that timed out.
        expired_flows: u64,
        /// Flows that gave way because the table was full.
        evicted_flows: u64,
        /// Connections that nobody had answered yet and that gave way because the table was crowded.
        half_open_dropped_flows: u64,
        /// TCP reassembly.
        streams: Streams,
        /// Pieces of datagrams.
        fragments: u64,
        /// Datagrams put together of them.
        reassembled_datagrams: u64,
    }

    /// TCP reassembly.
    Streams {
        /// Segments that arrived behind a hole.
        out_of_order: u64,
        /// Segments seen before.
        retransmitted: u64,
        /// Segments that overlap bytes seen before in part.
        overlapping: u64,
        /// Holes given up.
        gaps: u64,
        /// Bytes in them.
        gap_bytes: u64,
    }

    /// Packets, their bytes and flows.
    Count {
        /// Packets.
        packets: u64,
        /// Their bytes on the wire.
        bytes: u64,
        /// Flows.
        flows: u64,
    }

    /// What is counted under a verdict.
    VerdictCount {
        /// [`crate::pipeline::Verdict::code`].
        verdict: String,
        /// How much.
        #[serde(flatten)]
        count: Count,
    }

    /// One VLAN or tunnel.
    NetworkCount {
        /// The two outermost ids; none for untagged traffic.
        vlans: Vec<u16>,
        /// Number of the tunnel; 0 outside any.
        tunnel: u32,
        /// What is in none of those that are told apart.
        is_rest: bool,
        /// By verdict; those that occur.
        verdicts: Vec<VerdictCount>,
    }

    /// Something that was not inspected.
    Reason {
        /// A stable word: `ethertype.0x88cc`, `snap_length`, `flow_evicted` ...
        reason: String,
        /// Of what.
        unit: String,
        /// How many.
        count: u64,
        /// Whether later packets may take back what is counted.
        may_fall: bool,
    }

    /// One worker.
    Worker {
        /// Its number, from 0.
        number: u32,
        /// Whether it runs: it has not ended and does not hang.
        is_running: bool,
        /// Frames that it received.
        packets: u64,
        /// Its panics, after each of which it was started again.
        panics: u64,
        /// Frames of the batches in which it did.
        frames_lost: u64,
        /// Seconds that it was behind its packets, at worst, in the last one.
        behind_seconds: f64,
    }

    /// One interface.
    Interface {
        /// Its name.
        name: String,
        /// Whether it is up.
        is_up: bool,
        /// Times that it went down.
        went_down: u64,
    }

    /// What capture received and lost.
    Loss {
        /// Of which worker, if each has its own.
        worker: Option<u32>,
        /// On which interface, if told apart.
        interface: Option<String>,
        /// Frames that the worker was given.
        received: u64,
        /// Frames that it dropped for want of room in the ring.
        kernel_dropped: u64,
        /// Times that the ring was full.
        ring_freezes: u64,
        /// Frames that the interface dropped.
        interface_dropped: u64,
    }

    /// Spans of time with loss.
    Gaps {
        /// That began.
        began: u64,
        /// That last now.
        open: u64,
    }

    /// One step of what is left undone under overload.
    Shed {
        /// A stable word.
        step: String,
        /// Whether it is taken now.
        is_active: bool,
        /// What was left undone: of the first step bytes not scanned, of the second stream directions not parsed on.
        count: u64,
    }

    /// Alerts.
    Alerts {
        /// Raised by the workers.
        raised: u64,
        /// Handed on to outputs.
        sent: u64,
        /// Lost before any output had them, because the channel was full.
        dropped: u64,
        /// Summed up or silenced, by what.
        suppressed: Vec<Suppressed>,
        /// Summaries of what was suppressed that were sent.
        roll_ups: u64,
        /// What the sensor said of itself among the alerts, by what it said.
        notices: Vec<Notices>,
        /// What it wanted to say and found no room for.
        notices_dropped: u64,
        /// That wait between workers and outputs now.
        waiting: u64,
        /// The most that may wait.
        capacity: u64,
    }

    /// Something that the sensor says of itself.
    Notices {
        /// A stable word: `feed-refused`, `visibility-gap-began` ...
        action: String,
        /// How often it did.
        count: u64,
    }

    /// Alerts that were not sent one by one.
    Suppressed {
        /// A stable word: `allow-list`, `window`, `rate`.
        by: String,
        /// How many.
        count: u64,
    }

    /// One output.
    Output {
        /// Its name in the configuration.
        name: String,
        /// `file`, `syslog`, `webhook` ...
        kind: String,
        /// Whether the last attempt went well.
        is_up: bool,
        /// Records given to it.
        accepted: u64,
        /// Records that its filter or its readers' clearance left out.
        filtered: u64,
        /// Records that the other end has.
        delivered: u64,
        /// Attempts after the first.
        retried: u64,
        /// Records lost.
        dropped: u64,
        /// Records that the other end refuses for good.
        dead_lettered: u64,
        /// Of those, records that are in no dead-letter file.
        dead_letters_lost: u64,
        /// Records that waited in memory because the disk took nothing.
        spilled: u64,
        /// Bytes of the queue that were no record when it was read: the end of what a crash cut off, or damage.
        damaged_bytes: u64,
        /// Records that wait now.
        queued: u64,
        /// Their bytes.
        queued_bytes: u64,
        /// The most that these may be.
        queue_limit_bytes: u64,
        /// Seconds that the oldest of them has waited.
        queue_age_seconds: Option<f64>,
        /// What was last wrong, without values; it stays when it is over.
        last_error: Option<String>,
        /// Seconds since then.
        last_error_age_seconds: Option<f64>,
    }

    /// Reading feeds again.
    Reload {
        /// Times that the new set was taken.
        accepted: u64,
        /// Times that the old one stayed.
        refused: u64,
        /// Seconds that the last one took.
        last_seconds: Option<f64>,
        /// Seconds since the last that was accepted, the first load among them.
        last_accepted_age_seconds: Option<f64>,
        /// Whether the last one was refused.
        is_last_refused: bool,
    }

    /// One feed.
    Feed {
        /// Its name in the configuration; its number there (from 1) if it has none. Never its path.
        name: String,
        /// Seconds since its data were last renewed.
        age_seconds: f64,
        /// Whether that is more than the configuration allows.
        is_stale: bool,
        /// Whether it could not be read to its end.
        is_broken: bool,
        /// Entries in use.
        entries: u64,
    }

    /// What is matched against.
    Indicators {
        /// All.
        total: u64,
        /// By kind.
        by_kind: Vec<KindCount>,
    }

    /// Indicators of a kind.
    KindCount {
        /// Its name.
        kind: String,
        /// How many.
        count: u64,
    }

    /// Packets kept for alerts.
    Evidence {
        /// Files written.
        files: u64,
        /// Files that could not be written.
        failed: u64,
        /// Files deleted, the oldest first, to keep within the limit.
        deleted: u64,
        /// Bytes of the files that are there.
        folder_bytes: u64,
    }

    /// Records of finished flows.
    FlowLog {
        /// Records made.
        records: u64,
        /// Records lost.
        dropped: u64,
        /// Notes (names and the like) of flows that found no room in their record.
        notes_left_out: u64,
    }
}

impl Snapshot {
    /// Leaves out what says who knows what, for readers from whom anything is withheld: counts by kind and what each feed holds.
    #[must_use]
    pub fn withheld(mut self) -> Self {
        self.indicators.by_kind.clear();
        for (at, feed) in self.feeds.iter_mut().enumerate() {
            feed.name = (at + 1).to_string();
            feed.entries = 0;
        }
        self
    }
}
