//! Live runs over sources that play captures: everything but the interfaces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

mod headers;

use super::work::TICK;
use super::*;
use crate::alert::OwnedValue;
use crate::capture::live::InterfaceState;
use crate::capture::{Batch, Files, Source};
use crate::feed;
use crate::indicator::{IndicatorSet, Where};
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
    /// Polls before the first frame.
    idle_first: usize,
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
            idle_first: 0,
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
        if self.idle_first > 0 {
            self.idle_first -= 1;
            std::thread::sleep(TICK);
            return true;
        }
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
    fn losses_by_interface(&mut self) -> Vec<Losses> {
        vec![Losses { received: self.given as u64, ..*self.losses.lock().expect("figures") }]
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
    // A file's name may come from another connection.
    let name = alert.with.iter().find(|field| field.path == Where("file.name")).map(|field| match &field.value {
        OwnedValue::Text(text) => text.as_str(),
        OwnedValue::Number(_) => "a number",
    });
    format!("{} {} {} {frame} {}", alert.indicator().id(), alert.field.0, alert.atomic, name.unwrap_or_default())
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
        let run = watch(Player::of(std::slice::from_ref(&capture), 5).boxed(), Arc::clone(&set), &small());
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
    captures().iter().for_each(|capture| changes_nothing(capture, &sets));
}

/// A run over a capture in which sets take turns after every frame finds what a replay does.
fn changes_nothing(capture: &PathBuf, sets: &[Arc<MatchSet>; 2]) {
    let control: Arc<Mutex<Option<Arc<Control>>>> = Arc::default();
    let (shared, next) = (Arc::clone(&control), sets.clone());
    let player = Player::of(std::slice::from_ref(capture), 1).before(move |given| {
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
    assert_eq!(found, replayed(capture, &sets[0], false), "{}", capture.display());
    assert!(outcome.swaps > 0);
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

/// A set of one indicator.
fn one(kind: &'static crate::indicator::Kind, value: &str) -> Arc<MatchSet> {
    let mut set = IndicatorSet::default();
    let context = set.context(crate::indicator::Context::default());
    set.add(&crate::indicator::Draft::new(kind, value.as_bytes(), context, 1), true).expect("loads");
    Arc::new(MatchSet::compile(set, IndicatorSet::default()))
}

/// A run that gets another set once all frames have come, and what was found then.
fn found_by_a_later_set(capture: &str, later: &Arc<MatchSet>) -> Vec<Alert> {
    let control: Arc<Mutex<Option<Arc<Control>>>> = Arc::default();
    let (shared, next, mut polls) = (Arc::clone(&control), Arc::clone(later), 0);
    let player = Player::of(&[path(capture)], 1000).endless().before(move |_| {
        polls += 1;
        let control = shared.lock().expect("control");
        match polls {
            3 => control.as_ref().expect("there").swap(Arc::clone(&next)),
            200 => control.as_ref().expect("there").stop(),
            _ => {}
        }
    });
    let guard = control.lock().expect("control");
    let run = watch(player.boxed(), one(&crate::indicator::kind::DOMAIN, "nobody.invalid"), &small());
    { guard }.replace(Arc::clone(&run.control));
    run_out(run).0
}

#[test]
fn live_flows_are_looked_up_in_a_new_set_by_address_and_name() {
    use crate::indicator::kind::{DOMAIN, IPV4};
    let alerts = found_by_a_later_set("fixtures/pcaps/http-host.pcap", &one(&IPV4, "192.0.2.0/24"));
    assert!(!alerts.is_empty());
    for alert in &alerts {
        assert_eq!((alert.field.0, alert.frame.number), ("source.ip", 0));
        assert!(alert.frame.time > crate::time::Timestamp::ZERO && *alert.capture == *Path::new("test0"));
    }
    let alerts = found_by_a_later_set("fixtures/pcaps/http-host.pcap", &one(&DOMAIN, "evil.example"));
    assert!(alerts.iter().any(|alert| alert.field.0 == "url.domain"), "{alerts:?}");
}

#[test]
fn names_of_a_conversation_whose_place_another_has_taken_are_not_looked_up_again() {
    let bytes = std::fs::read(path("fixtures/pcaps/http-host.pcap")).expect("capture");
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four")) as usize;
    let mut ends = vec![24];
    while ends.len() <= 8 {
        let last = ends[ends.len() - 1];
        ends.push(last + 16 + number(last + 8));
    }
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("a.pcap");
    let found = |parts: &[&[u8]]| {
        std::fs::write(&file, parts.concat()).expect("written");
        let domain = one(&crate::indicator::kind::DOMAIN, "evil.example");
        found_by_a_later_set(file.to_str().expect("path"), &domain).len()
    };
    let first = &bytes[..ends[8]];
    assert!(found(&[first]) > 0, "one that is over is still known");
    // Its SYN once more, a second later.
    let mut syn = bytes[ends[0]..ends[1]].to_vec();
    syn[0] += 1;
    assert_eq!(found(&[first, &syn]), 0);
}

#[test]
fn alerts_that_find_no_room_are_counted_and_said() {
    let set = one(&crate::indicator::kind::IPV4, "0.0.0.0/0");
    let options = WatchOptions { alert_channel: 1, ..small() };
    let run = watch(Player::of(&[path("fixtures/pcaps/http-url.pcap")], 1000).endless().boxed(), set, &options);
    // Nobody takes anything until the worker had to drop some.
    let start = Instant::now();
    while run.control.snapshot().alerts_dropped == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing was dropped");
        std::thread::sleep(Duration::from_millis(5));
    }
    let control = Arc::clone(&run.control);
    let mut told = 0_u64;
    for event in &run.events {
        if let Event::Notice(notice) = event
            && notice.action == "alerts-dropped"
        {
            let count =
                notice.fields.iter().find(|(at, _)| at.0 == "picket.alerts_dropped").map(|(_, value)| value.clone());
            let Some(crate::alert::OwnedValue::Number(count)) = count else { panic!("no count") };
            told += count;
            control.stop();
        }
    }
    let outcome = run.finish();
    assert!(outcome.alerts_dropped > 0 && outcome.alerts_sent > 0);
    assert_eq!(told, outcome.alerts_dropped, "all are said");
}

#[test]
fn a_panic_costs_a_batch_and_a_worker_goes_on() {
    let set = fixtures(false);
    let capture = path("fixtures/pcaps/http-keep-alive.pcap");
    let options = WatchOptions { panic_at_frame: Some(1), ..small() };
    let paths = [capture.clone(), path("fixtures/pcaps/dns-query-a.pcap"), path("fixtures/pcaps/tls-sni.pcap")];
    let run = watch(Player::of(&paths, 1).boxed(), Arc::clone(&set), &options);
    let (alerts, notices, outcome) = run_out(run);
    assert_eq!((outcome.restarts, outcome.frames_lost_to_restarts), (1, 1));
    let told: Vec<&Notice> = notices.iter().filter(|notice| notice.action == "worker-restarted").collect();
    assert_eq!(told.len(), 1);
    assert!(alerts.iter().any(|alert| alert.field.0 == "tls.client.server_name"), "it goes on: {alerts:?}");
    let frames = outcome.run.counters.frames;
    assert_eq!(frames + 1, outcome.run.files[0].frames, "all but the one are counted");
}

#[test]
fn losses_and_interfaces_are_said() {
    let set = fixtures(false);
    let player = Player::of(&[path("fixtures/pcaps/dns-query-a.pcap")], 1).endless();
    let (losses, is_up) = (Arc::clone(&player.losses), Arc::clone(&player.is_up));
    let options = WatchOptions { gap_quiet: Duration::from_millis(1500), ..small() };
    let run = watch(player.boxed(), set, &options);
    let mut actions = Vec::new();
    losses.lock().expect("figures").kernel_dropped = 7;
    for event in &run.events {
        let Event::Notice(notice) = event else { continue };
        actions.push(notice.action);
        match notice.action {
            "visibility-gap-ended" => is_up.store(false, Ordering::Relaxed),
            "interface-down" => is_up.store(true, Ordering::Relaxed),
            "interface-up" => run.control.stop(),
            _ => {}
        }
    }
    let outcome = run.finish();
    for wanted in ["visibility-gap-began", "overload", "visibility-gap-ended", "interface-down", "interface-up"] {
        assert_eq!(actions.iter().filter(|action| **action == wanted).count(), 1, "{wanted}: {actions:?}");
    }
    assert_eq!(outcome.losses.kernel_dropped, 7);
}

#[test]
fn a_worker_that_hangs_is_named_until_it_goes_on_and_one_that_has_ended_is_not() {
    let set = fixtures(false);
    let hold = Arc::new(Mutex::new(()));
    let (held, is_waiting) = (Arc::clone(&hold), Arc::new(AtomicBool::new(false)));
    let waits = Arc::clone(&is_waiting);
    let frames = [path("fixtures/pcaps/dns-query-a.pcap")];
    let hanging = Player::of(&frames, 1).endless().before(move |_| {
        waits.store(true, Ordering::Relaxed);
        drop(held.lock());
    });
    let sources: Vec<Box<dyn Live>> =
        vec![Box::new(Player::of(&frames, 1).endless()), Box::new(hanging), Box::new(Player::of(&frames, 1))];
    let guard = hold.lock().expect("not poisoned");
    let run = watch(sources, set, &WatchOptions { hung_after: Duration::from_millis(700), ..small() });
    let wait_for = |hung: &[usize], running: [bool; 3]| {
        let start = std::time::Instant::now();
        let is_running = || run.control.snapshot().workers.iter().map(|worker| worker.is_running).collect::<Vec<_>>();
        while run.control.hung() != hung || is_running() != running {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?} {:?}", run.control.hung(), is_running());
            std::thread::sleep(TICK);
        }
    };
    wait_for(&[1], [true, false, false]);
    assert!(is_waiting.load(Ordering::Relaxed));
    drop(guard);
    wait_for(&[], [true, true, false]);
    run.control.stop();
    run_out(run);
}

#[test]
fn what_is_left_out_under_load_is_counted_and_addresses_are_still_found() {
    let set = fixtures(false);
    let under_load = |capture: &str, sheds: bool| {
        let mut player = Player::of(&[path(capture)], 1);
        // Drops in the first two seconds, then the frames.
        player.idle_first = 25;
        let losses = Arc::clone(&player.losses);
        let player = player.before(move |_| losses.lock().expect("figures").kernel_dropped += 1);
        let overload = OverloadOptions { sheds, bulk_bytes: 0, long_bytes: 0 };
        let (alerts, notices, outcome) =
            run_out(watch(player.boxed(), Arc::clone(&set), &WatchOptions { overload, ..small() }));
        let told = notices.iter().filter(|notice| notice.action == "overload").count();
        let counters = outcome.run.counters;
        assert_eq!(counters.visibility.total().packets, counters.frames);
        let lines = counters.uninspected();
        let count = |reason: &str| lines.iter().find(|line| line.reason == reason).map_or(0, |line| line.count);
        let fields: Vec<&str> = alerts.iter().map(|alert| alert.field.0).collect();
        (fields.join(" "), told, count("overload_not_scanned"), count("overload_not_parsed"))
    };
    let url = "fixtures/pcaps/http-url.pcap";
    let bytes = "fixtures/pcaps/bytes-one-segment.pcap";
    assert_eq!(under_load(url, false), ("url.full".to_owned(), 0, 0, 0));
    let (fields, told, not_scanned, not_parsed) = under_load(url, true);
    assert_eq!((fields.as_str(), told), ("", 2));
    assert!(not_scanned > 0 && not_parsed > 0);
    let (fields, _, not_scanned, _) = under_load(bytes, true);
    assert!(fields.is_empty() && not_scanned > 0, "{fields}");
    let (fields, ..) = under_load("fixtures/pcaps/addr-network.pcap", true);
    assert!(fields.contains(".ip"), "{fields}");
}

#[test]
fn flows_time_out_where_no_packet_comes() {
    // The clock of the packets goes on as the machine's does; what is asked of the table is the same as of a packet that late.
    let set = fixtures(false);
    let share = small().pipeline;
    let captures = captures_of_one();
    let mut worker = super::super::worker::Worker::new(&set, &captures, &share, 1);
    let mut player = Player::of(&[path("fixtures/pcaps/dns-query-a.pcap")], 1000);
    let mut batch = Batch::default();
    assert!(player.poll(&mut batch));
    let mut headers = super::super::decoded::Headers::default();
    let mut assembler = super::super::fragments::Assembler::default();
    let seed = crate::flow::HashSeed::random();
    headers.decode(&batch.data, &batch.frames, seed, &mut assembler, |item: &mut _| worker.prefetch(item));
    worker.process_decoded(&headers, &batch.data, &batch.frames);
    let before = worker.flows.len();
    let last = batch.frames.last().expect("frames").time;
    let later = |secs: u64| crate::time::Timestamp::from_ns(last.as_ns() + secs * 1_000_000_000);
    worker.idle(later(10), 64);
    assert_eq!((before > 0, worker.flows.len()), (true, before));
    (0..20).for_each(|_| worker.idle(later(300), 64));
    assert_eq!((worker.flows.len(), worker.numbers().expired_flows), (0, before as u64));
}

fn captures_of_one() -> Arc<[Arc<Path>]> {
    super::captures(&["test0".to_owned()])
}
