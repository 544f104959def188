//! [`Rules`]: the rules of a set, compiled.
//!
//! Of each rule one literal is looked for (its *anchor*, the longest content that must be there), those of one place in one
//! automaton; only where it occurs is the rest of the rule judged. Where a set has no rules none of this is called.
//!
//! Messages are judged whole: all buffers of one message at once ([`Rules::message`]). Bytes that come piece by piece are
//! [`stream`]'s. Rules that ask for a header alone are found by [`headers`] and judged by whoever sees packets.

mod chain;
mod headers;
mod stream;

pub use stream::{Piece, Trail};

use std::borrow::Cow;
use std::collections::HashMap;

use headers::Headers;
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;
use stream::Streams;

use super::pattern::Engine;
use crate::indicator::kind::url;
use crate::indicator::rule::{Body, Buffer, Content, Flowing, Form, Message, Place, Range, Rule, Scope, Step};
use crate::indicator::{Digest, Field, FieldValue, IndicatorIx, IndicatorSet, MAX_NAME_TEXT_BYTES, Observable, Value};
use crate::time::Timestamp;

/// See the module.
pub(super) struct Rules {
    len: usize,
    /// By place: what is looked for there.
    places: Vec<(Place, Anchors<IndicatorIx>)>,
    /// Rules without a literal, which ask whether a whole value is on a list: each is judged of every message with that value.
    listed: Vec<(Place, IndicatorIx)>,
    streams: [Option<Streams>; 2],
    headers: Headers,
}

/// A literal and whose anchor it is.
type Owned<T> = (Box<[u8]>, T);

/// Literals, and whose anchors they are.
struct Anchors<T> {
    engine: Engine,
    /// In lower case.
    lengths: Vec<u8>,
    of: Vec<Vec<T>>,
}

/// A worker's memory for judging rules.
#[derive(Default)]
pub(super) struct RuleScratch {
    folded: Vec<u8>,
    joined: Vec<u8>,
    ends: Vec<usize>,
    candidates: Vec<IndicatorIx>,
    todo: Vec<stream::Candidate>,
}

/// A message that rules may speak of.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// What it is.
    pub message: Message,
    /// Its fields.
    pub observable: &'a Observable<'a>,
    /// The conversation that it is of.
    pub flow: Flowing,
    /// Packet time.
    pub time: Timestamp,
}

impl<'a> Shown<'a> {
    /// The value at a place.
    pub fn value(&self, place: Place) -> Option<Cow<'a, [u8]>> {
        let path = place.field();
        if self.observable.at.0 == path {
            match self.observable.value {
                Value::Text(text) => return Some(Cow::Borrowed(text)),
                Value::Name(name) => return Some(Cow::Owned(name.text(&mut [0; MAX_NAME_TEXT_BYTES]).to_vec())),
                _ => {}
            }
        }
        self.observable.with.iter().find_map(|field| match field.value {
            FieldValue::Text(text) if field.path.0 == path => Some(Cow::Borrowed(text)),
            FieldValue::Several(fields) => {
                let mut found = None;
                fields.each(&mut |field| found = found.take().or_else(|| made(field, path)));
                found.map(Cow::Owned)
            }
            _ => made(field, path).map(Cow::Owned),
        })
    }
}

/// The text of a field at `path`.
fn made(field: &Field<'_>, path: &str) -> Option<Vec<u8>> {
    match field.value {
        FieldValue::Text(text) if field.path.0 == path => Some(text.to_vec()),
        FieldValue::Made(make) if field.path.0 == path => Some(make()),
        _ => None,
    }
}

impl Rules {
    pub(super) fn build(set: &IndicatorSet) -> Self {
        let mut by_place: HashMap<Place, Vec<Owned<IndicatorIx>>> = HashMap::new();
        let mut listed = Vec::new();
        let mut len = 0;
        for indicator in set.iter() {
            let Some(rule) = indicator.rule else { continue };
            len += 1;
            let Body::Message(buffers) = &rule.body else { continue };
            match anchor_of(buffers) {
                Some((place, anchor)) => by_place.entry(place).or_default().push((anchor, indicator.ix)),
                None => listed.extend(place_of_list(buffers).map(|place| (place, indicator.ix))),
            }
        }
        let places = Place::ALL.into_iter().filter_map(|place| Some((place, Anchors::build(by_place.remove(&place)?))));
        let places = places.collect();
        let streams = [Scope::Stream, Scope::Content].map(|scope| Streams::build(set, scope));
        Self { len, places, listed, streams, headers: Headers::build(set) }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let places: usize = self.places.iter().map(|(_, anchors)| anchors.memory_bytes()).sum();
        places + self.streams.iter().flatten().map(Streams::memory_bytes).sum::<usize>() + self.headers.memory_bytes()
    }

    /// Whether some rule asks for more than a header.
    pub(super) fn read_bytes(&self) -> bool {
        !self.places.is_empty() || !self.listed.is_empty() || self.streams.iter().any(Option::is_some)
    }

    /// Rules that ask for no more.
    pub(super) fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Whether some rule speaks of these bytes.
    pub(super) fn reads(&self, scope: Scope) -> bool {
        self.streams[scope as usize].is_some()
    }

    /// Whether some rule speaks of whole datagrams.
    pub(super) fn reads_datagrams(&self) -> bool {
        let mut places = self.places.iter().map(|(place, _)| place).chain(self.listed.iter().map(|(place, _)| place));
        places.any(|place| *place == Place::Datagram)
    }

    pub(super) fn streams(&self, scope: Scope) -> Option<&Streams> {
        self.streams[scope as usize].as_ref()
    }

    /// Calls `found` with every rule that a message fulfils, and the place of its anchor.
    pub(super) fn message(
        &self,
        set: &IndicatorSet,
        scratch: &mut RuleScratch,
        shown: &Shown<'_>,
        found: &mut impl FnMut(IndicatorIx, Place),
    ) {
        for (place, anchors) in self.places.iter().filter(|(place, _)| place.message() == shown.message) {
            let Some(value) = shown.value(*place) else { continue };
            scratch.candidates.clear();
            for reading in readings(*place, &value) {
                anchors.occurrences(&reading, &mut scratch.folded, |rules, _, _| {
                    scratch.candidates.extend(rules);
                    scratch.candidates.len() < MAX_CANDIDATES
                });
            }
            scratch.candidates.sort_unstable();
            scratch.candidates.dedup();
            for &ix in &scratch.candidates {
                if is_fulfilled(set, ix, shown, &mut scratch.ends) {
                    found(ix, *place);
                }
            }
        }
        for &(place, ix) in self.listed.iter().filter(|(place, _)| place.message() == shown.message) {
            if is_fulfilled(set, ix, shown, &mut scratch.ends) {
                found(ix, place);
            }
        }
    }
}

fn is_fulfilled(set: &IndicatorSet, ix: IndicatorIx, shown: &Shown<'_>, ends: &mut Vec<usize>) -> bool {
    let indicator = set.get(ix);
    let Some(Rule { ends: of, body: Body::Message(buffers) }) = indicator.rule else { return false };
    indicator.window.contains(shown.time) && of.admits(&shown.flow) && fulfils(buffers, shown, ends)
}

/// Whether all buffers of one message are as asked: in one reading of it, if it has two.
fn fulfils(buffers: &[Buffer], shown: &Shown<'_>, ends: &mut Vec<usize>) -> bool {
    (0..2).any(|reading| {
        buffers.iter().all(|buffer| {
            shown.value(buffer.place).is_some_and(|value| {
                let [plain, other] = both_readings(buffer.place, &value);
                let value = if reading == 0 { plain } else { other };
                chain::holds(buffer, &formed(buffer.place, buffer.form, value), ends)
            })
        })
    })
}

/// A value as a buffer shows it.
fn formed(place: Place, form: Form, value: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let lowers = form.lowercase || place == Place::HttpHost;
    if let Some(digest) = form.digest {
        let value = formed(place, Form { digest: None, ..form }, value);
        return Cow::Owned(match digest {
            Digest::Md5 => Md5::digest(&value).to_vec(),
            Digest::Sha1 => Sha1::digest(&value).to_vec(),
            Digest::Sha256 => Sha256::digest(&value).to_vec(),
        });
    }
    if !lowers && !form.dotprefix {
        return value;
    }
    let mut out = Vec::with_capacity(value.len() + 1);
    out.extend(form.dotprefix.then_some(b'.'));
    out.extend_from_slice(&value);
    if lowers {
        out.make_ascii_lowercase();
    }
    Cow::Owned(out)
}

/// What a value may stand for: the same, but for a target with something encoded in it.
fn readings<'v>(place: Place, value: &'v [u8]) -> impl Iterator<Item = Cow<'v, [u8]>> {
    let [plain, other] = both_readings(place, value);
    let other = (other != plain).then_some(other);
    std::iter::once(plain).chain(other)
}

fn both_readings(place: Place, value: &[u8]) -> [Cow<'_, [u8]>; 2] {
    match place {
        Place::HttpUri => {
            let target = match url::split(value) {
                Some(parts) if parts.scheme.is_some() => parts.target,
                _ => memchr::memchr(b'#', value).map_or(value, |at| &value[..at]),
            };
            let decoded = if needs_decoding(target) { Cow::Owned(decoded(target)) } else { Cow::Borrowed(target) };
            [Cow::Borrowed(target), decoded]
        }
        Place::DnsQuery if value.contains(&b'\\') => {
            let plain = unescaped(value);
            [Cow::Owned(plain.clone()), Cow::Owned(plain)]
        }
        _ => [Cow::Borrowed(value), Cow::Borrowed(value)],
    }
}

fn needs_decoding(target: &[u8]) -> bool {
    memchr::memchr2(b'%', b'\\', target).is_some()
        || memchr::memmem::find(target, b"//").is_some()
        || memchr::memmem::find(target, b"/.").is_some()
}

/// A target with its path's encoded bytes, repeated and other slashes and dot segments undone (RFC 3986, 6.2.2); the query's encoded
/// bytes too.
fn decoded(target: &[u8]) -> Vec<u8> {
    let query_at = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(query_at);
    let mut plain = percent_decoded(path);
    plain.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    let mut out: Vec<u8> = Vec::with_capacity(target.len());
    let mut parts = plain.split(|byte| *byte == b'/').peekable();
    let is_rooted = plain.first() == Some(&b'/');
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            b"" | b"." => {}
            b".." => {
                let above = out.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                out.truncate(above);
            }
            part => {
                if is_rooted || !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(part);
                continue;
            }
        }
        if is_last && is_rooted {
            out.push(b'/');
        }
    }
    out.extend_from_slice(&percent_decoded(query));
    out
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = &rest[3..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// A name with its `\DDD` undone: rules speak of the bytes on the wire.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(10));
        match (first, digit(1), digit(2), digit(3)) {
            (b'\\', Some(a), Some(b), Some(c)) => {
                out.push((a * 100 + b * 10 + c) as u8);
                rest = &rest[4..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// Where a value must be on a list.
fn place_of_list(buffers: &[Buffer]) -> Option<Place> {
    let is_listed = |step: &Step| matches!(step, Step::Listed { negated: false, .. });
    buffers.iter().find(|buffer| buffer.steps.iter().any(is_listed)).map(|buffer| buffer.place)
}

/// The longest content that must be there, and where. A rule's own choice is not asked: it is a hint for speed.
fn anchor_of(buffers: &[Buffer]) -> Option<(Place, Box<[u8]>)> {
    let contents = buffers.iter().flat_map(|buffer| {
        buffer.steps.iter().filter_map(move |step| match step {
            Step::Find(content) if !content.negated && content.mask.is_empty() => {
                let is_first = buffer.form.dotprefix && content.bytes.first() == Some(&b'.');
                // The dot may be the one that is put before the value.
                Some((buffer.place, content.bytes.get(usize::from(is_first)..)?))
            }
            _ => None,
        })
    });
    let (place, bytes) = contents.max_by_key(|(_, bytes)| bytes.len())?;
    (!bytes.is_empty()).then(|| (place, bytes[..bytes.len().min(ANCHOR_BYTES)].into()))
}

impl<T: Copy> Anchors<T> {
    fn build(list: Vec<Owned<T>>) -> Self {
        let mut numbers: HashMap<Box<[u8]>, usize> = HashMap::new();
        let (mut literals, mut of): (Vec<Box<[u8]>>, Vec<Vec<T>>) = (Vec::new(), Vec::new());
        for (mut literal, whose) in list {
            literal.make_ascii_lowercase();
            let number = *numbers.entry(literal).or_insert_with_key(|literal| {
                literals.push(literal.clone());
                of.push(Vec::new());
                literals.len() - 1
            });
            of[number].push(whose);
        }
        let lengths = literals.iter().map(|literal| literal.len() as u8).collect();
        Self { engine: Engine::build(&literals), lengths, of }
    }

    /// Calls `found` with whose anchor occurs, where it begins and where it ends, until it returns false.
    fn occurrences(&self, value: &[u8], folded: &mut Vec<u8>, mut found: impl FnMut(&[T], usize, usize) -> bool) {
        folded.clear();
        folded.extend_from_slice(value);
        folded.make_ascii_lowercase();
        self.engine.occurrences(folded, |literal, end| {
            let literal = literal as usize;
            found(&self.of[literal], end - usize::from(self.lengths[literal]), end)
        });
    }

    fn memory_bytes(&self) -> usize {
        self.engine.memory_bytes() + self.of.iter().map(|of| of.capacity() * size_of::<T>()).sum::<usize>()
    }
}

/// Longest literal looked for; of a longer content its start, and the rest is compared where it occurs.
const ANCHOR_BYTES: usize = 32;

/// Rules judged of one value: more than any rule set has for one.
const MAX_CANDIDATES: usize = 1 << 16;

#[cfg(test)]
mod tests;
