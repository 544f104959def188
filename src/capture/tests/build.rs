//! Makes captures, and the random numbers that tests of them need.

/// What a frame is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) secs: u32,
    pub(super) fraction: u32,
    pub(super) wire: u32,
    pub(super) bytes: Vec<u8>,
}

/// `count` frames of random lengths up to `max_bytes`, some empty, some cut.
pub(super) fn samples(random: &mut Random, count: usize, max_bytes: usize) -> Vec<Sample> {
    (0..count)
        .map(|_| {
            let captured = random.below(max_bytes as u64 + 1) as usize;
            let bytes: Vec<u8> = (0..captured).map(|_| random.next() as u8).collect();
            let wire = captured as u32 + if random.below(4) == 0 { random.below(2000) as u32 } else { 0 };
            Sample {
                secs: 1_700_000_000 + random.below(100) as u32,
                fraction: random.below(1_000_000) as u32,
                wire,
                bytes,
            }
        })
        .collect()
}

/// How a pcap file is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pcap {
    pub(super) big: bool,
    pub(super) magic: u32,
    pub(super) version: (u16, u16),
    pub(super) link: u32,
}

impl Default for Pcap {
    fn default() -> Self {
        Self { big: false, magic: 0xa1b2_c3d4, version: (2, 4), link: 1 }
    }
}

impl Pcap {
    pub(super) fn build(&self, samples: &[Sample]) -> Vec<u8> {
        let mut out = Writer { big: self.big, out: Vec::new() };
        out.u32(self.magic).u16(self.version.0).u16(self.version.1);
        out.u32(0).u32(0).u32(262_144).u32(self.link);
        for sample in samples {
            let captured = sample.bytes.len() as u32;
            let swapped = self.version.0 == 543 || self.version.1 < 3;
            let (first, second) = if swapped { (sample.wire, captured) } else { (captured, sample.wire) };
            out.u32(sample.secs).u32(sample.fraction).u32(first).u32(second);
            if self.magic == 0xa1b2_cd34 {
                out.u32(3).u16(0x0800).u16(0);
            }
            out.out.extend(&sample.bytes);
        }
        out.out
    }
}

/// Writes pcapng blocks.
pub(super) struct Ng(Writer);

impl Ng {
    /// Starts with a section header.
    pub(super) fn new(big: bool) -> Self {
        let mut ng = Self(Writer { big, out: Vec::new() });
        ng.section(big);
        ng
    }

    pub(super) fn section(&mut self, big: bool) {
        self.0.big = big;
        let body = Writer { big, out: Vec::new() }.u32(0x1a2b_3c4d).u16(1).u16(0).u32(u32::MAX).u32(u32::MAX).take();
        self.block(0x0a0d_0d0a, &body);
    }

    pub(super) fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let total = padded as u32 + 12;
        self.0.u32(kind).u32(total);
        self.0.out.extend(body);
        self.0.out.resize(self.0.out.len() + padded - body.len(), 0);
        self.0.u32(total);
    }

    /// `options`: code and value.
    pub(super) fn interface(&mut self, link: u16, snap: u32, options: &[(u16, &[u8])]) {
        let mut body = self.writer();
        body.u16(link).u16(0).u32(snap);
        for (code, value) in options {
            body.u16(*code).u16(value.len() as u16);
            body.out.extend(*value);
            body.out.resize(body.out.len().next_multiple_of(4), 0);
        }
        let body = body.u32(0).take();
        self.block(1, &body);
    }

    pub(super) fn enhanced(&mut self, interface: u32, ticks: u64, wire: u32, bytes: &[u8]) {
        let mut body = self.writer();
        body.u32(interface).u32((ticks >> 32) as u32).u32(ticks as u32).u32(bytes.len() as u32).u32(wire);
        self.packet(6, body, bytes, true);
    }

    pub(super) fn obsolete(&mut self, interface: u16, ticks: u64, wire: u32, bytes: &[u8]) {
        let mut body = self.writer();
        body.u16(interface).u16(9).u32((ticks >> 32) as u32).u32(ticks as u32).u32(bytes.len() as u32).u32(wire);
        self.packet(2, body, bytes, true);
    }

    pub(super) fn simple(&mut self, wire: u32, bytes: &[u8]) {
        let mut body = self.writer();
        body.u32(wire);
        self.packet(3, body, bytes, false);
    }

    fn packet(&mut self, kind: u32, mut body: Writer, bytes: &[u8], options: bool) {
        body.out.extend(bytes);
        body.out.resize(body.out.len().next_multiple_of(4), 0);
        if options {
            // A comment and a flag word, neither of interest.
            body.u16(1).u16(3).u32(0x0061_6161).u16(2).u16(4).u32(1).u32(0);
        }
        let body = body.take();
        self.block(kind, &body);
    }

    pub(super) fn writer(&self) -> Writer {
        Writer { big: self.0.big, out: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.0.out.len()
    }

    pub(super) fn build(self) -> Vec<u8> {
        self.0.out
    }
}

/// Numbers in one byte order.
pub(super) struct Writer {
    big: bool,
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.out.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
        self
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.out.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
        self
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

/// A mix of sections, interfaces and block types with the given frames.
pub(super) fn mixed(random: &mut Random, samples: &[Sample]) -> Vec<u8> {
    let mut ng = Ng::new(random.below(2) == 0);
    let mut interfaces = 0u64;
    for sample in samples {
        if random.below(20) == 0 {
            ng.section(random.below(2) == 0);
            interfaces = 0;
        }
        if interfaces == 0 || random.below(30) == 0 {
            ng.interface([1, 101, 113][random.below(3) as usize], 0, &[(9, &[[6, 9, 0x94][random.below(3) as usize]])]);
            interfaces += 1;
        }
        let ticks = u64::from(sample.secs) << 20 | u64::from(sample.fraction);
        let interface = random.below(interfaces) as u32;
        match random.below(12) {
            0 => ng.simple(sample.bytes.len() as u32, &sample.bytes),
            1 => ng.obsolete(interface as u16, ticks, sample.wire, &sample.bytes),
            2 => ng.block(0x0bad, &sample.bytes),
            3 => ng.block(5, &[0; 16]),
            _ => ng.enhanced(interface, ticks, sample.wire, &sample.bytes),
        }
    }
    ng.build()
}

/// SplitMix64: the same numbers in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `limit`, which is not zero.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
