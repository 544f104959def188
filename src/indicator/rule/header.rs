//! [`Header`]: a rule that asks for no more than a packet of a conversation, and whom such a rule is about ([`Key`], [`Subject`]).
//!
//! It judges one packet by what it is given. Which rules are worth asking, and of which packets, others know.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::ends::{Ends, Flowing, Networks, Side, Thought};

/// What a packet must be, besides sent between the rule's [`Ends`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// Its TCP flags.
    pub flags: Option<Flags>,
    /// The conversation is established by then, or is not.
    pub established: Option<bool>,
}

/// What TCP flags must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flags {
    /// These and no others, those left out that do not count.
    Exactly {
        /// These.
        these: u8,
        /// Of no account.
        but: u8,
    },
    /// All of these.
    All(u8),
    /// One of these.
    Any(u8),
}

/// A packet as [`Header::admits`] is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passing {
    /// TCP flags.
    pub flags: u8,
    /// Whether both ends have answered each other, with this packet or before.
    pub is_established: bool,
}

/// The flags, one of which [`Flags`] must ask for: what says none of them is every other packet.
pub const fn turning() -> u8 {
    const FIN_SYN_RST: u8 = 0b111;
    FIN_SYN_RST
}

impl Flags {
    /// Whether a packet's are so.
    pub fn hold(self, flags: u8) -> bool {
        match self {
            Self::Exactly { these, but } => flags & !but == these & !but,
            Self::All(these) => flags & these == these,
            Self::Any(these) => flags & these != 0,
        }
    }

    /// Whether every packet that has such flags has one of [`turning`].
    pub fn turn(self) -> bool {
        match self {
            Self::Exactly { these, but } => these & !but & turning() != 0,
            Self::All(these) => these & turning() != 0,
            Self::Any(these) => these & !turning() == 0,
        }
    }
}

impl Header {
    /// Whether a packet is so.
    pub fn admits(&self, packet: &Passing) -> bool {
        self.established.is_none_or(|wanted| wanted == packet.is_established)
            && self.flags.is_none_or(|flags| flags.hold(packet.flags))
    }
}

/// What in a header names whom its rule is about: the narrowest part of it.
pub enum Key<'a> {
    /// Who is on a list.
    Listed(&'a Thought),
    /// The sender's or receiver's address, which lies in one of these networks.
    Networks(Side, &'a [(u128, u8)]),
    /// The sender's or receiver's port.
    Port(Side),
    /// Nothing: one end is as good as the other.
    Nothing,
}

/// An end of a conversation that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The end that opened it.
    pub is_originator: bool,
    /// Of it, the port.
    pub is_port: bool,
}

impl Ends {
    /// See [`Key`].
    pub fn key(&self) -> Key<'_> {
        if let Some(thought) = self.thought.iter().find(|thought| !thought.negated) {
            return Key::Listed(thought);
        }
        let sides = [(Side::Source, &self.source), (Side::Destination, &self.destination)];
        let named = sides.into_iter().filter(|(_, networks)| is_named(networks));
        let by_width = |(side, networks): &(Side, &Networks)| (self.own == Some(*side), width(networks));
        let narrowest = named.min_by(|a, b| by_width(a).partial_cmp(&by_width(b)).unwrap_or(Ordering::Equal));
        match narrowest {
            Some((side, networks)) => Key::Networks(side, &networks.of),
            // A server's port says more than a client's.
            None if !self.destination_port.is_any() => Key::Port(Side::Destination),
            None if !self.source_port.is_any() => Key::Port(Side::Source),
            None => Key::Nothing,
        }
    }

    /// Whether it is any to any: nothing is said of addresses or ports, or nothing that leaves one out.
    pub fn is_any(&self) -> bool {
        let any = |networks: &Networks| networks.but.is_empty() && !is_named(networks);
        any(&self.source)
            && any(&self.destination)
            && self.source_port.is_any()
            && self.destination_port.is_any()
            && self.thought.iter().all(|thought| thought.negated)
    }

    /// Whether the rule is about this address, with this port if one is given.
    pub fn is_about(&self, ip: IpAddr, port: Option<u16>) -> bool {
        let side = match self.key() {
            Key::Listed(thought) if thought.lists(ip) => thought.of,
            Key::Networks(side, _) if self.networks(side).hold(ip) => side,
            _ => return false,
        };
        let ports = match side {
            Side::Source => &self.source_port,
            Side::Destination => &self.destination_port,
            Side::Either | Side::Both => return true,
        };
        port.is_none_or(|port| ports.hold(port))
    }

    fn networks(&self, side: Side) -> &Networks {
        if side == Side::Source { &self.source } else { &self.destination }
    }

    /// The end of a conversation that the rule is about, if it admits what goes this way in it.
    pub fn subject(&self, flow: &Flowing) -> Subject {
        let (from, to) = flow.sent();
        let is_turned = !self.fits(from, to);
        let sends = |side: Side| (side != Side::Destination) != is_turned;
        let (is_sender, is_port) = match self.key() {
            Key::Listed(thought) => (is_sender(thought, from.0), false),
            Key::Networks(side, _) => (sends(side), false),
            Key::Port(side) => (sends(side), true),
            Key::Nothing => (false, false),
        };
        Subject { is_originator: is_sender == flow.to_responder, is_port }
    }
}

/// Sender and receiver of a list do not change places with those of the header.
fn is_sender(thought: &Thought, from: IpAddr) -> bool {
    match thought.of {
        Side::Source | Side::Both => true,
        Side::Destination => false,
        Side::Either => thought.lists(from),
    }
}

/// Whether there are networks to look for, none of which is everything.
fn is_named(networks: &Networks) -> bool {
    let is_all = |&(network, length): &(u128, u8)| length == 0 || length == 96 && network >> 32 == 0xffff;
    !networks.of.is_empty() && !networks.of.iter().any(is_all)
}

/// How many hosts they hold, about: of IPv6, networks of one.
fn width(networks: &Networks) -> f64 {
    let hosts = |length: u8| if length < 96 { 64_u8.saturating_sub(length) } else { 128 - length.min(128) };
    networks.of.iter().map(|(_, length)| f64::from(hosts(*length)).exp2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::rule::{Ports, mapped};

    fn networks(of: &[(&str, u8)]) -> Networks {
        let of = of.iter().map(|(ip, length)| (mapped(ip.parse().expect("an address")), *length)).collect();
        Networks { of, ..Networks::default() }
    }

    #[test]
    fn flags_are_as_asked() {
        let (fin, syn, ack) = (1, 2, 16);
        let exactly = Flags::Exactly { these: syn, but: 0xc0 };
        assert!(exactly.hold(syn) && exactly.hold(syn | 0x80) && !exactly.hold(syn | ack) && !exactly.hold(ack));
        assert!(Flags::All(syn | ack).hold(syn | ack | fin) && !Flags::All(syn | ack).hold(syn));
        assert!(Flags::Any(syn | fin).hold(fin | ack) && !Flags::Any(syn | fin).hold(ack));
        assert!(exactly.turn() && Flags::All(syn | ack).turn() && Flags::Any(syn | fin).turn());
        assert!(!Flags::Any(syn | ack).turn() && !Flags::All(ack).turn());
        assert!(!Flags::Exactly { these: syn, but: syn }.turn(), "what does not count is not asked for");
    }

    #[test]
    fn the_narrowest_side_is_whom_it_is_about() {
        let home = networks(&[("10.0.0.0", 104), ("192.168.0.0", 112)]);
        let bad = networks(&[("192.0.2.1", 128), ("198.51.100.0", 120)]);
        let ends = Ends { source: home.clone(), destination: bad.clone(), ..Ends::default() };
        assert!(matches!(ends.key(), Key::Networks(Side::Destination, of) if of.len() == 2));
        let ours = Ends { source: bad.clone(), destination: home.clone(), own: Some(Side::Source), ..Ends::default() };
        assert!(matches!(ours.key(), Key::Networks(Side::Destination, _)), "the list is the reader's own");
        let alone = Ends { destination: Networks::default(), ..ours };
        assert!(matches!(alone.key(), Key::Networks(Side::Source, _)), "nobody else is named");
        let port = Ports { of: [(443, 443)].into(), ..Ports::default() };
        let ends = Ends { source: networks(&[("0.0.0.0", 96)]), destination_port: port, ..Ends::default() };
        assert!(matches!(ends.key(), Key::Port(Side::Destination)) && !ends.is_any());
        assert!(Ends::default().is_any() && Ends { source: networks(&[("::", 0)]), ..Ends::default() }.is_any());
        assert!(!Ends { source: Networks { but: bad.of, ..Networks::default() }, ..Ends::default() }.is_any());
    }

    #[test]
    fn the_subject_is_an_end_of_the_conversation() {
        let end = |ip: &str| (ip.parse().expect("an address"), 1);
        let flow = |to_responder| Flowing {
            originator: end("10.0.0.1"),
            responder: end("192.0.2.1"),
            to_responder,
            transport: None,
            protocol: 1,
        };
        let to_bad = Ends { destination: networks(&[("192.0.2.1", 128)]), ..Ends::default() };
        assert!(to_bad.admits(&flow(true)) && !to_bad.admits(&flow(false)));
        assert_eq!(to_bad.subject(&flow(true)), Subject { is_originator: false, is_port: false });
        let ip = |text: &str| text.parse().expect("an address");
        assert!(to_bad.is_about(ip("192.0.2.1"), Some(1)) && !to_bad.is_about(ip("10.0.0.1"), None));
        let either = Ends { both_ways: true, ..to_bad };
        assert!(either.admits(&flow(false)) && !either.subject(&flow(false)).is_originator);
        let from_bad = Ends { source: either.destination, ..Ends::default() };
        assert!(from_bad.admits(&flow(false)) && !from_bad.subject(&flow(false)).is_originator);
        assert!(!Ends { protocols: &[58], ..Ends::default() }.admits(&flow(true)));
    }
}
