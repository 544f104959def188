//! [`Awaited`]: which requests have no response yet, as far as that says how the response is framed.

/// What matters of a request for framing its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answering {
    Other = 0,
    Head = 1,
    Connect = 2,
}

impl Answering {
    pub(super) fn to(method: &[u8]) -> Self {
        if method.eq_ignore_ascii_case(b"HEAD") {
            Self::Head
        } else if method.eq_ignore_ascii_case(b"CONNECT") {
            Self::Connect
        } else {
            Self::Other
        }
    }
}

/// Requests whose response has not come, oldest in the lowest two bits. Deeper pipelines than it holds are rare enough to
/// be framed as if their requests had not been seen.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    kinds: u32,
    count: u8,
    pub(super) lost: bool,
}

impl Awaited {
    const MAX: u8 = 16;

    pub(super) fn push(&mut self, request: Answering) {
        if self.count == Self::MAX {
            self.lose();
        }
        if !self.lost {
            self.kinds |= (request as u32) << (2 * self.count);
            self.count += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Answering> {
        self.count = self.count.checked_sub(1)?;
        let oldest = self.kinds & 3;
        self.kinds >>= 2;
        Some(match oldest {
            1 => Answering::Head,
            2 => Answering::Connect,
            _ => Answering::Other,
        })
    }

    pub(super) fn lose(&mut self) {
        *self = Self { kinds: 0, count: 0, lost: true };
    }
}
