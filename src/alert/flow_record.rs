//! [`FlowRecord`]: what the flow log says of a flow that has ended. It is about traffic alone and knows no indicator, so it is the same
//! whatever was looked for.

use super::AlertFlow;
use crate::flow::{Lifecycle, community_id};
use crate::packet::{Ends, FrameRef};
use crate::time::Timestamp;

/// See the module.
#[derive(Clone)]
pub struct FlowRecord {
    /// Its ends and what it is.
    pub flow: AlertFlow,
    /// Its first packet.
    pub first: FrameRef,
    /// Packet time of its last one.
    pub last: Timestamp,
    /// To the responder, and to the originator.
    pub packets: [u64; 2],
    /// The same in bytes on the wire, headers of every layer included.
    pub bytes: [u64; 2],
    /// How far a TCP conversation came.
    pub lifecycle: Lifecycle,
    /// What ended it.
    pub ending: Ending,
    /// What became of its packets: a stable word, `inspected` or why not.
    pub visibility: &'static str,
    /// What it showed.
    pub notes: Option<Box<FlowNotes>>,
    /// The packet that was looked at when it ended: what the log is ordered by.
    pub ended_at: (u32, u64),
}

/// What ended a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was silent for too long.
    TimedOut,
    /// Another began between the same ends.
    Followed,
    /// Its place was needed.
    Evicted,
    /// The capture ended, or the sensor was stopped.
    Stopped,
}

impl Ending {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Followed => "followed",
            Self::Evicted => "evicted",
            Self::Stopped => "stopped",
        }
    }
}

/// What a note is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A name that was asked for.
    Question,
    /// A name in an answer.
    Answer,
    /// An address in an answer.
    Address,
    /// A name that a TLS client asked for.
    ServerName,
    /// A client's fingerprint.
    Ja4,
    /// The host of a URL.
    UrlHost,
}

/// What a flow showed, printable: each text once.
#[derive(Clone, Default)]
pub struct FlowNotes {
    lists: [Vec<Box<str>>; Topic::ALL.len()],
    bytes: usize,
    /// Notes that found no room.
    pub left_out: u64,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Question, Self::Answer, Self::Address, Self::ServerName, Self::Ja4, Self::UrlHost];
}

/// Texts of one topic that a flow keeps: a page's names and the answers to one question are fewer.
const MAX_TEXTS: usize = 16;

/// Longest text kept, in bytes.
const MAX_LENGTH: usize = 256;

impl FlowNotes {
    /// Most bytes that one text takes: the longest name, escaped, is cut.
    pub const MAX_TEXT_BYTES: usize = MAX_LENGTH + size_of::<Box<str>>();
    /// Most bytes that the notes of one flow take on the heap.
    pub const MAX_BYTES: usize = Topic::ALL.len() * MAX_TEXTS * Self::MAX_TEXT_BYTES;

    /// Keeps a text, if there is room and it is not there. Returns the bytes that it takes.
    pub fn add(&mut self, topic: Topic, text: &str) -> usize {
        let end = (0..=MAX_LENGTH.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
        let text = &text[..end.unwrap_or(0)];
        let list = &mut self.lists[topic as usize];
        if list.iter().any(|known| **known == *text) {
            return 0;
        }
        if list.len() >= MAX_TEXTS {
            self.left_out += 1;
            return 0;
        }
        list.push(text.into());
        let bytes = text.len() + size_of::<Box<str>>();
        self.bytes += bytes;
        bytes
    }

    /// What there is of a topic, in the order it came.
    pub fn of(&self, topic: Topic) -> &[Box<str>] {
        &self.lists[topic as usize]
    }

    /// Bytes of all of it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl FlowRecord {
    /// `network.community_id`, seed 0; `None` without addresses of IP.
    pub fn community_id(&self) -> Option<String> {
        let flow = &self.flow;
        let has_ip = flow.ends != Ends::Hardware;
        has_ip.then(|| community_id(0, flow.protocol_number, flow.originator, flow.responder))
    }
}

crate::bytes::opaque_debug!(FlowRecord, "FlowRecord");
crate::bytes::opaque_debug!(FlowNotes, "FlowNotes");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_and_kept_once() {
        let mut notes = FlowNotes::default();
        let first = notes.add(Topic::Question, "a.example");
        assert!(first > 9 && notes.add(Topic::Question, "a.example") == 0);
        assert!(notes.add(Topic::Answer, "a.example") > 0, "another topic");
        for n in 0..100 {
            notes.add(Topic::Question, &format!("{n}{}", "é".repeat(300)));
        }
        assert_eq!((notes.of(Topic::Question).len(), notes.left_out), (MAX_TEXTS, 85));
        assert!(notes.of(Topic::Question).iter().all(|text| text.len() <= MAX_LENGTH));
        assert!(notes.bytes() <= FlowNotes::MAX_BYTES);
        assert_eq!(format!("{notes:?}"), "FlowNotes");
    }
}
