//! [`Feeds`]: what `picket watch` loads at its start and on every reload: feeds, allow-lists and the clearance file, and who may
//! see what of the result.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::bail;
use crossbeam_channel::Sender;

use super::WatchArgs;
use super::settings::{Configured, Settings};
use crate::cli::clearance::ReaderArgs;
use crate::cli::outputs::{Asked, Outputs, Readers, Terms};
use crate::cli::service;
use crate::feed::{FeedError, Kept, LoadReport};
use crate::marking::Clearances;
use crate::matcher::MatchSet;
use crate::pipeline::reload::{Beside, Failure, FeedState, Fresh, Loader};
use crate::privilege;
use crate::proto::Protocols;
use crate::time::Timestamp;

/// See the module.
pub(super) struct Feeds {
    feeds: Vec<PathBuf>,
    allow: Vec<PathBuf>,
    force: bool,
    /// What is parsed.
    protocols: Protocols,
    reader: ReaderArgs,
    alerts: Vec<PathBuf>,
    configured: Configured,
    /// The configuration, where there is one.
    settings: Option<Settings>,
    summary_clearance: Option<String>,
    /// Who reads what is written, by the clearance file as it was last read.
    terms: Terms,
    announce: Option<Sender<Readers>>,
    /// Whether what is in use is not everybody's to know: then no message names a feed.
    withholds: bool,
    /// Of what is in use.
    report: Arc<Mutex<LoadReport>>,
    /// Of what was loaded and is not in use yet.
    fresh_report: LoadReport,
}

/// What was loaded at the start.
pub(super) struct Loaded {
    pub(super) set: Arc<MatchSet>,
    pub(super) report: LoadReport,
}

impl Feeds {
    pub(super) fn new(args: &WatchArgs, protocols: Protocols) -> Self {
        Self {
            protocols,
            feeds: args.run.feeds.clone(),
            allow: args.run.allow.clone(),
            force: args.run.force,
            reader: args.run.reader.clone(),
            alerts: args.run.alerts.clone(),
            configured: args.configured.clone(),
            settings: args
                .config
                .as_deref()
                .zip(args.plan.as_deref())
                .map(|(file, plan)| Settings::new(file, plan, super::default_threads())),
            summary_clearance: args.run.summary_clearance.clone(),
            terms: Terms::default(),
            announce: None,
            withholds: false,
            report: Arc::default(),
            fresh_report: LoadReport::default(),
        }
    }

    /// Loads and compiles everything.
    ///
    /// # Errors
    /// A path that cannot be read; feeds with nothing in them.
    pub(super) fn load(&mut self, clearances: Option<&Clearances>) -> anyhow::Result<Loaded> {
        let feeds = (&*self.feeds, &*self.allow);
        let (set, allow, report) = crate::cli::run::load_feeds(feeds, self.force, clearances, None)?;
        if let Ok(mut known) = self.report.lock() {
            known.clone_from(&report);
        }
        Ok(Loaded { set: Arc::new(MatchSet::compile(set, allow)), report })
    }

    /// Tells the outputs of every further set.
    pub(super) fn reads_for(&mut self, outputs: &Outputs, granted: Option<privilege::Options>) {
        self.terms = outputs.terms().clone();
        self.announce = Some(outputs.announce());
        self.withholds = outputs.summary().withholds();
        if let Some(settings) = &mut self.settings {
            settings.run_with(outputs.changes(), granted, self.withholds);
        }
    }

    /// What became of the feeds in use, whatever happens until it is asked.
    pub(super) fn report(&self) -> Arc<Mutex<LoadReport>> {
        Arc::clone(&self.report)
    }

    fn reload(&mut self, in_use: &MatchSet, keep: &[FeedState]) -> anyhow::Result<(Arc<MatchSet>, LoadReport, Terms)> {
        let kept = self.kept(in_use, keep)?;
        let clearances = self.reader.read()?;
        let terms = self.terms_of(&self.configured, clearances.as_ref())?;
        let (set, allow, report) =
            crate::cli::run::load_feeds((&self.feeds, &self.allow), self.force, clearances.as_ref(), Some(&kept))?;
        Ok((Arc::new(MatchSet::compile(set, allow)), report, terms))
    }

    /// Who reads these outputs.
    fn terms_of(&self, configured: &Configured, clearances: Option<&Clearances>) -> anyhow::Result<Terms> {
        let asked = Asked {
            alerts: &self.alerts,
            format: None,
            reader: &self.reader,
            summary_clearance: self.summary_clearance.as_deref(),
            is_live: true,
            configured,
        };
        Terms::read(&asked, clearances)
    }

    /// What alerts call the feeds that are to stay: entries are known by it in the set in use.
    fn kept<'a>(&self, in_use: &'a MatchSet, keep: &[FeedState]) -> anyhow::Result<Kept<'a>> {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = Vec::new();
        for state in keep {
            let Some(file) = report.files.iter().find(|file| *file.path == *state.path.to_string_lossy()) else {
                continue;
            };
            if report.files.iter().filter(|other| other.feed == file.feed).count() > 1 {
                bail!("two feeds have the same name in alerts, so that neither can stay as it was by itself");
            }
            files.push((state.path.clone(), file.feed.clone()));
        }
        Ok(Kept { set: in_use.indicators(), files })
    }

    /// The feeds in use that an error is about.
    fn of(&self, error: &anyhow::Error) -> Vec<PathBuf> {
        let Some(FeedError { path, .. }) = error.downcast_ref() else { return Vec::new() };
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        let known: Vec<&Path> = report.files.iter().map(|file| Path::new(&file.path)).collect();
        if known.contains(&path.as_path()) {
            return vec![path.clone()];
        }
        let roots: Vec<PathBuf> =
            self.feeds.iter().map(|feed| plain(feed)).filter(|root| path.starts_with(root)).collect();
        let is_below = |file: &&Path| roots.iter().any(|root| file.starts_with(root));
        known.into_iter().filter(is_below).map(Path::to_owned).collect()
    }
}

impl Loader for Feeds {
    fn load(&mut self, in_use: &Arc<MatchSet>, keep: &[FeedState]) -> Result<Fresh, Failure> {
        let (set, report, terms) = self.reload(in_use, keep).map_err(|error| Failure {
            why: match self.withholds {
                true => "it cannot be loaded (picket feed check says why)".to_owned(),
                false => format!("{error:#}"),
            },
            feeds: self.of(&error),
        })?;
        self.terms = terms;
        let withholds = self.terms.withholds(&set);
        self.withholds |= withholds;
        let feeds = states(&report, withholds);
        crate::cli::run::warn_of_feeds(&report, withholds);
        crate::cli::run::warn_of_protocols(&set, self.protocols);
        self.fresh_report = report;
        Ok(Fresh { set, feeds })
    }

    fn prepare(&mut self, set: &Arc<MatchSet>) -> Result<(), String> {
        let readers = self.terms.readers(set).map_err(|error| format!("{error:#}"))?;
        if let Some(announce) = &self.announce {
            // Nobody takes it once nobody writes.
            let _ = announce.send(readers);
        }
        if let Ok(mut report) = self.report.lock() {
            *report = std::mem::take(&mut self.fresh_report);
        }
        Ok(())
    }

    fn paths(&self) -> Vec<PathBuf> {
        let settings = self.settings.iter().map(|settings| settings.file().to_owned());
        let feeds = self.feeds.iter().chain(&self.allow).chain(&self.reader.clearance).map(|path| plain(path));
        feeds.chain(settings).collect()
    }

    fn begin(&mut self, in_use: &Arc<MatchSet>) -> Beside {
        service::reloading();
        let Some(mut settings) = self.settings.take() else { return Beside::default() };
        let terms = |configured: &Configured| self.terms_of(configured, self.reader.read()?.as_ref());
        let (beside, configured) = settings.reload(in_use, terms);
        self.settings = Some(settings);
        if let Some(configured) = configured {
            self.configured = configured;
        }
        beside
    }

    fn end(&mut self) {
        service::ready();
    }
}

/// What notices and status say of each feed; not their names to whoever may not see all that is in them.
pub(super) fn states(report: &LoadReport, withholds: bool) -> Vec<FeedState> {
    let state = |(number, file): (usize, &crate::feed::FileReport)| FeedState {
        path: file.path.clone().into(),
        label: if withholds { format!("feed number {}", number + 1) } else { file.path.clone() },
        entries: file.loaded + file.merged,
        is_whole: file.error.is_none(),
        error: file.error.clone().filter(|_| !withholds),
        changed: changed(Path::new(&file.path)),
    };
    report.files.iter().enumerate().map(state).collect()
}

fn changed(path: &Path) -> Timestamp {
    let time = path.metadata().and_then(|about| about.modified()).unwrap_or_else(|_| SystemTime::now());
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(since.as_secs(), u64::from(since.subsec_nanos()))
}

/// The path without a format's name in front (`plain=list.txt`), unless a file is called so.
pub(super) fn plain(path: &Path) -> PathBuf {
    let named = path.to_str().and_then(|text| text.split_once('=')).filter(|_| !path.exists());
    named.map_or_else(|| path.to_owned(), |(_, path)| path.into())
}
