//! [`CustomerRecord`]: what a reader is told of a hit whose indicator is above them. Enough to act on, and nothing that is the
//! indicator, leads to it or tells it from another.
//!
//! The customer's own packet **is** the indicator: so no remote end, no field of a protocol, no frame and no file. Time is in whole
//! seconds, because nanoseconds name a packet.

use std::fmt;
use std::net::IpAddr;

use super::{Alert, AlertFlow};
use crate::indicator::Match;
use crate::indicator::kind::{IPV4, IPV6};
use crate::time::Timestamp;

/// See the module.
#[derive(Clone)]
pub struct CustomerRecord {
    /// Packet time, in whole seconds.
    pub time: Timestamp,
    /// The end that is the customer's, if one is and may be named.
    pub internal: Option<Host>,
    /// Which way the conversation was opened.
    pub direction: Heading,
    /// 0 to 100: of the most severe source.
    pub severity: u8,
    /// What to do.
    pub action: &'static str,
    /// If it stands for others: how many.
    pub repeats: Option<RecordRepeats>,
    /// Names for what was found, that say nothing without the key.
    pub references: Option<References>,
    /// How the record itself is to be handled.
    pub handling: Box<str>,
}

/// Hits that one record stands for. Without their ends: how many hosts were talked to is of the indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRepeats {
    /// How many.
    pub count: u64,
    /// Packet time of the first, in whole seconds.
    pub first: Timestamp,
    /// Packet time of the last, in whole seconds.
    pub last: Timestamp,
}

/// An end of a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub ip: IpAddr,
    /// Its port, of protocols that have ports.
    pub port: Option<u16>,
}

/// `network.direction`: seen from the home networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    /// Opened from outside.
    Inbound,
    /// Opened from inside.
    Outbound,
    /// Between two ends inside.
    Internal,
    /// Between two ends outside.
    External,
}

/// Opaque names: equal for equal things of one customer and day, worthless without the key.
#[derive(Clone)]
pub struct References {
    /// Of the indicator, in place of its id.
    pub indicator: String,
    /// Of the conversation, in place of its Community ID.
    pub flow: String,
    /// Of the alert, in place of `event.id`.
    pub event: String,
}

/// The customer's own networks.
#[derive(Clone)]
pub struct HomeNetworks(Vec<Network>);

/// First 16 bytes (IPv4 mapped) and how many bits of them count.
#[derive(Clone, Copy)]
struct Network {
    bits: u128,
    length: u32,
}

/// A text that is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("home network number {number} is no address or network; write 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork {
    /// Its place in the list, from 1.
    pub number: usize,
}

/// RFC 1918, RFC 4193 and link-local addresses.
const DEFAULT_HOME: [&str; 6] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

/// What to do where the other end may notice it.
pub(super) const ACT: &str =
    "Isolate the internal host, preserve its state and logs, and contact your provider with the reference.";

/// What to do where it must not.
pub(super) const WATCH: &str = "Do not block, reset, probe or clean up: the other end must not notice. Preserve the internal host's \
                                state and logs, and contact your provider with the reference.";

/// Handling where none is configured.
pub(super) const HANDLING: &str = "TLP:AMBER+STRICT. Sanitised: for the receiving organisation only.";

impl HomeNetworks {
    /// Reads addresses and networks.
    ///
    /// # Errors
    /// The first that is neither.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, NoNetwork> {
        let read = |(at, text): (usize, &T)| network(text.as_ref().trim()).ok_or(NoNetwork { number: at + 1 });
        texts.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the address is the customer's.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let bits = mapped(ip);
        self.0.iter().any(|network| (bits ^ network.bits).leading_zeros() >= network.length)
    }

    /// Which way a conversation goes, and its end that is the customer's: of two, the one that opened it.
    pub(super) fn judge(&self, flow: &AlertFlow, has_ports: bool) -> (Heading, Option<Host>) {
        let host = |(ip, port): (IpAddr, u16)| Some(Host { ip, port: has_ports.then_some(port) });
        if flow.hardware().is_some() {
            // One network, and neither address tells whose it is.
            return (Heading::Internal, None);
        }
        match (self.contains(flow.originator.0), self.contains(flow.responder.0)) {
            (true, false) => (Heading::Outbound, host(flow.originator)),
            (false, true) => (Heading::Inbound, host(flow.responder)),
            (true, true) => (Heading::Internal, host(flow.originator)),
            (false, false) => (Heading::External, None),
        }
    }
}

impl Default for HomeNetworks {
    fn default() -> Self {
        Self(DEFAULT_HOME.iter().filter_map(|text| network(text)).collect())
    }
}

impl Heading {
    /// As the schema writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

/// Without addresses: an internal host may be an indicator too.
impl fmt::Debug for HomeNetworks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HomeNetworks({})", self.0.len())
    }
}

impl fmt::Debug for CustomerRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let references = self.references.as_ref().map(|references| &references.event);
        f.debug_struct("CustomerRecord").field("event", &references).finish_non_exhaustive()
    }
}

/// The time of an alert as customers see it.
pub(super) fn time_of(alert: &Alert) -> Timestamp {
    whole(alert.frame.time)
}

/// What customers see of those that an alert stands for.
pub(super) fn repeats_of(alert: &Alert) -> Option<RecordRepeats> {
    let repeats = alert.repeats.as_deref()?;
    Some(RecordRepeats { count: repeats.count, first: whole(repeats.first), last: whole(repeats.last) })
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_parts(time.secs(), 0)
}

fn network(text: &str) -> Option<Network> {
    let mut value = Vec::new();
    let kind = if text.contains(':') { &IPV6 } else { &IPV4 };
    (kind.normalise)(text.as_bytes(), Match::Exact, &mut value).ok()?;
    let (address, length) = match value.len() {
        5 | 17 => {
            let (&length, address) = value.split_last()?;
            (address, u32::from(length))
        }
        bytes => (&value[..], 8 * bytes as u32),
    };
    Some(match <[u8; 4]>::try_from(address) {
        Ok(octets) => Network { bits: mapped(octets.into()), length: 96 + length },
        Err(_) => Network { bits: u128::from_be_bytes(address.try_into().ok()?), length },
    })
}

fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Ends;

    fn flow(originator: &str, responder: &str) -> AlertFlow {
        let end = |text: &str, port| (text.parse().expect("address"), port);
        AlertFlow {
            originator: end(originator, 1025),
            responder: end(responder, 443),
            protocol_number: 6,
            ends: Ends::Ip,
            tunnel: 0,
            protocol: None,
            vlans: vec![],
        }
    }

    fn judged(originator: &str, responder: &str) -> (&'static str, Option<String>) {
        let (heading, host) = HomeNetworks::default().judge(&flow(originator, responder), true);
        (heading.word(), host.map(|host| format!("{} {:?}", host.ip, host.port)))
    }

    #[test]
    fn the_end_in_a_home_network_is_shown_and_no_other() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(judged("10.1.2.3", "203.0.113.66"), ("outbound", some("10.1.2.3 Some(1025)")));
        assert_eq!(judged("203.0.113.66", "192.168.0.9"), ("inbound", some("192.168.0.9 Some(443)")));
        assert_eq!(judged("172.31.0.1", "172.16.0.1"), ("internal", some("172.31.0.1 Some(1025)")));
        assert_eq!(judged("203.0.113.1", "203.0.113.66"), ("external", None));
        assert_eq!(judged("fd00::1", "2001:db8::1"), ("outbound", some("fd00::1 Some(1025)")));
        assert_eq!(judged("fe80::1", "ff02::1"), ("outbound", some("fe80::1 Some(1025)")));
        assert_eq!(judged("::ffff:10.0.0.1", "172.32.0.1"), ("outbound", some("::ffff:10.0.0.1 Some(1025)")));
        let portless = HomeNetworks::default().judge(&flow("10.0.0.1", "192.0.2.1"), false);
        assert_eq!(portless.1.map(|host| host.port), Some(None));
    }

    #[test]
    fn home_networks_are_read_or_named_by_place() {
        let home = HomeNetworks::parse(&["198.51.100.0/24", " 2001:db8::7 ", "0.0.0.0/0"]).expect("reads");
        assert!(home.contains("8.8.8.8".parse().expect("address")));
        assert!(!home.contains("2001:db8::8".parse().expect("address")));
        assert_eq!(HomeNetworks::parse(&["10.0.0.0/8", "home"]).err(), Some(NoNetwork { number: 2 }));
        assert!(!HomeNetworks::parse::<&str>(&[]).expect("none").contains("10.0.0.1".parse().expect("address")));
    }
}
