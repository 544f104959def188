//! An interface: whether it is there and up, what it is, and what it drops. All from `/sys/class/net`.

use super::{Finding, read_line};

/// Bits of `flags`, as the kernel has them.
const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;

/// Hardware types as the kernel numbers them, and whether Picket reads frames of them.
const TYPES: [(u32, &str, bool); 8] = [
    (1, "Ethernet", true),
    (512, "PPP", true),
    (772, "loopback", true),
    (801, "802.11", true),
    (802, "802.11 with Prism headers", true),
    (803, "802.11 with radiotap headers", true),
    (32, "InfiniBand", false),
    (65_534, "raw IP", true),
];

/// What an interface counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) packets: u64,
    /// For want of buffers, in the card or its driver.
    pub(super) missed: u64,
    /// In the kernel, after the driver.
    pub(super) dropped: u64,
    /// Broken ones.
    pub(super) errors: u64,
}

/// How it is at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) is_there: bool,
    pub(super) flags: u32,
    pub(super) kind: u32,
    pub(super) mtu: u32,
    pub(super) has_carrier: bool,
    pub(super) speed_mbit: Option<u32>,
    pub(super) is_half_duplex: bool,
    /// Its hardware address, if that is one of Ethernet.
    pub(super) address: Option<[u8; 6]>,
    pub(super) counts: Counts,
}

impl Facts {
    pub(super) fn gather(name: &str) -> Self {
        // A name with a slash is none of an interface and leads elsewhere.
        let is_name = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
        let read = |file: &str| read_line(&format!("/sys/class/net/{name}/{file}"));
        let flags = read("flags").filter(|_| is_name).and_then(|text| hexadecimal(&text));
        let Some(flags) = flags else { return Self::default() };
        let count = |file: &str| read(&format!("statistics/{file}")).and_then(|text| text.parse().ok()).unwrap_or(0);
        Self {
            is_there: true,
            flags,
            kind: read("type").and_then(|text| text.parse().ok()).unwrap_or(0),
            mtu: read("mtu").and_then(|text| text.parse().ok()).unwrap_or(0),
            has_carrier: read("carrier").is_some_and(|text| text == "1"),
            speed_mbit: read("speed").and_then(|text| text.parse().ok()),
            is_half_duplex: read("duplex").is_some_and(|text| text == "half"),
            address: read("address").and_then(|text| hardware_address(&text)),
            counts: Counts {
                packets: count("rx_packets"),
                missed: count("rx_missed_errors") + count("rx_fifo_errors") + count("rx_over_errors"),
                dropped: count("rx_dropped"),
                errors: count("rx_crc_errors") + count("rx_frame_errors") + count("rx_length_errors"),
            },
        }
    }

    /// Whether everything on it is of this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.flags & LOOPBACK != 0
    }
}

pub(super) fn judge(name: &str, before: &Facts, after: &Facts, findings: &mut Vec<Finding>) {
    if !before.is_there {
        let advice = "see `ip -br link` for the interfaces of this machine";
        findings
            .push(Finding::fail("interface", "there is none of this name", "nothing can be captured", advice).of(name));
        return;
    }
    findings.push(state(name, after).of(name));
    findings.push(kind(after).of(name));
    findings.push(drops(name, before.counts, after.counts).of(name));
    let errors = after.counts.errors.saturating_sub(before.counts.errors);
    if errors > 0 {
        let advice = "check cable, transceiver and the switch's port (duplex, speed, MTU)";
        findings.push(
            Finding::warn("link-errors", format!("{errors} broken frames"), "what is in them is not seen", advice)
                .of(name),
        );
    }
}

fn state(name: &str, facts: &Facts) -> Finding {
    const WHY: &str = "nothing arrives";
    if facts.flags & UP == 0 {
        return Finding::fail(
            "interface",
            "it is down",
            WHY,
            format!("ip link set {name} up (and have the network configuration do so)"),
        );
    }
    if !facts.has_carrier {
        return Finding::fail(
            "interface",
            "it is up and has no link",
            WHY,
            "check cable, transceiver and the switch's port",
        );
    }
    let speed = facts.speed_mbit.map_or_else(String::new, |speed| format!(", {speed} Mbit/s"));
    if facts.is_half_duplex {
        let why = "a mirror port sends while traffic comes in, and half duplex cannot take both";
        return Finding::warn("interface", format!("up{speed}, half duplex"), why, "set speed and duplex at both ends");
    }
    Finding::ok("interface", format!("up{speed}, MTU {}", facts.mtu))
}

fn kind(facts: &Facts) -> Finding {
    match TYPES.iter().find(|(number, ..)| *number == facts.kind) {
        Some((_, name, true)) => Finding::ok("link-type", *name),
        known => {
            let name = known.map_or_else(|| format!("number {}", facts.kind), |(_, name, _)| (*name).to_owned());
            let why = "frames are counted and not read";
            Finding::warn("link-type", name, why, "mirror to an Ethernet interface")
        }
    }
}

fn drops(name: &str, before: Counts, after: Counts) -> Finding {
    let missed = after.missed.saturating_sub(before.missed);
    let dropped = after.dropped.saturating_sub(before.dropped);
    let packets = after.packets.saturating_sub(before.packets);
    if missed > 0 {
        let what =
            format!("its hardware or driver dropped {missed} of {} frames while it was watched", packets + missed);
        let advice = format!(
            "more receive buffers (`ethtool -g {name}`, then `ethtool -G {name} rx N`), more queues, a faster card"
        );
        return Finding::fail("nic-drops", what, "what it drops nobody sees", advice);
    }
    if dropped > 0 {
        let what = format!("the kernel dropped {dropped} frames of it while it was watched ({packets} received)");
        let advice = "raise net.core.netdev_max_backlog, spread its interrupts over processors";
        return Finding::warn("nic-drops", what, "what is dropped may have been of interest", advice);
    }
    if before.missed > 0 {
        let what = format!("none while it was watched; {} since it came up", before.missed);
        let advice = format!("if it grows under load: more receive buffers (`ethtool -G {name} rx N`)");
        return Finding::warn("nic-drops", what, "it has dropped frames before", advice);
    }
    Finding::ok("nic-drops", format!("none while it was watched ({packets} frames received)"))
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn hardware_address(text: &str) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Level, levels};
    use super::*;

    fn up() -> Facts {
        Facts { is_there: true, flags: UP, kind: 1, mtu: 1500, has_carrier: true, ..Facts::default() }
    }

    fn judged(before: &Facts, after: &Facts) -> Vec<(&'static str, Level)> {
        let mut findings = Vec::new();
        judge("eth1", before, after, &mut findings);
        levels(&findings)
    }

    #[test]
    fn states_are_told_apart() {
        let well = [("interface", Level::Ok), ("link-type", Level::Ok), ("nic-drops", Level::Ok)];
        assert_eq!(judged(&up(), &up()), well);
        assert_eq!(judged(&Facts::default(), &Facts::default()), [("interface", Level::Fail)]);
        for bad in [Facts { flags: 0, ..up() }, Facts { has_carrier: false, ..up() }] {
            assert_eq!(judged(&bad, &bad)[0], ("interface", Level::Fail));
        }
        assert_eq!(judged(&up(), &Facts { is_half_duplex: true, ..up() })[0].1, Level::Warn);
        assert_eq!(judged(&up(), &Facts { kind: 32, ..up() })[1], ("link-type", Level::Warn));
    }

    #[test]
    fn only_what_is_dropped_meanwhile_fails() {
        let with = |missed, dropped| Facts { counts: Counts { missed, dropped, ..Counts::default() }, ..up() };
        assert_eq!(judged(&with(5, 5), &with(6, 5))[2].1, Level::Fail);
        assert_eq!(judged(&with(5, 5), &with(5, 6))[2].1, Level::Warn);
        assert_eq!(judged(&with(5, 0), &with(5, 0))[2].1, Level::Warn);
        assert_eq!(judged(&with(0, 5), &with(0, 5))[2].1, Level::Ok);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_a_loopback_and_no_path_is_a_name() {
        let facts = Facts::gather("lo");
        assert!(facts.is_there && facts.is_loopback() && facts.kind == 772, "{facts:?}");
        assert_eq!(facts.address, Some([0; 6]));
        assert!(!Facts::gather("../net/lo").is_there && !Facts::gather("").is_there);
    }
}
