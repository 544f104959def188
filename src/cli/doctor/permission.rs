//! Whether this process may capture.

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};
use rustix::thread::CapabilitySet;

use super::Finding;

/// What it may do.
pub(super) struct Facts {
    is_root: bool,
    /// `None` if the system does not say.
    capabilities: Option<CapabilitySet>,
    /// What became of a packet socket.
    socket: Result<(), Errno>,
}

impl Facts {
    pub(super) fn gather() -> Self {
        Self {
            is_root: rustix::process::geteuid().is_root(),
            capabilities: rustix::thread::capabilities(None).ok().map(|sets| sets.effective),
            socket: rustix::net::socket(AddressFamily::PACKET, SocketType::RAW, None).map(drop),
        }
    }

    fn has(&self, capability: CapabilitySet) -> bool {
        self.capabilities.is_none_or(|all| all.contains(capability))
    }
}

const WHY: &str = "without it no packet is seen";

/// How to get it.
const ADVICE: &str = "run as root, use the packaged service (it gives the sensor what it needs and no more), or once: \
                      setcap cap_net_raw,cap_net_admin+ep \"$(command -v picket)\"";

pub(super) fn judge(facts: &Facts, is_promiscuous: bool, findings: &mut Vec<Finding>) {
    let missing: Vec<&str> = [("CAP_NET_RAW", CapabilitySet::NET_RAW), ("CAP_NET_ADMIN", CapabilitySet::NET_ADMIN)]
        .into_iter()
        .filter(|(_, capability)| !facts.has(*capability))
        .map(|(name, _)| name)
        .collect();
    findings.push(match facts.socket {
        Ok(()) if missing.is_empty() || !is_promiscuous => {
            Finding::ok("permission", if facts.is_root { "may capture, as root" } else { "may capture" })
        }
        Ok(()) => Finding::warn(
            "permission",
            format!("may capture, and is missing {}", missing.join(" and ")),
            "an interface may not become promiscuous, and of a mirror port's frames only those to this machine are seen",
            ADVICE,
        ),
        Err(Errno::PERM | Errno::ACCESS) => {
            let what = if missing.is_empty() {
                // A container's seccomp filter, or another security module.
                "a packet socket is refused although no capability is missing".to_owned()
            } else {
                format!("may not capture: missing {}", missing.join(" and "))
            };
            Finding::fail("permission", what, WHY, ADVICE)
        }
        Err(Errno::AFNOSUPPORT) => {
            let advice = "load af_packet (modprobe af_packet), or use a kernel that has CONFIG_PACKET";
            Finding::fail("permission", "this kernel has no packet sockets", WHY, advice)
        }
        Err(error) => Finding::fail("permission", format!("no packet socket can be had: {error}"), WHY, ADVICE),
    });
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn judged(capabilities: CapabilitySet, socket: Result<(), Errno>) -> (Level, String) {
        let mut findings = Vec::new();
        judge(&Facts { is_root: false, capabilities: Some(capabilities), socket }, true, &mut findings);
        let finding = findings.remove(0);
        (finding.level, finding.what)
    }

    #[test]
    fn the_missing_capability_is_named() {
        let both = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
        assert_eq!(judged(both, Ok(())).0, Level::Ok);
        let (level, what) = judged(CapabilitySet::NET_RAW, Ok(()));
        assert!(level == Level::Warn && what.contains("CAP_NET_ADMIN") && !what.contains("CAP_NET_RAW"), "{what}");
        let (level, what) = judged(CapabilitySet::empty(), Err(Errno::PERM));
        assert!(level == Level::Fail && what.contains("CAP_NET_RAW and CAP_NET_ADMIN"), "{what}");
        let (level, what) = judged(both, Err(Errno::PERM));
        assert!(level == Level::Fail && what.contains("no capability is missing"), "{what}");
    }
}
