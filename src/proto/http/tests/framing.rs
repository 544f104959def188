//! Where messages begin and end: bodies of every framing, tunnels, gaps, heads that are cut or too long.

use super::*;

#[test]
fn pipelined_requests_and_bodies_of_every_framing() {
    let up = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /GET /2 HTTP/1.1\r\nHost: a\r\n\r\n\
        PUT /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
        5;x=y\r\nGET /\r\n00A \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n";
    let down = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 304 Not Modified\r\n\
        Content-Length: 30\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
        HTTP/1.1 301 Moved\r\nLocation: http://b/\r\n\r\nHTTP/1.1 302 In the body\r\nLocation: http://c/\r\n\r\n";
    let expected = [
        "url.full <http://a/1>",
        "url.domain a",
        "url.full <http://a/2>",
        "url.domain a",
        "url.full <http://a/3>",
        "url.domain a",
        "url.full <http://a/4>",
        "url.domain a",
        "http.response.headers.location <http://b/>",
        "http.response.headers.location b",
    ];
    assert_eq!(seen(&[(Up, up), (Down, down)]), expected);
    let wire = run(&[(Up, up), (Down, down)]);
    assert_eq!(wire.over, [None, Some("done")], "a body till the end of the connection");
    assert!(wire.foreign.is_empty());
}

#[test]
fn a_long_body_is_skipped_not_offered() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\nbody";
    let progress = Http::default().parse(Up, head, &TCP, &mut |_| {});
    assert_eq!(progress, Progress::Skip(head.len() as u64 - 4 + 99_999_999_999));
    for size in ["99999999999999999999999", "ffffffffffffffffffff"] {
        let head = format!(
            "POST / HTTP/1.1\r\nContent-Length: {size}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx"
        );
        assert_eq!(Http::default().parse(Up, head.as_bytes(), &TCP, &mut |_| {}), Progress::Skip(u64::MAX));
    }
}

#[test]
fn heads_answer_without_a_body() {
    let next = "HTTP/1.1 302 Found\r\nLocation: http://b/\r\nContent-Length: 0\r\n\r\n";
    let found = ["http.response.headers.location <http://b/>", "http.response.headers.location b"];
    for bodiless in ["200 OK\r\nContent-Length: 500", "200 OK", "200 OK\r\nTransfer-Encoding: chunked"] {
        let down = format!("HTTP/1.1 {bodiless}\r\n\r\n{next}");
        let both = "HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(seen(&[(Up, both), (Down, &down)]), found, "asked by HEAD: {bodiless}");
        assert_eq!(seen(&[(Down, &down)]), found, "one direction only: {bodiless}");
    }
    let with_body = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nHTTP{next}");
    assert_eq!(seen(&[(Down, &with_body)]), found, "a body that only begins like a response");
    let many = format!("{}HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{next}", "HTTP/1.1 204 No\r\n\r\n".repeat(20));
    let heads = "HEAD / HTTP/1.1\r\n\r\n".repeat(22);
    assert_eq!(run(&[(Up, &heads), (Down, &many)]).seen, found, "more requests than are remembered");
}

#[test]
fn a_declined_body_is_not_awaited() {
    let request = "PUT /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n";
    let next = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(seen(&[(Up, request), (Up, next)]).len(), 4);
    let body = format!("{}{next}", "x".repeat(100));
    assert_eq!(seen(&[(Up, request), (Up, &body)]).len(), 4);
}

#[test]
fn a_tunnel_or_upgrade_is_probed_anew() {
    let tls = "\x16\x03\x01\x02\x00\x01hello";
    let connect = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n";
    let ok = "HTTP/1.0 200 Connection established\r\n\r\n";
    for messages in [
        &[(Up, connect), (Down, ok), (Up, tls)][..],
        &[(Up, connect), (Up, tls), (Down, ok)],
        &[
            (Up, connect),
            (Down, "HTTP/1.1 407 Proxy\r\nContent-Length: 2\r\n\r\nno"),
            (Up, connect),
            (Down, ok),
            (Up, tls),
        ],
    ] {
        let wire = run(messages);
        assert_eq!(wire.seen[0], "url.domain evil.example");
        assert!(!wire.seen.iter().any(|s| s.contains('<')), "{:?}", wire.seen);
        assert!(wire.foreign.starts_with(tls.as_bytes()), "{:?}", text(&wire.foreign));
    }
    let inner = "GET /in HTTP/1.1\r\nHost: in.example\r\n\r\n";
    assert_eq!(
        seen(&[(Up, connect), (Down, ok), (Up, inner)])[1..],
        ["url.full <http://in.example/in>", "url.domain in.example"]
    );
    assert_eq!(run(&[(Down, ok), (Down, tls)]).foreign, tls.as_bytes(), "one direction only");
    let upgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\u{1}frame";
    let wire = run(&[(Up, upgrade), (Down, switched), (Up, "\u{2}frame")]);
    assert_eq!((wire.seen.len(), wire.foreign.as_slice()), (2, &b"\x01frame\x02frame"[..]));
}

#[test]
fn an_overlong_head_shows_what_is_whole() {
    let request = format!("GET /x HTTP/1.1\r\nHost: a.example\r\nX: {}", "y".repeat(MAX_HEAD_BYTES));
    let wire = run(&[(Up, &request)]);
    assert_eq!(wire.seen, ["url.full <http://a.example/x>", "url.domain a.example"]);
    assert_eq!(wire.over[0], Some("http_head_too_long"));
    let line = format!("GET /{}", "y".repeat(MAX_HEAD_BYTES));
    assert_eq!(run(&[(Up, &line)]).over[0], Some("http_head_too_long"));
}

#[test]
fn a_cut_head_shows_its_whole_lines() {
    let mut wire = run(&[(Up, "GET /x HTTP/1.1\r\nHost: a.example\r\nReferer: http://google.co")]);
    assert!(wire.seen.is_empty());
    wire.gap(Up, 100);
    assert_eq!(wire.seen, ["url.full <http://a.example/x>", "url.domain a.example"]);
    wire.offer(Up, b"lost ends of a body");
    wire.offer(Up, b"GET /y HTTP/1.1\r\nHost: b.example\r\n\r\n");
    assert_eq!(wire.seen[2..], ["url.full <http://b.example/y>", "url.domain b.example"]);

    let mut wire = run(&[(Up, "GET /x HTTP/1.1\r\nHost: a.exam")]);
    wire.cut(Up);
    assert!(wire.seen.is_empty(), "half a name is another name");
}

#[test]
fn a_gap_forgets_what_was_asked() {
    let mut wire = run(&[(Up, "GET / HTTP/1.1\r\n\r\n")]);
    wire.gap(Down, 1);
    wire.offer(Down, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nHTTP/1.1 302 F\r\nLocation: http://b/\r\n\r\n");
    assert_eq!(wire.seen.len(), 2, "the lost response may have been the one to GET");
}

#[test]
fn lost_framing_is_found_again() {
    let up = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let wire = run(&[(Up, up), (Up, "\x00garbage"), (Up, up)]);
    assert_eq!(wire.seen.len(), 4);
    assert_eq!(wire.foreign, b"\x00garbage");
    let bad_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcHTTP/1.1 302 F\r\nLocation: http://b/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(seen(&[(Up, up), (Down, bad_chunk)]).len(), 4, "a chunk that a response follows");
    let no_last_line =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHTTP/1.1 302 F\r\nLocation: http://b/\r\n\r\n";
    assert_eq!(seen(&[(Up, up), (Down, no_last_line)]).len(), 4, "a last chunk without its empty line");
    let no_version = format!("GET /{}\r\n", "y".repeat(5000));
    assert_eq!(
        run(&[(Up, up), (Up, &no_version), (Up, up)]).foreign,
        no_version.as_bytes(),
        "not a request in the end"
    );
    let long_line = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(5000));
    assert!(!run(&[(Up, up), (Down, &long_line)]).foreign.is_empty(), "an endless chunk extension");
}

#[test]
fn a_head_in_tiny_segments_is_scanned_once() {
    let request = format!("GET /{} HTTP/1.1\r\n{}", "a".repeat(3000), "X: y\r\n".repeat(5000));
    let mut http = Http::default();
    for length in 1..=request.len() {
        let progress = http.parse(Up, &request.as_bytes()[..length], &TCP, &mut |_| {});
        assert_eq!(progress, Progress::Consumed { bytes: 0, need: length + 1 });
        assert!(
            http.halves[0].scanned as usize + 3 > length,
            "{length} bytes, {} of them scanned",
            http.halves[0].scanned
        );
    }
}
