//! [`Pool`]: the memory that flows borrow to hold bytes back, bounded in total and recycled, so that a flow costs nothing
//! until it needs some and an attacker cannot take more than there is.

use super::stream::Pending;

/// Held buffers kept for reuse; beyond that they are freed.
const MAX_RECYCLED: usize = 1024;

/// A recycled buffer that grew beyond this is freed: one large message must not keep its memory for ever.
const MAX_RECYCLED_BYTES: usize = 16 * 1024;

/// Bytes of a message that is not complete yet. Owned by one direction of a flow.
#[derive(Default)]
pub struct Held {
    /// The bytes.
    pub bytes: Vec<u8>,
}

crate::bytes::opaque_debug!(Held, "Held");

/// See the module.
#[expect(clippy::vec_box, reason = "the boxes themselves are what is recycled")]
pub struct Pool {
    held: Vec<Box<Held>>,
    pending: Vec<Box<Pending>>,
    in_use_bytes: usize,
    limit_bytes: usize,
    /// How often a request was refused because the limit was reached.
    pub refused: u64,
}

impl Pool {
    /// A pool that lends at most `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self { held: Vec::new(), pending: Vec::new(), in_use_bytes: 0, limit_bytes, refused: 0 }
    }

    /// Bytes lent at present.
    pub fn in_use_bytes(&self) -> usize {
        self.in_use_bytes
    }

    /// Appends to what a direction holds back. False, and nothing appended, if there is no memory for it.
    #[must_use]
    pub fn hold(&mut self, held: &mut Option<Box<Held>>, bytes: &[u8]) -> bool {
        if !self.take(bytes.len()) {
            return false;
        }
        held.get_or_insert_with(|| self.held.pop().unwrap_or_default()).bytes.extend_from_slice(bytes);
        true
    }

    /// Drops the first `count` bytes held; all of them if there are no more.
    pub fn forget(&mut self, held: &mut Option<Box<Held>>, count: usize) {
        let Some(buffer) = held else { return };
        if count >= buffer.bytes.len() {
            self.release(held);
        } else {
            buffer.bytes.drain(..count);
            self.in_use_bytes -= count;
        }
    }

    /// Takes back all that a direction holds.
    pub fn release(&mut self, held: &mut Option<Box<Held>>) {
        let Some(mut buffer) = held.take() else { return };
        self.in_use_bytes -= buffer.bytes.len();
        if self.held.len() < MAX_RECYCLED && buffer.bytes.capacity() <= MAX_RECYCLED_BYTES {
            buffer.bytes.clear();
            self.held.push(buffer);
        }
    }

    /// Changes what a borrower has on its own account (decoders, parsers) from `charged` to `bytes`. False, and nothing
    /// changed, if there is no memory for it: the borrower must give up what it has. Half of the pool at most is lent so, for
    /// streams need the rest to get in order.
    #[must_use]
    pub fn charge(&mut self, charged: &mut u32, bytes: usize) -> bool {
        let Ok(wanted) = u32::try_from(bytes) else { return false };
        if wanted > *charged && self.in_use_bytes + (wanted - *charged) as usize > self.limit_bytes / 2 {
            self.refused += 1;
            return false;
        }
        self.in_use_bytes = self.in_use_bytes - *charged as usize + bytes;
        *charged = wanted;
        true
    }

    pub(super) fn take(&mut self, bytes: usize) -> bool {
        if self.in_use_bytes + bytes > self.limit_bytes {
            self.refused += 1;
            return false;
        }
        self.in_use_bytes += bytes;
        true
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        self.in_use_bytes -= bytes;
    }

    pub(super) fn pending(&mut self) -> Box<Pending> {
        self.pending.pop().unwrap_or_default()
    }

    pub(super) fn release_pending(&mut self, mut pending: Box<Pending>) {
        self.in_use_bytes -= pending.charged_bytes();
        if self.pending.len() < MAX_RECYCLED && pending.capacity_bytes() <= MAX_RECYCLED_BYTES {
            pending.clear();
            self.pending.push(pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_it_is_lent_on_account() {
        let (mut pool, mut one, mut other) = (Pool::new(1000), 0, 0);
        assert!(pool.charge(&mut one, 400) && pool.charge(&mut other, 100));
        assert!(!pool.charge(&mut other, 101));
        assert_eq!((pool.in_use_bytes(), pool.refused, other), (500, 1, 100));
        assert!(pool.charge(&mut one, 0) && pool.charge(&mut other, 500));
        assert_eq!(pool.in_use_bytes(), 500);
        assert!(pool.take(500) && pool.charge(&mut other, 499), "what is given back is always taken");
        assert_eq!(pool.in_use_bytes(), 999);
    }
}
