use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::*;
use crate::cli::clearance::ReaderArgs;
use crate::cli::outputs::{Asked, Outputs};
use crate::indicator::IndicatorSet;
use crate::sink::OutputStatus;

/// A run with a configuration, whose outputs are another thread's.
struct Run {
    folder: tempfile::TempDir,
    settings: Settings,
    set: Arc<MatchSet>,
    is_over: Arc<AtomicBool>,
    writer: Option<JoinHandle<Vec<OutputStatus>>>,
}

const READER: ReaderArgs = ReaderArgs { clearance: None, sink_clearance: None };

fn asked(configured: &Configured) -> Asked<'_> {
    Asked { alerts: &[], format: None, reader: &READER, summary_clearance: None, is_live: true, configured }
}

impl Run {
    /// `@` stands for the folder.
    fn start(sinks: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        fs::create_dir(folder.path().join("log")).expect("made");
        let file = folder.path().join("picket.toml");
        fs::write(&file, text(&folder, "", sinks)).expect("written");
        let plan = Plan::read(&file).expect("reads");
        let set = Arc::new(MatchSet::compile(IndicatorSet::default(), IndicatorSet::default()));
        let configured = configured(&plan);
        let mut outputs = Outputs::open(&asked(&configured), None, &set).expect("opens");
        let mut settings = Settings::new(&file, &plan, 1);
        let granted = confine::options(&plan, Some(&file));
        settings.run_with(outputs.changes(), Some(granted), false);
        let is_over = Arc::<AtomicBool>::default();
        let until = Arc::clone(&is_over);
        let writer = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                outputs.look();
                thread::sleep(Duration::from_millis(1));
            }
            outputs.statuses().into_iter().map(|(status, _)| status).collect()
        });
        Self { folder, settings, set, is_over, writer: Some(writer) }
    }

    fn reload(&mut self, more: &str, sinks: &str) -> (Beside, bool) {
        fs::write(&self.settings.file, text(&self.folder, more, sinks)).expect("written");
        self.again()
    }

    fn again(&mut self) -> (Beside, bool) {
        let terms = |configured: &Configured| Terms::read(&asked(configured), None);
        let (beside, configured) = self.settings.reload(&self.set, terms);
        (beside, configured.is_some())
    }

    /// Name and format of the outputs at the end.
    fn end(mut self) -> Vec<(String, &'static str)> {
        self.is_over.store(true, Ordering::Relaxed);
        let statuses = self.writer.take().expect("runs").join().expect("ends");
        statuses.into_iter().map(|status| (status.name, status.format)).collect()
    }
}

fn text(folder: &tempfile::TempDir, more: &str, sinks: &str) -> String {
    let text = format!(
        "[capture]\ninterfaces = [\"a\"]\n{more}\n[feeds]\npaths = [\"@/f\"]\n[control]\nsocket = \"@/run/s\"\n{sinks}"
    );
    text.replace('@', folder.path().to_str().expect("path"))
}

fn actions(beside: &Beside) -> Vec<&'static str> {
    beside.notices.iter().map(|notice| notice.action).collect()
}

const ONE: &str = "[[sinks]]\nname = \"one\"\nfile = { path = \"@/log/one\" }\n";
const TWO: &str = "[[sinks]]\nname = \"two\"\nformat = \"cef\"\nfile = { path = \"@/log/two\" }\n";
const ONE_EVE: &str = "[[sinks]]\nname = \"one\"\nformat = \"eve\"\nfile = { path = \"@/log/one\" }\n";

#[test]
fn outputs_come_change_and_go() {
    let mut run = Run::start(ONE);
    let (beside, is_other) = run.again();
    assert!(!is_other && beside.taken.is_empty() && beside.kept.is_empty() && beside.notices.is_empty());
    let (beside, is_other) = run.reload("", &format!("{ONE_EVE}{TWO}"));
    assert!(is_other && beside.kept.is_empty(), "{:?}", beside.kept);
    assert_eq!(beside.taken, ["outputs: new two; changed one"]);
    assert_eq!(actions(&beside), ["outputs-reloaded"]);
    assert!(!run.again().1, "once is enough");
    let (beside, _) = run.reload("", TWO);
    assert_eq!(beside.taken, ["outputs: closed one"]);
    // One that comes back at once waits until it is closed.
    let queue = "[[sinks]]\nname = \"far\"\nunix = { path = \"@/x\" }\nspool = { directory = \"@/log/far\" }\n";
    for _ in 0..3 {
        assert_eq!(run.reload("", &format!("{TWO}{queue}")).0.taken, ["outputs: new far"]);
        assert_eq!(run.reload("", TWO).0.taken, ["outputs: closed far"]);
    }
    // Whose section counts opens nothing anew.
    let (beside, is_other) = run.reload("", &TWO.replace("format", "clearance = \"soc\"\nformat"));
    assert!(is_other && beside.taken == ["outputs: changed two"], "{:?}", beside.kept);
    assert_eq!(run.end(), [("two".to_owned(), "cef")]);
}

#[test]
fn what_cannot_be_had_is_refused_as_a_whole_and_says_why() {
    let mut run = Run::start(ONE);
    let elsewhere = "[[sinks]]\nname = \"far\"\nfile = { path = \"@/f/far\" }\n";
    let port =
        "[[sinks]]\nname = \"far\"\nsyslog = { address = \"h.example:6514\" }\nspool = { directory = \"@/log/far\" }\n";
    let socket = "[[sinks]]\nname = \"far\"\nunix = { path = \"@/x\" }\nspool = { directory = \"@/log/far\", memory_bytes = \"5 GiB\" }\n";
    let secret = "[[sinks]]\nname = \"far\"\nunix = { path = \"@/x\" }\nspool = { directory = \"@/log/one\" }\n";
    for (sinks, why) in [
        (format!("{ONE_EVE}{elsewhere}"), "not among the folders granted for writing at the start; restart"),
        (format!("{ONE_EVE}{port}"), "TCP port 6514 is not among those granted at the start; restart"),
        (format!("{ONE_EVE}{socket}"), "memory.max"),
        (format!("{ONE_EVE}{secret}"), "cannot open the output far"),
        (String::new(), "picket config check"),
        ("[[sinks]]\nname = \"one\"\nfile = { pat = \"top-secret\" }\n".to_owned(), "picket config check"),
    ] {
        let (beside, is_other) = run.reload("", &sinks);
        assert!(!is_other && beside.taken.is_empty(), "{sinks}");
        assert_eq!(actions(&beside), ["outputs-refused"], "{sinks}");
        assert!(beside.kept[0].contains(why) && beside.notices[0].message.contains(why), "{:?}", beside.kept);
        assert!(!beside.kept[0].contains("top-secret"));
    }
    assert_eq!(run.end(), [("one".to_owned(), "ecs")]);
}

#[test]
fn what_needs_a_restart_is_said_each_time_and_outputs_are_taken_nevertheless() {
    let mut run = Run::start(ONE);
    for (sinks, taken) in [(TWO, 1), (TWO, 0)] {
        let (beside, _) = run.reload("workers = 3", sinks);
        assert_eq!(beside.kept, ["needs a restart: capture.workers"]);
        assert_eq!(beside.taken.len(), taken);
        assert_eq!(actions(&beside).last(), Some(&"restart-needed"));
    }
    assert!(run.reload("", TWO).0.kept.is_empty());
    assert_eq!(run.end(), [("two".to_owned(), "cef")]);
}
