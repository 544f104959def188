//! What is declared beside a feed: `PATH.picket.toml` holds the options of a `# picket:` comment, for feeds that others write
//! and that are fetched anew.
//!
//! It must be read whole or the feed is not: it may be what marks the feed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::declared::Declared;

/// Behind the name of the feed.
pub const EXTENSION: &str = ".picket.toml";

/// Formats that go by what is declared. The others say for each entry what holds for it.
const HONOURED_BY: &[&str] = &["plain", "csv", "hosts", "adblock", "maltrail"];

/// Whether a format goes by what is declared.
pub(super) fn is_honoured_by(format: &str) -> bool {
    HONOURED_BY.contains(&format)
}

/// What is declared beside `feed`, if it is.
///
/// # Errors
/// What is wrong with it, for the one who wrote it.
pub(super) fn read(feed: &Path) -> Result<Option<Declared>, String> {
    let mut path = feed.as_os_str().to_owned();
    path.push(EXTENSION);
    let failed = |what: &str| format!("{}: {what}", Path::new(&path).display());
    let file = match File::open(&path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        opened => opened.map_err(|error| failed(&error.to_string()))?,
    };
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(&error.to_string()))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(failed("longer than 64 KiB"));
    }
    // The message of the error would quote the file.
    let table: toml::Table = text.parse().map_err(|_| failed("not TOML"))?;
    let options: Option<Vec<(String, String)>> =
        table.into_iter().map(|(name, value)| Some((name, option(&value)?))).collect();
    let options = options.ok_or_else(|| failed("an option is a text, a number or a list of texts"))?;
    let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Declared::of(options).map(Some).map_err(|what| failed(&what))
}

fn option(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Datetime(instant) => Some(instant.to_string()),
        toml::Value::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

const MAX_BYTES: u64 = 64 * 1024;
