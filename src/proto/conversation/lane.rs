//! [`Lanes`]: how the bytes of each direction are being read. A lane is all that the conversation keeps of a direction but the session.

use super::MAX_PROBES;
use crate::flow::{Direction, Held};
use crate::proto::Unread;

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) to_responder: Lane,
    pub(super) to_originator: Lane,
}

/// How one direction's bytes are being read.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) held: Option<Box<Held>>,
    /// Bytes to step over before the parser is offered any.
    pub(super) skip_bytes: u64,
    /// Bytes the parser wants before it is called again.
    pub(super) need_bytes: u32,
    pub(super) probes: u16,
    pub(super) mode: Mode,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Probing,
    Parsing,
    Done,
}

impl Lanes {
    #[inline]
    pub(super) fn get(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::ToResponder => &self.to_responder,
            Direction::ToOriginator => &self.to_originator,
        }
    }

    #[inline]
    pub(super) fn of(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::ToResponder => &mut self.to_responder,
            Direction::ToOriginator => &mut self.to_originator,
        }
    }

    /// Whether no byte of either direction was looked at.
    #[inline]
    pub(super) fn is_new(&self) -> bool {
        [&self.to_responder, &self.to_originator]
            .iter()
            .all(|lane| lane.mode == Mode::Probing && lane.probes == 0 && lane.held.is_none())
    }

    pub(super) fn both(&mut self) -> [&mut Lane; 2] {
        [&mut self.to_responder, &mut self.to_originator]
    }
}

impl Lane {
    /// See [`super::Conversation::renew`].
    #[inline]
    pub(super) fn renew(&mut self) {
        self.held = None;
        self.skip_bytes = 0;
        self.need_bytes = 0;
        self.probes = 0;
        self.mode = Mode::Probing;
    }

    /// Whether the next bytes are the parser's at once.
    #[inline]
    pub(super) fn is_at_parser(&self) -> bool {
        self.mode == Mode::Parsing && self.held.is_none() && self.skip_bytes == 0
    }

    pub(super) fn begin(&mut self, unread: &mut dyn FnMut(Unread)) {
        self.mode = Mode::Parsing;
        if std::mem::take(&mut self.probes) > 0 {
            unread(Unread::RecognisedLater);
        }
    }

    pub(super) fn count_probe(&mut self, unread: &mut dyn FnMut(Unread)) {
        self.probes += 1;
        if self.probes == 1 {
            unread(Unread::NotRecognised);
        }
        if self.probes >= MAX_PROBES {
            self.mode = Mode::Done;
        }
    }
}
