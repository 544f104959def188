//! Domain names on the wire (RFC 1035 sections 3.1 and 4.1.4) to dotted text.
//!
//! The text is as seen: case kept, no trailing dot, the root empty. A byte that would change how the text reads (a dot or
//! backslash inside a label, a control) is written `\DDD`, in decimal (RFC 1035 section 5.1; the dot too, not as `\.`, so
//! that a dot in the text is always a label boundary and no label can pose as two). Other bytes, UTF-8 of mDNS among them,
//! stay.

/// Longest name on the wire, RFC 1035 section 2.3.4.
pub(super) const MAX_WIRE_BYTES: usize = 255;
/// Text of any name that needs no escapes, and of most that do.
pub(super) const TEXT_BYTES: usize = 256;
/// Text of any name: every byte of the longest one escaped.
pub(super) const ESCAPED_TEXT_BYTES: usize = 4 * MAX_WIRE_BYTES;

/// A decoded name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    /// Bytes of text written.
    pub(super) len: usize,
    /// Where the message goes on after the name.
    pub(super) next: usize,
}

/// Why there is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameError {
    /// Not a name, or one cut off.
    Malformed,
    /// The text does not fit in the buffer, but does in [`ESCAPED_TEXT_BYTES`].
    NoRoom,
}

/// Decodes the name at `at` of `message` (pointers count from its first byte) into `text`.
pub(super) fn decode(message: &[u8], at: usize, text: &mut [u8]) -> Result<Name, NameError> {
    let mut position = at;
    // Every pointer goes before the run of labels that it ends: no loops, whatever the hop cap.
    let mut run = at;
    let mut next = None;
    let (mut wire, mut len, mut hops) = (1, 0, 0);
    loop {
        let lead = *message.get(position).ok_or(NameError::Malformed)?;
        let size = usize::from(lead & !POINTER);
        match lead & POINTER {
            0 if size == 0 => break,
            0 => {
                wire += 1 + size;
                if wire > MAX_WIRE_BYTES {
                    return Err(NameError::Malformed);
                }
                if len > 0 {
                    *text.get_mut(len).ok_or(NameError::NoRoom)? = b'.';
                    len += 1;
                }
                len = label(message, position + 1, size, text, len)?;
                position += 1 + size;
            }
            POINTER => {
                let low = *message.get(position + 1).ok_or(NameError::Malformed)?;
                let target = size << 8 | usize::from(low);
                hops += 1;
                if target >= run || target < HEADER_BYTES || hops > MAX_HOPS {
                    return Err(NameError::Malformed);
                }
                next.get_or_insert(position + 2);
                run = target;
                position = target;
            }
            _ => return Err(NameError::Malformed),
        }
    }
    Ok(Name { len, next: next.unwrap_or(position + 1) })
}

/// Writes the label of `size` bytes at `at` to `text` at `len`; the new length of the text.
#[inline]
fn label(message: &[u8], at: usize, size: usize, text: &mut [u8], len: usize) -> Result<usize, NameError> {
    let source = message.get(at..at + size).ok_or(NameError::Malformed)?;
    let (mut done, mut odd) = (0, 0);
    // Eight at a time; the last step may take bytes past the label along, which the next label or nobody overwrites.
    while done < size {
        let (Some(word), Some(to)) = (
            message.get(at + done..).and_then(|b| b.first_chunk::<8>()),
            text.get_mut(len + done..).and_then(|b| b.first_chunk_mut::<8>()),
        ) else {
            break;
        };
        *to = *word;
        odd |= odd_bytes(u64::from_le_bytes(*word)) & low_bytes(size - done);
        done += 8;
    }
    if odd != 0 {
        return escape(source, text, len);
    }
    if done < size {
        let rest = source.get(done..).unwrap_or_default();
        if rest.iter().any(|b| is_odd(*b)) {
            return escape(source, text, len);
        }
        text.get_mut(len + done..len + size).ok_or(NameError::NoRoom)?.copy_from_slice(rest);
    }
    Ok(len + size)
}

/// [`label`] for one that holds odd bytes.
#[cold]
#[inline(never)]
fn escape(source: &[u8], text: &mut [u8], mut len: usize) -> Result<usize, NameError> {
    for byte in source {
        let escaped = [b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10];
        let piece = if is_odd(*byte) { &escaped[..] } else { std::slice::from_ref(byte) };
        text.get_mut(len..len + piece.len()).ok_or(NameError::NoRoom)?.copy_from_slice(piece);
        len += piece.len();
    }
    Ok(len)
}

/// Whether a byte of a label is written `\DDD`.
fn is_odd(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'.' | b'\\' | 0x7f)
}

/// [`is_odd`] for eight bytes at once: zero only if none is; the lowest bit set lies in an odd byte.
#[inline]
fn odd_bytes(word: u64) -> u64 {
    let zero_byte = |v: u64| v.wrapping_sub(ONES) & !v;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let dot = zero_byte(word ^ (ONES * b'.' as u64));
    let backslash = zero_byte(word ^ (ONES * b'\\' as u64));
    let delete = zero_byte(word ^ (ONES * 0x7f));
    (below_space | dot | backslash | delete) & (ONES * 0x80)
}

/// A mask of the first `count` bytes of a little-endian word.
#[inline]
fn low_bytes(count: usize) -> u64 {
    if count >= 8 { u64::MAX } else { (1 << (8 * count)) - 1 }
}

/// A pointer's two high bits; also the mask of a length byte's type.
const POINTER: u8 = 0xc0;
/// Header of a message: no name lies in it.
const HEADER_BYTES: usize = 12;
/// Real names take under ten: servers point at whole suffixes. What it bounds is the work for one name.
const MAX_HOPS: usize = 32;
const ONES: u64 = 0x0101_0101_0101_0101;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(message: &[u8], at: usize) -> Result<(String, usize), NameError> {
        let mut out = [0; ESCAPED_TEXT_BYTES];
        let name = decode(message, at, &mut out)?;
        Ok((String::from_utf8_lossy(&out[..name.len]).into_owned(), name.next))
    }

    fn wire(labels: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![0; HEADER_BYTES];
        for label in labels {
            out.push(label.len() as u8);
            out.extend(*label);
        }
        out.push(0);
        out
    }

    #[test]
    fn labels_become_dotted_text_as_seen() {
        assert_eq!(text(&wire(&[b"wWw", b"Example", b"com"]), 12), Ok(("wWw.Example.com".into(), 29)));
        assert_eq!(text(&wire(&[]), 12), Ok((String::new(), 13)));
        assert_eq!(text(&wire(&["Büro Drucker".as_bytes(), b"local"]), 12).unwrap().0, "Büro Drucker.local");
    }

    #[test]
    fn a_label_cannot_pose_as_two() {
        assert_eq!(text(&wire(&[b"www.evil", b"com"]), 12).unwrap().0, r"www\046evil.com");
        assert_eq!(text(&wire(&[b"a\\046b", b"com"]), 12).unwrap().0, r"a\092046b.com");
        assert_eq!(text(&wire(&[b"a\n\x7f\0", b"com"]), 12).unwrap().0, r"a\010\127\000.com");
    }

    #[test]
    fn pointers_go_backwards_only() {
        let mut m = wire(&[b"example", b"com"]);
        let www = m.len();
        m.extend(*b"\x03www\xc0\x0c");
        assert_eq!(text(&m, www), Ok(("www.example.com".into(), m.len())));
        let again = m.len();
        m.extend([0xc0, www as u8]);
        assert_eq!(text(&m, again), Ok(("www.example.com".into(), again + 2)));
        for bad in [m.len(), m.len() + 2, 0, 11] {
            let mut m = m.clone();
            m.extend([0xc0, bad as u8, 0, 0, 0]);
            assert_eq!(text(&m, again + 2), Err(NameError::Malformed), "to {bad}");
        }
        // A run that points into itself would never end.
        let mut m = vec![0; HEADER_BYTES];
        m.extend(*b"\x01a\xc0\x0c");
        assert_eq!(text(&m, 12), Err(NameError::Malformed));
    }

    #[test]
    fn hops_are_capped() {
        for (hops, fits) in [(MAX_HOPS, true), (MAX_HOPS + 1, false)] {
            let mut m = wire(&[b"a"]);
            let mut last = HEADER_BYTES;
            for _ in 0..hops {
                let here = m.len();
                m.extend([0xc0 | (last >> 8) as u8, last as u8]);
                last = here;
            }
            assert_eq!(text(&m, last).is_ok(), fits);
        }
    }

    #[test]
    fn length_is_capped_on_the_wire() {
        let longest = [&[b'a'; 63][..], &[b'b'; 63], &[b'c'; 63], &[b'd'; 61]];
        assert_eq!(text(&wire(&longest), 12).unwrap().0.len(), 253);
        let over = [&[b'a'; 63][..], &[b'b'; 63], &[b'c'; 63], &[b'd'; 62]];
        assert_eq!(text(&wire(&over), 12), Err(NameError::Malformed));
        assert_eq!(text(&[&[0; 12][..], &[0x40, 0, 0]].concat(), 12), Err(NameError::Malformed));
    }

    #[test]
    fn odd_names_need_the_longer_buffer() {
        let odd = wire(&[&[1; 63], &[2; 63]]);
        assert_eq!(decode(&odd, 12, &mut [0; TEXT_BYTES]), Err(NameError::NoRoom));
        assert_eq!(text(&odd, 12).unwrap().0.len(), 4 * 126 + 1);
    }

    proptest! {
        #[test]
        fn agrees_with_the_byte_by_byte_reading(
            labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6), tail in 0usize..16
        ) {
            let parts: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
            let mut m = wire(&parts);
            let end = m.len();
            m.extend(vec![b'\\'; tail]);
            let expected: Vec<String> = labels.iter().map(|label| {
                label.iter().map(|b| match b {
                    0..=31 | 46 | 92 | 127 => format!("\\{b:03}").into_bytes(),
                    _ => vec![*b],
                }).collect::<Vec<_>>().concat()
            }).map(|l| String::from_utf8_lossy(&l).into_owned()).collect();
            prop_assert_eq!(text(&m, 12), Ok((expected.join("."), end)));
        }

        #[test]
        fn never_panics(message in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..310) {
            let _ = text(&message, at);
        }
    }
}
