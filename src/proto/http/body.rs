//! [`Files`]: the bodies of a connection as files, both directions. Made only when somebody wants something of files.
//!
//! What is hashed is the content: transfer codings (chunks, and what lies below them) always undone, content codings undone
//! too, because that is the file that a browser writes to disk. A client that leaves them (a plain downloader, or a browser
//! given an archive that the server labels `gzip`) writes what was sent: a coded body has both its digests reported.
//! A form's parts (`multipart/form-data`) with a file name are files of their own, and the form as a whole is none.
//!
//! A body is a file only when all of it came. A part of one (206, unless its range is the whole) is never begun. Bodies that
//! are not coded nor in chunks lie in the stream as they are, so their bytes are not scanned for signatures a second time.

use std::collections::VecDeque;

use super::form::Form;
use super::head::{self, Head, Line};
use super::name;
use crate::flow::Direction;
use crate::indicator::{Field, Seen};
use crate::proto::Account;
use crate::proto::coding::{Coding, DecodeError, Decoder, FREE_BYTES, MAX_RATIO, Named};
use crate::proto::file::{self, File, Wants};

/// See the module.
#[derive(Default)]
pub(super) struct Files {
    bodies: [Option<Body>; 2],
    /// URLs of the requests that wait for their response, oldest first; as many as `Awaited` has.
    asked: VecDeque<Box<[u8]>>,
    begun: u32,
    ended: u32,
    lost: Option<&'static str>,
}

/// One body.
pub(in crate::proto) struct Body {
    /// What comes after the transfer codings, if content codings are to be undone from it.
    as_sent: Option<Box<File>>,
    /// The codings, in the order in which they are undone.
    stages: Vec<Decoder>,
    in_bytes: u64,
    /// What takes the content; `None` after an error.
    sink: Option<Sink>,
    about: About,
}

enum Sink {
    File(Box<File>),
    Form(Box<Form>),
}

/// What an alert says of a body.
#[derive(Default)]
struct About {
    name: Box<[u8]>,
    url: Box<[u8]>,
    media_type: Box<[u8]>,
    status: u16,
}

impl Files {
    /// A request was seen whose response is awaited; its URL goes with it. `is_lost`: nobody knows any more which response
    /// answers which request.
    pub(super) fn ask(&mut self, head: &Head<'_>, is_lost: bool) {
        if is_lost {
            self.asked.clear();
        } else {
            self.asked.push_back(url_of(head));
        }
    }

    /// A response begins: the URL of what it answers.
    pub(super) fn answered(&mut self, is_known: bool) -> Box<[u8]> {
        if is_known { self.asked.pop_front().unwrap_or_default() } else { Box::default() }
    }

    /// Which request a response answers is not known any more.
    pub(super) fn lose(&mut self) {
        self.asked.clear();
    }

    /// A head with a body after it. Reports its name; whether anybody wants the body.
    pub(super) fn announce(
        &mut self,
        direction: Direction,
        head: &Head<'_>,
        url: Option<Box<[u8]>>,
        chunked: bool,
        wants: Wants,
        seen: Seen<'_>,
    ) -> bool {
        let body = Body::announce(head, url, chunked, wants, seen).unwrap_or_else(|reason| {
            self.lost = Some(reason);
            None
        });
        let is_wanted = body.is_some();
        if let Some(slot) = self.bodies.get_mut(direction.index()) {
            *slot = body;
        }
        is_wanted
    }

    /// The body that was announced is one.
    pub(super) fn begin(&mut self, direction: Direction) {
        self.begun += u32::from(self.body(direction).is_some());
    }

    /// It is none after all.
    pub(super) fn withdraw(&mut self, direction: Direction) {
        self.take(direction);
    }

    /// The next bytes of a body; whether anybody wants more.
    pub(super) fn push(&mut self, direction: Direction, bytes: &[u8], seen: Seen<'_>) -> bool {
        let Some(body) = self.body(direction) else { return false };
        let Err(reason) = body.push(bytes, seen) else { return true };
        let goes_on = body.goes_on();
        self.lost = Some(reason);
        if !goes_on {
            self.take(direction);
            self.ended += 1;
        }
        goes_on
    }

    /// All of a body came.
    pub(super) fn complete(&mut self, direction: Direction, seen: Seen<'_>) {
        if let Some(body) = self.take(direction) {
            self.ended += 1;
            if let Err(reason) = body.complete(seen) {
                self.lost = Some(reason);
            }
        }
    }

    /// The rest of a body will not come, or cannot be told: it stays incomplete.
    pub(super) fn abandon(&mut self, direction: Direction) {
        self.take(direction);
    }

    /// See [`crate::proto::Parser::account`].
    pub(super) fn account(&mut self) -> Account {
        let asked: usize = self.asked.iter().map(|url| url.len() + size_of::<Box<[u8]>>()).sum();
        let bodies: usize = self.bodies.iter().flatten().map(Body::memory_bytes).sum();
        Account {
            memory_bytes: size_of::<Self>() + asked + bodies,
            files_begun: std::mem::take(&mut self.begun),
            files_ended: std::mem::take(&mut self.ended),
            lost: self.lost.take(),
        }
    }

    /// See [`crate::proto::Parser::shed`].
    pub(super) fn shed(&mut self) {
        self.ended += self.bodies.iter_mut().filter_map(Option::take).count() as u32;
        self.asked.iter_mut().for_each(|url| *url = Box::default());
    }

    fn body(&mut self, direction: Direction) -> Option<&mut Body> {
        self.bodies.get_mut(direction.index())?.as_mut()
    }

    fn take(&mut self, direction: Direction) -> Option<Body> {
        self.bodies.get_mut(direction.index())?.take()
    }
}

impl Body {
    /// Of a head with a body after it: its name is reported. `chunked`: the body does not lie in the stream as it is. `Ok(None)` if
    /// nobody wants it, `Err` if it is wanted and cannot be had.
    pub(in crate::proto) fn announce(
        head: &Head<'_>,
        url: Option<Box<[u8]>>,
        chunked: bool,
        wants: Wants,
        seen: Seen<'_>,
    ) -> Result<Option<Self>, &'static str> {
        let mut unfolded = Vec::new();
        let fields = BodyFields::of(head.headers, &mut unfolded);
        let about = About::of(head, &fields, url, wants);
        if !about.name.is_empty() {
            about.with(|fields| file::name(wants, &about.name, fields, seen));
        }
        Self::new(&fields, about, chunked, wants)
    }

    /// After [`Body::push`] failed: whether there is still a use for more bytes.
    pub(in crate::proto) fn goes_on(&self) -> bool {
        self.as_sent.is_some()
    }

    /// `None` if nobody wants it, `Err` if it is wanted and cannot be had.
    fn new(fields: &BodyFields<'_>, about: About, chunked: bool, wants: Wants) -> Result<Option<Self>, &'static str> {
        let boundary = fields.form_boundary().filter(|_| wants.bytes() || wants.name);
        let mut stages = Vec::new();
        add_stages(fields.transfer_encoding, &mut stages)?;
        let below = stages.len();
        add_stages(fields.content_encoding, &mut stages)?;
        let is_coded = stages.len() > below;
        let wants = if chunked || !stages.is_empty() { wants } else { wants.without_content() };
        let sink = match boundary {
            Some(boundary) => Some(Sink::Form(Box::new(Form::new(boundary, wants)))),
            None => File::begin(wants).map(Sink::File),
        };
        let Some(sink) = sink else { return Ok(None) };
        if about.status == PARTIAL && !fields.is_whole_range() {
            return Err("http_partial_content");
        }
        let as_sent = if is_coded && below == 0 { File::begin(wants.only_digests()) } else { None };
        Ok(Some(Self { as_sent, stages, in_bytes: 0, sink: Some(sink), about }))
    }

    /// The next bytes of it.
    pub(in crate::proto) fn push(&mut self, bytes: &[u8], seen: Seen<'_>) -> Result<(), &'static str> {
        self.in_bytes += bytes.len() as u64;
        if let Some(file) = &mut self.as_sent {
            file.push(bytes, seen);
        }
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let allowed = FREE_BYTES.saturating_add(self.in_bytes.saturating_mul(MAX_RATIO));
        let about = &self.about;
        let mut take = |made: &[u8]| match sink {
            Sink::File(file) if file.len() + made.len() as u64 > allowed => Err(DecodeError::TooMuch),
            Sink::File(file) => {
                file.push(made, seen);
                Ok(())
            }
            Sink::Form(form) => {
                about.with(|with| form.push(made, with, seen));
                Ok(())
            }
        };
        let result = undo(&mut self.stages, bytes, &mut take);
        result.map_err(|error| {
            self.sink = None;
            match error {
                DecodeError::Damaged => "http_content_coding_damaged",
                DecodeError::TooMuch => "http_content_coding_too_much",
            }
        })
    }

    /// All of it came.
    pub(in crate::proto) fn complete(self, seen: Seen<'_>) -> Result<(), &'static str> {
        let Self { as_sent, stages, sink, about, in_bytes } = self;
        let name = (!about.name.is_empty()).then_some(&*about.name);
        if let Some(file) = as_sent {
            about.with(|with| file.complete(name, with, seen));
        }
        let is_whole = stages.iter().all(Decoder::is_complete);
        match sink {
            Some(_) if !is_whole && in_bytes > 0 => return Err("http_content_coding_incomplete"),
            Some(Sink::File(file)) => about.with(|with| file.complete(name, with, seen)),
            Some(Sink::Form(form)) if !form.is_over() => return Err("http_form_without_end"),
            Some(Sink::Form(_)) | None => {}
        }
        Ok(())
    }

    /// What it has on the heap.
    pub(in crate::proto) fn memory_bytes(&self) -> usize {
        let stages: usize = self.stages.iter().map(Decoder::memory_bytes).sum();
        let sink = match &self.sink {
            Some(Sink::Form(form)) => form.memory_bytes(),
            _ => File::memory_bytes(),
        };
        stages + sink + File::memory_bytes() + self.about.url.len() + self.about.name.len()
    }
}

/// Hands bytes through the stages to what takes the content.
fn undo(
    stages: &mut [Decoder],
    bytes: &[u8],
    take: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    match stages.split_first_mut() {
        None => take(bytes),
        Some((first, rest)) => first.decode(bytes, &mut |made| undo(rest, made, take)),
    }
}

/// Appends the stages that undo a list of codings, the last applied first.
fn add_stages(list: &[u8], stages: &mut Vec<Decoder>) -> Result<(), &'static str> {
    for coding in list.rsplit(|byte| *byte == b',') {
        match Coding::named(coding.trim_ascii()) {
            Named::Identity => {}
            Named::Unsupported => return Err("http_content_coding_unsupported"),
            Named::Coded(_) if stages.len() >= MAX_STAGES => return Err("http_content_codings_stacked"),
            Named::Coded(coding) => stages.push(Decoder::new(coding)),
        }
    }
    Ok(())
}

impl About {
    fn of(head: &Head<'_>, fields: &BodyFields<'_>, url: Option<Box<[u8]>>, wants: Wants) -> Self {
        let url = url.unwrap_or_else(|| url_of(head));
        let mut decoded = [0; file::MAX_NAME_BYTES];
        let (status, from_path) = match head.line {
            Line::Request { method, .. } => (0, method.eq_ignore_ascii_case(b"PUT")),
            Line::Response { status } => (status, matches!(status, 200..=206)),
        };
        let mut name = name::of_disposition(fields.disposition, &mut decoded);
        if name.is_none() && from_path {
            name = name::of_url(&url, &mut decoded);
        }
        let name = name.filter(|_| wants.any() && (status == 0 || from_path)).map(file::base_name);
        let media_type = fields.content_type.split(|byte| *byte == b';').next().unwrap_or(&[]).trim_ascii();
        let media_type = media_type.get(..MAX_MEDIA_TYPE_BYTES.min(media_type.len())).unwrap_or(&[]);
        Self { name: name.unwrap_or(&[]).into(), url, media_type: media_type.into(), status }
    }

    /// Lends what is known as an alert's fields.
    fn with(&self, lend: impl FnOnce(&[Field<'_>])) {
        let mut fields = [Field::number("http.response.status_code", u64::from(self.status)); 3];
        let mut count = usize::from(self.status != 0);
        for (path, text) in [("url.full", &self.url), ("file.mime_type", &self.media_type)] {
            if let (false, Some(slot)) = (text.is_empty(), fields.get_mut(count)) {
                *slot = Field::text(path, text);
                count += 1;
            }
        }
        lend(fields.get(..count).unwrap_or(&[]));
    }
}

/// The URL that a request is for; empty if it is too long to be kept, or none.
pub(in crate::proto) fn url_of(head: &Head<'_>) -> Box<[u8]> {
    let Line::Request { target, .. } = head.line else { return Box::default() };
    let is_absolute = target.first().is_some_and(u8::is_ascii_alphabetic) && target.windows(3).any(|w| w == b"://");
    let host = BodyFields::plain(head.headers).host;
    match is_absolute {
        true if target.len() <= MAX_URL_BYTES => target.into(),
        false if target.len() + host.len() <= MAX_URL_BYTES => [b"http://", host, target].concat().into(),
        _ => Box::default(),
    }
}

/// The header fields that say what a body is; of several lines the first, but codings are joined in what they do.
#[derive(Default)]
struct BodyFields<'a> {
    host: &'a [u8],
    content_type: &'a [u8],
    content_encoding: &'a [u8],
    transfer_encoding: &'a [u8],
    disposition: &'a [u8],
    range: &'a [u8],
}

impl<'a> BodyFields<'a> {
    /// Of header lines, which are unfolded into `buffer` if any is folded.
    fn of(headers: &'a [u8], buffer: &'a mut Vec<u8>) -> Self {
        if headers.windows(2).any(|pair| matches!(pair, [b'\n', b' ' | b'\t'])) {
            head::unfold(headers, buffer);
            return Self::plain(buffer);
        }
        Self::plain(headers)
    }

    fn plain(headers: &'a [u8]) -> Self {
        let mut fields = Self::default();
        for line in headers.split(|byte| *byte == b'\n') {
            let Some(colon) = line.iter().take(MAX_FIELD_NAME_BYTES).position(|byte| *byte == b':') else { continue };
            let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
            let name = name.trim_ascii();
            let field = match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => &mut fields.host,
                12 if name.eq_ignore_ascii_case(b"content-type") => &mut fields.content_type,
                13 if name.eq_ignore_ascii_case(b"content-range") => &mut fields.range,
                16 if name.eq_ignore_ascii_case(b"content-encoding") => &mut fields.content_encoding,
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => &mut fields.transfer_encoding,
                19 if name.eq_ignore_ascii_case(b"content-disposition") => &mut fields.disposition,
                _ => continue,
            };
            if field.is_empty() {
                *field = value.get(1..).unwrap_or(&[]).trim_ascii();
            }
        }
        fields
    }

    /// `bytes 0-9/10` (RFC 9110, 14.4).
    fn is_whole_range(&self) -> bool {
        let range = std::str::from_utf8(self.range).ok().and_then(|range| range.trim().strip_prefix("bytes"));
        let parts = range.and_then(|range| range.trim().strip_prefix("0-")?.split_once('/'));
        let number = |text: &str| text.trim().parse::<u64>().ok();
        parts.is_some_and(|(last, total)| {
            number(last).and_then(|last| last.checked_add(1)).is_some_and(|bytes| Some(bytes) == number(total))
        })
    }

    /// The boundary of a form (RFC 7578).
    fn form_boundary(&self) -> Option<&'a [u8]> {
        let start = self.content_type.get(..FORM.len())?;
        let boundary = start.eq_ignore_ascii_case(FORM).then(|| name::parameter(self.content_type, b"boundary"))??;
        (!boundary.is_empty() && boundary.len() <= super::form::MAX_BOUNDARY_BYTES).then_some(boundary)
    }
}

const FORM: &[u8] = b"multipart/form-data";

const PARTIAL: u16 = 206;

/// Codings on top of one another; no server has a reason for two.
const MAX_STAGES: usize = 3;

/// Longest URL kept for the alert of its response's body; servers refuse longer ones than some 8 KiB.
const MAX_URL_BYTES: usize = 4096;

const MAX_MEDIA_TYPE_BYTES: usize = 128;

/// No field that matters has a longer name, even with blanks around it.
const MAX_FIELD_NAME_BYTES: usize = 64;

#[cfg(test)]
mod tests;
