//! The id of an indicator whose feed gave none.

use sha2::{Digest, Sha256};

use super::flags_of;
use crate::indicator::{Indicator, Pattern};

/// `KIND--` and 128 bits of SHA-256 over the value and all that limits it. Written down here byte by byte, because
/// alerts of different versions must name the same indicator alike.
pub(in crate::indicator) fn derived_id(indicator: &Indicator<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(indicator.kind.name);
    hash.update([0]);
    hash.update((indicator.value.len() as u32).to_be_bytes());
    hash.update(indicator.value);
    hash.update([flags_of(indicator.matching, indicator.transport, indicator.port)]);
    hash.update(indicator.port.unwrap_or(0).to_be_bytes());
    let Pattern { nocase, offset, depth, source_port } = indicator.pattern;
    for limit in [Some(u32::from(nocase)), offset, depth, source_port.map(u32::from)] {
        hash.update([u8::from(limit.is_some())]);
        hash.update(limit.unwrap_or(0).to_be_bytes());
    }
    if let Some(when) = indicator.when {
        hash.update(when.canonical());
    }
    let mut id = format!("{}--", indicator.kind.name);
    for byte in hash.finalize().iter().take(16) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}
