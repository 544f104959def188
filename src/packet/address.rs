//! [`Address`]: an IP address in one fixed-size form, so that keys compare and hash without a branch on the version.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address; IPv4 in its mapped form `::ffff:a.b.c.d`, which unifies the two ways to write one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address([u64; 2]);

const MAPPED: u64 = 0xffff << 32;

/// The upper half of a hardware address.
const HARDWARE: u64 = 1;

impl Address {
    /// From IPv4 octets.
    #[inline]
    pub fn v4(octets: [u8; 4]) -> Self {
        Self([0, MAPPED | u64::from(u32::from_be_bytes(octets))])
    }

    /// Makes one that is IPv4 already, or the default, this one: half of it need not be written.
    #[inline]
    pub(super) fn set_v4(&mut self, octets: [u8; 4]) {
        debug_assert!(self.0[0] == 0, "another address");
        self.0[1] = MAPPED | u64::from(u32::from_be_bytes(octets));
    }

    /// From IPv6 octets.
    #[inline]
    pub fn v6(octets: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(octets);
        Self([(bits >> 64) as u64, bits as u64])
    }

    /// A hardware address in this form: `0:0:0:1:0` and its 48 bits, an address that the IETF keeps reserved (RFC 4291, 2.4).
    #[inline]
    pub fn hardware(octets: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = octets;
        Self([HARDWARE, u64::from_be_bytes([0, 0, a, b, c, d, e, f])])
    }

    /// From [`Address::hardware`]; `None` for an IP address.
    pub fn as_hardware(self) -> Option<[u8; 6]> {
        let [0, 0, octets @ ..] = self.0[1].to_be_bytes() else { return None };
        (self.0[0] == HARDWARE).then_some(octets)
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

/// A hardware address as the Elastic Common Schema writes it (RFC 7042): `00-00-5E-00-53-23`.
pub fn written(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02X}")).join("-")
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
    fn a_hardware_address_is_no_ip_address() {
        for octets in [[0; 6], [0, 0, 0x5e, 0, 0x53, 0x23], [0xff; 6]] {
            let address = Address::hardware(octets);
            assert_eq!(address.as_hardware(), Some(octets));
            assert_eq!(Address::from(address.ip()), address, "{address:?}");
        }
        for ip in ["0.0.0.0", "255.255.255.255", "::1", "2001:db8::1", "::1:1:0:0:0"] {
            assert_eq!(Address::from(ip.parse::<IpAddr>().expect("address")).as_hardware(), None, "{ip}");
        }
    }

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
