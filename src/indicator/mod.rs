//! The vocabulary that feeds, parsers and the matcher share: what an indicator is ([`Draft`] as read, [`Indicator`] as
//! kept), what traffic shows ([`Observable`]), and the kinds of both ([`KINDS`]).
//!
//! It holds values, never decides whether one matches, and never prints one: `Debug` here shows ids only.
//! To add a kind: one file in `kind/`, its `mod` line, one line in [`KINDS`] (ARCHITECTURE.md, "Adding one").

mod condition;
mod context;
pub mod ics;
pub mod kind;
pub mod lists;
mod observable;
pub mod rule;
mod store;
mod wants;

pub use condition::{Condition, Named, PROTOCOLS, Sighting};
pub use context::{About, Context, ContextRef};
pub use kind::{Index, KINDS, Kind};
pub use observable::{
    Elsewhere, EncodedName, Field, FieldValue, Fields, MAX_NAME_TEXT_BYTES, Observable, Seen, Spelled, Value, Where,
};
pub use store::{Added, IndicatorSet, Settled};
pub use wants::{Digest, Wants};

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::marking::Rule;
use crate::time::Timestamp;

/// Position of an indicator in its [`IndicatorSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndicatorIx(pub u32);

/// Position of a [`Context`] in its [`IndicatorSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContextIx(pub u32);

/// How far a value reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Match {
    /// The value itself.
    Exact,
    /// A name and everything below it.
    Subtree,
    /// A URL and everything below its path.
    Prefix,
}

/// Layer-4 protocol that an indicator is limited to, or that an observable was seen over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// None: straight in an Ethernet frame. No feed can name it.
    Ethernet,
}

/// When an indicator is valid: `from <= packet time < until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// First instant.
    pub from: Timestamp,
    /// First instant after; [`Timestamp::MAX`] for no end.
    pub until: Timestamp,
}

impl Window {
    /// Valid at any time.
    pub const ALWAYS: Self = Self { from: Timestamp::ZERO, until: Timestamp::MAX };

    /// Whether `at` lies in the window.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && (at < self.until || self.until == Timestamp::MAX)
    }
}

/// What limits a byte signature beyond its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Pattern {
    /// ASCII letters match either case.
    pub nocase: bool,
    /// The match starts at this offset of the datagram or stream direction, or later.
    pub offset: Option<u32>,
    /// The match ends within `offset + depth` bytes (Suricata's meaning).
    pub depth: Option<u32>,
    /// Port of the originator.
    pub source_port: Option<u16>,
}

impl Pattern {
    /// No limits.
    pub const NONE: Self = Self { nocase: false, offset: None, depth: None, source_port: None };
}

/// One entry as a feed reader hands it to [`IndicatorSet::add`]: not yet normalised, borrowed from the line.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// What it is.
    pub kind: &'static Kind,
    /// The value as written; for byte signatures the decoded bytes.
    pub value: &'a [u8],
    /// The feed's own id, if it has one.
    pub id: Option<&'a str>,
    /// How far it reaches; `None` for the kind's default.
    pub matching: Option<Match>,
    /// Port of the end that has the address (addresses), or of the responder (byte signatures).
    pub port: Option<u16>,
    /// Only over this transport.
    pub transport: Option<Transport>,
    /// Limits of a byte signature.
    pub pattern: Pattern,
    /// What must hold besides.
    pub when: Option<&'a Condition>,
    /// What a rule asks, of which the value is the text.
    pub rule: Option<&'a rule::Rule>,
    /// Validity.
    pub window: Window,
    /// From [`IndicatorSet::context`].
    pub context: ContextIx,
    /// 1-based line of the feed.
    pub line: u32,
}

impl<'a> Draft<'a> {
    /// An unlimited entry without an id.
    pub fn new(kind: &'static Kind, value: &'a [u8], context: ContextIx, line: u32) -> Self {
        Self {
            kind,
            value,
            id: None,
            matching: None,
            port: None,
            transport: None,
            pattern: Pattern::default(),
            when: None,
            rule: None,
            window: Window::ALWAYS,
            context,
            line,
        }
    }
}

/// A kept indicator, viewed in its set. `value` is normalised: see [`Kind::normalise`] for the form.
#[derive(Clone, Copy)]
pub struct Indicator<'a> {
    /// Where it is.
    pub ix: IndicatorIx,
    /// What it is.
    pub kind: &'static Kind,
    /// Normalised value.
    pub value: &'a [u8],
    /// How far it reaches.
    pub matching: Match,
    /// Port of the end that has the address, or of the responder (byte signatures).
    pub port: Option<u16>,
    /// Only over this transport.
    pub transport: Option<Transport>,
    /// Limits of a byte signature.
    pub pattern: Pattern,
    /// What must hold besides. The matcher does not judge it: it is to be asked of a hit.
    pub when: Option<&'a Condition>,
    /// What a rule asks.
    pub rule: Option<&'a rule::Rule>,
    /// Validity.
    pub window: Window,
    explicit_id: Option<&'a str>,
}

impl<'a> Indicator<'a> {
    /// The feed's id, or one derived from kind and value that stays the same from run to run.
    pub fn id(&self) -> Cow<'a, str> {
        match self.explicit_id {
            Some(id) => Cow::Borrowed(id),
            None => Cow::Owned(store::derived_id(self)),
        }
    }

    /// A number that the same indicator has in every set of this process, whenever it is valid, and that no other one has but by
    /// a chance of one in 2^64.
    pub fn likeness(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.kind.name.hash(&mut hasher);
        self.value.hash(&mut hasher);
        (self.matching, self.port, self.transport, self.pattern, self.when, self.explicit_id).hash(&mut hasher);
        hasher.finish()
    }

    /// The feed's id, if it gave one.
    pub fn given_id(&self) -> Option<&'a str> {
        self.explicit_id
    }
}

impl fmt::Debug for Indicator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indicator").field("kind", &self.kind.name).field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Why an entry was not loaded. Its text never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing where the value should be.
    #[error("empty value")]
    Empty,
    /// Longer than the kind allows.
    #[error("value too long")]
    TooLong,
    /// Not an address or network.
    #[error("not an address or network")]
    BadAddress,
    /// Not a name.
    #[error("not a domain name")]
    BadName,
    /// Not a mail address.
    #[error("not a mail address")]
    BadMailAddress,
    /// Not a URL.
    #[error("not a URL")]
    BadUrl,
    /// Not the digest or fingerprint its kind says.
    #[error("not a fingerprint of this kind")]
    BadFingerprint,
    /// Not a function or station of a control-system protocol.
    #[error("not a function of a control-system protocol that is known")]
    BadFunction,
    /// A condition that cannot be read, or that can never hold.
    #[error("a condition (picket.when) cannot be read or can never hold")]
    BadCondition,
    /// A path, or nothing that can be a file's name.
    #[error("not a file name (without its path)")]
    BadFileName,
    /// A pattern or rule that is not of its language.
    #[error("a pattern that is not of its language")]
    BadExpression,
    /// A byte signature that cannot be read.
    #[error("not a byte signature")]
    BadPattern,
    /// A port, time, marking or other field that cannot be read.
    #[error("a field cannot be read")]
    BadField,
    /// The line is not what the format says.
    #[error("malformed line")]
    Malformed,
    /// No kind of this name.
    #[error("unknown indicator type")]
    UnknownKind,
    /// Nothing that a plain list can hold.
    #[error("value of no recognisable kind")]
    Unrecognised,
    /// Marked by another nation or jointly, with rules that the marking lattice does not hold.
    #[error("marking of another nation or a joint one (//JOINT, //FGI, //DEU ..): quarantined")]
    ForeignMarking,
    /// The sensor's clearance does not let it hold what is marked so.
    #[error("marking: {0}")]
    NotCleared(Rule),
    /// Its own feed says not to match it.
    #[error("its feed says not to match it (whitelisted, removed, or not for detection)")]
    Withdrawn,
    /// It uses something of its format that Picket does not honour; the word names it and is never from the feed. Honouring
    /// the rest would match more, or less, than its author meant.
    #[error("not honoured: {0}")]
    Unsupported(&'static str),
    /// The set is full.
    #[error("too many indicators")]
    Full,
    /// Dangerous: would match a registry's whole zone.
    #[error("public suffix (would match a whole registry; --force loads it)")]
    PublicSuffix,
    /// Dangerous: would match everything.
    #[error("default route or a network wider than /8 (IPv4) or /16 (IPv6) (--force loads it)")]
    WideNetwork,
    /// Unusable: never on a network.
    #[error("loopback, unspecified or broadcast address (--force loads it)")]
    SpecialAddress,
    /// Dangerous: would match all the time.
    #[error("byte signature under 4 bytes and not anchored by a depth (--force loads it)")]
    ShortPattern,
    /// Dangerous: would match every conversation.
    #[error("a rule of a header alone that is any to any (--force loads it)")]
    BroadRule,
}

impl Refusal {
    /// A short word for it that stays the same, for reports in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::BadAddress => "bad_address",
            Self::BadName => "bad_name",
            Self::BadUrl => "bad_url",
            Self::BadMailAddress => "bad_mail_address",
            Self::BadFingerprint => "bad_fingerprint",
            Self::BadFunction => "bad_function",
            Self::BadCondition => "bad_condition",
            Self::BadFileName => "bad_file_name",
            Self::BadExpression => "bad_expression",
            Self::BadPattern => "bad_pattern",
            Self::BadField => "bad_field",
            Self::Malformed => "malformed",
            Self::UnknownKind => "unknown_kind",
            Self::Unrecognised => "unrecognised",
            Self::ForeignMarking => "foreign_marking",
            Self::NotCleared(rule) => rule.code(),
            Self::Withdrawn => "withdrawn",
            Self::Unsupported(_) => "unsupported",
            Self::Full => "full",
            Self::PublicSuffix => "public_suffix",
            Self::WideNetwork => "wide_network",
            Self::SpecialAddress => "special_address",
            Self::ShortPattern => "short_pattern",
            Self::BroadRule => "broad_rule",
        }
    }

    /// Whether `--force` overrides it.
    pub fn is_dangerous(self) -> bool {
        matches!(
            self,
            Self::PublicSuffix | Self::WideNetwork | Self::SpecialAddress | Self::ShortPattern | Self::BroadRule
        )
    }
}

impl serde::Serialize for Refusal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unsupported(what) => serializer.collect_str(&format_args!("{}: {what}", self.code())),
            _ => serializer.serialize_str(self.code()),
        }
    }
}
