//! [`Common`]: what ordinary traffic is full of. An indicator of it is a mistake of its feed more often than not.
//!
//! The lists are the project's own (Apache-2.0), written down by hand; being on one says nothing but that many harmless
//! hosts go there.

use hashbrown::HashSet;
use memchr::memmem;

use crate::feed::finding::Finding;
use crate::indicator::kind::{BYTES, FILE, FILE_NAME};
use crate::indicator::rule::{Body, Key, Rule};
use crate::indicator::{Index, Indicator, Match};

/// See the module.
pub(super) struct Common {
    names: HashSet<&'static [u8]>,
    /// Every suffix of the names, so what a subtree would have to be to cover one.
    suffixes: HashSet<&'static [u8]>,
    longest_name: usize,
    addresses: Vec<Vec<u8>>,
}

impl Common {
    pub(super) fn new() -> Self {
        let names: HashSet<_> = POPULAR_NAMES.split_ascii_whitespace().map(str::as_bytes).collect();
        let dots = |name: &'static [u8]| memchr::memchr_iter(b'.', name).map(move |dot| &name[dot + 1..]);
        let suffixes = names.iter().flat_map(|name| dots(name).chain([*name])).collect();
        let addresses = POPULAR_ADDRESSES.split_ascii_whitespace().filter_map(|text| text.parse().ok());
        let addresses = addresses.map(octets).collect();
        let longest_name = names.iter().map(|name| name.len()).max().unwrap_or(0);
        Self { names, suffixes, longest_name, addresses }
    }

    /// Why it would match what harmless hosts do.
    pub(super) fn breadth(&self, indicator: &Indicator<'_>) -> Option<Finding> {
        let value = indicator.value;
        match indicator.kind.index {
            Index::Suffix => self.is_popular(value, indicator.matching).then_some(Finding::PopularName),
            Index::Path => {
                let host = value.strip_suffix(b"/")?;
                self.is_popular(host, Match::Exact).then_some(Finding::PopularName)
            }
            Index::Prefix => self.addresses(value),
            Index::Rule => self.header(indicator.rule?),
            Index::Pattern if *indicator.kind == BYTES => {
                is_common_bytes(value, indicator.pattern.nocase).then_some(Finding::CommonBytes)
            }
            Index::Exact if *indicator.kind == FILE => {
                EMPTY_FILE.iter().any(|digest| digest.as_bytes() == value).then_some(Finding::CommonFile)
            }
            Index::Exact if *indicator.kind == FILE_NAME => {
                FILE_NAMES.iter().any(|name| name.as_bytes() == value).then_some(Finding::CommonFile)
            }
            _ => None,
        }
    }

    fn is_popular(&self, name: &[u8], matching: Match) -> bool {
        let names = if matching == Match::Exact { &self.names } else { &self.suffixes };
        name.len() <= self.longest_name && names.contains(name)
    }

    /// Of a rule of a header alone: whom it is about, as a list of addresses would be judged; about no address it is of any host.
    fn header(&self, rule: &Rule) -> Option<Finding> {
        if !matches!(rule.body, Body::Header(_)) {
            return None;
        }
        match rule.ends.key() {
            Key::Networks(_, networks) => networks.iter().find_map(|&(bits, length)| {
                let (octets, length) = match std::net::Ipv6Addr::from_bits(bits).to_ipv4_mapped() {
                    Some(ip) if length >= 96 => (ip.octets().to_vec(), length - 96),
                    _ => (bits.to_be_bytes().to_vec(), length),
                };
                self.addresses(&[octets, vec![length]].concat())
            }),
            Key::Listed(_) => None,
            Key::Port(_) | Key::Nothing => Some(Finding::AnyHost),
        }
    }

    fn addresses(&self, value: &[u8]) -> Option<Finding> {
        let (octets, length) = match value {
            [octets @ .., length] if matches!(octets.len(), 4 | 16) => (octets, u32::from(*length)),
            octets => (octets, octets.len() as u32 * 8),
        };
        let overlaps =
            |other: &[u8], bits: u32| other.len() == octets.len() && same_bits(octets, other, bits.min(length));
        let widest = if octets.len() == 4 { 16 } else { 32 };
        if PRIVATE.iter().any(|(net, bits)| overlaps(net, *bits)) {
            Some(Finding::PrivateSpace)
        } else if self.addresses.iter().any(|known| overlaps(known, known.len() as u32 * 8)) {
            Some(Finding::PopularAddress)
        } else {
            (length < widest).then_some(Finding::WideNetwork)
        }
    }
}

fn octets(ip: std::net::IpAddr) -> Vec<u8> {
    match ip {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn same_bits(a: &[u8], b: &[u8], bits: u32) -> bool {
    let (whole, rest) = ((bits / 8) as usize, bits % 8);
    a[..whole] == b[..whole] && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0)
}

/// One byte over and over, or part of what clients and servers say to everybody.
fn is_common_bytes(value: &[u8], nocase: bool) -> bool {
    let one_byte = value.iter().all(|byte| Some(byte) == value.first());
    one_byte
        || if nocase {
            memmem::find(&COMMON_TEXT.to_ascii_lowercase(), &value.to_ascii_lowercase()).is_some()
        } else {
            memmem::find(COMMON_TEXT, value).is_some()
        }
}

const EMPTY_FILE: [&str; 3] = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

const FILE_NAMES: [&str; 16] = [
    "index.html",
    "index.htm",
    "index.php",
    "favicon.ico",
    "robots.txt",
    "setup.exe",
    "install.exe",
    "update.exe",
    "readme.txt",
    "document.pdf",
    "invoice.pdf",
    "image.jpg",
    "main.js",
    "style.css",
    "data.json",
    "download.zip",
];

/// RFC 1918, 3927, 6598, 5771 (multicast); RFC 4193, 4291 (link-local and multicast).
const PRIVATE: &[(&[u8], u32)] = &[
    (&[10, 0, 0, 0], 8),
    (&[172, 16, 0, 0], 12),
    (&[192, 168, 0, 0], 16),
    (&[169, 254, 0, 0], 16),
    (&[100, 64, 0, 0], 10),
    (&[224, 0, 0, 0], 4),
    (&[0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7),
    (&[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 10),
    (&[0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8),
];

/// Public resolvers.
const POPULAR_ADDRESSES: &str = "1.1.1.1 1.0.0.1 8.8.8.8 8.8.4.4 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 \
    4.2.2.1 4.2.2.2 64.6.64.6 77.88.8.8 94.140.14.14 114.114.114.114 223.5.5.5 2606:4700:4700::1111 2606:4700:4700::1001 \
    2001:4860:4860::8888 2001:4860:4860::8844 2620:fe::fe 2620:119:35::35";

/// What requests, responses and mails begin with.
const COMMON_TEXT: &[u8] = b"GET / HTTP/1.1\r\nHost: \r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) \
AppleWebKit/537.36 (KHTML, like Gecko) Chrome/ Safari/537.36\r\nAccept: */*\r\nAccept: text/html,application/xhtml+xml,\
application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, \
br\r\nConnection: keep-alive\r\nConnection: close\r\nCookie: \r\nReferer: https://www.\r\n\r\n\
POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Type: multipart/form-data; boundary=\r\n\
HTTP/1.0\r\nHTTP/1.1 200 OK\r\nServer: nginx\r\nServer: Apache\r\nDate: Mon, \r\nContent-Type: text/html; charset=utf-8\r\n\
Content-Type: text/html; charset=UTF-8\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\n\
Content-Type: application/octet-stream\r\nContent-Length: \r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\
Cache-Control: no-cache\r\nCache-Control: max-age=\r\nSet-Cookie: \r\nLocation: \r\nHTTP/1.1 302 Found\r\n\
HTTP/1.1 304 Not Modified\r\nHTTP/1.1 404 Not Found\r\n<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>\
</title>\n<script type=\"text/javascript\"></script>\n</head>\n<body>\n</body>\n</html>\nhttp://www.\nEHLO \r\nHELO \r\n\
MAIL FROM:<\r\nRCPT TO:<\r\nDATA\r\n220 \r\n250 OK\r\nSTARTTLS\r\nQUIT\r\nMIME-Version: 1.0\r\nFrom: \r\nSubject: \r\n\
SSH-2.0-OpenSSH_\r\nThis program cannot be run in DOS mode.\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\
PK\x03\x04%PDF-1.\x89PNG\r\n\x1a\n\xff\xd8\xff\xe0\x00\x10JFIFGIF89a";

const POPULAR_NAMES: &str = include_str!("popular.txt");
