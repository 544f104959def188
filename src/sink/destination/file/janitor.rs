//! [`Janitor`]: compresses files that were set aside, and removes the oldest of them, on a thread of its own: alerts do not wait for it.
//!
//! What it did not get to is done at the next occasion, also by the next process. A file that it fails on stays as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Sender, bounded};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::time::Timestamp;

/// See the module.
pub(super) struct Janitor {
    work: Arc<Work>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Work {
    path: PathBuf,
    keep: usize,
    compresses: bool,
    is_ended: AtomicBool,
}

/// What compressed files end with.
const COMPRESSED: &str = ".gz";

impl Janitor {
    pub(super) fn new(path: &Path, keep: usize, compresses: bool) -> Self {
        let work = Work { path: path.to_owned(), keep, compresses, is_ended: AtomicBool::new(false) };
        Self { work: Arc::new(work), thread: None }
    }

    /// Has it look around.
    pub(super) fn tidy(&mut self) {
        if self.work.keep == 0 && !self.work.compresses {
            return;
        }
        if self.thread.is_none() {
            let (sender, receiver) = bounded(1);
            let work = Arc::clone(&self.work);
            let tidies = move || receiver.into_iter().for_each(|()| work.tidy());
            // Without a thread files stay as they are until one can be had.
            let Ok(thread) = thread::Builder::new().name("picket-janitor".into()).spawn(tidies) else { return };
            self.thread = Some((sender, thread));
        }
        if let Some((sender, _)) = &self.thread {
            // If it is full it looks around anyway.
            let _ = sender.try_send(());
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.work.is_ended.store(true, Ordering::Relaxed);
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

impl Work {
    fn tidy(&self) {
        let Ok(mut aside) = set_aside(&self.path) else { return };
        if self.keep > 0 {
            for path in aside.drain(..aside.len().saturating_sub(self.keep)) {
                let _ = fs::remove_file(path);
            }
        }
        for path in aside.iter().filter(|path| self.compresses && !is_compressed(path)) {
            if self.compress(path).is_err() {
                let _ = fs::remove_file(with(path, ".tmp"));
            }
        }
    }

    /// The whole compressed file is on the disk before the other goes.
    fn compress(&self, path: &Path) -> io::Result<()> {
        let mut from = File::open(path)?;
        let (temporary, done) = (with(path, ".tmp"), with(path, COMPRESSED));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let mut to = GzEncoder::new(file, Compression::default());
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            // A file of a day would hold up the end of the process.
            if self.is_ended.load(Ordering::Relaxed) && to.get_ref().metadata()?.len() > MAX_LAST_BYTES {
                return Err(io::ErrorKind::Interrupted.into());
            }
            to.write_all(&chunk[..read])?;
        }
        to.finish()?.sync_all()?;
        fs::rename(&temporary, &done)?;
        fs::remove_file(path)
    }
}

/// The name of `path` when it is set aside now.
pub(super) fn name_aside(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = Timestamp::from_parts(now.as_secs(), 0).to_string();
    let digits: String = text.chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    let name = |number: usize| with(path, &format!(".{digits}Z-{number:04}"));
    let is_free = |name: &PathBuf| !name.exists() && !with(name, COMPRESSED).exists();
    (0..).map(name).find(is_free).unwrap_or_else(|| name(0))
}

/// Those of `path` that were set aside, the oldest first.
fn set_aside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name();
        let rest = other.to_str().and_then(|other| other.strip_prefix(name)?.strip_prefix('.'));
        if rest.is_some_and(is_time) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// `20261129T061500Z-0000`, compressed or not.
fn is_time(text: &str) -> bool {
    let text = text.strip_suffix(COMPRESSED).unwrap_or(text);
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "00000000T000000Z-0000"
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "gz")
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// At its end the process waits for no more than this.
const MAX_LAST_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_set_aside_is_touched() {
        let path = Path::new("/var/log/picket/alerts.jsonl");
        let aside = name_aside(path).display().to_string();
        let rest = aside.strip_prefix("/var/log/picket/alerts.jsonl.").expect("beside it");
        assert!(is_time(rest) && is_time(&format!("{rest}.gz")), "{aside}");
        for other in ["1", "1.gz", "bak", "20261129", "20261129T061500Z-0000.tmp", "20261129T061500Z-0000.gz.gz"] {
            assert!(!is_time(other), "{other}");
        }
    }
}
