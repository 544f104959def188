//! Hot reload: a thread that makes a new set while the run goes on, and has the workers go over to it
//! ([`Control::swap`](super::live::Control::swap)). What is loaded and how is the caller's ([`Loader`]); here is decided when, and
//! whether what came of it is taken.
//!
//! A feed that cannot be read though it could be before, or that has shrunk beyond a threshold, is refused: what is in use of it stays, and
//! the others are taken. A reload is refused as a whole, and the set in use stays, if no feed is left, if all of them together have
//! shrunk beyond the threshold, or if the loader says no. Nothing here sees an indicator's value. What else the loader reads again
//! ([`Beside`]) is its own to judge.

mod files;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::live::Control;
use super::live::clock::wall;
use super::live::control::lock;
use super::live::notices::{number, text};
use crate::alert::{Notice, OwnedValue};
use crate::indicator::Where;
use crate::matcher::MatchSet;
use crate::time::Timestamp;

/// How reloads are judged and begun.
#[derive(Debug, Clone)]
pub struct ReloadOptions {
    /// Whether a change of a file begins one.
    pub watches_files: bool,
    /// A change is waited for to be over so long.
    pub debounce: Duration,
    /// How much fewer entries a feed may have than before, in percent.
    pub max_shrink_percent: u8,
    /// The age at which a feed is stale; zero for never.
    pub stale_after: Duration,
}

impl Default for ReloadOptions {
    fn default() -> Self {
        Self {
            watches_files: true,
            debounce: Duration::from_millis(500),
            max_shrink_percent: 50,
            stale_after: Duration::from_secs(24 * 3600),
        }
    }
}

/// Why feeds are loaded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A file has changed: once no more changes come.
    Changed,
    /// Somebody asked for it: at once.
    Asked,
    /// The same, and what has shrunk or failed is taken as it is.
    Forced,
}

/// What loads feeds and gets everything ready that depends on the set.
pub trait Loader: Send {
    /// Loads and compiles everything anew, but for feeds that are to stay as they are in the set in use.
    ///
    /// # Errors
    /// Why not.
    fn load(&mut self, in_use: &Arc<MatchSet>, keep: &[FeedState]) -> Result<Fresh, Failure>;

    /// Is told of a set before it takes over: its first alert may come at any time after.
    ///
    /// # Errors
    /// Why it must not take over, in words that everybody may read.
    fn prepare(&mut self, set: &Arc<MatchSet>) -> Result<(), String>;

    /// What is loaded: files and directories.
    fn paths(&self) -> Vec<PathBuf>;

    /// A reload begins: what is no feed is read again, whatever becomes of the feeds.
    fn begin(&mut self, _in_use: &Arc<MatchSet>) -> Beside {
        Beside::default()
    }

    /// It is over.
    fn end(&mut self) {}
}

/// What came of what is no feed.
#[derive(Default)]
pub struct Beside {
    /// What was taken, in words.
    pub taken: Vec<String>,
    /// Why something stays as it was, in words that everybody may read.
    pub kept: Vec<String>,
    /// What there is to say of it among the alerts.
    pub notices: Vec<Notice>,
}

/// What was loaded.
pub struct Fresh {
    /// The compiled feeds.
    pub set: Arc<MatchSet>,
    /// Each feed.
    pub feeds: Vec<FeedState>,
}

/// Why nothing was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words that everybody may read.
    pub why: String,
    /// The feeds in use without which it would do.
    pub feeds: Vec<PathBuf>,
}

/// A feed of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedState {
    /// The file.
    pub path: PathBuf,
    /// What notices call it: its path, or its number where that is not everybody's to know.
    pub label: String,
    /// Entries that it gave, those among them that another feed gave too.
    pub entries: u64,
    /// Whether it was read to its end.
    pub is_whole: bool,
    /// Why not, in words that everybody may read.
    pub error: Option<String>,
    /// When the file was last changed; if that is not known, when it was loaded.
    pub changed: Timestamp,
}

/// Begins to listen for reasons to reload, on a thread that ends with the run. `feeds` are those of the set in use.
pub fn start(control: &Arc<Control>, loader: Box<dyn Loader>, feeds: Vec<FeedState>, options: ReloadOptions) {
    let (to_thread, requests) = bounded(MAX_REQUESTS);
    control.set_reload(to_thread.clone());
    lock(&control.shared().reloads).feeds = feeds;
    let control = Arc::clone(control);
    super::live::named("reload".to_owned(), move || {
        be_nice();
        let _watching = options.watches_files.then(|| files::watch(&loader.paths(), &to_thread)).flatten();
        Reloads { control, loader, options, requests, stale_at: Instant::now(), told_stale: Vec::new() }
            .run(&to_thread);
    });
}

/// A feed that stays as it is, and why.
struct Refused {
    feed: FeedState,
    why: String,
}

struct Reloads {
    control: Arc<Control>,
    loader: Box<dyn Loader>,
    options: ReloadOptions,
    requests: Receiver<Request>,
    /// When ages are looked at next.
    stale_at: Instant,
    /// Feeds that were said to be stale, and when.
    told_stale: Vec<(PathBuf, Instant)>,
}

impl Reloads {
    fn run(mut self, _keeps_open: &Sender<Request>) {
        while !self.control.has_ended() && !self.control.is_stopped() {
            self.look_at_ages();
            match self.requests.recv_timeout(LOOK_AGAIN) {
                Ok(first) => {
                    let request = self.collect(first);
                    self.reload(request);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What is asked for by all that has come, once no more changes come.
    fn collect(&self, first: Request) -> Request {
        let mut request = first;
        let give_up = Instant::now() + MAX_DEBOUNCE;
        loop {
            let patience = if request == Request::Changed { self.options.debounce } else { Duration::ZERO };
            match self.requests.recv_timeout(patience) {
                Ok(Request::Changed) if Instant::now() >= give_up => return request,
                Ok(Request::Changed) => {}
                Ok(next) if request != Request::Forced => request = next,
                Ok(_) => {}
                Err(_) => return request,
            }
        }
    }

    fn reload(&mut self, request: Request) {
        let start = Instant::now();
        let beside = self.loader.begin(&self.control.set());
        let taken = self.make(request);
        let seconds = start.elapsed().as_secs_f64();
        let mut reloads = lock(&self.control.shared().reloads);
        reloads.seconds = seconds;
        reloads.told = beside.taken;
        let notices: Vec<Notice> = match taken {
            Ok((Fresh { set, feeds }, kept)) => {
                reloads.taken += 1;
                reloads.kept = kept.iter().map(|refused| refused.why.clone()).collect();
                reloads.kept.extend(beside.kept);
                let taken = reloaded(&set, feeds.len() - kept.len(), seconds);
                reloads.feeds = feeds;
                self.control.swap(set);
                self.stale_at = Instant::now();
                std::iter::once(taken).chain(kept.iter().take(MAX_TOLD).map(kept_notice)).collect()
            }
            Err(why) => {
                reloads.refused += 1;
                reloads.kept = vec![why.clone()];
                reloads.kept.extend(beside.kept);
                vec![refused(&why)]
            }
        };
        drop(reloads);
        notices.into_iter().chain(beside.notices).for_each(|notice| self.control.say(notice));
        self.loader.end();
    }

    /// Loads, again without each feed that is refused.
    fn make(&mut self, request: Request) -> Result<(Fresh, Vec<Refused>), String> {
        let before = lock(&self.control.shared().reloads).feeds.clone();
        let in_use = self.control.set();
        let mut kept: Vec<Refused> = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let keep: Vec<FeedState> = kept.iter().map(|refused| refused.feed.clone()).collect();
            let more = match self.loader.load(&in_use, &keep) {
                Ok(mut fresh) => {
                    fresh.feeds.iter_mut().for_each(|feed| stays(feed, &keep));
                    let more = match request {
                        Request::Forced => Vec::new(),
                        _ => judge(&before, &fresh.feeds, self.options.max_shrink_percent)?,
                    };
                    if more.is_empty() {
                        self.loader.prepare(&fresh.set)?;
                        return Ok((fresh, kept));
                    }
                    more
                }
                Err(Failure { why, .. }) if request == Request::Forced => return Err(why),
                Err(Failure { why, feeds }) => {
                    let named = before.iter().filter(|feed| feeds.contains(&feed.path));
                    let more: Vec<_> = named
                        .map(|feed| Refused { feed: feed.clone(), why: format!("{}: {why}", feed.label) })
                        .collect();
                    if more.is_empty() {
                        return Err(why);
                    }
                    more
                }
            };
            kept.extend(more);
            if before.iter().all(|feed| kept.iter().any(|refused| refused.feed.path == feed.path)) {
                break;
            }
        }
        let why: Vec<&str> = kept.iter().take(MAX_TOLD).map(|refused| &*refused.why).collect();
        Err(why.join("; "))
    }

    /// Says which feeds are stale: each again after the same time.
    fn look_at_ages(&mut self) {
        let (now, stale_after) = (Instant::now(), self.options.stale_after);
        if now < self.stale_at || stale_after.is_zero() {
            return;
        }
        self.stale_at = now + LOOK_AT_AGES;
        self.told_stale.retain(|(_, at)| now.duration_since(*at) < stale_after);
        let feeds = lock(&self.control.shared().reloads).feeds.clone();
        let wall = wall();
        let is_told = |feed: &FeedState, told: &[(PathBuf, Instant)]| told.iter().any(|(path, _)| *path == feed.path);
        self.told_stale
            .retain(|(path, _)| feeds.iter().any(|feed| feed.path == *path && wall.since(feed.changed) > stale_after));
        let stale = feeds.iter().filter(|feed| wall.since(feed.changed) > stale_after);
        let stale: Vec<&FeedState> = stale.filter(|feed| !is_told(feed, &self.told_stale)).collect();
        for feed in stale.iter().take(MAX_TOLD) {
            self.control.say(stale_notice(feed, wall, stale.len()));
        }
        self.told_stale.extend(stale.iter().map(|feed| (feed.path.clone(), now)));
    }
}

/// A feed that was kept is as it was.
fn stays(feed: &mut FeedState, kept: &[FeedState]) {
    if let Some(was) = kept.iter().find(|kept| kept.path == feed.path) {
        feed.clone_from(was);
    }
}

/// The feeds among those loaded that may not take over from what is in use of them.
///
/// # Errors
/// What is wrong with all of them together.
fn judge(before: &[FeedState], after: &[FeedState], max_shrink_percent: u8) -> Result<Vec<Refused>, String> {
    let has_shrunk = |before: u64, after: u64| {
        u128::from(after) * 100 < u128::from(before) * u128::from(100_u8.saturating_sub(max_shrink_percent))
    };
    let mut refused = Vec::new();
    let mut lost = 0;
    for was in before {
        // One that is gone was taken away; whether too much went with it says the sum.
        let Some(is) = after.iter().find(|feed| feed.path == was.path) else { continue };
        let why = if was.is_whole && !is.is_whole {
            let error = is.error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
            format!("{} cannot be read to its end{error}", is.label)
        } else if has_shrunk(was.entries, is.entries) {
            format!("{} has {} entries, where it had {}", is.label, is.entries, was.entries)
        } else {
            continue;
        };
        lost += was.entries.saturating_sub(is.entries);
        refused.push(Refused { feed: was.clone(), why });
    }
    let sum = |feeds: &[FeedState]| feeds.iter().map(|feed| feed.entries).sum::<u64>();
    // What is refused stays.
    if has_shrunk(sum(before), sum(after) + lost) {
        return Err(format!("the feeds together have {} entries, where they had {}", sum(after), sum(before)));
    }
    Ok(refused)
}

fn reloaded(set: &MatchSet, feeds: usize, seconds: f64) -> Notice {
    let indicators = set.indicators().len();
    Notice {
        time: wall(),
        action: "feed-reloaded",
        severity: 10,
        message: format!("{indicators} indicators of {feeds} feeds are in use now; loading took {seconds:.1} s"),
        fields: vec![
            (Where("picket.indicators"), number(indicators as u64)),
            (Where("picket.feeds"), number(feeds as u64)),
            (Where("event.duration"), number((seconds * 1e9) as u64)),
        ],
    }
}

fn refused(why: &str) -> Notice {
    let fields: Vec<(Where, OwnedValue)> = vec![(Where("event.reason"), text(why))];
    let message =
        format!("feeds were not reloaded, what was in use stays: {why}. If that is as it should be, force the reload.");
    Notice { time: wall(), action: "feed-refused", severity: 60, message, fields }
}

fn kept_notice(Refused { feed, why }: &Refused) -> Notice {
    let fields = vec![(Where("event.reason"), text(why)), (Where("picket.feed_label"), text(&feed.label))];
    let message = format!(
        "a feed was not reloaded, what was in use of it stays: {why}. If that is as it should be, force the reload."
    );
    Notice { time: wall(), action: "feed-refused", severity: 60, message, fields }
}

fn stale_notice(feed: &FeedState, now: Timestamp, stale: usize) -> Notice {
    let hours = now.since(feed.changed).as_secs() / 3600;
    Notice {
        time: now,
        action: "feed-stale",
        severity: 50,
        message: format!("{} is {hours} hours old ({stale} feeds are stale)", feed.label),
        fields: vec![
            (Where("picket.feed_label"), text(&feed.label)),
            (Where("picket.feed_age_hours"), number(hours)),
            (Where("picket.feeds_stale"), number(stale as u64)),
        ],
    }
}

/// Workers come first. On Linux this is the thread's own priority.
fn be_nice() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::info!("loading of feeds keeps its priority: {error}");
    }
    thread::yield_now();
}

/// A tenth of what a worker gets of a processor that both want.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Requests that may wait: more say nothing more.
const MAX_REQUESTS: usize = 16;

/// A file that never comes to rest is loaded nevertheless.
const MAX_DEBOUNCE: Duration = Duration::from_secs(10);

/// How often the end of the run is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Loads of one reload: feeds that cannot be opened show themselves one by one.
const MAX_ROUNDS: usize = 8;

/// How often ages are looked at.
const LOOK_AT_AGES: Duration = Duration::from_secs(60);

/// Feeds that are named at once.
const MAX_TOLD: usize = 16;

#[cfg(test)]
mod tests;
