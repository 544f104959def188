//! Live runs over sources that play captures: everything but the interfaces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::capture::live::InterfaceState;
use crate::capture::{Batch, Files, Source};
use crate::feed;
use crate::indicator::IndicatorSet;
use crate::pipeline::replay;

/// Plays captures, so many frames at a time, as if they came through an interface.
struct Player {
    files: Files,
    inner: Batch,
    step: usize,
    /// Whether it ends after the last frame; otherwise nothing more comes.
    ends: Arc<AtomicBool>,
    losses: Arc<Mutex<Losses>>,
    is_up: Arc<AtomicBool>,
    /// Called before each batch, with the frames that were given.
    before: Box<dyn FnMut(usize) + Send>,
    given: usize,
}

impl Player {
    fn of(paths: &[PathBuf], step: usize) -> Self {
        Self {
            files: Files::open(paths).expect("captures"),
            inner: Batch::default(),
            step,
            ends: Arc::new(AtomicBool::new(true)),
            losses: Arc::default(),
            is_up: Arc::new(AtomicBool::new(true)),
            before: Box::new(|_| {}),
            given: 0,
        }
    }

    fn before(mut self, act: impl FnMut(usize) + Send + 'static) -> Self {
        self.before = Box::new(act);
        self
    }

    fn endless(self) -> Self {
        self.ends.store(false, Ordering::Relaxed);
        self
    }

    fn boxed(self) -> Vec<Box<dyn Live>> {
        vec![Box::new(self)]
    }
}

impl Source for Player {
    fn poll(&mut self, batch: &mut Batch) -> bool {
        (self.before)(self.given);
        batch.frames.clear();
        if self.inner.frames.is_empty() && !self.files.poll(&mut self.inner) {
            std::thread::sleep(Duration::from_millis(1));
            return !self.ends.load(Ordering::Relaxed);
        }
        batch.data = self.inner.data.clone();
        let count = self.step.min(self.inner.frames.len());
        // One interface, whatever the file.
        batch
            .frames
            .extend(self.inner.frames.drain(..count).map(|frame| crate::packet::FrameMeta { file: 0, ..frame }));
        self.given += count;
        true
    }
}

impl Live for Player {
    fn losses(&mut self) -> Losses {
        Losses { received: self.given as u64, ..*self.losses.lock().expect("figures") }
    }

    fn state(&self) -> Vec<InterfaceState> {
        vec![InterfaceState { name: "test0".into(), is_up: self.is_up.load(Ordering::Relaxed), downs: 0 }]
    }
}

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// The fixtures' feed, forwards or backwards, so that its indicators have other numbers.
fn fixtures(is_backwards: bool) -> Arc<MatchSet> {
    let text = std::fs::read_to_string(path("fixtures/feed.jsonl")).expect("feed");
    let mut lines: Vec<&str> = text.lines().collect();
    if is_backwards {
        lines.reverse();
    }
    compiled("feed.jsonl", &(lines.join("\n") + "\n"))
}

fn compiled(name: &str, text: &str) -> Arc<MatchSet> {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join(name);
    std::fs::write(&file, text).expect("feed");
    let mut set = IndicatorSet::default();
    feed::load(&[file], &feed::Options::default(), &mut set).expect("feed loads");
    Arc::new(MatchSet::compile(set, IndicatorSet::default()))
}

/// Every capture of the fixtures by itself.
fn captures() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path("fixtures/pcaps")).expect("fixtures");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    all.retain(|path| path.to_string_lossy().contains(".pcap"));
    all.sort();
    assert!(all.len() > 100);
    all
}

/// What an alert is about, in words; how many there are of each.
type Found = BTreeMap<String, usize>;

fn words(alert: &Alert, with_frame: bool) -> String {
    let frame = if with_frame { alert.frame.number } else { 0 };
    format!("{} {} {} {frame}", alert.indicator().id(), alert.field.0, alert.atomic)
}

fn count(alerts: impl Iterator<Item = String>) -> Found {
    let mut found = Found::new();
    alerts.for_each(|alert| *found.entry(alert).or_default() += 1);
    found
}

fn replayed(capture: &Path, set: &Arc<MatchSet>, with_frame: bool) -> Found {
    let run = replay(Files::open(&[capture.to_owned()]).expect("capture"), Arc::clone(set), &small().pipeline);
    let found = count(run.alerts.iter().map(|alert| words(&alert, with_frame)));
    run.finish();
    found
}

/// Small tables, quick to make.
fn small() -> WatchOptions {
    WatchOptions { pipeline: Options { max_flows: 4096, ..Options::default() }, ..WatchOptions::default() }
}

/// Runs to the end: the alerts, the notices, and the outcome.
fn run_out(run: Watch) -> (Vec<Alert>, Vec<Notice>, WatchOutcome) {
    let (mut alerts, mut notices) = (Vec::new(), Vec::new());
    for event in &run.events {
        match event {
            Event::Alert(alert) => alerts.push(alert),
            Event::Notice(notice) => notices.push(notice),
            Event::Flow(_) => {}
        }
    }
    (alerts, notices, run.finish())
}

#[test]
fn what_a_replay_finds_a_live_run_finds_in_the_same_frames() {
    let set = fixtures(false);
    for capture in captures() {
        let run = watch(Player::of(&[capture.clone()], 5).boxed(), Arc::clone(&set), &small());
        let (alerts, _, outcome) = run_out(run);
        let found = count(alerts.iter().map(|alert| words(alert, true)));
        assert_eq!(found, replayed(&capture, &set, true), "{}", capture.display());
        let counters = &outcome.run.counters;
        assert_eq!(counters.visibility.total().packets, counters.frames, "{}", capture.display());
        assert!(alerts.iter().all(|alert| *alert.capture == *Path::new("test0")));
    }
}

#[test]
fn a_set_that_takes_over_after_every_frame_changes_nothing_but_frames() {
    let sets = [fixtures(false), fixtures(true)];
    for capture in captures() {
        let control: Arc<Mutex<Option<Arc<Control>>>> = Arc::default();
        let (shared, next) = (Arc::clone(&control), sets.clone());
        let player = Player::of(&[capture.clone()], 1).before(move |given| {
            if let Some(control) = &*shared.lock().expect("control") {
                control.swap(Arc::clone(&next[given % 2]));
            }
        });
        // The worker waits for its control before the first frame.
        let guard = control.lock().expect("control");
        let run = watch(player.boxed(), Arc::clone(&sets[1]), &small());
        { guard }.replace(Arc::clone(&run.control));
        let (alerts, _, outcome) = run_out(run);
        let found = count(alerts.iter().map(|alert| words(alert, false)));
        assert_eq!(found, replayed(&capture, &sets[0], false), "{}", capture.display());
        assert!(outcome.swaps > 0);
    }
}

/// Repeats summed up, flows logged and evidence filed, over two sets of feeds: nothing that is found is lost.
#[test]
fn what_is_kept_beside_alerts_adds_up_over_a_reload() {
    let folder = tempfile::tempdir().expect("folder");
    let swaps = Arc::new(Mutex::new(None::<Arc<Control>>));
    let (own, sets) = (Arc::clone(&swaps), [fixtures(true), fixtures(false)]);
    let player = Player::of(&captures(), 64).before(move |given| {
        if let Some(control) = &*own.lock().expect("control") {
            control.swap(Arc::clone(&sets[given / 64 % 2]));
        }
    });
    let mut options = small();
    options.pipeline.suppress = Some(crate::alert::SuppressOptions::default());
    options.pipeline.flow_log = Some(FlowLogOptions::default());
    options.pipeline.evidence = Some(EvidenceOptions::into_folder(folder.path().into()));
    let run = watch(player.boxed(), fixtures(false), &options);
    *swaps.lock().expect("control") = Some(Arc::clone(&run.control));
    let (mut told, mut stood_for, mut filed, mut flows) = (0, 0, 0, 0);
    for event in &run.events {
        match event {
            Event::Alert(alert) => match &alert.repeats {
                Some(repeats) => stood_for += repeats.count,
                None => {
                    told += 1;
                    filed += u64::from(matches!(alert.evidence.as_deref(), Some(crate::alert::Evidence::Filed(_))));
                }
            },
            Event::Notice(_) => {}
            Event::Flow(_) => flows += 1,
        }
    }
    let outcome = run.finish().run;
    let counters = outcome.counters;
    let held = counters.held_back;
    assert_eq!((held.passed, held.by_window + held.by_rate), (told, stood_for));
    assert!(told > 50 && stood_for > 10, "{told} and {stood_for} more");
    // Those of a flow whose ends another set knows are of no packet.
    assert!(filed <= told && filed * 10 > told * 9, "{filed} of {told}");
    assert_eq!((outcome.evidence.filed, outcome.evidence.failed), (filed, 0));
    assert_eq!((flows, counters.flow_log.records, counters.flow_log.dropped), (counters.flows, counters.flows, 0));
}
