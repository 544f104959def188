//! Interfaces that go down, come back, are deleted and made again; several at once.

use std::time::{Duration, Instant};

use picket::capture::Batch;
use picket::capture::live::{self, Backend, Live, LiveError, LiveOptions};

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::net::{Net, Sender, frames};
use crate::{BACKENDS, LIMIT, open_one, options, read};

/// Polls until the first interface is as asked.
fn wait(sources: &mut [Box<dyn Live>], is_up: bool) {
    let (start, mut batch) = (Instant::now(), Batch::default());
    while sources.iter().any(|source| source.state()[0].is_up != is_up) {
        assert!(start.elapsed() < LIMIT, "never {}", if is_up { "up" } else { "down" });
        sources.iter_mut().for_each(|source| assert!(source.poll(&mut batch)));
    }
}

/// Sends frames, and gives how many of them each worker saw.
fn shares(sources: &mut [Box<dyn Live>], sent: &[Vec<u8>]) -> Vec<usize> {
    let mut sender = Sender::new("tx0");
    sent.iter().for_each(|frame| sender.send(frame));
    sources.iter_mut().map(|source| read(source.as_mut(), sent.len()).len()).collect()
}

#[test]
fn capture_goes_on_when_an_interface_is_back() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let sent: Vec<_> = frames("pcaps/clean-mix.pcap").into_iter().take(200).collect();
    for (backend, workers) in [(Backend::AfPacket, 1), (Backend::AfPacket, 2), (Backend::Pcap, 1)] {
        let mut sources = live::open(&LiveOptions { workers, ..options(backend) }).expect("opens");
        assert_eq!(shares(&mut sources, &sent).iter().sum::<usize>(), sent.len());
        for downs in 1..=3 {
            net.ip("link set rx0 down");
            wait(&mut sources, false);
            net.ip("link set rx0 up");
            wait(&mut sources, true);
            assert_eq!(shares(&mut sources, &sent).iter().sum::<usize>(), sent.len(), "{backend:?} {workers}");
            assert!(sources.iter().all(|source| source.state()[0].downs == downs), "{backend:?} {workers}");
        }
        // A cable that is out is as bad.
        net.ip("link set tx0 down");
        wait(&mut sources, false);
        net.ip("link set tx0 up");
        wait(&mut sources, true);
        assert_eq!(shares(&mut sources, &sent).iter().sum::<usize>(), sent.len());
        // A break that is over before the next poll is counted.
        net.ip("link set rx0 down");
        net.ip("link set rx0 up");
        wait(&mut sources, true);
        assert_eq!(shares(&mut sources, &sent).iter().sum::<usize>(), sent.len());
        // libpcap does not say so.
        let downs = if backend == Backend::Pcap { 4 } else { 5 };
        assert!(sources.iter().all(|source| source.state()[0].downs == downs), "{backend:?} {workers}");
    }
}

#[test]
fn capture_goes_on_at_an_interface_made_again() {
    let Some(net) = Net::new() else { return };
    let sent: Vec<_> = frames("pcaps/clean-mix.pcap").into_iter().take(200).collect();
    for (backend, workers) in [(Backend::AfPacket, 1), (Backend::AfPacket, 2), (Backend::Pcap, 1)] {
        net.pair("rx0", "tx0");
        let mut sources = live::open(&LiveOptions { workers, ..options(backend) }).expect("opens");
        for round in 1..=3u64 {
            assert_eq!(shares(&mut sources, &sent).iter().sum::<usize>(), sent.len(), "{backend:?} {workers} {round}");
            net.ip("link del rx0");
            wait(&mut sources, false);
            net.pair("rx0", "tx0");
            match backend {
                Backend::Pcap => wait(&mut sources, true),
                _ => unprivileged(|| wait(&mut sources, true)),
            }
            let received: u64 = sources.iter_mut().map(|source| source.losses().received).sum();
            assert_eq!(received, round * sent.len() as u64, "{backend:?} {workers}: what was counted stays");
        }
        drop(sources);
        net.ip("link del rx0");
    }
}

#[test]
fn an_interface_made_again_too_often_stays_down_and_harms_nothing() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    net.pair("rx1", "tx1");
    let interfaces = vec!["rx0".into(), "rx1".into()];
    let workers = LiveOptions { workers: 2, interfaces, ring_bytes: 1 << 20, ..options(Backend::AfPacket) };
    let mut sources = live::open(&workers).expect("opens");
    for _ in 0..16 {
        net.ip("link del rx0");
        wait(&mut sources, false);
        net.pair("rx0", "tx0");
        wait(&mut sources, true);
    }
    net.ip("link del rx0");
    wait(&mut sources, false);
    net.pair("rx0", "tx0");
    Sender::new("tx1").send(&[7; 100]);
    let seen: usize = sources.iter_mut().map(|source| read(source.as_mut(), 1).len()).sum();
    assert_eq!(seen, 1);
    for source in &sources {
        let up: Vec<bool> = source.state().iter().map(|state| state.is_up).collect();
        assert_eq!(up, [false, true]);
    }
}

/// Does something without any privilege; a child of this thread has them all the same.
fn unprivileged<T>(act: impl FnOnce() -> T) -> T {
    let held = capabilities(None).expect("own capabilities");
    let none = CapabilitySets { effective: CapabilitySet::empty(), ..held };
    set_capabilities(None, none).expect("dropped");
    let out = act();
    set_capabilities(None, held).expect("taken again");
    out
}

#[test]
fn an_interface_may_be_down_at_the_start() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let sent: Vec<_> = frames("pcaps/clean-mix.pcap").into_iter().take(200).collect();
    for workers in [1, 2] {
        net.ip("link set rx0 down");
        let filter = Some("vlan or not vlan".into());
        let mut sources = live::open(&LiveOptions { workers, filter, ..options(Backend::AfPacket) }).expect("opens");
        wait(&mut sources, false);
        assert!(sources.iter().all(|source| source.state()[0].downs == 0), "it was never up");
        net.ip("link set rx0 up");
        wait(&mut sources, true);
        assert_eq!(shares(&mut sources, &sent).iter().sum::<usize>(), sent.len());
    }
}

#[test]
fn several_interfaces_are_told_apart_and_none_starves() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    net.pair("rx1", "tx1");
    for backend in BACKENDS {
        let interfaces = vec!["rx1".into(), "rx0".into()];
        let mut source = open_one(&LiveOptions { interfaces, ..options(backend) });
        let (mut first, mut second) = (Sender::new("tx1"), Sender::new("tx0"));
        (0..3000).for_each(|_| first.send(&[1; 100]));
        (0..10).for_each(|_| second.send(&[2; 100]));
        std::thread::sleep(Duration::from_millis(50));
        let (mut batch, mut counts, mut files) = (Batch::default(), [0u64; 2], Vec::new());
        for _ in 0..30 {
            assert!(source.poll(&mut batch));
            for frame in &batch.frames {
                counts[frame.file as usize] += 1;
                assert_eq!(frame.number, counts[frame.file as usize]);
                assert_eq!(u32::from(batch.data[frame.offset]), frame.file + 1);
            }
            files.extend(batch.frames.first().map(|frame| frame.file));
        }
        assert_eq!(counts, [3000, 10], "{backend:?}");
        assert!(files.len() >= 3 && files[..3].contains(&1), "the busy one does not come first always: {files:?}");
    }
}

#[test]
fn what_cannot_be_captured_is_said() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    for backend in [Backend::AfPacket, Backend::Pcap, Backend::Auto] {
        let none = live::open(&LiveOptions { interfaces: vec!["none0".into()], ..options(backend) });
        let error = none.err().expect("no such interface");
        assert!(matches!(&error, LiveError::NoSuchInterface(name) if name == "none0"), "{backend:?}: {error}");
    }
    let stamps = LiveOptions { timestamps: live::Timestamps::Hardware, ..options(Backend::AfPacket) };
    let error = live::open(&stamps).err().expect("a veth has no clock");
    assert!(error.to_string().contains("hardware"), "{error}");
    // `any` is libpcap's.
    let any = LiveOptions { interfaces: vec!["any".into()], ..options(Backend::Auto) };
    assert_eq!(live::open(&any).map(|sources| sources.len()).ok(), Some(1));
}
