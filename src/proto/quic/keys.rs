//! Initial packet protection (RFC 9001 section 5): the keys that anybody can derive from a version and the connection id
//! that the client first chose, and the opening of a packet with them.
//!
//! The ciphers are ring's; here are only the salts, the labels and where in a packet what lies.

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::header::Long;

/// What differs between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    number: u32,
    salt: &'static [u8; 20],
    /// Other labels and other packet type numbers (RFC 9369 section 3).
    pub(super) is_v2: bool,
    /// The frames of Google's own QUIC, whatever the packets.
    pub(super) has_google_frames: bool,
}

impl Version {
    /// `None` for a version whose Initial packets cannot be opened (Google's own handshake, those reserved for negotiation).
    pub(super) fn of(number: u32) -> Option<Self> {
        let salt = match number {
            1 | 0xff00_0021 | 0xff00_0022 | 0xface_b003 => &V1,
            V2_NUMBER => &V2,
            0xff00_001d..=0xff00_0020 => &DRAFT_29,
            0xff00_0017..=0xff00_001c => &DRAFT_23,
            0xff00_0016 | 0xface_b001 => &DRAFT_22,
            0xface_b002 | 0xface_b00d..=0xface_b013 => &DRAFT_23,
            T050_NUMBER => &T050,
            T051_NUMBER => &T051,
            _ => return None,
        };
        let has_google_frames = matches!(number, T050_NUMBER | T051_NUMBER);
        Some(Self { number, salt, is_v2: number == V2_NUMBER, has_google_frames })
    }
}

/// What one side protects its Initial packets with.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) header: [u8; 16],
}

impl Keys {
    /// The client's, from the destination connection id of its first packet.
    pub(super) fn of_client(version: Version, id: &[u8]) -> Option<Self> {
        Self::derive(version, id, CLIENT)
    }

    /// The server's, from the same id.
    pub(super) fn of_server(version: Version, id: &[u8]) -> Option<Self> {
        Self::derive(version, id, SERVER)
    }

    fn derive(version: Version, id: &[u8], side: &[u8]) -> Option<Self> {
        let (key_label, iv_label, header_label) =
            if version.is_v2 { (V2_KEY, V2_IV, V2_HEADER) } else { (KEY, IV, HEADER) };
        let mut secret = [0; 32];
        expand(&Salt::new(HKDF_SHA256, version.salt).extract(id), side, &mut secret)?;
        let secret = Prk::new_less_safe(HKDF_SHA256, &secret);
        let mut keys = Self { key: [0; 16], iv: [0; 12], header: [0; 16] };
        expand(&secret, key_label, &mut keys.key)?;
        expand(&secret, iv_label, &mut keys.iv)?;
        expand(&secret, header_label, &mut keys.header)?;
        Some(keys)
    }

    /// Opens a packet into `out`: its number, and where in `out` its frames lie. `expected` is the number after the largest
    /// one opened before. `None` if it is not protected with these keys.
    pub(super) fn open(
        &self,
        packet: &Long<'_>,
        expected: u64,
        out: &mut Vec<u8>,
    ) -> Option<(u64, std::ops::Range<usize>)> {
        out.clear();
        out.extend_from_slice(packet.bytes);
        let at = packet.number_at;
        let sample = packet.bytes.get(at + MAX_NUMBER_BYTES..)?.get(..SAMPLE_BYTES)?;
        let [first_mask, number_mask @ ..] =
            HeaderProtectionKey::new(&AES_128, &self.header).ok()?.new_mask(sample).ok()?;
        let first = out.first_mut()?;
        *first ^= first_mask & 0x0f;
        let number_bytes = usize::from(*first & 3) + 1;
        let mut truncated = 0;
        for (byte, mask) in out.get_mut(at..at + number_bytes)?.iter_mut().zip(number_mask) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
        }
        let number = whole_number(truncated, number_bytes, expected);
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= number;
        }
        let start = at + number_bytes;
        let (header, sealed) = out.split_at_mut_checked(start)?;
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &self.key).ok()?);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let frames_bytes = cipher.open_in_place(nonce, Aad::from(&*header), sealed).ok()?.len();
        Some((number, start..start + frames_bytes))
    }
}

/// HKDF-Expand-Label, given the label with its lengths.
fn expand(secret: &Prk, label: &[u8], out: &mut [u8]) -> Option<()> {
    secret.expand(&[label], Bytes(out.len())).ok()?.fill(out).ok()
}

/// How many bytes are wanted of a key derivation.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// A packet number from its last bytes: the one nearest to what is expected (RFC 9000 appendix A.3).
pub(super) fn whole_number(truncated: u64, bytes: usize, expected: u64) -> u64 {
    let window = 1_u64 << (8 * bytes);
    let candidate = (expected & !(window - 1)) | truncated;
    if candidate + window / 2 <= expected && candidate + window < MAX_NUMBER {
        candidate + window
    } else if candidate > expected + window / 2 && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// A packet number takes at most so many bytes; the header protection's sample begins behind as many.
const MAX_NUMBER_BYTES: usize = 4;
const MAX_NUMBER: u64 = 1 << 62;
const SAMPLE_BYTES: usize = 16;

const V2_NUMBER: u32 = 0x6b33_43cf;
const T050_NUMBER: u32 = u32::from_be_bytes(*b"T050");
const T051_NUMBER: u32 = u32::from_be_bytes(*b"T051");

/// RFC 9001 section 5.2; drafts 33 and 34.
const V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
];
/// RFC 9369 section 3.3.1.
const V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e,
    0xd9,
];
/// draft-ietf-quic-tls-29 to -32.
const DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8,
    0x99,
];
/// draft-ietf-quic-tls-23 to -28, and mvfst's numbers that stand for draft 27.
const DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5,
    0x02,
];
/// draft-ietf-quic-tls-22, and mvfst's first number.
const DRAFT_22: [u8; 20] = [
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64,
    0x4a,
];
/// Google's T050 (TLS).
const T050: [u8; 20] = [
    0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83,
    0x10,
];
/// Google's T051 (TLS).
const T051: [u8; 20] = [
    0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03,
    0x3d,
];

// HkdfLabel (RFC 8446 section 7.1): length wanted, label with its length, no context.
const CLIENT: &[u8] = b"\x00\x20\x0ftls13 client in\x00";
const SERVER: &[u8] = b"\x00\x20\x0ftls13 server in\x00";
const KEY: &[u8] = b"\x00\x10\x0etls13 quic key\x00";
const IV: &[u8] = b"\x00\x0c\x0dtls13 quic iv\x00";
const HEADER: &[u8] = b"\x00\x10\x0dtls13 quic hp\x00";
const V2_KEY: &[u8] = b"\x00\x10\x10tls13 quicv2 key\x00";
const V2_IV: &[u8] = b"\x00\x0c\x0ftls13 quicv2 iv\x00";
const V2_HEADER: &[u8] = b"\x00\x10\x0ftls13 quicv2 hp\x00";
