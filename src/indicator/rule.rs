//! [`Rule`]: what a rule of a rule language asks of traffic, whatever the language: which conversations it speaks of ([`Ends`])
//! and what must be in one message, or in the bytes of a stream or file ([`Body`]); a rule may also ask for no more than a packet of such
//! a conversation ([`Header`]).
//!
//! It holds the question and never answers it: that is the matcher's. Everything in it is an indicator's value: `Debug` shows nothing.

mod ends;
mod header;

use std::fmt;
use std::sync::Arc;

use super::Digest;
use super::lists::Values;

pub use ends::{Ends, Flowing, Networks, Ports, Side, Thought, mapped, mask};
pub use header::{Flags, Header, Key, Passing, Subject, turning};

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which conversations, and which way.
    pub ends: Ends,
    /// What must be there.
    pub body: Body,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule(..)")
    }
}

/// What must be there.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// All of these in one message: so they are of one transaction.
    Message(Box<[Buffer]>),
    /// These in the bytes of one direction of a stream, or of one file.
    Bytes {
        /// Of which.
        scope: Scope,
        /// What is looked for.
        parts: Box<[Part]>,
        /// Which of it must be found.
        needs: Formula,
    },
    /// Nothing but a packet.
    Header(Header),
}

/// Which bytes, that come piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A direction of a TCP stream.
    Stream,
    /// A file's decoded content.
    Content,
}

/// A value of a message and what is asked of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Buffer {
    /// Which.
    pub place: Place,
    /// What is done with it first.
    pub form: Form,
    /// All must hold, in this order.
    pub steps: Box<[Step]>,
    /// Its length must be one of these, if there are any.
    pub lengths: Box<[(u32, u32)]>,
}

/// The values of messages that rules may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A datagram's payload.
    Datagram,
    /// A name that is asked for.
    DnsQuery,
    /// The server's name of a TLS hello.
    TlsSni,
    /// The client's JA3.
    Ja3,
    /// The client's JA4.
    Ja4,
    /// The server's JA3S.
    Ja3s,
    /// An SSH client's HASSH.
    Hassh,
    /// An SSH server's.
    HasshServer,
    /// The method of an HTTP request.
    HttpMethod,
    /// Path and query of its target, with what is encoded in it undone.
    HttpUri,
    /// Its target as it is.
    HttpUriRaw,
    /// Its host in lower case, without the port.
    HttpHost,
    /// Its user-agent.
    HttpUserAgent,
    /// Its `Referer`.
    HttpReferer,
    /// The status of an HTTP response.
    HttpStatus,
    /// Its `Location`.
    HttpLocation,
}

/// Messages that have several [`Place`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A datagram.
    Datagram,
    /// A DNS query.
    DnsQuery,
    /// A TLS ClientHello.
    ClientHello,
    /// A TLS ServerHello.
    ServerHello,
    /// What an SSH client says that it can do.
    SshClient,
    /// What a server does.
    SshServer,
    /// The head of an HTTP request.
    HttpRequest,
    /// The head of a response.
    HttpResponse,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Datagram,
        Self::DnsQuery,
        Self::TlsSni,
        Self::Ja3,
        Self::Ja4,
        Self::Ja3s,
        Self::Hassh,
        Self::HasshServer,
        Self::HttpMethod,
        Self::HttpUri,
        Self::HttpUriRaw,
        Self::HttpHost,
        Self::HttpUserAgent,
        Self::HttpReferer,
        Self::HttpStatus,
        Self::HttpLocation,
    ];

    /// The field that shows it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Datagram => "picket.payload",
            Self::DnsQuery => "dns.question.name",
            Self::TlsSni => "tls.client.server_name",
            Self::Ja3 => "tls.client.ja3",
            Self::Ja4 => "tls.client.ja4",
            Self::Ja3s => "tls.server.ja3s",
            Self::Hassh => "ssh.client.hassh",
            Self::HasshServer => "ssh.server.hassh",
            Self::HttpMethod => "http.request.method",
            Self::HttpUri | Self::HttpUriRaw => "http.request.target",
            Self::HttpHost => "url.domain",
            Self::HttpUserAgent => "user_agent.original",
            Self::HttpReferer => "http.request.referrer",
            Self::HttpStatus => "http.response.status_code",
            Self::HttpLocation => "http.response.headers.location",
        }
    }

    /// The message that it is of.
    pub fn message(self) -> Message {
        match self {
            Self::Datagram => Message::Datagram,
            Self::DnsQuery => Message::DnsQuery,
            Self::TlsSni | Self::Ja3 | Self::Ja4 => Message::ClientHello,
            Self::Ja3s => Message::ServerHello,
            Self::Hassh => Message::SshClient,
            Self::HasshServer => Message::SshServer,
            Self::HttpMethod
            | Self::HttpUri
            | Self::HttpUriRaw
            | Self::HttpHost
            | Self::HttpUserAgent
            | Self::HttpReferer => Message::HttpRequest,
            Self::HttpStatus | Self::HttpLocation => Message::HttpResponse,
        }
    }
}

impl Message {
    /// Which way it goes, if it can only go one.
    pub fn to_responder(self) -> Option<bool> {
        match self {
            Self::Datagram => None,
            Self::DnsQuery | Self::ClientHello | Self::SshClient | Self::HttpRequest => Some(true),
            Self::ServerHello | Self::SshServer | Self::HttpResponse => Some(false),
        }
    }
}

/// What is done with a value before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// ASCII letters become lower case.
    pub lowercase: bool,
    /// A dot is put before it.
    pub dotprefix: bool,
    /// In the end its digest takes its place.
    pub digest: Option<Digest>,
}

/// One thing that must hold of a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Bytes are there, or not.
    Find(Content),
    /// There are bytes up to here: so many from the start, or after the last match.
    DataAt {
        /// How many bytes there must be.
        bytes: u32,
        /// From the last match on.
        relative: bool,
        /// There must not be.
        negated: bool,
    },
    /// The whole value is on a list, or not.
    Listed {
        /// The list.
        list: Arc<Values>,
        /// It must not be.
        negated: bool,
    },
}

/// Bytes and where they may lie.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub bytes: Box<[u8]>,
    /// Of each byte, the bits that count; all, if it is empty.
    pub mask: Box<[u8]>,
    /// ASCII letters match either case.
    pub nocase: bool,
    /// They must not be there.
    pub negated: bool,
    /// They end where the value does.
    pub ends: bool,
    /// Where they may lie.
    pub range: Range,
}

/// Where bytes may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// From the start: they begin at `offset` or later and end within `depth` bytes of it.
    Start {
        /// First position.
        offset: u32,
        /// How many bytes from there.
        depth: Option<u32>,
    },
    /// After the end of the match before (the start, if there is none): they begin `distance` bytes from it or later, and end
    /// within `within` bytes of that.
    After {
        /// How many bytes are left out; may go back.
        distance: i32,
        /// How many bytes from there.
        within: Option<u32>,
    },
}

impl Range {
    /// Anywhere.
    pub const ANYWHERE: Self = Self::Start { offset: 0, depth: None };
}

/// Bytes close together: what the contents of one chain span is bounded. The first content's range is from the start, each further
/// one's after the one before and bounded.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The chain.
    pub chain: Box<[Content]>,
    /// It begins so many bytes after the end of another part, or later: the part's number and the distance.
    pub after: Option<(u32, u32)>,
    /// No letter or digit stands before or behind it; with zero bytes between letters if it is `wide`.
    pub fullword: Option<Word>,
}

impl Part {
    /// How many bytes before the start of the content at `place` the part may begin, and how many from that start on it may
    /// end, at most; `None` if nothing bounds it.
    pub fn reach(&self, place: usize) -> Option<(u32, u32)> {
        // Earliest start, earliest end and latest end of each content, from the start of the first.
        let mut spans: Vec<(i64, i64, i64)> = Vec::with_capacity(self.chain.len());
        for content in &self.chain {
            let length = content.bytes.len() as i64;
            spans.push(match (spans.last(), content.range) {
                (None, _) => (0, length, length),
                (Some(&(_, first, last)), Range::After { distance, within: Some(within) }) => {
                    let start = first + i64::from(distance);
                    (start, start + length, last + i64::from(distance) + i64::from(within))
                }
                (Some(_), _) => return None,
            });
        }
        let low = spans.iter().map(|span| span.0).min()?;
        let high = spans.iter().map(|span| span.2).max()?;
        let &(start, _, end) = spans.get(place)?;
        let latest = end - self.chain.get(place)?.bytes.len() as i64;
        Some((u32::try_from(latest - low).ok()?, u32::try_from(high - start).ok()?))
    }
}

/// How letters are written where whole words are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// One byte each.
    Narrow,
    /// A byte and a zero byte each.
    Wide,
}

/// Which parts must be found. Nothing in it becomes false again once it is true.
#[derive(Clone, PartialEq, Eq)]
pub enum Formula {
    /// This part.
    Part(u32),
    /// So many of these.
    AtLeast(u32, Box<[Formula]>),
}

impl Formula {
    /// Whether it holds where `found` tells of each part.
    pub fn holds(&self, found: &impl Fn(u32) -> bool) -> bool {
        match self {
            Self::Part(part) => found(*part),
            Self::AtLeast(count, of) => {
                let wanted = *count as usize;
                of.iter().filter(|one| one.holds(found)).take(wanted).count() == wanted
            }
        }
    }

    /// All of them.
    pub fn all(of: Vec<Self>) -> Self {
        Self::AtLeast(of.len() as u32, of.into())
    }

    /// One of them.
    pub fn any(of: Vec<Self>) -> Self {
        Self::AtLeast(1, of.into())
    }
}

/// What one [`Part`] may span at most: as many bytes are kept of every direction that rules look through.
pub const MAX_SPAN_BYTES: u32 = 1024;
