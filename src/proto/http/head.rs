//! The head of a message as text: where it ends, its first line, the header lines that matter, the framing they declare.
//!
//! Borrowed views only; nothing here allocates or reports.

use super::{Probe, Starts};

/// Longest method that is looked for. Registered ones have at most 17 bytes (IANA HTTP Method Registry).
const MAX_METHOD_BYTES: usize = 32;

/// A first line longer than this is not waited for when only its end can tell whether this is HTTP.
const MAX_PROBE_BYTES: usize = 2048;

/// Empty lines that may precede a first message.
const MAX_EMPTY_BYTES: usize = 4;

/// A head taken apart: its first line, and the lines below it through the empty one.
#[derive(Clone, Copy)]
pub(in crate::proto) struct Head<'a> {
    pub(in crate::proto) line: Line<'a>,
    pub(in crate::proto) headers: &'a [u8],
}

crate::bytes::opaque_debug!(Head<'_>, "Head");

impl<'a> Head<'a> {
    /// Of bytes that start with a first line; they need not be the whole head.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let line_end = memchr::memchr(b'\n', bytes)?;
        let (line, headers) = bytes.split_at_checked(line_end + 1)?;
        Some(Self { line: Line::parse(line)?, headers })
    }

    /// The head that bytes start with, if all of it is there, and its length; its fields go to `fields`, which has none yet. What
    /// [`find_end`], [`Head::new`] and [`Fields::of`] say in one pass.
    pub(super) fn whole(bytes: &'a [u8], fields: &mut Fields<'a>) -> Option<(Self, usize)> {
        let Self { line, headers: below } = Self::new(bytes)?;
        let length = fields.read(below, |line| matches!(line, b"\n" | b"\r\n"))?;
        let headers = below.get(..length)?;
        Some((Self { line, headers }, bytes.len() - below.len() + length))
    }
}

/// The first line (RFC 9112, 3 and 4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::proto) enum Line<'a> {
    Request {
        method: &'a [u8],
        target: &'a [u8],
    },
    /// `status` is 0 when it cannot be read.
    Response {
        status: u16,
    },
}

crate::bytes::opaque_debug!(Line<'_>, "Line");

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii_end();
        if let Some(rest) = after_version(line) {
            let rest = rest.trim_ascii_start();
            return Some(Self::Response { status: status(rest).unwrap_or(0) });
        }
        let (method, rest) = split_method(line)?;
        let version = memchr::memrchr2(b' ', b'\t', rest)?;
        let (target, version) = rest.split_at_checked(version)?;
        let target = target.trim_ascii();
        let after = after_version(version.trim_ascii_start())?;
        (after.is_empty() && !target.is_empty()).then_some(Self::Request { method, target })
    }
}

/// A status code, or another number of three characters.
#[inline]
fn status(text: &[u8]) -> Option<u16> {
    let code = text.first_chunk::<3>()?;
    match code.map(|digit| u16::from(digit.wrapping_sub(b'0'))) {
        [a @ 0..=9, b @ 0..=9, c @ 0..=9] => Some(100 * a + 10 * b + c),
        _ => std::str::from_utf8(code).ok()?.parse().ok(),
    }
}

/// First bytes that [`probe`] does not turn down: those of a token, and of empty lines.
pub(super) const STARTS: Starts = Starts::NONE.and(&[
    (b'\n', b'\n'),
    (b'\r', b'\r'),
    (b'!', b'!'),
    (b'#', b'\''),
    (b'*', b'+'),
    (b'-', b'.'),
    (b'0', b'9'),
    (b'A', b'Z'),
    (b'^', b'z'),
    (b'|', b'|'),
    (b'~', b'~'),
]);

/// Whether bytes are the start of a message, as far as they go.
pub(super) fn probe(data: &[u8]) -> Probe {
    let empty = data.iter().take(MAX_EMPTY_BYTES).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let data = data.get(empty..).unwrap_or(&[]);
    match probe_response(data) {
        Probe::No => probe_request(data),
        answer => answer,
    }
}

/// The same for a response alone.
pub(super) fn probe_response(data: &[u8]) -> Probe {
    let start = data.get(..VERSION.len()).unwrap_or(data);
    if !VERSION.get(..start.len()).is_some_and(|version| version.eq_ignore_ascii_case(start)) {
        return Probe::No;
    }
    match data.get(VERSION.len()) {
        Some(digit) if digit.is_ascii_digit() => Probe::Yes,
        Some(_) => Probe::No,
        None => Probe::Unsure,
    }
}

fn probe_request(data: &[u8]) -> Probe {
    if !may_start(data) {
        return Probe::No;
    }
    if let Some(end) = memchr::memchr(b'\n', data) {
        return if data.get(..end).and_then(Line::parse).is_some() { Probe::Yes } else { Probe::No };
    }
    let Some((method, target)) = split_method(data) else { return Probe::Unsure };
    let only_http = ONLY_HTTP.iter().any(|known| known.eq_ignore_ascii_case(method));
    match target.first() {
        Some(b'/' | b'h' | b'H') if only_http => Probe::Yes,
        // Two words of any text begin like a request, too.
        Some(b'/' | b'*' | b'h' | b'H') | None if data.len() < MAX_PROBE_BYTES => Probe::Unsure,
        _ if only_http && data.len() < MAX_PROBE_BYTES => Probe::Unsure,
        _ => Probe::No,
    }
}

/// Whether the first bytes could still become a message: a token and a blank, or less than that.
pub(super) fn may_start(data: &[u8]) -> bool {
    let method = data.iter().take(MAX_METHOD_BYTES + 1).take_while(|byte| is_token(**byte)).count();
    match data.get(method) {
        None => method <= MAX_METHOD_BYTES,
        Some(b' ' | b'\t') => method > 0,
        // `HTTP/1.1 200`: the slash is in no token.
        Some(b'/') => probe_response(data) != Probe::No,
        Some(_) => false,
    }
}

/// Where the first `needle` at or after `from` is.
pub(super) fn find_from(data: &[u8], needle: u8, from: usize) -> Option<usize> {
    memchr::memchr(needle, data.get(from..)?).map(|at| from + at)
}

/// The length of the head through its empty line, looking at line ends from `from` on; else where to look next time.
pub(super) fn find_end(data: &[u8], from: usize) -> Result<usize, usize> {
    let mut from = from;
    while let Some(line_end) = find_from(data, b'\n', from) {
        match data.get(line_end + 1..).unwrap_or(&[]) {
            [b'\n', ..] => return Ok(line_end + 2),
            [b'\r', b'\n', ..] => return Ok(line_end + 3),
            [] | [b'\r'] => return Err(line_end),
            _ => from = line_end + 1,
        }
    }
    Err(data.len())
}

/// Header fields that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Host,
    UserAgent,
    Referer,
    Location,
    ContentLength,
    TransferEncoding,
    Expect,
}

impl Name {
    /// The name that may begin with these bytes, as most peers write it.
    #[inline(always)]
    fn beginning(start: [u8; 4]) -> Option<(Self, &'static [u8])> {
        Some(match &start.map(|byte| byte | 0x20) {
            b"host" => (Self::Host, b"Host"),
            b"user" => (Self::UserAgent, b"User-Agent"),
            b"refe" => (Self::Referer, b"Referer"),
            b"loca" => (Self::Location, b"Location"),
            b"cont" => (Self::ContentLength, b"Content-Length"),
            b"tran" => (Self::TransferEncoding, b"Transfer-Encoding"),
            b"expe" => (Self::Expect, b"Expect"),
            _ => return None,
        })
    }
}

/// The lines that matter of some header lines, in order, values without the blanks around them. Folded lines are not joined: see
/// [`Fields::folded`] and [`unfold`].
#[derive(Clone, Copy)]
struct Lines<'a> {
    rest: &'a [u8],
}

crate::bytes::opaque_debug!(Lines<'_>, "Lines");

impl<'a> Iterator for Lines<'a> {
    type Item = (Name, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((first, line)) = self.line() {
            if let Some(field) = field(first, line) {
                return Some(field);
            }
        }
        None
    }
}

impl<'a> Lines<'a> {
    /// The next line, whatever it is, and its first byte.
    #[inline]
    fn line(&mut self) -> Option<(u8, &'a [u8])> {
        let first = *self.rest.first()?;
        let line_end = memchr::memchr(b'\n', self.rest).map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at_checked(line_end)?;
        self.rest = rest;
        Some((first, line))
    }
}

/// The field of a line that begins with `first`, if it matters.
#[inline(always)]
fn field(first: u8, line: &[u8]) -> Option<(Name, &[u8])> {
    if is_blank(first) {
        return field_among_blanks(line);
    }
    let named = Name::beginning(*line.first_chunk()?)?;
    field_named(named, line)
}

#[inline(never)]
fn field_named<'a>((name, text): (Name, &'static [u8]), line: &'a [u8]) -> Option<(Name, &'a [u8])> {
    let (found, after) = line.split_at_checked(text.len())?;
    let (next, value) = after.split_first()?;
    if *next != b':' && !next.is_ascii_whitespace() || found != text && !found.eq_ignore_ascii_case(text) {
        return None;
    }
    if *next == b':' { Some((name, value.trim_ascii())) } else { field_among_blanks(line) }
}

/// The same where blanks stand around the name: many servers take it.
#[cold]
fn field_among_blanks(line: &[u8]) -> Option<(Name, &[u8])> {
    let name_end = line.iter().take(MAX_NAME_BYTES).position(|byte| *byte == b':')?;
    let (found, value) = line.split_at_checked(name_end)?;
    let found = found.trim_ascii();
    let (name, text) = Name::beginning(*found.first_chunk()?)?;
    found.eq_ignore_ascii_case(text).then(|| (name, value.get(1..).unwrap_or(&[]).trim_ascii()))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// No field that matters has a longer name, even with blanks around it.
const MAX_NAME_BYTES: usize = 64;

/// The fields that matter, found once.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    found: [(Name, &'a [u8]); MAX_FOUND],
    count: usize,
    /// What there was no room for; read again each time.
    rest: Lines<'a>,
    /// Whether a line begins with a blank, so that it continues the one before it (`obs-fold`, RFC 9112, 5.2).
    pub(super) folded: bool,
}

crate::bytes::opaque_debug!(Fields<'_>, "Fields");

/// More than any peer sends that does not try to be slow to read.
const MAX_FOUND: usize = 8;

impl<'a> Fields<'a> {
    /// None yet.
    #[inline]
    pub(super) fn none() -> Self {
        Self { found: [(Name::Host, &[][..]); MAX_FOUND], count: 0, rest: Lines { rest: &[] }, folded: false }
    }

    /// Of lines that are all there is.
    pub(super) fn of(headers: &'a [u8]) -> Self {
        let mut fields = Self::none();
        fields.read(headers, |_| false);
        fields
    }

    /// Takes in lines up to the one that is the end, and says where that ends.
    #[inline(always)]
    fn read(&mut self, headers: &'a [u8], is_end: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let mut lines = Lines { rest: headers };
        let mut overflow = None;
        let mut end = None;
        let mut before = headers.len();
        while let Some((first, line)) = lines.line() {
            if is_end(line) {
                end = Some(headers.len() - lines.rest.len());
                break;
            }
            self.folded |= is_blank(first);
            if let Some(field) = field(first, line) {
                match self.found.get_mut(self.count) {
                    Some(slot) => {
                        *slot = field;
                        self.count += 1;
                    }
                    None if overflow.is_none() => overflow = Some(headers.len() - before),
                    None => {}
                }
            }
            before = lines.rest.len();
        }
        if let Some(start) = overflow {
            self.rest.rest = headers.get(start..end.unwrap_or(headers.len())).unwrap_or(&[]);
        }
        end
    }

    /// All of them, in order.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, &'a [u8])> {
        self.found.get(..self.count).unwrap_or_default().iter().copied().chain(self.rest)
    }

    /// The values of one field that are not empty.
    #[inline]
    pub(super) fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(n, value)| *n == name && !value.is_empty()).map(|(_, value)| value)
    }
}

/// Writes header lines to `out` with each fold and the blanks around it as one space, as RFC 9112, 5.2 has servers do.
pub(super) fn unfold(headers: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for line in headers.split_inclusive(|byte| *byte == b'\n') {
        if matches!(line.first(), Some(b' ' | b'\t')) && !out.is_empty() {
            out.truncate(out.trim_ascii_end().len());
            out.push(b' ');
            out.extend_from_slice(line.trim_ascii_start());
        } else {
            out.extend_from_slice(line);
        }
    }
}

/// What a head says of the body after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Framing {
    /// `Content-Length`; the first of several.
    pub(super) length: Option<u64>,
    /// `Transfer-Encoding` ends in or has `chunked`: goes before the length (RFC 9112, 6.3).
    pub(super) chunked: bool,
    /// `Expect: 100-continue`.
    pub(super) expects_continue: bool,
}

impl Framing {
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let mut framing = Self::default();
        for (name, value) in fields.iter() {
            match name {
                Name::ContentLength => framing.length = framing.length.or_else(|| decimal(value)),
                Name::TransferEncoding => {
                    let mut codings = value.split(|byte| *byte == b',');
                    framing.chunked |= codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                }
                Name::Expect => framing.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
                _ => {}
            }
        }
        framing
    }
}

/// The size that a chunk-size line declares (RFC 9112, 7.1); extensions are ignored. Saturates.
pub(super) fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let after = line.get(digits..)?;
    if digits == 0 || !matches!(after.first(), Some(b'\r' | b'\n' | b';' | b' ' | b'\t')) {
        return None;
    }
    let text = std::str::from_utf8(line.get(..digits)?).ok()?;
    Some(u64::from_str_radix(text, 16).unwrap_or(u64::MAX))
}

/// A decimal number, the first of a list of them (RFC 9112, 6.3). Saturates.
fn decimal(value: &[u8]) -> Option<u64> {
    let value = value.split(|byte| *byte == b',').next()?.trim_ascii();
    let mut number = (!value.is_empty()).then_some(0_u64)?;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        number = if digit <= 9 { number.saturating_mul(10).saturating_add(digit.into()) } else { return None };
    }
    Some(number)
}

const VERSION: &[u8] = b"HTTP/1.";

/// What follows `HTTP/1.` and the minor version.
fn after_version(text: &[u8]) -> Option<&[u8]> {
    let (version, rest) = text.split_at_checked(VERSION.len())?;
    let (minor, rest) = rest.split_first()?;
    ((version == VERSION || version.eq_ignore_ascii_case(VERSION)) && minor.is_ascii_digit()).then_some(rest)
}

fn split_method(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().take(MAX_METHOD_BYTES + 1).position(|byte| !is_token(*byte))?;
    let (method, rest) = line.split_at_checked(end)?;
    (end > 0 && matches!(rest.first(), Some(b' ' | b'\t'))).then(|| (method, rest.trim_ascii_start()))
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).is_some_and(|is_token| *is_token)
}

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        byte += 1;
    }
    table
};

/// Methods that no other text protocol (SIP, RTSP, ...) starts a line with: enough to know HTTP by before the line ends.
const ONLY_HTTP: &[&[u8]] = &[
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"SEARCH",
    b"REPORT",
];
