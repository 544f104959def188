//! Blocks: their framing, and the fields of the section header and of the three packet blocks.

use super::super::fault::Fault;
use super::super::format::Window;
use super::End;

/// Section header block; reads the same in both byte orders.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
/// Interface description block.
pub(super) const INTERFACE: u32 = 1;
/// Packet block, obsolete.
pub(super) const PACKET: u32 = 2;
/// Simple packet block.
pub(super) const SIMPLE_PACKET: u32 = 3;
/// Enhanced packet block.
pub(super) const ENHANCED_PACKET: u32 = 6;

/// What a section header says in its own byte order.
pub(super) const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// The version of the format; any minor version is read.
pub(super) const MAJOR_VERSION: u16 = 1;

/// Type and length.
pub(super) const HEAD_BYTES: usize = 8;
/// Type, length, and the length again at the end.
pub(super) const FRAMING_BYTES: usize = HEAD_BYTES + 4;
/// Of a section header with no options.
pub(super) const MIN_SECTION_BYTES: u32 = 28;
/// Of an interface description with no options.
pub(super) const MIN_INTERFACE_BYTES: u32 = 20;

/// Longest block that is read rather than skipped: the longest frame with as many bytes of options as fit beside it in
/// a stream's buffer.
pub(super) const MAX_BLOCK_BYTES: u32 = 384 * 1024;

/// Reads numbers in a section's byte order.
pub(super) struct Order<const BIG: bool>;

impl<const BIG: bool> Order<BIG> {
    pub(super) fn u16(bytes: [u8; 2]) -> u16 {
        if BIG { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    pub(super) fn u32(bytes: [u8; 4]) -> u32 {
        if BIG { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// The number at `at`, where the caller knows that it lies within.
    pub(super) fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
        Self::u32([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    }

    pub(super) fn i64(bytes: [u8; 8]) -> i64 {
        if BIG { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) }
    }
}

/// Whether a block of this length can be stepped over.
pub(super) fn check_length(kind: u32, total: u32, min: u32) -> Result<(), End> {
    if total < min || !total.is_multiple_of(4) {
        return Err(End::Stop(Fault::BadBlockLength { kind, total }));
    }
    Ok(())
}

/// What lies between the lengths of the block at `window.at`. Does not advance.
#[inline(always)]
pub(super) fn body<'w, const BIG: bool>(window: &Window<'w>, kind: u32, min: u32) -> Result<&'w [u8], End> {
    let rest = window.bytes.get(window.at..).ok_or(End::More)?;
    let first = Order::<BIG>::u32_at(rest.first_chunk::<8>().ok_or(End::More)?, 4);
    check_length(kind, first, min)?;
    if first > MAX_BLOCK_BYTES {
        return Err(End::Stop(Fault::BadBlockLength { kind, total: first }));
    }
    let block = rest.get(..first as usize).ok_or(End::More)?;
    let (block, tail) = block.split_last_chunk::<4>().ok_or(End::More)?;
    let second = Order::<BIG>::u32(*tail);
    if first != second {
        return Err(End::Stop(Fault::BlockLengthMismatch { first, second }));
    }
    block.get(HEAD_BYTES..).ok_or(End::More)
}

/// Major and minor version of a section header's body.
pub(super) fn section_version<const BIG: bool>(body: &[u8]) -> Result<(u16, u16), End> {
    let [.., a, b, c, d] = *body.first_chunk::<8>().ok_or(End::More)?;
    Ok((Order::<BIG>::u16([a, b]), Order::<BIG>::u16([c, d])))
}

/// The fields before a packet's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacketHeader {
    pub(super) interface: u32,
    /// In the interface's resolution; a simple packet has none.
    pub(super) ticks: Option<u64>,
    /// A simple packet does not say it.
    pub(super) captured: Option<u32>,
    pub(super) wire: u32,
    /// How many bytes of the body these fields take.
    pub(super) bytes: usize,
}

impl PacketHeader {
    /// Shortest block of this type, with no packet bytes at all.
    pub(super) fn min_block_bytes(kind: u32) -> u32 {
        let fields = if kind == SIMPLE_PACKET { SIMPLE_FIELDS } else { FIELDS };
        (fields + FRAMING_BYTES) as u32
    }

    #[inline(always)]
    pub(super) fn parse<const BIG: bool>(kind: u32, body: &[u8]) -> Result<Self, End> {
        if kind == SIMPLE_PACKET {
            let wire = Order::<BIG>::u32(*body.first_chunk::<4>().ok_or(End::More)?);
            return Ok(Self { interface: 0, ticks: None, captured: None, wire, bytes: SIMPLE_FIELDS });
        }
        let fields = body.first_chunk::<FIELDS>().ok_or(End::More)?;
        let field = |at: usize| Order::<BIG>::u32_at(fields, at);
        let interface = match kind {
            ENHANCED_PACKET => field(0),
            _ => u32::from(Order::<BIG>::u16([fields[0], fields[1]])),
        };
        Ok(Self {
            interface,
            ticks: Some(u64::from(field(4)) << 32 | u64::from(field(8))),
            captured: Some(field(12)),
            wire: field(16),
            bytes: FIELDS,
        })
    }
}

/// Interface (and drops), time, captured and wire length.
const FIELDS: usize = 20;
/// Wire length.
const SIMPLE_FIELDS: usize = 4;
