//! `url`: one normal form for URLs in feeds and URLs in traffic, and where a prefix may end.
//!
//! The form is `host[:port]/path?query`. The scheme is ignored (a list without schemes is as good as one with), the host is
//! a lower-case name without its trailing dot or a canonical address, the default port, user information and the fragment
//! are dropped, an empty path is `/`. Path and query stay byte for byte: case matters there, and what percent-encoding
//! means is the server's affair, so `%41` and `A` are two URLs. This module never resolves, decodes or matches anything.

use std::borrow::Cow;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Index, Kind, domain};
use crate::indicator::{Match, Refusal};

/// A URL, or with [`Match::Prefix`] everything below its path.
pub static URL: Kind = Kind {
    number: 3,
    name: "url",
    aliases: &["uri", "link", "Intel::URL"],
    index: Index::Path,
    default_match: Match::Exact,
    seen_at: &["url.full", "http.request.referrer", "http.request.headers.location", "http.response.headers.location"],
    normalise,
    display,
};

/// Boundaries offered for one URL, at most, besides its whole length: each costs a lookup, and no feed names a path that
/// deep. The shortest come first.
pub const MAX_PREFIX_BOUNDARIES: usize = 64;

/// A URL taken apart; everything as written, nothing decoded. See [`split`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Before `://`, if there is one.
    pub scheme: Option<&'a [u8]>,
    /// Name or address; of an IPv6 literal what is between the brackets, zone included.
    pub host: &'a [u8],
    /// The port as written, or the scheme's default if that is known (80 without a scheme).
    pub port: Option<u16>,
    /// Path and query; empty, or starts with `/`, `?` or `*`.
    pub target: &'a [u8],
}

crate::bytes::opaque_debug!(Parts<'_>, "Parts");

impl Parts<'_> {
    /// The host as an address, if it is a literal. An IPv6 zone is dropped; IPv4-mapped IPv6 becomes IPv4.
    pub fn addr(&self) -> Option<IpAddr> {
        let first = *self.host.first()?;
        if !first.is_ascii_hexdigit() && first != b':' {
            return None;
        }
        let is_v6 = self.host.contains(&b':');
        if !is_v6 && !self.host.last()?.is_ascii_digit() {
            return None;
        }
        let text = std::str::from_utf8(self.host).ok()?;
        if is_v6 {
            let text = text.split_once('%').map_or(text, |(addr, _zone)| addr);
            return text.parse::<Ipv6Addr>().ok().map(|addr| IpAddr::V6(addr).to_canonical());
        }
        text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    }
}

/// Takes `scheme://[user@]host[:port]target[#fragment]` apart; scheme and `//` may be missing, but then user information
/// may not be there either (that would be a mail address). `None` without a host or with something else for a port.
pub fn split(url: &[u8]) -> Option<Parts<'_>> {
    let url = url.trim_ascii();
    let url = memchr::memchr(b'#', url).map_or(url, |at| &url[..at]).trim_ascii_end();
    let scheme_bytes = url.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
    let (scheme, rest) = match url[scheme_bytes..].strip_prefix(b"://") {
        Some(rest) if scheme_bytes > 0 => (Some(&url[..scheme_bytes]), rest),
        _ => (None, url.strip_prefix(b"//").unwrap_or(url)),
    };
    let authority_bytes = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'*')).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(authority_bytes);
    let host_port = match memchr::memrchr(b'@', authority) {
        Some(_) if scheme.is_none() => return None,
        Some(at) => &authority[at + 1..],
        None => authority,
    };
    let (host, port) = split_authority(host_port)?;
    Some(Parts { scheme, host, port: port.or_else(|| default_port(scheme)), target })
}

/// Takes `host[:port]` apart, as a `Host` header or a CONNECT target has it (RFC 9110, 7.2): host as in [`Parts::host`],
/// and the port if one is written (`host:` has none).
pub fn split_authority(authority: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix(b"[") {
        let end = memchr::memchr(b']', bracketed)?;
        match &bracketed[end + 1..] {
            [] => (&bracketed[..end], &[][..]),
            [b':', port @ ..] => (&bracketed[..end], port),
            _ => return None,
        }
    } else {
        let at = memchr::memchr(b':', authority).unwrap_or(authority.len());
        (&authority[..at], authority.get(at + 1..).unwrap_or(&[]))
    };
    if host.is_empty() {
        return None;
    }
    let mut number = None;
    for digit in port {
        let value = u32::from(digit.checked_sub(b'0').filter(|d| *d <= 9)?);
        number = Some(number.unwrap_or(0) * 10 + value).filter(|n| *n <= u32::from(u16::MAX));
        number?;
    }
    Some((host, number.map(|n| n as u16)))
}

/// Replaces `out` by the normal form of a URL seen in traffic; false when it has none (no indicator can name it). By
/// construction the same form as an indicator's. Allocates nothing once `out` has grown to the longest URL.
pub fn normalise_observed(seen: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    append(seen, out).is_ok()
}

/// The lengths, shortest first and each once, at which a prefix of a normalised URL may end: P covers U if they are equal,
/// or if U starts with P and P ends with `/`, or the byte of U after P is one of `/ ? #`. A prefix holds at least the
/// whole host and the `/` after it. The last length is always that of the URL itself.
pub fn prefix_boundaries(normalised: &[u8]) -> impl Iterator<Item = usize> {
    let first = memchr::memchr(b'/', normalised).map_or(normalised.len(), |slash| slash + 1);
    (first..normalised.len())
        .filter(|&end| normalised[end - 1] == b'/' || matches!(normalised[end], b'/' | b'?' | b'#'))
        .take(MAX_PREFIX_BOUNDARIES)
        .chain(std::iter::once(normalised.len()))
}

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.trim_ascii().is_empty() {
        return Err(Refusal::Empty);
    }
    let start = out.len();
    append(value, out)?;
    if out[start..].iter().any(u8::is_ascii_control) {
        return Err(Refusal::BadUrl);
    }
    Ok(None)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

fn append(url: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let parts = split(url).ok_or(Refusal::BadUrl)?;
    let in_vec = "a Vec takes every byte";
    match parts.addr() {
        Some(IpAddr::V4(addr)) => write!(out, "{addr}").expect(in_vec),
        Some(IpAddr::V6(addr)) => write!(out, "[{addr}]").expect(in_vec),
        None => domain::append_name(parts.host, out).map_err(|_| Refusal::BadUrl)?,
    }
    // 80 goes whatever the scheme: the form has no scheme to tell it from the default.
    if let Some(port) = parts.port.filter(|port| *port != 80 && Some(*port) != default_port(parts.scheme)) {
        write!(out, ":{port}").expect(in_vec);
    }
    if !parts.target.starts_with(b"/") {
        out.push(b'/');
    }
    out.extend_from_slice(parts.target);
    Ok(())
}

/// Registered ports (IANA) of the schemes that indicators come with.
fn default_port(scheme: Option<&[u8]>) -> Option<u16> {
    let Some(scheme) = scheme else { return Some(80) };
    let known = DEFAULT_PORTS.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name.as_bytes()));
    known.map(|(_, port)| *port)
}

const DEFAULT_PORTS: &[(&str, u16)] = &[
    ("http", 80),
    ("https", 443),
    ("ws", 80),
    ("wss", 443),
    ("ftp", 21),
    ("ftps", 990),
    ("sftp", 22),
    ("ssh", 22),
    ("telnet", 23),
    ("tftp", 69),
    ("ldap", 389),
    ("ldaps", 636),
    ("smb", 445),
    ("rtsp", 554),
];

#[cfg(test)]
mod tests;
