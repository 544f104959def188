//! POP3 (RFC 1939) over TCP on any port: the mails that `RETR` and `TOP` bring (`mail`).
//!
//! Which end is the server is told by what it says. Which replies are mails is told by the client's commands, and where those
//! were not seen by their first line. Where TLS begins (`STLS`) the flow is handed over. User names, passwords and mechanisms
//! are passed over, never reported or kept.
//!
//! Not covered: mails behind a loss, up to the next reply.

#[cfg(test)]
mod tests;

use super::file::Wants;
use super::mail::{self, Dotted, Mail, Step, Took, steps};
use super::tls::Tls;
use super::{Account, AfterGap, Hint, Parser, Probe, Progress, Starts};
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// One connection's state, both directions.
#[derive(Default)]
pub struct Pop3 {
    phases: [Phase; 2],
    mail: Option<Box<Dotted>>,
    awaited: Awaited,
    /// Where replies were seen.
    server: Option<Direction>,
    greeted: bool,
}

/// What the next byte of a direction belongs to.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A command or a reply.
    #[default]
    Line,
    /// Lines below a reply, up to a dot.
    Listing,
    /// A mail.
    Mail,
    /// Bytes were lost: to be told by the start of a segment.
    Lost,
}

impl Parser for Pop3 {
    const NAME: &'static str = "pop3";
    const MAX_PENDING_BYTES: usize = MAX_LINE_BYTES + 64;
    const STARTS: Starts = Starts::tcp(&[
        (b'+', b'+'),
        (b'A', b'A'),
        (b'C', b'C'),
        (b'S', b'U'),
        (b'a', b'a'),
        (b'c', b'c'),
        (b's', b'u'),
    ]);

    /// Only what no other protocol says: Redis answers `+OK` as well, but nothing more in that line.
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        if hint.transport != Transport::Tcp {
            return Probe::No;
        }
        match data.first() {
            Some(b'+') => match data.get(..4) {
                Some(b"+OK ") => probe_text(data),
                Some(_) => Probe::No,
                None if b"+OK ".starts_with(data) => Probe::Unsure,
                None => Probe::No,
            },
            Some(b'A' | b'C' | b'S' | b'U' | b'T' | b'a' | b'c' | b's' | b'u' | b't') => probe_command(data),
            _ => Probe::No,
        }
    }

    /// Any command or reply.
    fn probe_known(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            Some(b'+' | b'-') => reply(data),
            Some(0..b' ') => Tls::probe(data, hint),
            _ => known_command(data),
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        steps(data, |rest, unread| self.step(direction, rest, hint, unread, seen))
    }

    fn cut(&mut self, direction: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) {
        if *self.phase(direction) == Phase::Mail
            && let Some(mut mail) = self.mail.take()
        {
            mail.cut(data, seen);
        }
    }

    #[inline]
    fn accounts(&self) -> bool {
        self.mail.is_some()
    }

    fn account(&mut self) -> Account {
        let memory_bytes = self.mail.as_ref().map_or(0, |mail| mail.memory_bytes());
        Account { memory_bytes, ..Account::default() }
    }

    fn shed(&mut self) {
        if let Some(mail) = &mut self.mail {
            mail.shed();
        }
    }

    fn gap(&mut self, direction: Direction, _missing_bytes: u64) -> AfterGap {
        if *self.phase(direction) == Phase::Mail {
            self.mail = None;
        }
        self.awaited = Awaited { lost: true, ..Awaited::default() };
        *self.phase(direction) = Phase::Lost;
        AfterGap::Continue
    }
}

impl Pop3 {
    fn phase(&mut self, direction: Direction) -> &mut Phase {
        direction.of(&mut self.phases)
    }

    /// One step over `rest`, which is not empty.
    fn step(
        &mut self,
        direction: Direction,
        rest: &[u8],
        hint: &Hint,
        unread: &mut Option<&'static str>,
        seen: Seen<'_>,
    ) -> Step {
        match *self.phase(direction) {
            Phase::Line => self.line(direction, rest, hint),
            Phase::Listing => self.listing(direction, rest),
            Phase::Mail => self.mail(direction, rest, unread, seen),
            Phase::Lost => {
                let found = if matches!(rest.first(), Some(b'+' | b'-')) { reply(rest) } else { known_command(rest) };
                let is_tls = rest.first().is_some_and(|byte| *byte < b' ' && !b"\t\r\n".contains(byte));
                match found {
                    Probe::Unsure => return Step::Need,
                    Probe::No if !is_tls => {
                        let end = memchr::memmem::find(rest, b"\n.\r\n").map(|at| at + 4);
                        if end.is_some() {
                            *self.phase(direction) = Phase::Line;
                        }
                        return Step::Past(end.unwrap_or(rest.len()));
                    }
                    _ => *self.phase(direction) = Phase::Line,
                }
                Step::Past(0)
            }
        }
    }

    fn line(&mut self, direction: Direction, rest: &[u8], hint: &Hint) -> Step {
        if let Some(end) = mail::not_text(rest, hint, "pop3_not_text") {
            return end;
        }
        let Some(end) = memchr::memchr(b'\n', rest) else {
            let too_long = rest.len() >= MAX_LINE_BYTES;
            return if too_long { Step::End(Progress::Stopped("pop3_line_too_long")) } else { Step::Need };
        };
        let line = rest.get(..=end).unwrap_or(rest);
        if matches!(line.first(), Some(b'+' | b'-')) {
            self.server = Some(direction);
            let is_greeting = !std::mem::replace(&mut self.greeted, true) && self.awaited.count == 0;
            if is_greeting || reply(line) != Probe::Yes || line.starts_with(b"+ ") {
                return Step::Past(end + 1);
            }
            if self.awaited.pop() && line.starts_with(b"+OK") {
                self.begin_mail(direction, hint);
            }
            return Step::Past(end + 1);
        }
        if self.server != Some(direction) {
            if known_command(line) == Probe::Yes {
                self.awaited.push(brings_mail(line));
            }
        } else if mail::is_header(line) {
            self.begin_mail(direction, hint);
            return Step::Past(0);
        } else if !line.starts_with(b".") {
            *self.phase(direction) = Phase::Listing;
            return Step::Past(0);
        }
        Step::Past(end + 1)
    }

    fn begin_mail(&mut self, direction: Direction, hint: &Hint) {
        self.mail = Some(Dotted::new(Some(Mail::new(Wants::of(&hint.wants)))));
        *self.phase(direction) = Phase::Mail;
    }

    fn mail(&mut self, direction: Direction, rest: &[u8], unread: &mut Option<&'static str>, seen: Seen<'_>) -> Step {
        let Some(mail) = &mut self.mail else {
            *self.phase(direction) = Phase::Lost;
            return Step::Past(0);
        };
        match mail.read(rest, reply, seen) {
            Took::Some(0) => Step::Need,
            Took::Some(bytes) => Step::Past(bytes),
            Took::All(bytes) => {
                let mail = self.mail.take();
                *unread = mail.and_then(|mail| mail.finish(true, seen)).or(*unread);
                *self.phase(direction) = Phase::Line;
                Step::Past(bytes)
            }
        }
    }

    fn listing(&mut self, direction: Direction, rest: &[u8]) -> Step {
        let Some(end) = memchr::memchr(b'\n', rest) else {
            // Of no interest, however long.
            return if rest.len() >= MAX_LINE_BYTES { Step::Past(rest.len()) } else { Step::Need };
        };
        let line = rest.get(..end).unwrap_or(rest);
        if line.trim_ascii_end() == b"." || reply(rest) == Probe::Yes {
            *self.phase(direction) = Phase::Line;
            if line.trim_ascii_end() != b"." {
                return Step::Past(0);
            }
        }
        Step::Past(end + 1)
    }
}

/// Commands whose reply has not come, oldest in the lowest bit: whether it is a mail.
#[derive(Default)]
struct Awaited {
    mails: u64,
    count: u8,
    /// More were pipelined than fit, or bytes were lost: replies are told by themselves.
    lost: bool,
}

impl Awaited {
    fn push(&mut self, is_mail: bool) {
        if self.count == 64 {
            *self = Self { lost: true, ..Self::default() };
        }
        if !self.lost {
            self.mails |= u64::from(is_mail) << self.count;
            self.count += 1;
        }
    }

    fn pop(&mut self) -> bool {
        if self.count == 0 {
            return false;
        }
        let is_mail = self.mails & 1 == 1;
        self.mails >>= 1;
        self.count -= 1;
        is_mail
    }
}

/// `RETR` and `TOP`.
fn brings_mail(line: &[u8]) -> bool {
    let verb = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    verb.eq_ignore_ascii_case(b"RETR") || verb.eq_ignore_ascii_case(b"TOP")
}

/// Whether `data` starts with a reply (RFC 1939, 3; RFC 5034, 4 for `+ `).
fn reply(data: &[u8]) -> Probe {
    for start in [&b"+OK"[..], b"-ERR"] {
        match data.get(..start.len()) {
            Some(word) if word == start => {
                return match data.get(start.len()) {
                    None => Probe::Unsure,
                    Some(b' ' | b'\r' | b'\n') => Probe::Yes,
                    Some(_) => Probe::No,
                };
            }
            None if start.starts_with(data) => return Probe::Unsure,
            _ => {}
        }
    }
    if data.starts_with(b"+ ") || data.starts_with(b"+\r") { Probe::Yes } else { Probe::No }
}

/// A greeting's first line, as far as it is there.
fn probe_text(data: &[u8]) -> Probe {
    let end = memchr::memchr(b'\n', data).unwrap_or(data.len());
    let is_text = data.iter().take(end).all(|byte| *byte >= b' ' || b"\t\r".contains(byte));
    match (is_text, end > b"+OK ".len()) {
        (true, true) => Probe::Yes,
        (true, false) if end == data.len() => Probe::Unsure,
        _ => Probe::No,
    }
}

/// A command that only POP3 has.
fn probe_command(data: &[u8]) -> Probe {
    let end = memchr::memchr(b'\n', data);
    let line = data.get(..end.unwrap_or(data.len())).unwrap_or(data).trim_ascii_end();
    if end.is_none() {
        let may = ONLY_POP3.iter().any(|known| known.get(..line.len()).is_some_and(|k| k.eq_ignore_ascii_case(line)));
        let goes_on =
            ONLY_POP3.iter().any(|known| line.get(..known.len()).is_some_and(|l| l.eq_ignore_ascii_case(known)));
        return if (may || goes_on) && data.len() < MAX_PROBE_BYTES { Probe::Unsure } else { Probe::No };
    }
    let mut words = line.split(|byte| *byte == b' ');
    let verb = words.next().unwrap_or_default();
    let numbers =
        words.clone().count() == 2 && words.clone().all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_digit));
    let is = |known: &[u8]| verb.eq_ignore_ascii_case(known);
    let digest =
        words.clone().next_back().is_some_and(|word| word.len() == 32 && word.iter().all(u8::is_ascii_hexdigit));
    let fits = (is(b"CAPA") || is(b"STLS") || is(b"UIDL")) && words.clone().next().is_none()
        || is(b"TOP") && numbers
        || is(b"APOP") && words.count() == 2 && digest;
    if fits { Probe::Yes } else { Probe::No }
}

/// Whether `data` starts with any command.
fn known_command(data: &[u8]) -> Probe {
    let length = data.iter().take(MAX_VERB_BYTES + 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let verb = data.get(..length).unwrap_or(data);
    let mut matching =
        COMMANDS.iter().filter(|known| known.get(..length).is_some_and(|k| k.eq_ignore_ascii_case(verb)));
    match data.get(length) {
        None if matching.next().is_some() => Probe::Unsure,
        Some(b' ' | b'\r' | b'\n') if length > 0 && matching.any(|known| known.len() == length) => Probe::Yes,
        _ => Probe::No,
    }
}

const ONLY_POP3: &[&[u8]] = &[b"CAPA", b"STLS", b"UIDL", b"TOP ", b"APOP "];

const COMMANDS: &[&[u8]] = &[
    b"USER", b"PASS", b"APOP", b"AUTH", b"STLS", b"CAPA", b"STAT", b"LIST", b"RETR", b"TOP", b"UIDL", b"DELE", b"NOOP",
    b"RSET", b"QUIT", b"LAST", b"XTND", b"UTF8", b"LANG",
];

const MAX_VERB_BYTES: usize = 4;

/// Longest line: authentication may need what SMTP's does (RFC 5034 refers to RFC 4954).
const MAX_LINE_BYTES: usize = 16 * 1024;

/// A command that is waited for in a probe is shorter.
const MAX_PROBE_BYTES: usize = 256;
