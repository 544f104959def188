//! Lines on standard output.

use std::io::{self, Write};

use super::{Deliver, Fate, Trouble, all_delivered, as_lines};
use crate::sink::{Format, Record};

/// See the module.
pub(super) struct Stdout {
    format: &'static Format,
    has_begun: bool,
}

impl Stdout {
    pub(super) fn new(format: &'static Format) -> Self {
        Self { format, has_begun: false }
    }
}

impl Deliver for Stdout {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        let mut text = Vec::new();
        if let (false, Some(header)) = (self.has_begun, &self.format.header) {
            text.extend_from_slice((header.line)().as_bytes());
            text.push(b'\n');
        }
        as_lines(records, &mut text);
        let mut out = io::stdout().lock();
        out.write_all(&text)?;
        out.flush()?;
        self.has_begun = true;
        all_delivered(records, fates);
        Ok(())
    }
}
