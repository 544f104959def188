//! [`Reader`]: the one bounds-checked cursor (big-endian unless it says otherwise) that every header and protocol parser reads
//! through.
//!
//! It never panics and never allocates: a read past the end is `None`, and the cursor stays where it was.
//!
//! ```
//! use picket::bytes::Reader;
//! let mut r = Reader::new(&[0x12, 0x34, 0x56]);
//! assert_eq!(r.u16(), Some(0x1234));
//! assert_eq!(r.u16(), None);
//! assert_eq!(r.rest(), &[0x56]);
//! ```

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

/// `Debug` that shows a type's name and nothing of what it holds: bytes and addresses of traffic, texts of feeds. Whatever prints
/// such a type, by mistake or in a panic, prints no value.
macro_rules! opaque_debug {
    ($type:ty, $name:literal) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($name)
            }
        }
    };
}
pub(crate) use opaque_debug;

/// A cursor over borrowed bytes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    data: &'a [u8],
    position: usize,
}

opaque_debug!(Reader<'_>, "Reader");

impl<'a> Reader<'a> {
    /// A cursor at the first byte of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.data.len() - self.position
    }

    /// True once every byte has been read.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// What has not been read yet; does not advance.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.position..).unwrap_or(&[])
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.data.get(self.position..self.position.checked_add(count)?)?;
        self.position += count;
        Some(taken)
    }

    /// The next `count` bytes as a reader of their own, so that an inner length cannot read past its field.
    pub fn sub(&mut self, count: usize) -> Option<Reader<'a>> {
        self.take(count).map(Reader::new)
    }

    /// Steps over `count` bytes.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes.
    pub fn u24(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]: [u8; 3]| u32::from_be_bytes([0, a, b, c]))
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next two bytes, little-endian.
    pub fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes, little-endian.
    pub fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next `N` bytes by value.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_leaves_the_cursor() {
        let mut r = Reader::new(&[1, 2, 3, 4, 5]);
        assert_eq!(r.u24(), Some(0x01_0203));
        assert_eq!(r.u32(), None);
        assert_eq!(r.take(usize::MAX), None);
        assert_eq!((r.position(), r.remaining()), (3, 2));
        assert_eq!(r.u16(), Some(0x0405));
        assert!(r.is_empty());
        assert_eq!(r.u8(), None);
    }

    #[test]
    fn little_endian_is_the_other_way_round() {
        let mut r = Reader::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!((r.u16_le(), r.u32_le(), r.u16_le()), (Some(0x0201), Some(0x0605_0403), None));
    }

    #[test]
    fn a_sub_reader_stops_at_its_own_end() {
        let mut r = Reader::new(&[1, 2, 3, 4]);
        let mut inner = r.sub(2).expect("two bytes");
        assert_eq!(inner.u16(), Some(0x0102));
        assert_eq!(inner.u8(), None);
        assert_eq!(r.u8(), Some(3));
        assert!(r.sub(2).is_none());
    }
}
