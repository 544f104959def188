//! Frames of HTTP/2 (RFC 9113 sections 4 and 6): their headers, and where in a payload the header block lies.

use crate::bytes::Reader;
use crate::proto::Probe;

/// What a client's side of a connection begins with (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Of a frame's header.
pub(super) const HEADER_BYTES: usize = 9;

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Header {
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let mut r = Reader::new(data);
        let length = r.u24()? as usize;
        let (kind, flags) = (r.u8()?, r.u8()?);
        Some(Self { length, kind, flags, stream: r.u32()? & 0x7fff_ffff })
    }

    pub(super) fn ends_headers(&self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// Whether nothing follows on its stream in its direction.
    pub(super) fn ends_stream(&self) -> bool {
        self.flags & END_STREAM != 0 && matches!(self.kind, DATA | HEADERS)
    }

    /// Whether a sender that keeps to the standard, and to frames of the default size, could have sent this.
    fn is_plausible(&self) -> bool {
        let (on_stream, flags, length) = match self.kind {
            DATA => (true, 0x09, true),
            HEADERS => (true, 0x2d, true),
            PRIORITY => (true, 0, self.length == 5),
            RST_STREAM => (true, 0, self.length == 4),
            SETTINGS => (false, 0x01, self.length.is_multiple_of(6)),
            PUSH_PROMISE => (true, 0x0c, self.length > 4),
            PING => (false, 0x01, self.length == 8),
            GOAWAY => (false, 0, self.length >= 8),
            WINDOW_UPDATE => (self.stream > 0, 0, self.length == 4),
            CONTINUATION => (true, END_HEADERS, true),
            _ => return false,
        };
        length && self.length <= DEFAULT_MAX_FRAME_BYTES && self.flags & !flags == 0 && on_stream == (self.stream > 0)
    }
}

/// Whether bytes are the start of a client's or a server's side of a connection.
#[inline]
pub(super) fn probe(data: &[u8]) -> Probe {
    match data.first() {
        Some(b'P') => {
            let start = data.get(..PREFACE.len()).unwrap_or(data);
            match PREFACE.starts_with(start) {
                true if start.len() == PREFACE.len() => Probe::Yes,
                true => Probe::Unsure,
                false => Probe::No,
            }
        }
        Some(0) => probe_settings(data),
        _ => Probe::No,
    }
}

/// The first frame of a server (RFC 9113 section 3.4): SETTINGS, not an acknowledgement.
fn probe_settings(data: &[u8]) -> Probe {
    let shape = |(at, byte): (usize, &u8)| match at {
        0 | 4..=8 => *byte == 0,
        1 => usize::from(*byte) <= MAX_SETTINGS_BYTES >> 8,
        3 => *byte == SETTINGS,
        _ => true,
    };
    if !data.iter().take(HEADER_BYTES).enumerate().all(shape) {
        return Probe::No;
    }
    match Header::read(data) {
        None => Probe::Unsure,
        Some(header) if header.length <= MAX_SETTINGS_BYTES && header.length.is_multiple_of(6) => Probe::Yes,
        Some(_) => Probe::No,
    }
}

/// Whether frames begin here: every header that can be seen from this one on is plausible. `data` holds the first one.
pub(super) fn resumes(data: &[u8]) -> bool {
    let mut rest = data;
    for _ in 0..MAX_CHAIN {
        match Header::read(rest) {
            Some(header) if !header.is_plausible() => return false,
            Some(header) => rest = rest.get(HEADER_BYTES + header.length..).unwrap_or_default(),
            None => break,
        }
    }
    data.len() >= HEADER_BYTES
}

/// The part of a HEADERS, PUSH_PROMISE or CONTINUATION payload that is header block. `None` if its lengths do not hold.
pub(super) fn block<'a>(header: &Header, payload: &'a [u8]) -> Option<&'a [u8]> {
    let mut r = Reader::new(payload);
    if header.kind == CONTINUATION {
        return Some(payload);
    }
    let padding = if header.flags & PADDED != 0 { usize::from(r.u8()?) } else { 0 };
    match header.kind {
        PUSH_PROMISE => r.skip(4)?,
        _ if header.flags & HAS_PRIORITY != 0 => r.skip(5)?,
        _ => {}
    }
    let bytes = r.remaining().checked_sub(padding)?;
    r.take(bytes)
}

/// The stream that a PUSH_PROMISE promises.
pub(super) fn promised(header: &Header, payload: &[u8]) -> Option<u32> {
    let mut r = Reader::new(payload);
    r.skip(usize::from(header.flags & PADDED != 0))?;
    Some(r.u32()? & 0x7fff_ffff).filter(|_| header.kind == PUSH_PROMISE)
}

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 0x01;
pub(super) const END_HEADERS: u8 = 0x04;
pub(super) const PADDED: u8 = 0x08;
pub(super) const HAS_PRIORITY: u8 = 0x20;

/// `SETTINGS_MAX_FRAME_SIZE` unless a peer says otherwise (RFC 9113 section 6.5.2).
const DEFAULT_MAX_FRAME_BYTES: usize = 16_384;
/// A hundred settings: there are seven.
const MAX_SETTINGS_BYTES: usize = 600;
/// Headers looked at before a stream counts as found again.
const MAX_CHAIN: usize = 8;
