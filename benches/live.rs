//! What a captured frame costs the worker, by backend: processor time of polling and of reading the first 64 bytes of each frame,
//! as a decoder does. The frames lie in the ring already, so neither the kernel's share nor waiting is in it.
//!
//! Needs root and `ip`, for it makes a network of its own; says so and skips elsewhere.

#[path = "../tests/live_capture/net.rs"]
mod net;

use std::hint::black_box;
use std::time::Duration;

use net::{Net, Sender};
use picket::capture::Batch;
use picket::capture::live::{self, Backend, LiveOptions};
use rustix::time::{ClockId, clock_gettime};

/// Lengths of a mixed network, as in `benches/capture.rs`.
const LENGTHS: [usize; 16] = [60, 66, 60, 66, 1514, 74, 60, 120, 90, 60, 66, 1514, 60, 66, 200, 90];

/// Frames of a round: they fit the ring.
const FRAMES: usize = 48_000;

/// The best of so many rounds stands.
const ROUNDS: usize = 15;

fn main() {
    let is_smoke = std::env::args().any(|argument| argument == "--test");
    let Some(net) = Net::new() else { return };
    net.pair("rx0", "tx0");
    let (frames, rounds) = if is_smoke { (1_000, 1) } else { (FRAMES, ROUNDS) };
    let mut best = [Duration::MAX; BACKENDS.len()];
    for _ in 0..rounds {
        for ((name, backend, tag), best) in BACKENDS.into_iter().zip(&mut best) {
            let time = round(backend, tag, frames);
            *best = time.min(*best);
            black_box(name);
        }
    }
    let reference = best[0].as_secs_f64();
    for ((name, ..), time) in BACKENDS.iter().zip(best) {
        let ns = time.as_secs_f64() * 1e9 / frames as f64;
        eprintln!("{name:<24} {ns:6.1} ns a frame, {:.2} times the first", time.as_secs_f64() / reference);
    }
}

/// Processor time of the frames of one round.
fn round(backend: Backend, tag: &[u8], frames: usize) -> Duration {
    let interfaces = vec!["rx0".into()];
    let mut source =
        live::open(&LiveOptions { interfaces, backend, ..LiveOptions::default() }).expect("opens").remove(0);
    let mut sender = Sender::new("tx0");
    for (number, length) in LENGTHS.into_iter().cycle().take(frames).enumerate() {
        let mut frame = [&[2; 12][..], tag, &[8, 0]].concat();
        frame.resize(length, number as u8);
        sender.send(&frame);
    }
    std::thread::sleep(Duration::from_millis(50));
    let (mut batch, mut count, mut sum) = (Batch::default(), 0, 0u64);
    let start = cpu();
    while count < frames {
        assert!(source.poll(&mut batch) && !batch.frames.is_empty(), "{count} of {frames} came");
        count += batch.frames.len();
        for frame in &batch.frames {
            let bytes = &batch.data[frame.offset..][..frame.captured_bytes as usize];
            sum += bytes.iter().take(64).step_by(8).map(|&byte| u64::from(byte)).sum::<u64>();
        }
    }
    let time = cpu() - start;
    black_box(sum);
    assert_eq!((count as u64, source.losses().kernel_dropped), (source.losses().received, 0));
    time
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

const BACKENDS: [(&str, Backend, &[u8]); 4] = [
    ("AF_PACKET", Backend::AfPacket, &[]),
    ("AF_PACKET, tagged", Backend::AfPacket, &[0x81, 0, 0, 5]),
    ("libpcap", Backend::Pcap, &[]),
    ("libpcap, tagged", Backend::Pcap, &[0x81, 0, 0, 5]),
];
