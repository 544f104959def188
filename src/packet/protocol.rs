//! IP protocol numbers that something here treats specially (IANA, Assigned Internet Protocol Numbers).

/// ICMP.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMPV6: u8 = 58;
/// SCTP.
pub const SCTP: u8 = 132;
pub(super) const IPV4: u8 = 4;
pub(super) const IPV6: u8 = 41;
pub(super) const GRE: u8 = 47;
pub(super) const ESP: u8 = 50;
pub(super) const NHRP: u8 = 54;
pub(super) const NO_NEXT_HEADER: u8 = 59;
/// KA9Q's number for IPv4 in IPv4.
pub(super) const IPIP: u8 = 94;
pub(super) const ETHER_IP: u8 = 97;
pub(super) const IPCOMP: u8 = 108;
pub(super) const L2TP: u8 = 115;
pub(super) const MPLS: u8 = 137;
pub(super) const ETHERNET: u8 = 143;
