//! CAPWAP data (RFC 5415 4.3): frames between access points and their controller.
//!
//! Not read: DTLS-protected data, and CAPWAP's own fragments, which are counted.

use super::super::{Layer, Next, wifi};
use super::Scope;
use super::udp::Found;

const IS_FRAGMENT: u32 = 0x80;
const KEEPS_ALIVE: u32 = 0x08;
const RESERVED: u32 = 0x07;

/// Whether it is a piece of a frame: a header of data that says so, and is whole.
pub(super) fn is_fragment(payload: &[u8]) -> bool {
    let Some(&[0, a, b, c]) = payload.first_chunk() else { return false };
    let word = u32::from_be_bytes([0, a, b, c]);
    let header_bytes = (word >> 19) as usize * 4;
    word & (RESERVED | IS_FRAGMENT | KEEPS_ALIVE) == IS_FRAGMENT && (8..payload.len()).contains(&header_bytes)
}

/// Preamble 0, then header length in words, radio, binding, flags; 802.11 or 802.3 follows.
pub(super) fn data(payload: &[u8], _room: usize) -> Option<Found> {
    const IS_NATIVE: u32 = 0x100;
    const WIFI_BINDING: u32 = 1;
    let &[0, a, b, c] = payload.first_chunk()? else { return None };
    let word = u32::from_be_bytes([0, a, b, c]);
    let header_bytes = (word >> 19) as usize * 4;
    if word & (RESERVED | IS_FRAGMENT | KEEPS_ALIVE) != 0 || header_bytes < 8 {
        return None;
    }
    let rest = payload.get(header_bytes..)?;
    let next = if word & IS_NATIVE == 0 {
        Next::Ethernet
    } else if word >> 9 & 0x1f != WIFI_BINDING {
        return None;
    } else {
        // Some controllers send the two bytes of frame control in the other order.
        Next::Wifi { swapped: !wifi::looks_right(rest, false), is_padded: false }
    };
    Some(Found { layer: Layer::Capwap, header_bytes, next, scope: Scope::Ends })
}
