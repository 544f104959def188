//! [`FlowKey`]: what makes two packets one conversation, and the hash that spreads them.

use crate::packet::{Address, Ends, Packet, protocol};

/// The canonical 5-tuple, VLAN tags and tunnel: the same for both directions.
///
/// Every packet is compared with the flow it may be of: arrays, for they are compared whole, with no branch between their words.
#[derive(Clone, Copy, Eq, Default)]
pub struct FlowKey {
    /// Addresses, the low end's first.
    ends: [[u64; 2]; 2],
    /// [`FlowKey::what`] and [`FlowKey::network`].
    rest: [u64; 2],
}

impl PartialEq for FlowKey {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        (self.ends == other.ends) & (self.rest == other.rest)
    }
}

crate::bytes::opaque_debug!(FlowKey, "FlowKey");

/// Which end of a key a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// The end that sorts first.
    #[default]
    Low,
    /// The other.
    High,
}

/// Secret that hashes are mixed with: random per process when live, fixed in replay so that output repeats.
#[derive(Debug, Clone, Copy)]
pub struct HashSeed(pub u64);

impl HashSeed {
    /// An unpredictable one: what live capture takes.
    pub fn random() -> Self {
        use std::hash::{BuildHasher, Hasher, RandomState};
        Self(RandomState::new().build_hasher().finish())
    }
}

impl FlowKey {
    /// The key of a packet and the end it came from; `None` without addresses.
    ///
    /// ICMP types that answer each other share a key (Community ID's pairing); a later fragment, which has no ports, keys
    /// on the addresses alone.
    #[inline]
    pub fn of(packet: &Packet) -> Option<(Self, End)> {
        let ports = match packet.protocol {
            protocol::ICMP | protocol::ICMPV6 => icmp_ports(packet),
            _ => (packet.source_port, packet.destination_port),
        };
        (packet.ip_version != 0).then(|| Self::between(packet, ports))
    }

    /// The same for a packet that has addresses and is not ICMP.
    #[inline(always)]
    pub fn of_ports(packet: &Packet) -> (Self, End) {
        Self::between(packet, (packet.source_port, packet.destination_port))
    }

    /// Makes the key that of an IPv4 packet of those, without VLAN tag and tunnel: address and port of an end are one number. It must be
    /// such a key already, or the default: what they have in common is not written again.
    #[inline(always)]
    pub fn set_ipv4(&mut self, packet: &Packet) -> End {
        debug_assert!((self.ends[0][0] | self.ends[1][0] | self.rest[1]) == 0, "another key");
        let source = packet.source.halves()[1] << 16 | u64::from(packet.source_port);
        let destination = packet.destination.halves()[1] << 16 | u64::from(packet.destination_port);
        let from_low = source <= destination;
        // As below: no branch.
        let part = (source ^ destination) & u64::from(from_low).wrapping_sub(1);
        let (low, high) = (source ^ part, destination ^ part);
        self.ends[0][1] = low >> 16;
        self.ends[1][1] = high >> 16;
        self.rest[0] = low << 48 | (high & 0xffff) << 32 | u64::from(packet.protocol) << 8;
        End::of(from_low)
    }

    #[inline(always)]
    fn between(packet: &Packet, (source_port, destination_port): (u16, u16)) -> (Self, End) {
        let (source, destination) = (packet.source.halves(), packet.destination.halves());
        // Which end is which is a coin's toss: no branch, or half of them would be guessed wrong. That the upper halves are equal is
        // none: they are in IPv4.
        let is_near = source[0] == destination[0];
        let from_low = match is_near {
            true => (source[1] < destination[1]) | ((source[1] == destination[1]) & (source_port <= destination_port)),
            false => source[0] < destination[0],
        };
        let swap = u64::from(from_low).wrapping_sub(1);
        let high_part = if is_near { 0 } else { (source[0] ^ destination[0]) & swap };
        let low_part = (source[1] ^ destination[1]) & swap;
        let ports = u32::from(source_port) << 16 | u32::from(destination_port);
        let ports = if from_low { ports } else { ports.rotate_left(16) };
        let low = [source[0] ^ high_part, source[1] ^ low_part];
        let high = [destination[0] ^ high_part, destination[1] ^ low_part];
        let what = u64::from(ports) << 32 | u64::from(packet.protocol) << 8 | packet.ends as u64;
        let network = u64::from(packet.vlan_key) << 32 | u64::from(packet.tunnel);
        let key = Self { ends: [low, high], rest: [what, network] };
        (key, End::of(from_low))
    }

    /// A multiplication and a finish; one more each for what IPv4 outside tunnels and VLANs does not have. Not a proven PRF: tables that
    /// use it are of fixed size with bounded buckets, so that collisions can evict and never slow down.
    #[inline]
    pub fn hash(&self, seed: HashSeed) -> u64 {
        let ([low, high], [what, network]) = (self.ends, self.rest);
        let mut b = what;
        if low[0] | high[0] != 0 {
            b ^= fold(low[0] ^ MULTIPLES[1], high[0] ^ seed.0 ^ MULTIPLES[3]);
        }
        if network != 0 {
            b ^= fold(network ^ seed.0 ^ MULTIPLES[0], MULTIPLES[1]);
        }
        mix(low[1], high[1], b, seed)
    }

    /// The same for a key of [`FlowKey::set_ipv4`].
    #[inline(always)]
    pub fn hash_ipv4(&self, seed: HashSeed) -> u64 {
        mix(self.ends[0][1], self.ends[1][1], self.rest[0], seed)
    }

    /// Address and port of one end (ICMP: what stands for the port).
    pub fn end(&self, end: End) -> (Address, u16) {
        let (low, high) = self.ports();
        match end {
            End::Low => (Address::from_halves(self.ends[0]), low),
            End::High => (Address::from_halves(self.ends[1]), high),
        }
    }

    /// Ports of the low and of the high end.
    #[inline]
    pub(super) fn ports(&self) -> (u16, u16) {
        ((self.what() >> 48) as u16, (self.what() >> 32) as u16)
    }

    /// From the top: port of the low end, port of the high end (16 bits each), IP protocol, [`Ends`] (8 bits each).
    #[inline(always)]
    fn what(&self) -> u64 {
        self.rest[0]
    }

    /// VLAN tags (upper half) and what tells the inner flows of different tunnels apart (lower half); 0 without any.
    #[inline]
    pub fn network(&self) -> u64 {
        self.rest[1]
    }

    /// IP protocol number; 0 without IP.
    #[inline]
    pub fn protocol(&self) -> u8 {
        (self.what() >> 8) as u8
    }

    /// Tells the tunnels apart that it was in; 0 outside any.
    pub fn tunnel(&self) -> u32 {
        self.rest[1] as u32
    }

    /// What its ends are.
    pub fn ends(&self) -> Ends {
        [Ends::Ip, Ends::Arp, Ends::Hardware]
            .into_iter()
            .find(|&ends| self.what() as u8 == ends as u8)
            .unwrap_or_default()
    }
}

impl End {
    #[inline(always)]
    fn of(is_low: bool) -> Self {
        if is_low { Self::Low } else { Self::High }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// ICMP types that answer each other stand for the ports.
#[cold]
fn icmp_ports(packet: &Packet) -> (u16, u16) {
    let (kind, code) = (packet.source_port as u8, packet.destination_port as u8);
    let (kind, other, _) = super::community_id::icmp_ports(packet.protocol, kind, code);
    (kind, other)
}

#[inline(always)]
fn mix(low: u64, high: u64, rest: u64, seed: HashSeed) -> u64 {
    let ends = fold(low ^ seed.0 ^ MULTIPLES[2], high ^ MULTIPLES[0]);
    fold(ends ^ MULTIPLES[2], rest ^ MULTIPLES[3])
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// Arbitrary odd constants (digits of pi) that keep zeros from annihilating.
const MULTIPLES: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(source: [u8; 4], destination: [u8; 4], ports: (u16, u16)) -> Packet {
        Packet {
            ip_version: 4,
            source: Address::v4(source),
            destination: Address::v4(destination),
            source_port: ports.0,
            destination_port: ports.1,
            protocol: protocol::TCP,
            ..Packet::default()
        }
    }

    #[test]
    fn both_directions_have_one_key() {
        let (there, from) = FlowKey::of(&packet([192, 0, 2, 1], [198, 51, 100, 2], (40000, 80))).expect("key");
        let (back, to) = FlowKey::of(&packet([198, 51, 100, 2], [192, 0, 2, 1], (80, 40000))).expect("key");
        assert_eq!(there, back);
        assert_eq!(from, to.other());
        assert_eq!(there.end(from).1, 40000);
        let seed = HashSeed(7);
        assert_eq!(there.hash(seed), back.hash(seed));
        assert_ne!(there.hash(seed), there.hash(HashSeed(8)));
    }

    #[test]
    fn the_short_way_for_ipv4_is_the_same() {
        let ends =
            [([192, 0, 2, 1], 40000), ([192, 0, 2, 1], 80), ([10, 0, 0, 255], 80), ([223, 255, 255, 255], 0xffff)];
        let mut key = FlowKey::default();
        for (source, source_port) in ends {
            for (destination, destination_port) in ends {
                let packet = packet(source, destination, (source_port, destination_port));
                let from = key.set_ipv4(&packet);
                assert!(FlowKey::of(&packet) == Some((key, from)));
                assert_eq!(key.hash_ipv4(HashSeed(7)), key.hash(HashSeed(7)));
            }
        }
    }

    #[test]
    fn a_tag_or_a_port_makes_another_flow() {
        let plain = packet([192, 0, 2, 1], [198, 51, 100, 2], (40000, 80));
        let tagged = Packet { vlan_key: 0x1005, ..plain };
        let other = Packet { source_port: 40001, ..plain };
        let keys = [plain, tagged, other].map(|p| FlowKey::of(&p).expect("key").0);
        assert!(keys[0] != keys[1] && keys[0] != keys[2]);
        let hashes = keys.map(|k| k.hash(HashSeed(0)));
        assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2]);
    }

    #[test]
    fn hashes_spread_over_every_bit() {
        let mut ones = [0u32; 64];
        for n in 0..4096u32 {
            let [_, _, c, d] = n.to_be_bytes();
            let (key, _) = FlowKey::of(&packet([10, 0, c, d], [10, 1, 0, 1], (1000, 80))).expect("key");
            let hash = key.hash(HashSeed(1));
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += (hash >> bit & 1) as u32;
            }
        }
        assert!(ones.iter().all(|&n| (1700..2400).contains(&n)), "{ones:?}");
    }
}
