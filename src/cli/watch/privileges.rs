//! What `picket watch` gives up before its first thread: by its configuration, or as far as the paths of its arguments allow.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{WatchArgs, feeds};
use crate::cli::confine::{self, directory_of};
use crate::cli::outputs;
use crate::marking::Clearances;
use crate::privilege::{self, Landlock, Options};

/// See the module.
pub(super) struct Privileges {
    /// `None`: they are kept, as was asked for.
    options: Option<Options>,
    /// What root reaches only by its capabilities.
    unreachable: Option<PathBuf>,
}

impl WatchArgs {
    pub(super) fn privileges(&self, clearances: Option<&Clearances>) -> Privileges {
        let keys = self.keys(clearances);
        if let Some(plan) = &self.plan {
            let mut options = confine::options(plan, self.config.as_deref());
            options.reads.extend(keys);
            return Privileges { options: Some(options), unreachable: None };
        }
        if self.keep_privileges {
            return Privileges { options: None, unreachable: None };
        }
        let mut options = self.flags();
        options.reads.extend(keys);
        let is_root = rustix::process::geteuid().is_root();
        let reads = options.reads.iter().find(|path| !can_root_read(path, MAX_DEPTH));
        let writes = || options.writes.iter().find(|path| !can_root_write(path));
        let unreachable = reads.or_else(writes).filter(|_| is_root).cloned();
        options.keeps_file_access = unreachable.is_some();
        Privileges { options: Some(options), unreachable }
    }

    /// What arguments need.
    fn flags(&self) -> Options {
        let run = &self.run;
        let (mut reads, socket, port) = self.console.needs();
        reads.extend(run.feeds.iter().chain(&run.allow).map(|path| feeds::plain(path)));
        reads.extend(run.reader.clearance.clone());
        let (alerts, _) = outputs::named(&self.asked());
        let (flow_log, evidence) = run.aside.writes();
        let files = alerts.iter().chain(&run.summary).chain(flow_log).chain(&socket);
        let mut writes: Vec<PathBuf> = files.flat_map(|file| places(file)).collect();
        writes.extend(evidence.cloned());
        writes.sort();
        writes.dedup();
        Options { reads, writes, connects: Some(Vec::new()), binds: port.into_iter().collect(), ..Options::default() }
    }

    /// The keys that the clearance file names, which a reload reads again.
    fn keys(&self, clearances: Option<&Clearances>) -> Vec<PathBuf> {
        let Some((file, clearances)) = self.run.reader.clearance.as_deref().zip(clearances) else { return Vec::new() };
        let (_, mut sections) = outputs::named(&self.asked());
        sections.extend(self.run.summary_clearance.clone());
        let key = |section: &String| clearances.record_of(section).key_file.map(|key| directory_of(file).join(key));
        sections.iter().filter_map(key).collect()
    }
}

impl Privileges {
    /// Makes what a configuration writes to and is missing, for who will write.
    pub(super) fn make_directories(&self) -> anyhow::Result<()> {
        Ok(self.options.as_ref().map(privilege::make_directories).transpose().map(|_| ())?)
    }

    /// Gives them up, for good. Gives what can still be reached, unless that is everything.
    pub(super) fn give_up(&self) -> anyhow::Result<Option<Options>> {
        let Some(options) = &self.options else {
            tracing::warn!("privileges are kept, as --keep-privileges asks for");
            return Ok(None);
        };
        let report = privilege::confine(options).context("privileges cannot be given up")?;
        tracing::info!("privileges given up: {}", report.line());
        if let Some(path) = &self.unreachable {
            let path = path.display();
            tracing::warn!(
                "CAP_DAC_OVERRIDE is kept: {path} belongs to a user other than root and is closed to others"
            );
        }
        for missing in report.shortfalls(options.refusal) {
            tracing::warn!("not all privileges are given up: {missing}");
        }
        let is_restricted = matches!(report.landlock, Some(Landlock::Enforced | Landlock::Partly));
        Ok(is_restricted.then(|| options.clone()))
    }
}

/// The directory of a file that is written, and of what it is a link to.
fn places(file: &Path) -> Vec<PathBuf> {
    let target = file.canonicalize().ok().map(|target| directory_of(&target));
    [directory_of(file)].into_iter().chain(target).collect()
}

/// Whether root reads it, and what is below it, by owner and mode alone.
fn can_root_read(path: &Path, depth: usize) -> bool {
    // What is not there is nobody's.
    let Ok(about) = fs::metadata(path) else { return true };
    if !can_root_enter(path) || !allows(&about, READ) {
        return false;
    }
    if !about.is_dir() {
        return true;
    }
    let below = fs::read_dir(path).into_iter().flatten().flatten();
    allows(&about, ENTER) && depth > 0 && below.into_iter().all(|entry| can_root_read(&entry.path(), depth - 1))
}

/// Whether root makes files there.
fn can_root_write(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|about| can_root_enter(folder) && allows(&about, WRITE | ENTER))
}

/// Whether root gets to where it lies.
fn can_root_enter(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return true };
    path.ancestors().skip(1).all(|folder| fs::metadata(folder).is_ok_and(|about| allows(&about, ENTER)))
}

/// Whether owner and mode let root do so without a capability.
fn allows(about: &Metadata, wanted: u32) -> bool {
    let bits = match (about.uid(), about.gid()) {
        (0, _) => about.mode() >> 6,
        (_, 0) => about.mode() >> 3,
        _ => about.mode(),
    };
    bits & wanted == wanted
}

const READ: u32 = 4;
const WRITE: u32 = 2;
const ENTER: u32 = 1;

/// Directories below directories, as feeds are looked for.
const MAX_DEPTH: usize = 16;
