//! Datagrams whose pieces lie in different batches are put together, and the output is the same for any number of threads.
//!
//! Seen to fail: with batches let into `Turns` in any order, and with the ends of datagrams left out below.

mod common;

use std::fs;

use common::{at, documents, finish, picket, replay, stderr, stdout};

/// Datagrams whose pieces lie far apart: more frames than three batches have.
const DATAGRAMS: u16 = 1500;

/// Between two of them: so far apart that all come within the time that a datagram may take.
const STEP_US: u32 = 1000;

#[test]
fn pieces_in_different_batches_are_one_datagram_for_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("pieces.pcap");
    let mut frames: Vec<Vec<u8>> = (0..DATAGRAMS).map(|n| piece(n, 0, &datagram(n)[..24])).collect();
    // The second pieces in another order.
    frames.extend((0..DATAGRAMS).rev().map(|n| piece(n, 24, &datagram(n)[24..])));
    fs::write(&path, capture(&frames)).expect("written");
    let file = path.to_str().expect("plain path").to_owned();
    let (alerts, output) = replay(std::slice::from_ref(&file), 1);
    assert!(output.status.success(), "{}", stderr(&output));
    let found = documents(&alerts);
    assert_eq!(found.len(), usize::from(DATAGRAMS));
    let first = at(&found[0], "picket.frame").and_then(serde_json::Value::as_u64);
    assert_eq!(first, Some(u64::from(DATAGRAMS) + 1), "the frame that completes is named");
    for threads in [2, 3, 5, 16] {
        for _ in 0..3 {
            assert!(replay(std::slice::from_ref(&file), threads).0 == alerts, "{threads} threads");
        }
        let mut apart = picket();
        apart.args([
            "replay",
            "-q",
            "--feed",
            common::FEED,
            "--sharing",
            "never",
            "--threads",
            &threads.to_string(),
            &file,
        ]);
        assert!(stdout(&finish(&mut apart)) == alerts, "{threads} threads that read for themselves");
    }
}

#[test]
fn what_is_never_whole_is_said() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, summary) = (folder.path().join("pieces.pcap"), folder.path().join("summary.json"));
    let frames: Vec<Vec<u8>> = (0..5).map(|n| piece(n, 0, &datagram(n)[..24])).collect();
    fs::write(&path, capture(&frames)).expect("written");
    for (threads, sharing) in [("1", "auto"), ("3", "always"), ("3", "never")] {
        let mut command = picket();
        command.args(["replay", "--feed", common::FEED, "--threads", threads, "--sharing", sharing]);
        command.args(["--alerts", "/dev/null", "--summary"]);
        let output = finish(command.arg(&summary).arg(&path));
        assert!(output.status.success(), "{}", stderr(&output));
        let text = fs::read_to_string(&summary).expect("summary");
        assert!(text.contains("ip.fragment_incomplete"), "{text}");
    }
}

/// A UDP header and a DNS query for a listed name, from a port of its own.
fn datagram(n: u16) -> Vec<u8> {
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x04evil\x07example\0\0\x01\0\x01";
    let length = (8 + query.len() as u16).to_be_bytes();
    [&(20_000 + n).to_be_bytes()[..], &[0, 53], &length, &[0, 0], query].concat()
}

fn piece(id: u16, offset: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((20 + payload.len() as u16).to_be_bytes());
    frame.extend(id.to_be_bytes());
    frame.extend(((offset / 8) | if offset == 0 { 0x2000 } else { 0 }).to_be_bytes());
    frame.extend([64, 17, 0, 0, 192, 0, 2, 10, 192, 0, 2, 53]);
    frame.extend_from_slice(payload);
    frame
}

fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0".to_vec();
    for (n, frame) in frames.iter().enumerate() {
        let time = n as u32 * STEP_US;
        for word in [1_700_000_000 + time / 1_000_000, time % 1_000_000, frame.len() as u32, frame.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend_from_slice(frame);
    }
    out
}
