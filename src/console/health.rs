//! [`problems`]: what is wrong with a running sensor, judged by its numbers alone. `/healthz` and `picket status` say the same.

use serde::{Deserialize, Serialize};

use super::Snapshot;

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word.
    pub code: String,
    /// Whether the sensor sees or says nothing while it lasts: `/healthz` answers 503.
    pub is_fatal: bool,
    /// In words.
    pub text: String,
}

/// What is wrong now, the worst first. What is over, however bad, is for counters and alert rules.
pub fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let mut all = Vec::new();
    workers(snapshot, &mut all);
    interfaces(snapshot, &mut all);
    feeds(snapshot, &mut all);
    outputs(snapshot, &mut all);
    let active: Vec<&str> = snapshot.shed.iter().filter(|shed| shed.is_active).map(|shed| shed.step.as_str()).collect();
    if !active.is_empty() {
        all.push(warn("overload", format!("overloaded: left undone is {}", active.join(", "))));
    }
    if snapshot.process.memory_limit_bytes.is_some_and(|limit| snapshot.process.resident_bytes > limit) {
        all.push(warn("memory", "more memory in use than the configuration allows".to_owned()));
    }
    all.sort_by_key(|problem| !problem.is_fatal);
    all
}

fn workers(snapshot: &Snapshot, all: &mut Vec<Problem>) {
    if snapshot.sensor.is_stopping {
        all.push(fatal("stopping", "the sensor is stopping".to_owned()));
        return;
    }
    let running = snapshot.workers.iter().filter(|worker| worker.is_running).count();
    match snapshot.workers.len() {
        of if running == of && of > 0 => {}
        _ if running == 0 => all.push(fatal("no-worker", "no worker runs".to_owned())),
        of => all.push(warn("worker-down", format!("{running} of {of} workers run"))),
    }
}

fn interfaces(snapshot: &Snapshot, all: &mut Vec<Problem>) {
    let down: Vec<&str> = snapshot
        .interfaces
        .iter()
        .filter(|interface| !interface.is_up)
        .map(|interface| interface.name.as_str())
        .collect();
    if !down.is_empty() {
        let text = format!("down: {}", down.join(", "));
        let is_fatal = down.len() == snapshot.interfaces.len();
        all.push(if is_fatal { fatal("no-interface", text) } else { warn("interface-down", text) });
    }
    if snapshot.gaps.open > 0 {
        all.push(warn("visibility-gap", "packets are being lost now".to_owned()));
    }
}

fn feeds(snapshot: &Snapshot, all: &mut Vec<Problem>) {
    for feed in &snapshot.feeds {
        if feed.is_broken {
            all.push(warn("feed-broken", format!("feed {}: it could not be read to its end", feed.name)));
        }
        if feed.is_stale {
            all.push(warn("feed-stale", format!("feed {}: not renewed for {:.0} s", feed.name, feed.age_seconds)));
        }
    }
    if snapshot.reload.is_last_refused {
        all.push(warn("reload-refused", "the last reload was refused: what was in use before stays".to_owned()));
    }
    if snapshot.indicators.total == 0 {
        all.push(fatal("no-indicators", "there is nothing to match against".to_owned()));
    }
}

fn outputs(snapshot: &Snapshot, all: &mut Vec<Problem>) {
    for output in snapshot.outputs.iter().filter(|output| !output.is_up) {
        all.push(warn(
            "output-down",
            format!("output {}: not delivering, {} records wait", output.name, output.queued),
        ));
    }
}

fn fatal(code: &str, text: String) -> Problem {
    Problem { code: code.to_owned(), is_fatal: true, text }
}

fn warn(code: &str, text: String) -> Problem {
    Problem { code: code.to_owned(), is_fatal: false, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{Indicators, Interface, Output, Worker};

    fn well() -> Snapshot {
        Snapshot {
            workers: vec![Worker { is_running: true, ..Worker::default() }; 2],
            interfaces: vec![Interface { name: "eth1".into(), is_up: true, went_down: 0 }; 2],
            indicators: Indicators { total: 1, ..Indicators::default() },
            ..Snapshot::default()
        }
    }

    fn codes(snapshot: &Snapshot) -> Vec<(String, bool)> {
        problems(snapshot).into_iter().map(|problem| (problem.code, problem.is_fatal)).collect()
    }

    #[test]
    fn part_of_it_is_a_warning_and_all_of_it_is_fatal() {
        assert_eq!(codes(&well()), []);
        let mut snapshot = well();
        snapshot.workers[0].is_running = false;
        snapshot.interfaces[1].is_up = false;
        assert_eq!(codes(&snapshot), [("worker-down".into(), false), ("interface-down".into(), false)]);
        snapshot.workers[1].is_running = false;
        snapshot.outputs.push(Output { name: "siem".into(), ..Output::default() });
        assert_eq!(
            codes(&snapshot),
            [("no-worker".into(), true), ("interface-down".into(), false), ("output-down".into(), false)]
        );
        snapshot.interfaces[0].is_up = false;
        assert_eq!(codes(&snapshot)[1], ("no-interface".into(), true));
    }
}
