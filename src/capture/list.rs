//! Paths as given to files in order: directories in name order, depth first, each file once a mention.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::input::STANDARD_INPUT;
use super::{Trouble, files::FileInfo};

/// Why a list of paths cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No path was given.
    #[error("no capture was given: name a file, a directory, or - for standard input")]
    Nothing,
    /// A path that was given cannot be looked at; most often it does not exist.
    #[error("{}: {source}", path.display())]
    Path {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Standard input can be read once.
    #[error("standard input (-) was given more than once")]
    StandardInputTwice,
    /// More files than are kept track of.
    #[error("more than {max} files were given; give fewer at a time")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

/// The files that the paths name, and what in their directories could not be looked at.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) files: Vec<FileInfo>,
    pub(super) troubles: Vec<Trouble>,
}

impl Listing {
    /// Lists the paths.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(super) fn of(paths: &[PathBuf]) -> Result<Self, OpenError> {
        if paths.is_empty() {
            return Err(OpenError::Nothing);
        }
        if paths.iter().filter(|path| *path == Path::new(STANDARD_INPUT)).count() > 1 {
            return Err(OpenError::StandardInputTwice);
        }
        let mut listing = Self::default();
        for path in paths {
            if path == Path::new(STANDARD_INPUT) {
                listing.files.push(FileInfo::new(path.clone(), None));
                continue;
            }
            let found = fs::metadata(path).map_err(|source| OpenError::Path { path: path.clone(), source })?;
            if found.is_dir() {
                listing.directory(path, &mut Vec::new())?;
            } else {
                listing.file(path.clone(), &found)?;
            }
        }
        Ok(listing)
    }

    fn file(&mut self, path: PathBuf, found: &Metadata) -> Result<(), OpenError> {
        if self.files.len() >= MAX_FILES {
            return Err(OpenError::TooMany { max: MAX_FILES });
        }
        self.files.push(FileInfo::new(path, found.is_file().then_some(found.len())));
        Ok(())
    }

    /// `above` are the real paths of the directories that this one lies in.
    fn directory(&mut self, path: &Path, above: &mut Vec<PathBuf>) -> Result<(), OpenError> {
        let (real, names) = match look_into(path, above) {
            Ok(found) => found,
            Err((code, reason)) => {
                self.trouble(path, code, reason);
                return Ok(());
            }
        };
        let before = (self.files.len(), self.troubles.len());
        above.push(real);
        for name in names {
            self.entry(path.join(name), above)?;
        }
        above.pop();
        if before == (self.files.len(), self.troubles.len()) {
            self.trouble(path, "empty_directory", "a directory with no file in it".into());
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, above: &mut Vec<PathBuf>) -> Result<(), OpenError> {
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => return self.directory(&path, above),
            Ok(found) if found.is_file() => return self.file(path, &found),
            // Opening a pipe that nobody writes to would wait for ever; named as such it is what the user wants.
            Ok(_) => self.trouble(&path, "not_a_file", "a pipe, socket or device in a directory; not read".into()),
            Err(error) => self.trouble(&path, "open_failed", cannot_read(&error)),
        }
        Ok(())
    }

    fn trouble(&mut self, path: &Path, code: &'static str, reason: String) {
        self.troubles.push(Trouble { path: path.to_owned(), offset: 0, reason, code, unreadable: true });
    }
}

/// A directory's real path and the names in it, sorted; or the code and reason why not.
fn look_into(path: &Path, above: &[PathBuf]) -> Result<(PathBuf, Vec<OsString>), (&'static str, String)> {
    let failed = |error: io::Error| ("open_failed", cannot_read(&error));
    let real = fs::canonicalize(path).map_err(failed)?;
    if above.contains(&real) {
        return Err(("symlink_loop", "a link to a directory that it lies in; not followed".into()));
    }
    if above.len() >= MAX_DEPTH {
        return Err(("too_deep", format!("more than {MAX_DEPTH} directories deep; not read")));
    }
    let entries = fs::read_dir(path).map_err(failed)?.map(|entry| Ok(entry?.file_name()));
    let mut names = entries.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    names.sort();
    Ok((real, names))
}

fn cannot_read(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// Directories within directories; deeper trees are mistakes.
const MAX_DEPTH: usize = 32;

/// Files in one run; a frame's file number has room for more, a list of them on a screen has not.
const MAX_FILES: usize = 1_000_000;
