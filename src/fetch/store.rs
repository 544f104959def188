//! [`Store`]: the file of a collection's objects, one a line, each version once; and [`State`], where the next fetch begins.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::FetchError;
use crate::time::Timestamp;

/// What became of an object.
pub(super) enum Kept {
    New,
    Known,
    Malformed,
}

/// See the module. It writes beside the file, which it replaces in the end.
pub(super) struct Store {
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
    /// Digests of id and version.
    known: HashSet<[u8; 16]>,
    bytes: u64,
    max_bytes: u64,
}

/// What is remembered from one fetch to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Of what.
    pub(super) objects_url: String,
    /// Objects added after this time were not fetched.
    pub(super) added_after: Option<String>,
    /// When everything was fetched.
    pub(super) full_sync: String,
}

/// The file of a collection and its state, if both are there.
pub(super) fn open(dir: &Path, collection: &str) -> Result<(PathBuf, Option<State>), FetchError> {
    // It becomes a file's name. TAXII says that it is a UUID.
    if collection.is_empty() || !collection.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(FetchError::Url("the collection's id is no identifier, so no file can be called so".into()));
    }
    fs::create_dir_all(dir).map_err(|source| FetchError::Store { path: dir.to_owned(), source })?;
    let path = dir.join(format!("{collection}.stix.jsonl"));
    // A state that cannot be read is none: everything is fetched anew.
    let state = fs::read(state_path(dir, collection)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let state = state.filter(|_| path.is_file());
    Ok((path, state))
}

fn state_path(dir: &Path, collection: &str) -> PathBuf {
    // Hidden: a folder that is loaded as feeds steps over it.
    dir.join(format!(".{collection}.taxii-state.json"))
}

impl State {
    pub(super) fn is_old(&self, now: Timestamp, resync_after: Duration) -> bool {
        let Ok(then) = self.full_sync.parse::<jiff::Timestamp>() else { return true };
        let then = u64::try_from(then.as_nanosecond()).map_or(Timestamp::ZERO, Timestamp::from_ns);
        now.since(then) >= resync_after
    }

    pub(super) fn write(&self, dir: &Path, collection: &str) -> Result<(), FetchError> {
        let path = state_path(dir, collection);
        let partial = partial_of(&path);
        let text = serde_json::to_vec(self).map_err(io::Error::from);
        let written = text.and_then(|text| fs::write(&partial, text)).and_then(|()| fs::rename(&partial, &path));
        written.map_err(|source| FetchError::Store { path, source })
    }
}

impl Store {
    /// Begins with what the file has, or with nothing.
    pub(super) fn begin(path: &Path, empty: bool, max_bytes: u64) -> Result<Self, FetchError> {
        let failed = |source| FetchError::Store { path: path.to_owned(), source };
        let partial = partial_of(path);
        let file = create(&partial).map_err(failed)?;
        let mut store = Self {
            path: path.to_owned(),
            partial,
            out: BufWriter::new(file),
            known: HashSet::new(),
            bytes: 0,
            max_bytes,
        };
        if !empty {
            store.copy().map_err(failed)?;
        }
        Ok(store)
    }

    fn copy(&mut self) -> io::Result<()> {
        let mut lines = BufReader::new(File::open(&self.path)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let object: Value = serde_json::from_slice(&line)?;
            if let Some(version) = version_of(&object) {
                self.known.insert(version);
                self.bytes += line.len() as u64;
                self.out.write_all(&line)?;
            }
        }
    }

    /// Adds a version that is not there yet.
    pub(super) fn add(&mut self, object: &Value) -> Result<Kept, FetchError> {
        let Some(version) = version_of(object) else { return Ok(Kept::Malformed) };
        if !self.known.insert(version) {
            return Ok(Kept::Known);
        }
        let failed = |source| FetchError::Store { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(object).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.bytes += line.len() as u64;
        if self.bytes > self.max_bytes {
            let full = format!("over {} bytes of objects (--max-bytes)", self.max_bytes);
            return Err(failed(io::Error::other(full)));
        }
        self.out.write_all(&line).map_err(failed)?;
        Ok(Kept::New)
    }

    /// Puts the file in its place; how many objects it has.
    pub(super) fn finish(mut self) -> Result<u64, FetchError> {
        let written = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        let placed = written.and_then(|()| fs::rename(&self.partial, &self.path));
        placed.map_err(|source| FetchError::Store { path: self.path.clone(), source })?;
        Ok(self.known.len() as u64)
    }
}

/// What was not put in its place is nothing.
impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.partial);
    }
}

/// An object's id and version: `modified`, or `created` of what has one version only.
fn version_of(object: &Value) -> Option<[u8; 16]> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let (_, id) = (text("type")?, text("id")?);
    let version = text("modified").or(text("created")).unwrap_or_default();
    let digest = Sha256::digest(format!("{id}\0{version}"));
    digest.first_chunk().copied()
}

fn partial_of(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

/// Readable by its owner: it holds indicators.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
