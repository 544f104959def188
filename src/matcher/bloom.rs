//! [`Bloom`]: the negative filter in front of every exact structure.
//!
//! A split-block Bloom filter (after Putze, Sanders, Singler 2007): a key touches one 32-byte block, so one cache line, in
//! which it sets two bits of each of four words. Plain arrays and fixed loops: compiled for AVX2 the masks of all words are
//! made at once (2 ns); where the target cannot shift words by different amounts, bit by bit is twice as fast as that.

use crate::{memory, prefetch};

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
    bits: u64,
}

#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Block([u64; 4]);

impl Bloom {
    /// Room for `keys` keys at [`BITS_PER_KEY`]; none at all for none.
    pub fn for_keys(keys: usize) -> Self {
        let count = (keys * BITS_PER_KEY).div_ceil(BLOCK_BITS);
        let mut blocks = Vec::with_capacity(count);
        memory::ask_for_large_pages(&blocks);
        blocks.resize(count, Block::default());
        Self { blocks: blocks.into_boxed_slice() }
    }

    /// Where `hash` lies.
    #[inline(always)]
    pub fn probe(&self, hash: u64) -> Probe {
        Probe { block: (((hash >> 32) * self.blocks.len() as u64) >> 32) as u32, bits: hash.wrapping_mul(SPREAD) }
    }

    /// Puts a key in.
    #[inline(always)]
    pub fn insert(&mut self, probe: Probe) {
        if let Some(block) = self.blocks.get_mut(probe.block as usize) {
            for (word, mask) in block.0.iter_mut().zip(masks(probe.bits)) {
                *word |= mask;
            }
        }
    }

    /// For putting many in.
    pub(super) fn filling(&mut self) -> Filling<'_> {
        Filling { bloom: self, waiting: [Probe { block: 0, bits: 0 }; BATCH], count: 0 }
    }

    /// Whether the key may be in.
    #[inline(always)]
    pub fn maybe(&self, probe: Probe) -> bool {
        let Some(block) = self.blocks.get(probe.block as usize) else { return false };
        if cfg!(target_feature = "avx2") { block.has_masks(probe.bits) } else { block.has_bits(probe.bits) }
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

/// Fills a filter in batches whose lines are asked for ahead, so that the memory misses of building overlap.
pub(super) struct Filling<'b> {
    bloom: &'b mut Bloom,
    waiting: [Probe; BATCH],
    count: usize,
}

impl Filling<'_> {
    /// [`Bloom::insert`], a little later.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u64) {
        let probe = self.bloom.probe(hash);
        self.bloom.prefetch(probe);
        self.waiting[self.count % BATCH] = probe;
        self.count += 1;
        if self.count == BATCH {
            self.flush();
        }
    }

    /// Puts in what waits.
    pub(super) fn finish(mut self) {
        self.flush();
    }

    fn flush(&mut self) {
        let Self { bloom, waiting, count } = self;
        waiting.iter().take(std::mem::take(count)).for_each(|probe| bloom.insert(*probe));
    }
}

impl Block {
    #[inline(always)]
    fn has_masks(&self, bits: u64) -> bool {
        let mut missing = 0;
        for (word, mask) in self.0.iter().zip(masks(bits)) {
            missing |= !word & mask;
        }
        missing == 0
    }

    #[inline(always)]
    fn has_bits(&self, bits: u64) -> bool {
        let both = |(at, word): (usize, &u64)| {
            let [one, two] = places(bits, at);
            word >> one & word >> two & 1
        };
        let mut words = self.0.iter().enumerate();
        // The first word turns down four in five of what is not in.
        words.next().map(both) == Some(1) && words.map(both).fold(1, |all, word| all & word) != 0
    }
}

/// Two bits for each word.
#[inline(always)]
fn masks(bits: u64) -> [u64; 4] {
    std::array::from_fn(|at| places(bits, at).iter().fold(0, |mask, place| mask | 1 << place))
}

/// Which two bits of a word: six bits of the hash each, the best mixed upper 48 in all.
#[inline(always)]
fn places(bits: u64, word: usize) -> [u64; 2] {
    [bits >> (16 + 12 * word) & 63, bits >> (22 + 12 * word) & 63]
}

/// 12 bits a key: half a percent of false maybes for 1.5 bytes; 16 would buy 0.13 % for a third more cache.
pub const BITS_PER_KEY: usize = 12;

const BLOCK_BITS: usize = 256;

/// Lines in flight while filling: more than a core has miss buffers.
const BATCH: usize = 32;

/// Makes the bits of a key independent of its block, which the upper half of the hash chooses.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

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

        #[test]
        fn both_ways_to_ask_agree(words in any::<[u64; 4]>(), more in any::<[u64; 4]>(), bits in any::<u64>()) {
            let dense = Block(std::array::from_fn(|at| words[at] | more[at] | masks(bits.rotate_left(1))[at]));
            for bits in [bits, bits.rotate_left(1), !bits] {
                prop_assert_eq!(dense.has_masks(bits), dense.has_bits(bits));
            }
        }
    }
}
