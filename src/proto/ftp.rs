//! FTP control connections (RFC 959, RFC 2428, RFC 4217), known by their greeting and commands on any port.
//!
//! Of commands and replies it reports the user, the names of files that are fetched, stored or touched, and the addresses that
//! data connections go to (`PORT`, `EPRT`, 227; in a bounce attack a third party's). After `AUTH TLS` the flow is probed anew.
//!
//! It keeps whether TLS was asked for and where the next data connection goes, and never knows that connection: it is another flow, whose
//! content is a file as a whole (`super::whole`). What a transfer's file is called it shows as `Value::Elsewhere`, for whoever joins the two.
//! Not covered: names that come back in listings, and a control connection that begins with
//! nothing but a bare `220` on another port than 21, until its first command that no other protocol has.

use std::net::{IpAddr, Ipv4Addr};

use super::file::{self, Wants};
use super::{Account, AfterGap, Hint, Parser, Probe, Progress, Starts};
use crate::flow::Direction;
use crate::indicator::kind::{FILE_NAME, USER_NAME, of_addr};
use crate::indicator::{Elsewhere, Field, Observable, Seen, Transport, Value, Where};

/// Longest line: a path of 4,096 bytes and its command.
pub const MAX_LINE_BYTES: usize = 4608;

/// Names of transfers that may be said at once. Each call gives one more: clients that keep to the protocol have an answer for each.
const MAX_NAMES_AT_ONCE: u8 = 16;

const PORT: u16 = 21;

/// See the module.
#[derive(Default)]
pub struct Ftp {
    /// The client asked for TLS; the server's answer says whether it comes.
    asked_tls: bool,
    /// Where the next transfer goes.
    data: Option<Data>,
    /// Names that were said lately, at most [`MAX_NAMES_AT_ONCE`].
    names: u8,
    has_left_out: bool,
}

crate::bytes::opaque_debug!(Ftp, "Ftp");

/// Where an end waits for a data connection.
#[derive(Clone, Copy)]
struct Data {
    host: Option<IpAddr>,
    port: u16,
    is_server: bool,
}

impl Parser for Ftp {
    const NAME: &'static str = "ftp";
    const MAX_PENDING_BYTES: usize = MAX_LINE_BYTES;
    const STARTS: Starts = Starts::tcp(&[(b'1', b'6'), (b'A', b'Z'), (b'a', b'z')]);

    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data.first() {
            _ if hint.transport != Transport::Tcp => Probe::No,
            Some(b'1'..=b'6') => probe_reply(data, hint),
            Some(b'A'..=b'Z' | b'a'..=b'z') => probe_command(data, hint),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], hint: &Hint, seen: Seen<'_>) -> Progress {
        let mut at = 0;
        self.names = self.names.saturating_sub(1);
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            match rest.first() {
                None => return Progress::Consumed { bytes: at, need: 0 },
                // The answer to AUTH was not seen.
                Some(&TLS_HANDSHAKE) => return Progress::Reprobe(at),
                Some(_) => {}
            }
            let Some(end) = memchr::memchr(b'\n', rest) else {
                return match rest.len() {
                    length if length < MAX_LINE_BYTES => Progress::Consumed { bytes: at, need: length + 1 },
                    _ => Progress::Stopped("ftp_line_too_long"),
                };
            };
            at += end + 1;
            let line = rest.get(..end).unwrap_or(&[]);
            if is_reply(line) {
                let is_yes = self.asked_tls && line.starts_with(b"234");
                self.reply(line, seen);
                if is_yes {
                    return Progress::Reprobe(at);
                }
            } else if direction == Direction::ToResponder || hint.source_port != PORT {
                self.command(line, hint, seen);
            }
        }
    }

    #[inline]
    fn accounts(&self) -> bool {
        self.has_left_out
    }

    fn account(&mut self) -> Account {
        let lost = std::mem::take(&mut self.has_left_out).then_some("ftp_names_too_many");
        Account { lost, ..Account::default() }
    }

    fn gap(&mut self, _direction: Direction, _missing_bytes: u64) -> AfterGap {
        self.data = None;
        // Lines find themselves again: half of one is no command.
        AfterGap::Continue
    }
}

impl Ftp {
    fn command(&mut self, line: &[u8], hint: &Hint, seen: Seen<'_>) {
        let Some((verb, argument)) = split(line) else { return };
        let with = [Field::word("event.action", verb.word)];
        let wants = Wants::of(&hint.wants);
        match verb.what {
            What::Transfer | What::List => {
                let name = if verb.what == What::Transfer { file::base_name(argument) } else { &[] };
                if let Some(Data { host, port, is_server }) =
                    self.data.take().filter(|_| wants.digests() && self.may_name())
                {
                    let name = if name.len() > file::MAX_NAME_BYTES { &[] } else { name };
                    let elsewhere = Elsewhere { waits_here: !is_server, host, port, name, action: verb.word };
                    let value = Value::Elsewhere(&elsewhere);
                    seen(Observable { kind: &FILE_NAME, value, at: Where("file.name"), with: &[] });
                }
                if verb.what == What::Transfer {
                    file::name(wants, argument, &with, seen);
                }
            }
            What::File => file::name(wants, argument, &with, seen),
            What::User if !argument.is_empty() => {
                seen(Observable {
                    kind: &USER_NAME,
                    value: Value::Text(argument),
                    at: Where("user.name"),
                    with: &with,
                });
            }
            What::Port | What::Eprt => {
                let read = if verb.what == What::Port { addresses_of_port } else { address_of_eprt };
                let found = read(argument);
                self.data = found.map(|(ip, port)| Data { host: Some(ip), port, is_server: false });
                found.into_iter().for_each(|(ip, port)| data_address(ip, port, &with, seen));
            }
            What::Auth => self.asked_tls = true,
            What::User | What::Other => {}
        }
    }

    fn may_name(&mut self) -> bool {
        let may = self.names < MAX_NAMES_AT_ONCE;
        self.names += u8::from(may);
        self.has_left_out |= !may;
        may
    }

    /// Codes and addresses of one line from the server.
    fn reply(&mut self, line: &[u8], seen: Seen<'_>) {
        let text = line.get(4..).unwrap_or(&[]);
        if line.starts_with(b"229") {
            self.data = port_of_epsv(text).map(|port| Data { host: None, port, is_server: true });
        }
        if !line.starts_with(b"227") {
            return;
        }
        // `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2).`, with or without brackets.
        let Some(start) = text.iter().position(u8::is_ascii_digit) else { return };
        if let Some((ip, port)) = addresses_of_port(text.get(start..).unwrap_or(&[])) {
            self.data = Some(Data { host: Some(ip), port, is_server: true });
            data_address(ip, port, &[Field::word("event.action", "PASV")], seen);
        }
    }
}

fn data_address(ip: IpAddr, port: u16, with: &[Field<'_>], seen: Seen<'_>) {
    let value = Value::Endpoint(ip, port, Some(Transport::Tcp));
    seen(Observable { kind: of_addr(ip), value, at: Where("ftp.data.ip"), with });
}

/// `h1,h2,h3,h4,p1,p2`, perhaps with something after it.
fn addresses_of_port(text: &[u8]) -> Option<(IpAddr, u16)> {
    let [a, b, c, d, high, low] = usual_numbers(text).or_else(|| numbers_among_blanks(text))?;
    Some((IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low])))
}

/// Six numbers as nearly everybody writes them.
fn usual_numbers(text: &[u8]) -> Option<[u8; 6]> {
    const MAX_DIGITS: usize = 3;
    let (mut numbers, mut rest) = ([0_u8; 6], text);
    for (place, number) in numbers.iter_mut().enumerate() {
        let after = if place > 0 { rest.strip_prefix(b",")? } else { rest };
        let digits = after.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
        let (text, more) = after.split_at_checked(digits).filter(|_| digits <= MAX_DIGITS)?;
        (*number, rest) = (small_number(text)?, more);
    }
    Some(numbers)
}

/// Six numbers with blanks, signs or more zeros.
fn numbers_among_blanks(text: &[u8]) -> Option<[u8; 6]> {
    let mut numbers = [0_u8; 6];
    let mut parts = text.split(|byte| *byte == b',');
    let last = numbers.len() - 1;
    for (place, number) in numbers.iter_mut().enumerate() {
        let part = parts.next()?.trim_ascii();
        let digits =
            if place == last { part.iter().take_while(|byte| byte.is_ascii_digit()).count() } else { part.len() };
        *number = small_number(part.get(..digits)?)?;
    }
    Some(numbers)
}

fn small_number(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    match *text {
        [a] => u8::try_from(digit(a)?).ok(),
        [a, b] if a != b'+' => u8::try_from(10 * digit(a)? + digit(b)?).ok(),
        [a, b, c] if a != b'+' => u8::try_from(100 * digit(a)? + 10 * digit(b)? + digit(c)?).ok(),
        // Zeros or a sign before it.
        _ => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// `|1|192.0.2.1|6275|` (RFC 2428, 2); the bar may be another character.
fn address_of_eprt(text: &[u8]) -> Option<(IpAddr, u16)> {
    let (bar, _) = text.split_first()?;
    let mut parts = text.split(|byte| byte == bar).skip(2);
    let mut part = || std::str::from_utf8(parts.next()?).ok();
    Some((part()?.parse().ok()?, part()?.parse().ok()?))
}

/// `Entering Extended Passive Mode (|||6446|)` (RFC 2428, 3).
fn port_of_epsv(text: &[u8]) -> Option<u16> {
    let (bar, rest) = text.split(|byte| *byte == b'(').nth(1)?.split_first()?;
    std::str::from_utf8(rest.split(|byte| byte == bar).nth(2)?).ok()?.parse().ok()
}

/// A command that matters.
struct Verb {
    word: &'static str,
    /// See [`key`].
    key: u32,
    what: What,
    /// No other protocol's lines begin with it: enough to know FTP by in the middle of a connection.
    only_ftp: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Its argument is the path of a file, which comes over the data connection.
    Transfer,
    /// What comes over the data connection is no file.
    List,
    /// Its argument is a file's path.
    File,
    User,
    Port,
    Eprt,
    Auth,
    Other,
}

const fn verb(word: &'static str, what: What, only_ftp: bool) -> Verb {
    Verb { word, key: key(word.as_bytes()), what, only_ftp }
}

/// A word of three or four letters as a number, whatever their case; 0 for any other length. No other bytes have a word's number.
const fn key(word: &[u8]) -> u32 {
    const CAPITALS: u32 = 0xdfdf_dfdf;
    match *word {
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]) & CAPITALS,
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]) & CAPITALS,
        _ => 0,
    }
}

/// RFC 959, 2228, 2428, 3659. `RETR`, `USER` and `DELE` are POP3's, too.
const VERBS: &[Verb] = &[
    verb("RETR", What::Transfer, false),
    verb("STOR", What::Transfer, true),
    verb("STOU", What::Transfer, true),
    verb("APPE", What::Transfer, true),
    verb("LIST", What::List, false),
    verb("NLST", What::List, true),
    verb("SIZE", What::File, true),
    verb("MDTM", What::File, true),
    verb("DELE", What::File, false),
    verb("RNFR", What::File, true),
    verb("RNTO", What::File, true),
    verb("USER", What::User, false),
    verb("PORT", What::Port, true),
    verb("EPRT", What::Eprt, true),
    verb("AUTH", What::Auth, false),
    verb("PASV", What::Other, true),
    verb("EPSV", What::Other, true),
    verb("TYPE", What::Other, true),
    verb("SYST", What::Other, true),
    verb("CWD", What::Other, true),
    verb("PBSZ", What::Other, true),
    verb("MLSD", What::List, true),
];

/// The command of a line and its argument. Telnet's interrupts (RFC 959, 4.1.3) before it are passed over.
fn split(line: &[u8]) -> Option<(&'static Verb, &[u8])> {
    let telnet = line.iter().take_while(|byte| **byte >= 0xF0).count();
    let line = line.get(telnet..)?.trim_ascii();
    let end = line.iter().take(5).position(|byte| *byte == b' ').unwrap_or(line.len());
    let (word, argument) = line.split_at_checked(end)?;
    Some((named(word)?, argument.trim_ascii()))
}

/// The command that a word is.
fn named(word: &[u8]) -> Option<&'static Verb> {
    let key = key(word);
    VERBS.iter().find(|verb| verb.key == key)
}

/// Three digits and a blank or dash (RFC 959, 4.2).
fn is_reply(line: &[u8]) -> bool {
    matches!(line, [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..])
}

fn probe_reply(data: &[u8], hint: &Hint) -> Probe {
    let is_near = data.iter().zip(b"220 ").take(3).all(|(byte, _)| byte.is_ascii_digit());
    if !is_near {
        return Probe::No;
    }
    if data.len() < 4 {
        return Probe::Unsure;
    }
    if !is_reply(data) {
        return Probe::No;
    }
    if hint.source_port == PORT {
        return Probe::Yes;
    }
    let line_end = memchr::memchr(b'\n', data);
    let line = data.get(..line_end.unwrap_or(data.len())).unwrap_or(&[]);
    let says_ftp = line.windows(3).any(|word| word.eq_ignore_ascii_case(b"ftp"));
    match line.get(..3) {
        Some(b"220") if says_ftp && !line.windows(4).any(|word| word.eq_ignore_ascii_case(b"smtp")) => Probe::Yes,
        Some(b"227" | b"229") if line.windows(7).any(|word| word.eq_ignore_ascii_case(b"passive")) => Probe::Yes,
        Some(b"220" | b"227" | b"229") if line_end.is_none() && data.len() < MAX_PROBE_BYTES => Probe::Unsure,
        _ => Probe::No,
    }
}

fn probe_command(data: &[u8], hint: &Hint) -> Probe {
    let could_be = |verb: &&Verb| {
        let length = data.len().min(verb.word.len());
        data.get(..length).zip(verb.word.as_bytes().get(..length)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
            && matches!(data.get(verb.word.len()), None | Some(b' ' | b'\r' | b'\n'))
    };
    let verb = match *data {
        [a, b, c, b' ' | b'\r' | b'\n', _, ..] => named(&[a, b, c]),
        [a, b, c, d, b' ' | b'\r' | b'\n', ..] => named(&[a, b, c, d]),
        [_, _, _, _, _, ..] => None,
        _ => VERBS.iter().find(could_be),
    };
    let Some(verb) = verb else { return Probe::No };
    let Some(end) = memchr::memchr(b'\n', data) else {
        return if data.len() < MAX_PROBE_BYTES { Probe::Unsure } else { Probe::No };
    };
    let argument = data.get(verb.word.len()..end).unwrap_or(&[]).trim_ascii();
    let is_ftp = match verb.what {
        _ if hint.destination_port == PORT => true,
        What::Port => addresses_of_port(argument).is_some(),
        What::Eprt => address_of_eprt(argument).is_some(),
        What::Auth => argument.eq_ignore_ascii_case(b"TLS") || argument.eq_ignore_ascii_case(b"SSL"),
        _ => verb.only_ftp && data.get(end.wrapping_sub(1)) == Some(&b'\r'),
    };
    if is_ftp { Probe::Yes } else { Probe::No }
}

/// A first line that is longer is no greeting.
const MAX_PROBE_BYTES: usize = 512;

/// First byte of a TLS record with a handshake message.
const TLS_HANDSHAKE: u8 = 0x16;

#[cfg(test)]
mod tests;
