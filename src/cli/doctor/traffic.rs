//! What arrives: listens for some seconds as the sensor would, and judges whether it is what a mirror port gives: frames of others, both
//! directions of each conversation, whole and unmerged.

use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::{Finding, interface};
use crate::capture::Batch;
use crate::capture::live::{self, Live, LiveOptions, Losses};
use crate::config::Plan;
use crate::packet::{self, Address, FrameMeta, LinkType, Packet, protocol, tcp_flag};

/// Conversations told apart on an interface: more tell no more.
const MAX_CONVERSATIONS: usize = 65_536;

/// An Ethernet header with two VLAN tags, and the frame check sequence that some cards leave.
const LINK_BYTES: u32 = 26;

/// Conversations from which on a share means something.
const FEW: u64 = 10;

/// What was heard.
#[derive(Default)]
pub(super) struct Heard {
    /// Why nothing could be.
    refused: Option<String>,
    /// By interface.
    interfaces: Vec<Tally>,
    losses: Losses,
}

/// What was heard on one interface.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    frames: u64,
    /// Frames from one other machine to another.
    of_others: u64,
    /// Frames longer than the interface takes from the wire.
    merged: u64,
    /// Frames cut by the snap length.
    cut: u64,
    /// Frames whose headers cannot be read to their end.
    undecoded: u64,
    tagged: u64,
    tunnelled: u64,
    /// TCP conversations that were acknowledged, by the directions heard.
    one_way: u64,
    both_ways: u64,
}

/// Both ends, the lesser first.
type Conversation = [(Address, u16); 2];

/// Listens on all interfaces of the configuration.
pub(super) fn listen(plan: &Plan, time: Duration, facts: &[interface::Facts]) -> Heard {
    let capture = &plan.capture;
    let options = LiveOptions {
        interfaces: capture.interfaces.clone(),
        filter: capture.filter.clone(),
        snap_bytes: capture.snap_bytes,
        is_promiscuous: capture.is_promiscuous,
        workers: 1,
        ring_bytes: capture.ring_bytes.as_usize(),
        ..LiveOptions::default()
    };
    match live::open(&options) {
        Ok(mut sources) => match sources.first_mut() {
            Some(source) => hear(&mut **source, time, facts),
            None => Heard { refused: Some("there is no source".to_owned()), ..Heard::default() },
        },
        Err(error) => Heard { refused: Some(error.to_string()), ..Heard::default() },
    }
}

fn hear(source: &mut dyn Live, time: Duration, facts: &[interface::Facts]) -> Heard {
    let mut listeners: Vec<Listener<'_>> = facts.iter().map(Listener::new).collect();
    let (mut batch, end) = (Batch::default(), Instant::now() + time);
    while Instant::now() < end && source.poll(&mut batch) {
        for meta in &batch.frames {
            let bytes = batch.data.get(meta.offset..meta.offset + meta.captured_bytes as usize);
            if let (Some(listener), Some(bytes)) = (listeners.get_mut(meta.file as usize), bytes) {
                listener.frame(meta, bytes);
            }
        }
    }
    let losses = source.losses();
    Heard { refused: None, interfaces: listeners.into_iter().map(Listener::finish).collect(), losses }
}

/// Counts what it hears on one interface.
struct Listener<'a> {
    facts: &'a interface::Facts,
    tally: Tally,
    /// Directions heard of each, as two bits.
    conversations: HashMap<Conversation, u8, foldhash::fast::RandomState>,
}

impl<'a> Listener<'a> {
    fn new(facts: &'a interface::Facts) -> Self {
        Self { facts, tally: Tally::default(), conversations: HashMap::default() }
    }

    fn frame(&mut self, meta: &FrameMeta, bytes: &[u8]) {
        let tally = &mut self.tally;
        tally.frames += 1;
        tally.cut += u64::from(meta.captured_bytes < meta.wire_bytes);
        tally.merged +=
            u64::from(meta.wire_bytes > self.facts.mtu.saturating_add(LINK_BYTES) && !self.facts.is_loopback());
        if meta.link == LinkType::ETHERNET
            && let (Some(own), Some(to), Some(from)) = (self.facts.address, bytes.get(..6), bytes.get(6..12))
        {
            let is_to_all = to[0] & 1 != 0;
            tally.of_others += u64::from(!is_to_all && to != own && from != own);
        }
        let packet = packet::decode(bytes, meta.link);
        tally.undecoded += u64::from(packet.stopped.is_some());
        tally.tagged += u64::from(packet.vlan_count > 0);
        tally.tunnelled += u64::from(packet.tunnel != 0);
        self.conversation(&packet);
    }

    /// Only what was acknowledged is a conversation: what nobody answers has one direction.
    fn conversation(&mut self, packet: &Packet) {
        let is_data = packet.tcp_flags & (tcp_flag::ACK | tcp_flag::RST) == tcp_flag::ACK;
        if packet.protocol != protocol::TCP || !is_data {
            return;
        }
        let from = (packet.source, packet.source_port);
        let to = (packet.destination, packet.destination_port);
        let (key, direction) = if from <= to { ([from, to], 1) } else { ([to, from], 2) };
        if self.conversations.len() < MAX_CONVERSATIONS || self.conversations.contains_key(&key) {
            *self.conversations.entry(key).or_default() |= direction;
        }
    }

    fn finish(mut self) -> Tally {
        self.tally.both_ways = self.conversations.values().filter(|&&heard| heard == 3).count() as u64;
        self.tally.one_way = self.conversations.len() as u64 - self.tally.both_ways;
        self.tally
    }
}

pub(super) fn judge(
    names: &[String],
    facts: &[interface::Facts],
    heard: &Heard,
    time: Duration,
    findings: &mut Vec<Finding>,
) {
    if let Some(why) = &heard.refused {
        let advice = "see what is said above of permission and interface";
        findings.push(Finding::fail("capture", format!("cannot listen: {why}"), "nothing is seen", advice));
        return;
    }
    findings.push(losses(heard.losses, time));
    for ((name, facts), tally) in names.iter().zip(facts).zip(&heard.interfaces) {
        of_interface(facts, tally, time, &mut |finding| findings.push(finding.of(name)));
    }
}

fn losses(losses: Losses, time: Duration) -> Finding {
    let lost = losses.kernel_dropped + losses.interface_dropped;
    let what =
        format!("{} frames in {} s, {} dropped by the kernel", losses.received, time.as_secs(), losses.kernel_dropped);
    if lost == 0 {
        return Finding::ok("capture", what);
    }
    let what = format!("{what}, {} by interfaces, rings full {} times", losses.interface_dropped, losses.ring_freezes);
    // One worker that decodes and no more: a sensor does more on each, and has more.
    let advice = "more workers and larger rings (capture.workers, capture.ring_bytes), a filter for what need not be seen, a faster processor";
    Finding::warn("capture", what, "even listening alone loses frames here", advice)
}

fn of_interface(facts: &interface::Facts, tally: &Tally, time: Duration, say: &mut dyn FnMut(Finding)) {
    if tally.frames == 0 {
        let advice = "check the mirror session on the switch, the port, and the filter; or listen longer (--seconds)";
        say(Finding::warn(
            "traffic",
            format!("nothing came in {} s", time.as_secs()),
            "a sensor that sees nothing reports nothing",
            advice,
        ));
        return;
    }
    say(mirror(facts, tally));
    say(directions(tally));
    let share = |part: u64| part as f64 * 100.0 / tally.frames as f64;
    if tally.merged > 0 {
        let what =
            format!("{} frames ({:.1} %) are longer than the MTU of {}", tally.merged, share(tally.merged), facts.mtu);
        let why = "they were merged before capture, or the mirrored network has a larger MTU than this interface, which then drops the longest";
        say(Finding::warn(
            "frame-size",
            what,
            why,
            "put GRO and LRO off, or raise the MTU to that of the mirrored network",
        ));
    }
    if tally.cut > 0 {
        let what = format!("{} frames ({:.1} %) are cut", tally.cut, share(tally.cut));
        say(Finding::warn("snap-length", what, "what is cut off is not inspected", "raise capture.snap_bytes"));
    }
    if share(tally.undecoded) > 10.0 {
        let what = format!("{:.1} % of frames hold a layer that is not read", share(tally.undecoded));
        let why = "nothing in them can match";
        say(Finding::warn("layers", what, why, "`picket replay --summary` on a capture of it says which layers"));
    }
}

fn mirror(facts: &interface::Facts, tally: &Tally) -> Finding {
    let more = format!("{} frames, {} with VLAN tags, {} in tunnels", tally.frames, tally.tagged, tally.tunnelled);
    if facts.is_loopback() || facts.address.is_none() {
        return Finding::ok("traffic", more);
    }
    if tally.of_others == 0 {
        let why =
            "a mirror port or tap brings frames of other machines; this interface sees its own and what goes to all";
        let advice = "mirror a port to it on the switch, and let it be promiscuous (capture.promiscuous)";
        return Finding::warn("traffic", format!("{more}, none between other machines"), why, advice);
    }
    Finding::ok("traffic", format!("{more}, {} between other machines", tally.of_others))
}

fn directions(tally: &Tally) -> Finding {
    const WHY: &str =
        "of a conversation with one direction only half is seen, and some protocols cannot be told at all";
    const ADVICE: &str =
        "mirror both directions (`both`, `rx and tx`) of the port, and of every path where routing is asymmetric";
    let all = tally.one_way + tally.both_ways;
    let what = format!("{} of {all} TCP conversations in both directions", tally.both_ways);
    if all == 0 {
        let advice = "listen longer (--seconds), or while somebody works";
        return Finding::warn("directions", "no TCP conversation was heard, so it cannot be told", WHY, advice);
    }
    // In some seconds one end may simply have said nothing.
    match (tally.both_ways * 100 / all, all < FEW) {
        (80.., _) => Finding::ok("directions", what),
        (0..10, false) => Finding::fail("directions", what, WHY, ADVICE),
        _ => Finding::warn("directions", what, WHY, ADVICE),
    }
}

#[cfg(test)]
mod tests;
