//! HTTP/1.0 and 1.1 (RFC 9110, RFC 9112) over TCP, and over UDP as SSDP speaks it, recognised by content on any port.
//!
//! Of each head it reports the URL, the host, the user agent, and the URLs in `Referer` and `Location`. Bodies are skipped by
//! their framing, unless somebody wants something of files: then they are followed to their end and reported as files. It is as liberal as servers are, since what a server accepts must be seen: names
//! in any case, blanks before the colon, bare line feeds, empty lines before a message, folded lines, blanks in a target,
//! several `Host` lines (each is reported). Heads are read in place once they are whole; a head that never gets whole is
//! reported as far as it goes ([`Parser::cut`]).
//!
//! Responses are framed by the method they answer. Where that is not known (one direction only, loss, deep pipelining) a
//! body counts as one only if no further response starts in its place, and one that ends with the connection is not followed.
//! A file that is fetched in several ranges is none here. HTTP/0.9 is not read; HTTP/2 is `http2`'s.

mod awaited;
mod body;
mod emit;
mod form;
mod head;
mod name;
#[cfg(test)]
mod tests;

use super::file::Wants;
use super::{Account, AfterGap, Hint, Parser, Probe, Progress, Starts};
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

use awaited::{Answering, Awaited};
use body::Files;
pub(super) use body::{Body, url_of};
use head::{Fields, Framing};
pub(super) use head::{Head, Line};

/// Longest head read, in bytes: above the limits of common servers (8 to 64 KiB).
pub const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Longest chunk-size or trailer line, in bytes; extensions are the only reason for a long one.
const MAX_CHUNK_LINE_BYTES: usize = 4096;

/// Bytes within which a body that may not be there must show whether the next message starts instead.
const MAX_UNDECIDED_BYTES: u64 = 64;

/// Reports a message that was not text: its first line and the header lines that matter.
pub(super) fn report(head: &Head<'_>, hint: &Hint, seen: Seen<'_>) {
    emit::head(head, &Fields::of(head.headers), hint, seen);
}

/// The same of header lines whose first line is not known.
pub(super) fn report_fields(headers: &[u8], hint: &Hint, seen: Seen<'_>) {
    emit::fields(headers, hint, seen);
}

/// One connection's state, both directions. Small: it lies in the flow.
#[derive(Default)]
pub struct Http {
    halves: [Half; 2],
    awaited: Awaited,
    files: Option<Box<Files>>,
}

#[derive(Debug, Default)]
struct Half {
    /// Bytes of body to come, in the phases that have some.
    bytes: u64,
    /// Bytes of the head on offer that are known to hold no end of it, so that a head in tiny segments costs linear time.
    scanned: u32,
    phase: Phase,
}

/// What the next byte of a direction belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The empty lines before a message, or its first line.
    #[default]
    Start,
    /// A head whose first line is whole and good.
    Head,
    /// A chunk-size line, or the line end after a chunk (RFC 9112, 7.1).
    Chunk,
    /// Lines after the last chunk.
    Trailer,
    /// A body, unless another response starts here.
    MaybeResponseBody,
    /// A body, unless another request starts here (the server may decline `Expect: 100-continue`).
    MaybeRequestBody,
    /// A body that is wanted.
    Body,
    /// A chunk that is wanted.
    ChunkBody,
    /// A wanted body that ends with the connection.
    UntilClose,
}

/// What follows a head.
enum After {
    Message,
    Chunks,
    /// So many bytes.
    Body(u64),
    /// So many bytes, or another message.
    MaybeBody(u64),
    /// All that the sender sends until it ends the connection.
    UntilClose,
    /// Anything.
    Reprobe,
}

/// What one look at the bytes led to.
enum Step {
    /// So many bytes are done with, maybe more than there are; 0 when only the phase changed.
    Past(u64),
    /// Nothing to be done with fewer bytes than this.
    Need(usize),
    /// So many bytes are done with, and what follows may be anything.
    Reprobe(usize),
    Done,
    Stopped(&'static str),
}

impl Parser for Http {
    const NAME: &'static str = "http";
    const MAX_PENDING_BYTES: usize = MAX_HEAD_BYTES;
    const STARTS: Starts = head::STARTS;

    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match head::probe(data) {
            Probe::Unsure if hint.transport == Transport::Udp => Probe::No,
            answer => answer,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        if hint.transport == Transport::Udp {
            emit::whole_lines(data, true, hint, seen);
            return Progress::Consumed { bytes: data.len(), need: 0 };
        }
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() {
                return Progress::Consumed { bytes: at, need: 0 };
            }
            match self.step(direction, rest, hint, seen) {
                Step::Past(bytes) if bytes > rest.len() as u64 => {
                    return Progress::Skip(bytes.saturating_add(at as u64));
                }
                Step::Past(bytes) => at += bytes as usize,
                Step::Need(bytes) => return Progress::Consumed { bytes: at, need: bytes },
                Step::Reprobe(bytes) => return Progress::Reprobe(at + bytes),
                Step::Done => return Progress::DoneDirection,
                Step::Stopped(reason) => return Progress::Stopped(reason),
            }
        }
    }

    fn cut(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) {
        let half = self.half(direction);
        if matches!(half.phase, Phase::Start | Phase::Head) {
            half.enter(Phase::Start);
            emit::whole_lines(data, false, hint, seen);
        }
    }

    fn end(&mut self, direction: Direction, _hint: &Hint, seen: Seen<'_>) {
        if self.half(direction).phase == Phase::UntilClose {
            self.half(direction).enter(Phase::Start);
            self.complete(direction, seen);
        }
    }

    /// Which request a response answers is lost with the bytes, unless they are of a body whose end is known. (A gap within
    /// [`Progress::Skip`] is the caller's and no gap.)
    fn gap(&mut self, direction: Direction, missing_bytes: u64) -> AfterGap {
        if let Some(files) = &mut self.files {
            files.abandon(direction);
        }
        let half = self.half(direction);
        let is_body = matches!(half.phase, Phase::Body | Phase::ChunkBody | Phase::UntilClose);
        if is_body && missing_bytes <= half.bytes {
            half.bytes -= missing_bytes;
            return AfterGap::Continue;
        }
        half.enter(Phase::Start);
        self.awaited.lose();
        if let Some(files) = &mut self.files {
            files.lose();
        }
        AfterGap::Probe
    }

    #[inline]
    fn accounts(&self) -> bool {
        self.files.is_some()
    }

    fn account(&mut self) -> Account {
        self.files.as_mut().map_or(Account::default(), |files| files.account())
    }

    fn shed(&mut self) {
        if let Some(files) = &mut self.files {
            files.shed();
        }
    }
}

impl Http {
    fn half(&mut self, direction: Direction) -> &mut Half {
        direction.of(&mut self.halves)
    }

    /// One step over `rest`, which is not empty.
    fn step(&mut self, direction: Direction, rest: &[u8], hint: &Hint, seen: Seen<'_>) -> Step {
        let half = self.half(direction);
        // Nearly every head comes whole.
        if half.phase == Phase::Start && half.scanned == 0 {
            let mut fields = Fields::none();
            if let Some((head, bytes)) = Head::whole(rest, &mut fields) {
                return self.message(direction, (&head, &fields, bytes), hint, seen);
            }
        }
        match half.phase {
            Phase::Start | Phase::Head => match half.find_head(rest) {
                Ok(bytes) => {
                    let Some(head) = rest.get(..bytes).and_then(Head::new) else { return Step::Reprobe(0) };
                    self.message(direction, (&head, &Fields::of(head.headers), bytes), hint, seen)
                }
                Err(step) => {
                    if matches!(step, Step::Stopped(_)) {
                        emit::whole_lines(rest, false, hint, seen);
                    }
                    step
                }
            },
            Phase::Chunk => self.chunk(direction, rest, seen),
            Phase::Trailer => half.trailer(rest),
            Phase::MaybeResponseBody => self.maybe_body(direction, rest, head::probe_response(rest)),
            Phase::MaybeRequestBody => self.maybe_body(direction, rest, head::probe(rest)),
            Phase::Body | Phase::ChunkBody | Phase::UntilClose => self.body(direction, rest, seen),
        }
    }

    /// A whole head of so many bytes: reports it and decides what follows it (RFC 9112, 6.3).
    fn message(
        &mut self,
        direction: Direction,
        (head, fields, head_bytes): (&Head<'_>, &Fields<'_>, usize),
        hint: &Hint,
        seen: Seen<'_>,
    ) -> Step {
        let framing = emit::head(head, fields, hint, seen);
        let wants = Wants::of(&hint.wants);
        let mut url = None;
        let after = match head.line {
            Line::Request { method, .. } => {
                self.awaited.push(Answering::to(method));
                if wants.any() {
                    self.files.get_or_insert_default().ask(head, self.awaited.lost);
                }
                after_request(&framing)
            }
            Line::Response { status: 101 } => After::Reprobe,
            Line::Response { status: 100..200 } => After::Message,
            Line::Response { status } => {
                let answers = self.awaited.pop();
                if let Some(files) = &mut self.files {
                    url = Some(files.answered(answers.is_some()));
                }
                after_response(answers, status, &framing)
            }
        };
        self.follow(direction, head, head_bytes, after, (url, wants), seen)
    }

    /// Goes over to what follows a head of `head_bytes`.
    fn follow(
        &mut self,
        direction: Direction,
        head: &Head<'_>,
        head_bytes: usize,
        after: After,
        (url, wants): (Option<Box<[u8]>>, Wants),
        seen: Seen<'_>,
    ) -> Step {
        let has_body = matches!(after, After::Chunks | After::Body(1..) | After::MaybeBody(1..) | After::UntilClose);
        let is_wanted = has_body && wants.any() && {
            let files = self.files.get_or_insert_default();
            let is_wanted = files.announce(direction, head, url, matches!(after, After::Chunks), wants, seen);
            if is_wanted && !matches!(after, After::MaybeBody(_)) {
                files.begin(direction);
            }
            is_wanted
        };
        let half = self.half(direction);
        let mut past = head_bytes as u64;
        match after {
            After::Message => half.enter(Phase::Start),
            After::Chunks => half.enter(Phase::Chunk),
            After::Body(bytes) if is_wanted => half.expect(Phase::Body, bytes),
            After::Body(bytes) => {
                half.enter(Phase::Start);
                past = past.saturating_add(bytes);
            }
            After::MaybeBody(bytes) if matches!(head.line, Line::Request { .. }) => {
                half.expect(Phase::MaybeRequestBody, bytes);
            }
            After::MaybeBody(bytes) => half.expect(Phase::MaybeResponseBody, bytes),
            After::UntilClose if is_wanted => half.expect(Phase::UntilClose, u64::MAX),
            After::UntilClose => return Step::Done,
            After::Reprobe => return Step::Reprobe(head_bytes),
        }
        Step::Past(past)
    }

    fn chunk(&mut self, direction: Direction, rest: &[u8], seen: Seen<'_>) -> Step {
        let half = self.half(direction);
        let step = half.chunk(rest);
        match half.phase {
            Phase::Trailer => self.complete(direction, seen),
            // Its framing is lost.
            Phase::Start => {
                if let Some(files) = &mut self.files {
                    files.abandon(direction);
                }
            }
            _ => {}
        }
        step
    }

    fn maybe_body(&mut self, direction: Direction, rest: &[u8], next: Probe) -> Step {
        let half = self.half(direction);
        let (bytes, body_bytes) = (rest.len() as u64, half.bytes);
        if next == Probe::Unsure && bytes < body_bytes.min(MAX_UNDECIDED_BYTES) {
            return Step::Need(rest.len() + 1);
        }
        if next == Probe::Yes {
            half.enter(Phase::Start);
            if let Some(files) = &mut self.files {
                files.withdraw(direction);
            }
        } else {
            half.phase = Phase::Body;
            if let Some(files) = &mut self.files {
                files.begin(direction);
            }
        }
        Step::Past(0)
    }

    /// Bytes of a body: handed on, or skipped when nobody wants them (any more).
    fn body(&mut self, direction: Direction, rest: &[u8], seen: Seen<'_>) -> Step {
        let half = self.half(direction);
        let (phase, left) = (half.phase, half.bytes);
        let here = rest.get(..left.min(rest.len() as u64) as usize).unwrap_or(rest);
        let is_wanted = self.files.as_mut().is_some_and(|files| files.push(direction, here, seen));
        let past = if is_wanted { here.len() as u64 } else { left };
        let half = self.half(direction);
        half.bytes -= past;
        if half.bytes > 0 {
            return Step::Past(past);
        }
        match phase {
            Phase::ChunkBody => half.enter(Phase::Chunk),
            Phase::UntilClose => return Step::Done,
            _ => {
                half.enter(Phase::Start);
                self.complete(direction, seen);
            }
        }
        Step::Past(past)
    }

    fn complete(&mut self, direction: Direction, seen: Seen<'_>) {
        if let Some(files) = &mut self.files {
            files.complete(direction, seen);
        }
    }
}

/// After a CONNECT or an upgrade nothing need be known: what is no request is probed anew.
fn after_request(framing: &Framing) -> After {
    match framing.length {
        _ if framing.chunked => After::Chunks,
        Some(0) | None => After::Message,
        Some(bytes) if framing.expects_continue => After::MaybeBody(bytes),
        Some(bytes) => After::Body(bytes),
    }
}

fn after_response(answers: Option<Answering>, status: u16, framing: &Framing) -> After {
    match (answers, status, framing.length) {
        (Some(Answering::Connect), 200..300, _) => After::Reprobe,
        (Some(Answering::Head), ..) | (_, 204 | 304, _) => After::Message,
        _ if framing.chunked => After::Chunks,
        (_, _, Some(0)) => After::Message,
        (Some(_), _, Some(bytes)) => After::Body(bytes),
        (None, _, Some(bytes)) => After::MaybeBody(bytes),
        (Some(_), _, None) => After::UntilClose,
        // Till the end of the connection, or the answer to a HEAD or CONNECT that was not seen.
        (None, _, None) => After::Reprobe,
    }
}

impl Half {
    fn enter(&mut self, phase: Phase) {
        *self = Self { phase, ..Self::default() };
    }

    fn expect(&mut self, phase: Phase, bytes: u64) {
        *self = Self { phase, bytes, scanned: 0 };
    }

    /// The length of the head that `rest` starts with, through its empty line.
    fn find_head(&mut self, rest: &[u8]) -> Result<usize, Step> {
        let wait_for_more = |half: &mut Self, scanned: usize| {
            half.scanned = scanned as u32;
            if rest.len() >= MAX_HEAD_BYTES { Step::Stopped("http_head_too_long") } else { Step::Need(rest.len() + 1) }
        };
        if self.phase == Phase::Start {
            let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if empty > 0 {
                self.enter(Phase::Start);
                return Err(Step::Past(empty as u64));
            }
            if !head::may_start(rest) {
                return Err(Step::Reprobe(0));
            }
            let Some(line_end) = head::find_from(rest, b'\n', self.scanned as usize) else {
                return Err(wait_for_more(self, rest.len()));
            };
            if Line::parse(rest.get(..line_end).unwrap_or(&[])).is_none() {
                return Err(Step::Reprobe(0));
            }
            *self = Self { phase: Phase::Head, bytes: 0, scanned: line_end as u32 };
        }
        head::find_end(rest, self.scanned as usize).map_err(|scanned| wait_for_more(self, scanned))
    }

    /// A chunk-size line; the phase says what follows it.
    fn chunk(&mut self, rest: &[u8]) -> Step {
        let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if empty > 0 {
            return Step::Past(empty as u64);
        }
        let line_bytes = match line_bytes(rest) {
            Ok(bytes) => bytes,
            Err(step) if rest.first().is_some_and(u8::is_ascii_hexdigit) => return self.unless_too_long(step),
            Err(_) => 0,
        };
        match head::chunk_size(rest.get(..line_bytes).unwrap_or(&[])) {
            Some(0) => {
                self.enter(Phase::Trailer);
                Step::Past(line_bytes as u64)
            }
            Some(size) => {
                self.expect(Phase::ChunkBody, size);
                Step::Past(line_bytes as u64)
            }
            None => {
                self.enter(Phase::Start);
                Step::Past(0)
            }
        }
    }

    fn trailer(&mut self, rest: &[u8]) -> Step {
        let line_bytes = match line_bytes(rest) {
            Ok(bytes) => bytes,
            Err(step) => return self.unless_too_long(step),
        };
        let line = rest.get(..line_bytes).unwrap_or(&[]);
        // Some peers leave the last empty line out, and the next message starts here.
        if Line::parse(line).is_some() {
            self.enter(Phase::Start);
            return Step::Past(0);
        }
        if line.trim_ascii().is_empty() {
            self.enter(Phase::Start);
        }
        Step::Past(line_bytes as u64)
    }

    fn unless_too_long(&mut self, step: Option<usize>) -> Step {
        match step {
            Some(need) => Step::Need(need),
            None => {
                self.enter(Phase::Start);
                Step::Past(0)
            }
        }
    }
}

/// Length of the line at the start of `rest`, with its line feed; else how many bytes to wait for, `None` if it is too long.
fn line_bytes(rest: &[u8]) -> Result<usize, Option<usize>> {
    match memchr::memchr(b'\n', rest) {
        Some(at) if at < MAX_CHUNK_LINE_BYTES => Ok(at + 1),
        None if rest.len() < MAX_CHUNK_LINE_BYTES => Err(Some(rest.len() + 1)),
        _ => Err(None),
    }
}
