//! [`Condition`]: what must hold besides an indicator's value before it counts (`picket.when` of a feed): the protocol and port
//! of the flow, the direction and field of the sighting, and what a control system was asked to do in the flow.
//!
//! A condition is judged on hits alone, never by the matcher. What is known at once ([`Condition::admits`]) is judged at once;
//! a protocol or function may be seen later in the same flow ([`Condition::holds`]). A condition that cannot be read is
//! refused with its indicator: leaving a part of it out would widen what matches.

use std::fmt;

use super::{Kind, Refusal, Transport, Where, ics};

/// All parts that are given must hold.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Condition {
    /// `network.protocol` of the flow: one of [`PROTOCOLS`].
    pub protocol: Option<&'static str>,
    /// Another that will do as well. No feed names one by itself: it is for rules whose word for a protocol is wider than ours.
    pub or_protocol: Option<&'static str>,
    /// A port that an end of the flow uses.
    pub port: Option<u16>,
    /// The way that the value went: with what the end sent that opened the flow, or with what the other one did. For the
    /// address of an end: what that end sends.
    pub to_responder: Option<bool>,
    /// Where the value was seen: one of its kind's [`Kind::seen_at`].
    pub field: Option<&'static str>,
    /// A value of the kind `ics-function`, seen in the same flow (and, if a direction is given, in that one).
    pub function: Option<Box<str>>,
}

/// A condition's parts as a feed writes them.
#[derive(Clone, Copy, Default)]
pub struct Named<'a> {
    /// `picket.when.protocol`.
    pub protocol: Option<&'a str>,
    /// `picket.when.port`.
    pub port: Option<&'a str>,
    /// `picket.when.direction`.
    pub direction: Option<&'a str>,
    /// `picket.when.field`.
    pub field: Option<&'a str>,
    /// `picket.when.function`.
    pub function: Option<&'a str>,
}

/// What is known of a hit at once.
#[derive(Debug, Clone, Copy)]
pub struct Sighting {
    /// Where the value was seen.
    pub at: Where,
    /// The way that it went.
    pub to_responder: bool,
    /// The ports of both ends; `None` for what has none.
    pub ports: Option<(u16, u16)>,
}

impl Condition {
    /// Reads a condition for an indicator of `kind`; `None` if no part is given.
    ///
    /// # Errors
    /// [`Refusal::BadCondition`] if a part cannot be read, or can never hold for this kind.
    pub fn read(kind: &'static Kind, named: &Named<'_>) -> Result<Option<Self>, Refusal> {
        let condition = Self {
            protocol: named.protocol.map(protocol).transpose()?,
            or_protocol: None,
            port: named.port.map(|text| text.parse().map_err(|_| Refusal::BadCondition)).transpose()?,
            to_responder: named.direction.map(direction).transpose()?,
            field: named.field.map(|text| field(kind, text)).transpose()?,
            function: named.function.map(|text| function(named.protocol, text)).transpose()?,
        };
        Ok(Some(condition).filter(|condition| *condition != Self::default()))
    }

    /// Whether what is known at once allows it to hold.
    pub fn admits(&self, sighting: &Sighting) -> bool {
        self.to_responder.is_none_or(|way| way == sighting.to_responder)
            && self.field.is_none_or(|field| field == sighting.at.0)
            && self.port.is_none_or(|port| sighting.ports.is_some_and(|(a, b)| a == port || b == port))
    }

    /// Whether some traffic could fulfil it, of an indicator limited to this transport: false only where protocol, field and
    /// transport are known to exclude each other.
    pub fn can_hold(&self, transport: Option<Transport>) -> bool {
        let Some(protocol) = self.protocol else { return true };
        let excluded = match transport {
            Some(Transport::Tcp) => UDP_ONLY.contains(&protocol),
            Some(Transport::Udp) => TCP_ONLY.contains(&protocol),
            Some(Transport::Ethernet) | None => false,
        };
        let shown_by = |field: &str| SHOWN_BY.iter().find(|(start, _)| field.starts_with(start));
        let shows = self.field.and_then(shown_by).is_none_or(|(_, protocols)| protocols.contains(&protocol));
        !excluded && shows
    }

    /// Whether it can hold where only flows of some protocols are parsed.
    pub fn can_hold_among(&self, is_parsed: impl Fn(&str) -> bool) -> bool {
        self.protocol.is_none_or(&is_parsed) || self.or_protocol.is_some_and(is_parsed)
    }

    /// Whether there is more to judge than [`Self::admits`] does.
    pub fn needs_flow(&self) -> bool {
        self.protocol.is_some() || self.function.is_some()
    }

    /// Whether the rest holds, of a flow of this protocol in which `was_seen` knows the functions: asked with a value and the
    /// direction that it must have gone, if that matters.
    pub fn holds(&self, protocol: Option<&str>, was_seen: impl FnOnce(&str, Option<bool>) -> bool) -> bool {
        self.protocol
            .is_none_or(|wanted| protocol == Some(wanted) || protocol.is_some() && protocol == self.or_protocol)
            && self.function.as_deref().is_none_or(|function| was_seen(function, self.to_responder))
    }

    /// Its parts, by their paths in a feed, as a feed would write them; in a fixed order.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let direction = |way| if way { TO_RESPONDER } else { TO_ORIGINATOR };
        [
            ("picket.when.protocol", self.protocol.map(str::to_owned)),
            ("picket.when.port", self.port.map(|port| port.to_string())),
            ("picket.when.direction", self.to_responder.map(|way| direction(way).to_owned())),
            ("picket.when.field", self.field.map(str::to_owned)),
            ("picket.when.function", self.function.as_deref().map(str::to_owned)),
        ]
        .into_iter()
        .filter_map(|(path, part)| part.map(|part| (path, part)))
    }

    /// The same for every version: what an id is derived from.
    pub(super) fn canonical(&self) -> String {
        self.parts().map(|(path, part)| format!("{}={part}\0", path.trim_start_matches("picket.when."))).collect()
    }
}

/// Without the function: it is an indicator's value.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, or_protocol: _, port, to_responder, field, function } = self;
        let has_function = function.is_some();
        write!(f, "Condition({protocol:?}, {port:?}, {to_responder:?}, {field:?}, has_function: {has_function})")
    }
}

fn protocol(text: &str) -> Result<&'static str, Refusal> {
    PROTOCOLS.iter().find(|known| known.eq_ignore_ascii_case(text)).copied().ok_or(Refusal::BadCondition)
}

fn direction(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        TO_RESPONDER => Ok(true),
        TO_ORIGINATOR => Ok(false),
        _ => Err(Refusal::BadCondition),
    }
}

fn field(kind: &'static Kind, text: &str) -> Result<&'static str, Refusal> {
    kind.seen_at.iter().find(|known| **known == text).copied().ok_or(Refusal::BadCondition)
}

/// A whole value (`modbus:any-write`); with a protocol, what follows the colon, where `read`, `write` and `control` stand for
/// any function that does so, unless the protocol has one of that name.
fn function(protocol: Option<&str>, text: &str) -> Result<Box<str>, Refusal> {
    let lower = text.to_ascii_lowercase();
    let whole = |text: &str| ics::normalise(text).ok();
    let within = |family: &str| whole(&format!("{family}:{lower}")).or_else(|| whole(&format!("{family}:any-{lower}")));
    let found = match protocol.map(str::to_ascii_lowercase) {
        None => whole(&lower),
        // What EtherNet/IP carries is CIP.
        Some(name) if name == ics::ENIP.name => whole(&lower)
            .filter(|v| is_of(v, &[ics::ENIP.name, ics::CIP.name]))
            .or_else(|| within(ics::CIP.name))
            .or_else(|| within(&name)),
        Some(name) => whole(&lower).filter(|value| is_of(value, &[&name])).or_else(|| within(&name)),
    };
    found.map(String::into_boxed_str).ok_or(Refusal::BadCondition)
}

fn is_of(value: &str, families: &[&str]) -> bool {
    ics::Family::of(value).is_some_and(|(family, _)| families.contains(&family.name))
}

const TO_RESPONDER: &str = "to_responder";
const TO_ORIGINATOR: &str = "to_originator";

/// What a flow's protocol may be called. A parser's name must be here (a test of `proto` holds them together), so that a
/// condition on a protocol that nothing recognises is refused and not waited for.
pub const PROTOCOLS: &[&str] = &[
    "tls",
    "dtls",
    "quic",
    "http",
    "http2",
    "dns",
    "smtp",
    "imap",
    "pop3",
    "ftp",
    "ldap",
    "postgresql",
    "mysql",
    "openflow",
    "openvpn",
    "ssh",
    "modbus",
    "dnp3",
    "s7comm",
    "s7comm-plus",
    "profinet-dcp",
    "goose",
    "enip",
    "iec104",
    "bacnet",
    "opcua",
];

/// Protocols that no flow over TCP is of, and none over UDP.
const UDP_ONLY: &[&str] = &["dtls", "quic", "bacnet"];
const TCP_ONLY: &[&str] = &[
    "http",
    "http2",
    "smtp",
    "imap",
    "pop3",
    "ftp",
    "postgresql",
    "mysql",
    "openflow",
    "ssh",
    "s7comm",
    "s7comm-plus",
    "iec104",
    "opcua",
];

/// The protocols that alone show the fields that start so.
const SHOWN_BY: &[(&str, &[&str])] = &[
    ("dns.", &["dns"]),
    ("http.", &["http", "http2"]),
    ("picket.smtp.", &["smtp"]),
    ("ftp.", &["ftp"]),
    ("openflow.", &["openflow"]),
    ("ssh.", &["ssh"]),
    ("ics.modbus.", &["modbus"]),
    ("ics.dnp3.", &["dnp3"]),
    ("ics.s7comm.", &["s7comm"]),
    ("ics.enip.", &["enip"]),
    ("ics.cip.", &["enip"]),
    ("ics.iec104.", &["iec104"]),
    ("ics.bacnet.", &["bacnet"]),
    ("ics.opcua.", &["opcua"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::{DOMAIN, IPV4};

    fn read(named: Named<'_>) -> Result<Option<Condition>, Refusal> {
        Condition::read(&IPV4, &named)
    }

    fn wanted(protocol: Option<&str>, text: &str) -> Option<String> {
        let condition = read(Named { protocol, function: Some(text), ..Named::default() }).ok()??;
        condition.function.map(String::from)
    }

    #[test]
    fn what_cannot_be_read_or_never_hold_is_refused() {
        assert_eq!(read(Named::default()), Ok(None));
        let good = Named {
            protocol: Some("Modbus"),
            port: Some("502"),
            direction: Some("to_responder"),
            field: Some("source.ip"),
            function: Some("write"),
        };
        let condition = read(good).expect("good").expect("some");
        assert_eq!(
            (condition.protocol, condition.port, condition.to_responder),
            (Some("modbus"), Some(502), Some(true))
        );
        assert_eq!((condition.field, condition.function.as_deref()), (Some("source.ip"), Some("modbus:any-write")));
        for bad in [
            Named { protocol: Some("gopher"), ..good },
            Named { port: Some("65536"), ..good },
            Named { port: Some("https"), ..good },
            Named { direction: Some("outbound"), ..good },
            Named { field: Some("dns.question.name"), ..good },
            Named { function: Some("fly"), ..good },
            Named { function: Some("dnp3:operate"), ..good },
            Named { protocol: None, ..good },
        ] {
            assert_eq!(read(bad), Err(Refusal::BadCondition), "{:?}", (bad.protocol, bad.port, bad.function));
        }
        assert!(Condition::read(&DOMAIN, &Named { field: Some("dns.question.name"), ..Named::default() }).is_ok());
    }

    #[test]
    fn a_function_is_named_with_or_without_its_family() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(wanted(Some("modbus"), "6"), some("modbus:write-single-register"));
        assert_eq!(wanted(None, "modbus:6"), some("modbus:write-single-register"));
        assert_eq!(wanted(Some("dnp3"), "write"), some("dnp3:write"), "the protocol's own");
        assert_eq!(wanted(Some("dnp3"), "control"), some("dnp3:any-control"));
        assert_eq!(wanted(Some("enip"), "write-tag"), some("cip:write-tag"));
        assert_eq!(wanted(Some("enip"), "register-session"), some("enip:register-session"));
        assert_eq!(wanted(Some("enip"), "cip:any-write"), some("cip:any-write"));
        assert_eq!(wanted(Some("modbus"), "unit-3"), some("modbus:unit-3"));
        assert_eq!(wanted(Some("tls"), "write"), None);
        assert_eq!(wanted(None, "write"), None);
    }

    #[test]
    fn every_part_must_hold() {
        let condition = Condition {
            or_protocol: None,
            protocol: Some("modbus"),
            port: Some(502),
            to_responder: Some(true),
            field: Some("source.ip"),
            function: Some("modbus:any-write".into()),
        };
        let sighting = Sighting { at: Where("source.ip"), to_responder: true, ports: Some((40_000, 502)) };
        assert!(condition.admits(&sighting) && condition.needs_flow());
        assert!(condition.admits(&Sighting { ports: Some((502, 40_000)), ..sighting }), "either end");
        for other in [
            Sighting { at: Where("destination.ip"), ..sighting },
            Sighting { to_responder: false, ..sighting },
            Sighting { ports: Some((1, 2)), ..sighting },
            Sighting { ports: None, ..sighting },
        ] {
            assert!(!condition.admits(&other), "{other:?}");
        }
        let seen = |value: &str, way: Option<bool>| value == "modbus:any-write" && way == Some(true);
        assert!(condition.holds(Some("modbus"), seen));
        assert!(!condition.holds(None, seen));
        assert!(!condition.holds(Some("dnp3"), seen));
        let either = Condition { or_protocol: Some("dnp3"), ..condition.clone() };
        assert!(!condition.can_hold_among(|name| name == "dnp3") && either.can_hold_among(|name| name == "dnp3"));
        assert!(either.holds(Some("dnp3"), seen) && either.holds(Some("modbus"), seen) && !either.holds(None, seen));
        assert!(!condition.holds(Some("modbus"), |_, _| false));
        assert_eq!(
            condition.canonical(),
            "protocol=modbus\0port=502\0direction=to_responder\0field=source.ip\0function=modbus:any-write\0"
        );
    }

    #[test]
    fn parts_that_exclude_each_other_never_hold() {
        let of = |protocol, field| Condition { protocol: Some(protocol), field, ..Condition::default() };
        assert!(Condition::default().can_hold(Some(Transport::Udp)));
        assert!(of("dns", Some("dns.resolved_ip")).can_hold(None));
        assert!(!of("http", Some("dns.resolved_ip")).can_hold(None));
        assert!(of("quic", None).can_hold(Some(Transport::Udp)) && !of("quic", None).can_hold(Some(Transport::Tcp)));
        assert!(!of("ssh", None).can_hold(Some(Transport::Udp)));
        let known = |protocol: &&str| PROTOCOLS.contains(protocol);
        assert!(UDP_ONLY.iter().chain(TCP_ONLY).chain(SHOWN_BY.iter().flat_map(|(_, p)| *p)).all(known));
    }

    #[test]
    fn no_function_in_debug() {
        let condition = Condition { function: Some("modbus:unit-17".into()), port: Some(502), ..Condition::default() };
        let text = format!("{condition:?}");
        assert!(text.contains("502") && text.contains("has_function: true") && !text.contains("unit-17"), "{text}");
    }
}
