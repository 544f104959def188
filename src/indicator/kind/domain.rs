//! `domain-name`: one normal form for names in feeds and names in traffic.
//!
//! The form: lower-case A-labels separated by `.`, without the trailing dot. What DNS allows in a label is allowed here
//! (`_` and most printable ASCII), what would only be a URL, an address or a typing error is not. Lookups below label
//! borders are the matcher's; this module only writes names down.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use idna::uts46::{AsciiDenyList, ErrorPolicy, Hyphens, ProcessingSuccess, Uts46};

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// A name, and by default everything below it.
pub static DOMAIN: Kind = Kind {
    number: 2,
    name: "domain-name",
    aliases: &["domain", "hostname", "fqdn", "Intel::DOMAIN"],
    index: Index::Suffix,
    default_match: Match::Subtree,
    seen_at: &[
        "dns.question.name",
        "dns.answers.name",
        "dns.answers.data",
        "tls.client.server_name",
        "url.domain",
        "http.request.referrer",
        "http.request.headers.location",
        "http.response.headers.location",
        "picket.smtp.helo",
        "picket.smtp.banner",
        "picket.smtp.mail_from",
        "picket.smtp.rcpt_to",
        "email.from.address",
        "email.sender.address",
        "email.reply_to.address",
        "email.to.address",
        "email.cc.address",
        "email.bcc.address",
        "picket.email.return_path",
        "picket.email.received",
    ],
    normalise,
    display,
};

/// Longest name without its trailing dot, in bytes (RFC 1035, 2.3.4: 255 on the wire).
pub const MAX_NAME_BYTES: usize = 253;

/// Longest label in bytes (RFC 1035, 2.3.4).
pub const MAX_LABEL_BYTES: usize = 63;

/// Writes a name seen in traffic to the start of `out` in normal form and returns its length: lower-case, one trailing
/// dot dropped, U-labels (UTF-8 in a name) as A-labels when they are valid. `None` when it is empty or cannot be a name by
/// its length. It does not judge what a name may hold: for every indicator that [`DOMAIN`] accepts both forms agree,
/// anything else finds nothing. Allocates nothing.
#[inline]
pub fn normalise_observed(seen: &[u8], out: &mut [u8; 256]) -> Option<usize> {
    let name = seen.strip_suffix(b".").unwrap_or(seen);
    if !name.is_ascii()
        && let Some(length) = to_a_labels(name, out)
    {
        return Some(length);
    }
    let form = out.get_mut(..name.len()).filter(|form| !form.is_empty())?;
    form.copy_from_slice(name);
    form.make_ascii_lowercase();
    Some(name.len())
}

/// Appends the normal form of a name to `out`; a refused one may leave bytes behind. Serves URL hosts too.
pub(super) fn append_name(value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let name = value.strip_suffix(b".").unwrap_or(value);
    let start = out.len();
    if name.is_ascii() {
        out.extend_from_slice(name);
    } else {
        let mut buffer = [0; 256];
        let length = to_a_labels(name, &mut buffer).ok_or(Refusal::BadName)?;
        out.extend_from_slice(&buffer[..length]);
    }
    fold_and_check(&mut out[start..])
}

/// A leading `*.` or `.` says "everything below", as lists write it: the reach that the entry has anyway.
fn normalise(value: &[u8], matching: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    let name = value.strip_prefix(b"*.").or_else(|| value.strip_prefix(b".")).unwrap_or(value);
    let start = out.len();
    append_name(name, out)?;
    Ok(danger(&out[start..], matching))
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

/// Makes a name lower-case, in the same step in which its labels are looked at.
fn fold_and_check(name: &mut [u8]) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(Refusal::TooLong);
    }
    let mut label_bytes = 0;
    for byte in &mut *name {
        if *byte == b'.' {
            if label_bytes == 0 {
                return Err(Refusal::BadName);
            }
            label_bytes = 0;
        } else {
            label_bytes += 1;
            *byte = FOLDED[usize::from(*byte)];
            if *byte == NOT_IN_LABEL || label_bytes > MAX_LABEL_BYTES {
                return Err(Refusal::BadName);
            }
        }
    }
    let ends_in_digit = name.last().is_some_and(u8::is_ascii_digit);
    if label_bytes == 0 || (ends_in_digit && is_ipv4(name)) {
        return Err(Refusal::BadName);
    }
    Ok(())
}

/// A name that is a public suffix as a whole covers what strangers registered below it. The private section (dynamic DNS,
/// hosting) is also the provider's own host name, so naming exactly that is fine.
fn danger(name: &[u8], matching: Match) -> Option<Refusal> {
    let suffix = psl::suffix(name)?;
    if suffix.as_bytes().len() < name.len() {
        return None;
    }
    let harmless = matching == Match::Exact && suffix.typ() != Some(psl::Type::Icann);
    (!harmless).then_some(Refusal::PublicSuffix)
}

/// UTS 46 ToASCII; `None` when the name is not valid or too long.
#[cold]
fn to_a_labels(name: &[u8], out: &mut [u8; 256]) -> Option<usize> {
    if name.len() > 4 * MAX_NAME_BYTES {
        return None;
    }
    let mut sink = Sink { out, length: 0, is_full: false };
    let done = Uts46::new().process(
        name,
        AsciiDenyList::EMPTY,
        Hyphens::Allow,
        ErrorPolicy::FailFast,
        |_, _, _| false,
        &mut sink,
        None,
    );
    let length = match done {
        Ok(ProcessingSuccess::WroteToSink) if !sink.is_full => sink.length,
        _ => return None,
    };
    // A full stop of another script at the end is a trailing dot too.
    let length = if out[..length].ends_with(b".") { length - 1 } else { length };
    (length > 0).then_some(length)
}

/// Never says that it is full: `idna` 1.1 takes a sink that fails within a label for what cannot be, and panics.
struct Sink<'a> {
    out: &'a mut [u8; 256],
    length: usize,
    is_full: bool,
}

impl fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        match self.out.get_mut(self.length..end).filter(|_| !self.is_full) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                self.length = end;
            }
            None => self.is_full = true,
        }
        Ok(())
    }
}

fn is_ipv4(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

/// Lower-case of printable ASCII except what only addresses (`:`, `[`, `]`), URLs (`/`, `\`, `@`), wildcards and blanks have.
static FOLDED: [u8; 256] = {
    let mut table = [NOT_IN_LABEL; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        if !matches!(byte, b'.' | b'/' | b'\\' | b'@' | b':' | b'[' | b']' | b'*') {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

const NOT_IN_LABEL: u8 = 0;

#[cfg(test)]
mod tests;
