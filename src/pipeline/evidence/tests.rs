use std::fs;
use std::path::Path;

use super::*;
use crate::capture::{Batch, Files, Source};
use crate::flow::{Flow, FlowKey, Identity};
use crate::indicator::kind::DOMAIN;
use crate::indicator::{Context, Draft, IndicatorIx, IndicatorSet, Observable, Value, Where};
use crate::marking::{Marking, Tlp};
use crate::matcher::{How, MatchSet};
use crate::packet::{Address, LinkType, Packet, protocol};

fn options(folder: &Path) -> EvidenceOptions {
    let before = Reach { packets: 3, bytes: 1000, time: Duration::from_secs(5) };
    let after = Reach { packets: 2, bytes: 1000, time: Duration::from_secs(2) };
    EvidenceOptions { before, after, ring_bytes: SHARDS * 1000, ..EvidenceOptions::into_folder(folder.into()) }
}

fn collector() -> Collector {
    Collector::new(&options(Path::new("unused")), 1)
}

fn frame(number: u64, secs: u64, bytes: u32) -> FrameMeta {
    FrameMeta {
        offset: 0,
        time: Timestamp::from_parts(secs, 5),
        number,
        captured_bytes: bytes,
        wire_bytes: bytes,
        file: 0,
        link: LinkType::ETHERNET,
    }
}

fn identity() -> Identity {
    let (source, destination) = (Address::v4([10, 0, 0, 1]), Address::v4([192, 0, 2, 1]));
    let packet = Packet { ip_version: 4, source, destination, protocol: protocol::UDP, ..Packet::default() };
    let (key, from) = FlowKey::of(&packet).expect("addresses");
    Flow::<()>::start(key, &packet, from, Timestamp::ZERO).identity
}

fn alert(number: u64, secs: u64) -> Alert {
    let mut indicators = IndicatorSet::default();
    let contexts = [Tlp::Green, Tlp::Amber]
        .map(|tlp| Context { marking: Marking { tlp: Some(tlp), ..Marking::default() }, ..Context::default() });
    for context in contexts {
        let context = indicators.context(context);
        indicators.add(&Draft::new(&DOMAIN, b"evil.example", context, 1), false).expect("loads");
    }
    let set = Arc::new(MatchSet::compile(indicators, IndicatorSet::default()));
    let observable =
        Observable { kind: &DOMAIN, value: Value::Text(b"evil.example"), at: Where("dns.question.name"), with: &[] };
    let hit = frame(number, secs, 0).reference();
    Alert::new(&identity(), hit, &Path::new("a.pcap").into(), &observable, (IndicatorIx(0), How::Exact), &set)
}

fn keep(kept: &mut Collector, slot: u32, number: u64, secs: u64) {
    kept.keep(0, Slot(slot), &frame(number, secs, 60), &[number as u8; 60]);
}

fn numbers(alert: &Alert) -> Vec<u64> {
    match alert.evidence.as_deref() {
        Some(Evidence::Packets(packets)) => packets.iter().map(|packet| packet.frame.number).collect(),
        _ => panic!("it has packets"),
    }
}

#[test]
fn an_alert_gets_its_flow_s_packets_before_and_after() {
    let mut kept = collector();
    for number in 1..=5 {
        keep(&mut kept, 0, number, 100);
        keep(&mut kept, 1, 100 + number, 100);
    }
    kept.claim(0, Slot(0), &mut vec![alert(5, 100)]);
    assert_eq!(kept.held_back().map(|frame| frame.number), Some(5));
    keep(&mut kept, 1, 106, 101);
    keep(&mut kept, 0, 6, 101);
    keep(&mut kept, 0, 6, 101);
    assert!(kept.done.is_empty(), "one frame is one packet");
    keep(&mut kept, 0, 7, 101);
    keep(&mut kept, 0, 8, 101);
    assert_eq!(kept.done.iter().map(numbers).collect::<Vec<_>>(), [[3, 4, 5, 6, 7]]);
    assert_eq!(kept.held_back(), None);
}

#[test]
fn time_and_the_end_of_the_flow_end_the_wait() {
    let mut kept = collector();
    keep(&mut kept, 0, 1, 90);
    keep(&mut kept, 0, 2, 100);
    kept.claim(0, Slot(0), &mut vec![alert(2, 100)]);
    kept.tick(Timestamp::from_parts(102, 0));
    assert!(kept.done.is_empty());
    kept.tick(Timestamp::from_parts(102, 9));
    assert_eq!(numbers(&kept.done[0]), [2], "the first was too long ago");
    kept.claim(0, Slot(0), &mut vec![alert(2, 103)]);
    keep(&mut kept, 0, 3, 200);
    assert_eq!(numbers(&kept.done[1]), [2], "what comes too late ends it too");
    kept.claim(0, Slot(0), &mut vec![alert(3, 200)]);
    kept.end(0, Slot(0));
    assert_eq!(numbers(&kept.done[2]), [3]);
    keep(&mut kept, 0, 9, 201);
    kept.claim(0, Slot(0), &mut vec![alert(9, 201)]);
    kept.close();
    assert_eq!(numbers(&kept.done[3]), [9], "another flow in the same place");
}

#[test]
fn memory_is_bounded_and_what_is_cut_is_counted() {
    let mut kept = collector();
    for number in 1..=1000 {
        keep(&mut kept, number as u32 % 7, number, 100);
        assert!(kept.rings[0].bytes <= 1000);
    }
    for number in 1001..=1400 {
        let slot = number as u32 % 50;
        keep(&mut kept, slot, number, 100);
        kept.claim(0, Slot(slot), &mut vec![alert(number, 100)]);
        assert!(kept.rings[0].open_bytes <= 1000 && kept.rings[0].open.len() <= MAX_OPEN);
    }
    let waiting = kept.rings[0].open.len();
    assert!(kept.cut_short > 0 && kept.done.len() + waiting == 400, "none is lost");
    kept.close();
    assert_eq!((kept.done.len(), kept.rings[0].open_bytes), (400, 0));
}

#[test]
fn the_folder_keeps_to_its_quota_and_says_what_went() {
    let folder = tempfile::tempdir().expect("folder");
    let options = EvidenceOptions { max_files: 2, ..options(folder.path()) };
    let figures = Arc::<EvidenceFigures>::default();
    let mut filer = Filer::open(&options, Arc::clone(&figures)).expect("opens");
    let mut file = |number: u64| {
        let mut alert = alert(number, 100 + number);
        let packet = KeptPacket { frame: frame(number, 100 + number, 4), data: Arc::from([1, 2, 3, 4]) };
        alert.evidence = Some(Box::new(Evidence::Packets(vec![packet])));
        filer.file(&mut alert);
        match alert.evidence.map(|evidence| *evidence) {
            Some(Evidence::Filed(file)) => file.path,
            _ => panic!("it is filed"),
        }
    };
    let paths = [file(1), file(2), file(3), file(3)];
    assert_eq!(paths[2], paths[3], "the same alert takes its own place");
    assert_eq!(paths.clone().map(|path| path.exists()), [false, true, true, true]);
    let counters = figures.counters();
    assert_eq!((counters.filed, counters.deleted, counters.failed), (4, 1, 0));
    let bytes = fs::read(&paths[1]).expect("file");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("Handling: TLP:AMBER\n"), "as strict as the strictest source");
    let mut read = Files::open(&[paths[1].clone()]).expect("opens");
    let mut batch = Batch::default();
    assert!(read.poll(&mut batch) && batch.frames.len() == 1);
    drop(filer);
    let again = Filer::open(&options, Arc::default()).expect("opens");
    drop(again);
    fs::remove_dir_all(folder.path()).expect("removed");
    let mut alert = alert(9, 100);
    alert.evidence = Some(Box::new(Evidence::Packets(Vec::new())));
    let mut filer = Filer::open(&options, Arc::clone(&figures)).expect("makes it");
    fs::remove_dir_all(folder.path()).expect("removed");
    filer.file(&mut alert);
    assert!(alert.evidence.is_none(), "it goes out without");
    assert_eq!(figures.counters().failed, 1);
}
