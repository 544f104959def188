//! OPC UA over TCP (OPC UA part 6, section 7.1), on any port: the services asked for and answered.
//!
//! A service is named by the first chunk of its message, unless the secure channel encrypts it: that is counted as not
//! visible. Nodes, attributes, values, and OPC UA over HTTPS and WebSockets are not looked at.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Framed, Message, Shown, messages};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::OPCUA;
use crate::indicator::{Seen, Transport};

/// State: what was shown, and whether the channel was opened with a policy that may encrypt.
#[derive(Default)]
pub struct OpcUa {
    shown: Shown,
    is_secured: bool,
    /// The chunk before was one of a message that goes on.
    goes_on: [bool; 2],
}

impl Parser for OpcUa {
    const NAME: &'static str = "opcua";
    const MAX_PENDING_BYTES: usize = MAX_HEAD_BYTES;
    const STARTS: Starts = Starts::tcp(&[
        (b'H', b'H'),
        (b'A', b'A'),
        (b'E', b'E'),
        (b'R', b'R'),
        (b'O', b'O'),
        (b'M', b'M'),
        (b'C', b'C'),
    ]);

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data {
            [] => Probe::Unsure,
            [b'H' | b'A' | b'E' | b'R' | b'O' | b'M' | b'C', ..] if hint.transport == Transport::Tcp => {
                probe_chunk(data)
            }
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        messages(data, hint, |rest| {
            let chunk = match Chunk::read(rest) {
                Read::Chunk(chunk) => chunk,
                Read::Short(need) => return Framed::Short(need),
                Read::No => return Framed::Broken("not an OPC UA message"),
            };
            if chunk.kind == Kind::Open && chunk.is_secured {
                self.is_secured = true;
            }
            let Some(goes_on) = self.goes_on.get_mut(direction.index()) else { return Framed::Whole(chunk.bytes) };
            let is_first = !std::mem::replace(goes_on, chunk.goes_on);
            match chunk.service {
                _ if !is_first => {}
                Some(code) => {
                    self.shown.show(direction, hint, &Message { family: &OPCUA, code, station: None, with: &[] }, seen);
                }
                None if chunk.kind == Kind::Message && self.is_secured && chunk.bytes <= rest.len() => {
                    return Framed::Damaged(chunk.bytes, "OPC UA message encrypted: service not visible");
                }
                None => {}
            }
            Framed::Whole(chunk.bytes)
        })
    }
}

#[inline(never)]
fn probe_chunk(data: &[u8]) -> Probe {
    match Chunk::read(data) {
        Read::Chunk(_) => Probe::Yes,
        Read::Short(_) => Probe::Unsure,
        Read::No => Probe::No,
    }
}

/// A chunk of a message, as far as it is of interest.
struct Chunk {
    kind: Kind,
    /// In all.
    bytes: usize,
    /// More chunks follow.
    goes_on: bool,
    /// Opened with another security policy than "None".
    is_secured: bool,
    /// Of the family's codes.
    service: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hello,
    Acknowledge,
    Error,
    ReverseHello,
    Open,
    Message,
    Close,
}

enum Read {
    Chunk(Chunk),
    /// So many bytes are needed.
    Short(usize),
    No,
}

impl Chunk {
    fn read(data: &[u8]) -> Read {
        let (Some(head), begins) = (data.get(..3.min(data.len())), KINDS) else { return Read::No };
        let Some((name, kind)) = begins.into_iter().find(|(name, _)| name.starts_with(head)) else { return Read::No };
        let mut r = Reader::new(data);
        let (Some(()), Some(last), Some(size)) = (r.skip(name.len()), r.u8(), r.u32_le()) else {
            let flag = data.get(3).copied();
            return if flag.is_none_or(|flag| is_flag(kind, flag)) { Read::Short(HEADER_BYTES) } else { Read::No };
        };
        let bytes = size as usize;
        if !is_flag(kind, last) || !(HEADER_BYTES + 8..=MAX_CHUNK_BYTES).contains(&bytes) {
            return Read::No;
        }
        let need = bytes.min(MAX_HEAD_BYTES);
        let Some(body) = data.get(HEADER_BYTES..need) else { return Read::Short(need) };
        let chunk = Self { kind, bytes, goes_on: last == b'C', is_secured: false, service: None };
        chunk.body(body).map_or(Read::No, Read::Chunk)
    }

    /// Looks at what lies behind the header (part 6, 7.1.2 and 6.7.2); `None` if the kind has no such body.
    fn body(mut self, body: &[u8]) -> Option<Self> {
        let mut r = Reader::new(body);
        let has_text = |r: &mut Reader<'_>, before: usize| {
            let length = r.u32_le()?;
            let length = if length == NULL { 0 } else { length as usize };
            (before + 4 + length == self.bytes - HEADER_BYTES && length <= MAX_URL_BYTES).then_some(())
        };
        match self.kind {
            Kind::Hello => {
                r.skip(20)?;
                has_text(&mut r, 20)?;
            }
            Kind::Acknowledge if self.bytes == HEADER_BYTES + 20 => {}
            Kind::Acknowledge => return None,
            Kind::Error => {
                let code = r.u32_le()?;
                // Bad: the two highest bits are 10.
                if code >> 30 != 2 {
                    return None;
                }
                has_text(&mut r, 4)?;
            }
            Kind::ReverseHello => {
                let server = r.u32_le()? as usize;
                r.skip(server.min(MAX_URL_BYTES))?;
                has_text(&mut r, 4 + server)?;
            }
            Kind::Open => {
                let _channel = r.u32_le()?;
                let length = r.u32_le()? as usize;
                let policy = r.take(length)?.strip_prefix(POLICY)?;
                self.is_secured = policy != b"None";
                // Two certificates, each of its length.
                for _ in 0..2 {
                    let length = r.u32_le()?;
                    if length != NULL && r.skip(length as usize).is_none() {
                        return Some(self);
                    }
                }
                r.skip(SEQUENCE_BYTES)?;
                if !self.is_secured {
                    self.service = service(&mut r);
                }
            }
            Kind::Message | Kind::Close => {
                // Channel, token, sequence number, request.
                let (channel, _token) = (r.u32_le()?, r.u32_le()?);
                r.skip(SEQUENCE_BYTES)?;
                self.service = service(&mut r);
                if channel == 0 {
                    return None;
                }
            }
        }
        Some(self)
    }
}

/// Of the request or response that a message begins with: a node id of namespace 0 in two, four or seven bytes (5.2.2.9).
fn service(r: &mut Reader<'_>) -> Option<u16> {
    let id = match r.u8()? {
        0 => u16::from(r.u8()?),
        1 if r.u8()? == 0 => r.u16_le()?,
        2 if r.u16_le()? == 0 => r.u16_le()?,
        _ => return None,
    };
    // A response's id is its request's and three.
    [id, id.wrapping_sub(3)].into_iter().find(|code| OPCUA.function(*code).is_some())
}

/// Whether the byte behind the name is one that this kind has: intermediate and aborted chunks are messages'.
fn is_flag(kind: Kind, flag: u8) -> bool {
    flag == b'F' || kind == Kind::Message && matches!(flag, b'C' | b'A')
}

const KINDS: [(&[u8], Kind); 7] = [
    (b"HEL", Kind::Hello),
    (b"ACK", Kind::Acknowledge),
    (b"ERR", Kind::Error),
    (b"RHE", Kind::ReverseHello),
    (b"OPN", Kind::Open),
    (b"MSG", Kind::Message),
    (b"CLO", Kind::Close),
];

/// Name, flag, size.
const HEADER_BYTES: usize = 8;
/// Sequence number and request.
const SEQUENCE_BYTES: usize = 8;
/// Looked at of a chunk: a hello with the longest address that is allowed fits.
const MAX_HEAD_BYTES: usize = HEADER_BYTES + 24 + MAX_URL_BYTES;
/// Part 6, 7.1.2.3: addresses are shorter than 4,096 bytes.
const MAX_URL_BYTES: usize = 4096;
/// Far more than stacks allow in one chunk (64 KiB).
const MAX_CHUNK_BYTES: usize = 1 << 24;
const NULL: u32 = u32::MAX;
const POLICY: &[u8] = b"http://opcfoundation.org/UA/SecurityPolicy#";

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Stream, same_in_any_segments, tcp};
    use super::*;

    fn chunk(name: &[u8], body: &[u8]) -> Vec<u8> {
        [name, &(body.len() as u32 + 8).to_le_bytes(), body].concat()
    }

    fn hello() -> Vec<u8> {
        let url = b"opc.tcp://192.0.2.1:4840";
        chunk(b"HELF", &[&[0; 20][..], &(url.len() as u32).to_le_bytes(), url].concat())
    }

    fn open(policy: &[u8]) -> Vec<u8> {
        let policy = [POLICY, policy].concat();
        let ids = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0xBE, 1, 0, 0];
        let lengths = [[0xFF; 4], [0xFF; 4]].concat();
        chunk(b"OPNF", &[&[0; 4][..], &(policy.len() as u32).to_le_bytes(), &policy, &lengths, &ids].concat())
    }

    fn message(name: &[u8], id: u16) -> Vec<u8> {
        let [low, high] = id.to_le_bytes();
        chunk(name, &[7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, low, high, 0, 0, 0])
    }

    #[test]
    fn services_are_shown_once() {
        let data = [
            hello(),
            open(b"None"),
            message(b"MSGF", 631),
            message(b"MSGC", 673),
            message(b"MSGF", 712),
            message(b"MSGF", 673),
        ]
        .concat();
        assert_eq!(
            same_in_any_segments::<OpcUa>(Direction::ToResponder, tcp(40_000, 4840), &data),
            [
                "ics-function ics.opcua.function opcua:open-secure-channel",
                "ics-function ics.opcua.function opcua:read",
                "ics-function ics.opcua.operation opcua:any-read",
                "ics-function ics.opcua.function opcua:write",
                "ics-function ics.opcua.operation opcua:any-write",
            ]
        );
        let answer = same_in_any_segments::<OpcUa>(Direction::ToOriginator, tcp(4840, 40_000), &message(b"MSGF", 676));
        assert_eq!(answer[0], "ics-function ics.opcua.function opcua:write");
    }

    #[test]
    fn what_is_encrypted_is_said() {
        let sealed = chunk(
            b"MSGF",
            &[7, 0, 0, 0, 1, 0, 0, 0, 0x93, 0x11, 0x52, 0x68, 0xD1, 0xA8, 0x07, 0x44, 0xE0, 0x3F, 0x21, 9, 9, 9],
        );
        let data = [hello(), open(b"Basic256Sha256"), sealed.clone()].concat();
        let stream = Stream::<OpcUa>::of(Direction::ToResponder, tcp(40_000, 4840), &data, &[]);
        assert_eq!(stream.seen, [""; 0]);
        assert!(matches!(stream.ended, Some(Progress::Damaged { .. })));
    }

    #[test]
    fn foreign_bytes_are_turned_down() {
        let hint = tcp(40_000, 4840);
        assert_eq!(OpcUa::probe(&hello(), &tcp(1, 2)), Probe::Yes);
        for foreign in [
            &b"HELO mail.example\r\n"[..],
            b"HELP\r\n",
            b"MSG hello there all of you",
            b"ERRF\x10\0\0\0\0\0\0\0\0\0\0\0",
            b"CLOSE it now please",
            b"Mozilla",
            b"A1 LOGIN a b",
            b"RHEF",
        ] {
            let expected = if foreign == b"RHEF" { Probe::Unsure } else { Probe::No };
            assert_eq!(OpcUa::probe(foreign, &hint), expected, "{foreign:?}");
        }
        let mut long = hello();
        long[4] += 1;
        assert_ne!(OpcUa::probe(&long, &hint), Probe::Yes);
    }
}
