//! Compressed files and pipes.

use std::collections::HashSet;
use std::io::{Cursor, Write};
use std::os::fd::AsRawFd;

use super::build::{Ng, Pcap, Random, mixed, samples};
use super::*;

type Packer = fn(&[u8]) -> Vec<u8>;

pub(super) const PACKERS: [(&str, Packer); 4] = [
    ("gzip", |plain| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(plain).and_then(|()| out.finish()).expect("packed")
    }),
    ("zstd", |plain| zstd::encode_all(plain, 1).expect("packed")),
    ("xz", |plain| {
        let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
        out.write_all(plain).and_then(|()| out.finish()).expect("packed")
    }),
    ("lz4", |plain| {
        let small = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
        let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(small, Vec::new());
        out.write_all(plain).expect("packed");
        out.finish().expect("packed")
    }),
];

#[test]
fn compression_is_told_by_content_and_changes_nothing() {
    let directory = temporary();
    let mut random = Random(20);
    let all = samples(&mut random, 1500, 3000);
    for plain in [Pcap::default().build(&all), mixed(&mut random, &all)] {
        let expected = run_file(directory.path(), "plain.gz", &plain);
        assert_eq!(expected.troubles, []);
        for (name, pack) in PACKERS {
            let got = run_file(directory.path(), "plain.txt", &pack(&plain));
            assert_eq!(got.troubles, []);
            assert!(got.frames == expected.frames, "{name}");
            assert_eq!(got.files[0].compression, Some(name));
            assert_eq!(got.files[0].read_bytes, plain.len() as u64);
            // Packed in parts and put together, as log rotation and parallel packers do.
            let (a, b) = plain.split_at(plain.len() / 3);
            let parts = [pack(a), pack(b)].concat();
            assert!(run_file(directory.path(), "parts", &parts).frames == expected.frames, "{name} in parts");
        }
    }
}

#[test]
fn a_cut_stream_gives_what_came_before() {
    let directory = temporary();
    let plain = Pcap::default().build(&samples(&mut Random(21), 3000, 1000));
    let expected = run_file(directory.path(), "plain", &plain);
    for (name, pack) in PACKERS {
        let mut packed = pack(&plain);
        packed.truncate(packed.len() * 2 / 3);
        let run = run_file(directory.path(), "cut", &packed);
        assert!(expected.frames.starts_with(&run.frames));
        assert!(run.frames.len() > 1000, "{name}: {}", run.frames.len());
        assert_eq!(run.troubles.len(), 1);
        assert!(run.troubles[0].code == "unpack_failed" && run.troubles[0].reason.contains(name), "{:?}", run.troubles);
        assert!(!run.troubles[0].unreadable);
    }
}

#[test]
fn what_is_packed_twice_or_is_no_capture_is_named() {
    let directory = temporary();
    for (name, pack) in PACKERS {
        let twice = run_file(directory.path(), "a", &pack(&pack(b"x")));
        assert_eq!(twice.codes(), [("not_a_capture", 0)]);
        assert!(twice.troubles[0].reason.contains(&format!("{name} data inside")), "{:?}", twice.troubles);
        let text = run_file(directory.path(), "a", &pack(b"a page of text"));
        assert!(text.troubles[0].reason.ends_with("looks like text"), "{:?}", text.troubles);
        assert_eq!(text.files[0].compression, Some(name));
    }
}

#[test]
fn a_bomb_is_walked_in_bounded_memory() {
    let directory = temporary();
    let path = directory.path().join("bomb");
    let mut ng = Ng::new(false);
    ng.interface(1, 0, &[]);
    ng.block(0xbad, &vec![0; 200_000_000]);
    ng.enhanced(0, 0, 1, b"x");
    fs::write(&path, zstd::encode_all(Cursor::new(ng.build()), 1).expect("packed")).expect("written");
    assert!(fs::metadata(&path).expect("there").len() < 100_000);
    let run = run(&[path], Access::Read);
    assert_eq!((run.frames.len(), run.troubles.len()), (1, 0));
}

#[test]
fn buffers_are_recycled() {
    let directory = temporary();
    let path = directory.path().join("a");
    fs::write(&path, Pcap::default().build(&samples(&mut Random(22), 9000, 1500))).expect("written");
    let mut files = Files::open(&[path]).expect("there");
    let mut batch = Batch::default();
    let mut addresses = HashSet::new();
    while files.poll(&mut batch) {
        addresses.insert(batch.data.as_ptr());
    }
    assert!((2..=3).contains(&addresses.len()), "{} buffers for one batch at a time", addresses.len());
}

#[test]
fn a_batch_in_use_keeps_its_bytes() {
    let directory = temporary();
    let path = directory.path().join("a");
    let all = samples(&mut Random(23), 3000, 1500);
    fs::write(&path, Pcap::default().build(&all)).expect("written");
    let mut files = Files::open(&[path]).expect("there");
    let mut batches = Vec::new();
    let mut batch = Batch::default();
    while files.poll(&mut batch) {
        batches.push(std::mem::take(&mut batch));
    }
    let bytes = batches.iter().flat_map(|b| b.frames.iter().map(|f| &b.data[f.offset..][..f.captured_bytes as usize]));
    assert!(bytes.eq(all.iter().map(|sample| sample.bytes.as_slice())));
}

#[test]
fn a_pipe_hands_out_what_is_there() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
    if !path.exists() {
        eprintln!("skipped: no /dev/fd here");
        return;
    }
    let all = samples(&mut Random(24), 8, 1000);
    let (first, rest) = all.split_at(5);
    let mut files = Files::open(&[path]).expect("there");
    assert_eq!(files.total_bytes(), None);
    writer.write_all(&Pcap::default().build(first)).expect("written");
    let mut batch = Batch::default();
    let mut got = 0;
    while got < first.len() {
        assert!(files.poll(&mut batch));
        got += batch.frames.len();
    }
    writer.write_all(&Pcap::default().build(rest)[24..]).expect("written");
    drop(writer);
    while files.poll(&mut batch) {
        got += batch.frames.len();
    }
    assert_eq!((got, files.troubles()), (all.len(), &[][..]));
}

#[test]
fn the_source_can_move_to_a_reader_thread() {
    fn is_send<T: Send>() {}
    is_send::<Files>();
}
