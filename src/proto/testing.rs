//! For tests of parsers: the stream layer's part (bytes held back until enough came, any segmentation) and a ClientHello
//! builder. Observables come back as text, `kind path value`, for easy comparison.

use std::fmt::Write as _;

use super::client_hello::Carrier;
use super::{Hint, Parser, Progress};
use crate::flow::Direction;
use crate::indicator::{FieldValue, MAX_NAME_TEXT_BYTES, Observable, Transport, Value, Wants};

pub(crate) fn udp(source_port: u16, destination_port: u16) -> Hint {
    Hint::new(Transport::Udp, source_port, destination_port, Wants::ALL.without_rules())
}

pub(crate) fn tcp(source_port: u16, destination_port: u16) -> Hint {
    Hint::new(Transport::Tcp, source_port, destination_port, Wants::ALL.without_rules())
}

/// What lies straight in a frame of this EtherType.
pub(crate) fn ethernet(number: u16) -> Hint {
    Hint::new(Transport::Ethernet, 0, number, Wants::ALL)
}

/// `kind path value`.
pub(crate) fn text_of(seen: &Observable<'_>) -> String {
    let value = match seen.value {
        Value::Addr(addr) => addr.to_string(),
        Value::Endpoint(addr, port, _) => format!("{addr} {port}"),
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Name(name) => String::from_utf8_lossy(name.text(&mut [0; MAX_NAME_TEXT_BYTES])).into_owned(),
        Value::Piece { bytes, offset, .. } => format!("{offset} {}", String::from_utf8_lossy(bytes)),
        Value::Elsewhere(file) => {
            let (end, name) = (if file.waits_here { "here" } else { "there" }, String::from_utf8_lossy(file.name));
            format!("{end} {:?} {} {} {name}", file.host, file.port, file.action)
        }
    };
    format!("{} {} {value}", seen.kind.name, seen.at.0)
}

/// [`text_of`] and the fields that came with it, ` path=value` each; an alert leaves out what is empty.
pub(crate) fn text_with_fields(seen: &Observable<'_>) -> String {
    let mut out = text_of(seen);
    seen.each_field(&mut |field| {
        let value = match field.value {
            FieldValue::Text(text) => String::from_utf8_lossy(text).into_owned(),
            FieldValue::Word(word) => word.to_owned(),
            FieldValue::Number(number) => number.to_string(),
            FieldValue::Made(make) => String::from_utf8_lossy(&make()).into_owned(),
            FieldValue::Several(_) => String::new(),
        };
        if !value.is_empty() {
            let _ = write!(out, " {}={value}", field.path.0);
        }
    });
    out
}

/// A fresh parser offered datagrams one by one until it wants no more; what it showed and said.
pub(crate) fn datagrams<P: Parser>(
    direction: Direction,
    list: &[Vec<u8>],
    hint: &Hint,
) -> (Vec<String>, Vec<Progress>) {
    let mut parser = P::default();
    let (mut seen, mut said) = (Vec::new(), Vec::new());
    for datagram in list {
        let progress = parser.parse(direction, datagram, hint, &mut |o| seen.push(text_of(&o)));
        said.push(progress);
        if !matches!(progress, Progress::Consumed { .. } | Progress::Damaged { .. }) {
            break;
        }
    }
    (seen, said)
}

/// One direction of a stream, as the stream layer offers it to a parser.
pub(crate) struct Stream<P> {
    parser: P,
    direction: Direction,
    hint: Hint,
    pending: Vec<u8>,
    need: usize,
    skip: u64,
    /// What the parser showed.
    pub(crate) seen: Vec<String>,
    /// Why parsing ended, or was damaged (the last time).
    pub(crate) ended: Option<Progress>,
    /// Times the parser was called.
    pub(crate) calls: usize,
}

impl<P: Parser> Stream<P> {
    pub(crate) fn new(direction: Direction, hint: Hint) -> Self {
        let (pending, seen) = (Vec::new(), Vec::new());
        Self { parser: P::default(), direction, hint, pending, need: 0, skip: 0, seen, ended: None, calls: 0 }
    }

    /// The next segment.
    pub(crate) fn push(&mut self, segment: &[u8]) {
        if matches!(
            self.ended,
            Some(Progress::Done | Progress::DoneDirection | Progress::Stopped(_) | Progress::Reprobe(_))
        ) {
            return;
        }
        self.pending.extend_from_slice(segment);
        loop {
            let skipped = self.skip.min(self.pending.len() as u64) as usize;
            self.pending.drain(..skipped);
            self.skip -= skipped as u64;
            if self.pending.is_empty() || self.pending.len() < self.need {
                break;
            }
            self.calls += 1;
            let seen = &mut self.seen;
            let progress =
                self.parser.parse(self.direction, &self.pending, &self.hint, &mut |o| seen.push(text_of(&o)));
            match progress {
                Progress::Consumed { bytes, need } | Progress::Damaged { bytes, need, .. } => {
                    assert!(bytes <= self.pending.len(), "consumed more than there was");
                    self.pending.drain(..bytes);
                    self.need = need;
                    if matches!(progress, Progress::Damaged { .. }) {
                        self.ended = Some(progress);
                    }
                    assert!(need <= P::MAX_PENDING_BYTES.max(1), "{need} bytes wanted over the parser's own cap");
                    assert!(bytes > 0 || need > self.pending.len(), "asked for no more than it was offered");
                    if need == 0 && bytes == 0 {
                        break;
                    }
                }
                Progress::Reprobe(bytes) => {
                    self.pending.drain(..bytes);
                    self.ended = Some(progress);
                    break;
                }
                Progress::Skip(bytes) => (self.skip, self.need) = (bytes, 0),
                end => {
                    self.ended = Some(end);
                    break;
                }
            }
        }
    }

    /// The flow ends, or a gap follows, before what is held back was completed.
    pub(crate) fn cut(&mut self) {
        let seen = &mut self.seen;
        self.parser.cut(self.direction, &self.pending, &self.hint, &mut |o| seen.push(text_of(&o)));
        self.pending.clear();
    }

    /// All of a direction in pieces that end at `cuts` (ascending).
    pub(crate) fn of(direction: Direction, hint: Hint, data: &[u8], cuts: &[usize]) -> Self {
        let mut stream = Self::new(direction, hint);
        let mut from = 0;
        for cut in cuts.iter().copied().chain([data.len()]) {
            let cut = cut.clamp(from, data.len());
            stream.push(&data[from..cut]);
            from = cut;
        }
        stream
    }
}

/// Asserts that `data` shows the same however one cut, or a cut at every byte, falls; what it shows.
pub(crate) fn same_in_any_segments<P: Parser>(direction: Direction, hint: Hint, data: &[u8]) -> Vec<String> {
    let whole = Stream::<P>::of(direction, hint, data, &[]);
    for cut in 0..data.len() {
        let split = Stream::<P>::of(direction, hint, data, &[cut]);
        assert_eq!((&split.seen, split.ended), (&whole.seen, whole.ended), "cut at {cut}");
    }
    let bytes = Stream::<P>::of(direction, hint, data, &(1..data.len()).collect::<Vec<_>>());
    assert_eq!((&bytes.seen, bytes.ended), (&whole.seen, whole.ended), "byte by byte");
    whole.seen
}

/// A ClientHello to build.
#[derive(Debug, Clone)]
pub(crate) struct Hello {
    pub(crate) version: u16,
    pub(crate) cookie: Vec<u8>,
    pub(crate) ciphers: Vec<u16>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

impl Default for Hello {
    /// TLS 1.2, nothing offered.
    fn default() -> Self {
        Self { version: 0x0303, cookie: Vec::new(), ciphers: Vec::new(), extensions: Vec::new() }
    }
}

impl Hello {
    /// The browser of JA4's worked example, with GREASE where browsers put it, to www.example.com.
    pub(crate) fn browser() -> Self {
        let mut extensions = vec![(0x2a2a, vec![])];
        for kind in [0x1b, 0, 0x33, 0x10, 0x4469, 0x17, 0x2d, 0x0d, 5, 0x23, 0x12, 0x2b, 0xff01, 0x0b, 0x0a, 0x15] {
            extensions.push(match kind {
                0 => Self::server_name(b"www.example.com"),
                0x10 => Self::alpn(&[b"h2", b"http/1.1"]),
                0x0d => (13, list16(&numbers(&[0x403, 0x804, 0x401, 0x503, 0x805, 0x501, 0x806, 0x601]))),
                0x2b => Self::versions(&[0x5a5a, 0x0304, 0x0303]),
                0x0b => Self::point_formats(&[0]),
                0x0a => Self::groups(&[0x9a9a, 29, 23, 24]),
                other => (other, vec![0; 3]),
            });
        }
        extensions.push((0xbaba, vec![0]));
        let ciphers = vec![
            0x6a6a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d,
            0x2f, 0x35,
        ];
        Self { ciphers, extensions, ..Self::default() }
    }

    pub(crate) fn server_name(name: &[u8]) -> (u16, Vec<u8>) {
        (0, list16(&[&[0][..], &list16(name)].concat()))
    }

    pub(crate) fn groups(list: &[u16]) -> (u16, Vec<u8>) {
        (10, list16(&numbers(list)))
    }

    pub(crate) fn point_formats(list: &[u8]) -> (u16, Vec<u8>) {
        (11, list8(list))
    }

    pub(crate) fn versions(list: &[u16]) -> (u16, Vec<u8>) {
        (43, list8(&numbers(list)))
    }

    pub(crate) fn alpn(list: &[&[u8]]) -> (u16, Vec<u8>) {
        (16, list16(&list.iter().flat_map(|name| list8(name)).collect::<Vec<_>>()))
    }

    /// The handshake message's body.
    pub(crate) fn body(&self, carrier: Carrier) -> Vec<u8> {
        let mut out = self.version.to_be_bytes().to_vec();
        out.extend([7; 32]);
        out.extend(list8(&[9; 32]));
        if carrier == Carrier::Dtls {
            out.extend(list8(&self.cookie));
        }
        out.extend(list16(&numbers(&self.ciphers)));
        out.extend([1, 0]);
        if !self.extensions.is_empty() {
            let all = self.extensions.iter().flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &list16(data)].concat());
            out.extend(list16(&all.collect::<Vec<_>>()));
        }
        out
    }

    /// The handshake message.
    pub(crate) fn message(&self) -> Vec<u8> {
        let body = self.body(Carrier::Tls);
        [&[1][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat()
    }

    /// The message in TLS records of at most `size` bytes.
    pub(crate) fn records(&self, size: usize) -> Vec<u8> {
        self.message().chunks(size).flat_map(|part| [&[22, 3, 1][..], &list16(part)].concat()).collect()
    }
}

fn numbers(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|n| n.to_be_bytes()).collect()
}

fn list8(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8][..], bytes].concat()
}

fn list16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A ServerHello to build.
#[derive(Debug, Clone)]
pub(crate) struct ServerHello {
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) cipher: u16,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

impl Default for ServerHello {
    /// TLS 1.2 without extensions.
    fn default() -> Self {
        Self { version: 0x0303, random: [5; 32], cipher: 0xc02f, extensions: Vec::new() }
    }
}

impl ServerHello {
    /// The handshake message's body.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut out = self.version.to_be_bytes().to_vec();
        out.extend(self.random);
        out.extend(list8(&[8; 32]));
        out.extend(self.cipher.to_be_bytes());
        out.push(0);
        if !self.extensions.is_empty() {
            let all = self.extensions.iter().flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &list16(data)].concat());
            out.extend(list16(&all.collect::<Vec<_>>()));
        }
        out
    }
}

/// A handshake message.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// Bytes in TLS handshake records of at most `size` bytes.
pub(crate) fn records(bytes: &[u8], size: usize) -> Vec<u8> {
    bytes.chunks(size).flat_map(|part| [&[22, 3, 3][..], &list16(part)].concat()).collect()
}

/// A Certificate message's body.
pub(crate) fn chain(certificates: &[Vec<u8>]) -> Vec<u8> {
    let list24 = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat();
    list24(&certificates.iter().flat_map(|der| list24(der)).collect::<Vec<_>>())
}

/// A certificate to build, not signed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cert {
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<(&'static [u8], u8, Vec<u8>)>,
    pub(crate) subject: Vec<(&'static [u8], u8, Vec<u8>)>,
    /// Alternative names: context tag number and contents.
    pub(crate) names: Vec<(u8, Vec<u8>)>,
}

impl Cert {
    /// `CN=www.evil.example, O=Evil, C=US`-like subject, a CA as issuer, names and an address.
    pub(crate) fn example() -> Self {
        Self {
            serial: vec![0, 0x8a, 0x0b],
            issuer: vec![(&[0x55, 4, 6], 0x13, b"US".to_vec()), (&[0x55, 4, 10], 0x0c, b"Acme, Inc.".to_vec())],
            subject: vec![(&[0x55, 4, 3], 0x0c, b"www.evil.example".to_vec())],
            names: vec![(2, b"evil.example".to_vec()), (2, b"*.evil.example".to_vec()), (7, vec![192, 0, 2, 7])],
        }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let name = |list: &[(&[u8], u8, Vec<u8>)]| {
            let sets = list
                .iter()
                .flat_map(|(oid, tag, text)| der(0x31, &der(0x30, &[der(6, oid), der(*tag, text)].concat())));
            der(0x30, &sets.collect::<Vec<_>>())
        };
        let names = self.names.iter().flat_map(|(number, value)| der(0x80 | number, value)).collect::<Vec<_>>();
        let san = der(0x30, &[der(6, &[0x55, 0x1d, 0x11]), der(4, &der(0x30, &names))].concat());
        let other = der(0x30, &[der(6, &[0x55, 0x1d, 0x13]), der(1, &[0xff]), der(4, &der(0x30, &[]))].concat());
        let extensions = der(0xa3, &der(0x30, &[other, san].concat()));
        let tbs = [
            der(0xa0, &der(2, &[2])),
            der(2, &self.serial),
            der(0x30, &der(6, &[0x2a, 3])),
            name(&self.issuer),
            der(0x30, &[]),
            name(&self.subject),
            der(0x30, &[]),
            if self.names.is_empty() { Vec::new() } else { extensions },
        ];
        der(0x30, &[der(0x30, &tbs.concat()), der(0x30, &der(6, &[0x2a, 3])), der(3, &[0, 1])].concat())
    }
}

/// A value in DER.
pub(crate) fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ 0..128 => vec![short as u8],
        one @ 128..256 => vec![0x81, one as u8],
        two => [&[0x82][..], &(two as u16).to_be_bytes()].concat(),
    };
    [&[tag], &length[..], value].concat()
}
