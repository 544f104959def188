//! The ServerHello of TLS (RFC 5246 section 7.4.1.3, RFC 8446 section 4.1.3), DTLS and QUIC, and what is seen of it:
//! `tls.server.ja3s`, the fingerprint.
//!
//! It also says how the handshake goes on: in TLS 1.3 everything after it is encrypted. Never allocates.

use super::ja3;
use crate::bytes::Reader;
use crate::indicator::kind::{JA3S, RULE};
use crate::indicator::{Field, Observable, Seen, Value, Wants, Where};

/// A ServerHello's parts, borrowed.
#[derive(Clone, Copy)]
pub struct ServerHello<'a> {
    /// `legacy_version`.
    pub version: u16,
    /// `cipher_suite`.
    pub cipher: u16,
    /// `extensions`, without their length; read with [`super::client_hello::extensions`].
    pub extensions: &'a [u8],
    /// Extension 43, `supported_versions`: the version chosen by a server of TLS 1.3.
    pub selected_version: Option<u16>,
    /// It is a HelloRetryRequest: another hello of both sides follows.
    pub is_retry: bool,
}

crate::bytes::opaque_debug!(ServerHello<'_>, "ServerHello");

/// How the handshake of the server's side goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// In the clear: TLS up to 1.2, or another hello.
    Clear,
    /// Encrypted.
    Sealed,
}

impl<'a> ServerHello<'a> {
    /// Parses the body of the handshake message (behind its type and length).
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(body);
        let version = r.u16()?;
        let random = r.take(RETRY_RANDOM.len())?;
        let session = r.u8().filter(|length| *length <= MAX_SESSION_ID_BYTES)?;
        r.skip(session.into())?;
        let cipher = r.u16()?;
        r.u8()?;
        let mut hello =
            Self { version, cipher, extensions: &[], selected_version: None, is_retry: random == RETRY_RANDOM };
        if r.is_empty() {
            return Some(hello);
        }
        let length = r.u16()?;
        hello.extensions = r.take(length.into())?;
        let mut list = Reader::new(hello.extensions);
        while !list.is_empty() {
            let kind = list.u16()?;
            let length = list.u16()?;
            let data = list.take(length.into())?;
            if kind == SUPPORTED_VERSIONS {
                hello.selected_version = data.first_chunk().map(|pair| u16::from_be_bytes(*pair));
            }
        }
        r.is_empty().then_some(hello)
    }

    fn next(&self) -> Next {
        // Drafts of 1.3 chose 0x7f..; DTLS counts down from 0xfeff: 1.2 is 0xfefd, 1.3 is 0xfefc.
        match self.selected_version {
            _ if self.is_retry => Next::Clear,
            Some(0xfefd..) => Next::Clear,
            Some(0x0304..) => Next::Sealed,
            // Early drafts of 1.3 had it in the old field.
            _ if self.version >> 8 == 0x7f => Next::Sealed,
            _ => Next::Clear,
        }
    }
}

/// Shows the fingerprint, if somebody looks for one, and says how the handshake goes on.
pub fn show(body: &[u8], wants: &Wants, seen: Seen<'_>) -> Result<Next, &'static str> {
    let hello = ServerHello::parse(body).ok_or("malformed ServerHello")?;
    if wants.kind(&JA3S) || wants.kind(&RULE) {
        let print = ja3::server_fingerprint(&hello);
        let at = Where("tls.server.ja3s");
        let with = [Field { path: at, value: crate::indicator::FieldValue::Text(&print) }];
        seen(Observable { kind: &JA3S, value: Value::Text(&print), at, with: &with });
    }
    Ok(hello.next())
}

/// `random` of a HelloRetryRequest: SHA-256 of that word (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
const MAX_SESSION_ID_BYTES: u8 = 32;
const SUPPORTED_VERSIONS: u16 = 43;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::ServerHello as Built;
    use super::*;

    fn shown(body: &[u8], wants: Wants) -> (Result<Next, &'static str>, usize) {
        let mut count = 0;
        (show(body, &wants, &mut |_| count += 1), count)
    }

    #[test]
    fn what_follows_depends_on_the_version() {
        let modern = Built { extensions: vec![(43, vec![3, 4])], ..Built::default() };
        let draft = Built { extensions: vec![(43, vec![0x7f, 28])], ..Built::default() };
        let retry = Built { random: RETRY_RANDOM, ..modern.clone() };
        assert_eq!(shown(&Built::default().body(), Wants::ALL), (Ok(Next::Clear), 1));
        assert_eq!(shown(&modern.body(), Wants::ALL), (Ok(Next::Sealed), 1));
        assert_eq!(shown(&draft.body(), Wants::NONE), (Ok(Next::Sealed), 0));
        assert_eq!(shown(&retry.body(), Wants::ALL), (Ok(Next::Clear), 1));
    }

    #[test]
    fn the_retry_random_is_the_digest_of_its_name() {
        use sha2::{Digest, Sha256};
        assert_eq!(Sha256::digest(b"HelloRetryRequest").as_slice(), RETRY_RANDOM);
    }

    #[test]
    fn a_cut_one_is_malformed() {
        let body = Built { extensions: vec![(0, vec![])], ..Built::default() }.body();
        // Where its extensions would begin it looks like one without any.
        let bare = body.len() - 6;
        for cut in (0..body.len()).filter(|cut| *cut != bare) {
            assert_eq!(shown(&body[..cut], Wants::ALL).0, Err("malformed ServerHello"), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(body in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = shown(&body, Wants::ALL);
        }
    }
}
