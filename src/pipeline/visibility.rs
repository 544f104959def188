//! [`Visibility`]: how many packets, bytes and flows were read to their end, and how many not and why, by VLAN and tunnel.
//!
//! It adds up: every packet is counted once, under one [`Verdict`], and so is every flow. A packet costs one addition to each of
//! two numbers that lie side by side. What only the end of a flow tells (a message that never ends, a direction that never comes)
//! waits in the flow's record until then, as numbers.

use std::io::{self, Write};

use hashbrown::HashMap;
use serde::Serialize;

use super::verdict::Verdict;

/// VLANs and tunnels told apart; what comes in further ones is counted together. There are 4094 VLAN ids.
const MAX_NETWORKS: usize = 8192;

/// Networks on a terminal; JSON has all.
const MAX_LINES: usize = 20;

/// See the module.
#[derive(Debug, Clone)]
pub struct Visibility {
    /// What has neither VLAN nor tunnel.
    plain: Network,
    /// The first is what is over the cap.
    networks: Vec<Network>,
    places: HashMap<u64, usize, foldhash::fast::RandomState>,
    last: (u64, usize),
}

/// What is counted under a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Flows: the greatest verdict that any of their packets had.
    pub flows: u64,
}

/// One VLAN or tunnel.
#[derive(Debug, Clone)]
struct Network {
    vlans: Vec<u16>,
    tunnel: u32,
    counts: [Count; Verdict::COUNT],
}

impl Default for Network {
    fn default() -> Self {
        Self { vlans: Vec::new(), tunnel: 0, counts: [Count::default(); Verdict::COUNT] }
    }
}

impl Default for Visibility {
    fn default() -> Self {
        Self { plain: Network::default(), networks: vec![Network::default()], places: HashMap::default(), last: (0, 0) }
    }
}

const OTHERS: usize = 0;

impl Visibility {
    /// Counts a packet. `network` is [`crate::flow::FlowKey::network`]; `vlans` are asked for when it is new.
    #[inline]
    pub(super) fn packet(&mut self, network: u64, vlans: impl FnOnce() -> Vec<u16>, verdict: Verdict, bytes: u32) {
        let count = &mut self.of_network(network, vlans).counts[verdict as usize];
        count.packets += 1;
        count.bytes += u64::from(bytes);
    }

    /// Counts a packet, given its verdict's tag.
    #[inline]
    pub(super) fn packet_of_tag(&mut self, network: u64, vlans: impl FnOnce() -> Vec<u16>, tag: u8, bytes: u32) {
        if let Some(count) = self.of_network(network, vlans).counts.get_mut(usize::from(tag.wrapping_sub(1))) {
            count.packets += 1;
            count.bytes += u64::from(bytes);
        }
    }

    /// Counts packets whose verdict was open until now.
    pub(super) fn packets(
        &mut self,
        network: u64,
        vlans: impl FnOnce() -> Vec<u16>,
        verdict: Verdict,
        packets: u64,
        bytes: u64,
    ) {
        let count = &mut self.of_network(network, vlans).counts[verdict as usize];
        count.packets += packets;
        count.bytes += bytes;
    }

    /// Counts a flow that ended, and its packets and their bytes whose verdict was open until now.
    pub(super) fn ended(
        &mut self,
        network: u64,
        vlans: impl FnOnce() -> Vec<u16>,
        verdict: Verdict,
        (of_open, packets, bytes): (Verdict, u64, u64),
    ) {
        let counts = &mut self.of_network(network, vlans).counts;
        counts[of_open as usize].packets += packets;
        counts[of_open as usize].bytes += bytes;
        counts[verdict as usize].flows += 1;
    }

    /// Counts a flow.
    pub(super) fn flow(&mut self, network: u64, vlans: impl FnOnce() -> Vec<u16>, verdict: Verdict) {
        self.of_network(network, vlans).counts[verdict as usize].flows += 1;
    }

    #[inline]
    fn of_network(&mut self, network: u64, vlans: impl FnOnce() -> Vec<u16>) -> &mut Network {
        if network == 0 {
            return &mut self.plain;
        }
        let at = self.place(network, vlans);
        &mut self.networks[at]
    }

    fn place(&mut self, network: u64, vlans: impl FnOnce() -> Vec<u16>) -> usize {
        if self.last.0 == network {
            return self.last.1;
        }
        let known = self.places.get(&network).copied();
        let at = known.unwrap_or_else(|| self.add(network, vlans(), network as u32));
        self.last = (network, at);
        at
    }

    #[cold]
    fn add(&mut self, network: u64, vlans: Vec<u16>, tunnel: u32) -> usize {
        if self.networks.len() >= MAX_NETWORKS {
            return OTHERS;
        }
        self.networks.push(Network { vlans, tunnel, ..Network::default() });
        self.places.insert(network, self.networks.len() - 1);
        self.networks.len() - 1
    }

    /// Adds another worker's.
    pub(super) fn merge(&mut self, other: &Self) {
        self.plain.add(&other.plain);
        self.networks[OTHERS].add(&other.networks[OTHERS]);
        for (&network, &at) in &other.places {
            let theirs = &other.networks[at];
            let place = self.place(network, || theirs.vlans.clone());
            self.networks[place].add(theirs);
        }
    }

    /// Everything under one verdict, all networks together.
    pub fn of(&self, verdict: Verdict) -> Count {
        sum(self.all().map(|network| network.counts[verdict as usize]))
    }

    /// Everything.
    pub fn total(&self) -> Count {
        sum(self.all().map(Network::total))
    }

    fn all(&self) -> impl Iterator<Item = &Network> {
        std::iter::once(&self.plain).chain(&self.networks)
    }

    /// For a summary.
    pub fn report(&self) -> Report {
        let all = Verdict::ALL.map(|verdict| self.of(verdict));
        let of_number = |(at, network): (usize, &Network)| network.report(at == OTHERS);
        let tagged = self.networks.iter().enumerate().filter_map(of_number);
        let mut networks: Vec<NetworkReport> = self.plain.report(false).into_iter().chain(tagged).collect();
        networks.sort_by(|a, b| (a.is_rest, &a.vlans, a.tunnel).cmp(&(b.is_rest, &b.vlans, b.tunnel)));
        Report { total: self.total(), verdicts: lines(&all), networks }
    }
}

impl Network {
    fn add(&mut self, other: &Self) {
        for (own, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *own = sum([*own, *theirs].into_iter());
        }
    }

    fn total(&self) -> Count {
        sum(self.counts.iter().copied())
    }

    fn report(&self, is_rest: bool) -> Option<NetworkReport> {
        let total = self.total();
        let verdicts = lines(&self.counts);
        (total != Count::default()).then(|| NetworkReport {
            vlans: self.vlans.clone(),
            tunnel: self.tunnel,
            is_rest,
            total,
            verdicts,
        })
    }
}

fn sum(counts: impl Iterator<Item = Count>) -> Count {
    counts.fold(Count::default(), |a, b| Count {
        packets: a.packets + b.packets,
        bytes: a.bytes + b.bytes,
        flows: a.flows + b.flows,
    })
}

/// Those that occur, most packets first; inspected always, and first.
fn lines(counts: &[Count; Verdict::COUNT]) -> Vec<Line> {
    let mut lines: Vec<Line> = Verdict::ALL
        .into_iter()
        .zip(counts)
        .filter(|&(verdict, &count)| verdict == Verdict::Inspected || count != Count::default())
        .map(|(verdict, &count)| Line { verdict: verdict.code(), words: verdict.words(), count })
        .collect();
    if let Some((_, rest)) = lines.split_first_mut() {
        rest.sort_by(|a, b| b.count.packets.cmp(&a.count.packets).then_with(|| a.verdict.cmp(b.verdict)));
    }
    lines
}

/// What was seen of the traffic. The lines' counts add up to the total's, and so do the networks'.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Everything.
    pub total: Count,
    /// By verdict; `inspected` first.
    pub verdicts: Vec<Line>,
    /// The same for each VLAN and tunnel.
    pub networks: Vec<NetworkReport>,
}

/// One verdict.
#[derive(Debug, Serialize)]
pub struct Line {
    /// A stable word: `inspected`, `encrypted`, `gap` ...
    pub verdict: &'static str,
    #[serde(skip)]
    words: &'static str,
    /// How much.
    #[serde(flatten)]
    pub count: Count,
}

/// One VLAN or tunnel.
#[derive(Debug, Serialize)]
pub struct NetworkReport {
    /// The two outermost ids; none for untagged traffic.
    pub vlans: Vec<u16>,
    /// Number of the tunnel; 0 outside any.
    pub tunnel: u32,
    /// What is in none of those that are told apart.
    pub is_rest: bool,
    /// Everything.
    pub total: Count,
    /// By verdict.
    pub verdicts: Vec<Line>,
}

impl Report {
    /// A table for a person.
    ///
    /// # Errors
    /// What the writer says.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Count { packets, bytes, flows } = self.total;
        writeln!(out, "visibility: {:>37}      % {:>15}      % {:>11}      %", "packets", "bytes", "flows")?;
        for Line { words, count, .. } in &self.verdicts {
            writeln!(
                out,
                "    {words:<37}{:>10} {:>6} {:>15} {:>6} {:>11} {:>6}",
                count.packets,
                percent(count.packets, packets),
                count.bytes,
                percent(count.bytes, bytes),
                count.flows,
                percent(count.flows, flows)
            )?;
        }
        if self.networks.len() < 2 {
            return Ok(());
        }
        for network in self.networks.iter().take(MAX_LINES) {
            let inspected = network.verdicts.first().map_or(0, |line| line.count.packets);
            let all = network.total.packets;
            writeln!(out, "    {}: {} % of {all} packets inspected", network.name(), percent(inspected, all))?;
        }
        if self.networks.len() > MAX_LINES {
            writeln!(out, "    ... and {} more VLANs and tunnels", self.networks.len() - MAX_LINES)?;
        }
        Ok(())
    }
}

impl NetworkReport {
    fn name(&self) -> String {
        if self.is_rest {
            return "further VLANs and tunnels".to_owned();
        }
        let vlans: Vec<String> = self.vlans.iter().map(u16::to_string).collect();
        match (vlans.is_empty(), self.tunnel) {
            (true, 0) => "no VLAN".to_owned(),
            (true, tunnel) => format!("tunnel {tunnel}"),
            (false, 0) => format!("VLAN {}", vlans.join(".")),
            (false, tunnel) => format!("VLAN {}, tunnel {tunnel}", vlans.join(".")),
        }
    }
}

/// With one digit, and never 100.0 or 0.0 for what is not all or nothing.
fn percent(part: u64, all: u64) -> String {
    let share = if all == 0 { 0.0 } else { part as f64 * 100.0 / all as f64 };
    let kept = if part < all && part > 0 { share.clamp(0.1, 99.9) } else { share };
    format!("{kept:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_adds_up_over_networks_and_workers() {
        let vlan = |n: u64| n << 32;
        let (mut a, mut b) = (Visibility::default(), Visibility::default());
        a.packet(0, Vec::new, Verdict::Inspected, 100);
        a.packet(vlan(5), || vec![5], Verdict::Encrypted, 50);
        b.packet(vlan(6), || vec![6], Verdict::Gap, 7);
        b.packets(vlan(5), || vec![5], Verdict::Encrypted, 3, 30);
        b.flow(vlan(5), || vec![5], Verdict::Encrypted);
        a.merge(&b);
        assert_eq!(a.total(), Count { packets: 6, bytes: 187, flows: 1 });
        assert_eq!(a.of(Verdict::Encrypted), Count { packets: 4, bytes: 80, flows: 1 });
        let report = a.report();
        assert_eq!(
            report.verdicts.iter().map(|line| line.verdict).collect::<Vec<_>>(),
            ["inspected", "encrypted", "gap"]
        );
        assert_eq!(
            report.networks.iter().map(NetworkReport::name).collect::<Vec<_>>(),
            ["no VLAN", "VLAN 5", "VLAN 6"]
        );
        assert_eq!(sum(report.networks.iter().map(|network| network.total)), report.total);
    }

    #[test]
    fn too_many_networks_are_counted_together() {
        let mut all = Visibility::default();
        for n in 1..20_000u64 {
            all.packet(n, Vec::new, Verdict::Inspected, 1);
        }
        assert_eq!(all.total().packets, 19_999);
        assert!(all.networks.len() <= MAX_NETWORKS && all.networks[OTHERS].total().packets > 10_000);
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        assert_eq!(
            ["0.0", "0.1", "99.9", "100.0"],
            [percent(0, 9), percent(1, 1 << 30), percent((1 << 30) - 1, 1 << 30), percent(9, 9)]
        );
    }
}
