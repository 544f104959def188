//! [`Files`]: captures one after the other, as one timeline in the given order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::input::{Access, is_packed};
use super::list::{Listing, OpenError};
use super::pool::Pool;
use super::reading::{Outcome, Problem, Reading};
use super::{Batch, Data, Source, Trouble};

/// Capture files, read in order, each when its turn comes.
///
/// ```no_run
/// use picket::capture::{Batch, Files, Source};
/// let mut files = Files::open(&["monday.pcapng.zst".into(), "more/".into()])?;
/// let mut batch = Batch::default();
/// while files.poll(&mut batch) {
///     for frame in &batch.frames {
///         let bytes = &batch.data[frame.offset..][..frame.captured_bytes as usize];
///         assert_eq!(bytes.len(), frame.captured_bytes as usize);
///     }
/// }
/// for trouble in files.troubles() {
///     eprintln!("{} at byte {}: {}", trouble.path.display(), trouble.offset, trouble.reason);
/// }
/// # Ok::<(), picket::capture::OpenError>(())
/// ```
pub struct Files {
    files: Vec<FileInfo>,
    troubles: Vec<Trouble>,
    access: Access,
    /// Position of the next file to open.
    next: usize,
    /// The file before it, while it is open.
    reading: Option<Reading>,
    /// How many troubles there were when it was opened.
    troubles_before: usize,
    /// Stored bytes read of it.
    done: Arc<AtomicU64>,
    /// Stored bytes of the files before it.
    finished_bytes: u64,
    pool: Pool,
}

/// One file and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// As given, or as found in a directory; `-` is standard input.
    pub path: PathBuf,
    /// Bytes on disk; none for what is no regular file.
    pub size_bytes: Option<u64>,
    /// What it was recognised as; none before its turn, or if it is no capture.
    pub format: Option<&'static str>,
    /// What it is packed in.
    pub compression: Option<&'static str>,
    /// Frames handed out.
    pub frames: u64,
    /// Frames or blocks left out because they contradict themselves. [`Files::troubles`] has the first of each code.
    pub skipped: u64,
    /// Bytes walked over, unpacked.
    pub read_bytes: u64,
}

impl FileInfo {
    pub(super) fn new(path: PathBuf, size_bytes: Option<u64>) -> Self {
        Self { path, size_bytes, format: None, compression: None, frames: 0, skipped: 0, read_bytes: 0 }
    }

    /// Whether it could be read at all.
    pub fn is_capture(&self) -> bool {
        self.format.is_some()
    }
}

/// How far a run is, in bytes as stored on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Read so far.
    pub bytes_done: u64,
    /// In all; unknown when a pipe is among the files.
    pub bytes_total: Option<u64>,
}

impl Files {
    /// Lists files and directories (recursively, in name order; links are followed, loops are not). `-` is standard
    /// input. Files are opened when their turn comes.
    ///
    /// # Errors
    /// A path that does not exist or cannot be looked at, none at all, or standard input twice.
    pub fn open(paths: &[PathBuf]) -> Result<Self, OpenError> {
        Self::open_with(paths, Access::default())
    }

    /// As [`Self::open`], choosing how plain files are read.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(paths: &[PathBuf], access: Access) -> Result<Self, OpenError> {
        Ok(Self::of(Listing::of(paths)?, access))
    }

    /// Another reader of the same files, of one that has not begun.
    pub fn again(&self) -> Self {
        debug_assert_eq!(self.next, 0, "it would know what this one has met with");
        Self::of(Listing { files: self.files.clone(), troubles: self.troubles.clone() }, self.access)
    }

    fn of(Listing { files, troubles }: Listing, access: Access) -> Self {
        Self {
            files,
            troubles,
            access,
            next: 0,
            reading: None,
            troubles_before: 0,
            done: Arc::default(),
            finished_bytes: 0,
            pool: Pool::default(),
        }
    }

    /// Whether all of them are regular files and none is packed: then nothing is lost by reading them more than once. Looks at their first bytes.
    pub fn are_plain(&self) -> bool {
        self.files.iter().all(|file| file.size_bytes.is_some() && !is_packed(&file.path))
    }

    /// The files in order; [`crate::packet::FrameMeta::file`] is a position in this list.
    pub fn files(&self) -> &[FileInfo] {
        &self.files
    }

    /// What was wrong so far: with the directories first, then in file order, for each file the first of each code.
    /// Whether a file was unreadable is known once it is done.
    pub fn troubles(&self) -> &[Trouble] {
        &self.troubles
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        let current = match &self.reading {
            Some(reading) => reading.mapped_bytes().unwrap_or_else(|| self.done.load(Ordering::Relaxed)),
            None => 0,
        };
        Progress { bytes_done: self.finished_bytes + current, bytes_total: self.total_bytes() }
    }

    /// Bytes of all files as stored; none when a pipe is among them.
    pub fn total_bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Opens files until one is a capture; false when there is none left.
    fn open_next(&mut self) -> bool {
        while let Some(file) = self.files.get_mut(self.next) {
            let number = self.next as u32;
            self.next += 1;
            self.troubles_before = self.troubles.len();
            self.done.store(0, Ordering::Relaxed);
            match Reading::open(&file.path, number, self.access, &self.done) {
                Ok(reading) => {
                    file.format = Some(reading.format);
                    file.compression = reading.compression();
                    self.reading = Some(reading);
                    return true;
                }
                Err((compression, problem)) => {
                    file.compression = compression;
                    self.report(problem);
                    self.finish();
                }
            }
        }
        false
    }

    /// Keeps the first trouble of each code of the open file.
    fn report(&mut self, problem: Problem) {
        let Some(file) = self.files.get(self.next - 1) else { return };
        let Problem { offset, reason, code } = problem;
        if self.troubles[self.troubles_before..].iter().all(|known| known.code != code) {
            self.troubles.push(Trouble { path: file.path.clone(), offset, reason, code, unreadable: false });
        }
    }

    /// Closes the open file.
    fn finish(&mut self) {
        let Some(file) = self.files.get(self.next - 1) else { return };
        let unreadable = file.frames == 0;
        for trouble in &mut self.troubles[self.troubles_before..] {
            trouble.unreadable = unreadable;
        }
        self.finished_bytes += file.size_bytes.unwrap_or_else(|| self.done.load(Ordering::Relaxed));
        if let Some(reading) = self.reading.take() {
            reading.close(&mut self.pool);
        }
    }

    /// Fills the batch from the open file, as far as it goes.
    fn fill(&mut self, batch: &mut Batch) {
        while let Some(reading) = &mut self.reading {
            let outcome = reading.fill(batch, &mut self.pool);
            let file = &mut self.files[self.next - 1];
            file.read_bytes = reading.position();
            match outcome {
                Outcome::More(None) => {
                    file.frames += batch.frames.len() as u64;
                    return;
                }
                Outcome::More(Some(problem)) => {
                    file.skipped += 1;
                    self.report(problem);
                }
                Outcome::End(problem) => {
                    file.frames += batch.frames.len() as u64;
                    if let Some(problem) = problem {
                        self.report(problem);
                    }
                    self.finish();
                    return;
                }
            }
        }
    }
}

impl Source for Files {
    fn poll(&mut self, batch: &mut Batch) -> bool {
        batch.frames.clear();
        loop {
            self.fill(batch);
            if !batch.frames.is_empty() {
                return true;
            }
            if !self.open_next() {
                batch.data = Data::Empty;
                return false;
            }
        }
    }
}
