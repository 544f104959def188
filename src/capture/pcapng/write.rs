//! [`PcapngWriter`]: a small pcapng in memory: one section, nanoseconds, comments. What it writes, the reader beside it reads.
//!
//! Own, because the one crate that writes pcapng (`pcap-file`) has had no release for years but a candidate, and knows no
//! nanoseconds for packets.

use crate::packet::{FrameMeta, LinkType};

use super::block::{BYTE_ORDER, ENHANCED_PACKET, INTERFACE, SECTION};

/// See the module.
pub struct PcapngWriter {
    out: Vec<u8>,
    /// Link types of the interfaces, in order.
    links: Vec<LinkType>,
}

impl PcapngWriter {
    /// Begins a section, with a comment on its header.
    pub fn new(comment: &str) -> Self {
        let mut writer = Self { out: Vec::new(), links: Vec::new() };
        writer.block(SECTION, |body| {
            body.extend(BYTE_ORDER.to_le_bytes());
            body.extend(1u16.to_le_bytes());
            body.extend(0u16.to_le_bytes());
            body.extend((-1i64).to_le_bytes());
            option(body, COMMENT, comment.as_bytes());
            option(body, APPLICATION, concat!("picket ", env!("CARGO_PKG_VERSION")).as_bytes());
            option(body, END, &[]);
        });
        writer
    }

    /// Adds a packet, with a comment if there is one. Each link type is an interface.
    pub fn packet(&mut self, frame: &FrameMeta, data: &[u8], comment: Option<&str>) {
        let interface = self.interface(frame.link);
        let ticks = frame.time.as_ns();
        self.block(ENHANCED_PACKET, |body| {
            for field in [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, frame.wire_bytes] {
                body.extend(field.to_le_bytes());
            }
            padded(body, data);
            if let Some(comment) = comment {
                option(body, COMMENT, comment.as_bytes());
                option(body, END, &[]);
            }
        });
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    fn interface(&mut self, link: LinkType) -> u32 {
        if let Some(at) = self.links.iter().position(|known| *known == link) {
            return at as u32;
        }
        self.block(INTERFACE, |body| {
            body.extend(link.0.to_le_bytes());
            body.extend([0; 2]);
            body.extend(0u32.to_le_bytes());
            option(body, TIME_RESOLUTION, &[NANOSECONDS]);
            option(body, END, &[]);
        });
        self.links.push(link);
        (self.links.len() - 1) as u32
    }

    fn block(&mut self, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.extend(kind.to_le_bytes());
        self.out.extend([0; 4]);
        fill(&mut self.out);
        let total = ((self.out.len() - start + 4) as u32).to_le_bytes();
        self.out.extend(total);
        self.out[start + 4..start + 8].copy_from_slice(&total);
    }
}

/// A value longer than an option can be is cut.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    padded(body, value);
}

fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len() + bytes.len().next_multiple_of(4) - bytes.len(), 0);
}

const END: u16 = 0;
const COMMENT: u16 = 1;
/// `shb_userappl`.
const APPLICATION: u16 = 4;
/// `if_tsresol`.
const TIME_RESOLUTION: u16 = 9;
/// Ticks of 10 to the power of minus this.
const NANOSECONDS: u8 = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Batch, Files, Source};
    use crate::time::Timestamp;

    #[test]
    fn the_reader_reads_what_was_written() {
        let frame = |number: u64, link: LinkType, bytes: u32| FrameMeta {
            offset: 0,
            time: Timestamp::from_parts(1_700_000_000, 123_456_789 + number as u32 as u64),
            number,
            captured_bytes: bytes,
            wire_bytes: bytes + 10,
            file: 3,
            link,
        };
        let frames = [frame(1, LinkType::ETHERNET, 5), frame(2, LinkType::RAW, 8), frame(3, LinkType::ETHERNET, 0)];
        let mut writer = PcapngWriter::new("Handling: TLP:AMBER");
        for frame in &frames {
            let data = vec![frame.number as u8; frame.captured_bytes as usize];
            writer.packet(frame, &data, (frame.number == 2).then_some("the hit"));
        }
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.pcapng");
        std::fs::write(&path, writer.finish()).expect("written");
        let mut files = Files::open(&[path]).expect("opens");
        let mut batch = Batch::default();
        let mut read = Vec::new();
        while files.poll(&mut batch) {
            for frame in &batch.frames {
                let data = batch.data[frame.offset..frame.offset + frame.captured_bytes as usize].to_vec();
                read.push((frame.time, frame.wire_bytes, frame.link, data));
            }
        }
        let written = frames.map(|f| (f.time, f.wire_bytes, f.link, vec![f.number as u8; f.captured_bytes as usize]));
        assert_eq!(read, written);
        assert!(files.troubles().is_empty());
    }
}
