//! Any bytes: no panic, no hang, and the same answer however they are read.

use super::build::{Pcap, Random, mixed, samples};
use super::*;

/// Damages the file in a few places.
fn damage(random: &mut Random, file: &mut Vec<u8>) {
    for _ in 0..=random.below(6) {
        if file.is_empty() {
            return;
        }
        let at = random.below(file.len() as u64) as usize;
        match random.below(5) {
            0 => file.truncate(at),
            1 => drop(file.drain(at..(at + random.below(20) as usize).min(file.len()))),
            2 => file[at] ^= 1 << random.below(8),
            3 => file[at] = [0, 0xff, 0x7f, 0x80][random.below(4) as usize],
            _ => file.insert(at, random.next() as u8),
        }
    }
}

#[test]
fn damaged_captures_never_panic() {
    let directory = temporary();
    let mut random = Random(6);
    let mut troubles = 0;
    for round in 0..3000 {
        let all = samples(&mut random, 30, 60);
        let mut file = match round % 4 {
            0 => Pcap::default().build(&all),
            1 => Pcap { big: true, magic: 0xa1b2_cd34, ..Pcap::default() }.build(&all),
            _ => mixed(&mut random, &all),
        };
        damage(&mut random, &mut file);
        troubles += run_file(directory.path(), "a", &file).troubles.len();
    }
    assert!(troubles > 500, "the damage is seen: {troubles}");
}

#[test]
fn damaged_compression_never_panics() {
    let directory = temporary();
    let mut random = Random(7);
    let plain = Pcap::default().build(&samples(&mut random, 300, 200));
    for (name, pack) in streams::PACKERS {
        let packed = pack(&plain);
        for _ in 0..60 {
            let mut file = packed.clone();
            damage(&mut random, &mut file);
            let run = run_file(directory.path(), name, &file);
            assert!(run.frames.len() <= 100_000);
        }
    }
}

#[test]
fn random_bytes_after_a_magic_never_panic() {
    let directory = temporary();
    let mut random = Random(8);
    for round in 0..400 {
        let mut file: Vec<u8> = (0..random.below(4000)).map(|_| random.next() as u8).collect();
        let magic: &[u8] = match round % 3 {
            0 => &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0],
            1 => &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0],
            _ => &[],
        };
        file.splice(0..0, magic.iter().copied());
        run_file(directory.path(), "a", &file);
    }
}
