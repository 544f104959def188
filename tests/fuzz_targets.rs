//! The bodies of the fuzz targets, on stable: seeded damage of the fixtures instead of a fuzzer's inputs.
//!
//! Seen to fail: with `+ 1` put into the length that `picket::capture` gives a frame, and into a parser's consumed bytes.

#[path = "../fuzz/src/frames.rs"]
#[allow(unreachable_pub)]
mod frames;

mod common;

use std::fs;

use common::{file, runs};

/// Damaged copies of each frame and capture.
const ROUNDS: u64 = 20;

/// Every fixture's bytes.
fn fixtures() -> Vec<Vec<u8>> {
    runs().values().flatten().map(|f| fs::read(file(f)).expect("fixture")).collect()
}

/// Payload-like pieces of every pcap fixture: its frames.
fn pieces() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for bytes in fixtures().iter().filter(|b| b.starts_with(&[0xD4, 0xC3, 0xB2, 0xA1])) {
        let mut rest = &bytes[24.min(bytes.len())..];
        while let Some((head, after)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
            let Some((frame, after)) = after.split_at_checked(length) else { break };
            out.push(frame.to_vec());
            rest = after;
        }
    }
    out
}

/// Calls `target` with each input as it is and with some bytes changed, always the same ones.
fn drive(inputs: &[Vec<u8>], target: impl Fn(&[u8])) {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for input in inputs {
        target(input);
        for _ in 0..ROUNDS {
            let mut bytes = input.clone();
            for _ in 0..=next() % 4 {
                if bytes.is_empty() {
                    break;
                }
                let at = next() % bytes.len();
                match next() % 4 {
                    0 => bytes[at] = next() as u8,
                    1 => bytes[at] ^= 1 << (next() % 8),
                    2 => bytes.truncate(at),
                    _ => bytes.insert(at, next() as u8),
                }
            }
            target(&bytes);
        }
    }
}

#[test]
fn packet() {
    for link in 0..16 {
        let inputs: Vec<_> = pieces().into_iter().step_by(7).map(|f| [&[link][..], &f].concat()).collect();
        drive(&inputs, frames::packet);
    }
}

#[test]
fn captures() {
    let inputs: Vec<Vec<u8>> = fixtures().into_iter().filter(|b| b.len() < 2000).collect();
    drive(&inputs, |data| frames::capture(&[], data));
    for head in [frames::PCAP, frames::PCAPNG] {
        let inputs: Vec<Vec<u8>> =
            inputs.iter().filter(|b| b.len() > 28 && b.starts_with(&head[..4])).map(|b| b[24..].to_vec()).collect();
        assert!(!inputs.is_empty());
        drive(&inputs, |data| frames::capture(head, data));
    }
}
