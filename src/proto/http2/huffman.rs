//! The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). It is canonical: lengths alone define it.

/// Appends what `code` stands for; `None` if it is malformed: the end symbol within, or padding that is none.
pub(super) fn decode(code: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // The bits not decoded yet, the first of them highest; zeros behind them.
    let (mut bits, mut count) = (0_u64, 0_u32);
    let mut bytes = code.iter();
    loop {
        while count <= 56 {
            let Some(byte) = bytes.next() else { break };
            bits |= u64::from(*byte) << (56 - count);
            count += 8;
        }
        let Some(class) = CLASSES.iter().find(|class| bits >> 32 < class.end) else { break };
        if class.length > count {
            break;
        }
        let nth = ((bits >> 32) - class.start) >> (32 - class.length);
        let symbol = *SYMBOLS.get(class.first + nth as usize)?;
        out.push(u8::try_from(symbol).ok()?);
        bits <<= class.length;
        count -= class.length;
    }
    let padding = u64::MAX.checked_shl(64 - count).unwrap_or(0);
    (count < 8 && bits == padding).then_some(())
}

/// The codes of one length.
#[derive(Clone, Copy)]
struct Class {
    length: u32,
    /// The first code, and the one behind the last, in the upper bits of 32.
    start: u64,
    end: u64,
    /// Where in [`SYMBOLS`] its symbols begin.
    first: usize,
}

/// By length.
const CLASSES: [Class; 21] = classes();
/// Ordered by length, then by number.
const SYMBOLS: [u16; SYMBOL_COUNT] = symbols();

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn classes() -> [Class; 21] {
    let mut out = [Class { length: 0, start: 0, end: 0, first: 0 }; 21];
    let (mut used, mut length, mut start, mut first) = (0, 1, 0_u64, 0);
    while length <= 30 {
        let (mut symbol, mut count) = (0, 0);
        while symbol < SYMBOL_COUNT {
            count += (LENGTHS[symbol] as u32 == length) as usize;
            symbol += 1;
        }
        if count > 0 {
            let end = start + ((count as u64) << (32 - length));
            out[used] = Class { length, start, end, first };
            used += 1;
            start = end;
            first += count;
        }
        length += 1;
    }
    out
}

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn symbols() -> [u16; SYMBOL_COUNT] {
    let mut out = [0; SYMBOL_COUNT];
    let (mut used, mut length) = (0, 1);
    while length <= 30 {
        let mut symbol = 0;
        while symbol < SYMBOL_COUNT {
            if LENGTHS[symbol] == length {
                out[used] = symbol as u16;
                used += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    out
}

/// 256 bytes and the end symbol, which is no byte.
const SYMBOL_COUNT: usize = 257;

/// Bits of each symbol's code.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOL_COUNT] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// For tests: the code of `text`.
#[cfg(test)]
pub(super) fn encode(text: &[u8]) -> Vec<u8> {
    let (mut bits, mut count, mut out) = (0_u64, 0, Vec::new());
    let mut push = |code: u64, length: u32, out: &mut Vec<u8>| {
        (bits, count) = (bits << length | code, count + length);
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
        count
    };
    let mut left = 0;
    for byte in text {
        let place = SYMBOLS.iter().position(|symbol| *symbol == u16::from(*byte)).expect("every byte");
        let class = CLASSES.iter().rfind(|class| class.first <= place).expect("a class");
        let code = (class.start >> (32 - class.length)) + (place - class.first) as u64;
        left = push(code, class.length, &mut out);
    }
    if left > 0 {
        push((1 << (8 - left)) - 1, 8 - left, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(code: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(code, &mut out).map(|()| out)
    }

    /// RFC 7541 appendix C.4.1, C.4.2, C.6.1.
    #[test]
    fn published_examples() {
        let cases: [(&[u8], &[u8]); 4] = [
            (&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff], b"www.example.com"),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], b"no-cache"),
            (&[0x64, 0x02], b"302"),
            (&[0xae, 0xc3, 0x77, 0x1a, 0x4b], b"private"),
        ];
        for (code, text) in cases {
            assert_eq!(decoded(code).as_deref(), Some(text));
            assert_eq!(encode(text), code);
        }
    }

    #[test]
    fn the_code_is_complete() {
        assert_eq!(CLASSES.last().map(|class| (class.length, class.end)), Some((30, 1 << 32)));
    }

    #[test]
    fn padding() {
        assert_eq!(decoded(&[]), Some(vec![]));
        // A whole byte of it, zeros, and the end symbol itself.
        assert_eq!(decoded(&[0xff]), None);
        assert_eq!(decoded(&[0b0000_0000]), None);
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), None);
    }

    proptest! {
        #[test]
        fn round_trip(text in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(decoded(&encode(&text)), Some(text));
        }

        #[test]
        fn never_panics(code in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decoded(&code);
        }
    }
}
