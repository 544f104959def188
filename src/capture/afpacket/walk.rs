//! [`walk`]: the frames of a block, in place. No unsafe code: it sees one slice and reads nothing outside.
//!
//! Every frame is behind a `struct tpacket3_hdr` and a `struct sockaddr_ll`. Where the kernel took a VLAN tag off, it is put
//! back: the addresses before it move four bytes to the front, into room that the kernel left for that. Numbers that
//! contradict each other end the walk; what is then left of the block is counted as dropped.

use crate::capture::BATCH_FRAMES;
use crate::packet::{FrameMeta, LinkType};
use crate::time::Timestamp;

/// What holds for all frames of a ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    /// The interface's position.
    pub(super) file: u32,
    pub(super) link: LinkType,
    /// Bytes of a frame, at most.
    pub(super) snap_bytes: u32,
    /// On loopback every frame comes once when it is sent and once when it is received.
    pub(super) is_loopback: bool,
}

/// How far a walk came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// Bytes from the start to the header of the next frame.
    pub(super) bytes: usize,
    /// Frames in them, those that were left out included.
    pub(super) frames: u32,
    /// Of the frames, those that the kernel counts as dropped by the interface although they were captured.
    pub(super) unwanted: u32,
    /// Whether what follows cannot be trusted.
    pub(super) is_broken: bool,
}

/// What a header says.
struct Stepped {
    /// The frame, if it is one to keep.
    frame: Option<FrameMeta>,
    is_unwanted: bool,
    bytes_to_next: usize,
}

/// Adds up to a batch of frames, of the `left` that start with `bytes`. Their offsets are from its start, their numbers follow `number`.
pub(super) fn walk(bytes: &mut [u8], left: u32, of: Of, number: &mut u64, to: &mut Vec<FrameMeta>) -> Walked {
    let mut walked = Walked { bytes: 0, frames: 0, unwanted: 0, is_broken: false };
    while walked.frames < left && to.len() < BATCH_FRAMES {
        let Some(Stepped { frame, is_unwanted, bytes_to_next }) = step(&mut bytes[walked.bytes..], of) else {
            walked.is_broken = true;
            break;
        };
        walked.frames += 1;
        walked.unwanted += u32::from(is_unwanted);
        if let Some(meta) = frame {
            *number += 1;
            to.push(FrameMeta { offset: walked.bytes + meta.offset, number: *number, ..meta });
        }
        walked.bytes += bytes_to_next;
    }
    walked
}

/// What the header says that `bytes` starts with.
fn step(bytes: &mut [u8], of: Of) -> Option<Stepped> {
    let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    let number = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let short = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let (next, captured, wire, status) = (number(NEXT_OFFSET), number(SNAPLEN), number(LEN), number(STATUS));
    let (tci, tpid, kind) = (number(VLAN_TCI) as u16, short(VLAN_TPID), header[PACKET_TYPE]);
    let mut offset = usize::from(short(MAC));
    let time = Timestamp::from_parts(u64::from(number(SEC)), u64::from(number(NSEC)));
    let end = offset.checked_add(captured as usize)?;
    // The last frame of a block has no next one, or one at the end of the block.
    let to_next = if next == 0 { bytes.len() } else { next as usize };
    if offset < HEADER_BYTES || end > to_next || to_next > bytes.len() {
        return None;
    }
    if of.is_loopback && kind == libc::PACKET_OUTGOING {
        return Some(Stepped { frame: None, is_unwanted: false, bytes_to_next: to_next });
    }
    let (mut tag_bytes, mut is_unwanted) = (0, false);
    if status & libc::TP_STATUS_VLAN_VALID != 0 && of.link == LinkType::ETHERNET && captured as usize >= ADDRESSES_BYTES
    {
        is_unwanted = !is_wanted(bytes.get(offset + ADDRESSES_BYTES..end)?);
        let tpid = if status & libc::TP_STATUS_VLAN_TPID_VALID != 0 { tpid } else { libc::ETH_P_8021Q as u16 };
        offset = put_tag(bytes, offset, tpid, tci)?;
        tag_bytes = TAG_BYTES as u32;
    }
    let meta = FrameMeta {
        offset,
        time,
        number: 0,
        captured_bytes: (captured + tag_bytes).min(of.snap_bytes),
        wire_bytes: wire.saturating_add(tag_bytes),
        file: of.file,
        link: of.link,
    };
    Some(Stepped { frame: Some(meta), is_unwanted, bytes_to_next: to_next })
}

/// Whether every kernel has a protocol for what follows these bytes' EtherType. Of what it has none for, and whose tag it took off, it says
/// after capture that the interface dropped it.
fn is_wanted(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 0x00 | 0x06, ..] | [0x86, 0xdd, ..])
}

/// Moves the addresses at `offset` to the front and puts a tag behind them; gives where they are then.
fn put_tag(bytes: &mut [u8], offset: usize, tpid: u16, tci: u16) -> Option<usize> {
    let to = offset.checked_sub(TAG_BYTES).filter(|&to| to >= HEADER_BYTES)?;
    let place = bytes.get_mut(to..offset + ADDRESSES_BYTES)?;
    place.copy_within(TAG_BYTES.., 0);
    place[ADDRESSES_BYTES..][..2].copy_from_slice(&tpid.to_be_bytes());
    place[ADDRESSES_BYTES + 2..].copy_from_slice(&tci.to_be_bytes());
    Some(to)
}

/// Bytes of a VLAN tag.
pub(super) const TAG_BYTES: usize = 4;

/// Two hardware addresses.
const ADDRESSES_BYTES: usize = 12;

/// Where numbers are in `struct tpacket3_hdr`, and the `struct sockaddr_ll` behind it.
const NEXT_OFFSET: usize = std::mem::offset_of!(libc::tpacket3_hdr, tp_next_offset);
const SEC: usize = std::mem::offset_of!(libc::tpacket3_hdr, tp_sec);
const NSEC: usize = std::mem::offset_of!(libc::tpacket3_hdr, tp_nsec);
const SNAPLEN: usize = std::mem::offset_of!(libc::tpacket3_hdr, tp_snaplen);
const LEN: usize = std::mem::offset_of!(libc::tpacket3_hdr, tp_len);
const STATUS: usize = std::mem::offset_of!(libc::tpacket3_hdr, tp_status);
const MAC: usize = std::mem::offset_of!(libc::tpacket3_hdr, tp_mac);
const VARIANT: usize = std::mem::offset_of!(libc::tpacket3_hdr, hv1);
const VLAN_TCI: usize = VARIANT + std::mem::offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tci);
const VLAN_TPID: usize = VARIANT + std::mem::offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tpid);
const PACKET_TYPE: usize = size_of::<libc::tpacket3_hdr>() + std::mem::offset_of!(libc::sockaddr_ll, sll_pkttype);
const HEADER_BYTES: usize = libc::TPACKET3_HDRLEN;

#[cfg(test)]
mod tests;
