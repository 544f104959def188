//! [`Bloom`]: the negative filter in front of every exact structure.
//!
//! A split-block Bloom filter (Putze, Sanders, Singler 2007, in the arrangement of the Parquet format's): a key touches one
//! 32-byte block, so one cache line, in which it sets one bit of each of eight words. Plain arrays and fixed loops, which
//! the compiler turns into vector code where the target has it.

use crate::prefetch;

/// A set of 64-bit hashes that answers "maybe" or "certainly not".
///
/// **Contract**: it may say maybe of what was never put in (about 0.5 % at [`BITS_PER_KEY`]); it never says no of what was.
/// Whoever asks must confirm a maybe against the values themselves.
#[derive(Clone, Default)]
pub struct Bloom {
    blocks: Box<[Block]>,
}

/// Where a key lies and which bits are its own.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    block: u32,
    bits: u32,
}

#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Block([u32; 8]);

impl Bloom {
    /// Room for `keys` keys at [`BITS_PER_KEY`]; none at all for none.
    pub fn for_keys(keys: usize) -> Self {
        Self { blocks: vec![Block::default(); (keys * BITS_PER_KEY).div_ceil(BLOCK_BITS)].into_boxed_slice() }
    }

    /// Where `hash` lies.
    #[inline(always)]
    pub fn probe(&self, hash: u64) -> Probe {
        Probe { block: (((hash >> 32) * self.blocks.len() as u64) >> 32) as u32, bits: hash as u32 }
    }

    /// Puts a key in.
    #[inline(always)]
    pub fn insert(&mut self, probe: Probe) {
        if let Some(block) = self.blocks.get_mut(probe.block as usize) {
            for (word, bit) in block.0.iter_mut().zip(mask(probe.bits)) {
                *word |= bit;
            }
        }
    }

    /// Whether the key may be in.
    #[inline(always)]
    pub fn maybe(&self, probe: Probe) -> bool {
        let Some(block) = self.blocks.get(probe.block as usize) else { return false };
        let mut missing = 0;
        for (word, bit) in block.0.iter().zip(mask(probe.bits)) {
            missing |= !word & bit;
        }
        missing == 0
    }

    /// Asks for the key's line ahead of use.
    #[inline(always)]
    pub fn prefetch(&self, probe: Probe) {
        if let Some(block) = self.blocks.get(probe.block as usize) {
            prefetch::line(block);
        }
    }

    /// Whether nothing can be in.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.blocks.len() * size_of::<Block>()
    }
}

/// One bit for each word.
#[inline(always)]
fn mask(bits: u32) -> [u32; 8] {
    SALTS.map(|salt| 1 << (bits.wrapping_mul(salt) >> 27))
}

/// 12 bits a key: half a percent of false maybes for 1.5 bytes; 16 would buy 0.13 % for a third more cache.
pub const BITS_PER_KEY: usize = 12;

const BLOCK_BITS: usize = 256;

/// Odd multipliers that spread 32 bits to a bit number a word; those of the Parquet format's specification.
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::hash::Seeds;
    use proptest::prelude::*;

    #[test]
    fn few_false_maybes_at_the_size_it_says() {
        let seeds = Seeds::fixed(1);
        let mut bloom = Bloom::for_keys(100_000);
        (0..100_000).for_each(|key| bloom.insert(bloom.probe(seeds.word(key))));
        let wrong = (100_000..200_000).filter(|&key| bloom.maybe(bloom.probe(seeds.word(key)))).count();
        assert!(wrong < 900, "{wrong} of 100,000");
        assert!(bloom.memory_bytes() <= 150_100);
    }

    #[test]
    fn an_empty_one_says_no() {
        let bloom = Bloom::default();
        assert!(!bloom.maybe(bloom.probe(u64::MAX)) && bloom.is_empty());
        bloom.prefetch(bloom.probe(3));
    }

    proptest! {
        #[test]
        fn never_a_false_no(keys in proptest::collection::vec(any::<u64>(), 1..300)) {
            let mut bloom = Bloom::for_keys(keys.len());
            keys.iter().for_each(|&key| bloom.insert(bloom.probe(key)));
            prop_assert!(keys.iter().all(|&key| bloom.maybe(bloom.probe(key))));
        }
    }
}
