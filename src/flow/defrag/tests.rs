//! Against an obvious twin (two arrays of bytes that may be there), and at each bound.

use proptest::prelude::*;

use super::*;
use crate::packet::{LinkType, decode};

/// A piece as the decoder gives it.
fn piece(id: u16, offset: usize, has_more: bool, payload: &[u8]) -> (Packet, Vec<u8>) {
    let total = (20 + payload.len()) as u16;
    let place = (offset / 8) as u16 | if has_more { 0x2000 } else { 0 };
    let mut frame = vec![0x45, 0];
    frame.extend(total.to_be_bytes());
    frame.extend(id.to_be_bytes());
    frame.extend(place.to_be_bytes());
    frame.extend([64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
    frame.extend(payload);
    (decode(&frame, LinkType::RAW), payload.to_vec())
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + secs, 0)
}

fn add(defrag: &mut Defrag, secs: u64, (packet, payload): &(Packet, Vec<u8>)) -> Option<Whole> {
    defrag.add(packet, payload, at(secs), FRAME).whole
}

/// What a piece comes in.
const FRAME: Share = Share { packets: 1, bytes: 100 };

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 7 + n / 251) as u8).collect()
}

proptest! {
    /// Pieces of any places, in any order, that may say different things of the same bytes.
    #[test]
    fn as_two_arrays_of_bytes_would_have_it(
        length in 16usize..200,
        cuts in prop::collection::vec((0usize..25, 1usize..25, any::<u8>()), 0..12),
        seed in any::<u64>(),
    ) {
        let whole = bytes(length);
        let mut pieces: Vec<(usize, Vec<u8>, bool)> = Vec::new();
        for (start, blocks, change) in cuts {
            let (start, end) = (start * 8, (start * 8 + blocks * 8).min(length));
            if start < end {
                let mut data = whole[start..end].to_vec();
                data[0] ^= change & 1;
                let has_more = end < length;
                if has_more { data.truncate(data.len() & !7); }
                if !data.is_empty() && (start > 0 || has_more) { pieces.push((start, data, has_more)); }
            }
        }
        let half = (length / 2) & !7;
        pieces.push((half, whole[half..].to_vec(), false));
        if half > 0 { pieces.push((0, whole[..half].to_vec(), true)); }
        let mut order = seed;
        for n in (1..pieces.len()).rev() {
            order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            pieces.swap(n, (order >> 33) as usize % (n + 1));
        }
        let mut defrag = Defrag::default();
        let (mut first, mut last) = (vec![None; length], vec![None; length]);
        let mut differs = false;
        for (start, data, has_more) in pieces {
            for (n, &byte) in data.iter().enumerate() {
                differs |= first[start + n].is_some_and(|there| there != byte);
                first[start + n].get_or_insert(byte);
                last[start + n] = Some(byte);
            }
            if let Some(whole) = add(&mut defrag, 0, &piece(1, start, has_more, &data)) {
                let flat = |bytes: &[Option<u8>]| bytes.iter().map(|b| b.expect("there")).collect::<Vec<u8>>();
                prop_assert_eq!(whole.payload, flat(&first));
                // Bytes that differ from the first ones may differ from each other too; what came last stands.
                prop_assert_eq!(whole.other, differs.then(|| flat(&last)));
                prop_assert_eq!(defrag.bytes, 0);
                return Ok(());
            }
        }
        prop_assert!(false, "never whole");
    }
}

#[test]
fn any_order_is_the_same_datagram() {
    let data = bytes(61);
    let pieces = [piece(9, 0, true, &data[..24]), piece(9, 24, true, &data[24..48]), piece(9, 48, false, &data[48..])];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let mut defrag = Defrag::default();
        let whole: Vec<Whole> = order.iter().filter_map(|&n| add(&mut defrag, 0, &pieces[n])).collect();
        assert_eq!(whole.len(), 1);
        assert_eq!((&whole[0].payload, whole[0].missing_bytes, whole[0].protocol), (&data, 0, 17));
        assert_eq!((defrag.bytes, defrag.datagrams.len()), (0, 0));
    }
}

#[test]
fn pieces_know_the_ports_that_the_first_one_showed() {
    let mut defrag = Defrag::default();
    let (early, payload) = piece(1, 48, true, &bytes(8));
    assert_eq!(defrag.add(&early, &payload, at(0), FRAME).ports, None);
    let (first, payload) = piece(1, 0, true, &[0, 5, 0, 6, 0, 0, 0, 0]);
    assert_eq!(defrag.add(&first, &payload, at(0), FRAME).ports, Some((5, 6)));
    assert_eq!(defrag.counters.tiny, 1);
    assert_eq!(defrag.add(&early, &payload, at(0), FRAME).ports, Some((5, 6)));
}

#[test]
fn what_takes_too_long_is_counted_and_not_mixed_with_the_next() {
    let mut defrag = Defrag::default();
    assert_eq!(add(&mut defrag, 0, &piece(1, 0, true, &bytes(8))), None);
    assert_eq!(add(&mut defrag, 31, &piece(1, 8, false, &bytes(8))), None);
    assert_eq!((defrag.counters.incomplete, defrag.counters.evicted), (1, 0));
    assert_eq!(defrag.close().0.incomplete, 2);
}

#[test]
fn a_cut_piece_ends_what_is_known() {
    let mut defrag = Defrag::default();
    let (mut second, _) = piece(1, 16, true, &bytes(32));
    second.payload_missing_bytes = 12;
    assert!(defrag.add(&second, &bytes(20), at(0), FRAME).whole.is_none());
    assert!(add(&mut defrag, 0, &piece(1, 0, true, &bytes(16))).is_none());
    let whole = add(&mut defrag, 0, &piece(1, 48, false, &bytes(10))).expect("all places are there");
    assert_eq!((whole.payload, whole.missing_bytes), ([bytes(16), bytes(20)].concat(), 22));
    let (mut first, _) = piece(2, 0, true, &bytes(16));
    first.payload_missing_bytes = 4;
    let whole = defrag.add(&first, &bytes(12), at(0), FRAME).whole.expect("as much as there will be");
    assert_eq!((whole.payload, whole.missing_bytes), (bytes(12), 4));
    assert!(add(&mut defrag, 0, &piece(2, 16, false, &bytes(16))).is_none());
    assert_eq!((defrag.datagrams.len(), defrag.bytes), (0, 0));
}

#[test]
fn what_cannot_be_is_dropped_and_counted() {
    let mut defrag = Defrag::default();
    assert_eq!(add(&mut defrag, 0, &piece(1, 65_528, false, &bytes(8))), None);
    assert_eq!(add(&mut defrag, 0, &piece(1, 65_520, true, &bytes(7))), None);
    assert_eq!((defrag.counters.oversized, defrag.counters.bad), (1, 1));
    assert_eq!(add(&mut defrag, 0, &piece(2, 8, false, &bytes(8))), None);
    assert_eq!(add(&mut defrag, 0, &piece(2, 16, true, &bytes(8))), None);
    assert_eq!(add(&mut defrag, 0, &piece(2, 8, false, &bytes(5))), None);
    assert_eq!(defrag.counters.bad, 3);
}

#[test]
fn floods_are_bounded() {
    let mut defrag = Defrag::default();
    for id in 0..=u16::MAX {
        add(&mut defrag, 0, &piece(id, 8, true, &bytes(8)));
        add(&mut defrag, 0, &piece(id % 300, 60_000, true, &bytes(8)));
        assert!(defrag.bytes <= MAX_BYTES && defrag.datagrams.len() <= MAX_DATAGRAMS);
        assert!(defrag.ages.len() <= 2 * MAX_DATAGRAMS + 1);
    }
    assert!(defrag.counters.evicted > 0);
    let mut defrag = Defrag::default();
    for n in 0..4000 {
        add(&mut defrag, 0, &piece(1, n * 16, true, &bytes(8)));
    }
    assert_eq!(defrag.counters.bad, 4000 - MAX_RUNS as u64);
}

/// Every frame that is counted with its datagram comes back exactly once: with it, or lost.
#[test]
fn what_pieces_come_in_is_given_back_once() {
    let mut defrag = Defrag::default();
    let share = |packets: u64| Share { packets, bytes: packets * 100 };
    // The last piece first, one twice, one that cannot be.
    for (offset, has_more, is_counted) in [(16, false, true), (8, true, true), (8, true, true), (24, true, false)] {
        let (packet, payload) = piece(1, offset, has_more, &bytes(8));
        let added = defrag.add(&packet, &payload, at(0), FRAME);
        assert_eq!((added.is_counted, added.whole), (is_counted, None), "{offset}");
    }
    let whole = add(&mut defrag, 0, &piece(1, 0, true, &bytes(8))).expect("whole");
    assert_eq!((whole.share, whole.has_portless), (share(4), true));
    // Cut: handed out as far as it goes, and nothing that follows is read.
    let (mut first, _) = piece(2, 0, true, &bytes(16));
    first.payload_missing_bytes = 4;
    assert_eq!(defrag.add(&first, &bytes(12), at(0), FRAME).whole.expect("cut").share, share(1));
    let (packet, payload) = piece(2, 16, true, &bytes(16));
    assert!(!defrag.add(&packet, &payload, at(0), FRAME).is_counted);
    // Never whole: too old, and at the end.
    assert_eq!(add(&mut defrag, 0, &piece(3, 0, true, &bytes(8))), None);
    assert_eq!(add(&mut defrag, 31, &piece(4, 0, true, &bytes(8))), None);
    let lost = |lost: Vec<Lost>| lost.iter().map(|lost| lost.share).collect::<Vec<_>>();
    assert_eq!((lost(defrag.take_lost()), lost(defrag.take_lost())), (vec![share(1)], vec![]));
    assert_eq!(lost(defrag.close().1), [share(1)]);
}
