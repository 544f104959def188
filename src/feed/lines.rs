//! [`Lines`]: a feed's lines out of one large buffer, decompressed by content (gzip, zstd), nothing allocated a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::MAX_LINE_BYTES;

/// See the module. Line numbers start at 1.
pub(super) struct Lines {
    input: Box<dyn Read>,
    buffer: Box<[u8]>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    number: u32,
    text_bytes: u64,
    file_bytes: u64,
    packed: bool,
    /// Inside a line that is too long.
    skipping: bool,
    ended: bool,
}

/// One line without its line feed.
#[derive(PartialEq, Eq)]
pub(super) enum Line<'a> {
    Text(&'a [u8]),
    TooLong,
}

crate::bytes::opaque_debug!(Line<'_>, "Line");

impl Lines {
    /// Opens a file, decompressing it if its first bytes say so.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        Self::over(Box::new(file), metadata.len())
    }

    /// Lines of `input`, of which `file_bytes` are expected.
    pub(super) fn over(mut input: Box<dyn Read>, file_bytes: u64) -> io::Result<Self> {
        let mut magic = Vec::with_capacity(4);
        input.by_ref().take(4).read_to_end(&mut magic)?;
        let kind = <[u8; 4]>::try_from(&magic[..]).unwrap_or_default();
        let input = io::Cursor::new(magic).chain(input);
        let (input, packed): (Box<dyn Read>, bool) = match kind {
            [0x1f, 0x8b, ..] => (Box::new(MultiGzDecoder::new(BufReader::with_capacity(INPUT_BYTES, input))), true),
            [0x28, 0xb5, 0x2f, 0xfd] => (Box::new(zstd::Decoder::new(input)?), true),
            _ => (Box::new(input), false),
        };
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Ok(Self {
            input,
            buffer,
            start: 0,
            end: 0,
            number: 0,
            text_bytes: 0,
            file_bytes,
            packed,
            skipping: false,
            ended: false,
        })
    }

    /// The first bytes of the text without a byte order mark. To be called before [`Lines::next`].
    pub(super) fn head(&mut self) -> io::Result<&[u8]> {
        while !self.ended && self.end - self.start < HEAD_BYTES {
            self.fill()?;
        }
        if self.buffer[self.start..self.end].starts_with(b"\xef\xbb\xbf") {
            self.start += 3;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// The next line and its number.
    pub(super) fn next(&mut self) -> io::Result<Option<(u32, Line<'_>)>> {
        let mut scanned = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &unread[scanned..]) {
                let line = self.start..self.start + scanned + at;
                self.start = line.end + 1;
                return Ok(Some(self.finish(line)));
            }
            scanned = unread.len();
            if scanned > MAX_LINE_BYTES {
                self.skipping = true;
                self.start = self.end;
                scanned = 0;
            }
            if self.ended {
                let line = self.start..self.end;
                self.start = self.end;
                return Ok((!line.is_empty() || self.skipping).then(|| self.finish(line)));
            }
            self.fill()?;
        }
    }

    fn finish(&mut self, line: std::ops::Range<usize>) -> (u32, Line<'_>) {
        self.number = self.number.saturating_add(1);
        if std::mem::take(&mut self.skipping) || line.len() > MAX_LINE_BYTES {
            return (self.number, Line::TooLong);
        }
        (self.number, Line::Text(&self.buffer[line]))
    }

    /// The whole text from here on, for formats that are one document. To be called after [`Lines::head`] and instead of
    /// [`Lines::next`].
    pub(super) fn document(&mut self) -> impl BufRead + '_ {
        Document(self)
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.end + REFILL_BYTES > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    self.end += read;
                    self.text_bytes += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// About how many lines there are, judged by the head's mean and the file's size; 0 before [`Lines::head`].
    pub(super) fn expected_lines(&self) -> usize {
        let head = &self.buffer[self.start..self.end];
        if self.ended {
            return memchr::memchr_iter(b'\n', head).count() + 1;
        }
        let mean = head.len() / (memchr::memchr_iter(b'\n', head).count() + 1);
        let text = self.file_bytes.saturating_mul(if self.packed { USUAL_RATIO } else { 1 });
        usize::try_from(text).unwrap_or(usize::MAX).checked_div(mean).unwrap_or(0).min(MAX_EXPECTED)
    }

    /// Lines so far.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Size of the file as it lies on disk.
    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Bytes of text so far, decompressed.
    pub(super) fn text_bytes(&self) -> u64 {
        self.text_bytes
    }
}

/// See [`Lines::document`].
struct Document<'a>(&'a mut Lines);

impl Read for Document<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut unread = self.fill_buf()?;
        let count = unread.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Document<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.0.start == self.0.end && !self.0.ended {
            self.0.fill()?;
        }
        Ok(&self.0.buffer[self.0.start..self.0.end])
    }

    fn consume(&mut self, count: usize) {
        let lines = &mut *self.0;
        let consumed = lines.start..(lines.start + count).min(lines.end);
        lines.start = consumed.end;
        let feeds = memchr::memchr_iter(b'\n', &lines.buffer[consumed]).count();
        lines.number = lines.number.saturating_add(u32::try_from(feeds).unwrap_or(u32::MAX));
    }
}

/// Fits the longest line and what a refill needs.
const BUFFER_BYTES: usize = MAX_LINE_BYTES + 2 * REFILL_BYTES;
/// Room that a read gets at least.
const REFILL_BYTES: usize = 64 * 1024;
/// Compressed input read at once.
const INPUT_BYTES: usize = 64 * 1024;
/// How much of a file is looked at to tell its format.
const HEAD_BYTES: usize = 32 * 1024;
/// What gzip and zstd usually gain on feeds.
const USUAL_RATIO: u64 = 3;
/// Most lines that room is made for beforehand: a file's size is only a claim.
const MAX_EXPECTED: usize = 1 << 24;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// Hands out a few bytes at a time.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(out.len()).min(self.0.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn all(mut lines: Lines) -> Vec<Option<Vec<u8>>> {
        lines.head().expect("reads");
        let mut out = Vec::new();
        while let Some((number, line)) = lines.next().expect("reads") {
            out.push(match line {
                Line::Text(text) => Some(text.to_vec()),
                Line::TooLong => None,
            });
            assert_eq!(number as usize, out.len());
        }
        out
    }

    fn over(text: &[u8], step: usize) -> Vec<Option<Vec<u8>>> {
        all(Lines::over(Box::new(Drip(text.to_vec(), step)), text.len() as u64).expect("opens"))
    }

    #[test]
    fn a_line_too_long_is_one_refusal_and_the_rest_is_read() {
        for over_by in [1, REFILL_BYTES, BUFFER_BYTES * 3] {
            let mut text = b"first\n".to_vec();
            text.extend(vec![b'x'; MAX_LINE_BYTES + over_by]);
            text.extend(b"\nlast");
            assert_eq!(over(&text, 100_000), [Some(b"first".to_vec()), None, Some(b"last".to_vec())], "{over_by}");
        }
        let longest = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(over(&longest, 9999), [Some(longest)]);
    }

    #[test]
    fn compressed_and_marked_text_is_told_by_content() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"\xef\xbb\xbfa\nb").expect("writes");
        let mut two_members = gz.finish().expect("packs");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"c\n").expect("writes");
        two_members.extend(gz.finish().expect("packs"));
        assert_eq!(over(&two_members, 7), [Some(b"a".to_vec()), Some(b"bc".to_vec())]);
        let zst = zstd::encode_all(&b"a\r\nb\n"[..], 1).expect("packs");
        assert_eq!(over(&zst, 1), [Some(b"a\r".to_vec()), Some(b"b".to_vec())]);
        assert!(over(b"", 1).is_empty());
        assert_eq!(over(b"\n", 1), [Some(Vec::new())]);
    }

    #[test]
    fn a_document_is_the_text_from_its_head_on() {
        let text = b"\xef\xbb\xbf{\n\n\"a\": 1}\n".repeat(40_000);
        for step in [1000, 100_000] {
            let mut lines = Lines::over(Box::new(Drip(text.clone(), step)), 0).expect("opens");
            lines.head().expect("reads");
            let mut read = Vec::new();
            lines.document().read_to_end(&mut read).expect("reads");
            assert!(read == text[3..], "{step}");
            assert_eq!(lines.number() as usize, 3 * 40_000);
        }
    }

    #[test]
    fn a_broken_archive_is_an_error_after_what_came_before() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        for number in 0..100_000 {
            writeln!(gz, "{number}").expect("writes");
        }
        let mut packed = gz.finish().expect("packs");
        packed.truncate(400_000);
        let mut lines = Lines::over(Box::new(io::Cursor::new(packed)), 0).expect("opens");
        let error = loop {
            match lines.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was cut off"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(lines.number() > 1000);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_split(text in prop::collection::vec(prop::sample::select(b"a\n\r#".to_vec()), 0..200), step in 1usize..50) {
            let mut split: Vec<_> = text.split(|b| *b == b'\n').map(|l| Some(l.to_vec())).collect();
            if split.last() == Some(&Some(Vec::new())) {
                split.pop();
            }
            prop_assert_eq!(over(&text, step), split);
        }
    }
}
