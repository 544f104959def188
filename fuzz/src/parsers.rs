//! Bytes as what a protocol parser is offered.

use picket::flow::Direction;
use picket::indicator::{Observable, Transport, Value, Wants};
use picket::packet::fieldbus::{GOOSE, PROFINET};
use picket::proto::coding::{Coding, DecodeError, Decoder, FREE_BYTES, MAX_RATIO};
use picket::proto::{AfterGap, Hint, Parser, Probe, Progress};

/// The bytes as a stream cut into pieces, with gaps, and as datagrams: both as `data` chooses.
pub fn stream_and_datagrams<P: Parser>(data: &[u8]) {
    let Some((&ways, rest)) = data.split_first() else { return };
    let port = [53, 443, 80, 5353, 5355, 40000, 502, 2404, 44818, 6653][usize::from(ways >> 2) % 10];
    let transport = if ways & 1 == 0 { Transport::Tcp } else { Transport::Udp };
    let hint = Hint::new(transport, 40000, port, Wants::ALL);
    let _ = P::probe(rest, &hint);
    let mut parser = P::default();
    if transport == Transport::Udp {
        for (number, datagram) in pieces(rest).into_iter().enumerate() {
            if P::probe(datagram, &hint) == Probe::Yes {
                check(parser.parse(way(number), datagram, &hint, &mut seen), datagram.len());
            }
        }
        return;
    }
    stream(&mut parser, &pieces(rest), &hint);
}

/// The bytes as one datagram, sent in both directions, then again with its first byte changed as they choose.
pub fn whole_datagram<P: Parser>(data: &[u8]) {
    let hint = Hint::new(Transport::Udp, 40000, 443, Wants::ALL);
    let mut parser = P::default();
    let mut again = data.to_vec();
    if let [first, .., last] = &mut *again {
        *first ^= *last;
    }
    for (number, datagram) in [data, data, data, &again].into_iter().enumerate() {
        let _ = P::probe(datagram, &hint);
        check(parser.parse(way(number), datagram, &hint, &mut seen), datagram.len());
    }
}

/// The bytes as what lies in an Ethernet frame, sent in both directions.
pub fn in_frame<P: Parser>(data: &[u8]) {
    let mut parser = P::default();
    for (number, ether_type) in [PROFINET, GOOSE, PROFINET, GOOSE, PROFINET, GOOSE].into_iter().enumerate() {
        let hint = in_frame_of(ether_type);
        if P::probe(data, &hint) == Probe::Yes {
            check(parser.parse(way(number), data, &hint, &mut seen), data.len());
        }
    }
    check(parser.parse(Direction::ToResponder, data, &in_frame_of(GOOSE), &mut seen), data.len());
}

fn in_frame_of(destination_port: u16) -> Hint {
    Hint::new(Transport::Ethernet, 0, destination_port, Wants::ALL)
}

/// Cut where the bytes themselves say: a byte of the first half's stride gives the length of the next piece.
fn pieces(data: &[u8]) -> Vec<&[u8]> {
    let (mut out, mut rest) = (Vec::new(), data);
    while let Some(&first) = rest.first() {
        let length = (usize::from(first) * 3 + 1).min(rest.len());
        let (piece, after) = rest.split_at(length);
        out.push(piece);
        rest = after;
    }
    out
}

fn way(number: usize) -> Direction {
    if number % 3 == 2 { Direction::ToOriginator } else { Direction::ToResponder }
}

/// Offers pieces as the pipeline does: what was not consumed is offered again with what follows, what is skipped never.
fn stream<P: Parser>(parser: &mut P, pieces: &[&[u8]], hint: &Hint) {
    let (mut held, mut skip, mut done) = ([Vec::new(), Vec::new()], [0_u64; 2], [false; 2]);
    for (number, piece) in pieces.iter().enumerate() {
        let direction = way(number);
        let side = direction.index();
        if piece.len() % 97 == 13 {
            parser.cut(direction, &held[side], hint, &mut seen);
            done[side] |= parser.gap(direction, 7) == AfterGap::Probe;
            held[side].clear();
        }
        held[side].extend_from_slice(piece);
        while !done[side] && !held[side].is_empty() {
            let skipped = skip[side].min(held[side].len() as u64);
            held[side].drain(..skipped as usize);
            skip[side] -= skipped;
            if held[side].is_empty() {
                break;
            }
            let progress = parser.parse(direction, &held[side], hint, &mut seen);
            check(progress, held[side].len());
            settle(parser);
            match progress {
                Progress::Consumed { bytes, .. } | Progress::Damaged { bytes, .. } => {
                    held[side].drain(..bytes);
                    if bytes == 0 {
                        break;
                    }
                }
                Progress::Skip(bytes) => {
                    skip[side] = bytes;
                    if bytes == 0 {
                        break;
                    }
                }
                Progress::DoneDirection | Progress::Stopped(_) => done[side] = true,
                Progress::Done | Progress::Reprobe(_) => return,
            }
        }
        if held[side].len() > P::MAX_PENDING_BYTES + piece.len() {
            done[side] = true;
        }
        if piece.len() % 89 == 7 {
            parser.shed();
        }
    }
    for direction in [Direction::ToResponder, Direction::ToOriginator] {
        parser.end(direction, hint, &mut seen);
    }
    settle(parser);
}

/// What it accounts for is in proportion.
fn settle<P: Parser>(parser: &mut P) {
    let account = parser.account();
    assert!(account.memory_bytes < 64 << 20 && account.files_begun <= 1 << 16, "{account:?}");
}

/// A content coding undone: the first byte says which, the others come in pieces.
pub fn coding(data: &[u8]) {
    let Some((&which, rest)) = data.split_first() else { return };
    let coding = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd][usize::from(which) % 4];
    let (mut decoder, mut total) = (Decoder::new(coding), 0);
    for piece in rest.chunks(usize::from(which / 4) + 1) {
        let result = decoder.decode(piece, &mut |made| {
            total += made.len() as u64;
            Ok::<(), DecodeError>(())
        });
        if result.is_err() {
            break;
        }
    }
    assert!(total <= FREE_BYTES + MAX_RATIO * rest.len() as u64, "{total} of {}", rest.len());
    let _ = (decoder.is_complete(), decoder.memory_bytes());
}

fn check(progress: Progress, offered: usize) {
    if let Progress::Consumed { bytes, .. } | Progress::Damaged { bytes, .. } | Progress::Reprobe(bytes) = progress {
        assert!(bytes <= offered, "consumed {bytes} of {offered}");
    }
}

/// Observables are looked at, as a matcher would.
fn seen(observable: Observable<'_>) {
    assert!(!observable.at.0.is_empty());
    if let Value::Text(text) = observable.value {
        assert!(text.len() <= 1 << 16, "{} has {} bytes", observable.at.0, text.len());
    }
    observable.each_field(&mut |field| assert!(!field.path.0.is_empty()));
}
