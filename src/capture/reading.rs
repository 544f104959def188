//! [`Reading`]: one open capture, from its first bytes to its last frame.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::packet::FrameMeta;

use super::describe::describe;
use super::fault::Fault;
use super::format::{READERS, Step, Walk, Window};
use super::input::{Access, Input, Piece};
use super::pool::Pool;
use super::{Batch, Data};

/// See the module.
pub(super) struct Reading {
    input: Input,
    piece: Piece,
    walk: Box<dyn Walk>,
    /// Why reading ended early.
    failure: Option<io::Error>,
    /// The capture's format.
    pub(super) format: &'static str,
}

/// What [`Reading::fill`] came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Frames were added, or one was skipped; there may be more.
    More(Option<Problem>),
    /// That was all. Frames may have been added nevertheless.
    End(Option<Problem>),
}

/// Something wrong, not yet with its file.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) offset: u64,
    pub(super) reason: String,
    pub(super) code: &'static str,
}

impl Reading {
    /// Opens a file and recognises its format. `done` counts the bytes read of the file as it is stored.
    ///
    /// # Errors
    /// It cannot be opened or is no capture, and the compression, if one was recognised.
    pub(super) fn open(
        path: &Path,
        file: u32,
        access: Access,
        done: &Arc<AtomicU64>,
    ) -> Result<Self, (Option<&'static str>, Problem)> {
        let (input, mut piece) = Input::open(path, access, done)
            .map_err(|(compression, error)| (compression, Problem::io(compression, "open_failed", 0, &error)))?;
        let compression = input.compression;
        let head = piece.bytes();
        let Some(format) = READERS.iter().find(|format| (format.sniff)(head)) else {
            return Err((compression, Problem::not_a_capture(compression, head)));
        };
        let opened = (format.open)(head, file).map_err(|fault| (compression, Problem::fault(fault, 0)))?;
        piece.at = opened.records_at;
        Ok(Self { input, piece, walk: opened.walk, failure: None, format: format.name })
    }

    /// What the file is packed in.
    pub(super) fn compression(&self) -> Option<&'static str> {
        self.input.compression
    }

    /// Position in the unpacked file.
    pub(super) fn position(&self) -> u64 {
        self.piece.position()
    }

    /// How far into the stored file this is, if the walk is what knows it.
    pub(super) fn mapped_bytes(&self) -> Option<u64> {
        self.input.is_mapped().then(|| self.position())
    }

    /// Adds frames to an empty or partly filled batch over the same piece.
    pub(super) fn fill(&mut self, batch: &mut Batch, pool: &mut Pool) -> Outcome {
        loop {
            let step = self.step(&mut batch.frames, batch.limit);
            if !batch.frames.is_empty() {
                point(&mut batch.data, &self.piece.data);
            }
            match step {
                Step::Full => return Outcome::More(None),
                Step::Skipped { fault, at } => {
                    return Outcome::More(Some(Problem::fault(fault, self.piece.base + at as u64)));
                }
                Step::Stop(fault) => return Outcome::End(Some(Problem::fault(fault, self.position()))),
                Step::More if self.piece.last => return Outcome::End(self.rest()),
                // Frames of the next piece would lie in other data.
                Step::More if !batch.frames.is_empty() => return Outcome::More(None),
                Step::More => {
                    batch.data = Data::Empty;
                    if let Err(error) = self.input.advance(&mut self.piece, pool) {
                        self.failure = Some(error);
                    }
                }
            }
        }
    }

    fn step(&mut self, frames: &mut Vec<FrameMeta>, limit: usize) -> Step {
        if frames.len() >= limit {
            return Step::Full;
        }
        let mapped = matches!(self.piece.data, Data::Map(_));
        let mut window = Window { bytes: self.piece.bytes(), at: self.piece.at, mapped, limit };
        let step = self.walk.walk(&mut window, frames);
        self.piece.at = window.at;
        step
    }

    /// What is wrong with how the file ends.
    fn rest(&self) -> Option<Problem> {
        let offset = self.position().min(self.piece.base + self.piece.filled as u64);
        if let Some(error) = &self.failure {
            return Some(Problem::io(self.input.compression, "read_failed", offset, error));
        }
        let (at, end) = (self.piece.at, self.piece.filled);
        let reason = if at < end {
            format!("the last record is cut off: {} bytes of it are there", end - at)
        } else if at > end {
            format!("the last block is cut off: {} bytes of it are missing", at - end)
        } else {
            return None;
        };
        Some(Problem { offset, reason, code: "truncated_record" })
    }

    /// Gives the buffers back.
    pub(super) fn close(self, pool: &mut Pool) {
        pool.give(self.piece.data);
    }
}

/// Points the batch at the bytes, unless it does already.
fn point(at: &mut Data, to: &Data) {
    let same = match (&*at, to) {
        (Data::Map(held), Data::Map(new)) => Arc::ptr_eq(held, new),
        (Data::Buffer(held), Data::Buffer(new)) => Arc::ptr_eq(held, new),
        _ => false,
    };
    if !same {
        *at = to.clone();
    }
}

impl Problem {
    fn fault(fault: Fault, offset: u64) -> Self {
        Self { offset, reason: fault.to_string(), code: fault.code() }
    }

    fn io(compression: Option<&'static str>, code: &'static str, offset: u64, error: &io::Error) -> Self {
        match compression {
            Some(name) => Self {
                offset,
                reason: format!("its {name} data cannot be unpacked further: {error}"),
                code: "unpack_failed",
            },
            None => Self { offset, reason: format!("it cannot be read: {error}"), code },
        }
    }

    fn not_a_capture(compression: Option<&'static str>, head: &[u8]) -> Self {
        let kind = describe(head);
        let (code, reason) = match (compression, head.is_empty()) {
            (None, true) => ("empty_file", "it is empty".into()),
            (Some(name), true) => ("empty_file", format!("its {name} data unpacks to nothing")),
            (None, false) => ("not_a_capture", format!("neither pcap nor pcapng; it looks like {kind}")),
            (Some(name), false) => (
                "not_a_capture",
                format!("{name} data that holds neither pcap nor pcapng; its content looks like {kind}"),
            ),
        };
        Self { offset: 0, reason, code }
    }
}
