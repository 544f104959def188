//! DNS (RFC 1035) over UDP and TCP, with multicast DNS (RFC 6762) and LLMNR (RFC 4795): names and addresses of messages.
//!
//! Seen, in the order of the message, queries and responses alike:
//! - `dns.question.name`: every question's name, of every type; a dynamic update's zone (RFC 2136);
//! - `dns.answers.name`: a record's owner, unless it is the question's name or that of the record before;
//! - `dns.answers.data`: the name in a record: CNAME, DNAME, NS, PTR, MX, SRV, SOA (its server), SVCB and HTTPS targets
//!   (RFC 9460) and a few more;
//! - `dns.resolved_ip`: A and AAAA addresses, SVCB and HTTPS address hints.
//!
//! Records of the authority and additional sections (glue) and those of a dynamic update count like answers: an analyst asks
//! what a message says, not in which section. With each: `dns.id`, `dns.type`, `dns.question.{name,type}`,
//! `dns.response_code`.
//!
//! On the ports of DNS, mDNS and LLMNR parsing is lenient: what a damaged or cut message says before its damage is seen. On
//! other ports the whole message must be faultless, to its last byte. NetBIOS names (port 137) have the same framing but are
//! no domain names: they are not DNS here.
//!
//! Never allocates. Work is bounded by the bytes of a message: a record takes at least eleven, a name 255 and few hops.

mod message;
mod name;
mod record;
#[cfg(test)]
mod tests;

use self::message::{Care, Header};
use super::{Hint, Parser, Probe, Progress};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: none. Messages stand for themselves.
#[derive(Debug, Default)]
pub struct Dns;

impl Parser for Dns {
    const NAME: &'static str = "dns";
    /// The longest message of a stream with its length prefix (RFC 1035 section 4.2.2).
    const MAX_PENDING_BYTES: usize = LENGTH_BYTES + u16::MAX as usize;

    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match hint.transport {
            Transport::Udp => probe_datagram(data, hint),
            Transport::Tcp => probe_stream(data, hint),
            Transport::Ethernet => Probe::No,
        }
    }

    fn parse(&mut self, _: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        match hint.transport {
            Transport::Udp | Transport::Ethernet => parse_datagram(data, hint, seen),
            Transport::Tcp => parse_stream(data, seen),
        }
    }

    /// What the cut message of a stream says as far as it goes. That it is cut is known.
    fn cut(&mut self, _: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) {
        let _ = message::walk(data.get(LENGTH_BYTES..).unwrap_or_default(), Care::Lenient, seen);
    }
}

#[inline]
fn probe_datagram(data: &[u8], hint: &Hint) -> Probe {
    let Some(header) = Header::read(data) else { return Probe::No };
    let yes = if is_usual_port(hint) {
        header.is_plausible()
    } else {
        header.is_strictly_plausible() && !hint.uses(NETBIOS_NAME_PORT) && is_faultless(data)
    };
    if yes { Probe::Yes } else { Probe::No }
}

#[inline]
fn probe_stream(data: &[u8], hint: &Hint) -> Probe {
    let usual = is_usual_port(hint);
    let mut stream = Reader::new(data);
    let Some(length) = stream.u16().map(usize::from) else { return Probe::Unsure };
    if length < Header::BYTES || !usual && length > MAX_PROBED_BYTES {
        return Probe::No;
    }
    let Some(header) = Header::read(stream.rest()) else { return Probe::Unsure };
    if usual {
        return if header.is_plausible() { Probe::Yes } else { Probe::No };
    }
    if !header.is_strictly_plausible() {
        return Probe::No;
    }
    match stream.take(length) {
        None => Probe::Unsure,
        Some(message) if is_faultless(message) => Probe::Yes,
        Some(_) => Probe::No,
    }
}

fn parse_datagram(data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
    let strict = !is_usual_port(hint);
    let outcome = if strict && !Header::read(data).is_some_and(|h| h.is_strictly_plausible() && is_faultless(data)) {
        Err("not a DNS message")
    } else {
        message::walk(data, Care::Lenient, seen)
    };
    match outcome {
        Ok(()) => Progress::Consumed { bytes: data.len(), need: 0 },
        Err(reason) => Progress::Damaged { bytes: data.len(), need: 0, reason },
    }
}

/// Every whole message of a stream. The length prefix outlasts a damaged message, so parsing goes on behind it.
fn parse_stream(data: &[u8], seen: Seen<'_>) -> Progress {
    let mut stream = Reader::new(data);
    let mut damage = None;
    let (bytes, need) = loop {
        let bytes = stream.position();
        let Some(length) = stream.u16().map(usize::from) else { break (bytes, LENGTH_BYTES) };
        if length < Header::BYTES {
            return Progress::Stopped("DNS message shorter than its header");
        }
        let Some(message) = stream.take(length) else { break (bytes, LENGTH_BYTES + length) };
        if let Err(reason) = message::walk(message, Care::Lenient, seen) {
            damage = Some(reason);
        }
    };
    match damage {
        None => Progress::Consumed { bytes, need },
        Some(reason) => Progress::Damaged { bytes, need, reason },
    }
}

fn is_faultless(message: &[u8]) -> bool {
    message::walk(message, Care::Strict, &mut |_| {}).is_ok()
}

#[inline]
fn is_usual_port(hint: &Hint) -> bool {
    USUAL_PORTS.iter().any(|port| hint.uses(*port))
}

/// DNS, multicast DNS, LLMNR.
const USUAL_PORTS: [u16; 3] = [53, 5353, 5355];
/// NetBIOS name service (RFC 1002 section 4.2).
const NETBIOS_NAME_PORT: u16 = 137;
/// Length prefix of a message in a stream.
const LENGTH_BYTES: usize = 2;
/// A first message longer than this is not waited for on unusual ports: real ones are short, and a small prefix turns down
/// most other protocols by their first byte.
const MAX_PROBED_BYTES: usize = 4096;
