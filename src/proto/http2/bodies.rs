//! [`Bodies`]: what a connection's streams carry as files, both directions, as `http` has them. Made only when somebody wants something of
//! files.
//!
//! A body is of one stream and one direction, and whole when its stream ends there. What is remembered of streams is bounded:
//! [`MAX_BODIES`] bodies in progress, [`MAX_ASKED`] requests that have no response yet. Contents are shown each in a lane of its own, up to
//! [`MAX_LANES`] at once in a direction: of a body that begins while all are taken only digests are made, and that is counted. (What lies in
//! one DATA frame is in the stream as it is.)

use std::collections::VecDeque;

use crate::flow::Direction;
use crate::indicator::Seen;
use crate::proto::Account;
use crate::proto::file::Wants;
use crate::proto::http::{Body, Head, Line, url_of};

/// Bodies in progress of one connection. Browsers ask for up to 100 at once, of which few are on the wire at the same time.
const MAX_BODIES: usize = 32;
/// Bodies whose content is searched at once in a direction: each is remembered as a stream is.
const MAX_LANES: u8 = 8;
/// Requests whose response has not come: what servers allow at once.
const MAX_ASKED: usize = 128;

/// See the module.
#[derive(Default)]
pub(super) struct Bodies {
    open: Vec<Open>,
    /// URLs by stream, oldest first.
    asked: VecDeque<(u32, Box<[u8]>)>,
    begun: u32,
    ended: u32,
    lost: Option<&'static str>,
}

struct Open {
    stream: u32,
    direction: Direction,
    /// Where its content is shown.
    lane: Option<u8>,
    body: Body,
}

/// What a header block belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading {
    pub(super) stream: u32,
    pub(super) direction: Direction,
    /// Nothing follows on the stream in this direction.
    pub(super) ends_stream: bool,
    /// It is a promised request, and the response will be on this stream.
    pub(super) promised: Option<u32>,
}

impl Bodies {
    /// A message begins.
    pub(super) fn head(&mut self, heading: &Heading, head: &Head<'_>, wants: Wants, seen: Seen<'_>) {
        let url = match head.line {
            Line::Request { .. } => {
                self.ask(heading.promised.unwrap_or(heading.stream), url_of(head));
                None
            }
            Line::Response { status: 100..200 } => return,
            Line::Response { .. } => Some(self.answered(heading.stream)),
        };
        if heading.ends_stream || heading.promised.is_some() {
            return;
        }
        self.abandon_one(heading.stream, heading.direction);
        let shows = wants.content || wants.rules;
        let lane = if shows { self.free_lane(heading.direction) } else { None };
        let is_busy = shows && lane.is_none();
        let wants = lane.map_or(wants.only_digests(), |lane| wants.on_lane(lane));
        // In frames, it does not lie in the stream as it is.
        match Body::announce(head, url, true, wants, seen) {
            Ok(Some(_)) if self.open.len() >= MAX_BODIES => self.lost = Some("http2_bodies_too_many"),
            Ok(Some(body)) => {
                if is_busy {
                    self.lost = Some("http2_content_of_parallel_body");
                }
                self.begun += 1;
                let Heading { stream, direction, .. } = *heading;
                self.open.push(Open { stream, direction, lane, body });
            }
            Ok(None) => {}
            Err(reason) => self.lost = Some(reason),
        }
    }

    /// Whether a body of the stream is in progress.
    pub(super) fn has(&self, stream: u32, direction: Direction) -> bool {
        self.open.iter().any(|open| open.stream == stream && open.direction == direction)
    }

    /// The next bytes of a body.
    pub(super) fn push(&mut self, stream: u32, direction: Direction, bytes: &[u8], seen: Seen<'_>) {
        let Some(open) = self.open.iter_mut().find(|open| open.stream == stream && open.direction == direction) else {
            return;
        };
        let Err(reason) = open.body.push(bytes, seen) else { return };
        let goes_on = open.body.goes_on();
        open.lane = None;
        self.lost = Some(reason);
        if !goes_on {
            self.ended += u32::from(self.take(stream, direction).is_some());
        }
    }

    /// The stream ended in this direction.
    pub(super) fn complete(&mut self, stream: u32, direction: Direction, seen: Seen<'_>) {
        if let Some(body) = self.take(stream, direction) {
            self.ended += 1;
            if let Err(reason) = body.complete(seen) {
                self.lost = Some(reason);
            }
        }
    }

    /// The stream was reset: what it carried stays incomplete.
    pub(super) fn reset(&mut self, stream: u32) {
        self.open.retain(|open| open.stream != stream);
        self.asked.retain(|(asked, _)| *asked != stream);
    }

    /// Bytes of one stream in a direction are missing.
    pub(super) fn abandon_one(&mut self, stream: u32, direction: Direction) {
        self.take(stream, direction);
    }

    /// Bytes of a direction are missing.
    pub(super) fn abandon(&mut self, direction: Direction) {
        self.open.retain(|open| open.direction != direction);
    }

    /// See [`crate::proto::Parser::account`].
    pub(super) fn account(&mut self) -> Account {
        let asked: usize = self.asked.iter().map(|(_, url)| url.len() + size_of::<(u32, Box<[u8]>)>()).sum();
        let open: usize = self.open.iter().map(|open| size_of::<Open>() + open.body.memory_bytes()).sum();
        Account {
            memory_bytes: asked + open,
            files_begun: std::mem::take(&mut self.begun),
            files_ended: std::mem::take(&mut self.ended),
            lost: self.lost.take(),
        }
    }

    /// See [`crate::proto::Parser::shed`].
    pub(super) fn shed(&mut self) {
        self.ended += self.open.len() as u32;
        self.open = Vec::new();
        self.asked = VecDeque::new();
    }

    fn free_lane(&self, direction: Direction) -> Option<u8> {
        let is_taken = |lane| self.open.iter().any(|open| open.direction == direction && open.lane == Some(lane));
        (0..MAX_LANES).find(|lane| !is_taken(*lane))
    }

    fn ask(&mut self, stream: u32, url: Box<[u8]>) {
        if self.asked.len() >= MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((stream, url));
    }

    fn answered(&mut self, stream: u32) -> Box<[u8]> {
        let at = self.asked.iter().position(|(asked, _)| *asked == stream);
        at.and_then(|at| self.asked.remove(at)).map(|(_, url)| url).unwrap_or_default()
    }

    fn take(&mut self, stream: u32, direction: Direction) -> Option<Body> {
        let at = self.open.iter().position(|open| open.stream == stream && open.direction == direction)?;
        Some(self.open.swap_remove(at).body)
    }
}
