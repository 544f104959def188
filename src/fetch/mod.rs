//! TAXII 2.1 client: a collection's objects become a file of STIX objects, one a line, that the `stix` feed format reads.
//!
//! Servers are not trusted: pages, objects and their bytes are bounded, credentials go to the host that the user named and
//! only encrypted (or to this machine), redirects are not followed. A file is replaced once it is whole. This module reads
//! no clock and does not sleep: both are given ([`Options`]). It never logs or prints; errors hold no object and no credential.
//!
//! Source: OASIS TAXII 2.1 (discovery 4.1, API root 4.2, collections 5.1, objects 5.4, paging 3.4 to 3.5).

mod client;
mod store;
mod taxii;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::time::Timestamp;

use client::Client;
use store::{State, Store};

/// How to fetch.
pub struct Options<'a> {
    /// Who asks.
    pub credentials: Credentials,
    /// PEM file of the authorities to trust; `None` for the system's.
    pub authorities: Option<PathBuf>,
    /// PEM files of a client's certificate chain and key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Objects asked for in a page; the server may give fewer.
    pub page_objects: u32,
    /// Most bytes of objects kept of a collection.
    pub max_bytes: u64,
    /// Everything is fetched anew when the last time is so long ago: what a server deleted is not told otherwise.
    pub resync_after: Duration,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// The time now.
    pub now: Timestamp,
    /// Waits.
    pub pause: &'a dyn Fn(Duration),
}

/// Who asks. `Debug` shows none of it.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token (RFC 6750).
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

/// A collection of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// The API root that has it.
    pub api_root: String,
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Another id.
    pub alias: Option<String>,
    /// Whether these credentials may read it.
    pub can_read: bool,
}

/// What was fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// The file.
    pub path: PathBuf,
    /// Everything was fetched anew.
    pub full: bool,
    /// Pages.
    pub pages: u64,
    /// Objects in them.
    pub objects: u64,
    /// Of these, versions that were not there yet.
    pub new: u64,
    /// Of these, without a type and an id: not kept.
    pub malformed: u64,
    /// Objects in the file now.
    pub kept: u64,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL cannot be used.
    #[error("{0}")]
    Url(String),
    /// A certificate, key or the like cannot be used.
    #[error("cannot use {}: {why}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No connection that both ends trust.
    #[error("{url}: no trusted connection: {why}")]
    Tls {
        /// What was asked.
        url: String,
        /// Why.
        why: String,
    },
    /// The server refused.
    #[error("{url}: {status}: {hint}")]
    Refused {
        /// What was asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// What to do.
        hint: &'static str,
    },
    /// No answer, or half of one, as often as it was tried.
    #[error("{url}: no whole answer after {tries} tries: {why}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// How often.
        tries: u32,
        /// The last reason.
        why: String,
    },
    /// The answer is not what TAXII says, or is over a limit.
    #[error("{url}: {why}")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// No such collection.
    #[error("the server has no collection of this id, alias or title that can be read; --list shows what it has")]
    NoCollection,
    /// The folder cannot be read or written.
    #[error("cannot keep what was fetched in {}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Every collection of the server: `url` is its discovery document or one of its API roots.
///
/// # Errors
/// [`FetchError`].
pub fn collections(url: &str, options: &Options<'_>) -> Result<Vec<Collection>, FetchError> {
    taxii::collections(&Client::new(url, options)?, url)
}

/// Brings the file of a collection in `dir` up to date.
///
/// # Errors
/// [`FetchError`]; then the file is as it was, and the next time begins where this one did.
pub fn fetch(url: &str, collection: &str, dir: &Path, options: &Options<'_>) -> Result<Fetched, FetchError> {
    let client = Client::new(url, options)?;
    let found = taxii::collections(&client, url)?.into_iter().find(|known| {
        known.can_read
            && (known.id == collection || known.alias.as_deref() == Some(collection) || known.title == collection)
    });
    let found = found.ok_or(FetchError::NoCollection)?;
    let objects = format!("{}collections/{}/objects/", found.api_root, found.id);
    let (path, before) = store::open(dir, &found.id)?;
    let before = before.filter(|state| state.objects_url == objects);
    let full = before.as_ref().is_none_or(|state| state.is_old(options.now, options.resync_after));
    let since = before.as_ref().filter(|_| !full).and_then(|state| state.added_after.clone());
    let mut store = Store::begin(&path, full, options.max_bytes)?;
    let mut fetched = Fetched { path: path.clone(), full, ..Fetched::default() };
    let newest = taxii::objects(&client, &objects, since.clone(), options.page_objects, |page| {
        fetched.pages += 1;
        page.iter().try_for_each(|object| {
            fetched.objects += 1;
            match store.add(object)? {
                store::Kept::New => fetched.new += 1,
                store::Kept::Known => {}
                store::Kept::Malformed => fetched.malformed += 1,
            }
            Ok(())
        })
    })?;
    fetched.kept = store.finish()?;
    let full_sync = match &before {
        Some(state) if !full => state.full_sync.clone(),
        _ => options.now.to_string(),
    };
    State { objects_url: objects, added_after: newest.or(since), full_sync }.write(dir, &found.id)?;
    Ok(fetched)
}

#[cfg(test)]
mod tests;
