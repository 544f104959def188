//! The classic pcap file: a 24-byte header, then records of 16 bytes and a frame.
//!
//! Microseconds and nanoseconds, both byte orders, the "modified" variant with 24-byte records, and the old versions
//! whose two lengths stand in the other order. Source: draft-ietf-opsawg-pcap; libpcap `sf-pcap.c` for the variants.

use crate::packet::{FrameMeta, LinkType};
use crate::time::Timestamp;

use super::fault::Fault;
use super::format::{Format, MAX_FRAME_BYTES, Opened, Step, Walk, Window, fetch_ahead};

/// The entry in the table.
pub(super) const FORMAT: Format = Format { name: "pcap", sniff, open };

fn sniff(head: &[u8]) -> bool {
    Magic::of(head).is_some()
}

fn open(head: &[u8], file: u32) -> Result<Opened, Fault> {
    let truncated = Fault::TruncatedHeader { have: head.len(), need: HEADER_BYTES };
    let magic = Magic::of(head).ok_or(truncated)?;
    let header = head.first_chunk::<HEADER_BYTES>().ok_or(truncated)?;
    let u16_at = |at: usize| if magic.big { be16(header, at) } else { le16(header, at) };
    let link = if magic.big { be32(header, 20) } else { le32(header, 20) };
    let (major, minor) = (u16_at(4), u16_at(6));
    let lengths = match (major, minor) {
        (2, 0..=2) | (543, _) => Lengths::Swapped,
        (2, 3) => Lengths::Either,
        (2, _) => Lengths::Usual,
        _ => return Err(Fault::UnknownVersion { major, minor }),
    };
    let walk = Walker {
        big: magic.big,
        fraction_ns: magic.fraction_ns,
        record_bytes: magic.record_bytes,
        lengths,
        // The upper half says whether frames end in a frame check sequence.
        link: LinkType(link as u16),
        file,
        number: 0,
    };
    Ok(Opened { walk: Box::new(walk), records_at: HEADER_BYTES })
}

/// What the first four bytes say.
struct Magic {
    big: bool,
    fraction_ns: u64,
    record_bytes: usize,
}

impl Magic {
    fn of(head: &[u8]) -> Option<Self> {
        let magic = *head.first_chunk::<4>()?;
        [(true, u32::from_be_bytes(magic)), (false, u32::from_le_bytes(magic))].into_iter().find_map(|(big, value)| {
            let (fraction_ns, record_bytes) = match value {
                0xa1b2_c3d4 => (1000, RECORD_BYTES),
                0xa1b2_3c4d => (1, RECORD_BYTES),
                0xa1b2_cd34 => (1000, MODIFIED_RECORD_BYTES),
                _ => return None,
            };
            Some(Self { big, fraction_ns, record_bytes })
        })
    }
}

/// In which order a record says its two lengths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    /// Captured, wire.
    Usual,
    /// Wire, captured: before version 2.3.
    Swapped,
    /// Version 2.3 has both; the captured one is the smaller.
    Either,
}

struct Walker {
    big: bool,
    fraction_ns: u64,
    record_bytes: usize,
    lengths: Lengths,
    link: LinkType,
    file: u32,
    number: u64,
}

impl Walk for Walker {
    fn walk(&mut self, window: &mut Window<'_>, frames: &mut Vec<FrameMeta>) -> Step {
        frames.reserve(window.limit.saturating_sub(frames.len()));
        match (self.big, window.mapped) {
            (false, false) => self.run::<false, false>(window, frames),
            (false, true) => self.run::<false, true>(window, frames),
            (true, false) => self.run::<true, false>(window, frames),
            (true, true) => self.run::<true, true>(window, frames),
        }
    }
}

impl Walker {
    /// The hot loop: nothing in it depends on the file but loop invariants.
    fn run<const BIG: bool, const MAPPED: bool>(
        &mut self,
        window: &mut Window<'_>,
        frames: &mut Vec<FrameMeta>,
    ) -> Step {
        let bytes = window.bytes;
        let Self { fraction_ns, record_bytes, lengths, link, file, .. } = *self;
        let limit = window.limit;
        let mut at = window.at;
        let mut number = self.number;
        let step = loop {
            if frames.len() >= limit {
                break Step::Full;
            }
            let Some(rest) = bytes.get(at..) else { break Step::More };
            let Some(record) = rest.first_chunk::<RECORD_BYTES>() else { break Step::More };
            let field = |at: usize| if BIG { be32(record, at) } else { le32(record, at) };
            let (mut captured, mut wire) = (field(8), field(12));
            if lengths == Lengths::Swapped || (lengths == Lengths::Either && captured > wire) {
                (captured, wire) = (wire, captured);
            }
            if captured > MAX_FRAME_BYTES {
                break Step::Stop(Fault::RecordTooLong { bytes: captured, max: MAX_FRAME_BYTES });
            }
            let total = record_bytes + captured as usize;
            if rest.len() < total {
                break Step::More;
            }
            fetch_ahead::<MAPPED>(bytes, at, at + total);
            number += 1;
            frames.push(FrameMeta {
                offset: at + record_bytes,
                time: Timestamp::from_ns(u64::from(field(0)) * 1_000_000_000 + u64::from(field(4)) * fraction_ns),
                number,
                captured_bytes: captured,
                wire_bytes: wire,
                file,
                link,
            });
            at += total;
        };
        window.at = at;
        self.number = number;
        step
    }
}

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;
const MODIFIED_RECORD_BYTES: usize = 24;

#[inline(always)]
fn le32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[inline(always)]
fn be32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    le32(bytes, at).swap_bytes()
}

fn le16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn be16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    le16(bytes, at).swap_bytes()
}
