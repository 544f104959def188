//! JSON documents of any size in bounded memory: [`Bounded`] stands between a feed and the JSON reader, which by itself would
//! hold a text of any length and follow any depth. [`Scalar`] reads what feeds write as text, number or truth value alike.
//!
//! Errors say where and never what: a JSON reader's own messages quote the document.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Broken;

/// For a [`Visitor`] of objects or lists: any other value stands for `$value`.
macro_rules! passes_over {
    (seq $value:expr) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok($value)
        }

        $crate::feed::json::passes_over!($value);
    };
    ($value:expr) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}
pub(super) use passes_over;

/// Hands a document on with every text cut to [`MAX_TEXT_BYTES`] and fails below [`MAX_DEPTH`]. What is cut is longer than any
/// value or remark that is kept, so nothing that loads is changed.
pub(super) struct Bounded<R> {
    input: R,
    place: Place,
}

/// Where in a document the next byte lies.
#[derive(Default)]
struct Place {
    text: Option<Text>,
    depth: usize,
}

/// Inside a text.
#[derive(Default)]
struct Text {
    bytes: usize,
    escape: Escape,
    /// The character before was the first half of a surrogate pair: the other half must not be cut off.
    half: bool,
    cut: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Escape {
    #[default]
    None,
    Begun,
    /// Of `\uXXXX`: digits seen, and their value.
    Digits(u8, u32),
}

impl<R: BufRead> Bounded<R> {
    /// A reader that is to be read byte by byte.
    pub(super) fn new(input: R) -> BufReader<Self> {
        BufReader::new(Self { input, place: Place::default() })
    }
}

impl Place {
    /// Whether `byte` goes on to the reader.
    fn pass(&mut self, byte: u8) -> io::Result<bool> {
        let Some(text) = &mut self.text else {
            match byte {
                b'"' => self.text = Some(Text::default()),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth > MAX_DEPTH {
                return Err(io::Error::new(io::ErrorKind::InvalidData, TooDeep));
            }
            return Ok(true);
        };
        let starts_character = text.escape == Escape::None && byte & 0xc0 != 0x80;
        if starts_character && byte == b'"' {
            self.text = None;
            return Ok(true);
        }
        text.cut |= starts_character && !text.half && text.bytes >= MAX_TEXT_BYTES;
        text.bytes += 1;
        text.step(byte);
        Ok(!text.cut)
    }
}

impl Text {
    fn step(&mut self, byte: u8) {
        self.escape = match (self.escape, byte) {
            (Escape::None, b'\\') => Escape::Begun,
            (Escape::Begun, b'u') => Escape::Digits(0, 0),
            (Escape::Digits(seen, value), _) => {
                let value = value << 4 | char::from(byte).to_digit(16).unwrap_or(0);
                if seen < 3 {
                    Escape::Digits(seen + 1, value)
                } else {
                    self.half = (0xd800..0xdc00).contains(&value);
                    Escape::None
                }
            }
            _ => {
                self.half = false;
                Escape::None
            }
        };
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written == 0 && !out.is_empty() {
            let unread = self.input.fill_buf()?;
            if unread.is_empty() {
                break;
            }
            let mut read = 0;
            for &byte in unread {
                let Some(slot) = out.get_mut(written) else { break };
                match self.place.pass(byte) {
                    Ok(true) => {
                        *slot = byte;
                        written += 1;
                    }
                    Ok(false) => {}
                    // What came before it is handed on first; then it is met again.
                    Err(_) if written > 0 => break,
                    Err(error) => return Err(error),
                }
                read += 1;
            }
            self.input.consume(read);
        }
        Ok(written)
    }
}

/// An error of [`Bounded`] that is not the file's.
#[derive(Debug)]
struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nested deeper than {MAX_DEPTH}")
    }
}

impl std::error::Error for TooDeep {}

/// A reader's error without its message, which may quote the document.
pub(super) fn broken(error: serde_json::Error) -> Broken {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        serde_json::error::Category::Io => return Broken::Input(io::Error::from(error)),
        serde_json::error::Category::Eof => "the document breaks off",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => "not a document of this format",
    };
    Broken::Document { line, column, what }
}

/// A text, number or truth value, as text; `None` for `null` and for what is none of these.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Scalar(pub(super) Option<String>);

crate::bytes::opaque_debug!(Scalar, "Scalar");

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar(Some(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(Some(value.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }
}

/// The elements of an array, each handed to `each` as it is read; anything else is passed over.
pub(super) fn elements<T, F: FnMut(T)>(each: F) -> Elements<F, T> {
    Elements(each, PhantomData)
}

/// See [`elements`].
pub(super) struct Elements<F, T>(F, PhantomData<T>);

impl<'de, F: FnMut(T), T: Deserialize<'de>> DeserializeSeed<'de> for Elements<F, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> Visitor<'de> for Elements<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    passes_over!(());
}

/// Longest text handed on: far above the longest value kept (8,192 bytes), so a cut one is refused as too long.
pub(super) const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Deepest nesting read: a MISP event in a response, with objects, galaxies and their elements, has about 14 levels.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(text: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Bounded::new(BufReader::with_capacity(7, text)).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_the_rest_stands() {
        for unit in ["x", "é", "\\n", "\\\"", "\\ud83d\\ude00", "\u{1f600}", "\\\\"] {
            for shift in 0..13 {
                let long = "y".repeat(shift) + &unit.repeat(MAX_TEXT_BYTES / unit.len() + 40);
                let document = format!(r#"{{"a":"{long}","b":[1,"c"]}}"#);
                let read = through(document.as_bytes()).expect("reads");
                assert!(read.len() < MAX_TEXT_BYTES + 60, "{unit}: {}", read.len());
                let value: serde_json::Value = serde_json::from_slice(&read).expect("still JSON");
                assert_eq!(value["b"][1], "c", "{unit}");
                let whole: String = serde_json::from_str(&format!("\"{long}\"")).expect("JSON");
                assert!(whole.starts_with(value["a"].as_str().expect("text")), "{unit}");
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(through(nested(MAX_DEPTH).as_bytes()).is_ok());
        let error = through(nested(MAX_DEPTH + 1).as_bytes()).expect_err("too deep");
        assert_eq!(error.to_string(), "nested deeper than 64");
        assert!(through(b"\"[[[[\"").is_ok());
    }

    #[test]
    fn errors_never_quote_the_document() {
        let error = serde_json::from_str::<u8>("\n \"secret\"").expect_err("no number");
        assert_eq!(broken(error).to_string(), "line 2, column 9: not a document of this format");
        let error = serde_json::from_str::<u8>("{").expect_err("cut");
        assert!(!broken(error).to_string().is_empty());
    }

    proptest! {
        #[test]
        fn what_is_short_passes_unchanged(text in "[\\[\\]{}\",:a-z\\\\u0-9é ]{0,60}") {
            prop_assert_eq!(through(text.as_bytes()).expect("shallow"), text.as_bytes());
        }
    }
}
