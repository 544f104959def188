//! One file of a spool: a header, then records, each with its length and checksum in front. What is not whole or not as it was written is never
//! taken for a record.
//!
//! ```text
//! file    "PICKETQ1" record*
//! record  length:u32 checksum:u32 body         length is that of the body, the checksum (CRC-32) is over length and body
//! body    sequence:u64 queued_ms:u64 time_ns:u64 severity:u8 id_length:u8 id bytes
//! ```
//!
//! All numbers are little-endian. Bytes behind the last whole record of a file are what a crash left of a record that nobody was told is kept.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Entry;
use crate::sink::Record;
use crate::time::Timestamp;

/// A segment as its spool knows it.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Sequence number of its first record.
    pub(super) first: u64,
    /// Of its last; records are in order, some numbers may be missing.
    pub(super) last: u64,
    pub(super) records: u64,
    /// Up to the end of its last whole record.
    pub(super) bytes: u64,
    /// When its first record was queued, in milliseconds since the Unix epoch.
    pub(super) queued_ms: u64,
}

/// Sequence number, and where the next record begins.
pub(super) struct Read {
    pub(super) entry: Entry,
    pub(super) end: u64,
}

const MAGIC: [u8; 8] = *b"PICKETQ1";

/// Length and checksum.
const HEAD_BYTES: usize = 8;

/// Of a body without id and bytes.
const FIXED_BYTES: usize = 26;

/// Longest body. An alert is some kilobytes; a length beyond this is damage.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;

/// Where the first record of a file begins.
pub(super) const START: u64 = MAGIC.len() as u64;

/// Reads of a file are this long at least.
const CHUNK_BYTES: usize = 64 << 10;

/// Makes the file of a segment, readable for nobody else.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    if let Err(error) = file.write_all_at(&MAGIC, 0) {
        // Nothing is in it, and it would stand in the way of the next try.
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    Ok(file)
}

/// Appends a record to `out` as a segment holds it; false if it is too long for one.
pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) -> bool {
    let record = &entry.record;
    let length = FIXED_BYTES + record.id.len() + record.bytes.len();
    let (Ok(id_length), true) = (u8::try_from(record.id.len()), length <= MAX_BODY_BYTES) else { return false };
    let start = out.len();
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&entry.sequence.to_le_bytes());
    out.extend_from_slice(&entry.queued_ms.to_le_bytes());
    out.extend_from_slice(&record.time.as_ns().to_le_bytes());
    out.extend_from_slice(&[record.severity, id_length]);
    out.extend_from_slice(record.id.as_bytes());
    out.extend_from_slice(&record.bytes);
    let sum = checksum(&out[start..start + 4], &out[start + HEAD_BYTES..]);
    out[start + 4..start + HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
    true
}

/// Bytes that a record takes in a segment.
pub(super) fn encoded_bytes(record: &Record) -> u64 {
    (HEAD_BYTES + FIXED_BYTES + record.id.len() + record.bytes.len()) as u64
}

/// Looks through a file; `None` if it holds no whole record. The second value counts bytes behind the last whole one. A file that is no segment at
/// all is an error of its own, [`io::ErrorKind::InvalidData`].
pub(super) fn scan(path: &Path) -> io::Result<(Option<Segment>, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = Reader::new(file);
    let mut magic = [0; MAGIC.len()];
    match reader.file.read_exact_at(&mut magic, 0) {
        Ok(()) if magic == MAGIC => {}
        Ok(()) => return Err(io::ErrorKind::InvalidData.into()),
        Err(_) => return Ok((None, length)),
    }
    let mut found: Option<Segment> = None;
    let mut at = START;
    while let Some(Read { entry, end }) = reader.next(at, length)? {
        let segment = found.get_or_insert_with(|| Segment {
            path: path.to_owned(),
            first: entry.sequence,
            last: entry.sequence,
            records: 0,
            bytes: START,
            queued_ms: entry.queued_ms,
        });
        if segment.records > 0 && entry.sequence <= segment.last {
            break;
        }
        (segment.last, segment.bytes) = (entry.sequence, end);
        segment.records += 1;
        at = end;
    }
    Ok((found, length - at))
}

/// Reads records of a file one after the other, with few calls.
pub(super) struct Reader {
    file: File,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
}

impl Reader {
    pub(super) fn new(file: File) -> Self {
        Self { file, buffer: Vec::new(), start: 0 }
    }

    /// The record at `at`; `None` if none is whole before `limit`.
    pub(super) fn next(&mut self, at: u64, limit: u64) -> io::Result<Option<Read>> {
        let left = limit.saturating_sub(at);
        if left < (HEAD_BYTES + FIXED_BYTES) as u64 {
            return Ok(None);
        }
        let Some(head) = self.bytes(at, HEAD_BYTES)? else { return Ok(None) };
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if !(FIXED_BYTES..=MAX_BODY_BYTES).contains(&length) || left < (HEAD_BYTES + length) as u64 {
            return Ok(None);
        }
        let Some(whole) = self.bytes(at, HEAD_BYTES + length)? else { return Ok(None) };
        Ok(decode(whole).map(|entry| Read { entry, end: at + (HEAD_BYTES + length) as u64 }))
    }

    fn bytes(&mut self, at: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let have =
            |reader: &Self| at >= reader.start && at + length as u64 <= reader.start + reader.buffer.len() as u64;
        if !have(self) {
            self.buffer.resize(length.max(CHUNK_BYTES), 0);
            self.start = at;
            let mut filled = 0;
            while filled < self.buffer.len() {
                match self.file.read_at(&mut self.buffer[filled..], at + filled as u64) {
                    Ok(0) => break,
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.buffer.clear();
                        return Err(error);
                    }
                }
            }
            self.buffer.truncate(filled);
        }
        let from = (at - self.start) as usize;
        Ok(self.buffer.get(from..from + length))
    }

    /// Forgets what was read ahead: the file has grown.
    pub(super) fn forget(&mut self) {
        self.buffer.clear();
    }
}

fn decode(whole: &[u8]) -> Option<Entry> {
    let (head, body) = whole.split_at(HEAD_BYTES);
    if head[4..] != checksum(&head[..4], body).to_le_bytes() {
        return None;
    }
    let number = |at: usize| body.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let id_end = FIXED_BYTES + usize::from(body[25]);
    let record = Record {
        id: String::from_utf8(body.get(FIXED_BYTES..id_end)?.to_vec()).ok()?,
        time: Timestamp::from_ns(number(16)?),
        severity: body[24],
        bytes: body.get(id_end..)?.to_vec(),
    };
    Some(Entry { sequence: number(0)?, queued_ms: number(8)?, record })
}

fn checksum(length: &[u8], body: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(length);
    hash.update(body);
    hash.finalize()
}
