//! Lists that rules ask of: [`Values`] that a value may be equal to, and [`Addresses`] with what is thought of each.
//!
//! They are indicators' values: `Debug` shows nothing.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::rule::{mapped, mask};

/// Texts or digests, byte for byte.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Values(HashSet<Box<[u8]>, RandomState>);

impl FromIterator<Box<[u8]>> for Values {
    fn from_iter<I: IntoIterator<Item = Box<[u8]>>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Values {
    /// Whether this is one of them.
    pub fn contains(&self, value: &[u8]) -> bool {
        self.0.contains(value)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|value| &**value)
    }
}

/// Addresses and networks, each with a number.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    hosts: HashMap<u128, u8, RandomState>,
    /// By length of the prefix, the longest first.
    networks: Vec<(u8, HashMap<u128, u8, RandomState>)>,
}

impl Addresses {
    /// Puts in a network of 128 bits (IPv4 mapped into IPv6), in place of what was said of it before.
    pub fn put(&mut self, (network, length): (u128, u8), number: u8) {
        if length >= 128 {
            // 0 says nothing of a host: its network's counts.
            match number {
                0 => drop(self.hosts.remove(&network)),
                _ => drop(self.hosts.insert(network, number)),
            }
            return;
        }
        let at = self.networks.partition_point(|(other, _)| *other > length);
        if self.networks.get(at).is_none_or(|(other, _)| *other != length) {
            self.networks.insert(at, (length, HashMap::default()));
        }
        self.networks[at].1.insert(network & mask(length), number);
    }

    /// What is said of an address: of itself, or else of the smallest network that it is in.
    pub fn number_of(&self, ip: IpAddr) -> Option<u8> {
        let bits = mapped(ip);
        let of_network = || self.networks.iter().find_map(|(length, all)| all.get(&(bits & mask(*length))));
        self.hosts.get(&bits).or_else(of_network).copied()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = ((u128, u8), u8)> {
        let networks =
            self.networks.iter().flat_map(|(length, all)| all.iter().map(|(bits, n)| ((*bits, *length), *n)));
        self.hosts.iter().map(|(bits, number)| ((*bits, 128), *number)).chain(networks)
    }
}

crate::bytes::opaque_debug!(Values, "Values");
crate::bytes::opaque_debug!(Addresses, "Addresses");

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str, length: u8) -> (u128, u8) {
        (mapped(text.parse().expect("an address")), length)
    }

    #[test]
    fn the_narrowest_says_it() {
        let mut all = Addresses::default();
        all.put(network("192.0.2.0", 96 + 24), 10);
        all.put(network("192.0.2.0", 96 + 16), 20);
        all.put(network("192.0.2.7", 128), 30);
        all.put(network("2001:db8::", 32), 40);
        all.put(network("192.0.2.7", 128), 31);
        for (ip, number) in [
            ("192.0.2.7", Some(31)),
            ("192.0.2.8", Some(10)),
            ("192.0.3.8", Some(20)),
            ("192.1.3.8", None),
            ("2001:db8:1::", Some(40)),
            ("2001:db9::", None),
        ] {
            assert_eq!(all.number_of(ip.parse().expect("an address")), number, "{ip}");
        }
        assert_eq!(all.iter().count(), 4);
        let values: Values = [Box::from(&b"a"[..])].into_iter().collect();
        assert!(values.contains(b"a") && !values.contains(b"A") && values.iter().eq([&b"a"[..]]));
    }
}
