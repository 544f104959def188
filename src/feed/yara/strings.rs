//! YARA's strings as parts of a rule: each is found if one of its parts is.

use super::lex::{Cursor, Token};
use crate::indicator::Refusal;
use crate::indicator::rule::{Content, Formula, MAX_SPAN_BYTES, Part, Range, Word};

/// A string's name, without `$`, and what it asks.
pub(super) type Named<'a> = (&'a str, Formula);

/// The strings of a rule.
#[derive(Default)]
pub(super) struct Strings<'a> {
    pub(super) parts: Vec<Part>,
    pub(super) named: Vec<Named<'a>>,
}

#[derive(Default)]
struct Modifiers {
    nocase: bool,
    wide: bool,
    ascii: bool,
    fullword: bool,
}

impl<'a> Strings<'a> {
    /// Reads one string behind its name and `=`.
    pub(super) fn read(&mut self, name: &'a str, cursor: &mut Cursor<'a>) -> Result<(), Refusal> {
        let value = cursor.need()?;
        let mut modifiers = Modifiers::of(cursor)?;
        let first = self.parts.len() as u32;
        let formula = match value {
            Token::Text(text) => self.text(&text, &modifiers)?,
            Token::Regex(regex, flags) => {
                modifiers.nocase |= flags.contains('i');
                self.text(&literal(regex)?, &modifiers)?
            }
            Token::Hex(text) => self.hex(text)?,
            _ => return Err(Refusal::Malformed),
        };
        check(self.parts.get(first as usize..).unwrap_or_default())?;
        if self.parts.len() > MAX_PARTS || self.named.len() >= MAX_STRINGS {
            return Err(Refusal::TooLong);
        }
        if !name.is_empty() && self.named.iter().any(|(known, _)| *known == name) {
            return Err(Refusal::Malformed);
        }
        self.named.push((name, formula));
        Ok(())
    }

    fn add(&mut self, part: Part) -> Formula {
        self.parts.push(part);
        Formula::Part(self.parts.len() as u32 - 1)
    }

    fn text(&mut self, text: &[u8], modifiers: &Modifiers) -> Result<Formula, Refusal> {
        if text.is_empty() {
            return Err(Refusal::Empty);
        }
        let mut any = Vec::new();
        let wide: Vec<u8> = text.iter().flat_map(|byte| [*byte, 0]).collect();
        for (is_asked, bytes, word) in
            [(modifiers.ascii || !modifiers.wide, text, Word::Narrow), (modifiers.wide, &wide, Word::Wide)]
        {
            if is_asked {
                let nocase = modifiers.nocase;
                let content = Content { nocase, ..fixed(bytes.into(), Box::default(), Range::ANYWHERE) };
                let fullword = modifiers.fullword.then_some(word);
                any.push(self.add(Part { chain: [content].into(), after: None, fullword }));
            }
        }
        Ok(Formula::any(any))
    }

    fn hex(&mut self, text: &str) -> Result<Formula, Refusal> {
        let clean = without_comments(text);
        let mut rest = clean.as_bytes();
        let variants = alternatives(&mut rest, 0)?;
        if !rest.is_empty() {
            return Err(Refusal::BadPattern);
        }
        let mut any = Vec::new();
        for pieces in &variants {
            let mut last = None;
            for part in parts_of(pieces)? {
                let after = part.after.and_then(|(_, distance)| last.map(|last| (last, distance)));
                let Formula::Part(number) = self.add(Part { after, ..part }) else { continue };
                last = Some(number);
            }
            // The last part is only found behind the ones before it.
            any.extend(last.map(Formula::Part));
        }
        Ok(Formula::any(any))
    }
}

impl Modifiers {
    fn of(cursor: &mut Cursor<'_>) -> Result<Self, Refusal> {
        let mut modifiers = Self::default();
        while let Some(Token::Word(word)) = cursor.peek()? {
            match word {
                "nocase" => modifiers.nocase = true,
                "wide" => modifiers.wide = true,
                "ascii" => modifiers.ascii = true,
                "fullword" => modifiers.fullword = true,
                // Found strings are shown to nobody.
                "private" => {}
                "xor" => return Err(Refusal::Unsupported("modifier xor")),
                "base64" | "base64wide" => return Err(Refusal::Unsupported("modifier base64")),
                _ => break,
            }
            cursor.next()?;
        }
        Ok(modifiers)
    }
}

fn fixed(bytes: Box<[u8]>, mask: Box<[u8]>, range: Range) -> Content {
    Content { bytes, mask, nocase: false, negated: false, ends: false, range }
}

/// The bytes of a regular expression that is nothing but bytes.
fn literal(regex: &str) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let mut bytes = regex.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => escaped,
                _ => return Err(NO_REGEX),
            },
            b'.' | b'*' | b'+' | b'?' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' | b'^' | b'$' => {
                return Err(NO_REGEX);
            }
            byte => byte,
        });
    }
    Ok(out)
}

/// A piece of a hex string.
#[derive(Clone, Copy)]
enum Piece {
    /// A byte and the bits of it that count.
    Byte(u8, u8),
    /// So many bytes: at least, and at most if that is said.
    Jump(u32, Option<u32>),
}

/// Every sequence that a hex string, or what is between its parentheses, stands for.
fn alternatives(rest: &mut &[u8], depth: u32) -> Result<Vec<Vec<Piece>>, Refusal> {
    if depth > MAX_DEPTH {
        return Err(Refusal::BadPattern);
    }
    let mut all = Vec::new();
    let mut now: Vec<Vec<Piece>> = vec![Vec::new()];
    while let Some((&first, after)) = rest.split_first() {
        match first {
            b'(' => {
                *rest = after;
                let inner = alternatives(rest, depth + 1)?;
                *rest = rest.strip_prefix(b")").ok_or(Refusal::BadPattern)?;
                now = now
                    .iter()
                    .flat_map(|head| inner.iter().map(|tail| [&head[..], tail].concat()))
                    .take(MAX_VARIANTS + 1)
                    .collect();
            }
            b'|' if depth > 0 => {
                *rest = after;
                all.append(&mut now);
                now = vec![Vec::new()];
            }
            b')' if depth > 0 => break,
            b'[' => {
                *rest = after;
                let piece = jump(rest)?;
                now.iter_mut().for_each(|pieces| pieces.push(piece));
            }
            b'~' => return Err(Refusal::Unsupported("~ in a hex string")),
            _ => {
                let (Some(&high), Some(&low)) = (rest.first(), rest.get(1)) else { return Err(Refusal::BadPattern) };
                *rest = rest.get(2..).unwrap_or_default();
                let ((high, high_mask), (low, low_mask)) = (nibble(high)?, nibble(low)?);
                let piece = Piece::Byte(high << 4 | low, high_mask << 4 | low_mask);
                now.iter_mut().for_each(|pieces| pieces.push(piece));
            }
        }
        if now.len() + all.len() > MAX_VARIANTS || now.iter().any(|pieces| pieces.len() > MAX_HEX_BYTES) {
            return Err(Refusal::TooLong);
        }
    }
    all.append(&mut now);
    if all.iter().any(Vec::is_empty) { Err(Refusal::BadPattern) } else { Ok(all) }
}

fn nibble(digit: u8) -> Result<(u8, u8), Refusal> {
    match digit {
        b'?' => Ok((0, 0)),
        digit => char::from(digit).to_digit(16).map(|value| (value as u8, 15)).ok_or(Refusal::BadPattern),
    }
}

/// `n]`, `n-m]`, `n-]` or `-]`.
fn jump(rest: &mut &[u8]) -> Result<Piece, Refusal> {
    let end = rest.iter().position(|byte| *byte == b']').ok_or(Refusal::BadPattern)?;
    let text = std::str::from_utf8(&rest[..end]).map_err(|_| Refusal::BadPattern)?;
    *rest = &rest[end + 1..];
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n <= MAX_JUMP).ok_or(Refusal::BadPattern);
    let (least, most) = match text.split_once('-') {
        None => (number(text)?, Some(number(text)?)),
        Some((least, most)) => (
            if least.is_empty() { 0 } else { number(least)? },
            if most.is_empty() { None } else { Some(number(most)?) },
        ),
    };
    if most.is_some_and(|most| most < least) { Err(Refusal::BadPattern) } else { Ok(Piece::Jump(least, most)) }
}

/// A sequence as parts: one to each jump without an end.
fn parts_of(pieces: &[Piece]) -> Result<Vec<Part>, Refusal> {
    let mut parts: Vec<Part> = Vec::new();
    let mut chain: Vec<Content> = Vec::new();
    let mut after = None;
    let (mut least, mut spare) = (0_u32, 0_u32);
    let mut rest = pieces;
    while let Some(first) = rest.first() {
        match *first {
            Piece::Jump(..) if chain.is_empty() || rest.len() == 1 => return Err(Refusal::BadPattern),
            Piece::Jump(low, None) => {
                let before = std::mem::take(&mut chain);
                parts.push(Part { chain: before.into(), after, fullword: None });
                after = Some((0, least + low));
                (least, spare) = (0, 0);
                rest = &rest[1..];
            }
            Piece::Jump(low, Some(high)) => {
                (least, spare) = (least + low, spare + high - low);
                rest = &rest[1..];
            }
            Piece::Byte(_, mask) => {
                let is_fixed = mask == u8::MAX;
                let same = |piece: &&Piece| matches!(piece, Piece::Byte(_, mask) if (*mask == u8::MAX) == is_fixed);
                let run = rest.iter().take_while(same).count();
                let run_of = |pick: fn(&Piece) -> u8| rest[..run].iter().map(pick).collect::<Box<[u8]>>();
                let bytes = run_of(|piece| if let Piece::Byte(byte, mask) = piece { byte & mask } else { 0 });
                let mask = run_of(|piece| if let Piece::Byte(_, mask) = piece { *mask } else { 0 });
                let range = match chain.is_empty() {
                    true => Range::ANYWHERE,
                    false => Range::After { distance: least as i32, within: Some(run as u32 + spare) },
                };
                chain.push(fixed(bytes, if is_fixed { Box::default() } else { mask }, range));
                (least, spare) = (0, 0);
                rest = &rest[run..];
            }
        }
    }
    parts.push(Part { chain: chain.into(), after, fullword: None });
    Ok(parts)
}

fn without_comments(text: &str) -> String {
    let mut cursor = Cursor::new(text);
    let mut out = String::with_capacity(text.len());
    loop {
        cursor.skip();
        let Some(char) = text.get(cursor.at..).and_then(|rest| rest.chars().next()) else { return out };
        out.push(char);
        cursor.at += char.len_utf8();
    }
}

/// Whether each part has something to look for, and spans no more than is kept.
fn check(parts: &[Part]) -> Result<(), Refusal> {
    for part in parts {
        let fixed = part.chain.iter().filter(|content| content.mask.is_empty());
        if fixed.map(|content| content.bytes.len()).max().unwrap_or(0) < MIN_ANCHOR_BYTES {
            return Err(Refusal::Unsupported("a string without 3 fixed bytes together"));
        }
        if part.reach(0).is_none_or(|(before, beyond)| before + beyond > MAX_SPAN_BYTES) {
            return Err(Refusal::Unsupported("a string over more than 1,024 bytes"));
        }
    }
    Ok(())
}

const NO_REGEX: Refusal = Refusal::Unsupported("a regular expression");
/// Strings of a rule.
const MAX_STRINGS: usize = 1024;
/// Their parts.
const MAX_PARTS: usize = 4096;
/// Sequences that the alternatives of a hex string may come to.
const MAX_VARIANTS: usize = 64;
/// Alternatives in alternatives.
const MAX_DEPTH: u32 = 8;
/// Pieces of a hex string.
const MAX_HEX_BYTES: usize = 2048;
/// Bytes that a jump may leave out.
const MAX_JUMP: u32 = 1 << 20;
/// What is looked for in every byte has at least so many.
const MIN_ANCHOR_BYTES: usize = 3;
