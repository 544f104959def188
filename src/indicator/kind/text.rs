//! Kinds whose values are matched whole: user-agents (case-sensitive) and JA3, JA4 fingerprints.

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// HTTP user-agent, whole and case-sensitive.
pub static USER_AGENT: Kind = Kind {
    name: "user-agent",
    aliases: &["Intel::SOFTWARE"],
    index: Index::Exact,
    default_match: Match::Exact,
    seen_at: &["user_agent.original"],
    normalise: as_is,
    display,
};

/// JA3 client fingerprint: MD5 in hex.
pub static JA3: Kind = Kind {
    name: "ja3",
    aliases: &["ja3-fingerprint-md5", "Intel::JA3"],
    seen_at: &["tls.client.ja3"],
    normalise: md5_hex,
    ..USER_AGENT
};

/// JA4 client fingerprint.
pub static JA4: Kind =
    Kind { name: "ja4", aliases: &["ja4-fingerprint"], seen_at: &["tls.client.ja4"], normalise: ja4, ..USER_AGENT };

fn as_is(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    out.extend(value);
    Ok(None)
}

fn md5_hex(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.len() != 32 || !value.iter().all(u8::is_ascii_hexdigit) {
        return Err(Refusal::BadFingerprint);
    }
    out.extend(value.iter().map(u8::to_ascii_lowercase));
    Ok(None)
}

fn ja4(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    out.extend(value.iter().map(u8::to_ascii_lowercase));
    Ok(None)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}
