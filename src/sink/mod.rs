//! Alerts out: one file a format, one line each in [`FORMATS`]. A sink writes the views that it is given, in the order it is given:
//! it gets no alert, so no format can show what its readers may not see.

pub mod csv;
pub mod ecs;
pub mod flow;
mod nested;
pub mod table;

use std::io;

use crate::alert::{Notice, View};

/// Where alerts go.
pub trait Sink: Send {
    /// Writes what may be seen of one alert.
    ///
    /// # Errors
    /// What the writer below says.
    fn write(&mut self, view: &View<'_>) -> io::Result<()>;

    /// Writes what the sensor says of itself.
    ///
    /// # Errors
    /// What the writer below says.
    fn notice(&mut self, notice: &Notice) -> io::Result<()>;

    /// Writes what a format ends with, and everything still buffered.
    ///
    /// # Errors
    /// What the writer below says.
    fn finish(&mut self) -> io::Result<()>;
}

/// An output format.
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// Makes a sink over a writer.
    pub open: fn(Box<dyn io::Write + Send>) -> Box<dyn Sink>,
}

/// Every output format.
pub static FORMATS: &[&Format] = &[&ecs::FORMAT, &table::FORMAT, &csv::FORMAT];
