//! Several workers: every frame at one of them, both directions of a flow at the same one.

use std::collections::{BTreeMap, BTreeSet};

use picket::capture::live::{self, Backend, LiveOptions, Spread};
use picket::flow::{End, FlowKey, HashSeed};
use picket::packet::{self, LinkType, Packet, protocol};

use crate::net::{Net, Sender, frames};
use crate::{PART, options, read};

#[test]
fn every_frame_is_seen_once_whatever_the_number_of_workers() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let all = frames("pcaps");
    for (workers, spread) in CASES {
        // With a spread by flows, pieces of IPv4 datagrams come whole; see below.
        let comes = |frame: &&Vec<u8>| workers == 1 || spread == Spread::Hosts || !is_piece(frame);
        let sent: Vec<_> = all.iter().filter(comes).cloned().collect();
        let options = LiveOptions { workers, spread, ring_bytes: 4 << 20, ..options(Backend::AfPacket) };
        let mut sources = live::open(&options).expect("opens");
        assert_eq!(sources.len(), workers);
        let mut sender = Sender::new("tx0");
        let (mut expected, mut seen) = (BTreeMap::new(), BTreeMap::new());
        let mut shares = vec![0; workers];
        for part in sent.chunks(PART) {
            for frame in part {
                sender.send(frame);
                *expected.entry(frame.clone()).or_insert(0) += 1;
            }
            for (source, share) in sources.iter_mut().zip(&mut shares) {
                for frame in read(source.as_mut(), part.len()) {
                    *seen.entry(frame).or_insert(0) += 1;
                    *share += 1;
                }
            }
        }
        assert_eq!(shares.iter().sum::<usize>(), sent.len(), "{workers} workers: {shares:?}");
        assert!(seen == expected, "{workers} workers");
        // The fixtures have few hosts.
        let least = if spread == Spread::Hosts { 1 } else { sent.len() / workers / 4 };
        assert!(shares.iter().all(|&share| share >= least), "{workers} workers by {spread:?}: {shares:?}");
        let received: u64 = sources.iter_mut().map(|source| source.losses().received).sum();
        assert_eq!(received, sent.len() as u64);
    }
}

/// Whether an IPv4 datagram's header says that this is not all of it, behind any tags.
fn is_piece(frame: &[u8]) -> bool {
    let mut at = 12;
    while matches!(frame.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8] | [0x91, 0])) {
        at += 4;
    }
    matches!(frame.get(at..at + 2), Some([8, 0]))
        && frame.get(at + 8..at + 10).is_some_and(|field| field[0] & 0x3f != 0 || field[1] != 0)
}

#[test]
fn both_directions_of_a_flow_are_one_workers() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let sent = frames("pcaps");
    for spread in [Spread::Flows, Spread::Hosts] {
        let options = LiveOptions { workers: 4, spread, ..options(Backend::AfPacket) };
        let mut sources = live::open(&options).expect("opens");
        let mut sender = Sender::new("tx0");
        // For each flow the workers that saw it with the headers of a frame that they saw, and frames of each direction.
        let mut flows: BTreeMap<u64, (BTreeMap<usize, String>, [u32; 2])> = BTreeMap::new();
        for part in sent.chunks(PART) {
            part.iter().for_each(|frame| sender.send(frame));
            for (worker, source) in sources.iter_mut().enumerate() {
                for frame in read(source.as_mut(), part.len()) {
                    if let Some((key, from)) = plain_flow(&frame, spread) {
                        let (workers, directions) = flows.entry(key.hash(HashSeed(1))).or_default();
                        let head: String = frame[12..frame.len().min(70)].iter().map(|b| format!("{b:02x}")).collect();
                        workers.entry(worker).or_insert(head);
                        directions[usize::from(from == End::Low)] += 1;
                    }
                }
            }
        }
        let two_way = flows.values().filter(|(_, directions)| directions.iter().all(|&count| count > 0)).count();
        assert!(two_way > 100, "{spread:?}: {two_way} flows with both directions");
        let split: Vec<_> = flows.values().filter(|(workers, _)| workers.len() > 1).collect();
        assert!(split.is_empty(), "{spread:?}: {} of {}: {split:?}", split.len(), flows.len());
    }
}

/// The flow of a frame with TCP or UDP straight in IP, behind two tags at most: tunnels and other encapsulations are flows of their own to
/// the kernel. With a spread by flows, what has a fragment header goes by its addresses.
fn plain_flow(frame: &[u8], spread: Spread) -> Option<(FlowKey, End)> {
    let (mut packet, mut beside) = (Packet::default(), packet::Beside::default());
    packet::decode_into(&mut packet, frame, LinkType::ETHERNET, &mut beside);
    let is_tag = |at: usize| matches!(frame.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8]));
    let header = &frame[12 + [12, 16].iter().take_while(|&&at| is_tag(at)).count() * 4..];
    let is_ip = matches!(header, [8, 0, ..] | [0x86, 0xdd, ..]);
    let is_plain = matches!(packet.protocol, protocol::TCP | protocol::UDP) && beside.is_empty();
    let has_fragment_header = packet.is_fragment || matches!(header, [0x86, 0xdd, _, _, _, _, _, _, 44, ..]);
    FlowKey::of(&packet).filter(|_| is_ip && is_plain && (!has_fragment_header || spread == Spread::Hosts))
}

#[test]
fn two_sensors_on_an_interface_see_all_of_it_each() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let sent: Vec<_> = frames("pcaps/clean-mix.pcap").into_iter().take(PART).collect();
    let workers = LiveOptions { workers: 2, ..options(Backend::AfPacket) };
    let mut sensors = [(); 2].map(|()| live::open(&workers).expect("opens"));
    let mut sender = Sender::new("tx0");
    sent.iter().for_each(|frame| sender.send(frame));
    for sources in &mut sensors {
        let seen: usize = sources.iter_mut().map(|source| read(source.as_mut(), sent.len()).len()).sum();
        assert_eq!(seen, sent.len());
    }
}

#[test]
fn a_datagram_in_pieces_comes_whole_to_the_worker_of_its_flow() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let payload: Vec<u8> = (0..2000u32).map(|at| at as u8).collect();
    for workers in [1, 2, 4] {
        let mut sources = live::open(&LiveOptions { workers, ..options(Backend::AfPacket) }).expect("opens");
        let mut sender = Sender::new("tx0");
        for port in 0..20u8 {
            let udp = [&[10, port, 0, 53][..], &(payload.len() as u16 + 8).to_be_bytes(), &[0, 0], &payload].concat();
            sender.send(&ipv4(17, port, 0, false, &udp[..64]));
            for (at, piece) in udp.chunks(1000).enumerate() {
                sender.send(&ipv4(17, port + 100, at as u16 * 125, (at + 1) * 1000 < udp.len(), piece));
            }
        }
        for source in &mut sources {
            let seen = read(source.as_mut(), 100);
            let port = |frame: &[u8]| frame[35];
            let (whole, pieces): (Vec<_>, Vec<_>) =
                seen.iter().partition(|frame| frame[20] & 0x3f == 0 && frame[21] == 0);
            let long: BTreeSet<u8> = whole.iter().filter(|frame| frame.len() > 1500).map(|frame| port(frame)).collect();
            let short: BTreeSet<u8> =
                whole.iter().filter(|frame| frame.len() < 1500).map(|frame| port(frame)).collect();
            if workers == 1 {
                assert_eq!((pieces.len(), short.len()), (60, 20), "as they are");
            } else {
                assert!(pieces.is_empty());
                assert_eq!(long, short, "a datagram is where its flow is");
            }
        }
    }
}

/// A datagram, or a piece of one.
fn ipv4(protocol: u8, id: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let field = (offset | if more { 0x2000 } else { 0 }).to_be_bytes();
    let mut header =
        [0x45, 0, length[0], length[1], 0, id, field[0], field[1], 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9];
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &header, payload].concat()
}

const CASES: [(usize, Spread); 5] =
    [(1, Spread::Flows), (2, Spread::Flows), (4, Spread::Flows), (2, Spread::Hosts), (4, Spread::Hosts)];
