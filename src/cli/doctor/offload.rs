//! What an interface does to frames before they are captured, asked of the kernel over netlink (the crate `ethtool`; nothing of it needs a privilege).

use ethtool::{EthtoolAttr, EthtoolFeatureAttr, EthtoolRingAttr};
use futures_util::{Stream, StreamExt};

use super::Finding;

/// Features that change what is captured: the kernel's name, what ethtool calls it, how it is put on.
const MERGING: [(&str, &str); 3] = [("rx-gro", "gro"), ("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")];

/// What is sent is captured before it is cut into segments.
const SENDING: [(&str, &str); 2] = [("tx-tcp-segmentation", "tso"), ("tx-generic-segmentation", "gso")];

/// For an answer of the kernel.
const ANSWER_TIME: std::time::Duration = std::time::Duration::from_secs(5);

/// What was said of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Names of features that are on; `None` if nobody said.
    active: Option<Vec<String>>,
    /// Receive buffers, and the most that there can be.
    rx_ring: Option<(u32, u32)>,
}

impl Facts {
    pub(super) fn gather(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let Ok(runtime) = runtime else { return Self::default() };
        let asked = runtime.block_on(async { tokio::time::timeout(ANSWER_TIME, ask(name)).await });
        asked.unwrap_or_default()
    }
}

async fn ask(name: &str) -> Facts {
    let Ok((connection, mut handle, _)) = ethtool::new_connection() else { return Facts::default() };
    tokio::spawn(connection);
    let features = match handle.feature().get(Some(name)).execute().await {
        Ok(answers) => attributes(answers, |answer| answer.payload.nlas).await,
        Err(_) => Vec::new(),
    };
    let rings = match handle.ring().get(Some(name)).execute().await {
        Ok(answers) => attributes(answers, |answer| answer.payload.nlas).await,
        Err(_) => Vec::new(),
    };
    let active = features.into_iter().find_map(|attribute| match attribute {
        EthtoolAttr::Feature(EthtoolFeatureAttr::Active(bits)) => {
            Some(bits.into_iter().filter(|bit| bit.value).map(|bit| bit.name).collect())
        }
        _ => None,
    });
    let (mut now, mut most) = (None, None);
    for attribute in rings {
        match attribute {
            EthtoolAttr::Ring(EthtoolRingAttr::Rx(count)) => now = Some(count),
            EthtoolAttr::Ring(EthtoolRingAttr::RxMax(count)) => most = Some(count),
            _ => {}
        }
    }
    Facts { active, rx_ring: now.zip(most) }
}

/// All that the kernel answers.
async fn attributes<M, E>(
    answers: impl Stream<Item = Result<M, E>>,
    of: impl Fn(M) -> Vec<EthtoolAttr>,
) -> Vec<EthtoolAttr> {
    let mut all = Vec::new();
    let mut answers = std::pin::pin!(answers);
    while let Some(Ok(answer)) = answers.next().await {
        all.extend(of(answer));
    }
    all
}

pub(super) fn judge(name: &str, facts: Option<&Facts>, findings: &mut Vec<Finding>) {
    // An interface that is not there is said elsewhere.
    let Some(facts) = facts else { return };
    match &facts.active {
        None => {
            let advice = format!("see `ethtool -k {name}` for gro and lro");
            let finding =
                Finding::warn("offloading", "unknown: this kernel or driver does not say", MERGING_WHY, advice);
            findings.push(finding.of(name));
        }
        Some(active) => findings.push(features(name, active).of(name)),
    }
    if let Some((now, most)) = facts.rx_ring.filter(|(_, most)| *most > 0) {
        let what = format!("{now} of {most} receive buffers");
        findings.push(if now < most {
            let why = "a burst that finds none is dropped by the card";
            Finding::warn("nic-ring", what, why, format!("ethtool -G {name} rx {most}")).of(name)
        } else {
            Finding::ok("nic-ring", what).of(name)
        });
    }
}

const MERGING_WHY: &str = "packets are captured merged, so their number, sizes and times are not those on the wire, and a snap length cuts more of them";

fn features(name: &str, active: &[String]) -> Finding {
    let on = |all: &[(&str, &'static str)]| -> Vec<&'static str> {
        all.iter().filter(|(feature, _)| active.iter().any(|is| is == feature)).map(|(_, word)| *word).collect()
    };
    let merging = on(&MERGING);
    let sending = on(&SENDING);
    if !merging.is_empty() {
        let all_off: Vec<String> = merging.iter().map(|word| format!("{word} off")).collect();
        let what = format!("on: {}", merging.join(", "));
        return Finding::warn("offloading", what, MERGING_WHY, format!("ethtool -K {name} {}", all_off.join(" ")));
    }
    let vlan = if active.iter().any(|is| is == "rx-vlan-hw-parse") {
        "; VLAN tags are taken off by the card and given back by capture"
    } else {
        ""
    };
    let sent = if sending.is_empty() {
        ""
    } else {
        "; what this machine itself sends is captured before it is cut (tso, gso)"
    };
    Finding::ok("offloading", format!("received packets are not merged{vlan}{sent}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Level, levels};
    use super::*;

    fn judged(active: &[&str], rx_ring: Option<(u32, u32)>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let facts = Facts { active: Some(active.iter().map(|name| (*name).to_owned()).collect()), rx_ring };
        judge("eth1", Some(&facts), &mut findings);
        findings
    }

    #[test]
    fn what_merges_is_named_with_the_command_that_puts_it_off() {
        let findings = judged(&["rx-checksum", "rx-gro", "rx-lro"], Some((512, 4096)));
        assert_eq!(levels(&findings), [("offloading", Level::Warn), ("nic-ring", Level::Warn)]);
        assert_eq!(findings[0].advice, "ethtool -K eth1 gro off lro off");
        assert_eq!(findings[1].advice, "ethtool -G eth1 rx 4096");
        let findings = judged(&["rx-vlan-hw-parse", "tx-tcp-segmentation"], Some((4096, 4096)));
        assert_eq!(levels(&findings), [("offloading", Level::Ok), ("nic-ring", Level::Ok)]);
        assert!(findings[0].what.contains("VLAN") && findings[0].what.contains("tso"));
    }

    #[test]
    fn what_nobody_says_is_unknown() {
        let mut findings = Vec::new();
        judge("eth1", Some(&Facts::default()), &mut findings);
        assert!(findings[0].what.starts_with("unknown") && findings[0].level == Level::Warn);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_says_what_the_loopback_does() {
        let facts = Facts::gather("lo");
        match facts.active {
            Some(active) => assert!(active.iter().any(|name| name == "loopback"), "{active:?}"),
            None => eprintln!("skipped: this kernel has no ethtool over netlink"),
        }
        assert!(Facts::gather("none0").active.is_none());
    }
}
