//! Comma-separated values (RFC 4180), one row an alert, for a spreadsheet.

use super::ecs::{how, transport};
use super::{Format, Header};
use crate::alert::{CustomerRecord, Full, Heading, Notice, Release, View, printable};
use crate::time::Timestamp;

/// `--format csv`.
pub static FORMAT: Format = Format {
    name: "csv",
    media_type: "text/csv",
    header: Some(Header { line: || HEADER.join(","), is_always: true }),
    view: write,
    notice,
};

const HEADER: [&str; COLUMNS] = [
    "@timestamp",
    "picket.capture",
    "picket.frame",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
    "network.transport",
    "network.protocol",
    "network.community_id",
    "matched.field",
    "matched.atomic",
    "matched.id",
    "picket.match",
    "event.severity",
    "picket.feed",
    "source.mac",
    "destination.mac",
    "network.direction",
    "picket.reference",
    "picket.flow_reference",
    "picket.action",
    "picket.handling",
    "event.start",
    "event.end",
    "picket.repeats.count",
    "picket.evidence.path",
    "picket.evidence.sha256",
];

/// Those of a full record, those that only a customer record has, those of a roll-up, those of evidence.
const COLUMNS: usize = 28;

fn write(view: &View<'_>, out: &mut Vec<u8>) {
    let mut row: [String; COLUMNS] = Default::default();
    match view {
        View::Full(full) => {
            set_traffic(&mut row, full);
            set_indicator(&mut row, &full.release);
        }
        View::Partial(release, record) => {
            set_customer(&mut row, record);
            set_indicator(&mut row, release);
        }
        View::Customer(record) => set_customer(&mut row, record),
        View::Nothing => return,
    }
    put(&row, out);
}

/// Its time, severity, and what it says where a reader looks for what to do.
fn notice(notice: &Notice, out: &mut Vec<u8>) {
    let mut row: [String; COLUMNS] = Default::default();
    set(&mut row, "@timestamp", notice.time);
    set(&mut row, "event.severity", notice.severity);
    set(&mut row, "picket.action", harmless(&format!("{}: {}", notice.action, notice.message)));
    put(&row, out);
}

/// Appends a row without its line end.
fn put<T: AsRef<[u8]>>(row: &[T], out: &mut Vec<u8>) {
    let start = out.len();
    let mut writer = csv::Writer::from_writer(&mut *out);
    // Memory takes all of it.
    let _ = writer.write_record(row);
    drop(writer);
    if out.len() > start && out.ends_with(b"\n") {
        out.pop();
    }
}

fn set(row: &mut [String; COLUMNS], column: &str, cell: impl ToString) {
    if let Some(at) = HEADER.iter().position(|name| *name == column) {
        row[at] = cell.to_string();
    }
}

fn set_traffic(row: &mut [String; COLUMNS], full: &Full<'_>) {
    let flow = full.flow();
    set(row, "@timestamp", full.frame().time);
    set(row, "picket.capture", harmless(&full.capture().to_string_lossy()));
    set(row, "picket.frame", full.frame().number);
    match flow.hardware() {
        Some([source, destination]) => {
            set(row, "source.mac", source);
            set(row, "destination.mac", destination);
        }
        None => {
            set(row, "source.ip", flow.originator.0);
            set(row, "destination.ip", flow.responder.0);
        }
    }
    if full.has_ports() {
        set(row, "source.port", flow.originator.1);
        set(row, "destination.port", flow.responder.1);
    }
    set(row, "network.transport", transport(flow.protocol_number).unwrap_or_default());
    set(row, "network.protocol", flow.protocol.unwrap_or_default());
    set(row, "network.community_id", full.community_id().unwrap_or_default());
    set(row, "matched.field", full.field().0);
    set(row, "matched.atomic", harmless(full.atomic()));
    if let Some(file) = full.evidence() {
        set(row, "picket.evidence.path", harmless(&file.path.to_string_lossy()));
        set(row, "picket.evidence.sha256", &file.sha256);
    }
    if let Some(repeats) = full.repeats() {
        set_repeats(row, (repeats.count, repeats.first, repeats.last));
    }
}

fn set_repeats(row: &mut [String; COLUMNS], (count, first, last): (u64, Timestamp, Timestamp)) {
    set(row, "event.start", first);
    set(row, "event.end", last);
    set(row, "picket.repeats.count", count);
}

fn set_indicator(row: &mut [String; COLUMNS], release: &Release<'_>) {
    set(row, "matched.id", harmless(&release.indicator.id()));
    set(row, "picket.match", how(release.how));
    set(row, "event.severity", release.severity());
    set(row, "picket.feed", harmless(&release.feeds().join(" ")));
}

fn set_customer(row: &mut [String; COLUMNS], record: &CustomerRecord) {
    set(row, "@timestamp", record.time);
    set(row, "event.severity", record.severity);
    if let Some(host) = record.internal {
        let (ip, port) = match record.direction {
            Heading::Inbound => ("destination.ip", "destination.port"),
            _ => ("source.ip", "source.port"),
        };
        set(row, ip, host.ip);
        set(row, port, host.port.map(|port| port.to_string()).unwrap_or_default());
    }
    set(row, "network.direction", record.direction.word());
    if let Some(references) = &record.references {
        set(row, "picket.reference", &references.indicator);
        set(row, "picket.flow_reference", &references.flow);
    }
    set(row, "picket.action", record.action);
    set(row, "picket.handling", harmless(&record.handling));
    if let Some(repeats) = record.repeats {
        set_repeats(row, (repeats.count, repeats.first, repeats.last));
    }
}

/// A spreadsheet runs what starts like a formula: such a cell gets an apostrophe in front. A row is one line.
fn harmless(cell: &str) -> String {
    let cell = &if cell.contains(char::is_control) { printable(cell.as_bytes()) } else { cell.to_owned() };
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(harmless("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(harmless("a=b"), "a=b");
    }
}
