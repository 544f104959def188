//! Lines in a file that only its owner reads, set aside when it is long or old enough: `alerts.jsonl.20261129T061500Z`, then compressed on a
//! thread of its own ([`janitor`]).
//!
//! Records are appended whole: what a full disk or a crash left of one is cut off before the next is written. After [`Deliver::reopen`] the
//! file is opened by its name again, so that `logrotate` may set it aside instead.

mod janitor;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use self::janitor::Janitor;
use super::{Deliver, Fate, OpenError, Trouble, all_delivered, as_lines};
use crate::sink::spool::Sync;
use crate::sink::{Format, Record};

/// A file of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// Where it is. Its folder must be there.
    pub path: PathBuf,
    /// It is set aside before it is longer than this; 0 for never.
    pub max_bytes: u64,
    /// It is set aside when it is so old; zero for never.
    pub max_age: Duration,
    /// How many that were set aside are kept; 0 for all.
    pub keep: usize,
    /// Whether those are compressed (gzip).
    pub compresses: bool,
    /// When records are brought to the medium itself.
    pub sync: Sync,
}

/// The file, open.
pub(super) struct Lines {
    options: FileOptions,
    format: &'static Format,
    file: Option<File>,
    begun: SystemTime,
    synced: Instant,
    is_unsynced: bool,
    janitor: Janitor,
    text: Vec<u8>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            max_bytes: 256 << 20,
            max_age: Duration::from_secs(86_400),
            keep: 30,
            compresses: true,
            sync: Sync::Interval(Duration::from_secs(1)),
        }
    }
}

impl Lines {
    pub(super) fn open(options: &FileOptions, format: &'static Format) -> Result<Self, OpenError> {
        if options.path.file_name().is_none() {
            return Err(OpenError::Setting("a file needs a path"));
        }
        let mut lines = Self {
            options: options.clone(),
            format,
            file: None,
            begun: SystemTime::now(),
            synced: Instant::now(),
            is_unsynced: false,
            janitor: Janitor::new(&options.path, options.keep, options.compresses),
            text: Vec::new(),
        };
        lines.begin().map_err(|source| OpenError::File { path: options.path.clone(), source })?;
        lines.janitor.tidy();
        Ok(lines)
    }

    /// Opens the file, cuts off what is left of a record, and writes the format's header to a new one.
    fn begin(&mut self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&self.options.path)?;
        let whole = end_of_whole_lines(&file)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
        }
        if let (0, Some(header)) = (whole, &self.format.header)
            && let Err(error) = writeln!(&file, "{}", (header.line)())
        {
            let _ = file.set_len(0);
            return Err(error);
        }
        let metadata = file.metadata()?;
        self.begun = metadata.created().or(metadata.modified()).unwrap_or_else(|_| SystemTime::now());
        self.file = Some(file);
        Ok(())
    }

    /// Sets the file aside if it is long or old enough, with so many bytes to come.
    fn rotate(&mut self, coming: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return self.begin() };
        let length = file.metadata()?.len();
        let is_long = self.options.max_bytes > 0 && length + coming > self.options.max_bytes;
        let age = self.begun.elapsed().unwrap_or_default();
        let is_old = !self.options.max_age.is_zero() && age >= self.options.max_age;
        let header = self.format.header.as_ref().map_or(0, |header| (header.line)().len() as u64 + 1);
        if length <= header || !(is_long || is_old) {
            return Ok(());
        }
        if self.options.sync != Sync::Never {
            file.sync_data()?;
        }
        fs::rename(&self.options.path, janitor::name_aside(&self.options.path))?;
        (self.file, self.is_unsynced) = (None, false);
        self.begin()?;
        self.janitor.tidy();
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        self.rotate(self.text.len() as u64)?;
        let Some(mut file) = self.file.as_ref() else { return Err(io::ErrorKind::NotFound.into()) };
        let length = file.metadata()?.len();
        let mut written = file.write_all(&self.text);
        if written.is_ok() && self.options.sync == Sync::Each {
            written = file.sync_data();
        }
        if written.is_err() {
            // What cannot be cut off now is when the file is opened the next time.
            if file.set_len(length).is_err() {
                self.file = None;
            }
            return written;
        }
        self.is_unsynced = true;
        Ok(())
    }
}

impl Deliver for Lines {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        self.text.clear();
        as_lines(records, &mut self.text);
        self.append()?;
        all_delivered(records, fates);
        Ok(())
    }

    fn tick(&mut self) {
        if let Sync::Interval(interval) = self.options.sync
            && self.is_unsynced
            && self.synced.elapsed() >= interval
            && let Some(file) = &self.file
        {
            // The system says it again when the file is written to.
            let _ = file.sync_data();
            (self.synced, self.is_unsynced) = (Instant::now(), false);
        }
        // Tried again at the next record.
        let _ = self.rotate(0);
    }

    fn reopen(&mut self) {
        if let Some(file) = self.file.take()
            && self.options.sync != Sync::Never
        {
            let _ = file.sync_data();
        }
        // Tried again at the next record.
        let _ = self.begin();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let (true, Some(file)) = (self.options.sync != Sync::Never, &self.file) {
            let _ = file.sync_data();
        }
    }
}

/// Where the last whole line ends. A file of other lines is never cut by more than one of ours may be long.
fn end_of_whole_lines(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(MAX_LINE_BYTES);
    let mut tail = vec![0; (length - start) as usize];
    file.read_exact_at(&mut tail, start)?;
    Ok(match memchr::memrchr(b'\n', &tail) {
        Some(at) => start + at as u64 + 1,
        None if start == 0 => 0,
        None => length,
    })
}

/// No record is longer.
const MAX_LINE_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::sink::{csv, ecs};
    use crate::time::Timestamp;

    fn record(text: &str) -> Record {
        Record { id: String::new(), time: Timestamp::ZERO, severity: 0, bytes: text.into() }
    }

    fn write(lines: &mut Lines, text: &str) {
        let mut fates = Vec::new();
        lines.deliver(&[&record(text)], &mut fates).expect("writes");
        assert_eq!(fates, [Fate::Delivered]);
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().expect("plain")).collect();
        names.sort();
        names
    }

    fn options(folder: &Path) -> FileOptions {
        FileOptions { path: folder.join("alerts"), ..FileOptions::default() }
    }

    #[test]
    fn what_a_crash_left_of_a_record_is_cut_off() {
        let folder = tempfile::tempdir().expect("folder");
        let options = options(folder.path());
        for (before, after) in [("", "new\n"), ("to", "new\n"), ("one\nto", "one\nnew\n"), ("one\n", "one\nnew\n")] {
            fs::write(&options.path, before).expect("written");
            write(&mut Lines::open(&options, &ecs::FORMAT).expect("opens"), "new");
            assert_eq!(fs::read_to_string(&options.path).expect("readable"), after);
        }
        fs::remove_file(&options.path).expect("removed");
        drop(Lines::open(&options, &ecs::FORMAT).expect("opens"));
        assert_eq!(fs::metadata(&options.path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_long_file_is_set_aside_compressed_and_in_time_removed() {
        use std::io::Read;
        let folder = tempfile::tempdir().expect("folder");
        let options = FileOptions { max_bytes: 100, keep: 3, ..options(folder.path()) };
        let mut lines = Lines::open(&options, &csv::FORMAT).expect("opens");
        let text = "x".repeat(60);
        (0..8).for_each(|_| write(&mut lines, &text));
        drop(lines);
        // What the janitor had no time for is done at the next start.
        drop(Lines::open(&options, &csv::FORMAT).expect("opens"));
        let mut names = names(folder.path());
        assert_eq!(names.remove(0), "alerts");
        assert_eq!(names.len(), 3, "{names:?}");
        for name in &names {
            let path = folder.path().join(name);
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
            let mut text = String::new();
            flate2::read::GzDecoder::new(File::open(&path).expect("opens")).read_to_string(&mut text).expect("gzip");
            assert!(text.starts_with("@timestamp,") && text.lines().count() == 2, "{text}");
        }
    }

    #[test]
    fn an_old_file_is_set_aside_even_when_nothing_comes() {
        let folder = tempfile::tempdir().expect("folder");
        let options =
            FileOptions { max_age: Duration::from_millis(30), compresses: false, keep: 0, ..options(folder.path()) };
        let mut lines = Lines::open(&options, &ecs::FORMAT).expect("opens");
        write(&mut lines, "one");
        std::thread::sleep(Duration::from_millis(60));
        lines.tick();
        lines.tick();
        let names = names(folder.path());
        assert_eq!((names.len(), fs::metadata(&options.path).expect("there").len()), (2, 0), "{names:?}");
        assert_eq!(fs::read_to_string(folder.path().join(&names[1])).expect("readable"), "one\n");
    }

    #[test]
    fn a_file_that_was_moved_is_opened_by_its_name_again() {
        let folder = tempfile::tempdir().expect("folder");
        let options = options(folder.path());
        let mut lines = Lines::open(&options, &ecs::FORMAT).expect("opens");
        write(&mut lines, "one");
        let moved = folder.path().join("moved");
        fs::rename(&options.path, &moved).expect("moved");
        write(&mut lines, "two");
        lines.reopen();
        write(&mut lines, "three");
        assert_eq!(fs::read_to_string(&moved).expect("readable"), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&options.path).expect("readable"), "three\n");
    }
}
