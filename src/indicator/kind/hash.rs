//! `file`: MD5, SHA-1 or SHA-256 of a file, in hex; `file-name`: what it is called.

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// Digest of a file.
pub static FILE: Kind = Kind {
    number: 8,
    name: "file",
    aliases: &["md5", "sha1", "sha256", "Intel::FILE_HASH"],
    index: Index::Exact,
    default_match: Match::Exact,
    seen_at: &["file.hash.md5", "file.hash.sha1", "file.hash.sha256"],
    normalise,
    display,
};

/// Name of a file, without its path, whole and in any case: the system that it lands on may not mind the case.
pub static FILE_NAME: Kind = Kind {
    number: 16,
    name: "file-name",
    aliases: &["filename", "Intel::FILE_NAME"],
    seen_at: &["file.name"],
    normalise: name,
    ..FILE
};

/// Hex digits of MD5, SHA-1 and SHA-256.
const DIGEST_DIGITS: [usize; 3] = [32, 40, 64];

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    if !is_digest(value) {
        return Err(Refusal::BadFingerprint);
    }
    out.extend(value.iter().map(u8::to_ascii_lowercase));
    Ok(None)
}

/// A path is none: only its last part is ever seen.
fn name(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    if memchr::memchr2(b'/', b'\\', value).is_some() {
        return Err(Refusal::BadFileName);
    }
    out.extend(value.iter().map(u8::to_ascii_lowercase));
    Ok(None)
}

/// Whether `value` has the length and letters of a digest in hex.
pub(crate) fn is_digest(value: &[u8]) -> bool {
    DIGEST_DIGITS.contains(&value.len()) && value.iter().all(u8::is_ascii_hexdigit)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_a_known_length() {
        let mut out = Vec::new();
        assert_eq!(normalise(&[b'A'; 40], Match::Exact, &mut out), Ok(None));
        assert_eq!(out, [b'a'; 40]);
        for bad in [&[b'a'; 41][..], &[b'g'; 32], b"abc"] {
            assert_eq!(normalise(bad, Match::Exact, &mut out), Err(Refusal::BadFingerprint));
        }
        assert_eq!(normalise(b"", Match::Exact, &mut out), Err(Refusal::Empty));
    }

    #[test]
    fn a_name_has_no_path_and_no_case() {
        let mut out = Vec::new();
        assert_eq!(name(b"Evil.EXE", Match::Exact, &mut out), Ok(None));
        assert_eq!(out, b"evil.exe");
        assert_eq!(name(b"a/b", Match::Exact, &mut out), Err(Refusal::BadFileName));
        assert_eq!(name(b"a\\b", Match::Exact, &mut out), Err(Refusal::BadFileName));
        assert_eq!(name(b"", Match::Exact, &mut out), Err(Refusal::Empty));
    }
}
