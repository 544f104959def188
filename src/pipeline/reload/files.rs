//! [`watch`]: changes of feed files as requests. A file is watched by its directory, so that one that takes its place is seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Request;
use crate::feed::SIDECAR;

/// Watches what lies at `paths` until the result is dropped. Where the system cannot, a log line says so and reloads must be asked for.
pub(super) fn watch(paths: &[PathBuf], to: &Sender<Request>) -> Option<RecommendedWatcher> {
    let (wanted, places) = places(paths);
    let to = to.clone();
    let on_event = move |event: notify::Result<Event>| {
        let is_of_interest = match &event {
            // Events were lost.
            Err(_) => true,
            Ok(event) => {
                event.need_rescan() || is_change(event.kind) && event.paths.iter().any(|path| is_wanted(path, &wanted))
            }
        };
        if is_of_interest {
            // A queue that is full has a request already.
            let _ = to.try_send(Request::Changed);
        }
    };
    let told =
        |error: &notify::Error| tracing::warn!("changes of feeds are not seen ({:?}): ask for a reload", error.kind);
    let mut watcher = notify::recommended_watcher(on_event).inspect_err(told).ok()?;
    for (place, mode) in places {
        if let Err(error) = watcher.watch(&place, mode) {
            told(&error);
        }
    }
    Some(watcher)
}

/// Files and directories that count, and the directories to watch.
fn places(paths: &[PathBuf]) -> (Vec<PathBuf>, BTreeMap<PathBuf, RecursiveMode>) {
    let mut places = BTreeMap::new();
    let mut wanted = Vec::new();
    for path in paths {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
        if path.is_dir() {
            places.insert(path.clone(), RecursiveMode::Recursive);
        }
        places.entry(parent).or_insert(RecursiveMode::NonRecursive);
        wanted.push(path);
    }
    (wanted, places)
}

fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
        EventKind::Any | EventKind::Other => false,
    }
}

/// A file that counts, one below a directory that does, or one that says how such a file is to be read.
fn is_wanted(path: &Path, wanted: &[PathBuf]) -> bool {
    let beside = |wanted: &PathBuf| {
        let mut beside = wanted.as_os_str().to_owned();
        beside.push(SIDECAR);
        *path == *beside
    };
    wanted.iter().any(|wanted| path.starts_with(wanted) || beside(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_watched_by_its_directory_and_its_neighbours_do_not_count() {
        let folder = tempfile::tempdir().expect("folder");
        let (file, below) = (folder.path().join("list.txt"), folder.path().join("feeds"));
        std::fs::create_dir(&below).expect("folder");
        let (wanted, places) = places(&[file.clone(), below.clone()]);
        assert_eq!(places.get(folder.path()), Some(&RecursiveMode::NonRecursive));
        assert_eq!(places.get(&below), Some(&RecursiveMode::Recursive));
        for (path, counts) in [
            (file.clone(), true),
            (folder.path().join("list.txt.picket.toml"), true),
            (folder.path().join("alerts.jsonl"), false),
            (below.join("a/b.csv"), true),
        ] {
            assert_eq!(is_wanted(&path, &wanted), counts, "{}", path.display());
        }
    }

    #[test]
    fn reading_is_no_change() {
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        assert!(!is_change(read) && is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
    }
}
