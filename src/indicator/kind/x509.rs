//! Certificates (X.509): their digests, serial numbers and the distinguished names of subject and issuer.
//!
//! A digest says which certificate it is; a name or a serial number says less, so each is a kind of its own, which a feed
//! names or a document's fields imply (`threat.indicator.x509.*`).

use std::borrow::Cow;

use super::text::USER_AGENT;
use super::{Kind, hash};
use crate::indicator::{Match, Refusal};

/// SHA-1 or SHA-256 of a certificate's DER encoding, in hex; colons between bytes are left out.
pub static CERTIFICATE: Kind = Kind {
    number: 10,
    name: "x509-certificate",
    aliases: &["x509-fingerprint-sha1", "x509-fingerprint-sha256", "Intel::CERT_HASH"],
    seen_at: &["tls.server.hash.sha1", "tls.server.hash.sha256", "tls.client.hash.sha1", "tls.client.hash.sha256"],
    normalise: digest,
    ..USER_AGENT
};

/// Distinguished name of who a certificate is for: see [`distinguished_name`].
pub static SUBJECT: Kind = Kind {
    number: 11,
    name: "x509-subject",
    aliases: &[],
    seen_at: &["tls.server.subject", "tls.client.subject"],
    normalise: name,
    ..USER_AGENT
};

/// Distinguished name of who signed a certificate: see [`distinguished_name`].
pub static ISSUER: Kind =
    Kind { number: 12, name: "x509-issuer", seen_at: &["tls.server.issuer", "tls.client.issuer"], ..SUBJECT };

/// Serial number of a certificate in hex: no colons, no leading zeros.
pub static SERIAL: Kind = Kind {
    number: 13,
    name: "x509-serial",
    aliases: &["x509-serial-number"],
    seen_at: &["tls.server.x509.serial_number", "tls.client.x509.serial_number"],
    normalise: serial,
    display: |value| String::from_utf8_lossy(value),
    ..USER_AGENT
};

fn digest(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    let digits = hex_digits(value)?;
    // MD5 fingerprints are not made: such a value could never match.
    if digits.len() == 32 || !hash::is_digest(&digits) {
        return Err(Refusal::BadFingerprint);
    }
    out.extend_from_slice(&digits);
    Ok(None)
}

fn serial(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    let value = value.strip_prefix(b"0x").or(value.strip_prefix(b"0X")).unwrap_or(value);
    let digits = hex_digits(value)?;
    if digits.len() > MAX_SERIAL_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Refusal::BadFingerprint);
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    out.extend_from_slice(digits.get(zeros.min(digits.len() - 1)..).unwrap_or_default());
    Ok(None)
}

/// `value` in lower case without the colons, blanks and hyphens that people and tools put between bytes.
fn hex_digits(value: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    let digits: Vec<u8> = value.iter().filter(|b| !b": -".contains(b)).map(u8::to_ascii_lowercase).collect();
    if digits.is_empty() { Err(Refusal::Empty) } else { Ok(Cow::Owned(digits)) }
}

fn name(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.trim_ascii().is_empty() {
        return Err(Refusal::Empty);
    }
    if distinguished_name(value, out) { Ok(None) } else { Err(Refusal::BadField) }
}

/// Appends the normal form of a distinguished name to `out`, or says no and leaves `out` as it was.
///
/// Tools write the same name in either order (`C=US, O=Acme, CN=a` and `CN=a,O=Acme,C=US`), with blanks or without, or as
/// `/C=US/O=Acme/CN=a`; comparing must not depend on it. The normal form: attributes sorted, their keys as in RFC 4514 but in
/// lower case, values in lower case with single blanks, `\` before what separates or quotes, and `, ` between attributes.
/// A comma is part of a value where no `key=` follows it (`O=Acme, Inc., CN=a`, as the Elastic Common Schema writes it).
pub fn distinguished_name(text: &[u8], out: &mut Vec<u8>) -> bool {
    let text = text.trim_ascii();
    let (text, separators): (_, &[u8]) = match text.split_first() {
        Some((b'/', rest)) => (rest, b"/"),
        _ => (text, b",+;"),
    };
    let mut attributes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((key, after)) = split_key(rest) else { return false };
        let (value, next) = split_value(after, separators);
        attributes.push((canonical_key(key), value));
        rest = next;
    }
    if attributes.is_empty() {
        return false;
    }
    attributes.sort();
    for (place, (key, value)) in attributes.iter().enumerate() {
        if place > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(key);
        out.push(b'=');
        for byte in value {
            if b",+;\"\\".contains(byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        }
    }
    true
}

/// `key = rest`, if the text begins so: a word or an OID.
fn split_key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let at = text.iter().position(|b| *b == b'=')?;
    let (key, rest) = text.split_at(at);
    let key = key.trim_ascii_end();
    let is_key =
        (1..=MAX_KEY_BYTES).contains(&key.len()) && key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'.');
    is_key.then(|| (key, rest.get(1..).unwrap_or_default()))
}

/// The value at the start of `text`, unescaped and folded, and what follows its separator.
fn split_value<'t>(text: &'t [u8], separators: &[u8]) -> (Vec<u8>, &'t [u8]) {
    let mut value = Vec::with_capacity(text.len().min(64));
    let mut rest = text.trim_ascii_start();
    let mut in_quotes = false;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                value.push(nibble(*high) << 4 | nibble(*low));
                rest = after.get(2..).unwrap_or_default();
            }
            (b'\\', [escaped, ..]) => {
                value.push(*escaped);
                rest = after.get(1..).unwrap_or_default();
            }
            (b'"', _) if in_quotes || value.is_empty() => in_quotes = !in_quotes,
            _ if !in_quotes && separators.contains(&first) && (after.is_empty() || split_key(after).is_some()) => break,
            _ => value.push(first),
        }
    }
    (folded(&value), rest)
}

/// Lower case, single blanks, none at the ends.
fn folded(value: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    for byte in value.trim_ascii() {
        let byte = if byte.is_ascii_whitespace() { b' ' } else { byte.to_ascii_lowercase() };
        if byte != b' ' || out.last() != Some(&b' ') {
            out.push(byte);
        }
    }
    out
}

fn canonical_key(key: &[u8]) -> Vec<u8> {
    let key = key.to_ascii_lowercase();
    let key = key.strip_prefix(b"oid.").map_or(key.clone(), <[u8]>::to_vec);
    match KEY_ALIASES.iter().find(|(alias, _)| alias.as_bytes() == key) {
        Some((_, name)) => name.as_bytes().to_vec(),
        None => key,
    }
}

fn nibble(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

/// What tools call an attribute, and its name here: short names of RFC 4514, `OpenSSL`'s and Microsoft's.
const KEY_ALIASES: &[(&str, &str)] = &[
    ("commonname", "cn"),
    ("2.5.4.3", "cn"),
    ("countryname", "c"),
    ("2.5.4.6", "c"),
    ("s", "st"),
    ("sp", "st"),
    ("stateorprovincename", "st"),
    ("2.5.4.8", "st"),
    ("localityname", "l"),
    ("2.5.4.7", "l"),
    ("organizationname", "o"),
    ("2.5.4.10", "o"),
    ("organizationalunitname", "ou"),
    ("2.5.4.11", "ou"),
    ("e", "emailaddress"),
    ("email", "emailaddress"),
    ("1.2.840.113549.1.9.1", "emailaddress"),
    ("domaincomponent", "dc"),
    ("0.9.2342.19200300.100.1.25", "dc"),
    ("userid", "uid"),
    ("0.9.2342.19200300.100.1.1", "uid"),
    ("2.5.4.5", "serialnumber"),
    ("surname", "sn"),
    ("2.5.4.4", "sn"),
    ("g", "gn"),
    ("givenname", "gn"),
    ("2.5.4.42", "gn"),
    ("streetaddress", "street"),
    ("2.5.4.9", "street"),
    ("2.5.4.17", "postalcode"),
    ("2.5.4.12", "title"),
    ("t", "title"),
];

/// Longer keys are text that happens to hold an equals sign.
const MAX_KEY_BYTES: usize = 40;

/// A conforming number has 20 bytes (RFC 5280 section 4.1.2.2); this is what is shown of one.
pub const MAX_SERIAL_DIGITS: usize = 64;

#[cfg(test)]
mod tests;
