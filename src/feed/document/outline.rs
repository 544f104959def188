//! [`Outlines`]: lines that are laid out as one before them are read without being parsed. Most feeds are written by programs, line
//! after line with the same keys in the same order, and only texts and numbers differ.
//!
//! An outline is made of a line that the JSON reader took: its bytes, with a hole for every text that is a value and every plain
//! number. A line that has the same bytes around its holes, and in them nothing but a text without escapes or a plain number, is
//! JSON with the same tree; so what it says at each place is known. Every other line is for the JSON reader.

use super::paths::{At, Means, ROOT};

/// See the module: the last few layouts.
#[derive(Default)]
pub(super) struct Outlines {
    known: Vec<Outline>,
    /// The one that fitted last, or was made last.
    last: usize,
    /// What the holes of the line hold that was read last: start and end.
    spans: Vec<(usize, usize)>,
    /// Lines that may still miss before none is tried for a while.
    patience: u32,
    /// Lines that are not tried.
    resting: u32,
}

struct Outline {
    /// What is around the holes, one after the other.
    around: Vec<u8>,
    holes: Vec<Hole>,
}

struct Hole {
    /// Where in [`Outline::around`] what is before it ends.
    before_end: usize,
    is_text: bool,
    means: Means,
}

impl Outlines {
    /// Calls `put` with what `line` says at each place that is read, in order, if it is laid out as a known line; false if not.
    pub(super) fn read<'l>(&mut self, line: &'l str, mut put: impl FnMut(Means, &'l str)) -> bool {
        if self.resting > 0 {
            self.resting -= 1;
            return false;
        }
        let order = (self.last..self.known.len()).chain(0..self.last.min(self.known.len()));
        for number in order {
            let outline = &self.known[number];
            if !outline.fits(line.as_bytes(), &mut self.spans) {
                continue;
            }
            (self.last, self.patience) = (number, PATIENCE);
            for (hole, &(start, end)) in outline.holes.iter().zip(&self.spans) {
                if hole.means != Means::Nothing {
                    put(hole.means, &line[start..end]);
                }
            }
            return true;
        }
        match self.patience.checked_sub(1) {
            Some(left) => self.patience = left,
            None => (self.resting, self.patience) = (REST_LINES, PATIENCE / 4),
        }
        false
    }

    /// Takes the layout of a line that did not fit and that the JSON reader took, without what it refuses.
    pub(super) fn learn(&mut self, line: &str) {
        if self.resting > 0 {
            return;
        }
        let Some(outline) = Outline::of(line) else { return };
        self.last = if self.known.len() < MAX_OUTLINES { self.known.len() } else { (self.last + 1) % MAX_OUTLINES };
        match self.known.get_mut(self.last) {
            Some(oldest) => *oldest = outline,
            None => self.known.push(outline),
        }
    }
}

impl Outline {
    /// The layout of a line that is JSON; `None` if it has what no hole can hold.
    fn of(line: &str) -> Option<Self> {
        let bytes = line.as_bytes();
        let mut outline = Self { around: Vec::with_capacity(bytes.len()), holes: Vec::new() };
        // Of each container the place, and whether it is an object; the place of the value that comes next. Elements lie where their
        // list does.
        let mut open: Vec<(At, bool)> = Vec::new();
        let (mut here, mut key_comes) = (ROOT, false);
        let (mut at, mut copied) = (0, 0);
        while let Some(&byte) = bytes.get(at) {
            let start = at;
            at += 1;
            match byte {
                b'{' | b'[' => {
                    open.push((here, byte == b'{'));
                    key_comes = byte == b'{';
                }
                b'}' | b']' => drop(open.pop()),
                b',' => (here, key_comes) = *open.last()?,
                b'"' => {
                    let end = at + text_bytes(&bytes[at..])?;
                    let text = at..end;
                    at = end + 1;
                    if std::mem::take(&mut key_comes) {
                        here = open.last()?.0.below(&line[text]);
                        continue;
                    }
                    outline.hole(&bytes[copied..text.start], true, here)?;
                    copied = text.end;
                }
                b'-' | b'0'..=b'9' => match number_bytes(&bytes[start..]) {
                    Some(digits) => {
                        outline.hole(&bytes[copied..start], false, here)?;
                        at = start + digits;
                        copied = at;
                    }
                    None if here.means() == Means::Nothing => {
                        let is_number = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                        at = start + bytes[start..].iter().take_while(is_number).count();
                    }
                    None => return None,
                },
                b't' | b'f' if here.means() != Means::Nothing => return None,
                _ => {}
            }
        }
        outline.around.extend_from_slice(&bytes[copied..]);
        Some(outline)
    }

    fn hole(&mut self, before: &[u8], is_text: bool, at: At) -> Option<()> {
        let means = at.means();
        if self.holes.len() >= MAX_HOLES || matches!(means, Means::Marking(_) | Means::PartOfMarking) {
            return None;
        }
        self.around.extend_from_slice(before);
        self.holes.push(Hole { before_end: self.around.len(), is_text, means });
        Some(())
    }

    /// Whether `line` is laid out so; if it is, `spans` is what its holes hold.
    fn fits(&self, line: &[u8], spans: &mut Vec<(usize, usize)>) -> bool {
        spans.clear();
        let (mut at, mut around) = (0, 0);
        for hole in &self.holes {
            let before = &self.around[around..hole.before_end];
            let Some(rest) = line.get(at..).and_then(|rest| rest.strip_prefix(before)) else { return false };
            let held = if hole.is_text { text_bytes(rest) } else { number_bytes(rest) };
            let Some(held) = held else { return false };
            let start = at + before.len();
            at = start + held;
            around = hole.before_end;
            spans.push((start, at));
        }
        line.get(at..).is_some_and(|rest| *rest == self.around[around..])
    }
}

/// How many bytes of a text come before the quote that ends it; `None` if it has an escape, a control character or no end.
fn text_bytes(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The lowest bit that is set is of the first byte that is zero: a borrow only goes up.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut chunks = text.chunks_exact(8);
    let mut at = 0;
    for chunk in chunks.by_ref() {
        let word = u64::from_le_bytes(chunk.try_into().ok()?);
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let (quotes, escapes) = (ONES * u64::from(b'"'), ONES * u64::from(b'\\'));
        let ends = zeros(word ^ quotes) | zeros(word ^ escapes) | controls;
        if ends != 0 {
            at += ends.trailing_zeros() as usize / 8;
            return (text[at] == b'"').then_some(at);
        }
        at += 8;
    }
    let end = chunks.remainder().iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
    (text[at + end] == b'"').then_some(at + end)
}

/// How many digits a number has that is nothing else; `None` if it has a sign, a fraction, an exponent or too many of them.
fn number_bytes(text: &[u8]) -> Option<usize> {
    let digits = text.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let is_plain = (1..=MAX_DIGITS).contains(&digits) && (digits == 1 || text[0] != b'0');
    let goes_on = text.get(digits).is_some_and(|next| matches!(next, b'.' | b'e' | b'E'));
    (is_plain && !goes_on).then_some(digits)
}

/// Layouts kept: kinds of entries that take turns.
const MAX_OUTLINES: usize = 4;
/// Values of a line; feeds have under thirty.
const MAX_HOLES: usize = 64;
/// Digits of a number that is the same when it is printed again.
const MAX_DIGITS: usize = 18;
/// Lines in a row that may miss, and lines that are then not tried: for feeds where no line is like another.
const PATIENCE: u32 = 32;
const REST_LINES: u32 = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_of_texts_and_numbers() {
        for (text, bytes) in [
            ("\"", Some(0)),
            ("abc\"", Some(3)),
            ("abcdefgh\"x", Some(8)),
            ("abcdefg\"x", Some(7)),
            ("abcdefghijklm\u{e9}n\" \"", Some(16)),
            ("abcdefgh\\\"", None),
            ("ab\\n\"", None),
            ("abcdefgh\u{1f}ijklmnop\"", None),
            ("abc", None),
            ("abcdefghi", None),
            ("", None),
        ] {
            assert_eq!(text_bytes(text.as_bytes()), bytes, "{text:?}");
        }
        for (text, digits) in [
            ("0,", Some(1)),
            ("443}", Some(3)),
            ("999999999999999999", Some(18)),
            ("9999999999999999999", None),
            ("01", None),
            ("-1", None),
            ("1.5", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(number_bytes(text.as_bytes()), digits, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_ends_where_a_scan_says(text in prop::collection::vec(prop::sample::select(b"ab\"\\\x1f\x20\x7f\x80\xff!#[]".to_vec()), 0..40)) {
            let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(text_bytes(&text), end.filter(|end| text[*end] == b'"'));
        }
    }
}
