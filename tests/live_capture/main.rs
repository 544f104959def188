//! Live capture in network namespaces of its own. Needs root and `ip`; each test that cannot run says so.

mod net;

use std::time::{Duration, Instant};

use net::{Net, Sender, frames};
use picket::capture::Batch;
use picket::capture::live::{self, Backend, Live, LiveOptions};

/// What has come, in order.
#[derive(Default)]
struct Seen {
    frames: Vec<Vec<u8>>,
}

/// Reads until `count` frames have come, or nothing more does.
fn read(source: &mut dyn Live, count: usize) -> Seen {
    let (mut seen, mut batch) = (Seen::default(), Batch::default());
    let start = Instant::now();
    let mut empty = 0;
    while seen.frames.len() < count && start.elapsed() < LIMIT && empty < 5 {
        assert!(source.poll(&mut batch), "an interface has no end");
        empty = if batch.frames.is_empty() { empty + 1 } else { 0 };
        for frame in &batch.frames {
            seen.frames.push(batch.data[frame.offset..][..frame.captured_bytes as usize].to_vec());
            assert_eq!(frame.wire_bytes, frame.captured_bytes);
            assert!(frame.time.secs() > 1_700_000_000, "a time of today");
        }
    }
    seen
}

fn options(backend: Backend) -> LiveOptions {
    LiveOptions { interfaces: vec!["rx0".into()], backend, ring_bytes: 8 << 20, ..LiveOptions::default() }
}

#[test]
fn every_frame_arrives_as_it_was_sent() {
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let sent = frames("pcaps");
    for backend in BACKENDS {
        let mut source = live::open(&options(backend)).expect("opens").remove(0);
        let mut sender = Sender::new("tx0");
        for (number, part) in sent.chunks(PART).enumerate() {
            part.iter().for_each(|frame| sender.send(frame));
            let seen = read(source.as_mut(), part.len());
            let first_wrong = seen.frames.iter().zip(part).position(|(seen, sent)| seen != sent);
            assert_eq!((seen.frames.len(), first_wrong), (part.len(), None), "{backend:?}, part {number}");
        }
        let losses = source.losses();
        assert_eq!((losses.received, losses.kernel_dropped), (sent.len() as u64, 0), "{backend:?}");
    }
}

const BACKENDS: [Backend; 1] = [Backend::Pcap];

/// Frames that fit any ring.
const PART: usize = 500;

/// For any test, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);
