//! QUIC over UDP (RFC 9000, 9001, 9369), on any port: the client's hello, which its Initial packets hide only from those
//! who do not care to look: their keys follow from the version and the connection id that the client chose.
//!
//! Versions 1 and 2, drafts 22 to 34, mvfst's numbers and Google's T050 and T051. CRYPTO frames are put in order over packets
//! and datagrams; a Retry, a version negotiation and several connections in one flow need no more than to try the keys of
//! each packet's own connection id when those known do not fit. What of the hello is seen is `client_hello`'s to say; the
//! server's hello is `server_hello`'s, and only opened if somebody looks for what that shows. After them, the first packet of a later stage ends the direction: the rest is sealed.
//!
//! State is boxed: up to [`MAX_CONNECTIONS`] a direction with what is not whole of their hellos. A hello that never gets
//! whole is counted, and its name is shown if that is whole. Not read: Google's own handshake (Q043 to Q050), versions not
//! listed above, 0-RTT and all later packets, Initial packets cut by a snap length (they cannot be authenticated), what a
//! flow carries after its first connection's handshake.

mod crypto;
mod header;
mod keys;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use super::client_hello::{self, Carrier};
use super::{Account, Hint, Parser, Probe, Progress, Starts, server_hello};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::kind::JA3S;
use crate::indicator::{Seen, Transport, Wants};

use crypto::{Crypto, MAX_CRYPTO_BYTES};
use header::{Long, LongKind, MAX_ID_BYTES, Packet, varint};
use keys::{Keys, Version};

/// State: nothing until an Initial packet was opened or refused.
#[derive(Default)]
pub struct Quic {
    sides: Option<Box<[Side; 2]>>,
    /// Directions of which nothing more is read.
    is_done: [bool; 2],
}

impl std::fmt::Debug for Quic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quic").field("has_state", &self.sides.is_some()).finish()
    }
}

impl Parser for Quic {
    const NAME: &'static str = "quic";
    const ENCRYPTS: bool = true;
    /// Datagrams are never held back.
    const MAX_PENDING_BYTES: usize = 0;
    /// What has a long header.
    const STARTS: Starts = Starts::udp(&[(0x80, 0xff)]);

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        if hint.transport == Transport::Udp && header::begins(data) { Probe::Yes } else { Probe::No }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let sides = self.sides.get_or_insert_default();
        let [to_responder, to_originator] = &mut **sides;
        let (side, other) = match direction {
            Direction::ToResponder => (to_responder, &*to_originator),
            Direction::ToOriginator => (to_originator, &*to_responder),
        };
        let mut scratch = SCRATCH.take();
        let outcome = side.datagram(other, data, &hint.wants, &mut scratch, seen);
        SCRATCH.set(scratch);
        match outcome {
            Outcome::Next => Progress::Consumed { bytes: data.len(), need: 0 },
            Outcome::Done => {
                self.end_direction(direction);
                Progress::DoneDirection
            }
            Outcome::Trouble(reason) => Progress::Damaged { bytes: data.len(), need: 0, reason },
        }
    }

    #[inline]
    fn accounts(&self) -> bool {
        self.sides.is_some()
    }

    fn account(&mut self) -> Account {
        let sides = self.sides.iter().flat_map(|sides| sides.iter());
        Account { memory_bytes: sides.map(Side::memory_bytes).sum(), ..Account::default() }
    }

    /// What came of hellos is gone; a later Initial packet may bring another one.
    fn shed(&mut self) {
        self.sides = None;
    }

    fn unfinished(&self) -> Option<&'static str> {
        self.sides.iter().flat_map(|sides| sides.iter()).any(Side::is_unfinished).then_some(INCOMPLETE)
    }
}

impl Quic {
    /// With the second one nothing is left to be known.
    fn end_direction(&mut self, direction: Direction) {
        if let Some(done) = self.is_done.get_mut(direction.index()) {
            *done = true;
        }
        if self.is_done == [true; 2] {
            self.sides = None;
        }
    }
}

/// One direction: that of a client if its Initial packets open with a client's keys.
#[derive(Default)]
struct Side {
    /// Oldest first.
    connections: Vec<Connection>,
    /// The server's side of one of the other direction's.
    answer: Option<Box<Connection>>,
    hello_seen: bool,
    /// Datagrams that brought nothing, in a row.
    fruitless: u16,
}

/// A connection, by its client's Initial packets.
struct Connection {
    version: Version,
    /// The id that the keys were made from.
    id: Id,
    /// The client's own.
    client: Id,
    keys: Keys,
    /// The packet number expected next.
    expected: u64,
    crypto: Crypto,
    /// What is whole of a hello that is not was shown.
    was_cut: bool,
}

/// What a datagram led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Next,
    Done,
    Trouble(&'static str),
}

impl Side {
    /// What it has on the heap.
    fn memory_bytes(&self) -> usize {
        let connections = self.connections.iter().chain(self.answer.as_deref());
        size_of::<Self>() + connections.map(|c| size_of::<Connection>() + c.crypto.memory_bytes()).sum::<usize>()
    }

    /// Part of a hello came, no whole one did, and nobody has said so yet.
    fn is_unfinished(&self) -> bool {
        let waits = |connection: &Connection| connection.crypto.is_waiting() && !connection.was_cut;
        !self.hello_seen && self.connections.iter().any(waits)
    }

    fn datagram(&mut self, other: &Self, data: &[u8], wants: &Wants, scratch: &mut Vec<u8>, seen: Seen<'_>) -> Outcome {
        let (mut trouble, mut is_later, mut brought) = (None, false, false);
        let (mut rest, mut initials) = (data, 0);
        while !rest.is_empty() {
            let Some((packet, bytes)) = Packet::read(rest) else {
                trouble = Some("malformed or cut QUIC packet");
                break;
            };
            match packet {
                Packet::Long(long) if long.kind == LongKind::Initial => {
                    initials += 1;
                    if initials > MAX_INITIALS {
                        trouble = Some("QUIC datagram of too many Initial packets");
                        break;
                    }
                    match self.initial(other, &long, wants, scratch, seen) {
                        Ok(is_new) => brought |= is_new,
                        Err(reason) => trouble = Some(reason),
                    }
                }
                Packet::Long(long) => is_later |= long.kind == LongKind::Handshake,
                // Behind another packet it may as well be padding.
                Packet::Short => is_later |= rest.len() == data.len(),
                Packet::Negotiation | Packet::Foreign => {}
            }
            rest = rest.get(bytes..).unwrap_or_default();
        }
        self.conclude(other, trouble, is_later, brought, seen)
    }

    fn conclude(
        &mut self,
        other: &Self,
        trouble: Option<&'static str>,
        is_later: bool,
        brought: bool,
        seen: Seen<'_>,
    ) -> Outcome {
        self.fruitless = if brought { 0 } else { self.fruitless.saturating_add(1) };
        match trouble {
            Some(_) if self.fruitless > MAX_FRUITLESS => return Outcome::Done,
            Some(reason) => return Outcome::Trouble(reason),
            None if brought => return Outcome::Next,
            None => {}
        }
        let is_over = is_later && (self.hello_seen || !other.connections.is_empty());
        if is_over {
            return Outcome::Done;
        }
        // Not the end: anybody can send what looks like a later packet before the rest of a hello.
        if is_later && self.connections.iter_mut().fold(false, |cut, connection| connection.cut(seen) | cut) {
            return Outcome::Trouble(INCOMPLETE);
        }
        match self.fruitless {
            ..MAX_FRUITLESS => Outcome::Next,
            MAX_FRUITLESS if !self.hello_seen && other.connections.is_empty() => {
                Outcome::Trouble("QUIC without a ClientHello")
            }
            _ => Outcome::Done,
        }
    }

    /// An Initial packet: whether it brought handshake bytes of a client.
    fn initial(
        &mut self,
        other: &Self,
        packet: &Long<'_>,
        wants: &Wants,
        scratch: &mut Vec<u8>,
        seen: Seen<'_>,
    ) -> Result<bool, &'static str> {
        // A server's goes to its client's own id.
        let mut clients =
            other.connections.iter().rev().filter(|client| client.client.is(packet.destination)).peekable();
        if clients.peek().is_some() {
            return match wants.kind(&JA3S) {
                true => clients
                    .find_map(|client| self.answer(client, packet, wants, scratch, seen))
                    .unwrap_or(Err(UNOPENED)),
                false => Ok(false),
            };
        }
        let (index, frames) = match self.open_known(packet, scratch) {
            Some(opened) => opened,
            None => self.open_new(packet, scratch, seen).ok_or(UNOPENED)?,
        };
        let Some(connection) = self.connections.get_mut(index) else { return Ok(false) };
        let brought = connection.frames(scratch.get(frames).unwrap_or_default())?;
        match brought {
            Brought::Bytes => self.hello_seen |= connection.messages(wants, seen)?,
            // The client repeats itself: what is missing was lost before it came here.
            Brought::Repeated if connection.cut(seen) => return Err(INCOMPLETE),
            Brought::Repeated | Brought::Nothing => {}
        }
        Ok(brought == Brought::Bytes)
    }

    /// A server's Initial packet, if it is the answer to this client; whether it brought bytes of a hello.
    fn answer(
        &mut self,
        client: &Connection,
        packet: &Long<'_>,
        wants: &Wants,
        scratch: &mut Vec<u8>,
        seen: Seen<'_>,
    ) -> Option<Result<bool, &'static str>> {
        if self
            .answer
            .as_ref()
            .is_none_or(|answer| !answer.id.is(client.id.bytes()) || answer.version != packet.version)
        {
            let keys = Keys::of_server(packet.version, client.id.bytes())?;
            keys.open(packet, 0, scratch)?;
            let (version, id, client) = (packet.version, client.id, client.client);
            let crypto = Crypto::default();
            self.answer = Some(Box::new(Connection { version, id, client, keys, expected: 0, crypto, was_cut: false }));
        }
        let answer = self.answer.as_mut()?;
        let (number, frames) = answer.keys.open(packet, answer.expected, scratch)?;
        answer.expected = answer.expected.max(number + 1);
        let brought = match answer.frames(scratch.get(frames).unwrap_or_default()) {
            Ok(brought) => brought,
            Err(reason) => return Some(Err(reason)),
        };
        Some(answer.server_hello(wants, seen).map(|()| brought == Brought::Bytes))
    }

    /// Tries the connections known: by the id that their keys come from, or by the client's own.
    fn open_known(&mut self, packet: &Long<'_>, scratch: &mut Vec<u8>) -> Option<(usize, std::ops::Range<usize>)> {
        for (index, connection) in self.connections.iter_mut().enumerate().rev() {
            if !connection.client.is(packet.source) {
                continue;
            }
            let mut changed = None;
            if connection.version != packet.version {
                // Compatible version negotiation (RFC 9368 section 2.3): other keys, of the same id.
                changed = Keys::of_client(packet.version, connection.id.bytes());
            }
            let keys = changed.as_ref().unwrap_or(&connection.keys);
            let Some((number, frames)) = keys.open(packet, connection.expected, scratch) else { continue };
            connection.expected = connection.expected.max(number + 1);
            if let Some(keys) = changed {
                (connection.version, connection.keys) = (packet.version, keys);
            }
            return Some((index, frames));
        }
        None
    }

    /// Tries the keys of the packet's own id: the first of a connection, or of one that starts over after a Retry or a
    /// version negotiation.
    fn open_new(
        &mut self,
        packet: &Long<'_>,
        scratch: &mut Vec<u8>,
        seen: Seen<'_>,
    ) -> Option<(usize, std::ops::Range<usize>)> {
        let keys = Keys::of_client(packet.version, packet.destination)?;
        let (number, frames) = keys.open(packet, 0, scratch)?;
        if self.connections.len() == MAX_CONNECTIONS {
            self.connections.remove(0).cut(seen);
        }
        self.connections.push(Connection {
            version: packet.version,
            id: Id::of(packet.destination),
            client: Id::of(packet.source),
            keys,
            expected: number + 1,
            crypto: Crypto::default(),
            was_cut: false,
        });
        Some((self.connections.len() - 1, frames))
    }
}

/// What a packet's CRYPTO frames brought.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Brought {
    /// No CRYPTO frame.
    Nothing,
    /// Only bytes that had been there.
    Repeated,
    Bytes,
}

impl Connection {
    /// The frames that an Initial packet may hold (RFC 9000 section 12.4): CRYPTO is kept, the others are stepped over.
    fn frames(&mut self, frames: &[u8]) -> Result<Brought, &'static str> {
        let mut r = Reader::new(frames);
        let mut brought = Brought::Nothing;
        let is_google = self.version.has_google_frames;
        while let Some(kind) = r.u8() {
            match kind {
                PADDING => skip_padding(&mut r),
                CRYPTO if !is_google => brought = self.crypto_frame(&mut r, brought)?,
                GOOGLE_CRYPTO if is_google => brought = self.crypto_frame(&mut r, brought)?,
                GOOGLE_PING if is_google => {}
                // Acknowledgements and the like, of which a first flight has none.
                _ if is_google => break,
                PING => {}
                ACK | ACK_ECN => skip_ack(&mut r, kind).ok_or(MALFORMED_FRAME)?,
                // The last thing that its sender says.
                CONNECTION_CLOSE => break,
                _ => return Err(MALFORMED_FRAME),
            }
        }
        Ok(brought)
    }

    /// RFC 9000 section 19.6, behind the type.
    fn crypto_frame(&mut self, r: &mut Reader<'_>, before: Brought) -> Result<Brought, &'static str> {
        let offset = varint(r).ok_or(MALFORMED_FRAME)?;
        let length = varint(r).and_then(|length| usize::try_from(length).ok()).ok_or(MALFORMED_FRAME)?;
        let bytes = r.take(length).ok_or(MALFORMED_FRAME)?;
        Ok(match self.crypto.add(offset, bytes)? {
            true => Brought::Bytes,
            false => before.max(Brought::Repeated),
        })
    }

    /// Shows every hello that is whole; whether one was.
    fn messages(&mut self, wants: &Wants, seen: Seen<'_>) -> Result<bool, &'static str> {
        let mut is_shown = false;
        while let Some((head, rest)) = self.crypto.ready().split_first_chunk() {
            let [kind, l0, l1, l2] = *head;
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            if kind != CLIENT_HELLO || length > MAX_CRYPTO_BYTES {
                return Err("QUIC handshake that is no ClientHello");
            }
            let Some(body) = rest.get(..length) else { break };
            let result = client_hello::show(body, Carrier::Quic, wants, seen);
            self.crypto.advance(head.len() + length);
            is_shown = true;
            result?;
        }
        Ok(is_shown)
    }

    /// Shows every server's hello that is whole (a second one follows a HelloRetryRequest).
    fn server_hello(&mut self, wants: &Wants, seen: Seen<'_>) -> Result<(), &'static str> {
        while let Some((head, rest)) = self.crypto.ready().split_first_chunk() {
            let [kind, l0, l1, l2] = *head;
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            if kind != SERVER_HELLO || length > MAX_CRYPTO_BYTES {
                return Err("QUIC handshake that is no ServerHello");
            }
            let Some(body) = rest.get(..length) else { break };
            let result = server_hello::show(body, wants, seen);
            self.crypto.advance(head.len() + length);
            result?;
        }
        Ok(())
    }

    /// Shows what is whole of a hello that is not, once; whether there was one.
    fn cut(&mut self, seen: Seen<'_>) -> bool {
        if self.was_cut || !self.crypto.is_waiting() {
            return false;
        }
        self.was_cut = true;
        if let Some(([CLIENT_HELLO, ..], body)) = self.crypto.ready().split_first_chunk::<HANDSHAKE_HEADER_BYTES>() {
            client_hello::show_cut(body, Carrier::Quic, seen);
        }
        true
    }
}

/// Eight at a time: most of a first datagram is padding.
fn skip_padding(r: &mut Reader<'_>) {
    let words = r.rest().chunks_exact(8).take_while(|word| **word == [PADDING; 8]).count();
    let _ = r.skip(words * 8);
}

/// RFC 9000 section 19.3, behind the type.
fn skip_ack(r: &mut Reader<'_>, kind: u8) -> Option<()> {
    varint(r)?;
    varint(r)?;
    let ranges = varint(r)?;
    varint(r)?;
    for _ in 0..ranges {
        varint(r)?;
        varint(r)?;
    }
    for _ in 0..if kind == ACK_ECN { 3 } else { 0 } {
        varint(r)?;
    }
    Some(())
}

/// A connection id by value.
#[derive(Clone, Copy)]
struct Id {
    bytes: [u8; MAX_ID_BYTES as usize],
    length: u8,
}

impl Id {
    fn of(id: &[u8]) -> Self {
        let mut bytes = [0; MAX_ID_BYTES as usize];
        let length = id.len().min(bytes.len());
        bytes.iter_mut().zip(id).for_each(|(to, from)| *to = *from);
        Self { bytes, length: length as u8 }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }

    fn is(&self, id: &[u8]) -> bool {
        self.bytes() == id
    }
}

/// Connections of one direction that are told apart: one that starts over after a version negotiation and after a Retry.
const MAX_CONNECTIONS: usize = 3;
/// Initial packets of one datagram that are opened: senders put one there, and keys cost far more than bytes.
const MAX_INITIALS: usize = 4;
/// Datagrams in a row without a new byte of a hello: more than a client repeats itself.
const MAX_FRUITLESS: u16 = 32;

const UNOPENED: &str = "QUIC Initial packet that cannot be opened";
const INCOMPLETE: &str = "QUIC ClientHello incomplete";
const MALFORMED_FRAME: &str = "malformed QUIC frame";

const PADDING: u8 = 0x00;
const PING: u8 = 0x01;
const ACK: u8 = 0x02;
const ACK_ECN: u8 = 0x03;
const CRYPTO: u8 = 0x06;
const CONNECTION_CLOSE: u8 = 0x1c;
const GOOGLE_PING: u8 = 0x07;
const GOOGLE_CRYPTO: u8 = 0x08;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HANDSHAKE_HEADER_BYTES: usize = 4;

thread_local! {
    /// What a packet is opened into: at most a datagram.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
