//! [`Prefix`]: addresses, addresses with a port, and networks.
//!
//! A filter of every address that has an indicator of its own, with or without a port, decides nearly all: a clean end of a
//! flow costs its one line. Behind it single addresses and address:port pairs are keys of their own in a second filter and
//! a table, so that an address listed with a thousand ports costs no more than one. Networks are a trie behind a small
//! bitmap. IPv4-mapped IPv6 addresses are IPv4.

use std::net::IpAddr;

use prefix_trie::PrefixMap;

use super::bloom::Bloom;
use super::exact::{Exact, Filler};
use super::hash::{Seeds, mix};
use crate::indicator::{Index, Indicator, IndicatorIx, IndicatorSet};

/// Every address and network of a set. The contract of [`Bloom`] holds for the whole.
pub struct Prefix {
    seeds: Seeds,
    addresses: Bloom,
    /// Addresses that are listed without a port, and address:port pairs.
    keys: Bloom,
    single: Exact,
    v4: PrefixMap<(u32, u8), Run>,
    v6: PrefixMap<(u128, u8), Run>,
    /// The indicators of each network, in runs.
    networks: Vec<IndicatorIx>,
    gate: Gate,
}

/// One end of a flow, hashed: see [`Prefix::key`]. The default is no end's.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndpointKey {
    addr: u64,
    port: u64,
    gate: u32,
}

/// Part of [`Prefix::networks`]: start and end.
type Run = (u32, u32);

impl Prefix {
    /// Indexes every address and network of `set`.
    pub(super) fn build(set: &IndicatorSet, seeds: Seeds) -> Self {
        let ours = || set.of_index(Index::Prefix);
        let count = ours().filter(|i| single(i).is_some()).count();
        let mut prefix = Self {
            seeds,
            addresses: Bloom::for_keys(count),
            keys: Bloom::for_keys(count),
            single: Exact::for_keys(count),
            v4: PrefixMap::new(),
            v6: PrefixMap::new(),
            networks: Vec::new(),
            gate: Gate::default(),
        };
        let same = |a: Indicator<'_>, b: Indicator<'_>| (a.value, a.port) == (b.value, b.port);
        let (mut addresses, mut keys) = (prefix.addresses.filling(), prefix.keys.filling());
        let mut filler = Filler::new(&mut prefix.single, |a, b| same(set.get(a), set.get(b)));
        for indicator in ours() {
            let Some(ip) = single(&indicator) else {
                prefix.networks.push(indicator.ix);
                continue;
            };
            let addr = addr_hash(&seeds, ip);
            let key = indicator.port.map_or(addr, |port| port_hash(&seeds, addr, port));
            addresses.insert(addr);
            keys.insert(key);
            filler.insert(key, indicator.ix);
        }
        addresses.finish();
        keys.finish();
        filler.finish();
        prefix.build_networks(set);
        prefix
    }

    fn build_networks(&mut self, set: &IndicatorSet) {
        self.networks.sort_by_key(|&ix| set.get(ix).value);
        let nets: Vec<Net> = self.networks.iter().filter_map(|&ix| network(set.get(ix).value)).collect();
        debug_assert_eq!(nets.len(), self.networks.len(), "a value of another form");
        self.gate = Gate::new(&nets);
        let mut start = 0;
        for run in nets.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            let place = (start as u32, end as u32);
            match run[0] {
                Net::V4(bits, length) => self.v4.insert((bits, length), place),
                Net::V6(bits, length) => self.v6.insert((bits, length), place),
            };
            start = end;
        }
    }

    /// Hashes one end of a flow. Without a port (an answer's address, ICMP) no indicator that has one is found.
    #[inline]
    pub fn key(&self, ip: IpAddr, port: Option<u16>) -> EndpointKey {
        let ip = ip.to_canonical();
        let addr = addr_hash(&self.seeds, ip);
        EndpointKey {
            addr,
            port: port.map_or(addr, |port| port_hash(&self.seeds, addr, port)),
            gate: self.gate.place(ip),
        }
    }

    /// Asks for the key's line ahead of use.
    #[inline]
    pub fn prefetch(&self, key: &EndpointKey) {
        self.addresses.prefetch(self.addresses.probe(key.addr));
    }

    /// Whether an indicator may cover this end.
    #[inline]
    pub fn maybe(&self, key: &EndpointKey) -> bool {
        self.gate.open(key.gate) | self.maybe_single(key)
    }

    #[inline(always)]
    fn maybe_single(&self, key: &EndpointKey) -> bool {
        self.addresses.maybe(self.addresses.probe(key.addr))
            && (self.keys.maybe(self.keys.probe(key.addr)) || self.keys.maybe(self.keys.probe(key.port)))
    }

    /// Every indicator that covers this end: networks widest first, then the address, then address and port.
    #[inline]
    pub fn find(&self, set: &IndicatorSet, ip: IpAddr, port: Option<u16>, mut found: impl FnMut(IndicatorIx, Covered)) {
        let (ip, key) = (ip.to_canonical(), self.key(ip, port));
        if self.gate.open(key.gate) {
            self.find_networks(set, ip, port, &mut found);
        }
        if !self.maybe_single(&key) {
            return;
        }
        let same = |ix, port| {
            let indicator = set.get(ix);
            indicator.port == port && single(&indicator) == Some(ip)
        };
        self.single.find(key.addr, |ix| same(ix, None)).for_each(|ix| found(ix, Covered::Address));
        if port.is_some() {
            self.single.find(key.port, |ix| same(ix, port)).for_each(|ix| found(ix, Covered::Port));
        }
    }

    fn find_networks(
        &self,
        set: &IndicatorSet,
        ip: IpAddr,
        port: Option<u16>,
        found: &mut impl FnMut(IndicatorIx, Covered),
    ) {
        let mut report = |bits: u8, run: Run| {
            for &ix in &self.networks[run.0 as usize..run.1 as usize] {
                let limit = set.get(ix).port;
                if limit.is_none() || limit == port {
                    found(ix, Covered::Network(bits));
                }
            }
        };
        match ip {
            IpAddr::V4(ip) => self.v4.cover(&(ip.to_bits(), 32)).for_each(|(net, run)| report(net.1, *run)),
            IpAddr::V6(ip) => self.v6.cover(&(ip.to_bits(), 128)).for_each(|(net, run)| report(net.1, *run)),
        }
    }

    /// Bytes on the heap: of the filters and the gate, of the table, of the networks.
    pub(super) fn memory_bytes(&self) -> (usize, usize, usize) {
        let filters = self.addresses.memory_bytes() + self.keys.memory_bytes() + self.gate.memory_bytes();
        let networks = self.v4.mem_size() + self.v6.mem_size() + self.networks.capacity() * size_of::<IndicatorIx>();
        (filters, self.single.memory_bytes(), networks)
    }

    /// Distinct addresses and address:port pairs; distinct networks.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.single.len(), self.v4.len() + self.v6.len())
    }
}

/// How an indicator covers an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covered {
    /// It is the address.
    Address,
    /// It is the address and the port.
    Port,
    /// It is a network of so many bits.
    Network(u8),
}

/// Which 16-bit starts of IPv4 addresses, and which hashed starts of IPv6 addresses, lie in some network.
#[derive(Default)]
pub(super) struct Gate {
    /// IPv4 in the first half, IPv6 in the second; empty when there is no network.
    bits: Box<[u64]>,
    /// Bits of an IPv6 address that are hashed: as many as the widest network has, up to 32.
    v6_bits: u32,
}

impl Gate {
    pub(super) fn new(nets: &[Net]) -> Self {
        if nets.is_empty() {
            return Self::default();
        }
        let widest =
            nets.iter().filter_map(|net| if let Net::V6(_, length) = net { Some(*length) } else { None }).min();
        let mut gate = Self {
            bits: vec![0; 2 * GATE_HALF as usize / 64].into_boxed_slice(),
            v6_bits: u32::from(widest.unwrap_or(0)).min(32),
        };
        for net in nets {
            match *net {
                Net::V4(bits, length) => {
                    let first = bits >> 16;
                    let last = first | 0xffff_u32.checked_shr(u32::from(length)).unwrap_or(0);
                    (first..=last).for_each(|place| gate.set(place));
                }
                Net::V6(bits, _) => gate.set(gate.place(IpAddr::V6(bits.into()))),
            }
        }
        gate
    }

    #[inline(always)]
    pub(super) fn place(&self, ip: IpAddr) -> u32 {
        match ip {
            IpAddr::V4(ip) => ip.to_bits() >> 16,
            IpAddr::V6(ip) => {
                let start = (ip.to_bits() >> 96) as u64 & !(0xffff_ffff_u64 >> self.v6_bits);
                GATE_HALF | (mix(start, GATE_MIX) >> 48) as u32
            }
        }
    }

    #[inline(always)]
    pub(super) fn open(&self, place: u32) -> bool {
        self.bits.get(place as usize / 64).is_some_and(|word| word >> (place % 64) & 1 != 0)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bits.len() * 8
    }

    fn set(&mut self, place: u32) {
        self.bits[place as usize / 64] |= 1 << (place % 64);
    }
}

const GATE_HALF: u32 = 1 << 16;
const GATE_MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// A network: its bits and how many of them count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Net {
    V4(u32, u8),
    V6(u128, u8),
}

crate::bytes::opaque_debug!(Net, "Net");

/// The network that a normalised value of 5 or 17 bytes is.
fn network(value: &[u8]) -> Option<Net> {
    let (&length, addr) = value.split_last()?;
    if let Ok(octets) = addr.try_into() {
        return Some(Net::V4(u32::from_be_bytes(octets), length.min(32)));
    }
    addr.try_into().ok().map(|octets| Net::V6(u128::from_be_bytes(octets), length.min(128)))
}

/// The address that a normalised value of 4 or 16 bytes is.
fn single(indicator: &Indicator<'_>) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(indicator.value) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(indicator.value).ok().map(IpAddr::from)
}

#[inline(always)]
fn addr_hash(seeds: &Seeds, ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => seeds.word(u64::from(ip.to_bits())),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            seeds.words((bits >> 64) as u64, bits as u64)
        }
    }
}

#[inline(always)]
fn port_hash(seeds: &Seeds, addr: u64, port: u16) -> u64 {
    seeds.words(addr, u64::from(port))
}

#[cfg(test)]
#[path = "prefix/tests.rs"]
mod tests;
