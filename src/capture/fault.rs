//! [`Fault`]: what can be wrong inside a capture file, one short stable code each.

/// Why a record, a block or the rest of a file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the file ends inside its {need}-byte header, after {have} bytes")]
    TruncatedHeader { have: usize, need: usize },
    #[error("version {major}.{minor} of the format is not known")]
    UnknownVersion { major: u16, minor: u16 },
    #[error(
        "a record claims {bytes} captured bytes, more than the {max} that any capture tool writes; the file is damaged here"
    )]
    RecordTooLong { bytes: u32, max: u32 },
    #[error("a section header does not say its byte order (magic {0:#010x})")]
    BadByteOrder(u32),
    #[error("a block of type {kind:#x} claims a length of {total}, which no such block can have")]
    BadBlockLength { kind: u32, total: u32 },
    #[error("a block says {first} bytes at its start and {second} at its end")]
    BlockLengthMismatch { first: u32, second: u32 },
    #[error("a block of type {kind:#x} with {total} bytes is longer than the {max} that are read; it was skipped")]
    BlockTooLong { kind: u32, total: u32, max: u32 },
    #[error("a packet claims {captured} captured bytes where its block holds {room}; it was skipped")]
    PacketPastBlock { captured: u32, room: u32 },
    #[error("a packet names interface {index}, but its section describes {known}; it was skipped")]
    UnknownInterface { index: u32, known: usize },
    #[error("a section describes more than {max} interfaces; packets of further ones are skipped")]
    TooManyInterfaces { max: usize },
}

impl Fault {
    /// Short stable word for counters.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::TruncatedHeader { .. } => "truncated_header",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::RecordTooLong { .. } => "record_too_long",
            Self::BadByteOrder(_) => "bad_byte_order",
            Self::BadBlockLength { .. } => "bad_block_length",
            Self::BlockLengthMismatch { .. } => "block_length_mismatch",
            Self::BlockTooLong { .. } => "block_too_long",
            Self::PacketPastBlock { .. } => "packet_past_block",
            Self::UnknownInterface { .. } => "unknown_interface",
            Self::TooManyInterfaces { .. } => "too_many_interfaces",
        }
    }
}
