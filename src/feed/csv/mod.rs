//! CSV with a header, or with columns declared by the user: `# picket: columns=..` above the rows, or a file beside the feed.
//!
//! Cells may be quoted and hold line ends; the separator is `,`, `;`, `|` or a tab. A header may stand in a comment, as
//! abuse.ch writes it. Which column is what: [`layout`]; what a row says: [`row`].
//!
//! Source: RFC 4180. Rows longer than a line's cap, or over more than [`MAX_ROW_LINES`] lines, are refused.

mod layout;
mod row;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::declared::Declared;
use super::intake::Intake;
use super::lines::{Line, Lines};
use super::{Broken, Format, MAX_LINE_BYTES};
use crate::indicator::Refusal;
use layout::Layout;

/// See the module. Known by its header, or by declared columns.
pub(super) const FORMAT: Format = Format { name: "csv", unit: "line", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    let mut comments = Vec::new();
    for line in head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii) {
        if line.is_empty() {
            continue;
        }
        if !line.starts_with(b"#") {
            return layout_from(&comments, line).is_some();
        }
        if Declared::comment(line).is_some_and(|declared| declared.is_ok_and(|d| d.columns.is_some())) {
            return true;
        }
        comments.push(line);
    }
    false
}

/// The layout that the first row is, or the last comment above it that fits it.
fn layout_from(comments: &[&[u8]], first: &[u8]) -> Option<(Layout, bool)> {
    if let Some(layout) = Layout::of_header(first) {
        return Some((layout, true));
    }
    let fits = |comment: &&&[u8]| {
        let text = comment.trim_ascii_start();
        let text = text.strip_prefix(b"#")?.trim_ascii();
        Layout::of_header(text).filter(|layout| layout.fits(first))
    };
    comments.iter().rev().take(MAX_COMMENTS).find_map(|comment| fits(&comment)).map(|layout| (layout, false))
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut table = Table { declared: intake.declared(), layout: None, rows: Rows::new(b',') };
    // Each row has a context of its own; this counts what cannot be read.
    let _ = table.declared.context(intake);
    table.declare()?;
    let mut comments: Vec<Vec<u8>> = Vec::new();
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            table.rows.drop_open(intake);
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !table.rows.is_open() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            if line.starts_with(b"#") {
                match Declared::comment(line) {
                    None if table.layout.is_none() && comments.len() < MAX_COMMENTS => comments.push(line.to_vec()),
                    None => {}
                    Some(declared) => {
                        table.declared = declared.map_err(|what| Broken::Options { line: number, what })?;
                        let _ = table.declared.context(intake);
                        table.declare().map_err(|_| Broken::Options { line: number, what: BAD_COLUMNS.into() })?;
                    }
                }
                continue;
            }
            match &table.layout {
                None => {
                    let comments: Vec<&[u8]> = comments.iter().map(Vec::as_slice).collect();
                    let (layout, is_header) =
                        layout_from(&comments, line.trim_ascii()).ok_or(Broken::Whole(NO_HEADER))?;
                    table.set(layout);
                    if is_header {
                        continue;
                    }
                }
                // Columns were declared, or stood in a comment; the feed's own header is no row.
                Some(layout) if table.rows.is_first && layout.is_header(line.trim_ascii()) => {
                    table.rows.is_first = false;
                    continue;
                }
                Some(_) => {}
            }
        }
        table.line(number, line, intake);
    }
    table.rows.drop_open(intake);
    Ok(())
}

/// A table as far as it is known.
struct Table {
    declared: Declared,
    layout: Option<Layout>,
    rows: Rows,
}

impl Table {
    /// Takes declared columns for the layout.
    fn declare(&mut self) -> Result<(), Broken> {
        if let Some(columns) = &self.declared.columns {
            let separator = self.declared.separator.unwrap_or(b',');
            let layout = Layout::of_names(columns, separator).ok_or(Broken::Whole(BAD_COLUMNS))?;
            self.set(layout);
        }
        Ok(())
    }

    fn set(&mut self, layout: Layout) {
        self.rows = Rows::new(layout.separator);
        self.layout = Some(layout);
    }

    fn line(&mut self, number: u32, line: &[u8], intake: &mut Intake<'_>) {
        let Some(layout) = &self.layout else { return };
        let tidy = layout.tidied(line);
        match self.rows.push(number, &tidy) {
            Pushed::More => {}
            Pushed::Bad(reason) => self.rows.refuse_open(reason, intake),
            Pushed::Row => {
                let first = self.rows.first_line;
                let cells: Vec<&[u8]> = self.rows.cells().collect();
                if let Err(reason) = row::load(&cells, layout, &self.declared, first, intake) {
                    intake.refuse(first, reason);
                }
                self.rows.reset();
            }
        }
    }
}

/// Puts rows together out of lines, in buffers that never grow.
struct Rows {
    reader: Reader,
    separator: u8,
    output: Box<[u8]>,
    output_bytes: usize,
    ends: Box<[usize]>,
    end_count: usize,
    /// Lines of the open row.
    open: u32,
    first_line: u32,
    /// No row has been read.
    is_first: bool,
}

enum Pushed {
    Row,
    More,
    Bad(Refusal),
}

impl Rows {
    fn new(separator: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(separator).build(),
            separator,
            output: vec![0; MAX_LINE_BYTES].into_boxed_slice(),
            output_bytes: 0,
            ends: vec![0; MAX_CELLS].into_boxed_slice(),
            end_count: 0,
            open: 0,
            first_line: 0,
            is_first: true,
        }
    }

    fn is_open(&self) -> bool {
        self.open > 0
    }

    fn push(&mut self, number: u32, line: &[u8]) -> Pushed {
        if self.open == 0 {
            self.first_line = number;
        }
        self.open += 1;
        self.is_first = false;
        if self.open > MAX_ROW_LINES {
            return Pushed::Bad(Refusal::Malformed);
        }
        for mut input in [line, b"\n"] {
            while !input.is_empty() {
                let output = self.output.get_mut(self.output_bytes..).unwrap_or_default();
                let ends = self.ends.get_mut(self.end_count..).unwrap_or_default();
                let (result, read, written, ended) = self.reader.read_record(input, output, ends);
                input = input.get(read..).unwrap_or_default();
                self.output_bytes += written;
                self.end_count += ended;
                match result {
                    ReadRecordResult::InputEmpty => {}
                    ReadRecordResult::Record => return Pushed::Row,
                    ReadRecordResult::End => return Pushed::Bad(Refusal::Malformed),
                    ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                        return Pushed::Bad(Refusal::TooLong);
                    }
                }
            }
        }
        Pushed::More
    }

    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().take(self.end_count).map(move |end| {
            let cell = self.output.get(start..*end).unwrap_or_default();
            start = *end;
            cell
        })
    }

    fn reset(&mut self) {
        self.reader = ReaderBuilder::new().delimiter(self.separator).build();
        (self.output_bytes, self.end_count, self.open) = (0, 0, 0);
    }

    /// Counts every line of the open row: a stray quote swallows lines that were rows.
    fn refuse_open(&mut self, reason: Refusal, intake: &mut Intake<'_>) {
        (0..self.open).for_each(|line| intake.refuse(self.first_line.saturating_add(line), reason));
        self.reset();
    }

    fn drop_open(&mut self, intake: &mut Intake<'_>) {
        self.refuse_open(Refusal::Malformed, intake);
    }
}

const NO_HEADER: &str = "no header names the column of the values; say columns=.. (feeds/README.md)";

const BAD_COLUMNS: &str = "columns=.. names a column that is not known, or none that holds a value (feeds/README.md)";

/// Lines that one row may go over: a description of some paragraphs.
const MAX_ROW_LINES: u32 = 64;

/// Cells of one row; the widest of the known exports has 21.
const MAX_CELLS: usize = 256;

/// Comments above the rows that may be the header.
const MAX_COMMENTS: usize = 64;

#[cfg(test)]
mod tests;
