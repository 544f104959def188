//! One certificate (RFC 5280 section 4.1): its parts, borrowed from the DER encoding, and its names as text.
//!
//! Object identifiers, tags and lengths are read by the `der` crate; those tags and lengths that nearly all are, here. Nothing is
//! verified: neither signature nor validity nor chain. Names are written into a buffer of fixed size; nothing here allocates.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use der::asn1::ObjectIdentifier;
use der::{Decode, Header, Reader, SliceReader, Tag, TagNumber};

/// A certificate's parts.
#[derive(Clone, Copy, Default)]
pub struct Certificate<'a> {
    /// `serialNumber`: the integer's bytes.
    pub serial: &'a [u8],
    /// `issuer`.
    pub issuer: Name<'a>,
    /// `subject`.
    pub subject: Name<'a>,
    alternative_names: &'a [u8],
}

crate::bytes::opaque_debug!(Certificate<'_>, "Certificate");

/// A distinguished name: the contents of its SEQUENCE.
#[derive(Clone, Copy, Default)]
pub struct Name<'a>(&'a [u8]);

crate::bytes::opaque_debug!(Name<'_>, "Name");

/// One of a certificate's `subjectAltName`s (section 4.2.1.6) that an indicator can name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Alternative<'a> {
    /// `dNSName`.
    Dns(&'a [u8]),
    /// `iPAddress`.
    Ip(IpAddr),
}

crate::bytes::opaque_debug!(Alternative<'_>, "Alternative");

impl<'a> Certificate<'a> {
    /// Reads a certificate; `None` if it is none up to its subject. What of the extensions cannot be read is left out.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let certificate = Values::of(der).expect(Tag::Sequence)?;
        let tbs = Values::of(certificate).expect(Tag::Sequence)?;
        let mut fields = Values::of(tbs);
        let mut first = fields.next()?;
        if first.0 == context(0, true) {
            first = fields.next()?;
        }
        let serial = if first.0 == Tag::Integer { first.1 } else { return None };
        fields.expect(Tag::Sequence)?;
        let issuer = Name(fields.expect(Tag::Sequence)?);
        fields.expect(Tag::Sequence)?;
        let subject = Name(fields.expect(Tag::Sequence)?);
        let alternative_names = alternative_names(fields).unwrap_or_default();
        Some(Self { serial, issuer, subject, alternative_names })
    }

    /// Its alternative names, in order.
    pub fn alternatives(&self) -> impl Iterator<Item = Alternative<'a>> + use<'a> {
        let mut values = Values::of(self.alternative_names);
        std::iter::from_fn(move || {
            loop {
                let (tag, value) = values.next()?;
                if tag == context(2, false) {
                    return Some(Alternative::Dns(value));
                }
                if tag != context(7, false) {
                    continue;
                }
                // Of another length it is no address.
                if let Some(v4) = <[u8; 4]>::try_from(value).ok().map(IpAddr::from) {
                    return Some(Alternative::Ip(v4));
                }
                if let Some(v6) = <[u8; 16]>::try_from(value).ok().map(IpAddr::from) {
                    return Some(Alternative::Ip(v6));
                }
            }
        })
    }
}

/// The contents of the `subjectAltName` extension, from what follows the subject.
fn alternative_names(mut fields: Values<'_>) -> Option<&[u8]> {
    let extensions = loop {
        let (tag, value) = fields.next()?;
        if tag == context(3, true) {
            break Values::of(value).expect(Tag::Sequence)?;
        }
    };
    let mut extensions = Values::of(extensions);
    loop {
        let mut extension = Values::of(extensions.expect(Tag::Sequence)?);
        if extension.expect(Tag::ObjectIdentifier)? != SUBJECT_ALT_NAME {
            continue;
        }
        let value = loop {
            let (tag, value) = extension.next()?;
            if tag == Tag::OctetString {
                break value;
            }
        };
        return Values::of(value).expect(Tag::Sequence);
    }
}

impl<'a> Name<'a> {
    /// Writes the name in the order that it is in, as `C=US, O=Acme\, Inc., CN=evil.example`; `Err` if it does not fit or
    /// holds what is no text, which is then left out.
    pub fn write(&self, out: &mut Line) -> fmt::Result {
        let mut outcome = Ok(());
        for (place, (key, tag, value)) in self.attributes().enumerate() {
            if place > 0 {
                out.write_str(", ")?;
            }
            write_key(key, out)?;
            out.write_char('=')?;
            outcome = outcome.and(write_text(tag, value, out));
        }
        outcome
    }

    /// The first `commonName`, if it is in bytes that a host name can be of.
    pub fn common_name(&self) -> Option<&'a [u8]> {
        self.attributes().find(|(key, tag, _)| *key == COMMON_NAME && *tag != Tag::BmpString).map(|(.., value)| value)
    }

    /// Each attribute: object identifier, string type, string.
    fn attributes(&self) -> impl Iterator<Item = (&'a [u8], Tag, &'a [u8])> + use<'a> {
        let mut sets = Values::of(self.0);
        let mut set: Option<Values<'a>> = None;
        std::iter::from_fn(move || {
            loop {
                if let Some((Tag::Sequence, attribute)) = set.as_mut().and_then(Values::next) {
                    let mut attribute = Values::of(attribute);
                    let key = attribute.expect(Tag::ObjectIdentifier)?;
                    let (tag, value) = attribute.next()?;
                    return Some((key, tag, value));
                }
                set = Some(Values::of(sets.expect(Tag::Set)?));
            }
        })
    }
}

fn write_key(key: &[u8], out: &mut Line) -> fmt::Result {
    match KEYS.iter().find(|(oid, _)| *oid == key) {
        Some((_, word)) => out.write_str(word),
        None => match ObjectIdentifier::from_bytes(key) {
            Ok(oid) => write!(out, "{oid}"),
            Err(_) => Err(fmt::Error),
        },
    }
}

/// A string of any of the types that names are made of, what separates attributes escaped.
fn write_text(tag: Tag, value: &[u8], out: &mut Line) -> fmt::Result {
    let mut put = |char: char| {
        if matches!(char, ',' | '+' | ';' | '"' | '\\') {
            out.write_char('\\')?;
        }
        out.write_char(char)
    };
    match tag {
        Tag::BmpString => {
            let units = value.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units).try_for_each(|char| put(char.unwrap_or(char::REPLACEMENT_CHARACTER)))
        }
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::TeletexString
        | Tag::NumericString
        | Tag::VisibleString
        | Tag::GeneralString => match std::str::from_utf8(value) {
            Ok(text) => text.chars().try_for_each(put),
            // What should be T.61 is Latin-1 in practice.
            Err(_) => value.iter().try_for_each(|byte| put(char::from(*byte))),
        },
        _ => Err(fmt::Error),
    }
}

/// A line of text of bounded length.
pub struct Line {
    bytes: [u8; LINE_BYTES],
    len: usize,
}

impl Line {
    /// An empty one.
    pub fn new() -> Self {
        Self { bytes: [0; LINE_BYTES], len: 0 }
    }

    /// What was written.
    pub fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The values that lie side by side in some bytes. Ends at the first that cannot be read.
#[derive(Clone)]
struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    fn next(&mut self) -> Option<(Tag, &'a [u8])> {
        // What cannot be read ends it for good.
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() {
            return None;
        }
        let (tag, length, rest) = plain_header(bytes).or_else(|| any_header(bytes))?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    fn expect(&mut self, expected: Tag) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == expected).map(|(_, value)| value)
    }
}

/// A tag of one byte and a length of up to three, as DER writes them, and what follows. `None`: [`any_header`] knows.
#[inline]
fn plain_header(bytes: &[u8]) -> Option<(Tag, usize, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let tag = match tag {
        0x01 => Tag::Boolean,
        0x02 => Tag::Integer,
        0x03 => Tag::BitString,
        0x04 => Tag::OctetString,
        0x06 => Tag::ObjectIdentifier,
        0x0C => Tag::Utf8String,
        0x13 => Tag::PrintableString,
        0x16 => Tag::Ia5String,
        0x17 => Tag::UtcTime,
        0x30 => Tag::Sequence,
        0x31 => Tag::Set,
        0x80..=0x9E => context(u32::from(tag & 0x1F), false),
        0xA0..=0xBE => context(u32::from(tag & 0x1F), true),
        _ => return None,
    };
    match rest {
        [length @ 0..=0x7F, rest @ ..] => Some((tag, usize::from(*length), rest)),
        [0x81, length @ 0x80..=0xFF, rest @ ..] => Some((tag, usize::from(*length), rest)),
        [0x82, high @ 1..=0xFF, low, rest @ ..] => Some((tag, usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => None,
    }
}

/// Any tag and length, and what follows.
#[cold]
fn any_header(bytes: &[u8]) -> Option<(Tag, usize, &[u8])> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    let rest = bytes.get(usize::try_from(reader.position()).ok()?..)?;
    Some((header.tag(), usize::try_from(header.length()).ok()?, rest))
}

fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: TagNumber(number) }
}

/// More than any real name takes.
const LINE_BYTES: usize = 1024;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Object identifiers of attributes and the words for them (RFC 4519, RFC 2985).
const KEYS: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 17], "postalCode"),
    (&[0x55, 4, 42], "GN"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
];

#[cfg(test)]
mod tests;
