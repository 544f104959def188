//! What kind a bare value is, judged by its shape alone, as plain lists and the command line need it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use crate::indicator::kind::{DOMAIN, EMAIL_ADDR, FILE, IPV4, IPV6, URL, email, is_digest};
use crate::indicator::{Kind, Refusal};

/// A bare value and its kind. Whether it is a good value of that kind is the kind's to say.
#[derive(Clone, Copy, PartialEq)]
pub struct Recognised<'a> {
    /// What it is.
    pub kind: &'static Kind,
    /// The value without the port.
    pub value: &'a [u8],
    /// From `address:port`.
    pub port: Option<u16>,
}

/// Recognises an address, network (`addr/bits`), `address:port` (`[v6]:port`), URL (a scheme, or a slash after a host),
/// digest (32, 40 or 64 hex digits), mail address (it has an `@`) or name. `name:port` is none of them: a name is seen without a port, so the limit
/// could not be kept.
///
/// # Errors
/// [`Refusal::Unrecognised`], or [`Refusal::BadField`] for a port that is none.
pub fn recognise(value: &[u8]) -> Result<Recognised<'_>, Refusal> {
    let plain = |kind| Ok(Recognised { kind, value, port: None });
    let shape = value.iter().fold(0, |shape, byte| shape | SHAPE[usize::from(*byte)]);
    if shape & SLASH != 0 {
        return with_slash(value);
    }
    if shape & !(DIGIT | DOT) == 0 && shape & DOT != 0 {
        return plain(&IPV4);
    }
    if shape & OTHER != 0 && is_mail_address(value) {
        return plain(&EMAIL_ADDR);
    }
    if shape & (COLON | BRACKET) != 0 {
        return with_colon(value, shape);
    }
    if shape & OTHER != 0 || value.is_empty() {
        return Err(Refusal::Unrecognised);
    }
    if shape & DOT == 0 && is_digest(value) {
        return plain(&FILE);
    }
    plain(&DOMAIN)
}

/// `local@domain`, of which the domain could be a name.
fn is_mail_address(value: &[u8]) -> bool {
    email::split(value).is_some_and(|(local, domain)| {
        email::is_dot_atom(local) && domain.iter().all(|b| SHAPE[usize::from(*b)] & !(DIGIT | HEX | NAME | DOT) == 0)
    })
}

/// A network, or a URL.
fn with_slash(value: &[u8]) -> Result<Recognised<'_>, Refusal> {
    let at = memchr::memchr(b'/', value).unwrap_or(value.len());
    let (host, rest) = value.split_at(at);
    let rest = rest.get(1..).unwrap_or_default();
    if !rest.is_empty()
        && rest.iter().all(u8::is_ascii_digit)
        && let Some(kind) = addr_kind(host)
    {
        return Ok(Recognised { kind, value, port: None });
    }
    let scheme = host.ends_with(b":") && rest.starts_with(b"/");
    let hostly = host.iter().any(|b| b".:]".contains(b) || !b.is_ascii());
    if scheme || hostly { Ok(Recognised { kind: &URL, value, port: None }) } else { Err(Refusal::Unrecognised) }
}

/// `v4:port`, `v6`, `[v6]` or `[v6]:port`.
fn with_colon(value: &[u8], shape: u8) -> Result<Recognised<'_>, Refusal> {
    if let Some(inner) = value.strip_prefix(b"[") {
        let end = memchr::memchr(b']', inner).ok_or(Refusal::Unrecognised)?;
        let (addr, rest) = inner.split_at(end);
        let port = match rest {
            b"]" => None,
            [b']', b':', port @ ..] => Some(port_number(port)?),
            _ => return Err(Refusal::Unrecognised),
        };
        return Ok(Recognised { kind: &IPV6, value: addr, port });
    }
    if let Some(at) = memchr::memrchr(b':', value)
        && let (addr, port) = value.split_at(at)
        && addr.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        && parsed::<Ipv4Addr>(addr).is_some()
    {
        let port = port_number(port.get(1..).unwrap_or_default())?;
        return Ok(Recognised { kind: &IPV4, value: addr, port: Some(port) });
    }
    // Two colons and nothing but what an IPv6 address is made of: it is one, or a bad one.
    let colons = memchr::memchr_iter(b':', value).count();
    if colons >= 2 && shape & !(DIGIT | HEX | DOT | COLON) == 0 {
        return Ok(Recognised { kind: &IPV6, value, port: None });
    }
    Err(Refusal::Unrecognised)
}

fn addr_kind(host: &[u8]) -> Option<&'static Kind> {
    parsed::<IpAddr>(host).map(|addr| if addr.is_ipv4() { &IPV4 } else { &IPV6 })
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn port_number(text: &[u8]) -> Result<u16, Refusal> {
    if !text.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::BadField);
    }
    parsed(text).ok_or(Refusal::BadField)
}

/// Whether `text` is sure to have nothing that a list's author put around or into a value: no blanks, quotes, comment or
/// defanged forms. Nearly every line of a list.
pub(super) fn is_bare(text: &[u8]) -> bool {
    let (shape, all) = text.iter().fold((0, 0), |(shape, all), byte| (shape | SHAPE[usize::from(*byte)], all | byte));
    shape & (SLASH | BRACKET | OTHER) == 0 && all.is_ascii() && !starts_with(text, b"hxxp")
}

/// The value without what people write so that nobody clicks on it: `hxxp`, `[.]`, `(.)`, `{.}`, `[dot]`, `[:]`, `[://]`,
/// `[@]`. Borrowed when there is nothing to undo.
pub fn refang(value: &[u8]) -> Cow<'_, [u8]> {
    let fanged = memchr::memchr3(b'[', b'(', b'{', value).is_some();
    let scheme = value.get(..4).is_some_and(|s| s.eq_ignore_ascii_case(b"hxxp"));
    if !fanged && !scheme {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, after)) = rest.split_first() {
        match FANGS.iter().find(|(written, _)| starts_with(rest, written)) {
            Some((written, meant)) => {
                out.extend_from_slice(meant);
                rest = rest.get(written.len()..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    // Names may begin with these letters too: only before a colon are they a scheme.
    let is_scheme = scheme && [4, 5].iter().any(|at| out.get(*at) == Some(&b':'));
    if is_scheme && let Some(xx) = out.get_mut(1..3) {
        xx.copy_from_slice(b"tt");
    }
    Cow::Owned(out)
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

const FANGS: &[(&[u8], &[u8])] = &[
    (b"[.]", b"."),
    (b"(.)", b"."),
    (b"{.}", b"."),
    (b"[dot]", b"."),
    (b"(dot)", b"."),
    (b"{dot}", b"."),
    (b"[://]", b"://"),
    (b"[:]", b":"),
    (b"(:)", b":"),
    (b"[/]", b"/"),
    (b"[@]", b"@"),
];

const DIGIT: u8 = 1;
const HEX: u8 = 2;
/// What else a name is made of, a list's `*.` included; bytes beyond ASCII may be a name before it is turned into A-labels.
const NAME: u8 = 4;
const DOT: u8 = 8;
const COLON: u8 = 16;
const SLASH: u8 = 32;
const BRACKET: u8 = 64;
const OTHER: u8 = 128;

const SHAPE: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'g'..=b'z' | b'G'..=b'Z' | b'-' | b'_' | b'*' | 0x80.. => NAME,
            b'.' => DOT,
            b':' => COLON,
            b'/' => SLASH,
            b'[' | b']' => BRACKET,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn named(text: &str) -> Result<(&'static str, String, Option<u16>), Refusal> {
        recognise(text.as_bytes()).map(|r| (r.kind.name, String::from_utf8_lossy(r.value).into_owned(), r.port))
    }

    #[test]
    fn values_are_known_by_their_shape() {
        for (text, kind, value, port) in [
            ("192.0.2.1", "ipv4-addr", "192.0.2.1", None),
            ("192.0.2.256", "ipv4-addr", "192.0.2.256", None),
            ("192.0.2.0/24", "ipv4-addr", "192.0.2.0/24", None),
            ("192.0.2.0/99", "ipv4-addr", "192.0.2.0/99", None),
            ("192.0.2.1:443", "ipv4-addr", "192.0.2.1", Some(443)),
            ("2001:db8::1", "ipv6-addr", "2001:db8::1", None),
            ("2001:db8::g", "", "", None),
            ("1:2:3", "ipv6-addr", "1:2:3", None),
            ("2001:db8::/32", "ipv6-addr", "2001:db8::/32", None),
            ("[2001:db8::1]:443", "ipv6-addr", "2001:db8::1", Some(443)),
            ("[2001:db8::1]", "ipv6-addr", "2001:db8::1", None),
            ("evil.example", "domain-name", "evil.example", None),
            ("0-0.example", "domain-name", "0-0.example", None),
            ("_sip.evil.example", "domain-name", "_sip.evil.example", None),
            ("b\u{fc}cher.example", "domain-name", "b\u{fc}cher.example", None),
            ("com", "domain-name", "com", None),
            ("http://evil.example/a b", "url", "http://evil.example/a b", None),
            ("evil.example/", "url", "evil.example/", None),
            ("192.0.2.1/gate", "url", "192.0.2.1/gate", None),
            ("192.0.2.1:8080/24", "url", "192.0.2.1:8080/24", None),
            ("http://localhost", "url", "http://localhost", None),
            ("d41d8cd98f00b204e9800998ecf8427e", "file", "d41d8cd98f00b204e9800998ecf8427e", None),
            ("User+x@evil.example", "email-addr", "User+x@evil.example", None),
            ("@evil.example", "", "", None),
            ("a b@evil.example", "", "", None),
            ("a@evil.example:25", "", "", None),
            ("http://user@evil.example/", "url", "http://user@evil.example/", None),
            ("evil.example:443", "", "", None),
            ("a,b.example", "", "", None),
            ("two words", "", "", None),
            ("n/a", "", "", None),
            ("/etc", "", "", None),
            ("[x", "", "", None),
            ("[::1]x", "", "", None),
            ("", "", "", None),
        ] {
            let expected =
                if kind.is_empty() { Err(Refusal::Unrecognised) } else { Ok((kind, value.to_string(), port)) };
            assert_eq!(named(text), expected, "{text}");
        }
        for text in ["192.0.2.1:65536", "192.0.2.1:", "192.0.2.1:+80", "[::1]:", "[::1]:x"] {
            assert_eq!(named(text), Err(Refusal::BadField), "{text}");
        }
    }

    #[test]
    fn defanged_forms_are_undone() {
        for (written, meant) in [
            ("hxxp://evil[.]example/a", "http://evil.example/a"),
            ("hXXps[://]evil(.)example", "https://evil.example"),
            ("HXXP[:]//evil{.}example", "Http://evil.example"),
            ("evil[dot]example", "evil.example"),
            ("192[.]0[.]2[.]1[:]443", "192.0.2.1:443"),
            ("2001[:]db8[:][:]1", "2001:db8::1"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            ("user[@]evil[.]example", "user@evil.example"),
            ("evil[.example", "evil[.example"),
            ("hxxps-out.evil[.]example", "hxxps-out.evil.example"),
            ("hxxp.evil.example", "hxxp.evil.example"),
        ] {
            let shown = String::from_utf8_lossy(&refang(written.as_bytes())).into_owned();
            assert!(shown.eq_ignore_ascii_case(meant), "{written} gave {shown}");
        }
        assert!(matches!(refang(b"evil.example"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn every_address_is_recognised(bits in any::<u128>(), port in any::<u16>()) {
            let v4 = Ipv4Addr::from_bits(bits as u32).to_string();
            let v6 = Ipv6Addr::from_bits(bits).to_string();
            prop_assert_eq!(named(&v4), Ok(("ipv4-addr", v4.clone(), None)));
            prop_assert_eq!(named(&v6), Ok(("ipv6-addr", v6.clone(), None)));
            prop_assert_eq!(named(&format!("{v4}:{port}")), Ok(("ipv4-addr", v4, Some(port))));
            prop_assert_eq!(named(&format!("[{v6}]:{port}")), Ok(("ipv6-addr", v6, Some(port))));
        }

        #[test]
        fn any_bytes_are_recognised_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = recognise(&bytes);
            let _ = recognise(&refang(&bytes));
        }
    }
}
