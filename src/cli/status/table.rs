//! A status for people.

use std::io::{self, Write};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use indicatif::{HumanBytes, HumanCount};

use crate::alert::printable;
use crate::console::Snapshot;
use crate::console::control::Status;

/// Reasons shown; JSON has all.
const MAX_REASONS: usize = 12;

/// Writes it.
pub(super) fn print(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = &status.snapshot;
    head(status, out)?;
    capture(snapshot, out)?;
    visibility(snapshot, out)?;
    alerts(snapshot, out)?;
    outputs(snapshot, out)?;
    feeds(snapshot, out)
}

fn head(Status { problems, snapshot }: &Status, out: &mut dyn Write) -> io::Result<()> {
    let process = &snapshot.process;
    let word = match problems.first() {
        None => "well",
        Some(worst) if worst.is_fatal => "DOWN",
        Some(_) => "degraded",
    };
    let version = text(&snapshot.sensor.version);
    writeln!(
        out,
        "picket {version}, process {}, running for {}: {word}",
        process.id,
        duration(snapshot.sensor.uptime_seconds)
    )?;
    for problem in problems {
        writeln!(out, "  {}: {}", text(&problem.code), text(&problem.text))?;
    }
    let limit = process.memory_limit_bytes.map_or_else(String::new, |limit| format!(" of {}", HumanBytes(limit)));
    write!(out, "memory {}{limit}, CPU time {}", HumanBytes(process.resident_bytes), duration(process.cpu_seconds))?;
    if let Some(open) = process.open_fds {
        write!(out, ", {open} files open")?;
    }
    writeln!(out)
}

fn capture(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let traffic = &snapshot.traffic;
    let (packets, flows) = (HumanCount(traffic.packets), HumanCount(traffic.flows));
    writeln!(out, "\n{packets} packets, {}, {flows} flows", HumanBytes(traffic.wire_bytes))?;
    let mut table = numbers(["worker", "interface", "received", "kernel dropped", "ring full", "interface dropped"], 2);
    for loss in &snapshot.losses {
        table.add_row([
            loss.worker.map_or_else(|| "all".to_owned(), |number| number.to_string()),
            loss.interface.as_deref().map_or_else(|| "all".to_owned(), text),
            count(loss.received),
            count(loss.kernel_dropped),
            count(loss.ring_freezes),
            count(loss.interface_dropped),
        ]);
    }
    print_table(&table, out)?;
    let down = snapshot.interfaces.iter().filter(|interface| !interface.is_up).count();
    let panics: u64 = snapshot.workers.iter().map(|worker| worker.panics).sum();
    let running = snapshot.workers.iter().filter(|worker| worker.is_running).count();
    let behind = snapshot.workers.iter().map(|worker| worker.behind_seconds).fold(0.0, f64::max);
    writeln!(
        out,
        "{running} of {} workers run, {panics} panics, {behind:.2} s behind; {} of {} interfaces up; {} gaps, {} open",
        snapshot.workers.len(),
        snapshot.interfaces.len() - down,
        snapshot.interfaces.len(),
        snapshot.gaps.began,
        snapshot.gaps.open,
    )?;
    for shed in snapshot.shed.iter().filter(|shed| shed.is_active || shed.count > 0) {
        let now = if shed.is_active { ", now too" } else { "" };
        writeln!(out, "overload, {}: {} left undone{now}", text(&shed.step), count(shed.count))?;
    }
    Ok(())
}

fn visibility(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let packets: u64 = snapshot.visibility.iter().map(|line| line.count.packets).sum();
    let mut table = numbers(["what became of packets", "packets", "%", "bytes", "flows"], 1);
    for line in &snapshot.visibility {
        let share = if packets == 0 { 0.0 } else { line.count.packets as f64 * 100.0 / packets as f64 };
        table.add_row([
            text(&line.verdict),
            count(line.count.packets),
            format!("{share:.1}"),
            HumanBytes(line.count.bytes).to_string(),
            count(line.count.flows),
        ]);
    }
    print_table(&table, out)?;
    let mut table = numbers(["not inspected", "count", "of"], 1);
    for reason in snapshot.uninspected.iter().take(MAX_REASONS) {
        table.add_row([text(&reason.reason), count(reason.count), text(&reason.unit)]);
    }
    print_table(&table, out)?;
    match snapshot.uninspected.len().checked_sub(MAX_REASONS) {
        Some(more @ 1..) => writeln!(out, "... and {more} more reasons (--json has all)"),
        _ => Ok(()),
    }
}

fn alerts(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let alerts = &snapshot.alerts;
    write!(
        out,
        "\nalerts: {} raised, {} sent, {} dropped, {} of {} waiting",
        count(alerts.raised),
        count(alerts.sent),
        count(alerts.dropped),
        count(alerts.waiting),
        count(alerts.capacity)
    )?;
    for line in &alerts.suppressed {
        write!(out, ", {} suppressed by {}", count(line.count), text(&line.by))?;
    }
    writeln!(out)?;
    if snapshot.evidence.files + snapshot.evidence.failed > 0 {
        let evidence = &snapshot.evidence;
        let (files, failed, deleted) = (count(evidence.files), count(evidence.failed), count(evidence.deleted));
        let bytes = HumanBytes(evidence.folder_bytes);
        writeln!(out, "evidence: {files} files written, {deleted} deleted, {failed} failed; {bytes}")?;
    }
    let flows = &snapshot.flow_log;
    if flows.records + flows.dropped > 0 {
        writeln!(out, "flow log: {} records, {} dropped", count(flows.records), count(flows.dropped))?;
    }
    Ok(())
}

fn outputs(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let header =
        ["output", "kind", "state", "accepted", "delivered", "retried", "dropped", "refused", "waiting", "oldest"];
    let mut table = numbers(header, 3);
    for output in &snapshot.outputs {
        table.add_row([
            text(&output.name),
            text(&output.kind),
            if output.is_up { "up" } else { "DOWN" }.to_owned(),
            count(output.accepted),
            count(output.delivered),
            count(output.retried),
            count(output.dropped),
            count(output.dead_lettered),
            format!("{} ({})", count(output.queued), HumanBytes(output.queued_bytes)),
            output.queue_age_seconds.map_or_else(String::new, duration),
        ]);
    }
    print_table(&table, out)?;
    for output in &snapshot.outputs {
        if let (false, Some(error)) = (output.is_up, &output.last_error) {
            writeln!(out, "{}: {}", text(&output.name), text(error))?;
        }
    }
    Ok(())
}

fn feeds(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let mut table = numbers(["feed", "state", "entries", "age"], 2);
    for feed in &snapshot.feeds {
        let state = match (feed.is_broken, feed.is_stale) {
            (true, _) => "BROKEN",
            (false, true) => "STALE",
            (false, false) => "fresh",
        };
        table.add_row([text(&feed.name), state.to_owned(), count(feed.entries), duration(feed.age_seconds)]);
    }
    print_table(&table, out)?;
    let reload = &snapshot.reload;
    let last = reload.last_seconds.map_or_else(String::new, |seconds| format!(", the last took {seconds:.1} s"));
    let age =
        reload.last_accepted_age_seconds.map_or_else(String::new, |age| format!(", in use for {}", duration(age)));
    writeln!(
        out,
        "{} indicators{age}; {} reloads, {} refused{last}",
        count(snapshot.indicators.total),
        reload.accepted,
        reload.refused
    )
}

/// A table whose columns from `first` on are numbers.
fn numbers<const N: usize>(header: [&str; N], first: usize) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn print_table(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    if table.is_empty() { Ok(()) } else { writeln!(out, "{table}") }
}

/// Names come from configurations and from whatever answers at the socket.
fn text(text: impl AsRef<str>) -> String {
    printable(text.as_ref().as_bytes())
}

fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// `45 s`, `3 h 12 min`, `12 d 4 h`.
fn duration(seconds: f64) -> String {
    let all = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (all / 86_400, all / 3600 % 24, all / 60 % 60);
    match all {
        0..60 => format!("{all} s"),
        60..3600 => format!("{minutes} min {} s", all % 60),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{Feed, Loss, Output, problems};

    #[test]
    fn durations_have_two_units() {
        assert_eq!(
            ["0 s", "59 s", "1 min 1 s", "2 h 0 min", "11 d 13 h"].map(str::to_owned),
            [-1.0, 59.9, 61.0, 7200.0, 1_000_000.0].map(duration)
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_and_nothing_controls_the_terminal() {
        let snapshot = Snapshot {
            feeds: vec![Feed { name: "seven\x1b[2J".into(), is_stale: true, age_seconds: 90_000.0, ..Feed::default() }],
            outputs: vec![Output { name: "siem".into(), dropped: 1234, ..Output::default() }],
            losses: vec![Loss { worker: Some(3), kernel_dropped: 77_777, ..Loss::default() }],
            ..Snapshot::default()
        };
        let status = Status { problems: problems(&snapshot), snapshot };
        let mut out = Vec::new();
        print(&status, &mut out).expect("written");
        let out = String::from_utf8(out).expect("text");
        for wanted in ["DOWN", "no-worker", "STALE", "1 d 1 h", "1,234", "77,777"] {
            assert!(out.contains(wanted), "{wanted} is not in\n{out}");
        }
        assert!(!out.contains('\x1b'), "{out}");
    }
}
