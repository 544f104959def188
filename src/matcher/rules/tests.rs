use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::{Hit, How, MatchSet, Matcher, Piece, Seeds, Shown, Trail};
use super::*;
use crate::indicator::kind::RULE;
use crate::indicator::lists::Values;
use crate::indicator::rule::{Ends, Form, Formula, Part, Ports, Word};
use crate::indicator::{Context, Draft, Transport, Where};

fn content(bytes: &str, range: Range) -> Content {
    Content { bytes: bytes.as_bytes().into(), mask: Box::default(), nocase: false, negated: false, ends: false, range }
}

fn part(chain: Vec<Content>) -> Part {
    Part { chain: chain.into(), after: None, fullword: None }
}

fn bytes(scope: Scope, parts: Vec<Part>) -> Rule {
    let needs = Formula::all((0..parts.len() as u32).map(Formula::Part).collect());
    Rule { ends: Ends::default(), body: Body::Bytes { scope, parts: parts.into(), needs } }
}

fn matcher(rules: &[Rule]) -> Matcher {
    let mut set = IndicatorSet::default();
    let context = set.context(Context::default());
    for (line, rule) in (1..).zip(rules) {
        let text = format!("rule {line}");
        set.add(&Draft { rule: Some(rule), ..Draft::new(&RULE, text.as_bytes(), context, line) }, false)
            .expect("loads");
    }
    Matcher::new(Arc::new(MatchSet::compile_seeded(set, IndicatorSet::default(), Seeds::fixed(0))))
}

fn flow() -> Flowing {
    let end = |last| (IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), 1000 + u16::from(last));
    Flowing { originator: end(1), responder: end(2), to_responder: true, transport: Some(Transport::Tcp), protocol: 6 }
}

/// What is found in a stream cut into pieces of `step` bytes: rule and where its last part ended.
fn found(rules: &[Rule], scope: Scope, stream: &[u8], step: usize) -> Vec<(u32, u64)> {
    let mut matcher = matcher(rules);
    let (mut trail, mut hits, mut offset) = (Trail::default(), Vec::new(), 0);
    let mut follow = |data: &[u8], offset, is_last| {
        let piece = Piece { data, offset, start_known: true, is_last, flow: flow(), time: Timestamp::ZERO };
        let scanned = matcher.follow(scope, Some(&mut trail), &piece, &mut hits);
        assert_eq!((scanned.cut_bytes, scanned.begun_refused), (0, 0));
    };
    for data in stream.chunks(step) {
        follow(data, offset, false);
        offset += data.len() as u64;
    }
    follow(&[], offset, true);
    let end = |hit: &Hit| match hit.how {
        How::Rule { end, .. } => (hit.indicator.0, end),
        _ => panic!("a rule"),
    };
    hits.iter().map(end).collect()
}

#[test]
fn however_bytes_are_cut_the_same_is_found() {
    let near = |within| Range::After { distance: 1, within: Some(within) };
    let rules = [
        bytes(Scope::Stream, vec![part(vec![content("head", Range::ANYWHERE), content("x", near(3))])]),
        bytes(Scope::Stream, vec![part(vec![content("x", Range::ANYWHERE), content("tail", near(40))])]),
        bytes(
            Scope::Stream,
            vec![
                part(vec![content("tail", Range::ANYWHERE)]),
                Part { after: Some((0, 5)), ..part(vec![content("head", Range::ANYWHERE)]) },
            ],
        ),
        bytes(Scope::Stream, vec![part(vec![content("head", Range::Start { offset: 4, depth: Some(4) })])]),
    ];
    let stream = b"....head..x....x..............tail.head....head";
    let wanted = found(&rules, Scope::Stream, stream, stream.len());
    assert_eq!(wanted, [(0, 11), (1, 34), (2, 47), (3, 8)]);
    for step in 1..stream.len() {
        let mut now = found(&rules, Scope::Stream, stream, step);
        now.sort_unstable();
        assert_eq!(now, wanted, "{step}");
    }
    assert_eq!(found(&rules, Scope::Content, stream, 9), [], "the other scope's");
}

#[test]
fn whole_words_need_to_know_what_follows() {
    let word = |text: &str, word| {
        bytes(Scope::Content, vec![Part { fullword: Some(word), ..part(vec![content(text, Range::ANYWHERE)]) }])
    };
    for (rule, text, wanted) in [
        (word("evil", Word::Narrow), &b"evils evil"[..], true),
        (word("evil", Word::Narrow), b"evils devil", false),
        (word("evil", Word::Narrow), b"(evil)", true),
        (word("a\0b\0", Word::Wide), b"a\0b\0c\0", false),
        (word("a\0b\0", Word::Wide), b"c\0a\0b\0", false),
        (word("a\0b\0", Word::Wide), b"ca\0b\0.\0", true),
        (word("a\0b\0", Word::Wide), b"a\0b\0", true),
    ] {
        for step in [1, 2, 100] {
            assert_eq!(!found(std::slice::from_ref(&rule), Scope::Content, text, step).is_empty(), wanted, "{text:?}");
        }
    }
}

#[test]
fn a_new_file_and_a_gap_forget_what_lay_before() {
    let rule = bytes(Scope::Content, vec![part(vec![content("abcdef", Range::ANYWHERE)])]);
    let mut matcher = matcher(&[rule]);
    let (mut trail, mut hits) = (Trail::default(), Vec::new());
    for (data, offset) in [(&b"abc"[..], 0), (b"def", 0), (b"abc", 3), (b"def", 7), (b"abcd", 10), (b"ef", 14)] {
        let piece = Piece { data, offset, start_known: true, is_last: false, flow: flow(), time: Timestamp::ZERO };
        matcher.follow(Scope::Content, Some(&mut trail), &piece, &mut hits);
        assert_eq!(hits.is_empty(), offset != 14);
    }
}

#[test]
fn what_is_kept_is_bounded_and_counted() {
    let near = Range::After { distance: 0, within: Some(900) };
    let rules = [bytes(Scope::Stream, vec![part(vec![content("aaa", Range::ANYWHERE), content("zzz", near)])])];
    let mut matcher = matcher(&rules);
    let (mut trail, mut refused) = (Trail::default(), 0);
    for number in 0..100 {
        let piece = Piece {
            data: b"a",
            offset: number,
            start_known: true,
            is_last: false,
            flow: flow(),
            time: Timestamp::ZERO,
        };
        refused += matcher.follow(Scope::Stream, Some(&mut trail), &piece, &mut Vec::new()).begun_refused;
    }
    assert!(refused > 0);
}

#[test]
fn buffers_of_one_message() {
    let buffer = |place, text: &str, form| Buffer {
        place,
        form,
        steps: [Step::Find(Content { ends: true, ..content(text, Range::ANYWHERE) })].into(),
        lengths: Box::default(),
    };
    let dotted = Form { dotprefix: true, ..Form::default() };
    let message = |buffers: Vec<Buffer>| Rule { ends: Ends::default(), body: Body::Message(buffers.into()) };
    let other_port = Ends { destination_port: Ports { of: [(80, 80)].into(), but: Box::default() }, ..Ends::default() };
    let rules = [
        message(vec![buffer(Place::HttpHost, ".evil.example", dotted)]),
        message(vec![
            buffer(Place::HttpUri, "/a b", Form::default()),
            buffer(Place::HttpMethod, "GET", Form::default()),
        ]),
        message(vec![
            buffer(Place::HttpUri, "/a b", Form::default()),
            buffer(Place::HttpMethod, "POST", Form::default()),
        ]),
        message(vec![buffer(Place::HttpUriRaw, "/a%20b", Form::default())]),
        Rule { ends: other_port, ..message(vec![buffer(Place::HttpMethod, "GET", Form::default())]) },
    ];
    let with = [Field::text("http.request.method", b"GET"), Field::text("url.domain", b"Evil.Example")];
    let at = Where("http.request.target");
    let observable = Observable { kind: &RULE, value: Value::Text(b"/x/..//a%20b"), at, with: &with };
    let mut hits = Vec::new();
    let shown = Shown { message: Message::HttpRequest, observable: &observable, flow: flow(), time: Timestamp::ZERO };
    matcher(&rules).message(&shown, &mut hits);
    let mut numbers: Vec<u32> = hits.iter().map(|hit| hit.indicator.0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 3]);
}

#[test]
fn values_on_lists() {
    let list = |values: &[&[u8]]| Arc::new(values.iter().map(|value| Box::from(*value)).collect::<Values>());
    let listed = |values: &[&[u8]], negated, form| Buffer {
        place: Place::DnsQuery,
        form,
        steps: [Step::Listed { list: list(values), negated }].into(),
        lengths: Box::default(),
    };
    let message = |buffers: Vec<Buffer>| Rule { ends: Ends::default(), body: Body::Message(buffers.into()) };
    let dotted = Form { dotprefix: true, lowercase: true, ..Form::default() };
    let digested = Form { digest: Some(Digest::Md5), ..Form::default() };
    let md5 = Md5::digest(b"Evil.example");
    let with_content = Buffer {
        steps: [Step::Find(content("vil", Range::ANYWHERE)), Step::Listed { list: list(&[b"x"]), negated: true }]
            .into(),
        ..listed(&[], false, Form::default())
    };
    let rules = [
        message(vec![listed(&[b"Evil.example", b"x"], false, Form::default())]),
        message(vec![listed(&[b"evil.example"], false, Form::default())]),
        message(vec![listed(&[b".evil.example"], false, dotted)]),
        message(vec![listed(&[&md5], false, digested)]),
        message(vec![with_content]),
        message(vec![
            listed(&[b"Evil.example"], false, Form::default()),
            listed(&[b"Evil.example"], true, Form::default()),
        ]),
    ];
    let mut hits = Vec::new();
    let at = Where("dns.question.name");
    let observable = Observable { kind: &RULE, value: Value::Text(b"Evil.example"), at, with: &[] };
    let shown = Shown { message: Message::DnsQuery, observable: &observable, flow: flow(), time: Timestamp::ZERO };
    matcher(&rules).message(&shown, &mut hits);
    let mut numbers: Vec<u32> = hits.iter().map(|hit| hit.indicator.0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 2, 3, 4]);
}

#[test]
fn targets_and_names_as_rules_see_them() {
    for (target, wanted) in [
        ("/a/../b", "/b"),
        ("/a//b/./c", "/a/b/c"),
        ("/%61%2", "/a%2"),
        ("/a\\b", "/a/b"),
        ("/a/", "/a/"),
        ("//", "/"),
        ("/..", "/"),
        ("/%2e%2e/a?x=%41//", "/a?x=A//"),
    ] {
        assert_eq!(String::from_utf8_lossy(&decoded(target.as_bytes())), wanted, "{target}");
    }
    let [plain, _] = both_readings(Place::HttpUri, b"http://host.example:80/a?b#c");
    assert_eq!(&*plain, b"/a?b");
    assert_eq!(unescaped(br"a\046b\\"), br"a.b\\");
}

proptest! {
    #[test]
    fn pieces_change_nothing(
        contents in prop::collection::vec(("[ab]{3,4}|[abc]{1,2}", 0i32..4, 1u32..9), 1..4),
        linked in any::<bool>(),
        stream in "[abc]{0,60}",
        step in 1usize..20,
    ) {
        let chain: Vec<Content> = contents.iter().enumerate().map(|(number, (bytes, distance, more))| {
            let within = Some(*more + bytes.len() as u32);
            content(bytes, if number == 0 { Range::ANYWHERE } else { Range::After { distance: *distance, within } })
        }).collect();
        let mut parts = vec![part(chain)];
        if linked {
            parts.push(Part { after: Some((0, 2)), ..part(vec![content("abc", Range::ANYWHERE)]) });
        }
        // The same, whole: what follows a part must follow where it first ends.
        let mut ends = vec![0];
        let mut wanted = parts[0].chain.iter().all(|content| chain::find(content, stream.as_bytes(), 0, &mut ends));
        if linked && wanted {
            let first = ends[0];
            wanted = stream.as_bytes().windows(3).enumerate().any(|(at, w)| w == b"abc" && at >= first + 2);
        }
        let rules = [bytes(Scope::Stream, parts)];
        for step in [step, stream.len().max(1)] {
            prop_assert_eq!(!found(&rules, Scope::Stream, stream.as_bytes(), step).is_empty(), wanted);
        }
    }
}
