//! Packets to flows to in-order bytes.

/// Which way a packet goes within its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the end that opened the flow.
    ToResponder,
    /// To the end that opened the flow.
    ToOriginator,
}

impl Direction {
    /// 0 to the responder, 1 to the originator.
    #[inline]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::ToResponder => Self::ToOriginator,
            Self::ToOriginator => Self::ToResponder,
        }
    }
}
