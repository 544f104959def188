//! IPv6 in UDP: Teredo (RFC 4380) and AYIYA (draft-massar-v6ops-ayiya).
//!
//! Not read: Teredo between two clients on ports of their own.

use super::super::{Layer, Next};
use super::Scope;
use super::udp::Found;
use crate::bytes::Reader;

/// Perhaps an authentication header, perhaps an origin, then IPv6.
pub(super) fn teredo(payload: &[u8], _room: usize) -> Option<Found> {
    let mut reader = Reader::new(payload);
    if reader.rest().starts_with(&[0, 1]) {
        let [_, _, id_bytes, value_bytes]: [u8; 4] = reader.array()?;
        // Client id, value; nonce and confirmation.
        reader.skip(usize::from(id_bytes) + usize::from(value_bytes) + 9)?;
    }
    if reader.rest().starts_with(&[0, 0]) {
        reader.skip(8)?;
    }
    Some(Found { layer: Layer::Teredo, header_bytes: reader.position(), next: Next::Ipv6, scope: Scope::Global })
}

/// Lengths of identity and signature, methods, the operation "forward", what follows, a time.
pub(super) fn ayiya(payload: &[u8], _room: usize) -> Option<Found> {
    const FORWARD: u8 = 1;
    let mut reader = Reader::new(payload);
    let [identity, signature, operation, next]: [u8; 4] = reader.array()?;
    if operation & 15 != FORWARD {
        return None;
    }
    let next = match next {
        4 => Next::Ipv4,
        41 => Next::Ipv6,
        _ => return None,
    };
    let identity_bytes = 1_usize << (identity >> 4);
    reader.skip(4 + identity_bytes + usize::from(signature >> 4) * 4)?;
    Some(Found { layer: Layer::Ayiya, header_bytes: reader.position(), next, scope: Scope::Global })
}
