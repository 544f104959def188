#![allow(clippy::indexing_slicing)]

mod framing;

use proptest::prelude::*;

use super::*;
use crate::indicator::{FieldValue, Observable, Value, Wants};
use Direction::{ToOriginator as Down, ToResponder as Up};

const TCP: Hint = Hint::new(Transport::Tcp, 40000, 8181, Wants::NONE);
const UDP: Hint = Hint::new(Transport::Udp, 1900, 1900, Wants::NONE);

/// What the flow above does: keeps what is not consumed, waits for what is needed, skips, probes anew.
#[derive(Default)]
pub(super) struct Wire {
    http: Http,
    wants: Wants,
    identified: bool,
    after_gap: [bool; 2],
    pending: [Vec<u8>; 2],
    need: [usize; 2],
    skip: [u64; 2],
    over: [Option<&'static str>; 2],
    pub(super) seen: Vec<String>,
    /// Files begun less those that ended.
    pub(super) incomplete: u32,
    pub(super) lost: Vec<&'static str>,
    foreign: Vec<u8>,
}

impl Wire {
    pub(super) fn wanting(wants: Wants) -> Self {
        Self { wants, ..Self::default() }
    }

    fn hint(&self) -> Hint {
        Hint { wants: self.wants.with_heads(), ..TCP }
    }

    fn settle(&mut self) {
        let account = self.http.account();
        self.incomplete = self.incomplete + account.files_begun - account.files_ended;
        self.lost.extend(account.lost);
    }

    /// The sender ends a direction.
    pub(super) fn end(&mut self, direction: Direction) {
        let (hint, seen) = (self.hint(), &mut self.seen);
        self.http.end(direction, &hint, &mut |o| seen.push(shown(&o)));
        self.settle();
    }

    pub(super) fn offer(&mut self, direction: Direction, bytes: &[u8]) {
        let d = direction.index();
        let skipped = self.skip[d].min(bytes.len() as u64);
        self.skip[d] -= skipped;
        self.pending[d].extend(&bytes[skipped as usize..]);
        while self.over[d].is_none() && !self.pending[d].is_empty() && self.pending[d].len() >= self.need[d] {
            if !self.identified || self.after_gap[d] {
                match Http::probe(&self.pending[d], &TCP) {
                    Probe::Yes => (self.identified, self.after_gap[d]) = (true, false),
                    Probe::Unsure => return,
                    Probe::No => return self.foreign.append(&mut self.pending[d]),
                }
            }
            self.need[d] = 0;
            let (hint, seen) = (self.hint(), &mut self.seen);
            let progress = self.http.parse(direction, &self.pending[d], &hint, &mut |o| seen.push(shown(&o)));
            self.settle();
            let offered = self.pending[d].len();
            match progress {
                Progress::Consumed { bytes, need } | Progress::Damaged { bytes, need, .. } => {
                    assert!(bytes > 0 || need > offered, "no progress: {progress:?} of {offered}");
                    self.pending[d].drain(..bytes);
                    self.need[d] = need;
                }
                Progress::Skip(bytes) => {
                    assert!(bytes > 0);
                    let here = bytes.min(offered as u64);
                    self.pending[d].drain(..here as usize);
                    self.skip[d] = bytes - here;
                }
                Progress::Reprobe(bytes) => {
                    self.pending[d].drain(..bytes);
                    assert!(bytes > 0 || Http::probe(&self.pending[d], &TCP) != Probe::Yes, "would never end");
                    (self.http, self.identified, self.need, self.skip) = (Http::default(), false, [0; 2], [0; 2]);
                }
                Progress::DoneDirection => self.over[d] = Some("done"),
                Progress::Done => self.over = [Some("done"); 2],
                Progress::Stopped(reason) => self.over[d] = Some(reason),
            }
        }
    }

    pub(super) fn gap(&mut self, direction: Direction, missing_bytes: u64) {
        let d = direction.index();
        let skipped = self.skip[d].min(missing_bytes);
        self.skip[d] -= skipped;
        if skipped < missing_bytes {
            self.cut(direction);
            self.after_gap[d] = self.http.gap(direction, missing_bytes - skipped) == AfterGap::Probe;
        }
    }

    fn cut(&mut self, direction: Direction) {
        self.need[direction.index()] = 0;
        let data = std::mem::take(&mut self.pending[direction.index()]);
        let (hint, seen) = (self.hint(), &mut self.seen);
        self.http.cut(direction, &data, &hint, &mut |o| seen.push(shown(&o)));
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn shown(o: &Observable<'_>) -> String {
    match o.value {
        Value::Addr(addr) => format!("{} {addr}", o.at.0),
        Value::Endpoint(addr, port, transport) => format!("{} {addr} {port} {:?}", o.at.0, transport.expect("known")),
        Value::Text(value) if o.kind.name == "url" => format!("{} <{}>", o.at.0, text(value)),
        Value::Text(value) => format!("{} {}", o.at.0, text(value)),
        Value::Name(_) => o.at.0.to_string(),
        Value::Piece { bytes, offset, .. } => format!("{} {offset} {}", o.at.0, text(bytes)),
        Value::Elsewhere(_) => o.at.0.to_string(),
    }
}

fn run(messages: &[(Direction, &str)]) -> Wire {
    let mut wire = Wire::default();
    for (direction, bytes) in messages {
        wire.offer(*direction, bytes.as_bytes());
    }
    wire
}

/// What is seen of these messages, which must not depend on how they are cut into segments.
fn seen(messages: &[(Direction, &str)]) -> Vec<String> {
    let whole = run(messages);
    for (cut, (_, message)) in messages.iter().enumerate() {
        for at in 1..message.len() {
            let mut wire = Wire::default();
            for (n, (direction, bytes)) in messages.iter().enumerate() {
                let (a, b) = bytes.as_bytes().split_at(if n == cut { at } else { 0 });
                wire.offer(*direction, a);
                wire.offer(*direction, b);
            }
            assert_eq!(wire.seen, whole.seen, "message {cut} cut at {at}");
        }
    }
    let mut bytewise = Wire::default();
    for (direction, bytes) in messages {
        bytes.as_bytes().chunks(1).for_each(|byte| bytewise.offer(*direction, byte));
    }
    assert_eq!(bytewise.seen, whole.seen, "byte by byte");
    assert_eq!(bytewise.over, whole.over);
    whole.seen
}

fn seen_up(request: &str) -> Vec<String> {
    seen(&[(Up, request)])
}

fn seen_udp(datagram: &str) -> Vec<String> {
    let mut found = Vec::new();
    assert_eq!(Http::probe(datagram.as_bytes(), &UDP), Probe::Yes);
    let hint = Hint { wants: UDP.wants.with_heads(), ..UDP };
    Http::default().parse(Up, datagram.as_bytes(), &hint, &mut |o| found.push(shown(&o)));
    found
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<Http>() <= 56, "{}", size_of::<Http>());
}

#[test]
fn a_request_shows_url_host_agent_and_referrer() {
    let request = "GET /a/B?c=d HTTP/1.1\r\nHost: Evil.example:8080\r\nUser-Agent: Mozilla/5.0 (x; y)\r\nAccept: */*\r\n\
        Referer: https://ref.example/from\r\n\r\n";
    assert_eq!(
        seen_up(request),
        [
            "url.full <http://Evil.example:8080/a/B?c=d>",
            "url.domain Evil.example",
            "user_agent.original Mozilla/5.0 (x; y)",
            "http.request.referrer <https://ref.example/from>",
            "http.request.referrer ref.example",
        ]
    );
    let mut with = Vec::new();
    let hint = Hint { wants: TCP.wants.with_heads(), ..TCP };
    // Whether or not anybody looks for URLs, an alert has it.
    let (mut all, mut names) = (Http::default(), Http::default());
    let mut note = |o: Observable<'_>| {
        with.push(
            o.with
                .iter()
                .map(|f| match f.value {
                    FieldValue::Text(value) => format!("{}={}", f.path.0, text(value)),
                    FieldValue::Word(word) => format!("{}={word}", f.path.0),
                    FieldValue::Number(number) => format!("{}={number}", f.path.0),
                    FieldValue::Made(make) => format!("{}={}", f.path.0, text(&make())),
                    FieldValue::Several(_) => String::new(),
                })
                .collect::<Vec<_>>()
                .join(" "),
        );
    };
    all.parse(Up, request.as_bytes(), &hint, &mut note);
    names.parse(Up, request.as_bytes(), &TCP, &mut note);
    assert_eq!((with.len(), &with[5], &with[6]), (7, &with[1], &with[4]));
    assert_eq!(
        with[4],
        "http.request.method=GET user_agent.original=Mozilla/5.0 (x; y) url.full=http://Evil.example:8080/a/B?c=d url.domain=Evil.example"
    );
}

#[test]
fn a_response_shows_where_it_points() {
    assert_eq!(
        seen(&[
            (Up, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            (Down, "HTTP/1.1 302 Found\r\nlocation:http://192.0.2.9/x\r\nContent-Length: 0\r\n\r\n")
        ]),
        [
            "url.full <http://a/>",
            "url.domain a",
            "http.response.headers.location <http://192.0.2.9/x>",
            "http.response.headers.location 192.0.2.9 80 Tcp"
        ]
    );
    assert_eq!(run(&[(Down, "HTTP/1.1 302 Found\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n")]).seen, [""; 0]);
    assert_eq!(
        run(&[(Down, "HTTP/1.1 302 Found\r\nLocation: //b.example/here\r\nContent-Length: 0\r\n\r\n")]).seen,
        ["http.response.headers.location <//b.example/here>", "http.response.headers.location b.example"]
    );
}

#[test]
fn what_servers_accept_is_seen() {
    let host_only = ["url.full <http://evil.example/>", "url.domain evil.example"];
    for request in [
        "GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST:evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\t evil.example \t\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n evil.example\r\n\r\n",
        "GET / HTTP/1.1\nHost: evil.example\n\n",
        "GET / HTTP/1.1\nHost: evil.example\n\r\n",
        "GET / HTTP/1.1\r\nA: b\nHost: evil.example\r\n\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "get / http/1.1\r\nHost: evil.example\r\n\r\n",
        "GET  /  HTTP/1.1 \r\nHost: evil.example\r\n\r\n",
        "GET\t/\tHTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n",
        "X-CUSTOM_method / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "PROPFIND / HTTP/1.1\r\nDepth: 1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n: x\r\nHost: evil.example\r\n\r\n",
    ] {
        assert_eq!(seen_up(request), host_only, "{request:?}");
    }
    for (line, url) in [
        ("GET path HTTP/1.1", "http://evil.example/path"),
        ("GET ?q HTTP/1.1", "http://evil.example/?q"),
        ("OPTIONS * HTTP/1.1", "http://evil.example*"),
        ("GET /\u{fc} HTTP/1.1", "http://evil.example/\u{fc}"),
    ] {
        let request = format!("{line}\r\nHost: evil.example\r\n\r\n");
        assert_eq!(seen_up(&request), [format!("url.full <{url}>"), "url.domain evil.example".into()], "{line}");
    }
    let blank = seen_up("GET /a b HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n\r\n");
    assert_eq!(
        blank,
        ["url.full <http://a/a b>", "url.domain a", "user_agent.original x", "url.full <http://a/a>", "url.domain a"],
        "some servers stop at the blank"
    );
}

#[test]
fn every_host_is_seen() {
    assert_eq!(
        seen_up("GET http://a.example/p HTTP/1.1\r\nHost: b.example\r\nHost: B.example\r\nHost: c.example\r\n\r\n"),
        [
            "url.full <http://a.example/p>",
            "url.domain a.example",
            "url.full <http://b.example/p>",
            "url.domain b.example",
            "url.full <http://c.example/p>",
            "url.domain c.example",
        ]
    );
    assert_eq!(seen_up("GET https://a.example/p HTTP/1.1\r\nHost: a.example:443\r\n\r\n").len(), 2, "the same one");
    for (host, shown) in [
        ("192.0.2.1", "192.0.2.1 80 Tcp"),
        ("192.0.2.1:5800", "192.0.2.1 5800 Tcp"),
        ("[2001:db8::1]:81", "2001:db8::1 81 Tcp"),
        ("[::ffff:192.0.2.1]", "192.0.2.1 80 Tcp"),
        ("a.example:", "a.example"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(seen_up(&request), [format!("url.full <http://{host}/>"), format!("url.domain {shown}")]);
    }
    assert_eq!(seen_up("GET / HTTP/1.1\r\nHost: http://a.example/\r\n\r\n")[1], "url.domain a.example");
    assert_eq!(seen_up("GET / HTTP/1.0\r\nUser-Agent: x\r\n\r\n"), ["user_agent.original x"]);
    assert_eq!(seen_up("GET / HTTP/1.1\r\nHost: \r\nUser-Agent: \r\n\r\n"), [""; 0]);
}

#[test]
fn folded_lines_are_joined() {
    assert_eq!(
        seen_up("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: one \r\n\t  two\r\n three\r\nX: y\r\n\r\n"),
        ["url.full <http://a/>", "url.domain a", "user_agent.original one two three"]
    );
}

#[test]
fn only_http_1_is_recognised() {
    for (data, answer) in [
        ("GET /", Probe::Yes),
        ("GET http://x", Probe::Yes),
        ("GET / HTTP/1.1\r\n", Probe::Yes),
        ("HTTP/1.1", Probe::Yes),
        ("http/1.0 200", Probe::Yes),
        ("\r\nPOST /x", Probe::Yes),
        ("M-SEARCH * HTTP/1.1\r\n", Probe::Yes),
        ("x / HTTP/1.1\n", Probe::Yes),
        ("", Probe::Unsure),
        ("\r\n", Probe::Unsure),
        ("G", Probe::Unsure),
        ("HTTP/", Probe::Unsure),
        ("HTTP/1.", Probe::Unsure),
        ("PRI * HT", Probe::Unsure),
        ("OPTIONS /x", Probe::Unsure),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Probe::No),
        ("HTTP/2 200", Probe::No),
        ("HTTP/x", Probe::No),
        ("OPTIONS rtsp://a/b RTSP/1.0\r\n", Probe::No),
        ("INVITE sip:a@b SIP/2.0\r\n", Probe::No),
        ("two words of a body", Probe::No),
        ("SSH-2.0-OpenSSH_9.0\r\n", Probe::No),
        ("EHLO a.example\r\n", Probe::No),
        ("GET /\r\n", Probe::No),
        ("GET / HTTP/1.1 x\r\n", Probe::No),
        ("\x16\x03\x01", Probe::No),
        ("ICY 200 OK\r\n", Probe::No),
        (" GET / HTTP/1.1", Probe::No),
    ] {
        assert_eq!(Http::probe(data.as_bytes(), &TCP), answer, "{data:?}");
    }
    assert_eq!(Http::probe(b"AN-ENDLESS-WORD-THAT-IS-NO-METHOD-AT-ALL", &TCP), Probe::No);
    assert_eq!(Http::probe(&[b"X ".as_slice(), &[b'a'; 3000]].concat(), &TCP), Probe::No);
    assert_eq!(Http::probe(b"M-SEARCH * HT", &UDP), Probe::No);
}

#[test]
fn ssdp_is_seen() {
    assert_eq!(
        seen_udp(
            "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nLOCATION: http://192.0.2.7:49152/desc.xml\r\nUSER-AGENT: x/1\r\n"
        ),
        [
            "url.full <http://239.255.255.250:1900*>",
            "url.domain 239.255.255.250 1900 Udp",
            "http.request.headers.location <http://192.0.2.7:49152/desc.xml>",
            "http.request.headers.location 192.0.2.7 49152 Tcp",
            "user_agent.original x/1",
        ]
    );
    assert_eq!(
        seen_udp("HTTP/1.1 200 OK\r\nST: x\r\nUser-Agent: y\r\nLocation: http://a.example/d\r\n\r\n"),
        [
            "user_agent.original y",
            "http.response.headers.location <http://a.example/d>",
            "http.response.headers.location a.example"
        ]
    );
    assert_eq!(seen_udp("M-SEARCH * HTTP/1.1\r\nHost: a")[1], "url.domain a", "a datagram ends where it ends");
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let sample = prop_oneof![
        Just(
            "POST http://a.example:80/x HTTP/1.1\r\nHost: [2001:db8::1]:8\r\nUser-Agent: a\r\n b\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\n\r\n"
        ),
        Just(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLocation: http://b/\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 204 x\r\n\r\n"
        ),
        Just("CONNECT a:443 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
    ];
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>()), 0..6);
    (sample, edits).prop_map(|(sample, edits)| {
        let mut bytes = sample.as_bytes().to_vec();
        for (at, edit) in edits {
            let at = at.index(bytes.len());
            match edit {
                Some(byte) => bytes[at] = byte,
                None if bytes.len() > 1 => drop(bytes.remove(at)),
                None => {}
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn hostile_bytes_end_in_progress(
        segments in proptest::collection::vec((any::<bool>(), prop_oneof![mutated(), proptest::collection::vec(any::<u8>(), 0..40)]), 0..6),
        size in 1..60usize,
    ) {
        let mut wire = Wire::default();
        for (up, bytes) in &segments {
            let direction = if *up { Up } else { Down };
            bytes.chunks(size).for_each(|part| wire.offer(direction, part));
            let _ = Http::default().parse(direction, bytes, &UDP, &mut |_| {});
        }
        wire.cut(Up);
        wire.cut(Down);
    }
}

/// Whoever has rules is shown each head whole, once.
#[test]
fn a_head_is_shown_whole_to_rules() {
    let mut wants = Wants::NONE;
    wants.add(&crate::indicator::kind::RULE, 1);
    let hint = Hint { wants, ..TCP };
    let whole = |direction, bytes: &[u8]| {
        let mut out = Vec::new();
        let _ = Http::default().parse(direction, bytes, &hint, &mut |o| {
            if o.kind.name == "rule" {
                out.push(crate::proto::testing::text_with_fields(&o));
            }
        });
        out
    };
    let request = b"POST /a?b HTTP/1.1\r\nHost: A.example:81\r\nUser-Agent: x\r\nUser-Agent: y\r\nReferer: /z\r\n\r\n";
    let about = "http.request.method=POST url.domain=A.example user_agent.original=x, y http.request.referrer=/z";
    assert_eq!(whole(Up, request), [format!("rule http.request.target /a?b {about}")]);
    assert_eq!(whole(Up, b"GET / HTTP/1.0\r\n\r\n"), ["rule http.request.target / http.request.method=GET"]);
    assert_eq!(
        whole(Down, b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n"),
        ["rule http.response.status_code 302 http.response.headers.location=/b"]
    );
}
