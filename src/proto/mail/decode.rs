//! Transfer encodings (RFC 2045, 6), undone line by line as liberally as readers do it.

/// How a part is encoded, and what is left over between lines.
#[derive(Clone)]
pub(super) enum Coding {
    /// Not at all. The end of a line belongs to what follows it: before a boundary it is none.
    Plain(&'static [u8]),
    /// `base64`: bits not yet decoded, and how many; letters of no meaning are passed over.
    Base64(u32, u8),
    /// `quoted-printable`: as [`Coding::Plain`].
    Quoted(&'static [u8]),
}

impl Coding {
    pub(super) fn plain() -> Self {
        Self::Plain(b"")
    }

    /// Of a `Content-Transfer-Encoding`.
    pub(super) fn named(name: &[u8]) -> Self {
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"base64") {
            Self::Base64(0, 0)
        } else if name.eq_ignore_ascii_case(b"quoted-printable") {
            Self::Quoted(b"")
        } else {
            Self::plain()
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Appends what a line stands for.
    pub(super) fn decode(&mut self, line: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain(held) => {
                let (text, end) = split_end(line);
                out.extend_from_slice(held);
                out.extend_from_slice(text);
                *held = end;
            }
            Self::Base64(bits, count) => base64(line, bits, count, out),
            Self::Quoted(held) => {
                let (text, end) = split_end(line);
                out.extend_from_slice(held);
                // Blanks at a line's end were added on the way (RFC 2045, 6.7, rule 3).
                let text = if end.is_empty() { text } else { text.trim_ascii_end() };
                let (text, end) = match text.strip_suffix(b"=") {
                    Some(text) => (text, &b""[..]),
                    None => (text, end),
                };
                quoted(text, out);
                *held = end;
            }
        }
    }

    /// The end of the part: nothing is left over that counts.
    pub(super) fn finish(&mut self, _out: &mut Vec<u8>) {
        *self = Self::plain();
    }
}

/// Where a line's end begins.
pub(super) fn line_end(line: &[u8]) -> usize {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    text.strip_suffix(b"\r").unwrap_or(text).len()
}

fn split_end(line: &[u8]) -> (&[u8], &'static [u8]) {
    if let Some(text) = line.strip_suffix(b"\r\n") {
        (text, b"\r\n")
    } else if let Some(text) = line.strip_suffix(b"\n") {
        (text, b"\n")
    } else {
        (line, b"")
    }
}

fn base64(line: &[u8], bits: &mut u32, count: &mut u8, out: &mut Vec<u8>) {
    for byte in line {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                (*bits, *count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        *bits = *bits << 6 | u32::from(value);
        *count += 6;
        if *count >= 8 {
            *count -= 8;
            out.push((*bits >> *count) as u8);
        }
    }
}

/// `=` and two hex digits; anything else stays as it is.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        let digit = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (digit(1), digit(2)) {
            (Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(b'=');
                rest = after.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn decoded(name: &str, text: &[u8]) -> Vec<u8> {
        let (mut coding, mut out) = (Coding::named(name.as_bytes()), Vec::new());
        text.split_inclusive(|b| *b == b'\n').for_each(|line| coding.decode(line, &mut out));
        coding.finish(&mut out);
        out
    }

    #[test]
    fn each_coding_is_undone() {
        assert_eq!(decoded("7bit", b"a\r\nb\nc\r\n"), b"a\r\nb\nc");
        assert_eq!(decoded(" Base64", b"aGVs\r\nbG8 g\r\nd29y bGQ=\r\n"), b"hello world");
        assert_eq!(decoded("BASE64", b"aGk=\naGk=\n"), b"hihi");
        assert_eq!(decoded("quoted-printable", b"a=3Db=\r\nc \t\r\n=zz=C3=A4\r\n"), "a=bc\r\n=zz\u{e4}".as_bytes());
        assert_eq!(decoded("quoted-printable", b"caf=\n"), b"caf");
    }

    proptest! {
        #[test]
        fn base64_agrees_with_the_library_however_it_is_cut(data in prop::collection::vec(any::<u8>(), 0..200), width in 1usize..80) {
            let text = STANDARD.encode(&data);
            let lines: Vec<u8> = text.as_bytes().chunks(width).flat_map(|l| [l, b"\r\n"].concat()).collect();
            prop_assert_eq!(decoded("base64", &lines), data);
        }

        #[test]
        fn no_coding_grows_or_panics(data in prop::collection::vec(any::<u8>(), 0..200)) {
            for name in ["base64", "quoted-printable", ""] {
                prop_assert!(decoded(name, &data).len() <= data.len());
            }
        }
    }
}
