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
    /// A name that is only made into text when it may matter.
    Name(&'a EncodedName<'a>),
    /// The next bytes of a file, decoded, to be looked through for byte signatures and rules. One file after the other in a lane of a
    /// direction of a flow: offset 0 begins another one.
    Piece {
        /// The bytes.
        bytes: &'a [u8],
        /// Where they lie in the file.
        offset: u64,
        /// Tells files apart that a direction carries at once; 0 where it carries one.
        lane: u8,
        /// They lie in the stream as they are, where byte signatures are looked for: here only rules are.
        in_stream: bool,
        /// The file ends with them.
        is_last: bool,
    },
    /// A file comes over another connection. It is no value that an indicator may name: whoever sees the file may ask what it is called.
    Elsewhere(&'a Elsewhere<'a>),
}

/// A connection that is to carry a file between the ends of this one, or of one of them and a third.
#[derive(Clone, Copy)]
pub struct Elsewhere<'a> {
    /// Whether the end that these bytes come from waits for the connection; else the other one does.
    pub waits_here: bool,
    /// Where it waits: an address if the protocol says one.
    pub host: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// What the file is called, without its path; empty if what comes is no file with a name.
    pub name: &'a [u8],
    /// The command that asks for it.
    pub action: &'static str,
}

/// A domain name in the form that its protocol has, well-formed.
#[derive(Clone, Copy)]
pub struct EncodedName<'a> {
    /// Its last label and the one before (empty if there is none). Those of ASCII are as in its text, but for the case of letters and
    /// but for bytes that its text escapes: no indicator has a backslash, so none is such a label, written either way.
    pub ends: [&'a [u8]; 2],
    /// All of it.
    pub whole: &'a dyn Spelled,
}

impl EncodedName<'_> {
    /// Its text, without a dot at its end.
    pub fn text<'t>(&self, buffer: &'t mut [u8; MAX_NAME_TEXT_BYTES]) -> &'t [u8] {
        self.whole.text(buffer)
    }
}

/// What can be made into text.
pub trait Spelled {
    /// See [`EncodedName::text`].
    fn text<'t>(&self, buffer: &'t mut [u8; MAX_NAME_TEXT_BYTES]) -> &'t [u8];
}

/// Text of any name: every byte of the longest one (RFC 1035 section 2.3.4) escaped as `\DDD`.
pub const MAX_NAME_TEXT_BYTES: usize = 4 * 255;

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
    /// Text that costs more than a look-up: made only when an alert is raised. Nothing is left out.
    Made(&'a dyn Fn() -> Vec<u8>),
    /// Not one field but several, that are made only when somebody reads them ([`Observable::each_field`]); the path is none.
    Several(&'a dyn Fields),
}

/// Fields that are made when somebody reads them.
pub trait Fields {
    /// Calls `read` with each, in the order of the alert.
    fn each(&self, read: &mut dyn FnMut(&Field<'_>));
}

impl Observable<'_> {
    /// Calls `read` with each field that goes with it.
    pub fn each_field(&self, read: &mut dyn FnMut(&Field<'_>)) {
        self.with.iter().for_each(|field| match field.value {
            FieldValue::Several(fields) => fields.each(read),
            _ => read(field),
        });
    }
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

    /// A text field that is made when it is needed.
    pub fn made(path: &'static str, make: &'a dyn Fn() -> Vec<u8>) -> Self {
        Self { path: Where(path), value: FieldValue::Made(make) }
    }

    /// Several fields that are made when somebody reads them.
    #[inline]
    pub fn several(fields: &'a dyn Fields) -> Self {
        Self { path: Where(""), value: FieldValue::Several(fields) }
    }

    /// A numeric field.
    pub fn number(path: &'static str, value: u64) -> Self {
        Self { path: Where(path), value: FieldValue::Number(value) }
    }
}

/// Called for every observable while its bytes are still borrowed.
pub type Seen<'s> = &'s mut dyn FnMut(Observable<'_>);
