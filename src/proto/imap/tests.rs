use proptest::prelude::*;

use super::super::mail::tests::{MAIL, is_as_shown};
use super::super::testing::{Stream, same_in_any_segments, tcp, text_of, udp};
use super::*;

const UP: Direction = Direction::ToResponder;
const DOWN: Direction = Direction::ToOriginator;

fn hint() -> Hint {
    tcp(143, 50_000)
}

fn run(direction: Direction, data: &[u8]) -> (Vec<String>, Option<Progress>) {
    let stream = Stream::<Imap>::of(direction, hint(), data, &[]);
    (stream.seen, stream.ended)
}

fn literal(text: &str) -> String {
    format!("{{{}}}\r\n{text}", text.len())
}

const SHORT: &str = "From: a@evil.example\r\nSubject: x y\r\n\r\nbody";

#[test]
fn fetched_mails_among_other_responses_however_cut() {
    let data = format!(
        "* OK ready {{3}}\r\na1 OK done\r\n* LIST () \"/\" {}\r\n* 1 FETCH (UID 7 BODY[] {} FLAGS (\\Seen))\r\n\
         * 2 FETCH (BODY[HEADER.FIELDS (FROM SUBJECT)] {} BODY[1] {})\r\na2 OK done\r\n",
        literal("In{5}"),
        literal(SHORT),
        literal("From: b@evil.example\r\n\r\n"),
        literal("see http://a.example/ there")
    );
    let seen = same_in_any_segments::<Imap>(DOWN, hint(), data.as_bytes());
    let of = |kind: &str| seen.iter().filter(|s| s.starts_with(kind)).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("email-subject"), ["email-subject email.subject x y"]);
    assert_eq!(
        of("email-addr"),
        ["email-addr email.from.address a@evil.example", "email-addr email.from.address b@evil.example"]
    );
    assert_eq!(of("url"), ["url url.full http://a.example/"]);
    assert_eq!(of("file file.hash.md5").len(), 1);
}

#[test]
fn a_whole_mail_either_way() {
    for item in ["BODY[]", "RFC822", "BINARY[]"] {
        let data = format!("* 1 FETCH ({item} {})\r\n", literal(MAIL));
        assert!(is_as_shown(&run(DOWN, data.as_bytes()).0), "{item}");
    }
    let plus = literal(MAIL).replace('}', "+}");
    for append in [
        format!("a APPEND Sent (\\Seen) \"1-Jan-2024 00:00:00 +0000\" {}\r\n", literal(MAIL)),
        format!("a append \"S t\" {plus}\r\n"),
        format!("a APPEND {} ({{\\Seen) ~{plus}\r\n", literal("Sent")),
    ] {
        assert!(is_as_shown(&run(UP, append.as_bytes()).0));
    }
    let two = format!("a APPEND Sent {plus} (\\Seen) {}\r\nb LOGOUT\r\n", literal(SHORT));
    assert!(run(UP, two.as_bytes()).0.contains(&"email-subject email.subject x y".to_owned()));
}

#[test]
fn a_mail_in_pieces_is_read_as_far_as_the_first_goes() {
    let first = format!("* 1 FETCH (BODY[]<0> {})\r\n", literal(SHORT));
    let (seen, ended) = run(DOWN, first.as_bytes());
    assert!(seen.contains(&"email-subject email.subject x y".to_owned()));
    assert!(!seen.iter().any(|s| s.starts_with("file")), "no digest of a part");
    assert_eq!(ended, None);
    let later = format!("* 1 FETCH (BODY[]<42> {})\r\n* 2 FETCH (BODY[] {})\r\n", literal("more"), literal(SHORT));
    let (seen, ended) = run(DOWN, later.as_bytes());
    assert!(seen.contains(&"email-subject email.subject x y".to_owned()), "{seen:?}");
    assert!(matches!(ended, Some(Progress::Damaged { reason: "imap_mail_in_pieces", .. })), "{ended:?}");
}

#[test]
fn envelopes() {
    let line = b"* 12 FETCH (FLAGS () ENVELOPE (\"Wed\" \"=?utf-8?q?Your?= \\\"invoice\\\"\" ((\"A\" NIL \"a\" \"Evil.example\")) \
                 ((NIL NIL \"s\" \"evil.example\")) NIL ((NIL NIL \"list\" NIL)(NIL NIL \"b\" \"good.example\")(NIL NIL NIL NIL)) \
                 NIL NIL NIL \"<1@evil.example>\") UID 9)\r\n";
    let seen = same_in_any_segments::<Imap>(DOWN, hint(), line);
    assert_eq!(
        seen,
        [
            "email-subject email.subject Your \"invoice\"",
            "email-addr email.from.address a@evil.example",
            "domain-name email.from.address Evil.example",
            "email-addr email.sender.address s@evil.example",
            "domain-name email.sender.address evil.example",
            "email-addr email.to.address b@good.example",
            "domain-name email.to.address good.example",
        ]
    );
}

#[test]
fn a_refused_literal_is_followed_by_a_command() {
    let mut imap = Imap::default();
    let mut seen = Vec::new();
    let mut see = |imap: &mut Imap, direction, data: &str| {
        imap.parse(direction, data.as_bytes(), &hint(), &mut |o| seen.push(text_of(&o)))
    };
    see(&mut imap, UP, "a APPEND Sent {1000}\r\n");
    see(&mut imap, DOWN, "a NO too large\r\n");
    see(&mut imap, UP, &format!("b APPEND Sent {{{}+}}\r\n{SHORT}\r\n", SHORT.len()));
    assert!(seen.contains(&"email-subject email.subject x y".to_owned()), "{seen:?}");
}

#[test]
fn tls_is_handed_over() {
    let hello = "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\0";
    assert_eq!(run(UP, format!("a STARTTLS\r\n{hello}").as_bytes()).1, Some(Progress::Reprobe(12)));
    assert_eq!(run(DOWN, format!("a OK begin\r\n{hello}").as_bytes()).1, Some(Progress::Reprobe(12)));
    assert_eq!(run(DOWN, b"a OK compressed\r\n\x01\x02").1, Some(Progress::Stopped("imap_not_text")));
}

#[test]
fn a_hole_in_a_literal_ends_where_the_literal_ends() {
    let mut imap = Imap::default();
    let mut seen = Vec::new();
    let start = b"* 1 FETCH (BODY[] {100}\r\nSubject: x\r\n\r\n0123";
    let progress = imap.parse(DOWN, start, &hint(), &mut |o| seen.push(text_of(&o)));
    assert_eq!(progress, Progress::Consumed { bytes: start.len() - 4, need: 5 });
    imap.cut(DOWN, b"0123", &hint(), &mut |o| seen.push(text_of(&o)));
    assert_eq!(imap.gap(DOWN, 70), AfterGap::Continue);
    let progress = imap.parse(DOWN, &[b'x'; 5], &hint(), &mut |_| {});
    assert_eq!(progress, Progress::Skip(100 - 18 - 70));
    let rest = format!(")\r\n* 2 FETCH (BODY[] {})\r\n", literal(SHORT));
    imap.parse(DOWN, rest.as_bytes(), &hint(), &mut |o| seen.push(text_of(&o)));
    assert!(seen.contains(&"email-subject email.subject x y".to_owned()), "{seen:?}");
    assert_eq!(seen.iter().filter(|s| s.contains("md5")).count(), 1, "no digest of a part");
    assert_eq!(imap.gap(DOWN, 1), AfterGap::Probe);
}

#[test]
fn probe_claims_what_only_imap_says() {
    let said = |data: &[u8]| Imap::probe(data, &hint());
    for sure in [
        &b"* OK ready\r\n"[..],
        b"* PREAUTH x",
        b"* 12 FETCH (",
        b"* 3 EXISTS\r\n",
        b"a001 LOGIN a b\r\n",
        b"1 capability\r\n",
        b"A.1 UID FETCH 1 (BODY[])\r\n",
    ] {
        assert_eq!(said(sure), Probe::Yes, "{}", String::from_utf8_lossy(sure));
    }
    for unsure in [&b"*"[..], b"* ", b"* O", b"* 12", b"a001", b"a001 LOG"] {
        assert_eq!(said(unsure), Probe::Unsure, "{}", String::from_utf8_lossy(unsure));
    }
    for no in [
        &b"*3\r\n$3\r\nSET\r\n"[..],
        b"* OKAY\r\n",
        b"* \0",
        b"GET / HTTP/1.1\r\n",
        b"NICK a\r\n",
        b"a001 NOOP\r\n",
        b"USER anonymous\r\n",
        b"SSH-2.0-x\r\n",
        b"\x16\x03\x01",
        b"abcdefghijklmnopqrstuvwxyz",
    ] {
        assert_eq!(said(no), Probe::No, "{}", String::from_utf8_lossy(no));
    }
    assert_eq!(Imap::probe(b"* OK x\r\n", &udp(1, 2)), Probe::No);
    assert_eq!(Imap::probe_known(b"a NOOP\r\n", &hint()), Probe::Yes);
    assert_eq!(Imap::probe_known(b"+ go\r\n", &hint()), Probe::Yes);
}

#[test]
fn a_line_that_is_too_long_is_said_and_passed_over() {
    let data = format!("* SEARCH{}\r\n* 2 FETCH (BODY[] {})\r\n", " 1".repeat(40_000), literal(SHORT));
    let cuts: Vec<usize> = (1..60).map(|n| n * 1_400).collect();
    let stream = Stream::<Imap>::of(DOWN, hint(), data.as_bytes(), &cuts);
    assert!(matches!(stream.ended, Some(Progress::Damaged { reason: "imap_line_too_long", .. })), "{:?}", stream.ended);
    assert!(stream.seen.contains(&"email-subject email.subject x y".to_owned()));
}

proptest! {
    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(0usize..2_500, 0..8)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let data = format!("* 1 FETCH (BODY[] {})\r\n* 2 FETCH (BODY[] {})\r\n", literal(MAIL), literal(SHORT));
        let split = Stream::<Imap>::of(DOWN, hint(), data.as_bytes(), &cuts);
        prop_assert_eq!((split.seen, split.ended), run(DOWN, data.as_bytes()));
    }

    #[test]
    fn never_panics(data in prop::collection::vec(any::<u8>(), 0..200), text in "[a {}<>\\[\\]()\"0-9BODYENVLP*\r\n]{0,80}", cuts in prop::collection::vec(0usize..200, 0..3)) {
        for direction in [UP, DOWN] {
            Stream::<Imap>::of(direction, hint(), &[b"* 1 FETCH (BODY[] {50}\r\n", &data[..]].concat(), &cuts);
            Stream::<Imap>::of(direction, hint(), text.as_bytes(), &cuts);
            Stream::<Imap>::of(direction, hint(), format!("* 1 FETCH (ENVELOPE ({text}").as_bytes(), &cuts);
        }
        Imap::probe(&data, &hint());
        Imap::probe_known(&data, &hint());
    }
}
