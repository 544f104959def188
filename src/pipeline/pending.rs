//! [`Pending`]: the rules of a header alone that may yet hold in a flow, and how far its ends have answered each other. Only flows whose
//! ends such a rule is about have one.

use crate::flow::{Direction, Watch};
use crate::indicator::IndicatorIx;
use crate::indicator::rule::{Header, Passing};
use crate::packet::{Packet, protocol, tcp_flag};

/// See the module.
#[derive(Default)]
pub(super) struct Pending {
    rules: Vec<Awaited>,
    /// By direction.
    answered: [bool; 2],
}

/// A rule that waits for its packet.
#[derive(Clone, Copy)]
pub(super) struct Awaited {
    pub(super) indicator: IndicatorIx,
    /// By direction, whether the rule speaks of what goes that way.
    pub(super) ways: [bool; 2],
    /// Whether it asks for ports.
    pub(super) has_ports: bool,
    pub(super) header: Header,
}

impl Awaited {
    /// Whether a packet is the one.
    pub(super) fn admits(&self, packet: &Packet, direction: Direction, passing: &Passing) -> bool {
        // A piece of a datagram has no ports; the datagram does.
        self.ways[direction.index()] && self.header.admits(passing) && !(self.has_ports && packet.is_fragment)
    }

    /// Whether it may hold of a later packet.
    fn may_hold(&self, is_established: bool) -> bool {
        !(is_established && self.header.established == Some(false))
    }
}

impl Pending {
    /// Takes note of a packet. Returns what rules are judged by.
    pub(super) fn pass(&mut self, packet: &Packet, direction: Direction) -> Passing {
        let flags = if packet.protocol == protocol::TCP { packet.tcp_flags } else { 0 };
        // What a scan gets for an answer establishes nothing, nor does how the scanner takes leave.
        let answers = flags & (tcp_flag::ACK | tcp_flag::RST) == tcp_flag::ACK
            && (flags & tcp_flag::SYN == 0 || direction == Direction::ToOriginator);
        self.answered[direction.index()] |= answers || packet.protocol != protocol::TCP;
        Passing { flags, is_established: self.is_established() }
    }

    pub(super) fn is_established(&self) -> bool {
        self.answered == [true; 2]
    }

    /// Says how far a flow has come that may not have been followed from its start.
    pub(super) fn note_answered(&mut self, answered: [bool; 2]) {
        self.answered = [self.answered[0] | answered[0], self.answered[1] | answered[1]];
    }

    /// Has these rules wait in the place of others. Returns how many are too many.
    pub(super) fn set(&mut self, rules: &[Awaited]) -> usize {
        let kept = rules.len().min(MAX_PENDING);
        self.rules.clear();
        self.rules.extend_from_slice(&rules[..kept]);
        rules.len() - kept
    }

    /// Takes a rule out that a packet fulfils; to be asked until there is none.
    pub(super) fn take(&mut self, packet: &Packet, direction: Direction, passing: &Passing) -> Option<IndicatorIx> {
        let at = self.rules.iter().position(|rule| rule.admits(packet, direction, passing))?;
        Some(self.rules.remove(at).indicator)
    }

    /// Forgets rules that cannot hold any more. Returns which packets the others wait for.
    pub(super) fn watch(&mut self) -> Watch {
        let is_established = self.is_established();
        self.rules.retain(|rule| rule.may_hold(is_established));
        let wanted = |rule: &Awaited| if rule.header.flags.is_some() { Watch::Turns } else { Watch::All };
        self.rules.iter().map(wanted).max().unwrap_or_default()
    }

    /// Forgets all rules: another set took over.
    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }
}

/// Rules that wait in one flow: more than any set has for two ends. What is beyond is counted.
const MAX_PENDING: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::rule::Flags;

    fn packet(protocol: u8, tcp_flags: u8) -> Packet {
        Packet { protocol, tcp_flags, ..Packet::default() }
    }

    fn rule(number: u32, ways: [bool; 2], header: Header) -> Awaited {
        Awaited { indicator: IndicatorIx(number), ways, has_ports: false, header }
    }

    #[test]
    fn an_established_conversation_is_one_in_which_both_have_answered() {
        use Direction::{ToOriginator, ToResponder};
        let (syn, ack, rst) = (tcp_flag::SYN, tcp_flag::ACK, tcp_flag::RST);
        let established = |packets: &[(u8, Direction)]| {
            let mut pending = Pending::default();
            packets.iter().map(|(flags, way)| pending.pass(&packet(protocol::TCP, *flags), *way).is_established).last()
        };
        let open = [(syn, ToResponder), (syn | ack, ToOriginator)];
        assert_eq!(established(&open), Some(false));
        assert_eq!(established(&[open[0], open[1], (ack, ToResponder)]), Some(true));
        assert_eq!(established(&[open[0], open[1], (rst, ToResponder)]), Some(false), "a scan");
        assert_eq!(established(&[open[0], (rst | ack, ToOriginator), (ack, ToResponder)]), Some(false), "refused");
        assert_eq!(established(&[(ack, ToOriginator), (ack, ToResponder)]), Some(true), "taken up in its middle");
        let mut pending = Pending::default();
        assert!(!pending.pass(&packet(protocol::UDP, 0), ToResponder).is_established);
        assert!(!pending.pass(&packet(protocol::UDP, 0), ToResponder).is_established);
        assert!(pending.pass(&packet(protocol::UDP, 0), ToOriginator).is_established);
    }

    #[test]
    fn a_rule_waits_for_its_packet() {
        let way = Direction::ToResponder;
        let flags = Some(Flags::Exactly { these: tcp_flag::SYN, but: 0 });
        let never_established = Header { established: Some(false), ..Header::default() };
        let mut pending = Pending::default();
        let rules = [
            rule(0, [true, false], Header { flags, ..Header::default() }),
            rule(1, [false, true], Header::default()),
            rule(2, [false, true], never_established),
        ];
        assert_eq!((pending.set(&rules), pending.watch()), (0, Watch::All));
        let syn = packet(protocol::TCP, tcp_flag::SYN);
        let passing = pending.pass(&syn, way);
        assert_eq!(pending.take(&syn, way, &passing), Some(IndicatorIx(0)));
        assert_eq!(pending.take(&syn, way, &passing), None);
        pending.note_answered([true; 2]);
        assert_eq!(pending.watch(), Watch::All);
        let ack = packet(protocol::TCP, tcp_flag::ACK);
        let passing = pending.pass(&ack, way.reverse());
        assert_eq!(pending.take(&ack, way.reverse(), &passing), Some(IndicatorIx(1)));
        assert_eq!((pending.take(&ack, way.reverse(), &passing), pending.watch()), (None, Watch::None));
        assert_eq!((pending.set(&rules[..1]), pending.watch()), (0, Watch::Turns));
        assert_eq!(pending.set(&[rules[1]; MAX_PENDING + 3]), 3, "it is bounded");
    }
}
