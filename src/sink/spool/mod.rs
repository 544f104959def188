//! [`Spool`]: the queue of an output: records wait here until the destination has them. On disk, where they outlive the process, or in memory
//! alone; bounded either way, and every record that is given up is counted.
//!
//! [`Spool::push`] returns when the record is kept: on disk it is then in the file (how soon on the medium is [`Sync`]). While the disk takes
//! nothing records wait in memory, and go to the disk once it does. They come out in the order they went in, each until [`Spool::done`]: a
//! process that ends before that delivers them again.

mod disk;
mod segment;
#[cfg(test)]
mod tests;

pub use disk::Found;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::disk::{Appended, Disk};
use super::Record;

/// How a spool keeps records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolOptions {
    /// A folder of its own; without one records wait in memory alone.
    pub folder: Option<PathBuf>,
    /// Most bytes on disk.
    pub max_bytes: u64,
    /// Most bytes in memory: of the whole queue without a folder, else of what the disk does not take.
    pub memory_bytes: usize,
    /// What gives way when it is full.
    pub when_full: WhenFull,
    /// When records are brought to the medium itself.
    pub sync: Sync,
}

/// What gives way in a full queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// What has waited longest.
    #[default]
    DropOldest,
    /// What comes.
    DropNewest,
}

/// When what was written is brought to the medium itself, so that it outlives a power cut too. What was written outlives the process in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// When the system likes.
    Never,
    /// So often.
    Interval(Duration),
    /// Before a record counts as kept.
    Each,
}

/// A record that waits.
#[derive(Clone)]
pub struct Entry {
    /// Its number in the queue.
    pub sequence: u64,
    /// When it was queued, in milliseconds since the Unix epoch.
    pub queued_ms: u64,
    /// It.
    pub record: Record,
}

crate::bytes::opaque_debug!(Entry, "Entry");

/// See the module.
pub struct Spool {
    options: SpoolOptions,
    disk: Option<Disk>,
    memory: VecDeque<Entry>,
    memory_bytes: usize,
    next_sequence: u64,
    /// Taken and not done: the number of the first.
    in_flight: Option<(u64, u64)>,
    counts: SpoolCounts,
}

/// What became of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolCounts {
    /// Kept, now or when it was opened, and neither done nor dropped.
    pub waiting: u64,
    /// Given up because the queue was full, or too long to be kept.
    pub dropped: u64,
    /// Kept in memory because the disk did not take them.
    pub spilled: u64,
    /// What the disk said last, as long as it takes nothing.
    pub trouble: Option<io::ErrorKind>,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            folder: None,
            max_bytes: 256 << 20,
            memory_bytes: 16 << 20,
            when_full: WhenFull::default(),
            sync: Sync::Interval(Duration::from_secs(1)),
        }
    }
}

impl Spool {
    /// Opens it, with what an earlier process left.
    ///
    /// # Errors
    /// A folder that cannot be made or read, or that another process has.
    pub fn open(options: SpoolOptions) -> io::Result<Self> {
        let segment_bytes = (options.max_bytes / SEGMENTS).clamp(MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES);
        let disk = match &options.folder {
            Some(folder) => Some(Disk::open(folder, segment_bytes, options.sync)?),
            None => None,
        };
        let waiting = disk.as_ref().map_or(0, |disk| disk.found.records);
        Ok(Self {
            next_sequence: disk.as_ref().map_or(0, Disk::next_sequence),
            options,
            disk,
            memory: VecDeque::new(),
            memory_bytes: 0,
            in_flight: None,
            counts: SpoolCounts { waiting, ..SpoolCounts::default() },
        })
    }

    /// Keeps a record; false if it was dropped instead.
    pub fn push(&mut self, record: Record) -> bool {
        let entry = Entry { sequence: self.next_sequence, queued_ms: now_ms(), record };
        self.next_sequence += 1;
        self.counts.waiting += 1;
        self.settle();
        if self.disk.is_none() || !self.memory.is_empty() {
            return self.remember(entry);
        }
        match self.append(&entry) {
            Ok(is_kept) => {
                self.counts.trouble = None;
                if !is_kept {
                    self.drop_records(1);
                }
                is_kept
            }
            Err(error) => {
                self.counts.trouble = Some(error.kind());
                self.remember(entry)
            }
        }
    }

    /// Brings what waits in memory to the disk, as far as it takes it.
    pub fn settle(&mut self) {
        while self.disk.is_some()
            && let Some(entry) = self.memory.pop_front()
        {
            match self.append(&entry) {
                Ok(is_kept) => {
                    self.memory_bytes -= cost(&entry);
                    self.counts.trouble = None;
                    if !is_kept {
                        self.drop_records(1);
                    }
                }
                Err(error) => {
                    self.counts.trouble = Some(error.kind());
                    self.memory.push_front(entry);
                    return;
                }
            }
        }
    }

    /// Takes records, the oldest first, up to so many of them and of their bytes (but one in any case). What was taken before must be done.
    ///
    /// # Errors
    /// A disk that cannot be read.
    pub fn take(&mut self, max_records: usize, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while taken.len() < max_records && bytes < max_bytes {
            let from_disk = match self.disk.as_mut().map(Disk::read) {
                Some(Err(error)) if taken.is_empty() => return Err(error),
                // What waits in memory comes after it.
                Some(Err(_)) => break,
                Some(Ok(entry)) => entry,
                None => None,
            };
            let Some(entry) = from_disk.or_else(|| self.recall()) else { break };
            bytes += entry.record.bytes.len();
            taken.push(entry);
        }
        self.in_flight = taken.first().map(|first| (first.sequence, first.queued_ms));
        Ok(taken)
    }

    /// What was taken is delivered, or put aside for good.
    pub fn done(&mut self, taken: &[Entry]) {
        self.counts.waiting = self.counts.waiting.saturating_sub(taken.len() as u64);
        self.in_flight = None;
        if let (Some(disk), Some(last)) = (&mut self.disk, taken.last())
            && let Err(error) = disk.delivered(last.sequence + 1)
        {
            // They are delivered a second time if the process ends before it works.
            self.counts.trouble = Some(error.kind());
        }
        self.settle();
    }

    /// Whether a record can be kept and none given up for it.
    pub fn has_room(&self, record: &Record) -> bool {
        match &self.disk {
            Some(disk) if self.memory.is_empty() && self.counts.trouble.is_none() => {
                disk.bytes() + segment::encoded_bytes(record) <= self.options.max_bytes
            }
            _ => self.memory_bytes + MIN_COST_BYTES + record.bytes.len() <= self.options.memory_bytes,
        }
    }

    /// What became of records.
    pub fn counts(&self) -> SpoolCounts {
        self.counts
    }

    /// Bytes on disk and in memory.
    pub fn bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, Disk::bytes) + self.memory_bytes as u64
    }

    /// How long the oldest record that waits has waited.
    pub fn age(&self) -> Option<Duration> {
        if self.counts.waiting == 0 {
            return None;
        }
        let on_disk = self.disk.as_ref().and_then(Disk::oldest_queued_ms);
        let oldest = self.in_flight.map(|(_, queued_ms)| queued_ms).or(on_disk);
        let oldest = oldest.or(self.memory.front().map(|entry| entry.queued_ms))?;
        Some(Duration::from_millis(now_ms().saturating_sub(oldest)))
    }

    /// What was there when it was opened, and what of it was damaged.
    pub fn found(&self) -> Found {
        self.disk.as_ref().map_or_else(Found::default, |disk| disk.found)
    }

    /// A file to be synchronised now, by whoever has the time: at the interval of [`Sync::Interval`].
    pub fn unsynced(&mut self) -> Option<File> {
        self.disk.as_mut().and_then(Disk::unsynced)
    }

    /// How often [`Spool::unsynced`] is to be asked.
    pub fn sync_interval(&self) -> Option<Duration> {
        self.disk.as_ref().and_then(|_| disk::interval(self.options.sync))
    }

    /// Ends it; what it cannot keep for the next process is counted as dropped.
    pub fn close(&mut self) -> SpoolCounts {
        self.settle();
        let lost = match &mut self.disk {
            Some(disk) => {
                disk.close();
                self.memory.len() as u64
            }
            None => self.counts.waiting,
        };
        self.drop_records(lost);
        self.memory.clear();
        self.memory_bytes = 0;
        self.counts
    }

    /// On disk, with room made for it if that is allowed; false if it has to be dropped.
    fn append(&mut self, entry: &Entry) -> io::Result<bool> {
        let length = segment::encoded_bytes(&entry.record);
        loop {
            let Some(disk) = &mut self.disk else { return Ok(false) };
            if disk.bytes() + length <= self.options.max_bytes {
                return Ok(disk.append(entry)? == Appended::Kept);
            }
            let lost = match self.options.when_full {
                WhenFull::DropOldest => disk.give_up_oldest(self.in_flight.map(|(first, _)| first)),
                WhenFull::DropNewest => None,
            };
            match lost {
                Some(lost) => self.drop_records(lost),
                None => return Ok(false),
            }
        }
    }

    fn remember(&mut self, entry: Entry) -> bool {
        let needed = cost(&entry);
        while self.memory_bytes + needed > self.options.memory_bytes {
            let oldest = match self.options.when_full {
                WhenFull::DropOldest => self.memory.pop_front(),
                WhenFull::DropNewest => None,
            };
            self.drop_records(1);
            match oldest {
                Some(oldest) => self.memory_bytes -= cost(&oldest),
                None => return false,
            }
        }
        self.counts.spilled += u64::from(self.disk.is_some());
        self.memory_bytes += needed;
        self.memory.push_back(entry);
        true
    }

    fn recall(&mut self) -> Option<Entry> {
        let entry = self.memory.pop_front()?;
        self.memory_bytes -= cost(&entry);
        Some(entry)
    }

    fn drop_records(&mut self, lost: u64) {
        self.counts.dropped += lost;
        self.counts.waiting = self.counts.waiting.saturating_sub(lost);
    }
}

/// What an entry takes of memory.
fn cost(entry: &Entry) -> usize {
    size_of::<Entry>() + entry.record.id.capacity() + entry.record.bytes.capacity()
}

/// About what an entry takes beside its bytes.
const MIN_COST_BYTES: usize = 256;

/// The only time that is not a packet's: how long something waits is asked by people.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

/// Files that a full spool has: what gives way at once when it is full is one of them.
const SEGMENTS: u64 = 16;

/// Shorter files would cost more than they hold.
const MIN_SEGMENT_BYTES: u64 = 16 << 10;

/// Longer files would keep what is delivered for too long.
const MAX_SEGMENT_BYTES: u64 = 8 << 20;
