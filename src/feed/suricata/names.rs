//! Suricata's words for protocols, buffers, ends and classes, and what they are here.

use super::options::Spot;
use crate::indicator::rule::{Place, Side};
use crate::indicator::{Refusal, Transport};
use crate::packet::protocol;

/// What a rule's protocol says of the flow: its transport, its IP protocols where that is another one, and its `network.protocol`.
pub(super) type Protocol = (Option<Transport>, &'static [u8], Option<&'static str>);

pub(super) fn protocol_of(name: &str) -> Result<Protocol, Refusal> {
    let (transport, of_ip): (_, &'static [u8]) = match name {
        "icmp" => (None, &[protocol::ICMP, protocol::ICMPV6]),
        "icmpv4" => (None, &[protocol::ICMP]),
        "icmpv6" => (None, &[protocol::ICMPV6]),
        "sctp" => (None, &[protocol::SCTP]),
        _ => {
            let (transport, name) = followed(name)?;
            return Ok((transport, &[], name));
        }
    };
    Ok((transport, of_ip, None))
}

fn followed(name: &str) -> Result<(Option<Transport>, Option<&'static str>), Refusal> {
    Ok(match name {
        "tcp" | "tcp-stream" => (Some(Transport::Tcp), None),
        "udp" => (Some(Transport::Udp), None),
        "ip" | "any" => (None, None),
        "http" | "http1" => (Some(Transport::Tcp), Some("http")),
        "http2" => (Some(Transport::Tcp), Some("http2")),
        "dns" => (None, Some("dns")),
        "tls" | "ssl" => (Some(Transport::Tcp), Some("tls")),
        "quic" => (Some(Transport::Udp), Some("quic")),
        "ssh" => (Some(Transport::Tcp), Some("ssh")),
        "smtp" => (Some(Transport::Tcp), Some("smtp")),
        "ftp" => (Some(Transport::Tcp), Some("ftp")),
        "imap" => (Some(Transport::Tcp), Some("imap")),
        "pop3" => (Some(Transport::Tcp), Some("pop3")),
        "ldap" => (None, Some("ldap")),
        "pgsql" => (Some(Transport::Tcp), Some("postgresql")),
        "mysql" => (Some(Transport::Tcp), Some("mysql")),
        "modbus" => (Some(Transport::Tcp), Some("modbus")),
        "dnp3" => (Some(Transport::Tcp), Some("dnp3")),
        "enip" => (None, Some("enip")),
        "tcp-pkt" => return Err(Refusal::Unsupported("protocol tcp-pkt (segments one by one)")),
        _ => return Err(Refusal::Unsupported("a protocol that is not followed")),
    })
}

pub(super) fn end(key: &str) -> Option<Side> {
    match key {
        "ip.src" => Some(Side::Source),
        "ip.dst" => Some(Side::Destination),
        _ => None,
    }
}

pub(super) fn sticky(key: &str) -> Option<Spot> {
    Some(match key {
        "pkt_data" => Spot::Payload,
        "file.data" | "file_data" => Spot::FileData,
        "dns.query" | "dns_query" => Spot::At(Place::DnsQuery),
        "tls.sni" | "tls_sni" => Spot::At(Place::TlsSni),
        "ja3.hash" | "ja3_hash" => Spot::At(Place::Ja3),
        "ja3s.hash" => Spot::At(Place::Ja3s),
        "ja4.hash" => Spot::At(Place::Ja4),
        "ssh.hassh" => Spot::At(Place::Hassh),
        "ssh.hassh.server" => Spot::At(Place::HasshServer),
        "http.method" => Spot::At(Place::HttpMethod),
        "http.uri" => Spot::At(Place::HttpUri),
        "http.uri.raw" => Spot::At(Place::HttpUriRaw),
        "http.host" => Spot::At(Place::HttpHost),
        "http.user_agent" => Spot::At(Place::HttpUserAgent),
        "http.referer" => Spot::At(Place::HttpReferer),
        "http.stat_code" => Spot::At(Place::HttpStatus),
        "http.location" => Spot::At(Place::HttpLocation),
        _ => return None,
    })
}

pub(super) fn modifier(key: &str) -> Option<Place> {
    Some(match key {
        "http_method" => Place::HttpMethod,
        "http_uri" => Place::HttpUri,
        "http_raw_uri" => Place::HttpUriRaw,
        "http_host" => Place::HttpHost,
        "http_user_agent" => Place::HttpUserAgent,
        "http_referer" => Place::HttpReferer,
        "http_stat_code" => Place::HttpStatus,
        _ => return None,
    })
}

/// The schema's 0 to 100 of a priority, of which 1 is the gravest.
pub(super) fn severity(priority: u8) -> u8 {
    match priority {
        0 | 1 => 90,
        2 => 60,
        3 => 30,
        _ => 10,
    }
}

/// Priorities of Suricata's `classification.config`.
pub(super) const CLASSES: &[(&str, u8)] = &[
    ("not-suspicious", 3),
    ("unknown", 3),
    ("bad-unknown", 2),
    ("attempted-recon", 2),
    ("successful-recon-limited", 2),
    ("successful-recon-largescale", 2),
    ("attempted-dos", 2),
    ("successful-dos", 2),
    ("attempted-user", 1),
    ("unsuccessful-user", 1),
    ("successful-user", 1),
    ("attempted-admin", 1),
    ("successful-admin", 1),
    ("rpc-portmap-decode", 2),
    ("shellcode-detect", 1),
    ("string-detect", 3),
    ("suspicious-filename-detect", 2),
    ("suspicious-login", 2),
    ("system-call-detect", 2),
    ("tcp-connection", 4),
    ("trojan-activity", 1),
    ("unusual-client-port-connection", 2),
    ("network-scan", 3),
    ("denial-of-service", 2),
    ("non-standard-protocol", 2),
    ("protocol-command-decode", 3),
    ("web-application-activity", 2),
    ("web-application-attack", 1),
    ("misc-activity", 3),
    ("misc-attack", 2),
    ("icmp-event", 3),
    ("inappropriate-content", 1),
    ("policy-violation", 1),
    ("default-login-attempt", 2),
    ("targeted-activity", 1),
    ("exploit-kit", 1),
    ("external-ip-check", 2),
    ("domain-c2", 1),
    ("pup-activity", 2),
    ("credential-theft", 1),
    ("social-engineering", 2),
    ("coin-mining", 2),
    ("command-and-control", 1),
];
