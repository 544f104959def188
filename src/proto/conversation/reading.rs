//! How the bytes of a direction are read: probed until a protocol is recognised, then offered to its parser until no more of them can be
//! used; what is left is held back, and what is missing is said to the parser. What it does not look at is said, never dropped in silence.

use super::Conversation;
use super::lane::Mode;
use crate::flow::{Direction, Pool};
use crate::indicator::Seen;
use crate::proto::{AfterGap, Hint, Identified, Probe, Progress, Session, Unread};

/// Bytes held back while a probe is unsure: a DNS message over TCP on a foreign port must be whole to be believed.
const MAX_PROBE_BYTES: usize = 4098;

/// Rounds of one chunk: each must consume something, this bounds a parser that does not.
const MAX_ROUNDS: usize = 4096;

/// Where the reading of some bytes goes on.
enum Next {
    /// So many bytes further.
    At(usize),
    /// Not now: so many are done with.
    Used(usize),
}

impl Conversation {
    /// Does what is left to do with bytes that a parser was offered, and of which it said `progress`.
    #[expect(clippy::too_many_arguments, reason = "what a parser is called with, and what it said")]
    #[inline(never)]
    pub(super) fn go_on(
        &mut self,
        progress: Progress,
        direction: Direction,
        data: &[u8],
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) {
        let used = match self.follow(direction, data.len(), progress, pool, unread) {
            Next::At(at) => self.read(at, direction, data, hint, pool, seen, unread),
            Next::Used(used) => used,
        };
        self.keep(direction, data.get(used..).unwrap_or(&[]), pool, unread);
    }

    /// Offers bytes from the `at`-th on until no more of them can be used, and returns how many were.
    #[expect(clippy::too_many_arguments, reason = "what a parser is called with, and where")]
    #[inline(never)]
    pub(super) fn read(
        &mut self,
        mut at: usize,
        direction: Direction,
        data: &[u8],
        hint: &Hint,
        pool: &mut Pool,
        seen: Seen<'_>,
        unread: &mut dyn FnMut(Unread),
    ) -> usize {
        for _ in 0..MAX_ROUNDS {
            let rest = data.get(at..).unwrap_or(&[]);
            let mode = self.lanes.get(direction).mode;
            if rest.is_empty() || mode == Mode::Done {
                return data.len();
            }
            if mode == Mode::Probing {
                match self.probe_stream(direction, rest, hint, unread) {
                    Probe::Yes => {}
                    Probe::Unsure => return at,
                    Probe::No => return data.len(),
                }
            }
            let progress = self.session.parse_further(direction, rest, hint, seen);
            self.settle(pool, unread);
            match self.follow(direction, rest.len(), progress, pool, unread) {
                Next::At(bytes) => at += bytes,
                Next::Used(bytes) => return at + bytes,
            }
        }
        unread(Unread::Parser("parser made no progress"));
        self.lanes.of(direction).mode = Mode::Done;
        data.len()
    }

    /// What a parser says of the `length` bytes that it was offered.
    fn follow(
        &mut self,
        direction: Direction,
        length: usize,
        progress: Progress,
        pool: &mut Pool,
        unread: &mut dyn FnMut(Unread),
    ) -> Next {
        let lane = self.lanes.of(direction);
        lane.need_bytes = 0;
        match progress {
            Progress::Consumed { bytes, need } | Progress::Damaged { bytes, need, .. } => {
                if let Progress::Damaged { reason, .. } = progress {
                    unread(Unread::Parser(reason));
                }
                let used = bytes.min(length);
                lane.need_bytes = u32::try_from(need).unwrap_or(u32::MAX);
                return if bytes == 0 || need > length - used { Next::Used(used) } else { Next::At(used) };
            }
            Progress::Skip(bytes) => {
                let here = bytes.min(length as u64);
                if here > 0 {
                    unread(Unread::PassedOver);
                }
                lane.skip_bytes = bytes - here;
                return Next::At(here as usize);
            }
            Progress::Reprobe(bytes) => {
                self.session = Session::default();
                self.settle(pool, unread);
                // The other direction's bytes belong to the protocol that ended.
                pool.release(&mut self.lanes.of(direction.reverse()).held);
                for lane in self.lanes.both() {
                    (lane.mode, lane.probes, lane.need_bytes) = (Mode::Probing, 0, 0);
                }
                return Next::At(bytes.min(length));
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
            }
        }
        Next::Used(length)
    }

    /// Whether the bytes at a segment's start are a message's of the session's protocol, or of any while there is none.
    #[inline(never)]
    pub(super) fn probe_stream(
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
    pub(super) fn keep(&mut self, direction: Direction, rest: &[u8], pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
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

    pub(super) fn check_length(&mut self, direction: Direction, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        let held = self.lanes.of(direction).held.as_ref().map_or(0, |held| held.bytes.len());
        if held > self.session.max_pending_bytes() {
            self.stop(direction, Unread::MessageTooLong, pool, unread);
        }
    }

    pub(super) fn stop(&mut self, direction: Direction, why: Unread, pool: &mut Pool, unread: &mut dyn FnMut(Unread)) {
        let lane = self.lanes.of(direction);
        pool.release(&mut lane.held);
        (lane.mode, lane.need_bytes) = (Mode::Probing, 0);
        unread(why);
    }

    pub(super) fn gap(
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
