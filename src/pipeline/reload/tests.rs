use super::*;

fn feed(path: &str, entries: u64, is_whole: bool) -> FeedState {
    FeedState { path: path.into(), label: path.into(), entries, is_whole, error: None, changed: wall() }
}

#[test]
fn a_feed_that_fails_or_shrinks_is_refused() {
    let before = [feed("a", 100, true), feed("b", 10, true), feed("c", 5, false)];
    let by = |after: &[FeedState], most| {
        let words =
            |refused: Vec<Refused>| refused.into_iter().map(|refused| refused.why).collect::<Vec<_>>().join("; ");
        judge(&before, after, most).map(words)
    };
    let judged = |after: &[FeedState]| by(after, 50);
    let all_well = Ok(String::new());
    assert_eq!(judged(&before), all_well, "what failed before may go on failing");
    assert_eq!(judged(&[feed("a", 50, true), feed("b", 5, true), feed("c", 5, false)]), all_well, "just enough");
    let shrunk = judged(&[feed("a", 49, true), feed("b", 10, true), feed("c", 5, true)]);
    assert_eq!(shrunk, Ok("a has 49 entries, where it had 100".to_owned()), "it stays, so the sum does not shrink");
    let broken = FeedState { error: Some("line 7: what".to_owned()), ..feed("b", 4, false) };
    let both = judged(&[feed("a", 1, true), broken, feed("c", 5, true)]);
    let words = "a has 1 entries, where it had 100; b cannot be read to its end: line 7: what";
    assert_eq!(both, Ok(words.to_owned()));
    assert_eq!(judged(&[feed("a", 100, true)]), all_well, "two small ones were taken away");
    assert!(judged(&[feed("b", 10, true)]).is_err_and(|why| why.starts_with("the feeds together")));
    assert_eq!(by(&[], 100), all_well, "no threshold");
}

/// Loads as many indicators as a file has lines.
struct ByLines {
    file: PathBuf,
    is_broken: bool,
    is_old: bool,
}

impl Loader for ByLines {
    fn load(&mut self, _: &Arc<MatchSet>, _: &[FeedState]) -> Result<Fresh, Failure> {
        let failed = |why: String| Failure { why, feeds: Vec::new() };
        let text = std::fs::read_to_string(&self.file).map_err(|error| failed(error.kind().to_string()))?;
        let mut set = crate::indicator::IndicatorSet::default();
        let context = set.context(crate::indicator::Context::default());
        for (line, value) in (1..).zip(text.lines()) {
            let draft = crate::indicator::Draft::new(&crate::indicator::kind::DOMAIN, value.as_bytes(), context, line);
            set.add(&draft, false).map_err(|why| failed(why.to_string()))?;
        }
        let changed = if self.is_old { Timestamp::ZERO } else { wall() };
        let feeds = vec![FeedState { changed, ..feed("list", set.len() as u64, true) }];
        Ok(Fresh { set: Arc::new(MatchSet::compile(set, crate::indicator::IndicatorSet::default())), feeds })
    }

    fn prepare(&mut self, _: &Arc<MatchSet>) -> Result<(), String> {
        if self.is_broken { Err("there is no key".to_owned()) } else { Ok(()) }
    }

    fn paths(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }
}

/// A run without workers, whose feed is a file.
struct Sensor {
    run: super::super::live::Watch,
    folder: tempfile::TempDir,
}

impl Sensor {
    fn new(lines: usize, (is_broken, is_old): (bool, bool), options: ReloadOptions) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("list.txt");
        std::fs::write(&file, text_of(lines)).expect("written");
        let mut loader = ByLines { file, is_broken, is_old };
        let nothing =
            MatchSet::compile(crate::indicator::IndicatorSet::default(), crate::indicator::IndicatorSet::default());
        let Fresh { set, feeds } = loader.load(&Arc::new(nothing), &[]).expect("loads");
        let run = super::super::live::watch(Vec::new(), set, &super::super::live::WatchOptions::default());
        start(&run.control, Box::new(loader), feeds, options);
        Self { run, folder }
    }

    /// Puts another file in the place of the list.
    fn replace(&self, lines: usize) {
        let beside = self.folder.path().join("list.new");
        std::fs::write(&beside, text_of(lines)).expect("written");
        std::fs::rename(beside, self.folder.path().join("list.txt")).expect("renamed");
    }

    fn next(&self) -> (&'static str, String) {
        match self.run.events.recv_timeout(Duration::from_secs(20)) {
            Ok(super::super::live::Event::Notice(notice)) => (notice.action, notice.message),
            other => panic!("no notice: {other:?}"),
        }
    }

    fn in_use(&self) -> usize {
        self.run.control.snapshot().indicators
    }
}

fn text_of(lines: usize) -> String {
    (0..lines).map(|n| format!("name-{n}.test\n")).collect()
}

#[test]
fn a_file_that_takes_the_place_of_a_feed_is_loaded_once() {
    let sensor = Sensor::new(
        10,
        (false, false),
        ReloadOptions { debounce: Duration::from_millis(300), ..ReloadOptions::default() },
    );
    // The watch begins on the other thread.
    std::thread::sleep(Duration::from_millis(500));
    for lines in [11, 12, 13] {
        sensor.replace(lines);
    }
    assert_eq!(sensor.next().0, "feed-reloaded");
    assert_eq!(sensor.in_use(), 13);
    let status = sensor.run.control.snapshot();
    assert_eq!((status.reloads, status.generation, status.feeds[0].entries), (1, 1, 13));
    let is_quiet = sensor.run.events.recv_timeout(Duration::from_millis(1200)).is_err();
    assert!(is_quiet, "three changes at once are one");
    sensor.run.control.stop();
    sensor.run.finish();
}

#[test]
fn a_feed_that_shrank_stays_as_it_was_until_it_is_forced() {
    let options = || ReloadOptions { watches_files: false, ..ReloadOptions::default() };
    let sensor = Sensor::new(10, (false, false), options());
    sensor.replace(4);
    assert!(sensor.run.control.reload(Request::Asked));
    let (action, words) = sensor.next();
    assert_eq!((action, sensor.in_use()), ("feed-refused", 10));
    assert!(words.contains("list has 4 entries, where it had 10"), "{words}");
    assert!(sensor.run.control.reload(Request::Forced));
    assert_eq!((sensor.next().0, sensor.in_use()), ("feed-reloaded", 4));
    std::fs::remove_file(sensor.folder.path().join("list.txt")).expect("removed");
    assert!(sensor.run.control.reload(Request::Forced));
    assert_eq!((sensor.next().0, sensor.in_use()), ("feed-refused", 4), "what is not there cannot be forced");
    let status = sensor.run.control.snapshot();
    assert_eq!((status.reloads, status.reloads_refused, status.generation), (1, 2, 1));
    // The first set was let go of, on no thread that works.
    let start = Instant::now();
    while sensor.run.control.snapshot().retired_sets > 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
    let sensor = Sensor::new(10, (true, false), options());
    sensor.run.control.reload(Request::Asked);
    let (action, words) = sensor.next();
    assert!(action == "feed-refused" && words.contains("there is no key"), "{words}");
}

#[test]
fn a_stale_feed_is_said_once() {
    let options = ReloadOptions { watches_files: false, ..ReloadOptions::default() };
    let sensor = Sensor::new(3, (false, true), options);
    let (action, words) = sensor.next();
    assert_eq!(action, "feed-stale");
    assert!(words.starts_with("list is "), "{words}");
    sensor.run.control.reload(Request::Asked);
    assert_eq!(sensor.next().0, "feed-reloaded");
    assert!(sensor.run.events.recv_timeout(Duration::from_millis(800)).is_err(), "it is known");
}
