//! Domain names on the wire (RFC 1035 sections 3.1 and 4.1.4) to dotted text.
//!
//! The text is as seen: case kept, no trailing dot, the root empty. A byte that would change how the text reads (a dot or
//! backslash inside a label, a control) is written `\DDD`, in decimal (RFC 1035 section 5.1; the dot too, not as `\.`, so
//! that a dot in the text is always a label boundary and no label can pose as two). Other bytes, UTF-8 of mDNS among them,
//! stay. Most names are of no interest to anybody: they are found well-formed, and made into text when they are.

use crate::indicator::{EncodedName, MAX_NAME_TEXT_BYTES, Spelled};

/// Longest name on the wire, RFC 1035 section 2.3.4.
const MAX_WIRE_BYTES: usize = 255;

/// A name as it lies in its message, found to be well-formed and not made into text.
#[derive(Clone, Copy)]
pub(super) struct Name<'m> {
    message: &'m [u8],
    at: usize,
    /// Where the message goes on after the name.
    pub(super) next: usize,
    /// Where its last label and the one before begin, with their lengths; 0 if there is none.
    ends: [usize; 2],
    /// Its length on the wire, spelled out.
    wire: usize,
}

impl<'m> Name<'m> {
    /// Reads the name at `at` of `message` (pointers count from its first byte). `None` for what is no name, or is cut off.
    #[inline]
    pub(super) fn read(message: &'m [u8], at: usize) -> Option<Self> {
        let mut position = at;
        // Every pointer goes before the run of labels that it ends: no loops, whatever the hop cap.
        let mut run = at;
        let mut next = None;
        let (mut wire, mut hops) = (1, 0);
        let mut ends = [0; 2];
        loop {
            // That there is a byte behind a label says that all of the label is there.
            let lead = *message.get(position)?;
            match lead {
                0 => break,
                1..=MAX_LABEL_BYTES => {
                    let size = 1 + usize::from(lead);
                    wire += size;
                    if wire > MAX_WIRE_BYTES {
                        return None;
                    }
                    ends = [position, ends[0]];
                    position += size;
                }
                _ => {
                    let target = usize::from(lead & !POINTER) << 8 | usize::from(*message.get(position + 1)?);
                    hops += 1;
                    if lead < POINTER || target >= run || target < HEADER_BYTES || hops > MAX_HOPS {
                        return None;
                    }
                    next.get_or_insert(position + 2);
                    run = target;
                    position = target;
                }
            }
        }
        Some(Self { message, at, next: next.unwrap_or(position + 1), ends, wire })
    }

    /// Whether it is the name of the zone above all.
    pub(super) fn is_root(&self) -> bool {
        self.ends[0] == 0
    }

    /// Whether two names are the same, whatever the case of their letters.
    #[inline]
    pub(super) fn is(&self, other: &Self) -> bool {
        self.wire == other.wire && self.has_labels_of(other)
    }

    #[inline(never)]
    fn has_labels_of(&self, other: &Self) -> bool {
        self.labels().map(Some).chain([None]).zip(other.labels().map(Some).chain([None])).all(|pair| match pair {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one == other,
        })
    }

    /// Its labels, from the left.
    fn labels(&self) -> impl Iterator<Item = &'m [u8]> + use<'m> {
        let (message, mut position) = (self.message, self.at);
        std::iter::from_fn(move || {
            loop {
                // It was read to its end before.
                let lead = *message.get(position)?;
                let size = usize::from(lead & !POINTER);
                if lead & POINTER != 0 {
                    position = size << 8 | usize::from(*message.get(position + 1)?);
                    continue;
                }
                let label = message.get(position + 1..position + 1 + size).filter(|label| !label.is_empty())?;
                position += 1 + size;
                return Some(label);
            }
        })
    }

    /// The name as it is shown.
    #[inline]
    pub(super) fn encoded(&self) -> EncodedName<'_> {
        EncodedName { ends: self.ends.map(|at| self.label(at)), whole: self }
    }

    /// The label at `at`; at 0, where the header lies, there is none.
    #[inline]
    fn label(&self, at: usize) -> &'m [u8] {
        let size = if at > 0 { self.message.get(at).map_or(0, |size| usize::from(*size)) } else { 0 };
        self.message.get(at + 1..at + 1 + size).unwrap_or_default()
    }

    /// Its text on the heap, for an alert.
    pub(super) fn to_text(self) -> Vec<u8> {
        self.text(&mut [0; MAX_NAME_TEXT_BYTES]).to_vec()
    }
}

impl Spelled for Name<'_> {
    fn text<'t>(&self, buffer: &'t mut [u8; MAX_NAME_TEXT_BYTES]) -> &'t [u8] {
        let mut len = 0;
        for label in self.labels() {
            if len > 0 {
                len += put(b".", buffer, len);
            }
            for byte in label {
                let escaped = [b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10];
                let piece = if is_odd(*byte) { &escaped[..] } else { std::slice::from_ref(byte) };
                len += put(piece, buffer, len);
            }
        }
        buffer.get(..len).unwrap_or_default()
    }
}

/// Writes a piece of text at `len`; its length, or 0 if it does not fit, which a name always does.
fn put(piece: &[u8], buffer: &mut [u8], len: usize) -> usize {
    let Some(to) = buffer.get_mut(len..len + piece.len()) else { return 0 };
    to.copy_from_slice(piece);
    piece.len()
}

/// Whether a byte of a label is written `\DDD`.
fn is_odd(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'.' | b'\\' | 0x7f)
}

/// Longest label (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: u8 = 63;
/// A pointer's two high bits; also the mask of a length byte's type.
const POINTER: u8 = 0xc0;
/// Header of a message: no name lies in it.
const HEADER_BYTES: usize = 12;
/// Real names take under ten: servers point at whole suffixes. What it bounds is the work for one name.
const MAX_HOPS: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(message: &[u8], at: usize) -> Option<(String, usize)> {
        let name = Name::read(message, at)?;
        Some((String::from_utf8_lossy(&name.to_text()).into_owned(), name.next))
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
        assert_eq!(text(&wire(&[b"wWw", b"Example", b"com"]), 12), Some(("wWw.Example.com".into(), 29)));
        assert_eq!(text(&wire(&[]), 12), Some((String::new(), 13)));
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
        assert_eq!(text(&m, www), Some(("www.example.com".into(), m.len())));
        let again = m.len();
        m.extend([0xc0, www as u8]);
        assert_eq!(text(&m, again), Some(("www.example.com".into(), again + 2)));
        for bad in [m.len(), m.len() + 2, 0, 11] {
            let mut m = m.clone();
            m.extend([0xc0, bad as u8, 0, 0, 0]);
            assert_eq!(text(&m, again + 2), None, "to {bad}");
        }
        // A run that points into itself would never end.
        let mut m = vec![0; HEADER_BYTES];
        m.extend(*b"\x01a\xc0\x0c");
        assert_eq!(text(&m, 12), None);
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
            assert_eq!(text(&m, last).is_some(), fits);
        }
    }

    #[test]
    fn length_is_capped_on_the_wire() {
        let longest = [&[b'a'; 63][..], &[b'b'; 63], &[b'c'; 63], &[b'd'; 61]];
        assert_eq!(text(&wire(&longest), 12).unwrap().0.len(), 253);
        let over = [&[b'a'; 63][..], &[b'b'; 63], &[b'c'; 63], &[b'd'; 62]];
        assert_eq!(text(&wire(&over), 12), None);
        assert_eq!(text(&[&[0; 12][..], &[0x40, 0, 0]].concat(), 12), None);
    }

    #[test]
    fn the_longest_text_fits() {
        let odd = wire(&[&[1; 63], &[2; 63], &[3; 63], &[4; 61]]);
        assert_eq!(text(&odd, 12).unwrap().0.len(), 4 * 250 + 3);
    }

    #[test]
    fn the_ends_are_told_without_the_text() {
        let ends = |labels: &[&[u8]]| {
            let message = wire(labels);
            let name = Name::read(&message, 12).expect("a name");
            name.encoded().ends.map(|label| String::from_utf8_lossy(label).into_owned())
        };
        assert_eq!(ends(&["b\u{fc}".as_bytes(), b"Evil", b"example"]), ["example", "Evil"]);
        assert_eq!(ends(&[b"a", b"b.c", "b\u{fc}".as_bytes()]), ["b\u{fc}", "b.c"]);
        assert_eq!(ends(&[b"local"]), ["local", ""]);
        assert_eq!(ends(&[]), ["", ""]);
    }

    #[test]
    fn names_are_the_same_whatever_their_case_and_pointers() {
        let mut m = wire(&[b"www", b"example", b"com"]);
        let again = m.len();
        m.extend(*b"\x03WWW\xc0\x10\x07EXAMPLE\xc0\x18\0");
        let at = |at| Name::read(&m, at).expect("a name");
        assert!(at(12).is(&at(again)) && at(again).is(&at(12)));
        assert!(at(16).is(&at(again + 6)) && !at(12).is(&at(16)) && !at(16).is(&at(12)));
        assert!(at(m.len() - 1).is_root() && !at(m.len() - 1).is(&at(12)));
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
            prop_assert_eq!(text(&m, 12), Some((expected.join("."), end)));
        }

        #[test]
        fn never_panics(message in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..310) {
            let _ = text(&message, at);
        }
    }
}
