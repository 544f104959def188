//! The ClientHello of TLS and QUIC (RFC 8446 section 4.1.2) and DTLS (RFC 9147 section 5.3), and what is seen of it.
//!
//! [`ClientHello`] borrows the parts that names and fingerprints are made of; [`show`] shows, in this order:
//! - `tls.client.server_name`: the server's name, or an address if a client wrongly names one (RFC 6066 section 3);
//! - `tls.client.ja3` and `tls.client.ja4`: the fingerprints.
//!
//! With each: all of these, and `tls.client.alpn` (the protocols offered, comma-separated). A fingerprint is only made if one of
//! its sort is looked for, or for an alert. Never allocates otherwise, unless a hello lists hundreds of cipher suites.

use std::net::IpAddr;

use super::{ja3, ja4};
use crate::bytes::Reader;
use crate::indicator::kind::{self, DOMAIN, JA3, JA4, RULE};
use crate::indicator::{Field, Observable, Seen, Value, Wants, Where};

/// What carries the hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over a stream.
    Tls,
    /// DTLS over datagrams: its hello has a cookie.
    Dtls,
    /// QUIC (RFC 9001).
    Quic,
}

/// A ClientHello's parts, borrowed. Lists of 16-bit numbers are read with [`numbers`].
#[derive(Clone, Copy, Default)]
pub struct ClientHello<'a> {
    /// `legacy_version`.
    pub version: u16,
    /// `cipher_suites`, 16-bit numbers.
    pub ciphers: &'a [u8],
    /// `extensions`, without their length; read with [`extensions`].
    pub extensions: &'a [u8],
    /// Extension 0 is there.
    pub has_server_name: bool,
    /// The first host name of extension 0.
    pub server_name: Option<&'a [u8]>,
    /// Extension 10, `supported_groups`, 16-bit numbers.
    pub groups: &'a [u8],
    /// Extension 11, `ec_point_formats`, bytes.
    pub point_formats: &'a [u8],
    /// Extension 13, `signature_algorithms`, 16-bit numbers.
    pub signature_algorithms: &'a [u8],
    /// Extension 16, the protocols, each behind a length byte; read with [`protocols`].
    pub alpn: &'a [u8],
    /// Extension 43, `supported_versions`, 16-bit numbers; `None` without it.
    pub supported_versions: Option<&'a [u8]>,
    /// Extension 0xfe0d, `encrypted_client_hello`, of the outer kind: the name of the server that is really meant may be in
    /// it, sealed. Many clients send one filled at random (GREASE); nobody but the
    /// server can tell.
    pub has_sealed_hello: bool,
    /// Something in the extensions, or behind them, is malformed: the parts before it are good, fingerprints would not be.
    pub is_damaged: bool,
}

crate::bytes::opaque_debug!(ClientHello<'_>, "ClientHello");

impl<'a> ClientHello<'a> {
    /// Parses the body of the handshake message (behind its type and length); `None` if it is none up to the extensions.
    pub fn parse(body: &'a [u8], carrier: Carrier) -> Option<Self> {
        let mut r = Reader::new(body);
        let version = r.u16()?;
        r.skip(RANDOM_BYTES)?;
        let session = r.u8().filter(|length| *length <= MAX_SESSION_ID_BYTES)?;
        r.skip(session.into())?;
        if carrier == Carrier::Dtls {
            let cookie = r.u8()?;
            r.skip(cookie.into())?;
        }
        let ciphers = take16(&mut r).filter(|list| list.len() % 2 == 0)?;
        let compressions = r.u8()?;
        r.skip(compressions.into())?;
        let mut hello = Self { version, ciphers, ..Self::default() };
        if !r.is_empty() {
            hello.is_damaged = hello.read_extensions(&mut r).is_none() || !r.is_empty();
        }
        Some(hello)
    }

    fn read_extensions(&mut self, r: &mut Reader<'a>) -> Option<()> {
        // Of a block that is cut, what is there is still read.
        let length = usize::from(r.u16()?);
        let block = r.take(length.min(r.remaining()))?;
        self.extensions = block;
        let mut list = Reader::new(block);
        while !list.is_empty() {
            let kind = list.u16()?;
            let data = take16(&mut list)?;
            self.read_extension(kind, data)?;
        }
        (block.len() == length).then_some(())
    }

    fn read_extension(&mut self, kind: u16, data: &'a [u8]) -> Option<()> {
        let mut r = Reader::new(data);
        match kind {
            SERVER_NAME => {
                self.has_server_name = true;
                // An empty one is legal (a server's, echoed by careless clients).
                if !data.is_empty() && self.server_name.is_none() {
                    self.server_name = host_name(take16(&mut r)?);
                }
            }
            SUPPORTED_GROUPS => self.groups = take16(&mut r)?,
            EC_POINT_FORMATS => self.point_formats = take8(&mut r)?,
            SIGNATURE_ALGORITHMS => self.signature_algorithms = take16(&mut r)?,
            ALPN => self.alpn = take16(&mut r)?,
            ENCRYPTED_CLIENT_HELLO => self.has_sealed_hello = data.first() == Some(&OUTER),
            SUPPORTED_VERSIONS => self.supported_versions = Some(take8(&mut r)?),
            _ => {}
        }
        Some(())
    }
}

/// What [`show`] could not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The hello is an outer one: see [`ClientHello::has_sealed_hello`].
    pub is_outer: bool,
}

/// Shows what the body of a ClientHello holds. `Err` says what was wrong with it, after what came before that was shown.
pub fn show(body: &[u8], carrier: Carrier, wants: &Wants, seen: Seen<'_>) -> Result<Shown, &'static str> {
    let hello = ClientHello::parse(body, carrier).ok_or("malformed ClientHello")?;
    show_parts(&hello, carrier, wants, seen);
    if hello.is_damaged {
        return Err("malformed extensions of a ClientHello");
    }
    Ok(Shown { is_outer: hello.has_sealed_hello })
}

/// [`show`] for a body that ends too early: a name that is whole, and no fingerprint.
pub fn show_cut(body: &[u8], carrier: Carrier, seen: Seen<'_>) {
    if let Some(hello) = ClientHello::parse(body, carrier) {
        show_parts(&ClientHello { is_damaged: true, ..hello }, carrier, &Wants::NONE, seen);
    }
}

fn show_parts(hello: &ClientHello<'_>, carrier: Carrier, wants: &Wants, seen: Seen<'_>) {
    let name = hello.server_name.filter(|name| !name.is_empty() && name.len() <= MAX_NAME_BYTES);
    let alpn = || alpn_text(hello);
    let ja3 = || ja3::fingerprint(hello).to_vec();
    let ja4 = || ja4::fingerprint(hello, carrier).to_vec();
    let mut fields = [Field::text("tls.client.server_name", name.unwrap_or_default()); 4];
    let mut used = usize::from(name.is_some());
    let mut push = |field| {
        if let Some(free) = fields.get_mut(used) {
            *free = field;
            used += 1;
        }
    };
    push(Field::made("tls.client.alpn", &alpn));
    if !hello.is_damaged {
        push(Field::made("tls.client.ja3", &ja3));
        push(Field::made("tls.client.ja4", &ja4));
    }
    let with = fields.get(..used).unwrap_or_default();
    if let Some(name) = name {
        let (kind, value) = match address(name) {
            Some(addr) => (kind::of_addr(addr), Value::Addr(addr)),
            None => (&DOMAIN, Value::Text(name)),
        };
        seen(Observable { kind, value, at: Where("tls.client.server_name"), with });
    }
    if !hello.is_damaged && wants.kind(&RULE) {
        let value = Value::Text(name.unwrap_or_default());
        seen(Observable { kind: &RULE, value, at: Where("tls.client.hello"), with });
    }
    if !hello.is_damaged && wants.kind(&JA3) {
        let print = ja3::fingerprint(hello);
        seen(Observable { kind: &JA3, value: Value::Text(&print), at: Where("tls.client.ja3"), with });
    }
    if !hello.is_damaged && wants.kind(&JA4) {
        let print = ja4::fingerprint(hello, carrier);
        seen(Observable { kind: &JA4, value: Value::Text(&print), at: Where("tls.client.ja4"), with });
    }
}

/// The numbers of a list, without GREASE (RFC 8701), which says nothing about a client.
pub fn numbers(list: &[u8]) -> impl Iterator<Item = u16> + '_ {
    list.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).filter(|number| !is_grease(*number))
}

/// The extension types of a block, in order, without GREASE.
pub fn extensions(block: &[u8]) -> impl Iterator<Item = u16> + '_ {
    let mut r = Reader::new(block);
    std::iter::from_fn(move || {
        let kind = r.u16()?;
        take16(&mut r)?;
        Some(kind)
    })
    .filter(|kind| !is_grease(*kind))
}

/// The protocol names of an ALPN extension (RFC 7301 section 3.1), GREASE included.
pub fn protocols(alpn: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut r = Reader::new(alpn);
    std::iter::from_fn(move || take8(&mut r))
}

/// Number of the server_name extension (RFC 6066).
pub const SERVER_NAME: u16 = 0;
/// Number of the application_layer_protocol_negotiation extension (RFC 7301).
pub const ALPN: u16 = 16;

const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// Type of an `encrypted_client_hello` that holds a sealed hello; 1 is the inner hello's own mark.
const OUTER: u8 = 0;

fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn take8<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = r.u8()?;
    r.take(length.into())
}

fn take16<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = r.u16()?;
    r.take(length.into())
}

/// The first host name of a server name list.
fn host_name(list: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(list);
    loop {
        let kind = r.u8()?;
        let name = take16(&mut r)?;
        if kind == HOST_NAME {
            return Some(name);
        }
    }
}

/// The address that a server name is, if it is one; IPv6 also in brackets.
pub(super) fn address(name: &[u8]) -> Option<IpAddr> {
    // Nearly every name has another letter among its first.
    if !name.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'[' | b']')) {
        return None;
    }
    let text = std::str::from_utf8(name).ok()?;
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

/// The protocols offered, comma-separated, as many as fit whole. Names that a list could not hold are left out.
fn alpn_text(hello: &ClientHello<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for name in protocols(hello.alpn).filter(|n| !n.is_empty() && n.iter().all(|b| b.is_ascii_graphic() && *b != b','))
    {
        if text.len() + name.len() >= ALPN_TEXT_BYTES {
            break;
        }
        if !text.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(name);
    }
    text
}

const RANDOM_BYTES: usize = 32;
const MAX_SESSION_ID_BYTES: u8 = 32;
const HOST_NAME: u8 = 0;
/// Longest name that anyone can look up; a longer one is no name.
const MAX_NAME_BYTES: usize = 255;
/// More than the protocols that clients really offer take.
const ALPN_TEXT_BYTES: usize = 128;
