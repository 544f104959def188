//! A mail as SMTP, IMAP and POP3 carry it (RFC 5322, RFC 2045 to 2049): its addresses, subject and hosts, its attachments'
//! names, digests and content, and the links in its text, as observables. What all three parsers share.
//!
//! [`Mail`] is handed the mail line by line and keeps none of it: only the header block that is being read
//! ([`MAX_HEAD_BYTES`]), the boundaries around it ([`MAX_DEPTH`]), a window of the text that links are looked for in and a
//! digest in progress ([`Mail::memory_bytes`], which parsers account for). So mails and attachments may have any size, and a hostile one costs time in proportion to its length.
//! Header fields are read by a kept library (`mail-parser`); the structure is walked here, because that library wants whole
//! mails in memory and takes quadratic time, or deep recursion, for some.
//!
//! A part that its mail ends in (a gap, a flow that ends) has no digest. Not covered: parts in `message/partial` or `uuencode`,
//! mails in mails that are encoded (they are files), encrypted parts (S/MIME, PGP: they are files), links in encoded words
//! and in files other than text and HTML, and what stands before the first and after the last boundary.

mod decode;
mod dotted;
mod head;
mod links;
mod steps;
#[cfg(test)]
pub(super) mod tests;

use mail_parser::MessageParser;
use std::sync::LazyLock;

use super::file::{self, File, Wants};
use crate::indicator::kind::url::{self, Parts};
use crate::indicator::kind::{DOMAIN, URL, of_addr};
use crate::indicator::{Field, Observable, Seen, Transport, Value, Where};
use decode::{Coding, line_end};
pub(super) use dotted::{Dotted, Took};
use head::Context;
use links::Links;
pub(super) use steps::{Step, not_text, steps};

/// Longest header block read, in bytes; what is beyond is left out. Servers refuse far shorter ones.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Multiparts and mails within each other. A reader gives up earlier.
const MAX_DEPTH: usize = 16;

/// Longest boundary: RFC 2046, 5.1.1 says 70, readers take more.
const MAX_BOUNDARY_BYTES: usize = 512;

/// Links reported of one mail: each costs look-ups, and nobody reads more.
const MAX_LINKS: u32 = 10_000;

/// Parts of one mail that are looked at: each costs a header block.
const MAX_PARTS: u32 = 4_096;

/// A mail in the middle of being read.
pub(super) struct Mail {
    wants: Wants,
    phase: Phase,
    head: Vec<u8>,
    boundaries: Vec<Boundary>,
    part: Option<Part>,
    context: Context,
    decoded: Vec<u8>,
    parts: u32,
    links: u32,
    nested: usize,
    unread: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The header block of a mail, or of a part of one.
    Head { of_mail: bool },
    /// A part's body.
    Body,
    /// Before the first boundary of a multipart, or after the last.
    Between,
}

struct Boundary {
    text: Box<[u8]>,
    /// `multipart/digest`: parts are mails unless they say otherwise (RFC 2046, 5.1.5).
    is_digest: bool,
}

/// A leaf.
struct Part {
    coding: Coding,
    links: Option<Links>,
    file: Option<Box<File>>,
    name: Option<Box<[u8]>>,
}

impl Mail {
    /// Nothing of it has come yet.
    pub(super) fn new(wants: Wants) -> Box<Self> {
        Box::new(Self {
            wants,
            phase: Phase::Head { of_mail: true },
            head: Vec::new(),
            boundaries: Vec::new(),
            part: None,
            context: Context::default(),
            decoded: Vec::new(),
            parts: 0,
            links: 0,
            nested: 0,
            unread: None,
        })
    }

    /// Text without a header block (a part that was asked for alone): only links are looked for.
    pub(super) fn text_alone() -> Box<Self> {
        let mut mail = Self::new(Wants::NONE);
        mail.phase = Phase::Body;
        mail.part =
            Some(Part { coding: Coding::plain(), links: Some(Links::new(true, false)), file: None, name: None });
        mail
    }

    /// The next line, with its end; or a piece of a long one, of which the first `begins` it.
    pub(super) fn line(&mut self, line: &[u8], begins: bool, seen: Seen<'_>) {
        if begins && line.starts_with(b"--") && self.is_boundary(line, seen) {
            return;
        }
        match self.phase {
            Phase::Head { .. } => self.head_line(line, begins, seen),
            Phase::Body => self.body_line(line, seen),
            Phase::Between => {}
        }
    }

    /// What it has on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let boundaries: usize = self.boundaries.iter().map(|b| b.text.len() + size_of::<Boundary>()).sum();
        let part = self.part.as_ref().map_or(0, Part::memory_bytes);
        size_of::<Self>()
            + self.head.capacity()
            + self.decoded.capacity()
            + boundaries
            + part
            + self.context.memory_bytes()
    }

    /// No more of it will come; `whole` if that is its end. Returns what of it was not looked at.
    pub(super) fn finish(mut self: Box<Self>, whole: bool, seen: Seen<'_>) -> Option<&'static str> {
        if matches!(self.phase, Phase::Head { .. }) {
            self.end_head(seen);
        }
        self.end_part(whole, seen);
        self.unread
    }

    fn head_line(&mut self, line: &[u8], begins: bool, seen: Seen<'_>) {
        if begins && line_end(line) == 0 {
            return self.end_head(seen);
        }
        if begins && self.head.is_empty() && !is_header(line) && !line.starts_with(MBOX) {
            self.end_head(seen);
            if self.phase == Phase::Body {
                self.body_line(line, seen);
            }
            return;
        }
        if self.head.len() + line.len() > MAX_HEAD_BYTES {
            self.unread = Some("mail_head_too_long");
        } else if !line.starts_with(MBOX) {
            self.head.extend_from_slice(line);
        }
    }

    /// A header block is whole: what it shows, and what follows it.
    fn end_head(&mut self, seen: Seen<'_>) {
        let Phase::Head { of_mail } = self.phase else { return };
        let mut head = std::mem::take(&mut self.head);
        head.extend_from_slice(b"\r\n");
        let parsed = PARSER.parse_headers(&head);
        let headers = parsed.as_ref().map_or(&[][..], |message| message.headers());
        if of_mail {
            head::show(headers, &mut self.context, seen);
        }
        let is_digest = self.boundaries.last().is_some_and(|outer| outer.is_digest);
        self.begin_part(&head::Shape::of(headers, is_digest), seen);
    }

    fn begin_part(&mut self, shape: &head::Shape, seen: Seen<'_>) {
        self.phase = Phase::Between;
        self.parts += 1;
        if self.parts > MAX_PARTS {
            self.unread = Some("mail_parts_over_cap");
            return;
        }
        if shape.is_multipart || shape.is_mail {
            if self.boundaries.len() + self.nested >= MAX_DEPTH {
                self.unread = Some("mail_parts_too_deep");
                return;
            }
            if shape.is_mail {
                self.nested += 1;
                self.phase = Phase::Head { of_mail: true };
                return;
            }
            let boundary = shape.boundary.as_deref().unwrap_or_default();
            if !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY_BYTES {
                self.boundaries.push(Boundary { text: boundary.into(), is_digest: shape.is_digest });
                return;
            }
            self.unread = Some("mail_multipart_without_boundary");
        }
        if let Some(name) = &shape.name {
            self.context.with(|with| file::name(self.wants, name, with, seen));
        }
        // What is not encoded was scanned where it lies in the stream.
        let wants = if shape.coding.is_plain() { self.wants.without_content() } else { self.wants };
        self.part = Some(Part {
            coding: shape.coding.clone(),
            links: shape.text.map(|text| Links::new(text.is_html, text.is_wide)),
            file: File::begin(wants),
            name: shape.name.clone(),
        });
        self.phase = Phase::Body;
    }

    fn body_line(&mut self, line: &[u8], seen: Seen<'_>) {
        let Some(part) = &mut self.part else { return };
        if part.links.is_none() && part.file.is_none() {
            return;
        }
        self.decoded.clear();
        part.coding.decode(line, &mut self.decoded);
        if let Some(file) = &mut part.file {
            file.push(&self.decoded, seen);
        }
        if let Some(links) = &mut part.links {
            let mut report = Report { context: &self.context, count: &mut self.links, unread: &mut self.unread, seen };
            links.push(&self.decoded, &mut |link| report.link(link));
        }
    }

    /// Whether a line that begins with two dashes is a boundary of any multipart that it lies in; ends what it ends.
    fn is_boundary(&mut self, line: &[u8], seen: Seen<'_>) -> bool {
        let text = line.get(2..).unwrap_or_default().trim_ascii_end();
        let found = self.boundaries.iter().enumerate().rev().find_map(|(at, boundary)| {
            let rest = text.strip_prefix(&*boundary.text)?;
            (rest.is_empty() || rest == b"--").then_some((at, !rest.is_empty(), boundary.is_digest))
        });
        let Some((at, is_last, _)) = found else { return false };
        if matches!(self.phase, Phase::Head { .. }) {
            self.end_head(seen);
        }
        self.end_part(true, seen);
        self.boundaries.truncate(if is_last { at } else { at + 1 });
        self.phase = if is_last { Phase::Between } else { Phase::Head { of_mail: false } };
        true
    }

    fn end_part(&mut self, whole: bool, seen: Seen<'_>) {
        let Some(mut part) = self.part.take() else { return };
        self.phase = Phase::Between;
        self.decoded.clear();
        part.coding.finish(&mut self.decoded);
        if let Some(links) = &mut part.links {
            let mut report = Report { context: &self.context, count: &mut self.links, unread: &mut self.unread, seen };
            links.push(&self.decoded, &mut |link| report.link(link));
            links.finish(&mut |link| report.link(link));
        }
        if let Some(mut file) = part.file
            && whole
        {
            file.push(&self.decoded, seen);
            self.context.with(|with| file.complete(part.name.as_deref(), with, seen));
        }
    }
}

impl Part {
    fn memory_bytes(&self) -> usize {
        let file = if self.file.is_some() { File::memory_bytes() } else { 0 };
        let name = self.name.as_ref().map_or(0, |name| name.len());
        file + name + self.links.as_ref().map_or(0, Links::memory_bytes)
    }
}

/// Reports links.
struct Report<'m, 's> {
    context: &'m Context,
    count: &'m mut u32,
    unread: &'m mut Option<&'static str>,
    seen: Seen<'s>,
}

impl Report<'_, '_> {
    fn link(&mut self, link: &[u8]) {
        let Some(parts) = url::split(link) else { return };
        *self.count += 1;
        if *self.count > MAX_LINKS {
            *self.unread = Some("mail_links_over_cap");
            return;
        }
        let seen = &mut self.seen;
        self.context.with(|with| {
            let mut fields = [Field::text("url.full", link); 4];
            for (slot, field) in fields.iter_mut().skip(1).zip(with) {
                *slot = *field;
            }
            let with = fields.get(..=with.len()).unwrap_or(&fields);
            seen(Observable { kind: &URL, value: Value::Text(link), at: Where("url.full"), with });
            host(&parts, with, seen);
        });
    }
}

fn host(parts: &Parts<'_>, with: &[Field<'_>], seen: Seen<'_>) {
    let (kind, value) = match (parts.addr(), parts.port) {
        (Some(addr), Some(port)) => (of_addr(addr), Value::Endpoint(addr, port, Some(Transport::Tcp))),
        (Some(addr), None) => (of_addr(addr), Value::Addr(addr)),
        (None, _) => (&DOMAIN, Value::Text(parts.host)),
    };
    seen(Observable { kind, value, at: Where("url.domain"), with });
}

/// A mail address, and its domain as a name, both at `at`.
pub(super) fn address(address: &[u8], at: &'static str, with: &[Field<'_>], seen: Seen<'_>) {
    head::address(address, at, with, seen);
}

/// The name or address of a host as mail writes it: an address may be in brackets.
pub(super) fn host_name(name: &[u8], at: &'static str, with: &[Field<'_>], seen: Seen<'_>) {
    head::host_name(name, at, with, seen);
}

/// Text with its encoded words decoded (RFC 2047).
pub(super) fn decode_words(text: &[u8]) -> Vec<u8> {
    let mut head = b"Subject: ".to_vec();
    head.extend(text.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).take(MAX_HEAD_BYTES));
    head.extend_from_slice(b"\r\n\r\n");
    let parsed = PARSER.parse_headers(&head);
    parsed.as_ref().and_then(|message| message.subject()).unwrap_or_default().as_bytes().to_vec()
}

/// Whether a line could be a header field: a name without blanks, then a colon (RFC 5322, 2.2).
pub(super) fn is_header(line: &[u8]) -> bool {
    let name = line.iter().take(MAX_FIELD_NAME_BYTES).take_while(|b| b.is_ascii_graphic() && **b != b':').count();
    let after = line.get(name..).unwrap_or_default().trim_ascii_start();
    name > 0 && after.starts_with(b":")
}

/// No field's name is longer.
const MAX_FIELD_NAME_BYTES: usize = 128;

/// What mailboxes put before a mail.
const MBOX: &[u8] = b"From ";

static PARSER: LazyLock<MessageParser> = LazyLock::new(MessageParser::new);
