//! Packets to flows to in-order bytes: [`FlowTable`] finds or makes the [`Flow`] of a packet, [`Stream`] puts a TCP
//! direction's bytes in order, [`Defrag`] makes datagrams whole, [`community_id()`] names a flow for other tools.
//!
//! Everything is bounded and timed on the packets' own time. What the floors above keep with a flow is the type parameter:
//! nothing here knows of protocols or indicators.

mod community_id;
mod defrag;
mod key;
mod pool;
mod stream;
mod table;
pub mod timeout;

pub use community_id::community_id;
pub use defrag::{Defrag, DefragCounters, Lost, MAX_BYTES as MAX_DEFRAG_BYTES, Share, Whole};
pub use key::{End, FlowKey, HashSeed};
pub use pool::{Held, Pool};
pub use stream::{Chunk, MAX_PENDING_BYTES, MAX_PENDING_SEGMENTS, Outlet, Segment, Stream, StreamCounters};
pub use table::{Base, CROWDED_TURNS, Candidate, FlowTable, Home, Room, Slot};

use std::net::IpAddr;

use crate::packet::{Ends, Packet, protocol, tcp_flag};
use crate::time::Timestamp;

/// Which way a packet goes within its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the end that opened the flow.
    ToResponder,
    /// To the end that opened the flow.
    ToOriginator,
}

/// How far a TCP conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifecycle {
    /// A SYN, or a first packet, of one side only.
    #[default]
    HalfOpen,
    /// Both sides were seen, or data was.
    Established,
    /// One side said FIN.
    Closing,
    /// RST, or FIN of both sides.
    Closed,
}

/// Which conversation: what an alert says of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct Identity {
    key: FlowKey,
    originator: End,
    /// How many VLAN tags the first packet had.
    vlan_count: u8,
    /// See [`Identity::turn`].
    turn: u8,
    /// The two outermost ids.
    vlans: [u16; 2],
}

/// One conversation. `S` is what the floors above keep with it.
///
/// Laid out by hand: what every packet touches is in the first two cache lines.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Flow<S> {
    /// Which one it is.
    pub identity: Identity,
    lifecycle: Lifecycle,
    /// Of which directions a FIN was seen: a bit each.
    fins: u8,
    /// Why its next packet is more than counted in: bits of [`mind`].
    minded: u8,
    /// Whether nobody has touched `state` since it was made anew.
    is_blank: bool,
    /// For each direction, whether the floors above look at its bytes no more: then a packet need not touch `state`.
    pub is_quiet: [bool; 2],
    /// For each direction, a number that the floors above keep; 0 until a packet came that way.
    pub tags: [u8; 2],
    /// Last packet.
    pub last: Timestamp,
    /// The two directions of a TCP conversation.
    pub streams: [Stream; 2],
    /// Packets that the floors above have not decided on.
    pub open: Open,
    /// The floors above.
    state: S,
}

/// A flow's parts, each to be changed by itself.
pub struct FlowParts<'f, S> {
    /// [`Flow::identity`].
    pub identity: &'f Identity,
    /// [`Flow::streams`].
    pub streams: &'f mut [Stream; 2],
    /// [`Flow::is_quiet`].
    pub is_quiet: &'f mut [bool; 2],
    /// [`Flow::state_mut`].
    pub state: &'f mut S,
}

/// Bits of [`Flow::minded`].
mod mind {
    /// It may be established now.
    pub(super) const HALF_OPEN: u8 = 1;
    /// The floors above want to know of every packet.
    pub(super) const WATCHED: u8 = 2;
    /// They want to know of those that open or end a TCP conversation.
    pub(super) const TURNS_WATCHED: u8 = 4;
    /// It has left the table.
    pub(super) const GONE: u8 = 8;
}

/// Of which packets of a flow the floors above want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Watch {
    /// Of none.
    #[default]
    None,
    /// Of those with SYN, FIN or RST.
    Turns,
    /// Of all.
    All,
}

/// Packets of a flow, and their bytes on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    /// How many.
    pub packets: u32,
    /// Their bytes.
    pub bytes: u32,
}

impl Open {
    /// Counts a packet in; false, and nothing done, if the numbers have no room.
    #[inline]
    pub fn add(&mut self, bytes: u32) -> bool {
        let (Some(packets), Some(bytes)) = (self.packets.checked_add(1), self.bytes.checked_add(bytes)) else {
            return false;
        };
        *self = Self { packets, bytes };
        true
    }
}

/// What [`Flow::accept`] made of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It belongs to this conversation.
    Yes(Direction),
    /// It does, and is one that is watched for ([`Flow::watch`]).
    Watched(Direction),
    /// It starts another one on the same addresses and ports: this one has timed out or left the table, or was closed and a SYN came.
    StartsAnother,
}

/// What the floors above keep with a flow.
pub trait Keep: Default {
    /// Makes it anew. Part by part: what is built elsewhere and copied waits until all that was written before lies in the cache, and
    /// records of new flows seldom do.
    fn renew(&mut self) {
        *self = Self::default();
    }
}

impl Keep for () {}

impl<S: Keep> Flow<S> {
    /// The flow that a packet starts.
    pub fn start(key: FlowKey, packet: &Packet, from: End, now: Timestamp) -> Self {
        let mut flow = Self::default();
        flow.restart(key, packet, from, now);
        flow
    }

    /// The same in the place of another ([`Keep::renew`]).
    #[inline]
    pub fn restart(&mut self, key: FlowKey, packet: &Packet, from: End, now: Timestamp) {
        let (turn, vlans) = (self.identity.turn.wrapping_add(1), packet.vlans);
        let (originator, vlan_count) = (originator(packet, from), packet.vlan_count);
        self.identity = Identity { key, originator, vlan_count, turn, vlans };
        // Picked up in the middle: whoever speaks was let in before.
        let is_opened = packet.protocol == protocol::TCP && packet.has(tcp_flag::SYN);
        self.lifecycle = if is_opened { Lifecycle::HalfOpen } else { Lifecycle::Established };
        self.minded = if is_opened { mind::HALF_OPEN } else { 0 };
        self.fins = 0;
        self.is_quiet = [false; 2];
        self.tags = [0; 2];
        self.open = Open::default();
        self.last = now;
        self.streams.iter_mut().for_each(Stream::renew);
        if !self.is_blank {
            self.state.renew();
            self.is_blank = true;
        }
    }
}

impl<S> Flow<S> {
    /// What the floors above keep with it.
    #[inline]
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The same, to be changed.
    #[inline]
    pub fn state_mut(&mut self) -> &mut S {
        self.is_blank = false;
        &mut self.state
    }

    /// Whether nobody has asked to change what the floors above keep with it: it is as it was made, and need not be looked at. A flood of
    /// connections that come to nothing never touches it.
    #[inline]
    pub fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// Each of its parts to be changed.
    #[inline]
    pub fn parts(&mut self) -> FlowParts<'_, S> {
        let Self { identity, streams, is_quiet, state, is_blank, .. } = self;
        *is_blank = false;
        FlowParts { identity, streams, is_quiet, state }
    }

    /// What it is filed under.
    pub fn key(&self) -> &FlowKey {
        &self.identity.key
    }

    /// Which way a packet goes that comes from this end.
    #[inline(always)]
    fn direction_from(&self, from: End) -> Direction {
        if from == self.identity.originator { Direction::ToResponder } else { Direction::ToOriginator }
    }

    /// Counts a packet of this key in, or says that it starts another conversation.
    #[inline(always)]
    pub fn accept(&mut self, packet: &Packet, from: End, now: Timestamp) -> Accepted {
        let direction = self.direction_from(from);
        if self.is_expired(now) && !self.continues(packet, direction) {
            return Accepted::StartsAnother;
        }
        let is_minded = self.minded & (mind::HALF_OPEN | mind::WATCHED | mind::GONE) != 0;
        if packet.tcp_flags & TURNING != 0 || is_minded {
            return self.accept_minded(packet, direction, now);
        }
        self.last = self.last.max(now);
        Accepted::Yes(direction)
    }

    /// The same of a packet that may change how far the conversation has come, or that is watched for.
    #[inline(never)]
    fn accept_minded(&mut self, packet: &Packet, direction: Direction, now: Timestamp) -> Accepted {
        let is_gone = self.minded & mind::GONE != 0;
        if is_gone || (self.key().protocol() == protocol::TCP && !self.advance(packet, direction)) {
            return Accepted::StartsAnother;
        }
        if self.lifecycle != Lifecycle::HalfOpen {
            self.minded &= !mind::HALF_OPEN;
        }
        self.last = self.last.max(now);
        match self.minded & (mind::WATCHED | mind::TURNS_WATCHED) {
            mind::TURNS_WATCHED if packet.tcp_flags & TURNING == 0 => Accepted::Yes(direction),
            0 => Accepted::Yes(direction),
            _ => Accepted::Watched(direction),
        }
    }

    /// It is in the table no more: whoever still holds its record has no flow.
    fn leave(&mut self) {
        self.minded = mind::GONE;
    }

    /// Has [`Flow::accept`] tell of such packets from now on.
    pub fn watch(&mut self, watch: Watch) {
        self.minded = self.minded & mind::HALF_OPEN
            | match watch {
                Watch::None => 0,
                Watch::Turns => mind::TURNS_WATCHED,
                Watch::All => mind::WATCHED,
            };
    }

    /// Data that goes on exactly where its direction stood: a RST that never arrived and a long pause end nothing.
    #[cold]
    fn continues(&self, packet: &Packet, direction: Direction) -> bool {
        self.key().protocol() == protocol::TCP
            && packet.payload_bytes > 0
            && !packet.has(tcp_flag::SYN)
            && self.streams[direction.index()].continues_at(packet.sequence)
    }

    /// A SYN (not of a handshake under way) with a sequence number that this direction is not at.
    fn is_reopened(&self, packet: &Packet, direction: Direction) -> bool {
        if packet.tcp_flags & (tcp_flag::SYN | tcp_flag::ACK) != tcp_flag::SYN {
            return false;
        }
        let stream = &self.streams[direction.index()];
        match self.lifecycle {
            Lifecycle::HalfOpen => false,
            Lifecycle::Established | Lifecycle::Closing => {
                stream.is_started() && !stream.is_at_start(packet.sequence.wrapping_add(1))
            }
            Lifecycle::Closed => !stream.is_at_start(packet.sequence.wrapping_add(1)),
        }
    }

    /// A packet that may change how far the conversation has come; false if it starts another.
    fn advance(&mut self, packet: &Packet, direction: Direction) -> bool {
        let flags = packet.tcp_flags;
        if self.is_reopened(packet, direction) {
            return false;
        }
        if flags & (tcp_flag::FIN | tcp_flag::RST) != 0 {
            self.close(packet, direction);
        } else if self.lifecycle == Lifecycle::HalfOpen
            && (packet.payload_bytes > 0
                || packet.payload_missing_bytes > 0
                || (direction == Direction::ToOriginator && flags & tcp_flag::ACK != 0))
        {
            self.lifecycle = Lifecycle::Established;
        }
        true
    }

    /// A RST or FIN far from where the stream is is forged or stale and changes nothing; a RST that is near but not exactly
    /// there a receiver asks about first (RFC 5961), so it may be the end or not.
    fn close(&mut self, packet: &Packet, direction: Direction) {
        let stream = &self.streams[direction.index()];
        if !stream.is_plausible(packet.sequence) {
            return;
        }
        if packet.has(tcp_flag::RST) {
            let is_exact = !stream.is_started() || stream.continues_at(packet.sequence);
            self.lifecycle = if is_exact { Lifecycle::Closed } else { self.lifecycle.max_closing() };
        } else {
            self.fins |= 1 << direction.index();
            self.lifecycle = if self.fins == 0b11 { Lifecycle::Closed } else { self.lifecycle.max_closing() };
        }
    }

    /// Whether it has been silent for longer than its kind may be.
    #[inline]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let idle_ns = now.as_ns().saturating_sub(self.last.as_ns());
        idle_ns > timeout::SHORTEST.as_nanos() as u64 && self.is_idle_for(idle_ns)
    }

    #[cold]
    fn is_idle_for(&self, idle_ns: u64) -> bool {
        u128::from(idle_ns) > timeout::of(self.key().protocol(), self.lifecycle).as_nanos()
    }

    /// Whether it is a TCP connection that nobody has answered: none of its bytes were seen.
    #[inline]
    pub fn is_half_open(&self) -> bool {
        self.lifecycle == Lifecycle::HalfOpen
    }

    /// How far it has come.
    pub fn lifecycle(&self) -> Lifecycle {
        self.lifecycle
    }
}

impl Identity {
    /// Tells it from the conversation that was in the same place before (but for one in 256).
    #[inline]
    pub fn turn(&self) -> u8 {
        self.turn
    }

    /// IP protocol number.
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.key.protocol()
    }

    /// Address and port of the end that opened it.
    pub fn originator(&self) -> (IpAddr, u16) {
        let (address, port) = self.key.end(self.originator);
        (address.ip(), port)
    }

    /// Address and port of the other end.
    pub fn responder(&self) -> (IpAddr, u16) {
        let (address, port) = self.key.end(self.originator.other());
        (address.ip(), port)
    }

    /// What it is filed under.
    pub fn key(&self) -> &FlowKey {
        &self.key
    }

    /// [`FlowKey::network`].
    #[inline]
    pub fn network(&self) -> u64 {
        self.key.network()
    }

    /// The originator's and the responder's port.
    #[inline]
    pub fn ports(&self) -> (u16, u16) {
        self.ports_towards(Direction::ToResponder)
    }

    /// The port that a packet comes from and the one that it goes to.
    #[inline]
    pub fn ports_towards(&self, direction: Direction) -> (u16, u16) {
        let (low, high) = self.key.ports();
        let from_low = (self.originator == End::Low) == (direction == Direction::ToResponder);
        if from_low { (low, high) } else { (high, low) }
    }

    /// What its ends are.
    pub fn ends(&self) -> Ends {
        self.key.ends()
    }

    /// Tells the tunnels apart that it was in; 0 outside any.
    pub fn tunnel(&self) -> u32 {
        self.key.tunnel()
    }

    /// The two outermost VLAN ids, outermost first.
    pub fn vlans(&self) -> &[u16] {
        self.vlans.get(..usize::from(self.vlan_count)).unwrap_or(&self.vlans)
    }
}

/// Flags of segments that open or end a conversation.
const TURNING: u8 = tcp_flag::SYN | tcp_flag::FIN | tcp_flag::RST;

/// Who opened a flow: the sender of a SYN, the receiver of a SYN/ACK, the end whose peer alone has a well-known port or, in frames without IP, any, else
/// whoever was seen first.
fn originator(packet: &Packet, from: End) -> End {
    const WELL_KNOWN: u16 = 1024;
    if packet.protocol == protocol::TCP && packet.has(tcp_flag::SYN) {
        return if packet.has(tcp_flag::ACK) { from.other() } else { from };
    }
    if packet.ends == Ends::Hardware {
        return if packet.destination_port == 0 { from.other() } else { from };
    }
    if !matches!(packet.protocol, protocol::TCP | protocol::UDP | protocol::SCTP) {
        return from;
    }
    let (source, destination) = (packet.source_port, packet.destination_port);
    if source < WELL_KNOWN && destination >= WELL_KNOWN { from.other() } else { from }
}

impl Lifecycle {
    fn max_closing(self) -> Self {
        if self == Self::Closed { Self::Closed } else { Self::Closing }
    }
}

impl Direction {
    /// 0 to the responder, 1 to the originator.
    #[inline]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its part of what there is for both.
    #[inline]
    pub fn of<T>(self, [to_responder, to_originator]: &mut [T; 2]) -> &mut T {
        match self {
            Self::ToResponder => to_responder,
            Self::ToOriginator => to_originator,
        }
    }

    /// The other one.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::ToResponder => Self::ToOriginator,
            Self::ToOriginator => Self::ToResponder,
        }
    }
}

#[cfg(test)]
mod tests;
