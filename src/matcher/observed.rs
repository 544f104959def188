//! What traffic shows, brought into the normal form of indicators. One function a form, so that a kind's own
//! normalisation of observed values replaces it in one line. None allocates once the scratch buffer has grown.

/// A name without its trailing dot. Case is left to the look-up, which ignores it.
#[inline]
pub(super) fn name(raw: &[u8]) -> &[u8] {
    raw.strip_suffix(b".").unwrap_or(raw)
}

/// `host[:port]/path?query`: scheme, its default port and fragment dropped, host lower-case, an empty path `/`.
pub(super) fn url<'s>(raw: &[u8], scratch: &'s mut Vec<u8>) -> &'s [u8] {
    scratch.clear();
    let scheme_end = memchr::memmem::find(raw, b"://")
        .filter(|&end| raw[..end].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')));
    let default_port = match scheme_end.map(|end| &raw[..end]) {
        None => &b":80"[..],
        Some(scheme) if scheme.eq_ignore_ascii_case(b"http") => b":80",
        Some(scheme) if scheme.eq_ignore_ascii_case(b"https") => b":443",
        Some(_) => b"",
    };
    let rest = &raw[scheme_end.map_or(0, |end| end + 3)..];
    let rest = &rest[..memchr::memchr(b'#', rest).unwrap_or(rest.len())];
    let host_end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    let host = host.strip_suffix(default_port).unwrap_or(host);
    scratch.extend(host.iter().map(u8::to_ascii_lowercase));
    if !path.starts_with(b"/") {
        scratch.push(b'/');
    }
    scratch.extend(path);
    scratch
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
            ("https://evil.example:80/", "evil.example:80/"),
            ("evil.example?x=http://other/", "evil.example/?x=http://other/"),
            ("", "/"),
        ] {
            assert_eq!(url(raw.as_bytes(), &mut scratch), normal.as_bytes(), "{raw}");
        }
        assert_eq!(name(b"a.example."), b"a.example");
    }
}
