//! [`Frame`]: captured bytes and what the capture says of them.

use crate::time::Timestamp;

/// Link-layer header type, as <https://www.tcpdump.org/linktypes.html> numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback, host byte order of the capturing machine.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// ARCNET (BSD).
    pub const ARCNET: Self = Self(7);
    /// PPP, with or without HDLC-like framing.
    pub const PPP: Self = Self(9);
    /// FDDI.
    pub const FDDI: Self = Self(10);
    /// Raw IP (some BSDs).
    pub const RAW_12: Self = Self(12);
    /// Raw IP (OpenBSD).
    pub const RAW_14: Self = Self(14);
    /// PPP in HDLC-like framing.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE session frames.
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP.
    pub const RAW: Self = Self(101);
    /// Frame Relay.
    pub const FRAME_RELAY: Self = Self(107);
    /// OpenBSD loopback, network byte order.
    pub const LOOP: Self = Self(108);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// Linux "cooked" v1.
    pub const LINUX_SLL: Self = Self(113);
    /// ARCNET (Linux).
    pub const ARCNET_LINUX: Self = Self(129);
    /// IEEE 802.11.
    pub const WIFI: Self = Self(105);
    /// IEEE 802.11 behind a Prism header.
    pub const WIFI_PRISM: Self = Self(119);
    /// IEEE 802.11 behind a radiotap header.
    pub const WIFI_RADIOTAP: Self = Self(127);
    /// IEEE 802.11 behind an AVS header.
    pub const WIFI_AVS: Self = Self(163);
    /// Per-packet information, then any other link type.
    pub const PPI: Self = Self(192);
    /// Linux netfilter log.
    pub const NFLOG: Self = Self(239);
    /// PPP with a direction byte.
    pub const PPP_WITH_DIR: Self = Self(166);
    /// MPLS label stack.
    pub const MPLS: Self = Self(219);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" v2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// Which frame, and when: what an alert names. Orders as the captures were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FrameRef {
    /// 0-based position of its file among all files.
    pub file: u32,
    /// 1-based number in its file.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
}

/// What a capture says of a frame besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMeta {
    /// Where the bytes start in the batch's data.
    pub offset: usize,
    /// When it was captured.
    pub time: Timestamp,
    /// 1-based number in its file.
    pub number: u64,
    /// Bytes captured.
    pub captured_bytes: u32,
    /// Bytes it had on the wire.
    pub wire_bytes: u32,
    /// 0-based position of its file among all files.
    pub file: u32,
    /// Link-layer header type.
    pub link: LinkType,
}

impl FrameMeta {
    /// Which frame this is.
    #[inline]
    pub fn reference(&self) -> FrameRef {
        FrameRef { file: self.file, number: self.number, time: self.time }
    }
}

/// One captured frame, borrowed.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The captured bytes.
    pub data: &'a [u8],
    /// The rest.
    pub meta: FrameMeta,
}

crate::bytes::opaque_debug!(Frame<'_>, "Frame");
