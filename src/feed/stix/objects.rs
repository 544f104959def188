//! [`Objects`]: the JSON objects of a text, one after the other, whatever holds them: nothing (one a line, or simply
//! concatenated), an array, or the `objects` of a bundle or TAXII envelope.
//!
//! It only finds where objects begin and end, so that a bad one does not take the rest with it and none is held that is too
//! large; what is in them is serde's to read. At most one object is in memory.

use std::io::{self, BufRead};

/// See the module.
pub(super) struct Objects<R> {
    input: R,
    /// What is read of the object, up to [`MAX_OBJECT_BYTES`].
    object: Vec<u8>,
    state: State,
    /// Where an object may stand: outside of everything, or among the `objects` of an envelope.
    in_envelope: bool,
    /// Arrays around what comes next.
    arrays: u32,
    /// What was read of the object was an envelope: it is none.
    is_envelope: bool,
    too_long: bool,
}

/// What was found.
#[derive(PartialEq, Eq)]
pub(super) enum Found<'a> {
    Object(&'a [u8]),
    /// It has more than [`MAX_OBJECT_BYTES`]; it was stepped over.
    TooLong,
    /// Something that is no object, up to where one may begin.
    Junk,
}

/// Without the object's text: it holds values.
impl std::fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Object(_) => "Object",
            Self::TooLong => "TooLong",
            Self::Junk => "Junk",
        })
    }
}

/// How a text ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where nothing is open.
    Whole,
    /// Inside an object, bundle or array.
    Cut,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Between,
    Junk,
    /// Within an object, so many brackets deep.
    Within(u32),
    /// Within a text in it.
    Text(u32),
    /// Behind a backslash in one.
    Escaped(u32),
}

impl<R: BufRead> Objects<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            object: Vec::new(),
            state: State::Between,
            in_envelope: false,
            arrays: 0,
            is_envelope: false,
            too_long: false,
        }
    }

    /// The next object, or how the text ended.
    pub(super) fn next(&mut self) -> io::Result<Result<Found<'_>, End>> {
        if self.state == State::Between {
            self.object.clear();
        }
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(self.end());
            }
            let step = Step { bytes, object: &mut self.object, too_long: &mut self.too_long };
            let (used, event) = match self.state {
                State::Between => between(bytes, self.in_envelope, self.arrays),
                State::Junk => junk(bytes),
                State::Text(depth) => step.text(depth),
                State::Escaped(depth) => step.take(1, Event::To(State::Text(depth))),
                State::Within(depth) => step.within(depth, self.in_envelope),
            };
            self.input.consume(used);
            if let Some(found) = self.follow(event) {
                return Ok(Ok(match found {
                    Ended::Object if std::mem::take(&mut self.too_long) => Found::TooLong,
                    Ended::Object => Found::Object(&self.object),
                    Ended::Junk => Found::Junk,
                }));
            }
        }
    }

    fn follow(&mut self, event: Event) -> Option<Ended> {
        match event {
            Event::More => {}
            Event::To(state) => self.state = state,
            Event::Begin => {
                self.object.clear();
                self.object.push(b'{');
                self.too_long = false;
                self.state = State::Within(1);
            }
            Event::Array => self.arrays += 1,
            Event::ArrayEnd => self.arrays -= 1,
            // The envelope goes on behind its objects; whatever else it says is passed over.
            Event::EnvelopeEnd => {
                (self.in_envelope, self.is_envelope) = (false, true);
                self.object.clear();
                self.object.push(b'{');
                self.state = State::Within(1);
            }
            Event::Envelope => {
                (self.in_envelope, self.too_long) = (true, false);
                self.state = State::Between;
            }
            Event::End => {
                self.state = State::Between;
                if self.in_envelope || !std::mem::take(&mut self.is_envelope) {
                    return Some(Ended::Object);
                }
                self.object.clear();
                self.too_long = false;
            }
            Event::JunkEnd => {
                self.state = State::Between;
                return Some(Ended::Junk);
            }
        }
        None
    }

    fn end(&mut self) -> Result<Found<'static>, End> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Junk => Ok(Found::Junk),
            State::Between if !self.in_envelope && self.arrays == 0 => Err(End::Whole),
            _ => Err(End::Cut),
        }
    }
}

/// What bytes lead to.
#[derive(Clone, Copy)]
enum Event {
    More,
    To(State),
    Begin,
    End,
    /// The object that is being read is an envelope, and its objects begin.
    Envelope,
    EnvelopeEnd,
    Array,
    ArrayEnd,
    JunkEnd,
}

enum Ended {
    Object,
    Junk,
}

fn between(bytes: &[u8], in_envelope: bool, arrays: u32) -> (usize, Event) {
    let skip = bytes.iter().take_while(|b| b.is_ascii_whitespace() || matches!(**b, b',' | RECORD_SEPARATOR)).count();
    let event = match bytes.get(skip) {
        None => return (skip, Event::More),
        Some(b'{') => Event::Begin,
        Some(b'[') if !in_envelope && arrays < MAX_ARRAYS => Event::Array,
        Some(b']') if in_envelope => Event::EnvelopeEnd,
        Some(b']') if arrays > 0 => Event::ArrayEnd,
        Some(_) => Event::To(State::Junk),
    };
    (skip + 1, event)
}

/// Up to a line's end or before what may begin or end something.
fn junk(bytes: &[u8]) -> (usize, Event) {
    match bytes.iter().position(|b| matches!(b, b'\n' | b'{' | b']')) {
        None => (bytes.len(), Event::More),
        Some(at) => (at, Event::JunkEnd),
    }
}

/// Bytes of the object that is being read.
struct Step<'a> {
    bytes: &'a [u8],
    object: &'a mut Vec<u8>,
    too_long: &'a mut bool,
}

impl Step<'_> {
    fn take(self, count: usize, event: Event) -> (usize, Event) {
        let count = count.min(self.bytes.len());
        if self.object.len() + count > MAX_OBJECT_BYTES {
            *self.too_long = true;
            self.object.clear();
        }
        if !*self.too_long {
            self.object.extend_from_slice(&self.bytes[..count]);
        }
        (count, event)
    }

    fn text(self, depth: u32) -> (usize, Event) {
        match memchr::memchr2(b'"', b'\\', self.bytes) {
            None => {
                let all = self.bytes.len();
                self.take(all, Event::More)
            }
            Some(at) if self.bytes[at] == b'"' => self.take(at + 1, Event::To(State::Within(depth))),
            Some(at) => self.take(at + 1, Event::To(State::Escaped(depth))),
        }
    }

    fn within(self, depth: u32, in_envelope: bool) -> (usize, Event) {
        let bytes = self.bytes;
        let Some(at) = bytes.iter().position(|b| matches!(b, b'"' | b'{' | b'}' | b'[' | b']')) else {
            return self.take(bytes.len(), Event::More);
        };
        let event = match bytes[at] {
            b'"' => Event::To(State::Text(depth)),
            b'{' => Event::To(State::Within(depth.saturating_add(1))),
            b'[' if depth == 1 && !in_envelope => {
                let (object, too_long) = (&*self.object, *self.too_long);
                let is_envelope = !too_long && ends_in_objects_key(object, &bytes[..at]);
                if is_envelope { Event::Envelope } else { Event::To(State::Within(2)) }
            }
            b'[' => Event::To(State::Within(depth.saturating_add(1))),
            _ if depth == 1 => Event::End,
            _ => Event::To(State::Within(depth - 1)),
        };
        self.take(at + 1, event)
    }
}

/// Whether what was read ends in `{"objects":` or `,"objects":`, blanks aside.
fn ends_in_objects_key(object: &[u8], more: &[u8]) -> bool {
    let tail = object.len().saturating_sub(MAX_KEY_TAIL_BYTES.saturating_sub(more.len()));
    let text = [&object[tail..], &more[more.len().saturating_sub(MAX_KEY_TAIL_BYTES)..]].concat();
    let text = text.trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end);
    let before = text.and_then(|text| text.strip_suffix(b"\"objects\"")).map(<[u8]>::trim_ascii_end);
    before.is_some_and(|before| before.ends_with(b"{") || before.ends_with(b","))
}

/// Largest object read; real indicators have a few KiB, reports with their references some hundred.
pub(super) const MAX_OBJECT_BYTES: usize = 4 * 1024 * 1024;

/// Arrays within arrays outside of bundles.
const MAX_ARRAYS: u32 = 16;

/// Blanks around the key `objects` that are still seen over.
const MAX_KEY_TAIL_BYTES: usize = 1024;

/// RFC 7464 puts it before each text of a sequence.
const RECORD_SEPARATOR: u8 = 0x1e;

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;

    /// Everything found, objects as text, and the end.
    fn all(text: &[u8], step: usize) -> (Vec<String>, End) {
        let mut objects = Objects::new(BufReader::with_capacity(step, Cursor::new(text)));
        let mut out = Vec::new();
        loop {
            match objects.next().expect("memory") {
                Ok(Found::Object(object)) => out.push(String::from_utf8_lossy(object).into_owned()),
                Ok(other) => out.push(format!("{other:?}")),
                Err(end) => return (out, end),
            }
        }
    }

    #[test]
    fn objects_are_found_whatever_holds_them() {
        let (a, b) = (r#"{"id":"a","x":[{"objects":[1]}],"t":"}\"]{"}"#, r#"{"id":"b","objects":{"0":{}}}"#);
        for text in [
            format!("{a}\n{b}\n"),
            format!("{a}{b}"),
            format!("\u{1e}{a}\n\u{1e}{b}\n"),
            format!("[{a}, {b}]"),
            format!(r#"{{"type":"bundle","objects" : [{a},{b}],"id":"bundle--1"}}"#),
            format!(r#"{{"more":true,"objects":[{a},{b}],"next":"x"}}"#),
            format!(r#"{{ "objects":[{a}],"objects":[{b}]}}"#),
            format!(r#"{{"objects":[{a}]}} {{"objects":[{b}]}}"#),
            format!(r#"[{{"objects":[{a}]}},{b}]"#),
        ] {
            for step in [1, 7, 4096] {
                assert_eq!(all(text.as_bytes(), step), (vec![a.to_owned(), b.to_owned()], End::Whole), "{text} {step}");
            }
        }
        assert_eq!(all(b"", 9), (vec![], End::Whole));
        assert_eq!(all(br#"{"objects":[]}"#, 9), (vec![], End::Whole));
    }

    #[test]
    fn what_is_broken_takes_nothing_else_with_it() {
        let found = |text: &[u8]| all(text, 5);
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found(b"junk\n{\"a\":1}"), (texts(&["Junk", "{\"a\":1}"]), End::Whole));
        assert_eq!(found(b"{\"objects\":[nul,{\"a\":1}]}"), (texts(&["Junk", "{\"a\":1}"]), End::Whole));
        assert_eq!(found(b"{\"objects\":[{\"a\":1},{\"b\""), (texts(&["{\"a\":1}"]), End::Cut));
        assert_eq!(found(b"{\"objects\":[{\"a\":1}"), (texts(&["{\"a\":1}"]), End::Cut));
        assert_eq!(found(b"[{\"a\":1}"), (texts(&["{\"a\":1}"]), End::Cut));
        assert_eq!(found(b"{\"a\":\"\\"), (vec![], End::Cut));
        assert_eq!(found(b"{\"a\":1}]"), (texts(&["{\"a\":1}", "Junk"]), End::Whole));
        let long = [b"{\"x\":\"", &vec![b'x'; MAX_OBJECT_BYTES][..], b"\"}{\"a\":1}"].concat();
        assert_eq!(all(&long, 4096), (texts(&["TooLong", "{\"a\":1}"]), End::Whole));
        let deep = [&b"{\"a\":"[..], &vec![b'['; 100_000], &vec![b']'; 100_000], b"}{}"].concat();
        assert_eq!(all(&deep, 4096).0.len(), 2);
        let arrays = vec![b'['; 1000];
        assert_eq!(all(&arrays, 64).1, End::Cut);
    }

    proptest! {
        #[test]
        fn any_bytes_end_and_no_cut_depends_on_the_buffer(
            text in "(\\{|\\}|\\[|\\]|\"|\\\\|objects|:|,| |x|\\n){0,60}",
            step in 1usize..20,
        ) {
            prop_assert_eq!(all(text.as_bytes(), step), all(text.as_bytes(), 4096));
        }
    }
}
