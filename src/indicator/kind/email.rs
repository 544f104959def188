//! `email-addr` and `email-subject`: one normal form each for mail in feeds and mail in traffic.
//!
//! An address is compared as `local@domain`, whole. The domain is a name as [`super::domain`] writes it (lower-case A-labels
//! without the trailing dot) or an address literal in brackets. The local part's ASCII letters count in either case: RFC
//! 5321, 2.4 leaves their case to the receiving host, but hosts do not mind it and Zeek folds it too. Nothing else is
//! folded: no sub-addresses (`user+tag`), no dots, no comments. A quoted local part loses quotes that it does not need.
//!
//! A subject is compared as its decoded text (RFC 2047), case and all, with each run of blanks and line ends as one blank:
//! where a sender folds a line is not the subject's.

use std::borrow::Cow;

use super::{Index, Kind, domain};
use crate::indicator::{Match, Refusal};

/// A mail address.
pub static EMAIL_ADDR: Kind = Kind {
    number: 18,
    name: "email-addr",
    aliases: &["email", "email-address", "email-src", "email-dst", "Intel::EMAIL"],
    index: Index::Exact,
    default_match: Match::Exact,
    seen_at: &[
        "picket.smtp.mail_from",
        "picket.smtp.rcpt_to",
        "email.from.address",
        "email.sender.address",
        "email.reply_to.address",
        "email.to.address",
        "email.cc.address",
        "email.bcc.address",
        "picket.email.return_path",
    ],
    normalise: address,
    display,
};

/// The subject of a mail.
pub static EMAIL_SUBJECT: Kind = Kind {
    number: 19,
    name: "email-subject",
    aliases: &["email-message-subject"],
    seen_at: &["email.subject"],
    normalise: subject,
    ..EMAIL_ADDR
};

/// Longest local part, in bytes: RFC 5321, 4.5.3.1.1 says 64, bounce addresses (VERP, SRS) are longer.
pub const MAX_LOCAL_PART_BYTES: usize = 255;

/// Splits `local@domain` at its last `@`. `None` if either is empty.
pub fn split(address: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memrchr(b'@', address)?;
    let (local, domain) = (address.get(..at)?, address.get(at + 1..)?);
    (!local.is_empty() && !domain.is_empty()).then_some((local, domain))
}

/// Replaces `out` by the normal form of an address seen in traffic; false when it has none (no indicator can name it). By
/// construction the same form as an indicator's.
pub fn normalise_observed(seen: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    append(seen, out).is_ok()
}

/// Replaces `out` by the normal form of a decoded subject; false when nothing is left of it.
pub fn normalise_subject(decoded: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    for word in decoded.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    !out.is_empty()
}

fn address(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    let value = match value.split_at_checked(MAILTO.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(MAILTO) => rest,
        _ => value,
    };
    let value = value.strip_prefix(b"<").and_then(|value| value.strip_suffix(b">")).unwrap_or(value);
    append(value, out)?;
    Ok(None)
}

fn subject(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    let mut form = Vec::new();
    if !normalise_subject(value, &mut form) {
        return Err(Refusal::Empty);
    }
    out.extend_from_slice(&form);
    Ok(None)
}

fn append(address: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (local, domain) = split(address).ok_or(Refusal::BadMailAddress)?;
    let local =
        local.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).filter(|l| is_dot_atom(l)).unwrap_or(local);
    let quoted = local.starts_with(b"\"");
    if local.len() > MAX_LOCAL_PART_BYTES || local.iter().any(|b| b.is_ascii_control() || (*b == b' ' && !quoted)) {
        return Err(Refusal::BadMailAddress);
    }
    out.extend(local.iter().map(u8::to_ascii_lowercase));
    out.push(b'@');
    if domain.starts_with(b"[") && domain.ends_with(b"]") && !domain.iter().any(|b| b.is_ascii_control() || *b == b' ')
    {
        out.extend(domain.iter().map(u8::to_ascii_lowercase));
        return Ok(());
    }
    domain::append_name(domain, out).map_err(|_| Refusal::BadMailAddress)
}

/// RFC 5322, 3.2.3; bytes beyond ASCII as RFC 6532 allows them.
pub(crate) fn is_dot_atom(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|b| b.is_ascii_alphanumeric() || !b.is_ascii() || b"!#$%&'*+-/=?^_`{|}~.".contains(b))
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

const MAILTO: &[u8] = b"mailto:";

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: &Kind, value: &str) -> Result<String, Refusal> {
        let mut out = Vec::new();
        assert_eq!((kind.normalise)(value.as_bytes(), Match::Exact, &mut out)?, None);
        Ok(display(&out).into_owned())
    }

    #[test]
    fn addresses_have_one_form_in_feeds_and_traffic() {
        for (written, normal) in [
            ("User@Evil.Example", "user@evil.example"),
            (" <User@evil.example.> ", "user@evil.example"),
            ("MAILTO:a.b+tag@evil.example", "a.b+tag@evil.example"),
            ("\"a.b\"@evil.example", "a.b@evil.example"),
            ("\"A b\"@evil.example", "\"a b\"@evil.example"),
            ("x@b\u{fc}cher.example", "x@xn--bcher-kva.example"),
            ("x@[192.0.2.1]", "x@[192.0.2.1]"),
            ("a@b@evil.example", "a@b@evil.example"),
        ] {
            assert_eq!(form(&EMAIL_ADDR, written).as_deref(), Ok(normal), "{written}");
            let mut seen = Vec::new();
            assert!(normalise_observed(normal.as_bytes(), &mut seen));
            assert_eq!(seen, normal.as_bytes());
        }
        for bad in
            ["evil.example", "@evil.example", "user@", "us er@evil.example", "user@evil..example", "user@ evil.example"]
        {
            assert_eq!(form(&EMAIL_ADDR, bad), Err(Refusal::BadMailAddress), "{bad}");
        }
        assert_eq!(form(&EMAIL_ADDR, " "), Err(Refusal::Empty));
    }

    #[test]
    fn a_subject_keeps_its_case_and_loses_its_folds() {
        assert_eq!(form(&EMAIL_SUBJECT, "  Your\r\n\t Invoice  42 ").as_deref(), Ok("Your Invoice 42"));
        assert_eq!(form(&EMAIL_SUBJECT, " \t"), Err(Refusal::Empty));
    }
}
