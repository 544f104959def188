//! Bytes as frames, and as capture files.

use std::io::Write;

use picket::capture::{Batch, Files, Source};
use picket::packet::{LinkType, decode};

/// A pcap file header: microseconds, little-endian, Ethernet.
pub const PCAP: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0";

/// A pcapng section header and an Ethernet interface.
pub const PCAPNG: &[u8] =
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0\
    \x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0";

/// Link types that have a decoder, and one that has none.
const LINKS: &[u16] = &[0, 1, 9, 12, 14, 50, 51, 101, 108, 113, 166, 219, 228, 229, 276, 147];

/// Decodes the bytes as a frame of the link type that the first byte chooses; the payload lies within the frame.
pub fn packet(data: &[u8]) {
    let Some((&first, frame)) = data.split_first() else { return };
    let link = LinkType(LINKS[usize::from(first) % LINKS.len()]);
    let packet = decode(frame, link);
    let payload = packet.payload(frame);
    assert!(frame.as_ptr_range().start <= payload.as_ptr() || payload.is_empty());
    assert!(payload.len() <= frame.len());
}

/// Reads `head` and `data` as one capture file to its end; every frame lies within its batch, and numbers rise.
pub fn capture(head: &[u8], data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("scratch file");
    file.write_all(head).and_then(|()| file.write_all(data)).expect("written");
    let mut files = Files::open(&[file.path().to_path_buf()]).expect("it exists");
    let (mut batch, mut last) = (Batch::default(), 0);
    while files.poll(&mut batch) {
        for frame in &batch.frames {
            assert!(batch.data.get(frame.offset..frame.offset + frame.captured_bytes as usize).is_some());
            assert!(frame.number > last);
            last = frame.number;
        }
        assert!(last <= (head.len() + data.len()) as u64, "more frames than bytes");
    }
}
