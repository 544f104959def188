#![allow(clippy::print_stdout)]

use proptest::prelude::*;

use super::*;

fn form(value: &[u8], matching: Match) -> Result<(Vec<u8>, Option<Refusal>), Refusal> {
    let mut out = b"kept".to_vec();
    let danger = normalise(value, matching, &mut out)?;
    assert_eq!(&out[..4], b"kept", "a normaliser only appends");
    Ok((out[4..].to_vec(), danger))
}

fn observed(seen: &[u8]) -> Option<Vec<u8>> {
    let mut out = [0; 256];
    normalise_observed(seen, &mut out).map(|length| out[..length].to_vec())
}

#[test]
fn one_form_for_every_way_to_write_a_name() {
    for written in
        ["evil.example", "EVIL.Example", "evil.example.", ".evil.example", "*.evil.example", "*.Evil.example."]
    {
        assert_eq!(form(written.as_bytes(), Match::Subtree), Ok((b"evil.example".to_vec(), None)), "{written}");
    }
    for (written, name) in [
        ("B\u{fc}cher.Example", "xn--bcher-kva.example"),
        ("b\u{fc}cher\u{3002}example\u{3002}", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("_dmarc.evil.example", "_dmarc.evil.example"),
        ("a-_b!$+=,;~.example", "a-_b!$+=,;~.example"),
        ("1.2.3", "1.2.3"),
        ("1.2.3.4.5", "1.2.3.4.5"),
        ("999.2.3.4", "999.2.3.4"),
    ] {
        assert_eq!(form(written.as_bytes(), Match::Subtree), Ok((name.as_bytes().to_vec(), None)), "{written}");
        assert_eq!(observed(written.as_bytes()), Some(name.as_bytes().to_vec()), "{written}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for value in ["", ".", "*."] {
        assert_eq!(form(value.as_bytes(), Match::Subtree), Err(Refusal::Empty), "{value:?}");
    }
    let long_label = format!("{}.example", "a".repeat(64));
    for value in [
        "a b.example",
        "a/b.example",
        "a\\b.example",
        "a@b.example",
        "a..example",
        "..example",
        "a.example..",
        "a\n.example",
        "a\0.example",
        "a\x7f.example",
        "192.0.2.1",
        "192.0.2.1.",
        "2001:db8::1",
        "[2001:db8::1]",
        "evil.example:80",
        "*",
        "a.*.example",
        "**.example",
        &long_label,
        "\u{fc} .example",
        "\u{ad}\u{301}.example",
    ] {
        assert_eq!(form(value.as_bytes(), Match::Subtree), Err(Refusal::BadName), "{value:?}");
    }
    assert_eq!(form(b"\xff\xfe.example", Match::Subtree), Err(Refusal::BadName));
    let longest = [["a"; 126].join("."), "b".into()].concat();
    assert_eq!(longest.len(), 252);
    assert!(form(format!("{longest}c").as_bytes(), Match::Subtree).is_ok());
    assert_eq!(form(format!("{longest}cd").as_bytes(), Match::Subtree), Err(Refusal::TooLong));
}

#[test]
fn public_suffixes_are_dangerous() {
    let cases: [(&str, bool, bool); 12] = [
        ("com", true, true),
        ("co.uk", true, true),
        ("foo.ck", true, true),
        ("github.io", true, false),
        ("duckdns.org", true, false),
        ("localhost", true, false),
        ("evil", true, false),
        ("xn--p1ai", true, true),
        ("example.com", false, false),
        ("evil.github.io", false, false),
        ("www.ck", false, false),
        ("evil.unknowntld", false, false),
    ];
    for (name, subtree, exact) in cases {
        let danger = |yes: bool| yes.then_some(Refusal::PublicSuffix);
        assert_eq!(form(name.as_bytes(), Match::Subtree), Ok((name.into(), danger(subtree))), "{name}");
        assert_eq!(form(name.as_bytes(), Match::Exact), Ok((name.into(), danger(exact))), "{name} exact");
    }
    assert_eq!(form(b"*.COM.", Match::Subtree), Ok((b"com".to_vec(), Some(Refusal::PublicSuffix))));
}

#[test]
fn observed_names_are_judged_by_length_only() {
    assert_eq!(observed(b""), None);
    assert_eq!(observed(b"."), None);
    assert_eq!(observed(&[b'a'; 256]).map(|name| name.len()), Some(256));
    assert_eq!(observed(&[b'a'; 257]), None);
    assert_eq!(observed(b"My Printer 1:2._IPP._tcp.local"), Some(b"my printer 1:2._ipp._tcp.local".to_vec()));
    assert_eq!(observed(b"Caf\xe9.Example"), Some(b"caf\xe9.example".to_vec()), "no UTF-8: only ASCII letters fold");
    assert_eq!(observed(&"\u{fc}".repeat(4000).into_bytes()), None);
}

/// Names as feeds and packets have them: ASCII in either case, some beyond it, dots anywhere.
fn name() -> impl Strategy<Value = String> {
    proptest::string::string_regex(r"(\*\.|\.)?[a-zA-Z0-9_.\-ßüÉ中。]{0,24}(\.[a-zA-Z]{1,5})?\.?").expect("a regex")
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(name in name()) {
        if let Ok((once, danger)) = form(name.as_bytes(), Match::Subtree) {
            prop_assert_eq!(form(&once, Match::Subtree), Ok((once.clone(), danger)));
            prop_assert_eq!(observed(&once), Some(once));
        }
    }

    #[test]
    fn observed_and_indicator_agree(name in name()) {
        let name = name.trim_start_matches('*').trim_start_matches('.');
        if let Ok((indicator, _)) = form(name.as_bytes(), Match::Subtree) {
            prop_assert_eq!(observed(name.as_bytes()), Some(indicator));
        }
    }

    #[test]
    fn no_bytes_panic(value in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = form(&value, Match::Exact);
        let _ = observed(&value);
    }
}

/// Found by the fuzz target `imap`: a label beyond ASCII whose A-label does not fit made `idna` panic.
#[test]
fn a_name_whose_a_labels_do_not_fit_is_left_as_it_is_or_refused() {
    let long_label = format!("{}\u{17e}", "a".repeat(300));
    let many_labels = "\u{17e}.".repeat(60);
    let mut out = [0; 256];
    assert_eq!(normalise_observed(long_label.as_bytes(), &mut out), None);
    assert_eq!(normalise_observed(many_labels.as_bytes(), &mut out), Some(179));
    for name in [long_label, many_labels] {
        assert_eq!(form(name.as_bytes(), Match::Subtree), Err(Refusal::BadName));
    }
}
