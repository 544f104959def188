//! What the contents of a rule's buffers come to: one message's, or parts of a stream or file.

use super::options::{Draft, Reading, Spot};
use crate::indicator::rule::{
    Body, Buffer, Content, Formula, Header, MAX_SPAN_BYTES, Message, Part, Place, Range, Rule, Scope, Step,
};
use crate::indicator::{Refusal, Transport};

/// # Errors
/// What of it cannot be honoured, by name.
pub(super) fn rule(reading: &Reading) -> Result<Rule, Refusal> {
    let used = || reading.buffers.iter().filter(|buffer| !buffer.steps.is_empty() || !buffer.lengths.is_empty());
    let spots: Vec<Spot> = used().map(|buffer| buffer.spot).collect();
    if spots.is_empty() {
        return header(reading);
    }
    if reading.flags.is_some() {
        return Err(Refusal::Unsupported("flags beside contents"));
    }
    if reading.established == Some(false) {
        return Err(Refusal::Unsupported("flow:not_established beside contents"));
    }
    let is_udp = reading.ends.transport == Some(Transport::Udp);
    let body = match spots.as_slice() {
        [Spot::Payload] if is_udp => message(used(), reading, Message::Datagram)?,
        [Spot::Payload] => stream(used(), reading)?,
        [Spot::FileData] => bytes(used(), Scope::Content)?,
        [Spot::At(place), rest @ ..] => {
            let wanted = place.message();
            if rest.iter().any(|spot| !matches!(spot, Spot::At(place) if place.message() == wanted)) {
                return Err(Refusal::Unsupported("buffers of several messages in one rule"));
            }
            message(used(), reading, wanted)?
        }
        _ => return Err(Refusal::Unsupported("payload or file.data beside another buffer")),
    };
    if reading.established.is_some()
        && reading.ends.transport != Some(Transport::Tcp)
        && reading.ends.to_responder != Some(false)
    {
        return Err(Refusal::Unsupported("flow:established over UDP"));
    }
    Ok(Rule { ends: reading.ends.clone(), body })
}

/// A rule that asks for no contents.
fn header(reading: &Reading) -> Result<Rule, Refusal> {
    if reading.is_stream {
        return Err(Refusal::Unsupported("a stream (tcp-stream, only_stream) without contents"));
    }
    if !reading.buffers.is_empty() {
        return Err(Refusal::Unsupported("a buffer without contents"));
    }
    if reading.has_end_without_list() {
        return Err(Refusal::Unsupported("ip.src or ip.dst without dataset"));
    }
    if reading.flags.is_some() && (reading.ends.transport, reading.protocol) != (Some(Transport::Tcp), None) {
        return Err(Refusal::Unsupported("flags of another protocol than tcp"));
    }
    let header = Header { flags: reading.flags, established: reading.established };
    Ok(Rule { ends: reading.ends.clone(), body: Body::Header(header) })
}

fn message<'d>(drafts: impl Iterator<Item = &'d Draft>, reading: &Reading, message: Message) -> Result<Body, Refusal> {
    if message.to_responder().is_some_and(|way| reading.ends.to_responder.is_some_and(|wanted| wanted != way)) {
        return Err(Refusal::Unsupported("a buffer that the rule's direction never shows"));
    }
    let buffers: Box<[Buffer]> = drafts.map(buffer).collect();
    let contents = || buffers.iter().flat_map(|buffer| &buffer.steps).filter_map(found);
    let longest = contents().map(|content| content.bytes.len()).max().unwrap_or(0);
    let least = if message == Message::Datagram { 2 } else { 1 };
    let is_listed = |step: &Step| matches!(step, Step::Listed { negated: false, .. });
    let has_list = buffers.iter().flat_map(|buffer| &buffer.steps).any(is_listed);
    if longest < least && (longest > 0 || !has_list) {
        return Err(Refusal::Unsupported("no content that must be there, or none long enough to look for"));
    }
    let is_lower = |content: &&Content| content.nocase || !content.bytes.iter().any(u8::is_ascii_uppercase);
    let folded = buffers.iter().filter(|b| b.place == Place::HttpHost || b.form.lowercase);
    if folded.flat_map(|buffer| &buffer.steps).filter_map(found).any(|content| !is_lower(&content)) {
        return Err(Refusal::BadPattern);
    }
    Ok(Body::Message(buffers))
}

fn buffer(draft: &Draft) -> Buffer {
    let place = if let Spot::At(place) = draft.spot { place } else { Place::Datagram };
    let mut steps: Box<[Step]> = draft.steps.clone().into();
    // Suricata has the contents of fingerprints in lower case, as the fingerprints are.
    if matches!(place, Place::Ja3 | Place::Ja3s | Place::Ja4 | Place::Hassh | Place::HasshServer) {
        for step in &mut steps {
            if let Step::Find(content) = step {
                content.nocase = true;
            }
        }
    }
    Buffer { place, form: draft.form, steps, lengths: draft.lengths.clone().into() }
}

/// A content that must be there.
fn found(step: &Step) -> Option<&Content> {
    match step {
        Step::Find(content) if !content.negated => Some(content),
        _ => None,
    }
}

/// A rule on payload of TCP.
fn stream<'d>(drafts: impl Iterator<Item = &'d Draft>, reading: &Reading) -> Result<Body, Refusal> {
    match (reading.ends.transport, reading.protocol) {
        (Some(Transport::Tcp), Some("http")) => {
            return Err(Refusal::Unsupported("payload of HTTP without a buffer (HTTP/2 has another)"));
        }
        (Some(Transport::Tcp), _) => {}
        _ => return Err(Refusal::Unsupported("payload of more than one transport")),
    }
    let body = bytes(drafts, Scope::Stream)?;
    let is_placed = |part: &Part| part.chain.first().is_some_and(|content| content.range != Range::ANYWHERE);
    match &body {
        Body::Bytes { parts, .. } if !reading.is_stream && parts.iter().any(is_placed) => {
            Err(Refusal::Unsupported("offset, depth or startswith in segments (tcp-stream has none)"))
        }
        _ => Ok(body),
    }
}

/// Contents that lie close together are one part; others follow one another anywhere.
fn bytes<'d>(drafts: impl Iterator<Item = &'d Draft>, scope: Scope) -> Result<Body, Refusal> {
    let mut parts: Vec<Part> = Vec::new();
    for draft in drafts {
        if !draft.lengths.is_empty() {
            return Err(Refusal::Unsupported("a length of bytes that come piece by piece"));
        }
        for step in &draft.steps {
            let content = match step {
                Step::Find(content) => content,
                Step::DataAt { .. } => {
                    return Err(Refusal::Unsupported("isdataat in bytes that come piece by piece"));
                }
                Step::Listed { .. } => return Err(Refusal::Unsupported("dataset of bytes that come piece by piece")),
            };
            if content.negated {
                return Err(Refusal::Unsupported("a negated content in bytes that come piece by piece"));
            }
            if content.ends {
                return Err(Refusal::Unsupported("endswith in bytes that come piece by piece"));
            }
            add(&mut parts, content)?;
        }
    }
    check(&parts)?;
    let needs = Formula::all((0..parts.len() as u32).map(Formula::Part).collect());
    Ok(Body::Bytes { scope, parts: parts.into(), needs })
}

fn add(parts: &mut Vec<Part>, content: &Content) -> Result<(), Refusal> {
    let before = parts.len().checked_sub(1);
    let alone = |range, after| Part { chain: [Content { range, ..content.clone() }].into(), after, fullword: None };
    let part = match (content.range, before) {
        (Range::Start { .. }, _) => alone(content.range, None),
        (Range::After { distance, within }, None) => {
            // Nothing before it: the start.
            let most = within.map(|within| i64::from(within) + i64::from(distance.min(0)));
            let depth = most.map(|most| u32::try_from(most).map_err(|_| Refusal::BadPattern)).transpose()?;
            alone(Range::Start { offset: distance.max(0) as u32, depth }, None)
        }
        (Range::After { within: Some(_), .. }, Some(at)) => {
            let mut chain = parts[at].chain.to_vec();
            chain.push(content.clone());
            parts[at].chain = chain.into();
            return Ok(());
        }
        (Range::After { distance, within: None }, Some(at)) => {
            let distance = u32::try_from(distance).map_err(|_| {
                Refusal::Unsupported("a negative distance without within in bytes that come piece by piece")
            })?;
            alone(Range::ANYWHERE, Some((at as u32, distance)))
        }
    };
    if parts.len() >= MAX_PARTS {
        return Err(Refusal::TooLong);
    }
    parts.push(part);
    Ok(())
}

/// Whether each part has something to look for, and spans no more than is kept.
fn check(parts: &[Part]) -> Result<(), Refusal> {
    for part in parts {
        let longest = part.chain.iter().map(|content| content.bytes.len()).max().unwrap_or(0);
        if longest < MIN_ANCHOR_BYTES {
            return Err(Refusal::Unsupported("contents under 3 bytes with nothing longer near them"));
        }
        if part.reach(0).is_none_or(|(before, beyond)| before + beyond > MAX_SPAN_BYTES) {
            return Err(Refusal::Unsupported("contents more than 1,024 bytes apart in bytes that come piece by piece"));
        }
    }
    Ok(())
}

/// Contents that need not be close together; real rules have under ten.
const MAX_PARTS: usize = 64;

/// What is looked for in every byte has at least so many: shorter ones are everywhere.
const MIN_ANCHOR_BYTES: usize = 3;
