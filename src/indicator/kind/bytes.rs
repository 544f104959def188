//! `network-traffic`: literal bytes in a payload. How a feed writes them down is the feed's business; here they are bytes.

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// Byte signature.
pub static BYTES: Kind = Kind {
    number: 7,
    name: "network-traffic",
    aliases: &["pattern-in-traffic"],
    index: Index::Pattern,
    default_match: Match::Exact,
    seen_at: &["picket.payload", "picket.content"],
    normalise,
    display,
};

/// Longest signature. Rule sets' longest literals are under 300 bytes, and a longer one would have to be carried across
/// segments of every stream.
pub(in crate::indicator) const MAX_PATTERN_BYTES: usize = 1024;

/// Shortest signature that is not dangerous without an anchor: three bytes occur by chance in every few megabytes.
pub(in crate::indicator) const MIN_PATTERN_BYTES: usize = 4;

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    if value.len() > MAX_PATTERN_BYTES {
        return Err(Refusal::TooLong);
    }
    out.extend(value);
    Ok(None)
}

/// Suricata's `content` form: printable bytes as they are, the others in hex between bars.
fn display(value: &[u8]) -> Cow<'_, str> {
    let mut shown = String::with_capacity(value.len());
    let mut in_hex = false;
    for &byte in value {
        let plain = matches!(byte, b' '..=b'~') && !b"|\"\\;:".contains(&byte);
        if plain == in_hex {
            shown.push('|');
            in_hex = !plain;
        } else if in_hex {
            shown.push(' ');
        }
        if plain {
            shown.push(char::from(byte));
        } else {
            shown.push_str(&format!("{byte:02x}"));
        }
    }
    if in_hex {
        shown.push('|');
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_up_to_the_cap() {
        let mut out = Vec::new();
        assert_eq!(normalise(b"", Match::Exact, &mut out), Err(Refusal::Empty));
        assert_eq!(normalise(&[0; MAX_PATTERN_BYTES + 1], Match::Exact, &mut out), Err(Refusal::TooLong));
        assert_eq!(normalise(&[0; MAX_PATTERN_BYTES], Match::Exact, &mut out), Ok(None));
        assert_eq!(out.len(), MAX_PATTERN_BYTES);
    }

    #[test]
    fn shown_as_a_rule_writes_it() {
        assert_eq!(display(b"\xde\xadPICKET\r\n"), "|de ad|PICKET|0d 0a|");
        assert_eq!(display(b"a|b"), "a|7c|b");
        assert_eq!(display(b""), "");
    }
}
