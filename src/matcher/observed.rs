//! What traffic shows, brought into the normal form of indicators by the kinds' own functions. Nothing here allocates once
//! the scratch buffer has grown.

use crate::indicator::kind::{domain, url};

/// A name without its trailing dot; the look-up ignores ASCII case. A name in UTF-8 becomes its A-labels in `scratch`.
#[inline]
pub(super) fn name<'a>(raw: &'a [u8], scratch: &'a mut [u8; 256]) -> &'a [u8] {
    if !raw.is_ascii()
        && let Some(length) = domain::normalise_observed(raw, scratch)
    {
        return &scratch[..length];
    }
    raw.strip_suffix(b".").unwrap_or(raw)
}

/// `host[:port]/path?query`; `None` for what no indicator can name.
pub(super) fn url<'s>(raw: &[u8], scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
    url::normalise_observed(raw, scratch).then_some(scratch.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_what_does_not_matter() {
        let mut scratch = Vec::new();
        for (raw, normal) in [
            ("HTTP://Evil.Example:80/A?b#c", "evil.example/A?b"),
            ("https://evil.example:443", "evil.example/"),
            ("http://user:pass@evil.example./", "evil.example/"),
            ("evil.example?x=http://other/", "evil.example/?x=http://other/"),
        ] {
            assert_eq!(url(raw.as_bytes(), &mut scratch), Some(normal.as_bytes()), "{raw}");
        }
    }

    #[test]
    fn names_lose_their_dot_and_their_other_alphabets() {
        let mut scratch = [0; 256];
        assert_eq!(name(b"a.Example.", &mut scratch), b"a.Example");
        assert_eq!(name("b\u{fc}cher.example".as_bytes(), &mut scratch), b"xn--bcher-kva.example");
    }
}
