use proptest::prelude::*;

use super::super::testing::{Stream, same_in_any_segments, tcp, text_of, text_with_fields, udp};
use super::*;

use Direction::{ToOriginator, ToResponder};

fn hint() -> Hint {
    tcp(50_000, 8080)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// A literal that enters the table, its value coded.
fn indexed(name: &str, value: &str) -> Vec<u8> {
    let coded = huffman::encode(value.as_bytes());
    [&[0x40, name.len() as u8], name.as_bytes(), &[0x80 | coded.len() as u8], &coded].concat()
}

/// A literal that does not.
fn plain(name: &str, value: &str) -> Vec<u8> {
    [&[0x00, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

fn request(authority: &str, path: &str) -> Vec<u8> {
    let fields = [plain(":path", path), indexed(":authority", authority), indexed("user-agent", "Tester/1.0")];
    [&[0x82, 0x86][..], &fields.concat()].concat()
}

fn settings() -> Vec<u8> {
    frame(frame::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 0xff, 0xff])
}

fn opening(rest: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE, &settings(), &rest.concat()].concat()
}

fn seen_of(data: &[u8]) -> Vec<String> {
    Stream::<Http2>::of(ToResponder, hint(), data, &[]).seen
}

const EXPECTED: [&str; 3] = [
    "url url.full http://www.example.com/a?b",
    "domain-name url.domain www.example.com",
    "user-agent user_agent.original Tester/1.0",
];

#[test]
fn a_request() {
    let data = opening(&[frame(HEADERS, 5, 1, &request("www.example.com", "/a?b"))]);
    assert_eq!(same_in_any_segments::<Http2>(ToResponder, hint(), &data), EXPECTED);
    let (mut parser, mut seen) = (Http2::default(), Vec::new());
    parser.parse(ToResponder, &data, &hint(), &mut |o| seen.push(text_with_fields(&o)));
    assert_eq!(
        seen[1],
        "domain-name url.domain www.example.com http.request.method=GET user_agent.original=Tester/1.0 \
         url.full=http://www.example.com/a?b url.domain=www.example.com"
    );
}

#[test]
fn later_requests_use_the_table() {
    let first = frame(HEADERS, 5, 1, &request("www.example.com", "/"));
    // :method GET, :scheme https, :path literal, user-agent and :authority of the table.
    let later = frame(HEADERS, 5, 3, &[&[0x82, 0x87][..], &plain(":path", "/2"), &[0xbe, 0xbf]].concat());
    let data = frame(DATA, 1, 1, &[0; 900]);
    let seen = same_in_any_segments::<Http2>(ToResponder, hint(), &opening(&[first, data, later]));
    assert_eq!(seen[3], "url url.full https://www.example.com/2");
    assert_eq!(seen.len(), 6);
}

#[test]
fn padding_priority_and_continuation() {
    let block = request("www.example.com", "/a?b");
    let (head, rest) = block.split_at(9);
    let (middle, end) = rest.split_at(11);
    let padded = [&[4, 0, 0, 0, 0, 16][..], head, &[0; 4]].concat();
    let frames = [
        frame(HEADERS, frame::PADDED | frame::HAS_PRIORITY, 1, &padded),
        frame(CONTINUATION, 0, 1, middle),
        frame(CONTINUATION, frame::END_HEADERS, 1, end),
        frame(6, 0, 0, &[0; 8]),
        frame(0xbe, 0xff, 0, b"extension"),
    ];
    assert_eq!(same_in_any_segments::<Http2>(ToResponder, hint(), &opening(&frames)), EXPECTED);
}

#[test]
fn a_response_and_a_push() {
    let response = [&[0x48, 3][..], b"302", &indexed("location", "http://next.example.com/x"), &indexed("server", "x")];
    let push = [&[0, 0, 0, 2][..], &request("pushed.example.com", "/p")].concat();
    let data = [
        settings(),
        frame(HEADERS, 5, 1, &response.concat()),
        frame(PUSH_PROMISE, 4, 1, &push),
        frame(DATA, 0, 1, &[7; 99]),
    ];
    let seen = same_in_any_segments::<Http2>(ToOriginator, tcp(8080, 50_000), &data.concat());
    assert_eq!(seen[0], "url http.response.headers.location http://next.example.com/x");
    assert_eq!(seen[1], "domain-name http.response.headers.location next.example.com");
    assert_eq!(seen[2], "url url.full http://pushed.example.com/p");
}

#[test]
fn connect_and_hosts() {
    let connect = [plain(":method", "CONNECT"), plain(":authority", "www.example.com:443")].concat();
    assert_eq!(seen_of(&opening(&[frame(HEADERS, 4, 1, &connect)])), ["domain-name url.domain www.example.com"]);
    let two = [&[0x82, 0x86, 0x84][..], &plain(":authority", "a.example"), &plain("host", "b.example")].concat();
    let seen = seen_of(&opening(&[frame(HEADERS, 4, 1, &two)]));
    let expected = [
        "url url.full http://a.example/",
        "domain-name url.domain a.example",
        "url url.full http://b.example/",
        "domain-name url.domain b.example",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn line_ends_in_a_value_make_no_line() {
    let fields =
        [plain(":path", "/"), plain(":authority", "a.example"), plain("user-agent", "x\r\nhost: evil.example")];
    let seen = seen_of(&opening(&[frame(HEADERS, 4, 1, &fields.concat())]));
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2], "user-agent user_agent.original x  host: evil.example");
}

#[test]
fn trouble_is_said_and_reading_goes_on() {
    let good = frame(HEADERS, 5, 3, &request("www.example.com", "/a?b"));
    let alone = frame(CONTINUATION, 4, 1, &[0x82]);
    let open = frame(HEADERS, 0, 1, &[0x82]);
    let padding = frame(HEADERS, 4 | frame::PADDED, 1, &[9, 0x82]);
    let index = frame(HEADERS, 4, 1, &[0xff, 0x7f]);
    for bad in [vec![alone], vec![open.clone(), frame(6, 0, 0, &[0; 8])], vec![padding], vec![index]] {
        let stream = Stream::<Http2>::of(ToResponder, hint(), &opening(&[bad.concat(), good.clone()]), &[]);
        assert_eq!(stream.seen, EXPECTED, "{bad:?}");
        assert!(matches!(stream.ended, Some(Progress::Damaged { .. })), "{bad:?}");
    }
    let mut long = vec![open];
    (0..5).for_each(|_| long.push(frame(CONTINUATION, 0, 1, &[0x82; 16_000])));
    let stream = Stream::<Http2>::of(ToResponder, hint(), &opening(&long), &[]);
    assert!(matches!(stream.ended, Some(Progress::Damaged { .. })));
    let lost = frame(0xee, 0, 0, &[0; 70_000]);
    let stream = Stream::<Http2>::of(ToResponder, hint(), &opening(&[lost]), &[]);
    assert!(matches!(stream.ended, Some(Progress::Stopped(_))));
}

#[test]
fn after_a_gap() {
    let seen = std::cell::RefCell::new(Vec::new());
    let mut parser = Http2::default();
    let offer = |parser: &mut Http2, data: &[u8]| {
        let show = &mut |o: crate::indicator::Observable<'_>| seen.borrow_mut().push(text_of(&o));
        parser.parse(ToResponder, data, &hint(), show)
    };
    offer(&mut parser, &opening(&[frame(HEADERS, 5, 1, &request("www.example.com", "/a?b"))]));
    assert_eq!(parser.gap(ToResponder, 700), AfterGap::Continue);
    let junk = b"in the middle of something else that looks like no frame";
    assert_eq!(offer(&mut parser, junk), Progress::Consumed { bytes: junk.len(), need: 0 });
    // Entries of before are named, and left out; the literals are read.
    let block = [&[0x82, 0x86, 0xbe, 0xbf][..], &plain("user-agent", "after"), &plain(":path", "/x")].concat();
    offer(&mut parser, &frame(HEADERS, 5, 3, &block));
    offer(&mut parser, &frame(HEADERS, 5, 5, &request("www.example.com", "/a?b")));
    assert_eq!(seen.borrow()[..3], EXPECTED);
    assert_eq!(seen.borrow()[3], "user-agent user_agent.original after");
    assert_eq!(seen.borrow()[4..], EXPECTED);
    parser.gap(ToResponder, 1);
    let last = (0..=MAX_RESUME_SEGMENTS).map(|_| offer(&mut parser, junk)).last();
    assert!(matches!(last, Some(Progress::Stopped(_))));
}

#[test]
fn a_cut_block_shows_what_is_whole() {
    let data = opening(&[frame(HEADERS, 5, 1, &[request("www.example.com", "/a?b"), plain("x", "yyyyyyyy")].concat())]);
    let mut stream = Stream::<Http2>::of(ToResponder, hint(), &data[..data.len() - 4], &[]);
    assert!(stream.seen.is_empty());
    stream.cut();
    assert_eq!(stream.seen, EXPECTED);
}

#[test]
fn probe() {
    let probe = |data: &[u8]| Http2::probe(data, &hint());
    assert_eq!(probe(PREFACE), Probe::Yes);
    assert_eq!(probe(b"PRI * HT"), Probe::Unsure);
    assert_eq!(probe(b"POST / HTTP/1.1\r\n"), Probe::No);
    assert_eq!(probe(&settings()), Probe::Yes);
    assert_eq!(probe(&settings()[..5]), Probe::Unsure);
    assert_eq!(probe(&frame(HEADERS, 4, 1, &[0x82])), Probe::No);
    assert_eq!(probe(&[0; 40]), Probe::No);
    assert_eq!(Http2::probe(PREFACE, &udp(1, 2)), Probe::No);
}

proptest! {
    #[test]
    fn any_segments(mut cuts in prop::collection::vec(0usize..400, 0..8), paths in prop::collection::vec("/[a-z]{0,9}", 1..5)) {
        let frames: Vec<_> = paths.iter().map(|path| frame(HEADERS, 4, 1, &request("www.example.com", path))).collect();
        let data = opening(&frames);
        cuts.sort_unstable();
        let whole = Stream::<Http2>::of(ToResponder, hint(), &data, &[]);
        let split = Stream::<Http2>::of(ToResponder, hint(), &data, &cuts);
        prop_assert_eq!(whole.seen.len(), 3 * paths.len());
        prop_assert_eq!(split.seen, whole.seen);
    }

    #[test]
    fn never_panics(frames in prop::collection::vec((0u8..12, any::<u8>(), prop::collection::vec(any::<u8>(), 0..60)), 0..8)) {
        let frames: Vec<_> = frames.iter().map(|(kind, flags, payload)| frame(*kind, *flags, 1, payload)).collect();
        let mut stream = Stream::<Http2>::of(ToResponder, hint(), &opening(&frames), &[30, 50]);
        stream.push(b"\0");
        stream.cut();
    }
}

#[test]
fn tables_and_open_blocks_are_accounted_for_and_given_up() {
    let (mut parser, mut seen) = (Http2::default(), Vec::new());
    let mut parse = |parser: &mut Http2, data: &[u8]| {
        seen.clear();
        parser.parse(ToResponder, data, &hint(), &mut |o| seen.push(text_of(&o)));
        seen.len()
    };
    assert_eq!(parser.account(), Account::default());
    assert_eq!(parse(&mut parser, &opening(&[frame(HEADERS, 5, 1, &request("www.example.com", "/a"))])), 3);
    let with_table = parser.account().memory_bytes;
    assert!(with_table > 2 * 32, "{with_table}");
    let open = [plain(":path", &"x".repeat(100)), plain("cookie", &"y".repeat(100))].concat();
    parse(&mut parser, &frame(HEADERS, 1, 3, &open));
    assert!(parser.account().memory_bytes >= with_table + open.len());
    parser.shed();
    assert_eq!(parser.account(), Account::default());
    // What follows is read as far as it needs no table: 190 is the first entry of it.
    parse(&mut parser, &frame(CONTINUATION, 4, 3, &[]));
    let again = [&[0x82, 0x86, 0xBE][..], &plain(":path", "/b"), &plain(":authority", "b.example.com")].concat();
    assert_eq!(parse(&mut parser, &frame(HEADERS, 5, 5, &again)), 2);
}

/// What is seen of files, and what the parser accounts for, however the bytes are cut.
fn files(messages: &[(Direction, Vec<u8>)]) -> (Vec<String>, Account) {
    let mut all = Vec::new();
    for size in [usize::MAX, 1, 3, 10] {
        let (mut parser, mut seen, mut total) = (Http2::default(), Vec::new(), Account::default());
        let (mut held, mut skip) = ([Vec::new(), Vec::new()], [0; 2]);
        for (direction, bytes) in messages {
            let (held, skip) = (&mut held[direction.index()], &mut skip[direction.index()]);
            for piece in bytes.chunks(size.min(bytes.len().max(1))) {
                held.extend_from_slice(piece);
                loop {
                    let skipped = held.len().min(*skip);
                    held.drain(..skipped);
                    *skip -= skipped;
                    if held.is_empty() {
                        break;
                    }
                    let mut take = |o: crate::indicator::Observable<'_>| seen.push(text_of(&o));
                    let progress = parser.parse(*direction, held, &hint(), &mut take);
                    let account = parser.account();
                    total.files_begun += account.files_begun;
                    total.files_ended += account.files_ended;
                    total.lost = account.lost.or(total.lost);
                    match progress {
                        Progress::Consumed { bytes, .. } | Progress::Damaged { bytes, .. } => {
                            held.drain(..bytes);
                            if bytes == 0 {
                                break;
                            }
                        }
                        Progress::Skip(bytes) => *skip = bytes as usize,
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        let of_file = |text: &String| text.contains(" file.");
        all.push((seen.into_iter().filter(of_file).collect::<Vec<_>>(), total));
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    all.swap_remove(0)
}

fn response(stream: u32) -> Vec<u8> {
    frame(HEADERS, frame::END_HEADERS, stream, &[0x88])
}

/// MD5 of "picket".
const PICKET: &str = "file file.hash.md5 db7f19fb56daa428f85e8eec7794abfa";

#[test]
fn bodies_of_parallel_streams_are_files() {
    let up = opening(&[
        frame(HEADERS, 5, 1, &request("www.example.com", "/a/One.bin")),
        frame(HEADERS, 5, 3, &request("www.example.com", "/a/two.bin")),
    ]);
    let padded = [&[3][..], b"ck", &[0; 3]].concat();
    let down = [
        settings(),
        response(3),
        response(1),
        frame(DATA, 0, 1, b"pi"),
        frame(DATA, 0, 3, b"pick"),
        frame(DATA, frame::PADDED, 1, &padded),
        frame(DATA, frame::END_STREAM, 3, b"et"),
        frame(DATA, 0, 1, b"et"),
        frame(DATA, frame::END_STREAM, 1, b""),
    ];
    let (seen, account) = files(&[(ToResponder, up), (ToOriginator, down.concat())]);
    assert_eq!(seen[..2], ["file-name file.name two.bin", "file-name file.name one.bin"]);
    assert_eq!(seen.iter().filter(|text| *text == PICKET).count(), 2);
    assert_eq!((account.files_begun, account.files_ended), (2, 2));
    assert_eq!(account.lost, None);
    let streams = |count: u32| (0..count).map(|n| 2 * n + 1);
    let get = |stream| frame(HEADERS, 5, stream, &request("www.example.com", "/"));
    for (count, lost) in [(8, None), (9, Some("http2_content_of_parallel_body"))] {
        let (up, down): (Vec<_>, Vec<_>) = streams(count).map(|stream| (get(stream), response(stream))).unzip();
        let (_, account) = files(&[(ToResponder, opening(&up)), (ToOriginator, [settings(), down.concat()].concat())]);
        assert_eq!(account.lost, lost, "{count} at once");
    }
}

#[test]
fn a_body_without_its_end_is_none_and_many_are_capped() {
    let get = |stream| frame(HEADERS, 5, stream, &request("www.example.com", "/"));
    let reset = frame(RST_STREAM, 0, 1, &[0; 4]);
    let lies = frame(DATA, frame::PADDED, 1, &[9, 0]);
    for rest in [frame(DATA, 0, 1, b"picket"), [frame(DATA, 0, 1, b"picket"), reset].concat(), lies] {
        let down = [settings(), response(1), rest, frame(DATA, frame::END_STREAM, 5, b"x")].concat();
        let (seen, account) = files(&[(ToResponder, opening(&[get(1)])), (ToOriginator, down)]);
        assert_eq!((seen.len(), account.files_begun, account.files_ended), (0, 1, 0));
    }
    let (up, down): (Vec<_>, Vec<_>) = (0..40).map(|n| (get(2 * n + 1), response(2 * n + 1))).unzip();
    let (_, account) = files(&[(ToResponder, opening(&up)), (ToOriginator, [settings(), down.concat()].concat())]);
    assert_eq!((account.files_begun, account.lost), (32, Some("http2_bodies_too_many")));
}

#[test]
fn a_hole_in_a_body_leaves_the_table_alone() {
    let mut parser = Http2::default();
    let offer = |parser: &mut Http2, data: &[u8]| {
        let mut seen = Vec::new();
        parser.parse(ToOriginator, data, &hint(), &mut |o| seen.push(text_of(&o)));
        seen
    };
    let coded = frame(HEADERS, 4, 1, &[&[0x88][..], &indexed("location", "http://next.example.com/x")].concat());
    offer(&mut parser, &[settings(), coded, frame(DATA, 1, 1, &[7; 90])[..50].to_vec()].concat());
    assert_eq!(parser.gap(ToOriginator, 20), AfterGap::Continue);
    let again = frame(HEADERS, 4, 3, &[0x88, 0xbe]);
    // 29 bytes of the frame were left to be stepped over.
    let seen = offer(&mut parser, &[&[7; 29][..], &again].concat());
    assert_eq!(seen[0], "url http.response.headers.location http://next.example.com/x");
}
