//! [`Crypto`]: the handshake bytes of CRYPTO frames (RFC 9000 section 19.6), put in order.
//!
//! Holds no more than came in, in at most [`MAX_PIECES`] pieces that do not touch, below offset [`MAX_CRYPTO_BYTES`]. Of
//! bytes sent twice the first to arrive count.

/// Handshake bytes of one direction that are not done with.
#[derive(Default)]
pub(super) struct Crypto {
    /// Where the next message begins.
    base: usize,
    /// In order, with a hole before each but one that begins at `base`.
    pieces: Vec<Piece>,
}

struct Piece {
    start: usize,
    bytes: Vec<u8>,
}

impl Piece {
    fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

impl Crypto {
    /// Adds a frame's bytes. `Ok(false)` if all of them had been there before.
    pub(super) fn add(&mut self, offset: u64, bytes: &[u8]) -> Result<bool, &'static str> {
        let start = usize::try_from(offset).ok().filter(|start| *start <= MAX_CRYPTO_BYTES);
        let Some(start) = start.filter(|start| start + bytes.len() <= MAX_CRYPTO_BYTES) else {
            return Err("QUIC handshake too long");
        };
        let (mut at, end) = (start.max(self.base), start + bytes.len());
        let (mut is_new, mut next) = (false, 0);
        while at < end {
            // The first piece that ends behind `at`: it covers it, or lies after it.
            while self.pieces.get(next).is_some_and(|piece| piece.end() <= at) {
                next += 1;
            }
            let until = match self.pieces.get(next) {
                Some(piece) if piece.start <= at => {
                    at = piece.end();
                    continue;
                }
                Some(piece) => piece.start.min(end),
                None => end,
            };
            self.insert(next, at, bytes.get(at - start..until - start).unwrap_or_default())?;
            (at, is_new, next) = (until, true, next.saturating_sub(1));
        }
        Ok(is_new)
    }

    /// Puts bytes that nothing overlaps before the piece `next`, joined with what they touch.
    fn insert(&mut self, next: usize, start: usize, bytes: &[u8]) -> Result<(), &'static str> {
        let before = next.checked_sub(1).filter(|before| self.pieces.get(*before).is_some_and(|p| p.end() == start));
        let joined = before.unwrap_or(next);
        if before.is_none() {
            if self.pieces.len() == MAX_PIECES {
                return Err("QUIC handshake in too many pieces");
            }
            self.pieces.insert(next, Piece { start, bytes: Vec::with_capacity(bytes.len()) });
        }
        if let Some(piece) = self.pieces.get_mut(joined) {
            piece.bytes.extend_from_slice(bytes);
        }
        let end = start + bytes.len();
        if self.pieces.get(joined + 1).is_some_and(|piece| piece.start == end) {
            let after = self.pieces.remove(joined + 1);
            if let Some(piece) = self.pieces.get_mut(joined) {
                piece.bytes.extend_from_slice(&after.bytes);
            }
        }
        Ok(())
    }

    /// The bytes that follow what is done with, without a hole.
    pub(super) fn ready(&self) -> &[u8] {
        self.pieces.first().filter(|piece| piece.start == self.base).map_or(&[], |piece| &piece.bytes)
    }

    /// What it has on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let bytes: usize = self.pieces.iter().map(|piece| piece.bytes.capacity()).sum();
        self.pieces.capacity() * size_of::<Piece>() + bytes
    }

    /// Whether bytes wait for others.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The first so many bytes of [`ready`](Self::ready) are done with.
    pub(super) fn advance(&mut self, bytes: usize) {
        let Some(piece) = self.pieces.first_mut().filter(|piece| piece.start == self.base) else { return };
        let bytes = bytes.min(piece.bytes.len());
        self.base += bytes;
        piece.bytes.drain(..bytes);
        piece.start = self.base;
        if piece.bytes.is_empty() {
            self.pieces.remove(0);
        }
    }
}

/// Handshake bytes that a client may send in Initial packets: two hellos, each with two post-quantum key shares, stay below.
/// It bounds what one connection holds to what its sender really sent.
pub(super) const MAX_CRYPTO_BYTES: usize = 16 * 1024;
/// Pieces with holes between them. Browsers cut a hello into about ten, in disorder.
const MAX_PIECES: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn caps() {
        let mut crypto = Crypto::default();
        assert!(crypto.add(MAX_CRYPTO_BYTES as u64 - 1, &[1]).is_ok());
        assert!(crypto.add(MAX_CRYPTO_BYTES as u64 - 1, &[1, 2]).is_err());
        assert!(crypto.add(u64::MAX, &[1]).is_err());
        let mut crypto = Crypto::default();
        assert!((0..MAX_PIECES as u64).all(|at| crypto.add(2 * at, &[1]) == Ok(true)));
        assert!(crypto.add(2 * MAX_PIECES as u64, &[1]).is_err());
        // What joins two pieces takes no room.
        assert_eq!(crypto.add(1, &[2]), Ok(true));
    }

    #[test]
    fn the_first_to_arrive_counts() {
        let mut crypto = Crypto::default();
        assert_eq!(crypto.add(2, b"cd"), Ok(true));
        assert_eq!(crypto.add(0, b"abXXe"), Ok(true));
        assert_eq!(crypto.add(1, b"YYYY"), Ok(false));
        assert_eq!(crypto.ready(), b"abcde");
        crypto.advance(3);
        assert_eq!(crypto.add(0, b"ZZZ"), Ok(false));
        assert_eq!(crypto.ready(), b"de");
        crypto.advance(2);
        assert!(!crypto.is_waiting());
    }

    proptest! {
        /// The twin: a slot for each byte.
        #[test]
        fn as_the_twin(frames in prop::collection::vec((0usize..60, 0usize..20), 1..12), step in 0usize..10) {
            let mut crypto = Crypto::default();
            let (mut twin, mut base) = (vec![None; 100], 0);
            for (number, (offset, length)) in frames.into_iter().enumerate() {
                let bytes = vec![number as u8; length];
                let mut is_new = false;
                for slot in &mut twin[offset.max(base)..(offset + length).max(base)] {
                    if slot.is_none() {
                        (*slot, is_new) = (Some(number as u8), true);
                    }
                }
                prop_assert_eq!(crypto.add(offset as u64, &bytes), Ok(is_new));
                let ready: Vec<u8> = twin[base..].iter().map_while(|slot| *slot).collect();
                prop_assert_eq!(crypto.ready(), &ready);
                let step = step.min(ready.len());
                crypto.advance(step);
                base += step;
                prop_assert_eq!(crypto.is_waiting(), twin[base..].iter().any(Option::is_some));
            }
        }
    }
}
