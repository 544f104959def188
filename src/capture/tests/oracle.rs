//! Frame by frame against libpcap.

use ::pcap::{Capture, Precision};

use super::build::{Ng, Pcap, Random, samples};
use super::*;
use crate::time::Timestamp;

/// What libpcap reads of a file, and the error that ended it. None if it cannot open it.
fn libpcap(path: &Path) -> Option<(Vec<Got>, Option<String>)> {
    let mut capture = Capture::from_file_with_precision(path, Precision::Nano).ok()?;
    let link = capture.get_datalink().0;
    let mut frames = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(packet) => frames.push(Got {
                ns: nanoseconds(packet.header.ts.tv_sec, packet.header.ts.tv_usec),
                wire: packet.header.len,
                link: LinkType(link as u16),
                number: frames.len() as u64 + 1,
                file: 0,
                bytes: packet.data.to_vec(),
            }),
            Err(::pcap::Error::NoMorePackets) => return Some((frames, None)),
            Err(error) => return Some((frames, Some(error.to_string()))),
        }
    }
}

/// libpcap's time, or 0 where it cannot say it: it keeps a pcap file's seconds and fractions as signed numbers of 32
/// bits; the format's are unsigned.
fn nanoseconds(secs: i64, fraction: i64) -> u64 {
    let secs = u64::try_from(secs).unwrap_or(u64::from(secs as u32));
    u64::try_from(fraction).map_or(0, |fraction| Timestamp::from_parts(secs, fraction).as_ns())
}

/// libpcap's number for a link type, where it differs from the file's (`pcap-common.c`, Linux).
fn dlt(link: LinkType) -> LinkType {
    match link {
        LinkType::RAW => LinkType::RAW_12,
        other => other,
    }
}

/// Link types whose frames libpcap rewrites in files of the other byte order.
const REWRITTEN: [u16; 5] = [113, 117, 189, 220, 239];

/// Compares one file; whether it could be compared.
fn compare(path: &Path) -> Result<usize, String> {
    let (expected, error) = libpcap(path).ok_or("libpcap cannot open it")?;
    if let Some(error) = &error
        && (error.contains("different link-layer") || error.contains("different from") || error.contains("unsupported"))
    {
        return Err(error.clone());
    }
    let run = run(&[path.to_owned()], Access::Read);
    assert_eq!(run, super::run(&[path.to_owned()], Access::Map), "{}", path.display());
    let name = path.display();
    assert!(run.frames.len() >= expected.len(), "{name}: {} frames, libpcap {}", run.frames.len(), expected.len());
    if error.is_none() {
        assert_eq!(run.frames.len(), expected.len(), "{name}");
    } else {
        assert!(!run.troubles.is_empty(), "{name}: libpcap says {error:?}");
    }
    for (got, expected) in run.frames.iter().zip(&expected) {
        let place = format!("{name} frame {}", got.number);
        assert_eq!(dlt(got.link), dlt(expected.link), "{place}");
        assert_eq!(got.wire, expected.wire, "{place}");
        // A simple packet block has no time; libpcap leaves it zero.
        assert!(got.ns == expected.ns || expected.ns == 0, "{place}: {} {}", got.ns, expected.ns);
        if REWRITTEN.contains(&got.link.0) {
            assert_eq!(got.bytes.len(), expected.bytes.len(), "{place}");
        } else {
            // libpcap cuts a frame at the file's snap length even where more was captured.
            assert!(got.bytes.starts_with(&expected.bytes), "{place}");
        }
    }
    Ok(expected.len())
}

#[test]
fn generated_captures_read_as_libpcap_reads_them() {
    let directory = temporary();
    let path = directory.path().join("a");
    let mut random = Random(30);
    for round in 0..12 {
        let all = samples(&mut random, 400, 1600);
        let big = round % 2 == 0;
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34] {
            for version in [(2, 4), (2, 3), (2, 2)] {
                fs::write(&path, Pcap { big, magic, version, link: 1 }.build(&all)).expect("written");
                assert_eq!(compare(&path), Ok(all.len()));
            }
        }
        let resolution = [6, 9, 3, 0x94, 0x80 | 30, 0][round % 6];
        let mut ng = Ng::new(big);
        // Where libpcap has no time it gives the interface's offset.
        let simple = round % 3 == 0;
        let offset = if simple { 0i64 } else { 77 };
        let offset = if big { offset.to_be_bytes() } else { offset.to_le_bytes() };
        ng.interface(1, 262_144, &[(9, &[resolution]), (14, &offset)]);
        for sample in &all {
            let ticks = random.next() >> 34;
            match random.below(9) {
                0 => ng.block(0xbad, &sample.bytes),
                1 if simple => ng.simple(sample.bytes.len() as u32, &sample.bytes),
                2 => ng.obsolete(0, ticks, sample.wire, &sample.bytes),
                _ => ng.enhanced(0, ticks, sample.wire, &sample.bytes),
            }
        }
        fs::write(&path, ng.build()).expect("written");
        compare(&path).expect("libpcap reads it");
    }
}

#[test]
fn real_captures_read_as_libpcap_reads_them() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/pcaps");
    let Ok(entries) = fs::read_dir(&directory) else {
        eprintln!("skipped: {} is not there", directory.display());
        return;
    };
    let (mut compared, mut frames, mut skipped) = (0, 0, Vec::new());
    for entry in entries {
        let path = entry.expect("an entry").path();
        match compare(&path) {
            Ok(count) => (compared, frames) = (compared + 1, frames + count),
            Err(reason) => skipped.push(format!("{}: {reason}", path.file_name().unwrap_or_default().display())),
        }
    }
    eprintln!("{compared} captures compared, {frames} frames; {} skipped:\n{}", skipped.len(), skipped.join("\n"));
    assert!(compared > 0);
}
