//! [`Starts`]: with which first bytes a protocol can begin, so that of all probes the few run that may say anything but no.
//!
//! It saves work and never decides: whatever [`Session::identify`](super::Session::identify) says it says without it too, which
//! every debug build holds it to.

use crate::indicator::Transport;

/// First bytes, by transport.
#[derive(Clone, Copy)]
pub struct Starts {
    tcp: Bytes,
    udp: Bytes,
}

/// A bit for each byte.
type Bytes = [u64; 4];

/// Bytes from one through another.
type Range = (u8, u8);

impl Starts {
    /// Whatever it is.
    pub const ANY: Self = Self { tcp: [u64::MAX; 4], udp: [u64::MAX; 4] };
    /// None: what lies straight in frames.
    pub const NONE: Self = Self { tcp: [0; 4], udp: [0; 4] };

    /// These in a stream.
    pub const fn tcp(ranges: &[Range]) -> Self {
        Self { tcp: bytes(ranges), ..Self::NONE }
    }

    /// These in a datagram.
    pub const fn udp(ranges: &[Range]) -> Self {
        Self { udp: bytes(ranges), ..Self::NONE }
    }

    /// What is said of streams, and of datagrams what `other` says.
    pub const fn or_udp(self, other: Self) -> Self {
        Self { udp: other.udp, ..self }
    }

    /// The same, and these, over either transport.
    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
    pub const fn and(self, ranges: &[Range]) -> Self {
        let more = bytes(ranges);
        let (mut tcp, mut udp) = (self.tcp, self.udp);
        let mut word = 0;
        while word < more.len() {
            tcp[word] |= more[word];
            udp[word] |= more[word];
            word += 1;
        }
        Self { tcp, udp }
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn bytes(ranges: &[Range]) -> Bytes {
    let mut bytes = [0; 4];
    let mut at = 0;
    while at < ranges.len() {
        let (mut byte, last) = ranges[at];
        while byte <= last {
            bytes[byte as usize / 64] |= 1 << (byte % 64);
            if byte == u8::MAX {
                break;
            }
            byte += 1;
        }
        at += 1;
    }
    bytes
}

/// For each first byte of a stream and of a datagram a bit for each protocol, by its number.
pub(super) struct Table([[u32; 256]; 2]);

impl Table {
    /// Nobody's.
    pub(super) const fn new() -> Self {
        Self([[0; 256]; 2])
    }

    /// The same with another protocol.
    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
    pub(super) const fn with(mut self, number: u32, starts: &Starts) -> Self {
        let mut byte = 0;
        while byte < 256 {
            self.0[0][byte] |= ((starts.tcp[byte / 64] >> (byte % 64) & 1) as u32) << number;
            self.0[1][byte] |= ((starts.udp[byte / 64] >> (byte % 64) & 1) as u32) << number;
            byte += 1;
        }
        self
    }

    /// Which protocols bytes may begin; every one if there are none.
    #[inline]
    pub(super) fn of(&self, data: &[u8], transport: Transport) -> u32 {
        let Self([tcp, udp]) = self;
        let table = if transport == Transport::Tcp { tcp } else { udp };
        data.first().and_then(|first| table.get(usize::from(*first))).copied().unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_who_may_begin() {
        const TABLE: Table = Table::new()
            .with(0, &Starts::tcp(&[(1, 3), (255, 255)]))
            .with(3, &Starts::ANY)
            .with(5, &Starts::udp(&[(0, 0)]).and(&[(64, 64)]));
        let of = |byte: u8, transport| TABLE.of(&[byte, 9], transport);
        assert_eq!([0, 1, 3, 4, 64, 255].map(|byte| of(byte, Transport::Tcp)), [8, 9, 9, 8, 40, 9]);
        assert_eq!([0, 1, 64, 255].map(|byte| of(byte, Transport::Udp)), [40, 8, 40, 8]);
        assert_eq!(TABLE.of(&[], Transport::Udp), u32::MAX);
    }
}
