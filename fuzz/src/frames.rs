//! Bytes as frames, and as capture files.

use std::io::Write;

use picket::capture::{Batch, Files, Source};
use picket::flow::{Defrag, Share};
use picket::packet::{Beside, LinkType, MAX_PARTS, MAX_TUNNELS, Packet, decode_datagram, decode_into, decode_part};
use picket::time::Timestamp;

/// A pcap file header: microseconds, little-endian, Ethernet.
pub const PCAP: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0";

/// A pcapng section header and an Ethernet interface.
pub const PCAPNG: &[u8] =
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0\
    \x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0";

/// Link types that have a decoder, and one that has none.
const LINKS: &[u16] =
    &[0, 1, 9, 12, 14, 50, 51, 101, 105, 108, 113, 119, 127, 163, 166, 192, 219, 228, 229, 239, 276, 147];

/// Decodes the bytes as a frame of the link type that the first byte chooses; the payload lies within the frame, and there are
/// not too many tunnels around it. What an ICMP error quotes is decoded too, and what lies beside the packet.
pub fn packet(data: &[u8]) {
    let Some((&first, frame)) = data.split_first() else { return };
    let (mut packet, mut beside) = (Packet::default(), Beside::default());
    decode_into(&mut packet, frame, LinkType(LINKS[usize::from(first) % LINKS.len()]), &mut beside);
    let payload = packet.payload(frame);
    assert!(frame.as_ptr_range().start <= payload.as_ptr() || payload.is_empty());
    assert!(payload.len() <= frame.len() && beside.outer.len() <= MAX_TUNNELS && beside.parts.len() <= MAX_PARTS);
    assert!(beside.outer.iter().all(|packet| packet.ip_version != 0 && packet.payload_bytes == 0));
    let _ = packet.quoted(payload);
    for part in std::mem::take(&mut beside.parts) {
        assert!(part.of(frame).len() <= frame.len());
        let inner = decode_part(&part, frame, &mut beside);
        assert!(inner.payload(frame).len() <= part.of(frame).len());
    }
}

/// Puts together what the bytes are pieces of: each piece has a byte of place, a byte of length, a byte of identification and
/// flags. No bound is passed, and what is whole decodes.
pub fn defrag(data: &[u8]) {
    let (mut defrag, mut rest, mut pieces) = (Defrag::default(), data, 0);
    while let Some((&[place, length, id, flags], after)) = rest.split_first_chunk() {
        let (payload, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        let (total, place) = (20 + payload.len() as u16, u16::from(place) | u16::from(flags & 0x3f) << 8);
        let mut frame = [&[0x45, 0][..], &total.to_be_bytes(), &[0, id & 3], &place.to_be_bytes()].concat();
        frame.extend([64, [17, 6, 47, 51][usize::from(flags >> 6)], 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
        frame.extend_from_slice(payload);
        let (mut packet, mut beside) = (Packet::default(), Beside::default());
        decode_into(&mut packet, &frame, LinkType::RAW, &mut beside);
        pieces += 1;
        if let Some(whole) =
            defrag.add(&packet, packet.payload(&frame), Timestamp::from_parts(pieces, 0), Share::default()).whole
        {
            let inner = decode_datagram(&packet, &whole.payload, whole.missing_bytes, &mut beside);
            assert!(inner.payload(&whole.payload).len() <= whole.payload.len());
            assert!(whole.payload.len() + whole.missing_bytes as usize <= 65_535);
        }
    }
    let (counters, _) = defrag.close();
    assert!(counters.pieces <= pieces && counters.datagrams <= counters.pieces);
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
