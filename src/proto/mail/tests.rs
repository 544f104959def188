use proptest::prelude::*;

use super::*;
use crate::proto::testing::text_of;

/// A mail with something of everything. Digests by `sha256sum` and its kin.
pub(in crate::proto) const MAIL: &str = concat!(
    "Return-Path: <bounce@evil.example>\r\n",
    "Received: from relay.evil.example (mx.evil.example [203.0.113.66])\r\n\tby mx.good.example with ESMTP id 1; Mon, 1 Jan 2024 00:00:00 +0000\r\n",
    "From: =?utf-8?q?A_Person?= <A.Person@Evil.Example>\r\n",
    "To: \"B, c\" <b@good.example>, c@good.example\r\n",
    "Subject: =?utf-8?b?WW91ciA=?=\r\n =?utf-8?q?invoice?= 42\r\n",
    "Message-ID: <1@evil.example>\r\n",
    "MIME-Version: 1.0\r\n",
    "Content-Type: multipart/mixed;\r\n boundary=\"b1\"\r\n",
    "\r\n",
    "preamble http://unseen.example/\r\n",
    "--b1\r\n",
    "Content-Type: multipart/alternative; boundary=b2\r\n",
    "\r\n",
    "--b2\r\n",
    "\r\n",
    "See http://malware.test/pay=\r\n",
    "..dot http://c2.invalid/x\r\n",
    "--b2\r\n",
    "Content-Type: text/html; charset=utf-8\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "\r\n",
    "<a href=3D\"http://malware.test/gate=\r\n/in.php?a=3D1&amp;b\">x</a>\r\n",
    "--b2--\r\n",
    "--b1\r\n",
    "Content-Type: application/octet-stream; name=\"dropper.exe\"\r\n",
    "Content-Disposition: attachment; filename=\"Dropper.EXE\"\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "\r\n",
    "aGVs\r\nbG8=\r\n",
    "--b1\r\n",
    "Content-Type: message/rfc822\r\n",
    "\r\n",
    "From: inner@evil.example\r\n",
    "Subject: inner\r\n",
    "\r\n",
    "www.inner.example/\r\n",
    "--b1--\r\n",
    "epilogue\r\n",
);

/// What `MAIL` shows, digests but MD5 left out.
pub(in crate::proto) fn shown() -> Vec<&'static str> {
    vec![
        "email-addr picket.email.return_path bounce@evil.example",
        "domain-name picket.email.return_path evil.example",
        "domain-name picket.email.received relay.evil.example",
        "domain-name picket.email.received mx.good.example",
        "domain-name picket.email.received mx.evil.example",
        "ipv4-addr picket.email.received 203.0.113.66",
        "email-addr email.from.address a.person@evil.example",
        "domain-name email.from.address Evil.Example",
        "email-addr email.to.address b@good.example",
        "domain-name email.to.address good.example",
        "email-addr email.to.address c@good.example",
        "domain-name email.to.address good.example",
        "email-subject email.subject Your invoice 42",
        "url url.full http://malware.test/pay=",
        "domain-name url.domain malware.test",
        "url url.full http://c2.invalid/x",
        "domain-name url.domain c2.invalid",
        "file file.hash.md5 ",
        "url url.full http://malware.test/gate/in.php?a=1&b",
        "domain-name url.domain malware.test",
        "file file.hash.md5 ",
        "file-name file.name dropper.exe",
        "file file.hash.md5 5d41402abc4b2a76b9719d911017c592",
        "email-addr email.from.address inner@evil.example",
        "domain-name email.from.address evil.example",
        "email-subject email.subject inner",
        "url url.full www.inner.example/",
        "domain-name url.domain www.inner.example",
        "file file.hash.md5 ",
    ]
}

/// Whether what was seen is [`shown`]: digests that are not written down there may be any.
pub(in crate::proto) fn is_as_shown(seen: &[String]) -> bool {
    let seen: Vec<&str> =
        seen.iter().map(String::as_str).filter(|s| !s.contains("hash.sha") && !s.contains("picket.content")).collect();
    let expected = shown();
    let fits = |a: &&str, b: &&str| a == b || (b.ends_with("md5 ") && a.starts_with(*b));
    let same = seen.len() == expected.len() && seen.iter().zip(&expected).all(|(a, b)| fits(a, b));
    if !same {
        seen.iter().for_each(|line| eprintln!("{line}"));
    }
    same
}

fn read(mail: &str, whole: bool) -> (Vec<String>, Option<&'static str>) {
    let mut seen = Vec::new();
    let mut reading = Mail::new(Wants { md5: true, name: true, ..Wants::NONE });
    for line in mail.as_bytes().split_inclusive(|byte| *byte == b'\n') {
        reading.line(line, true, &mut |o| seen.push(text_of(&o)));
    }
    let unread = reading.finish(whole, &mut |o| seen.push(text_of(&o)));
    (seen, unread)
}

#[test]
fn everything_is_seen_with_either_line_end() {
    for mail in [MAIL.to_owned(), MAIL.replace("\r\n", "\n")] {
        let (seen, unread) = read(&mail, true);
        assert!(is_as_shown(&seen));
        assert_eq!(unread, None);
    }
}

#[test]
fn a_mail_that_is_cut_shows_what_is_whole_and_no_digest_of_the_rest() {
    let at = MAIL.find("aGVs").expect("there");
    let (seen, _) = read(&MAIL[..at + 4], false);
    assert!(seen.iter().any(|s| s == "file-name file.name dropper.exe"));
    assert_eq!(seen.iter().filter(|s| s.starts_with("file file.hash")).count(), 2);
    let (seen, _) = read(&MAIL[..MAIL.find("Subject").expect("there") + 12], false);
    assert!(seen.iter().any(|s| s == "email-addr email.from.address a.person@evil.example"));
}

#[test]
fn digests_are_of_what_a_reader_would_store() {
    let part = |head: &str, body: &str| {
        let mail = format!("Content-Type: multipart/mixed; boundary=x\n\n--x\n{head}\n{body}\n--x--\n");
        read(&mail, true).0.into_iter().rfind(|s| s.contains("md5")).expect("a digest")
    };
    // printf 'hello\n' and printf 'hello'
    assert!(part("", "hello\n").ends_with("b1946ac92492d2347c6235b4d2611184"));
    assert!(part("", "hello").ends_with("5d41402abc4b2a76b9719d911017c592"));
    assert!(
        part("Content-Transfer-Encoding: quoted-printable\n", "hel=6Co=").ends_with("5d41402abc4b2a76b9719d911017c592")
    );
}

#[test]
fn odd_heads_hide_nothing() {
    let (seen, _) = read("See http://a.example/ without a head\r\n", true);
    assert!(seen.contains(&"url url.full http://a.example/".to_owned()), "{seen:?}");
    let (seen, _) = read("From MAILER Mon Jan 1\nFROM : x@evil.example (a comment)\nsubject:a\n\tb\n", true);
    assert!(seen.contains(&"email-addr email.from.address x@evil.example".to_owned()), "{seen:?}");
    assert!(seen.contains(&"email-subject email.subject a b".to_owned()), "{seen:?}");
    let (seen, _) =
        read("From: undisclosed:;\nTo: Group: a@b.example, <c@b.example>;\nCc: <@r.example:d@b.example>\n\n", true);
    assert!(seen.contains(&"email-addr email.to.address c@b.example".to_owned()), "{seen:?}");
}

#[test]
fn what_is_beyond_a_cap_is_said() {
    let deep = |count: usize| "Content-Type: message/rfc822\n\n".repeat(count);
    assert_eq!(read(&deep(MAX_DEPTH), true).1, None);
    assert_eq!(read(&deep(100_000), true).1, Some("mail_parts_too_deep"));
    let long = format!("X-A: {}\nFrom: x@evil.example\n\n", "a".repeat(MAX_HEAD_BYTES));
    let (seen, unread) = read(&long, true);
    assert_eq!(unread, Some("mail_head_too_long"));
    assert_eq!(seen.len(), 2, "{seen:?}");
    let parts = format!("Content-Type: multipart/mixed; boundary=x\n\n{}", "--x\n\na\n".repeat(5_000));
    assert_eq!(read(&parts, true).1, Some("mail_parts_over_cap"));
    assert_eq!(read(&"x http://a.example/ \n".repeat(10_001), true).1, Some("mail_links_over_cap"));
    assert_eq!(read("Content-Type: multipart/mixed\n\nx\n", true).1, Some("mail_multipart_without_boundary"));
}

#[test]
fn hostile_heads_take_no_long_time() {
    for piece in
        ["=?utf-8?q?", "=?a?b?", "(", "<", "\"", "a,", "@", "=?utf-8?b?AA?=", "boundary*0=a;", "filename*0*=a;"]
    {
        for name in
            ["Subject", "From", "Content-Type: multipart/x;", "Content-Disposition: a;", "Received", "Message-ID"]
        {
            let head = format!("{name}: {}\r\n\r\n", piece.repeat(60_000 / piece.len()));
            let start = std::time::Instant::now();
            read(&head, true);
            assert!(start.elapsed().as_secs() < 5, "{name} {piece}: {:?}", start.elapsed());
        }
    }
}

proptest! {
    #[test]
    fn never_panics(lines in prop::collection::vec(prop::sample::select(MAIL.split_inclusive('\n').collect::<Vec<_>>()), 0..60),
                    noise in prop::collection::vec(any::<u8>(), 0..60), at in 0usize..60) {
        let mut reading = Mail::new(Wants::ALL);
        for (number, line) in lines.iter().enumerate() {
            if number == at {
                reading.line(&noise, number % 2 == 0, &mut |_| {});
            }
            reading.line(line.as_bytes(), true, &mut |_| {});
        }
        reading.finish(at % 2 == 0, &mut |_| {});
    }

    #[test]
    fn heads_of_any_bytes(name in prop::sample::select(vec!["From", "Subject", "Received", "Content-Type", "Message-ID", "Date"]),
                          value in prop::collection::vec(prop::sample::select(b"=?utf-8?q?b()<>@,;:\"\\ \r\n\t\xff[]*0a".to_vec()), 0..120)) {
        let mut reading = Mail::new(Wants::ALL);
        reading.line(format!("{name}: ").as_bytes(), true, &mut |_| {});
        reading.line(&value, false, &mut |_| {});
        reading.line(b"\r\n", true, &mut |_| {});
        reading.finish(true, &mut |_| {});
    }
}
