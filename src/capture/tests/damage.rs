//! What is wrong with a file is told with its place; what stands before it, and the other files, are read.

use super::build::{Ng, Pcap, Random, mixed, samples};
use super::*;

#[test]
fn every_prefix_gives_the_frames_that_it_holds() {
    let directory = temporary();
    let mut random = Random(4);
    let all = samples(&mut random, 12, 40);
    for whole in [
        Pcap::default().build(&all),
        Pcap { magic: 0xa1b2_cd34, ..Pcap::default() }.build(&all),
        mixed(&mut random, &all),
    ] {
        let full = run_file(directory.path(), "whole", &whole);
        assert_eq!(full.troubles, []);
        let mut clean_ends = 0;
        for length in 0..whole.len() {
            let cut = run_file(directory.path(), "cut", &whole[..length]);
            assert!(full.frames.starts_with(&cut.frames));
            assert!(cut.troubles.len() <= 1);
            for trouble in &cut.troubles {
                assert!(
                    ["truncated_record", "truncated_header", "not_a_capture", "empty_file"].contains(&trouble.code)
                );
                assert_eq!(trouble.unreadable, cut.frames.is_empty());
                assert!(trouble.offset <= length as u64);
            }
            clean_ends += usize::from(cut.troubles.is_empty());
        }
        assert!((12..40).contains(&clean_ends), "a file may end after its header and after each record: {clean_ends}");
    }
}

#[test]
fn a_record_that_cannot_be_ends_its_file_only() {
    let directory = temporary();
    let all = samples(&mut Random(5), 3, 40);
    let good = Pcap::default().build(&all);
    let mut bad = good.clone();
    let at = bad.len() as u64;
    bad.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 1, 0, 0, 0]);
    bad.extend([0; 100]);
    let paths = ["1", "2", "3", "4"].map(|name| directory.path().join(name));
    fs::write(&paths[0], &bad).expect("written");
    fs::write(&paths[1], b"evil.example\n").expect("written");
    fs::write(&paths[2], &good).expect("written");
    fs::write(&paths[3], b"").expect("written");
    let run = run(&paths, Access::Read);
    assert_eq!(run.codes(), [("record_too_long", at), ("not_a_capture", 0), ("empty_file", 0)]);
    assert_eq!(run.troubles.iter().map(|t| t.unreadable).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(
        run.frames.iter().map(|f| (f.file, f.number)).collect::<Vec<_>>(),
        [(0, 1), (0, 2), (0, 3), (2, 1), (2, 2), (2, 3)]
    );
    assert_eq!(run.files.iter().map(FileInfo::is_capture).collect::<Vec<_>>(), [true, false, true, false]);
    assert_eq!(run.troubles[1].reason, "neither pcap nor pcapng; it looks like text");
}

#[test]
fn a_packet_that_its_block_contradicts_is_left_out_alone() {
    let mut ng = Ng::new(false);
    ng.interface(1, 0, &[]);
    ng.enhanced(0, 1, 4, b"good");
    let at = ng.len() as u64;
    ng.enhanced(5, 1, 4, b"lost");
    ng.enhanced(6, 1, 4, b"lost");
    let second = ng.len() as u64;
    let lie = ng.writer().u32(0).u32(0).u32(0).u32(5).u32(5).u32(0).take();
    ng.block(6, &lie);
    let third = ng.len() as u64;
    ng.block(6, &vec![0; 500_000]);
    let fourth = ng.len() as u64;
    let long = {
        let mut w = ng.writer();
        w.u32(0).u32(0).u32(0).u32(262_145).u32(9);
        let mut b = w.take();
        b.resize(262_200, 0);
        b
    };
    ng.block(6, &long);
    ng.enhanced(0, 2, 4, b"last");
    let run = run_file(temporary().path(), "a", &ng.build());
    assert_eq!(
        run.frames.iter().map(|f| (f.number, f.bytes.as_slice())).collect::<Vec<_>>(),
        [(1, &b"good"[..]), (7, b"last")]
    );
    assert_eq!(
        run.codes(),
        [
            ("unknown_interface", at),
            ("packet_past_block", second),
            ("block_too_long", third),
            ("record_too_long", fourth)
        ]
    );
    assert_eq!(run.files[0].skipped, 5);
}

#[test]
fn a_block_whose_end_is_not_certain_ends_the_file() {
    let directory = temporary();
    let mut ng = Ng::new(true);
    ng.interface(1, 0, &[]);
    ng.enhanced(0, 1, 4, b"good");
    let at = ng.len();
    let whole = ng.build();
    let with = |tail: &[u8]| run_file(directory.path(), "a", &[&whole, tail].concat());
    let block = |kind: u32, first: u32, second: u32| {
        let mut out = [kind.to_be_bytes(), first.to_be_bytes()].concat();
        out.resize(out.len() + (first as usize).clamp(12, 64) - 12, 0);
        out.extend(second.to_be_bytes());
        out
    };
    for (tail, code, offset) in [
        (block(6, 32, 36), "block_length_mismatch", at),
        (block(77, 32, 36), "block_length_mismatch", at + 28),
        (block(6, 28, 28), "bad_block_length", at),
        (block(77, 0, 0), "bad_block_length", at),
        (block(77, 33, 33), "bad_block_length", at),
        (block(0x0a0d_0d0a, 28, 28), "bad_byte_order", at),
        (block(77, 1 << 31, 0), "truncated_record", at + 24),
    ] {
        let run = with(&tail);
        assert_eq!(run.frames.len(), 1);
        assert_eq!(run.troubles.len(), 1);
        assert_eq!(run.troubles[0].code, code);
        if code != "truncated_record" {
            assert_eq!(run.troubles[0].offset, offset as u64, "{code}");
        }
    }
}

#[test]
fn versions_from_the_future_are_not_guessed_at() {
    let directory = temporary();
    let run = run_file(directory.path(), "a", &Pcap { version: (3, 0), ..Pcap::default() }.build(&[]));
    assert_eq!(run.codes(), [("unknown_version", 0)]);
    let mut ng = Ng::new(false).build();
    ng[12] = 2;
    assert_eq!(run_file(directory.path(), "a", &ng).codes(), [("unknown_version", 0)]);
}

#[test]
fn a_section_has_only_so_many_interfaces() {
    let mut ng = Ng::new(false);
    (0..65_537).for_each(|_| ng.interface(1, 0, &[]));
    ng.enhanced(65_535, 0, 1, b"x");
    ng.enhanced(65_536, 0, 1, b"x");
    let run = run_file(temporary().path(), "a", &ng.build());
    assert_eq!(run.frames.len(), 1);
    assert_eq!(run.codes().iter().map(|c| c.0).collect::<Vec<_>>(), ["too_many_interfaces", "unknown_interface"]);
}
