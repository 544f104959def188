//! A table for people: columns of fixed width so that each alert can be shown when it comes.

use super::ecs::transport;
use super::{Format, Header};
use crate::alert::{CustomerRecord, Full, Notice, Release, View, printable};
use crate::time::Timestamp;

/// `--format table`.
pub static FORMAT: Format = Format {
    name: "table",
    media_type: "text/plain",
    header: Some(Header { line: header, is_always: false }),
    view: write,
    notice,
};

fn header() -> String {
    format!("{:<24} {:>8}  {:<28} {:<43} {:<24} {:<40} INDICATOR", "TIME", "FRAME", "CAPTURE", "FLOW", "FIELD", "SEEN")
}

fn write(view: &View<'_>, out: &mut Vec<u8>) {
    let line = match view {
        View::Full(full) => full_line(full),
        View::Partial(release, record) => customer_line(record, &name_of(release)),
        View::Customer(record) => customer_line(record, "withheld"),
        View::Nothing => return,
    };
    out.extend_from_slice(line.as_bytes());
}

fn notice(notice: &Notice, out: &mut Vec<u8>) {
    let time = notice.time.to_string();
    let message = printable(notice.message.as_bytes());
    let line = format!("{:<24} {}: {message}", time.get(..23).unwrap_or(&time), notice.action);
    out.extend_from_slice(line.as_bytes());
}

fn full_line(full: &Full<'_>) -> String {
    let flow = full.flow();
    let proto = flow.protocol.or(transport(flow.protocol_number)).unwrap_or("ip");
    let [from, to] =
        flow.hardware().unwrap_or_else(|| [flow.originator, flow.responder].map(|e| end(e, full.has_ports())));
    let conversation = format!("{from} > {to} {proto}");
    let time = full.frame().time.to_string();
    let capture = full.capture().file_name().unwrap_or(full.capture().as_os_str()).to_string_lossy();
    format!(
        "{:<24} {:>8}  {:<28} {:<43} {:<24} {:<40} {}{}",
        time.get(..23).unwrap_or(&time),
        full.frame().number,
        shortened(&printable(capture.as_bytes()), 28),
        conversation,
        full.field().0,
        shortened(full.atomic(), 40),
        name_of(&full.release),
        full.repeats().map(|repeats| again((repeats.count, repeats.first, repeats.last))).unwrap_or_default(),
    )
}

/// Of a roll-up: what stands for the others.
fn again((count, first, last): (u64, Timestamp, Timestamp)) -> String {
    let second = |time: Timestamp| time.to_string().get(..19).unwrap_or_default().to_owned();
    format!(", {count} more from {} to {}", second(first), second(last))
}

/// A customer record has no frame, capture, field or value; what is known of the indicator, and what to do, come last.
fn customer_line(record: &CustomerRecord, indicator: &str) -> String {
    let time = record.time.to_string();
    let host = match record.internal {
        Some(host) => end((host.ip, host.port.unwrap_or(0)), host.port.is_some()),
        None => "-".to_owned(),
    };
    let reference = record.references.as_ref().map_or("-", |references| &references.indicator);
    format!(
        "{:<24} {:>8}  {:<28} {:<43} {:<24} {:<40} {indicator}{}, severity {}: {} ({})",
        time.get(..19).unwrap_or(&time),
        "-",
        "-",
        format!("{host} {}", record.direction.word()),
        "-",
        reference,
        record.repeats.map(|repeats| again((repeats.count, repeats.first, repeats.last))).unwrap_or_default(),
        record.severity,
        record.action,
        printable(record.handling.as_bytes()),
    )
}

fn name_of(release: &Release<'_>) -> String {
    printable(release.indicator.id().as_bytes())
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
