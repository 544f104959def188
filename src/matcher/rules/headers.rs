//! [`Headers`]: which rules that ask for no more than a header are worth asking of a conversation, by the addresses of its ends.
//!
//! Each rule is filed under what it is about ([`Key`]): its networks, or its list. Single addresses are a table, networks a trie behind a
//! small bitmap, lists are asked once each, however many rules ask them. What is about no address is asked of every conversation.
//! It may name a rule that does not hold, never leave one out that does: who gets them asks the rule itself.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use prefix_trie::PrefixMap;

use crate::indicator::lists::Addresses;
use crate::indicator::rule::{Body, Key, mapped, mask};
use crate::indicator::{IndicatorIx, IndicatorSet};
use crate::matcher::prefix::{Gate, Net};

/// See the module.
#[derive(Default)]
pub(in crate::matcher) struct Headers {
    len: usize,
    hosts: HashMap<u128, Run, RandomState>,
    v4: PrefixMap<(u32, u8), Run>,
    v6: PrefixMap<(u128, u8), Run>,
    gate: Gate,
    /// The rules of each address and network, in runs.
    rules: Vec<IndicatorIx>,
    lists: Vec<(Arc<Addresses>, Vec<IndicatorIx>)>,
    others: Vec<IndicatorIx>,
}

/// Part of [`Headers::rules`]: start and end.
type Run = (u32, u32);

impl Headers {
    pub(super) fn build(set: &IndicatorSet) -> Self {
        let mut headers = Self::default();
        let mut filed: Vec<((u128, u8), IndicatorIx)> = Vec::new();
        for indicator in set.iter() {
            let Some(rule) = indicator.rule.filter(|rule| matches!(rule.body, Body::Header(_))) else { continue };
            headers.len += 1;
            match rule.ends.key() {
                Key::Networks(_, of) => {
                    filed.extend(of.iter().map(|&(bits, length)| ((bits & mask(length), length), indicator.ix)));
                }
                Key::Listed(thought) => {
                    match headers.lists.iter_mut().find(|(list, _)| Arc::ptr_eq(list, &thought.list)) {
                        Some((_, rules)) => rules.push(indicator.ix),
                        None => headers.lists.push((Arc::clone(&thought.list), vec![indicator.ix])),
                    }
                }
                Key::Port(_) | Key::Nothing => headers.others.push(indicator.ix),
            }
        }
        headers.file(filed);
        headers
    }

    fn file(&mut self, mut filed: Vec<((u128, u8), IndicatorIx)>) {
        filed.sort_unstable();
        filed.dedup();
        let mut nets = Vec::new();
        for of_network in filed.chunk_by(|a, b| a.0 == b.0) {
            let start = self.rules.len() as u32;
            self.rules.extend(of_network.iter().map(|(_, ix)| *ix));
            let run = (start, self.rules.len() as u32);
            let (bits, length) = of_network[0].0;
            let net = net(bits, length);
            match net {
                _ if length == 128 => drop(self.hosts.insert(bits, run)),
                Net::V4(bits, length) => drop(self.v4.insert((bits, length), run)),
                Net::V6(bits, length) => drop(self.v6.insert((bits, length), run)),
            }
            if length < 128 {
                nets.push(net);
            }
        }
        self.gate = Gate::new(&nets);
    }

    pub(in crate::matcher) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts every rule that may hold between these ends into `found`, each once, in the order of the set.
    pub(in crate::matcher) fn find(&self, ends: [IpAddr; 2], found: &mut Vec<IndicatorIx>) {
        found.clear();
        found.extend_from_slice(&self.others);
        for ip in ends.map(|ip| ip.to_canonical()) {
            let mut add = |run: &Run| found.extend_from_slice(&self.rules[run.0 as usize..run.1 as usize]);
            self.hosts.get(&mapped(ip)).into_iter().for_each(&mut add);
            if self.gate.open(self.gate.place(ip)) {
                match ip {
                    IpAddr::V4(ip) => self.v4.cover(&(ip.to_bits(), 32)).for_each(|(_, run)| add(run)),
                    IpAddr::V6(ip) => self.v6.cover(&(ip.to_bits(), 128)).for_each(|(_, run)| add(run)),
                }
            }
            for (list, rules) in &self.lists {
                if list.number_of(ip).is_some() {
                    found.extend_from_slice(rules);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
    }

    /// Bytes on the heap, without the lists: they are the rules'.
    pub(super) fn memory_bytes(&self) -> usize {
        self.hosts.allocation_size()
            + self.v4.mem_size()
            + self.v6.mem_size()
            + self.gate.memory_bytes()
            + (self.rules.capacity() + self.others.capacity()) * size_of::<IndicatorIx>()
    }
}

/// A network of 128 bits, as what it is of.
fn net(bits: u128, length: u8) -> Net {
    match Ipv6Addr::from_bits(bits).to_ipv4_mapped() {
        Some(ip) if length >= 96 => Net::V4(ip.to_bits(), length - 96),
        _ => Net::V6(bits, length),
    }
}

#[cfg(test)]
#[path = "headers/tests.rs"]
mod tests;
