//! A MISP feed's directory: `manifest.json` names its events, each in `UUID.json`. Only what it names is loaded, and only if the
//! file is the one that it means, where it says so (`integrity:sha256`).
//!
//! Source: draft-dulaunoy-misp-feed (manifest.json, hashes.csv).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::json::{Bounded, passes_over};
use super::attribute::named;
use super::first_key;

/// What it is called in a feed's directory.
pub(in crate::feed) const NAME: &str = "manifest.json";

/// What a manifest says of a directory.
#[derive(Default)]
pub(in crate::feed) struct Manifest {
    /// Each event, and the digest of its file if one is said; `Err` for one that cannot be read.
    events: BTreeMap<Uuid, Option<Result<[u8; 32], ()>>>,
    /// Some entry is no event's.
    has_bad_entries: bool,
    /// It breaks off.
    is_broken: bool,
}

/// What a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::feed) enum Check {
    /// Its manifest says nothing of its content.
    Any,
    /// Its SHA-256.
    Sha256([u8; 32]),
    /// Its manifest says what is no digest.
    Unreadable,
    /// Named and not there.
    Missing,
    /// It is the manifest itself, which cannot be read to its end.
    BrokenManifest,
    /// It is the manifest itself, with an entry that is none.
    BadManifest,
}

/// Whether a document that begins so is a manifest: its first key is an event's UUID.
pub(in crate::feed) fn is(head: &[u8]) -> bool {
    first_key(head).is_some_and(|key| Uuid::try_parse_ascii(key).is_ok())
}

impl Manifest {
    /// Reads `dir/manifest.json`; `None` if there is none, or if the file of that name is something else.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(in crate::feed) fn of(dir: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(dir.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut head = Vec::new();
        (&mut file).take(HEAD_BYTES).read_to_end(&mut head)?;
        if !is(&head) {
            return Ok(None);
        }
        file.rewind()?;
        let mut manifest = Self::default();
        let mut json = serde_json::Deserializer::from_reader(Bounded::new(io::BufReader::new(file)));
        manifest.is_broken = Entries(&mut manifest).deserialize(&mut json).and_then(|()| json.end()).is_err();
        Ok(Some(manifest))
    }

    /// What the manifest says of a file of this name, which is struck off it; `None` if it does not name it.
    pub(in crate::feed) fn take(&mut self, name: &str) -> Option<Check> {
        let uuid = Uuid::try_parse(name.strip_suffix(".json")?).ok()?;
        Some(match self.events.remove(&uuid)? {
            None => Check::Any,
            Some(Ok(digest)) => Check::Sha256(digest),
            Some(Err(())) => Check::Unreadable,
        })
    }

    /// What is wrong with it itself.
    pub(in crate::feed) fn trouble(&self) -> Option<Check> {
        match (self.is_broken, self.has_bad_entries) {
            (true, _) => Some(Check::BrokenManifest),
            (false, true) => Some(Check::BadManifest),
            (false, false) => None,
        }
    }

    /// The files of the events that are left.
    pub(in crate::feed) fn rest(&self) -> impl Iterator<Item = String> {
        self.events.keys().map(|uuid| format!("{uuid}.json"))
    }
}

impl Check {
    /// Why the file at `path` must not be loaded, if so.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::feed) fn fails(self, path: &Path) -> io::Result<Option<&'static str>> {
        let expected = match self {
            Self::Any => return Ok(None),
            Self::BrokenManifest => return Ok(Some("it is not JSON to its end; the events behind were not loaded")),
            Self::BadManifest => {
                return Ok(Some("it has entries that are no event's, or too many; those were not loaded"));
            }
            Self::Missing => return Ok(Some("manifest.json names it, but it is not there")),
            Self::Unreadable => {
                return Ok(Some("manifest.json says what is no SHA-256 of it; nothing of it was loaded"));
            }
            Self::Sha256(expected) => expected,
        };
        let mut hash = Sha256::new();
        io::copy(&mut File::open(path)?, &mut hash)?;
        let same = hash.finalize()[..] == expected;
        Ok((!same).then_some("its SHA-256 is not the one that manifest.json says; nothing of it was loaded"))
    }
}

struct Entries<'a>(&'a mut Manifest);

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let Integrity(digest) = map.next_value()?;
            // A name that is no UUID could lead out of the directory.
            match Uuid::try_parse(&key) {
                Ok(uuid) if self.0.events.len() < MAX_EVENTS => {
                    let digest = digest.map(|text| digest_of(&text).ok_or(()));
                    let known = self.0.events.entry(uuid).or_insert(digest);
                    if *known != digest {
                        *known = Some(Err(()));
                    }
                }
                _ => self.0.has_bad_entries = true,
            }
        }
        Ok(())
    }

    passes_over!(seq());
}

struct Integrity(Option<String>);

impl<'de> serde::Deserialize<'de> for Integrity {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let [digest] = named(value, ["integrity:sha256"])?;
        Ok(Self(digest))
    }
}

fn digest_of(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// Enough for the first key.
const HEAD_BYTES: u64 = 4096;

/// Events of one feed; the largest public feed has some thousands.
const MAX_EVENTS: usize = 1_000_000;
