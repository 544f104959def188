//! [`Seeds`]: the keyed hash of every structure here. Two multiplications a step, seeded, so that traffic cannot be made
//! to collide without knowing the seed. Not a proven pseudo-random function: it need not be, since every hit is confirmed
//! by comparing bytes and no structure grows with traffic, so a collision costs time only. Never persisted.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The seed of a set's hashes.
#[derive(Clone, Copy)]
pub struct Seeds {
    start: u64,
    step: u64,
}

impl Seeds {
    /// Unpredictable ones: what a live sensor uses.
    pub fn random() -> Self {
        Self::fixed(RandomState::new().build_hasher().finish())
    }

    /// Always the same for the same `seed`: what a replay uses, so that runs can be compared.
    pub fn fixed(seed: u64) -> Self {
        Self { start: mix(seed ^ ODD_1, ODD_2), step: mix(seed ^ ODD_2, ODD_3) | 1 }
    }

    /// What a chain of [`Self::chain`] starts from.
    #[inline]
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Hash of one word.
    #[inline]
    pub fn word(&self, word: u64) -> u64 {
        mix(mix(word ^ self.start, self.step), ODD_1)
    }

    /// Hash of two words, unlike [`Self::word`] of either.
    #[inline]
    pub fn words(&self, first: u64, second: u64) -> u64 {
        mix(mix(first ^ self.step, second ^ self.start), ODD_2)
    }

    /// Hash of bytes as they are.
    #[inline]
    pub fn bytes(&self, bytes: &[u8]) -> u64 {
        self.chain(self.start, bytes)
    }

    /// Goes on from `before` (a hash of what came before) with `piece`. The piece's length is part of the hash, so that
    /// the same bytes cut elsewhere hash differently.
    #[inline]
    pub(super) fn chain(&self, before: u64, piece: &[u8]) -> u64 {
        self.absorb(before, piece, |word| word)
    }

    /// [`Self::chain`] whatever the case of ASCII letters. Not the same as of the small letters.
    #[inline]
    pub(super) fn chain_lower(&self, before: u64, piece: &[u8]) -> u64 {
        self.absorb(before, piece, fold_case)
    }

    /// The same of a piece that is ASCII.
    #[inline]
    pub(super) fn chain_lower_ascii(&self, before: u64, piece: &[u8]) -> Option<u64> {
        let mut bits = 0;
        let hash = self.absorb(before, piece, |word| {
            bits |= word;
            fold_case(word)
        });
        (bits & HIGH == 0).then_some(hash)
    }

    #[inline(always)]
    fn absorb(&self, before: u64, piece: &[u8], mut fold: impl FnMut(u64) -> u64) -> u64 {
        let mut hash = before ^ (piece.len() as u64).wrapping_mul(ODD_3);
        let mut rest = piece;
        while let Some((head, tail)) = rest.split_first_chunk::<8>() {
            if tail.is_empty() {
                break;
            }
            hash = mix(hash ^ fold(u64::from_le_bytes(*head)), self.step);
            rest = tail;
        }
        mix(mix(hash ^ fold(last_word(piece, rest)), self.step), ODD_1)
    }
}

/// The high and low half of the full product, folded.
#[inline(always)]
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The last one to eight bytes as one word: of a long piece its last eight bytes, which may repeat some already taken.
#[inline(always)]
fn last_word(piece: &[u8], rest: &[u8]) -> u64 {
    if let Some(word) = piece.last_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    match (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32,
        _ => match rest {
            [] => 0,
            [a] => u64::from(*a),
            [a, b] => u64::from(*a) | u64::from(*b) << 8,
            [a, b, c, ..] => u64::from(*a) | u64::from(*b) << 8 | u64::from(*c) << 16,
        },
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
/// The bit of each byte that ASCII has not.
const HIGH: u64 = 0x80 * ONES;

/// Eight bytes, capitals and small letters made one. So are a few other pairs that hardly any name has: a
/// look-up confirms what it finds.
#[inline(always)]
fn fold_case(word: u64) -> u64 {
    word | (0x20 * ONES)
}

const ODD_1: u64 = 0x9e37_79b9_7f4a_7c15;
const ODD_2: u64 = 0xd6e8_feb8_6659_fd93;
const ODD_3: u64 = 0xa076_1d64_78bd_642f;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folding_makes_both_cases_one_and_keeps_what_names_have_apart() {
        let folded = |byte: u8| fold_case(u64::from_le_bytes([byte; 8])).to_le_bytes()[3];
        let of_names: Vec<u8> = (b'!'..=b'~').filter(|b| !b.is_ascii_uppercase() && !b"@[]^\\".contains(b)).collect();
        for (at, byte) in of_names.iter().enumerate() {
            assert_eq!(folded(*byte), folded(byte.to_ascii_uppercase()));
            assert!(of_names[..at].iter().all(|other| folded(*other) != folded(*byte)));
        }
    }

    #[test]
    fn lengths_seeds_and_cuts_tell_hashes_apart() {
        let seeds = Seeds::fixed(1);
        let all: Vec<u64> = (0..64).map(|n| seeds.bytes(&vec![0; n])).collect();
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 64);
        assert_ne!(seeds.bytes(b"name"), Seeds::fixed(2).bytes(b"name"));
        let cut = |a: &[u8], b: &[u8]| seeds.chain(seeds.chain(seeds.start(), a), b);
        assert_ne!(cut(b"ab", b"c"), cut(b"a", b"bc"));
        assert_ne!(seeds.word(7), seeds.words(7, 0));
    }

    proptest! {
        #[test]
        fn case_does_not_count_where_it_should_not(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let seeds = Seeds::fixed(3);
            let folded = seeds.chain_lower(5, &bytes);
            prop_assert_eq!(folded, seeds.chain_lower(5, &bytes.to_ascii_lowercase()));
            prop_assert_eq!(folded, seeds.chain_lower(5, &bytes.to_ascii_uppercase()));
            prop_assert_eq!(seeds.chain_lower_ascii(5, &bytes), bytes.is_ascii().then_some(folded));
        }

        #[test]
        fn every_byte_counts(mut bytes in proptest::collection::vec(any::<u8>(), 1..64), at in any::<prop::sample::Index>()) {
            let seeds = Seeds::fixed(4);
            let before = seeds.bytes(&bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert_ne!(before, seeds.bytes(&bytes));
        }
    }
}
