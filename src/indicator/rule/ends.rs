//! [`Ends`]: which conversations a rule speaks of, and which way.

use std::net::IpAddr;
use std::sync::Arc;

use crate::indicator::Transport;
use crate::indicator::lists::Addresses;

/// The header of a rule. The source is the end that sends what the body finds.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Ends {
    /// Only over this.
    pub transport: Option<Transport>,
    /// Only over one of these IP protocols; over any, if there is none.
    pub protocols: &'static [u8],
    /// Only with what the end sends that opened the flow, or with what the other one does.
    pub to_responder: Option<bool>,
    /// The sender's address.
    pub source: Networks,
    /// The sender's port.
    pub source_port: Ports,
    /// The receiver's address.
    pub destination: Networks,
    /// The receiver's port.
    pub destination_port: Ports,
    /// The other way round will do as well.
    pub both_ways: bool,
    /// The side that stands for whoever reads the rule (`$HOME_NET`): the rule is about the other one. It changes nothing of what is spoken of.
    pub own: Option<Side>,
    /// What is thought of sender and receiver. The other way round makes no difference to these.
    pub thought: Box<[Thought]>,
}

/// Whether an end, as it sends or receives, is on a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Thought {
    /// Of which end.
    pub of: Side,
    /// The list.
    pub list: Arc<Addresses>,
    /// What the list must say: least and most.
    pub number: (u8, u8),
    /// The end must not be so.
    pub negated: bool,
}

/// An end, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The sender.
    Source,
    /// The receiver.
    Destination,
    /// One of them.
    Either,
    /// Both of them.
    Both,
}

impl Thought {
    /// Whether the list says what it must of an address, whatever it is asked for.
    pub(super) fn lists(&self, ip: IpAddr) -> bool {
        let (least, most) = self.number;
        self.list.number_of(ip).is_some_and(|number| (least..=most).contains(&number))
    }

    fn holds(&self, from: IpAddr, to: IpAddr) -> bool {
        let is = |ip| self.lists(ip) != self.negated;
        match self.of {
            Side::Source => is(from),
            Side::Destination => is(to),
            Side::Either => is(from) || is(to),
            Side::Both => is(from) && is(to),
        }
    }
}

/// A conversation as [`Ends::admits`] is asked of it.
#[derive(Clone, Copy)]
pub struct Flowing {
    /// The end that opened it.
    pub originator: (IpAddr, u16),
    /// The other one.
    pub responder: (IpAddr, u16),
    /// Whether what was seen went to the responder.
    pub to_responder: bool,
    /// What carries it.
    pub transport: Option<Transport>,
    /// IP protocol number.
    pub protocol: u8,
}

crate::bytes::opaque_debug!(Flowing, "Flowing");

impl Ends {
    /// Whether what goes this way in this conversation is spoken of.
    pub fn admits(&self, flow: &Flowing) -> bool {
        let (from, to) = flow.sent();
        (self.transport.is_none() || self.transport == flow.transport)
            && (self.protocols.is_empty() || self.protocols.contains(&flow.protocol))
            && self.to_responder.is_none_or(|way| way == flow.to_responder)
            && (self.fits(from, to) || self.both_ways && self.fits(to, from))
            && self.thought.iter().all(|thought| thought.holds(from.0, to.0))
    }

    /// Whether addresses and ports are as the header has them, left to right.
    pub(super) fn fits(&self, from: (IpAddr, u16), to: (IpAddr, u16)) -> bool {
        self.source_port.hold(from.1)
            && self.destination_port.hold(to.1)
            && self.source.hold(from.0)
            && self.destination.hold(to.0)
    }
}

impl Flowing {
    /// Sender and receiver.
    pub(super) fn sent(&self) -> ((IpAddr, u16), (IpAddr, u16)) {
        match self.to_responder {
            true => (self.originator, self.responder),
            false => (self.responder, self.originator),
        }
    }
}

/// A set of addresses: what lies in one of `of` (or anywhere, if it is empty) and in none of `but`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Networks {
    /// Networks, as 128 bits (IPv4 mapped into IPv6) and prefix length.
    pub of: Box<[(u128, u8)]>,
    /// The same, left out.
    pub but: Box<[(u128, u8)]>,
}

impl Networks {
    /// Whether it is every address.
    pub fn is_any(&self) -> bool {
        self.of.is_empty() && self.but.is_empty()
    }

    /// Whether an address is one of them.
    pub fn hold(&self, ip: IpAddr) -> bool {
        let bits = mapped(ip);
        // Mapped addresses lie in a network of IPv6 only if that is all there is.
        let shortest = if ip.is_ipv4() { 96 } else { 0 };
        let is_in = |&(network, length): &(u128, u8)| {
            (bits ^ network) & mask(length) == 0 && (length >= shortest || length == 0)
        };
        let within = |of: &[(u128, u8)]| of.iter().any(is_in);
        (self.of.is_empty() || within(&self.of)) && !within(&self.but)
    }
}

/// An address as 128 bits, IPv4 mapped into IPv6.
pub fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The mask of so many leading bits.
pub fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0)
}

/// A set of ports: what lies in one of `of` (or any, if it is empty) and in none of `but`. Ranges hold both their ends.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Ports {
    /// Ranges.
    pub of: Box<[(u16, u16)]>,
    /// Ranges left out.
    pub but: Box<[(u16, u16)]>,
}

impl Ports {
    /// Whether it is every port.
    pub fn is_any(&self) -> bool {
        self.but.is_empty() && (self.of.is_empty() || self.of.contains(&(0, u16::MAX)))
    }

    /// Whether a port is one of them.
    pub fn hold(&self, port: u16) -> bool {
        let within = |of: &[(u16, u16)]| of.iter().any(|&(low, high)| (low..=high).contains(&port));
        (self.of.is_empty() || within(&self.of)) && !within(&self.but)
    }
}
