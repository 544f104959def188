//! In-order bytes to observables: one file a protocol, one line each in `protocols!`.
//!
//! A parser is offered the bytes of one direction as they become contiguous (TCP), or one datagram at a time (UDP). It calls
//! [`Seen`] for what it sees and never learns that a matcher exists. It is bounded, never panics and allocates nothing for
//! a message that needs no decoding. What it cannot make sense of it says ([`Progress::Stopped`]); that is counted.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

pub mod http;

use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// What a parser knows of the bytes besides the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// TCP (a stream) or UDP (a datagram).
    pub transport: Transport,
    /// Port of this packet's sender.
    pub source_port: u16,
    /// Port of this packet's receiver.
    pub destination_port: u16,
}

impl Hint {
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

    /// Whether `data`, the first bytes seen of a direction (or the first after a gap), is this protocol.
    fn probe(data: &[u8], hint: &Hint) -> Probe;

    /// Looks at the next bytes of a direction, or at one datagram (whose leftovers are dropped).
    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress;

    /// `data`, offered before and not consumed, will never be completed: a gap follows, or the flow ends. A parser may look
    /// at what of it is whole.
    fn cut(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) {
        let _ = (direction, data, hint, seen);
    }

    /// Bytes of this direction are missing: the next offered ones follow a gap. The default has them probed anew.
    fn gap(&mut self, direction: Direction, missing_bytes: u64) -> AfterGap {
        let _ = (direction, missing_bytes);
        AfterGap::Probe
    }
}

/// What to do with the bytes after a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterGap {
    /// Go on offering: the parser knows where it is.
    Continue,
    /// Offer segment starts to `probe` until one fits.
    Probe,
}
