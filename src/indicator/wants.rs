//! [`Wants`]: which kinds somebody looks for, so that a parser can leave out work that nobody asked for.
//!
//! It saves work and never decides: what costs next to nothing to show is shown without asking. A parser asks before it
//! hashes a certificate or a body.

use super::kind::Kind;

/// The hash functions that digests in feeds are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// 32 hex digits.
    Md5,
    /// 40.
    Sha1,
    /// 64.
    Sha256,
}

impl Digest {
    /// The function that gives digests of so many hex digits.
    pub fn of_length(hex_digits: usize) -> Option<Self> {
        match hex_digits {
            32 => Some(Self::Md5),
            40 => Some(Self::Sha1),
            64 => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// See the module. Kinds are bits, by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    kinds: u32,
    /// Of the same kinds, those with a value as long as a digest of this function.
    digests: [u32; 3],
    /// Rules speak of files' content.
    pub(super) content: bool,
}

impl Wants {
    /// Nothing.
    pub const NONE: Self = Self { kinds: 0, digests: [0; 3], content: false };
    /// Everything: for whoever wants to see all there is.
    pub const ALL: Self = Self { kinds: u32::MAX, digests: [u32::MAX; 3], content: true };

    /// Wants normalised values of `kind` and of this length, too.
    pub fn add(&mut self, kind: &Kind, value_bytes: usize) {
        let bit = bit(kind);
        self.kinds |= bit;
        if let Some(digest) = Digest::of_length(value_bytes) {
            self.digests[digest as usize] |= bit;
        }
    }

    /// The same without rules, which see again what other kinds see.
    #[cfg(test)]
    pub(crate) fn without_rules(self) -> Self {
        Self { kinds: self.kinds & !bit(&super::kind::RULE), content: false, ..self }
    }

    /// The same with what heads of HTTP show.
    #[cfg(test)]
    pub(crate) fn with_heads(mut self) -> Self {
        [&super::kind::URL, &super::kind::USER_AGENT].into_iter().for_each(|kind| self.add(kind, 0));
        self
    }

    /// Whether values of this kind are looked for.
    #[inline]
    pub fn kind(&self, kind: &Kind) -> bool {
        self.kinds & bit(kind) != 0
    }

    /// Whether rules speak of files' content.
    #[inline]
    pub fn rules_on_content(&self) -> bool {
        self.content
    }

    /// Whether digests of this function are looked for among values of this kind.
    #[inline]
    pub fn digest(&self, kind: &Kind, digest: Digest) -> bool {
        self.digests[digest as usize] & bit(kind) != 0
    }
}

/// A kind without a bit (there are fewer than 32 kinds: a test holds them to it) would be wanted with every other one.
#[inline]
fn bit(kind: &Kind) -> u32 {
    1u32.checked_shl(kind.number().into()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::KINDS;
    use super::super::kind::{DOMAIN, FILE, URL};
    use super::*;

    #[test]
    fn what_was_added_is_wanted_and_no_more() {
        let mut wants = Wants::NONE;
        wants.add(&DOMAIN, 9);
        wants.add(&FILE, 40);
        assert_eq!([&DOMAIN, &FILE, &URL].map(|kind| wants.kind(kind)), [true, true, false]);
        assert!(wants.digest(&FILE, Digest::Sha1));
        assert!(!wants.digest(&FILE, Digest::Md5) && !wants.digest(&FILE, Digest::Sha256));
        assert!(!wants.digest(&DOMAIN, Digest::Sha1));
        assert!(KINDS.iter().all(|kind| Wants::ALL.kind(kind) && !Wants::NONE.kind(kind)));
    }

    #[test]
    fn every_kind_has_a_bit() {
        assert!(KINDS.len() <= 32);
    }
}
