//! [`Observable`]: something traffic shows that an indicator may name, borrowed from the packet.

use std::net::IpAddr;

use super::{Kind, Transport};

/// Where a value was seen: an Elastic Common Schema field path such as `dns.question.name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Where(pub &'static str);

/// One observed value. Lives as long as the packet's bytes.
#[derive(Clone, Copy)]
pub struct Observable<'a> {
    /// What it is.
    pub kind: &'static Kind,
    /// The value as seen, not normalised.
    pub value: Value<'a>,
    /// Where it was seen.
    pub at: Where,
    /// What else the parser knows of the same message, for the alert.
    pub with: &'a [Field<'a>],
}

/// An observed value.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// An address.
    Addr(IpAddr),
    /// An address with the port and transport of that end.
    Endpoint(IpAddr, u16, Option<Transport>),
    /// A name, URL, fingerprint, ... as bytes: traffic need not be UTF-8.
    Text(&'a [u8]),
    /// The next bytes of a file, decoded, to be looked through for byte signatures and rules. One file after the other in a direction
    /// of a flow: offset 0 begins another one.
    Piece {
        /// The bytes.
        bytes: &'a [u8],
        /// Where they lie in the file.
        offset: u64,
        /// They lie in the stream as they are, where byte signatures are looked for: here only rules are.
        in_stream: bool,
        /// The file ends with them.
        is_last: bool,
    },
}

/// A field of the alert: an Elastic Common Schema path and its value.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The path.
    pub path: Where,
    /// The value.
    pub value: FieldValue<'a>,
}

/// The value of a [`Field`].
#[derive(Clone, Copy)]
pub enum FieldValue<'a> {
    /// Text from traffic, not escaped yet.
    Text(&'a [u8]),
    /// A word of ours.
    Word(&'static str),
    /// A number.
    Number(u64),
}

impl<'a> Field<'a> {
    /// A text field.
    pub fn text(path: &'static str, value: &'a [u8]) -> Self {
        Self { path: Where(path), value: FieldValue::Text(value) }
    }

    /// A field whose value is one of ours.
    pub fn word(path: &'static str, value: &'static str) -> Self {
        Self { path: Where(path), value: FieldValue::Word(value) }
    }

    /// A numeric field.
    pub fn number(path: &'static str, value: u64) -> Self {
        Self { path: Where(path), value: FieldValue::Number(value) }
    }
}

/// Called for every observable while its bytes are still borrowed.
pub type Seen<'s> = &'s mut dyn FnMut(Observable<'_>);
