use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::tests::Wire;
use crate::flow::Direction::{self, ToOriginator as Down, ToResponder as Up};
use crate::indicator::Wants;
use crate::indicator::kind::{BYTES, FILE, FILE_NAME};

const GET: &str = "GET /a/Evil%20x.exe?y HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// MD5 of "picket".
const PICKET: &str = "file.hash.md5 db7f19fb56daa428f85e8eec7794abfa";

/// MD5 digests and names of files, and content if wanted.
fn wants(content: bool) -> Wants {
    let mut wants = Wants::NONE;
    wants.add(&FILE, 32);
    wants.add(&FILE_NAME, 1);
    if content {
        wants.add(&BYTES, 4);
    }
    wants
}

/// What is seen of files, which must not depend on how the messages are cut; and the wire after it.
fn run(messages: &[(Direction, &[u8])], ended: Option<Direction>) -> (Vec<String>, Wire) {
    let mut all = Vec::new();
    for size in [usize::MAX, 1, 2, 3, 7] {
        let mut wire = Wire::wanting(wants(false));
        for (direction, bytes) in messages {
            bytes.chunks(size.min(bytes.len().max(1))).for_each(|piece| wire.offer(*direction, piece));
        }
        ended.into_iter().for_each(|direction| wire.end(direction));
        let files = |seen: &String| seen.starts_with("file.") || seen.starts_with("picket.");
        all.push((wire.seen.iter().filter(|seen| files(seen)).cloned().collect::<Vec<_>>(), wire));
    }
    assert!(all.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1.lost == pair[1].1.lost), "{:?}", all[0].0);
    all.swap_remove(0)
}

fn files(messages: &[(Direction, &[u8])]) -> Vec<String> {
    let (seen, wire) = run(messages, None);
    assert_eq!((wire.incomplete, &wire.lost[..]), (0, &[][..]));
    seen
}

/// Of a response to [`GET`], and whether it was incomplete or lost.
fn response(head: &str, body: &[u8], ended: Option<Direction>) -> (Vec<String>, u32, Vec<&'static str>) {
    let bytes = [b"HTTP/1.1 200 OK\r\n", head.as_bytes(), b"\r\n", body].concat();
    let (seen, wire) = run(&[(Up, GET.as_bytes()), (Down, &bytes)], ended);
    (seen, wire.incomplete, wire.lost)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

fn md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    let digest: String = md5::Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("file.hash.md5 {digest}")
}

#[test]
fn a_body_of_each_framing() {
    let name = "file.name evil x.exe".to_owned();
    let whole = (vec![name.clone(), PICKET.to_owned()], 0, vec![]);
    assert_eq!(response("Content-Length: 6\r\n", b"picket", None), whole);
    assert_eq!(
        response("Transfer-Encoding: chunked\r\n", b"4\r\npick\r\n2;x=y\r\net\r\n0\r\nA: b\r\n\r\n", None),
        whole
    );
    assert_eq!(response("Connection: close\r\n", b"picket", Some(Down)), whole);
    let part = (vec![name.clone()], 1, vec![]);
    assert_eq!(response("Connection: close\r\n", b"picket", None), part, "nobody said that this is the end");
    assert_eq!(response("Content-Length: 7\r\n", b"picket", Some(Down)), part);
    assert_eq!(response("Transfer-Encoding: chunked\r\n", b"6\r\npicket\r\n", Some(Down)), part);
    assert_eq!(response("Transfer-Encoding: chunked\r\n", b"6\r\npicketX\r\n", Some(Down)), part, "no chunk follows");
    assert_eq!(response("Content-Length: 0\r\n", b"", None), (vec![], 0, vec![]));
}

#[test]
fn coded_bodies_have_both_digests() {
    let (name, coded) = ("file.name evil x.exe".to_owned(), gzip(b"picket"));
    let length = format!("Content-Length: {}\r\nContent-Encoding: GZIP\r\n", coded.len());
    let both = (vec![name.clone(), md5(&coded), PICKET.to_owned()], 0, vec![]);
    assert_eq!(response(&length, &coded, None), both);
    let twice = gzip(&coded);
    let length = format!("Content-Length: {}\r\nContent-Encoding: gzip, x-gzip\r\n", twice.len());
    assert_eq!(response(&length, &twice, None).0, [name.clone(), md5(&twice), PICKET.to_owned()]);
    let length = format!("Content-Length: {}\r\nContent-Encoding: utf-8\r\n", 6);
    assert_eq!(response(&length, b"picket", None).0[1], PICKET, "a coding that nobody knows is none");
    let chunks = [format!("{:x}\r\n", coded.len()).as_bytes(), &coded, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(
        response("Transfer-Encoding: gzip, chunked\r\n", &chunks, None),
        (vec![name, PICKET.to_owned()], 0, vec![])
    );
}

#[test]
fn coded_bodies_that_cannot_be_had_are_said() {
    let coded = gzip(b"picket");
    let lost = |head: &str, body: &[u8]| {
        let (seen, incomplete, lost) = response(&format!("Content-Length: {}\r\n{head}\r\n", body.len()), body, None);
        assert!(!seen.contains(&PICKET.to_owned()) && incomplete == 0, "{seen:?}");
        assert!(lost[0] == "http_content_coding_unsupported" || seen.contains(&md5(body)), "as it was sent");
        lost[0]
    };
    assert_eq!(lost("Content-Encoding: gzip", &[&[0x55; 3], &coded[..]].concat()), "http_content_coding_damaged");
    assert_eq!(lost("Content-Encoding: gzip", &coded[..coded.len() - 1]), "http_content_coding_incomplete");
    assert_eq!(lost("Content-Encoding: compress", &coded), "http_content_coding_unsupported");
    assert_eq!(lost("Content-Encoding: gzip", &gzip(&vec![0; 9 << 20])), "http_content_coding_too_much");
}

#[test]
fn a_range_is_no_file_unless_it_is_the_whole() {
    let of = |range: &str| {
        let bytes = format!("HTTP/1.1 206 P\r\nContent-Length: 6\r\nContent-Range: {range}\r\n\r\npicket");
        let (seen, wire) = run(&[(Up, GET.as_bytes()), (Down, bytes.as_bytes())], None);
        (seen.len(), wire.incomplete, wire.lost)
    };
    assert_eq!(of("bytes 0-5/6"), (2, 0, vec![]));
    for part in ["bytes 0-5/7", "bytes 1-6/7", "bytes 0-5/*", ""] {
        assert_eq!(of(part), (1, 0, vec!["http_partial_content"]), "{part}");
    }
}

#[test]
fn names_are_of_the_response_that_they_belong_to() {
    let requests = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n";
    let responses = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nHTTP/1.1 404 N\r\n\
        Content-Length: 1\r\n\r\nbHTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Disposition: attachment;\r\n filename=x\r\n\r\nc";
    let names: Vec<_> = files(&[(Up, requests), (Down, responses)]);
    assert_eq!(names, ["file.name 1", &md5(b"a"), &md5(b"b"), "file.name x", &md5(b"c")]);
}

#[test]
fn uploads() {
    let put = b"PUT /up/Load.BIN HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\npicket";
    assert_eq!(files(&[(Up, put)]), ["file.name load.bin", PICKET]);
    let post = b"POST /up/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n";
    assert_eq!(files(&[(Up, post), (Down, b"HTTP/1.1 100 Go\r\n\r\n"), (Up, b"picket")]), [PICKET]);
    let declined = [(Up, &post[..]), (Down, b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"), (Up, GET.as_bytes())];
    assert_eq!(files(&declined), [""; 0]);
}

#[test]
fn a_form_s_files_are_files_and_the_form_is_none() {
    let body = "--b\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n--b\r\nContent-Disposition: form-data; name=f; \
        filename=\"E.exe\"\r\n\r\npicket\r\n--b--\r\n";
    let post = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=\"b\"\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(files(&[(Up, post.as_bytes())]), ["file.name e.exe", PICKET]);
    let cut = post.replace("b--", "bxx");
    assert_eq!(run(&[(Up, cut.as_bytes())], None).1.lost, ["http_form_without_end"]);
}

#[test]
fn content_is_shown_only_where_the_stream_does_not_have_it() {
    let shown = |response: &str| {
        let mut wire = Wire::wanting(wants(true));
        wire.offer(Up, GET.as_bytes());
        wire.offer(Down, response.as_bytes());
        wire.seen.into_iter().filter(|seen| seen.starts_with("picket.")).collect::<Vec<_>>()
    };
    assert!(shown("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npicket").is_empty());
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npick\r\n2\r\net\r\n0\r\n\r\n";
    assert_eq!(shown(chunked), ["picket.content 0 pick", "picket.content 4 et"]);
}

#[test]
fn a_gap_leaves_the_framing_of_a_body_alone() {
    let mut wire = Wire::wanting(wants(false));
    wire.offer(Up, GET.as_bytes());
    wire.offer(Up, GET.as_bytes());
    wire.offer(Down, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npick");
    wire.gap(Down, 90);
    wire.offer(Down, b"abcdefHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npicket");
    assert_eq!(wire.seen.last().map(String::as_str), Some(PICKET));
    assert_eq!(wire.incomplete, 1);
}

#[test]
fn memory_is_accounted_for_and_given_up() {
    use crate::proto::Parser as _;
    let hint = crate::proto::Hint { wants: wants(false), ..crate::proto::testing::tcp(1, 2) };
    let mut http = super::super::Http::default();
    assert_eq!(http.account(), crate::proto::Account::default(), "nothing until a file is wanted");
    http.parse(Up, GET.as_bytes(), &hint, &mut |_| {});
    let asked = http.account().memory_bytes;
    http.parse(Down, b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 100\r\n\r\n", &hint, &mut |_| {});
    let decoding = http.account();
    assert!(decoding.memory_bytes > asked + 100_000, "{asked} {decoding:?}");
    http.shed();
    let shed = http.account();
    assert!(shed.memory_bytes <= asked && (shed.files_begun, shed.files_ended) == (0, 1), "{shed:?}");
}
