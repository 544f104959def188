//! `ENVELOPE` (RFC 3501, 7.4.2): a mail's header as its server takes it apart: date, subject, then six lists of addresses, then
//! two ids. Strings are quoted; one that comes as a literal ends what is read of it here.

use crate::indicator::kind::{EMAIL_SUBJECT, email};
use crate::indicator::{Field, Observable, Seen, Value, Where};
use crate::proto::mail;

/// Reports the envelopes in a line of a `FETCH` response.
pub(super) fn find(line: &[u8], seen: Seen<'_>) {
    if !line.starts_with(b"* ") && !line.starts_with(b" ") {
        return;
    }
    for at in memchr::memmem::find_iter(line, NAME) {
        let mut text = Text { rest: line.get(at + NAME.len()..).unwrap_or_default() };
        envelope(&mut text, seen);
    }
}

fn envelope(text: &mut Text<'_>, seen: Seen<'_>) -> Option<()> {
    let _date = text.string()?;
    let subject = text.string()?;
    let decoded = subject.as_deref().map(mail::decode_words).unwrap_or_default();
    let mut form = Vec::new();
    if email::normalise_subject(&decoded, &mut form) {
        seen(Observable { kind: &EMAIL_SUBJECT, value: Value::Text(&form), at: Where("email.subject"), with: &[] });
    }
    let fields = [Field::text("email.subject", &form)];
    let with = if form.is_empty() { &[][..] } else { &fields };
    for at in LISTS {
        text.addresses(&mut |address| mail::address(address, at, with, seen))?;
    }
    Some(())
}

/// A line being read: every step is `None` where it is not as it must be.
struct Text<'l> {
    rest: &'l [u8],
}

impl Text<'_> {
    fn next_is(&mut self, byte: u8) -> bool {
        self.rest = self.rest.trim_ascii_start();
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// A quoted string, or `NIL`.
    fn string(&mut self) -> Option<Option<Vec<u8>>> {
        if !self.next_is(b'"') {
            let (word, rest) = self.rest.split_at_checked(3)?;
            self.rest = rest;
            return word.eq_ignore_ascii_case(b"NIL").then_some(None);
        }
        let mut out = Vec::new();
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(Some(out)),
                b'\\' => {
                    let (byte, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    out.push(*byte);
                }
                byte => out.push(*byte),
            }
        }
    }

    /// A list of addresses, each a list of name, route, mailbox and host, or `NIL`.
    fn addresses(&mut self, found: &mut dyn FnMut(&[u8])) -> Option<()> {
        if !self.next_is(b'(') {
            return self.string()?.is_none().then_some(());
        }
        while self.next_is(b'(') {
            let [_, _, mailbox, host] = [self.string()?, self.string()?, self.string()?, self.string()?];
            // A group's ends have no host (RFC 3501, 7.4.2).
            if let (Some(mut address), Some(host)) = (mailbox, host) {
                address.push(b'@');
                address.extend_from_slice(&host);
                found(&address);
            }
            if !self.next_is(b')') {
                return None;
            }
        }
        self.next_is(b')').then_some(())
    }
}

/// Servers write it so.
const NAME: &[u8] = b"ENVELOPE (";

/// Its lists of addresses, in order.
const LISTS: [&str; 6] = [
    "email.from.address",
    "email.sender.address",
    "email.reply_to.address",
    "email.to.address",
    "email.cc.address",
    "email.bcc.address",
];
