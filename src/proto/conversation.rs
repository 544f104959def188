//! [`Conversation`]: what a flow record keeps of layer 7: the protocol's session and, for each direction, how its bytes are
//! being read (a lane).
//!
//! A lane probes until its bytes are recognised, then feeds the session's parser, holding back what the parser could not use
//! yet. It gives up after [`MAX_PROBES`] segment starts, and from then on costs nothing. Bytes come in order and once; what is
//! not looked at is said ([`Unread`]), never dropped in silence.

mod ending;
mod lane;

use self::lane::{Lane, Lanes, Mode};
use super::file::Wants;
use super::whole::Whole;
use super::{Account, AfterGap, Hint, Identified, Probe, Progress, Session, Unread};
use crate::flow::{Chunk, Direction, Pool};
use crate::indicator::Seen;

/// Segment starts (or datagrams) of a direction that are probed before it is taken for something nobody here parses. Nearly
/// every protocol shows itself in the first; the rest is for streams picked up in the middle of a message.
pub const MAX_PROBES: u16 = 32;

/// Bytes held back while a probe is unsure: a DNS message over TCP on a foreign port must be whole to be believed.
const MAX_PROBE_BYTES: usize = 4098;

/// Rounds of one chunk: each must consume something, this bounds a parser that does not.
const MAX_ROUNDS: usize = 4096;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// `network.protocol`, once known.
    pub fn protocol(&self) -> Option<&'static str> {
        self.session.name()
    }

    /// How far a direction is.
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

    /// A datagram.
    pub fn datagram(
        &mut self,
        direction: Direction,
        data: &[u8],
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) {
        let lane = self.lanes.of(direction);
        if lane.mode == Mode::Probing && !probe_datagram(&mut self.session, lane, data, hint, unread) {
            return;
        }
        match self.session.parse(direction, data, hint, seen) {
            Progress::Consumed { .. } | Progress::Skip(_) | Progress::Reprobe(_) => {}
            Progress::Damaged { reason, .. } | Progress::Stopped(reason) => unread(Unread::Parser(reason)),
            Progress::DoneDirection => self.lanes.of(direction).mode = Mode::Done,
            Progress::Done => self.lanes.both().into_iter().for_each(|lane| lane.mode = Mode::Done),
        }
        // No other parser keeps anything of datagrams.
        if matches!(self.session, Session::Quic(_) | Session::OpenVpn(_)) {
            self.settle(pool, unread);
        }
    }

    /// The next bytes of a stream.
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
            let rest = self.read(direction, data, hint, pool, seen, unread);
            return self.keep(direction, data.get(rest..).unwrap_or(&[]), pool, unread);
        }
        if !pool.hold(&mut lane.held, data) {
            return self.stop(direction, Unread::NoMemory, pool, unread);
        }
        if lane.held.as_ref().is_none_or(|held| held.bytes.len() < lane.need_bytes as usize) {
            return self.check_length(direction, pool, unread);
        }
        let Some(held) = lane.held.take() else { return };
        let used = self.read(direction, &held.bytes, hint, pool, seen, unread);
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
            self.whole = Whole::begin(direction, chunk, Wants::of(&hint.wants));
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
            match session.parse(direction, rest, hint, seen) {
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

    /// For each direction, whether its bytes are of no interest any more.
    #[inline]
    pub fn is_quiet(&self) -> [bool; 2] {
        [Direction::ToResponder, Direction::ToOriginator]
            .map(|direction| !self.wants(direction) && !self.holds(direction))
    }

    /// Whether part of a message of this direction is held back.
    #[inline]
    pub fn holds(&self, direction: Direction) -> bool {
        self.lanes.get(direction).held.is_some()
    }

    /// Settles what the session has to account for.
    #[inline]
    fn settle(&mut self, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        let account = self.session.account();
        if account != Account::default() || self.charged_bytes != 0 {
            self.settle_account(&account, pool, unread);
        }
    }

    #[cold]
    fn settle_account(&mut self, account: &Account, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
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

    /// Offers bytes until no more of them can be used, and returns how many were.
    fn read(
        &mut self,
        direction: Direction,
        data: &[u8],
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) -> usize {
        let mut at = 0;
        for _ in 0..MAX_ROUNDS {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() || self.lanes.of(direction).mode == Mode::Done {
                return data.len();
            }
            if self.lanes.of(direction).mode == Mode::Probing {
                match self.probe_stream(direction, rest, hint, unread) {
                    Probe::Yes => {}
                    Probe::Unsure => return at,
                    Probe::No => return data.len(),
                }
            }
            let progress = self.session.parse(direction, rest, hint, seen);
            self.settle(pool, unread);
            let lane = self.lanes.of(direction);
            lane.need_bytes = 0;
            match progress {
                Progress::Consumed { bytes, need } | Progress::Damaged { bytes, need, .. } => {
                    if let Progress::Damaged { reason, .. } = progress {
                        unread(Unread::Parser(reason));
                    }
                    at += bytes.min(rest.len());
                    lane.need_bytes = u32::try_from(need).unwrap_or(u32::MAX);
                    if bytes == 0 || need > data.len() - at {
                        return at;
                    }
                }
                Progress::Skip(bytes) => {
                    let here = bytes.min(rest.len() as u64);
                    if here > 0 {
                        unread(Unread::PassedOver);
                    }
                    at += here as usize;
                    lane.skip_bytes = bytes - here;
                }
                Progress::Reprobe(bytes) => {
                    at += bytes.min(rest.len());
                    self.session = Session::default();
                    self.settle(pool, unread);
                    // The other direction's bytes belong to the protocol that ended.
                    pool.release(&mut self.lanes.of(direction.reverse()).held);
                    for lane in self.lanes.both() {
                        (lane.mode, lane.probes, lane.need_bytes) = (Mode::Probing, 0, 0);
                    }
                }
                Progress::DoneDirection => lane.mode = Mode::Done,
                Progress::Done => {
                    pool.release(&mut self.lanes.of(direction.reverse()).held);
                    self.lanes.both().into_iter().for_each(|lane| lane.mode = Mode::Done);
                }
                Progress::Stopped(reason) => {
                    unread(Unread::Parser(reason));
                    // What follows may begin another message: look at the next segments' starts.
                    lane.mode = Mode::Probing;
                    return data.len();
                }
            }
        }
        unread(Unread::Parser("parser made no progress"));
        self.lanes.of(direction).mode = Mode::Done;
        data.len()
    }

    /// Whether the bytes at a segment's start are a message's of the session's protocol, or of any while there is none.
    fn probe_stream(
        &mut self,
        direction: Direction,
        data: &[u8],
        hint: &Hint,
        unread: &mut dyn FnMut(Unread),
    ) -> Probe {
        let mut probe = if let Session::Unknown = self.session {
            match Session::identify(data, hint) {
                Identified::Yes(session) => {
                    self.session = session;
                    Probe::Yes
                }
                Identified::Unsure => Probe::Unsure,
                Identified::No => Probe::No,
            }
        } else {
            self.session.probe(data, hint)
        };
        if probe == Probe::Unsure && data.len() >= MAX_PROBE_BYTES {
            probe = Probe::No;
        }
        let lane = self.lanes.of(direction);
        match probe {
            Probe::Yes => lane.begin(unread),
            Probe::Unsure => lane.need_bytes = 0,
            Probe::No => lane.count_probe(unread),
        }
        probe
    }

    /// Keeps bytes that could not be used yet.
    fn keep(&mut self, direction: Direction, rest: &[u8], pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        let lane = self.lanes.of(direction);
        if rest.is_empty() || lane.mode == Mode::Done {
            return;
        }
        if pool.hold(&mut lane.held, rest) {
            self.check_length(direction, pool, unread);
        } else {
            self.stop(direction, Unread::NoMemory, pool, unread);
        }
    }

    fn check_length(&mut self, direction: Direction, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        let held = self.lanes.of(direction).held.as_ref().map_or(0, |held| held.bytes.len());
        if held > self.session.max_pending_bytes() {
            self.stop(direction, Unread::MessageTooLong, pool, unread);
        }
    }

    fn stop(&mut self, direction: Direction, why: Unread, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        let lane = self.lanes.of(direction);
        pool.release(&mut lane.held);
        (lane.mode, lane.need_bytes) = (Mode::Probing, 0);
        unread(why);
    }

    fn gap(
        &mut self,
        direction: Direction,
        bytes: u64,
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) {
        let lane = self.lanes.of(direction);
        if lane.mode != Mode::Parsing {
            pool.release(&mut lane.held);
            return;
        }
        if bytes <= lane.skip_bytes {
            lane.skip_bytes -= bytes;
            return;
        }
        let beyond = bytes - lane.skip_bytes;
        (lane.skip_bytes, lane.need_bytes) = (0, 0);
        let was_reading = lane.held.is_some();
        if let Some(held) = &lane.held {
            self.session.cut(direction, &held.bytes, hint, seen);
        }
        pool.release(&mut lane.held);
        let next = self.session.gap(direction, beyond);
        self.settle(pool, unread);
        if next == AfterGap::Probe {
            self.lanes.of(direction).mode = Mode::Probing;
        }
        if was_reading || next == AfterGap::Probe {
            unread(Unread::Gap);
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
