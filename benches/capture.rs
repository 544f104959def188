//! What it costs to walk a capture, a frame: by format, compression and access. Every run asserts its frame count.
//!
//! `PICKET_BENCH_CAPTURE=FILE` walks that file too.

use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use picket::capture::{Access, Batch, Files, Source};

fn walk(path: &Path, access: Access) -> u64 {
    let mut files = Files::open_with(&[path.to_owned()], access).expect("the file is there");
    let mut batch = Batch::default();
    let mut frames = 0;
    while files.poll(&mut batch) {
        frames += batch.frames.len() as u64;
        black_box(&batch.frames);
    }
    assert!(files.troubles().is_empty(), "{:?}", files.troubles());
    frames
}

/// Lengths of a mixed network: many short frames, some full ones; 300 bytes on average.
fn lengths() -> impl Iterator<Item = usize> {
    [60, 66, 60, 66, 1514, 74, 60, 120, 90, 60, 66, 1514, 60, 66, 200, 90].into_iter().cycle().take(FRAMES as usize)
}

fn pcap() -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1];
    let mut out = header.map(u32::to_le_bytes).as_flattened().to_vec();
    for (number, bytes) in (0u32..).zip(lengths()) {
        let record = [1_700_000_000, number % 1_000_000, bytes as u32, bytes as u32];
        out.extend(record.map(u32::to_le_bytes).as_flattened());
        out.extend((0..bytes).map(|at| (at as u32 ^ number) as u8));
    }
    out
}

fn pcapng() -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |numbers: &[u32], bytes: &[u8]| {
        let total = (numbers.len() * 4 + bytes.len().next_multiple_of(4) + 8) as u32;
        out.extend(numbers[0].to_le_bytes());
        out.extend(total.to_le_bytes());
        numbers[1..].iter().for_each(|number| out.extend(number.to_le_bytes()));
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(total.to_le_bytes());
    };
    put(&[0x0a0d_0d0a, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX], &[]);
    put(&[1, 1, 0], &[]);
    for (number, bytes) in (0u32..).zip(lengths()) {
        let content: Vec<u8> = (0..bytes).map(|at| (at as u32 ^ number) as u8).collect();
        put(&[6, 0, 0x0006_0a24, number, bytes as u32, bytes as u32], &content);
    }
    out
}

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let plain = pcap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain).expect("packed");
    let gzip = gzip.finish().expect("packed");
    let cases = [
        ("pcap", file("pcap", &plain)),
        ("pcapng", file("pcapng", &pcapng())),
        ("gzip", file("gzip", &gzip)),
        ("zstd", file("zstd", &zstd::encode_all(plain.as_slice(), 3).expect("packed"))),
    ];
    let mut group = criterion.benchmark_group("capture");
    group.sample_size(20);
    let mut measure = |name: &str, path: &Path, frames: Option<u64>| {
        for access in [Access::Read, Access::Map] {
            let counted = walk(path, access);
            assert_eq!(counted, frames.unwrap_or(counted), "{name}");
            group.throughput(Throughput::Elements(counted));
            group.bench_function(format!("{name}/{access:?}"), |bencher| {
                bencher.iter(|| assert_eq!(walk(path, access), counted));
            });
        }
    };
    for (name, path) in &cases {
        measure(name, path, Some(FRAMES));
    }
    if let Some(path) = std::env::var_os("PICKET_BENCH_CAPTURE").map(PathBuf::from) {
        measure("given", &path, None);
    }
}

const FRAMES: u64 = 200_000;

criterion_group!(benches, bench);
criterion_main!(benches);
