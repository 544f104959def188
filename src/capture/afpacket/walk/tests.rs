use proptest::prelude::*;

use super::*;

/// A frame as the kernel puts it into a block, its number of bytes a multiple of 16 and no smaller than it must be.
fn put(frame: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let offset = HEADER_BYTES + 14 + TAG_BYTES;
    let bytes = (offset + frame.len()).next_multiple_of(16);
    let mut out = vec![0; bytes];
    for (at, number) in [
        (NEXT_OFFSET, bytes as u32),
        (SEC, 1_700_000_000),
        (NSEC, 123_456_789),
        (SNAPLEN, frame.len() as u32),
        (LEN, frame.len() as u32 + 10),
        (STATUS, libc::TP_STATUS_USER),
    ] {
        set(&mut out, at, number);
    }
    out[MAC..MAC + 2].copy_from_slice(&(offset as u16).to_ne_bytes());
    out[offset..][..frame.len()].copy_from_slice(frame);
    change(&mut out);
    out
}

fn set(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
}

fn set_tag(bytes: &mut [u8], tpid: Option<u16>, tci: u16) {
    let valid = if tpid.is_some() { libc::TP_STATUS_VLAN_TPID_VALID } else { 0 };
    set(bytes, STATUS, libc::TP_STATUS_USER | libc::TP_STATUS_VLAN_VALID | valid);
    set(bytes, VLAN_TCI, u32::from(tci));
    bytes[VLAN_TPID..VLAN_TPID + 2].copy_from_slice(&tpid.unwrap_or(0).to_ne_bytes());
}

const OF: Of = Of { file: 3, link: LinkType::ETHERNET, snap_bytes: 65_535, is_loopback: false };

/// What is wrong with a frame in a block.
type Change = fn(&mut [u8]);

/// What a walk over these bytes gives: the frames, and how far it came.
fn walked(bytes: &mut [u8], left: u32, of: Of) -> (Vec<(Vec<u8>, FrameMeta)>, Walked) {
    let (mut frames, mut number) = (Vec::new(), 7);
    let walked = walk(bytes, left, of, &mut number, &mut frames);
    assert_eq!(number, 7 + frames.len() as u64);
    let cut = |meta: &FrameMeta| bytes[meta.offset..][..meta.captured_bytes as usize].to_vec();
    (frames.iter().map(|meta| (cut(meta), *meta)).collect(), walked)
}

#[test]
fn frames_come_in_order_with_their_numbers() {
    let (first, second) = ([1; 60], [2; 99]);
    let mut block = [put(&first, |_| {}), put(&second, |bytes| set(bytes, NEXT_OFFSET, 0))].concat();
    let len = block.len();
    let (frames, walked) = walked(&mut block, 2, OF);
    assert_eq!(walked, Walked { bytes: len, frames: 2, unwanted: 0, is_broken: false });
    assert_eq!(frames[0].0, first);
    assert_eq!(frames[1].0, second);
    let meta = FrameMeta {
        offset: frames[0].1.offset,
        time: Timestamp::from_parts(1_700_000_000, 123_456_789),
        number: 8,
        captured_bytes: 60,
        wire_bytes: 70,
        file: 3,
        link: LinkType::ETHERNET,
    };
    assert_eq!(frames[0].1, meta);
    assert_eq!(frames[1].1.number, 9);
}

#[test]
fn a_tag_that_was_taken_off_is_back_between_addresses_and_type() {
    let frame: Vec<u8> = (0..60).collect();
    for (tpid, tci) in [(Some(0x88a8), 0xe064), (Some(0x8100), 5), (None, 5)] {
        let mut block = put(&frame, |bytes| set_tag(bytes, tpid, tci));
        let (frames, _) = walked(&mut block, 1, OF);
        let tag = [tpid.unwrap_or(0x8100).to_be_bytes(), tci.to_be_bytes()].concat();
        assert_eq!(frames[0].0, [&frame[..12], &tag, &frame[12..]].concat());
        assert_eq!((frames[0].1.captured_bytes, frames[0].1.wire_bytes), (64, 74));
    }
}

#[test]
fn what_the_kernel_only_says_to_have_dropped_is_counted() {
    let of = |kind: [u8; 2], has_tag: bool| {
        let frame = [&[7; 12][..], &kind, &[0; 46]].concat();
        let mut block = put(&frame, |bytes| {
            if has_tag {
                set_tag(bytes, None, 5)
            }
        });
        walked(&mut block, 1, OF).1.unwanted
    };
    for kind in [[0x08, 0x00], [0x08, 0x06], [0x86, 0xdd]] {
        assert_eq!(of(kind, true), 0);
    }
    // LLDP, MPLS, PPPoE, a second tag, a length.
    for kind in [[0x88, 0xcc], [0x88, 0x47], [0x88, 0x64], [0x81, 0x00], [0x00, 0x26]] {
        assert_eq!((of(kind, true), of(kind, false)), (1, 0));
    }
}

#[test]
fn a_tag_does_not_lengthen_a_frame_past_the_snap_length() {
    let mut block = put(&[7; 60], |bytes| set_tag(bytes, None, 5));
    let (frames, _) = walked(&mut block, 1, Of { snap_bytes: 60, ..OF });
    assert_eq!((frames[0].1.captured_bytes, frames[0].1.wire_bytes), (60, 74));
}

#[test]
fn nothing_is_put_into_frames_that_have_no_addresses() {
    let mut short = put(&[7; 11], |bytes| set_tag(bytes, None, 5));
    assert_eq!(walked(&mut short, 1, OF).0[0].0, [7; 11]);
    let mut raw = put(&[0x45; 60], |bytes| set_tag(bytes, None, 5));
    assert_eq!(walked(&mut raw, 1, Of { link: LinkType::RAW, ..OF }).0[0].0, [0x45; 60]);
}

#[test]
fn what_loopback_sends_is_left_out_there_alone() {
    let sent = put(&[1; 60], |bytes| bytes[PACKET_TYPE] = libc::PACKET_OUTGOING);
    let mut block = [sent, put(&[2; 60], |_| {})].concat();
    let (frames, walk) = walked(&mut block, 2, Of { is_loopback: true, ..OF });
    assert_eq!((frames.len(), frames[0].0[0], frames[0].1.number, walk.frames), (1, 2, 8, 2));
    assert_eq!(walked(&mut block, 2, OF).0.len(), 2);
}

#[test]
fn a_batch_takes_no_more_than_it_holds() {
    let mut block = put(&[1; 60], |_| {}).repeat(BATCH_FRAMES + 5);
    let (frames, walk) = walked(&mut block, BATCH_FRAMES as u32 + 5, OF);
    assert_eq!((frames.len(), walk.frames, walk.is_broken), (BATCH_FRAMES, BATCH_FRAMES as u32, false));
    let (frames, walk) = walked(&mut block[walk.bytes..], 5, OF);
    assert_eq!((frames.len(), walk.is_broken), (5, false));
}

#[test]
fn numbers_that_contradict_each_other_end_the_walk_at_what_was_whole() {
    let wrong: [(&str, Change); 9] = [
        ("captured past its end", |bytes| set(bytes, SNAPLEN, 5000)),
        ("captured beyond all numbers", |bytes| set(bytes, SNAPLEN, u32::MAX)),
        ("next before its end", |bytes| set(bytes, NEXT_OFFSET, 120)),
        ("next is itself", |bytes| set(bytes, NEXT_OFFSET, 1)),
        ("next past the block", |bytes| set(bytes, NEXT_OFFSET, 4096)),
        ("next beyond all numbers", |bytes| set(bytes, NEXT_OFFSET, u32::MAX)),
        ("frame within the header", |bytes| bytes[MAC..MAC + 2].copy_from_slice(&8u16.to_ne_bytes())),
        ("frame past its end", |bytes| bytes[MAC..MAC + 2].copy_from_slice(&u16::MAX.to_ne_bytes())),
        ("tag without room", |bytes| {
            bytes[MAC..MAC + 2].copy_from_slice(&(HEADER_BYTES as u16).to_ne_bytes());
            set_tag(bytes, None, 5);
        }),
    ];
    for (case, change) in wrong {
        let good = put(&[1; 60], |_| {});
        let mut block = [good.clone(), put(&[2; 60], change), good.clone()].concat();
        let (frames, walk) = walked(&mut block, 3, OF);
        assert_eq!(
            (frames.len(), walk),
            (1, Walked { bytes: good.len(), frames: 1, unwanted: 0, is_broken: true }),
            "{case}"
        );
    }
}

#[test]
fn a_block_that_is_cut_anywhere_gives_what_is_whole() {
    let good = put(&[1; 60], |_| {});
    let block = good.repeat(3);
    for cut in 0..block.len() {
        let (frames, walk) = walked(&mut block[..cut].to_vec(), 3, OF);
        assert_eq!((frames.len(), walk.is_broken), (cut / good.len(), true), "cut at {cut}");
    }
}

proptest! {
    /// Whatever the bytes are, frames lie within them and behind each other.
    #[test]
    fn nothing_is_read_outside(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        patches in proptest::collection::vec((0usize..2000, 0u32..400), 0..20),
        left in 0u32..50,
        is_loopback: bool,
    ) {
        for (at, number) in patches {
            if at + 4 <= bytes.len() {
                set(&mut bytes, at, number);
            }
        }
        let mut frames = Vec::new();
        let walked = walk(&mut bytes, left, Of { is_loopback, ..OF }, &mut 0, &mut frames);
        prop_assert!(walked.bytes <= bytes.len() && walked.frames <= left);
        let mut end = 0;
        for frame in frames {
            prop_assert!(frame.offset >= end + HEADER_BYTES);
            end = frame.offset + frame.captured_bytes as usize;
            prop_assert!(end <= walked.bytes);
        }
    }
}
