//! [`Exposure`]: whether what a record would show of traffic holds a value that its reader may not see.
//!
//! An alert of an indicator that is released shows addresses, names and texts of its flow, and any of them may be the value of
//! another indicator that is not. Every text is looked up whole and in its parts; what is too long to be looked through counts as
//! holding one.

use std::net::IpAddr;
use std::sync::Arc;

use super::escape::unprintable;
use crate::indicator::kind::{DOMAIN, URL};
use crate::indicator::{Index, IndicatorSet, KINDS, Kind, Match, Observable, Transport, Value, Where};
use crate::matcher::{Hit, MatchSet, Matcher, ScanPlace};
use crate::time::Timestamp;

/// See the module.
pub(super) struct Exposure {
    matcher: Matcher,
    /// Kinds matched whole that a value is withheld of.
    exact: Vec<&'static Kind>,
    hits: Vec<Hit>,
    normal: Vec<u8>,
}

impl Exposure {
    /// Over the values of `withheld` ([`IndicatorSet::withheld`]); `None` if there is none.
    pub(super) fn new(withheld: IndicatorSet) -> Option<Self> {
        if withheld.is_empty() {
            return None;
        }
        let counts = withheld.count_by_kind();
        let exact = KINDS.iter().zip(counts).filter(|(kind, count)| kind.index == Index::Exact && *count > 0);
        let exact = exact.map(|(kind, _)| *kind).collect();
        let matcher = Matcher::new(Arc::new(MatchSet::compile(withheld, IndicatorSet::default())));
        Some(Self { matcher, exact, hits: Vec::new(), normal: Vec::new() })
    }

    /// Whether the address is withheld, or lies in a network that is.
    pub(super) fn addr(&mut self, ip: IpAddr) -> bool {
        self.covers(crate::indicator::kind::of_addr(ip), Value::Addr(ip))
    }

    /// Whether a text, printable as alerts have it, is or holds a value that is withheld.
    pub(super) fn text(&mut self, printable: &str) -> bool {
        let bytes = unprintable(printable);
        if self.scan(&bytes) {
            return true;
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut left = MAX_PARTS;
        for splits in [never, between_texts, between_parts, between_names, between_addresses] {
            for part in text.split(splits).filter(|part| !part.is_empty()) {
                if left == 0 || self.part(part) {
                    return true;
                }
                left -= 1;
            }
        }
        false
    }

    fn part(&mut self, part: &str) -> bool {
        if let Ok(ip) = part.trim_matches(['[', ']']).parse()
            && self.addr(ip)
        {
            return true;
        }
        self.covers(&DOMAIN, Value::Text(part.as_bytes()))
            || self.covers(&URL, Value::Text(part.as_bytes()))
            || (0..self.exact.len()).any(|at| self.is_exactly(self.exact[at], part.as_bytes()))
    }

    fn is_exactly(&mut self, kind: &'static Kind, value: &[u8]) -> bool {
        let mut normal = std::mem::take(&mut self.normal);
        normal.clear();
        let is_kind = (kind.normalise)(value, Match::Exact, &mut normal).is_ok();
        let found = is_kind && self.covers(kind, Value::Text(&normal));
        self.normal = normal;
        found
    }

    fn covers(&mut self, kind: &'static Kind, value: Value<'_>) -> bool {
        self.hits.clear();
        let observable = Observable { kind, value, at: Where(""), with: &[] };
        self.matcher.seen(&observable, Timestamp::ZERO, &mut self.hits);
        !self.hits.is_empty()
    }

    fn scan(&mut self, bytes: &[u8]) -> bool {
        self.hits.clear();
        let place = ScanPlace {
            transport: Transport::Tcp,
            source_port: 0,
            destination_port: 0,
            to_responder: true,
            stream_offset: 0,
            start_known: true,
            time: Timestamp::ZERO,
        };
        self.matcher.scan(None, bytes, &place, &mut self.hits);
        !self.hits.is_empty()
    }
}

fn never(_: char) -> bool {
    false
}

/// Mail addresses, links and words in a longer text.
fn between_texts(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',' | ';' | '(' | ')')
}

/// Files and arguments in a URL, hosts in a mail address.
fn between_parts(c: char) -> bool {
    between_texts(c) || matches!(c, '/' | '@' | '=' | '&' | '?' | '#' | ':')
}

fn between_names(c: char) -> bool {
    c.is_ascii() && !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn between_addresses(c: char) -> bool {
    !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))
}

/// Parts of a text that are looked up. Texts of alerts are a few kilobytes; one of more parts is made to have them.
const MAX_PARTS: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::{BYTES, EMAIL_ADDR, FILE, FILE_NAME, IPV4, IPV6, USER_AGENT};
    use crate::indicator::{Context, Draft};

    fn exposure() -> Exposure {
        let mut set = IndicatorSet::default();
        let context = set.context(Context::default());
        for draft in [
            Draft::new(&DOMAIN, b"evil.example", context, 1),
            Draft::new(&IPV4, b"203.0.113.66", context, 2),
            Draft::new(&IPV4, b"198.51.100.0/25", context, 3),
            Draft::new(&IPV6, b"2001:db8:bad::/48", context, 4),
            Draft::new(&URL, b"http://malware.test/payload/x.bin", context, 5),
            Draft::new(&USER_AGENT, b"Bad\\Agent/1.0", context, 6),
            Draft::new(&BYTES, b"SIGNATURE", context, 7),
            Draft::new(&FILE, b"ada70206e40642a3e4461f35503241d5", context, 8),
            Draft::new(&FILE_NAME, b"dropper.exe", context, 9),
            Draft::new(&EMAIL_ADDR, b"bad@mail.test", context, 10),
        ] {
            set.add(&draft, true).expect("loads");
        }
        Exposure::new(set.withheld(|_| false)).expect("withholds")
    }

    #[test]
    fn values_are_found_whole_and_within_texts() {
        let mut exposure = exposure();
        for text in [
            "evil.example",
            "a.b.Evil.Example",
            "http://www.evil.example:8080/x?y",
            "x@sub.evil.example",
            "v=1; ip=203.0.113.66",
            "198.51.100.9",
            "http://[2001:db8:bad::1]/",
            "http://malware.test/payload/x.bin/more",
            "Bad\\\\Agent/1.0",
            "xxSIGNATURExx",
            "ADA70206E40642A3E4461F35503241D5",
            "http://clean.test/a/dropper.exe?b",
            "from Bad@Mail.test (x)",
        ] {
            assert!(exposure.text(text), "{text}");
        }
        for text in ["", "clean.example", "http://clean.test/", "Bad Agent/1.0", "192.0.2.1", "SIGNATUR E"] {
            assert!(!exposure.text(text), "{text}");
        }
        assert!(exposure.addr("198.51.100.1".parse().expect("address")));
        assert!(!exposure.addr("198.51.100.129".parse().expect("address")));
    }

    #[test]
    fn a_text_of_too_many_parts_counts_as_holding_one() {
        assert!(exposure().text(&"a ".repeat(MAX_PARTS)));
        assert!(!exposure().text(&"a".repeat(4000)));
    }

    #[test]
    fn nothing_withheld_needs_no_search() {
        assert!(Exposure::new(IndicatorSet::default()).is_none());
    }
}
