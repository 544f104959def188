//! What is written is what is read, in every variant of the formats.

use super::build::{Ng, Pcap, Random, samples};
use super::*;

#[test]
fn every_pcap_variant_reads_the_same() {
    let directory = temporary();
    let samples = samples(&mut Random(1), 700, 300);
    for (magic, unit_ns) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1000)] {
        for big in [false, true] {
            for version in [(2, 4), (2, 3), (2, 1), (543, 0)] {
                // The frame check sequence bits and length say nothing of the link type.
                let pcap = Pcap { big, magic, version, link: 0x4400_0071 };
                let run = run_file(directory.path(), "a", &pcap.build(&samples));
                assert_eq!(run.troubles, []);
                assert_eq!(run.frames.len(), samples.len());
                for (number, (got, sample)) in (1..).zip(run.frames.iter().zip(&samples)) {
                    let expected = Got {
                        ns: u64::from(sample.secs) * 1_000_000_000 + u64::from(sample.fraction) * unit_ns,
                        wire: sample.wire,
                        link: LinkType::LINUX_SLL,
                        number,
                        file: 0,
                        bytes: sample.bytes.clone(),
                    };
                    assert_eq!(*got, expected, "{pcap:?}");
                }
            }
        }
    }
}

#[test]
fn captured_may_exceed_the_wire_and_time_its_unit() {
    let mut sample = samples(&mut Random(2), 1, 0);
    (sample[0].bytes, sample[0].wire, sample[0].fraction) = (vec![7; 60], 42, u32::MAX);
    let run = run_file(temporary().path(), "a", &Pcap::default().build(&sample));
    assert_eq!((run.frames[0].bytes.len(), run.frames[0].wire), (60, 42));
    assert_eq!(run.frames[0].ns, u64::from(sample[0].secs) * 1_000_000_000 + u64::from(u32::MAX) * 1000);
}

#[test]
fn sections_and_interfaces_each_keep_their_own_rules() {
    let mut ng = Ng::new(false);
    ng.interface(1, 0, &[]);
    ng.interface(101, 0, &[(2, b"eth0"), (9, &[9]), (14, &5i64.to_le_bytes())]);
    ng.enhanced(0, 3_000_000, 60, b"micro");
    ng.block(0x8000_0bad, &[1; 30]);
    ng.enhanced(1, 7, 2, b"nano");
    ng.section(true);
    ng.interface(113, 4, &[(9, &[0x8a]), (14, &(-1i64).to_be_bytes())]);
    ng.enhanced(0, 1024 * 3 + 512, 5, b"binary");
    ng.simple(9, b"simp");
    ng.obsolete(0, 2048, 8, b"old");
    ng.simple(0, b"");
    let run = run_file(temporary().path(), "a", &ng.build());
    let got: Vec<_> = run.frames.iter().map(|f| (f.ns, f.wire, f.link.0, f.number, f.bytes.as_slice())).collect();
    let expected: [(u64, u32, u16, u64, &[u8]); 6] = [
        (3_000_000_000, 60, 1, 1, b"micro"),
        (5_000_000_007, 2, 101, 2, b"nano"),
        (2_500_000_000, 5, 113, 3, b"binary"),
        (2_500_000_000, 9, 113, 4, b"simp"),
        (1_000_000_000, 8, 113, 5, b"old"),
        (1_000_000_000, 0, 113, 6, b""),
    ];
    assert_eq!(got, expected);
    assert_eq!(run.troubles, []);
    assert_eq!(run.files[0].format, Some("pcapng"));
}

#[test]
fn an_unknown_block_of_any_length_is_stepped_over() {
    let mut ng = Ng::new(true);
    ng.interface(1, 0, &[]);
    ng.block(0xbad, &vec![3; 5_000_000]);
    ng.enhanced(0, 1, 1, b"x");
    let run = run_file(temporary().path(), "a", &ng.build());
    assert_eq!(run.frames.len(), 1);
    assert_eq!(run.troubles, []);
}

#[test]
fn the_longest_frames_cross_pieces_whole() {
    let directory = temporary();
    let mut random = Random(3);
    let mut all = samples(&mut random, 40, 262_144);
    all[7].bytes.resize(262_144, 9);
    for big in [false, true] {
        let run = run_file(directory.path(), "a", &Pcap { big, ..Pcap::default() }.build(&all));
        assert!(run.frames.iter().map(|f| &f.bytes).eq(all.iter().map(|s| &s.bytes)));
        let mut ng = Ng::new(big);
        ng.interface(1, 0, &[]);
        all.iter().for_each(|sample| ng.enhanced(0, 0, sample.wire, &sample.bytes));
        let run = run_file(directory.path(), "b", &ng.build());
        assert!(run.frames.iter().map(|f| &f.bytes).eq(all.iter().map(|s| &s.bytes)));
        assert_eq!(run.troubles, []);
    }
}
