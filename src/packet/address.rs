//! [`Address`]: an IP address in one fixed-size form, so that keys compare and hash without a branch on the version.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address; IPv4 in its mapped form `::ffff:a.b.c.d`, which unifies the two ways to write one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address([u64; 2]);

const MAPPED: u64 = 0xffff << 32;

impl Address {
    /// From IPv4 octets.
    #[inline]
    pub fn v4(octets: [u8; 4]) -> Self {
        Self([0, MAPPED | u64::from(u32::from_be_bytes(octets))])
    }

    /// From IPv6 octets.
    #[inline]
    pub fn v6(octets: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(octets);
        Self([(bits >> 64) as u64, bits as u64])
    }

    /// The standard library's form; IPv4-mapped IPv6 becomes IPv4.
    #[inline]
    pub fn ip(self) -> IpAddr {
        let [high, low] = self.0;
        if high == 0 && low >> 32 == MAPPED >> 32 {
            IpAddr::V4(Ipv4Addr::from_bits(low as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)))
        }
    }

    /// High and low half.
    #[inline]
    pub fn halves(self) -> [u64; 2] {
        self.0
    }

    /// From [`Address::halves`].
    #[inline]
    pub fn from_halves(halves: [u64; 2]) -> Self {
        Self(halves)
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(a) => Self::v4(a.octets()),
            IpAddr::V6(a) => Self::v6(a.octets()),
        }
    }
}

crate::bytes::opaque_debug!(Address, "Address");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_and_plain_are_one_address() {
        let plain: IpAddr = "192.0.2.1".parse().expect("v4");
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("v6");
        assert_eq!(Address::from(plain), Address::from(mapped));
        assert_eq!(Address::from(mapped).ip(), plain);
        let v6: IpAddr = "2001:db8::1".parse().expect("v6");
        assert_eq!(Address::from(v6).ip(), v6);
        assert_eq!(Address::from_halves(Address::from(v6).halves()), Address::from(v6));
    }
}
