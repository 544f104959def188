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
            if rest.first() == Some(&TLS_HANDSHAKE) {
                // The answer to AUTH was not seen.
                return Progress::Reprobe(at);
            }
            let Some(end) = memchr::memchr(b'\n', rest) else {
                let is_long = rest.len() >= MAX_LINE_BYTES;
                return match rest.len() {
                    _ if is_long => Progress::Stopped("ftp_line_too_long"),
                    0 => Progress::Consumed { bytes: at, need: 0 },
                    length => Progress::Consumed { bytes: at, need: length + 1 },
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
    let mut numbers = [0_u8; 6];
    let mut parts = text.split(|byte| *byte == b',');
    let last = numbers.len() - 1;
    for (place, number) in numbers.iter_mut().enumerate() {
        let part = parts.next()?.trim_ascii();
        let digits =
            if place == last { part.iter().take_while(|byte| byte.is_ascii_digit()).count() } else { part.len() };
        *number = small_number(part.get(..digits)?)?;
    }
    let [a, b, c, d, high, low] = numbers;
    Some((IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low])))
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::testing::{same_in_any_segments, tcp, udp};
    use Direction::{ToOriginator as Down, ToResponder as Up};

    fn up(lines: &str) -> Vec<String> {
        same_in_any_segments::<Ftp>(Up, tcp(40000, 21), lines.as_bytes())
    }

    fn down(lines: &str) -> Vec<String> {
        same_in_any_segments::<Ftp>(Down, tcp(21, 40000), lines.as_bytes())
    }

    #[test]
    fn users_and_files() {
        assert_eq!(
            up("USER eve\r\nPASS x\r\nTYPE I\r\nretr /pub/Evil.EXE\r\n\u{fff}STOR a b.txt\nRETR\r\nNOOP\r\n"),
            ["user-account user.name eve", "file-name file.name evil.exe"]
        );
        assert_eq!(up("USER \r\nSTOR C:\\x\\y\r\n"), ["file-name file.name y"]);
    }

    #[test]
    fn telnet_interrupts_are_passed_over() {
        let mut seen = Vec::new();
        let line = b"\xFF\xF4\xFF\xF2USER eve\r\n";
        Ftp::default().parse(Up, line, &tcp(1, 21), &mut |o| seen.push(crate::proto::testing::text_of(&o)));
        assert_eq!(seen, ["user-account user.name eve"]);
    }

    #[test]
    fn data_addresses() {
        assert_eq!(
            up(
                "PORT 192,0,2,77,17,92\r\nPORT 192,0,2,256,1,1\r\nEPRT |1|192.0.2.77|4444|\r\nEPRT |2|2001:db8::1|4444|\r\nEPRT |3|x|y|\r\n"
            ),
            [
                "ipv4-addr ftp.data.ip 192.0.2.77 4444",
                "ipv4-addr ftp.data.ip 192.0.2.77 4444",
                "ipv6-addr ftp.data.ip 2001:db8::1 4444"
            ]
        );
        assert_eq!(
            down(
                "227 Entering Passive Mode (192,0,2,77,17,92).\r\n227 =192,0,2,77,17,92\r\n229 Extended (|||4444|)\r\n227 no\r\n"
            ),
            ["ipv4-addr ftp.data.ip 192.0.2.77 4444"; 2]
        );
    }

    #[test]
    fn what_comes_over_a_data_connection_is_named() {
        let said = |lines: &[(Direction, &str)]| {
            let (mut ftp, mut seen) = (Ftp::default(), Vec::new());
            for (direction, line) in lines {
                let hint = if *direction == Up { tcp(40000, 21) } else { tcp(21, 40000) };
                let line = format!("{line}\r\n");
                ftp.parse(*direction, line.as_bytes(), &hint, &mut |o| {
                    if matches!(o.value, Value::Elsewhere(_)) {
                        seen.push(crate::proto::testing::text_of(&o));
                    }
                });
            }
            seen
        };
        let passive = (Down, "229 Entering Extended Passive Mode (|||6446|)");
        assert_eq!(said(&[passive, (Up, "RETR /a/B.exe")]), ["file-name file.name there None 6446 RETR B.exe"]);
        assert_eq!(said(&[passive, (Up, "STOR a\\b")]), ["file-name file.name there None 6446 STOR b"]);
        assert_eq!(said(&[passive, (Up, "LIST -l /a")]), ["file-name file.name there None 6446 LIST "]);
        let nat = (Down, "227 Entering Passive Mode (10,0,0,5,23,112).");
        assert_eq!(said(&[nat, (Up, "RETR x")]), ["file-name file.name there Some(10.0.0.5) 6000 RETR x"]);
        let active = (Up, "PORT 192,0,2,10,195,80");
        assert_eq!(said(&[active, (Up, "APPE x")]), ["file-name file.name here Some(192.0.2.10) 50000 APPE x"]);
        let nobody = ["229 no", "229 (|||", "229 (|||99999|)", "229 (", "500 (|||6446|)"];
        assert!(nobody.iter().all(|line| said(&[(Down, line), (Up, "RETR x")]).is_empty()));
        assert_eq!(said(&[passive, (Up, "RETR x"), (Up, "RETR y")]).len(), 1, "each transfer has its own connection");
        assert!(said(&[passive, (Up, "SIZE x")]).is_empty());
        let long = format!("RETR {}", "a".repeat(file::MAX_NAME_BYTES + 1));
        assert_eq!(said(&[passive, (Up, &long)]), ["file-name file.name there None 6446 RETR "]);
        let mut ftp = Ftp { data: Some(Data { host: None, port: 1, is_server: true }), ..Ftp::default() };
        ftp.gap(Down, 9);
        assert!(ftp.data.is_none(), "what is missing may have said another port");
    }

    #[test]
    fn names_that_come_all_at_once_are_left_out_and_counted() {
        let lines = "PORT 192,0,2,10,195,80\r\nRETR x\r\n";
        let mut ftp = Ftp::default();
        let said = |ftp: &mut Ftp, times: usize| {
            let mut names = 0;
            let mut seen = |o: Observable<'_>| names += usize::from(matches!(o.value, Value::Elsewhere(_)));
            ftp.parse(Up, lines.repeat(times).as_bytes(), &tcp(40000, 21), &mut seen);
            names
        };
        let max = usize::from(MAX_NAMES_AT_ONCE);
        assert_eq!(said(&mut ftp, max), max);
        assert_eq!(ftp.account(), Account::default());
        assert_eq!(said(&mut ftp, 3), 1);
        assert_eq!(ftp.account().lost, Some("ftp_names_too_many"));
        assert_eq!(ftp.account().lost, None, "said once");
        assert!((0..50).all(|_| said(&mut ftp, 1) == 1));
    }

    #[test]
    fn tls_is_probed_anew() {
        let mut ftp = Ftp::default();
        let hint = tcp(40000, 21);
        assert_eq!(ftp.parse(Up, b"AUTH TLS\r\n", &hint, &mut |_| {}), Progress::Consumed { bytes: 10, need: 0 });
        let answer = b"234 Go\r\n\x16\x03";
        assert_eq!(ftp.parse(Down, answer, &tcp(21, 40000), &mut |_| {}), Progress::Reprobe(8));
        let unasked = Ftp::default().parse(Down, b"234 Go\r\n", &tcp(21, 40000), &mut |_| {});
        assert_eq!(unasked, Progress::Consumed { bytes: 8, need: 0 });
        let unseen = Ftp::default().parse(Up, b"AUTH TLS\r\n\x16\x03\x01", &hint, &mut |_| {});
        assert_eq!(unseen, Progress::Reprobe(10), "the answer went another way");
    }

    #[test]
    fn recognised_on_any_port_and_told_from_mail() {
        let reply = |text: &str, port| Ftp::probe(text.as_bytes(), &tcp(port, 40000));
        let command = |text: &str, port| Ftp::probe(text.as_bytes(), &tcp(40000, port));
        assert_eq!(reply("220 (vsFTPd 3.0.3)\r\n", 2121), Probe::Yes);
        assert_eq!(reply("220 ready\r\n", 21), Probe::Yes);
        assert_eq!(reply("220 mail.example ESMTP (not FTP)\r\n", 25), Probe::No);
        assert_eq!(reply("220 ready\r\n", 2121), Probe::No);
        assert_eq!(reply("227 Entering Passive Mode (1,2,3,4,5,6)\r\n", 2121), Probe::Yes);
        assert_eq!(reply("22", 21), Probe::Unsure);
        assert_eq!(reply("200 OK", 21), Probe::Yes);
        assert_eq!(reply("1.2", 21), Probe::No);
        for (line, port, expected) in [
            ("USER x\r\n", 21, Probe::Yes),
            ("USER x\r\n", 110, Probe::No),
            ("RETR 1\r\n", 110, Probe::No),
            ("AUTH TLS\r\n", 2121, Probe::Yes),
            ("AUTH LOGIN\r\n", 25, Probe::No),
            ("PORT 1,2,3,4,5,6\r\n", 2121, Probe::Yes),
            ("PORT x\r\n", 2121, Probe::No),
            ("PASV\r\n", 2121, Probe::Yes),
            ("PAS", 2121, Probe::Unsure),
            ("GET / HTTP/1.1\r\n", 21, Probe::No),
            ("\x16\x03\x01", 21, Probe::No),
        ] {
            assert_eq!(command(line, port), expected, "{line}");
        }
        assert_eq!(Ftp::probe(b"PASV\r\n", &udp(40000, 21)), Probe::No);
        let long = format!("STOR {}", "a".repeat(2 * MAX_LINE_BYTES));
        let progress = Ftp::default().parse(Up, long.as_bytes(), &tcp(1, 21), &mut |_| {});
        assert_eq!(progress, Progress::Stopped("ftp_line_too_long"));
    }

    proptest! {
        #[test]
        fn hostile_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), line in "[A-Z]{3,4} [0-9,|().:]{0,40}\r\n") {
            for data in [&bytes[..], line.as_bytes()] {
                let _ = Ftp::probe(data, &tcp(1, 21));
                let _ = Ftp::default().parse(Up, data, &tcp(1, 21), &mut |_| {});
                let _ = Ftp::default().parse(Down, data, &tcp(21, 1), &mut |_| {});
            }
        }
    }
}
