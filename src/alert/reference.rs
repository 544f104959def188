//! [`ReferenceKey`]: names for hits that tell nothing to whoever has no key: HMAC-SHA-256 (RFC 2104) under a key of one customer and
//! day.
//!
//! A Community ID or an id derived from a value will not do: four of five parts of a flow are known to the customer, and the rest
//! is soon tried out.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Alert;
use super::customer::References;

/// A customer's secret. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ReferenceKey {
    key: Box<[u8]>,
    customer: Box<str>,
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference key has at least 32 bytes; `head -c 32 /dev/urandom | base64` makes one")]
pub struct ShortKey;

/// Seconds of a day.
const DAY_SECS: u64 = 86_400;

impl ReferenceKey {
    /// Shortest key: as long as the digest is the strength of the HMAC.
    pub const MIN_BYTES: usize = 32;

    /// For references of `customer`.
    ///
    /// # Errors
    /// [`ShortKey`].
    pub fn new(key: &[u8], customer: &str) -> Result<Self, ShortKey> {
        if key.len() < Self::MIN_BYTES {
            return Err(ShortKey);
        }
        Ok(Self { key: key.into(), customer: customer.into() })
    }

    /// The names of an alert, on the day (UTC) of its packet.
    pub(super) fn of(&self, alert: &Alert) -> References {
        let day = alert.frame.time.secs() / DAY_SECS;
        let day_key = digest(&self.key, &[self.customer.as_bytes(), &day.to_be_bytes()]);
        let name = |parts: &[&[u8]]| hex(&digest(&day_key, parts));
        let flow = &alert.flow;
        let id = alert.indicator().id();
        let conversation = alert.community_id().unwrap_or_else(|| flow.addresses().join(" "));
        let tunnel = flow.tunnel.to_be_bytes();
        let frame = &alert.frame;
        let capture = alert.capture.to_string_lossy();
        let repeats = alert.repeats.as_ref().map(|repeats| repeats.count.to_be_bytes());
        let (time, number) = (frame.time.as_ns().to_be_bytes(), frame.number.to_be_bytes());
        let mut event: Vec<&[u8]> = vec![b"event", &time, capture.as_bytes(), &number, conversation.as_bytes()];
        event.extend([id.as_bytes(), alert.field.0.as_bytes()]);
        if let Some(count) = &repeats {
            event.extend([&b"repeats"[..], count]);
        }
        References {
            indicator: name(&[b"indicator", id.as_bytes()]),
            flow: name(&[b"flow", conversation.as_bytes(), &tunnel]),
            event: name(&event),
        }
    }
}

impl fmt::Debug for ReferenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReferenceKey")
    }
}

/// Each part with its length in front, so that no two lists of parts are the same bytes.
fn digest(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("an HMAC takes keys of any length") };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The first 128 bits.
fn hex(digest: &[u8; 32]) -> String {
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_hmac_of_its_framed_parts() {
        // Python: hmac.new(bytes(range(32)), (1).to_bytes(8) + b"a" + (2).to_bytes(8) + b"bc", "sha256").hexdigest()
        let key: Vec<u8> = (0..32).collect();
        assert_eq!(hex(&digest(&key, &[b"a", b"bc"])), "3bddf4bc854ae05364f6353a7ec018de");
        assert_ne!(digest(&key, &[b"ab", b"c"]), digest(&key, &[b"a", b"bc"]));
    }

    #[test]
    fn short_keys_are_refused_and_none_is_shown() {
        assert_eq!(ReferenceKey::new(b"secret", "a").err(), Some(ShortKey));
        let key = ReferenceKey::new(&[b'k'; 32], "customer").expect("long enough");
        assert_eq!(format!("{key:?}"), "ReferenceKey");
    }
}
