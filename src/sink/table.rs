//! A table for people: columns of fixed width so that each alert can be shown when it comes.

use std::io::{self, Write};

use super::ecs::transport;
use super::{Format, Sink};
use crate::alert::Alert;

/// `--format table`.
pub static FORMAT: Format = Format { name: "table", open: |writer| Box::new(Table { writer, has_header: false }) };

struct Table {
    writer: Box<dyn Write + Send>,
    has_header: bool,
}

impl Sink for Table {
    fn write(&mut self, alert: &Alert) -> io::Result<()> {
        if !self.has_header {
            self.has_header = true;
            writeln!(
                self.writer,
                "{:<24} {:>8}  {:<28} {:<43} {:<24} {:<40} INDICATOR",
                "TIME", "FRAME", "CAPTURE", "FLOW", "FIELD", "SEEN"
            )?;
        }
        let flow = &alert.flow;
        let proto = flow.protocol.or(transport(flow.protocol_number)).unwrap_or("ip");
        let [from, to] =
            flow.hardware().unwrap_or_else(|| [flow.originator, flow.responder].map(|e| end(e, alert.has_ports())));
        let conversation = format!("{from} > {to} {proto}");
        let time = alert.frame.time.to_string();
        let capture = alert.capture.file_name().unwrap_or(alert.capture.as_os_str()).to_string_lossy();
        writeln!(
            self.writer,
            "{:<24} {:>8}  {:<28} {:<43} {:<24} {:<40} {}",
            time.get(..23).unwrap_or(&time),
            alert.frame.number,
            shortened(&capture, 28),
            conversation,
            alert.field.0,
            shortened(&alert.atomic, 40),
            crate::alert::printable(alert.indicator().id().as_bytes()),
        )
    }

    fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn end((ip, port): (std::net::IpAddr, u16), has_port: bool) -> String {
    if has_port { std::net::SocketAddr::new(ip, port).to_string() } else { ip.to_string() }
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("ab", 5), "ab");
        assert_eq!(shortened("ééééééé", 5), "éé...");
    }
}
