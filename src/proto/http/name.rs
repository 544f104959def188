//! What a body is called: `Content-Disposition` (RFC 6266, RFC 8187), or the end of the URL's path.

use crate::proto::file::MAX_NAME_BYTES;

/// The file name that a disposition gives; `filename*` goes before `filename`. Percent-encoded bytes are decoded into `buffer`.
pub(super) fn of_disposition<'b>(value: &'b [u8], buffer: &'b mut [u8; MAX_NAME_BYTES]) -> Option<&'b [u8]> {
    if let Some(extended) = parameter(value, b"filename*") {
        // charset'language'name
        let mut parts = extended.splitn(3, |byte| *byte == b'\'');
        if let (Some(_), Some(_), Some(name)) = (parts.next(), parts.next(), parts.next()) {
            return percent_decoded(name, buffer).filter(|name| !name.is_empty());
        }
    }
    parameter(value, b"filename").filter(|name| !name.is_empty())
}

/// The last part of a URL's path, percent-encoded bytes decoded into `buffer`.
pub(super) fn of_url<'b>(url: &[u8], buffer: &'b mut [u8; MAX_NAME_BYTES]) -> Option<&'b [u8]> {
    let end = memchr::memchr2(b'?', b'#', url).unwrap_or(url.len());
    let after_scheme = memchr::memmem::find(url, b"://").map_or(0, |at| at + 3);
    let rest = url.get(after_scheme..end)?;
    let path = rest.get(memchr::memchr(b'/', rest)?..)?;
    let name = path.get(memchr::memrchr(b'/', path)? + 1..)?;
    percent_decoded(name, buffer).filter(|name| !name.is_empty())
}

/// The value of a parameter (`; name=value` or `; name="value"`), without its quotes. Backslashes stay: in names they are
/// parts of Windows paths more often than quotes of quotes.
pub(super) fn parameter<'a>(value: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value.get(memchr::memchr(b';', value)? + 1..)?;
    loop {
        rest = rest.trim_ascii_start();
        let name_end = rest.iter().position(|byte| matches!(byte, b'=' | b';'))?;
        let (name, after) = rest.split_at_checked(name_end)?;
        let (separator, after) = after.split_first()?;
        if *separator == b';' {
            rest = after;
            continue;
        }
        let after = after.trim_ascii_start();
        let (found, next) = match after.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = memchr::memchr(b'"', quoted).unwrap_or(quoted.len());
                (quoted.get(..end)?, quoted.get(end..)?)
            }
            None => {
                let end = memchr::memchr(b';', after).unwrap_or(after.len());
                (after.get(..end)?.trim_ascii_end(), after.get(end..)?)
            }
        };
        if name.trim_ascii().eq_ignore_ascii_case(wanted) {
            return Some(found);
        }
        rest = next.get(memchr::memchr(b';', next)? + 1..)?;
    }
}

/// `None` if it is too long.
fn percent_decoded<'b>(text: &[u8], buffer: &'b mut [u8; MAX_NAME_BYTES]) -> Option<&'b [u8]> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut at, mut length) = (0, 0);
    while let Some(&byte) = text.get(at) {
        let (decoded, used) = match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => ((high << 4 | low) as u8, 3),
            _ => (byte, 1),
        };
        *buffer.get_mut(length)? = decoded;
        (at, length) = (at + used, length + 1);
    }
    buffer.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disposition(value: &str) -> Option<String> {
        of_disposition(value.as_bytes(), &mut [0; MAX_NAME_BYTES])
            .map(|name| String::from_utf8_lossy(name).into_owned())
    }

    fn url(value: &str) -> Option<String> {
        of_url(value.as_bytes(), &mut [0; MAX_NAME_BYTES]).map(|name| String::from_utf8_lossy(name).into_owned())
    }

    #[test]
    fn dispositions() {
        for (value, name) in [
            ("attachment; filename=evil.exe", Some("evil.exe")),
            ("attachment; filename=\"e;v il.exe\"; size=3", Some("e;v il.exe")),
            ("form-data; name=\"a\"; FileName = \"x\"", Some("x")),
            ("attachment; filename=\"plain\"; filename*=UTF-8''%e2%82%ac%20x", Some("\u{20ac} x")),
            ("attachment; filename=\"C:\\a\\b.exe\"", Some("C:\\a\\b.exe")),
            ("attachment; filename*=broken; filename=b", Some("b")),
            ("attachment; filename=\"open", Some("open")),
            ("attachment", None),
            ("attachment; filename=\"\"", None),
            ("", None),
        ] {
            assert_eq!(disposition(value).as_deref(), name, "{value}");
        }
    }

    #[test]
    fn ends_of_paths() {
        for (value, name) in [
            ("http://a.example/b/c.exe?d=/e#f", Some("c.exe")),
            ("http://a.example/b%20c%zz", Some("b c%zz")),
            ("http://a.example/b/", None),
            ("http://a.example", None),
            ("/b/c", Some("c")),
            ("", None),
        ] {
            assert_eq!(url(value).as_deref(), name, "{value}");
        }
        assert_eq!(url(&format!("http://a/{}", "x".repeat(MAX_NAME_BYTES + 1))), None);
    }
}
