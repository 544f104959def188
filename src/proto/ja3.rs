//! JA3 (Salesforce): the MD5 of `version,ciphers,extensions,groups,point formats` of a ClientHello, decimal, in the order
//! sent, `-` between numbers, GREASE left out. JA3S: the same of `version,cipher,extensions` of a ServerHello.

use md5::{Digest, Md5};

use super::client_hello::{ClientHello, extensions, numbers};
use super::server_hello::ServerHello;

/// The fingerprint, 32 lower-case hexadecimal digits.
pub fn fingerprint(hello: &ClientHello<'_>) -> [u8; 32] {
    let mut text = Text { hasher: Md5::new(), buffer: [0; BUFFER_BYTES], len: 0 };
    text.decimal(hello.version);
    text.list(numbers(hello.ciphers));
    text.list(extensions(hello.extensions));
    text.list(numbers(hello.groups));
    text.list(hello.point_formats.iter().map(|format| u16::from(*format)));
    text.flush();
    hex(&text.hasher.finalize().into())
}

/// The server's fingerprint, 32 lower-case hexadecimal digits.
pub fn server_fingerprint(hello: &ServerHello<'_>) -> [u8; 32] {
    let mut text = Text { hasher: Md5::new(), buffer: [0; BUFFER_BYTES], len: 0 };
    text.decimal(hello.version);
    text.list([hello.cipher].into_iter());
    text.list(extensions(hello.extensions));
    text.flush();
    hex(&text.hasher.finalize().into())
}

/// Text on its way into the hasher: digests want long pieces, numbers are short.
struct Text {
    hasher: Md5,
    buffer: [u8; BUFFER_BYTES],
    len: usize,
}

impl Text {
    /// A comma and the numbers.
    fn list(&mut self, numbers: impl Iterator<Item = u16>) {
        self.byte(b',');
        for (position, number) in numbers.enumerate() {
            if position > 0 {
                self.byte(b'-');
            }
            self.decimal(number);
        }
    }

    fn decimal(&mut self, number: u16) {
        let mut divisor = match number {
            0..=9 => 1,
            10..=99 => 10,
            100..=999 => 100,
            1000..=9999 => 1000,
            _ => 10_000,
        };
        while divisor > 0 {
            self.byte(b'0' + (number / divisor % 10) as u8);
            divisor /= 10;
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.len == BUFFER_BYTES {
            self.flush();
        }
        if let Some(free) = self.buffer.get_mut(self.len) {
            *free = byte;
            self.len += 1;
        }
    }

    fn flush(&mut self) {
        self.hasher.update(self.buffer.get(..self.len).unwrap_or_default());
        self.len = 0;
    }
}

fn hex(digest: &[u8; 16]) -> [u8; 32] {
    let mut out = [0; 32];
    for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
        *pair = [hex_digit(byte >> 4), hex_digit(byte & 15)];
    }
    out
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// A multiple of the digest's block.
const BUFFER_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::client_hello::{Carrier, ClientHello};
    use super::super::server_hello::ServerHello;
    use super::super::testing::{Hello, ServerHello as Built};
    use super::{fingerprint, server_fingerprint};

    fn ja3(hello: &Hello) -> String {
        let body = hello.body(Carrier::Tls);
        let parsed = ClientHello::parse(&body, Carrier::Tls).expect("a hello");
        String::from_utf8(fingerprint(&parsed).to_vec()).expect("hexadecimal")
    }

    /// The two examples of JA3's own description.
    #[test]
    fn published_examples() {
        let hello = Hello {
            version: 769,
            ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: vec![
                Hello::server_name(b"a.example"),
                Hello::groups(&[23, 24, 25]),
                Hello::point_formats(&[0]),
            ],
            ..Hello::default()
        };
        assert_eq!(ja3(&hello), "ada70206e40642a3e4461f35503241d5");
        let bare = Hello { version: 769, ciphers: vec![4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], ..Hello::default() };
        assert_eq!(ja3(&bare), "de350869b8c85de67a350c8d186f11e6");
    }

    /// MD5 of `769,47,65281-0-11-35-5-16` and of `771,49199,`, made with `md5sum`.
    #[test]
    fn a_server_s() {
        let body = Built {
            version: 769,
            cipher: 47,
            extensions: [65281, 0, 11, 35, 5, 16].map(|kind| (kind, vec![])).to_vec(),
            ..Built::default()
        }
        .body();
        let print = |body: &[u8]| server_fingerprint(&ServerHello::parse(body).expect("a hello"));
        assert_eq!(print(&body), *b"836ce314215654b5b1f85f97c73e506f");
        let bare = Built { version: 771, cipher: 49199, ..Built::default() }.body();
        assert_eq!(print(&bare), *b"174e7e4992a63f6d419626d97363adb8");
    }

    #[test]
    fn grease_changes_nothing() {
        let plain = Hello {
            version: 769,
            ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: vec![
                Hello::server_name(b"a.example"),
                Hello::groups(&[23, 24, 25]),
                Hello::point_formats(&[0]),
            ],
            ..Hello::default()
        };
        let mut greased = plain.clone();
        greased.ciphers.insert(0, 0x0a0a);
        greased.ciphers.push(0xfafa);
        greased.extensions[1] = Hello::groups(&[0x3a3a, 23, 24, 25]);
        greased.extensions.insert(0, (0x1a1a, vec![]));
        greased.extensions.push((0xeaea, vec![0]));
        assert_eq!(ja3(&greased), ja3(&plain));
        // Looks like it, but is not.
        greased.ciphers.push(0x0a1a);
        assert_ne!(ja3(&greased), ja3(&plain));
    }
}
