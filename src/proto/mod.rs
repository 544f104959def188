//! In-order bytes to observables: one file a protocol, one line each in `protocols!`.
//!
//! A parser is offered the bytes of one direction as they become contiguous (TCP), or one datagram at a time (UDP). It calls
//! [`Seen`] for what it sees and never learns that a matcher exists. It is bounded, never panics and allocates nothing for
//! a message that needs no decoding. What it cannot make sense of it says ([`Progress::Stopped`], [`Progress::Damaged`]);
//! that is counted.
//!
//! A flow holds one [`Session`]. To add a protocol: one file with a [`Parser`], its `mod` line, one line in `protocols!`.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic))]

mod certificates;
pub mod client_hello;
pub mod coding;
mod conversation;
pub mod dns;
pub mod dtls;
pub mod file;
pub mod ftp;
mod handshake;
pub mod http;
pub mod http2;
pub mod ics;
pub mod imap;
pub mod ja3;
pub mod ja4;
pub mod ldap;
mod mail;
pub mod mysql;
pub mod openflow;
pub mod openvpn;
pub mod pop3;
pub mod postgresql;
mod protocols;
pub mod quic;
pub mod server_hello;
pub mod smtp;
pub mod ssh;
mod starts;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;
mod unread;
mod whole;
pub mod x509;

pub use conversation::{Conversation, MAX_PROBES, Reading};
pub use protocols::{Protocols, UnknownProtocol};
pub use starts::Starts;
pub use unread::Unread;

use std::fmt;

use crate::flow::Direction;
use crate::indicator::{Seen, Transport, Wants};

/// What a parser knows of the bytes besides the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// TCP (a stream), UDP (a datagram) or Ethernet (what lies straight in a frame; one port is its EtherType).
    pub transport: Transport,
    /// Port of this packet's sender.
    pub source_port: u16,
    /// Port of this packet's receiver.
    pub destination_port: u16,
    /// Which kinds somebody looks for: asked before work that costs more than looking a value up.
    pub wants: Wants,
    /// Which protocols are looked for. What is not is nobody's.
    pub protocols: Protocols,
}

impl Hint {
    /// Of bytes that may be any protocol's.
    pub const fn new(transport: Transport, source_port: u16, destination_port: u16, wants: Wants) -> Self {
        Self { transport, source_port, destination_port, wants, protocols: Protocols::ALL }
    }

    /// Whether either end uses `port`.
    pub fn uses(&self, port: u16) -> bool {
        self.source_port == port || self.destination_port == port
    }
}

/// Whether bytes are a parser's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// No.
    No,
    /// Not enough bytes to say (streams only).
    Unsure,
    /// Yes.
    Yes,
}

/// What a parser did with the bytes offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The first so many bytes are done with. The rest is offered again, with what follows, once there are at least
    /// `need` bytes (counted from the first byte not consumed); 0 or 1 for any.
    Consumed {
        /// Bytes done with.
        bytes: usize,
        /// Bytes wanted next time.
        need: usize,
    },
    /// As `Consumed`, but a part of these bytes made no sense (a message whose framing held): what came before the damage
    /// was seen, and parsing goes on after it. The reason is counted. The only way a damaged datagram is reported by a
    /// parser that wants the next one.
    Damaged {
        /// Bytes done with.
        bytes: usize,
        /// Bytes wanted next time.
        need: usize,
        /// What was wrong.
        reason: &'static str,
    },
    /// The next so many bytes of this direction are of no interest and may be skipped without being offered (a body). May
    /// exceed what was offered; missing bytes among them are no gap.
    Skip(u64),
    /// The first so many bytes are done with; what follows, in both directions of this flow, may be another protocol (a
    /// tunnel, an upgrade, lost framing): the flow is probed anew.
    Reprobe(usize),
    /// Nothing more of this direction is of interest.
    DoneDirection,
    /// Nothing more of this flow is of interest.
    Done,
    /// The bytes make no sense, or a cap was reached: this direction is not parsed further. The reason is counted.
    Stopped(&'static str),
}

/// One protocol.
pub trait Parser: Default {
    /// `network.protocol`.
    const NAME: &'static str;
    /// Bytes of one message that may be held back while it is incomplete.
    const MAX_PENDING_BYTES: usize;
    /// Whether what follows the part that is parsed is encrypted.
    const ENCRYPTS: bool = false;
    /// Whether it lies straight in Ethernet frames, and nowhere else.
    const IN_FRAMES: bool = false;
    /// First bytes of a stream or datagram with which [`Parser::probe`] may say anything but no.
    const STARTS: Starts = Starts::ANY;

    /// Whether `data`, the first bytes seen of a direction (or the first after a gap), is this protocol.
    fn probe(data: &[u8], hint: &Hint) -> Probe;

    /// The same where the flow is already known to be this protocol: the first bytes of its other direction, or those after
    /// a gap. May believe bytes that alone prove nothing.
    fn probe_known(data: &[u8], hint: &Hint) -> Probe {
        Self::probe(data, hint)
    }

    /// Looks at the next bytes of a direction, or at one datagram (whose leftovers are dropped).
    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress;

    /// `data`, offered before and not consumed, will probably never be completed: a gap follows, or the sender said that it was
    /// all. A parser may look at what of it is whole. Where the end was forged, the same bytes are offered again with more.
    fn cut(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) {
        let _ = (direction, data, hint, seen);
    }

    /// The sender has ended this direction of a stream (FIN) and all of its bytes were offered. What ends with the connection
    /// is whole now.
    fn end(&mut self, direction: Direction, hint: &Hint, seen: Seen<'_>) {
        let _ = (direction, hint, seen);
    }

    /// Whether [`Parser::account`] has anything to say now: asked after every call, so it must cost nearly nothing.
    #[inline]
    fn accounts(&self) -> bool {
        false
    }

    /// What it has to account for since it was last asked.
    fn account(&mut self) -> Account {
        Account::default()
    }

    /// What is still waited for in a message that came in part, if that is not in bytes held back: counted if the flow ends now.
    fn unfinished(&self) -> Option<&'static str> {
        None
    }

    /// There is no memory for what [`Parser::account`] said: it gives up what it can do without.
    fn shed(&mut self) {}

    /// Bytes of this direction are missing: the next offered ones follow a gap. The default has them probed anew.
    fn gap(&mut self, direction: Direction, missing_bytes: u64) -> AfterGap {
        let _ = (direction, missing_bytes);
        AfterGap::Probe
    }
}

/// What a parser has to account for beside what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// What it has on the heap now that grows with what peers send (decoders, tables); charged to the shard's pool.
    pub memory_bytes: usize,
    /// Files begun since it was last asked. Those that are not [`Account::files_ended`] in the end are counted as incomplete.
    pub files_begun: u32,
    /// Files that came to their end, or were given up for a reason that is said.
    pub files_ended: u32,
    /// Why it gave something up since it was last asked.
    pub lost: Option<&'static str>,
}

/// What to do with the bytes after a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterGap {
    /// Go on offering: the parser knows where it is.
    Continue,
    /// Offer segment starts to `probe` until one fits.
    Probe,
}

/// What the first bytes of a direction, or a datagram, are.
#[derive(Debug)]
pub enum Identified {
    /// No protocol of the table.
    No,
    /// More bytes are needed to say (streams only).
    Unsure,
    /// This one; its session has seen nothing yet: offer it the same bytes.
    Yes(Session),
}

impl Identified {
    /// Whether another answer says the same.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Yes(session), Self::Yes(other)) => session.name() == other.name(),
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

/// From `Variant => parser type,` lines: [`Session`], its single dispatch, and [`Session::identify`], which tries the lines
/// in order that the first byte leaves. A probe must turn down foreign bytes by their first bytes: it runs for the first segments of every flow.
macro_rules! protocols {
    ($($variant:ident => $parser:ty,)+) => {
        /// The protocol state of one flow, inline in its record.
        #[derive(Default)]
        pub enum Session {
            /// Not identified (yet).
            #[default]
            Unknown,
            $(
                #[doc = concat!("[`", stringify!($parser), "`]")]
                $variant($parser),
            )+
        }

        /// Numbers in the order of the lines.
        enum Number {
            $($variant),+
        }

        static STARTS: starts::Table = starts::Table::new()$(
            .with(Number::$variant as u32, &<$parser as Parser>::STARTS)
        )+;

        /// Called through this, so that what one looks at is not looked at for all of them.
        const PROBES: &[fn(&[u8], &Hint) -> Probe] = &[$(<$parser as Parser>::probe),+];

        impl Session {
            /// Every protocol's name.
            pub const NAMES: &'static [&'static str] = &[$(<$parser as Parser>::NAME),+];

            /// Which protocol `data` begins: the first bytes seen of a direction, the first after a gap, or a datagram.
            #[inline]
            pub fn identify(data: &[u8], hint: &Hint) -> Identified {
                if hint.transport == Transport::Ethernet {
                    return Self::identify_in_frame(data, hint);
                }
                let identified = Self::identify_among(STARTS.of(data, hint.transport), data, hint);
                debug_assert!(
                    identified.is(&Self::identify_among(u32::MAX, data, hint)),
                    "a protocol that begins otherwise than it says"
                );
                identified
            }

            /// The same of some protocols: a bit each. One that is not looked for is recognised all the same, or another would take its bytes.
            #[inline]
            fn identify_among(mut protocols: u32, data: &[u8], hint: &Hint) -> Identified {
                let mut unsure = false;
                while protocols != 0 {
                    let number = protocols.trailing_zeros();
                    protocols &= protocols - 1;
                    match PROBES.get(number as usize).map_or(Probe::No, |probe| probe(data, hint)) {
                        Probe::Yes if hint.protocols.has(number) => return Identified::Yes(Self::numbered(number)),
                        Probe::Yes => return Identified::No,
                        Probe::Unsure => unsure = true,
                        Probe::No => {}
                    }
                }
                if unsure { Identified::Unsure } else { Identified::No }
            }

            fn numbered(number: u32) -> Self {
                match number {
                    $(n if n == Number::$variant as u32 => Self::$variant(<$parser>::default()),)+
                    _ => Self::Unknown,
                }
            }

            #[cold]
            fn identify_in_frame(data: &[u8], hint: &Hint) -> Identified {
                $(
                    if <$parser as Parser>::IN_FRAMES
                        && hint.protocols.has(Number::$variant as u32)
                        && <$parser as Parser>::probe(data, hint) == Probe::Yes
                    {
                        return Identified::Yes(Self::$variant(<$parser>::default()));
                    }
                )+
                Identified::No
            }

            /// A session of the same protocol that has seen nothing.
            pub fn fresh(&self) -> Self {
                match self {
                    Self::Unknown => Self::Unknown,
                    $(Self::$variant(_) => Self::$variant(<$parser>::default()),)+
                }
            }

            /// [`Parser::probe_known`] of the session's own protocol, for the other direction's first bytes and those after a gap
            /// ([`AfterGap::Probe`]).
            pub fn probe(&self, data: &[u8], hint: &Hint) -> Probe {
                match self {
                    Self::Unknown => Probe::No,
                    $(Self::$variant(_) => <$parser as Parser>::probe_known(data, hint),)+
                }
            }

            /// [`Parser::parse`] of the session's protocol.
            #[inline(always)]
            pub fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
                match self {
                    Self::Unknown => Progress::Stopped("protocol not identified"),
                    $(Self::$variant(parser) => parser.parse(direction, data, hint, seen),)+
                }
            }

            /// [`Session::parse`] for who does not call it all the time.
            #[inline(never)]
            pub fn parse_further(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
                self.parse(direction, data, hint, seen)
            }

            /// [`Parser::cut`] of the session's protocol.
            pub fn cut(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) {
                match self {
                    Self::Unknown => {}
                    $(Self::$variant(parser) => parser.cut(direction, data, hint, seen),)+
                }
            }

            /// [`Parser::end`] of the session's protocol.
            pub fn end(&mut self, direction: Direction, hint: &Hint, seen: Seen<'_>) {
                match self {
                    Self::Unknown => {}
                    $(Self::$variant(parser) => parser.end(direction, hint, seen),)+
                }
            }

            /// [`Parser::accounts`] of the session's protocol.
            #[inline(always)]
            pub fn accounts(&self) -> bool {
                match self {
                    Self::Unknown => false,
                    $(Self::$variant(parser) => parser.accounts(),)+
                }
            }

            /// [`Parser::account`] of the session's protocol.
            pub fn account(&mut self) -> Account {
                match self {
                    Self::Unknown => Account::default(),
                    $(Self::$variant(parser) => parser.account(),)+
                }
            }

            /// [`Parser::unfinished`] of the session's protocol.
            pub fn unfinished(&self) -> Option<&'static str> {
                match self {
                    Self::Unknown => None,
                    $(Self::$variant(parser) => parser.unfinished(),)+
                }
            }

            /// [`Parser::shed`] of the session's protocol.
            pub fn shed(&mut self) {
                match self {
                    Self::Unknown => {}
                    $(Self::$variant(parser) => parser.shed(),)+
                }
            }

            /// [`Parser::gap`] of the session's protocol.
            pub fn gap(&mut self, direction: Direction, missing_bytes: u64) -> AfterGap {
                match self {
                    Self::Unknown => AfterGap::Probe,
                    $(Self::$variant(parser) => parser.gap(direction, missing_bytes),)+
                }
            }

            /// `network.protocol`; `None` while unknown.
            pub fn name(&self) -> Option<&'static str> {
                match self {
                    Self::Unknown => None,
                    $(Self::$variant(_) => Some(<$parser as Parser>::NAME),)+
                }
            }

            /// [`Parser::ENCRYPTS`] of the session's protocol.
            pub fn encrypts(&self) -> bool {
                match self {
                    Self::Unknown => false,
                    $(Self::$variant(_) => <$parser as Parser>::ENCRYPTS,)+
                }
            }

            /// [`Parser::MAX_PENDING_BYTES`] of the session's protocol; while unknown, of the neediest one.
            pub fn max_pending_bytes(&self) -> usize {
                match self {
                    Self::Unknown => 0usize$(.max(<$parser as Parser>::MAX_PENDING_BYTES))+,
                    $(Self::$variant(_) => <$parser as Parser>::MAX_PENDING_BYTES,)+
                }
            }
        }
    };
}

// In the order tried: what its first byte rules out comes first.
protocols! {
    Tls => tls::Tls,
    Dtls => dtls::Dtls,
    Quic => quic::Quic,
    Http2 => http2::Http2,
    Http => http::Http,
    OpenFlow => openflow::OpenFlow,
    OpenVpn => openvpn::OpenVpn,
    Dns => dns::Dns,
    Ssh => ssh::Ssh,
    Dnp3 => ics::dnp3::Dnp3,
    Iec104 => ics::iec104::Iec104,
    S7comm => ics::s7comm::S7comm,
    S7commPlus => ics::s7comm::S7commPlus,
    Bacnet => ics::bacnet::Bacnet,
    OpcUa => ics::opcua::OpcUa,
    Enip => ics::enip::Enip,
    Modbus => ics::modbus::Modbus,
    ProfinetDcp => ics::profinet::ProfinetDcp,
    Goose => ics::goose::Goose,
    Postgresql => postgresql::Postgresql,
    Ldap => ldap::Ldap,
    Mysql => mysql::Mysql,
    Ftp => ftp::Ftp,
    Smtp => smtp::Smtp,
    Pop3 => pop3::Pop3,
    Imap => imap::Imap,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.name()).finish()
    }
}

/// A session lies inline in each of a million flow records: a parser with more state boxes it.
const MAX_SESSION_BYTES: usize = 64;
const _: () = assert!(size_of::<Session>() <= MAX_SESSION_BYTES);

#[cfg(test)]
mod tests;
