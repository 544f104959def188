//! IMAP (RFC 3501, RFC 9051) over TCP on any port: the mails that `FETCH` brings and `APPEND` takes (`mail`), whole, their headers
//! or one part of them, and the envelopes that servers take apart (`envelope`).
//!
//! Both ends speak in lines that literals (`{size}`) interrupt; which end is the server is told by what it says. What a literal
//! is, is told by the item before it. Where TLS begins (`STARTTLS`) the flow is handed over. User names, passwords and mechanisms are
//! passed over, never reported or kept.
//!
//! Not covered: compressed connections (RFC 4978; they are said to be no text). A part that is fetched without its header is
//! looked through for links as it is, encoded or not; a mail that is fetched in pieces is read as far as its first piece goes.

mod envelope;
#[cfg(test)]
mod tests;

use super::file::Wants;
use super::mail::{self, Dotted, Mail, Step, steps};
use super::tls::Tls;
use super::{Account, AfterGap, Hint, Parser, Probe, Progress, Starts};
use crate::flow::Direction;
use crate::indicator::{Seen, Transport};

/// One connection's state, both directions.
#[derive(Default)]
pub struct Imap {
    halves: [Half; 2],
}

#[derive(Default)]
struct Half {
    phase: Phase,
    /// The mail that the literal is.
    mail: Option<Box<Dotted>>,
}

/// What the next byte of a direction belongs to.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A line, or the rest of one behind a literal.
    #[default]
    Line,
    /// The rest of a line that is too long.
    Rest,
    /// So many bytes of a literal.
    Literal(u64, Literal),
}

/// What ends with a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Literal {
    /// Nothing: it is of no interest.
    None,
    /// All there is of a mail.
    Whole,
    /// The first piece of a mail.
    Piece,
    /// The server has yet to agree to it ([`Literal::Whole`], or nothing of interest).
    Asked(bool),
}

impl Parser for Imap {
    const NAME: &'static str = "imap";
    const MAX_PENDING_BYTES: usize = MAX_LINE_BYTES + 64;
    const STARTS: Starts = Starts::tcp(&[(b'*', b'*'), (b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]);

    /// Only what no other protocol says.
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        if hint.transport != Transport::Tcp {
            return Probe::No;
        }
        match data.first() {
            Some(b'*') => probe_response(data),
            Some(byte) if byte.is_ascii_alphanumeric() => probe_command(data, COMMANDS),
            _ => Probe::No,
        }
    }

    /// Any response, and commands that other protocols have, too.
    fn probe_known(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            Some(b'*' | b'+') => match data.get(1) {
                None => Probe::Unsure,
                Some(b' ' | b'\r' | b'\n') => Probe::Yes,
                Some(_) => Probe::No,
            },
            Some(0..b' ') => Tls::probe(data, hint),
            _ => match probe_command(data, COMMANDS) {
                Probe::No => probe_command(data, MORE_COMMANDS),
                answer => answer,
            },
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let progress = steps(data, |rest, unread| self.step(direction, rest, hint, unread, seen));
        if let Progress::Skip(_) = progress {
            self.half(direction).phase = Phase::Line;
        }
        progress
    }

    fn cut(&mut self, direction: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) {
        let half = self.half(direction);
        match &mut half.phase {
            Phase::Literal(left, _) => {
                *left = left.saturating_sub(data.len() as u64);
                if let Some(mail) = &mut half.mail {
                    mail.cut(data, seen);
                }
            }
            Phase::Line => envelope::find(data, seen),
            Phase::Rest => {}
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
        // A mail with a hole in it is not looked at further, but where it ends is known.
        half.mail = None;
        match half.phase {
            Phase::Literal(left, _) if missing_bytes <= left => {
                half.phase = Phase::Literal(left - missing_bytes, Literal::None);
                AfterGap::Continue
            }
            _ => {
                half.phase = Phase::Line;
                AfterGap::Probe
            }
        }
    }
}

impl Imap {
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
        let half = self.half(direction);
        match half.phase {
            Phase::Line => self.line(direction, rest, hint, unread, seen),
            Phase::Rest => match memchr::memchr(b'\n', rest) {
                Some(end) => {
                    half.phase = Phase::Line;
                    Step::Past(end + 1)
                }
                None => Step::Past(rest.len()),
            },
            Phase::Literal(left, literal) => half.literal(rest, left, literal, unread, seen),
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
        if let Some(end) = mail::not_text(rest, hint, "imap_not_text") {
            return end;
        }
        let half = self.half(direction);
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if rest.len() < MAX_LINE_BYTES {
                return Step::Need;
            }
            envelope::find(rest, seen);
            *unread = Some("imap_line_too_long");
            half.phase = Phase::Rest;
            return Step::Past(rest.len());
        };
        let line = rest.get(..end).unwrap_or(rest).trim_ascii_end();
        envelope::find(line, seen);
        if is_refusal(line) {
            self.half(direction.reverse()).refused();
        } else if let Some((size, waits)) = literal_size(line).filter(|_| !is_status(line)) {
            self.half(direction).begin(line, size, waits, hint, unread);
        }
        Step::Past(end + 1)
    }
}

impl Half {
    /// The literal of `size` bytes that `line` announces.
    fn begin(&mut self, line: &[u8], size: u64, waits: bool, hint: &Hint, unread: &mut Option<&'static str>) {
        let (literal, mail) = match item(line) {
            Item::Mail => (Literal::Whole, Some(Mail::new(Wants::of(&hint.wants)))),
            Item::FirstPiece => (Literal::Piece, Some(Mail::new(Wants::of(&hint.wants)))),
            Item::Text => (Literal::Whole, Some(Mail::text_alone())),
            Item::LaterPiece => {
                *unread = Some("imap_mail_in_pieces");
                (Literal::None, None)
            }
            Item::Other => (Literal::None, None),
        };
        let literal = if waits { Literal::Asked(mail.is_some()) } else { literal };
        self.mail = mail.map(|mail| Dotted::new(Some(mail)));
        self.phase = Phase::Literal(size, literal);
    }

    /// The server does not want the literal that was asked for: what comes is a command.
    fn refused(&mut self) {
        if matches!(self.phase, Phase::Literal(_, Literal::Asked(_))) {
            *self = Self::default();
        }
    }

    fn literal(
        &mut self,
        rest: &[u8],
        left: u64,
        literal: Literal,
        unread: &mut Option<&'static str>,
        seen: Seen<'_>,
    ) -> Step {
        let literal = match literal {
            Literal::Asked(true) => Literal::Whole,
            Literal::Asked(false) => Literal::None,
            agreed => agreed,
        };
        let Some(mail) = &mut self.mail else { return Step::Skip(left) };
        let here = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let ends = here as u64 == left;
        let took = mail.bytes(rest.get(..here).unwrap_or(rest), ends, seen);
        self.phase = Phase::Literal(left - took as u64, literal);
        if !ends {
            return if took == 0 { Step::Need } else { Step::Past(took) };
        }
        self.phase = Phase::Line;
        if let Some(mail) = self.mail.take() {
            *unread = mail.finish(literal == Literal::Whole, seen).or(*unread);
        }
        Step::Past(here)
    }
}

/// What a literal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// A mail, or its header block.
    Mail,
    /// The first piece of a mail (RFC 3501, 6.4.5, `<partial>`).
    FirstPiece,
    /// A further one.
    LaterPiece,
    /// A part without its header.
    Text,
    Other,
}

/// What the line before a literal says that it is.
fn item(line: &[u8]) -> Item {
    let open = memchr::memrchr(b'{', line).unwrap_or(line.len());
    let before = line.get(..open).unwrap_or(line);
    let before = before.strip_suffix(b"~").unwrap_or(before).trim_ascii_end();
    let (before, from) = match before.strip_suffix(b">") {
        Some(partial) => {
            let open = memchr::memrchr(b'<', partial).unwrap_or(partial.len());
            let number = std::str::from_utf8(partial.get(open + 1..).unwrap_or_default()).ok();
            (partial.get(..open).unwrap_or(partial), number.and_then(|n| n.parse::<u64>().ok()))
        }
        None => (before, None),
    };
    let section = section(before);
    let ends = |word: &[u8]| {
        let at = before.len().checked_sub(word.len());
        at.and_then(|at| before.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    let starts =
        |word: &[u8]| section.is_some_and(|s| s.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word)));
    let is_mail = section.is_some_and(<[u8]>::is_empty)
        || starts(b"HEADER")
        || ends(b"RFC822")
        || ends(b"RFC822.HEADER")
        || section.is_none() && is_append(line);
    let is_nested_header = section.is_some_and(|s| s.to_ascii_uppercase().windows(7).any(|word| word == b".HEADER"));
    match from {
        _ if !is_mail && section.is_some_and(|s| s.to_ascii_uppercase().ends_with(b".MIME")) => Item::Other,
        Some(1..) => Item::LaterPiece,
        Some(0) if is_mail => Item::FirstPiece,
        _ if is_mail || is_nested_header => Item::Mail,
        _ if section.is_some() || ends(b"RFC822.TEXT") => Item::Text,
        _ => Item::Other,
    }
}

/// What stands in the brackets of `BODY[..]` or `BINARY[..]` at the end of `before`.
fn section(before: &[u8]) -> Option<&[u8]> {
    let inside = before.strip_suffix(b"]")?;
    let open = memchr::memrchr(b'[', inside)?;
    let name = inside.get(..open)?;
    let fits = [&b"BODY"[..], b"BINARY"].iter().any(|known| {
        name.len()
            .checked_sub(known.len())
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(known))
    });
    if fits { inside.get(open + 1..) } else { None }
}

/// `tag APPEND mailbox ..`, or a further message of it (RFC 3502): flags, a date, or nothing before its literal.
fn is_append(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    // The mailbox may itself be a literal: then the message is behind it.
    let mailbox = words.next().is_none_or(|word| word.starts_with(b"{"));
    second.eq_ignore_ascii_case(b"APPEND") && !mailbox || first.is_empty() && !line.is_empty()
}

/// The size of the literal that a line ends in, and whether its sender waits for leave (RFC 7888).
fn literal_size(line: &[u8]) -> Option<(u64, bool)> {
    let inside = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', inside)?;
    let text = inside.get(open + 1..)?;
    let (digits, waits) = match text.split_last() {
        Some((b'+' | b'-', digits)) => (digits, false),
        _ => (text, !line.starts_with(b"*")),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, waits))
}

/// A response that is text to its end (RFC 3501, 7.1), whatever it ends in.
fn is_status(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let _tag = words.next();
    words.next().is_some_and(|word| {
        [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|status| status.eq_ignore_ascii_case(word))
    })
}

/// A tagged `NO` or `BAD`.
fn is_refusal(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let tag = words.next().unwrap_or_default();
    let status = words.next().unwrap_or_default();
    !tag.is_empty() && tag != b"*" && (status.eq_ignore_ascii_case(b"NO") || status.eq_ignore_ascii_case(b"BAD"))
}

/// A greeting, or a response in the middle.
fn probe_response(data: &[u8]) -> Probe {
    let end = memchr::memchr(b'\n', data);
    let line = data.get(..end.unwrap_or(data.len())).unwrap_or(data);
    if !line.iter().all(|byte| *byte >= b' ' || b"\t\r".contains(byte)) {
        return Probe::No;
    }
    let rest = match line.get(1) {
        Some(b' ') => line.get(2..).unwrap_or_default(),
        None if end.is_none() => return Probe::Unsure,
        _ => return Probe::No,
    };
    let number = rest.iter().take(MAX_NUMBER_BYTES).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = match (number, rest.get(number)) {
        (0, _) => rest,
        (_, Some(b' ')) => rest.get(number + 1..).unwrap_or_default(),
        (_, None) if end.is_none() => return Probe::Unsure,
        _ => return Probe::No,
    };
    let known = if number > 0 { NUMBERED } else { RESPONSES };
    word_of(rest, known, end.is_some())
}

/// Tag, blank and a command.
fn probe_command(data: &[u8], known: &[&[u8]]) -> Probe {
    let tag =
        data.iter().take(MAX_TAG_BYTES + 1).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
    match data.get(tag) {
        _ if tag > MAX_TAG_BYTES => Probe::No,
        None => Probe::Unsure,
        Some(b' ') => word_of(data.get(tag + 1..).unwrap_or_default(), known, memchr::memchr(b'\n', data).is_some()),
        Some(_) => Probe::No,
    }
}

/// Whether `text` starts with one of the words; `is_whole` if no more of it will come.
fn word_of(text: &[u8], known: &[&[u8]], is_whole: bool) -> Probe {
    let length = text.iter().position(|byte| b" \r\n".contains(byte)).unwrap_or(text.len());
    let word = text.get(..length).unwrap_or(text);
    let ends = length < text.len() || is_whole;
    let mut fitting = known.iter().filter(|known| known.get(..length).is_some_and(|k| k.eq_ignore_ascii_case(word)));
    match ends {
        true if length > 0 && fitting.any(|known| known.len() == length) => Probe::Yes,
        false if fitting.next().is_some() => Probe::Unsure,
        _ => Probe::No,
    }
}

const RESPONSES: &[&[u8]] =
    &[b"OK", b"PREAUTH", b"BYE", b"CAPABILITY", b"LIST", b"LSUB", b"FLAGS", b"ESEARCH", b"VANISHED"];

const NUMBERED: &[&[u8]] = &[b"FETCH", b"EXISTS", b"RECENT", b"EXPUNGE"];

/// Commands that no other protocol has behind a tag.
const COMMANDS: &[&[u8]] = &[
    b"CAPABILITY",
    b"LOGIN",
    b"AUTHENTICATE",
    b"STARTTLS",
    b"SELECT",
    b"EXAMINE",
    b"APPEND",
    b"FETCH",
    b"UID",
    b"LSUB",
    b"SUBSCRIBE",
    b"EXPUNGE",
    b"NAMESPACE",
    b"GETQUOTAROOT",
];

/// The others.
const MORE_COMMANDS: &[&[u8]] = &[
    b"NOOP",
    b"LOGOUT",
    b"CREATE",
    b"DELETE",
    b"RENAME",
    b"UNSUBSCRIBE",
    b"LIST",
    b"STATUS",
    b"CHECK",
    b"CLOSE",
    b"UNSELECT",
    b"SEARCH",
    b"STORE",
    b"COPY",
    b"MOVE",
    b"IDLE",
    b"ENABLE",
    b"ID",
    b"COMPRESS",
    b"OK",
    b"NO",
    b"BAD",
];

/// Tags that clients make up are shorter.
const MAX_TAG_BYTES: usize = 16;

/// A 32-bit number.
const MAX_NUMBER_BYTES: usize = 10;

/// Longest line: responses that list many messages or take a large mail apart are long, and servers cut no line below this.
const MAX_LINE_BYTES: usize = 64 * 1024;
