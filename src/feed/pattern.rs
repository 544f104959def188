//! Byte signatures as Suricata's `content` writes them: `a|0d 0a|b`.

use crate::indicator::Refusal;

/// The bytes that `content` stands for: text as it is, hex between bars (blanks between bytes optional), and `\` before
/// `;`, `\`, `"`, `:` and `|`.
///
/// # Errors
/// [`Refusal::BadPattern`]: an open bar, half a byte, another escape.
pub(super) fn decode(content: &str) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(content.len());
    let mut rest = content.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'|' => hex(&mut rest, &mut bytes)?,
            b'\\' => match rest.next() {
                Some(escaped) if b";\\\":|".contains(&escaped) => bytes.push(escaped),
                _ => return Err(Refusal::BadPattern),
            },
            byte => bytes.push(byte),
        }
    }
    Ok(bytes)
}

/// Up to and over the closing bar.
fn hex(rest: &mut std::str::Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut high = None;
    for byte in rest {
        match (byte, high) {
            (b'|', None) => return Ok(()),
            (b' ' | b'\t', None) => {}
            _ => {
                let digit = char::from(byte).to_digit(16).ok_or(Refusal::BadPattern)? as u8;
                match high.take() {
                    None => high = Some(digit),
                    Some(high) => out.push(high << 4 | digit),
                }
            }
        }
    }
    Err(Refusal::BadPattern)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::indicator::kind::BYTES;

    #[test]
    fn content_is_read_as_suricata_reads_it() {
        for (content, bytes) in [
            ("a|0d 0a|b", &b"a\r\nb"[..]),
            ("|DEADBEEF|PICKET", b"\xde\xad\xbe\xefPICKET"),
            ("|de ad|mid|00|", b"\xde\xadmid\0"),
            (r#"a\|b\;c\\d\"e\:f"#, br#"a|b;c\d"e:f"#),
            ("", b""),
            ("||x| |", b"x"),
            ("é", "é".as_bytes()),
        ] {
            assert_eq!(decode(content).as_deref(), Ok(bytes), "{content}");
        }
        for bad in ["|0d", "|0|", "|0 d|", "|0g|", "a|", r"a\n", "\\", "|é|"] {
            assert_eq!(decode(bad), Err(Refusal::BadPattern), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&(BYTES.display)(&bytes)), Ok(bytes));
        }

        #[test]
        fn anything_is_read_or_refused(content in "[|\\\\0-9a-f ;\\PC]{0,30}") {
            let _ = decode(&content);
        }
    }
}
