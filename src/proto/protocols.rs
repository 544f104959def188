//! [`Protocols`]: which protocols are looked for in flows. It knows them by name and place in the table, and nothing else of them.

use serde::{Deserialize, Serialize};

use super::Session;

/// A set of protocols: a bit each. As a list of names, nothing stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Protocols(u32);

/// A name that no protocol has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no protocol is called {name:?}; there are {}", Session::NAMES.join(", "))]
pub struct UnknownProtocol {
    name: String,
}

impl Protocols {
    /// Every one.
    pub const ALL: Self = Self(u32::MAX);

    /// Those of these names ([`Session::NAMES`]); all, if there are none.
    ///
    /// # Errors
    /// The first that is no protocol's.
    pub fn named<N: AsRef<str>>(names: &[N]) -> Result<Self, UnknownProtocol> {
        let bit = |name: &str| match Session::NAMES.iter().position(|known| *known == name) {
            Some(number) => Ok(1 << number),
            None => Err(UnknownProtocol { name: name.to_owned() }),
        };
        let bits = names.iter().try_fold(0, |bits, name| Ok(bits | bit(name.as_ref())?))?;
        Ok(if names.is_empty() { Self::ALL } else { Self(bits) })
    }

    /// Whether the one of this name is among them. What is no protocol's name is left out by nobody.
    pub fn includes(self, name: &str) -> bool {
        Session::NAMES.iter().position(|known| *known == name).is_none_or(|number| self.has(number as u32))
    }

    /// Whether the one in this place of the table is among them.
    #[inline(always)]
    pub(super) fn has(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }
}

impl Default for Protocols {
    fn default() -> Self {
        Self::ALL
    }
}

impl TryFrom<Vec<String>> for Protocols {
    type Error = UnknownProtocol;

    fn try_from(names: Vec<String>) -> Result<Self, UnknownProtocol> {
        Self::named(&names)
    }
}

impl From<Protocols> for Vec<String> {
    fn from(protocols: Protocols) -> Self {
        let is_in = |(number, name): (usize, &&str)| protocols.has(number as u32).then(|| (*name).to_owned());
        if protocols == Protocols::ALL {
            Self::new()
        } else {
            Session::NAMES.iter().enumerate().filter_map(is_in).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::testing::{tcp, udp};
    use crate::proto::{Hint, Identified};

    #[test]
    fn only_those_named_are_recognised() {
        let http = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let dns = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01";
        let names = |names: &[&str]| {
            let protocols = Protocols::named(names).expect("known");
            let name = |data: &[u8], hint: Hint| match Session::identify(data, &Hint { protocols, ..hint }) {
                Identified::Yes(session) => session.name(),
                _ => None,
            };
            [name(http, tcp(40000, 80)), name(dns, udp(40000, 53))]
        };
        assert_eq!(names(&[]), [Some("http"), Some("dns")]);
        assert_eq!(names(&["dns", "tls"]), [None, Some("dns")]);
        assert_eq!(names(&["http"]), [Some("http"), None]);
        let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let http = Hint { protocols: Protocols::named(&["http"]).expect("known"), ..tcp(40000, 80) };
        assert!(matches!(Session::identify(http2, &tcp(40000, 80)), Identified::Yes(Session::Http2(_))));
        assert!(matches!(Session::identify(http2, &http), Identified::No), "no other takes it for its own");
    }

    #[test]
    fn a_list_of_names_is_read_as_it_was_written() {
        for names in [&[][..], &["dns"], &["tls", "dns", "imap"]] {
            let protocols = Protocols::named(names).expect("known");
            assert!(names.iter().all(|name| protocols.includes(name)));
            assert_eq!(protocols.includes("http"), names.is_empty());
            let written = Vec::from(protocols);
            assert_eq!((Protocols::try_from(written.clone()), written.len()), (Ok(protocols), names.len()));
        }
        let readme = include_str!("../../README.md").lines().find(|line| line.starts_with("| `--protocols NAMES`"));
        for name in Session::NAMES {
            assert!(readme.expect("a row").contains(&format!("`{name}`")), "{name} is missing in README");
        }
        let unknown = Protocols::named(&["dns", "gopher"]).expect_err("unknown");
        assert!(
            unknown.to_string().starts_with("no protocol is called \"gopher\"; there are tls, dtls, "),
            "{unknown}"
        );
    }
}
