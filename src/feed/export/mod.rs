//! Exports: indicators as what a resolver, firewall, mail server or another sensor is told to act on. A target is one line in
//! [`TARGETS`].
//!
//! An export is an action that the adversary can notice, and a disclosure: zones can be transferred, rules listed. So the
//! gate comes first ([`select`]): every source of an indicator must permit the action and the disclosure, the indicator must
//! be valid, and it may have no condition. What passes is known by an opaque [`Selected::reference`] only: no id, name,
//! provider or description of a feed is in what a target writes. What a target cannot say exactly is left out and counted,
//! never widened.

mod nftables;
mod postfix;
mod rpz;
mod suricata;
mod unbound;

use std::io::{self, Write};

use crate::indicator::kind::DOMAIN;
use crate::indicator::{Context, ContextRef, Draft, Indicator, IndicatorSet, Match};
use crate::marking::{Action, Clearance, Marking};
use crate::time::Timestamp;

use super::write::{WRITERS, Written};

/// Something that can be told what to act on.
pub struct Target {
    /// What users call it.
    pub name: &'static str,
    write: fn(export: &Export<'_>, out: &mut dyn Write) -> io::Result<Written>,
}

/// Every target that is no feed format; those that are, are written by [`WRITERS`].
pub static TARGETS: &[Target] =
    &[rpz::TARGET, unbound::TARGET, nftables::TARGET, postfix::TARGET, postfix::NETWORKS, suricata::TARGET];

/// Feed formats that other sensors read. Picket's own and plain lists are no export: they are for [`WRITERS`].
const SENSORS: [&str; 3] = ["zeek", "misp", "stix"];

/// What is to be written.
pub struct Export<'a> {
    /// What passed the gate.
    pub selected: Vec<Selected<'a>>,
    /// When it is written: a zone's serial number.
    pub at: Timestamp,
    /// The host that names are answered with (RPZ); none is to answer that they do not exist.
    pub sinkhole: Option<&'a str>,
    /// The zone that it will be loaded as (RPZ).
    pub origin: &'a str,
}

/// An indicator that passed the gate.
pub struct Selected<'a> {
    /// The indicator.
    pub indicator: Indicator<'a>,
    /// Its combined marking.
    pub marking: Marking,
    /// What it is called in the export: a number of this export, which tells nothing.
    pub reference: String,
}

/// The names of everything that can be exported to.
pub fn targets() -> impl Iterator<Item = &'static str> {
    let sensors = WRITERS.iter().map(|writer| writer.name).filter(|name| SENSORS.contains(name));
    TARGETS.iter().map(|target| target.name).chain(sensors)
}

/// Gate 3: what of `set` may be acted on and be seen by whoever reads the export, at `at`. What may not is counted by the
/// rule that said so.
pub fn select<'a>(
    set: &'a IndicatorSet,
    clearance: &Clearance,
    at: Timestamp,
    refused: &mut Written,
) -> Vec<Selected<'a>> {
    let mut selected = Vec::new();
    for indicator in set.iter() {
        match gate(set, &indicator, clearance, at) {
            Ok(marking) => {
                let reference = format!("picket-{:07}", selected.len() + 1);
                selected.push(Selected { indicator, marking, reference });
            }
            Err(why) => refused.leave_out(why),
        }
    }
    selected
}

fn gate(
    set: &IndicatorSet,
    indicator: &Indicator<'_>,
    clearance: &Clearance,
    at: Timestamp,
) -> Result<Marking, &'static str> {
    let mut combined = Marking::default();
    for (ContextRef { marking, .. }, _) in set.common_sources(indicator.ix) {
        for decision in [clearance.may_act(marking, Action::Active), clearance.may_see(marking)] {
            if !decision.allowed {
                return Err(decision.rule.code());
            }
        }
        combined = combined.combine(marking);
    }
    if indicator.when.is_some() {
        return Err("a condition");
    }
    if !indicator.window.contains(at) {
        return Err(if at < indicator.window.from { "not valid yet" } else { "expired" });
    }
    Ok(combined)
}

/// Writes `export` for the target of this name; `None` if there is none.
///
/// # Errors
/// The output's.
pub fn write(name: &str, export: &Export<'_>, out: &mut dyn Write) -> Option<io::Result<Written>> {
    if let Some(target) = TARGETS.iter().find(|target| target.name == name) {
        return Some((target.write)(export, out));
    }
    let writer = WRITERS.iter().find(|writer| writer.name == name && SENSORS.contains(&name))?;
    Some((writer.write)(&anonymised(export), export.at, out))
}

/// What passed, with nothing of its feeds but how it is to be handled.
fn anonymised(export: &Export<'_>) -> IndicatorSet {
    let mut set = IndicatorSet::default();
    for Selected { indicator, marking, reference } in &export.selected {
        let context = set.context(Context { feed: "picket".into(), marking: marking.clone(), ..Context::default() });
        let shown = (indicator.kind.display)(indicator.value);
        let is_address = indicator.kind.index == crate::indicator::Index::Prefix;
        let draft = Draft {
            id: Some(reference),
            matching: Some(indicator.matching),
            port: indicator.port,
            transport: indicator.transport,
            pattern: indicator.pattern,
            window: indicator.window,
            ..Draft::new(indicator.kind, if is_address { shown.as_bytes() } else { indicator.value }, context, 0)
        };
        // A normal form is its own: what was loaded once loads again.
        let added = set.add(&draft, true);
        debug_assert!(added.is_ok(), "{added:?}");
    }
    set
}

/// A name as zones and maps write it, and whether what is below it is meant too.
fn name_of<'a>(indicator: &Indicator<'a>) -> Result<(&'a str, bool), &'static str> {
    if *indicator.kind != DOMAIN {
        return Err("not a name");
    }
    let name = std::str::from_utf8(indicator.value).map_err(|_| UNUSUAL)?;
    // Everything else would have to be escaped, in each target by rules of its own.
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(UNUSUAL);
    }
    Ok((name, indicator.matching == Match::Subtree))
}

const UNUSUAL: &str = "a name with unusual characters";

#[cfg(test)]
mod tests;
