use proptest::prelude::*;

use super::super::mail::tests::{MAIL, is_as_shown};
use super::super::testing::{Stream, same_in_any_segments, tcp, text_of};
use super::*;

const UP: Direction = Direction::ToResponder;
const DOWN: Direction = Direction::ToOriginator;

fn hint() -> Hint {
    tcp(50_000, 2525)
}

fn run(data: &[u8]) -> (Vec<String>, Option<Progress>) {
    let stream = Stream::<Smtp>::of(UP, hint(), data, &[]);
    (stream.seen, stream.ended)
}

fn stuffed(mail: &str) -> String {
    mail.replace("\r\n.", "\r\n..")
}

/// Each piece in its direction, by one parser.
fn talk(pieces: &[(Direction, &[u8])]) -> (Vec<String>, Vec<Progress>) {
    let mut smtp = Smtp::default();
    let (mut seen, mut said) = (Vec::new(), Vec::new());
    let mut held = [Vec::new(), Vec::new()];
    for (direction, piece) in pieces {
        let held = &mut held[direction.index()];
        held.extend_from_slice(piece);
        let progress = smtp.parse(*direction, held, &hint(), &mut |o| seen.push(text_of(&o)));
        if let Progress::Consumed { bytes, .. } | Progress::Damaged { bytes, .. } = progress {
            held.drain(..bytes);
        }
        said.push(progress);
    }
    (seen, said)
}

const ENVELOPE: [&str; 6] = [
    "domain-name picket.smtp.helo client.evil.example",
    "email-addr picket.smtp.mail_from sender@evil.example",
    "domain-name picket.smtp.mail_from Evil.Example",
    "email-addr picket.smtp.rcpt_to b@good.example",
    "domain-name picket.smtp.rcpt_to good.example",
    "email-addr picket.smtp.rcpt_to \"odd> b\"@good.example",
];

const COMMANDS_SENT: &str = "EHLO client.evil.example\r\nAUTH PLAIN AHVzZXIAcGFzcw==\r\nmail from:<Sender@Evil.Example> SIZE=100 X=<y>\r\n\
                             RCPT TO: b@good.example\r\nRCPT TO:<@r.example:\"odd> b\"@good.example>\r\n";

#[test]
fn envelope_and_mail_however_cut() {
    let short = "From: a@evil.example\r\nSubject: x\r\n\r\n..dot\r\n--\r\n";
    let data = format!("{COMMANDS_SENT}DATA\r\n{short}.\r\nMAIL FROM:<>\r\nQUIT\r\n");
    let seen = same_in_any_segments::<Smtp>(UP, hint(), data.as_bytes());
    assert_eq!(seen[..3], ENVELOPE[..3]);
    assert_eq!(seen[3..5], ENVELOPE[3..5]);
    assert!(seen.iter().any(|s| s == "email-subject email.subject x"));
    // printf '.dot\r\n--'
    assert!(seen.iter().any(|s| s.starts_with("file file.hash.md5")), "{seen:?}");
}

#[test]
fn a_whole_mail_by_data_and_by_chunks() {
    let data = format!("DATA\r\n{}.\r\n", stuffed(MAIL));
    assert!(is_as_shown(&run(data.as_bytes()).0));
    for size in [1, 2, 50, 333, MAIL.len()] {
        let chunks: String = MAIL
            .as_bytes()
            .chunks(size)
            .map(|chunk| format!("BDAT {}\r\n{}", chunk.len(), String::from_utf8_lossy(chunk)))
            .collect();
        let (seen, ended) = run(format!("{chunks}BDAT 0 LAST\r\n").as_bytes());
        assert!(is_as_shown(&seen), "chunks of {size}");
        assert_eq!(ended, None);
    }
    let data = format!("BDAT {} LAST\r\n{MAIL}QUIT\r\n", MAIL.len());
    let cuts: Vec<usize> = (1..data.len()).collect();
    assert!(is_as_shown(&Stream::<Smtp>::of(UP, hint(), data.as_bytes(), &cuts).seen));
}

#[test]
fn a_refused_data_is_followed_by_commands() {
    let refused: [(Direction, &[u8]); 4] = [
        (UP, b"DATA\r\n"),
        (DOWN, b"554 no valid recipients\r\n"),
        (UP, b"MAIL FROM:<a@evil.example>\r\n"),
        (DOWN, b"250 ok\r\n"),
    ];
    assert_eq!(talk(&refused).0[0], "email-addr picket.smtp.mail_from a@evil.example");
    // Refused as far as is known, but what comes is a mail.
    let odd: [(Direction, &[u8]); 3] = [
        (UP, b"DATA\r\n"),
        (DOWN, b"550 one of the recipients\r\n"),
        (UP, b"From: a@evil.example\r\n\r\nx\r\n.\r\nQUIT\r\n"),
    ];
    assert_eq!(talk(&odd).0[0], "email-addr email.from.address a@evil.example");
}

#[test]
fn tls_is_handed_over_at_its_first_byte_in_either_direction() {
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    for direction in [UP, DOWN] {
        let line: &[u8] = if direction == UP { b"STARTTLS\r\n" } else { b"220 go ahead\r\n" };
        let (_, said) = talk(&[(direction, &[line, &hello].concat())]);
        assert_eq!(said, [Progress::Reprobe(line.len())]);
        let (_, said) = talk(&[(direction, line), (direction, &hello)]);
        assert_eq!(said[1], Progress::Reprobe(0));
    }
    let (_, said) = talk(&[(UP, b"STARTTLS\r\n\x00\x01")]);
    assert_eq!(said, [Progress::Stopped("smtp_not_text")]);
}

#[test]
fn a_mail_smuggled_behind_a_loose_end_is_seen() {
    let inner = "MAIL FROM:<inner@evil.example>\r\nDATA\r\nFrom: x@evil.example\r\n\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n"] {
        let data = format!("DATA\r\nSubject: outer\r\n\r\nbody{end}{inner}.\r\n");
        let seen = same_in_any_segments::<Smtp>(UP, hint(), data.as_bytes());
        assert!(seen.contains(&"email-addr picket.smtp.mail_from inner@evil.example".to_owned()), "{end:?} {seen:?}");
        let data = format!("DATA\r\nSubject: outer\r\n\r\nbody{end}still http://b.example/\r\n.\r\n");
        assert!(run(data.as_bytes()).0.contains(&"url url.full http://b.example/".to_owned()));
    }
}

#[test]
fn after_a_loss_the_next_command_is_found() {
    let mut smtp = Smtp::default();
    let mut seen = Vec::new();
    let mut see = |smtp: &mut Smtp, data: &[u8]| smtp.parse(UP, data, &hint(), &mut |o| seen.push(text_of(&o)));
    see(&mut smtp, b"DATA\r\nSubject: x\r\n\r\nbody\r\nhalf");
    smtp.cut(UP, b"body\r\nhalf", &hint(), &mut |_| {});
    assert_eq!(smtp.gap(UP, 100), AfterGap::Continue);
    see(&mut smtp, b"more of it http://unseen.example/\r\n");
    see(&mut smtp, b"and\r\n.\r\nMAIL FROM:<a@evil.example>\r\n");
    smtp.gap(UP, 100);
    see(&mut smtp, b"text text\r\n");
    see(&mut smtp, b"MAIL FROM:<b@evil.example>\r\n");
    let addresses: Vec<_> = seen.iter().filter(|s| s.starts_with("email-addr")).collect();
    assert_eq!(addresses.len(), 2, "{seen:?}");
    assert!(!seen.iter().any(|s| s.starts_with("file")), "no digest of a part");
}

#[test]
fn a_mail_is_accounted_for_and_given_up_without_losing_its_end() {
    let mut smtp = Smtp::default();
    let mut seen = Vec::new();
    assert_eq!(smtp.account(), Account::default());
    let start = format!("DATA\r\nX: {}\r\n", "a".repeat(5_000));
    smtp.parse(UP, start.as_bytes(), &hint(), &mut |o| seen.push(text_of(&o)));
    // The last line waits with the caller.
    smtp.parse(UP, format!("X: {}\r\n..", "a".repeat(5_000)).as_bytes(), &hint(), &mut |o| seen.push(text_of(&o)));
    assert!(smtp.account().memory_bytes > 5_000);
    smtp.shed();
    assert!(smtp.account().memory_bytes < 200);
    let rest = b"..\r\nFrom: unseen@evil.example\r\n\r\n.\r\nRCPT TO:<a@evil.example>\r\n";
    smtp.parse(UP, rest, &hint(), &mut |o| seen.push(text_of(&o)));
    assert_eq!(smtp.account(), Account::default());
    assert_eq!(seen, ["email-addr picket.smtp.rcpt_to a@evil.example", "domain-name picket.smtp.rcpt_to evil.example"]);
}

#[test]
fn a_hole_in_a_chunk_ends_where_the_chunk_ends() {
    let mut smtp = Smtp::default();
    let mut seen = Vec::new();
    let start = b"BDAT 100 LAST\r\nSubject: x\r\n\r\n0123";
    let progress = smtp.parse(UP, start, &hint(), &mut |o| seen.push(text_of(&o)));
    assert_eq!(progress, Progress::Consumed { bytes: start.len() - 4, need: 5 });
    smtp.cut(UP, b"0123", &hint(), &mut |o| seen.push(text_of(&o)));
    smtp.gap(UP, 70);
    let rest = [&[b'M'; 100 - 18 - 70][..], b"MAIL FROM:<a@evil.example>\r\n"].concat();
    smtp.parse(UP, &rest, &hint(), &mut |o| seen.push(text_of(&o)));
    assert!(seen.contains(&"email-addr picket.smtp.mail_from a@evil.example".to_owned()), "{seen:?}");
    assert!(!seen.iter().any(|s| s.starts_with("file file.hash")));
}

#[test]
fn the_greeting_names_the_server_once() {
    let data = b"220-mx.evil.example ESMTP\r\n220 hi\r\n250-mx.evil.example\r\n220 2.0.0 Ready\r\n";
    let seen = same_in_any_segments::<Smtp>(DOWN, hint(), data);
    assert_eq!(seen, ["domain-name picket.smtp.banner mx.evil.example"]);
}

#[test]
fn probe_claims_what_only_smtp_says() {
    let said = |data: &[u8]| Smtp::probe(data, &hint());
    for sure in [
        &b"220 mx.example ESMTP Postfix\r\n"[..],
        b"220-mx.example\r\n220 Simple Mail\r\n250-mx.example",
        b"220 mx.example ready\r\n250 ok",
        b"ehlo x\r\n",
        b"HELO x",
        b"MAIL FROM:<a@b>\r\n",
        b"RCPT TO: <a@b>\r\n",
        b"354 End data\r\n",
        b"250 2.1.0 ok\r\n",
    ] {
        assert_eq!(said(sure), Probe::Yes, "{}", String::from_utf8_lossy(sure));
    }
    for unsure in [&b"220 ftp or mail\r\n"[..], b"22", b"E", b"MAIL F", b"220 half a gree", b"220 x\r\n25"] {
        assert_eq!(said(unsure), Probe::Unsure, "{}", String::from_utf8_lossy(unsure));
    }
    for no in [
        &b"220 ftp.example FTP server ready.\r\n331 Password required\r\n"[..],
        b"USER anonymous\r\n",
        b"QUIT\r\n",
        b"221 bye\r\n",
        b"230 logged in\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HEAD / HTTP/1.1\r\n",
        b"220 \0\0\r\n",
        b"\x16\x03\x01",
    ] {
        assert_eq!(said(no), Probe::No, "{}", String::from_utf8_lossy(no));
    }
    assert_eq!(Smtp::probe(b"EHLO x\r\n", &super::super::testing::udp(1, 2)), Probe::No);
    assert_eq!(Smtp::probe_known(b"250 ok\r\n", &hint()), Probe::Yes);
    assert_eq!(Smtp::probe_known(b"QUIT\r\n", &hint()), Probe::Yes);
    assert_eq!(Smtp::probe_known(b"GARBAGE\r\n", &hint()), Probe::No);
}

#[test]
fn long_lines_have_a_cap() {
    assert_eq!(run(&[b'A'; 20_000]).1, Some(Progress::Stopped("smtp_line_too_long")));
    // In a mail they do not matter.
    let data = [b"DATA\r\n\r\n", &[b'a'; 100_000][..], b" http://x.example/\r\n.\r\n"].concat();
    assert!(run(&data).0.contains(&"url url.full http://x.example/".to_owned()));
}

proptest! {
    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(0usize..2_500, 0..8)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let data = format!("{COMMANDS_SENT}DATA\r\n{}.\r\nQUIT\r\n", stuffed(MAIL));
        let split = Stream::<Smtp>::of(UP, hint(), data.as_bytes(), &cuts);
        prop_assert_eq!((split.seen, split.ended), run(data.as_bytes()));
    }

    #[test]
    fn never_panics(data in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(0usize..200, 0..3)) {
        Stream::<Smtp>::of(UP, hint(), &[b"DATA\r\n", &data[..]].concat(), &cuts);
        Stream::<Smtp>::of(UP, hint(), &[b"BDAT 50\r\n", &data[..]].concat(), &cuts);
        Stream::<Smtp>::of(UP, hint(), &data, &cuts);
        Smtp::probe(&data, &hint());
        Smtp::probe_known(&data, &hint());
    }
}
