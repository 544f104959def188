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
