//! `ipv4-addr`, `ipv6-addr`: single addresses and networks.
//!
//! The forms are those of `std::net`: no leading zeros (octal or decimal is anyone's guess), no zone ids (they mean
//! nothing beyond one host). Host bits are cleared, `/32` and `/128` are single addresses, IPv4-mapped IPv6 is IPv4.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// IPv4 address or network.
pub static IPV4: Kind = Kind {
    number: 0,
    name: "ipv4-addr",
    aliases: &["ip", "ip-src", "ip-dst", "Intel::ADDR", "Intel::SUBNET"],
    index: Index::Prefix,
    default_match: Match::Exact,
    seen_at: &[
        "source.ip",
        "destination.ip",
        "icmp.quoted.source.ip",
        "icmp.quoted.destination.ip",
        "openflow.packet.source.ip",
        "openflow.packet.destination.ip",
        "dns.resolved_ip",
        "url.domain",
        "http.request.referrer",
        "http.request.headers.location",
        "http.response.headers.location",
        "tls.client.server_name",
        "picket.smtp.helo",
        "picket.email.received",
        "picket.email.originating_ip",
        "ftp.data.ip",
    ],
    normalise,
    display,
};

/// IPv6 address or network.
pub static IPV6: Kind = Kind { number: 1, name: "ipv6-addr", aliases: &[], ..IPV4 };

/// The kind of an observed address (IPv4-mapped IPv6 counts as IPv4).
pub fn of_addr(addr: IpAddr) -> &'static Kind {
    if addr.to_canonical().is_ipv4() { &IPV4 } else { &IPV6 }
}

/// The kind of a normalised value: feeds say `ip` for both, and an IPv4-mapped value is IPv4 whatever they say.
pub(in crate::indicator) fn of_normalised(value: &[u8]) -> &'static Kind {
    if value.len() <= 5 { &IPV4 } else { &IPV6 }
}

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    let (addr, bits) = match memchr::memchr(b'/', value) {
        None => (parse(value)?, None),
        Some(at) => {
            let (addr, rest) = value.split_at(at);
            (parse(addr)?, Some(prefix_length(rest.get(1..).unwrap_or_default())?))
        }
    };
    let full = if addr.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(full);
    if bits > full {
        return Err(Refusal::BadAddress);
    }
    Ok(match addr {
        IpAddr::V4(a) => put_v4(a, bits, out),
        IpAddr::V6(a) => match a.to_ipv4_mapped() {
            Some(inner) if bits >= MAPPED_BITS => put_v4(inner, bits - MAPPED_BITS, out),
            _ => put_v6(a, bits, out),
        },
    })
}

fn put_v4(addr: Ipv4Addr, bits: u8, out: &mut Vec<u8>) -> Option<Refusal> {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    let first = Ipv4Addr::from_bits(addr.to_bits() & mask);
    let last = Ipv4Addr::from_bits(addr.to_bits() | !mask);
    out.extend(first.octets());
    if bits < 32 {
        out.push(bits);
    }
    if bits < WIDEST_V4 {
        Some(Refusal::WideNetwork)
    } else if first.is_unspecified() || first.is_loopback() || last.is_broadcast() {
        Some(Refusal::SpecialAddress)
    } else {
        None
    }
}

fn put_v6(addr: Ipv6Addr, bits: u8, out: &mut Vec<u8>) -> Option<Refusal> {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    let first = Ipv6Addr::from_bits(addr.to_bits() & mask);
    out.extend(first.octets());
    if bits < 128 {
        out.push(bits);
    }
    if bits < WIDEST_V6 {
        Some(Refusal::WideNetwork)
    } else if first.is_unspecified() || first.is_loopback() {
        Some(Refusal::SpecialAddress)
    } else {
        None
    }
}

fn parse(text: &[u8]) -> Result<IpAddr, Refusal> {
    // std reads a zone id in socket addresses only; here `%` is refused with every other stray byte.
    std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(Refusal::BadAddress)
}

/// One to three digits without leading zeros; the caller knows the family's limit.
fn prefix_length(text: &[u8]) -> Result<u8, Refusal> {
    let zero_led = text.len() > 1 && text.first() == Some(&b'0');
    if zero_led || !text.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::BadAddress);
    }
    std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(Refusal::BadAddress)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Cow::Owned(Ipv4Addr::from(octets).to_string());
    }
    if let Ok(octets) = <[u8; 16]>::try_from(value) {
        return Cow::Owned(Ipv6Addr::from(octets).to_string());
    }
    match (value.len(), value.split_last()) {
        (5 | 17, Some((bits, addr))) => Cow::Owned(format!("{}/{bits}", display(addr))),
        _ => Cow::Borrowed(""),
    }
}

/// Length of `::ffff:0:0/96`, where IPv6 holds IPv4.
const MAPPED_BITS: u8 = 96;
/// The widest network that is not refused: the largest blocks that registries hand out are a /8 and a /16.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Result<(String, Option<Refusal>), Refusal> {
        let mut out = Vec::new();
        let danger = normalise(text.as_bytes(), Match::Exact, &mut out)?;
        assert!(matches!(out.len(), 4 | 5 | 16 | 17));
        assert_eq!(of_normalised(&out) == &IPV4, out.len() <= 5);
        Ok((display(&out).into_owned(), danger))
    }

    #[test]
    fn one_form_for_each_address_and_network() {
        for (text, form) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("2001:db8::1/128", "2001:db8::1"),
            ("2001:db8:bad:1::/48", "2001:db8:bad::/48"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:201", "192.0.2.1"),
            ("::ffff:192.0.2.77/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.77/128", "192.0.2.77"),
            ("192.168.1.1", "192.168.1.1"),
            ("fe80::1", "fe80::1"),
        ] {
            assert_eq!(shown(text), Ok((form.to_string(), None)), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "192.0.2.01",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1.1",
            "0x7f.1",
            "192.0.2.1/33",
            "192.0.2.1/024",
            "192.0.2.1/",
            "192.0.2.1/+8",
            "192.0.2.0/255.255.255.0",
            "fe80::1%eth0",
            "2001:db8::1/129",
            ":::",
            "x",
            " 192.0.2.1",
            "192.0.2.1/256",
            "/24",
            "\u{661}.2.3.4",
        ] {
            assert_eq!(shown(text), Err(Refusal::BadAddress), "{text}");
        }
        assert_eq!(shown(""), Err(Refusal::Empty));
    }

    #[test]
    fn what_would_match_everything_or_nothing_is_dangerous() {
        for text in ["0.0.0.0/0", "8.0.0.0/7", "::/0", "2000::/15", "::ffff:0:0/96", "::ffff:8.0.0.0/103"] {
            assert_eq!(shown(text).expect("reads").1, Some(Refusal::WideNetwork), "{text}");
        }
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "127.8.8.8/16",
            "255.255.255.255",
            "255.255.255.0/24",
            "0.0.0.0/8",
            "::",
            "::1",
            "::/64",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(shown(text).expect("reads").1, Some(Refusal::SpecialAddress), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_reads_back_as_itself(bits in any::<u128>(), length in 0u8..=128, v4 in any::<bool>()) {
            let text = if v4 {
                format!("{}/{}", Ipv4Addr::from_bits(bits as u32), length % 33)
            } else {
                format!("{}/{length}", Ipv6Addr::from_bits(bits))
            };
            let (form, danger) = shown(&text).expect("reads");
            prop_assert_eq!(shown(&form), Ok((form, danger)));
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "[0-9a-f:./%\\PC]{0,50}") {
            let _ = shown(&text);
        }
    }
}
