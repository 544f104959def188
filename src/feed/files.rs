//! Which files a path stands for: itself, or every feed below it.

use std::fs;
use std::path::{Path, PathBuf};

use super::misp::manifest::{self, Check, Manifest};
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
    /// What a MISP feed's manifest says of it.
    pub(super) check: Option<Check>,
    /// It was found in a directory, and not named.
    pub(super) is_below: bool,
}

impl Found {
    pub(super) fn new(path: PathBuf, feed: impl Into<Box<str>>) -> Self {
        Self { path, feed: feed.into(), format: None, check: None, is_below: false }
    }
}

/// A file given by name is taken whatever it is called; below a directory the rules of [`not_a_feed`] hold.
/// What `is_kept` accepts below a directory is found whatever it is now.
pub(super) fn find(
    path: &Path,
    is_kept: &dyn Fn(&Path) -> bool,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<Found>, FeedError> {
    let rest = without_format(path);
    let (format, path) = (format_of(path).map(|(format, _)| format).filter(|_| rest != path), rest);
    let metadata = fs::metadata(path).map_err(|error| FeedError::new(path, error))?;
    let mut found = Vec::new();
    if metadata.is_dir() {
        descend((path, ""), 0, is_kept, &mut found, skipped)?;
    } else {
        found.push(Found::new(path.to_owned(), path.to_string_lossy()));
    }
    for file in found.iter_mut().filter(|_| format.is_some()) {
        file.format = format;
    }
    Ok(found)
}

/// The path without a format's name in front.
pub(super) fn without_format(path: &Path) -> &Path {
    match format_of(path) {
        Some((_, rest)) if !fs::exists(path).unwrap_or(false) => rest,
        _ => path,
    }
}

/// The format and path of `FORMAT=PATH`.
fn format_of(path: &Path) -> Option<(&'static Format, &Path)> {
    let (name, rest) = path.to_str()?.split_once('=')?;
    let format = FORMATS.iter().find(|format| format.name == name)?;
    Some((format, Path::new(rest)))
}

fn descend(
    (dir, below): (&Path, &str),
    depth: usize,
    is_kept: &dyn Fn(&Path) -> bool,
    found: &mut Vec<Found>,
    skipped: &mut Vec<Skipped>,
) -> Result<(), FeedError> {
    let failed = |error| FeedError::new(dir, error);
    let mut entries = fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut manifest = Manifest::of(dir).map_err(|error| FeedError::new(&dir.join(manifest::NAME), error))?;
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let feed = named(below, &name);
        let check = manifest.as_mut().and_then(|manifest| manifest.take(&name));
        if is_kept(&path) {
            found.push(Found::new(path, feed));
            continue;
        }
        let linked = entry.file_type().map_err(|e| FeedError::new(&path, e))?.is_symlink();
        let target = fs::metadata(&path).map_err(|e| FeedError::new(&path, e))?;
        let reason = match not_a_feed(&name).or_else(|| manifest.as_ref().and_then(|_| beside_manifest(&name, check))) {
            Some(reason) => reason,
            None if target.is_dir() && linked => "a link to a directory",
            None if target.is_dir() && depth + 1 >= MAX_DEPTH => "too deep",
            None if target.is_dir() => {
                descend((&path, &feed), depth + 1, is_kept, found, skipped)?;
                continue;
            }
            None if target.is_file() => {
                found.push(Found { check, is_below: true, ..Found::new(path, feed) });
                continue;
            }
            None => "not a regular file",
        };
        skipped.push(Skipped { path: path.to_string_lossy().into_owned(), reason });
    }
    if let Some(manifest) = manifest {
        missing(dir, below, &manifest, found);
    }
    Ok(())
}

fn named(below: &str, name: &str) -> String {
    if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") }
}

/// Why a file beside a MISP feed's manifest is not read.
fn beside_manifest(name: &str, check: Option<Check>) -> Option<&'static str> {
    match name {
        manifest::NAME => Some("a MISP feed's manifest"),
        "hashes.csv" => Some("digests of a MISP feed's values"),
        _ if check.is_none() && name.ends_with(".json") => Some("not named in manifest.json"),
        _ => None,
    }
}

/// What a manifest names and is not there, and what is wrong with the manifest, are files that could not be read.
fn missing(dir: &Path, below: &str, manifest: &Manifest, found: &mut Vec<Found>) {
    let missing = manifest.rest().map(|name| (name, Check::Missing));
    let trouble = manifest.trouble().map(|check| (manifest::NAME.to_owned(), check));
    for (name, check) in missing.chain(trouble) {
        found.push(Found { check: Some(check), ..Found::new(dir.join(&name), named(below, &name)) });
    }
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
    } else if name.ends_with(super::sidecar::EXTENSION) {
        Some("what holds for the feed that it is named after")
    } else {
        None
    }
}

/// Directories below directories; deeper ones are skipped and said.
const MAX_DEPTH: usize = 16;
