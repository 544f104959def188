//! Links in text and HTML, found in a window that slides over the text: memory is fixed, time linear.
//!
//! In text a link is a scheme, `://` and what follows up to a blank or a mark that links do not hold; a name that begins with
//! `www.` is one too. In HTML character references are undone, and the value of any attribute that is a URL as a whole
//! counts as browsers read it (blanks inside removed, backslashes as slashes, `//host` without a scheme).

/// Text looked through at a time. Half of it is the longest link, or HTML tag, that is found whole.
const WINDOW_BYTES: usize = 8 * 1024;

/// A search in progress.
pub(super) struct Links {
    is_html: bool,
    is_wide: bool,
    window: Vec<u8>,
}

impl Links {
    pub(super) fn new(is_html: bool, is_wide: bool) -> Self {
        Self { is_html, is_wide, window: Vec::new() }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.window.capacity()
    }

    /// The next text, of any length.
    pub(super) fn push(&mut self, text: &[u8], found: &mut dyn FnMut(&[u8])) {
        for piece in text.chunks(WINDOW_BYTES / 2) {
            if self.is_wide {
                self.window.extend(piece.iter().filter(|byte| **byte != 0));
            } else {
                self.window.extend_from_slice(piece);
            }
            if self.window.len() >= WINDOW_BYTES {
                let done = self.look(false, found);
                // Something longer than links and tags are: given up, all but its end.
                let done = done.max(self.window.len().saturating_sub(WINDOW_BYTES / 2));
                self.window.drain(..done);
            }
        }
    }

    /// No more text.
    pub(super) fn finish(&mut self, found: &mut dyn FnMut(&[u8])) {
        self.look(true, found);
        self.window = Vec::new();
    }

    /// Looks through the window; how much of it is done with.
    fn look(&self, ends: bool, found: &mut dyn FnMut(&[u8])) -> usize {
        if self.is_html { html(&self.window, ends, found) } else { plain(&self.window, ends, found) }
    }
}

/// Reports the links in `text`; returns where a last word begins that more text may belong to.
fn plain(text: &[u8], ends: bool, found: &mut dyn FnMut(&[u8])) -> usize {
    let done = if ends { text.len() } else { text.iter().rposition(|byte| ends_link(*byte)).map_or(0, |at| at + 1) };
    let whole = text.get(..done).unwrap_or(text);
    let mut from = 0;
    while let Some(at) = next_link(whole, from) {
        let rest = whole.get(at..).unwrap_or_default();
        let length = rest.iter().position(|byte| ends_link(*byte)).unwrap_or(rest.len());
        let link = rest.get(..length).unwrap_or(rest);
        report(link, found);
        // A link in the query of another is one as well; its own start was looked at.
        from = at + START_BYTES.min(length.max(1));
    }
    done
}

/// Where the next link at or after `from` begins.
fn next_link(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let scheme = memchr::memmem::find_iter(rest, b"://").find_map(|at| {
        let before = rest.get(..at)?;
        let letters = before.iter().rev().take(MAX_SCHEME_BYTES).take_while(|byte| byte.is_ascii_alphabetic()).count();
        (letters > 1).then_some(at - letters)
    });
    let www = memchr::memmem::find_iter(rest, b"www.").find(|at| {
        let before = at.checked_sub(1).and_then(|at| rest.get(at)).or_else(|| text.get(from.checked_sub(1)?));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"/.-@:_".contains(byte))
    });
    let first = [scheme, www].into_iter().flatten().min()?;
    Some(from + first)
}

/// Without the marks that end a sentence, and a bracket that was opened before the link.
fn report(link: &[u8], found: &mut dyn FnMut(&[u8])) {
    let mut link = link;
    while let Some((last, rest)) = link.split_last() {
        let opened = |open: u8, close: u8| {
            *last == close && memchr::memchr_iter(open, rest).count() < memchr::memchr_iter(close, link).count()
        };
        if b".,;:!?'*".contains(last) || opened(b'(', b')') || opened(b'[', b']') {
            link = rest;
        } else {
            break;
        }
    }
    if link.is_empty() {
        return;
    }
    found(link);
    // Where blanks are not written (or a full stop of another script follows), a link may end at the last ASCII byte.
    if let Some(at) = link.iter().position(|byte| !byte.is_ascii()).filter(|at| *at > START_BYTES) {
        found(link.get(..at).unwrap_or(link));
    }
}

/// Reports the links in `text`, HTML; returns where a tag or a last word begins that more may belong to.
fn html(text: &[u8], ends: bool, found: &mut dyn FnMut(&[u8])) -> usize {
    let mut at = 0;
    let mut scratch = Vec::new();
    while let Some(rest) = text.get(at..) {
        let open = memchr::memchr(b'<', rest).unwrap_or(rest.len());
        let is_last = open == rest.len();
        let between = rest.get(..open).unwrap_or(rest);
        unescape(between, &mut scratch);
        if is_last {
            let kept = if ends { 0 } else { between.len() - word_start(between) };
            unescape(between.get(..between.len() - kept).unwrap_or(between), &mut scratch);
            plain(&scratch, true, found);
            return text.len() - kept;
        }
        plain(&scratch, true, found);
        let tag = rest.get(open..).unwrap_or_default();
        match tag_bytes(tag) {
            Some(bytes) => {
                attributes(tag.get(..bytes).unwrap_or(tag), &mut scratch, found);
                at += open + bytes;
            }
            None if !ends => return at + open,
            None => {
                attributes(tag, &mut scratch, found);
                return text.len();
            }
        }
    }
    text.len()
}

fn word_start(text: &[u8]) -> usize {
    text.iter().rposition(|byte| ends_link(*byte)).map_or(0, |at| at + 1)
}

/// Length of the tag that `text` begins with: up to a `>` outside quotes. What is no tag is one byte long.
fn tag_bytes(text: &[u8]) -> Option<usize> {
    let is_tag = text.get(1).is_none_or(|byte| byte.is_ascii_alphabetic() || b"/!?".contains(byte));
    if !is_tag {
        return Some(1);
    }
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') if before == b'=' => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = *byte;
        }
    }
    None
}

/// Reports the links in the values of a tag's attributes.
fn attributes(tag: &[u8], scratch: &mut Vec<u8>, found: &mut dyn FnMut(&[u8])) {
    let mut rest = tag;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let value = rest.get(at + 1..).unwrap_or_default().trim_ascii_start();
        let (value, after) = match value.split_first() {
            Some((quote @ (b'"' | b'\''), inside)) => {
                let end = memchr::memchr(*quote, inside).unwrap_or(inside.len());
                (inside.get(..end).unwrap_or(inside), inside.get(end + 1..).unwrap_or_default())
            }
            _ => {
                let end =
                    value.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>').unwrap_or(value.len());
                value.split_at_checked(end).unwrap_or((value, b""))
            }
        };
        unescape(value, scratch);
        scratch.retain(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'));
        attribute(scratch, found);
        rest = after;
    }
}

/// One value, unescaped.
fn attribute(value: &mut [u8], found: &mut dyn FnMut(&[u8])) {
    let value = trim_mut(value);
    let letters = value.iter().take(MAX_SCHEME_BYTES).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let after = value.get(letters..).unwrap_or_default();
    let colon = usize::from(after.first() == Some(&b':'));
    let slashes = after.iter().skip(colon).take_while(|byte| matches!(byte, b'/' | b'\\')).count();
    let is_url = slashes >= 2 && (letters > 1 && colon == 1 || letters == 0 && colon == 0);
    if !is_url {
        plain(value, true, found);
        return;
    }
    let path_from = value.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(value.len());
    for byte in value.iter_mut().take(path_from).filter(|byte| **byte == b'\\') {
        *byte = b'/';
    }
    found(value);
    // Links in its query (a redirector's target).
    let query = value.get(letters + colon + slashes..).unwrap_or_default();
    plain(query, true, found);
}

fn trim_mut(value: &mut [u8]) -> &mut [u8] {
    let start = value.len() - value.trim_ascii_start().len();
    let length = value.trim_ascii().len();
    value.get_mut(start..start + length).unwrap_or_default()
}

/// Replaces `out` by `text` with its character references undone: numbers, and the names that links are written with.
fn unescape(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest) {
        let (before, reference) = rest.split_at(at);
        out.extend_from_slice(before);
        let inside = reference.get(1..).unwrap_or_default();
        let length =
            inside.iter().take(MAX_REFERENCE_BYTES).take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
        let name = inside.get(..length).unwrap_or_default();
        let semicolon = usize::from(inside.get(length) == Some(&b';'));
        match character(name).filter(|_| semicolon == 1 || name.starts_with(b"#")) {
            Some(character) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = inside.get(length + semicolon..).unwrap_or_default();
            }
            None => {
                out.push(b'&');
                rest = inside;
            }
        }
    }
    out.extend_from_slice(rest);
}

fn character(name: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(name).ok()?;
    if let Some(number) = text.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(number);
    }
    NAMED.iter().find(|(known, _)| *known == text).map(|(_, character)| *character)
}

const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("AMP", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("colon", ':'),
    ("sol", '/'),
    ("period", '.'),
    ("quest", '?'),
    ("equals", '='),
    ("num", '#'),
    ("percnt", '%'),
    ("lowbar", '_'),
    ("commat", '@'),
    ("nbsp", ' '),
    ("Tab", '\t'),
    ("NewLine", '\n'),
];

fn ends_link(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f || b"<>\"`{}|^\\".contains(&byte)
}

/// Schemes of links are shorter.
const MAX_SCHEME_BYTES: usize = 16;

/// As far as the next link is not looked for within one.
const START_BYTES: usize = 8;

/// Names and numbers of character references, with room for leading zeros.
const MAX_REFERENCE_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn links(is_html: bool, text: &[u8], cuts: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut report = |link: &[u8]| found.push(String::from_utf8_lossy(link).into_owned());
        let mut links = Links::new(is_html, false);
        text.chunks(cuts.max(1)).for_each(|piece| links.push(piece, &mut report));
        links.finish(&mut report);
        found
    }

    #[test]
    fn text() {
        let text =
            b"See http://evil.example/a?b=c, (https://x.example/y(z)) or <ftp://f.example>; www.evil.example/q. \
                     not@www.mail.example nor a://b; hxxp: \"HTTP://Q.example\"'s end http://last.example";
        assert_eq!(
            links(false, text, 9999),
            [
                "http://evil.example/a?b=c",
                "https://x.example/y(z)",
                "ftp://f.example",
                "www.evil.example/q",
                "HTTP://Q.example",
                "http://last.example"
            ]
        );
        assert_eq!(
            links(false, "http://evil.example/\u{e4}\u{3002}".as_bytes(), 99),
            ["http://evil.example/\u{e4}\u{3002}", "http://evil.example/"]
        );
        assert_eq!(
            links(false, b"http://a.example/?u=http://b.example/", 99),
            ["http://a.example/?u=http://b.example/", "http://b.example/"]
        );
    }

    #[test]
    fn html_as_browsers_read_it() {
        let page = b"<html xmlns='http://w.example/x'><a title=\"a > b\" href = \"http://evil.example/a&amp;b\">t</a> 1 < 2\
                     <img src=//c.example/p.png><a href=' ht&#116;p:\\\\d.example\\x\ny '><meta content=\"0;url=http://e.example/r\">\
                     http&colon;//f.example/&lt;<a href='/local'><a href='http://g.example/?u=http://h.example/'><a href=\"http://i.example";
        assert_eq!(
            links(true, page, 9999),
            [
                "http://w.example/x",
                "http://evil.example/a&b",
                "//c.example/p.png",
                "http://d.example/xy",
                "http://e.example/r",
                "http://f.example/",
                "http://g.example/?u=http://h.example/",
                "http://h.example/",
                "http://i.example"
            ]
        );
    }

    #[test]
    fn a_window_border_cuts_no_link() {
        for is_html in [false, true] {
            let mut text = Vec::new();
            for number in 0..3000 {
                let link = format!("http://n{number}.example/");
                text.extend_from_slice(
                    if is_html { format!("<a href=\"{link}\">x</a>") } else { format!("{link} ") }.as_bytes(),
                );
            }
            let found = links(is_html, &text, 100);
            assert_eq!(found.len(), 3000);
            assert!(found.iter().enumerate().all(|(number, link)| *link == format!("http://n{number}.example/")));
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[a-c<>=\"' &;:/.w\n]{0,300}", cuts in 1usize..40, is_html in any::<bool>()) {
            prop_assert_eq!(links(is_html, text.as_bytes(), cuts), links(is_html, text.as_bytes(), 9999));
        }

        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..400), is_html in any::<bool>()) {
            links(is_html, &text, 7);
        }
    }
}
