use proptest::prelude::*;

use crate::feed::tests::{loaded, loaded_as};
use crate::indicator::Refusal;
use crate::indicator::rule::Body;
use crate::marking::Tlp;

/// Parts of a rule with these strings and condition, or why there is none.
fn parts(strings: &str, condition: &str) -> Result<usize, Refusal> {
    let text = format!("rule a {{ strings: {strings} condition: {condition} }}\n");
    let (set, report) = loaded_as("yara", text.as_bytes());
    assert_eq!(set.len() + report.refusals.len(), 1, "{text} {:?}", report.error);
    match set.iter().next().and_then(|one| one.rule) {
        Some(rule) => match &rule.body {
            Body::Bytes { parts, .. } => Ok(parts.len()),
            Body::Message(_) | Body::Header(_) => panic!("a file's rule"),
        },
        None => Err(report.refusals[0].reason),
    }
}

#[test]
fn strings_and_conditions() {
    for (strings, condition, wanted) in [
        ("$a = \"abc\"", "$a", 1),
        ("$a = \"abc\" ascii wide nocase fullword private", "any of them", 2),
        ("$a = \"ab\" wide", "all of them", 1),
        ("$a1 = \"abc\" $a2 = \"def\" $b = \"ghi\"", "any of ($a*) and ($b or 2 of them)", 3),
        ("$a = { 41 42 43 ?? 4? [2-4] ( 61 62 63 | 64 65 66 ) }", "$a", 2),
        ("$a = { 41 42 43 [-] 44 45 46 }", "$a", 2),
        ("$a = /abc\\.def/i", "$a", 1),
        ("$ = \"abc\" $ = \"def\"", "all of them", 2),
        ("$a = { 41 42 // here\n 43 /* there */ }", "$a", 1),
    ] {
        assert_eq!(parts(strings, condition), Ok(wanted), "{strings} {condition}");
    }
    let unsupported = |why| Err(Refusal::Unsupported(why));
    for (strings, condition, why) in [
        ("$a = \"abc\" xor", "$a", unsupported("modifier xor")),
        ("$a = \"abc\" base64", "$a", unsupported("modifier base64")),
        ("$a = /ab+c/", "$a", unsupported("a regular expression")),
        ("$a = \"ab\"", "$a", unsupported("a string without 3 fixed bytes together")),
        ("$a = { 41 42 43 [2000] 41 }", "$a", unsupported("a string over more than 1,024 bytes")),
        ("$a = { 41 42 43 [-] 41 }", "$a", unsupported("a string without 3 fixed bytes together")),
        ("$a = { ~41 42 43 44 }", "$a", unsupported("~ in a hex string")),
        ("$a = \"abc\"", "not $a", unsupported("not and none")),
        ("$a = \"abc\"", "none of them", unsupported("not and none")),
        ("$a = \"abc\"", "$a at 0", unsupported("at and in")),
        ("$a = \"abc\"", "any of them in (0..9)", unsupported("at and in")),
        ("$a = \"abc\"", "$a and filesize < 9", unsupported("filesize and entrypoint")),
        ("$a = \"abc\"", "#a > 2", unsupported("counts, offsets and lengths of strings")),
        ("$a = \"abc\"", "for any of them : ( $ at 0 )", unsupported("for loops")),
        ("$a = \"abc\"", "$a and pe.is_dll()", unsupported("another rule, a module or an external variable")),
        ("$a = \"abc\"", "uint16(0) == 0x5A4D and $a", unsupported("bytes at an offset")),
        ("$a = \"abc\"", "2 of them", unsupported("a count that says nothing, or never holds")),
        ("$a = \"abc\"", "0 of them", unsupported("a count that says nothing, or never holds")),
        ("$a = \"abc\"", "$b", Err(Refusal::Malformed)),
        ("$a = \"a\\qb\"", "$a", Err(Refusal::BadPattern)),
        ("$a = { 4 }", "$a", Err(Refusal::BadPattern)),
        ("$a = { 41 [3-2] 42 43 44 }", "$a", Err(Refusal::BadPattern)),
        ("$a = { [2] 42 43 44 }", "$a", Err(Refusal::BadPattern)),
    ] {
        assert_eq!(parts(strings, condition), why, "{strings} {condition}");
    }
}

#[test]
fn what_a_rule_says_of_itself_arrives_and_a_bad_one_costs_only_itself() {
    let (set, report) = loaded(
        b"/* of several lines\n*/\nimport \"pe\"\nrule bad { condition: pe.x }\nrule broken { strings: $a = \"x\n\n\
          rule Good : tag1 tag2 {\n meta:\n  author = \"Some One\"\n  tlp = \"AMBER\"\n  score = -5\n  malware_family = \"Evil\"\n\
          strings:\n  $a = \"abcdef\"\ncondition:\n  $a\n}\n",
    );
    assert_eq!((report.format, report.loaded), (Some("yara"), 1), "{:?}", report.refusals);
    let lines: Vec<_> = report.refusals.iter().map(|refused| refused.line).collect();
    assert_eq!(lines, [3, 4, 5]);
    let one = set.iter().next().expect("one");
    let (context, line) = set.sources(one.ix).next().expect("a source");
    assert_eq!((line, context.provider, context.marking.tlp), (7, Some("Some One"), Some(Tlp::Amber)));
    let about: Vec<_> = context.about.iter().map(|(path, text)| format!("{}={text}", path.0)).collect();
    assert_eq!(about, ["rule.name=Good", "tags=tag1", "tags=tag2", "threat.software.name=Evil"]);
    let (set, report) =
        loaded_as("yara", b"global rule g { condition: true }\nrule a { strings: $a = \"abc\" condition: $a }");
    assert!(set.is_empty() && report.error.is_some(), "it would limit the other");
}

#[test]
fn a_long_rule_is_named_by_its_digest() {
    let text = format!("rule a {{ strings: $a = \"{}\" condition: $a }}", "x".repeat(1000));
    let long = text.replace("$a = ", "/* long */".repeat(500).as_str()).replace("/* long */\"", "/* long */ $a = \"");
    let (set, report) = loaded_as("yara", long.as_bytes());
    assert_eq!(report.loaded, 1, "{:?}", report.refusals);
    assert!(set.iter().next().expect("one").value.starts_with(b"rule a (SHA-256 of its text: "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn anything_is_read_or_refused(text in "(rule a \\{ strings: \\$a = [\"{}/\\\\0-9a-f?|()\\[\\]~ -]{0,30} [a-z ]{0,10} condition: [$a-z0-9()* ,#!<]{0,30} \\}\n?){1,3}") {
        loaded_as("yara", text.as_bytes());
    }
}
