//! One file as a protocol carries it, whatever the protocol: its digests, its name and its content as observables.
//!
//! A parser that finds the start of a file asks [`File::begin`], which is `None` when nobody wants anything of its bytes, so
//! that they can be stepped over unseen. It hands on the file's bytes as the receiver would store them (transfer and content
//! codings undone), in order and each once, with [`File::push`], and says [`File::complete`] at the end: only then are there
//! digests. A file that is not complete (a gap, a flow that ends, a cap) is dropped: no digest of a part is ever reported,
//! and the parser says why it dropped it, so that it is counted.
//!
//! Bytes are never kept: memory is a fixed [`File::memory_bytes`]. It never decides what a file is, nor what it is called.
//!
//! ```
//! use picket::proto::file::{self, File, Wants};
//!
//! let mut found = Vec::new();
//! let mut seen = |o: picket::indicator::Observable<'_>| found.push(o.at.0);
//! file::name(Wants::ALL, b"C:\\x\\Evil.exe", &[], &mut seen);
//! let mut file = File::begin(Wants::ALL).expect("wanted");
//! file.push(b"MZ", &mut seen);
//! file.push(b"...", &mut seen);
//! file.complete(Some(b"Evil.exe"), &[], &mut seen);
//! assert_eq!(found[..4], ["file.name", "picket.content", "picket.content", "picket.content"], "with the end of it");
//! assert_eq!(found[4..], ["file.hash.md5", "file.hash.sha1", "file.hash.sha256"]);
//! ```

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::indicator::kind::{BYTES, FILE, FILE_NAME};
use crate::indicator::{Digest as Function, Field, Observable, Seen, Value, Where};

/// What of files somebody wants to see; the rest need not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// `file.hash.md5`
    pub md5: bool,
    /// `file.hash.sha1`
    pub sha1: bool,
    /// `file.hash.sha256`
    pub sha256: bool,
    /// `file.name`
    pub name: bool,
    /// The bytes themselves, for byte signatures.
    pub content: bool,
    /// The bytes themselves, for rules.
    pub rules: bool,
    /// Which of the files it is that its direction of the flow carries at once.
    pub lane: u8,
}

impl Wants {
    /// What of files the loaded indicators name.
    pub fn of(wants: &crate::indicator::Wants) -> Self {
        let digest = |digest| wants.digest(&FILE, digest);
        Self {
            md5: digest(Function::Md5),
            sha1: digest(Function::Sha1),
            sha256: digest(Function::Sha256),
            name: wants.kind(&FILE_NAME),
            content: wants.kind(&BYTES),
            rules: wants.rules_on_content(),
            lane: 0,
        }
    }

    /// Everything.
    pub const ALL: Self = Self { md5: true, sha1: true, sha256: true, name: true, content: true, rules: true, lane: 0 };

    /// Nothing.
    pub const NONE: Self =
        Self { md5: false, sha1: false, sha256: false, name: false, content: false, rules: false, lane: 0 };

    /// Whether any digest is wanted.
    pub fn digests(self) -> bool {
        self.md5 || self.sha1 || self.sha256
    }

    /// Whether anything is wanted at all.
    pub fn any(self) -> bool {
        self.name || self.bytes()
    }

    /// Whether anything is wanted that takes a file's bytes.
    pub fn bytes(self) -> bool {
        self.digests() || self.content || self.rules
    }

    /// The same without the content for byte signatures: for bytes that are scanned where they lie in the stream.
    #[must_use]
    pub fn without_content(self) -> Self {
        Self { content: false, ..self }
    }

    /// The same of one of several files that a direction carries at once.
    #[must_use]
    pub fn on_lane(self, lane: u8) -> Self {
        Self { lane, ..self }
    }

    /// The digests alone: for bytes of which another form is the content.
    #[must_use]
    pub fn only_digests(self) -> Self {
        Self { content: false, rules: false, ..self }
    }
}

/// A file that is being carried: see the module.
pub struct File {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
    content: bool,
    rules: bool,
    lane: u8,
    bytes: u64,
}

impl File {
    /// A file of which nothing has come yet; `None` if its bytes are of no use to anybody.
    pub fn begin(wants: Wants) -> Option<Box<Self>> {
        wants.bytes().then(|| {
            Box::new(Self {
                md5: wants.md5.then(Md5::new),
                sha1: wants.sha1.then(Sha1::new),
                sha256: wants.sha256.then(Sha256::new),
                content: wants.content,
                rules: wants.rules,
                lane: wants.lane,
                bytes: 0,
            })
        })
    }

    /// The next bytes of it.
    pub fn push(&mut self, bytes: &[u8], seen: Seen<'_>) {
        if bytes.is_empty() {
            return;
        }
        self.show(bytes, false, seen);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    fn show(&self, bytes: &[u8], is_last: bool, seen: Seen<'_>) {
        if self.content || self.rules {
            let (offset, in_stream, lane) = (self.bytes, !self.content, self.lane);
            let value = Value::Piece { bytes, offset, lane, in_stream, is_last };
            seen(Observable { kind: &BYTES, value, at: Where(CONTENT), with: &[] });
        }
    }

    /// All of it has come: reports its digests, with its name and what else is known (`with`, of which the first
    /// [`MAX_FIELDS`] count). An empty file has none: every empty file has the same.
    pub fn complete(self: Box<Self>, name: Option<&[u8]>, with: &[Field<'_>], seen: Seen<'_>) {
        if self.bytes == 0 {
            return;
        }
        if self.rules {
            self.show(&[], true, seen);
        }
        let mut fields = [Field::number("file.size", self.bytes); MAX_FIELDS + 2];
        let known = name.map(|name| Field::text(NAME, name));
        let mut count = 1;
        for (slot, field) in fields.iter_mut().skip(1).zip(known.iter().chain(with.iter().take(MAX_FIELDS))) {
            *slot = *field;
            count += 1;
        }
        let with = fields.get(..count).unwrap_or(&fields);
        let mut report = |at: &'static str, digest: &[u8]| {
            let mut hex = [0; 64];
            let value = Value::Text(hex_of(digest, &mut hex));
            seen(Observable { kind: &FILE, value, at: Where(at), with });
        };
        if let Some(md5) = self.md5 {
            report("file.hash.md5", &md5.finalize());
        }
        if let Some(sha1) = self.sha1 {
            report("file.hash.sha1", &sha1.finalize());
        }
        if let Some(sha256) = self.sha256 {
            report("file.hash.sha256", &sha256.finalize());
        }
    }

    /// Bytes that have come.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether none has come.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// What one file in progress takes, whatever its size.
    pub const fn memory_bytes() -> usize {
        size_of::<Self>()
    }
}

/// Reports the name of a file if it is wanted. Of a path the last part counts, after the last slash or backslash; an empty
/// one, and one of more than [`MAX_NAME_BYTES`], is none. Case does not matter in names: what is compared is in lower case,
/// the alert has it as it was seen.
pub fn name(wants: Wants, path: &[u8], with: &[Field<'_>], seen: Seen<'_>) {
    let name = base_name(path);
    if !wants.name || name.is_empty() || name.len() > MAX_NAME_BYTES {
        return;
    }
    let mut lower = [0; MAX_NAME_BYTES];
    let Some(lower) = lower.get_mut(..name.len()) else { return };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let mut fields = [Field::text(NAME, name); MAX_FIELDS + 1];
    for (slot, field) in fields.iter_mut().skip(1).zip(with) {
        *slot = *field;
    }
    let with = fields.get(..=with.len().min(MAX_FIELDS)).unwrap_or(&fields);
    seen(Observable { kind: &FILE_NAME, value: Value::Text(lower), at: Where(NAME), with });
}

/// The last part of a path in either system's writing.
pub fn base_name(path: &[u8]) -> &[u8] {
    memchr::memrchr2(b'/', b'\\', path).and_then(|at| path.get(at + 1..)).unwrap_or(path)
}

/// Digits of a digest of at most 32 bytes.
fn hex_of<'b>(digest: &[u8], out: &'b mut [u8; 64]) -> &'b [u8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(digest) {
        for (place, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        }
    }
    out.get(..2 * digest.len()).unwrap_or(out)
}

/// Fields that a parser may give with a file; more than any has.
pub const MAX_FIELDS: usize = 6;

/// Longest file name: file systems allow 255 bytes, NTFS 255 UTF-16 units, which are up to 765 in UTF-8.
pub const MAX_NAME_BYTES: usize = 765;

const NAME: &str = "file.name";
const CONTENT: &str = "picket.content";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::testing::{text_of, text_with_fields};

    fn carried(wants: Wants, pieces: &[&[u8]], name: Option<&[u8]>, with: &[Field<'_>]) -> Vec<String> {
        let mut out = Vec::new();
        let seen: Seen<'_> = &mut |o| out.push(text_with_fields(&o));
        let Some(mut file) = File::begin(wants) else { return out };
        pieces.iter().for_each(|piece| file.push(piece, seen));
        file.complete(name, with, seen);
        out
    }

    #[test]
    fn digests_of_the_whole_however_it_comes() {
        let wants = Wants::ALL.only_digests();
        let whole = carried(wants, &[b"abc"], None, &[]);
        assert_eq!(
            whole,
            [
                "file file.hash.md5 900150983cd24fb0d6963f7d28e17f72 file.size=3",
                "file file.hash.sha1 a9993e364706816aba3e25717850c26c9cd0d89d file.size=3",
                "file file.hash.sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad file.size=3",
            ]
        );
        assert_eq!(carried(wants, &[b"", b"a", b"", b"bc"], None, &[]), whole);
    }

    #[test]
    fn only_what_is_wanted() {
        assert!(File::begin(Wants { name: true, ..Wants::NONE }).is_none());
        let md5 = carried(Wants { md5: true, ..Wants::NONE }, &[b"abc"], Some(b"x"), &[Field::word("a", "b")]);
        assert_eq!(md5, ["file file.hash.md5 900150983cd24fb0d6963f7d28e17f72 file.size=3 file.name=x a=b"]);
        let content = Wants { content: true, ..Wants::NONE };
        let pieces = carried(content, &[b"ab", b"c"], None, &[]);
        assert_eq!(pieces, ["network-traffic picket.content 0 ab", "network-traffic picket.content 2 c"]);
        let rules = Wants { rules: true, ..content };
        assert_eq!(carried(rules, &[b"ab"], None, &[])[1], "network-traffic picket.content 2 ", "its end");
    }

    #[test]
    fn an_empty_file_has_no_digest_and_fields_beyond_the_cap_are_left_out() {
        assert!(carried(Wants::ALL, &[b""], None, &[]).is_empty());
        let many = [Field::number("n", 1); 20];
        assert!(
            carried(Wants::ALL.only_digests(), &[b"a"], Some(b"x"), &many)[1]
                .ends_with(&"n=1 ".repeat(MAX_FIELDS).trim_end())
        );
        let mut count = 0;
        name(Wants::ALL, b"x", &many, &mut |o| count = o.with.len());
        assert_eq!(count, MAX_FIELDS + 1);
    }

    #[test]
    fn a_name_is_the_last_part_of_a_path() {
        let named = |path: &[u8]| {
            let mut out = Vec::new();
            name(Wants::ALL, path, &[], &mut |o| out.push(text_of(&o)));
            out.pop()
        };
        assert_eq!(named(b"C:\\a\\Evil.EXE").as_deref(), Some("file-name file.name evil.exe"));
        assert_eq!(named(b"/a/b").as_deref(), Some("file-name file.name b"));
        assert_eq!(named(b"b").as_deref(), Some("file-name file.name b"));
        assert_eq!((named(b"a/"), named(b""), named(&[b'a'; MAX_NAME_BYTES + 1])), (None, None, None));
        name(Wants::NONE, b"b", &[], &mut |_| panic!("not wanted"));
    }
}
