use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::Asked;
use super::*;
use crate::cli::clearance::ReaderArgs;
use crate::indicator::IndicatorSet;
use crate::matcher::MatchSet;
use crate::sink::destination::Destination;
use crate::sink::destination::file::FileOptions;
use crate::sink::destination::unix::UnixOptions;
use crate::sink::spool::SpoolOptions;
use crate::sink::{Filter, eve};

fn file(folder: &Path, name: &str, path: &str) -> OutputOptions {
    let destination = Destination::File(FileOptions { path: folder.join(path), ..FileOptions::default() });
    OutputOptions { name: name.to_owned(), destination, ..OutputOptions::default() }
}

/// A socket that nobody has.
fn socket(folder: &Path, name: &str, spool: Option<&str>) -> OutputOptions {
    let path = folder.join("nobody");
    let spool = SpoolOptions { folder: spool.map(|spool| folder.join(spool)), ..SpoolOptions::default() };
    let destination = Destination::Unix(UnixOptions { path, ..UnixOptions::default() });
    let drain = Duration::from_millis(20);
    OutputOptions { name: name.to_owned(), destination, spool, drain, ..OutputOptions::default() }
}

struct Run {
    outputs: Outputs,
    set: Arc<MatchSet>,
    written: usize,
}

impl Run {
    fn open(options: &[OutputOptions]) -> Self {
        let set = Arc::new(MatchSet::compile(IndicatorSet::default(), IndicatorSet::default()));
        let configured: Vec<_> = options.iter().map(|options| (options.name.clone(), options.clone())).collect();
        let outputs = with(&configured, |asked| Outputs::open(asked, None, &set)).expect("opens");
        Self { outputs, set, written: 0 }
    }

    fn change(&mut self, next: Vec<Next>) -> Result<(), String> {
        let named = |next: &Next| match next {
            Next::Kept(name) => (name.clone(), OutputOptions::default()),
            Next::Opened(output) => (output.name().to_owned(), output.options().clone()),
            Next::Late(options, _) => (options.name.clone(), (**options).clone()),
        };
        let configured: Vec<_> = next.iter().map(named).collect();
        let terms = with(&configured, |asked| Terms::read(asked, None)).expect("reads");
        let (change, outcome) = Change::new(next, terms);
        self.outputs.changes().send(change).expect("taken");
        self.outputs.look();
        outcome.try_recv().expect("told")
    }

    /// Writes a record to each.
    fn write(&mut self) {
        self.written += 1;
        let message = format!("record {}.", self.written);
        let notice = Notice { time: now(), action: "test", severity: 50, message, fields: Vec::new() };
        self.outputs.notice(&notice).expect("queued");
    }

    fn told(&mut self, count: usize) -> Vec<Notice> {
        let start = Instant::now();
        let mut told = Vec::new();
        while told.len() < count {
            told.extend(self.outputs.look());
            assert!(start.elapsed() < Duration::from_secs(20), "{} were told", told.len());
            thread::sleep(Duration::from_millis(5));
        }
        told
    }
}

fn with<T>(configured: &[(String, OutputOptions)], act: impl FnOnce(&Asked<'_>) -> T) -> T {
    let reader = ReaderArgs { clearance: None, sink_clearance: None };
    let (alerts, format, summary_clearance) = (&[][..], None, None);
    act(&Asked { alerts, format, reader: &reader, summary_clearance, is_live: true, configured })
}

/// Numbers of the records in a file.
fn records(path: &Path) -> Vec<usize> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let number = |line: &str| line.split_once("record ")?.1.split_once('.')?.0.parse().ok();
    text.lines().filter_map(number).collect()
}

fn late(options: OutputOptions) -> Next {
    Next::Late(Box::new(options), false)
}

fn number(notice: &Notice, path: &str) -> Option<u64> {
    notice.fields.iter().find(|(at, _)| at.0 == path).and_then(|(_, value)| match value {
        OwnedValue::Number(number) => Some(*number),
        _ => None,
    })
}

#[test]
fn new_ones_begin_those_that_go_are_emptied_and_the_others_are_not_touched() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    let mut run = Run::open(&[file(folder.path(), "stays", "a"), file(folder.path(), "goes", "b")]);
    (0..100).for_each(|_| run.write());
    let before: Vec<_> = run.outputs.statuses();
    let fresh = Output::open(file(folder.path(), "comes", "c")).expect("opens");
    run.change(vec![Next::Opened(fresh), Next::Kept("stays".to_owned())]).expect("taken");
    (0..50).for_each(|_| run.write());
    let names: Vec<String> = run.outputs.statuses().into_iter().map(|(status, _)| status.name).collect();
    assert_eq!(names, ["comes", "stays"]);
    assert_eq!(run.outputs.statuses()[1].0.accepted, before[0].0.accepted + 50, "it is the same one");
    run.outputs.finish().expect("ends");
    assert_eq!(records(&at("a")), (1..=150).collect::<Vec<_>>());
    assert_eq!(records(&at("b")), (1..=100).collect::<Vec<_>>());
    assert_eq!(records(&at("c")), (101..=150).collect::<Vec<_>>());
}

#[test]
fn one_that_is_changed_loses_nothing_whatever_it_shares_with_the_one_before() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    let mut run = Run::open(&[file(folder.path(), "a", "a"), socket(folder.path(), "s", Some("spool"))]);
    (0..200).for_each(|_| run.write());
    let changed = OutputOptions { format: &eve::FORMAT, ..file(folder.path(), "a", "a") };
    // From a socket that nobody has to a file, with the queue of before.
    let spool = SpoolOptions { folder: Some(at("spool")), ..SpoolOptions::default() };
    let other = OutputOptions { spool, ..file(folder.path(), "s", "s") };
    run.change(vec![late(changed), late(other)]).expect("taken");
    run.write();
    run.outputs.finish().expect("ends");
    assert_eq!(records(&at("a")), (1..=201).collect::<Vec<_>>());
    assert_eq!(records(&at("s")), (1..=201).collect::<Vec<_>>());
}

#[test]
fn one_that_goes_on_with_its_queue_does_not_wait_for_its_destination() {
    let folder = tempfile::tempdir().expect("folder");
    let slow = |severity| OutputOptions {
        drain: Duration::from_secs(10),
        filter: Filter { min_severity: severity, ..Filter::default() },
        ..socket(folder.path(), "s", Some("spool"))
    };
    let mut run = Run::open(&[slow(0)]);
    run.write();
    run.change(vec![Next::Late(Box::new(slow(10)), true)]).expect("taken");
    run.write();
    let (status, _) = run.outputs.statuses().remove(0);
    assert_eq!((status.queue_records, status.dropped), (2, 0));
    assert!(run.outputs.look().is_empty(), "nothing is left behind");
    run.change(vec![Next::Late(Box::new(socket(folder.path(), "s", Some("spool"))), true)]).expect("taken");
}

#[test]
fn all_or_none_and_what_was_closed_for_it_is_opened_again() {
    let folder = tempfile::tempdir().expect("folder");
    let mut run = Run::open(&[file(folder.path(), "a", "a"), file(folder.path(), "b", "b")]);
    run.write();
    let changed = OutputOptions { format: &eve::FORMAT, ..file(folder.path(), "a", "a") };
    let next = vec![late(changed), Next::Kept("b".to_owned()), late(file(folder.path(), "c", "missing/c"))];
    let why = run.change(next).expect_err("there is no such folder");
    assert!(why.contains("output c") && why.contains("missing/c"), "{why}");
    run.write();
    let formats: Vec<_> = run.outputs.statuses().into_iter().map(|(status, _)| (status.name, status.format)).collect();
    assert_eq!(formats, [("a".to_owned(), "ecs"), ("b".to_owned(), "ecs")]);
    run.outputs.finish().expect("ends");
    for name in ["a", "b"] {
        assert_eq!(records(&folder.path().join(name)), [1, 2]);
    }
    assert!(Arc::strong_count(&run.set) > 0);
}

#[test]
fn what_is_left_in_a_spool_is_told_and_goes_out_when_somebody_has_it_again() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    let mut run = Run::open(&[
        file(folder.path(), "a", "a"),
        socket(folder.path(), "kept", Some("spool")),
        socket(folder.path(), "lost", None),
    ]);
    (0..3).for_each(|_| run.write());
    run.change(vec![Next::Kept("a".to_owned())]).expect("taken");
    let mut told = run.told(2);
    told.sort_by_key(|notice| notice.severity);
    let figure = |told: &Notice| (number(told, "picket.waiting"), number(told, "picket.dropped"));
    let figures: Vec<_> = told.iter().map(figure).collect();
    assert_eq!(figures, [(Some(3), Some(0)), (Some(0), Some(3))]);
    assert!(told[0].message.contains("kept") && told[0].message.contains("3 alerts wait in its spool"));
    let spool = SpoolOptions { folder: Some(at("spool")), ..SpoolOptions::default() };
    let again = Output::open(OutputOptions { spool, ..file(folder.path(), "kept", "k") }).expect("opens");
    run.change(vec![Next::Kept("a".to_owned()), Next::Opened(again)]).expect("taken");
    run.outputs.finish().expect("ends");
    assert_eq!(records(&at("k")), [1, 2, 3]);
}

#[test]
fn nothing_is_changed_if_one_that_is_to_stay_is_not_there() {
    let folder = tempfile::tempdir().expect("folder");
    let mut run = Run::open(&[file(folder.path(), "a", "a")]);
    run.write();
    let why = run.change(vec![Next::Kept("b".to_owned())]).expect_err("refused");
    assert!(why.contains("the output b") && why.contains("restart"), "{why}");
    run.write();
    run.outputs.finish().expect("ends");
    assert_eq!(records(&folder.path().join("a")), [1, 2]);
}
