//! DNP3 (IEEE 1815-2012) over TCP and UDP, on any port: application functions and station addresses.
//!
//! A frame is believed if the checksum of its header fits, and shown if that of its first block does. The function is in the
//! first fragment's first frame; objects, later fragments and secure authentication are not looked at.

use super::super::{Hint, Parser, Probe, Progress, Starts};
use super::{Framed, Message, Shown, messages};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::ics::DNP3;
use crate::indicator::{Field, Seen, Transport};

/// State: what was shown.
#[derive(Default)]
pub struct Dnp3(Shown);

impl Parser for Dnp3 {
    const NAME: &'static str = "dnp3";
    const MAX_PENDING_BYTES: usize = MAX_FRAME_BYTES;
    const STARTS: Starts = Starts::NONE.and(&[(0x05, 0x05)]);

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data {
            [0x05, 0x64, ..] if data.len() >= HEADER_BYTES => {
                if Header::read(data).is_some() {
                    Probe::Yes
                } else {
                    Probe::No
                }
            }
            [] | [0x05] | [0x05, 0x64, ..] if hint.transport == Transport::Tcp => Probe::Unsure,
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        messages(data, hint, |rest| {
            if rest.len() < HEADER_BYTES {
                return Framed::Short(HEADER_BYTES);
            }
            let Some(header) = Header::read(rest) else { return Framed::Broken("not a DNP3 frame header") };
            let bytes = header.frame_bytes();
            let Some(frame) = rest.get(..bytes) else { return Framed::Short(bytes) };
            match header.function(frame) {
                Ok(Some(function)) => {
                    let with = [Field::number("ics.dnp3.destination", u64::from(header.destination))];
                    let message = Message {
                        family: &DNP3,
                        code: u16::from(function),
                        station: Some(u32::from(header.source)),
                        with: &with,
                    };
                    self.0.show(direction, hint, &message, seen);
                    let other = Message { station: Some(u32::from(header.destination)), ..message };
                    self.0.show(direction, hint, &other, seen);
                }
                Ok(None) => {}
                Err(reason) => return Framed::Damaged(bytes, reason),
            }
            Framed::Whole(bytes)
        })
    }
}

/// A link header (IEEE 1815-2012, 9.2.4.1).
struct Header {
    user_bytes: usize,
    destination: u16,
    source: u16,
}

impl Header {
    fn read(data: &[u8]) -> Option<Self> {
        let mut r = Reader::new(data);
        let checked = r.take(HEADER_BYTES - CRC_BYTES)?;
        if r.u16_le()? != crc(checked) {
            return None;
        }
        let mut r = Reader::new(checked);
        if r.u16()? != 0x0564 {
            return None;
        }
        // The length counts control, destination and source too.
        let user_bytes = usize::from(r.u8()?).checked_sub(5)?;
        let (_control, destination, source) = (r.u8()?, r.u16_le()?, r.u16_le()?);
        Some(Self { user_bytes, destination, source })
    }

    /// With a checksum for every 16 bytes.
    fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.user_bytes + CRC_BYTES * self.user_bytes.div_ceil(BLOCK_BYTES)
    }

    /// The function code, if a fragment begins in this frame.
    fn function(&self, frame: &[u8]) -> Result<Option<u8>, &'static str> {
        if self.user_bytes == 0 {
            return Ok(None);
        }
        let mut r = Reader::new(frame.get(HEADER_BYTES..).unwrap_or_default());
        let (Some(block), Some(checksum)) = (r.take(self.user_bytes.min(BLOCK_BYTES)), r.u16_le()) else {
            return Err("DNP3 frame without its first block");
        };
        if checksum != crc(block) {
            return Err("DNP3 block with a wrong checksum");
        }
        Ok(match block {
            [transport, _control, function, ..] if transport & FIRST != 0 => Some(*function),
            _ => None,
        })
    }
}

/// CRC-16/DNP (IEEE 1815-2012, 9.2.4.3.5).
fn crc(data: &[u8]) -> u16 {
    !data.iter().fold(0, |crc, byte| {
        let at = usize::from((crc ^ u16::from(*byte)) & 0xFF);
        crc >> 8 ^ CRC_TABLE.get(at).copied().unwrap_or(0)
    })
}

const CRC_TABLE: [u16; 256] = crc_table();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn crc_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let (mut crc, mut bit) = (at as u16, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xA6BC } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

const HEADER_BYTES: usize = 10;
const CRC_BYTES: usize = 2;
const BLOCK_BYTES: usize = 16;
/// Length field 255: 250 bytes of user data in 16 blocks.
const MAX_FRAME_BYTES: usize = HEADER_BYTES + 250 + 16 * CRC_BYTES;
/// In a transport header: the first frame of a fragment.
const FIRST: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Stream, same_in_any_segments, tcp, udp};
    use super::*;

    fn frame(destination: u16, source: u16, user: &[u8]) -> Vec<u8> {
        let mut head = vec![5, 0x64, user.len() as u8 + 5, 0xC4];
        head.extend(destination.to_le_bytes());
        head.extend(source.to_le_bytes());
        let mut out = Vec::new();
        for block in std::iter::once(&head[..]).chain(user.chunks(16)) {
            out.extend(block);
            out.extend(crc(block).to_le_bytes());
        }
        out
    }

    /// The check value of the catalogue of parametrised CRC algorithms.
    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc(b"123456789"), 0xEA82);
    }

    #[test]
    fn functions_and_stations_are_shown_once() {
        let operate = frame(1024, 1, &[0xC0, 0xC1, 5, 12, 1, 0x28, 1, 0, 0, 0, 3, 1, 100, 0, 0, 0, 100, 0, 0, 0]);
        let later = frame(1024, 1, &[0x81, 1, 2, 3]);
        let data = [operate.clone(), later, operate].concat();
        let expected = [
            "ics-function ics.dnp3.function dnp3:direct-operate",
            "ics-function ics.dnp3.operation dnp3:any-control",
            "ics-function ics.dnp3.station dnp3:station-1",
            "ics-function ics.dnp3.station dnp3:station-1024",
        ];
        assert_eq!(same_in_any_segments::<Dnp3>(Direction::ToResponder, tcp(40_000, 20_000), &data), expected);
    }

    #[test]
    fn checksums_count() {
        let good = frame(1, 2, &[0xC0, 0xC1, 1, 60, 2, 6]);
        assert_eq!(Dnp3::probe(&good, &udp(1, 2)), Probe::Yes);
        for at in 0..10 {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(Dnp3::probe(&bad, &tcp(1, 2)), Probe::No, "byte {at}");
        }
        let mut bad = good.clone();
        bad[12] ^= 1;
        let stream = Stream::<Dnp3>::of(Direction::ToResponder, tcp(1, 2), &[bad, good].concat(), &[]);
        assert_eq!(stream.seen.len(), 4, "what follows a damaged block is seen: {:?}", stream.seen);
        assert!(matches!(stream.ended, Some(Progress::Damaged { .. })));
    }
}
