//! [`DecodeError`]: where and why a decode stopped. Small and `Copy`: millions are counted, none is printed in passing.

use std::fmt;

use super::LinkType;

/// Where a decode stopped. What was decoded before it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeError {
    /// The header it stopped at.
    pub layer: Layer,
    /// Why.
    pub kind: ErrorKind,
    /// Byte offset of that header in the frame.
    pub offset: u16,
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the field's")]
pub enum Layer {
    Link,
    Ethernet,
    Vlan,
    Tag,
    Llc,
    Sll,
    Sll2,
    Loopback,
    Ppp,
    Pppoe,
    Mpls,
    Ip,
    Ipv4,
    Ipv6,
    Ipv6Extension,
    Tcp,
    Udp,
    Icmp,
    Sctp,
    Arp,
    Wifi,
    Radiotap,
    Nflog,
    IpInIp,
    Gre,
    Erspan,
    EtherIp,
    L2tp,
    Vxlan,
    Geneve,
    Gtp,
    Teredo,
    Ayiya,
    Lisp,
    Capwap,
    Tzsp,
    Esp,
    IpComp,
    Nhrp,
    Sflow,
    WireGuard,
}

/// Why a decode stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The captured bytes end within the header.
    Truncated,
    /// A length or version field that cannot be.
    BadHeader,
    /// More headers than [`super::MAX_LAYERS`].
    TooDeep,
    /// Nothing here decodes this link type.
    LinkType(LinkType),
    /// Nothing here decodes this ethertype.
    EtherType(u16),
    /// Nothing here decodes this LLC service access point.
    Llc(u8),
    /// Nothing here decodes this PPP protocol.
    PppProtocol(u16),
    /// What follows the label stack is neither IPv4 nor IPv6.
    MplsPayload,
    /// A piece of a datagram.
    Fragment,
    /// A piece of a frame that a tunnel cut; such are not put together.
    TunnelFragment,
    /// The rest is compressed.
    Compressed,
    /// The rest was compressed, and is read as a packet of its own: nothing is left out here.
    Inflated,
    /// Nothing here looks into the payload of this IP protocol.
    Protocol(u8),
    /// The rest is encrypted.
    Encrypted,
    /// A message of the layer itself: it carries nothing.
    NotData,
    /// Nothing here decodes this address family.
    Family(u32),
    /// The checksum is wrong ([`super::verify`] only).
    BadChecksum,
}

/// A stable word for counters: `ethernet.truncated`, `ethertype.0x88cc`.
impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::LinkType(link) => write!(f, "linktype.{}", link.0),
            ErrorKind::EtherType(number) => write!(f, "ethertype.{number:#06x}"),
            ErrorKind::Llc(sap) => write!(f, "llc.{sap:#04x}"),
            ErrorKind::PppProtocol(number) => write!(f, "ppp.{number:#06x}"),
            ErrorKind::Family(family) => write!(f, "family.{family}"),
            ErrorKind::Protocol(number) => write!(f, "ip.protocol.{number}"),
            ErrorKind::MplsPayload => f.write_str("mpls.payload"),
            ErrorKind::Fragment if self.layer != Layer::Ipv4 && self.layer != Layer::Ipv6Extension => {
                write!(f, "{}.fragment", self.layer.name())
            }
            ErrorKind::Fragment => f.write_str("ip.fragment"),
            ErrorKind::TunnelFragment => write!(f, "{}.fragment", self.layer.name()),
            ErrorKind::Inflated => write!(f, "{}.inflated", self.layer.name()),
            ErrorKind::Compressed => write!(f, "{}.compressed", self.layer.name()),
            ErrorKind::Encrypted => write!(f, "{}.encrypted", self.layer.name()),
            ErrorKind::NotData => write!(f, "{}.not_data", self.layer.name()),
            ErrorKind::BadChecksum => write!(f, "{}.bad_checksum", self.layer.name()),
            ErrorKind::Truncated => write!(f, "{}.truncated", self.layer.name()),
            ErrorKind::BadHeader => write!(f, "{}.bad_header", self.layer.name()),
            ErrorKind::TooDeep => write!(f, "{}.too_deep", self.layer.name()),
        }
    }
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Ethernet => "ethernet",
            Self::Vlan => "vlan",
            Self::Tag => "tag",
            Self::Llc => "llc",
            Self::Sll => "sll",
            Self::Sll2 => "sll2",
            Self::Loopback => "loopback",
            Self::Ppp => "ppp",
            Self::Pppoe => "pppoe",
            Self::Mpls => "mpls",
            Self::Ip => "ip",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ipv6Extension => "ipv6_extension",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Sctp => "sctp",
            Self::Arp => "arp",
            Self::Wifi => "wifi",
            Self::Radiotap => "radiotap",
            Self::Nflog => "nflog",
            Self::IpInIp => "ip_in_ip",
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::L2tp => "l2tp",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtp => "gtp",
            Self::Teredo => "teredo",
            Self::Ayiya => "ayiya",
            Self::Lisp => "lisp",
            Self::Capwap => "capwap",
            Self::Tzsp => "tzsp",
            Self::Esp => "esp",
            Self::IpComp => "ipcomp",
            Self::Nhrp => "nhrp",
            Self::Sflow => "sflow",
            Self::WireGuard => "wireguard",
        }
    }
}
