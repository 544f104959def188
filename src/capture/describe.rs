//! What a file that is no capture looks like, told from its first bytes.
//!
//! Says the kind of file, never its content: a feed given by mistake must not have its values printed.

/// "an ELF program", "text", ...: completes "it looks like". There is at least one byte.
pub(super) fn describe(head: &[u8]) -> String {
    if head.iter().all(|&byte| byte == 0) {
        return "nothing but zero bytes".into();
    }
    if let Some((_, _, name)) =
        KNOWN.iter().find(|(at, magic, _)| head.get(*at..).is_some_and(|h| h.starts_with(magic)))
    {
        return (*name).into();
    }
    text(head).map(str::to_owned).unwrap_or_else(|| {
        let first: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("data that starts with the bytes {}", first.join(" "))
    })
}

/// The kind of text it is, if it is.
fn text(head: &[u8]) -> Option<&'static str> {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end inside a character.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    if valid.is_empty() || valid.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let start = valid.trim_start().to_ascii_lowercase();
    Some(match start.as_bytes() {
        [b'{' | b'[', ..] => "JSON text",
        [b'#', b'!', ..] => "a script",
        _ if start.starts_with("<!doctype html") || start.starts_with("<html") => "an HTML page",
        _ if start.starts_with("<?xml") => "XML text",
        _ => "text",
    })
}

/// Offset, magic, name.
const KNOWN: &[(usize, &[u8], &str)] = &[
    (0, b"\x7fELF", "an ELF program"),
    (0, b"PK\x03\x04", "a zip archive; unpack it first"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (0, b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (257, b"ustar", "a tar archive; unpack it first"),
    (0, b"BZh", "bzip2 data; unpack it first (gzip, zstd, xz and lz4 are read as they are)"),
    (0, b"\x1f\x8b", "gzip data inside a compressed file; unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "zstd data inside a compressed file; unpack it first"),
    (0, b"\xfd7zXZ\0", "xz data inside a compressed file; unpack it first"),
    (0, b"\x04\x22\x4d\x18", "lz4 data inside a compressed file; unpack it first"),
    (0, b"\x1f\x9d", "compress (.Z) data; unpack it first"),
    (0, b"LZIP", "lzip data; unpack it first"),
    (0, b"snoop\0\0\0", "a snoop capture; convert it with editcap -F pcapng"),
    (0, b"RTSS", "a Network Monitor 1 capture; convert it with editcap -F pcapng"),
    (0, b"GMBU", "a Network Monitor 2 capture; convert it with editcap -F pcapng"),
    (0, b"TRSNIFF data", "a Sniffer capture; convert it with editcap -F pcapng"),
    (0, b"XCP\0", "a NetXray capture; convert it with editcap -F pcapng"),
    (0, b"btsnoop\0", "a Bluetooth snoop log; it holds no network traffic"),
    (0, b"\xa1\xb2\x34\xcd", "a pcap variant that is not read; convert it with editcap -F pcapng"),
    (0, b"\xcd\x34\xb2\xa1", "a pcap variant that is not read; convert it with editcap -F pcapng"),
    (0, b"\xa1\x2b\x3c\x4d", "a pcap variant that is not read; convert it with editcap -F pcapng"),
    (0, b"\x4d\x3c\x2b\xa1", "a pcap variant that is not read; convert it with editcap -F pcapng"),
    (0, b"\x89MCAP", "an MCAP recording"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"MZ", "a Windows program"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"\xff\xfe", "UTF-16 text"),
    (0, b"\xfe\xff", "UTF-16 text"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_people_give_by_mistake() {
        for (head, expected) in [
            (&b"\x7fELF\x02\x01"[..], "an ELF program"),
            (b"  <!DOCTYPE HTML PUBLIC", "an HTML page"),
            (b"{\"threat\":1}", "JSON text"),
            (b"evil.example\n", "text"),
            (b"#!/bin/sh\n", "a script"),
            ("gr\u{fc}n".as_bytes(), "text"),
            (b"gr\xc3", "text"),
            (b"\0\0\0\0", "nothing but zero bytes"),
            (b"\x01PKT\x02`\0\0\0", "data that starts with the bytes 01 50 4b 54 02 60 00 00"),
        ] {
            assert_eq!(describe(head), expected);
        }
        let mut tar = vec![b'a'; 300];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(describe(&tar), "a tar archive; unpack it first");
    }

    #[test]
    fn never_repeats_text() {
        assert!(!describe(b"evil.example").contains("evil"));
        assert!(!describe(b"evil.example\x07").contains("evil"));
    }
}
