//! What [`Eyes`] does with raw bytes: byte signatures in streams, datagrams and decoded files, and the rules that speak of them or of
//! whole messages.

use std::sync::Arc;

use super::{Eyes, transport};
use crate::flow::{Direction, Identity};
use crate::indicator::rule::{Body, Flowing, Message, Scope};
use crate::indicator::{Field, FieldValue, Observable, Value, Where, kind};
use crate::matcher::{Hit, How, Piece, ScanPlace, Shown};
use crate::packet::FrameRef;
use crate::pipeline::shard::Seldom;
use crate::proto::Hint;

/// Field of a byte signature's match: the schema has none for payload.
pub(super) const PAYLOAD: Where = Where("picket.payload");

/// Field of a match in a file's decoded content.
const CONTENT: Where = Where("picket.content");

/// What is scanned for byte signatures, and so what is remembered of the bytes before.
#[derive(Clone, Copy)]
pub(super) enum Scanned {
    /// The next bytes of a stream direction.
    Stream(Direction),
    /// The next bytes of a file that a lane of a direction carries.
    Content(Direction, u8),
    /// A datagram, or bytes of a stream that are not its next.
    Alone,
}

impl Eyes {
    /// Scans the next bytes of a decoded file for byte signatures. Limits to an offset speak of streams and datagrams: a
    /// signature with one is not looked for here.
    #[cold]
    pub(super) fn scan_piece(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        hint: &Hint,
        direction: Direction,
        piece: Value<'_>,
        frame: FrameRef,
    ) {
        let Value::Piece { bytes, offset, lane, in_stream, is_last } = piece else { return };
        let what = Scanned::Content(direction, lane);
        if !in_stream && !bytes.is_empty() {
            let place = place(hint, direction, offset, false, frame);
            self.scan(identity, seldom, what, (bytes, &place), frame);
        }
        if self.matcher.follows(Scope::Content) {
            let (flow, time) = (self.flowing(identity), frame.time);
            let piece = Piece { data: bytes, offset, start_known: true, is_last, flow, time };
            self.follow((identity, seldom), what, &piece, frame);
        }
    }

    /// Judges rules by the next bytes of a stream or file.
    #[cold]
    pub(super) fn follow(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        what: Scanned,
        piece: &Piece<'_>,
        frame: FrameRef,
    ) {
        self.hits.clear();
        let (trail, scope, at) = match what {
            Scanned::Stream(direction) => (Some(seldom.trail(direction)), Scope::Stream, PAYLOAD),
            Scanned::Content(direction, lane) => (Some(seldom.content_trail(direction, lane)), Scope::Content, CONTENT),
            Scanned::Alone => (None, Scope::Stream, PAYLOAD),
        };
        let scanned = self.matcher.follow(scope, trail, piece, &mut self.hits);
        self.unscanned_bytes += scanned.cut_bytes;
        self.begun_refused += u64::from(scanned.begun_refused);
        let set = Arc::clone(&self.set);
        for hit in std::mem::take(&mut self.hits) {
            let How::Rule { part, end } = hit.how else { continue };
            let Some(Body::Bytes { parts, .. }) = set.indicator(hit.indicator).rule.map(|rule| &rule.body) else {
                continue;
            };
            let bytes = parts.get(part as usize).and_then(|part| part.chain.first()).map_or(&[][..], |c| &c.bytes);
            let with = [Field::number(if at == CONTENT { "picket.content_end" } else { "picket.payload_end" }, end)];
            let observable = Observable { kind: &kind::RULE, value: Value::Text(bytes), at, with: &with };
            self.raise_one((identity, seldom), &observable, hit, frame);
        }
    }

    /// Judges rules by a whole message.
    #[cold]
    pub(super) fn judge_message(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        (message, observable): (Message, &Observable<'_>),
        frame: FrameRef,
    ) {
        self.hits.clear();
        let shown = Shown { message, observable, flow: self.flowing(identity), time: frame.time };
        self.matcher.message(&shown, &mut self.hits);
        for hit in std::mem::take(&mut self.hits) {
            let How::Message(place) = hit.how else { continue };
            let value = shown.value(place).unwrap_or_default();
            let value = Value::Text(&value);
            let at = Where(place.field());
            self.raise_one((identity, seldom), &Observable { kind: &kind::RULE, value, at, ..*observable }, hit, frame);
        }
    }

    pub(super) fn raise_one(
        &mut self,
        (identity, seldom): (&Identity, &mut Seldom),
        observable: &Observable<'_>,
        hit: Hit,
        frame: FrameRef,
    ) {
        self.hits.clear();
        self.hits.push(hit);
        if let Some(recorder) = &mut self.recorder {
            recorder.note(identity, observable, frame, &self.hits);
        }
        self.raise(identity, seldom, observable, frame);
    }

    pub(super) fn flowing(&self, identity: &Identity) -> Flowing {
        let to_responder = self.facing == Direction::ToResponder;
        let transport = transport(identity.protocol());
        let protocol = identity.protocol();
        Flowing {
            originator: identity.originator(),
            responder: identity.responder(),
            to_responder,
            transport,
            protocol,
        }
    }

    /// Scans payload for byte signatures.
    pub(super) fn scan(
        &mut self,
        identity: &Identity,
        seldom: &mut Seldom,
        what: Scanned,
        (data, place): (&[u8], &ScanPlace),
        frame: FrameRef,
    ) {
        self.hits.clear();
        let (carry, at_field) = match what {
            Scanned::Stream(direction) => (Some(seldom.carry(direction)), PAYLOAD),
            Scanned::Content(direction, lane) => (Some(seldom.content_carry(direction, lane)), CONTENT),
            Scanned::Alone => (None, PAYLOAD),
        };
        let scanned = self.matcher.scan(carry, data, place, &mut self.hits);
        self.unscanned_bytes += scanned.cut_bytes;
        self.begun_refused += u64::from(scanned.begun_refused);
        for at in 0..self.hits.len() {
            let hit = self.hits[at];
            let How::Pattern { start } = hit.how else { continue };
            let set = Arc::clone(&self.set);
            let value = Value::Text(set.indicator(hit.indicator).value);
            let offset = if at_field == CONTENT { "picket.content_offset" } else { "picket.payload_offset" };
            let with = [Field::number(offset, start)];
            let observable = Observable { kind: &kind::BYTES, value, at: at_field, with: &with };
            let all = std::mem::replace(&mut self.hits, vec![hit]);
            if let Some(recorder) = &mut self.recorder {
                recorder.note(identity, &observable, frame, &self.hits);
            }
            self.raise(identity, seldom, &observable, frame);
            self.hits = all;
        }
    }
}

/// The message whose fields come with an observable, once a message.
pub(super) fn message_of(observable: &Observable<'_>) -> Option<Message> {
    let has = |path: &str, wanted: Option<&str>| {
        let mut has = false;
        observable.each_field(&mut |field| {
            has |= field.path.0 == path
                && wanted.is_none_or(|word| matches!(field.value, FieldValue::Word(w) if w == word));
        });
        has
    };
    Some(match observable.at.0 {
        "dns.question.name" if has("dns.type", Some("query")) => Message::DnsQuery,
        "tls.client.hello" => Message::ClientHello,
        // A hello too damaged for a fingerprint.
        "tls.client.server_name" if !has("tls.client.ja3", None) => Message::ClientHello,
        "tls.server.ja3s" => Message::ServerHello,
        "ssh.client.hassh" => Message::SshClient,
        "ssh.server.hassh" => Message::SshServer,
        "http.request.target" => Message::HttpRequest,
        "http.response.status_code" if *observable.kind == kind::RULE => Message::HttpResponse,
        _ => return None,
    })
}

pub(super) fn place(
    hint: &Hint,
    direction: Direction,
    stream_offset: u64,
    start_known: bool,
    frame: FrameRef,
) -> ScanPlace {
    ScanPlace {
        transport: hint.transport,
        source_port: hint.source_port,
        destination_port: hint.destination_port,
        to_responder: direction == Direction::ToResponder,
        stream_offset,
        start_known,
        time: frame.time,
    }
}
