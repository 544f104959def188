//! [`Dotted`]: a mail as SMTP's `DATA` and POP3's `RETR` carry it: lines, ended by one that is a dot alone, with a dot more before
//! every line that begins with one (RFC 5321, 4.5.2; RFC 1939, 3).

use super::Mail;
use crate::indicator::Seen;
use crate::proto::Probe;

/// A mail that is being carried; see the module.
pub(in crate::proto) struct Dotted {
    /// `None`: not looked at (any more), only its end is looked for.
    mail: Option<Box<Mail>>,
    /// Whether the next byte begins a line.
    begins: bool,
    /// Whether the line before ended as lines must.
    after_crlf: bool,
    /// A line that the end of a chunk cut.
    partial: Vec<u8>,
}

/// What of the bytes on offer is done with.
pub(in crate::proto) enum Took {
    /// So many, and it goes on.
    Some(usize),
    /// So many, and that was its end.
    All(usize),
}

impl Dotted {
    pub(in crate::proto) fn new(mail: Option<Box<Mail>>) -> Box<Self> {
        Box::new(Self { mail, begins: true, after_crlf: true, partial: Vec::new() })
    }

    /// What it has on the heap.
    pub(in crate::proto) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.partial.capacity() + self.mail.as_ref().map_or(0, |mail| mail.memory_bytes())
    }

    /// There is no memory to go on: only its end is looked for.
    pub(in crate::proto) fn shed(&mut self) {
        (self.mail, self.partial) = (None, Vec::new());
    }

    /// The next bytes. The last line is left until it is known that it was not the last before a loss: so whatever of a mail
    /// is not complete is held back somewhere, and counted if it never is.
    ///
    /// A dot between bare line feeds is the end for some servers and not for others. It counts as the end if what follows is
    /// what would follow one (`next`): a mail that is smuggled in so is seen.
    pub(in crate::proto) fn read(&mut self, data: &[u8], next: impl Fn(&[u8]) -> Probe, seen: Seen<'_>) -> Took {
        let mut at = 0;
        while let Some(rest) = data.get(at..) {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                if rest.len() > MAX_LINE_BYTES {
                    self.line(rest.get(..MAX_LINE_BYTES).unwrap_or(rest), seen);
                    self.begins = false;
                    at += MAX_LINE_BYTES;
                    continue;
                }
                break;
            };
            let (line, after) = rest.split_at_checked(end + 1).unwrap_or((rest, b""));
            if self.begins && matches!(line, b".\r\n" | b".\n") {
                match (line, self.after_crlf) {
                    (b".\r\n", true) => return Took::All(at + line.len()),
                    _ if after.is_empty() => break,
                    _ => match next(after) {
                        Probe::Yes => return Took::All(at + line.len()),
                        Probe::Unsure => break,
                        Probe::No => {}
                    },
                }
            } else if after.is_empty() {
                break;
            }
            self.line(line, seen);
            self.begins = true;
            self.after_crlf = line.ends_with(b"\r\n");
            at += line.len();
        }
        Took::Some(at)
    }

    /// The next bytes of a mail whose length is known, dots and all as they are; `ends` if they are the last of a piece. How
    /// many were taken: the last line waits, as in [`Self::read`], but at an end nothing does.
    pub(in crate::proto) fn bytes(&mut self, data: &[u8], ends: bool, seen: Seen<'_>) -> usize {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1).min(MAX_LINE_BYTES);
            let line = rest.get(..length).unwrap_or(rest);
            if line.len() == rest.len() && !ends {
                break;
            }
            self.piece(line, seen);
            at += line.len();
        }
        at
    }

    /// The bytes that were held back when no more came, and the end of what is known of the mail.
    pub(in crate::proto) fn cut(&mut self, held: &[u8], seen: Seen<'_>) {
        self.flush(seen);
        for line in held.split_inclusive(|byte| *byte == b'\n') {
            self.line(line, seen);
            self.begins = line.ends_with(b"\n");
        }
        if let Some(mail) = self.mail.take() {
            mail.finish(false, seen);
        }
    }

    /// See [`Mail::finish`].
    pub(in crate::proto) fn finish(mut self, whole: bool, seen: Seen<'_>) -> Option<&'static str> {
        self.flush(seen);
        self.mail?.finish(whole, seen)
    }

    /// Bytes without stuffed dots: a line, or what there is of one.
    fn piece(&mut self, line: &[u8], seen: Seen<'_>) {
        let Some(mail) = &mut self.mail else { return };
        let ends = line.ends_with(b"\n");
        if self.partial.is_empty() && ends {
            mail.line(line, self.begins, seen);
            self.begins = true;
            return;
        }
        self.partial.extend_from_slice(line);
        if ends || self.partial.len() >= MAX_LINE_BYTES {
            self.flush(seen);
            self.begins = ends;
        }
    }

    fn flush(&mut self, seen: Seen<'_>) {
        if let Some(mail) = &mut self.mail
            && !self.partial.is_empty()
        {
            mail.line(&self.partial, self.begins, seen);
            self.partial.clear();
            self.begins = false;
        }
    }

    fn line(&mut self, line: &[u8], seen: Seen<'_>) {
        let Some(mail) = &mut self.mail else { return };
        let line = if self.begins { line.strip_prefix(b".").unwrap_or(line) } else { line };
        mail.line(line, self.begins, seen);
    }
}

/// Longest line handed on whole: RFC 5321, 4.5.3.1.6 says 1,000 bytes. Only boundaries and header fields need a whole one.
const MAX_LINE_BYTES: usize = 8 * 1024;
