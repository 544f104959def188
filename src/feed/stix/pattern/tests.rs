use proptest::prelude::*;

use super::*;

fn shown(pattern: &str) -> String {
    format!("{:?}", Expression::parse(pattern).unwrap_or_else(|| panic!("{pattern}")))
}

fn operands(literals: &str) -> Vec<Literal> {
    match Expression::parse(&format!("[a:b IN ({literals})]")) {
        Some(Expression::Observation(Comparison::Test(test))) => test.operands,
        other => panic!("{literals}: {other:?}"),
    }
}

#[test]
fn and_binds_tighter_than_or_and_or_tighter_than_followed_by() {
    for (pattern, tree) in [
        ("[a:b = 1 AND a:c = 2 OR a:d = 3]", "[Or([And([a:b Equal x1, a:c Equal x1]), a:d Equal x1])]"),
        ("[a:b = 1 AND (a:c = 2 OR a:d = 3)]", "[And([a:b Equal x1, Or([a:c Equal x1, a:d Equal x1])])]"),
        (
            "[a:b=1] FOLLOWEDBY [a:c=2] OR [a:d=3] AND [a:e=4]",
            "FollowedBy([[a:b Equal x1], Or([[a:c Equal x1], And([[a:d Equal x1], [a:e Equal x1]])])])",
        ),
        ("[a:b=1] AND [a:c=2] WITHIN 5 SECONDS", "And([[a:b Equal x1], [a:c Equal x1] Within])"),
        ("([a:b=1] AND [a:c=2]) WITHIN .5 SECONDS", "And([[a:b Equal x1], [a:c Equal x1]]) Within"),
        ("([a:b=1] REPEATS 2 TIMES) REPEATS 3 TIMES", "[a:b Equal x1] Repeats(2) Repeats(3)"),
        ("[a:b=1] REPEATS 2 TIMES WITHIN 3 SECONDS", "[a:b Equal x1] Repeats(2) Within"),
    ] {
        assert_eq!(shown(pattern), tree, "{pattern}");
    }
}

#[test]
fn every_operator_and_its_negation() {
    for (written, name, count) in [
        ("= 'x'", "Equal", 1),
        ("== 'x'", "Equal", 1),
        ("!= 1", "NotEqual", 1),
        ("<> true", "NotEqual", 1),
        ("< 1", "Order", 1),
        ("<= 1.5", "Order", 1),
        (">t'2014-01-13T07:03:17Z'", "Order", 1),
        (">= 'x'", "Order", 1),
        ("IN('x',2)", "In", 2),
        ("IN ()", "In", 0),
        ("LIKE '%x_'", "Like", 1),
        ("MATCHES'^x$'", "Matches", 1),
        ("ISSUBSET '192.168.0.1/24'", "IsSubset", 1),
        ("ISSUPERSET '192.168.0.1/24'", "IsSuperset", 1),
    ] {
        assert_eq!(shown(&format!("[a:b {written}]")), format!("[a:b {name} x{count}]"));
        assert_eq!(shown(&format!("[a:b NOT {written}]")), format!("[a:b NOT {name} x{count}]"));
    }
    assert_eq!(shown("[EXISTS windows-registry-key:values]"), "[windows-registry-key:values Exists x0]");
}

#[test]
fn every_literal() {
    let day = Timestamp::from_parts(1_389_596_597, 0);
    let all = operands(
        r"'it\'s a \\', '', 12, -3, +4, .5, -7.0, true, false, h'FFd8', h'', b'dGVzdA==', t'2014-01-13T07:03:17Z'",
    );
    assert!(
        all == [
            Literal::Text(r"it's a \".into()),
            Literal::Text(String::new()),
            Literal::Integer(12),
            Literal::Integer(-3),
            Literal::Integer(4),
            Literal::Float(0.5),
            Literal::Float(-7.0),
            Literal::Bool(true),
            Literal::Bool(false),
            Literal::Bytes(vec![0xff, 0xd8]),
            Literal::Bytes(Vec::new()),
            Literal::Bytes(b"test".to_vec()),
            Literal::Time(day),
        ]
    );
}

#[test]
fn paths_comments_and_blanks() {
    for (written, path) in [
        ("file:hashes.'SHA-256'", "file:hashes.SHA-256"),
        ("file:hashes.SHA-256", "file:hashes.SHA-256"),
        (
            "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'",
            "network-traffic:extensions.http-request-ext.request_header.User-Agent",
        ),
        ("email-message:to_refs[0].value", "email-message:to_refs[*].value"),
        ("email-message:to_refs [ * ] . value", "email-message:to_refs[*].value"),
        ("x:'a.b'.c", "x:\"a.b\".c"),
    ] {
        assert_eq!(shown(&format!("[{written} = 1]")), format!("[{path} Equal x1]"));
    }
    let commented = "/* a [ */ [ // to the end\n a:b /**/ = // 'x'\r\n 'x' ]\u{3000}\u{a0}\t// ] at the end";
    assert_eq!(shown(commented), "[a:b Equal x1]");
}

#[test]
fn start_and_stop() {
    let pattern = "[a:b = 1] START t'2014-06-01T00:00:00Z' STOP t'2014-07-01T00:00:00.5Z'";
    let Some(Expression::Qualified(_, Qualifier::StartStop(start, stop))) = Expression::parse(pattern) else {
        panic!("{pattern}")
    };
    assert_eq!((start.secs(), stop.secs(), stop > start), (1_401_580_800, 1_404_172_800, true));
}

/// The failing cases of the OASIS validator's own tests are among these.
#[test]
fn what_is_not_of_the_grammar_is_refused() {
    for bad in [
        "",
        "file:size = 1280",
        "[file:size = ]",
        "[file:hashes.MD5 = cead3f77f6cda6ec00f57d76c9a6879f]",
        "[file.size = 1280]",
        r"[file:name MATCHES /.*\.dll/]",
        r"[win-registry-key:key = 'hkey'] WITHIN ]",
        r"[win-registry-key:key = 'hkey'] WITHIN 5 HOURS",
        r"[win-registry-key:key = 'hkey'] WITHIN -5 SECONDS",
        "[network-traffic:dst_ref.value ISSUBSET ]",
        "[file:hashes.MD5 =? 'cead3f77f6cda6ec00f57d76c9a6879f']",
        "[x_whatever:detected == t'2457-73-22T32:81:84.1Z']",
        "[x_whatever:detected == t'2014-01-13T07:03:17+01:00']",
        "[artifact:payload_bin = b'====']",
        "[artifact:payload_bin = h'f']",
        "[foo:bar=1] within 2 seconds",
        "[a:b=1] WITHIN 5 SECONDS WITHIN 6 SECONDS",
        "([a:b=1] REPEATS 2 TIMES REPEATS 3 TIMES)",
        "[a:b=1] START t'2016-06-01T01:30:00Z' STOP t'2016-06-01T02:20:00Z' START t'2016-06-01T01:30:00Z' STOP t'2016-06-01T02:20:00Z'",
        "[a:b=1] START '2016-06-01T01:30:00Z' STOP '2016-06-01T02:20:00Z'",
        r"[a:b = 'C:\Windows']",
        "[a:b = 'x]",
        "[a:b = 1",
        "[a:b = 1]]",
        "[a:b = 1] [a:b = 1]",
        "[a:b > true]",
        "[a:b LIKE 1]",
        "[a:b IN (1,)]",
        "[a:b IN 1]",
        "[a:b and a:c = 1]",
        "[EXISTS a:b = 1]",
        "[1a:b = 1]",
        "[a:b = TRUE]",
        "[a:b = 1] /* open",
        "[a:b = 99999999999999999999]",
        "(([a:b = 1])",
        "[]",
    ] {
        assert!(Expression::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("[{}a:b = 1{}]", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(MAX_DEPTH)).is_some());
    assert!(Expression::parse(&nested(MAX_DEPTH + 1)).is_none());
    assert!(Expression::parse(&nested(1 << 20)).is_none());
    let groups = |depth: usize| format!("{}[a:b = 1]{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&groups(MAX_DEPTH)).is_some());
    assert!(Expression::parse(&groups(MAX_DEPTH + 1)).is_none());
    let wide = format!("[a:b IN (1{})]", ",1".repeat(50_000));
    assert!(Expression::parse(&wide).is_some());
}

#[test]
fn no_literal_in_debug() {
    let text = shown("[domain-name:value = 'evil.example' AND a:b IN (1, 'x', h'ff')]");
    assert_eq!(text, "[And([domain-name:value Equal x1, a:b In x3])]");
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(pattern in "(\\[|\\]|\\(|\\)|a:b|'x'|'|=|<>|AND|OR|NOT|IN|LIKE| |\\.|,|h'|b'|t'|/\\*|//|\\n|WITHIN|REPEATS|SECONDS|TIMES|1|\\\\|\\PC){0,30}") {
        let _ = Expression::parse(&pattern);
    }
}
