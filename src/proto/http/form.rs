//! [`Form`]: the parts of a `multipart/form-data` body (RFC 7578, RFC 2046 5.1) that have a file name, as files.
//!
//! Streams: it keeps one part's head ([`MAX_HEAD_BYTES`]) or as many bytes as may begin a delimiter, never a part.

use memchr::memmem;

use super::name;
use crate::indicator::{Field, Seen};
use crate::proto::file::{self, File, MAX_NAME_BYTES, Wants};

/// See the module.
pub(super) struct Form {
    wants: Wants,
    /// `\r\n--boundary`.
    delimiter: Box<[u8]>,
    /// Bytes not used yet: of a head, or what may be the start of a delimiter.
    held: Vec<u8>,
    place: Place,
    file: Option<Box<File>>,
    name: Box<[u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a delimiter: in a part's content, or before the first part.
    Content,
    /// After a delimiter: two dashes end the form, anything else is blanks and a line end.
    Delimiter,
    Head,
    Over,
}

impl Form {
    /// Parts are told apart by `boundary`, of at most [`MAX_BOUNDARY_BYTES`].
    pub(super) fn new(boundary: &[u8], wants: Wants) -> Self {
        let delimiter = [b"\r\n--", boundary].concat().into();
        // The first delimiter may be the first line: pretend that a line end came before.
        Self { wants, delimiter, held: b"\r\n".to_vec(), place: Place::Content, file: None, name: Box::default() }
    }

    /// The next bytes. `with` is what is known of the whole form.
    pub(super) fn push(&mut self, bytes: &[u8], with: &[Field<'_>], seen: Seen<'_>) {
        if self.place == Place::Over {
            return;
        }
        let mut buffer = std::mem::take(&mut self.held);
        buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(used) = self.step(buffer.get(at..).unwrap_or(&[]), with, seen) {
            at += used;
        }
        buffer.drain(..at.min(buffer.len()));
        self.held = if self.place == Place::Over { Vec::new() } else { buffer };
    }

    /// Whether the last delimiter came: what is before it is whole.
    pub(super) fn is_over(&self) -> bool {
        self.place == Place::Over
    }

    /// What it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.held.capacity() + self.delimiter.len() + self.name.len() + File::memory_bytes()
    }

    /// Uses some of `data`; `None` if there is nothing more to be done with it.
    fn step(&mut self, data: &[u8], with: &[Field<'_>], seen: Seen<'_>) -> Option<usize> {
        match self.place {
            Place::Content => self.content(data, with, seen),
            Place::Delimiter => match data {
                [b'-', b'-', ..] => {
                    self.place = Place::Over;
                    Some(data.len())
                }
                [] | [b'-'] => None,
                _ => {
                    let line_end = memchr::memchr(b'\n', data);
                    if line_end.is_some() {
                        self.place = Place::Head;
                    }
                    // A delimiter is alone on its line but for blanks: nothing there need be kept.
                    line_end.map(|at| at + 1).or((data.len() > 1).then(|| data.len() - 1))
                }
            },
            Place::Head => {
                let bare = data.starts_with(b"\r\n").then_some(2);
                let end = bare.or_else(|| memmem::find(data, b"\r\n\r\n").map(|at| at + 4));
                let end = end.or((data.len() > MAX_HEAD_BYTES).then_some(MAX_HEAD_BYTES))?;
                self.begin(data.get(..end).unwrap_or(data), with, seen);
                self.place = Place::Content;
                Some(end)
            }
            Place::Over => None,
        }
    }

    /// A part begins; without a file name it is a field of the form and no file.
    fn begin(&mut self, head: &[u8], with: &[Field<'_>], seen: Seen<'_>) {
        let mut decoded = [0; MAX_NAME_BYTES];
        let found = head.split(|byte| *byte == b'\n').find_map(|line| {
            let (field, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
            let value = value.get(1..)?.trim_ascii();
            field.trim_ascii().eq_ignore_ascii_case(b"content-disposition").then_some(value)
        });
        let Some(found) = found.and_then(|value| name::of_disposition(value, &mut decoded)) else { return };
        file::name(self.wants, found, with, seen);
        let found = file::base_name(found);
        self.name = found.get(..found.len().min(MAX_NAME_BYTES)).unwrap_or(&[]).into();
        self.file = File::begin(self.wants);
    }

    fn content(&mut self, data: &[u8], with: &[Field<'_>], seen: Seen<'_>) -> Option<usize> {
        if let Some(at) = memmem::find(data, &self.delimiter) {
            self.take(data.get(..at).unwrap_or(&[]), seen);
            if let Some(file) = self.file.take() {
                file.complete((!self.name.is_empty()).then_some(&*self.name), with, seen);
            }
            self.place = Place::Delimiter;
            return Some(at + self.delimiter.len());
        }
        let sure = data.len().saturating_sub(self.delimiter.len() - 1);
        self.take(data.get(..sure).unwrap_or(&[]), seen);
        (sure > 0).then_some(sure)
    }

    fn take(&mut self, bytes: &[u8], seen: Seen<'_>) {
        if let Some(file) = &mut self.file {
            file.push(bytes, seen);
        }
    }
}

/// Longest boundary (RFC 2046, 5.1.1), and some.
pub(super) const MAX_BOUNDARY_BYTES: usize = 128;

/// Longest head of a part: a name and a media type.
const MAX_HEAD_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::testing::text_of;

    const BODY: &str = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--XX\r\n\
        content-disposition: form-data; name=\"f\"; filename=\"C:\\a\\Evil.EXE\"\r\nContent-Type: text/plain\r\n\r\nab\r\n-c\r\n--XX \r\n\
        \r\nno head\r\n--XX\r\nContent-Disposition: form-data; filename=empty\r\n\r\n\r\n--XX--\r\nepilogue";

    fn parts(body: &str, size: usize) -> (Vec<String>, bool) {
        let wants = Wants { md5: true, name: true, ..Wants::NONE };
        let (mut form, mut out) = (Form::new(b"XX", wants), Vec::new());
        for piece in body.as_bytes().chunks(size) {
            form.push(piece, &[], &mut |o| out.push(text_of(&o)));
            assert!(form.memory_bytes() < 2 * MAX_HEAD_BYTES + 2048);
        }
        (out, form.is_over())
    }

    #[test]
    fn parts_with_a_file_name_are_files() {
        // MD5 of "ab\r\n-c".
        let expected = [
            "file-name file.name evil.exe",
            "file file.hash.md5 5dea7f5dda825422a4fff3c2105b2ff9",
            "file-name file.name empty",
        ];
        for size in 1..BODY.len() {
            let (seen, is_over) = parts(BODY, size);
            assert_eq!(seen, expected, "in pieces of {size}");
            assert!(is_over);
        }
    }

    #[test]
    fn a_part_that_does_not_end_is_none() {
        let cut = BODY.find("-c").unwrap_or(0);
        assert_eq!(parts(&BODY[..cut], 7), (vec!["file-name file.name evil.exe".to_owned()], false));
        let endless = format!("--XX\r\n{}", "a".repeat(100_000));
        assert_eq!(parts(&endless, 1000), (vec![], false));
        assert_eq!(parts(&format!("--XX{}", "a".repeat(100_000)), 1000), (vec![], false));
    }
}
