//! The flow log: JSON Lines in the Elastic Common Schema, one document a flow that has ended, keys sorted.
//!
//! It shows traffic and no indicator, so it has no readers to tell apart; who may read the customer's traffic may read it.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::ecs::{DESTINATION, SOURCE, endpoint, network, observer};
use super::nested::Nested;
use super::record::{Record, digest};
use crate::alert::{FlowNotes, FlowRecord, Topic};
use crate::flow::Lifecycle;
use crate::packet::protocol;

/// See the module.
pub struct FlowSink {
    writer: Box<dyn Write + Send>,
    line: Vec<u8>,
}

impl FlowSink {
    /// Into a writer.
    pub fn new(writer: Box<dyn Write + Send>) -> Self {
        Self { writer, line: Vec::new() }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// What the writer below says.
    pub fn write(&mut self, record: &FlowRecord) -> io::Result<()> {
        self.line.clear();
        flow_line(record, &mut self.line)?;
        self.writer.write_all(&self.line)
    }

    /// Writes everything still buffered.
    ///
    /// # Errors
    /// What the writer below says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A record for an output of JSON Lines.
///
/// # Errors
/// None, as it is in memory.
pub fn record(flow: &FlowRecord) -> io::Result<Record> {
    let mut bytes = Vec::new();
    flow_line(flow, &mut bytes)?;
    bytes.pop();
    Ok(Record { id: digest([bytes.as_slice()]), time: flow.last, severity: 0, bytes })
}

/// Adds a record's line to what a destination takes.
///
/// # Errors
/// None, as it is in memory.
pub fn flow_line(record: &FlowRecord, line: &mut Vec<u8>) -> io::Result<()> {
    let mut root = Nested::default();
    observer(&mut root);
    ends(&mut root, record);
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    for (path, value) in [
        ("event.kind", json!("event")),
        ("event.category", json!(["network"])),
        ("event.type", json!(["connection", "end"])),
        ("@timestamp", json!(record.last.to_string())),
        ("event.start", json!(record.first.time.to_string())),
        ("event.end", json!(record.last.to_string())),
        ("event.duration", json!(record.last.since(record.first.time).as_nanos() as u64)),
        ("picket.flow.ended", json!(record.ending.word())),
        ("picket.visibility", json!(record.visibility)),
    ] {
        set(path, value);
    }
    if record.flow.protocol_number == protocol::TCP {
        set("picket.flow.state", json!(state(record.lifecycle)));
    }
    if let Some(notes) = &record.notes {
        shown(&mut set, notes);
    }
    serde_json::to_writer(&mut *line, &root)?;
    line.push(b'\n');
    Ok(())
}

fn ends(root: &mut Nested, record: &FlowRecord) {
    let mut set = |path: &'static str, value: Value| root.set(path, value);
    let flow = &record.flow;
    match flow.hardware() {
        Some([source, destination]) => {
            set("source.mac", json!(source));
            set("destination.mac", json!(destination));
        }
        None => {
            let has_ports = matches!(flow.protocol_number, protocol::TCP | protocol::UDP | protocol::SCTP);
            endpoint(&mut set, SOURCE, flow.originator, has_ports);
            endpoint(&mut set, DESTINATION, flow.responder, has_ports);
        }
    }
    network(&mut set, flow, record.community_id());
    let ([sent, received], [sent_bytes, received_bytes]) = (record.packets, record.bytes);
    set("source.packets", json!(sent));
    set("source.bytes", json!(sent_bytes));
    set("destination.packets", json!(received));
    set("destination.bytes", json!(received_bytes));
    set("network.packets", json!(sent + received));
    set("network.bytes", json!(sent_bytes + received_bytes));
    if flow.tunnel != 0 {
        set("picket.tunnel", json!(flow.tunnel));
    }
}

fn shown(set: &mut impl FnMut(&'static str, Value), notes: &FlowNotes) {
    for topic in Topic::ALL {
        let texts = notes.of(topic);
        if !texts.is_empty() {
            set(path(topic), json!(texts));
        }
    }
    if notes.left_out > 0 {
        set("picket.flow.notes_left_out", json!(notes.left_out));
    }
}

fn path(topic: Topic) -> &'static str {
    match topic {
        Topic::Question => "dns.question.name",
        Topic::Answer => "dns.answers.name",
        Topic::Address => "dns.resolved_ip",
        Topic::ServerName => "tls.client.server_name",
        Topic::Ja4 => "tls.client.ja4",
        Topic::UrlHost => "url.domain",
    }
}

fn state(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::HalfOpen => "half_open",
        Lifecycle::Established => "established",
        Lifecycle::Closing => "closing",
        Lifecycle::Closed => "closed",
    }
}
