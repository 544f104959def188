//! HTTP/2 in the clear over TCP (RFC 9113), on any port: with prior knowledge, and after an HTTP/1.1 upgrade (`h2c`).
//!
//! Of each header block it reports what `http` does of a head, under the same fields: the URL made of `:scheme`, `:authority`
//! and `:path`, the host, the user agent, and the URLs in `referer` and `location`; of a push promise, the promised request.
//! Nothing is remembered of a stream, so nothing grows with their number; what a connection keeps is each direction's HPACK
//! table (`hpack`), and a block that goes on in CONTINUATION frames ([`MAX_BLOCK_BYTES`]). DATA is stepped over.
//!
//! After a gap the first segment that begins with plausible frames is where reading resumes, without the table of before.
//! Not read: connections picked up in their middle, bodies, trailers' and unknown frames' contents.

mod frame;
mod hpack;
mod huffman;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use super::http;
use super::{Account, AfterGap, Hint, Parser, Probe, Progress};
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

use frame::{CONTINUATION, DATA, HEADER_BYTES, HEADERS, Header, PREFACE, PUSH_PROMISE};
use hpack::{Decoder, List, Name};

/// Longest frame with a header block that is read: above the size that peers allow each other (16 KiB).
const MAX_FRAME_BYTES: usize = 64 * 1024;
/// Longest header block, over all its frames: above the limits of common servers.
const MAX_BLOCK_BYTES: usize = 64 * 1024;
/// Segments after a gap that are looked at for the start of a frame.
const MAX_RESUME_SEGMENTS: u8 = 64;

/// One connection's state.
#[derive(Default)]
pub struct Http2 {
    halves: Box<[Half; 2]>,
}

impl std::fmt::Debug for Http2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2").field("phases", &self.halves.each_ref().map(|half| half.phase)).finish()
    }
}

/// One direction.
#[derive(Default)]
struct Half {
    phase: Phase,
    decoder: Decoder,
    /// A block whose end has not come.
    block: Option<Vec<u8>>,
}

/// What the next byte of a direction belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The preface, if it is the client's, or a frame.
    #[default]
    Start,
    Frame,
    /// So many bytes of a frame's payload that is passed over.
    Unread(u32),
    /// Anything: bytes are missing before it. So many segments were turned down.
    Lost(u8),
}

/// What one look at the bytes led to.
enum Step {
    /// So many bytes are done with, maybe more than there are.
    Past(usize),
    /// As `Past`; something of them made no sense.
    Trouble(usize, &'static str),
    /// Nothing to be done with fewer bytes than this.
    Need(usize),
    Stopped(&'static str),
}

impl Parser for Http2 {
    const NAME: &'static str = "http2";
    const MAX_PENDING_BYTES: usize = HEADER_BYTES + MAX_FRAME_BYTES;

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match hint.transport {
            Transport::Tcp if !data.is_empty() => frame::probe(data),
            Transport::Tcp => Probe::Unsure,
            Transport::Udp | Transport::Ethernet => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() {
                return Progress::Consumed { bytes: at, need: 0 };
            }
            match self.half(direction).step(rest, hint, seen) {
                Step::Past(bytes) if bytes > rest.len() => return Progress::Skip((at + bytes) as u64),
                Step::Past(bytes) => at += bytes,
                Step::Trouble(bytes, reason) => return Progress::Damaged { bytes: at + bytes, need: 0, reason },
                Step::Need(need) => return Progress::Consumed { bytes: at, need },
                Step::Stopped(reason) => return Progress::Stopped(reason),
            }
        }
    }

    /// What is there of a header block is shown, as far as it goes.
    fn cut(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) {
        let half = self.half(direction);
        let Some(header) = Header::read(data).filter(|_| half.phase != Phase::Start) else { return };
        let payload = data.get(HEADER_BYTES..).unwrap_or_default();
        if matches!(header.kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
            // Padding is at the end, which is not there.
            let unpadded = Header { flags: header.flags & !frame::PADDED, ..header };
            let skipped = usize::from(header.flags & frame::PADDED != 0 && header.kind != CONTINUATION);
            let block = payload.get(skipped..).and_then(|payload| frame::block(&unpadded, payload)).unwrap_or_default();
            let mut whole = half.block.take().unwrap_or_default();
            whole.extend_from_slice(block);
            let _ = half.show(&whole, hint, seen);
        }
    }

    #[inline]
    fn account(&mut self) -> Account {
        Account { memory_bytes: self.halves.iter().map(Half::memory_bytes).sum(), ..Account::default() }
    }

    /// What the table held is unknown from here on.
    fn shed(&mut self) {
        self.halves.iter_mut().for_each(Half::lose_block);
    }

    fn gap(&mut self, direction: Direction, _missing_bytes: u64) -> AfterGap {
        let half = self.half(direction);
        half.phase = Phase::Lost(0);
        half.block = None;
        half.decoder.lose();
        AfterGap::Continue
    }
}

impl Http2 {
    fn half(&mut self, direction: Direction) -> &mut Half {
        let [to_responder, to_originator] = &mut *self.halves;
        match direction {
            Direction::ToResponder => to_responder,
            Direction::ToOriginator => to_originator,
        }
    }
}

impl Half {
    /// One step over `rest`, which is not empty.
    fn step(&mut self, rest: &[u8], hint: &Hint, seen: Seen<'_>) -> Step {
        match self.phase {
            Phase::Start => {
                let start = rest.get(..PREFACE.len()).unwrap_or(rest);
                if start == PREFACE {
                    self.phase = Phase::Frame;
                    return Step::Past(PREFACE.len());
                }
                if PREFACE.starts_with(start) {
                    return Step::Need(PREFACE.len());
                }
                self.phase = Phase::Frame;
            }
            Phase::Lost(tried) => {
                if rest.len() < HEADER_BYTES || !frame::resumes(rest) {
                    if tried == MAX_RESUME_SEGMENTS {
                        return Step::Stopped("HTTP/2 not found again after a gap");
                    }
                    self.phase = Phase::Lost(tried + 1);
                    return Step::Past(rest.len());
                }
                self.phase = Phase::Frame;
            }
            Phase::Unread(bytes) => {
                self.phase = Phase::Frame;
                return Step::Past(bytes as usize);
            }
            Phase::Frame => {}
        }
        match Header::read(rest) {
            Some(header) => self.frame(&header, rest, hint, seen),
            None => Step::Need(HEADER_BYTES),
        }
    }

    fn frame(&mut self, header: &Header, rest: &[u8], hint: &Hint, seen: Seen<'_>) -> Step {
        let end = HEADER_BYTES + header.length;
        let has_block = matches!(header.kind, HEADERS | PUSH_PROMISE | CONTINUATION);
        // Nothing may stand between the frames of a block (RFC 9113 section 6.10).
        if self.block.is_some() != (header.kind == CONTINUATION) {
            return self.pass_over(header, "HTTP/2 header block out of order");
        }
        if header.length > MAX_FRAME_BYTES && header.kind != DATA {
            return if has_block { self.pass_over(header, TOO_LONG) } else { Step::Stopped("HTTP/2 framing lost") };
        }
        if !has_block {
            return Step::Past(end);
        }
        let Some(payload) = rest.get(HEADER_BYTES..end) else { return Step::Need(end) };
        let Some(block) = frame::block(header, payload) else {
            self.lose_block();
            return Step::Trouble(end, "malformed HTTP/2 frame");
        };
        let result = match self.block.take() {
            None if header.ends_headers() => self.show(block, hint, seen),
            pending => self.collect(pending, block, header.ends_headers(), hint, seen),
        };
        match result {
            Ok(()) => Step::Past(end),
            Err(reason) => Step::Trouble(end, reason),
        }
    }

    /// A part of a block that takes several frames.
    #[cold]
    fn collect(
        &mut self,
        pending: Option<Vec<u8>>,
        block: &[u8],
        is_last: bool,
        hint: &Hint,
        seen: Seen<'_>,
    ) -> Result<(), &'static str> {
        let mut whole = pending.unwrap_or_default();
        if whole.len() + block.len() > MAX_BLOCK_BYTES {
            self.lose_block();
            return Err(TOO_LONG);
        }
        whole.extend_from_slice(block);
        if is_last {
            return self.show(&whole, hint, seen);
        }
        self.block = Some(whole);
        Ok(())
    }

    /// What grows with what its sender says.
    fn memory_bytes(&self) -> usize {
        self.decoder.memory_bytes() + self.block.as_ref().map_or(0, Vec::capacity)
    }

    fn lose_block(&mut self) {
        self.block = None;
        self.decoder.lose();
    }

    /// Steps over a frame that may change the table.
    fn pass_over(&mut self, header: &Header, reason: &'static str) -> Step {
        self.lose_block();
        self.phase = Phase::Unread(header.length as u32);
        Step::Trouble(HEADER_BYTES, reason)
    }

    /// Reads a block and shows what it says.
    fn show(&mut self, block: &[u8], hint: &Hint, seen: Seen<'_>) -> Result<(), &'static str> {
        let mut scratch = SCRATCH.take();
        scratch.list.clear();
        let decoded = self.decoder.decode(block, &mut scratch.list);
        let is_cut = scratch.list.is_cut;
        scratch.show(hint, seen);
        SCRATCH.set(scratch);
        match decoded {
            None => Err("malformed HTTP/2 header block"),
            Some(()) if is_cut => Err("HTTP/2 header list too long"),
            Some(()) => Ok(()),
        }
    }
}

/// Reused so that a block allocates nothing but what enters the table.
#[derive(Default)]
struct Scratch {
    list: List,
    target: Vec<u8>,
    lines: Vec<u8>,
}

impl Scratch {
    /// Shows the fields as the head of a message of HTTP/1.1 would be: that is where what a head shows is decided.
    fn show(&mut self, hint: &Hint, seen: Seen<'_>) {
        let Self { list, target, lines } = self;
        lines.clear();
        for (name, field) in [
            ("host", Name::Host),
            ("user-agent", Name::UserAgent),
            ("referer", Name::Referer),
            ("location", Name::Location),
        ] {
            list.values(field).for_each(|value| push_line(lines, name, value));
        }
        if let Some(status) = list.first(Name::Status) {
            let status = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            return http::report(http::Line::Response { status }, lines, hint, seen);
        }
        let (authority, path) = (list.first(Name::Authority), list.first(Name::Path));
        let method = list.first(Name::Method).unwrap_or_default();
        target.clear();
        match (authority.filter(|authority| !authority.is_empty()), path) {
            (Some(authority), Some(path)) => {
                let scheme = list.first(Name::Scheme).unwrap_or(b"http");
                [scheme, b"://", authority, path].iter().for_each(|part| target.extend_from_slice(part));
            }
            (None, Some(path)) => target.extend_from_slice(path),
            (Some(authority), None) if method == b"CONNECT" => target.extend_from_slice(authority),
            // A block of which not all is known, or trailers: what there is counts by itself.
            (authority, None) => {
                authority.into_iter().for_each(|authority| push_line(lines, "host", authority));
                return http::report_fields(lines, hint, seen);
            }
        }
        clean(target);
        http::report(http::Line::Request { method, target }, lines, hint, seen);
    }
}

fn push_line(lines: &mut Vec<u8>, name: &str, value: &[u8]) {
    lines.extend_from_slice(name.as_bytes());
    lines.extend_from_slice(b": ");
    let start = lines.len();
    lines.extend_from_slice(value);
    clean(lines.get_mut(start..).unwrap_or_default());
    lines.extend_from_slice(b"\r\n");
}

/// A value with line ends in it (which no peer may send) stays one line.
fn clean(value: &mut [u8]) {
    value.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n' | 0)).for_each(|byte| *byte = b' ');
}

const TOO_LONG: &str = "HTTP/2 header block too long";

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}
