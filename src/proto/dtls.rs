//! DTLS over datagrams (RFC 6347, RFC 9147 for 1.3), on any port: both sides' hellos, each one that is sent (a client's second
//! one answers a HelloVerifyRequest or HelloRetryRequest) and, up to DTLS 1.2, the certificates (`handshake` says what is
//! seen of them).
//!
//! A message in one piece is parsed where it lies. Fragments, in any order and over several datagrams, are kept in a box that
//! exists only then, holds no more than came in (an attacker's few bytes reserve no more) and is capped by
//! `MAX_MESSAGE_BYTES` and `MAX_PIECES`: one message a direction at a time. Other protocols' datagrams in the flow (STUN and media
//! of WebRTC) are passed over. A lost datagram that is not sent again, and what DTLS 1.3 encrypts, is not seen.

use super::client_hello::Carrier;
use super::handshake::{Outcome, Side};
use super::{Hint, Parser, Probe, Progress, Starts};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// State: what is known of each direction.
#[derive(Default)]
pub struct Dtls {
    lanes: [Lane; 2],
}

#[derive(Default)]
struct Lane {
    side: Side,
    /// The fragments of a message that is not complete, if one is under way.
    fragments: Option<Box<Fragments>>,
}

impl std::fmt::Debug for Dtls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.lanes.iter().map(|lane| (&lane.side, lane.fragments.is_some()))).finish()
    }
}

impl Parser for Dtls {
    const NAME: &'static str = "dtls";
    /// Datagrams are never held back.
    const MAX_PENDING_BYTES: usize = 0;
    const ENCRYPTS: bool = true;
    const STARTS: Starts = Starts::udp(&[(CHANGE_CIPHER_SPEC, APPLICATION_DATA)]);

    /// Whether a record begins here, of either side and at any time of an association.
    #[inline]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            Some(CHANGE_CIPHER_SPEC..=APPLICATION_DATA) if hint.transport == Transport::Udp => probe_record(data),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let bytes = data.len();
        let mut r = Reader::new(data);
        loop {
            match r.rest().first() {
                Some(CHANGE_CIPHER_SPEC..=APPLICATION_DATA) => {}
                // A sealed record of DTLS 1.3 (RFC 9147 section 4): all of the handshake that is in the clear is over.
                Some(0x20..=0x3f) => return Progress::DoneDirection,
                _ => return Progress::Consumed { bytes, need: 0 },
            }
            let Some(record) = Record::read(&mut r) else {
                return Progress::Damaged { bytes, need: 0, reason: "malformed DTLS record" };
            };
            if record.epoch > 0 || matches!(record.kind, CHANGE_CIPHER_SPEC | APPLICATION_DATA) {
                self.lane(direction).fragments = None;
                return Progress::DoneDirection;
            }
            if record.kind != HANDSHAKE {
                continue;
            }
            match self.lane(direction).handshake(record.payload, hint, seen) {
                Ok(true) => {}
                Ok(false) => return Progress::DoneDirection,
                Err(reason) => return Progress::Damaged { bytes, need: 0, reason },
            }
        }
    }
}

impl Dtls {
    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match (direction, &mut self.lanes) {
            (Direction::ToResponder, [lane, _]) | (Direction::ToOriginator, [_, lane]) => lane,
        }
    }
}

impl Lane {
    /// Every fragment in a record; whether this direction may show anything more.
    fn handshake(&mut self, payload: &[u8], hint: &Hint, seen: Seen<'_>) -> Result<bool, &'static str> {
        let mut r = Reader::new(payload);
        while !r.is_empty() {
            let fragment = Fragment::read(&mut r).ok_or("malformed DTLS handshake message")?;
            match fragment.kind {
                kind if self.side.wants(kind, &hint.wants) => {}
                // Datagrams overtake each other: a chain may still come after these.
                HELLO_REQUEST | HELLO_VERIFY_REQUEST | SERVER_KEY_EXCHANGE..=SERVER_HELLO_DONE => continue,
                _ => return Ok(false),
            }
            let outcome = if fragment.bytes.len() == fragment.total {
                let _ = self.fragments.take_if(|kept| kept.key.0 == fragment.kind);
                self.side.message(fragment.kind, fragment.bytes, Carrier::Dtls, &hint.wants, seen)
            } else {
                match self.collect(&fragment)? {
                    Some(body) => self.side.message(fragment.kind, &body, Carrier::Dtls, &hint.wants, seen),
                    None => Outcome::Read,
                }
            };
            match outcome {
                Outcome::Read if self.side.is_done => return Ok(false),
                Outcome::Read => {}
                Outcome::Partly(reason) | Outcome::Malformed(reason) => return Err(reason),
            }
        }
        Ok(!self.side.is_done)
    }

    /// Keeps a fragment; the message's body once it is complete.
    #[cold]
    fn collect(&mut self, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, &'static str> {
        if fragment.total > MAX_MESSAGE_BYTES {
            return Err("DTLS handshake message too long");
        }
        let key = (fragment.kind, fragment.sequence, fragment.total);
        let kept = match &mut self.fragments {
            Some(kept) if kept.key == key => kept,
            slot => slot.insert(Box::new(Fragments { key, pieces: Vec::new() })),
        };
        if !kept.pieces.iter().any(|piece| piece.covers(fragment)) {
            if kept.pieces.len() == MAX_PIECES {
                self.fragments = None;
                return Err("DTLS handshake message in too many fragments");
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
    /// Type, sequence number and length of the message.
    key: (u8, u16, usize),
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

/// Longest message put together from fragments: a hello with two post-quantum key shares and chains in use stay below. With
/// [`MAX_PIECES`] it bounds what one flow can hold to what its sender really sent.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// A message of the longest kind over the smallest real path MTU takes fewer.
const MAX_PIECES: usize = 32;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HELLO_REQUEST: u8 = 0;
const HELLO_VERIFY_REQUEST: u8 = 3;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;

const SEQUENCE_BYTES: usize = 6;
const FRAGMENT_HEADER_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Cert, Hello, ServerHello, chain, datagrams, udp};
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
        fragment_of(1, body, sequence, from, to)
    }

    fn fragment_of(kind: u8, body: &[u8], sequence: u16, from: usize, to: usize) -> Vec<u8> {
        let mut out = vec![kind];
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

    /// A server's flight in datagrams of which the chain takes two.
    fn flight() -> Vec<Vec<u8>> {
        let hello = ServerHello { version: 0xfefd, ..ServerHello::default() }.body();
        let chain = chain(&[Cert::example().der(), Cert::example().der()]);
        let half = chain.len() / 2;
        [
            fragment_of(3, &[1; 20], 0, 0, 20),
            fragment_of(2, &hello, 1, 0, hello.len()),
            fragment_of(11, &chain, 2, 0, half),
            fragment_of(11, &chain, 2, half, chain.len()),
            fragment_of(12, &[1; 80], 3, 0, 80),
            fragment_of(14, &[], 4, 0, 0),
        ]
        .map(|message| record(HANDSHAKE, 0, &message))
        .to_vec()
    }

    #[test]
    fn a_server_s_flight_in_any_order() {
        let seen = |list: &[Vec<u8>]| datagrams::<Dtls>(Direction::ToOriginator, list, &udp(SERVER, CLIENT));
        let list = flight();
        let (whole, said) = seen(&list);
        assert_eq!((whole.len(), said.last()), (1 + 2 * 8, Some(&Progress::DoneDirection)), "{whole:?}");
        assert!(whole[0].starts_with("ja3s tls.server.ja3s ") && whole[1].contains(" tls.server.hash.sha1 "));
        assert_eq!(seen(&[list.concat()]).0, whole);
        let overtaken: Vec<_> = [0, 4, 5, 3, 1, 2].map(|at: usize| list[at].clone()).to_vec();
        assert_eq!(seen(&overtaken).0, whole);
        let sealed = ServerHello { extensions: vec![(43, vec![0xfe, 0xfc])], ..ServerHello::default() }.body();
        let (modern, said) = seen(&[record(HANDSHAKE, 0, &fragment_of(2, &sealed, 1, 0, sealed.len()))]);
        assert_eq!((modern.len(), &said[..]), (1, &[Progress::DoneDirection][..]));
    }

    #[test]
    fn a_client_s_certificate() {
        let chain = chain(&[Cert::example().der()]);
        let hello = hello();
        let list = [fragment(&hello, 0, 0, hello.len()), fragment_of(11, &chain, 1, 0, chain.len())];
        let (seen, said) = run(&list.map(|message| record(HANDSHAKE, 0, &message)));
        assert_eq!((seen.len(), said[1]), (3 + 8, Progress::DoneDirection));
        assert!(seen[3].contains(" tls.client.hash.sha1 "));
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
        let key_exchange = record(HANDSHAKE, 0, &fragment_of(16, &[1; 66], 2, 0, 66));
        assert_eq!(run(&[key_exchange]).1, [Progress::DoneDirection]);
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
        let long = vec![0; MAX_MESSAGE_BYTES + 1];
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
