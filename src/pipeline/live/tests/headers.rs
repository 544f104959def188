//! Rules of a header alone, where another set takes over.

use super::*;

/// The fixtures' rules of a header alone, forwards or backwards, but for those with lists beside them.
fn rules(is_backwards: bool) -> Arc<MatchSet> {
    let text = std::fs::read_to_string(path("fixtures/rules.rules")).expect("rules");
    let is_header = |line: &&str| line.starts_with("alert") && !line.contains("content:") && !line.contains("dataset:");
    let mut rules: Vec<&str> = text.lines().filter(is_header).collect();
    assert!(rules.len() > 5);
    if is_backwards {
        rules.reverse();
    }
    compiled("x.rules", &format!("# picket: HOME_NET=[192.0.2.0/24]\n{}\n", rules.join("\n")))
}

fn captures_of_rules() -> Vec<PathBuf> {
    let mut all = captures();
    all.retain(|path| path.to_string_lossy().contains("/rule-list-"));
    assert!(all.len() > 3);
    all
}

#[test]
fn a_set_that_takes_over_after_every_frame_changes_nothing() {
    let sets = [rules(false), rules(true)];
    for capture in captures_of_rules() {
        assert!(!replayed(&capture, &sets[0], false).is_empty());
        changes_nothing(&capture, &sets);
    }
}

/// A set that comes when all frames have passed judges the flows that are there.
#[test]
fn live_flows_are_judged_by_a_later_set() {
    let set = rules(false);
    for capture in captures_of_rules() {
        let (mut files, mut batch, mut frames) =
            (Files::open(std::slice::from_ref(&capture)).expect("capture"), Batch::default(), 0);
        while files.poll(&mut batch) {
            frames += batch.frames.len();
        }
        let mut wanted = replayed(&capture, &set, false);
        // Nobody knows the flags of packets that are gone, nor whether a conversation was established when they came.
        wanted.retain(|alert, _| !alert.contains("9000011") && !alert.contains("9000016"));
        let control: Arc<Mutex<Option<Arc<Control>>>> = Arc::default();
        let (shared, later) = (Arc::clone(&control), Arc::clone(&set));
        let player = Player::of(std::slice::from_ref(&capture), 1).before(move |given| {
            if given == frames
                && let Some(control) = shared.lock().expect("control").take()
            {
                control.swap(Arc::clone(&later));
            }
        });
        let guard = control.lock().expect("control");
        let run = watch(player.endless().boxed(), compiled("feed.txt", "192.0.2.1\n"), &small());
        { guard }.replace(Arc::clone(&run.control));
        let mut alerts = Vec::new();
        while alerts.len() < wanted.values().sum() {
            match run.events.recv_timeout(Duration::from_secs(20)) {
                Ok(Event::Alert(alert)) => alerts.push(alert),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        run.control.stop();
        alerts.extend(run_out(run).0);
        assert_eq!(count(alerts.iter().map(|alert| words(alert, false))), wanted, "{}", capture.display());
    }
}
