//! `ipv4-addr`, `ipv6-addr`: single addresses and networks.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// IPv4 address or network.
pub static IPV4: Kind = Kind {
    name: "ipv4-addr",
    aliases: &["ip", "ip-src", "ip-dst", "Intel::ADDR", "Intel::SUBNET"],
    index: Index::Prefix,
    default_match: Match::Exact,
    seen_at: &["source.ip", "destination.ip", "dns.resolved_ip", "url.domain"],
    normalise,
    display,
};

/// IPv6 address or network.
pub static IPV6: Kind = Kind { name: "ipv6-addr", aliases: &[], ..IPV4 };

/// The kind of an observed address (IPv4-mapped IPv6 counts as IPv4).
pub fn of_addr(addr: IpAddr) -> &'static Kind {
    if addr.to_canonical().is_ipv4() { &IPV4 } else { &IPV6 }
}

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    let text = std::str::from_utf8(value).map_err(|_| Refusal::BadAddress)?;
    let addr: IpAddr = text.parse().map_err(|_| Refusal::BadAddress)?;
    match addr.to_canonical() {
        IpAddr::V4(a) => out.extend(a.octets()),
        IpAddr::V6(a) => out.extend(a.octets()),
    }
    Ok(None)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Cow::Owned(Ipv4Addr::from(octets).to_string());
    }
    if let Ok(octets) = <[u8; 16]>::try_from(value) {
        return Cow::Owned(Ipv6Addr::from(octets).to_string());
    }
    match value.split_last() {
        Some((bits, addr)) if !addr.is_empty() => Cow::Owned(format!("{}/{bits}", display(addr))),
        _ => Cow::Borrowed(""),
    }
}
