//! Comma-separated values (RFC 4180), one row an alert, for a spreadsheet.

use std::io::{self, Write};
use std::net::IpAddr;

use super::ecs::{how, severity, transport};
use super::{Format, Sink};
use crate::alert::Alert;

/// `--format csv`.
pub static FORMAT: Format = Format { name: "csv", open };

const HEADER: [&str; 18] = [
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
];

struct Csv(csv::Writer<Box<dyn Write + Send>>);

fn open(writer: Box<dyn Write + Send>) -> Box<dyn Sink> {
    let mut writer = csv::Writer::from_writer(writer);
    // A writer that cannot take the header cannot take the first row either, and says so then.
    let _ = writer.write_record(HEADER);
    Box::new(Csv(writer))
}

impl Sink for Csv {
    fn write(&mut self, alert: &Alert) -> io::Result<()> {
        let flow = &alert.flow;
        let feeds: Vec<String> = alert
            .set()
            .indicators()
            .sources(alert.indicator_ix())
            .map(|(context, line)| format!("{}:{line}", context.feed))
            .collect();
        let port = |number: u16| if alert.has_ports() { number.to_string() } else { String::new() };
        let [source_mac, destination_mac] = flow.hardware().unwrap_or_default();
        let ip = |ip: IpAddr| if source_mac.is_empty() { ip.to_string() } else { String::new() };
        self.0.write_record([
            &alert.frame.time.to_string(),
            &harmless(&alert.capture.to_string_lossy()),
            &alert.frame.number.to_string(),
            &ip(flow.originator.0),
            &port(flow.originator.1),
            &ip(flow.responder.0),
            &port(flow.responder.1),
            transport(flow.protocol_number).unwrap_or_default(),
            flow.protocol.unwrap_or_default(),
            &alert.community_id().unwrap_or_default(),
            alert.field.0,
            &harmless(&alert.atomic),
            &harmless(&alert.indicator().id()),
            how(alert.how),
            &severity(alert).to_string(),
            &harmless(&feeds.join(" ")),
            &source_mac,
            &destination_mac,
        ])?;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A spreadsheet runs what starts like a formula: such a cell gets an apostrophe in front.
fn harmless(cell: &str) -> String {
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
