//! [`Disk`]: the folder of a spool. Records are appended to the newest segment; a segment whose records are all delivered is removed.
//!
//! A failed append leaves what was there as it was: the next one is written over it. How far delivery came is kept in `position`, in two
//! places in turn, so that one is whole whenever the machine stops; without it everything is delivered again.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::segment::{self, Reader, Segment};
use super::{Entry, Sync};

/// See the module.
pub(super) struct Disk {
    folder: PathBuf,
    sync: Sync,
    segment_bytes: u64,
    /// The oldest first; the last is written to if `active` is there.
    segments: VecDeque<Segment>,
    active: Option<File>,
    reader: Option<(u64, Reader)>,
    /// Where the next record is read: the segment's first number, and the place in it.
    at: (u64, u64),
    /// Number of the next record to be read.
    pub(super) cursor: u64,
    position: File,
    position_slot: u64,
    encoded: Vec<u8>,
    is_unsynced: bool,
    /// Of what was found when it was opened.
    pub(super) found: Found,
    lock: File,
}

/// What a spool was like when it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Records that wait to be delivered.
    pub records: u64,
    /// Bytes that hold no whole record: the end of what a crash cut off, or damage.
    pub damaged_bytes: u64,
}

/// What came of an append.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    Kept,
    /// Longer than any record may be.
    TooLong,
}

const POSITION_BYTES: u64 = 16;

/// A segment that is written to is not removed before it is so long.
const MIN_REMOVED_BYTES: u64 = 256 << 10;

impl Disk {
    /// Opens or makes the folder, and finds what is undelivered in it.
    pub(super) fn open(folder: &Path, segment_bytes: u64, sync: Sync) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let open = |name: &str| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(folder.join(name))
        };
        let lock = open("lock")?;
        lock.try_lock().map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another process has this spool"))?;
        let position = open("position")?;
        let (slot, reached) = read_position(&position);
        let mut disk = Self {
            folder: folder.to_owned(),
            sync,
            segment_bytes,
            segments: VecDeque::new(),
            active: None,
            reader: None,
            at: (0, segment::START),
            cursor: reached,
            position,
            position_slot: slot,
            encoded: Vec::new(),
            is_unsynced: false,
            found: Found::default(),
            lock,
        };
        disk.find(reached)?;
        Ok(disk)
    }

    fn find(&mut self, reached: u64) -> io::Result<()> {
        let names = fs::read_dir(&self.folder)?.filter_map(Result::ok).map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
        paths.sort();
        for path in paths {
            let (segment, damaged) = match segment::scan(&path) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    // Of another version, or not ours: no record of it is known, and it is not ours to remove.
                    self.found.damaged_bytes += fs::metadata(&path)?.len();
                    fs::rename(&path, path.with_extension("damaged"))?;
                    continue;
                }
                scanned => scanned?,
            };
            self.found.damaged_bytes += damaged;
            match segment {
                Some(segment) if segment.last >= reached => {
                    self.found.records += undelivered(&path, &segment, reached)?;
                    self.segments.push_back(segment);
                }
                _ => fs::remove_file(&path)?,
            }
        }
        self.rewind();
        Ok(())
    }

    fn rewind(&mut self) {
        self.at = (self.segments.front().map_or(0, |segment| segment.first), segment::START);
        self.reader = None;
    }

    /// One more than the greatest number that it holds or has delivered.
    pub(super) fn next_sequence(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.last + 1).max(self.cursor)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// When the oldest record was queued that may be undelivered.
    pub(super) fn oldest_queued_ms(&self) -> Option<u64> {
        self.segments.front().map(|segment| segment.queued_ms)
    }

    /// Keeps a record. After an error nothing of it is kept.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<Appended> {
        self.encoded.clear();
        if !segment::encode(entry, &mut self.encoded) {
            return Ok(Appended::TooLong);
        }
        let length = self.encoded.len() as u64;
        let is_full = self.segments.back().is_some_and(|last| last.bytes + length > self.segment_bytes);
        if self.active.is_none() || is_full {
            self.begin(entry)?;
        }
        let (Some(file), Some(segment)) = (&self.active, self.segments.back_mut()) else {
            return Ok(Appended::TooLong);
        };
        let written = file.write_all_at(&self.encoded, segment.bytes);
        let written = written.and_then(|()| if self.sync == Sync::Each { file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            // What was written of it would be read as damage; if it cannot be taken back the next record is written over it.
            let _ = file.set_len(segment.bytes);
            return Err(error);
        }
        if segment.records == 0 {
            (segment.first, segment.queued_ms) = (entry.sequence, entry.queued_ms);
        }
        (segment.last, segment.bytes) = (entry.sequence, segment.bytes + length);
        segment.records += 1;
        self.is_unsynced = true;
        Ok(Appended::Kept)
    }

    fn begin(&mut self, entry: &Entry) -> io::Result<()> {
        if let Some(file) = self.active.take()
            && self.sync != Sync::Never
        {
            file.sync_data()?;
        }
        if self.segments.back().is_some_and(|segment| segment.records == 0) {
            self.remove(self.segments.len() - 1);
        }
        let path = self.folder.join(format!("{:020}.seg", entry.sequence));
        let file = segment::create(&path)?;
        if self.sync != Sync::Never
            && let Err(error) = File::open(&self.folder).and_then(|folder| folder.sync_data())
        {
            // Its name may not outlive a power cut, and the file would stand in the way of the next try.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.active = Some(file);
        if self.segments.is_empty() {
            self.at = (entry.sequence, segment::START);
        }
        self.segments.push_back(Segment {
            path,
            first: entry.sequence,
            last: entry.sequence,
            records: 0,
            bytes: segment::START,
            queued_ms: entry.queued_ms,
        });
        Ok(())
    }

    /// Brings what was appended to the disk itself; what is to be synchronised is returned, to be done without holding anybody up.
    pub(super) fn unsynced(&mut self) -> Option<File> {
        if !std::mem::take(&mut self.is_unsynced) || self.sync == Sync::Never {
            return None;
        }
        self.active.as_ref().and_then(|file| file.try_clone().ok())
    }

    /// The next record to be delivered; `None` if there is none. Damage is stepped over with the rest of its segment.
    pub(super) fn read(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some(number) = self.segments.iter().position(|segment| segment.first >= self.at.0) else {
                return Ok(None);
            };
            let segment = &self.segments[number];
            if segment.first != self.at.0 {
                self.at = (segment.first, segment::START);
            }
            let (first, end) = (segment.first, segment.bytes);
            if self.reader.as_ref().is_none_or(|(of, _)| *of != first) {
                self.reader = Some((first, Reader::new(File::open(&segment.path)?)));
            }
            let Some((_, reader)) = &mut self.reader else { return Ok(None) };
            let read = match reader.next(self.at.1, end)? {
                // It may have been read ahead before it was written.
                None if self.at.1 < end => {
                    reader.forget();
                    reader.next(self.at.1, end)?
                }
                read => read,
            };
            match read {
                Some(read) => {
                    self.at.1 = read.end;
                    if read.entry.sequence < self.cursor {
                        continue;
                    }
                    self.cursor = read.entry.sequence + 1;
                    return Ok(Some(read.entry));
                }
                None if self.at.1 < end => {
                    self.found.damaged_bytes += end - self.at.1;
                    self.at.1 = end;
                }
                None => match self.segments.get(number + 1) {
                    Some(next) => self.at = (next.first, segment::START),
                    None => return Ok(None),
                },
            }
        }
    }

    /// Everything before `sequence` is delivered: segments that hold nothing else go.
    pub(super) fn delivered(&mut self, sequence: u64) -> io::Result<()> {
        let is_done = |segment: &Segment| segment.records > 0 && segment.last < sequence;
        // A short one that is still written to stays: a file for each record would cost more than it holds.
        let stays = |disk: &Self, segment: &Segment| {
            disk.segments.len() == 1
                && disk.active.is_some()
                && segment.bytes < MIN_REMOVED_BYTES.min(disk.segment_bytes)
        };
        while self.segments.front().is_some_and(|segment| is_done(segment) && !stays(self, segment)) {
            self.remove(0);
        }
        let mut slot = [0; POSITION_BYTES as usize];
        slot[..8].copy_from_slice(&sequence.to_le_bytes());
        let sum = crc32fast::hash(&slot[..8]);
        slot[8..12].copy_from_slice(&sum.to_le_bytes());
        self.position_slot ^= 1;
        self.position.write_all_at(&slot, self.position_slot * POSITION_BYTES)
    }

    /// Gives up the oldest segment that no record at `in_flight` or behind it lies in, to make room; how many records were undelivered in it,
    /// or `None` if there is none to give up.
    pub(super) fn give_up_oldest(&mut self, in_flight: Option<u64>) -> Option<u64> {
        let is_in_flight = |segment: &Segment| in_flight.is_some_and(|at| segment.first <= at && at <= segment.last);
        let number = self.segments.iter().position(|segment| segment.records > 0 && !is_in_flight(segment))?;
        let segment = &self.segments[number];
        let lost = if segment.first >= self.cursor {
            segment.records
        } else {
            undelivered(&segment.path, segment, self.cursor).unwrap_or(segment.records)
        };
        self.remove(number);
        Some(lost)
    }

    fn remove(&mut self, number: usize) {
        if number + 1 == self.segments.len() {
            self.active = None;
        }
        if let Some(segment) = self.segments.remove(number) {
            // One that stays is found when the spool is opened the next time, and removed then.
            let _ = fs::remove_file(&segment.path);
            if self.reader.as_ref().is_some_and(|(of, _)| *of == segment.first) {
                self.reader = None;
            }
        }
    }

    /// Brings everything to the disk itself.
    pub(super) fn close(&mut self) {
        if self.sync != Sync::Never {
            let _ = self.active.as_ref().map(File::sync_data);
            let _ = self.position.sync_data();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Closing the file would do, but for a child of the process that has not begun its program yet: it has the file too.
        let _ = self.lock.unlock();
    }
}

/// How often a spool that is synchronised at intervals is.
pub(super) fn interval(sync: Sync) -> Option<Duration> {
    match sync {
        Sync::Interval(interval) => Some(interval),
        Sync::Never | Sync::Each => None,
    }
}

fn undelivered(path: &Path, segment: &Segment, reached: u64) -> io::Result<u64> {
    if segment.first >= reached {
        return Ok(segment.records);
    }
    let mut reader = Reader::new(File::open(path)?);
    let (mut at, mut count) = (segment::START, 0);
    while let Some(read) = reader.next(at, segment.bytes)? {
        count += u64::from(read.entry.sequence >= reached);
        at = read.end;
    }
    Ok(count)
}

/// The newer of both places, and what it says.
fn read_position(file: &File) -> (u64, u64) {
    let read = |slot: u64| {
        let mut bytes = [0; 12];
        file.read_exact_at(&mut bytes, slot * POSITION_BYTES).ok()?;
        let (number, sum) = bytes.split_at(8);
        (sum == crc32fast::hash(number).to_le_bytes()).then(|| number.try_into().map(u64::from_le_bytes).unwrap_or(0))
    };
    match (read(0), read(1)) {
        (None, None) => (0, 0),
        (first, second) if first >= second => (0, first.unwrap_or(0)),
        (_, second) => (1, second.unwrap_or(0)),
    }
}
