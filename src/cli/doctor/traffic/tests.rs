use super::super::finding::{Level, levels};
use super::*;
use crate::time::Timestamp;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn ethernet() -> interface::Facts {
    interface::Facts { is_there: true, mtu: 1500, address: Some(OWN), ..interface::Facts::default() }
}

/// An Ethernet frame from one of 192.0.2.0/24 to another, TCP with these flags.
fn frame(from: u8, to: u8, port: u16, flags: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0];
    frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, from, 192, 0, 2, to]);
    let (source, destination) = if from < to { (port, 443) } else { (443, port) };
    frame.extend(u16::to_be_bytes(source));
    frame.extend(u16::to_be_bytes(destination));
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    frame
}

fn meta(bytes: &[u8], wire_bytes: u32) -> FrameMeta {
    FrameMeta {
        offset: 0,
        time: Timestamp::from_parts(0, 0),
        number: 1,
        captured_bytes: bytes.len() as u32,
        wire_bytes,
        file: 0,
        link: LinkType::ETHERNET,
    }
}

fn tally(frames: &[Vec<u8>]) -> Tally {
    let facts = ethernet();
    let mut listener = Listener::new(&facts);
    for frame in frames {
        listener.frame(&meta(frame, frame.len() as u32), frame);
    }
    listener.finish()
}

#[test]
fn conversations_are_counted_by_directions() {
    let tally = tally(&[
        frame(1, 2, 1000, tcp_flag::SYN),
        frame(2, 1, 1000, tcp_flag::SYN | tcp_flag::ACK),
        frame(1, 2, 1000, tcp_flag::ACK),
        frame(1, 2, 1001, tcp_flag::ACK),
        frame(1, 2, 1001, tcp_flag::ACK),
        // A scan that nobody answers, and one that is refused.
        frame(1, 2, 1002, tcp_flag::SYN),
        frame(2, 1, 1003, tcp_flag::RST | tcp_flag::ACK),
    ]);
    assert_eq!((tally.frames, tally.both_ways, tally.one_way, tally.of_others), (7, 1, 1, 7));
}

#[test]
fn own_and_broadcast_frames_are_no_mirror() {
    let mut broadcast = frame(1, 2, 1, tcp_flag::ACK);
    broadcast[..6].fill(0xff);
    let heard = tally(&[broadcast, frame(9, 2, 1, tcp_flag::ACK), frame(1, 9, 1, tcp_flag::ACK)]);
    assert_eq!(heard.of_others, 0);
    assert_eq!(mirror(&ethernet(), &heard).level, Level::Warn);
    assert_eq!(mirror(&ethernet(), &tally(&[frame(1, 2, 1, tcp_flag::ACK)])).level, Level::Ok);
}

#[test]
fn longer_than_the_mtu_and_cut_are_noticed() {
    let (facts, bytes) = (ethernet(), frame(1, 2, 1, tcp_flag::ACK));
    let mut listener = Listener::new(&facts);
    listener.frame(&meta(&bytes, 1518), &bytes);
    listener.frame(&meta(&bytes, 9000), &bytes);
    let tally = listener.finish();
    assert_eq!((tally.merged, tally.cut), (1, 2));
    let mut findings = Vec::new();
    of_interface(&facts, &tally, Duration::from_secs(5), &mut |finding| findings.push(finding));
    assert!(
        levels(&findings).contains(&("frame-size", Level::Warn))
            && levels(&findings).contains(&("snap-length", Level::Warn))
    );
}

#[test]
fn a_share_of_few_is_never_a_failure() {
    let of = |one_way, both_ways| directions(&Tally { one_way, both_ways, ..Tally::default() }).level;
    assert_eq!(
        [of(0, 0), of(3, 0), of(30, 0), of(30, 30), of(2, 98)],
        [Level::Warn, Level::Warn, Level::Fail, Level::Warn, Level::Ok]
    );
}

#[test]
fn what_cannot_be_heard_is_a_failure_and_silence_a_warning() {
    let names = ["eth1".to_owned()];
    let judged = |heard: &Heard| {
        let mut findings = Vec::new();
        judge(&names, &[ethernet()], heard, Duration::from_secs(5), &mut findings);
        levels(&findings)
    };
    let refused = Heard { refused: Some("no".into()), ..Heard::default() };
    assert_eq!(judged(&refused), [("capture", Level::Fail)]);
    let silent = Heard { interfaces: vec![Tally::default()], ..Heard::default() };
    assert_eq!(judged(&silent), [("capture", Level::Ok), ("traffic", Level::Warn)]);
    let losing = Heard { losses: Losses { kernel_dropped: 1, ..Losses::default() }, ..silent };
    assert_eq!(judged(&losing)[0], ("capture", Level::Warn));
}
