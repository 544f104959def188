//! Which files a path stands for: itself, or every feed below it.

use std::fs;
use std::path::{Path, PathBuf};

use super::report::Skipped;
use super::{FORMATS, FeedError, Format};

/// A feed file.
pub(super) struct Found {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What it is called in alerts: as given, or its path below the given directory.
    pub(super) feed: Box<str>,
    /// Its format, if the user named it.
    pub(super) format: Option<&'static Format>,
}

/// A file given by name is taken whatever it is called; below a directory the rules of [`not_a_feed`] hold.
pub(super) fn find(path: &Path, skipped: &mut Vec<Skipped>) -> Result<Vec<Found>, FeedError> {
    let (format, path) = match format_of(path) {
        Some((format, rest)) if !fs::exists(path).unwrap_or(false) => (Some(format), rest),
        _ => (None, path),
    };
    let metadata = fs::metadata(path).map_err(|error| FeedError::new(path, error))?;
    let mut found = Vec::new();
    if metadata.is_dir() {
        descend(path, "", 0, &mut found, skipped)?;
    } else {
        found.push(Found { path: path.to_owned(), feed: path.to_string_lossy().into(), format: None });
    }
    for file in &mut found {
        file.format = format;
    }
    Ok(found)
}

/// The format and path of `FORMAT=PATH`.
fn format_of(path: &Path) -> Option<(&'static Format, &Path)> {
    let (name, rest) = path.to_str()?.split_once('=')?;
    let format = FORMATS.iter().find(|format| format.name == name)?;
    Some((format, Path::new(rest)))
}

fn descend(
    dir: &Path,
    below: &str,
    depth: usize,
    found: &mut Vec<Found>,
    skipped: &mut Vec<Skipped>,
) -> Result<(), FeedError> {
    let failed = |error| FeedError::new(dir, error);
    let mut entries = fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let feed = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let linked = entry.file_type().map_err(|e| FeedError::new(&path, e))?.is_symlink();
        let target = fs::metadata(&path).map_err(|e| FeedError::new(&path, e))?;
        let reason = match not_a_feed(&name) {
            Some(reason) => reason,
            None if target.is_dir() && linked => "a link to a directory",
            None if target.is_dir() && depth + 1 >= MAX_DEPTH => "too deep",
            None if target.is_dir() => {
                descend(&path, &feed, depth + 1, found, skipped)?;
                continue;
            }
            None if target.is_file() => {
                found.push(Found { path, feed: feed.into(), format: None });
                continue;
            }
            None => "not a regular file",
        };
        skipped.push(Skipped { path: path.to_string_lossy().into_owned(), reason });
    }
    Ok(())
}

/// Why a file of this name below a directory is not read.
fn not_a_feed(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    if name.starts_with('.') {
        Some("hidden")
    } else if upper.starts_with("README") || upper.ends_with(".MD") {
        Some("documentation")
    } else if upper.starts_with("LICENSE") || upper.starts_with("LICENCE") || upper.starts_with("COPYING") {
        Some("licence")
    } else {
        None
    }
}

/// Directories below directories; deeper ones are skipped and said.
const MAX_DEPTH: usize = 16;
