//! SMTP (RFC 5321) and LMTP over TCP on any port: who greets whom, the envelope, and the mail itself (`mail`), carried by `DATA`
//! or `BDAT` (RFC 3030), pipelined or not.
//!
//! Which end is the client is told by what it says, not by who connected: either direction may be missing. FTP greets with
//! `220` as well, so a greeting counts only if it says SMTP, or with what follows it. Where TLS begins (`STARTTLS`) the flow is
//! handed over. Whether `DATA` was granted is taken from the server's last reply; if none was seen, what follows is a mail.
//! Of authentication nothing is ever reported or kept: its lines are passed over like any that are no known command.
//!
//! Not covered: `TURN` (roles that change), `XCLIENT` and `XFORWARD`, and a mail whose lines end in bare line feeds and whose
//! last dot nothing follows: it is read, but counted as incomplete.

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
pub struct Smtp {
    halves: [Half; 2],
    /// The server's last reply since the last command that waits for one; 0 for none.
    reply: u16,
    greeted: bool,
}

#[derive(Default)]
struct Half {
    phase: Phase,
    /// The mail that is being carried.
    mail: Option<Box<Dotted>>,
}

/// What the next byte of a direction belongs to.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A command or reply.
    #[default]
    Line,
    /// A mail if the server said so, else a command.
    AfterData,
    /// A mail.
    Data,
    /// So many bytes of a chunk, and whether it is the last.
    Chunk(u64, bool),
    /// Bytes were lost: to be told by the start of a segment.
    Lost,
}

impl Parser for Smtp {
    const NAME: &'static str = "smtp";
    const MAX_PENDING_BYTES: usize = MAX_LINE_BYTES + 64;
    /// Codes, and the letters that commands begin with.
    const STARTS: Starts = Starts::tcp(&[
        (b'2', b'3'),
        (b'5', b'5'),
        (b'E', b'E'),
        (b'H', b'H'),
        (b'L', b'M'),
        (b'R', b'S'),
        (b'e', b'e'),
        (b'h', b'h'),
        (b'l', b'm'),
        (b'r', b's'),
    ]);

    /// Only what no other protocol says.
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        if hint.transport != Transport::Tcp {
            return Probe::No;
        }
        match data.first() {
            Some(b'2' | b'3' | b'5') => probe_reply(data),
            Some(b'E' | b'H' | b'L' | b'M' | b'R' | b'S' | b'e' | b'h' | b'l' | b'm' | b'r' | b's') => {
                probe_command(data)
            }
            _ => Probe::No,
        }
    }

    /// Any command or reply.
    fn probe_known(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            Some(b'1'..=b'5') => {
                let digits = data.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                match data.get(digits) {
                    None => Probe::Unsure,
                    Some(b' ' | b'-' | b'\r' | b'\n') if digits == 3 => Probe::Yes,
                    Some(_) => Probe::No,
                }
            }
            Some(0..b' ') => Tls::probe(data, hint),
            _ => known_command(data),
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        steps(data, |rest, unread| self.step(direction, rest, hint, unread, seen))
    }

    fn cut(&mut self, direction: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) {
        let half = self.half(direction);
        let Some(mail) = &mut half.mail else { return };
        mail.cut(data, seen);
        if let Phase::Chunk(left, last) = half.phase {
            half.phase = Phase::Chunk(left.saturating_sub(data.len() as u64), last);
        }
    }

    #[inline]
    fn accounts(&self) -> bool {
        self.halves.iter().any(|half| half.mail.is_some())
    }

    fn account(&mut self) -> Account {
        let mails = self.halves.iter().filter_map(|half| half.mail.as_ref());
        Account { memory_bytes: mails.map(|mail| mail.memory_bytes()).sum(), ..Account::default() }
    }

    fn shed(&mut self) {
        self.halves.iter_mut().filter_map(|half| half.mail.as_mut()).for_each(|mail| mail.shed());
    }

    fn gap(&mut self, direction: Direction, missing_bytes: u64) -> AfterGap {
        let half = self.half(direction);
        half.phase = match half.phase {
            Phase::Chunk(left, last) if missing_bytes <= left => {
                // A mail with a hole in it is not looked at further, but its end is known.
                half.mail = Some(Dotted::new(None));
                Phase::Chunk(left - missing_bytes, last)
            }
            _ => {
                half.mail = None;
                Phase::Lost
            }
        };
        AfterGap::Continue
    }
}

impl Smtp {
    fn half(&mut self, direction: Direction) -> &mut Half {
        direction.of(&mut self.halves)
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
        let reply = self.reply;
        let half = self.half(direction);
        match half.phase {
            Phase::Line => self.line(direction, rest, hint, unread, seen),
            Phase::AfterData => {
                half.phase = match (reply, known_command(rest)) {
                    (400.., Probe::Unsure) => return Step::Need,
                    (400.., Probe::Yes) => Phase::Line,
                    _ => {
                        half.mail = Some(Dotted::new(Some(Mail::new(Wants::of(&hint.wants)))));
                        Phase::Data
                    }
                };
                Step::Past(0)
            }
            Phase::Data => half.data(rest, unread, seen),
            Phase::Chunk(left, last) => half.chunk(rest, left, last, unread, seen),
            Phase::Lost => half.find(rest),
        }
    }

    fn line(
        &mut self,
        direction: Direction,
        rest: &[u8],
        hint: &Hint,
        unread: &mut Option<&'static str>,
        seen: Seen<'_>,
    ) -> Step {
        if let Some(end) = mail::not_text(rest, hint, "smtp_not_text") {
            return end;
        }
        let Some(end) = memchr::memchr(b'\n', rest) else {
            let too_long = rest.len() >= MAX_LINE_BYTES;
            return if too_long { Step::End(Progress::Stopped("smtp_line_too_long")) } else { Step::Need };
        };
        let line = rest.get(..end).unwrap_or(rest).trim_ascii();
        match reply_code(line) {
            Some(code) => {
                self.reply = code;
                if !std::mem::replace(&mut self.greeted, true) && code == 220 {
                    let name = line.get(4..).unwrap_or_default().split(|byte| *byte == b' ').next().unwrap_or_default();
                    mail::host_name(name, "picket.smtp.banner", &[], seen);
                }
            }
            None => self.command(direction, line, hint, unread, seen),
        }
        Step::Past(end + 1)
    }

    fn command(
        &mut self,
        direction: Direction,
        line: &[u8],
        hint: &Hint,
        unread: &mut Option<&'static str>,
        seen: Seen<'_>,
    ) {
        let length = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
        let (verb, rest) = line.split_at_checked(length).unwrap_or((line, b""));
        let (rest, is) = (rest.trim_ascii(), |known: &[u8]| verb.eq_ignore_ascii_case(known));
        if is(b"EHLO") || is(b"HELO") || is(b"LHLO") {
            let name = rest.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            mail::host_name(name, "picket.smtp.helo", &[], seen);
        } else if is(b"MAIL") {
            path(rest, b"FROM", "picket.smtp.mail_from", seen);
        } else if is(b"RCPT") {
            path(rest, b"TO", "picket.smtp.rcpt_to", seen);
        } else if is(b"DATA") && rest.is_empty() {
            self.reply = 0;
            self.half(direction).phase = Phase::AfterData;
        } else if is(b"BDAT") {
            let half = self.half(direction);
            half.begin_chunk(rest, hint);
            // An empty one has no byte to wait for.
            if let Phase::Chunk(0, last) = half.phase {
                half.phase = Phase::Line;
                if last {
                    *unread = half.end_mail(seen).or(*unread);
                }
            }
        } else if is(b"RSET")
            && let Some(mail) = self.half(direction).mail.take()
        {
            // A mail that its sender took back was carried all the same.
            mail.finish(false, seen);
            *unread = Some("smtp_mail_taken_back");
        }
    }
}

impl Half {
    fn data(&mut self, rest: &[u8], unread: &mut Option<&'static str>, seen: Seen<'_>) -> Step {
        let Some(mail) = &mut self.mail else {
            self.phase = Phase::Lost;
            return Step::Past(0);
        };
        match mail.read(rest, known_command, seen) {
            Took::Some(0) => Step::Need,
            Took::Some(bytes) => Step::Past(bytes),
            Took::All(bytes) => {
                *unread = self.end_mail(seen).or(*unread);
                Step::Past(bytes)
            }
        }
    }

    /// `BDAT size [LAST]`.
    fn begin_chunk(&mut self, rest: &[u8], hint: &Hint) {
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let size = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        let Some(size) = size else { return };
        let last = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"LAST"));
        self.mail.get_or_insert_with(|| Dotted::new(Some(Mail::new(Wants::of(&hint.wants)))));
        self.phase = Phase::Chunk(size, last);
    }

    fn chunk(&mut self, rest: &[u8], left: u64, last: bool, unread: &mut Option<&'static str>, seen: Seen<'_>) -> Step {
        let here = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = rest.get(..here).unwrap_or(rest);
        let ends = here as u64 == left;
        let Some(mail) = &mut self.mail else {
            self.phase = Phase::Lost;
            return Step::Past(0);
        };
        let took = mail.bytes(bytes, ends, seen);
        if !ends {
            self.phase = Phase::Chunk(left - took as u64, last);
            return if took == 0 { Step::Need } else { Step::Past(took) };
        }
        self.phase = Phase::Line;
        if last {
            *unread = self.end_mail(seen).or(*unread);
        }
        Step::Past(here)
    }

    fn end_mail(&mut self, seen: Seen<'_>) -> Option<&'static str> {
        self.phase = Phase::Line;
        self.mail.take()?.finish(true, seen)
    }

    /// After a loss: a command where a segment starts, or behind the end of a mail.
    fn find(&mut self, rest: &[u8]) -> Step {
        match known_command(rest) {
            Probe::Yes => {
                self.phase = Phase::Line;
                return Step::Past(0);
            }
            Probe::Unsure => return Step::Need,
            Probe::No => {}
        }
        if reply_code(rest).is_some() || rest.first().is_some_and(|byte| *byte < b' ' && !b"\t\r\n".contains(byte)) {
            self.phase = Phase::Line;
            return Step::Past(0);
        }
        match memchr::memmem::find(rest, b"\n.\r\n") {
            Some(at) => {
                self.phase = Phase::Line;
                Step::Past(at + 4)
            }
            None => Step::Past(rest.len()),
        }
    }
}

/// `FROM:<path> parameters`, as liberally as servers read it (RFC 5321, 4.1.2).
fn path(text: &[u8], keyword: &[u8], at: &'static str, seen: Seen<'_>) {
    let Some((start, rest)) = text.split_at_checked(keyword.len()) else { return };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b":").filter(|_| start.eq_ignore_ascii_case(keyword)) else {
        return;
    };
    let rest = rest.trim_ascii();
    let address = match rest.strip_prefix(b"<") {
        Some(inside) => inside.get(..memchr::memrchr(b'>', inside).unwrap_or(inside.len())).unwrap_or(inside),
        None => rest.split(u8::is_ascii_whitespace).next().unwrap_or_default(),
    };
    // Parameters may hold brackets, too.
    let address = match memchr::memmem::find(address, b"> ") {
        Some(end) => address.get(..end).unwrap_or(address),
        None => address,
    };
    // A route before the mailbox is to be ignored (RFC 5321, appendix C).
    let address = match address.first() {
        Some(b'@') => memchr::memchr(b':', address).and_then(|at| address.get(at + 1..)).unwrap_or(address),
        _ => address,
    };
    mail::address(address, at, &[], seen);
}

/// The code of a reply line (RFC 5321, 4.2).
fn reply_code(line: &[u8]) -> Option<u16> {
    let (digits, rest) = line.split_at_checked(3)?;
    let fits =
        matches!(rest.first(), None | Some(b' ' | b'-' | b'\r' | b'\n')) && digits.iter().all(u8::is_ascii_digit);
    fits.then(|| digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

/// A greeting, or a reply that only SMTP gives.
fn probe_reply(data: &[u8]) -> Probe {
    let start = data.get(..4).unwrap_or(data);
    let may = |code: &[u8]| code.iter().zip(start).all(|(a, b)| a == b);
    if !may(b"220 ") && !may(b"220-") && !may(b"554 ") && !may(b"554-") && !may(b"354 ") && !may(b"250") {
        return Probe::No;
    }
    let Some(end) = memchr::memchr(b'\n', data) else {
        return if data.len() < MAX_PROBE_BYTES { Probe::Unsure } else { Probe::No };
    };
    let (line, after) = data.split_at_checked(end + 1).unwrap_or((data, b""));
    if !line.iter().all(|byte| *byte >= b' ' || b"\t\r\n".contains(byte)) {
        return Probe::No;
    }
    let says_smtp =
        line.windows(4).any(|word| word.eq_ignore_ascii_case(b"SMTP") || word.eq_ignore_ascii_case(b"LMTP"));
    match line.get(..3) {
        // An enhanced status code follows (RFC 2034): no other protocol has them.
        Some(b"250") if line.get(4..6) == Some(b"2.") => Probe::Yes,
        Some(b"354") => Probe::Yes,
        Some(b"220" | b"554") if says_smtp => Probe::Yes,
        // The next reply decides: to `EHLO` it is 250, nothing in FTP gives that first.
        Some(b"220") if after.is_empty() => Probe::Unsure,
        Some(b"220") if b"250".starts_with(after.get(..3).unwrap_or(after)) => {
            if after.len() < 3 {
                Probe::Unsure
            } else {
                Probe::Yes
            }
        }
        Some(b"220") if after.starts_with(b"220") => probe_reply(after),
        _ => Probe::No,
    }
}

/// A command that only SMTP has.
fn probe_command(data: &[u8]) -> Probe {
    let mut unsure = false;
    for command in ONLY_SMTP {
        let start = data.get(..command.len()).unwrap_or(data);
        if command.get(..start.len()).is_some_and(|command| command.eq_ignore_ascii_case(start)) {
            if start.len() == command.len() {
                return Probe::Yes;
            }
            unsure = true;
        }
    }
    if unsure { Probe::Unsure } else { Probe::No }
}

/// Whether `data` starts with any command.
fn known_command(data: &[u8]) -> Probe {
    let length = data.iter().take(MAX_VERB_BYTES + 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let verb = data.get(..length).unwrap_or(data);
    let mut matching =
        COMMANDS.iter().filter(|known| known.get(..length).is_some_and(|k| k.eq_ignore_ascii_case(verb)));
    match data.get(length) {
        None if matching.next().is_some() => Probe::Unsure,
        Some(b' ' | b'\t' | b'\r' | b'\n') if length > 0 && matching.any(|known| known.len() == length) => Probe::Yes,
        _ => Probe::No,
    }
}

const ONLY_SMTP: &[&[u8]] =
    &[b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:", b"RCPT TO:", b"STARTTLS\r\n", b"MAIL FROM :", b"RCPT TO :"];

const COMMANDS: &[&[u8]] = &[
    b"EHLO",
    b"HELO",
    b"LHLO",
    b"MAIL",
    b"RCPT",
    b"DATA",
    b"BDAT",
    b"RSET",
    b"NOOP",
    b"QUIT",
    b"VRFY",
    b"EXPN",
    b"HELP",
    b"AUTH",
    b"STARTTLS",
    b"ETRN",
    b"TURN",
    b"SEND",
    b"SOML",
    b"SAML",
    b"BURL",
    b"XCLIENT",
    b"XFORWARD",
];

const MAX_VERB_BYTES: usize = 8;

/// Longest command or reply line: RFC 4954, 4 lets authentication have 12,288 bytes.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// A greeting's first line is shorter.
const MAX_PROBE_BYTES: usize = 2048;
