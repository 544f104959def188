//! [`Unread`]: what no parser looked at, by reason, and the word under which it is counted.

/// Bytes that no parser looked at, or a message it could not make sense of: why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unread {
    /// No protocol was recognised at the first segment of a direction.
    NotRecognised,
    /// It was at a later one: to be taken off the former.
    RecognisedLater,
    /// A message longer than its parser holds back.
    MessageTooLong,
    /// A file began, in any parser.
    FileBegun,
    /// A file ended, or was given up for another reason: to be taken off the former, which leaves the incomplete ones.
    FileEnded,
    /// No memory left to hold an incomplete message.
    NoMemory,
    /// A message that the flow ended in.
    Incomplete,
    /// A hole in the stream, in the middle of a message.
    Gap,
    /// Bytes that a parser has no interest in.
    PassedOver,
    /// A long stream, given up because there was too much traffic.
    Shed,
    /// A parser stopped at something: its own words.
    Parser(&'static str),
}

impl Unread {
    /// A stable word for counters.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotRecognised => "protocol_not_recognised",
            Self::RecognisedLater => "protocol_recognised_later",
            Self::MessageTooLong => "message_too_long",
            Self::FileBegun => "file_incomplete",
            Self::FileEnded => "file_ended",
            Self::NoMemory => "no_memory",
            Self::Incomplete => "message_incomplete",
            Self::Gap => "gap_in_message",
            Self::PassedOver => "passed_over",
            Self::Shed => "overload_not_parsed",
            Self::Parser(reason) => reason,
        }
    }

    /// What is counted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::NotRecognised | Self::RecognisedLater | Self::Shed => "flow directions",
            Self::FileBegun | Self::FileEnded => "files",
            _ => "messages",
        }
    }
}
