use proptest::prelude::*;

use super::super::mail::tests::{MAIL, is_as_shown};
use super::super::testing::{Stream, same_in_any_segments, tcp, text_of, udp};
use super::*;

const UP: Direction = Direction::ToResponder;
const DOWN: Direction = Direction::ToOriginator;

fn hint() -> Hint {
    tcp(110, 50_000)
}

fn run(data: &[u8]) -> (Vec<String>, Option<Progress>) {
    let stream = Stream::<Pop3>::of(DOWN, hint(), data, &[]);
    (stream.seen, stream.ended)
}

fn talk(pieces: &[(Direction, &str)]) -> (Vec<String>, Vec<Progress>) {
    let mut pop3 = Pop3::default();
    let (mut seen, mut said) = (Vec::new(), Vec::new());
    for (direction, piece) in pieces {
        said.push(pop3.parse(*direction, piece.as_bytes(), &hint(), &mut |o| seen.push(text_of(&o))));
    }
    (seen, said)
}

fn reply(mail: &str) -> String {
    format!("+OK 1 octets\r\n{}.\r\n", mail.replace("\r\n.", "\r\n.."))
}

const SHORT: &str = "From: a@evil.example\r\nSubject: x y\r\n\r\n.\r\nbody\r\n";

#[test]
fn mails_among_listings_from_the_server_alone_however_cut() {
    let data = format!(
        "+OK POP3 ready\r\n+OK\r\nCAPA\r\nSASL PLAIN\r\n.\r\n+OK 2 messages\r\n1 120\r\n2 200\r\n.\r\n{}-ERR no such\r\n+OK\r\n1 abc:def\r\n.\r\n{}+OK bye\r\n",
        reply(SHORT),
        reply("Subject: z\r\n\r\n")
    );
    let seen = same_in_any_segments::<Pop3>(DOWN, hint(), data.as_bytes());
    let subjects: Vec<_> = seen.iter().filter(|s| s.starts_with("email-subject")).collect();
    assert_eq!(subjects, ["email-subject email.subject x y", "email-subject email.subject z"]);
    assert_eq!(seen[0], "email-addr email.from.address a@evil.example");
}

#[test]
fn a_whole_mail() {
    assert!(is_as_shown(&run(reply(MAIL).as_bytes()).0));
}

#[test]
fn what_the_client_asked_for_tells_a_mail_that_looks_like_none() {
    let odd = "+OK not a reply\r\nhttp://a.example/\r\n.\r\n";
    let asked = format!("+OK\r\n{odd}");
    let (seen, _) = talk(&[
        (DOWN, "+OK ready\r\n"),
        (UP, "USER a\r\nPASS b\r\nLIST\r\nRETR 1\r\n"),
        (DOWN, "+OK\r\n+OK\r\n+OK\r\n1 1\r\n.\r\n"),
        (DOWN, &asked),
    ]);
    assert!(seen.contains(&"url url.full http://a.example/".to_owned()), "{seen:?}");
    // A refusal counts as its command's answer.
    let (seen, _) =
        talk(&[(DOWN, "+OK ready\r\n"), (UP, "RETR 9\r\nRETR 1\r\n"), (DOWN, "-ERR no\r\n"), (DOWN, &asked)]);
    assert!(seen.contains(&"url url.full http://a.example/".to_owned()), "{seen:?}");
}

#[test]
fn tls_is_handed_over() {
    let (_, said) = talk(&[(UP, "STLS\r\n"), (DOWN, "+OK begin\r\n"), (UP, "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\0")]);
    assert_eq!(said[2], Progress::Reprobe(0));
    let (_, said) = talk(&[(DOWN, "+OK begin\r\n\u{16}\u{3}\u{3}\0\u{5}\u{2}\0\0\u{1}\0")]);
    assert_eq!(said[0], Progress::Reprobe(11));
}

#[test]
fn after_a_loss_the_next_reply_is_found() {
    let mut pop3 = Pop3::default();
    let mut seen = Vec::new();
    let mut see = |pop3: &mut Pop3, data: &str| {
        pop3.parse(DOWN, data.as_bytes(), &hint(), &mut |o| seen.push(text_of(&o)));
    };
    see(&mut pop3, "+OK\r\nSubject: a\r\n\r\nx\r\n");
    assert_eq!(pop3.gap(DOWN, 5), AfterGap::Continue);
    see(&mut pop3, "rest http://unseen.example/\r\n");
    see(&mut pop3, "+OK\r\nSubject: b\r\n\r\nx\r\n.\r\n");
    assert_eq!(seen.iter().filter(|s| s.starts_with("email-subject")).count(), 2, "{seen:?}");
    assert_eq!(seen.iter().filter(|s| s.contains("md5")).count(), 1, "no digest of a part");
    assert!(!seen.iter().any(|s| s.contains("unseen")));
}

#[test]
fn probe_claims_what_only_pop3_says() {
    let said = |data: &[u8]| Pop3::probe(data, &hint());
    for sure in [
        &b"+OK POP3\r\n"[..],
        b"+OK x",
        b"capa\r\n",
        b"STLS\r\n",
        b"TOP 1 0\r\n",
        b"APOP a 0123456789abcdef0123456789abcdef\r\n",
    ] {
        assert_eq!(said(sure), Probe::Yes, "{}", String::from_utf8_lossy(sure));
    }
    for unsure in [&b"+"[..], b"+OK", b"+OK ", b"CA", b"TOP 1"] {
        assert_eq!(said(unsure), Probe::Unsure, "{}", String::from_utf8_lossy(unsure));
    }
    for no in [
        &b"+OK\r\n"[..],
        b"+PONG\r\n",
        b"-ERR x\r\n",
        b"USER a\r\n",
        b"AUTH PLAIN\r\n",
        b"CAPABILITY\r\n",
        b"+OK \0\x01",
        b"TOPIC #a\r\n",
    ] {
        assert_eq!(said(no), Probe::No, "{}", String::from_utf8_lossy(no));
    }
    assert_eq!(Pop3::probe(b"+OK POP3\r\n", &udp(1, 2)), Probe::No);
    assert_eq!(Pop3::probe_known(b"USER a\r\n", &hint()), Probe::Yes);
    assert_eq!(Pop3::probe_known(b"+OK\r\n", &hint()), Probe::Yes);
}

proptest! {
    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(0usize..2_500, 0..8)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let data = [reply(MAIL), reply(SHORT)].concat();
        let split = Stream::<Pop3>::of(DOWN, hint(), data.as_bytes(), &cuts);
        prop_assert_eq!((split.seen, split.ended), run(data.as_bytes()));
    }

    #[test]
    fn never_panics(data in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(0usize..200, 0..3)) {
        Stream::<Pop3>::of(DOWN, hint(), &[b"+OK\r\nA: b\r\n", &data[..]].concat(), &cuts);
        Stream::<Pop3>::of(DOWN, hint(), &data, &cuts);
        Pop3::probe(&data, &hint());
        Pop3::probe_known(&data, &hint());
    }
}
