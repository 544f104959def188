//! Hosts files used as block lists: `0.0.0.0 name`, `127.0.0.1 name name`. Each name is that name alone, as in a hosts file.
//!
//! A line that sends a name anywhere but to the host itself says where the name is, and is no indicator.

use std::net::IpAddr;

use super::declared::Declared;
use super::intake::Intake;
use super::lines::{Line, Lines};
use super::{Broken, Format};
use crate::indicator::kind::DOMAIN;
use crate::indicator::{ContextIx, Draft, Match, Refusal};

/// See the module. Known by its first line: an address, a blank and a name.
pub(super) const FORMAT: Format = Format { name: "hosts", unit: "line", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    let mut lines =
        head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty() && !l.starts_with(b"#"));
    let Some(first) = lines.next() else { return false };
    let mut words = words(first);
    let is_addr = words.next().is_some_and(|word| addr(word).is_some());
    is_addr && words.next().is_some_and(|name| name.iter().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(b)))
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut declared = intake.declared();
    let mut context = declared.context(intake);
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let text = line.trim_ascii();
        if text.starts_with(b"#") {
            if let Some(options) = Declared::comment(text) {
                declared = options.map_err(|what| Broken::Options { line: number, what })?;
                context = declared.context(intake);
            }
        } else if !text.is_empty() {
            entry(text, number, &declared, context, intake);
        }
    }
    Ok(())
}

fn entry(text: &[u8], number: u32, declared: &Declared, context: Result<ContextIx, Refusal>, intake: &mut Intake<'_>) {
    let mut words = words(text);
    let names = match words.next().and_then(addr) {
        None => return intake.refuse(number, Refusal::Malformed),
        Some(addr) if addr.is_unspecified() || addr.is_loopback() => words,
        // The lines that every hosts file has; their names are the host's own.
        Some(_) if words.clone().all(is_own) => return,
        Some(_) => return intake.refuse(number, Refusal::Unsupported("hosts entry that does not block")),
    };
    let context = match context {
        Ok(context) => context,
        Err(reason) => return intake.refuse(number, reason),
    };
    let mut any = false;
    for name in names {
        any = true;
        if !is_own(name) {
            let matching = declared.matching.filter(|matching| *matching != Match::Prefix).unwrap_or(Match::Exact);
            let draft = Draft {
                matching: Some(matching),
                window: declared.window,
                ..Draft::new(&DOMAIN, name, context, number)
            };
            intake.add(&draft);
        }
    }
    if !any {
        intake.refuse(number, Refusal::Empty);
    }
}

/// The words of a line up to its comment.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let end = memchr::memchr(b'#', line).unwrap_or(line.len());
    line[..end].split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

fn addr(word: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(word).ok()?;
    // The loopback interface of macOS has a zone.
    text.split_once('%').map_or(text, |(addr, _)| addr).parse().ok()
}

fn is_own(name: &[u8]) -> bool {
    OWN_NAMES.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
}

/// Names that hosts files give to the host and its network.
const OWN_NAMES: &[&str] = &[
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "local",
    "broadcasthost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-allhosts",
    "0.0.0.0",
];

#[cfg(test)]
mod tests {
    use super::super::tests::loaded;
    use super::*;

    #[test]
    fn names_that_are_blocked_load_and_the_host_s_own_do_not() {
        let text = b"# A list\n127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\nfe80::1%lo0 localhost\n\
            255.255.255.255 broadcasthost\n\n0.0.0.0 evil.example # why\n127.0.0.1\tmalware.test  c2.invalid\r\n\
            # picket: tlp=AMBER match=subtree\n:: sub.example\n192.0.2.9 intranet.example\n0.0.0.0\nevil.example\n0.0.0.0 a..b\n";
        let (set, report) = loaded(text);
        assert_eq!((report.format, report.loaded), (Some("hosts"), 4), "{:?}", report.refusals);
        let all: Vec<_> = set.iter().collect();
        assert_eq!((all[0].value, all[0].matching), (&b"evil.example"[..], Match::Exact));
        assert_eq!(all[3].matching, Match::Subtree);
        assert_eq!(set.sources(all[3].ix).next().expect("a source").0.marking.to_string(), "TLP:AMBER");
        let reasons: Vec<_> = report.refusals.iter().map(|r| (r.line, r.reason)).collect();
        assert_eq!(
            reasons,
            [
                (11, Refusal::Unsupported("hosts entry that does not block")),
                (12, Refusal::Empty),
                (13, Refusal::Malformed),
                (14, Refusal::BadName),
            ]
        );
    }
}
