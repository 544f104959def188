//! JA4 (FoxIO, technical_details/JA4.md): `a_b_c` from a ClientHello, GREASE left out.
//!
//! - a: carrier (`t`, `d`, `q`), version, `d` if a server is named or else `i`, counts of ciphers and extensions, and the
//!   ends of the first ALPN protocol;
//! - b: SHA-256, 12 digits, of the sorted ciphers as `002f,0035,...`;
//! - c: the same of the sorted extensions without SNI and ALPN, `_`, and the signature algorithms in their order.
//!
//! JA4 itself only; JA4S and the rest of JA4+ are not free to implement.

use sha2::{Digest, Sha256};

use super::client_hello::{ALPN, Carrier, ClientHello, SERVER_NAME, extensions, numbers, protocols};

/// Length of a fingerprint.
pub const BYTES: usize = 36;

/// The fingerprint, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub fn fingerprint(hello: &ClientHello<'_>, carrier: Carrier) -> [u8; BYTES] {
    let (ciphers, kinds) = (numbers(hello.ciphers).count(), extensions(hello.extensions).count());
    let [v0, v1] = version(hello);
    let named = if hello.has_server_name { b'd' } else { b'i' };
    let ([c0, c1], [e0, e1]) = (two_digits(ciphers), two_digits(kinds));
    let [a0, a1] = alpn_ends(protocols(hello.alpn).next().unwrap_or_default());
    let t = match carrier {
        Carrier::Tls => b't',
        Carrier::Dtls => b'd',
        Carrier::Quic => b'q',
    };
    let hashed = extensions(hello.extensions).filter(|kind| !matches!(*kind, SERVER_NAME | ALPN));
    let a = [t, v0, v1, named, c0, c1, e0, e1, a0, a1];
    let b = sorted_hash(ciphers, numbers(hello.ciphers), std::iter::empty());
    let c = sorted_hash(kinds, hashed, numbers(hello.signature_algorithms));
    let mut out = [b'_'; BYTES];
    for (at, part) in [(0, &a[..]), (11, &b), (24, &c)] {
        if let Some(to) = out.get_mut(at..at + part.len()) {
            to.copy_from_slice(part);
        }
    }
    out
}

/// The highest number of `supported_versions`, or else the hello's own. (The highest number, as the text says: for DTLS,
/// whose numbers count down, that is the oldest version.)
fn version(hello: &ClientHello<'_>) -> [u8; 2] {
    let offered = hello.supported_versions.map(|list| numbers(list).max().unwrap_or(0));
    *match offered.unwrap_or(hello.version) {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        0xfeff => b"d1",
        0xfefd => b"d2",
        0xfefc => b"d3",
        _ => b"00",
    }
}

fn two_digits(count: usize) -> [u8; 2] {
    let count = count.min(99) as u8;
    [b'0' + count / 10, b'0' + count % 10]
}

/// First and last character of a protocol's name; of its hexadecimal form if either is not alphanumeric.
fn alpn_ends(name: &[u8]) -> [u8; 2] {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => [*first, *last],
        (Some(first), Some(last)) => [hex_digit(u16::from(first >> 4)), hex_digit(u16::from(last & 15))],
        _ => *b"00",
    }
}

/// 12 digits of the SHA-256 of the numbers in order, then `_` and the tail as it is; zeros if there are no numbers. There are
/// at most `count` numbers.
fn sorted_hash(count: usize, numbers: impl Iterator<Item = u16>, tail: impl Iterator<Item = u16>) -> [u8; 12] {
    let (mut few, mut many);
    let slots: &mut [u16] = if count <= USUAL_NUMBERS {
        few = [0; USUAL_NUMBERS];
        &mut few
    } else {
        many = vec![0; count];
        &mut many
    };
    let filled = slots.iter_mut().zip(numbers).map(|(slot, number)| *slot = number).count();
    let sorted = slots.get_mut(..filled).unwrap_or_default();
    if sorted.is_empty() {
        return *b"000000000000";
    }
    sorted.sort_unstable();
    let mut text = Text { hasher: Sha256::new(), buffer: [0; BUFFER_BYTES], len: 0 };
    text.list(b',', sorted.iter().copied());
    text.list(b'_', tail);
    text.digest()
}

/// Text on its way into the hasher: digests want long pieces, numbers are short.
struct Text {
    hasher: Sha256,
    buffer: [u8; BUFFER_BYTES],
    len: usize,
}

impl Text {
    /// The numbers in hexadecimal, comma-separated; `joint` stands before the first, unless the text begins there.
    fn list(&mut self, mut joint: u8, numbers: impl Iterator<Item = u16>) {
        let mut is_first = self.len == 0;
        for number in numbers {
            let piece =
                [joint, hex_digit(number >> 12), hex_digit(number >> 8), hex_digit(number >> 4), hex_digit(number)];
            let piece = piece.get(usize::from(is_first)..).unwrap_or_default();
            (is_first, joint) = (false, b',');
            if self.len + piece.len() > BUFFER_BYTES {
                self.flush();
            }
            if let Some(free) = self.buffer.get_mut(self.len..self.len + piece.len()) {
                free.copy_from_slice(piece);
                self.len += piece.len();
            }
        }
    }

    fn flush(&mut self) {
        self.hasher.update(self.buffer.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    fn digest(mut self) -> [u8; 12] {
        self.flush();
        let digest = self.hasher.finalize();
        let mut out = [0; 12];
        for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
            *pair = [hex_digit(u16::from(byte >> 4)), hex_digit(byte.into())];
        }
        out
    }
}

/// The digit of the low four bits.
fn hex_digit(number: u16) -> u8 {
    let nibble = (number & 15) as u8;
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// More ciphers or extensions than any known client lists.
const USUAL_NUMBERS: usize = 128;
/// Room for most lists in one piece.
const BUFFER_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::super::client_hello::ClientHello;
    use super::super::testing::Hello;
    use super::*;

    fn ja4(hello: &Hello, carrier: Carrier) -> String {
        let body = hello.body(carrier);
        let parsed = ClientHello::parse(&body, carrier).expect("a hello");
        String::from_utf8(fingerprint(&parsed, carrier).to_vec()).expect("ASCII")
    }

    #[test]
    fn published_example() {
        assert_eq!(ja4(&Hello::browser(), Carrier::Tls), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(ja4(&Hello::browser(), Carrier::Quic), "q13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn order_and_grease_change_nothing() {
        let mut hello = Hello::browser();
        hello.ciphers.reverse();
        hello.extensions.reverse();
        hello.ciphers.insert(3, 0x2a2a);
        hello.extensions.insert(5, (0xcaca, vec![1, 2]));
        assert_eq!(ja4(&hello, Carrier::Tls), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn without_signature_algorithms_no_underscore_is_hashed() {
        let mut hello = Hello::browser();
        let algorithms = hello.extensions.iter_mut().find(|e| e.0 == 13).expect("there");
        algorithms.1 = vec![0, 0];
        assert_eq!(ja4(&hello, Carrier::Tls), "t13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn empty_parts_are_zeros() {
        assert_eq!(ja4(&Hello::default(), Carrier::Tls), "t12i000000_000000000000_000000000000");
    }

    #[test]
    fn versions() {
        for (version, text) in
            [(0x0304, "13"), (0x0301, "10"), (0x0300, "s3"), (0xfefd, "d2"), (0xfeff, "d1"), (9, "00")]
        {
            let hello = Hello { version, ..Hello::default() };
            assert_eq!(ja4(&hello, Carrier::Tls).get(1..3), Some(text));
        }
        let offers = |list: &[u16]| Hello { extensions: vec![Hello::versions(list)], ..Hello::default() };
        assert_eq!(ja4(&offers(&[0x0303, 0x0304, 0xfafa]), Carrier::Tls).get(1..3), Some("13"));
        assert_eq!(ja4(&offers(&[0x7f1c, 0x0303]), Carrier::Tls).get(1..3), Some("00"));
    }

    /// The table of "ALPN Extension Value".
    #[test]
    fn alpn_characters() {
        let cases: [(&[u8], &[u8; 2]); 9] = [
            (b"h2", b"h2"),
            (b"http/1.1", b"h1"),
            (b"x", b"xx"),
            (b"", b"00"),
            (&[0xab], b"ab"),
            (&[0xab, 0xcd], b"ad"),
            (&[0x30, 0xab], b"3b"),
            (&[0x30, 0x31, 0xab, 0xcd], b"3d"),
            (&[0x30, 0xab, 0xcd, 0x31], b"01"),
        ];
        for (name, ends) in cases {
            assert_eq!(&alpn_ends(name), ends, "{name:?}");
        }
    }

    #[test]
    fn counts_stop_at_99_and_long_lists_hash_whole() {
        let hello = Hello { ciphers: (1..=600).collect(), ..Hello::default() };
        let print = ja4(&hello, Carrier::Tls);
        assert_eq!(print.get(4..6), Some("99"));
        let text = (1..=600u16).map(|n| format!("{n:04x}")).collect::<Vec<_>>().join(",");
        let expected: String = Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(print.get(11..23), expected.get(..12));
    }
}
