//! [`Conversation`]: what a flow record keeps of layer 7: the protocol's session and, for each direction, how its bytes are
//! being read (a lane).
//!
//! A lane probes until its bytes are recognised, then feeds the session's parser, holding back what the parser could not use
//! yet. It gives up after [`MAX_PROBES`] segment starts, and from then on costs nothing. Bytes come in order and once; what is
//! not looked at is said ([`Unread`]), never dropped in silence.

mod ending;
mod lane;
mod reading;

use self::lane::{Lane, Lanes, Mode};
use super::whole::Whole;
use super::{Account, Hint, Identified, Probe, Progress, Session, Unread};
use crate::flow::{Chunk, Direction, Pool};
use crate::indicator::Seen;

/// Segment starts (or datagrams) of a direction that are probed before it is taken for something nobody here parses. Nearly
/// every protocol shows itself in the first; the rest is for streams picked up in the middle of a message.
pub const MAX_PROBES: u16 = 32;

/// Rounds of bytes beside the stream: a few messages in one segment.
const MAX_ROUNDS_ASIDE: usize = 16;

/// See the module.
#[derive(Default)]
pub struct Conversation {
    session: Session,
    lanes: Lanes,
    /// What of the pool the session's own memory is charged with.
    charged_bytes: u32,
    /// What the flow is while no protocol was recognised and only one end spoke.
    whole: Option<Box<Whole>>,
}

/// How far the reading of a direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Reading {
    /// No protocol is recognised.
    Unknown,
    /// One is, and its next message is looked for.
    Searching,
    /// Part of a message is held back.
    Holding,
    /// Every message that was whole is read.
    Parsing,
    /// Bytes of no interest are stepped over.
    Skipping,
    /// No more of it is read.
    Done,
}

impl Conversation {
    /// Makes it one of which nothing was seen, part by part ([`Keep::renew`](crate::flow::Keep::renew)).
    #[inline]
    pub fn renew(&mut self) {
        // Mostly nothing was kept of the last one: then there is nothing to drop.
        if !matches!(self.session, Session::Unknown) {
            self.session = Session::Unknown;
        }
        self.lanes.both().into_iter().for_each(Lane::renew);
        self.charged_bytes = 0;
        self.whole = None;
    }

    /// `network.protocol`, once known.
    pub fn protocol(&self) -> Option<&'static str> {
        self.session.name()
    }

    /// How far a direction is.
    #[inline]
    pub fn reading(&self, direction: Direction) -> Reading {
        let lane = self.lanes.get(direction);
        match lane.mode {
            Mode::Done => Reading::Done,
            _ if lane.held.is_some() => Reading::Holding,
            Mode::Parsing if lane.skip_bytes > 0 => Reading::Skipping,
            Mode::Parsing => Reading::Parsing,
            Mode::Probing if matches!(self.session, Session::Unknown) => Reading::Unknown,
            Mode::Probing => Reading::Searching,
        }
    }

    /// Whether what is not read any more is encrypted, by a protocol that is known.
    pub fn encrypts(&self) -> bool {
        self.session.encrypts()
    }

    /// Whether the bytes of a direction are still of interest.
    #[inline]
    pub fn wants(&self, direction: Direction) -> bool {
        self.lanes.get(direction).mode != Mode::Done || self.whole.is_some()
    }

    /// Steps over the next bytes of a direction if all of them are of no interest to its parser; false, and nothing done, if not.
    #[inline]
    pub fn step_over(&mut self, direction: Direction, bytes: u32) -> bool {
        let lane = self.lanes.of(direction);
        let steps = lane.skip_bytes >= u64::from(bytes) && lane.mode == Mode::Parsing && lane.held.is_none();
        if steps && self.whole.is_none() {
            lane.skip_bytes -= u64::from(bytes);
            return true;
        }
        false
    }

    /// Whether the next bytes of a direction are its parser's at once, as most are ([`Conversation::next`]).
    #[inline]
    pub fn is_at_parser(&self, direction: Direction) -> bool {
        self.lanes.get(direction).is_at_parser()
    }

    /// A datagram. Whether it has left everything as it was but what its parser knows.
    #[inline]
    pub fn datagram(
        &mut self,
        direction: Direction,
        data: &[u8],
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) -> bool {
        let lane = self.lanes.of(direction);
        let was_parsing = lane.mode == Mode::Parsing;
        if lane.mode == Mode::Probing && !probe_datagram(&mut self.session, lane, data, hint, unread) {
            return false;
        }
        let progress = self.session.parse_further(direction, data, hint, seen);
        let takes_it = matches!(progress, Progress::Consumed { .. });
        if !takes_it {
            self.follow_datagram(direction, progress, unread);
        }
        // No other parser keeps anything of datagrams.
        if matches!(self.session, Session::Quic(_) | Session::OpenVpn(_)) {
            self.settle(pool, unread);
        }
        was_parsing && takes_it
    }

    /// What a parser says of a datagram that it did not just take.
    #[inline(never)]
    fn follow_datagram(&mut self, direction: Direction, progress: Progress, unread: &mut dyn FnMut(Unread)) {
        match progress {
            Progress::Consumed { .. } | Progress::Skip(_) | Progress::Reprobe(_) => {}
            Progress::Damaged { reason, .. } | Progress::Stopped(reason) => unread(Unread::Parser(reason)),
            Progress::DoneDirection => self.lanes.of(direction).mode = Mode::Done,
            Progress::Done => self.lanes.both().into_iter().for_each(|lane| lane.mode = Mode::Done),
        }
    }

    /// The next bytes of a stream, its direction [at its parser](Conversation::is_at_parser). Whether that has left everything as it was
    /// but what the parser knows: mostly it takes all of them.
    #[inline(always)]
    pub fn next(
        &mut self,
        direction: Direction,
        data: &[u8],
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) -> bool {
        debug_assert!(self.is_at_parser(direction) && self.whole.is_none());
        let progress = self.session.parse(direction, data, hint, seen);
        self.settle(pool, unread);
        let takes_all = matches!(progress, Progress::Consumed { bytes, .. } if bytes == data.len());
        if !takes_all {
            self.go_on(progress, direction, data, hint, pool, seen, unread);
        }
        takes_all
    }

    /// The next bytes of a stream, or a hole before them.
    #[inline(never)]
    pub fn stream(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) {
        if chunk.gap_bytes > 0 {
            self.gap(direction, chunk.gap_bytes, hint, pool, seen, unread);
            if chunk.data.is_empty() && self.whole.is_none() {
                return;
            }
        }
        let is_new = matches!(self.session, Session::Unknown) && self.lanes.is_new();
        self.offer(direction, chunk, hint, pool, seen, unread);
        if self.whole.is_some() || is_new {
            self.follow_whole(direction, chunk, is_new, hint, pool, seen);
        }
    }

    /// Offers the next bytes of a stream to the session.
    #[inline(always)]
    fn offer(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) {
        let mut data = chunk.data;
        if self.lanes.get(direction).mode == Mode::Done || data.is_empty() {
            return;
        }
        let lane = self.lanes.of(direction);
        if lane.skip_bytes > 0 {
            let step = lane.skip_bytes.min(data.len() as u64);
            lane.skip_bytes -= step;
            data = data.get(step as usize..).unwrap_or(&[]);
            if data.is_empty() {
                return;
            }
        }
        if lane.held.is_none() {
            let probe =
                if lane.mode == Mode::Probing { self.probe_stream(direction, data, hint, unread) } else { Probe::Yes };
            let used = match probe {
                Probe::Yes => self.read(0, direction, data, hint, pool, seen, unread),
                Probe::Unsure => 0,
                Probe::No => return,
            };
            return self.keep(direction, data.get(used..).unwrap_or(&[]), pool, unread);
        }
        if !pool.hold(&mut lane.held, data) {
            return self.stop(direction, Unread::NoMemory, pool, unread);
        }
        if lane.held.as_ref().is_none_or(|held| held.bytes.len() < lane.need_bytes as usize) {
            return self.check_length(direction, pool, unread);
        }
        let Some(held) = lane.held.take() else { return };
        let used = self.read(0, direction, &held.bytes, hint, pool, seen, unread);
        let lane = self.lanes.of(direction);
        lane.held = Some(held);
        if lane.mode == Mode::Done {
            pool.release(&mut lane.held);
        } else {
            pool.forget(&mut lane.held, used);
            self.check_length(direction, pool, unread);
        }
    }

    /// A flow that no parser has recognised may be a file as a whole: see [`Whole`].
    fn follow_whole(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        is_new: bool,
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
    ) {
        let Session::Unknown = self.session else { return self.drop_whole(pool) };
        if is_new && self.whole.is_none() {
            self.whole = Whole::begin(direction, chunk, &hint.wants);
            if self.whole.is_some() && !pool.charge(&mut self.charged_bytes, Whole::memory_bytes()) {
                self.whole = None;
            }
        }
        if self.whole.as_mut().is_some_and(|whole| !whole.push(direction, chunk, seen)) {
            self.drop_whole(pool);
        }
    }

    fn drop_whole(&mut self, pool: &mut Pool) {
        if self.whole.take().is_some() && matches!(self.session, Session::Unknown) {
            let _ = pool.charge(&mut self.charged_bytes, 0);
        }
    }

    /// Bytes beside the stream, that a receiver may have taken in place of others. If they begin a message they are parsed by
    /// themselves, and leave no trace in the conversation.
    #[cold]
    pub fn aside(&self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) {
        let mut session = match &self.session {
            Session::Unknown => match Session::identify(data, hint) {
                Identified::Yes(session) => session,
                Identified::No | Identified::Unsure => return,
            },
            known if known.probe(data, hint) == Probe::Yes => known.fresh(),
            _ => return,
        };
        let mut rest = data;
        for _ in 0..MAX_ROUNDS_ASIDE {
            match session.parse_further(direction, rest, hint, seen) {
                Progress::Consumed { bytes, .. } | Progress::Damaged { bytes, .. } if bytes > 0 => {
                    rest = rest.get(bytes..).unwrap_or(&[]);
                }
                _ => return,
            }
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Whether bytes of a direction that are missing change anything.
    #[inline]
    pub fn minds_gap(&self, direction: Direction) -> bool {
        let lane = self.lanes.get(direction);
        lane.mode == Mode::Parsing || lane.held.is_some() || self.whole.is_some()
    }

    /// For each direction, whether its bytes are of no interest any more.
    #[inline]
    pub fn is_quiet(&self) -> [bool; 2] {
        let is_quiet = |lane: &Lane| lane.mode == Mode::Done && lane.held.is_none();
        match self.whole {
            None => [is_quiet(&self.lanes.to_responder), is_quiet(&self.lanes.to_originator)],
            Some(_) => [false; 2],
        }
    }

    /// Whether part of a message of this direction is held back.
    #[inline]
    pub fn holds(&self, direction: Direction) -> bool {
        self.lanes.get(direction).held.is_some()
    }

    /// Settles what the session has to account for.
    #[inline(always)]
    fn settle(&mut self, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        if self.session.accounts() || self.charged_bytes != 0 {
            return self.settle_account(pool, unread);
        }
        debug_assert_eq!(self.session.account(), Account::default(), "it has more to say than it says");
    }

    #[inline(never)]
    fn settle_account(&mut self, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        let account = self.session.account();
        (0..account.files_begun).for_each(|_| unread(Unread::FileBegun));
        (0..account.files_ended).for_each(|_| unread(Unread::FileEnded));
        if let Some(reason) = account.lost {
            unread(Unread::Parser(reason));
        }
        if !pool.charge(&mut self.charged_bytes, account.memory_bytes) {
            self.session.shed();
            let after = self.session.account();
            (0..after.files_ended).for_each(|_| unread(Unread::FileEnded));
            unread(Unread::NoMemory);
            // What it cannot do without is small and not charged.
            let _ = pool.charge(&mut self.charged_bytes, 0);
        }
    }
}

/// Whether a datagram is to be parsed. A flow keeps its first protocol; a datagram that is not of it is passed over.
fn probe_datagram(
    session: &mut Session,
    lane: &mut Lane,
    data: &[u8],
    hint: &Hint,
    unread: &mut dyn FnMut(Unread),
) -> bool {
    let found = match session {
        Session::Unknown => match Session::identify(data, hint) {
            Identified::Yes(found) => {
                *session = found;
                true
            }
            Identified::No | Identified::Unsure => false,
        },
        known => known.probe(data, hint) == Probe::Yes,
    };
    if found {
        lane.begin(unread);
    } else {
        lane.count_probe(unread);
    }
    found
}
