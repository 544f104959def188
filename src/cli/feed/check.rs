//! The load report for a reader.

use std::io::{self, Write};

use indicatif::HumanBytes;

use super::new_table;
use crate::alert::printable;
use crate::feed::{FileReport, LoadReport};

pub(super) fn table(report: &LoadReport, out: &mut dyn Write) -> io::Result<()> {
    let mut files = new_table(["feed", "format", "size", "lines", "loaded", "merged", "refused"]);
    for file in &report.files {
        files.add_row([
            shown(&file.path),
            file.format.unwrap_or("-").to_string(),
            HumanBytes(file.bytes).to_string(),
            file.lines.to_string(),
            file.loaded.to_string(),
            file.merged.to_string(),
            file.refused_total().to_string(),
        ]);
    }
    writeln!(out, "{files}")?;
    for file in &report.files {
        troubles(file, out)?;
    }
    for skipped in &report.skipped {
        writeln!(out, "{}: skipped ({})", shown(&skipped.path), skipped.reason)?;
    }
    for kind in report.kinds.iter().filter(|kind| kind.inert) {
        writeln!(out, "{}: {} loaded, but nothing in this version observes them", kind.kind, kind.indicators)?;
    }
    let totals = &report.totals;
    if totals.dropped_sources > 0 {
        writeln!(out, "{} further sources of much-named indicators were not kept", totals.dropped_sources)?;
    }
    writeln!(
        out,
        "{} files: {} loaded, {} merged, {} refused, {} files broken off",
        totals.files, totals.loaded, totals.merged, totals.refused, totals.broken_files
    )
}

/// What is wrong with one file: each reason with the first lines it was given for.
fn troubles(file: &FileReport, out: &mut dyn Write) -> io::Result<()> {
    let path = shown(&file.path);
    if let Some(error) = &file.error {
        writeln!(out, "{path}: {}", shown(error))?;
    }
    if file.unreadable_markings > 0 {
        writeln!(out, "{path}: {} unreadable markings count as the strictest", file.unreadable_markings)?;
    }
    for (reason, count) in &file.refused {
        let listed = file.refusals.iter().filter(|refusal| refusal.reason == *reason).take(LINES_SHOWN);
        let mut lines: Vec<String> = listed.map(|refusal| refusal.line.to_string()).collect();
        if *count > lines.len() as u64 {
            lines.push(format!("and {} more", count - lines.len() as u64));
        }
        writeln!(out, "{path}: {count} refused, {reason}: {} {}", file.unit, lines.join(", "))?;
    }
    Ok(())
}

fn shown(text: &str) -> String {
    printable(text.as_bytes())
}

/// Lines named for each reason: enough to open the file at; the JSON form lists more.
const LINES_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::feed::{Options, load};
    use crate::indicator::IndicatorSet;

    #[test]
    fn every_refusal_is_told_by_line_and_reason_and_no_value_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let values = "secret..example\n0.0.0.0/0\nfine.secret.example\nd41d8cd98f00b204e9800998ecf8427e\n";
        fs::write(dir.path().join("list.txt"), values.to_string() + &"se cret\n".repeat(20)).expect("writes");
        fs::write(dir.path().join("README.md"), "").expect("writes");
        fs::write(dir.path().join("x.bin"), b"\0secret").expect("writes");
        let mut set = IndicatorSet::default();
        let report = load(&[dir.path().to_owned()], &Options::default(), &mut set).expect("loads");
        let mut out = Vec::new();
        table(&report, &mut out).expect("writes");
        let text = String::from_utf8(out).expect("text");
        for said in [
            "list.txt: 1 refused, not a domain name: line 1\n",
            "(--force loads it): line 2\n",
            "20 refused, value of no recognisable kind: line 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, and 10 more\n",
            "README.md: skipped (documentation)\n",
            "x.bin: not text: a zero byte at offset 0\n",
            "2 files: 2 loaded, 0 merged, 22 refused, 1 files broken off\n",
        ] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        assert!(!text.contains("secret") && !text.contains("se cret"), "{text}");
    }
}
