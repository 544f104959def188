//! OpenVPN's control channel over UDP and TCP, on any port: the TLS handshake that it carries is put in order and read by
//! `tls`, whose fields it shows (OpenVPN's "security overview" and `ssl_pkt.h` describe the packets).
//!
//! Recognised by the packet that begins a session, whose length also says how long the HMAC of `tls-auth` is. Packets carry
//! numbers; up to [`MAX_WAITING`] of a direction wait for one that is missing, and [`MAX_PENDING_BYTES`] of a message that is
//! not whole. When TLS has shown all that it does of a direction, that direction is done.
//!
//! Not read: data packets; sessions picked up later; `tls-crypt`, which seals the control channel; rekeying.

use super::tls::Tls;
use super::{Account, Hint, Parser, Probe, Progress, Starts};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: nothing until a session begins.
#[derive(Debug, Default)]
pub struct OpenVpn {
    session: Option<Box<Session>>,
}

impl Parser for OpenVpn {
    const NAME: &'static str = "openvpn";
    const ENCRYPTS: bool = true;
    /// The longest packet over TCP and its length.
    const MAX_PENDING_BYTES: usize = LENGTH_BYTES + u16::MAX as usize;
    const STARTS: Starts =
        Starts::tcp(&[(0, 0)]).or_udp(Starts::udp(&[(CLIENT_RESET, CLIENT_RESET), (SERVER_RESET, SERVER_RESET)]));

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match (hint.transport, data) {
            (Transport::Udp, [CLIENT_RESET | SERVER_RESET, ..]) => {
                if security_bytes(data).is_some() {
                    Probe::Yes
                } else {
                    Probe::No
                }
            }
            (Transport::Tcp, [0, ..]) => probe_stream(data),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        if hint.transport == Transport::Udp {
            return match self.packet(direction, data, hint, seen) {
                Said::Next => Progress::Consumed { bytes: data.len(), need: 0 },
                Said::Trouble(reason) => Progress::Damaged { bytes: data.len(), need: 0, reason },
                Said::Done => Progress::DoneDirection,
            };
        }
        let mut r = Reader::new(data);
        loop {
            let bytes = r.position();
            if r.is_empty() {
                return Progress::Consumed { bytes, need: 0 };
            }
            let Some(length) = r.u16().map(usize::from) else {
                return Progress::Consumed { bytes, need: LENGTH_BYTES };
            };
            let Some(packet) = r.take(length) else {
                return Progress::Consumed { bytes, need: LENGTH_BYTES + length };
            };
            match self.packet(direction, packet, hint, seen) {
                Said::Next => {}
                Said::Trouble(reason) => return Progress::Damaged { bytes: r.position(), need: 0, reason },
                Said::Done => return Progress::DoneDirection,
            }
        }
    }

    #[inline]
    fn accounts(&self) -> bool {
        self.session.is_some()
    }

    fn account(&mut self) -> Account {
        self.session.as_mut().map_or(Account::default(), |session| session.account())
    }

    /// Nothing more of the session is read.
    fn shed(&mut self) {
        self.session = None;
    }

    fn unfinished(&self) -> Option<&'static str> {
        let is_unfinished = |side: &Side| !side.is_done && (!side.waiting.is_empty() || !side.pending.is_empty());
        let sides = self.session.iter().flat_map(|session| &session.sides);
        sides.into_iter().any(is_unfinished).then_some("OpenVPN handshake incomplete")
    }
}

impl OpenVpn {
    fn packet(&mut self, direction: Direction, packet: &[u8], hint: &Hint, seen: Seen<'_>) -> Said {
        let Some(first) = packet.first() else { return Said::Next };
        if let Some(security_bytes) = security_bytes(packet) {
            // Sent again, or the other side's: the session goes on.
            let session = self.session.get_or_insert_default();
            session.security_bytes = security_bytes;
            return Said::Next;
        }
        let Some(session) = &mut self.session else { return Said::Next };
        match first >> OPCODE_SHIFT {
            CONTROL => session.control(direction, packet, hint, seen),
            DATA_V1 | DATA_V2 => session.data(direction),
            _ => Said::Next,
        }
    }
}

/// What a packet led to.
#[derive(Clone, Copy)]
enum Said {
    Next,
    Trouble(&'static str),
    Done,
}

/// One session's control channel.
#[derive(Debug, Default)]
struct Session {
    tls: Tls,
    sides: [Side; 2],
    /// Of the HMAC, packet number and time of `tls-auth`, behind the session id.
    security_bytes: usize,
}

/// One direction's.
#[derive(Default)]
struct Side {
    /// The last packet whose bytes were taken; that which begins the session is 0.
    number: u32,
    /// Packets behind a missing one.
    waiting: Vec<(u32, Box<[u8]>)>,
    /// TLS's bytes that it could not use yet, and how many it wants.
    pending: Vec<u8>,
    need_bytes: usize,
    skip_bytes: u64,
    is_done: bool,
}

impl Side {
    /// What it has on the heap.
    fn memory_bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|(_, payload)| payload.len()).sum();
        self.waiting.capacity() * size_of::<(u32, Box<[u8]>)>() + waiting + self.pending.capacity()
    }
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").field("number", &self.number).field("is_done", &self.is_done).finish()
    }
}

impl Session {
    /// With what its TLS says.
    fn account(&mut self) -> Account {
        let tls = self.tls.account();
        let sides: usize = self.sides.iter().map(Side::memory_bytes).sum();
        Account { memory_bytes: size_of::<Self>() + sides + tls.memory_bytes, ..tls }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        direction.of(&mut self.sides)
    }

    /// The handshake is over when data flows.
    fn data(&mut self, direction: Direction) -> Said {
        let side = self.side(direction);
        if side.is_done || side.number > 0 { Said::Done } else { Said::Next }
    }

    fn control(&mut self, direction: Direction, packet: &[u8], hint: &Hint, seen: Seen<'_>) -> Said {
        let Some((number, payload)) = control_payload(packet, self.security_bytes) else {
            return Said::Trouble("malformed OpenVPN control packet");
        };
        let side = self.side(direction);
        if side.is_done {
            return Said::Done;
        }
        let ahead = number.wrapping_sub(side.number);
        if ahead == 0 || ahead > MAX_AHEAD || side.waiting.iter().any(|(waiting, _)| *waiting == number) {
            return Said::Next;
        }
        if ahead > 1 {
            if side.waiting.len() == MAX_WAITING {
                return Said::Trouble("OpenVPN control packets wait for a missing one");
            }
            side.waiting.push((number, payload.into()));
            return Said::Next;
        }
        let mut said = self.take(direction, payload, hint, seen);
        while let Said::Next = said {
            let side = self.side(direction);
            let next = side.number.wrapping_add(1);
            let Some(at) = side.waiting.iter().position(|(number, _)| *number == next) else { break };
            let (_, payload) = side.waiting.swap_remove(at);
            said = self.take(direction, &payload, hint, seen);
        }
        said
    }

    /// The next bytes of a direction's TLS.
    fn take(&mut self, direction: Direction, payload: &[u8], hint: &Hint, seen: Seen<'_>) -> Said {
        let side = self.side(direction);
        side.number = side.number.wrapping_add(1);
        if side.pending.len() + payload.len() > MAX_PENDING_BYTES {
            return self.finish(direction, Some("OpenVPN handshake message too long"));
        }
        side.pending.extend_from_slice(payload);
        let hint = Hint { transport: Transport::Tcp, ..*hint };
        loop {
            let side = self.side(direction);
            let skipped = side.skip_bytes.min(side.pending.len() as u64);
            side.skip_bytes -= skipped;
            side.pending.drain(..skipped as usize);
            if side.pending.is_empty() || side.pending.len() < side.need_bytes {
                return Said::Next;
            }
            let pending = std::mem::take(&mut side.pending);
            let progress = self.tls.parse(direction, &pending, &hint, seen);
            let side = self.side(direction);
            side.pending = pending;
            side.need_bytes = 0;
            match progress {
                Progress::Consumed { bytes, need } | Progress::Damaged { bytes, need, .. } => {
                    side.pending.drain(..bytes.min(side.pending.len()));
                    side.need_bytes = need;
                    if let Progress::Damaged { reason, .. } = progress {
                        return Said::Trouble(reason);
                    }
                    if bytes == 0 {
                        return Said::Next;
                    }
                }
                Progress::Skip(bytes) => side.skip_bytes = bytes.max(1),
                Progress::Stopped(reason) => return self.finish(direction, Some(reason)),
                Progress::Reprobe(_) | Progress::DoneDirection | Progress::Done => return self.finish(direction, None),
            }
        }
    }

    fn finish(&mut self, direction: Direction, why: Option<&'static str>) -> Said {
        *self.side(direction) = Side { is_done: true, ..Side::default() };
        why.map_or(Said::Done, Said::Trouble)
    }
}

/// The number and payload of a control packet.
fn control_payload(packet: &[u8], security_bytes: usize) -> Option<(u32, &[u8])> {
    let mut r = Reader::new(packet);
    r.skip(HEADER_BYTES + security_bytes)?;
    let acknowledged = r.u8().filter(|count| *count <= MAX_ACKNOWLEDGED)?;
    if acknowledged > 0 {
        r.skip(usize::from(acknowledged) * NUMBER_BYTES + SESSION_ID_BYTES)?;
    }
    Some((r.u32()?, r.rest()))
}

/// Of a packet that begins a session: the length of what `tls-auth` adds. `None` if it is none.
fn security_bytes(packet: &[u8]) -> Option<usize> {
    let (header, rest) = packet.split_at_checked(HEADER_BYTES)?;
    let is_from_client = match header.first() {
        Some(&CLIENT_RESET) => true,
        Some(&SERVER_RESET) => false,
        _ => return None,
    };
    // Nothing acknowledged and number 0, or the client's number 0 acknowledged with its session id.
    let tail_bytes = if is_from_client { 5 } else { 17 };
    let added = rest.len().checked_sub(tail_bytes)?;
    let tail = rest.get(added..)?;
    let is_zero = |bytes: Option<&[u8]>| bytes.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    let fits = if is_from_client {
        is_zero(Some(tail))
    } else {
        tail.first() == Some(&1) && is_zero(tail.get(1..5)) && is_zero(tail.get(13..))
    };
    let is_known = added == 0 || HMAC_BYTES.iter().any(|hmac| hmac + REPLAY_BYTES == added);
    (fits && is_known && !is_zero(header.get(1..))).then_some(added)
}

/// A session's first packet behind its length. Turned down by the third byte.
fn probe_stream(data: &[u8]) -> Probe {
    let mut r = Reader::new(data);
    let Some(length) = r.u16().map(usize::from) else { return Probe::Unsure };
    if !(HEADER_BYTES + 5..=HEADER_BYTES + MAX_ADDED_BYTES + 17).contains(&length) {
        return Probe::No;
    }
    match r.rest() {
        [] => Probe::Unsure,
        [CLIENT_RESET | SERVER_RESET, ..] => match r.take(length) {
            Some(packet) if security_bytes(packet).is_some() => Probe::Yes,
            Some(_) => Probe::No,
            None => Probe::Unsure,
        },
        _ => Probe::No,
    }
}

/// Packets of a direction that wait for a missing one: twice what a sender has under way.
const MAX_WAITING: usize = 16;
/// A number further ahead than its sender's window is none of this session.
const MAX_AHEAD: u32 = 64;
/// Of TLS that is held back: `tls`'s own measure.
const MAX_PENDING_BYTES: usize = Tls::MAX_PENDING_BYTES;

/// P_CONTROL_HARD_RESET_CLIENT_V2 and P_CONTROL_HARD_RESET_SERVER_V2 of key 0.
const CLIENT_RESET: u8 = 7 << OPCODE_SHIFT;
const SERVER_RESET: u8 = 8 << OPCODE_SHIFT;
const CONTROL: u8 = 4;
const DATA_V1: u8 = 6;
const DATA_V2: u8 = 9;
const OPCODE_SHIFT: u32 = 3;

const LENGTH_BYTES: usize = 2;
const SESSION_ID_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + SESSION_ID_BYTES;
const NUMBER_BYTES: usize = 4;
const MAX_ACKNOWLEDGED: u8 = 8;
/// Digests that `--auth` names: MD5 to SHA-512.
const HMAC_BYTES: [usize; 6] = [16, 20, 28, 32, 48, 64];
/// Packet number and time, against replay.
const REPLAY_BYTES: usize = 8;
const MAX_ADDED_BYTES: usize = 64 + REPLAY_BYTES;

#[cfg(test)]
mod tests;
