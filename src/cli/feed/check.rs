//! The load report for a reader.

use std::io::{self, Write};

use indicatif::HumanBytes;

use super::new_table;
use crate::alert::printable;
use crate::feed::{Category, FileReport, LoadReport};

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
    for file in &report.files {
        findings(file, out)?;
    }
    providers(report, out)?;
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
    )?;
    let found = Category::ALL.iter().zip(totals.findings).filter(|(_, count)| *count > 0);
    let found: Vec<String> = found.map(|(category, count)| format!("{count} {}", shown_category(*category))).collect();
    if found.is_empty() { Ok(()) } else { writeln!(out, "{}", found.join(", ")) }
}

/// Reads a category's name.
pub(super) fn category(name: &str) -> Result<Category, String> {
    let known = || Category::ALL.map(Category::name).join(", ");
    Category::ALL.into_iter().find(|category| category.name() == name).ok_or_else(|| format!("known are {}", known()))
}

fn shown_category(category: Category) -> String {
    category.name().replace('_', " ")
}

/// What there is to say of one file's entries that loaded.
fn findings(file: &FileReport, out: &mut dyn Write) -> io::Result<()> {
    for (finding, found) in file.findings.iter() {
        let lines = found.entries.iter().map(|entry| entry.line);
        let lines = list(lines, found.count);
        let (path, category) = (shown(&file.path), shown_category(found.category));
        writeln!(out, "{path}: {} {category}, {finding}: {} {lines}", found.count, file.unit)?;
    }
    Ok(())
}

/// By provider, if there is one to name.
fn providers(report: &LoadReport, out: &mut dyn Write) -> io::Result<()> {
    if report.providers.iter().all(|provider| provider.provider.is_none()) {
        return Ok(());
    }
    let mut table = new_table(["provider", "entries", "inert", "broad", "expired", "not yet valid", "contradictory"]);
    for provider in report.providers.iter().take(PROVIDERS_SHOWN) {
        let name = provider.provider.as_deref().map_or("(none said)".to_string(), shown);
        let count = |category: Category| provider.findings[category as usize].to_string();
        table.add_row([
            name,
            provider.entries.to_string(),
            count(Category::Inert),
            count(Category::Broad),
            count(Category::Expired),
            count(Category::NotYetValid),
            count(Category::Contradictory),
        ]);
    }
    writeln!(out, "{table}")?;
    match (report.providers.len() as u64 + report.more_providers).saturating_sub(PROVIDERS_SHOWN as u64) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more providers"),
    }
}

/// The first of the lines, and how many more there are.
fn list(lines: impl Iterator<Item = u32>, count: u64) -> String {
    let mut lines: Vec<String> = lines.take(LINES_SHOWN).map(|line| line.to_string()).collect();
    if count > lines.len() as u64 {
        lines.push(format!("and {} more", count - lines.len() as u64));
    }
    lines.join(", ")
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
        let listed = file.refusals.iter().filter(|refusal| refusal.reason == *reason);
        let lines = list(listed.map(|refusal| refusal.line), *count);
        writeln!(out, "{path}: {count} refused, {reason}: {} {lines}", file.unit)?;
    }
    Ok(())
}

fn shown(text: &str) -> String {
    printable(text.as_bytes())
}

/// Lines named for each reason: enough to open the file at; the JSON form lists more.
const LINES_SHOWN: usize = 10;
/// Rows of the table by provider.
const PROVIDERS_SHOWN: usize = 20;

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
