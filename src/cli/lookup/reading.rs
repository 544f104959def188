//! What a typed value could be.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::indicator::kind::{DOMAIN, URL, of_addr};
use crate::indicator::{Index, KINDS, Kind, Match, Observable, Transport, Value, Where};

/// One thing that a value could be.
pub(super) struct Reading {
    pub(super) kind: &'static Kind,
    /// The host of the URL that was typed.
    pub(super) is_host: bool,
    value: Typed,
}

enum Typed {
    Addr(IpAddr),
    /// Without a transport: over either.
    End(IpAddr, u16, Option<Transport>),
    Text(Vec<u8>),
}

/// Everything that `value` could be.
pub(super) fn of(value: &str) -> Vec<Reading> {
    let plain = refang(value.trim());
    let mut readings = Vec::new();
    if let Some(end) = end(&plain) {
        readings.push(end);
    } else if let Some(host) = url_host(&plain) {
        readings.push(Reading::of_text(&URL, &plain));
        readings.extend(self::end(host).or_else(|| name(host)).map(|reading| Reading { is_host: true, ..reading }));
    } else {
        readings.extend(name(&plain));
    }
    for kind in KINDS.iter().filter(|kind| kind.index == Index::Exact) {
        let mut normal = Vec::new();
        if (kind.normalise)(value.as_bytes(), Match::Exact, &mut normal).is_ok() {
            readings.push(Reading { kind, is_host: false, value: Typed::Text(normal) });
        }
    }
    readings
}

impl Reading {
    fn of_text(kind: &'static Kind, text: &str) -> Self {
        Self { kind, is_host: false, value: Typed::Text(text.as_bytes().to_vec()) }
    }

    /// Calls `see` with the value as traffic would show it.
    pub(super) fn each_observable(&self, mut see: impl FnMut(&Observable<'_>)) {
        let mut see = |value| see(&Observable { kind: self.kind, value, at: Where("lookup"), with: &[] });
        match &self.value {
            Typed::Addr(ip) => see(Value::Addr(*ip)),
            Typed::End(ip, port, Some(transport)) => see(Value::Endpoint(*ip, *port, Some(*transport))),
            Typed::End(ip, port, None) => {
                see(Value::Endpoint(*ip, *port, Some(Transport::Tcp)));
                see(Value::Endpoint(*ip, *port, Some(Transport::Udp)));
            }
            Typed::Text(text) => see(Value::Text(text)),
        }
    }

    /// The address that it is, and the port.
    pub(super) fn address(&self) -> Option<(IpAddr, Option<u16>)> {
        match self.value {
            Typed::Addr(ip) => Some((ip, None)),
            Typed::End(ip, port, _) => Some((ip, Some(port))),
            Typed::Text(_) => None,
        }
    }

    /// What was typed, or the part of it that this reading is of.
    pub(super) fn text(&self) -> String {
        match &self.value {
            Typed::Addr(ip) => ip.to_string(),
            Typed::End(ip, port, _) => SocketAddr::new(*ip, *port).to_string(),
            Typed::Text(text) => String::from_utf8_lossy(text).trim_end_matches('.').to_string(),
        }
    }

    /// What it was taken as.
    pub(super) fn label(&self) -> String {
        let port = if matches!(self.value, Typed::End(..)) { " with port" } else { "" };
        let host = if self.is_host { " (host of the URL)" } else { "" };
        format!("{}{port}{host}", self.kind.name)
    }
}

/// `tcp` or `udp`.
pub(super) fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Ethernet => "ethernet",
    }
}

/// An address, `[v6]`, or either with `:port` and then perhaps `/tcp` or `/udp`.
fn end(text: &str) -> Option<Reading> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bare = bracketed.map_or_else(|| text.parse().ok(), |v6| v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6));
    let (ip, value) = match bare {
        Some(ip) => (ip, Typed::Addr(ip)),
        None => {
            let (ends, transport) = match text.rsplit_once('/') {
                Some((ends, "tcp")) => (ends, Some(Transport::Tcp)),
                Some((ends, "udp")) => (ends, Some(Transport::Udp)),
                _ => (text, None),
            };
            let ends: SocketAddr = ends.parse().ok()?;
            (ends.ip(), Typed::End(ends.ip(), ends.port(), transport))
        }
    };
    Some(Reading { kind: of_addr(ip), is_host: false, value })
}

/// The host of what has a scheme, or a slash or question mark after a host.
fn url_host(text: &str) -> Option<&str> {
    let scheme_end = text.find("://").map(|at| at + 3);
    let rest = &text[scheme_end.unwrap_or(0)..];
    let end = rest.find(['/', '?', '#']);
    if scheme_end.is_none() && end.is_none() || text.contains(char::is_whitespace) {
        return None;
    }
    let authority = &rest[..end.unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    (!host.is_empty()).then_some(host)
}

/// A name: nothing in it that no host name has.
fn name(text: &str) -> Option<Reading> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii();
    let is_name = !text.is_empty() && text.chars().all(|c| fits(c) && !c.is_control() && !c.is_whitespace());
    is_name.then(|| Reading::of_text(&DOMAIN, text))
}

/// Undoes what people write so that nobody clicks on it.
fn refang(text: &str) -> String {
    let dots = text.replace("[.]", ".").replace("[:]", ":");
    match dots.get(..4) {
        Some(start) if start.eq_ignore_ascii_case("hxxp") => format!("http{}", &dots[4..]),
        _ => dots,
    }
}
