//! The Certificate message of TLS and DTLS up to 1.2 (RFC 5246 section 7.4.2), and what is seen of each certificate in it,
//! in this order (`tls.server.` or, of a client's, `tls.client.`):
//! - `hash.sha1`, `hash.sha256` of its encoding, in lower case;
//! - `subject`, `issuer` (in normal form, see [`kind::x509::distinguished_name`]), `x509.serial_number`;
//! - `x509.alternative_names`: DNS names and addresses; without a DNS name among them,
//!   `x509.subject.common_name` if it reads like a host's name.
//!
//! With each: subject and issuer as written, serial number, and the digests that were made. A digest, and a distinguished name,
//! is made only if one of its sort is looked for. Not seen: mail addresses and URIs among the names, public keys, validity, the chain's soundness.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::client_hello::address;
use super::handshake::Role;
use super::x509::{Alternative, Certificate, Line, Name};
use crate::bytes::Reader;
use crate::indicator::kind::{self, CERTIFICATE, DOMAIN, ISSUER, SERIAL, SUBJECT};
use crate::indicator::{Digest, Field, Kind, Observable, Seen, Value, Wants, Where};

/// Shows what the body of a Certificate message holds. `Err` says what was wrong, after all that could be shown was.
pub(super) fn show(body: &[u8], role: Role, wants: &Wants, seen: Seen<'_>) -> Result<(), &'static str> {
    let mut r = Reader::new(body);
    let whole = r.u24().is_some_and(|length| length as usize == r.remaining());
    let mut outcome = if whole { Ok(()) } else { Err("malformed Certificate message") };
    for _ in 0..MAX_CERTIFICATES {
        if r.is_empty() {
            return outcome;
        }
        let Some(der) = r.u24().and_then(|length| r.take(length as usize)) else {
            return Err("malformed Certificate message");
        };
        outcome = outcome.and(show_one(der, paths(role), wants, seen));
    }
    if r.is_empty() { outcome } else { Err("too many certificates in a chain") }
}

/// [`show`] for a body that ends too early: the certificates that are whole.
pub(super) fn show_cut(body: &[u8], role: Role, wants: &Wants, seen: Seen<'_>) {
    // What is wrong with it is the cut, which is counted already.
    let _ = show(body, role, wants, seen);
}

fn show_one(der: &[u8], at: &Paths, wants: &Wants, seen: Seen<'_>) -> Result<(), &'static str> {
    let (mut sha1_text, mut sha256_text) = ([0; 40], [0; 64]);
    let (mut sha1, mut sha256): (&[u8], &[u8]) = (&[], &[]);
    if wants.digest(&CERTIFICATE, Digest::Sha1) {
        sha1 = hex(&Sha1::digest(der), &mut sha1_text);
    }
    if wants.digest(&CERTIFICATE, Digest::Sha256) {
        sha256 = hex(&Sha256::digest(der), &mut sha256_text);
    }
    let parsed = Certificate::parse(der);
    let certificate = parsed.unwrap_or_default();
    let subject = || text_of(certificate.subject);
    let issuer = || text_of(certificate.issuer);
    let mut digits = [0; kind::x509::MAX_SERIAL_DIGITS];
    let serial = hex(certificate.serial, &mut digits);
    let serial = serial.get(serial.iter().take_while(|d| **d == b'0').count().min(serial.len().saturating_sub(1))..);
    let serial = serial.unwrap_or_default();

    // What is empty an alert leaves out.
    let with = [
        Field::made(at.subject, &subject),
        Field::made(at.issuer, &issuer),
        Field::text(at.serial, serial),
        Field::text(at.sha1, sha1),
        Field::text(at.sha256, sha256),
    ];
    let mut view = View { with: &with, seen };
    for (digest, path) in [(sha1, at.sha1), (sha256, at.sha256)] {
        if !digest.is_empty() {
            view.show(&CERTIFICATE, Value::Text(digest), path);
        }
    }
    let Some(certificate) = parsed else { return Err("malformed certificate") };
    let mut is_text = true;
    for (kind, name, at) in [(&SUBJECT, certificate.subject, at.subject), (&ISSUER, certificate.issuer, at.issuer)] {
        if wants.kind(kind) {
            is_text &= view.distinguished_name(kind, name, at);
        }
    }
    if !serial.is_empty() {
        view.show(&SERIAL, Value::Text(serial), at.serial);
    }
    view.hosts(&certificate, at);
    if is_text { Ok(()) } else { Err("a certificate's name too long or not text") }
}

/// Where one certificate's observables go, and what goes with each.
struct View<'v, 's> {
    with: &'v [Field<'v>],
    seen: Seen<'s>,
}

impl View<'_, '_> {
    fn show(&mut self, kind: &'static Kind, value: Value<'_>, at: &'static str) {
        (self.seen)(Observable { kind, value, at: Where(at), with: self.with });
    }

    /// A distinguished name in normal form; false if not all of it is text that fits.
    fn distinguished_name(&mut self, kind: &'static Kind, name: Name<'_>, at: &'static str) -> bool {
        let mut line = Line::new();
        let is_text = name.write(&mut line).is_ok();
        let mut normal = Vec::new();
        if kind::x509::distinguished_name(line.text(), &mut normal) {
            self.show(kind, Value::Text(&normal), at);
        }
        is_text
    }

    fn hosts(&mut self, certificate: &Certificate<'_>, at: &Paths) {
        let mut has_name = false;
        for alternative in certificate.alternatives() {
            match alternative {
                Alternative::Dns(name) => {
                    has_name = true;
                    self.host(name, at.names);
                }
                Alternative::Ip(ip) => self.show(kind::of_addr(ip), Value::Addr(ip), at.names),
            }
        }
        if !has_name && let Some(name) = certificate.subject.common_name().filter(|name| reads_like_a_host(name)) {
            self.host(name, at.common_name);
        }
    }

    /// A name, or an address that is wrongly given as one.
    fn host(&mut self, name: &[u8], at: &'static str) {
        match address(name) {
            Some(ip) => self.show(kind::of_addr(ip), Value::Addr(ip), at),
            None if (1..=MAX_NAME_BYTES).contains(&name.len()) => self.show(&DOMAIN, Value::Text(name), at),
            None => {}
        }
    }
}

/// A name as text, as much of it as is text and fits.
fn text_of(name: Name<'_>) -> Vec<u8> {
    let mut line = Line::new();
    let _ = name.write(&mut line);
    line.text().to_vec()
}

fn reads_like_a_host(name: &[u8]) -> bool {
    name.contains(&b'.') && name.iter().all(|b| b.is_ascii_alphanumeric() || b".-_*".contains(b))
}

/// Lower-case digits of as many bytes as fit; nothing if they do not.
fn hex<'t>(bytes: &[u8], text: &'t mut [u8]) -> &'t [u8] {
    if bytes.len() * 2 > text.len() {
        return &[];
    }
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [byte >> 4, byte & 15].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    }
    text.get(..bytes.len() * 2).unwrap_or_default()
}

/// Where one side's values are seen.
struct Paths {
    sha1: &'static str,
    sha256: &'static str,
    subject: &'static str,
    issuer: &'static str,
    serial: &'static str,
    names: &'static str,
    common_name: &'static str,
}

/// A certificate in a connection picked up later is taken for the server's: few clients send one.
fn paths(role: Role) -> &'static Paths {
    match role {
        Role::Client => &CLIENT,
        Role::Server | Role::Unknown => &SERVER,
    }
}

const SERVER: Paths = Paths {
    sha1: "tls.server.hash.sha1",
    sha256: "tls.server.hash.sha256",
    subject: "tls.server.subject",
    issuer: "tls.server.issuer",
    serial: "tls.server.x509.serial_number",
    names: "tls.server.x509.alternative_names",
    common_name: "tls.server.x509.subject.common_name",
};

const CLIENT: Paths = Paths {
    sha1: "tls.client.hash.sha1",
    sha256: "tls.client.hash.sha256",
    subject: "tls.client.subject",
    issuer: "tls.client.issuer",
    serial: "tls.client.x509.serial_number",
    names: "tls.client.x509.alternative_names",
    common_name: "tls.client.x509.subject.common_name",
};

/// Chains in use have up to six.
const MAX_CERTIFICATES: usize = 64;
/// Longest name that anyone can look up.
const MAX_NAME_BYTES: usize = 255;

#[cfg(test)]
mod tests;
