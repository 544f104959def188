//! A sensor that runs already: what it says of itself, and what it has given up.

use super::Finding;
use crate::cli::confine;
use crate::config::Plan;
use crate::console::control::{self, Answer, AskError, Request, Status};
use crate::privilege::{Refusal, Report, Who};

pub(super) fn examine(plan: &Plan, findings: &mut Vec<Finding>) {
    let socket = &plan.control.socket;
    match control::ask(socket, Request::Status {}) {
        Ok(Answer::Status(status)) => {
            findings.push(state(&status).of(socket.to_string_lossy()));
            let number = status.snapshot.process.id;
            let report = Report::of(Who::Process(number)).map_err(|error| error.to_string());
            findings.push(
                privileges(report.as_ref(), confine::options(plan, None).refusal).of(format!("process {number}")),
            );
        }
        Err(AskError::NoSensor) => findings.push(Finding::ok("sensor", "none runs now").of(socket.to_string_lossy())),
        Ok(_) => findings.push(unknown("another answer came than was asked for").of(socket.to_string_lossy())),
        Err(error) => findings.push(unknown(&error.to_string()).of(socket.to_string_lossy())),
    }
}

fn unknown(why: &str) -> Finding {
    Finding::warn(
        "sensor",
        format!("cannot be asked: {why}"),
        "how it is cannot be told",
        "ask as root, or as its user",
    )
}

fn state(status: &Status) -> Finding {
    let words: Vec<&str> = status.problems.iter().map(|problem| problem.text.as_str()).collect();
    match status.problems.first() {
        None => Finding::ok("sensor", "runs, and finds nothing wrong with itself"),
        Some(worst) if worst.is_fatal => Finding::fail(
            "sensor",
            format!("runs: {}", words.join("; ")),
            "nothing is seen or looked for",
            "`picket status` says more",
        ),
        Some(_) => Finding::warn(
            "sensor",
            format!("runs: {}", words.join("; ")),
            "it sees or tells less than it could",
            "`picket status` says more",
        ),
    }
}

fn privileges(report: Result<&Report, &String>, refusal: Refusal) -> Finding {
    const WHY: &str = "a fault in a parser could do more than it needs to";
    match report {
        Err(error) => Finding::warn("privileges", format!("not known: {error}"), WHY, "look as root"),
        Ok(report) => {
            let missing = report.shortfalls(refusal);
            if missing.is_empty() {
                return Finding::ok("privileges", report.line());
            }
            let advice = "start it with --config (the packaged service does), and see [privileges]";
            Finding::warn("privileges", format!("{}; {}", report.line(), missing.join("; ")), WHY, advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Level, levels};
    use super::*;
    use crate::console::Problem;

    #[test]
    fn what_it_says_of_itself_is_passed_on() {
        let mut status = Status::default();
        assert_eq!(state(&status).level, Level::Ok);
        for (is_fatal, level) in [(false, Level::Warn), (true, Level::Fail)] {
            status.problems = vec![Problem { code: "x".into(), is_fatal, text: "eth1 is down".into() }];
            let finding = state(&status);
            assert!(finding.level == level && finding.what.contains("eth1 is down"));
        }
    }

    #[test]
    fn none_is_no_fault_and_a_process_without_confinement_is() {
        let mut plan = Plan::default();
        let folder = tempfile::tempdir().expect("a folder");
        plan.control.socket = folder.path().join("none");
        let mut findings = Vec::new();
        examine(&plan, &mut findings);
        assert_eq!(levels(&findings), [("sensor", Level::Ok)]);
        // This test runs without any.
        let report = Report::of(Who::Process(std::process::id())).map_err(|error| error.to_string());
        let finding = privileges(report.as_ref(), Refusal::Fail);
        assert!(finding.level == Level::Warn && finding.what.contains("not filtered"), "{finding:?}");
    }
}
