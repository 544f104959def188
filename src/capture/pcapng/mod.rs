//! pcapng: sections of blocks, each with its length at both ends.
//!
//! Several sections, each in its own byte order; several interfaces, each with its own link type, snap length, time
//! resolution and offset; enhanced, simple and obsolete packet blocks. Any other block is stepped over, whatever its
//! length, and so are options that are not needed. Source: draft-ietf-opsawg-pcapng.
//!
//! A block whose two lengths differ ends the file, as it does in libpcap and Wireshark: nothing says where the next one
//! starts. A packet that its own block contradicts is left out and the walk goes on.

mod block;
mod interface;
mod write;

pub use write::PcapngWriter;

use crate::packet::FrameMeta;
use crate::time::Timestamp;

use super::fault::Fault;
use super::format::{Format, MAX_FRAME_BYTES, Opened, Step, Walk, Window, fetch_ahead};
use block::{Order, PacketHeader};
use interface::Interface;

/// The entry in the table.
pub(super) const FORMAT: Format = Format { name: "pcapng", sniff, open };

fn sniff(head: &[u8]) -> bool {
    head.starts_with(&block::SECTION.to_be_bytes())
}

fn open(_head: &[u8], file: u32) -> Result<Opened, Fault> {
    let walk = Walker { big: false, interfaces: Vec::new(), closing: None, time: Timestamp::ZERO, file, number: 0 };
    Ok(Opened { walk: Box::new(walk), records_at: 0 })
}

struct Walker {
    /// Byte order of the section.
    big: bool,
    /// Of the section, in order.
    interfaces: Vec<Interface>,
    /// A skipped block's length, which must stand again at its end, where the walk is now.
    closing: Option<u32>,
    /// Of the last packet that had one.
    time: Timestamp,
    file: u32,
    number: u64,
}

impl Walk for Walker {
    fn walk(&mut self, window: &mut Window<'_>, frames: &mut Vec<FrameMeta>) -> Step {
        frames.reserve(window.limit.saturating_sub(frames.len()));
        loop {
            let step = match (self.big, window.mapped) {
                (false, false) => self.run::<false, false>(window, frames),
                (false, true) => self.run::<false, true>(window, frames),
                (true, false) => self.run::<true, false>(window, frames),
                (true, true) => self.run::<true, true>(window, frames),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }
}

impl Walker {
    /// Walks until something stops it, or, with `None`, until a section starts: its byte order may be the other one.
    fn run<const BIG: bool, const MAPPED: bool>(
        &mut self,
        window: &mut Window<'_>,
        frames: &mut Vec<FrameMeta>,
    ) -> Option<Step> {
        loop {
            if frames.len() >= window.limit {
                return Some(Step::Full);
            }
            if let Some(first) = self.closing {
                let Some(tail) = window.rest().first_chunk::<4>() else { return Some(Step::More) };
                let second = Order::<BIG>::u32(*tail);
                if first != second {
                    return Some(Step::Stop(Fault::BlockLengthMismatch { first, second }));
                }
                window.at += 4;
                self.closing = None;
            }
            let Some(head) = window.rest().first_chunk::<8>() else { return Some(Step::More) };
            let [a, b, c, d, e, f, g, h] = *head;
            let kind = Order::<BIG>::u32([a, b, c, d]);
            let total = Order::<BIG>::u32([e, f, g, h]);
            let at = window.at;
            let outcome = match kind {
                block::SECTION => return self.section(window).err(),
                block::PACKET | block::ENHANCED_PACKET | block::SIMPLE_PACKET => {
                    self.packet::<BIG, MAPPED>(window, kind, total, frames)
                }
                block::INTERFACE => self.interface::<BIG>(window, total),
                _ => self.skip(window, kind, total),
            };
            match outcome {
                Ok(()) => {}
                Err(End::More) => return Some(Step::More),
                Err(End::Skipped(fault)) => return Some(Step::Skipped { fault, at }),
                Err(End::Stop(fault)) => return Some(Step::Stop(fault)),
            }
        }
    }

    /// Starts a section. Its header says its byte order, so it is read before anything else is known.
    fn section(&mut self, window: &mut Window<'_>) -> Result<(), Step> {
        let Some(head) = window.rest().first_chunk::<12>() else { return Err(Step::More) };
        let magic = [head[8], head[9], head[10], head[11]];
        let big = match u32::from_be_bytes(magic) {
            block::BYTE_ORDER => true,
            other if other == block::BYTE_ORDER.swap_bytes() => false,
            other => return Err(Step::Stop(Fault::BadByteOrder(other))),
        };
        let started = if big { self.start::<true>(window) } else { self.start::<false>(window) };
        started.map_err(|end| match end {
            End::More => Step::More,
            End::Skipped(fault) | End::Stop(fault) => Step::Stop(fault),
        })
    }

    fn start<const BIG: bool>(&mut self, window: &mut Window<'_>) -> Result<(), End> {
        let body = block::body::<BIG>(window, block::SECTION, block::MIN_SECTION_BYTES)?;
        let version = block::section_version::<BIG>(body)?;
        if version.0 != block::MAJOR_VERSION {
            return Err(End::Stop(Fault::UnknownVersion { major: version.0, minor: version.1 }));
        }
        window.at += body.len() + block::FRAMING_BYTES;
        self.big = BIG;
        self.interfaces.clear();
        Ok(())
    }

    fn interface<const BIG: bool>(&mut self, window: &mut Window<'_>, total: u32) -> Result<(), End> {
        let body = block::body::<BIG>(window, block::INTERFACE, block::MIN_INTERFACE_BYTES)?;
        let known = Interface::parse::<BIG>(body);
        window.at += total as usize;
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(End::Skipped(Fault::TooManyInterfaces { max: MAX_INTERFACES }));
        }
        self.interfaces.push(known);
        Ok(())
    }

    #[inline(always)]
    fn packet<const BIG: bool, const MAPPED: bool>(
        &mut self,
        window: &mut Window<'_>,
        kind: u32,
        total: u32,
        frames: &mut Vec<FrameMeta>,
    ) -> Result<(), End> {
        if total > block::MAX_BLOCK_BYTES {
            self.skip(window, kind, total)?;
            self.number += 1;
            return Err(End::Skipped(Fault::BlockTooLong { kind, total, max: block::MAX_BLOCK_BYTES }));
        }
        let start = window.at;
        let body = block::body::<BIG>(window, kind, PacketHeader::min_block_bytes(kind))?;
        window.at = start + total as usize;
        fetch_ahead::<MAPPED>(window.bytes, start, window.at);
        self.number += 1;
        let header = PacketHeader::parse::<BIG>(kind, body)?;
        let Some(interface) = self.interfaces.get(header.interface as usize) else {
            let known = self.interfaces.len();
            return Err(End::Skipped(Fault::UnknownInterface { index: header.interface, known }));
        };
        let captured = header.captured.unwrap_or_else(|| interface.cut(header.wire));
        let room = body.len() - header.bytes;
        if captured as usize > room {
            return Err(End::Skipped(Fault::PacketPastBlock { captured, room: room as u32 }));
        }
        if captured > MAX_FRAME_BYTES {
            return Err(End::Skipped(Fault::RecordTooLong { bytes: captured, max: MAX_FRAME_BYTES }));
        }
        if let Some(ticks) = header.ticks {
            self.time = interface.time(ticks);
        }
        frames.push(FrameMeta {
            offset: start + block::HEAD_BYTES + header.bytes,
            time: self.time,
            number: self.number,
            captured_bytes: captured,
            wire_bytes: header.wire,
            file: self.file,
            link: interface.link,
        });
        Ok(())
    }

    /// Steps over a block of any length without needing its bytes.
    fn skip(&mut self, window: &mut Window<'_>, kind: u32, total: u32) -> Result<(), End> {
        block::check_length(kind, total, block::FRAMING_BYTES as u32)?;
        window.at += total as usize - 4;
        self.closing = Some(total);
        Ok(())
    }
}

/// Why a block could not be read to its end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It does not lie in the window as a whole.
    More,
    /// It was stepped over.
    Skipped(Fault),
    /// Nothing after it can be found.
    Stop(Fault),
}

/// A section rarely has more than a hundred; 32 bytes each.
const MAX_INTERFACES: usize = 65_536;
