//! Text from traffic made safe to show: what is printable stays, everything else becomes `\xNN`.

use std::fmt::Write;

/// Longest text shown, in bytes of traffic; the rest is left out and said so.
const MAX_SHOWN_BYTES: usize = 4096;

/// Traffic bytes as one line of printable text: a backslash is doubled, control characters, line and direction marks and
/// bytes that are not UTF-8 are written as `\xNN`. No two different values within the length give the same text, and none
/// can end a line, forge a field or turn a terminal.
pub fn printable(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(MAX_SHOWN_BYTES)];
    let mut out = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                ' '..='~' => out.push(c),
                _ if is_safe(c) => out.push(c),
                _ => escape(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        escape(&mut out, chunk.invalid());
    }
    if shown.len() < bytes.len() {
        let _ = write!(out, "\\...{} more bytes", bytes.len() - shown.len());
    }
    out
}

/// What [`printable`] was made of, up to where it was cut.
pub(super) fn unprintable(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16)).map(|digit| digit as u8);
        rest = match (first, after.first(), hex(1), hex(2)) {
            (b'\\', Some(b'\\'), ..) => {
                out.push(b'\\');
                &after[1..]
            }
            (b'\\', Some(b'x'), Some(high), Some(low)) => {
                out.push(high << 4 | low);
                &after[3..]
            }
            _ => {
                out.push(*first);
                after
            }
        };
    }
    out
}

fn escape(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// Neither control (C0, DEL, C1), nor a line or paragraph separator, nor a mark that hides or reorders text.
fn is_safe(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_forges_a_line() {
        assert_eq!(printable(b"Mozilla/5.0 (x)"), "Mozilla/5.0 (x)");
        assert_eq!(printable(b"a\r\nb\\x\x1b[2J\x7f"), "a\\x0d\\x0ab\\\\x\\x1b[2J\\x7f");
        assert_eq!(printable("é\u{202e}\u{85}".as_bytes()), "é\\xe2\\x80\\xae\\xc2\\x85");
        assert_eq!(printable(&[0xff, b'a', 0xc3]), "\\xffa\\xc3");
        let long = printable(&[b'a'; 5000]);
        assert!(long.len() < 4200 && long.ends_with("\\...904 more bytes"));
    }

    #[test]
    fn what_was_made_printable_can_be_had_back() {
        for bytes in [&b"a\r\nb\\x41\x1b[2J\x7f"[..], "é\u{202e}\u{85}".as_bytes(), &[0xff, b'a', 0xc3, b'\\'], b""] {
            assert_eq!(unprintable(&printable(bytes)), bytes);
        }
    }
}
