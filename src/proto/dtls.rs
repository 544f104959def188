//! DTLS over datagrams (RFC 6347, RFC 9147 for 1.3), on any port: the client's hello, each one that it sends (a second one
//! answers a HelloVerifyRequest or HelloRetryRequest).
//!
//! A hello in one piece is parsed where it lies. Fragments, in any order and over several datagrams, are kept in a box that
//! exists only then, holds no more than came in (an attacker's few bytes reserve no more) and is capped by
//! [`MAX_HELLO_BYTES`] and [`MAX_PIECES`]. Other protocols' datagrams in the flow (STUN and media of WebRTC) are passed over.

use super::client_hello::{self, Carrier};
use super::{Hint, Parser, Probe, Progress};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: the fragments of a hello that is not complete, if one is under way.
#[derive(Default)]
pub struct Dtls {
    fragments: Option<Box<Fragments>>,
}

impl std::fmt::Debug for Dtls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dtls").field("has_fragments", &self.fragments.is_some()).finish()
    }
}

impl Parser for Dtls {
    const NAME: &'static str = "dtls";
    /// Datagrams are never held back.
    const MAX_PENDING_BYTES: usize = 0;
    const ENCRYPTS: bool = true;

    /// Whether a record begins here, of either side and at any time of an association.
    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            Some(CHANGE_CIPHER_SPEC..=APPLICATION_DATA) if hint.transport == Transport::Udp => probe_record(data),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) -> Progress {
        let next = Progress::Consumed { bytes: data.len(), need: 0 };
        let mut r = Reader::new(data);
        loop {
            match r.rest().first() {
                Some(CHANGE_CIPHER_SPEC..=APPLICATION_DATA) => {}
                // A sealed record of DTLS 1.3 (RFC 9147 section 4): all of the handshake that is in the clear is over.
                Some(0x20..=0x3f) => return Progress::DoneDirection,
                _ => return next,
            }
            let Some(record) = Record::read(&mut r) else {
                return Progress::Damaged { bytes: data.len(), need: 0, reason: "malformed DTLS record" };
            };
            if record.epoch > 0 || matches!(record.kind, CHANGE_CIPHER_SPEC | APPLICATION_DATA) {
                self.fragments = None;
                return Progress::DoneDirection;
            }
            if record.kind != HANDSHAKE {
                continue;
            }
            match self.handshake(direction, record.payload, seen) {
                Ok(true) => {}
                Ok(false) => return Progress::DoneDirection,
                Err(reason) => return Progress::Damaged { bytes: data.len(), need: 0, reason },
            }
        }
    }
}

impl Dtls {
    /// Every fragment in a record; whether this direction is a client's that may send another hello.
    fn handshake(&mut self, direction: Direction, payload: &[u8], seen: Seen<'_>) -> Result<bool, &'static str> {
        let mut r = Reader::new(payload);
        while !r.is_empty() {
            let fragment = Fragment::read(&mut r).ok_or("malformed DTLS handshake message")?;
            if fragment.kind != CLIENT_HELLO {
                return Ok(false);
            }
            if fragment.bytes.len() == fragment.total {
                self.fragments = None;
                client_hello::show(fragment.bytes, Carrier::Dtls, seen)?;
            } else if let Some(body) = self.collect(direction, &fragment)? {
                client_hello::show(&body, Carrier::Dtls, seen)?;
            }
        }
        Ok(true)
    }

    /// Keeps a fragment; the hello's body once it is complete.
    #[cold]
    fn collect(&mut self, direction: Direction, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, &'static str> {
        if fragment.total > MAX_HELLO_BYTES {
            return Err("DTLS ClientHello too long");
        }
        let key = (direction, fragment.sequence, fragment.total);
        let kept = match &mut self.fragments {
            Some(kept) if kept.key == key => kept,
            slot => slot.insert(Box::new(Fragments { key, pieces: Vec::new() })),
        };
        if !kept.pieces.iter().any(|piece| piece.covers(fragment)) {
            if kept.pieces.len() == MAX_PIECES {
                self.fragments = None;
                return Err("DTLS ClientHello in too many fragments");
            }
            kept.pieces.push(Piece { offset: fragment.offset, bytes: fragment.bytes.into() });
        }
        let body = kept.assemble();
        if body.is_some() {
            self.fragments = None;
        }
        Ok(body)
    }
}

fn probe_record(data: &[u8]) -> Probe {
    let Some(record) = Record::read(&mut Reader::new(data)) else { return Probe::No };
    let first = record.payload.first();
    let begins = match record.kind {
        HANDSHAKE if record.epoch == 0 => {
            first.is_some_and(|kind| matches!(kind, 0..=4 | 8 | 11..=16 | 20))
                && record.payload.len() >= FRAGMENT_HEADER_BYTES
        }
        CHANGE_CIPHER_SPEC => first == Some(&1),
        _ => true,
    };
    if begins { Probe::Yes } else { Probe::No }
}

/// A record of version 1.0 or 1.2 (1.3's plain records say 1.2).
struct Record<'a> {
    kind: u8,
    epoch: u16,
    payload: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(r: &mut Reader<'a>) -> Option<Self> {
        let kind = r.u8()?;
        r.u16().filter(|version| matches!(*version, 0xfeff | 0xfefd))?;
        let epoch = r.u16()?;
        r.skip(SEQUENCE_BYTES)?;
        let length = r.u16().filter(|length| *length > 0)?;
        Some(Self { kind, epoch, payload: r.take(length.into())? })
    }
}

/// A piece of a handshake message (RFC 6347 section 4.2.2), within its bounds.
struct Fragment<'a> {
    kind: u8,
    total: usize,
    sequence: u16,
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn read(r: &mut Reader<'a>) -> Option<Self> {
        let kind = r.u8()?;
        let total = r.u24()? as usize;
        let sequence = r.u16()?;
        let offset = r.u24()? as usize;
        let length = r.u24()? as usize;
        let bytes = r.take(length)?;
        (offset + length <= total).then_some(Self { kind, total, sequence, offset, bytes })
    }
}

/// The fragments kept of one message.
struct Fragments {
    key: (Direction, u16, usize),
    pieces: Vec<Piece>,
}

struct Piece {
    offset: usize,
    bytes: Box<[u8]>,
}

impl Piece {
    fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }

    fn covers(&self, fragment: &Fragment<'_>) -> bool {
        self.offset <= fragment.offset && fragment.offset + fragment.bytes.len() <= self.end()
    }
}

impl Fragments {
    /// The message, if no byte of it is missing. Of bytes sent twice, those of the fragment that begins first count.
    fn assemble(&mut self) -> Option<Vec<u8>> {
        let (_, _, total) = self.key;
        self.pieces.sort_by_key(|piece| piece.offset);
        let mut reached = 0;
        for piece in &self.pieces {
            if piece.offset > reached {
                return None;
            }
            reached = reached.max(piece.end());
        }
        if reached < total {
            return None;
        }
        let mut body = Vec::with_capacity(total);
        for piece in &self.pieces {
            let known = body.len() - piece.offset;
            body.extend_from_slice(piece.bytes.get(known..).unwrap_or_default());
        }
        Some(body)
    }
}

/// Longest hello put together from fragments: one of two post-quantum key shares stays below. With [`MAX_PIECES`] it bounds
/// what one flow can hold to what its sender really sent.
const MAX_HELLO_BYTES: usize = 8 * 1024;
/// A hello of the longest kind over the smallest real path MTU takes fewer.
const MAX_PIECES: usize = 32;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;

const SEQUENCE_BYTES: usize = 6;
const FRAGMENT_HEADER_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Hello, datagrams, udp};
    use super::*;

    const CLIENT: u16 = 50_000;
    const SERVER: u16 = 4433;

    fn record(kind: u8, epoch: u16, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 0xfe, 0xfd];
        out.extend(epoch.to_be_bytes());
        out.extend([0; SEQUENCE_BYTES]);
        out.extend((payload.len() as u16).to_be_bytes());
        out.extend(payload);
        out
    }

    fn fragment(body: &[u8], sequence: u16, from: usize, to: usize) -> Vec<u8> {
        let mut out = vec![CLIENT_HELLO];
        out.extend(&(body.len() as u32).to_be_bytes()[1..]);
        out.extend(sequence.to_be_bytes());
        out.extend(&(from as u32).to_be_bytes()[1..]);
        out.extend(&((to - from) as u32).to_be_bytes()[1..]);
        out.extend(&body[from..to]);
        out
    }

    fn hello() -> Vec<u8> {
        Hello { version: 0xfefd, ..Hello::browser() }.body(Carrier::Dtls)
    }

    fn run(list: &[Vec<u8>]) -> (Vec<String>, Vec<Progress>) {
        datagrams::<Dtls>(Direction::ToResponder, list, &udp(CLIENT, SERVER))
    }

    #[test]
    fn one_piece() {
        let body = hello();
        let (seen, _) = run(&[record(HANDSHAKE, 0, &fragment(&body, 0, 0, body.len()))]);
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[0], "domain-name tls.client.server_name www.example.com");
        assert_eq!(seen[2], "ja4 tls.client.ja4 d13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn a_second_hello_with_a_cookie_is_seen_too() {
        let first = hello();
        let second = Hello { version: 0xfefd, cookie: vec![7; 20], ..Hello::browser() }.body(Carrier::Dtls);
        let (seen, _) = run(&[
            record(HANDSHAKE, 0, &fragment(&first, 0, 0, first.len())),
            record(HANDSHAKE, 0, &fragment(&second, 1, 0, second.len())),
        ]);
        assert_eq!(seen.len(), 6);
        assert_eq!(seen[..3], seen[3..]);
    }

    #[test]
    fn the_hello_in_the_clear_is_all() {
        for last in [record(CHANGE_CIPHER_SPEC, 0, &[1]), record(HANDSHAKE, 1, &[9; 40]), vec![0x2f; 40]] {
            let (_, progress) = run(&[last]);
            assert_eq!(progress, [Progress::DoneDirection]);
        }
        let server_hello = record(HANDSHAKE, 0, &[2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(run(&[server_hello]).1, [Progress::DoneDirection]);
    }

    #[test]
    fn other_datagrams_of_the_flow_are_passed_over() {
        let body = hello();
        let stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        let media = vec![0x80; 100];
        let (seen, progress) = run(&[stun, media, record(HANDSHAKE, 0, &fragment(&body, 0, 0, body.len()))]);
        assert_eq!(seen.len(), 3);
        assert!(progress.iter().all(|p| matches!(p, Progress::Consumed { .. })));
    }

    #[test]
    fn fragments_are_capped() {
        let long = vec![0; MAX_HELLO_BYTES + 1];
        let (_, progress) = run(&[record(HANDSHAKE, 0, &fragment(&long, 0, 0, 100))]);
        assert!(matches!(progress[0], Progress::Damaged { .. }));
        let body = vec![0; 200];
        let many: Vec<_> = (0..=MAX_PIECES).map(|i| record(HANDSHAKE, 0, &fragment(&body, 0, i, i + 1))).collect();
        let (_, progress) = run(&many);
        assert!(matches!(progress.last(), Some(Progress::Damaged { .. })));
    }

    #[test]
    fn probe_wants_a_whole_record() {
        let good = record(HANDSHAKE, 0, &fragment(&hello(), 0, 0, 100));
        assert_eq!(Dtls::probe(&good, &udp(CLIENT, SERVER)), Probe::Yes);
        assert_eq!(Dtls::probe(&good[..60], &udp(CLIENT, SERVER)), Probe::No);
        assert_eq!(Dtls::probe(b"\x16\xfe\xfdhello", &udp(CLIENT, SERVER)), Probe::No);
    }

    proptest! {
        /// However a hello is cut and shuffled, with fragments sent twice, it reads the same.
        #[test]
        fn fragments_in_any_order(
            mut cuts in prop::collection::vec(1usize..500, 1..8), turn in 0usize..9, packed in any::<bool>()
        ) {
            let body = hello();
            cuts.retain(|cut| *cut < body.len());
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            cuts.dedup();
            let mut pieces: Vec<_> = cuts.windows(2).map(|w| fragment(&body, 0, w[0], w[1])).collect();
            let turn = turn % pieces.len();
            pieces.rotate_left(turn);
            pieces.insert(0, pieces[pieces.len() - 1].clone());
            let sent: Vec<_> = if packed {
                vec![record(HANDSHAKE, 0, &pieces.concat())]
            } else {
                pieces.iter().map(|piece| record(HANDSHAKE, 0, piece)).collect()
            };
            let whole = run(&[record(HANDSHAKE, 0, &fragment(&body, 0, 0, body.len()))]).0;
            let (seen, _) = run(&sent);
            prop_assert!(seen.starts_with(&whole), "{seen:?}");
        }

        #[test]
        fn never_panics(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4)) {
            run(&datagrams);
        }

        #[test]
        fn damage_never_panics(at in 0usize..400, with in any::<u8>(), cut in 0usize..700) {
            let body = hello();
            let mut packet = record(HANDSHAKE, 0, &fragment(&body, 0, 0, body.len()));
            if let Some(byte) = packet.get_mut(at) {
                *byte ^= with;
            }
            packet.truncate(cut);
            run(&[packet]);
        }
    }
}
