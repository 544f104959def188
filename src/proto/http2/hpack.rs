//! HPACK (RFC 7541): a header block to the fields that matter here.
//!
//! The dynamic table keeps the sizes of all entries and the values of only those that matter. A connection picked up late, or
//! one with a gap, has entries that nobody here knows: fields that name them are left out and the rest is read. Bounded by
//! [`MAX_TABLE_BYTES`], [`MAX_LIST_BYTES`] and [`MAX_FIELDS`].
//!
//! It is no library's: a sensor must go on behind a gap with a table of which it knows a part, and read whole what is left of a block that
//! names what it does not know; a decoder for one end of a connection may give up there, and those looked at do (or index past cut input).

use std::collections::VecDeque;
use std::ops::Range;

use super::huffman;
use crate::bytes::Reader;

/// The names that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Authority,
    Method,
    Path,
    Scheme,
    Status,
    Host,
    UserAgent,
    Referer,
    Location,
    ContentType,
    ContentEncoding,
    ContentDisposition,
    ContentRange,
    Other,
    /// Of an entry that was never seen.
    Unknown,
}

impl Name {
    fn of(name: &[u8]) -> Self {
        NAMES.iter().find(|(text, _)| text.as_bytes() == name).map_or(Self::Other, |(_, name)| *name)
    }

    fn matters(self) -> bool {
        !matches!(self, Self::Other | Self::Unknown)
    }
}

/// The fields of one block that matter, in order. Reused from block to block.
#[derive(Default)]
pub(super) struct List {
    bytes: Vec<u8>,
    fields: Vec<(Name, Range<usize>)>,
    /// There were more than are kept.
    pub(super) is_cut: bool,
}

impl List {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.is_cut = false;
    }

    /// The values of a field.
    pub(super) fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.iter().filter(move |(of, _)| *of == name);
        fields.filter_map(|(_, range)| self.bytes.get(range.clone()))
    }

    /// The first value of a field.
    pub(super) fn first(&self, name: Name) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// Takes what was written behind `start` for a field, or drops it.
    fn end_field(&mut self, name: Name, start: usize) {
        if name.matters() && self.fields.len() < MAX_FIELDS && self.bytes.len() <= MAX_LIST_BYTES {
            self.fields.push((name, start..self.bytes.len()));
        } else {
            self.is_cut |= name.matters();
            self.bytes.truncate(start);
        }
    }
}

/// One direction's decoder: its dynamic table.
pub(super) struct Decoder {
    /// Newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max_size: usize,
    /// Entries are missing behind those known.
    is_partial: bool,
}

/// An entry of the dynamic table.
struct Entry {
    name: Name,
    name_bytes: u32,
    value_bytes: u32,
    /// If the name matters.
    value: Box<[u8]>,
}

impl Entry {
    fn size(&self) -> usize {
        self.name_bytes as usize + self.value_bytes as usize + ENTRY_BYTES
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, max_size: DEFAULT_TABLE_BYTES, is_partial: false }
    }
}

impl Decoder {
    /// Blocks were missed: no entry is where it was.
    pub(super) fn lose(&mut self) {
        self.entries = VecDeque::new();
        self.size = 0;
        self.is_partial = true;
    }

    /// What it has on the heap, at most.
    pub(super) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.size
    }

    /// Reads a block into `list`. `None` if it is malformed or ends too early: the fields before that are in the list, and
    /// the table is lost.
    pub(super) fn decode(&mut self, block: &[u8], list: &mut List) -> Option<()> {
        let mut r = Reader::new(block);
        while !r.is_empty() {
            if self.field(&mut r, list).is_none() {
                self.lose();
                return None;
            }
        }
        Some(())
    }

    /// One representation (RFC 7541 section 6).
    fn field(&mut self, r: &mut Reader<'_>, list: &mut List) -> Option<()> {
        let start = list.bytes.len();
        match *r.rest().first()? {
            first if first & 0x80 != 0 => {
                let index = integer(r, 7)?;
                let name = self.copy(index, list)?;
                list.end_field(name, start);
            }
            first if first & 0x40 != 0 => {
                let (name, name_bytes) = self.name(r, 6, list)?;
                string(r, &mut list.bytes)?;
                let value = list.bytes.get(start..)?;
                let kept = if name.matters() { value.into() } else { Box::default() };
                self.insert(Entry {
                    name,
                    name_bytes: name_bytes as u32,
                    value_bytes: value.len() as u32,
                    value: kept,
                });
                list.end_field(name, start);
            }
            first if first & 0x20 != 0 => self.resize(integer(r, 5)?),
            _ => {
                let (name, _) = self.name(r, 4, list)?;
                string(r, &mut list.bytes)?;
                list.end_field(name, start);
            }
        }
        Some(())
    }

    /// The name of a literal, and its length.
    fn name(&self, r: &mut Reader<'_>, prefix_bits: u32, list: &mut List) -> Option<(Name, usize)> {
        let index = integer(r, prefix_bits)?;
        if let Some((name, _)) = static_entry(index) {
            return Some((Name::of(name), name.len()));
        }
        if index > 0 {
            return match self.entry(index)? {
                Some(entry) => Some((entry.name, entry.name_bytes as usize)),
                None => Some((Name::Unknown, 0)),
            };
        }
        let start = list.bytes.len();
        string(r, &mut list.bytes)?;
        let name = list.bytes.get(start..)?;
        let found = (Name::of(name), name.len());
        list.bytes.truncate(start);
        Some(found)
    }

    /// Appends the value of an entry; its name.
    fn copy(&self, index: usize, list: &mut List) -> Option<Name> {
        if index == 0 {
            return None;
        }
        let (name, value) = match static_entry(index) {
            Some((name, value)) => (Name::of(name), value),
            None => self.entry(index)?.map_or((Name::Unknown, &[][..]), |entry| (entry.name, &entry.value)),
        };
        // One byte of a block can stand for an entry of any size.
        if list.bytes.len() <= MAX_LIST_BYTES {
            list.bytes.extend_from_slice(value);
        }
        Some(name)
    }

    /// A dynamic entry: `Some(None)` for one that may be there and was never seen.
    fn entry(&self, index: usize) -> Option<Option<&Entry>> {
        match self.entries.get(index.checked_sub(STATIC.len() + 1)?) {
            None if self.is_partial => Some(None),
            found => found.map(Some),
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.size += entry.size();
        self.entries.push_front(entry);
        self.evict();
    }

    /// A size over what is kept here leaves the oldest entries unknown.
    fn resize(&mut self, size: usize) {
        self.is_partial |= size > MAX_TABLE_BYTES;
        self.max_size = size.min(MAX_TABLE_BYTES);
        self.evict();
    }

    fn evict(&mut self) {
        while self.size > self.max_size {
            let Some(entry) = self.entries.pop_back() else { break };
            self.size -= entry.size();
        }
    }
}

/// RFC 7541 section 5.1.
fn integer(r: &mut Reader<'_>, prefix_bits: u32) -> Option<usize> {
    let mask = (1 << prefix_bits) - 1;
    let mut value = usize::from(r.u8()?) & mask;
    if value < mask {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = r.u8()?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// RFC 7541 section 5.2: appends a string.
fn string(r: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
    let is_coded = r.rest().first()? & 0x80 != 0;
    let length = integer(r, 7)?;
    let bytes = r.take(length)?;
    if is_coded {
        return huffman::decode(bytes, out);
    }
    out.extend_from_slice(bytes);
    Some(())
}

fn static_entry(index: usize) -> Option<(&'static [u8], &'static [u8])> {
    let (name, value) = STATIC.get(index.checked_sub(1)?)?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// `SETTINGS_HEADER_TABLE_SIZE` unless a peer says otherwise (RFC 9113 section 6.5.2).
const DEFAULT_TABLE_BYTES: usize = 4096;
/// Four times what clients in the clear use, whatever their peers allow. An entry takes about the memory that HPACK reckons.
const MAX_TABLE_BYTES: usize = 16 * 1024;
/// Of the values that matter in one block: more than servers accept in a whole head.
const MAX_LIST_BYTES: usize = 32 * 1024;
/// Fields that matter in one block: a head has each of them once.
const MAX_FIELDS: usize = 32;
/// RFC 7541 section 4.1.
const ENTRY_BYTES: usize = 32;
const _: () = assert!(size_of::<Entry>() <= ENTRY_BYTES);

const NAMES: [(&str, Name); 13] = [
    (":authority", Name::Authority),
    (":method", Name::Method),
    (":path", Name::Path),
    (":scheme", Name::Scheme),
    (":status", Name::Status),
    ("host", Name::Host),
    ("user-agent", Name::UserAgent),
    ("referer", Name::Referer),
    ("location", Name::Location),
    ("content-type", Name::ContentType),
    ("content-encoding", Name::ContentEncoding),
    ("content-disposition", Name::ContentDisposition),
    ("content-range", Name::ContentRange),
];

/// RFC 7541 appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""),
    ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
    ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
    ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
    ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
    ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
    ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digits: Vec<u8> = hexadecimal.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn read(decoder: &mut Decoder, block: &str) -> Vec<(Name, String)> {
        let mut list = List::default();
        decoder.decode(&bytes(block), &mut list).expect("a good block");
        shown(&list)
    }

    fn shown(list: &List) -> Vec<(Name, String)> {
        list.fields
            .iter()
            .map(|(name, at)| (*name, String::from_utf8_lossy(&list.bytes[at.clone()]).into_owned()))
            .collect()
    }

    fn field(name: Name, value: &str) -> (Name, String) {
        (name, value.to_owned())
    }

    /// RFC 7541 appendix C.3 and C.4: three requests, plain and coded.
    #[test]
    fn published_requests() {
        let plain = [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ];
        let coded = [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ];
        for blocks in [plain, coded] {
            let mut decoder = Decoder::default();
            for (block, (scheme, path, size)) in
                blocks.into_iter().zip([("http", "/", 57), ("http", "/", 110), ("https", "/index.html", 164)])
            {
                let expected = [
                    field(Name::Method, "GET"),
                    field(Name::Scheme, scheme),
                    field(Name::Path, path),
                    field(Name::Authority, "www.example.com"),
                ];
                assert_eq!(read(&mut decoder, block), expected);
                assert_eq!(decoder.size, size);
            }
        }
    }

    /// RFC 7541 appendix C.6: responses in a table of 256 bytes, with evictions.
    #[test]
    fn published_responses() {
        let mut decoder = Decoder { max_size: 256, ..Decoder::default() };
        let first = "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
                     919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
        let location = field(Name::Location, "https://www.example.com");
        assert_eq!(read(&mut decoder, first), [field(Name::Status, "302"), location.clone()]);
        assert_eq!(decoder.size, 222);
        let second = read(&mut decoder, "4883 640e ffc1 c0bf");
        assert_eq!(second, [field(Name::Status, "307"), location.clone()]);
        assert_eq!(decoder.size, 222);
        let third = "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7
                     821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed
                     4ee5 b106 3d50 07";
        let coding = field(Name::ContentEncoding, "gzip");
        assert_eq!(read(&mut decoder, third), [field(Name::Status, "200"), location, coding]);
        assert_eq!(decoder.size, 215);
    }

    #[test]
    fn what_was_missed_is_left_out() {
        let mut late = Decoder::default();
        late.lose();
        // Two entries of before, then a literal that is indexed, then both again one further.
        assert_eq!(read(&mut late, "be bf 41 01 61"), [field(Name::Authority, "a")]);
        assert_eq!(read(&mut late, "be bf c0"), [field(Name::Authority, "a")]);
        // A value with a name of before: nobody knows which.
        assert_eq!(read(&mut late, "7f 01 01 62"), []);
        let mut fresh = Decoder::default();
        assert!(fresh.decode(&[0xbe], &mut List::default()).is_none());
    }

    #[test]
    fn malformed_blocks_show_what_came_before() {
        for rest in ["80", "bf", "ff ff ff ff ff ff", "40", "41 05 61", "41 85 ff ff ff ff ff", "00 01", "3f"] {
            let mut decoder = Decoder::default();
            let mut list = List::default();
            assert!(decoder.decode(&bytes(&format!("82 {rest}")), &mut list).is_none(), "{rest}");
            assert_eq!(shown(&list), [field(Name::Method, "GET")]);
            assert!(decoder.is_partial);
        }
    }

    #[test]
    fn a_bomb_is_bounded() {
        let mut decoder = Decoder::default();
        let mut block = vec![0x41, 0x7f, 0xa1, 0x1e];
        block.extend([b'a'; 4000]);
        block.extend([0xbe; 60_000]);
        let mut list = List::default();
        assert!(decoder.decode(&block, &mut list).is_some());
        assert!(list.is_cut && list.bytes.len() <= MAX_LIST_BYTES + DEFAULT_TABLE_BYTES);
        let mut many = vec![0x3f, 0xe1, 0xff, 0xff, 0x07];
        (0..20_000).for_each(|_| many.extend([0x41, 0]));
        assert!(decoder.decode(&many, &mut list).is_some());
        assert!(decoder.size <= MAX_TABLE_BYTES && decoder.is_partial);
    }

    proptest! {
        #[test]
        fn never_panics(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..5)) {
            let mut decoder = Decoder::default();
            let mut list = List::default();
            for block in blocks {
                let _ = decoder.decode(&block, &mut list);
                prop_assert!(decoder.size <= decoder.max_size);
                prop_assert_eq!(decoder.size, decoder.entries.iter().map(Entry::size).sum::<usize>());
            }
        }
    }
}
