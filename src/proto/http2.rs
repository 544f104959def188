//! HTTP/2 in the clear over TCP (RFC 9113), on any port: with prior knowledge, and after an HTTP/1.1 upgrade (`h2c`).
//!
//! Of each header block it reports what `http` does of a head, under the same fields: the URL made of `:scheme`, `:authority`
//! and `:path`, the host, the user agent, and the URLs in `referer` and `location`; of a push promise, the promised request.
//! What a connection keeps is each direction's HPACK table (`hpack`), a block that goes on in CONTINUATION frames ([`MAX_BLOCK_BYTES`]), and,
//! if somebody wants something of files, the bodies in progress (`bodies`). Else nothing is remembered of a stream, and DATA is stepped over.
//!
//! After a gap the first segment that begins with plausible frames is where reading resumes, without the table of before.
//! Not read: connections picked up in their middle, trailers' and unknown frames' contents; the path of the request that an upgrade from
//! HTTP/1.1 answers is not known here, so the body on stream 1 has no name of it.

mod bodies;
mod frame;
mod hpack;
mod huffman;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use super::file::Wants;
use super::http;
use super::{Account, AfterGap, Hint, Parser, Probe, Progress, Starts};
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

use bodies::{Bodies, Heading};
use frame::{CONTINUATION, DATA, HEADER_BYTES, HEADERS, Header, PREFACE, PUSH_PROMISE, RST_STREAM};
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
    bodies: Option<Box<Bodies>>,
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
    block: Option<Block>,
}

/// The first frames of a header block.
struct Block {
    bytes: Vec<u8>,
    heading: Heading,
}

/// What is lent to each step.
struct Context<'c> {
    direction: Direction,
    hint: &'c Hint,
    seen: Seen<'c>,
    bodies: &'c mut Option<Box<Bodies>>,
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
    /// A body's bytes, then padding.
    Data(Data),
    /// Anything: bytes are missing before it. So many segments were turned down.
    Lost(u8),
}

/// What is left of a DATA frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Data {
    stream: u32,
    bytes: u32,
    padding: u8,
    ends_stream: bool,
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
    /// A client's preface, a server's first frame.
    const STARTS: Starts = Starts::tcp(&[(b'P', b'P'), (0, 0)]);

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match hint.transport {
            Transport::Tcp if !data.is_empty() => frame::probe(data),
            Transport::Tcp => Probe::Unsure,
            Transport::Udp | Transport::Ethernet => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let Self { halves, bodies } = self;
        let half = direction.of(halves);
        let mut context = Context { direction, hint, seen, bodies };
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() {
                return Progress::Consumed { bytes: at, need: 0 };
            }
            match half.step(rest, &mut context) {
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
        let Self { halves, bodies } = self;
        let half = direction.of(halves);
        let Some(header) = Header::read(data).filter(|_| half.phase != Phase::Start) else { return };
        let payload = data.get(HEADER_BYTES..).unwrap_or_default();
        if matches!(header.kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
            // Padding is at the end, which is not there.
            let unpadded = Header { flags: header.flags & !frame::PADDED, ..header };
            let skipped = usize::from(header.flags & frame::PADDED != 0 && header.kind != CONTINUATION);
            let block = payload.get(skipped..).and_then(|payload| frame::block(&unpadded, payload)).unwrap_or_default();
            let heading = heading(&header, payload, direction);
            let mut whole = half.block.take().unwrap_or(Block { bytes: Vec::new(), heading });
            whole.bytes.extend_from_slice(block);
            let _ = half.show(&whole.bytes, &whole.heading, &mut Context { direction, hint, seen, bodies });
        }
    }

    #[inline]
    fn accounts(&self) -> bool {
        true
    }

    fn account(&mut self) -> Account {
        let tables: usize = self.halves.iter().map(Half::memory_bytes).sum();
        let bodies = self.bodies.as_mut().map_or(Account::default(), |bodies| bodies.account());
        Account { memory_bytes: tables + bodies.memory_bytes, ..bodies }
    }

    /// What the table held is unknown from here on.
    fn shed(&mut self) {
        self.halves.iter_mut().for_each(Half::lose_block);
        if let Some(bodies) = &mut self.bodies {
            bodies.shed();
        }
    }

    /// Within a body nothing but the body is lost.
    fn gap(&mut self, direction: Direction, missing_bytes: u64) -> AfterGap {
        let half = direction.of(&mut self.halves);
        if let Phase::Data(data) = half.phase
            && let Some(left) = u64::from(data.bytes + u32::from(data.padding)).checked_sub(missing_bytes)
        {
            half.phase = if left > 0 { Phase::Unread(left as u32) } else { Phase::Frame };
            self.bodies.iter_mut().for_each(|bodies| bodies.abandon_one(data.stream, direction));
            return AfterGap::Continue;
        }
        self.bodies.iter_mut().for_each(|bodies| bodies.abandon(direction));
        half.phase = Phase::Lost(0);
        half.block = None;
        half.decoder.lose();
        AfterGap::Continue
    }
}

/// What the block that begins with a frame belongs to.
fn heading(header: &Header, payload: &[u8], direction: Direction) -> Heading {
    let promised = frame::promised(header, payload);
    Heading { stream: header.stream, direction, ends_stream: header.ends_stream(), promised }
}

impl Half {
    /// One step over `rest`, which is not empty.
    fn step(&mut self, rest: &[u8], context: &mut Context<'_>) -> Step {
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
            Phase::Data(data) => return self.data(data, rest, context),
            Phase::Frame => {}
        }
        match Header::read(rest) {
            Some(header) => self.frame(&header, rest, context),
            None => Step::Need(HEADER_BYTES),
        }
    }

    fn frame(&mut self, header: &Header, rest: &[u8], context: &mut Context<'_>) -> Step {
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
            return if context.bodies.is_some() { self.of_body(header, rest, context) } else { Step::Past(end) };
        }
        let Some(payload) = rest.get(HEADER_BYTES..end) else { return Step::Need(end) };
        let Some(block) = frame::block(header, payload) else {
            self.lose_block();
            return Step::Trouble(end, "malformed HTTP/2 frame");
        };
        let heading = heading(header, payload, context.direction);
        let result = match self.block.take() {
            None if header.ends_headers() => self.show(block, &heading, context),
            pending => {
                let begun = pending.unwrap_or(Block { bytes: Vec::new(), heading });
                self.collect(begun, block, header.ends_headers(), context)
            }
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
        mut whole: Block,
        block: &[u8],
        is_last: bool,
        context: &mut Context<'_>,
    ) -> Result<(), &'static str> {
        if whole.bytes.len() + block.len() > MAX_BLOCK_BYTES {
            self.lose_block();
            return Err(TOO_LONG);
        }
        whole.bytes.extend_from_slice(block);
        if is_last {
            return self.show(&whole.bytes, &whole.heading, context);
        }
        self.block = Some(whole);
        Ok(())
    }

    /// A frame without a header block, where bodies are followed.
    #[cold]
    fn of_body(&mut self, header: &Header, rest: &[u8], context: &mut Context<'_>) -> Step {
        let (end, direction) = (HEADER_BYTES + header.length, context.direction);
        let Some(bodies) = &mut *context.bodies else { return Step::Past(end) };
        if header.kind == RST_STREAM {
            bodies.reset(header.stream);
        }
        if header.kind != DATA || !bodies.has(header.stream, direction) {
            return Step::Past(end);
        }
        let is_padded = header.flags & frame::PADDED != 0 && header.length > 0;
        let (head_bytes, padding) = match rest.get(HEADER_BYTES) {
            _ if !is_padded => (HEADER_BYTES, 0),
            Some(padding) => (HEADER_BYTES + 1, *padding),
            None => return Step::Need(HEADER_BYTES + 1),
        };
        let Some(bytes) = (end - head_bytes).checked_sub(usize::from(padding)) else {
            bodies.abandon_one(header.stream, direction);
            self.phase = Phase::Unread((end - head_bytes) as u32);
            return Step::Trouble(head_bytes, "malformed HTTP/2 frame");
        };
        let (stream, ends_stream) = (header.stream, header.ends_stream());
        let data = Data { stream, bytes: bytes as u32, padding, ends_stream };
        self.phase = Phase::Data(data);
        if bytes == 0 {
            self.end_data(&data, context);
        }
        Step::Past(head_bytes)
    }

    /// The next bytes of a body.
    #[cold]
    fn data(&mut self, data: Data, rest: &[u8], context: &mut Context<'_>) -> Step {
        let here = rest.get(..data.bytes as usize).unwrap_or(rest);
        let left = data.bytes - here.len() as u32;
        if let Some(bodies) = &mut *context.bodies {
            bodies.push(data.stream, context.direction, here, context.seen);
        }
        if left > 0 {
            self.phase = Phase::Data(Data { bytes: left, ..data });
        } else {
            self.end_data(&data, context);
        }
        Step::Past(here.len())
    }

    fn end_data(&mut self, data: &Data, context: &mut Context<'_>) {
        self.phase = if data.padding > 0 { Phase::Unread(u32::from(data.padding)) } else { Phase::Frame };
        if let (true, Some(bodies)) = (data.ends_stream, &mut *context.bodies) {
            bodies.complete(data.stream, context.direction, context.seen);
        }
    }

    /// What grows with what its sender says.
    fn memory_bytes(&self) -> usize {
        self.decoder.memory_bytes() + self.block.as_ref().map_or(0, |block| block.bytes.capacity())
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
    fn show(&mut self, block: &[u8], heading: &Heading, context: &mut Context<'_>) -> Result<(), &'static str> {
        let mut scratch = SCRATCH.take();
        scratch.list.clear();
        let decoded = self.decoder.decode(block, &mut scratch.list);
        let is_cut = scratch.list.is_cut;
        scratch.show(heading, context);
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
    fn show(&mut self, heading: &Heading, context: &mut Context<'_>) {
        let Self { list, target, lines } = self;
        lines.clear();
        for (name, field) in [
            ("host", Name::Host),
            ("user-agent", Name::UserAgent),
            ("referer", Name::Referer),
            ("location", Name::Location),
            ("content-type", Name::ContentType),
            ("content-encoding", Name::ContentEncoding),
            ("content-disposition", Name::ContentDisposition),
            ("content-range", Name::ContentRange),
        ] {
            list.values(field).for_each(|value| push_line(lines, name, value));
        }
        if let Some(status) = list.first(Name::Status) {
            let status = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            return context.report(heading, &http::Head { line: http::Line::Response { status }, headers: lines });
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
                context.end_of_body(heading);
                return http::report_fields(lines, context.hint, context.seen);
            }
        }
        clean(target);
        context.report(heading, &http::Head { line: http::Line::Request { method, target }, headers: lines });
    }
}

impl Context<'_> {
    /// A message's head.
    fn report(&mut self, heading: &Heading, head: &http::Head<'_>) {
        http::report(head, self.hint, self.seen);
        let wants = Wants::of(&self.hint.wants);
        if wants.any() {
            self.bodies.get_or_insert_default().head(heading, head, wants, self.seen);
        }
    }

    /// Trailers end a body, too.
    fn end_of_body(&mut self, heading: &Heading) {
        if let (true, Some(bodies)) = (heading.ends_stream, &mut *self.bodies) {
            bodies.complete(heading.stream, heading.direction, self.seen);
        }
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
